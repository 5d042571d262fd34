"""Memory budgets, checkpoints, fingerprints: slower or smaller, but the same counts and the same verdicts."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import addressof, c_int64, c_uint64
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("llvmlite")

from checker.explicit import available, disk, levels, runs, sorted_items, store, visited, visited_disk
from checker.explicit.back_end import BackEnd
from checker.explicit.cache import CACHE_VARIABLE
from checker.explicit.checkpoint import FILE, Saved, alone_in, load, save
from checker.explicit.compile import CHECKED_VARIABLE, compiled
from checker.explicit.errors import CheckpointError, TooLittleMemory
from checker.explicit.halt import Halt
from checker.explicit.layout import Capacity
from checker.explicit.records import Records
from checker.explicit.search import Clock, Explored, Now, OutOfTime, Room, Stopped, explore
from spec.load import load_system, shipped
from spec.state import Label
from spec.system import System

pytestmark = pytest.mark.usefixtures("cache_folder")

COUNTS = ("levels", "generated", "expanded", "distinct", "complete", "cuts", "taken", "queue")


@cache
def system(max_active: int = 1) -> System:
    return load_system(shipped("ongaro"), model="one_entry", settings={"max_active": str(max_active)})


@cache
def undisturbed(max_active: int = 1) -> Explored:
    return explore(system(max_active))


def assert_same(found: Explored, expected: Explored) -> None:
    for name in COUNTS:
        assert getattr(found, name) == getattr(expected, name), name
    assert {goal: len(run) for goal, run in found.reached.items()} == {
        goal: len(run) for goal, run in expected.reached.items()
    }


# ----------------------------------------------------------------------------------------- memory


@pytest.mark.parametrize("workers", [1, 2])
def test_tenth_of_the_memory_gives_the_same_counts(workers: int) -> None:
    expected = undisturbed(2)
    needed = expected.distinct * expected.bytes_per_state
    found = explore(system(2), workers=workers, room=Room(memory=needed // 10))
    assert found.on_disk
    assert_same(found, expected)
    assert found.bytes_per_state < expected.bytes_per_state / 9


def test_memory_that_suffices_leaves_the_disk_alone() -> None:
    found = explore(system(), room=Room(memory=64 << 20))
    assert not found.on_disk
    assert_same(found, undisturbed())


@pytest.mark.parametrize("workers", [1, 2])
def test_search_that_was_given_no_memory_takes_what_there_is_to_spare(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    assert sum(found.levels) <= found.distinct < undisturbed(2).distinct
    assert found.levels == undisturbed(2).levels[: len(found.levels)]


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


@pytest.mark.parametrize("memory", [None, 2 << 20])
def test_search_ends_before_the_numbers_of_its_states_do(memory: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state's number and its owner stand in 32 bits: one state more, and runs would lead through wrong states."""
    monkeypatch.setattr(visited, "MOST_STATES", 300_000)
    found = explore(system(2), workers=2, room=Room(memory=memory))
    assert found.on_disk == (memory is not None)
    assert found.stopped is Stopped.NUMBERS
    assert found.reason == "more than 32 bits can number"
    assert 200_000 < found.distinct <= 300_000


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


# ------------------------------------------------------------------------------ fingerprints, violations


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


# -------------------------------------------------------------------------------------- checkpoints

SCRIPT = """
import sys
from pathlib import Path
from checker.explicit.search import Room, explore
from spec.load import load_system, shipped
system = load_system(shipped("ongaro"), model="one_entry", settings={"max_active": "2"})
memory, symmetry = int(sys.argv[2]) or None, sys.argv[3] == "symmetry"
room = Room(memory=memory, checkpoint=Path(sys.argv[1]), interval=0)
explore(system, workers=2, symmetry=symmetry, room=room)
"""


def killed_in_mid_search(folder: Path, memory: int, after: int, how: str = "") -> None:
    """Starts a search and ends it by SIGKILL when ``after`` levels are in its checkpoint."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder), str(memory), how])
    try:
        began = time.monotonic()
        while True:
            assert time.monotonic() - began < 120
            assert process.poll() is None, "the search ended before it could be killed"
            file = folder / FILE
            if file.exists() and len(msgspec.json.decode(file.read_bytes())["levels"]) >= after:
                break
            time.sleep(0.002)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("memory", [0, 6 << 20])
def test_killed_search_goes_on_to_the_same_counts(tmp_path: Path, memory: int) -> None:
    killed_in_mid_search(tmp_path, memory, after=20)
    found = explore(system(2), workers=2, room=Room(memory=memory or None, recover=tmp_path))
    assert found.on_disk == bool(memory)
    assert_same(found, undisturbed(2))


def test_killed_search_up_to_symmetry_goes_on_on_disk_to_the_same_counts(tmp_path: Path) -> None:
    expected = explore(system(2), symmetry=True)
    assert expected.symmetry
    assert expected.distinct < undisturbed(2).distinct / 3
    killed_in_mid_search(tmp_path, 2 << 20, after=25, how="symmetry")
    saved = load(tmp_path)
    assert saved.on_disk
    assert all(worker.runs for worker in saved.workers)
    found = explore(system(2), symmetry=True, room=Room(memory=2 << 20, recover=tmp_path))
    assert found.symmetry == expected.symmetry
    assert_same(found, expected)


def test_recovered_search_may_have_less_memory(tmp_path: Path) -> None:
    killed_in_mid_search(tmp_path, 0, after=30)
    found = explore(system(2), room=Room(memory=6 << 20, recover=tmp_path))
    assert found.on_disk
    assert_same(found, undisturbed(2))


def stopped_search(folder: Path) -> Path:
    explore(system(), workers=2, max_steps=12, room=Room(checkpoint=folder, interval=0))
    return folder


def test_folder_is_one_searchs_at_a_time(tmp_path: Path) -> None:
    stopped_search(tmp_path)
    with alone_in(tmp_path):
        for room in (Room(checkpoint=tmp_path), Room(recover=tmp_path)):
            with pytest.raises(CheckpointError, match=rf"another search is at work .*process {os.getpid()}"):
                explore(system(), room=room)
    assert_same(explore(system(), room=Room(recover=tmp_path)), undisturbed())


# ------------------------------------------------------------------------------------------ a full disk


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
    assert_same(explore(system(2), room=Room(memory=memory, recover=tmp_path)), undisturbed(2))


def test_checkpoint_that_cannot_be_replaced_stays(tmp_path: Path) -> None:
    saved = load(stopped_search(tmp_path))
    with files_no_larger_than(100), pytest.raises(OSError, match=rf"{FILE}\.new"):
        save(tmp_path, saved)
    assert load(tmp_path) == saved
    assert not list(tmp_path.glob("*.new"))


def test_what_was_written_after_the_checkpoint_does_not_count(tmp_path: Path) -> None:
    stopped_search(tmp_path)
    for file in tmp_path.glob("*.?"):
        with open(file, "ab") as log:
            log.write(b"\xff" * 12345)
    assert_same(explore(system(), room=Room(recover=tmp_path)), undisturbed())


def test_new_search_does_not_overwrite_the_checkpoint_of_another(tmp_path: Path) -> None:
    stopped_search(tmp_path)
    kept = (tmp_path / FILE).read_bytes()
    with pytest.raises(CheckpointError, match="go on with that search"):
        explore(system(2), room=Room(checkpoint=tmp_path, interval=0))
    assert (tmp_path / FILE).read_bytes() == kept
    assert_same(explore(system(), room=Room(recover=tmp_path)), undisturbed())


def test_folder_that_cannot_be_made_is_said_before_the_search(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        explore(system(), room=Room(checkpoint=tmp_path / "file"))


def test_search_begun_anew_leaves_no_checkpoint_of_its_first_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed when its states have more room and its logs are overwritten: what was said of them is void."""
    tight = Capacity(slots=1)
    written: list[Capacity] = []

    def killed(folder: Path, saved: Saved) -> None:
        written.append(saved.capacity)
        if saved.capacity != tight:
            raise KeyboardInterrupt
        save(folder, saved)

    monkeypatch.setattr(disk, "save", killed)
    found = explore(system(), capacity=tight, room=Room(checkpoint=tmp_path, interval=0))
    assert found.stopped is Stopped.INTERRUPTED
    assert written[0] == tight != written[-1]
    with pytest.raises(CheckpointError, match="no level was finished"):
        explore(system(), room=Room(recover=tmp_path))


def test_sorted_file_that_is_cut_is_refused(tmp_path: Path) -> None:
    """It is read as memory: what is missing would kill the process."""
    room = Room(memory=2 << 20, checkpoint=tmp_path, interval=0)
    assert explore(system(2), max_steps=22, room=room).on_disk
    with open(tmp_path / "sorted.0.1", "r+b") as file:
        file.truncate(4096)
    with pytest.raises(CheckpointError, match=r"sorted\.0\.1: shorter"):
        explore(system(2), room=Room(memory=2 << 20, recover=tmp_path))


HALTING = """
const Node: set

process Node:
    volatile x: 0..20 = 0
    volatile halted: bool = false

    action count:
        require not halted and x < 20
        x := x + 1

    action halt:
        require not halted
        halted := true

model m:
    Node = {n}
"""


def test_recovered_search_keeps_the_first_deadlock(tmp_path: Path) -> None:
    """Every level has one. Numbers of states that two workers own say nothing of their depths."""
    (tmp_path / "halting.spec").write_text(HALTING)
    halting = load_system(tmp_path / "halting.spec")
    explore(halting, workers=16, max_steps=15, room=Room(checkpoint=tmp_path / "left", interval=0))
    found = explore(halting, room=Room(recover=tmp_path / "left"))
    assert found.complete
    assert found.deadlock is not None
    assert [label.rule for label in found.deadlock] == ["halt"]


def test_deadlock_before_the_checkpoint_ends_a_search_that_asks_for_it(tmp_path: Path) -> None:
    """And not a violation that lies deeper, of which it would be said that none is shorter."""
    text = HALTING.replace("model m", "invariant low: forall n in Node: n.x < 9\n\nmodel m")
    (tmp_path / "halting.spec").write_text(text)
    halting = load_system(tmp_path / "halting.spec")
    explore(halting, max_steps=9, room=Room(checkpoint=tmp_path / "left", interval=0))
    assert explore(halting, room=Room(recover=tmp_path / "left")).violation is not None
    found = explore(halting, stop_at_deadlock=True, room=Room(recover=tmp_path / "left"))
    assert found.violation is None
    assert found.deadlock is not None
    assert len(found.deadlock) == 1


def test_search_that_went_on_after_a_violation_is_recovered_only_to_go_on(tmp_path: Path) -> None:
    """Else a later violation would end it that is not the shortest."""
    text = HALTING.replace("model m", "invariant low: forall n in Node: n.x < 2\n\nmodel m")
    (tmp_path / "halting.spec").write_text(text)
    halting = load_system(tmp_path / "halting.spec")
    room = Room(recover=tmp_path / "left")
    explore(halting, max_steps=9, go_on=True, room=Room(checkpoint=tmp_path / "left", interval=0))
    with pytest.raises(CheckpointError, match="--continue"):
        explore(halting, room=room)
    found = explore(halting, go_on=True, room=room)
    assert [len(violation.labels) for violation in found.violations.values()] == [2]


def test_checkpoint_of_a_search_whose_symmetry_was_given_up_is_recovered(tmp_path: Path) -> None:
    stopped_search(tmp_path)
    found = explore(system(), symmetry=True, room=Room(recover=tmp_path))
    assert_same(found, undisturbed())
    assert "not of a search up to its symmetry" in str(found.symmetry)


def test_time_before_the_checkpoint_counts(tmp_path: Path) -> None:
    """Else a recovered search would seem to generate billions of states a second."""
    stopped_search(tmp_path)
    left = msgspec.json.decode((tmp_path / FILE).read_bytes())
    (tmp_path / FILE).write_bytes(msgspec.json.encode({**left, "seconds": 1000.0}))
    assert 1000 < explore(system(), room=Room(recover=tmp_path)).seconds["search"] < 1100


def test_checkpoint_of_another_search_is_refused(tmp_path: Path) -> None:
    stopped_search(tmp_path)
    with pytest.raises(CheckpointError, match="another search"):
        explore(system(2), room=Room(recover=tmp_path))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / FILE).unlink(), "no level was finished"),
        (lambda folder: (folder / FILE).write_bytes(b""), "not a checkpoint"),
        (lambda folder: (folder / FILE).write_bytes(b"{}"), "not a checkpoint"),
        (lambda folder: (folder / "states.1").unlink(), "missing"),
        (lambda folder: (folder / "parents.0").write_bytes(b""), "shorter"),
    ],
)
def test_damaged_checkpoint_is_refused(tmp_path: Path, damage: object, said: str) -> None:
    assert callable(damage)
    damage(stopped_search(tmp_path))
    with pytest.raises(CheckpointError, match=said):
        explore(system(), room=Room(recover=tmp_path))


def test_checkpoint_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        explore(system(), room=Room(recover=tmp_path / "none"))
