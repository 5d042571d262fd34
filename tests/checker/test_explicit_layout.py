"""States as words: nothing is lost, equal states have equal words, what does not fit is refused."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.explicit.errors import DoesNotFit
from checker.explicit.layout import WORD, Capacity, Layout
from checker.explicit.shapes import bits, pack, shape_of, unpack, values_of
from spec.evaluate import EvaluationError, Evaluator
from spec.network import waiting
from spec.sorts import (
    BOOL,
    AtomSort,
    EnumSort,
    IntSort,
    MapSort,
    OptionalSort,
    RecordSort,
    SeqSort,
    SetSort,
    Sort,
)
from spec.state import State
from spec.system import System
from tests.checker.symbolic_systems import NETWORKS, STORAGES, kitchen, shipped_system

ROOMY = Capacity(slots=64, copies=64, pending=32)


def walk(evaluator: Evaluator, seed: int, length: int) -> State:
    chance = random.Random(seed)
    state = evaluator.initial_states()[0]
    for _ in range(length):
        try:
            transitions = evaluator.transitions(state)
        except EvaluationError:
            break
        if not transitions:
            break
        state = chance.choice(transitions)[1]
    return state


systems = st.one_of(
    st.builds(kitchen, st.sampled_from(NETWORKS), st.sampled_from(STORAGES)),
    st.builds(shipped_system, st.just("raft"), st.sampled_from(("tiny", "three", "five"))),
    st.builds(shipped_system, st.just("two_phase_commit"), st.sampled_from(("three", "five"))),
)


@settings(max_examples=60)
@given(systems, st.integers(0, 10**6), st.integers(0, 30))
def test_decoding_gives_back_what_was_encoded(system: System, seed: int, length: int) -> None:
    layout = Layout(system, ROOMY)
    state = walk(Evaluator(system), seed, length)
    words = layout.encode(state)
    assert layout.decode(words) == state
    assert len(words) == layout.words
    assert all(0 <= word < 1 << WORD for word in words)


@settings(max_examples=30)
@given(st.sampled_from(NETWORKS), st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_words_do_not_depend_on_the_order_of_what_has_none(network: str, seed: int, chance: random.Random) -> None:
    system = kitchen(network)
    layout = Layout(system, ROOMY)
    state = walk(Evaluator(system), seed, 20)
    items = list(state.network)
    chance.shuffle(items)
    same = replace_network(state, frozenset(items))
    assert layout.encode(same) == layout.encode(state)
    kind = system.network.kind
    assert all(outbox == waiting(kind, (), outbox) for outbox in layout.decode(layout.encode(state)).outbox)


def replace_network(state: State, network: frozenset[object]) -> State:
    return state._replace(network=network)  # type: ignore[arg-type]


RED = EnumSort("Colour", ("Red", "Green", "Blue"))
NODES = AtomSort("Node", ("a", "b", "c", "d", "e"))
PAIR = RecordSort("Pair", (("n", IntSort(-2, 3)), ("who", OptionalSort(NODES))))
SORTS: tuple[Sort, ...] = (
    BOOL,
    IntSort(0, 0),
    IntSort(-3, 4),
    RED,
    PAIR,
    OptionalSort(PAIR),
    SetSort(RED),
    SetSort(SetSort(BOOL)),
    SeqSort(IntSort(1, 2), 3),
    SeqSort(IntSort(1, 1), 3),
    MapSort(RED, SeqSort(BOOL, 2)),
    MapSort(OptionalSort(BOOL), OptionalSort(BOOL)),
)


@pytest.mark.parametrize("sort", SORTS, ids=str)
def test_every_value_of_a_sort_has_its_own_bits(sort: Sort) -> None:
    shape = shape_of(sort)
    packed = [pack(shape, value) for value in values_of(shape)]
    assert [unpack(shape, bits_of) for bits_of in packed] == list(values_of(shape))
    assert len(set(packed)) == len(packed)
    assert max(packed).bit_length() <= bits(shape)


def test_no_field_straddles_a_word_and_none_overlap() -> None:
    layout = Layout(shipped_system("raft", "five"))
    regions = [[p for _, p in layout.common.values()] + [*layout.budget_places, layout.up]]
    for kind in layout.kinds.values():
        regions.append([p for _, p in kind.variables.values()] + [kind.disk, kind.pending, *kind.records])
    for places in regions:
        used = [(piece.word, bit) for p in places for piece in p.pieces for bit in _bits(piece.shift, piece.width)]
        assert len(used) == len(set(used))
        assert all(bit < WORD for _, bit in used)


def _bits(shift: int, width: int) -> range:
    return range(shift, shift + width)


@pytest.mark.parametrize("what", ["slots", "copies", "pending"])
def test_state_that_does_not_fit_is_refused(what: str) -> None:
    system = kitchen()
    evaluator, small = Evaluator(system), replace(ROOMY, **{what: 1})
    refused = set()
    for seed in range(40):
        try:
            Layout(system, small).encode(walk(evaluator, seed, 30))
        except DoesNotFit as full:
            refused.add(full.what)
    assert refused == {what}
