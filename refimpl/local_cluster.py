"""Server processes on this machine: a cluster in one folder, for trying out, for tests and for measuring.

The folder gets cluster.json (whom to talk to), the certificates, and for each server its data and its log:

    cluster.json  certificates/  s1/  s1.log  s2/  s2.log  s3/  s3.log

Ports are the system's choice at first and stay what they were, so that a folder can be started again.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from refimpl.address_book import FILE, AddressBook
from refimpl.certificates import issue
from refimpl.dialling import Address
from refimpl.entry import ServerId
from refimpl.errors import ImpossibleRequest

SECONDS_TO_STOP = 10.0


class LocalCluster:
    """The processes. A `with` block ends with none of them left."""

    def __init__(self, folder: Path, servers: Iterable[str], secure: bool = True, options: Sequence[str] = ()) -> None:
        """Prepare the folder, or find it prepared, and then it stays as it is; `options` go to every server.

        Raises ImpossibleRequest, OSError.
        """
        names = tuple(ServerId(server) for server in servers)
        folder = folder.absolute()  # what `command` says is to work wherever it is typed
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / FILE).exists() and (others := sorted(path.name for path in folder.iterdir())):
            raise ImpossibleRequest(
                f"{folder} holds {others[0]}, and no {FILE}",
                "a cluster's folder, an empty one, or none, which is made",
                "name another folder",
            )
        certificates = folder / "certificates" if secure else None
        if (folder / FILE).exists():
            self.book = AddressBook.read(folder)
        else:
            self.book = AddressBook(dict(zip(names, _free_addresses(len(names)), strict=True)), certificates)
            self.book.write(folder)
        if self.book.certificates is not None:
            issue(self.book.certificates, (*self.book.servers, "client"))
        self.folder = folder
        self.processes: dict[ServerId, subprocess.Popen[bytes]] = {}
        self._options = tuple(options)

    def command(self, server: ServerId) -> list[str]:
        """What starts this server."""
        servers = self.book.servers
        peers = ",".join(f"{peer}={address}" for peer, address in servers.items() if peer != server)
        return [
            sys.executable, "-m", "refimpl", "serve", "--id", server, "--listen", str(servers[server]),
            "--peers", peers, "--data", str(self.folder / server),
            *(["--insecure"] if self.book.certificates is None else ["--certificates", str(self.book.certificates)]),
            *self._options,
        ]  # fmt: skip

    def log(self, server: ServerId) -> Path:
        """Where its events go."""
        return self.folder / f"{server}.log"

    def start(self, server: ServerId) -> None:
        """Start its process, which must not be running."""
        assert server not in self.processes or self.processes[server].poll() is not None, f"{server} is running"
        with self.log(server).open("ab") as log:
            self.processes[server] = subprocess.Popen(self.command(server), stdin=subprocess.DEVNULL, stderr=log)

    def start_all(self) -> None:
        """Start every process that is not running."""
        for server in self.book.servers:
            if server not in self.processes or self.processes[server].poll() is not None:
                self.start(server)

    def kill(self, server: ServerId) -> None:
        """kill -9."""
        self.processes[server].kill()
        self.processes[server].wait()

    def stop(self) -> dict[ServerId, int]:
        """Let all that run end well, and those that do not end, end. Returns each one's exit code."""
        with ExitStack() as last:
            for process in self.processes.values():
                if process.poll() is None:
                    last.callback(process.wait)
                    last.callback(process.kill)
                    process.terminate()
            for process in self.processes.values():
                try:
                    process.wait(SECONDS_TO_STOP)
                except subprocess.TimeoutExpired:
                    continue
        return {server: process.returncode for server, process in self.processes.items()}

    def __enter__(self) -> LocalCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _free_addresses(number: int) -> list[Address]:
    # All are bound at once, or the system could give the same one twice.
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [Address(*listener.getsockname()) for listener in sockets]
