"""Which configurations of a search for an order lead nowhere, because a Get to come returned what can no longer be.

Writes of a test have values that tell them apart, and none is the beginning of another. Then a value is written in one
way only, the calls that a Get's response was written by are known in advance, and they have to take effect one after
the other: a configuration in which one of them is done, and its part is not in the value, is hopeless. Without this a
search tries all orders of what was written at the same time. Where several wrote the same value, nothing is concluded
from who is done; where one value is the beginning of another, nothing is concluded at all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from refimpl.entry import Append, Delete, Get, Put
from refimpl.history import Call
from refimpl.sequential import Unseen, Value, Wasted

LOOK_AHEAD = 4
"""Gets. To look at more of them takes longer than it saves."""


class Foresight:
    """The calls of one search: those with an answer, and those without that may have taken effect, each as invoked."""

    def __init__(self, answered: Sequence[Call], unanswered: Sequence[Call]) -> None:
        self._answered = answered
        self._unanswered = unanswered
        self._gets = [place for place, call in enumerate(answered) if isinstance(call.operation, Get)]
        self._deletes = [place for place, call in enumerate(answered) if isinstance(call.operation, Delete)]
        self._unanswered_deletes = [
            number for number, call in enumerate(unanswered) if isinstance(call.operation, Delete)
        ]
        self._writers = _writers(answered, unanswered)
        self._lengths = sorted({len(written) for written in self._writers})
        self._taken_apart: dict[tuple[str, int], tuple[_Writer, ...] | None] = {}

    def is_hopeless(self, first: int, done: int, used: int, value: Value) -> bool:
        """Whether one of the next Gets of the configuration cannot come; False if that is not known."""
        if not self._writers:
            return False
        looked_at = 0
        for number in range(bisect_left(self._gets, first), len(self._gets)):
            place = self._gets[number]
            if done >> (place - first) & 1:
                continue
            if not self._can_come(place, first, done, used, value):
                return True
            looked_at += 1
            if looked_at == LOOK_AHEAD:
                break
        return False

    def _can_come(self, place: int, first: int, done: int, used: int, value: Value) -> bool:
        response, before = self._answered[place].response, self._answered[place].returned or 0
        if response is None:
            return value is None or value == Unseen() or self._can_be_deleted(before, first, done, used)
        if any(
            self._can_be_written(response, end, first, done, used) for end in _ends_of_value(response, value)
        ):
            return True
        anew = self._written_by(response, 0)
        if not anew or not self._can_be_written(response, 0, first, done, used):
            return False
        return anew[0].by_put or self._can_be_deleted(before, first, done, used)

    def _can_be_written(self, response: str, begin: int, first: int, done: int, used: int) -> bool:
        """Whether calls that are left may write what stands in the response from there on."""
        writers = self._written_by(response, begin)
        return writers is not None and not any(self._is_done(writer.call, first, done, used) for writer in writers)

    def _is_done(self, call: int | None, first: int, done: int, used: int) -> bool:
        if call is None:
            return False  # perhaps all who wrote it are done; that is not known
        if call < 0:
            return bool(used >> ~call & 1)
        return call < first or bool(done >> (call - first) & 1)

    def _can_be_deleted(self, before: int, first: int, done: int, used: int) -> bool:
        for number in range(bisect_left(self._deletes, first), len(self._deletes)):
            place = self._deletes[number]
            if self._answered[place].invoked > before:
                break
            if not done >> (place - first) & 1:
                return True
        return any(
            not used >> number & 1 and self._unanswered[number].invoked <= before
            for number in self._unanswered_deletes
        )

    def _written_by(self, response: str, begin: int) -> tuple[_Writer, ...] | None:
        """Who wrote the response from there on; None if nobody can have written it."""
        key = (response, begin)
        if key not in self._taken_apart:
            self._taken_apart[key] = self._take_apart(response, begin)
        return self._taken_apart[key]

    def _take_apart(self, response: str, offset: int) -> tuple[_Writer, ...] | None:
        writers: list[_Writer] = []
        while offset < len(response):
            possible = (response[offset : offset + length] for length in self._lengths)
            written = next((part for part in possible if part in self._writers), None)
            if written is None or (offset > 0 and not self._writers[written].by_append):
                return None
            writers.append(self._writers[written])
            offset += len(written)
        return tuple(writers)


def _ends_of_value(response: str, value: Value) -> Iterator[int]:
    """Where in the response that may end what the key holds now."""
    match value:
        case None:
            yield 0
        case str():
            if response.startswith(value):
                yield len(value)
        case Unseen(appended):
            begin = response.find(appended)
            while begin >= 0:
                yield begin + len(appended)
                begin = response.find(appended, begin + 1)
        case Wasted():
            pass


@dataclass(frozen=True, slots=True)
class _Writer:
    """Whose value it is: the answered call at a place, or the unanswered one at ~place; None if several wrote it."""

    call: int | None
    by_put: bool
    by_append: bool


def _writers(answered: Sequence[Call], unanswered: Sequence[Call]) -> dict[str, _Writer]:
    """By what is written: who wrote it. Empty if that does not say how a response was written."""
    writers: dict[str, _Writer] = {}
    for number, call in chain(enumerate(answered), ((~number, call) for number, call in enumerate(unanswered))):
        match call.operation:
            case Put(_, value):
                other = writers.get(value)
                writers[value] = _Writer(number if other is None else None, True, other is not None and other.by_append)
            case Append(_, value):
                other = writers.get(value)
                writers[value] = _Writer(number if other is None else None, other is not None and other.by_put, True)
            case Delete() | Get():
                pass
    # What begins with a value stands right behind it in this order, or something else that begins with it does.
    ordered = sorted(writers)
    return {} if "" in writers or any(after.startswith(value) for value, after in pairwise(ordered)) else writers
