"""Every rule that can be broken on purpose matters: the same schedule is safe with it and unsafe without it.

commit-prior-term-by-counting is in test_commitment.py, with Figure 3.7.
"""

from __future__ import annotations

import pytest

from refimpl.errors import ProtocolViolation
from refimpl.faults import Fault
from refimpl.messages import AppendEntries, AppendEntriesResponse, ClientResponse, RequestVote, RequestVoteResponse
from tests.refimpl.cluster import Cluster


def cluster_with(fault: Fault, broken: bool) -> Cluster:
    return Cluster(3, [fault] if broken else [])


@pytest.mark.parametrize("broken", [False, True])
def test_new_leader_auto_commits_loses_an_answered_write(broken: bool) -> None:
    """§3.6.2: s1 has the only copy of a write, wins the next term with s2, and takes it for committed at once."""
    cluster = cluster_with(Fault.NEW_LEADER_AUTO_COMMITS, broken)
    cluster.elect("s1", "s2")
    cluster.request("c1", 1, "s1")
    cluster.flush("s1")
    cluster.crash("s1")
    cluster.restart("s1")
    cluster.elect("s1", "s2")
    cluster.apply_all("s1")
    cluster.request("c1", 1, "s1")
    assert bool(cluster.answers) is broken
    cluster.elect("s2", "s3")
    assert not any(entry.command for entry in cluster.nodes["s2"].raft.log.entries)
    if broken:
        cluster.copy("s2", "s1")
        assert cluster.nodes["s1"].raft.commit_index > 1
        assert not any(entry.command for entry in cluster.nodes["s1"].raft.log.entries), "the answered write is lost"


@pytest.mark.parametrize("broken", [False, True])
def test_vote_not_durable_elects_two_leaders_in_a_term(broken: bool) -> None:
    """§3.8: s2 votes for s1, crashes, and is asked by s3 in the same term."""
    cluster = cluster_with(Fault.VOTE_NOT_DURABLE, broken)
    cluster.elect("s1", "s2")
    cluster.crash("s2")
    cluster.restart("s2")
    cluster.try_to_elect("s3", "s2")
    assert cluster.is_leader("s1")
    assert cluster.current_term("s3") == cluster.current_term("s1") == 1
    assert cluster.is_leader("s3") is broken
    if broken:
        cluster.replicate("s3", "s1")
        with pytest.raises(ProtocolViolation, match="one leader in a term"):
            cluster.deliver(AppendEntries, "s3", "s1")


@pytest.mark.parametrize("broken", [False, True])
def test_follower_acks_before_fsync_loses_an_answered_write(broken: bool) -> None:
    """§3.8: s2 acknowledges, the leader answers the client, s2 loses the entry and elects s3."""
    cluster = cluster_with(Fault.FOLLOWER_ACKS_BEFORE_FSYNC, broken)
    cluster.elect("s1", "s2")
    cluster.copy("s1", "s2")
    cluster.flush("s1")
    cluster.request("c1", 1, "s1")
    cluster.flush("s1")
    cluster.replicate("s1", "s2")
    cluster.deliver(AppendEntries, "s1", "s2")
    acknowledged = any(isinstance(message, AppendEntriesResponse) for message in cluster.network)
    assert acknowledged is broken
    if broken:
        cluster.deliver(AppendEntriesResponse, "s2", "s1")
        cluster.apply_all("s1")
        cluster.answer("s1")
    cluster.crash("s2", keep=0)
    cluster.restart("s2")
    cluster.crash("s1", keep=len(cluster.nodes["s1"].pending))
    cluster.elect("s2", "s3")
    assert not any(entry.command for entry in cluster.nodes["s2"].raft.log.entries)
    assert bool(cluster.answers) is broken


@pytest.mark.parametrize("broken", [False, True])
def test_reply_at_append_loses_an_answered_write(broken: bool) -> None:
    """§3.5: the client hears of success while the leader's memory has the only copy."""
    cluster = cluster_with(Fault.REPLY_AT_APPEND, broken)
    cluster.elect("s1", "s2")
    cluster.request("c1", 1, "s1")
    assert [type(answer) for answer in cluster.answers] == ([ClientResponse] if broken else [])
    cluster.crash("s1", keep=0)
    cluster.restart("s1")
    assert cluster.terms("s1") == [1]


@pytest.mark.parametrize("broken", [False, True])
def test_no_dedup_lets_a_retry_take_effect_again(broken: bool) -> None:
    """§6.3: the leader cannot recognise a retry of a command that it has not applied; the state machine can."""
    cluster = cluster_with(Fault.NO_DEDUP, broken)
    cluster.elect("s1", "s2")
    for _ in range(2):
        cluster.request("c1", 1, "s1")
    cluster.flush("s1")
    for _ in range(3):
        cluster.copy("s1", "s2")
    cluster.apply_all("s1")
    assert cluster.writes("s1") == ("c1:1;c1:1;" if broken else "c1:1;")


def test_a_fault_changes_nothing_where_its_rule_is_not_used() -> None:
    """The labels of an election without a crash give the same messages whatever is broken."""
    networks = []
    for broken in ([], list(Fault)):
        cluster = Cluster(3, broken)
        cluster.campaign("s1")
        cluster.flush("s1")
        cluster.deliver(RequestVote, "s1", "s2")
        cluster.flush("s2")
        cluster.deliver(RequestVoteResponse, "s2", "s1")
        assert cluster.is_leader("s1")
        networks.append(cluster.network)
    assert networks[0] == networks[1]
