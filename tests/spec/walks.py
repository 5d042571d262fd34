"""Random runs of a system."""

from __future__ import annotations

import random

from spec.evaluate import EvaluationError, Evaluator
from spec.state import State


def walk(evaluator: Evaluator, seed: int, length: int) -> list[State]:
    """The states of a run that chooses a rule, then a label of it; the last one may have a label that fails."""
    chance = random.Random(seed)
    states = [evaluator.initial_states()[0]]
    for _ in range(length):
        try:
            transitions = evaluator.transitions(states[-1])
        except EvaluationError:
            break
        if not transitions:
            break
        rule = chance.choice(sorted({label.rule for label, _ in transitions}))
        states.append(chance.choice([after for label, after in transitions if label.rule == rule]))
    return states
