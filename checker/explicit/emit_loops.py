"""Loops over sets as code: quantifiers, comprehensions, maps."""

from __future__ import annotations

from collections.abc import Callable

from checker.explicit.emit_code import Code
from checker.explicit.emit_evaluation import Evaluation
from checker.explicit.emit_messages import each_message
from checker.explicit.emit_packing import packed
from checker.explicit.emit_positions import at_position, position
from checker.explicit.emit_types import FALSE, TRUE, known, number, register
from checker.explicit.emit_values import Bool, Emitted, Int, Map, Set, shape_of_emitted
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import NEVER, NeverShape, Shape, bits, count, shape_of
from spec import system as nodes
from spec.sorts import MapSort
from spec.system import Quantifier


def each(evaluation: Evaluation, domain: nodes.Expr, body: Callable[[Emitted], None]) -> None:
    """``body`` for every element of a set, in domain order."""
    code = evaluation.code
    if isinstance(domain, nodes.MessagesIn):
        each_message(evaluation, domain, body)
        return
    if isinstance(domain, nodes.IntRange):
        low, high = evaluation.integer(domain.low), evaluation.integer(domain.high)
        if low.low <= high.high:
            code.for_range(low.number, high.number, lambda i: body(Int(i, low.low, high.high)))
        return
    members = evaluation.value(domain)
    assert isinstance(members, Set)
    shape = members.of
    if isinstance(shape, NeverShape):
        return
    if known(members.mask) == (1 << count(shape)) - 1:
        last = number(count(shape) - 1)
        code.for_range(number(0), last, lambda i: body(at_position(code, i, shape)))
    else:
        code.for_ones(members.mask, lambda i: body(at_position(code, i, shape)))


def quantified(evaluation: Evaluation, node: nodes.Quantified) -> Bool:
    code = evaluation.code
    decides = node.quantifier is Quantifier.EXISTS
    done = code.block()
    decided: list[object] = []

    def body(element: Emitted) -> None:
        evaluation.frame.local[node.name] = element
        holds = evaluation.boolean(node.body)
        decided.append(code.b.block)
        code.leave_if(holds if decides else code.negation(holds), done)
        if code.b.block is decided[-1]:  # a constant that does not decide
            decided.pop()

    each(evaluation, node.domain, body)
    end = code.b.block
    code.b.branch(done)
    code.b.position_at_end(done)
    phi = code.b.phi(TRUE.type)
    phi.add_incoming(FALSE if decides else TRUE, end)
    for block in decided:
        phi.add_incoming(TRUE if decides else FALSE, block)
    return Bool(phi)


def comprehension(evaluation: Evaluation, node: nodes.SetComprehension) -> Set:
    """The shape of the elements is known when the loop's body has been written; the mask is as wide then."""
    code = evaluation.code
    found: list[tuple[Ssa, Shape]] = []

    def body(element: Emitted) -> None:
        evaluation.frame.local[node.name] = element

        def add() -> None:
            value = evaluation.value(node.value)
            shape = shape_of_emitted(value)
            cell = code.cell(register(count(shape)))
            found.append((cell, shape))
            type_ = register(count(shape))
            one = code.shift_left(ir.Constant(type_, 1), position(code, value, shape))
            code.put(cell, code.either(code.get(cell, type_), one))

        code.if_(evaluation.boolean(node.condition), add)

    start = _loop_with_start(code, lambda: each(evaluation, node.domain, body))
    if not found:
        return Set(ir.Constant(register(0), 0), NEVER)
    ((cell, shape),) = found
    type_ = register(count(shape))
    start.store(ir.Constant(type_, 0), cell, align=8)
    return Set(code.get(cell, type_), shape)


def make_map(evaluation: Evaluation, node: nodes.MakeMap) -> Map:
    code = evaluation.code
    assert isinstance(node.sort, MapSort)
    key = shape_of(node.sort.key)
    found: list[tuple[Ssa, Shape]] = []

    def body(place: Ssa) -> None:
        evaluation.frame.local[node.name] = at_position(code, place, key)
        value = evaluation.value(node.value)
        shape = shape_of_emitted(value)
        type_ = register(count(key) * bits(shape))
        cell = code.cell(type_)
        found.append((cell, shape))
        at = code.mul(place, number(bits(shape)))
        part = code.shift_left(code.resize(packed(code, value, shape), type_), at)
        code.put(cell, code.either(code.get(cell, type_), part))

    start = _loop_with_start(code, lambda: code.for_range(number(0), number(count(key) - 1), body))
    ((cell, shape),) = found
    type_ = register(count(key) * bits(shape))
    start.store(ir.Constant(type_, 0), cell, align=8)
    return Map(code.get(cell, type_), key, shape)


def _loop_with_start(code: Code, loop: Callable[[], None]) -> ir.IRBuilder:
    """Writes the loop; the builder that is returned stands right before it."""
    start, rest = code.block(), code.block()
    code.b.branch(start)
    builder = ir.IRBuilder(start)
    builder.branch(rest)
    builder.position_before(start.terminator)
    code.b.position_at_end(rest)
    loop()
    return builder
