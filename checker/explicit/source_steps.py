"""One state at a time, by emitted Python source: the counterpart of ``steps`` for states as the evaluator has them.

For a test that compares readings of a system::

    steps = SourceSteps(system)
    fired = steps.fire(state)           # (label, state) of every step; cuts by "rule: bound"; the label that failed
    steps.transitions(state)            # the steps as a list; raises EvaluationError, with its place and its label
    steps.broken(state)                 # invariants; steps.reached: goals; steps.broken_by_step: action invariants
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from checker.explicit.canonical import CanonicalStates
from checker.explicit.every_order import in_every_order
from checker.explicit.source import Source, Step, source_of
from checker.explicit.stepping import Fired
from checker.explicit.symmetry import NONE, Symmetry
from spec.evaluate import EvaluationError
from spec.state import Label, State
from spec.system import System


class Unencoded:
    """States are kept as they are."""

    def encode(self, state: State) -> State:
        return state

    def decode(self, state: State) -> State:
        return state


class SourceSteps:
    """Fires the labels of one state after the other. Raises NotEncodable for what Python does not compile."""

    def __init__(self, system: System, symmetry: Symmetry = NONE) -> None:
        self.source: Source = source_of(in_every_order(system) if symmetry else system)
        self.layout = Unencoded()
        self.canonical: Callable[[State], State] = CanonicalStates(system, symmetry).of if symmetry else _itself

    def transitions(self, state: State) -> list[Step]:
        found: list[Step] = []
        self.source.successors(state, found, {})
        return found

    def fire(self, state: State) -> Fired:
        found: list[Step] = []
        cuts: dict[str, int] = {}
        try:
            self.source.successors(state, found, cuts)
        except EvaluationError as error:
            (failed,) = error.labels
            return Fired(tuple(found), cuts, failed)
        return Fired(tuple(found), cuts, None)

    def label(self, state: State, label: Label) -> Label:
        return label

    def rule(self, label: Label) -> str:
        return label.rule

    def labelled(self, state: State) -> Iterator[Step]:
        yield from self.fire(state).steps

    def hash_of(self, state: State) -> int:
        return hash(state)

    def broken(self, state: State) -> list[str] | None:
        return _false(self.source.invariants, state)

    def reached(self, state: State) -> list[str] | None:
        false = _false(self.source.goals, state)
        return None if false is None else [name for name, _ in self.source.goals if name not in false]

    def broken_by_step(self, before: State, label: Label, after: State) -> list[str] | None:
        try:
            mask = self.broken_mask(before, label, after)
        except EvaluationError:
            return None
        return [name for i, (name, _) in enumerate(self.source.action_invariants) if mask >> i & 1]

    def broken_mask(self, before: State, label: Label, after: State) -> int:
        """Bit i: the step breaks action invariant i. A macro's label breaks what a label of it breaks. Raises
        EvaluationError."""
        macros, mask = self.source.macros, 0
        if macros is not None and label.rule in macros.named:
            for step in macros.path(before, label):
                mask |= self.broken_mask(*step)
            return mask
        for i, (_, holds) in enumerate(self.source.action_invariants):
            if not holds(before, label.rule, after):
                mask |= 1 << i
        return mask


def _false(properties: Iterable[tuple[str, Callable[[State], bool]]], state: State) -> list[str] | None:
    try:
        return [name for name, holds in properties if not holds(state)]
    except EvaluationError:
        return None


def _itself(state: State) -> State:
    return state
