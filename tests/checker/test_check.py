"""``check``: verdicts, their codes, the shortest counterexamples, and the commands that reproduce them."""

from __future__ import annotations

import json
from pathlib import Path
from time import process_time
from typing import Any

import itf_py
import pytest

import checker.commands
from checker.checking import Checked
from checker.question import Question
from checker.verdict import Exit
from spec.state import Label
from tests.checker.command_line import MODELS, Ran, model_check
from traces.itf import read_trace

DIEHARD, TWO_PHASE = MODELS / "diehard.spec", MODELS / "two_phase_commit.spec"

# Two ways up to the broken state: the one through `leap` is shorter.
TOY = """
enum Side = Left | Right
const top: int
shared n: 0..9 = 0
shared side: Side = Left
action step:
    n := n + 1
action leap(by: 2..3):
    require side == Right and n + by <= 9
    n := n + by
action turn:
    side := if side == Left then Right else Left
invariant below: n < top
action invariant never_back: n >= old(n)
scenario turned:
    run:
        turn
        step
    reach: n == 1
model m:
    top = 7
    storage = atomic
model started:
    top = 7
    storage = atomic
    start = turned
"""

GOALS = """
shared n: 0..5 = 0
action up:
    require n < 3
    n := n + 1
sometimes at_two: n == 2
sometimes at_four: n == 4
sometimes at_five: n == 5
model m:
    storage = atomic
"""

PLUNGE = """
shared n: 0..5 = 0
shared twice: 0..9 = 0
action up:
    n := n + 1
    twice := twice + 2
invariant small: n <= 5
model m:
    storage = atomic
"""


def spec(folder: Path, text: str, name: str = "toy") -> Path:
    path = folder / f"{name}.spec"
    path.write_text(text, encoding="utf-8")
    return path


def reference(path: Path, *words: object) -> Ran:
    return model_check("check", path, "--engine", "reference", *words)


# ------------------------------------------------------------------------------------------------ exact counts


def test_die_hard_has_16_distinct_states_in_8_levels() -> None:
    ran = reference(DIEHARD)
    assert ran.code == Exit.HOLDS
    assert "96 states generated, 16 distinct states found, 0 states left on queue." in ran.out
    assert "7 labels, search complete within these bounds" in ran.out
    (answer,) = reference(DIEHARD, "--json").json["answers"]
    assert (answer["generated"], answer["distinct"], answer["queue"]) == (96, 16, 0)
    assert len(answer["levels"]) == 8
    assert sum(answer["levels"]) == 16
    assert answer["complete"] is True


def test_two_phase_commit_has_288_distinct_states_in_11_levels() -> None:
    ran = reference(TWO_PHASE)
    assert ran.code == Exit.HOLDS
    assert "288 distinct states found, 0 states left on queue." in ran.out
    (answer,) = reference(TWO_PHASE, "--json").json["answers"]
    assert (answer["distinct"], len(answer["levels"]), sum(answer["levels"])) == (288, 11, 288)


@pytest.mark.parametrize("path", [DIEHARD, TWO_PHASE], ids=lambda path: path.stem)
def test_both_engines_agree_that_a_small_spec_holds(path: Path) -> None:
    ran = model_check("check", path, "--engine", "both", "--max-steps", "8", "--json")
    assert ran.code == Exit.HOLDS
    explicit, symbolic = ran.json["answers"]
    assert (explicit["engine"], symbolic["engine"]) == ("explicit", "symbolic")
    assert explicit["exit"] == symbolic["exit"] == Exit.HOLDS
    assert symbolic["depth"] == 8


# ------------------------------------------------------------------------------------------- bounds and time


@pytest.mark.parametrize("engine", ["explicit", "symbolic", "reference", "both"])
def test_reaching_max_steps_holds_and_the_bound_is_printed(tmp_path: Path, engine: str) -> None:
    path = spec(tmp_path, TOY)
    ran = model_check("check", path, "--engine", engine, "--max-steps", "3")
    assert ran.code == Exit.HOLDS
    engines = ["explicit", "symbolic"] if engine == "both" else [engine]
    for one in engines:
        said = (
            f"No counterexample to any invariant: {one} engine, runs of at most 3 labels; longer runs were not searched"
        )
        assert said in (ran.out.replace(" (`sometimes` is for the explicit and the reference engine)", ""))
    assert "complete" not in ran.out
    assert "verified" not in ran.out.lower()


def test_max_steps_counts_the_labels_after_the_start(tmp_path: Path) -> None:
    path = spec(tmp_path, TOY)
    for words in (["--model", "started"], ["--scenario", "turned"]):
        for engine in ("explicit", "symbolic", "reference"):
            ran = model_check("check", path, "--engine", engine, "--max-steps", "1", *words)
            assert ran.code == Exit.HOLDS
            assert "1 label after the script of 2; longer runs were not searched" in ran.out
            ran = model_check("check", path, "--engine", engine, "--max-steps", "2", *words)
            assert ran.code == Exit.SAFETY
            assert "2 labels after the script of 2" in ran.out
            assert len(ran.steps()) == 4


@pytest.mark.parametrize(
    ("engine", "seconds"), [("explicit", 0.6), ("symbolic", 0.6), ("reference", 0.3), ("both", 0.6)]
)
def test_time_running_out_is_inconclusive_and_never_green(engine: str, seconds: float) -> None:
    words = ["check", "--max-steps", "40", "--engine", engine, "--timeout", seconds]
    began = process_time()
    ran = model_check(*words)
    assert ran.code == Exit.INCONCLUSIVE
    assert process_time() - began < 3
    assert "Inconclusive" in ran.out
    assert "searched in full" in ran.out
    assert "No counterexample" not in ran.out
    assert {answer["exit"] for answer in model_check(*words, "--json").json["answers"]} == {Exit.INCONCLUSIVE}


def test_what_was_found_before_the_time_ran_out_is_reported() -> None:
    (answer,) = model_check("check", "--engine", "reference", "--timeout", "0.3", "--json").json["answers"]
    assert answer["distinct"] >= answer["queue"] > 0
    assert "time is up (0.3 s)" in answer["reason"]
    assert answer["complete"] is False
    assert len(answer["levels"]) == answer["depth"] + 1 > 1
    assert answer["generated"] == sum(answer["actions"].values()) > 0


@pytest.mark.parametrize("engine", ["symbolic", "explicit", "reference", "both"])
def test_time_running_out_in_an_enumeration_is_inconclusive(engine: str) -> None:
    began = process_time()
    ran = model_check("enumerate", "--depth", "4", "--engine", engine, "--timeout", "0.2", "--workers", "1")
    assert ran.code == Exit.INCONCLUSIVE
    assert process_time() - began < 4  # the reference engine looks at the clock between crash states only
    assert "PARTIAL REPORT (time is up)" in ran.out
    assert "INCOMPLETE: timeout" in ran.out
    assert "inconclusive" in ran.out.splitlines()[-1]


# --------------------------------------------------------------------------------------------- counterexamples


@pytest.mark.parametrize("engine", ["explicit", "symbolic", "reference", "both"])
def test_a_violation_ends_with_the_shortest_trace_and_the_command_that_finds_it_again(
    tmp_path: Path, engine: str
) -> None:
    path = spec(tmp_path, TOY)
    ran = model_check("check", path, "--engine", engine)
    assert ran.code == Exit.SAFETY
    steps = ran.steps()
    assert len(steps) == 4
    assert "turn()" in steps
    assert len([step for step in steps if step.startswith("leap(")]) >= 2
    assert "Counterexample: invariant below is violated; none is shorter" in ran.out
    again = model_check(*ran.reproduce)
    assert again.code == Exit.SAFETY
    assert again.steps() == steps
    assert again.reproduce == ran.reproduce


def test_the_command_that_reproduces_keeps_every_word_of_the_question(tmp_path: Path) -> None:
    path = spec(tmp_path, TOY, "a toy")
    words = ["--model", "started", "--set", "top=5", "--property", "below", "--max-steps", "4", "--scenario", "turned"]
    ran = reference(path, *words)
    assert ran.code == Exit.SAFETY
    for word in ("reference", *words, str(path)):
        assert word in ran.reproduce
    assert model_check(*ran.reproduce).steps() == ran.steps()


def test_only_the_named_property_is_checked(tmp_path: Path) -> None:
    path = spec(tmp_path, TOY.replace("n >= old(n)", "n <= old(n) + 1"))
    assert "invariant never_back is violated" in reference(path).out
    assert "invariant below is violated" in reference(path, "--property", "below").out
    assert len(reference(path, "--property", "below").steps()) == 4
    held = model_check("check", path, "--property", "never_back", "--max-steps", "1", "--engine", "both")
    assert held.code == Exit.HOLDS
    assert "No counterexample to invariant never_back" in held.out


def test_a_trace_that_is_written_can_be_shown_and_read_by_others(tmp_path: Path) -> None:
    ran = reference(spec(tmp_path, TOY), "--out-itf", tmp_path / "out" / "deep")
    (path,) = (tmp_path / "out" / "deep").iterdir()
    assert f"trace: {path}" in ran.out
    assert path.name == "toy-below.itf.json"
    shown = model_check("show", path)
    assert shown.code == Exit.HOLDS
    assert shown.steps() == ran.steps()
    assert shown.reproduce == ran.reproduce
    data = json.loads(path.read_text(encoding="utf-8"))
    theirs = itf_py.trace_from_json(data)
    assert [state.values["n"] for state in theirs.states] == [s.variables["n"] for s in read_trace(path).states]
    assert len(theirs.states) == 5
    assert model_check("show", path, "--format", "mermaid").out.startswith("sequenceDiagram")


def test_a_trace_of_raft_is_shown_as_a_picture_and_replayed(tmp_path: Path) -> None:
    path = tmp_path / "seed_case_2_majority.itf.json"
    ran = model_check("show", "seed_case_2_majority", "--format", "mermaid", "--out-itf", tmp_path)
    assert ran.out.startswith("sequenceDiagram")
    assert "Commits entries 2–3" in ran.out
    assert model_check("show", path, "--format", "mermaid").out == ran.out
    replayed = model_check("replay", path)
    assert replayed.code == Exit.HOLDS
    assert "no divergence" in replayed.out


def test_a_spec_with_the_names_of_raft_and_other_types_is_shown_in_plain_words(tmp_path: Path) -> None:
    names = ("current_term", "voted_for", "role", "log", "commit_index", "last_applied")
    variables = "".join(f"    volatile {name}: 0..2 = 0\n" for name in names)
    text = (
        f"const Server: set\nserver:\n{variables}action write:\n    log := log + 1\n"
        "invariant short: forall s in Server: s.log < 2\n"
        "model m:\n    Server = {a}\n"
    )
    ran = reference(spec(tmp_path, text, "other"))
    assert ran.code == Exit.SAFETY
    assert ran.steps() == ["write(a)", "write(a)"]


# --------------------------------------------------------------------------------- deadlock, goals and errors


@pytest.mark.parametrize("engine", ["explicit", "reference"])
def test_a_deadlock_is_reported_only_if_asked_for(tmp_path: Path, engine: str) -> None:
    path = spec(tmp_path, GOALS.replace("sometimes", "# sometimes"))
    words = ["check", path, "--engine", engine]
    assert model_check(*words).code == Exit.HOLDS
    ran = model_check(*words, "--deadlock", "--out-itf", tmp_path / "out")
    assert ran.code == Exit.DEADLOCK
    assert ran.steps() == ["up()"] * 3
    assert "deadlock: nothing is enabled" in ran.out
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["toy-deadlock.itf.json"]
    assert model_check(*ran.reproduce).code == Exit.DEADLOCK
    assert model_check("check", DIEHARD, "--engine", engine, "--deadlock").code == Exit.HOLDS


@pytest.mark.parametrize("engine", ["explicit", "reference"])
def test_what_a_bound_cut_is_no_deadlock(tmp_path: Path, engine: str) -> None:
    path = spec(tmp_path, "const top: int\nshared n: 0..top = 0\naction up:\n    n := n + 1\nmodel m:\n    top = 3\n")
    ran = model_check("check", path, "--engine", engine, "--deadlock")
    assert ran.code == Exit.HOLDS
    assert "no deadlock; states whose labels are only cut by a bound do not count\n" in ran.out
    first = model_check("check", path, "--engine", engine, "--deadlock", "--max-steps", "1")
    assert "no deadlock seen within these runs; " in first.out
    assert "no deadlock" not in model_check("check", path, "--engine", engine).out
    assert "cut by a bound: " in ran.out
    assert "n <= 3" in ran.out


def test_a_sometimes_that_is_never_true_is_not_reached(tmp_path: Path) -> None:
    path = spec(tmp_path, GOALS)
    ran = reference(path)
    assert ran.code == Exit.NOT_REACHED
    assert "Never reached, search complete: at_four, at_five" in ran.out
    assert reference(path, "--json").json["answers"][0]["unreached"] == ["at_four", "at_five"]


def test_a_search_that_is_not_complete_does_not_call_a_goal_unreachable(tmp_path: Path) -> None:
    ran = reference(spec(tmp_path, GOALS), "--max-steps", "2")
    assert ran.code == Exit.HOLDS
    assert "longer runs were not searched" in ran.out
    assert "never enabled" not in ran.out
    assert "not seen to be true within these runs: at_four, at_five\n" in ran.out


@pytest.mark.parametrize("search", [["--max-steps", "2"], ["--simulate", "3", "--max-steps", "2"]])
def test_what_was_not_seen_in_some_of_the_runs_is_named(tmp_path: Path, search: list[str]) -> None:
    late = "action late:\n    require n == 3\n    n := 0\ninvariant fine: n < 6\nmodel m"
    path = spec(tmp_path, GOALS.replace("model m", late))
    ran = model_check("check", path, *search)
    assert ran.code == Exit.HOLDS
    assert "not taken within these runs: late\nnot seen to be true within these runs: at_four, at_five\n" in ran.out
    assert "not seen" not in model_check("check", path, *search, "--property", "fine").out


def test_engines_do_not_disagree_about_goals_that_only_one_of_them_looks_for(tmp_path: Path) -> None:
    ran = model_check("check", spec(tmp_path, GOALS), "--engine", "both")
    assert ran.code == Exit.NOT_REACHED
    assert "`sometimes` is for the explicit and the reference engine" in ran.out


def test_an_evaluation_error_has_its_place_and_its_trace(tmp_path: Path) -> None:
    path = spec(tmp_path, PLUNGE)
    for engine in ("explicit", "reference", "symbolic"):
        ran = model_check("check", path, "--engine", engine, "--out-itf", tmp_path / engine)
        assert ran.code == Exit.EVALUATION_ERROR
        assert "toy.spec:6:5: twice: 10 is outside 0..9 (in label 5, up())" in ran.out
        assert ran.steps() == ["up()"] * 4
        assert model_check(*ran.reproduce).code == Exit.EVALUATION_ERROR
        assert len(read_trace(tmp_path / engine / "toy-error.itf.json").states) == 5


def test_an_evaluation_error_of_a_property_is_shown_with_the_state_it_is_about(tmp_path: Path) -> None:
    text = PLUNGE.replace("twice := twice + 2", "skip").replace("n <= 5", "[true, true, false][n + 1]")
    path = spec(tmp_path, text)
    ran = reference(path)
    assert ran.code == Exit.SAFETY
    assert ran.steps() == ["up()"] * 2
    path = spec(tmp_path, text.replace("true, true, false", "true, true, true"))
    for engine in ("explicit", "reference", "symbolic"):
        ran = model_check("check", path, "--engine", engine)
        assert ran.code == Exit.EVALUATION_ERROR
        assert ran.steps() == ["up()"] * 3
        assert "Evaluation error: " in ran.out
        assert "toy.spec:7:" in ran.out


def test_an_evaluation_error_in_a_script_has_its_place_and_its_labels(tmp_path: Path) -> None:
    script = "scenario plunge:\n    run:\n" + "        up\n" * 5 + "    reach: n == 5\n"
    path = spec(tmp_path, PLUNGE + script)
    for words in (["check", path], ["enumerate", path], ["show", "plunge", "--spec", path]):
        ran = model_check(*words, *([] if words[0] == "show" else ["--scenario", "plunge"]))
        assert ran.code == Exit.EVALUATION_ERROR
        assert "toy.spec:6:5: twice: 10 is outside 0..9" in ran.err
        assert "     5  up()" in ran.err


# ------------------------------------------------------------------------------------- engines that disagree


def plant(monkeypatch: pytest.MonkeyPatch, **planted: Checked) -> None:
    """These engines answer so; the others as they do."""
    original = checker.commands.run_check

    def answer(question: Question, engine: str, *rest: Any, **named: Any) -> Checked:
        return planted[engine] if engine in planted else original(question, engine, *rest, **named)

    monkeypatch.setattr(checker.commands, "run_check", answer)


@pytest.mark.parametrize("blind", ["explicit", "symbolic"])
def test_a_violation_that_one_engine_misses_is_a_disagreement(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blind: str
) -> None:
    path = spec(tmp_path, TOY)
    plant(monkeypatch, **{blind: Checked(blind, Exit.HOLDS, 8)})
    ran = model_check("check", path, "--engine", "both")
    assert ran.code == Exit.ENGINES_DISAGREE
    assert "the engines disagree" in ran.err
    assert len(ran.steps()) == 4
    assert model_check("check", path, "--engine", "both", "--json").json["exit"] == Exit.ENGINES_DISAGREE


def test_a_shorter_violation_that_one_engine_misses_is_a_disagreement(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    longer = (Label("step"),) * 7
    plant(monkeypatch, symbolic=Checked("symbolic", Exit.SAFETY, 7, labels=longer, violated="below", message="planted"))
    assert model_check("check", spec(tmp_path, TOY), "--engine", "both").code == Exit.ENGINES_DISAGREE


def test_an_engine_that_ran_out_of_time_disagrees_with_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = spec(tmp_path, TOY)
    plant(monkeypatch, symbolic=Checked("symbolic", Exit.INCONCLUSIVE, 2, reason="timeout"))
    ran = model_check("check", path, "--engine", "both")
    assert ran.code == Exit.SAFETY
    assert "Inconclusive" in ran.out
    ran = model_check("check", path, "--engine", "both", "--max-steps", "3")
    assert ran.code == Exit.INCONCLUSIVE
