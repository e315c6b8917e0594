"""Run from the plugin's folder: PYTHONPATH=src python3 -m unittest discover tests"""

import unittest

from redaction import Settings, redact


class Redaction(unittest.TestCase):
    def test_e_mail_addresses_and_words_are_masked(self) -> None:
        settings = Settings(words=["Falcon", "Project Falcon"], mask="***")
        text, changed = redact("Ask ann.example@mail.example.com about project falcon.", settings)
        self.assertEqual((text, changed), ("Ask *** about ***.", 2))

    def test_only_whole_words_count(self) -> None:
        self.assertEqual(redact("falcons", Settings(words=["falcon"])), ("falcons", 0))

    def test_a_mask_is_no_pattern(self) -> None:
        self.assertEqual(redact("a@b.example", Settings(mask=r"\1")), (r"\1", 1))

    def test_addresses_may_stay(self) -> None:
        self.assertEqual(redact("a@b.example", Settings(emails=False)), ("a@b.example", 0))


if __name__ == "__main__":
    unittest.main()
