"""ongaro.spec against TLC: the same states as raft.tla's, and nothing but its constraints bounds it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from spec.evaluate import Cut, Evaluator
from spec.explore import explore
from spec.load import load_system, shipped
from spec.state import Label, State
from tests.spec import permutations

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "data" / "tlc_counts.json").read_text())[
    "raft.tla"
]["rows"]
BOUNDS = ("max_term", "max_log", "max_messages", "max_active")
ALLOWED = ("max_copies = 1", *(f"constraint {name}" for name in ("terms", "logs", "messages", "active")))


def ongaro(model: str = "one_entry", **settings: str) -> Evaluator:
    return Evaluator(load_system(shipped("ongaro"), model=model, settings=settings))


def cut_otherwise(cuts: Iterable[str]) -> list[str]:
    """What was cut by something else than TLC's constraints: by a type."""
    return [cut for cut in cuts if not cut.endswith(ALLOWED)]


# ----------------------------------------------------------------------------------------------- TLC's counts


@pytest.mark.parametrize(("model", "row"), [("one_entry", ROWS[0]), ("no_entry", ROWS[1])])
def test_models_are_the_rows_that_tlc_counted(model: str, row: dict[str, Any]) -> None:
    constants = dict(ongaro(model).system.constants)
    assert {name: constants[name] for name in BOUNDS} == {name: row[name] for name in BOUNDS}
    assert (len(constants["Server"]), len(constants["Value"])) == (row["servers"], row["values"])


def test_first_levels_are_those_of_tlc() -> None:
    steps = 12
    found = explore(ongaro(), max_steps=steps)
    assert found.levels == ROWS[0]["levels"][: steps + 1]
    assert found.violation is None
    assert cut_otherwise(found.cuts) == []


@pytest.mark.slow
def test_every_state_of_the_first_row_is_found_at_its_depth() -> None:
    row = ROWS[0]
    evaluator = ongaro()
    found = explore(evaluator)
    assert (found.distinct, found.depth, found.levels) == (row["distinct"], row["depth"], row["levels"])
    assert (found.complete, found.violation) == (True, None)
    assert found.reached.keys() == {"a_leader_is_elected", "an_entry_is_committed"}
    assert cut_otherwise(found.cuts) == []
    # TLC's "generated" has the initial state and the states outside the constraint in it.
    assert 1 + found.generated + sum(found.cuts.values()) == row["generated"]
    assert orbits(evaluator, found.states) == row["distinct_symmetric"]


def orbits(evaluator: Evaluator, states: Iterable[State]) -> int:
    """How many states there are if servers may be renamed."""
    renamings = list(permutations.renamings(evaluator.system))
    seen: set[State] = set()
    count = 0
    for state in states:
        if state not in seen:
            count += 1
            seen.update(permutations.state(evaluator.system, state, names) for names in renamings)
    return count


# --------------------------------------------------------------------------------- wider bounds, all of its labels


def test_in_wider_bounds_every_rule_runs_and_no_type_cuts() -> None:
    """Random runs: what brings nothing new about (restarts, losses, copies) is chosen less often."""
    evaluator = ongaro(max_term="3", max_log="2", max_messages="2", max_active="3", Value="{v1,v2}")
    choice = random.Random(20140801)
    taken: set[str] = set()
    for _ in range(RUNS):
        state = evaluator.initial_states()[0]
        for _ in range(STEPS):
            steps = evaluator.transitions(state)
            weights = [WEIGHTS.get(label.rule, 10) for label, _ in steps]
            (label, state) = choice.choices(steps, weights)[0]
            taken.add(label.rule)
            assert evaluator.violated(state) == []
    assert taken == {rule.name for rule in evaluator.system.rules} | {"drop"}  # a second copy is outside the bounds
    assert cut_otherwise(evaluator.tally.cuts) == []


RUNS, STEPS = 40, 120
WEIGHTS = {"restart_server": 0.1, "timeout": 1, "drop": 1, "advance_commit_index": 2}


# ------------------------------------------------------------------------------------------- the bag of messages

ASK = Label("request_vote", "s1", ("s2",))


def asked(evaluator: Evaluator) -> State:
    """s1 is a candidate and has asked s2 for its vote."""
    state = evaluator.successor(evaluator.initial_states()[0], Label("timeout", "s1"))
    return evaluator.successor(state, ASK)


def copies(state: State) -> list[int]:
    return [count for _, count in state.network]


def test_a_second_copy_is_counted_and_leaves_one_by_one() -> None:
    evaluator = ongaro(max_copies="2")
    once = asked(evaluator)
    twice = evaluator.successor(once, ASK)
    ((message, _),) = once.network
    assert (copies(once), copies(twice)) == ([1], [2])
    assert evaluator.successor(once, Label("duplicate", None, (), message)) == twice
    of_message = [label.rule for label in evaluator.enabled(twice) if label.message == message]
    assert of_message == ["update_term", "drop"]  # one label for both copies; a third would be too many
    assert evaluator.successor(twice, Label("drop", None, (), message)) == once
    assert evaluator.successor(once, Label("drop", None, (), message)).network == frozenset()
    learned = evaluator.successor(twice, Label("update_term", "s2", (), message))
    assert learned.network == twice.network
    with pytest.raises(Cut, match="constraint messages"):  # the answer beside the copy that is left: two messages
        evaluator.successor(learned, Label("handle_request_vote_request", "s2", (), message))
    wider = ongaro(max_copies="2", max_messages="2")
    answered = wider.successor(learned, Label("handle_request_vote_request", "s2", (), message))
    assert dict(answered.network) == {message: 1, ("RequestVoteResponse", "s2", "s1", 2, True): 1}


def test_a_second_copy_is_outside_the_published_bounds() -> None:
    evaluator = ongaro()
    state = asked(evaluator)
    ((message, _),) = state.network
    for label in (ASK, Label("duplicate", None, (), message)):
        with pytest.raises(Cut, match="max_copies = 1"):
            evaluator.successor(state, label)
