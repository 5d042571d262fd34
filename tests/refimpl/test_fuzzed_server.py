"""A live server and everything that is no message: it refuses, takes nothing for something else, and goes on."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from pathlib import Path

import pytest

from refimpl import wire
from refimpl.certificates import issue
from refimpl.client import Client
from refimpl.driver import Reply
from refimpl.entry import Entry, Index, Put, Serial, Term
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    PeerMessage,
    ReadRequest,
    RequestVote,
    RequestVoteResponse,
)
from refimpl.tls import Identity
from tests.refimpl.servers import SECONDS, until
from tests.refimpl.test_refusals import AS_CLIENT, AS_SERVER, CLIENT, S1, S2, One
from tests.refimpl.test_wire import mangle

PEER_MESSAGES: tuple[PeerMessage, ...] = (
    RequestVote(S2, S1, Term(3), Index(2), Term(1)),
    RequestVoteResponse(S2, S1, Term(3), vote_granted=True),
    AppendEntries(S2, S1, Term(3), Index(0), Term(0), (Entry(Term(1), None), Entry(Term(2), None)), Index(1)),
    AppendEntries(S2, S1, Term(2), Index(1), Term(1), (), Index(9)),
    AppendEntriesResponse(S2, S1, Term(1), success=True, index=Index(1)),
)
GREETINGS = {
    wire.Peer.SERVER: wire.HELLO.encode(AS_SERVER),
    wire.Peer.CLIENT: wire.HELLO.encode(AS_CLIENT),
    None: b"",  # from somebody who does not even greet well
}
REQUESTS: tuple[wire.ClientMessage, ...] = (
    ClientRequest(CLIENT, S1, Serial(1), Put("k", "v")),
    ReadRequest(CLIENT, S1, Serial(2), "k"),
    wire.StatusRequest(),
)


@pytest.mark.parametrize("number", [400, pytest.param(100_000, marks=pytest.mark.slow)])
def test_mangled_messages_do_not_stop_a_server_and_are_not_taken_for_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    """From strangers, clients and a peer; half mangled as bytes, half as payloads in a good frame. Seed 1."""
    caplog.set_level(logging.ERROR)  # not a line for each refusal
    chance = random.Random(1)

    async def body() -> None:
        async with One(tmp_path, size=2) as servers:
            driver = servers.server(S1).driver
            taken: list[PeerMessage | wire.Request] = []
            receive, request = driver.receive, driver.request

            def note_message(message: PeerMessage) -> None:
                taken.append(message)
                receive(message)

            def note_request(message: wire.Request, reply: Reply) -> None:
                taken.append(message)
                request(message, reply)

            driver.receive, driver.request = note_message, note_request  # type: ignore[method-assign]
            for _ in range(number):
                side = chance.choice((wire.Peer.SERVER, wire.Peer.CLIENT, None))
                good = _good(side, chance)
                in_good_frame = chance.random() < 0.5
                payload = mangle(chance, good[wire.HEADER.size :])
                mangled = wire.frame(payload, wire.MAX_FRAME) if in_good_frame and payload else mangle(chance, good)
                taken.clear()
                await servers.raw(GREETINGS[side] + mangled)
                if not in_good_frame:
                    assert all(message in (*PEER_MESSAGES, *REQUESTS) for message in taken)
            refused = servers.refused("malformed")
            assert refused > number / 2
            print(f"{number} mangled messages, {refused:.0f} refused as malformed")
            await servers.still_serves()

    asyncio.run(body())


@pytest.mark.parametrize("number", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_whatever_is_said_in_place_of_tls_gets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Mangled ClientHellos, whole ones with nothing behind them, and plain messages, mangled or not. Seed 1."""
    issue(tmp_path / "c", ["s1", "s2", "client"])
    chance = random.Random(1)
    client_hello = ssl.MemoryBIO()
    tls = Identity("client", tmp_path / "c").dialling().wrap_bio(ssl.MemoryBIO(), client_hello, server_hostname="s1")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = client_hello.read()

    async def body() -> None:
        async with One(tmp_path, size=2, certificates=tmp_path / "c") as servers:
            reception, taken = servers.server(S1)._reception, list[object]()
            for name in ("receive", "request"):
                monkeypatch.setattr(servers.server(S1).driver, name, lambda *said: taken.append(said))
            for _ in range(number):
                side = chance.choice((wire.Peer.SERVER, wire.Peer.CLIENT))
                said = chance.choice((hello, GREETINGS[side] + _good(side, chance)))
                await servers.raw(mangle(chance, said) if chance.random() < 0.9 else said)
            await until(lambda: not reception.open)
            assert servers.refused("unauthenticated") == number
            assert taken == []
            own = Identity("client", tmp_path / "c")
            async with Client({S1: servers.addresses[S1]}, own, timeout=SECONDS) as client:
                assert (await client.status(S1)).server == S1

    asyncio.run(body())


def _good(side: wire.Peer | None, chance: random.Random) -> bytes:
    match side:
        case wire.Peer.SERVER:
            return wire.PEER.encode(chance.choice(PEER_MESSAGES))
        case wire.Peer.CLIENT:
            return wire.REQUEST.encode(chance.choice(REQUESTS))
        case None:
            return wire.HELLO.encode(chance.choice((AS_CLIENT, AS_SERVER)))
