"""``check --simulate``: random runs that can be had again, and that claim nothing beyond themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

from checker.explicit.back_end import VARIABLE, BackEnd
from checker.explicit.errors import Disagreement
from checker.explicit.layout import Capacity
from checker.explicit.search import Stopped
from checker.explicit.simulation import Simulated, simulate
from checker.verdict import Exit
from spec.evaluate import Evaluator
from spec.load import load_system
from spec.system import System
from tests.checker.command_line import MODELS, model_check
from tests.checker.symbolic_systems import shipped_system

pytestmark = pytest.mark.usefixtures("cache_folder")

CLIMB = """
const top: int
shared n: 0..9 = 0
shared m: 0..1 = 0
action up:
    require n < 5
    n := n + 1
action flip:
    m := 1 - m
invariant below: n < top
action invariant calm: m == old(m) or n < top
sometimes halfway: n == 2
model m:
    top = 4
    storage = atomic
"""


def written(folder: Path, text: str = CLIMB) -> Path:
    path = folder / "climb.spec"
    path.write_text(text, encoding="utf-8")
    return path


def sample(system: System, seed: int = 1, runs: int = 30, length: int = 30, **options: object) -> Simulated:
    start = Evaluator(system).initial_states()[0]
    return simulate(system, start, runs=runs, length=length, seed=seed, **options)  # type: ignore[arg-type]


def told(found: Simulated) -> tuple[object, ...]:
    return found.runs, found.labels, found.stuck, found.cut, found.taken, found.reached, found.violation


@pytest.mark.parametrize("model", ["tiny", "three"])
def test_seed_gives_the_same_runs_again_and_another_seed_others(model: str) -> None:
    system = shipped_system("raft", model)
    one, again, other = sample(system, 1), sample(system, 1), sample(system, 2)
    assert told(one) == told(again)
    assert one.taken != other.taken
    assert sum(one.taken.values()) == one.labels > 100
    assert one.runs == 30
    assert one.cut + one.stuck <= 30


def test_both_back_ends_sample_without_seeing_a_violation() -> None:
    system = shipped_system("raft", "tiny")
    native, python = (sample(system, back_end=back_end) for back_end in BackEnd)
    assert native.violation is python.violation is None
    assert native.runs == python.runs == 30


def test_runs_do_not_depend_on_how_often_the_states_grew(monkeypatch: pytest.MonkeyPatch) -> None:
    system = shipped_system("raft", "three")
    wide = sample(system, runs=10)
    import checker.explicit.compile as compile_

    original = compile_.compiled

    def tight(system: System, capacity: Capacity | None = None) -> object:
        return original(system, Capacity(slots=1, copies=1, pending=1, sends=1) if capacity is None else capacity)

    monkeypatch.setattr(compile_, "compiled", tight)
    assert told(sample(system, runs=10)) == told(wide)


@pytest.mark.parametrize("only", [None, "below", "calm"])
def test_violation_is_a_run_of_the_evaluator(tmp_path: Path, only: str | None) -> None:
    system = load_system(written(tmp_path))
    evaluator = Evaluator(system)
    found = sample(system, only=only)
    assert found.violation is not None
    before = after = evaluator.initial_states()[0]
    for label in found.violation.labels:
        before, after = after, evaluator.successor(after, label)
    broken = evaluator.violated(after) + evaluator.violated_by_step(before, found.violation.labels[-1], after)
    assert found.violation.property in broken
    assert only in (None, found.violation.property)
    assert found.reached == {"halfway"}


def test_violation_that_the_evaluator_does_not_find_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Evaluator, "violated", lambda self, state: [])
    with pytest.raises(Disagreement, match="does not find"):
        sample(load_system(written(tmp_path)))


@pytest.mark.parametrize(
    "text",
    [
        CLIMB.replace("    require n < 5\n", "").replace("n := n + 1", "n := n + 5").replace("n < top", "n < 90"),
        CLIMB.replace("invariant below: n < top", "invariant below: 6 div (3 - n) < 90"),
        CLIMB.replace("calm: m == old(m) or n < top", "calm: 6 div (3 - n) < 90"),
        CLIMB.replace("halfway: n == 2", "halfway: 6 div (3 - n) > 90").replace("n < top", "n < 90"),
    ],
)
def test_failed_evaluation_is_shown_with_its_run(tmp_path: Path, text: str) -> None:
    ran = model_check("check", written(tmp_path, text), "--simulate", 50, "--seed", 1)
    assert ran.code == Exit.EVALUATION_ERROR
    assert "climb.spec:" in ran.out
    assert "not necessarily the earliest" in ran.out


def test_time_running_out_ends_it_with_what_it_has() -> None:
    sample(shipped_system("raft", "three"), runs=1)  # compiles
    found = sample(shipped_system("raft", "three"), runs=10**6, timeout=3)
    assert found.stopped is Stopped.TIME
    assert 0 < found.runs < 10**6
    ran = model_check("check", "--simulate", 10**6, "--timeout", 0.3)
    assert ran.code == Exit.INCONCLUSIVE
    assert "Inconclusive: time is up; no violation of any invariant seen in " in ran.out


def test_ctrl_c_ends_it_with_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(runs: int, labels: int) -> None:
        if runs == 3:
            raise KeyboardInterrupt

    found = sample(shipped_system("raft", "tiny"), report=interrupt)
    assert (found.stopped, found.runs) == (Stopped.INTERRUPTED, 3)


# ------------------------------------------------------------------------------------------- command line


def test_nothing_seen_is_green_and_called_a_sample() -> None:
    words = ("check", "--model", "tiny", "--simulate", 20, "--seed", 3, "--max-steps", 25)
    ran = model_check(*words)
    assert ran.code == Exit.HOLDS
    expected = "No violation of any invariant seen in 20 runs of at most 25 labels (a sample, not a search)"
    assert expected in ran.out
    assert "holds" not in ran.out
    assert "complete" not in ran.out
    (answer,) = model_check(*words, "--json").json["answers"]
    assert (answer["simulation"]["runs"], answer["simulation"]["max_labels"]) == (20, 25)
    assert answer["complete"] is False
    assert {found["verdict"] for found in answer["properties"].values()} == {"no violation found"}


def test_violation_ends_with_the_command_that_has_it_again(tmp_path: Path) -> None:
    ran = model_check("check", written(tmp_path), "--simulate", 500, "--out-itf", tmp_path / "out")
    assert ran.code == Exit.SAFETY
    assert "not necessarily the shortest" in ran.out
    assert "none is shorter" not in ran.out
    assert "--seed" in ran.reproduce  # though none was named
    again = model_check(*ran.reproduce)
    assert again.code == Exit.SAFETY
    assert again.steps() == ran.steps()
    assert [file.name for file in (tmp_path / "out").iterdir()] == [f"climb-{of}.itf.json" for of in _violated(ran.out)]


def _violated(out: str) -> list[str]:
    return [name for name in ("below", "calm") if f"invariant {name} is violated" in out]


def test_run_that_is_stuck_is_a_deadlock_only_if_asked_for(tmp_path: Path) -> None:
    text = CLIMB.replace("    m := 1 - m", "    require n > 9\n    m := 0").replace("top = 4", "top = 9")
    path = written(tmp_path, text)
    words = ("check", path, "--simulate", 5, "--seed", 1)
    ran = model_check(*words)
    assert ran.code == Exit.HOLDS
    assert "5 runs ended where nothing was enabled" in ran.out
    ran = model_check(*words, "--deadlock")
    assert ran.code == Exit.DEADLOCK
    assert ran.steps() == ["up()"] * 5


def test_slow_back_end_samples_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, "python")
    assert model_check("check", written(tmp_path), "--simulate", 500).code == Exit.SAFETY


def test_random_run_that_ends_says_nothing_of_what_happens_at_last() -> None:
    words = ("check", MODELS / "two_phase_commit.spec", "--property", "everyone_decides", "--simulate", 5)
    ran = model_check(*words)
    assert ran.code == Exit.USAGE
    assert "an `eventually` needs a search" in ran.err


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["--seed", "1"], "--seed is for random runs: add --simulate N"),
        (["--simulate", "0"], "0 is not in the range x>=1"),
        (["--simulate", "5", "--seed", "-1"], "-1 is not in the range x>=0"),
        (["--simulate", "5", "--engine", "symbolic"], "--simulate needs --engine explicit; found: --engine symbolic"),
        (["--simulate", "5", "--engine", "both"], "--simulate needs --engine explicit"),
        (["--simulate", "5", "--continue"], "--continue is for a search, --simulate takes random runs"),
        (["--simulate", "5", "--workers", "2"], "--workers is for a search"),
        (["--simulate", "5", "--memory", "1G"], "--memory is for a search"),
        (["--simulate", "5", "--grain", "macro"], "--grain macro is for a search"),
    ],
)
def test_words_that_do_not_go_together_are_a_usage_error(tmp_path: Path, words: list[str], allowed: str) -> None:
    ran = model_check("check", written(tmp_path), *words)
    assert ran.code == Exit.USAGE
    assert allowed in ran.err
