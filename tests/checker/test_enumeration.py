"""Enumeration: the symbolic engine finds what the evaluator finds, and a difference is never passed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import checker.job
from checker.enumeration import Enumerated, cubes, distinct, enumerate_cube
from checker.question import Question, ask
from checker.verdict import Exit, Stop
from spec import counting
from spec.counting import OTHER, set_hash
from spec.script import find_scenario, run_scenario
from spec.system import Enumeration
from tests.checker.command_line import model_check

TINY = ["enumerate", "--model", "tiny", "--engine", "both"]


def enumerated(question: Question, engine: str) -> list[Enumerated]:
    declared = cubes(question, None, None, None)
    return [enumerate_cube(question, cube, engine, lambda what, number: None) for cube in declared]


@pytest.fixture(scope="module")
def tiny() -> tuple[Question, list[Enumerated], list[Enumerated]]:
    question = ask(None, model="tiny")
    return question, enumerated(question, "symbolic"), enumerated(question, "reference")


def test_both_engines_find_the_same_sets_with_the_same_hash(
    tiny: tuple[Question, list[Enumerated], list[Enumerated]],
) -> None:
    _, symbolic, reference = tiny
    assert [part.complete for part in symbolic + reference] == [True] * (2 * len(symbolic))
    for mine, theirs in zip(symbolic, reference, strict=True):
        assert mine.crash_keys == theirs.crash_keys
        assert {i.key for i in mine.interleavings} == {i.key for i in theirs.interleavings}
        assert mine.same_as(theirs)
    assert distinct(symbolic)[1] == distinct(reference)[1]


def test_the_symbolic_sets_are_those_that_the_definition_counts(
    tiny: tuple[Question, list[Enumerated], list[Enumerated]],
) -> None:
    question, (part,), _ = tiny
    evaluator = question.evaluator
    scenario = find_scenario(evaluator, part.cube.scenario)
    assert scenario is not None
    start, prefix = run_scenario(evaluator, scenario)
    counted = set(counting.interleavings(evaluator, start, part.cube.depth, part.cube.window))
    assert {i.key for i in part.interleavings} == counted
    assert len(part.interleavings) == len(counted) == 512  # each once
    assert distinct([part])[1] == set_hash(counted)
    crashes = counting.crash_states(evaluator, start, part.cube.depth)
    assert part.crash_states == len(crashes) == 108
    assert {found[:2] for found in part.crashes} == {(c, s) for c, situations in crashes.items() for s in situations}
    for interleaving in part.interleavings:
        state = evaluator.initial_states()[0]
        for label in interleaving.until:
            state = evaluator.successor(state, label)
        assert state == interleaving.start
        assert interleaving.until[: len(prefix)] == prefix
        assert len(interleaving.labels) == 3
        assert interleaving.labels[1].rule == "crash"
    for crash, _, labels in part.crashes:
        assert (labels[-1].rule, labels[-1].process) == ("crash", crash.process)


def test_cubes_that_overlap_count_an_interleaving_once() -> None:
    question = ask(None, model="tiny")
    cube = Enumeration("pair_ready", 2, 1)
    small, again = (enumerate_cube(question, cube, "reference", lambda what, number: None) for _ in range(2))
    larger = enumerate_cube(question, replace(cube, depth=3), "reference", lambda what, number: None)
    assert len(distinct([small, again])[0]) == len(small.interleavings)
    assert distinct([small, again]) == distinct([small])
    assert distinct([small, larger])[1] == distinct([larger])[1]  # what is near is among what is farther


def test_what_is_enumerated_is_what_the_model_declares_unless_the_command_line_says() -> None:
    question = ask(None, model="tiny")
    assert cubes(question, None, None, None) == (Enumeration("pair_ready", 4, 1),)
    assert cubes(question, None, 2, 0) == (Enumeration("pair_ready", 2, 0),)
    assert cubes(question, "leader_elected", None, None) == (Enumeration("leader_elected", 3, 1),)
    with pytest.raises(Stop, match=r"allowed is 0\.\.depth"):
        cubes(question, None, 0, None)


def test_the_report_says_that_the_engines_agree() -> None:
    ran = model_check(*TINY)
    assert ran.code == Exit.HOLDS
    assert "108 crash states (depth 4), 512 interleavings (depth 4, window 1); complete" in ran.out
    same = "108 crash states and 512 interleavings, all that there are from 1 of 1 prefixes, in 4 of 11 windows"
    lines = [line for line in ran.out.splitlines() if same in line]
    assert [line.split(":")[0].strip() for line in lines] == ["coverage", "explicit engine"]
    assert all("distinct interleavings per processor second" in line for line in lines)
    assert lines[1].endswith("; the same sets")
    assert "0 of them replayed" in ran.out.splitlines()[-1]  # and no word of divergence
    assert "divergence" not in ran.out


# ------------------------------------------------------------------------------------------ planted differences


def lose_an_interleaving(part: Enumerated) -> None:
    part.interleavings.pop()


def swap_an_interleaving(part: Enumerated) -> None:
    last = part.interleavings[-1]
    part.interleavings[-1] = replace(last, labels=last.labels[::-1])


def lose_a_crash_state(part: Enumerated) -> None:
    lost = part.crashes[0][0]
    part.crashes = [found for found in part.crashes if found[0] != lost]


def keep_another_record(part: Enumerated) -> None:
    crash, situation, labels = part.crashes[0]
    part.crashes[0] = (replace(crash, keep=crash.keep + 1), situation, labels)


def misjudge_a_window(part: Enumerated) -> None:
    crash, situation, labels = part.crashes[0]
    part.crashes[0] = (crash, replace(situation, windows=(OTHER,) * len(situation.windows)), labels)


PLANTED = (lose_an_interleaving, swap_an_interleaving, lose_a_crash_state, keep_another_record, misjudge_a_window)


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("wrong", ["symbolic", "explicit"])
def test_a_difference_between_the_engines_is_reported(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[Enumerated], None], wrong: str
) -> None:
    original = enumerate_cube

    def planted(question: Question, cube: Enumeration, engine: str, *rest: object) -> Enumerated:
        found = original(question, cube, "reference", *rest)  # type: ignore[arg-type]
        if engine == wrong:
            plant(found)
        return found

    monkeypatch.setattr(checker.job, "enumerate_cube", planted)
    monkeypatch.setattr(checker.job, "_complete", lambda *_: None)
    ran = model_check(*TINY, "--depth", "2")
    assert ran.code == Exit.ENGINES_DISAGREE
    assert "DIFFERENT sets" in ran.out
    found = model_check(*TINY, "--depth", "2", "--json").json
    assert (found["engines_agree"], found["exit"]) == (False, Exit.ENGINES_DISAGREE)
    monkeypatch.setattr(checker.job, "enumerate_cube", original)
    assert model_check(*TINY, "--depth", "1", "--json").json["engines_agree"] is True


def test_an_enumeration_that_is_not_complete_is_no_disagreement(monkeypatch: pytest.MonkeyPatch) -> None:
    original = enumerate_cube

    def given_up(question: Question, cube: Enumeration, engine: str, *rest: object) -> Enumerated:
        if engine == "symbolic":
            return Enumerated(cube, reason="z3 gave up")
        return original(question, cube, engine, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(checker.job, "enumerate_cube", given_up)
    ran = model_check(*TINY, "--depth", "2")
    assert ran.code == Exit.INCONCLUSIVE
    assert "INCOMPLETE: z3 gave up" in ran.out
    assert "sets" not in ran.out


def test_an_evaluation_error_on_the_way_is_not_passed_over(tmp_path: Path) -> None:
    text = """
const Node: set
process Node:
    durable written: 0..3 = 0
    action write:
        written := written + 2
scenario written_once:
    run:
        write(a)
model one:
    Node = {a}
    storage = buffered
    max_crashes = 1
    enumerate written_once depth 2 window 1
"""
    path = tmp_path / "steps.spec"
    path.write_text(text, encoding="utf-8")
    for engine in ("symbolic", "explicit", "reference"):
        ran = model_check("enumerate", path, "--engine", engine)
        assert ran.code == Exit.EVALUATION_ERROR
        assert "steps.spec:6:9: written: 4 is outside 0..3" in ran.err
