"""What a person reads of a proof: which labels keep which conjuncts, two states and a label where one does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from checker.heartbeat import asked_data, asked_text
from checker.machine import as_text
from checker.necessity import Removal
from checker.proving import Attempt, Proof
from checker.question import Question
from checker.report import bounds_of, style, title, worded
from checker.symbolic.induction import Broken, Case, Verdict
from checker.tracing import Tracer
from checker.verdict import Exit
from spec.script import describe
from spec.system import Place
from traces.itf import format_trace
from traces.render.labels import label_text
from traces.render.text import render_text
from traces.trace import Trace, TraceState

CUT = (
    "a step out of the range of a type, beyond a capacity or max_pending, or against a constraint is no step; "
    "crashes, messages and steps are not bounded"
)


BUDGETS = {"crash": "max_crashes", "drop": "max_drops", "duplicate": "max_duplicates", "retry": "max_retries"}
"""What a model calls the most of each."""


def print_proof(console: Console, question: Question, proof: Proof, reproduce: str) -> None:
    title(console, question)
    of = proof.obligations
    asked = [(len(of.shown), "conjunct"), (len(of.invariants), "invariant"), (len(of.actions), "action invariant")]
    text = ", ".join(_count(number, what) for number, what in asked if number)
    alike = f"; {of.symmetry}" if of.symmetry or of.symmetry.refused else ""
    _say(console, f"to show: {text}{alike}")
    _say(console, f"bounds are part of the question: {CUT}")
    if of.length > 1:
        _say(console, f"{of.length}-induction: what is shown of a state is assumed of the {of.length} before it")
        _say(console, f"  {_base(proof)}", "bold red" if proof.base else "")
    for verdict in proof.verdicts:
        _say(console, f"  {_headline(proof, verdict)}", "bold red" if verdict.broken else "")
    if proof.not_asked:
        rest = _count(proof.not_asked, "label")
        _say(console, f"  {rest} not asked: this is the first that breaks (--first)", "yellow")
    for removal in proof.removals:
        _say(console, f"  {_removed(removal)}", "" if removal.broken else "yellow")
    for name, rule in proof.dropped.items():
        what = f"broken by {rule}" if rule else "false at the start"
        _say(console, f"left out: {name} ({place_of(proof, name)}): {what}", "yellow")
    for name, reason in of.unasked.items():
        _say(console, f"not asked: {name}: {reason}", "yellow")
    never = never_enabled(proof)
    if never:
        _say(
            console,
            f"contradicted by the conjuncts, so never enabled if these are proved: {', '.join(never)}",
            "yellow",
        )
    for broken in proof.first_broken.values():
        _print_broken(console, question, proof, broken, proof.attempts.get(broken.property))
    if proof.asked:
        _say(console, asked_text(proof.asked))
    if proof.code is not Exit.HOLDS:
        _say(console, f"reproduce: {reproduce}")
    _say(console, verdict_of_proof(proof), style(proof.code))


def _say(console: Console, text: str, how: str = "") -> None:
    console.print(Text(text, style=how), soft_wrap=True)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def _case(case: Case | None) -> str:
    if case is None:
        return "implication"
    of_message = f" {case.message}" if case.message is not None and case.kind.rule is None else ""
    return f"{case.rule}{of_message}{f' of {case.process}' if case.process is not None else ''}"


def excluded_by(proof: Proof, case: Case | None) -> str | None:
    """The model's budget of zero that forbids such labels: that there are none says nothing of the conjuncts."""
    excluded = case is not None and proof.obligations.system.bounds.budgets.get(case.rule) == 0
    return f"{BUDGETS[case.rule]} = 0" if case is not None and excluded else None


def _headline(proof: Proof, verdict: Verdict) -> str:
    names = [broken.property or "an evaluation fails" for broken in verdict.broken]
    budget = excluded_by(proof, verdict.case)
    none = "contradicted" if budget is None else f"excluded by {budget}"
    said = f"BREAKS {', '.join(names)}" if names else none if verdict.contradictory else "holds"
    if names and verdict.case is None:
        said = f"DOES NOT GIVE {', '.join(names)}"
    if verdict.unknown is not None:
        unknown = f"UNKNOWN: {verdict.unknown}"
        said = unknown if said == "holds" else f"{said}; {unknown}"
    return f"{_case(verdict.case)}: {said}; {verdict.seconds:.1f} s"


def _base(proof: Proof) -> str:
    if proof.initial:
        return "base: not asked"
    names = [broken.property or "an evaluation fails" for broken in proof.base]
    said = f"BREAKS {', '.join(names)}" if names else "holds"
    if proof.base_unknown is not None:
        said = f"UNKNOWN: {proof.base_unknown}"
    return f"base, the first {proof.obligations.length} states of every run: {said}"


def _removed(removal: Removal) -> str:
    if removal.broken is not None:
        what = removal.broken.property or "an evaluation fails"
        where = f"{_case(removal.case)} breaks" if removal.case is not None else "the conjuncts do not give"
        return f"without {removal.conjunct}: {where} {what}"
    if removal.unknown is not None:
        return f"without {removal.conjunct}: UNKNOWN: {removal.unknown}"
    return f"without {removal.conjunct}: all the rest is proved, so it is redundant"


def never_enabled(proof: Proof) -> list[str]:
    """Rules and system actions none of whose labels is possible where all conjuncts hold, though the budgets allow
    them."""
    cases = [verdict.case for verdict in proof.verdicts if verdict.case is not None]
    possible = {case.rule: False for case in cases if excluded_by(proof, case) is None}
    for verdict in proof.verdicts:
        if verdict.case is not None and verdict.case.rule in possible and not verdict.contradictory:
            possible[verdict.case.rule] = True
    return [rule for rule, some in possible.items() if not some]


def place_of(proof: Proof, name: str | None) -> Place | None:
    system = proof.obligations.system
    named = (*system.inductive, *system.invariants, *system.action_invariants)
    return next((p.place for p in named if p.name == name), None)


def _print_broken(console: Console, question: Question, proof: Proof, broken: Broken, attempt: Attempt | None) -> None:
    place = place_of(proof, broken.property)
    where = f" ({place})" if place is not None else ""
    text = broken.message if broken.property else f"evaluation error: {broken.message}"
    _say(console, f"\n{text}{where}", "bold red")
    first = "where it starts" if broken in proof.initial else "a state in which every conjunct holds"
    pair_text = worded(render_text, pair(question, proof, broken)).replace(label_text(None), first, 1)
    _, _, states = pair_text.partition("\n")  # its headline counts steps from a start
    console.print(states.rstrip(), markup=False, highlight=False, soft_wrap=True)
    if attempt is not None:
        _say(console, "; ".join(_reached(attempt)), "yellow")
    others = [
        _case(verdict.case)
        for verdict in proof.verdicts
        for other in verdict.broken
        if other.property == broken.property and other is not broken
    ]
    if others:
        _say(console, f"{len(others)} more: {', '.join(others)}")


def pair(question: Question, proof: Proof, broken: Broken) -> Trace:
    """The two states as a trace, with those before them of k-induction; it does not start where runs do."""
    tracer, system = Tracer(proof.obligations.evaluator), question.system
    label, states = None, list[TraceState]()
    for before, following in broken.run:
        states.append(tracer.trace_state(label, before))
        label = following
    states.append(tracer.trace_state(label, broken.before))
    if broken.label is not None and broken.after is not None:
        states.append(tracer.trace_state(broken.label, broken.after))
    return Trace(system.spec, system.model, system.mutant, tuple(states))


def _reached(attempt: Attempt) -> Iterator[str]:
    if attempt.labels is not None:
        run = ", ".join(describe(label) for label in attempt.labels) or "no label at all"
        yield f"REACHED from the start, or made false on the way, by {_count(len(attempt.labels), 'label')}: {run}"
        return
    labels = f"of at most {attempt.depth} labels" if attempt.depth >= 0 else "looked at"
    yield f"maybe unreachable: no run {labels} comes to the first state or makes this false"
    if attempt.reason:
        yield f"longer ones were not searched in full ({attempt.reason})"


def verdict_of_proof(proof: Proof) -> str:
    """One honest line: nothing that was not shown is called proved."""
    of, time = proof.obligations, f"{proof.seconds:.1f} s"
    shown = [_count(len(of.shown), "conjunct")] if of.shown else []
    follow = [*of.invariants, *of.actions]
    if follow:
        shown.append(_count(len(follow), "property").replace("propertys", "properties"))
    what = " and ".join(shown)
    match proof.code:
        case Exit.NOT_INDUCTIVE:
            names = ", ".join(name or "an evaluation error" for name in proof.first_broken)
            found = any(attempt.labels is not None for attempt in proof.attempts.values())
            rest = "a run leads there" if found else "whether a run leads there is not known"
            return f"Not inductive: {names}; {rest}; {time}"
        case Exit.INCONCLUSIVE:
            if proof.is_proved:
                open_ = [f"{one.conjunct} ({one.unknown})" for one in proof.removals if one.unknown]
                return f"Inconclusive: proved, and not known whether each is needed: {', '.join(open_)}; {time}"
            open_ = [f"{v.case or 'implication'} ({v.unknown})" for v in proof.unknown]
            open_ += [f"base ({proof.base_unknown})"] if proof.base_unknown is not None else []
            open_ += [f"{name} (not asked)" for name in of.unasked]
            return f"Inconclusive: nothing is broken, and not known: {', '.join(open_)}; {time}"
        case _:
            assumed = "" if len(of.shown) == len(of.conjuncts) else ", if all other conjuncts are inductive, too"
            how = f" by {of.length}-induction" if of.length > 1 else ""
            line = f"Proved for runs of any length{how}, within the bounds of the types: {what}{assumed}"
            if proof.removals:
                redundant = [one.conjunct for one in proof.removals if one.broken is None]
                line += f"; redundant, each on its own: {', '.join(redundant)}" if redundant else "; each is needed"
            return f"{line}; {time}"


def proof_json(question: Question, proof: Proof, reproduce: str) -> str:
    of = proof.obligations
    return as_text(
        {
            "spec": question.system.spec,
            "model": question.system.model,
            "mutant": question.system.mutant,
            "bounds": bounds_of(question.system),
            "conjuncts": [p.name for p in of.conjuncts],
            "to_show": [p.name for p in (*of.shown, *of.invariants, *of.actions)],
            "not_asked": of.unasked,
            "left_out": proof.dropped,
            "symmetry": str(of.symmetry),
            "k": of.length,
            "base": None if of.length == 1 else _base(proof),
            "labels": [_verdict(proof, verdict) for verdict in proof.verdicts],
            "never_enabled": never_enabled(proof),
            "labels_not_asked": proof.not_asked,
            "left_out_in_turn": [_removal(removal) for removal in proof.removals],
            "broken": [
                _broken(question, proof, broken, proof.attempts.get(name))
                for name, broken in proof.first_broken.items()
            ],
            "questions": asked_data(proof.asked),
            "seconds": round(proof.seconds, 3),
            "exit": int(proof.code),
            "verdict": verdict_of_proof(proof),
            "reproduce": reproduce,
        }
    )


def _verdict(proof: Proof, verdict: Verdict) -> dict[str, Any]:
    case = verdict.case
    return {
        "label": None if case is None else case.rule,
        "process": None if case is None else case.process,
        "message": None if case is None else case.message,
        "breaks": [broken.property for broken in verdict.broken],
        "contradicted": verdict.contradictory,
        "excluded_by": excluded_by(proof, case),
        "unknown": verdict.unknown,
        "seconds": round(verdict.seconds, 3),
    }


def _removal(removal: Removal) -> dict[str, Any]:
    return {
        "conjunct": removal.conjunct,
        "redundant": None if removal.unknown is not None else removal.broken is None,
        "breaks": None if removal.broken is None else removal.broken.property,
        "label": None if removal.case is None else removal.case.rule,
        "process": None if removal.case is None else removal.case.process,
        "unknown": removal.unknown,
    }


def _broken(question: Question, proof: Proof, broken: Broken, attempt: Attempt | None) -> dict[str, Any]:
    reached = attempt is not None and attempt.labels is not None
    return {
        "property": broken.property,
        "place": str(place_of(proof, broken.property) or "") or None,
        "message": broken.message,
        "states": msgspec.json.decode(format_trace(pair(question, proof, broken))),
        "reached_by": [describe(label) for label in attempt.labels or ()] if attempt and reached else None,
        "searched": None if attempt is None or reached else attempt.depth,
    }
