"""One entry of the log, and the client's command that it carries (Ongaro 2014 §3.5, §6.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NewType

import msgspec

# What is read from a disk or a socket is held to these bounds; the constructors do not check them.
Term = NewType("Term", Annotated[int, msgspec.Meta(ge=0)])
"""0 is before the first election."""
Index = NewType("Index", Annotated[int, msgspec.Meta(ge=0)])
"""1-based; 0 is the place before the first entry."""
Round = NewType("Round", Annotated[int, msgspec.Meta(ge=0)])
"""1-based; a leader numbers the reads of its term (§6.4)."""
ServerId = NewType("ServerId", Annotated[str, msgspec.Meta(min_length=1, max_length=64)])
ClientId = NewType("ClientId", Annotated[str, msgspec.Meta(min_length=1, max_length=128)])
NO_ROUND = Round(0)
"""Before the first read of a term."""
Serial = NewType("Serial", Annotated[int, msgspec.Meta(ge=1)])
"""1-based; a client numbers its commands and has one outstanding at a time (§6.3)."""


# Operations are msgspec structs, not dataclasses: the codec of the write-ahead log tells the members of a union
# apart by a tag, which only structs carry. They are as frozen and as slotted as dataclasses here.
class Put(msgspec.Struct, frozen=True, tag=True):
    """Set the key to the value."""

    key: str
    value: str


class Append(msgspec.Struct, frozen=True, tag=True):
    """Add the value to the end of the key's value; an absent key counts as empty."""

    key: str
    value: str


class Delete(msgspec.Struct, frozen=True, tag=True):
    """Remove the key."""

    key: str


class Get(msgspec.Struct, frozen=True, tag=True):
    """Read the key through the log, like a write: linearizable, for the price of an entry. Compare ReadRequest."""

    key: str


Operation = Put | Append | Delete | Get


@dataclass(frozen=True, slots=True)
class Command:
    """What a client asks for, with the client and serial by which a retry is recognised (§6.3)."""

    client: ClientId
    serial: Serial
    operation: Operation


@dataclass(frozen=True, slots=True)
class Entry:
    """A command and the term in which a leader received it. No command: the no-op of a new leader (§6.4)."""

    term: Term
    command: Command | None
