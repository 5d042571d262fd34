"""Every expression of the IR as code that computes it: the same cases, in the same order, as spec.expressions.

A failing evaluation leaves for the frame's error block. Evaluation that may fail or is long is branched around where
the language does not evaluate it; the rest is computed and selected.
"""

from __future__ import annotations

from checker.explicit.emit_code import FALSE, TRUE, known, number
from checker.explicit.emit_collections import Collections
from checker.explicit.emit_comparing import chosen, equal, lies_in
from checker.explicit.emit_frame import Frame, read_value, region_of
from checker.explicit.emit_packing import converted, mapped
from checker.explicit.emit_positions import position
from checker.explicit.emit_values import (
    Atom,
    Bool,
    Emitted,
    Int,
    Map,
    Message,
    Optional,
    Record,
    Seq,
    Set,
    constant,
    parts,
    rebuilt,
    shape_of_emitted,
    zero,
)
from checker.explicit.errors import NotEncodable
from checker.explicit.layout import KindLayout
from checker.explicit.llvm import Ssa
from checker.explicit.shapes import (
    NEVER,
    IntShape,
    MapShape,
    NeverShape,
    OptionalShape,
    RecordShape,
    SeqShape,
    SetShape,
    Shape,
    joined,
    shape_of,
    within,
)
from spec import system as ir
from spec.sorts import IntSort, MapSort, MessageSort, OptionalSort, RecordSort, SeqSort, SetSort, Sort
from spec.system import Operator, UnaryOperator

_CHEAP = (ir.Literal, ir.Local, ir.Read, ir.Field, ir.Wrap, ir.IsUp, ir.PendingCount, ir.LabelIs)


def is_simple(node: ir.Expr) -> bool:
    """Whether it cannot fail and is cheap enough to be computed where the language does not ask for it."""
    match node:
        case ir.Literal() | ir.Local() | ir.LabelIs():
            return True
        case ir.Read(_, process):
            return process is None or is_simple(process)
        case ir.Field(of) | ir.Wrap(of) | ir.IsUp(of) | ir.PendingCount(of):
            return is_simple(of)
        case ir.Binary(operator, left, right):
            if operator in (Operator.DIVIDE, Operator.MODULO):
                return False
            return is_simple(left) and is_simple(right)
        case ir.Unary(operator_, of):
            fails = operator_ in (UnaryOperator.MINIMUM, UnaryOperator.MAXIMUM, UnaryOperator.UNWRAP)
            return not fails and is_simple(of)
        case ir.MakeSet(elements) | ir.MakeSeq(elements) | ir.MakeRecord(elements):
            return all(is_simple(element) for element in elements)
    return False


class Expressions(Collections):
    """Emits expressions in one frame."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.code = frame.code

    def fail_unless(self, condition: Ssa) -> None:
        self.code.go_on(condition, self.frame.error)

    def boolean(self, node: ir.Expr) -> Ssa:
        value = self.value(node)
        assert isinstance(value, Bool), node
        return value.bit

    def integer(self, node: ir.Expr) -> Int:
        value = self.value(node)
        assert isinstance(value, Int), node
        return value

    def value(self, node: ir.Expr) -> Emitted:
        code = self.code
        match node:
            case ir.Literal(literal, sort):
                return constant(sort, literal)
            case ir.Local(name):
                return self.frame.local[name]
            case ir.Read():
                return self._read(node)
            case ir.Field(of, name):
                return self._field(self.value(of), of.sort, name)
            case ir.Unary():
                return self._unary(node)
            case ir.Binary():
                return self._binary(node)
            case ir.IfElse(condition, then, otherwise):
                return self._if_else(self.boolean(condition), then, otherwise)
            case ir.LetIn(name, bound, body):
                self.frame.local[name] = self.value(bound)
                return self.value(body)
            case ir.Checked(of, sort):
                return self._checked(self.value(of), sort)
            case ir.Wrap(of):
                return Optional(TRUE, self.value(of))
            case ir.MakeSet(elements, sort):
                return self.make_set([self.value(element) for element in elements])
            case ir.MakeSeq(elements, sort):
                return self.make_seq([self.value(element) for element in elements])
            case ir.MakeRecord(fields):
                return Record(tuple(self.value(field) for field in fields))
            case ir.MakeMap():
                return self.make_map(node)
            case ir.IntRange(low, high):
                return self.int_range(self.integer(low), self.integer(high))
            case ir.Index():
                return self._index(node)
            case ir.Slice():
                return self._slice(node)
            case ir.Update():
                return self._update(node)
            case ir.WithField(of, name, new):
                record = self.value(of)
                assert isinstance(record, Record)
                at = _field_position(of.sort, name)
                changed = list(record.fields)
                changed[at] = self.value(new)
                return Record(tuple(changed))
            case ir.Quantified():
                return self.quantified(node)
            case ir.SetComprehension():
                return self.comprehension(node)
            case ir.IsUp(process, _, old):
                frame = self._frame(old)
                up = self.frame.layout.up
                index = self.process_index(process)
                if not self.frame.layout.crashes:
                    return Bool(TRUE)
                word = code.word(frame.state, up.pieces[0].word)
                shift = code.add(index, number(up.pieces[0].shift))
                return Bool(code.resize(code.low_bits(code.shift_right(word, shift), 1), TRUE.type))
            case ir.PendingCount(process, _, old):
                return self._pending_count(process, self._frame(old))
            case ir.MessagesIn():
                raise NotEncodable("a set of messages is only ranged over, counted, or tested for a message")
            case ir.LabelIs(rule):
                return self._label_is(rule)

    # --------------------------------------------------------------------------------------- variables

    def _frame(self, old: bool) -> Frame:
        if not old:
            return self.frame
        assert self.frame.old is not None, "old() outside an action invariant"
        return self.frame.old

    def process_index(self, process: ir.Expr) -> Ssa:
        """A process's position among all."""
        own = self.frame.own
        if own is not None and process == ir.Local("self", process.sort):
            return own.index
        atom = self.value(process)
        assert isinstance(atom, Atom)
        everyone = self.frame.layout.processes
        return mapped(self.code, atom.index, [everyone.index(name) for name in atom.elements])

    def _read(self, node: ir.Read) -> Emitted:
        frame, own, code = self._frame(node.old), self.frame.own, self.code
        if node.process is None:
            return frame.own_variable(node.variable)
        is_self = own is not None and node.process == ir.Local("self", node.process.sort)
        if is_self and node.layer is ir.Layer.MEMORY and not node.old:
            return frame.own_variable(node.variable)
        kind = self._kind_with(node.variable, node.process)
        if is_self and own is not None:
            local = own.local
        else:
            atom = self.value(node.process)
            assert isinstance(atom, Atom)
            members = kind.kind.sort.elements
            place = {name: i for i, name in enumerate(members)}
            local = mapped(code, atom.index, [place.get(name, 0) for name in atom.elements])
        base = region_of(code, kind, local)
        shape, where = kind.variables[node.variable]
        if node.layer is ir.Layer.DISK:
            return self._on_disk(frame, kind, base, node.variable)
        value = read_value(code, frame.state, base, where, shape)
        if frame.own is None or node.variable not in frame.cells or frame.own.layout is not kind:
            return value
        mine = code.is_equal(local, frame.own.local)
        return chosen(code, mine, frame.cells[node.variable].get(), value)

    def _kind_with(self, variable: str, process: ir.Expr) -> KindLayout:
        elements = getattr(process.sort, "elements", ())
        kinds = {self.frame.layout.kind_of[e].kind.name: self.frame.layout.kind_of[e] for e in elements}
        return next(kind for kind in kinds.values() if variable in kind.variables)

    def _on_disk(self, frame: Frame, kind: KindLayout, base: Ssa, variable: str) -> Emitted:
        record = read_value(self.code, frame.state, base, kind.disk, kind.record)
        assert isinstance(record, Record)
        return record.fields[self.durable(kind).index(variable)]

    def durable(self, kind: KindLayout) -> list[str]:
        variables = self.frame.layout.system.variables_of(kind.kind.name, ir.Storage.DURABLE)
        return [variable.name for variable in variables]

    def _pending_count(self, process: ir.Expr, frame: Frame) -> Emitted:
        code, layout = self.code, frame.layout
        index = self.process_index(process)
        names = {layout.kind_of[e].kind.name for e in getattr(process.sort, "elements", ())}
        result: Ssa = number(0)
        most = 0
        for kind in (kind for name, kind in layout.kinds.items() if name in names):
            if not kind.pending.width:
                continue
            local = code.sub(index, number(kind.first))
            inside: Ssa = TRUE
            if len(names) > 1:
                inside = code.both(
                    code.is_less_equal(number(0), local), code.is_less(local, number(len(kind.kind.sort.elements)))
                )
                local = code.select(inside, local, number(0))
            found = read_value(
                code, frame.state, region_of(code, kind, local), kind.pending, IntShape(0, len(kind.records))
            )
            assert isinstance(found, Int)
            result = code.select(inside, found.number, result)
            most = max(most, found.high)
        return Int(result, 0, most)

    def _label_is(self, rule: str) -> Emitted:
        label, result = self.frame.label, FALSE
        if label is None:
            return Bool(FALSE)
        for which in self.frame.rule_numbers.get(rule, []):
            result = self.code.either(result, self.code.is_equal(label, number(which)))
        return Bool(result)

    # --------------------------------------------------------------------------------------- structure

    def _field(self, of: Emitted, sort: Sort, name: str) -> Emitted:
        if isinstance(of, Message):
            assert isinstance(sort, MessageSort)
            return of.fields[of.sort.field_position(name) - 1]
        assert isinstance(of, Record)
        return of.fields[_field_position(sort, name)]

    def branches(self, condition: Ssa, then: ir.Expr, otherwise: ir.Expr) -> Emitted:
        """The value of the branch that the condition chooses; only that one is computed."""
        code = self.code
        yes, no, after = code.block(), code.block(), code.block()
        code.b.cbranch(condition, yes, no)
        code.b.position_at_end(yes)
        first = self.value(then)
        yes_end = code.b.block
        code.b.position_at_end(no)
        second = self.value(otherwise)
        shape = joined(shape_of_emitted(first), shape_of_emitted(second))
        second_parts = parts(converted(code, second, shape))
        no_end = code.b.block
        code.b.branch(after)
        code.b.position_at_end(yes_end)
        first_parts = parts(converted(code, first, shape))
        yes_end = code.b.block
        code.b.branch(after)
        code.b.position_at_end(after)
        machine = []
        for a, b in zip(first_parts, second_parts, strict=True):
            phi = code.b.phi(a.type)
            phi.add_incoming(a, yes_end)
            phi.add_incoming(b, no_end)
            machine.append(phi)
        return rebuilt(shape, machine)

    def _if_else(self, condition: Ssa, then: ir.Expr, otherwise: ir.Expr) -> Emitted:
        value = known(condition)
        if value is not None:
            return self.value(then if value else otherwise)
        if is_simple(then) and is_simple(otherwise):
            first = self.value(then)
            return chosen(self.code, condition, first, self.value(otherwise))
        return self.branches(condition, then, otherwise)

    def _checked(self, value: Emitted, sort: Sort) -> Emitted:
        if isinstance(value, Message):
            return value
        shape = _limited(sort, shape_of_emitted(value))
        if within(shape_of_emitted(value), shape):
            return value
        self.fail_unless(lies_in(self.code, value, shape))
        if isinstance(value, Int) and isinstance(shape, IntShape):
            return Int(value.number, max(value.low, shape.low), min(value.high, shape.high))
        return converted(self.code, value, shape)

    def _index(self, node: ir.Index) -> Emitted:
        of = self.value(node.of)
        key = self.value(node.key)
        assert isinstance(of, Seq | Map)
        return self.element(of, self.place_in(of, key))

    def place_in(self, of: Seq | Map, key: Emitted) -> Ssa:
        """The slot of a sequence's index or a map's key; fails where there is none."""
        code = self.code
        if isinstance(of, Seq):
            assert isinstance(key, Int)
            self.fail_unless(code.is_less_equal(number(1), key.number) if key.low < 1 else TRUE)
            self.fail_unless(code.is_less_equal(key.number, of.length))
            return code.sub(key.number, number(1))
        if not within(shape_of_emitted(key), of.key):
            self.fail_unless(lies_in(code, key, of.key))
        return position(code, converted(code, key, of.key), of.key)

    def _slice(self, node: ir.Slice) -> Emitted:
        of = self.value(node.of)
        assert isinstance(of, Seq)
        low, high = self.integer(node.low), self.integer(node.high)
        return self.slice(of, low.number, high.number)

    def _update(self, node: ir.Update) -> Emitted:
        of = self.value(node.of)
        key = self.value(node.key)
        assert isinstance(of, Seq | Map)
        place = self.place_in(of, key)
        return self.updated(of, place, self.value(node.value))

    # --------------------------------------------------------------------------------------- operators

    def _unary(self, node: ir.Unary) -> Emitted:
        code, operator = self.code, node.operator
        if operator is UnaryOperator.SIZE and isinstance(node.of, ir.MessagesIn):
            return self.count_messages(node.of)
        if operator is UnaryOperator.SIZE and isinstance(node.of, ir.IntRange):
            low, high = self.integer(node.of.low), self.integer(node.of.high)
            size = code.sub(code.add(high.number, number(1)), low.number)
            most = max(0, high.high - low.low + 1)
            return Int(code.select(code.is_less(size, number(0)), number(0), size), 0, most)
        of = self.value(node.of)
        match operator, of:
            case UnaryOperator.NOT, Bool(bit):
                return Bool(code.negation(bit))
            case UnaryOperator.NEGATE, Int(value, low_, high_):
                return _int(code.sub(number(0), value), -high_, -low_)
            case UnaryOperator.LENGTH, Seq(length, _, _, capacity):
                return Int(length, 0, capacity)
            case UnaryOperator.SIZE, Set():
                return self.size(of)
            case ((UnaryOperator.MINIMUM | UnaryOperator.MAXIMUM), Set(mask, shape)):
                self.fail_unless(code.negation(self.is_empty(of)))
                if not isinstance(shape, IntShape):
                    assert shape == NEVER
                    return Int(number(0), 0, 0)
                at = code.lowest(mask) if operator is UnaryOperator.MINIMUM else code.highest(mask)
                return Int(code.add(at, number(shape.low)), shape.low, shape.high)
            case UnaryOperator.UNWRAP, Optional(present, inner):
                self.fail_unless(present)
                return _unreachable(node.sort) if inner is None else inner
        raise AssertionError(f"{operator} of {type(of).__name__}")

    def _binary(self, node: ir.Binary) -> Emitted:
        operator = node.operator
        if operator in (Operator.AND, Operator.OR, Operator.IMPLIES):
            return self._logic(operator, node.left, node.right)
        if operator is Operator.IN:
            return Bool(self.is_in(node.left, node.right))
        left, right = self.value(node.left), self.value(node.right)
        match operator:
            case Operator.EQUAL:
                return Bool(equal(self.code, left, right))
            case Operator.NOT_EQUAL:
                return Bool(self.code.negation(equal(self.code, left, right)))
            case Operator.SUBSET | Operator.UNION | Operator.INTERSECT | Operator.DIFFERENCE:
                assert isinstance(left, Set)
                assert isinstance(right, Set)
                return self.set_operation(operator, left, right)
            case Operator.CONCAT:
                assert isinstance(left, Seq)
                assert isinstance(right, Seq)
                return self.concatenated(left, right)
        assert isinstance(left, Int)
        assert isinstance(right, Int)
        return self._arithmetic(operator, left, right)

    def _logic(self, operator: Operator, left: ir.Expr, right: ir.Expr) -> Emitted:
        code = self.code
        first = self.boolean(left)
        if operator is Operator.IMPLIES:
            first = code.negation(first)
        decides = operator is not Operator.AND  # the value of the left side that decides, and the result then
        if known(first) is not None:
            return Bool(first) if bool(known(first)) == decides else Bool(self.boolean(right))
        if is_simple(right):
            second = self.boolean(right)
            return Bool(code.disjunction(first, second) if decides else code.conjunction(first, second))
        before, more, after = code.b.block, code.block(), code.block()
        code.b.cbranch(first, after, more) if decides else code.b.cbranch(first, more, after)
        code.b.position_at_end(more)
        second = self.boolean(right)
        end = code.b.block
        code.b.branch(after)
        code.b.position_at_end(after)
        phi = code.b.phi(TRUE.type)
        phi.add_incoming(TRUE if decides else FALSE, before)
        phi.add_incoming(second, end)
        return Bool(phi)

    def _arithmetic(self, operator: Operator, left: Int, right: Int) -> Emitted:
        code, a, b = self.code, left.number, right.number
        match operator:
            case Operator.ADD:
                return _int(code.add(a, b), left.low + right.low, left.high + right.high)
            case Operator.SUBTRACT:
                return _int(code.sub(a, b), left.low - right.high, left.high - right.low)
            case Operator.MULTIPLY:
                corners = [x * y for x in (left.low, left.high) for y in (right.low, right.high)]
                return _int(code.mul(a, b), min(corners), max(corners))
            case Operator.MIN:
                lower = code.is_less(a, b)
                return Int(code.select(lower, a, b), min(left.low, right.low), min(left.high, right.high))
            case Operator.MAX:
                higher = code.is_less(b, a)
                return Int(code.select(higher, a, b), max(left.low, right.low), max(left.high, right.high))
            case Operator.LESS:
                return Bool(code.is_less(a, b))
            case Operator.LESS_EQUAL:
                return Bool(code.is_less_equal(a, b))
            case Operator.GREATER:
                return Bool(code.is_less(b, a))
            case Operator.GREATER_EQUAL:
                return Bool(code.is_less_equal(b, a))
        return self._division(operator, left, right)

    def _division(self, operator: Operator, left: Int, right: Int) -> Emitted:
        """Floor division and its remainder, which has the divisor's sign."""
        code, a, b = self.code, left.number, right.number
        self.fail_unless(code.negation(code.is_equal(b, number(0))))
        quotient, remainder = code.b.sdiv(a, b), code.b.srem(a, b)
        there = code.negation(code.is_equal(remainder, number(0)))
        opposite = code.is_less(code.b.xor(remainder, b), number(0))
        down = code.both(there, opposite)
        if operator is Operator.MODULO:
            result = code.select(down, code.add(remainder, b), remainder)
            return _int(result, min(0, right.low + 1), max(0, right.high - 1))
        result = code.select(down, code.sub(quotient, number(1)), quotient)
        most = max(abs(left.low), abs(left.high))
        low = 0 if left.low >= 0 and right.low >= 0 else -most
        return _int(result, low, most)


def _int(value: Ssa, low: int, high: int) -> Int:
    IntShape(low, high)  # raises NotEncodable if 64 bits may not hold it
    return Int(number(low) if low == high else value, low, high)


def _field_position(sort: Sort, name: str) -> int:
    assert isinstance(sort, RecordSort)
    return [field for field, _ in sort.fields].index(name)


def _unreachable(sort: Sort) -> Emitted:
    """Some value, after an evaluation that has failed."""
    found = zero(IntShape(0, 0) if isinstance(sort, IntSort) else shape_of(sort))
    assert found is not None
    return found


def _limited(sort: Sort, shape: Shape) -> Shape:
    """The shape of the sort; where that is without bounds, those of a value of ``shape``."""
    match sort, shape:
        case _, NeverShape():
            return shape
        case IntSort(low), IntShape():
            return shape if low is None else shape_of(sort)
        case OptionalSort(of), OptionalShape(inner):
            return OptionalShape(_limited(of, inner))
        case SetSort(of), SetShape(inner):
            return SetShape(_limited(of, inner))
        case SeqSort(of, capacity), SeqShape(inner, most):
            return SeqShape(_limited(of, inner), most if capacity is None else capacity)
        case MapSort(_, of), MapShape(key, inner):
            return MapShape(key, _limited(of, inner))
        case RecordSort(_, fields), RecordShape(inners):
            return RecordShape(tuple(_limited(f, inner) for (_, f), inner in zip(fields, inners, strict=True)))
    return shape_of(sort)


__all__ = ["Expressions", "is_simple"]
