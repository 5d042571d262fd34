"""What is kept from one run to the next: compiled objects, and how much room a system's states turned out to need.

A directory of files named by the hash of what made them, written to a temporary name and renamed: safe under concurrent
runs, and never stale.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec

from checker.explicit.layout import Capacity

CACHE_VARIABLE = "RAFTPROOF_CACHE"
"""The environment variable that names another directory than the user's cache; empty: no cache."""


def cache_folder() -> Path | None:
    named = os.environ.get(CACHE_VARIABLE)
    if named is not None:
        return Path(named) if named else None
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "raftproof" / "explicit"


def read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError:
        return None


def write(path: Path, content: bytes) -> None:
    """Best effort: a cache that cannot be written is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        os.replace(file.name, path)
    except OSError:
        return


def remembered_capacity(path: Path) -> Capacity | None:
    """What an earlier search of the same system came to: a search that has to grow begins again."""
    found = read(path)
    if found is None:
        return None
    try:
        return msgspec.json.decode(found, type=Capacity)
    except msgspec.MsgspecError:
        return None


def remember_capacity(path: Path, capacity: Capacity) -> None:
    write(path, msgspec.json.encode(capacity))
