"""``model-check prove``: what it proves, what breaks a proof, and what it refuses to be asked."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from random import Random

import pytest

from checker.proving import Proof, Proving, prove
from checker.question import ask
from checker.symbolic.arbitrary import Place, arbitrary_state
from checker.symbolic.circuit import Circuit
from checker.symbolic.consecution import verdict_of
from checker.symbolic.induction import Obligations, unbounded
from checker.symbolic.reaching import same_state
from checker.symbolic.solve import Solver
from checker.symbolic.state import Shape
from checker.symbolic.watch import Query, Watch
from spec.evaluate import Evaluator
from tests.checker.command_line import MODELS, model_check
from tests.checker.symbolic_systems import KITCHEN, kitchen, of_text
from tests.generated.states import made_up

ALONE = Proving(workers=1, max_steps=3)


def proof_of(path: Path, **options: str) -> Proof:
    return prove(ask(str(path), inductive=True, **options), ALONE)  # type: ignore[arg-type]


def broken_by(proof: Proof) -> dict[str, set[str | None]]:
    """Rule → what it breaks; "" for what does not follow."""
    found: dict[str, set[str | None]] = {}
    for verdict in proof.verdicts:
        if verdict.broken:
            rule = "" if verdict.case is None else verdict.case.rule
            found.setdefault(rule, set()).update(broken.property for broken in verdict.broken)
    return found


# ----------------------------------------------------------------------------------------- two-phase commit


def test_two_phase_commit_is_consistent_in_runs_of_any_length() -> None:
    ran = model_check("prove", MODELS / "two_phase_commit.spec", "--workers", "1")
    assert ran.code == 0
    assert "Proved for runs of any length, within the bounds of the types: 6 conjuncts and 1 property" in ran.out
    assert "up to symmetry of ResourceManager" in ran.out


def test_each_conjunct_of_two_phase_commit_is_needed() -> None:
    question = ask(str(MODELS / "two_phase_commit.spec"))
    conjuncts = question.system.inductive
    for left_out in conjuncts:
        rest = [p for p in conjuncts if p is not left_out]
        of = Obligations(question.system, question.evaluator.initial_states()[0], rest)
        verdicts = [verdict_of(of, case, Watch()) for case in (None, *of.cases())]
        assert any(verdict.broken for verdict in verdicts), left_out.name


def test_a_commit_that_does_not_wait_for_all_is_shown_as_two_states_and_reached(tmp_path: Path) -> None:
    path = _changed(tmp_path, "two_phase_commit", " and prepared == ResourceManager", "")
    ran = model_check("prove", path, "--workers", "1")
    assert ran.code == 26
    assert "commit of tm: BREAKS commit_takes_all" in ran.out
    assert "commit_takes_all is false after commit" in ran.out
    assert "a state in which every conjunct holds" in ran.out
    assert "REACHED from the start" in ran.out
    assert "commit(tm)" in ran.steps()
    again = model_check(*ran.reproduce)
    assert again.code == 26
    as_json = model_check("prove", path, "--workers", "1", "--json").json
    assert [broken["property"] for broken in as_json["broken"]] == ["commit_takes_all"]
    assert as_json["broken"][0]["reached_by"] == ["commit(tm)"]


def test_a_conjunct_that_is_only_an_invariant_is_called_maybe_unreachable(tmp_path: Path) -> None:
    kept = _without_conjuncts(tmp_path, keep=["who_commits_was_told", "commit_is_sent_once_decided"])
    proof = proof_of(kept)
    assert broken_by(proof) == {"": {"consistent"}}
    assert all(attempt.labels is None for attempt in proof.attempts.values())
    assert "maybe unreachable" in model_check("prove", kept, "--max-steps", "2").out


def test_pruning_leaves_the_largest_inductive_part(tmp_path: Path) -> None:
    text = (MODELS / "two_phase_commit.spec").read_text(encoding="utf-8")
    path = tmp_path / "two_phase_commit.spec"
    false = "inductive nobody_aborts: forall r in ResourceManager: r.vote != Aborted\n"
    leans_on_it = "inductive no_abort_is_sent: forall m in network(DoAbort): false\n"
    path.write_text(text + false + leans_on_it, encoding="utf-8")
    assert model_check("prove", path, "--workers", "1").code == 26
    ran = model_check("prove", path, "--workers", "1", "--prune", "--json")
    assert ran.code == 0
    assert ran.json["left_out"] == {"nobody_aborts": "choose_to_abort", "no_abort_is_sent": "abort"}
    assert len(ran.json["conjuncts"]) == 6
    assert "left out: nobody_aborts" in model_check("prove", path, "--workers", "1", "--prune").out


def test_one_property_is_proved_by_its_name() -> None:
    path = MODELS / "two_phase_commit.spec"
    ran = model_check("prove", path, "--property", "commit_takes_all", "--workers", "1")
    assert ran.code == 0
    assert "1 conjunct, if all other conjuncts are inductive, too" in ran.out
    assert model_check("check", path, "--property", "commit_takes_all").code == 2


# -------------------------------------------------------------------------------- what an arbitrary state is


@pytest.mark.parametrize("storage", ["buffered", "atomic"])
def test_an_arbitrary_state_can_be_any_state_that_there_is(storage: str) -> None:
    bounded = kitchen(storage=storage, bounds="max_pending = 2, max_in_flight = 3")
    chance, shape = Random(7), Shape(unbounded(bounded))
    c = Circuit()
    room = [Place(None) for _ in range(4)]
    state, proper = arbitrary_state(c, shape, room)
    solver = Solver(c, Watch())
    solver.require(proper)
    for _ in range(25):
        wanted = made_up(bounded, chance)
        assert solver.check(same_state(c, shape, state, wanted), query=Query("test", "it is this state"))


def test_every_arbitrary_state_keeps_what_each_transition_keeps() -> None:
    """The second half: the step of a state that z3 made up leads, for the evaluator, to where z3 says. `Obligations`
    checks it for each state that it shows; here many are shown, because false conjuncts are asked about."""
    conjunct = "\ninductive impossible: forall n in Node: n.term == 0 and len(n.log) == 0 and n.colour == Red\n"
    network = "bag with loss, duplication"
    text = KITCHEN.format(network=network, storage="buffered", bounds="    max_pending = 2")
    system = of_text(text + conjunct)
    of = Obligations(system, Evaluator(system).initial_states()[0], system.inductive)
    verdicts = [verdict_of(of, case, Watch()) for case in of.cases()]
    assert sum(1 for verdict in verdicts if verdict.broken) >= 3


# ------------------------------------------------------------------------------ against every state there is

JUGS = ("small <= big", "small != 1", "small + big != 8", "small in {0, 3} or big in {0, 5}", "big != 4 or small < 3")


@pytest.mark.parametrize("conjunct", JUGS)
def test_it_says_what_trying_every_state_says(tmp_path: Path, conjunct: str) -> None:
    path = tmp_path / "jugs.spec"
    text = (MODELS / "diehard.spec").read_text(encoding="utf-8")
    path.write_text(f"{text}\ninductive tried: {conjunct}\n", encoding="utf-8")
    question = ask(str(path))
    evaluator, (start,) = question.evaluator, question.evaluator.initial_states()
    (tried,) = question.system.inductive
    holds = evaluator.compile(tried.expr)
    expected: set[str] = set()
    names = [v.name for v in question.system.variables]
    ranges = [range(6) if name == "big" else range(4) for name in names]
    for values in product(*ranges):
        state = start._replace(shared=tuple(values))
        if evaluator.holds(holds, state):
            after = evaluator.transitions(state)
            expected |= {label.rule for label, target in after if not evaluator.holds(holds, target)}
    found = broken_by(proof_of(path))
    assert set(found) - {""} == expected


# ------------------------------------------------------------------------------- what is reported, and refused


def _changed(folder: Path, spec: str, old: str, new: str) -> Path:
    text = (MODELS / f"{spec}.spec").read_text(encoding="utf-8")
    assert old in text
    path = folder / f"{spec}.spec"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def _without_conjuncts(folder: Path, keep: list[str]) -> Path:
    text = (MODELS / "two_phase_commit.spec").read_text(encoding="utf-8")
    blocks = text.split("\n\n")
    kept = [b for b in blocks if not b.startswith("inductive") or b.split()[1].rstrip(":") in keep]
    path = folder / "two_phase_commit.spec"
    path.write_text("\n\n".join(kept), encoding="utf-8")
    return path


def with_conjunct(folder: Path, conjunct: str, body: str = "skip") -> Path:
    path = folder / "small.spec"
    path.write_text(
        "const Node: set symmetric\nmessage Note:\n    n: 0..3\nnetwork bag\n"
        "process Node:\n    durable n: 0..3 = 0\n    on Note m as note:\n        n := m.n\n"
        f"    action act:\n        {body}\n"
        f"inductive asked: {conjunct}\n"
        "model m:\n    Node = {a, b}\n    max_crashes = 1\n    max_pending = 2\n",
        encoding="utf-8",
    )
    return path


def test_a_conjunct_that_needs_some_message_is_refused(tmp_path: Path) -> None:
    path = with_conjunct(tmp_path, "forall p in Node: p.n > 0 => (exists m in network(Note): m.n == p.n)")
    ran = model_check("prove", path)
    assert ran.code == 2
    assert "inductive asked says that there is some message" in ran.err
    assert "keep in a ghost that it was sent" in ran.err


def test_an_evaluation_that_fails_in_a_step_breaks_the_proof(tmp_path: Path) -> None:
    path = with_conjunct(tmp_path, "true", "n := [1, 2][n]")
    proof = proof_of(path)
    assert broken_by(proof) == {"act": {None}}
    assert proof.attempts[None].labels is not None
    assert "evaluation error" in model_check("prove", path).out


def test_a_label_that_the_conjuncts_contradict_is_reported(tmp_path: Path) -> None:
    everywhere = (
        "forall p in Node, k in 0..len(pending(p)): p.n == 0 and kept(p, k).n == 0"
        " and (forall m in network(Note): m.n == 0) and (forall m in outbox(p, Note): m.n == 0)"
    )
    path = with_conjunct(tmp_path, everywhere, "require n > 0")
    ran = model_check("prove", path)
    assert ran.code == 0
    assert "never enabled if these are proved: act" in ran.out


def test_a_label_without_a_budget_is_excluded_and_further_broken_labels_are_named(tmp_path: Path) -> None:
    path = with_conjunct(tmp_path, "forall p in Node: p.n == 0", "n := 1")
    text = path.read_text(encoding="utf-8").replace("network bag", "network bag with loss")
    path.write_text(f"{text}    max_drops = 0\n", encoding="utf-8")
    ran = model_check("prove", path, "--workers", "1")
    assert ran.code == 26
    assert "drop: excluded by max_drops = 0; " in ran.out
    assert "contradicted" not in ran.out
    (more,) = [line for line in ran.out.splitlines() if " more: " in line]
    assert more == "2 more: act of a, crash of a"


def test_it_ends_at_the_first_label_that_breaks_if_told_to(tmp_path: Path) -> None:
    path = with_conjunct(tmp_path, "forall p in Node: p.n == 0", "n := 1")
    ran = model_check("prove", path, "--workers", "1", "--first")
    assert ran.code == 26
    assert "note of a: BREAKS asked; " in ran.out
    assert "4 labels not asked: this is the first that breaks (--first)" in ran.out
    assert model_check(*ran.reproduce, "--json").json["labels_not_asked"] == 4


def test_a_conjunct_that_is_false_at_the_start_breaks_the_proof(tmp_path: Path) -> None:
    ran = model_check("prove", with_conjunct(tmp_path, "forall p in Node: p.n == 1"))
    assert ran.code == 26
    assert "asked is false in the initial state" in ran.out


def test_what_a_crash_keeps_is_spoken_of(tmp_path: Path) -> None:
    path = with_conjunct(
        tmp_path, "forall p in Node, k in 0..len(pending(p)): kept(p, k).n <= p.n", "n := min(n + 1, 3)"
    )
    assert broken_by(proof_of(path)) == {"note": {"asked"}}, "only a note takes n back"


def test_buffered_storage_needs_to_know_how_many_records_wait(tmp_path: Path) -> None:
    path = with_conjunct(tmp_path, "true")
    path.write_text(path.read_text(encoding="utf-8").replace("    max_pending = 2\n", ""), encoding="utf-8")
    ran = model_check("prove", path)
    assert ran.code == 2
    assert "max_pending" in ran.err


def test_a_spec_without_conjuncts_says_so() -> None:
    ran = model_check("prove", MODELS / "paxos.spec")
    assert ran.code == 2
    assert "declares no `inductive" in ran.err


def test_once_the_time_is_up_no_label_is_even_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    def prepared(*_: object) -> None:
        raise AssertionError("it was prepared")

    monkeypatch.setattr("checker.symbolic.consecution._Part", prepared)
    ran = model_check("prove", MODELS / "two_phase_commit.spec", "--timeout", "0.000001", "--workers", "1")
    assert ran.code == 22
    assert "implication: UNKNOWN: timeout" in ran.out


def test_too_little_time_is_no_proof() -> None:
    ran = model_check("prove", MODELS / "two_phase_commit.spec", "--timeout", "0.0001", "--workers", "1")
    assert ran.code == 22
    assert "Inconclusive" in ran.out
    assert "UNKNOWN" in ran.out
    assert "holds" not in ran.out


def test_the_count_of_records_that_a_crash_keeps_is_checked(tmp_path: Path) -> None:
    path = with_conjunct(tmp_path, "forall p in Node: kept(p, 1).n == kept(p, 1).n")
    assert [broken.property for broken in proof_of(path).initial] == ["asked"]
