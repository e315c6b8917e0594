"""A FastAPI application whose answers say how they may be kept. It counts how often it was asked."""

import asyncio
import os
from collections import Counter
from typing import Annotated

from fastapi import Cookie, FastAPI, Header, Response
from fastapi.responses import JSONResponse, StreamingResponse

app = FastAPI(title="cached")
asked: Counter[str] = Counter()


def count(name: str) -> int:
    asked[name] += 1
    return asked[name]


@app.get("/asked/{name}")
def how_often(name: str) -> int:
    return asked[name]


@app.get("/fresh/{name}")
def fresh(name: str, response: Response, control: str = "max-age=60") -> dict[str, object]:
    response.headers["Cache-Control"] = control
    return {"name": name, "number": count(name)}


@app.post("/fresh/{name}")
def change(name: str) -> int:
    return asked[name]


@app.get("/silent/{name}")
def silent(name: str) -> dict[str, object]:
    return {"name": name, "number": count(name)}


@app.get("/who/{name}")
def who(name: str, response: Response, x_framex_subject: Annotated[str | None, Header()] = None, session: Annotated[str | None, Cookie()] = None) -> dict[str, object]:
    response.headers["Cache-Control"] = "max-age=60"
    return {"subject": x_framex_subject, "session": session, "number": count(name)}


@app.get("/language/{name}")
def language(name: str, response: Response, accept_language: Annotated[str, Header()] = "") -> dict[str, object]:
    response.headers["Cache-Control"] = "max-age=60"
    response.headers["Vary"] = "Accept-Language"
    return {"language": accept_language, "number": count(name)}


@app.get("/checked/{name}")
def checked(name: str, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    number = count(name)
    headers = {"ETag": '"one"', "Cache-Control": "no-cache"}
    if if_none_match == '"one"':
        return Response(status_code=304, headers=headers)
    return JSONResponse({"number": number}, headers=headers)


@app.get("/cookie/{name}")
def cookie(name: str, response: Response) -> int:
    response.headers["Cache-Control"] = "max-age=60"
    response.set_cookie("a", "1")
    return count(name)


@app.get("/slow/{name}")
async def slow(name: str, response: Response) -> int:
    number = count(name)
    await asyncio.sleep(0.5)
    response.headers["Cache-Control"] = "max-age=60"
    return number


@app.get("/digits/{name}")
def digits(name: str) -> Response:
    count(name)
    return Response("0123456789", media_type="text/plain", headers={"Cache-Control": "max-age=60", "ETag": '"digits"'})


@app.get("/large/{name}")
def large(name: str, size: int) -> Response:
    count(name)
    return Response(b"x" * size, headers={"Cache-Control": "max-age=60"})


@app.get("/stream/{name}")
async def stream(name: str) -> StreamingResponse:
    number = count(name)

    async def events():
        yield f"data: {number}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "max-age=60"})


@app.get("/ends/{name}")
def ends(name: str, response: Response) -> int:
    """After this answer, which may be given for long when there is none better, the process ends."""
    response.headers["Cache-Control"] = "max-age=0, stale-if-error=600"
    number = count(name)
    if number == 2:
        os._exit(1)
    return number
