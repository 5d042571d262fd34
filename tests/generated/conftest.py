"""The distribution of what was generated, printed at the end of a run: from whichever process of xdist ran the test."""

from __future__ import annotations

import pytest

PROPERTY = "distribution"


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == PROPERTY:
                terminalreporter.section(report.nodeid, sep="-")
                terminalreporter.write_line(str(text))
