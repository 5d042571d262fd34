"""The check that a stored value fits its sort, as Python source: a function for each sort that has a bound.

It returns the bound that cuts the transition, or None, and raises EvaluationError; the first bad part decides.
"""

from __future__ import annotations

from checker.explicit.source_text import Text
from spec.sorts import (
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
from spec.values import sort_key


class Checks:
    """Writes each function once, at the top of the source."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self._functions: dict[tuple[Sort, str], str] = {}

    def write(self, value: str, sort: Sort, what: str, place: str) -> None:
        """Checks a value before it is stored: lines that end the transition if it does not fit."""
        text = self.text
        match sort:
            case _ if not bounded(sort):
                pass
            case IntSort():
                self._check_int(text, value, sort, what, place)
            case _:
                cut = text.let(f"{self._function(sort, what)}({value}, {place})")
                with text.block(f"if {cut} is not None:"):
                    text.line(f"return {cut}")

    def _check_int(self, text: Text, value: str, sort: IntSort, what: str, place: str) -> None:
        low, high = sort.low, sort.high
        with text.block(f"if not {low} <= {value} <= {high}:"):
            if sort.cut_above:
                with text.block(f"if {value} > {high}:"):
                    text.line(f"return {f'{what} <= {high}'!r}")
            text.line(f"raise out_of_range({what!r}, {value}, {low}, {high}, {place})")

    def _function(self, sort: Sort, what: str) -> str:
        name = self._functions.get((sort, what))
        if name is None:
            name = self._functions[sort, what] = self.text.fresh("check")
            with self.text.aside() as lines, self.text.block(f"def {name}(value, place):"):
                self._body(sort, what, "value")
            self.text.top += lines
        return name

    def _body(self, sort: Sort, what: str, value: str) -> None:
        text = self.text
        match sort:
            case IntSort():
                self._check_int(text, value, sort, what, "place")
            case OptionalSort(of):
                with text.block(f"if {value} is not None:"):
                    self._body(of, what, value)
            case SetSort(of):
                order = "" if isinstance(of, IntSort) else f", key={text.constant(sort_key(of))}"
                self._each(of, what, f"sorted({value}{order})")
            case SeqSort(of, capacity):
                if capacity is not None:
                    with text.block(f"if len({value}) > {capacity}:"):
                        text.line(f"return {f'len({what}) <= {capacity}'!r}")
                self._each(of, what, value)
            case MapSort(_, of):
                self._each(of, what, value)
            case RecordSort(_, fields):
                for position, (name, field) in enumerate(fields):
                    if bounded(field):
                        self._body(field, f"{what}.{name}", text.let(f"{value}[{position}]"))
            case BoolSort() | EnumSort() | AtomSort() | MessageSort():
                pass

    def _each(self, of: Sort, what: str, values: str) -> None:
        if bounded(of):
            element = self.text.fresh("e")
            with self.text.block(f"for {element} in {values}:"):
                self._body(of, what, element)


def bounded(sort: Sort) -> bool:
    """Whether the value of an expression may not fit."""
    match sort:
        case BoolSort() | EnumSort() | AtomSort() | MessageSort():
            return False
        case IntSort(low, high):
            return low is not None and high is not None
        case OptionalSort(of) | SetSort(of) | MapSort(_, of):
            return bounded(of)
        case SeqSort(of, capacity):
            return capacity is not None or bounded(of)
        case RecordSort(_, fields):
            return any(bounded(field) for _, field in fields)
