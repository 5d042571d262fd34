"""Every statement of the IR as code: a running transition, which ends in a successor, a cut, an error, or nothing.

The first event in program order wins because the code runs in that order: a cut or a failing evaluation leaves at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from checker.explicit.context import SENDS
from checker.explicit.emit_exits import Cuts, Exits
from checker.explicit.emit_expressions import Expressions
from checker.explicit.emit_frame import Frame
from checker.explicit.emit_loops import each
from checker.explicit.emit_packing import mapped, packed
from checker.explicit.emit_records import Records
from checker.explicit.emit_stored import check, stored
from checker.explicit.emit_types import BIT, FALSE, I64, TRUE, known, number
from checker.explicit.emit_values import Atom, Emitted, Message, Record
from checker.explicit.llvm import Ssa, ir
from spec import system as nodes
from spec.type_loops import is_symmetric

Round = TypeVar("Round")
GOES_ON = number(1 << 32)
"""More than any number of a cut."""


class Running:
    """A transition while it runs: ``rule`` is its name in the counts of cuts."""

    def __init__(self, frame: Frame, rule: str, cuts: Cuts, exits: Exits, *, every_order: bool = False) -> None:
        self.frame, self.rule, self.cuts, self.exits = frame, rule, cuts, exits
        self.every_order = every_order  # a failure in one round of a symmetric loop counts before any other's end
        self.code, self.layout, self.access = frame.code, frame.layout, frame.pool_access
        self.expressions = Expressions(frame)
        code = self.code
        self.fsynced, self.kept, self.sent = code.cell(BIT), code.cell(BIT), code.cell(I64)
        code.put(self.fsynced, FALSE)
        code.put(self.kept, FALSE)
        code.put(self.sent, number(0))
        self.most_sends = self.access.sends
        self.messages: Ssa = None  # the keys of the messages sent, with the waiting bit if after an fsync
        stores = frame.own is not None and frame.own.layout.kind.has_storage
        self.records = Records(frame) if stores and self.layout.buffered else None

    # -------------------------------------------------------------------------------------- the exits

    def cut_unless(self, condition: Ssa, bound: str) -> None:
        code = self.code
        if known(condition) == 1:
            return
        here, rest = code.b.block, code.block()
        code.b.cbranch(condition, rest, self.exits.cut.parent)
        self.exits.cut.add_incoming(number(self.cuts.number(self.rule, bound)), here)
        code.b.position_at_end(rest)

    def overflow_unless(self, condition: Ssa, capacity: int) -> None:
        code = self.code
        here, rest = code.b.block, code.block()
        code.b.cbranch(condition, rest, self.exits.overflow.parent)
        self.exits.overflow.add_incoming(number(capacity), here)
        code.b.position_at_end(rest)

    # ------------------------------------------------------------------------------------- statements

    def block(self, block: nodes.Block) -> None:
        for statement in block:
            self._statement(statement)

    def _statement(self, statement: nodes.Statement) -> None:
        code, expressions = self.code, self.expressions
        match statement:
            case nodes.Assign():
                self._assign(statement)
            case nodes.If(condition, then, otherwise):
                code.if_(expressions.boolean(condition), lambda: self.block(then), lambda: self.block(otherwise))
            case nodes.Require(condition):
                code.go_on(expressions.boolean(condition), self.exits.none)
            case nodes.Let(name, value):
                self.frame.local[name] = expressions.value(value)
            case nodes.For(name, domain, body):

                def round_(element: Emitted) -> None:
                    self.frame.local[name] = element
                    self.block(body)

                self.rounds(is_symmetric(domain.sort), lambda body: each(expressions, domain, body), round_)
            case nodes.Send():
                self._send(statement)
            case nodes.Fsync():
                code.put(self.fsynced, TRUE)
            case nodes.EndRecord():
                if self.records is not None:
                    self.records.end()
            case nodes.Keep():
                code.put(self.kept, TRUE)
            case nodes.Announce(_, arguments):
                for argument in arguments:  # shown in traces only, but it may fail
                    if not isinstance(self._local_message(argument), Message):
                        expressions.value(argument)

    def rounds(
        self, symmetric: bool, each: Callable[[Callable[[Round], None]], None], body: Callable[[Round], None]
    ) -> None:
        """A loop. If every order of its rounds counts, one that is cut or not enabled ends the transition only after
        the others, of which one may fail."""
        if not (self.every_order and symmetric):
            each(body)
            return
        code, exits = self.code, self.exits
        stopped = code.cell(I64)  # 0: not enabled, otherwise a cut's number + 1, or that nothing has stopped it
        code.put(stopped, GOES_ON)
        cutting: list[Any] = []  # the blocks of rounds that may be cut

        def stop(how: Ssa, following: Any) -> None:
            earlier = code.get(stopped, I64)
            code.put(stopped, code.select(code.is_less(how, earlier), how, earlier))
            code.b.branch(following)

        def round_(element: Round) -> None:
            following, none, cut = (code.block() for _ in range(3))
            number_of_cut = ir.IRBuilder(cut).phi(I64)
            self.exits = replace(exits, none=none, cut=number_of_cut)
            body(element)
            self.exits = exits
            code.b.branch(following)
            code.b.position_at_end(none)
            stop(number(0), following)
            code.b.position_at_end(cut)
            if number_of_cut.incomings:
                cutting.append(cut)
                stop(code.add(number_of_cut, number(1)), following)
            else:
                cut.instructions.remove(number_of_cut)
                code.b.unreachable()
            code.b.position_at_end(following)

        each(round_)
        how = code.get(stopped, I64)
        code.leave_if(code.is_equal(how, number(0)), exits.none)
        if cutting:
            number_ = code.sub(how, number(1))
            here, rest = code.b.block, code.block()
            code.b.cbranch(code.is_equal(how, GOES_ON), rest, exits.cut.parent)
            exits.cut.add_incoming(number_, here)
            code.b.position_at_end(rest)

    def _local_message(self, node: nodes.Expr) -> object:
        return self.frame.local.get(node.name) if isinstance(node, nodes.Local) else None

    def _assign(self, statement: nodes.Assign) -> None:
        own = self.frame.own
        kind = None if own is None else own.layout.kind.name
        system = self.layout.system
        variable = next(
            v
            for v in system.variables
            if v.name == statement.variable and v.kind in ((kind, None) if kind else (None,))
        )
        value = stored(self, statement.value, variable.sort, variable.name)
        self.frame.cells[statement.variable].put(value)

    def _send(self, statement: nodes.Send) -> None:
        code, layout, expressions = self.code, self.layout, self.expressions
        message = layout.messages[statement.message]
        values = [expressions.value(node) for node in statement.fields]
        checked = []
        for value, (name, sort) in zip(values, message.sort.fields, strict=True):
            check(self, value, sort, f"{statement.message}.{name}")
            checked.append(value)
        destination = expressions.value(statement.destination)
        assert isinstance(destination, Atom)
        assert self.frame.own is not None
        payload = packed(code, Record(tuple(checked)), message.payload)
        type_ = self.access.key_type
        to = mapped(code, destination.index, [layout.processes.index(name) for name in destination.elements])
        key = code.resize(payload, type_)
        key = code.either(key, ir.Constant(type_, message.tag << layout.tag_shift))
        for part, shift in (
            (to, layout.destination_shift),
            (self.frame.own.index, layout.source_shift),
            (code.get(self.fsynced, BIT), layout.waiting_shift),
        ):
            key = code.either(key, code.shift_left(code.resize(part, type_), ir.Constant(type_, shift)))
        if self.messages is None:
            self.messages = code.cell(type_, self.most_sends)
        sent = code.get(self.sent, I64)
        self.overflow_unless(code.is_less(sent, number(self.most_sends)), SENDS)
        code.put(code.at(self.messages, sent, type_), key)
        code.put(self.sent, code.add(sent, number(1)))
