"""``make bench``: how fast the explicit engine searches, how much memory a state takes, how long a compilation takes.

Each figure is the median of several runs, every run a process of its own. Peers are measured in the same run, on a
model of their own that has the same states: TLC if ``RAFTPROOF_TLC_JAR`` names its jar, Spin if ``spin`` and ``gcc``
are on the PATH. Machines are noisy: compare ratios of one run, not seconds of two.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
TIMEOUT = 900  # seconds, for one run


@dataclass(frozen=True, slots=True)
class Case:
    """A model to search, whole unless ``steps`` says how deep."""

    title: str
    spec: str
    model: str
    settings: tuple[tuple[str, str], ...] = ()
    steps: int | None = None


CASES = (
    Case("ongaro one_entry, 3 terms", "ongaro", "one_entry", (("max_term", "3"),)),
    Case("raft three, 13 labels", "raft", "three", (), 13),
    Case("counters six", str(HERE / "peers" / "counters.spec"), "six"),
)
SMALL = (Case("two-phase commit five", "two_phase_commit", "five"),)

RUN = """
import json, sys, time
case = json.loads(sys.argv[1])
from pathlib import Path
from checker.explicit.search import explore
from spec.load import load_system, shipped
path = Path(case["spec"]) if case["spec"].endswith(".spec") else shipped(case["spec"])
system = load_system(path, model=case["model"], settings=dict(case["settings"]))
began = time.monotonic()
import llvmlite.binding
imported = time.monotonic() - began
found = explore(system, max_steps=case["steps"], workers=case["workers"], symmetry=case["symmetry"])
compiling = imported + sum(found.seconds[phase] for phase in ("emit", "build", "load"))
print(json.dumps({"distinct": found.distinct, "generated": found.generated, "search": found.seconds["search"],
                  "bytes": found.bytes_per_state, "compile": compiling, "complete": found.complete}))
"""


def measured(case: Case, workers: int, symmetry: bool, cache: Path) -> dict[str, Any]:
    question = {
        "spec": case.spec,
        "model": case.model,
        "settings": case.settings,
        "steps": case.steps,
        "workers": workers,
        "symmetry": symmetry,
    }
    environment = {**os.environ, "RAFTPROOF_CACHE": str(cache), "PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, "-c", RUN, json.dumps(question)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode:
        raise click.ClickException(f"{case.title} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout))


def medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    counts = {(run["distinct"], run["generated"]) for run in runs}
    if len(counts) != 1:
        raise click.ClickException(f"runs of one search counted differently: {counts}")
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def engine_table(cases: tuple[Case, ...], repeat: int) -> tuple[Table, dict[str, dict[str, Any]]]:
    table = Table(title=f"explicit engine, median of {repeat}")
    for heading in ("model", "workers", "symmetry", "distinct", "generated", "search s", "distinct/s", "generated/s"):
        table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=True)
    for heading in ("bytes/state", "compile cold s", "cached s"):
        table.add_column(heading, justify="right", no_wrap=True)
    best: dict[str, dict[str, Any]] = {}
    for case in cases:
        for symmetry in (False, True):
            for workers in (1, 2):
                runs, cold = [], []
                for _ in range(repeat):
                    with tempfile.TemporaryDirectory() as cache:
                        cold.append(measured(case, workers, symmetry, Path(cache))["compile"])
                        runs.append(measured(case, workers, symmetry, Path(cache)))
                found = medians(runs)
                found["cold"] = statistics.median(cold)
                if not symmetry:
                    best[case.title] = found
                table.add_row(
                    case.title,
                    str(workers),
                    "on" if symmetry else "off",
                    f"{found['distinct']:,.0f}",
                    f"{found['generated']:,.0f}",
                    f"{found['search']:.2f}",
                    f"{found['distinct'] / found['search'] / 1e6:.2f} M",
                    f"{found['generated'] / found['search'] / 1e6:.2f} M",
                    f"{found['bytes']:.0f}",
                    f"{found['cold']:.2f}",
                    f"{found['compile']:.2f}",
                )
    return table, best


@click.command()
@click.option("--repeat", default=3, show_default=True, type=click.IntRange(min=1), help="Runs for each figure.")
@click.option("--small", is_flag=True, help="A small model only, to see that the benchmark runs.")
@click.option("--peers/--no-peers", default=True, show_default=True, help="Measure TLC and Spin where they are.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the tables to this file as well.")
def main(repeat: int, small: bool, peers: bool, out: Path | None) -> None:
    """Measure the explicit engine, and its peers beside it."""
    from peers.run import peer_table

    console = Console(width=170, record=out is not None, no_color=True)
    processors = len(os.sched_getaffinity(0))
    console.print(f"{_cpu()}, {processors} processors, Python {platform.python_version()}; load {_load()}")
    table, best = engine_table(SMALL if small else CASES, repeat)
    console.print(table)
    if peers:
        console.print(peer_table(repeat, best))
    console.print(f"load at the end {_load()}")
    if out is not None:
        out.write_text(console.export_text())


def _load() -> str:
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


if __name__ == "__main__":
    main()
