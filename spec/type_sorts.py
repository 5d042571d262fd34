"""Which sort may stand where another is wanted, and how an expression of one becomes the other."""

from __future__ import annotations

from spec.sorts import (
    INT,
    AtomSort,
    BoolSort,
    EnumSort,
    IntSort,
    MapSort,
    MessageSort,
    OptionalSort,
    RecordSort,
    SeqSort,
    SetSort,
    Sort,
)
from spec.system import Expr, Literal, Read, Wrap
from spec.values import contains

ANY_PROCESS = "process"  # the name of the sort that is a union of process kinds
ANY_MESSAGE = "any"  # the name of the sort of a message whose type is not known: it has a source and a destination
LARGEST_SET_OF_VALUES = 4096


def fits(have: Sort, want: Sort) -> bool:
    """Whether values of ``have`` are of the kind that ``want`` holds. All ints are one kind: bounds are checked when
    a value is stored. A process of one kind is also one of a union of kinds."""
    match have, want:
        case (BoolSort(), BoolSort()) | (IntSort(), IntSort()):
            return True
        case AtomSort(), AtomSort():
            return have.name == want.name != ANY_PROCESS or (
                want.name == ANY_PROCESS and set(have.elements) <= set(want.elements)
            )
        case (
            (EnumSort(name), EnumSort(other))
            | (RecordSort(name), RecordSort(other))
            | (MessageSort(name), MessageSort(other))
        ):
            return name == other
        case (OptionalSort(of), OptionalSort(wanted)) | (SetSort(of), SetSort(wanted)) | (SeqSort(of), SeqSort(wanted)):
            return fits(of, wanted)
        case MapSort(), MapSort():
            return same_domain(have.key, want.key) and fits(have.value, want.value)
    return False


def comparable(left: Sort, right: Sort) -> bool:
    return fits(left, right) or fits(right, left)


def same_domain(left: Sort, right: Sort) -> bool:
    """Whether two key sorts have the same values in the same order."""
    match left, right:
        case IntSort(), IntSort():
            return (left.low, left.high) == (right.low, right.high)
        case AtomSort(), AtomSort():
            return left.elements == right.elements
        case RecordSort(), RecordSort():
            return left.name == right.name
        case OptionalSort(), OptionalSort():
            return same_domain(left.of, right.of)
    return left == right


def joined(left: Sort, right: Sort) -> Sort:
    """The sort of a value that is of one or of the other; they fit each other or differ by an ``optional``."""
    if left == right:
        return left
    match left, right:
        case IntSort(), IntSort():
            return INT
        case AtomSort(), AtomSort():
            return right if right.name == ANY_PROCESS else left
        case OptionalSort(of), OptionalSort(other):
            return OptionalSort(joined(of, other))
        case OptionalSort(of), _:
            return OptionalSort(joined(of, right))
        case _, OptionalSort(of):
            return OptionalSort(joined(left, of))
        case SetSort(of), SetSort(other):
            return SetSort(joined(of, other))
        case SeqSort(of, capacity), SeqSort(other, another):
            bound = None if capacity is None or another is None else max(capacity, another)
            return SeqSort(joined(of, other), bound)
        case MapSort(key, value), MapSort(_, other):
            return MapSort(key, joined(value, other))
    return left


def coerced(expr: Expr, want: Sort) -> Expr | None:
    """``expr`` as a value of ``want``'s kind: itself, or wrapped in an optional; ``None`` if it is neither."""
    if fits(expr.sort, want):
        return expr
    if isinstance(want, OptionalSort) and fits(expr.sort, want.of):
        return Wrap(expr, want)
    return None


def always_within(expr: Expr, sort: Sort) -> bool:
    """Whether the expression's value is known to be one of ``sort`` without looking: no check is needed."""
    if isinstance(expr, Literal) and isinstance(sort, IntSort):
        return contains(sort, expr.value)
    return _unbounded(sort) or (isinstance(expr, Read) and expr.sort == sort)


def _unbounded(sort: Sort) -> bool:
    """Whether fitting values cannot fall outside: nothing in the sort has a range or a capacity."""
    match sort:
        case BoolSort() | EnumSort() | AtomSort() | MessageSort():
            return True
        case IntSort(low):
            return low is None
        case OptionalSort(of) | SetSort(of):
            return _unbounded(of)
        case SeqSort(of, capacity):
            return capacity is None and _unbounded(of)
        case MapSort(_, value):
            return _unbounded(value)
        case RecordSort(_, fields):
            return all(_unbounded(field) for _, field in fields)


def domain_size(sort: Sort) -> int | None:
    """How many values the sort has; ``None`` if there is no end of them. Numbers are capped so as not to compute
    powers of powers: above the cap only "more than LARGEST_SET_OF_VALUES" is true of the result."""
    match sort:
        case BoolSort():
            return 2
        case IntSort(low, high):
            return None if low is None or high is None else max(0, high - low + 1)
        case EnumSort(_, members):
            return len(members)
        case AtomSort(_, elements):
            return len(elements)
        case OptionalSort(of):
            size = domain_size(of)
            return None if size is None else size + 1
        case SetSort(of):
            size = domain_size(of)
            return None if size is None else _power(2, size)
        case SeqSort(of, capacity):
            size = domain_size(of)
            if size is None or capacity is None:
                return None
            if size == 1:
                return capacity + 1
            return min(_CAP, sum(_power(size, length) for length in range(min(capacity, 64) + 1)))
        case MapSort(key, value):
            keys, values = domain_size(key), domain_size(value)
            return None if keys is None or values is None else _power(values, keys)
        case RecordSort(_, fields):
            product = 1
            for _, field in fields:
                size = domain_size(field)
                if size is None:
                    return None
                product = min(_CAP, product * size)
            return product
        case MessageSort():
            return None


_CAP = LARGEST_SET_OF_VALUES * 1024


def _power(base: int, exponent: int) -> int:
    return min(_CAP, base ** min(exponent, 64)) if base > 1 else int(base == 1 or exponent == 0)


def described(sort: Sort) -> str:
    """The sort in a message: ``Term (an int)`` where the name alone does not tell the kind."""
    match sort:
        case IntSort(name=str(name)):
            return f"{name} (an int)"
        case MessageSort(name):
            return f"message {name}"
    return str(sort)
