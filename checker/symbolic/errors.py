"""What can go wrong inside the symbolic engine; none of these is the spec's author's fault."""

from __future__ import annotations

from spec.state import Label, State


class SymbolicError(Exception):
    """Base of the errors of this engine."""


class EnginesDisagree(SymbolicError):
    """The evaluator does not do what the circuit says: a bug in one of the two, never a result."""

    def __init__(self, step: int, label: Label | None, difference: str) -> None:
        super().__init__(f"step {step}, label {label}: {difference}")
        self.state: State | None = None  # that the label leads from, where the caller knows it
        self.step = step
        self.label = label
        self.difference = difference


class NotEncodable(SymbolicError):
    """A construct without a finite encoding here, such as a set of messages stored in a variable."""


class GaveUp(SymbolicError):
    """z3 answered ``unknown``: time, memory, or its own limits. Never to be read as "there is none"."""
