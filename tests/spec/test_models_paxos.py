"""Single-decree Paxos: exact counts, and what forgetting a promise or passing over a vote brings about."""

from __future__ import annotations

from spec.evaluate import Evaluator
from spec.explore import explore
from spec.load import load_file, load_system, shipped
from spec.script import find_scenario, run_scenario
from spec.state import State


def paxos(mutant: str | None = None, **settings: str) -> Evaluator:
    return Evaluator(load_system(shipped("paxos"), model="two_proposers", mutant=mutant, settings=settings))


def decided(evaluator: Evaluator) -> State:
    scenario = find_scenario(evaluator, "decided")
    assert scenario is not None
    state, _ = run_scenario(evaluator, scenario)
    assert scenario.goal is not None
    assert evaluator.holds(evaluator.compile(scenario.goal), state)
    return state


def test_nothing_is_wrong_with_the_file() -> None:
    assert load_file(shipped("paxos")).diagnostics == ()


def test_two_proposers_agree_in_48515_states() -> None:
    found = explore(paxos())
    assert (found.distinct, found.depth, found.generated) == (48_515, 37, 102_642)
    assert (found.complete, found.violation) == (True, None)
    assert found.reached.keys() == {"a_value_is_chosen", "a_proposer_gives_way", "decided_twice"}
    assert found.cuts.keys() == {"prepare: max_in_flight = 1", "propose: max_in_flight = 1"}
    assert {"crash", "restart", "flush"} < found.taken.keys()


def test_after_a_decision_the_other_proposer_decides_the_same() -> None:
    evaluator = paxos()
    found = explore(evaluator, start=decided(evaluator))
    assert (found.distinct, found.depth, found.complete, found.violation) == (965, 21, True, None)


# With two acceptors each must promise and vote, so the same mistake shows among fewer states.
PAIR = {"Acceptor": "{a1, a2}", "max_crashes": "2"}


def test_with_two_acceptors_and_two_crashes_they_agree_in_10692_states() -> None:
    found = explore(paxos(**PAIR))
    assert (found.distinct, found.depth, found.complete, found.violation) == (10_692, 37, True, None)


def test_forgotten_promise_lets_both_decide() -> None:
    found = explore(paxos("forgets-promises", **PAIR), only="agreement")
    assert found.violation is not None
    assert (found.violation.property, len(found.violation.labels)) == ("agreement", 32)


def test_proposer_that_reads_no_votes_overrides_the_decision() -> None:
    evaluator = paxos("reads-no-votes")
    start = decided(evaluator)
    first = explore(evaluator, start=start).violation
    assert first is not None
    assert (first.property, len(first.labels)) == ("decision_is_durable", 11)
    other = explore(evaluator, start=start, only="agreement").violation
    assert other is not None
    assert (other.property, len(other.labels)) == ("agreement", 16)
