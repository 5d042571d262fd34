"""The network: which messages can be picked, and the bounds on how many there are."""

from __future__ import annotations

from collections.abc import Sequence

from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.numbers import Number, count, less, less_equal, number
from checker.symbolic.state import Packed, Slot
from checker.symbolic.values import Atom, equal
from spec.system import Bounds, NetworkKind


def same_message(c: Circuit, a: Packed, b: Packed) -> Bit:
    return c.every(c.same(x, y) for x, y in zip(a.bits(), b.bits(), strict=True))


def choose_message(c: Circuit, condition: Bit, a: Packed, b: Packed) -> Packed:
    if a is b:
        return a

    def mixed(x: tuple[Bit, ...], y: tuple[Bit, ...]) -> tuple[Bit, ...]:
        return tuple(c.choose(condition, v, w) for v, w in zip(x, y, strict=True))

    return Packed(
        Number(mixed(a.type.bits, b.type.bits), a.type.low, a.type.high),
        Atom(mixed(a.source.bits, b.source.bits), a.source.elements),
        Atom(mixed(a.destination.bits, b.destination.bits), a.destination.elements),
        mixed(a.payload, b.payload),
    )


def first_copies(c: Circuit, slots: Sequence[Slot], there: Sequence[Bit]) -> list[Bit]:
    """Of the slots that are ``there``, the first of each message."""
    result: list[Bit] = []
    for j, slot in enumerate(slots):
        bit = there[j]
        for i in range(j):
            if bit == FALSE:
                break
            if there[i] != FALSE:
                bit = c.conjunction(bit, c.conjunction(there[i], same_message(c, slots[i].message, slot.message)) ^ 1)
        result.append(bit)
    return result


def deliverable(c: Circuit, kind: NetworkKind, slots: Sequence[Slot]) -> list[Bit]:
    """Which slots a delivery, a loss or a duplication may pick: one per message, in a fifo network the heads."""
    there = [slot.in_network for slot in slots]
    if kind is not NetworkKind.FIFO:
        return first_copies(c, slots, there)
    result: list[Bit] = []
    for j, slot in enumerate(slots):
        bit = there[j]
        for i, other in enumerate(slots):
            if i == j or bit == FALSE or there[i] == FALSE:
                continue
            pair = c.conjunction(
                equal(c, slot.message.source, other.message.source),
                equal(c, slot.message.destination, other.message.destination),
            )
            # Two slots with one stamp are an original and its duplicate: which of them is first does not matter.
            before = less(c, slot.stamp, other.stamp) ^ 1 if i < j else less(c, other.stamp, slot.stamp)
            bit = c.conjunction(bit, c.every((there[i], pair, before)) ^ 1)
        result.append(bit)
    return result


def within_bounds(c: Circuit, kind: NetworkKind, bounds: Bounds, slots: Sequence[Slot], old: int) -> Bit:
    """max_in_flight and max_copies, of the network together with the outboxes. Of the first ``old`` slots it is known
    that they are within the bounds."""
    if bounds.in_flight is None and bounds.copies is None:
        return TRUE
    there = [slot.in_network for slot in slots]
    if kind is NetworkKind.SET:
        there = first_copies(c, slots, there)
    result = TRUE
    if bounds.in_flight is not None:
        total = count(c, [bit for bit in (*there, *(slot.waiting for slot in slots)) if bit != FALSE])
        result = less_equal(c, total, number(bounds.in_flight))
    if bounds.copies is not None:
        live = [c.disjunction(bit, slot.waiting) for bit, slot in zip(there, slots, strict=True)]
        for j in range(old, len(slots)):
            same = [
                c.conjunction(live[i], same_message(c, slots[i].message, slots[j].message))
                for i in range(j)
                if live[j] != FALSE and live[i] != FALSE
            ]
            crowded = less(c, number(bounds.copies - 1), count(c, [bit for bit in same if bit != FALSE]))
            result = c.conjunction(result, c.conjunction(live[j], crowded) ^ 1)
    return result
