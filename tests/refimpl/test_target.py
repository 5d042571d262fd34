"""The target: the shapes that replay compares, and errors for what cannot be done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from refimpl.errors import ImpossibleRequest, RefimplError
from refimpl.target import RefimplTarget, create

SERVERS = ("s1", "s2", "s3")
REQUEST = {"type": "ClientRequest", "source": "c1", "destination": "s1", "serial": 1}
READ = {"type": "ReadRequest", "source": "c2", "destination": "s1", "serial": 1}


def target() -> RefimplTarget:
    cluster = create()
    cluster.reset(SERVERS)
    return cluster


def elected() -> RefimplTarget:
    """s1 leads term 1 with the vote of s2; its no-op is flushed."""
    cluster = target()
    cluster.campaign("s1")
    request = cluster.flush("s1")[0]
    cluster.deliver("s2", request)
    (vote,) = cluster.flush("s2")
    cluster.deliver("s1", vote)
    cluster.flush("s1")
    return cluster


def copy(cluster: RefimplTarget) -> None:
    """s1 copies one entry to s2."""
    (request,) = cluster.replicate("s1", "s2")
    cluster.deliver("s2", request)
    (response,) = cluster.flush("s2")
    cluster.deliver("s1", response)


def test_a_fresh_server_is_a_follower_with_nothing() -> None:
    disk: dict[str, Any] = {"current_term": 0, "voted_for": None, "log": [], "commit_index": 0}
    assert target().observe("s2") == disk | {
        "up": True, "role": "Follower", "last_applied": 0, "store": [], "sessions": {}, "waiters": [],
        "disk": disk, "pending": [], "outbox": [],
    }  # fmt: skip


def test_a_candidate_shows_its_votes_and_what_waits_for_the_flush() -> None:
    cluster = target()
    assert cluster.campaign("s1") == []
    seen = cluster.observe("s1")
    assert (seen["role"], seen["votes_granted"], seen["voted_for"]) == ("Candidate", ["s1"], "s1")
    assert seen["disk"]["current_term"] == 0
    assert seen["pending"] == [{"current_term": 1, "voted_for": "s1", "log": [], "commit_index": 0}]
    request = {"type": "RequestVote", "source": "s1", "term": 1, "last_log_index": 0, "last_log_term": 0}
    requests = [request | {"destination": peer} for peer in ("s2", "s3")]
    assert seen["outbox"] == requests
    assert cluster.flush("s1") == requests


def test_a_voter_answers_after_its_flush() -> None:
    cluster = target()
    cluster.campaign("s1")
    request = cluster.flush("s1")[0]
    assert cluster.deliver("s2", request) == []
    assert cluster.flush("s2") == [
        {"type": "RequestVoteResponse", "source": "s2", "destination": "s1", "term": 1, "vote_granted": True}
    ]


def test_a_leader_shows_its_indices_and_sends_plain_entries() -> None:
    cluster = elected()
    seen = cluster.observe("s1")
    assert seen["role"] == "Leader"
    assert seen["next_index"] == {"s1": 1, "s2": 1, "s3": 1}
    assert seen["match_index"] == {"s1": 1, "s2": 0, "s3": 0}
    assert "votes_granted" not in seen
    assert cluster.replicate("s1", "s3") == [
        {
            "type": "AppendEntries", "source": "s1", "destination": "s3", "term": 1, "prev_log_index": 0,
            "prev_log_term": 0, "entries": [{"term": 1, "client": None, "serial": 0}], "leader_commit": 0,
        }
    ]  # fmt: skip


def test_a_write_is_seen_at_every_step() -> None:
    cluster = elected()
    assert cluster.deliver("s1", REQUEST) == []
    waiter = {"client": "c1", "serial": 1, "index": 2, "term": 1}
    assert cluster.observe("s1")["waiters"] == [waiter]
    cluster.flush("s1")
    copy(cluster)
    copy(cluster)
    assert cluster.apply("s1") == []
    assert cluster.apply("s1") == []
    seen = cluster.observe("s1")
    assert (seen["store"], seen["sessions"], seen["last_applied"]) == ([["c1", 1]], {"c1": 1}, 2)
    assert seen["waiters"] == [waiter]
    answer = {"type": "ClientResponse", "source": "s1", "destination": "c1", "serial": 1}
    assert cluster.answer("s1") == [answer]
    assert cluster.deliver("s1", REQUEST) == [answer]
    assert cluster.observe("s1")["waiters"] == []
    assert cluster.observe("s2")["log"][1] == {"term": 1, "client": "c1", "serial": 1}


def test_a_read_is_seen_until_it_is_answered_with_the_writes_that_took_effect() -> None:
    cluster = elected()
    cluster.deliver("s1", REQUEST)
    cluster.flush("s1")
    copy(cluster)
    copy(cluster)
    cluster.apply("s1")
    cluster.apply("s1")
    assert cluster.deliver("s1", READ) == []
    seen = cluster.observe("s1")
    assert seen["reads"] == [{"client": "c2", "serial": 1, "index": 2, "round": 1}]
    assert (seen["round"], seen["confirmed"]) == (1, {"s2": 0, "s3": 0})
    (request,) = cluster.replicate("s1", "s2")
    assert request["round"] == 1
    cluster.deliver("s2", request)
    (response,) = cluster.flush("s2")
    assert response["round"] == 1
    answer = {"type": "ReadResponse", "source": "s1", "destination": "c2", "serial": 1, "writes": [["c1", 1]]}
    assert cluster.deliver("s1", response) == [answer]
    seen = cluster.observe("s1")
    assert (seen["reads"], seen["round"], seen["confirmed"]) == ([], 1, {"s2": 1, "s3": 0})


def test_a_server_that_is_down_shows_only_its_disk() -> None:
    cluster = target()
    cluster.campaign("s1")
    cluster.crash("s1", 1)
    disk = {"current_term": 1, "voted_for": "s1", "log": [], "commit_index": 0}
    assert cluster.observe("s1") == {"up": False, "disk": disk, "pending": [], "outbox": []}
    assert cluster.restart("s1") == []
    assert cluster.observe("s1")["voted_for"] == "s1"


def test_what_is_observed_and_sent_is_json() -> None:
    cluster = elected()
    cluster.deliver("s1", REQUEST)
    for server in SERVERS:
        seen = cluster.observe(server)
        assert json.loads(json.dumps(seen)) == seen
    (message,) = cluster.replicate("s1", "s2")
    assert cluster.deliver("s2", json.loads(json.dumps(message))) == []


def test_reset_forgets_everything() -> None:
    cluster = elected()
    fresh = target()
    cluster.reset(SERVERS)
    assert [cluster.observe(server) for server in SERVERS] == [fresh.observe(server) for server in SERVERS]


def test_a_cluster_is_put_back_as_often_as_asked_whichever_servers_have_changed() -> None:
    def seen() -> list[dict[str, Any]]:
        return [cluster.observe(server) for server in SERVERS]

    cluster = target()
    first, at_first = cluster.snapshot(), seen()
    cluster.campaign("s1")
    second, at_second = cluster.snapshot(), seen()
    cluster.crash("s1", 1)
    cluster.campaign("s2")
    for _ in range(2):
        for snapshot, expected in ((first, at_first), (second, at_second), (second, at_second)):
            cluster.restore(snapshot)
            assert seen() == expected
            cluster.campaign("s1")
            cluster.flush("s1")
            cluster.campaign("s3")
    cluster.reset(SERVERS)
    cluster.campaign("s3")
    cluster.restore(second)
    assert seen() == at_second


def test_a_cluster_of_one_elects_itself_by_its_flush() -> None:
    cluster = create()
    cluster.reset(("s1",))
    cluster.campaign("s1")
    cluster.flush("s1")
    cluster.flush("s1")
    assert cluster.observe("s1")["role"] == "Leader"
    assert cluster.observe("s1")["commit_index"] == 1


HEARTBEAT: dict[str, Any] = {
    "type": "AppendEntries", "source": "s2", "destination": "s1", "term": 1, "prev_log_index": 0, "prev_log_term": 0,
    "entries": [], "leader_commit": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (HEARTBEAT | {"destination": "s2"}, "delivery to s1 of a message for s2"),
        (HEARTBEAT | {"type": "InstallSnapshot"}, "InstallSnapshot"),
        (HEARTBEAT | {"extra": 1}, "extra"),
        ({name: value for name, value in HEARTBEAT.items() if name != "term"}, "term"),
        (HEARTBEAT | {"entries": [{"term": 1}]}, "client"),
        (REQUEST | {"type": "ClientResponse"}, "ClientResponse"),
        (REQUEST | {"source": "c;1"}, "names without ';'"),
    ],
)
def test_a_message_that_a_server_cannot_receive_is_an_error(message: dict[str, Any], text: str) -> None:
    with pytest.raises(ImpossibleRequest, match=text):
        target().deliver("s1", message)


def test_requests_to_no_server_or_the_wrong_one_are_errors() -> None:
    cluster = create()
    with pytest.raises(ImpossibleRequest, match="none before reset"):
        cluster.observe("s1")
    for servers in ((), ("s1", "s1")):
        with pytest.raises(ImpossibleRequest, match="all different"):
            cluster.reset(servers)
    cluster.reset(SERVERS)
    with pytest.raises(ImpossibleRequest, match="s9"):
        cluster.campaign("s9")
    for peer in ("s1", "s9"):
        with pytest.raises(ImpossibleRequest, match="another server"):
            cluster.replicate("s1", peer)
    for label in (cluster.flush, cluster.apply, cluster.answer, cluster.restart):
        with pytest.raises(RefimplError):
            label("s1")


def test_faults_are_chosen_by_name() -> None:
    assert create().name == "refimpl"
    assert create(frozenset({"no-dedup", "vote-not-durable"})).name == "refimpl (no-dedup) (vote-not-durable)"
    with pytest.raises(ImpossibleRequest, match="unknown faults no-fsync; allowed: one of new-leader-auto-commits"):
        create(frozenset({"no-fsync"}))
