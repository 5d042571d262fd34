"""The labels of a system that may be enabled in a state, in their fixed order, and which labels there are at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spec import network as net
from spec.sorts import Value
from spec.state import Label, Message, State
from spec.statements import Executor
from spec.system import Rule, StorageMode, System


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule, compiled. ``choices``: every combination of its parameters' values."""

    rule: Rule
    processes: tuple[str | None, ...]
    names: tuple[str, ...]
    choices: dict[tuple[Value, ...], None]
    run: Executor


class Candidates:
    """The labels of one system, whose rules are compiled."""

    def __init__(self, system: System, rules: tuple[CompiledRule, ...]) -> None:
        self.system = system
        self.processes = system.processes
        self.index = {process: i for i, process in enumerate(self.processes)}
        self._crashing = tuple(process for process in self.processes if system.kind_of(process).crashes)
        self._by_name = {(c.rule.name, None if c.rule.message is None else c.rule.message.name): c for c in rules}
        self._named: dict[str, list[CompiledRule]] = {}  # `on any m as NAME` is one rule for each type of message
        for compiled in rules:
            self._named.setdefault(compiled.rule.name, []).append(compiled)

    def of(self, state: State) -> Iterator[Label]:
        """Order: the rules as declared, then flush, crash, restart, drop, duplicate; within an action by process and
        parameters, within a handler by message."""
        for name in (*self._named, "flush", "crash", "restart", "drop", "duplicate"):
            yield from self.of_rule(state, name)

    def of_rule(self, state: State, rule: str) -> Iterator[Label]:
        """Those of one rule or system action."""
        match rule:
            case "flush":
                yield from (Label("flush", p) for i, p in enumerate(self.processes) if state.pending[i])
            case "crash":
                yield from self._crash_labels(state)
            case "restart":
                yield from (Label("restart", p) for p in self._crashing if not state.up[self.index[p]])
            case "drop" | "duplicate":
                network = self.system.network
                if network.loss if rule == "drop" else network.duplication:
                    yield from (Label(rule, None, (), message) for message in self._messages(state))
            case _:
                for compiled in self._named[rule]:
                    yield from self._rule_labels(state, compiled)

    def _rule_labels(self, state: State, compiled: CompiledRule) -> Iterator[Label]:
        rule = compiled.rule
        if rule.message is not None:
            for message in self._messages(state):
                if message[0] == rule.message.name and state.up[self.index[message[2]]]:
                    yield from (Label(rule.name, message[2], choice, message) for choice in compiled.choices)
        else:
            for process in compiled.processes:
                if process is None or state.up[self.index[process]]:
                    yield from (Label(rule.name, process, choice) for choice in compiled.choices)

    def _crash_labels(self, state: State) -> Iterator[Label]:
        if state.budgets[0] < self.system.bounds.crashes:
            buffered = self.system.storage is StorageMode.BUFFERED
            for process in self._crashing:
                if state.up[self.index[process]]:
                    keeps = range(len(state.pending[self.index[process]]) + 1)
                    yield from (Label("crash", process, (keep,) if buffered else ()) for keep in keeps)

    def _messages(self, state: State) -> list[Message]:
        return net.deliverable(self.system.network.kind, state.network)

    def rule_of(self, label: Label) -> CompiledRule | None:
        return self._by_name.get((label.rule, None if label.message is None else label.message[0]))

    def is_label(self, label: Label) -> bool:
        """Whether the system has such a label: labels come from other engines and from files, too."""
        match label.rule:
            case "drop" | "duplicate":
                return label.message is not None and label.process is None and not label.arguments
            case "flush" | "restart":
                return label.message is None and label.process in self.index and not label.arguments
            case "crash":
                arguments = 1 if self.system.storage is StorageMode.BUFFERED else 0
                return label.message is None and label.process in self.index and len(label.arguments) == arguments
        compiled = self.rule_of(label)
        if compiled is None or label.process not in compiled.processes or label.arguments not in compiled.choices:
            return False
        return label.message is None or label.message[2] == label.process
