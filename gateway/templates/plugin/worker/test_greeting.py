"""Run from the plugin's folder: python3 -m unittest"""

import unittest

from greeting import greet


class Greeting(unittest.TestCase):
    def test_it_greets_by_name(self) -> None:
        self.assertEqual(greet("Hello", "Ada"), "Hello, Ada!")

    def test_without_a_name_it_greets_the_world(self) -> None:
        self.assertEqual(greet("Hello", " "), "Hello, world!")


if __name__ == "__main__":
    unittest.main()
