"""A question asked at the macro grain, and its answer in micro labels: replayed one by one before it is believed."""

from __future__ import annotations

from dataclasses import replace

from checker.question import Question
from checker.verdict import Exit, Stop
from spec.evaluate import Cut, EvaluationError, Evaluator, NotEnabled
from spec.grains import coarsened, micro_labels
from spec.script import describe
from spec.state import Label


def at_macro_grain(question: Question) -> Question:
    """The same question about the system at the macro grain. Raises Stop if the spec declares no macro."""
    if not question.system.macros:
        raise Stop(
            Exit.USAGE,
            f"{question.path.name} declares no macro, so it has no macro grain; declare `macro NAME(…):`, or leave out "
            "--grain macro",
        )
    system = coarsened(question.system)
    return replace(question, system=system, evaluator=Evaluator(system))


def spans(coarse: Question, labels: tuple[Label, ...]) -> tuple[tuple[str, int], ...]:
    """The steps of a run at the macro grain: each one's name, and how many labels it stands for."""
    return tuple((label.rule, len(micro_labels(coarse.system, (label,)))) for label in labels)


def replayed(
    question: Question, coarse: Question, labels: tuple[Label, ...], violated: str | None
) -> tuple[Label, ...]:
    """The micro labels of a run that was found at the macro grain, up to where the property is violated first
    (``None``: up to the label whose evaluation fails), confirmed by the evaluator label by label. Raises Stop if it is
    not."""
    evaluator = question.evaluator
    run = micro_labels(coarse.system, labels)
    (state,) = evaluator.initial_states()
    if violated in evaluator.violated(state):
        return ()
    for number, label in enumerate(run, 1):
        try:
            after = evaluator.successor(state, label)
            broken = [*evaluator.violated_by_step(state, label, after), *evaluator.violated(after)]
        except EvaluationError:
            if violated is None:
                return run[:number]
            raise
        except (NotEnabled, Cut) as refusal:
            reason = type(refusal).__name__
            what = f"label {number} of the macro run, {describe(label)}, cannot be taken: {reason} {refusal}"
            raise Stop(Exit.ENGINES_DISAGREE, what) from refusal
        if violated in broken:
            return run[:number]
        state = after
    what = violated or "an evaluation that fails"
    raise Stop(Exit.ENGINES_DISAGREE, f"the macro run, replayed label by label, does not come to {what}")
