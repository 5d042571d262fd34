"""The explicit engine's search: the evaluator's counts, shortest violations, the same on every number of workers."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from ctypes import addressof, c_int64
from functools import cache
from typing import Any

import pytest

pytest.importorskip("llvmlite")

from checker.explicit.back_end import BackEnd
from checker.explicit.compile import compiled
from checker.explicit.errors import Disagreement
from checker.explicit.halt import Halt
from checker.explicit.levels import Levels
from checker.explicit.search import Capacity, Explored, Now, Stopped, explore
from checker.explicit.store import Worker
from spec.evaluate import Evaluator
from spec.explore import OutDegree
from spec.explore import explore as reference
from spec.load import load_system, shipped
from spec.script import start_state
from spec.state import Label
from spec.system import System
from tests.checker.symbolic_systems import kitchen, shipped_system
from tests.spec.small import nodes
from tests.spec.test_explore import BOTH, CRASHY, CRASHY_MODEL, ERROR, STOPS

pytestmark = pytest.mark.usefixtures("cache_folder")

WAYS: tuple[dict[str, Any], ...] = ({"workers": 1}, {"workers": 2}, {"back_end": BackEnd.PYTHON})
COUNTS = ("levels", "generated", "expanded", "distinct", "complete", "cuts", "taken", "queue", "depth", "out_degree")


def counts(found: Any) -> dict[str, Any]:
    return {name: getattr(found, name) for name in COUNTS}


@cache
def crashy(top: str = "", model: str = CRASHY_MODEL) -> System:
    return nodes(CRASHY, top=top, model=model, network="bag with loss").system


def agree(system: System, **options: Any) -> Explored:
    """Searches with one worker and with two, by Python source and by the evaluator; all must find the same."""
    expected = reference(Evaluator(system), **options)
    one, two = explore(system, **options), explore(system, workers=2, **options)
    python = explore(system, back_end=BackEnd.PYTHON, **options)
    assert counts(one) == counts(two) == counts(python)
    for found in (one, two, python):
        assert lengths(found) == lengths(expected)
        if expected.violation is None:
            assert counts(found) == counts(expected)
            reached = {name: len(run) for name, run in found.reached.items()}
            assert reached == {name: len(run) for name, run in expected.reached.items()}
    return one


def lengths(found: Any) -> tuple[int | None, int | None]:
    violation = None if found.violation is None else len(found.violation.labels)
    if violation is not None:  # the level of a violation is finished here, not in the evaluator's search
        return violation, None
    return violation, None if found.deadlock is None else len(found.deadlock)


# ----------------------------------------------------------------------------------------- exact counts


def test_die_hard_has_16_states_and_depth_8() -> None:
    found = agree(shipped_system("diehard", "puzzle"))
    assert (found.distinct, found.depth, found.generated, found.complete) == (16, 8, 96, True)
    assert len(found.reached["four_litres"]) == 6


@pytest.mark.parametrize(("model", "distinct", "depth"), [("three", 288, 11), ("five", 8832, 17)])
def test_two_phase_commit_has_the_states_that_tlc_counts(model: str, distinct: int, depth: int) -> None:
    for workers in (1, 2, 3):
        found = explore(shipped_system("two_phase_commit", model), workers=workers)
        assert (found.distinct, found.depth, found.complete) == (distinct, depth, True)


def test_two_phase_commit_is_counted_as_the_evaluator_does() -> None:
    agree(shipped_system("two_phase_commit", "three"))


def test_raft_tiny_is_exhausted_with_the_evaluators_counts() -> None:
    found = agree(shipped_system("raft", "tiny"))
    assert (found.distinct, found.depth, found.generated) == (8960, 32, 31698)
    assert found.complete


def test_raft_three_is_counted_as_the_evaluator_does_to_a_depth() -> None:
    agree(shipped_system("raft", "three"), max_steps=5)


@pytest.mark.parametrize("network", ["bag with loss, duplication", "fifo with loss, duplication", "set"])
@pytest.mark.parametrize("storage", ["buffered", "atomic"])
def test_kitchen_is_counted_as_the_evaluator_does(network: str, storage: str) -> None:
    agree(kitchen(network, storage, "max_in_flight = 2, max_crashes = 1"), max_steps=4)


@pytest.mark.parametrize("steps", [0, 1, 3, None])
def test_search_within_a_number_of_steps(steps: int | None) -> None:
    agree(crashy(), max_steps=steps)


def test_search_starts_where_it_is_told() -> None:
    small = nodes(CRASHY, model=CRASHY_MODEL, network="bag with loss")
    agree(small.system, start=small.run("write a", "flush a"), max_steps=3)


def test_counts_do_not_depend_on_how_often_the_state_grew() -> None:
    system = kitchen("bag with loss, duplication", "buffered", "max_crashes = 1, max_duplicates = 2")
    tight = explore(system, max_steps=3, capacity=Capacity(slots=1, copies=1, pending=1, sends=1))
    assert counts(tight) == counts(explore(system, max_steps=3))
    assert tight.capacity != Capacity(slots=1, copies=1, pending=1, sends=1)


@pytest.mark.parametrize("hash_", [0, 1, -1, -(1 << 40)])
def test_states_of_one_hash_are_kept_apart_and_each_once(hash_: int) -> None:
    """The hash is taken as it is told, so that all of these want one slot, which may be the table's last."""
    code = compiled(shipped_system("two_phase_commit", "three"))
    words = code.layout.words
    states = [(i, *range(words - 2), i % 3) for i in range(50)]
    records = (c_int64 * (2 * len(states) * (words + 2)))()
    for place, state in enumerate(states + states):
        records[place * (words + 2) : (place + 1) * (words + 2)] = [hash_, place, *state]
    with Worker(code, 0, 1, 1 << 24, Halt()) as worker:
        code.absorb(worker.address, addressof(records), 2 * len(states))
        assert [worker.state(i) for i in range(worker.count)] == states
        assert [worker.parent(i) for i in range(worker.count)] == list(range(len(states)))


# -------------------------------------------------------------------------------------------- violations


@pytest.mark.parametrize(("mutant", "length"), [("commit-prior-term-by-counting", 6), ("new-leader-auto-commits", 5)])
@pytest.mark.parametrize("way", WAYS)
def test_mutant_is_killed_by_a_shortest_run(mutant: str, length: int, way: dict[str, Any]) -> None:
    system = load_system(shipped("raft"), mutant=mutant)
    evaluator = Evaluator(system)
    start, _ = start_state(evaluator)
    found = explore(system, start=start, max_steps=system.bounds.steps, **way)
    assert found.violation is not None
    assert found.violation.property in system.expects
    assert len(found.violation.labels) == length
    state = start
    for label in found.violation.labels:
        assert evaluator.violated(state) == []
        state = evaluator.successor(state, label)
    assert found.violation.property in evaluator.violated(state)


@pytest.mark.parametrize(("only", "length"), [("stays_up", 1), ("low", 2), ("never_down", 1), ("written", None)])
def test_only_checks_one_property(only: str, length: int | None) -> None:
    found = agree(crashy(BOTH), only=only)
    assert (found.violation and found.violation.property) == (None if length is None else only)
    assert len(found.violation.labels if found.violation else ()) == (length or 0)


def test_violated_initial_state_is_a_run_of_no_label() -> None:
    found = agree(crashy("invariant no: forall p in Node: not up(p)\n"))
    assert found.violation is not None
    assert (found.violation.property, found.violation.labels, found.queue) == ("no", (), 1)


def test_violated_action_invariant_ends_in_the_step() -> None:
    found = agree(crashy("action invariant never_down: forall p in Node: old(up(p)) => up(p)\n"))
    assert found.violation is not None
    assert found.violation.property == "never_down"
    assert found.violation.labels[-1].rule == "crash"


def test_what_is_cut_is_not_checked() -> None:
    top = "invariant low: forall p in Node: p.d < 2\n"
    assert agree(crashy(top, "constraint low_too: forall p in Node: p.d < 2\n")).violation is None


def test_violation_that_the_evaluator_does_not_find_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Evaluator, "violated", lambda self, state: [])
    for way in WAYS:
        with pytest.raises(Disagreement, match="does not find"):
            explore(crashy("invariant no: forall p in Node: not up(p)\n"), **way)


# ---------------------------------------------------------------------------------------- errors, deadlock


@pytest.mark.parametrize("way", WAYS)
def test_states_whose_labels_fail_are_not_among_those_whose_labels_are_counted(way: dict[str, Any]) -> None:
    found = explore(nodes(ERROR, elements="a").system, **way)  # of 3 states, each of the first two has one label
    assert (found.expanded, found.out_degree) == (3, OutDegree(1, 1.0, 1))
    at_once = explore(nodes(ERROR.replace("= 2", "= 0"), elements="a").system, **way)
    assert (at_once.expanded, at_once.out_degree) == (1, None)


@pytest.mark.parametrize(
    ("top", "model", "labels"),
    [
        ("", "", 3),
        ("invariant bad: forall p in Node: 1 div p.x >= 0\n", "", 2),
        ("action invariant bad: forall p in Node: 1 div p.x >= 0\n", "", 2),
        ("sometimes bad: exists p in Node: 1 div p.x > 9\n", "", 2),
        ("", "constraint bad: forall p in Node: 1 div p.x >= 0\n", 2),
    ],
)
def test_error_is_a_violation_of_no_property_with_its_run(top: str, model: str, labels: int) -> None:
    found = agree(nodes(ERROR, top=top, model=model, elements="a").system)
    assert found.violation is not None
    assert (found.violation.property, found.violation.labels) == (None, (Label("down", "a"),) * labels)
    assert "small.spec:" in found.violation.message


def test_deadlock_is_where_nothing_is_enabled() -> None:
    assert agree(nodes(STOPS, elements="a").system).deadlock == (Label("go", "a"),) * 2


def test_state_whose_every_transition_is_cut_is_no_deadlock() -> None:
    found = agree(nodes(STOPS, elements="a", model="constraint low: forall p in Node: p.x < 1\n").system)
    assert (found.distinct, found.deadlock, found.cuts) == (1, None, {"go: constraint low": 1})


# ----------------------------------------------------------------------------------- time, progress, memory


def test_search_ends_when_its_time_is_up_with_what_it_found() -> None:
    for way in WAYS:
        found = explore(shipped_system("raft", "three"), timeout=0.5, **way)
        assert found.stopped is Stopped.TIME
        assert not found.complete
        assert found.distinct >= sum(found.levels)
        assert found.queue > 0


def test_progress_is_reported_once_a_second() -> None:
    room = Capacity(pending=8)
    for way in WAYS:
        calls: list[Now] = []
        explore(shipped_system("raft", "three"), max_steps=1, **way, capacity=room)  # the clock runs then, too
        explore(shipped_system("raft", "three"), timeout=2.5, progress=calls.append, **way, capacity=room)
        assert 1 <= len(calls) <= 3
        assert [call.depth for call in calls] == sorted(call.depth for call in calls)
        assert all(call.distinct > 0 and call.rate >= 0 and call.bytes > 0 for call in calls)


def test_interruption_ends_the_search_with_what_it_found() -> None:
    import _thread

    for way in WAYS:
        explore(shipped_system("raft", "three"), max_steps=1, **way)
        began = threading.Event()

        def interrupt(began: threading.Event = began) -> None:
            began.wait(60)
            _thread.interrupt_main()

        timer = threading.Thread(target=interrupt)
        timer.start()

        def progress(now: Now, began: threading.Event = began) -> None:
            began.set()

        try:
            found = explore(shipped_system("raft", "three"), timeout=60, progress=progress, **way)
            timer.join()
        except KeyboardInterrupt:  # it would end the tests, not this one
            pytest.fail("the search let the interrupt through, or had ended before it")
        assert found.stopped is Stopped.INTERRUPTED
        assert found.distinct > 0


@pytest.mark.parametrize("workers", [1, 2])
def test_memory_is_freed_when_no_thread_is_at_work_wherever_the_interrupt_came(
    monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """Seen to fail, with a crash: an interrupt between handing out the work and waiting for it."""
    at_work: list[int] = []
    freed_under: list[int] = []
    submit, expand, leave = ThreadPoolExecutor.submit, Levels._expand, Worker.__exit__

    def interrupted(pool: ThreadPoolExecutor, work: Any, i: int) -> Any:
        submitted = submit(pool, work, i)
        if at_work or (work.__name__ == "_expand" and len(work.__self__.found.levels) > 12):
            raise KeyboardInterrupt
        return submitted

    def _expand(levels: Levels, i: int) -> None:
        if len(levels.found.levels) > 12:
            at_work.append(i)
            time.sleep(0.3)
            expand(levels, i)
            at_work.pop()
        else:
            expand(levels, i)

    def freed(worker: Worker, *reason: object) -> None:
        freed_under.extend(at_work)
        leave(worker, *reason)

    monkeypatch.setattr(Levels, "_expand", _expand)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    monkeypatch.setattr(Worker, "__exit__", freed)
    found = explore(shipped_system("raft", "three"), max_steps=14, workers=workers)
    assert found.stopped is Stopped.INTERRUPTED
    assert freed_under == []


def test_search_stops_when_there_are_no_more_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    import checker.explicit.visited as visited

    monkeypatch.setattr(visited, "MOST_STATES", 3000)
    found = explore(shipped_system("raft", "tiny"))
    assert found.stopped is Stopped.NUMBERS
    assert 0 < found.distinct < 3000


def test_second_search_loads_what_the_first_compiled() -> None:
    explore(shipped_system("diehard", "puzzle"))
    began = time.monotonic()
    assert explore(shipped_system("diehard", "puzzle")).cached
    assert time.monotonic() - began < 5
