"""The meaning of every expression of the IR as circuits: one case a node, like ``spec/expressions.py``.

A :class:`Frame` says what is read, and under which condition (``path``) the expression is evaluated at all: what has
no meaning (a wrong index, ``the(none)``) is an error only there. ``and``, ``if``, quantifiers and their like narrow it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from checker.symbolic.arithmetic import arithmetic, between
from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.errors import NotEncodable
from checker.symbolic.layout import arbitrary, cached_domain, constants
from checker.symbolic.membership import as_one_of
from checker.symbolic.network import first_copies
from checker.symbolic.numbers import Number, add, count, is_number, number, subtract
from checker.symbolic.sequences import concatenated, element, slice_of
from checker.symbolic.sets import extreme, included, members_of, set_operation
from checker.symbolic.state import Shape, SymbolicState
from checker.symbolic.values import (
    Atom,
    Members,
    Message,
    MessageSet,
    Optional,
    Product,
    Slots,
    Symbolic,
    choose,
    constant,
    equal,
    is_atom,
    select,
)
from spec import system as ir
from spec.sorts import (
    IntSort,
    MapSort,
    MessageSort,
    RecordSort,
    SetSort,
    Sort,
)
from spec.system import Operator, UnaryOperator


class Frame:
    """What an expression reads: a state, the acting process's memory as changed so far, and the local names.

    ``actor``: while a rule runs, for each process whether it is the one that acts (``own`` is its memory then).
    ``label_is``: in an action invariant, whether the step's label is of a rule; ``old`` is the frame before the step.
    """

    def __init__(self, c: Circuit, shape: Shape, state: SymbolicState, path: Bit = TRUE) -> None:
        self.c = c
        self.shape = shape
        self.state = state
        self.path = path
        self.error: Bit = FALSE
        self.local: dict[str, Symbolic] = {}
        self.actor: tuple[Bit, ...] = ()
        self.own: list[Symbolic] = []
        self.kind: str | None = None
        self.shared: list[Symbolic] = list(state.shared)
        self.ghosts: list[Symbolic] = list(state.ghosts)
        self.old: Frame | None = None
        self.label_is: dict[str, Bit] = {}

    def fail(self, condition: Bit) -> None:
        """An evaluation error, where the expression is evaluated and the condition holds."""
        self.error = self.c.disjunction(self.error, self.c.conjunction(self.path, condition))

    def boolean(self, node: ir.Expr) -> Bit:
        return cast(Bit, self.value(node))

    def integer(self, node: ir.Expr) -> Number:
        return cast(Number, self.value(node))

    def sequence(self, node: ir.Expr) -> Slots:
        return cast(Slots, self.value(node))

    def under(self, condition: Bit, node: ir.Expr) -> Symbolic:
        """The value, evaluated only where the condition holds."""
        before = self.path
        self.path = self.c.conjunction(before, condition)
        value = self.value(node)
        self.path = before
        return value

    def value(self, node: ir.Expr) -> Symbolic:
        c = self.c
        match node:
            case ir.Local(name):
                return self.local[name]
            case ir.Literal(value, sort):
                return constant(value, sort)
            case ir.Read():
                return self._read(node)
            case ir.Field(of, name):
                inner = cast(Product | Message, self.value(of))
                return inner.fields[_position(of.sort, name)]
            case ir.Binary():
                return self._binary(node)
            case ir.Unary():
                return self._unary(node)
            case ir.IfElse(condition, then, otherwise):
                test = self.boolean(condition)
                if test <= 1:
                    return self.value(then if test else otherwise)
                return choose(c, test, self.under(test, then), self.under(test ^ 1, otherwise))
            case ir.LetIn(name, value, body):
                self.local[name] = self.value(value)
                return self.value(body)
            case ir.Checked(of, sort):
                checked, wrong = as_one_of(c, self.value(of), sort)
                self.fail(wrong)
                return checked
            case ir.Wrap(of):
                return Optional(TRUE, self.value(of))
            case ir.MakeSet(elements, sort):
                of_sort = cast(SetSort, sort).of
                return members_of(c, [(TRUE, self.value(e)) for e in elements], of_sort)
            case ir.MakeSeq(elements):
                return Slots(number(len(elements)), tuple(self.value(e) for e in elements))
            case ir.MakeRecord(fields):
                return Product(tuple(self.value(field) for field in fields))
            case ir.MakeMap(name, value, sort):
                return self._make_map(name, value, cast(MapSort, sort).key)
            case ir.IntRange(low, high):
                first, last = self.integer(low), self.integer(high)
                return Members({i: between(c, first, number(i), last) for i in range(first.low, last.high + 1)})
            case ir.Index(of, key, sort):
                return self._index(of, key, sort)
            case ir.Slice(of, low, high):
                result, wrong = slice_of(c, self.sequence(of), self.integer(low), self.integer(high))
                self.fail(wrong)
                return result
            case ir.Update():
                return self._update(node)
            case ir.WithField(of, name, value):
                product = cast(Product, self.value(of))
                position = _position(of.sort, name)
                new = self.value(value)
                return Product((*product.fields[:position], new, *product.fields[position + 1 :]))
            case ir.Quantified():
                return self._quantified(node)
            case ir.SetComprehension():
                return self._comprehension(node)
            case ir.IsUp(process, _, old):
                state = self._frame(old).state
                return select(c, [(here, state.up[i]) for i, here in self._processes(process)])
            case ir.PendingCount(process, _, old):
                state = self._frame(old).state
                return select(
                    c, [(here, count(c, [r.of[i] for r in state.pending])) for i, here in self._processes(process)]
                )
            case ir.MessagesIn():
                return self._messages_in(node)
            case ir.LabelIs(rule):
                return self.label_is.get(rule, FALSE)

    def elements(self, over: ir.Expr) -> Iterator[tuple[Bit, Symbolic]]:
        """The possible elements of a set, in domain order, each with the condition that it is there."""
        value = self.value(over)
        if isinstance(value, MessageSet):
            yield from value.messages
            return
        sort = cast(SetSort, over.sort).of
        members = cast(Members, value).members
        keys = list(members)
        if not isinstance(sort, IntSort):
            position = {key: i for i, key in enumerate(cached_domain(sort))}
            keys.sort(key=lambda key: position.get(key, -1))
        yield from ((members[key], constant(key, sort)) for key in keys if members[key] != FALSE)

    # ----------------------------------------------------------------------------------- variables

    def _frame(self, old: bool) -> Frame:
        if not old:
            return self
        assert self.old is not None, "old() outside an action invariant"
        return self.old

    def _processes(self, process: ir.Expr) -> list[tuple[int, Bit]]:
        """The processes that an expression may stand for, each with its condition."""
        who = cast(Atom, self.value(process))
        found = []
        for i, name in enumerate(self.shape.processes):
            here = is_atom(self.c, who, name)
            if here != FALSE:
                found.append((i, here))
        return found

    def _read(self, node: ir.Read) -> Symbolic:
        frame = self._frame(node.old)
        if node.process is None:
            for variables, values in ((self.shape.shared, frame.shared), (self.shape.ghosts, frame.ghosts)):
                for variable, value in zip(variables, values, strict=True):
                    if variable.name == node.variable:
                        return value
            raise AssertionError(node.variable)
        if node.layer is ir.Layer.KEPT:
            return self._kept(node, frame)
        itself = isinstance(node.process, ir.Local) and node.process.name == "self"
        if itself and self.actor and not node.old and node.layer is ir.Layer.MEMORY:
            assert self.kind is not None
            return self.own[self._position(self.kind, node.variable)]
        return select(
            self.c,
            [
                (here, frame.of_process(i, node.variable, node.layer))
                for i, here in self._processes(node.process)
                if any(v.name == node.variable for v in self.shape.memory[i])
            ],
        )

    def _kept(self, node: ir.Read, frame: Frame) -> Symbolic:
        """The variable after a crash that keeps so many pending records."""
        assert node.process is not None
        assert node.keep is not None
        c, keep = self.c, self.integer(node.keep)
        places, possible = [], FALSE
        for i, here in self._processes(node.process):
            kind = self.shape.kinds[i]
            variable = self.shape.memory[i][self._position(kind.name, node.variable)]
            disk, slot = frame.state.disk[i], None
            assert disk is not None
            if variable.storage is ir.Storage.DURABLE:
                slot = self.shape.durable[kind.name].index(self._position(kind.name, node.variable))
                value = disk[slot]
            else:
                value = constant(variable.initial[kind.sort.elements.index(self.shape.processes[i])], variable.sort)
            enough, rank = is_number(c, keep, 0), number(0)
            for record in frame.state.pending:
                if record.of[i] == FALSE:
                    continue
                rank = add(c, rank, count(c, [record.of[i]]))
                place = rank if record.place is None else number(record.place)
                last = c.conjunction(record.of[i], equal(c, place, keep))
                enough = c.disjunction(enough, last)
                if slot is not None:
                    value = choose(c, last, record.record[slot], value)
            possible = c.disjunction(possible, c.conjunction(here, enough))
            places.append((here, value))
        self.fail(possible ^ 1)
        return select(c, places)

    def _position(self, kind: str, variable: str) -> int:
        return [v.name for v in self.shape.system.variables_of(kind)].index(variable)

    def of_process(self, process: int, variable: str, layer: ir.Layer) -> Symbolic:
        """A variable of a process: in its memory, as changed so far if it is acting, or on its disk."""
        kind = self.shape.kinds[process].name
        position = self._position(kind, variable)
        if layer is ir.Layer.DISK:
            disk = self.state.disk[process]
            assert disk is not None, "disk() of a process without storage"
            return disk[self.shape.durable[kind].index(position)]
        value = self.state.memory[process][position]
        if self.actor and kind == self.kind:
            return choose(self.c, self.actor[process], self.own[position], value)
        return value

    def _messages_in(self, node: ir.MessagesIn) -> MessageSet:
        c, shape, state = self.c, self.shape, self._frame(node.old).state
        if node.where is ir.Where.NETWORK:
            there = [slot.in_network for slot in state.messages]
        else:
            assert node.process is not None
            owners = [(shape.processes[i], here) for i, here in self._processes(node.process)]
            there = []
            for slot in state.messages:
                theirs = c.some(c.conjunction(here, is_atom(c, slot.message.source, name)) for name, here in owners)
                there.append(c.conjunction(slot.waiting, theirs))
        if node.message is not None:
            there = [
                c.conjunction(bit, shape.has_type(c, slot.message, node.message))
                for bit, slot in zip(there, state.messages, strict=True)
            ]
        there = first_copies(c, state.messages, there)
        sort = shape.system.messages[shape.types[node.message] if node.message is not None else 0]
        return MessageSet(
            tuple(
                (bit, shape.unpack_message(c, slot.message, sort))
                for bit, slot in zip(there, state.messages, strict=True)
                if bit != FALSE
            )
        )

    # ----------------------------------------------------------------------------------- operators

    def _binary(self, node: ir.Binary) -> Symbolic:
        c = self.c
        match node.operator:
            case Operator.AND | Operator.OR | Operator.IMPLIES:
                return self._short_circuit(node)
            case Operator.IN:
                return self._contained(node.left, node.right)
            case Operator.EQUAL | Operator.NOT_EQUAL:
                same = equal(c, self.value(node.left), self.value(node.right))
                return same ^ (node.operator is Operator.NOT_EQUAL)
            case Operator.CONCAT:
                return concatenated(c, self.sequence(node.left), self.sequence(node.right))
            case Operator.SUBSET:
                return included(c, self.value(node.left), self.value(node.right))
            case Operator.UNION | Operator.INTERSECT | Operator.DIFFERENCE:
                return set_operation(c, node.operator, self.value(node.left), self.value(node.right))
        result, wrong = arithmetic(c, node.operator, self.integer(node.left), self.integer(node.right))
        self.fail(wrong)
        return result

    def _short_circuit(self, node: ir.Binary) -> Bit:
        left = self.boolean(node.left)
        if node.operator is Operator.OR:
            return left if left == TRUE else self.c.disjunction(left, cast(Bit, self.under(left ^ 1, node.right)))
        if left == FALSE:
            return FALSE if node.operator is Operator.AND else TRUE
        right = cast(Bit, self.under(left, node.right))
        return self.c.conjunction(left, right) if node.operator is Operator.AND else self.c.implies(left, right)

    def _contained(self, element_: ir.Expr, set_: ir.Expr) -> Bit:
        c = self.c
        value = self.value(element_)
        if isinstance(set_, ir.IntRange):
            return between(c, self.integer(set_.low), cast(Number, value), self.integer(set_.high))
        return c.some([c.conjunction(there, equal(c, value, member)) for there, member in self.elements(set_)])

    def _unary(self, node: ir.Unary) -> Symbolic:
        c, inner = self.c, self.value(node.of)
        match node.operator:
            case UnaryOperator.NOT:
                return cast(Bit, inner) ^ 1
            case UnaryOperator.NEGATE:
                return subtract(c, number(0), cast(Number, inner))
            case UnaryOperator.LENGTH:
                return cast(Slots, inner).length
            case UnaryOperator.SIZE:
                if isinstance(inner, MessageSet):
                    return count(c, [there for there, _ in inner.messages])
                return count(c, cast(Members, inner).members.values())
            case UnaryOperator.MINIMUM | UnaryOperator.MAXIMUM:
                members = cast(Members, inner).members
                self.fail(c.some(members.values()) ^ 1)
                return extreme(c, members, largest=node.operator is UnaryOperator.MAXIMUM)
            case UnaryOperator.UNWRAP:
                optional = cast(Optional, inner)
                self.fail(optional.present ^ 1)
                return arbitrary(node.sort) if optional.value is None else optional.value

    # --------------------------------------------------------------------- places, sets, quantifiers

    def _hits(self, key: Symbolic, sort: Sort) -> list[Bit]:
        """Whether ``key`` is the first, second, … key of a map's domain; of none: an error."""
        hits = [equal(self.c, key, possible) for possible in constants(sort)]
        if not isinstance(key, int):
            self.fail(self.c.some(hits) ^ 1)
        return hits

    def _index(self, of: ir.Expr, key: ir.Expr, sort: Sort) -> Symbolic:
        inner, at = self.value(of), self.value(key)
        if isinstance(of.sort, MapSort):
            hits = self._hits(at, of.sort.key)
            places = list(zip(hits, cast(Product, inner).fields, strict=True))
            places = [(hit, value) for hit, value in places if hit != FALSE]
            return select(self.c, places) if places else arbitrary(sort)
        result, wrong = element(self.c, cast(Slots, inner), cast(Number, at))
        self.fail(wrong)
        return arbitrary(sort) if result is None else result

    def _update(self, node: ir.Update) -> Symbolic:
        c, inner, at = self.c, self.value(node.of), self.value(node.key)
        if isinstance(node.of.sort, MapSort):
            hits = self._hits(at, node.of.sort.key)
            new = self.value(node.value)
            fields = cast(Product, inner).fields
            return Product(tuple(choose(c, hit, new, old) for hit, old in zip(hits, fields, strict=True)))
        sequence, place = cast(Slots, inner), cast(Number, at)
        self.fail(between(c, number(1), place, sequence.length) ^ 1)
        new = self.value(node.value)
        slots = tuple(choose(c, is_number(c, place, i + 1), new, old) for i, old in enumerate(sequence.slots))
        return Slots(sequence.length, slots)

    def _make_map(self, name: str, value: ir.Expr, key: Sort) -> Product:
        fields = []
        for possible in constants(key):
            self.local[name] = possible
            fields.append(self.value(value))
        return Product(tuple(fields))

    def _quantified(self, node: ir.Quantified) -> Bit:
        c, exists = self.c, node.quantifier is ir.Quantifier.EXISTS
        decided, before = FALSE, self.path
        for there, value in self.elements(node.domain):
            self.path = c.every((before, there, decided ^ 1))
            self.local[node.name] = value
            body = self.boolean(node.body)
            decided = c.disjunction(decided, c.conjunction(there, body if exists else body ^ 1))
            if decided == TRUE:
                break
        self.path = before
        return decided if exists else decided ^ 1

    def _comprehension(self, node: ir.SetComprehension) -> Symbolic:
        c, before = self.c, self.path
        found: list[tuple[Bit, Symbolic]] = []
        for there, element_ in self.elements(node.domain):
            self.local[node.name] = element_
            self.path = c.conjunction(before, there)
            chosen = c.conjunction(there, self.boolean(node.condition))
            if chosen != FALSE:
                self.path = c.conjunction(before, chosen)
                found.append((chosen, self.value(node.value)))
        self.path = before
        of = cast(SetSort, node.sort).of
        if isinstance(of, MessageSort):
            if not (isinstance(node.value, ir.Local) and node.value.name == node.name):
                raise NotEncodable("a set of messages that is not a part of the network")
            return MessageSet(tuple((there, cast(Message, m)) for there, m in found))
        return members_of(c, found, of)


def _position(sort: Sort, name: str) -> int:
    if isinstance(sort, MessageSort):
        return sort.field_position(name) - 1  # the type's name is not among the symbolic fields
    assert isinstance(sort, RecordSort), sort
    return [field for field, _ in sort.fields].index(name)


__all__ = ["Frame"]
