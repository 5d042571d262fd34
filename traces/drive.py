"""The driver of one replay: calls the target, owns the network, and keeps what the target is not asked for."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from traces.errors import UnplayableTrace, shown
from traces.network import Network
from traces.table import Table
from traces.target import Plain, Target
from traces.trace import ENVELOPE, Label, Message
from traces.values import Map, Value, freeze, thaw


class Misbehaved(Exception):
    """The target did not do what a call asks for. ``path``: the call; the rest as in a divergence."""

    def __init__(self, path: str, expected: Value, observed: Value) -> None:
        super().__init__(path)
        self.path = path
        self.expected = expected
        self.observed = observed


class Drive:
    """``memory``: the driver's own, filled by the table."""

    def __init__(self, target: Target, table: Table) -> None:
        self.target = target
        self.table = table
        self.network = Network()
        self.memory: dict[str, Any] = {}
        self.step = 0

    def perform(self, step: int, label: Label) -> None:
        """What the table says for the label. Raises Misbehaved, and UnplayableTrace for a label it does not know."""
        self.step = step
        action = self.table.steps.get(label.rule)
        if action is None:
            raise self.unplayable(f"the rule {label.rule!r}", ", ".join(sorted(self.table.steps)))
        action(self, label)

    def unplayable(self, found: str, allowed: str) -> UnplayableTrace:
        advice = f"replay a trace of {self.table.name}, or add the rule to its replay table"
        return UnplayableTrace(self.step, found, allowed, advice)

    # What a label's parts are, checked: a trace from elsewhere may lack them.

    def process(self, label: Label) -> str:
        if label.process is None:
            raise self.unplayable(f"{label.rule} without a process", "a label that says who acts")
        return label.process

    def message(self, label: Label) -> Map:
        """The label's message in the target's words."""
        if label.message is None:
            raise self.unplayable(f"{label.rule} without a message", "a label that says which message")
        try:
            return self.table.message(label.message.flat)
        except (KeyError, TypeError, AttributeError, AssertionError) as error:
            raise self.unplayable(f"the message {shown(label.message)}: {error!r}", "the spec's messages") from error

    def argument(self, label: Label, name: str) -> Value:
        for known, value in label.arguments:
            if known == name:
                return value
        raise self.unplayable(f"{label.rule} without {name}", f"a label with the argument {name}")

    # What a table's steps are made of.

    def call(self, method: str, server: str, *arguments: object) -> None:
        """Calls the target and puts what it sends into the network."""
        path = f"{server}.{method}()"
        messages = self.guarded(path, getattr(self.target, method), server, *arguments)
        if messages is None:
            messages = []
        if not isinstance(messages, list | tuple):
            raise Misbehaved(path, "returns a list of messages", f"returns {shown(messages)}")
        for message in messages:
            self.network.put(self.checked(path, message))

    def checked(self, path: str, message: Plain) -> Map:
        try:
            frozen = freeze(message)
            if not isinstance(frozen, Map):
                raise TypeError(f"{shown(message)} is no dict")
            Message.of(frozen)
        except (TypeError, ValueError) as error:
            raise Misbehaved(path, "sends messages of plain data", f"sends {shown(message)}: {error}") from None
        self.table.sent(self, frozen)
        return frozen

    def take(self, message: Map) -> None:
        """Takes a copy out of the network."""
        if not self.network.take(message):
            raise Misbehaved("network", message, "no such message")

    def deliver(self, label: Label) -> None:
        message = self.message(label)
        self.take(message)
        self.call("deliver", self.process(label), thaw(message))

    def drop(self, label: Label) -> None:
        self.take(self.message(label))

    def duplicate(self, label: Label) -> None:
        message = self.message(label)
        if message not in self.network:
            raise Misbehaved("network", message, "no such message")
        self.network.put(message)

    def guarded(self, path: str, function: Callable[..., Any], *arguments: object) -> Any:
        """What the function returns. Whatever it raises is an observation; Ctrl-C, which is neither an Exception nor a
        SystemExit, goes through."""
        try:
            return function(*arguments)
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            place = f" ({frames[-1].filename}:{frames[-1].lineno})" if len(frames) > 1 else ""
            text = f"raises {type(error).__name__}: {error}" if str(error) else f"raises {type(error).__name__}"
            raise Misbehaved(path, "returns", text + place) from error


def envelope(type_: str, source: str, destination: str, **fields: Value) -> Map:
    """A flat message."""
    return Map(dict(zip(ENVELOPE, (type_, source, destination), strict=True)) | fields)
