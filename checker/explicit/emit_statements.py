"""Every statement of the IR as code: a running transition, which ends in a successor, a cut, an error, or nothing.

The first event in program order wins because the code runs in that order: a cut or a failing evaluation leaves at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from checker.explicit.emit_code import BIT, FALSE, I64, TRUE, known, number, register
from checker.explicit.emit_comparing import lies_in
from checker.explicit.emit_expressions import Expressions
from checker.explicit.emit_frame import Frame, read_bits, read_value
from checker.explicit.emit_loops import each
from checker.explicit.emit_packing import converted, mapped, packed
from checker.explicit.emit_positions import at_position, element_of, with_element
from checker.explicit.emit_sequences import place_in, updated
from checker.explicit.emit_values import Atom, Emitted, Int, Map, Message, Optional, Record, Seq, Set, shape_of_emitted
from checker.explicit.errors import NotEncodable
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import NEVER, IntShape, SetShape, bits, count, shape_of, within
from spec import system as nodes
from spec.sorts import (
    IntSort,
    MapSort,
    MessageSort,
    OptionalSort,
    RecordSort,
    SeqSort,
    SetSort,
    Sort,
)
from spec.system import Operator, Storage
from spec.type_loops import is_symmetric
from spec.type_sorts import always_within

Round = TypeVar("Round")
GOES_ON = number(1 << 32)
"""More than any number of a cut."""

SLOTS, COPIES, PENDING, SENDS = range(4)
CAPACITIES = ("slots", "copies", "pending", "sends")
"""By their numbers, the capacities of a layout that can be found too small."""


@dataclass(slots=True)
class Cuts:
    """The bounds that cut, numbered: rule and bound."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, rule: str, bound: str) -> int:
        return self.numbers.setdefault(f"{rule}: {bound}", len(self.numbers))


@dataclass(slots=True)
class Exits:
    """Where a transition goes that has no successor. ``cut`` takes the number of the cut, ``overflow`` that of the
    capacity, through the φ nodes at their heads."""

    none: Any
    error: Any
    cut: Any
    overflow: Any


def assigned(block: nodes.Block) -> set[str]:
    """The variables that a block may change."""
    names: set[str] = set()
    for statement in block:
        match statement:
            case nodes.Assign(variable):
                names.add(variable)
            case nodes.If(_, then, otherwise):
                names |= assigned(then) | assigned(otherwise)
            case nodes.For(_, _, body):
                names |= assigned(body)
    return names


def mentions(block: nodes.Block, kind: type[Any]) -> bool:
    """Whether a block has a statement of this kind."""
    for statement in block:
        match statement:
            case nodes.If(_, then, otherwise):
                if mentions(then, kind) or mentions(otherwise, kind):
                    return True
            case nodes.For(_, _, body):
                if mentions(body, kind):
                    return True
        if isinstance(statement, kind):
            return True
    return False


def most_sends(block: nodes.Block, limit: int) -> int:
    """How many messages a block may send at most, as far as that is below a limit."""
    total = 0
    for statement in block:
        match statement:
            case nodes.Send():
                total += 1
            case nodes.If(_, then, otherwise):
                total += max(most_sends(then, limit), most_sends(otherwise, limit))
            case nodes.For(_, domain, body):
                sends = most_sends(body, limit)
                total += sends and sends * _most_elements(domain, limit)
    return min(total, limit)


def _most_elements(domain: nodes.Expr, limit: int) -> int:
    """How many elements a set may have. Its sort tells that of a stored set only: an expression's may lie outside."""
    match domain, domain.sort:
        case nodes.MakeSet(elements), _:
            return len(elements)
        case nodes.Binary(Operator.UNION, left, right), _:
            return _most_elements(left, limit) + _most_elements(right, limit)
        case nodes.Binary(Operator.DIFFERENCE | Operator.INTERSECT, left), _:
            return _most_elements(left, limit)
        case nodes.Literal(value), _:
            return len(value)
        case _, SetSort(of) if not isinstance(of, MessageSort) and always_within(domain, domain.sort):
            try:
                return count(shape_of(of))
            except NotEncodable:
                return limit
    return limit


class Running:
    """A transition while it runs: ``rule`` is its name in the counts of cuts."""

    def __init__(self, frame: Frame, rule: str, cuts: Cuts, exits: Exits, *, every_order: bool = False) -> None:
        self.frame, self.rule, self.cuts, self.exits = frame, rule, cuts, exits
        self.every_order = every_order  # a failure in one round of a symmetric loop counts before any other's end
        self.code, self.layout, self.access = frame.code, frame.layout, frame.pool_access
        self.expressions = Expressions(frame)
        code = self.code
        self.fsynced, self.kept, self.sent = code.cell(BIT), code.cell(BIT), code.cell(I64)
        code.put(self.fsynced, FALSE)
        code.put(self.kept, FALSE)
        code.put(self.sent, number(0))
        self.most_sends = self.access.sends
        self.messages: Ssa = None  # the keys of the messages sent, with the waiting bit if after an fsync
        own = frame.own
        self.stores = own is not None and own.layout.kind.has_storage
        self.records: Ssa = None
        if self.stores and self.layout.buffered:
            self._begin_records()

    # -------------------------------------------------------------------------------------- the exits

    def cut_unless(self, condition: Ssa, bound: str) -> None:
        code = self.code
        if known(condition) == 1:
            return
        here, rest = code.b.block, code.block()
        code.b.cbranch(condition, rest, self.exits.cut.parent)
        self.exits.cut.add_incoming(number(self.cuts.number(self.rule, bound)), here)
        code.b.position_at_end(rest)

    def overflow_unless(self, condition: Ssa, capacity: int) -> None:
        code = self.code
        here, rest = code.b.block, code.block()
        code.b.cbranch(condition, rest, self.exits.overflow.parent)
        self.exits.overflow.add_incoming(number(capacity), here)
        code.b.position_at_end(rest)

    # ------------------------------------------------------------------------------------- statements

    def block(self, block: nodes.Block) -> None:
        for statement in block:
            self._statement(statement)

    def _statement(self, statement: nodes.Statement) -> None:
        code, expressions = self.code, self.expressions
        match statement:
            case nodes.Assign():
                self._assign(statement)
            case nodes.If(condition, then, otherwise):
                code.if_(expressions.boolean(condition), lambda: self.block(then), lambda: self.block(otherwise))
            case nodes.Require(condition):
                code.go_on(expressions.boolean(condition), self.exits.none)
            case nodes.Let(name, value):
                self.frame.local[name] = expressions.value(value)
            case nodes.For(name, domain, body):

                def round_(element: Emitted) -> None:
                    self.frame.local[name] = element
                    self.block(body)

                self._rounds(is_symmetric(domain.sort), lambda body: each(expressions, domain, body), round_)
            case nodes.Send():
                self._send(statement)
            case nodes.Fsync():
                code.put(self.fsynced, TRUE)
            case nodes.EndRecord():
                if self.stores and self.layout.buffered:
                    self.end_record()
            case nodes.Keep():
                code.put(self.kept, TRUE)
            case nodes.Announce(_, arguments):
                for argument in arguments:  # shown in traces only, but it may fail
                    if not isinstance(self._local_message(argument), Message):
                        expressions.value(argument)

    def _rounds(
        self, symmetric: bool, each: Callable[[Callable[[Round], None]], None], body: Callable[[Round], None]
    ) -> None:
        """A loop. If every order of its rounds counts, one that is cut or not enabled ends the transition only after
        the others, of which one may fail."""
        if not (self.every_order and symmetric):
            each(body)
            return
        code, exits = self.code, self.exits
        stopped = code.cell(I64)  # 0: not enabled, otherwise a cut's number + 1, or that nothing has stopped it
        code.put(stopped, GOES_ON)
        cutting: list[Any] = []  # the blocks of rounds that may be cut

        def stop(how: Ssa, following: Any) -> None:
            earlier = code.get(stopped, I64)
            code.put(stopped, code.select(code.is_less(how, earlier), how, earlier))
            code.b.branch(following)

        def round_(element: Round) -> None:
            following, none, cut = (code.block() for _ in range(3))
            number_of_cut = ir.IRBuilder(cut).phi(I64)
            self.exits = replace(exits, none=none, cut=number_of_cut)
            body(element)
            self.exits = exits
            code.b.branch(following)
            code.b.position_at_end(none)
            stop(number(0), following)
            code.b.position_at_end(cut)
            if number_of_cut.incomings:
                cutting.append(cut)
                stop(code.add(number_of_cut, number(1)), following)
            else:
                cut.instructions.remove(number_of_cut)
                code.b.unreachable()
            code.b.position_at_end(following)

        each(round_)
        how = code.get(stopped, I64)
        code.leave_if(code.is_equal(how, number(0)), exits.none)
        if cutting:
            number_ = code.sub(how, number(1))
            here, rest = code.b.block, code.block()
            code.b.cbranch(code.is_equal(how, GOES_ON), rest, exits.cut.parent)
            exits.cut.add_incoming(number_, here)
            code.b.position_at_end(rest)

    def _local_message(self, node: nodes.Expr) -> object:
        return self.frame.local.get(node.name) if isinstance(node, nodes.Local) else None

    def _assign(self, statement: nodes.Assign) -> None:
        own = self.frame.own
        kind = None if own is None else own.layout.kind.name
        system = self.layout.system
        variable = next(
            v
            for v in system.variables
            if v.name == statement.variable and v.kind in ((kind, None) if kind else (None,))
        )
        value = self._stored(statement.value, variable.sort, variable.name)
        self.frame.cells[statement.variable].put(value)

    def _stored(self, node: nodes.Expr, sort: Sort, what: str) -> Emitted:
        """The value of an expression, checked for being stored. What an update leaves as it was is not checked again:
        nothing is evaluated between the new part and the check."""
        expressions, code = self.expressions, self.code
        if isinstance(node, nodes.Update) and isinstance(sort, MapSort | SeqSort):
            shape = shape_of(sort)
            of = expressions.value(node.of)
            if within(shape_of_emitted(of), shape):
                whole = converted(code, of, shape)
                assert isinstance(whole, Seq | Map)
                key = expressions.value(node.key)
                place = place_in(expressions, whole, key)
                inner = sort.value if isinstance(sort, MapSort) else sort.of
                return with_element(code, whole, place, self._stored(node.value, inner, what))
            assert isinstance(of, Seq | Map)
            place = place_in(expressions, of, expressions.value(node.key))
            value: Emitted = updated(code, of, place, expressions.value(node.value))
        elif isinstance(node, nodes.WithField) and isinstance(sort, RecordSort):
            of = expressions.value(node.of)
            assert isinstance(of, Record)
            names = [name for name, _ in sort.fields]
            at = names.index(node.name)
            if within(shape_of_emitted(of), shape_of(sort)):
                fields = list(of.fields)
                fields[at] = self._stored(node.value, sort.fields[at][1], f"{what}.{node.name}")
                return converted(code, Record(tuple(fields)), shape_of(sort))
            changed = list(of.fields)
            changed[at] = expressions.value(node.value)
            value = Record(tuple(changed))
        else:
            value = expressions.value(node)
        return self.checked(value, sort, what)

    def checked(self, value: Emitted, sort: Sort, what: str) -> Emitted:
        self._check(value, sort, what)
        return converted(self.code, value, shape_of(sort))

    def _check(self, value: Emitted, sort: Sort, what: str) -> None:
        """Cuts above a model's bound or over a capacity; an error out of the sort otherwise."""
        code = self.code
        if isinstance(value, Message) or within(shape_of_emitted(value), shape_of(sort)):
            return
        match value, sort:
            case Int(value_, lowest, highest), IntSort(int() as low, int() as high, cut_above):
                if highest > high:
                    below = code.is_less_equal(value_, number(high))
                    if cut_above:
                        self.cut_unless(below, f"{what} <= {high}")
                    else:
                        self.expressions.fail_unless(below)
                if lowest < low:
                    self.expressions.fail_unless(code.is_less_equal(number(low), value_))
            case Optional(present, inner), OptionalSort(of):
                if inner is not None:
                    code.if_(present, lambda: self._check(inner, of, what))
            case Record(fields), RecordSort(_, sorts):
                for field_, (name, sort_) in zip(fields, sorts, strict=True):
                    self._check(field_, sort_, f"{what}.{name}")
            case Seq(length, _, element, capacity), SeqSort(of, int() as most):
                if capacity > most:
                    self.cut_unless(code.is_less_equal(length, number(most)), f"len({what}) <= {most}")
                if element != NEVER and not within(element, shape_of(of)):
                    last = code.sub(length, number(1))
                    code.for_range(number(0), last, lambda i: self._check(element_of(code, value, i), of, what))
            case Map(_, key, _), MapSort(keys, of):
                last = number(count(key) - 1)
                self._rounds(
                    is_symmetric(keys),
                    lambda body: code.for_range(number(0), last, body) and None,
                    lambda i: self._check(element_of(code, value, i), of, what),
                )
            case Set(mask, element), SetSort(of):
                good = converted(code, converted(code, value, shape_of(sort)), SetShape(element))
                assert isinstance(good, Set)
                bad = code.b.xor(mask, good.mask)  # the least element out of the sort decides
                self._rounds(
                    is_symmetric(of),
                    lambda body: code.for_ones(bad, body),
                    lambda i: self._check(at_position(code, i, element), of, what),
                )
            case _:
                self.expressions.fail_unless(lies_in(code, value, shape_of(sort)))

    # ------------------------------------------------------------------------------------------- sending

    def _send(self, statement: nodes.Send) -> None:
        code, layout, expressions = self.code, self.layout, self.expressions
        message = layout.messages[statement.message]
        values = [expressions.value(node) for node in statement.fields]
        checked = []
        for value, (name, sort) in zip(values, message.sort.fields, strict=True):
            self._check(value, sort, f"{statement.message}.{name}")
            checked.append(value)
        destination = expressions.value(statement.destination)
        assert isinstance(destination, Atom)
        assert self.frame.own is not None
        payload = packed(code, Record(tuple(checked)), message.payload)
        type_ = self.access.key_type
        to = mapped(code, destination.index, [layout.processes.index(name) for name in destination.elements])
        key = code.resize(payload, type_)
        key = code.either(key, ir.Constant(type_, message.tag << layout.tag_shift))
        for part, shift in (
            (to, layout.destination_shift),
            (self.frame.own.index, layout.source_shift),
            (code.get(self.fsynced, BIT), layout.waiting_shift),
        ):
            key = code.either(key, code.shift_left(code.resize(part, type_), ir.Constant(type_, shift)))
        if self.messages is None:
            self.messages = code.cell(type_, self.most_sends)
        sent = code.get(self.sent, I64)
        self.overflow_unless(code.is_less(sent, number(self.most_sends)), SENDS)
        code.put(code.at(self.messages, sent, type_), key)
        code.put(self.sent, code.add(sent, number(1)))

    # ------------------------------------------------------------------------------------------- storage

    def _begin_records(self) -> None:
        """``last``: the newest record, pending or on disk; ``written``: how many are pending; ``records``: new ones."""
        code, own = self.code, self.frame.own
        assert own is not None
        layout = own.layout
        self.record_type = register(bits(layout.record))
        self.last, self.written = code.cell(self.record_type), code.cell(I64)
        self.room = len(layout.records)
        self.records = code.cell(self.record_type, max(2, self.room))
        pending = read_value(code, self.frame.state, own.base, layout.pending, IntShape(0, self.room))
        assert isinstance(pending, Int)
        self.before = pending.number
        code.put(self.written, pending.number)
        last = read_bits(code, self.frame.state, own.base, layout.disk)
        for i, place in enumerate(layout.records):
            record = read_bits(code, self.frame.state, own.base, place)
            last = code.select(code.is_less(number(i), pending.number), record, last)
        code.put(self.last, last)

    def durable_record(self) -> Ssa:
        """The durable variables of the acting process as they are now, packed."""
        own = self.frame.own
        assert own is not None
        variables = self.layout.system.variables_of(own.layout.kind.name, Storage.DURABLE)
        values = tuple(self.frame.own_variable(variable.name) for variable in variables)
        return packed(self.code, Record(values), own.layout.record)

    def end_record(self) -> None:
        code = self.code
        record = self.durable_record()
        changed = code.negation(code.is_equal(record, code.get(self.last, self.record_type)))

        def write() -> None:
            written = code.get(self.written, I64)
            code.put(self.last, record)
            if self.room:
                at = code.select(code.is_less(written, number(self.room)), written, number(self.room - 1))
                code.put(code.at(self.records, at, self.record_type), record)
            code.put(self.written, code.add(written, number(1)))

        code.if_(changed, write)
