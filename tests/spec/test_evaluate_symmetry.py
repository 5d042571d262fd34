"""A symmetric set may be permuted: permuting a state permutes its transitions (language.md, Meaning: Symmetry)."""

from __future__ import annotations

import pytest

from spec.evaluate import Evaluator
from spec.explore import explore
from spec.load import load_system, shipped
from spec.system import System
from tests.spec import permutations
from tests.spec.small import Small

BROADCAST = """
const Node:  set symmetric
const Value: set symmetric
message Note:
    value: Value
message Bell:
network {network}
process Node:
    durable d: optional[Value] = none
    action go(value: Value):
        d := value
        fsync
        for p in Node - {{self}}:
            send Note(value=value) to p
    action ring:
        fsync
        for p in Node - {{self}}:
            send Bell() to p
    on Note m:
        require d == none
        d := m.value
        fsync
        reply Bell()
    on Bell m:
        ignore
model m:
    Node = {{a, b, c}}
    Value = {{v, w}}
    storage = buffered
    max_crashes = 1
"""


def check_equivariance(system: System, depth: int) -> int:
    """How many transitions were compared with those of a permuted state."""
    evaluator = Evaluator(system)
    (initial,) = evaluator.initial_states()
    renamings = list(permutations.renamings(system))
    assert len(renamings) > 1
    assert {permutations.state(system, initial, names) for names in renamings} == {initial}
    compared = 0
    for state in explore(evaluator, max_steps=depth, check=False).states:
        transitions = evaluator.transitions(state)
        for names in renamings:
            expected = {
                permutations.label(system, label, names): permutations.state(system, after, names)
                for label, after in transitions
            }
            assert dict(evaluator.transitions(permutations.state(system, state, names))) == expected
            compared += len(expected)
    return compared


@pytest.mark.parametrize("network", ["bag", "fifo", "set"])
def test_broadcasts_and_their_outboxes_are_symmetric(network: str) -> None:
    assert check_equivariance(Small(BROADCAST.format(network=network)).system, 2) > 1_000


@pytest.mark.parametrize(("spec", "model", "depth"), [("two_phase_commit", "three", 4), ("raft", "three", 2)])
def test_shipped_specs_are_symmetric(spec: str, model: str, depth: int) -> None:
    assert check_equivariance(load_system(shipped(spec), model=model), depth) > 100
