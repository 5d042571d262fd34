"""Replaying many runs against an implementation: each becomes a trace, and is compared after every label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from checker.tracing import Tracer
from checker.verdict import Exit, Stop
from spec.state import Label, State
from traces.forest import Branch, Replayer, Restorable
from traces.itf import write_trace
from traces.minimise import diverging_prefix
from traces.raft_reads import table_for
from traces.replay import Divergence, Replayed, replay
from traces.target import Target, tally_of
from traces.trace import Trace


@dataclass(slots=True)
class Replays:
    """What a batch of replays came to. ``divergence``: the shortest found, with its trace cut at the divergence.
    ``tried``: what the target counts of its own accord."""

    traces: int = 0
    labels: int = 0
    fields_compared: int = 0
    unobserved: dict[str, int] = field(default_factory=dict)
    diverged: int = 0
    divergence: tuple[Trace, Divergence] | None = None
    tried: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def tallied(self, target: Target) -> Iterator[None]:
        """Around replays: adds what the target tries in them."""
        before = tally_of(target)
        try:
            yield
        finally:
            self.tried.update(Counter(tally_of(target)) - Counter(before))

    def add(self, trace: Trace, result: Replayed | Divergence) -> None:
        self.traces += 1
        self.fields_compared += result.fields_compared
        for name, count in result.unobserved.items():
            self.unobserved[name] = self.unobserved.get(name, 0) + count
        if isinstance(result, Replayed):
            self.labels += result.steps
            return
        self.labels += result.step
        self.diverged += 1
        if self.divergence is None or result.step < self.divergence[1].step:
            self.divergence = (diverging_prefix(trace, result), result)

    def merge(self, other: Replays) -> None:
        """Adds what another part of the same batch came to."""
        self.traces += other.traces
        self.labels += other.labels
        self.fields_compared += other.fields_compared
        self.diverged += other.diverged
        self.tried.update(other.tried)
        for name, count in other.unobserved.items():
            self.unobserved[name] = self.unobserved.get(name, 0) + count
        if other.divergence is not None and (
            self.divergence is None or other.divergence[1].step < self.divergence[1].step
        ):
            self.divergence = other.divergence


def replay_runs(
    tracer: Tracer, runs: Iterable[tuple[Label, ...]], target: Target, progress: Callable[[int], None], into: Replays
) -> None:
    """Replays each run from the initial state; adds to ``into``, which an interruption leaves as far as it came. What
    runs share is performed once if the target can be put back (``traces.forest``)."""
    with into.tallied(target):
        _replay_runs(tracer, runs, target, progress, into)


def _replay_runs(
    tracer: Tracer, runs: Iterable[tuple[Label, ...]], target: Target, progress: Callable[[int], None], into: Replays
) -> None:
    first = tracer.evaluator.initial_states()[0]
    table = table_for(tracer.trace_state(None, first))
    if not isinstance(target, Restorable):
        for number, labels in enumerate(runs):
            progress(number)
            trace = tracer.trace(labels)
            into.add(trace, replay(trace, target, table))
        return
    root = LabelTree()
    for labels in runs:
        root.insert(labels)
    replayer = Replayer(target, table)
    try:
        for done in replayer.replay(_branch(tracer, root, first, None)):
            progress(done)
    finally:
        forest = replayer.forest
        into.traces += forest.runs
        into.labels += forest.labels
        into.fields_compared += forest.fields_compared
        into.diverged += forest.diverged
        for name, count in forest.unobserved.items():
            into.unobserved[name] = into.unobserved.get(name, 0) + count
        if forest.shortest is not None:
            states, divergence = forest.shortest
            system = tracer.system
            trace = Trace(system.spec, system.model, system.mutant, states)
            into.divergence = (diverging_prefix(trace, divergence), divergence)


@dataclass(slots=True)
class LabelTree:
    """Runs as a tree: what they share stands once. ``runs``: how many end here or below."""

    runs: int = 0
    children: dict[Label, LabelTree] = field(default_factory=dict)

    def insert(self, labels: tuple[Label, ...]) -> None:
        node = self
        node.runs += 1
        for label in labels:
            node = node.children.setdefault(label, LabelTree())
            node.runs += 1


def _branch(tracer: Tracer, node: LabelTree, state: State, label: Label | None) -> Branch:
    def children() -> Iterator[Branch]:
        for following, child in node.children.items():
            yield _branch(tracer, child, tracer.evaluator.successor(state, following), following)

    return Branch(tracer.trace_state(label, state), node.runs, len(node.children), children())


def make_folder(folder: Path | None, option: str = "--out-itf") -> None:
    """Makes an option's folder, before a search whose result would be lost without it. Raises Stop."""
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error, option) from error


def save(trace: Trace, folder: Path, name: str) -> Path:
    """Writes a trace into a folder. Raises Stop when it cannot be written."""
    path = folder / f"{name}.itf.json"
    try:
        write_trace(trace, path)
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def _unwritable(path: Path, error: OSError, option: str = "--out-itf") -> Stop:
    reason = error.strerror or error
    return Stop(Exit.IO_ERROR, f"{path}: cannot be written: {reason}; free space or name another folder with {option}")
