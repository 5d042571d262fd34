"""Random well-typed expressions, as text.

``exact``: the text has its type by itself, so that it may stand where nothing gives it one (`let`, `len(…)`, the first
of two operands); otherwise `{}`, `[]`, `none` and a T for an optional[T] may be written too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeAlias

from spec.sorts import (
    BOOL,
    INT,
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
)
from spec.type_sorts import domain_size, fits
from tests.generated.vocabulary import COLOUR, Function, Kind, Letter, Vocabulary, Word, type_text

RISK = 0.1
"""How often what may fail to evaluate is written without the test that makes it safe."""

Producer: TypeAlias = Callable[[], str | None]


class UnsayableError(Exception):
    """No word is at hand for an element of a symmetric set."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What an expression sees. ``observes``: what lies outside a process's memory. ``step``: `old` and `label`."""

    words: tuple[Word, ...] = ()
    letters: tuple[tuple[str, Letter | None], ...] = ()  # messages by name; None: of any type
    processes: tuple[tuple[str, Kind], ...] = ()  # processes by name, whose variables can be read
    observes: bool = False
    step: tuple[str, ...] = ()  # the labels there are
    calls: tuple[Function, ...] = ()
    names: bool = False  # elements of symmetric sets, too: in a model

    def with_word(self, text: str, sort: Sort) -> Seen:
        return replace(self, words=(*self.words, Word(text, sort)))


@dataclass(slots=True)
class Writer:
    """Writes expressions over a vocabulary."""

    vocabulary: Vocabulary
    chance: Random
    seen: Seen = field(default_factory=Seen)
    is_old: bool = False

    # ------------------------------------------------------------------------------------------ choices

    def risky(self) -> bool:
        return self.chance.random() < RISK

    def seeing(self, seen: Seen) -> Writer:
        return replace(self, seen=seen)

    def words(self, want: Sort) -> list[str]:
        """Words that fit without being made an optional."""
        return [word.text for word in self._all_words() if fits(word.sort, want)]

    def _all_words(self) -> list[Word]:
        found = list(self.seen.words)
        for process, kind in self.seen.processes:
            for variable in kind.variables:
                found.append(Word(f"{process}.{variable.name}", variable.sort))
                if variable.storage == "durable":
                    found.append(Word(f"disk({process}).{variable.name}", variable.sort))
        for name, letter in self.seen.letters:
            if letter is not None:
                found += [Word(f"{name}.{text}", sort) for text, sort in letter.fields]
                found.append(Word(f"{name}.destination", letter.receiver.sort))
                if letter.source is not None:
                    found.append(Word(f"{name}.source", letter.source))
        return found

    def write(self, want: Sort, depth: int = 2, *, exact: bool = False) -> str:
        """An expression of a sort. An int that a range is wanted for mostly lies within it. Raises UnsayableError."""
        if isinstance(want, IntSort) and want.low is not None and self.chance.random() < 0.65:
            return self._within(want, depth)
        if depth <= 0 or self.chance.random() < 0.2:
            return self._leaf(want, exact)
        producers = self._anything(want, depth, exact) + self._of(want, depth, exact)
        for producer in self.chance.sample(producers, len(producers)):
            try:
                text = producer()
            except UnsayableError:
                continue
            if text is not None:
                return text
        return self._leaf(want, exact)

    def _within(self, want: IntSort, depth: int) -> str:
        """An int that lies in the range, whatever is computed."""
        low, high = want.low or 0, want.high or 0
        words = [word.text for word in self._all_words() if isinstance(word.sort, IntSort) and word.sort == want]
        kind = self.chance.randrange(4)
        if kind == 0 and words:
            return self.chance.choice(words)
        if kind == 1 and depth > 0:
            return f"max({low}, min({high}, {self.write(INT, depth - 1)}))"
        if kind == 2 and depth > 0:
            return f"(({self.write(INT, depth - 1)}) mod {high - low + 1} + {low})"
        return str(self.chance.randint(low, high))

    def _leaf(self, want: Sort, exact: bool) -> str:
        words = self.words(want)
        if words and self.chance.random() < 0.8:
            return self.chance.choice(words)
        return self._look(want) or self.literal(want, exact=exact)

    def _look(self, want: Sort) -> str | None:
        """Something small that depends on the state."""
        words = self._all_words()
        if not words or not isinstance(want, BoolSort | IntSort) or self.chance.random() < 0.2:
            return None
        word = self.chance.choice(words)
        match word.sort, want:
            case SetSort(), IntSort(None):
                return f"size({word.text})"
            case SeqSort(), IntSort(None):
                return f"len({word.text})"
            case SetSort(IntSort() | EnumSort() as of), BoolSort():
                return f"({self.literal(of)} in {word.text})"
            case SeqSort() | SetSort(), BoolSort():
                return f"({word.text} != {self.literal(word.sort)})"
            case ((BoolSort() | IntSort() | EnumSort() | AtomSort() | OptionalSort()), BoolSort()):
                return f"({word.text} {self.chance.choice(('==', '!='))} {self.literal(word.sort)})"
        return None

    def sayable(self, sort: Sort) -> bool:
        """Whether a value can be written here."""
        match sort:
            case AtomSort():
                return not sort.symmetric or self.seen.names or bool(self.words(sort))
            case MapSort(_, of):
                return self.sayable(of)
            case RecordSort(_, fields):
                return all(self.sayable(of) for _, of in fields)
        return True

    def _size(self, of: Sort, least: int, most: int) -> int:
        """Of a collection: empty if its elements have no name."""
        return self.chance.randint(least, most) if least or self.sayable(of) else 0

    def literal(self, want: Sort, *, exact: bool = False) -> str:
        """A constant, as far as its elements have names. Raises UnsayableError."""
        chance = self.chance
        match want:
            case AtomSort() if want.symmetric and not self.seen.names:
                words = self.words(want)
                if not words:
                    raise UnsayableError(want.name)
                return chance.choice(words)
            case BoolSort():
                return chance.choice(("true", "false", "flag"))
            case IntSort(low, high):
                return str(chance.randint(-1, 3)) if low is None or high is None else str(chance.randint(low, high))
            case EnumSort(_, members) | AtomSort(_, members):
                return chance.choice(members)
            case OptionalSort(of):
                if exact:
                    return f"(if {self.write(BOOL, 0)} then {self.literal(of, exact=True)} else none)"
                return "none" if chance.random() < 0.5 or not self.sayable(of) else self.literal(of, exact=True)
            case SetSort(AtomSort() as of) if exact and not self.sayable(of):
                return of.name
            case SetSort(of):
                size = self._size(of, 1 if exact else 0, 2)
                return "{" + ", ".join(self.literal(of, exact=exact) for _ in range(size)) + "}"
            case SeqSort(of, capacity):
                size = self._size(of, 1 if exact else 0, min(2, 2 if capacity is None else capacity))
                return "[" + ", ".join(self.literal(of, exact=exact) for _ in range(size)) + "]"
            case MapSort(key, of):
                return "{k: " + self.literal(of, exact=exact) + f" for k in {type_text(key)}}}"
            case RecordSort(name, fields):
                return name + "(" + ", ".join(f"{text}={self.literal(sort)}" for text, sort in fields) + ")"
            case MessageSort():
                raise AssertionError("a message has no literal")

    # ------------------------------------------------------------------------------- whatever the sort

    def _anything(self, want: Sort, depth: int, exact: bool) -> list[Producer]:
        found: list[Producer] = [
            lambda: self._conditional(want, depth),
            lambda: self._field(want, depth),
            lambda: self._at_key(want, depth),
            lambda: self._at_index(want, depth),
            lambda: self._call(want, depth),
        ]
        if not isinstance(want, OptionalSort):
            found.append(lambda: self._unwrapped(want))
        if self.seen.step and not self.is_old:
            found += [lambda: self._old(want, depth)] * 3
        return found

    def _conditional(self, want: Sort, depth: int) -> str:
        then, otherwise = self.write(want, depth - 1, exact=True), self.write(want, depth - 1, exact=True)
        return f"(if {self.write(BOOL, depth - 1)} then {then} else {otherwise})"

    def _field(self, want: Sort, depth: int) -> str | None:
        records = [self.vocabulary.pair, self.vocabulary.deep]
        fields = [(r, text) for r in records for text, sort in r.fields if fits(sort, want)]
        if not fields:
            return None
        record, text = self.chance.choice(fields)
        return f"{self.write(record, depth - 1, exact=True)}.{text}"

    def _at_key(self, want: Sort, depth: int) -> str | None:
        found = [w for w in self._all_words() if isinstance(w.sort, MapSort) and fits(w.sort.value, want)]
        if not found:
            return None
        word = self.chance.choice(found)
        assert isinstance(word.sort, MapSort)
        return f"{word.text}[{self.key(word.sort.key, depth - 1)}]"

    def key(self, sort: Sort, depth: int) -> str:
        """A map's key: mostly one that there is."""
        if isinstance(sort, IntSort) and not self.risky():
            return self._within(sort, depth)
        return self.write(sort, 0 if isinstance(sort, RecordSort) and not self.risky() else depth)

    def _at_index(self, want: Sort, depth: int) -> str | None:
        found = [w for w in self._all_words() if isinstance(w.sort, SeqSort) and fits(w.sort.of, want)]
        if not found:
            return None
        text, at = self.chance.choice(found).text, self.chance.choice(("1", "2"))
        if self.risky():
            return f"{text}[{self.write(INT, depth - 1)}]"
        at = self.chance.choice((at, f"len({text})"))
        least = at if at.isdigit() else "1"
        return f"(if len({text}) >= {least} then {text}[{at}] else {self._leaf(want, True)})"

    def _call(self, want: Sort, depth: int) -> str | None:
        found = [function for function in self.seen.calls if fits(function.result, want)]
        if not found:
            return None
        function = self.chance.choice(found)
        arguments = []
        for parameter in function.parameters:
            if isinstance(parameter.sort, MessageSort):
                letters = [name for name, letter in self.seen.letters if letter and letter.name == parameter.sort.name]
                if not letters:
                    return None
                arguments.append(letters[0])
            elif isinstance(parameter.sort, IntSort) and parameter.sort.low is not None and not self.risky():
                arguments.append(self._within(parameter.sort, depth - 1))
            else:
                arguments.append(self.write(parameter.sort, depth - 1))
        return f"{function.name}({', '.join(arguments)})"

    def _unwrapped(self, want: Sort) -> str | None:
        found = [w.text for w in self._all_words() if isinstance(w.sort, OptionalSort) and fits(w.sort.of, want)]
        if not found:
            return None
        text = self.chance.choice(found)
        if self.risky():
            return f"the({text})"
        return f"(if {text} != none then the({text}) else {self._leaf(want, True)})"

    def _old(self, want: Sort, depth: int) -> str:
        return f"old({replace(self, is_old=True).write(want, depth, exact=True)})"

    # -------------------------------------------------------------------------------------- by the sort

    def _of(self, want: Sort, depth: int, exact: bool) -> list[Producer]:
        match want:
            case BoolSort():
                return self._bool(depth) * 2
            case IntSort():
                return self._int(depth) * 2
            case OptionalSort(of):
                return [] if exact else [lambda: self.write(of, depth - 1, exact=True), lambda: "none"]
            case SetSort(of):
                return self._set(of, depth, exact) * 2
            case SeqSort():
                return self._seq(want, depth, exact) * 2
            case MapSort(key, of):
                return [lambda: self._map(key, of, depth, exact)] * 4
            case RecordSort():
                return [lambda: self._record(want, depth)] * 3
        return []

    def _bool(self, depth: int) -> list[Producer]:
        found: list[Producer] = [
            lambda: self._comparison(depth),
            lambda: self._equality(depth),
            lambda: self._equality(depth),
            lambda: self._logic(depth),
            lambda: self._logic(depth),
            lambda: f"not {self.write(BOOL, depth - 1)}",
            lambda: self._membership(depth),
            lambda: self._subset(depth),
            lambda: self.quantified(depth),
            lambda: self._source_is(),
        ]
        if self.seen.observes:
            found += [lambda: self._process_is("up({})"), lambda: self._waits()]
        if self.seen.step:
            found += [lambda: f"(label {self.chance.choice(('==', '!='))} {self.chance.choice(self.seen.step)})"] * 2
        return [lambda p=p: None if (text := p()) is None else f"({text})" for p in found]  # type: ignore[misc]

    def _comparison(self, depth: int) -> str:
        operator = self.chance.choice(("<", "<=", ">", ">=", "==", "!="))
        return f"{self.write(INT, depth - 1)} {operator} {self.write(INT, depth - 1)}"

    def _equality(self, depth: int) -> str:
        words = self._all_words()
        sort = self.chance.choice(words).sort if words else COLOUR
        left, right = self.write(sort, depth - 1, exact=True), self.write(sort, depth - 1)
        return f"{left} {self.chance.choice(('==', '!='))} {right}"

    def _logic(self, depth: int) -> str:
        operator = self.chance.choice(("and", "or", "=>"))
        return f"{self.write(BOOL, depth - 1)} {operator} {self.write(BOOL, depth - 1)}"

    def _membership(self, depth: int) -> str:
        chance, negated = self.chance, self.chance.choice(("in", "in", "not in"))
        if chance.random() < 0.3:
            return f"{self.write(INT, depth - 1)} {negated} {self.range(depth - 1)}"
        of = chance.choice((*self.vocabulary.scalars, self.vocabulary.pair, OptionalSort(self.vocabulary.items)))
        element = self.write(of, depth - 1, exact=True)
        return f"{element} {negated} {self.write(SetSort(of), depth - 1, exact=True)}"

    def _subset(self, depth: int) -> str:
        of = SetSort(self.chance.choice(self.vocabulary.scalars))
        return f"{self.write(of, depth - 1, exact=True)} subset {self.write(of, depth - 1)}"

    def _source_is(self) -> str | None:
        """Of a message that several kinds of process send, too."""
        if not self.seen.letters:
            return None
        name, _ = self.chance.choice(self.seen.letters)
        kind = self.chance.choice(self.vocabulary.kinds)
        letter = dict(self.seen.letters)[name]
        if letter is None and name == "m":  # a handler's, of any type: the sources may be of different kinds
            return f"{name}.destination == self"
        if letter is not None and kind not in letter.senders:
            kind = letter.senders[0]
        return f"{name}.source == {self.write(kind.sort, 0)}"

    def _process_is(self, form: str) -> str:
        return form.format(self.write(self.chance.choice(self.vocabulary.kinds).sort, 1, exact=True))

    def _waits(self) -> str | None:
        found = [(name, letter) for name, letter in self.seen.letters if letter is not None]
        if not found:
            return None
        name, letter = self.chance.choice(found)
        if self.chance.random() < 0.4:
            return f"{name} in network({letter.name})"
        return f"{name} in outbox({self.write(self.chance.choice(letter.senders).sort, 0)}, {letter.name})"

    def quantified(self, depth: int) -> str:
        text, seen, name = self.domain(depth - 1)
        body = self.seeing(seen).write(BOOL, depth - 1)
        return f"{self.chance.choice(('forall', 'exists'))} {name} in {text}: {body}"

    def _int(self, depth: int) -> list[Producer]:
        chance = self.chance
        found: list[Producer] = [
            lambda: f"({self.write(INT, depth - 1)} {chance.choice('+-')} {self.write(INT, depth - 1)})",
            lambda: f"({self.write(INT, depth - 1)} {chance.choice('+-')} {self.write(INT, depth - 1)})",
            lambda: f"({self.write(INT, 0)} * {self.write(INT, 0)})",
            lambda: f"({self.write(INT, depth - 1)} {chance.choice(('div', 'mod'))} {self._divisor(depth)})",
            lambda: f"{chance.choice(('min', 'max'))}({self.write(INT, depth - 1)}, {self.write(INT, depth - 1)})",
            lambda: f"(-{self.write(INT, depth - 1)})",
            lambda: f"len({self.write(SeqSort(chance.choice(self.vocabulary.scalars), 2), depth - 1, exact=True)})",
            lambda: f"size({self.write(SetSort(chance.choice(self.vocabulary.scalars)), depth - 1, exact=True)})",
            lambda: self.range_size(depth - 1),
            lambda: self._extreme(depth),
        ]
        if self.seen.observes:
            found += [
                lambda: self._process_is("len(pending({}))"),
                lambda: self._process_is("size(outbox({}))"),
                lambda: "size(network)",
                lambda: f"size(network({chance.choice(self.vocabulary.letters).name}))",
            ]
        return found

    def _divisor(self, depth: int) -> str:
        if self.risky():
            return self.write(INT, depth - 1)
        return self.chance.choice(("2", "3", "(-2)", f"(1 + max(0, {self.write(INT, 0)}))"))

    def _extreme(self, depth: int) -> str:
        function = self.chance.choice(("minimum", "maximum"))
        of = self.write(SetSort(self.chance.choice(self.vocabulary.ints)), depth - 1, exact=True)
        return f"{function}({of})" if self.risky() else f"{function}({of} + {{{self.write(INT, 0)}}})"

    def range_size(self, depth: int) -> str:
        """A number that is surely not negative."""
        return f"size({self.range(depth)})"

    def range(self, depth: int) -> str:
        low = str(self.chance.randint(-1, 2)) if self.chance.random() < 0.7 else self.write(INT, depth)
        return f"({low}..{self._small(depth)})"

    def _small(self, depth: int) -> str:
        return self._within(IntSort(0, 4), depth) if self.chance.random() < 0.7 else self.write(INT, 0)

    def _set(self, of: Sort, depth: int, exact: bool) -> list[Producer]:
        chance, want = self.chance, SetSort(of)
        size = chance.randint(1 if exact else 0, 3)
        found: list[Producer] = [
            lambda: "{" + ", ".join(self.write(of, depth - 1, exact=exact) for _ in range(size)) + "}",
            lambda: self._comprehension(of, depth),
            lambda: self._set_operation(want, depth),
            lambda: self._set_operation(want, depth),
        ]
        if isinstance(of, IntSort):
            found.append(lambda: self.range(depth - 1))
        if isinstance(of, EnumSort | AtomSort):
            found.append(lambda: of.name)
        return found

    def _comprehension(self, of: Sort, depth: int) -> str:
        text, seen, name = self.domain(depth - 1)
        inner = self.seeing(seen)
        value = inner.write(of, depth - 1, exact=True)
        condition = f" if {inner.write(BOOL, depth - 1)}" if self.chance.random() < 0.6 else ""
        return f"{{{value} for {name} in {text}{condition}}}"

    def _set_operation(self, want: Sort, depth: int) -> str:
        left, right = self.write(want, depth - 1, exact=True), self.write(want, depth - 1, exact=True)
        return f"({left} {self.chance.choice(('+', '-', '&'))} {right})"

    def _seq(self, want: SeqSort, depth: int, exact: bool) -> list[Producer]:
        of = want.of
        return [
            lambda: "[" + self.write(of, depth - 1, exact=exact) + "]",
            lambda: f"append({self.write(want, depth - 1, exact=True)}, {self.write(of, depth - 1)})",
            lambda: f"({self.write(want, depth - 1, exact=True)} + {self.write(want, depth - 1, exact=True)})",
            lambda: self._slice(want, depth),
            lambda: self._slice(want, depth),
        ]

    def _slice(self, want: SeqSort, depth: int) -> str | None:
        words = self.words(want)
        if not words:
            return None
        text = self.chance.choice(words)
        if self.risky():
            return f"{text}[{self.write(INT, depth - 1)}..{self.write(INT, depth - 1)}]"
        return f"{text}[{self.chance.choice(('1..min(1, len({0}))', '2..len({0})', '1..len({0}) - 1')).format(text)}]"

    def _map(self, key: Sort, of: Sort, depth: int, exact: bool) -> str:
        name = self.vocabulary.fresh("k")
        inner = self.seeing(self.seen.with_word(name, key))
        return f"{{{name}: {inner.write(of, depth - 1, exact=exact)} for {name} in {type_text(key)}}}"

    def _record(self, want: RecordSort, depth: int) -> str:
        values = [f"{text}={self.write(sort, depth - 1)}" for text, sort in want.fields]
        return f"{want.name}({', '.join(values)})"

    # ---------------------------------------------------------------------------------------- domains

    def domain(self, depth: int) -> tuple[str, Seen, str]:
        """A set to range over, what is seen inside, and the name of the element."""
        name, chance, vocabulary = self.vocabulary.fresh("x"), self.chance, self.vocabulary
        if self.seen.observes and chance.random() < 0.3:
            return self._messages(name)
        if self.seen.observes and chance.random() < 0.5:
            kind = chance.choice(vocabulary.kinds)
            seen = self.seen.with_word(name, kind.sort)
            return kind.sort.name, replace(seen, processes=(*seen.processes, (name, kind))), name
        named: list[Sort] = [COLOUR, *vocabulary.atoms, *(s for s in vocabulary.ints if s.name is not None)]
        if (domain_size(vocabulary.pair) or 99) <= 24:
            named.append(vocabulary.pair)
        sets = [w for w in self._all_words() if isinstance(w.sort, SetSort)]
        seqs = [w for w in self._all_words() if isinstance(w.sort, SeqSort)]
        match chance.randrange(5):
            case 0 if sets:
                word = chance.choice(sets)
                assert isinstance(word.sort, SetSort)
                return word.text, self.seen.with_word(name, word.sort.of), name
            case 1 if seqs:
                return f"1..len({chance.choice(seqs).text})", self.seen.with_word(name, IntSort(1, 9)), name
            case 2:
                return self.range(depth), self.seen.with_word(name, INT), name
            case 3:
                of = chance.choice((*vocabulary.scalars, OptionalSort(vocabulary.items)))
                return self.write(SetSort(of), depth, exact=True), self.seen.with_word(name, of), name
        sort = chance.choice(named)
        return type_text(sort), self.seen.with_word(name, sort), name

    def _messages(self, name: str) -> tuple[str, Seen, str]:
        letter = self.chance.choice(self.vocabulary.letters)
        sender = self.write(self.chance.choice(letter.senders).sort, 0)
        text, found = self.chance.choice(
            (
                (f"network({letter.name})", letter),
                (f"network({letter.name})", letter),
                (f"outbox({sender}, {letter.name})", letter),
                (f"outbox({sender})", None),
            )
        )
        return text, replace(self.seen, letters=(*self.seen.letters, (name, found))), name
