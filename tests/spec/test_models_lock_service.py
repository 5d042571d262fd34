"""The lock service: exact counts, and what a forgotten token or a resource without a fence lets happen."""

from __future__ import annotations

import pytest

from spec.evaluate import Evaluator
from spec.explore import explore
from spec.load import load_file, load_system, shipped


def lock_service(mutant: str | None = None) -> Evaluator:
    return Evaluator(load_system(shipped("lock_service"), model="two_clients", mutant=mutant))


def test_nothing_is_wrong_with_the_file() -> None:
    assert load_file(shipped("lock_service")).diagnostics == ()


def test_two_clients_exclude_each_other_in_12510_states() -> None:
    found = explore(lock_service())
    assert (found.distinct, found.depth, found.generated) == (12_510, 27, 40_882)
    assert (found.complete, found.violation) == (True, None)
    assert found.reached.keys() == {"two_believe_that_they_have_the_lock", "the_lock_changes_hands"}
    assert {"crash", "restart", "flush", "release", "break_lock"} < found.taken.keys()
    assert {cut for cut in found.cuts if "max_in_flight" not in cut} == {"acquire: last_token <= 2"}


@pytest.mark.parametrize(
    ("mutant", "broken", "length"),
    [
        ("forgets-its-token", "mutual_exclusion", 11),
        ("forgets-its-token", "one_writer_per_token", 15),
        ("no-fence", "old_holders_are_fenced_off", 12),
    ],
)
def test_mutant_is_caught(mutant: str, broken: str, length: int) -> None:
    found = explore(lock_service(mutant), only=broken)
    assert found.violation is not None
    assert (found.violation.property, len(found.violation.labels)) == (broken, length)
