"""Random specs with symmetric sets: what is found up to symmetry is what brute force over all permutations finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

import pytest

pytest.importorskip("llvmlite")

from checker.explicit.back_end import BackEnd
from checker.explicit.canonical import CanonicalStates
from checker.explicit.emit_symmetry import SymmetryCode
from checker.explicit.symmetry import symmetry_of
from spec.evaluate import Evaluator
from spec.grains import coarsened
from spec.state import State
from spec.system import System
from tests.generated.agreement import Disagreement, expected
from tests.generated.conftest import PROPERTY, listed
from tests.generated.specs import random_system, shown
from tests.generated.states import random_states
from tests.generated.symmetric_agreement import CANONICAL, Orbits, permutes, searched

COMPILED = 10
"""Of so many seeds one is compiled in the tests; the emitted Python is compared for all."""

REASONS = {"names": "an element is named", "rounds": "the order of rounds may matter", "resets": "a crash resets"}


def examined(seeds: Iterable[int], count: int, *, compiled: int = 1) -> Counter[str]:
    """What there was to compare: sets, orbits, depths of searches."""
    found: Counter[str] = Counter()
    for seed in seeds:
        system = random_system(seed)
        symmetry = symmetry_of(system)
        found["sets permuted"] += len(symmetry.sets)
        found.update(
            f"sets not permuted: {next((text for word, text in REASONS.items() if word in refused), refused)}"
            for refused in symmetry.refused
        )
        if not symmetry.sets:
            found["specs without a set to permute"] += 1
            continue
        found[f"specs with {symmetry.permutations} permutations"] += 1
        ways = list(CANONICAL) if seed % compiled == 0 else ["python"]
        found.update(f"specs compared with {way}" for way in ways)
        with shown(seed):
            chance, evaluator, orbits = Random(seed), Evaluator(system), Orbits(system, symmetry, ways)
            for state in random_states(evaluator, chance, count):
                orbits.add(state)
                said = permutes(evaluator, expected(evaluator, state), chance.choice(symmetry.renamings()))
                found["states whose transitions are permuted"] += said
            found["orbits"] += orbits.count
            back_ends = list(BackEnd) if seed % compiled == 0 else [BackEnd.PYTHON]
            found[f"searches of depth {searched(system, symmetry, back_ends)}"] += 1
            if system.macros:
                found[f"macro searches of depth {searched(coarsened(system), symmetry, [BackEnd.PYTHON])}"] += 1
    return found


def look_at(found: Counter[str], record_property: Callable[[str, object], None]) -> None:
    record_property(PROPERTY, listed(found))
    assert found["sets permuted"] > 0 < found["sets not permuted: an element is named"]
    assert all(found[f"specs compared with {name}"] for name in CANONICAL)
    assert found["states whose transitions are permuted"] > found["orbits"] // 5
    assert sum(found[f"searches of depth {depth}"] for depth in range(2, 50)) >= 1


def test_random_symmetric_sets_are_permuted_as_brute_force_does(
    record_property: Callable[[str, object], None],
) -> None:
    look_at(examined(range(14), 10, compiled=COMPILED), record_property)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1200, 50))
def test_many_random_symmetric_sets_are_permuted_as_brute_force_does(
    first: int, record_property: Callable[[str, object], None]
) -> None:
    look_at(examined(range(first, first + 50), 100), record_property)


# ------------------------------------------------------------------------------------------ faults are seen


def permuted_system() -> System:
    return next(random_system(seed) for seed in range(20) if symmetry_of(random_system(seed)).permutations > 2)


def first_disagreement(count: int, ways: list[str]) -> Disagreement:
    for seed in range(20):
        system = random_system(seed)
        symmetry = symmetry_of(system)
        if symmetry.permutations > 2:
            orbits, evaluator = Orbits(system, symmetry, ways), Evaluator(system)
            try:
                for state in random_states(evaluator, Random(seed), count):
                    orbits.add(state)
                    permutes(evaluator, expected(evaluator, state), symmetry.renamings()[-1])
            except Disagreement as found:
                return found
    raise AssertionError("the fault was not seen")


def test_key_that_tells_elements_apart_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = CanonicalStates._key
    monkeypatch.setattr(CanonicalStates, "_key", lambda self, state, one: right(self, state, one) + ord(one))
    assert first_disagreement(5, ["python"]).what == "canonical states"


def test_least_state_that_is_not_looked_for_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SymmetryCode, "_least", lambda self, code, state, pool, less, other: None)
    assert first_disagreement(20, ["native"]).what == "canonical states"


def test_transition_that_is_not_permuted_is_seen() -> None:
    systems = [random_system(seed) for seed in range(20) if symmetry_of(random_system(seed)).sets]
    for system, state in ((s, state) for s in systems for state in random_states(Evaluator(s), Random(0), 4)):
        evaluator, names = Evaluator(system), symmetry_of(system).renamings()[-1]
        right = expected(evaluator, state)
        if permutes(evaluator, right, names):
            label, after = next((label, x) for label, x in right.outcomes.items() if isinstance(x, State))
            wrong = {**right.outcomes, label: after._replace(up=tuple(not up for up in after.up))}
            with pytest.raises(Disagreement, match="permuted transitions"):
                permutes(evaluator, replace(right, outcomes=wrong), names)
            return
    raise AssertionError("an evaluation fails in each state")


def test_search_that_stores_a_permuted_state_again_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CanonicalStates, "of", lambda self, state: state)
    system = permuted_system()
    with pytest.raises(Disagreement, match="levels up to symmetry"):
        searched(system, symmetry_of(system), [BackEnd.PYTHON])
