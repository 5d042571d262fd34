"""Symmetry: which sets of a system may be permuted, by what the IR says, and the permutations themselves.

Two states are alike if permuting the elements of symmetric sets makes one the other. What is alike has alike
successors and satisfies the same properties, as long as nothing in the system tells elements apart; this module looks
for what does. A start state that does tell them apart is no reason: only what follows from a state matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations, product
from math import factorial, prod

from spec.renaming import Renaming, renamed
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
from spec.system import For, Literal, NetworkKind, Storage, System
from spec.type_loops import order_dependence
from spec.type_walk import descendants

MOST_PERMUTATIONS = 720
"""More than these (six elements) are not tried: where the key leaves all open, each costs a rewritten state."""


@dataclass(frozen=True, slots=True)
class Symmetry:
    """``sets``: those that are permuted. ``refused``: why the other symmetric sets of the system are not."""

    sets: tuple[AtomSort, ...]
    refused: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sets)

    @property
    def permutations(self) -> int:
        return prod(factorial(len(sort.elements)) for sort in self.sets)

    @property
    def elements(self) -> tuple[str, ...]:
        return tuple(element for sort in self.sets for element in sort.elements)

    def renamings(self) -> list[Renaming]:
        """Every permutation. One set's are in lexicographic order, so that a Lehmer code is a permutation's number; the
        first set's count most."""
        choices = [
            [dict(zip(sort.elements, chosen, strict=True)) for chosen in permutations(sort.elements)]
            for sort in self.sets
        ]
        return [{a: b for part in chosen for a, b in part.items()} for chosen in product(*choices)]

    def without(self, reason: str) -> Symmetry:
        """No symmetry after all."""
        names = " and ".join(sort.name for sort in self.sets)
        return Symmetry((), (*self.refused, f"{names} is not permuted: {reason}"))

    def __str__(self) -> str:
        sets = f"up to symmetry of {' and '.join(sort.name for sort in self.sets)}: {self.permutations:,} permutations"
        return "; ".join((*((sets,) if self.sets else ()), *self.refused))


NONE = Symmetry(())


def symmetry_of(system: System) -> Symmetry:
    """The sets that may be permuted: declared symmetric, told apart by nothing, and not too large."""
    found: list[AtomSort] = []
    refused: list[str] = []
    for sort in _declared(system):
        reason = _told_apart(system, sort) or _too_many(sort, found)
        if reason is None:
            found.append(sort)
        else:
            refused.append(f"{sort.name} is not permuted: {reason}")
    return Symmetry(tuple(found), tuple(refused))


def _declared(system: System) -> list[AtomSort]:
    """The symmetric sets that a state can have elements of, largest first (ties by name)."""
    sorts = [kind.sort for kind in system.kinds]
    sorts += [sort for sort in _atoms((system.variables, system.messages)) if not _is_union(sort, system)]
    named = {sort.name: sort for sort in sorts if sort.symmetric and len(sort.elements) > 1}
    return sorted(named.values(), key=lambda sort: (-len(sort.elements), sort.name))


def _atoms(node: object) -> Iterator[AtomSort]:
    for part in descendants(node):
        if isinstance(part, AtomSort):
            yield part


def _is_union(sort: AtomSort, system: System) -> bool:
    """Whether it is the sort of a process of one of several kinds: its elements are permuted within their kinds."""
    kinds = [kind.sort for kind in system.kinds if set(kind.sort.elements) <= set(sort.elements)]
    return len(kinds) > 1 and len(sort.elements) == sum(len(kind.elements) for kind in kinds)


def _too_many(sort: AtomSort, others: list[AtomSort]) -> str | None:
    ways = prod(factorial(len(other.elements)) for other in (*others, sort))
    if ways > MOST_PERMUTATIONS:
        return f"there would be {ways:,} permutations (at most {MOST_PERMUTATIONS})"
    return None


# ------------------------------------------------------------------------------------- what tells elements apart


def _told_apart(system: System, sort: AtomSort) -> str | None:
    """What in the system distinguishes elements of the set; None: nothing."""
    elements = set(sort.elements)
    for other in descendants((system.kinds, system.variables, system.messages)):
        match other:
            case AtomSort(name, shared) if name != sort.name and not _is_union(other, system):
                pass
            case EnumSort(name, shared):
                pass
            case _:
                continue
        if elements & set(shared):
            return f"{name} shares {' and '.join(sorted(elements & set(shared)))} with it"
    parts = (
        *((rule.name, rule.body) for rule in system.rules),
        *((f"on flush of {kind.name}", kind.on_flush) for kind in system.kinds),
        *((p.name, p.expr) for p in (*system.invariants, *system.action_invariants, *system.sometimes)),
        *((f"constraint {p.name}", p.expr) for p in system.constraints),
    )
    swaps = [{a: b, b: a} for a, b in pairwise(sort.elements)]  # these generate every permutation
    for name, body in parts:
        for node in descendants(body):
            if isinstance(node, Literal) and any(renamed(node.sort, node.value, swap) != node.value for swap in swaps):
                return f"{name} names {_named(node.sort, node.value, sort)}"
            if isinstance(node, For) and any(atom.name == sort.name for atom in _atoms(node.domain.sort)):
                fifo = system.network.kind is NetworkKind.FIFO
                if order_dependence(node.name, node.body, fifo=fifo) is not None:
                    return f"the order of a loop's rounds may matter in {name}"
    return _reset_apart(system, swaps)


def _named(sort: Sort, value: Value, wanted: AtomSort) -> str:
    names = [element for element in wanted.elements if element in _elements(sort, value)]
    return " and ".join(names) or f"an order of {wanted.name}"


def _elements(sort: Sort, value: Value) -> set[str]:
    """The elements of sets that occur in a value."""
    match sort:
        case BoolSort() | IntSort() | EnumSort():
            return set()
        case AtomSort():
            return {value}
        case OptionalSort(of):
            return set() if value is None else _elements(of, value)
        case SetSort(of) | SeqSort(of) | MapSort(_, of):
            return set().union(*(_elements(of, element) for element in value))
        case RecordSort(_, fields) | MessageSort(_, _, _, fields):
            return set().union(*(_elements(of, v) for (_, of), v in zip(fields, value, strict=True)))


def _reset_apart(system: System, swaps: Sequence[Renaming]) -> str | None:
    """A crash gives volatile variables their initial values back, and a spec may give each process another."""
    for kind in system.kinds:
        place = {process: i for i, process in enumerate(kind.sort.elements)}
        for variable in system.variables_of(kind.name, Storage.VOLATILE):
            for swap, process in product(swaps, kind.sort.elements):
                there = variable.initial[place[swap.get(process, process)]]
                if there != renamed(variable.sort, variable.initial[place[process]], swap):
                    return f"a crash resets {variable.name} to another value in {process} than in others"
    return None
