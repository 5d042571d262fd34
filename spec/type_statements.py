"""Statements to IR: procs are inlined, `at` blocks are transparent, each `let` has a name of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from spec.sorts import MessageSort
from spec.syntax import (
    AssignStatement,
    AtBlock,
    Body,
    CallStatement,
    EventStatement,
    Expression,
    ForStatement,
    IfStatement,
    KeepStatement,
    LetStatement,
    RequireStatement,
    SendStatement,
    SimpleStatement,
    Statement,
)
from spec.system import (
    Announce,
    EndRecord,
    Expr,
    Field,
    For,
    Fsync,
    Keep,
    Let,
    Local,
    Place,
    Require,
    Send,
)
from spec.type_assignment import assignment
from spec.type_calls import fields, matched
from spec.type_loops import is_symmetric, order_dependence
from spec.type_report import did_you_mean
from spec.type_scope import Scope
from spec.type_settle import Draft, DraftIf, Ignore, settled
from spec.type_sorts import coerced, described
from spec.type_structures import domain_set


@dataclass(frozen=True, slots=True)
class Acting:
    """Whose statements these are. ``message``: a handler's message, and ``word`` its name in the file. ``flush``: the
    body of `on flush`. ``alone``: a proc that nothing calls, checked by itself. ``procs``: being inlined."""

    kind: str | None
    message: Local | None = None
    word: str | None = None
    flush: bool = False
    alone: bool = False
    loop: bool = False
    procs: tuple[str, ...] = ()


def statements(body: Body, scope: Scope, acting: Acting) -> Draft:
    """The IR of a body in which `ignore` is still a statement; see type_settle."""
    return _body(body, scope, acting)[0]


def _body(body: Body, scope: Scope, acting: Acting) -> tuple[Draft, Scope]:
    draft: Draft = ()
    for statement in body:
        more, scope = _statement(statement, scope, acting)
        draft += more
    return draft, scope


def _statement(node: Statement, scope: Scope, acting: Acting) -> tuple[Draft, Scope]:
    """The statement's IR, and the scope of those after it."""
    match node:
        case AtBlock(_, body):
            return _body(body, scope, acting)
        case LetStatement(name, value, place):
            return _let(name, value, place, scope)
        case AssignStatement():
            return assignment(node, scope), scope
        case IfStatement(test, then, otherwise):
            condition = scope.condition(test, "the condition of `if`")
            branches = (_body(then, scope, acting)[0], _body(otherwise, scope, acting)[0])
            return () if condition is None else (DraftIf(condition, *branches),), scope
        case ForStatement():
            return _for(node, scope, acting), scope
        case RequireStatement(test, place):
            condition = scope.condition(test, "the condition of `require`")
            if acting.flush:
                message = "`require` in `on flush`: a flush has happened already and cannot be undone"
                scope.report.error("S413", place, message, "write `if`")
            return () if condition is None else (Require(condition, place),), scope
        case SendStatement():
            return _send(node, scope, acting), scope
        case CallStatement():
            return _call(node, scope, acting), scope
        case EventStatement(call):
            values = [scope.typed(argument.value) for argument in call.arguments]
            return (Announce(call.name, tuple(value for value in values if value is not None)),), scope
        case KeepStatement(name, place):
            return _keep(name, place, scope, acting), scope
        case SimpleStatement(word, place):
            return _simple(word, place, scope, acting), scope


def _let(name: str, value: Expression, place: Place, scope: Scope) -> tuple[Draft, Scope]:
    expr = scope.typed(value)
    if name in scope.locals:
        scope.report.error("S202", place, f"`{name}` is bound already in this rule", "choose another name")
    unique, inner = scope.bind(name, None if expr is None else expr.sort)
    return () if expr is None else (Let(unique, expr),), inner


def _for(node: ForStatement, scope: Scope, acting: Acting) -> Draft:
    found = domain_set(node.domain, scope, "`for`")
    if node.name in scope.locals:
        scope.report.error("S202", node.place, f"`{node.name}` is bound already in this rule", "choose another name")
    name, inner = scope.bind(node.name, None if found is None else found[1])
    body = settled(_body(node.body, inner, replace(acting, loop=True))[0], scope.names)
    if found is None:
        return ()
    network = scope.environment.declarations.network
    if is_symmetric(found[1]):
        clash = order_dependence(name, body, fifo=network is not None and network.kind == "fifo")
        if clash is not None:
            place, reason = clash
            message = f"a loop over the symmetric {found[1]} must not depend on its order: {reason}"
            hint = (
                "write each round's own place (`x[p] := …`), or collect with `+`; or compute a set and assign it once"
            )
            scope.report.error("S410", place or node.place, message, hint)
    return (For(name, found[0], body),)


def _send(node: SendStatement, scope: Scope, acting: Acting) -> Draft:
    name, report = node.message.name, scope.report
    destination = None if node.destination is None else scope.typed(node.destination)
    sort = scope.environment.messages.get(name)
    if sort is None:
        for argument in node.message.arguments:
            scope.skim(argument.value)
        if name not in scope.environment.declarations.messages:
            known = scope.environment.declarations.messages
            message = f"there is no message `{name}`"
            report.error("S210", node.message.place, message, did_you_mean(name, known, f"declare `message {name}:`"))
        return ()
    values = fields(node.message, sort.fields, scope)
    if acting.kind is None:
        report.error("S414", node.place, "only a process sends; this stands outside any", "move it into a process")
        return ()
    if node.destination is None:
        destination = _reply_to(node, scope, acting)
    if values is None or destination is None:
        return ()
    target = coerced(destination, sort.destination)
    if target is None:
        message = f"{name} is received by {described(sort.destination)}; this goes to {described(destination.sort)}"
        place = node.place if node.destination is None else node.destination.place
        report.error("S311", place, message, f"send it to a {sort.destination}, or write a handler there")
        return ()
    return (Send(name, values, target, node.place),)


def _reply_to(node: SendStatement, scope: Scope, acting: Acting) -> Expr | None:
    if acting.message is not None:
        assert isinstance(acting.message.sort, MessageSort)
        return Field(acting.message, "source", acting.message.sort.source)
    if not acting.alone:
        _handlers_only("reply", node.place, scope, "write `send M(…) to p`")
    return None


def _handlers_only(word: str, place: Place, scope: Scope, hint: str) -> None:
    scope.report.error("S408", place, f"`{word}` has a meaning only in a handler, which has a message", hint)


def _keep(name: str, place: Place, scope: Scope, acting: Acting) -> Draft:
    if acting.alone:
        return ()
    if acting.message is None:
        _handlers_only("keep", place, scope, "remove it")
        return ()
    if name != acting.word:
        hint = (
            f"write `keep {acting.word}`"
            if acting.word is not None
            else "a proc has no message: move it to the handler"
        )
        scope.report.error("S408", place, f"`keep` takes the handler's message, not `{name}`", hint)
        return ()
    return (Keep(),)


def _simple(word: str, place: Place, scope: Scope, acting: Acting) -> Draft:
    if word == "skip":
        return ()
    if word == "ignore":
        if acting.loop:
            message = "`ignore` in `for`: it would end the handler in the middle of the rounds"
            scope.report.error("S409", place, message, "decide before the loop, with `exists`")
            return ()
        if acting.message is None and not acting.alone:
            _handlers_only("ignore", place, scope, "write `require` to leave an action disabled, or `if`")
            return ()
        return (Ignore(),)
    if acting.kind is None:
        message = f"`{word}`: what stands outside any process has no storage"
        scope.report.error("S414", place, message, "move it into a process")
        return ()
    if word == "record":
        return (EndRecord(),)
    assert word == "fsync", word
    if acting.flush:
        message = "`fsync` in `on flush`: what a flush writes cannot wait for itself"
        scope.report.error("S407", place, message, "the next flush covers it; send after that, or without `fsync`")
        return ()
    return (Fsync(place),)


def _call(node: CallStatement, scope: Scope, acting: Acting) -> Draft:
    call, report, declared = node.call, scope.report, scope.environment.declarations
    entry = declared.procs.get(call.name)
    if entry is None:
        for argument in call.arguments:
            scope.skim(argument.value)
        if call.name in declared.functions:
            message = f"`{call.name}` is a function: it has a value and changes nothing"
            report.error("S204", call.place, message, "use its value, or write a `proc`")
        else:
            hint = did_you_mean(call.name, declared.procs, "declare it with `proc`")
            report.error("S204", call.place, f"there is no proc `{call.name}`", hint)
        return ()
    proc = entry.declaration
    arguments = matched(call.arguments, [p.name for p in proc.parameters], call.name, call.place, scope)
    if call.name in acting.procs:
        circle = " → ".join((*acting.procs[acting.procs.index(call.name) :], call.name))
        report.error("S208", call.place, f"`{call.name}` calls itself ({circle})", "use `for`")
        return ()
    if entry.kind is not None and entry.kind != acting.kind:
        owner = f"a {acting.kind}" if acting.kind else "an action outside any process"
        message = f"`{call.name}` belongs to {entry.kind}; {owner} cannot call it"
        report.error("S215", call.place, message, f"declare it in `process {acting.kind}:`" if acting.kind else None)
        return ()
    if arguments is None:
        return ()
    inner = replace(scope, locals={name: local for name, local in scope.locals.items() if name == "self"})
    lets: Draft = ()
    for parameter in proc.parameters:
        sort = scope.environment.sort_of(parameter.type, message=True)
        value = scope.checked(arguments[parameter.name].value, sort, f"`{parameter.name}` of {call.name}")
        unique, inner = inner.bind(parameter.name, sort)
        lets += () if value is None else (Let(unique, value),)
    body = _body(proc.body, inner, replace(acting, word=None, procs=(*acting.procs, call.name)))[0]
    return lets + body
