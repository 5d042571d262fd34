"""Random states of a system: those of random walks, and any that the invariants of the semantics allow.

What language.md says holds of every state is kept: a process that is down has nothing pending or waiting and the memory
that it will restart with; what is in memory is what was written last; only who has pending records has messages
waiting; the model's bounds hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from spec.evaluate import Evaluator
from spec.network import copies, size, waiting
from spec.sorts import (
    AtomSort,
    BoolSort,
    EnumSort,
    IntSort,
    MapSort,
    MessageSort,
    OptionalSort,
    RecordSort,
    SeqSort,
    SetSort,
    Sort,
    Value,
)
from spec.state import Bag, Message, State
from spec.system import NetworkKind, Storage, StorageMode, System
from spec.values import SpecRuntimeError, cached_domain, order_key

MOST = 4
"""So many messages, copies and pending records where the model sets no bound."""


def random_states(evaluator: Evaluator, chance: Random, count: int) -> Iterator[State]:
    """Half of them reached, half made up."""
    state = evaluator.initial_states()[0]
    for i in range(count):
        if i % 2:
            yield made_up(evaluator.system, chance)
        else:
            yield state
            state = _further(evaluator, state, chance)


def _further(evaluator: Evaluator, state: State, chance: Random) -> State:
    """A successor; back at the beginning where there is none, and now and then."""
    labels = list(evaluator.candidates(state))
    rules = sorted({label.rule for label in labels})
    for rule in chance.sample(rules, len(rules)) if chance.random() < 0.95 else ():
        for label in chance.sample(labels, len(labels)):
            if label.rule == rule:
                try:
                    return evaluator.successor(state, label)
                except SpecRuntimeError:
                    continue
    return evaluator.initial_states()[0]


def random_value(sort: Sort, chance: Random) -> Value:
    match sort:
        case BoolSort():
            return chance.random() < 0.5
        case IntSort(int() as low, int() as high):
            return chance.randint(low, high)
        case EnumSort(_, elements) | AtomSort(_, elements):
            return chance.choice(elements)
        case OptionalSort(of):
            return None if chance.random() < 0.4 else random_value(of, chance)
        case SetSort(of):
            density = chance.random()
            return frozenset(value for value in cached_domain(of) if chance.random() < density)
        case SeqSort(of, int() as capacity):
            return tuple(random_value(of, chance) for _ in range(chance.randint(0, capacity)))
        case MapSort(key, of):
            return tuple(random_value(of, chance) for _ in cached_domain(key))
        case RecordSort(_, fields):
            return tuple(random_value(of, chance) for _, of in fields)
    raise AssertionError(f"no value of {sort} is stored")


def made_up(system: System, chance: Random) -> State:
    memory, disk, pending, up = [], [], [], []
    can_crash = system.bounds.crashes > 0
    for process in system.processes:
        kind = system.kind_of(process)
        position = kind.sort.elements.index(process)
        variables = system.variables_of(kind.name)
        up.append(not (kind.crashes and can_crash and chance.random() < 0.25))
        records = _records(system, kind.name, chance) if kind.has_storage else []
        if kind.has_storage and (not up[-1] or system.storage is StorageMode.ATOMIC):
            records = records[:1]
        newest = iter(records[-1]) if records else iter(())
        memory.append(
            tuple(
                next(newest)
                if v.storage is Storage.DURABLE
                else (random_value(v.sort, chance) if up[-1] else v.initial[position])
                for v in variables
            )
        )
        disk.append(records[0] if records else None)
        pending.append(tuple(records[1:]))
    network, outbox = _messages(system, [bool(records) for records in pending], chance)
    bounds = system.bounds
    limits = [bounds.crashes, bounds.drops, bounds.duplicates, bounds.retries]
    return State(
        memory=tuple(memory),
        disk=tuple(disk),
        pending=tuple(pending),
        outbox=outbox,
        up=tuple(up),
        shared=tuple(random_value(v.sort, chance) for v in system.variables_of(None, Storage.SHARED)),
        ghosts=tuple(random_value(v.sort, chance) for v in system.variables_of(None, Storage.GHOST)),
        network=network,
        budgets=tuple(chance.randint(0, limit) for limit in limits if limit is not None),
    )


def _records(system: System, kind: str, chance: Random) -> list[tuple[Value, ...]]:
    """What is on disk and the pending records: no two neighbours are the same."""
    most = MOST if system.bounds.pending is None else system.bounds.pending
    durable = system.variables_of(kind, Storage.DURABLE)
    records: list[tuple[Value, ...]] = []
    for _ in range(1 + (chance.randint(0, most) if chance.random() < 0.7 else 0)):
        record = tuple(random_value(v.sort, chance) for v in durable)
        if not records or record != records[-1]:
            records.append(record)
    return records


def _message(sort: MessageSort, chance: Random, source: str | None = None) -> Message:
    start = chance.choice(sort.source.elements) if source is None else source
    fields = (random_value(of, chance) for _, of in sort.fields)
    return (sort.name, start, chance.choice(sort.destination.elements), *fields)


def _messages(system: System, pending: list[bool], chance: Random) -> tuple[Bag, tuple[tuple[Message, ...], ...]]:
    """The network and the outboxes, within the bounds on messages in flight and on copies."""
    kind, bounds = system.network.kind, system.bounds
    network: Bag = frozenset()
    outboxes: list[tuple[Message, ...]] = [()] * len(pending)
    for _ in range(chance.randint(0, MOST if bounds.in_flight is None else bounds.in_flight)):
        message = _message(chance.choice(system.messages), chance)
        if network and chance.random() < 0.3:
            message = chance.choice(sorted(network, key=order_key))[0]
        index = system.processes.index(message[1])
        if pending[index] and chance.random() < 0.5:
            before, outboxes[index] = outboxes[index], waiting(kind, outboxes[index], (message,))
            if not _bounded(system, network, outboxes):
                outboxes[index] = before
            continue
        more = _with(kind, network, message)
        if _bounded(system, more, outboxes):
            network = more
    return network, tuple(outboxes)


def _with(kind: NetworkKind, network: Bag, message: Message) -> Bag:
    match kind:
        case NetworkKind.BAG:
            counts = dict(network)
            return frozenset({**counts, message: counts.get(message, 0) + 1}.items())
        case NetworkKind.SET:
            return network | {(message, 1)}
        case NetworkKind.FIFO:
            return network | {(message, 1 + sum(1 for other, _ in network if other[1:3] == message[1:3]))}


def _bounded(system: System, network: Bag, outboxes: list[tuple[Message, ...]]) -> bool:
    kind, bounds = system.network.kind, system.bounds
    waits = [message for outbox in outboxes for message in outbox]
    in_flight = bounds.in_flight is None or size(kind, network) + len(waits) <= bounds.in_flight
    most = MOST if bounds.copies is None else bounds.copies
    return in_flight and copies(kind, network, waits) <= most
