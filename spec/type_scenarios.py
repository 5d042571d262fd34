"""Scenarios and completions: patterns of labels, with the values that a model gives their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from spec.resolve import SYSTEM_ACTIONS
from spec.sorts import BOOL, INT, AtomSort, EnumSort, IntSort, MessageSort, Sort, Value
from spec.syntax import (
    Argument,
    CompletionDeclaration,
    CompletionStepDeclaration,
    MacroStepDeclaration,
    Name,
    PatternStep,
    ScenarioDeclaration,
)
from spec.system import (
    Bounds,
    Completion,
    CompletionStep,
    Expr,
    LabelPattern,
    Literal,
    Local,
    Place,
    Rule,
    Scenario,
)
from spec.type_constants import constant_value
from spec.type_environment import Environment
from spec.type_report import close_to, did_you_mean, listed
from spec.type_scope import PROPERTY, SCENARIO, LeftOut, Names, Scope
from spec.type_sorts import described
from spec.typecheck import expression
from spec.values import EvaluationError, contains, show

Pattern: TypeAlias = PatternStep | CompletionStepDeclaration | MacroStepDeclaration


@dataclass(slots=True)
class Patterns:
    """``rules``: the system's; those of one `on any` share a name."""

    environment: Environment
    rules: tuple[Rule, ...]
    bounds: Bounds
    notes: dict[str, str] = field(default_factory=dict)

    # ----------------------------------------------------------------------------------------- scenarios

    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenarios that the model can run; why others cannot is in ``notes``."""
        declared = self.environment.declarations.scenarios
        found = []
        for name, scenario in declared.items():
            chain = self._chain(scenario)
            if chain is None:
                continue
            try:
                steps = [self._pattern(step) for part in chain for step in part.steps]
                goal = None
                if scenario.goal is not None:
                    scope = Scope(self.environment, Names(), SCENARIO, expression)
                    goal = scope.condition(scenario.goal, "the goal of `reach`")
                self._within_budgets([s for s in steps if s is not None])
            except LeftOut as reason:
                self.notes[f"scenario {name}"] = f"left out: {reason}"
                continue
            found.append(Scenario(name, tuple(s for s in steps if s is not None), goal, scenario.place))
        return tuple(found)

    def _within_budgets(self, script: list[LabelPattern]) -> None:
        """Raises LeftOut for a script that spends more than the model allows: it is written for another model."""
        b = self.bounds
        limits = {"crash": b.crashes, "drop": b.drops, "duplicate": b.duplicates, "retry": b.retries}
        for rule, limit in limits.items():
            spent = sum(1 for step in script if step.rule == rule)
            if limit is not None and spent > limit:
                raise LeftOut(f"it has {spent} times `{rule}`, and the model allows {limit}")

    def _chain(self, scenario: ScenarioDeclaration) -> list[ScenarioDeclaration] | None:
        """The scenarios whose scripts run one after the other, this one last."""
        declared = self.environment.declarations.scenarios
        chain = [scenario]
        while chain[0].after is not None:
            before = declared.get(chain[0].after)
            if before is None:
                hint = did_you_mean(chain[0].after, declared, f"the scenarios are {listed(declared)}")
                self._error("S207", chain[0].place, f"there is no scenario `{chain[0].after}` to run after", hint)
                return None
            if before in chain:
                message = f"the scenario `{scenario.name}` runs after itself"
                self._error("S208", scenario.place, message, "break the circle of `after`")
                return None
            chain.insert(0, before)
        return chain

    def _pattern(self, step: PatternStep) -> LabelPattern | None:
        scope = Scope(self.environment, Names(), SCENARIO, expression)
        if not self.known(step, (*self.environment.declarations.rules, *SYSTEM_ACTIONS)):
            return None
        rule = step.rule
        process_sort, wanted = self.arguments_of(step)
        arguments = list(step.arguments)
        process: str | None = None
        if process_sort is not None:
            if not arguments or arguments[0].name is not None:
                message = f"`{rule}` is done by a process"
                first = next(iter(process_sort.elements), "p")
                self._error("S306", step.place, message, f"name it first: `{rule}({first})`")
                return None
            value = self._value(arguments.pop(0), process_sort, f"who does `{rule}`", scope)
            process = value if isinstance(value, str) else None
        found: list[tuple[str, Value]] = []
        good = process_sort is None or process is not None
        in_order = [name for name in wanted if name != "message" or process_sort is None]
        for position, argument in enumerate(self._named(arguments, in_order, rule)):
            if argument.name == "message" and isinstance(argument.value, Name) and "message" in wanted:
                found.append(("message", argument.value.name))
                continue
            if argument.name is None or argument.name not in wanted:
                has = listed(wanted, "no further arguments")
                message = f"`{rule}` has no `{argument.name or position + 1}`; it has {has}"
                self._error("S306", argument.place, message, close_to(argument.name or "", wanted))
                good = False
                continue
            value = self._value(argument, wanted[argument.name], f"`{argument.name}` of {rule}", scope)
            good = good and value is not _WRONG
            found.append((argument.name, value))
        return LabelPattern(rule, process, tuple(found), step.place) if good else None

    def known(self, step: Pattern, known: Sequence[str]) -> bool:
        if step.rule not in known:
            hint = did_you_mean(step.rule, known, f"the rules are {listed(known)}")
            self._error("S206", step.place, f"there is no action or handler `{step.rule}`", hint)
        return step.rule in known

    def arguments_of(self, step: Pattern) -> tuple[AtomSort | None, dict[str, Sort]]:
        """Who does the rule, and its arguments' sorts by name."""
        environment, rule = self.environment, step.rule
        if rule in ("drop", "duplicate"):
            return None, self._message_arguments(step, tuple(environment.messages.values()))
        if rule in SYSTEM_ACTIONS:
            storing = environment.union(environment.stored_kinds(crashing=rule != "flush"))
            return storing, {"keep": INT} if rule == "crash" else {}
        if rule == "deliver":
            return environment.any_process, self._message_arguments(step, tuple(environment.messages.values()))
        lowered = [each for each in self.rules if each.name == rule]
        if not lowered:
            return None, {}
        process = None if lowered[0].kind is None else environment.atoms.get(lowered[0].kind)
        if any(each.message is not None for each in lowered):
            return process, self._message_arguments(step, tuple(e.message for e in lowered if e.message is not None))
        return process, {parameter.name: parameter.sort for parameter in lowered[0].parameters}

    def _message_arguments(
        self, step: Pattern, messages: tuple[MessageSort, ...]
    ) -> dict[str, Sort]:
        """What narrows a message: its type, source and destination, and the fields that all possible ones have."""
        chosen = next((a.value for a in step.arguments if a.name == "message"), None)
        if chosen is None and step.rule in ("drop", "duplicate") and step.arguments and step.arguments[0].name is None:
            chosen = step.arguments[0].value
        if chosen is not None:
            fitting = [m for m in messages if isinstance(chosen, Name) and m.name == chosen.name]
            if not fitting:
                names = [m.name for m in messages]
                hint = did_you_mean(getattr(chosen, "name", ""), names, f"the messages are {listed(names)}")
                self._error("S210", chosen.place, f"`{step.rule}` takes the type of a message that it can have", hint)
            messages = tuple(fitting) or messages
        wanted: dict[str, Sort] = {"message": BOOL}  # a type's name, never a value: see _pattern
        if len(messages) == 1:
            (message,) = messages
            return wanted | {"source": message.source, "destination": message.destination, **dict(message.fields)}
        everyone = self.environment.any_process
        wanted |= {"source": everyone, "destination": everyone}
        common = [set(message.fields) for message in messages]
        return wanted | dict(set.intersection(*common) if common else ())

    def _named(self, arguments: Sequence[Argument], wanted: list[str], rule: str) -> list[Argument]:
        """Positional arguments take the parameters' names in order."""
        named: list[Argument] = []
        for position, argument in enumerate(arguments):
            name = argument.name
            if name is None and position < len(wanted):
                name = wanted[position]
            if name is not None and any(other.name == name for other in named):
                self._error("S306", argument.place, f"`{name}` of {rule} is given twice", "remove one")
                continue
            named.append(Argument(name, argument.value, argument.place))
        return named

    def _value(self, argument: Argument, sort: Sort, what: str, scope: Scope) -> Value:
        """The argument's value; ``_WRONG`` after reporting. Raises LeftOut if only a larger model has it."""
        expr = scope.stored(argument.value, sort, what)
        if expr is None:
            return _WRONG
        try:
            value = constant_value(expr, {})
        except (EvaluationError, KeyError, IndexError) as error:
            self._error("S313", argument.place, f"{what} is not a constant: {error}", "write a value")
            return _WRONG
        if contains(sort, value):
            return value
        if isinstance(sort, IntSort) and sort.cut_above and value > (sort.high or 0):
            raise LeftOut(f"{what} is {value}, and the model's {sort} ends at {sort.high}")
        self._error(
            "S314", argument.place, f"{what} is {described(sort)}; {show(sort, value)} is not", "write another value"
        )
        return _WRONG

    # --------------------------------------------------------------------------------------- completions

    def completion(self, node: CompletionDeclaration) -> Completion:
        scope = Scope(self.environment, self.names_beside_labels(), PROPERTY, expression)
        parameters, scope = scope.choosing(node.parameters, "choose")
        steps = [self.completion_step(step, scope) for step in node.steps]
        return Completion(node.name, parameters, tuple(s for s in steps if s is not None), node.place)

    def names_beside_labels(self) -> Names:
        """A label's arguments are bound beside the parameters: a parameter of the same name gets another one."""
        labels = [p.name for rule in self.rules for p in rule.parameters]
        labels += [name for message in self.environment.messages.values() for name, _ in message.fields]
        return Names(("self", "message", "source", "destination", "keep", *labels))

    def completion_step(self, step: CompletionStepDeclaration, scope: Scope) -> CompletionStep | None:
        known = (*self.environment.declarations.rules, *SYSTEM_ACTIONS, "deliver")
        if not self.known(step, known):
            return None
        process_sort, wanted = self.arguments_of(step)
        process: Expr | None = None
        found: list[tuple[str, Expr]] = []
        good = True
        for position, argument in enumerate(step.arguments):
            first = argument.name is None and position == 0
            if (
                isinstance(argument.value, Name)
                and "message" in wanted
                and (argument.name == "message" or (first and process_sort is None))
            ):
                types = EnumSort("message", tuple(self.environment.messages))
                found.append(("message", Literal(argument.value.name, types)))
            elif first and process_sort is not None:
                process = scope.stored(argument.value, process_sort, f"who does `{step.rule}`")
                good = good and process is not None
            elif argument.name is None or argument.name not in wanted:
                message = (
                    f"`{step.rule}` has no `{argument.name or position + 1}`; it has {listed(wanted, 'no arguments')}"
                )
                self._error("S306", argument.place, message, close_to(argument.name or "", wanted))
                good = False
            else:
                value = scope.stored(argument.value, wanted[argument.name], f"`{argument.name}` of {step.rule}")
                good = good and value is not None
                if value is not None:
                    found.append((argument.name, value))
        when = None
        if step.when is not None:
            type_ = next((v.value for name, v in found if name == "message" and isinstance(v, Literal)), None)
            locals_ = self._label_locals(step.rule, process_sort, type_)
            inner = replace(scope, locals={**locals_, **scope.locals})
            when = inner.condition(step.when, "the condition of `when`")
            good = good and when is not None
        return CompletionStep(step.rule, process, tuple(found), when, step.place) if good else None

    def _label_locals(self, name: str, process: AtomSort | None, type_: str | None) -> dict[str, Local | None]:
        """What a label of the rule binds in `when`: who does it, its parameters, its message (of this type, if it is
        named)."""
        lowered = [rule for rule in self.rules if rule.name == name]
        found: dict[str, Local | None] = {} if process is None else {"self": Local("self", process)}
        found |= {p.name: Local(p.name, p.sort) for rule in lowered for p in rule.parameters}
        if type_ in self.environment.messages:
            found["message"] = Local("message", self.environment.messages[type_])
        elif len(lowered) == 1 and lowered[0].message is not None:
            found["message"] = Local("message", lowered[0].message)
        elif name in ("drop", "duplicate", "deliver") or len(lowered) > 1:
            found["message"] = Local("message", self.environment.any_message)
        return found

    def _error(self, code: str, place: Place, message: str, hint: str | None) -> None:
        self.environment.report.error(code, place, message, hint)


class _Wrong:
    """What stands for a value that was reported: ``None`` is a value."""


_WRONG = _Wrong()
