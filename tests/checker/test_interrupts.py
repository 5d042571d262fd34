"""Ctrl-C and time running out, in every part of a run: the report of what there was, which says that it is partial."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

import checker.checking
import checker.flaw
import checker.job
import checker.progress
from checker.checking import Checked
from checker.implementation import Implementation
from checker.job import MainJob, main_job
from checker.question import ask
from checker.verdict import Exit
from spec.system import Enumeration
from tests.checker.command_line import SCRIPT, Ran, model_check

PROMPTLY = 10.0
"""Seconds from the signal to the end, at most; the aim is 1, and a loaded machine is slow."""


def interrupted_when(words: list[object], shown: str, folder: Path) -> tuple[Ran, float]:
    """Runs a command with a terminal for its standard error, presses Ctrl-C there as soon as the progress line shows
    this, and waits for the end. Also: how long that took."""
    leader, terminal = pty.openpty()
    with (folder / "out").open("w", encoding="utf-8") as out:
        words = [SCRIPT, *words]
        started = subprocess.Popen([str(w) for w in words], stdout=out, stderr=terminal, start_new_session=True)
    os.close(terminal)
    said = ""
    try:
        while shown not in said:
            try:
                said += os.read(leader, 1024).decode()  # blocks until there is something
            except OSError:  # EIO: nobody has the terminal any more
                pytest.fail(f"it ended before: {said}\n{(folder / 'out').read_text(encoding='utf-8')}")
        pressed = time.monotonic()
        os.killpg(started.pid, signal.SIGINT)  # a terminal tells the whole group
        code = started.wait(timeout=120)
        took = time.monotonic() - pressed
        with contextlib.suppress(OSError):
            while more := os.read(leader, 1024):
                said += more.decode()
        with pytest.raises(ProcessLookupError):  # and no worker is left behind
            os.killpg(started.pid, 0)
    finally:
        started.kill()
        started.wait()
        os.close(leader)
    assert "Traceback" not in said
    return Ran(code, (folder / "out").read_text(encoding="utf-8"), re.sub(r"\r\x1b\[2K[^\r\n]*", "", said)), took


@pytest.mark.parametrize("engine", ["explicit", "symbolic", "reference"])
def test_ctrl_c_ends_a_search_with_what_was_searched(engine: str, tmp_path: Path) -> None:
    words: list[object] = ["check", "--engine", engine, "--max-steps", "40"]
    ran, took = interrupted_when(words, "check", tmp_path)
    assert ran.code == Exit.INTERRUPTED
    assert took < PROMPTLY
    assert re.search(rf"Inconclusive: interrupted.*searched in full: {engine} engine, \d+ label", ran.out)
    assert "No counterexample" not in ran.out


def test_ctrl_c_ends_a_search_for_a_goal_while_z3_is_at_a_hard_question(tmp_path: Path) -> None:
    words: list[object] = ["reach", "--goal", "exists w in answered: false", "--max-steps", "40"]
    ran, took = interrupted_when(words, ": 1 s in z3", tmp_path)
    assert ran.code == Exit.INTERRUPTED
    assert took < PROMPTLY
    assert re.search(r"Inconclusive: interrupted; not reached within .* symbolic engine, \d+ label", ran.out)
    assert re.search(r"z3 was asked \d+ questions: .* conflicts", ran.out)


AT_WORK = """
import os, signal, sys, threading, time
from checker.symbolic.circuit import Circuit
from checker.symbolic.solve import Solver
from checker.symbolic.unroll import Unrolling
from checker.symbolic.watch import Query
from spec.evaluate import Evaluator
from spec.load import load_system, shipped

def in_z3(most):
    c = Circuit()
    solver = Solver(c)
    sits = [[c.input() for _ in range(11)] for _ in range(12)]  # pigeons in too few holes
    for holes in sits:
        solver.require_some(holes)
    for hole in range(11):
        for a in range(12):
            for b in range(a):
                solver.require_some((sits[a][hole] ^ 1, sits[b][hole] ^ 1))
    armed()
    solver.check(query=Query("pigeons", "every pigeon has a hole"))

def encoding(most):
    system = load_system(shipped("raft"), model="five")
    run = Unrolling(system, Evaluator(system).initial_states()[0])
    armed()
    run.extend_to(most)

def reading(most):  # clauses that z3 has no work with but to read them
    c = Circuit()
    solver = Solver(c)
    bits = [c.input() for _ in range(1000)]
    for i in range(400_000):
        solver.require_some((bits[i % 1000], bits[i % 997]))
    read = solver._solver.from_string
    solver._solver.from_string = lambda text: (read(text), armed(0.0))
    solver.check(query=Query("many", "all clauses are true"))

def armed(wait=0.3):
    def press():
        global pressed
        time.sleep(wait)
        pressed = time.process_time()
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=press, daemon=True).start()

try:
    globals()[sys.argv[1]](10_000)
except KeyboardInterrupt:
    print(time.process_time() - pressed)
"""


@pytest.mark.parametrize("where", ["in_z3", "encoding", "reading"])
def test_ctrl_c_takes_less_than_a_second_of_work_wherever_it_comes(where: str) -> None:
    words = [sys.executable, "-c", AT_WORK, where]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert float(ran.stdout) < 1.0


@pytest.mark.parametrize("engine", ["reference", "symbolic"])
def test_ctrl_c_ends_the_completion_of_a_log_with_what_fits(engine: str, tmp_path: Path) -> None:
    log = tmp_path / "log.itf.json"
    states = [{}, {"mbt::actionTaken": "timeout"}, {"#meta": {"gap": 60}, "current_term": {"s1": 1, "s2": 2, "s3": 3}}]
    log.write_text(json.dumps({"states": states}), encoding="utf-8")
    ran, took = interrupted_when(["complete", log, "--engine", engine], "complete: ", tmp_path)
    assert ran.code == Exit.INTERRUPTED
    assert took < PROMPTLY
    assert "Inconclusive: interrupted; the first 2 states of 3 fit" in ran.out


def test_ctrl_c_ends_the_main_job_with_a_partial_report(tmp_path: Path) -> None:
    ran, took = interrupted_when([], "enumerate: ", tmp_path)
    assert ran.code == Exit.INTERRUPTED
    assert took < PROMPTLY
    assert "PARTIAL REPORT (interrupted): what follows is what there was by then" in ran.out
    assert 1 <= ran.out.count("\n  from ") < len(ask(None).system.enumerations)
    assert "interrupted (Ctrl-C) (exit 130)" in ran.out.splitlines()[-1]


def test_ctrl_c_ends_a_replay_on_several_processes(tmp_path: Path) -> None:
    words: list[object] = ["enumerate", "--scenario", "write_sent", "--depth", "3", "--engine", "reference", "--replay"]
    ran, took = interrupted_when([*words, "--workers", "2"], "replay: ", tmp_path)
    assert ran.code == Exit.INTERRUPTED
    assert took < PROMPTLY
    assert "PARTIAL REPORT (interrupted)" in ran.out
    replayed = re.search(r"replayed interleavings: ([\d,]+) traces", ran.out)
    assert replayed is not None
    assert "crash windows" not in ran.out  # that part was not begun


def test_ctrl_c_ends_the_completions_with_a_partial_matrix_in_json(tmp_path: Path) -> None:
    words: list[object] = ["enumerate", "--engine", "reference", "--depth", "1", "--window", "0", "--json"]
    ran, took = interrupted_when([*words, "--workers", "2"], "complete: ", tmp_path)
    assert ran.code == Exit.INTERRUPTED
    assert took < PROMPTLY
    found = json.loads(ran.out)
    assert (found["stopped"], found["exit"]) == ("interrupted", Exit.INTERRUPTED)
    assert found["matrix"]["completions"] > 0
    assert all(part["complete"] for part in found["enumerated"])


# ----------------------------------------------------------------------------- each part, without waiting for it


class Clock(SimpleNamespace):
    """The time that a progress line sees."""

    ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


def stop(monkeypatch: pytest.MonkeyPatch, module: Any, part: str, how: str) -> None:
    """Ctrl-C when a part begins; or the deadline passes meanwhile."""
    original = getattr(module, part)
    clock = Clock()
    monkeypatch.setattr(checker.progress, "time", clock)

    def stopped(*arguments: Any, **named: Any) -> Any:
        if how == "interrupted":
            raise KeyboardInterrupt
        clock.ahead = 10_000.0
        return original(*arguments, **named)

    monkeypatch.setattr(module, part, stopped)


def tiny() -> MainJob:
    """The main job on the smallest model, with time enough."""
    near = (Enumeration("pair_ready", 1, 1),)
    with patch.object(checker.job, "cubes", lambda *_: near):
        return main_job(ask(None, model="tiny"), "reference", Implementation(), 1000.0, 1, workers=1)


@pytest.fixture
def no_flaw(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for the flaw takes long, and has its own tests."""
    monkeypatch.setattr(checker.flaw, "check", lambda *_: Checked("symbolic", Exit.HOLDS, 1))


@pytest.mark.usefixtures("no_flaw")
def test_a_main_job_that_nothing_stops_does_all_its_parts() -> None:
    job = tiny()
    assert job.stopped == ""
    assert job.replays.traces == len(job.interleavings) > 0
    assert job.matrix is not None
    assert job.matrix.completed > 0
    assert job.held.states > 0
    assert job.flaw is not None


PARTS: dict[str, Callable[[MainJob], bool]] = {  # the part that is stopped → whether the one before it was done
    "replay_runs": lambda job: bool(job.interleavings) and not job.replays.traces,
    "build_matrix": lambda job: job.replays.traces == len(job.interleavings),
    "inspect": lambda job: job.matrix is not None and job.matrix.completed > 0 and not job.held.scenarios,
}


@pytest.mark.usefixtures("no_flaw")
@pytest.mark.parametrize("part", sorted(PARTS))
def test_ctrl_c_in_any_part_keeps_the_parts_before_it(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    stop(monkeypatch, checker.job, part, "interrupted")
    job = tiny()
    assert job.stopped == "interrupted"
    assert job.code is Exit.INTERRUPTED
    assert PARTS[part](job)
    assert job.flaw is None


@pytest.mark.usefixtures("no_flaw")
@pytest.mark.parametrize("part", sorted(PARTS))
def test_time_running_out_in_any_part_is_inconclusive(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    stop(monkeypatch, checker.job, part, "time is up")
    job = tiny()
    assert job.stopped == "time is up"
    assert job.code is Exit.INCONCLUSIVE
    assert job.flaw is None


def test_ctrl_c_in_the_search_for_the_flaw_makes_the_report_partial(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Checked("symbolic", Exit.INTERRUPTED, 3, reason="interrupted")
    monkeypatch.setattr(checker.flaw, "check", lambda *_: late)
    job = tiny()
    assert job.stopped == "interrupted"
    assert job.code is Exit.INTERRUPTED
    assert job.held.states > 0


def test_ctrl_c_in_the_first_of_two_engines_does_not_start_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(question: object, engine: str, *_: object, **__: object) -> Checked:
        asked.append(engine)
        return Checked(engine, Exit.INTERRUPTED, 2, reason="interrupted")

    monkeypatch.setattr("checker.commands.run_check", answer)
    assert model_check("check", "--engine", "both").code == Exit.INTERRUPTED
    assert asked == ["explicit"]


def test_ctrl_c_in_the_second_of_two_enumerations_is_no_disagreement(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("checker.explicit_search.enumerate_explicit", interrupted)
    ran = model_check("enumerate", "--model", "tiny", "--engine", "both", "--depth", "1")
    assert ran.code == Exit.INTERRUPTED
    assert "PARTIAL REPORT (interrupted)" in ran.out
    assert "sets" not in ran.out


def test_ctrl_c_before_anything_was_found_is_said_in_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("checker.commands.ask", interrupted)
    ran = model_check("check")
    assert ran.code == Exit.INTERRUPTED
    assert ran.out == ""
    assert ran.err.strip() == "interrupted"


def test_progress_is_for_terminals_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with checker.progress.Progress("replay", 10, "traces") as progress:
        progress.started -= 100
        progress(5)
        progress.stay("a run diverges")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(checker.progress.sys.stderr, "isatty", lambda: True)
    with checker.progress.Progress("replay", 10, "traces") as progress:
        progress.stay("a run diverges")
    assert capsys.readouterr().err == "\r\x1b[2Ka run diverges\n"
    assert progress.line(5, 2.0) == "replay: 5 of 10 traces, 2.5/s, 2 s left"
    assert progress.line(0, 0.0, "none yet") == "replay: 0 of 10 traces, 0.0/s, 0 s so far, none yet"
