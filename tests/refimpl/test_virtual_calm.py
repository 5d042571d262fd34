"""What a cluster in which nothing fails owes its clients in time: to the millisecond, for the clock is virtual.

Way there 0.05 to 0.5 ms, an fsync 0.2 to 3 ms (refimpl/torture/virtual_*.py); a passage is on every way, so it is twice
as long. A write takes two fsyncs one after the other at most, and four ways.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import pytest

from refimpl import wire
from refimpl.client import Client
from refimpl.torture import cluster as torture
from refimpl.torture.cluster import ELECTION_TIMEOUT, Cluster, Shape
from refimpl.torture.virtual_process import SECONDS_TO_SYNC, VirtualProcess
from refimpl.torture.virtual_world import MICROSECONDS_ON_THE_WAY, VirtualWorld, run_virtually
from refimpl.torture.world import now

WAY = 2 * MICROSECONDS_ON_THE_WAY[1] / 1e6
SYNC = SECONDS_TO_SYNC[1]
WRITE = 4 * WAY + 2 * SYNC
READ = 4 * WAY


@pytest.fixture(autouse=True)
def _whole_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torture, "ENTRIES_A_MESSAGE", (wire.MAX_ENTRIES,))


def calm(folder: Path, body: Callable[[Cluster], Awaitable[None]], servers: int = 3) -> None:
    async def main() -> None:
        cluster = Cluster(folder, Shape(servers, seed=1), VirtualWorld())
        try:
            await cluster.start()
            assert await cluster.until_leader(cluster.names) is not None
            await body(cluster)
            assert cluster.findings == []
        finally:
            await cluster.end()

    run_virtually(main(), seed=1)


async def seconds(call: Awaitable[object]) -> float:
    begun = now()
    await call
    return now() - begun


def syncs(cluster: Cluster) -> float:
    """How often the leader's disk has been flushed."""
    assert cluster.leader is not None
    leader = cluster.processes[cluster.leader]
    assert isinstance(leader, VirtualProcess)
    assert leader.server is not None
    return leader.server.metrics.registry.get_sample_value("wal_sync_seconds_count") or 0


def test_each_call_takes_no_longer_than_its_messages_and_fsyncs(tmp_path: Path) -> None:
    async def body(cluster: Cluster) -> None:
        async with cluster.client("c", 10.0) as client:
            await client.put("k", "v")
            writes = [await seconds(client.put("k", str(number))) for number in range(100)]
            reads = [await seconds(client.get("k")) for _ in range(100)]
        # A rare one meets the fsync of a mark, or of a follower that is behind.
        assert max(writes) <= WRITE + 2 * SYNC
        assert median(writes) <= WRITE / 2
        assert max(reads) <= READ + SYNC
        assert median(reads) <= READ

    calm(tmp_path, body)


def test_a_new_client_finds_the_leader_without_a_pause(tmp_path: Path) -> None:
    async def body(cluster: Cluster) -> None:
        async def first_write() -> None:
            async with cluster.client("new", 10.0) as client:
                await client.put("k", "v")

        # At worst: connect, greet, be told, connect, greet, write.
        assert max([await seconds(first_write()) for _ in range(30)]) <= 10 * WAY + WRITE

    calm(tmp_path, body)


def test_clients_at_once_share_fsyncs(tmp_path: Path) -> None:
    async def body(cluster: Cluster) -> None:
        async def writes(clients: int) -> tuple[float, float]:
            async def write(number: int) -> None:
                async with cluster.client(f"w{number}", 10.0) as client:
                    for _ in range(20):
                        await client.put(f"k{number}", "v")

            before = syncs(cluster)
            took = await seconds(asyncio.gather(*(write(number) for number in range(clients))))
            return (syncs(cluster) - before) / (20 * clients), 20 * clients / took

        per_write, slow = await writes(1)
        assert 0.9 <= per_write <= 1.1
        per_write, fast = await writes(64)
        assert per_write <= 0.1
        assert fast >= 20 * slow

    calm(tmp_path, body)


@pytest.mark.parametrize("servers", [3, 5])
def test_a_leader_stays_the_leader_while_nothing_happens_and_while_much_does(tmp_path: Path, servers: int) -> None:
    async def body(cluster: Cluster) -> None:
        async def write(client: Client) -> None:
            while True:
                await client.put("k", "v")

        await asyncio.sleep(60)
        async with cluster.client("c", 10.0) as client:
            writing = asyncio.create_task(write(client))
            await asyncio.sleep(5)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        assert cluster.counts["elections"] == 1

    calm(tmp_path, body, servers)


def test_slow_disks_make_a_cluster_slow_and_keep_its_leader(tmp_path: Path) -> None:
    async def body(cluster: Cluster) -> None:
        for name in cluster.names:
            cluster.ail(name, f"slow {ELECTION_TIMEOUT}")
        async with cluster.client("c", 30.0) as client:
            # A follower may be at the fsync of an earlier message, which tells it that more is committed.
            assert max([await seconds(client.put("k", "v")) for _ in range(10)]) <= 4 * ELECTION_TIMEOUT + WRITE
        assert cluster.counts["elections"] == 1

    calm(tmp_path, body)


def test_after_a_leaders_death_clients_wait_for_one_election(tmp_path: Path) -> None:
    async def body(cluster: Cluster) -> None:
        waited = []
        for deaths in range(10):
            leader = cluster.leader
            assert leader is not None
            cluster.kill(leader)
            async with cluster.client("c", 30.0) as client:
                waited.append(await seconds(client.put("k", str(deaths))))
            cluster.restart(leader)
            await asyncio.sleep(2)
        # A timeout is drawn up to twice the shortest; the client's longest pause. A vote may be split, once.
        assert median(waited) <= 2 * ELECTION_TIMEOUT + WRITE
        assert max(waited) <= 4 * ELECTION_TIMEOUT + 0.5 + WRITE
        assert cluster.counts["elections"] == 11

    calm(tmp_path, body)


def test_who_was_away_is_told_all_that_it_has_missed_at_once(tmp_path: Path) -> None:
    async def body(cluster: Cluster) -> None:
        away = next(name for name in cluster.names if name != cluster.leader)
        cluster.kill(away)
        async with cluster.client("c", 30.0) as client:
            for number in range(1000):
                await client.append("k", f"{number};")
        cluster.restart(away)
        await cluster.until_up([away])

        async def until_there() -> None:
            process = cluster.processes[away]
            assert isinstance(process, VirtualProcess)
            while process.server is None or process.server.driver.status().last_applied < 1000:
                await asyncio.sleep(0.01)

        assert await seconds(until_there()) <= 20 * (WAY + SYNC)
        assert cluster.counts["elections"] == 1  # the leader dials when it is dialled, before anybody misses it

    calm(tmp_path, body)
