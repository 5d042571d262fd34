"""What must hold, looked at in every state and step of many runs; what they share is computed once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from checker.replaying import LabelTree
from spec.evaluate import Evaluator
from spec.state import Label, State


@dataclass(slots=True)
class Inspected:
    """``states``: the hashes of the distinct states, so that parts done by several processes can be counted together.
    ``violated``: property → a run that ends in the violation. ``reached``: `sometimes` goals that were true. ``cuts``:
    what the bounds cut, by rule and bound."""

    states: set[int] = field(default_factory=set)
    violated: dict[str, tuple[Label, ...]] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)
    cuts: dict[str, int] = field(default_factory=dict)

    def merge(self, other: Inspected) -> None:
        self.states |= other.states
        self.reached |= other.reached
        for name, run in other.violated.items():
            if name not in self.violated or len(run) < len(self.violated[name]):
                self.violated[name] = run
        for bound, count in other.cuts.items():
            self.cuts[bound] = self.cuts.get(bound, 0) + count


def inspect(evaluator: Evaluator, runs: Iterable[tuple[Label, ...]], *, tally: bool) -> Inspected:
    """Every invariant in every state, every action invariant over every step. ``tally``: also count, in each state,
    what the bounds cut."""
    tree = LabelTree()
    for labels in runs:
        tree.insert(labels)
    found = Inspected()
    goals = [(p.name, evaluator.compile(p.expr)) for p in evaluator.system.sometimes]
    evaluator.tally.cuts = found.cuts
    pending: list[tuple[LabelTree, State, tuple[Label, ...]]] = [(tree, evaluator.initial_states()[0], ())]
    while pending:
        node, state, run = pending.pop()
        if hash(state) not in found.states:
            found.states.add(hash(state))
            if tally:
                evaluator.transitions(state)
            for name in evaluator.violated(state):
                found.violated.setdefault(name, run)
            missing = [(name, goal) for name, goal in goals if name not in found.reached]
            found.reached |= {name for name, goal in missing if evaluator.holds(goal, state)}
        for label, child in node.children.items():
            after = evaluator.successor(state, label)
            for name in evaluator.violated_by_step(state, label, after):
                found.violated.setdefault(name, (*run, label))
            pending.append((child, after, (*run, label)))
    return found
