"""A FastAPI application that calls another plugin through the gateway, for its caller and for itself."""

import asyncio

from fastapi import FastAPI
from framex_gateway import CallMiddleware, client

app = FastAPI()
app.add_middleware(CallMiddleware)
gateway = client()
HEADERS = "/api/v1/two/rogue/headers"


@app.get("/for-caller")
async def for_caller() -> str:
    return (await gateway.get(HEADERS)).text


@app.get("/both")
async def both() -> list[str]:
    """Calls at the same time belong to the same request."""
    answers = await asyncio.gather(gateway.get(HEADERS), gateway.get(HEADERS))
    return [answer.text for answer in answers]


@app.get("/stream")
async def stream() -> int:
    count = 0
    async with gateway.stream("GET", "/api/v1/two/rogue/stream?n=5&delay=20") as answer:
        async for _ in answer.aiter_raw():
            count += 1
    return count


@app.post("/upload")
async def upload() -> int:
    async def chunks():
        for _ in range(64):
            yield b"x" * 16384

    return (await gateway.post("/api/v1/two/stats", content=chunks())).json()["bytes"]
