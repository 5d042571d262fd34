"""A trace: one run of a system as data, independent of the language that the system was specified in.

A trace is a chain of states; each state but the first carries the label that led to it. By agreement between those
who write traces and those who replay or draw them, a state has these variables:

===========  ====================================================================================================
current_term one entry per process that has the variable: ``{"s1": 1, "s2": 0}``; so for each variable of a process
up           ``{"s1": True}``
disk         process → record of its durable variables, as a restart would read it
pending      process → sequence of such records, written and not flushed, oldest first
outbox       process → sequence of messages that wait for a flush
network      sequence of ``{"message": …, "copies": n}``, sorted; with ``position`` for ``copies`` in a fifo network
ghosts       record: what the properties remember
budgets      record: how often each limited event has happened, ``{"crashes": 1}``
===========  ====================================================================================================

Shared variables stand beside these under their own names. A message in a state is a flat record: ``type``, ``source``,
``destination``, and its fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from traces.values import EMPTY, Map, Value, freeze, freeze_map

ENVELOPE = ("type", "source", "destination")
"""The keys of a flat message that are not fields of its own."""


@dataclass(frozen=True, slots=True)
class Message:
    """What one process sends to another. ``fields`` are in the words of the spec."""

    type: str
    source: str
    destination: str
    fields: Map = EMPTY

    def __post_init__(self) -> None:
        assert isinstance(self.fields, Map), "use Message.of for plain fields"
        assert not any(key in self.fields for key in ENVELOPE), f"a field cannot be named as one of {ENVELOPE}"

    @staticmethod
    def of(flat: Mapping[str, object] | Map) -> Message:
        """From the flat record. Raises ValueError where type, source or destination is missing or not a str."""
        head = []
        for key in ENVELOPE:
            value = flat.get(key)
            if not isinstance(value, str):
                raise ValueError(f"a message needs a {key} that is a string, found {value!r}")
            head.append(value)
        fields = freeze_map({str(key): value for key, value in flat.items() if key not in ENVELOPE})
        return Message(head[0], head[1], head[2], fields)

    @property
    def flat(self) -> Map:
        """The message as one record, as it stands in the network and in outboxes."""
        return Map({"type": self.type, "source": self.source, "destination": self.destination, **self.fields})


@dataclass(frozen=True, slots=True)
class Label:
    """One step's name and everything that was chosen in it: state and label determine the next state.

    ``rule``: an action, a handler, or flush, crash, restart, drop, duplicate. ``process``: who acts; ``None`` outside
    any process and for drop and duplicate. ``arguments``: in the order of their declaration; ``keep`` for a crash.
    ``message``: what a handler receives, or what is dropped or duplicated.
    """

    rule: str
    process: str | None = None
    arguments: tuple[tuple[str, Value], ...] = ()
    message: Message | None = None

    def __post_init__(self) -> None:
        # Both are words of the language, so no parameter can have these names; the file format relies on it.
        assert not {"process", "message"} & {name for name, _ in self.arguments}, "process and message are no arguments"

    @staticmethod
    def of(
        rule: str, process: str | None = None, message: Mapping[str, object] | None = None, **arguments: object
    ) -> Label:
        """From plain data: ``Label.of("crash", "s1", keep=1)``; ``message`` is flat."""
        return Label(
            rule,
            process,
            tuple((name, freeze(value)) for name, value in arguments.items()),
            None if message is None else Message.of(message),
        )

    def argument(self, name: str) -> Value:
        """Raises KeyError where the label has no such argument."""
        return dict(self.arguments)[name]


@dataclass(frozen=True, slots=True)
class TraceState:
    """A state, and the label that led to it (``None`` for the first state of a trace only).

    ``meta``: remarks that are not part of the state: which record was torn, which events were announced.
    """

    label: Label | None
    variables: Map
    meta: Map = EMPTY

    def __post_init__(self) -> None:
        assert isinstance(self.variables, Map), "use TraceState.of for plain variables"
        assert isinstance(self.meta, Map), "use TraceState.of for plain meta"

    @staticmethod
    def of(
        label: Label | None, variables: Mapping[str, object], meta: Mapping[str, object] | None = None
    ) -> TraceState:
        """From plain lists, sets and dicts. Raises TypeError for what is not a value of a trace."""
        return TraceState(label, freeze_map(variables), freeze_map(meta or {}))


@dataclass(frozen=True, slots=True)
class Trace:
    """``spec``, ``model``, ``mutant``: what was explored. ``states``: at least one.

    ``meta``: facts about the trace as a whole. Known to renderers: ``property`` (the name of the violated one),
    ``problem`` (what is wrong, one line), ``command`` (reproduces it). ``loop``: the number of the state that follows
    the last one again (a lasso); the initial state is 0.
    """

    spec: str
    model: str
    mutant: str | None
    states: tuple[TraceState, ...]
    meta: Map = EMPTY
    loop: int | None = None

    def __post_init__(self) -> None:
        assert self.states, "a trace has an initial state"
        assert self.states[0].label is None, "no label leads to the initial state"
        assert all(state.label is not None for state in self.states[1:]), "a label leads to each later state"
        names = self.states[0].variables.keys()
        assert all(state.variables.keys() == names for state in self.states), "all states have the same variables"
        assert self.loop is None or 0 <= self.loop < len(self.states), "the loop goes back to a state of the trace"

    @property
    def labels(self) -> tuple[Label, ...]:
        """One less than the states: ``labels[0]`` leads from state 0 to state 1."""
        return tuple(state.label for state in self.states if state.label is not None)

    @property
    def processes(self) -> tuple[str, ...]:
        """Every process that the trace mentions: those that can be up, those that act, send or receive."""
        up = self.states[0].variables.get("up")
        found = dict.fromkeys(str(name) for name in up) if isinstance(up, Map) else {}
        for label in self.labels:
            found.update(dict.fromkeys(_mentioned(label)))
        return tuple(found)


def _mentioned(label: Label) -> Iterable[str]:
    if label.process is not None:
        yield label.process
    if label.message is not None:
        yield label.message.source
        yield label.message.destination
