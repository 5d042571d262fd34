"""Frames and codecs: what is written reads back, and nothing else is read."""

from __future__ import annotations

import random

import google_crc32c
import msgspec
import pytest

from refimpl import wire
from refimpl.admission import refuse_foreign, too_large
from refimpl.entry import (
    Append,
    ClientId,
    Command,
    Delete,
    Entry,
    Get,
    Index,
    Operation,
    Put,
    Round,
    Serial,
    ServerId,
    Term,
)
from refimpl.errors import ImpossibleRequest, MalformedMessage
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    PeerMessage,
    ReadRequest,
    RequestVote,
    RequestVoteResponse,
)

S1, S2 = ServerId("s1"), ServerId("s2")
CLIENT = ClientId("client/1")


def entry(operation: Operation | None, term: int = 3) -> Entry:
    return Entry(Term(term), None if operation is None else Command(CLIENT, Serial(7), operation))


OPERATIONS: tuple[Operation, ...] = (Put("k", "v"), Append("k", "ä"), Delete("k"), Get(""))
ENTRIES = (entry(None), *(entry(operation) for operation in OPERATIONS))
PEER_MESSAGES: tuple[PeerMessage, ...] = (
    RequestVote(S1, S2, Term(3), Index(2), Term(1)),
    RequestVoteResponse(S2, S1, Term(3), vote_granted=True),
    AppendEntries(S1, S2, Term(3), Index(0), Term(0), (), Index(0)),
    AppendEntries(S1, S2, Term(3), Index(4), Term(2), ENTRIES, Index(4)),
    AppendEntriesResponse(S2, S1, Term(3), success=False, index=Index(9)),
)


def payloads(data: bytes, limit: int = wire.MAX_FRAME) -> list[bytes]:
    return list(wire.FrameReader(limit).feed(data))


@pytest.mark.parametrize("message", PEER_MESSAGES)
def test_a_message_reads_back_as_it_was_written(message: PeerMessage) -> None:
    [payload] = payloads(wire.PEER.encode(message))
    assert wire.PEER.decode(payload) == message


def test_frames_are_cut_out_of_a_stream_however_it_arrives() -> None:
    stream = b"".join(wire.PEER.encode(message) for message in PEER_MESSAGES)
    for size in (1, 3, 50, len(stream)):
        reader = wire.FrameReader(wire.MAX_FRAME)
        found = [
            wire.PEER.decode(payload)
            for start in range(0, len(stream), size)
            for payload in reader.feed(stream[start : start + size])
        ]
        assert tuple(found) == PEER_MESSAGES


def test_a_frame_is_refused_by_its_length_before_its_bytes_have_come() -> None:
    with pytest.raises(MalformedMessage, match="1 to 4096 bytes"):
        payloads(wire.HEADER.pack(wire.MAX_HELLO + 1, 0), wire.MAX_HELLO)
    with pytest.raises(MalformedMessage, match="a frame of 0 bytes"):
        payloads(wire.HEADER.pack(0, 0))


def test_a_message_that_the_other_side_would_refuse_is_not_sent() -> None:
    with pytest.raises(ImpossibleRequest, match="at most 4096"):
        wire.HELLO.encode(wire.Hello(1, wire.Peer.CLIENT, "x" * 5000, S1, ()))


def test_as_many_of_the_largest_commands_as_are_allowed_fit_into_a_frame() -> None:
    largest = entry(Put("k" * wire.MAX_KEY, "v" * wire.MAX_VALUE))
    message = AppendEntries(S1, S2, Term(3), Index(4), Term(2), (largest,) * wire.MAX_ENTRIES, Index(4))
    assert len(wire.PEER.encode(message)) <= wire.MAX_FRAME
    wire.REQUEST.encode(ReadRequest(ClientId("c" * 128), ServerId("s" * 64), Serial(1), "k" * wire.MAX_KEY))
    wire.REQUEST.encode(ClientRequest(ClientId("c" * 128), ServerId("s" * 64), Serial(wire.MAX_NUMBER), Put(
        "k" * wire.MAX_KEY, "v" * wire.MAX_VALUE
    )))  # fmt: skip


def envelope(name: str, body: object) -> bytes:
    return msgspec.msgpack.encode((name, body))


RESPONSE = {"source": "s2", "destination": "s1", "term": 3, "success": False, "index": 9, "round": 4}


@pytest.mark.parametrize(
    "payload",
    [
        b"\xc1",
        envelope("Shutdown", {}),
        envelope("Welcome", {"version": 1, "server": "s1"}),
        envelope("AppendEntriesResponse", RESPONSE | {"term": -1}),
        envelope("AppendEntriesResponse", RESPONSE | {"term": "3"}),
        envelope("AppendEntriesResponse", RESPONSE | {"term": 3.0}),
        envelope("AppendEntriesResponse", RESPONSE | {"source": ""}),
        envelope("AppendEntriesResponse", RESPONSE | {"source": "s" * 65}),
        envelope("AppendEntriesResponse", RESPONSE | {"surplus": 1}),
        envelope("AppendEntriesResponse", dict(reversed(RESPONSE.items()))),
        envelope("AppendEntriesResponse", {key: value for key, value in RESPONSE.items() if key != "term"}),
        envelope("AppendEntriesResponse", RESPONSE) + b"\x00",
        envelope("AppendEntriesResponse", RESPONSE).replace(b"s1", b"\xff\xff"),
        b"\x91" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_message_of_this_direction_is_refused(payload: bytes) -> None:
    wire.PEER.decode(envelope("AppendEntriesResponse", RESPONSE))  # what the cases depart from
    with pytest.raises(MalformedMessage):
        wire.PEER.decode(payload)


def test_a_hello_of_a_later_version_is_told_from_garbage() -> None:
    hello = {"version": 1, "peer": "client", "name": "client", "destination": "s1", "servers": ()}
    assert wire.read_hello(envelope("Hello", hello | {"version": 2, "compression": "zstd"})).version == 2
    for payload in (envelope("Hello", hello | {"compression": "zstd"}), envelope("Hello", {"version": 2})):
        with pytest.raises(MalformedMessage):
            wire.read_hello(payload)


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (RequestVote(ServerId("s3"), S2, Term(3), Index(2), Term(1)), "from s3 to s2"),
        (RequestVote(S1, ServerId("s3"), Term(3), Index(2), Term(1)), "from s1 to s3"),
        (RequestVote(S1, S2, Term(wire.MAX_NUMBER + 1), Index(2), Term(1)), "with the number"),
        (AppendEntries(S1, S2, Term(3), Index(0), Term(0), ENTRIES[:1] * 65, Index(0)), "65 entries at once"),
        (AppendEntries(S1, S2, Term(3), Index(0), Term(0), (entry(None, 1 << 60),), Index(0)), "with the number"),
        (AppendEntriesResponse(S1, S2, Term(3), True, Index(0), Round(wire.MAX_NUMBER + 1)), "with the number"),
        (ClientRequest(ClientId("other/1"), S2, Serial(1), Get("k")), "from other/1"),
    ],
)
def test_a_message_that_its_sender_may_not_send_is_refused(message: PeerMessage | ClientRequest, found: str) -> None:
    with pytest.raises(MalformedMessage, match=found):
        refuse_foreign(message, "s1", S2)


def test_limits_count_bytes_not_letters() -> None:
    assert too_large(Put("k", "v" * wire.MAX_VALUE)) is None
    umlauts = "ä" * (wire.MAX_VALUE // 2 + 1)
    assert too_large(Put("k", umlauts)) == "the value has 65538 bytes; at most 65536 are allowed"
    assert too_large(Delete("k" * 1025)) == "the key has 1025 bytes; at most 1024 are allowed"


def test_a_mangled_frame_is_never_read_as_a_message() -> None:
    """Bits flipped, bytes cut, doubled and put in: refused by the checksum, or waited for; seed 1."""
    chance = random.Random(1)
    whole = [wire.PEER.encode(message) for message in PEER_MESSAGES]
    refused = 0
    for _ in range(3_000):
        mangled = mangle(chance, chance.choice(whole))
        try:
            assert [data for data in payloads(mangled) if frame_of(data) not in whole] == []
        except MalformedMessage:
            refused += 1
    assert refused > 1_500


def test_a_mangled_payload_in_a_good_frame_is_refused_or_is_another_message() -> None:
    """What the checksum cannot see: only MalformedMessage is raised, and no message has two spellings; seed 1."""
    chance = random.Random(1)
    whole = [wire.PEER.encode(message)[wire.HEADER.size :] for message in PEER_MESSAGES]
    refused = 0
    for _ in range(3_000):
        payload = mangle(chance, chance.choice(whole))
        try:
            message = wire.PEER.decode(payload)
            assert frame_of(payload) == wire.PEER.encode(message)
        except MalformedMessage:
            refused += 1
    assert 1_500 < refused < 3_000


def frame_of(payload: bytes) -> bytes:
    return wire.HEADER.pack(len(payload), google_crc32c.value(payload)) + payload


def mangle(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    match chance.randrange(4):
        case 0:
            return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        case 1:
            return data[:at]
        case 2:
            return data[:at] + chance.randbytes(chance.randint(1, 9)) + data[at:]
        case _:
            return data[:at] + data[chance.randrange(len(data)) :]
