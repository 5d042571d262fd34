"""Macros: sequences of labels that are one step at the macro grain, with what ties each label to those before it."""

from __future__ import annotations

from dataclasses import dataclass, field

from spec.resolve import SYSTEM_ACTIONS
from spec.sorts import AtomSort, EnumSort, Sort
from spec.syntax import Argument, MacroDeclaration, MacroStepDeclaration, Name
from spec.system import Literal, Local, Macro, MacroStep, Parameter, Place
from spec.type_constants import constant_value
from spec.type_report import close_to, listed
from spec.type_scenarios import Patterns
from spec.type_scope import PROPERTY, Names, Scope
from spec.type_sorts import described
from spec.typecheck import expression
from spec.values import EvaluationError, contains, show


def macro(patterns: Patterns, node: MacroDeclaration) -> Macro:
    """The macro, with what is wrong in it reported."""
    return _Macro(patterns, node).typed()


@dataclass(slots=True)
class _Macro:
    """``sorts``: of the parameters; ``None``: reported already. ``bound``: those that a step so far gives a value."""

    patterns: Patterns
    node: MacroDeclaration
    sorts: dict[str, Sort | None] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)

    def typed(self) -> Macro:
        environment = self.patterns.environment
        for declared in self.node.parameters:
            sort = environment.sort_of(declared.type)
            if sort is not None and not environment.enumerable(sort, declared.place, "to choose from"):
                sort = None
            self.sorts[declared.name] = sort
        steps = [self.step(step, first=i == 0) for i, step in enumerate(self.node.steps)]
        for declared in self.node.parameters:
            if declared.name not in self.bound and None not in steps:
                message = f"no step of the macro `{self.node.name}` says what `{declared.name}` is"
                self.error("S417", declared.place, message, "name it in a step without `try`, or remove it")
        parameters = tuple(Parameter(name, sort) for name, sort in self.sorts.items() if sort is not None)
        return Macro(self.node.name, parameters, tuple(s for s in steps if s is not None), self.node.place)

    def step(self, step: MacroStepDeclaration, *, first: bool) -> MacroStep | None:
        if not self.patterns.known(step, (*self.patterns.environment.declarations.rules, *SYSTEM_ACTIONS)):
            return None
        process_sort, wanted = self.patterns.arguments_of(step)
        process: Literal | Local | None = None
        found: list[tuple[str, Literal | Local]] = []
        good = True
        for position, argument in enumerate(step.arguments):
            leading = argument.name is None and position == 0
            if (
                isinstance(argument.value, Name)
                and "message" in wanted
                and (argument.name == "message" or (leading and process_sort is None))
            ):
                types = EnumSort("message", tuple(self.patterns.environment.messages))
                found.append(("message", Literal(argument.value.name, types)))
            elif leading and process_sort is not None:
                process = self.value(argument, process_sort, f"who does `{step.rule}`")
                good = good and process is not None
            elif argument.name is None or argument.name not in wanted:
                has = listed(wanted, "no arguments")
                message = f"`{step.rule}` has no `{argument.name or position + 1}`; it has {has}"
                self.error("S306", argument.place, message, close_to(argument.name or "", wanted))
                good = False
            else:
                value = self.value(argument, wanted[argument.name], f"`{argument.name}` of {step.rule}")
                good = good and value is not None
                if value is not None:
                    found.append((argument.name, value))
        if step.optional and good:
            good = self.may_be_left_out(step, process, first=first)
        if not good:
            return None
        named = {v.name for v in (process, *(value for _, value in found)) if isinstance(v, Local)}
        self.bound |= named
        return MacroStep(step.rule, process, tuple(found), step.optional, step.place)

    def may_be_left_out(self, step: MacroStepDeclaration, process: Literal | Local | None, *, first: bool) -> bool:
        """`try` needs a step of which it is known, before any choice, whether it can be taken."""
        if step.rule != "flush":
            message = f"`try {step.rule}`: only a flush can be left out, where nothing is pending"
            self.error("S416", step.place, message, "write a second macro without this step")
        elif first:
            hint = "begin with a step that is always taken"
            self.error("S416", step.place, "a macro does not begin with `try`", hint)
        elif process is None or (isinstance(process, Local) and process.name not in self.bound):
            message = "`try flush` says whose flush, by a name that an earlier step gives a value"
            self.error("S416", step.place, message, f"write `try flush(p)` with p one of {listed(sorted(self.bound))}")
        else:
            return True
        return False

    def value(self, argument: Argument, sort: Sort, what: str) -> Literal | Local | None:
        """A parameter of a fitting sort, or a constant."""
        node = argument.value
        if isinstance(node, Name) and node.name in self.sorts:
            own = self.sorts[node.name]
            if own is None:
                return None
            if not _fits(own, sort):
                message = f"{what} is {described(sort)}; `{node.name}` is {described(own)}"
                self.error("S301", argument.place, message, f"declare `{node.name}: {sort}`")
                return None
            return Local(node.name, own)
        scope = Scope(self.patterns.environment, Names(), PROPERTY, expression)
        expr = scope.stored(node, sort, what)
        if expr is None:
            return None
        try:
            value = constant_value(expr, {})
        except (EvaluationError, KeyError, IndexError):
            message = f"{what} is neither a parameter of the macro nor a constant"
            self.error("S313", argument.place, message, "a macro reads no state: give it a parameter")
            return None
        if not contains(sort, value):
            self.error("S314", argument.place, f"{what} is {described(sort)}; {show(sort, value)} is not", None)
            return None
        return Literal(value, sort)

    def error(self, code: str, place: Place, message: str, hint: str | None) -> None:
        self.patterns.environment.report.error(code, place, message, hint)


def _fits(parameter: Sort, place: Sort) -> bool:
    """Whether a parameter can be what stands in the place: a process among others, or a value of the same sort."""
    if isinstance(parameter, AtomSort) and isinstance(place, AtomSort):
        return not set(parameter.elements).isdisjoint(place.elements)
    return parameter == place
