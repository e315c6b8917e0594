"""The plugin's HTTP side.

`wit_world` and `componentize_py_types` are made from `wit/plugin.wit` when the component is built. The build runs this module
once and keeps what it left in memory: nothing that depends on where the plugin runs (environment, time, chance) may be asked
for at the top of a module.
"""

import json
from urllib.parse import parse_qs, urlsplit

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.environment import get_environment
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Get,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

from greeting import greet


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        if not isinstance(request.method(), Method_Get):
            respond(response_out, 405, {"error": "use GET"})
            return
        query = parse_qs(urlsplit(request.path_with_query() or "/").query)
        name = query.get("name", ["world"])[0]
        respond(response_out, 200, {"greeting": greet(configuration()["greeting"], name)})


def configuration() -> dict:
    """What the operator configured. The gateway has checked it against `config_schema` and filled in the defaults."""
    return json.loads(dict(get_environment()).get("FRAMEX_PLUGIN_CONFIG", '{"greeting": "Hello"}'))


def respond(response_out: ResponseOutparam, status: int, answer: object) -> None:
    response = OutgoingResponse(Fields.from_list([("content-type", b"application/json")]))
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
