"""A FrameX plugin, as for any FrameX instance. Nothing in it knows of the gateway."""

from collections.abc import AsyncGenerator

from framex.plugin import BasePlugin, PluginMetadata, on_register, on_request
from framex.utils import StreamEnventType, make_stream_event
from pydantic import BaseModel

__plugin_meta__ = PluginMetadata(
    name="glossary",
    version="1.0.0",
    description="Finds known words in a text and says what they mean",
    author="FrameX Gateway",
    url="",
)

MEANINGS = {
    "gateway": "one door in front of many services",
    "namespace": "a team's space in the gateway",
    "plugin": "an algorithm that is called through the gateway",
}


class Text(BaseModel):
    text: str


@on_register()
class GlossaryPlugin(BasePlugin):
    # FrameX serves it below /api/v1 and wraps what it returns: {"status": 200, "message": "success", "data": …}.
    @on_request("/glossary/define", methods=["GET"])
    async def define(self, word: str) -> dict[str, str | None]:
        return {"word": word, "meaning": MEANINGS.get(word.lower())}

    @on_request("/glossary/annotate", methods=["POST"])
    async def annotate(self, model: Text) -> list[dict[str, str]]:
        words = dict.fromkeys(word.strip(".,;:!?").lower() for word in model.text.split())
        return [{"word": word, "meaning": MEANINGS[word]} for word in words if word in MEANINGS]

    # With `stream=True` FrameX sends each event at once, as server-sent events.
    @on_request("/glossary/words", methods=["GET"], stream=True)
    async def words(self) -> AsyncGenerator[str, None]:
        for word in sorted(MEANINGS):
            yield make_stream_event(StreamEnventType.MESSAGE_CHUNK, word)
        yield make_stream_event(StreamEnventType.FINISH)
