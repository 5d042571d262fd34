"""An arbitrary state: free bits, and the condition that they stand for a state that could be.

What every run of every system keeps is part of that condition: values lie in their sorts; the newest record is what is
in memory; two records in a row differ; a message waits only where something is pending; a process that is down has
nothing pending and the memory of a crash. Nothing else is known of the state.

Of unflushed records it has at most ``max_pending``; of messages as many as it is given room for. Whoever uses it must
know that more messages cannot matter: see ``induction.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from checker.symbolic.choices import proper
from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.layout import size, unpack, well_formed
from checker.symbolic.numbers import number
from checker.symbolic.state import Packed, PendingRecord, Shape, Slot, SymbolicState
from checker.symbolic.storage import durable_of, has_pending, sender_acts
from checker.symbolic.values import Atom, Symbolic, choose, constant, equal, is_atom
from spec.sorts import MessageSort, Sort
from spec.system import Storage, StorageMode, Variable


@dataclass(frozen=True, slots=True)
class Place:
    """Room for a message. ``message``: its type, None: any. ``destination``: to whom, if that is given. ``certain``: it
    is in the network; otherwise it may be there, wait in an outbox, or be no message at all."""

    message: str | None
    destination: str | None = None
    certain: bool = False


def arbitrary_state(c: Circuit, shape: Shape, places: Sequence[Place]) -> tuple[SymbolicState, Bit]:
    """The state, and the condition that it is one; its messages are at the places, in this order."""
    return _Builder(c, shape).build(places)


class _Builder:
    def __init__(self, c: Circuit, shape: Shape) -> None:
        self.c = c
        self.shape = shape
        self.buffered = shape.system.storage is StorageMode.BUFFERED
        self.conditions: list[Bit] = []

    def build(self, places: Sequence[Place]) -> tuple[SymbolicState, Bit]:
        c, shape = self.c, self.shape
        memory = tuple(self._values(variables) for variables in shape.memory)
        up = tuple(c.input() if kind.crashes else TRUE for kind in shape.kinds)
        state = SymbolicState(
            memory=memory,
            disk=(None,) * len(memory),
            pending=(),
            up=up,
            shared=self._values(shape.shared),
            ghosts=self._values(shape.ghosts),
            messages=(),
            budgets=tuple(number(0) for _ in shape.budgets),
        )
        disks, pending = self._storage(state)
        state = replace(state, disk=disks, pending=pending)
        state = replace(state, messages=tuple(self._slot(state, place) for place in places))
        self._crashed(state)
        return state, c.every(self.conditions)

    def _values(self, variables: Sequence[Variable]) -> tuple[Symbolic, ...]:
        return tuple(self._value(variable.sort) for variable in variables)

    def _value(self, sort: Sort) -> Symbolic:
        value = unpack(tuple(self.c.input() for _ in range(size(sort))), sort)
        self.conditions.append(well_formed(self.c, value, sort))
        return value

    # -------------------------------------------------------------------------------------- storage

    def _storage(
        self, state: SymbolicState
    ) -> tuple[tuple[tuple[Symbolic, ...] | None, ...], tuple[PendingRecord, ...]]:
        c, shape = self.c, self.shape
        disks: list[tuple[Symbolic, ...] | None] = []
        pending: list[PendingRecord] = []
        for i, kind in enumerate(shape.kinds):
            newest = durable_of(shape, state, i) if kind.has_storage else None
            if newest is None or not self.buffered:
                disks.append(newest)
                continue
            bound = shape.system.bounds.pending
            assert bound is not None, "an arbitrary state has a bounded number of pending records"
            exists = [c.input() for _ in range(bound)] + [FALSE]
            variables = [shape.memory[i][position] for position in shape.durable[kind.name]]
            # Of n pending records, and the disk before them, the last is what is in memory.
            records = []
            for later in exists:
                older = tuple(self._value(variable.sort) for variable in variables) if later != FALSE else newest
                records.append(tuple(choose(c, later, a, b) for a, b in zip(older, newest, strict=True)))
            for position, there in enumerate(exists[:-1]):
                before, after = records[position], records[position + 1]
                same = c.every(equal(c, a, b) for a, b in zip(before, after, strict=True))
                self.conditions.append(c.implies(there, same ^ 1))
                self.conditions.append(c.implies(exists[position + 1], there))
                of = tuple(there if j == i else FALSE for j in range(len(shape.kinds)))
                pending.append(PendingRecord(of, after, position + 1))
            disks.append(records[0])
        return tuple(disks), tuple(pending)

    def _crashed(self, state: SymbolicState) -> None:
        """A process that is down has what its crash has left it."""
        c, shape = self.c, self.shape
        for i, kind in enumerate(shape.kinds):
            if not kind.crashes:
                continue
            kept = [has_pending(c, state, i) ^ 1]
            own = kind.sort.elements.index(shape.processes[i])
            for variable, value in zip(shape.memory[i], state.memory[i], strict=True):
                if variable.storage is Storage.VOLATILE:
                    kept.append(equal(c, value, constant(variable.initial[own], variable.sort)))
            self.conditions.append(c.disjunction(state.up[i], c.every(kept)))

    # -------------------------------------------------------------------------------------- network

    def _slot(self, state: SymbolicState, place: Place) -> Slot:
        c, shape = self.c, self.shape
        packed = self._message(place)
        if place.certain:
            return Slot(packed, TRUE, FALSE, number(0))
        in_network = c.input()
        waiting = c.input() if self.buffered else FALSE
        slot = Slot(packed, in_network, waiting, number(0))
        self.conditions.append(c.conjunction(in_network, waiting) ^ 1)
        for i, kind in enumerate(shape.kinds):
            if waiting != FALSE:
                mine = tuple(TRUE if j == i else FALSE for j in range(len(shape.kinds)))
                waits = has_pending(c, state, i) if kind.has_storage else FALSE
                owns = c.conjunction(waiting, sender_acts(c, shape, mine, slot))
                self.conditions.append(c.implies(owns, waits))
        return slot

    def _message(self, place: Place) -> Packed:
        c, shape = self.c, self.shape
        sorts = [sort for sort in shape.system.messages if place.message in (None, sort.name)]
        width = (len(shape.types) - 1).bit_length()
        if len(sorts) == 1:
            position = shape.types[sorts[0].name]
            type_ = shape.type_number(tuple((position >> i) & 1 for i in range(width)))
        else:
            type_ = shape.type_number(tuple(c.input() for _ in range(width)))
            self.conditions.append(c.some(self._is(type_.bits, shape.types[sort.name]) for sort in sorts))
        used = max(sum(size(of) for _, of in sort.fields) for sort in sorts)
        payload = tuple(c.input() if i < used else FALSE for i in range(shape.payload))
        packed = Packed(type_, self._process(None), self._process(place.destination), payload)
        for sort in sorts:
            wrong = self._is(type_.bits, shape.types[sort.name]) ^ 1 if len(sorts) > 1 else FALSE
            self.conditions.append(c.disjunction(wrong, self._well_formed(packed, sort)))
        return packed

    def _process(self, name: str | None) -> Atom:
        processes = self.shape.processes
        width = (len(processes) - 1).bit_length()
        if name is None:
            return Atom(tuple(self.c.input() for _ in range(width)), processes)
        position = processes.index(name)
        return Atom(tuple((position >> i) & 1 for i in range(width)), processes)

    def _is(self, bits: tuple[Bit, ...], position: int) -> Bit:
        return self.c.every(bit ^ 1 ^ ((position >> i) & 1) for i, bit in enumerate(bits))

    def _well_formed(self, packed: Packed, sort: MessageSort) -> Bit:
        """Canonical too: two slots hold one message iff their bits are the same."""
        c = self.c
        conditions = []
        for who, of in ((packed.source, sort.source), (packed.destination, sort.destination)):
            conditions.append(c.some(is_atom(c, who, name) for name in of.elements))
        at = 0
        for _, field in sort.fields:
            conditions.append(proper(c, unpack(packed.payload[at : at + size(field)], field), field))
            at += size(field)
        conditions += [bit ^ 1 for bit in packed.payload[at:]]
        return c.every(conditions)
