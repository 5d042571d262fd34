"""The symbolic engine, asked and answered in this package's terms. Importing this module imports z3."""

from __future__ import annotations

from checker.checking import Checked
from checker.enumeration import Enumerated, Interleaving, Report
from checker.progress import Progress
from checker.question import Question
from checker.symbolic.check import Violation
from checker.symbolic.check import check as search
from checker.symbolic.depths import NoneWithin, Unknown
from checker.symbolic.enumerate import INTERRUPTED, crash_states, interleavings
from checker.symbolic.errors import SymbolicError
from checker.symbolic.watch import Deadline, Heartbeat, Watch
from checker.verdict import Exit, Stop
from spec.explore import Violation as Violated
from spec.system import Enumeration


def check_symbolic(question: Question, max_steps: int, timeout: float | None, scenario: str | None) -> Checked:
    """A shortest violation within ``max_steps`` labels of the model's start, or the scenario's end."""
    start, prefix = question.start(scenario)
    with Progress("check") as progress:
        watch = Watch(Deadline(timeout), lambda beat: progress.show(lambda: line(progress, beat, max_steps)))
        try:
            answer = search(question.system, max_steps, start=start, only=question.only, watch=watch)
        except KeyboardInterrupt:
            return Checked("symbolic", Exit.INTERRUPTED, watch.refuted, len(prefix), reason="interrupted")
        except SymbolicError as error:
            raise Stop(Exit.ENGINES_DISAGREE, f"the symbolic engine failed: {error}") from error
    match answer:
        case Violation(violated, message, labels, _):
            code = Exit.EVALUATION_ERROR if violated is None else Exit.SAFETY
            checked = Checked("symbolic", code, len(labels), len(prefix), prefix + labels)
            checked.violated, checked.message = violated, message
            if violated is not None:
                checked.violations[violated] = Violated(violated, message, labels)
            return checked
        case NoneWithin(depth, complete):
            return Checked("symbolic", Exit.HOLDS, depth, len(prefix), complete=complete)
        case Unknown(depth, reason):
            return Checked("symbolic", Exit.INCONCLUSIVE, depth, len(prefix), reason=reason)


def line(progress: Progress, beat: Heartbeat, most: int | None = None) -> str:
    """What z3 is asked and how it does: ``check: depth 7 of 20, 3 s in z3, 1,204 conflicts, 96 MiB, 21 s so far``."""
    of = "" if most is None else f" of {most}"
    conflicts = beat.before + (0 if beat.asked is None else beat.asked.conflicts)
    parts = [
        f"{beat.query}{of}",
        f"{beat.seconds:.0f} s in z3",
        f"{conflicts:,} conflicts",
        f"{beat.memory / 2**20:,.0f} MiB",
        f"{progress.seconds:.0f} s so far",
    ]
    return ", ".join(parts)


def enumerate_symbolic(
    question: Question, cube: Enumeration, report: Report, into: Enumerated, timeout: float | None
) -> None:
    """By z3. Time running out and Ctrl-C leave what was found in ``into``; the latter is raised again."""
    start, prefix = question.start(cube.scenario)
    deadline = Deadline(timeout)
    try:
        crashes = crash_states(
            question.system,
            start,
            cube.depth,
            timeout=timeout,
            progress=lambda depth, count: report("crash states", count),
        )
        for crash, situations in crashes.found.items():
            into.crashes += [(crash, situation, prefix + labels) for situation, labels in situations.items()]
        stopped = crashes.stopped
        if stopped is None:
            search_ = interleavings(
                question.system,
                start,
                cube.depth,
                cube.window,
                timeout=deadline.left(),
                progress=lambda depth, count: report("interleavings", count),
            )
            for found in search_:
                into.interleavings.append(Interleaving(prefix + found.prefix, found.start, found.labels))
            stopped = search_.stopped
    except SymbolicError as error:
        raise Stop(Exit.ENGINES_DISAGREE, f"the symbolic engine failed: {error}") from error
    if stopped == INTERRUPTED:
        raise KeyboardInterrupt
    into.complete = stopped is None
    into.reason = stopped or ""
