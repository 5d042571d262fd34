"""`eventually` and `leads to`: which runs they are about, and lassos that refute them.

A *run* is a sequence of labels from the model's start that does not stop while anything is enabled; where nothing is,
it stays for ever. It is *fair* to a group of labels (see :class:`spec.graph.Groups`)

* weakly, if the group is taken again and again, or is again and again not enabled;
* strongly, if the group is taken again and again, or is at last never enabled again.

A label counts as taken where it changes nothing, too. A label that a bound cuts counts as enabled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from spec.evaluate import Evaluator
from spec.graph import Fairness, Graph, Groups, Pulse, Tick, Unfolded, unfold, way_to
from spec.lasso import BETWEEN_PULSES, Lasso, Pending, find_lasso
from spec.sorts import BOOL, Value
from spec.state import Label, State
from spec.system import Eventually, Expr, LetIn, Literal, System
from spec.values import EvaluationError, cached_domain, show


@dataclass(frozen=True, slots=True)
class Obligation:
    """An `eventually` for one combination of its parameters' values, which are put into ``trigger`` and ``goal``."""

    property: Eventually
    values: tuple[Value, ...]
    trigger: Expr | None
    goal: Expr

    def __str__(self) -> str:
        """As `served(c=c1)`."""
        parameters = zip(self.property.parameters, self.values, strict=True)
        given = ", ".join(f"{p.name}={show(p.sort, value)}" for p, value in parameters)
        return f"{self.property.name}({given})" if given else self.property.name


@dataclass(frozen=True, slots=True)
class Stuck:
    """A fair run that never does what it is obliged to: ``prefix`` leads from the start to the state from which
    ``loop`` comes back to it; with an empty loop the run stays there. ``cut``: only because a bound cut something."""

    obligation: Obligation
    prefix: tuple[Label, ...]
    loop: tuple[Label, ...]
    cut: bool


def asked(system: System, only: str | None) -> tuple[Eventually, ...]:
    """The properties to check: the one named, or those that the model asks for."""
    names = system.checks if only is None else (only,)
    return tuple(property_ for property_ in system.eventually if property_.name in names)


def obligations(properties: Iterable[Eventually]) -> tuple[Obligation, ...]:
    found = []
    for property_ in properties:
        for values in product(*(cached_domain(parameter.sort) for parameter in property_.parameters)):
            trigger, goal = property_.trigger, property_.goal
            for parameter, value in zip(property_.parameters, values, strict=True):
                literal = Literal(value, parameter.sort)
                goal = LetIn(parameter.name, literal, goal, BOOL)
                trigger = None if trigger is None else LetIn(parameter.name, literal, trigger, BOOL)
            found.append(Obligation(property_, values, trigger, goal))
    return tuple(found)


def groups_of(properties: Iterable[Eventually]) -> Groups:
    """The groups that fairness of any of these properties is about."""
    return Groups({rule for property_ in properties for rule in (*property_.weak, *property_.strong)})


def pending_of(triggered: bytes | bytearray | None, reached: bytes | bytearray) -> Pending:
    """Where an obligation arises and stays, from where its trigger and its goal hold."""
    stays = bytes(not goal for goal in reached)
    if triggered is None:
        return Pending(stays[:1] + bytes(len(stays) - 1), stays)
    return Pending(bytes(trigger and not goal for trigger, goal in zip(triggered, reached, strict=True)), stays)


def refuted(
    graph: Graph, groups: Groups, obligation: Obligation, pending: Pending, pulse: Pulse | None = None
) -> tuple[Lasso, bool] | None:
    """A fair lasso that refutes the obligation, and whether it is one only because a bound cut something."""
    fairness = Fairness(groups, obligation.property.weak, obligation.property.strong)
    for beyond in (False, True):
        lasso = find_lasso(graph, pending, fairness, beyond=beyond, pulse=pulse)
        if lasso is not None:
            return lasso, beyond
    return None


@dataclass(frozen=True, slots=True)
class Judged:
    """What a check of liveness found in a graph of so many states and edges."""

    stuck: tuple[Stuck, ...]
    states: int
    edges: int


def judge(
    evaluator: Evaluator, start: State, properties: tuple[Eventually, ...], tick: Tick | None = None
) -> Judged:
    """By the evaluator, on the whole graph from ``start``: for each obligation that is not always fulfilled a run.
    Raises EvaluationError, whose ``labels`` lead to where a property cannot be evaluated."""
    unfolded = unfold(evaluator, start, groups_of(properties), tick)
    graph, groups = unfolded.graph, unfolded.groups
    pulse = pulse_of(graph, tick)
    found = []
    for obligation in obligations(properties):
        triggered = None if obligation.trigger is None else _truth(evaluator, unfolded, obligation.trigger, pulse)
        pending = pending_of(triggered, _truth(evaluator, unfolded, obligation.goal, pulse))
        answer = refuted(graph, groups, obligation, pending, pulse)
        if answer is not None:
            lasso, cut = answer
            steps = [(graph.groups[edge], unfolded.states[graph.targets[edge]]) for edge in lasso.edges]
            found.append(told(evaluator, groups, start, obligation, steps, lasso.loop, cut))
    return Judged(tuple(found), graph.states, graph.edges)


def pulse_of(graph: Graph, tick: Tick | None) -> Pulse | None:
    """The tick of a graph to which nothing is added any more."""
    return None if tick is None else lambda: tick(graph.states, graph.states)


def _truth(evaluator: Evaluator, unfolded: Unfolded, expr: Expr, pulse: Pulse | None) -> bytearray:
    """Where the expression holds."""
    holds = evaluator.compile(expr)
    found = bytearray()
    for number, state in enumerate(unfolded.states):
        if pulse is not None and number % BETWEEN_PULSES == 0:
            pulse()
        try:
            found.append(evaluator.holds(holds, state))
        except EvaluationError as error:
            graph = unfolded.graph
            way = [(graph.groups[edge], unfolded.states[graph.targets[edge]]) for edge in way_to(graph, number)]
            error.labels = labels_along(evaluator, unfolded.groups, unfolded.states[0], way)
            raise
    return found


def labels_along(
    evaluator: Evaluator, groups: Groups, start: State, steps: Iterable[tuple[int, State]]
) -> tuple[Label, ...]:
    """The labels of a run that is known by the group of each label and the state that it leads to."""
    labels = []
    state = start
    for group, target in steps:
        taken = evaluator.transitions(state)
        labels.append(next(label for label, after in taken if after == target and groups.of(label) == group))
        state = target
    return tuple(labels)


def told(
    evaluator: Evaluator,
    groups: Groups,
    start: State,
    obligation: Obligation,
    steps: list[tuple[int, State]],
    loop: int,
    cut: bool,
) -> Stuck:
    """The run as labels, each confirmed by the evaluator, and so is that it never does what it should."""
    labels = labels_along(evaluator, groups, start, steps)
    states = [start, *(target for _, target in steps)]
    assert loop == len(steps) or states[-1] == states[loop], "the loop does not come back"
    assert loop < len(steps) or not evaluator.transitions(states[-1]), "a run stops where something is enabled"
    goal = evaluator.compile(obligation.goal)
    assert not any(evaluator.holds(goal, state) for state in states[loop:]), "the loop reaches the goal"
    return Stuck(obligation, labels[:loop], labels[loop:], cut)
