"""Where an expression stands: which names it sees and what it may read there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from spec.resolve import close_names
from spec.sorts import AtomSort, BoolSort, IntSort, OptionalSort, SetSort, Sort
from spec.syntax import Conditional, Expression, FieldDeclaration, NoneLiteral, SeqDisplay, SetDisplay
from spec.system import Checked, Expr, Literal, Local, Parameter, Place
from spec.type_environment import Environment
from spec.type_report import Report, did_you_mean
from spec.type_sorts import always_within, coerced, described


@dataclass(frozen=True, slots=True)
class Permissions:
    """What an expression may read beyond constants and its own process. ``observe``: up, pending, outbox, network,
    disk, and other processes' memory. ``elements``: naming elements of symmetric sets. ``step``: `old` and `label`.
    ``kept``: what a crash would leave."""

    where: str
    state: bool = True
    observe: bool = False
    ghosts: bool = False
    elements: bool = False
    step: bool = False
    kept: bool = False


CONSTANT = Permissions("a constant expression", state=False)
RULE = Permissions("a rule")
GHOST_VALUE = Permissions("a ghost's value", observe=True, ghosts=True)
PROPERTY = Permissions("a property", observe=True, ghosts=True)
CONJUNCT = Permissions("an inductive conjunct", observe=True, ghosts=True, kept=True)
STEP_PROPERTY = Permissions("an action invariant", observe=True, ghosts=True, step=True)
MODEL = Permissions("a model's constraint", observe=True, ghosts=True, elements=True)
SCENARIO = Permissions("a scenario", observe=True, ghosts=True, elements=True)


class LeftOut(Exception):
    """A scenario names what this model does not have: it is left out of the model's system. The text says what."""


class Names:
    """Gives each bound variable of one rule or property a name of its own: `x`, then `x#2`, …"""

    def __init__(self, taken: tuple[str, ...] = ()) -> None:
        self._used = dict.fromkeys(taken, 1)

    def fresh(self, name: str) -> str:
        count = self._used.get(name, 0) + 1
        self._used[name] = count
        return name if count == 1 else f"{name}#{count}"


Elaborate: TypeAlias = Callable[[Expression, "Scope", Sort | None], Expr | None]


@dataclass(frozen=True, slots=True)
class Scope:
    """``locals``: ``None`` for a name whose value is wrong (reported already: everything that uses it is silent).
    ``process``: the acting process's sort, whose variables bare names are. ``calls``: functions being inlined."""

    environment: Environment
    names: Names
    permissions: Permissions
    elaborate: Elaborate
    locals: Mapping[str, Local | None] = field(default_factory=dict)
    process: AtomSort | None = None
    old: bool = False
    calls: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        return self.environment.report

    def typed(self, node: Expression, expected: Sort | None = None) -> Expr | None:
        """The expression's IR; ``None`` after reporting what is wrong. ``expected`` gives `{}`, `[]`, `none` and
        displays their type; whether the result fits it is the caller's question."""
        return self.elaborate(node, self, expected)

    def skim(self, node: Expression) -> None:
        """Reports what is wrong inside an expression whose place is wrong itself, so that it has no context."""
        if not is_open(node):
            self.typed(node)

    def stored(self, node: Expression, want: Sort | None, what: str) -> Expr | None:
        """The expression as a value of ``want``; ``what`` names the place it goes to."""
        expr = self.typed(node, want)
        if expr is None or want is None:
            return None
        result = coerced(expr, want)
        if result is None:
            hint = None
            if isinstance(expr.sort, OptionalSort) and coerced(Literal(None, expr.sort.of), want) is not None:
                hint = "`the(x)` is the value of an optional that is not none"
            if isinstance(want, SetSort) and coerced(expr, want.of) is not None:
                hint = "put the element in braces: `{x}`"
            message = f"{what} is {described(want)}; this is {described(expr.sort)}"
            self.report.error("S301", node.place, message, hint or f"write an expression of type {want}")
        elif isinstance(result, Literal) and self._never_fits(result, want):
            message = f"{what} is {described(want)}; {result.value} is not in {want_range(want)}"
            self.report.error("S314", node.place, message, f"write a value of {want_range(want)}")
        return result

    def checked(self, node: Expression, want: Sort | None, what: str) -> Expr | None:
        """``stored``, and checked to be within ``want`` when it is evaluated."""
        expr = self.stored(node, want, what)
        return None if expr is None or want is None else within(expr, want, what, node.place)

    def condition(self, node: Expression, what: str) -> Expr | None:
        expr = self.typed(node)
        if expr is not None and not isinstance(expr.sort, BoolSort):
            message = f"{what} is a bool; this is {described(expr.sort)}"
            self.report.error(
                "S304", node.place, message, "compare it with something: `x == y`, `x != none`, `s != {}`"
            )
            return None
        return expr

    @staticmethod
    def _never_fits(expr: Literal, want: Sort) -> bool:
        if not isinstance(want, IntSort) or want.low is None or want.high is None:
            return False
        return expr.value < want.low or (expr.value > want.high and not want.cut_above)

    def bind(self, name: str, sort: Sort | None) -> tuple[str, Scope]:
        """A scope that sees a new local, and the local's name in the IR. ``sort`` ``None``: its value is wrong."""
        unique = self.names.fresh(name)
        local = None if sort is None else Local(unique, sort)
        return unique, replace(self, locals={**self.locals, name: local})

    def choosing(self, declared: tuple[FieldDeclaration, ...], purpose: str) -> tuple[tuple[Parameter, ...], Scope]:
        """Parameters that are chosen from all values of their sorts, for this ``purpose``, and a scope with them."""
        scope, parameters = self, []
        for parameter in declared:
            sort = self.environment.sort_of(parameter.type)
            if sort is not None:
                self.environment.enumerable(sort, parameter.place, f"to {purpose} `{parameter.name}` from")
            unique, scope = scope.bind(parameter.name, sort)
            if sort is not None:
                parameters.append(Parameter(unique, sort))
        return tuple(parameters), scope

    def unknown(self, name: str, place: Place) -> None:
        """Reports a name that nothing declares (S201), or one that is declared and not seen here (S215)."""
        declared = self.environment.declarations
        kinds = declared.kinds_with(name)
        if kinds:
            owners = " and ".join(kinds)
            if self.process is None:
                hint = f"write `p.{name}` of some process p, or pass it as an argument"
            else:
                hint = f"only a property may read another process's variable, as `p.{name}`; let the process send it"
            self.report.error(
                "S215", place, f"`{name}` is a variable of {owners} and is not seen by this name here", hint
            )
            return
        for what, names in (
            ("a function", declared.functions),
            ("a proc", declared.procs),
            ("a message", declared.messages),
        ):
            if name in names:
                self.report.error("S201", place, f"`{name}` is {what}, not a value", f"call it: `{name}(…)`")
                return
        known = (*self.locals, *close_names(declared, None if self.process is None else self.process.name))
        hint = did_you_mean(name, known, "declare it, or bind it with `let`")
        self.report.error("S201", place, f"there is no `{name}` here", hint)


def is_open(node: Expression) -> bool:
    """Whether only its context gives the expression its type: `{}`, `[]`, `none`, and displays of these."""
    match node:
        case NoneLiteral():
            return True
        case SetDisplay(elements) | SeqDisplay(elements):
            return all(is_open(element) for element in elements)
        case Conditional(_, then, otherwise):
            return is_open(then) and is_open(otherwise)
    return False


def within(expr: Expr, sort: Sort, what: str, place: Place) -> Expr:
    return expr if always_within(expr, sort) else Checked(expr, sort, what, place)


def want_range(sort: Sort) -> str:
    assert isinstance(sort, IntSort)
    return f"{sort.low}..{sort.high}"
