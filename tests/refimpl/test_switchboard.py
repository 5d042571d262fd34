"""The network between real processes: what it takes, what it hands on, and what it makes of processes that die."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from refimpl import wire
from refimpl.entry import Append, ClientId, Index, Serial, ServerId, Term
from refimpl.errors import MalformedMessage
from refimpl.messages import ClientRequest, RequestVote
from refimpl.switchboard import NotReached, Switchboard

S1, S2, C1 = ServerId("s1"), ServerId("s2"), ClientId("c1")
VOTE = RequestVote(S1, S2, Term(1), Index(0), Term(0))
COMMAND = ClientRequest(C1, S2, Serial(1), Append("key", "value"))
HELLO = wire.HELLO.encode(wire.Hello(wire.VERSION, wire.Peer.SERVER, S1, S2, (S1, S2)))
WELCOME = wire.REPLY_TO_HELLO.encode(wire.Welcome(wire.VERSION, S2))
SECONDS = 20.0


@pytest.fixture
def board() -> Iterator[Switchboard]:
    made = Switchboard((S1, S2))
    yield made
    made.close()


def soon() -> float:
    return time.monotonic() + SECONDS


def dialled(board: Switchboard, *frames: bytes) -> socket.socket:
    """s1, which believes that it has reached s2."""
    host, port = board.address_of(S2).split(":")
    end = socket.create_connection((host, int(port)), SECONDS)
    for frame in frames:
        end.sendall(frame)
    return end


@contextmanager
def listening(*frames: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """s2, which answers the first connection with these frames; its port, and what it has read in the end."""
    read: list[bytes] = []

    def serve() -> None:
        end, _ = listener.accept()
        with end:
            for frame in frames:
                end.sendall(frame)
            end.shutdown(socket.SHUT_WR)
            while data := end.recv(1 << 16):
                read.append(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], read
        thread.join(SECONDS)
        assert not thread.is_alive()


def until_it_speaks(board: Switchboard) -> None:
    deadline = soon()
    while board.is_silent():
        assert time.monotonic() < deadline


def test_what_a_server_sends_to_a_peer_is_handed_on(board: Switchboard) -> None:
    with dialled(board, HELLO, wire.PEER.encode(VOTE)) as end:
        assert board.sent_by(S1, 1, soon()) == [VOTE]
        assert end.recv(1 << 16) == WELCOME
        assert board.is_silent()


def test_a_message_too_many_is_handed_on_with_the_others(board: Switchboard) -> None:
    with dialled(board, HELLO, 2 * wire.PEER.encode(VOTE)):
        assert board.sent_by(S1, 1, soon()) == [VOTE, VOTE]


def test_a_message_that_nobody_asked_for_breaks_the_silence(board: Switchboard) -> None:
    with dialled(board, HELLO, wire.PEER.encode(VOTE)):
        until_it_speaks(board)


def test_a_message_that_does_not_come_is_not_waited_for_without_end(board: Switchboard) -> None:
    with pytest.raises(TimeoutError):
        board.sent_by(S1, 1, time.monotonic() + 0.05)


def test_a_server_that_was_killed_in_its_handshake_is_forgotten(board: Switchboard) -> None:
    dialled(board, HELLO[:5]).close()
    dialled(board, HELLO).close()
    with dialled(board, HELLO, wire.PEER.encode(VOTE)):
        assert board.sent_by(S1, 1, soon()) == [VOTE]


def test_what_a_dead_server_has_sent_unasked_is_lost(board: Switchboard) -> None:
    with dialled(board, HELLO, wire.PEER.encode(VOTE)):
        until_it_speaks(board)
        board.forget(S1)
        assert board.is_silent()


@pytest.mark.parametrize("frames", [(b"GET / HTTP/1.1\r\n",), (HELLO, b"GET / HTTP/1.1\r\n"), (HELLO, HELLO)])
def test_what_is_no_message_is_an_error(board: Switchboard, frames: tuple[bytes, ...]) -> None:
    with dialled(board, *frames), pytest.raises(MalformedMessage):
        board.sent_by(S1, 1, soon())


def test_a_message_is_delivered_in_the_name_of_its_source(board: Switchboard) -> None:
    client = wire.HELLO.encode(wire.Hello(wire.VERSION, wire.Peer.CLIENT, C1, S2, ()))
    for message, hello, frame in (
        (VOTE, HELLO, wire.PEER.encode(VOTE)),
        (COMMAND, client, wire.REQUEST.encode(COMMAND)),
    ):
        with listening(WELCOME) as (port, read):
            board.deliver(message, port)
            board.forget(S2)
        assert b"".join(read) == hello + frame


def test_an_answer_to_a_client_is_the_servers(board: Switchboard) -> None:
    answer, redirect = wire.Answer(C1, Serial(1), "value"), wire.Redirect(C1, Serial(1), None)
    with listening(WELCOME, wire.REPLY.encode(redirect), wire.REPLY.encode(answer)) as (port, _):
        board.deliver(COMMAND, port)
        assert board.sent_by(S2, 1, soon()) == [answer]
        board.forget(S2)


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ((wire.REPLY_TO_HELLO.encode(wire.Refusal(wire.VERSION, "a stranger")),), "s2 refuses s1: a stranger"),
        ((), "ended in the handshake"),
    ],
)
def test_a_server_that_does_not_let_us_in_is_not_reached(
    board: Switchboard, frames: tuple[bytes, ...], said: str
) -> None:
    with listening(*frames) as (port, _), pytest.raises(NotReached, match=said):
        board.deliver(VOTE, port)


def test_a_port_where_nobody_listens_is_not_reached(board: Switchboard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotReached, match=f"s2 takes no connection at port {port}"):
        board.deliver(VOTE, port)
