"""How much memory there is, as the kernel says in /proc and in the control groups: a tree of its files stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from checker.explicit import available

GIB = 1 << 30


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has 8 GiB left."""
    monkeypatch.setattr(available, "PROCESSES", tmp_path / "proc")
    monkeypatch.setattr(available, "GROUPS", tmp_path / "groups")
    put(tmp_path / "proc" / "meminfo", f"MemTotal: 99999999 kB\nMemAvailable: {8 * GIB // 1024} kB\n")
    put(tmp_path / "proc" / "self" / "cgroup", "0::/\n")
    return tmp_path


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def group(folder: Path, names: tuple[str, str, str], limit: object, used: int, inactive: int) -> None:
    put(folder / names[0], f"{limit}\n")
    put(folder / names[1], f"{used}\n")
    put(folder / "memory.stat", f"active_file 7\n{names[2]} {inactive}\n")


def test_machine_without_limits_has_what_is_available(system: Path) -> None:
    assert available.available() == 8 * GIB
    assert available.spare() == 7 * GIB


def test_little_memory_is_not_all_headroom(system: Path) -> None:
    put(system / "proc" / "meminfo", "MemAvailable: 1024 kB\n")
    assert available.spare() == (1 << 20) * 7 // 8


def test_group_of_this_process_or_one_around_it_is_the_limit(system: Path) -> None:
    put(system / "proc" / "self" / "cgroup", "0::/outer/inner\n")
    group(system / "groups" / "outer" / "inner", available._V2, "max", 2 * GIB, 0)
    group(system / "groups" / "outer", available._V2, 4 * GIB, 3 * GIB, GIB)
    assert available.available() == 2 * GIB  # 1 GiB of those used are files that can be dropped


def test_first_version_of_groups_in_a_container(system: Path) -> None:
    """Its own group is mounted as the root: the path that it is told leads nowhere."""
    put(system / "proc" / "self" / "cgroup", "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n")
    group(system / "groups" / "memory", available._V1, 2 * GIB, GIB, 0)
    assert available.available() == GIB
    assert available.physical() == 2 * GIB


def test_watch_looks_at_what_is_left(system: Path) -> None:
    watch = available.MemoryWatch()
    watch.look()
    put(system / "proc" / "meminfo", "MemAvailable: 102400 kB\n")
    watch.look()  # too soon
    watch._looked = 0.0
    with pytest.raises(MemoryError, match="100 MiB are left"):
        watch.look()
