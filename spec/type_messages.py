"""Who sends each message and who receives it: what gives a message's source and destination their sorts."""

from __future__ import annotations

from collections.abc import Iterable

from spec.resolve import Declarations
from spec.syntax import CallStatement, HandlerDeclaration, SendStatement
from spec.system import Place
from spec.type_walk import statements_in


def senders(declarations: Declarations) -> dict[str, dict[str, None]]:
    """Message → the kinds of process that send it, in declaration order; procs count for their callers."""
    sent: dict[str, dict[str, None]] = {}
    members = [(rule.kind, rule.declaration.body) for rule in declarations.rules.values()]
    members += [(kind, flush.body) for kind, flush in declarations.flushes.items()]
    members += [(proc.kind, proc.declaration.body) for proc in declarations.procs.values() if proc.kind]
    for kind in declarations.processes:
        for owner, body in members:
            if owner == kind:
                _collect(declarations, body, kind, sent, set())
    return sent


def receivers(declarations: Declarations) -> dict[str, dict[str, Place]]:
    """Message → the kinds that receive it. `on any` receives what its kind receives, and what nobody else does."""
    received: dict[str, dict[str, Place]] = {}
    for rule in declarations.rules.values():
        if isinstance(rule.declaration, HandlerDeclaration) and rule.kind and rule.declaration.message != "any":
            received.setdefault(rule.declaration.message, {}).setdefault(rule.kind, rule.declaration.place)
    for rule in declarations.rules.values():
        if isinstance(rule.declaration, HandlerDeclaration) and rule.kind and rule.declaration.message == "any":
            for message in declarations.messages:
                received.setdefault(message, {rule.kind: rule.declaration.place})
    return received


def _collect(
    declarations: Declarations, body: Iterable[object], kind: str, sent: dict[str, dict[str, None]], seen: set[str]
) -> None:
    for statement in statements_in(body):
        if isinstance(statement, SendStatement):
            sent.setdefault(statement.message.name, {})[kind] = None
        elif isinstance(statement, CallStatement) and statement.call.name not in seen:
            proc = declarations.procs.get(statement.call.name)
            if proc is not None:
                _collect(declarations, proc.declaration.body, kind, sent, seen | {statement.call.name})
