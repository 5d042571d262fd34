"""Labels, text, diagrams and reports, for people."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from rich.console import Console

from tests.traces.recorder import Recorder, crashed, elected, written
from tests.traces.strategies import traces
from tests.traces.toy import TABLE as TOY
from tests.traces.toy import ToyTarget, ping, toy_trace
from traces.raft import WORDING
from traces.render.divergence import divergence_text, unobserved_lines
from traces.render.labels import label_text, value_text
from traces.render.mermaid import render_mermaid
from traces.render.text import render_rich, render_text
from traces.render.wording import Event, Wording
from traces.replay import Divergence, replay
from traces.trace import Label, Trace, TraceState
from traces.values import Map, freeze

APPEND = {
    "type": "AppendEntries", "source": "s1", "destination": "s2", "term": 1,
    "entries": [{"term": 1, "write": {"client": "c1", "serial": 1}}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (None, "the initial state"),
        (Label.of("timeout", "s1"), "timeout(s1)"),
        (Label.of("crash", "s1", keep=1), "crash(s1, keep=1)"),
        (Label.of("replicate", "s1", peer="s2"), "replicate(s1, peer=s2)"),
        (Label.of("fill_big"), "fill_big()"),
        (Label.of("append_entries", "s2", APPEND), "append_entries(s1 → s2, term=1, entries=[1:c1#1])"),
        (Label.of("drop", message=ping(2)), "drop(Ping a1 → b1, number=2)"),
        (Label.of("bad\x1b[31m", "s\n1"), r"'bad\x1b[31m'('s\n1')"),
    ],
)
def test_a_label_is_one_line(label: Label | None, text: str) -> None:
    assert label_text(label, WORDING) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "true"),
        (-3, "-3"),
        ("s1", "s1"),
        ("", "''"),
        ([1, []], "[1, []]"),
        ({f"s{n}" for n in range(1, 9)}, "{s1, s2, s3, s4, s5, s6, s7, s8}"),
        ({"b": 1, "a": None}, "{b: 1, a: none}"),
        (ping(1), "Ping(a1 → b1, number=1)"),
        ({"message": ping(1), "copies": 2}, "Ping(a1 → b1, number=1) × 2"),
    ],
)
def test_a_value_in_plain_words(value: object, text: str) -> None:
    assert value_text(freeze(value)) == text


def test_values_in_rafts_words() -> None:
    assert value_text(freeze({"term": 2, "write": None}), WORDING) == "2:no-op"
    assert value_text(freeze([{"client": "c1", "serial": 3}]), WORDING) == "[c1#3]"


# ---------------------------------------------------------------------------------------------------- text


def test_a_trace_as_text() -> None:
    trace = replace(toy_trace(), mutant="deaf", meta=Map({"property": "no_ping_is_lost", "command": "model-check x"}))
    trace = replace(trace, states=(*trace.states[:3], trace.states[4], *trace.states[-2:]))
    assert (
        render_text(trace)
        == """\
toy.spec, model two, mutant deaf: 5 steps
  0  the initial state
       a1,b1.sent       0
       a1,b1.received   0
       network          []
       a1,b1.up         true
       budgets.crashes  0
       pings            0
  1  ping(a1)
       a1.sent  0 → 1
       network  + Ping(a1 → b1, number=1)
       pings    0 → 1
  2  duplicate(Ping a1 → b1, number=1)
       network  + Ping(a1 → b1, number=1)
  3  ping(a1)
       a1.sent      1 → 2
       b1.received  0 → 1
       network      − Ping(a1 → b1, number=1)
       network      + Ping(a1 → b1, number=2)
       pings        1 → 2
  4  drop(Ping a1 → b1, number=2)
       b1.received  1 → 2
       network      − Ping(a1 → b1, number=1)
       network      − Ping(a1 → b1, number=2)
  5  crash(b1, keep=0)  ✗
       b1.received  2 → 0
violated: no_ping_is_lost
reproduce: model-check x
"""
    )


def test_processes_with_different_initial_values_have_lines_of_their_own() -> None:
    variables = {"up": {"a1": True, "b1": True, "c1": False}}
    text = render_text(Trace("x", "y", None, (TraceState.of(None, variables),)))
    assert "a1,b1.up  true\n" in text
    assert "c1.up     false\n" in text


def test_only_what_changed_is_shown() -> None:
    text = render_text(elected().trace(), WORDING)
    drop = text.split("drop(")[1]
    assert drop.count("\n") == 2
    assert "network  − RequestVote(s1 → s3" in drop


def test_nested_changes_name_their_path() -> None:
    text = render_text(written().trace(), WORDING)
    assert "s1.disk.current_term  0 → 1" in text
    assert "s1.disk.log        + 1:no-op" in text
    assert "s1.sessions.c1   0 → 1" in text
    assert "ghosts.answered  + c1#1" in text


def test_remarks_and_loops_are_shown() -> None:
    first, second = toy_trace().states[:2]
    second = replace(second, meta=Map({"torn": ("record", 2)}))
    text = render_text(Trace("x", "y", None, (first, second), Map({"problem": "torn tail"}), loop=0))
    assert "    (torn: [record, 2])\n" in text
    assert "  ↺  and again from state 0\n" in text
    assert text.endswith("torn tail\n")


def test_the_seeds_words_stand_beside_the_label() -> None:
    text = render_text(crashed().trace(), WORDING)
    assert "timeout(s2)  · Timeout → starts an election (term 2)" in text
    assert "· New leader (term 2); Writes entry 3 (2:no-op) to its WAL (uncommitted)" in text
    assert "crash(s1, keep=0)  ✗\n" in text
    assert "· Commits entry 2 (1:c1#1)" in text


def test_colour_only_where_it_is_asked_for() -> None:
    trace = crashed().trace()
    assert "\x1b" not in render_text(trace, WORDING)
    assert render_rich(trace, WORDING).plain == render_text(trace, WORDING)
    console = Console(force_terminal=True, width=300, color_system="standard")
    with console.capture() as captured:
        console.print(render_rich(trace, WORDING))
    crash = next(line for line in captured.get().splitlines() if "crash(s1" in line)
    assert "\x1b[1;31m" in crash


@given(traces())
def test_any_trace_can_be_drawn(trace: Trace) -> None:
    text = render_text(trace)
    assert len([line for line in text.splitlines() if line.strip()]) >= len(trace.states)
    assert "\x1b" not in text
    assert render_mermaid(trace).startswith("sequenceDiagram\n")


# ------------------------------------------------------------------------------------------------- diagrams


def test_a_trace_as_a_sequence_diagram() -> None:
    assert (
        render_mermaid(toy_trace())
        == """\
sequenceDiagram
    participant a1
    participant b1
    a1->>a1: ping(a1)
    Note over a1,b1: Ping(number=1) (duplicated)
    a1->>b1: Ping(number=1)
    a1->>a1: ping(a1)
    a1->>b1: Ping(number=1)
    a1-xb1: Ping(number=2) (lost)
    Note over b1: Crashes here ✗
"""
    )


def test_the_seeds_third_case_as_a_diagram() -> None:
    recorder = crashed().do("flush", "s2").do("replicate", "s2", peer="s3").deliver("AppendEntries", "s2", "s3")
    lines = [line.strip() for line in render_mermaid(recorder.trace(), WORDING).splitlines()]
    story = [
        "participant c1",
        "s1-xs3: Request vote (term 1) (lost)",
        "c1->>s1: Write request #35;1",
        "s1->>s1: Writes entry 2 (1:c1#35;1) to its WAL (uncommitted)",
        "s1->>s1: Flushes its WAL (fsync)",
        "s1->>s2: AppendEntries (1:c1#35;1 after 1, commit 1)",
        "s2-->>s1: ACK 2",
        "s1->>s1: Commits entry 2 (1:c1#35;1)",
        "s1->>s1: Applies entry 2 (1:c1#35;1)",
        's1-->>c1: "success" #35;1',
        "Note over s1: Crashes here ✗ (0 of 2 unflushed records survive)",
        "s2->>s2: Timeout → starts an election (term 2)",
        "s2->>s3: Request vote (term 2)",
        "s3->>s3: Votes for s2 (term 2)",
        "s3-->>s2: Vote granted (term 2)",
        "Note over s2: New leader (term 2)",
        "s1->>s1: Comes back",
        "s2->>s3: AppendEntries (2:no-op after 2, commit 1)",
    ]
    position = 0
    for line in story:  # in this order, with other lines between
        position = lines.index(line, position) + 1
    assert lines[-1] == "Note over c1,s3: 2 messages still on the way"


def test_a_deposed_leader_steps_down_and_loses_its_entry() -> None:
    recorder = elected().do("submit", "c1", server="s1").deliver("ClientRequest", "c1", "s1")
    recorder.do("timeout", "s2").do("flush", "s2").deliver("RequestVote", "s2", "s3").do("flush", "s3")
    recorder.deliver("RequestVoteResponse", "s3", "s2").do("replicate", "s2", peer="s1")
    recorder.deliver("AppendEntries", "s2", "s1")
    text = render_mermaid(recorder.trace(), WORDING)
    assert "Note over s1: Sees term 2 → steps down\n" in text
    assert "s1->>s1: Discards entries 1–2 (1:no-op, 1:c1#35;1)\n" in text
    assert "s1->>s1: Writes entry 1 (2:no-op) to its WAL (uncommitted)\n" in text


def test_a_step_without_message_or_event_is_named() -> None:
    state = TraceState.of(None, {"big": 0})
    poured = Trace("jugs", "m", None, (state, TraceState.of(Label.of("fill", "jug", amount=3), {"big": 3})))
    assert "p_jug->>p_jug: fill(jug, amount=3)" in render_mermaid(poured)
    outside = Trace("jugs", "m", None, (state, TraceState.of(Label.of("fill_big"), {"big": 5})))
    assert "Note right of p_system: fill_big()" in render_mermaid(outside)


def test_mermaids_own_words_and_signs_are_kept_out_of_the_diagram() -> None:
    wording = Wording(events=lambda before, after: (Event("end", "a;b#c\nd"),))
    state = TraceState.of(None, {"up": {"end": True}})
    drawn = render_mermaid(Trace("x", "y", None, (state, TraceState(Label.of("go", "end"), state.variables))), wording)
    assert "participant p_end as end\n" in drawn
    assert "p_end->>p_end: a#59;b#35;c d\n" in drawn


def test_a_violation_ends_the_diagram() -> None:
    trace = replace(toy_trace(), meta=Map({"property": "safe"}))
    assert render_mermaid(trace).endswith("    Note over a1,b1: violated: safe\n")


# -------------------------------------------------------------------------------------------------- reports


def test_the_report_of_a_divergence() -> None:
    divergence = replay(toy_trace(), ToyTarget(lose_after=1, hide=frozenset({"sent"})), TOY)
    assert isinstance(divergence, Divergence)
    assert (
        divergence_text(toy_trace(), divergence, "model-check replay toy.itf.json")
        == """\
divergence after step 3 of 7: b1.received

  1  ping(a1)
  2  duplicate(Ping a1 → b1, number=1)
→ 3  receive(a1 → b1, number=1)

  expected (the trace):  1
  observed (the target): 0
  shortest prefix:       3 labels
  unobserved:            sent × 8, up × 4 (the target does not report these)
  reproduce:             model-check replay toy.itf.json
"""
    )


def test_the_report_of_a_divergence_in_the_initial_state() -> None:
    divergence = Divergence(0, None, "s1.role", "Follower", "Leader", ("s1.log",))
    text = divergence_text(Recorder().trace(), divergence, "x")
    assert text.startswith("divergence in the initial state: s1.role\n")
    assert "different too:         s1.log" in text


def test_the_lines_of_what_a_target_raises_stay_lines() -> None:
    divergence = Divergence(1, None, "s1.flush()", "returns", "raises Failed: its log:\n  one\n  two")
    text = divergence_text(Recorder().trace(), divergence, "x")
    assert "observed (the target): raises Failed: its log:\n      one\n      two\n" in text


def test_the_report_of_a_replay_prints_what_was_not_observed() -> None:
    assert unobserved_lines({}) == []
    assert unobserved_lines({"log": 4}) == ["  unobserved:            log × 4 (the target does not report these)"]
