"""The driver's network: a multiset of messages, between the target's sends and the trace's deliveries."""

from __future__ import annotations

from collections.abc import Mapping

from traces.values import Map


class Network:
    """Messages on their way, with their copies (at least 1)."""

    def __init__(self) -> None:
        self._copies: dict[Map, int] = {}

    @property
    def copies(self) -> Mapping[Map, int]:
        return self._copies

    def copy(self) -> Network:
        """A network of its own with the same messages."""
        other = Network()
        other._copies = dict(self._copies)
        return other

    def put(self, message: Map) -> None:
        """One more copy."""
        self._copies[message] = self._copies.get(message, 0) + 1

    def take(self, message: Map) -> bool:
        """One copy less; False where there is none."""
        copies = self._copies.get(message, 0)
        if copies == 0:
            return False
        if copies == 1:
            del self._copies[message]
        else:
            self._copies[message] = copies - 1
        return True

    def __contains__(self, message: Map) -> bool:
        return message in self._copies
