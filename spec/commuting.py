"""Runs up to commuting: two are the same if one becomes the other by exchanging neighbours that are independent.

A class of such runs is a trace of Mazurkiewicz: what it fixes is the order of each two dependent labels. It is
represented by its lexicographically least member. Comparing neighbours is not enough to find that: where x depends on
none of a < b but a and b on each other, x sorts between them or not, and a word that no exchange of neighbours makes
smaller need not be the least. So it is built from the front, always with the least label that nothing before it holds.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, TypeVar

from spec.independence import Independence
from spec.state import Label
from spec.values import order_key

Run = TypeVar("Run", bound=Hashable)


class Commuting:
    """The classes of one system's runs."""

    def __init__(self, independence: Independence) -> None:
        self.independence = independence
        self._order: dict[Label, Any] = {}
        self._least: dict[tuple[Label, ...], tuple[Label, ...]] = {}

    def least(self, labels: tuple[Label, ...]) -> tuple[Label, ...]:
        """The lexicographically least run of the class."""
        if labels not in self._least:
            self._least[labels] = self._sorted(labels)
        return self._least[labels]

    def order(self, label: Label) -> Any:
        """Labels are ordered by rule, process, arguments and message."""
        if label not in self._order:
            self._order[label] = order_key(tuple(label))
        return self._order[label]

    def _sorted(self, labels: tuple[Label, ...]) -> tuple[Label, ...]:
        independent = self.independence.independent
        rest, found = list(labels), []
        while rest:
            free = [
                position
                for position, label in enumerate(rest)
                if all(independent(earlier, label) for earlier in rest[:position])
            ]
            first = min(free, key=lambda position: self.order(rest[position]))
            found.append(rest.pop(first))
        return tuple(found)


def classes(
    commuting: Commuting, runs: Iterable[tuple[Run, tuple[Label, ...]]]
) -> dict[tuple[Run, tuple[Label, ...]], list[tuple[Label, ...]]]:
    """Runs, each with where it starts, by their start and the least run of their class: the members that are there,
    the least of them first."""
    found: dict[tuple[Run, tuple[Label, ...]], list[tuple[Label, ...]]] = {}
    for start, labels in runs:
        found.setdefault((start, commuting.least(labels)), []).append(labels)
    for members in found.values():
        members.sort(key=lambda labels: [commuting.order(label) for label in labels])
    return found


__all__ = ["Commuting", "classes"]
