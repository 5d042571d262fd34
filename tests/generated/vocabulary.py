"""What a random spec talks about: its types, constants, processes, variables, messages and functions."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from spec.sorts import (
    BOOL,
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
    domain,
)
from spec.type_sorts import domain_size

COLOUR = EnumSort("Colour", ("Red", "Green", "Blue"))


@dataclass(frozen=True, slots=True)
class Word:
    """Something that can be written where a value of the sort is wanted."""

    text: str
    sort: Sort


@dataclass(frozen=True, slots=True)
class Declared:
    """A variable. ``storage``: durable, volatile, shared or ghost."""

    name: str
    sort: Sort
    storage: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of process, or one that is only a set (without variables)."""

    sort: AtomSort
    never_crashes: bool
    variables: tuple[Declared, ...]

    @property
    def has_storage(self) -> bool:
        return any(variable.storage == "durable" for variable in self.variables)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message: its fields, who sends it, who receives it."""

    name: str
    fields: tuple[tuple[str, Sort], ...]
    senders: tuple[Kind, ...]
    receiver: Kind

    @property
    def source(self) -> AtomSort | None:
        """The sort of the source, if one kind of process sends it."""
        return self.senders[0].sort if len(self.senders) == 1 else None


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    parameters: tuple[Word, ...]
    result: Sort


def sayable(sort: Sort) -> bool:
    """Whether a value can be written where no word is at hand: an element of a symmetric set has no name."""
    match sort:
        case AtomSort():
            return not sort.symmetric
        case MapSort(_, of):
            return sayable(of)
        case RecordSort(_, fields):
            return all(sayable(of) for _, of in fields)
    return True


def type_text(sort: Sort) -> str:
    """The type as the language writes it."""
    match sort:
        case BoolSort():
            return "bool"
        case IntSort(None):
            return "int"
        case IntSort(low, high, _, name):
            return name or f"{low}..{high}"
        case EnumSort(name) | AtomSort(name) | RecordSort(name) | MessageSort(name):
            return name
        case OptionalSort(of):
            return f"optional[{type_text(of)}]"
        case SetSort(of):
            return f"set[{type_text(of)}]"
        case SeqSort(of, capacity):
            return f"seq[{type_text(of)}, {capacity}]"
        case MapSort(key, of):
            return f"map[{type_text(key)}, {type_text(of)}]"


class Vocabulary:
    """The words of one spec, chosen by ``chance``."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.top = chance.randint(1, 3)
        self.items = self._set_constant("Item", ("i", "j", "l"), chance.randint(1, 3))
        small, place = IntSort(0, self.top, True, "Small"), IntSort(1, self.top + 1, True, "Place")
        self.ints = (small, small, place, IntSort(-2, 3, False, "Near"), IntSort(-1, 2), IntSort(0, 5))
        self.nodes = self._set_constant("Node", ("a", "b", "c"), chance.choice((1, 2, 2, 3)))
        clients = self._set_constant("Client", ("u", "v"), chance.randint(1, 2))
        self.clients = clients if chance.random() < 0.7 else None
        self.atoms = tuple(sort for sort in (self.items, self.nodes, self.clients) if sort is not None)
        scalars = self.scalars
        self.pair = RecordSort("Pair", (("left", chance.choice(self.ints)), ("right", chance.choice(scalars))))
        deep = (("pair", self.pair), ("on", BOOL), ("maybe", OptionalSort(chance.choice(scalars))))
        self.deep = RecordSort("Deep", deep)
        self._count = 0
        self.functions: list[Function] = []
        self.kinds = self._kinds()
        self.shared = self._variables(("shared",), chance.randint(1, 2))
        self.ghosts = self._variables(("ghost",), chance.randint(1, 2))
        self.letters = tuple(self._letter(f"M{i}") for i in range(chance.randint(1, 3)))

    def _set_constant(self, name: str, all_: tuple[str, ...], few: int) -> AtomSort:
        """Symmetric ones have an element more: what is alone has nothing to change places with."""
        symmetric = self.chance.random() < 0.4
        return AtomSort(name, all_[: few + symmetric], symmetric)

    @property
    def symmetric(self) -> tuple[AtomSort, ...]:
        return tuple(sort for sort in self.atoms if sort.symmetric)

    @property
    def scalars(self) -> tuple[Sort, ...]:
        return (BOOL, COLOUR, *self.ints, *self.atoms)

    def fresh(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    # ------------------------------------------------------------------------------------------- sorts

    def sort(self) -> Sort:
        """A sort for a variable, a field or a parameter of a function: one that is sayable."""
        while not sayable(found := self._sort()):
            pass
        return found

    def argument(self) -> Sort:
        """A sort for a field or a parameter that is given by who has such a value."""
        if self.symmetric and self.chance.random() < 0.2:
            return self.chance.choice(self.symmetric)
        return self.sort()

    def _sort(self) -> Sort:
        chance = self.chance
        element = chance.choice((*self.scalars, self.pair))
        if chance.random() < 0.15:
            return self._large()
        match chance.randrange(-1, 10):
            case -1 | 0 | 1:
                return chance.choice(self.scalars)
            case 2:
                return chance.choice((self.pair, self.deep))
            case 3:
                return OptionalSort(chance.choice((*self.scalars, self.pair, SeqSort(COLOUR, 2))))
            case 4 | 5:
                return SetSort(chance.choice((*self.scalars, self.pair, OptionalSort(self.items), SetSort(BOOL))))
            case 6 | 7:
                return SeqSort(chance.choice((element, OptionalSort(element))), chance.randint(1, 3))
        key = chance.choice((BOOL, COLOUR, *self.ints, *self.atoms, OptionalSort(self.items), self.key_record))
        value = chance.choice((*self.scalars, self.pair, OptionalSort(self.items), SetSort(COLOUR), SeqSort(BOOL, 2)))
        return MapSort(key, value)

    def _large(self) -> Sort:
        """A sort of collections of collections, or whose values take more bits than a word has."""
        pairs = SeqSort(self.pair, self.chance.randint(4, 6))
        flags = MapSort(BOOL, BOOL)
        sorts: tuple[Sort, ...] = (
            SetSort(IntSort(-3, 70)),
            SetSort(self.key_record),
            SetSort(flags),
            SetSort(SetSort(COLOUR)),
            SetSort(OptionalSort(self.key_record)),
            pairs,
            SeqSort(SetSort(self.items), 2),
            SeqSort(SeqSort(BOOL, 2), 2),
            SeqSort(self.deep, 2),
            OptionalSort(MapSort(COLOUR, IntSort(-2, 3, False, "Near"))),
            MapSort(COLOUR, SeqSort(self.pair, 3)),
            MapSort(self.nodes, MapSort(BOOL, self.pair)),
            MapSort(SetSort(BOOL), OptionalSort(COLOUR)),
            MapSort(self.key_record, self.deep),
            MapSort(flags, IntSort(0, 5)),
        )
        return self.chance.choice(sorts)

    @property
    def key_record(self) -> Sort:
        """The record, if it has few values."""
        size = domain_size(self.pair)
        return self.pair if size is not None and size <= 12 else BOOL

    def parameter(self) -> Sort:
        """A sort whose values an explorer chooses from: not many."""
        sorts: list[Sort] = [*self.scalars, self.pair, OptionalSort(self.items), SetSort(self.items)]
        return self.chance.choice([sort for sort in sorts if len(domain(sort)) <= 8])

    # ------------------------------------------------------------------------------------ declarations

    def _kinds(self) -> tuple[Kind, ...]:
        chance = self.chance
        storages = ("durable", "volatile") if chance.random() < 0.9 else ("volatile",)
        kinds = [Kind(self.nodes, False, self._variables(storages, chance.randint(3, 5), self.nodes))]
        if self.clients is not None:
            storages = ("volatile", "durable") if chance.random() < 0.4 else ("volatile",)
            kinds.append(Kind(self.clients, True, self._variables(storages, chance.randint(1, 3), self.clients)))
        return tuple(kinds)

    def _variables(self, storages: tuple[str, ...], count: int, own: AtomSort | None = None) -> tuple[Declared, ...]:
        """``own``: the kind of process that has them, which is a sort for some: `self` is there from the beginning."""
        found = []
        for i in range(count):
            storage = storages[i % len(storages)]
            sort = own if own is not None and self.chance.random() < 0.1 else self.sort()
            found.append(Declared(self.fresh(storage[0]), sort, storage))
        return tuple(found)

    def _letter(self, name: str) -> Letter:
        chance = self.chance
        fields = tuple((f"f{i}", self.argument()) for i in range(chance.randint(0, 2)))
        senders = tuple(kind for kind in self.kinds if chance.random() < 0.6) or self.kinds[:1]
        return Letter(name, fields, senders, chance.choice(self.kinds))
