"""Sequences and maps as code: made, joined, looked at and changed in one place."""

from __future__ import annotations

from checker.explicit.emit_code import Code
from checker.explicit.emit_comparing import lies_in
from checker.explicit.emit_evaluation import Evaluation
from checker.explicit.emit_packing import converted, packed
from checker.explicit.emit_positions import element_of, position, with_element
from checker.explicit.emit_types import TRUE, number, register
from checker.explicit.emit_values import Emitted, Int, Map, Seq, shape_of_emitted
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import NEVER, MapShape, SeqShape, Shape, bits, joined, joined_all, within
from spec import system as nodes


def make_seq(code: Code, elements: list[Emitted]) -> Seq:
    shape = joined_all([shape_of_emitted(element) for element in elements])
    type_ = register(len(elements) * bits(shape))
    slots = ir.Constant(type_, 0)
    for i, element in enumerate(elements):
        part = code.resize(packed(code, converted(code, element, shape), shape), type_)
        slots = code.either(slots, code.shift_left(part, ir.Constant(type_, i * bits(shape))))
    return Seq(number(len(elements)), slots, shape, len(elements))


def concatenated(code: Code, left: Seq, right: Seq) -> Seq:
    shape = joined(left.of, right.of)
    capacity = left.capacity + right.capacity
    a = converted(code, left, SeqShape(shape, capacity))
    b = converted(code, right, SeqShape(shape, capacity))
    assert isinstance(a, Seq)
    assert isinstance(b, Seq)
    shifted = code.shift_left(b.slots, code.mul(a.length, number(bits(shape))))
    return Seq(code.add(a.length, b.length), code.either(a.slots, shifted), shape, capacity)


def sliced(evaluation: Evaluation, of: Seq, low: Ssa, high: Ssa) -> Seq:
    code, width = evaluation.code, bits(of.of)
    size = code.sub(code.add(high, number(1)), low)
    empty = code.is_less_equal(size, number(0))
    good = code.both(code.is_less_equal(number(1), low), code.is_less_equal(high, of.length))
    evaluation.fail_unless(code.either(empty, good))
    size = code.select(empty, number(0), size)
    first = code.select(empty, number(0), code.sub(low, number(1)))
    moved = code.shift_right(of.slots, code.mul(first, number(width)))
    slots = code.both(moved, code.ones(moved.type, code.mul(size, number(width))))
    return Seq(size, slots, of.of, of.capacity)


def element_or_any(code: Code, of: Seq | Map, place: Ssa) -> Emitted:
    if of.of == NEVER:  # the check that there is such a place has failed
        return Int(number(0), 0, 0)
    return element_of(code, of, place)


def updated(code: Code, of: Seq | Map, place: Ssa, new: Emitted) -> Seq | Map:
    shape = joined(of.of, shape_of_emitted(new))
    whole: Shape = SeqShape(shape, of.capacity) if isinstance(of, Seq) else MapShape(of.key, shape)
    wide = converted(code, of, whole)
    assert isinstance(wide, Seq | Map)
    return with_element(code, wide, place, converted(code, new, shape))


def place_in(evaluation: Evaluation, of: Seq | Map, key: Emitted) -> Ssa:
    """The slot of a sequence's index or a map's key; fails where there is none."""
    code = evaluation.code
    if isinstance(of, Seq):
        assert isinstance(key, Int)
        evaluation.fail_unless(code.is_less_equal(number(1), key.number) if key.low < 1 else TRUE)
        evaluation.fail_unless(code.is_less_equal(key.number, of.length))
        return code.sub(key.number, number(1))
    if not within(shape_of_emitted(key), of.key):
        evaluation.fail_unless(lies_in(code, key, of.key))
    return position(code, converted(code, key, of.key), of.key)


def indexed(evaluation: Evaluation, node: nodes.Index) -> Emitted:
    of = evaluation.value(node.of)
    key = evaluation.value(node.key)
    assert isinstance(of, Seq | Map)
    return element_or_any(evaluation.code, of, place_in(evaluation, of, key))


def slice_of(evaluation: Evaluation, node: nodes.Slice) -> Emitted:
    of = evaluation.value(node.of)
    assert isinstance(of, Seq)
    low, high = evaluation.integer(node.low), evaluation.integer(node.high)
    return sliced(evaluation, of, low.number, high.number)


def update(evaluation: Evaluation, node: nodes.Update) -> Emitted:
    of = evaluation.value(node.of)
    key = evaluation.value(node.key)
    assert isinstance(of, Seq | Map)
    place = place_in(evaluation, of, key)
    return updated(evaluation.code, of, place, evaluation.value(node.value))
