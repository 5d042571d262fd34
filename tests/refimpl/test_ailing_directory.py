"""A disk that ails while a file says so."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from refimpl.ailing_directory import AilingDirectory
from refimpl.errors import DiskError, DiskFull
from refimpl.lossy_directory import LossyDirectory
from refimpl.simulated_directory import SimulatedDirectory


@pytest.fixture
def ailment(tmp_path: Path) -> Path:
    return tmp_path / "ailment"


def test_a_full_disk_takes_no_more_than_a_part_until_it_is_well(ailment: Path) -> None:
    files = SimulatedDirectory("files")
    directory = AilingDirectory(files, ailment)
    directory.create("a")
    ailment.write_text("full")
    with pytest.raises(DiskFull, match="a: append failed: No space left on device"):
        directory.append("a", b"lost")
    ailment.unlink()
    directory.append("a", b"kept")
    directory.sync("a")
    assert files.read("a", 0, 100) == b"lokept"


def test_a_failing_fsync_leaves_unflushed_bytes_in_the_process(ailment: Path) -> None:
    files = SimulatedDirectory("files")
    directory = AilingDirectory(LossyDirectory(files), ailment)
    directory.create("a")
    directory.append("a", b"lost by the kill that follows")
    ailment.write_text("failing")
    with pytest.raises(DiskError, match="a: fsync failed: Input/output error"):
        directory.sync("a")
    assert files.read("a", 0, 100) == b""


def test_a_slow_fsync_is_one(ailment: Path) -> None:
    directory = AilingDirectory(SimulatedDirectory("files"), ailment)
    directory.create("a")
    ailment.write_text("slow 0.02")
    begun = time.monotonic()
    directory.sync("a")
    assert time.monotonic() - begun >= 0.02
