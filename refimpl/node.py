"""One server in memory: core, write-ahead log, and state machine, with effects that wait until a driver asks for them.

The core says what must happen; this class keeps each effect in its queue, so that a crash can fall before any of them:

    written, not flushed   frames of the write-ahead log, and messages that wait for the flush: `flush`
    to apply               committed entries, in order: `apply_next`
    to answer              clients whose entries are applied, in order: `answer_next`

Messages that need not wait are returned by the call that produced them, answers to reads among them. A server whose
disk fails stops as if it had crashed and says nothing more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

from refimpl import wal
from refimpl.durable import Durable
from refimpl.entry import ClientId, Entry, Index, Serial
from refimpl.errors import DiskError, ImpossibleRequest, WalPoisoned
from refimpl.interface import Applied, Config, Flushed, Input, Leader, Output, Waiter
from refimpl.kv import KeyValueStore
from refimpl.messages import ClientResponse, Message, ReadResponse
from refimpl.raft import Raft
from refimpl.segments import LogReader
from refimpl.simulated_directory import Contents, SimulatedDirectory


@dataclass(slots=True)
class _Memory:
    """All that a crash takes."""

    raft: Raft
    log_file: wal.Wal
    store: KeyValueStore
    outbox: list[Message] = field(default_factory=list)
    to_apply: deque[Index] = field(default_factory=deque)
    to_answer: deque[Waiter] = field(default_factory=deque)


class Node:
    """One server on one simulated disk. It is up after construction and after `restart`."""

    def __init__(self, config: Config, directory: SimulatedDirectory, segment_size: int = wal.SEGMENT_SIZE) -> None:
        """Recover from the directory and start. Raises WalDamaged or DiskError."""
        self.config = config
        self._directory = directory
        self._segment_size = segment_size
        self._memory: _Memory | None = None
        self.restart()

    # What a driver may ask. Each call raises ImpossibleRequest where the server cannot do it, ProtocolViolation for a
    # message that it refuses; DiskError leaves the server down. ------------------------------------------------------

    def handle(self, event: Input) -> tuple[Message, ...]:
        """Give the core an input (Flushed and Applied come from `flush` and `apply_next`)."""
        return self._step(self._up("take an input"), event)

    def flush(self) -> tuple[Message, ...]:
        """Make everything written so far durable and let go of the messages that waited for it."""
        memory = self._up("flush")
        if not memory.log_file.unflushed_ends:
            raise self._impossible("flush without an unflushed frame", "flush after a step that wrote one")
        with self._stop_on_error():
            memory.log_file.flush()
        released = tuple(memory.outbox)
        memory.outbox.clear()
        return released + self._step(memory, Flushed())

    def apply_next(self) -> tuple[Message, ...]:
        """Let the state machine apply the next committed entry."""
        memory = self._up("apply")
        if not memory.to_apply or memory.to_apply[0] > memory.raft.log.last_index:
            raise self._impossible("apply with nothing committed that is not applied", "apply of a queued entry")
        index = memory.to_apply.popleft()
        entry = memory.raft.log.entry_at(index)
        memory.store.apply(entry)
        return self._step(memory, Applied(index, self._session_of(entry)))

    def answer_next(self) -> tuple[Message, ...]:
        """Answer the client that has waited longest and whose entry is applied."""
        memory = self._up("answer")
        if not memory.to_answer:
            raise self._impossible("answer with no answer queued", "answer after a waiter's entry is applied")
        waiter = memory.to_answer.popleft()
        return (ClientResponse(self.config.server, waiter.client, waiter.serial),)

    def crash(self, keep: int = 0, torn_bytes: int = 0) -> None:
        """Cut the power: the first `keep` unflushed frames survive, and `torn_bytes` of the one after them."""
        memory = self._up("crash")
        ends = (0, *memory.log_file.unflushed_ends)
        if not 0 <= keep < len(ends):
            raise self._impossible(f"crash that keeps {keep} frames", f"0 to {len(ends) - 1} kept frames")
        self._directory.crash(self._directory.prefix(ends[keep] + torn_bytes))
        self._memory = None

    def restart(self) -> None:
        """Recover from the disk. What is committed is queued to be applied again, to an empty state machine (§3.8)."""
        if self._memory is not None:
            raise self._impossible("restart of a server that is up", "restart after a crash")
        log_file, recovered = wal.recover(self._directory, self._segment_size)
        self._memory = _Memory(
            Raft(self.config, recovered),
            log_file,
            KeyValueStore(self.config.broken),
            to_apply=deque(Index(index) for index in range(1, recovered.commit_index + 1)),
        )

    # What a driver may see -------------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        return self._memory is not None

    @property
    def raft(self) -> Raft:
        return self._up("show its memory").raft

    @property
    def store(self) -> KeyValueStore:
        return self._up("show its state machine").store

    @property
    def outbox(self) -> tuple[Message, ...]:
        """The messages that wait for the next flush."""
        return () if self._memory is None else tuple(self._memory.outbox)

    @property
    def waiters(self) -> tuple[Waiter, ...]:
        """Those not answered yet, in the order of their entries; first the ones whose answer is queued."""
        if self._memory is None:
            return ()
        role = self._memory.raft.role
        return (*self._memory.to_answer, *(role.waiters if isinstance(role, Leader) else ()))

    @property
    def recoverable(self) -> tuple[Durable, ...]:
        """What a restart would read after a crash that keeps nothing unflushed, and what it would read if the first,
        the first two, … unflushed frames survived. Raises WalDamaged as a restart does."""
        seen = self._directory.contents
        # A server that is down has had its crash: what is in the files now is what its restart reads.
        return _recoverable(self._directory.name, self._directory.durable if self.is_up else seen, seen)

    @property
    def disk(self) -> Durable:
        """The first of `recoverable`."""
        return self.recoverable[0]

    @property
    def pending(self) -> tuple[Durable, ...]:
        """The others of `recoverable`."""
        return self.recoverable[1:]

    # How effects are queued ------------------------------------------------------------------------------------------

    def _step(self, memory: _Memory, event: Input) -> tuple[Message, ...]:
        with self._stop_on_error():
            output = memory.raft.step(event)
            return self._perform(memory, output)

    def _perform(self, memory: _Memory, output: Output) -> tuple[Message, ...]:
        if output.persist is not None:
            memory.log_file.write(output.persist)
        if output.abandon:
            memory.to_answer.clear()
        memory.to_apply.extend(output.apply)
        memory.to_answer.extend(output.answer)
        sent = output.send + tuple(
            ReadResponse(self.config.server, read.client, read.serial, memory.store.read(read.key))
            for read in output.read
        )
        if memory.log_file.unflushed_ends:
            memory.outbox.extend(output.send_after_sync)
            return sent
        return sent + output.send_after_sync

    def _session_of(self, entry: Entry) -> tuple[ClientId, Serial] | None:
        if entry.command is None:
            return None
        client = entry.command.client
        return client, self.store.sessions[client].serial

    @contextmanager
    def _stop_on_error(self) -> Iterator[None]:
        try:
            yield
        except (DiskError, WalPoisoned):
            self._memory = None
            raise

    def _up(self, wish: str) -> _Memory:
        if self._memory is None:
            raise self._impossible(f"a request to {wish}, of a server that is down", "restart")
        return self._memory

    def _impossible(self, found: str, allowed: str) -> ImpossibleRequest:
        return ImpossibleRequest(
            f"{self.config.server}: {found}", allowed, "compare the steps before this one with what the server observed"
        )


@lru_cache(maxsize=4096)
def _recoverable(name: str, durable: Contents, seen: Contents) -> tuple[Durable, ...]:
    """The durable state of what a crash cannot take, and after each further frame that is seen. Remembered: a replay
    looks at every disk after every step, and most steps leave most disks alone."""
    surviving = LogReader(SimulatedDirectory(name, durable))
    states = [wal.replay(surviving)]
    for frame in LogReader(SimulatedDirectory(name, seen)):
        if frame.position >= surviving.end:
            states.append(states[-1].after(frame.record))
    return tuple(states)
