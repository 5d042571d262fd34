"""``python -m refimpl torture``: real server processes under kill -9, stops, partitions and bad disks."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

import click
import msgspec

from refimpl.exits import Exit, Stop
from refimpl.faults import Fault
from refimpl.torture.cluster import Shape
from refimpl.torture.report import in_words, reproducing_command
from refimpl.torture.run import Plan, Progress, Report, Run
from refimpl.torture.this_machine import ThisMachine
from refimpl.torture.virtual_world import VirtualWorld, run_virtually
from traces.seconds import Seconds


@click.command("torture")
@click.option("--seconds", type=Seconds(min=1), default=60.0, show_default=True, help="How long.")
@click.option("--seed", type=int, help="Chooses what is done and when; a new one, which is printed, unless given.")
@click.option("--servers", type=click.IntRange(3, 5), default=3, show_default=True, help="How many processes.")
@click.option("--writers", type=click.IntRange(1, 100), default=8, show_default=True, help="Clients that write, too.")
@click.option("--readers", type=click.IntRange(0, 100), default=4, show_default=True, help="Clients that only read.")
@click.option(
    "--virtual", is_flag=True,
    help="Servers, network, disks and clock in this process: many times faster, and the same seed is the same run.",
)  # fmt: skip
@click.option("--secure", is_flag=True, help="With certificates: mutual TLS on all connections.")
@click.option(
    "--break", "broken", multiple=True, type=click.Choice([fault.value for fault in Fault]),
    help="Plant a fault, to see that it is found.",
)  # fmt: skip
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path),
    help="An empty folder for data and logs, which stays. Otherwise a new one, which stays if something was found.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(
    seconds: float, seed: int | None, servers: int, writers: int, readers: int, virtual: bool, secure: bool,
    broken: tuple[str, ...], folder: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Start servers, kill and stop and part them while clients work, and judge what the clients saw.

    Servers lose at a kill -9 what they have not flushed (with --virtual, any part of it). Exit 0: the history is
    linearizable, every answered write is there, the logs agree, and no server needed help. Exit 12: not so; the
    shortest window of the history that shows it is printed, with the command to try again. Exit 22: a search was given
    up, which is not a pass. Exit 25: a planted fault was not found. Ctrl-C ends it early: what clients have seen until
    then is judged.
    """
    if virtual and secure:
        raise Stop(Exit.USAGE, "--secure takes real connections: there is no TLS between virtual ones; leave one out")
    seed = SystemRandom().randrange(1 << 31) if seed is None else seed
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise Stop(Exit.USAGE, f"{folder} is not empty; give the servers a new folder")
    keep = folder is not None
    place = Path(tempfile.mkdtemp(prefix="refimpl-torture-")) if folder is None else folder
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    click.echo(f"seed {seed}, folder {place}", err=True)
    plan = Plan(seconds, Shape(servers, seed, broken, secure=secure), writers, readers, virtual)
    show = _ProgressLine(seconds).show if sys.stderr.isatty() else lambda progress: None
    run = Run(plan, place, VirtualWorld() if virtual else ThisMachine(), show)
    program = _until_signal(run)
    try:
        if virtual:
            run_virtually(program, seed)
        else:
            asyncio.run(program)
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass  # the report says so
    finally:
        program.close()  # where the interrupt came before its begin
        if sys.stderr.isatty():
            click.echo("\r\033[K", nl=False, err=True)
    code = _conclusion(run.report)
    # What is of interest stays: a violation, a search that was given up, and after an error of ours all of it.
    if not keep and code in (Exit.DONE, Exit.SURVIVED, Exit.INTERRUPTED):
        shutil.rmtree(place, ignore_errors=True)
    _say(run.report, code, as_json)
    if run.report.is_violated:
        click.echo(f"the servers' data and logs are in {place}", err=True)
    return code


async def _until_signal(run: Run) -> None:
    """SIGTERM ends it like Ctrl-C: with no process left behind."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await run.run()


def _conclusion(report: Report) -> Exit:
    if report.is_violated:
        return Exit.SAFETY
    if not report.is_whole:
        return Exit.INTERRUPTED
    if report.unknown:
        return Exit.UNKNOWN
    return Exit.SURVIVED if report.plan.shape.broken else Exit.DONE


class _ProgressLine:
    """One line on a terminal, rewritten."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._begun = self._shown = time.monotonic()

    def show(self, progress: Progress) -> None:
        now, counts = time.monotonic(), progress.counts
        if now - self._shown < 0.2:
            return
        self._shown = now
        done = progress.seconds
        left = max(0.0, self._seconds - done) * (now - self._begun) / done if done else 0.0
        click.echo(
            f"\r\033[K{done:.0f} of {self._seconds:g} s, {left:.0f} s left: {counts.get('ok', 0):,} answered, "
            f"{counts.get('unknown', 0):,} not, {counts.get('kills', 0)} kills, {counts.get('elections', 0)} elections",
            nl=False, err=True,
        )  # fmt: skip


def _say(report: Report, code: Exit, as_json: bool) -> None:
    if as_json:
        shown = replace(report, deeds=report.deeds if report.is_violated else [])
        again = {"command": reproducing_command(report.plan), "exit": code}
        click.echo(msgspec.json.encode({**msgspec.to_builtins(shown), **again}).decode())
    else:
        click.echo(in_words(report))
