"""The reference implementation as a target, in real processes: `model-check replay … --target processes`.

Each server is a process, `python -m refimpl serve`, with its sockets, its recovery and its directory. Its timers and
effects are held (refimpl/held.py) and asked for through a control channel; its messages pass through a switchboard,
which holds them until they are delivered. A crash is SIGKILL, a restart a new process in the same directory. What a
restart would read is read from the files, not asked of the process.

`disk="lossy"`: what was not flushed has not left the process, and a crash loses it but for the frames that the trace
keeps. `disk="torn"`: as lossy, and half of the first lost frame reaches the file, which recovery has to forget.
`disk="real"`: the kernel has all of it, so a crash that should lose something cannot be played.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path

from refimpl import control
from refimpl.entry import ServerId
from refimpl.errors import ImpossibleRequest
from refimpl.faults import Fault, faults_named
from refimpl.held_process import PATIENCE, HeldProcess
from refimpl.messages import ClientResponse, Message, ReadResponse
from refimpl.plain import Plain, message_from, plain_durable, plain_message
from refimpl.real_directory import ReadOnlyDirectory
from refimpl.segments import LogReader
from refimpl.switchboard import NotReached, Sent, Switchboard
from refimpl.wal import replay
from refimpl.wire import Answer


class Disk(Enum):
    """What a killed process takes with it; the value is the word of the command line."""

    LOSSY = "lossy"
    TORN = "torn"
    REAL = "real"


def create(broken: frozenset[str] = frozenset(), disk: str = Disk.LOSSY.value) -> ProcessTarget:
    """A target; `broken` names rules of refimpl/faults.py. Raises ImpossibleRequest for names that are none, and where
    servers cannot run: that would look like a divergence."""
    known = [kind.value for kind in Disk]
    if disk not in known:
        raise ImpossibleRequest(f"disk {disk!r}", f"one of {', '.join(known)}", "correct --disk")
    if find_spec("prometheus_client") is None:
        advice = "pip install 'raftproof[server]'"
        raise ImpossibleRequest("no package prometheus_client, which a server needs", "the extra 'server'", advice)
    return ProcessTarget(faults_named(broken), Disk(disk))


@dataclass(slots=True)
class _Server:
    """A server's place in the cluster. No process: it is down. `folder`: its log, of the run that is replayed."""

    folder: Path
    process: HeldProcess | None


class ProcessTarget:
    """A cluster of processes, started by the first `reset` and ended by `close`.

    A `reset` of a cluster that is sound keeps the processes that are up and gives them empty folders. Where a call
    fails, nobody knows what is under way on the sockets, so the next `reset` starts new ones.
    """

    def __init__(self, broken: frozenset[Fault], disk: Disk) -> None:
        faults = "".join(f" ({fault})" for fault in sorted(fault.value for fault in broken))
        self.name = f"processes, {disk.value} disk{faults}"
        self._broken = broken
        self._disk = disk
        self._servers: dict[ServerId, _Server] = {}
        self._home: Path | None = None
        self._switchboard: Switchboard | None = None
        self._runs = 0
        self._sound = False

    # The Target protocol ----------------------------------------------------------------------------------------------

    def reset(self, servers: tuple[str, ...]) -> None:
        """A fresh cluster: every server up, with an empty directory. Raises ProcessFailed."""
        if not servers or len(set(servers)) != len(servers):
            raise ImpossibleRequest(f"servers {servers}", "at least one server, all different", "correct the names")
        was_sound = self._sound
        with self._doing():
            if not was_sound or tuple(self._servers) != servers or not self._board().is_silent():
                self.close()
            self._runs += 1
            home = self._prepared(servers)
            for server, place in self._servers.items():
                shutil.rmtree(place.folder, ignore_errors=True)
                place.folder = home / f"{server}.{self._runs}"
                if place.process is not None:
                    place.process.ask(control.Begin(str(place.folder)), control.Performed)
            self._start([server for server, place in self._servers.items() if place.process is None])

    def campaign(self, server: str) -> list[Plain]:
        """The election timer fires; a leader has none and does nothing."""
        return self._perform(server, control.Campaign())

    def replicate(self, server: str, peer: str) -> list[Plain]:
        """Send the peer one AppendEntries, if the server is a leader."""
        if peer == server or peer not in self._servers:
            raise ImpossibleRequest(f"replication from {server} to {peer}", "another server", "correct the peer")
        return self._perform(server, control.SendEntries(peer))

    def deliver(self, server: str, message: Plain) -> list[Plain]:
        """The message arrives at the server's socket, from a server or a client."""
        if message.get("destination") != server:
            raise ImpossibleRequest(
                f"delivery to {server} of a message for {message.get('destination')}",
                "delivery to the destination",
                "deliver the message where it is addressed to",
            )
        process = self._up(server, "take a message")
        with self._doing():
            try:
                self._board().deliver(message_from(message), process.port)
            except NotReached as error:
                raise process.failed(f"the delivery of a message ({error})") from error
        return self._perform(server, control.TakeDelivery())

    def flush(self, server: str) -> list[Plain]:
        """Make everything written durable; the messages that waited for it leave. Nothing unflushed is an error."""
        return self._perform(server, control.Flush())

    def apply(self, server: str) -> list[Plain]:
        """Perform the next queued apply."""
        return self._perform(server, control.Apply())

    def answer(self, server: str) -> list[Plain]:
        """Perform the next queued answer."""
        return self._perform(server, control.AnswerClient())

    def crash(self, server: str, keep: int) -> None:
        """Kill the process; of the unflushed frames the first `keep` have reached the disk."""
        process = self._up(server, "crash")
        with self._doing():
            process.ask(control.LetThrough(keep, self._disk is Disk.TORN), control.Performed)
            process.kill()
            self._servers[ServerId(server)].process = None
            self._board().forget(ServerId(server))

    def restart(self, server: str) -> list[Plain]:
        """A new process recovers from the same directory."""
        if self._place(server).process is not None:
            raise ImpossibleRequest(f"restart of {server}, which is up", "restart after a crash", "crash it first")
        with self._doing():
            self._start([ServerId(server)])
        return []

    def observe(self, server: str) -> Plain:
        """Everything that replay compares, as plain values; of a server that is down, only what its disk holds."""
        place = self._place(server)
        disk = plain_durable(replay(LogReader(ReadOnlyDirectory(place.folder))))
        if place.process is None:
            return {"up": False, "disk": disk, "pending": [], "outbox": []}
        with self._doing():
            fields = place.process.ask(control.Observe(), control.Observed).fields
        # What is written is in the files of a real disk, flushed or not: there the process says what is flushed.
        return fields if self._disk is Disk.REAL else fields | {"disk": disk}

    def close(self) -> None:
        """End every process, and remove what they left. `reset` starts anew."""
        for place in self._servers.values():
            if place.process is not None:
                place.process.kill()
        self._servers.clear()
        if self._switchboard is not None:
            self._switchboard.close()
            self._switchboard = None
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None
        self._sound = False

    # How it is done ---------------------------------------------------------------------------------------------------

    def _perform(self, server: str, request: control.Request) -> list[Plain]:
        process = self._up(server, type(request).__name__)
        with self._doing():
            announced = process.ask(request, control.Performed).sent
            try:
                arrived = self._board().sent_by(ServerId(server), len(announced), time.monotonic() + PATIENCE)
            except TimeoutError as error:
                raise process.failed(f"the sending of {announced}") from error
            return [plain_message(message) for message in _messages(arrived, ServerId(server), announced)]

    @contextmanager
    def _doing(self) -> Iterator[None]:
        """Whatever ends a call early, Ctrl-C too, leaves the cluster in a state that nobody knows."""
        self._sound = False
        yield
        self._sound = True

    def _prepared(self, servers: tuple[str, ...]) -> Path:
        if self._home is None:
            self._home = Path(tempfile.mkdtemp(prefix="raftproof-replay-"))
            self._servers = {ServerId(server): _Server(self._home / server, None) for server in servers}
            self._switchboard = Switchboard(self._servers)
        return self._home

    def _start(self, servers: list[ServerId]) -> None:
        for server in servers:  # all of them at once, then wait
            self._servers[server].process = self._spawned(server)
        for server in servers:
            process = self._servers[server].process
            assert process is not None
            process.wait_until_listening()

    def _spawned(self, server: ServerId) -> HeldProcess:
        assert self._home is not None
        board = self._board()
        peers = [f"{peer}={board.address_of(peer)}" for peer in self._servers if peer != server]
        words = ["serve", "--id", server, "--listen", "127.0.0.1:0", "--peers", ",".join(peers)]
        words += ["--data", str(self._servers[server].folder), "--insecure"]
        words += ["--lossy"] if self._disk is not Disk.REAL else []
        words += [word for fault in sorted(fault.value for fault in self._broken) for word in ("--break", fault)]
        return HeldProcess(server, words, self._home / f"{server}.log")

    def _board(self) -> Switchboard:
        assert self._switchboard is not None, "there is one between reset and close"
        return self._switchboard

    def _place(self, server: str) -> _Server:
        try:
            return self._servers[ServerId(server)]
        except KeyError:
            raise ImpossibleRequest(
                f"server {server}", f"one of {', '.join(self._servers) or 'none before reset'}", "correct the server"
            ) from None

    def _up(self, server: str, wish: str) -> HeldProcess:
        process = self._place(server).process
        if process is None:
            raise ImpossibleRequest(f"{server}: a request to {wish}, of a server that is down", "restart", "restart it")
        return process


def _messages(arrived: list[Sent], server: ServerId, announced: tuple[tuple[str, str], ...]) -> list[Message]:
    """What has arrived, in the order that was announced: sockets keep the order only of what goes the same way."""
    # On the wire a command and a read have the same answer; no step of a server answers both.
    answers_reads = any(kind == ReadResponse.__name__ for kind, _ in announced)
    left = [_message(sent, server, answers_reads) for sent in arrived]
    found = []
    for _, destination in announced:
        at = next((at for at, message in enumerate(left) if message.destination == destination), None)
        if at is not None:
            found.append(left.pop(at))
    return found + left


def _message(sent: Sent, server: ServerId, answers_reads: bool) -> Message:
    if not isinstance(sent, Answer):
        return sent
    if answers_reads:
        return ReadResponse(server, sent.client, sent.serial, sent.response)
    return ClientResponse(server, sent.client, sent.serial)
