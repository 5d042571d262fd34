"""The explicit engine, asked and answered in this package's terms. Importing this module does not import llvmlite."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from checker.checking import Checked, judged, not_seen
from checker.enumeration import Enumerated, Interleaving, Report
from checker.explicit.back_end import BackEnd, available, choose
from checker.explicit.errors import CheckpointError, ExplicitError, NeedsNative, NotEncodable, TooLittleMemory
from checker.explicit.search import Explored, Now, Room, Stopped, explore
from checker.parallel import default_workers
from checker.progress import Progress
from checker.question import Question
from checker.searching import Search
from checker.verdict import Exit, Stop
from spec.state import Label
from spec.system import Enumeration

DEFAULT_RUN = 100
"""How many labels a random run has at most, unless the model or the command line says."""

INTERVAL = 30.0
"""Seconds between two checkpoints, about: they are left between levels."""

ON_DISK = "with --memory SIZE a search goes on on disk when that is used up, slower, with the same counts"
KEPT = "; with --checkpoint DIR it can be taken up again"


def check_explicit(question: Question, search: Search) -> Checked:
    """The whole space within the bounds, or ``max_steps`` labels deep; up to symmetry where the spec allows."""
    back_end = _back_end()
    start, prefix = question.start(search.scenario)
    with Progress("check") as progress, reported_failures():
        found = explore(
            question.system,
            start=start,
            max_steps=search.max_steps,
            only=question.only,
            timeout=search.timeout,
            workers=search.workers or default_workers(),
            progress=lambda now: progress.say(line(now, search.max_steps)),
            symmetry=search.symmetry,
            stop_at_deadlock=search.deadlock and not search.go_on,
            go_on=search.go_on,
            room=Room(search.memory, search.checkpoint or search.recover, search.recover, INTERVAL),
            fingerprints=search.fingerprints,
            back_end=back_end,
        )
    return _judged(question, found, prefix, search)


def check_by_simulation(question: Question, search: Search) -> Checked:
    """Random runs; what they do not show is claimed by nobody."""
    from checker.explicit.simulation import simulate

    assert search.simulate is not None
    assert search.seed is not None
    back_end = _back_end()
    start, prefix = question.start(search.scenario)
    with Progress("simulate", search.simulate, "runs") as progress, reported_failures():
        found = simulate(
            question.system,
            start,
            runs=search.simulate,
            length=DEFAULT_RUN if search.max_steps is None else search.max_steps,
            seed=search.seed,
            only=question.only,
            deadlock=search.deadlock,
            timeout=search.timeout,
            back_end=back_end,
            report=lambda runs, labels: progress(runs, f"{labels:,} labels"),
        )
    checked = Checked("explicit", Exit.HOLDS, 0, len(prefix), taken=found.taken, simulated=found)
    violation = found.violation
    if violation is None:
        checked.never_taken, checked.unseen = not_seen(question, found.taken, found.reached)
    if violation is not None:
        checked.labels = prefix + violation.labels
        checked.violated, checked.message = violation.property, violation.message
        checked.code = Exit.EVALUATION_ERROR if violation.property is None else Exit.SAFETY
        checked.code = Exit.DEADLOCK if found.deadlock else checked.code
        checked.violations = {} if violation.property is None else {violation.property: violation}
    elif found.stopped is not None:
        checked.code = Exit.INTERRUPTED if found.stopped is Stopped.INTERRUPTED else Exit.INCONCLUSIVE
        checked.reason = found.stopped.value
    return checked


def enumerate_explicit(question: Question, cube: Enumeration, report: Report, into: Enumerated) -> None:
    """Crash states and interleavings of one cube, over compiled transitions."""
    require_native()
    from checker.explicit.counting import crash_states, interleavings, transitions_of

    start, prefix = question.start(cube.scenario)
    with reported_failures():
        transitions = transitions_of(question.system)
        crashes = crash_states(transitions, start, cube.depth, lambda number: report("crash states", number))
        for crash, situations in crashes.items():
            into.crashes += [(crash, situation, prefix + labels) for situation, labels in situations.items()]
        for found in interleavings(transitions, start, cube.depth, cube.window):
            into.interleavings.append(Interleaving(prefix + found.prefix, found.start, found.labels))
            report("interleavings", len(into.interleavings))
    into.complete = True


def require_native() -> None:
    """Raises Stop where there is no llvmlite: crash states are counted over compiled transitions only."""
    if not available():
        raise Stop(
            Exit.USAGE,
            "the explicit engine counts crash states with llvmlite, which is not installed; "
            "pip install 'raftproof[native]', or take --engine symbolic (z3) or --engine reference (small models)",
        )


@contextmanager
def reported_failures() -> Iterator[None]:
    """Turns what the engine cannot do, or did wrong, into a Stop."""
    try:
        yield
    except (CheckpointError, TooLittleMemory, NeedsNative) as reason:
        raise Stop(Exit.USAGE, str(reason)) from reason
    except NotEncodable as reason:
        others = "--engine symbolic or --engine reference"
        raise Stop(Exit.USAGE, f"the explicit engine cannot compile this spec: {reason}; take {others}") from reason
    except ExplicitError as error:
        raise Stop(Exit.ENGINES_DISAGREE, f"the explicit engine failed: {error}") from error


def line(now: Now, max_steps: int | None) -> str:
    """How far the search is, in a line. How long it will take can be known in the last level only."""
    parts = [
        f"check: depth {now.depth}",
        f"{now.rate:,.0f} states generated/s",
        f"{now.distinct:,} distinct states",
        f"{now.queue:,} on the queue",
        f"{now.bytes / 2**20:,.0f} MiB",
        f"{now.seconds:.0f} s so far",
    ]
    left = now.level_seconds_left
    if max_steps is not None and now.depth == max_steps and left is not None:
        parts.append(f"last level, {left:.0f} s left")
    return ", ".join(parts)


def _judged(question: Question, found: Explored, prefix: tuple[Label, ...], search: Search) -> Checked:
    checked = judged("explicit", question, found, prefix, search)
    checked.symmetry, checked.workers, checked.search_seconds = found.symmetry, found.workers, found.seconds["search"]
    checked.on_disk, checked.collision_probability = found.on_disk, found.collision_probability
    if found.stopped is not None:
        checked.reason = f"{found.stopped.value}: {found.reason}" if found.reason else found.stopped.value
        folder = search.checkpoint or search.recover
        to_disk = search.memory is None and not search.fingerprints and found.back_end is BackEnd.NATIVE
        if found.stopped is Stopped.MEMORY and to_disk:
            checked.reason += f"; {ON_DISK}{'' if folder else KEPT}"
        if found.stopped is Stopped.DISK and folder is None:
            checked.reason += "; name a folder on a larger disk (--checkpoint DIR, or TMPDIR)"
        if folder is not None:
            again = replace(search, memory=found.budget) if found.stopped is Stopped.MEMORY and to_disk else search
            checked.reason += f"; {_how_to_go_on(folder, question, again)}"
        if checked.labels is None:
            checked.code = _code(found.stopped)
        if checked.labels is None or search.go_on:
            checked.depth = max(0, len(found.levels) - 2)  # the last level was not finished
    return checked


def _code(stopped: Stopped) -> Exit:
    match stopped:
        case Stopped.INTERRUPTED:
            return Exit.INTERRUPTED
        case Stopped.DISK:
            return Exit.IO_ERROR
        case Stopped.TIME | Stopped.MEMORY | Stopped.NUMBERS:
            return Exit.INCONCLUSIVE


def _how_to_go_on(folder: Path, question: Question, search: Search) -> str:
    from checker.explicit.checkpoint import is_there

    if not is_there(folder):
        return f"no checkpoint was left in {folder} yet"
    again = replace(search, checkpoint=None, recover=None, workers=None)
    return f"go on with: {question.command('check', *again.words(), '--recover', str(folder))}"


def _back_end() -> BackEnd:
    """The one to run, after saying so where it is not the fast one."""
    try:
        choice = choose()
    except NeedsNative as error:
        raise Stop(Exit.USAGE, str(error)) from error
    if choice.notice:
        say_once(choice.notice)
    return choice.back_end


@cache
def say_once(notice: str) -> None:
    """On standard error, however many searches a command runs."""
    print(notice, file=sys.stderr)
