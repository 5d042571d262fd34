"""What no server that follows the rules can send, and how it is said.

Each of these breaks a property of Figure 3.2 (Ongaro 2014). To accept it would spread the damage to this server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from refimpl.entry import Index, Round, ServerId
from refimpl.errors import ProtocolViolation
from refimpl.interface import Leader
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    ReadRequest,
    RequestVote,
    RequestVoteResponse,
    ServerMessage,
)

if TYPE_CHECKING:
    from refimpl.raft import Raft


def refuse_violation(raft: Raft, message: ServerMessage) -> None:
    """Raises ProtocolViolation for a message that no correct peer can have sent to a server in this state."""
    match message:
        case AppendEntries() if message.term >= raft.current_term:
            _refuse_entries(raft, message)
        case AppendEntriesResponse() if message.term == raft.current_term and isinstance(raft.role, Leader):
            if message.success and message.index > raft.log.last_index:
                raise _acknowledgement_beyond_log(message, raft.log.last_index)
            if message.round > raft.role.reads.round:
                raise _confirmation_of_no_round(message, raft.role.reads.round)
        case AppendEntries() | AppendEntriesResponse() | RequestVote() | RequestVoteResponse():
            pass
        case ClientRequest() | ReadRequest():
            pass


def _refuse_entries(raft: Raft, request: AppendEntries) -> None:
    if isinstance(raft.role, Leader) and request.term == raft.current_term:
        raise _second_leader(request)
    if not raft.log.agrees_at(request.prev_log_index, request.prev_log_term):
        return
    terms = [request.prev_log_term, *(entry.term for entry in request.entries), request.term]
    if terms != sorted(terms):
        raise _falling_terms(request)
    for index, entry in enumerate(request.entries, start=request.prev_log_index + 1):
        # In a cluster that is broken on purpose, a checker is to see what this would stop.
        if index > raft.commit_index or raft.config.broken:
            break
        if raft.log.term_at(Index(index)) != entry.term:
            raise _committed_conflict(raft.config.server, Index(index), raft.commit_index)


def _second_leader(request: AppendEntries) -> ProtocolViolation:
    return ProtocolViolation(
        f"AppendEntries of term {request.term} from {request.source} at {request.destination}, which leads that term",
        "one leader in a term (Election Safety, §3.4)",
        "find out which server voted twice in the term",
    )


def _falling_terms(request: AppendEntries) -> ProtocolViolation:
    return ProtocolViolation(
        f"{request} from {request.source}: the terms of its entries fall, or pass its own",
        "terms that rise along a log, up to its leader's",
        "find out which server accepted an entry after one that it did not compare",
    )


def _acknowledgement_beyond_log(response: AppendEntriesResponse, last_index: Index) -> ProtocolViolation:
    return ProtocolViolation(
        f"{response.source} acknowledged index {response.index} of a log that ends at {last_index}",
        "acknowledgements of entries that the leader of the term has sent",
        "find out which server led this term twice",
    )


def _confirmation_of_no_round(response: AppendEntriesResponse, latest: Round) -> ProtocolViolation:
    return ProtocolViolation(
        f"{response.source} confirmed the round of reads {response.round}; the latest is {latest}",
        "confirmations of rounds that the leader of the term has begun",
        "find out which server led this term twice",
    )


def _committed_conflict(server: ServerId, index: Index, commit_index: Index) -> ProtocolViolation:
    return ProtocolViolation(
        f"an entry that conflicts with index {index} at {server}, committed to {commit_index}",
        "conflicts only above the commit index (Leader Completeness, §3.6.3)",
        "find out which leader was elected without the committed entry",
    )
