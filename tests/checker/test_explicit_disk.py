"""Searches on disk, in sorted runs: slower, but the same counts; and what happens when the disk is full."""

from __future__ import annotations

import errno
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import addressof, c_int64, c_uint64
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("llvmlite")

from checker.explicit import disk, levels, runs, sorted_items, store, visited, visited_disk
from checker.explicit.checkpoint import FILE, load, save
from checker.explicit.compile import CHECKED_VARIABLE, compiled
from checker.explicit.halt import Halt
from checker.explicit.records import Records
from checker.explicit.search import Clock, Now, OutOfTime, Room, Stopped, explore
from tests.checker.ongaro_searches import assert_same, stopped_search, system, undisturbed

pytestmark = pytest.mark.usefixtures("cache_folder")


@pytest.mark.parametrize("workers", [1, 2])
def test_tenth_of_the_memory_gives_the_same_counts(workers: int) -> None:
    expected = undisturbed(2)
    needed = expected.distinct * expected.bytes_per_state
    found = explore(system(2), workers=workers, room=Room(memory=needed // 10))
    assert found.on_disk
    assert_same(found, expected)
    assert found.bytes_per_state < expected.bytes_per_state / 9


def test_search_on_disk_that_forgets_what_it_compared_with_miscounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail: without the sorted run of what was found in memory, states are found again."""
    monkeypatch.setattr(visited_disk.OnDisk, "sort_log", lambda self: None)
    expected = undisturbed(2)
    found = explore(system(2), max_steps=30, room=Room(memory=5 << 20))
    assert found.levels != expected.levels[: len(found.levels)]


@pytest.mark.parametrize("bucket", [1, 100, 1 << 15])
def test_items_are_sorted_by_hash_in_buckets_or_at_once(bucket: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_items, "BUCKET", bucket)
    monkeypatch.setattr(sorted_items, "_PIECE", 700)
    code, size = compiled(system()), 5000
    states = (c_int64 * (size * code.layout.words))()
    states[:: code.layout.words] = range(size)
    items = sorted_items.SortedItems(code, size, Halt())
    items.sort(addressof(states), size)
    found = (c_uint64 * (2 * size)).from_address(items.address)
    addresses = range(addressof(states), addressof(states) + 8 * len(states), 8 * code.layout.words)
    hashes = {address: code.hash_of(address) % 2**64 for address in addresses}
    assert list(zip(found[1::2], found[::2], strict=True)) == sorted(hashes.items(), key=lambda item: item[1])
    items.close()


def test_search_on_disk_is_clean_in_the_debug_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where items are sorted in buckets and runs are merged."""
    expected = undisturbed()
    monkeypatch.setattr(sorted_items, "BUCKET", 16)
    monkeypatch.setattr(runs, "MOST_RUNS", 2)
    monkeypatch.setattr(runs, "MERGED", 2)
    make_room = visited.InMemory.make_room

    def little(self: visited.InMemory, more: int) -> None:
        if self.count > 100:
            raise visited.OverBudget
        make_room(self, more)

    monkeypatch.setattr(visited.InMemory, "make_room", little)
    monkeypatch.setenv(CHECKED_VARIABLE, "1")
    found = explore(system(), max_steps=16, cache=tmp_path, room=Room(memory=4 << 20))
    assert found.on_disk
    assert found.levels == expected.levels[:17]


@pytest.mark.parametrize("part", ["SortedItems.sort", "Runs.sift", "Runs.merge_if_many", "Worker.write_log"])
def test_time_that_is_up_ends_each_part_of_a_search_on_disk(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece of it takes long, and the whole of it would take minutes."""
    expected = undisturbed(2)
    for module, name, size in (
        (sorted_items, "BUCKET", 16),
        (runs, "_SIFTED", 16),
        (runs, "MOST_RUNS", 3),
        (runs, "MERGED", 3),
        (visited_disk, "PIECE", 16),
        (store, "WRITTEN", 1 << 12),
    ):
        monkeypatch.setattr(module, name, size)
    owners: dict[str, type] = {"SortedItems": sorted_items.SortedItems, "Runs": runs.Runs, "Worker": store.Worker}
    owner, name = owners[part.split(".")[0]], part.split(".")[1]
    whole, began = getattr(owner, name), list[float]()

    def slow(self: Any, *arguments: Any, **named: Any) -> None:
        look = self.halt.look

        def slowly() -> None:
            began.append(time.monotonic())
            time.sleep(0.05)
            look()

        with monkeypatch.context() as patch:
            patch.setattr(self.halt, "look", slowly)
            whole(self, *arguments, **named)

    ticks: list[Now] = []

    def tick(_: Clock, search: levels.Levels) -> None:
        ticks.append(search.now(0.0))
        if began and time.monotonic() - began[0] > 0.2:
            raise OutOfTime

    monkeypatch.setattr(owner, name, slow)
    monkeypatch.setattr(Clock, "tick", tick)
    found = explore(system(2), room=Room(memory=2 << 20))
    assert time.monotonic() - began[0] < 10
    assert found.stopped is Stopped.TIME
    assert all(0 <= now.queue < now.distinct for now in ticks[1:])
    assert 0 <= found.queue < found.distinct
    assert sum(found.levels) <= found.distinct
    assert found.levels == expected.levels[: len(found.levels)]


def test_runs_are_merged_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST_RUNS", 4)
    monkeypatch.setattr(runs, "MERGED", 3)
    left: list[tuple[int, set[str]]] = []
    settle = visited_disk.OnDisk.settle

    def noted(self: visited_disk.OnDisk) -> None:
        settle(self)
        left.append((len(self.runs.runs), {path.name for path in self.runs.folder.glob("sorted.*")}))
        assert sum(run.length for run in self.runs.runs) == self.count

    monkeypatch.setattr(visited_disk.OnDisk, "settle", noted)
    found = explore(system(2), max_steps=30, room=Room(memory=5 << 20))
    assert found.levels == undisturbed(2).levels[:31]
    assert len(left) > 10
    assert max(count for count, _ in left) == 4
    assert max(len(files) for _, files in left) <= 4  # those that no run is in are gone
    assert len(set.union(*(files for _, files in left))) > 4


def test_disk_without_room_to_merge_leaves_more_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST_RUNS", 3)
    monkeypatch.setattr(runs, "MERGED", 3)
    tried: list[runs.Runs] = []

    def full(self: runs.Runs, few: list[runs.Run], file: Records, out: int, room: int) -> None:
        tried.append(self)
        file.append(out, 1)
        raise OSError(errno.ENOSPC, "No space left on device", str(file.path))

    monkeypatch.setattr(runs.Runs, "_merge", full)
    found = explore(system(2), max_steps=30, room=Room(memory=5 << 20))
    assert found.stopped is None
    assert found.levels == undisturbed(2).levels[:31]
    assert 2 <= len(tried) <= 5  # twice as many runs before it is tried again
    assert list(tried[0].files) == [runs.LOG, 1]


def test_files_that_a_checkpoint_speaks_of_outlive_their_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One checkpoint is left on disk; the search is ended when no run is in a file any more that it speaks of."""
    monkeypatch.setattr(runs, "MOST_RUNS", 6)
    monkeypatch.setattr(runs, "MERGED", 5)
    leave, spoken_of = disk.Disk.leave_checkpoint, set[int]()

    def leave_one(self: disk.Disk) -> None:
        on_disk = self.levels.workers[0].visited
        files = {run.file for run in on_disk.runs.runs} if isinstance(on_disk, visited_disk.OnDisk) else set()
        if not spoken_of:
            leave(self)
            spoken_of.update(files - {runs.LOG})
        elif spoken_of.isdisjoint(files):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(disk.Disk, "leave_checkpoint", leave_one)
        room = Room(memory=4 << 20, checkpoint=tmp_path, interval=0)
        assert explore(system(2), room=room).stopped is Stopped.INTERRUPTED
    (tmp_path / "sorted.0.999").touch()  # of a merge that was cut short
    found = explore(system(2), max_steps=32, room=Room(memory=4 << 20, recover=tmp_path))
    assert found.levels == undisturbed(2).levels[:33]
    assert not (tmp_path / "sorted.0.999").exists()


def test_log_larger_than_memory_and_swap_can_be_read(tmp_path: Path) -> None:
    """Seen to fail with ``mmap.ACCESS_COPY``: Linux refuses to promise so much."""
    path = tmp_path / "states.0"
    with open(path, "wb") as file:
        file.truncate(1 << 42)  # takes no room: it is one hole
    log = Records(path, 8, fresh=False)
    try:
        with log.mapped() as address:
            assert visited.words_at(address, log.count - 1, 1) == (0,)
    finally:
        log.close()


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """The nearest that there is to a full disk without a disk of one's own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [1 << 16, 5 << 20])
def test_disk_that_is_full_ends_a_search_with_its_counts(size: int) -> None:
    """Of the two sizes one fails while the states in memory are moved, one later."""
    with files_no_larger_than(size):
        found = explore(system(2), workers=2, room=Room(memory=4 << 20))
    assert found.stopped is Stopped.DISK
    assert found.reason.startswith("while states went to disk: /")
    assert found.reason.endswith(".0: File too large") or found.reason.endswith(".1: File too large")
    assert 0 <= found.queue < found.distinct < undisturbed(2).distinct
    assert found.levels == undisturbed(2).levels[: len(found.levels)]
    assert sum(found.levels) <= found.distinct


@pytest.mark.parametrize(("memory", "size"), [(None, 1 << 19), (4 << 20, 5 << 20)])
def test_disk_that_is_full_leaves_the_last_checkpoint(tmp_path: Path, memory: int | None, size: int) -> None:
    with files_no_larger_than(size):
        found = explore(system(2), workers=2, room=Room(memory=memory, checkpoint=tmp_path, interval=0))
    assert found.stopped is Stopped.DISK
    assert found.on_disk == (memory is not None)
    again = explore(system(2), max_steps=36, room=Room(memory=memory, recover=tmp_path))
    assert len(found.levels) < len(again.levels) == 37
    assert again.levels == undisturbed(2).levels[:37]


def test_checkpoint_that_cannot_be_replaced_stays(tmp_path: Path) -> None:
    saved = load(stopped_search(tmp_path))
    with files_no_larger_than(100), pytest.raises(OSError, match=rf"{FILE}\.new"):
        save(tmp_path, saved)
    assert load(tmp_path) == saved
    assert not list(tmp_path.glob("*.new"))
