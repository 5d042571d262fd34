"""A state and a label with the elements of symmetric sets permuted: what symmetry means, spelled out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product

from spec.network import waiting
from spec.renaming import Renaming, renamed
from spec.sorts import Value
from spec.state import Label, Message, State
from spec.system import Storage, System


def renamings(system: System) -> Iterator[Renaming]:
    """Every permutation of every symmetric set that a process kind or a message's field is made of."""
    sorts = {kind.sort for kind in system.kinds if kind.sort.symmetric}
    choices = [
        [dict(zip(sort.elements, chosen, strict=True)) for chosen in permutations(sort.elements)]
        for sort in sorted(sorts, key=lambda sort: sort.name)
    ]
    for chosen in product(*choices):
        yield {before: after for part in chosen for before, after in part.items()}


def message(system: System, of: Message, names: Renaming) -> Message:
    sort = next(m for m in system.messages if m.name == of[0])
    after: Message = renamed(sort, of, names)
    return after


def label(system: System, of: Label, names: Renaming) -> Label:
    rule = next((rule for rule in system.rules if rule.name == of.rule), None)
    arguments = of.arguments
    if rule is not None:
        arguments = tuple(renamed(p.sort, v, names) for p, v in zip(rule.parameters, arguments, strict=True))
    process = None if of.process is None else names.get(of.process, of.process)
    return Label(of.rule, process, arguments, None if of.message is None else message(system, of.message, names))


def state(system: System, of: State, names: Renaming) -> State:
    came_from = {names.get(process, process): i for i, process in enumerate(system.processes)}
    order = [came_from[process] for process in system.processes]

    def values(storages: tuple[Storage, ...], process: str | None, of: tuple[Value, ...]) -> tuple[Value, ...]:
        kind = None if process is None else system.kind_of(process).name
        variables = system.variables_of(kind, *storages)
        return tuple(renamed(v.sort, x, names) for v, x in zip(variables, of, strict=True))

    def stored(process: str, of: tuple[Value, ...]) -> tuple[Value, ...]:
        return values((Storage.DURABLE,), process, of)

    processes = [system.processes[i] for i in order]
    disks = [of.disk[i] for i in order]
    return State(
        memory=tuple(values((), p, of.memory[i]) for p, i in zip(processes, order, strict=True)),
        disk=tuple(None if disk is None else stored(p, disk) for p, disk in zip(processes, disks, strict=True)),
        pending=tuple(tuple(stored(p, r) for r in of.pending[i]) for p, i in zip(processes, order, strict=True)),
        outbox=tuple(
            waiting(system.network.kind, (), [message(system, m, names) for m in of.outbox[i]]) for i in order
        ),
        up=tuple(of.up[i] for i in order),
        shared=values((Storage.SHARED,), None, of.shared),
        ghosts=values((Storage.GHOST,), None, of.ghosts),
        network=frozenset((message(system, m, names), copies) for m, copies in of.network),
        budgets=of.budgets,
    )
