"""Replay: drive an implementation through a trace and compare it with the trace's state after every label.

What each label means for the implementation, and which variables are compared with which observations, is said by
a :class:`~traces.table.Table`. A field that the implementation does not report is *unobserved*: counted per field, for
the caller to print. The comparison ends at the first label after which something differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from traces.drive import Drive, Misbehaved
from traces.table import Field, Table
from traces.target import Target
from traces.trace import Label, Trace, TraceState
from traces.values import Map, Value, freeze, thaw


@dataclass(frozen=True, slots=True)
class Replayed:
    """The implementation did what the trace says. ``steps``: labels performed. ``unobserved``: field → how often."""

    steps: int
    fields_compared: int
    unobserved: Mapping[str, int] = field(default_factory=dict)

    def plus(self, other: Replayed) -> Replayed:
        """Both replays taken together."""
        unobserved = dict(Counter(self.unobserved) + Counter(other.unobserved))
        return Replayed(self.steps + other.steps, self.fields_compared + other.fields_compared, unobserved)


@dataclass(frozen=True, slots=True)
class Divergence:
    """The implementation differs from the trace.

    ``step``: 1-based; 0 for a difference in the initial state. ``path``: a server's field (``s2.commit_index``),
    ``network``, what the driver keeps, or a call (``s1.apply()``) that raised. ``expected``: what the trace says;
    ``observed``: what the target does. ``others``: paths that differ after the same label.
    """

    step: int
    label: Label | None
    path: str
    expected: Value
    observed: Value
    others: tuple[str, ...] = ()
    fields_compared: int = 0
    unobserved: Mapping[str, int] = field(default_factory=dict)

    @property
    def prefix_length(self) -> int:
        """How many labels of the trace reproduce the difference."""
        return self.step


def replay(trace: Trace, target: Target, table: Table) -> Replayed | Divergence:
    """Raises UnplayableTrace where the table does not know a label of the trace."""
    drive = Drive(target, table)
    comparison = Comparison(drive)
    step, label = 0, None
    try:
        servers = comparison.begin(trace.states[0], trace.spec)
        drive.guarded("reset()", target.reset, servers)
        for step, state in enumerate(trace.states):
            label = state.label
            if label is not None:
                drive.perform(step, label)
            differences = comparison.all(state)
            if differences:
                path, expected, observed = differences[0]
                others = tuple(other for other, _, _ in differences[1:])
                return comparison.divergence(step, label, path, expected, observed, others)
    except Misbehaved as failure:
        return comparison.divergence(step, label, failure.path, failure.expected, failure.observed, ())
    return Replayed(len(trace.states) - 1, comparison.compared, dict(comparison.unobserved))


class Comparison:
    """Counts what was compared and what could not be."""

    def __init__(self, drive: Drive) -> None:
        self.drive = drive
        self.compared = 0
        self.unobserved: Counter[str] = Counter()
        self.servers: tuple[str, ...] = ()
        self.unknown: tuple[str, ...] = ()
        self.lacking: tuple[str, ...] = ()

    def begin(self, initial: TraceState, spec: str = "") -> tuple[str, ...]:
        """``spec``: what the trace says that it is of, if it does."""
        table = self.drive.table
        try:
            self.servers = table.processes(initial)
            table.begin(self.drive, initial)
        except (KeyError, AttributeError, TypeError) as error:
            found = f"an initial state that is not one of {table.name}"
            if spec and spec.removesuffix(".spec") != table.name.removesuffix(".spec"):
                found = f"a trace of {spec}; replay knows {table.name} only"
            elif isinstance(error, KeyError):
                found += f": it has no {error.args[0]}"
            raise self.drive.unplayable(found, f"the variables of {table.name}") from error
        known = {f.name for f in table.fields} | {own.name for own in table.own} | table.history | {"network"}
        # A variable that the table was never told about must not look as if it had been compared.
        self.unknown = tuple(str(name) for name in initial.variables if name not in known)
        # Nor must a variable that the trace lacks.
        lacking = [f.name for f in table.fields if not isinstance(initial.variables.get(f.name), Map)]
        lacking += [own.name for own in table.own if own.expected(initial) is None]
        lacking += [] if isinstance(initial.variables.get("network"), tuple) else ["network"]
        self.lacking = tuple(f"{name} (not in the trace)" for name in lacking)
        return self.servers

    def divergence(
        self, step: int, label: Label | None, path: str, expected: Value, observed: Value, others: tuple[str, ...]
    ) -> Divergence:
        return Divergence(step, label, path, expected, observed, others, self.compared, dict(self.unobserved))

    def all(self, state: TraceState) -> list[tuple[str, Value, Value]]:
        """The differences after a label. The target's own failures are Misbehaved, so what else fails is the trace."""
        try:
            return list(self.differences(state))
        except (KeyError, TypeError, AttributeError, AssertionError) as error:
            table = self.drive.table
            found = f"a state that is not one of {table.name}: {error!r}"
            raise self.drive.unplayable(found, f"the variables of {table.name}") from error

    def differences(self, state: TraceState) -> Iterator[tuple[str, Value, Value]]:
        """Each difference: path, expected, observed."""
        for server in self.servers:
            yield from self._server(state, server)
        yield from self._network(state)
        for own in self.drive.table.own:
            expected = own.expected(state)
            if expected is not None:
                self.compared += 1
                kept = own.kept(self.drive)
                if kept != expected:
                    yield own.name, expected, kept
        for name in (*self.unknown, *self.lacking):
            self.unobserved[name] += 1

    def _server(self, state: TraceState, server: str) -> Iterator[tuple[str, Value, Value]]:
        observation = self.drive.guarded(f"{server}.observe()", self.drive.target.observe, server)
        if not isinstance(observation, Mapping):
            raise Misbehaved(f"{server}.observe()", "returns a dict", f"returns {observation!r}")
        for compared in self.drive.table.fields:
            values = state.variables.get(compared.name)
            if not isinstance(values, Map) or server not in values or not compared.when(state, server):
                continue
            if compared.name not in observation:
                self.unobserved[compared.name] += 1
                continue
            self.compared += 1
            difference = _difference(compared, server, values[server], observation[compared.name])
            if difference is not None:
                yield (f"{server}.{compared.name}", *difference)

    def _network(self, state: TraceState) -> Iterator[tuple[str, Value, Value]]:
        trace_network = state.variables.get("network")
        if not isinstance(trace_network, tuple):
            return
        self.compared += 1
        expected = _multiset(self.drive.table.message, trace_network)
        observed = self.drive.network.copies
        if expected != observed:
            only_expected = tuple(_listed(message, n) for message, n in expected.items() if observed.get(message) != n)
            only_observed = tuple(_listed(message, n) for message, n in observed.items() if expected.get(message) != n)
            yield "network", only_expected, only_observed


def _listed(message: Map, copies: int) -> Map:
    return Map({"message": message, "copies": copies})


def _difference(compared: Field, server: str, value: Value, observed: object) -> tuple[Value, Value] | None:
    if isinstance(value, bool | int | str | None):
        expected: Value = compared.expected(value, server)
        # 1 == True in Python, but a server that reports its vote as 1 does not report a truth value.
        if observed == expected and isinstance(observed, bool) is isinstance(expected, bool):
            return None
    elif observed == _plain(compared.expected, value, server):  # the fast way, nearly always taken
        return None
    else:
        expected = compared.expected(value, server)
    try:
        frozen = freeze(observed)
        normal = compared.observed(frozen, server)
    except (TypeError, AttributeError, KeyError) as error:
        return expected, f"{observed!r}: {error}"
    if isinstance(value, frozenset) and isinstance(normal, tuple):
        normal = frozenset(normal)  # plain data has no sets; a list stands for one
    if compared.records:
        normal = _projected(normal, expected)
    same = normal == expected and isinstance(normal, bool) is isinstance(expected, bool)
    return None if same else (expected, normal)


def _projected(observed: Value, expected: Value) -> Value:
    """The observed records without the variables that the trace's do not have."""
    match observed, expected:
        case Map(), Map() if observed.keys() > expected.keys():
            return Map({key: observed[key] for key in expected})
        case tuple(), tuple() if len(observed) == len(expected):
            return tuple(_projected(*pair) for pair in zip(observed, expected, strict=True))
        case _:
            return observed


@lru_cache(maxsize=2**16)
def _plain(translate: Callable[[Value, str], Value], value: Value, server: str) -> object:
    # Shared by all comparisons with an equal value; nobody changes it.
    return thaw(translate(value, server))


@lru_cache(maxsize=2**12)
def _multiset(translate: Callable[[Map], Map], network: tuple[Map, ...]) -> Mapping[Map, int]:
    copies: Counter[Map] = Counter()
    for entry in network:
        message = entry["message"]
        number = entry.get("copies", 1)  # in a fifo network an entry has a position instead
        assert isinstance(message, Map)
        assert isinstance(number, int)
        copies[translate(message)] += number
    return dict(copies)
