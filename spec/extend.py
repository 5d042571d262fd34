"""A spec that extends another one: the other's declarations, statements beside its marked ones, and what is new.

So what only a proof needs (ghosts, how they are kept, conjuncts) stands in a file of its own, and the spec that is
searched has no more state than it needs. It adds no behaviour: each run of the one is a run of the other.

An extension ``with behaviour`` is a protocol of its own that goes on from the other's text: it has further rules and
variables, its messages have further fields, and it may put statements in the place of marked ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from spec.syntax import (
    ActionDeclaration,
    AssignStatement,
    AtBlock,
    Beside,
    BesideDeclaration,
    CallStatement,
    CompletionDeclaration,
    Declaration,
    ExtendsDeclaration,
    FlushDeclaration,
    ForStatement,
    HandlerDeclaration,
    IfStatement,
    LetStatement,
    MacroDeclaration,
    MessageDeclaration,
    ModelDeclaration,
    MutantDeclaration,
    NetworkDeclaration,
    ProcDeclaration,
    ProcessDeclaration,
    ScenarioDeclaration,
    SimpleStatement,
    Statement,
    VariableDeclaration,
)
from spec.type_report import Report, close_to
from spec.type_walk import descendants, rebuilt, statements_in

OF_A_MODEL = (ModelDeclaration, ScenarioDeclaration, CompletionDeclaration, MacroDeclaration, MutantDeclaration)
"""What stays behind: it speaks of models, and the extension has its own."""
WITH = "to go on from its text, write `extends … with behaviour`"


def base_of(path: Path, declarations: Iterable[Declaration]) -> Path | None:
    """The file that this one extends: beside it, or above its folder. None: there is none."""
    for declaration in declarations:
        if isinstance(declaration, ExtendsDeclaration):
            places = [folder / f"{declaration.spec}.spec" for folder in (path.parent, path.parent.parent)]
            return next((place for place in places if place.is_file()), None)
    return None




def extended(
    declarations: tuple[Declaration, ...], base: tuple[Declaration, ...] | None, report: Report
) -> tuple[Declaration, ...]:
    """The declarations of both. ``base``: of the spec that is extended; None: it was not found."""
    extends = [d for d in declarations if isinstance(d, ExtendsDeclaration)]
    beside = [d for d in declarations if isinstance(d, BesideDeclaration)]
    own: tuple[Declaration, ...] = tuple(
        d for d in declarations if not isinstance(d, ExtendsDeclaration | BesideDeclaration)
    )
    for second in extends[1:]:
        report.error("S519", second.place, "a spec extends one other", "remove one of them")
    if not extends:
        for part in beside:
            message = f"`{_written(part)}` stands in a spec that `extends` another"
            report.error("S519", part.place, message, "write the statements where they belong")
        return own
    if base is None:
        message = f"there is no spec `{extends[0].spec}` beside this file or above its folder"
        report.error("S519", extends[0].place, message, "name a file NAME.spec in one of these folders")
        return own
    if any(isinstance(d, ExtendsDeclaration) for d in base):
        message = f"`{extends[0].spec}` extends another spec itself"
        report.error("S519", extends[0].place, message, "extend that one")
    replaced = (NetworkDeclaration,) if any(isinstance(d, NetworkDeclaration) for d in own) else ()
    kept = tuple(d for d in base if not isinstance(d, (*OF_A_MODEL, *replaced, ExtendsDeclaration, BesideDeclaration)))
    if extends[0].behaviour:
        kept, own = _grown(kept, own)
    else:
        _check_no_behaviour(own, beside, report)
    return (*_with_beside(kept, beside, extends[0].spec, report), *own)


def _grown(
    base: tuple[Declaration, ...], own: tuple[Declaration, ...]
) -> tuple[tuple[Declaration, ...], tuple[Declaration, ...]]:
    """The base's messages and processes with what the extension adds to them, and the rest of the extension."""
    messages = {d.name: d for d in own if isinstance(d, MessageDeclaration)}
    processes = {d.name: d for d in own if isinstance(d, ProcessDeclaration)}
    grown: list[Declaration] = []
    for declaration in base:
        match declaration:
            case MessageDeclaration(name) if name in messages:
                more = messages.pop(name)
                grown.append(replace(declaration, fields=(*declaration.fields, *more.fields)))
            case ProcessDeclaration(name) if name in processes:
                added = processes.pop(name)
                variables = (*declaration.variables, *added.variables)
                members = (*declaration.members, *added.members)
                grown.append(replace(declaration, variables=variables, members=members))
            case _:
                grown.append(declaration)
    new = [*messages.values(), *processes.values()]
    rest = tuple(d for d in own if not isinstance(d, MessageDeclaration | ProcessDeclaration) or d in new)
    return tuple(grown), rest


def _check_no_behaviour(
    own: tuple[Declaration, ...], beside: Iterable[BesideDeclaration], report: Report
) -> None:
    """What is new is ghosts, and what is said of states: each run of the one spec is a run of the other."""
    procs = [d for d in own if isinstance(d, ProcDeclaration)]
    names = {proc.name for proc in procs}
    for declaration in own:
        match declaration:
            case ActionDeclaration() | HandlerDeclaration() | FlushDeclaration() | ProcessDeclaration():
                what = "it declares no actions, handlers and processes"
            case MessageDeclaration():
                what = "it declares no messages"
            case VariableDeclaration(storage=storage) if storage != "ghost":
                what = "its variables are ghosts"
            case _:
                continue
        report.error("S519", declaration.place, f"a spec that extends another adds no behaviour: {what}", WITH)
    for part in beside:
        if part.where is Beside.INSTEAD:
            message = "a spec that extends another adds no behaviour: it leaves the other's statements where they are"
            report.error("S519", part.place, message, WITH)
    for body in (*(part.body for part in beside), *(proc.body for proc in procs)):
        for statement in _not_ghosts(body, names):
            message = "a spec that extends another adds no behaviour: its statements write ghosts"
            report.error("S519", statement.place, message, f"write `ghost x := …`; {WITH}")


def _with_beside(
    base: tuple[Declaration, ...], beside: Iterable[BesideDeclaration], of: str, report: Report
) -> tuple[Declaration, ...]:
    labels = [part.label for part in descendants(base) if isinstance(part, AtBlock)]
    added: dict[tuple[Beside, str], BesideDeclaration] = {}
    for part in beside:
        if part.label not in labels:
            hint = close_to(part.label, labels)
            report.error("S508", part.place, f"`{of}` has no statements marked `at {part.label}:`", hint)
        elif (part.where, part.label) in added:
            message = f"`{_written(part)}` stands here twice"
            report.error("S519", part.place, message, "write the statements into one of them")
        added.setdefault((part.where, part.label), part)

    def change(node: Any) -> Any:
        if not isinstance(node, AtBlock):
            return node
        instead = added.get((Beside.INSTEAD, node.label))
        if instead is not None:
            node = replace(node, body=instead.body)
        before, after = added.get((Beside.BEFORE, node.label)), added.get((Beside.AFTER, node.label))
        if before is None and after is None:
            return node
        body: tuple[Statement, ...] = (*(before.body if before else ()), node, *(after.body if after else ()))
        return replace(node, label="", body=body)  # a mutant still finds the statements themselves

    changed: tuple[Declaration, ...] = rebuilt(base, change)
    return changed


def _written(part: BesideDeclaration) -> str:
    return f"{part.where.value}{' of' if part.where is Beside.INSTEAD else ''} {part.label}:"


def _not_ghosts(body: tuple[Statement, ...], procs: set[str]) -> Iterator[Any]:
    """``procs``: those whose own statements are looked at, too."""
    for statement in statements_in(body):
        match statement:
            case AssignStatement(ghost=True) | IfStatement() | ForStatement() | LetStatement():
                pass
            case SimpleStatement(word="skip"):
                pass
            case CallStatement(call) if call.name in procs:
                pass
            case _:
                yield statement
