"""Types of the goals that a command line gives: what a property of the spec may say, and elements may be named."""

from __future__ import annotations

from math import prod

from spec.goals import Goal, GoalSequence, LabelGoal, StateGoal, some
from spec.parse_goals import GoalSyntax, GoalText, SomeSyntax, parse_goal, parse_some
from spec.resolve import RESERVED, SYSTEM_ACTIONS
from spec.sorts import BOOL, Sort
from spec.syntax import Argument, Call, CompletionStepDeclaration, Expression, Name
from spec.system import Binary, Expr, Operator, Parameter, Place, Property, System, Unary, UnaryOperator
from spec.type_environment import Environment
from spec.type_report import Report
from spec.type_scenarios import Patterns
from spec.type_scope import LeftOut, Permissions, Scope
from spec.type_sorts import domain_size
from spec.typecheck import expression

MOST_CHOICES = 10_000
"""Of values for the names that goals share."""

GOAL = Permissions("a goal", observe=True, ghosts=True, elements=True)


def goal_sequence(
    environment: Environment, system: System, texts: tuple[GoalText, ...], names: GoalText | None
) -> GoalSequence | None:
    """What the texts say; ``None`` after reporting what is wrong with them. ``names``: of ``some``."""
    return _Goals(environment, system).sequence(texts, names)


class _Goals:
    def __init__(self, environment: Environment, system: System) -> None:
        self.environment = environment
        self.report: Report = environment.report
        self.system = system
        self.patterns = Patterns(environment, system.rules, system.bounds)

    def sequence(self, texts: tuple[GoalText, ...], names: GoalText | None) -> GoalSequence | None:
        scope = Scope(self.environment, self.patterns.names_beside_labels(), GOAL, expression)
        parameters: list[Parameter] = []
        if names is not None:
            declared, faults = parse_some(names)
            self.report.add(faults)
            for one in declared:
                sort = self._sort_of(one, [p.name for p in parameters])
                unique, scope = scope.bind(one.name, sort)
                if sort is not None:
                    parameters.append(Parameter(unique, sort))
            self._few(names, parameters)
        found = [self._goal(text, scope) for text in texts]
        good = [goal for goal in found if goal is not None]
        return GoalSequence(tuple(parameters), tuple(good)) if not self.report.has_errors else None

    def _sort_of(self, one: SomeSyntax, before: list[str]) -> Sort | None:
        """The sort of a shared name; ``None`` after reporting what is wrong with it."""
        if one.name in before:
            self.report.error("S202", one.place, f"`{one.name}` is bound twice", "choose another name")
        elif one.name in (*RESERVED, "message"):
            hint = "choose another name"
            self.report.error("S212", one.place, f"`{one.name}` has a meaning of its own in the language", hint)
        else:
            sort = self.environment.sort_of(one.type)
            if sort is not None and self.environment.enumerable(sort, one.place, f"to choose `{one.name}` from"):
                return sort
        return None

    def _few(self, names: GoalText, parameters: list[Parameter]) -> None:
        """All combinations are followed along a run."""
        count = prod(domain_size(parameter.sort) or 1 for parameter in parameters)
        if count > MOST_CHOICES:
            message = f"the names have {count:,} combinations of values; at most {MOST_CHOICES:,} are followed"
            self.report.error("S510", Place(names.file, 1, 1), message, "bind fewer, or smaller ones")

    def _goal(self, text: GoalText, scope: Scope) -> Goal | None:
        parsed, faults = parse_goal(text)
        self.report.add(faults)
        if parsed is None:
            return None
        try:
            label = self._label(parsed)
            if label is not None:
                pattern = self.patterns.completion_step(label, scope)
                return None if pattern is None else LabelGoal(text.text, pattern)
            condition = self._condition(parsed, scope)
            return None if condition is None else StateGoal(text.text, condition)
        except LeftOut as reason:
            hint = "name elements of this model, or choose another with --model"
            self.report.error("S201", Place(text.file, 1, 1), f"the goal names what the model has not: {reason}", hint)
            return None

    def _label(self, parsed: GoalSyntax) -> CompletionStepDeclaration | None:
        """The goal as a pattern of a label, if it starts with the name of a rule or a system action."""
        name, arguments = _called(parsed.of)
        if name not in (*self.environment.declarations.rules, *SYSTEM_ACTIONS, "deliver"):
            return None
        return CompletionStepDeclaration(name, arguments, parsed.when, parsed.of.place)

    def _condition(self, parsed: GoalSyntax, scope: Scope) -> Expr | None:
        if parsed.when is not None:
            message = "`when` says more about a label, and there is no label before it"
            hint = "write `crash(s1) when …`, or join conditions by `and`"
            self.report.error("S206", parsed.when.place, message, hint)
            return None
        if isinstance(parsed.of, Name) and (named := self._named(parsed.of.name)) is not None:
            return named
        return scope.condition(parsed.of, "a goal")

    def _named(self, name: str) -> Expr | None:
        """What a `sometimes`, a scenario's goal or a window of this name says of a state."""
        system = self.system
        for property_ in system.sometimes:
            if property_.name == name:
                return property_.expr
        for scenario in system.scenarios:
            if scenario.name == name and scenario.goal is not None:
                return scenario.goal
        return self._window(system.windows, name)

    def _window(self, windows: tuple[Property, ...], name: str) -> Expr | None:
        """Of some tracked element, that the window matches and none before it: the first that matches wins."""
        position = next((i for i, window in enumerate(windows) if window.name == name), None)
        if position is None:
            return None
        condition = windows[position].expr
        for earlier in reversed(windows[:position]):
            not_earlier = Unary(UnaryOperator.NOT, earlier.expr, BOOL)
            condition = Binary(Operator.AND, not_earlier, condition, BOOL)
        track = self.system.track
        return condition if track is None else some(track.name, track.sort, condition)


def _called(node: Expression) -> tuple[str, tuple[Argument, ...]]:
    match node:
        case Name(name):
            return name, ()
        case Call(name, arguments):
            return name, arguments
    return "", ()
