"""``model-check prove --necessary``: what each conjunct is needed for, without asking everything again."""

from __future__ import annotations

from pathlib import Path

from checker.necessity import removals
from checker.proving import Proof, Proving, prove
from checker.question import ask
from checker.symbolic.consecution import verdict_of
from checker.symbolic.induction import Obligations
from checker.symbolic.watch import Deadline, Watch
from checker.verdict import Exit
from tests.checker.command_line import MODELS, model_check

SUPERFLUOUS = """
inductive commit_takes_all_once_more:
    forall tm in Manager: tm.decision == Commit => tm.prepared == ResourceManager
inductive nothing_at_all: true
inductive commit_takes_someone: forall tm in Manager: tm.decision == Commit => tm.prepared != {}
"""


def superfluous(folder: Path) -> Path:
    path = folder / "two_phase_commit.spec"
    text = (MODELS / "two_phase_commit.spec").read_text(encoding="utf-8")
    path.write_text(text + SUPERFLUOUS, encoding="utf-8")
    return path


def proof_of(path: Path) -> Proof:
    return prove(ask(str(path), inductive=True), Proving(workers=1, necessary=True))


def test_every_conjunct_of_two_phase_commit_is_needed() -> None:
    ran = model_check("prove", MODELS / "two_phase_commit.spec", "--necessary", "--workers", "1")
    assert ran.code == 0
    assert "without commit_takes_all: the conjuncts do not give consistent" in ran.out
    assert "without commit_is_sent_once_decided: DoCommit of r1 breaks who_commits_was_told" in ran.out
    assert "; each is needed; " in ran.out


def test_what_is_redundant_is_said_to_be(tmp_path: Path) -> None:
    ran = model_check("prove", superfluous(tmp_path), "--necessary", "--json", "--workers", "2")
    assert ran.code == 0
    redundant = [row["conjunct"] for row in ran.json["left_out_in_turn"] if row["redundant"]]
    assert redundant == ["commit_takes_all", "commit_takes_all_once_more", "nothing_at_all", "commit_takes_someone"]
    text = model_check("prove", superfluous(tmp_path), "--necessary", "--workers", "1").out
    assert "without nothing_at_all: all the rest is proved, so it is redundant" in text
    assert f"redundant, each on its own: {', '.join(redundant)}" in text


def test_it_says_what_a_proof_of_the_rest_says(tmp_path: Path) -> None:
    proof = proof_of(superfluous(tmp_path))
    of = proof.obligations
    assert [removal.conjunct for removal in proof.removals] == [p.name for p in of.conjuncts]
    for removal, left_out in zip(proof.removals, of.conjuncts, strict=True):
        rest = Obligations(of.system, of.start, [p for p in of.conjuncts if p is not left_out])
        broken = {
            (case, found.property)
            for case in (None, *rest.cases())
            for found in verdict_of(rest, case, Watch()).broken
        }
        if removal.broken is None:
            assert not broken, left_out.name
        else:
            assert (removal.case, removal.broken.property) in broken, left_out.name


def test_most_of_it_is_known_from_the_proof(tmp_path: Path) -> None:
    path = superfluous(tmp_path)
    proof = proof_of(path)
    alone = prove(ask(str(path), inductive=True), Proving(workers=1))
    more = len(proof.asked) - len(alone.asked)
    assert 0 < more < len(alone.asked), "each of nine conjuncts left out asked less than a ninth of all again"


def test_without_time_nothing_is_called_redundant(tmp_path: Path) -> None:
    proof = proof_of(superfluous(tmp_path))
    late = list(removals(proof.obligations, proof.verdicts, 1, lambda: Watch(Deadline(0.0)), []))
    open_ = {removal.conjunct for removal in late if removal.unknown is not None}
    assert not any(removal.broken for removal in late)
    assert {removal.conjunct for removal in proof.removals if removal.broken} <= open_
    assert "nothing_at_all" not in open_, "no answer leans on it, so no time is needed"
    proof.removals = late
    assert proof.code is Exit.INCONCLUSIVE
