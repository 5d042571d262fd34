"""A trace as a Mermaid sequence diagram, in the manner of hand-drawn ones: an arrow where a message arrives, one with a
cross where it is lost, and notes for what happens inside a process."""

from __future__ import annotations

from collections.abc import Iterator

from traces.render.labels import label_text, value_text
from traces.render.wording import PLAIN, Event, Wording
from traces.trace import Label, Trace, TraceState
from traces.values import Map, Value


def render_mermaid(trace: Trace, wording: Wording = PLAIN) -> str:
    """The text of the diagram, without a fence."""
    lines = ["sequenceDiagram"]
    lines += [_participant(process) for process in _participants(trace)]
    for before, after in zip(trace.states, trace.states[1:], strict=False):
        assert after.label is not None
        lines += _step(before, after, after.label, wording)
    lines += _ending(trace)
    return "\n    ".join(lines) + "\n"


def _participants(trace: Trace) -> tuple[str, ...]:
    """Those without storage, such as clients, first: requests then go from left to right."""
    disk = trace.states[0].variables.get("disk")
    stored = [process for process in trace.processes if isinstance(disk, Map) and disk.get(process) is not None]
    return (*(process for process in trace.processes if process not in stored), *stored)


def _participant(process: str) -> str:
    name = _name(process)
    return f"participant {name}" if name == process else f"participant {name} as {_escaped(process)}"


def _step(before: TraceState, after: TraceState, label: Label, wording: Wording) -> Iterator[str]:
    events = wording.events(before, after)
    if label.message is not None:
        yield _arrow(label, label.message.flat, wording)
    elif label.process is None:
        yield f"Note right of {_name(_somebody(after))}: {_escaped(label_text(label, wording))}"
    else:
        yield from _inside(before, after, label, label.process, bool(events), wording)
    for event in events:
        yield _event(event)


def _arrow(label: Label, message: Map, wording: Wording) -> str:
    source, destination = _name(str(message["source"])), _name(str(message["destination"]))
    text = _escaped(wording.message(message))
    if label.rule == "drop":
        return f"{source}-x{destination}: {text} (lost)"
    if label.rule == "duplicate":
        over = source if source == destination else f"{source},{destination}"
        return f"Note over {over}: {text} (duplicated)"
    return f"{source}{'-->>' if message['type'] in wording.replies else '->>'}{destination}: {text}"


def _inside(
    before: TraceState, after: TraceState, label: Label, process: str, told: bool, wording: Wording
) -> Iterator[str]:
    """A step without a message that arrives. ``told``: events tell it."""
    me = _name(process)
    match label.rule:
        case "crash":
            written = _of(before, "pending", process)
            total = len(written) if isinstance(written, tuple) else 0
            kept = dict(label.arguments).get("keep")
            lost = f" ({value_text(kept)} of {total} unflushed records survive)" if total else ""
            yield f"Note over {me}: Crashes here ✗{lost}"
        case "restart":
            yield f"{me}->>{me}: Comes back"
        case "flush":
            yield f"{me}->>{me}: Flushes its WAL (fsync)"
        case _ if not told and not (wording.sends_speak and _sends(before, after)):
            yield f"{me}->>{me}: {_escaped(label_text(label, wording))}"


def _event(event: Event) -> str:
    me = _name(event.process)
    return f"Note over {me}: {_escaped(event.text)}" if event.is_note else f"{me}->>{me}: {_escaped(event.text)}"


def _ending(trace: Trace) -> Iterator[str]:
    everyone = [_name(process) for process in _participants(trace)]
    if not everyone:
        return
    over = everyone[0] if len(everyone) == 1 else f"{everyone[0]},{everyone[-1]}"
    network = trace.states[-1].variables.get("network")
    if isinstance(network, tuple) and network:
        yield f"Note over {over}: {len(network)} message{'s' if len(network) > 1 else ''} still on the way"
    broken = trace.meta.get("property")
    if broken is not None:
        yield f"Note over {over}: violated: {_escaped(value_text(broken))}"


def _sends(before: TraceState, after: TraceState) -> bool:
    return any(before.variables.get(where) != after.variables.get(where) for where in ("network", "outbox"))


def _of(state: TraceState, variable: str, process: str) -> Value:
    values = state.variables.get(variable)
    return values.get(process) if isinstance(values, Map) else None


def _somebody(state: TraceState) -> str:
    up = state.variables.get("up")
    return str(next(iter(up))) if isinstance(up, Map) and up else "system"


def _name(process: str) -> str:
    """An identifier for Mermaid, which takes words such as "end" for its own, but none that ends in a digit."""
    if process.isascii() and process.isalnum() and process[-1].isdigit():
        return process
    return "p_" + "".join(character if character.isalnum() else f"_{ord(character)}_" for character in process)


def _escaped(text: str) -> str:
    """Text that Mermaid does not take for its own syntax: ; ends a statement, # starts an entity."""
    return text.translate({ord("#"): "#35;", ord(";"): "#59;", ord("\n"): " ", ord("\r"): " "})
