"""Replay trace files as tests: ``pytest -p traces.pytest_plugin --replay-traces traces/corpus --target NAME``.

Each ``*.itf.json`` under the given directory, or named on the command line, is one test. It passes if the target does
what the trace says. Other trace files that pytest walks past are left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from shlex import quote
from typing import Any

import pytest

from traces.errors import TargetNotFound, TraceError
from traces.itf import read_trace
from traces.raft import WORDING
from traces.raft_reads import table_for
from traces.render.divergence import divergence_text, unobserved_lines
from traces.replay import Divergence, replay
from traces.target import Target, close_target, open_target, tally_of

SUFFIX = ".itf.json"
DEFAULT = "refimpl"
_TARGET = pytest.StashKey[Target]()


class Diverged(Exception):
    """The target differs from the trace; the text is the report."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("traces", "replay of traces")
    group.addoption("--replay-traces", metavar="DIR", default=None, help=f"replay every *{SUFFIX} under DIR")
    group.addoption("--target", metavar="NAME", default=DEFAULT, help=f"replay on this target (default: {DEFAULT})")


def pytest_configure(config: pytest.Config) -> None:
    given = config.getoption("--replay-traces")
    if given is None:
        return
    if not Path(given).is_dir():
        raise pytest.UsageError(f"--replay-traces: {given} is not a directory; give the one that holds *{SUFFIX}")
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    config.args = [*(config.args if named else []), given]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> TraceFile | None:
    if not file_path.name.endswith(SUFFIX):
        return None
    given = parent.config.getoption("--replay-traces")
    under = given is not None and Path(given).resolve() in file_path.resolve().parents
    if not under and not parent.session.isinitpath(file_path):
        return None
    return TraceFile.from_parent(parent, path=file_path)


class TraceFile(pytest.File):
    """One file, one test."""

    def collect(self) -> Iterable[pytest.Item]:
        yield TraceItem.from_parent(self, name="replay")


class TraceItem(pytest.Item):
    """The replay of one trace."""

    def runtest(self) -> None:
        trace = read_trace(self.path)
        target = _target(self.config)
        before = Counter(tally_of(target))
        result = replay(trace, target, table_for(trace.states[0]))
        self.user_properties.append(("tried", dict(Counter(tally_of(target)) - before)))
        self.user_properties.append(("unobserved", dict(result.unobserved)))
        if isinstance(result, Divergence):
            raise Diverged(divergence_text(trace, result, self.command(), WORDING))

    def command(self) -> str:
        """What reproduces a failure."""
        name = self.config.getoption("--target")
        return f"model-check replay {quote(self._shown())}" + ("" if name == DEFAULT else f" --target {quote(name)}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        if isinstance(excinfo.value, Diverged | TraceError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"replay of {self._shown()}"

    def _shown(self) -> str:
        here = self.config.invocation_params.dir
        return str(self.path.relative_to(here) if self.path.is_relative_to(here) else self.path)


def _target(config: pytest.Config) -> Target:
    """Opened once: a replay begins by resetting it."""
    if _TARGET not in config.stash:
        try:
            config.stash[_TARGET] = open_target(config.getoption("--target"))
        except TargetNotFound as error:
            pytest.exit(f"--target: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
    return config.stash[_TARGET]


def pytest_unconfigure(config: pytest.Config) -> None:
    if _TARGET in config.stash:
        close_target(config.stash[_TARGET])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What the target did not report, and what it tried of its own accord, is said even where everything passed."""
    sums: dict[str, Counter[str]] = {"unobserved": Counter(), "tried": Counter()}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, value in report.user_properties:
                    if name in sums:
                        sums[name].update(value)
    for line in unobserved_lines(sums["unobserved"]):
        terminalreporter.write_line(line.strip())
    if sums["tried"]:
        tried = ", ".join(f"{count:,} {what}" for what, count in sums["tried"].items())
        terminalreporter.write_line(f"tried by the target: {tried}")
