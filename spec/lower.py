"""From a file's declarations under one model to the typed IR: a :class:`System` without names and constants."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from spec.effects import check_paths
from spec.resolve import Declarations, RuleEntry
from spec.syntax import ActionDeclaration, Body, HandlerDeclaration, ModelDeclaration, PropertyDeclaration, Setting
from spec.system import (
    Agreement,
    Block,
    Enumeration,
    Expr,
    Local,
    Network,
    NetworkKind,
    Parameter,
    Place,
    ProcessKind,
    Property,
    Rule,
    Scenario,
    Storage,
    System,
    Track,
    Variable,
)
from spec.type_environment import Environment
from spec.type_initial import constant_int, variable_with_initial
from spec.type_liveness import Liveness
from spec.type_macros import macro as lowered_macro
from spec.type_models import Binding, bind
from spec.type_report import Report, did_you_mean, listed
from spec.type_scenarios import Patterns
from spec.type_scope import CONJUNCT, MODEL, PROPERTY, RULE, STEP_PROPERTY, LeftOut, Names, Permissions, Scope
from spec.type_settle import settled
from spec.type_statements import Acting, statements
from spec.typecheck import expression

_ANYWHERE = Permissions("a function", observe=True, ghosts=True, step=True, kept=True)


@dataclass(frozen=True, slots=True)
class MutantName:
    """A mutant that was applied, and the properties that it says it breaks."""

    name: str
    expects: tuple[str, ...]


def lower(
    declarations: Declarations,
    model: ModelDeclaration,
    overrides: Collection[Setting],
    mutant: MutantName | None,
    report: Report,
) -> System:
    """The system under the model. It is whole only if ``report`` has no errors afterwards."""
    binding = bind(declarations, model, overrides, report)
    environment = Environment(declarations, binding.constants, binding.foreign, report, constant_int)
    return _Lowering(declarations, environment, binding, model, report, bool(overrides)).run(mutant)


@dataclass(frozen=True, slots=True)
class _Lowering:
    declarations: Declarations
    environment: Environment
    binding: Binding
    model: ModelDeclaration
    report: Report
    overridden: bool

    def run(self, mutant: MutantName | None) -> System:
        variables = self.variables()
        rules = tuple(rule for entry in self.declarations.rules.values() for rule in self.rules(entry))
        self.check_unused()
        patterns = Patterns(self.environment, rules, self.binding.bounds)
        scenarios = patterns.scenarios()
        liveness = Liveness(self.environment)
        forbidden = liveness.forbidden(self.model)
        macros = [lowered_macro(patterns, node) for node in self.declarations.macros.values()]
        track = self.track()
        system = System(
            spec=self.declarations.spec,
            model=self.model.name,
            mutant=None if mutant is None else mutant.name,
            constants=tuple(self.binding.constants.items()),
            kinds=tuple(kind for name in self.declarations.processes for kind in self.kind(name)),
            variables=variables,
            messages=tuple(self.environment.messages.values()),
            network=self.network(),
            storage=self.binding.storage,
            bounds=self.binding.bounds,
            rules=rules,
            invariants=self.properties("invariant", PROPERTY),
            action_invariants=self.properties("action invariant", STEP_PROPERTY),
            inductive=self.properties("inductive", CONJUNCT),
            sometimes=self.properties("sometimes", PROPERTY),
            constraints=self.properties("constraint", PROPERTY) + self.constraints(),
            track=track,
            windows=self.properties("window", PROPERTY, self.tracked(track)),
            actors=self.properties("actor", PROPERTY, {**self.tracked(track), **self.crashed()}),
            outcomes=self.properties("outcome", PROPERTY, self.tracked(track)),
            converged=next((p.expr for p in self.properties("converged", PROPERTY)), None),
            scenarios=scenarios,
            completions=tuple(patterns.completion(node) for node in self.declarations.completions.values()),
            macros=tuple(macro for macro in macros if not any(step.rule in forbidden for step in macro.steps)),
            enumerations=self.enumerations(scenarios, patterns.notes),
            agreement=self.agreement(),
            expects=() if mutant is None else mutant.expects,
            eventually=liveness.properties(),
            checks=liveness.checks(self.model),
            forbidden=forbidden,
            start=self.start(scenarios, patterns.notes),
        )
        system.notes.update(patterns.notes)
        return system

    # ------------------------------------------------------------------------------------ what there is

    def variables(self) -> tuple[Variable, ...]:
        found = []
        for key, declared in self.declarations.variables.items():
            variable = variable_with_initial(self.environment, key[0], self.environment.variables[key], declared)
            if variable is not None:
                found.append(variable)
        return tuple(found)

    def kind(self, name: str) -> tuple[ProcessKind, ...]:
        sort = self.environment.atoms.get(name)
        if sort is None:
            return ()
        flush = self.declarations.flushes.get(name)
        body: Block = () if flush is None else self.body(flush.body, Acting(name, flush=True), {}, Names(("self",)))
        has_storage = name in self.environment.stored_kinds(crashing=False)
        crashes = name in self.environment.stored_kinds(crashing=True)
        return (ProcessKind(name, sort, crashes, has_storage, body),)

    def network(self) -> Network:
        declared = self.declarations.network
        if declared is None:
            return Network(NetworkKind.BAG, False, False)
        if declared.kind == "set" and (declared.loss or declared.duplication):
            message = "a network set keeps every message; loss and duplication have no meaning in it"
            self.report.error("S505", declared.place, message, "write `network set`, or `network bag with …`")
        return Network(NetworkKind(declared.kind), declared.loss, declared.duplication)

    # -------------------------------------------------------------------------------------------- rules

    def rules(self, entry: RuleEntry) -> tuple[Rule, ...]:
        """The rule; for `on any`, one of the same name for each message."""
        declaration = entry.declaration
        if isinstance(declaration, ActionDeclaration):
            return (self.action(entry, declaration),)
        for message in self.environment.received_by(entry.name):
            if message not in self.declarations.messages:
                known = self.declarations.messages
                hint = did_you_mean(message, known, f"declare `message {message}:`")
                self.report.error("S210", declaration.place, f"there is no message `{message}`", hint)
        return tuple(self.handler(entry, declaration, m) for m in self.environment.received_by(entry.name))

    def action(self, entry: RuleEntry, declaration: ActionDeclaration) -> Rule:
        names = Names(("self",))
        locals_: dict[str, Local | None] = {}
        parameters = []
        for parameter in declaration.parameters:
            sort = self.environment.sort_of(parameter.type)
            if sort is not None:
                self.environment.enumerable(sort, parameter.place, f"to choose `{parameter.name}` from")
            unique = names.fresh(parameter.name)
            locals_[parameter.name] = None if sort is None else Local(unique, sort)
            if sort is not None:
                parameters.append(Parameter(unique, sort))
        body = self.body(declaration.body, Acting(entry.kind), locals_, names)
        return Rule(entry.name, entry.kind, tuple(parameters), None, None, body, declaration.place)

    def handler(self, entry: RuleEntry, declaration: HandlerDeclaration, message: str) -> Rule:
        names = Names(("self",))
        sort = self.environment.messages.get(message)
        word = declaration.parameter
        unique = names.fresh(word)
        local = None if sort is None else Local(unique, sort)
        body = self.body(declaration.body, Acting(entry.kind, local, word, alone=local is None), {word: local}, names)
        return Rule(entry.name, entry.kind, (), sort, unique, body, declaration.place)

    def body(self, body: Body, acting: Acting, locals_: dict[str, Local | None], names: Names) -> Block:
        process = None if acting.kind is None else self.environment.atoms.get(acting.kind)
        if process is not None:
            locals_ = {"self": Local("self", process), **locals_}
        scope = Scope(self.environment, names, RULE, expression, locals_, process)
        block = settled(statements(body, scope, acting), names)
        variables = self.environment.variables.items()
        durable = frozenset(n for (k, n), slot in variables if k == acting.kind and slot.storage is Storage.DURABLE)
        check_paths(block, durable, None if acting.message is None else acting.message.name, self.report)
        return block

    def check_unused(self) -> None:
        """Functions and procs are checked where they are inlined; this checks them by themselves too."""
        for name, function in self.declarations.functions.items():
            scope = Scope(self.environment, Names(), _ANYWHERE, expression, calls=(name,))
            for parameter in function.parameters:
                _, scope = scope.bind(parameter.name, self.environment.sort_of(parameter.type, message=True))
            result = self.environment.sort_of(function.result)
            scope.stored(function.body, result, f"the result of {name}")
        for name, proc in self.declarations.procs.items():
            names = Names(("self",))
            locals_: dict[str, Local | None] = {}
            for parameter in proc.declaration.parameters:
                sort = self.environment.sort_of(parameter.type, message=True)
                locals_[parameter.name] = None if sort is None else Local(names.fresh(parameter.name), sort)
            self.body(proc.declaration.body, Acting(proc.kind, alone=True, procs=(name,)), locals_, names)

    # --------------------------------------------------------------------------------------- properties

    def properties(
        self, kind: str, permissions: Permissions, locals_: dict[str, Local | None] | None = None
    ) -> tuple[Property, ...]:
        declared = [p for (of, _), p in self.declarations.properties.items() if of == kind]
        found = (self.property(node, permissions, locals_ or {}) for node in declared)
        return tuple(property_ for property_ in found if property_ is not None)

    def property(
        self, node: PropertyDeclaration, permissions: Permissions, locals_: dict[str, Local | None]
    ) -> Property | None:
        scope = Scope(self.environment, Names(tuple(locals_)), permissions, expression, locals_)
        expr = self.boolean(node, scope)
        return None if expr is None else Property(node.name, expr, node.place)

    def boolean(self, node: PropertyDeclaration, scope: Scope) -> Expr | None:
        return scope.condition(node.expr, f"the {node.kind} `{node.name}`")

    def constraints(self) -> tuple[Property, ...]:
        found = []
        for node in self.model.constraints:
            try:
                found.append(self.property(node, MODEL, {}))
            except LeftOut as reason:
                message = f"the constraint `{node.name}` names what the model has not: {reason}"
                self.report.error("S201", node.place, message, "name elements of this model")
        return tuple(property_ for property_ in found if property_ is not None)

    def track(self) -> Track | None:
        declared = self.declarations.track
        if declared is None:
            return None
        sort = self.environment.sort_of(declared.type)
        if sort is not None:
            self.environment.enumerable(sort, declared.place, "to track")
        return None if sort is None else Track(declared.name, sort)

    def tracked(self, track: Track | None) -> dict[str, Local | None]:
        if track is not None:
            return {track.name: Local(track.name, track.sort)}
        declared = self.declarations.track
        return {} if declared is None else {declared.name: None}

    def crashed(self) -> dict[str, Local | None]:
        """``crashed``: the process that crashes."""
        return {"crashed": Local("crashed", self.environment.union(self.environment.stored_kinds(crashing=True)))}

    # -------------------------------------------------------------------------------- what a model asks

    def enumerations(self, scenarios: tuple[Scenario, ...], notes: dict[str, str]) -> tuple[Enumeration, ...]:
        found = []
        for node in self.model.enumerations:
            if self.overridden and f"scenario {node.scenario}" in notes:
                continue  # who asks for other elements than the model's has no scripts for them
            if self.scenario_known(node.scenario, scenarios, notes, "enumerate", node.place):
                found.append(Enumeration(node.scenario, node.depth, node.window))
        return tuple(found)

    def agreement(self) -> Agreement | None:
        first = None
        for node in self.model.agreements:
            if first is not None:
                self.report.error("S512", node.place, "`agree` is set twice", "remove one of them")
            first = first or Agreement(node.depth, node.window)
            if node.depth < first.least_depth:
                message = f"in {node.depth} labels no interleaving of 2 × {node.window} + 1 fits"
                self.report.error("S518", node.place, message, "a depth of twice the window and one, or more")
        return first

    def start(self, scenarios: tuple[Scenario, ...], notes: dict[str, str]) -> str | None:
        setting = self.binding.start
        if setting is None:
            return None
        name = getattr(setting.value, "name", None)
        if not isinstance(name, str):
            self.report.error(
                "S503", setting.value.place, "`start` is a scenario's name; this is not", "write `start = NAME`"
            )
            return None
        return name if self.scenario_known(name, scenarios, notes, "start", setting.place) else None

    def scenario_known(
        self, name: str, scenarios: tuple[Scenario, ...], notes: dict[str, str], what: str, place: Place
    ) -> bool:
        declared = self.declarations.scenarios
        if name not in declared:
            hint = did_you_mean(name, declared, f"the scenarios are {listed(declared)}")
            self.report.error("S509", place, f"`{what}` names no scenario: there is no `{name}`", hint)
            return False
        if f"scenario {name}" in notes:
            message = f"the scenario `{name}` is {notes[f'scenario {name}']}"
            self.report.error("S514", place, message, "choose a scenario that this model can run")
            return False
        return any(scenario.name == name for scenario in scenarios)
