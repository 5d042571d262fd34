"""Types of structured expressions: subscripts, conditionals, displays, builders and quantifiers."""

from __future__ import annotations

from spec import type_operators
from spec.sorts import (
    BOOL,
    INT,
    MapSort,
    OptionalSort,
    SeqSort,
    SetSort,
    Sort,
)
from spec.syntax import (
    Binder,
    Conditional,
    Expression,
    MapBuilder,
    NoneLiteral,
    SeqDisplay,
    SetBuilder,
    SetDisplay,
    Subscript,
)
from spec.system import (
    Expr,
    IfElse,
    Index,
    Literal,
    MakeMap,
    MakeSeq,
    MakeSet,
    Quantified,
    Quantifier,
    SetComprehension,
    Slice,
)
from spec.type_scope import Scope, is_open
from spec.type_sorts import (
    described,
    joined,
    same_domain,
)


def subscript(node: Subscript, scope: Scope, expected: Sort | None) -> Expr | None:
    of = scope.typed(node.of, expected if node.high is not None else None)
    if node.high is not None:
        low, high = scope.stored(node.key, INT, "a slice's bound"), scope.stored(node.high, INT, "a slice's bound")
        if of is not None and not isinstance(of.sort, SeqSort):
            message = f"only a sequence has slices; this is {described(of.sort)}"
            scope.report.error("S307", node.of.place, message, "a set is filtered: `{x for x in s if …}`")
            return None
        return None if of is None or low is None or high is None else Slice(of, low, high, of.sort, node.place)
    match None if of is None else of.sort:
        case None:
            scope.skim(node.key)
            return None
        case SeqSort(element):
            key = scope.stored(node.key, INT, "a sequence's index")
            return None if of is None or key is None else Index(of, key, element, node.place)
        case MapSort(key_sort, value):
            key = scope.stored(node.key, key_sort, "the map's key")
            return None if of is None or key is None else Index(of, key, value, node.place)
        case sort:
            scope.skim(node.key)
            hint = "check that it is not none, then write `the(x)[…]`" if isinstance(sort, OptionalSort) else None
            message = f"only sequences and maps are indexed; this is {described(sort)}"
            scope.report.error("S307", node.of.place, message, hint or "`x in s` tests a set")
            return None


def conditional(node: Conditional, scope: Scope, expected: Sort | None) -> Expr | None:
    condition = scope.condition(node.condition, "the condition of `if`")
    branches = type_operators.pair(node.then, node.otherwise, scope, expected)
    if branches is None:
        return None
    then, otherwise = branches
    united = type_operators.unified(then, otherwise)
    if united is None:
        message = f"the branches of `if` differ: {described(then.sort)} and {described(otherwise.sort)}"
        scope.report.error("S302", node.otherwise.place, message, "both branches need one type")
        return None
    then, otherwise = united
    return None if condition is None else IfElse(condition, then, otherwise, joined(then.sort, otherwise.sort))


def set_display(node: SetDisplay, scope: Scope, expected: Sort | None) -> Expr | None:
    want = expected.of if isinstance(expected, SetSort) else None
    elements = _elements(node, scope, want, "a set")
    if elements is None:
        return None
    parts, sort = elements
    return MakeSet(parts, SetSort(sort))


def seq_display(node: SeqDisplay, scope: Scope, expected: Sort | None) -> Expr | None:
    want = expected.of if isinstance(expected, SeqSort) else None
    elements = _elements(node, scope, want, "a sequence")
    if elements is None:
        return None
    parts, sort = elements
    capacity = len(parts)
    if isinstance(expected, SeqSort) and expected.capacity is not None:
        capacity = max(capacity, expected.capacity)
    return MakeSeq(parts, SeqSort(sort, capacity))


def _elements(
    node: SetDisplay | SeqDisplay, scope: Scope, want: Sort | None, what: str
) -> tuple[tuple[Expr, ...], Sort] | None:
    """The elements of a display and their sort: the wanted one, or what they have in common."""
    if want is None and not node.elements:
        brackets = "{}" if isinstance(node, SetDisplay) else "[]"
        hint = "compare or assign it, or give it an element"
        scope.report.error("S308", node.place, f"nothing here tells of what type this `{brackets}` is", hint)
        return None
    if want is None:
        closed = next((e for e in node.elements if not is_open(e)), node.elements[0])
        first = scope.typed(closed)
        if first is None:
            return None
        want = first.sort
        if any(isinstance(e, NoneLiteral) for e in node.elements) and not isinstance(want, OptionalSort):
            want = OptionalSort(want)
        parts = [scope.stored(element, want, f"an element of {what}") for element in node.elements]
        common = None
        for part in parts:
            common = None if part is None else part.sort if common is None else joined(common, part.sort)
        want = common or want
    else:
        parts = [scope.stored(element, want, f"an element of {what}") for element in node.elements]
    known = tuple(part for part in parts if part is not None)
    return (known, want) if len(known) == len(parts) else None


def set_builder(node: SetBuilder, scope: Scope, expected: Sort | None) -> Expr | None:
    found = domain_set(node.domain, scope, "a set builder")
    name, inner = scope.bind(node.name, None if found is None else found[1])
    condition: Expr | None = Literal(True, BOOL)
    if node.condition is not None:
        condition = inner.condition(node.condition, "a set builder's `if`")
    value = inner.typed(node.value, expected.of if isinstance(expected, SetSort) else None)
    if found is None or condition is None or value is None:
        return None
    return SetComprehension(name, found[0], condition, value, SetSort(value.sort))


def map_builder(node: MapBuilder, scope: Scope, expected: Sort | None) -> Expr | None:
    key = scope.environment.sort_of(node.domain)
    name, inner = scope.bind(node.key, key)
    if isinstance(expected, MapSort) and key is not None and not same_domain(key, expected.key):
        inner.skim(node.value)
        message = f"the keys are {described(expected.key)}; this map has {described(key)}"
        scope.report.error("S301", node.domain.place, message, f"write `for {node.key} in {expected.key}`")
        return None
    if isinstance(expected, MapSort):
        value = inner.stored(node.value, expected.value, "the map's value")
        return None if value is None or key is None else MakeMap(name, value, expected)
    value = inner.typed(node.value)
    if key is not None and not scope.environment.enumerable(key, node.domain.place, "to be a map's keys"):
        return None
    return None if value is None or key is None else MakeMap(name, value, MapSort(key, value.sort))


def quantified(quantifier: Quantifier, binders: tuple[Binder, ...], body: Expression, scope: Scope) -> Expr | None:
    if not binders:
        return scope.condition(body, f"the body of `{quantifier.value}`")
    first, *rest = binders
    found = domain_set(first.domain, scope, f"`{quantifier.value}`")
    name, inner = scope.bind(first.name, None if found is None else found[1])
    inside = quantified(quantifier, tuple(rest), body, inner)
    if found is None or inside is None:
        return None
    return Quantified(quantifier, name, found[0], inside, BOOL)


def domain_set(node: Expression, scope: Scope, what: str) -> tuple[Expr, Sort] | None:
    """A set to range over, and the sort of its elements."""
    over = scope.typed(node)
    if over is None:
        return None
    if isinstance(over.sort, SetSort):
        return over, over.sort.of
    hint = (
        "`1..len(x)` ranges over a sequence"
        if isinstance(over.sort, SeqSort)
        else "write a set, a type's name, or `a..b`"
    )
    scope.report.error("S309", node.place, f"{what} ranges over a set; this is {described(over.sort)}", hint)
    return None
