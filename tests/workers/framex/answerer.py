"""A FrameX plugin that is called from another process."""

from collections.abc import AsyncGenerator

from framex.plugin import BasePlugin, PluginMetadata, on_register, on_request
from framex.plugin.model import ApiType
from framex.utils import StreamEnventType, make_stream_event
from pydantic import BaseModel

__plugin_meta__ = PluginMetadata(
    name="answerer", version="1.0.0", description="Answers", author="FrameX Gateway", url="", required_remote_apis=[]
)


class Thing(BaseModel):
    name: str
    size: int = 1


@on_register()
class AnswererPlugin(BasePlugin):
    @on_request("/answers/double", methods=["GET"])
    async def double(self, number: int) -> int:
        return number * 2

    @on_request("/answers/describe", methods=["POST"])
    async def describe(self, thing: Thing) -> str:
        return f"{thing.name} of size {thing.size}"

    @on_request("/answers/count", methods=["GET"], stream=True)
    async def count(self) -> AsyncGenerator[str, None]:
        for number in range(2):
            yield make_stream_event(StreamEnventType.MESSAGE_CHUNK, str(number))

    @on_request(call_type=ApiType.FUNC)
    async def add(self, one: int, thing: Thing) -> dict[str, object]:
        return {"sum": one + thing.size, "thing": thing}

    @on_request(call_type=ApiType.FUNC)
    async def hidden(self) -> str:
        return "nobody is told"
