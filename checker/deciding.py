"""Can a crash state come to an outcome? Decided with every label allowed, not by the spec's schedules alone.

What the schedules have shown needs no search. What is left, pairs of a crash state and an outcome, is given to an
engine with a bound: it finds a shortest run, or says that none of so many labels exists, or gives up; and then the pair
is undecided, never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from checker.progress import OutOfTime
from checker.symbolic.errors import GaveUp
from checker.symbolic.watch import Deadline, Watch
from spec.counting import OTHER
from spec.evaluate import EvaluationError, Evaluator
from spec.state import Label, State
from spec.system import Binary, Expr, LetIn, Literal, Operator, Property, System, Unary, UnaryOperator
from spec.values import cached_domain

Goal = tuple[int, int]
"""A tracked element and an outcome, by their positions."""

Tick = Callable[[int], float | None]
"""Called with the number of states decided; says how many seconds are left (None: as many as it takes), or raises
OutOfTime."""


@dataclass(slots=True)
class Decided:
    """What is known of one state after a crash. ``runs``: a shortest one to each goal that was found. ``depth``: there
    is no run of at most so many labels to any other (-1: nothing is known); ``complete``: nor a longer one."""

    runs: dict[Goal, tuple[Label, ...]] = field(default_factory=dict)
    depth: int = -1
    complete: bool = False

    def agrees_with(self, other: Decided) -> bool:
        """Whether the shortest runs are as long, of two engines that went to the same depth. One may know earlier than
        the other that there are no longer runs."""
        lengths, others = ({goal: len(run) for goal, run in one.runs.items()} for one in (self, other))
        return lengths == others


Wanted = dict[State, set[Goal]]
"""The states after a crash, each with the goals that are open."""


def goals_of(system: System) -> dict[Goal, Expr]:
    """Converged with this element's outcome, in the IR. Outcomes that no state can have are left out."""
    assert system.track is not None
    assert system.converged is not None
    boolean = system.converged.sort
    found: dict[Goal, Expr] = {}
    for element, value in enumerate(cached_domain(system.track.sort)):
        earlier: Expr = system.converged
        for number, outcome in enumerate(system.outcomes):
            bound = LetIn(system.track.name, Literal(value, system.track.sort), outcome.expr, boolean)
            found[element, number] = Binary(Operator.AND, earlier, bound, boolean)
            earlier = Binary(Operator.AND, earlier, Unary(UnaryOperator.NOT, bound, boolean), boolean)
        if not system.outcomes or system.outcomes[-1].expr != Literal(True, boolean):
            found[element, OTHER] = earlier
    return found


def decide(
    evaluator: Evaluator,
    engine: str,
    wanted: Wanted,
    bound: int,
    tick: Tick,
    workers: int = 1,
    watch: Watch | None = None,
) -> Iterator[tuple[State, Decided]]:
    """What the engine says of each state, in their order. Raises OutOfTime, KeyboardInterrupt, EvaluationError; what
    was yielded by then is known, and of the state that was being looked at nothing is claimed. ``watch``: hears of each
    question to z3, and knows when its time is up."""
    match engine:
        case "symbolic":
            yield from _by_z3(evaluator, wanted, bound, tick, watch)
        case "explicit":
            yield from _by_search(_explicit, evaluator, wanted, bound, tick, workers)
        case _:
            yield from _by_search(_reference, evaluator, wanted, bound, tick, workers)


# ------------------------------------------------------------------------------------------- breadth-first search


@dataclass(frozen=True, slots=True)
class _Searched:
    reached: dict[str, tuple[Label, ...]]
    depth: int
    complete: bool


Search = Callable[[State, int, float | None, int], _Searched]
"""Of a state: at most so many labels deep, for so many seconds, by so many workers."""


def _by_search(
    search: Callable[[System], Search],
    evaluator: Evaluator,
    wanted: Wanted,
    bound: int,
    tick: Tick,
    workers: int,
) -> Iterator[tuple[State, Decided]]:
    system = evaluator.system
    goals = goals_of(system)
    named = {str(number): goal for number, goal in enumerate(goals)}
    properties = tuple(Property(name, goals[goal]) for name, goal in named.items())
    asked = replace(system, invariants=(), action_invariants=(), sometimes=properties)
    searched = search(asked)
    for done, (state, open_goals) in enumerate(wanted.items()):
        found = searched(state, bound, tick(done), workers)
        runs = {named[name]: labels for name, labels in found.reached.items() if named[name] in open_goals}
        yield state, Decided(runs, found.depth, found.complete)


def _explicit(system: System) -> Search:
    from checker.explicit.search import Builds, Stopped, explore

    builds: Builds = {}

    def search(start: State, bound: int, timeout: float | None, workers: int) -> _Searched:
        found = explore(
            system, start=start, max_steps=bound, timeout=timeout, workers=workers, symmetry=True, builds=builds
        )
        if found.violation is not None:
            raise _error(found.violation.message, found.violation.labels)
        match found.stopped:
            case Stopped.INTERRUPTED:
                raise KeyboardInterrupt
            case Stopped.TIME:
                raise OutOfTime
            case Stopped.MEMORY | Stopped.NUMBERS | Stopped.DISK:  # what did not fit, and what is deeper, is open
                return _Searched(found.reached, len(found.levels) - 1, complete=False)
            case None:
                return _Searched(found.reached, bound, found.complete)

    return search


def _reference(system: System) -> Search:
    from spec.explore import explore

    evaluator = Evaluator(system)

    def search(start: State, bound: int, timeout: float | None, workers: int) -> _Searched:
        found = explore(evaluator, start=start, max_steps=bound)
        if found.violation is not None:
            raise _error(found.violation.message, found.violation.labels)
        return _Searched(found.reached, bound, found.complete)

    return search


def _error(message: str, labels: Iterable[Label]) -> EvaluationError:
    error = EvaluationError(message, None)
    error.labels = tuple(labels)
    return error


# ------------------------------------------------------------------------------------------------------------- z3

TOGETHER = 32
"""States that one run of z3 starts from: more share a refusal, but their steps have less in common."""


def _by_z3(
    evaluator: Evaluator, wanted: Wanted, bound: int, tick: Tick, watch: Watch | None
) -> Iterator[tuple[State, Decided]]:
    from checker.symbolic.completions import completions

    goals = goals_of(evaluator.system)
    names, expressions = tuple(goals), tuple(goals.values())
    states = list(wanted)
    for at in range(0, len(states), TOGETHER):
        left = tick(at)
        part = states[at : at + TOGETHER]
        answers = [Decided() for _ in part]
        asked = [{names.index(goal) for goal in wanted[state]} for state in part]

        def found(start: int, goal: int, labels: tuple[Label, ...], answers: Sequence[Decided] = answers) -> None:
            answers[start].runs[names[goal]] = labels

        def deeper(depth: int, answers: Sequence[Decided] = answers) -> None:
            for answer in answers:
                answer.depth = depth

        reason: GaveUp | None = None
        try:
            hears = watch or Watch(Deadline(left))
            complete = completions(evaluator, part, expressions, asked, bound, hears, found, deeper)
            for answer in answers:
                answer.complete = complete
        except GaveUp as error:
            reason = error
        yield from zip(part, answers, strict=True)
        if reason is not None:
            raise OutOfTime
