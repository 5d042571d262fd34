"""Replaying many runs that begin alike: what they share is performed and compared once.

It needs a target that can be put back: ``snapshot() -> object`` and ``restore(object)``. At each place where runs part,
the target is put back to it for every run but the first. The comparison after each label is that of ``replay``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from traces.drive import Drive, Misbehaved
from traces.replay import Comparison, Divergence
from traces.table import Table
from traces.target import Target
from traces.trace import TraceState


@runtime_checkable
class Restorable(Protocol):
    """What a target may offer besides the Target protocol."""

    def snapshot(self) -> object:
        """Everything about the cluster, as it is now."""

    def restore(self, snapshot: Any) -> None:
        """The cluster as it was then."""


@dataclass(slots=True)
class Branch:
    """A state and the runs that go on from it. ``runs``: how many end in this branch or below it. ``width``: how many
    children it has."""

    state: TraceState
    runs: int
    width: int
    children: Iterator[Branch]


@dataclass(slots=True)
class Forest:
    """``labels``: performed, shared ones once. ``diverged``: runs that pass through a divergence; the shortest is kept
    with its states."""

    runs: int = 0
    labels: int = 0
    fields_compared: int = 0
    unobserved: dict[str, int] = field(default_factory=dict)
    diverged: int = 0
    shortest: tuple[tuple[TraceState, ...], Divergence] | None = None


class Replayer:
    """Replays a tree of runs. ``Forest`` is filled as it goes, so that an interrupted replay keeps what it did."""

    def __init__(self, target: Target, table: Table) -> None:
        assert isinstance(target, Restorable), "use traces.replay for a target without snapshot and restore"
        self.target = target
        self._restorable: Restorable = target
        self._drive = Drive(target, table)
        self._comparison = Comparison(self._drive)
        self._path: list[TraceState] = []
        self.forest = Forest()

    def replay(self, root: Branch) -> Iterator[int]:
        """Performs the tree, and yields how many runs are done whenever one is. Raises UnplayableTrace."""
        servers = self._comparison.begin(root.state)
        self._drive.guarded("reset()", self.target.reset, servers)
        yield from self._visit(root, 0)

    def _visit(self, branch: Branch, step: int) -> Iterator[int]:
        self._path.append(branch.state)
        divergence = self._perform(branch.state, step)
        forest = self.forest
        forest.fields_compared = self._comparison.compared
        forest.unobserved = dict(self._comparison.unobserved)
        if divergence is not None:
            forest.runs += branch.runs
            forest.diverged += branch.runs
            if forest.shortest is None or divergence.step < forest.shortest[1].step:
                forest.shortest = (tuple(self._path), divergence)
            yield forest.runs
        else:
            below = 0
            here: object = None
            for number, child in enumerate(branch.children):
                if number > 0:
                    self._put_back(here)
                elif branch.width > 1:
                    here = self._keep()
                below += child.runs
                yield from self._visit(child, step + 1)
            if below < branch.runs:
                forest.runs += branch.runs - below
                yield forest.runs
        self._path.pop()

    def _perform(self, state: TraceState, step: int) -> Divergence | None:
        label = state.label
        try:
            if label is not None:
                self.forest.labels += 1
                self._drive.perform(step, label)
            differences = self._comparison.all(state)
        except Misbehaved as failure:
            return self._comparison.divergence(step, label, failure.path, failure.expected, failure.observed, ())
        if not differences:
            return None
        path, expected, observed = differences[0]
        others = tuple(other for other, _, _ in differences[1:])
        return self._comparison.divergence(step, label, path, expected, observed, others)

    def _keep(self) -> object:
        drive = self._drive
        return self._restorable.snapshot(), drive.network.copy(), {k: _copied(v) for k, v in drive.memory.items()}

    def _put_back(self, kept: Any) -> None:
        snapshot, network, memory = kept
        self._restorable.restore(snapshot)
        self._drive.network = network.copy()
        self._drive.memory = {key: _copied(value) for key, value in memory.items()}


def _copied(value: Any) -> Any:
    """A driver's memory holds flat dicts, sets and lists."""
    return value.copy() if isinstance(value, dict | set | list) else value
