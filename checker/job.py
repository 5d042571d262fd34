"""The main job: enumerate the crashes of a client's write, replay each, complete each, and show the seed's flaw.

Every part stands alone and leaves what it found in :class:`MainJob`, so that Ctrl-C ends the job with a report of what
there was, which says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from checker.coverage import Matrix, build_matrix
from checker.enumeration import Enumerated, Interleaving, Partial, cubes, distinct, enumerate_cube
from checker.flaw import Flaw, show_flaw
from checker.progress import OutOfTime, Progress
from checker.question import Question, reported_errors
from checker.replaying import Replays, open_named, replay_runs
from checker.tracing import Tracer
from checker.verdict import Exit
from spec.script import ScriptError, run_scenario
from spec.state import Label
from spec.system import Enumeration
from traces.target import Target


@dataclass(slots=True)
class Held:
    """Invariants over the states of every run that was replayed or completed."""

    states: int = 0
    names: tuple[str, ...] = ()
    violated: dict[str, tuple[Label, ...]] = field(default_factory=dict)
    scenarios: tuple[str, ...] = ()
    unreached: dict[str, str] = field(default_factory=dict)
    never: tuple[str, ...] = ()
    cuts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class MainJob:
    """Everything that the report prints. ``command`` does the job again. ``stopped``: why it ended early.

    ``enumerated_again``: by the reference engine, where both are asked; ``agree``: whether its sets are the same.
    """

    question: Question
    engine: str
    command: str = "model-check"
    enumerated: list[Enumerated] = field(default_factory=list)
    enumerated_again: list[Enumerated] = field(default_factory=list)
    agree: bool | None = None
    interleavings: list[Interleaving] = field(default_factory=list)
    hash: str = ""
    replays: Replays = field(default_factory=Replays)
    matrix: Matrix | None = None
    matrix_replays: Replays = field(default_factory=Replays)
    held: Held = field(default_factory=Held)
    flaw: Flaw | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    stopped: str = ""

    @property
    def code(self) -> Exit:
        """The exit code; the first that applies."""
        if self.agree is False:
            return Exit.ENGINES_DISAGREE
        if self.replays.divergence or self.matrix_replays.divergence:
            return Exit.DIVERGES
        if self.held.violated or (self.matrix is not None and self.matrix.violations):
            return Exit.SAFETY
        if self.stopped == "interrupted":
            return Exit.INTERRUPTED
        if self.stopped or any(not part.complete for part in (*self.enumerated, *self.enumerated_again)):
            return Exit.INCONCLUSIVE
        if self.held.unreached or self.held.never:
            return Exit.NOT_REACHED
        if self.flaw is not None:
            return self.flaw.code
        return Exit.HOLDS


def main_job(
    question: Question,
    engine: str,
    target: str,
    timeout: float | None,
    max_steps: int | None,
    command: str = "model-check",
) -> MainJob:
    """Runs all parts in order. Ctrl-C, or time running out, is remembered, not raised."""
    deadline = None if timeout is None else time.monotonic() + timeout
    opened = open_named(target)
    job = run_enumeration(question, engine, cubes(question, None, None, None), opened, timeout, command)
    if not job.stopped:
        with _remembered(job), reported_errors():
            _invariants(job, deadline)
            with _timed(job, "the seed's flaw"):
                job.flaw = show_flaw(target, _left(deadline), max_steps)
            if job.flaw.checked.code is Exit.INTERRUPTED:
                job.stopped = "interrupted"
    return job


def run_enumeration(
    question: Question,
    engine: str,
    chosen: tuple[Enumeration, ...],
    target: Target | None,
    timeout: float | None,
    command: str = "model-check",
) -> MainJob:
    """Enumerates the cubes, replays what was found where there is a target, and fills the matrix. Ctrl-C, or time
    running out, is remembered, not raised."""
    job = MainJob(question, engine, command)
    deadline = None if timeout is None else time.monotonic() + timeout
    with _remembered(job), reported_errors():
        _enumerate(job, chosen, deadline)
        if not job.stopped:
            if target is not None:
                _replay(job, target, deadline)
            _complete(job, target, deadline)
    return job


@contextmanager
def _remembered(job: MainJob) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        job.stopped = "interrupted"
    except OutOfTime:
        job.stopped = "time is up"


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.1, deadline - time.monotonic())


def _enumerate(job: MainJob, chosen: tuple[Enumeration, ...], deadline: float | None) -> None:
    engines = {"symbolic": job.enumerated, "reference": job.enumerated_again}
    if job.engine != "both":
        engines = {job.engine: job.enumerated}
    with _timed(job, "enumerate"):
        for engine, into in engines.items():
            for cube in chosen:
                if not job.stopped:
                    into.append(_enumerate_cube(job, cube, engine, deadline))
        job.interleavings, job.hash = distinct(job.enumerated)
        parts = job.enumerated + job.enumerated_again
        if job.engine == "both" and not job.stopped and all(part.complete for part in parts):
            job.agree = all(a.same_as(b) for a, b in zip(job.enumerated, job.enumerated_again, strict=True))


def _enumerate_cube(job: MainJob, cube: Enumeration, engine: str, deadline: float | None) -> Enumerated:
    with Progress(f"enumerate {cube.scenario}") as progress:
        try:
            found = enumerate_cube(job.question, cube, engine, _counter(progress), _left(deadline))
        except Partial as partial:
            job.stopped = "interrupted"
            return partial.found
    if deadline is not None and not found.complete and time.monotonic() > deadline:
        job.stopped = "time is up"
    return found


def _counter(progress: Progress) -> Callable[[str, int], None]:
    def count(what: str, number: int) -> None:
        progress.unit = what
        progress(number)

    return count


def _replay(job: MainJob, target: Target, deadline: float | None) -> None:
    runs = [i.until + i.labels for i in job.interleavings]
    with _timed(job, "replay"), Progress("replay", len(runs), "traces", deadline) as progress:
        replay_runs(Tracer(job.question.evaluator), runs, target, progress, job.replays)


def _complete(job: MainJob, target: Target | None, deadline: float | None) -> None:
    system = job.question.system
    if not system.windows or system.converged is None or not system.completions:
        return
    found = {item[:2]: item for part in job.enumerated for item in part.crashes}
    job.matrix = Matrix(system)
    with _timed(job, "complete"), Progress("complete", len(found), "crash states", deadline) as progress:
        build_matrix(job.question.evaluator, found.values(), progress, job.matrix)
    if target is None:
        return
    witnesses = [cell.witness.labels for cell in job.matrix.cells.values() if cell.witness is not None]
    with _timed(job, "replay"), Progress("replay completions", len(witnesses), "traces", deadline) as progress:
        replay_runs(Tracer(job.question.evaluator), witnesses, target, progress, job.matrix_replays)


def _invariants(job: MainJob, deadline: float | None) -> None:
    """Invariants in every distinct state of the interleavings, and what the bounds cut there; scenarios; `sometimes`
    goals."""
    evaluator = job.question.evaluator
    runs = [(i.start, i.labels, i.until) for i in job.interleavings]
    goals = {p.name: evaluator.compile(p.expr) for p in job.question.system.sometimes}
    seen = set()
    held = job.held
    held.names = tuple(name for name, _ in (*evaluator.invariants, *evaluator.action_invariants))
    evaluator.tally.cuts = held.cuts
    with _timed(job, "invariants"), Progress("invariants", len(runs), "traces", deadline) as progress:
        for number, (state, labels, until) in enumerate(runs):
            progress(number)
            for position, label in enumerate((None, *labels)):
                before = state
                state = state if label is None else evaluator.successor(state, label)
                run = until + labels[:position]
                if label is not None:
                    for name in evaluator.violated_by_step(before, label, state):
                        held.violated.setdefault(name, run)
                if state not in seen:
                    seen.add(state)
                    evaluator.transitions(state)  # for the tally of what the bounds cut
                    for name in evaluator.violated(state):
                        held.violated.setdefault(name, run)
                    for name in [name for name, goal in goals.items() if evaluator.holds(goal, state)]:
                        del goals[name]
        held.states = len(seen)
        held.never = tuple(goals)
        _scenarios(job)


def _scenarios(job: MainJob) -> None:
    evaluator = job.question.evaluator
    reached = []
    for scenario in job.question.system.scenarios:
        try:
            state, _ = run_scenario(evaluator, scenario)
        except ScriptError as error:
            job.held.unreached[scenario.name] = str(error)
            continue
        if scenario.goal is not None and not evaluator.holds(evaluator.compile(scenario.goal), state):
            job.held.unreached[scenario.name] = "its goal is false at the end of its script"
        else:
            reached.append(scenario.name)
    job.held.scenarios = tuple(reached)


@contextmanager
def _timed(job: MainJob, part: str) -> Iterator[None]:
    started = time.monotonic()
    try:
        yield
    finally:
        job.seconds[part] = job.seconds.get(part, 0.0) + time.monotonic() - started
