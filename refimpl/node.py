"""One server in memory: a replica on a simulated disk, with effects that wait until a driver asks for them.

Each effect stays in its queue, so that a crash can fall before any of them:

    written, not flushed   frames of the write-ahead log, and messages that wait for the flush: `flush`
    to apply               committed entries, in order: `apply_next`
    to answer              clients whose entries are applied, in order: `answer_next`

Messages that need not wait are returned by the call that produced them, answers to reads among them. A server whose
disk fails stops as if it had crashed and says nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from refimpl import wal
from refimpl.durable import Durable
from refimpl.errors import DiskError, ImpossibleRequest, WalPoisoned
from refimpl.interface import Config, Input, Waiter
from refimpl.kv import KeyValueStore
from refimpl.messages import Message
from refimpl.raft import Raft
from refimpl.replica import Replica
from refimpl.segments import LogReader
from refimpl.simulated_directory import Contents, Operation, SimulatedDirectory


class Node:
    """One server on one simulated disk. It is up after construction and after `restart`."""

    def __init__(
        self,
        config: Config,
        directory: SimulatedDirectory,
        segment_size: int = wal.SEGMENT_SIZE,
        recover: wal.Recover = wal.recover,
    ) -> None:
        """Recover from the directory and start. Raises WalDamaged or DiskError."""
        self.config = config
        self._directory = directory
        self._segment_size = segment_size
        self._recover = recover
        self._replica: Replica | None = None
        self.restart()

    # What a driver may ask. Each call raises ImpossibleRequest where the server cannot do it, ProtocolViolation for a
    # message that it refuses; DiskError leaves the server down. ------------------------------------------------------

    def handle(self, event: Input) -> tuple[Message, ...]:
        """Give the core an input (Flushed and Applied come from `flush` and `apply_next`)."""
        replica = self._up("take an input")
        with self._stop_on_error():
            return replica.handle(event)

    def flush(self) -> tuple[Message, ...]:
        """Make everything written so far durable and let go of the messages that waited for it."""
        replica = self._up("flush")
        if not self.unflushed_ends:
            raise self._impossible("flush without an unflushed frame", "flush after a step that wrote one")
        with self._stop_on_error():
            replica.sync()
            return replica.release()

    def apply_next(self) -> tuple[Message, ...]:
        """Let the state machine apply the next committed entry."""
        replica = self._up("apply")
        if not replica.to_apply:
            raise self._impossible("apply with nothing committed that is not applied", "apply of a queued entry")
        with self._stop_on_error():
            return replica.apply_next()

    def answer_next(self) -> tuple[Message, ...]:
        """Answer the client that has waited longest and whose entry is applied."""
        replica = self._up("answer")
        if not replica.to_answer:
            raise self._impossible("answer with no answer queued", "answer after a waiter's entry is applied")
        return (replica.answer_next(),)

    def crash(self, keep: int = 0, torn_bytes: int = 0) -> None:
        """Cut the power: the first `keep` unflushed frames survive, and `torn_bytes` of the one after them."""
        self._up("crash")
        ends = (0, *self.unflushed_ends)
        if not 0 <= keep < len(ends):
            raise self._impossible(f"crash that keeps {keep} frames", f"0 to {len(ends) - 1} kept frames")
        self.lose_power(self._directory.prefix(ends[keep] + torn_bytes))

    def lose_power(self, survivors: Iterable[Operation]) -> None:
        """Cut the power: of what was not flushed these operations, or parts of them, are on the disk."""
        self._up("crash")
        self._directory.crash(survivors)
        self._replica = None

    def restart(self) -> None:
        """Recover from the disk. What is committed is queued to be applied again, to an empty state machine (§3.8)."""
        if self._replica is not None:
            raise self._impossible("restart of a server that is up", "restart after a crash")
        self._log_file, recovered = self._recover(self._directory, self._segment_size)
        self._replica = Replica(self.config, self._log_file, recovered)

    # What a driver may see -------------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        return self._replica is not None

    @property
    def raft(self) -> Raft:
        return self._up("show its memory").raft

    @property
    def store(self) -> KeyValueStore:
        return self._up("show its state machine").store

    @property
    def unflushed_ends(self) -> tuple[int, ...]:
        """Where each unflushed frame ends, in bytes after the flushed part, oldest first."""
        return () if self._replica is None else self._log_file.unflushed_ends

    @property
    def can_apply(self) -> bool:
        """Whether a committed entry waits for the state machine."""
        return self._replica is not None and self._replica.to_apply > 0

    @property
    def can_answer(self) -> bool:
        """Whether an answer waits to be sent."""
        return self._replica is not None and self._replica.to_answer > 0

    @property
    def outbox(self) -> tuple[Message, ...]:
        """The messages that wait for the next flush."""
        return () if self._replica is None else self._replica.outbox

    @property
    def waiters(self) -> tuple[Waiter, ...]:
        """Those not answered yet, in the order of their entries; first the ones whose answer is queued."""
        return () if self._replica is None else self._replica.waiters

    @property
    def directory(self) -> SimulatedDirectory:
        """The disk. Who changes it is the disk's doing, and the server does not notice before its restart."""
        return self._directory

    @property
    def segment_size(self) -> int:
        return self._segment_size

    @property
    def recoverable(self) -> tuple[Durable, ...]:
        """What a restart would read after a crash that keeps nothing unflushed, and what it would read if the first,
        the first two, … unflushed frames survived. Raises WalDamaged as a restart does."""
        seen = self._directory.contents
        # A server that is down has had its crash: what is in the files now is what its restart reads.
        return _remembered(self._directory.name, self._directory.durable if self.is_up else seen, seen)

    @property
    def disk(self) -> Durable:
        """The first of `recoverable`."""
        return self.recoverable[0]

    @property
    def pending(self) -> tuple[Durable, ...]:
        """The others of `recoverable`."""
        return self.recoverable[1:]

    # What a driver may not -------------------------------------------------------------------------------------------

    @contextmanager
    def _stop_on_error(self) -> Iterator[None]:
        try:
            yield
        except (DiskError, WalPoisoned):
            self._replica = None
            raise

    def _up(self, wish: str) -> Replica:
        if self._replica is None:
            raise self._impossible(f"a request to {wish}, of a server that is down", "restart")
        return self._replica

    def _impossible(self, found: str, allowed: str) -> ImpossibleRequest:
        return ImpossibleRequest(
            f"{self.config.server}: {found}", allowed, "compare the steps before this one with what the server observed"
        )


def recoverable(name: str, durable: Contents, seen: Contents) -> tuple[Durable, ...]:
    """The durable state of what a crash cannot take, and after each further frame that is seen."""
    surviving = LogReader(SimulatedDirectory(name, durable))
    states = [wal.replay(surviving)]
    for frame in LogReader(SimulatedDirectory(name, seen)):
        if frame.position >= surviving.end:
            states.append(states[-1].after(frame.record))
    return tuple(states)


_remembered = lru_cache(maxsize=4096)(recoverable)
"""A replay looks at every disk after every step, and most steps leave most disks alone."""
