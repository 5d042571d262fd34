"""What the names of a spec mean once a model has bound its constants: sorts, messages, variables, elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from spec.resolve import Declarations
from spec.sorts import (
    BOOL,
    INT,
    AtomSort,
    EnumSort,
    IntSort,
    MapSort,
    MessageSort,
    OptionalSort,
    RecordSort,
    SeqSort,
    SetSort,
    Sort,
)
from spec.syntax import (
    AppliedType,
    Expression,
    FieldDeclaration,
    HandlerDeclaration,
    Name,
    NameType,
    RangeType,
    TypeExpression,
)
from spec.system import Place, Storage
from spec.type_messages import receivers, senders
from spec.type_report import Report, did_you_mean
from spec.type_sorts import ANY_MESSAGE, ANY_PROCESS, LARGEST_SET_OF_VALUES, described, domain_size
from spec.type_walk import names_in

ConstantValue: TypeAlias = int | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A declared variable; ``sort`` is ``None`` if its type is wrong (reported already)."""

    storage: Storage
    sort: Sort | None
    place: Place


@dataclass(slots=True)
class Environment:
    """``constants``: the model's; one that it leaves unset is absent (reported already). ``foreign``: elements that
    only other models of the file have. ``evaluate_int``: type_initial.constant_int."""

    declarations: Declarations
    constants: Mapping[str, ConstantValue]
    foreign: frozenset[str]
    report: Report
    evaluate_int: Callable[[Environment, Expression], int | None]  # types and constant expressions know each other
    atoms: dict[str, AtomSort] = field(default_factory=dict)  # by set constant
    elements: dict[str, AtomSort] = field(default_factory=dict)  # by element
    messages: dict[str, MessageSort] = field(default_factory=dict)
    variables: dict[tuple[str | None, str], Slot] = field(default_factory=dict)  # (kind, name)
    any_process: AtomSort = field(default_factory=lambda: AtomSort(ANY_PROCESS, ()))
    _named: dict[str, Sort | None] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)  # the types being resolved: a name in it again is recursion

    def __post_init__(self) -> None:
        declared = self.declarations
        for name, constant in declared.constants.items():
            value = self.constants.get(name)
            if isinstance(value, tuple):
                self.atoms[name] = AtomSort(name, value, constant.symmetric)
                self.elements |= dict.fromkeys(value, self.atoms[name])
        self.any_process = self.union(tuple(declared.processes))
        for name in (*declared.types, *declared.enums, *declared.records):
            self.named(name, None)
        self._resolve_messages()
        for key, variable in declared.variables.items():
            self.variables[key] = Slot(Storage(variable.storage), self.sort_of(variable.type), variable.place)

    def union(self, kinds: tuple[str, ...]) -> AtomSort:
        """The sort of a process that is of one of these kinds."""
        sorts = [self.atoms[kind] for kind in kinds if kind in self.atoms]
        if len(sorts) == 1:
            return sorts[0]
        elements = tuple(element for sort in sorts for element in sort.elements)
        return AtomSort(ANY_PROCESS, elements, any(sort.symmetric for sort in sorts))

    def kind_of(self, sort: Sort) -> str | None:
        """The process kind whose elements the sort has."""
        return sort.name if isinstance(sort, AtomSort) and sort.name in self.declarations.processes else None

    @property
    def any_message(self) -> MessageSort:
        """The sort of a message of any type."""
        return MessageSort(ANY_MESSAGE, self.any_process, self.any_process, ())

    def enumerable(self, sort: Sort, place: Place, purpose: str) -> bool:
        """Whether all values of the sort can be gone through, as ``purpose`` wants; reports S310 or S510 if not."""
        size = domain_size(sort)
        if size is None:
            message = f"{described(sort)} has no finite set of values {purpose}"
            self.report.error("S310", place, message, "use a range, an enum, a set constant, or a record of these")
            return False
        if size > LARGEST_SET_OF_VALUES:
            message = f"{described(sort)} has more than {LARGEST_SET_OF_VALUES} values, too many {purpose}"
            self.report.error("S510", place, message, "lower the model's constants, or use a smaller type")
            return False
        return True

    def stored_kinds(self, *, crashing: bool) -> tuple[str, ...]:
        """The process kinds with storage; ``crashing``: without those that never crash."""
        durable = {kind for (kind, _), slot in self.variables.items() if slot.storage is Storage.DURABLE}
        processes = self.declarations.processes.items()
        return tuple(name for name, p in processes if name in durable and not (crashing and p.never_crashes))

    def received_by(self, rule: str) -> tuple[str, ...]:
        """The messages that a handler receives: for `on any`, all that go to its kind."""
        entry = self.declarations.rules[rule]
        if not isinstance(entry.declaration, HandlerDeclaration):
            return ()
        if entry.declaration.message != "any":
            return (entry.declaration.message,)
        return tuple(name for name, sort in self.messages.items() if sort.destination.name == entry.kind)

    # ------------------------------------------------------------------------------------------------ types

    def sort_of(self, type_: TypeExpression, *, message: bool = False) -> Sort | None:
        """The sort that a type denotes; ``None`` after reporting what is wrong. ``message``: a message's type may
        stand here (a parameter), but nowhere a value is stored."""
        match type_:
            case NameType(name, place):
                if name in self.declarations.messages:
                    if message:
                        return self.messages.get(name)
                    self.report.error(
                        "S316", place, f"the message `{name}` is not the type of a stored value", "store its fields"
                    )
                    return None
                return self.named(name, place)
            case RangeType(low, high, place):
                return self._range(low, high, place)
            case AppliedType():
                return self._applied(type_)

    def named(self, name: str, place: Place | None) -> Sort | None:
        """The sort of a type's name. ``place``: where it is used; ``None``: do not report an unknown one."""
        if name in ("bool", "int"):
            return BOOL if name == "bool" else INT
        if name in self.declarations.constants and self.declarations.constants[name].kind == "set":
            return self.atoms.get(name)
        if name in self._named:
            return self._named[name]
        if name in self._open:
            where = self._declared_at(name)
            self.report.error(
                "S208", where, f"the type `{name}` contains itself", "a value has a finite size: break the circle"
            )
            return None
        self._open.append(name)
        sort = self._declared(name, place)
        self._open.pop()
        if name in self.declarations.type_names:
            self._named[name] = sort
        return sort

    def _declared_at(self, name: str) -> Place:
        declared = self.declarations
        return (declared.types.get(name) or declared.records[name]).place

    def _declared(self, name: str, place: Place | None) -> Sort | None:
        declared = self.declarations
        if name in declared.enums:
            return EnumSort(name, declared.enums[name].members)
        if name in declared.records:
            fields = self._fields(declared.records[name].fields)
            return None if fields is None else RecordSort(name, fields)
        if name in declared.types:
            sort = self.sort_of(declared.types[name].type)
            return IntSort(sort.low, sort.high, sort.cut_above, name) if isinstance(sort, IntSort) else sort
        if place is not None:
            known = declared.type_names
            self.report.error(
                "S203", place, f"there is no type `{name}`", did_you_mean(name, known, "declare it with `type`")
            )
        return None

    def _fields(self, fields: tuple[FieldDeclaration, ...]) -> tuple[tuple[str, Sort], ...] | None:
        sorts = [(item.name, self.sort_of(item.type)) for item in fields]
        known = tuple((name, sort) for name, sort in sorts if sort is not None)
        return known if len(known) == len(sorts) else None

    def _range(self, low: Expression, high: Expression, place: Place) -> Sort | None:
        first, last = self.constant_int(low), self.constant_int(high)
        if first is None or last is None:
            return None
        from_model = any(name in self.declarations.constants for name in names_in(high))
        if first > last and not from_model:
            self.report.error("S315", place, f"the range {first}..{last} has no value", "write the smaller bound first")
            return None
        return IntSort(first, last, cut_above=from_model)

    def _applied(self, type_: AppliedType) -> Sort | None:
        arguments = type_.arguments
        wanted = {"optional": 1, "set": 1, "seq": 2, "map": 2}.get(type_.constructor)
        if wanted is None:
            known = ("optional", "set", "seq", "map")
            hint = did_you_mean(
                type_.constructor, known, "there are optional[T], set[T], seq[T, capacity] and map[K, V]"
            )
            self.report.error("S203", type_.place, f"there is no type constructor `{type_.constructor}`", hint)
            return None
        if len(arguments) != wanted:
            shape = {"optional": "optional[T]", "set": "set[T]", "seq": "seq[T, capacity]", "map": "map[K, V]"}[
                type_.constructor
            ]
            self.report.error(
                "S306",
                type_.place,
                f"`{type_.constructor}` has {len(arguments)} argument(s), not {wanted}",
                f"write `{shape}`",
            )
            return None
        of = self._argument(arguments[0])
        match type_.constructor:
            case "optional":
                if isinstance(of, OptionalSort):
                    message = "an optional of an optional: `none` would have two meanings"
                    self.report.error("S315", type_.place, message, "drop one `optional`")
                    return None
                return None if of is None else OptionalSort(of)
            case "set":
                return None if of is None else SetSort(of)
            case "seq":
                capacity = self._capacity(arguments[1])
                return None if of is None or capacity is None else SeqSort(of, capacity)
            case _:
                value = self._argument(arguments[1])
                if of is not None and not self.enumerable(of, type_.place, "to be a map's keys"):
                    return None
                return None if of is None or value is None else MapSort(of, value)

    def _argument(self, argument: TypeExpression | Expression) -> Sort | None:
        if isinstance(argument, NameType | RangeType | AppliedType):
            return self.sort_of(argument)
        self.report.error(
            "S203", argument.place, "a type is wanted here", "write a type's name, or a range such as `0..3`"
        )
        return None

    def _capacity(self, argument: TypeExpression | Expression) -> int | None:
        if isinstance(argument, RangeType | AppliedType):
            message = "the second argument of `seq` is its capacity, a number"
            self.report.error("S315", argument.place, message, "write `seq[T, 4]` or a constant's name")
            return None
        capacity = self.constant_int(argument)
        if capacity is not None and capacity < 0:
            self.report.error("S315", argument.place, f"the capacity {capacity} is below 0", "use 0 or more")
            return None
        return capacity

    def constant_int(self, node: Expression | NameType) -> int | None:
        """The value of a constant int expression; ``None`` after reporting."""
        return self.evaluate_int(self, Name(node.name, node.place) if isinstance(node, NameType) else node)

    # --------------------------------------------------------------------------------------------- messages

    def _resolve_messages(self) -> None:
        sent, received = senders(self.declarations), receivers(self.declarations)
        for name, message in self.declarations.messages.items():
            fields = self._fields(message.fields)
            kinds = received.get(name, {})
            if len(kinds) > 1:
                first, second = list(kinds)[:2]
                self.report.error(
                    "S214",
                    kinds[second],
                    f"`{name}` is received by {first} and by {second}; a message goes to one kind of process",
                    "declare a message for each kind",
                )
            if not kinds and name in sent:
                self.report.error(
                    "S214",
                    message.place,
                    f"`{name}` is sent and no process receives it",
                    f"write a handler: `on {name} m:`",
                )
            if fields is not None:
                source = self.union(tuple(sent.get(name, self.declarations.processes)))
                destination = self.union(tuple(kinds)[:1] or tuple(self.declarations.processes))
                self.messages[name] = MessageSort(name, source, destination, fields)
