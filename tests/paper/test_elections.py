"""Ongaro 2014 §3.3, §3.4 and §3.6.1: terms, elections, and who may win them."""

from __future__ import annotations

import pytest

from refimpl.entry import Index, ServerId, Term
from refimpl.interface import Candidate, Follower
from refimpl.messages import AppendEntries, RequestVote, RequestVoteResponse
from tests.refimpl.cluster import Cluster


def test_servers_start_as_followers_in_term_0() -> None:
    """§3.4: "When servers start up, they begin as followers."; Figure 3.1: currentTerm is initialized to 0."""
    for node in Cluster(3).nodes.values():
        assert (node.raft.role, node.raft.current_term) == (Follower(), 0)


def test_a_follower_that_times_out_enters_the_next_term_and_votes_for_itself() -> None:
    """§3.4: to begin an election a follower increments its term, becomes a candidate and votes for itself."""
    cluster = Cluster(3)
    cluster.campaign("s1")
    raft = cluster.nodes["s1"].raft
    assert (raft.current_term, raft.voted_for, raft.role) == (1, "s1", Candidate(frozenset({ServerId("s1")})))


def test_a_candidate_wins_with_the_votes_of_a_majority() -> None:
    """§3.4: a candidate wins if it receives votes from a majority of the servers in the full cluster."""
    cluster = Cluster(5)
    cluster.try_to_elect("s1", "s2")
    assert not cluster.is_leader("s1")
    cluster.elect("s1", "s2", "s3")
    assert cluster.current_term("s1") == 2


def test_a_server_votes_for_one_candidate_in_a_term_first_come_first_served() -> None:
    """§3.4: "Each server will vote for at most one candidate in a given term"."""
    cluster = Cluster(3)
    for candidate in ("s1", "s2"):
        cluster.campaign(candidate)
        cluster.flush(candidate)
        cluster.deliver(RequestVote, candidate, "s3")
    cluster.flush("s3")
    votes = [message for message in cluster.network if isinstance(message, RequestVoteResponse)]
    assert [(vote.destination, vote.vote_granted) for vote in votes] == [("s1", True), ("s2", False)]


def test_a_repeated_request_gets_the_same_vote_again() -> None:
    """§3.3: servers retry remote procedure calls, so a vote is granted again to the candidate that has it."""
    cluster = Cluster(3)
    cluster.campaign("s1")
    cluster.flush("s1")
    for _ in range(2):
        cluster.receive(RequestVote(ServerId("s1"), ServerId("s2"), Term(1), Index(0), Term(0)))
    cluster.flush("s2")
    votes = [message.vote_granted for message in cluster.network if isinstance(message, RequestVoteResponse)]
    assert votes == [True, True]


def test_a_split_vote_is_resolved_in_a_later_term() -> None:
    """§3.4: with no majority each candidate times out and starts a new election in the next term."""
    cluster = Cluster(4)
    for candidate, voter in (("s1", "s3"), ("s2", "s4")):
        cluster.try_to_elect(candidate, voter)
    assert not any(cluster.is_leader(server) for server in cluster.nodes)
    cluster.elect("s1", "s2", "s3")
    assert cluster.current_term("s1") == 2


def test_a_candidate_that_hears_the_leader_of_its_term_becomes_a_follower() -> None:
    """§3.4: if the leader's term is at least as large as the candidate's, the candidate returns to follower state."""
    cluster = Cluster(3)
    cluster.campaign("s3")
    cluster.try_to_elect("s1", "s2")
    assert cluster.current_term("s3") == cluster.current_term("s1")
    cluster.replicate("s1", "s3")
    cluster.deliver(AppendEntries, "s1", "s3")
    assert cluster.nodes["s3"].raft.role == Follower()


def test_a_candidate_ignores_a_leader_of_an_earlier_term() -> None:
    """§3.4: if the term in the RPC is smaller, the candidate rejects the RPC and continues in candidate state."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.campaign("s3")
    cluster.campaign("s3")
    cluster.replicate("s1", "s3")
    cluster.deliver(AppendEntries, "s1", "s3")
    assert isinstance(cluster.nodes["s3"].raft.role, Candidate)


def test_a_leader_that_learns_of_a_newer_term_steps_down() -> None:
    """§3.3: a candidate or leader that discovers that its term is out of date immediately reverts to follower."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.elect("s3", "s2")
    cluster.replicate("s3", "s1")
    cluster.deliver(AppendEntries, "s3", "s1")
    raft = cluster.nodes["s1"].raft
    assert (raft.role, raft.current_term) == (Follower(), 2)


def test_a_request_with_a_stale_term_is_rejected() -> None:
    """§3.3: "If a server receives a request with a stale term number, it rejects the request."."""
    cluster = Cluster(3)
    cluster.campaign("s1")
    cluster.flush("s1")
    cluster.campaign("s2")
    cluster.campaign("s2")
    cluster.flush("s2")
    cluster.deliver(RequestVote, "s1", "s2")
    refusal = RequestVoteResponse(ServerId("s2"), ServerId("s1"), Term(2), False)
    assert refusal in cluster.network


@pytest.mark.parametrize(
    ("last_index", "last_term", "granted"),
    [(2, 1, False), (3, 1, False), (1, 2, False), (2, 2, True), (3, 2, True), (1, 3, True)],
)
def test_a_vote_needs_a_log_that_is_at_least_as_up_to_date(last_index: int, last_term: int, granted: bool) -> None:
    """§3.6.1: the log with the later last term is more up-to-date; with equal terms, the longer one."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.copy("s1", "s2")
    cluster.elect("s2", "s1")
    assert cluster.terms("s2") == [1, 2]
    cluster.receive(RequestVote(ServerId("s3"), ServerId("s2"), Term(9), Index(last_index), Term(last_term)))
    cluster.flush("s2")
    (response,) = cluster.network
    assert response == RequestVoteResponse(ServerId("s2"), ServerId("s3"), Term(9), granted)


def test_a_candidate_without_a_committed_entry_cannot_win() -> None:
    """§3.6.1: a committed entry is on a majority, so one of any majority of voters has it and refuses."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.copy("s1", "s2")
    assert cluster.commit_index("s1") == 1
    cluster.try_to_elect("s3", "s1", "s2")
    assert not cluster.is_leader("s3")
