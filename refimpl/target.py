"""The reference implementation as a target: a cluster in memory that a replay drives label by label.

It satisfies the Target protocol of the traces package by its shape. Time, network and disk belong to the driver.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from refimpl import observation, wal
from refimpl.crash_trials import Crash, CrashTrials
from refimpl.entry import ServerId
from refimpl.errors import ImpossibleRequest
from refimpl.faults import Fault, faults_named
from refimpl.interface import Config, ElectionTimeout, Receive, Replicate
from refimpl.messages import Message
from refimpl.node import Node
from refimpl.plain import Plain, message_from, plain_message
from refimpl.simulated_directory import SimulatedDirectory


def create(broken: frozenset[str] = frozenset()) -> RefimplTarget:
    """A target; `broken` names the rules to break, of refimpl/faults.py. Raises ImpossibleRequest for other names."""
    return RefimplTarget(faults_named(broken))


@dataclass(frozen=True, slots=True)
class Storage:
    """What the servers keep their logs with. Their segments take `segment_sizes` in turn; `trials`, where they are
    asked for, are made at every crash."""

    segment_sizes: tuple[int, ...] = (wal.SEGMENT_SIZE,)
    recover: wal.Recover = wal.recover
    trials: CrashTrials | None = None


IN_MEMORY = Storage()


class RefimplTarget:
    """A cluster of nodes. Calls that cause messages return the ones that left for the network, in order.

    Every call raises ImpossibleRequest if the server cannot do what is asked.
    """

    def __init__(self, broken: frozenset[Fault], name: str = "refimpl", storage: Storage = IN_MEMORY) -> None:
        self.name = name + "".join(f" ({fault})" for fault in sorted(fault.value for fault in broken))
        self._broken = broken
        self._storage = storage
        self._nodes: dict[str, Node] = {}
        self._frozen: dict[str, bytes] = {}  # of the servers that were not asked for anything since

    def reset(self, servers: tuple[str, ...]) -> None:
        """A fresh cluster: every server up, with an empty disk."""
        if not servers or len(set(servers)) != len(servers):
            raise ImpossibleRequest(f"servers {servers}", "at least one server, all different", "correct the names")
        members = tuple(ServerId(server) for server in servers)
        self._frozen = {}
        self._nodes = {
            member: Node(
                Config(member, members, self._broken),
                SimulatedDirectory(f"disk of {member}"),
                self._storage.segment_sizes[number % len(self._storage.segment_sizes)],
                self._storage.recover,
            )
            for number, member in enumerate(members)
        }

    def snapshot(self) -> Mapping[str, bytes]:
        """The whole cluster, so that a driver can try what comes next more than once."""
        for server, node in self._nodes.items():
            if server not in self._frozen:
                self._frozen[server] = pickle.dumps(node, pickle.HIGHEST_PROTOCOL)
        return dict(self._frozen)

    def restore(self, snapshot: Mapping[str, bytes]) -> None:
        """The cluster as it was when the snapshot was taken."""
        for server, frozen in snapshot.items():
            if self._frozen.get(server) is not frozen:  # most labels change one server of the cluster
                self._nodes[server] = pickle.loads(frozen)
                self._frozen[server] = frozen

    def tally(self) -> dict[str, int]:
        """How many crashes and faults of the disk were tried, beside the ones that the driver asked for."""
        return {} if self._storage.trials is None else dict(self._storage.trials.tried)

    def campaign(self, server: str) -> list[Plain]:
        """The election timer fires; a leader has none and does nothing."""
        return _plain(self._node(server).handle(ElectionTimeout()))

    def replicate(self, server: str, peer: str) -> list[Plain]:
        """Send the peer one AppendEntries, if the server is a leader."""
        if peer == server or peer not in self._nodes:
            raise ImpossibleRequest(f"replication from {server} to {peer}", "another server", "correct the peer")
        return _plain(self._node(server).handle(Replicate(ServerId(peer))))

    def deliver(self, server: str, message: Plain) -> list[Plain]:
        """The message arrives, from a server or a client."""
        if message.get("destination") != server:
            raise ImpossibleRequest(
                f"delivery to {server} of a message for {message.get('destination')}",
                "delivery to the destination",
                "deliver the message where it is addressed to",
            )
        return _plain(self._node(server).handle(Receive(message_from(message))))

    def flush(self, server: str) -> list[Plain]:
        """Make everything written durable; the messages that waited for it leave. Nothing unflushed is an error."""
        return _plain(self._node(server).flush())

    def apply(self, server: str) -> list[Plain]:
        """Perform the next queued apply."""
        return _plain(self._node(server).apply_next())

    def answer(self, server: str) -> list[Plain]:
        """Perform the next queued answer."""
        return _plain(self._node(server).answer_next())

    def crash(self, server: str, keep: int) -> None:
        """Power loss: memory is gone, and of the unflushed frames the first `keep` survive."""
        node = self._node(server)
        trials = self._storage.trials
        if trials is not None and node.is_up and 0 <= keep < len(node.recoverable):
            trials.run(Crash(node.directory, node.segment_size, node.recoverable, keep))
        node.crash(keep)

    def restart(self, server: str) -> list[Plain]:
        """Recover from the disk."""
        self._node(server).restart()
        return []

    def observe(self, server: str) -> Plain:
        """Everything that replay compares, as plain values; of a server that is down, only what its disk holds."""
        node = self._seen(server)
        disk, *pending = node.recoverable
        stored = {"up": node.is_up} | observation.stored(disk, pending, node.outbox)
        return stored | observation.remembered(node.raft, node.store, node.waiters) if node.is_up else stored

    def _node(self, server: str) -> Node:
        """To be asked for something that changes it."""
        self._frozen.pop(server, None)
        return self._seen(server)

    def _seen(self, server: str) -> Node:
        try:
            return self._nodes[server]
        except KeyError:
            raise ImpossibleRequest(
                f"server {server}", f"one of {', '.join(self._nodes) or 'none before reset'}", "correct the server"
            ) from None


def _plain(messages: Iterable[Message]) -> list[Plain]:
    return [plain_message(message) for message in messages]
