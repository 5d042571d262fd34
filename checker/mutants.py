"""``mutants``: is every known bug of a spec found, in a run as short as its mutant says, and nothing that is harmless?

What is tried is a *claim*: a mutant and one property that it breaks, or that nothing breaks. A mutant that changes
nothing claims that the spec itself refutes a property of the mutant's own file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from pathlib import Path

from checker.checking import Checked, check, taken_together
from checker.question import Question, ask
from checker.searching import Search
from checker.verdict import Exit, Stop
from spec.load import mutants_of, shipped
from spec.syntax import MutantDeclaration, Survival
from spec.system import Grain


class Kind(Enum):
    """What a mutant is."""

    BUG = "bug"
    REFUTED = "property that the spec refutes"
    NEUTRAL = "harmless"
    UNSHOWN = "not killable within its bounds"


class Outcome(Enum):
    """How a claim came out."""

    AS_CLAIMED = "as claimed"
    SURVIVED = "survived"
    OTHER_LENGTH = "another length"
    KILLED = "killed"
    UNDECIDED = "undecided"
    FAILED = "evaluation error"
    DISAGREED = "engines disagree"


CODES = {
    Outcome.DISAGREED: Exit.ENGINES_DISAGREE,
    Outcome.FAILED: Exit.EVALUATION_ERROR,
    Outcome.SURVIVED: Exit.MUTANT_SURVIVED,
    Outcome.KILLED: Exit.MUTANT_SURVIVED,
    Outcome.OTHER_LENGTH: Exit.MUTANT_SURVIVED,
    Outcome.UNDECIDED: Exit.INCONCLUSIVE,
    Outcome.AS_CLAIMED: Exit.HOLDS,
}
"""The gravest first."""


@dataclass(frozen=True, slots=True)
class Claim:
    """``breaks``: the property; None: any, or (of what is to survive) none. ``length``: of the shortest run to
    it, in steps of the grain from where the model starts; None: the mutant does not say. ``model``: None: the mutant's
    own."""

    mutant: str
    kind: Kind
    breaks: str | None = None
    length: int | None = None
    grain: Grain = Grain.MICRO
    model: str | None = None

    @property
    def survives(self) -> bool:
        return self.kind in (Kind.NEUTRAL, Kind.UNSHOWN)


@dataclass(frozen=True, slots=True)
class Tried:
    """A claim and what each engine answered, in the order of the engines."""

    claim: Claim
    question: Question
    answers: tuple[Checked, ...]

    @property
    def outcome(self) -> Outcome:
        judged = {judge(self.claim, answer) for answer in self.answers}
        if taken_together(self.answers) is Exit.ENGINES_DISAGREE:
            return Outcome.DISAGREED
        decided = judged - {Outcome.UNDECIDED}
        return min(decided, key=list(CODES).index) if decided else Outcome.UNDECIDED

    @property
    def best(self) -> Checked:
        """The answer that says most: a violation, or a finished search, or the first."""
        undecided = (Exit.INCONCLUSIVE, Exit.INTERRUPTED)
        return min(self.answers, key=lambda answer: (answer.labels is None, answer.code in undecided))


@dataclass(slots=True)
class Kills:
    """All claims of a spec, tried. ``stopped``: why not all were."""

    spec: str
    engines: tuple[str, ...]
    tried: list[Tried] = field(default_factory=list)
    stopped: str = ""

    @property
    def code(self) -> Exit:
        if self.stopped:
            return Exit.INTERRUPTED
        return CODES[min((one.outcome for one in self.tried), key=list(CODES).index)]

    def of(self, *kinds: Kind) -> list[Tried]:
        return [one for one in self.tried if one.claim.kind in kinds]


def length_of(checked: Checked) -> int | None:
    """Labels from where the model starts to the violation."""
    return None if checked.labels is None else len(checked.labels) - checked.prefix


def steps_of(checked: Checked) -> int | None:
    """The same in steps of the grain that was searched."""
    return None if checked.length is None else checked.length - checked.prefix


def judge(claim: Claim, answer: Checked) -> Outcome:
    """What one engine's answer makes of a claim."""
    match answer.code:
        case Exit.SAFETY | Exit.LIVENESS if claim.survives:
            return Outcome.KILLED
        case Exit.SAFETY | Exit.LIVENESS:
            return Outcome.AS_CLAIMED if claim.length in (None, steps_of(answer)) else Outcome.OTHER_LENGTH
        case Exit.EVALUATION_ERROR:
            return Outcome.FAILED
        case Exit.HOLDS | Exit.NOT_REACHED if claim.survives:
            return Outcome.AS_CLAIMED
        case Exit.HOLDS | Exit.NOT_REACHED:
            looked = answer.complete or answer.engine != "symbolic" or claim.length is not None
            return Outcome.SURVIVED if looked else Outcome.UNDECIDED
        case Exit.INCONCLUSIVE if claim.grain is Grain.MACRO and answer.decided:
            return Outcome.SURVIVED
        case _:
            return Outcome.UNDECIDED


def claims(path: Path) -> Iterator[Claim]:
    """What the mutants of a spec say of themselves."""
    for mutant in mutants_of(path):
        kind = _kind(mutant)
        for broken in mutant.breaks:
            grain = Grain.MACRO if broken.macros else Grain.MICRO
            yield Claim(mutant.name, kind, broken.name, broken.length, grain, broken.model)
        if not mutant.breaks:
            yield Claim(mutant.name, kind)


def _kind(mutant: MutantDeclaration) -> Kind:
    match mutant.survival:
        case Survival.NEUTRAL:
            return Kind.NEUTRAL
        case Survival.SURVIVES:
            return Kind.UNSHOWN
        case None:
            changes = (*mutant.replacements, *mutant.variables, *mutant.functions)
            return Kind.BUG if changes else Kind.REFUTED


def kill(
    spec: str | None,
    names: Sequence[str],
    engines: tuple[str, ...],
    timeout: float,
    workers: int | None,
    report: Callable[[Tried, int, int], None],
) -> Kills:
    """Tries the claims of the named mutants, or of all. ``timeout``: seconds that an engine has for one mutant.
    ``report`` is told of each one tried, its number and how many there are. Raises Stop."""
    path = shipped("raft") if spec is None else Path(spec)
    ask(spec)  # a spec that cannot be read, or is wrong, is reported as everywhere
    chosen = _chosen(path, names)
    kills = Kills(path.name, engines)
    left: dict[tuple[str, str], float] = {}
    for number, claim in enumerate(chosen, 1):
        try:
            tried = _try(claim, spec, chosen, engines, timeout, workers, left)
        except KeyboardInterrupt:  # while its spec was read or compiled
            tried = None
        if tried is None:
            kills.stopped = f"interrupted at {claim.mutant}, {number} of {len(chosen)}"
            return kills
        kills.tried.append(tried)
        report(tried, number, len(chosen))
    return kills


def _try(
    claim: Claim,
    spec: str | None,
    chosen: Sequence[Claim],
    engines: tuple[str, ...],
    timeout: float,
    workers: int | None,
    left: dict[tuple[str, str], float],
) -> Tried | None:
    """Asks each engine about a claim; None: a search was interrupted. ``left``: seconds, by mutant and engine."""
    question = ask(spec, mutant=claim.mutant, only=claim.breaks, model=claim.model)
    answers = []
    for engine in engines:
        if engine == "symbolic" and len(engines) > 1 and _is_asked_again(claim, chosen):
            continue
        budget = left.get((claim.mutant, engine), timeout)
        if budget <= 0:
            reason = f"its {timeout:g} s went to the other properties of the mutant"
            answers.append(Checked(engine, Exit.INCONCLUSIVE, -1, reason=reason))
            continue
        answers.append(check(question, engine, _search(claim, question, engine, budget, workers)))
        left[claim.mutant, engine] = budget - answers[-1].seconds
        if answers[-1].code is Exit.INTERRUPTED:
            return None
    return Tried(claim, question, tuple(answers))


def _search(claim: Claim, question: Question, engine: str, timeout: float, workers: int | None) -> Search:
    """z3 looks no deeper than the claim says; the others look on, and say what they find instead."""
    steps = question.system.bounds.steps
    if claim.length is not None and (steps is not None or engine == "symbolic"):
        steps = claim.length if engine == "symbolic" else max(steps or 0, claim.length)
    return Search(
        max_steps=steps, timeout=timeout, workers=workers if engine == "explicit" else None, grain=claim.grain
    )


def _is_asked_again(claim: Claim, claims: Sequence[Claim]) -> bool:
    """Whether the mutant says later how soon it breaks the same property at the macro grain, or after a script: deep
    runs of single labels are for the explicit engine, and the symbolic one is asked there."""
    same = [c for c in claims if (c.mutant, c.breaks) == (claim.mutant, claim.breaks)]
    return claim.breaks is not None and claim != same[-1]


def _chosen(path: Path, names: Iterable[str]) -> list[Claim]:
    all_claims = list(claims(path))
    known = list(dict.fromkeys(claim.mutant for claim in all_claims))
    if not known:
        raise Stop(Exit.USAGE, f"{path}: there are no mutants of this spec; put them into mutants/NAME.spec beside it")
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
            raise Stop(Exit.USAGE, f"there is no mutant {name} of {path.name}; {hint}")
    return [claim for claim in all_claims if not names or claim.mutant in names]
