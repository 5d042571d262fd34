"""How much memory there is to take before the kernel kills somebody for it, and a watch that ends work in time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

PROCESSES = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")
HEADROOM = 1 << 30
"""So much is left to others, and to what is not counted, where there is plenty."""

_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = ("memory.max", "memory.current", "inactive_file")


def physical() -> int:
    """Bytes of memory that this process may use: the machine's, or its control groups' if that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *(limit for limit, _ in _groups())])


def available() -> int:
    """Bytes that can be taken still: what the machine has, and each control group that this process is in. What files
    take up counts as free, for it can be dropped."""
    return min([_available_on_machine(), *(max(0, limit - used) for limit, used in _groups())])


def spare() -> int:
    """Bytes that a search may take, unless it is told how many."""
    there = available()
    return there - _headroom(there)


def _headroom(there: int) -> int:
    return min(HEADROOM, there // 8)


def _available_on_machine() -> int:
    try:
        lines = (PROCESSES / "meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):  # no Linux: all there is, for want of a better answer
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _groups() -> Iterator[tuple[int, int]]:
    """Limit and use of each control group with a limit that this process is in."""
    try:
        lines = (PROCESSES / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from _upwards(GROUPS, path, _V2)
        elif "memory" in controllers.split(","):
            yield from _upwards(GROUPS / "memory", path, _V1)


def _upwards(root: Path, path: str, names: tuple[str, str, str]) -> Iterator[tuple[int, int]]:
    """Of the group and those around it. In a container those above its own are missing, and its own is the root."""
    limit, used, inactive = names
    at = Path(path.lstrip("/"))
    for group in (at, *at.parents):
        folder = root / group
        try:
            yield int((folder / limit).read_text()), int((folder / used).read_text()) - _inactive(folder, inactive)
        except (OSError, ValueError):  # no such group, or "max"
            continue


def _inactive(folder: Path, name: str) -> int:
    """Bytes of files that the kernel drops before it kills."""
    lines = (folder / "memory.stat").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.split()[0] == name), 0)


class MemoryWatch:
    """Ends work that takes memory which nobody counts, or whose memory others take away."""

    def __init__(self) -> None:
        self.least = _headroom(available()) // 4
        self._looked = 0.0

    def look(self) -> None:
        """Five times a second at most. Raises MemoryError."""
        now = time.monotonic()
        if now - self._looked < 0.2:
            return
        self._looked = now
        left = available()
        if left < self.least:
            raise MemoryError(f"{left / 2**20:,.0f} MiB are left on this machine")
