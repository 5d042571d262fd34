"""The meaning of every statement of the IR as circuits: one :class:`Run` is one occurrence of a rule.

``path`` is the condition that the run is still going: a false ``require``, a cut and an error each end it where they
happen, so the first event in program order wins. A branch runs on a copy and is joined with the other afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import cast

from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.expressions import Frame
from checker.symbolic.layout import cached_domain
from checker.symbolic.network import choose_message
from checker.symbolic.numbers import Number, less, number, ranged
from checker.symbolic.state import Packed, Shape, SymbolicState
from checker.symbolic.values import Atom, Members, Message, Optional, Product, Slots, Symbolic, choose, constant, equal
from spec import system as ir
from spec.sorts import IntSort, MapSort, OptionalSort, RecordSort, SeqSort, SetSort, Sort
from spec.system import StorageMode, Variable
from spec.type_loops import is_symmetric


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent where ``there`` holds. ``fsynced``: after the transition's ``fsync``."""

    there: Bit
    message: Packed
    fsynced: Bit


@dataclass(frozen=True, slots=True)
class Written:
    """A storage record that was ended where ``there`` holds."""

    there: Bit
    record: tuple[Symbolic, ...]


class Run(Frame):
    """A transition while its rule runs. ``last``: the acting process's last storage record."""

    def __init__(self, c: Circuit, shape: Shape, state: SymbolicState, path: Bit) -> None:
        super().__init__(c, shape, state, path)
        self.stopped_by_error: Bit = FALSE
        self.fsynced: Bit = FALSE
        self.kept: Bit = FALSE
        self.sent: list[Sent] = []
        self.written: list[Written] = []
        self.last: tuple[Symbolic, ...] = ()

    def act_as(self, kind: str, actor: tuple[Bit, ...], who: Symbolic, own: Iterable[Symbolic]) -> None:
        """Gives the run its acting process."""
        self.kind, self.actor, self.own = kind, actor, list(own)
        self.local["self"] = who
        self.last = self.durable()

    def durable(self) -> tuple[Symbolic, ...]:
        assert self.kind is not None
        return tuple(self.own[position] for position in self.shape.durable[self.kind])

    def block(self, block: ir.Block) -> None:
        for statement in block:
            if self.path == FALSE:
                return
            self._statement(statement)

    def end_if_failed(self) -> None:
        """Ends the path where the expressions evaluated since the last call failed."""
        if self.error != FALSE:
            self.path = self.c.conjunction(self.path, self.error ^ 1)
            self.stopped_by_error = self.c.disjunction(self.stopped_by_error, self.error)
            self.error = FALSE

    def _statement(self, statement: ir.Statement) -> None:
        c = self.c
        match statement:
            case ir.Assign(variable, value):
                new = self.value(value)
                self.end_if_failed()
                self._assign(variable, new)
            case ir.If(condition, then, otherwise):
                test = self.boolean(condition)
                self.end_if_failed()
                self.branch(test, then, otherwise)
            case ir.Require(condition):
                test = self.boolean(condition)
                self.end_if_failed()
                self.path = c.conjunction(self.path, test)
            case ir.Let(name, value):
                self.local[name] = self.value(value)
                self.end_if_failed()
            case ir.For(name, over, body):
                elements = list(self.elements(over))
                self.end_if_failed()
                if self.shape.every_order and is_symmetric(over.sort):
                    self._stop(self._any_fails(name, elements, body), cut=False)
                for there, element in elements:
                    self.local[name] = element
                    self.branch(there, body, ())
            case ir.Send():
                self._send(statement)
            case ir.Fsync():
                self.fsynced = TRUE
            case ir.EndRecord():
                if self.shape.system.storage is StorageMode.BUFFERED:
                    self.end_record()
            case ir.Keep():
                self.kept = TRUE
            case ir.Announce(_, arguments):
                for argument in arguments:
                    self.value(argument)
                self.end_if_failed()

    def _any_fails(self, name: str, elements: list[tuple[Bit, Symbolic]], body: ir.Block) -> Bit:
        """Whether a round of a loop fails that comes first. Rounds commute, so one fails then or never."""
        failed = FALSE
        for there, element in elements:
            alone = self._copy()
            alone.local[name] = element
            alone.path = self.c.conjunction(self.path, there)
            alone.block(body)
            failed = self.c.disjunction(failed, alone.stopped_by_error)
        return failed

    # ------------------------------------------------------------------------------------- branches

    def branch(self, test: Bit, then: ir.Block, otherwise: ir.Block) -> None:
        c = self.c
        if test <= 1:
            self.block(then if test else otherwise)
            return
        other = self._copy()
        other.path = c.conjunction(self.path, test ^ 1)
        self.path = c.conjunction(self.path, test)
        self.block(then)
        other.block(otherwise)
        self.stopped_by_error = c.disjunction(self.stopped_by_error, other.stopped_by_error)
        self._join(test, other)

    def _copy(self) -> Run:
        other = Run(self.c, self.shape, self.state, self.path)
        other.kind, other.actor, other.last = self.kind, self.actor, self.last
        other.own, other.shared, other.ghosts = list(self.own), list(self.shared), list(self.ghosts)
        other.local = dict(self.local)
        other.fsynced, other.kept = self.fsynced, self.kept
        other.sent, other.written = list(self.sent), list(self.written)
        return other

    def _join(self, test: Bit, other: Run) -> None:
        """This run where the test holds, the other one elsewhere. A run that cannot go on has no say."""
        c = self.c
        if self.path == FALSE:
            test = FALSE
        elif other.path == FALSE:
            test = TRUE

        def joined(mine: list[Symbolic], others: list[Symbolic]) -> list[Symbolic]:
            return [choose(c, test, a, b) for a, b in zip(mine, others, strict=True)]

        self.own = joined(self.own, other.own)
        self.shared = joined(self.shared, other.shared)
        self.ghosts = joined(self.ghosts, other.ghosts)
        self.last = tuple(joined(list(self.last), list(other.last)))
        self.fsynced = c.choose(test, self.fsynced, other.fsynced)
        self.kept = c.choose(test, self.kept, other.kept)
        self.sent = overlaid_sends(c, test, self.sent, other.sent)
        self.written = overlaid_records(c, test, self.written, other.written)
        self.path = c.disjunction(self.path, other.path)

    # -------------------------------------------------------------------------------------- storing

    def _variable(self, name: str) -> tuple[Variable, list[Symbolic], int]:
        system = self.shape.system
        variables = system.variables_of(self.kind) if self.kind is not None else ()
        places: tuple[tuple[tuple[Variable, ...], list[Symbolic]], ...] = (
            (variables, self.own),
            (self.shape.shared, self.shared),
            (self.shape.ghosts, self.ghosts),
        )
        for group, values in places:
            for position, variable in enumerate(group):
                if variable.name == name:
                    return variable, values, position
        raise AssertionError(name)

    def _assign(self, name: str, value: Symbolic) -> None:
        variable, values, position = self._variable(name)
        values[position] = self.stored(value, variable.sort, TRUE)

    def _stop(self, condition: Bit, *, cut: bool) -> None:
        happened = self.c.conjunction(self.path, condition)
        if happened == FALSE:
            return
        if not cut:
            self.stopped_by_error = self.c.disjunction(self.stopped_by_error, happened)
        self.path = self.c.conjunction(self.path, condition ^ 1)

    def stored(self, value: Symbolic, sort: Sort, there: Bit) -> Symbolic:
        """The value as one of the sort. Above a model's bound or over a capacity cuts; else out of sort is an error."""
        c = self.c
        match sort, value:
            case IntSort(int() as low, int() as high, cut_above), Number():
                if value.low < low:
                    self._stop(c.conjunction(there, less(c, value, number(low))), cut=False)
                if value.high > high:
                    self._stop(c.conjunction(there, less(c, number(high), value)), cut=cut_above)
                if value.low > high or value.high < low:
                    return number(low)
                return ranged(value, low, high)
            case OptionalSort(of), Optional() if value.value is not None:
                return Optional(value.present, self.stored(value.value, of, c.conjunction(there, value.present)))
            case SetSort(of), Members():
                possible = set(cached_domain(of))
                for key in [key for key in value.members if key not in possible]:
                    self.stored(constant(key, of), of, c.conjunction(there, value.members[key]))
                return Members({key: bit for key, bit in value.members.items() if key in possible})
            case SeqSort(of, capacity), Slots():
                slots, length = value.slots, value.length
                if capacity is not None and length.high > capacity:
                    self._stop(c.conjunction(there, less(c, number(capacity), length)), cut=True)
                    slots = slots[:capacity]
                    length = ranged(length, 0, capacity) if length.low <= capacity else number(capacity)
                stored = [
                    self.stored(slot, of, c.conjunction(there, less(c, number(i), length)))
                    for i, slot in enumerate(slots)
                ]
                return Slots(length, tuple(stored))
            case MapSort(_, of), Product():
                return Product(tuple(self.stored(field, of, there) for field in value.fields))
            case RecordSort(_, fields), Product():
                pairs = zip(value.fields, fields, strict=True)
                return Product(tuple(self.stored(field, of, there) for field, (_, of) in pairs))
        return value

    def _send(self, statement: ir.Send) -> None:
        shape = self.shape
        sort = shape.system.messages[shape.types[statement.message]]
        values = [self.value(field) for field in statement.fields]
        self.end_if_failed()
        stored = [self.stored(v, of, TRUE) for v, (_, of) in zip(values, sort.fields, strict=True)]
        destination = cast(Atom, self.value(statement.destination))
        self.end_if_failed()
        message = Message(sort, (self.local["self"], destination, *stored))
        self.sent.append(Sent(self.path, shape.pack_message(self.c, message), self.fsynced))

    def end_record(self) -> None:
        """Ends a storage record, if a durable variable differs from the last one."""
        record = self.durable()
        c = self.c
        same = c.every(equal(c, a, b) for a, b in zip(record, self.last, strict=True))
        there = c.conjunction(self.path, same ^ 1)
        if there != FALSE:
            self.written.append(Written(there, record))
            self.last = record


def overlaid_sends(c: Circuit, test: Bit, mine: list[Sent], others: list[Sent]) -> list[Sent]:
    """The first send of either branch, the second of either, …: of two branches only one runs."""
    result = []
    for a, b in zip_longest(mine, others):
        if a is None or b is None or a is b:
            result.append(b if a is None else a)
        else:
            message = choose_message(c, test, a.message, b.message)
            fsynced = c.choose(test, a.fsynced, b.fsynced)
            result.append(Sent(c.disjunction(a.there, b.there), message, fsynced))
    return result


def overlaid_records(c: Circuit, test: Bit, mine: list[Written], others: list[Written]) -> list[Written]:
    result = []
    for a, b in zip_longest(mine, others):
        if a is None or b is None or a is b:
            result.append(b if a is None else a)
        else:
            record = tuple(choose(c, test, x, y) for x, y in zip(a.record, b.record, strict=True))
            result.append(Written(c.disjunction(a.there, b.there), record))
    return result
