"""``reach``: the shortest run to what a designer asks for, whoever searches, and an honest word where there is none."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from checker.symbolic.depths import NoneWithin
from checker.symbolic.reach import Reach
from checker.verdict import Exit
from spec.state import Label
from tests.checker.command_line import MODELS, ROOT, Ran, model_check
from tests.checker.test_symbolic_reach import NOTES
from traces.itf import read_trace

DIEHARD = MODELS / "diehard.spec"
ENGINES = ("symbolic", "explicit", "reference")

SYMMETRIC = NOTES.replace("const Node: set", "const Node: set symmetric").replace(
    "model two:",
    """scenario written:
    run:
        write(a, more=1)
        crash(a, keep=0)
    reach: a.number == 0 and not up(a)
scenario only_a_script:
    run:
        write(a, more=1)
macro store(n: Node):
    write(n)
    flush(n)
macro forgotten(n: Node):
    crash(n)
    restart(n)
model two:""",
)


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reach") / "notes.spec"
    path.write_text(SYMMETRIC, encoding="utf-8")
    return path


def command_of_a_page(page: str, part: str) -> list[str]:
    """The words after ``model-check`` of the command on this page that has this."""
    blocks = re.findall(r"^model-check (reach(?:[^\n]*\\\n)*[^\n]*)$", (ROOT / page).read_text(), re.MULTILINE)
    (found,) = [block for block in blocks if part in block]
    return shlex.split(found.replace("\\\n", " "))


def labels_of(ran: Ran) -> list[str]:
    """The rules of the run that is shown."""
    return [step.split("(")[0] for step in ran.steps()]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("goals", "length"),
    [
        (["--goal", "disk(a).number == 2"], 2),
        (["--goal", "network(Told) != {}"], 2),
        (["--goal", "crash(a, keep=0) when len(pending(a)) == 1", "--then", "up(a) and a.number == 0"], 3),
        (["--some", "n in Node", "--goal", "told(n) when message.number == 2", "--then", "crash(n)"], 4),
    ],
)
def test_every_engine_finds_a_run_of_the_shortest_length(
    notes: Path, engine: str, goals: list[str], length: int
) -> None:
    ran = model_check("reach", notes, *goals, "--engine", engine, "--max-steps", 5)
    assert ran.code == Exit.HOLDS
    assert len(ran.steps()) == length
    assert f"Reached: {length} labels; none is shorter; {engine} engine" in ran.out
    again = model_check(*ran.reproduce)
    assert (again.code, len(again.steps())) == (ran.code, length)


def test_the_report_says_where_each_goal_is_met_and_for_which_values(notes: Path) -> None:
    goals = ["--goal", "crash(n, keep=0) when n.number == k", "--then", "up(n)"]
    ran = model_check("reach", notes, "--some", "n in Node, k in 2..2", *goals)
    assert labels_of(ran) == ["write", "crash", "restart"]
    assert re.search(r"^with n = [ab], k = 2$", ran.out, re.MULTILINE)
    assert "label 2: crash(n, keep=0) when n.number == k\nafter label 3: up(n)\n" in ran.out


def test_names_that_goals_share_may_be_given_one_by_one(notes: Path) -> None:
    names = ["--some", "n in Node", "--some", "k in 2..2"]
    ran = model_check("reach", notes, *names, "--goal", "crash(n, keep=0) when n.number == k", "--engine", "reference")
    assert re.search(r"^with n = [ab], k = 2$", ran.out, re.MULTILINE)
    assert "n in Node, k in 2..2" in ran.reproduce


@pytest.mark.parametrize("engine", ENGINES)
def test_that_there_is_none_is_said_with_the_bound(notes: Path, engine: str) -> None:
    ran = model_check("reach", notes, "--goal", "disk(a).number == 2", "--engine", engine, "--max-steps", 1)
    assert ran.code == Exit.NOT_REACHED
    assert f"Not reached: no run meets the goal: {engine} engine, 1 label, longer runs were not searched" in ran.out


@pytest.mark.parametrize("engine", ["explicit", "reference"])
def test_after_a_complete_search_it_is_unreachable_within_the_models_bounds(engine: str) -> None:
    ran = model_check("reach", DIEHARD, "--goal", "big == 6", "--engine", engine)
    assert ran.code == Exit.NOT_REACHED
    assert f"Unreachable: {engine} engine, 7 labels, search complete within the model's bounds" in ran.out
    ran = model_check("reach", DIEHARD, "--goal", "big == 4", "--then", "big == 6", "--engine", engine)
    assert (ran.code, "Unreachable" in ran.out) == (Exit.NOT_REACHED, True)


def test_a_name_is_a_sometimes_a_window_or_a_scenario_that_starts_where_its_script_ends(notes: Path) -> None:
    ran = model_check("reach", notes, "heard_of_two")
    assert labels_of(ran) == ["write", "tell", "told"]
    ran = model_check("reach", notes, "two_on_disk")
    assert labels_of(ran) == ["write", "flush"]
    ran = model_check("reach", notes, "written")
    assert labels_of(ran) == ["write", "crash"]
    assert "Reached: 0 labels after the script of 2" in ran.out
    assert model_check(*ran.reproduce).steps() == ran.steps()


@pytest.mark.parametrize("engine", ENGINES)
def test_at_the_macro_grain_a_run_is_shown_in_labels_and_absence_is_no_answer(notes: Path, engine: str) -> None:
    asked = ["reach", notes, "--grain", "macro", "--engine", engine, "--max-steps", 2]
    ran = model_check(*asked, "--goal", "disk(a).number == 2 and network(Hush) != {}")
    assert ran.code == Exit.HOLDS
    assert sorted(labels_of(ran)) == ["flush", "hush", "write"]
    ran = model_check(*asked, "--goal", "not up(a)")  # a crash and a restart are one step
    assert ran.code == Exit.INCONCLUSIVE
    assert "absence at the macro grain is not absence" in ran.out


def test_a_label_within_a_macro_is_met_where_it_stands(notes: Path) -> None:
    goals = ["--goal", "crash(a, keep=0) when a.number == 0", "--then", "a.number == 2"]
    ran = model_check("reach", notes, "--grain", "macro", *goals)
    assert labels_of(ran) == ["crash", "restart", "write"]  # and not the flush, which ends the last macro
    assert "label 1: crash(a, keep=0) when a.number == 0\nafter label 3: a.number == 2\n" in ran.out


def test_a_goal_that_names_an_element_turns_symmetry_off_and_says_so(notes: Path) -> None:
    ran = model_check("reach", notes, "--goal", "a.number == 2", "--engine", "explicit")
    assert "Node is not permuted: goal names a" in ran.out
    ran = model_check("reach", notes, "--goal", "exists n in Node: n.number == 2", "--engine", "explicit")
    assert "up to symmetry of Node" in ran.out


def test_distinct_runs_differ_in_their_labels_and_are_all_written(notes: Path, tmp_path: Path) -> None:
    words = ["reach", notes, "--goal", "disk(a).number == 2", "--distinct", 4, "--out-itf", tmp_path]
    ran = model_check(*words)
    assert ran.code == Exit.HOLDS
    assert "Reached by 4 runs of 2 to 3 labels; none that is left is shorter" in ran.out
    written = [read_trace(file) for file in sorted(tmp_path.glob("notes-reach-*.itf.json"))]
    runs = [tuple(state.label for state in trace.states) for trace in written]
    assert len(runs) == len(set(runs)) == 4
    assert [len(run) for run in runs] == sorted(len(run) for run in runs)
    few = model_check("reach", notes, "--goal", "disk(a).number == 2", "--distinct", 9, "--max-steps", 2)
    assert few.code == Exit.HOLDS
    assert "Reached by 2 runs of 2 to 2 labels; no other: symbolic engine, 2 labels" in few.out


def test_json_has_the_runs_and_what_z3_was_asked(notes: Path) -> None:
    ran = model_check("reach", notes, "--some", "n in Node", "--goal", "disk(n).number == 2", "--json")
    (answer,) = ran.json["answers"]
    assert answer["runs"][0]["length"] == 2
    assert answer["runs"][0]["chosen"]["n"] in ("a", "b")
    assert [(q["depth"], q["answer"]) for q in answer["questions"]] == [(0, "unsat"), (1, "unsat"), (2, "sat")]
    assert all(q["seconds"] >= 0 and q["memory_bytes"] > 0 for q in answer["questions"])
    assert ran.json["traces"][0]["states"]


def test_crashes_are_a_budget(notes: Path) -> None:
    goals = ["--goal", "crash(a)", "--then", "crash(b)"]
    assert model_check("reach", notes, *goals, "--crashes", 2).code == Exit.HOLDS
    assert model_check("reach", notes, *goals, "--crashes", 1, "--max-steps", 3).code == Exit.NOT_REACHED


@pytest.mark.parametrize("engine", ENGINES)
def test_an_evaluation_error_of_a_goal_ends_the_search_where_it_is(notes: Path, engine: str) -> None:
    ran = model_check("reach", notes, "--goal", "a.number == 0 or the(a.heard) == 1", "--engine", engine)
    assert ran.code == Exit.HOLDS
    goal = ["--goal", "up(a) and a.number == 2 and the(a.heard) == 1", "--engine", engine]
    ran = model_check("reach", notes, *goal)
    assert ran.code == Exit.EVALUATION_ERROR
    assert labels_of(ran) == ["write"]
    assert re.search(r"Evaluation error: <goal>:1:29: .*none", ran.out)


@pytest.mark.parametrize("engine", ENGINES)
def test_time_that_runs_out_is_never_an_answer(engine: str) -> None:
    ran = model_check("reach", "--goal", "false", "--engine", engine, "--timeout", 0.2, "--max-steps", 30)
    assert ran.code == Exit.INCONCLUSIVE
    assert re.search(r"Inconclusive: time.*; not reached within", ran.out)


def test_engines_that_find_different_lengths_are_exit_21(notes: Path) -> None:
    words = ["reach", notes, "--goal", "disk(a).number == 2", "--engine", "both", "--max-steps", 3]
    assert model_check(*words).code == Exit.HOLDS

    def none(self: Reach) -> Iterator[tuple[Label, ...]]:
        self._depths.ended = NoneWithin(3)
        return iter(())

    with patch.object(Reach, "__iter__", none):
        ran = model_check(*words)
    assert ran.code == Exit.ENGINES_DISAGREE
    assert "the engines disagree" in ran.err


def test_a_run_that_the_evaluator_does_not_confirm_is_exit_21(notes: Path) -> None:
    with patch.object(Reach, "__iter__", lambda self: iter([(Label("write", "b", (1,)),)])):
        ran = model_check("reach", notes, "--goal", "disk(a).number == 2")
    assert ran.code == Exit.ENGINES_DISAGREE
    assert "the run found does not meet the goals" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no goal: write --goal EXPRESSION, or a name: heard_of_two, two_on_disk, two_somewhere, written"),
        (
            ["heard_of_too"],
            "no goal named heard_of_too in model two; did you mean `heard_of_two`? there are: heard_of_two",
        ),
        (["nothing"], "no goal named nothing in model two; there are: heard_of_two"),
        (["only_a_script"], "the scenario only_a_script has no `reach:`; start there with --scenario only_a_script"),
        (["written", "--scenario", "written"], "leave out --scenario"),
        (["heard_of_two", "--goal", "true"], "two first goals"),
        (["--goal", "crsh(a)"], "<goal>:1:1: error[S204]"),
        (["--goal", "true", "--then", "up(a)", "--then", "up(z)"], "<then 2>:1:4: error[S201]: there is no `z` here"),
        (["--goal", "true", "--crashes", "1", "--set", "max_crashes=1"], "leave out one of them"),
        (["--goal", "true", "--distinct", "2", "--engine", "explicit"], "--distinct needs --engine symbolic"),
        (["--goal", "true", "--smt-out", "x", "--engine", "reference"], "--smt-out needs --engine symbolic or both"),
        (["--goal", "size(network(Told) - network(Told)) == 1"], "the symbolic engine cannot encode this"),
        (["--goal", "crash", "--grain", "macro", "--engine", "explicit"], "need --engine symbolic"),
    ],
)
def test_what_cannot_be_asked_is_said_with_what_can(notes: Path, words: list[str], said: str) -> None:
    ran = model_check("reach", notes, *words)
    assert ran.code == Exit.USAGE
    assert said in ran.err


def test_an_answered_write_is_on_one_disk_only_where_followers_acknowledge_too_early() -> None:
    words = command_of_a_page("README.md", "size({s for s in Server if holds(disk(s).log, w)}) == 1")
    ran = model_check(*words)
    assert ran.code == Exit.HOLDS
    assert "Reached: 4 labels after the script of 29" in ran.out
    assert words[1] == "--mutant"
    assert model_check("reach", *words[3:], "--max-steps", 5).code == Exit.NOT_REACHED  # without the bug


@pytest.mark.slow
def test_s1_crashes_after_append_and_before_flush_and_its_entry_is_overwritten_later() -> None:
    words = command_of_a_page("docs/commands.md", "i <= len(s.log) and s.log[i].write != w")
    near = [word for word in words if word not in ("--grain", "macro")]
    ran = model_check(*near, "--scenario", "write_received")
    assert ran.code == Exit.HOLDS
    assert "Reached: 7 labels after the script of 27" in ran.out
    ran = model_check(*words)
    assert "Reached: 15 labels; none is shorter at the macro grain" in ran.out
