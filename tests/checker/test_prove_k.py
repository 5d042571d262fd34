"""``model-check prove --k``: what k states in a row prove that one does not, and what none of them does."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from checker.proving import Proof, Proving, prove
from checker.question import ask
from checker.verdict import Exit
from tests.checker.command_line import model_check

HOPPING = """\
shared a: 0..5 = 0
action hop:
    a := {hops}[a + 1]
action jump:
    a := {jumps}[a + 1]
inductive never: a != 4
model m:
    storage = atomic
"""


def hopping(hops: list[int], jumps: list[int] | None = None) -> str:
    """``hops[i]``: where a hop leads from i."""
    return HOPPING.format(hops=hops, jumps=hops if jumps is None else jumps)


def written(folder: Path, text: str) -> Path:
    path = folder / "small.spec"
    path.write_text(text, encoding="utf-8")
    return path


def proof_of(path: Path, length: int) -> Proof:
    return prove(ask(str(path), inductive=True), Proving(workers=1, max_steps=2, length=length))


def test_what_one_state_does_not_show_two_in_a_row_do(tmp_path: Path) -> None:
    path = written(tmp_path, hopping([1, 2, 0, 4, 4, 5]))  # nothing comes to 3, from where it goes to 4
    assert model_check("prove", path, "--workers", "1").code == 26
    ran = model_check("prove", path, "--workers", "1", "--k", "2")
    assert ran.code == 0
    assert "base, the first 2 states of every run: holds" in ran.out
    assert "Proved for runs of any length by 2-induction, within the bounds of the types: 1 conjunct" in ran.out
    assert model_check("prove", path, "--workers", "1", "--k", "2", "--json").json["k"] == 2


def test_it_takes_as_many_states_as_there_are_on_the_way(tmp_path: Path) -> None:
    path = written(tmp_path, hopping([0, 2, 3, 4, 4, 5]))
    codes = [proof_of(path, length).code for length in (1, 2, 3, 4)]
    assert codes == [Exit.NOT_INDUCTIVE, Exit.NOT_INDUCTIVE, Exit.NOT_INDUCTIVE, Exit.HOLDS]


@pytest.mark.parametrize("length", [1, 2, 5])
def test_where_it_may_wait_for_ever_no_number_of_states_suffices(tmp_path: Path, length: int) -> None:
    path = written(tmp_path, hopping([1, 2, 0, 4, 4, 5], jumps=[1, 2, 0, 3, 4, 5]))
    ran = model_check("prove", path, "--workers", "1", "--k", str(length))
    assert ran.code == 26
    assert "maybe unreachable" in ran.out
    (broken,) = (broken for broken in proof_of(path, length).broken)
    assert len(broken.run) == length - 1, "the states before are shown"
    again = model_check(*ran.reproduce)
    assert (again.code, f"{length}-induction" in again.out) == (26, length > 1)


@pytest.mark.parametrize("seed", range(6))
def test_it_says_what_trying_every_run_of_k_labels_says(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    tables = {name: [chance.choice([0, 1, 2, 3, 3, 4, 5]) for _ in range(6)] for name in ("hop", "jump")}
    path = written(tmp_path, hopping(tables["hop"], tables["jump"]))
    good, reached, false_at_first = {0, 1, 2, 3, 5}, {0}, False
    may = set(good)  # where a run of good states may have come to
    for length in (1, 2, 3):
        expected = {rule for rule, table in tables.items() if any(table[a] == 4 for a in may)}
        proof = proof_of(path, length)
        found = {v.case.rule for v in proof.verdicts if v.case is not None and v.broken}
        assert (found, bool(proof.base)) == (expected, false_at_first), (tables, length)
        assert proof.code is (Exit.NOT_INDUCTIVE if expected or false_at_first else Exit.HOLDS)
        may = good & {table[a] for a in may for table in tables.values()}
        reached = {table[a] for a in reached for table in tables.values()}
        false_at_first = false_at_first or 4 in reached


def test_the_first_states_of_every_run_are_asked_about(tmp_path: Path) -> None:
    path = written(tmp_path, hopping([3, 0, 0, 4, 0, 0]))
    ran = model_check("prove", path, "--workers", "1", "--k", "3")
    assert ran.code == 26
    assert "base, the first 3 states of every run: BREAKS never" in ran.out
    assert "by 2 labels: hop(), hop()" in ran.out.replace("jump", "hop")


def test_a_message_for_each_label_may_be_there_at_first(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "const Node: set\nmessage Tick:\n    n: 0..1\nnetwork bag\n"
        "process Node:\n    volatile n: 0..3 = 0\n    on Tick m as tick:\n        n := min(n + 1, 3)\n"
        "inductive never: forall p in Node: p.n != 2\n"
        "model m:\n    Node = {a}\n    storage = atomic\n",
    )
    (broken,) = proof_of(path, 2).broken
    assert sum(count for _, count in broken.first().network) == 2, "nobody sends, and both labels receive"
    assert proof_of(path, 3).code is Exit.HOLDS


def test_budgets_do_not_bound_the_first_states(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "const Node: set symmetric\nprocess Node:\n    durable n: 0..1 = 0\n    action act:\n        n := 1\n"
        "inductive someone_is_up: exists p in Node: up(p)\n"
        "model m:\n    Node = {a, b}\n    storage = atomic\n    max_crashes = 1\n",
    )
    (broken,) = proof_of(path, 3).base
    assert (broken.property, broken.label and broken.label.rule) == ("someone_is_up", "crash")
