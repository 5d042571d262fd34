"""Operations on sequences: a length and slots. What is returned where an index is wrong is arbitrary."""

from __future__ import annotations

from typing import cast

from checker.symbolic.circuit import FALSE, Bit, Circuit
from checker.symbolic.numbers import Number, add, is_number, less, number, ranged, subtract
from checker.symbolic.values import Slots, Symbolic, choose, select


def element(c: Circuit, sequence: Slots, index: Number) -> tuple[Symbolic | None, Bit]:
    """The element at a 1-based index (None if there can be none), and whether the index is wrong."""
    wrong = c.disjunction(less(c, index, number(1)), less(c, sequence.length, index))
    places = range(max(1, index.low), min(sequence.length.high, index.high) + 1)
    if not places:
        return None, wrong
    return select(c, [(is_number(c, index, i), sequence.slots[i - 1]) for i in places]), wrong


def slice_of(c: Circuit, sequence: Slots, low: Number, high: Number) -> tuple[Slots, Bit]:
    """``sequence[low..high]``, and whether it is wrong."""
    empty = less(c, high, low)
    outside = c.disjunction(less(c, low, number(1)), less(c, sequence.length, high))
    wrong = c.conjunction(empty ^ 1, outside)
    capacity = min(sequence.length.high, high.high) - max(low.low, 1) + 1
    if capacity <= 0 or empty == 1:
        return Slots(number(0), ()), wrong
    length = ranged(add(c, subtract(c, high, low), number(1)), 1, capacity)
    length = ranged(cast(Number, choose(c, empty, number(0), length)), 0, capacity)
    firsts = range(max(low.low, 1), min(low.high, sequence.length.high) + 1)
    slots = []
    for j in range(capacity):
        places = [(is_number(c, low, i), sequence.slots[i - 1 + j]) for i in firsts if i - 1 + j < len(sequence.slots)]
        if not places:
            break
        slots.append(select(c, places))
    return Slots(ranged(length, 0, len(slots)), tuple(slots)), wrong


def concatenated(c: Circuit, left: Slots, right: Slots) -> Slots:
    if not right.slots or right.length.high == 0:
        return left
    length = add(c, left.length, right.length)
    slots = []
    for i in range(length.high):
        after = [
            (is_number(c, left.length, shift), right.slots[i - shift])
            for shift in range(left.length.low, min(i, left.length.high) + 1)
            if i - shift < len(right.slots)
        ]
        within = less(c, number(i), left.length) if i < len(left.slots) else FALSE
        if not after:
            slots.append(left.slots[i])
        elif within == FALSE:
            slots.append(select(c, after))
        else:
            slots.append(choose(c, within, left.slots[i], select(c, after)))
    return Slots(length, tuple(slots))
