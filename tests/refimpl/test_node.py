"""One server with its queues: each effect happens when the driver asks, and a crash takes what did not."""

from __future__ import annotations

import pytest

from refimpl.durable import INITIAL
from refimpl.entry import Entry, Index, ServerId, Term
from refimpl.errors import DiskError, DiskFull, ImpossibleRequest, ProtocolViolation, WalDamaged
from refimpl.interface import Config, ElectionTimeout, Follower, Receive
from refimpl.messages import AppendEntries, AppendEntriesResponse, RequestVote, RequestVoteResponse
from refimpl.node import Node
from refimpl.segments import segment_name
from refimpl.simulated_directory import SimulatedDirectory
from tests.refimpl.cluster import Cluster

S1, S2, S3 = ServerId("s1"), ServerId("s2"), ServerId("s3")
NO_OP = Entry(Term(1), None)


def node(disk: SimulatedDirectory | None = None) -> Node:
    return Node(Config(S1, (S1, S2, S3)), disk or SimulatedDirectory())


def append(prev: int, prev_term: int, *entries: Entry, commit: int = 0) -> Receive:
    return Receive(AppendEntries(S2, S1, Term(1), Index(prev), Term(prev_term), entries, Index(commit)))


def test_messages_wait_for_the_flush_of_the_frame_of_their_step() -> None:
    one = node()
    assert one.handle(ElectionTimeout()) == ()
    requests = tuple(RequestVote(S1, peer, Term(1), Index(0), Term(0)) for peer in (S2, S3))
    assert one.outbox == requests
    assert (one.disk, len(one.pending)) == (INITIAL, 1)
    assert one.flush() == requests
    assert (one.disk, one.pending, one.outbox) == (one.raft.durable, (), ())


def test_a_message_without_a_frame_leaves_at_once_if_nothing_is_unflushed() -> None:
    one = node()
    one.handle(append(0, 0))
    one.flush()
    refusal = AppendEntriesResponse(S1, S2, Term(1), False, Index(0))
    assert one.handle(append(5, 1)) == (refusal,)


def test_a_message_without_a_frame_waits_for_every_frame_before_it() -> None:
    one = node()
    one.handle(append(0, 0, NO_OP))
    assert one.handle(append(5, 1)) == ()
    assert [message.index for message in one.flush() if isinstance(message, AppendEntriesResponse)] == [1, 1]


def test_an_unflushed_commit_mark_holds_back_an_acknowledgement() -> None:
    one = node()
    one.handle(append(0, 0, NO_OP))
    one.flush()
    assert one.handle(append(1, 1, commit=1)) == ()
    assert len(one.pending) == 1
    assert one.handle(append(1, 1, commit=1)) == ()
    assert len(one.flush()) == 2


def test_pending_shows_the_state_after_each_frame() -> None:
    one = node()
    one.handle(append(0, 0, NO_OP))
    one.handle(append(1, 1, NO_OP, commit=1))
    assert [(state.log.last_index, state.commit_index) for state in one.pending] == [(1, 0), (2, 1)]


@pytest.mark.parametrize(("keep", "last_index"), [(0, 0), (1, 1), (2, 2)])
def test_a_crash_keeps_the_first_frames_and_no_message(keep: int, last_index: int) -> None:
    one = node()
    one.handle(append(0, 0, NO_OP))
    one.handle(append(1, 1, NO_OP))
    one.crash(keep)
    assert (one.is_up, one.outbox, one.pending, one.waiters) == (False, (), (), ())
    assert one.disk.log.last_index == last_index
    one.restart()
    assert one.raft.log.last_index == last_index
    assert one.raft.role == Follower()
    assert one.pending == ()


def test_a_torn_frame_does_not_count() -> None:
    one = node()
    one.handle(append(0, 0, NO_OP))
    one.handle(append(1, 1, NO_OP))
    one.crash(keep=1, torn_bytes=7)
    assert one.disk.log.last_index == 1
    one.restart()
    one.handle(append(1, 1, NO_OP))
    one.crash(keep=1)
    assert one.disk.log.last_index == 2


def test_a_restart_applies_the_committed_entries_again_to_an_empty_store() -> None:
    cluster = Cluster(1)
    cluster.campaign("s1")
    cluster.flush("s1")
    cluster.flush("s1")
    cluster.request("c1", 1, "s1")
    cluster.flush("s1")
    cluster.apply_all("s1")
    assert cluster.writes("s1") == "c1:1;"
    cluster.flush("s1")
    cluster.crash("s1")
    cluster.restart("s1")
    assert (cluster.nodes["s1"].raft.last_applied, cluster.writes("s1")) == (0, "")
    cluster.apply_all("s1")
    assert cluster.writes("s1") == "c1:1;"


def test_a_queued_answer_is_still_a_waiter_until_it_is_sent() -> None:
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.request("c1", 1, "s1")
    cluster.flush("s1")
    cluster.copy("s1", "s2")
    cluster.copy("s1", "s2")
    one = cluster.nodes["s1"]
    with pytest.raises(ImpossibleRequest, match="no answer queued"):
        cluster.answer("s1")
    cluster.apply_all("s1")
    assert [waiter.client for waiter in one.waiters] == ["c1"]
    cluster.answer("s1")
    assert one.waiters == ()
    assert [(answer.source, answer.destination, answer.serial) for answer in cluster.answers] == [("s1", "c1", 1)]


def test_a_leader_that_steps_down_drops_queued_answers() -> None:
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.request("c1", 1, "s1")
    cluster.flush("s1")
    cluster.copy("s1", "s2")
    cluster.copy("s1", "s2")
    cluster.apply_all("s1")
    cluster.request("c1", 2, "s1")
    assert [waiter.serial for waiter in cluster.nodes["s1"].waiters] == [1, 2]
    cluster.receive(RequestVoteResponse(S3, S1, Term(9), False))
    assert not cluster.nodes["s1"].waiters
    with pytest.raises(ImpossibleRequest, match="no answer queued"):
        cluster.answer("s1")


def test_what_cannot_be_done_is_an_error_in_three_parts() -> None:
    one = node()
    with pytest.raises(ImpossibleRequest, match=r"found: s1: flush without .*; allowed: .*; what to do: "):
        one.flush()
    with pytest.raises(ImpossibleRequest, match="nothing committed that is not applied"):
        one.apply_next()
    with pytest.raises(ImpossibleRequest, match="keeps 1 frames"):
        one.crash(keep=1)
    with pytest.raises(ImpossibleRequest, match="restart of a server that is up"):
        one.restart()
    one.crash()
    for request in (one.flush, one.apply_next, one.answer_next, one.crash):
        with pytest.raises(ImpossibleRequest, match="server that is down"):
            request()
    with pytest.raises(ImpossibleRequest, match="take an input"):
        one.handle(ElectionTimeout())


def test_a_server_whose_disk_is_full_stops_and_sends_nothing() -> None:
    disk = SimulatedDirectory(capacity=30)
    one = node(disk)
    with pytest.raises(DiskFull):
        one.handle(ElectionTimeout())
    assert (one.is_up, one.outbox) == (False, ())
    disk.capacity = None
    one.restart()
    assert one.raft.current_term == 0


def test_a_server_whose_fsync_fails_stops_and_acknowledges_nothing() -> None:
    disk = SimulatedDirectory()
    one = node(disk)
    one.handle(append(0, 0, NO_OP))
    disk.failing_sync = 1
    with pytest.raises(DiskError):
        one.flush()
    assert (one.is_up, one.outbox) == (False, ())


def test_a_message_that_breaks_the_protocol_changes_nothing() -> None:
    one = node()
    one.handle(append(0, 0, NO_OP, commit=1))
    before = (one.raft.durable, one.raft.role, one.pending, one.outbox)
    with pytest.raises(ProtocolViolation):
        one.handle(Receive(AppendEntries(S2, S1, Term(2), Index(0), Term(0), (Entry(Term(2), None),), Index(0))))
    assert (one.raft.durable, one.raft.role, one.pending, one.outbox) == before


def test_a_server_does_not_start_from_a_damaged_disk() -> None:
    disk = SimulatedDirectory()
    one = node(disk)
    for prev in range(2):
        one.handle(append(prev, prev, NO_OP))
        one.flush()
    ((name, contents),) = disk.contents
    damaged = bytearray(contents)
    damaged[20] ^= 1
    with pytest.raises(WalDamaged, match=rf"disk/{segment_name(0)}: damage at byte 0"):
        node(SimulatedDirectory(files={name: bytes(damaged)}))
