"""A server that does nothing of its own accord: the driver of a process under a harness (refimpl/control.py).

It takes the place of refimpl/driver.py. The replica, its directory and recovery, the listener, the links and every byte
on the network are those of a server that runs free; only when something happens is the harness's to say. What arrives
waits in a pen until it is asked for, timers do not run, and each fsync, apply and answer is a request.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from refimpl import control, observation, wire
from refimpl.driver import Reply, Send, status_of
from refimpl.durable import INITIAL, Durable
from refimpl.entry import ClientId, ServerId
from refimpl.errors import ImpossibleRequest, ProtocolViolation
from refimpl.interface import Config, ElectionTimeout, Receive, Replicate
from refimpl.lossy_directory import LossyDirectory
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientResponse,
    Message,
    PeerMessage,
    ReadResponse,
    RequestVote,
    RequestVoteResponse,
)
from refimpl.plain import Plain
from refimpl.replica import Replica
from refimpl.segments import LogReader
from refimpl.storage import Storage
from refimpl.wire import Request, Status


class HeldDriver:
    """Drives a replica as the harness at the other end of the socket says, until that closes it."""

    def __init__(
        self, config: Config, storage: Storage, send: Send, harness: socket.socket, port: Callable[[], int]
    ) -> None:
        """`port`: tells, once this server listens, where."""
        self._config = config
        self._storage = storage
        self._send = send
        self._harness = harness
        self._port = port
        self._channel: asyncio.StreamWriter | None = None
        self._pen: asyncio.Queue[PeerMessage | tuple[Request, Reply]] = asyncio.Queue()
        self._clients: dict[ClientId, Reply] = {}
        self._replica = self._recovered()

    # What the network brings ----------------------------------------------------------------------------------------

    def receive(self, message: PeerMessage) -> None:
        """A peer's message has come."""
        self._pen.put_nowait(message)

    def request(self, request: Request, reply: Reply) -> None:
        """A client's command or read has come."""
        self._pen.put_nowait((request, reply))

    def status(self) -> Status:
        """How the server sees itself now; who leads is not followed here."""
        return status_of(self._replica, None)

    # The harness ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Returns when the harness is gone, or after `stop`. Raises DiskError, WalPoisoned, MalformedMessage."""
        reader, writer = await asyncio.open_connection(sock=self._harness)
        self._channel = writer
        frames = wire.FrameReader(control.MAX_CONTROL)
        try:
            writer.write(control.REPLY.encode(control.Listening(self._port())))
            while data := await reader.read(1 << 16):
                for payload in frames.feed(data):
                    reply = await self._perform(control.REQUEST.decode(payload))
                    writer.write(control.REPLY.encode(reply))
        finally:
            writer.close()

    def stop(self) -> None:
        """End after the current request."""
        if self._channel is not None:
            self._channel.close()

    async def _perform(self, request: control.Request) -> control.Reply:
        try:
            match request:
                case control.Campaign():
                    return self._sent(self._replica.handle(ElectionTimeout()))
                case control.SendEntries(peer):
                    return self._sent(self._replica.handle(Replicate(ServerId(peer))))
                case control.TakeDelivery():
                    return self._sent(self._replica.handle(Receive(self._opened(await self._pen.get()))))
                case control.Flush():
                    return self._flush()
                case control.Apply():
                    return self._apply()
                case control.AnswerClient():
                    return self._answer()
                case control.Observe():
                    return control.Observed(self._observed())
                case control.LetThrough(keep, torn):
                    return self._let_through(keep, torn)
                case control.Begin(folder):
                    self._storage.move_to(Path(folder))
                    self._clients.clear()
                    self._replica = self._recovered()
                    return control.Performed()
        except (ImpossibleRequest, ProtocolViolation) as error:
            return control.Refused(type(error).__name__, error.found, error.allowed, error.remedy)

    # Requests ---------------------------------------------------------------------------------------------------------

    def _flush(self) -> control.Reply:
        if not self._storage.log_file.unflushed_ends:
            raise self._impossible("flush without an unflushed frame", "flush after a step that wrote one")
        self._replica.sync()
        return self._sent(self._replica.release())

    def _apply(self) -> control.Reply:
        if not self._replica.to_apply:
            raise self._impossible("apply with nothing committed that is not applied", "apply of a queued entry")
        return self._sent(self._replica.apply_next())

    def _answer(self) -> control.Reply:
        if not self._replica.to_answer:
            raise self._impossible("answer with no answer queued", "answer after a waiter's entry is applied")
        return self._sent((self._replica.answer_next(),))

    def _let_through(self, keep: int, torn: bool) -> control.Reply:
        ends = (0, *self._storage.log_file.unflushed_ends)
        if not 0 <= keep < len(ends):
            raise self._impossible(f"crash that keeps {keep} frames", f"0 to {len(ends) - 1} kept frames")
        match self._storage.directory:
            case LossyDirectory() as lossy:
                half = (ends[keep + 1] - ends[keep]) // 2 if torn and keep < len(ends) - 1 else 0
                lossy.let_through(ends[keep] + half)
            case _ if keep < len(ends) - 1:
                raise ImpossibleRequest(
                    f"{self._config.server}: a crash that loses {len(ends) - 1 - keep} written frames",
                    "a crash that loses none: the kernel keeps what a killed process has written",
                    "replay with --disk lossy",
                )
            case _:
                pass
        return control.Performed()

    def _observed(self) -> Plain:
        states = self._recoverable()
        surviving = len(states) - len(self._storage.log_file.unflushed_ends) - 1
        seen = observation.stored(states[surviving], states[surviving + 1 :], self._replica.outbox)
        memory = observation.remembered(self._replica.raft, self._replica.store, self._replica.waiters)
        return {"up": True} | seen | memory

    def _recoverable(self) -> list[Durable]:
        """The durable state before the first frame that this process sees in its files, and after each."""
        states = [INITIAL]
        for frame in LogReader(self._storage.directory):
            states.append(states[-1].after(frame.record))
        return states

    # How it is done ---------------------------------------------------------------------------------------------------

    def _recovered(self) -> Replica:
        return Replica(self._config, self._storage.log_file, self._storage.recovered)

    def _opened(self, arrived: PeerMessage | tuple[Request, Reply]) -> PeerMessage | Request:
        if not isinstance(arrived, tuple):
            return arrived
        request, self._clients[request.source] = arrived
        return request

    def _sent(self, messages: tuple[Message, ...]) -> control.Performed:
        for message in messages:
            match message:
                case RequestVote() | RequestVoteResponse() | AppendEntries() | AppendEntriesResponse():
                    self._send(message)
                case ClientResponse(_, client, serial):
                    response = self._replica.response_to(client, serial)
                    self._clients[client](wire.Answer(client, serial, response))
                case ReadResponse(_, client, serial, value):
                    self._clients[client](wire.Answer(client, serial, value))
        return control.Performed(tuple((type(message).__name__, message.destination) for message in messages))

    def _impossible(self, found: str, allowed: str) -> ImpossibleRequest:
        remedy = "compare the steps before this one with what the server observed"
        return ImpossibleRequest(f"{self._config.server}: {found}", allowed, remedy)
