"""Everything that is left to chance, drawn from a seed: the same draws on every machine and every Python.

Each concern has a source of its own, named by a path ("network", "disk of s1"), so that a fault which is switched off
does not shift what happens elsewhere more than it has to.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

Choice = TypeVar("Choice")


class Chance:
    """A source of chance. All of it comes from Random.random, the one method whose numbers Python promises to keep."""

    __slots__ = ("_draw",)

    def __init__(self, seed: int, *path: object) -> None:
        # A text, not hash(): its seeding is the same in every process.
        self._draw = Random("/".join(map(str, (seed, *path)))).random

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return probability > 0 and self._draw() < probability

    def between(self, low: int, high: int) -> int:
        """A number from low to high, both included."""
        assert low <= high, f"no number lies between {low} and {high}"
        return low + int(self._draw() * (high - low + 1))

    def below(self, limit: int) -> int:
        """A number from 0 to below the limit, however large that is."""
        number = 0
        for _ in range(limit.bit_length() // 53 + 1):
            number = number << 53 | int(self._draw() * (1 << 53))
        return number % limit

    def around(self, mean: int) -> int:
        """A number from 1 to twice the mean."""
        return self.between(1, 2 * mean)

    def one_of(self, choices: Sequence[Choice]) -> Choice:
        return choices[int(self._draw() * len(choices))]
