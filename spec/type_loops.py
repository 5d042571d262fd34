"""Loops over symmetric sets: their rounds must commute, because no order of the elements is special."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from spec.sorts import AtomSort, IntSort, MapSort, MessageSort, OptionalSort, RecordSort, SeqSort, SetSort, Sort
from spec.system import (
    Assign,
    Binary,
    Block,
    EndRecord,
    Expr,
    Field,
    For,
    Fsync,
    If,
    IfElse,
    Index,
    Let,
    LetIn,
    Literal,
    Local,
    Operator,
    Place,
    Read,
    Require,
    Send,
    Statement,
    Unary,
    UnaryOperator,
    Update,
    WithField,
)
from spec.type_walk import descendants, rebuilt


def is_symmetric(sort: Sort) -> bool:
    """Whether permuting symmetric sets changes the sort's values, and so the order of a loop over them."""
    match sort:
        case AtomSort(_, _, symmetric):
            return symmetric
        case OptionalSort(of) | SetSort(of) | SeqSort(of):
            return is_symmetric(of)
        case MapSort(key, value):
            return is_symmetric(key) or is_symmetric(value)
        case RecordSort(_, fields) | MessageSort(_, _, _, fields):
            return any(is_symmetric(field) for _, field in fields)
    return False


_ACCUMULATE = {
    Operator.UNION: "+",
    Operator.DIFFERENCE: "-",
    Operator.INTERSECT: "&",
    Operator.ADD: "sum",
    Operator.SUBTRACT: "difference",  # apart from sums: where both happen, only one order may stay within the type
    Operator.MAX: "max",
    Operator.MIN: "min",
    Operator.AND: "and",
    Operator.OR: "or",
}
_SUMS = (Operator.ADD, Operator.SUBTRACT)
_ONE_SIDED = (Operator.DIFFERENCE, Operator.SUBTRACT)


def order_dependence(name: str, body: Block, *, fifo: bool) -> tuple[Place | None, str] | None:
    """Why the rounds of ``for name in …`` may not commute: a place, and a reason; ``None`` if they surely do.

    Writes commute if each round writes its own place (indexed by the loop's variable), if all accumulate in one way
    (union, a sum of what is not negative, max, …), or if all write one value that no round changes. No round may read
    what another writes, and none may make the messages of the rounds after it wait.
    """
    writes = [s for s in _statements(body) if isinstance(s, Assign)]
    written = {write.variable for write in writes}
    local = {name, *(s.name for s in _statements(body) if isinstance(s, Let | For))}
    ways: dict[str, set[str]] = {}
    for write in writes:
        way = _way(write, name, local, written)
        if way is None:
            return write.place, f"what `{write.variable}` becomes depends on the order of the rounds"
        ways.setdefault(write.variable, set()).add(way)
        if len(ways[write.variable]) > 1:
            return write.place, f"the rounds write `{write.variable}` in ways that do not commute"
    own = {variable for variable, way in ways.items() if way == {"own place"}}
    sends = any(isinstance(s, Send) for s in _statements(body))
    for statement in _statements(body):
        match statement:
            case EndRecord():
                return None, "`record` ends a storage record in the middle of the loop"
            case Fsync(place) if sends:
                return place, "the messages of the rounds after an `fsync` wait for the flush, those before it do not"
            case Send(_, _, destination, place) if fifo and destination != Local(name, destination.sort):
                return place, "messages to one process keep their order in a fifo network"
            case If(condition) | Require(condition) | Let(_, condition) | For(_, condition):
                parts: tuple[Expr, ...] = (condition,)
            case Send(_, fields, destination):
                parts = (*fields, destination)
            case _:
                parts = ()
        for part in parts:
            read = _reads_of_others(part, name, written, own)
            if read is not None:
                return read.place, f"a round reads `{read.variable}`, which another round writes"
    return None


def _statements(body: Block) -> Iterator[Statement]:
    for statement in body:
        yield statement
        match statement:
            case If(_, then, otherwise):
                yield from _statements(then + otherwise)
            case For(_, _, inner):
                yield from _statements(inner)


def _way(write: Assign, name: str, local: set[str], written: set[str]) -> str | None:
    """How a round's write combines with the others': ``own place``, an accumulation, a constant; ``None``: no way
    that is known to commute. ``local``: what a round binds, the loop's variable included."""
    value, at, fixed = write.value, "", True
    target: Update | WithField | None = None
    while isinstance(value, Update | WithField):
        target = value
        if isinstance(value, WithField):
            at += f".{value.name}"
        elif isinstance(value.key, Local) and value.key.name == name:
            return "own place" if _reads_of_others(value.value, name, written, {write.variable}) is None else None
        elif _reads(value.key, written):
            return None
        else:
            fixed = fixed and not _mentions(value.key, local)
            at += f"[{_bare(value.key)}]"
        value = value.value
    if isinstance(value, Binary) and value.operator in _ACCUMULATE:
        sides = [(value.left, value.right)]
        if value.operator not in _ONE_SIDED:
            sides.append((value.right, value.left))
        for kept, added in sides:
            if value.operator in _SUMS and not _is_natural(added):
                continue
            if _is_target(kept, target, write.variable) and not _reads(added, written):
                return _ACCUMULATE[value.operator]
    constant = fixed and not _reads(value, written) and not _mentions(value, local)
    return f"{_bare(value)}{at}" if constant else None


def _is_target(expr: Expr, target: Update | WithField | None, variable: str) -> bool:
    """Whether it reads the very place that is written."""
    match target, expr:
        case None, Read():
            return expr.variable == variable
        case Update(of, key), Index(read, at):
            return bool(_bare(of) == _bare(read) and _bare(key) == _bare(at))
        case WithField(of, name), Field(read, field):
            return bool(name == field and _bare(of) == _bare(read))
    return False


def _bare(expr: Expr) -> Any:
    """The expression without places: two of them are equal if they say the same."""
    return rebuilt(expr, lambda node: replace(node, place=None) if hasattr(node, "place") else node)


def _is_natural(expr: Expr) -> bool:
    """Whether it is surely not negative: partial sums go one way, and leave the type in every order or in none."""
    match expr:
        case Literal(value):
            return bool(value >= 0)
        case Unary(UnaryOperator.LENGTH | UnaryOperator.SIZE):
            return True
        case Binary(Operator.ADD | Operator.MULTIPLY | Operator.MIN | Operator.MAX, left, right):
            return _is_natural(left) and _is_natural(right)
        case LetIn(_, _, body):
            return _is_natural(body)
        case IfElse(_, then, otherwise):
            return _is_natural(then) and _is_natural(otherwise)
    return isinstance(expr.sort, IntSort) and expr.sort.low is not None and expr.sort.low >= 0


def _mentions(expr: Expr, local: set[str]) -> bool:
    return any(isinstance(part, Local) and part.name in local for part in descendants(expr))


def _reads(expr: Expr, written: set[str]) -> bool:
    return any(isinstance(part, Read) and part.variable in written for part in descendants(expr))


def _reads_of_others(expr: Expr, name: str, written: set[str], own: set[str]) -> Read | None:
    """A read of what another round may write: of a written variable, except at the round's own place."""
    if isinstance(expr, Index) and isinstance(expr.key, Local) and expr.key.name == name:
        whole = expr.of
        while isinstance(whole, Index | Field):
            whole = whole.of
        if isinstance(whole, Read) and whole.variable in own:
            return None
    if isinstance(expr, Read) and expr.variable in written:
        return expr
    for part in _parts(expr):
        found = _reads_of_others(part, name, written, own)
        if found is not None:
            return found
    return None


def _parts(expr: Expr) -> Iterator[Expr]:
    """The expressions directly inside."""
    for field in expr.__dataclass_fields__:
        value = getattr(expr, field)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Expr):
                yield part
