"""A trace as text: each step numbered, its label in one line, under it only what changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from traces.render.changes import changes, of_processes
from traces.render.labels import label_text, value_text
from traces.render.wording import PLAIN, Wording
from traces.trace import Trace, TraceState
from traces.values import Map

if TYPE_CHECKING:
    from rich.text import Text

CRASH = "✗"


@dataclass(frozen=True, slots=True)
class Line:
    """``style``: a rich style, for those who want colour."""

    text: str
    style: str = ""


def render_text(trace: Trace, wording: Wording = PLAIN) -> str:
    """The whole trace, without colour."""
    return "".join(f"{line.text}\n" for line in lines(trace, wording))


def render_rich(trace: Trace, wording: Wording = PLAIN) -> Text:
    """The whole trace in colour, for a rich console."""
    from rich.text import Text  # only where colour is asked for: importing it takes longer than drawing the trace

    text = Text()
    for line in lines(trace, wording):
        text.append(line.text + "\n", line.style or None)
    return text


def lines(trace: Trace, wording: Wording = PLAIN) -> Iterator[Line]:
    """Line by line."""
    number_width = len(str(len(trace.states) - 1)) + 2
    processes = trace.processes
    under = f"{trace.spec}, model {trace.model}" + (f", mutant {trace.mutant}" if trace.mutant else "")
    yield Line(f"{under}: {len(trace.states) - 1} steps", "bold")
    yield Line(f"{0:>{number_width}}  {label_text(None)}")
    yield from _table(list(_initial(trace.states[0], processes, wording)), number_width)
    for number, (before, after) in enumerate(zip(trace.states, trace.states[1:], strict=False), start=1):
        yield _headline(number, number_width, before, after, wording)
        yield from _table(list(changes(before, after, processes, wording)), number_width)
        yield from _remarks(after, number_width, wording)
    if trace.loop is not None:
        yield Line(f"{'↺':>{number_width}}  and again from state {trace.loop}", "yellow")
    yield from _verdict(trace, wording)


def _headline(number: int, width: int, before: TraceState, after: TraceState, wording: Wording) -> Line:
    crash = after.label is not None and after.label.rule == "crash"
    marks = f"  {CRASH}" if crash else ""
    said = "; ".join(event.text for event in wording.events(before, after))
    events = f"  · {said}" if said else ""
    style = "bold red" if crash else "bold"
    return Line(f"{number:>{width}}  {label_text(after.label, wording)}{marks}{events}", style)


def _initial(state: TraceState, processes: tuple[str, ...], wording: Wording) -> Iterator[tuple[str, str]]:
    """Processes with the same value share a line."""
    for name, value in state.variables.items():
        if not isinstance(value, Map):
            yield str(name), value_text(value, wording)
            continue
        if not of_processes(value, processes):
            for key in value:
                yield f"{name}.{value_text(key)}", value_text(value[key], wording)
            continue
        alike: dict[str, list[str]] = {}
        for process in value:
            alike.setdefault(value_text(value[process], wording), []).append(str(process))
        for text, owners in alike.items():
            yield f"{','.join(owners)}.{name}", text


def _table(rows: list[tuple[str, str]], indent: int) -> Iterator[Line]:
    width = max((len(path) for path, _ in rows), default=0)
    for path, text in rows:
        yield Line(f"{'':>{indent}}    {path:<{width}}  {text}", "dim")


def _remarks(state: TraceState, indent: int, wording: Wording) -> Iterator[Line]:
    for name, value in state.meta.items():
        yield Line(f"{'':>{indent}}    ({name}: {value_text(value, wording)})", "italic")


def _verdict(trace: Trace, wording: Wording) -> Iterator[Line]:
    broken, problem, command = (trace.meta.get(key) for key in ("property", "problem", "command"))
    if broken is not None:
        yield Line(f"violated: {value_text(broken, wording)}", "bold red")
    if problem is not None:
        yield Line(value_text(problem, wording), "red")
    if command is not None:
        yield Line(f"reproduce: {value_text(command, wording)}")
