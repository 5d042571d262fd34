"""``python -m refimpl``: the reference implementation as programs. Commands are listed here and imported only when
asked for, so that ``--help`` is quick and a missing extra is explained instead of tracebacked.

To add one, write refimpl/commands/NAME.py with a click command named `command`, and its line in COMMANDS. A command
that ends otherwise than well raises `refimpl.exits.Stop`.
"""

from __future__ import annotations

import json
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from itertools import takewhile
from typing import Any, NoReturn

import click

from refimpl.exits import MEANING, Exit, Stop
from traces.streams import prepare_streams

COMMANDS: dict[str, str] = {
    "cluster": "Run three servers on this machine until Ctrl-C.",
    "serve": "Run one server of a cluster.",
    "put": "Set a key to a value.",
    "get": "Print the value of a key.",
    "delete": "Remove a key.",
    "status": "Ask every server how it sees itself.",
    "wal": "Look into a log, or check it.",
    "simulate": "Run simulated clusters from a seed and check every step.",
    "certificates": "Make a certificate authority and certificates.",
    "torture": "Kill, stop and part server processes while clients work, and judge what the clients saw.",
}
"""Each command's name, and what it does in a line."""

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {int(code):>3}  {meaning}" for code, meaning in MEANING.items())


class LazyGroup(click.Group):
    """A group whose commands are modules of refimpl/commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            module = import_module(f"refimpl.commands.{cmd_name}")
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("refimpl"):
                raise
            raise Stop(
                Exit.USAGE, f"{cmd_name} needs the package {error.name!r}; install raftproof with the extra 'server'"
            ) from error
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if COMMANDS:
            with formatter.section("Commands"):
                formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="raftproof")
def cli() -> None:
    """A Raft cluster that people can run, and the tools to break it."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command; every way it can end becomes a documented exit code."""
    prepare_streams()
    sys.exit(run(arguments))


def run(arguments: list[str] | None) -> int:
    """Run one command and return its exit code."""
    try:
        outcome: Any = cli.main(arguments, prog_name="python -m refimpl", standalone_mode=False)
        return outcome if isinstance(outcome, int) else Exit.DONE
    except Stop as stop:
        if stop.message:
            click.echo(stop.message, err=True)
            _say_in_json(stop.message, stop.code, arguments, **stop.fields)
        return stop.code
    except click.ClickException as error:
        error.show()
        _say_in_json(error.format_message(), Exit.USAGE, arguments)
        return Exit.USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        _say_in_json("interrupted", Exit.INTERRUPTED, arguments)
        return Exit.INTERRUPTED
    except OSError as error:
        message = f"{error}; check the path, its rights and the space that is left"
        click.echo(message, err=True)
        _say_in_json(message, Exit.IO_ERROR, arguments)
        return Exit.IO_ERROR
    except Exception as error:
        traceback.print_exc()  # Python's own code for this, 1, has another meaning here
        _say_in_json(f"{type(error).__name__}: {error}", Exit.INTERNAL_ERROR, arguments)
        return Exit.INTERNAL_ERROR


def _say_in_json(error: str, code: Exit, arguments: list[str] | None, **fields: object) -> None:
    """Why a command has ended without its report, on standard output, if that was to be JSON."""
    if "--json" in takewhile(lambda word: word != "--", sys.argv[1:] if arguments is None else arguments):
        with suppress(OSError):  # the exit code says it, too
            click.echo(json.dumps({**fields, "error": error, "exit": code}))


if __name__ == "__main__":
    main()
