"""A system in which elements of symmetric sets stand in every shape of value and in every place, and random states."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

from spec.network import waiting
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
    domain,
)
from spec.state import Bag, Message, State
from spec.system import NetworkKind, Storage, StorageMode, System
from tests.checker.symbolic_systems import of_text

ZOO = """
const Node:   set symmetric
const Value:  set symmetric
const Client: set

record Pair:
    node:  Node
    value: Value

message Note:
    value: Value
    seen:  set[Node]
    chain: seq[Node, 2]
message Bell:
    count: 0..3

network {network}

process Node:
    durable  vote:    optional[Node] = none
    durable  owner:   Node = self
    durable  log:     seq[Pair, 2] = []
    volatile votes:   set[Node] = {{}}
    volatile next:    map[Node, 0..3] = {{n: 0 for n in Node}}
    volatile friends: map[Node, set[Value]] = {{n: {{}} for n in Node}}
    volatile pairs:   set[Pair] = {{}}
    volatile latest:  map[0..1, optional[Value]] = {{t: none for t in 0..1}}

    action choose(value: Value):
        require vote == none
        vote := self
        log := append(log, Pair(node=self, value=value))
        fsync
        for peer in Node - {{self}}:
            send Note(value=value, seen={{self}}, chain=[self]) to peer
        ghost firsts[0] := firsts[0] + {{self}}

    on Note m:
        if m.source in Client or not (self in m.seen):
            votes := votes + m.seen
            pairs := pairs + {{Pair(node=p, value=m.value) for p in m.seen}}
            latest[len(m.chain) mod 2] := m.value
            friends[self] := friends[self] + {{m.value}}
            token := self
            for client in Client:
                send Bell(count=size(votes)) to client
        ghost heard := heard + {{m.value}}

    on flush:
        next[self] := min(next[self] + 1, 3)

process Client never crashes:
    volatile asked: set[Node] = {{}}
    volatile last:  optional[Pair] = none

    action ask(node: Node, value: Value):
        require asked == {{}}
        asked := {{node}}
        last := Pair(node=node, value=value)
        send Note(value=value, seen={{}}, chain=[]) to node

    on Bell m:
        asked := asked + {{m.source}}

shared token: optional[Node] = none
ghost firsts: map[0..1, set[Node]] = {{t: {{}} for t in 0..1}}
ghost heard: set[Value] = {{}}
ghost holders: map[Value, set[Node]] = {{v: {{}} for v in Value}}

model m:
    Node = {{a, b, c}}
    Value = {{v, w}}
    Client = {{k}}
    storage = {storage}
    max_in_flight = 3
    max_pending = 2
    max_crashes = 1
"""


@cache
def zoo(network: str = "bag", storage: str = "buffered") -> System:
    return of_text(ZOO.format(network=network, storage=storage))


class Chance:
    """Random states of a system that need not be reachable, well-typed and within its bounds."""

    def __init__(self, system: System, seed: int) -> None:
        self.system, self.random = system, random.Random(seed)

    def states(self, count: int) -> Iterator[State]:
        for _ in range(count):
            yield self.state()

    def state(self) -> State:
        system = self.system
        memory, disk, pending = [], [], []
        for kind in system.kinds:
            durable = system.variables_of(kind.name, Storage.DURABLE)
            most = (system.bounds.pending or 0) if system.storage is StorageMode.BUFFERED else 0
            for _ in kind.sort.elements:
                memory.append(tuple(self.value(v.sort) for v in system.variables_of(kind.name)))
                records = [tuple(self.value(v.sort) for v in durable) for _ in range(1 + self.random.randint(0, most))]
                disk.append(records[0] if kind.has_storage else None)
                pending.append(tuple(records[1:]) if kind.has_storage else ())
        messages = [self.message() for _ in range(self.random.randint(0, system.bounds.in_flight or 0))]
        held: list[list[Message]] = [[] for _ in system.processes]
        sent: list[Message] = []
        for message in messages:
            at = system.processes.index(message[1])
            (held[at] if pending[at] and self.random.random() < 0.5 else sent).append(message)
        return State(
            memory=tuple(memory),
            disk=tuple(disk),
            pending=tuple(pending),
            outbox=tuple(waiting(system.network.kind, (), outbox) for outbox in held),
            up=tuple(self.random.random() < 0.7 for _ in system.processes),
            shared=tuple(self.value(v.sort) for v in system.variables_of(None, Storage.SHARED)),
            ghosts=tuple(self.value(v.sort) for v in system.variables_of(None, Storage.GHOST)),
            network=self._network(sent),
            budgets=(self.random.randint(0, system.bounds.crashes),),
        )

    def _network(self, sent: list[Message]) -> Bag:
        match self.system.network.kind:
            case NetworkKind.BAG:
                return frozenset((message, sent.count(message)) for message in sent)
            case NetworkKind.SET:
                return frozenset((message, 1) for message in sent)
            case NetworkKind.FIFO:
                places = [sum(m[1:3] == message[1:3] for m in sent[: i + 1]) for i, message in enumerate(sent)]
                return frozenset(zip(sent, places, strict=True))

    def message(self) -> Message:
        message: Message = self.value(self.random.choice(self.system.messages))
        return message

    def value(self, sort: Sort) -> Value:
        chance = self.random
        match sort:
            case BoolSort() | IntSort() | EnumSort() | AtomSort():
                return chance.choice(domain(sort))
            case OptionalSort(of):
                return None if chance.random() < 0.4 else self.value(of)
            case SetSort(of):
                return frozenset(v for v in domain(of) if chance.random() < 0.4)
            case SeqSort(of, capacity):
                return tuple(self.value(of) for _ in range(chance.randint(0, capacity or 0)))
            case MapSort(key, of):
                return tuple(self.value(of) for _ in domain(key))
            case RecordSort(_, fields):
                return tuple(self.value(of) for _, of in fields)
            case MessageSort(name, source, destination, fields):
                return (name, *(self.value(of) for of in (source, destination, *(of for _, of in fields))))
