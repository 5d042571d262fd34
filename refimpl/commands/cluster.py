"""``python -m refimpl cluster``: a few servers on this machine, for trying out."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType

import click

from refimpl.entry import ServerId
from refimpl.errors import DirectoryInUse, ImpossibleRequest
from refimpl.exits import Exit, Stop
from refimpl.local_cluster import LocalCluster
from refimpl.real_directory import RealDirectory

SECONDS_BETWEEN_LOOKS = 0.5


@click.command("cluster")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--size", type=click.IntRange(1, 9), show_default="3", help="How many servers a new cluster has."
)
@click.option("--insecure", is_flag=True, help="A new cluster without certificates.")
def command(folder: Path, size: int | None, insecure: bool) -> int:
    """Run the cluster in DIR until Ctrl-C; a new one if DIR has none. What was written is there the next time.

    A server that dies is not started again: kill one, look, and start it with the command that is printed; it is then
    yours to stop.
    """
    try:
        cluster = LocalCluster(folder, [f"s{number}" for number in range(1, (size or 3) + 1)], secure=not insecure)
        if size not in (None, len(cluster.book.servers)) or (insecure and cluster.book.certificates is not None):
            kind = "without" if cluster.book.certificates is None else "with"
            raise click.UsageError(
                f"the cluster in {folder} has {len(cluster.book.servers)} servers, {kind} certificates; leave --size "
                "and --insecure out, or name another folder"
            )
    except (ImpossibleRequest, ValueError) as error:
        raise Stop(Exit.USAGE, str(error)) from error
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with _alone_in(folder), cluster:
            _refuse_running(cluster)
            cluster.start_all()
            _introduce(cluster)
            _watch(cluster, stopping)
            click.echo("stopping")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if not stopping.is_set():
        raise Stop(Exit.IO_ERROR, f"no server is left; the last lines of {folder}/*.log say why")
    return Exit.DONE


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder, so that two terminals do not start its servers twice. Raises Stop."""
    try:
        held = RealDirectory(folder)  # the system lets go of it, however this process ends
    except DirectoryInUse as error:
        advice = "stop it (Ctrl-C there), or name another folder"
        raise Stop(Exit.USAGE, f"the cluster in {folder} is running already; {advice}") from error
    with closing(held):
        yield


def _refuse_running(cluster: LocalCluster) -> None:
    """A server that somebody has started by hand may have outlived the cluster. Raises Stop."""
    for server in cluster.book.servers:
        data = cluster.folder / server
        try:
            if data.exists():
                RealDirectory(data).close()
        except DirectoryInUse as error:
            advice = f"stop it first: it is the process with --data {data}"
            raise Stop(Exit.USAGE, f"{server} of the cluster in {cluster.folder} runs already; {advice}") from error


def _introduce(cluster: LocalCluster) -> None:
    for server, address in cluster.book.servers.items():
        process = cluster.processes[server]
        click.echo(f"{server}  {address}  process {process.pid}  log {cluster.log(server)}")
    this = f"--cluster {shlex.quote(str(cluster.folder.absolute()))}"  # the other terminal may be elsewhere
    click.echo("\nin another terminal:")
    for example in (f"put {this} greeting hello", f"get {this} greeting", f"status {this}"):
        click.echo(f"  {shlex.quote(sys.executable)} -m refimpl {example}")
    click.echo("Ctrl-C here stops these processes")


def _watch(cluster: LocalCluster, stopping: threading.Event) -> None:
    """Until all are gone or somebody wants to stop; says who has died."""
    living: set[ServerId] = set(cluster.processes)
    while living and not stopping.wait(SECONDS_BETWEEN_LOOKS):
        for server in sorted(living):
            code = cluster.processes[server].poll()
            if code is not None and not stopping.is_set():
                living.remove(server)
                end = f"by signal {-code}" if code < 0 else f"with exit code {code} (see {cluster.log(server)})"
                click.echo(f"\n{server} has ended {end}; start it again with:\n  {shlex.join(cluster.command(server))}")
