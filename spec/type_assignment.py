"""Assignments to IR: an assignment to a place in a variable gives the whole variable a new value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from spec.sorts import AtomSort, IntSort, MapSort, RecordSort, SeqSort, Sort
from spec.syntax import (
    AssignStatement,
    Dot,
    Expression,
    Name,
    Subscript,
)
from spec.system import (
    Assign,
    Expr,
    Field,
    Index,
    Local,
    Storage,
    Update,
    WithField,
)
from spec.type_report import close_to, listed
from spec.type_scope import GHOST_VALUE, Scope
from spec.type_sorts import described
from spec.typecheck import variable


def assignment(node: AssignStatement, scope: Scope) -> tuple[Assign, ...]:
    """``target := value``; nothing after reporting what is wrong."""
    value_scope = replace(scope, permissions=GHOST_VALUE) if node.ghost else scope
    root, path = _unwound(node.target)
    found = _target(node, root, path, scope)
    if found is None:
        _skim(node.value, scope)
        return ()
    kind, name, path = found
    process = None if kind is None or scope.process is None else Local("self", scope.process)
    whole = variable(kind, name, process, value_scope, node.target.place)
    if whole is None:
        _skim(node.value, scope)
        return ()
    return _stored_at(name, whole, path, node, value_scope)


def _skim(value: Expression, scope: Scope) -> None:
    """Checks the value of an assignment whose target is wrong: it may have been meant for a ghost."""
    replace(scope, permissions=GHOST_VALUE).skim(value)


def _stored_at(
    name: str, whole: Expr, path: tuple[Subscript | Dot, ...], node: AssignStatement, scope: Scope
) -> tuple[Assign, ...]:
    """The assignment of the whole variable that changes only the place that ``path`` leads to."""
    at = whole
    wrap: list[Callable[[Expr], Expr]] = []
    for step in path:
        inside = _step(at, step, scope)
        if inside is None:
            _skim(node.value, scope)
            return ()
        at, outwards = inside
        wrap.append(outwards)
    shown = f"`{name}`" if not path else f"this place of `{name}`"
    value = scope.stored(node.value, at.sort, shown)
    if value is None:
        return ()
    for outwards in reversed(wrap):
        value = outwards(value)
    return (Assign(name, value, node.place),)


def _step(of: Expr, step: Subscript | Dot, scope: Scope) -> tuple[Expr, Callable[[Expr], Expr]] | None:
    """One step into a value: the place there, and the value with the place changed."""
    place = step.place
    if isinstance(step, Dot):
        if isinstance(of.sort, RecordSort) and step.name in dict(of.sort.fields):
            field = Field(of, step.name, dict(of.sort.fields)[step.name])
            return field, lambda value: WithField(of, step.name, value, of.sort)
        known = [name for name, _ in of.sort.fields] if isinstance(of.sort, RecordSort) else []
        message = f"{described(of.sort)} has no field `{step.name}` to assign; it has {listed(known, 'no fields')}"
        scope.report.error("S305", place, message, close_to(step.name, known))
        return None
    if step.high is not None:
        return None  # the parser has reported it
    inside: Sort
    match of.sort:
        case MapSort(key_sort, inside):
            key = scope.stored(step.key, key_sort, "the map's key")
        case SeqSort(inside):
            key = scope.stored(step.key, IntSort(), "a sequence's index")
        case sort:
            scope.skim(step.key)
            message = f"only places of sequences and maps are assigned; this is {described(sort)}"
            scope.report.error("S307", step.of.place, message, "a set grows by `s := s + {x}`")
            return None
    if key is None:
        return None
    return Index(of, key, inside, place), lambda value: Update(of, key, value, of.sort, place)


def _unwound(target: Expression) -> tuple[Expression, tuple[Subscript | Dot, ...]]:
    """``x[i].f`` as ``x`` and the steps ``[i]``, ``.f``."""
    path: list[Subscript | Dot] = []
    while isinstance(target, Subscript | Dot):
        path.append(target)
        target = target.of
    return target, tuple(reversed(path))


def _target(
    node: AssignStatement, root: Expression, path: tuple[Subscript | Dot, ...], scope: Scope
) -> tuple[str | None, str, tuple[Subscript | Dot, ...]] | None:
    """The variable that is assigned: its kind, its name, and the steps into it."""
    report, place = scope.report, root.place
    if not isinstance(root, Name):
        report.error(
            "S405", place, "this is not a variable; only variables are assigned", "assign a name, or a place in it"
        )
        return None
    name, known = root.name, scope.environment.variables
    acting = None if scope.process is None else scope.process.name
    local = scope.locals.get(name)
    if local is not None and isinstance(local.sort, AtomSort) and path and isinstance(path[0], Dot):
        if name != "self":
            message = f"only the process itself writes its `{path[0].name}`"
            report.error("S405", node.target.place, message, "send it a message")
            return None
        name, path, local = path[0].name, path[1:], None
    elif name in scope.locals:
        message = f"`{name}` is a local name, bound once; only variables are assigned"
        report.error("S405", place, message, "bind a new name with `let`, or declare a variable")
        return None
    key = (acting, name) if acting is not None and (acting, name) in known else (None, name)
    if key not in known:
        declared = scope.environment.declarations
        if name in declared.constants or name in declared.enum_of or name in declared.type_names:
            report.error(
                "S405", place, f"`{name}` is not a variable; only variables are assigned", "declare a variable"
            )
        else:
            scope.unknown(name, place)
        return None
    if (known[key].storage is Storage.GHOST) != node.ghost:
        is_ghost = known[key].storage is Storage.GHOST
        message = f"`{name}` is {'a' if is_ghost else 'not a'} ghost"
        hint = f"write `ghost {name} := …`" if is_ghost else f"write `{name} := …` without `ghost`"
        report.error("S404", node.place, message, hint)
        return None
    return key[0], name, path
