"""A function for each rule and each system action, as Python source: from a state and a label's parts to the successor.

A function returns the successor, None where the label is not enabled, or the text of the bound that cuts. Evaluated in
the order of spec.evaluate: what a budget forbids first, then the body, the bounds on messages in flight, on pending
records, and the constraints.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from checker.explicit.source_checks import Checks
from checker.explicit.source_frame import Bound, Frame, Slots, tuple_of
from checker.explicit.source_properties import Properties
from checker.explicit.source_statements import Statements
from checker.explicit.source_text import Text
from spec import system as ir
from spec.state import State
from spec.system import Storage, StorageMode
from spec.values import cached_domain

STATE = tuple_of(list(State._fields))


class Transitions:
    """Writes the functions of one system at the top of the source. ``budgets``: label's rule → position and most."""

    def __init__(self, text: Text, slots: Slots, properties: Properties) -> None:
        self.text, self.slots, self.system = text, slots, slots.system
        self.checks = Checks(text)
        self.constraints = [(p.name, properties.predicate(p)) for p in self.system.constraints]
        budgets = self.system.bounds.budgets
        self.budgets = {rule: (position, most) for position, (rule, most) in enumerate(budgets.items())}

    @contextmanager
    def _function(self, name: str, *arguments: str) -> Iterator[None]:
        """A function of a state and of these arguments. Checks that its body needs come before it."""
        with self.text.aside() as lines:
            yield
        with self.text.block(f"def {name}({', '.join(('s', *arguments))}):"):
            self.text.line(f"{STATE} = s")
            self.text.paste(lines)

    # ------------------------------------------------------------------------------------------ rules

    def rule(self, name: str, rule: ir.Rule) -> None:
        """``name(s, i, me, [m], parameters…)``; ``i`` is the position of the acting process ``me``, ``m`` the message
        that is received."""
        on_flush = () if rule.kind is None else self.system.kind(rule.kind).on_flush
        arguments = [f"a_{i}" for i in range(len(rule.parameters))]
        message = [] if rule.message_name is None else ["m"]
        frame, statements = self._prepared(rule.kind, rule.body, on_flush)
        frame.local["self"] = Bound("me")
        for parameter, source in zip(rule.parameters, arguments, strict=True):
            frame.local[parameter.name] = Bound(source, cached_domain(parameter.sort))
        if rule.message_name is not None:
            frame.local[rule.message_name] = Bound("m", sure=True)
        with self._function(name, "i", "me", *message, *arguments):
            self._refuse_beyond_budget(rule.name)
            with self.text.aside() as lines:
                statements.begin()
                statements.block(rule.body)
                self.text.line(f"after = {'take(network, m)' if message else 'network'}")
                if message and statements.keeps:
                    with self.text.block("if kept:"):
                        self.text.line("after = network")
                self._finish(statements, on_flush)
            self._unpack(frame)
            self.text.paste(lines)
            self._target(rule.name)

    def _prepared(self, kind: str | None, *blocks: ir.Block) -> tuple[Frame, Statements]:
        frame = Frame(self.text, self.slots, kind, running=True)
        return frame, Statements(frame, self.checks, blocks)

    def _unpack(self, frame: Frame) -> None:
        """The variables of the acting process, and the records that it has written."""
        if frame.kind is not None:
            self.text.line("records = pending[i]")
        for area in ("memory", "shared", "ghosts"):
            if f"own {area}" in frame.used and frame.names(area):
                self.text.line(f"{tuple_of(frame.names(area))} = {area}{'[i]' if area == 'memory' else ''}")

    def _finish(self, statements: Statements, on_flush: ir.Block) -> None:
        """Ends the last storage record, lets the messages go, or wait, and puts the parts of the successor together.
        ``after`` is the network without what was received."""
        text, frame = self.text, statements.frame
        if statements.stored and statements.buffered:
            statements.end_record()
            with text.block("if records is not pending[i]:"):
                text.line("pending = replaced(pending, i, records)")
        elif statements.stored:
            self._write_disk(statements, on_flush)
        if statements.fsyncs:
            with text.block("if waiting:"):
                with text.block("if records:"):
                    text.line("outbox = replaced(outbox, i, wait(outbox[i], waiting))")
                if statements.sends:
                    with text.block("else:"):
                        text.line("sent += waiting")
        for area in ("memory", "shared", "ghosts"):
            names = {name for name in statements.assigned if self.slots.area(name, frame.kind) == area}
            if names:
                frame.variable(next(iter(names)))
                whole = tuple_of(frame.names(area))
                text.line(f"{area} = {f'replaced(memory, i, {whole})' if area == 'memory' else whole}")
        if statements.sends:
            with text.block("if sent:"):
                text.line("after = add(after, sent)")
            with text.block("if sent or waiting:" if statements.fsyncs else "if sent:"):
                self._crowded()
        text.line("network = after")

    def _write_disk(self, statements: Statements, on_flush: ir.Block) -> None:
        """Under atomic storage: what was written is flushed at once, and so is what ``on flush`` writes."""
        record = self.text.let(statements.record())
        with self.text.block(f"if {record} != disk[i]:"):
            self.text.line(f"disk = replaced(disk, i, {record})")
            self._on_flush(statements, on_flush)
            if on_flush:
                self.text.line(f"disk = replaced(disk, i, {statements.record()})")

    def _on_flush(self, statements: Statements, on_flush: ir.Block) -> None:
        outer = statements.frame.local
        statements.frame.local = {"self": Bound("me")}
        statements.block(on_flush)
        statements.frame.local = outer

    # ---------------------------------------------------------------------------------- system actions

    def flush(self, name: str, kind: ir.ProcessKind) -> None:
        """``name(s, i, me)``, for a process that is up and has pending records."""
        frame, statements = self._prepared(kind.name, kind.on_flush)
        text = self.text
        with self._function(name, "i", "me"):
            text.line("network = after = add(network, outbox[i])")
            text.line("disk = replaced(disk, i, pending[i][-1])")
            text.line("pending = replaced(pending, i, ())")
            text.line("outbox = replaced(outbox, i, ())")
            with text.aside() as lines:
                statements.begin()
                self._on_flush(statements, kind.on_flush)
                self._finish(statements, ())
            self._unpack(frame)
            text.paste(lines)
            self._target("flush")

    def crash(self, name: str, kind: ir.ProcessKind) -> None:
        """``name(s, i, me, keep)``, for a process that is up, while there is a budget."""
        text = self.text
        with self._function(name, "i", "me", "keep"):
            text.line("disk_ = pending[i][keep - 1] if keep else disk[i]")
            text.line(f"memory = replaced(memory, i, {tuple_of(list(self._after_crash(kind)))})")
            text.line("disk = replaced(disk, i, disk_)")
            text.line("pending = replaced(pending, i, ())")
            text.line("outbox = replaced(outbox, i, ())")
            text.line("up = replaced(up, i, False)")
            self._target("crash")

    def _after_crash(self, kind: ir.ProcessKind) -> Iterator[str]:
        durable = self.slots.durable[kind.name]
        for variable in self.system.variables_of(kind.name):
            initial = dict(zip(kind.sort.elements, variable.initial, strict=True))
            if variable.storage is Storage.DURABLE:
                yield f"disk_[{durable.index(variable.name)}]"
            elif len(set(variable.initial)) == 1:
                yield self.text.literal(variable.initial[0])
            else:
                yield f"{self.text.constant(initial)}[me]"

    def restart(self, name: str) -> None:
        """``name(s, i)``, for a process that is down."""
        with self._function(name, "i"):
            self.text.line("up = replaced(up, i, True)")
            self._target("restart")

    def drop(self, name: str) -> None:
        """``name(s, m)``, for a deliverable message."""
        with self._function(name, "m"):
            self._refuse_beyond_budget("drop")
            self.text.line("network = take(network, m)")
            self._target("drop")

    def duplicate(self, name: str) -> None:
        with self._function(name, "m"):
            self._refuse_beyond_budget("duplicate")
            self.text.line("after = double(network, m)")
            self._crowded()
            self.text.line("network = after")
            self._target("duplicate")

    # ------------------------------------------------------------------------------ budgets and bounds

    def _refuse_beyond_budget(self, rule: str) -> None:
        if rule in self.budgets:
            position, most = self.budgets[rule]
            with self.text.block(f"if budgets[{position}] >= {most}:"):
                self.text.line("return None")

    def _crowded(self) -> None:
        """The bounds that are checked where messages were sent or duplicated; ``after`` is the network with them."""
        bounds = self.system.bounds
        for count, bound, most in (
            ("in_flight", "max_in_flight", bounds.in_flight),
            ("most_copies", "max_copies", bounds.copies),
        ):
            if most is not None:
                with self.text.block(f"if {count}(after, outbox) > {most}:"):
                    self.text.line(f"return '{bound} = {most}'")

    def _target(self, rule: str) -> None:
        """The successor, unless a bound on it cuts."""
        text, most = self.text, self.system.bounds.pending
        if rule in self.budgets:
            position, _ = self.budgets[rule]
            text.line(f"budgets = replaced(budgets, {position}, budgets[{position}] + 1)")
        if most is not None and self.slots.processes:
            with text.block(f"if max(map(len, pending)) > {most}:"):
                text.line(f"return 'max_pending = {most}'")
        text.line(f"after = new(State, {STATE})")
        for name, holds in self.constraints:
            with text.block(f"if not {holds}(after):"):
                text.line(f"return {f'constraint {name}'!r}")
        text.line("return after")

    @property
    def buffered(self) -> bool:
        return self.system.storage is StorageMode.BUFFERED
