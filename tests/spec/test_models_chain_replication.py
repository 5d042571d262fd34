"""Chain replication: exact counts, and what passing on before the flush loses."""

from __future__ import annotations

import pytest

from spec.evaluate import Evaluator
from spec.explore import explore
from spec.load import load_file, load_system, shipped


def chain(model: str, mutant: str | None = None) -> Evaluator:
    return Evaluator(load_system(shipped("chain_replication"), model=model, mutant=mutant))


def test_nothing_is_wrong_with_the_file() -> None:
    assert load_file(shipped("chain_replication")).diagnostics == ()


@pytest.mark.parametrize(
    ("model", "distinct", "depth", "generated"),
    [("two_writes", 28_322, 39, 94_032), ("one_write", 16_032, 29, 60_300)],
)
def test_answered_writes_are_on_every_disk(model: str, distinct: int, depth: int, generated: int) -> None:
    found = explore(chain(model))
    assert (found.distinct, found.depth, found.generated) == (distinct, depth, generated)
    assert (found.complete, found.violation) == (True, None)
    assert found.reached.keys() == {"every_write_is_answered", "an_answer_comes_though_a_server_is_down"}
    system_actions = {"flush", "crash", "restart"}
    assert found.taken.keys() == system_actions | {"join", "ask", "write", "pass_on", "update", "acknowledge", "answer"}
    assert all(cut.endswith(("max_in_flight = 2", "max_in_flight = 3")) for cut in found.cuts)


@pytest.mark.parametrize(
    ("broken", "length"), [("no_server_is_ahead_of_its_predecessor", 7), ("answered_write_is_on_every_disk", 11)]
)
def test_write_that_is_passed_on_before_the_flush_is_answered_and_lost(broken: str, length: int) -> None:
    found = explore(chain("two_writes", "passes-on-before-flush"), only=broken)
    assert found.violation is not None
    assert (found.violation.property, len(found.violation.labels)) == (broken, length)
