"""Three servers under random timeouts, crashes, losses, copies and reordering: the properties of Figure 3.2 hold.

Beside them: a vote is never changed within a term, an answered write is never lost, each command takes effect once, and
the disk holds, after every step, what the core asked to persist.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from refimpl.entry import Entry
from refimpl.interface import Candidate, Leader
from refimpl.messages import RequestVoteResponse
from tests.refimpl.cluster import Cluster

SERVERS = ("s1", "s2", "s3")


class ClusterMachine(RuleBasedStateMachine):
    """History variables: who led each term, who voted for whom, and what was committed and answered."""

    cluster: Cluster
    leaders: dict[int, str]
    votes: dict[tuple[str, int], str]
    committed: dict[int, Entry]
    leader_logs: dict[int, tuple[Entry, ...]]
    serial: int

    @initialize()
    def start(self) -> None:
        self.cluster = Cluster(3)
        self.leaders, self.votes, self.committed, self.leader_logs, self.serial = {}, {}, {}, {}, 0

    @rule(server=st.sampled_from(SERVERS))
    def campaign(self, server: str) -> None:
        if self.is_up(server) and self.cluster.current_term(server) < 12:
            self.cluster.campaign(server)

    @precondition(lambda self: any(self.cluster.is_leader(server) for server in SERVERS))
    @rule(data=st.data())
    def replicate(self, data: st.DataObject) -> None:
        leader = data.draw(st.sampled_from([server for server in SERVERS if self.cluster.is_leader(server)]))
        peer = data.draw(st.sampled_from([server for server in SERVERS if server != leader]))
        self.cluster.replicate(leader, peer)

    @precondition(lambda self: any(self.cluster.is_leader(server) for server in SERVERS))
    @rule(data=st.data(), retry=st.booleans())
    def request(self, data: st.DataObject, retry: bool) -> None:
        leader = data.draw(st.sampled_from([server for server in SERVERS if self.cluster.is_leader(server)]))
        if not retry or self.serial == 0:
            self.serial += 1
        self.cluster.request("c1", self.serial, leader)

    @precondition(lambda self: self.cluster.network)
    @rule(data=st.data(), keep_copy=st.booleans())
    def deliver(self, data: st.DataObject, keep_copy: bool) -> None:
        message = data.draw(st.sampled_from(self.cluster.network))
        if not keep_copy:
            self.cluster.network.remove(message)
        if self.is_up(message.destination):
            self.cluster.receive(message)

    @precondition(lambda self: any(self.cluster.nodes[server].pending for server in SERVERS))
    @rule(data=st.data())
    def flush(self, data: st.DataObject) -> None:
        self.cluster.flush(data.draw(st.sampled_from([s for s in SERVERS if self.cluster.nodes[s].pending])))

    @rule(server=st.sampled_from(SERVERS))
    def apply(self, server: str) -> None:
        if self.is_up(server):
            self.cluster.apply_all(server)

    @rule(server=st.sampled_from(SERVERS))
    def answer(self, server: str) -> None:
        waiters = self.cluster.nodes[server].waiters
        if waiters and waiters[0].index <= self.cluster.nodes[server].raft.last_applied:
            self.cluster.answer(server)

    @rule(server=st.sampled_from(SERVERS), data=st.data())
    def crash(self, server: str, data: st.DataObject) -> None:
        if self.is_up(server):
            keep = data.draw(st.integers(0, len(self.cluster.nodes[server].pending)))
            self.cluster.crash(server, keep)
        else:
            self.cluster.restart(server)

    @rule(leader=st.sampled_from(SERVERS))
    def elect_if_possible(self, leader: str) -> None:
        """Whole elections, so that runs get past the first one."""
        if not all(self.is_up(server) for server in SERVERS) or self.cluster.is_leader(leader):
            return
        if self.cluster.current_term(leader) < 12:
            in_flight = list(self.cluster.network)
            self.cluster.try_to_elect(leader, *(server for server in SERVERS if server != leader))
            self.cluster.network.extend(in_flight)

    @rule(leader=st.sampled_from(SERVERS), peer=st.sampled_from(SERVERS))
    def copy_if_possible(self, leader: str, peer: str) -> None:
        if leader != peer and self.cluster.is_leader(leader) and self.is_up(peer):
            term = self.cluster.current_term(leader)
            if self.cluster.current_term(peer) <= term:
                self.cluster.flush_if_pending(leader)
                self.cluster.copy(leader, peer)

    # Properties ------------------------------------------------------------------------------------------------------

    @invariant()
    def election_safety_and_leader_append_only(self) -> None:
        for server in SERVERS:
            if self.cluster.is_leader(server):
                raft = self.cluster.nodes[server].raft
                assert self.leaders.setdefault(raft.current_term, server) == server
                before = self.leader_logs.get(raft.current_term, ())
                assert raft.log.entries[: len(before)] == before
                self.leader_logs[raft.current_term] = raft.log.entries

    @invariant()
    def one_vote_in_a_term(self) -> None:
        for message in self.cluster.network:
            if isinstance(message, RequestVoteResponse) and message.vote_granted:
                voter = (message.source, message.term)
                assert self.votes.setdefault(voter, message.destination) == message.destination
                assert self.durable_vote(message.source) >= message.term

    @invariant()
    def state_machine_safety_and_leader_completeness(self) -> None:
        for server in SERVERS:
            if self.is_up(server):
                raft = self.cluster.nodes[server].raft
                for index, entry in enumerate(raft.log.entries[: raft.commit_index], start=1):
                    assert self.committed.setdefault(index, entry) == entry
        self.cluster.check_agreement()
        newest = max(self.leaders, default=0)
        leader = self.leaders.get(newest)
        if leader is not None and self.cluster.is_leader(leader) and self.cluster.current_term(leader) == newest:
            log = self.cluster.nodes[leader].raft.log.entries
            assert all(log[index - 1] == entry for index, entry in self.committed.items())

    @invariant()
    def answered_writes_are_committed(self) -> None:
        serials = {entry.command.serial for entry in self.committed.values() if entry.command is not None}
        assert all(answer.serial in serials for answer in self.cluster.answers)

    @invariant()
    def each_command_takes_effect_once(self) -> None:
        for server in SERVERS:
            if self.is_up(server):
                marks = self.cluster.writes(server).split(";")[:-1]
                assert len(marks) == len(set(marks))

    @invariant()
    def the_disk_and_its_pending_frames_are_the_core_s_durable_state(self) -> None:
        for server in SERVERS:
            node = self.cluster.nodes[server]
            if node.is_up:
                assert (node.disk, *node.pending)[-1] == node.raft.durable
                assert not node.outbox or node.pending
                match node.raft.role:
                    case Leader(_, match_index):
                        assert match_index[node.config.server] <= node.disk.log.last_index
                    case Candidate(votes_granted):
                        assert server in votes_granted
                    case _:
                        assert node.waiters == ()

    def is_up(self, server: str) -> bool:
        return self.cluster.nodes[server].is_up

    def durable_vote(self, server: str) -> int:
        return self.cluster.nodes[server].disk.current_term


ClusterMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=80, deadline=None)
TestClusterMachine = ClusterMachine.TestCase
