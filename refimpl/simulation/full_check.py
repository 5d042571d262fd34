"""The full check: everything compared with everything, by code that shares nothing with the incremental checks.

It reads the servers and the bytes on their disks, and of the incremental checks only their memory of the past, which it
checks too. It is slow, so it runs every so many steps. That it finds anything means that the incremental checks have
missed it; then one of the two is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from refimpl.durable import Durable
from refimpl.entry import Append, Delete, Entry, Get, Put, ServerId
from refimpl.interface import Leader
from refimpl.node import Node, recoverable
from refimpl.quorum import quorum_size
from refimpl.simulation.invariants import Invariants
from refimpl.simulation.properties import CheckersDisagree, Property
from refimpl.simulation.view import Image


def full_check(nodes: Mapping[ServerId, Node], history: Invariants) -> None:
    """Raises CheckersDisagree if a promise is broken, or if what the incremental checks have noted is not so."""
    up = [node for node in nodes.values() if node.is_up]
    disks = {server: _read(node)[0] for server, node in nodes.items()}
    _check_notes(nodes, history)
    _check_logs(up)
    _check_commits(up, disks, history)
    _check_leaders(up, history)
    for node in up:
        _check_store(node, history.committed)
    _check_answers(disks, history)


def _check_notes(nodes: Mapping[ServerId, Node], history: Invariants) -> None:
    """What the incremental checks believe of each server's memory and disk is what is there."""
    for server, node in nodes.items():
        view = history.views[server]
        if not node.is_up:
            continue
        flushed = view.flushed
        expected = Image(flushed.current_term, flushed.voted_for, list(flushed.log), flushed.commit_index)
        for number, durable in enumerate(_read(node)):
            if number:
                expected.change(view.written[number - 1])
            _require(
                _same(expected, durable), Property.RECOVERY,
                f"{server}: the disk after frame {number} is not what was noted",
            )  # fmt: skip
        _require(
            view.memory.shows(node.raft) and view.last_applied == node.raft.last_applied, Property.RECOVERY,
            f"{server}: its memory is not what was noted",
        )  # fmt: skip


def _read(node: Node) -> tuple[Durable, ...]:
    """Like Node.recoverable, which remembers what it has seen: too much, for runs as long as these."""
    directory = node.directory
    return recoverable(directory.name, directory.durable if node.is_up else directory.contents, directory.contents)


def _same(image: Image, durable: Durable) -> bool:
    return (image.current_term, image.voted_for, image.commit_index, tuple(image.log)) == (
        durable.current_term, durable.voted_for, durable.commit_index, durable.log.entries
    )  # fmt: skip


def _check_logs(up: list[Node]) -> None:
    for one, other in combinations(up, 2):
        logs = one.raft.log.entries, other.raft.log.entries
        pairs = enumerate(zip(*logs, strict=False), 1)
        agreed = max((index for index, (ours, theirs) in pairs if ours.term == theirs.term), default=0)
        _require(
            logs[0][:agreed] == logs[1][:agreed], Property.LOG_MATCHING,
            f"{one.config.server} and {other.config.server} differ below {agreed}",
        )  # fmt: skip


def _check_commits(up: list[Node], disks: Mapping[ServerId, Durable], history: Invariants) -> None:
    committed = tuple(history.committed)
    known = [(node.config.server, node.raft.log.entries, node.raft.commit_index) for node in up]
    known += [(server, disk.log.entries, disk.commit_index) for server, disk in disks.items()]
    for server, entries, commit_index in known:
        _require(
            entries[:commit_index] == committed[:commit_index], Property.STATE_MACHINE_SAFETY,
            f"{server}: not all to {commit_index} is what was committed",
        )  # fmt: skip


def _check_leaders(up: list[Node], history: Invariants) -> None:
    for node in up:
        if isinstance(node.raft.role, Leader):
            election = history.elections.get(node.raft.current_term)
            _require(
                election is not None and election.leader == node.config.server, Property.ELECTION_SAFETY,
                f"{node.config.server} leads term {node.raft.current_term}: {election}",
            )  # fmt: skip
    terms = tuple(entry.term for entry in history.committed)
    for election in history.elections.values():
        earlier = [index for index, term in enumerate(history.committed_in, 1) if term < election.term]
        last = max(earlier, default=0)
        _require(
            election.log_terms[:last] == terms[:last], Property.LEADER_COMPLETENESS,
            f"{election.leader} led term {election.term} without all to {last}",
        )  # fmt: skip


def _check_store(node: Node, committed: list[Entry]) -> None:
    values: dict[str, str] = {}
    sessions: dict[str, int] = {}
    for entry in committed[: node.raft.last_applied]:
        command = entry.command
        if command is None or command.serial <= sessions.get(command.client, 0):
            continue
        sessions[command.client] = command.serial
        match command.operation:
            case Put(key, value):
                values[key] = value
            case Append(key, value):
                values[key] = values.get(key, "") + value
            case Delete(key):
                values.pop(key, None)
            case Get():
                pass
    shown = {client: session.serial for client, session in node.store.sessions.items()}
    _require(
        node.store.values == values and shown == sessions, Property.EXACTLY_ONCE,
        f"{node.config.server}: {node.store.values} after {node.raft.last_applied} entries, which give {values}",
    )  # fmt: skip


def _check_answers(disks: Mapping[ServerId, Durable], history: Invariants) -> None:
    """Were all servers to lose power now, every quorum of them would still have every answered command."""
    holders: dict[tuple[str, int], int] = {}
    for disk in disks.values():
        commands = {(e.command.client, e.command.serial) for e in disk.log.entries if e.command is not None}
        for command in commands:
            holders[command] = holders.get(command, 0) + 1
    lost = sorted(command for command in history.answered if holders.get(command, 0) < quorum_size(disks))
    _require(not lost, Property.ANSWERED_WRITES, f"{lost} are answered and not on the disks of a quorum")


def _require(holds: bool, broken: Property, found: str) -> None:
    if not holds:
        raise CheckersDisagree(broken, found)
