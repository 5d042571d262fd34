"""``check --continue``: a violation does not end the search, and each property has its verdict and its shortest run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("llvmlite")

from checker.explicit.back_end import BackEnd
from checker.explicit.checkpoint import FILE, CheckpointError
from checker.explicit.errors import Disagreement
from checker.explicit.search import Room, explore
from checker.verdict import Exit
from spec.evaluate import Evaluator
from spec.explore import explore as reference
from spec.load import load_system
from spec.system import System
from tests.checker.command_line import model_check
from traces.itf import read_trace

pytestmark = pytest.mark.usefixtures("cache_folder")

# `slow` and `even` are broken by different steps from one state, `lower` before `low`.
BROKEN = """
const Node: set symmetric
process Node:
    durable d: 0..3 = 0
    action write(by: 1..2):
        require d + by <= 3
        d := d + by
        fsync
invariant low: forall n in Node: n.d < 2
invariant lower: forall n in Node: n.d < 1
invariant fine: forall n in Node: n.d < 9
invariant stays: forall n in Node: up(n)
action invariant grows: forall n in Node: old(n.d) <= n.d
action invariant slow: forall n in Node: n.d < 3 or old(n.d) != 1
action invariant even: forall n in Node: n.d != 2 or old(n.d) != 1
action invariant true_of_all: forall n in Node: n.d <= old(n.d) + 2
model m:
    Node = {a, b}
    storage = buffered
    max_crashes = 1
"""
WAYS: tuple[dict[str, Any], ...] = ({"workers": 1}, {"workers": 2}, {"workers": 3}, {"back_end": BackEnd.PYTHON})
LENGTHS = {"low": 1, "lower": 1, "stays": 1, "grows": 2, "slow": 2, "even": 2}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "broken.spec"
    file.write_text(BROKEN, encoding="utf-8")
    return file


@pytest.fixture
def system(path: Path) -> System:
    return load_system(path)


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_each_broken_property_has_a_shortest_run(system: System, way: dict[str, Any], symmetry: bool) -> None:
    expected = reference(Evaluator(system), stop_at_violation=False)
    found = explore(system, go_on=True, symmetry=symmetry, **way)
    lengths = {name: len(violation.labels) for name, violation in found.violations.items()}
    assert lengths == {name: len(violation.labels) for name, violation in expected.violations.items()} == LENGTHS
    assert found.complete
    if not symmetry:
        assert (found.levels, found.generated) == (expected.levels, expected.generated)
    evaluator = Evaluator(system)
    for name, violation in found.violations.items():
        before = after = evaluator.initial_states()[0]
        for label in violation.labels:
            before, after = after, evaluator.successor(after, label)
        broken = evaluator.violated(after) + evaluator.violated_by_step(before, violation.labels[-1], after)
        assert name in broken


def test_search_that_does_not_go_on_ends_at_the_first(system: System) -> None:
    for way in WAYS:
        found = explore(system, **way)
        assert list(found.violations) == [found.violation.property if found.violation else None]
        assert len(found.levels) == 2


@pytest.mark.parametrize("property_", sorted(LENGTHS))
def test_only_one_property_is_heeded(system: System, property_: str) -> None:
    found = explore(system, only=property_, go_on=True)
    assert {name: len(violation.labels) for name, violation in found.violations.items()} == {
        property_: LENGTHS[property_]
    }


def test_failed_evaluation_ends_a_search_that_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "fails.spec"
    failing = "action invariant fails: forall n in Node: 6 div (2 - n.d) != 100\nmodel m:"
    file.write_text(BROKEN.replace("model m:", failing), encoding="utf-8")
    expected = reference(Evaluator(load_system(file)), stop_at_violation=False)
    for way in WAYS:
        found = explore(load_system(file), go_on=True, **way)
        assert found.violation is not None
        assert expected.violation is not None
        assert found.violation.property is None
        assert len(found.violation.labels) == len(expected.violation.labels) == 1
        assert not found.complete
        assert {"stays", "lower"} >= set(found.violations)


def test_violation_that_the_evaluator_does_not_find_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, system: System
) -> None:
    monkeypatch.setattr(Evaluator, "violated", lambda self, state: [])
    with pytest.raises(Disagreement, match="does not find"):
        explore(system, go_on=True)


def test_search_that_is_taken_up_again_knows_what_was_broken(system: System, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    first = explore(system, go_on=True, max_steps=4, room=Room(checkpoint=folder, interval=0.0))
    assert (folder / FILE).is_file()
    second = explore(system, go_on=True, room=Room(recover=folder))
    assert set(first.violations) == set(LENGTHS)
    assert {name: len(violation.labels) for name, violation in second.violations.items()} == LENGTHS
    whole = explore(system, go_on=True)
    assert (second.levels, second.generated, second.out_degree) == (whole.levels, whole.generated, whole.out_degree)


# ------------------------------------------------------------------------------------------- command line


@pytest.mark.parametrize("engine", ["explicit", "reference"])
def test_report_has_a_verdict_for_each_property(path: Path, engine: str, tmp_path: Path) -> None:
    words = ["check", path, "--continue", "--engine", engine]
    ran = model_check(*words, "--out-itf", tmp_path / "out")
    assert ran.code == Exit.SAFETY
    assert "6 of 8 invariants violated, by no shorter runs: " in ran.out
    for name, length in LENGTHS.items():
        assert f"{name} ({length} label{'s' if length > 1 else ''})" in ran.out
        assert len(read_trace(tmp_path / "out" / f"broken-{name}.itf.json").states) == length + 1
    assert "search complete within these bounds" in ran.out
    assert "--continue" in ran.reproduce
    assert model_check(*ran.reproduce).steps() == ran.steps()
    (answer,) = model_check(*words, "--json").json["answers"]
    lengths = {name: found["length"] for name, found in answer["properties"].items() if found["length"]}
    assert lengths == LENGTHS
    assert answer["properties"]["fine"] == {"verdict": "holds", "length": None}


def test_report_claims_nothing_beyond_what_was_searched(path: Path) -> None:
    ran = model_check("check", path, "--continue", "--max-steps", 1)
    assert ran.code == Exit.SAFETY
    assert "3 of 8 invariants violated" in ran.out
    assert "1 label; longer runs were not searched" in ran.out
    (answer,) = model_check("check", path, "--continue", "--max-steps", 1, "--json").json["answers"]
    assert answer["properties"]["slow"] == {"verdict": "no violation found", "length": None}


def test_deadlock_does_not_end_a_search_that_goes_on(path: Path) -> None:
    words = ("check", path, "--deadlock", "--property", "fine")
    assert model_check(*words).code == Exit.DEADLOCK
    ran = model_check(*words, "--continue")
    assert ran.code == Exit.DEADLOCK
    assert ", 0 states left on queue" in ran.out


@pytest.mark.parametrize("engine", ["symbolic", "both"])
def test_engine_that_finds_one_violation_only_refuses_to_go_on(path: Path, engine: str) -> None:
    ran = model_check("check", path, "--continue", "--engine", engine)
    assert ran.code == Exit.USAGE
    assert f"--continue needs --engine explicit or reference; found: --engine {engine}" in ran.err
    ran = model_check("check", path, "--continue", "--grain", "macro")
    assert ran.code == Exit.USAGE
    assert "--continue needs --grain micro" in ran.err


def test_checkpoint_of_another_question_is_not_taken_up(system: System, tmp_path: Path) -> None:
    """Its levels were not looked at for what is asked now."""
    folder = tmp_path / "saved"
    explore(system, only="fine", max_steps=3, room=Room(checkpoint=folder, interval=0.0))
    assert explore(system, only="fine", room=Room(recover=folder)).complete
    evaluator = Evaluator(system)
    elsewhere = evaluator.transitions(evaluator.initial_states()[0])[0][1]
    for question in ({}, {"only": "low"}, {"only": "fine", "start": elsewhere}):
        with pytest.raises(CheckpointError, match="a checkpoint of another search"):
            explore(system, room=Room(recover=folder), **question)  # type: ignore[arg-type]
