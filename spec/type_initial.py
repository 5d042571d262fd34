"""Constant expressions: bounds and capacities of types, and the initial values of variables."""

from __future__ import annotations

from spec.sorts import INT
from spec.syntax import Expression, VariableDeclaration
from spec.system import Local, Variable
from spec.type_constants import constant_value
from spec.type_environment import Environment, Slot
from spec.type_scope import CONSTANT, Names, Scope
from spec.type_sorts import described
from spec.typecheck import expression
from spec.values import EvaluationError, contains, show


def constant_int(environment: Environment, node: Expression) -> int | None:
    """The value of a constant int expression; ``None`` after reporting what is wrong."""
    scope = Scope(environment, Names(), CONSTANT, expression)
    expr = scope.stored(node, INT, "a bound")
    if expr is None:
        return None
    try:
        return int(constant_value(expr, {}))
    except EvaluationError as error:
        environment.report.error("S516", node.place, f"this bound has no value: {error.message}", "use other constants")
        return None


def variable_with_initial(
    environment: Environment, kind: str | None, slot: Slot, declared: VariableDeclaration
) -> Variable | None:
    """The declared variable; its initial value is one for each process of the kind."""
    acting = environment.atoms.get(kind) if kind is not None else None
    if slot.sort is None or (kind is not None and acting is None):
        return None
    scope = Scope(environment, Names(("self",)), CONSTANT, expression, process=acting)
    if acting is not None:
        scope = Scope(environment, Names(("self",)), CONSTANT, expression, {"self": Local("self", acting)}, acting)
    expr = scope.stored(declared.initial, slot.sort, f"the initial value of `{declared.name}`")
    if expr is None:
        return None
    values = []
    for bindings in [{"self": process} for process in acting.elements] if acting is not None else [{}]:
        try:
            value = constant_value(expr, bindings)
        except EvaluationError as error:
            message = f"`{declared.name}` has no initial value: {error.message}"
            environment.report.error("S516", declared.initial.place, message, "use constants and `self` only")
            return None
        if not contains(slot.sort, value):
            message = f"`{declared.name}` is {described(slot.sort)}; {show(slot.sort, value)} is not a value of it"
            environment.report.error("S314", declared.initial.place, message, f"start with a value of {slot.sort}")
            return None
        values.append(value)
    return Variable(declared.name, slot.storage, slot.sort, kind, tuple(values), declared.place)
