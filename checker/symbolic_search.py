"""The symbolic engine, asked and answered in this package's terms. Importing this module imports z3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from checker.checking import Checked
from checker.enumeration import Enumerated, Interleaving, Report
from checker.heartbeat import watch_with
from checker.progress import Progress
from checker.question import Question
from checker.reaching import Seek, Sought
from checker.searching import Search
from checker.symbolic.check import Violation, check
from checker.symbolic.depths import NoneWithin, Unknown
from checker.symbolic.enumerate import INTERRUPTED, crash_states, interleavings
from checker.symbolic.errors import NotEncodable, SymbolicError
from checker.symbolic.frontier import check_from_frontier
from checker.symbolic.images import Images
from checker.symbolic.reach import Reach
from checker.symbolic.watch import Watch
from checker.verdict import Exit, Stop
from spec.explore import Violation as Violated
from spec.goals import GoalSequence
from spec.state import Label, State
from spec.system import Enumeration


def check_symbolic(question: Question, max_steps: int, search: Search) -> Checked:
    """A shortest violation within ``max_steps`` labels of where the search starts; runs of fewer than its ``min_steps``
    are not asked for."""
    start, prefix = question.start(search.scenario)
    with Progress("check") as progress, reported_failures():
        watch = watch_with(progress, search.timeout, max_steps, search.smt_out)
        checked = _checked(question, search, max_steps, start, prefix, watch)
    checked.unasked = search.min_steps
    checked.asked = tuple(watch.asked)
    return checked


def _checked(
    question: Question, search: Search, max_steps: int, start: State, prefix: tuple[Label, ...], watch: Watch
) -> Checked:
    system, only, min_steps = question.system, question.only, search.min_steps
    try:
        if search.frontier:
            answer = check_from_frontier(system, search.frontier, max_steps, start, only, watch)
        else:
            answer = check(system, max_steps, start=start, only=only, watch=watch, min_steps=min_steps)
    except KeyboardInterrupt:
        return Checked("symbolic", Exit.INTERRUPTED, watch.refuted, len(prefix), reason="interrupted")
    match answer:
        case Violation(violated, message, labels, _):
            code = Exit.EVALUATION_ERROR if violated is None else Exit.SAFETY
            checked = Checked("symbolic", code, len(labels), len(prefix), prefix + labels)
            checked.violated, checked.message = violated, message
            if violated is not None:
                checked.violations[violated] = Violated(violated, message, labels)
            return checked
        case NoneWithin(depth, _) if min_steps:
            reason = f"of runs of {min_steps} to {depth} steps none does; z3 was not asked about shorter ones"
            return Checked("symbolic", Exit.INCONCLUSIVE, -1, len(prefix), reason=reason)
        case NoneWithin(depth, complete):
            return Checked("symbolic", Exit.HOLDS, depth, len(prefix), complete=complete)
        case Unknown(depth, reason):
            return Checked("symbolic", Exit.INCONCLUSIVE, depth, len(prefix), reason=reason)


@contextmanager
def reported_failures() -> Iterator[None]:
    """Turns what the engine cannot do, or did wrong, into a Stop."""
    try:
        yield
    except NotEncodable as reason:
        others = "--engine explicit or --engine reference"
        raise Stop(Exit.USAGE, f"the symbolic engine cannot encode this: {reason}; take {others}") from reason
    except SymbolicError as error:
        raise Stop(Exit.ENGINES_DISAGREE, f"the symbolic engine failed: {error}") from error


def reach_symbolic(
    question: Question,
    sequence: GoalSequence,
    start: State,
    how: Seek,
    into: Sought,
    note: Callable[[tuple[Label, ...]], bool],
) -> None:
    """The runs that meet the goals, the shortest first, until ``note`` says that it is over."""
    assert how.max_steps is not None
    with Progress("reach") as progress, reported_failures():
        watch = watch_with(progress, how.timeout, how.max_steps, how.smt_out)
        try:
            reach = Reach(question.system, sequence, how.max_steps, start, watch)
            for labels in reach:
                if note(labels):
                    break
            else:
                into.depth = reach.ended.depth
                match reach.ended:
                    case NoneWithin(_, complete):
                        into.complete = complete
                    case Unknown(_, reason):
                        into.code, into.reason = Exit.INCONCLUSIVE, reason
        except KeyboardInterrupt:
            into.code, into.reason, into.depth = Exit.INTERRUPTED, "interrupted", watch.refuted
        finally:
            into.asked = tuple(watch.asked)


def enumerate_symbolic(
    question: Question, cube: Enumeration, report: Report, into: Enumerated, watch: Watch
) -> None:
    """By z3. Time running out and Ctrl-C leave what was found in ``into``; the latter is raised again."""
    start, prefix = question.start(cube.scenario)
    images = Images(question.system, watch)
    with reported_failures():
        crashes = crash_states(
            question.system,
            start,
            cube.depth,
            images=images,
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
                images=images,
                progress=lambda depth, count: report("interleavings", count),
            )
            for found in search_:
                into.interleavings.append(Interleaving(prefix + found.prefix, found.start, found.labels))
            stopped = search_.stopped
    if stopped == INTERRUPTED:
        raise KeyboardInterrupt
    into.complete = stopped is None
    into.reason = stopped or ""
