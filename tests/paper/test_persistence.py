"""Ongaro 2014 §3.8: what is on disk before anyone hears of it, and what a restart may forget."""

from __future__ import annotations

from refimpl.interface import Follower
from refimpl.messages import AppendEntries, AppendEntriesResponse, RequestVote, RequestVoteResponse
from tests.refimpl.cluster import Cluster


def test_a_vote_is_on_disk_before_it_is_heard_of() -> None:
    """§3.8: a server persists its term and vote, so that it does not vote twice in a term."""
    cluster = Cluster(3)
    cluster.campaign("s1")
    cluster.flush("s1")
    cluster.network.pop()
    cluster.deliver(RequestVote, "s1", "s2")
    assert cluster.network == []
    assert cluster.nodes["s2"].disk.voted_for is None
    cluster.flush("s2")
    assert [type(message) for message in cluster.network] == [RequestVoteResponse]
    assert cluster.nodes["s2"].disk.voted_for == "s1"


def test_a_voter_that_crashes_after_its_answer_does_not_vote_again_in_the_term() -> None:
    """§3.8: the vote survives the crash."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.crash("s2")
    cluster.restart("s2")
    cluster.try_to_elect("s3", "s2")
    assert not cluster.is_leader("s3")


def test_a_voter_that_crashes_before_its_flush_has_promised_nothing() -> None:
    """§3.8: the answer was lost with the vote, so that the server is free to vote for another."""
    cluster = Cluster(3)
    cluster.campaign("s1")
    cluster.flush("s1")
    cluster.deliver(RequestVote, "s1", "s2")
    cluster.crash("s2", keep=0)
    cluster.restart("s2")
    assert not any(isinstance(message, RequestVoteResponse) for message in cluster.network)
    cluster.try_to_elect("s3", "s2")
    assert cluster.is_leader("s3")
    assert cluster.current_term("s3") == 1


def test_a_candidate_asks_for_votes_after_its_own_is_on_disk() -> None:
    """§3.8: a candidate that crashed before the flush could otherwise vote for another in the same term."""
    cluster = Cluster(3)
    cluster.campaign("s1")
    assert cluster.network == []
    cluster.crash("s1", keep=0)
    cluster.restart("s1")
    assert (cluster.current_term("s1"), cluster.nodes["s1"].raft.voted_for) == (0, None)


def test_the_term_never_goes_back_over_a_crash() -> None:
    """§3.8: the term is persisted, so that no stale request is taken for a current one after a restart."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.elect("s3", "s2")
    cluster.crash("s2")
    cluster.restart("s2")
    assert cluster.current_term("s2") == 2
    cluster.replicate("s1", "s2")
    cluster.deliver(AppendEntries, "s1", "s2")
    assert cluster.terms("s2") == []


def test_an_acknowledged_entry_survives_a_crash() -> None:
    """§3.8: entries are on disk before they count towards commitment."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.replicate("s1", "s2")
    cluster.deliver(AppendEntries, "s1", "s2")
    assert not any(isinstance(message, AppendEntriesResponse) for message in cluster.network)
    cluster.flush("s2")
    assert any(isinstance(message, AppendEntriesResponse) for message in cluster.network)
    cluster.crash("s2")
    cluster.restart("s2")
    assert cluster.terms("s2") == [1]


def test_an_entry_that_was_not_acknowledged_may_be_lost_and_is_sent_again() -> None:
    """§3.7: a crashed follower's missing responses make the leader retry; the retry finds the shorter log."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.replicate("s1", "s2")
    cluster.deliver(AppendEntries, "s1", "s2")
    cluster.crash("s2", keep=0)
    cluster.restart("s2")
    assert cluster.terms("s2") == []
    cluster.copy("s1", "s2")
    assert cluster.commit_index("s1") == 1


def test_a_leader_comes_back_as_a_follower() -> None:
    """§3.8 and Figure 3.1: role, next_index and match_index are volatile."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.crash("s1")
    cluster.restart("s1")
    assert cluster.nodes["s1"].raft.role == Follower()
    assert cluster.terms("s1") == [1]


def test_the_commit_index_may_be_lost_and_is_learnt_again() -> None:
    """§3.8: the commit index can safely be reinitialized; here its record is written, but nobody waits for it."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.copy("s1", "s2")
    assert (cluster.commit_index("s1"), cluster.nodes["s1"].disk.commit_index) == (1, 0)
    cluster.crash("s1", keep=0)
    cluster.restart("s1")
    assert cluster.commit_index("s1") == 0
    cluster.elect("s1", "s2")
    cluster.copy("s1", "s2")
    assert cluster.commit_index("s1") == 2


def test_a_volatile_state_machine_is_built_again_from_the_log() -> None:
    """§3.8: a volatile state machine must be recovered after a restart by reapplying log entries."""
    cluster = Cluster(1)
    cluster.campaign("s1")
    cluster.flush("s1")
    cluster.request("c1", 1, "s1")
    cluster.flush("s1")
    cluster.apply_all("s1")
    cluster.flush("s1")
    for _ in range(2):
        cluster.crash("s1")
        cluster.restart("s1")
        assert cluster.writes("s1") == ""
        cluster.apply_all("s1")
        assert cluster.writes("s1") == "c1:1;"
