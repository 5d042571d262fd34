"""Random runs hold the properties; with a broken rule, some run does not. A failure names its seed."""

from __future__ import annotations

from functools import cache

import pytest

from refimpl.errors import ProtocolViolation
from refimpl.faults import Fault
from tests.refimpl.random_run import WITH_READS, RandomRun

STEPS = 600
SEEDS = range(20)


@cache
def finished(seed: int) -> RandomRun:
    run = RandomRun(seed)
    run.run(STEPS)
    return run


@pytest.mark.parametrize("seed", SEEDS)
def test_no_random_run_breaks_a_property(seed: int) -> None:
    finished(seed)


def test_random_runs_reach_what_the_properties_are_about() -> None:
    runs = [finished(seed) for seed in SEEDS]
    assert {event for run in runs for event in run.seen} == {
        "crash of a leader", "a commit index on its way", "a leader with entries of two earlier terms",
    }  # fmt: skip
    assert sum(len(run.cluster.answers) for run in runs) > 30
    assert sum(len(run.leaders) for run in runs) > 50


def test_equal_seeds_give_equal_runs() -> None:
    one, other = finished(7), RandomRun(7)
    other.run(STEPS)
    assert one.leader_logs == other.leader_logs
    assert one.cluster.network == other.cluster.network
    assert one.cluster.answers == other.cluster.answers


# The seed at which the search starts is a few below the first that notices, to keep the test short; after a change of
# the random steps, search from 0 once. tests/paper/test_broken_rules.py has a scripted run for each.
@pytest.mark.parametrize(
    ("fault", "first_seed"),
    [
        (Fault.NEW_LEADER_AUTO_COMMITS, 0),
        (Fault.COMMIT_PRIOR_TERM_BY_COUNTING, 0),
        (Fault.VOTE_NOT_DURABLE, 27),
        (Fault.FOLLOWER_ACKS_BEFORE_FSYNC, 43),
        (Fault.REPLY_AT_APPEND, 0),
        (Fault.NO_DEDUP, 0),
    ],
)
def test_a_broken_rule_breaks_a_property_in_some_random_run(fault: Fault, first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 50):
        try:
            RandomRun(seed, [fault]).run(STEPS)
        except (AssertionError, ProtocolViolation):
            return
    pytest.fail(f"{fault.value} was not noticed")


def test_random_runs_with_reads_break_no_property_either() -> None:
    runs = [RandomRun(seed, weights=WITH_READS) for seed in range(10)]
    for run in runs:
        run.run(STEPS)
    assert "a read of an answered write" in {event for run in runs for event in run.seen}
    assert sum(len(run.cluster.reads) for run in runs) > 50


@pytest.mark.parametrize("fault", [Fault.STALE_READS, Fault.READ_BEFORE_OWN_COMMIT, Fault.READ_BEFORE_APPLY])
def test_a_broken_rule_of_reads_shows_in_some_random_run(fault: Fault) -> None:
    for seed in range(3, 23):  # see above: the first that notices is 3 or 4
        try:
            RandomRun(seed, [fault], WITH_READS).run(STEPS)
        except AssertionError:
            return
    pytest.fail(f"{fault.value} was not noticed")
