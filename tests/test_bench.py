"""The benchmark runs, counts what the tests count, and says of a peer that is missing that it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

ROOT = Path(__file__).resolve().parents[1]


def test_benchmark_prints_its_tables(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "RAFTPROOF_TLC_JAR"}
    environment["PATH"] = str(tmp_path)  # no java, no spin
    command = [sys.executable, str(ROOT / "bench" / "explicit.py"), "--small", "--repeat", "1"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "8,832" in ran.stdout
    assert "bytes/state" in ran.stdout
    assert "not here: no RAFTPROOF_TLC_JAR" in ran.stdout
    assert "not here: no spin and no gcc" in ran.stdout


@pytest.mark.slow
def test_the_benchmark_of_clusters_measures_each_system_and_says_that_etcd_is_missing(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "RAFTPROOF_ETCD"}
    environment["PATH"] = str(tmp_path)
    command = [sys.executable, str(ROOT / "bench" / "cluster.py"), "--seconds", "2", "--clients", "1,8"]
    ran = subprocess.run(
        [*command, "--folder", str(tmp_path)], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("refimpl, TLS") == 2
    assert ran.stdout.count("loops of fsyncs") == 2
    assert "etcd is not here: no RAFTPROOF_ETCD" in ran.stdout
    assert not list(tmp_path.iterdir()), "what was written is removed"
