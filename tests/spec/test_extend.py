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


def test_an_error_of_the_other_spec_is_reported(tmp_path: Path) -> None:
    assert "S201" in codes(written(tmp_path, base=BASE.replace("max(n, m.n)", "max(n, o)")))
