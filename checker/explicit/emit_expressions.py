"""Every expression of the IR as code that computes it: the same cases, in the same order, as spec.expressions.

A failing evaluation leaves for the frame's error block. Evaluation that may fail or is long is branched around where
the language does not evaluate it; the rest is computed and selected.
"""

from __future__ import annotations

from checker.explicit.emit_comparing import chosen, lies_in
from checker.explicit.emit_evaluation import is_simple
from checker.explicit.emit_frame import Frame
from checker.explicit.emit_loops import comprehension, make_map, quantified
from checker.explicit.emit_operators import binary, unary
from checker.explicit.emit_packing import converted
from checker.explicit.emit_reads import frame_of, is_up, label_is, pending_count, read_variable
from checker.explicit.emit_sequences import indexed, make_seq, slice_of, update
from checker.explicit.emit_sets import int_range, make_set
from checker.explicit.emit_types import TRUE, known
from checker.explicit.emit_values import (
    Bool,
    Emitted,
    Int,
    Message,
    Optional,
    Record,
    constant,
    parts,
    rebuilt,
    shape_of_emitted,
)
from checker.explicit.errors import NotEncodable
from checker.explicit.llvm import Ssa
from checker.explicit.shapes import (
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
from spec import system as nodes
from spec.sorts import IntSort, MapSort, MessageSort, OptionalSort, RecordSort, SeqSort, SetSort, Sort


class Expressions:
    """Emits expressions in one frame."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.code = frame.code

    def fail_unless(self, condition: Ssa) -> None:
        self.code.go_on(condition, self.frame.error)

    def boolean(self, node: nodes.Expr) -> Ssa:
        value = self.value(node)
        assert isinstance(value, Bool), node
        return value.bit

    def integer(self, node: nodes.Expr) -> Int:
        value = self.value(node)
        assert isinstance(value, Int), node
        return value

    def value(self, node: nodes.Expr) -> Emitted:
        match node:
            case nodes.Literal(literal, sort):
                return constant(sort, literal)
            case nodes.Local(name):
                return self.frame.local[name]
            case nodes.Read():
                return read_variable(self, node)
            case nodes.Field(of, name):
                return self._field(self.value(of), of.sort, name)
            case nodes.Unary():
                return unary(self, node)
            case nodes.Binary():
                return binary(self, node)
            case nodes.IfElse(condition, then, otherwise):
                return self._if_else(self.boolean(condition), then, otherwise)
            case nodes.LetIn(name, bound, body):
                self.frame.local[name] = self.value(bound)
                return self.value(body)
            case nodes.Checked(of, sort):
                return self._checked(self.value(of), sort)
            case nodes.Wrap(of):
                return Optional(TRUE, self.value(of))
            case nodes.MakeSet(elements, sort):
                return make_set(self.code, [self.value(element) for element in elements])
            case nodes.MakeSeq(elements, sort):
                return make_seq(self.code, [self.value(element) for element in elements])
            case nodes.MakeRecord(fields):
                return Record(tuple(self.value(field) for field in fields))
            case nodes.MakeMap():
                return make_map(self, node)
            case nodes.IntRange(low, high):
                return int_range(self.code, self.integer(low), self.integer(high))
            case nodes.Index():
                return indexed(self, node)
            case nodes.Slice():
                return slice_of(self, node)
            case nodes.Update():
                return update(self, node)
            case nodes.WithField(of, name, new):
                record = self.value(of)
                assert isinstance(record, Record)
                at = _field_position(of.sort, name)
                changed = list(record.fields)
                changed[at] = self.value(new)
                return Record(tuple(changed))
            case nodes.Quantified():
                return quantified(self, node)
            case nodes.SetComprehension():
                return comprehension(self, node)
            case nodes.IsUp():
                return is_up(self, node)
            case nodes.PendingCount(process, _, old):
                return pending_count(self, process, frame_of(self, old))
            case nodes.MessagesIn():
                raise NotEncodable("a set of messages is only ranged over, counted, or tested for a message")
            case nodes.LabelIs(rule):
                return label_is(self, rule)

    def _field(self, of: Emitted, sort: Sort, name: str) -> Emitted:
        if isinstance(of, Message):
            assert isinstance(sort, MessageSort)
            return of.fields[of.sort.field_position(name) - 1]
        assert isinstance(of, Record)
        return of.fields[_field_position(sort, name)]

    def _if_else(self, condition: Ssa, then: nodes.Expr, otherwise: nodes.Expr) -> Emitted:
        value = known(condition)
        if value is not None:
            return self.value(then if value else otherwise)
        if is_simple(then) and is_simple(otherwise):
            first = self.value(then)
            return chosen(self.code, condition, first, self.value(otherwise))
        return self._branches(condition, then, otherwise)

    def _branches(self, condition: Ssa, then: nodes.Expr, otherwise: nodes.Expr) -> Emitted:
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


def _field_position(sort: Sort, name: str) -> int:
    assert isinstance(sort, RecordSort)
    return [field for field, _ in sort.fields].index(name)


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
