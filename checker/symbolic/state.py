"""A state whose parts are circuits, and how it is made from a concrete state.

Messages and pending records are kept as history: each is a slot made by the step that sent or wrote it, whose bits say
where it is now (in the network, in its sender's outbox, gone; pending for whom). Nothing is moved when another leaves,
so an old slot's content is the same bits in every later step.
"""

from __future__ import annotations

from dataclasses import dataclass

from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.layout import pack, size, unpack
from checker.symbolic.numbers import Number, is_number, number
from checker.symbolic.values import Atom, Message, Symbolic, as_elements, constant
from spec import state as concrete
from spec.sorts import MessageSort, Value
from spec.system import NetworkKind, Storage, System, Variable


@dataclass(frozen=True, slots=True)
class Packed:
    """A message of any type: ``type`` is its position in ``System.messages``, ``payload`` its packed fields."""

    type: Number
    source: Atom  # over all processes, like the destination
    destination: Atom
    payload: tuple[Bit, ...]

    def bits(self) -> tuple[Bit, ...]:
        return (*self.type.bits, *self.source.bits, *self.destination.bits, *self.payload)


@dataclass(frozen=True, slots=True)
class Slot:
    """A message and where it is. ``stamp``: in a fifo network, the earlier enters the channel first."""

    message: Packed
    in_network: Bit
    waiting: Bit
    stamp: Number


@dataclass(frozen=True, slots=True)
class PendingRecord:
    """A record written and not flushed. ``of``: for each process, whether it is pending there. ``place``: if it is
    pending, it is the process's first (1), second, …; None: that depends on what else is pending."""

    of: tuple[Bit, ...]
    record: tuple[Symbolic, ...]
    place: int | None = None


@dataclass(frozen=True, slots=True)
class SymbolicState:
    """The fields of :class:`spec.state.State`; ``pending`` and ``messages`` in the order they were made."""

    memory: tuple[tuple[Symbolic, ...], ...]
    disk: tuple[tuple[Symbolic, ...] | None, ...]
    pending: tuple[PendingRecord, ...]
    up: tuple[Bit, ...]
    shared: tuple[Symbolic, ...]
    ghosts: tuple[Symbolic, ...]
    messages: tuple[Slot, ...]
    budgets: tuple[Number, ...]


class Shape:
    """What the encoding must know about a system, computed once. ``every_order``: a loop fails where one of its rounds
    does, whatever another one comes to before it."""

    def __init__(self, system: System, *, every_order: bool = False) -> None:
        self.system = system
        self.every_order = every_order
        self.processes = system.processes
        self.kinds = tuple(system.kind_of(process) for process in self.processes)
        self.memory = tuple(system.variables_of(kind.name) for kind in self.kinds)
        self.shared = system.variables_of(None, Storage.SHARED)
        self.ghosts = system.variables_of(None, Storage.GHOST)
        self.durable = {
            kind.name: tuple(i for i, v in enumerate(system.variables_of(kind.name)) if v.storage is Storage.DURABLE)
            for kind in system.kinds
        }
        self.types = {message.name: i for i, message in enumerate(system.messages)}
        self._known: dict[object, tuple[Symbolic, ...]] = {}
        self.payload = max((sum(size(of) for _, of in m.fields) for m in system.messages), default=0)
        self.fifo = system.network.kind is NetworkKind.FIFO
        bounds = system.bounds
        limits = (
            ("crash", bounds.crashes),
            ("drop", bounds.drops),
            ("duplicate", bounds.duplicates),
            ("retry", bounds.retries),
        )
        self.budgets = tuple((rule, limit) for rule, limit in limits if limit is not None)

    def durable_variables(self, process: int) -> tuple[Variable, ...]:
        return tuple(self.memory[process][position] for position in self.durable[self.kinds[process].name])

    def type_number(self, bits: tuple[Bit, ...]) -> Number:
        last = len(self.types) - 1
        return Number(bits, 0, last) if last > 0 else number(0)

    def pack_message(self, c: Circuit, message: Message) -> Packed:
        position = self.types[message.sort.name]
        width = (len(self.types) - 1).bit_length()
        bits = [b for f, (_, of) in zip(message.fields[2:], message.sort.fields, strict=True) for b in pack(c, f, of)]
        source, destination = message.fields[:2]
        assert isinstance(source, Atom)
        assert isinstance(destination, Atom)
        return Packed(
            self.type_number(tuple((position >> i) & 1 for i in range(width))),
            as_elements(c, source, self.processes),
            as_elements(c, destination, self.processes),
            (*bits, *(FALSE,) * (self.payload - len(bits))),
        )

    def unpack_message(self, c: Circuit, packed: Packed, sort: MessageSort) -> Message:
        """The message, where its type is ``sort``."""
        fields: list[Symbolic] = [
            as_elements(c, packed.source, sort.source.elements),
            as_elements(c, packed.destination, sort.destination.elements),
        ]
        at = 0
        for _, of in sort.fields:
            fields.append(unpack(packed.payload[at : at + size(of)], of))
            at += size(of)
        return Message(sort, tuple(fields))

    def has_type(self, c: Circuit, packed: Packed, name: str) -> Bit:
        position = self.types[name]
        return is_number(c, packed.type, position)

    def of_state(self, c: Circuit, state: concrete.State) -> SymbolicState:
        """A concrete state: every bit constant."""
        pending = []
        for i, records in enumerate(state.pending):
            here = tuple(TRUE if j == i else FALSE for j in range(len(self.processes)))
            durable = self.durable_variables(i)
            pending += [PendingRecord(here, self._constants(record, durable)) for record in records]
        return SymbolicState(
            memory=tuple(self._constants(values, vs) for values, vs in zip(state.memory, self.memory, strict=True)),
            disk=tuple(self._disk(i, record) for i, record in enumerate(state.disk)),
            pending=tuple(pending),
            up=tuple(int(up) for up in state.up),
            shared=self._constants(state.shared, self.shared),
            ghosts=self._constants(state.ghosts, self.ghosts),
            messages=tuple(self.slots(c, state.network, state.outbox)),
            budgets=tuple(number(spent) for spent in state.budgets),
        )

    def _constants(self, values: tuple[Value, ...], variables: tuple[Variable, ...]) -> tuple[Symbolic, ...]:
        """Values of these variables; the states of a batch have most of them in common."""
        key = (variables[0].name, len(variables), values) if variables else None
        found = self._known.get(key)
        if found is None:
            found = tuple(constant(v, variable.sort) for v, variable in zip(values, variables, strict=True))
            self._known[key] = found
        return found

    def _disk(self, process: int, record: concrete.DurableRecord | None) -> tuple[Symbolic, ...] | None:
        if record is None:
            return None
        return self._constants(record, self.durable_variables(process))

    def slots(
        self, c: Circuit, network: concrete.Bag, outboxes: tuple[tuple[concrete.Message, ...], ...]
    ) -> list[Slot]:
        """The messages of a concrete network and concrete outboxes."""
        slots = []
        for message, count in sorted(network, key=lambda item: (item[1], repr(item[0]))):
            packed = self.constant_message(c, message)
            copies = 1 if self.fifo else count
            slots += [Slot(packed, TRUE, FALSE, number(count if self.fifo else 0))] * copies
        for outbox in outboxes:
            slots += [Slot(self.constant_message(c, m), FALSE, TRUE, number(0)) for m in outbox]
        return slots

    def constant_message(self, c: Circuit, message: concrete.Message) -> Packed:
        sort = self.system.messages[self.types[message[0]]]
        symbolic = constant(message, sort)
        assert isinstance(symbolic, Message)
        return self.pack_message(c, symbolic)
