"""What a live server refuses: strangers, liars, other versions, garbage. It logs, counts, and goes on serving."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from refimpl import listener, wire
from refimpl.certificates import issue
from refimpl.client import Client
from refimpl.dialling import Address, dial
from refimpl.entry import ClientId, Entry, Index, Put, Serial, ServerId, Term
from refimpl.errors import ConnectionRefused
from refimpl.messages import (
    AppendEntries,
    ClientRequest,
    ReadRequest,
    RequestVote,
)
from refimpl.tls import Identity
from tests.refimpl.servers import SECONDS, Servers, run, until

S1, S2 = ServerId("s1"), ServerId("s2")
AS_CLIENT = wire.Hello(wire.VERSION, wire.Peer.CLIENT, "client", S1, ())
AS_SERVER = wire.Hello(wire.VERSION, wire.Peer.SERVER, "s2", S1, (S1, S2))
CLIENT = ClientId("client/1")


class One(Servers):
    """Only s1 of a cluster of two runs: whatever it is told, it stays without a leader to obey."""

    async def __aenter__(self) -> One:
        await self.start(S1)
        return self

    def refused(self, reason: str) -> float:
        value = self.server(S1).metrics.registry.get_sample_value("messages_refused_total", {"reason": reason})
        return value or 0

    async def still_serves(self) -> None:
        talk = await self.dial(S1)
        talk.send(wire.StatusRequest())
        assert isinstance(await talk.reply(), wire.Status)
        await talk.close()

    async def raw(self, data: bytes, and_wait: bool = False) -> bytes:
        """Send the bytes and that there are no more, unless asked to wait; read to the end of what comes back."""
        address = self.addresses[S1]
        reader, writer = await asyncio.open_connection(address.host, address.port)
        try:
            writer.write(data)
            if not and_wait:
                writer.write_eof()
            async with asyncio.timeout(SECONDS):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


def refusals(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [record.fields for record in caplog.records if record.getMessage() == "refused"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (replace(AS_CLIENT, version=2), "version 2 of the protocol; this server speaks 1"),
        (replace(AS_CLIENT, destination=S2), "looking for s2; this is s1"),
        (replace(AS_CLIENT, name="a/b"), "client 'a/b'"),
        (replace(AS_CLIENT, name="n" * 65), "a name has 1 to 64 letters"),
        (replace(AS_CLIENT, name=""), "a name has 1 to 64 letters"),
        (replace(AS_SERVER, name="s1"), "server 's1'; the others here are s1, s2"),
        (replace(AS_SERVER, name="s3"), "server 's3'"),
        (replace(AS_SERVER, servers=(S1, S2, ServerId("s3"))), "a cluster of s1, s2, s3; ours is s1, s2"),
    ],
)
def test_a_hello_that_does_not_fit_is_answered_with_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, hello: wire.Hello, reason: str
) -> None:
    async def body() -> None:
        async with One(tmp_path, size=2) as servers:
            reply = await servers.raw(wire.HELLO.encode(hello))
            [payload] = wire.FrameReader().feed(reply)
            refusal = wire.REPLY_TO_HELLO.decode(payload)
            assert isinstance(refusal, wire.Refusal)
            assert reason in refusal.reason
            assert [reason in str(one["detail"]) for one in refusals(caplog)] == [True]
            await servers.still_serves()

    run(body())


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 100,
        wire.HEADER.pack(1 << 30, 0),
        wire.PEER.encode(RequestVote(S2, S1, Term(1), Index(0), Term(0))),
        wire.HELLO.encode(AS_CLIENT)[:-1] + b"\x00",
        wire.HELLO.encode(AS_CLIENT) + b"\xff" * 100,
        wire.HELLO.encode(AS_CLIENT) + wire.HEADER.pack(wire.MAX_REQUEST + 1, 0),
        wire.HELLO.encode(AS_CLIENT) + wire.PEER.encode(RequestVote(S2, S1, Term(9), Index(0), Term(0))),
        wire.HELLO.encode(AS_SERVER) + wire.REQUEST.encode(ClientRequest(CLIENT, S1, Serial(1), Put("k", "v"))),
        wire.HELLO.encode(AS_SERVER) + wire.PEER.encode(RequestVote(ServerId("s3"), S1, Term(9), Index(0), Term(0))),
        wire.HELLO.encode(AS_SERVER) + wire.PEER.encode(RequestVote(S2, S2, Term(9), Index(0), Term(0))),
        wire.HELLO.encode(AS_SERVER) + wire.PEER.encode(RequestVote(S2, S1, Term(1 << 54), Index(0), Term(0))),
        wire.HELLO.encode(AS_CLIENT) + wire.REQUEST.encode(ClientRequest(CLIENT, S2, Serial(1), Put("k", "v"))),
        wire.HELLO.encode(AS_CLIENT) + wire.REQUEST.encode(ReadRequest(ClientId("other/1"), S1, Serial(1), "k")),
        wire.HELLO.encode(AS_CLIENT) + wire.REQUEST.encode(ReadRequest(CLIENT, S1, Serial(1 << 54), "k")),
    ],
)
def test_what_is_no_message_here_ends_its_connection_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    async def body() -> None:
        async with One(tmp_path, size=2) as servers:
            await servers.raw(data)
            assert servers.refused("malformed") == 1
            assert [one["reason"] for one in refusals(caplog)] == ["malformed"]
            assert servers.server(S1).driver.status().term < 9
            await servers.still_serves()

    run(body())


def test_a_peer_that_breaks_the_protocol_is_refused_and_nothing_has_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        async with One(tmp_path, size=1) as alone:
            await alone.leader()
            await until(lambda: alone.server(S1).driver.status().last_applied == 1)
            before = alone.server(S1).driver.status()
            lie = AppendEntries(S2, S1, before.term, Index(0), Term(0), (Entry(before.term, None),), Index(0))
            alone.server(S1).driver.receive(lie)
            await until(lambda: alone.refused("violation") == 1)
            assert alone.server(S1).driver.status() == before
            assert "one leader in a term" in caplog.text or any(
                "one leader in a term" in str(record.fields) for record in caplog.records if hasattr(record, "fields")
            )

    run(body())


def test_who_says_nothing_and_who_is_one_client_too_many_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with One(tmp_path, size=2) as servers:
            monkeypatch.setattr(listener, "SECONDS_TO_GREET", 0.05)
            await servers.raw(b"", and_wait=True)
            assert servers.refused("slow") == 1
            monkeypatch.undo()
            monkeypatch.setattr(listener, "MAX_CLIENTS", 1)
            first = await servers.dial(S1)
            with pytest.raises(ConnectionRefused, match="more than 1 clients"):
                await servers.dial(S1)
            assert servers.refused("crowd") == 1
            await (await servers.dial(S1, AS_SERVER)).close()  # a peer gets in
            await first.close()
            await until(lambda: not servers.server(S1)._reception.clients)
            await servers.still_serves()

    run(body())


def test_a_flood_of_refusals_does_not_fill_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MAX_LINES", 3)
    monkeypatch.setattr(listener, "LINES_PER_SECOND", 0)

    async def body() -> None:
        async with One(tmp_path, size=2) as servers:
            servers.server(S1)._reception._lines = 3
            for _ in range(8):
                await servers.raw(b"GET / HTTP/1.1\r\n\r\n")
            assert servers.refused("malformed") == 8
            assert len(refusals(caplog)) == 3
            servers.server(S1)._reception._lines = 3  # a second later
            await servers.raw(b"GET / HTTP/1.1\r\n\r\n")
            assert refusals(caplog)[-1]["unsaid"] == 5

    run(body())


def test_the_longest_name_of_a_client_fits_into_its_requests(tmp_path: Path) -> None:
    async def body() -> None:
        async with One(tmp_path, size=1) as alone, alone.client(name="€" * 64, timeout=SECONDS) as client:
            await client.put("k" * wire.MAX_KEY, "v" * wire.MAX_VALUE)
            assert await client.get("k" * wire.MAX_KEY) == "v" * wire.MAX_VALUE

    run(body())


def test_a_crowd_that_says_nothing_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MAX_STRANGERS", 3)

    async def body() -> None:
        async with One(tmp_path, size=2) as servers:
            address, reception = servers.addresses[S1], servers.server(S1)._reception
            silent = [await asyncio.open_connection(address.host, address.port) for _ in range(5)]
            await until(lambda: servers.refused("crowd") == 2)
            await until(lambda: len(reception.open) == 3)
            assert b"connections without a Hello" in await silent[0][0].read()  # the oldest went
            await servers.still_serves()
            for _, writer in silent:
                writer.close()
            await until(lambda: not reception.open)
            assert not reception.strangers

    run(body())


def test_a_peers_new_connection_takes_the_place_of_its_last_one(tmp_path: Path) -> None:
    async def body() -> None:
        async with One(tmp_path, size=2) as servers:
            first = await servers.dial(S1, AS_SERVER)
            second = await servers.dial(S1, AS_SERVER)
            assert await first.reply() is None
            second.send_as_peer(RequestVote(S2, S1, Term(3), Index(0), Term(0)))
            await until(lambda: servers.server(S1).driver.status().term >= 3)
            assert len(servers.server(S1)._reception.open) == 1
            await second.close()

    run(body())


def test_a_connection_whose_other_side_has_died_does_not_stay_for_ever(tmp_path: Path) -> None:
    """Power cuts cannot be tried here; what the kernel is told to do about them can be looked at."""

    def kept_alive(connection: socket.socket) -> bool:
        return bool(connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    async def body() -> None:
        async with One(tmp_path, size=2) as servers:
            talk = await servers.dial(S1)
            [accepted] = servers.server(S1)._reception.open
            for transport in (accepted._transport, talk._connection._transport):
                assert transport is not None
                assert kept_alive(transport.get_extra_info("socket"))
            await talk.close()

    run(body())


def test_a_connection_that_is_closed_is_gone_even_if_its_client_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "SECONDS_TO_CLOSE", 0.05)

    async def body() -> None:
        async with One(tmp_path, size=2) as servers:
            address, reception = servers.addresses[S1], servers.server(S1)._reception
            _, writer = await asyncio.open_connection(address.host, address.port, limit=1)
            writer.write(wire.HELLO.encode(AS_CLIENT))
            await until(lambda: bool(reception.clients))
            [accepted] = reception.clients
            assert accepted._transport is not None
            while accepted._transport.get_write_buffer_size() == 0:
                accepted._write(wire.REPLY.encode(servers.server(S1).driver.status()) * 1000)
                await asyncio.sleep(0)
            accepted.close()
            await until(lambda: not reception.open)
            writer.close()

    run(body())


def test_whoever_goes_before_tls_is_up_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent, reset, ended or in the middle: each would otherwise take one of the places for connections for ever."""
    monkeypatch.setattr(listener, "SECONDS_TO_GREET", 0.3)
    issue(tmp_path / "c", ["s1", "s2", "client"])
    reset = struct.pack("ii", 1, 0)

    async def body() -> None:
        async with One(tmp_path, size=2, certificates=tmp_path / "c") as servers:
            address = servers.addresses[S1]
            for said in (b"", b"\x16\x03\x01\x01\x00\x01", b"no TLS"):
                for how in ("waits", "resets", "ends"):
                    _, writer = await asyncio.open_connection(address.host, address.port)
                    writer.write(said)
                    await until(lambda: len(servers.server(S1)._reception.open) > 0)
                    if how == "resets":
                        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                        writer.transport.abort()
                    elif how == "ends":
                        writer.write_eof()
                    await until(lambda: not servers.server(S1)._reception.open)
                    writer.close()

    run(body())


def test_a_client_that_reads_no_answers_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        monkeypatch.setattr(listener, "MAX_UNREAD", 10_000)
        async with One(tmp_path, size=2) as servers:
            address = servers.addresses[S1]
            _, writer = await asyncio.open_connection(address.host, address.port, limit=1)
            writer.write(wire.HELLO.encode(AS_CLIENT))
            question = wire.REQUEST.encode(wire.StatusRequest()) * 1000
            try:
                while servers.refused("unread") == 0:
                    writer.write(question)
                    await writer.drain()
            except ConnectionError:
                pass
            writer.close()
            assert servers.refused("unread") == 1
            monkeypatch.undo()
            await servers.still_serves()

    run(body())


def test_a_client_that_has_greeted_may_be_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "SECONDS_TO_GREET", 0.1)

    async def body() -> None:
        async with One(tmp_path, size=2) as servers:
            talk = await servers.dial(S1)
            await asyncio.sleep(0.3)
            talk.send(wire.StatusRequest())
            assert isinstance(await talk.reply(), wire.Status)
            assert servers.refused("slow") == 0
            await talk.close()

    run(body())


def test_what_was_answered_before_a_stop_goes_out(tmp_path: Path) -> None:
    async def body() -> None:
        async with One(tmp_path, size=2) as servers:
            address, reception = servers.addresses[S1], servers.server(S1)._reception
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(wire.HELLO.encode(AS_CLIENT))
            await until(lambda: bool(reception.clients))
            [accepted] = reception.clients
            answers = wire.REPLY.encode(servers.server(S1).driver.status()) * 40_000
            accepted._write(answers)
            assert accepted._transport is not None
            assert accepted._transport.get_write_buffer_size() > 0, "more than the sockets take"
            stopping = asyncio.create_task(servers.stop(S1))
            async with asyncio.timeout(SECONDS):
                received = await reader.read()
            await stopping
            writer.close()
            assert received.endswith(answers)

    run(body())


def test_refusals_are_logged_again_after_a_flood(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        async with One(tmp_path, size=2) as servers:
            reception = servers.server(S1)._reception
            reception._lines, reception._counted_at = 0.0, asyncio.get_running_loop().time()
            await servers.raw(b"GET / HTTP/1.1\r\n\r\n")
            assert refusals(caplog) == []
            reception._counted_at -= 2 / listener.LINES_PER_SECOND
            await servers.raw(b"GET / HTTP/1.1\r\n\r\n")
            assert [one.get("unsaid") for one in refusals(caplog)] == [1]

    run(body())


# Who cannot prove his name --------------------------------------------------------------------------------------------


def test_without_the_right_certificate_nobody_gets_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    ours, others = tmp_path / "ours", tmp_path / "others"
    issue(ours, ["s1", "s2", "client"])
    issue(others, ["s1", "s2", "client"])

    async def refused_by(tls: ssl.SSLContext | None, hello: wire.Hello, address: Address) -> None:
        with pytest.raises((OSError, ConnectionRefused)):
            await dial(address, tls, hello, lambda payload: None, lambda: None)

    async def body() -> None:
        async with One(tmp_path, size=2, certificates=ours) as servers:
            address, own = servers.addresses[S1], Identity("client", ours).dialling()
            nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            nobody.load_verify_locations(ours / "ca.pem")
            forged = Identity("client", others).dialling()
            forged.load_verify_locations(ours / "ca.pem")
            await refused_by(None, AS_CLIENT, address)  # plain
            await refused_by(nobody, AS_CLIENT, address)  # no certificate
            await refused_by(forged, AS_CLIENT, address)  # another authority's
            await refused_by(own, replace(AS_CLIENT, name="s2"), address)  # another's name
            await refused_by(own, AS_SERVER, address)  # a client as a server
            await refused_by(Identity("client", others).dialling(), AS_CLIENT, address)  # ours is not theirs
            await until(lambda: servers.refused("unauthenticated") == 6)
            assert len(refusals(caplog)) == 6
            assert any("'s2' with a certificate for client" in str(one["detail"]) for one in refusals(caplog))
            async with Client({S1: address}, Identity("client", ours), timeout=SECONDS) as client:
                assert (await client.status(S1)).server == S1
            await until(lambda: not servers.server(S1)._reception.open)

    run(body())


def test_a_server_with_another_name_than_the_one_that_was_dialled_is_not_believed(tmp_path: Path) -> None:
    issue(tmp_path / "c", ["s1", "s2", "client"])

    async def body() -> None:
        async with One(tmp_path, size=2, certificates=tmp_path / "c") as servers:
            misled = Client({S2: servers.addresses[S1]}, Identity("client", tmp_path / "c"), timeout=SECONDS)
            with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
                await misled.status(S2)
            with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
                await misled.put("k", "v")

    run(body())


def test_a_name_in_other_letters_is_another_name(tmp_path: Path) -> None:
    """TLS compares names as DNS does, and a client called S1 could otherwise pass for the server s1."""
    issue(tmp_path / "c", ["S1", "s2", "client"])

    async def body() -> None:
        impostor = Identity("S1", tmp_path / "c").listening()
        welcome = wire.REPLY_TO_HELLO.encode(wire.Welcome(wire.VERSION, S1))

        async def pass_for_s1(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(welcome)
            await reader.read()
            writer.close()

        async with await asyncio.start_server(pass_for_s1, "127.0.0.1", 0, ssl=impostor) as listening:
            address = Address(*listening.sockets[0].getsockname())
            own = Identity("client", tmp_path / "c").dialling()
            with pytest.raises(ConnectionRefused, match="a certificate for S1"):
                await dial(address, own, AS_CLIENT, lambda payload: None, lambda: None)
            await asyncio.sleep(0)

    run(body())
