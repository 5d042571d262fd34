"""Many concrete states as one symbolic state with an index: what they have in common stays constant."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import cast

from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.network import choose_message
from checker.symbolic.numbers import Number, less, number
from checker.symbolic.state import PendingRecord, Shape, Slot, SymbolicState
from checker.symbolic.values import Symbolic, choose
from spec.state import State
from spec.system import ProcessKind


def any_of(c: Circuit, shape: Shape, states: Sequence[State]) -> tuple[SymbolicState, Number, Bit]:
    """The state whose position in ``states`` is the index; the index; and whether it is a position."""
    last = len(states) - 1
    index = Number(tuple(c.input() for _ in range(last.bit_length())), 0, last) if last else number(0)
    layer = [shape.of_state(c, state) for state in states]
    for bit in index.bits if last else ():
        layer = [
            _either(c, shape, bit, layer[i + 1], layer[i]) if i + 1 < len(layer) else layer[i]
            for i in range(0, len(layer), 2)
        ]
    if not last:
        return layer[0], index, TRUE
    return layer[0], index, less(c, Number(index.bits, 0, (1 << len(index.bits)) - 1), number(len(states)))


def _either(c: Circuit, shape: Shape, bit: Bit, a: SymbolicState, b: SymbolicState) -> SymbolicState:
    def values(x: tuple[Symbolic, ...], y: tuple[Symbolic, ...]) -> tuple[Symbolic, ...]:
        return x if x is y else tuple(choose(c, bit, v, w) for v, w in zip(x, y, strict=True))

    return SymbolicState(
        memory=tuple(values(x, y) for x, y in zip(a.memory, b.memory, strict=True)),
        disk=tuple(None if x is None or y is None else values(x, y) for x, y in zip(a.disk, b.disk, strict=True)),
        pending=_either_pending(c, shape, bit, a.pending, b.pending),
        up=tuple(c.choose(bit, x, y) for x, y in zip(a.up, b.up, strict=True)),
        shared=values(a.shared, b.shared),
        ghosts=values(a.ghosts, b.ghosts),
        messages=tuple(_either_slot(c, bit, x, y) for x, y in zip_longest(a.messages, b.messages)),
        budgets=cast(tuple[Number, ...], values(a.budgets, b.budgets)),
    )


def _either_slot(c: Circuit, bit: Bit, a: Slot | None, b: Slot | None) -> Slot:
    """A slot that one of the states lacks is empty there."""
    if a is None or b is None:
        there = bit if b is None else bit ^ 1
        slot = cast(Slot, a or b)
        in_network, waiting = c.conjunction(slot.in_network, there), c.conjunction(slot.waiting, there)
        return Slot(slot.message, in_network, waiting, slot.stamp)
    return Slot(
        choose_message(c, bit, a.message, b.message),
        c.choose(bit, a.in_network, b.in_network),
        c.choose(bit, a.waiting, b.waiting),
        cast(Number, choose(c, bit, a.stamp, b.stamp)),
    )


def _either_pending(
    c: Circuit, shape: Shape, bit: Bit, a: tuple[PendingRecord, ...], b: tuple[PendingRecord, ...]
) -> tuple[PendingRecord, ...]:
    """A kind of process after the other: records of two kinds are of different sorts. Order matters within one."""

    def of(kind: ProcessKind, records: tuple[PendingRecord, ...]) -> list[PendingRecord]:
        return [r for r in records if any(k is kind and of != FALSE for k, of in zip(shape.kinds, r.of, strict=True))]

    kinds = shape.system.kinds
    pairs = (pair for kind in kinds for pair in zip_longest(of(kind, a), of(kind, b)))
    return tuple(_either_record(c, bit, x, y) for x, y in pairs)


def _either_record(c: Circuit, bit: Bit, a: PendingRecord | None, b: PendingRecord | None) -> PendingRecord:
    if a is None or b is None:
        there = bit if b is None else bit ^ 1
        record = cast(PendingRecord, a or b)
        return PendingRecord(tuple(c.conjunction(of, there) for of in record.of), record.record)
    return PendingRecord(
        tuple(c.choose(bit, x, y) for x, y in zip(a.of, b.of, strict=True)),
        tuple(choose(c, bit, x, y) for x, y in zip(a.record, b.record, strict=True)),
    )
