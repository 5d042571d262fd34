"""What a replay has to know about one protocol, as data: the replay table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from traces.trace import Label, TraceState
from traces.values import Map, Value

if TYPE_CHECKING:
    from traces.drive import Drive

Step: TypeAlias = "Callable[[Drive, Label], None]"
"""What the target, or the driver in place of a process of its own, does for a label."""


def unchanged(value: Value, process: str) -> Value:
    return value


@dataclass(frozen=True, slots=True)
class Field:
    """A variable of the target's processes.

    ``name``: in the trace, and the key in an observation. ``when``: the field means something on this process in this
    state. ``expected``: the trace's value in the observation's words. ``observed``: drops from an observed (frozen)
    value what the trace does not say; both get the process. ``records``: the values are durable records; in a mutant
    of the spec these may have fewer variables than the target's, and only those are compared.
    """

    name: str
    when: Callable[[TraceState, str], bool]
    expected: Callable[[Value, str], Value] = unchanged
    observed: Callable[[Value, str], Value] = unchanged
    records: bool = False


@dataclass(frozen=True, slots=True)
class Own:
    """Something that the driver keeps, because a process that it plays itself has it, or because it is seen only in
    what the target sends.

    ``expected``: the trace's value, or ``None`` where this trace does not have it. ``kept``: the driver's.
    """

    name: str
    expected: Callable[[TraceState], Value]
    kept: Callable[[Drive], Value]


@dataclass(frozen=True, slots=True)
class Table:
    """``processes``: those that the target runs, from the initial state. ``steps``: rule → what is done for it.
    ``fields``: compared in this order. ``message``: a flat message in the target's words. ``begin``: fills the
    driver's own memory. ``sent``: told of each message that the target sends. ``history``: variables of a trace that
    no implementation has and that nothing is compared with."""

    name: str
    processes: Callable[[TraceState], tuple[str, ...]]
    steps: Mapping[str, Step]
    fields: tuple[Field, ...]
    message: Callable[[Map], Map]
    begin: Callable[[Drive, TraceState], None]
    sent: Callable[[Drive, Map], None]
    own: tuple[Own, ...] = ()
    history: frozenset[str] = field(default=frozenset({"ghosts", "budgets"}))
