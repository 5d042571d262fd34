"""Random runs of three servers from a seed, with the properties of Figure 3.2 checked after every step.

Beside them: what leaves in a vote is on disk, an answered write is committed, each command takes effect once, and a
read sees every write that was answered, or seen by another read, before it began. The history that the properties need
(who led, what was committed) is kept here, out of the servers' reach.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random

from refimpl.entry import Entry, Index
from refimpl.faults import Fault
from refimpl.interface import Leader
from refimpl.messages import AppendEntries, RequestVote, RequestVoteResponse
from tests.refimpl.cluster import Cluster

SERVERS = ("s1", "s2", "s3")
STEPS = {
    "deliver": 60, "flush": 30, "replicate": 20, "apply": 20, "answer": 10, "request": 6, "restart": 5, "campaign": 3,
    "crash": 2, "duplicate": 2, "lose": 1,
}  # fmt: skip
WITH_READS = STEPS | {
    "replicate": 30, "apply": 10, "answer": 20, "request": 3, "ask": 10, "restart": 10, "campaign": 2, "crash": 1,
}  # fmt: skip
WITH_READS = STEPS | {
    "replicate": 30, "apply": 10, "answer": 20, "request": 3, "ask": 10, "restart": 10, "campaign": 2, "crash": 1,
}  # fmt: skip
MAX_IN_FLIGHT = 10


class RandomRun:
    """Equal seeds, faults and weights of the steps give equal runs."""

    def __init__(self, seed: int, broken: Iterable[Fault] = (), weights: Mapping[str, int] = STEPS) -> None:
        self.random = Random(seed)
        self.weights = weights
        self.cluster = Cluster(len(SERVERS), broken)
        self.serial = 0
        self.asked: list[set[str]] = []
        self.checked_reads = 0
        self.seen: set[str] = set()
        self.votes: dict[tuple[str, int], str] = {}
        self.leaders: dict[int, str] = {}
        self.leader_logs: dict[int, tuple[Entry, ...]] = {}
        self.committed: dict[int, Entry] = {}
        self.committed_in: dict[int, int] = {}

    def run(self, steps: int) -> None:
        """Raises AssertionError where a property fails, ProtocolViolation where a server notices first."""
        for _ in range(steps):
            self.step(self.random.choices(list(self.weights), list(self.weights.values()))[0])
            self.check()

    def step(self, label: str) -> None:
        """Perform the label at a random server where it is possible; nowhere: do nothing."""
        possible = [server for server in SERVERS if self.is_possible(label, server)]
        if not possible:
            return
        cluster, server = self.cluster, self.random.choice(possible)
        node = cluster.nodes[server]
        match label:
            case "deliver" | "duplicate" | "lose":
                message = self.random.choice([m for m in cluster.network if m.destination == server])
                if label != "duplicate":
                    cluster.network.remove(message)
                if label != "lose":
                    cluster.receive(message)
            case "replicate":
                cluster.replicate(server, self.random.choice([peer for peer in SERVERS if peer != server]))
            case "request":
                self.serial += self.serial == 0 or self.random.random() < 0.5
                cluster.request("c1", self.serial, server)
            case "ask":
                self.asked.append(self.known_writes())
                cluster.ask(server, len(self.asked))
            case "crash":
                self.note("crash of a leader", isinstance(node.raft.role, Leader))
                cluster.crash(server, self.random.randint(0, len(node.pending)))
            case "campaign":
                cluster.campaign(server)
            case "flush":
                cluster.flush(server)
            case "apply":
                cluster.apply(server)
            case "answer":
                cluster.answer(server)
            case "restart":
                cluster.restart(server)

    def is_possible(self, label: str, server: str) -> bool:
        cluster, node = self.cluster, self.cluster.nodes[server]
        match label:
            case "restart":
                return not node.is_up
            case "deliver" | "duplicate" | "lose":
                return node.is_up and any(message.destination == server for message in cluster.network)
            case "replicate":
                return cluster.is_leader(server) and len(cluster.network) < MAX_IN_FLIGHT
            case "request" | "ask":
                return cluster.is_leader(server)
            case "flush":
                return bool(node.pending)
            case "apply":
                return node.is_up and node.raft.last_applied < node.raft.commit_index
            case "answer":
                return bool(node.waiters) and node.waiters[0].index <= node.raft.last_applied
            case _:
                return node.is_up

    def check(self) -> None:
        for server, node in self.cluster.nodes.items():
            assert (node.disk, *node.pending)[-1] == node.raft.durable if node.is_up else True, "disk = memory"
            if node.is_up:
                self.check_leader(server)
                self.check_committed(server)
                marks = self.cluster.writes(server).split(";")[:-1]
                assert len(marks) == len(set(marks)), "each command takes effect once"
        self.cluster.check_agreement()
        serials = {entry.command.serial for entry in self.committed.values() if entry.command is not None}
        assert all(answer.serial in serials for answer in self.cluster.answers), "answered writes are committed"
        self.check_reads()
        for message in self.cluster.network:
            disk = self.cluster.nodes[message.destination].disk
            if isinstance(message, RequestVote):
                assert self.cluster.nodes[message.source].disk.current_term >= message.term, "a term is durable"
            elif isinstance(message, RequestVoteResponse) and message.vote_granted:
                vote = (message.source, message.term)
                assert self.votes.setdefault(vote, message.destination) == message.destination, "one vote in a term"
            elif isinstance(message, AppendEntries) and message.leader_commit > disk.commit_index:
                self.note("a commit index on its way", True)

    def known_writes(self) -> set[str]:
        """The marks of what a client has been told of so far: in an answer to its write, or in the value of a read."""
        read = (mark for value in self.cluster.values_read for mark in (value or "").split(";")[:-1])
        return {f"c1:{answer.serial}" for answer in self.cluster.answers} | set(read)

    def check_reads(self) -> None:
        for response in self.cluster.reads[self.checked_reads :]:
            seen = set((response.value or "").split(";"))
            assert self.asked[response.serial - 1] <= seen, "a read sees what was answered before it began"
            self.note("a read of an answered write", bool(self.asked[response.serial - 1]))
        self.checked_reads = len(self.cluster.reads)

    def check_leader(self, server: str) -> None:
        raft = self.cluster.nodes[server].raft
        if not isinstance(raft.role, Leader):
            return
        term, entries = raft.current_term, raft.log.entries
        assert self.leaders.setdefault(term, server) == server, "Election Safety"
        before = self.leader_logs.get(term, ())
        assert entries[: len(before)] == before, "Leader Append-Only"
        self.leader_logs[term] = entries
        self.note("a leader with entries of two earlier terms", len({entry.term for entry in entries}) > 2)
        for index, entry in self.committed.items():
            if term > self.committed_in[index]:
                assert entries[index - 1 : index] == (entry,), "Leader Completeness"

    def check_committed(self, server: str) -> None:
        raft = self.cluster.nodes[server].raft
        for index in range(1, raft.commit_index + 1):
            entry = raft.log.entry_at(Index(index))
            if index not in self.committed:
                self.committed[index], self.committed_in[index] = entry, raft.current_term
            assert self.committed[index] == entry, "State Machine Safety"

    def note(self, event: str, happened: bool) -> None:
        """Remember that the runs get this far: properties of runs in which nothing happens say nothing."""
        if happened:
            self.seen.add(event)
