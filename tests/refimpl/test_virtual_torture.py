"""Whole servers on a virtual loop: correct ones pass, each planted fault is found, and a seed is one run."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from refimpl.exits import Exit
from refimpl.faults import Fault
from refimpl.torture.cluster import Cluster, Shape
from refimpl.torture.run import Plan, Run
from refimpl.torture.virtual_world import VirtualWorld
from tests.refimpl.servers import run_virtually
from tests.refimpl.test_torture import torture


def tortured(folder: Path, *arguments: str) -> tuple[int, dict[str, object]]:
    code, out, _ = torture("--virtual", "--json", "--folder", str(folder / "torture"), *arguments)
    report: dict[str, object] = json.loads(out)
    return code, report


def check_unbroken(folder: Path, seed: int, servers: int, seconds: int) -> None:
    code, report = tortured(folder, "--seed", str(seed), "--servers", str(servers), "--seconds", str(seconds))
    assert code == Exit.DONE, (seed, report["findings"], report["unknown"], report["command"])
    counts = report["counts"]
    assert isinstance(counts, dict)
    assert counts["ok"] > 20 * seconds
    assert counts["elections"] > seconds / 15


@pytest.mark.parametrize(("seed", "servers"), [(1, 3), (2, 5)])
def test_nothing_is_found_in_a_correct_cluster(tmp_path: Path, seed: int, servers: int) -> None:
    check_unbroken(tmp_path, seed, servers, seconds=30)


@pytest.mark.parametrize("fault", [fault.value for fault in Fault])
def test_each_planted_fault_is_found(tmp_path: Path, fault: str) -> None:
    code, report = tortured(tmp_path, "--seed", "2", "--seconds", "150", "--break", fault)
    assert (code, report["exit"]) == (Exit.SAFETY, Exit.SAFETY)
    assert report["command"] == (
        "python -m refimpl torture --seconds 150 --seed 2 --servers 3 --writers 8 --readers 4 --virtual "
        f"--break {fault}"
    )


def test_a_seed_is_the_same_run_in_another_process(tmp_path: Path) -> None:
    def everything(name: str, arguments: Sequence[str]) -> str:
        subprocess.run(
            [
                sys.executable, "-m", "refimpl", "torture", "--virtual", "--seconds", "12", "--folder",
                str(tmp_path / name), *arguments,
            ],
            env={**os.environ, "PYTHONHASHSEED": str(len(name))}, capture_output=True, check=True,
        )  # fmt: skip
        return "".join(file.read_text() for file in sorted((tmp_path / name).glob("*.log")))

    first = everything("first", ["--seed", "7"])
    assert first.count("\n") > 200
    assert everything("again", ["--seed", "7"]).replace("again", "first") == first
    assert everything("other", ["--seed", "8"]) != first


def test_there_is_no_tls_between_virtual_servers() -> None:
    code, out, _ = torture("--virtual", "--secure", "--json")
    assert (code, json.loads(out)["exit"]) == (Exit.USAGE, Exit.USAGE)


def test_a_bug_of_the_harness_does_not_pass_for_a_quiet_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stumble(self: Cluster) -> None:
        await asyncio.sleep(5)
        raise LookupError("stumbled")

    monkeypatch.setattr(Cluster, "_watch", stumble)
    with pytest.raises(LookupError, match="stumbled"):
        run_virtually(Run(Plan(30, Shape(3, seed=1)), tmp_path, VirtualWorld()).run())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
def test_nothing_is_found_in_five_minutes_of_a_correct_cluster(tmp_path: Path, seed: int) -> None:
    check_unbroken(tmp_path, seed, servers=3 + 2 * (seed % 2), seconds=300)
