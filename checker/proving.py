"""``prove``: do the declared inductive conjuncts hold in runs of any length, and do the invariants follow from them?

Each label is asked about on its own, from any state in which all conjuncts hold; what is found is two states and a
label, of which nobody knows whether the first can be reached: so a bounded search from the start is tried, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from checker.heartbeat import watch_with
from checker.necessity import Removal, removals
from checker.parallel import default_workers, spread
from checker.progress import Progress
from checker.question import Question
from checker.symbolic.check import Violation
from checker.symbolic.consecution import verdict_of
from checker.symbolic.depths import NoneWithin, Unknown
from checker.symbolic.errors import NotEncodable, SymbolicError
from checker.symbolic.induction import Broken, Case, Obligations, Verdict
from checker.symbolic.reaching import try_to_reach
from checker.symbolic.watch import Asked, Deadline, Watch
from checker.verdict import Exit, Stop
from spec.state import Label
from spec.system import Property

REACHING_STEPS = 6
REACHING_SECONDS = 20.0
"""How far, and how long in all, a state is searched for from the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proving:
    """How a proof is done. ``timeout``: seconds for all of it. ``max_steps``: of the search for a broken step's first
    state. ``workers``: processes. ``smt_out``: a folder for the questions to z3. ``prune``: leave out what breaks,
    until the rest is inductive."""

    timeout: float | None = None
    max_steps: int | None = None
    workers: int | None = None
    smt_out: Path | None = None
    prune: bool = False
    length: int = 1
    necessary: bool = False
    first: bool = False

    def words(self) -> list[str]:
        """Those of the command line that make a difference to what is found."""
        words = ["--max-steps", str(self.max_steps)] if self.max_steps is not None else []
        words += ["--workers", str(self.workers)] if self.workers is not None else []
        words += ["--k", str(self.length)] if self.length > 1 else []
        return words + ["--prune"] * self.prune + ["--necessary"] * self.necessary + ["--first"] * self.first


@dataclass(frozen=True, slots=True)
class Attempt:
    """To come from the start to where a property is broken. ``labels``: they lead there; None: no run of at most
    ``depth`` labels does (-1: not even that is known)."""

    labels: tuple[Label, ...] | None
    depth: int
    reason: str = ""


@dataclass(slots=True)
class Proof:
    """``verdicts``: of the implication (its case is None), then of each label; ``not_asked``: how many labels come
    after the first that breaks. ``initial``: conjuncts that are false at the start. ``base``: of k-induction, what is
    broken within its first k states; ``base_unknown``: why that is not known. ``dropped``: conjuncts that were left
    out, with the rule that breaks them ("" for the start). ``removals``: what each conjunct is needed for, if that was
    asked for and the proof succeeds."""

    obligations: Obligations
    initial: list[Broken]
    base: list[Broken] = field(default_factory=list)
    base_unknown: str | None = None
    not_asked: int = 0
    verdicts: list[Verdict] = field(default_factory=list)
    attempts: dict[str | None, Attempt] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    removals: list[Removal] = field(default_factory=list)
    asked_besides: list[Asked] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def asked(self) -> list[Asked]:
        """All that z3 was asked."""
        return [asked for verdict in self.verdicts for asked in verdict.asked] + self.asked_besides

    @property
    def broken(self) -> list[Broken]:
        return [*self.initial, *self.base, *(broken for verdict in self.verdicts for broken in verdict.broken)]

    @property
    def first_broken(self) -> dict[str | None, Broken]:
        """The first failure of each property; of None: an evaluation that fails."""
        found: dict[str | None, Broken] = {}
        for broken in self.broken:
            found.setdefault(broken.property, broken)
        return found

    @property
    def unknown(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.unknown is not None]

    @property
    def code(self) -> Exit:
        if self.broken:
            return Exit.NOT_INDUCTIVE
        if any(removal.unknown for removal in self.removals):
            return Exit.INCONCLUSIVE
        return Exit.HOLDS if self.is_proved else Exit.INCONCLUSIVE

    @property
    def is_proved(self) -> bool:
        return not (self.broken or self.unknown or self.base_unknown or self.obligations.unasked)


def obligations(question: Question, conjuncts: Iterable[Property], length: int = 1) -> Obligations:
    """Raises Stop where no proof can be asked for."""
    conjuncts = tuple(conjuncts)
    if not conjuncts:
        message = f"{question.path.name} declares no `inductive NAME: …`: there is nothing to prove by induction"
        raise Stop(Exit.USAGE, message)
    if any(property_.name == question.only for property_ in question.system.eventually):
        raise Stop(
            Exit.USAGE, f"{question.only} is an `eventually`; prove is about what holds at every time: ask check"
        )
    start, _ = question.start()
    try:
        return Obligations(question.system, start, conjuncts, question.only, length)
    except NotEncodable as reason:
        raise Stop(Exit.USAGE, f"no proof can be asked for: {reason}") from reason


def prove(question: Question, how: Proving) -> Proof:
    """Raises Stop; KeyboardInterrupt comes through."""
    began, deadline = time.monotonic(), Deadline(how.timeout)
    conjuncts, dropped = question.system.inductive, dict[str, str]()
    try:
        with Progress("prove") as progress:
            proof = _proof(obligations(question, conjuncts, how.length), how, deadline, progress)
            while how.prune and (broken := _broken_conjuncts(proof)):
                dropped |= broken
                conjuncts = tuple(p for p in conjuncts if p.name not in dropped)
                if not conjuncts:
                    raise Stop(Exit.NOT_INDUCTIVE, f"no conjunct is left of {', '.join(dropped)}")
                proof = _proof(obligations(question, conjuncts, how.length), how, deadline, progress)
            proof.dropped = dropped
            if how.necessary and proof.is_proved:
                _remove_each(proof, how, deadline, progress)
            _try_to_reach(proof, how, deadline, progress)
    except SymbolicError as error:
        raise Stop(Exit.ENGINES_DISAGREE, f"the symbolic engine failed: {error}") from error
    proof.seconds = time.monotonic() - began
    return proof


def _proof(of: Obligations, how: Proving, deadline: Deadline, progress: Progress) -> Proof:
    """One round: every label, with all of these conjuncts assumed."""
    proof = Proof(of, of.initiation())
    parts: list[Case | None] = [None, *of.cases()]
    if of.length > 1 and not proof.initial:
        _ask_base(proof, watch_with(progress, deadline.left(), of.length - 1, how.smt_out))

    def work(part: Case | None) -> Verdict:
        watch = watch_with(progress, deadline.left(), None, how.smt_out)
        verdict = verdict_of(of, part, watch, first=how.first)
        verdict.asked = tuple(watch.asked)
        return verdict

    for done, verdict in enumerate(spread(work, parts, how.workers or default_workers()), 1):
        proof.verdicts.append(verdict)
        progress(done, f"of {len(parts)} labels")
        if how.first and verdict.broken:
            proof.not_asked = len(parts) - done
            break
    return proof


def _ask_base(proof: Proof, watch: Watch) -> None:
    of = proof.obligations
    found = of.base(watch)
    proof.asked_besides += watch.asked
    match found:
        case Violation(name, message, labels, states):
            before, last = ((of.start, *states)[len(labels) - 1], labels[-1]) if labels else (of.start, None)
            after = states[-1] if len(states) == len(labels) and labels else None
            proof.base.append(Broken(name, message, before, last, after))
            proof.attempts[name] = Attempt(labels, len(labels))
        case Unknown(_, reason):
            proof.base_unknown = reason
        case NoneWithin():
            pass


def _remove_each(proof: Proof, how: Proving, deadline: Deadline, progress: Progress) -> None:
    of, workers = proof.obligations, how.workers or default_workers()

    def watch() -> Watch:
        return watch_with(progress, deadline.left(), None, how.smt_out)

    found = removals(of, proof.verdicts, workers, watch, proof.asked_besides)
    for done, removal in enumerate(found, 1):
        proof.removals.append(removal)
        progress(done, f"of {len(of.conjuncts)} conjuncts left out")
    order = [p.name for p in of.conjuncts]
    proof.removals.sort(key=lambda removal: order.index(removal.conjunct))


def _broken_conjuncts(proof: Proof) -> dict[str, str]:
    """Conjuncts that no inductive part of these has, and what breaks each. With fewer assumed, more may break, so the
    rest is asked about again: the last round leaves the largest inductive part (Flanagan and Leino 2001, Houdini)."""
    names = {p.name for p in proof.obligations.conjuncts}
    found = {broken.property: "" for broken in (*proof.initial, *proof.base) if broken.property in names}
    for verdict in proof.verdicts:
        rule = "" if verdict.case is None else verdict.case.rule
        found |= {b.property: rule for b in verdict.broken if b.property in names and b.property not in found}
    return {name: rule for name, rule in found.items() if name is not None}


def _try_to_reach(proof: Proof, how: Proving, deadline: Deadline, progress: Progress) -> None:
    left = deadline.left()
    seconds = REACHING_SECONDS if left is None else min(left, REACHING_SECONDS)
    steps = REACHING_STEPS if how.max_steps is None else how.max_steps
    watch = watch_with(progress, seconds, steps, how.smt_out)
    of = proof.obligations
    conjuncts = {p.name: p.expr for p in (*of.conjuncts, *of.invariants)}
    for name, broken in proof.first_broken.items():
        if broken in proof.initial or broken in proof.base:
            continue
        false = None if name is None else conjuncts.get(name)
        found = try_to_reach(of.system, of.start, broken.first(), false, steps, watch)
        match found:
            case NoneWithin(depth):
                proof.attempts[name] = Attempt(None, depth)
            case Unknown(depth, reason):
                proof.attempts[name] = Attempt(None, depth, reason)
            case labels:
                proof.attempts[name] = Attempt(labels, len(labels))
    proof.asked_besides += watch.asked
