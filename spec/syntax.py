"""The syntax tree: what a ``.spec`` file says, before names and types are known. Every node has its place.

The file is long and one idea: all node classes, in the order types, expressions, statements, declarations. Nothing here
is checked. ``parse.py`` builds these nodes; ``resolve.py``, ``typecheck.py`` and ``lower.py`` read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from spec.system import Place

# ------------------------------------------------------------------------------------------------- types


@dataclass(frozen=True, slots=True)
class NameType:
    """``Term``, ``bool``, ``int``."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class RangeType:
    """``0..max_term``."""

    low: Expression
    high: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class AppliedType:
    """``optional[T]``, ``set[T]``, ``seq[T, capacity]``, ``map[K, V]``."""

    constructor: str
    arguments: tuple[TypeExpression | Expression, ...]  # an expression only as the capacity of a seq
    place: Place


TypeExpression: TypeAlias = NameType | RangeType | AppliedType

# -------------------------------------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Number:
    value: int
    place: Place


@dataclass(frozen=True, slots=True)
class Boolean:
    value: bool
    place: Place


@dataclass(frozen=True, slots=True)
class NoneLiteral:
    place: Place


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, constant, parameter, enum member, element, ``self``, ``network``…"""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Dot:
    """``of.name``: a field, or another process's variable (``s.log``, ``disk(s).log``)."""

    of: Expression
    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Argument:
    """``name`` is ``None`` for a positional one."""

    name: str | None
    value: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Call:
    """``f(x, name=y)``: a function, a record or message constructor, ``len``, ``min``, ``up``, ``old``, …"""

    name: str
    arguments: tuple[Argument, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Subscript:
    """``of[key]``; with ``high``: ``of[key..high]``."""

    of: Expression
    key: Expression
    high: Expression | None
    place: Place


@dataclass(frozen=True, slots=True)
class Prefix:
    """``not x``, ``-x``."""

    operator: str
    of: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Infix:
    """``+ - * div mod == != < <= > >= in not_in subset and or => & ..`` (``..``: a range as a set of ints)."""

    operator: str
    left: Expression
    right: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Conditional:
    condition: Expression
    then: Expression
    otherwise: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class SetDisplay:
    """``{a, b}``, ``{}``."""

    elements: tuple[Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class SeqDisplay:
    """``[a, b]``, ``[]``."""

    elements: tuple[Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class SetBuilder:
    """``{value for name in domain if condition}``."""

    value: Expression
    name: str
    domain: Expression
    condition: Expression | None
    place: Place


@dataclass(frozen=True, slots=True)
class MapBuilder:
    """``{key: value for key in domain}``; ``domain`` is a type's or a set constant's name."""

    key: str
    value: Expression
    domain: TypeExpression
    place: Place


@dataclass(frozen=True, slots=True)
class Binder:
    name: str
    domain: Expression  # a set; a type's name stands for the set of its values
    place: Place


@dataclass(frozen=True, slots=True)
class QuantifiedExpression:
    """``forall a in S, b in T: body``; ``quantifier`` is ``forall`` or ``exists``."""

    quantifier: str
    binders: tuple[Binder, ...]
    body: Expression
    place: Place


Expression: TypeAlias = (
    Number
    | Boolean
    | NoneLiteral
    | Name
    | Dot
    | Call
    | Subscript
    | Prefix
    | Infix
    | Conditional
    | SetDisplay
    | SeqDisplay
    | SetBuilder
    | MapBuilder
    | QuantifiedExpression
)

# --------------------------------------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class AssignStatement:
    """``target := value``; the target is a Name, or Subscripts and Dots on one. ``ghost``: written ``ghost x := …``."""

    target: Expression
    value: Expression
    ghost: bool
    place: Place


@dataclass(frozen=True, slots=True)
class IfStatement:
    """``elif`` is an IfStatement alone in ``otherwise``."""

    condition: Expression
    then: Body
    otherwise: Body
    place: Place


@dataclass(frozen=True, slots=True)
class ForStatement:
    name: str
    domain: Expression
    body: Body
    place: Place


@dataclass(frozen=True, slots=True)
class LetStatement:
    name: str
    value: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class RequireStatement:
    condition: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class SendStatement:
    """``send M(…) to p``; ``reply M(…)`` has ``destination`` ``None``."""

    message: Call
    destination: Expression | None
    place: Place


@dataclass(frozen=True, slots=True)
class CallStatement:
    """A proc, called."""

    call: Call
    place: Place


@dataclass(frozen=True, slots=True)
class EventStatement:
    call: Call
    place: Place


@dataclass(frozen=True, slots=True)
class SimpleStatement:
    """``word``: ``fsync``, ``record``, ``ignore``, ``skip``."""

    word: str
    place: Place


@dataclass(frozen=True, slots=True)
class KeepStatement:
    """``keep m``."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class AtBlock:
    """``at label:`` marks statements that a mutant may replace. It opens no scope."""

    label: str
    body: Body
    place: Place


Statement: TypeAlias = (
    AssignStatement
    | IfStatement
    | ForStatement
    | LetStatement
    | RequireStatement
    | SendStatement
    | CallStatement
    | EventStatement
    | SimpleStatement
    | KeepStatement
    | AtBlock
)
Body: TypeAlias = tuple[Statement, ...]

# ------------------------------------------------------------------------------------------- declarations


@dataclass(frozen=True, slots=True)
class ConstDeclaration:
    """``const N: int``, ``const S: set``, ``const S: set symmetric``, ``const B: bool``."""

    name: str
    kind: str  # "int", "bool" or "set"
    symmetric: bool
    place: Place


@dataclass(frozen=True, slots=True)
class TypeDeclaration:
    name: str
    type: TypeExpression
    place: Place


@dataclass(frozen=True, slots=True)
class EnumDeclaration:
    name: str
    members: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class FieldDeclaration:
    name: str
    type: TypeExpression
    place: Place


@dataclass(frozen=True, slots=True)
class RecordDeclaration:
    name: str
    fields: tuple[FieldDeclaration, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class MessageDeclaration:
    name: str
    fields: tuple[FieldDeclaration, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class VariableDeclaration:
    """``storage``: durable, volatile, shared or ghost."""

    storage: str
    name: str
    type: TypeExpression
    initial: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class NetworkDeclaration:
    kind: str  # bag, fifo or set
    loss: bool
    duplication: bool
    place: Place


@dataclass(frozen=True, slots=True)
class FunctionDeclaration:
    name: str
    parameters: tuple[FieldDeclaration, ...]
    result: TypeExpression
    body: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class ProcDeclaration:
    name: str
    parameters: tuple[FieldDeclaration, ...]
    body: Body
    place: Place


@dataclass(frozen=True, slots=True)
class ActionDeclaration:
    """``shared``: written ``shared action``, outside any process even where there is a ``server:``."""

    name: str
    parameters: tuple[FieldDeclaration, ...]
    body: Body
    shared: bool
    place: Place


@dataclass(frozen=True, slots=True)
class HandlerDeclaration:
    """``on M m as NAME:``; ``message`` is ``any`` for ``on any m as NAME``. Without ``as`` the label is M's name."""

    message: str
    parameter: str
    name: str | None
    body: Body
    place: Place


@dataclass(frozen=True, slots=True)
class FlushDeclaration:
    body: Body
    place: Place


@dataclass(frozen=True, slots=True)
class ProcessDeclaration:
    """``server:`` is ``process Server:``. ``members``: actions, handlers, procs and ``on flush`` written inside; what
    stands at the top level of a file belongs to ``server:`` if there is one (``is_server``), else to no process."""

    name: str
    is_server: bool
    never_crashes: bool
    variables: tuple[VariableDeclaration, ...]
    members: tuple[ActionDeclaration | HandlerDeclaration | ProcDeclaration | FlushDeclaration, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class PropertyDeclaration:
    """``kind``: invariant, action invariant, inductive, sometimes, window, actor, outcome, constraint or converged."""

    kind: str
    name: str
    expr: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class FairDeclaration:
    """``fair NAME:`` with lines ``weak RULE, …`` and ``strong RULE, …``, each rule with its place."""

    name: str
    weak: tuple[tuple[str, Place], ...]
    strong: tuple[tuple[str, Place], ...]
    place: Place


@dataclass(frozen=True, slots=True)
class EventuallyDeclaration:
    """``eventually NAME(parameters) under FAIR, …: goal``, or ``…: trigger leads to goal``."""

    name: str
    parameters: tuple[FieldDeclaration, ...]
    under: tuple[tuple[str, Place], ...]
    trigger: Expression | None
    goal: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class TrackDeclaration:
    name: str
    type: TypeExpression
    place: Place


@dataclass(frozen=True, slots=True)
class PatternStep:
    """``timeout(s1)``, ``request_vote(s2, source=s1)``, ``crash(s1, keep=0)``, ``drop(RequestVote, source=s3)``."""

    rule: str
    arguments: tuple[Argument, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class ScenarioDeclaration:
    """``scenario NAME after OTHER:`` with ``run:`` (steps) and ``reach: expr``."""

    name: str
    after: str | None
    steps: tuple[PatternStep, ...]
    goal: Expression | None
    place: Place


@dataclass(frozen=True, slots=True)
class CompletionStepDeclaration:
    rule: str
    arguments: tuple[Argument, ...]
    when: Expression | None
    place: Place


@dataclass(frozen=True, slots=True)
class CompletionDeclaration:
    name: str
    parameters: tuple[FieldDeclaration, ...]
    steps: tuple[CompletionStepDeclaration, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class MacroStepDeclaration:
    """``optional``: written with `try`."""

    rule: str
    arguments: tuple[Argument, ...]
    optional: bool
    place: Place


@dataclass(frozen=True, slots=True)
class MacroDeclaration:
    name: str
    parameters: tuple[FieldDeclaration, ...]
    steps: tuple[MacroStepDeclaration, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Setting:
    """``name = value`` in a model. ``value``: an expression; a set display of fresh element names for a set constant;
    a Name for ``storage`` and ``start``."""

    name: str
    value: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class EnumerateSetting:
    """``enumerate SCENARIO depth D window K``."""

    scenario: str
    depth: int
    window: int
    place: Place


@dataclass(frozen=True, slots=True)
class AgreeSetting:
    """``agree depth D window K``."""

    depth: int
    window: int
    place: Place


@dataclass(frozen=True, slots=True)
class ModelDeclaration:
    """``checks``: the `eventually` properties that it asks for. ``forbidden``: rules that no run takes once it has
    started."""

    name: str
    settings: tuple[Setting, ...]
    enumerations: tuple[EnumerateSetting, ...]
    constraints: tuple[PropertyDeclaration, ...]
    place: Place
    checks: tuple[tuple[str, Place], ...] = ()
    forbidden: tuple[tuple[str, Place], ...] = ()
    agreements: tuple[AgreeSetting, ...] = ()


@dataclass(frozen=True, slots=True)
class BrokenProperty:
    """``breaks NAME in LENGTH``: the shortest run to a violation has that many labels; None: it is not said.
    ``macros``: it has that many steps of the macro grain. ``model``: in which this is so; None: the mutant's own."""

    name: str
    length: int | None
    place: Place
    macros: bool = False
    model: str | None = None


class Survival(Enum):
    """Why no property is to fail: the change is harmless, or the model's bounds are too small to show its harm."""

    NEUTRAL = "neutral"
    SURVIVES = "survives"


@dataclass(frozen=True, slots=True)
class MutantDeclaration:
    """``mutant NAME of SPEC:``. ``replacements``: ``at label:`` blocks; ``skip`` alone deletes. ``variables`` are
    redeclared (durable to volatile, say), ``functions`` redefined. It ``breaks`` properties or it has a ``survival``,
    or says neither."""

    name: str
    of: str
    breaks: tuple[BrokenProperty, ...]
    survival: Survival | None
    replacements: tuple[AtBlock, ...]
    variables: tuple[VariableDeclaration, ...]
    functions: tuple[FunctionDeclaration, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class ExtendsDeclaration:
    """``extends SPEC``: what that spec declares is declared here, too. ``with behaviour``: and behaves otherwise."""

    spec: str
    behaviour: bool
    place: Place


class Beside(Enum):
    """On which side of the marked statements, or in their place."""

    BEFORE = "before"
    AFTER = "after"
    INSTEAD = "instead"


@dataclass(frozen=True, slots=True)
class BesideDeclaration:
    """``before LABEL:``, ``after LABEL:`` or ``instead of LABEL:`` with statements for those marked ``at LABEL:``."""

    where: Beside
    label: str
    body: Body
    place: Place


Declaration: TypeAlias = (
    ConstDeclaration
    | TypeDeclaration
    | EnumDeclaration
    | RecordDeclaration
    | MessageDeclaration
    | VariableDeclaration
    | NetworkDeclaration
    | FunctionDeclaration
    | ProcDeclaration
    | ActionDeclaration
    | HandlerDeclaration
    | FlushDeclaration
    | ProcessDeclaration
    | PropertyDeclaration
    | FairDeclaration
    | EventuallyDeclaration
    | TrackDeclaration
    | ScenarioDeclaration
    | CompletionDeclaration
    | MacroDeclaration
    | ModelDeclaration
    | MutantDeclaration
    | ExtendsDeclaration
    | BesideDeclaration
)


@dataclass(frozen=True, slots=True)
class SpecFile:
    """One file's declarations in source order."""

    file: str
    declarations: tuple[Declaration, ...]
