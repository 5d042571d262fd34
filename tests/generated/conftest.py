"""The distribution of what was generated, printed at the end of a run: from whichever process of xdist ran the test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from checker.explicit.cache import CACHE_VARIABLE

PROPERTY = "distribution"


@pytest.fixture(autouse=True, scope="module")
def no_cache() -> Iterator[None]:
    """Specs that are compiled once leave no object behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, "")
        yield


def listed(counts: Counter[str]) -> str:
    return "\n".join(f"{counts[name]:>8,} {name}" for name in sorted(counts))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == PROPERTY:
                terminalreporter.section(report.nodeid, sep="-")
                terminalreporter.write_line(str(text))
