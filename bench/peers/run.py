"""TLC and Spin on models of their own that have the states of one of ours, timed by themselves."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.table import Table

HERE = Path(__file__).resolve().parent
TIMEOUT = 900
JAR = "RAFTPROOF_TLC_JAR"


def peer_table(repeat: int, ours: dict[str, dict[str, Any]]) -> Table:
    """What each peer did, and how many times as many states a second the explicit engine found on two workers."""
    table = Table(title=f"peers, median of {repeat}, start-up not counted")
    for heading in ("tool", "model", "distinct", "seconds", "distinct/s", "ours, 2 workers", "ratio"):
        table.add_column(heading, justify="right" if heading in ("distinct", "seconds") else "left", no_wrap=True)
    for tool, title, run in (
        ("TLC, 2 workers", "ongaro one_entry, 3 terms", tlc),
        ("Spin, 1 core", "counters six", spin),
    ):
        missing = run(probe=True)
        if isinstance(missing, str):
            table.add_row(tool, title, "-", "-", missing, "", "")
            continue
        found = [run() for _ in range(repeat)]
        distinct, seconds = found[0][0], statistics.median(seconds for _, seconds in found)
        mine = ours.get(title)
        if mine is None:
            table.add_row(tool, title, f"{distinct:,}", f"{seconds:.1f}", f"{distinct / seconds:,.0f}", "not run", "")
            continue
        if mine["distinct"] != distinct:
            raise AssertionError(f"{tool} finds {distinct} states, the explicit engine {mine['distinct']}")
        rate = mine["distinct"] / mine["search"]
        row = (f"{distinct:,}", f"{seconds:.1f}", f"{distinct / seconds:,.0f}")
        table.add_row(tool, title, *row, f"{rate:,.0f}/s", f"{rate * seconds / distinct:.0f} x")
    return table


def tlc(probe: bool = False) -> Any:
    """Distinct states, and seconds from the first progress to the end."""
    jar = os.environ.get(JAR)
    if not jar or not shutil.which("java"):
        return f"not here: no {JAR}" if not jar else "not here: no java"
    if probe:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for name in ("ongaro.tla", "ongaro.cfg"):
            text = (HERE / name).read_text().replace("MaxTerm = 2", "MaxTerm = 3")
            (Path(folder) / name).write_text(text)
        command = ["java", "-XX:+UseParallelGC", "-cp", jar, "tlc2.TLC", "-workers", "2", "-noGenerateSpecTE"]
        command += ["-metadir", folder, "ongaro.tla"]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        began, distinct = time.monotonic(), None
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Computing initial states"):
                began = time.monotonic()
            final = re.search(r"([\d,]+) distinct states found, 0 states left", line)
            if final:
                distinct = int(final.group(1).replace(",", ""))
        if process.wait(TIMEOUT) or distinct is None:
            raise AssertionError("TLC did not finish")
        return distinct, time.monotonic() - began


def spin(probe: bool = False) -> Any:
    """Distinct states, and the seconds that the compiled verifier says."""
    missing = [tool for tool in ("spin", "gcc") if not shutil.which(tool)]
    if missing:
        return f"not here: no {' and no '.join(missing)}"
    if probe:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for command in (
            ["spin", "-a", str(HERE / "counters.pml")],
            ["gcc", "-O2", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=8192", "-o", "pan", "pan.c"],
        ):
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=TIMEOUT)
        command = ["./pan", "-m2000000", "-w24"]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=TIMEOUT)
        states = re.search(r"(\d+) states, stored", done.stdout)
        seconds = re.search(r"elapsed time ([\d.]+) seconds", done.stdout)
        assert states is not None, done.stdout
        assert seconds is not None, done.stdout
        return int(states.group(1)), float(seconds.group(1))
