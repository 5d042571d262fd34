"""Values in ITF's JSON and back (Apalache ADR-015).

Our choices where ITF leaves one, or where Quint's way is not readable by every reader:

- An absent optional is written as Quint's unit, ``{"#tup": []}``; a present one as the bare value. Quint's tagged
  ``{"tag": "Some" | "None", "value": …}`` is read too. It is not written in states, because a value does not know
  that it is an optional, and because itf-py 0.5 cannot read the tag ``None``.
- A map whose keys are all plain names is written as a record (an object), any other map as ``#map``; both are read.
- A whole number is written bare where every JSON reader keeps it exact, otherwise as ``#bigint``; both are read.
- A non-empty ``#tup`` is read as a sequence.

Equal values give equal JSON: keys, set elements and map entries are sorted.
"""

from __future__ import annotations

import re
from keyword import iskeyword
from typing import Any, NoReturn

from traces.errors import shown
from traces.values import Map, Value, order

SAFE = 2**53 - 1
MAX_NESTING = 64  # a spec's types nest about five deep; a file that nests deeper was not written as a trace
MAX_DIGITS = 1000
_BIGINT = re.compile(r"-?[0-9]+")
ALLOWED = "a bool, a whole number, a string, a list, a record, #bigint, #map, #set, #tup, the variants Some and None"


class Malformed(Exception):
    """A JSON value is no ITF value. ``path`` is collected from the inside out."""

    def __init__(self, found: str, allowed: str, advice: str) -> None:
        super().__init__(found)
        self.found = found
        self.allowed = allowed
        self.advice = advice
        self.path: list[str] = []

    @property
    def field(self) -> str:
        return "".join(reversed(self.path)).removeprefix(".")


class Duplicated:
    """Stands for a JSON object in which a key occurs twice: JSON readers disagree about which one counts."""

    def __init__(self, key: str) -> None:
        self.key = key


def plain_name(key: object) -> bool:
    """A record's field that every reader of ITF accepts, Python's namedtuples included."""
    return isinstance(key, str) and key.isidentifier() and key[0] != "_" and not iskeyword(key)


def encode(value: Value) -> Any:
    """The value as JSON data."""
    match value:
        case None:
            return {"#tup": []}
        case bool() | str():
            return value
        case int():
            assert abs(value) < 10**MAX_DIGITS, "larger than the reader accepts"
            return value if -SAFE <= value <= SAFE else {"#bigint": str(value)}
        case tuple():
            return [encode(element) for element in value]
        case frozenset():
            return {"#set": [encode(element) for element in sorted(value, key=order)]}
        case Map():
            keys = _sorted(value)
            # A record of exactly these two fields would read as a variant.
            if keys and all(map(plain_name, keys)) and keys != ["tag", "value"]:
                return {str(key): encode(value[key]) for key in keys}
            return {"#map": [[encode(key), encode(value[key])] for key in keys]}


def _sorted(keys: Map) -> list[str | int]:
    try:
        return sorted(keys)  # nearly always of one type; order is slower
    except TypeError:
        return sorted(keys, key=order)


def decode(node: Any, depth: int = 0) -> Value:
    """The value of JSON data. Raises Malformed."""
    if depth > MAX_NESTING:
        raise Malformed(f"a value nested more than {MAX_NESTING} deep", f"at most {MAX_NESTING} levels", _REWRITE)
    match node:
        case bool() | int():
            return node
        case str():
            return _text(node)
        case list():
            return tuple([_inside(f"[{i}]", element, depth) for i, element in enumerate(node)])
        case dict():
            return _object(node, depth)
        case Duplicated():
            raise Malformed(f'the key "{node.key}" twice in one object', "each key once", _REWRITE)
        case float():
            raise Malformed(f"{node!r}, a number that is not whole", ALLOWED, _REWRITE)
        case None:
            raise Malformed("null", ALLOWED, 'write an absent optional as {"#tup": []}')
        case _:
            raise AssertionError(f"no JSON: {node!r}")


_REWRITE = "write the file again with its tool; a trace is not meant to be edited by hand"


def _inside(step: str, node: Any, depth: int) -> Value:
    try:
        return decode(node, depth + 1)
    except Malformed as malformed:
        malformed.path.append(step)
        raise


def _text(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Malformed(f"{text!a}, half of a surrogate pair", "Unicode text", _REWRITE) from None
    return text


def _object(node: dict[str, Any], depth: int) -> Value:
    special = next((key for key in node if key.startswith("#")), None)
    if special is not None:
        if len(node) != 1:
            others = ", ".join(sorted(key for key in node if key != special))
            raise Malformed(f"{special} beside {shown(others)}", f"{special} as the only key", _REWRITE)
        return _special(special, node[special], depth)
    if node.keys() == {"tag", "value"}:
        return _variant(node["tag"], node["value"], depth)
    return Map({_text(key): _inside(f".{key}", element, depth) for key, element in node.items()})


def _special(tag: str, content: Any, depth: int) -> Value:
    if tag == "#bigint":
        return _bigint(content)
    if tag not in ("#tup", "#set", "#map"):
        raise Malformed(f"the unknown tag {shown(tag)}", ALLOWED, "leave out what is not a value (#unserializable)")
    if not isinstance(content, list):
        raise Malformed(f"{shown(content)} as {tag}", f"a list as {tag}", _REWRITE)
    if tag == "#tup":
        return tuple([_inside(f"[{i}]", element, depth) for i, element in enumerate(content)]) or None
    if tag == "#set":
        return _set(content, depth)
    return _map(content, depth)


def _bigint(content: Any) -> int:
    if not isinstance(content, str) or not _BIGINT.fullmatch(content) or len(content) > MAX_DIGITS:
        raise Malformed(f"{shown(content)} as #bigint", f"a string of at most {MAX_DIGITS} decimal digits", _REWRITE)
    return int(content)


def _set(content: list[Any], depth: int) -> frozenset[Value]:
    elements = [_inside(f"[{i}]", element, depth) for i, element in enumerate(content)]
    distinct = frozenset(elements)
    if len(distinct) != len(elements):
        raise Malformed("a set with the same element twice", "each element once", _REWRITE)
    return distinct


def _map(content: list[Any], depth: int) -> Map:
    entries: dict[str | int, Value] = {}
    for i, pair in enumerate(content):
        if not isinstance(pair, list) or len(pair) != 2:
            _malformed_entry(i, shown(pair), "a pair [key, value]")
        key = _inside(f"[{i}][0]", pair[0], depth)
        if not isinstance(key, str | int) or isinstance(key, bool):
            _malformed_entry(i, f"the key {shown(pair[0])}", "a string or a whole number as key")
        if key in entries:
            _malformed_entry(i, f"the key {shown(key)} a second time", "each key once")
        entries[key] = _inside(f"[{key}]", pair[1], depth)
    return Map(entries)


def _malformed_entry(position: int, found: str, allowed: str) -> NoReturn:
    malformed = Malformed(found, allowed, _REWRITE)
    malformed.path.append(f"[{position}]")
    raise malformed


def _variant(tag: Any, content: Any, depth: int) -> Value:
    if tag == "Some":
        return _inside(".value", content, depth)
    if tag == "None" and content in ({"#tup": []}, "U_OF_UNIT", None):
        return None
    raise Malformed(
        f"the variant {shown(tag)} of {shown(content)}",
        'Some of a value, or None of {"#tup": []}',
        "a trace has optional values but no other sum types: use a string or a record",
    )
