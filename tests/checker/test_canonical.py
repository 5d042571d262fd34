"""Canonical states in Python: one for each orbit, and as many as the native code has."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from checker.explicit.canonical import CanonicalStates
from checker.explicit.symmetry import symmetry_of
from spec.evaluate import Evaluator
from spec.explore import explore
from spec.state import State
from spec.system import System
from tests.checker.symbolic_systems import shipped_system
from tests.checker.symmetric_systems import Chance, zoo
from tests.spec import permutations

NETWORKS = ("bag", "fifo", "set")


def is_canonical(system: System, states: Iterable[State], canonical: CanonicalStates) -> bool:
    """Whether all permutations of each state have one canonical state, which is one of them."""
    renamings = symmetry_of(system).renamings()
    for state in states:
        alike = [permutations.state(system, state, names) for names in renamings]
        found = {canonical.of(other) for other in alike}
        if len(found) != 1 or not found <= set(alike):
            return False
    return True


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("storage", ["buffered", "atomic"])
def test_all_permutations_of_a_state_have_one_canonical_state(network: str, storage: str) -> None:
    system = zoo(network, storage)
    assert is_canonical(system, Chance(system, 5).states(60), CanonicalStates(system, symmetry_of(system)))


def test_canonical_states_of_what_is_reached_are_as_many_as_orbits() -> None:
    system = shipped_system("raft", "tiny")
    canonical = CanonicalStates(system, symmetry_of(system))
    found = explore(Evaluator(system), max_steps=7)
    seen: set[State] = set()
    orbits = 0
    for state in found.states:
        if state not in seen:
            orbits += 1
            seen.update(permutations.state(system, state, names) for names in symmetry_of(system).renamings())
    assert len({canonical.of(state) for state in found.states}) == orbits < len(found.states)


def test_elements_that_nothing_tells_apart_are_all_tried() -> None:
    system = zoo()
    canonical = CanonicalStates(system, symmetry_of(system))
    (initial,) = Evaluator(system).initial_states()
    assert canonical.of(initial) == initial
    assert len(canonical._sorting(initial)) == symmetry_of(system).permutations


def test_key_that_tells_elements_apart_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    system = zoo()
    canonical = CanonicalStates(system, symmetry_of(system))
    right = canonical._key
    monkeypatch.setattr(canonical, "_key", lambda state, element: right(state, element) + ord(element))
    assert not is_canonical(system, Chance(system, 5).states(20), canonical)


@pytest.mark.parametrize("part", ["_permuted_own", "_permuted_common", "_permuted_message"])
def test_part_that_is_not_permuted_is_noticed(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system = zoo()
    canonical = CanonicalStates(system, symmetry_of(system))

    def unchanged(*arguments: object) -> object:
        values = [argument for argument in arguments[:-1] if not isinstance(argument, int)]
        return values[0] if len(values) == 1 else tuple(values)

    monkeypatch.setattr(canonical, part, unchanged)
    assert not is_canonical(system, Chance(system, 5).states(20), canonical)


@pytest.mark.parametrize("spec", [("raft", "three"), ("chain_replication", "two_writes")])
def test_random_runs_have_one_canonical_state_for_all_permutations_of_their_states(spec: tuple[str, str]) -> None:
    system = shipped_system(*spec)
    evaluator, chance = Evaluator(system), random.Random(3)
    states = [evaluator.initial_states()[0]]
    for _ in range(40):
        transitions = evaluator.transitions(states[-1])
        states.append(chance.choice(transitions)[1] if transitions else evaluator.initial_states()[0])
    assert is_canonical(system, states, CanonicalStates(system, symmetry_of(system)))
