"""A state graph as numbers: what the search for a lasso reads, whichever engine made it.

States are 0, 1, …; 0 is where runs start. Each edge is one label. Fairness is about *groups* of labels; an edge knows
its group, a state which groups are enabled in it. Groups are bits of a mask.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from spec.evaluate import Evaluator
from spec.state import Label, State
from spec.values import Cut, EvaluationError, NotEnabled

NO_GROUP = -1

Tick = Callable[[int, int], None]
"""Called now and then with (states expanded, states found); may raise to end the work."""

Pulse = Callable[[], None]
"""Called now and then once the graph is there; may raise to end the work."""


class Groups:
    """Numbers the groups of labels that fairness of these rules is about.

    A group is a rule with its process and its parameters; of a handler, ``drop`` and ``duplicate``: with the type of
    the message, its source and its destination, but not its fields; of a crash: the process.
    """

    def __init__(self, rules: Collection[str]) -> None:
        self.rules = frozenset(rules)
        self._numbers: dict[tuple[object, ...], int] = {}

    def of(self, label: Label) -> int:
        """The label's group, or ``NO_GROUP`` for a rule that no fairness is about."""
        if label.rule not in self.rules:
            return NO_GROUP
        key: tuple[object, ...] = (label.rule, label.process, *label.arguments)
        if label.message is not None:
            key = (label.rule, *label.message[:3])
        elif label.rule == "crash":
            key = (label.rule, label.process)
        return self._numbers.setdefault(key, len(self._numbers))

    def mask(self, rules: Collection[str]) -> int:
        """The groups of these rules that have been met."""
        return sum(1 << number for key, number in self._numbers.items() if key[0] in rules)


@dataclass(frozen=True, slots=True)
class Fairness:
    """Which groups are weakly, and which strongly, fair: masks, of the groups that have been met so far."""

    groups: Groups
    weak_rules: Collection[str]
    strong_rules: Collection[str]

    @property
    def weak(self) -> int:
        return self.groups.mask(self.weak_rules)

    @property
    def strong(self) -> int:
        return self.groups.mask(self.strong_rules)


@dataclass(slots=True)
class Graph:
    """The edges of state s are ``first[s]`` to ``first[s + 1]``, not included. ``enabled[s]``: the groups of its edges.
    ``cuts[s]``: 1 if a bound cut any label there; ``look_up_cut`` tells the groups of these labels, which takes time
    and is asked for few states."""

    look_up_cut: Callable[[int], int]
    first: array[int] = field(default_factory=lambda: array("q", [0]))
    targets: array[int] = field(default_factory=lambda: array("q"))
    groups: array[int] = field(default_factory=lambda: array("q"))
    enabled: list[int] = field(default_factory=list)
    cuts: bytearray = field(default_factory=bytearray)
    _cut: dict[int, int] = field(default_factory=dict)

    @property
    def states(self) -> int:
        """How many have been expanded."""
        return len(self.enabled)

    @property
    def edges(self) -> int:
        return len(self.targets)

    def edges_of(self, state: int) -> range:
        return range(self.first[state], self.first[state + 1])

    def cut(self, state: int) -> int:
        """The groups of the labels that a bound cut."""
        if not self.cuts[state]:
            return 0
        if state not in self._cut:
            self._cut[state] = self.look_up_cut(state)
        return self._cut[state]

    def add(self, edges: Iterable[tuple[int, int]], cuts: bool) -> None:
        """Expands the next state. ``edges``: group and target of each. ``cuts``: whether a bound cut any label."""
        enabled = 0
        for group, target in edges:
            self.groups.append(group)
            self.targets.append(target)
            if group >= 0:
                enabled |= 1 << group
        self.first.append(len(self.targets))
        self.enabled.append(enabled)
        self.cuts.append(cuts)


def way_to(graph: Graph, state: int) -> list[int]:
    """The edges of a shortest run from state 0."""
    came: dict[int, tuple[int, int]] = {}
    level = [0]
    while state != 0 and state not in came:
        found = []
        for at in level:
            for edge in graph.edges_of(at):
                target = graph.targets[edge]
                if target not in came:
                    came[target] = edge, at
                    found.append(target)
        level = found
    way = []
    while state != 0:
        edge, state = came[state]
        way.append(edge)
    return way[::-1]


@dataclass(slots=True)
class Unfolded:
    """A system's state graph and its states."""

    graph: Graph
    groups: Groups
    states: list[State]


def unfold(evaluator: Evaluator, start: State, groups: Groups, tick: Tick | None = None) -> Unfolded:
    """The whole graph from ``start``, by the evaluator. Raises EvaluationError, and what ``tick`` raises."""
    number = {start: 0}
    states = [start]
    graph = Graph(lambda state: cut_groups(evaluator, states[state], groups, groups.rules))
    for at, state in enumerate(states):  # which grows
        if tick is not None and at % 256 == 0:
            tick(at, len(states))
        edges = []
        cuts = sum(evaluator.tally.cuts.values())
        for label, after in evaluator.transitions(state):
            if after not in number:
                number[after] = len(states)
                states.append(after)
            edges.append((groups.of(label), number[after]))
        graph.add(edges, sum(evaluator.tally.cuts.values()) > cuts)
    return Unfolded(graph, groups, states)


def cut_groups(evaluator: Evaluator, state: State, groups: Groups, rules: Iterable[str]) -> int:
    """The groups of the labels of these rules that a bound cuts in a state."""
    mask = 0
    for rule in rules:
        if rule in evaluator.system.forbidden:
            continue
        for label in evaluator.candidates_of(state, rule):
            try:
                evaluator.successor(state, label)
            except Cut:
                mask |= 1 << groups.of(label)
            except (NotEnabled, EvaluationError):
                continue
    return mask
