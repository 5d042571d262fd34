"""The explicit engine up to symmetry: one state for each orbit, the same verdicts, and runs that really exist."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("llvmlite")

from checker.explicit import emit_renaming
from checker.explicit.back_end import BackEnd
from checker.explicit.compile import CHECKED_VARIABLE, compiled
from checker.explicit.emit_element_keys import KeyCode
from checker.explicit.emit_renaming import Region, RenamingCode, Tables
from checker.explicit.emit_symmetry import SymmetryCode
from checker.explicit.emit_types import number
from checker.explicit.errors import BrokenCode
from checker.explicit.search import explore
from checker.explicit.steps import Steps
from checker.explicit.symmetry import symmetry_of
from spec.evaluate import Evaluator
from spec.explore import explore as reference
from spec.load import load_system, shipped
from spec.script import start_state
from spec.state import State
from spec.system import System
from tests.checker.symbolic_systems import of_text, shipped_system
from tests.checker.symmetric_systems import Chance, zoo
from tests.spec import permutations

pytestmark = pytest.mark.usefixtures("cache_folder")

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "data" / "tlc_counts.json").read_text())[
    "raft.tla"
]["rows"]
NETWORKS = ("bag", "fifo", "set")
STORAGES = ("buffered", "atomic")


# ------------------------------------------------------------------------------------------ exact counts


@pytest.mark.parametrize(("model", "row"), [("one_entry", ROWS[0]), ("no_entry", ROWS[1])])
def test_ongaro_has_as_many_states_up_to_symmetry_as_tlc_counts(model: str, row: dict[str, Any]) -> None:
    found = explore(shipped_system("ongaro", model), symmetry=True)
    assert (found.distinct, found.depth, found.complete) == (row["distinct_symmetric"], row["depth"], True)


def orbits(system: System, states: Iterable[State]) -> int:
    """How many states there are up to symmetry, by brute force over all permutations."""
    renamings = symmetry_of(system).renamings()
    seen: set[State] = set()
    count = 0
    for state in states:
        if state not in seen:
            count += 1
            seen.update(permutations.state(system, state, names) for names in renamings)
    return count


def levels_of_orbits(system: System, steps: int | None) -> list[int]:
    """The orbits first reached by so many labels. All of an orbit is reached by as many labels as one of it, if the
    initial state is symmetric."""
    found = reference(Evaluator(system), max_steps=steps)
    states = iter(found.states)  # in the order in which they were found
    return [orbits(system, islice(states, size)) for size in found.levels]


@pytest.mark.parametrize(
    ("spec", "model", "steps"),
    [
        ("raft", "tiny", 12),
        pytest.param("raft", "tiny", None, marks=pytest.mark.slow),
        ("raft", "three", 5),
        ("raft", "five", 2),
        ("two_phase_commit", "three", None),
        ("paxos", "two_proposers", 6),
        ("chain_replication", "one_write", 8),
        pytest.param("chain_replication", "one_write", None, marks=pytest.mark.slow),
        ("chain_replication", "two_writes", 6),
        ("lock_service", "three_clients", 7),
    ],
)
def test_shipped_model_is_counted_up_to_symmetry(spec: str, model: str, steps: int | None) -> None:
    system = shipped_system(spec, model)
    ways: tuple[dict[str, Any], ...] = ({"workers": 1}, {"workers": 2}, {"back_end": BackEnd.PYTHON})
    for way in ways:
        found = explore(system, max_steps=steps, symmetry=True, **way)
        assert found.symmetry.permutations > 1
        assert found.levels == levels_of_orbits(system, steps)


def test_start_that_tells_servers_apart_is_counted_up_to_symmetry_too() -> None:
    """An orbit may then be reached in fewer labels in one of its states than in another, and is there from then on."""
    system = load_system(shipped("raft"), mutant="new-leader-auto-commits")
    start, _ = start_state(Evaluator(system))
    assert all(permutations.state(system, start, names) != start for names in symmetry_of(system).renamings()[1:])
    plain = reference(Evaluator(system), start=start, max_steps=4, check=False)
    found = explore(system, start=start, max_steps=4, symmetry=True)
    expected = [orbits(system, islice(plain.states, size)) for size in accumulate(plain.levels)]
    assert list(accumulate(found.levels)) == expected


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("storage", STORAGES)
def test_several_symmetric_sets_are_counted_up_to_all_of_their_permutations(network: str, storage: str) -> None:
    system = zoo(network, storage)
    found = explore(system, max_steps=4, symmetry=True)
    assert [sort.name for sort in found.symmetry.sets] == ["Node", "Value"]
    assert found.levels == levels_of_orbits(system, 4)


# ---------------------------------------------------------------------------------------- canonical states


def is_canonical(system: System, states: Iterable[State]) -> bool:
    """Whether all permutations of each state have one canonical state, which is one of them."""
    symmetry = symmetry_of(system)
    steps = Steps(compiled(system, symmetry=symmetry))
    encode, renamings = steps.layout.encode, symmetry.renamings()
    for state in states:
        alike = [encode(permutations.state(system, state, names)) for names in renamings]
        found = {steps.canonical(words) for words in alike}
        if len(found) != 1 or not found <= set(alike):
            return False
    return True


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("table", [0, emit_renaming.SMALL_TABLE])
def test_all_permutations_of_a_state_have_one_canonical_state(
    network: str, storage: str, table: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With tables of small values, and without any."""
    monkeypatch.setattr(emit_renaming, "SMALL_TABLE", table)
    system = zoo(network, storage)
    assert is_canonical(system, Chance(system, 7).states(200))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("table", [0, emit_renaming.SMALL_TABLE])
def test_debug_build_is_clean(network: str, table: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emit_renaming, "SMALL_TABLE", table)
    monkeypatch.setenv(CHECKED_VARIABLE, "1")
    system = zoo(network)
    assert is_canonical(system, Chance(system, 8).states(100))
    assert explore(system, max_steps=3, symmetry=True).levels == levels_of_orbits(system, 3)


def test_row_beyond_a_table_of_permutations_is_out_of_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Tables.look_up
    monkeypatch.setattr(Tables, "look_up", lambda self, code, table, at: right(self, code, table, code.add(at, at)))
    monkeypatch.setenv(CHECKED_VARIABLE, "1")
    system = zoo()
    with pytest.raises(BrokenCode, match=r"a read of 1 bytes in (keys|rename)"):
        is_canonical(system, Chance(system, 8).states(100))


def forget(region: Region, which: int) -> None:
    """The place keeps its bits when a state is permuted."""
    for piece in region.names.pop(which).place.pieces:
        region.rest[piece.word] |= ((1 << piece.width) - 1) << piece.shift


@cache
def pieces() -> tuple[tuple[str, int], ...]:
    """Every place of the zoo's states that may name elements: its region, its number there."""
    system = zoo()
    found: list[tuple[str, int]] = []

    class Spy(RenamingCode):
        def emit(self) -> None:
            regions = {"": self.common, **self.regions}
            found.extend((name, i) for name, region in regions.items() for i in range(len(region.names)))
            super().emit()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("checker.explicit.emit_symmetry.RenamingCode", Spy)
        compiled(system, symmetry=symmetry_of(system))
    return tuple(found)


def test_every_kind_of_place_may_name_elements() -> None:
    """Up, token, heard, holders, both of firsts; a node's nine, three on disk and in each of two records; a client's
    two: the faults below leave out each of them once."""
    named = [name for name, _ in pieces()]
    assert (named.count(""), named.count("Node"), named.count("Client")) == (6, 9 + 3 * 3, 2)


def planted(monkeypatch: pytest.MonkeyPatch, fault: Callable[[RenamingCode], None]) -> bool:
    """Whether canonical states are right although something is wrong with how a state is permuted."""

    class Faulty(RenamingCode):
        def emit(self) -> None:
            fault(self)
            super().emit()

    monkeypatch.setattr("checker.explicit.emit_symmetry.RenamingCode", Faulty)
    system = zoo()
    return is_canonical(system, Chance(system, 7).states(60))


def test_the_planted_faults_below_are_all_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planted(monkeypatch, lambda code: None)


@pytest.mark.parametrize("first", [-1, pytest.param(0, marks=pytest.mark.slow)])
def test_any_place_that_is_not_permuted_is_noticed(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one; slowly, each of them."""
    for name, which in pieces()[first:]:

        def fault(code: RenamingCode, name: str = name, which: int = which) -> None:
            forget({"": code.common, **code.regions}[name], which)

        assert not planted(monkeypatch, fault), (name, which)


def test_payload_that_is_not_permuted_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    for which in range(3):
        assert not planted(monkeypatch, lambda code, which=which: code.payloads["Note"].pop(which) and None)


def test_records_that_are_not_there_are_not_permuted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(code: RenamingCode) -> None:
        region = code.regions["Node"]
        region.names[:] = [replace(name, record=None) for name in region.names]

    assert not planted(monkeypatch, fault)


def test_key_that_tells_elements_apart_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = KeyCode._seen

    def apart(code: KeyCode, writer: Any, names: Any, source: Any, element: Any, pending: Any) -> Any:
        yield from mixed(code, writer, names, source, element, pending)
        yield element

    monkeypatch.setattr(KeyCode, "_seen", apart)
    system = zoo()
    assert not is_canonical(system, Chance(system, 7).states(60))


def without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """All elements have the same key, so that every order of them is open."""
    monkeypatch.setattr(KeyCode, "_mixed", lambda *_: number(1))
    monkeypatch.setattr(KeyCode, "_add", lambda *_: None)


@pytest.mark.parametrize("network", NETWORKS)
def test_canonical_states_do_not_depend_on_keys_being_any_good(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without_keys(monkeypatch)
    system = zoo(network)
    assert is_canonical(system, Chance(system, 9).states(60))
    assert explore(system, max_steps=3, symmetry=True).levels == levels_of_orbits(system, 3)


def test_elements_taken_for_twins_that_are_not_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    without_keys(monkeypatch)
    monkeypatch.setattr(SymmetryCode, "_swap", lambda *_: 0)
    system = zoo()
    assert not is_canonical(system, Chance(system, 9).states(60))


def test_twins_are_not_looked_at_in_every_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five that nothing tells apart: their order is decided before any of the 120 is tried."""
    monkeypatch.setattr(SymmetryCode, "_least", lambda *_: None)
    system = shipped_system("two_phase_commit", "five")
    steps = Steps(compiled(system, symmetry=symmetry_of(system)))
    first = steps.layout.encode(Evaluator(system).initial_states()[0])
    assert steps.canonical(first) == first
    assert explore(system, symmetry=True).distinct == 314, "as many as with every order tried"


# ---------------------------------------------------------------------------------------------- verdicts


MUTANTS = {
    path.stem: spec
    for path in sorted((shipped("raft").parent / "mutants").glob("*.spec"))
    for spec in re.findall(
        rf"^mutant {re.escape(path.stem)} of ([\w-]+):", path.read_text(encoding="utf-8"), re.MULTILINE
    )
}
SEED = ("commit-prior-term-by-counting", "new-leader-auto-commits", "reply-at-append")


def test_mutants_are_found() -> None:
    assert set(SEED) <= set(MUTANTS)


@pytest.mark.parametrize(
    "mutant", [*SEED, *(pytest.param(m, marks=pytest.mark.slow) for m in MUTANTS if m not in SEED)]
)
def test_mutant_is_killed_by_a_run_as_short_as_without_symmetry(mutant: str) -> None:
    system = load_system(shipped(MUTANTS[mutant]), mutant=mutant)
    evaluator = Evaluator(system)
    start, _ = start_state(evaluator)
    steps = system.bounds.steps
    plain, alike = (
        explore(system, start=start, max_steps=steps, symmetry=symmetry, timeout=60) for symmetry in (False, True)
    )
    assert alike.symmetry.permutations > 1
    if plain.stopped is not None:
        pytest.skip("without symmetry it takes more than a minute")
    if plain.violation is None:
        assert (alike.violation, alike.complete) == (None, plain.complete)
        return
    assert alike.violation is not None
    assert len(alike.violation.labels) == len(plain.violation.labels)
    state = start
    for label in alike.violation.labels:
        before, state = state, evaluator.successor(state, label)
    broken = (*evaluator.violated(state), *evaluator.violated_by_step(before, label, state))
    assert alike.violation.property in broken


# ----------------------------------------------------------------------------------- failures, cuts, no way on

ORDERED = """
const Node: set symmetric
const top: int
process Node:
    durable  count: map[Node, 0..top] = {{n: 1 for n in Node}}
    volatile low:   map[Node, -1..1] = {{n: 0 for n in Node}}
    durable  salt:  map[Node, 0..9] = {{n: 0 for n in Node}}
    action act(node: Node):
        {act}
    action go:
        {go}
{more}
model m:
    Node = {{a, b, c}}
    top = 2
    storage = atomic
"""
ONE_ZERO = "count[node] := 0\n        salt[node] := {salt}"
"""Which element comes first in the stored state depends on the salt: in some the others must hide the failure."""
SALTS = [ONE_ZERO.format(salt=salt) for salt in range(4)]
ALL_BUT_ONE_ZERO = "count := {n: if n == node then 1 else 0 for n in Node}"
FAILS_SOMETIMES = (
    "require exists n in Node: 6 div count[n] > 1",
    "require not (forall n in Node: 6 div count[n] == 1)",
    "for n in Node:\n            require 6 div count[n] == 1",
    "for n in Node:\n            low[n] := if count[n] == 0 then 2 else 0\n            require count[n] == 0",
    "for n in Node:\n            count[n] := if count[n] == 1 then 3 else -1",
    "count := {n: if count[n] == 1 then 3 else -1 for n in Node}",
)


@pytest.mark.parametrize("act", SALTS)
@pytest.mark.parametrize("go", FAILS_SOMETIMES)
def test_failure_that_only_some_orders_show_is_found_as_early_as_without_symmetry(act: str, go: str) -> None:
    system = of_text(ORDERED.format(act=act, go=go, more=""))
    plain = explore(system)
    assert plain.violation is not None
    alike = explore(system, symmetry=True, back_end=BackEnd.NATIVE)
    assert alike.violation is not None
    assert plain.violation.property is alike.violation.property is None
    assert len(plain.violation.labels) == len(alike.violation.labels) == 2
    slow = explore(system, symmetry=True, back_end=BackEnd.PYTHON)  # runs a loop in one order: it may find it later
    assert slow.violation is not None
    assert slow.violation.property is None


@pytest.mark.parametrize("act", SALTS)
@pytest.mark.parametrize(
    "more",
    [
        "invariant some: exists p in Node: exists n in Node: 6 div p.count[n] > 1",
        "sometimes all: exists p in Node: forall n in Node: 6 div p.count[n] == 1",
        "action invariant some: exists p in Node: exists n in Node: 6 div p.count[n] > 1",
    ],
)
def test_failure_of_a_property_that_only_some_orders_show_is_found_too(act: str, more: str) -> None:
    system = of_text(ORDERED.format(act=act, go="require false", more=more))
    plain = explore(system)
    assert plain.violation is not None
    for back_end in BackEnd:
        alike = explore(system, symmetry=True, back_end=back_end)
        assert alike.violation is not None
        assert plain.violation.property is alike.violation.property is None
        assert len(plain.violation.labels) == len(alike.violation.labels)


def test_failure_that_the_real_run_does_not_show_is_looked_for_without_symmetry() -> None:
    """The first run to a state that fails has the element first that decides; the evaluator finds nothing wrong."""
    system = of_text(ORDERED.format(act=ALL_BUT_ONE_ZERO, go=FAILS_SOMETIMES[0], more=""))
    reason = "Node is not permuted: an evaluation fails for some orders of its elements only"
    refused = []
    for back_end in BackEnd:
        found = explore(system, symmetry=True, back_end=back_end)
        assert found.violation is not None
        refused.append(found.symmetry.refused)
    assert refused == [(reason,), (reason,)]


@pytest.mark.parametrize(
    "go",
    [
        "for n in Node:\n            require count[n] > 0\n            low[n] := 1",
        "for n in Node:\n            count[n] := if count[n] == 0 then 3 else 2",
        "for n in Node:\n            require count[n] > 0\n            count[n] := count[n] + 2",
        "for n in Node:\n            for k in Node:\n                require count[k] > 0\n            low[n] := 1",
    ],
)
def test_round_that_is_cut_or_not_enabled_ends_the_transition(go: str) -> None:
    system = of_text(ORDERED.format(act=SALTS[0], go=go, more=""))
    found = explore(system, symmetry=True)
    assert found.levels == levels_of_orbits(system, None)
    assert found.complete


def test_violation_of_a_step_is_of_the_real_step() -> None:
    more = "action invariant kept: exists p in Node: forall n in Node: n != p or n.count == old(n.count)"
    act = "require node == self\n        count[node] := 0"
    system = of_text(ORDERED.format(act=act, go="require false", more=more))
    plain, alike = (explore(system, symmetry=symmetry) for symmetry in (False, True))
    assert plain.violation is None
    assert alike.violation is None
    strict = more.replace("exists p in Node", "forall p in Node")
    system = of_text(ORDERED.format(act=act, go="require false", more=strict))
    found = explore(system, symmetry=True)
    assert found.violation is not None
    assert (found.violation.property, len(found.violation.labels)) == ("kept", 1)
