"""Values, messages and labels in one line each: ``append_entries(s1 → s2, term=1, entries=[1:c1#1])``."""

from __future__ import annotations

from collections.abc import Iterable

from traces.render.wording import PLAIN, Wording
from traces.trace import ENVELOPE, Label
from traces.values import Map, Value, order


def label_text(label: Label | None, wording: Wording = PLAIN) -> str:
    """``timeout(s1)``, ``crash(s1, keep=1)``, ``drop(RequestVote s1 → s2, term=1)``."""
    if label is None:
        return "the initial state"
    parts = [] if label.process is None else [_word(label.process)]
    if label.message is not None:
        arrow = f"{_word(label.message.source)} → {_word(label.message.destination)}"
        # A handler is named after its message and runs at the destination; elsewhere the type has to be said.
        parts = [arrow] if label.process == label.message.destination else [f"{_word(label.message.type)} {arrow}"]
    parts += _pairs(label.arguments, wording)
    if label.message is not None:
        parts += _pairs(((str(key), value) for key, value in label.message.fields.items()), wording)
    return f"{_word(label.rule)}({', '.join(parts)})"


def message_text(message: Map, wording: Wording = PLAIN) -> str:
    """``RequestVote(s1 → s2, term=1)``, of a flat message."""
    fields = ((str(key), value) for key, value in message.items() if key not in ENVELOPE)
    source, destination = value_text(message["source"]), value_text(message["destination"])
    parts = [f"{source} → {destination}", *_pairs(fields, wording)]
    return f"{value_text(message['type'])}({', '.join(parts)})"


def value_text(value: Value, wording: Wording = PLAIN) -> str:
    """A sequence in [ ], a set in { }, a map or record in {key: value}; none for an absent value."""
    word = wording.value(value)
    if word is not None:
        return word
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return _word(value)
        case tuple():
            return f"[{', '.join(value_text(element, wording) for element in value)}]"
        case frozenset():
            return f"{{{', '.join(value_text(element, wording) for element in sorted(value, key=order))}}}"
        case Map() if value.keys() >= set(ENVELOPE):
            return message_text(value, wording)
        case Map() if value.keys() == {"message", "copies"} and isinstance(value["message"], Map):
            copies = "" if value["copies"] == 1 else f" × {value['copies']}"
            return value_text(value["message"], wording) + copies
        case Map():
            return f"{{{', '.join(f'{value_text(key)}: {value_text(value[key], wording)}' for key in value)}}}"


def _word(text: str) -> str:
    """Quoted where a terminal would not show it as it is: a trace file may come from anywhere."""
    return text if text.isprintable() and text else repr(text)


def _pairs(pairs: Iterable[tuple[str, Value]], wording: Wording) -> list[str]:
    return [f"{name}={value_text(value, wording)}" for name, value in pairs]
