"""Symmetric sets of a random system: states permuted by brute force, against what the engine makes of them.

* Permuting a state permutes its transitions: the sets that the engine permutes may be permuted.
* Of all permutations of a state one is canonical, and there are as many canonical states as orbits: by the native code
  and by the emitted Python.
* A search up to symmetry counts, level by level, the orbits of the states that the reference finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from checker.explicit.back_end import BackEnd
from checker.explicit.canonical import CanonicalStates
from checker.explicit.compile import compiled
from checker.explicit.errors import DoesNotFit
from checker.explicit.layout import Capacity
from checker.explicit.search import explore
from checker.explicit.steps import Steps
from checker.explicit.symmetry import Symmetry
from spec.evaluate import EvaluationError, Evaluator
from spec.state import State
from spec.system import System
from tests.generated.agreement import MOST_ROOM, ROOM, Disagreement, Expected
from tests.spec import permutations

MOST_STATES = 120
"""The levels that are searched have no more states in all."""

Renaming = permutations.Renaming


class Canonical:
    """One way to find canonical states. ``of``: whatever stands for a state, the same for the same."""

    def __init__(self, make: Callable[[Capacity], Callable[[State], object]]) -> None:
        self.make, self.room = make, ROOM
        self.of = make(ROOM)

    def of_all(self, states: list[State]) -> list[object]:
        for _ in range(MOST_ROOM):
            try:
                return [self.of(state) for state in states]
            except DoesNotFit as full:
                self.room = self.room.grown(full.what)
                self.of = self.make(self.room)
        raise AssertionError(f"no room suffices for {states[0]}")


def _native(system: System, symmetry: Symmetry, *, checked: bool = False) -> Canonical:
    def make(room: Capacity) -> Callable[[State], State]:
        steps = Steps(compiled(system, room, symmetry=symmetry, checked=checked))
        return lambda state: steps.layout.decode(steps.canonical(steps.layout.encode(state)))

    return Canonical(make)


CANONICAL: dict[str, Callable[[System, Symmetry], Canonical]] = {
    "native": _native,
    "python": lambda system, symmetry: Canonical(lambda room: CanonicalStates(system, symmetry).of),
    "native, checked": lambda system, symmetry: _native(system, symmetry, checked=True),
}


class Orbits:
    """The states looked at so far, up to symmetry: by brute force, and by each of ``ways``."""

    def __init__(self, system: System, symmetry: Symmetry, ways: Iterable[str]) -> None:
        self.system, self.renamings = system, symmetry.renamings()
        self.ways = {name: CANONICAL[name](system, symmetry) for name in ways}
        self.seen: set[State] = set()
        self.count = 0
        self.canonical: dict[str, set[object]] = {name: set() for name in self.ways}

    def add(self, state: State) -> None:
        """Raises Disagreement."""
        alike = [permutations.state(self.system, state, names) for names in self.renamings]
        self.count += state not in self.seen
        self.seen.update(alike)
        for name, way in self.ways.items():
            found = set(way.of_all(alike))
            if len(found) != 1 or not found <= set(alike):
                raise Disagreement(name, "canonical states", f"{found}\nof the permutations of\n{state}")
            self.canonical[name] |= found
            if len(self.canonical[name]) != self.count:
                raise Disagreement(name, "orbits", f"{len(self.canonical[name])} instead of {self.count}, at {state}")


def permutes(evaluator: Evaluator, wanted: Expected, names: Renaming) -> bool:
    """Raises Disagreement if the transitions of the permuted state are not the permuted ones. False: nothing can be
    said, because an evaluation fails, which may depend on the order of elements."""
    system = evaluator.system
    state = permutations.state(system, wanted.state, names)
    if "error" in wanted.outcomes.values():
        return False
    try:
        found = dict(evaluator.transitions(state))
    except EvaluationError:
        return False
    should = {
        permutations.label(system, label, names): permutations.state(system, after, names)
        for label, after in wanted.outcomes.items()
        if isinstance(after, State)
    }
    if found != should:
        differ = [label for label in found.keys() | should.keys() if found.get(label) != should.get(label)]
        raise Disagreement("evaluator", "permuted transitions", f"{differ[0]}\nof\n{wanted.state}\nby {dict(names)}")
    return True


def searched(system: System, symmetry: Symmetry, ways: Iterable[BackEnd]) -> int:
    """Searches up to symmetry, as deep as the reference gets with few states; how deep that was. Properties are left
    out, and rules whose evaluation fails are forbidden: they would end the search. Raises Disagreement."""
    system, levels = _without_failures(replace(system, invariants=(), action_invariants=(), sometimes=()))
    should = orbits_of_levels(system, symmetry, levels)
    for way in ways:
        found = explore(system, max_steps=len(levels) - 1, symmetry=True, back_end=way)
        if found.symmetry == symmetry and (found.levels != should or found.violation is not None):
            raise Disagreement(way.value, "levels up to symmetry", f"{found.levels}, {found.violation}, not {should}")
    return len(levels) - 1


def _without_failures(system: System) -> tuple[System, list[list[State]]]:
    """The system without rules that fail early, and its first levels."""
    levels: list[list[State]] = []
    while True:
        failing = _explored(Evaluator(system), levels := [])
        if failing not in {rule.name for rule in system.rules}:
            return system, levels
        system = replace(system, forbidden=(*system.forbidden, failing))


def _explored(evaluator: Evaluator, levels: list[list[State]]) -> str:
    """Fills the levels, as long as there are few states; the rule whose evaluation fails, if one does."""
    (initial,) = evaluator.initial_states()
    levels.append([initial])
    known = {initial}
    while True:
        following: dict[State, None] = {}
        try:
            for state in levels[-1]:
                following.update(dict.fromkeys(after for _, after in evaluator.transitions(state)))
        except EvaluationError as error:
            return error.labels[0].rule
        new = [state for state in following if state not in known]
        if not new or len(known) + len(new) > MOST_STATES:
            break
        levels.append(new)
        known.update(new)
    return ""


def orbits_of_levels(system: System, symmetry: Symmetry, levels: list[list[State]]) -> list[int]:
    """How many states of each level there are up to symmetry, by brute force over all permutations. All of an orbit are
    on one level, because the initial state is its own orbit."""
    renamings, seen, counts = symmetry.renamings(), set[State](), []
    for level in levels:
        count = 0
        for state in level:
            if state not in seen:
                count += 1
                seen.update(permutations.state(system, state, names) for names in renamings)
        counts.append(count)
    return counts
