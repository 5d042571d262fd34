"""Independent labels commute wherever they are taken, and the classes of runs are those that exchanges make."""

from __future__ import annotations

from itertools import pairwise

import pytest

from spec.commuting import Commuting, classes
from spec.counting import interleavings
from spec.evaluate import Cut, EvaluationError, Evaluator, NotEnabled
from spec.independence import Independence
from spec.script import find_scenario, run_scenario
from spec.state import Label, State
from spec.system import System
from tests.checker.symbolic_systems import kitchen, of_text, shipped_system
from tests.spec.walks import walk

# A constraint over what two labels write, a start that a label must first repair, and ghosts that look around.
TOGETHER = """
const Node: set
message Hello:
    loud: bool
network bag
process Node:
    durable kept: 0..1 = 0
    volatile seen: 0..3 = 0
    action greet(peer: Node):
        send Hello(loud=true) to peer
    on Hello m as hello:
        seen := 0
    action survey:
        ghost alive := size({{p for p in Node if up(p)}})
    action listen:
        ghost heard := size(network(Hello))
    action lower:
        low := low + 1
    action higher:
        high := high + 1
    action look:
        seen := (seen + 1) mod 4
    action boast:
        ghost most := max(most, seen)
shared low:  0..3 = 0
shared high: 0..3 = 0
ghost most: 0..3 = 0
ghost alive: 0..3 = 3
ghost heard: 0..9 = 0
model m:
    Node = {{a, b, c}}
    max_crashes = 2
    max_copies = 1
    constraint close:
        low + high <= 2 and low + high >= {least}
"""

SYSTEMS = {
    "kitchen, bag": lambda: kitchen("bag with loss, duplication", "buffered", "max_crashes = 1, max_in_flight = 3"),
    "kitchen, copies": lambda: kitchen("bag with loss, duplication", "atomic", "max_crashes = 2, max_copies = 1"),
    "kitchen, fifo": lambda: kitchen("fifo with loss, duplication", "buffered", "max_crashes = 1, max_drops = 1"),
    "kitchen, set": lambda: kitchen("set", "buffered", "max_crashes = 2, max_retries = 1, max_pending = 1"),
    "kitchen, unbounded": lambda: kitchen("bag with loss", "buffered", "max_crashes = 2"),
    "together": lambda: of_text(TOGETHER.format(least=0)),
    "repaired": lambda: of_text(TOGETHER.format(least=1)),
    "raft": lambda: shipped_system("raft", "three"),
    "raft, tiny": lambda: shipped_system("raft", "tiny"),
    "chain replication": lambda: shipped_system("chain_replication", "two_writes"),
    "lock service": lambda: shipped_system("lock_service", "two_clients"),
    "paxos": lambda: shipped_system("paxos", "two_proposers"),
    "two-phase commit": lambda: shipped_system("two_phase_commit", "three"),
    "ongaro": lambda: shipped_system("ongaro", "one_entry"),
}


def after(evaluator: Evaluator, state: State, *labels: Label) -> State | str:
    """Where labels lead, or why one of them leads nowhere."""
    for label in labels:
        try:
            state = evaluator.successor(state, label)
        except (NotEnabled, Cut, EvaluationError) as refusal:
            return type(refusal).__name__
    return state


def pairs(evaluator: Evaluator, state: State) -> list[tuple[Label, Label, State]]:
    """Two labels that follow each other from here, and where they lead."""
    found = []
    for first, between in transitions(evaluator, state):
        found += [(first, second, last) for second, last in transitions(evaluator, between)]
    return found


def transitions(evaluator: Evaluator, state: State) -> list[tuple[Label, State]]:
    try:
        return evaluator.transitions(state)
    except EvaluationError:  # of another label: the walk goes round it
        return []


@pytest.mark.parametrize("name", SYSTEMS)
def test_independent_labels_commute_in_every_state_of_random_runs(name: str) -> None:
    system = SYSTEMS[name]()
    evaluator, independence = Evaluator(system), Independence(system)
    commuted, tried = 0, 0
    for seed in range(3):
        for state in walk(evaluator, seed, 16)[seed::3]:
            for first, second, last in pairs(evaluator, state):
                tried += 1
                assert independence.independent(first, second) == independence.independent(second, first)
                if independence.independent(first, second):
                    assert first != second
                    assert after(evaluator, state, second, first) == last, (first, second)
                    commuted += 1
    assert tried > 50
    assert (commuted == 0) == (name == "repaired")  # its start is not allowed: a label must come first


def ready(system: System) -> tuple[Evaluator, State]:
    evaluator = Evaluator(system)
    scenario = find_scenario(evaluator, system.enumerations[0].scenario)
    assert scenario is not None
    return evaluator, run_scenario(evaluator, scenario)[0]


def exchanged(independence: Independence, labels: tuple[Label, ...]) -> set[tuple[Label, ...]]:
    """All runs that exchanging independent neighbours makes of one, by brute force."""
    found, waiting = {labels}, [labels]
    while waiting:
        run = waiting.pop()
        for i, (a, b) in enumerate(pairwise(run)):
            other = (*run[:i], b, a, *run[i + 2 :])
            if independence.independent(a, b) and other not in found:
                found.add(other)
                waiting.append(other)
    return found


@pytest.mark.parametrize(("model", "depth", "window"), [("tiny", 4, 1), ("tiny", 3, 2)])
def test_the_classes_of_interleavings_are_those_that_exchanges_make(model: str, depth: int, window: int) -> None:
    evaluator, start = ready(shipped_system("raft", model))
    independence = Independence(evaluator.system)
    commuting = Commuting(independence)
    found = list(interleavings(evaluator, start, depth, window))
    by_normal_form = classes(commuting, found)
    by_exchange: dict[tuple[State, frozenset[tuple[Label, ...]]], set[tuple[Label, ...]]] = {}
    closures = {labels: frozenset(exchanged(independence, labels)) for _, labels in found}
    for state, labels in found:
        by_exchange.setdefault((state, closures[labels]), set()).add(labels)
    assert sorted(map(len, by_normal_form.values())) == sorted(map(len, by_exchange.values()))
    for (state, least), members in by_normal_form.items():
        assert set(members) == by_exchange[state, closures[members[0]]]
        assert least == min(closures[members[0]], key=lambda run: [commuting.order(label) for label in run])
        assert members[0] == min(members, key=lambda run: [commuting.order(label) for label in run])
        assert len({after(evaluator, state, *run) for run in members}) == 1  # one class, one end
    assert sum(map(len, by_normal_form.values())) == len(found)
    assert len(by_normal_form) < len(found)


class Apart(Independence):
    """Independent is what is not listed, whatever the labels do."""

    def __init__(self, *dependent: tuple[str, str]) -> None:
        self.dependent = {frozenset(pair) for pair in dependent}

    def independent(self, one: Label, other: Label) -> bool:
        return one != other and frozenset((one.rule, other.rule)) not in self.dependent


def word(text: str) -> tuple[Label, ...]:
    return tuple(Label(letter) for letter in text)


def test_comparing_neighbours_is_not_enough() -> None:
    """c a b with a and b dependent: no exchange of neighbours makes b c a smaller, for b may not pass a, yet there are
    two words of one class in which each two neighbours stand in order or may not be exchanged."""
    commuting = Commuting(Apart(("b", "a")))
    assert commuting.least(word("bca")) == commuting.least(word("bac")) == word("bac")
    three = Commuting(Apart(("x", "a"), ("y", "b")))
    assert three.least(word("xay")) == three.least(word("xya")) == word("xay")
    assert three.least(word("ybx")) == word("xyb")
    free = Commuting(Apart())
    assert free.least(word("cab")) == word("abc")


def test_equal_labels_keep_their_order_and_their_number() -> None:
    commuting = Commuting(Apart(("b", "c")))
    assert commuting.least(word("cbaba")) == word("aacbb")


def test_what_two_labels_share_makes_them_dependent() -> None:
    system = kitchen("bag with loss, duplication", "buffered", "max_crashes = 1, max_drops = 1")
    independent = Independence(system).independent
    ping = ("Ping", "a", "b", "Red")
    assert independent(Label("touch", "a"), Label("crash", "b", (0,)))
    assert not independent(Label("touch", "a"), Label("crash", "a", (0,)))
    assert not independent(Label("crash", "a", (0,)), Label("crash", "b", (0,)))  # one budget
    assert not independent(Label("drop", message=ping), Label("drop", message=("Ping", "b", "a", "Red")))  # again
    assert not independent(Label("ping", "b", (), ping), Label("drop", message=ping))
    assert not independent(Label("begin", "a", ("Red",)), Label("ping", "b", (), ping))  # a may have sent it
    assert independent(Label("begin", "b", ("Red",)), Label("drop", message=ping))
    assert not independent(Label("flush", "a"), Label("flush", "b"))  # both write the ghost `flushes`
    assert not independent(Label("flush", "a"), Label("restart", "b"))  # which reads who is up
    assert not independent(Label("flip"), Label("got_done", "c", (), ("Done", "a", "c", frozenset(), ())))
    bounded = Independence(kitchen("bag with loss", "buffered", "max_crashes = 1, max_in_flight = 2")).independent
    assert not bounded(Label("begin", "b", ("Red",)), Label("drop", message=ping))  # there may be no room before
    assert bounded(Label("drop", message=ping), Label("drop", message=("Ping", "b", "a", "Red")))
