"""A spec that extends another one: what it takes over, what it may add, and that it adds no behaviour."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from spec.evaluate import Evaluator
from spec.load import check_text, load_file, load_system
from spec.system import Storage

BASE = """\
const Server: set symmetric
const top: int
message Note:
    n: 0..top
network bag with loss
server:
    durable n: 0..top = 0
    action step:
        at grow:
            n := n + 1
        for peer in Server - {self}:
            send Note(n=n) to peer
    on Note m as note:
        at take:
            n := max(n, m.n)
invariant bounded: forall p in Server: p.n <= top
model two:
    Server = {a, b}
    top = 3
    max_crashes = 1
    max_in_flight = 2
mutant grows-twice of base:
    breaks bounded, bounded in 2 under two
    at grow:
        n := n + 2
"""

EXTENSION = """\
extends base
ghost steps: 0..3 = 0
proc count():
    ghost steps := max(steps, n)
before grow:
    ghost steps := max(steps, n)
after grow:
    count()
inductive counted: forall p in Server: p.n <= top
model mine:
    Server = {a, b}
    top = 3
    max_crashes = 1
    max_in_flight = 2
"""


def written(folder: Path, extension: str = EXTENSION, base: str = BASE) -> Path:
    (folder / "base.spec").write_text(base, encoding="utf-8")
    path = folder / "more.spec"
    path.write_text(extension, encoding="utf-8")
    return path


def codes(path: Path) -> list[str]:
    return [found.code for found in check_text(path.read_text(encoding="utf-8"), str(path))]


def test_it_has_what_the_other_declares_but_its_own_models(tmp_path: Path) -> None:
    path = written(tmp_path)
    system = load_system(path)
    assert system.spec == "more"
    assert system.model == "mine"
    assert [rule.name for rule in system.rules] == ["step", "note"]
    assert [p.name for p in system.invariants] == ["bounded"]
    assert [p.name for p in system.inductive] == ["counted"]
    assert load_file(path).models == ("mine",)


def test_each_run_of_the_one_is_a_run_of_the_other(tmp_path: Path) -> None:
    path = written(tmp_path)
    more, base = Evaluator(load_system(path)), Evaluator(load_system(tmp_path / "base.spec"))
    chance, seen = Random(3), set()
    for _ in range(30):
        state, other = more.initial_states()[0], base.initial_states()[0]
        for _ in range(12):
            steps, others = dict(more.transitions(state)), dict(base.transitions(other))
            assert list(steps) == list(others)
            assert state._replace(ghosts=()) == other
            if not steps:
                break
            label = chance.choice(list(steps))
            state, other = steps[label], others[label]
            seen.add(state.ghosts)
    assert seen == {(0,), (1,), (2,), (3,)}, "the ghost was written, in proc and block"


def test_a_mutant_of_the_other_is_planted_here_too(tmp_path: Path) -> None:
    path = written(tmp_path)
    system = load_system(path, mutant="grows-twice")
    assert (system.mutant, system.model) == ("grows-twice", "mine")
    state = Evaluator(system).initial_states()[0]
    (_, after), *_ = Evaluator(system).transitions(state)
    assert after.memory[0] == (2,)
    assert after.ghosts == (2,), "what stands beside the marked statements stays there"
    ghosts = [v.name for v in system.variables if v.storage is Storage.GHOST]
    assert ghosts == ["steps"]


def test_its_network_takes_the_place_of_the_other_one(tmp_path: Path) -> None:
    path = written(tmp_path, EXTENSION.replace("ghost steps: 0", "network set\nghost steps: 0"))
    assert load_system(path).network.kind.value == "set"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("extends base", "extends nobody", "S519"),
        ("before grow:", "instead of grow:", "S519"),
        ("extends base\n", "", "S519"),
        ("extends base", "extends base\nextends base", "S519"),
        ("before grow:", "before shrink:", "S508"),
        ("before grow:", "after grow:", "S519"),
        ("    ghost steps := max(steps, n)\nafter", "    n := 0\nafter", "S519"),
        ("    count()", "    fsync", "S519"),
        ("ghost steps: 0..3 = 0", "shared steps: 0..3 = 0", "S519"),
        ("inductive counted", "action more:\n    skip\ninductive counted", "S519"),
        ("inductive counted", "message More:\ninductive counted", "S519"),
        ("inductive counted", "ghost steps: 0..3 = 0\ninductive counted", "S202"),
    ],
)
def test_what_adds_behaviour_or_does_not_fit_is_refused(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert old in EXTENSION
    assert code in codes(written(tmp_path, EXTENSION.replace(old, new, 1)))


FURTHER = """\
extends base with behaviour
message Note:
    sent: 0..top
message Ask:
server:
    volatile told: 0..top = 0
    action ask(peer: Server):
        send Ask() to peer
process Clock never crashes:
    volatile hour: 0..1 = 0
    action tick:
        hour := 1
const Clock: set
on Ask m as asked:
    told := n
instead of tell:
    send Note(n=n, sent=told) to peer
after take:
    told := max(told, m.sent)
invariant told_is_known: forall p in Server: p.told <= p.n
model mine:
    Server = {a, b}
    Clock = {c}
    top = 2
    max_in_flight = 2
mutant forgets of more:
    breaks told_is_known
    at grow:
        n := n + 1
        told := n + 1
"""
MARKED = BASE.replace("        for peer in Server - {self}:\n            send Note(n=n) to peer\n", """\
        for peer in Server - {self}:
            at tell:
                send Note(n=n) to peer
""")


def test_with_behaviour_it_has_further_rules_variables_and_fields(tmp_path: Path) -> None:
    path = written(tmp_path, FURTHER, MARKED)
    assert codes(path) == []
    system = load_system(path)
    assert {rule.name for rule in system.rules} == {"step", "note", "ask", "asked", "tick"}
    assert [v.name for v in system.variables] == ["n", "told", "hour"]
    assert {message.name: len(message.fields) for message in system.messages} == {"Note": 2, "Ask": 0}
    assert [p.name for p in system.invariants] == ["bounded", "told_is_known"]


def test_statements_stand_instead_of_marked_ones_and_beside_them_at_once(tmp_path: Path) -> None:
    more = FURTHER.replace("after take:", """\
before grow:
    told := n + 1
instead of grow:
    n := n + 2
after grow:
    told := max(told, n - 1)
after take:""")
    path = written(tmp_path, more, MARKED)
    assert codes(path) == []
    evaluator = Evaluator(load_system(path))
    (state,) = evaluator.initial_states()
    after = next(after for label, after in evaluator.transitions(state) if label.rule == "step")
    assert after.memory[0] == (2, 1)


def test_a_mutant_of_an_extension_is_planted_in_both_texts(tmp_path: Path) -> None:
    path = written(tmp_path, FURTHER, MARKED)
    found = Evaluator(load_system(path, mutant="forgets"))
    (state,) = found.initial_states()
    broken = {label.rule for label, after in found.transitions(state) if "told_is_known" in found.violated(after)}
    assert broken == {"step"}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("instead of tell:", "instead of told:", "S508"),
        ("after take:", "instead of tell:", "S519"),
        ("    sent: 0..top", "    n: 0..top", "S202"),
        ("volatile told:", "volatile n:", "S202"),
        (", sent=told", "", "S3"),
    ],
)
def test_what_does_not_fit_an_extension_with_behaviour_is_refused(
    tmp_path: Path, old: str, new: str, code: str
) -> None:
    assert old in FURTHER
    assert any(found.startswith(code) for found in codes(written(tmp_path, FURTHER.replace(old, new, 1), MARKED)))


def test_an_error_of_the_other_spec_is_reported(tmp_path: Path) -> None:
    assert "S201" in codes(written(tmp_path, base=BASE.replace("max(n, m.n)", "max(n, o)")))
