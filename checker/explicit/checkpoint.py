"""What is on disk of a search, so that it can go on after it was killed; one search at a time.

A folder with the log of each worker (visited_disk) and ``search.json``, which says how much of the logs counts. That
file is replaced at the end of a level, or when the search has gone to disk, after the logs were flushed: whatever
happens in between, it speaks of what is there.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import msgspec

from checker.explicit.errors import CheckpointError
from checker.explicit.layout import Capacity
from checker.explicit.records import named
from checker.explicit.runs import LOG, Run, name_of
from checker.explicit.store import Counters

FILE = "search.json"
FORMAT = 3
LOCK = "lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""What a file system answers that knows no locks."""


class WorkerSaved(msgspec.Struct, frozen=True):
    """``count``: states of the log that count; ``start``: where the level begins that is to be searched next."""

    count: int
    start: int
    counters: Counters
    runs: list[Run]


class Saved(msgspec.Struct, frozen=True):
    """``key``: of the compiled code. ``only``: the one property that was looked at. ``first``: the words of the state
    that the search began at. ``levels``: those that were searched in full. ``reached``: goals, and the state that
    reached each (number, owner); ``broken``: properties likewise. ``on_disk``: memory had not been enough."""

    format: int
    key: str
    only: str | None
    first: tuple[int, ...]
    capacity: Capacity
    levels: list[int]
    reached: dict[str, tuple[int, int]]
    broken: dict[str, tuple[int, int]]
    deadlock: tuple[int, int] | None
    seconds: float
    on_disk: bool
    workers: list[WorkerSaved]


def is_there(folder: Path) -> bool:
    return (folder / FILE).exists()


@contextmanager
def taken(checkpoint: Path | None, recover: Path | None) -> Iterator[Saved | None]:
    """What there is to go on from, while the folder is this search's. Raises CheckpointError, OSError."""
    assert recover is None or checkpoint in (None, recover), "a search has one folder"
    if recover is not None:
        if not recover.is_dir():
            raise CheckpointError(f"{recover}: no such folder; name a folder that --checkpoint wrote")
        if not is_there(recover) and not (recover / LOCK).exists():
            raise CheckpointError(f"{recover}: no search was at work in it; name a folder that --checkpoint wrote")
        with alone_in(recover):
            yield load(recover)
    elif checkpoint is not None:
        checkpoint.mkdir(parents=True, exist_ok=True)
        with alone_in(checkpoint):
            claim(checkpoint)
            yield None
    else:
        yield None


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Meanwhile no other search is at work in the folder. The system ends that when the process ends, however it does.
    Raises CheckpointError, OSError."""
    with open(folder / LOCK, "a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            file.seek(0)
            raise CheckpointError(
                f"{folder}: another search is at work in this folder (process {file.read().strip() or 'unknown'}); "
                "wait until it has ended, or name another folder"
            ) from held
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        with named(folder / LOCK):
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        yield


def claim(folder: Path) -> None:
    """Sees that the folder is free for a new search's checkpoints, and can be written to. Raises CheckpointError if it
    is another's, OSError."""
    if is_there(folder):
        raise CheckpointError(
            f"{folder}: holds the checkpoint of a search, which a new one would overwrite; go on with that search "
            "(--recover), name another folder, or remove this one"
        )
    with TemporaryFile(dir=folder):
        pass


def save(folder: Path, saved: Saved) -> None:
    """Replaces the file in one step: what was there stays until the new one is whole. Raises OSError."""
    new = folder / f"{FILE}.new"
    try:
        with named(new), open(new, "wb") as file:
            file.write(msgspec.json.encode(saved))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        new.unlink(missing_ok=True)
        raise
    os.replace(new, folder / FILE)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def load(folder: Path) -> Saved:
    """Raises CheckpointError, OSError."""
    path = folder / FILE
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=Saved)
    except FileNotFoundError as missing:
        raise CheckpointError(
            f"{folder}: no checkpoint was written there yet: a search writes the first after a level, within about "
            "half a minute if its levels are short, and when it goes on on disk; search anew with --checkpoint"
        ) from missing
    except msgspec.MsgspecError as error:
        raise CheckpointError(f"{path}: not a checkpoint of this version ({error}); search anew") from error
    if saved.format != FORMAT:
        raise CheckpointError(f"{path}: of format {saved.format}, this version reads {FORMAT}; search anew")
    for me, worker in enumerate(saved.workers):
        log = [name_of(me, LOG), f"parents.{me}"] if worker.count else []
        for name in (*log, *(name_of(me, run.file) for run in worker.runs)):
            if not (folder / name).is_file():
                raise CheckpointError(f"{folder / name}: missing, though {FILE} speaks of states in it; search anew")
    return saved
