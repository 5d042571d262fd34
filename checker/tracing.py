"""From the spec's states and labels to a trace, the form in which runs leave this package.

Values keep their meaning and lose their sort: a record becomes a map of its fields, a map's key that is neither a
str nor an int becomes its text.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from spec.evaluate import Evaluator
from spec.sorts import (
    AtomSort,
    BoolSort,
    EnumSort,
    IntSort,
    MapSort,
    MessageSort,
    OptionalSort,
    RecordSort,
    SeqSort,
    SetSort,
    Sort,
)
from spec.sorts import Value as SpecValue
from spec.state import Label, Message, State
from spec.system import NetworkKind, Storage, System
from spec.values import cached_domain, message_key, show
from traces.trace import Label as TraceLabel
from traces.trace import Message as TraceMessage
from traces.trace import Trace, TraceState
from traces.values import EMPTY, Map, Value, freeze_map


@lru_cache(maxsize=100_000)
def plain(sort: Sort, value: SpecValue) -> Value:
    """A spec's value as a trace's value."""
    match sort:
        case BoolSort() | IntSort() | EnumSort() | AtomSort():
            return value  # type: ignore[no-any-return]
        case OptionalSort(of):
            return None if value is None else plain(of, value)
        case SetSort(of):
            return frozenset(plain(of, element) for element in value)
        case SeqSort(of):
            return tuple([plain(of, element) for element in value])
        case MapSort(key, of):
            keys = cached_domain(key)
            return Map({map_key(key, k): plain(of, v) for k, v in zip(keys, value, strict=True)})
        case RecordSort(_, fields):
            return Map({name: plain(field, v) for (name, field), v in zip(fields, value, strict=True)})
        case MessageSort(name, _, _, fields):
            head = {"type": name, "source": value[1], "destination": value[2]}
            rest = {field: plain(of, v) for (field, of), v in zip(fields, value[3:], strict=True)}
            return Map({**head, **rest})


def map_key(sort: Sort, key: SpecValue) -> str | int:
    """A map's key as a trace writes it."""
    return key if isinstance(key, str) or (isinstance(key, int) and not isinstance(key, bool)) else show(sort, key)


class Tracer:
    """Writes the runs of one system as traces."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.system = evaluator.system
        self._messages = {sort.name: sort for sort in self.system.messages}
        self._parameters = {rule.name: rule.parameters for rule in self.system.rules}
        self._known: dict[State, Map] = {}

    def trace(self, labels: Iterable[Label], meta: dict[str, Any] | None = None) -> Trace:
        """The run of these labels from the initial state. Raises what the evaluator raises for a label that cannot
        be taken: no trace is made up."""
        state = self.evaluator.initial_states()[0]
        states = [TraceState(None, self.variables(state))]
        for label in labels:
            state, events = self.evaluator.step(state, label)
            remarks = EMPTY if not events else Map({"events": tuple([(name, *map(str, a)) for name, a in events])})
            states.append(TraceState(self.label(label), self.variables(state), remarks))
        return Trace(
            self.system.spec, self.system.model, self.system.mutant, tuple(states), freeze_map(meta or {})
        )

    def trace_state(self, label: Label | None, state: State) -> TraceState:
        """A state with the label that led to it."""
        return TraceState(None if label is None else self.label(label), self.variables(state))

    def label(self, label: Label) -> TraceLabel:
        arguments: tuple[tuple[str, Value], ...]
        if label.rule in self._parameters:
            parameters = self._parameters[label.rule]
            arguments = tuple(
                (p.name, plain(p.sort, value)) for p, value in zip(parameters, label.arguments, strict=True)
            )
        else:
            arguments = tuple(("keep", keep) for keep in label.arguments)
        return TraceLabel(label.rule, label.process, arguments, self._message(label.message))

    def variables(self, state: State) -> Map:
        """All of a state; nothing is left out, so that a replay decides what it compares. Remembered: the traces of
        one enumeration share most of their states."""
        if state not in self._known:
            if len(self._known) > 50_000:
                self._known.clear()
            self._known[state] = self._variables(state)
        return self._known[state]

    def _variables(self, state: State) -> Map:
        system = self.system
        found: dict[str | int, Value] = {}
        durable: dict[str, tuple[tuple[str, Sort], ...]] = {}
        for kind in system.kinds:
            for position, variable in enumerate(system.variables_of(kind.name)):
                values = found.get(variable.name, EMPTY)
                assert isinstance(values, Map)
                memory = {p: state.memory[self.evaluator.index[p]][position] for p in kind.sort.elements}
                found[variable.name] = values.with_({p: plain(variable.sort, v) for p, v in memory.items()})
            stored = system.variables_of(kind.name, Storage.DURABLE)
            durable |= {p: tuple((v.name, v.sort) for v in stored) for p in kind.sort.elements if kind.has_storage}
        where = self.evaluator.index
        found["up"] = Map({p: state.up[where[p]] for p in self.evaluator.processes})
        if durable:
            found["disk"] = Map({p: _record(sorts, state.disk[where[p]]) for p, sorts in durable.items()})
            found["pending"] = Map(
                {p: tuple([_record(sorts, r) for r in state.pending[where[p]]]) for p, sorts in durable.items()}
            )
            found["outbox"] = Map({p: tuple([self._flat(m) for m in state.outbox[where[p]]]) for p in durable})
        fifo = system.network.kind is NetworkKind.FIFO
        network = sorted(state.network, key=lambda item: (message_key(item[0]), item[1]))
        found["network"] = tuple(
            [Map({"message": self._flat(m), "position" if fifo else "copies": n}) for m, n in network]
        )
        found.update(_named(system, Storage.SHARED, state.shared))
        found["ghosts"] = _named(system, Storage.GHOST, state.ghosts)
        found["budgets"] = Map(dict(zip(_budgets(system), state.budgets, strict=True)))
        return Map(found)

    def _flat(self, message: Message) -> Value:
        return plain(self._messages[message[0]], message)

    def _message(self, message: Message | None) -> TraceMessage | None:
        if message is None:
            return None
        flat = self._flat(message)
        assert isinstance(flat, Map)
        return TraceMessage.of(flat)


def _named(system: System, storage: Storage, values: tuple[SpecValue, ...]) -> Map:
    variables = system.variables_of(None, storage)
    return Map({v.name: plain(v.sort, value) for v, value in zip(variables, values, strict=True)})


def _record(sorts: tuple[tuple[str, Sort], ...], record: tuple[SpecValue, ...] | None) -> Value:
    assert record is not None
    return Map({name: plain(sort, value) for (name, sort), value in zip(sorts, record, strict=True)})


def _budgets(system: System) -> list[str]:
    names = {"crash": "crashes", "drop": "drops", "duplicate": "duplicates", "retry": "retries"}
    return [names[rule] for rule in system.bounds.budgets]
