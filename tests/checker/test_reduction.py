"""Counting up to symmetry and up to commuting: what is merged is what permutations and exchanges make the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import checker.job
from checker.enumeration import Interleaving
from checker.explicit.symmetry import symmetry_of
from checker.reduction import Reduction, UpTo
from checker.verdict import Exit
from spec import counting
from spec.counting import CrashState
from spec.evaluate import Evaluator
from spec.independence import Independence
from spec.state import Label, State
from spec.system import System
from tests.checker.command_line import model_check
from tests.checker.symbolic_systems import shipped_system
from tests.checker.symmetric_systems import zoo
from tests.spec import permutations

Run = tuple[State, tuple[Label, ...]]

SYSTEMS = {
    "raft": (lambda: shipped_system("raft", "tiny"), 4, 1),
    "raft, wider": (lambda: shipped_system("raft", "tiny"), 3, 2),
    "raft, three servers": (lambda: shipped_system("raft", "three"), 1, 1),
    "two symmetric sets": (lambda: zoo("bag"), 1, 1),
    "fifo": (lambda: zoo("fifo", "atomic"), 1, 1),
}


def interleavings(system: System, depth: int, window: int) -> list[Interleaving]:
    """From the initial state, in which all elements are alike: every permutation of one is another one."""
    evaluator = Evaluator(system)
    start = evaluator.initial_states()[0]
    found = counting.interleavings(evaluator, start, depth, window)
    return [Interleaving((), state, labels) for state, labels in found]


class Orbits:
    """What permutations make of runs, by brute force; of each state and label once."""

    def __init__(self, system: System) -> None:
        renamings = symmetry_of(system).renamings()
        self.states = cache(lambda state: [permutations.state(system, state, names) for names in renamings])
        self.labels = cache(lambda label: [permutations.label(system, label, names) for names in renamings])

    def of(self, run: Run) -> frozenset[Run]:
        state, labels = run
        runs = zip(*(self.labels(label) for label in labels), strict=True)
        return frozenset(zip(self.states(state), runs, strict=True))


def exchanged(independence: Independence, run: Run) -> set[Run]:
    state, labels = run
    return {
        (state, (*labels[:i], b, a, *labels[i + 2 :]))
        for i, (a, b) in enumerate(pairwise(labels))
        if independence.independent(a, b)
    }


@pytest.mark.parametrize("name", SYSTEMS)
def test_orbits_weighed_by_their_size_are_all_interleavings(name: str) -> None:
    make, depth, window = SYSTEMS[name]
    system = make()
    reduction, orbits, found = Reduction(system), Orbits(system), interleavings(system, depth, window)
    members = Counter(reduction.class_of(interleaving, UpTo.SYMMETRY) for interleaving in found)
    representatives = reduction.representatives(found, UpTo.SYMMETRY)
    sizes = {reduction.class_of(one, UpTo.SYMMETRY): len(orbits.of(one.key)) for one in representatives}
    assert sizes == members
    assert sum(sizes.values()) == len(found)
    assert len(members) < len(found)
    assert len({orbits.of(interleaving.key) for interleaving in found}) == len(members)


@pytest.mark.parametrize("name", SYSTEMS)
def test_up_to_both_is_what_permutations_and_exchanges_connect(name: str) -> None:
    make, depth, window = SYSTEMS[name]
    system = make()
    independence, reduction, orbits = Independence(system), Reduction(system), Orbits(system)
    found = {interleaving.key for interleaving in interleavings(system, depth, window)}
    connected, seen = 0, set[Run]()
    for first in found:
        if first in seen:
            continue
        connected += 1
        component, waiting = {first}, [first]
        while waiting:
            run = waiting.pop()
            for other in orbits.of(run) | exchanged(independence, run):
                if other not in component:
                    component.add(other)
                    waiting.append(other)
        seen |= component
        mine = {reduction.class_of(Interleaving((), *run), UpTo.BOTH) for run in component}
        assert len(mine) == 1
    classes = {reduction.class_of(Interleaving((), *run), UpTo.BOTH) for run in found}
    assert len(classes) == connected
    alike = {reduction.class_of(Interleaving((), *run), UpTo.SYMMETRY) for run in found}
    assert (len(classes) < len(alike)) == (window > 1)  # a crash in the middle of three leaves little to exchange


@pytest.mark.parametrize("name", ["raft", "two symmetric sets"])
def test_crash_states_that_are_alike_are_one(name: str) -> None:
    make, depth, _ = SYSTEMS[name]
    system = make()
    evaluator = Evaluator(system)
    alike = Reduction(system).alike
    crashes = list(counting.crash_states(evaluator, evaluator.initial_states()[0], depth))
    ghosts = evaluator.initial_states()[0]

    def permuted(crash: CrashState) -> frozenset[Hashable]:
        images = set()
        for names in symmetry_of(system).renamings():
            full = crash.before._replace(ghosts=ghosts.ghosts)
            state = permutations.state(system, full, names).without_history()
            place = evaluator.index[crash.process]
            lost = full._replace(disk=(*full.disk[:place], crash.surviving, *full.disk[place + 1 :]))
            disk = permutations.state(system, lost, names).disk
            process = names.get(crash.process, crash.process)
            images.add(CrashState(state, process, disk[evaluator.index[process]] or (), crash.keep))
        return frozenset(images)

    orbits = {permuted(crash) for crash in crashes}
    assert sum(map(len, orbits)) == len(crashes)
    assert len({alike.of_crash(crash) for crash in crashes}) == len(orbits) < len(crashes)
    for images in orbits:
        assert len({alike.of_crash(crash) for crash in images}) == 1  # type: ignore[arg-type]


def test_one_of_each_class_is_replayed_and_the_report_counts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker.job, "_complete", lambda *_: None)
    words = ("enumerate", "--model", "tiny", "--engine", "reference", "--depth", "2", "--window", "2")
    whole = model_check(*words, "--json").json
    up_to = whole["coverage"]["interleavings_up_to"]
    assert whole["coverage"]["interleavings"] == whole["interleavings"]["distinct"] > up_to["commuting"] > 0
    assert whole["coverage"]["symmetry"]["permutations"] == 2
    for way in ("commuting", "symmetry", "both"):
        found = model_check(*words, "--replay", "--reduce", way, "--json").json
        assert found["coverage"]["interleavings_up_to"] == up_to
        assert found["replays"]["traces"] == up_to[way]
        assert (found["coverage"]["reduced_to"], found["exit"]) == (way, Exit.HOLDS)
        assert f"--reduce {way}" in found["reproduce"]


@pytest.mark.parametrize("words", [("--target", "disk"), ("--disk", "lossy"), ("--break", "no-dedup")])
def test_what_to_replay_on_is_refused_where_nothing_is_replayed(words: tuple[str, str]) -> None:
    ran = model_check("enumerate", "--model", "tiny", *words)
    assert ran.code == Exit.USAGE
    assert f"{words[0]} says what is replayed on: it needs --replay" in ran.err


def test_reducing_what_is_not_replayed_is_refused() -> None:
    ran = model_check("enumerate", "--model", "tiny", "--reduce", "both")
    assert ran.code == Exit.USAGE
    assert "it needs --replay" in ran.err


def test_a_set_that_may_not_be_permuted_is_named_with_the_reason(tmp_path: Path) -> None:
    text = """
const Node: set symmetric
process Node:
    durable d: 0..1 = 0
    action write:
        d := 1
scenario begin:
    run:
        write(a)
model one:
    Node = {a, b}
    storage = buffered
    max_crashes = 1
    constraint slow:
        a.d + b.d <= 2
    enumerate begin depth 2 window 1
"""
    path = tmp_path / "named.spec"
    path.write_text(text, encoding="utf-8")
    ran = model_check("enumerate", path, "--engine", "reference")
    assert "Node is not permuted: constraint slow names a" in ran.out
    assert "up to symmetry" not in ran.out
    assert "up to commuting of independent labels: " in ran.out
