"""Ongaro 2014 §6.4: reads that a leader answers without an entry, and what each of their three waits is for.

Each wait is taken out once (refimpl/faults.py): the same schedule then answers with a value from before the write.
"""

from __future__ import annotations

import pytest

from refimpl.entry import ServerId
from refimpl.faults import Fault
from refimpl.messages import AppendEntries, AppendEntriesResponse
from tests.refimpl.cluster import Cluster


def write(cluster: Cluster, leader: str, *followers: str, serial: int = 1) -> None:
    """The write is answered; the leader and these followers have it."""
    cluster.request("c1", serial, leader)
    cluster.flush(leader)
    for follower in followers:
        while cluster.leader(leader).match_index[ServerId(follower)] < len(cluster.terms(leader)):
            cluster.copy(leader, follower)
    cluster.apply_all(leader)
    cluster.answer(leader)


def written(size: int = 3, *broken: Fault) -> Cluster:
    """s1 leads term 1 and has answered c1:1, which is on s1 and s2; of five servers on s3, too."""
    quorum = ["s2", "s3"] if size == 5 else ["s2"]
    cluster = Cluster(size, broken)
    cluster.elect("s1", *quorum)
    write(cluster, "s1", *quorum)
    return cluster


def test_a_read_is_answered_once_a_quorum_has_confirmed_the_leader() -> None:
    """§6.4, step 3: a round of heartbeats, acknowledged by a majority of the cluster."""
    cluster = written()
    cluster.ask("s1")
    assert cluster.values_read == []
    cluster.copy("s1", "s3")
    assert cluster.values_read == ["c1:1;"]


def test_a_read_makes_no_entry_and_no_record() -> None:
    """§6.4: a read bypasses the log and its disk writes."""
    cluster = written()
    before = cluster.nodes["s1"].pending
    cluster.ask("s1")
    cluster.copy("s1", "s2")
    assert cluster.values_read == ["c1:1;"]
    assert cluster.nodes["s1"].pending == before


def test_an_answer_to_a_message_from_before_the_read_confirms_nothing() -> None:
    """§6.4: the round has to begin after the read arrived; an older answer may be from before another election."""
    cluster = written()
    cluster.replicate("s1", "s3")
    cluster.deliver(AppendEntries, "s1", "s3")
    cluster.flush("s3")
    cluster.ask("s1")
    cluster.deliver(AppendEntriesResponse, "s3", "s1")
    assert cluster.values_read == []


def test_the_refusal_of_a_message_of_an_earlier_term_confirms_nothing() -> None:
    """s1 leads term 1 and then term 3. What it sent in term 1, s3 refuses in term 3, before the new read."""
    cluster = written()
    for serial in range(3):
        cluster.ask("s1", serial)
    cluster.replicate("s1", "s3")
    (late,) = (message for message in cluster.network if isinstance(message, AppendEntries))
    cluster.elect("s2", "s3")
    cluster.copy("s2", "s1")
    cluster.elect("s1", "s2", "s3")
    for _ in range(3):
        cluster.copy("s1", "s2")
    cluster.apply_all("s1")
    cluster.receive(late)
    cluster.ask("s1")
    cluster.deliver(AppendEntriesResponse, "s3", "s1")
    assert cluster.leader("s1").reads.awaits(ServerId("s3"))
    assert cluster.values_read == []
    cluster.copy("s1", "s3")
    assert cluster.values_read == ["c1:1;"]


def test_one_round_confirms_every_read_that_arrived_before_it() -> None:
    """§6.4: a single round of messages serves any number of reads that have accumulated."""
    cluster = written()
    for _ in range(3):
        cluster.ask("s1")
    cluster.copy("s1", "s2")
    assert cluster.values_read == ["c1:1;"] * 3


def test_a_refusal_of_the_entry_confirms_the_leader_too() -> None:
    """§6.4 asks that the follower knows no later term, not that its log matches."""
    cluster = written()
    cluster.crash("s3")
    cluster.restart("s3")
    cluster.elect("s2", "s1")
    cluster.copy("s2", "s1")
    cluster.apply_all("s2")
    cluster.ask("s2")
    assert cluster.leader("s2").reads.awaits(ServerId("s3"))
    cluster.copy("s2", "s3")
    assert cluster.leader("s2").match_index[ServerId("s3")] == 0
    assert cluster.values_read == ["c1:1;"]


def test_a_minority_of_five_confirms_nothing() -> None:
    cluster = written(5)
    cluster.ask("s1")
    cluster.copy("s1", "s4")
    cluster.copy("s1", "s4")
    assert cluster.values_read == []
    cluster.copy("s1", "s5")
    assert len(cluster.values_read) == 1


def test_a_cluster_of_one_answers_at_once() -> None:
    cluster = Cluster(1)
    cluster.campaign("s1")
    cluster.flush("s1")
    cluster.flush("s1")
    cluster.ask("s1")
    assert cluster.values_read == [], "its no-op is not applied"
    cluster.apply("s1")
    assert cluster.values_read == [None]
    cluster.ask("s1")
    assert cluster.values_read == [None, None]


def test_only_a_leader_takes_reads() -> None:
    """§6.2: the client tries another server."""
    cluster = written()
    cluster.ask("s2")
    assert (cluster.values_read, cluster.nodes["s2"].outbox) == ([], ())


@pytest.mark.parametrize("broken", [False, True])
def test_a_deposed_leader_in_a_partition_does_not_answer(broken: bool) -> None:
    """§6.4: another leader may have been elected and have committed entries that the old one has never heard of."""
    cluster = written(3, *([Fault.STALE_READS] if broken else []))
    cluster.elect("s2", "s3")
    write(cluster, "s2", "s3", serial=2)
    assert cluster.is_leader("s1")
    cluster.ask("s1")
    assert cluster.values_read == (["c1:1;"] if broken else [])
    cluster.replicate("s1", "s3")
    cluster.deliver(AppendEntries, "s1", "s3")
    cluster.deliver(AppendEntriesResponse, "s3", "s1")
    assert not cluster.is_leader("s1")
    assert cluster.values_read == (["c1:1;"] if broken else []), "a deposed leader drops its reads"


def test_a_read_that_was_dropped_is_not_answered_in_a_later_term_of_the_leader() -> None:
    cluster = written()
    cluster.ask("s1")
    cluster.elect("s2", "s3")
    cluster.copy("s2", "s1")
    cluster.elect("s1", "s2")
    cluster.copy("s1", "s2")
    cluster.apply_all("s1")
    cluster.copy("s1", "s2")
    assert cluster.values_read == []


@pytest.mark.parametrize("broken", [False, True])
def test_a_new_leader_does_not_answer_before_its_no_op_is_committed(broken: bool) -> None:
    """§6.4, step 1: s2 has the answered write and does not know yet that it is committed."""
    cluster = written(3, *([Fault.READ_BEFORE_OWN_COMMIT] if broken else []))
    cluster.crash("s1")
    cluster.elect("s2", "s3")
    cluster.apply_all("s2")
    cluster.ask("s2")
    cluster.copy("s2", "s3")
    assert cluster.commit_index("s2") == 1
    assert cluster.values_read == ([None] if broken else [])
    if not broken:
        for _ in range(3):
            cluster.copy("s2", "s3")
        assert cluster.values_read == []
        cluster.apply_all("s2")
        assert cluster.values_read == ["c1:1;"]


@pytest.mark.parametrize("broken", [False, True])
def test_a_read_waits_until_what_was_committed_before_it_is_applied(broken: bool) -> None:
    """§6.4, step 4: the write is committed in the new leader's term, and its state machine has not seen it."""
    cluster = written(3, *([Fault.READ_BEFORE_APPLY] if broken else []))
    cluster.crash("s1")
    cluster.elect("s2", "s3")
    for _ in range(4):
        cluster.copy("s2", "s3")
    cluster.ask("s2")
    cluster.copy("s2", "s3")
    assert (cluster.commit_index("s2"), cluster.nodes["s2"].raft.last_applied) == (3, 0)
    assert cluster.values_read == ([None] if broken else [])
    cluster.apply_all("s2")
    assert cluster.values_read == ([None] if broken else ["c1:1;"])
