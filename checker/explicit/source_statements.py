"""Every statement of the IR as Python source, in a function that returns the successor.

The function returns None where the transition is not enabled, and the text of the bound where it is cut.
"""

from __future__ import annotations

from checker.explicit.blocks import all_statements
from checker.explicit.source_checks import Checks
from checker.explicit.source_expressions import Expressions
from checker.explicit.source_frame import Bound, Frame, tuple_of
from spec import system as ir
from spec.system import StorageMode


class Statements:
    """Emits the blocks of one function. ``sends``: what of all statements may be met in it."""

    def __init__(self, frame: Frame, checks: Checks, blocks: tuple[ir.Block, ...]) -> None:
        self.frame, self.text, self.slots, self.checks = frame, frame.text, frame.slots, checks
        self.system = frame.slots.system
        self.expressions = Expressions(frame)
        met = [statement for block in blocks for statement in all_statements(block)]
        self.sends = any(isinstance(statement, ir.Send) for statement in met)
        self.fsyncs = any(isinstance(statement, ir.Fsync) for statement in met)
        self.keeps = any(isinstance(statement, ir.Keep) for statement in met)
        self.assigned = {statement.variable for statement in met if isinstance(statement, ir.Assign)}
        self.buffered = self.system.storage is StorageMode.BUFFERED

    @property
    def stored(self) -> bool:
        """Whether the acting process has storage."""
        return self.frame.kind is not None and self.system.kind(self.frame.kind).has_storage

    def begin(self) -> None:
        """What a running transition has besides its variables."""
        if self.sends:
            self.text.line("sent = []")
        if self.fsyncs:
            self.text.line("waiting = []")
            self.text.line("fsynced = False")
        if self.keeps:
            self.text.line("kept = False")

    def block(self, block: ir.Block) -> None:
        for statement in block:
            self._statement(statement)

    def _statement(self, statement: ir.Statement) -> None:
        text = self.text
        match statement:
            case ir.Assign():
                self._assign(statement)
            case ir.If(condition, then, otherwise):
                with text.block(f"if {self.expressions.of(condition)}:"):
                    self.block(then)
                if otherwise:
                    with text.block("else:"):
                        self.block(otherwise)
            case ir.Require(condition):
                with text.block(f"if not {self.expressions.of(condition)}:"):
                    text.line("return None")
            case ir.Let(name, value):
                source = text.let(self.expressions.of(value))
                self.frame.local[name] = Bound(source, sure=self.expressions.fits(value, value.sort))
            case ir.For(name, over, body):
                self.expressions.loop(name, over, lambda: self.block(body), ordered=True)
            case ir.Send():
                self._send(statement)
            case ir.Fsync():
                text.line("fsynced = True")
            case ir.EndRecord():
                if self.stored and self.buffered:
                    self.end_record()
            case ir.Keep():
                text.line("kept = True")
            case ir.Announce(_, arguments):  # the evaluator tells what it announces: here it may only fail
                for argument in arguments:
                    self.expressions.of(argument)

    def _assign(self, statement: ir.Assign) -> None:
        area = self.slots.area(statement.variable, self.frame.kind)
        (variable,) = (
            v
            for v in self.system.variables
            if v.name == statement.variable and v.kind == (self.frame.kind if area == "memory" else None)
        )
        value = self.expressions.of(statement.value)
        if not isinstance(statement.value, ir.Literal):
            value = self.text.atom(value)
        place = self.expressions.place(statement.place)
        if not self.expressions.fits(statement.value, variable.sort):
            self.checks.write(value, variable.sort, variable.name, place)
        self.text.line(f"{self.frame.variable(variable.name)} = {value}")

    def _send(self, statement: ir.Send) -> None:
        sort = next(m for m in self.system.messages if m.name == statement.message)
        values = [self.expressions.atom(field) for field in statement.fields]
        place = self.expressions.place(statement.place)
        for value, node, (name, field) in zip(values, statement.fields, sort.fields, strict=True):
            if not self.expressions.fits(node, field):
                self.checks.write(value, field, f"{sort.name}.{name}", place)
        destination = self.expressions.of(statement.destination)
        message = tuple_of([repr(sort.name), self.frame.local["self"].source, destination, *values])
        box = "(waiting if fsynced else sent)" if self.fsyncs else "sent"
        self.text.line(f"{box}.append({message})")

    # ---------------------------------------------------------------------------------------- storage

    def record(self) -> str:
        """The durable variables as they are."""
        assert self.frame.kind is not None
        return tuple_of([self.frame.variable(name) for name in self.slots.durable[self.frame.kind]])

    def end_record(self) -> None:
        """Ends a storage record, if a durable variable differs from the last one."""
        record = self.text.let(self.record())
        disk = self.frame.part("disk")
        with self.text.block(f"if {record} != (records[-1] if records else {disk}[i]):"):
            self.text.line(f"records = (*records, {record})")
