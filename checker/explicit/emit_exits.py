"""Where a transition goes that has no successor: nowhere, an error, a cut, an overflow; and the numbers of the cuts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from checker.explicit.context import COUNTERS, CUTS, ERROR, OVERFLOW
from checker.explicit.emit_code import Code
from checker.explicit.emit_types import I64, number
from checker.explicit.llvm import Ssa, ir


@dataclass(slots=True)
class Cuts:
    """The bounds that cut, numbered: rule and bound."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, rule: str, bound: str) -> int:
        return self.numbers.setdefault(f"{rule}: {bound}", len(self.numbers))


@dataclass(slots=True)
class Exits:
    """Where a transition goes that has no successor. ``cut`` takes the number of the cut, ``overflow`` that of the
    capacity, through the φ nodes at their heads."""

    none: Any
    error: Any
    cut: Any
    overflow: Any


def exits_of(code: Code, context: Ssa) -> Exits:
    """The ways out, written already: a count of the cut, and what is returned."""
    body = code.b
    code.b = ir.IRBuilder(code.block("none"))
    none = code.b.block
    code.b.ret(number(0))
    code.b = ir.IRBuilder(code.block("error"))
    error = code.b.block
    code.b.ret(number(ERROR))
    code.b = ir.IRBuilder(code.block("cut"))
    cut = code.b.phi(I64)
    for counter in (code.add(cut, number(COUNTERS)), number(CUTS)):
        code.put_word(context, counter, code.add(code.word(context, counter), number(1)))
    code.b.ret(number(0))
    code.b = ir.IRBuilder(code.block("overflow"))
    overflow = code.b.phi(I64)
    code.b.ret(code.add(overflow, number(OVERFLOW)))
    code.b = body
    return Exits(none, error, cut, overflow)
