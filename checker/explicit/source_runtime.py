"""What emitted Python source calls: errors in the evaluator's words, and what a network makes of messages.

The network's meaning (spec.network) is written a second time here, to be quick and to be a reading of its own: entries
are added to a network and taken from it, so that no message is hashed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from spec.sorts import Sort, Value
from spec.state import Bag, Message
from spec.system import NetworkKind, Place
from spec.values import EvaluationError, message_key, show

REMEMBERED = 1 << 16
"""Networks whose messages stay sorted."""

Outboxes = Sequence[tuple[Message, ...]]


def no_element(index: int, sequence: tuple[Value, ...], place: Place | None) -> EvaluationError:
    return EvaluationError(f"index {index} of a sequence of length {len(sequence)}", place)


def no_slice(first: int, last: int, sequence: tuple[Value, ...], place: Place | None) -> EvaluationError:
    return EvaluationError(f"slice {first}..{last} of a sequence of length {len(sequence)}", place)


def no_key(key: Value, place: Place | None) -> EvaluationError:
    return EvaluationError(f"the map has no key {key!r}", place)


def not_of_sort(what: str, value: Value, sort: Sort, place: Place | None) -> EvaluationError:
    return EvaluationError(f"{what}: {show(sort, value)} is not a value of {sort}", place)


def out_of_range(what: str, value: int, low: int, high: int, place: Place | None) -> EvaluationError:
    return EvaluationError(f"{what}: {value} is outside {low}..{high}", place)


def replaced(values: tuple[Value, ...], position: int, value: Value) -> tuple[Value, ...]:
    return (*values[:position], value, *values[position + 1 :])


# ---------------------------------------------------------------------------------------------- networks


def messages_in(network: Bag, name: str | None) -> frozenset[Message]:
    return frozenset([message for message, _ in network if name is None or message[0] == name])


def waiting_in(outbox: tuple[Message, ...], name: str | None) -> frozenset[Message]:
    return frozenset([message for message in outbox if name is None or message[0] == name])


@lru_cache(REMEMBERED)
def any_message(network: Bag) -> tuple[Message, ...]:
    """The messages of a bag or a set, in order."""
    return tuple(sorted([message for message, _ in network], key=message_key))


@lru_cache(REMEMBERED)
def heads(network: Bag) -> tuple[Message, ...]:
    """The first message of each channel, in order."""
    return tuple(sorted([message for message, place in network if place == 1], key=message_key))


def added_to_bag(network: Bag, messages: Iterable[Message]) -> Bag:
    for message in messages:
        for other, copies in network:
            if other == message:
                network = network - {(message, copies)} | {(message, copies + 1)}
                break
        else:
            network = network | {(message, 1)}
    return network


def taken_from_bag(network: Bag, message: Message) -> Bag:
    if (message, 1) in network:
        return network - {(message, 1)}
    copies = next(copies for other, copies in network if other == message)
    return network - {(message, copies)} | {(message, copies - 1)}


def added_to_set(network: Bag, messages: Iterable[Message]) -> Bag:
    return network | {(message, 1) for message in messages}


def taken_from_set(network: Bag, message: Message) -> Bag:
    return network


def added_to_channels(network: Bag, messages: Iterable[Message]) -> Bag:
    for message in messages:
        before = [place for other, place in network if other[1] == message[1] and other[2] == message[2]]
        network = network | {(message, len(before) + 1)}
    return network


def taken_from_channels(network: Bag, message: Message) -> Bag:
    """The head leaves, the others of its channel move up."""
    rest = network - {(message, 1)}
    behind = {entry for entry in rest if entry[0][1] == message[1] and entry[0][2] == message[2]}
    return rest - behind | {(other, place - 1) for other, place in behind}


def doubled_in_channels(network: Bag, message: Message) -> Bag:
    """A copy of the head stands right behind it."""
    behind = {entry for entry in network if entry[1] > 1 and entry[0][1:3] == message[1:3]}
    return network - behind | {(other, place + 1) for other, place in behind} | {(message, 2)}


def waits(outbox: tuple[Message, ...], messages: list[Message]) -> tuple[Message, ...]:
    return tuple(sorted([*outbox, *messages], key=message_key))


def waits_in_channels(outbox: tuple[Message, ...], messages: list[Message]) -> tuple[Message, ...]:
    return tuple(sorted([*outbox, *messages], key=lambda message: message[2]))


def in_flight_in_bag(network: Bag, outboxes: Outboxes) -> int:
    return sum([copies for _, copies in network]) + sum(map(len, outboxes))


def in_flight(network: Bag, outboxes: Outboxes) -> int:
    return len(network) + sum(map(len, outboxes))


def most_copies_in_bag(network: Bag, outboxes: Outboxes) -> int:
    return _most(list(network), outboxes)


def most_copies(network: Bag, outboxes: Outboxes) -> int:
    return _most([(message, 1) for message, _ in network], outboxes)


def _most(copies: list[tuple[Message, int]], outboxes: Outboxes) -> int:
    counts: dict[Message, int] = {}
    for message, more in (*copies, *((message, 1) for outbox in outboxes for message in outbox)):
        counts[message] = counts.get(message, 0) + more
    return max(counts.values(), default=0)


def of_network(kind: NetworkKind) -> dict[str, Callable[..., Any]]:
    """The functions on a network of this kind, by the names that the source calls them by."""
    match kind:
        case NetworkKind.BAG:
            return {
                "deliverable": any_message,
                "add": added_to_bag,
                "take": taken_from_bag,
                "double": lambda network, message: added_to_bag(network, (message,)),
                "wait": waits,
                "in_flight": in_flight_in_bag,
                "most_copies": most_copies_in_bag,
            }
        case NetworkKind.SET:
            return {
                "deliverable": any_message,
                "add": added_to_set,
                "take": taken_from_set,
                "double": lambda network, message: network,
                "wait": waits,
                "in_flight": in_flight,
                "most_copies": most_copies,
            }
        case NetworkKind.FIFO:
            return {
                "deliverable": heads,
                "add": added_to_channels,
                "take": taken_from_channels,
                "double": doubled_in_channels,
                "wait": waits_in_channels,
                "in_flight": in_flight,
                "most_copies": most_copies,
            }
