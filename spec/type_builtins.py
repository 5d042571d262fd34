"""Types of the built-in functions: ``len``, ``min``, ``append``, ``the``; ``up``, ``disk``, ``network``, ``old``."""

from __future__ import annotations

from dataclasses import replace

from spec.sorts import BOOL, INT, IntSort, MessageSort, OptionalSort, SeqSort, SetSort, Sort
from spec.syntax import Call, Dot, Expression, Name
from spec.system import (
    Binary,
    Expr,
    IsUp,
    Layer,
    MakeSeq,
    MessagesIn,
    Operator,
    PendingCount,
    Read,
    Storage,
    Unary,
    UnaryOperator,
    Where,
)
from spec.type_operators import concatenated
from spec.type_report import close_to, did_you_mean, listed
from spec.type_scope import Permissions, Scope
from spec.type_sorts import described

BUILTIN_FORMS = {
    "append": "`append(sequence, element)`",
    "disk": "`disk(process).variable`",
    "kept": "`kept(process, count).variable`",
    "len": "`len(sequence)` or `len(pending(process))`",
    "max": "`max(a, b)`",
    "maximum": "`maximum(set)`",
    "min": "`min(a, b)`",
    "minimum": "`minimum(set)`",
    "network": "`network(Message)` or `size(network)`",
    "old": "`old(expression)`",
    "outbox": "`m in outbox(process)`, `outbox(process, Message)` or `size(outbox(process))`",
    "pending": "`len(pending(process))`",
    "size": "`size(set)`",
    "the": "`the(optional)`",
    "up": "`up(process)`",
}


def builtin(node: Call, scope: Scope, expected: Sort | None) -> Expr | None:
    name, count = node.name, len(node.arguments)
    wanted = {"append": (2, 2), "min": (2, 99), "max": (2, 99), "outbox": (1, 2), "kept": (2, 2)}.get(name, (1, 1))
    if any(argument.name is not None for argument in node.arguments) or not wanted[0] <= count <= wanted[1]:
        hint = f"write {BUILTIN_FORMS[name]}"
        if name in ("min", "max") and count == 1:
            hint = f"`{name}imum(s)` is the {'least' if name == 'min' else 'greatest'} element of a set"
        scope.report.error("S306", node.place, f"`{name}` does not take these arguments", hint)
        return None
    first = node.arguments[0].value
    match name:
        case "old":
            return _old(node, first, scope, expected)
        case "len" | "size":
            return _count(node, first, scope)
        case "min" | "max":
            return _extreme(node, scope)
        case "minimum" | "maximum":
            return _of_set(node, first, scope)
        case "append":
            return _append(node, scope, expected)
        case "the":
            return _the(node, first, scope)
        case "up":
            process = _process(first, scope)
            return IsUp(process, BOOL, scope.old) if process and _observes(node, scope) else None
        case "network":
            message = _message_type(first, scope)
            if message is None or not _observes(node, scope):
                return None
            return MessagesIn(Where.NETWORK, message.name, None, SetSort(message), scope.old)
        case "outbox":
            return _outbox(node, scope, expected)
        case _:  # disk, kept and pending have a meaning only inside another form
            scope.skim(first)
            scope.report.error(
                "S312", node.place, f"`{name}(…)` is not a value by itself", f"write {BUILTIN_FORMS[name]}"
            )
            return None


def disk(node: Dot, inner: Call, scope: Scope) -> Expr | None:
    """``disk(p).x``: a durable variable as the last flush left it."""
    process = None
    if len(inner.arguments) == 1:
        process = _process(inner.arguments[0].value, scope)
    else:
        scope.report.error(
            "S306", inner.place, "`disk` does not take these arguments", f"write {BUILTIN_FORMS['disk']}"
        )
    if process is None or not _observes(inner, scope):
        return None
    kind = scope.environment.kind_of(process.sort)
    durable = [
        n for (k, n), slot in scope.environment.variables.items() if k == kind and slot.storage is Storage.DURABLE
    ]
    if node.name not in durable:
        message = f"`{node.name}` is not on the disk of a {kind}; it has {listed(durable, 'no durable variable')}"
        scope.report.error(
            "S305", node.place, message, did_you_mean(node.name, durable, "declare the variable `durable`")
        )
        return None
    sort = scope.environment.variables[kind, node.name].sort
    return None if sort is None else Read(node.name, process, sort, Layer.DISK, scope.old, node.place)


def kept(node: Dot, inner: Call, scope: Scope) -> Expr | None:
    """``kept(p, n).x``: what is in p's memory after a crash that keeps n pending records; any variable of p."""
    if len(inner.arguments) != 2:
        scope.report.error(
            "S306", inner.place, "`kept` does not take these arguments", f"write {BUILTIN_FORMS['kept']}"
        )
        return None
    process = _process(inner.arguments[0].value, scope)
    count = scope.typed(inner.arguments[1].value)
    if count is not None and not isinstance(count.sort, IntSort):
        _wrong(inner, inner.arguments[1].value, "a number of records", count.sort, scope, None)
        return None
    if process is None or count is None:
        return None
    if not scope.permissions.kept:
        message = f"{scope.permissions.where} cannot read what a crash would leave"
        scope.report.error("S416", node.place, message, "only `inductive` conjuncts may")
        return None
    kind = scope.environment.kind_of(process.sort)
    known = [name for owner, name in scope.environment.variables if owner == kind and kind is not None]
    if node.name not in known:
        message = f"the process kind {kind} has no `{node.name}`; it has {listed(known)}"
        scope.report.error("S305", node.place, message, close_to(node.name, known))
        return None
    if kind not in scope.environment.stored_kinds(crashing=False):
        message = f"a {kind} has no storage, so a crash of it would keep nothing"
        scope.report.error("S305", node.place, message, "declare a variable of it `durable`")
        return None
    sort = scope.environment.variables[kind, node.name].sort
    return None if sort is None else Read(node.name, process, sort, Layer.KEPT, scope.old, node.place, count)


def _old(node: Call, of: Expression, scope: Scope, expected: Sort | None) -> Expr | None:
    if not scope.permissions.step:
        hint = "move it into an `action invariant`, which speaks of a step"
        scope.report.error("S415", node.place, f"{scope.permissions.where} has no `old` state", hint)
        return None
    return replace(scope, old=True).typed(of, expected)


def _count(node: Call, of: Expression, scope: Scope) -> Expr | None:
    if isinstance(of, Call) and of.name == "pending":
        return _pending(node, of, scope)
    if isinstance(of, Name) and of.name == "network" and "network" not in scope.locals:
        if not _observes(Call("network", (), of.place), scope):
            return None
        everything = SetSort(scope.environment.any_message)
        return Unary(UnaryOperator.SIZE, MessagesIn(Where.NETWORK, None, None, everything, scope.old), INT, node.place)
    expr = scope.typed(of)
    match None if expr is None else expr.sort:
        case SeqSort() if node.name == "len":
            return None if expr is None else Unary(UnaryOperator.LENGTH, expr, INT, node.place)
        case SetSort() if node.name == "size":
            return None if expr is None else Unary(UnaryOperator.SIZE, expr, INT, node.place)
        case None:
            return None
        case sort:
            wanted = "a sequence" if node.name == "len" else "a set"
            other = "`size` is for sets" if isinstance(sort, SetSort) else "`len` is for sequences"
            _wrong(node, of, wanted, sort, scope, other if isinstance(sort, SetSort | SeqSort) else None)
            return None


def _pending(node: Call, of: Call, scope: Scope) -> Expr | None:
    if node.name != "len" or len(of.arguments) != 1:
        message = "`pending` is counted by `len`"
        scope.report.error("S312", of.place, message, f"write {BUILTIN_FORMS['pending']}")
        return None
    process = _process(of.arguments[0].value, scope)
    return PendingCount(process, INT, scope.old) if process and _observes(of, scope) else None


def _extreme(node: Call, scope: Scope) -> Expr | None:
    operator = Operator.MIN if node.name == "min" else Operator.MAX
    result: Expr | None = None
    good = True
    for argument in node.arguments:
        value = scope.typed(argument.value)
        if value is not None and not isinstance(value.sort, IntSort):
            _wrong(node, argument.value, "ints", value.sort, scope, f"`{node.name}imum(s)` is for a set")
            value = None
        good = good and value is not None
        if value is not None:
            result = value if result is None else Binary(operator, result, value, INT, node.place)
    return result if good else None


def _of_set(node: Call, of: Expression, scope: Scope) -> Expr | None:
    expr = scope.typed(of)
    if expr is None:
        return None
    if not (isinstance(expr.sort, SetSort) and isinstance(expr.sort.of, IntSort)):
        _wrong(node, of, "a set of ints", expr.sort, scope, None)
        return None
    operator = UnaryOperator.MINIMUM if node.name == "minimum" else UnaryOperator.MAXIMUM
    return Unary(operator, expr, expr.sort.of, node.place)


def _append(node: Call, scope: Scope, expected: Sort | None) -> Expr | None:
    first, second = (argument.value for argument in node.arguments)
    sequence = scope.typed(first, expected)
    if sequence is None:
        return None
    if not isinstance(sequence.sort, SeqSort):
        scope.skim(second)
        _wrong(node, first, "a sequence", sequence.sort, scope, "`s + {x}` adds to a set")
        return None
    of, capacity = sequence.sort.of, sequence.sort.capacity
    element = scope.stored(second, of, "the appended element")
    if element is None:
        return None
    last = MakeSeq((element,), SeqSort(of, 1))
    return Binary(Operator.CONCAT, sequence, last, concatenated(of, capacity, 1), node.place)


def _the(node: Call, of: Expression, scope: Scope) -> Expr | None:
    expr = scope.typed(of)
    if expr is None:
        return None
    if not isinstance(expr.sort, OptionalSort):
        _wrong(node, of, "an optional", expr.sort, scope, "it is never none: write it without `the`")
        return None
    return Unary(UnaryOperator.UNWRAP, expr, expr.sort.of, node.place)


def _outbox(node: Call, scope: Scope, expected: Sort | None) -> Expr | None:
    process = _process(node.arguments[0].value, scope)
    message: MessageSort | None = scope.environment.any_message
    if len(node.arguments) == 2:
        message = _message_type(node.arguments[1].value, scope)
    elif isinstance(expected, SetSort) and isinstance(expected.of, MessageSort):
        message = expected.of
    if process is None or message is None or not _observes(node, scope):
        return None
    name = message.name if message.name in scope.environment.messages else None
    return MessagesIn(Where.OUTBOX, name, process, SetSort(message), scope.old)


def _message_type(node: Expression, scope: Scope) -> MessageSort | None:
    known = scope.environment.declarations.messages
    if isinstance(node, Name) and node.name in known:
        return scope.environment.messages.get(node.name)
    hint = close_to(node.name, known) if isinstance(node, Name) else None
    hint = hint or f"write one of {listed(known)}"
    scope.report.error("S210", node.place, "a message's type is wanted here", hint)
    return None


def _process(node: Expression, scope: Scope) -> Expr | None:
    """An expression for a process of one kind."""
    expr = scope.typed(node)
    if expr is None or scope.environment.kind_of(expr.sort) is not None or expr.sort == scope.environment.any_process:
        return expr
    hint = f"the process kinds are {listed(scope.environment.declarations.processes)}"
    scope.report.error("S312", node.place, f"a process is wanted here; this is {described(expr.sort)}", hint)
    return None


def _observes(node: Call, scope: Scope) -> bool:
    """Whether what lies outside a process's memory may be read here; S401 if not."""
    where: Permissions = scope.permissions
    if not where.observe:
        message = f"{where.where} cannot read `{node.name}`: no process sees it"
        scope.report.error("S401", node.place, message, "only properties, goals, windows and ghosts may")
    return where.observe


def _wrong(node: Call, argument: Expression, wanted: str, sort: Sort, scope: Scope, hint: str | None) -> None:
    message = f"`{node.name}` takes {wanted}; this is {described(sort)}"
    scope.report.error("S312", argument.place, message, hint or f"write {BUILTIN_FORMS[node.name]}")
