"""Is the history of one key linearizable: can each call be given a moment between its invocation and its answer?

The moments have to be such that a key which served one call at a time, in that order, would have answered the same
(Herlihy and Wing 1990). The search is theirs as Wing and Gong (1993) and Lowe (2017) have it: take one of the calls
that may be the next, perform it, go on; where no call can be the next, go back. Memory keeps it from going twice
through *configurations* (which calls have taken effect, and the key's value): the order that led to one is of no
consequence for the rest.

Remarks that make it fast without changing its verdict:

- A call may be next only if it was invoked before the first answer among the calls that are left. So a configuration
  is the first call that is left, the few later ones that are done, and the value.
- A Get that fits the value may take effect at once: it changes nothing, and is one condition less for later.
- A value that no Get returned, not even as a part, *wastes* what the key holds: no Get sees it before a put or a
  delete. How exactly it is wasted is of no consequence; and a write without an answer that could do nothing else need
  not have happened.
- Of several equal writes without an answer it suffices to try the one invoked first.
- `foresight.py`: a Get to come may have returned what can no longer be.

The search may end without a verdict; that is Unknown, and Unknown is not Linearizable.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from refimpl.entry import Append, Delete, Get, Operation, Put
from refimpl.foresight import Foresight
from refimpl.history import Call
from refimpl.sequential import Unseen, Value, Wasted, perform


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a search gives up: a number of configurations (some 200 bytes each), or seconds of processor time."""

    configurations: int = 2_000_000
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Linearizable:
    """`order` has every call that has an answer, and those without one that took effect, as they took effect."""

    order: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class NotLinearizable:
    """There is no such order: `configurations` were looked at, and there are no others."""

    configurations: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """The search reached its limit."""

    reason: str


Verdict = Linearizable | NotLinearizable | Unknown


def linearize(calls: Sequence[Call], start: Value = None, limit: Limit | None = None) -> Verdict:
    """The verdict on all calls of one key, whose value was `start` before the first of them."""
    assert len({call.operation.key for call in calls}) <= 1, "linearizability is decided key by key"
    return _Search(calls, limit or Limit()).run(start)


_Configuration = tuple[int, int, int, Value]
"""The first answered call that is left; which after it are done (bits); which unanswered are done (bits); the value."""


class _Search:
    def __init__(self, calls: Sequence[Call], limit: Limit) -> None:
        self._limit = limit
        self._answered: list[Call] = sorted(
            (call for call in calls if call.returned is not None), key=lambda call: call.invoked
        )
        self._answers = [call.returned or 0 for call in self._answered]
        seen = [call.response for call in self._answered if call.response is not None]
        self._unanswered = sorted(
            (call for call in calls if call.returned is None and _may_be_seen(call.operation, seen)),
            key=lambda call: call.invoked,
        )
        self._known: set[_Configuration] = set()
        self._foresight = Foresight(self._answered, self._unanswered)
        self._unread = [
            not isinstance(call.operation, Get) and not _may_be_seen(call.operation, seen) for call in self._answered
        ]

    def run(self, start: Value) -> Verdict:
        give_up_at = time.process_time() + self._limit.seconds
        first, path = self._settle((0, 0, 0, start))
        # One frame for each configuration on the way: the calls performed to get there, and where to go from there.
        frames: list[tuple[list[Call], Iterator[tuple[Call, _Configuration]]]] = [(path, self._next(first))]
        if self._is_complete(first):
            return Linearizable(tuple(path))
        while frames:
            step = next(frames[-1][1], None)
            if step is None:
                frames.pop()
                continue
            call, configuration = step
            configuration, settled = self._settle(configuration)
            if configuration in self._known or self._foresight.is_hopeless(*configuration):
                continue
            self._known.add(configuration)
            frames.append(([call, *settled], self._next(configuration)))
            if self._is_complete(configuration):
                return Linearizable(tuple(call for path, _ in frames for call in path))
            if len(self._known) >= self._limit.configurations:
                return Unknown(f"{len(self._known):,} configurations of {len(self._answered):,} calls and no end")
            if len(self._known) % 256 == 0 and time.process_time() > give_up_at:
                return Unknown(f"no end after {self._limit.seconds:g} s and {len(self._known):,} configurations")
        return NotLinearizable(len(self._known) + 1)

    def _is_complete(self, configuration: _Configuration) -> bool:
        return configuration[0] == len(self._answered)

    def _possible(self, first: int, done: int) -> tuple[list[int], int | None]:
        """The answered calls that may be next, and the first answer among those that are left (None: none is left)."""
        found: list[int] = []
        earliest: int | None = None
        offset = 0
        while True:
            left = ~(done >> offset)
            offset += (left & -left).bit_length() - 1
            place = first + offset
            if place >= len(self._answered):
                return found, earliest
            if earliest is not None and self._answered[place].invoked > earliest:
                return found, earliest
            found.append(place)
            earliest = self._answers[place] if earliest is None else min(earliest, self._answers[place])
            offset += 1

    def _settle(self, configuration: _Configuration) -> tuple[_Configuration, list[Call]]:
        """Let every call take effect that changes nothing and is one condition less: see above."""
        first, done, used, value = configuration
        settled: list[Call] = []
        while not isinstance(value, Unseen):  # such a Get would say what the value is: that is a choice
            fitting = [place for place in self._possible(first, done)[0] if self._fits(place, value)]
            if not fitting:
                break
            settled += [self._answered[place] for place in fitting]
            for place in fitting:
                done |= 1 << (place - first)
            first, done = _shifted(first, done)
        return (first, done, used, value), settled

    def _fits(self, place: int, value: Value) -> bool:
        call = self._answered[place]
        if isinstance(value, Wasted):
            return self._unread[place]
        return isinstance(call.operation, Get) and call.response == value

    def _next(self, configuration: _Configuration) -> Iterator[tuple[Call, _Configuration]]:
        first, done, used, value = configuration
        possible, earliest = self._possible(first, done)
        # Calls mostly take effect in the order of their answers; the right guess saves going back.
        for place in sorted(possible, key=self._answers.__getitem__):
            call = self._answered[place]
            can, after = perform(call.operation, call.response, value)
            if can:
                after = Wasted.WASTED if self._unread[place] else after
                yield call, (*_shifted(first, done | 1 << (place - first)), used, after)
        tried: set[Operation] = set()
        for number, call in enumerate(self._unanswered):
            if earliest is None or call.invoked > earliest:
                break
            if used >> number & 1 or call.operation in tried:
                continue
            tried.add(call.operation)
            _, after = perform(call.operation, None, value)
            if after != value:
                yield call, (first, done, used | 1 << number, after)


def _shifted(first: int, done: int) -> tuple[int, int]:
    """The same calls, counted from the first that is left."""
    steps = (~done & (done + 1)).bit_length() - 1
    return first + steps, done >> steps


def _may_be_seen(operation: Operation, seen: Sequence[str]) -> bool:
    match operation:
        case Put(_, value) | Append(_, value):
            return any(value in response for response in seen)
        case Delete():
            return True
        case Get():
            return False
