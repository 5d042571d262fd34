"""What every back end can be asked about one state, whatever it keeps for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from spec.state import Label, State

Stored: TypeAlias = Any
"""A state as the back end keeps it: machine words, or the evaluator's own."""

Mark: TypeAlias = Any
"""A label as the back end has it: a word, or the label."""


@dataclass(frozen=True, slots=True)
class Fired:
    """``steps``: mark and successor of each label that is enabled and not cut. ``cuts``: how often each rule and bound
    cut. ``failed``: the label whose evaluation failed; the steps are those before it."""

    steps: tuple[tuple[Mark, Stored], ...]
    cuts: dict[str, int]
    failed: Mark | None


class Encoding(Protocol):
    """Between the evaluator's states and the back end's."""

    def encode(self, state: State) -> Stored: ...

    def decode(self, words: Stored) -> State: ...


class Stepping(Protocol):
    """Fires the labels of one state after the other. ``canonical``: the state that stands for this one, which is itself
    unless states are stored up to symmetry. The properties are named, in the order of their declaration; None if the
    evaluation of one fails."""

    @property
    def layout(self) -> Encoding: ...

    def fire(self, words: Stored) -> Fired: ...

    def rule(self, label: Mark) -> str: ...

    def label(self, words: Stored, label: Mark) -> Label: ...

    def labelled(self, words: Stored) -> Iterator[tuple[Label, Stored]]: ...

    def canonical(self, words: Stored) -> Stored: ...

    def hash_of(self, words: Stored) -> int: ...

    def broken(self, words: Stored) -> list[str] | None: ...

    def reached(self, words: Stored) -> list[str] | None: ...

    def broken_by_step(self, before: Stored, label: Mark, after: Stored) -> list[str] | None: ...
