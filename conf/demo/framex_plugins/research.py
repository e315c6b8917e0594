"""A FrameX plugin that calls another plugin, streams, and fails on request."""

import asyncio
from collections.abc import AsyncGenerator

from framex.plugin import BasePlugin, PluginMetadata, on_register, on_request
from framex.utils import StreamEnventType, make_stream_event
from pydantic import BaseModel

__plugin_meta__ = PluginMetadata(
    name="research",
    version="1.0.0",
    description="Answers questions with the help of the glossary",
    author="FrameX Gateway",
    url="",
    required_remote_apis=["/api/v1/glossary/define"],
)


class Question(BaseModel):
    topic: str
    words: list[str]


@on_register()
class ResearchPlugin(BasePlugin):
    @on_request("/research/ask", methods=["POST"])
    async def ask(self, question: Question) -> dict[str, object]:
        """Looks every word up with the glossary plugin."""
        found = [await self._call_remote_api("/api/v1/glossary/define", word=word) for word in question.words]
        return {"topic": question.topic, "found": found}

    @on_request("/research/stream", methods=["GET"], stream=True)
    async def stream(self, topic: str, pause: float) -> AsyncGenerator[str, None]:
        """Sends three thoughts as server-sent events, `pause` seconds apart."""
        for number, thought in enumerate(["what is", "where is", "why is"]):
            if number > 0:
                await asyncio.sleep(pause)
            yield make_stream_event(StreamEnventType.MESSAGE_CHUNK, f"{thought} {topic}?")
        yield make_stream_event(StreamEnventType.FINISH)

    @on_request("/research/crash", methods=["GET"])
    async def crash(self, reason: str) -> str:
        """FrameX answers 500 and then closes the connection without saying so."""
        raise RuntimeError(reason)
