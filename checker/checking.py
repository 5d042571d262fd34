"""``check``: is there a run within the bounds that violates a property? The shortest one is found first.

Three engines answer: ``explicit`` (breadth-first in native code) and ``reference`` (the same over the evaluator), which
end with the exact number of states when the queue runs empty, and ``symbolic`` (z3, depth after depth).
"""

from __future__ import annotations

import time
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace

from checker.explicit.available import MemoryWatch
from checker.explicit.search import Explored as ExploredNatively
from checker.explicit.simulation import Simulated
from checker.explicit.symmetry import NONE, Symmetry
from checker.grain import at_macro_grain, replayed, spans
from checker.progress import Progress
from checker.question import Question
from checker.searching import Search
from checker.symbolic.watch import Asked
from checker.verdict import Exit
from spec.explore import Explored, OutDegree, Violation, explore
from spec.grains import step_names
from spec.state import Label
from spec.system import Grain

DEFAULT_STEPS = 8
"""How deep the symbolic engine searches unless the command line or the model (``max_steps``) says."""

SEARCH = Search()


@dataclass(frozen=True, slots=True)
class Liveness:
    """What was asked about fair runs, and found. ``violated``, ``cut``: obligations that a fair run never fulfils,
    really or only because a bound cut something. ``states``, ``labels``: of the graph, which is without symmetry."""

    properties: tuple[str, ...]
    violated: tuple[str, ...]
    cut: tuple[str, ...]
    states: int
    labels: int
    seconds: float


@dataclass(slots=True)
class Checked:
    """``labels``: the violating run from the initial state, whose first ``prefix`` labels are the model's script.

    ``violations``: a shortest run of each property that is known to be violated, from where the search started;
    ``went_on``: to find them all. ``depth``: labels from there that were searched in full; -1: not even the start.
    ``reason``: why not more were. ``taken``: transitions by rule. ``symmetry``: what the states are counted up to.
    ``search_seconds``: without what was needed to prepare the search, by ``workers`` threads. ``on_disk``: memory did
    not suffice. ``collision_probability``: that a state was taken for another one, if only fingerprints were compared.
    At the macro grain ``depth`` counts its steps, and ``steps`` are those of the run after the prefix: each one's name
    and how many labels it stands for. ``never_taken``: rules, and ``unreached``: `sometimes` goals, of a search that is
    complete; of another one, or of random runs, ``never_taken`` and ``unseen`` so far. ``no_deadlock``: one was sought,
    and none found. ``loop``: of a run that violates liveness, the number of the state to which its end comes back for
    ever; its last state, if it stays there. ``asked``: what z3 was; ``unasked``: runs of fewer steps than that it was
    not asked about.
    """

    engine: str
    code: Exit
    depth: int
    prefix: int = 0
    labels: tuple[Label, ...] | None = None
    violations: dict[str, Violation] = field(default_factory=dict)
    went_on: bool = False
    violated: str | None = None
    message: str = ""
    reason: str = ""
    complete: bool = False
    generated: int | None = None
    distinct: int | None = None
    queue: int | None = None
    levels: list[int] = field(default_factory=list)
    cuts: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    out_degree: OutDegree | None = None
    never_taken: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    no_deadlock: bool = False
    symmetry: Symmetry = NONE
    workers: int | None = None
    search_seconds: float | None = None
    simulated: Simulated | None = None
    on_disk: bool = False
    collision_probability: float | None = None
    grain: Grain = Grain.MICRO
    steps: tuple[tuple[str, int], ...] = ()
    loop: int | None = None
    liveness: Liveness | None = None
    asked: tuple[Asked, ...] = ()
    unasked: int = 0
    seconds: float = 0.0

    @property
    def decided(self) -> bool:
        """Whether the engine looked at all that it was asked to: at the macro grain that is INCONCLUSIVE, too."""
        return self.code not in (Exit.INTERRUPTED, Exit.INCONCLUSIVE, Exit.IO_ERROR) or (
            self.grain is Grain.MACRO and self.code is Exit.INCONCLUSIVE and not self.reason
        )

    @property
    def length(self) -> int | None:
        """Of the violating run, in steps of the grain that was searched."""
        if self.labels is None:
            return None
        return len(self.labels) if self.grain is Grain.MICRO else self.prefix + len(self.steps)


GRAVEST = (
    Exit.EVALUATION_ERROR,
    Exit.SAFETY,
    Exit.DEADLOCK,
    Exit.LIVENESS,
    Exit.INTERRUPTED,
    Exit.IO_ERROR,
    Exit.INCONCLUSIVE,
    Exit.NOT_REACHED,
    Exit.HOLDS,
)


def taken_together(answers: Sequence[Checked]) -> Exit:
    """The code of several engines' answers to one question. Of the violations of the shortest length each may have
    found another; that one found none, or a longer one, is a disagreement. Liveness is asked of one engine only."""
    decided = [answer for answer in answers if answer.decided]
    if len({None if answer.code is Exit.LIVENESS else answer.length for answer in decided}) > 1:
        return Exit.ENGINES_DISAGREE
    return min((answer.code for answer in answers), key=GRAVEST.index)


def check(question: Question, engine: str, search: Search = SEARCH, *, liveness: bool = True) -> Checked:
    """Searches from the model's start, or the scenario's end. KeyboardInterrupt becomes an inconclusive answer. That
    nothing was found at the macro grain is no answer either: INCONCLUSIVE without a ``reason``. ``liveness``: what the
    model asks about infinite runs is asked, too."""
    started, micro = time.monotonic(), question
    if search.grain is Grain.MACRO:
        question = at_macro_grain(question)
    steps = question.system.bounds.steps if search.max_steps is None else search.max_steps
    if engine == "reference":
        checked = _reference(question, replace(search, max_steps=steps))
    elif engine == "explicit":
        from checker.explicit_search import check_by_simulation, check_explicit

        search = replace(search, max_steps=steps)
        checked = (check_explicit if search.simulate is None else check_by_simulation)(question, search)
    elif any(property_.name == question.only for property_ in question.system.eventually):
        reason = "an `eventually` is for the explicit and the reference engine"
        checked = Checked("symbolic", Exit.INCONCLUSIVE, -1, reason=reason)
    else:
        from checker.symbolic_search import check_symbolic

        steps = DEFAULT_STEPS if steps is None else steps
        checked = check_symbolic(question, steps, search)
    if search.grain is Grain.MACRO:
        _in_micro_labels(micro, question, checked)
    elif liveness and engine != "symbolic" and search.simulate is None:
        from checker.liveness import check_liveness

        left = None if search.timeout is None else search.timeout - (time.monotonic() - started)
        check_liveness(question, checked, search.scenario, left)
    checked.seconds = time.monotonic() - started
    return checked


def _in_micro_labels(micro: Question, coarse: Question, checked: Checked) -> None:
    """What was found at the macro grain, as an answer about the micro one."""
    checked.grain = Grain.MACRO
    if checked.labels is not None:
        prefix = checked.labels[: checked.prefix]
        for name, violation in checked.violations.items():
            run = replayed(micro, coarse, prefix + violation.labels, name)
            checked.violations[name] = replace(violation, labels=run[checked.prefix :])
        checked.steps = spans(coarse, checked.labels[checked.prefix :])
        checked.labels = replayed(micro, coarse, checked.labels, checked.violated)
    elif checked.code in (Exit.HOLDS, Exit.NOT_REACHED):
        checked.code = Exit.INCONCLUSIVE


class _OutOfTime(Exception):
    pass


def _reference(question: Question, search: Search) -> Checked:
    start, prefix = question.start(search.scenario)
    timeout = search.timeout
    explored, in_full = Explored(), -1
    began, memory = time.monotonic(), MemoryWatch()
    with Progress("check", unit="distinct states") as progress:

        def report(depth: int, distinct: int, queue: int) -> None:  # once the states of a level were looked at
            nonlocal in_full
            in_full = depth - 1
            memory.look()
            progress(distinct, f"depth {depth}, {queue:,} on the queue")
            if timeout is not None and time.monotonic() - began > timeout:
                raise _OutOfTime

        try:
            explore(
                question.evaluator,
                start=start,
                max_steps=search.max_steps,
                only=question.only,
                stop_at_violation=not search.go_on,
                progress=report,
                into=explored,
            )
        except (KeyboardInterrupt, MemoryError, _OutOfTime) as stop:
            code = Exit.INTERRUPTED if isinstance(stop, KeyboardInterrupt) else Exit.INCONCLUSIVE
            match stop:
                case KeyboardInterrupt():
                    reason = "interrupted"
                case MemoryError():
                    reason = f"out of memory: {stop}; --engine explicit needs less for a state"
                case _OutOfTime():
                    reason = f"time is up ({timeout:g} s)"
            checked = judged("reference", question, explored, prefix, search)
            if checked.labels is None:
                checked.code = code
            if checked.labels is None or search.go_on:
                checked.depth = in_full
            checked.reason = reason
            return checked
    return judged("reference", question, explored, prefix, search)


def judged(
    engine: str, question: Question, found: Explored | ExploredNatively, prefix: tuple[Label, ...], search: Search
) -> Checked:
    """What a search that looks at every state says of the question. Why it stopped, if it was, is not its business."""
    checked = Checked(
        engine=engine,
        code=Exit.HOLDS,
        depth=len(found.levels) - 1,
        prefix=len(prefix),
        complete=found.complete,
        generated=found.generated,
        distinct=found.distinct,
        queue=found.queue,
        levels=found.levels,
        cuts=dict(found.cuts),
        taken=dict(found.taken),
        out_degree=found.out_degree,
        violations=dict(found.violations),
        went_on=search.go_on,
    )
    violation = found.violation
    checked.no_deadlock = search.deadlock and found.deadlock is None and (violation is None or search.go_on)
    if violation is not None:
        checked.depth = checked.depth if search.go_on else len(violation.labels)
        checked.labels = prefix + violation.labels
        checked.violated = violation.property
        checked.message = violation.message
        checked.code = Exit.EVALUATION_ERROR if violation.property is None else Exit.SAFETY
    elif search.deadlock and found.deadlock is not None:
        checked.depth = len(found.deadlock)
        checked.labels = prefix + found.deadlock
        checked.message = "deadlock: nothing is enabled"
        checked.code = Exit.DEADLOCK
    elif found.complete:
        checked.never_taken, checked.unreached = not_seen(question, found.taken, found.reached)
        checked.code = Exit.NOT_REACHED if checked.unreached else Exit.HOLDS
    elif found.taken:
        checked.never_taken, checked.unseen = not_seen(question, found.taken, found.reached)
    return checked


def not_seen(
    question: Question, taken: Container[str], reached: Container[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The rules that were not taken, and the `sometimes` goals that were not reached."""
    rules = tuple(name for name in step_names(question.system) if name not in taken)
    goals = tuple(p.name for p in question.system.sometimes if p.name not in reached)
    return rules, goals if question.only is None else ()
