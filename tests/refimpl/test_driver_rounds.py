"""What a driver makes of its inputs: what waits for the fsync, what leaves when, and which timers it sets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random

from refimpl import wal
from refimpl.driver import APPLIED_PER_ROUND, STALLS, Driver, Timings
from refimpl.durable import Record
from refimpl.entry import Append, ClientId, Entry, Index, Round, Serial, ServerId, Term
from refimpl.events import Events
from refimpl.interface import Config
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    PeerMessage,
    ReadRequest,
    RequestVote,
    RequestVoteResponse,
)
from refimpl.metrics import Metrics
from refimpl.replica import Replica
from refimpl.simulated_directory import SimulatedDirectory
from refimpl.wire import Answer, Redirect, ServerReply
from tests.refimpl.servers import SECONDS, run, until

S1, S2, S3 = ServerId("s1"), ServerId("s2"), ServerId("s3")
CLIENT = ClientId("client/1")
NEVER = 1e12
QUIET = Timings(60, 30)
"""Nothing happens by itself in a test."""


class Driven:
    """s1's driver, what it sent, and a disk whose fsync waits while `disk` is cleared."""

    def __init__(self, *servers: ServerId, timings: Timings = QUIET, recovered: int = 0) -> None:
        directory = SimulatedDirectory("disk")
        if recovered:
            log_file, _ = wal.recover(directory)
            entries = (Entry(Term(1), None),) * recovered
            log_file.write(Record((Term(1), None), None, entries, Index(recovered)))
            log_file.flush()
        self.log_file, durable = wal.recover(directory)
        self.replica = Replica(Config(S1, servers, max_entries=64), self.log_file, durable)
        self.sent: list[PeerMessage] = []
        self.replies: list[ServerReply] = []
        self.syncs = 0
        self.disk = threading.Event()
        self.disk.set()
        sync = self.replica.sync

        def sync_when_told() -> None:
            self.syncs += 1
            assert self.disk.wait(SECONDS)
            sync()

        self.replica.sync = sync_when_told  # type: ignore[method-assign]
        self.driver = Driver(self.replica, self.sent.append, timings, Random(1), Events("s1"), Metrics())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Driver]:
        life = asyncio.create_task(self.driver.run())
        try:
            await asyncio.sleep(0)
            yield self.driver
        finally:
            self.disk.set()
            self.driver.stop()
            await life

    def ask(self, serial: int = 1, client: ClientId = CLIENT) -> None:
        self.driver.request(ClientRequest(client, S1, Serial(serial), Append("k", "x")), self.replies.append)

    def of(self, kind: type[PeerMessage], to: ServerId = S2) -> list[PeerMessage]:
        return [message for message in self.sent if isinstance(message, kind) and message.destination == to]

    async def lead(self) -> Term:
        """Win an election with the vote of s2."""
        self.driver._election_due = 0
        self.driver._wake.set()
        before = self.driver.status().term
        await until(lambda: any(m.term > before for m in self.of(RequestVote)))
        term = self.driver.status().term
        self.driver.receive(RequestVoteResponse(S2, S1, term, vote_granted=True))
        await until(lambda: self.driver.status().leader == S1)
        return term


async def rounds() -> None:
    """Time for a few rounds of a driver that has something to do."""
    for _ in range(20):
        await asyncio.sleep(0.001)


def entries_for(index: int, term: int = 1) -> AppendEntries:
    """From s2, the entry at this index and no other."""
    before = Term(term if index > 1 else 0)
    return AppendEntries(S2, S1, Term(term), Index(index - 1), before, (Entry(Term(term), None),), Index(0))


def test_votes_and_acknowledgements_wait_for_their_fsync() -> None:
    async def body() -> None:
        driven = Driven(S1, S2, S3)
        async with driven.running() as driver:
            driven.disk.clear()
            driver.receive(RequestVote(S3, S1, Term(1), Index(0), Term(0)))
            driver.receive(entries_for(1))
            await until(lambda: driven.syncs == 1)
            await rounds()
            assert driven.sent == []
            driven.disk.set()
            await until(lambda: len(driven.sent) == 2)

    run(body())


def test_a_client_is_answered_after_the_fsync_of_its_command() -> None:
    async def body() -> None:
        driven = Driven(S1)
        async with driven.running() as driver:
            driver._election_due = 0
            driver._wake.set()
            await until(lambda: driver.status().last_applied == 1)
            driven.disk.clear()
            before = driven.syncs
            driven.ask()
            await until(lambda: driven.syncs > before)
            await rounds()
            assert driven.replies == []
            driven.disk.set()
            await until(lambda: driven.replies == [Answer(CLIENT, Serial(1), None)])

    run(body())


def test_what_a_peer_says_during_an_fsync_is_heard_after_it_and_in_its_order() -> None:
    async def body() -> None:
        driven = Driven(S1, S2, S3)
        async with driven.running() as driver:
            driven.disk.clear()
            driver.receive(entries_for(1))
            await until(lambda: driven.syncs == 1)
            for index in (2, 3, 4):
                driver.receive(entries_for(index))
            driven.disk.set()
            await until(lambda: len(driven.sent) == 4)
            answers = [m for m in driven.sent if isinstance(m, AppendEntriesResponse)]
            assert [(answer.success, answer.index) for answer in answers] == [(True, n) for n in (1, 2, 3, 4)]

    run(body())


def test_a_vote_and_a_leaders_message_put_off_the_next_election_and_nothing_else_does() -> None:
    async def body() -> None:
        driven = Driven(S1, S2, S3)
        async with driven.running() as driver:

            async def puts_it_off(message: PeerMessage) -> bool:
                driver._election_due, before = NEVER, len(driven.sent)
                driver.receive(message)
                await until(lambda: len(driven.sent) > before)
                return driver._election_due < NEVER

            assert await puts_it_off(RequestVote(S3, S1, Term(2), Index(0), Term(0)))
            assert not await puts_it_off(RequestVote(S2, S1, Term(2), Index(0), Term(0)))  # has voted
            assert await puts_it_off(entries_for(1, term=2))
            assert not await puts_it_off(entries_for(1, term=1))  # a leader of the past
            assert not await puts_it_off(RequestVote(S3, S1, Term(3), Index(0), Term(0)))  # its log is too short

    run(body())


def test_an_election_that_nobody_wins_is_followed_by_another_one() -> None:
    async def body() -> None:
        driven = Driven(S1, S2, S3, timings=Timings(0.02, 0.01))
        async with driven.running():
            await until(lambda: len({m.term for m in driven.of(RequestVote)}) >= 3)
            assert driven.driver._election_due < NEVER

    run(body())


def test_an_election_timeout_is_drawn_between_the_given_one_and_twice_that() -> None:
    async def body() -> None:
        driver = Driven(S1, S2, S3, timings=Timings(10, 1)).driver
        drawn = set()
        for _ in range(100):
            driver._await_leader(0)
            drawn.add(driver._election_due)
        assert len(drawn) == 100
        assert 10 <= min(drawn) < 12
        assert 18 < max(drawn) <= 20

    run(body())


def test_a_peer_that_does_not_answer_gets_heartbeats_and_nothing_more() -> None:
    async def body() -> None:
        driven = Driven(S1, S2, S3)
        async with driven.running() as driver:
            await driven.lead()
            await until(lambda: len(driven.of(AppendEntries)) == 1)  # at once, with the no-op
            for serial in range(1, 6):
                driven.ask(client=ClientId(f"client/{serial}"))
                await until(partial(lambda index: driver.status().last_index == index, serial + 1))
            await rounds()
            assert len(driven.of(AppendEntries)) == 1
            for beats in (2, 3, 4):
                driver._heartbeat_due = 0
                driver._wake.set()
                await until(partial(lambda beats: len(driven.of(AppendEntries)) == beats, beats))
                assert len(driven.of(AppendEntries, S3)) == beats
            driver.receive(AppendEntriesResponse(S2, S1, driver.status().term, True, Index(1), Round(0)))
            await until(lambda: len(driven.of(AppendEntries)) == 5)  # again at once
            last = driven.of(AppendEntries)[-1]
            assert isinstance(last, AppendEntries)
            assert (last.prev_log_index, len(last.entries)) == (1, 5)

    run(body())


def test_a_new_leader_speaks_at_once_also_to_whom_has_left_an_earlier_term_unanswered() -> None:
    async def body() -> None:
        driven = Driven(S1, S2, S3)
        async with driven.running() as driver:
            first = await driven.lead()
            await until(lambda: len(driven.of(AppendEntries)) == 1)
            driver.receive(RequestVote(S3, S1, Term(first + 1), Index(0), Term(0)))
            await until(lambda: driver.status().role == "follower")
            term = await driven.lead()
            await until(lambda: any(m.term == term for m in driven.of(AppendEntries)))
            assert driver._heartbeat_due < NEVER

    run(body())


def test_a_leader_that_is_deposed_sends_its_clients_away_and_waits_for_the_next_election() -> None:
    async def body() -> None:
        driven = Driven(S1, S2, S3)
        async with driven.running() as driver:
            term = await driven.lead()
            driven.ask()
            await until(lambda: driver.status().last_index == 2)
            driver.receive(RequestVote(S3, S1, Term(term + 1), Index(0), Term(0)))
            await until(lambda: driven.replies == [Redirect(CLIENT, Serial(1), None)])
            assert driver.status().leader is None  # not whoever led the term before
            assert driver._election_due < NEVER
            assert driver._heartbeat_due == float("inf")

    run(body())


def test_a_leader_whose_disk_stalls_for_good_falls_silent() -> None:
    async def body() -> None:
        timeout = 0.1
        driven = Driven(S1, S2, S3, timings=Timings(timeout, timeout / 5))
        async with driven.running() as driver:
            driven.disk.clear()
            # Elected with an fsync for the term: let that one through.
            driven.disk.set()
            await driven.lead()
            driven.disk.clear()
            begun, before = asyncio.get_running_loop().time(), len(driven.of(AppendEntries))
            driven.ask()
            await until(lambda: asyncio.get_running_loop().time() > begun + (STALLS + 2) * timeout)
            beats = len(driven.of(AppendEntries)) - before
            await asyncio.sleep(2 * timeout)
            assert len(driven.of(AppendEntries)) - before == beats
            assert beats >= 3
            assert driver.status().leader is None

    run(body())


def test_a_start_applies_all_that_is_committed_without_waiting_for_anything() -> None:
    async def body() -> None:
        driven = Driven(S1, S2, S3, recovered=2 * APPLIED_PER_ROUND + 1)
        async with driven.running() as driver:
            await until(lambda: driver.status().last_applied == 2 * APPLIED_PER_ROUND + 1)

    run(body())


def test_an_answer_goes_to_the_command_that_it_is_for() -> None:
    """Its client has given up serial 1 and asked for serial 2: the answer to 1 must not take the place of 2's."""

    async def body() -> None:
        driven = Driven(S1, S2, S3)
        async with driven.running() as driver:
            term = await driven.lead()
            driven.ask(1)
            driven.ask(2)
            await until(lambda: driver.status().last_index == 3)
            driver.receive(AppendEntriesResponse(S2, S1, term, True, Index(3), Round(0)))
            await until(lambda: len(driven.replies) == 1)
            assert driven.replies == [Answer(CLIENT, Serial(2), None)]
            assert not driver._clients

    run(body())


def test_a_read_waits_for_the_echo_of_a_message_that_left_after_it_came() -> None:
    async def body() -> None:
        driven = Driven(S1, S2, S3)
        async with driven.running() as driver:
            term = await driven.lead()
            await until(lambda: len(driven.of(AppendEntries)) == 1)
            driver.receive(AppendEntriesResponse(S2, S1, term, True, Index(1), Round(0)))
            await until(lambda: driver.status().last_applied == 1)
            driver.request(ReadRequest(CLIENT, S1, Serial(1), "k"), driven.replies.append)
            await until(lambda: any(isinstance(m, AppendEntries) and m.round == 1 for m in driven.sent))
            driver.receive(AppendEntriesResponse(S2, S1, term, True, Index(1), Round(0)))  # a late one
            await rounds()
            assert driven.replies == []
            driver.receive(AppendEntriesResponse(S2, S1, term, True, Index(1), Round(1)))
            await until(lambda: driven.replies == [Answer(CLIENT, Serial(1), None)])

    run(body())


def test_a_server_that_stops_leaves_nothing_unflushed() -> None:
    async def body() -> None:
        driven = Driven(S1)
        async with driven.running() as driver:
            driver._election_due = 0
            driver._wake.set()
            driven.ask()
            await until(lambda: driver.status().leader == S1)
            driven.ask()
            await until(lambda: driver.status().last_applied == 2)
        assert driven.log_file.unflushed_ends == ()

    run(body())
