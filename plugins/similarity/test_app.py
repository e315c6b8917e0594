"""Run where numpy is installed: python3 -m unittest"""

import unittest

from app import Refused, nearest


class Nearest(unittest.TestCase):
    def test_the_most_similar_comes_first(self) -> None:
        found = nearest([1, 0], [[0, 1], [2, 0], [1, 1], [0, 0]], 3)
        self.assertEqual([one["index"] for one in found], [1, 2, 0])
        self.assertEqual([one["similarity"] for one in found], [1.0, 0.707107, 0.0])

    def test_vectors_of_other_lengths_are_refused(self) -> None:
        for vectors in ([[1, 2, 3]], [[1, 2], [1]], ["ab"], 7):
            with self.assertRaises(Refused):
                nearest([1, 0], vectors, 1)


if __name__ == "__main__":
    unittest.main()
