"""What a person reads of ``complete``, and a machine: what was filled in, or why no run fits any further."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from checker.completing.deciding import Answer, Completed, Prefix, Refused, Undecided
from checker.completing.matching import NOTHING, Difference, path_text
from checker.completing.refusal import Bounded, Differs, Disabled, Failing, Impossible, Near, Reason
from checker.question import Question
from checker.tracing import Tracer
from spec.source import SpecFileError, read_source
from spec.state import Label
from spec.system import Place
from traces.partial import Missing, PartialState, PartialTrace, fields
from traces.render.labels import label_text, value_text
from traces.trace import Trace
from traces.values import EMPTY, Map, Value

OTHERS = 4
"""How many of the other differences are told."""


class Report:
    """Words for the answers about one log."""

    def __init__(self, question: Question, log: PartialTrace) -> None:
        self.question, self.log = question, log
        self.tracer = Tracer(question.evaluator)
        self.processes = question.evaluator.processes

    # ---------------------------------------------------------------------------------------- the run

    def trace(self, run: Prefix, meta: dict[str, Any]) -> Trace:
        """The run as a trace; the remarks of each state say what of it was filled in."""
        trace = self.tracer.trace(run.labels, meta)
        known = dict(zip(run.positions, self.log.states, strict=False))
        states = []
        for number, state in enumerate(trace.states):
            filled = tuple(_missing(known.get(number), state.variables, number > 0))
            remarks = state.meta.with_({"filled_in": filled}) if filled else state.meta
            states.append(type(state)(state.label, state.variables, remarks))
        return Trace(trace.spec, trace.model, trace.mutant, tuple(states), trace.meta)

    def filled_lines(self, run: Prefix) -> list[str]:
        """How much was missing, and the labels that were filled in."""
        known = dict(zip(run.positions, self.log.states, strict=False))
        trace = self.tracer.trace(run.labels)
        labels = [
            f"  {number:>{len(str(len(run.labels)))}}  {label_text(state.label)}"
            for number, state in enumerate(trace.states)
            if number and not _label_known(known.get(number))
        ]
        total = sum(fields(state.variables) for state in trace.states)
        found = sum(known[number].fields for number in known)
        of = f"{len(labels):,} of {len(run.labels):,} labels"
        lines = [f"filled in: {of}, {total - found:,} of {total:,} fields"]
        return lines + labels

    # ----------------------------------------------------------------------------------------- verdict

    def verdict(self, answer: Answer, seconds: float) -> str:
        states = len(self.log.states)
        match answer:
            case Completed(run, by, fitting, widest):
                choice = ""
                if fitting is not None:
                    many = f"{fitting:,} states fit" if fitting != 1 else "1 state fits"
                    choice = f"; {many} at its end, {widest:,} at most on the way"
                length = _counted(len(run.labels), "label")
                what = f"a run of {length} has all that the log's {_counted(states, 'state')} have{choice}"
                return f"Fits: {what}; {by}, {seconds:.1f} s"
            case Refused(step, _, _, by, fitting, _):
                before = f"states 0 to {step - 1} fit" if step > 1 else "state 0 fits" if step else "nothing fits"
                many = f", as {_counted(fitting, 'state')} of the spec" if fitting is not None and step else ""
                what = f"at state {step} of {states - 1}: no run of the spec has it; {before}{many}"
                return f"Log refused {what}; {by}, {seconds:.1f} s"
            case Undecided(step, _, reason, _, gap):
                fit = "nothing is known"
                if step:
                    fit = f"the first {_counted(step, 'state')} of {states} {'fit' if step > 1 else 'fits'}"
                if gap is not None:
                    ways = f"all ways of at most {_counted(gap.labels, 'label')} were searched"
                    fit += f"; of the gap before state {step}, {ways} ({_counted(gap.states, 'state')} so far)"
                return f"Inconclusive: {reason}; {fit}; {seconds:.1f} s"

    def refusal_lines(self, refused: Refused) -> list[str]:
        """Where the log and the spec part, in the spec's lines, and what was enabled instead."""
        known = self.log.states[refused.step]
        lines = [f"state {refused.step}: {self._logged(known)}"] if refused.step else ["state 0, the initial one:"]
        lines += [f"  {line}" for line in self.reason_lines(refused.explained.reason)]
        nearest = refused.explained.nearest
        if nearest:
            lines.append("enabled, nearest to the log first:")
            lines += [f"  {self._near(near)}" for near in nearest]
        asked = refused.explained.asked
        if refused.step and (refused.fitting is None or refused.fitting > asked):
            of = "" if refused.fitting is None else f" {refused.fitting:,}"
            lines.append(f"(looked for in {asked:,} of the{of} states that fit before it)")
        return lines

    def _logged(self, known: PartialState) -> str:
        if known.rule is None and not known.picks:
            return "the log does not name the label"
        parts = [f"{name}={value_text(value)}" for name, value in known.picks.items()]
        return f"the log has {known.rule or 'a label'}({', '.join(parts)})"

    def reason_lines(self, reason: Reason) -> Iterator[str]:
        match reason:
            case Differs(label, found, place):
                yield from self._difference_lines(label, found, place)
            case Disabled(label, why, None):
                yield f"{self.label(label)} is not enabled: {why}"
            case Disabled(label, _, conjunct) if conjunct is not None:
                of = f", for {conjunct.of}" if conjunct.of else ""
                yield f"{self.label(label)} is not enabled: this is false{of}:"
                yield from quoted(conjunct.place)
                if conjunct.operator:
                    yield f"  left {conjunct.left}, right {conjunct.right}"
            case Bounded(label, bound, place):
                yield f"{self.label(label)} is cut by the model's bound {bound}"
                yield from quoted(place)
            case Failing(label, message, place):
                yield f"the evaluation of {self.label(label)} fails: {message}"
                yield from quoted(place)
            case Impossible(why):
                yield why
            case _:
                raise AssertionError(reason)

    def _difference_lines(
        self, label: Label | None, found: tuple[Difference, ...], place: Place | None
    ) -> Iterator[str]:
        first, *others = found
        after = "in the initial state" if label is None else f"after {self.label(label)}"
        yield f"{after}, {self._difference(first)}"
        if place is not None:
            yield from quoted(place)
        elif label is not None:
            yield "  no statement of this step makes it so: it stays as it was, or the system action does it"
        if others:
            more = f", and {len(others) - OTHERS} more" if len(others) > OTHERS else ""
            yield f"  also: {'; '.join(self._difference(other) for other in others[:OTHERS])}{more}"

    def _difference(self, difference: Difference) -> str:
        where = path_text(difference.path, self.processes)
        known, found = text(difference.known), text(difference.found)
        if difference.path[0] in ("network", "outbox") and isinstance(difference.known, tuple):
            return f"{where}: only the log has {known}, only the spec has {found}"
        return f"{where} is {found}, in the log {known}"

    def _near(self, near: Near) -> str:
        parts = [f"another {path_text(d.path, self.processes)}" for d in near.of_label]
        parts += [self._difference(d) for d in near.of_state[:OTHERS]]
        parts += [f"{len(near.of_state) - OTHERS} more"] if len(near.of_state) > OTHERS else []
        return f"{self.label(near.label)}: {'; '.join(parts) or 'has all that the log has'}"

    def label(self, label: Label) -> str:
        return label_text(self.tracer.label(label))

    # ----------------------------------------------------------------------------------------- machine

    def data(self, answer: Answer, seconds: float) -> dict[str, Any]:
        """The answer as JSON data."""
        head = {
            "states": len(self.log.states),
            "labels": [self.label(label) for label in answer.run.labels],
            "positions": list(answer.run.positions),
            "seconds": round(seconds, 3),
        }
        match answer:
            case Completed(_, by, fitting, widest):
                return {"answer": "fits", **head, "by": by, "fitting": fitting, "widest": widest}
            case Undecided(step, _, reason, _, gap):
                searched = None if gap is None else {"labels": gap.labels, "states": gap.states}
                return {"answer": "inconclusive", **head, "fits_before": step, "reason": reason, "gap": searched}
            case Refused(step, _, explained, by, fitting, widest):
                reason_ = explained.reason
                return {
                    "answer": "refused",
                    **head,
                    "by": by,
                    "fitting": fitting,
                    "widest": widest,
                    "step": step,
                    "kind": type(reason_).__name__.lower(),
                    "reason": list(self.reason_lines(reason_)),
                    "place": _place(reason_),
                    "nearest": [{"label": self.label(n.label), "distance": n.distance} for n in explained.nearest],
                }


def quoted(place: Place | None) -> Iterator[str]:
    """A line of the spec with a caret under the place."""
    if place is None:
        return
    try:
        source = read_source(Path(place.file)).splitlines()
    except SpecFileError:
        source = []
    yield f"{Path(place.file).name}:{place.line}:{place.column}"
    if 1 <= place.line <= len(source):
        line = source[place.line - 1]
        width = max(1, min(place.width, len(line) - place.column + 1))
        yield f"    {line.strip()}"
        yield " " * (4 + place.column - 1 - (len(line) - len(line.lstrip()))) + "^" * width


def text(value: Value) -> str:
    if value is NOTHING:
        return "nothing"
    return "unknown" if isinstance(value, Missing) else value_text(value)


def _place(reason: Reason) -> str | None:
    match reason:
        case Differs(_, _, place) | Bounded(_, _, place) | Failing(_, _, place):
            found = place
        case Disabled(_, _, conjunct):
            found = None if conjunct is None else conjunct.place
        case Impossible():
            found = None
    return None if found is None else str(found)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _label_known(known: PartialState | None) -> bool:
    """Whether the log names the label; of its choices, some may have been filled in."""
    return known is not None and known.rule is not None


def _missing(known: PartialState | None, variables: Map, labelled: bool) -> Iterator[str]:
    """What of a state was filled in."""
    if labelled and not _label_known(known):
        yield "label"
    given = EMPTY if known is None else known.variables
    for name, whole in variables.items():
        value = given.get(name, NOTHING)
        if isinstance(value, Missing):
            yield str(name)
        elif isinstance(whole, Map) and isinstance(value, Map):
            yield from (f"{name}.{key}" for key in whole if isinstance(value.get(key, NOTHING), Missing))
