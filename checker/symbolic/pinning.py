"""A symbolic state with what is known in the place of what was computed: equal where it fits, and later steps fold."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from checker.completing.typed import Incomplete, NotOfSort, typed
from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.known import BUDGETS, UNKNOWN, known_part
from checker.symbolic.numbers import Number
from checker.symbolic.state import PendingRecord, Shape, Slot, SymbolicState
from checker.symbolic.values import Symbolic, constant, is_atom
from spec.sorts import BOOL, IntSort, Sort
from spec.state import Bag, Message
from traces.partial import PartialState
from traces.values import Map, Value

MANY = 100
"""Copies of a message: more are not put in the place of what is computed, for each is a slot."""


class Pinning:
    """What is known in full of one state; what is known in part, or is no value of its sort, stays as computed."""

    def __init__(self, c: Circuit, shape: Shape, known: PartialState) -> None:
        self.c, self.shape, self.given = c, shape, known.variables

    def of(self, state: SymbolicState) -> SymbolicState:
        shape = self.shape
        memory = [
            tuple(
                self._value(variable.sort, self._part(variable.name, process), value)
                for variable, value in zip(shape.memory[i], state.memory[i], strict=True)
            )
            for i, process in enumerate(shape.processes)
        ]
        return replace(
            state,
            memory=tuple(memory),
            disk=tuple(self._record(i, record) for i, record in enumerate(state.disk)),
            pending=self._pending(state.pending),
            up=tuple(
                cast(Bit, self._value(BOOL, self._part("up", process), up))
                for process, up in zip(shape.processes, state.up, strict=True)
            ),
            shared=tuple(
                self._value(variable.sort, self.given.get(variable.name, UNKNOWN), value)
                for variable, value in zip(shape.shared, state.shared, strict=True)
            ),
            ghosts=tuple(
                self._value(variable.sort, self._part("ghosts", variable.name), value)
                for variable, value in zip(shape.ghosts, state.ghosts, strict=True)
            ),
            messages=self._messages(state.messages),
            budgets=tuple(
                cast(Number, self._value(IntSort(0, limit), self._part("budgets", BUDGETS[rule]), spent))
                for (rule, limit), spent in zip(shape.budgets, state.budgets, strict=True)
            ),
        )

    def _part(self, name: str, of: str) -> Value:
        return known_part(self.given, name, of)

    def _value(self, sort: Sort, known: Value, computed: Symbolic) -> Symbolic:
        try:
            return constant(typed(sort, known), sort)
        except (NotOfSort, Incomplete):
            return computed

    def _record(self, process: int, record: tuple[Symbolic, ...] | None) -> tuple[Symbolic, ...] | None:
        known = self._part("disk", self.shape.processes[process])
        if record is None or not isinstance(known, Map):
            return record
        variables = self.shape.durable_variables(process)
        return tuple(
            self._value(variable.sort, known.get(variable.name, UNKNOWN), value)
            for variable, value in zip(variables, record, strict=True)
        )

    def _pending(self, computed: tuple[PendingRecord, ...]) -> tuple[PendingRecord, ...]:
        """Process by process: the records of one are computed, or known."""
        shape, pinned = self.shape, []
        for i, (process, kind) in enumerate(zip(shape.processes, shape.kinds, strict=True)):
            if kind.has_storage:
                try:
                    known = [self._known_record(i, r) for r in _sequence(self._part("pending", process))]
                except (NotOfSort, Incomplete):
                    continue
                others = [PendingRecord((*r.of[:i], FALSE, *r.of[i + 1 :]), r.record) for r in computed]
                computed = tuple(r for r in others if any(bit != FALSE for bit in r.of))
                here = tuple(TRUE if j == i else FALSE for j in range(len(shape.processes)))
                pinned += [PendingRecord(here, record) for record in known]
        return (*computed, *pinned)

    def _known_record(self, process: int, known: Value) -> tuple[Symbolic, ...]:
        variables = self.shape.durable_variables(process)
        values = _fields(known, [v.name for v in variables])
        return tuple(constant(typed(v.sort, value), v.sort) for v, value in zip(variables, values, strict=True))

    def _messages(self, computed: tuple[Slot, ...]) -> tuple[Slot, ...]:
        """The network, and each outbox: computed, or known. It ends the row of slots of messages that are long gone."""
        c, shape = self.c, self.shape
        network: Bag = frozenset()
        try:
            network = self._known_network()
            computed = tuple(replace(slot, in_network=FALSE) for slot in computed)
        except (NotOfSort, Incomplete):
            pass
        outboxes: list[tuple[Message, ...]] = []
        for process, kind in zip(shape.processes, shape.kinds, strict=True):
            if kind.has_storage:
                try:
                    outboxes.append(tuple(self._message(m) for m in _sequence(self._part("outbox", process))))
                except (NotOfSort, Incomplete):
                    continue
                computed = tuple(
                    replace(slot, waiting=c.conjunction(slot.waiting, is_atom(c, slot.message.source, process) ^ 1))
                    for slot in computed
                )
        left = (slot for slot in computed if slot.in_network != FALSE or slot.waiting != FALSE)
        return (*left, *shape.slots(c, network, tuple(outboxes)))

    def _known_network(self) -> Bag:
        word = "position" if self.shape.fifo else "copies"
        entries = [_fields(entry, ["message", word]) for entry in _sequence(self.given.get("network", UNKNOWN))]
        return frozenset((self._message(message), typed(IntSort(1, MANY), number)) for message, number in entries)

    def _message(self, known: Value) -> Message:
        if not isinstance(known, Map) or not isinstance(known.get("type"), str):
            raise Incomplete
        sort = next((sort for sort in self.shape.system.messages if sort.name == known["type"]), None)
        if sort is None:
            raise Incomplete
        message: Message = typed(sort, known)
        return message


def _sequence(known: Value) -> tuple[Value, ...]:
    if not isinstance(known, tuple):
        raise Incomplete
    return known


def _fields(known: Value, names: list[str]) -> list[Value]:
    if not isinstance(known, Map) or known.keys() != set(names):
        raise Incomplete
    return [known[name] for name in names]
