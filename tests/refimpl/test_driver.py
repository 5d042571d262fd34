"""What waits for a server's next round, and how long a server waits for a leader."""

from __future__ import annotations

import asyncio
import time
from random import Random

from refimpl import wal
from refimpl.driver import (
    LONGEST_FOR_SYNCS,
    MAX_FROM_PEER,
    MAX_REQUESTS,
    SYNCS_FOR_A_VOTE,
    Driver,
    Timings,
)
from refimpl.entry import ClientId, Index, Put, Serial, ServerId, Term
from refimpl.events import Events
from refimpl.interface import Config
from refimpl.messages import AppendEntries, AppendEntriesResponse, ClientRequest, PeerMessage, RequestVote
from refimpl.metrics import Metrics
from refimpl.replica import Replica
from refimpl.simulated_directory import SimulatedDirectory
from refimpl.wire import ServerReply
from tests.refimpl.servers import run, until

S1, S2, S3 = ServerId("s1"), ServerId("s2"), ServerId("s3")


def test_a_flood_while_the_disk_stalls_keeps_what_each_peer_said_last_and_no_more() -> None:
    sent: list[PeerMessage] = []
    replies: list[ServerReply] = []
    metrics = Metrics()

    def dropped(queue: str) -> float | None:
        return metrics.registry.get_sample_value("messages_dropped_total", {"queue": queue})

    async def body() -> None:
        log_file, recovered = wal.recover(SimulatedDirectory("disk"))
        replica = Replica(Config(S1, (S1, S2, S3)), log_file, recovered)
        driver = Driver(replica, sent.append, Timings(30, 1), Random(1), Events("s1"), metrics)
        driver.receive(RequestVote(S3, S1, Term(1), Index(0), Term(0)))
        for number in range(MAX_FROM_PEER + 5):
            driver.receive(AppendEntries(S2, S1, Term(number + 2), Index(0), Term(0), (), Index(0)))
        for number in range(MAX_REQUESTS + 7):
            driver.request(ClientRequest(ClientId(f"c/{number}"), S1, Serial(1), Put("k", "v")), replies.append)
        life = asyncio.create_task(driver.run())
        await until(lambda: len(replies) == MAX_REQUESTS and len(sent) == MAX_FROM_PEER + 1)
        driver.stop()
        await life

    run(body())
    answers = [message for message in sent if isinstance(message, AppendEntriesResponse)]
    assert [answer.term for answer in answers] == list(range(7, MAX_FROM_PEER + 7))
    assert len(sent) == len(answers) + 1  # the vote
    assert (dropped("messages"), dropped("requests")) == (5, 7)


def test_an_election_waits_for_slow_disks_but_not_for_ever() -> None:
    """Without this three servers whose fsync takes as long as an election timeout never had a leader."""
    timings = Timings(0.05, 0.01)

    async def body() -> None:
        log_file, recovered = wal.recover(SimulatedDirectory("disk"))
        replica = Replica(Config(S1, (S1,)), log_file, recovered)
        sync = replica.sync

        def slow() -> None:
            time.sleep(0.02)
            sync()

        replica.sync = slow  # type: ignore[method-assign]
        driver = Driver(replica, lambda message: None, timings, Random(1), Events("s1"), Metrics())
        life = asyncio.create_task(driver.run())
        await until(lambda: driver.status().role == "leader")
        driver.stop()
        await life
        driver._await_leader(0)
        assert driver._election_due >= 0.05 + SYNCS_FOR_A_VOTE * 0.02
        driver._last_sync = 1000
        driver._await_leader(0)
        assert driver._election_due <= 2 * (1 + LONGEST_FOR_SYNCS) * 0.05

    run(body())
