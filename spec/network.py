"""The network's meaning: what can be delivered, and the bag after a send, a delivery, a loss or a duplication.

bag: counted copies; the same message twice is one label. set: a message once sent stays. fifo: per pair of source and
destination, only the head is delivered, lost or duplicated (the copy stands right behind it).
"""

from __future__ import annotations

from collections.abc import Iterable

from spec.sorts import Value
from spec.state import Bag, Message
from spec.system import NetworkKind
from spec.values import message_key


def send(kind: NetworkKind, network: Bag, messages: Iterable[Message]) -> Bag:
    """The network after these messages entered it, in this order."""
    contents = dict(network) if kind is not NetworkKind.FIFO else {}
    match kind:
        case NetworkKind.BAG:
            for message in messages:
                contents[message] = contents.get(message, 0) + 1
            return frozenset(contents.items())
        case NetworkKind.SET:
            return frozenset({**contents, **dict.fromkeys(messages, 1)}.items())
        case NetworkKind.FIFO:
            channels = set(network)
            for message in messages:
                behind = sum(1 for m, _ in channels if m[1:3] == message[1:3])
                channels.add((message, behind + 1))
            return frozenset(channels)


def waiting(kind: NetworkKind, outbox: Iterable[Message], messages: Iterable[Message]) -> tuple[Message, ...]:
    """The outbox after these messages joined it. Its order tells only what the network will make of it: that of each
    channel in a fifo network, none otherwise. The order of a loop over processes would break their symmetry."""
    key = message_key if kind is not NetworkKind.FIFO else _destination
    return tuple(sorted((*outbox, *messages), key=key))


def _destination(message: Message) -> Value:
    return message[2]


def deliverable(kind: NetworkKind, network: Bag) -> list[Message]:
    """The messages that a delivery, a loss or a duplication may pick, in a fixed order, each once."""
    heads = (message for message, count in network if kind is not NetworkKind.FIFO or count == 1)
    return sorted(heads, key=message_key)


def remove(kind: NetworkKind, network: Bag, message: Message) -> Bag:
    """The network after one copy of a deliverable message left it (a set keeps what it has)."""
    match kind:
        case NetworkKind.BAG:
            contents = dict(network)
            contents[message] -= 1
            return frozenset((m, n) for m, n in contents.items() if n)
        case NetworkKind.SET:
            return network
        case NetworkKind.FIFO:
            pair = message[1:3]
            moved = ((m, n - 1 if m[1:3] == pair else n) for m, n in network if (m, n) != (message, 1))
            return frozenset(moved)


def duplicate(kind: NetworkKind, network: Bag, message: Message) -> Bag:
    """The network after a deliverable message was copied."""
    if kind is not NetworkKind.FIFO:
        return send(kind, network, (message,))
    pair = message[1:3]
    behind = ((m, n + 1 if m[1:3] == pair and n > 1 else n) for m, n in network)
    return frozenset((*behind, (message, 2)))


def size(kind: NetworkKind, network: Bag) -> int:
    """How many copies are in flight."""
    return len(network) if kind is not NetworkKind.BAG else sum(count for _, count in network)


def copies(kind: NetworkKind, network: Bag, waiting: Iterable[Message]) -> int:
    """The largest number of copies of one message, those waiting in outboxes counted with those in the network."""
    counts: dict[Message, int] = {}
    for message, count in network:
        counts[message] = counts.get(message, 0) + (count if kind is NetworkKind.BAG else 1)
    for message in waiting:
        counts[message] = counts.get(message, 0) + 1
    return max(counts.values(), default=0)
