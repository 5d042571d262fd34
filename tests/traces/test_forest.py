"""Runs replayed as a tree: what they share is performed once, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from checker.question import ask
from checker.replaying import Replays, replay_runs
from checker.tracing import Tracer
from refimpl.target import RefimplTarget, create
from spec.counting import interleavings
from spec.explore import explore
from spec.state import Label
from traces.forest import Restorable
from traces.raft import TABLE
from traces.replay import Divergence, Replayed, replay


class Stateless(RefimplTarget):
    """A target that cannot be put back."""

    snapshot = None  # type: ignore[assignment]


@pytest.fixture(scope="module")
def tracer() -> Tracer:
    return Tracer(ask(None).evaluator)


@pytest.fixture(scope="module")
def runs(tracer: Tracer) -> list[tuple[Label, ...]]:
    question = ask(None)
    start, prefix = question.start("write_sent")
    reached = explore(question.evaluator, start=start, max_steps=0, check=False)
    found = [prefix + reached.run_to(s) + labels for s, labels in interleavings(question.evaluator, start, 1, 1)]
    return sorted(found, key=str)[::7]


def replayed(tracer: Tracer, runs: list[tuple[Label, ...]], target: RefimplTarget) -> Replays:
    into = Replays()
    replay_runs(tracer, runs, target, lambda done: None, into)
    return into


def outcomes(tracer: Tracer, runs: list[tuple[Label, ...]], target: RefimplTarget) -> Iterator[Replayed | Divergence]:
    return (replay(tracer.trace(run), target, TABLE) for run in runs)


def test_shared_beginnings_are_performed_once(tracer: Tracer, runs: list[tuple[Label, ...]]) -> None:
    together = replayed(tracer, runs, create())
    assert (together.traces, together.diverged) == (len(runs), 0)
    assert together.labels == len({run[:n] for run in runs for n in range(1, len(run) + 1)})
    assert together.labels < sum(map(len, runs)) / 5


@pytest.mark.parametrize("fault", ["follower-acks-before-fsync", "reply-at-append", "no-dedup"])
def test_a_tree_diverges_where_single_replays_do(tracer: Tracer, runs: list[tuple[Label, ...]], fault: str) -> None:
    target = create(frozenset({fault}))
    single = [result for result in outcomes(tracer, runs, target) if isinstance(result, Divergence)]
    together = replayed(tracer, runs, target)
    assert together.diverged == len(single)
    if single:
        assert together.divergence is not None
        first = min(single, key=lambda divergence: divergence.step)
        assert (together.divergence[1].step, together.divergence[1].path) == (first.step, first.path)
        assert len(together.divergence[0].labels) == first.step


def test_a_divergence_late_in_one_branch_leaves_its_neighbours_alone(tracer: Tracer) -> None:
    question = ask(None)
    start, prefix = question.start("write_on_majority")
    runs = [(*prefix, label) for label in question.evaluator.enabled(start)]

    class Late(RefimplTarget):
        def crash(self, server: str, keep: int) -> None:
            if server != "s2":
                super().crash(server, keep)

    crashes = [run for run in runs if run[-1].rule == "crash" and run[-1].process == "s2"]
    assert crashes
    together = replayed(tracer, runs, Late(frozenset()))
    assert (together.traces, together.diverged) == (len(runs), len(crashes))


def test_a_target_that_cannot_be_put_back_is_replayed_run_by_run(
    tracer: Tracer, runs: list[tuple[Label, ...]]
) -> None:
    target = Stateless(frozenset())
    few = runs[:5]
    assert not isinstance(target, Restorable)
    assert replayed(tracer, few, target).labels == sum(map(len, few))
