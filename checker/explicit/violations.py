"""What a search found wrong: the event that ends it, or, if it goes on, the first state of each broken property.

Every violation is confirmed by the evaluator before it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from checker.explicit.trace import Confirmation
from spec.evaluate import EvaluationError
from spec.explore import Violation
from spec.state import Label, State
from spec.system import Property, System

StatePlace = tuple[int, int]
"""A state's number in its worker, and the worker's."""


class Noting(Protocol):
    """Who looks at states. ``broken_at``: where properties were broken, by their mask; ``broken_from``: by a step."""

    @property
    def broken_at(self) -> list[StatePlace]: ...

    @property
    def broken_from(self) -> list[StatePlace]: ...


RunTo = Callable[[int, int], tuple[tuple[Label, ...], State]]


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """What ends the search: at a state (its index in its worker), or in a step from there. ``mask``: the properties
    that are broken, 0 for a failed evaluation."""

    index: int
    worker: int
    mask: int
    by_label: bool
    of_step: bool


class Violations:
    """``first``: the one that ended the search, or the first of all; an evaluation error before all others.

    ``by_name``: the first of each property, as far as the search came. ``places``: the state of each, or the one before
    its step. ``invariants``, ``action_invariants``: what is to be looked at; if the search goes on, what is not yet
    known to be broken."""

    def __init__(
        self, system: System, confirmation: Confirmation, run_to: RunTo, only: str | None, *, go_on: bool
    ) -> None:
        self.system, self.confirmation, self.run_to = system, confirmation, run_to
        self.only, self.go_on = only, go_on
        self.invariants = _mask(system.invariants, only)
        self.action_invariants = _mask(system.action_invariants, only)
        self.first: Violation | None = None
        self.by_name: dict[str, Violation] = {}
        self.places: dict[str, StatePlace] = {}

    # ------------------------------------------------------------------------------- a search that goes on

    def note(self, workers: Sequence[Noting]) -> None:
        """The states at which the workers found something broken, in the level that was just done."""
        found = [(index, i, mask) for i, worker in enumerate(workers) for index, mask in worker.broken_at]
        for index, i, mask in sorted(found):
            for name in _names(self.system.invariants, mask & self.invariants):
                self.add(name, (index, i))
        for worker in workers:
            worker.broken_at.clear()

    def note_steps(self, workers: Sequence[Noting]) -> None:
        """The same of the states from which a step broke something: the first such step was seen, others may break
        others."""
        found = [(index, i, mask) for i, worker in enumerate(workers) for index, mask in worker.broken_from]
        for index, i, mask in sorted(found):
            mask |= self.confirmation.broken_from(self.run_to(index, i)[1])
            for name in _names(self.system.action_invariants, mask & self.action_invariants):
                self.add(name, (index, i))
        for worker in workers:
            worker.broken_from.clear()

    def add(self, name: str, place: StatePlace) -> None:
        """The first violation of a property, and the end of looking for others. Raises Disagreement."""
        labels, state = self.run_to(*place)
        of_step = name in (p.name for p in self.system.action_invariants)
        bit = 1 << [p.name for p in (self.system.action_invariants if of_step else self.system.invariants)].index(name)
        if of_step:
            violation = self._by_step(labels, state, bit)
            self.action_invariants &= ~bit
        else:
            violation = self._at(labels, state, bit)
            self.invariants &= ~bit
        self.by_name[name], self.places[name] = violation, place
        self.first = violation if self.first is None else self.first

    # ------------------------------------------------------------------------------- the end of a search

    def ended(self, events: list[Event]) -> bool:
        if not events:
            return False
        event = min(events, key=lambda e: (e.index, e.worker))
        labels, state = self.run_to(event.index, event.worker)
        if event.of_step and event.mask:
            self.first = self._by_step(labels, state, event.mask)
        elif event.by_label:
            self.first = self._failure_of_label(labels, state, of_step=event.of_step)
        else:
            self.first = self._at(labels, state, event.mask)
        if self.first.property is not None:
            self.by_name[self.first.property] = self.first
        return True

    def _at(self, labels: tuple[Label, ...], state: State, mask: int) -> Violation:
        if not mask:
            return _error(self.confirmation.property_failure(state), labels)
        name = self.confirmation.broken(state, _names(self.system.invariants, mask))
        return Violation(name, f"invariant {name} is violated", labels)

    def _by_step(self, labels: tuple[Label, ...], before: State, mask: int) -> Violation:
        label = self.confirmation.label_that_breaks(before, mask)
        after = self.confirmation.step(before, label)
        names = _names(self.system.action_invariants, mask)
        name = self.confirmation.broken_by_step(before, label, after, names)
        return Violation(name, f"action invariant {name} is violated", (*labels, label))

    def _failure_of_label(self, labels: tuple[Label, ...], before: State, *, of_step: bool) -> Violation:
        label = self.confirmation.label_that_fails(before, of_step=of_step)
        if not of_step:
            return _error(self.confirmation.failure(before, label), (*labels, label))
        after = self.confirmation.step(before, label)
        return _error(self.confirmation.step_failure(before, label, after), (*labels, label))


def _mask(properties: tuple[Property, ...], only: str | None) -> int:
    return sum(1 << i for i, property_ in enumerate(properties) if only is None or property_.name == only)


def _names(properties: tuple[Property, ...], mask: int) -> list[str]:
    return [property_.name for i, property_ in enumerate(properties) if mask >> i & 1]


def _error(error: EvaluationError, labels: tuple[Label, ...]) -> Violation:
    return Violation(None, str(error), labels)
