"""A client and servers that answer as a test says: where it asks next, how soon, and with which serial."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import TypeVar

import pytest

from refimpl import client as clients
from refimpl import wire
from refimpl.client import Client, NoAnswer
from refimpl.dialling import Address
from refimpl.entry import ServerId
from tests.refimpl.servers import SECONDS, run_virtually, until

S1, S2, S3 = ServerId("s1"), ServerId("s2"), ServerId("s3")
Choice = TypeVar("Choice")
Behaviour = Callable[[wire.Request], wire.ServerReply | None]
"""What a server says to a request; None: nothing."""


class FirstOfAll(Random):
    """Chooses the first of what there is, and the middle of a range."""

    def choice(self, seq: Sequence[Choice]) -> Choice:  # type: ignore[override]
        return seq[0]

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


class HangUp(Exception):
    """Raised by a behaviour: the server closes the connection."""


@asynccontextmanager
async def servers(
    behaviours: dict[ServerId, Behaviour], refusing: set[ServerId] | None = None
) -> AsyncIterator[dict[ServerId, Address]]:
    """They listen; whoever is in `refusing` turns everybody away."""

    def serve(name: ServerId) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            frames, greeted = wire.FrameReader(wire.MAX_FRAME), False
            try:
                while data := await reader.read(1 << 16):
                    for payload in frames.feed(data):
                        if not greeted and name in (refusing or ()):
                            writer.write(wire.REPLY_TO_HELLO.encode(wire.Refusal(wire.VERSION, "no")))
                            raise HangUp
                        if not greeted:
                            greeted = True
                            writer.write(wire.REPLY_TO_HELLO.encode(wire.Welcome(wire.VERSION, name)))
                            continue
                        request = wire.REQUEST.decode(payload)
                        assert not isinstance(request, wire.StatusRequest)
                        reply = behaviours[name](request)
                        if reply is not None:
                            writer.write(wire.REPLY.encode(reply))
            except (HangUp, ConnectionError):
                pass
            finally:
                writer.close()

        return talk

    async with AsyncExitStack() as stack:
        addresses = {}
        for name in behaviours:
            server = await stack.enter_async_context(await asyncio.start_server(serve(name), "127.0.0.1", 0))
            addresses[name] = Address(*server.sockets[0].getsockname())
        yield addresses
        await asyncio.sleep(0.01)


def answer(request: wire.Request) -> wire.ServerReply:
    return wire.Answer(request.source, request.serial, "here")


def sends_to(leader: ServerId | None) -> Behaviour:
    return lambda request: wire.Redirect(request.source, request.serial, leader)


def test_a_client_that_is_sent_to_the_leader_goes_there_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "SHORTEST_PAUSE", 2 * SECONDS)

    async def body() -> None:
        async with (
            servers({S1: sends_to(S3), S2: sends_to(S3), S3: answer}) as addresses,
            Client(addresses, timeout=SECONDS, chance=FirstOfAll()) as client,
        ):
            assert await client.get("k") == "here"

    run_virtually(body())


@pytest.mark.parametrize("leaders", [(None, None), (S2, S1)], ids=["none", "each other"])
def test_a_client_whom_nobody_serves_asks_ever_less_often(leaders: tuple[ServerId | None, ...]) -> None:
    asked: list[wire.Request] = []

    def redirect(leader: ServerId | None) -> Behaviour:
        def note(request: wire.Request) -> wire.ServerReply:
            asked.append(request)
            return wire.Redirect(request.source, request.serial, leader)

        return note

    async def body() -> None:
        both = servers({S1: redirect(leaders[0]), S2: redirect(leaders[1])})
        async with both as addresses, Client(addresses, timeout=1) as client:
            with pytest.raises(NoAnswer):
                await client.put("k", "v")

    run_virtually(body())
    # Pauses of at least 0.01, 0.02, … 0.16, 0.25, 0.25, 0.25 s, with two requests between them at most.
    assert 4 <= len(asked) <= 18
    assert {(one.source, one.serial) for one in asked} == {(asked[0].source, 1)}


def test_a_server_that_says_nothing_is_left_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "SECONDS_FOR_ONE_SERVER", 0.1)

    async def body() -> None:
        async with (
            servers({S1: lambda request: None, S2: answer}) as addresses,
            Client(addresses, timeout=SECONDS, chance=FirstOfAll()) as client,
        ):
            assert await client.get("k") == "here"

    run_virtually(body())


def test_a_client_that_everybody_turns_away_after_its_command_was_sent_claims_nothing() -> None:
    refusing: set[ServerId] = set()

    def takes_it_and_dies(request: wire.Request) -> wire.ServerReply | None:
        refusing.add(S1)
        raise HangUp

    async def body() -> None:
        async with (
            servers({S1: takes_it_and_dies}, refusing) as addresses,
            Client(addresses, timeout=0.5) as client,
        ):
            with pytest.raises(NoAnswer, match="may or may not have taken effect"):
                await client.put("k", "v")

    run_virtually(body())


def test_what_was_said_last_is_told_also_of_a_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "SECONDS_FOR_ONE_SERVER", 0.1)

    async def body() -> None:
        async with servers({S1: lambda request: None}) as addresses, Client(addresses, timeout=0.5) as client:
            with pytest.raises(NoAnswer, match=r"\(last: TimeoutError\)"):
                await client.put("k", "v")

    run_virtually(body())


def test_an_answer_to_a_command_that_was_given_up_is_none_to_the_next() -> None:
    asked: list[wire.Request] = []

    def answers_late(request: wire.Request) -> wire.ServerReply | None:
        asked.append(request)
        if len(asked) == 1:
            return None
        return wire.Answer(request.source, asked[-2].serial, f"to {asked[-2].serial}")  # the one before

    async def body() -> None:
        async with servers({S1: answers_late}) as addresses, Client(addresses, timeout=SECONDS) as client:
            given_up = asyncio.create_task(client.get("k"))
            await until(lambda: len(asked) == 1)
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)
            assert await client.get("k") == "to 2"  # its retry is answered, the late answer to 1 is passed over

    run_virtually(body())
