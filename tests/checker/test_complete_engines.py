"""``complete``: both engines say what brute force says, whatever is missing or wrong; and z3 takes over where many
states fit."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from checker.completing.deciding import Completed, Engine, Gap, Refused, Undecided, decide
from checker.completing.matching import Matcher
from checker.completing.report import Report
from checker.progress import Progress
from checker.question import Question, ask
from checker.symbolic.circuit import Circuit
from checker.symbolic.known import Known
from checker.symbolic.solve import Solver
from checker.symbolic.state import Shape
from checker.symbolic.watch import Query
from checker.tracing import Tracer
from spec.load import shipped
from spec.system import NetworkKind
from tests.checker.logs import Field, Log, blanked, known_fields, layers_that_fit, random_run, written
from tests.checker.test_complete import assert_fits, decided
from traces.itf import ACTION, PICKS
from traces.partial import Missing, PartialState, parse_partial
from traces.values import Map, Value

ENGINES = (Engine.REFERENCE, Engine.SYMBOLIC)
SMALL = (("lock_service", None), ("two_phase_commit", None), ("chain_replication", "one_write"), ("paxos", None))


def small(spec: str, model: str | None) -> Question:
    return ask(str(shipped(spec)), model=model)


def edited(log: Log, chance: Random) -> Log:
    """Holes of every kind, and now and then a value of another place."""
    result = blanked(log, chance, chance.choice([0.3, 0.7]), chance.choice([0.1, 0.5]))
    states: list[Any] = result["states"]
    for number in chance.sample(range(1, len(states)), chance.choice([0, 0, 1])):
        states[number] = {}
    if chance.random() < 0.5:  # states are gone, and their labels: at most so many labels are missing
        many = chance.choice([1, 2])
        gone = chance.randrange(len(states) - many)
        del states[gone : gone + many]
        states[gone].setdefault("#meta", {})["gap"] = chance.choice([many, many, 2])
        if gone == 0:
            states[0].pop(ACTION, None), states[0].pop(PICKS, None)
    for number, state in enumerate(states):
        state.setdefault("#meta", {})["index"] = number
    if chance.random() < 0.75:
        fields = list(known_fields(result))
        pairs = [(f, g) for f in fields for g in fields if f[0] and f[1] == g[1] and _at(result, f) != _at(result, g)]
        (number, name, key), other = chance.choice(pairs)
        if key is None:
            states[number][name] = _at(result, other)
        else:
            states[number][name][key] = _at(result, other)
    return result


def _at(log: Log, field: Field) -> Any:
    number, name, key = field
    return log["states"][number][name] if key is None else log["states"][number][name][key]


@pytest.mark.parametrize(("spec", "model"), SMALL)
def test_both_engines_say_what_brute_force_says(spec: str, model: str | None) -> None:
    question = small(spec, model)
    answers = set()
    for seed in range(8):
        chance = Random(f"{spec} {seed}")
        log = edited(written(Tracer(question.evaluator).trace(random_run(question.evaluator, chance, 7))), chance)
        fitting = len(layers_that_fit(question.evaluator, log))
        for engine in ENGINES:
            answer = decided(question, log, engine)
            assert isinstance(answer, Completed | Refused), (seed, engine, answer)
            wanted = None if fitting == len(log["states"]) else fitting
            assert (answer.step if isinstance(answer, Refused) else None) == wanted, (seed, engine)
            assert_fits(question, log, answer.run)
            answers.add(type(answer))
    assert answers == {Completed, Refused}, "the edits are of both kinds"


@pytest.mark.parametrize("widest", [0, 3])
def test_z3_takes_over_where_more_states_fit_than_are_to_be_stepped(widest: int) -> None:
    question = small("lock_service", None)
    chance = Random(5)
    log = written(Tracer(question.evaluator).trace(random_run(question.evaluator, chance, 9)))
    for state in log["states"][3:8]:
        for name in [name for name in state if not name.startswith("#")]:
            del state[name]
    alone = decided(question, log, Engine.REFERENCE)
    assert isinstance(alone, Completed)
    assert alone.widest is not None
    assert alone.widest > 3
    gave_up = decided(question, log, Engine.REFERENCE, widest)
    assert isinstance(gave_up, Undecided)
    assert f"more than {widest} states fit at once" in gave_up.reason
    both = decided(question, log, Engine.AUTO, widest)
    assert isinstance(both, Completed)
    assert both.by.endswith("symbolic from there")
    assert_fits(question, log, both.run)
    log["states"][8]["up"]["s1"] = not log["states"][8]["up"]["s1"]
    log["states"][8]["budgets"]["crashes"] = 0
    log["states"][9]["budgets"]["crashes"] = 0
    alone, both = decided(question, log, Engine.REFERENCE), decided(question, log, Engine.AUTO, widest)
    assert isinstance(alone, Refused)
    assert isinstance(both, Refused)
    assert both.step == alone.step
    assert_fits(question, log, both.run)


def test_a_gap_of_any_length_is_searched_to_its_end_and_z3_says_that_it_cannot() -> None:
    question = small("diehard", None)
    log: Log = {"states": [None, {"#meta": {"gap": True}, "small": 2, "big": 2}]}
    answer = decided(question, log, Engine.AUTO)
    assert isinstance(answer, Refused), "16 states, and that is none of them"
    log["states"][1] = {"#meta": {"gap": True}, "big": 4}
    answer = decided(question, log, Engine.AUTO)
    assert isinstance(answer, Completed)
    assert len(answer.run.labels) == 6, "a shortest way"
    undecided = decide(question, parse_partial(json.dumps(log).encode(), "log"), Engine.SYMBOLIC, None)
    assert "z3 needs a bound" in getattr(undecided, "reason", "")


def test_z3_is_not_asked_where_a_gap_of_any_number_of_labels_comes_yet() -> None:
    log: Log = {"states": [None, {"#meta": {"gap": True}, "small": 2, "big": 2}, None]}
    answer = decided(small("diehard", None), log, Engine.AUTO, 3)
    assert isinstance(answer, Refused), "more than 3 states fit on the way"
    assert answer.by == "reference"


@pytest.mark.parametrize("label", [{}, {ACTION: "request_vote_response"}])
def test_a_state_that_fits_the_logs_last_one_ends_the_search_of_the_gap_before_it(label: Log) -> None:
    """All states of this model are too many."""
    question = ask(None)
    log: Log = {"states": [{}, {"#meta": {"gap": True}, "role": {"s1": "Leader"}, **label}]}
    answer = decided(question, log, Engine.AUTO)
    assert isinstance(answer, Completed)
    assert len(answer.run.labels) == 5, "a shortest way"
    assert (answer.fitting, answer.widest) == (None, None)


def test_short_ways_through_a_gap_of_any_length_are_tried_before_all_of_it_is_searched() -> None:
    """A state comes after it, so nothing ends the search of the gap itself."""
    log: Log = {"states": [{}, {"#meta": {"gap": True}, "role": {"s1": "Leader"}}, {"up": {"s1": False}}]}
    answer = decided(ask(None), log, Engine.AUTO)
    assert isinstance(answer, Completed)
    assert len(answer.run.labels) == 6
    assert answer.run.positions == (0, 5, 6)
    log = {"states": [None, {"#meta": {"gap": True}, "big": 4}, {"big": 2}]}
    answer = decided(small("diehard", None), log, Engine.AUTO)
    assert isinstance(answer, Refused)
    assert answer.step == 2
    assert answer.fitting == 2, "all of those in which big is 4: the gap was searched in full"


def test_how_far_a_gap_was_searched_is_said_while_it_is_and_when_it_could_not_be_searched_in_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Progress, "show", lambda _, line: said.append(line()))
    monkeypatch.setattr("checker.completing.frontier.LABELS_BETWEEN_REPORTS", 1)
    question = small("diehard", None)
    partial = parse_partial(b'{"states": [null, {"#meta": {"gap": true}, "small": 2, "big": 2}]}', "log")
    answer = decide(question, partial, Engine.REFERENCE, None, 8)
    assert isinstance(answer, Undecided)
    assert answer.gap == Gap(3, 9), "1, 2, 3 and 2 states are so many labels away"
    verdict = Report(question, partial).verdict(answer, 1.0)
    assert "; the first 1 state of 2 fits; of the gap before state 1, all ways of at most 3 labels were" in verdict
    assert said[-1].startswith("complete: the gap before state 1 of 1: 3 labels searched in full, ")
    assert all(line.startswith("complete: the gap before state 1 of 1: ") for line in said[2:]), "no guess what is left"


FORBIDDEN = """
shared n: 0..9 = 0
action up:
    n := n + 1
action jump:
    require n < 5
    n := n + 3
model low:
    storage = atomic
    forbid jump
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_takes_what_the_model_forbids_only_where_the_log_names_it(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "low.spec"
    path.write_text(FORBIDDEN, encoding="utf-8")
    question = ask(str(path))
    named: Log = {"states": [{}, {ACTION: "jump"}, {"n": 4}]}
    assert isinstance(decided(question, named, engine), Completed)
    unnamed: Log = {"states": [{}, {}, {"n": 4}]}
    answer = decided(question, unnamed, engine)
    assert isinstance(answer, Refused)
    assert answer.step == 2
    gap: Log = {"states": [{}, {"#meta": {"gap": 2}, "n": 4}]}
    assert isinstance(decided(question, gap, engine), Refused), "three labels come to 3 at most"
    gap["states"][1]["n"] = 3
    assert isinstance(decided(question, gap, engine), Completed)


# ------------------------------------------------------------------------- the circuit of what a log knows


def holed(value: Value, chance: Random) -> Value:
    """The value with holes anywhere inside."""
    if chance.random() < 0.15:
        return Missing("?")
    match value:
        case Map():
            return Map({key: holed(part, chance) for key, part in value.items() if chance.random() < 0.8})
        case tuple():
            parts = [holed(part, chance) for part in value]
            return tuple(chance.sample(parts, len(parts)) if chance.random() < 0.2 else parts)
        case frozenset():
            return frozenset(holed(part, chance) for part in value)
        case _:
            return value


TWO_NOTES = """
message Note:
    size: 0..9
const Node: set
process Node:
    durable n: 0..9 = 0
    action tell(peer: Node):
        send Note(size=1) to peer
        send Note(size=2) to peer
    action wait(peer: Node):
        n := 1
        fsync
        send Note(size=1) to peer
        send Note(size=2) to peer
    on Note m as heard:
        skip
network bag
model one:
    Node = {a}
"""


@pytest.mark.parametrize(("where", "rule"), [("network", "tell"), ("outbox", "wait")])
@pytest.mark.parametrize("engine", ENGINES)
def test_each_known_message_is_another_one(engine: Engine, where: str, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.spec"
    path.write_text(TWO_NOTES, encoding="utf-8")
    question = ask(str(path))

    def after(*messages: dict[str, Any] | None) -> type:
        network = [{"message": message} for message in messages]
        known: dict[str, Any] = {"network": network} if where == "network" else {"outbox": {"a": list(messages)}}
        return type(decided(question, {"states": [{}, {ACTION: rule, **known}]}, engine))

    one, two, any_note = {"size": 1}, {"size": 2}, {"type": "Note"}
    assert after(two, one) is Completed
    assert after(any_note, two) is Completed
    assert after(None, any_note) is Completed
    assert after(two, two) is Refused, "the other message is left over"
    assert after(one, two, any_note) is Refused
    assert after(any_note) is Refused


@pytest.mark.parametrize(("spec", "model"), [*SMALL, ("raft", "tiny")], ids=lambda part: str(part))
def test_a_circuit_tells_what_fits_as_the_matcher_does(spec: str, model: str | None) -> None:
    question = small(spec, model)
    evaluator, tracer = question.evaluator, Tracer(question.evaluator)
    shape = Shape(question.system)
    matcher = Matcher(question.system.network.kind is NetworkKind.FIFO)
    chance = Random(spec)
    said = {True: 0, False: 0}
    for _ in range(6):
        states = [evaluator.initial_states()[0]]
        for label in random_run(evaluator, chance, 12):
            states.append(evaluator.successor(states[-1], label))
        for _ in range(6):
            state = chance.choice(states)
            of = tracer.variables(state if chance.random() < 0.7 else chance.choice(states))
            variables = {
                name: Map({k: holed(v, chance) for k, v in value.items()})
                if isinstance(value, Map)
                else holed(value, chance)
                for name, value in of.items()
            }
            known = PartialState(variables=Map({n: v for n, v in variables.items() if chance.random() < 0.8}))
            c = Circuit()
            fits = Known(c, shape).state(known, shape.of_state(c, state))
            wanted = matcher.state_fits(known, tracer.variables(state))
            assert Solver(c).check(fits, query=Query("test", "the state fits")) == wanted, (known, state)
            said[wanted] += 1
    assert min(said.values()) > 3, said
