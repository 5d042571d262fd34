"""What can go wrong with a trace: operating errors, with one base."""

from __future__ import annotations

SHOWN = 80  # characters of a found value that an error quotes


class TraceError(Exception):
    """The base of the errors of this package."""


class UnreadableTrace(TraceError):
    """The file is not a trace that can be read.

    ``state``: the number of the state, the initial one is 0; ``None`` outside the states. ``field``: the path inside
    the file or the state, empty for the whole.
    """

    def __init__(self, file: str, state: int | None, field: str, found: str, allowed: str, advice: str) -> None:
        self.file = file
        self.state = state
        self.field = field
        self.found = found
        self.allowed = allowed
        self.advice = advice
        place = ", ".join(part for part in (f"state {state}" if state is not None else "", field) if part)
        where = f"{file}: {place}" if place else file
        super().__init__(f"{where}: found {found}\n  allowed: {allowed}\n  to do: {advice}")


class UnplayableTrace(TraceError):
    """The trace can be read, but it is not a run of the protocol that the replay table describes."""

    def __init__(self, step: int, found: str, allowed: str, advice: str) -> None:
        self.step = step
        super().__init__(f"step {step}: found {found}\n  allowed: {allowed}\n  to do: {advice}")


class TargetNotFound(TraceError):
    """No implementation of that name can be loaded."""

    def __init__(self, found: str, allowed: str, advice: str) -> None:
        super().__init__(f"{found}\n  allowed: {allowed}\n  to do: {advice}")


def shown(value: object) -> str:
    """A found value, quoted short enough for one line."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int beyond Python's digit limit; a value nested too deep to print
        text = f"a huge {type(value).__name__}"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
