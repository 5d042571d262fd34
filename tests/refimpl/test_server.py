"""Three servers on loopback sockets in this process: leaders, retries, redirects, disks, metrics, and the end."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from refimpl import metrics, wire
from refimpl.certificates import issue
from refimpl.client import Client, NoAnswer, Rejected
from refimpl.dialling import Address
from refimpl.entry import Append, ClientId, Get, Put, Serial, ServerId
from refimpl.errors import DiskError, ImpossibleRequest
from refimpl.messages import AppendEntries, ClientRequest, PeerMessage
from refimpl.server import Server, Settings
from tests.refimpl.servers import SECONDS, Servers, run, until

CLIENT = ClientId("client/1")


def test_what_was_written_is_read_and_survives_the_leader_and_a_restart_of_all(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path) as servers, servers.client(timeout=SECONDS) as client:
            await client.put("k", "1")
            await client.append("k", "2")
            first = await servers.leader()
            await servers.kill(first)
            assert await client.get("k") == "12"
            await client.put("k", "3")
            await client.delete("other")
            assert await servers.leader() != first
            await servers.start(first)
            await until(lambda: servers.server(first).driver.status().last_applied >= 6)
            for name in servers.names:
                await servers.stop(name)
            for name in servers.names:
                await servers.start(name)
            assert (await client.get("k"), await client.get("other")) == ("3", None)

    run(body())


def test_certificates_carry_a_cluster(tmp_path: Path) -> None:
    async def body() -> None:
        issue(tmp_path / "certificates", ["s1", "s2", "s3", "client"])
        servers = Servers(tmp_path, certificates=tmp_path / "certificates")
        async with servers, servers.client(timeout=SECONDS) as client:
            await client.put("k", "v")
            assert await client.get("k") == "v"

    run(body())


def test_a_follower_names_the_leader(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path) as servers:
            leader = await servers.leader()
            follower = next(name for name in servers.names if name != leader)
            await until(lambda: servers.server(follower).driver.status().leader == leader)
            talk = await servers.dial(follower)
            talk.send(ClientRequest(CLIENT, follower, Serial(1), Put("k", "v")))
            assert await talk.reply() == wire.Redirect(CLIENT, Serial(1), leader)
            await talk.close()

    run(body())


def test_a_retry_takes_effect_once_wherever_it_arrives(tmp_path: Path) -> None:
    """The answer is dropped with its connection, then with its leader; serial 1 stays one mark."""

    async def body() -> None:
        async with Servers(tmp_path) as servers:
            for _ in range(2):
                leader = await servers.leader()
                request = ClientRequest(CLIENT, leader, Serial(1), Append("k", "x"))
                deaf = await servers.dial(leader)
                deaf.send(request)
                await deaf.close()
                talk = await servers.dial(leader)
                talk.send(request)
                assert await talk.reply() == wire.Answer(CLIENT, Serial(1), None)
                await talk.close()
                async with servers.client(timeout=SECONDS) as client:
                    assert await client.get("k") == "x"
                await servers.kill(leader)
                await servers.start(leader)

    run(body())


def test_a_client_waits_for_a_majority_and_claims_nothing_without_one(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path) as servers, servers.client(timeout=SECONDS) as client:
            await client.put("k", "before")  # so that it is connected to the leader, however busy the machine is
            leader = await servers.leader()
            others = [name for name in servers.names if name != leader]
            for name in others:
                await servers.stop(name)
            client.timeout = 0.5
            with pytest.raises(NoAnswer, match="may or may not have taken effect"):
                await client.put("k", "v")
            await servers.start(others[0])
            client.timeout = SECONDS
            assert await client.get("k") in ("before", "v")

    run(body())


def test_a_client_that_was_not_given_the_leader_is_told_so_and_that_a_read_changes_nothing(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path) as servers:
            leader = await servers.leader()
            follower = next(name for name in servers.names if name != leader)
            await until(lambda: servers.server(follower).driver.status().leader == leader)
            address = servers.server(follower).address
            async with Client({follower: address}, timeout=1) as client:
                with pytest.raises(NoAnswer, match=f"{leader}, which is not among .*; nothing was read"):
                    await client.get("k")

    run(body())


def test_a_leader_that_no_majority_answers_takes_no_more_commands(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path) as servers:
            leader = await servers.leader()
            for name in servers.names:
                if name != leader:
                    await servers.kill(name)
            await until(lambda: servers.server(leader).driver.status().leader is None)
            before = servers.server(leader).driver.status()
            talk = await servers.dial(leader)
            talk.send(ClientRequest(CLIENT, leader, Serial(1), Put("k", "v")))
            assert await talk.reply() == wire.Redirect(CLIENT, Serial(1), None)
            await talk.close()
            assert servers.server(leader).driver.status() == before

    run(body())


def test_a_command_that_is_too_large_is_rejected_and_the_next_one_is_not(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path, size=1) as servers, servers.client(timeout=SECONDS) as client:
            with pytest.raises(Rejected, match="the key has 2000 bytes"):
                await client.put("k" * 2000, "v")
            await servers.leader()
            talk = await servers.dial(ServerId("s1"))
            talk.send(ClientRequest(CLIENT, ServerId("s1"), Serial(1), Put("k" * 2000, "v")))
            assert await talk.reply() == wire.Rejected(
                CLIENT, Serial(1), "the key has 2000 bytes; at most 1024 are allowed"
            )
            talk.send(ClientRequest(CLIENT, ServerId("s1"), Serial(1), Put("k", "v")))
            assert await talk.reply() == wire.Answer(CLIENT, Serial(1), None)
            await talk.close()

    run(body())


def test_many_writes_share_an_fsync(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path, size=1) as servers:
            await servers.leader()
            registry = servers.server(ServerId("s1")).metrics.registry
            before = registry.get_sample_value("wal_sync_seconds_count")
            talk = await servers.dial(ServerId("s1"))
            for number in range(200):
                talk.send(ClientRequest(ClientId(f"client/n{number}"), ServerId("s1"), Serial(1), Append("k", "x")))
            replies = [await talk.reply() for _ in range(200)]
            assert all(isinstance(reply, wire.Answer) for reply in replies)
            after = registry.get_sample_value("wal_sync_seconds_count")
            assert before is not None
            assert after is not None
            assert 1 <= after - before < 50
            talk.send(ClientRequest(CLIENT, ServerId("s1"), Serial(1), Get("k")))
            assert await talk.reply() == wire.Answer(CLIENT, Serial(1), "x" * 200)
            await talk.close()

    run(body())


def test_a_server_whose_disk_fails_stops_and_what_it_answered_is_not_lost(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path) as servers, servers.client(timeout=SECONDS) as client:
            await client.put("k", "1")
            leader = await servers.leader()
            server, life = servers.running[leader]

            def fail() -> None:
                raise DiskError("fsync failed", "a disk", "mend it")

            server.driver._replica.sync = fail  # type: ignore[method-assign]
            writing = asyncio.create_task(client.put("k", "2"))
            with pytest.raises(DiskError):
                await life
            await server.__aexit__(None, None, None)
            del servers.running[leader]
            await writing
            assert await client.get("k") == "2"

    run(body())


def test_a_leader_whose_disk_is_slow_is_heard_all_the_same(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path) as servers, servers.client(timeout=SECONDS) as client:
            await client.put("k", "1")
            leader = await servers.leader()
            follower = next(name for name in servers.names if name != leader)
            replica, heard = servers.server(leader).driver._replica, servers.server(follower).driver
            sync, receive = replica.sync, heard.receive
            waits, may_end = threading.Event(), threading.Event()
            beats: list[AppendEntries] = []

            def slow() -> None:
                waits.set()
                may_end.wait(SECONDS)
                sync()

            def note(message: PeerMessage) -> None:
                if waits.is_set() and isinstance(message, AppendEntries):
                    beats.append(message)
                receive(message)

            replica.sync, heard.receive = slow, note  # type: ignore[method-assign]
            writing = asyncio.create_task(client.put("k", "2"))
            try:
                await until(lambda: len(beats) >= 4)
            finally:
                may_end.set()
            await writing

    run(body())


def test_a_leader_that_is_heard_and_hears_nothing_is_replaced(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path) as servers, servers.client(timeout=SECONDS) as client:
            await client.put("k", "1")
            deaf = await servers.leader()
            servers.server(deaf).driver.receive = lambda message: None  # type: ignore[method-assign]
            await client.put("k", "2")
            assert servers.server(deaf).driver.status().leader is None
            assert await servers.leader() != deaf

    run(body())


def test_a_late_answer_to_a_command_that_was_given_up_is_passed_over(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path, size=1) as servers, servers.client(timeout=SECONDS) as client:
            await client.put("k", "1")
            server, may_end = servers.server(ServerId("s1")), threading.Event()
            sync, last = server.driver._replica.sync, server.driver.status().last_index

            def slow() -> None:
                may_end.wait(SECONDS)
                sync()

            server.driver._replica.sync = slow  # type: ignore[method-assign]
            writing = asyncio.create_task(client.put("k", "2"))
            await until(lambda: server.driver.status().last_index > last)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            may_end.set()
            await until(lambda: client._replies.qsize() == 1)
            assert (await client.status(ServerId("s1"))).last_index > last
            assert await client.get("k") == "2"

    run(body())


def test_a_server_that_stops_sends_its_clients_to_the_others(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path) as servers:
            leader = await servers.leader()
            others = [name for name in servers.names if name != leader]
            for name in others:
                await servers.kill(name)
            # Or, on a busy machine, it would have noticed that it is alone before the request came.
            servers.server(leader).driver._hears_majority = lambda timeouts: True  # type: ignore[method-assign]
            talk = await servers.dial(leader)
            talk.send(ClientRequest(CLIENT, leader, Serial(1), Put("k", "v")))
            await until(lambda: servers.server(leader).driver.status().last_index >= 2)
            await servers.stop(leader)
            assert await talk.reply() == wire.Redirect(CLIENT, Serial(1), None)
            assert await talk.reply() is None

    run(body())


def test_metrics_wait_for_no_resolver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """http.server asks for this host's name; where the resolver is down that takes long, and the event loop stands."""

    def never(name: str = "") -> str:
        raise AssertionError("asked for a name")

    monkeypatch.setattr(socket, "getfqdn", never)

    async def body() -> None:
        async with Servers(tmp_path, size=1, metrics=Address("127.0.0.1", 0)) as servers:
            await servers.leader()

    run(body())


def test_metrics_and_health_are_served_over_http(tmp_path: Path) -> None:
    def read(port: int, path: str) -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}", timeout=SECONDS) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    async def body() -> None:
        async with Servers(tmp_path, metrics=Address("127.0.0.1", 0)) as servers:
            leader = await servers.leader()
            endpoint = servers.server(leader)._endpoint
            assert endpoint is not None
            code, text = await asyncio.to_thread(read, endpoint.port, "/metrics")
            assert code == 200
            assert 'raft_role{role="leader"} 1.0' in text
            assert "raft_commit_index" in text
            code, text = await asyncio.to_thread(read, endpoint.port, "/health")
            assert (code, json.loads(text)["leader"]) == (200, leader)
            assert await asyncio.to_thread(read, endpoint.port, "/") == (404, "/metrics and /health are here\n")
            for name in servers.names:
                if name != leader:
                    await servers.kill(name)
            await until(lambda: servers.server(leader).driver.status().leader is None)
            code, text = await asyncio.to_thread(read, endpoint.port, "/health")
            assert (code, json.loads(text)["role"]) == (503, "leader")  # of nobody

    run(body())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_readers_that_say_nothing_get_no_more_than_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("a machine without IPv6")
    monkeypatch.setattr(metrics, "MAX_READERS", 2)

    async def body() -> None:
        async with Servers(tmp_path, size=1, metrics=Address(host, 0)) as servers:
            endpoint = servers.server(ServerId("s1"))._endpoint
            assert endpoint is not None
            talks = [await asyncio.open_connection(host, endpoint.port) for _ in range(4)]
            refused = [asyncio.create_task(reader.read()) for reader, _ in talks]
            await until(lambda: sum(task.done() for task in refused) == 2)
            talks[0][1].write(b"GET /health HTTP/1.0\r\n\r\n")
            assert b"200 OK" in await refused[0] or b"503" in await refused[0]
            for _, writer in talks:
                writer.close()
            await asyncio.gather(*refused)

    run(body())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org"])
def test_a_cluster_without_certificates_stays_on_loopback(tmp_path: Path, host: str) -> None:
    peers = {ServerId("s2"): Address("127.0.0.1", 1)}
    with pytest.raises(ImpossibleRequest, match="loopback addresses"):
        Server(Settings(ServerId("s1"), peers, tmp_path / "s1", None), Address(host, 0))
    with pytest.raises(ImpossibleRequest, match="loopback addresses"):
        Server(Settings(ServerId("s1"), {ServerId("s2"): Address(host, 1)}, tmp_path, None), Address("127.0.0.1", 0))


def test_the_term_is_shown_after_a_restart_into_the_same_term(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path) as servers:
            leader = await servers.leader()
            follower = next(name for name in servers.names if name != leader)
            await until(lambda: servers.server(follower).driver.status().leader == leader)
            await servers.stop(follower)
            server = await servers.start(follower)
            await until(lambda: server.driver.status().leader is not None)
            shown = server.metrics.registry.get_sample_value("raft_term")
            assert shown == server.driver.status().term

    run(body())


def test_servers_of_one_seed_draw_different_timeouts(tmp_path: Path) -> None:
    async def body() -> None:
        async with Servers(tmp_path) as servers:
            await servers.leader()  # or asyncio forgets connections that it has just accepted
            drawn = {servers.server(name).driver._chance.getstate() for name in servers.names}
            assert len(drawn) == 3

    run(body())
