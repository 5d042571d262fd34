"""How many there are up to symmetry and up to commuting, and which one stands for the others.

Two crash states, or two interleavings, are alike if permuting the elements of symmetric sets makes one the other; two
interleavings from one state are one up to commuting if exchanging independent neighbours does. Counted are classes of
what was enumerated: a permutation may also lead to what was not.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import Any

from checker.enumeration import Interleaving
from checker.explicit.canonical import CanonicalStates
from checker.explicit.symmetry import Symmetry, symmetry_of
from spec.commuting import Commuting
from spec.counting import CrashState
from spec.independence import Independence
from spec.renaming import Renaming, renamed
from spec.state import DurableRecord, Label, State
from spec.system import Storage, System
from spec.values import order_key


class UpTo(Enum):
    """What two interleavings may differ in that are counted as one."""

    COMMUTING = "commuting"
    SYMMETRY = "symmetry"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many crash states and interleavings there are, and how many classes of them. ``symmetry``: what was
    permuted, and why the rest was not."""

    crash_states: int
    interleavings: int
    symmetry: Symmetry
    crash_orbits: int
    classes: dict[UpTo, int]


class Reduction:
    """The classes of one system's crash states and interleavings."""

    def __init__(self, system: System) -> None:
        self.commuting = Commuting(Independence(system))
        self.alike = Alike(system, symmetry_of(system))

    def counts(self, interleavings: Iterable[Interleaving], crashes: Iterable[CrashState]) -> Counts:
        found, states = list(interleavings), set(crashes)
        return Counts(
            len(states),
            len({interleaving.key for interleaving in found}),
            self.alike.symmetry,
            len({self.alike.of_crash(crash) for crash in states}),
            {up_to: len({self.class_of(interleaving, up_to) for interleaving in found}) for up_to in UpTo},
        )

    def representatives(self, interleavings: Iterable[Interleaving], up_to: UpTo) -> list[Interleaving]:
        """One of each class: the least that was enumerated."""
        least: dict[Hashable, tuple[Any, Interleaving]] = {}
        for found in interleavings:
            key, order = self.class_of(found, up_to), self._order(found.labels)
            if key not in least or order < least[key][0]:
                least[key] = (order, found)
        return [found for _, found in least.values()]

    def class_of(self, found: Interleaving, up_to: UpTo) -> Hashable:
        """The same for all interleavings of a class, and for no others."""
        if up_to is UpTo.COMMUTING:
            return found.start, self.commuting.least(found.labels)
        state, runs = self.alike.of_run(found.start, found.labels)
        if up_to is UpTo.BOTH:
            runs = [self.commuting.least(run) for run in runs]
        return state, min(runs, key=self._order)

    def _order(self, labels: tuple[Label, ...]) -> list[Any]:
        return [self.commuting.order(label) for label in labels]


class Alike:
    """What permuting symmetric sets makes of states with labels, of one system."""

    def __init__(self, system: System, symmetry: Symmetry) -> None:
        self.system, self.symmetry = system, symmetry
        self._messages = {message.name: message for message in system.messages}
        self._rules = {rule.name: rule for rule in system.rules}
        self._states = CanonicalStates(system, symmetry)
        bare = replace(system, variables=tuple(v for v in system.variables if v.storage is not Storage.GHOST))
        self._bare = CanonicalStates(bare, symmetry)
        self.renamings_of = cache(self._states.least)
        self.renamings_of_bare = cache(self._bare.least)
        self._labels: dict[tuple[Label, tuple[str, ...]], Label] = {}

    def of_run(self, start: State, labels: tuple[Label, ...]) -> tuple[State, list[tuple[Label, ...]]]:
        """The state that stands for the start, and the runs from there that this one becomes."""
        state, ways = self.renamings_of(start)
        return state, [tuple(self._label(label, to) for label in labels) for to in ways]

    def of_crash(self, crash: CrashState) -> Hashable:
        """The same for all crash states that are alike, and for no others."""
        state, ways = self.renamings_of_bare(crash.before)
        images = []
        for to in ways:
            names = self._names(to)
            surviving = self._record(crash, names)
            images.append((names.get(crash.process, crash.process), surviving, crash.keep))
        return state, min(images, key=order_key)

    def _record(self, crash: CrashState, names: Renaming) -> DurableRecord:
        sorts = [v.sort for v in self.system.variables_of(self.system.kind_of(crash.process).name, Storage.DURABLE)]
        return tuple(renamed(sort, value, names) for sort, value in zip(sorts, crash.surviving, strict=True))

    def _label(self, label: Label, to: tuple[str, ...]) -> Label:
        if (label, to) not in self._labels:
            self._labels[label, to] = self._permuted(label, self._names(to))
        return self._labels[label, to]

    def _permuted(self, label: Label, names: Renaming) -> Label:
        rule = self._rules.get(label.rule)
        arguments = label.arguments
        if rule is not None:
            pairs = zip(rule.parameters, arguments, strict=True)
            arguments = tuple(renamed(parameter.sort, value, names) for parameter, value in pairs)
        process = None if label.process is None else names.get(label.process, label.process)
        message = label.message
        if message is not None:
            message = renamed(self._messages[message[0]], message, names)
        return Label(label.rule, process, arguments, message)

    def _names(self, to: tuple[str, ...]) -> Renaming:
        return dict(zip(self.symmetry.elements, to, strict=True))


__all__ = ["Alike", "Counts", "Reduction", "UpTo"]
