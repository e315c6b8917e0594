"""A FastAPI application that does what makes life behind a gateway hard. It knows nothing of the gateway."""

import os
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.httpsredirect import HTTPSRedirectMiddleware
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from fastapi.staticfiles import StaticFiles

# What is on, so that each can be seen alone: `hosts`, `https`, `closed` (no document), `cors`.
AWKWARD = os.environ.get("AWKWARD", "hosts,cors").split(",")

app = FastAPI(title="awkward", openapi_url=None if "closed" in AWKWARD else "/openapi.json", root_path=os.environ.get("ROOT_PATH", ""))
if "hosts" in AWKWARD:
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
if "https" in AWKWARD:
    app.add_middleware(HTTPSRedirectMiddleware)
if "cors" in AWKWARD:
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"])
basic = HTTPBasic()


@app.get("/", response_class=HTMLResponse)
def start() -> str:
    return '<link rel="stylesheet" href="/static/awkward.py"><a href="/pages/one">one</a><form action="/search">'


@app.get("/good", response_class=HTMLResponse)
def good(request: Request) -> str:
    prefix = request.headers.get("x-forwarded-prefix", "")
    return f'<a href="{prefix}/good">good</a>'


@app.get("/away")
def away() -> RedirectResponse:
    return RedirectResponse("https://elsewhere.example.com/")


@app.get("/login")
def login(response: Response) -> str:
    response.set_cookie("wide", "1", domain="example.com")
    response.headers.append("set-cookie", "__Host-session=1; Secure; Path=/")
    return "ok"


@app.get("/private")
def private(who: Annotated[HTTPBasicCredentials, Depends(basic)]) -> str:
    return who.username


@app.get("/subject")
def subject(x_framex_subject: Annotated[str | None, Header()] = None) -> str | None:
    return x_framex_subject


@app.get("/files/{path:path}")
def files(path: str) -> str:
    return path


@app.get("/tree/{path:path}/raw")
def tree(path: str) -> str:
    return path


@app.get("/hidden", include_in_schema=False)
def hidden() -> str:
    return "hidden"


app.mount("/static", StaticFiles(directory=Path(__file__).parent), name="static")
