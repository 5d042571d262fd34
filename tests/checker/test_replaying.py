"""Replaying what was enumerated: a broken implementation diverges at the step and in the field that its fault touches;
the correct one never does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checker.job import MainJob, run_enumeration
from checker.progress import Progress
from checker.question import ask
from checker.replaying import Replays, replay_runs
from checker.tracing import Tracer
from checker.verdict import Exit
from refimpl.target import RefimplTarget, create
from spec.state import Label
from spec.system import Enumeration
from tests.checker.command_line import CORPUS, model_check
from traces.forest import Restorable
from traces.raft import TABLE
from traces.replay import Divergence, Replayed, replay

# fault → where it is looked for; the first step that differs, its rule, the field; the server's values
FAULTS: dict[str, tuple[str, int, str, str]] = {
    "commit-prior-term-by-counting": ("old_write_acknowledged", 46, "append_entries_response", "s2.commit_index"),
    "vote-not-durable": ("leader_elected", 1, "timeout", "s1.pending"),
    "follower-acks-before-fsync": ("leader_elected", 8, "append_entries", "s2.outbox"),
}


class Plain:
    """A target that cannot be put back: each run is replayed from its start."""

    def __init__(self, target: RefimplTarget) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        if name in ("snapshot", "restore"):
            raise AttributeError(name)
        return getattr(self._target, name)


@pytest.fixture(scope="module")
def correct() -> dict[str, MainJob]:
    """Enumerated, completed and replayed on the correct implementation."""
    question = ask(None, model="three")
    scenarios = sorted({scenario for scenario, *_ in FAULTS.values()})
    cubes = {scenario: (Enumeration(scenario, 1, 1),) for scenario in scenarios}
    return {name: run_enumeration(question, "reference", cubes[name], create(), None, workers=1) for name in scenarios}


@pytest.fixture(params=sorted(FAULTS))
def fault(request: pytest.FixtureRequest) -> str:
    name = request.param
    assert isinstance(name, str)
    return name


@pytest.fixture
def job(correct: dict[str, MainJob], fault: str) -> MainJob:
    return correct[FAULTS[fault][0]]


def runs_of(job: MainJob) -> list[tuple[Label, ...]]:
    return [i.until + i.labels for i in job.interleavings]


def witnesses_of(job: MainJob) -> list[tuple[Label, ...]]:
    assert job.matrix is not None
    return sorted({cell.witness.labels for cell in job.matrix.cells.values()})


def replayed(job: MainJob, runs: list[tuple[Label, ...]], target: Any) -> Replays:
    replays = Replays()
    replay_runs(Tracer(job.question.evaluator), runs, target, lambda done: None, replays)
    return replays


def test_the_correct_implementation_follows_every_interleaving_and_completion(correct: dict[str, MainJob]) -> None:
    for job in correct.values():
        assert job.code is Exit.HOLDS
        for replays in (job.replays, job.matrix_replays):
            assert replays.diverged == 0
            assert replays.divergence is None
            assert replays.unobserved == {}
            assert replays.fields_compared > 30 * replays.labels > 1000
        assert job.replays.traces == len(job.interleavings)
        assert job.matrix_replays.traces > 50


def test_a_broken_implementation_diverges_at_the_step_and_field_of_its_fault(job: MainJob, fault: str) -> None:
    _, step, rule, path = FAULTS[fault]
    replays = replayed(job, runs_of(job), create(frozenset({fault})))
    assert 0 < replays.diverged <= replays.traces == len(job.interleavings)
    assert replays.divergence is not None
    trace, divergence = replays.divergence
    assert divergence.label is not None
    assert (divergence.step, divergence.label.rule, divergence.path) == (step, rule, path)
    assert divergence.expected != divergence.observed
    assert len(trace.labels) == step  # cut there
    assert trace.labels[-1] == divergence.label
    assert isinstance(replay(trace, create(frozenset({fault})), TABLE), Divergence)
    assert isinstance(replay(trace, create(), TABLE), Replayed)


def test_completions_find_the_fault_as_well(job: MainJob, fault: str) -> None:
    _, _, rule, path = FAULTS[fault]
    replays = replayed(job, witnesses_of(job), create(frozenset({fault})))
    assert replays.divergence is not None
    trace, divergence = replays.divergence
    assert divergence.label is not None
    assert (divergence.label.rule, divergence.path) == (rule, path)
    assert len(trace.labels) == divergence.step


def test_every_single_diverging_run_is_named_with_step_and_field(job: MainJob, fault: str) -> None:
    _, earliest, rule, path = FAULTS[fault]
    tracer = Tracer(job.question.evaluator)
    diverging = 0
    for labels in runs_of(job)[::3]:
        result = replay(tracer.trace(labels), create(frozenset({fault})), TABLE)
        if isinstance(result, Divergence):
            diverging += 1
            assert result.label is not None
            assert result.label.rule == rule
            assert result.path.split(".")[1] == path.split(".")[1]
            assert earliest <= result.step <= len(labels)
    assert diverging


def test_runs_replayed_together_come_to_what_each_comes_to_alone(job: MainJob, fault: str) -> None:
    runs = runs_of(job)[::3]
    shared, plain = create(frozenset({fault})), Plain(create(frozenset({fault})))
    assert isinstance(shared, Restorable)
    assert not isinstance(plain, Restorable)
    together, alone = replayed(job, runs, shared), replayed(job, runs, plain)
    assert (together.traces, together.diverged) == (alone.traces, alone.diverged)
    assert together.traces == len(runs)
    assert together.labels <= alone.labels
    assert together.divergence is not None
    assert alone.divergence is not None
    assert together.divergence[1].path == alone.divergence[1].path
    assert together.divergence[0].labels == alone.divergence[0].labels


# ------------------------------------------------------------------------------------------ on the command line


def test_enumerate_reports_the_divergence_and_the_command_that_shows_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once: list[str] = []
    monkeypatch.setattr(Progress, "stay", lambda _, line: at_once.append(line))
    words = ["enumerate", "--scenario", "old_write_acknowledged", "--engine", "reference", "--depth", "1"]
    words += ["--window", "0", "--replay", "--break", "commit-prior-term-by-counting"]
    ran = model_check(*words, "--out-itf", tmp_path)
    assert ran.code == Exit.DIVERGES
    assert "divergence after step 46 of 46: s2.commit_index" in ran.out
    assert [line for line in at_once if line.startswith("replay: ")] == [
        "replay: a run DIVERGES at step 46; Ctrl-C brings the report now, without the rest"
    ]
    assert "expected (the trace):  1" in ran.out
    assert "observed (the target): 2" in ran.out
    commands = {line.split("reproduce:")[1].strip() for line in ran.out.splitlines() if "reproduce:" in line}
    assert commands == {" ".join(["model-check", *words])}
    again = model_check("replay", tmp_path / "divergence.itf.json", "--break", "commit-prior-term-by-counting")
    assert again.code == Exit.DIVERGES
    assert "divergence after step 46 of 46: s2.commit_index" in again.out
    assert model_check(*again.reproduce).out == again.out
    assert model_check("replay", tmp_path / "divergence.itf.json").code == Exit.HOLDS


def test_replaying_a_folder_reports_each_trace_and_the_shortest_divergence(tmp_path: Path) -> None:
    assert model_check("show", "seed_case_1", "--out-itf", tmp_path / "a").code == Exit.HOLDS
    assert model_check("show", "old_write_acknowledged", "--out-itf", tmp_path / "b").code == Exit.HOLDS
    ran = model_check("replay", tmp_path, "--break", "new-leader-auto-commits")
    assert ran.code == Exit.DIVERGES
    assert "seed_case_1.itf.json" in ran.out
    assert ran.out.count("divergence after step") == 1
    assert ran.out.count("no divergence, ") == 1
    assert "replayed: 2 traces" in ran.out
    assert "1 DIVERGE" in ran.out


def test_what_a_target_does_not_report_is_counted_and_printed() -> None:
    ran = model_check("replay", CORPUS, "--target", f"{__name__}:without_sessions")
    assert ran.code == Exit.HOLDS
    assert "unobserved: sessions (" in ran.out
    found = model_check("replay", CORPUS, "--target", f"{__name__}:without_sessions", "--json").json
    assert found["unobserved"]["sessions"] > 100


class WithoutSessions(RefimplTarget):
    """A target that cannot look into its sessions."""

    def observe(self, server: str) -> dict[str, Any]:
        return {name: value for name, value in super().observe(server).items() if name != "sessions"}


def without_sessions() -> WithoutSessions:
    return WithoutSessions(frozenset())
