"""The macro grain of a random system: its transitions by every back end, against the evaluator's.

The native code does not keep which labels a macro is made of, only which macro it was: its steps are compared as a
number of (macro, successor, broken action invariants).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from checker.explicit.compile import compiled
from checker.explicit.errors import DoesNotFit
from checker.explicit.source_steps import SourceSteps
from checker.explicit.stepping import Stepping
from checker.explicit.steps import Steps
from spec.evaluate import EvaluationError, Evaluator
from spec.grains import alone
from spec.state import Label, State
from spec.system import System
from spec.values import Cut, NotEnabled
from tests.generated.agreement import MOST_ROOM, ROOM, Disagreement

LOOKED_AT = 5
"""Of so many steps the action invariants of one are compared: a macro is taken again, label by label, for them."""

Broken: TypeAlias = tuple[str, ...] | None
"""The action invariants that a step breaks; None: the evaluation of one fails."""


@dataclass(frozen=True, slots=True)
class Expected:
    """``steps``: by the name of a macro or of what is alone, up to ``failed``, whose evaluation fails: of that there
    are none. ``cuts``: if nothing fails. ``broken``: of some of the steps."""

    state: State
    steps: dict[str, dict[Label, State]]
    failed: str | None
    cuts: dict[str, int] | None
    broken: dict[Label, Broken]


def expected(evaluator: Evaluator, state: State) -> Expected:
    assert evaluator.macros is not None
    steps: dict[str, dict[Label, State]] = {}
    evaluator.tally.cuts, failed = {}, None
    for name in (*evaluator.macros.named, *alone(evaluator.system)):
        try:
            steps[name] = _steps(evaluator, state, name)
        except EvaluationError:
            failed = name
            break
    broken = {
        label: _broken(evaluator, state, label, after)
        for found in steps.values()
        for i, (label, after) in enumerate(found.items())
        if i % LOOKED_AT == 0
    }
    return Expected(state, steps, failed, None if failed else dict(evaluator.tally.cuts), broken)


def _steps(evaluator: Evaluator, state: State, name: str) -> dict[Label, State]:
    assert evaluator.macros is not None
    macro = evaluator.macros.named.get(name)
    if macro is not None:
        return dict(evaluator.macros.transitions_of(macro, state))
    found = {}
    for label in evaluator.candidates_of(state, name):
        try:
            found[label] = evaluator.successor(state, label)
        except NotEnabled:
            continue
        except Cut as cut:
            evaluator.tally.count(label.rule, cut.bound)
    return found


def _broken(evaluator: Evaluator, state: State, label: Label, after: State) -> Broken:
    try:
        return tuple(evaluator.violated_by_step(state, label, after))
    except EvaluationError:
        return None


class MacroBackEnd:
    """One way to compute macro steps. ``keeps_labels``: whether a mark says which labels a macro is made of."""

    def __init__(self, make: Callable[[Any], Stepping], *, keeps_labels: bool = False) -> None:
        self.make, self.keeps_labels, self.room = make, keeps_labels, ROOM
        self.steps = make(ROOM)

    def compare(self, name: str, wanted: Expected) -> None:
        """Raises Disagreement."""
        for _ in range(MOST_ROOM):
            try:
                return self._compare(name, wanted)
            except DoesNotFit as full:
                self.room = self.room.grown(full.what)
                self.steps = self.make(self.room)
        raise AssertionError(f"no room suffices for the macros of {wanted.state}")

    def _compare(self, name: str, wanted: Expected) -> None:
        steps, layout = self.steps, self.steps.layout
        before = layout.encode(wanted.state)
        fired = steps.fire(before)
        failed = None if fired.failed is None else steps.rule(fired.failed)
        _equal(name, "errors", failed, wanted.failed, wanted)
        if wanted.cuts is not None:
            _equal(name, "cuts", fired.cuts, wanted.cuts, wanted)
        found: Counter[object] = Counter()
        broken: dict[object, set[Broken]] = {}
        for mark, after in fired.steps:
            if steps.rule(mark) in wanted.steps:
                key = (mark if self.keeps_labels else steps.rule(mark), layout.decode(after))
                found[key] += 1
                names = steps.broken_by_step(before, mark, after)
                broken.setdefault(key, set()).add(None if names is None else tuple(names))
        should: Counter[object] = Counter()
        for of in wanted.steps.values():
            for label, state in of.items():
                key = (label if self.keeps_labels else label.rule, state)
                should[key] += 1
                if label in wanted.broken and wanted.broken[label] not in broken.get(key, ()):
                    what = f"{wanted.broken[label]} not among {broken.get(key)}, of {label}"
                    raise Disagreement(name, "action invariants", f"{what}\nin {wanted.state}")
        _equal(name, "successors", found - should, Counter(), wanted)
        _equal(name, "successors", should - found, Counter(), wanted)


def _equal(name: str, what: str, found: object, should: object, wanted: Expected) -> None:
    if found != should:
        raise Disagreement(name, f"macros: {what}", f"{found}\ninstead of\n{should}\nin {wanted.state}")


MACRO_BACK_ENDS: dict[str, Callable[[System], MacroBackEnd]] = {
    "native": lambda system: MacroBackEnd(lambda room: Steps(compiled(system, room))),
    "python": lambda system: MacroBackEnd(lambda room: SourceSteps(system), keeps_labels=True),
    "native, checked": lambda system: MacroBackEnd(lambda room: Steps(compiled(system, room, checked=True))),
}
