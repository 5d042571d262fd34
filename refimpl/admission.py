"""What a decoder cannot know of a message: who may say it, and whether this server can count and store so much."""

from __future__ import annotations

from collections.abc import Iterator

from refimpl.entry import Append, Delete, Get, Operation, Put, ServerId
from refimpl.errors import MalformedMessage
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    PeerMessage,
    ReadRequest,
    RequestVote,
    RequestVoteResponse,
)
from refimpl.wire import MAX_ENTRIES, MAX_KEY, MAX_NUMBER, MAX_VALUE, Request


def refuse_foreign(message: PeerMessage | Request, source: str, destination: ServerId) -> None:
    """Raises MalformedMessage unless the message is from whom the handshake named, to this server, within limits."""
    sender = message.source.partition("/")[0] if isinstance(message, Request) else message.source
    if sender != source or message.destination != destination:
        raise MalformedMessage(
            f"{type(message).__name__} from {message.source} to {message.destination}",
            f"from {source} to {destination} on this connection",
            "find out who speaks for another",
        )
    numbers = [value for value in _numbers(message) if value > MAX_NUMBER]
    if numbers:
        raise MalformedMessage(
            f"{type(message).__name__} with the number {numbers[0]}",
            f"at most {MAX_NUMBER}",
            "find out who counted so far",
        )
    match message:
        case AppendEntries():
            if len(message.entries) > MAX_ENTRIES:
                raise MalformedMessage(
                    f"{len(message.entries)} entries at once", f"at most {MAX_ENTRIES}", "find out who sends so many"
                )
        case RequestVote() | RequestVoteResponse() | AppendEntriesResponse() | ClientRequest() | ReadRequest():
            pass


def _numbers(message: PeerMessage | Request) -> Iterator[int]:
    match message:
        case RequestVote():
            yield from (message.term, message.last_log_index, message.last_log_term)
        case RequestVoteResponse():
            yield message.term
        case AppendEntries():
            yield from (message.term, message.prev_log_index, message.prev_log_term, message.leader_commit)
            yield message.round
            yield from (entry.term for entry in message.entries)
        case AppendEntriesResponse():
            yield from (message.term, message.index, message.round)
        case ClientRequest() | ReadRequest():
            yield message.serial


def too_large(asked: Operation | Request) -> str | None:
    """What is too large about it, None if nothing is: what one server accepts, every frame must carry."""
    match asked:
        case ClientRequest():
            return too_large(asked.operation)
        case Put(key, value) | Append(key, value):
            pass
        case Delete(key) | Get(key):
            value = ""
        case ReadRequest():
            key, value = asked.key, ""
    for what, text, limit in (("key", key, MAX_KEY), ("value", value, MAX_VALUE)):
        if len(text) > limit or len(text.encode()) > limit:
            return f"the {what} has {len(text.encode())} bytes; at most {limit} are allowed"
    return None
