"""A FastAPI service as many teams have one: it knows nothing of the gateway."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request, Response, UploadFile, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

app = FastAPI(title="shop")


class Item(BaseModel):
    name: str
    price: float


items: dict[int, Item] = {1: Item(name="tea", price=3.5), 2: Item(name="cup", price=8.0)}


@app.get("/items")
def list_items(name: str | None = None) -> dict[int, Item]:
    return {number: item for number, item in items.items() if name is None or item.name == name}


@app.post("/items", status_code=201)
def add_item(item: Item, response: Response) -> dict[str, int]:
    number = max(items, default=0) + 1
    items[number] = item
    response.headers["Location"] = f"items/{number}"
    return {"number": number}


@app.get("/items/{number}")
def get_item(number: int) -> Item:
    if number not in items:
        raise HTTPException(404, f"there is no item {number}")
    return items[number]


@app.put("/items/{number}")
def set_item(number: int, item: Item) -> Item:
    items[number] = item
    return item


@app.delete("/items/{number}", status_code=204)
def delete_item(number: int) -> None:
    items.pop(number, None)


@app.post("/upload")
async def upload(file: UploadFile) -> dict[str, object]:
    digest = hashlib.sha256()
    size = 0
    while piece := await file.read(1 << 16):
        digest.update(piece)
        size += len(piece)
    return {"name": file.filename, "size": size, "sha256": digest.hexdigest()}


@app.post("/digest")
async def digest_body(request: Request) -> dict[str, object]:
    """Reads a raw body piece by piece."""
    digest = hashlib.sha256()
    size = 0
    async for piece in request.stream():
        digest.update(piece)
        size += len(piece)
    return {"size": size, "sha256": digest.hexdigest()}


@app.get("/download")
def download(size: Annotated[int, Query(ge=0)]) -> StreamingResponse:
    def pieces() -> Iterator[bytes]:
        piece = bytes(range(256)) * 256
        for start in range(0, size, len(piece)):
            yield piece[: min(len(piece), size - start)]

    return StreamingResponse(pieces(), media_type="application/octet-stream")


@app.get("/events")
async def events(count: int = 3, pause: float = 0.5) -> StreamingResponse:
    async def stream() -> AsyncIterator[str]:
        for number in range(count):
            if number > 0:
                await asyncio.sleep(pause)
            yield f"id: {number}\ndata: tick {number}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.get("/slow")
async def slow(seconds: float = 5.0) -> dict[str, float]:
    await asyncio.sleep(seconds)
    return {"slept": seconds}


@app.get("/error")
def error(status: int = 500) -> None:
    raise HTTPException(status, "as you asked")


@app.get("/crash")
def crash() -> None:
    raise RuntimeError("as you asked")


@app.get("/cookies")
def cookies(response: Response) -> dict[str, str]:
    response.set_cookie("session", "s1")
    response.set_cookie("basket", "b1")
    return {"set": "two cookies"}


@app.api_route("/request", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def show_request(request: Request) -> dict[str, object]:
    """Shows the request as the service sees it."""
    return {
        "method": request.method,
        "path": request.url.path,
        "query": request.url.query,
        "headers": [[name, value] for name, value in request.headers.items()],
        "body": (await request.body()).decode("utf-8", "replace"),
    }


@app.websocket("/socket")
async def socket(websocket: WebSocket) -> None:
    """Sends every message back."""
    await websocket.accept()
    try:
        while True:
            message = await websocket.receive()
            if message.get("text") is not None:
                await websocket.send_text(message["text"])
            elif message.get("bytes") is not None:
                await websocket.send_bytes(message["bytes"])
            else:
                return
    except WebSocketDisconnect:
        pass
