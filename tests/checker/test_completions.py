"""Completions with every label allowed: what no schedule shows is searched for, and nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import checker.job
from checker.deciding import Decided, Wanted, decide, goals_of
from checker.enumeration import cubes
from checker.gaps import pairs_of
from checker.job import MainJob, run_enumeration
from checker.progress import OutOfTime
from checker.question import Question, ask
from checker.ruling_out import ruled_out
from checker.symbolic.watch import Watch
from checker.verdict import Exit
from spec.counting import Classifier, crash_states
from spec.evaluate import Evaluator
from spec.explore import explore
from spec.state import State
from tests.checker.command_line import model_check

ENGINES = ("symbolic", "explicit", "reference")

NARROW = """
const Node: set symmetric

type Number = 1..2

process Node:
    durable d: 0..2 = 0

    action write(n: Number):
        require d == 0
        d := n

    action note:
        ghost noted := true

ghost noted: bool = false

track v in Number

window written: exists p in Node: p.d == v
window before:  true

outcome absurd: exists p in Node: p.d == v and p.d != v
outcome noted_and_kept: noted and exists p in Node: p.d == v
outcome kept:   exists p in Node: p.d == v
outcome lost:   true

converged: forall p in Node: up(p) and len(pending(p)) == 0

completion recover():
    restart
    flush

scenario begin:
    run:
        write(a, n=1)

model one:
    Node = {a}
    storage = buffered
    max_crashes = 1
    enumerate begin depth 1 window 0
"""


@pytest.fixture
def narrow(tmp_path: Path) -> Path:
    """A spec whose one schedule never writes: it shows less than there is."""
    path = tmp_path / "narrow.spec"
    path.write_text(NARROW, encoding="utf-8")
    return path


def after_crashes(question: Question, depth: int) -> list[State]:
    """The states that the crashes of the first cube lead to."""
    cube = cubes(question, None, None, None)[0]
    start, _ = question.start(cube.scenario)
    found = crash_states(question.evaluator, start, depth)
    states = []
    for situations in found.values():
        for labels in situations.values():
            state = start
            for label in labels:
                state = question.evaluator.successor(state, label)
            states.append(state)
    return list(dict.fromkeys(states))


def by_brute_force(evaluator: Evaluator, start: State, bound: int) -> dict[tuple[int, int], int]:
    """The length of a shortest run to each goal, by looking at every state."""
    classifier, converged = Classifier(evaluator), evaluator.compile(evaluator.system.converged)  # type: ignore[arg-type]
    found: dict[tuple[int, int], int] = {}
    explored = explore(evaluator, start=start, max_steps=bound, check=False)
    for state in explored.states:
        if evaluator.holds(converged, state):
            for goal in enumerate(classifier.outcomes(state)):
                length = len(explored.run_to(state))
                found[goal] = min(length, found.get(goal, length))
    return found


def decided(question: Question, engine: str, wanted: Wanted, bound: int) -> dict[State, Decided]:
    return dict(decide(question.evaluator, engine, wanted, bound, lambda done: None))


def lengths(answer: Decided) -> dict[tuple[int, int], int]:
    return {goal: len(labels) for goal, labels in answer.runs.items()}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("bound", [0, 1, 2, 3, 6])
def test_a_search_finds_each_outcome_by_a_shortest_run(narrow: Path, engine: str, bound: int) -> None:
    question = ask(str(narrow))
    states = after_crashes(question, 2)
    goals = set(goals_of(question.system))
    answers = decided(question, engine, dict.fromkeys(states, goals), bound)
    assert list(answers) == states
    expected = {state: by_brute_force(question.evaluator, state, bound) for state in states}
    assert {state: lengths(answer) for state, answer in answers.items()} == expected
    assert all(answer.complete or answer.depth == bound for answer in answers.values())
    if bound == 6:
        assert any(length == 3 for found in expected.values() for length in found.values())
        assert engine == "symbolic" or all(answer.complete for answer in answers.values())  # z3 knows runs, not states
    if bound < 2:
        assert not any(answer.complete for answer in answers.values())


@pytest.mark.parametrize("engine", ENGINES)
def test_only_what_is_asked_for_is_answered(narrow: Path, engine: str) -> None:
    question = ask(str(narrow))
    state = after_crashes(question, 0)[0]
    goals = sorted(goals_of(question.system))
    for goal in goals:
        found = lengths(decided(question, engine, {state: {goal}}, 6)[state])
        everything = by_brute_force(question.evaluator, state, 6)
        assert found == ({goal: everything[goal]} if goal in everything else {})


@cache
def tiny() -> tuple[Question, dict[State, dict[tuple[int, int], int]]]:
    question = ask(None, model="tiny")
    return question, {s: by_brute_force(question.evaluator, s, 8) for s in after_crashes(question, 2)}


@pytest.mark.parametrize("engine", ["symbolic", "explicit"])
def test_raft_completions_are_those_of_brute_force(engine: str) -> None:
    question, found = tiny()
    goals = set(goals_of(question.system))
    ends = [state for state, some in found.items() if some]
    others = [state for state, some in found.items() if not some]
    ends.sort(key=lambda state: min(found[state].values()))
    states = [*ends[:2], others[0]]
    bound = max(min(found[state].values()) for state in states[:2])
    answers = decided(question, engine, dict.fromkeys(states, goals), bound)
    expected = [{goal: length for goal, length in found[state].items() if length <= bound} for state in states]
    assert [lengths(answer) for answer in answers.values()] == expected
    assert len(ends) >= 2


# ------------------------------------------------------------------------------------------- ruled out for ever


def all_open(question: Question, depth: int) -> Wanted:
    return {state: set(goals_of(question.system)) for state in after_crashes(question, depth)}


def test_what_stays_true_rules_outcomes_out_at_any_length(narrow: Path) -> None:
    question = ask(str(narrow))
    wanted = all_open(question, 2)
    refused = ruled_out(question.evaluator, wanted, Watch(), 1)
    names = [outcome.name for outcome in question.system.outcomes]
    noted = question.evaluator.compile(question.system.outcomes[1].expr.left)  # type: ignore[union-attr]
    for state, goals in refused.items():
        expected = {"absurd", "kept"} if question.evaluator.holds(noted, state) else {"absurd"}
        assert goals == {goal for goal in wanted[state] if names[goal[1]] in expected}
    assert len({len(goals) for goals in refused.values()}) == 2  # some have noted, and some have not


@pytest.mark.parametrize("which", ["narrow", pytest.param("tiny", marks=pytest.mark.slow)])
def test_no_run_leads_to_what_is_ruled_out(narrow: Path, which: str) -> None:
    question = ask(str(narrow)) if which == "narrow" else tiny()[0]
    wanted = dict(list(all_open(question, 2).items())[::4])
    refused = ruled_out(question.evaluator, wanted, Watch(), 1)
    assert sum(map(len, refused.values())) >= len(wanted)
    for state, answer in decided(question, "explicit", wanted, 100).items():
        assert answer.complete
        assert not answer.runs.keys() & refused[state]


FORGETFUL = NARROW.replace("ghost noted := true", "ghost noted := not noted")


def test_what_a_step_may_undo_rules_nothing_out(tmp_path: Path) -> None:
    path = tmp_path / "forgetful.spec"
    path.write_text(FORGETFUL, encoding="utf-8")
    question = ask(str(path))
    wanted = all_open(question, 2)
    absurd = {(element, 0) for element in (0, 1)}
    assert all(goals == absurd for goals in ruled_out(question.evaluator, wanted, Watch(), 1).values())


def test_where_a_ghost_looks_at_storage_nothing_is_ruled_out(tmp_path: Path) -> None:
    path = tmp_path / "curious.spec"
    curious = "ghost noted := noted or exists p in Node: disk(p).d == 2"
    path.write_text(NARROW.replace("ghost noted := true", curious), encoding="utf-8")
    question = ask(str(path))
    assert ruled_out(question.evaluator, all_open(question, 1), Watch(), 1) == {}


def test_outcomes_about_storage_are_not_ruled_out_by_states_that_have_little_of_it(tmp_path: Path) -> None:
    path = tmp_path / "piling.spec"
    text = NARROW.replace("require d == 0", "require d != n").replace("up(p) and len(pending(p)) == 0", "up(p)")
    text = text.replace("exists p in Node: p.d == v and p.d != v", "exists p in Node: len(pending(p)) >= 4")
    path.write_text(text, encoding="utf-8")
    question = ask(str(path))
    wanted = all_open(question, 1)
    refused = ruled_out(question.evaluator, wanted, Watch(), 1)
    reached = {state: answer.runs for state, answer in decided(question, "reference", wanted, 6).items()}
    assert all((element, 0) in runs for runs in reached.values() for element in (0, 1))  # absurd no more
    assert not any(refused[state] & reached[state].keys() for state in wanted)


def test_an_engine_that_reaches_what_is_ruled_out_is_exit_21(narrow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker.job, "ruled_out", lambda evaluator, wanted, *_: wanted)
    ran = model_check("enumerate", narrow, "--engine", "both", "--complete", "6")
    assert ran.code == Exit.ENGINES_DISAGREE
    assert "the evaluator does not take a completion by the explicit engine" in ran.out


# ------------------------------------------------------------------------------------------------- the matrix


def matrix_job(narrow: Path, engine: str = "reference", within: int | None = None) -> MainJob:
    question = ask(str(narrow))
    return run_enumeration(question, engine, cubes(question, None, None, None), None, None, workers=1, within=within)


def seen(job: MainJob) -> dict[tuple[str, int, str], int]:
    """Units by window, element and outcome."""
    assert job.matrix is not None
    windows, outcomes = dict(job.matrix.windows), dict(job.matrix.outcomes)
    found: dict[tuple[str, int, str], int] = {}
    for (window, _, _, outcome), cell in job.matrix.cells.items():
        for _, element in cell.units:
            key = (windows[window], element, outcomes[outcome])
            found[key] = found.get(key, 0) + 1
    return found


def test_the_schedule_is_too_narrow_and_the_search_is_not(narrow: Path) -> None:
    schedules, searched = matrix_job(narrow), matrix_job(narrow, within=6)
    assert schedules.matrix is not None
    assert searched.matrix is not None
    assert "kept" not in {outcome for window, element, outcome in seen(schedules) if element == 1}
    assert seen(searched)["written", 0, "kept"] == len(searched.matrix.rows[0])
    assert seen(searched)["before", 1, "kept"] > 0  # after the crash it may write the other number
    before, after = pairs_of(schedules.matrix), pairs_of(searched.matrix)
    assert (before.by_search, before.none, before.by_schedules) == (0, 0, after.by_schedules)
    assert before.undecided > 0
    assert (after.undecided, after.total, after.none_at_all) == (0, before.total, after.none)
    assert after.by_search > 0
    assert after.none > 0  # the absurd outcome, of every unit at least


def test_what_is_none_within_a_short_bound_may_be_there_beyond_it(narrow: Path) -> None:
    counts = [pairs_of(matrix) for bound in (0, 2, 6) if (matrix := matrix_job(narrow, within=bound).matrix)]
    assert [pairs.undecided for pairs in counts] == [0, 0, 0]
    assert counts[0].none > counts[1].none > counts[2].none
    assert counts[0].none_at_all < counts[2].none_at_all == counts[2].none


def test_an_outcome_of_any_history_counts(narrow: Path) -> None:
    """What a crash state's runs noted is no part of it, and both who noted and who did not may come to it."""
    found = seen(matrix_job(narrow))
    assert found["written", 0, "noted_and_kept"] > 0
    assert found["written", 0, "kept"] > 0


@pytest.mark.parametrize("engine", [*ENGINES, "both"])
def test_the_engines_fill_the_same_cells_of_the_report(narrow: Path, engine: str) -> None:
    ran = model_check("enumerate", narrow, "--engine", engine, "--complete", "6")
    assert ran.code == Exit.HOLDS
    line = next(line for line in ran.out.splitlines() if "pairs of crash state and outcome" in line)
    pairs = matrix_pairs(narrow)
    assert f"{pairs['total']} pairs" in line
    assert f"{pairs['by_search']} by a search among all runs of at most 6 labels" in line
    none = pairs["none"] - pairs["none_at_all"] if engine in ("explicit", "reference") else None
    assert none is None or f"{none} have no run of so many" in line
    assert "0 undecided; –: no pair of that cell has a run" in line
    assert "reproduce" not in ran.err


def matrix_pairs(narrow: Path) -> dict[str, int]:
    found = model_check("enumerate", narrow, "--engine", "reference", "--complete", "6", "--json").json
    assert found["matrix"]["search_bound"] == 6
    assert found["reproduce"].endswith("--complete 6 " + str(narrow))
    assert {"window": "before", "outcome": "absurd"} in found["matrix"]["never"]
    return dict(found["matrix"]["pairs"])


def test_without_a_search_what_is_not_seen_is_called_undecided(narrow: Path) -> None:
    ran = model_check("enumerate", narrow, "--engine", "reference")
    assert "undecided; not seen does not mean unreachable: --complete N searches all runs of N labels" in ran.out
    assert "none of" not in ran.out


def test_what_time_did_not_suffice_for_is_undecided(narrow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = decide

    def one_only(evaluator: Evaluator, engine: str, wanted: Wanted, *rest: object) -> Iterator[tuple[State, Decided]]:
        yield next(original(evaluator, engine, wanted, *rest))  # type: ignore[arg-type]
        raise OutOfTime

    monkeypatch.setattr(checker.job, "decide", one_only)
    job = matrix_job(narrow, within=6)
    assert job.matrix is not None
    pairs = pairs_of(job.matrix)
    assert job.code is Exit.INCONCLUSIVE
    assert pairs.undecided > 0
    assert pairs.by_search + pairs.none > 0


def test_z3_that_gives_up_leaves_its_pairs_undecided(narrow: Path) -> None:
    question = ask(str(narrow))
    wanted = {state: set(goals_of(question.system)) for state in after_crashes(question, 2)}
    said: dict[State, Decided] = {}
    with pytest.raises(OutOfTime):
        said.update(decide(question.evaluator, "symbolic", wanted, 6, lambda done: 0.0))
    assert not any(answer.complete or answer.depth >= 6 for answer in said.values())


def test_a_completion_that_the_evaluator_does_not_take_is_exit_21(
    narrow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = decide

    def swapped(*asked: object) -> Iterator[tuple[State, Decided]]:
        for state, answer in original(*asked):  # type: ignore[arg-type]
            runs = {goal: labels[::-1] for goal, labels in answer.runs.items()}
            yield state, Decided(runs, answer.depth, answer.complete)

    monkeypatch.setattr(checker.job, "decide", swapped)
    ran = model_check("enumerate", narrow, "--engine", "reference", "--complete", "6")
    assert ran.code == Exit.ENGINES_DISAGREE
    assert "the evaluator does not take a completion by the reference engine" in ran.out


def test_engines_that_differ_in_a_completion_are_exit_21(narrow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = decide

    def forgetful(evaluator: Evaluator, engine: str, *rest: object) -> Iterator[tuple[State, Decided]]:
        for state, answer in original(evaluator, engine, *rest):  # type: ignore[arg-type]
            yield state, Decided({}, answer.depth, answer.complete) if engine == "symbolic" else answer

    monkeypatch.setattr(checker.job, "decide", forgetful)
    ran = model_check("enumerate", narrow, "--engine", "both", "--complete", "6")
    assert ran.code == Exit.ENGINES_DISAGREE
    assert "the engines differ in the completions of at most 6 labels" in ran.out
