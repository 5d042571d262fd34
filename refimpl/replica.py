"""One running server without sockets or timers: core, log file and state machine, driven by whoever holds it.

The driver gives inputs and asks for effects; messages that may leave come back from each call. Where the core demands
it, messages wait for the log file: `sync`, which may run in a thread of its own while nothing is called that writes
(a Replicate does not), then `release`. Many inputs before one `sync` are a group commit: their records share an fsync.
"""

from __future__ import annotations

from collections import deque

from refimpl import wal
from refimpl.durable import Durable, Record
from refimpl.entry import ClientId, Entry, Index, Serial
from refimpl.interface import Applied, Config, Flushed, Input, Leader, Output, Waiter
from refimpl.kv import KeyValueStore
from refimpl.messages import ClientResponse, Message, ReadResponse
from refimpl.raft import Raft


class Replica:
    """All that a crash of the process takes, but what it wrote.

    Every call may raise DiskError or WalPoisoned, after which the server must make no more promises: let go of it.
    `handle` raises ProtocolViolation for a message that it refuses, unchanged.
    """

    def __init__(self, config: Config, log_file: wal.Wal, recovered: Durable) -> None:
        self.config = config
        self.raft = Raft(config, recovered)
        self.store = KeyValueStore(config.broken)
        self._log_file = log_file
        self._outbox: list[Message] = []
        self._to_apply = deque(Index(index) for index in range(1, recovered.commit_index + 1))
        self._to_answer: deque[Waiter] = deque()
        self._somebody_waits_for_sync = False

    def handle(self, event: Input) -> tuple[Message, ...]:
        """Give the core an input; Flushed and Applied come from `release` and `apply_next`."""
        return self._perform(self.raft.step(event))

    @property
    def needs_sync(self) -> bool:
        """Whether a message or the core waits for what is written. A commit mark alone can wait for the next."""
        return self._somebody_waits_for_sync

    def sync(self) -> None:
        """Return once everything written is on disk."""
        self._log_file.flush()

    def release(self) -> tuple[Message, ...]:
        """After `sync`: let go of what waited for it."""
        released = tuple(self._outbox)
        self._outbox.clear()
        self._somebody_waits_for_sync = False
        return released + self.handle(Flushed())

    @property
    def to_apply(self) -> int:
        """How many committed entries of the log the state machine has not applied."""
        if not self._to_apply:
            return 0
        # In a cluster that is broken on purpose a committed entry may have been cut off.
        return max(0, min(len(self._to_apply), self.raft.log.last_index - self._to_apply[0] + 1))

    def apply_next(self) -> tuple[Message, ...]:
        """Let the state machine apply the next committed entry."""
        index = self._to_apply.popleft()
        entry = self.raft.log.entry_at(index)
        self.store.apply(entry)
        return self.handle(Applied(index, self._session_of(entry)))

    @property
    def to_answer(self) -> int:
        """How many clients can be answered."""
        return len(self._to_answer)

    def answer_next(self) -> ClientResponse:
        """Answer the client that has waited longest and whose entry is applied."""
        waiter = self._to_answer.popleft()
        return ClientResponse(self.config.server, waiter.client, waiter.serial)

    @property
    def outbox(self) -> tuple[Message, ...]:
        """The messages that wait for `sync`."""
        return tuple(self._outbox)

    @property
    def waiters(self) -> tuple[Waiter, ...]:
        """The clients that are not answered yet, in the order of their entries; first those that can be."""
        role = self.raft.role
        return (*self._to_answer, *(role.waiters if isinstance(role, Leader) else ()))

    def response_to(self, client: ClientId, serial: Serial) -> str | None:
        """What the state machine said to a command that is answered now; None once its client has gone on."""
        session = self.store.sessions.get(client)
        return session.response if session is not None and session.serial == serial else None

    def _perform(self, output: Output) -> tuple[Message, ...]:
        if output.persist is not None:
            self._log_file.write(output.persist)
            self._somebody_waits_for_sync |= not _only_commits(output.persist)
        if output.abandon:
            self._to_answer.clear()
        self._to_apply.extend(output.apply)
        self._to_answer.extend(output.answer)
        sent = output.send + tuple(
            ReadResponse(self.config.server, read.client, read.serial, self.store.read(read.key))
            for read in output.read
        )
        if output.send_after_sync and self._log_file.unflushed_ends:
            self._outbox.extend(output.send_after_sync)
            self._somebody_waits_for_sync = True
            return sent
        return sent + output.send_after_sync

    def _session_of(self, entry: Entry) -> tuple[ClientId, Serial] | None:
        if entry.command is None:
            return None
        client = entry.command.client
        return client, self.store.sessions[client].serial


def _only_commits(record: Record) -> bool:
    return record.term_and_vote is None and record.truncate_to is None and not record.append
