"""The meaning of every statement of the IR: blocks compiled once to Python functions of a running transition."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from spec import system as ir
from spec.expressions import Compiled, Compiler, Frame
from spec.sorts import Value
from spec.state import Message, State
from spec.system import Storage, StorageMode
from spec.values import NotEnabled, check_fields, store_check

Event: TypeAlias = tuple[str, tuple[Value, ...]]


class Transition(Frame):
    """One occurrence of a rule while it runs: a frame whose own memory, shared variables and ghosts are copies."""

    __slots__ = ("events", "fsynced", "kept", "pending", "sent", "waiting")

    def __init__(self, state: State, index: int) -> None:
        super().__init__(state)
        self.index = index
        self.own = list(state.memory[index]) if index >= 0 else []
        self.shared = list(state.shared)
        self.ghosts = list(state.ghosts)
        self.pending: list[tuple[Value, ...]] = list(state.pending[index]) if index >= 0 else []
        self.sent: list[Message] = []
        self.waiting: list[Message] = []
        self.fsynced = False
        self.kept = False
        self.events: list[Event] = []


Executor: TypeAlias = Callable[[Transition], None]


class BlockCompiler:
    """Compiles the blocks of one system. ``compile``: its expressions."""

    def __init__(self, system: ir.System) -> None:
        self.system = system
        self.compile = Compiler(system)
        self._checks = {(v.kind, v.name): store_check(v.sort, v.name) for v in system.variables}
        self._durable = {
            kind.name: tuple(
                i for i, v in enumerate(system.variables_of(kind.name)) if v.storage is Storage.DURABLE
            )
            for kind in system.kinds
        }

    def block(self, block: ir.Block, kind: str | None) -> Executor:
        steps = tuple(self.statement(statement, kind) for statement in block)

        def run(t: Transition) -> None:
            for step in steps:
                step(t)

        return run

    def statement(self, statement: ir.Statement, kind: str | None) -> Executor:
        """One statement, of a rule of this process kind."""
        match statement:
            case ir.Assign():
                return self._assign(statement, kind)
            case ir.If(condition, then, otherwise):
                test, yes, no = self.compile(condition), self.block(then, kind), self.block(otherwise, kind)
                return lambda t: yes(t) if test(t) else no(t)
            case ir.Require(condition):
                return _require(self.compile(condition))
            case ir.Let(name, value):
                return _let(name, self.compile(value))
            case ir.For(name, over, body):
                return self._for(name, over, self.block(body, kind))
            case ir.Send():
                return self._send(statement)
            case ir.Fsync():
                return _fsync
            case ir.EndRecord():
                buffered = self.system.storage is StorageMode.BUFFERED
                stored = kind is not None and self.system.kind(kind).has_storage
                return self.end_record(kind) if kind is not None and buffered and stored else lambda t: None
            case ir.Keep():
                return _keep
            case ir.Announce(event, arguments):
                parts = tuple(self.compile(argument) for argument in arguments)
                return lambda t: t.events.append((event, tuple([part(t) for part in parts])))

    def _assign(self, statement: ir.Assign, kind: str | None) -> Executor:
        value, place = self.compile(statement.value), statement.place
        key = f"{kind}.{statement.variable}"
        area, position = self.compile.slots[key if key in self.compile.slots else statement.variable]
        owner = kind if area == "memory" else None
        check = self._checks[owner, statement.variable]

        def assign(t: Transition) -> None:
            new = value(t)
            if check is not None:
                check(new, place)
            target = t.own if area == "memory" else t.shared if area == "shared" else t.ghosts
            target[position] = new

        return assign

    def _for(self, name: str, over: ir.Expr, body: Executor) -> Executor:
        elements = self.compile.elements(over)

        def loop(t: Transition) -> None:
            for element in list(elements(t)):
                t.local[name] = element
                body(t)

        return loop

    def _send(self, statement: ir.Send) -> Executor:
        sort = next(m for m in self.system.messages if m.name == statement.message)
        fields = tuple(self.compile(field) for field in statement.fields)
        destination, place, name = self.compile(statement.destination), statement.place, statement.message
        check = check_fields(tuple(store_check(s, f"{name}.{field}") for field, s in sort.fields))

        def send(t: Transition) -> None:
            values = tuple([field(t) for field in fields])
            if check is not None:
                check(values, place)
            message = (name, t.local["self"], destination(t), *values)
            (t.waiting if t.fsynced else t.sent).append(message)

        return send

    def end_record(self, kind: str) -> Executor:
        """Ends a storage record of the acting process, if a durable variable differs from the last one."""
        durable = self._durable[kind]

        def end(t: Transition) -> None:
            record = tuple([t.own[position] for position in durable])
            last = t.pending[-1] if t.pending else t.state.disk[t.index]
            if record != last:
                t.pending.append(record)

        return end


def _require(condition: Compiled) -> Executor:
    def require(t: Transition) -> None:
        if not condition(t):
            raise NotEnabled

    return require


def _let(name: str, value: Compiled) -> Executor:
    def let(t: Transition) -> None:
        t.local[name] = value(t)

    return let


def _fsync(t: Transition) -> None:
    t.fsynced = True


def _keep(t: Transition) -> None:
    t.kept = True
