"""A FrameX plugin that counts how often it was asked."""

from collections import Counter

from framex.plugin import BasePlugin, PluginMetadata, on_register, on_request
from pydantic import BaseModel

__plugin_meta__ = PluginMetadata(
    name="counted",
    version="1.0.0",
    description="Counts",
    author="FrameX Gateway",
    url="",
)

asked: Counter[str] = Counter()


class Wish(BaseModel):
    name: str
    size: int = 1


@on_register()
class CountedPlugin(BasePlugin):
    @on_request("/counted/get", methods=["GET"])
    async def get(self, name: str, size: int) -> dict[str, object]:
        asked[name] += 1
        return {"name": name, "size": size, "number": asked[name]}

    @on_request("/counted/post", methods=["POST"])
    async def post(self, wish: Wish) -> dict[str, object]:
        asked[wish.name] += 1
        return {"wish": wish.model_dump(), "number": asked[wish.name]}

    @on_request("/counted/fails", methods=["GET"])
    async def fails(self, name: str) -> dict[str, object]:
        from fastapi import HTTPException

        asked[name] += 1
        raise HTTPException(404, f"not the {asked[name]}. time")
