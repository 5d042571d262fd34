"""Every transition of many states: one symbolic step from "any of these states", and All-SAT over its choices.

The states' successors come from the circuit too, simulated for all solutions at once (a binary digit each), and each
transition is confirmed by the evaluator before it is handed out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checker.symbolic.allsat import solutions
from checker.symbolic.batch import any_of
from checker.symbolic.circuit import Bit, Circuit
from checker.symbolic.decode import confirm, state_bits
from checker.symbolic.errors import EnginesDisagree
from checker.symbolic.layout import read_number
from checker.symbolic.macros import macro_step
from checker.symbolic.reading import read_states
from checker.symbolic.state import Shape
from checker.symbolic.transition import step
from checker.symbolic.watch import Query, Watch
from spec.evaluate import Evaluator
from spec.state import Label, State
from spec.system import Grain, System
from spec.values import order_key

BATCH = 128
"""States a query: more share more of the circuit, but solutions get slower to find."""

Transition = tuple[Label, State]
"""A label (at the macro grain, a macro's) and where it leads."""


class Images:
    """The transitions of a system's states, each computed once."""

    def __init__(self, system: System, watch: Watch) -> None:
        self.system = system
        self.shape = Shape(system)
        self.watch = watch
        self.evaluator = Evaluator(system)
        self.known: dict[State, tuple[Transition, ...]] = {}

    def of(self, state: State) -> tuple[Transition, ...]:
        """The enabled labels of a state, each with its successor, in an order that is the same on every run."""
        if state not in self.known:
            self.compute([state])
        return self.known[state]

    def compute(self, states: Iterable[State]) -> None:
        """Makes the transitions of all these states known. Raises GaveUp, KeyboardInterrupt, EvaluationError."""
        wanted = [state for state in dict.fromkeys(states) if state not in self.known]
        for at in range(0, len(wanted), BATCH):
            self.watch.deadline.check()
            batch = wanted[at : at + BATCH]
            for state, transitions in zip(batch, self._transitions(batch), strict=True):
                self.known[state] = transitions

    def _confirm(self, state: State, label: Label, after: State | None) -> None:
        try:
            confirm(self.system, state, (label,), None if after is None else (after,), self.evaluator)
        except EnginesDisagree as error:
            error.state = state
            raise

    def _transitions(self, states: Sequence[State]) -> list[tuple[Transition, ...]]:
        c = Circuit()
        before, index, proper = any_of(c, self.shape, states)
        macros = self.system.grain is Grain.MACRO
        following = macro_step(c, self.shape, before) if macros else step(c, self.shape, before)
        bits = (*index.bits, *following.bits)
        taken = c.conjunction(following.taken, proper)
        fails = c.conjunction(following.error, proper)
        states_ = "one state" if len(states) == 1 else f"one of {len(states)} states"
        query = Query("transitions", f"a label leads out of {states_}")
        found = sorted(solutions(c, c.disjunction(taken, fails), bits, self.watch, query))
        result: list[list[Transition]] = [[] for _ in states]
        if not found:
            return [() for _ in states]
        inputs = {bit: sum(1 << lane for lane, values in enumerate(found) if values[i]) for i, bit in enumerate(bits)}
        roots: list[Bit] = [*state_bits(following.after), taken, fails, *bits]
        for single in following.micro:
            roots += [*state_bits(single.before), single.taken, *single.label_is.values()]
        values = c.simulate(c.cone(roots), inputs, len(found))
        afters = read_states(self.shape, following.after, values, len(found))
        for lane in range(len(found)):
            column = _Lane(values, lane)
            state = states[read_number(index, column)]
            label = following.label(self.shape, column)
            if column(fails):
                self._confirm(state, label, None)
                raise EnginesDisagree(0, label, "the evaluator finds no error")
            if not column(taken):
                raise EnginesDisagree(0, label, "z3's solution does not satisfy the circuit")
            after = afters[lane]
            self._confirm(state, label, after)
            result[read_number(index, column)].append((label, after))
        return [tuple(sorted(transitions, key=lambda t: order_key(tuple(t[0])))) for transitions in result]


class _Lane:
    """Reads the bits of one of the runs of a simulation."""

    __slots__ = ("lane", "values")

    def __init__(self, values: dict[Bit, int], lane: int) -> None:
        self.values = values
        self.lane = lane

    def __call__(self, bit: Bit) -> bool:
        return bool(self.values[bit] >> self.lane & 1)
