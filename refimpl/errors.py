"""The errors of this package, each in three parts: what was found, what is allowed, what to do.

`ImpossibleRequest` says that the caller is wrong, `ProtocolViolation` that a peer is, and the storage errors say that
the disk is. After a storage error a server stops, as if it had crashed: it has not kept a promise in the making, so it
may make no other. A peer's wrong message is refused before it has changed anything, like one that was lost.
"""

from __future__ import annotations


class RefimplError(Exception):
    """Base of all errors that this package raises on purpose."""

    def __init__(self, found: str, allowed: str, remedy: str) -> None:
        super().__init__(f"found: {found}; allowed: {allowed}; what to do: {remedy}")
        self.found = found
        self.allowed = allowed
        self.remedy = remedy


class ImpossibleRequest(RefimplError):
    """The driver asked for something that this server cannot do in its present state."""


class ProtocolViolation(RefimplError):
    """A peer sent what no server that follows the rules can send."""


class MalformedMessage(ProtocolViolation):
    """Bytes arrived that are no message of this protocol, or one that has no business here."""


class ConnectionRefused(RefimplError):
    """The other side would not talk to us, and said why."""


class CannotListen(RefimplError):
    """The system does not let us listen at the address."""

    def __init__(self, what: str, error: OSError) -> None:
        super().__init__(
            f"{what}: {error.strerror or error}",
            "an address of this machine and a port that nobody has",
            "see who has it (ss -ltnp), or choose another",
        )


class DiskError(RefimplError):
    """The disk refused an operation; how much of it happened is unknown."""


class DiskFull(DiskError):
    """No space is left; a part of the write may be in the file."""


class DirectoryInUse(DiskError):
    """Another process works in the directory."""

    def __init__(self, directory: str) -> None:
        super().__init__(
            f"{directory}: another process holds its lock",
            "one server in a directory",
            "stop the other server, or give this one a directory of its own",
        )


LEAVE_OFF = (
    "leave this server off while a majority of the others goes on; an empty disk, or a copy of an earlier day, has "
    "forgotten what it promised, and starting with one can lose answered writes"
)
"""What to do with a server whose log is damaged."""


class WalDamaged(RefimplError):
    """Bytes that were flushed, and perhaps promised to others, no longer read back.

    `offset` is the place in `file` of the first frame that is not what was written there.
    """

    def __init__(self, file: str, offset: int, found: str, remedy: str = LEAVE_OFF) -> None:
        super().__init__(
            f"{file}: damage at byte {offset}: {found}", "every flushed frame reads back as it was written", remedy
        )
        self.file = file
        self.offset = offset


class ProcessFailed(RefimplError):
    """A server process ended by itself, or does not answer. `log`: its last lines."""

    def __init__(self, found: str, log: str) -> None:
        super().__init__(found, "a server that runs until it is killed", f"read the end of its log:\n{log}")


class WrongRecovery(RefimplError):
    """A crash or a fault after which the log is not what was promised: a bug of the log, which a trial has found."""


class WalPoisoned(RefimplError):
    """An earlier write or fsync failed, so what the file holds is unknown until it is read again."""
