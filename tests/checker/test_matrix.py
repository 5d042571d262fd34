"""The crash-window matrix of a client's write: what must be in it, and what must not (write-path.md)."""

from __future__ import annotations

import pytest

from checker.completion import Completer
from checker.coverage import Matrix
from checker.enumeration import cubes
from checker.job import MainJob, run_enumeration
from checker.question import ask
from checker.verdict import Exit
from spec.counting import OTHER, Classifier
from spec.evaluate import Evaluator
from spec.state import State
from spec.system import Enumeration

STEPS = {  # a crash so many labels at most after each step of the write
    "write_received": 0,
    "write_sent": 0,
    "write_on_majority": 0,
    "write_committed": 1,
    "write_answered": 1,
    "write_committed_elsewhere": 0,
    "write_committed_everywhere": 0,
}
COMMITTED = ("W5_committed", "W6_applied", "W7_answered", "W8_committed_elsewhere", "W9_committed_everywhere")
LOST = ("discarded", "lost_after_answer")


@pytest.fixture(scope="module")
def job() -> MainJob:
    """The default model."""
    chosen = tuple(Enumeration(scenario, depth, 0) for scenario, depth in STEPS.items())
    return run_enumeration(ask(None), "symbolic", chosen, None, None, workers=1)


@pytest.fixture(scope="module")
def literal() -> MainJob:
    """The seed's literal rule, near the run that refutes it."""
    question = ask(None, mutant="new-leader-auto-commits", model="window")
    return run_enumeration(question, "symbolic", cubes(question, None, 0, None), None, None, workers=1)


def matrix_of(job: MainJob) -> Matrix:
    assert job.matrix is not None
    return job.matrix


def count(matrix: Matrix, window: str, outcome: str, kept: str | None = None) -> int:
    """Units of a window with an outcome. ``kept``: only those whose crash left so much of the pending records."""
    windows, outcomes = ({name: number for number, name in named} for named in (matrix.windows, matrix.outcomes))
    return len(matrix.units(windows[window], outcomes[outcome], kept))


def lost_after_commitment(matrix: Matrix) -> dict[tuple[str, str], int]:
    """What the seed calls impossible: cells of a committed write that is in no log in the end."""
    found = {(window, outcome): count(matrix, window, outcome) for window in COMMITTED for outcome in LOST}
    return {cell: number for cell, number in found.items() if number}


def test_the_enumeration_behind_the_matrix_is_complete(job: MainJob) -> None:
    assert job.code is Exit.HOLDS
    assert [part.reason for part in job.enumerated if not part.complete] == []


def test_a_write_in_memory_only_is_discarded_when_nothing_is_kept(job: MainJob) -> None:
    assert count(matrix_of(job), "W1_in_memory", "discarded", "none kept")


def test_a_write_that_was_sent_is_discarded_or_committed_by_a_later_leader(job: MainJob) -> None:
    matrix = matrix_of(job)
    assert count(matrix, "W3_sent", "discarded")
    assert count(matrix, "W3_sent", "later_leader_answered")
    assert count(matrix, "W3_sent", "later_leader_unanswered")


def test_a_write_on_a_majority_of_disks_is_committed_and_its_retry_deduplicated(job: MainJob) -> None:
    matrix = matrix_of(job)
    assert count(matrix, "W4_on_majority_of_disks", "later_leader_answered_dedup")
    assert count(matrix, "W4_on_majority_of_disks", "later_leader_unanswered")


def test_an_answered_write_is_committed_and_stays_answered(job: MainJob) -> None:
    matrix = matrix_of(job)
    windows = {name: number for number, name in matrix.windows}
    units = matrix.rows[windows["W7_answered"]]
    answered = [name for _, name in matrix.outcomes if "_answered" in name]
    decided = {
        unit
        for (window, _, _, outcome), cell in matrix.cells.items()
        if window == windows["W7_answered"] and dict(matrix.outcomes)[outcome] in answered
        for unit in cell.units
    }
    assert decided == units != set()
    unanswered = [name for _, name in matrix.outcomes if "unanswered" in name]
    assert [name for name in unanswered if count(matrix, "W7_answered", name)] == []


def test_no_committed_write_is_discarded_and_none_is_lost_after_its_answer(job: MainJob) -> None:
    matrix = matrix_of(job)
    rows = dict(matrix.windows)
    assert {rows[window] for window in matrix.rows} >= set(COMMITTED)  # or nothing would be shown
    assert lost_after_commitment(matrix) == {}
    assert matrix.violations == {}


def test_the_seeds_literal_rule_discards_committed_writes(literal: MainJob) -> None:
    matrix = matrix_of(literal)
    assert lost_after_commitment(matrix).keys() == {("W5_committed", "discarded")}
    assert "leader_completeness" in matrix.violations
    assert literal.code is Exit.SAFETY
    windows = {name: number for number, name in matrix.windows}
    discarded = next(number for number, name in matrix.outcomes if name == "discarded")
    witness = matrix.witness(windows["W5_committed"], discarded)
    assert witness is not None
    crash = witness.labels[witness.crash_at - 1]
    assert (crash.rule, crash.process, crash.arguments) == ("crash", "s1", (0,))  # s1 never flushed the write


@pytest.mark.parametrize("which", ["job", "literal"])
def test_nothing_falls_outside_the_declared_windows_actors_and_outcomes(
    request: pytest.FixtureRequest, which: str
) -> None:
    matrix = matrix_of(request.getfixturevalue(which))
    assert OTHER not in matrix.rows
    assert [key for key in matrix.cells if OTHER in key] == []
    assert "other" not in dict(matrix.windows).values()
    assert "other" not in dict(matrix.outcomes).values()


def test_what_no_schedule_completes_is_undecided_and_not_dropped() -> None:
    question = ask(None, model="tiny")  # its second term is beyond the bound, so a crashed leader is not replaced
    near = (Enumeration("pair_ready", 1, 0),)
    matrix = matrix_of(run_enumeration(question, "reference", near, None, None, workers=1))
    assert sum(len(matrix.undecided_units(window)) for window in matrix.rows) > 0
    check_partition(matrix)


@pytest.mark.parametrize("which", ["job", "literal"])
def test_every_unit_of_a_row_has_an_outcome_or_is_undecided(request: pytest.FixtureRequest, which: str) -> None:
    check_partition(matrix_of(request.getfixturevalue(which)))


def check_partition(matrix: Matrix) -> None:
    for window, units in matrix.rows.items():
        decided = {unit for (w, *_), cell in matrix.cells.items() if w == window for unit in cell.units}
        assert decided | matrix.undecided_units(window) == units
        assert not decided & matrix.undecided_units(window)
        assert {unit for (w, _), some in matrix.crashed.items() if w == window for unit in some} == units


@pytest.mark.parametrize("which", ["job", "literal"])
def test_every_witness_is_a_run_that_ends_as_its_cell_says(request: pytest.FixtureRequest, which: str) -> None:
    job = request.getfixturevalue(which)
    evaluator = Evaluator(job.question.system)
    classifier, converged = Classifier(evaluator), Completer(evaluator).converged
    for (window, actor, left, outcome), cell in matrix_of(job).cells.items():
        witness = cell.witness
        assert witness is not None
        before = run(evaluator, witness.labels[: witness.crash_at - 1])
        crash = witness.labels[witness.crash_at - 1]
        assert crash.rule == "crash"
        assert crash.process is not None
        situation = classifier.situation(before, crash.process)
        assert (window, actor) in zip(situation.windows, situation.actors, strict=True)
        pending, keep = len(before.pending[evaluator.index[crash.process]]), crash.arguments[0]
        assert left == ("nothing pending" if not pending else kept_name(keep, pending))
        last = run(evaluator, witness.labels)
        assert evaluator.holds(converged, last)
        assert outcome in classifier.outcomes(last)


def kept_name(keep: int, pending: int) -> str:
    return {0: "none kept", pending: "all kept"}.get(keep, "some kept")


def run(evaluator: Evaluator, labels: tuple[object, ...]) -> State:
    state = evaluator.initial_states()[0]
    for label in labels:
        state = evaluator.successor(state, label)  # type: ignore[arg-type]
    return state
