"""Which outcomes can a crash state never come to? z3 rules out what contradicts facts that no step makes false.

A bounded search cannot say "never", and the completions of a large spec are longer than it can go. But a write that was
answered stays answered: such facts are few, each is shown once for the whole system, and what they leave of the
outcomes is asked once for all states of which the same are true.
"""

from __future__ import annotations

from checker.deciding import Goal, Wanted, goals_of
from checker.parallel import spread
from checker.symbolic.errors import GaveUp, NotEncodable
from checker.symbolic.watch import Watch
from spec.counting import OTHER
from spec.evaluate import EvaluationError, Evaluator
from spec.expressions import Compiled
from spec.state import State
from spec.system import Binary, Expr, LetIn, Literal, Operator, System, Unary, UnaryOperator
from spec.values import cached_domain


def ruled_out(evaluator: Evaluator, wanted: Wanted, watch: Watch, workers: int) -> Wanted:
    """Of the goals of each state those that z3 refuses for runs of any length, by what stays true once it is. Nothing
    is refused where time runs out, or where no proof can be made of the system. ``watch`` knows the time, and is told
    of the questions."""
    from checker.symbolic.stable import Stable, facts_of

    system, goals = evaluator.system, goals_of(evaluator.system)
    ends = {goal: _outcome_of(system, goal) for goal in goals if goal[1] != OTHER}
    found: Wanted = {}
    try:
        stable = Stable(system, evaluator.initial_states()[0], watch)
        facts = facts_of([outcome for _, outcome in ends.values()])
        kept = []
        for fact, (stays, asked) in zip(facts, spread(stable.stays, list(enumerate(facts)), workers), strict=True):
            kept += [fact] if stays else []
            watch.asked.extend(asked)
        compiled = [evaluator.compile(fact) for fact in kept]
        refused: dict[tuple[bool, ...], set[Goal]] = {}
        for state, open_goals in wanted.items():
            true = tuple(_holds(evaluator, fact, state) for fact in compiled)
            if true not in refused:
                known = [fact for fact, here in zip(kept, true, strict=True) if here]
                answers = stable.excluded(known, [first for first, _ in ends.values()])
                refused[true] = {goal for goal, none in zip(ends, answers, strict=True) if none}
            found[state] = open_goals & refused[true]
    except (GaveUp, NotEncodable):
        pass
    return found


def _holds(evaluator: Evaluator, fact: Compiled, state: State) -> bool:
    """An evaluation that fails is no yes."""
    try:
        return evaluator.holds(fact, state)
    except EvaluationError:
        return False


def _outcome_of(system: System, goal: Goal) -> tuple[Expr, Expr]:
    """That it is the first outcome that matches, where a run has converged or not; and the outcome by itself."""
    assert system.track is not None
    boolean = system.outcomes[goal[1]].expr.sort
    element = Literal(cached_domain(system.track.sort)[goal[0]], system.track.sort)
    bound = [LetIn(system.track.name, element, outcome.expr, boolean) for outcome in system.outcomes[: goal[1] + 1]]
    first: Expr = bound[-1]
    for earlier in bound[:-1]:
        first = Binary(Operator.AND, Unary(UnaryOperator.NOT, earlier, boolean), first, boolean)
    return first, bound[-1]
