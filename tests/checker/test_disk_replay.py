"""Replay on a faulty disk: every crash at every byte of every frame that it loses, and the bugs that this finds."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest

from checker.enumeration import cubes, distinct, enumerate_cube
from checker.question import ask
from checker.replaying import Replays, replay_runs
from checker.tracing import Tracer
from checker.verdict import Exit
from refimpl import disk_target
from refimpl.crash_trials import FAULTS, PLACEMENTS
from refimpl.durable import Record
from refimpl.entry import Entry, Index, Term
from refimpl.simulated_directory import SimulatedDirectory
from tests.checker.command_line import CORPUS, model_check
from tests.refimpl.planted_wal import PLANTS, planted
from traces.raft import TABLE
from traces.replay import Divergence, replay
from traces.trace import Trace


@cache
def crash_traces() -> tuple[Trace, ...]:
    """Every crash interleaving of the model `tiny`."""
    question = ask(None, model="tiny")
    chosen = cubes(question, None, None, None)
    found = [enumerate_cube(question, cube, "reference", lambda *_: None, None) for cube in chosen]
    interleavings, _ = distinct(found, hashed=False)
    tracer = Tracer(question.evaluator)
    return tuple(tracer.trace(interleaving.until + interleaving.labels) for interleaving in interleavings)


def test_every_crash_trace_of_the_small_model_recovers_to_the_models_state_at_every_byte(
    record_property: Callable[[str, object], None],
) -> None:
    enumerate_tiny = ("enumerate", "--model", "tiny", "--engine", "reference", "--workers", 1)
    ran = model_check(*enumerate_tiny, "--replay", "--target", "disk")
    assert ran.code == Exit.HOLDS, ran.out
    assert "replayed interleavings: 512 traces" in ran.out
    assert ran.out.count("no divergence") == 2
    tried = [int(count.replace(",", "")) for count in re.findall(rf"([\d,]+) {PLACEMENTS}", ran.out)]
    record_property("counted", f"{sum(tried):,} crash placements")
    assert sum(tried) >= 5_000


@pytest.mark.slow
def test_every_crash_trace_of_the_default_model_recovers_to_the_models_state_at_every_byte(
    record_property: Callable[[str, object], None],
) -> None:
    question = ask(None)
    chosen = cubes(question, None, None, None)
    found = [enumerate_cube(question, cube, "explicit", lambda *_: None, None) for cube in chosen]
    assert all(part.complete for part in found)
    interleavings, _ = distinct(found, hashed=False)
    runs = [interleaving.until + interleaving.labels for interleaving in interleavings]
    replays = Replays()
    replay_runs(Tracer(question.evaluator), runs, disk_target.create(), lambda done: None, replays)
    tried = replays.tried
    counted = f"{tried[PLACEMENTS]:,} crash placements and {tried[FAULTS]:,} disk faults in {len(runs):,} traces"
    record_property("counted", counted)
    assert replays.traces == len(runs) > 10_000
    assert tried[PLACEMENTS] >= 100_000
    assert replays.divergence is None


def test_what_the_disk_tried_is_printed_and_counted_for_traces_from_files() -> None:
    ran = model_check("replay", CORPUS, "--target", "disk")
    assert re.search(rf"tried by the target: [\d,]+ {PLACEMENTS}, [\d,]+ {FAULTS}", ran.out)
    tried = model_check("replay", CORPUS, "--target", "disk", "--json").json["tried"]
    assert all(tried[what] > 0 for what in (PLACEMENTS, FAULTS))
    assert model_check("replay", CORPUS, "--json").json["tried"] == {}


def test_the_disk_takes_the_faults_of_the_rules_too() -> None:
    assert model_check("replay", CORPUS, "--target", "disk", "--break", "vote-not-durable").code == Exit.DIVERGES


@pytest.mark.parametrize("bug", PLANTS)
def test_each_planted_bug_of_a_log_is_caught(bug: str) -> None:
    target = disk_target.create(recover=planted(bug))
    for trace in crash_traces():
        result = replay(trace, target, TABLE)
        if isinstance(result, Divergence):
            assert result.path.endswith((".crash()", ".disk")), result
            print(f"{bug}: {result.path} after {result.step} labels, {result.observed}")
            return
    raise AssertionError(f"{len(crash_traces())} traces and no divergence, {target.tally()}")


def test_the_mark_that_is_planted_gets_ahead_of_its_entry() -> None:
    disk = SimulatedDirectory()
    log_file, _ = planted("commit-mark-ahead-of-entry")(disk, 1)
    log_file.write(Record(append=(Entry(Term(1), None),), commit_index=Index(1)))
    disk.crash()
    _, state = planted("commit-mark-ahead-of-entry")(disk, 1)
    assert state.commit_index > state.log.last_index
