"""Completions by z3: from which of many states a goal can be reached, by any labels, and how soon.

One run starts at "any of these states" and grows label by label; each depth is asked until z3 finds no further pair of
a start and a goal. So one refusal speaks for all pairs that are still open, and what is found is as short as can be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from checker.symbolic.circuit import FALSE, TRUE, Bit
from checker.symbolic.decode import confirm
from checker.symbolic.depths import read_run
from checker.symbolic.errors import EnginesDisagree
from checker.symbolic.numbers import is_number
from checker.symbolic.solve import Solver
from checker.symbolic.unroll import Unrolling
from checker.symbolic.watch import Query, Watch
from spec.evaluate import Evaluator
from spec.state import Label, State
from spec.system import Expr

Found = Callable[[int, int, tuple[Label, ...]], None]
"""Called with the positions of a start and a goal, and a shortest run from the one to the other."""


def completions(
    evaluator: Evaluator,
    starts: Sequence[State],
    goals: Sequence[Expr],
    wanted: Sequence[set[int]],
    bound: int,
    watch: Watch,
    found: Found,
    progress: Callable[[int], None],
) -> bool:
    """Finds the goals ``wanted`` of each start, in at most ``bound`` labels; whether there are no longer runs at all.

    After ``progress(depth)`` there are no more of at most so many labels. Raises GaveUp, KeyboardInterrupt,
    EvaluationError.
    """
    search = _Search(evaluator, starts, goals, wanted, watch)
    for depth in range(bound + 1):
        watch.deadline.check()
        search.extend_to(depth)
        while (pair := search.next()) is not None:
            found(*pair)
        progress(depth)
        if not search.goes_on():
            return True
    return False


class _Search:
    def __init__(
        self,
        evaluator: Evaluator,
        starts: Sequence[State],
        goals: Sequence[Expr],
        wanted: Sequence[set[int]],
        watch: Watch,
    ) -> None:
        self.evaluator, self.starts, self.goals = evaluator, starts, goals
        self.compiled = [evaluator.compile(goal) for goal in goals]
        self.run = Unrolling(evaluator.system, *starts)
        self.solver = Solver(self.run.circuit, watch)
        self.solver.require(self.run.proper)
        self.open = [{number for number, some in enumerate(wanted) if goal in some} for goal in range(len(goals))]
        self.depth = -1
        self._true: list[Bit] = []
        self._fails: Bit = FALSE

    def extend_to(self, depth: int) -> None:
        """Looks at the states after so many labels."""
        run, c = self.run, self.run.circuit
        run.extend_to(depth)
        self.depth = depth
        taken = run.steps[depth - 1].taken if depth else TRUE
        self._true = []
        failing = [run.steps[depth - 1].error] if depth else []
        for goal, starts in zip(self.goals, self.open, strict=True):
            value, error = run.holds(goal, depth) if starts else (FALSE, FALSE)
            self._true.append(c.conjunction(taken, value))
            failing.append(c.conjunction(taken, error))
        self._fails = c.some(failing)

    def next(self) -> tuple[int, int, tuple[Label, ...]] | None:
        """A pair that is still open, and a run between them, confirmed."""
        c, run = self.run.circuit, self.run
        here = {number: is_number(c, run.index, number) for some in self.open for number in some}
        pairs = (
            c.conjunction(true, c.some(here[number] for number in sorted(some)))
            for true, some in zip(self._true, self.open, strict=True)
        )
        query = c.disjunction(self._fails, c.some(pairs))
        asks = f"a completion of {self.depth} labels with an outcome that is still open"
        if not self.solver.check(query, query=Query("complete", asks, self.depth)):
            return None
        labels, states = read_run(run, self.solver, self.depth, query)
        number = sum(1 << i for i, bit in enumerate(run.index.bits) if self.solver.value(bit))
        start = self.starts[number]
        replayed = confirm(self.evaluator.system, start, labels, states, self.evaluator)
        last = replayed[-1] if replayed else start
        for goal, compiled in enumerate(self.compiled):
            if number in self.open[goal] and self.evaluator.holds(compiled, last):
                self.open[goal].discard(number)
                return number, goal, labels
        raise EnginesDisagree(len(labels), labels[-1] if labels else None, "no goal is true for the evaluator")

    def goes_on(self) -> bool:
        """Whether a longer run may show something; from here on only those that came so far are looked at."""
        if not any(self.open):
            return False
        if self.depth:
            self.solver.require(self.run.steps[self.depth - 1].taken)
        asks = f"a run of {self.depth} labels from a state after a crash"
        return self.solver.check(query=Query("complete", asks, self.depth))
