"""Systems that the tests of the symbolic engine share: specs as text, each construct somewhere."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from spec.load import load_system, shipped
from spec.system import System


@cache
def of_text(text: str) -> System:
    """The only model of a spec."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.spec"
        path.write_text(text, encoding="utf-8")
        return load_system(path)


@cache
def shipped_system(spec: str, model: str) -> System:
    return load_system(shipped(spec), model=model)


# Two kinds of process that write, wait, crash, and talk to each other in every way there is.
KITCHEN = """
const Node: set
const Client: set
const top: int

type Term = 0..top
enum Colour = Red | Green | Blue
record Entry:
    term: Term
    owner: optional[Client]

message Put:
    entry: Entry
    hops: 0..3
message Done:
    seen: set[Term]
    entries: seq[Entry, 2]
message Ping:
    colour: Colour

network {network}

process Node:
    durable term: Term = 0
    durable log: seq[Entry, 2] = []
    volatile colour: Colour = Red
    volatile seen: set[Term] = {{}}
    volatile counts: map[Client, 0..2] = {{c: 0 for c in Client}}
    volatile last: optional[Entry] = none
    volatile friend: Node = self

    action begin(colour_: Colour):
        require term < top or colour != colour_
        colour := colour_
        term := term + 1
        fsync
        for peer in Node - {{self}}:
            send Ping(colour=colour) to peer
            friend := peer

    action touch:
        require size(seen) < 2
        seen := seen + {{term}}
        for client in Client:
            if term in seen and colour != Blue:
                send Done(seen=seen, entries=log) to client

    on Put m as put:
        require m.hops >= term - 1
        let free = 2 - len(log)
        if m.hops == 3 or free < 0:
            ignore
        log := append(log, m.entry)
        record
        last := m.entry
        term := max(term, m.entry.term)
        counts[m.source] := counts[m.source] + (if m.entry.owner == none then 0 else 1)
        fsync
        reply Done(seen={{e for e in Term if e <= term}}, entries=log[1..min(len(log), m.hops + 1)])

    on Ping m as ping:
        if m.colour == colour:
            keep m
            require last == none
            last := Entry(term=term, owner=none)
        elif m.colour == Green:
            log := log[2..len(log)]
            colour := m.colour
        else:
            counts := {{c: (counts[c] + 1) mod 3 for c in Client}}

    on any m as forget:
        require term == top and last != none
        last := none

    on flush:
        if len(log) == 2:
            colour := Blue
            seen := {{e for e in seen if e != term}}
            if term == 1:
                term := 2
            send Ping(colour=colour) to self
            ghost flushes := min(flushes + size({{n for n in Node if up(n) and len(disk(n).log) > 0}}), 3)

process Client never crashes:
    volatile done: 0..2 = 0
    volatile got: seq[Entry, 2] = []

    action ask(node: Node, hops: 0..3):
        require done < 2 and hops != 2
        send Put(entry=Entry(term=hops div 2, owner=if hops == 0 then none else self), hops=hops) to node

    action retry(node: Node):
        require done < 2
        send Put(entry=Entry(term=1, owner=self), hops=1) to node

    on Done m as got_done:
        got := m.entries
        done := done + size(m.seen)
        turn := not turn
        ghost heard := heard + {{m.source}}

shared turn: bool = false
ghost flushes: 0..3 = 0
ghost heard: set[Node] = {{}}

shared action flip:
    require turn
    turn := false

action invariant terms_grow:
    forall n in Node: old(n.term) <= n.term or label == crash

invariant logs_are_short:
    forall n in Node: len(n.log) <= 1 or n.colour != Green or size(network) < 2

model m:
    Node = {{a, b}}
    Client = {{c}}
    top = 2
    storage = {storage}
{bounds}
"""


NETWORKS = ("bag with loss, duplication", "fifo with loss, duplication", "set")
STORAGES = ("buffered", "atomic")
BOUNDS = (
    "max_in_flight = 3, max_crashes = 2",
    "max_drops = 1, max_duplicates = 1, max_retries = 1, max_copies = 1",
    "max_pending = 1, max_in_flight = 4, max_copies = 2",
    "",
)


def kitchen_text(network: str, storage: str, bounds: str) -> str:
    """Without the bounds that have no meaning for this network and storage."""
    lines = [line.strip() for line in bounds.split(",") if line.strip()]
    if network == "set":
        lines = [line for line in lines if "drops" not in line and "duplicates" not in line]
    if storage == "atomic":
        lines = [line for line in lines if "pending" not in line]
    if "max_crashes" not in bounds:
        lines.append("max_crashes = 1")
    return KITCHEN.format(network=network, storage=storage, bounds="".join(f"    {line}\n" for line in lines))


@cache
def kitchen(network: str = NETWORKS[0], storage: str = STORAGES[0], bounds: str = "") -> System:
    return of_text(kitchen_text(network, storage, bounds))


# A message that waits for a flush is overtaken by one that does not: what a fifo network's order must keep apart.
OVERTAKING = """
const Node: set
const Reader: set
message Note:
    n: 0..3
network {network}
process Node:
    durable n: 0..2 = 0
    action write(reader: Reader):
        require n < 2
        n := n + 1
        fsync
        send Note(n=n) to reader
    action talk(reader: Reader):
        send Note(n=3) to reader
process Reader:
    volatile heard: seq[0..3, 2] = []
    on Note m as note:
        heard := append(heard, m.n)
model m:
    Node = {{a}}
    Reader = {{r}}
    storage = buffered
    max_crashes = 0
    max_in_flight = 4
"""


def overtaking(network: str) -> System:
    return of_text(OVERTAKING.format(network=network))


# A durable variable that goes back: keeps that leave the same disk.
TOGGLING = """
const Node: set
process Node:
    durable on: bool = false
    action toggle:
        on := not on
model m:
    Node = {a}
    storage = buffered
    max_crashes = 1
    max_pending = 3
"""


# Two kinds of process with storage, whose records have fields of different types, and which share what a flush writes.
TWO_STORES = """
const Node: set
const Keeper: set
message Note:
    n: 0..3
network bag
process Node:
    durable n: 0..2 = 0
    durable marked: bool = false
    action write:
        n := n + 1
        marked := not marked
    on flush:
        flushed := flushed + 1
        ghost nodes := min(nodes + 1, 3)
        send Note(n=n) to self
    on Note m as heard:
        ignore
process Keeper:
    durable kept: set[0..2] = {}
    action keep(value: 0..2):
        require value not in kept
        kept := kept + {value}
    on flush:
        flushed := flushed + 2
shared flushed: 0..9 = 0
ghost nodes: 0..3 = 0
model m:
    Node = {a, b}
    Keeper = {k}
    storage = buffered
    max_crashes = 1
    max_pending = 2
    max_in_flight = 2
"""
