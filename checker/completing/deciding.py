"""Which engine is asked about a log, and what is believed of its answer.

``reference`` steps every state that fits (``frontier``); ``symbolic`` asks z3; without a choice the first is asked,
and z3 takes over from where more than ``WIDEST`` states fit, unless a gap of any number of labels comes then. A run
that fits is replayed through the evaluator and compared with the log, label by label; that none fits is an empty
frontier, or z3's proof.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from itertools import count

from checker.completing.frontier import Frontier, TooWide
from checker.completing.matching import Matcher
from checker.completing.refusal import Explained, Explainer
from checker.heartbeat import line
from checker.progress import OutOfTime, Progress
from checker.question import Question
from checker.symbolic.watch import Deadline, Watch
from checker.tracing import Tracer
from checker.verdict import Exit, Stop
from spec.resolve import SYSTEM_ACTIONS
from spec.state import Label, State
from spec.system import NetworkKind
from spec.type_report import close_to
from traces.errors import shown
from traces.itf import ACTION
from traces.partial import Missing, PartialTrace
from traces.values import Map

WIDEST = 4_000
"""States that fit at once, beyond which z3 is asked."""

MOST = 200_000
"""States that fit at once, beyond which the reference engine gives up: they are kept in memory."""

STARTS = 64
"""Of how many states z3 may start from; the frontier was as narrow somewhere, if only at its first state."""


class Engine(Enum):
    AUTO = "auto"
    REFERENCE = "reference"
    SYMBOLIC = "symbolic"


@dataclass(frozen=True, slots=True)
class Prefix:
    """A run that fits the log's first states. ``positions``: after how many of its labels each of them is come to."""

    labels: tuple[Label, ...] = ()
    positions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """All ways of at most so many ``labels`` were taken; ``states``: found in all."""

    labels: int
    states: int


@dataclass(frozen=True, slots=True)
class Completed:
    """``run`` fits the whole log. ``fitting``: how many states fit at its end, ``widest``: anywhere; ``None``: not
    counted, z3 found one, or it lies behind a gap. ``by``: who answered."""

    run: Prefix
    by: str
    fitting: int | None
    widest: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """No run fits the log's states 0 to ``step``; ``run`` fits those before. ``fitting``: how many states fit there."""

    step: int
    run: Prefix
    explained: Explained
    by: str
    fitting: int | None
    widest: int | None


@dataclass(frozen=True, slots=True)
class Undecided:
    """The first ``step`` states of the log fit, beyond them nothing is known: ``reason``. ``run`` may end before.
    ``gap``: how far the gap was searched that comes next."""

    step: int
    run: Prefix
    reason: str
    code: Exit = Exit.INCONCLUSIVE
    gap: Gap | None = None


Answer = Completed | Refused | Undecided


def decide(
    question: Question,
    log: PartialTrace,
    engine: Engine,
    timeout: float | None,
    widest: int | None = None,
    watch: Watch | None = None,
) -> Answer:
    """``widest``: how many states are stepped at once. ``watch``: of the questions to z3; what it knows of time is
    replaced. Raises Stop where the log is none of this spec, or the engine fails."""
    refuse_unknown_names(question, log)
    if widest is None:
        widest = MOST if engine is Engine.REFERENCE else WIDEST
    return _Decision(question, log, timeout, widest, watch or Watch()).by(engine)


class _Decision:
    def __init__(
        self, question: Question, log: PartialTrace, timeout: float | None, widest: int, watch: Watch
    ) -> None:
        self.watch = watch
        self.question, self.log, self.timeout, self.widest_allowed = question, log, timeout, widest
        self.evaluator = question.evaluator
        self.tracer = Tracer(self.evaluator)
        self.matcher = Matcher(question.system.network.kind is NetworkKind.FIFO)
        self.frontier: Frontier | None = None
        self.widest = 0

    def by(self, engine: Engine) -> Answer:
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        with Progress("complete: states of the log", len(self.log.states), deadline=deadline) as progress:
            try:
                if engine is Engine.SYMBOLIC:
                    return self._symbolic(progress)
                return self._reference(progress, alone=engine is Engine.REFERENCE)
            except OutOfTime:
                return self._so_far("time ran out")
            except KeyboardInterrupt:
                return replace(self._so_far("interrupted"), code=Exit.INTERRUPTED)

    def _reference(self, progress: Progress, *, alone: bool) -> Answer:
        """``alone``: without z3 where too many states fit."""
        if any(state.gap is None for state in self.log.states[:-1]) and (short := self._by_short_gaps(progress)):
            return short
        frontier = self.frontier = Frontier(self.evaluator, self.log, progress)
        while len(frontier.layers) < len(self.log.states):
            progress(len(frontier.layers))
            gap = not alone and any(state.gap is None for state in self.log.states[self._narrow() :])
            frontier.widest = max(self.widest_allowed, MOST) if gap else self.widest_allowed
            try:
                fits = frontier.advance()
            except TooWide:
                many = f"more than {frontier.widest:,} states fit at once"
                if gap:
                    return self._so_far(f"{many}, and z3 needs a bound: say how many labels are missing at most")
                if alone:
                    return self._so_far(f"{many}; --engine auto asks z3 then")
                return self._symbolic(progress)
            if not fits:
                return self._refused(len(frontier.layers), self._run(), tuple(frontier.before_label), "reference")
            self.widest = max(self.widest, len(frontier.layers[-1]))
        run = self._confirmed(self._run(), len(self.log.states))
        counts = (len(frontier.layers[-1]), self.widest) if frontier.counted else (None, None)
        return Completed(run, "reference", *counts)

    def _by_short_gaps(self, progress: Progress) -> Completed | None:
        """Short ways first, as long as few states fit: to search a gap of any length in full may take for ever, and
        before it is, nothing is known of the states after it. That nothing is found says nothing."""
        for longest in count(1):
            frontier = self.frontier = Frontier(self.evaluator, self.log, progress, WIDEST, longest)
            try:
                while len(frontier.layers) < len(self.log.states) and frontier.advance():
                    pass
            except TooWide:
                return None
            if len(frontier.layers) == len(self.log.states):
                return Completed(self._confirmed(self._run(), len(self.log.states)), "reference", None, None)
            if not frontier.cut:
                return None
        raise AssertionError("some gap was long enough")

    def _narrow(self) -> int:
        """How many of the frontier's layers there are up to its last narrow one, from which z3 may start."""
        layers = self.frontier.layers if self.frontier is not None else []
        return max((i + 1 for i, layer in enumerate(layers) if len(layer) <= STARTS), default=0)

    def _symbolic(self, progress: Progress) -> Answer:
        """From the last narrow place of the frontier, or from the start."""
        from checker.symbolic.complete import Fitting, NoneFits, complete
        from checker.symbolic.errors import GaveUp, SymbolicError

        layers = self.frontier.layers if self.frontier is not None else []
        done = self._narrow()
        starts = list(layers[done - 1]) if done else list(self.evaluator.initial_states())
        deadline, last = Deadline(), len(self.log.states) - 1
        deadline.end = progress.deadline
        watch = self.watch
        watch.deadline, watch.listener = deadline, lambda beat: progress.show(lambda: line(progress, beat, last))
        try:
            answer = complete(self.question.system, starts, self.log.states[done:], done, watch, progress)
        except GaveUp as error:
            return self._so_far("time ran out" if str(error) == "timeout" else f"z3 gave up: {error}")
        except SymbolicError as error:
            raise Stop(Exit.ENGINES_DISAGREE, f"the symbolic engine failed: {error}") from error
        by = "symbolic" if done == 0 else f"reference to state {done - 1}, symbolic from there"

        def whole(fitting: Fitting | None) -> Prefix:
            """With the frontier's way to where z3 started."""
            before = Prefix() if not done else self._run(done, None if fitting is None else starts[fitting.start])
            if fitting is None:
                return before
            offset = len(before.labels)
            positions = (*before.positions, *(offset + position for position in fitting.positions))
            return Prefix((*before.labels, *fitting.labels), positions)

        match answer:
            case Fitting():
                return Completed(self._confirmed(whole(answer), len(self.log.states)), by, None, None)
            case NoneFits(at, before, states):
                step = done + at
                return self._refused(step, self._confirmed(whole(before), step), states, by)

    # ------------------------------------------------------------------------------------------ answers

    def _run(self, states: int | None = None, last: State | None = None) -> Prefix:
        """A way through the frontier's first layers."""
        assert self.frontier is not None
        layers = self.frontier.layers[:states]
        if not layers:
            return Prefix()
        positions, labels = self.frontier.way_to(next(iter(layers[-1])) if last is None else last, len(layers))
        return Prefix(labels, tuple(positions))

    def _refused(self, step: int, run: Prefix, states: tuple[State, ...], by: str) -> Refused:
        explainer = Explainer(self.question.system)
        known = self.log.states[step]
        if step == 0:
            explained = explainer.of_start(known, states or self.evaluator.initial_states())
        else:
            explained = explainer.of_step(known, states)
        return Refused(step, run, explained, by, len(states) if by == "reference" else None, self.widest or None)

    def _so_far(self, reason: str) -> Undecided:
        run = self._run() if self.frontier is not None else Prefix()
        step = max(len(run.positions), self.watch.satisfied + 1)
        frontier, gap = self.frontier, None
        if frontier is not None and frontier.gap_searched is not None and len(frontier.layers) == step:
            gap = Gap(frontier.gap_searched, len(frontier.before_label))
        return Undecided(step, run, reason, gap=gap)

    def _confirmed(self, run: Prefix, states: int) -> Prefix:
        """The run, replayed and compared with the log's first states. Raises Stop: an engine that is wrong is no
        answer."""
        assert len(run.positions) == states, "a position for each of the log's states"
        reached = [self.evaluator.initial_states()[0]]
        for label in run.labels:
            reached.append(self.evaluator.successor(reached[-1], label))
        for number, position in enumerate(run.positions):
            known = self.log.states[number]
            label_fits = number == 0 or self.matcher.label_fits(known, self.tracer.label(run.labels[position - 1]))
            if not label_fits or not self.matcher.state_fits(known, self.tracer.variables(reached[position])):
                message = f"the run that was found does not fit the log's state {number}; please report it"
                raise Stop(Exit.ENGINES_DISAGREE, message)
        return run


def agreed(answers: list[Answer]) -> bool:
    """Whether both engines say the same: that the log fits, or which of its states does not; one that could not tell
    contradicts nobody."""
    decided = [answer for answer in answers if not isinstance(answer, Undecided)]
    return len({answer.step if isinstance(answer, Refused) else None for answer in decided}) <= 1


def refuse_unknown_names(question: Question, log: PartialTrace) -> None:
    """Raises Stop where the log speaks of a rule, a variable, a process or a name that the spec lacks."""
    rules = (*dict.fromkeys(rule.name for rule in question.system.rules), *SYSTEM_ACTIONS)
    initial = Tracer(question.evaluator).variables(question.evaluator.initial_states()[0])
    for number, state in enumerate(log.states):
        if state.rule is not None and state.rule not in rules:
            near = close_to(state.rule, rules)
            found = f"{shown(state.rule)}, a rule that the spec lacks{f'; {near}' if near else ''}"
            raise _not_of(question, f"state {number}, {ACTION}", found, rules)
        for name, value in state.variables.items():
            if isinstance(value, Missing):
                continue
            whole = initial.get(name)
            place = f"state {number}, {name}"
            if name not in initial:
                raise _not_of(question, place, "a variable that the spec lacks", initial)
            if isinstance(whole, Map):
                if not isinstance(value, Map):
                    raise _not_of(question, place, shown(value), whole)
                for key in value.keys() - whole.keys():
                    raise _not_of(question, f"{place}.{key}", "a name that the spec lacks", whole)


def _not_of(question: Question, place: str, found: str, allowed: Iterable[str | int]) -> Stop:
    of = f"{question.path.name}, model {question.system.model}"
    names = ", ".join(map(str, allowed))
    message = f"{place}: found {found}\n  allowed: {names}\n  to do: is this a log of {of}? name its spec and model"
    return Stop(Exit.UNREADABLE_TRACE, message)
