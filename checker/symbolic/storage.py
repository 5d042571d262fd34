"""Storage: what the flush, the crash and the restart of a process do, and what a transition leaves to be flushed."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from checker.symbolic.circuit import FALSE, Bit, Circuit
from checker.symbolic.numbers import Number, add, count, less, number
from checker.symbolic.state import PendingRecord, Shape, Slot, SymbolicState
from checker.symbolic.values import Symbolic, choose, constant, equal, is_atom, select
from spec.system import ProcessKind, Storage

Actor = tuple[Bit, ...]
"""For each process, whether it is the one that acts."""


def durable_of(shape: Shape, state: SymbolicState, process: int) -> tuple[Symbolic, ...]:
    """The durable variables in a process's memory: between transitions, its last storage record."""
    return tuple(state.memory[process][position] for position in shape.durable[shape.kinds[process].name])


def has_pending(c: Circuit, state: SymbolicState, process: int) -> Bit:
    return c.some(record.of[process] for record in state.pending)


def sender_acts(c: Circuit, shape: Shape, actor: Actor, slot: Slot) -> Bit:
    names = enumerate(shape.processes)
    return c.some(c.conjunction(actor[i], is_atom(c, slot.message.source, name)) for i, name in names)


def flushed(c: Circuit, shape: Shape, state: SymbolicState, actor: Actor, stamp: int) -> SymbolicState:
    """The state in which the actor's pending records are on its disk and its outbox in the network.

    ``stamp``: the messages of the outbox enter a fifo network from this moment on, in their order.
    """
    disk: list[tuple[Symbolic, ...] | None] = []
    for i, record in enumerate(state.disk):
        if record is None:
            disk.append(None)
        else:
            newest = durable_of(shape, state, i)
            disk.append(tuple(choose(c, actor[i], new, old) for new, old in zip(newest, record, strict=True)))
    slots = []
    for j, slot in enumerate(state.messages):
        leaving = c.conjunction(slot.waiting, sender_acts(c, shape, actor, slot)) if slot.waiting != FALSE else FALSE
        stamped = choose(c, leaving, number(stamp + j), slot.stamp) if shape.fifo else slot.stamp
        slots.append(
            Slot(
                slot.message,
                c.disjunction(slot.in_network, leaving),
                c.conjunction(slot.waiting, leaving ^ 1),
                cast(Number, stamped),
            )
        )
    return replace(state, disk=tuple(disk), pending=without_pending(c, state, actor), messages=tuple(slots))


def without_pending(c: Circuit, state: SymbolicState, actor: Actor) -> tuple[PendingRecord, ...]:
    return tuple(
        replace(r, of=tuple(c.conjunction(of, here ^ 1) for of, here in zip(r.of, actor, strict=True)))
        for r in state.pending
    )


def surviving(
    c: Circuit, shape: Shape, state: SymbolicState, actor: Actor, kind: ProcessKind, keep: Number
) -> tuple[tuple[Symbolic, ...], Bit]:
    """What is on the disk of a process of ``kind`` after its crash with ``keep``, and whether that many are pending."""
    members = [i for i, k in enumerate(shape.kinds) if k is kind]
    disks = [(actor[i], state.disk[i]) for i in members]
    width = len(shape.durable[kind.name])
    result = [select(c, [(here, disk[v]) for here, disk in disks if disk is not None]) for v in range(width)]
    possible = equal(c, keep, number(0))
    rank: Number = number(0)
    for record in state.pending:
        mine = c.some(c.conjunction(actor[i], record.of[i]) for i in members)
        if mine == FALSE:
            continue
        rank = add(c, rank, count(c, [mine]))
        place = rank if record.place is None else number(record.place)
        last_kept = c.conjunction(mine, equal(c, place, keep))
        result = [choose(c, last_kept, new, old) for new, old in zip(record.record, result, strict=True)]
        possible = c.disjunction(possible, last_kept)
    return tuple(result), possible


def after_crash(
    c: Circuit, shape: Shape, actor: Actor, kind: ProcessKind, record: tuple[Symbolic, ...]
) -> list[Symbolic]:
    """The memory of a process of ``kind`` after a crash: the surviving record, volatile variables as at first."""
    members = [i for i, k in enumerate(shape.kinds) if k is kind]
    memory: list[Symbolic] = []
    durable = iter(record)
    for variable in shape.system.variables_of(kind.name):
        if variable.storage is Storage.DURABLE:
            memory.append(next(durable))
        else:
            initial = [(actor[i], constant(v, variable.sort)) for i, v in zip(members, variable.initial, strict=True)]
            memory.append(initial[0][1] if len(set(variable.initial)) == 1 else select(c, initial))
    return memory


def within_pending(c: Circuit, state: SymbolicState, bound: int | None, processes: int) -> Bit:
    if bound is None:
        return 1
    return c.every(less(c, number(bound), count(c, [r.of[i] for r in state.pending])) ^ 1 for i in range(processes))
