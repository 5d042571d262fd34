"""``python -m refimpl wal``: what stands in a log file, and whether a start would take it. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from refimpl.errors import DiskError, WalDamaged
from refimpl.exits import Exit, Stop
from refimpl.real_directory import ReadOnlyDirectory
from refimpl.segments import Frame, LogReader, base_of, exhaust, path_in, segment_name
from refimpl.wal import replay

HELP = """
PATH is the folder of a log (`serve --data`), which is read from its beginning, or one segment in it, which is read
alone. A server may be at work in it: what it is just writing then looks like a torn tail.

Exit codes: 0 the log is whole; 28 it ends in a torn tail, which the next start forgets, for nobody was told of it; 153
it is damaged, and no server starts from it, or it cannot be read; 2 there is no log.
"""

path_argument = click.argument("path", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="JSON objects, one a line, instead of text.")


@click.group("wal", help="Look into a log, or check it." + HELP)
def command() -> None:
    pass


@command.command(
    "dump",
    short_help="Print each frame.",
    help="Print each frame: file, byte, size, how far the log was flushed then, record." + HELP,
)
@path_argument
@json_option
def dump(path: Path, as_json: bool) -> int:
    log, directory = _opened(path)
    with _reported():
        for frame in log:
            click.echo(_text(_frame(frame)) if as_json else _line(frame))
    return _concluded(log, directory, as_json, quiet=True)


@command.command(
    "verify",
    short_help="Say whether a log is whole, and where not.",
    help="Say whether the log is whole, ends in a torn tail, or is damaged, and where." + HELP,
)
@path_argument
@json_option
def verify(path: Path, as_json: bool) -> int:
    log, directory = _opened(path)
    with _reported():
        if log.bases[0] == 0:
            replay(log, with_commands=False)
        else:
            exhaust(log)  # a segment alone: what its records follow is not known
    return _concluded(log, directory, as_json, quiet=False)


def _opened(path: Path) -> tuple[LogReader, ReadOnlyDirectory]:
    wanted = "name the folder of a server's log, or a segment in it"
    if not path.exists():
        raise Stop(Exit.USAGE, f"{path}: there is no such file or folder; {wanted}")
    only = None
    if not path.is_dir():
        only = base_of(path.name)
        if only is None:
            raise Stop(Exit.USAGE, f"{path}: no segment of a log, such as {segment_name(0)}; {wanted}")
    directory = ReadOnlyDirectory(path if only is None else path.parent)
    with _reported():
        log = LogReader(directory, only)
    if not log.bases:
        raise Stop(Exit.USAGE, f"{path}: no log in this folder, that is no {segment_name(0)}; {wanted}")
    return log, directory


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except WalDamaged as error:
        place = {"file": error.file, "offset": error.offset, "found": error.found}
        raise Stop(Exit.IO_ERROR, str(error), verdict="damaged", **place) from error
    except DiskError as error:
        raise Stop(Exit.IO_ERROR, str(error)) from error


def _concluded(log: LogReader, directory: ReadOnlyDirectory, as_json: bool, quiet: bool) -> int:
    """What stands behind the last whole frame; `quiet`: nothing is said of a log that is whole."""
    found: dict[str, Any] = {"verdict": "whole" if log.torn is None else "torn"}
    where = "whole"
    if log.torn is not None:
        file = path_in(directory, segment_name(log.torn.base))
        found |= {"file": file, "offset": log.torn.offset}
        where = f"torn tail at byte {log.torn.offset} of {file}"
    if not quiet:
        counts = {"frames": log.frames, "segments": len(log.bases), "end": log.end, "vouched": log.synced_through}
        found |= counts
        where += f": {log.frames:,} whole frames, {log.end:,} bytes, segments: {len(log.bases)}"
        where += f"; up to byte {log.synced_through:,} of the log damage would be told from a torn tail"
    if as_json:
        click.echo(_text(found))
    elif not quiet or log.torn is not None:
        click.echo(where)
    return Exit.DONE if log.torn is None else Exit.TORN


def _frame(frame: Frame) -> dict[str, Any]:
    return {
        "file": segment_name(frame.base),
        "offset": frame.position - frame.base,
        "size": frame.end - frame.position,
        "synced_through": frame.synced_through,
        "record": _record(frame),
    }


def _line(frame: Frame) -> str:
    size, offset = frame.end - frame.position, frame.position - frame.base
    return f"{segment_name(frame.base)}:{offset}  {size} bytes, synced {frame.synced_through}  {_text(_record(frame))}"


def _record(frame: Frame) -> dict[str, Any]:
    """What the record changes; what it leaves as it is is left out."""
    parts: dict[str, Any] = msgspec.to_builtins(frame.record)
    return {name: value for name, value in parts.items() if value not in (None, [], ())}


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
