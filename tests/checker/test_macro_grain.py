"""``check --grain macro``: what it finds is shown in micro labels; that it finds nothing is not an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checker.checking import Checked, check, taken_together
from checker.grain import at_macro_grain, replayed
from checker.question import Question, ask
from checker.searching import Search
from checker.verdict import Exit, Stop
from spec.grains import ABSENCE
from spec.state import Label
from spec.system import Grain
from tests.checker.command_line import MODELS, Ran, model_check

COUNTER = """
const Node: set
message Note:
    n: 0..3
network bag
process Node:
    durable n: 0..3 = 0
    volatile heard: 0..3 = 0
    action tell(other: Node):
        require other != self
        n := n + 1
        fsync
        send Note(n=n) to other
    on Note m as note:
        heard := m.n{fault}

macro call(from_: Node, to_: Node):
    tell(from_, other=to_)
    flush(from_)
    note(to_, source=from_)

{property}

model m:
    Node = {{a, b}}
    max_in_flight = 2
    constraint low: forall p in Node: p.n <= 2
"""


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    return written(tmp_path, "invariant few: forall p in Node: p.heard <= 1")


def written(folder: Path, property_: str, fault: str = "") -> Path:
    path = folder / "counter.spec"
    path.write_text(COUNTER.format(property=property_, fault=fault))
    return path


def macro(path: Path, *arguments: object) -> Ran:
    return model_check("check", path, "--grain", "macro", "--engine", "reference", *arguments)


def test_a_counterexample_is_shown_in_labels_and_counted_in_both(counter: Path) -> None:
    ran = macro(counter)
    assert ran.code == 12
    call = ("tell(a, other=b)", "flush(a)")
    assert ran.steps() == [*call, "note(a → b, n=1)", *call, "note(a → b, n=2)"]
    assert "macro steps, by labels: call 1–3, call 4–6" in ran.out
    assert "none is shorter at the macro grain: reference engine, 2 macro steps of 6 labels" in ran.out
    assert "--grain macro" in " ".join(ran.reproduce)


def test_the_command_that_reproduces_it_finds_it_again(counter: Path) -> None:
    ran = macro(counter)
    assert model_check(*ran.reproduce).steps() == ran.steps()


def test_an_exhausted_search_that_finds_nothing_is_inconclusive(tmp_path: Path) -> None:
    ran = macro(written(tmp_path, "invariant few: forall p in Node: p.heard <= 2"))
    assert ran.code == 22
    assert "No counterexample to any invariant at the macro grain" in ran.out
    assert "search complete within these bounds" in ran.out
    assert ABSENCE in ran.out


def test_what_only_the_micro_grain_reaches_is_why(tmp_path: Path) -> None:
    """Two messages on their way at once: the macro that would send the second waits for the first to arrive."""
    path = written(tmp_path, "invariant one_at_a_time: size(network) <= 1")
    assert macro(path).code == 22
    assert model_check("check", path, "--engine", "reference").code == 12


def test_a_goal_that_is_not_reached_is_named_and_inconclusive_too(tmp_path: Path) -> None:
    ran = macro(written(tmp_path, "sometimes crowded: size(network) > 1"))
    assert ran.code == 22
    assert "never reached: crowded" in ran.out


def test_json_tells_the_grain_and_the_steps(counter: Path) -> None:
    found = json.loads(macro(counter, "--json").out)["answers"][0]
    assert found["grain"] == "macro"
    assert found["length"] == 6
    assert found["steps"] == [{"name": "call", "labels": 3}, {"name": "call", "labels": 3}]


def test_json_claims_of_no_property_that_it_holds(tmp_path: Path) -> None:
    properties = "invariant few: forall p in Node: p.heard <= 1\ninvariant low: forall p in Node: p.n <= 3"
    found = json.loads(macro(written(tmp_path, properties), "--json").out)["answers"][0]["properties"]
    assert found["few"] == {"verdict": "violated", "length": 6}
    assert found["low"]["verdict"] == "no violation found"
    properties = "invariant low: forall p in Node: p.n <= 3"
    found = json.loads(macro(written(tmp_path, properties), "--json").out)["answers"][0]
    assert found["complete"]
    assert found["properties"]["low"]["verdict"] == "no violation found"


def test_the_trace_file_is_of_the_micro_grain(counter: Path, tmp_path: Path) -> None:
    macro(counter, "--out-itf", tmp_path)
    (path,) = tmp_path.glob("*.itf.json")
    states = json.loads(path.read_text())["states"]
    assert [state.get("mbt::actionTaken") for state in states[1:]] == ["tell", "flush", "note"] * 2


def test_an_evaluation_error_inside_a_macro_is_shown_where_it_is(tmp_path: Path) -> None:
    ran = macro(written(tmp_path, "", fault=" - 2"))
    assert ran.code == 75
    assert "(in label 3, note(b" in ran.out
    assert ran.steps() == ["tell(a, other=b)", "flush(a)"]


def test_a_violated_action_invariant_ends_the_run_inside_the_macro(tmp_path: Path) -> None:
    ran = macro(written(tmp_path, "action invariant still: label == flush => false"))
    assert ran.code == 12
    assert ran.steps() == ["tell(a, other=b)", "flush(a)"]
    assert "call 1–2" in ran.out


def test_a_spec_without_macros_has_no_macro_grain() -> None:
    ran = model_check("check", MODELS / "diehard.spec", "--grain", "macro", "--engine", "reference")
    assert ran.code == 2
    assert "declares no macro" in ran.err


def test_deadlock_is_a_question_of_the_micro_grain(counter: Path) -> None:
    assert macro(counter, "--deadlock").code == 2


# ---------------------------------------------------------------------------------- planted disagreements


def question(path: Path) -> Question:
    return ask(str(path))


def test_a_macro_run_that_is_no_micro_run_is_not_believed(counter: Path) -> None:
    asked = question(counter)
    coarse = at_macro_grain(asked)
    labels = check(asked, "reference", Search(grain=Grain.MACRO)).labels
    assert labels is not None
    call = Label("call", None, labels[1:3])
    with pytest.raises(Stop) as stop:
        replayed(asked, coarse, (call,), "few")
    assert stop.value.code is Exit.ENGINES_DISAGREE


def test_a_macro_run_that_violates_nothing_is_not_believed(counter: Path) -> None:
    asked = question(counter)
    coarse = at_macro_grain(asked)
    labels = check(asked, "reference", Search(grain=Grain.MACRO)).labels
    assert labels is not None
    with pytest.raises(Stop) as stop:
        replayed(asked, coarse, (Label("call", None, labels[:3]),), "few")
    assert stop.value.code is Exit.ENGINES_DISAGREE
    assert replayed(asked, coarse, (Label("call", None, labels),), "few") == labels


# ------------------------------------------------------------------------------------------------ explicit


def test_the_explicit_engine_finds_the_same(counter: Path) -> None:
    pytest.importorskip("llvmlite")
    ran = model_check("check", counter, "--grain", "macro", "--engine", "explicit")
    assert ran.code == 12
    assert "2 macro steps of 6 labels" in ran.out
    assert [step.split("(")[0] for step in ran.steps()] == ["tell", "flush", "note"] * 2


@pytest.mark.parametrize(
    ("property_", "fault"),
    [
        ("invariant few: forall p in Node: p.heard <= 2", ""),
        ("sometimes crowded: size(network) > 1", ""),
        ("action invariant still: label == flush => false", ""),
        ("action invariant odd: label == note => (forall p in Node: p.heard mod p.n == 0)", ""),
        ("", " - 2"),
    ],
)
@pytest.mark.parametrize("engine", ["explicit", "symbolic"])
def test_every_engine_agrees_with_the_reference(tmp_path: Path, engine: str, property_: str, fault: str) -> None:
    if engine == "explicit":
        pytest.importorskip("llvmlite")
    asked = question(written(tmp_path, property_, fault))
    answers = [check(asked, engine, Search(grain=Grain.MACRO)) for engine in ("reference", engine)]
    assert {answer.code for answer in answers} == {answers[0].code}
    one, other = (
        (a.violated, a.message, len(a.steps), a.length, a.depth if a.labels else None) for a in answers
    )
    assert one == other
    if engine == "explicit":
        one, other = ((a.labels, a.steps, a.complete, a.unreached, a.cuts) for a in answers)
        assert one == other


# -------------------------------------------------------------------------------------------- two engines


def test_two_engines_are_asked_the_same_at_the_macro_grain(counter: Path) -> None:
    pytest.importorskip("llvmlite")
    ran = model_check("check", counter, "--grain", "macro", "--engine", "both")
    assert ran.code == 12
    assert "symbolic engine, 2 macro steps of 6 labels" in ran.out


def test_an_engine_that_misses_a_run_at_the_macro_grain_disagrees() -> None:
    run = (Label("tell", "a"),)
    found = Checked("explicit", Exit.SAFETY, 1, labels=run, violated="few", grain=Grain.MACRO, steps=(("call", 1),))
    missed = Checked("symbolic", Exit.INCONCLUSIVE, 3, grain=Grain.MACRO)
    assert taken_together([found, missed]) is Exit.ENGINES_DISAGREE
    missed.reason = "time is up"
    assert taken_together([found, missed]) is Exit.SAFETY
    assert taken_together([Checked("explicit", Exit.INCONCLUSIVE, 3, grain=Grain.MACRO)] * 2) is Exit.INCONCLUSIVE
