"""The plugin's HTTP side: a WebAssembly component in Python.

`wit_world` and `componentize_py_types` are made from `wit/plugin.wit` when the component is built. The build runs this module
once and keeps what it left in memory: imports are already done when a request comes, and nothing that depends on where
the plugin runs (environment, time, chance) may be asked for at the top of a module.
"""

import json
from functools import cache

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports.environment import get_environment
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Post,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

from redaction import Settings, redact

# What is held in memory at once. The route's `limits.request_body` is the other way to bound it.
LARGEST_TEXT = 1024 * 1024


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        if not isinstance(request.method(), Method_Post):
            respond(response_out, 405, {"error": "POST a text"}, allow="POST")
            return
        body = read(request)
        if body is None:
            respond(response_out, 413, {"error": f"the text is larger than {LARGEST_TEXT} bytes"})
            return
        text, changed = redact(body.decode("utf-8", "replace"), settings())
        respond(response_out, 200, {"text": text, "changed": changed})


@cache
def settings() -> Settings:
    """The operator's configuration. The gateway has checked it against `config_schema` and filled in the defaults."""
    return Settings(**json.loads(dict(get_environment()).get("FRAMEX_PLUGIN_CONFIG", "{}")))


def read(request: IncomingRequest) -> bytes | None:
    """The body of the request; None when it is too large."""
    pieces, size = [], 0
    with request.consume() as body, body.stream() as stream:
        while size <= LARGEST_TEXT:
            try:
                piece = stream.blocking_read(64 * 1024)
            except Err as error:
                # The end of the body is reported as a closed stream; anything else means that the caller has gone.
                if isinstance(error.value, StreamError_Closed):
                    return b"".join(pieces)
                raise
            pieces.append(piece)
            size += len(piece)
    return None


def respond(response_out: ResponseOutparam, status: int, answer: object, **headers: str) -> None:
    fields = [("content-type", b"application/json")] + [(name, value.encode()) for name, value in headers.items()]
    response = OutgoingResponse(Fields.from_list(fields))
    response.set_status_code(status)
    body = response.body()
    # From here on the caller gets the head of the response, then the body while it is written.
    ResponseOutparam.set(response_out, Ok(response))
    text = json.dumps(answer, ensure_ascii=False).encode()
    with body.write() as stream:
        # One write takes at most 4096 bytes.
        for start in range(0, len(text), 4096):
            stream.blocking_write_and_flush(text[start : start + 4096])
    OutgoingBody.finish(body, None)
