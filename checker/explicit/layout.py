"""A state as words: compile-time bit fields of at most 62 bits that never straddle a word.

Each process has a region of whole words, the same for all of its kind, so that code can index it: its variables, its
disk, its pending records with their number. Another region holds shared variables, ghosts, who is up, and budgets. The
messages in flight, in the network or waiting in outboxes, share one pool of sorted slots: a waiting message's source
is whose outbox it is in. Equal states have equal words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from checker.explicit.errors import DoesNotFit, NotEncodable
from checker.explicit.shapes import IntShape, RecordShape, Shape, bits, pack, shape_of, unpack
from spec.network import waiting
from spec.sorts import MessageSort, Value
from spec.state import Bag, Message, State
from spec.system import NetworkKind, ProcessKind, Storage, StorageMode, System, Variable

WORD = 62


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much room a state has where the model does not bound it. Found too small, it grows and the search is begun
    again; nothing is lost silently. ``sends``: how many messages one transition may send."""

    slots: int = 2
    copies: int = 4
    pending: int = 4
    sends: int = 32

    def grown(self, what: str) -> Capacity:
        more = {"pending": self.pending + 2, "slots": 3 * self.slots}.get(what, 2 * int(getattr(self, what)))
        return replace(self, **{what: more})


@dataclass(frozen=True, slots=True)
class Piece:
    """``width`` bits of a packed value, from its bit ``offset`` on, stand in ``word`` from bit ``shift`` on."""

    offset: int
    width: int
    word: int
    shift: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands. Words count from the start of its region."""

    width: int
    pieces: tuple[Piece, ...]

    def put(self, words: list[int], base: int, packed: int) -> None:
        for piece in self.pieces:
            words[base + piece.word] |= (packed >> piece.offset & ((1 << piece.width) - 1)) << piece.shift

    def get(self, words: tuple[int, ...], base: int) -> int:
        return sum(
            (words[base + piece.word] >> piece.shift & ((1 << piece.width) - 1)) << piece.offset
            for piece in self.pieces
        )


def placed(widths: list[int]) -> tuple[list[Place], int]:
    """Places for values of so many bits, and the words they take: longest first, each where it first fits."""
    free: list[int] = []
    pieces: list[list[Piece]] = [[] for _ in widths]
    parts = [(min(WORD, width - at), i, at) for i, width in enumerate(widths) for at in range(0, width, WORD)]
    for width, i, at in sorted(parts, key=lambda part: (-part[0], part[1], part[2])):
        word = next((w for w, room in enumerate(free) if room >= width), len(free))
        if word == len(free):
            free.append(WORD)
        pieces[i].append(Piece(at, width, word, WORD - free[word]))
        free[word] -= width
    return [Place(width, tuple(found)) for width, found in zip(widths, pieces, strict=True)], len(free)


@dataclass(frozen=True, slots=True)
class KindLayout:
    """The regions of one kind's processes: ``base + stride * (position within the kind)``."""

    kind: ProcessKind
    first: int  # the position of its first process among all
    base: int
    stride: int
    variables: dict[str, tuple[Shape, Place]]
    record: RecordShape
    disk: Place
    pending: Place
    records: tuple[Place, ...]

    @property
    def size(self) -> int:
        return len(self.kind.sort.elements)


@dataclass(frozen=True, slots=True)
class MessageLayout:
    """``tag`` is at least 1, so that no message is zero. Fields of the payload as of a record."""

    sort: MessageSort
    tag: int
    payload: RecordShape


class Layout:
    """The words of one system's states."""

    def __init__(self, system: System, capacity: Capacity | None = None) -> None:
        self.system = system
        self.capacity = Capacity() if capacity is None else capacity
        self.buffered = system.storage is StorageMode.BUFFERED
        self.processes = system.processes
        self.budgets = tuple(system.bounds.budgets.items())
        self._refuse()
        self._place_common()
        self._place_kinds()
        self._place_pool()
        self.words = max(1, self.pool_base + self.pool_words)

    # ------------------------------------------------------------------------------------------ places

    def _refuse(self) -> None:
        """What the emitted code does not provide for."""
        system = self.system
        if len(self.processes) > WORD:
            raise NotEncodable(f"more than {WORD} processes")
        common = {v.name for v in system.variables if v.kind is None}
        for variable in system.variables:
            if variable.kind is not None and variable.name in common:
                raise NotEncodable(f"{variable.name} is both a process's variable and a shared one")

    def _place_common(self) -> None:
        system, bounds = self.system, self.system.bounds
        variables = (*system.variables_of(None, Storage.SHARED), *system.variables_of(None, Storage.GHOST))
        shapes = [shape_of(v.sort) for v in variables]
        budgets = [IntShape(0, limit) for _, limit in self.budgets]
        # Where nothing can crash, all are up, and no state says so.
        self.crashes = bounds.crashes > 0 and any(kind.crashes for kind in system.kinds)
        widths = [bits(shape) for shape in (*shapes, *budgets)] + [len(self.processes) if self.crashes else 0]
        places, self.common_words = placed(widths)
        self.common = {v.name: (s, p) for v, s, p in zip(variables, shapes, places, strict=False)}
        self.budget_places = tuple(places[len(variables) : -1])
        self.up = places[-1]

    def _place_kinds(self) -> None:
        base, first = self.common_words, 0
        self.kinds: dict[str, KindLayout] = {}
        self.kind_of: dict[str, KindLayout] = {}
        for kind in self.system.kinds:
            variables = self.system.variables_of(kind.name)
            shapes = [shape_of(v.sort) for v in variables]
            durable = [s for s, v in zip(shapes, variables, strict=True) if v.storage is Storage.DURABLE]
            record = RecordShape(tuple(durable) if kind.has_storage else ())
            slots = self.pending_slots if kind.has_storage and self.buffered else 0
            width = bits(record)
            places, stride = placed([*map(bits, shapes), width, slots.bit_length(), *[width] * slots])
            count = len(variables)
            self.kinds[kind.name] = KindLayout(
                kind,
                first,
                base,
                stride,
                {v.name: (s, p) for v, s, p in zip(variables, shapes, places, strict=False)},
                record,
                places[count],
                places[count + 1],
                tuple(places[count + 2 :]),
            )
            self.kind_of.update(dict.fromkeys(kind.sort.elements, self.kinds[kind.name]))
            base += stride * len(kind.sort.elements)
            first += len(kind.sort.elements)
        self.pool_base = base

    @property
    def pending_slots(self) -> int:
        bound = self.system.bounds.pending
        return self.capacity.pending if bound is None else bound

    def _place_pool(self) -> None:
        """A slot, from the top: waiting, source, destination, tag, payload, copies - 1."""
        system, bounds = self.system, self.system.bounds
        names = sorted(system.messages, key=lambda message: message.name)
        self.messages = {
            m.name: MessageLayout(m, tag, RecordShape(tuple(shape_of(sort) for _, sort in m.fields)))
            for tag, m in enumerate(names, 1)
        }
        self.payload_bits = max((bits(m.payload) for m in self.messages.values()), default=0)
        self.tag_bits = len(names).bit_length()
        self.process_bits = (len(self.processes) - 1).bit_length() if self.processes else 0
        most = bounds.copies or bounds.in_flight or self.capacity.copies
        self.copy_bits = 0 if system.network.kind is NetworkKind.FIFO else (most - 1).bit_length()
        self.key_bits = 1 + 2 * self.process_bits + self.tag_bits + self.payload_bits
        self.slot_bits = self.key_bits + self.copy_bits
        self.slots = 0 if not names else self.capacity.slots if bounds.in_flight is None else bounds.in_flight
        self.slots_per_word = max(1, WORD // self.slot_bits)
        self.words_per_slot = -(-self.slot_bits // WORD)
        self.pool_words = -(-self.slots // self.slots_per_word) * self.words_per_slot

    @cached_property
    def tag_shift(self) -> int:
        return self.payload_bits

    @cached_property
    def destination_shift(self) -> int:
        return self.payload_bits + self.tag_bits

    @cached_property
    def source_shift(self) -> int:
        return self.destination_shift + self.process_bits

    @cached_property
    def waiting_shift(self) -> int:
        return self.source_shift + self.process_bits

    def variables(self, kind: ProcessKind) -> tuple[Variable, ...]:
        return self.system.variables_of(kind.name)

    # ------------------------------------------------------------------------------- encoding and decoding

    def encode(self, state: State) -> tuple[int, ...]:
        """The words of a state. Raises DoesNotFit where the layout has too little room."""
        words = [0] * self.words
        system = self.system
        values = dict(zip((v.name for v in system.variables_of(None, Storage.SHARED)), state.shared, strict=True))
        values |= zip((v.name for v in system.variables_of(None, Storage.GHOST)), state.ghosts, strict=True)
        for name, (shape, place) in self.common.items():
            place.put(words, 0, pack(shape, values[name]))
        for place, spent in zip(self.budget_places, state.budgets, strict=True):
            place.put(words, 0, spent)
        if not self.crashes and not all(state.up):
            raise NotEncodable("a process is down in a model in which none can crash")
        self.up.put(words, 0, sum(1 << i for i, up in enumerate(state.up) if up))
        for i, process in enumerate(self.processes):
            self._encode_process(words, self.kind_of[process], i, state)
        self._encode_pool(words, state)
        return tuple(words)

    def _encode_process(self, words: list[int], layout: KindLayout, index: int, state: State) -> None:
        base = layout.base + layout.stride * (index - layout.first)
        for (shape, place), value in zip(layout.variables.values(), state.memory[index], strict=True):
            place.put(words, base, pack(shape, value))
        disk, pending = state.disk[index], state.pending[index]
        if disk is not None:
            layout.disk.put(words, base, pack(layout.record, disk))
        if len(pending) > len(layout.records):
            raise DoesNotFit("pending")
        layout.pending.put(words, base, len(pending))
        for place, record in zip(layout.records, pending, strict=False):
            place.put(words, base, pack(layout.record, record))

    def key(self, message: Message, waits: bool) -> int:
        """The bits of a message in a slot, without its copies."""
        layout = self.messages[message[0]]
        source, destination = self.processes.index(message[1]), self.processes.index(message[2])
        return (
            pack(layout.payload, message[3:])
            | layout.tag << self.tag_shift
            | destination << self.destination_shift
            | source << self.source_shift
            | int(waits) << self.waiting_shift
        )

    def message(self, key: int) -> Message:
        tag = key >> self.tag_shift & ((1 << self.tag_bits) - 1)
        layout = next(m for m in self.messages.values() if m.tag == tag)
        mask = (1 << self.process_bits) - 1
        source = self.processes[key >> self.source_shift & mask]
        destination = self.processes[key >> self.destination_shift & mask]
        fields = unpack(layout.payload, key & ((1 << bits(layout.payload)) - 1))
        return (layout.sort.name, source, destination, *fields)

    def _encode_pool(self, words: list[int], state: State) -> None:
        fifo = self.system.network.kind is NetworkKind.FIFO
        held: dict[tuple[int, int], int] = {}  # (key, place in its channel) → copies
        order = sorted(state.network, key=lambda item: item[1]) if fifo else list(state.network)
        for message, copies in order:
            held[self.key(message, False), len(held) if fifo else 0] = 1 if fifo else copies
        for outbox in state.outbox:
            for message in outbox:
                slot = self.key(message, True), len(held) if fifo else 0
                held[slot] = held.get(slot, 0) + 1
        channel = self.destination_shift if fifo else 0
        sorted_slots = sorted(held.items(), key=lambda item: (item[0][0] >> channel, item[0][1]))
        if len(sorted_slots) > self.slots:
            raise DoesNotFit("slots")
        for i, ((key, _), copies) in enumerate(sorted_slots):
            if copies - 1 >> self.copy_bits:
                raise DoesNotFit("copies")
            self._put_slot(words, i, key << self.copy_bits | copies - 1)

    def _put_slot(self, words: list[int], i: int, slot: int) -> None:
        word = self.pool_base + i // self.slots_per_word * self.words_per_slot
        for part in range(self.words_per_slot):
            shift = i % self.slots_per_word * self.slot_bits
            words[word + part] |= (slot >> part * WORD & ((1 << WORD) - 1)) << shift

    def pool(self, words: tuple[int, ...]) -> list[tuple[int, int]]:
        """Key and copies of every slot that is taken."""
        found = []
        for i in range(self.slots):
            word = self.pool_base + i // self.slots_per_word * self.words_per_slot
            if self.words_per_slot == 1:
                shift = i % self.slots_per_word * self.slot_bits
                slot = words[word] >> shift & ((1 << self.slot_bits) - 1)
            else:
                slot = sum(words[word + part] << part * WORD for part in range(self.words_per_slot))
            if slot == 0:
                break
            found.append((slot >> self.copy_bits, (slot & ((1 << self.copy_bits) - 1)) + 1))
        return found

    def decode(self, words: tuple[int, ...]) -> State:
        """The state whose words these are."""
        system, count = self.system, len(self.processes)
        common = {name: unpack(shape, place.get(words, 0)) for name, (shape, place) in self.common.items()}
        memory: list[tuple[Value, ...]] = []
        disk: list[tuple[Value, ...] | None] = []
        pending: list[tuple[tuple[Value, ...], ...]] = []
        for i, process in enumerate(self.processes):
            layout = self.kind_of[process]
            base = layout.base + layout.stride * (i - layout.first)
            memory.append(tuple(unpack(shape, place.get(words, base)) for shape, place in layout.variables.values()))
            disk.append(unpack(layout.record, layout.disk.get(words, base)) if layout.kind.has_storage else None)
            written = layout.pending.get(words, base)
            pending.append(tuple(unpack(layout.record, r.get(words, base)) for r in layout.records[:written]))
        network, outbox = self._decode_pool(words)
        up = self.up.get(words, 0)
        return State(
            memory=tuple(memory),
            disk=tuple(disk),
            pending=tuple(pending),
            outbox=outbox,
            up=tuple(not self.crashes or bool(up >> i & 1) for i in range(count)),
            shared=tuple(common[v.name] for v in system.variables_of(None, Storage.SHARED)),
            ghosts=tuple(common[v.name] for v in system.variables_of(None, Storage.GHOST)),
            network=network,
            budgets=tuple(place.get(words, 0) for place in self.budget_places),
        )

    def _decode_pool(self, words: tuple[int, ...]) -> tuple[Bag, tuple[tuple[Message, ...], ...]]:
        kind = self.system.network.kind
        outbox: list[list[Message]] = [[] for _ in self.processes]
        network: list[tuple[Message, int]] = []
        behind: dict[tuple[Value, ...], int] = {}
        for key, copies in self.pool(words):
            message = self.message(key)
            if key >> self.waiting_shift:
                outbox[self.processes.index(message[1])] += [message] * copies
            elif kind is NetworkKind.FIFO:
                behind[message[1:3]] = behind.get(message[1:3], 0) + 1
                network.append((message, behind[message[1:3]]))
            else:
                network.append((message, copies))
        return frozenset(network), tuple(waiting(kind, (), messages) for messages in outbox)
