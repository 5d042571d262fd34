"""Random well-typed statements, as indented lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from spec.sorts import BOOL, INT, BoolSort, IntSort, MapSort, RecordSort, SeqSort, SetSort, Sort
from spec.type_loops import is_symmetric
from tests.generated.expressions import Seen, UnsayableError, Writer
from tests.generated.vocabulary import Declared, Kind, Letter, Word


@dataclass(frozen=True, slots=True)
class Proc:
    name: str
    parameter: Sort
    fsyncs: bool


@dataclass(slots=True)
class Rule:
    """Whose statements are written. ``letter``: of a handler's message; ``any``: a handler of every message.
    ``fsynced``: an fsync stands somewhere above, so that nothing durable may be written any more."""

    kind: Kind | None
    handles: bool = False
    letter: Letter | None = None
    flush: bool = False
    procs: tuple[Proc, ...] = ()
    fsynced: bool = False
    loops: int = 0


class Statements:
    """Writes the blocks of one rule."""

    def __init__(self, writer: Writer, rule: Rule) -> None:
        self.writer, self.rule = writer, rule
        self.chance, self.vocabulary = writer.chance, writer.vocabulary

    def block(self, size: int, depth: int, writer: Writer | None = None) -> list[str]:
        """At least one statement; names bound in it are seen by those after it."""
        writer = self.writer if writer is None else writer
        lines: list[str] = []
        for _ in range(size):
            more, writer, ended = self._statement(depth, writer)
            lines += more
            if ended:
                break
        return lines or ["skip"]

    def _statement(self, depth: int, writer: Writer) -> tuple[list[str], Writer, bool]:
        chance, rule = self.chance, self.rule
        kinds = ["assign"] * 6 + ["ghost", "let", "event", "at"]
        if depth > 0:
            kinds += ["if"] * 3 + ["for"] * 2
        if not rule.flush:
            kinds.append("require")
        if rule.kind is not None:
            kinds += ["send"] * 2 + ["record"]
            if not rule.flush and (rule.fsynced or not rule.loops):
                kinds += ["fsync"] * 2
        if rule.handles:
            kinds += ["keep"] if not rule.loops else []
            kinds += ["ignore"] if depth < 2 and not rule.loops else []
        if rule.procs and not rule.fsynced and not rule.loops:
            kinds.append("call")
        kind = chance.choice(kinds)
        if kind == "ignore":
            return ["ignore"], writer, True
        try:
            if kind == "let":
                return *self._let(writer), False
            return self._of_kind(kind, depth, writer), writer, False
        except UnsayableError:
            return ["skip"], writer, False

    def _of_kind(self, kind: str, depth: int, writer: Writer) -> list[str]:
        lines: dict[str, Callable[[], list[str]]] = {
            "assign": lambda: self._assign(writer, ghost=False),
            "ghost": lambda: self._assign(writer, ghost=True),
            "event": lambda: self._event(writer),
            "at": lambda: ["at " + self.vocabulary.fresh("here") + ":", *_indented(self._assign(writer, ghost=False))],
            "if": lambda: self._if(depth, writer),
            "for": lambda: self._for(depth, writer),
            "require": lambda: [f"require {self._likely(writer)}"],
            "send": lambda: self._send(writer),
            "record": lambda: ["record"],
            "fsync": self._fsync,
            "keep": lambda: ["keep m"],
            "call": lambda: self._call(writer),
        }
        return lines[kind]()

    def _likely(self, writer: Writer) -> str:
        if self.chance.random() < 0.3:
            return writer.write(BOOL, 2)
        return f"{writer.write(BOOL, 1)} or {writer.write(BOOL, 2)}"

    def _let(self, writer: Writer) -> tuple[list[str], Writer]:
        sort, name = self.vocabulary.sort(), self.vocabulary.fresh("l")
        line = f"let {name} = {writer.write(sort, 2, exact=True)}"
        return [line], writer.seeing(writer.seen.with_word(name, sort))

    def _event(self, writer: Writer) -> list[str]:
        arguments = [writer.write(self.vocabulary.sort(), 1, exact=True) for _ in range(self.chance.randint(0, 2))]
        if self.rule.handles and self.chance.random() < 0.2:
            arguments.append("m")
        return [f"event seen({', '.join(arguments)})"]

    def _fsync(self) -> list[str]:
        self.rule.fsynced = True
        return ["fsync"]

    def _if(self, depth: int, writer: Writer) -> list[str]:
        chance = self.chance
        lines = [f"if {writer.write(BOOL, 2)}:", *_indented(self.block(chance.randint(1, 2), depth - 1, writer))]
        if chance.random() < 0.3:
            lines += [f"elif {writer.write(BOOL, 2)}:", *_indented(self.block(1, depth - 1, writer))]
        if chance.random() < 0.5:
            lines += ["else:", *_indented(self.block(chance.randint(1, 2), depth - 1, writer))]
        return lines

    def _for(self, depth: int, writer: Writer) -> list[str]:
        text, seen, name = self._domain(writer)
        element = seen.words[-1]
        if is_symmetric(element.sort):
            return [f"for {name} in {text}:", *_indented(self._rounds(element, writer.seeing(seen)))]
        self.rule.loops += 1
        body = self.block(self.chance.randint(1, 2), depth - 1, writer.seeing(seen))
        self.rule.loops -= 1
        return [f"for {name} in {text}:", *_indented(body)]

    def _domain(self, writer: Writer) -> tuple[str, Seen, str]:
        symmetric = self.vocabulary.symmetric
        if not symmetric or self.chance.random() < 0.5:
            return writer.domain(1)
        sort, name = self.chance.choice(symmetric), self.vocabulary.fresh("x")
        text = sort.name if self.chance.random() < 0.7 else writer.write(SetSort(sort), 1, exact=True)
        return text, writer.seen.with_word(name, sort), name

    # ------------------------------------------------------------------- loops in which no order is special

    def _rounds(self, element: Word, writer: Writer) -> list[str]:
        """What a loop over elements of symmetric sets may do: rounds that commute. What they write they read at the
        place of their own only, or to add to it."""
        chance = self.chance
        targets = self._targets(ghost=False)
        written = chance.sample(targets, min(len(targets), chance.randint(0, 2)))
        names = {target.name for target in written}
        words = tuple(word for word in writer.seen.words if word.text.split("[")[0].split(".")[0] not in names)
        writer = writer.seeing(replace(writer.seen, words=words))
        lines = [line for target in written for line in self._round(target, element, writer)]
        if self.rule.kind is not None and chance.random() < 0.4:
            lines += self._send_round(element, writer)
        if lines and chance.random() < 0.4:
            lines = [f"if {writer.write(BOOL, 2)}:", *_indented(lines)]
        return lines or ["skip"]

    def _round(self, target: Declared, element: Word, writer: Writer) -> list[str]:
        name, chance = target.name, self.chance
        match target.sort:
            case MapSort(key, of) if key == element.sort:
                place = f"{name}[{element.text}]"
                inner = writer.seeing(writer.seen.with_word(place, of))
                return [f"{place} := {inner.write(of, 2)}"]
            case SetSort():
                added = writer.write(target.sort, 2, exact=True)
                return [f"{name} := {name} {chance.choice('++-&')} {added}"]
            case IntSort():
                function = chance.choice(("min", "max"))
                sum_ = f"{name} + {writer.range_size(1)}"
                return [f"{name} := " + chance.choice((f"{function}({name}, {writer.write(INT, 1)})", sum_))]
            case BoolSort():
                return [f"{name} := {name} {chance.choice(('and', 'or'))} {writer.write(BOOL, 2)}"]
        outside = replace(writer.seen, words=tuple(word for word in writer.seen.words if word.text != element.text))
        return [f"{name} := {writer.seeing(outside).write(target.sort, 1)}"]  # the same in each round

    def _send_round(self, element: Word, writer: Writer) -> list[str]:
        assert self.rule.kind is not None
        letters = [letter for letter in self.vocabulary.letters if self.rule.kind in letter.senders]
        letters = [letter for letter in letters if letter.receiver.sort == element.sort]
        return self._sending(self.chance.choice(letters), writer, element.text) if letters else []

    # ------------------------------------------------------------------------------------------- calls

    def _call(self, writer: Writer) -> list[str]:
        proc = self.chance.choice(self.rule.procs)
        self.rule.fsynced |= proc.fsyncs
        return [f"{proc.name}({writer.key(proc.parameter, 1)})"]

    def _send(self, writer: Writer) -> list[str]:
        assert self.rule.kind is not None
        letters = [letter for letter in self.vocabulary.letters if self.rule.kind in letter.senders]
        if not letters:
            return ["skip"]
        letter = self.chance.choice(letters)
        source = self.rule.letter.source if self.rule.letter is not None else None
        if source is not None and source == letter.receiver.sort and self.chance.random() < 0.5:
            return self._sending(letter, writer, None)
        return self._sending(letter, writer, writer.write(letter.receiver.sort, 1, exact=True))

    def _sending(self, letter: Letter, writer: Writer, to: str | None) -> list[str]:
        values = ", ".join(f"{name}={writer.write(sort, 1)}" for name, sort in letter.fields)
        return [f"reply {letter.name}({values})" if to is None else f"send {letter.name}({values}) to {to}"]

    # -------------------------------------------------------------------------------------- assignments

    def _targets(self, *, ghost: bool) -> list[Declared]:
        if ghost:
            return list(self.vocabulary.ghosts)
        own = () if self.rule.kind is None else self.rule.kind.variables
        allowed = [v for v in own if v.storage == "volatile" or not self.rule.fsynced]
        return [*allowed, *allowed, *self.vocabulary.shared]

    def _assign(self, writer: Writer, *, ghost: bool) -> list[str]:
        targets = self._targets(ghost=ghost)
        if not targets:
            return ["skip"]
        target = self.chance.choice(targets)
        if ghost:
            words = [*writer.seen.words]
            for variable in self.vocabulary.ghosts:
                words += Seen().with_word(variable.name, variable.sort).words
            processes = writer.seen.processes if self.rule.kind is None else (("self", self.rule.kind),)
            writer = writer.seeing(replace(writer.seen, words=tuple(words), observes=True, processes=processes))
        text, sort = self._place(target.name, target.sort, writer)
        return [f"{'ghost ' if ghost else ''}{text} := {self._value(sort, text, writer)}"]

    def _place(self, text: str, sort: Sort, writer: Writer) -> tuple[str, Sort]:
        """A variable, or a place inside it."""
        if self.chance.random() < 0.45:
            return text, sort
        match sort:
            case MapSort(key, of):
                return self._place(f"{text}[{writer.key(key, 1)}]", of, writer)
            case RecordSort(_, fields):
                name, inner = self.chance.choice(fields)
                return self._place(f"{text}.{name}", inner, writer)
            case SeqSort(of) if self.chance.random() < 0.25:
                return self._place(f"{text}[{self.chance.choice(('1', f'len({text})'))}]", of, writer)
        return text, sort

    def _value(self, sort: Sort, text: str, writer: Writer) -> str:
        if isinstance(sort, IntSort) and sort.low is not None and self.chance.random() < 0.3:
            return f"{text} + {writer.write(INT, 0)}"
        return writer.write(sort, 3)


def _indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]
