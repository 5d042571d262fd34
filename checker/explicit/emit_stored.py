"""The check of a value that is stored or sent: a cut above a bound or a capacity, an error outside its sort."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from checker.explicit.emit_code import Code
from checker.explicit.emit_comparing import lies_in
from checker.explicit.emit_expressions import Expressions
from checker.explicit.emit_packing import converted
from checker.explicit.emit_positions import at_position, element_of, with_element
from checker.explicit.emit_sequences import place_in, updated
from checker.explicit.emit_types import number
from checker.explicit.emit_values import Emitted, Int, Map, Message, Optional, Record, Seq, Set, shape_of_emitted
from checker.explicit.llvm import Ssa
from checker.explicit.shapes import NEVER, SetShape, count, shape_of, within
from spec import system as nodes
from spec.sorts import IntSort, MapSort, OptionalSort, RecordSort, SeqSort, SetSort, Sort
from spec.type_loops import is_symmetric

Round = TypeVar("Round")


class Storing(Protocol):
    """What the check asks of the transition that it is part of."""

    code: Code
    expressions: Expressions

    def cut_unless(self, condition: Ssa, bound: str) -> None: ...

    def rounds(
        self, symmetric: bool, each: Callable[[Callable[[Round], None]], None], body: Callable[[Round], None]
    ) -> None: ...


def stored(running: Storing, node: nodes.Expr, sort: Sort, what: str) -> Emitted:
    """The value of an expression, checked for being stored. What an update leaves as it was is not checked again:
    nothing is evaluated between the new part and the check."""
    expressions, code = running.expressions, running.code
    if isinstance(node, nodes.Update) and isinstance(sort, MapSort | SeqSort):
        shape = shape_of(sort)
        of = expressions.value(node.of)
        if within(shape_of_emitted(of), shape):
            whole = converted(code, of, shape)
            assert isinstance(whole, Seq | Map)
            key = expressions.value(node.key)
            place = place_in(expressions, whole, key)
            inner = sort.value if isinstance(sort, MapSort) else sort.of
            return with_element(code, whole, place, stored(running, node.value, inner, what))
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
            fields[at] = stored(running, node.value, sort.fields[at][1], f"{what}.{node.name}")
            return converted(code, Record(tuple(fields)), shape_of(sort))
        changed = list(of.fields)
        changed[at] = expressions.value(node.value)
        value = Record(tuple(changed))
    else:
        value = expressions.value(node)
    check(running, value, sort, what)
    return converted(code, value, shape_of(sort))


def check(running: Storing, value: Emitted, sort: Sort, what: str) -> None:
    """Cuts above a model's bound or over a capacity; an error out of the sort otherwise."""
    code = running.code
    if isinstance(value, Message) or within(shape_of_emitted(value), shape_of(sort)):
        return
    match value, sort:
        case Int(value_, lowest, highest), IntSort(int() as low, int() as high, cut_above):
            if highest > high:
                below = code.is_less_equal(value_, number(high))
                if cut_above:
                    running.cut_unless(below, f"{what} <= {high}")
                else:
                    running.expressions.fail_unless(below)
            if lowest < low:
                running.expressions.fail_unless(code.is_less_equal(number(low), value_))
        case Optional(present, inner), OptionalSort(of):
            if inner is not None:
                code.if_(present, lambda: check(running, inner, of, what))
        case Record(fields), RecordSort(_, sorts):
            for field_, (name, sort_) in zip(fields, sorts, strict=True):
                check(running, field_, sort_, f"{what}.{name}")
        case Seq(length, _, element, capacity), SeqSort(of, int() as most):
            if capacity > most:
                running.cut_unless(code.is_less_equal(length, number(most)), f"len({what}) <= {most}")
            if element != NEVER and not within(element, shape_of(of)):
                last = code.sub(length, number(1))
                code.for_range(number(0), last, lambda i: check(running, element_of(code, value, i), of, what))
        case Map(_, key, _), MapSort(keys, of):
            last = number(count(key) - 1)
            running.rounds(
                is_symmetric(keys),
                lambda body: code.for_range(number(0), last, body) and None,
                lambda i: check(running, element_of(code, value, i), of, what),
            )
        case Set(mask, element), SetSort(of):
            good = converted(code, converted(code, value, shape_of(sort)), SetShape(element))
            assert isinstance(good, Set)
            bad = code.b.xor(mask, good.mask)  # the least element out of the sort decides
            running.rounds(
                is_symmetric(of),
                lambda body: code.for_ones(bad, body),
                lambda i: check(running, at_position(code, i, element), of, what),
            )
        case _:
            running.expressions.fail_unless(lies_in(code, value, shape_of(sort)))
