"""Reads one symbolic state in many models at once, part by part: equal parts are built once.

The bits of a part are turned from one number per bit (a digit per model) into one string of digits per model, which is
what the part's values are remembered by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from checker.symbolic.choices import read_packed
from checker.symbolic.circuit import Bit
from checker.symbolic.decode import Placed, network_of, outboxes_of
from checker.symbolic.layout import ReadBit, raw_bits, read, read_number
from checker.symbolic.numbers import Number
from checker.symbolic.state import Shape, Slot, SymbolicState
from checker.symbolic.values import Symbolic
from spec.sorts import BOOL, Sort
from spec.state import State


def read_states(shape: Shape, state: SymbolicState, values: dict[Bit, int], models: int) -> list[State]:
    """The state in each of the models, in their order."""
    read_all = _Columns(values, models)
    sorts = [[variable.sort for variable in variables] for variables in shape.memory]
    durable = [[sorts[i][p] for p in shape.durable[kind.name]] for i, kind in enumerate(shape.kinds)]
    memory = [read_all.row(values_, of) for values_, of in zip(state.memory, sorts, strict=True)]
    disk = [
        [None] * models if record is None else read_all.row(record, of)
        for record, of in zip(state.disk, durable, strict=True)
    ]
    pending = [read_all.part(*_pending(state, i, of)) for i, of in enumerate(durable)]
    shared = read_all.row(state.shared, [v.sort for v in shape.shared])
    ghosts = read_all.row(state.ghosts, [v.sort for v in shape.ghosts])
    budgets = read_all.row_of([_number(b) for b in state.budgets])
    up = read_all.row_of([_value(b, BOOL) for b in state.up])
    messages = read_all.row_of([_slot(shape, slot) for slot in state.messages])
    networks: dict[Any, Any] = {}
    result = []
    for at in range(models):
        there = messages[at]
        if there not in networks:
            networks[there] = (outboxes_of(shape, there), network_of(shape, there))
        outbox, network = networks[there]
        result.append(
            State(
                memory=tuple(column[at] for column in memory),
                disk=tuple(column[at] for column in disk),
                pending=tuple(column[at] for column in pending),
                outbox=outbox,
                up=up[at],
                shared=shared[at],
                ghosts=ghosts[at],
                network=network,
                budgets=budgets[at],
            )
        )
    return result


Part = tuple[tuple[Bit, ...], Callable[[ReadBit], Any]]
"""The bits that a part depends on, and how to build it from them."""


def _pending(state: SymbolicState, process: int, sorts: list[Sort]) -> Part:
    records = [r for r in state.pending if r.of[process]]

    def build(bit: ReadBit) -> Any:
        written = [r.record for r in records if bit(r.of[process])]
        return tuple(tuple(read(v, of, bit) for v, of in zip(record, sorts, strict=True)) for record in written)

    bits = [b for r in records for b in (r.of[process], *(b for value in r.record for b in raw_bits(value)))]
    return tuple(bits), build


class _Columns:
    def __init__(self, values: dict[Bit, int], models: int) -> None:
        self.values = values
        self.models = models
        self.digits: dict[Bit, str] = {}

    def row(self, values: tuple[Symbolic, ...], sorts: list[Sort]) -> list[tuple[Any, ...]]:
        return self.row_of([_value(value, of) for value, of in zip(values, sorts, strict=True)])

    def row_of(self, parts: list[Part]) -> list[tuple[Any, ...]]:
        """A tuple of these parts, in each model."""
        if not parts:
            return [()] * self.models
        return list(zip(*(self.part(bits, build) for bits, build in parts), strict=True))

    def part(self, bits: tuple[Bit, ...], build: Callable[[ReadBit], Any]) -> list[Any]:
        """What the part is in each model."""
        free = sorted({bit for bit in bits if bit > 1})
        if not free:
            return [build(bool)] * self.models
        known: dict[tuple[str, ...], Any] = {}
        column = []
        for key in zip(*(self._digits(bit) for bit in free), strict=True):
            if key not in known:
                known[key] = build(_digit_reader(dict(zip(free, key, strict=True))))
            column.append(known[key])
        return column

    def _digits(self, bit: Bit) -> str:
        """A digit per model, the first model's first."""
        text = self.digits.get(bit)
        if text is None:
            text = self.digits[bit] = f"{self.values[bit]:0{self.models}b}"[::-1]
        return text


def _value(value: Symbolic, sort: Sort) -> Part:
    return raw_bits(value), lambda bit: read(value, sort, bit)


def _number(value: Number) -> Part:
    return value.bits, lambda bit: read_number(value, bit)


def _slot(shape: Shape, slot: Slot) -> Part:
    def build(bit: ReadBit) -> Placed:
        there = bit(slot.in_network), bit(slot.waiting)
        stamp = read_number(slot.stamp, bit) if shape.fifo else 0
        return (*there, stamp, read_packed(shape, slot.message, bit) if any(there) else None)

    return (slot.in_network, slot.waiting, *slot.stamp.bits, *slot.message.bits()), build


def _digit_reader(digits: dict[Bit, str]) -> ReadBit:
    return lambda bit: bit == 1 if bit <= 1 else digits[bit] == "1"
