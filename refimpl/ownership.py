"""Whose a data directory is: a server that started from another's log, or in another cluster, could vote twice.

The directory holds server.json with the names of the server and of its cluster, written before the server says
anything. Where it is missing the directory is new, or from before there was such a file.
"""

from __future__ import annotations

import msgspec

from refimpl.directory import Directory
from refimpl.entry import ServerId
from refimpl.errors import LEAVE_OFF, ImpossibleRequest

FILE = "server.json"
MAX_SIZE = 1 << 16
_TEMPORARY = FILE + ".new"


class _Owner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    server: ServerId
    servers: tuple[ServerId, ...]


def claim(directory: Directory, server: ServerId, servers: tuple[ServerId, ...]) -> None:
    """Make the directory this server's, if it is nobody's. Raises ImpossibleRequest if it is another's, DiskError."""
    own = _Owner(server, tuple(sorted(servers)))
    if FILE not in directory.names():
        _write(directory, own)
        return
    try:
        found = msgspec.json.decode(directory.read(FILE, 0, MAX_SIZE), type=_Owner)
    except msgspec.DecodeError as error:
        raise ImpossibleRequest(
            f"{directory.name}/{FILE}: {error}",
            "the names of the server and of its cluster",
            LEAVE_OFF,
        ) from error
    if found != own:
        raise ImpossibleRequest(
            f"{directory.name} is the directory of {found.server} in a cluster of {', '.join(found.servers)}",
            f"that of {own.server} in a cluster of {', '.join(own.servers)}",
            "give each server the directory that it had; a cluster's members do not change",
        )


def _write(directory: Directory, owner: _Owner) -> None:
    if _TEMPORARY in directory.names():
        directory.remove(_TEMPORARY)  # of a start that a crash cut short
    directory.create(_TEMPORARY)
    directory.append(_TEMPORARY, msgspec.json.encode(owner) + b"\n")
    directory.sync(_TEMPORARY)
    directory.rename(_TEMPORARY, FILE)
    directory.sync_names()
