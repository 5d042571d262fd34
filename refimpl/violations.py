"""What no server that follows the rules can send, and how it is said.

Each of these breaks a property of Figure 3.2 (Ongaro 2014). To accept it would spread the damage to this server.
"""

from __future__ import annotations

from refimpl.entry import Index, Round, ServerId
from refimpl.errors import ProtocolViolation
from refimpl.messages import AppendEntries, AppendEntriesResponse


def second_leader(request: AppendEntries) -> ProtocolViolation:
    return ProtocolViolation(
        f"AppendEntries of term {request.term} from {request.source} at {request.destination}, which leads that term",
        "one leader in a term (Election Safety, §3.4)",
        "find out which server voted twice in the term",
    )


def falling_terms(request: AppendEntries) -> ProtocolViolation:
    return ProtocolViolation(
        f"{request} from {request.source}: the terms of its entries fall, or pass its own",
        "terms that rise along a log, up to its leader's",
        "find out which server accepted an entry after one that it did not compare",
    )


def acknowledgement_beyond_log(response: AppendEntriesResponse, last_index: Index) -> ProtocolViolation:
    return ProtocolViolation(
        f"{response.source} acknowledged index {response.index} of a log that ends at {last_index}",
        "acknowledgements of entries that the leader of the term has sent",
        "find out which server led this term twice",
    )


def confirmation_of_no_round(response: AppendEntriesResponse, latest: Round) -> ProtocolViolation:
    return ProtocolViolation(
        f"{response.source} confirmed the round of reads {response.round}; the latest is {latest}",
        "confirmations of rounds that the leader of the term has begun",
        "find out which server led this term twice",
    )


def committed_conflict(server: ServerId, index: Index, commit_index: Index) -> ProtocolViolation:
    return ProtocolViolation(
        f"an entry that conflicts with index {index} at {server}, committed to {commit_index}",
        "conflicts only above the commit index (Leader Completeness, §3.6.3)",
        "find out which leader was elected without the committed entry",
    )
