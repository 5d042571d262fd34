"""Trace files: ITF (`.itf.json`, Apalache ADR-015), with each label as Quint's model-based testing writes it.

``mbt::actionTaken`` is the rule (``init`` in the first state); ``mbt::nondetPicks`` has each choice as a Quint
``Some``: ``process``, the arguments by name in their order, and ``message``, a flat record. What a step does not choose
is left out: Quint itself writes no picks for some steps, and itf-py cannot read the tag ``None`` (it is read here).
Equal traces give equal bytes. One variable of one state is one line, so that a text diff says what changed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from traces.errors import UnreadableTrace, shown
from traces.itf_values import Duplicated, Malformed, decode, encode
from traces.trace import ENVELOPE, Label, Message, Trace, TraceState
from traces.values import Map, Value

FORMAT = "https://apalache-mc.org/docs/adr/015adr-trace.html"
ACTION = "mbt::actionTaken"
PICKS = "mbt::nondetPicks"
INITIAL = ("init", "q::init", "")
RESERVED = frozenset({"format", "format-description", "source", "description", "spec", "model", "mutant"})
TOP = frozenset({"#meta", "params", "vars", "states", "loop"})
MAX_BYTES = 64 * 2**20
_REWRITE = "write the file again with its tool; a trace is not meant to be edited by hand"


def read_trace(path: Path | str) -> Trace:
    """Raises UnreadableTrace, and OSError where there is no such file."""
    with Path(path).open("rb") as file:
        return parse_trace(file.read(MAX_BYTES + 1), str(path))


def write_trace(trace: Trace, path: Path | str) -> None:
    """Raises OSError."""
    Path(path).write_bytes(format_trace(trace))


# ------------------------------------------------------------------------------------------------- writing


def format_trace(trace: Trace) -> bytes:
    """The bytes of the trace's file."""
    names = sorted(str(name) for name in trace.states[0].variables)
    assert not any(name.startswith(("#", "mbt::")) for name in names), "a variable's name is a word of ITF or Quint"
    states = ",\n".join(_state(number, state, names) for number, state in enumerate(trace.states))
    lines = [f'"#meta": {_json(_meta(trace))}', f'"vars": {_json([*names, ACTION, PICKS])}']
    if trace.loop is not None:
        lines.append(f'"loop": {trace.loop}')
    lines.append(f'"states": [\n{states}\n]')
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, allow_nan=False)


def _meta(trace: Trace) -> dict[str, Any]:
    assert not RESERVED & trace.meta.keys(), f"the file format uses these words itself: {sorted(RESERVED)}"
    under = f"{trace.spec}, model {trace.model}" + (f", mutant {trace.mutant}" if trace.mutant else "")
    head = {
        "format": "ITF",
        "format-description": FORMAT,
        "source": trace.spec,
        "description": f"A trace of {under}",
        "spec": trace.spec,
        "model": trace.model,
    }
    return head | ({} if trace.mutant is None else {"mutant": trace.mutant}) | _facts(trace.meta)


def _facts(meta: Map) -> dict[str, Any]:
    assert all(isinstance(key, str) and not key.startswith("#") for key in meta), "meta is a record"
    return {str(key): encode(meta[key]) for key in sorted(meta, key=str)}


def _state(number: int, state: TraceState, names: list[str]) -> str:
    assert "index" not in state.meta, "the state's number is written anyway"
    members: dict[str, Any] = {"#meta": {"index": number} | _facts(state.meta)}
    members |= {name: encode(state.variables[name]) for name in names}
    members |= {ACTION: INITIAL[0] if state.label is None else state.label.rule, PICKS: _picks(state.label)}
    return " {" + ",\n  ".join(f"{_json(name)}: {_json(value)}" for name, value in members.items()) + "}"


def _picks(label: Label | None) -> dict[str, Any]:
    if label is None:
        return {}
    chosen: list[tuple[str, Value]] = [] if label.process is None else [("process", label.process)]
    chosen += label.arguments
    if label.message is not None:
        chosen.append(("message", label.message.flat))
    return {name: {"tag": "Some", "value": encode(value)} for name, value in chosen}


# ------------------------------------------------------------------------------------------------- reading


def parse_trace(data: bytes, file: str) -> Trace:
    """``file`` is the name that errors give. Raises UnreadableTrace."""
    return Reader(file).trace(data)


class Reader:
    """One file's reading; it knows the file's name, for errors."""

    def __init__(self, file: str) -> None:
        self.file = file

    def wrong(self, state: int | None, field: str, found: str, allowed: str, advice: str = _REWRITE) -> UnreadableTrace:
        return UnreadableTrace(self.file, state, field, found, allowed, advice)

    def trace(self, data: bytes) -> Trace:
        top = self.object(self.json(data), None, "")
        for key in top.keys() - TOP:
            raise self.wrong(None, shown(key), "an unknown key", ", ".join(sorted(TOP)))
        meta = self.object(top.get("#meta", {}), None, "#meta")
        names = self.names(top.get("vars"))
        states = top.get("states")
        if not isinstance(states, list) or not states:
            raise self.wrong(None, "states", _kind(states), "a list of at least one state")
        return Trace(
            spec=self.fact(meta, "spec") or self.fact(meta, "source") or "",
            model=self.fact(meta, "model") or "",
            mutant=self.fact(meta, "mutant"),
            states=tuple(self.state(number, state, names) for number, state in enumerate(states)),
            meta=self.meta(meta),
            loop=self.loop(top.get("loop"), len(states)),
        )

    def json(self, data: bytes) -> Any:
        if len(data) > MAX_BYTES:
            raise self.wrong(None, "", f"more than {MAX_BYTES} bytes", f"at most {MAX_BYTES}", "cut the trace shorter")
        if not data.strip():
            raise self.wrong(None, "", "an empty file", "a trace in ITF", "was its writer interrupted? write it again")
        try:
            return json.loads(data.decode(), object_pairs_hook=_pairs)
        except UnicodeDecodeError as error:
            found = f"bytes that are not UTF-8, at offset {error.start}"
            raise self.wrong(None, "", found, "JSON text in UTF-8", "is this a trace file at all?") from None
        except json.JSONDecodeError as error:
            found = f"text that is not JSON, at line {error.lineno}, column {error.colno}: {error.msg}"
            cut = error.pos >= len(error.doc.rstrip())
            advice = "the file ends too early: write it again" if cut else "is this a trace file at all?"
            raise self.wrong(None, "", found, "a trace in ITF, one JSON object", advice) from None
        except RecursionError:
            raise self.wrong(None, "", "values nested without end", "a trace in ITF") from None
        except ValueError as error:  # Python's limit on the digits of a number
            raise self.wrong(None, "", str(error), 'large numbers as {"#bigint": "…"}') from None

    def object(self, node: Any, state: int | None, field: str) -> dict[str, Any]:
        if isinstance(node, Duplicated):
            raise self.wrong(state, field, f'the key "{node.key}" twice in one object', "each key once")
        if not isinstance(node, dict):
            raise self.wrong(state, field, _kind(node), "an object")
        return node

    def value(self, node: Any, state: int | None, field: str) -> Value:
        try:
            return decode(node)
        except Malformed as malformed:
            inside = malformed.field
            path = field + (inside if not inside or inside[0] == "[" else f".{inside}")
            raise self.wrong(state, path, malformed.found, malformed.allowed, malformed.advice) from None

    def fact(self, meta: dict[str, Any], key: str) -> str | None:
        found = meta.get(key)
        if found is not None and not isinstance(found, str):
            raise self.wrong(None, f"#meta.{key}", _kind(found), "a string")
        return found

    def meta(self, meta: dict[str, Any]) -> Map:
        if meta.get("format", "ITF") != "ITF":
            raise self.wrong(None, "#meta.format", shown(meta["format"]), "ITF", "convert the trace to ITF")
        return self.facts(meta, None, RESERVED)

    def facts(self, meta: dict[str, Any], state: int | None, known: frozenset[str]) -> Map:
        return Map({key: self.value(meta[key], state, f"#meta.{key}") for key in meta if key not in known})

    def names(self, node: Any) -> frozenset[str]:
        if not isinstance(node, list) or not all(isinstance(name, str) for name in node):
            raise self.wrong(None, "vars", _kind(node), "a list of variable names")
        names = frozenset(node)
        if len(names) != len(node):
            raise self.wrong(None, "vars", "the same name twice", "each variable once")
        if not names >= {ACTION, PICKS}:
            found = "no " + " and no ".join(sorted({ACTION, PICKS} - names))
            raise self.wrong(None, "vars", found, "a trace with labels", "with Quint, write it with --mbt")
        return names

    def loop(self, node: Any, states: int) -> int | None:
        if node is None or (type(node) is int and 0 <= node < states):
            return node
        raise self.wrong(None, "loop", shown(node), f"the number of a state, 0 to {states - 1}")

    def state(self, number: int, node: Any, names: frozenset[str]) -> TraceState:
        members = self.object(node, number, "")
        meta = self.object(members.get("#meta", {}), number, "#meta")
        given = members.keys() - {"#meta"}
        if missing := sorted(names - given):
            raise self.wrong(number, missing[0], "no value", f"a value for each of {_list(sorted(names))}")
        if extra := sorted(given - names):
            raise self.wrong(number, shown(extra[0]), "a variable that vars does not list", _list(sorted(names)))
        index = self.value(meta.get("index", number), number, "#meta.index")
        if index != number:
            raise self.wrong(number, "#meta.index", shown(index), str(number), "a state is missing or misplaced")
        variables = Map({name: self.value(members[name], number, name) for name in sorted(names - {ACTION, PICKS})})
        return TraceState(self.label(number, members), variables, self.facts(meta, number, frozenset({"index"})))

    def label(self, number: int, members: dict[str, Any]) -> Label | None:
        rule = members[ACTION]
        if not isinstance(rule, str) or (number > 0 and not rule):
            raise self.wrong(number, ACTION, _kind(rule) if rule else "no rule", "the name of a rule")
        if number == 0:
            if rule not in INITIAL:
                raise self.wrong(0, ACTION, shown(rule), f"{INITIAL[0]}: no rule leads to the initial state")
            return None
        picks = self.picks(number, members[PICKS])
        process = picks.pop("process", None)
        if process is not None and not isinstance(process, str):
            raise self.wrong(number, f"{PICKS}.process", shown(process), "the name of a process")
        message = self.message(number, picks.pop("message", None))
        return Label(rule, process, tuple(picks.items()), message)

    def picks(self, number: int, node: Any) -> dict[str, Value]:
        picks = {}
        for name, pick in self.object(node, number, PICKS).items():
            tagged = self.object(pick, number, f"{PICKS}.{name}")
            if tagged.keys() != {"tag", "value"} or tagged["tag"] not in ("Some", "None"):
                raise self.wrong(number, f"{PICKS}.{name}", shown(pick), 'a choice {"tag": "Some", "value": …}')
            value = self.value(pick, number, f"{PICKS}.{name}")
            if tagged["tag"] == "Some":
                picks[name] = value
        return picks

    def message(self, number: int, value: Value) -> Message | None:
        if value is None:
            return None
        if not isinstance(value, Map) or not all(isinstance(value.get(key), str) for key in ENVELOPE):
            found = shown(dict(value) if isinstance(value, Map) else value)
            raise self.wrong(number, f"{PICKS}.message", found, "a record with the strings " + ", ".join(ENVELOPE))
        return Message.of(value)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Duplicated:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    names = [key for key, _ in pairs]
    return Duplicated(next(key for key in names if names.count(key) > 1))


def _kind(node: Any) -> str:
    return "nothing" if node is None else shown(node)


def _list(names: list[str]) -> str:
    return shown(", ".join(names)).strip("'")
