"""Depth after depth: the runs from a state at whose end something is true, the shortest first, no two with the same
labels.

The questions of one search go to one solver, which keeps what it learnt; that there is no run of some length is told to
it before it is asked about the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from checker.explicit.symmetry import NONE, Symmetry
from checker.symbolic.circuit import FALSE, Bit, Gate
from checker.symbolic.decode import labels_of, read_state, state_bits
from checker.symbolic.errors import EnginesDisagree, GaveUp
from checker.symbolic.mentions import Mentions, interchangeable
from checker.symbolic.solve import Solver
from checker.symbolic.unroll import Unrolling
from checker.symbolic.watch import Query, Watch
from spec.state import Label, State
from spec.system import System


@dataclass(frozen=True, slots=True)
class NoneWithin:
    """There is none (or no other) of at most ``depth`` labels. ``complete``: nor a longer one, for no run is longer."""

    depth: int
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is none (or no other) of at most ``depth`` labels (-1: nothing is known); beyond that z3 gave up, for
    ``reason``."""

    depth: int
    reason: str


FoundRun: TypeAlias = tuple[tuple[Label, ...], tuple[State, ...]]
"""Labels, and the states after each but maybe the last; not confirmed by the evaluator yet."""


class Depths:
    """``task``, ``asks``: of the questions, "a run of 3 labels {asks}". ``ended``: how the search ended, once all runs
    have been taken from it. ``symmetry``: of the runs that are alike under it, one is looked for; an evaluation counts
    as failing if it does in any order of the elements. ``min_steps``: of shorter runs z3 is not asked."""

    def __init__(
        self,
        system: System,
        start: State,
        max_steps: int,
        watch: Watch,
        task: str,
        asks: str,
        symmetry: Symmetry = NONE,
        min_steps: int = 0,
    ) -> None:
        self.alike = interchangeable(system, symmetry, start)
        self.run = Unrolling(system, start, every_order=bool(self.alike))
        self.min_steps, self.max_steps = min_steps, max_steps
        self.watch = watch
        self.task, self.asks = task, asks
        self.ended: NoneWithin | Unknown = Unknown(-1, "not asked")

    def runs(self, target: Callable[[int], Bit]) -> Iterator[FoundRun]:
        """``target``: is called for each depth in turn, once the run is unrolled so far. Raises KeyboardInterrupt."""
        known = -1
        try:
            solver = Solver(self.run.circuit, self.watch)
            mentions = Mentions(self.run.circuit, self.alike)
            for depth in range(self.max_steps + 1):
                self.run.extend_to(depth)
                if depth:
                    solver.require(mentions.in_order(self.run.steps[depth - 1].micro))
                self.watch.deadline.check()
                goal = target(depth)
                query = Query(self.task, f"a run of {depth} labels {self.asks}", depth)
                asked = solver.for_one_question(goal) if self.min_steps and goal != FALSE else solver
                while depth >= self.min_steps and asked.check(goal, query=query):
                    yield read_run(self.run, asked, depth, goal)
                    if not self._refuse(asked, depth):
                        self.ended = NoneWithin(depth, complete=True)
                        return
                known = -1 if self.min_steps else depth
                if depth:
                    taken = self.run.steps[depth - 1].taken
                    if taken == FALSE:
                        self.ended = NoneWithin(depth, complete=True)
                        return
                    solver.require(taken)
            self.ended = NoneWithin(self.max_steps)
        except GaveUp as reason:
            self.ended = Unknown(known, str(reason))

    def _refuse(self, solver: Solver, depth: int) -> bool:
        """Refuses the run in z3's last model, and all that begin with it: what came next would tell nothing new.
        Whether that leaves any."""
        bits = [bit for step in self.run.steps[:depth] for bit in step.bits if bit > 1]
        solver.require_some([bit ^ solver.value(bit) for bit in bits])
        return bool(bits)


def read_run(run: Unrolling, solver: Solver, depth: int, goal: Bit) -> FoundRun:
    """Reads the inputs from the model, and all else by simulating the circuit on them."""
    steps = run.steps[:depth]
    micro = [single for s in steps for single in s.micro]
    roots = [goal, *(bit for s in steps for bit in (*s.bits, *state_bits(s.before), s.taken))]
    roots += [bit for s in micro for bit in (*state_bits(s.before), s.taken, *s.label_is.values())]
    roots += state_bits(run.states[depth])
    c, cone = run.circuit, run.circuit.cone(roots)
    values = c.simulate(cone, {2 * n: solver.value(2 * n) for n in cone if c.gates[n] is Gate.INPUT})

    def bit(of: Bit) -> bool:
        return bool(values[of])

    if not bit(goal):
        raise EnginesDisagree(depth, None, "z3's model does not satisfy the circuit")
    states = [read_state(run.shape, s.after, bit) for s in steps if bit(s.taken)]
    return labels_of(run.shape, steps, bit), tuple(states)
