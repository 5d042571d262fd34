"""``reach``: is there a run that meets the goals? The shortest one, or several that differ in their labels.

What an engine finds the evaluator replays label by label, and it says where each goal is met: nothing else is believed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from checker.checking import DEFAULT_STEPS
from checker.explicit.symmetry import NONE, Symmetry
from checker.goal_search import seek_goals
from checker.grain import at_macro_grain
from checker.progress import Progress
from checker.question import Question
from checker.searching import EXHAUSTIVE, Search
from checker.symbolic.watch import Asked
from checker.verdict import Exit, Stop
from spec.evaluate import Cut, EvaluationError, Evaluator, NotEnabled
from spec.goals import GoalSequence, Monitor
from spec.goals import Progress as Met
from spec.grains import micro_labels
from spec.script import describe
from spec.sorts import BOOL, Value
from spec.state import Label, State
from spec.system import Expr, Grain, Property, Unary, UnaryOperator

GOAL = "goal"
"""What the goal is called as an invariant that it violates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seek:
    """``scenario``: where to start, if not at the model's start. ``max_steps``: labels (macro steps) from there.
    ``distinct``: how many runs are wanted. ``smt_out``: a folder for the questions to z3."""

    scenario: str | None = None
    max_steps: int | None = None
    timeout: float | None = None
    distinct: int = 1
    grain: Grain = Grain.MICRO
    smt_out: Path | None = None

    def words(self) -> list[str]:
        """Those of the command line that make a difference to what is found."""
        words = ["--scenario", self.scenario] if self.scenario else []
        words += ["--grain", self.grain.value] if self.grain is not Grain.MICRO else []
        words += ["--max-steps", str(self.max_steps)] if self.max_steps is not None else []
        words += ["--distinct", str(self.distinct)] if self.distinct != 1 else []
        return words

    def refuse_what_an_engine_cannot(self, engine: str, sequence: GoalSequence) -> None:
        """Raises Stop for what would be dropped in silence."""
        if self.distinct > 1 and engine != "symbolic":
            raise Stop(Exit.USAGE, f"--distinct needs --engine symbolic; found: --engine {engine}")
        if self.smt_out is not None and engine not in ("symbolic", "both"):
            raise Stop(Exit.USAGE, f"--smt-out needs --engine symbolic or both; found: --engine {engine}")
        if self.grain is Grain.MACRO and engine != "symbolic" and sequence.condition is None:
            raise Stop(
                Exit.USAGE,
                f"a label, or several goals, at the macro grain need --engine symbolic; found: --engine {engine}",
            )


@dataclass(frozen=True, slots=True)
class Run:
    """``labels``: from the initial state, the script's first. ``met``: for each goal, after how many of them it is met.
    ``chosen``: the values of the names that the goals share."""

    labels: tuple[Label, ...]
    met: tuple[int, ...]
    chosen: tuple[tuple[str, Value], ...]


@dataclass(slots=True)
class Sought:
    """``depth``: labels (macro steps) from the start that were searched in full, -1: none; ``complete``: there are no
    longer runs. ``failed``: the labels, the script's first, after which there is an evaluation error (``message``).
    ``distinct``: states found, by an engine that looks at every one. ``steps``: labels (macro steps) from the start to
    the shortest run's end."""

    engine: str
    code: Exit
    depth: int
    prefix: int
    runs: list[Run] = field(default_factory=list)
    complete: bool = False
    reason: str = ""
    message: str = ""
    failed: tuple[Label, ...] | None = None
    distinct: int | None = None
    symmetry: Symmetry = NONE
    cuts: dict[str, int] = field(default_factory=dict)
    asked: tuple[Asked, ...] = ()
    steps: int | None = None
    seconds: float = 0.0

    @property
    def decided(self) -> bool:
        return bool(self.runs) or self.failed is not None or not self.reason


def taken_together(answers: Sequence[Sought]) -> Exit:
    """The code of several engines' answers: the shortest lengths are one, or the engines disagree."""
    decided = [answer for answer in answers if answer.decided]
    if len({answer.steps for answer in decided}) > 1:
        return Exit.ENGINES_DISAGREE
    order = (Exit.EVALUATION_ERROR, Exit.INTERRUPTED, Exit.INCONCLUSIVE, Exit.HOLDS, Exit.NOT_REACHED)
    return min((answer.code for answer in answers), key=order.index)


def seek(question: Question, sequence: GoalSequence, engine: str, how: Seek) -> Sought:
    """Asks one engine. KeyboardInterrupt becomes an inconclusive answer, with the runs that were found by then. That
    nothing was found at the macro grain is no answer either: INCONCLUSIVE without a ``reason``."""
    began = time.monotonic()
    asked = at_macro_grain(question) if how.grain is Grain.MACRO else question
    start, prefix = question.start(how.scenario)
    steps = question.system.bounds.steps if how.max_steps is None else how.max_steps
    if engine not in EXHAUSTIVE and steps is None:
        steps = DEFAULT_STEPS
    how = replace(how, max_steps=steps)
    found = Sought(engine, Exit.NOT_REACHED, -1, len(prefix))
    follow = _Follower(question, asked, Monitor(question.evaluator, sequence), start, prefix)
    if engine == "symbolic":
        from checker.symbolic_search import reach_symbolic

        reach_symbolic(asked, sequence, start, how, found, lambda labels: follow.into(found, labels, how.distinct))
    elif sequence.condition is not None and engine == "explicit":
        _as_invariant(asked, sequence.condition, how, found, follow)
    else:
        _over_transitions(asked, follow, how, found)
    if found.code is Exit.NOT_REACHED and how.grain is Grain.MACRO:
        found.code = Exit.INCONCLUSIVE
    found.seconds = time.monotonic() - began
    return found


@dataclass(frozen=True, slots=True)
class _Follower:
    """Replays what an engine found at its grain (``asked``), in labels of the micro grain."""

    question: Question
    asked: Question
    monitor: Monitor
    start: State
    prefix: tuple[Label, ...]

    def into(self, found: Sought, labels: tuple[Label, ...], wanted: int = 1) -> bool:
        """Notes the run; whether the search is over: there are as many as wanted, or an evaluation error. Raises
        Stop where the evaluator sees no goal met."""
        run = micro_labels(self.asked.system, labels) if self.asked.system.grain is Grain.MACRO else labels
        met: list[Met] = []
        taken, state = 0, self.start
        try:
            met.append(self.monitor.start(state))
            for label in run:
                if self.monitor.is_done(met[-1]):
                    break
                before, state = state, self.question.evaluator.successor(state, label)
                taken += 1
                met.append(self.monitor.after(met[-1], before, label, state))
        except EvaluationError as error:
            inside = taken == len(met) - 1  # of the label, not of a goal after it
            where = f" (in label {len(self.prefix) + taken + 1}, {describe(run[taken])})" if inside else ""
            found.failed, found.message = (*self.prefix, *run[:taken]), f"{error}{where}"
            found.code, found.steps = Exit.EVALUATION_ERROR, len(labels)
            return True
        except (NotEnabled, Cut) as refusal:
            what = f"label {taken + 1} of the run is refused: {type(refusal).__name__} {refusal}"
            raise Stop(Exit.ENGINES_DISAGREE, what) from refusal
        if not self.monitor.is_done(met[-1]):
            raise Stop(Exit.ENGINES_DISAGREE, "the evaluator says that the run found does not meet the goals")
        chosen = self.monitor.choices.index(self.monitor.choice(met[-1]))
        goals = range(1, len(self.monitor.sequence.goals) + 1)
        places = tuple(next(i for i, done in enumerate(met) if done[chosen] >= goal) for goal in goals)
        new = Run(
            (*self.prefix, *run[:taken]),
            tuple(len(self.prefix) + place for place in places),
            tuple(self.monitor.choice(met[-1]).items()),
        )
        if all(new.labels != known.labels for known in found.runs):  # macro runs may be one run
            found.runs.append(new)
            found.steps = len(labels) if found.steps is None else found.steps
        found.code = Exit.HOLDS
        return len(found.runs) >= wanted


def _as_invariant(question: Question, goal: Expr, how: Seek, found: Sought, follow: _Follower) -> None:
    """One condition of a state, asked of native code: that it is never true is an invariant, to be violated."""
    from checker.explicit_search import check_explicit

    never = Property(GOAL, Unary(UnaryOperator.NOT, goal, BOOL))
    system = replace(
        question.system, invariants=(never,), action_invariants=(), sometimes=(), eventually=(), checks=()
    )
    search = Search(scenario=how.scenario, max_steps=how.max_steps, timeout=how.timeout, grain=how.grain)
    checked = check_explicit(replace(question, system=system, evaluator=Evaluator(system), only=None), search)
    found.depth, found.complete, found.reason = checked.depth, checked.complete, checked.reason
    found.distinct, found.symmetry, found.cuts = checked.distinct, checked.symmetry, checked.cuts
    if checked.labels is not None:
        follow.into(found, checked.labels[checked.prefix :])
    elif checked.code in (Exit.INCONCLUSIVE, Exit.INTERRUPTED):
        found.code = checked.code


def _over_transitions(question: Question, follow: _Follower, how: Seek, found: Sought) -> None:
    """Any goals, over the evaluator's transitions or the compiled ones."""
    began = time.monotonic()

    def tick(depth: int, nodes: int) -> None:
        found.depth, found.distinct = depth, nodes
        progress(nodes, f"depth {depth}")
        if how.timeout is not None and time.monotonic() - began > how.timeout:
            raise TimeoutError

    with Progress("reach", unit="states with goals met") as progress:
        try:
            transitions = _transitions(question, found.engine)
            answer = seek_goals(follow.monitor, follow.start, how.max_steps, transitions, tick)
        except TimeoutError:
            found.code, found.reason = Exit.INCONCLUSIVE, "timeout"
        except KeyboardInterrupt:
            found.code, found.reason = Exit.INTERRUPTED, "interrupted"
        except EvaluationError as error:
            follow.into(found, error.labels)
        else:
            found.depth, found.distinct, found.complete = answer.depth, answer.nodes, answer.complete
            if answer.labels is not None:
                follow.into(found, answer.labels)


def _transitions(question: Question, engine: str) -> Callable[[State], Sequence[tuple[Label, State]]]:
    if engine == "reference":
        return question.evaluator.transitions
    from checker.explicit.counting import transitions_of
    from checker.explicit_search import reported_failures, require_native

    require_native()
    with reported_failures():
        return transitions_of(question.system).of

