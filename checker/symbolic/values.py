"""A spec's values as trees of bits, with the operations that every engine layer needs on them.

A bool is a :data:`Bit`. Numbers carry the interval they are known to lie in and just enough bits for it, so nothing
ever wraps. What lies beyond a sequence's length, or under an absent optional, is arbitrary: compare with :func:`equal`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.errors import NotEncodable
from checker.symbolic.numbers import Number, bit_at, is_number, less, number, width
from spec.sorts import (
    AtomSort,
    EnumSort,
    MapSort,
    MessageSort,
    OptionalSort,
    RecordSort,
    SeqSort,
    SetSort,
    Sort,
    domain,
)


@dataclass(frozen=True, slots=True)
class Atom:
    """A member of an enum or of a set of constants: its position in ``elements``, in binary."""

    bits: tuple[Bit, ...]
    elements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Optional:
    present: Bit
    value: Symbolic | None  # None only where ``present`` is FALSE


@dataclass(frozen=True, slots=True)
class Members:
    """A set of values: whether each possible member is in it; ints ascending. A value not named is not in it."""

    members: dict[Any, Bit]


@dataclass(frozen=True, slots=True)
class MessageSet:
    """A set of messages (properties only): each with the condition that it is there. No two present ones are equal."""

    messages: tuple[tuple[Bit, Message], ...]


@dataclass(frozen=True, slots=True)
class Slots:
    """A sequence. ``length`` is never more than the number of slots."""

    length: Number
    slots: tuple[Symbolic, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """A record's fields, or a map's values in the order of its key domain."""

    fields: tuple[Symbolic, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """``fields``: source, destination, then the fields of the sort."""

    sort: MessageSort
    fields: tuple[Symbolic, ...]


Symbolic: TypeAlias = Bit | Number | Atom | Optional | Members | MessageSet | Slots | Product | Message


# -------------------------------------------------------------------------------------------------- atoms


def atom(name: str, elements: tuple[str, ...]) -> Atom:
    position = elements.index(name)
    return Atom(tuple((position >> i) & 1 for i in range((len(elements) - 1).bit_length())), elements)


def is_atom(c: Circuit, a: Atom, name: str | None) -> Bit:
    if name not in a.elements:
        return FALSE
    position = a.elements.index(name)
    return c.every(bit ^ 1 ^ ((position >> i) & 1) for i, bit in enumerate(a.bits))


def as_elements(c: Circuit, a: Atom, elements: tuple[str, ...]) -> Atom:
    """The same atom, written over another list that has it."""
    if a.elements == elements:
        return a
    bits = [FALSE] * (len(elements) - 1).bit_length()
    for position, name in enumerate(elements):
        here = is_atom(c, a, name)
        bits = [c.disjunction(bit, here) if (position >> i) & 1 else bit for i, bit in enumerate(bits)]
    return Atom(tuple(bits), elements)


# ----------------------------------------------------------------------------------- choosing and comparing


def choose(c: Circuit, condition: Bit, a: Symbolic, b: Symbolic) -> Symbolic:
    """``a`` where the condition holds, else ``b``; both of one sort, up to its bounds."""
    if a is b or condition == TRUE:
        return a
    if condition == FALSE:
        return b
    match a, b:
        case int(), int():
            return c.choose(condition, a, b)
        case Number(), Number():
            low, high = min(a.low, b.low), max(a.high, b.high)
            if low == high:
                return a
            size = width(low, high)
            return Number(tuple(c.choose(condition, bit_at(a, i), bit_at(b, i)) for i in range(size)), low, high)
        case Atom(), Atom():
            if a.elements != b.elements:
                every = a.elements + tuple(name for name in b.elements if name not in a.elements)
                a, b = as_elements(c, a, every), as_elements(c, b, every)
            return Atom(tuple(c.choose(condition, x, y) for x, y in zip(a.bits, b.bits, strict=True)), a.elements)
        case Optional(), Optional():
            if a.value is None or b.value is None:
                value = a.value if b.value is None else b.value
            else:
                value = choose(c, condition, a.value, b.value)
            return Optional(c.choose(condition, a.present, b.present), value)
        case Members(), Members():
            keys = list(a.members) + [key for key in b.members if key not in a.members]
            if len(keys) > len(a.members) and all(isinstance(key, int) for key in keys):
                keys.sort()
            get_a, get_b = a.members.get, b.members.get
            return Members({key: c.choose(condition, get_a(key, FALSE), get_b(key, FALSE)) for key in keys})
        case Slots(), Slots():
            longer = a.slots if len(a.slots) > len(b.slots) else b.slots
            common = min(len(a.slots), len(b.slots))
            slots = tuple(choose(c, condition, a.slots[i], b.slots[i]) for i in range(common)) + longer[common:]
            length = choose(c, condition, a.length, b.length)
            assert isinstance(length, Number)
            return Slots(length, slots)
        case Product(), Product():
            return Product(tuple(choose(c, condition, x, y) for x, y in zip(a.fields, b.fields, strict=True)))
        case Message(), Message():
            assert a.sort == b.sort
            return Message(a.sort, tuple(choose(c, condition, x, y) for x, y in zip(a.fields, b.fields, strict=True)))
        case MessageSet(), MessageSet():
            return MessageSet(
                tuple((c.conjunction(condition, bit), m) for bit, m in a.messages)
                + tuple((c.conjunction(condition ^ 1, bit), m) for bit, m in b.messages)
            )
    raise AssertionError(f"choosing between {type(a).__name__} and {type(b).__name__}")


def select(c: Circuit, cases: Sequence[tuple[Bit, Symbolic]]) -> Symbolic:
    """The value of the case whose condition holds; the last case if none does."""
    result = cases[-1][1]
    for condition, value in reversed(cases[:-1]):
        result = choose(c, condition, value, result)
    return result


def equal(c: Circuit, a: Symbolic, b: Symbolic) -> Bit:
    if a is b:
        return TRUE
    if isinstance(a, MessageSet) or isinstance(b, MessageSet):
        left, right = messages_of(a), messages_of(b)
        return c.conjunction(includes(c, right, left), includes(c, left, right))
    match a, b:
        case int(), int():
            return c.same(a, b)
        case Number(), Number():
            if a.high < b.low or b.high < a.low:
                return FALSE
            size = max(len(a.bits), len(b.bits)) + (a.low < 0 or b.low < 0)
            return c.every(c.same(bit_at(a, i), bit_at(b, i)) for i in range(size))
        case Atom(), Atom():
            if a.elements == b.elements:
                return c.every(c.same(x, y) for x, y in zip(a.bits, b.bits, strict=True))
            return c.some(c.conjunction(is_atom(c, a, name), is_atom(c, b, name)) for name in a.elements)
        case Optional(), Optional():
            both = c.conjunction(a.present, b.present)
            inside = FALSE if both == FALSE or a.value is None or b.value is None else equal(c, a.value, b.value)
            return c.choose(a.present, c.conjunction(b.present, inside), b.present ^ 1)
        case Members(), Members():
            keys = {**a.members, **b.members}
            return c.every(c.same(a.members.get(key, FALSE), b.members.get(key, FALSE)) for key in keys)
        case Slots(), Slots():
            result = equal(c, a.length, b.length)
            for i, (x, y) in enumerate(zip(a.slots, b.slots, strict=False)):
                if result == FALSE:
                    break
                within = less(c, number(i), a.length)
                if within != FALSE:
                    result = c.conjunction(result, c.implies(within, equal(c, x, y)))
            return result
        case Product(), Product():
            return c.every(equal(c, x, y) for x, y in zip(a.fields, b.fields, strict=True))
        case Message(), Message():
            if a.sort.name != b.sort.name:
                return FALSE
            return c.every(equal(c, x, y) for x, y in zip(a.fields, b.fields, strict=True))
    raise AssertionError(f"comparing {type(a).__name__} and {type(b).__name__}")


def messages_of(a: Symbolic) -> MessageSet:
    """A set that is compared with a set of messages: one itself, or the empty set. Raises NotEncodable."""
    if isinstance(a, MessageSet):
        return a
    if isinstance(a, Members) and not a.members:
        return MessageSet(())
    raise NotEncodable("a set of messages that is not a part of the network")


def includes(c: Circuit, larger: MessageSet, smaller: MessageSet) -> Bit:
    return c.every(
        c.implies(there, c.some(c.conjunction(other, equal(c, message, m)) for other, m in larger.messages))
        for there, message in smaller.messages
    )


# ---------------------------------------------------------------------------------------------- constants


def constant(value: Any, sort: Sort) -> Symbolic:
    """A value of the spec as a symbolic one."""
    match sort:
        case EnumSort(_, elements) | AtomSort(_, elements):
            return atom(value, elements)
        case OptionalSort(of):
            return Optional(FALSE, None) if value is None else Optional(TRUE, constant(value, of))
        case SetSort():
            return Members(dict.fromkeys(sorted_set(value, sort.of), TRUE))
        case SeqSort(of):
            return Slots(number(len(value)), tuple(constant(item, of) for item in value))
        case MapSort(_, of):
            return Product(tuple(constant(item, of) for item in value))
        case RecordSort(_, fields):
            return Product(tuple(constant(item, of) for item, (_, of) in zip(value, fields, strict=True)))
        case MessageSort(_, source, destination, fields):
            sorts = (source, destination, *(of for _, of in fields))
            return Message(sort, tuple(constant(item, of) for item, of in zip(value[1:], sorts, strict=True)))
    return int(value) if isinstance(value, bool) else number(value)


def sorted_set(members: Iterable[Any], of: Sort) -> list[Any]:
    """Members in the order of the sort's domain."""
    members = list(members)
    if all(isinstance(member, int) for member in members):
        return sorted(members)
    position = {value: i for i, value in enumerate(domain(of))}
    return sorted(members, key=position.__getitem__)


def cases(c: Circuit, a: Symbolic, sort: Sort) -> Iterable[tuple[Any, Bit]]:
    """Every value that ``a`` may have, with the condition that it has it; in domain order."""
    if isinstance(a, Number):
        for value in range(a.low, a.high + 1):
            bit = is_number(c, a, value)
            if bit != FALSE:
                yield value, bit
        return
    match a, sort:
        case int(), _:
            yield from ((value, bit) for value, bit in ((False, a ^ 1), (True, a)) if bit != FALSE)
        case Atom(), _:
            yield from _possible((name, is_atom(c, a, name)) for name in a.elements)
        case Optional(), OptionalSort(of):
            yield from _possible([(None, a.present ^ 1)])
            if a.value is not None:
                yield from _possible((v, c.conjunction(a.present, bit)) for v, bit in cases(c, a.value, of))
        case Product(), RecordSort(_, fields):  # not by the domain: a field may be out of its sort until it is stored
            columns = [list(cases(c, field, of)) for field, (_, of) in zip(a.fields, fields, strict=True)]
            for row in product(*columns):
                yield from _possible([(tuple(value for value, _ in row), c.every(bit for _, bit in row))])
        case _:
            yield from _possible((value, equal(c, a, constant(value, sort))) for value in domain(sort))


def _possible(found: Iterable[tuple[Any, Bit]]) -> Iterable[tuple[Any, Bit]]:
    return ((value, bit) for value, bit in found if bit != FALSE)
