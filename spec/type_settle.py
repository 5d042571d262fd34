"""Turns `ignore` into structure: what follows it on a path is not run, so it goes into the branches that go on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from spec.system import Block, Expr, For, If, Let, LetIn, Local, MakeMap, Quantified, SetComprehension, Statement
from spec.type_scope import Names
from spec.type_walk import descendants, rebuilt


@dataclass(frozen=True, slots=True)
class Ignore:
    """The path ends here; the message is consumed."""


@dataclass(frozen=True, slots=True)
class DraftIf:
    condition: Expr
    then: Draft
    otherwise: Draft


Draft: TypeAlias = tuple["Statement | Ignore | DraftIf", ...]


def settled(draft: Draft, names: Names) -> Block:
    """The draft without `ignore`. What two branches both go on to is copied; the copy's names are new."""
    done: list[Statement] = []
    for position, statement in enumerate(draft):
        match statement:
            case Ignore():
                break
            case DraftIf(condition, then, otherwise):
                if not _may_end(statement):
                    done.append(If(condition, settled(then, names), settled(otherwise, names)))
                    continue
                rest = draft[position + 1 :]
                copied = rest
                if not _ends(then) and not _ends(otherwise):
                    copied = _renamed(rest, names)
                done.append(If(condition, settled(then + rest, names), settled(otherwise + copied, names)))
                break
            case _:
                done.append(statement)
    return tuple(done)


def _may_end(statement: object) -> bool:
    return any(isinstance(part, Ignore) for part in descendants(statement))


def _ends(draft: Draft) -> bool:
    """Whether every path through it comes to an `ignore`."""
    return any(
        isinstance(s, Ignore) or (isinstance(s, DraftIf) and _ends(s.then) and _ends(s.otherwise)) for s in draft
    )


_Binders = Let | For | LetIn | Quantified | SetComprehension | MakeMap


def _renamed(draft: Draft, names: Names) -> Draft:
    """A copy in which every name that it binds is new."""
    bound = {part.name for part in descendants(draft) if isinstance(part, _Binders)}
    new = {name: names.fresh(name.split("#")[0]) for name in sorted(bound)}

    def change(node: Any) -> Any:
        return replace(node, name=new[node.name]) if isinstance(node, _Binders | Local) and node.name in new else node

    result: Draft = rebuilt(draft, change)
    return result
