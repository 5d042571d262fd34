"""A random spec as text: the seed decides everything, and the type checker has nothing to say against it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from random import Random

from spec.load import check_text
from spec.sorts import (
    BOOL,
    AtomSort,
    BoolSort,
    EnumSort,
    IntSort,
    MapSort,
    OptionalSort,
    RecordSort,
    SeqSort,
    SetSort,
    Sort,
)
from spec.sorts import MessageSort as Letters
from spec.system import System
from tests.checker.symbolic_systems import of_text
from tests.generated.expressions import Seen, UnsayableError, Writer
from tests.generated.macros import Macro, Named
from tests.generated.statements import Proc, Rule, Statements
from tests.generated.vocabulary import Declared, Function, Kind, Vocabulary, Word, sayable, type_text


def random_spec(seed: int) -> str:
    """The spec. A literal that the type checker sees to be out of range becomes a sum, which it does not compute; what
    may not stand in a loop over a symmetric set is left out."""
    text = _Spec(seed).text()
    for _ in range(6):
        wrong = [d for d in check_text(text, "random.spec") if d.code in ("S314", "S410")]
        if not wrong:
            break
        lines = text.split("\n")
        for code, place in sorted(((d.code, d.place) for d in wrong), key=lambda each: each[1], reverse=True):
            line, at = lines[place.line - 1], place.column - 1
            if code == "S410":
                line = " " * (len(line) - len(line.lstrip())) + "skip"
            else:
                line = f"{line[:at]}(0 + {line[at : at + place.width]}){line[at + place.width :]}"
            lines[place.line - 1] = line
        text = "\n".join(lines)
    return text


@cache
def random_system(seed: int) -> System:
    return of_text(random_spec(seed))


@contextmanager
def shown(seed: int) -> Iterator[None]:
    """What goes wrong with a seed's spec goes wrong with the seed and the spec printed."""
    try:
        yield
    except Exception:
        print(f"seed {seed}:\n{random_spec(seed)}")
        raise


class _Spec:
    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.vocabulary = Vocabulary(self.chance)
        self.buffered = self.chance.random() < 0.6
        self.network = self.chance.choice(("bag", "bag", "fifo", "set"))
        self.labels: list[str] = []
        self.rules: list[Named] = []
        self.functions: list[Function] = []

    def text(self) -> str:
        functions = [line for _ in range(self.chance.randint(1, 3)) for line in self._function()]
        parts = [
            *self._types(),
            *functions,
            *(line for kind in self.vocabulary.kinds for line in self._process(kind)),
            *self._outside(),
            *self._properties(),
            *(line for i in range(self.chance.choice((0, 2, 3))) for line in self._macro(f"macro{i}")),
            *self._model(),
        ]
        return "\n".join(parts) + "\n"

    # ------------------------------------------------------------------------------------------- data

    def _types(self) -> list[str]:
        vocabulary, chance = self.vocabulary, self.chance
        features = [f for f in ("loss", "duplication") if chance.random() < 0.6 and self.network != "set"]
        with_ = " with " + ", ".join(features) if features else ""
        sets = (vocabulary.items, *(kind.sort for kind in vocabulary.kinds))
        lines = [f"const {sort.name}: set{' symmetric' if sort.symmetric else ''}" for sort in sets]
        lines += ["const top: int", "const flag: bool"]
        lines += ["type Small = 0..top", "type Place = 1..top + 1", "type Near = -2..3"]
        lines += ["enum Colour = Red | Green | Blue"]
        for record in (vocabulary.pair, vocabulary.deep):
            lines += [f"record {record.name}:", *(f"    {name}: {type_text(sort)}" for name, sort in record.fields)]
        for letter in vocabulary.letters:
            lines += [f"message {letter.name}:", *(f"    {name}: {type_text(sort)}" for name, sort in letter.fields)]
        lines.append(f"network {self.network}{with_}")
        self.features = features
        return lines

    def _variable(self, declared: Declared, own: AtomSort | None = None) -> str:
        """``own``: of the process that has it, if one has it."""
        chance, sort = self.chance, declared.sort
        initial = "self" if sort == own and (own.symmetric or chance.random() < 0.5) else self._initial(sort)
        return f"{declared.storage} {declared.name}: {type_text(sort)} = {initial}"

    def _initial(self, sort: Sort) -> str:
        """A constant."""
        chance = self.chance
        match sort:
            case OptionalSort(of) if not sayable(of):
                return "none"
            case SetSort(of) if not sayable(of):
                return chance.choice(("{}", of.name)) if isinstance(of, AtomSort) else "{}"
            case SeqSort(of) if not sayable(of):
                return "[]"
            case BoolSort():
                return chance.choice(("true", "false"))
            case IntSort(low, high):
                return str(chance.randint(low or 0, high or 0))
            case EnumSort(_, members) | AtomSort(_, members):
                return chance.choice(members)
            case OptionalSort(of):
                return "none" if isinstance(of, SeqSort) else chance.choice(("none", self._initial(of)))
            case SetSort(of):
                return "{" + ", ".join(self._initial(of) for _ in range(chance.randint(0, 2))) + "}"
            case SeqSort(of, capacity):
                return "[" + ", ".join(self._initial(of) for _ in range(chance.randint(0, capacity or 0))) + "]"
            case MapSort(key, of):
                return f"{{k: {self._initial(of)} for k in {type_text(key)}}}"
            case RecordSort(name, fields):
                return name + "(" + ", ".join(f"{text}={self._initial(of)}" for text, of in fields) + ")"
        raise AssertionError(f"no value of {sort} is stored")

    def _function(self) -> list[str]:
        chance, vocabulary = self.chance, self.vocabulary
        name = vocabulary.fresh("f")
        parameters = [Word(vocabulary.fresh("a"), vocabulary.argument()) for _ in range(chance.randint(1, 2))]
        seen = Seen(tuple(parameters), calls=tuple(self.functions))
        if chance.random() < 0.3:
            letter = chance.choice(vocabulary.letters)
            nobody = AtomSort("", ())
            parameters.append(Word("m", Letters(letter.name, nobody, nobody, ())))
            seen = replace(seen, letters=(("m", letter),))
        result = chance.choice((BOOL, *vocabulary.ints, vocabulary.sort()))
        body = Writer(vocabulary, chance, seen).write(result, 3)
        self.functions.append(Function(name, tuple(parameters), result))
        listed = ", ".join(f"{word.text}: {type_text(word.sort)}" for word in parameters)
        return [f"fun {name}({listed}) -> {type_text(result)}:", f"    {body}"]

    # -------------------------------------------------------------------------------------------- rules

    def _seen(self, kind: Kind | None) -> Seen:
        own = () if kind is None else kind.variables
        words = [Word(variable.name, variable.sort) for variable in (*own, *self.vocabulary.shared)]
        if kind is not None:
            words.append(Word("self", kind.sort))
        return Seen(tuple(words), calls=tuple(self.functions))

    def _process(self, kind: Kind) -> list[str]:
        chance, vocabulary = self.chance, self.vocabulary
        head = f"process {kind.sort.name}{' never crashes' if kind.never_crashes else ''}:"
        lines = [self._variable(variable, kind.sort) for variable in kind.variables]
        procs: list[Proc] = []
        for _ in range(chance.randint(0, 1)):
            name, parameter, rule = vocabulary.fresh("proc"), Word(vocabulary.fresh("a"), vocabulary.sort()), Rule(kind)
            lines += self._rule(f"proc {name}({parameter.text}: {type_text(parameter.sort)}):", rule, (parameter,))
            procs.append(Proc(name, parameter.sort, rule.fsynced))
        for i in range(chance.randint(1, 3)):
            name = "retry" if kind.never_crashes and i == 0 and chance.random() < 0.6 else vocabulary.fresh("act")
            parameters = [Word(vocabulary.fresh("a"), vocabulary.parameter()) for _ in range(chance.randint(0, 2))]
            listed = ", ".join(f"{word.text}: {type_text(word.sort)}" for word in parameters)
            self._is_there(Named(name, kind, tuple(parameters)))
            lines += self._rule(f"action {name}({listed}):", Rule(kind, procs=tuple(procs)), tuple(parameters))
        lines += self._handlers(kind, tuple(procs))
        lines += self._talk(kind)
        if kind.has_storage and chance.random() < 0.7:
            lines += self._rule("on flush:", Rule(kind, flush=True), ())
        return [head, *("    " + line for line in lines)]

    def _rule(self, head: str, rule: Rule, parameters: tuple[Word, ...]) -> list[str]:
        seen = self._seen(rule.kind)
        seen = replace(seen, words=(*seen.words, *parameters, *parameters))
        if rule.handles:
            seen = replace(seen, letters=(("m", rule.letter),))
        statements = Statements(Writer(self.vocabulary, self.chance, seen), rule)
        return [head, *("    " + line for line in statements.block(self.chance.randint(2, 5), 2))]

    def _handlers(self, kind: Kind, procs: tuple[Proc, ...]) -> list[str]:
        lines: list[str] = []
        letters = [letter for letter in self.vocabulary.letters if letter.receiver is kind]
        for letter in letters:
            for _ in range(self.chance.choice((1, 1, 2))):
                name = self.vocabulary.fresh("got")
                self._is_there(Named(name, kind, letter=letter))
                rule = Rule(kind, True, letter, procs=procs)
                lines += self._rule(f"on {letter.name} m as {name}:", rule, ())
        if letters and self.chance.random() < 0.4:
            name = self.vocabulary.fresh("got")
            self._is_there(Named(name, kind, several=True))
            lines += self._rule(f"on any m as {name}:", Rule(kind, True), ())
        return lines

    def _talk(self, kind: Kind) -> list[str]:
        """Sends every message that the kind may send: so each has the sources that the vocabulary gives it."""
        lines: list[str] = []
        writer = Writer(self.vocabulary, self.chance, self._seen(kind))
        for letter in self.vocabulary.letters:
            if kind in letter.senders:
                name = self.vocabulary.fresh("talk")
                given = {text: sort for text, sort in letter.fields if not sayable(sort)}
                words = (Word("peer", letter.receiver.sort), *(Word(f"for_{text}", s) for text, s in given.items()))
                self._is_there(Named(name, kind, words))
                values = ", ".join(
                    f"{text}=for_{text}" if text in given else f"{text}={writer.write(sort, 1)}"
                    for text, sort in letter.fields
                )
                fsync = ["    fsync"] if self.chance.random() < 0.5 else []
                listed = ", ".join(f"{word.text}: {type_text(word.sort)}" for word in words)
                lines += [f"action {name}({listed}):", *fsync, f"    send {letter.name}({values}) to peer"]
        return lines

    def _outside(self) -> list[str]:
        lines = [self._variable(variable) for variable in (*self.vocabulary.shared, *self.vocabulary.ghosts)]
        if self.chance.random() < 0.6:
            name = self.vocabulary.fresh("act")
            parameter = Word(self.vocabulary.fresh("a"), self.vocabulary.parameter())
            self._is_there(Named(name, None, (parameter,)))
            head = f"shared action {name}({parameter.text}: {type_text(parameter.sort)}):"
            lines += self._rule(head, Rule(None), (parameter,))
        return lines

    def _is_there(self, rule: Named) -> None:
        self.labels.append(rule.name)
        self.rules.append(rule)

    def _macro(self, name: str) -> list[str]:
        return Macro(self.vocabulary, self.chance, self.rules, self.features).lines(name)

    # --------------------------------------------------------------------------------------- properties

    def _observing(self, *, step: bool = False, names: bool = False) -> Writer:
        vocabulary = self.vocabulary
        words = [Word(variable.name, variable.sort) for variable in (*vocabulary.shared, *vocabulary.ghosts)]
        labels = (*self.labels, "crash", "flush", "restart") if step else ()
        return Writer(
            vocabulary,
            self.chance,
            Seen(tuple(words), observes=True, step=labels, calls=tuple(self.functions), names=names),
        )

    def _properties(self) -> list[str]:
        chance, lines = self.chance, []
        kinds = ["invariant", "invariant", "sometimes", "sometimes", "action invariant", "action invariant"]
        for i, kind in enumerate(kinds[: chance.randint(3, 6)] + kinds[-1:]):
            writer = self._observing(step=kind == "action invariant")
            body = self._quantified(writer, 3) if chance.random() < 0.7 else writer.write(BOOL, 3)
            lines += [f"{kind} p{i}:", f"    {body}"]
        return lines

    def _model(self) -> list[str]:
        chance, vocabulary = self.chance, self.vocabulary
        lines = ["model m:", f"    Item = {_set(vocabulary.items)}"]
        lines += [f"    {kind.sort.name} = {_set(kind.sort)}" for kind in vocabulary.kinds]
        lines += [f"    top = {vocabulary.top}", f"    flag = {chance.choice(('true', 'false'))}"]
        lines.append(f"    storage = {'buffered' if self.buffered else 'atomic'}")
        bounds = {
            "max_crashes": (0.85, 1, 3),
            "max_drops": (0.5 if "loss" in self.features else 0, 0, 2),
            "max_duplicates": (0.5 if "duplication" in self.features else 0, 0, 2),
            "max_retries": (0.5 if "retry" in self.labels else 0, 0, 2),
            "max_in_flight": (0.7, 1, 5),
            "max_copies": (0.4, 1, 3),
            "max_pending": (0.5 if self.buffered else 0, 1, 3),
        }
        for name, (likely, least, most) in bounds.items():
            if chance.random() < likely:
                lines.append(f"    {name} = {chance.randint(least, most)}")
        if chance.random() < 0.4:
            writer = self._observing(names=chance.random() < 0.3)
            lines += ["    constraint tame:", f"        {self._quantified(writer, 2)} or {writer.write(BOOL)}"]
        if vocabulary.symmetric and chance.random() < 0.2:
            sort = chance.choice(vocabulary.symmetric)
            lines += ["    constraint apart:", f"        {self._named(sort)} or {self._observing().write(BOOL)}"]
        return lines

    def _named(self, sort: AtomSort) -> str:
        """What tells an element of a symmetric set from the others, as only a model can."""
        element = self.chance.choice(sort.elements)
        if sort is self.vocabulary.items:
            return f"(forall p in Node: {element} not in {sort.name} - {{{element}}})"
        return f"up({element})"

    def _quantified(self, writer: Writer, depth: int) -> str:
        while True:
            try:
                return writer.quantified(depth)
            except UnsayableError:
                continue


def _set(sort: AtomSort) -> str:
    return "{" + ", ".join(sort.elements) + "}"
