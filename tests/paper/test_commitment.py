"""Ongaro 2014 §3.6.2: an entry of an earlier term is never committed by counting its copies (Figure 3.7).

The figure is "Figure 8" of the paper of 2014. Its schedule is driven by hand here, on five servers; index 2 is the
entry in dispute, and index 1 a common beginning, so that terms and indices are the figure's.
"""

from __future__ import annotations

from refimpl.faults import Fault
from tests.refimpl.cluster import Cluster


def figure_3_7_until_c(*broken: Fault) -> Cluster:
    """(a) s1 leads term 2 and copies index 2 to s2. (b) s5 leads term 3 with its own index 2. (c) s1 leads term 4 and
    copies its old index 2 to s3 and s4: it is on a majority now, and of term 2.
    """
    cluster = Cluster(5, broken)
    cluster.elect("s1", "s2", "s3")
    for follower in ("s2", "s3", "s4", "s5"):
        cluster.copy("s1", follower)
    cluster.crash("s1", len(cluster.nodes["s1"].pending))
    cluster.restart("s1")
    # (a)
    cluster.elect("s1", "s2", "s3", "s4", "s5")
    cluster.copy("s1", "s2")
    cluster.crash("s1")
    # (b)
    cluster.elect("s5", "s3", "s4")
    cluster.crash("s5")
    # (c)
    cluster.restart("s1")
    cluster.elect("s1", "s2", "s3", "s4")  # in its second try: it does not know that term 3 has been
    for follower in ("s3", "s4"):
        cluster.copy("s1", follower)  # a rejection that says where the follower's log ends
        cluster.copy("s1", follower)
    assert [cluster.terms(server) for server in ("s1", "s2", "s3", "s4")] == [[1, 2, 4], [1, 2], [1, 2], [1, 2]]
    assert cluster.current_term("s1") == 4
    return cluster


def test_leader_does_not_commit_an_entry_of_an_earlier_term_by_counting() -> None:
    """§3.6.2, Figure 3.7 (c): the entry of term 2 is on four of five servers, and still not committed."""
    cluster = figure_3_7_until_c()
    assert cluster.leader("s1").match_index == {"s1": 3, "s2": 0, "s3": 2, "s4": 2, "s5": 0}
    assert cluster.commit_index("s1") == 1


def test_an_entry_on_a_majority_can_still_be_overwritten() -> None:
    """§3.6.2, Figure 3.7 (d): s5 wins term 5 with the votes of s2, s3 and s4, and overwrites it."""
    cluster = figure_3_7_until_c()
    cluster.crash("s1")
    cluster.restart("s5")
    cluster.elect("s5", "s2", "s3", "s4")
    assert cluster.terms("s5") == [1, 3, 5]
    for follower in ("s2", "s3", "s4"):
        for _ in range(3):  # a rejection, index 2, index 3
            cluster.copy("s5", follower)
    assert cluster.terms("s3") == [1, 3, 5]
    assert cluster.commit_index("s5") == 3
    cluster.check_agreement()


def test_an_entry_of_an_earlier_term_is_committed_under_one_of_the_current_term() -> None:
    """§3.6.2, Figure 3.7 (e): once an entry of term 4 is on a majority, all before it are committed with it."""
    cluster = figure_3_7_until_c()
    for follower in ("s3", "s4"):
        cluster.copy("s1", follower)
    assert cluster.commit_index("s1") == 3
    cluster.crash("s1")
    cluster.restart("s5")
    for _ in range(3):
        cluster.try_to_elect("s5", "s2", "s3", "s4")  # s3 and s4 refuse: their last term is 4
        assert not cluster.is_leader("s5")


def test_counting_an_earlier_term_commits_what_is_overwritten_later() -> None:
    """§3.6.2: with the rule dropped, s1 commits and applies at (c) what s5 replaces at (d)."""
    cluster = figure_3_7_until_c(Fault.COMMIT_PRIOR_TERM_BY_COUNTING)
    assert cluster.commit_index("s1") == 2
    lost = cluster.nodes["s1"].raft.log.entries[1]
    cluster.crash("s1", len(cluster.nodes["s1"].pending))
    cluster.restart("s5")
    cluster.elect("s5", "s2", "s3", "s4")
    for follower in ("s2", "s3", "s4"):
        for _ in range(3):  # a rejection, index 2, index 3
            cluster.copy("s5", follower)
    assert cluster.commit_index("s5") == 3
    assert cluster.nodes["s5"].raft.log.entries[1] != lost
