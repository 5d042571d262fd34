"""Ongaro 2014 §6.3 and §6.4: commands that take effect once, and the no-op of a new leader."""

from __future__ import annotations

from refimpl.entry import Entry, Term
from tests.refimpl.cluster import Cluster


def with_an_answered_write() -> Cluster:
    """s1 leads term 1 and has answered c1:1, which is on s1 and s2."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.request("c1", 1, "s1")
    cluster.flush("s1")
    cluster.copy("s1", "s2")
    cluster.copy("s1", "s2")
    cluster.apply_all("s1")
    cluster.answer("s1")
    return cluster


def test_a_client_is_answered_after_its_entry_is_committed_and_applied() -> None:
    """§3.5: when the entry has been safely replicated, the leader applies it and returns the result to the client."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.request("c1", 1, "s1")
    cluster.flush("s1")
    cluster.copy("s1", "s2")
    cluster.copy("s1", "s2")
    assert cluster.answers == []
    cluster.apply("s1")
    assert [waiter.index for waiter in cluster.nodes["s1"].waiters] == [2]
    cluster.apply("s1")
    cluster.answer("s1")
    assert [answer.serial for answer in cluster.answers] == [1]


def test_a_retry_of_an_applied_command_is_answered_at_once_without_an_entry() -> None:
    """§6.3: a serial number that has been executed already is answered immediately, without executing it again."""
    cluster = with_an_answered_write()
    cluster.request("c1", 1, "s1")
    assert [answer.serial for answer in cluster.answers] == [1, 1]
    assert len(cluster.terms("s1")) == 2


def test_a_retry_at_a_new_leader_that_has_not_applied_the_command_takes_effect_once() -> None:
    """§6.3: a leader that crashes after committing but before answering makes the client retry at a new leader."""
    cluster = with_an_answered_write()
    cluster.crash("s1")
    cluster.elect("s2", "s3")
    cluster.request("c1", 1, "s2")
    cluster.flush("s2")
    for _ in range(5):
        cluster.copy("s2", "s3")
    cluster.apply_all("s2")
    cluster.answer("s2")
    assert len(cluster.terms("s2")) == 4
    assert cluster.writes("s2") == "c1:1;"
    assert [(answer.source, answer.serial) for answer in cluster.answers] == [("s1", 1), ("s2", 1)]


def test_every_copy_of_a_command_that_is_waited_for_is_answered() -> None:
    """§6.3: a retry before the first copy is applied is an entry of its own; both take effect as one."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    for _ in range(2):
        cluster.request("c1", 1, "s1")
    cluster.flush("s1")
    for _ in range(3):
        cluster.copy("s1", "s2")
    cluster.apply_all("s1")
    cluster.answer("s1")
    cluster.answer("s1")
    assert cluster.writes("s1") == "c1:1;"
    assert len(cluster.answers) == 2


def test_sessions_are_part_of_the_replicated_state() -> None:
    """§6.3: every server's state machine keeps the sessions, so a follower that becomes leader can filter, too."""
    cluster = with_an_answered_write()
    cluster.copy("s1", "s2")
    cluster.apply_all("s2")
    cluster.elect("s2", "s3")
    cluster.request("c1", 1, "s2")
    assert [(answer.source, answer.serial) for answer in cluster.answers] == [("s1", 1), ("s2", 1)]


def test_a_deposed_leader_answers_nobody() -> None:
    """§6.3: whether the entries of its waiters will be committed is unknown to it; the clients retry elsewhere."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.request("c1", 1, "s1")
    cluster.flush("s1")
    cluster.elect("s3", "s2")
    cluster.copy("s3", "s1")
    assert cluster.nodes["s1"].waiters == ()
    cluster.apply_all("s1")
    assert cluster.answers == []
    assert cluster.writes("s1") == ""


def test_a_new_leader_starts_its_term_with_a_no_op() -> None:
    """§6.4: each leader commits a blank no-op entry at the start of its term."""
    cluster = Cluster(3)
    cluster.elect("s1", "s2")
    cluster.elect("s2", "s3")
    assert cluster.nodes["s2"].raft.log.entries == (Entry(Term(2), None),)


def test_the_no_op_commits_what_earlier_leaders_left() -> None:
    """§6.4: as soon as the no-op is committed the leader's commit index is as large as any other server's."""
    cluster = with_an_answered_write()
    cluster.crash("s1")
    cluster.elect("s2", "s3")
    assert cluster.commit_index("s2") == 1
    for _ in range(4):
        cluster.copy("s2", "s3")
    assert cluster.terms("s2") == [1, 1, 2]
    assert cluster.commit_index("s2") == 3
