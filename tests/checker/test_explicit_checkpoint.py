"""Checkpoints: a search that was killed goes on to the same counts and the same verdicts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("llvmlite")

from checker.explicit import disk
from checker.explicit.checkpoint import FILE, Saved, alone_in, load, save
from checker.explicit.errors import CheckpointError
from checker.explicit.layout import Capacity
from checker.explicit.search import Room, Stopped, explore
from spec.load import load_system
from tests.checker.ongaro_searches import assert_same, stopped_search, system, undisturbed

pytestmark = pytest.mark.usefixtures("cache_folder")


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


def test_folder_is_one_searchs_at_a_time(tmp_path: Path) -> None:
    stopped_search(tmp_path)
    with alone_in(tmp_path):
        for room in (Room(checkpoint=tmp_path), Room(recover=tmp_path)):
            with pytest.raises(CheckpointError, match=rf"another search is at work .*process {os.getpid()}"):
                explore(system(), room=room)
    assert_same(explore(system(), room=Room(recover=tmp_path)), undisturbed())


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
    with pytest.raises(CheckpointError, match="no checkpoint was written there yet"):
        explore(system(), room=Room(recover=tmp_path))


def test_search_that_goes_to_disk_leaves_a_checkpoint_of_the_levels_before(tmp_path: Path) -> None:
    """None is due before; the level that is begun again may take long."""
    left = Room(memory=2 << 20, checkpoint=tmp_path, interval=1e9)
    assert explore(system(2), max_steps=22, room=left).on_disk
    saved = load(tmp_path)
    assert saved.on_disk
    assert saved.levels == undisturbed(2).levels[: len(saved.levels)]
    assert 0 < len(saved.levels) < 22
    assert_same(explore(system(2), room=Room(memory=2 << 20, recover=tmp_path)), undisturbed(2))


@pytest.mark.parametrize(
    ("since", "last_level", "due"), [(31, 0, True), (16, 15, True), (10, 15, False), (1, 0, False)]
)
def test_checkpoint_is_left_before_a_level_that_may_end_too_late_for_it(
    since: float, last_level: float, due: bool
) -> None:
    assert disk.is_due(since, last_level, 30) == due


def test_folder_in_which_no_search_was_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no search was at work in it; name a folder that --checkpoint wrote"):
        explore(system(), room=Room(recover=tmp_path))
    assert not list(tmp_path.iterdir())


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
        (lambda folder: (folder / FILE).unlink(), "no checkpoint was written there yet"),
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
