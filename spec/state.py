"""A state of a system and a label: what the evaluator computes on, and what every engine must produce.

Both are plain hashable values; two states are the same state iff they are equal. Sources: language.md, Meaning.
"""

from __future__ import annotations

from typing import NamedTuple

from spec.sorts import Value

Message = tuple[Value, ...]
"""``(type name, source, destination, field values…)``, see :mod:`spec.sorts`."""

Bag = frozenset[tuple[Message, int]]
"""Messages with their number of copies, at least 1. A network set is a bag of ones. In a fifo network the copies'
place is taken by the position in the channel (source, destination): 1 is the head."""

DurableRecord = tuple[Value, ...]
"""The values of a process's durable variables, in declaration order."""


class State(NamedTuple):
    """Process by process in the order of ``System.processes``; variables in the order of their declaration.

    ``memory[i]``: the durable and volatile variables of process i (``System.variables_of(kind)``). ``disk[i]``: the
    last flushed record, ``None`` without storage. ``pending[i]``: the records written since, oldest first.
    ``outbox[i]``: messages waiting for a flush, sorted; in a fifo network by destination, then in the order they were
    sent. ``budgets``: how often each budget that the model sets was used, in the order crashes, drops, duplicates,
    retries, leaving out those that are not set (crashes is always set).
    """

    memory: tuple[tuple[Value, ...], ...]
    disk: tuple[DurableRecord | None, ...]
    pending: tuple[tuple[DurableRecord, ...], ...]
    outbox: tuple[tuple[Message, ...], ...]
    up: tuple[bool, ...]
    shared: tuple[Value, ...]
    ghosts: tuple[Value, ...]
    network: Bag
    budgets: tuple[int, ...]

    def without_history(self) -> State:
        """The state as crash states compare it: no ghosts, no budgets."""
        return self._replace(ghosts=(), budgets=())


class Label(NamedTuple):
    """``rule``: a rule's name, or flush, crash, restart, drop, duplicate. ``process``: who acts (``None`` outside any
    process, and for drop and duplicate). ``arguments``: the rule's parameter values in order; ``(keep,)`` for crash
    under buffered storage, ``()`` under atomic. ``message``: what a handler receives, or is dropped or duplicated."""

    rule: str
    process: str | None = None
    arguments: tuple[Value, ...] = ()
    message: Message | None = None
