"""The main job, whole: what ``model-check`` without arguments finds in the shipped Raft."""

from __future__ import annotations

import pytest

from checker.verdict import Exit
from tests.checker.command_line import SCRIPT, process


@pytest.mark.slow
def test_the_main_job_finds_no_fault_in_raft_and_refutes_the_seeds_literal_rule() -> None:
    ran = process([SCRIPT, "--json"], timeout=1200)
    assert ran.code == Exit.HOLDS, ran.err
    found = ran.json
    assert (found["exit"], found["stopped"]) == (0, None)
    assert all(part["complete"] for part in found["enumerated"])
    assert found["replays"]["traces"] == found["interleavings"]["distinct"] > 10_000
    for replays in (found["replays"], found["completion_replays"]):
        assert (replays["diverged"], replays["unobserved"]) == (0, {})
        assert replays["traces"] > 100
    assert found["invariants"]["violated"] == []
    assert len(found["invariants"]["names"]) >= 9
    assert not found["scenarios"]["unreached"]
    assert not found["scenarios"]["never"]
    assert "other" not in found["matrix"]["rows"]
    lost = [c for c in found["matrix"]["cells"] if c["outcome"] == "lost_after_answer"]
    lost += [c for c in found["matrix"]["cells"] if c["outcome"] == "discarded" and c["window"][:2] in COMMITTED]
    assert lost == []
    assert found["matrix"]["pairs"]["none_at_all"] > 1000  # that a write was submitted, or answered, is not undone
    assert found["coverage"]["interleavings"] == found["interleavings"]["distinct"]
    assert found["coverage"]["prefixes_complete"] == len(found["enumerated"])
    assert found["coverage"]["crash_states"] > found["coverage"]["crash_states_up_to_symmetry"] > 1000
    assert set(COMMITTED) <= {cell["window"][:2] for cell in found["matrix"]["cells"]}
    flaw = found["flaw"]
    assert flaw["answer"]["violated"] == "answered_write_is_never_lost"
    assert flaw["broken_target"] == "no divergence"
    assert flaw["correct_target"]["diverges_at"] == flaw["answer"]["prefix"]


COMMITTED = ("W5", "W6", "W7", "W8", "W9")
