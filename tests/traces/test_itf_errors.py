"""Files that are no traces: each error says file, state, field, what was found, what is allowed and what to do."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traces.strategies import traces
from tests.traces.toy import toy_trace
from traces.errors import TraceError, UnreadableTrace
from traces.itf import format_trace, parse_trace, read_trace
from traces.trace import Trace

GOOD = format_trace(toy_trace())


def refused(data: bytes | str) -> UnreadableTrace:
    with pytest.raises(UnreadableTrace) as caught:
        parse_trace(data.encode() if isinstance(data, str) else data, "some.itf.json")
    error = caught.value
    assert isinstance(error, TraceError)
    text = str(error)
    assert text.startswith("some.itf.json")
    assert "found " in text
    assert "\n  allowed: " in text
    assert "\n  to do: " in text
    assert all(len(line) < 400 for line in text.splitlines()), "an error is readable however large the value"
    return error


def changed(*path: str | int, to: Any = None, remove: bool = False) -> UnreadableTrace:
    """What is said of the good trace with one place changed."""
    data = json.loads(GOOD)
    node = data
    for key in path[:-1]:
        node = node[key]
    if remove:
        del node[path[-1]]
    else:
        node[path[-1]] = to
    return refused(json.dumps(data))


# ------------------------------------------------------------------------------------------- the whole file


@pytest.mark.parametrize("data", [b"", b"  \n", b"\t"])
def test_an_empty_file(data: bytes) -> None:
    assert refused(data).found == "an empty file"


def test_binary_garbage() -> None:
    error = refused(bytes(range(256)))
    assert "not UTF-8" in error.found
    assert "offset 128" in error.found
    assert "not JSON" in refused(b"\x00\x01\x02").found


def test_text_that_is_not_json_gives_line_and_column() -> None:
    assert "line 2, column 3" in refused("{\n  x: 1}").found


@given(st.integers(1, len(GOOD.rstrip()) - 1))
def test_a_truncated_file(length: int) -> None:
    refused(GOOD[:length])


def test_a_file_cut_in_the_middle_is_said_to_end_too_early() -> None:
    assert refused(GOOD.rstrip()[:-1]).advice.startswith("the file ends too early")


@pytest.mark.parametrize("text", ["[]", "1", '"x"', "null", "true"])
def test_json_that_is_no_object(text: str) -> None:
    assert refused(text).allowed == "an object"


def test_huge_nesting() -> None:
    assert "nested" in refused("[" * 1_000_000).found
    deep = '{"#set": [' * 70 + "]}" * 70
    text = GOOD.decode().replace('"pings": 0', f'"pings": {deep}')
    error = refused(text)
    assert "nested more than 64" in error.found
    assert error.state == 0


def test_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traces.itf.MAX_BYTES", 100)
    assert "100 bytes" in refused(GOOD).found


def test_a_number_with_too_many_digits() -> None:
    assert "digits" in refused(GOOD.decode().replace('"pings": 0', '"pings": ' + "9" * 10_000)).found


def test_a_missing_file_is_an_operating_system_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_trace(tmp_path / "none.itf.json")


def test_an_error_names_the_file_that_was_read(tmp_path: Path) -> None:
    path = tmp_path / "bad.itf.json"
    path.write_bytes(b"{")
    with pytest.raises(UnreadableTrace, match=r"bad\.itf\.json"):
        read_trace(path)


# -------------------------------------------------------------------------------------------- the top level


def test_missing_vars_and_states() -> None:
    assert changed("vars", remove=True).field == "vars"
    assert changed("states", remove=True).field == "states"
    assert changed("states", to=[]).field == "states"
    assert changed("states", to={}).field == "states"


def test_a_trace_without_labels() -> None:
    error = changed("vars", to=["sent"])
    assert error.field == "vars"
    assert error.found == "no mbt::actionTaken and no mbt::nondetPicks"
    assert "--mbt" in error.advice


def test_vars_of_the_wrong_kind() -> None:
    assert changed("vars", to=[1]).field == "vars"
    assert changed("vars", to=["mbt::actionTaken", "mbt::nondetPicks", "x", "x"]).found == "the same name twice"


def test_an_unknown_key() -> None:
    assert "'stats'" in changed("stats", to=[]).field


def test_a_wrong_format_or_meta() -> None:
    assert changed("#meta", "format", to="TLC").field == "#meta.format"
    assert changed("#meta", "model", to=3).field == "#meta.model"
    assert changed("#meta", to=[]).field == "#meta"
    assert changed("#meta", "seed", to=1.5).field == "#meta.seed"


@pytest.mark.parametrize("loop", [-1, 8, True, "1", 1.0])
def test_a_loop_to_no_state(loop: object) -> None:
    assert changed("loop", to=loop).field == "loop"


# ------------------------------------------------------------------------------------------------- a state


def test_a_state_that_is_no_object() -> None:
    error = changed("states", 2, to=[])
    assert (error.state, error.found) == (2, "[]")


def test_a_missing_variable() -> None:
    error = changed("states", 3, "sent", remove=True)
    assert (error.state, error.field, error.found) == (3, "sent", "no value")


def test_a_variable_that_is_not_announced() -> None:
    error = changed("states", 3, "extra", to=1)
    assert (error.state, error.field) == (3, "'extra'")


def test_a_state_that_is_missing() -> None:
    error = changed("states", 4, remove=True)
    assert (error.state, error.field) == (4, "#meta.index")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (1.5, "1.5, a number that is not whole"),
        (float("nan"), "nan, a number that is not whole"),
        (None, "null"),
        ({"#bigint": 5}, "5 as #bigint"),
        ({"#bigint": "0x10"}, "'0x10' as #bigint"),
        ({"#bigint": "9" * 2000}, "as #bigint"),
        ({"#set": {}}, "{} as #set"),
        ({"#set": [1, 1]}, "a set with the same element twice"),
        ({"#map": [[1]]}, "[1]"),
        ({"#map": [[1, 2], [1, 3]]}, "the key 1 a second time"),
        ({"#map": [[[], 2]]}, "the key []"),
        ({"#map": [[True, 2]]}, "the key True"),
        ({"#unserializable": "x"}, "the unknown tag '#unserializable'"),
        ({"#bag": []}, "the unknown tag '#bag'"),
        ({"#tup": [], "a": 1}, "#tup beside 'a'"),
        ({"tag": "Banana", "value": 1}, "the variant 'Banana' of 1"),
        ({"tag": "None", "value": 1}, "the variant 'None' of 1"),
        ("\ud800", "half of a surrogate pair"),
    ],
)
def test_a_value_that_itf_does_not_have(value: object, found: str) -> None:
    error = changed("states", 5, "sent", "a1", to=[0, {"log": value}])
    assert found in error.found
    assert error.state == 5
    assert error.field.startswith("sent.a1[1].log")


def test_a_key_that_occurs_twice() -> None:
    text = GOOD.decode()
    error = refused(text.replace('"received": {"a1": 0, "b1": 2}', '"received": {"a1": 0, "b1": 2, "b1": 3}', 1))
    assert (error.state, error.field) == (5, "received")
    assert '"b1" twice' in error.found
    assert '"vars" twice' in refused(text.replace('"vars":', '"vars": [], "vars":')).found


# ------------------------------------------------------------------------------------------------- a label


def test_a_label_that_is_no_rule() -> None:
    assert changed("states", 0, "mbt::actionTaken", to="ping").field == "mbt::actionTaken"
    assert changed("states", 1, "mbt::actionTaken", to=1).field == "mbt::actionTaken"
    assert changed("states", 1, "mbt::actionTaken", to="").found == "no rule"


@pytest.mark.parametrize("pick", ["a1", {"tag": "Some"}, {"tag": "Maybe", "value": 1}, {"value": 1, "x": 2}, [], None])
def test_a_choice_that_is_not_tagged(pick: object) -> None:
    error = changed("states", 1, "mbt::nondetPicks", "process", to=pick)
    assert (error.state, error.field) == (1, "mbt::nondetPicks.process")


def test_choices_of_the_wrong_kind() -> None:
    assert changed("states", 1, "mbt::nondetPicks", to=[]).field == "mbt::nondetPicks"
    wrong = {"tag": "Some", "value": 3}
    assert changed("states", 1, "mbt::nondetPicks", "process", to=wrong).field == "mbt::nondetPicks.process"
    assert changed("states", 3, "mbt::nondetPicks", "message", to=wrong).field == "mbt::nondetPicks.message"
    headless = {"tag": "Some", "value": {"type": "Ping", "source": "a1"}}
    assert "destination" in changed("states", 3, "mbt::nondetPicks", "message", to=headless).allowed


# ---------------------------------------------------------------------------------------------- any damage


@given(traces(), st.data())
def test_damage_is_refused_or_gives_a_trace_but_never_another_exception(trace: Trace, data: st.DataObject) -> None:
    written = bytearray(format_trace(trace))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(written) - 1))
        written[position : position + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=3))
    with suppress(UnreadableTrace):
        parse_trace(bytes(written), "x")
