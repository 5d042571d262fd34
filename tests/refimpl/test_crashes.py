"""What a power cut can leave: all of it counted and numbered, and the part that loses what a model says is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from refimpl.crashes import Crashes, placements
from refimpl.durable import INITIAL
from refimpl.segments import LogReader, segment_name
from refimpl.simulated_directory import Appended, Contents, Created, FileId, Operation, SimulatedDirectory
from refimpl.wal import recover
from tests.refimpl.test_wal import RECORDS, states

STATES = states(RECORDS)


def contents_after(disk: SimulatedDirectory, survivors: tuple[Operation, ...]) -> Contents:
    after = disk.copy()
    after.crash(survivors)
    return after.contents


def two_writes_and_a_new_file() -> SimulatedDirectory:
    disk = SimulatedDirectory(files={"a": b"12"})
    disk.append("a", b"abc")
    disk.create("b")
    disk.append("b", b"de")
    return disk


def test_every_crash_has_a_number() -> None:
    disk = two_writes_and_a_new_file()
    crashes = Crashes(disk.unflushed)
    assert crashes.count == (3 + 1) * 2 * (2 + 1)
    found = [contents_after(disk, crashes[number]) for number in range(crashes.count)]
    assert found[0] == (("a", b"12"),)
    assert found[-1] == disk.contents
    files = [b"12"[:2] + b"abc"[:length] for length in range(4)]
    others: list[tuple[tuple[str, bytes], ...]] = [(), *((("b", b"de"[:length]),) for length in range(3))]
    assert set(found) == {(("a", file), *other) for file in files for other in others}


def test_blocks_are_written_in_any_order() -> None:
    disk = SimulatedDirectory(files={"a": b"12"})
    disk.append("a", b"abcdef")
    crashes = Crashes(disk.unflushed, block=4)  # 12ab cdef
    assert crashes.count == 3 * 5
    found = {dict(contents_after(disk, crashes[number]))["a"] for number in range(crashes.count)}
    assert b"12\0\0cdef" in found
    assert b"12a\0cd" in found
    assert len(Crashes(disk.unflushed, block=1)[0b111111]) == 6


@pytest.mark.parametrize("segment_size", [1, pytest.param(1000, marks=pytest.mark.slow)])
def test_two_frames_that_wait_for_a_flush_recover_to_a_prefix_after_every_crash(
    segment_size: int, record_property: Callable[[str, object], None]
) -> None:
    disk = SimulatedDirectory()
    log_file, _ = recover(disk, segment_size)
    log_file.write(RECORDS[0])
    log_file.flush()
    records = (RECORDS[0], RECORDS[1], RECORDS[1])
    for record in records[1:]:
        log_file.write(record)
    places = [(segment_name(one.base), one.position - one.base, one.end - one.base) for one in LogReader(disk)][1:]
    written, expected = dict(disk.contents), states(records)
    crashes = Crashes(disk.unflushed)
    record_property("counted", f"{crashes.count:,} crashes")
    assert crashes.count > 5_000
    for number in range(crashes.count):
        after = disk.copy()
        after.crash(crashes[number])
        files = dict(after.contents)
        whole = [files.get(name, b"")[first:last] == written[name][first:last] for name, first, last in places]
        _, state = recover(after, segment_size)
        assert state == expected[1 + [*whole, False].index(False)], f"crash {number}"


def test_placements_lose_each_byte_of_each_lost_frame_and_keep_the_frames_before_them() -> None:
    disk = SimulatedDirectory()
    log_file, recovered = recover(disk, 1)
    assert recovered == INITIAL
    for record in RECORDS[:3]:
        log_file.write(record)
    ends = (0, *log_file.unflushed_ends)
    for keep in range(3):
        found = list(placements(disk.unflushed, ends[keep]))
        lost = ends[-1] - ends[keep]
        assert len({placement.where for placement in found}) == len(found) > lost
        assert len({placement.survivors for placement in found}) > lost
        for placement in found:
            after = disk.copy()
            after.crash(placement.survivors)
            assert recover(after, 1)[1] == STATES[keep], placement.where
    assert list(placements(disk.unflushed, ends[3])) == []


def test_a_placement_may_lose_the_first_frame_and_keep_a_later_one_or_its_end() -> None:
    first, second = Appended(FileId(0), 0, b"abc"), Appended(FileId(1), 0, b"de")
    created = Created("b", FileId(1))
    found = {placement.survivors for placement in placements((first, created, second), 0)}
    assert () in found
    assert (Appended(FileId(0), 0, b"ab"), created, second) in found
    assert (Appended(FileId(0), 1, b"bc"), created, second) in found
    assert (created, Appended(FileId(1), 0, b"d")) in found
    assert (created, Appended(FileId(1), 1, b"e")) in found
    assert (second,) in found
    assert all(first not in survivors for survivors in found)
