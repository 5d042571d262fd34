"""Fair lassos in graphs whose verdicts are known by hand, and in random ones against every set of states."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spec.graph import NO_GROUP, Fairness, Graph, Groups
from spec.lasso import BETWEEN_PULSES, Lasso, Pending, find_lasso
from spec.state import Label

N = NO_GROUP
A, B = 0, 1


def fair(weak: int = 0, strong: int = 0) -> Fairness:
    """Group 0 is of the rule a, group 1 of the rule b."""
    groups = Groups("ab")
    assert [groups.of(Label(rule)) for rule in "ab"] == [A, B]
    return Fairness(groups, _rules(weak), _rules(strong))


def _rules(mask: int) -> list[str]:
    return [rule for number, rule in enumerate("ab") if mask >> number & 1]


def graph(edges: list[list[tuple[int, int]]], cut: dict[int, int] | None = None) -> Graph:
    """``edges[s]``: group and target of each. ``cut``: the groups that a bound cuts in a state."""
    cut = cut or {}
    made = Graph(lambda state: cut[state])
    for state, leaving in enumerate(edges):
        made.add(leaving, state in cut)
    return made


def eventually(goals: list[bool]) -> Pending:
    return Pending(bytes([not goals[0]]) + bytes(len(goals) - 1), bytes(not goal for goal in goals))


def always_pending(count: int) -> Pending:
    return eventually([False] * count)


# ------------------------------------------------------------------------------------ by hand, small

# 0 ⇄ 1, and A leads from 0 to the goal 2, which stays.
DOOR = [[(N, 1), (A, 2)], [(N, 0)], [(N, 2)]]
GOAL = eventually([False, False, True])


def test_without_fairness_a_run_may_go_round_past_an_open_door() -> None:
    assert find_lasso(graph(DOOR), GOAL, fair()) is not None


def test_weak_fairness_is_not_enough_where_the_door_shuts_again_and_again() -> None:
    assert find_lasso(graph(DOOR), GOAL, fair(weak=1)) == Lasso((0, 2), 0)


def test_strong_fairness_takes_a_door_that_opens_again_and_again() -> None:
    assert find_lasso(graph(DOOR), GOAL, fair(strong=1)) is None


def test_weak_fairness_takes_a_door_that_stays_open() -> None:
    open_ = [[(N, 1), (A, 2)], [(N, 0), (A, 2)], [(N, 2)]]
    assert find_lasso(graph(open_), GOAL, fair(weak=1)) is None
    assert find_lasso(graph(open_), GOAL, fair()) is not None


def test_a_run_that_nothing_continues_stays_where_it_is() -> None:
    ends = [[(N, 1), (N, 2)], [], []]
    assert find_lasso(graph(ends), eventually([False, False, True]), fair()) == Lasso((0,), 1)


def test_a_run_does_not_stop_where_something_is_enabled() -> None:
    assert find_lasso(graph([[(N, 1)], []]), eventually([False, True]), fair()) is None


def test_a_label_that_changes_nothing_is_a_loop() -> None:
    assert find_lasso(graph([[(N, 0), (A, 1)], []]), eventually([False, True]), fair()) == Lasso((0,), 0)
    assert find_lasso(graph([[(N, 0), (A, 1)], []]), eventually([False, True]), fair(weak=1)) is None


def test_the_part_of_a_set_in_which_the_starved_group_is_never_enabled_can_be_stayed_in() -> None:
    # 0 ⇄ 1 ⇄ 2; A is enabled in 0 only, and leads to the goal: the run may stay in 1 ⇄ 2.
    parts = [[(N, 1), (A, 3)], [(N, 0), (N, 2)], [(N, 1)], []]
    lasso = find_lasso(graph(parts), eventually([False, False, False, True]), fair(strong=1))
    assert lasso is not None
    assert_stays_unfulfilled(graph(parts), eventually([False, False, False, True]), fair(strong=1), lasso)


def test_a_cycle_goes_where_fairness_sends_it() -> None:
    # A is always enabled and its turn is a detour: the loop must take it.
    detour = [[(N, 0), (A, 1)], [(A, 0)]]
    assert find_lasso(graph(detour), always_pending(2), fair(weak=1)) == Lasso((1, 2), 0)


def test_an_obligation_counts_from_where_it_arises() -> None:
    # 0 → 1 (trigger) → 2 (goal) → 0: always fulfilled, though 0 → 1 → 2 has states that are not the goal.
    ring = [[(N, 1)], [(N, 2)], [(N, 0)]]
    assert find_lasso(graph(ring), Pending(bytes([0, 1, 0]), bytes([1, 1, 0])), fair()) is None
    shortcut = [[(N, 1)], [(N, 2), (N, 0)], [(N, 0)]]
    assert find_lasso(graph(shortcut), Pending(bytes([0, 1, 0]), bytes([1, 1, 0])), fair()) == Lasso((0, 2, 0), 1)


def test_the_way_to_the_loop_does_not_pass_the_goal() -> None:
    # 0 (trigger) → 1 (goal) → 3 is as short as 0 → 2 → 3, but fulfils the obligation.
    two_ways = [[(N, 1), (N, 2)], [(N, 3)], [(N, 3)], [(N, 3)]]
    assert find_lasso(graph(two_ways), Pending(bytes([1, 0, 0, 0]), bytes([1, 0, 1, 1])), fair()) == Lasso((1, 3, 4), 2)


# --------------------------------------------------------------------------------------- cut by a bound


def test_a_run_does_not_end_where_a_bound_cut_what_would_go_on() -> None:
    cut = graph([[(N, 1)], []], {1: 0})
    assert find_lasso(cut, always_pending(2), fair()) is None
    assert find_lasso(cut, always_pending(2), fair(), beyond=True) == Lasso((0,), 1)


def test_a_fair_label_that_a_bound_cut_is_owed_all_the_same() -> None:
    cut = graph([[(N, 1)], [(N, 0)]], {0: 1, 1: 1})
    assert find_lasso(cut, always_pending(2), fair(weak=1)) is None
    assert find_lasso(cut, always_pending(2), fair(strong=1)) is None
    assert find_lasso(cut, always_pending(2), fair(weak=1), beyond=True) is not None


def test_a_loop_that_passes_a_cut_of_no_fair_label_is_real() -> None:
    assert find_lasso(graph([[(N, 0)]], {0: 0}), always_pending(1), fair(weak=1)) == Lasso((0,), 0)


# ------------------------------------------------------------------------- random, against every set


@st.composite
def random_graphs(draw: st.DrawFn) -> tuple[Graph, Pending, Fairness]:
    count = draw(st.integers(1, 5))
    edge = st.tuples(st.sampled_from([N, A, B]), st.integers(0, count - 1))
    edges = draw(st.lists(st.lists(edge, max_size=3, unique=True), min_size=count, max_size=count))
    cut = draw(st.dictionaries(st.integers(0, count - 1), st.integers(0, 3), max_size=2))
    goals = draw(st.lists(st.sampled_from([False, False, True]), min_size=count, max_size=count))
    stays = bytes(not goal for goal in goals)
    triggers = draw(st.none() | st.lists(st.booleans(), min_size=count, max_size=count))
    pending = eventually(goals)
    if triggers is not None:
        pending = Pending(bytes(a and not g for a, g in zip(triggers, goals, strict=True)), stays)
    return graph(edges, cut), pending, fair(draw(st.integers(0, 3)), draw(st.integers(0, 3)))


def enabled(made: Graph, state: int, beyond: bool) -> int:
    return made.enabled[state] | (0 if beyond else made.cut(state))


def is_fair(made: Graph, fairness: Fairness, states: list[int], taken: int, beyond: bool) -> bool:
    always, ever = -1, 0
    for state in states:
        always &= enabled(made, state, beyond)
        ever |= enabled(made, state, beyond)
    return not (fairness.weak & always & ~taken or fairness.strong & ever & ~taken)


def exists_by_force(made: Graph, pending: Pending, fairness: Fairness, beyond: bool) -> bool:
    """Whether some set of states can be stayed in fairly, tried one by one."""
    waiting = {s for s in reachable(made, [0], lambda _: True) if pending.entries[s] and pending.stays[s]}
    waiting = reachable(made, list(waiting), lambda s: bool(pending.stays[s]))
    for size in range(1, len(waiting) + 1):
        for chosen in combinations(sorted(waiting), size):
            inside = [e for s in chosen for e in made.edges_of(s) if made.targets[e] in chosen]
            rests = size == 1 and not made.edges_of(chosen[0]) and (beyond or not made.cuts[chosen[0]])
            taken = sum({1 << made.groups[e] for e in inside if made.groups[e] >= 0})
            joined = all(set(chosen) <= reachable(made, [s], chosen.__contains__) for s in chosen)
            if (rests or (inside and joined)) and is_fair(made, fairness, list(chosen), taken, beyond):
                return True
    return False


def reachable(made: Graph, states: list[int], within: Callable[[int], bool]) -> set[int]:
    seen, todo = set(states), list(states)
    while todo:
        for edge in made.edges_of(todo.pop()):
            if made.targets[edge] not in seen and within(made.targets[edge]):
                seen.add(made.targets[edge])
                todo.append(made.targets[edge])
    return seen


def assert_stays_unfulfilled(
    made: Graph, pending: Pending, fairness: Fairness, lasso: Lasso, *, beyond: bool = False
) -> None:
    """The lasso is a run, has the obligation pending through its loop, and is fair."""
    states = [0]
    for edge in lasso.edges:
        assert edge in made.edges_of(states[-1])
        states.append(made.targets[edge])
    loop = states[lasso.loop :]
    arose = [i for i, s in enumerate(states[: lasso.loop + 1]) if pending.entries[s]]
    assert any(all(pending.stays[s] for s in states[i:]) for i in arose)
    if lasso.loop == len(lasso.edges):
        assert not made.edges_of(loop[0])
        assert beyond or not made.cuts[loop[0]]
    else:
        assert loop[0] == loop[-1]
    groups = {made.groups[edge] for edge in lasso.edges[lasso.loop :]} - {N}
    assert is_fair(made, fairness, loop, sum(1 << group for group in groups), beyond)


@settings(max_examples=500)
@given(random_graphs(), st.booleans())
def test_a_lasso_is_found_exactly_where_a_set_can_be_stayed_in(
    drawn: tuple[Graph, Pending, Fairness], beyond: bool
) -> None:
    made, pending, fairness = drawn
    lasso = find_lasso(made, pending, fairness, beyond=beyond)
    assert (lasso is not None) == exists_by_force(made, pending, fairness, beyond)
    if lasso is not None:
        assert_stays_unfulfilled(made, pending, fairness, lasso, beyond=beyond)


@pytest.mark.parametrize("size", [2000])
def test_a_deep_graph_needs_no_deep_stack(size: int) -> None:
    chain: list[list[tuple[int, int]]] = [[(N, i + 1)] for i in range(size)]
    chain.append([(N, 0)])
    lasso = find_lasso(graph(chain), always_pending(size + 1), fair())
    assert lasso is not None
    assert len(lasso.edges) == size + 1


def test_whoever_waits_can_end_the_work_in_any_part_of_it() -> None:
    """Each state is looked at for its two distances, its component, for what is taken in its set (three times) and what
    is enabled there, and on the way round."""
    size = 4 * BETWEEN_PULSES
    ring = graph([[(A if at == 7 else N, (at + 1) % size)] for at in range(size)])
    pulses = count()
    assert find_lasso(ring, always_pending(size), fair(strong=1), pulse=lambda: next(pulses) and None) is not None
    whole = next(pulses)
    assert whole == 4 * 8
    for last in range(0, whole, 4):
        with pytest.raises(TimeoutError):
            find_lasso(ring, always_pending(size), fair(strong=1), pulse=ends_after(last))


def ends_after(pulses: int) -> Callable[[], None]:
    left = iter(range(pulses))

    def pulse() -> None:
        if next(left, None) is None:
            raise TimeoutError

    return pulse
