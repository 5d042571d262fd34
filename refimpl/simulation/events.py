"""What can be due on the virtual clock. An event that no longer applies when it is due is passed over; it is no step.

`life` counts a server's starts: what was planned before a crash must not happen to the server that came back.
"""

from __future__ import annotations

from dataclasses import dataclass

from refimpl.entry import ClientId, Serial, ServerId, Term
from refimpl.messages import Message
from refimpl.simulation.weather import Misfortune


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message reaches its destination, unless a partition has come in between."""

    message: Message


@dataclass(frozen=True, slots=True)
class ElectionTimer:
    server: ServerId
    life: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    server: ServerId
    life: int
    term: Term


@dataclass(frozen=True, slots=True)
class Fsync:
    """The disk has written everything that the server wrote before now."""

    server: ServerId
    life: int


@dataclass(frozen=True, slots=True)
class Apply:
    server: ServerId
    life: int


@dataclass(frozen=True, slots=True)
class Answer:
    server: ServerId
    life: int


@dataclass(frozen=True, slots=True)
class ClientTurn:
    """A client starts its next operation, or gives up waiting for the answer to this attempt at the last one."""

    client: ClientId
    serial: Serial
    attempt: int


@dataclass(frozen=True, slots=True)
class Strike:
    """A misfortune befalls the cluster, and the next one of its kind is drawn."""

    misfortune: Misfortune


@dataclass(frozen=True, slots=True)
class Downfall:
    """A leader that has just been elected crashes or is cut off, if it still leads."""

    server: ServerId
    life: int


@dataclass(frozen=True, slots=True)
class Restart:
    server: ServerId
    life: int


@dataclass(frozen=True, slots=True)
class FreeSpace:
    """A disk that was full has room again."""

    server: ServerId


@dataclass(frozen=True, slots=True)
class Heal:
    """The partition with this number is over."""

    partition: int


HostEvent = Arrival | ElectionTimer | Heartbeat | Fsync | Apply | Answer
"""What makes a server take a step."""
Fate = Downfall | Restart | FreeSpace
"""What happens to a server, even to one that stands still."""
Event = HostEvent | Fate | ClientTurn | Strike | Heal
