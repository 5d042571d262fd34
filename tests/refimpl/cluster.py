"""A cluster driven by hand: nodes, and a network from which a test takes the message that it names."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from refimpl.entry import Append, ClientId, Index, Serial, ServerId, Term
from refimpl.faults import Fault
from refimpl.interface import Config, ElectionTimeout, Leader, Receive, Replicate
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    ClientResponse,
    Message,
    ReadRequest,
    ReadResponse,
    RequestVote,
    RequestVoteResponse,
    ServerMessage,
)
from refimpl.node import Node
from refimpl.simulated_directory import SimulatedDirectory


class Cluster:
    """Servers s1, s2, … all up with empty disks. Nothing happens until a method makes it happen."""

    def __init__(self, size: int, broken: Iterable[Fault] = ()) -> None:
        servers = tuple(ServerId(f"s{number}") for number in range(1, size + 1))
        self.disks = {server: SimulatedDirectory(f"disk of {server}") for server in servers}
        self.nodes = {
            str(server): Node(Config(server, servers, frozenset(broken)), self.disks[server]) for server in servers
        }
        self.network: list[ServerMessage] = []
        self.answers: list[ClientResponse] = []
        self.reads: list[ReadResponse] = []

    # One label each --------------------------------------------------------------------------------------------------

    def campaign(self, server: str) -> None:
        self._sent(self.nodes[server].handle(ElectionTimeout()))

    def replicate(self, server: str, peer: str) -> None:
        self._sent(self.nodes[server].handle(Replicate(ServerId(peer))))

    def request(self, client: str, serial: int, server: str) -> None:
        operation = Append("writes", f"{client}:{serial};")
        request = ClientRequest(ClientId(client), ServerId(server), Serial(serial), operation)
        self._sent(self.nodes[server].handle(Receive(request)))

    def ask(self, server: str, serial: int = 1) -> None:
        """A client asks for the marks of the writes; what comes back is in `reads`."""
        request = ReadRequest(ClientId("c2"), ServerId(server), Serial(serial), "writes")
        self._sent(self.nodes[server].handle(Receive(request)))

    def deliver(self, kind: type[Message], source: str, destination: str) -> None:
        """Deliver the oldest message of this kind between the two."""
        message = next(
            message
            for message in self.network
            if isinstance(message, kind) and (message.source, message.destination) == (source, destination)
        )
        self.network.remove(message)
        self.receive(message)

    def receive(self, message: ServerMessage) -> None:
        """Deliver a message that need not be in the network: made up, late, or a copy."""
        self._sent(self.nodes[message.destination].handle(Receive(message)))

    def flush(self, server: str) -> None:
        self._sent(self.nodes[server].flush())

    def apply(self, server: str) -> None:
        self._sent(self.nodes[server].apply_next())

    def answer(self, server: str) -> None:
        self._sent(self.nodes[server].answer_next())

    def crash(self, server: str, keep: int = 0) -> None:
        self.nodes[server].crash(keep)

    def restart(self, server: str) -> None:
        self.nodes[server].restart()

    # Several labels -----------------------------------------------------------------------------------------------

    def flush_if_pending(self, server: str) -> None:
        if self.nodes[server].pending:
            self.flush(server)

    def try_to_elect(self, candidate: str, *voters: str) -> None:
        """The candidate's timer fires, and it exchanges RequestVote with the voters; what is older is lost."""
        self.network.clear()
        self.campaign(candidate)
        self.flush(candidate)
        for voter in voters:
            self.deliver(RequestVote, candidate, voter)
            self.flush_if_pending(voter)
            self.deliver(RequestVoteResponse, voter, candidate)
        self.network.clear()

    def elect(self, candidate: str, *voters: str) -> None:
        """The candidate wins the first term that is new to every server that is up; its no-op is flushed."""
        newest = max(node.raft.current_term for node in self.nodes.values() if node.is_up)
        while self.current_term(candidate) < newest:
            self.campaign(candidate)
            self.flush(candidate)
        self.try_to_elect(candidate, *voters)
        assert isinstance(self.nodes[candidate].raft.role, Leader)
        self.flush(candidate)

    def copy(self, leader: str, follower: str) -> None:
        """One AppendEntries and its response, with the flush between them."""
        self.replicate(leader, follower)
        self.deliver(AppendEntries, leader, follower)
        self.flush_if_pending(follower)
        self.deliver(AppendEntriesResponse, follower, leader)

    def apply_all(self, server: str) -> None:
        raft = self.nodes[server].raft
        while raft.last_applied < raft.commit_index:
            self.apply(server)

    # What a test looks at -----------------------------------------------------------------------------------------

    def terms(self, server: str) -> list[int]:
        """The terms of the entries in the server's log."""
        return [entry.term for entry in self.nodes[server].raft.log.entries]

    def leader(self, server: str) -> Leader:
        role = self.nodes[server].raft.role
        assert isinstance(role, Leader)
        return role

    def is_leader(self, server: str) -> bool:
        return self.nodes[server].is_up and isinstance(self.nodes[server].raft.role, Leader)

    def commit_index(self, server: str) -> Index:
        return self.nodes[server].raft.commit_index

    def current_term(self, server: str) -> Term:
        return self.nodes[server].raft.current_term

    @property
    def values_read(self) -> list[str | None]:
        """The answers to reads, in their order."""
        return [response.value for response in self.reads]

    def writes(self, server: str) -> str:
        """The marks of the writes that took effect, such as "c1:1;c1:2;"."""
        return self.nodes[server].store.values.get("writes", "")

    def check_agreement(self) -> None:
        """Log Matching and State Machine Safety (Figure 3.2) between every two servers that are up."""
        up = [node.raft for node in self.nodes.values() if node.is_up]
        for one, other in combinations(up, 2):
            shared = min(one.log.last_index, other.log.last_index)
            same = [i for i in range(1, shared + 1) if one.log.term_at(Index(i)) == other.log.term_at(Index(i))]
            agreed = max(same, default=0)
            assert one.log.entries[:agreed] == other.log.entries[:agreed], "Log Matching"
            committed = min(one.commit_index, other.commit_index)
            assert one.log.entries[:committed] == other.log.entries[:committed], "State Machine Safety"

    def _sent(self, messages: tuple[Message, ...]) -> None:
        for message in messages:
            if isinstance(message, ClientResponse):
                self.answers.append(message)
            elif isinstance(message, ReadResponse):
                self.reads.append(message)
            else:
                self.network.append(message)
