"""The words of one protocol, for renderers that know none: hooks with plain defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from traces.trace import ENVELOPE, TraceState
from traces.values import Map, Value


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth saying that a step did to a process. ``is_note``: it stands beside the line of events."""

    process: str
    text: str
    is_note: bool = False


def _no_word(value: Value) -> str | None:
    return None


def _with_fields(message: Map) -> str:
    fields = ", ".join(f"{k}={v}" for k, v in message.items() if k not in ENVELOPE)
    return f"{message['type']}({fields})" if fields else str(message["type"])


def _no_events(before: TraceState, after: TraceState) -> tuple[Event, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Wording:
    """``value``: a short form of a value, ``None`` for the general one. ``message``: a flat message on an arrow.
    ``events``: what the step to the second state did. ``replies``: types of messages that answer another.
    ``sends_speak``: a step that sends needs no line of its own in a diagram, for its message is drawn on arrival."""

    value: Callable[[Value], str | None] = _no_word
    message: Callable[[Map], str] = _with_fields
    events: Callable[[TraceState, TraceState], tuple[Event, ...]] = _no_events
    replies: frozenset[str] = frozenset()
    sends_speak: bool = False


PLAIN = Wording()
