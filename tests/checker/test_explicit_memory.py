"""Memory budgets and fingerprints: smaller, but the same counts and the same verdicts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

from checker.explicit import available, levels, store, visited
from checker.explicit.back_end import BackEnd
from checker.explicit.cache import CACHE_VARIABLE
from checker.explicit.compile import compiled
from checker.explicit.errors import TooLittleMemory
from checker.explicit.halt import Halt
from checker.explicit.search import Room, Stopped, explore
from spec.load import load_system, shipped
from spec.state import Label
from tests.checker.ongaro_searches import assert_same, system, undisturbed

pytestmark = pytest.mark.usefixtures("cache_folder")


def test_memory_that_suffices_leaves_the_disk_alone() -> None:
    found = explore(system(), room=Room(memory=64 << 20))
    assert not found.on_disk
    assert_same(found, undisturbed())


@pytest.mark.parametrize("workers", [1, 2])
def test_search_that_was_given_no_memory_takes_what_there_is_to_spare(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = undisturbed(2)
    monkeypatch.setattr(levels, "spare", lambda: 20 << 20)
    peaks: list[int] = []
    begin_level = visited.InMemory.begin_level

    def noted(self: visited.InMemory, start: int) -> None:
        peaks.append(workers * self.bytes)
        begin_level(self, start)

    monkeypatch.setattr(visited.InMemory, "begin_level", noted)
    found = explore(system(2), workers=workers)
    assert found.stopped is Stopped.MEMORY
    assert found.reason == "the states need more memory than this machine can spare (20 MiB)"
    assert not found.on_disk
    assert 10 << 20 < max(peaks) <= 20 << 20
    assert sum(found.levels) <= found.distinct < expected.distinct
    assert found.levels == expected.levels[: len(found.levels)]


def test_boxes_count_as_memory() -> None:
    """Each of 64 workers has one for every other: 4 MiB each would be 16 GiB."""
    code, budget = compiled(system()), 1 << 28
    workers = [store.Worker(code, i, 64, budget // 64, Halt()) for i in range(2)]
    for worker in workers:
        with worker:
            assert worker.apart + worker.budget == budget // 64
            assert worker.apart > 63 * 8 * (worker.words + 2) * worker.box_room
            assert worker.apart < budget // 64 // 2


def test_memory_that_others_take_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter([1 << 34] * 3)
    monkeypatch.setattr(available, "available", lambda: next(left, 1 << 20))
    monkeypatch.setattr(available.MemoryWatch, "look", every_time(available.MemoryWatch.look))
    for back_end in (BackEnd.NATIVE, BackEnd.PYTHON):
        found = explore(system(2), back_end=back_end)
        assert found.stopped is Stopped.MEMORY
        assert found.reason == "1 MiB are left on this machine"
        left = iter([1 << 34] * 3)


def every_time(look: Callable[[available.MemoryWatch], None]) -> Callable[[available.MemoryWatch], None]:
    def looked(self: available.MemoryWatch) -> None:
        self._looked = 0.0
        look(self)

    return looked


def test_too_little_memory_is_said_at_once() -> None:
    with pytest.raises(TooLittleMemory, match="needs at least"):
        explore(system(), room=Room(memory=1000))


@pytest.mark.parametrize("memory", [None, 2 << 20])
def test_search_ends_before_the_numbers_of_its_states_do(memory: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state's number and its owner stand in 32 bits: one state more, and runs would lead through wrong states."""
    monkeypatch.setattr(visited, "MOST_STATES", 300_000)
    found = explore(system(2), workers=2, room=Room(memory=memory))
    assert found.on_disk == (memory is not None)
    assert found.stopped is Stopped.NUMBERS
    assert found.reason == "more than 32 bits can number"
    assert 200_000 < found.distinct <= 300_000


def test_fingerprints_give_the_same_counts_and_an_estimate() -> None:
    for workers in (1, 2):
        found = explore(system(2), workers=workers, fingerprints=True)
        assert_same(found, undisturbed(2))
        assert found.bytes_per_state < undisturbed(2).bytes_per_state
        assert found.collision_probability is not None
        assert 0 < found.collision_probability < 1e-6
    assert undisturbed(2).collision_probability is None


def test_fingerprints_keep_within_the_memory_that_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks: list[int] = []
    begin_level = visited.Fingerprints.begin_level

    def noted(self: visited.Fingerprints, start: int) -> None:
        peaks.append(self.bytes)
        begin_level(self, start)

    monkeypatch.setattr(visited.Fingerprints, "begin_level", noted)
    found = explore(system(2), fingerprints=True, room=Room(memory=10 << 20))
    assert found.stopped is Stopped.MEMORY
    assert "more memory than --memory allows" in found.reason
    assert 9 << 20 < max(peaks) <= 10 << 20


@pytest.mark.parametrize(("fingerprints", "memory"), [(True, None), (False, 2 << 20)])
def test_violation_has_the_same_shortest_run(fingerprints: bool, memory: int | None) -> None:
    spec = Path(os.environ[CACHE_VARIABLE]) / "committed.spec"
    spec.write_text(shipped("ongaro").read_text() + "\ninvariant never: forall s in Server: s.commit_index < 1\n")
    broken = load_system(spec, model="one_entry", settings={"max_active": "2"})
    expected = explore(broken).violation
    found = explore(broken, fingerprints=fingerprints, room=Room(memory=memory))
    assert expected is not None
    assert found.violation is not None
    assert len(found.violation.labels) == len(expected.labels)
    assert found.on_disk == (memory is not None)
    assert isinstance(found.violation.labels[0], Label)
