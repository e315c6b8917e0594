"""A FrameX plugin that calls what another process has."""

from typing import Any

from framex.plugin import BasePlugin, PluginMetadata, on_register, on_request

__plugin_meta__ = PluginMetadata(
    name="asker",
    version="1.0.0",
    description="Asks",
    author="FrameX Gateway",
    url="",
    required_remote_apis=[
        "/api/v1/answers/double",
        "/api/v1/answers/describe",
        "/api/v1/answers/count",
        "answerer.AnswererPlugin.add",
        "answerer.AnswererPlugin.hidden",
    ],
)


@on_register()
class AskerPlugin(BasePlugin):
    @on_request("/asker/api", methods=["GET"])
    async def api(self) -> Any:
        doubled = await self._call_remote_api("/api/v1/answers/double", number=21)
        described = await self._call_remote_api("/api/v1/answers/describe", thing={"name": "door", "size": 2})
        counted = await self._call_remote_api("/api/v1/answers/count")
        return {"doubled": doubled, "described": described, "counted": counted}

    @on_request("/asker/function", methods=["GET"])
    async def function(self) -> Any:
        return await self._call_remote_api("answerer.AnswererPlugin.add", one=1, thing={"name": "door", "size": 2})

    @on_request("/asker/hidden", methods=["GET"])
    async def hidden(self) -> Any:
        return await self._call_remote_api("answerer.AnswererPlugin.hidden")
