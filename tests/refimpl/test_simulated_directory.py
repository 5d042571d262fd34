"""The simulated directory: what a crash takes, what a failed fsync takes, and how a full disk says so."""

from __future__ import annotations

import pytest

from refimpl.errors import DiskError, DiskFull
from refimpl.simulated_directory import Appended, SimulatedDirectory


def directory(*files: str) -> SimulatedDirectory:
    """With these files, empty and durable."""
    return SimulatedDirectory(files=dict.fromkeys(files, b""))


def read(disk: SimulatedDirectory, name: str) -> bytes:
    return dict(disk.contents)[name]


@pytest.mark.parametrize("kept", range(4))
def test_a_crash_keeps_a_prefix_of_what_was_not_flushed(kept: int) -> None:
    disk = directory("a")
    disk.append("a", b"abc")
    disk.sync("a")
    disk.append("a", b"def")
    disk.crash(disk.prefix(kept))
    assert read(disk, "a") == b"abcdef"[: 3 + kept]
    assert disk.unflushed == ()


def test_a_crash_keeps_a_later_write_without_an_earlier_one() -> None:
    disk = directory("a")
    disk.append("a", b"abc")
    disk.append("a", b"def")
    disk.crash(disk.unflushed[1:])
    assert read(disk, "a") == b"\0\0\0def"


def test_a_crash_keeps_any_part_of_a_write() -> None:
    disk = directory("a")
    disk.append("a", b"abcd")
    (write,) = disk.unflushed
    assert isinstance(write, Appended)
    disk.crash([Appended(write.file, 2, b"c")])
    assert read(disk, "a") == b"\0\0c"


def test_a_sync_is_of_one_file() -> None:
    disk = directory("a", "b")
    disk.append("a", b"abc")
    disk.append("b", b"def")
    disk.sync("b")
    disk.crash()
    assert disk.contents == (("a", b""), ("b", b"def"))


def test_a_file_whose_name_was_not_flushed_is_gone_after_a_crash_though_its_bytes_were() -> None:
    disk = directory()
    disk.create("a")
    disk.append("a", b"abc")
    disk.sync("a")
    disk.crash()
    assert disk.names() == ()


def test_a_name_is_flushed_without_the_bytes() -> None:
    disk = directory()
    disk.create("a")
    disk.append("a", b"abc")
    disk.sync_names()
    disk.crash()
    assert disk.contents == (("a", b""),)


def test_a_rename_that_was_not_flushed_is_undone_by_a_crash() -> None:
    disk = SimulatedDirectory(files={"a": b"old", "b": b"new"})
    disk.rename("b", "a")
    assert disk.names() == ("a",)
    disk.crash()
    assert disk.contents == (("a", b"old"), ("b", b"new"))


def test_a_rename_that_was_flushed_stays() -> None:
    disk = SimulatedDirectory(files={"a": b"old", "b": b"new"})
    disk.rename("b", "a")
    disk.sync_names()
    disk.append("a", b"er")
    disk.sync("a")
    disk.crash()
    assert disk.contents == (("a", b"newer"),)


def test_a_crash_may_keep_a_rename_and_lose_the_creation_before_it() -> None:
    disk = directory()
    disk.create("a")
    disk.append("a", b"abc")
    disk.sync("a")
    disk.rename("a", "b")
    disk.crash(disk.unflushed[1:])
    assert disk.contents == (("b", b"abc"),)


def test_a_removal_that_was_not_flushed_is_undone_by_a_crash() -> None:
    disk = SimulatedDirectory(files={"a": b"abc"})
    disk.remove("a")
    assert disk.names() == ()
    disk.crash()
    assert disk.contents == (("a", b"abc"),)


def test_after_a_failed_sync_the_next_sync_does_not_bring_the_bytes_back() -> None:
    disk = directory("a")
    disk.append("a", b"abc")
    disk.failing_sync = 1
    with pytest.raises(DiskError, match="a: fsync failed"):
        disk.sync("a")
    disk.sync("a")
    assert read(disk, "a") == b"abc"
    disk.append("a", b"def")
    disk.sync("a")
    disk.crash()
    assert read(disk, "a") == b"\0\0\0def"


def test_after_a_failed_sync_of_the_names_the_next_one_does_not_bring_them_back() -> None:
    disk = directory()
    disk.create("a")
    disk.failing_sync = 1
    with pytest.raises(DiskError, match="fsync of the directory failed"):
        disk.sync_names()
    disk.sync_names()
    assert disk.names() == ("a",)
    disk.crash()
    assert disk.names() == ()


def test_a_full_simulated_disk_takes_what_fits() -> None:
    disk = SimulatedDirectory(files={"a": b"ab", "b": b""}, capacity=6)
    with pytest.raises(DiskFull, match="No space left"):
        disk.append("b", b"abcdef")
    assert read(disk, "b") == b"abcd"


def test_what_is_absent_or_there_already_is_an_error_that_names_the_file() -> None:
    disk = directory("a")
    with pytest.raises(DiskError, match="simulated disk/a: create failed: File exists"):
        disk.create("a")
    for operation in (disk.sync, disk.remove):
        with pytest.raises(DiskError, match=r"simulated disk/b: .* failed: No such file"):
            operation("b")


def test_a_copy_goes_its_own_way() -> None:
    disk = directory("a")
    disk.append("a", b"abc")
    other = disk.copy()
    other.sync("a")
    other.create("b")
    disk.crash()
    other.crash()
    assert disk.contents == (("a", b""),)
    assert other.contents == (("a", b"abc"),)
