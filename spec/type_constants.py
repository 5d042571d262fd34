"""Evaluates what has a value before any state exists: bounds, capacities, settings and initial values."""

from __future__ import annotations

from collections.abc import Mapping

from spec.expressions import Compiler, Frame
from spec.sorts import Value
from spec.state import State
from spec.system import Bounds, Expr, Network, NetworkKind, StorageMode, System

_NO_STATE = State((), (), (), (), (), (), (), frozenset(), ())
_NO_SYSTEM = System(
    spec="", model="", mutant=None, constants=(), kinds=(), variables=(), messages=(), rules=(),
    network=Network(NetworkKind.BAG, False, False), storage=StorageMode.ATOMIC, bounds=Bounds(),
)  # fmt: skip
_compile = Compiler(_NO_SYSTEM)


def constant_value(expr: Expr, bindings: Mapping[str, Value]) -> Value:
    """The value of an expression that reads no state, with its free locals bound. Raises values.EvaluationError."""
    return _compile(expr)(Frame(_NO_STATE, dict(bindings)))
