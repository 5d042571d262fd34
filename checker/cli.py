"""``model-check``: the command line. Every import that is heavy or ours stays inside a command, so that ``--help`` is
quick and a broken installation is explained instead of tracebacked."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from checker.given_once import OnceGroup
from checker.options import (
    agree_options,
    complete_options,
    enumeration_options,
    json_option,
    mutant_options,
    output_options,
    prove_options,
    question_options,
    reach_options,
    replay_options,
    search_options,
    smt_option,
    target_option,
    timeout_option,
    workers_option,
)
from checker.verdict import MEANING, Exit, Stop
from traces.streams import prepare_streams

CODES = "\n".join(f"  {int(code):>3}  {meaning}" for code, meaning in MEANING.items())
EPILOG = "\b\nExit codes:\n" + CODES


@click.group(
    cls=OnceGroup,
    invoke_without_command=True,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="raftproof")
@enumeration_options
@output_options
@target_option
@workers_option
@click.option("--max-steps", metavar="N", type=click.IntRange(min=0), help="Depth of the search for the seed's flaw.")
@click.pass_context
def cli(
    context: click.Context,
    engine: str,
    grain: str,
    timeout: float | None,
    as_json: bool,
    out_itf: Path | None,
    target: str,
    workers: int | None,
    max_steps: int | None,
) -> None:
    """Check the crash behaviour of Raft, or of your own protocol.

    Without a command: the main job on the shipped raft.spec. Enumerate the crash interleavings of a client's write,
    replay each on the implementation, complete each, and print the crash-window matrix and a verdict.
    """
    if context.invoked_subcommand is not None:
        _refuse_options_before(context, context.invoked_subcommand)
        return
    from checker import commands

    commands.main(engine, timeout, max_steps, target, as_json, out_itf, workers)


def _refuse_options_before(context: click.Context, command: str) -> None:
    """An option of the main job, given to another command, would be dropped in silence."""
    for parameter in context.command.params:
        if parameter.name and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE:
            option = parameter.opts[-1]
            message = f"{option} stands before the command; write it after: model-check {command} {option} …"
            raise click.UsageError(message, context)


@cli.command()
@click.argument("spec", required=False)
@question_options
@search_options
@output_options
def check(grain: str, **options: Any) -> None:
    """Search for a run that violates a property; the shortest is found first."""
    from checker import commands
    from spec.system import Grain

    commands.check(**options, grain=Grain(grain))


@cli.command()
@click.argument("words", nargs=-1, metavar="[SPEC] [NAME]")
@reach_options
@output_options
def reach(grain: str, **options: Any) -> None:
    """Find a shortest run to a goal: NAME (a `sometimes`, a window, a scenario), or --goal and --then.

    A goal is a condition of a state, as a property of the spec would say it, or a label: `crash(s1)`, `flush`,
    `crash(s, keep=0) when len(pending(s)) > 0`. Elements may be named.
    """
    from checker import commands
    from spec.system import Grain

    commands.reach(**options, grain=Grain(grain))


@cli.command("enumerate")
@click.argument("spec", required=False)
@question_options
@enumeration_options
@output_options
@replay_options
@workers_option
@smt_option
@click.option("--scenario", metavar="NAME", help="Enumerate after this scenario only (default: the model's list).")
@click.option("--depth", metavar="D", type=click.IntRange(min=0), help="Crash states at most D labels from there.")
@click.option("--window", metavar="K", type=click.IntRange(min=0), help="K labels on either side of the crash.")
@click.option(
    "--complete",
    "within",
    metavar="N",
    type=click.IntRange(min=0),
    help="Where no schedule shows an outcome: is there a completion of at most N labels, whatever they are?",
)
@click.option("--replay/--no-replay", "replayed", default=False, help="Replay each interleaving on the target.")
@click.option(
    "--reduce",
    type=click.Choice(["commuting", "symmetry", "both"]),
    help="Replay one interleaving of each class only: of those that differ in the order of independent labels, or in "
    "the names of a symmetric set's elements.",
)
@click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(min=1),
    help="Replay N runs only, each driven on to convergence, chosen so that every crash window is among them.",
)
def enumerate_(grain: str, **options: Any) -> None:
    """Enumerate crash states and crash interleavings; print the crash-window matrix."""
    from checker import commands

    commands.enumerate_(**options)


@cli.command()
@click.argument("spec", required=False)
@question_options
@prove_options
@workers_option
@json_option
def prove(engine: str, **options: Any) -> None:
    """Prove that the declared `inductive` conjuncts hold in runs of any length, and that the invariants follow."""
    from checker import commands

    commands.prove(**options)


@cli.command()
@click.argument("spec", required=False)
@mutant_options
def mutants(**options: Any) -> None:
    """Plant each known bug (mutant) of a spec; print what it breaks, how soon, and what survived."""
    from checker import commands

    commands.mutants(**options)


@cli.command()
@click.argument("spec", required=False)
@agree_options
@timeout_option
@json_option
def agree(**options: Any) -> None:
    """Compare the engines: states by depth, shortest violation, crash states, interleavings; any difference is shown.

    Without SPEC: every shipped model that declares a bound (`agree depth N window K`).
    """
    from checker import commands

    commands.agree(**options)


@cli.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.argument("spec", required=False)
@complete_options
@output_options
def complete(**options: Any) -> None:
    """Fill in what a log (an ITF trace with holes) leaves out, or say at which step no run of the spec fits, and why.

    Without SPEC, --model and --mutant: those that the log names. docs/complete.md says how a hole is written.
    """
    from checker import commands

    commands.complete(**options)


@cli.command()
@click.argument("traces", nargs=-1, required=True, type=click.Path(path_type=Path))
@replay_options
@output_options
def replay(**options: Any) -> None:
    """Replay ITF traces (files, or folders of them) on an implementation."""
    from checker import trace_commands

    trace_commands.replay(**options)


@cli.command()
@click.argument("what", metavar="TRACE|SCENARIO")
@click.option("--format", "form", type=click.Choice(["text", "mermaid"]), default="text", show_default=True)
@click.option("--spec", metavar="SPEC", help="Where the scenario is (default: the shipped raft.spec).")
@question_options
@output_options
def show(**options: Any) -> None:
    """Show a trace file, or a scenario of a spec, as text or as a Mermaid sequence diagram."""
    from checker import trace_commands

    trace_commands.show(**options)


def _installed_right() -> None:
    """There are unrelated distributions named spec and traces: a mix-up would fail in strange ways."""
    here = Path(__file__).resolve().parent.parent
    for package in ("spec", "traces", "refimpl"):
        found = find_spec(package)
        origin = Path(found.origin).resolve() if found is not None and found.origin else None
        if origin is None or origin.parent.parent != here:
            raise Stop(
                Exit.USAGE,
                f"the package {package!r} that Python finds is {origin or 'missing'}, not raftproof's own; "
                "install raftproof into an environment of its own (python -m venv, or pipx)",
            )


def main() -> NoReturn:
    """The console script: every way a run can end becomes a documented exit code, and with ``--json`` an object."""
    said = prepare_streams()
    code, error = _outcome()
    if error:
        click.echo(error, err=True)
        if "--json" in sys.argv[1:] and not said.used:
            from checker.machine import failure_json

            with suppress(OSError):  # which may be what went wrong
                click.echo(failure_json(error, code))
    sys.exit(code)


def _outcome() -> tuple[int, str]:
    """Runs the command that was given; its exit code, and what went wrong."""
    try:
        _installed_right()
        cli.main(standalone_mode=False)
        return Exit.HOLDS, ""
    except Stop as stop:
        return stop.code, stop.message
    except click.exceptions.Exit as stop:
        return stop.exit_code, ""
    except click.ClickException as error:
        return Exit.USAGE, _shown(error)
    except (KeyboardInterrupt, click.Abort):
        return Exit.INTERRUPTED, "interrupted"
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        advice = "free some space and run it again" if full else "check the path and its rights"
        return Exit.IO_ERROR, f"{error}; {advice}"
    except MemoryError:
        return Exit.INCONCLUSIVE, "memory ran out; lower the bounds (--set, --max-steps, --depth) or give it more"
    except Exception as error:
        if os.environ.get("RAFTPROOF_DEBUG"):
            raise
        kind = type(error).__name__
        advice = "set RAFTPROOF_DEBUG=1 for the traceback, and report it"
        return Exit.INTERNAL_ERROR, f"internal error: {kind}: {error}\n{advice}"


def _shown(error: click.ClickException) -> str:
    """What click would print of a usage error."""
    out = io.StringIO()
    error.show(out)
    return out.getvalue().rstrip("\n")
