"""Types of calls: a file's own functions, inlined; records; and how arguments meet parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spec.sorts import RecordSort, Sort
from spec.syntax import Argument, Call, FunctionDeclaration
from spec.system import (
    Expr,
    LetIn,
    MakeRecord,
    Place,
)
from spec.type_builtins import BUILTIN_FORMS, builtin
from spec.type_report import close_to, did_you_mean, listed
from spec.type_scope import Scope, within


def call(node: Call, scope: Scope, expected: Sort | None) -> Expr | None:
    declared = scope.environment.declarations
    if node.name in BUILTIN_FORMS:
        return builtin(node, scope, expected)
    if node.name in declared.functions:
        return _inlined(node, declared.functions[node.name], scope)
    if node.name in declared.records:
        return _record(node, scope)
    for argument in node.arguments:
        scope.skim(argument.value)
    if node.name in declared.messages:
        hint = f"`exists m in network({node.name}): …` speaks of messages on their way"
        scope.report.error("S316", node.place, f"the message `{node.name}` is made only by `send` and `reply`", hint)
    elif node.name in declared.procs:
        message = f"`{node.name}` is a proc: it is a statement and has no value"
        scope.report.error("S204", node.place, message, "write a `fun` for a value")
    else:
        known = (*BUILTIN_FORMS, *declared.functions, *declared.records)
        hint = did_you_mean(node.name, known, "declare it with `fun`")
        scope.report.error("S204", node.place, f"there is no function or record `{node.name}`", hint)
    return None


def matched(
    arguments: Sequence[Argument], wanted: Sequence[str], what: str, place: Place, scope: Scope
) -> dict[str, Argument] | None:
    """Each wanted name's argument; positional ones in order. ``None`` after reporting what is missing or too many."""
    found: dict[str, Argument] = {}
    good = True
    for position, argument in enumerate(arguments):
        if argument.name is None and position >= len(wanted):
            message = f"`{what}` takes {len(wanted)} argument(s); this is one more"
            scope.report.error("S306", argument.place, message, f"it takes {listed(wanted, 'nothing')}")
            good = False
            continue
        name = wanted[position] if argument.name is None else argument.name
        if name not in wanted:
            message = f"`{what}` takes no `{name}`; it takes {listed(wanted, 'nothing')}"
            scope.report.error("S306", argument.place, message, close_to(name, wanted))
            good = False
        elif name in found:
            scope.report.error("S306", argument.place, f"`{name}` is given twice", "remove one")
            good = False
        else:
            found[name] = argument
    missing = [name for name in wanted if name not in found]
    if missing and good:
        scope.report.error("S306", place, f"`{what}` lacks {listed(missing)}", f"it takes {listed(wanted)}")
    return found if good and not missing else None


def fields(node: Call, wanted: Sequence[tuple[str, Sort]], scope: Scope) -> tuple[Expr, ...] | None:
    """The fields of a record or a message, in the declaration's order."""
    arguments = matched(node.arguments, [name for name, _ in wanted], node.name, node.place, scope)
    if arguments is None:
        for argument in node.arguments:
            scope.skim(argument.value)
        return None
    values = [scope.stored(arguments[name].value, sort, f"`{name}` of {node.name}") for name, sort in wanted]
    known = tuple(value for value in values if value is not None)
    return known if len(known) == len(values) else None


def _record(node: Call, scope: Scope) -> Expr | None:
    sort = scope.environment.named(node.name, node.place)
    if not isinstance(sort, RecordSort):
        return None
    parts = fields(node, sort.fields, scope)
    return None if parts is None else MakeRecord(parts, sort)


def _inlined(node: Call, function: FunctionDeclaration, scope: Scope) -> Expr | None:
    """The function's body with its parameters bound: a function sees its parameters and what is global."""
    names = [parameter.name for parameter in function.parameters]
    arguments = matched(node.arguments, names, node.name, node.place, scope)
    if node.name in scope.calls:
        circle = " → ".join((*scope.calls[scope.calls.index(node.name) :], node.name))
        scope.report.error(
            "S208", node.place, f"`{node.name}` calls itself ({circle})", "quantify over a range instead"
        )
        return None
    inner = replace(scope, locals={}, process=None, calls=(*scope.calls, node.name))
    bound: list[tuple[str, Expr]] = []
    for parameter in function.parameters:
        sort = scope.environment.sort_of(parameter.type, message=True)
        what = f"`{parameter.name}` of {node.name}"
        value = None
        if arguments is not None:
            value = scope.checked(arguments[parameter.name].value, sort, what)
        unique, inner = inner.bind(parameter.name, sort)
        if value is not None:
            bound.append((unique, value))
    result = scope.environment.sort_of(function.result)
    body = inner.stored(function.body, result, f"the result of {node.name}")
    if arguments is None or body is None or result is None or len(bound) < len(names):
        return None
    expr = within(body, result, f"the result of {node.name}", function.body.place)
    for unique, value in reversed(bound):
        expr = LetIn(unique, value, expr, expr.sort)
    return expr
