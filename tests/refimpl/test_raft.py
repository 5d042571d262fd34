"""The core, step by step: one input, and all of what comes out."""

from __future__ import annotations

from dataclasses import fields

import pytest

from refimpl.durable import INITIAL, Durable, Record
from refimpl.entry import Append, ClientId, Command, Entry, Index, Round, Serial, ServerId, Term
from refimpl.errors import ProtocolViolation
from refimpl.interface import (
    Applied,
    Candidate,
    Config,
    ElectionTimeout,
    Flushed,
    Follower,
    Leader,
    Output,
    Receive,
    Replicate,
    Waiter,
)
from refimpl.log import Log
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    ClientResponse,
    PeerMessage,
    ReadRequest,
    RequestVote,
    RequestVoteResponse,
)
from refimpl.raft import Raft
from refimpl.reads import Read

S1, S2, S3 = ServerId("s1"), ServerId("s2"), ServerId("s3")
CLIENT = ClientId("c1")
MARK = Append("writes", "c1:1;")
REQUEST = ClientRequest(CLIENT, S1, Serial(1), MARK)


def no_op(term: int) -> Entry:
    return Entry(Term(term), None)


def durable(term: int, *terms: int, commit_index: int = 0) -> Durable:
    """A state with no-ops of these terms in its log."""
    return Durable(Term(term), None, Log(tuple(no_op(t) for t in terms)), Index(commit_index))


def server(recovered: Durable = INITIAL, size: int = 3) -> Raft:
    return Raft(Config(S1, (S1, S2, S3)[:size]), recovered)


def leader(recovered: Durable = INITIAL) -> Raft:
    """s1 as the leader of the term after the recovered one, its no-op flushed."""
    raft = server(recovered)
    raft.step(ElectionTimeout())
    raft.step(Flushed())
    raft.step(Receive(RequestVoteResponse(S2, S1, raft.current_term, True)))
    raft.step(Flushed())
    return raft


def append_entries(
    term: int, prev: int, prev_term: int, *entries: Entry, commit: int = 0, source: ServerId = S2
) -> Receive:
    return Receive(AppendEntries(source, S1, Term(term), Index(prev), Term(prev_term), entries, Index(commit)))


def progress(raft: Raft, success: bool, index: int, source: ServerId = S2) -> Output:
    return raft.step(Receive(AppendEntriesResponse(source, S1, raft.current_term, success, Index(index))))


def role_of(raft: Raft) -> Leader:
    assert isinstance(raft.role, Leader)
    return raft.role


def test_an_election_timeout_makes_one_record_and_asks_every_peer_after_the_sync() -> None:
    raft = server(durable(3, 1, 3))
    output = raft.step(ElectionTimeout())
    requests = tuple(RequestVote(S1, peer, Term(4), Index(2), Term(3)) for peer in (S2, S3))
    assert output == Output(persist=Record(term_and_vote=(Term(4), S1)), send_after_sync=requests)
    assert raft.role == Candidate(frozenset({S1}))


def test_a_leader_ignores_an_election_timeout() -> None:
    raft = leader()
    assert raft.step(ElectionTimeout()) == Output()
    assert raft.current_term == 1


def test_the_winning_vote_appends_a_no_op_in_the_same_record() -> None:
    raft = server(durable(3, 1, 3))
    raft.step(ElectionTimeout())
    output = raft.step(Receive(RequestVoteResponse(S3, S1, Term(4), True)))
    assert output == Output(persist=Record(append=(no_op(4),)))
    next_index, match_index = dict.fromkeys((S1, S2, S3), Index(3)), dict.fromkeys((S1, S2, S3), Index(0))
    assert raft.role == Leader(next_index, match_index, no_op_index=Index(3))


@pytest.mark.parametrize(
    "response",
    [
        RequestVoteResponse(S2, S1, Term(1), False),
        RequestVoteResponse(S2, S1, Term(0), True),
    ],
)
def test_a_refusal_and_a_late_vote_do_not_count(response: RequestVoteResponse) -> None:
    raft = server()
    raft.step(ElectionTimeout())
    assert raft.step(Receive(response)) == Output()
    assert raft.role == Candidate(frozenset({S1}))


def test_a_vote_counts_once() -> None:
    raft = Raft(Config(S1, (S1, S2, S3, ServerId("s4"), ServerId("s5"))), INITIAL)
    raft.step(ElectionTimeout())
    for _ in range(3):
        raft.step(Receive(RequestVoteResponse(S2, S1, Term(1), True)))
    assert raft.role == Candidate(frozenset({S1, S2}))


def test_a_cluster_of_one_wins_when_its_own_vote_is_flushed() -> None:
    raft = server(size=1)
    assert raft.step(ElectionTimeout()) == Output(persist=Record(term_and_vote=(Term(1), S1)))
    assert raft.role == Candidate(frozenset({S1}))
    assert raft.step(Flushed()) == Output(persist=Record(append=(no_op(1),)))
    assert raft.step(Flushed()) == Output(persist=Record(commit_index=Index(1)), apply=(Index(1),))


def test_a_new_term_and_the_vote_in_it_are_one_record() -> None:
    raft = server(durable(3))
    output = raft.step(Receive(RequestVote(S2, S1, Term(5), Index(0), Term(0))))
    granted = RequestVoteResponse(S1, S2, Term(5), True)
    assert output == Output(persist=Record(term_and_vote=(Term(5), S2)), send_after_sync=(granted,))


def test_a_new_term_is_adopted_even_where_the_vote_is_refused() -> None:
    raft = server(durable(3, 3))
    output = raft.step(Receive(RequestVote(S2, S1, Term(5), Index(0), Term(0))))
    refused = RequestVoteResponse(S1, S2, Term(5), False)
    assert output == Output(persist=Record(term_and_vote=(Term(5), None)), send_after_sync=(refused,))


def test_a_stale_request_for_a_vote_is_refused_with_the_current_term() -> None:
    raft = server(durable(3))
    output = raft.step(Receive(RequestVote(S2, S1, Term(2), Index(9), Term(2))))
    assert output == Output(send_after_sync=(RequestVoteResponse(S1, S2, Term(3), False),))


@pytest.mark.parametrize("kind", ["request", "response", "append", "append response"])
def test_any_newer_term_makes_a_leader_a_follower_that_abandons_its_clients(kind: str) -> None:
    raft = leader()
    raft.step(Receive(REQUEST))
    messages: dict[str, PeerMessage] = {
        "request": RequestVote(S2, S1, Term(2), Index(0), Term(0)),
        "response": RequestVoteResponse(S2, S1, Term(2), True),
        "append": AppendEntries(S2, S1, Term(2), Index(9), Term(2), (), Index(0)),
        "append response": AppendEntriesResponse(S2, S1, Term(2), False, Index(0)),
    }
    output = raft.step(Receive(messages[kind]))
    assert output.abandon
    assert output.persist == Record(term_and_vote=(Term(2), None))
    assert (raft.role, raft.current_term, raft.voted_for) == (Follower(), 2, None)


def test_a_candidate_follows_the_leader_of_its_term_and_keeps_its_vote() -> None:
    raft = server()
    raft.step(ElectionTimeout())
    output = raft.step(append_entries(1, 0, 0))
    assert output == Output(send_after_sync=(AppendEntriesResponse(S1, S2, Term(1), True, Index(0)),))
    assert (raft.role, raft.voted_for) == (Follower(), S1)


def test_a_leader_sends_the_entry_at_next_index_at_once() -> None:
    raft = leader(durable(3, 1, 3, commit_index=1))
    expected = AppendEntries(S1, S2, Term(4), Index(2), Term(3), (no_op(4),), Index(1))
    assert raft.step(Replicate(S2)) == Output(send=(expected,))
    progress(raft, True, 3)
    heartbeat = AppendEntries(S1, S2, Term(4), Index(3), Term(4), (), Index(3))
    assert raft.step(Replicate(S2)) == Output(send=(heartbeat,))


@pytest.mark.parametrize("raft", [server(), server(durable(3, 1))])
def test_only_a_leader_replicates(raft: Raft) -> None:
    assert raft.step(Replicate(S2)) == Output()


def test_a_stale_append_is_answered_with_the_current_term_and_changes_nothing() -> None:
    raft = server(durable(3, 1, 3))
    output = raft.step(append_entries(2, 0, 0, no_op(2), commit=1))
    assert output == Output(send_after_sync=(AppendEntriesResponse(S1, S2, Term(3), False, Index(2)),))
    assert raft.durable == durable(3, 1, 3)


@pytest.mark.parametrize(("prev", "prev_term"), [(3, 3), (2, 2)])
def test_a_failed_consistency_check_is_answered_with_the_last_index(prev: int, prev_term: int) -> None:
    raft = server(durable(3, 1, 3))
    output = raft.step(append_entries(3, prev, prev_term, no_op(3), commit=3))
    assert output == Output(send_after_sync=(AppendEntriesResponse(S1, S2, Term(3), False, Index(2)),))
    assert raft.durable == durable(3, 1, 3)


def test_a_conflict_is_cut_and_replaced_in_one_record() -> None:
    raft = server(durable(3, 1, 2, 2, commit_index=1))
    output = raft.step(append_entries(4, 1, 1, no_op(3), commit=9))
    accepted = AppendEntriesResponse(S1, S2, Term(4), True, Index(2))
    assert output == Output(
        persist=Record((Term(4), None), Index(1), (no_op(3),), Index(2)), send_after_sync=(accepted,), apply=(Index(2),)
    )
    assert [entry.term for entry in raft.log.entries] == [1, 3]


def test_an_entry_that_is_there_is_kept_with_all_behind_it() -> None:
    raft = server(durable(3, 1, 3, 3))
    output = raft.step(append_entries(3, 1, 1, no_op(3)))
    assert output == Output(send_after_sync=(AppendEntriesResponse(S1, S2, Term(3), True, Index(2)),))
    assert raft.log.last_index == 3


def test_the_commit_index_goes_no_further_than_the_message_compared() -> None:
    raft = server(durable(3, 1, 3, 3))
    output = raft.step(append_entries(3, 1, 1, no_op(3), commit=3))
    assert (output.apply, raft.commit_index) == ((1, 2), 2)


def test_the_commit_index_never_goes_back() -> None:
    raft = server(durable(3, 1, 3, 3, commit_index=3))
    output = raft.step(append_entries(3, 1, 1, no_op(3), commit=1))
    assert (output.persist, raft.commit_index) == (None, 3)


def test_an_acknowledgement_that_was_overtaken_takes_nothing_back() -> None:
    raft = leader(durable(3, 1, 1, 1))
    progress(raft, True, 4)
    progress(raft, True, 2)
    assert (role_of(raft).match_index[S2], role_of(raft).next_index[S2]) == (4, 5)


def test_an_acknowledgement_never_lowers_next_index() -> None:
    raft = leader(durable(3, 1, 1, 1))
    progress(raft, True, 1)
    assert (role_of(raft).match_index[S2], role_of(raft).next_index[S2]) == (1, 4)


@pytest.mark.parametrize(("hint", "expected"), [(0, 1), (1, 2), (2, 3), (3, 3), (9, 3)])
def test_after_a_rejection_next_index_steps_back_at_least_once_and_at_most_to_the_hint(
    hint: int, expected: int
) -> None:
    raft = leader(durable(3, 1, 1, 1))
    progress(raft, False, hint)
    assert role_of(raft).next_index[S2] == expected


def test_a_late_rejection_does_not_move_next_index_below_what_matches() -> None:
    raft = leader(durable(3, 1, 1, 1))
    progress(raft, True, 3)
    progress(raft, False, 0)
    assert role_of(raft).next_index[S2] == 4
    raft = leader()
    for _ in range(3):
        progress(raft, False, 0)
    assert role_of(raft).next_index[S2] == 1


def test_a_response_of_an_earlier_term_changes_nothing() -> None:
    raft = leader(durable(3, 1, 1))
    before = raft.role
    assert raft.step(Receive(AppendEntriesResponse(S2, S1, Term(3), True, Index(2)))) == Output()
    assert raft.role == before


def test_a_confirmation_of_a_round_that_never_began_is_a_violation() -> None:
    raft = leader()
    response = AppendEntriesResponse(S2, S1, Term(1), True, Index(0), Round(1))
    with pytest.raises(ProtocolViolation, match="rounds that the leader of the term has begun"):
        raft.step(Receive(response))


def test_a_read_is_answered_by_the_step_that_confirms_the_leader() -> None:
    raft = leader()
    progress(raft, True, 1)
    raft.step(Applied(Index(1), None))
    assert raft.step(Receive(ReadRequest(CLIENT, S1, Serial(1), "k"))) == Output()
    (request,) = raft.step(Replicate(S3)).send
    assert isinstance(request, AppendEntries)
    echo = AppendEntriesResponse(S3, S1, Term(1), False, Index(0), request.round)
    assert raft.step(Receive(echo)) == Output(read=(Read(CLIENT, Serial(1), "k", Index(1), Round(1)),))
    assert raft.step(Receive(echo)) == Output()


@pytest.mark.parametrize(("term", "prev", "echo"), [(2, 0, 7), (2, 5, 7), (1, 0, 0)])
def test_a_follower_echoes_the_round_of_its_own_term_whether_it_accepts_or_not(term: int, prev: int, echo: int) -> None:
    raft = server(durable(2))
    request = AppendEntries(S2, S1, Term(term), Index(prev), Term(min(prev, 1)), (), Index(0), Round(7))
    (response,) = raft.step(Receive(request)).send_after_sync
    assert isinstance(response, AppendEntriesResponse)
    assert response.round == echo


def test_a_request_makes_an_entry_and_a_waiter() -> None:
    raft = leader()
    output = raft.step(Receive(REQUEST))
    assert output == Output(persist=Record(append=(Entry(Term(1), Command(CLIENT, Serial(1), MARK)),)))
    assert role_of(raft).waiters == (Waiter(CLIENT, Serial(1), Index(2), Term(1)),)


def test_a_request_at_a_follower_or_candidate_is_ignored() -> None:
    raft = server()
    assert raft.step(Receive(REQUEST)) == Output()
    raft.step(ElectionTimeout())
    assert raft.step(Receive(REQUEST)) == Output()


def test_answers_follow_the_apply_of_their_entries_in_order() -> None:
    raft = leader()
    raft.step(Receive(REQUEST))
    raft.step(Receive(ClientRequest(ClientId("c2"), S1, Serial(1), MARK)))
    raft.step(Flushed())
    assert progress(raft, True, 3).apply == (1, 2, 3)
    assert raft.step(Applied(Index(1), None)) == Output()
    assert raft.step(Applied(Index(2), (CLIENT, Serial(1)))).answer == (Waiter(CLIENT, Serial(1), Index(2), Term(1)),)
    assert [waiter.client for waiter in role_of(raft).waiters] == ["c2"]


def test_an_applied_serial_is_answered_at_once_and_any_lower_one_too() -> None:
    raft = leader()
    raft.step(Receive(ClientRequest(CLIENT, S1, Serial(2), MARK)))
    raft.step(Flushed())
    progress(raft, True, 2)
    raft.step(Applied(Index(1), None))
    raft.step(Applied(Index(2), (CLIENT, Serial(2))))
    for serial in (1, 2):
        output = raft.step(Receive(ClientRequest(CLIENT, S1, Serial(serial), MARK)))
        assert output == Output(send=(ClientResponse(S1, CLIENT, Serial(serial)),))


@pytest.mark.parametrize("index", [0, 2, 3])
def test_entries_are_applied_in_order(index: int) -> None:
    raft = server(durable(1, 1, 1, 1, commit_index=3))
    with pytest.raises(AssertionError, match="in order"):
        raft.step(Applied(Index(index), None))


def test_a_second_leader_in_the_own_term_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="one leader in a term"):
        leader().step(append_entries(1, 0, 0))


def test_an_acknowledgement_of_what_was_never_sent_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="acknowledged index 7 of a log that ends at 1"):
        progress(leader(), True, 7)


def test_a_conflict_with_a_committed_entry_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="conflicts only above the commit index"):
        server(durable(1, 1, 1, commit_index=2)).step(append_entries(2, 1, 1, no_op(2)))


def test_terms_that_fall_along_a_message_are_refused() -> None:
    with pytest.raises(ProtocolViolation, match="terms that rise along a log"):
        server(durable(3, 3)).step(append_entries(3, 1, 3, no_op(2)))


def test_a_message_that_is_refused_changes_nothing() -> None:
    raft = server(durable(1, 1, 1, commit_index=2))
    for refused in (append_entries(7, 1, 1, no_op(2)), append_entries(7, 2, 1, no_op(6), no_op(5))):
        with pytest.raises(ProtocolViolation):
            raft.step(refused)
        assert (raft.current_term, raft.log.last_index) == (1, 2)


def test_a_leader_sends_as_many_entries_as_it_is_configured_to() -> None:
    raft = Raft(Config(S1, (S1, S2, S3), max_entries=2), durable(1, 1, 1, 1))
    raft.step(ElectionTimeout())
    raft.step(Receive(RequestVoteResponse(S2, S1, raft.current_term, True)))
    progress(raft, False, 0)
    for sent in (2, 2, 0):
        [message] = raft.step(Replicate(S2)).send
        assert isinstance(message, AppendEntries)
        assert len(message.entries) == sent
        progress(raft, True, message.prev_log_index + sent)


def test_a_peer_is_another_server() -> None:
    with pytest.raises(AssertionError, match="not a peer"):
        leader().step(Replicate(S1))


def test_every_part_of_a_record_has_an_effect() -> None:
    state = durable(3, 1, 2, commit_index=1)
    parts = {
        "term_and_vote": Record(term_and_vote=(Term(4), S2)),
        "truncate_to": Record(truncate_to=Index(1)),
        "append": Record(append=(no_op(3),)),
        "commit_index": Record(commit_index=Index(2)),
    }
    assert parts.keys() == {field.name for field in fields(Record)}
    assert len({state, *(state.after(record) for record in parts.values())}) == 5
    assert Record().is_empty()
    assert not any(record.is_empty() for record in parts.values())
