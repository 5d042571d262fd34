"""S4xx: what a rule may read and write, in which order, and where a statement has a meaning."""

from __future__ import annotations

import pytest

from spec.diagnostics import Severity
from tests.spec.semantic import DECLARATIONS, action, check, codes, invariant

CASES = [
    ("S401", action("require up(self)")),
    ("S401", action("require size(network(Ask)) == 0")),
    ("S401", action("require size(network) == 0")),
    ("S401", action("current := disk(self).current")),
    ("S401", action("require len(pending(self)) == 0")),
    ("S401", "fun quiet() -> bool: size(network) == 0\n" + action("require quiet()")),
    ("S402", "action act(peer: Server):\n    require peer.role == Leader"),
    ("S402", action("votes := {s for s in Server if s.role == Leader}")),
    ("S402", "fun leads(s: Server) -> bool: s.role == Leader\n" + action("require leads(self)")),
    ("S403", action("require seen == {}")),
    ("S403", action("votes := seen")),
    ("S404", action("seen := {}")),
    ("S404", action("ghost votes := {}")),
    ("S405", action("let x = 1", "x := 2")),
    ("S405", action("top := 2")),
    ("S405", "action act(peer: Server):\n    peer.role := Leader"),
    ("S406", action("fsync", "current := 1")),
    ("S406", action("if role == Leader: fsync", "current := 1")),
    ("S406", action("for s in {1, 2}:", "    current := s", "    fsync")),
    ("S407", "on flush:\n    fsync"),
    ("S408", action("ignore")),
    ("S408", action("reply Answer(granted=true)")),
    ("S408", action("keep m")),
    ("S408", "on Ask m as other:\n    keep n"),
    ("S409", "on Ask m as other:\n    for s in Server:\n        ignore"),
    ("S410", action("for s in Server:", "    log := append(log, Entry(term=0, owner=s))")),
    ("S410", action("for s in Server:", "    vote := s")),
    ("S410", action("for s in Server:", "    log[current].term := 1", "    current := current + 1")),
    ("S410", action("for s in Server:", "    if votes == {}:", "        votes := votes + {s}")),
    ("S410", action("for s in Server:", "    marks[s] := marks[self] + 1")),
    ("S410", action("for s in Server:", "    votes := votes + {s}", "    votes := votes - {self}")),
    ("S410", action("for s in Server:", "    let other = s", "    vote := other")),
    (
        "S410",
        action("for s in Server:", "    let v = votes", "    send Ask(term=size(v)) to s", "    votes := {s} + votes"),
    ),
    ("S410", action("for s in Server:", "    current := current + 1", "    record")),
    ("S410", action("for s in Server:", "    send Ask(term=1) to s", "    fsync")),
    ("S410", action("for s in Server:", "    fsync", "    send Ask(term=1) to s")),
    (
        "S410",
        action("for s in Server:", "    if s == self:", "        current := current + 1", "    current := current - 1"),
    ),
    ("S410", action("for s in Server:", "    current := current + (marks[s] - 1)")),
    ("S411", invariant("s1.role == Leader")),
    ("S411", action("vote := s2")),
    ("S412", "on Ask m as other:\n    current := m.term\n    reply Answer(granted=true)"),
    ("S412", "on Ask m as other:\n    current := m.term\n    reply Answer(granted=true)\n    fsync"),
    ("S413", "on flush:\n    require role == Leader"),
    ("S414", "shared action act:\n    fsync"),
    ("S414", "shared action act(client: Client):\n    send Done() to client"),
    ("S415", invariant("old(turn) == turn")),
    ("S415", invariant("label == stand")),
]


@pytest.mark.parametrize(("code", "text"), CASES, ids=[f"{code}-{i}" for i, (code, _) in enumerate(CASES)])
def test_fault_has_its_code_and_no_other(code: str, text: str) -> None:
    assert set(codes(text)) == {code}


ALLOWED = [
    action("ghost seen := {s for s in Server if up(s) and s.role == Leader and size(network) == 0} + seen"),
    action("current := 1", "fsync"),
    action("fsync", "role := Leader"),
    "on Ask m as other:\n    current := m.term\n    fsync\n    reply Answer(granted=true)",
    "on Ask m as other:\n    if m.term == 1:\n        fsync\n        ignore\n    current := m.term",
    "on Ask m as other:\n    if m.term == 1:\n        current := 1\n        ignore\n    reply Answer(granted=true)",
    "on flush:\n    current := 1\n    votes := {}",
    "on Ask m as other:\n    keep m",
    action("for s in Server - {self}:", "    send Ask(term=current) to s"),
    action("for s in Server:", "    marks[s] := marks[s] + 1"),
    action("for s in Server:", "    if marks[s] == 0:", "        marks[s] := current", "        role := Leader"),
    action("for s in Server:", "    votes := votes + {s}", "    current := max(current, marks[s])"),
    action("for s in Server:", "    marks[self] := marks[self] + marks2(s)") + "\nfun marks2(s: Server) -> Term: 1",
    action("for t in Term:", "    current := t"),
    action("for s in Server:", "    if s == self:", "        fsync"),
    action("for s in Server:", "    current := current - (if s == self then 1 else len(log))"),
    "scenario first:\n    run:\n        stand(s1, peer=s2)\n    reach: s1.role == Follower",
    invariant("c1.asked == 0"),
]


@pytest.mark.parametrize("text", ALLOWED)
def test_allowed(text: str) -> None:
    assert check(text) == ()


def test_reply_that_overtakes_a_flush_is_a_warning() -> None:
    (found,) = check("on Ask m as other:\n    current := m.term\n    reply Answer(granted=true)")
    assert (found.code, found.severity) == ("S412", Severity.WARNING)


def test_messages_to_one_process_in_a_loop_commute_in_a_bag_but_not_in_a_fifo() -> None:
    text = action("for s in Server:", "    send Ask(term=1) to self")
    assert codes(text) == []
    assert codes(text, declarations=DECLARATIONS.replace("network bag", "network fifo")) == ["S410"]


def test_an_element_of_a_set_that_is_not_symmetric_has_a_name_everywhere() -> None:
    assert codes(invariant("s1.role == Leader"), declarations=DECLARATIONS.replace(" symmetric", "")) == []


def test_what_an_unused_proc_does_is_checked_too() -> None:
    assert codes("proc p():\n    votes := seen\nproc q():\n    reply Answer(granted=true)") == ["S403"]
