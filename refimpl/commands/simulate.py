"""``python -m refimpl simulate``."""

from __future__ import annotations

import secrets
import sys
import time

import click
import msgspec

from refimpl.exits import Exit, Stop
from refimpl.faults import Fault
from refimpl.simulation import report
from refimpl.simulation.properties import CheckersDisagree
from refimpl.simulation.run import ROUND_STEPS, Failure, Plan, Run
from refimpl.simulation.shrink import shrink
from refimpl.simulation.weather import Misfortune


@click.command("simulate")
@click.option("--seed", type=click.IntRange(min=0), help="Where all chance comes from.  [default: a new one, printed]")
@click.option("--steps", type=click.IntRange(min=1), default=100_000, show_default=True, help="How many steps to take.")
@click.option("--servers", type=click.IntRange(1, 9), help="How many servers.  [default: 3 or 5, by round]")
@click.option("--round", "only_round", type=click.IntRange(min=0), help="Run only the round of this number.")
@click.option(
    "--round-steps", type=click.IntRange(min=1), default=ROUND_STEPS, show_default=True,
    help="How many steps a cluster lives before it is left in peace and has to converge.",
)  # fmt: skip
@click.option(
    "--without", "without", multiple=True, type=click.Choice([one.value for one in Misfortune]),
    help="Leave a kind of misfortune out; may be given again and again.",
)  # fmt: skip
@click.option(
    "--break", "broken", multiple=True, type=click.Choice([fault.value for fault in Fault]),
    help="Break a rule of the servers on purpose, to see it found.",
)  # fmt: skip
@click.option("--shrink", "shrinks", is_flag=True, help="Look for a run with fewer misfortunes that breaks it.")
@click.option("--expect", metavar="HASH", help="The hash of an earlier run; another one is exit 21.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(
    seed: int | None,
    steps: int,
    servers: int | None,
    only_round: int | None,
    round_steps: int,
    without: tuple[str, ...],
    broken: tuple[str, ...],
    shrinks: bool,
    expect: str | None,
    as_json: bool,
) -> int:
    """Run clusters of the real servers on simulated disks, network and clock, all from one seed, and check after every
    step that no promise is broken.

    Equal seeds and options give equal runs, on whatever machine, and an equal hash. Exit 0: no promise was broken,
    which is a sample and no proof. Exit 12: one was; its last steps and the command that runs them again are printed.
    Exit 13: a cluster that was left in peace did not converge. Exit 21: the incremental checks and the full check,
    every thousand steps, disagree, or the hash is not the one expected. Exit 25: a planted fault was not found.
    """
    plan = Plan(
        seed=secrets.randbelow(1 << 32) if seed is None else seed,
        steps=steps,
        servers=servers,
        broken=frozenset(map(Fault, broken)),
        without=frozenset(map(Misfortune, without)),
        round_steps=round_steps,
        only_round=only_round,
    )
    run = Run(plan)
    started = time.process_time()
    line = _ProgressLine(steps)
    try:
        run.go(line.show)
    except KeyboardInterrupt:
        line.clear()
        raise Stop(Exit.INTERRUPTED, f"interrupted: seed {plan.seed}, {run.steps:,} of {steps:,} steps") from None
    finally:
        line.clear()
    seconds = time.process_time() - started
    if shrinks and run.failure is not None:
        try:
            run.plan, run.failure = shrink(plan, run.failure)
        except KeyboardInterrupt:
            click.echo("interrupted: what follows could be shorter", err=True)
    code, why = _conclusion(run, expect)
    if as_json:
        click.echo(msgspec.json.encode(report.data(run, seconds) | {"exit": code, "error": why}).decode())
    else:
        click.echo(report.text(run, seconds))
        if why is not None:
            click.echo(why, err=True)
    return code


def _conclusion(run: Run, expect: str | None) -> tuple[Exit, str | None]:
    """The exit code, and what the report does not say itself."""
    if run.failure is not None:
        return _code(run.failure), None
    if expect is not None and run.hash != expect:
        return Exit.DISAGREE, (
            f"found: hash {run.hash}; allowed: {expect}, as expected; what to do: compare the versions and options of "
            "the two runs; if they are the same, something is not drawn from the seed"
        )
    if run.plan.broken:
        faults = ", ".join(sorted(fault.value for fault in run.plan.broken))
        return Exit.SURVIVED, f"{faults}: planted, and not found; try more --steps, or another --seed"
    return Exit.DONE, None


def _code(failure: Failure) -> Exit:
    if isinstance(failure.error, CheckersDisagree):
        return Exit.DISAGREE
    return Exit.LIVENESS if failure.property.is_liveness else Exit.SAFETY


class _ProgressLine:
    """One line on a terminal, rewritten while a run takes more than a second; nothing into a pipe."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._started = self._shown = time.monotonic()
        self._live = sys.stderr.isatty()

    def show(self, done: int) -> None:
        now = time.monotonic()
        if not self._live or now - self._started < 1 or now - self._shown < 0.25:
            return
        self._shown = now
        rate = done / (now - self._started)
        left = max(0, self._steps - done) / rate if rate else 0.0
        click.echo(
            f"\r\x1b[2Ksimulate: {done:,} of {self._steps:,} steps, {rate:,.0f}/s, {left:.0f} s left",
            err=True,
            nl=False,
        )

    def clear(self) -> None:
        if self._live and self._shown > self._started:
            click.echo("\r\x1b[2K", err=True, nl=False)
            self._shown = self._started
