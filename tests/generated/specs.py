"""A random spec as text: the seed decides everything, and the type checker has nothing to say against it."""

from __future__ import annotations

from dataclasses import replace
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
from tests.generated.expressions import Seen, Writer
from tests.generated.statements import Proc, Rule, Statements
from tests.generated.vocabulary import Declared, Function, Kind, Vocabulary, Word, type_text


def random_spec(seed: int) -> str:
    """The spec. A literal that the type checker sees to be out of range becomes a sum, which it does not compute."""
    text = _Spec(seed).text()
    for _ in range(4):
        wrong = [d for d in check_text(text, "random.spec") if d.code == "S314"]
        if not wrong:
            break
        lines = text.split("\n")
        for place in sorted((d.place for d in wrong), reverse=True):
            line, at = lines[place.line - 1], place.column - 1
            lines[place.line - 1] = f"{line[:at]}(0 + {line[at : at + place.width]}){line[at + place.width :]}"
        text = "\n".join(lines)
    return text


class _Spec:
    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.vocabulary = Vocabulary(self.chance)
        self.buffered = self.chance.random() < 0.6
        self.network = self.chance.choice(("bag", "bag", "fifo", "set"))
        self.labels: list[str] = []
        self.functions: list[Function] = []

    def text(self) -> str:
        functions = [line for _ in range(self.chance.randint(1, 3)) for line in self._function()]
        parts = [
            *self._types(),
            *functions,
            *(line for kind in self.vocabulary.kinds for line in self._process(kind)),
            *self._outside(),
            *self._properties(),
            *self._model(),
        ]
        return "\n".join(parts) + "\n"

    # ------------------------------------------------------------------------------------------- data

    def _types(self) -> list[str]:
        vocabulary, chance = self.vocabulary, self.chance
        kinds = [kind.sort.name for kind in vocabulary.kinds]
        features = [f for f in ("loss", "duplication") if chance.random() < 0.6 and self.network != "set"]
        with_ = " with " + ", ".join(features) if features else ""
        lines = [f"const {name}: set" for name in ("Item", *kinds)]
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

    def _variable(self, declared: Declared) -> str:
        return f"{declared.storage} {declared.name}: {type_text(declared.sort)} = {self._initial(declared.sort)}"

    def _initial(self, sort: Sort) -> str:
        """A constant."""
        chance = self.chance
        match sort:
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
        parameters = [Word(vocabulary.fresh("a"), vocabulary.sort()) for _ in range(chance.randint(1, 2))]
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
        lines = [self._variable(variable) for variable in kind.variables]
        procs: list[Proc] = []
        for _ in range(chance.randint(0, 1)):
            name, parameter, rule = vocabulary.fresh("proc"), Word(vocabulary.fresh("a"), vocabulary.sort()), Rule(kind)
            lines += self._rule(f"proc {name}({parameter.text}: {type_text(parameter.sort)}):", rule, (parameter,))
            procs.append(Proc(name, parameter.sort, rule.fsynced))
        for i in range(chance.randint(1, 3)):
            name = "retry" if kind.never_crashes and i == 0 and chance.random() < 0.6 else vocabulary.fresh("act")
            parameters = [Word(vocabulary.fresh("a"), vocabulary.parameter()) for _ in range(chance.randint(0, 2))]
            listed = ", ".join(f"{word.text}: {type_text(word.sort)}" for word in parameters)
            self.labels.append(name)
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
                self.labels.append(name)
                rule = Rule(kind, True, letter, procs=procs)
                lines += self._rule(f"on {letter.name} m as {name}:", rule, ())
        if letters and self.chance.random() < 0.4:
            name = self.vocabulary.fresh("got")
            self.labels.append(name)
            lines += self._rule(f"on any m as {name}:", Rule(kind, True), ())
        return lines

    def _talk(self, kind: Kind) -> list[str]:
        """Sends every message that the kind may send: so each has the sources that the vocabulary gives it."""
        lines: list[str] = []
        writer = Writer(self.vocabulary, self.chance, self._seen(kind))
        for letter in self.vocabulary.letters:
            if kind in letter.senders:
                name = self.vocabulary.fresh("talk")
                self.labels.append(name)
                values = ", ".join(f"{text}={writer.write(sort, 1)}" for text, sort in letter.fields)
                fsync = ["    fsync"] if self.chance.random() < 0.5 else []
                send = f"    send {letter.name}({values}) to peer"
                lines += [f"action {name}(peer: {letter.receiver.sort.name}):", *fsync, send]
        return lines

    def _outside(self) -> list[str]:
        lines = [self._variable(variable) for variable in (*self.vocabulary.shared, *self.vocabulary.ghosts)]
        if self.chance.random() < 0.6:
            name = self.vocabulary.fresh("act")
            self.labels.append(name)
            parameter = Word(self.vocabulary.fresh("a"), self.vocabulary.parameter())
            head = f"shared action {name}({parameter.text}: {type_text(parameter.sort)}):"
            lines += self._rule(head, Rule(None), (parameter,))
        return lines

    # --------------------------------------------------------------------------------------- properties

    def _observing(self, *, step: bool = False) -> Writer:
        vocabulary = self.vocabulary
        words = [Word(variable.name, variable.sort) for variable in (*vocabulary.shared, *vocabulary.ghosts)]
        labels = (*self.labels, "crash", "flush", "restart") if step else ()
        return Writer(
            vocabulary,
            self.chance,
            Seen(tuple(words), observes=True, step=labels, calls=tuple(self.functions)),
        )

    def _properties(self) -> list[str]:
        chance, lines = self.chance, []
        kinds = ["invariant", "invariant", "sometimes", "sometimes", "action invariant", "action invariant"]
        for i, kind in enumerate(kinds[: chance.randint(3, 6)] + kinds[-1:]):
            writer = self._observing(step=kind == "action invariant")
            body = writer.quantified(3) if chance.random() < 0.7 else writer.write(BOOL, 3)
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
            writer = self._observing()
            lines += ["    constraint tame:", f"        {writer.quantified(2)} or {writer.write(BOOL)}"]
        return lines


def _set(sort: AtomSort) -> str:
    return "{" + ", ".join(sort.elements) + "}"
