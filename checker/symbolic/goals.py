"""A sequence of goals as circuits: along an unrolled run, by which position each of its goals is met.

This is ``spec/goals.py`` with bits: ``done[k]`` says that the first k goals are met. The values of ``some`` are free
inputs, one set of them for the whole run, so that z3 chooses them beside the labels.
"""

from __future__ import annotations

from checker.symbolic.choices import proper, rule_parameters
from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.expressions import Frame
from checker.symbolic.layout import size, unpack
from checker.symbolic.state import Shape
from checker.symbolic.transition import Step
from checker.symbolic.unroll import Unrolling
from checker.symbolic.values import Symbolic, equal
from spec.goals import Goal, GoalSequence, LabelGoal, StateGoal
from spec.system import CompletionStep, Literal, Rule


class Chain:
    """The goals of one run; call :meth:`extend` for each depth in turn."""

    def __init__(self, run: Unrolling, sequence: GoalSequence) -> None:
        self.run = run
        self.sequence = sequence
        c = run.circuit
        self.some: dict[str, Symbolic] = {}
        self.proper: Bit = TRUE
        for parameter in sequence.some:
            value = unpack(tuple(c.input() for _ in range(size(parameter.sort))), parameter.sort)
            self.some[parameter.name] = value
            self.proper = c.conjunction(self.proper, proper(c, value, parameter.sort))
        self._done: list[Bit] = [TRUE] + [FALSE] * len(sequence.goals)

    def extend(self, depth: int) -> tuple[Bit, Bit]:
        """Whether all goals are met by the end of ``depth`` steps; and whether the evaluation of one that is awaited
        has failed in the last of them. Both hold of runs only whose steps before the last were taken."""
        c, failed = self.run.circuit, FALSE
        if depth:
            step = self.run.steps[depth - 1]
            for single in step.micro:
                done = list(self._done)
                for k, goal in enumerate(self.sequence.goals):
                    awaited = c.conjunction(self._done[k], self._done[k + 1] ^ 1)
                    if isinstance(goal, LabelGoal) and awaited != FALSE:
                        fits, wrong = _Fit(c, self.run.shape, single, self.some).fits(goal.pattern)
                        failed = c.disjunction(failed, c.conjunction(awaited, wrong))
                        done[k + 1] = c.disjunction(done[k + 1], c.conjunction(awaited, fits))
                self._done = done
        for k, goal in enumerate(self.sequence.goals):
            failed = c.disjunction(failed, self._meet(k, goal, depth))
        taken = self.run.steps[depth - 1].taken if depth else TRUE
        reached = c.every((self._done[-1], self.proper, taken))
        return reached, c.every((failed, self.proper, taken))

    def _meet(self, k: int, goal: Goal, depth: int) -> Bit:
        """Meets a state goal in the state after ``depth`` steps; whether its evaluation fails."""
        c = self.run.circuit
        awaited = c.conjunction(self._done[k], self._done[k + 1] ^ 1)
        if not isinstance(goal, StateGoal) or awaited == FALSE:
            return FALSE
        frame = Frame(c, self.run.shape, self.run.states[depth])
        frame.local |= self.some
        met = frame.boolean(goal.condition)
        met = c.every((awaited, met, frame.error ^ 1))
        self._done[k + 1] = c.disjunction(self._done[k + 1], met)
        return c.conjunction(awaited, frame.error)


class _Fit:
    """Whether the label of a step is what a pattern asks for."""

    def __init__(self, c: Circuit, shape: Shape, single: Step, some: dict[str, Symbolic]) -> None:
        self.c, self.shape, self.single, self.some = c, shape, single, some

    def fits(self, pattern: CompletionStep) -> tuple[Bit, Bit]:
        """Whether it fits, and whether the evaluation of the pattern fails of a label that is taken."""
        c, fits, failed = self.c, FALSE, FALSE
        for chosen, kind in zip(self.single.choices.is_kind, self.single.choices.kinds, strict=True):
            delivers = kind.rule is not None and kind.rule.message is not None
            if kind.name != pattern.rule and not (pattern.rule == "deliver" and delivers):
                continue
            for here, parts in self._parts(kind.rule, kind.uses_message, kind.uses_keep, pattern):
                taken = c.every((chosen, here, self.single.taken))
                one, wrong = self._agrees(pattern, parts)
                fits = c.disjunction(fits, c.conjunction(taken, one))
                failed = c.disjunction(failed, c.conjunction(taken, wrong))
        return fits, failed

    def _parts(
        self, rule: Rule | None, receives: bool, keeps: bool, pattern: CompletionStep
    ) -> list[tuple[Bit, dict[str, Symbolic]]]:
        """What the label binds by name, by the type of its message; with the condition that it has that type."""
        single, c = self.single, self.c
        parts: dict[str, Symbolic] = {"self": single.choices.process}
        if keeps:
            parts["keep"] = single.choices.keep
        if rule is not None:
            values = rule_parameters(single.choices.parameters, rule)
            parts |= {p.name: value for p, value in zip(rule.parameters, values, strict=True)}
        if not receives:
            return [(TRUE, parts)]
        if single.picked is None:
            return []
        wanted = dict(pattern.arguments).get("message")
        sorts = self.shape.system.messages if rule is None or rule.message is None else (rule.message,)
        found = []
        for sort in sorts:
            if wanted is None or (isinstance(wanted, Literal) and wanted.value == sort.name):
                message = self.shape.unpack_message(c, single.picked, sort)
                named = zip(("source", "destination", *(name for name, _ in sort.fields)), message.fields, strict=True)
                here = self.shape.has_type(c, single.picked, sort.name)
                found.append((here, {**parts, **dict(named), "message": message}))
        return found

    def _agrees(self, pattern: CompletionStep, parts: dict[str, Symbolic]) -> tuple[Bit, Bit]:
        c, result = self.c, TRUE
        frame = Frame(c, self.shape, self.single.before)
        frame.local |= {**self.some, **parts}
        given = [(name, value) for name, value in pattern.arguments if name != "message"]
        if pattern.process is not None:
            given.insert(0, ("self", pattern.process))
        for name, value in given:
            frame.path = result
            if name not in parts:
                return FALSE, FALSE
            result = c.conjunction(result, equal(c, parts[name], frame.value(value)))
        if pattern.when is not None:
            frame.path = result
            result = c.conjunction(result, frame.boolean(pattern.when))
        return c.conjunction(result, frame.error ^ 1), frame.error


