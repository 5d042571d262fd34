"""What each kind of expression asks of the rest: ``Expressions`` is the one Evaluation; its parts know only this."""

from __future__ import annotations

from typing import Protocol

from checker.explicit.emit_code import Code
from checker.explicit.emit_frame import Frame
from checker.explicit.emit_values import Emitted, Int
from checker.explicit.llvm import Ssa
from spec import system as nodes
from spec.system import Operator, UnaryOperator


class Evaluation(Protocol):
    """The emission of expressions in one frame."""

    frame: Frame
    code: Code

    def value(self, node: nodes.Expr) -> Emitted: ...

    def boolean(self, node: nodes.Expr) -> Ssa: ...

    def integer(self, node: nodes.Expr) -> Int: ...

    def fail_unless(self, condition: Ssa) -> None:
        """Leaves for the frame's error block where the condition does not hold."""


def is_simple(node: nodes.Expr) -> bool:
    """Whether it cannot fail and is cheap enough to be computed where the language does not ask for it."""
    match node:
        case nodes.Literal() | nodes.Local() | nodes.LabelIs():
            return True
        case nodes.Read(_, process):
            return process is None or is_simple(process)
        case nodes.Field(of) | nodes.Wrap(of) | nodes.IsUp(of) | nodes.PendingCount(of):
            return is_simple(of)
        case nodes.Binary(operator, left, right):
            if operator in (Operator.DIVIDE, Operator.MODULO):
                return False
            return is_simple(left) and is_simple(right)
        case nodes.Unary(operator_, of):
            fails = operator_ in (UnaryOperator.MINIMUM, UnaryOperator.MAXIMUM, UnaryOperator.UNWRAP)
            return not fails and is_simple(of)
        case nodes.MakeSet(elements) | nodes.MakeSeq(elements) | nodes.MakeRecord(elements):
            return all(is_simple(element) for element in elements)
    return False
