"""The plugin's HTTP side, an ASGI application (https://asgi.readthedocs.io) without a framework.

The gateway starts `uvicorn app:app` and sends it requests over a Unix socket. FastAPI or any other ASGI framework takes the place
of `app` without a change elsewhere.
"""

import json
import os
from urllib.parse import parse_qs

from greeting import greet

# What the operator configured. The gateway has checked it against `config_schema` and filled in the defaults.
CONFIGURATION = json.loads(os.environ.get("FRAMEX_PLUGIN_CONFIG", '{"greeting": "Hello"}'))


async def app(scope, receive, send) -> None:
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    status, answer = route(scope)
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


def route(scope) -> tuple[int, object]:
    match scope["path"], scope["method"]:
        # What `ready` in plugin.yaml asks: requests come only after this has answered.
        case "/health", "GET":
            return 200, {"status": "ok"}
        case "/", "GET":
            name = parse_qs(scope["query_string"].decode()).get("name", ["world"])[0]
            return 200, {"greeting": greet(CONFIGURATION["greeting"], name)}
        case "/", _:
            return 405, {"error": "use GET"}
    return 404, {"error": "there is nothing here"}


async def lifespan(receive, send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
