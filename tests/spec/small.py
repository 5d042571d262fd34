"""Small systems for the tests of the semantics: a spec as text, its labels and its states by name."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from spec.evaluate import Evaluator
from spec.load import load_system
from spec.sorts import Value
from spec.state import Label, State
from spec.system import Storage

MODELS = Path(__file__).parents[2] / "spec" / "models"


@cache
def evaluator(text: str, model: str = "m") -> Evaluator:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.spec"
        path.write_text(text, encoding="utf-8")
        return Evaluator(load_system(path, model=model))


def nodes(
    members: str,
    *,
    model: str = "",
    top: str = "",
    network: str = "bag",
    storage: str = "buffered",
    elements: str = "a, b",
    max_crashes: int = 1,
) -> Small:
    """A system of one kind of process. ``members``: what the process declares; ``top``: what stands outside it."""
    return Small(
        "const Node: set\n"
        + "message Note:\n    n: 0..9\n"
        + dedent(top)
        + f"\nnetwork {network}\nprocess Node:\n"
        + indent(dedent(members), "    ")
        + f"\nmodel m:\n    Node = {{{elements}}}\n    storage = {storage}\n    max_crashes = {max_crashes}\n"
        + indent(dedent(model), "    ")
    )


class Small:
    """An evaluator whose labels and states are spoken of by name."""

    def __init__(self, text: str, model: str = "m") -> None:
        self.evaluator = evaluator(text, model)
        self.system = self.evaluator.system
        (self.initial,) = self.evaluator.initial_states()

    # ------------------------------------------------------------------------------------------- labels

    def label(self, rule: str, process: str | None = None, *arguments: Value, **fields: Value) -> Label:
        """The one candidate-shaped label: ``fields`` are the message's ``source`` and fields (``to`` for drop and
        duplicate, which have no process)."""
        if not fields:
            return Label(rule, process, arguments)
        kind = fields.pop("type", None)
        if kind is None:
            handler = next((r for r in self.system.rules if r.name == rule and r.message is not None), None)
            kind = handler.message.name if handler is not None and handler.message is not None else "Note"
        to = fields.pop("to", process)
        sort = next(m for m in self.system.messages if m.name == kind)
        message = (kind, fields["source"], to, *(fields[name] for name, _ in sort.fields))
        return Label(rule, process, arguments, message)

    def fire(self, state: State, rule: str, process: str | None = None, *arguments: Value, **fields: Value) -> State:
        """The successor. Raises NotEnabled, Cut, EvaluationError."""
        return self.evaluator.successor(state, self.label(rule, process, *arguments, **fields))

    def run(self, *steps: str) -> State:
        """The state after steps written ``rule process argument…`` from the initial one; numbers are ints. For a
        handler, a drop or a duplicate the arguments are ``source field…`` and the destination is the process."""
        state = self.initial
        for step in steps:
            state = self.evaluator.successor(state, self.parse(step))
        return state

    def parse(self, step: str) -> Label:
        rule, *words = step.split()
        process = words[0] if words else None
        rest = words[1:]
        arguments = tuple(int(word) if word.lstrip("-").isdigit() else word for word in rest)
        if rule in ("drop", "duplicate"):
            return Label(rule, None, (), ("Note", arguments[0], process, *arguments[1:]))
        handler = next((r for r in self.system.rules if r.name == rule and r.message is not None), None)
        if handler is not None:
            assert handler.message is not None
            return Label(rule, process, (), (handler.message.name, arguments[0], process, *arguments[1:]))
        return Label(rule, process, arguments)

    def enabled(self, state: State) -> list[str]:
        """The rules that are enabled, with their processes, in label order."""
        return [" ".join((label.rule, *filter(None, [label.process]))) for label in self.evaluator.enabled(state)]

    # ------------------------------------------------------------------------------------------- states

    def __getitem__(self, key: str) -> Any:
        return self.evaluator.index[key]

    def memory(self, state: State, process: str) -> dict[str, Value]:
        variables = self.system.variables_of(self.system.kind_of(process).name)
        return dict(zip([v.name for v in variables], state.memory[self[process]], strict=True))

    def shared(self, state: State) -> dict[str, Value]:
        names = [v.name for v in self.system.variables_of(None, Storage.SHARED)]
        return dict(zip(names, state.shared, strict=True))

    def ghosts(self, state: State) -> dict[str, Value]:
        names = [v.name for v in self.system.variables_of(None, Storage.GHOST)]
        return dict(zip(names, state.ghosts, strict=True))

    def disk(self, state: State, process: str) -> Value:
        return state.disk[self[process]]

    def pending(self, state: State, process: str) -> Value:
        return state.pending[self[process]]

    def outbox(self, state: State, process: str) -> list[tuple[Value, ...]]:
        """Destination and fields of each waiting message."""
        return [message[2:] for message in state.outbox[self[process]]]

    def network(self, state: State) -> dict[tuple[Value, ...], int]:
        """(source, destination, fields…) → copies (its position, in a fifo network)."""
        return {message[1:]: count for message, count in state.network}

    def channel(self, state: State, source: str, destination: str) -> list[tuple[Value, ...]]:
        """The fields of a fifo channel's messages, head first."""
        found = [(place, m[3:]) for m, place in state.network if m[1:3] == (source, destination)]
        assert sorted(place for place, _ in found) == list(range(1, len(found) + 1))
        return [fields for _, fields in sorted(found)]

    def violated(self, state: State) -> list[str]:
        return self.evaluator.violated(state)
