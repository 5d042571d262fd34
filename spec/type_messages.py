"""Who sends each message and who receives it: what gives a message's source and destination their sorts."""

from __future__ import annotations

from spec.resolve import Declarations
from spec.syntax import HandlerDeclaration, SendStatement
from spec.system import Place
from spec.type_walk import statements_in


def senders(declarations: Declarations) -> dict[str, dict[str, None]]:
    """Message → the kinds of process that send it, in declaration order. A proc is called by its own kind only."""
    bodies = [(rule.kind, rule.declaration.body) for rule in declarations.rules.values()]
    bodies += [(kind, flush.body) for kind, flush in declarations.flushes.items()]
    bodies += [(proc.kind, proc.declaration.body) for proc in declarations.procs.values()]
    sent: dict[str, dict[str, None]] = {}
    for kind in declarations.processes:
        for statement in statements_in(statement for owner, body in bodies if owner == kind for statement in body):
            if isinstance(statement, SendStatement):
                sent.setdefault(statement.message.name, {})[kind] = None
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
