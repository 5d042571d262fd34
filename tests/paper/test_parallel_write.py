"""Ongaro 2014 §10.2.1: the leader writes to its disk in parallel with its followers."""

from __future__ import annotations

from refimpl.messages import AppendEntries, AppendEntriesResponse
from tests.refimpl.cluster import Cluster


def test_a_leader_sends_an_entry_before_it_has_flushed_it() -> None:
    """§10.2.1: the leader can write its disk in parallel with replicating to the followers."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.copy("s1", "s2")
    cluster.request("c1", 1, "s1")
    cluster.replicate("s1", "s2")
    assert cluster.nodes["s1"].disk.log.last_index == 1
    assert [len(message.entries) for message in cluster.network if isinstance(message, AppendEntries)] == [1]


def test_a_leader_counts_itself_only_up_to_what_it_has_flushed() -> None:
    """§10.2.1: the leader may not count its own copy before it is on its disk."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.copy("s1", "s2")
    cluster.flush("s1")
    cluster.request("c1", 1, "s1")
    cluster.copy("s1", "s2")
    assert cluster.leader("s1").match_index == {"s1": 1, "s2": 2, "s3": 0}
    assert cluster.commit_index("s1") == 1
    cluster.flush("s1")
    assert cluster.leader("s1").match_index == {"s1": 2, "s2": 2, "s3": 0}
    assert cluster.commit_index("s1") == 2


def test_an_entry_may_be_committed_before_the_leader_has_flushed_it() -> None:
    """§10.2.1: a majority of followers suffices, even though the leader's own disk is behind."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2", "s3")
    cluster.request("c1", 1, "s1")
    for follower in ("s2", "s3"):
        cluster.copy("s1", follower)
        cluster.copy("s1", follower)
    assert cluster.nodes["s1"].disk.log.last_index == 1
    assert cluster.commit_index("s1") == 2


def test_a_leader_that_crashes_before_its_flush_loses_its_copy_and_gets_the_committed_entry_back() -> None:
    """§10.2.1: the followers that made it committed have it on disk, and one of them leads next."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2", "s3")
    cluster.request("c1", 1, "s1")
    for follower in ("s2", "s3"):
        cluster.copy("s1", follower)
        cluster.copy("s1", follower)
    cluster.crash("s1", keep=0)
    cluster.restart("s1")
    assert cluster.terms("s1") == [1]
    cluster.try_to_elect("s1", "s2", "s3")
    assert not cluster.is_leader("s1")
    cluster.elect("s2", "s1")
    for _ in range(3):
        cluster.copy("s2", "s1")
    assert cluster.terms("s1") == [1, 1, 3]


def test_a_follower_does_not_acknowledge_in_parallel() -> None:
    """§10.2.1: the parallel write is the leader's only; a follower's acknowledgement says that its disk has it."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.replicate("s1", "s2")
    cluster.deliver(AppendEntries, "s1", "s2")
    assert [type(message) for message in cluster.nodes["s2"].outbox] == [AppendEntriesResponse]
