"""One server process as the harness sees it: started, killed, stopped, and read through its log."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from refimpl.dialling import Address
from refimpl.entry import ServerId


@dataclass(slots=True)
class ServerProcess:
    """It runs from `start` until its process ends; the log file goes on over all its lives."""

    name: ServerId
    folder: Path
    options: Sequence[str]
    address: Address | None = None  # where it listens, once it has said so
    paused: bool = False
    is_leader: bool = False
    is_candidate: bool = False
    term: int = 0  # in which it has last changed its role
    is_watched: bool = False  # from its start until somebody has taken note of its end
    _process: subprocess.Popen[bytes] | None = None
    _read_to: int = 0

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def ailment(self) -> Path:
        """What ails its disk is written here (refimpl/ailing_directory.py)."""
        return self.folder / f"{self.name}.ailment"

    @property
    def data(self) -> Path:
        return self.folder / self.name

    def start(self, *options: str) -> None:
        """Start it with these options besides its own."""
        assert not self.is_running, f"{self.name} is running"
        self._let_go()
        self.is_watched = True
        with self.log.open("ab") as log:
            # stdout, too: what a dying interpreter prints belongs into the log.
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "refimpl", "serve", "--id", self.name, "--listen", "127.0.0.1:0",
                    "--data", str(self.data), "--ailment", str(self.ailment), "--until-eof", *self.options, *options,
                ],
                stdin=subprocess.PIPE,  # its end tells the server that the harness is gone, whatever ended it
                stdout=log, stderr=log,
                # A terminal's Ctrl-C is the harness's, which ends them all itself. The session is ours, too: a stopped
                # process does not see its input end, but POSIX hangs up on it when its group is nobody's any more.
                process_group=0,
            )  # fmt: skip

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Negative: the number of the signal; None while it runs."""
        return None if self._process is None else self._process.poll()

    def kill(self) -> None:
        """kill -9, whether it runs, is stopped, or has ended."""
        self._forget()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._let_go()

    def pause(self) -> None:
        if self.is_running and self._process is not None:
            self._process.send_signal(signal.SIGSTOP)
            self.paused = True

    def go_on(self) -> None:
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGCONT)
        self.paused = False

    def ask_to_end(self) -> None:
        if self._process is not None and self.is_running:
            self._process.terminate()

    def ended(self) -> None:
        """Note that it has ended by itself."""
        self._forget()
        self._let_go()

    def news(self) -> list[dict[str, Any]]:
        """What it has logged since the last time. A line that is no event has the event "text"."""
        try:
            with self.log.open("rb") as log:
                log.seek(self._read_to)
                data = log.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        events = []
        for line in whole.splitlines():
            try:
                event = msgspec.json.decode(line, type=dict[str, Any])
            except msgspec.DecodeError:
                event = {"event": "text", "text": line.decode(errors="replace")}
            self._note(event)
            events.append(event)
        return events

    def _note(self, event: dict[str, Any]) -> None:
        match event.get("event"):
            case "listening":
                self.address = Address.parse(event["address"])
            case "role":
                self.is_leader = event["role"] == "leader"
                self.is_candidate = event["role"] == "candidate"
                self.term = int(event["term"])

    def _let_go(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _forget(self) -> None:
        self.address = None
        self.is_leader = self.is_candidate = self.paused = self.is_watched = False
