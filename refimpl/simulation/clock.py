"""The virtual clock: events in the order in which they are due. Time passes only by going on to the next of them."""

from __future__ import annotations

from heapq import heappop, heappush

from refimpl.simulation.events import Event

MICROSECOND = 1
MILLISECOND = 1_000
SECOND = 1_000_000


class Clock:
    """`now` is in microseconds since the start."""

    __slots__ = ("_due", "_planned", "now")

    def __init__(self) -> None:
        self.now = 0
        self._due: list[tuple[int, int, Event]] = []
        self._planned = 0

    def plan(self, delay: int, event: Event) -> None:
        """Let the event be due this many microseconds from now; of two at one time the first planned comes first."""
        self._planned += 1
        heappush(self._due, (self.now + delay, self._planned, event))

    def next(self) -> Event:
        """Go on to the next event. There always is one: the timers of servers and clients are planned for ever."""
        assert self._due, "a cluster always waits for something"
        self.now, _, event = heappop(self._due)
        return event
