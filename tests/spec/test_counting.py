"""Crash states and interleavings, against a count that keeps to the words of language.md, What is counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spec.counting import OTHER, Classifier, CrashState, Situation, crash_states, crashes_of, interleavings, set_hash
from spec.evaluate import Cut, EvaluationError, Evaluator, NotEnabled
from spec.load import load_system, shipped
from spec.script import find_scenario, run_scenario
from spec.state import Label, State
from tests.spec.small import Small, nodes

MEMBERS = """
    durable  d: 0..2 = 0
    volatile x: 0..2 = 0
    action write(n: 1..2):
        require d != n
        d := n
        ghost first := if first == 0 then n else first
        fsync
        send Note(n=n) to b
    action flicker:
        require d == 0
        d := 1
        record
        d := 0
        record
    on Note m:
        require x == 0
        x := m.n
"""
TOP = """
ghost first: 0..2 = 0
track v in 1..2
window promised: exists m in network(Note): m.n == v
window led:      first == v
window written:  exists p in Node: p.d == v
actor writer:    crashed.d == v
actor reader:    crashed.x == v
outcome kept:    exists p in Node: disk(p).d == v
outcome was_led: first == v
"""
MODEL = "max_in_flight = 2\n"


def counted(model: str = MODEL, max_crashes: int = 1, network: str = "bag with loss", elements: str = "a, b") -> Small:
    return nodes(MEMBERS, top=TOP, model=model, max_crashes=max_crashes, network=network, elements=elements)


def runs(evaluator: Evaluator, first: State, length: int) -> Iterator[tuple[list[State], list[Label]]]:
    """Every run of at most so many labels, each with all its states: no state is ever remembered."""
    yield [first], []
    if length:
        for label in evaluator.candidates(first):
            try:
                after = evaluator.successor(first, label)
            except (NotEnabled, Cut):
                continue
            for states, labels in runs(evaluator, after, length - 1):
                yield [first, *states], [label, *labels]


def bare(state: State) -> tuple[object, ...]:
    """What a crash state compares: not the ghosts, not the budgets."""
    return (state.memory, state.disk, state.pending, state.outbox, state.up, state.shared, state.network)


def sorts(situation: Situation) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return situation.windows, situation.actors


def windows_of(small: Small, state: State, crashed: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """The windows and actors of MEMBERS, written in Python."""
    memory = {p: small.memory(state, p) for p in small.system.processes}
    first = small.ghosts(state)["first"]
    found = ([], [])  # type: tuple[list[int], list[int]]
    for v in (1, 2):
        sent = any(message[3] == v for message, _ in state.network)
        conditions = [sent, first == v, any(m["d"] == v for m in memory.values())]
        found[0].append(conditions.index(True) if True in conditions else -1)
        roles = [memory[crashed]["d"] == v, memory[crashed]["x"] == v]
        found[1].append(roles.index(True) if True in roles else -1)
    return (found[0][0], found[0][1]), (found[1][0], found[1][1])


def naive_crash_states(small: Small, start: State, depth: int) -> dict[tuple[object, ...], set[object]]:
    """(bare state, process, surviving disk) → its (windows, actors)."""
    found: dict[tuple[object, ...], set[object]] = {}
    for states, _ in runs(small.evaluator, start, depth):
        last = states[-1]
        for label, after in small.evaluator.transitions(last):
            if label.rule == "crash":
                process = str(label.process)
                key = (bare(last), process, after.disk[small[process]])
                found.setdefault(key, set()).add(windows_of(small, last, process))
    return found


STARTS = {"initial": (), "pending": ("write a 1", "write a 2"), "sent": ("write b 2", "flush b")}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("max_crashes", [1, 2])
def test_crash_states_and_their_situations_are_those_of_all_runs(start: str, depth: int, max_crashes: int) -> None:
    small = counted(max_crashes=max_crashes)
    state = small.run(*STARTS[start])
    found = crash_states(small.evaluator, state, depth)
    counted_too = {
        (bare_of(crash), crash.process, crash.surviving): {(s.windows, s.actors) for s in situations}
        for crash, situations in found.items()
    }
    assert counted_too == naive_crash_states(small, state, depth)
    assert len(counted_too) == len(found)


def bare_of(crash: CrashState) -> tuple[object, ...]:
    assert (crash.before.ghosts, crash.before.budgets) == ((), ())
    return bare(crash.before)


def test_the_initial_state_has_one_crash_state_for_each_process_that_may_crash() -> None:
    small = counted()
    assert {(c.process, c.surviving, c.keep) for c in crash_states(small.evaluator, small.initial, 0)} == {
        ("a", (0,), 0),
        ("b", (0,), 0),
    }


def test_keeps_that_leave_the_same_disk_are_one_crash_state() -> None:
    small = counted()
    state = small.run("flicker a")
    assert small.pending(state, "a") == ((1,), (0,))
    of_a = [(label, crash) for label, crash in crashes_of(small.evaluator, state) if crash.process == "a"]
    found = [(label.arguments, crash.keep, crash.surviving) for label, crash in of_a]
    assert found == [((0,), 0, (0,)), ((1,), 1, (1,))]


def test_states_that_differ_only_in_ghosts_and_budgets_are_one_crash_state_in_several_windows() -> None:
    small = counted(max_crashes=2, elements="b")
    one = small.run("write b 1", "flush b", "write b 2", "flush b", "drop b b 1", "drop b b 2")
    other = small.run("write b 2", "flush b", "drop b b 2")
    assert (one.ghosts, other.ghosts) == ((1,), (2,))
    assert bare(one) == bare(other)
    found = crash_states(small.evaluator, small.initial, 6)
    (crash,) = (c for c, _ in [*found.items()] if c.before == one.without_history())
    assert {situation.windows for situation in found[crash]} == {(1, 2), (OTHER, 1)}


def test_each_situation_has_a_shortest_run_that_gives_it() -> None:
    small = counted(max_crashes=2)  # a crash and a restart lead back to where a shorter run has been
    classifier = Classifier(small.evaluator)
    for crash, situations in crash_states(small.evaluator, small.initial, 2).items():
        for situation, labels in situations.items():
            state = small.initial
            for label in labels[:-1]:
                state = small.evaluator.successor(state, label)
            assert state.without_history() == crash.before
            assert labels[-1] == Label("crash", crash.process, (crash.keep,))
            assert classifier.situation(state, crash.process) == situation
            lengths = [
                len(run)
                for states, run in runs(small.evaluator, small.initial, len(labels) - 1)
                if bare(states[-1]) == bare_of(crash)
                and windows_of(small, states[-1], crash.process) == (situation.windows, situation.actors)
                and (states[-1].ghosts, states[-1].budgets) == (situation.ghosts, situation.budgets)
            ]
            assert min(lengths) == len(labels) - 1


def test_used_up_crash_budget_leaves_no_crash_state() -> None:
    small = counted()
    down = small.run("write a 1", "crash a 0", "restart a")
    assert list(crashes_of(small.evaluator, down)) == []
    assert crash_states(small.evaluator, down, 1) == {}


def test_a_crash_that_is_cut_is_not_counted() -> None:
    small = counted(MODEL + "constraint a_is_needed: up(a)\n")
    assert {crash.process for crash in crash_states(small.evaluator, small.initial, 1)} == {"b"}


def test_a_down_process_does_not_crash() -> None:
    small = counted(max_crashes=2)
    assert [crash.process for _, crash in crashes_of(small.evaluator, small.run("crash a 0"))] == ["b"]


def test_atomic_storage_has_one_crash_state_for_each_process() -> None:
    small = nodes(MEMBERS, top=TOP, model=MODEL, storage="atomic")
    found = list(crashes_of(small.evaluator, small.run("write a 2")))
    assert [(label, crash.surviving, crash.keep) for label, crash in found] == [
        (Label("crash", "a"), (2,), 0),
        (Label("crash", "b"), (0,), 0),
    ]


# ---------------------------------------------------------------------------------------------- interleavings


@pytest.mark.parametrize(("depth", "window"), [(0, 0), (2, 0), (1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("start", ["initial", "sent"])
def test_interleavings_are_the_runs_with_a_crash_in_the_middle_from_each_distinct_state(
    start: str, depth: int, window: int
) -> None:
    small = counted(model="max_in_flight = 1\n", network="bag", elements="b", max_crashes=2)
    state = small.run(*STARTS[start])
    found = list(interleavings(small.evaluator, state, depth, window))
    starts = {states[-1] for states, _ in runs(small.evaluator, state, depth - window)}
    naive = {
        (first, tuple(labels))
        for first in starts
        for _, labels in runs(small.evaluator, first, 2 * window + 1)
        if len(labels) == 2 * window + 1 and labels[window].rule == "crash"
    }
    assert set(found) == naive
    assert len(found) == len(naive) > 0


def test_distinct_start_states_of_interleavings_include_ghosts_and_budgets() -> None:
    small = counted(max_crashes=2, elements="b")
    found = list(interleavings(small.evaluator, small.initial, 6, 0))
    starts = {state for state, _ in found}
    assert len({state.without_history() for state in starts}) < len(starts)


def test_numbers_for_a_cluster_that_can_only_crash_and_restart() -> None:
    """One process, one label in each state: up, down, up, … as long as the budget lasts."""
    small = nodes("durable d: 0..1 = 0\n", elements="a", max_crashes=3)
    assert [len(crash_states(small.evaluator, small.initial, depth)) for depth in range(7)] == [1] * 7
    assert [len(list(interleavings(small.evaluator, small.initial, depth, 1))) for depth in range(1, 7)] == [
        0,  # from up: a crash is the first label, not the middle one
        1,  # from down: restart, crash, restart
        1,
        2,  # from down for the second time
        2,
        2,  # from down for the third time: no crash is left
    ]


# -------------------------------------------------------------------------------------- windows and outcomes


def test_the_first_window_actor_and_outcome_that_matches_wins_and_what_matches_none_is_other() -> None:
    small = counted()
    classifier = Classifier(small.evaluator)
    assert classifier.tracked == (1, 2)
    first = classifier.situation(small.initial, "a")
    assert (first.windows, first.actors) == ((OTHER, OTHER), (OTHER, OTHER))
    assert (first.ghosts, first.budgets) == (small.initial.ghosts, small.initial.budgets)
    written = small.run("write a 2")
    assert sorts(classifier.situation(written, "a")) == ((OTHER, 1), (OTHER, 0))
    assert sorts(classifier.situation(written, "b")) == ((OTHER, 1), (OTHER, OTHER))
    flushed = small.run("write a 2", "flush a")
    assert classifier.situation(flushed, "a").windows == (OTHER, 0)
    delivered = small.fire(flushed, "Note", "b", source="a", n=2)
    assert sorts(classifier.situation(delivered, "b")) == ((OTHER, 1), (OTHER, 1))
    assert classifier.outcomes(written) == (OTHER, 1)
    assert classifier.outcomes(flushed) == (OTHER, 0)
    assert classifier.outcomes(small.run("write a 1", "flush a", "write a 2", "flush a")) == (1, 0)


def test_without_a_track_there_is_one_empty_situation() -> None:
    small = nodes("durable d: 0..1 = 0\n", elements="a")
    (situations,) = crash_states(small.evaluator, small.initial, 0).values()
    assert [sorts(situation) for situation in situations] == [((), ())]


# ----------------------------------------------------------------------------------------------------- errors


def test_an_error_on_the_way_is_raised_rather_than_counted_around() -> None:
    small = nodes(
        """
        durable d: 0..2 = 0
        action fall:
            d := 1 - d - 1
        action rise:
            d := d + 1
        """,
        elements="a",
    )
    assert len(crash_states(small.evaluator, small.initial, 0)) == 1
    with pytest.raises(EvaluationError, match="d: -1 is outside") as error:
        crash_states(small.evaluator, small.initial, 2)
    assert error.value.labels == (Label("rise", "a"), Label("fall", "a"))
    with pytest.raises(EvaluationError):
        list(interleavings(small.evaluator, small.initial, 3, 1))


def test_properties_are_not_evaluated_while_counting() -> None:
    small = nodes("durable d: 0..1 = 0\n", top="invariant bad: forall p in Node: 1 div p.d == 1\n", elements="a")
    assert len(crash_states(small.evaluator, small.initial, 1)) == 1


# -------------------------------------------------------------------------------------------- the shipped spec


def test_raft_crash_states_agree_with_all_runs_from_a_scenario() -> None:
    evaluator = Evaluator(load_system(shipped("raft"), model="three"))
    scenario = find_scenario(evaluator, "write_received")
    assert scenario is not None
    start, _ = run_scenario(evaluator, scenario)
    found = crash_states(evaluator, start, 2)
    naive = set()
    for states, _ in runs(evaluator, start, 2):
        for label, after in evaluator.transitions(states[-1]):
            if label.rule == "crash":
                process = str(label.process)
                naive.add((bare(states[-1]), process, after.disk[evaluator.index[process]]))
    assert {(bare_of(crash), crash.process, crash.surviving) for crash in found} == naive
    sequences = list(interleavings(evaluator, start, 2, 1))
    assert len(set(sequences)) == len(sequences) > 0
    assert set_hash(sequences) == set_hash(reversed(sequences))
