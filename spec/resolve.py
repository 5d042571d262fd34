"""Names: what a file declares, which process kind owns it, and which names clash. No model is needed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from spec.syntax import (
    ActionDeclaration,
    BesideDeclaration,
    CompletionDeclaration,
    ConstDeclaration,
    Declaration,
    EnumDeclaration,
    EventuallyDeclaration,
    ExtendsDeclaration,
    FairDeclaration,
    FieldDeclaration,
    FlushDeclaration,
    FunctionDeclaration,
    HandlerDeclaration,
    MacroDeclaration,
    MessageDeclaration,
    ModelDeclaration,
    MutantDeclaration,
    NetworkDeclaration,
    ProcDeclaration,
    ProcessDeclaration,
    PropertyDeclaration,
    RecordDeclaration,
    ScenarioDeclaration,
    TrackDeclaration,
    TypeDeclaration,
    VariableDeclaration,
)
from spec.system import Place
from spec.type_report import Report, did_you_mean, listed

SYSTEM_ACTIONS = ("flush", "crash", "restart", "drop", "duplicate")
BUILTINS = (
    "append", "disk", "kept", "len", "max", "maximum", "min", "minimum",
    "network", "old", "outbox", "pending", "size", "the", "up",
)  # fmt: skip
RESERVED = ("self", "label", "process", "deliver", "bool", "int", *BUILTINS)
MODEL_KEYS = (
    "storage", "start", "max_crashes", "max_drops", "max_duplicates", "max_retries",
    "max_in_flight", "max_copies", "max_pending", "max_steps",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """An action or handler and the process kind that it belongs to."""

    name: str
    kind: str | None
    declaration: ActionDeclaration | HandlerDeclaration


@dataclass(frozen=True, slots=True)
class ProcEntry:
    kind: str | None
    declaration: ProcDeclaration


@dataclass(slots=True)
class Declarations:
    """A file's declarations by name, in source order. Of two with one name the first is kept."""

    spec: str
    constants: dict[str, ConstDeclaration] = field(default_factory=dict)
    types: dict[str, TypeDeclaration] = field(default_factory=dict)
    enums: dict[str, EnumDeclaration] = field(default_factory=dict)
    enum_of: dict[str, EnumDeclaration] = field(default_factory=dict)  # by member
    records: dict[str, RecordDeclaration] = field(default_factory=dict)
    messages: dict[str, MessageDeclaration] = field(default_factory=dict)
    functions: dict[str, FunctionDeclaration] = field(default_factory=dict)
    procs: dict[str, ProcEntry] = field(default_factory=dict)
    processes: dict[str, ProcessDeclaration] = field(default_factory=dict)
    variables: dict[tuple[str | None, str], VariableDeclaration] = field(default_factory=dict)  # (kind, name)
    rules: dict[str, RuleEntry] = field(default_factory=dict)
    flushes: dict[str, FlushDeclaration] = field(default_factory=dict)  # by kind
    network: NetworkDeclaration | None = None
    properties: dict[tuple[str, str], PropertyDeclaration] = field(default_factory=dict)  # (kind, name)
    fairness: dict[str, FairDeclaration] = field(default_factory=dict)
    eventually: dict[str, EventuallyDeclaration] = field(default_factory=dict)
    track: TrackDeclaration | None = None
    scenarios: dict[str, ScenarioDeclaration] = field(default_factory=dict)
    completions: dict[str, CompletionDeclaration] = field(default_factory=dict)
    macros: dict[str, MacroDeclaration] = field(default_factory=dict)
    models: dict[str, ModelDeclaration] = field(default_factory=dict)
    mutants: dict[str, MutantDeclaration] = field(default_factory=dict)

    @property
    def type_names(self) -> tuple[str, ...]:
        sets = tuple(name for name, constant in self.constants.items() if constant.kind == "set")
        return ("bool", "int", *sets, *self.types, *self.enums, *self.records)

    def kinds_with(self, variable: str) -> tuple[str, ...]:
        """The process kinds that have a variable of this name."""
        return tuple(kind for kind, name in self.variables if name == variable and kind is not None)


def resolve(spec: str, declarations: tuple[Declaration, ...], report: Report) -> Declarations:
    """Every declaration under its name and owner; reports clashes (S202, S212) and homeless ones (S211, S213)."""
    return _Resolver(Declarations(spec), report).run(declarations)


@dataclass(slots=True)
class _Resolver:
    found: Declarations
    report: Report
    places: dict[tuple[str, str], Place] = field(default_factory=dict)  # (namespace, name) → first declaration

    def run(self, declarations: tuple[Declaration, ...]) -> Declarations:
        server = next((d.name for d in declarations if isinstance(d, ProcessDeclaration) and d.is_server), None)
        for declaration in declarations:
            self.declare(declaration, server)
        for (kind, name), variable in self.found.variables.items():
            if kind is not None and ("value", name) in self.places:
                self._clash(name, variable.place, self.places["value", name])
        for process in self.found.processes.values():
            constant = self.found.constants.get(process.name)
            if constant is None or constant.kind != "set":
                sets = [n for n, c in self.found.constants.items() if c.kind == "set"]
                self.report.error(
                    "S213",
                    process.place,
                    f"`{process.name}` is not a set constant; a process is declared over one (here: {listed(sets)})",
                    did_you_mean(process.name, sets, f"declare `const {process.name}: set symmetric`"),
                )
        return self.found

    def declare(self, declaration: Declaration, server: str | None) -> None:
        found = self.found
        match declaration:
            case ConstDeclaration(name=name):
                if self.fresh("value", name, declaration.place):
                    found.constants[name] = declaration
            case TypeDeclaration(name=name):
                if self.fresh("value", name, declaration.place):
                    found.types[name] = declaration
            case EnumDeclaration(name=name, members=members):
                if self.fresh("value", name, declaration.place):
                    found.enums[name] = declaration
                for member in members:
                    if self.fresh("value", member, declaration.place):
                        found.enum_of[member] = declaration
            case RecordDeclaration(name=name, fields=fields):
                self.distinct(fields, ())
                if self.fresh("value", name, declaration.place):
                    found.records[name] = declaration
            case MessageDeclaration(name=name, fields=fields):
                self.distinct(fields, ("source", "destination"))
                if self.fresh("value", name, declaration.place):
                    found.messages[name] = declaration
            case FunctionDeclaration(name=name, parameters=parameters):
                self.distinct(parameters, ("self",))
                if self.fresh("value", name, declaration.place):
                    found.functions[name] = declaration
            case VariableDeclaration(name=name):
                if self.fresh("value", name, declaration.place):
                    found.variables[None, name] = declaration
            case NetworkDeclaration():
                if self.fresh("network", "network", declaration.place):
                    found.network = declaration
            case ActionDeclaration(shared=shared):
                self.member(declaration, None if shared else server)
            case HandlerDeclaration() | ProcDeclaration() | FlushDeclaration():
                self.member(declaration, server)
            case ProcessDeclaration():
                self.process(declaration)
            case PropertyDeclaration(kind=kind, name=name):
                space = kind if kind in ("window", "actor", "outcome", "converged") else "property"
                if self.fresh(space, name, declaration.place):
                    found.properties[kind, name] = declaration
            case FairDeclaration(name=name):
                if self.fresh("fair", name, declaration.place):
                    found.fairness[name] = declaration
            case EventuallyDeclaration(name=name, parameters=parameters):
                self.distinct(parameters, ("self",))
                if self.fresh("property", name, declaration.place):
                    found.eventually[name] = declaration
            case TrackDeclaration():
                if self.fresh("track", "track", declaration.place):
                    found.track = declaration
            case ScenarioDeclaration(name=name):
                if self.fresh("scenario", name, declaration.place):
                    found.scenarios[name] = declaration
            case CompletionDeclaration(name=name, parameters=parameters):
                self.distinct(parameters, ("self", "message"))
                if self.fresh("completion", name, declaration.place):
                    found.completions[name] = declaration
            case MacroDeclaration(name=name, parameters=parameters):
                self.distinct(parameters, ())
                if self.fresh("rule", name, declaration.place):
                    found.macros[name] = declaration
            case ModelDeclaration(name=name):
                if self.fresh("model", name, declaration.place):
                    found.models[name] = declaration
            case MutantDeclaration(name=name):
                if self.fresh("mutant", name, declaration.place):
                    found.mutants[name] = declaration
            case ExtendsDeclaration() | BesideDeclaration():
                pass  # extend.py has put in their place what they stand for

    def process(self, process: ProcessDeclaration) -> None:
        if self.fresh("process", process.name, process.place):
            self.found.processes[process.name] = process
        for variable in process.variables:
            if self.fresh(f"variable of {process.name}", variable.name, variable.place):
                self.found.variables[process.name, variable.name] = variable
        for member in process.members:
            self.member(member, process.name)

    def member(
        self, member: ActionDeclaration | HandlerDeclaration | ProcDeclaration | FlushDeclaration, kind: str | None
    ) -> None:
        match member:
            case ActionDeclaration(name=name, parameters=parameters):
                self.distinct(parameters, ("self",))
                if self.fresh("rule", name, member.place):
                    self.found.rules[name] = RuleEntry(name, kind, member)
            case HandlerDeclaration(message=message, name=name):
                if kind is None:
                    self.homeless(f"the handler of `{message}`", member.place)
                if self.fresh("rule", name or message, member.place):
                    self.found.rules[name or message] = RuleEntry(name or message, kind, member)
            case ProcDeclaration(name=name, parameters=parameters):
                self.distinct(parameters, ("self",))
                if self.fresh("value", name, member.place):
                    self.found.procs[name] = ProcEntry(kind, member)
            case FlushDeclaration():
                if kind is None:
                    self.homeless("`on flush`", member.place)
                elif self.fresh("on flush of", kind, member.place):
                    self.found.flushes[kind] = member

    def homeless(self, what: str, place: Place) -> None:
        self.report.error(
            "S211",
            place,
            f"{what} stands outside any process; only a process receives messages and flushes",
            "move it into `process X:`, or declare `server:` at the top level",
        )

    def fresh(self, space: str, name: str, place: Place) -> bool:
        """Whether the name may be declared here; reports S202 or S212 if not."""
        if (space == "value" and name in RESERVED + MODEL_KEYS) or (
            space == "rule" and name in (*SYSTEM_ACTIONS, "deliver")
        ):
            self.report.error(
                "S212", place, f"`{name}` has a meaning of its own in the language", "choose another name"
            )
            return False
        first = self.places.setdefault((space, name), place)
        if first is not place:
            self._clash(name, place, first)
            return False
        return True

    def distinct(self, fields: tuple[FieldDeclaration, ...], taken: tuple[str, ...]) -> None:
        seen: dict[str, Place] = {}
        for item in fields:
            if item.name in taken:
                hint = (
                    "every message has its `source` and `destination`" if "source" in taken else "choose another name"
                )
                self.report.error("S212", item.place, f"`{item.name}` is bound already", hint)
            elif item.name in seen:
                self._clash(item.name, item.place, seen[item.name])
            seen.setdefault(item.name, item.place)

    def _clash(self, name: str, place: Place, first: Place) -> None:
        self.report.error(
            "S202", place, f"`{name}` is declared twice", f"the first declaration is at {first}; rename one"
        )


def close_names(declarations: Declarations, kind: str | None) -> Iterator[str]:
    """The names that an expression in a rule of ``kind`` could have meant."""
    yield from (name for owner, name in declarations.variables if owner in (None, kind))
    yield from declarations.constants
    yield from declarations.enum_of
    yield from declarations.type_names
