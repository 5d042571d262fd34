"""``python -m refimpl serve``: one server of a cluster, until a signal or its disk ends it."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import sys
from pathlib import Path

import click

from refimpl import wire
from refimpl.address_book import parse_servers
from refimpl.dialling import Address
from refimpl.driver import Timings
from refimpl.entry import ServerId
from refimpl.errors import ImpossibleRequest
from refimpl.events import log_to_standard_error
from refimpl.exits import Exit, Stop
from refimpl.faults import faults_named
from refimpl.life import live
from refimpl.listener import MAX_CLIENTS, MAX_STRANGERS
from refimpl.resolving import Forsaken
from refimpl.server import Server, Settings
from refimpl.tls import Identity
from traces.seconds import Seconds

OPEN_FILES = MAX_CLIENTS + MAX_STRANGERS + 300
"""Or else a crowd of clients could leave none for the log, and its server would stop. 300: what the kernel hands over
before anybody can be refused, and the server's own."""


@click.command("serve")
@click.option("--id", "server", required=True, metavar="NAME", help="This server's name; its certificate has it, too.")
@click.option("--listen", required=True, metavar="HOST:PORT", help="Where peers and clients reach it.")
@click.option("--peers", default="", metavar="NAME=HOST:PORT,…", help="The other servers of the cluster.")
@click.option(
    "--data",
    required=True,
    type=click.Path(file_okay=False),
    help="Folder of its log file, made if absent. One server, one folder: never start it with another's or an old one.",
)
@click.option(
    "--certificates",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Folder with ca.pem, NAME.pem and NAME.key (see the command certificates).",
)
@click.option("--insecure", is_flag=True, help="Nobody proves who he is; loopback addresses only.")
@click.option("--metrics", metavar="HOST:PORT", help="Serve /metrics (Prometheus) and /health there.")
@click.option(
    "--election-timeout", metavar="S", type=Seconds(min=0.01), default=Timings().election_timeout,
    show_default=True,
    help="Shortest time without a leader before an election; the longest is twice that. More where the disk is slow.",
)  # fmt: skip
@click.option(
    "--heartbeat", metavar="S", type=Seconds(min=0.001), default=Timings().heartbeat, show_default=True,
    help="Time between a leader's messages when there is nothing to say.",
)  # fmt: skip
@click.option("--seed", type=int, help="Draw the timeouts from this seed, and from the name.")
@click.option("--break", "broken", multiple=True, metavar="FAULT", hidden=True, help="Break a rule. For tests only.")
@click.option("--lossy", is_flag=True, hidden=True, help="Let kill -9 lose what was not flushed. For tests only.")
@click.option(
    "--ailment", type=click.Path(dir_okay=False, path_type=Path), hidden=True,
    help="A file that says what ails the disk. For tests only.",
)  # fmt: skip
@click.option(
    "--max-entries", type=click.IntRange(1, wire.MAX_ENTRIES), default=wire.MAX_ENTRIES, hidden=True,
    help="How many entries a message carries. For tests only.",
)  # fmt: skip
@click.option("--until-eof", is_flag=True, hidden=True, help="Stop when standard input ends, too. For tests only.")
@click.option("--held", type=int, metavar="FD", hidden=True, help="Obey a harness at this socket. For tests only.")
def command(
    server: str, listen: str, peers: str, data: str, certificates: Path | None, insecure: bool, metrics: str | None,
    election_timeout: float, heartbeat: float, seed: int | None, broken: tuple[str, ...], lossy: bool,
    ailment: Path | None, max_entries: int, until_eof: bool, held: int | None,
) -> int:  # fmt: skip
    """Run one server until SIGTERM (exit 0), Ctrl-C (130), or an error of its disk (153: nothing it answered is lost;
    mend what the last line of its log says and start it again). Its log goes to standard error, a JSON object a line.
    """
    if (certificates is None) != insecure:
        raise click.UsageError("give either --certificates DIR or --insecure")
    if not data:  # an unset variable in a script would make the working directory a new server's
        raise click.UsageError("--data names no folder")
    try:
        settings = Settings(
            ServerId(server),
            parse_servers(peers),
            Path(data),
            None if certificates is None else Identity(server, certificates),
            Timings(election_timeout, heartbeat),
            None if metrics is None else Address.parse(metrics),
            seed,
            faults_named(broken),
            lossy,
            None if held is None else socket.socket(fileno=held),
            ailment,
            max_entries,
        )
        log_to_standard_error()
        _allow_open_files()
        return asyncio.run(_serve(settings, Address.parse(listen), until_eof))
    except ImpossibleRequest as error:
        raise Stop(Exit.USAGE, str(error)) from error


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))
        except ValueError as error:
            raise ImpossibleRequest(
                f"at most {hard} open files", f"{OPEN_FILES} or more", "raise the hard limit (ulimit -Hn)"
            ) from error


async def _serve(settings: Settings, listen: Address, until_eof: bool) -> int:
    stopped_by: list[int] = []
    loop = asyncio.get_running_loop()
    loop.set_default_executor(Forsaken())
    server = Server(settings, listen)

    def stop(number: int) -> None:
        stopped_by.append(number)
        server.stop()  # again and again, if the terminal and a supervisor both say so

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)  # before it starts, which can take long

    def stop_at_end() -> None:
        if not sys.stdin.buffer.read(1):  # who has started it is gone, killed perhaps, and could not say so
            loop.remove_reader(sys.stdin)
            server.stop()

    if until_eof:
        loop.add_reader(sys.stdin, stop_at_end)
    end = await live(server)
    return Exit.INTERRUPTED if end is Exit.DONE and signal.SIGINT in stopped_by else end
