"""One real server process under a harness: started, asked, killed; and what is left to read when it fails."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from refimpl import control
from refimpl.control import Listening, Refused, Reply, Request
from refimpl.errors import ImpossibleRequest, MalformedMessage, ProcessFailed, ProtocolViolation
from refimpl.wire import FrameReader

START = 60.0
"""Seconds that a process may take to start, on a machine that has other work."""
PATIENCE = 30.0
"""Seconds for one request."""
GRACE = 1.0
"""Seconds until a process that has closed its connections is gone."""
SOURCE = Path(__file__).resolve().parent.parent
TAIL = 12
"""Lines of the process's log that an error shows."""

Expected = TypeVar("Expected", bound=Reply)


class HeldProcess:
    """A process from its start to its end. `port` is where it listens, 0 before `wait_until_listening`."""

    def __init__(self, server: str, arguments: Sequence[str], log: Path) -> None:
        """Start `python -m refimpl` with these arguments, and the option --held."""
        self.server = server
        self.port = 0
        self._log = log
        ours, theirs = socket.socketpair()
        self._channel = _Channel(ours)
        try:
            with theirs, log.open("ab") as output:
                words = [sys.executable, "-m", "refimpl", *arguments, "--held", str(theirs.fileno())]
                self._process = subprocess.Popen(
                    words,
                    cwd=SOURCE,  # where -m looks first: it finds this very package, wherever the harness was started
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,  # Ctrl-C is for the harness, which then ends its servers
                )
        except BaseException:
            self._channel.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_listening(self) -> None:
        """Raises ProcessFailed."""
        self.port = self._reply("start", Listening, time.monotonic() + START).port

    def ask(self, request: Request, expected: type[Expected]) -> Expected:
        """The reply. Raises ProcessFailed, and what the server raised: ImpossibleRequest, ProtocolViolation."""
        what = type(request).__name__
        try:
            self._channel.send(request)
        except _Closed as error:
            raise self.failed(what) from error
        return self._reply(what, expected, time.monotonic() + PATIENCE)

    def kill(self) -> None:
        """SIGKILL; returns once the process is gone. It may be gone already."""
        self._process.kill()
        self._process.wait()
        self._channel.close()

    def failed(self, what: str) -> ProcessFailed:
        """The error that tells how the process does, and the end of its log."""
        try:
            code = self._process.wait(GRACE)  # the end of a connection is seen before the end of its process
            found = f"{self.server} ended with code {code} in {what}"
        except subprocess.TimeoutExpired:
            found = f"{self.server} is silent in {what}"
        return ProcessFailed(found, self._tail())

    def _reply(self, what: str, expected: type[Expected], deadline: float) -> Expected:
        try:
            reply = self._channel.receive(deadline)
        except (_Closed, TimeoutError, MalformedMessage) as error:
            raise self.failed(what) from error
        if isinstance(reply, Refused):
            kind = ProtocolViolation if reply.error == ProtocolViolation.__name__ else ImpossibleRequest
            raise kind(reply.found, reply.allowed, reply.remedy)
        assert isinstance(reply, expected), f"{reply} in answer to {what}"
        return reply

    def _tail(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-TAIL:]) or "  (nothing)"


class _Channel:
    """The harness's end of the control channel. It blocks, for it has nothing else to do."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._frames = FrameReader(control.MAX_CONTROL)
        self._waiting: list[bytes] = []

    def send(self, request: Request) -> None:
        """Raises _Closed."""
        try:
            self._end.sendall(control.REQUEST.encode(request))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _Closed from error

    def receive(self, deadline: float) -> Reply:
        """The next reply. `deadline` is a time of time.monotonic. Raises _Closed, TimeoutError, MalformedMessage."""
        while not self._waiting:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._end.settimeout(left)
            try:
                data = self._end.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                raise _Closed
            self._waiting += self._frames.feed(data)
        return control.REPLY.decode(self._waiting.pop(0))

    def close(self) -> None:
        self._end.close()


class _Closed(Exception):
    """The other side has closed the channel."""
