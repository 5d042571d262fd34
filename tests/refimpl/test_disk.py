"""Disks: what a crash takes, what a failed fsync takes, and how a full disk says so."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from refimpl.disk import RealDisk, SimulatedDisk
from refimpl.errors import DiskError, DiskFull


@pytest.mark.parametrize("kept", range(4))
def test_a_crash_keeps_a_prefix_of_what_was_not_flushed(kept: int) -> None:
    disk = SimulatedDisk()
    disk.append(b"abc")
    disk.sync()
    disk.append(b"def")
    disk.crash(keep_bytes=kept)
    assert disk.read() == b"abcdef"[: 3 + kept]
    assert disk.unflushed == 0


def test_a_truncation_that_was_not_flushed_is_undone_by_a_crash() -> None:
    disk = SimulatedDisk(contents=b"abcdef")
    disk.truncate(2)
    assert disk.read() == b"ab"
    disk.crash()
    assert disk.read() == b"abcdef"


def test_a_flushed_truncation_stays() -> None:
    disk = SimulatedDisk(contents=b"abcdef")
    disk.truncate(2)
    disk.sync()
    disk.append(b"x")
    disk.crash(keep_bytes=1)
    assert disk.read() == b"abx"


def test_appending_behind_a_truncation_that_was_not_flushed_is_a_programmer_error() -> None:
    disk = SimulatedDisk(contents=b"abcdef")
    disk.truncate(2)
    with pytest.raises(AssertionError, match="truncation is flushed"):
        disk.append(b"x")


def test_after_a_failed_sync_the_next_sync_does_not_bring_the_bytes_back() -> None:
    disk = SimulatedDisk()
    disk.append(b"abc")
    disk.fail_next_sync = True
    with pytest.raises(DiskError, match="fsync failed"):
        disk.sync()
    disk.sync()
    assert disk.read() == b"abc"
    disk.crash()
    assert disk.read() == bytes(3)


def test_overwriting_after_a_failed_sync_brings_the_bytes_back() -> None:
    disk = SimulatedDisk()
    disk.append(b"abc")
    disk.fail_next_sync = True
    with pytest.raises(DiskError):
        disk.sync()
    disk.overwrite(0, b"abc")
    disk.sync()
    disk.crash()
    assert disk.read() == b"abc"


def test_a_full_simulated_disk_takes_what_fits() -> None:
    disk = SimulatedDisk(capacity=4)
    with pytest.raises(DiskFull, match="No space left"):
        disk.append(b"abcdef")
    assert disk.read() == b"abcd"


def test_a_real_disk_keeps_its_bytes_over_a_reopening(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path / "raft.wal")
    disk.append(b"abc")
    disk.append(b"def")
    disk.overwrite(1, b"bc")
    disk.truncate(5)
    disk.sync()
    disk.append(b"x")
    disk.close()
    again = RealDisk(tmp_path / "raft.wal")
    assert again.read() == b"abcdex"
    again.close()


def test_a_real_disk_flushes_its_file_and_its_directory_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: flushed.append(os.fstat(file).st_ino))
    disk = RealDisk(tmp_path / "raft.wal")
    disk.close()
    assert flushed == [(tmp_path / "raft.wal").stat().st_ino, tmp_path.stat().st_ino]


def test_a_real_disk_in_an_absent_directory_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"absent/raft\.wal: open failed"):
        RealDisk(tmp_path / "absent" / "raft.wal")


def test_no_space_on_a_real_disk_is_disk_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = RealDisk(tmp_path / "raft.wal")

    def no_space(file: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", no_space)
    with pytest.raises(DiskFull, match="make room"):
        disk.append(b"abc")
    disk.close()


def test_a_short_write_on_a_real_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = RealDisk(tmp_path / "raft.wal")
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: len(data) - 1)
    with pytest.raises(DiskFull, match="2 of 3 bytes written"):
        disk.append(b"abc")
    disk.close()


def test_a_failing_fsync_on_a_real_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = RealDisk(tmp_path / "raft.wal")

    def fail(file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DiskError, match="fsync failed: Input/output error"):
        disk.sync()
    disk.close()
