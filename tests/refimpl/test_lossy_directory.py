"""The directory that keeps bytes from the files until they are flushed."""

from __future__ import annotations

import pytest

from refimpl import wal
from refimpl.directory import Directory
from refimpl.durable import Record
from refimpl.entry import Command, Entry, Index, Put, Term
from refimpl.lossy_directory import LossyDirectory
from refimpl.segments import LogReader
from refimpl.simulated_directory import SimulatedDirectory


@pytest.fixture
def files() -> SimulatedDirectory:
    """What a killed process leaves behind."""
    return SimulatedDirectory("files")


@pytest.fixture
def lossy(files: SimulatedDirectory) -> LossyDirectory:
    return LossyDirectory(files)


def whole(directory: Directory, name: str) -> bytes:
    return directory.read(name, 0, 1 << 20)


def test_bytes_reach_the_file_in_its_sync_and_are_read_before(lossy: LossyDirectory, files: SimulatedDirectory) -> None:
    lossy.create("a")
    lossy.append("a", b"one")
    lossy.append("a", b"two")
    assert (whole(lossy, "a"), whole(files, "a")) == (b"onetwo", b"")
    lossy.sync("a")
    lossy.append("a", b"three")
    assert (whole(lossy, "a"), whole(files, "a")) == (b"onetwothree", b"onetwo")


@pytest.mark.parametrize("offset", range(14))
@pytest.mark.parametrize("length", [1, 4, 99])
def test_a_part_is_read_across_what_is_in_the_file_and_what_is_not(
    lossy: LossyDirectory, offset: int, length: int
) -> None:
    lossy.create("a")
    lossy.append("a", b"onetwo")
    lossy.sync("a")
    lossy.append("a", b"three")
    lossy.append("a", b"4")
    assert lossy.read("a", offset, length) == b"onetwothree4"[offset : offset + length]


def test_a_sync_leaves_other_files_alone(lossy: LossyDirectory, files: SimulatedDirectory) -> None:
    for name in "ab":
        lossy.create(name)
        lossy.append(name, name.encode())
    lossy.sync("b")
    assert (whole(files, "a"), whole(files, "b"), whole(lossy, "a")) == (b"", b"b", b"a")


def test_held_bytes_go_with_the_name_of_their_file(lossy: LossyDirectory, files: SimulatedDirectory) -> None:
    for name in "ab":
        lossy.create(name)
        lossy.append(name, name.encode())
    lossy.rename("a", "b")
    assert (lossy.names(), whole(lossy, "b")) == (("b",), b"a")
    lossy.sync("b")
    assert whole(files, "b") == b"a"
    lossy.append("b", b"more")
    lossy.remove("b")
    lossy.create("b")
    assert whole(lossy, "b") == b""


@pytest.mark.parametrize("length", range(8))
def test_the_first_bytes_of_all_files_are_let_through_in_the_order_of_their_appends(
    lossy: LossyDirectory, files: SimulatedDirectory, length: int
) -> None:
    for name in "ab":
        lossy.create(name)
    for name, data in (("a", b"12"), ("b", b"34"), ("a", b"567")):
        lossy.append(name, data)
    lossy.let_through(length)
    through = b"1234567"[:length]
    assert whole(files, "a") == through[:2] + through[4:]
    assert whole(files, "b") == through[2:4]
    assert (whole(lossy, "a"), whole(lossy, "b")) == (b"12567", b"34")


@pytest.mark.parametrize("segment_size", [1, 150, 1 << 20])
def test_a_kill_after_so_many_frames_were_let_through_leaves_just_those(segment_size: int) -> None:
    for keep in range(5):
        files = SimulatedDirectory("files")
        lossy = LossyDirectory(files)
        log_file, _ = wal.recover(lossy, segment_size)
        log_file.write(record(0))
        log_file.flush()
        for number in range(1, 5):
            log_file.write(record(number))
        ends = (0, *log_file.unflushed_ends)
        assert wal.replay(LogReader(lossy)).log.last_index == 5
        assert wal.replay(LogReader(files)).log.last_index == 1
        lossy.let_through(ends[keep])
        _, recovered = wal.recover(files, segment_size)
        assert recovered.log.last_index == 1 + keep


def record(number: int) -> Record:
    command = Command("c1", number + 1, Put("key", "value" * number))  # type: ignore[arg-type]
    return Record(append=(Entry(Term(1), command),), commit_index=Index(number) if number else None)
