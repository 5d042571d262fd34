"""What each back end makes of a state, against the evaluator: successors, cuts, errors, properties.

A back end is one entry of ``BACK_ENDS``: a function that makes of a system an object that answers in the terms of
spec.state. The first difference is raised, with what is needed to see it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from checker.explicit.compile import compiled
from checker.explicit.errors import DoesNotFit
from checker.explicit.layout import Capacity, Layout
from checker.explicit.source_steps import SourceSteps
from checker.explicit.stepping import Fired as StepsFired
from checker.explicit.steps import Steps, Words
from spec.evaluate import EvaluationError, Evaluator
from spec.state import Label, State
from spec.system import System
from spec.values import Cut, NotEnabled

ROOM = Capacity(slots=16, copies=12, pending=8, sends=24)
"""For what the made-up states hold, and mostly for what a transition adds."""

MOST_ROOM = 4
"""How often a state may ask for more."""

MOST_KNOWN = 20_000
"""States that are remembered with their words."""


@dataclass(frozen=True, slots=True)
class Fired:
    """``steps``: of every label that is enabled and not cut; of those before ``failed``, if the evaluation of that one
    failed. ``cuts``: how often which rule and bound cut."""

    steps: dict[Label, State]
    cuts: dict[str, int]
    failed: Label | None


class BackEnd(Protocol):
    """One way to compute on states. What is asked after ``fire`` is about that state and its steps. Where the
    evaluation of a property fails, None stands for their verdicts."""

    def fire(self, state: State) -> Fired: ...
    def broken(self) -> list[str] | None: ...
    def reached(self) -> list[str] | None: ...
    def broken_by_step(self, label: Label) -> list[str] | None: ...


class Decoder:
    """The states that words stand for, remembered: builds of one system come to the same ones."""

    def __init__(self) -> None:
        self._known: dict[tuple[Capacity, Words], State] = {}

    def decode(self, layout: Layout, words: Words) -> State:
        key = (layout.capacity, words)
        if key not in self._known:
            if len(self._known) > MOST_KNOWN:
                self._known.clear()
            self._known[key] = state = layout.decode(words)
            assert len(self._known) % 3 or layout.encode(state) == words, "equal states have equal words"
        return self._known[key]


class Native:
    """The compiled code."""

    def __init__(self, system: System, decoder: Decoder | None = None, *, checked: bool = False) -> None:
        self.checked, self.decoder = checked, decoder or Decoder()
        self._before: Words = ()
        self._steps: dict[Label, tuple[int, Words]] = {}
        self._compile(system, ROOM)

    def _compile(self, system: System, room: Capacity) -> None:
        self.steps = Steps(compiled(system, room, checked=self.checked))
        self.layout = self.steps.layout

    def _fired(self, state: State) -> tuple[Words, StepsFired]:
        """What is too large for the layout gets more room, as in a search."""
        for _ in range(MOST_ROOM):
            try:
                words = self.layout.encode(state)
                return words, self.steps.fire(words)
            except DoesNotFit as full:
                self._compile(self.layout.system, self.layout.capacity.grown(full.what))
        raise AssertionError(f"no room suffices for the successors of {state}")

    def fire(self, state: State) -> Fired:
        words, found = self._fired(state)
        assert self.decoder.decode(self.layout, words) == state
        self._before, self._steps, steps = words, {}, {}
        for word, after in found.steps:
            label = self.steps.label(words, word)
            assert label not in steps, f"{label} is fired twice"
            self._steps[label], steps[label] = (word, after), self.decoder.decode(self.layout, after)
        failed = None if found.failed is None else self.steps.label(words, found.failed)
        return Fired(steps, found.cuts, failed)

    def broken(self) -> list[str] | None:
        return self.steps.broken(self._before)

    def reached(self) -> list[str] | None:
        return self.steps.reached(self._before)

    def broken_by_step(self, label: Label) -> list[str] | None:
        return self.steps.broken_by_step(self._before, *self._steps[label])


class Python:
    """The emitted Python source."""

    def __init__(self, system: System) -> None:
        self.steps = SourceSteps(system)

    def fire(self, state: State) -> Fired:
        found = self.steps.fire(state)
        self._before, self._steps = state, dict(found.steps)
        assert len(self._steps) == len(found.steps), "a label is fired twice"
        return Fired(self._steps, found.cuts, found.failed)

    def broken(self) -> list[str] | None:
        return self.steps.broken(self._before)

    def reached(self) -> list[str] | None:
        return self.steps.reached(self._before)

    def broken_by_step(self, label: Label) -> list[str] | None:
        return self.steps.broken_by_step(self._before, label, self._steps[label])


BACK_ENDS: dict[str, Callable[[System, Decoder], BackEnd]] = {
    "native": Native,
    "python": lambda system, decoder: Python(system),
    "native, checked": lambda system, decoder: Native(system, decoder, checked=True),
}


def back_ends(system: System) -> dict[str, BackEnd]:
    """Raises NotEncodable."""
    decoder = Decoder()
    return {name: make(system, decoder) for name, make in BACK_ENDS.items()}


def back_end(name: str, system: System) -> BackEnd:
    return BACK_ENDS[name](system, Decoder())


class Disagreement(AssertionError):
    """A back end computes something else than the evaluator. ``what``: successors, cuts, errors, …"""

    def __init__(self, back_end: str, what: str, details: str) -> None:
        super().__init__(f"{back_end}: {what}\n{details}")
        self.back_end, self.what = back_end, what


@dataclass(frozen=True, slots=True)
class Expected:
    """The evaluator's answers. ``outcomes``: each candidate label's successor, `cut: …`, `not enabled` or `error`."""

    state: State
    outcomes: dict[Label, State | str]
    broken: list[str] | None
    reached: list[str] | None
    broken_by_step: dict[Label, list[str] | None]


def expected(evaluator: Evaluator, state: State) -> Expected:
    outcomes = {label: _outcome(evaluator, state, label) for label in evaluator.candidates(state)}
    goals = [(p.name, evaluator.compile(p.expr)) for p in evaluator.system.sometimes]
    steps = {
        label: _verdicts(lambda label=label, after=after: evaluator.violated_by_step(state, label, after))
        for label, after in outcomes.items()
        if isinstance(after, State)
    }
    return Expected(
        state,
        outcomes,
        _verdicts(lambda: evaluator.violated(state)),
        _verdicts(lambda: [name for name, goal in goals if evaluator.holds(goal, state)]),
        steps,
    )


def _outcome(evaluator: Evaluator, state: State, label: Label) -> State | str:
    try:
        return evaluator.successor(state, label)
    except NotEnabled:
        return "not enabled"
    except Cut as cut:
        return f"cut: {cut.bound}"
    except EvaluationError:
        return "error"


def _verdicts(compute: Callable[[], list[str]]) -> list[str] | None:
    try:
        return compute()
    except EvaluationError:
        return None


def compare(name: str, back_end: BackEnd, wanted: Expected) -> None:
    """Raises Disagreement where the back end does not say of a state what the evaluator does."""
    fired = back_end.fire(wanted.state)
    _compare_labels(name, fired, wanted)
    _equal(name, "invariants", back_end.broken(), wanted.broken, wanted)
    _equal(name, "goals", back_end.reached(), wanted.reached, wanted)
    for label in fired.steps:
        _equal(name, "action invariants", back_end.broken_by_step(label), wanted.broken_by_step[label], wanted, label)


def _equal(name: str, what: str, found: object, should: object, wanted: Expected, label: Label | None = None) -> None:
    if found != should:
        where = "" if label is None else f"{label} of "
        raise Disagreement(name, what, f"{found}\ninstead of\n{should}\nin {where}{wanted.state}")


def _compare_labels(name: str, fired: Fired, wanted: Expected) -> None:
    """Labels are fired rule by rule; which message of a handler's comes first is the back end's own. So of the rule
    whose evaluation fails, only what was fired is compared."""
    outcomes = wanted.outcomes
    rules = list(dict.fromkeys(label.rule for label in outcomes))
    failing = {label.rule for label, outcome in outcomes.items() if outcome == "error"}
    first = next((rule for rule in rules if rule in failing), None)
    _equal(name, "errors", None if fired.failed is None else fired.failed.rule, first, wanted)
    if fired.failed is not None:
        _equal(name, "errors", "error", outcomes[fired.failed], wanted, fired.failed)
    for label, after in fired.steps.items():
        _equal(name, "successors", after, outcomes.get(label), wanted, label)
    done = set(rules if first is None else rules[: rules.index(first)])
    should = {label for label, outcome in outcomes.items() if isinstance(outcome, State) and label.rule in done}
    _equal(name, "successors", should - fired.steps.keys(), set(), wanted)
    cuts = Counter(
        f"{label.rule}{outcome.removeprefix('cut')}"
        for label, outcome in outcomes.items()
        if isinstance(outcome, str) and outcome.startswith("cut") and label.rule in done
    )
    found = {key: count for key, count in fired.cuts.items() if key.split(":")[0] in done}
    _equal(name, "cuts", found, dict(cuts), wanted)
