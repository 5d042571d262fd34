"""Peers that say anything that can be said: a server refuses it or believes it, and never breaks.

What is believed may be a lie; that is for the certificates to prevent. The numbers are near the server's own, where a
lie is plausible, and the runs go through all roles.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from refimpl import wal
from refimpl.entry import Append, ClientId, Command, Entry, Index, Round, Serial, ServerId, Term
from refimpl.errors import ProtocolViolation
from refimpl.interface import Config, ElectionTimeout, Input, Receive, Replicate
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    PeerMessage,
    ReadRequest,
    RequestVote,
    RequestVoteResponse,
)
from refimpl.replica import Replica
from refimpl.simulated_directory import SimulatedDirectory

S1 = ServerId("s1")
SERVERS = (S1, ServerId("s2"), ServerId("s3"))
CLIENT = ClientId("client/1")
STEPS = 300


def test_whatever_peers_say_is_refused_or_believed() -> None:
    """60 servers, 300 inputs each; seeds 0 to 59. What is refused has changed nothing."""
    seen: Counter[str] = Counter()
    for seed in range(60):
        chance = Random(seed)
        log_file, recovered = wal.recover(SimulatedDirectory("disk"))
        replica = Replica(Config(S1, SERVERS, max_entries=3), log_file, recovered)
        for _ in range(STEPS):
            raft = replica.raft
            before = (raft.durable, raft.role, raft.last_applied)
            try:
                replica.handle(an_input(replica, chance))
            except ProtocolViolation:
                assert (raft.durable, raft.role, raft.last_applied) == before
                seen["refused"] += 1
            if replica.needs_sync and chance.random() < 0.5:
                replica.sync()
                replica.release()
            while replica.to_apply and chance.random() < 0.7:
                replica.apply_next()
            while replica.to_answer:
                replica.answer_next()
            seen[type(raft.role).__name__] += 1
    assert all(seen[kind] > 500 for kind in ("Leader", "Candidate", "Follower", "refused")), seen


def an_input(replica: Replica, chance: Random) -> Input:
    match chance.randrange(12):
        case 0:
            return ElectionTimeout()
        case 1:
            return Replicate(chance.choice(SERVERS[1:]))
        case 2:
            serial = Serial(chance.randint(1, 9))
            return Receive(ClientRequest(CLIENT, S1, serial, Append("k", "x")))
        case 3:
            return Receive(ReadRequest(CLIENT, S1, Serial(chance.randint(1, 9)), "k"))
        case _:
            return Receive(a_message(replica, chance))


def a_message(replica: Replica, chance: Random) -> PeerMessage:
    raft, source = replica.raft, chance.choice(SERVERS[1:])

    def near(number: int) -> int:
        return max(0, number + chance.choice((0, 0, 0, 0, 0, -2, -1, 1, 2, 1 << 52)) * chance.choice((0, 1)))

    def a_term() -> Term:
        return Term(max(0, raft.current_term + chance.choice((0, 0, 0, 0, 0, 0, -1, 1))))

    def an_index() -> Index:
        return Index(near(chance.randint(0, raft.log.last_index)))

    match chance.randrange(4):
        case 0:
            return RequestVote(source, S1, a_term(), an_index(), a_term())
        case 1:
            return RequestVoteResponse(source, S1, a_term(), chance.random() < 0.8)
        case 2:
            prev = an_index()
            known = raft.log.term_at(prev) if prev <= raft.log.last_index else a_term()
            entries = tuple(an_entry(a_term(), chance) for _ in range(chance.randrange(4)))
            return AppendEntries(
                source, S1, a_term(), prev, chance.choice((known, a_term())), entries, an_index(), a_round(chance)
            )
        case _:
            return AppendEntriesResponse(source, S1, a_term(), chance.random() < 0.7, an_index(), a_round(chance))


def an_entry(term: Term, chance: Random) -> Entry:
    if chance.random() < 0.3:
        return Entry(term, None)
    return Entry(term, Command(CLIENT, Serial(chance.randint(1, 9)), Append("k", "y")))


def a_round(chance: Random) -> Round:
    return Round(chance.choice((0, 0, 0, 1, 2, 1 << 52)))
