"""Types of expressions: syntax in, typed IR out. A wrong part is reported and ``None`` stands for it, so that one
mistake is one error and the rest of the file is still checked.
"""

from __future__ import annotations

from spec import type_builtins, type_calls, type_operators, type_structures
from spec.sorts import (
    BOOL,
    INT,
    AtomSort,
    EnumSort,
    MessageSort,
    OptionalSort,
    RecordSort,
    SetSort,
    Sort,
    domain,
)
from spec.syntax import (
    Boolean,
    Call,
    Conditional,
    Dot,
    Expression,
    Infix,
    MapBuilder,
    Name,
    NoneLiteral,
    Number,
    Prefix,
    QuantifiedExpression,
    SeqDisplay,
    SetBuilder,
    SetDisplay,
    Subscript,
)
from spec.system import (
    Expr,
    Field,
    Layer,
    Literal,
    Local,
    Place,
    Quantifier,
    Read,
    Storage,
)
from spec.type_report import close_to, listed
from spec.type_scope import LeftOut, Scope
from spec.type_sorts import (
    described,
)


def expression(node: Expression, scope: Scope, expected: Sort | None = None) -> Expr | None:
    """The IR of an expression; see :meth:`Scope.typed`."""
    match node:
        case Number(value):
            return Literal(value, INT)
        case Boolean(value):
            return Literal(value, BOOL)
        case NoneLiteral():
            return _none(node, scope, expected)
        case Name():
            return _name(node, scope)
        case Dot():
            return _dot(node, scope)
        case Call():
            return type_calls.call(node, scope, expected)
        case Subscript():
            return type_structures.subscript(node, scope, expected)
        case Prefix():
            return type_operators.prefix(node, scope)
        case Infix():
            return type_operators.infix(node, scope, expected)
        case Conditional():
            return type_structures.conditional(node, scope, expected)
        case SetDisplay():
            return type_structures.set_display(node, scope, expected)
        case SeqDisplay():
            return type_structures.seq_display(node, scope, expected)
        case SetBuilder():
            return type_structures.set_builder(node, scope, expected)
        case MapBuilder():
            return type_structures.map_builder(node, scope, expected)
        case QuantifiedExpression(quantifier, binders, body):
            return type_structures.quantified(Quantifier(quantifier), binders, body, scope)


# -------------------------------------------------------------------------------------------------- names


def _none(node: NoneLiteral, scope: Scope, expected: Sort | None) -> Expr | None:
    if isinstance(expected, OptionalSort):
        return Literal(None, expected)
    if expected is None:
        message = "nothing here tells which optional this `none` is"
        scope.report.error("S308", node.place, message, "compare or assign it")
    else:
        message = f"`none` is a value of an optional type only; {described(expected)} is wanted"
        scope.report.error("S301", node.place, message, f"declare the place as optional[{expected}], or give a value")
    return None


def _name(node: Name, scope: Scope) -> Expr | None:
    name, environment = node.name, scope.environment
    if name in scope.locals:
        return scope.locals[name]
    if scope.process is not None and (scope.process.name, name) in environment.variables:
        if "self" not in scope.locals:
            scope.unknown(name, node.place)
            return None
        return variable(scope.process.name, name, Local("self", scope.process), scope, node.place)
    if (None, name) in environment.variables:
        return variable(None, name, None, scope, node.place)
    constant = environment.declarations.constants.get(name)
    if constant is not None and constant.kind != "set":
        value = environment.constants.get(name)
        return None if value is None else Literal(value, BOOL if constant.kind == "bool" else INT)
    if name in environment.declarations.enum_of:
        enum = environment.declarations.enum_of[name]
        return Literal(name, EnumSort(enum.name, enum.members))
    if name in environment.elements:
        return _element(name, environment.elements[name], scope, node.place)
    if name in environment.declarations.type_names:
        return _values_of(name, scope, node.place)
    if name in environment.foreign and scope.permissions.elements:
        raise LeftOut(f"the model has no {name}")
    if name in type_builtins.BUILTIN_FORMS or name == "label":
        form = type_builtins.BUILTIN_FORMS.get(name, "`label == timeout` in an action invariant")
        scope.report.error("S312", node.place, f"`{name}` is not a value by itself", f"write {form}")
        return None
    scope.unknown(name, node.place)
    return None


def _element(name: str, sort: AtomSort, scope: Scope, place: Place) -> Expr | None:
    if sort.symmetric and not scope.permissions.elements:
        message = f"`{name}` is an element of the symmetric set {sort.name}; only models and scenarios may name one"
        scope.report.error("S411", place, message, f"quantify over {sort.name}, or declare it without `symmetric`")
        return None
    return Literal(name, sort)


def _values_of(name: str, scope: Scope, place: Place) -> Expr | None:
    sort = scope.environment.named(name, place)
    if sort is None:
        return None
    if not scope.environment.enumerable(sort, place, "to write as a set"):
        return None
    return Literal(frozenset(domain(sort)), SetSort(sort))


def variable(
    kind: str | None, name: str, process: Expr | None, scope: Scope, place: Place, layer: Layer = Layer.MEMORY
) -> Expr | None:
    """A read of a declared variable, if it may be read here."""
    slot = scope.environment.variables[kind, name]
    where, report = scope.permissions, scope.report
    if not where.state:
        report.error("S313", place, f"`{name}` is a variable; {where.where} reads none", "use constants and literals")
    elif slot.storage is Storage.GHOST and not where.ghosts:
        message = f"`{name}` is a ghost; only properties, goals, windows and other ghosts read it"
        report.error("S403", place, message, "keep what the protocol needs in a process's variable")
    elif process is not None and not where.observe and process != Local("self", process.sort):
        message = f"{where.where} cannot read another process's memory (`{name}` of a {process.sort})"
        report.error("S402", place, message, "let that process send it in a message")
    elif slot.sort is not None:
        return Read(name, process, slot.sort, layer, scope.old, place)
    return None


def _dot(node: Dot, scope: Scope) -> Expr | None:
    if isinstance(node.of, Call) and node.of.name == "disk":
        return type_builtins.disk(node, node.of, scope)
    if isinstance(node.of, Call) and node.of.name == "kept":
        return type_builtins.kept(node, node.of, scope)
    of = scope.typed(node.of)
    if of is None:
        return None
    match of.sort:
        case RecordSort(name, fields):
            if node.name in dict(fields):
                return Field(of, node.name, dict(fields)[node.name])
            known, what = [field for field, _ in fields], f"the record {name}"
        case MessageSort(name, _, _, fields):
            known, what = ["source", "destination", *(field for field, _ in fields)], f"the message {name}"
            if node.name in known:
                return Field(of, node.name, of.sort.field_sort(node.name))
        case sort if scope.environment.kind_of(sort) is not None:
            kind = scope.environment.kind_of(sort)
            if (kind, node.name) in scope.environment.variables:
                return variable(kind, node.name, of, scope, node.place)
            known = [name for owner, name in scope.environment.variables if owner == kind]
            what = f"the process kind {kind}"
        case OptionalSort():
            hint = "check that it is not none, then write `the(x).field`"
            scope.report.error("S305", node.place, f"an optional has no field `{node.name}`; it may be none", hint)
            return None
        case sort:
            message = f"`.{node.name}` of {described(sort)}; only records, messages and processes have fields"
            scope.report.error("S305", node.place, message, None)
            return None
    message = f"{what} has no `{node.name}`; it has {listed(known)}"
    scope.report.error("S305", node.place, message, close_to(node.name, known))
    return None
