"""``complete``: correct logs with holes are accepted; with one value made impossible they are refused at that step."""

from __future__ import annotations

import json
from functools import cache
from random import Random

import pytest

from checker.completing.deciding import Answer, Completed, Engine, Prefix, Refused, decide
from checker.question import Question, ask
from checker.tracing import Tracer
from tests.checker.command_line import CORPUS
from tests.checker.logs import Log, blanked, falsified, layers_that_fit, random_run, written
from traces.partial import parse_partial

LENGTH = 30
NIGHTLY_SEEDS = range(100, 200)


@cache
def raft(model: str) -> Question:
    return ask(None, model=model)


def correct_log(seed: int) -> tuple[Question, Log]:
    """One in five from the corpus, the others random runs of three servers or two."""
    chance = Random(seed)
    if seed % 5 == 0:
        files = sorted(CORPUS.glob("*.itf.json"))
        log: Log = json.loads(files[seed // 5 % len(files)].read_text(encoding="utf-8"))
        return raft(log["#meta"]["model"]), log
    question = raft("tiny" if seed % 5 == 1 else "three")
    labels = random_run(question.evaluator, chance, LENGTH)
    return question, written(Tracer(question.evaluator).trace(labels))


def decided(question: Question, log: Log, engine: Engine, widest: int | None = None) -> Answer:
    return decide(question, parse_partial(json.dumps(log).encode(), "log"), engine, None, widest)


def accept_and_refuse(seed: int, engines: tuple[Engine, ...]) -> None:
    """30 % of the fields and 10 % of the labels blanked; then one of the values that are left made impossible."""
    print(f"seed {seed}")
    question, log = correct_log(seed)
    chance = Random(f"edits {seed}")
    with_holes = blanked(log, chance)
    wrong, (step, *field) = falsified(with_holes, question.evaluator, chance)
    for engine in engines:
        fits = decided(question, with_holes, engine)
        assert isinstance(fits, Completed), (seed, engine, fits)
        assert_fits(question, with_holes, fits.run)
        refused = decided(question, wrong, engine)
        assert isinstance(refused, Refused), (seed, engine, field)
        assert refused.step == step, (seed, engine, field, refused.explained.reason)
        assert_fits(question, wrong, refused.run)
        assert len(refused.run.positions) == step


def assert_fits(question: Question, log: Log, run: Prefix) -> None:
    """By brute force, over the run's own states: each is among those that fit the log so far."""
    states = [question.evaluator.initial_states()[0]]
    for label in run.labels:
        states.append(question.evaluator.successor(states[-1], label))
    layers = layers_that_fit(question.evaluator, {**log, "states": log["states"][: len(run.positions)]})
    assert all(states[at] in layer for at, layer in zip(run.positions, layers, strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_a_correct_log_with_holes_is_accepted_and_refused_where_a_value_is_made_impossible(seed: int) -> None:
    accept_and_refuse(seed, (Engine.REFERENCE, Engine.SYMBOLIC) if seed in (0, 1) else (Engine.AUTO,))


@pytest.mark.slow
@pytest.mark.parametrize("seed", NIGHTLY_SEEDS)
def test_a_hundred_correct_logs_are_accepted_and_refused_by_both_engines(seed: int) -> None:
    accept_and_refuse(seed, (Engine.REFERENCE, Engine.SYMBOLIC))
