"""A server that is a process of the operating system."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from refimpl.entry import ServerId
from refimpl.real_directory import ReadOnlyDirectory
from refimpl.torture.process import Orders, ServerProcess


class SystemProcess(ServerProcess):
    """`python -m refimpl serve`, and the signals of the system."""

    def __init__(self, name: ServerId, folder: Path, orders: Orders) -> None:
        super().__init__(name, folder, orders)
        self._data = folder / name
        self._process: subprocess.Popen[bytes] | None = None
        self._read_to = 0

    def start(self, max_entries: int) -> None:
        assert not self.is_running, f"{self.name} is running"
        self._let_go()
        self.is_watched = True
        orders = self.orders
        peers = ",".join(f"{peer}={address}" for peer, address in orders.peers.items())
        with self.log.open("ab") as log:
            # stdout, too: what a dying interpreter prints belongs into the log.
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "refimpl", "serve", "--id", self.name, "--listen", "127.0.0.1:0",
                    "--data", str(self._data), "--ailment", str(self.ailment), "--until-eof", "--peers", peers,
                    "--seed", str(orders.seed), "--max-entries", str(max_entries),
                    "--election-timeout", str(orders.timings.election_timeout),
                    "--heartbeat", str(orders.timings.heartbeat),
                    *(word for fault in orders.broken for word in ("--break", fault)),
                    *(["--lossy"] if orders.lossy else []),
                    *(["--insecure"] if orders.certificates is None else ["--certificates", str(orders.certificates)]),
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
        return None if self._process is None else self._process.poll()

    def kill(self) -> None:
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
        self._forget()
        self._let_go()

    def news(self) -> list[dict[str, Any]]:
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

    @property
    def directory(self) -> ReadOnlyDirectory:
        return ReadOnlyDirectory(self._data)

    def _let_go(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
