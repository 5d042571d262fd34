"""Each question to z3 can be taken elsewhere: as SMT-LIB2 that z3 reads with the answer that is written in it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import z3

from checker.symbolic.circuit import Circuit
from checker.symbolic.errors import GaveUp
from checker.symbolic.solve import Solver
from checker.symbolic.watch import Answer, Deadline, Heartbeat, Query, Watch
from checker.verdict import Exit
from tests.checker.command_line import MODELS, model_check


def written_answer(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    (header,) = re.findall(r"^; answer here: (\w+) +by z3 [\d.]+$", text, re.MULTILINE)
    assert re.search(rf"^\(set-info :status {header} *\)$", text, re.MULTILINE)
    return str(header)


def answer_of(file: Path) -> str:
    """z3's, by its own parser, in a context that knows nothing of ours."""
    solver: Any = z3.Solver(ctx=z3.Context())
    solver.from_file(str(file))
    return str(solver.check())


def test_a_search_writes_a_question_a_depth_and_z3_reads_each_with_the_same_answer(tmp_path: Path) -> None:
    ran = model_check("check", "--engine", "symbolic", "--max-steps", 4, "--smt-out", tmp_path / "new")
    assert ran.code == Exit.HOLDS
    assert f"; written to {tmp_path / 'new'} as SMT-LIB2" in ran.out
    files = sorted((tmp_path / "new").iterdir())
    assert [file.name for file in files] == [f"check-depth-{depth:03}.smt2" for depth in range(5)]
    for file in files:
        assert written_answer(file) == answer_of(file) == "unsat"
    assert "; sat if: a run of 4 labels violates a property" in files[4].read_text(encoding="utf-8")


def test_runs_that_differ_are_as_many_questions_each_without_the_runs_before(tmp_path: Path) -> None:
    goal = ["--goal", "small == 3", "--distinct", 4]
    ran = model_check("reach", MODELS / "diehard.spec", *goal, "--max-steps", 2, "--smt-out", tmp_path)
    assert ran.code == Exit.HOLDS
    answers = {file.name: written_answer(file) for file in sorted(tmp_path.iterdir())}
    assert answers["reach-depth-000.smt2"] == "unsat"
    assert list(answers.values()).count("sat") == ran.out.count("diehard, model puzzle: ")
    assert {name: answer_of(tmp_path / name) for name in answers} == answers


def test_the_z3_command_reads_them_with_the_same_answer(tmp_path: Path) -> None:
    command = shutil.which("z3", path=f"{Path(sys.executable).parent}:") or shutil.which("z3")
    assert command is not None, "z3-solver brings the command z3"
    model_check("reach", MODELS / "diehard.spec", "four_litres", "--smt-out", tmp_path)

    def said(file: Path) -> str:
        return subprocess.run([command, file], capture_output=True, text=True, check=False).stdout

    files = sorted(tmp_path.iterdir())
    assert [said(file).strip() for file in files] == [written_answer(file) for file in files]
    assert said(files[-1]) == "sat\n"
    wrong = files[-1].read_text(encoding="utf-8").replace(":status sat", ":status unsat")
    files[-1].write_text(wrong, encoding="utf-8")
    assert "error" in said(files[-1])  # so where it says nothing, the status in the file is its own answer


@pytest.mark.parametrize(
    ("words", "task"),
    [(["enumerate", "--model", "tiny"], "transitions"), (["prove", MODELS / "two_phase_commit.spec"], "consecution")],
)
def test_other_commands_write_what_they_ask_too(words: list[object], task: str, tmp_path: Path) -> None:
    ran = model_check(*words, "--smt-out", tmp_path, "--json")
    assert ran.code == Exit.HOLDS
    asked = {question["file"]: question["answer"] for question in ran.json["questions"]}
    assert set(asked) == {str(file) for file in tmp_path.iterdir()}
    assert {written_answer(Path(file)) for file in asked} == set(asked.values())
    assert any(Path(file).name.startswith(task) for file in asked)
    some = sorted(asked)[::7]
    assert [answer_of(Path(file)) for file in some] == [asked[file] for file in some]


@pytest.mark.parametrize(
    "words",
    [
        ["check", "--engine", "symbolic", "--model", "tiny"],
        ["check", "--engine", "symbolic", "--grain", "macro", "--model", "tiny"],
        ["reach", "a_leader_is_elected"],
        ["reach", MODELS / "diehard.spec", "four_litres", "--engine", "both"],
        ["enumerate", "--model", "tiny"],
        ["prove", MODELS / "two_phase_commit.spec"],
    ],
    ids=lambda words: " ".join(map(str, words[:1])),
)
def test_unknown_is_exit_22_whoever_asks(words: list[object]) -> None:
    with patch.object(Solver, "_answer", lambda self, assumptions: (Answer.UNKNOWN, "incomplete")):
        ran = model_check(*words)
    assert ran.code == Exit.INCONCLUSIVE
    assert "incomplete" in ran.out
    assert not re.search("^(No counterexample|Proved|Reached by)", ran.out, re.MULTILINE)


OUT_OF_MEMORY = """
import sys, z3
z3.set_param("memory_max_size", 25)
from checker.cli import main
sys.argv[1:] = ["reach", "--goal", "exists w in answered: false", "--max-steps", "30"]
main()
"""


def test_memory_that_z3_runs_out_of_is_exit_22() -> None:
    ran = subprocess.run([sys.executable, "-c", OUT_OF_MEMORY], capture_output=True, text=True, check=False)
    assert ran.returncode == Exit.INCONCLUSIVE
    assert "Inconclusive: z3 has no memory left; not reached within what was searched in full" in ran.stdout


def hard(watch: Watch) -> Solver:
    """Pigeons in too few holes: a proof that z3 does not find in a second."""
    c = Circuit()
    solver = Solver(c, watch)
    sits = [[c.input() for _ in range(11)] for _ in range(12)]
    for holes in sits:
        solver.require_some(holes)
    for hole in range(11):
        for a in range(12):
            for b in range(a):
                solver.require_some((sits[a][hole] ^ 1, sits[b][hole] ^ 1))
    return solver


def test_a_question_that_z3_gives_up_is_written_before_it_is_asked_and_says_unknown(tmp_path: Path) -> None:
    watch = Watch(Deadline(0.5), smt_out=tmp_path)
    with pytest.raises(GaveUp, match="timeout"):
        hard(watch).check(query=Query("pigeons", "every pigeon has a hole"))
    (file,) = tmp_path.iterdir()
    assert written_answer(file) == "unknown"
    assert [asked.answer for asked in watch.asked] == [Answer.UNKNOWN]


def test_a_long_question_is_not_silent() -> None:
    beats: list[Heartbeat] = []
    watch = Watch(Deadline(1.8), beats.append)
    with pytest.raises(GaveUp):
        hard(watch).check(query=Query("pigeons", "every pigeon has a hole"))
    while_at_it = [beat for beat in beats if beat.asked is None]
    assert len(while_at_it) >= 3
    assert while_at_it[-1].seconds > while_at_it[0].seconds
    assert while_at_it[-1].memory > 0
    last = beats[-1].asked
    assert last is not None
    assert (last.answer, last.reason) == (Answer.UNKNOWN, "timeout")
    assert last.conflicts > 0


def test_two_questions_of_one_name_are_two_files(tmp_path: Path) -> None:
    c = Circuit()
    bit = c.input()
    solver = Solver(c, Watch(smt_out=tmp_path))
    query = Query("same", "it is true", depth=3, label="crash")
    assert solver.check(bit, query=query)
    solver.require(bit ^ 1)
    assert not solver.check(bit, query=query)
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == ["same-depth-003-crash-2.smt2", "same-depth-003-crash.smt2"]
    assert [answer_of(tmp_path / name) for name in files] == ["unsat", "sat"]
