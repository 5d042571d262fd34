"""The state that stands for all that are alike, in Python: for states as the evaluator has them.

The parts of a state recur: what a process has of its own, what is shared, each message. What a permutation makes of a
part and what a part says of an element are remembered, so that a state is mostly put together from what is known. Which
of the states that are alike is taken is not that of the native code: there are as many.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from itertools import groupby, permutations, product
from typing import TypeAlias

from checker.explicit.symmetry import Symmetry
from spec.network import waiting
from spec.renaming import Renaming, renamed
from spec.sorts import (
    AtomSort,
    BoolSort,
    EnumSort,
    IntSort,
    MapSort,
    MessageSort,
    OptionalSort,
    RecordSort,
    SeqSort,
    SetSort,
    Sort,
    Value,
    domain,
)
from spec.state import DurableRecord, Message, State
from spec.system import Storage, System

REMEMBERED = 1 << 18
"""Parts of a kind that are kept; the others are computed again."""

Own: TypeAlias = tuple[tuple[Value, ...], DurableRecord | None, tuple[DurableRecord, ...], tuple[Message, ...], bool]
"""A process's memory, disk, pending records, outbox, and whether it is up."""


class CanonicalStates:
    """Finds the canonical states of one system."""

    def __init__(self, system: System, symmetry: Symmetry) -> None:
        self.system, self.symmetry = system, symmetry
        self.messages = {message.name: message for message in system.messages}
        self.place = {process: i for i, process in enumerate(system.processes)}
        kinds = [system.kind_of(process).name for process in system.processes]
        self.memory = [[v.sort for v in system.variables_of(kind)] for kind in kinds]
        self.record = [[v.sort for v in system.variables_of(kind, Storage.DURABLE)] for kind in kinds]
        self.common = [v.sort for s in (Storage.SHARED, Storage.GHOST) for v in system.variables_of(None, s)]
        # Bound to the object, so that its memory goes with it.
        self._own_key = lru_cache(REMEMBERED)(self._key_of_own)
        self._common_key = lru_cache(REMEMBERED)(self._key_of_common)
        self._message_key = lru_cache(REMEMBERED)(self._key_of_message)
        self._permuted_own = lru_cache(REMEMBERED)(self._permute_own)
        self._permuted_common = lru_cache(REMEMBERED)(self._permute_common)
        self._permuted_message = lru_cache(REMEMBERED)(self._permute_message)
        self._text_of_own = lru_cache(REMEMBERED)(self._write_own)
        self._text_of_message = lru_cache(REMEMBERED)(self._write_message)

    def of(self, state: State) -> State:
        alike = [self._permuted(state, names) for names in self._sorting(state)]
        return alike[0] if len(alike) == 1 else min(alike, key=self._text)

    def least(self, state: State) -> tuple[State, list[tuple[str, ...]]]:
        """The canonical state, and every permutation that makes it of this one: what becomes of each element."""
        alike = [(self._permuted(state, names), names) for names in self._sorting(state)]
        found = self.of(state)
        return found, [names for other, names in alike if other == found]

    def renamed(self, state: State, names: Renaming) -> State:
        """The state with elements renamed wherever they stand."""
        return self._permuted(state, tuple(names.get(element, element) for element in self.symmetry.elements))

    # -------------------------------------------------------------------------------------------- keys

    def _sorting(self, state: State) -> list[tuple[str, ...]]:
        """The permutations that sort the elements by their keys: what becomes of each element, in order."""
        key = {element: self._key(state, element) for element in self.symmetry.elements}
        choices = []
        for sort in self.symmetry.sets:
            ordered = sorted(sort.elements, key=key.__getitem__)
            groups = [list(group) for _, group in groupby(ordered, key=key.__getitem__)]
            orders = product(*(permutations(group) for group in groups))
            sorted_ways = ([element for group in way for element in group] for way in orders)
            choices.append([dict(zip(way, sort.elements, strict=True)) for way in sorted_ways])
        joined = ({a: b for names in way for a, b in names.items()} for way in product(*choices))
        return [tuple(names[element] for element in self.symmetry.elements) for names in joined]

    def _key(self, state: State, element: str) -> int:
        i = self.place.get(element)
        key = 0 if i is None else self._own_key(i, self._own(state, i))
        key += self._common_key(element, state.shared, state.ghosts)
        return key + sum(self._message_key(element, message, copies) for message, copies in state.network)

    def _key_of_own(self, i: int, own: Own) -> int:
        element, memory, record = self.system.processes[i], self.memory[i], self.record[i]
        seen = self._seen
        stored, disk, pending, outbox, up = own
        return _number(
            [seen(sort, value, element) for sort, value in zip(memory, stored, strict=True)],
            [[seen(s, v, element) for s, v in zip(record, r, strict=True)] for r in (disk, *pending) if r is not None],
            sorted(seen(self.messages[message[0]], message, element) for message in outbox),
            up,
        )

    def _key_of_common(self, element: str, shared: tuple[Value, ...], ghosts: tuple[Value, ...]) -> int:
        return _number([self._seen(s, v, element) for s, v in zip(self.common, (*shared, *ghosts), strict=True)])

    def _key_of_message(self, element: str, message: Message, copies: int) -> int:
        return _number(self._seen(self.messages[message[0]], message, element), copies)

    def _seen(self, sort: Sort, value: Value, element: str) -> str:
        """The value as text in which the element is known, and all others of symmetric sets look the same."""
        match sort:
            case AtomSort() if value == element:
                return "this"
            case AtomSort() if value in self.symmetry.elements:
                return next(of.name for of in self.symmetry.sets if value in of.elements)
            case BoolSort() | IntSort() | EnumSort() | AtomSort():
                return repr(value)
            case OptionalSort(of):
                return "none" if value is None else f"the {self._seen(of, value, element)}"
            case SetSort(of):
                return repr(sorted(self._seen(of, member, element) for member in value))
            case SeqSort(of):
                return repr([self._seen(of, member, element) for member in value])
            case MapSort(key, of):
                pairs = zip(domain(key), value, strict=True)
                return repr(sorted((self._seen(key, k, element), self._seen(of, v, element)) for k, v in pairs))
            case RecordSort(_, fields):
                return repr([self._seen(of, v, element) for (_, of), v in zip(fields, value, strict=True)])
            case MessageSort(name, source, destination, fields):
                sorts = (source, destination, *(of for _, of in fields))
                return repr((name, [self._seen(of, v, element) for of, v in zip(sorts, value[1:], strict=True)]))

    # ---------------------------------------------------------------------------------------- permuting

    def _names(self, to: tuple[str, ...]) -> Renaming:
        return dict(zip(self.symmetry.elements, to, strict=True))

    def _own(self, state: State, i: int) -> Own:
        return state.memory[i], state.disk[i], state.pending[i], state.outbox[i], state.up[i]

    def _permuted(self, state: State, to: tuple[str, ...]) -> State:
        owns: list[Own] = [self._own(state, i) for i in range(len(state.up))]
        names = self._names(to)
        for i, process in enumerate(self.system.processes):
            owns[self.place[names.get(process, process)]] = self._permuted_own(i, self._own(state, i), to)
        memory, disk, pending, outbox, up = zip(*owns, strict=True) if owns else ((), (), (), (), ())
        shared, ghosts = self._permuted_common(state.shared, state.ghosts, to)
        network = frozenset((self._permuted_message(message, to), copies) for message, copies in state.network)
        return State(memory, disk, pending, outbox, up, shared, ghosts, network, state.budgets)

    def _permute_own(self, i: int, own: Own, to: tuple[str, ...]) -> Own:
        names = self._names(to)
        stored, disk, pending, outbox, up = own
        return (
            _all(self.memory[i], stored, names),
            None if disk is None else _all(self.record[i], disk, names),
            tuple(_all(self.record[i], record, names) for record in pending),
            waiting(self.system.network.kind, (), [self._permuted_message(message, to) for message in outbox]),
            up,
        )

    def _permute_common(
        self, shared: tuple[Value, ...], ghosts: tuple[Value, ...], to: tuple[str, ...]
    ) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        found = _all(self.common, (*shared, *ghosts), self._names(to))
        return found[: len(shared)], found[len(shared) :]

    def _permute_message(self, message: Message, to: tuple[str, ...]) -> Message:
        permuted: Message = renamed(self.messages[message[0]], message, self._names(to))
        return permuted

    # ------------------------------------------------------------------------------------------ the least

    def _text(self, state: State) -> tuple[object, ...]:
        """Another one for every state, with an order."""
        owns = tuple(self._text_of_own(self._own(state, i)) for i in range(len(state.up)))
        network = sorted((self._text_of_message(message), copies) for message, copies in state.network)
        return owns, _written(state.shared), _written(state.ghosts), network

    def _write_own(self, own: Own) -> str:
        return _written(own)

    def _write_message(self, message: Message) -> str:
        return _written(message)


def _all(sorts: list[Sort], values: tuple[Value, ...], names: Renaming) -> tuple[Value, ...]:
    return tuple(renamed(sort, value, names) for sort, value in zip(sorts, values, strict=True))


def _number(*parts: object) -> int:
    """A hash that is the same in every process."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "little")


def _written(value: object) -> str:
    """As ``repr``, with a set's members in order."""
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(_written, value)))}}}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_written, value))})"
    return repr(value)
