"""What the explicit engine can fail with that is no verdict about the spec."""

from __future__ import annotations


class ExplicitError(Exception):
    """Base of this package's errors."""


class NotEncodable(ExplicitError):
    """The spec computes something that the engine has no fixed number of bits for."""


class NotPermutable(NotEncodable):
    """Some value names elements of symmetric sets in a way that would take too large a table to permute."""


class DoesNotFit(ExplicitError):
    """A state has more messages, copies or pending records than the layout has room for. ``what``: the capacity."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the layout has too little room: {what}")
        self.what = what


class BrokenCode(ExplicitError):
    """A check of the debug build failed: the emitted code would have left its memory, or its bits."""


class Disagreement(ExplicitError):
    """The evaluator does not confirm what the compiled code found: a defect of one of the two."""


class OrderMatters(Disagreement):
    """An evaluation fails for some orders of a symmetric set's elements, and not for the order in which they stand."""


class TooLittleMemory(ExplicitError):
    """The memory that a search was given does not suffice to begin with."""


class CheckpointError(ExplicitError):
    """There is no checkpoint here, or it is damaged, or of another search."""


class NeedsNative(ExplicitError):
    """Something was asked for that only native code can do, or a back end that is not there."""
