"""Effects on a path: nothing durable is written after `fsync`, and no reply overtakes what it promises."""

from __future__ import annotations

from dataclasses import dataclass

from spec.system import (
    Announce,
    Assign,
    Block,
    EndRecord,
    Expr,
    Field,
    For,
    Fsync,
    If,
    Keep,
    Let,
    Local,
    Place,
    Require,
    Send,
    Statement,
)
from spec.type_report import Report


@dataclass(frozen=True, slots=True)
class _Path:
    """What happened on a path so far: the last `fsync`, and the last durable write that none has followed."""

    fsync: Place | None = None
    write: tuple[str, Place | None] | None = None


def check_paths(body: Block, durable: frozenset[str], message: str | None, report: Report) -> None:
    """S406 and the warning S412 of one rule. ``message``: the local of a handler's message."""
    _Storage(durable, message, report).block(body, frozenset({_Path()}))


@dataclass(frozen=True, slots=True)
class _Storage:
    durable: frozenset[str]
    message: str | None
    report: Report

    def block(self, body: Block, paths: frozenset[_Path]) -> frozenset[_Path]:
        for statement in body:
            paths = self.statement(statement, paths)
        return paths

    def statement(self, statement: Statement, paths: frozenset[_Path]) -> frozenset[_Path]:
        match statement:
            case Assign(variable, _, place) if variable in self.durable:
                for path in paths:
                    if path.fsync is not None and place is not None:
                        message = f"the durable `{variable}` is written after `fsync`: a promise of what is not flushed"
                        self.report.error("S406", place, message, f"write it before the `fsync` at {path.fsync}")
                return frozenset(_Path(path.fsync, (variable, place)) for path in paths)
            case Fsync(place):
                return frozenset({_Path(place)})
            case Send(name, _, destination, place):
                if self._is_reply(destination) and place is not None:
                    for path in paths:
                        if path.write is not None:
                            self._overtakes(name, place, *path.write)
                return paths
            case If(_, then, otherwise):
                return self.block(then, paths) | self.block(otherwise, paths)
            case For(_, _, body):
                once = paths | self.block(body, paths)
                return once | self.block(body, once)
            case Assign() | Require() | Let() | EndRecord() | Keep() | Announce():
                return paths

    def _is_reply(self, destination: Expr) -> bool:
        match destination:
            case Field(Local(name), "source"):
                return name == self.message
        return False

    def _overtakes(self, name: str, place: Place, variable: str, written: Place | None) -> None:
        self.report.warning(
            "S412",
            place,
            f"{name} can leave before the durable `{variable}` (written at {written}) is flushed",
            "write `fsync` before the reply if the reply promises it",
        )
