"""Random macros over the rules of a random spec, as lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from spec.sorts import BoolSort, EnumSort, Sort
from spec.type_sorts import domain_size
from tests.generated.vocabulary import Kind, Letter, Vocabulary, Word, type_text

MOST_CHOICES = 4000
"""A macro has no more steps than leave about so many ways to take it."""

MESSAGES = 6
"""So many messages are counted on where one is chosen."""


@dataclass(frozen=True, slots=True)
class Named:
    """A rule that can be a step. ``letter``: of a handler; ``several``: it handles messages of more than one type."""

    name: str
    kind: Kind | None
    parameters: tuple[Word, ...] = ()
    letter: Letter | None = None
    several: bool = False


@dataclass(slots=True)
class Macro:
    """Writes one macro. ``process``: the parameter that acted last; ``bound``: parameters by name."""

    vocabulary: Vocabulary
    chance: Random
    rules: list[Named]
    features: list[str]
    bound: dict[str, Sort] = field(default_factory=dict)
    choices: int = 1
    process: str | None = None

    def lines(self, name: str) -> list[str]:
        steps = self._steps()
        parameters = ", ".join(f"{text}: {type_text(sort)}" for text, sort in self.bound.items())
        head = f"macro {name}({parameters}):" if parameters else f"macro {name}:"
        return [head, *("    " + step for step in steps)]

    def _steps(self) -> list[str]:
        steps: list[str] = []
        wanted = self.chance.randint(1, 4)
        while len(steps) < wanted:
            found = self._system_action() if self.chance.random() < 0.35 else self._rule(self.chance.choice(self.rules))
            steps += found
            if self.choices > MOST_CHOICES // 20:
                break
        return steps

    # --------------------------------------------------------------------------------------------- steps

    def _rule(self, rule: Named) -> list[str]:
        arguments: list[str] = []
        if rule.kind is not None:
            arguments += self._process(rule.kind, likely=0.9)
        if rule.letter is not None:
            self.choices *= MESSAGES
            if self.process is not None and rule.letter.source is not None and self.chance.random() < 0.4:
                arguments.append(f"source={self._parameter(rule.letter.source)}")
            arguments += [self._argument(text, sort) for text, sort in rule.letter.fields if self._is_asked(sort)]
        elif not rule.several:
            for word in rule.parameters:
                if self._is_asked(word.sort):
                    arguments.append(self._argument(word.text, word.sort))
                else:
                    self.choices *= domain_size(word.sort) or 1
        steps = [f"{rule.name}({', '.join(arguments)})" if arguments else rule.name]
        if rule.kind is not None and rule.kind.has_storage and self.process is not None and self.chance.random() < 0.4:
            steps.append(f"{self.chance.choice(('try flush', 'try flush', 'flush'))}({self.process})")
        return steps

    def _system_action(self) -> list[str]:
        storing = [kind for kind in self.vocabulary.kinds if kind.has_storage]
        crashing = [kind for kind in storing if not kind.never_crashes]
        ways = (["flush"] if storing else []) + (["crash"] * 2 if crashing else []) + self.features
        if not ways:
            return []
        match self.chance.choice(ways):
            case "flush":
                (who,) = self._process(self.chance.choice(storing), likely=1)
                return [f"flush({who})"]
            case "crash":
                (who,) = self._process(self.chance.choice(crashing), likely=1)
                keep = self.chance.choice(("", "", ", keep=0", ", keep=1"))
                return [f"crash({who}{keep})", f"restart({who})"][: self.chance.choice((1, 2, 2))]
            case feature:
                letter = self.chance.choice(self.vocabulary.letters)
                self.choices *= MESSAGES
                arguments = [letter.name] if self.chance.random() < 0.7 else []
                if arguments and self.chance.random() < 0.5:
                    arguments.append(f"destination={self._parameter(letter.receiver.sort)}")
                listed = f"({', '.join(arguments)})" if arguments else ""
                return [f"{'drop' if feature == 'loss' else 'duplicate'}{listed}"]

    # ----------------------------------------------------------------------------------------- arguments

    def _process(self, kind: Kind, *, likely: float) -> list[str]:
        if self.chance.random() > likely:
            self.process = None
            self.choices *= len(kind.sort.elements)
            return []
        self.process = self._parameter(kind.sort)
        return [self.process]

    def _is_asked(self, sort: Sort) -> bool:
        size = domain_size(sort)
        return size is not None and size <= 12 and self.chance.random() < 0.3

    def _argument(self, text: str, sort: Sort) -> str:
        if isinstance(sort, BoolSort | EnumSort) and self.chance.random() < 0.4:
            values = ("true", "false") if isinstance(sort, BoolSort) else sort.members
            return f"{text}={self.chance.choice(values)}"
        return f"{text}={self._parameter(sort)}"

    def _parameter(self, sort: Sort) -> str:
        """One of that sort that there is already, or a new one."""
        known = [text for text, of in self.bound.items() if of == sort]
        if known and self.chance.random() < 0.75:
            return self.chance.choice(known)
        name = self.vocabulary.fresh("q")
        self.bound[name] = sort
        self.choices *= domain_size(sort) or 1
        return name
