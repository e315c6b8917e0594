"""Finds the nearest of many vectors with numpy: a plugin that cannot be a component, because numpy is native code.

The gateway starts it as a worker: a process of its own that serves HTTP on the Unix socket that the gateway names. Any web
framework will do; this one needs none and speaks ASGI (https://asgi.readthedocs.io) itself.
"""

import json
import os

import numpy

# The operator's configuration, checked against `config_schema` by the gateway, which also fills in the defaults.
LARGEST_BODY = json.loads(os.environ.get("FRAMEX_PLUGIN_CONFIG", "{}")).get("largest_body", 16 * 1024 * 1024)


class Refused(Exception):
    """What is wrong with a request; its text goes to the caller."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def nearest(query: list[float], vectors: list[list[float]], count: int) -> list[dict[str, object]]:
    """The `count` vectors with the greatest cosine similarity to the query, best first."""
    try:
        matrix, wanted = numpy.asarray(vectors, dtype=float), numpy.asarray(query, dtype=float)
    except (TypeError, ValueError) as error:
        raise Refused(422, "`query` is a list of numbers and `vectors` a list of such lists, all of one length") from error
    if wanted.ndim != 1 or matrix.ndim != 2 or matrix.shape[1] != wanted.shape[0]:
        raise Refused(422, "every vector must have the length of the query")
    lengths = numpy.linalg.norm(matrix, axis=1) * numpy.linalg.norm(wanted)
    # Nothing is similar to a vector of zeros.
    similarities = numpy.divide(matrix @ wanted, lengths, out=numpy.zeros(len(matrix)), where=lengths > 0)
    best = numpy.argsort(-similarities, kind="stable")[:count]
    return [{"index": int(index), "similarity": round(float(similarities[index]), 6)} for index in best]


async def app(scope, receive, send) -> None:
    """The ASGI application: uvicorn calls it for every request."""
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    try:
        status, answer = 200, await route(scope, receive)
    except Refused as refused:
        status, answer = refused.status, {"error": str(refused)}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


async def route(scope, receive) -> object:
    match scope["method"], scope["path"]:
        # What `ready` in plugin.yaml asks: requests come only after this has answered.
        case "GET", "/health":
            return {"numpy": numpy.__version__}
        case "POST", "/nearest":
            try:
                question = json.loads(await read(receive))
                query, vectors, count = question["query"], question["vectors"], int(question.get("count", 1))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise Refused(422, "send {query: [number…], vectors: [[number…]…], count: how many}") from error
            return {"nearest": nearest(query, vectors, max(count, 0))}
    raise Refused(404, "POST /nearest")


async def read(receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise Refused(413, f"the request is larger than {LARGEST_BODY} bytes")
        if not message.get("more_body"):
            return body


async def lifespan(receive, send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
