"""What the plugin does, in plain Python: no HTTP, so that it is tested like any other module."""

import re
from dataclasses import dataclass, field

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")


@dataclass(frozen=True)
class Settings:
    """The plugin's configuration; `config_schema` in plugin.yaml describes the same keys for the operator."""

    words: list[str] = field(default_factory=list)
    emails: bool = True
    mask: str = "[redacted]"


def redact(text: str, settings: Settings) -> tuple[str, int]:
    """The text without what nobody should read, and how many places were changed."""
    changed = 0
    if settings.emails:
        text, count = EMAIL.subn(lambda _: settings.mask, text)
        changed += count
    if settings.words:
        # Longest first, so that "Anna Smith" is not left as "[redacted] Smith" when "Anna" is a word, too.
        words = sorted(settings.words, key=len, reverse=True)
        pattern = re.compile(r"\b(" + "|".join(map(re.escape, words)) + r")\b", re.IGNORECASE)
        text, count = pattern.subn(lambda _: settings.mask, text)
        changed += count
    return text, changed
