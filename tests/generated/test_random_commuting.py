"""Independent labels of random specs commute in random states: what is dependent is read off every node of the IR."""

from __future__ import annotations

from random import Random

import pytest

from spec.evaluate import Evaluator
from spec.independence import Independence
from tests.generated.specs import random_system, shown
from tests.generated.states import random_states
from tests.spec.test_commuting import after, pairs, transitions

MOST_PAIRS = 400


def commuted(seed: int, count: int) -> int:
    """How many pairs of independent labels commuted, of states that the bounds and constraints of the spec allow."""
    system, chance = random_system(seed), Random(seed)
    evaluator, independence, found = Evaluator(system), Independence(system), 0
    for state in random_states(evaluator, Random(seed), count):
        steps = transitions(evaluator, state)
        if not steps:
            continue
        _, allowed = chance.choice(steps)
        for first, second, last in pairs(evaluator, allowed)[:MOST_PAIRS]:
            if independence.independent(first, second):
                with shown(seed):
                    assert after(evaluator, allowed, second, first) == last, (first, second)
                found += 1
    return found


def test_independent_labels_of_random_specs_commute() -> None:
    assert sum(commuted(seed, 4) for seed in range(12)) > 500


@pytest.mark.slow
def test_independent_labels_of_many_random_specs_commute() -> None:
    assert sum(commuted(seed, 8) for seed in range(12, 312)) > 50_000
