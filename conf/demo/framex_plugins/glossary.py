"""A FrameX plugin that knows what some words mean."""

from framex.plugin import BasePlugin, PluginMetadata, on_register, on_request

__plugin_meta__ = PluginMetadata(
    name="glossary",
    version="1.0.0",
    description="Says what a word means",
    author="FrameX Gateway",
    url="",
)

MEANINGS = {
    "gateway": "one door in front of many services",
    "namespace": "a team's space in the gateway",
    "plugin": "an algorithm that is called through the gateway",
}


@on_register()
class GlossaryPlugin(BasePlugin):
    @on_request("/glossary/define", methods=["GET"])
    async def define(self, word: str) -> dict[str, str | None]:
        return {"word": word, "meaning": MEANINGS.get(word.lower())}
