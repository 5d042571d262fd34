"""S3xx: every value is of the type that its place wants."""

from __future__ import annotations

import pytest

from spec.load import check_text
from tests.spec.semantic import MODEL, action, check, codes, invariant

CASES = [
    ("S301", action("role := 1")),
    ("S301", action("votes := self")),
    ("S301", action("current := none")),
    ("S301", action("marks := {r: 0 for r in Role}")),
    ("S301", "fun f(x: Term) -> bool: x"),
    ("S301", action("log := append(log, 1)")),
    ("S302", invariant("Follower == 1")),
    ("S302", invariant("forall s in Server: s.role == s")),
    ("S302", invariant("forall s in Server: s.vote in Server")),
    ("S302", invariant("(if true then 1 else Leader) == 1")),
    ("S303", invariant("forall s in Server: s.log + 1 == s.log")),
    ("S303", invariant("forall s in Server: s < s")),
    ("S303", invariant("forall s in Server: s.votes + s == {}")),
    ("S303", invariant("seen & turn == {}")),
    ("S303", invariant("-seen == 1")),
    ("S304", invariant("turn")),
    ("S304", action("require current")),
    ("S304", invariant("not turn")),
    ("S304", invariant("turn and true")),
    ("S305", invariant("forall s in Server: s.trm == 0")),
    ("S305", invariant("forall s in Server: s.vote.role == Leader")),
    ("S305", invariant("turn.x == 0")),
    ("S305", invariant("forall s in Server: disk(s).role == Leader")),
    ("S305", action("log[1].trem := 1")),
    ("S306", action("send Ask() to self")),
    ("S306", action("send Ask(term=1, term=1) to self")),
    ("S306", action("log := append(log)")),
    ("S306", invariant("min(turn) == 0")),
    ("S306", "type Bad = seq[Term]"),
    ("S306", "scenario odd:\n    run:\n        stand(s1, pear=s2)"),
    ("S306", "scenario odd:\n    run:\n        stand(peer=s2)"),
    ("S307", invariant("seen[1] == 1")),
    ("S307", invariant("seen[1..2] == {}")),
    ("S307", action("votes[1] := 1")),
    ("S308", invariant("{} == {}")),
    ("S308", action("let x = none")),
    ("S309", invariant("forall x in turn: true")),
    ("S309", invariant("forall s in Server, e in s.log: true")),
    ("S309", invariant("1 in turn")),
    ("S309", action("for x in 3:", "    skip")),
    ("S310", "ghost bad: map[int, Term] = {i: 0 for i in int}"),
    ("S310", "action bad(x: int):\n    skip"),
    ("S310", "track w in int"),
    ("S310", invariant("forall i in int: true")),
    ("S311", action("send Done() to self")),
    ("S311", "action bad(client: Client):\n    send Ask(term=1) to client"),
    ("S312", invariant("len(seen) == 0")),
    ("S312", invariant("forall s in Server: size(s.log) == 0")),
    ("S312", invariant("the(turn) == 0")),
    ("S312", invariant("maximum(turn) == 0")),
    ("S312", invariant("network == {}")),
    ("S312", invariant("forall s in Server: pending(s) == 0")),
    ("S312", invariant("up(turn)")),
    ("S313", "ghost bad: Term = turn"),
    ("S314", "ghost bad: Term = 7"),
    ("S314", "shared bad: 1..3 = 0"),
    ("S314", action("turn := 4")),
    ("S314", action("current := -1")),
    ("S315", "type Bad = 3..1"),
    ("S315", "type Bad = optional[optional[Term]]"),
    ("S315", "type Bad = seq[Term, -1]"),
    ("S316", "ghost bad: set[Ask] = {}"),
    ("S316", invariant("Ask(term=1) in network(Ask)")),
]


@pytest.mark.parametrize(("code", "text"), CASES, ids=[f"{code}-{i}" for i, (code, _) in enumerate(CASES)])
def test_fault_has_its_code_and_no_other(code: str, text: str) -> None:
    assert codes(text) == [code]


WELL_TYPED = [
    invariant("forall s in Server: s.vote == s or s.vote == none"),
    invariant("forall s in Server: s.vote != none => the(s.vote) in Server"),
    invariant("forall s in Server: s.vote in {none, s}"),
    invariant("forall s in Server: none == s.vote"),
    invariant("forall s in Server: {} == s.votes"),
    invariant("forall s in Server, i in 1..len(s.log): s.log[i].term <= s.current"),
    invariant("forall s in Server, t in Term, r in Role: s.marks[s] < t + 7 or s.role == r"),
    invariant("exists m in network(Ask): m.term == 1 and m.source in seen"),
    invariant("forall s in Server, m in outbox(s, Ask): m.term == 0"),
    invariant("forall m in network(Ask), s in Server: m in outbox(s) => m in network(Ask)"),
    invariant("size(network) == 0 or forall s in Server: up(s) and len(pending(s)) == 0 and size(outbox(s)) == 0"),
    invariant("forall s in Server: disk(s).current <= s.current"),
    invariant("maximum({1, 2} + {turn}) div 2 mod 3 == -1 * turn or turn not in 0..3"),
    invariant("forall s in Server: (if s.vote == none then none else s.vote) == none"),
    invariant("seen subset Server and (Server - seen) & seen == {}"),
    invariant("forall s in Server: s.log[1..2] + [] == append(s.log, Entry(term=1, owner=s))"),
    invariant("{x: x for x in 0..2}[1] == 1"),
    "action invariant step: old(turn) <= turn or label == stand or label != flush",
    action("vote := self", "vote := none", "marks[self] := current", "log[1].owner := self"),
    action("let entries = log[1..1]", "log := entries + entries"),
    action("let e = if vote == none then log[1] else Entry(term=0, owner=none)", "log := [e]"),
    "fun nothing() -> set[Server]: {}\nfun own(m: Ask) -> Term: m.term\n" + invariant("nothing() == {}"),
    "track w in Term\nwindow late: w > 1\nactor leader: crashed.role == Leader\noutcome any: w >= 0",
]


@pytest.mark.parametrize("text", WELL_TYPED)
def test_well_typed(text: str) -> None:
    assert check(text) == ()


def test_optional_is_unwrapped_by_name() -> None:
    (found,) = check(action("votes := {vote}"))
    assert (found.code, found.hint) == ("S301", "`the(x)` is the value of an optional that is not none")


def test_a_bound_from_a_constant_is_not_a_static_error() -> None:
    assert codes(action("current := 7")) == []


def test_file_without_a_model_is_checked_with_made_up_constants() -> None:
    constants = "const S: set\nconst n: int\nconst b: bool\n"
    text = constants + "shared x: set[S] = S\nshared y: 0..n = 2\ninvariant wrong: x == y and b"
    assert [found.code for found in check_text(text, "small.spec")] == ["S302"]


def test_the_same_fault_under_two_models_is_one() -> None:
    assert codes("ghost bad: Term = 7\n" + MODEL.replace("two", "three").replace("top = 2", "top = 3")) == ["S314"]
