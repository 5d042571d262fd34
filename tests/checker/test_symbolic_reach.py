"""z3's runs to goals are the shortest, all different, and all there are: a search over the evaluator finds the same."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest

from checker.goal_search import seek_goals
from checker.symbolic.depths import NoneWithin
from checker.symbolic.reach import Reach
from spec.evaluate import EvaluationError, Evaluator
from spec.goals import GoalSequence, Monitor, StateGoal
from spec.load import load_goals
from spec.parse_goals import GoalText
from spec.state import Label, State
from spec.system import System
from tests.checker.symbolic_systems import shipped_system

# Two processes that write a number, lazily, and tell the other; what is not flushed a crash forgets.
NOTES = """
const Node: set
const top: int
type Number = 0..top
message Told:
    number: Number
message Hush:
network bag with loss
process Node:
    durable number: Number = 0
    volatile heard: optional[Number] = none
    action write(more: 1..2):
        number := number + more
    action tell(peer: Node):
        require peer != self and number > 0
        send Told(number=number) to peer
    on Told m as told:
        require m.number != 1 or heard == none
        heard := m.number
    on Told m as ignored:
        ignore
    action hush(peer: Node):
        require peer != self
        send Hush() to peer
    on Hush m as hushed:
        heard := none
sometimes heard_of_two: exists n in Node: n.heard == 2
window two_on_disk: exists n in Node: disk(n).number == 2
window two_somewhere: exists n in Node: n.number == 2
model two:
    Node = {a, b}
    top = 2
    storage = buffered
    max_crashes = 1
    max_in_flight = 1
    max_pending = 1
"""


@cache
def asked(text: str, goals: tuple[str, ...], some: str | None = None) -> tuple[System, GoalSequence]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notes.spec"
        path.write_text(text, encoding="utf-8")
        texts = tuple(GoalText(goal, "<goal>") for goal in goals)
        return load_goals(path, texts, None if some is None else GoalText(some, "<some>"))


QUESTIONS: list[tuple[tuple[str, ...], str | None]] = [
    (("a.number == 2",), None),
    (("heard_of_two",), None),
    (("two_on_disk",), None),
    (("two_somewhere",), None),  # the first window that matches wins: not while it is on a disk, too
    (("crash(a, keep=0) when len(pending(a)) == 1",), None),
    (("crash(a, keep=0) when self.number == 2", "a.number == 1"), None),
    (("crash(n, keep=0) when n.number == 2", "up(n) and n.number == 2"), "n in Node"),
    (("crash", "told when message.number == 2", "not (exists n in Node: n.heard == 2)"), None),
    (("write(n, more=k)", "drop(Told) when message.number == k", "deliver(n)"), "n in Node, k in 1..2"),
    (("drop(Told, source=a)", "size(network) == 1 and b.heard == none"), None),
    (("deliver(b) when message.source == a", "b.heard == 1", "drop(Hush, destination=b)"), None),
    (("network(Told) != {}", "network(Told) == {}"), None),
    (("{m for m in network(Told) if m.number == 2} != {} and {} subset network(Hush)",), None),
    (("tell(a, peer=b)", "tell(a, peer=b)", "restart"), None),
    (("write(a, more=2)", "crash(a, keep=1)", "write(a, more=1)"), None),  # 2 + 1 is cut
    (("a.number == 1", "a.number == 0", "a.number == 2", "flush(b)"), None),
]


@pytest.mark.parametrize(("goals", "some"), QUESTIONS, ids=[" → ".join(goals) for goals, _ in QUESTIONS])
def test_the_shortest_run_is_as_long_as_that_of_a_search_over_all_states(
    goals: tuple[str, ...], some: str | None
) -> None:
    system, sequence = asked(NOTES, goals, some)
    evaluator = Evaluator(system)
    start = evaluator.initial_states()[0]
    monitor = Monitor(evaluator, sequence)
    expected = seek_goals(monitor, start, 6, evaluator.transitions)
    reach = Reach(system, sequence, 6)
    found = next(iter(reach), None)
    if expected.labels is None:
        assert found is None
        assert reach.ended == NoneWithin(6)
    else:
        assert found is not None
        assert len(found) == len(expected.labels)
        *before, last = monitor.met_at(start, found)
        assert monitor.is_done(last)
        assert not any(monitor.is_done(progress) for progress in before)


def every_run(monitor: Monitor, start: State, most: int) -> set[tuple[Label, ...]]:
    """All label sequences of at most ``most`` labels that end where the last goal is met first."""
    found: set[tuple[Label, ...]] = set()
    level: list[tuple[tuple[Label, ...], State, tuple[int, ...]]] = [((), start, monitor.start(start))]
    for _ in range(most):
        following = []
        for labels, state, progress in level:
            for label, after in monitor.evaluator.transitions(state):
                then = monitor.after(progress, state, label, after)
                if monitor.is_done(then):
                    found.add((*labels, label))
                else:
                    following.append(((*labels, label), after, then))
        level = following
    return found


@pytest.mark.parametrize(
    ("goals", "some", "most"),
    [
        (("two_on_disk",), None, 4),
        (("crash(n, keep=0) when n.number == 2",), "n in Node", 3),  # some of these runs are met by both values of n
        (("exists n in Node: n.number > 0", "tell"), "k in 0..1", 3),
    ],
)
def test_distinct_runs_are_all_there_are_each_once_the_shortest_first(
    goals: tuple[str, ...], some: str | None, most: int
) -> None:
    system, sequence = asked(NOTES, goals, some)
    evaluator = Evaluator(system)
    expected = every_run(Monitor(evaluator, sequence), evaluator.initial_states()[0], most)
    found = list(Reach(system, sequence, most))
    assert len(expected) > 10
    assert len(found) == len(expected)
    assert set(found) == expected
    assert [len(labels) for labels in found] == sorted(len(labels) for labels in expected)


def test_a_goal_of_the_start_has_one_run_and_that_is_empty() -> None:
    system, sequence = asked(NOTES, ("a.number == 0",))
    reach = Reach(system, sequence, 3)
    assert list(reach) == [()]
    assert reach.ended == NoneWithin(0, complete=True)


def test_a_goal_without_meaning_in_a_state_ends_a_run_there() -> None:
    goals = ("write(a, more=1)", "the(a.heard) == 1")
    system, sequence = asked(NOTES, goals)
    evaluator = Evaluator(system)
    start = evaluator.initial_states()[0]
    found = next(iter(Reach(system, sequence, 5)))
    assert [label.rule for label in found] == ["write"]
    with pytest.raises(EvaluationError, match="<goal>:1:1"):
        list(Monitor(evaluator, sequence).met_at(start, found))
    with pytest.raises(EvaluationError) as raised:
        seek_goals(Monitor(evaluator, sequence), start, 5, evaluator.transitions)
    assert raised.value.labels == found


def test_the_shortest_way_to_four_litres_has_six_labels() -> None:
    system = shipped_system("diehard", "puzzle")
    sequence = GoalSequence((), (StateGoal("four litres", system.sometimes[0].expr),))
    assert len(next(iter(Reach(system, sequence, 10)))) == 6
    reach = Reach(system, sequence, 5)
    assert list(reach) == []
    assert reach.ended == NoneWithin(5)
