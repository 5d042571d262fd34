"""Ongaro 2014 §3.5: how logs are made equal, and why two that agree at an index agree before it."""

from __future__ import annotations

import pytest

from refimpl.entry import Entry, Index, ServerId, Term
from refimpl.messages import AppendEntries, AppendEntriesResponse
from tests.refimpl.cluster import Cluster


def test_an_entry_is_committed_once_a_majority_has_it_and_all_before_it_too() -> None:
    """§3.5: an entry is committed once the leader has replicated it on a majority; so are all preceding entries."""
    cluster = Cluster(5)
    cluster.elect("s1", "s2", "s3")
    cluster.request("c1", 1, "s1")
    cluster.flush("s1")
    for follower in ("s2", "s2", "s3"):
        cluster.copy("s1", follower)
    assert cluster.commit_index("s1") == 1
    cluster.copy("s1", "s3")
    assert cluster.commit_index("s1") == 2


def test_followers_learn_of_the_commitment_from_later_appends() -> None:
    """§3.5: the leader includes the highest index it knows to be committed in future AppendEntries."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.copy("s1", "s2")
    assert cluster.commit_index("s2") == 0
    cluster.copy("s1", "s2")
    assert cluster.commit_index("s2") == 1
    cluster.apply_all("s2")
    assert cluster.nodes["s2"].raft.last_applied == 1


def test_a_follower_refuses_an_entry_if_it_lacks_the_one_before_it() -> None:
    """§3.5: if the follower finds no entry with the same index and term, it refuses the new entries: no gaps."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    entry = Entry(Term(1), None)
    cluster.receive(AppendEntries(ServerId("s1"), ServerId("s3"), Term(1), Index(1), Term(1), (entry,), Index(0)))
    cluster.flush("s3")
    assert cluster.terms("s3") == []
    assert cluster.network == [
        AppendEntriesResponse(ServerId("s3"), ServerId("s1"), Term(1), success=False, index=Index(0))
    ]


def test_a_follower_that_missed_entries_catches_up_in_order_after_one_rejection() -> None:
    """§3.5: the leader steps next_index back; a follower's hint spares one rejection per missing entry."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    for serial in (1, 2, 3):
        cluster.request("c1", serial, "s1")
    cluster.flush("s1")
    for _ in range(4):
        cluster.copy("s1", "s2")
    cluster.elect("s2", "s1")
    lengths = []
    for _ in range(6):
        cluster.copy("s2", "s3")
        lengths.append(len(cluster.terms("s3")))
    assert lengths == [0, 1, 2, 3, 4, 5]
    assert cluster.terms("s3") == [1, 1, 1, 1, 2]


def test_conflicting_entries_of_a_follower_are_overwritten_by_the_leader_s() -> None:
    """§3.5: the leader forces the followers' logs to duplicate its own (Figure 3.6 has such logs)."""
    cluster = Cluster(3)
    cluster.elect("s3", "s2")
    for server in ("s1", "s2"):
        cluster.copy("s3", server)
    for serial in (1, 2):
        cluster.request("c1", serial, "s3")
    cluster.flush("s3")
    cluster.elect("s1", "s2")
    assert (cluster.terms("s3"), cluster.terms("s1")) == ([1, 1, 1], [1, 2])
    cluster.copy("s1", "s3")
    assert cluster.terms("s3") == [1, 2]
    assert cluster.nodes["s3"].raft.log == cluster.nodes["s1"].raft.log
    cluster.check_agreement()


def test_a_leader_never_overwrites_or_deletes_its_own_entries() -> None:
    """§3.5, Leader Append-Only: what a follower has beyond or beside the leader's log does not change the leader."""
    cluster = Cluster(3)
    cluster.elect("s3", "s2")
    cluster.request("c1", 1, "s3")
    cluster.flush("s3")
    cluster.elect("s1", "s2")
    before = cluster.nodes["s1"].raft.log
    cluster.copy("s1", "s3")
    cluster.request("c2", 1, "s1")
    assert cluster.nodes["s1"].raft.log.entries[: before.last_index] == before.entries


def test_a_late_copy_of_an_append_does_not_shorten_the_log() -> None:
    """§3.5 and Figure 3.1, AppendEntries 3: only an entry that conflicts is deleted, with those that follow it."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.replicate("s1", "s2")
    late = cluster.network.pop()
    cluster.request("c1", 1, "s1")
    cluster.flush("s1")
    cluster.copy("s1", "s2")
    cluster.copy("s1", "s2")
    cluster.receive(late)
    assert cluster.terms("s2") == [1, 1]


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_a_request_may_arrive_several_times(copies: int) -> None:
    """§3.3: Raft's remote procedure calls are idempotent, so it does no harm to repeat them."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.replicate("s1", "s2")
    for _ in range(copies):
        cluster.receive(cluster.network[0])
    cluster.flush("s2")
    for _ in range(copies):
        cluster.deliver(AppendEntriesResponse, "s2", "s1")
    assert cluster.terms("s2") == [1]
    assert cluster.leader("s1").match_index[ServerId("s2")] == 1


def test_logs_that_agree_at_an_index_agree_before_it() -> None:
    """§3.5, Log Matching: the consistency check is an induction step; here over four terms."""
    cluster = Cluster(3)
    for leader, voter, other in (("s1", "s2", "s3"), ("s2", "s3", "s1"), ("s3", "s2", "s1"), ("s2", "s3", "s1")):
        cluster.elect(leader, voter)
        cluster.request("c1", cluster.current_term(leader), leader)
        cluster.flush(leader)
        for _ in range(7):
            cluster.copy(leader, voter)
            cluster.check_agreement()
        cluster.copy(leader, other)
        cluster.check_agreement()
