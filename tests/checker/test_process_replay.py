"""Enumerated crashes on real processes: fifty runs through a crash and on to convergence, out of every crash window."""

from __future__ import annotations

import pytest

from checker.verdict import Exit
from tests.checker.command_line import SCRIPT, process

COMMAND = "enumerate --engine explicit --replay --target refimpl.process_target:create --disk lossy --sample 50 --json"


@pytest.mark.slow
def test_fifty_enumerated_crashes_of_every_window_are_followed_by_real_processes() -> None:
    ran = process([SCRIPT, *COMMAND.split()], timeout=1200)
    assert ran.code == Exit.HOLDS, ran.err
    found = ran.json
    assert found["sample"]["runs"] == found["completion_replays"]["traces"] == 50
    assert [window[:2] for window in found["sample"]["windows"]] == [
        "W9", "W8", "W7", "W6", "W5", "W4", "W3", "W2", "W1", "WX", "W0",
    ]  # fmt: skip
    assert found["sample"]["windows_missed"] == []
    assert (found["completion_replays"]["diverged"], found["completion_replays"]["unobserved"]) == (0, {})
    assert found["completion_replays"]["labels"] > 2000
