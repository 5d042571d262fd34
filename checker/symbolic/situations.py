"""Windows and actors of crash states, computed by the circuits of many states at once."""

from __future__ import annotations

from checker.symbolic.batch import any_of
from checker.symbolic.circuit import Bit, Circuit
from checker.symbolic.images import BATCH, Images
from checker.symbolic.layout import cached_domain
from checker.symbolic.state import SymbolicState
from checker.symbolic.unroll import Bound, holds
from spec.counting import OTHER, Situation
from spec.sorts import Value
from spec.state import State
from spec.system import Property
from spec.values import EvaluationError


class Situations:
    """``of(state, process)``: for each tracked element, the first window and the first actor that match."""

    def __init__(self, images: Images) -> None:
        self.images = images
        system = images.system
        self.track = system.track
        self.tracked: tuple[Value, ...] = cached_domain(system.track.sort) if system.track else ()
        self.known: dict[tuple[State, str], Situation] = {}
        self._failures: list[Bit] = []

    def compute(self, states: list[State]) -> None:
        for at in range(0, len(states), BATCH):
            self._compute(states[at : at + BATCH])

    def of(self, state: State, process: str) -> Situation:
        if (state, process) not in self.known:
            self.compute([state])
        return self.known[state, process]

    def _compute(self, states: list[State]) -> None:
        c, shape, system = Circuit(), self.images.shape, self.images.system
        symbolic, index, _ = any_of(c, shape, states)
        self._failures = []
        windows = [self._all(c, symbolic, system.windows, value, None) for value in self.tracked]
        actors = {
            process: [self._all(c, symbolic, system.actors, value, process) for value in self.tracked]
            for process, kind in zip(shape.processes, shape.kinds, strict=True)
            if kind.crashes
        }
        rows = [*windows, *(row for process in actors.values() for row in process)]
        lanes = range(len(states))
        inputs = {bit: sum(1 << lane for lane in lanes if lane >> i & 1) for i, bit in enumerate(index.bits)}
        roots = [*self._failures, *(bit for row in rows for bit in row)]
        values = c.simulate(c.cone(roots), inputs, len(states))
        if any(values[bit] for bit in self._failures):
            raise EvaluationError("the evaluation of a window or an actor fails", None)
        for lane, state in enumerate(states):
            first = [_first(values, row, lane) for row in windows]
            for process, found in actors.items():
                actor = tuple(_first(values, row, lane) for row in found)
                self.known[state, process] = Situation(tuple(first), actor, state.ghosts, state.budgets)

    def _all(
        self, c: Circuit, state: SymbolicState, predicates: tuple[Property, ...], value: Value, crashed: str | None
    ) -> list[Bit]:
        assert self.track is not None
        bound: Bound = {self.track.name: (value, self.track.sort)}
        if crashed is not None:
            bound["crashed"] = (crashed, self.images.system.kind_of(crashed).sort)
        row, earlier = [], 0
        for predicate in predicates:
            true, error = holds(c, self.images.shape, state, predicate.expr, bound)
            self._failures.append(c.conjunction(error, earlier ^ 1))
            earlier = c.disjunction(earlier, true)
            row.append(true)
        return row


def _first(values: dict[Bit, int], row: list[Bit], lane: int) -> int:
    for position, bit in enumerate(row):
        if values[bit] >> lane & 1:
            return position
    return OTHER
