"""Writing traces as ITF and reading them back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import itf_py
from hypothesis import given, settings

from tests.traces.strategies import exactly, traces, values
from tests.traces.toy import toy_trace
from traces.itf import format_trace, parse_trace, read_trace, write_trace
from traces.itf_values import decode, encode
from traces.trace import Label, Trace, TraceState
from traces.values import Map, Value


def one_state(value: object) -> Trace:
    return Trace("x", "y", None, (TraceState.of(None, {"v": value}),))


def first_state(trace: Trace) -> dict[str, Any]:
    state = json.loads(format_trace(trace))["states"][0]
    assert isinstance(state, dict)
    return state


@given(values)
def test_a_value_survives_writing_and_reading(value: Value) -> None:
    assert exactly(decode(json.loads(json.dumps(encode(value))))) == exactly(value)


@given(traces())
@settings(max_examples=200)
def test_a_trace_survives_writing_and_reading(trace: Trace) -> None:
    assert parse_trace(format_trace(trace), "x") == trace


@given(traces())
def test_equal_traces_give_equal_bytes(trace: Trace) -> None:
    shuffled = tuple(
        TraceState(state.label, Map(dict(reversed(state.variables.items()))), state.meta) for state in trace.states
    )
    again = Trace(trace.spec, trace.model, trace.mutant, shuffled, trace.meta, trace.loop)
    assert format_trace(again) == format_trace(trace)


def test_a_file_survives_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "toy.itf.json"
    write_trace(toy_trace(), path)
    assert read_trace(path) == toy_trace()


def test_the_file_says_what_it_is() -> None:
    data = json.loads(format_trace(Trace("toy.spec", "two", "deaf", toy_trace().states)))
    assert data["#meta"]["format"] == "ITF"
    assert data["#meta"]["format-description"].startswith("https://apalache")
    assert data["#meta"]["source"] == "toy.spec"
    assert data["#meta"]["description"] == "A trace of toy.spec, model two, mutant deaf"
    assert data["vars"] == ["budgets", "network", "pings", "received", "sent", "up", "mbt::actionTaken", "mbt::nondetPicks"]  # fmt: skip  # noqa: E501
    assert [state["#meta"]["index"] for state in data["states"]] == list(range(8))


def test_labels_are_written_as_quint_writes_them() -> None:
    states = json.loads(format_trace(toy_trace()))["states"]
    assert states[0]["mbt::actionTaken"] == "init"
    assert states[0]["mbt::nondetPicks"] == {}
    assert states[3]["mbt::actionTaken"] == "receive"
    message = {"destination": "b1", "number": 1, "source": "a1", "type": "Ping"}
    assert states[3]["mbt::nondetPicks"] == {
        "process": {"tag": "Some", "value": "b1"},
        "message": {"tag": "Some", "value": message},
    }
    assert states[7]["mbt::nondetPicks"] == {
        "process": {"tag": "Some", "value": "b1"},
        "keep": {"tag": "Some", "value": 0},
    }


def test_only_large_numbers_are_written_as_bigint() -> None:
    assert encode(2**53 - 1) == 2**53 - 1
    assert encode(2**53) == {"#bigint": str(2**53)}
    assert encode(-(2**53)) == {"#bigint": str(-(2**53))}
    assert decode({"#bigint": "-7"}) == -7


def test_maps_with_plain_names_are_records_and_others_maps() -> None:
    assert encode(Map({"s1": 1})) == {"s1": 1}
    assert encode(Map({2: "b", 1: "a"})) == {"#map": [[1, "a"], [2, "b"]]}
    assert encode(Map({"tag": 1, "value": 2})) == {"#map": [["tag", 1], ["value", 2]]}
    assert encode(Map({"class": 1})) == {"#map": [["class", 1]]}
    assert encode(Map()) == {"#map": []}


def test_sets_are_written_sorted() -> None:
    assert encode(frozenset({"s3", "s1", "s2"})) == {"#set": ["s1", "s2", "s3"]}


def test_an_absent_optional_is_the_unit_and_quints_tags_are_read_too() -> None:
    assert encode(None) == {"#tup": []}
    assert decode({"#tup": []}) is None
    assert decode({"tag": "None", "value": {"#tup": []}}) is None
    assert decode({"tag": "Some", "value": {"#bigint": "3"}}) == 3


def test_a_trace_written_by_quint_is_read() -> None:
    text = {
        "#meta": {"format": "ITF", "format-description": "https://…", "source": "bank.qnt", "status": "ok",
                  "description": "Created by Quint on Mon Nov 23 2026", "timestamp": 1795000000000},
        "vars": ["balances", "mbt::actionTaken", "mbt::nondetPicks"],
        "states": [
            {"#meta": {"index": 0}, "balances": {"#map": [["ann", {"#bigint": "0"}]]}, "mbt::actionTaken": "init",
             "mbt::nondetPicks": {"who": {"tag": "None", "value": {"#tup": []}}}},
            {"#meta": {"index": 1}, "balances": {"#map": [["ann", {"#bigint": "5"}]]}, "mbt::actionTaken": "deposit",
             "mbt::nondetPicks": {"who": {"tag": "Some", "value": "ann"},
                                  "amount": {"tag": "Some", "value": {"#bigint": "5"}},
                                  "other": {"tag": "None", "value": {"#tup": []}}}},
        ],
    }  # fmt: skip
    trace = parse_trace(json.dumps(text).encode(), "bank.itf.json")
    assert trace.spec == "bank.qnt"
    assert trace.labels == (Label.of("deposit", None, who="ann", amount=5),)
    assert trace.states[1].variables == {"balances": {"ann": 5}}
    assert parse_trace(format_trace(trace), "again") == trace


def test_one_variable_of_one_state_is_one_line() -> None:
    lines = format_trace(toy_trace()).decode().splitlines()
    assert sum('"received"' in line and "vars" not in line for line in lines) == len(toy_trace().states)
    assert format_trace(toy_trace()).endswith(b"}\n")


def test_text_beyond_ascii_is_written_as_it_is() -> None:
    assert "τράνς→".encode() in format_trace(one_state("τράνς→"))


# ------------------------------------------------------------------------- the reference reader, itf-py


def test_itf_py_reads_what_we_write() -> None:
    read = itf_py.trace_from_json(json.loads(format_trace(toy_trace())))
    assert len(read.states) == len(toy_trace().states)
    assert read.states[1].values["sent"].a1 == 1
    assert read.states[1].values["mbt::actionTaken"] == "ping"
    assert read.states[1].values["mbt::nondetPicks"].process.value == "a1"
    assert read.states[2].values["network"][0].copies == 2


def test_itf_py_reads_every_kind_of_value() -> None:
    everything = {
        "none": None, "flag": True, "number": 2**80, "text": "é", "sequence": [1, [2]], "set": {"s1", "s2"},
        "map": {1: {"a": None}}, "empty": {}, "records": [{"term": 1}], "odd": {"tag": 1, "value": 2}, "key": {"_": 1},
        "deep": frozenset({Map({"client": "c1", "serial": 1})}), "nothing": [],
    }  # fmt: skip
    read = itf_py.trace_from_json(json.loads(format_trace(one_state(everything)))).states[0].values["v"]
    assert read.none == ()
    assert read.number == 2**80
    assert read.sequence == [1, [2]]
    assert read.set == frozenset({"s1", "s2"})
    assert read.map[1].a == ()
    assert read.odd == {"tag": 1, "value": 2}
    assert next(iter(read.deep)).client == "c1"


@given(values)
def test_itf_py_reads_any_value_of_a_state(value: Value) -> None:
    itf_py.trace_from_json(json.loads(format_trace(one_state(value))))


def test_what_the_state_writes_is_stable() -> None:
    assert first_state(one_state({"b": [1, None], "a": True})) == {
        "#meta": {"index": 0},
        "v": {"a": True, "b": [1, {"#tup": []}]},
        "mbt::actionTaken": "init",
        "mbt::nondetPicks": {},
    }
