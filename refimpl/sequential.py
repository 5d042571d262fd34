"""What one key does that serves one call at a time: the specification that a history is judged by.

Written from what the operations mean, not with the state machine's code: whoever judges that needs a second text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from refimpl.entry import Append, Delete, Get, Operation, Put


@dataclass(frozen=True, slots=True)
class Unseen:
    """A value of which only the end is known: nobody has read it, and `appended` has been added since."""

    appended: str = ""


class Wasted(Enum):
    """A value with a part that no Get has returned: none sees the key before it is written anew."""

    WASTED = "wasted"


Value = str | None | Unseen | Wasted
"""What a key holds; None if it is absent."""


def perform(operation: Operation, response: str | None, value: Value) -> tuple[bool, Value]:
    """Whether the operation can have this response at this value, and the value after it."""
    match operation:
        case Put(_, written):
            return True, written
        case Delete():
            return True, None
        case Append(_, added):
            if isinstance(value, Wasted):
                return True, value
            if isinstance(value, Unseen):
                return True, Unseen(value.appended + added)
            return True, (value or "") + added
        case Get():
            if isinstance(value, Unseen):
                return (response or "").endswith(value.appended), response
            return response == value, value
