"""Bounded search for goals: the runs from a state that meet a sequence of goals, the shortest first."""

from __future__ import annotations

from collections.abc import Iterator

from checker.symbolic.circuit import Bit
from checker.symbolic.decode import confirm
from checker.symbolic.depths import Depths, NoneWithin, Unknown
from checker.symbolic.goals import Chain
from checker.symbolic.watch import Watch
from spec.evaluate import EvaluationError, Evaluator
from spec.goals import GoalSequence
from spec.state import Label, State
from spec.system import System


class Reach:
    """Iterates over the runs from ``start`` that end where the last goal is met first, or in an evaluation error (of
    the last label, or of a goal after it); no two have the same labels. The evaluator has confirmed that the labels can
    be taken; that they meet the goals is the caller's to confirm. ``ended``: what is said of other runs, at the end.
    """

    def __init__(
        self,
        system: System,
        sequence: GoalSequence,
        max_steps: int,
        start: State | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._evaluator = Evaluator(system)
        self._start = self._evaluator.initial_states()[0] if start is None else start
        asks = "meets the goals, or ends in an evaluation error"
        self._depths = Depths(system, self._start, max_steps, watch or Watch(), "reach", asks)
        self._chain = Chain(self._depths.run, sequence)

    @property
    def ended(self) -> NoneWithin | Unknown:
        return self._depths.ended

    def __iter__(self) -> Iterator[tuple[Label, ...]]:
        """Raises KeyboardInterrupt."""
        for labels, states in self._depths.runs(self._target):
            try:
                confirm(self._evaluator.system, self._start, labels, states, self._evaluator)
            except EvaluationError:  # of the last label: who confirms the goals meets it again
                assert labels
            yield labels

    def _target(self, depth: int) -> Bit:
        c = self._depths.run.circuit
        reached, failed = self._chain.extend(depth)
        error = c.conjunction(self._depths.run.steps[depth - 1].error, self._chain.proper) if depth else 0
        return c.some((reached, failed, error))
