"""Sets, maps and what a loop runs over, as Python source.

Comprehensions would make every Python variable that they mention a slower one, so loops are written out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from checker.explicit.source_frame import Bound, tuple_of
from spec import system as ir
from spec.sorts import BoolSort, IntSort, MapSort, MessageSort, SetSort, Sort, Value
from spec.system import Operator
from spec.values import cached_domain, sort_key

if TYPE_CHECKING:
    from checker.explicit.source_expressions import Expressions

Node = ir.MakeSet | ir.MakeMap | ir.IntRange | ir.SetComprehension | ir.MessagesIn


@dataclass(frozen=True, slots=True)
class Elements:
    """What to write behind ``for … in``, for the order of the sort's domain and for any order. ``unless``: the end of a
    condition that begins with the element, on which it is left out. ``values``, ``sure``: as of a Bound."""

    in_order: str
    in_any: str
    unless: str = ""
    values: tuple[Value, ...] | None = None
    sure: bool = False


class Collections:
    """The part of the expressions that is about sets and maps."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions, self.frame, self.text = expressions, expressions.frame, expressions.text

    def of(self, node: Node) -> str:
        match node:
            case ir.MakeSet(elements):
                return f"frozenset({tuple_of([self.expressions.of(element) for element in elements])})"
            case ir.MakeMap():
                return self._make_map(node)
            case ir.IntRange():
                return f"frozenset({self._range(node)})"
            case ir.SetComprehension():
                return self._comprehension(node)
            case ir.MessagesIn():
                return self._messages(node)

    def _range(self, node: ir.IntRange) -> str:
        low = self.expressions.of(node.low)
        return f"range({low}, {self.expressions.of(node.high)} + 1)"

    def _make_map(self, node: ir.MakeMap) -> str:
        assert isinstance(node.sort, MapSort)
        keys = cached_domain(node.sort.key)
        result, key = self.text.let("[]"), self.text.fresh("e")
        bound = Bound(key, keys, place=self.expressions.place_name(node.sort.key))
        with self.text.aside() as lines, self.expressions.bound(node.name, bound):
            value = self.expressions.of(node.value)
            self.text.line(f"{result}.append({value})")
        with self.text.block(f"for {key} in {self.text.literal(keys)}:"):
            if bound.place in self.frame.places:
                self.text.line(f"{bound.place} = place_of[{key}]")
            self.text.paste(lines)
        return f"tuple({result})"

    def _comprehension(self, node: ir.SetComprehension) -> str:
        result = self.text.let("[]")

        def round_() -> None:
            condition = self.expressions.of(node.condition)
            with self.text.block(f"if {condition}:"):
                value = self.expressions.of(node.value)
                self.text.line(f"{result}.append({value})")

        self.expressions.loop(node.name, node.domain, round_)
        return f"frozenset({result})"

    def _messages(self, node: ir.MessagesIn) -> str:
        if node.where is ir.Where.NETWORK:
            return f"messages_in({self.frame.part('network', old=node.old)}, {node.message!r})"
        assert node.process is not None
        index = self.expressions.index_of(node.process)
        return f"waiting_in({self.frame.part('outbox', old=node.old)}[{index}], {node.message!r})"

    # -------------------------------------------------------------------------------------------- loops

    def elements(self, over: ir.Expr) -> Elements:
        if isinstance(over, ir.IntRange):
            source = self._range(over)
            return Elements(source, source, values=_numbers(over))
        assert isinstance(over.sort, SetSort), over
        match over:
            case ir.Literal():
                return self._known(over)
            case ir.Binary(Operator.DIFFERENCE, ir.Literal() as left, right):  # such as: Server - {self}
                if isinstance(right, ir.MakeSet) and len(right.elements) == 1:
                    return self._known(left, f"== {self.expressions.atom(right.elements[0])}")
                return self._known(left, f"in {self.expressions.atom(right)}")
        source = self.expressions.of(over)
        sure = isinstance(over, ir.MessagesIn) or self.expressions.fits(over, over.sort)
        return Elements(self._sorted(source, over.sort.of), source, sure=sure)

    def _known(self, node: ir.Literal, unless: str = "") -> Elements:
        assert isinstance(node.sort, SetSort)
        values = tuple(sorted(node.value, key=sort_key(node.sort.of)))
        source = self.text.literal(values)
        return Elements(source, source, unless, values)

    def _sorted(self, source: str, sort: Sort) -> str:
        match sort:
            case BoolSort() | IntSort():
                return f"sorted({source})"
            case MessageSort():
                return f"sorted({source}, key=message_key)"
            case _:
                return f"sorted({source}, key={self.text.constant(sort_key(sort))})"


def _numbers(over: ir.IntRange) -> tuple[int, ...] | None:
    if isinstance(over.low, ir.Literal) and isinstance(over.high, ir.Literal):
        return tuple(range(over.low.value, over.high.value + 1))
    return None


__all__ = ["Collections", "Elements"]
