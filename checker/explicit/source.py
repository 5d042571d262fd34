"""The IR as Python source: a System's transitions and properties, compiled by Python itself.

``Source.text`` is what was emitted, to be read and stepped through; it computes on the evaluator's own states.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from checker.explicit import source_runtime
from checker.explicit.errors import NotEncodable
from checker.explicit.source_frame import Slots
from checker.explicit.source_macros import SourceMacros
from checker.explicit.source_properties import Properties
from checker.explicit.source_successors import Successors
from checker.explicit.source_text import Text
from checker.explicit.source_transitions import Transitions
from spec.evaluate import EvaluationError
from spec.state import Label, State
from spec.system import System
from spec.values import contains, message_key

Step: TypeAlias = tuple[Label, State]
Fires: TypeAlias = Callable[[State, list[Step], dict[str, int]], None]


@dataclass(frozen=True, slots=True)
class Source:
    """``successors(state, found, cuts)`` appends each step and counts each cut ("rule: bound"); on an EvaluationError,
    whose label it names, what came before is there. The properties by name, in the order of their declaration."""

    text: str
    successors: Fires
    invariants: tuple[tuple[str, Callable[[State], bool]], ...]
    goals: tuple[tuple[str, Callable[[State], bool]], ...]
    action_invariants: tuple[tuple[str, Callable[[State, str, State], bool]], ...]
    macros: SourceMacros | None = None


def source_of(system: System) -> Source:
    """Raises NotEncodable for what Python's compiler refuses: source that is nested too deeply."""
    text, slots = Text(), Slots(system)
    properties = Properties(text, slots)
    invariants = [(p.name, properties.predicate(p)) for p in system.invariants]
    goals = [(p.name, properties.predicate(p)) for p in system.sometimes]
    steps = [(p.name, properties.of_step(p)) for p in system.action_invariants]
    emitted = Successors(Transitions(text, slots, properties))
    emitted.emit()
    names: dict[str, Any] = {
        **{name: getattr(source_runtime, name) for name in _RUNTIME},
        **source_runtime.of_network(system.network.kind),
        **{"place_of": slots.processes, "new": tuple.__new__, "State": State, "Label": Label},
        **{"EvaluationError": EvaluationError, "contains": contains, "message_key": message_key},
        **text.constants,
    }
    written = str(text)
    title = f"<{system.spec}, model {system.model}, as Python source>"
    try:
        exec(compile(written, title, "exec"), names)
    except (SyntaxError, RecursionError, MemoryError) as refusal:
        raise NotEncodable(f"Python does not compile what the spec becomes: {refusal}") from refusal
    linecache.cache[title] = (len(written), None, written.splitlines(keepends=True), title)  # for tracebacks
    macros = None
    successors = names["successors"]
    if emitted.steps:
        macros = SourceMacros(system, {step: names[function] for step, function in emitted.steps.items()})
        successors = _after_macros(macros, successors)
    return Source(
        written,
        successors,
        tuple((name, names[function]) for name, function in invariants),
        tuple((name, names[function]) for name, function in goals),
        tuple((name, names[function]) for name, function in steps),
        macros,
    )


def _after_macros(macros: SourceMacros, alone: Fires) -> Fires:
    """At the macro grain: the macros' labels, then those of what no macro has as a step."""

    def successors(state: State, found: list[Step], cuts: dict[str, int]) -> None:
        macros.successors(state, found, cuts)
        alone(state, found, cuts)

    return successors


_RUNTIME = (
    "no_element",
    "no_slice",
    "no_key",
    "not_of_sort",
    "out_of_range",
    "replaced",
    "messages_in",
    "waiting_in",
)
