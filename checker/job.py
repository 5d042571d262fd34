"""The main job: enumerate the crashes of a client's write, replay each, complete each, and show the seed's flaw.

Every part stands alone and leaves what it found in :class:`MainJob`, so that Ctrl-C ends the job with a report of what
there was, which says so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from checker.completion import Completer
from checker.coverage import Matrix, build_matrix
from checker.deciding import Decided, decide
from checker.enumeration import Enumerated, Interleaving, Partial, cubes, distinct, enumerate_cube
from checker.explicit.back_end import available
from checker.explicit_search import reported_failures
from checker.flaw import Flaw, show_flaw
from checker.gaps import Filling, open_goals
from checker.heartbeat import watch_with
from checker.implementation import Implementation
from checker.inspecting import Inspected, inspect
from checker.parallel import chunks, default_workers, spread
from checker.progress import OutOfTime, Progress
from checker.question import Question, reported_errors
from checker.reduction import Counts, Reduction, UpTo
from checker.replaying import Replays, replay_runs
from checker.ruling_out import ruled_out
from checker.sampling import Sample, of_every_window, spaced
from checker.symbolic.errors import SymbolicError
from checker.symbolic.watch import Asked, Watch
from checker.tracing import Tracer
from checker.verdict import Exit, Stop
from spec.script import ScriptError, run_scenario
from spec.state import Label, State
from spec.system import Enumeration
from traces.forest import Restorable
from traces.target import Target


@dataclass(slots=True)
class Held:
    """Invariants in every state and step of the interleavings and of the matrix's runs; scenarios; `sometimes`."""

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

    ``enumerated_again``: by a second engine, where both are asked; ``agree``: whether its sets are the same.
    ``counts``: how many were found, and how many classes of them; ``reduce``: one interleaving of each class is
    replayed, not all. ``sample``: so many runs are replayed; ``sampled``: which. ``within``: how long the completions
    are that a search looks for where no schedule shows an outcome (None: there is no search); ``settle``: z3 may rule
    outcomes out at any length; ``wrong_completion``: why an engine's answer was not taken. ``asked``: all that z3 was
    asked for the enumeration.
    """

    question: Question
    engine: str
    command: str = "model-check"
    enumerated: list[Enumerated] = field(default_factory=list)
    enumerated_again: list[Enumerated] = field(default_factory=list)
    agree: bool | None = None
    interleavings: list[Interleaving] = field(default_factory=list)
    hash: str = ""
    counts: Counts | None = None
    reduce: UpTo | None = None
    sample: int | None = None
    sampled: Sample | None = None
    replays: Replays = field(default_factory=Replays)
    matrix: Matrix | None = None
    matrix_replays: Replays = field(default_factory=Replays)
    held: Held = field(default_factory=Held)
    flaw: Flaw | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    stopped: str = ""
    workers: int = 1
    asked: list[Asked] = field(default_factory=list)
    within: int | None = None
    settle: bool = False
    wrong_completion: str = ""

    @property
    def first_engine(self) -> str:
        return "symbolic" if self.engine == "both" else self.engine

    @property
    def second_engine(self) -> str:
        """Of ``both``: the explicit one, or where there is no llvmlite the reference."""
        return "explicit" if available() else "reference"

    @property
    def code(self) -> Exit:
        """The exit code; the first that applies."""
        if self.agree is False or self.wrong_completion:
            return Exit.ENGINES_DISAGREE
        if self.replays.divergence or self.matrix_replays.divergence:
            return Exit.DIVERGES
        if self.held.violated or (self.matrix is not None and self.matrix.violations):
            return Exit.SAFETY
        if self.stopped == "interrupted":
            return Exit.INTERRUPTED
        nothing = not self.interleavings and not any(part.crashes for part in self.enumerated)
        if self.stopped or nothing or any(not part.complete for part in (*self.enumerated, *self.enumerated_again)):
            return Exit.INCONCLUSIVE
        if self.held.unreached or self.held.never:
            return Exit.NOT_REACHED
        if self.flaw is not None:
            return self.flaw.code
        return Exit.HOLDS


def main_job(
    question: Question,
    engine: str,
    target: Implementation,
    timeout: float | None,
    max_steps: int | None,
    command: str = "model-check",
    workers: int | None = None,
) -> MainJob:
    """Runs all parts in order. Ctrl-C, or time running out, is remembered, not raised."""
    deadline = None if timeout is None else time.monotonic() + timeout
    with target.opened() as opened:
        chosen = cubes(question, None, None, None)
        job = run_enumeration(question, engine, chosen, opened, timeout, command, workers, settle=True)
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
    workers: int | None = None,
    within: int | None = None,
    reduce: UpTo | None = None,
    smt_out: Path | None = None,
    settle: bool = False,
    sample: int | None = None,
) -> MainJob:
    """Enumerates the cubes, replays what was found where there is a target, and fills the matrix. Ctrl-C, or time
    running out, is remembered, not raised. ``smt_out``: a folder for the questions to z3. ``sample``: replay so many
    runs only."""
    workers = default_workers() if workers is None else workers
    job = MainJob(question, engine, command, workers=workers, within=within, reduce=reduce, sample=sample)
    job.settle = settle or within is not None
    deadline = None if timeout is None else time.monotonic() + timeout
    with _remembered(job), reported_errors():
        _enumerate(job, chosen, deadline, smt_out)
        if not job.stopped:
            if target is not None and not (sample is not None and _completes(job)):
                _replay(job, target, deadline)
            _complete(job, target, deadline, smt_out)
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


def _enumerate(
    job: MainJob, chosen: tuple[Enumeration, ...], deadline: float | None, smt_out: Path | None
) -> None:
    engines = {job.first_engine: job.enumerated}
    if job.engine == "both":
        engines[job.second_engine] = job.enumerated_again
    with _timed(job, "enumerate"):
        with Progress("enumerate", unit="crash states and interleavings") as progress:
            watch = watch_with(progress, _left(deadline), None, smt_out)
            job.asked = watch.asked
            for engine, into in engines.items():
                for cube in chosen:
                    if not job.stopped:
                        into.append(_enumerate_cube(job, cube, engine, deadline, progress, watch))
        job.interleavings, job.hash = distinct(job.enumerated, hashed=not job.stopped)  # Ctrl-C does not wait for it
        if not job.stopped:
            crashes = (crash for part in job.enumerated for crash in part.crash_keys)
            job.counts = Reduction(job.question.system).counts(job.interleavings, crashes)
        parts = job.enumerated + job.enumerated_again
        if job.engine == "both" and not job.stopped and all(part.complete for part in parts):
            job.agree = all(a.same_as(b) for a, b in zip(job.enumerated, job.enumerated_again, strict=True))


def _enumerate_cube(
    job: MainJob, cube: Enumeration, engine: str, deadline: float | None, progress: Progress, watch: Watch
) -> Enumerated:
    before = sum(len(part.crashes) + len(part.interleavings) for part in job.enumerated + job.enumerated_again)
    counts: dict[str, int] = {}

    def count(what: str, number: int) -> None:
        counts[what] = number
        progress(before + sum(counts.values()), f"from {cube.scenario}")

    try:
        found = enumerate_cube(job.question, cube, engine, count, _left(deadline), watch)
    except Partial as partial:
        job.stopped = "interrupted"
        return partial.found
    if deadline is not None and not found.complete and time.monotonic() > deadline:
        job.stopped = "time is up"
    return found


def _replay(job: MainJob, target: Target, deadline: float | None) -> None:
    chosen = job.interleavings
    if job.reduce is not None:
        chosen = Reduction(job.question.system).representatives(chosen, job.reduce)
    runs = [i.until + i.labels for i in chosen]
    if job.sample is not None:
        job.sampled = spaced(runs, job.sample)
        runs = list(job.sampled.runs)
    _replay_runs(job, runs, target, job.replays, "replay", deadline)


def _replay_runs(
    job: MainJob, runs: list[tuple[Label, ...]], target: Target, into: Replays, what: str, deadline: float | None
) -> None:
    tracer = Tracer(job.question.evaluator)

    def work(part: Sequence[tuple[Label, ...]]) -> Replays:
        replays = Replays()
        replay_runs(tracer, part, target, lambda done: None, replays)
        return replays

    # What cannot be put back is slow, or holds processes that a fork cannot share: it works here, and ticks often.
    size, workers = (500, job.workers) if isinstance(target, Restorable) else (5, 1)
    with _timed(job, "replay"), Progress(what, len(runs), "traces", deadline) as progress:
        for replays in spread(work, chunks(runs, size), workers):
            known = into.divergence
            into.merge(replays)
            if known is None and into.divergence is not None:
                step = into.divergence[1].step
                progress.stay(f"{what}: a run DIVERGES at step {step}; Ctrl-C brings the report now, without the rest")
            progress(into.traces)


def _completes(job: MainJob) -> bool:
    """Whether the spec says what is needed to drive crash states to convergence."""
    system = job.question.system
    return bool(system.windows) and system.converged is not None and bool(system.completions or job.within is not None)


def _complete(job: MainJob, target: Target | None, deadline: float | None, smt_out: Path | None) -> None:
    system, evaluator = job.question.system, job.question.evaluator
    if not _completes(job):
        return
    found = list({item[:2]: item for part in job.enumerated for item in part.crashes}.values())
    job.matrix = Matrix(system)
    completer = Completer(evaluator)
    with _timed(job, "complete"), Progress("complete", len(found), "crash states", deadline) as progress:
        parts = spread(lambda part: build_matrix(evaluator, part, completer), chunks(found, 40), job.workers)
        for number, part in enumerate(parts, 1):
            job.matrix.merge(part)
            progress(min(number * 40, len(found)))
    if job.settle and job.first_engine == "symbolic":
        with _timed(job, "rule out"), Progress("rule out", deadline=deadline) as progress, _reported_failures():
            watch = watch_with(progress, _left(deadline), None, smt_out)
            job.matrix.ruled_out = ruled_out(evaluator, open_goals(job.matrix), watch, job.workers)
            job.asked = [*job.asked, *watch.asked]
    if job.within is not None:
        with _timed(job, "decide"), _reported_failures():
            _decide(job, job.matrix, job.within, deadline, smt_out)
    if target is not None:
        runs = sorted(job.matrix.runs, key=str)  # neighbours begin alike
        if job.sample is not None:
            job.sampled = of_every_window(job.matrix, job.sample)
            runs = list(job.sampled.runs)
        _replay_runs(job, runs, target, job.matrix_replays, "replay completions", deadline)


@contextmanager
def _reported_failures() -> Iterator[None]:
    """What an engine did wrong, or cannot do, becomes a Stop."""
    try:
        with reported_failures():
            yield
    except SymbolicError as error:
        raise Stop(Exit.ENGINES_DISAGREE, f"the symbolic engine failed: {error}") from error


def _decide(job: MainJob, matrix: Matrix, within: int, deadline: float | None, smt_out: Path | None) -> None:
    """Asks the engine, or both, for what no schedule has shown."""
    evaluator = job.question.evaluator
    # A second engine is asked about what is ruled out, too: a run to it would show that z3 is wrong.
    everything, left = open_goals(matrix), open_goals(matrix, but=matrix.ruled_out)
    filling = Filling(matrix, evaluator, within)
    engines = [job.first_engine, *([job.second_engine] if job.engine == "both" else [])]
    answers = []
    for engine in engines:
        said: dict[State, Decided] = {}
        wanted = left if engine == "symbolic" else everything
        answers.append(said)
        with Progress(f"complete ({engine})", len(wanted), "states after a crash", deadline) as progress:

            def tick(done: int, progress: Progress = progress) -> float | None:
                progress(done)
                return _left(deadline)

            watch = watch_with(progress, _left(deadline), within, smt_out)
            for state, decided in decide(evaluator, engine, wanted, within, tick, job.workers, watch):
                said[state] = decided
                if not filling.add(state, decided):
                    job.wrong_completion = f"the evaluator does not take a completion by the {engine} engine"
            job.asked = [*job.asked, *watch.asked]
    if len(answers) == 2:
        for state, one in answers[0].items():
            if not one.agrees_with(answers[1][state]):
                job.wrong_completion = f"the engines differ in the completions of at most {within} labels"


def _invariants(job: MainJob, deadline: float | None) -> None:
    """Invariants in every state and step, what the bounds cut on the way, scenarios, and `sometimes` goals."""
    evaluator = job.question.evaluator
    held = job.held
    held.names = tuple(name for name, _ in (*evaluator.invariants, *evaluator.action_invariants))
    interleaved = [(True, part) for part in chunks([i.until + i.labels for i in job.interleavings], 1000)]
    completed = [] if job.matrix is None else sorted(job.matrix.runs, key=str)
    pieces = [*interleaved, *((False, part) for part in chunks(completed, 200))]
    inspected = Inspected()
    with _timed(job, "invariants"), Progress("invariants", len(pieces), "parts", deadline) as progress:
        parts = spread(lambda piece: inspect(evaluator, piece[1], tally=piece[0]), pieces, job.workers)
        for number, part in enumerate(parts, 1):
            inspected.merge(part)
            held.states, held.violated, held.cuts = len(inspected.states), inspected.violated, inspected.cuts
            progress(number)
        held.never = tuple(p.name for p in job.question.system.sometimes if p.name not in inspected.reached)
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
