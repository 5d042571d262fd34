"""Whether a value is one of a sort: the check of a function's arguments and results; all else is an error."""

from __future__ import annotations

from checker.symbolic.arithmetic import between
from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.numbers import Number, less, number, ranged
from checker.symbolic.values import Atom, Members, Optional, Product, Slots, Symbolic, is_atom
from spec.sorts import AtomSort, EnumSort, IntSort, MapSort, OptionalSort, RecordSort, SeqSort, SetSort, Sort
from spec.values import contains


def as_one_of(c: Circuit, value: Symbolic, sort: Sort) -> tuple[Symbolic, Bit]:
    """The value, known to be of the sort where it is, and whether it is not."""
    check = _Check(c)
    result = check.narrowed(value, sort, TRUE)
    return result, check.wrong


class _Check:
    def __init__(self, c: Circuit) -> None:
        self.c = c
        self.wrong: Bit = FALSE

    def _wrong_if(self, there: Bit, condition: Bit) -> None:
        self.wrong = self.c.disjunction(self.wrong, self.c.conjunction(there, condition))

    def narrowed(self, value: Symbolic, sort: Sort, there: Bit) -> Symbolic:
        """``there``: whether the value is looked at (an absent optional's payload is not)."""
        c = self.c
        match sort, value:
            case IntSort(int() as low, int() as high), Number():
                self._wrong_if(there, between(c, number(low), value, number(high)) ^ 1)
                return ranged(value, low, high)
            case OptionalSort(of), Optional() if value.value is not None:
                return Optional(value.present, self.narrowed(value.value, of, c.conjunction(there, value.present)))
            case SetSort(of), Members():
                members = {}
                for key, bit in value.members.items():
                    if contains(of, key):
                        members[key] = bit
                    else:
                        self._wrong_if(there, bit)
                return Members(members)
            case SeqSort(of, capacity), Slots():
                slots, length = value.slots, value.length
                if capacity is not None and length.high > capacity:
                    self._wrong_if(there, less(c, number(capacity), length))
                    slots, length = slots[:capacity], ranged(length, 0, capacity)
                within = [c.conjunction(there, less(c, number(i), length)) for i in range(len(slots))]
                return Slots(length, tuple(self.narrowed(s, of, w) for s, w in zip(slots, within, strict=True)))
            case MapSort(_, of), Product():
                return Product(tuple(self.narrowed(field, of, there) for field in value.fields))
            case RecordSort(_, fields), Product():
                pairs = zip(value.fields, fields, strict=True)
                return Product(tuple(self.narrowed(field, of, there) for field, (_, of) in pairs))
            case (AtomSort(_, elements) | EnumSort(_, elements)), Atom() if value.elements != elements:
                self._wrong_if(there, c.some(is_atom(c, value, name) for name in elements) ^ 1)
        return value
