"""A FastAPI application with everything that such applications have. It knows nothing of the gateway."""

import asyncio
from collections.abc import AsyncIterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Cookie, Depends, FastAPI, File, Form, Header, HTTPException, Query, Request, Response, UploadFile, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from fastapi.security import OAuth2PasswordBearer
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

app = FastAPI(title="everything", description="All kinds of requests")
app.add_middleware(CORSMiddleware, allow_origins=["https://app.example.com"], allow_methods=["*"], allow_credentials=True)


class Colour(str, Enum):
    red = "red"
    blue = "blue"


class Part(BaseModel):
    name: str
    parts: list["Part"] = Field(default_factory=list)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool = True


class Animal(BaseModel):
    animal: Annotated[Cat | Dog, Field(discriminator="kind")]
    note: str | None = None


@app.get("/items/{item_id}")
def get_item(item_id: int, verbose: bool = False) -> dict[str, object]:
    if item_id == 403:
        raise HTTPException(403, "not this one", headers={"X-Why": "because"})
    if item_id == 404:
        raise HTTPException(404, "no such item")
    return {"item_id": item_id, "verbose": verbose}


@app.get("/items")
def list_items(q: str, limit: int = 10, opt: str | None = None, tags: Annotated[list[str] | None, Query()] = None) -> dict[str, object]:
    return {"q": q, "limit": limit, "opt": opt, "tags": tags}


@app.post("/items", status_code=201)
def add_item(part: Part, response: Response) -> Part:
    response.headers["Location"] = "/items/7"
    return part


@app.delete("/items", status_code=204)
def clear_items() -> None:
    return None


@app.put("/animals/{name}")
def put_animal(name: str, animal: Animal) -> Animal:
    return animal


@app.post("/numbers")
def numbers(values: list[int]) -> int:
    return sum(values)


@app.post("/form")
def form(name: Annotated[str, Form()], age: Annotated[int, Form()] = 3) -> dict[str, object]:
    return {"name": name, "age": age}


@app.post("/upload")
async def upload(file: Annotated[UploadFile, File()], note: Annotated[str, Form()] = "") -> dict[str, object]:
    content = await file.read()
    return {"name": file.filename, "type": file.content_type, "size": len(content), "note": note}


@app.post("/raw")
async def raw(request: Request) -> dict[str, object]:
    body = await request.body()
    return {"size": len(body), "sum": sum(body), "type": request.headers.get("content-type")}


@app.get("/headers")
def headers(x_token: Annotated[str | None, Header()] = None, flavour: Annotated[str | None, Cookie()] = None) -> dict[str, object]:
    return {"x_token": x_token, "flavour": flavour}


@app.get("/text", response_class=PlainTextResponse)
def text() -> str:
    return "plain ünï"


@app.get("/html", response_class=HTMLResponse)
def html() -> str:
    return '<a href="/items">items</a>'


@app.get("/tiles/{z}/{x}/{y}.png")
def tile(z: int, x: int, y: int) -> Response:
    return Response(bytes([0x89, 0x50, z % 256, x % 256, y % 256]) * 100, media_type="image/png", headers={"ETag": f'"{z}-{x}-{y}"'})


@app.get("/range")
def range_of_file() -> FileResponse:
    return FileResponse(Path(__file__), media_type="text/plain")


@app.get("/files/{path:path}")
def files(path: str) -> dict[str, str]:
    return {"path": path}


@app.get("/redirect")
def redirect(to: str, status: int = 307) -> RedirectResponse:
    return RedirectResponse(to, status_code=status)


@app.get("/login")
def login(response: Response) -> dict[str, bool]:
    response.set_cookie("session", "s1", httponly=True)
    response.set_cookie("cart", "c1", path="/items", samesite="lax")
    response.headers["Link"] = '</items?page=2>; rel="next"'
    return {"ok": True}


@app.get("/where")
def where(request: Request) -> dict[str, object]:
    forwarded = {name: value for name, value in request.headers.items() if name.startswith("x-forwarded")}
    return {"path": request.url.path, "forwarded": forwarded}


@app.get("/slow")
async def slow(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "done"


@app.get("/crash")
def crash() -> None:
    raise RuntimeError("as you asked")


@app.get("/events")
async def events(count: int = 3) -> StreamingResponse:
    async def stream() -> AsyncIterator[str]:
        for number in range(count):
            yield f"id: {number}\nevent: tick\ndata: {number}\n\n"
            await asyncio.sleep(0.05)

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.websocket("/ws/{room}")
async def talk(websocket: WebSocket, room: str) -> None:
    await websocket.accept(subprotocol="chat" if "chat" in websocket.scope["subprotocols"] else None)
    while (message := await websocket.receive_text()) != "bye":
        await websocket.send_text(f"{room}: {message}")
    await websocket.close(4000)


token = OAuth2PasswordBearer(tokenUrl="token")


@app.get("/me")
def me(credentials: Annotated[str, Depends(token)]) -> str:
    return credentials


@app.post("/colours/{colour}")
def colours(colour: Colour, weight: Annotated[float, Body(embed=True, gt=0)]) -> dict[str, object]:
    return {"colour": colour, "weight": weight}


# Hundreds of paths, as grown applications have them.
for number in range(40):
    router = APIRouter(prefix=f"/area{number}", tags=[f"area{number}"])
    for kind in ("users", "orders", "reports", "jobs"):

        def read(identifier: str, kind: str = kind, number: int = number) -> dict[str, object]:
            return {"area": number, "kind": kind, "id": identifier}

        def write(identifier: str, animal: Animal, kind: str = kind, number: int = number) -> dict[str, object]:
            return {"area": number, "kind": kind, "id": identifier, "animal": animal}

        router.add_api_route(f"/{kind}/{{identifier}}", read, methods=["GET"], name=f"read_{kind}")
        router.add_api_route(f"/{kind}/{{identifier}}", write, methods=["PUT"], name=f"write_{kind}")
    app.include_router(router)

inner = FastAPI(title="inner")


@inner.get("/hello")
def hello(request: Request) -> dict[str, str]:
    return {"hello": "inner", "root_path": request.scope["root_path"]}


app.mount("/inner", inner)
app.mount("/static", StaticFiles(directory=Path(__file__).parent), name="static")
