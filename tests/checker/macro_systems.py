"""Systems at the macro grain that the tests of several engines share: every kind of step and of argument somewhere."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from spec.evaluate import Evaluator
from spec.grains import coarsened
from spec.load import load_system, shipped
from spec.system import Grain, System
from tests.checker.symbolic_systems import NETWORKS, STORAGES, kitchen_text, of_text

MACROS = """
macro deal(node: Node, colour_: Colour):
    begin(node, colour_=colour_)
    try flush(node)
    touch(node)

macro serve(client: Client, node: Node):
    ask(client, node=node)
    put(node, source=client)
    try flush(node)
    got_done(client, source=node)

macro ring(from_: Node, to_: Node, colour_: Colour):
    begin(from_, colour_=colour_)
    flush(from_)
    ping(to_, source=from_, colour=colour_)

macro receive(node: Node, entry_: Entry):
    retry(node=node)
    put(node, entry=entry_)

macro lost(node: Node):
    drop(Done, source=node)

macro lost_put:
    drop(Put, hops=1)

macro lost_any(node: Node):
    drop(destination=node)

macro copied(node: Node, client: Client):
    duplicate(source=client, destination=node)
    put(node, hops=1)
    put(node, hops=1)

macro torn(node: Node):
    put(node)
    crash(node, keep=1)
    restart(node)

macro spared(node: Node):
    touch(node)
    crash(node, keep=0)

macro again(node: Node):
    crash(node)
    restart(node)
    try flush(node)
    touch(node)

macro shed(node: Node):
    forget(node)

macro turned:
    got_done
    flip
"""


@cache
def kitchen_at_macro_grain(network: str = NETWORKS[0], storage: str = STORAGES[0], bounds: str = "") -> System:
    before, model = kitchen_text(network, storage, bounds).split("\nmodel m:")
    return coarsened(of_text(f"{before}\n{MACROS}\nmodel m:{model}"))


@cache
def raft_at_macro_grain(model: str, mutant: str | None = None) -> System:
    return coarsened(load_system(shipped("raft"), model=model, mutant=mutant))


def micro(system: System) -> Evaluator:
    """The same system at the micro grain."""
    return Evaluator(replace(system, grain=Grain.MICRO))
