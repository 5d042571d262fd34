"""What can be seen of a server, in the plain form that replay compares field by field."""

from __future__ import annotations

from collections.abc import Iterable

from refimpl.durable import Durable
from refimpl.interface import Candidate, Follower, Leader, Waiter
from refimpl.kv import KeyValueStore
from refimpl.messages import Message
from refimpl.plain import Plain, plain_durable, plain_entry, plain_message, plain_store
from refimpl.raft import Raft


def stored(disk: Durable, pending: Iterable[Durable], outbox: Iterable[Message]) -> Plain:
    """What its disk holds; what it would if the first, the first two, … unflushed frames survived; what waits to leave
    until they are flushed."""
    return {
        "disk": plain_durable(disk),
        "pending": [plain_durable(state) for state in pending],
        "outbox": [plain_message(message) for message in outbox],
    }


def remembered(raft: Raft, store: KeyValueStore, waiters: Iterable[Waiter]) -> Plain:
    """What a crash would take."""
    memory: Plain = {
        "current_term": raft.current_term,
        "voted_for": raft.voted_for,
        "role": type(raft.role).__name__,
        "log": [plain_entry(entry) for entry in raft.log.entries],
        "commit_index": raft.commit_index,
        "last_applied": raft.last_applied,
        "store": plain_store(store),
        "sessions": {client: session.serial for client, session in store.sessions.items()},
        "waiters": [
            {"client": waiter.client, "serial": waiter.serial, "index": waiter.index, "term": waiter.term}
            for waiter in waiters
        ],
    }
    match raft.role:
        case Candidate(votes_granted):
            memory["votes_granted"] = sorted(votes_granted)
        case Leader(next_index=next_index, match_index=match_index, reads=reads):
            memory["next_index"] = dict(next_index)
            memory["match_index"] = dict(match_index)
            memory["round"] = reads.round
            memory["confirmed"] = {peer: reads.confirmed_by(peer) for peer in raft.config.peers}
            memory["reads"] = [
                {"client": read.client, "serial": read.serial, "index": read.index, "round": read.round}
                for read in reads.waiting
            ]
        case Follower():
            pass
    return memory
