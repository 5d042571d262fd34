"""What is on disk of a search, so that it can go on after it was killed.

A folder with the log of each worker (visited_disk) and ``search.json``, which says how much of the logs counts. That
file is replaced at the end of a level, after the logs were flushed: whatever happens in between, it speaks of what is
there.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile

import msgspec

from checker.explicit.errors import CheckpointError
from checker.explicit.layout import Capacity
from checker.explicit.store import Counters
from checker.explicit.visited_disk import Run

FILE = "search.json"
FORMAT = 2


class WorkerSaved(msgspec.Struct, frozen=True):
    """``count``: states of the log that count; ``start``: where the level begins that is to be searched next."""

    count: int
    start: int
    sorted: int
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


def claim(folder: Path) -> None:
    """Makes the folder for a new search's checkpoints, and sees that it can be written to. Raises CheckpointError if it
    is another's, OSError."""
    if is_there(folder):
        raise CheckpointError(
            f"{folder}: holds the checkpoint of a search, which a new one would overwrite; go on with that search "
            "(--recover), name another folder, or remove this one"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass


def save(folder: Path, saved: Saved) -> None:
    """Replaces the file in one step. Raises OSError."""
    new = folder / f"{FILE}.new"
    with open(new, "wb") as file:
        file.write(msgspec.json.encode(saved))
        file.flush()
        os.fsync(file.fileno())
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
        found = "no such folder" if not folder.is_dir() else f"no {FILE} in it, so no level was finished there"
        raise CheckpointError(f"{folder}: {found}; name a folder that --checkpoint wrote") from missing
    except msgspec.MsgspecError as error:
        raise CheckpointError(f"{path}: not a checkpoint of this version ({error}); search anew") from error
    if saved.format != FORMAT:
        raise CheckpointError(f"{path}: of format {saved.format}, this version reads {FORMAT}; search anew")
    for me, worker in enumerate(saved.workers):
        for name, count in (("states", worker.count), ("parents", worker.count), ("sorted", worker.sorted)):
            file = folder / f"{name}.{me}"
            if count and not file.is_file():
                raise CheckpointError(f"{file}: missing, though {FILE} counts {count:,} records in it; search anew")
    return saved
