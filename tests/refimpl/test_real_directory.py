"""The real directory: the same calls on a file system, its lock, and how an operating system's errors come out."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from refimpl.errors import DirectoryInUse, DiskError, DiskFull
from refimpl.real_directory import ReadOnlyDirectory, RealDirectory


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[RealDirectory]:
    directory = RealDirectory(tmp_path / "data")
    yield directory
    directory.close()


def test_files_keep_their_bytes_and_names_over_a_reopening(disk: RealDirectory, tmp_path: Path) -> None:
    disk.create("a")
    disk.append("a", b"abc")
    disk.create("b")
    disk.append("b", b"def")
    disk.append("a", b"x")
    disk.sync("a")
    disk.rename("b", "c")
    disk.append("c", b"y")
    disk.sync("c")
    disk.create("d")
    disk.remove("d")
    disk.sync_names()
    disk.close()
    again = RealDirectory(tmp_path / "data")
    again.append("c", b"z")
    assert again.names() == ("a", "c")
    assert (again.read("a", 0, 9), again.read("c", 1, 3), again.read("c", 9, 9)) == (b"abcx", b"efy", b"")
    again.close()


def test_a_directory_that_is_made_is_flushed_into_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: flushed.append(os.fstat(file).st_ino))
    RealDirectory(tmp_path / "data").close()
    assert flushed == [tmp_path.stat().st_ino]


def test_sync_is_an_fsync_of_the_file_and_sync_names_one_of_the_directory(
    disk: RealDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.create("a")
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: flushed.append(os.fstat(file).st_ino))
    disk.sync("a")
    disk.sync_names()
    assert flushed == [(tmp_path / "data" / "a").stat().st_ino, (tmp_path / "data").stat().st_ino]


def test_a_file_is_closed_once_it_is_flushed_and_another_is_written(disk: RealDirectory) -> None:
    before = len(os.listdir("/dev/fd"))
    for number in range(20):
        disk.create(f"{number}")
        disk.append(f"{number}", b"abc")
        if number % 2:
            disk.sync(f"{number - 1}")
            disk.sync(f"{number}")
    assert len(os.listdir("/dev/fd")) <= before + 2


def test_two_processes_cannot_share_a_directory(disk: RealDirectory, tmp_path: Path) -> None:
    with pytest.raises(DirectoryInUse, match="data: another process holds its lock"):
        RealDirectory(tmp_path / "data")
    disk.close()
    RealDirectory(tmp_path / "data").close()


def test_a_directory_in_use_can_be_looked_at(disk: RealDirectory, tmp_path: Path) -> None:
    disk.create("a")
    disk.append("a", b"abc")
    looking = ReadOnlyDirectory(tmp_path / "data")
    assert (looking.names(), looking.read("a", 0, 9)) == (("a",), b"abc")
    with pytest.raises(DiskError, match="b: read failed: No such file"):
        looking.read("b", 0, 1)
    with pytest.raises(DiskError, match="absent: list failed: No such file"):
        ReadOnlyDirectory(tmp_path / "absent").names()


def test_a_directory_whose_parent_is_absent_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="absent/data: open failed: No such file"):
        RealDirectory(tmp_path / "absent" / "data")


def test_a_file_in_the_place_of_the_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(DiskError, match="data: open failed: Not a directory"):
        RealDirectory(tmp_path / "data")


def test_what_is_absent_or_there_already_is_an_error_that_names_the_file(disk: RealDirectory) -> None:
    disk.create("a")
    with pytest.raises(DiskError, match="data/a: create failed: File exists"):
        disk.create("a")
    with pytest.raises(DiskError, match="data/b: append failed: No such file"):
        disk.append("b", b"x")
    with pytest.raises(DiskError, match="data/b: rename to c failed"):
        disk.rename("b", "c")
    with pytest.raises(DiskError, match="data/b: remove failed"):
        disk.remove("b")


def test_no_space_is_disk_full(disk: RealDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    disk.create("a")
    monkeypatch.setattr(os, "write", no_space)
    with pytest.raises(DiskFull, match="make room"):
        disk.append("a", b"abc")


def test_a_short_write_is_an_error(disk: RealDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.create("a")
    monkeypatch.setattr(os, "write", lambda file, data: len(data) - 1)
    with pytest.raises(DiskFull, match="2 of 3 bytes written"):
        disk.append("a", b"abc")


def test_a_failing_fsync_is_an_error(disk: RealDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    disk.create("a")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DiskError, match="a: fsync failed: Input/output error"):
        disk.sync("a")
    with pytest.raises(DiskError, match="fsync of the directory failed"):
        disk.sync_names()
