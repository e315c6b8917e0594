"""Run where framex-kit is installed: python3 -m unittest"""

import unittest

from glossary import GlossaryPlugin, Text


class Glossary(unittest.IsolatedAsyncioTestCase):
    async def test_known_words_are_found_once_each(self) -> None:
        plugin = GlossaryPlugin()
        found = await plugin.annotate(Text(text="A Gateway, a plugin; the gateway."))
        self.assertEqual([one["word"] for one in found], ["gateway", "plugin"])

    async def test_an_unknown_word_has_no_meaning(self) -> None:
        self.assertEqual(await GlossaryPlugin().define("door"), {"word": "door", "meaning": None})


if __name__ == "__main__":
    unittest.main()
