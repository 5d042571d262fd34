"""Traces with holes: what was logged of a run, in ITF, where anything but the order of the states may be missing.

A hole is written as what is not there, or as ``null`` (``{"#unserializable": …}`` is read as the same):

=====================================  ==============================================================================
a variable, a process's entry in it,   left out of the state (of ``vars``, too, where no state has it), or ``null``
a field of a record or a message
an element of a sequence or of a set   ``null`` in its place: how many there are is known
a label, or its rule                   no ``mbt::actionTaken``, or ``null``
a choice in a label                    not among the ``mbt::nondetPicks``, or ``null`` as its value
a state                                a state of which nothing is left, ``{}`` or ``null``: one label led to it
labels, and nobody knows how many      ``"gap": n`` in the ``#meta`` of the state that comes next: 0 to n labels, each
                                       with its state, are missing before the label of this one; ``"gap": true``: any
                                       number. In the first state: that many labels led to it
=====================================  ==============================================================================

An absent optional is no hole, and is written as in every trace: ``{"#tup": []}``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traces.errors import UnreadableTrace, shown
from traces.itf import ACTION, INITIAL, MAX_BYTES, PICKS, TOP, Reader
from traces.values import EMPTY, Map

GAP = "gap"
_RULE = "the name of a rule"
_ADVICE = "what is not known is left out, or written as null"


class Missing(str):
    """Stands in a value for a part that is not known. A str, so that it can stand wherever a value can; it is equal to
    nothing but itself."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __hash__(self) -> int:
        return id(self)


@dataclass(frozen=True, slots=True)
class PartialState:
    """What is known of a state and of the label that led to it. ``rule``: ``None`` where it is not known. ``picks``:
    ``process``, the arguments, and ``message``, a flat record. ``gap``: how many labels at most are missing before this
    state's own; ``None``: any number."""

    rule: str | None = None
    picks: Map = EMPTY
    variables: Map = EMPTY
    gap: int | None = 0

    @property
    def fields(self) -> int:
        """How many fields are known, at least in part."""
        return fields(self.variables)


@dataclass(frozen=True, slots=True)
class PartialTrace:
    """What is known of a run; empty names where the file does not say of what. No label belongs to the first state."""

    spec: str
    model: str
    mutant: str | None
    states: tuple[PartialState, ...]


def fields(variables: Map) -> int:
    """The fields of a state, as a log counts them: an entry of a variable that has one for each process or name, and
    any other variable as a whole. Missing ones do not count."""
    found = 0
    for value in variables.values():
        parts = value.values() if isinstance(value, Map) else (value,)
        found += sum(1 for part in parts if not isinstance(part, Missing))
    return found


def read_partial(path: Path | str) -> PartialTrace:
    """Raises UnreadableTrace, and OSError where there is no such file."""
    with Path(path).open("rb") as file:
        return parse_partial(file.read(MAX_BYTES + 1), str(path))


def parse_partial(data: bytes, file: str) -> PartialTrace:
    """``file`` is the name that errors give. Raises UnreadableTrace."""
    return _Reader(file).partial(data)


class _Reader(Reader):
    """A trace's reader that lets things be missing."""

    def wrong(self, state: int | None, field: str, found: str, allowed: str, advice: str = _ADVICE) -> UnreadableTrace:
        return super().wrong(state, field, found, allowed, advice)

    def partial(self, data: bytes) -> PartialTrace:
        top = self.object(self.json(data), None, "")
        for key in top.keys() - TOP:
            raise self.wrong(None, shown(key), "an unknown key", ", ".join(sorted(TOP)))
        meta = self.object(top.get("#meta", {}), None, "#meta")
        self.meta(meta)
        listed = self._listed(top.get("vars"))
        states = top.get("states")
        if not isinstance(states, list) or not states:
            raise self.wrong(None, "states", shown(states), "a list of at least one state; a missing one is null")
        try:
            found = tuple(self._state(number, _marked(state), listed) for number, state in enumerate(states))
        except RecursionError:
            raise self.wrong(None, "states", "values nested without end", "a trace in ITF") from None
        spec = self.fact(meta, "spec") or self.fact(meta, "source") or ""
        return PartialTrace(spec, self.fact(meta, "model") or "", self.fact(meta, "mutant"), found)

    def _listed(self, node: Any) -> frozenset[str] | None:
        if node is None:
            return None
        if not isinstance(node, list) or not all(isinstance(name, str) for name in node):
            raise self.wrong(None, "vars", shown(node), "a list of variable names; it may be left out")
        return frozenset(node)

    def _state(self, number: int, node: Any, listed: frozenset[str] | None) -> PartialState:
        if isinstance(node, Missing):
            return PartialState()
        members = self.object(node, number, "")
        meta = self.object(members.get("#meta", {}), number, "#meta")
        index = self.value(meta.get("index", number), number, "#meta.index")
        if index != number:
            advice = 'a state that is missing is written as null, or counted in the next one\'s "gap"'
            raise self.wrong(number, "#meta.index", shown(index), str(number), advice)
        given = members.keys() - {"#meta", ACTION, PICKS}
        if listed is not None and (extra := sorted(given - listed)):
            allowed = shown(", ".join(sorted(listed)))
            raise self.wrong(number, shown(extra[0]), "a variable that vars does not list", allowed)
        variables = Map({name: self.value(members[name], number, name) for name in sorted(given)})
        rule = self._rule(number, members.get(ACTION))
        picks = self._picks(number, members.get(PICKS))
        if number == 0 and picks:
            raise self.wrong(0, PICKS, shown(dict(picks)), "none: no label leads to the initial state")
        return PartialState(rule, picks, variables, self._gap(number, meta.get(GAP, 0)))

    def _rule(self, number: int, rule: Any) -> str | None:
        if rule is None or isinstance(rule, Missing):
            return None
        if number == 0:
            if rule not in INITIAL:
                raise self.wrong(0, ACTION, shown(rule), f"{INITIAL[0]}: no rule leads to the initial state")
            return None
        if not isinstance(rule, str) or not rule:
            raise self.wrong(number, ACTION, shown(rule), _RULE)
        return rule

    def _picks(self, number: int, node: Any) -> Map:
        if node is None or isinstance(node, Missing):
            return EMPTY
        known = {name: pick for name, pick in self.object(node, number, PICKS).items() if not isinstance(pick, Missing)}
        return Map(dict(self.picks(number, known)))

    def _gap(self, number: int, gap: Any) -> int | None:
        if isinstance(gap, bool):
            return None if gap else 0
        if not isinstance(gap, int) or gap < 0:
            raise self.wrong(number, f"#meta.{GAP}", shown(gap), "how many labels are missing at most, or true")
        return gap


def _marked(node: Any) -> Any:
    """The JSON data with its holes marked; what stands under the tag None is a value."""
    if node is None:
        return Missing("?")
    if isinstance(node, list):
        return [_marked(element) for element in node]
    if isinstance(node, dict):
        if "#unserializable" in node:
            return Missing("?")
        if node.keys() == {"tag", "value"} and node["tag"] == "None":
            return node
        return {key: _marked(value) for key, value in node.items()}
    return node

