"""The typed IR: one spec under one model, the only thing that the engines read.

A :class:`System` is closed: constants, functions and procs are gone (inlined), every ``let`` name is unique within
its rule, ``ignore`` has become structure (an ``If``), every expression knows its sort. The nodes below are all
there is; ``evaluate.py`` is their meaning. Names of nodes are language.md's words.

Rules (actions and handlers) are what a spec writes. The *system actions* flush, crash, restart, drop and duplicate
are generated from the storage and network declared here; ``evaluate.py`` gives their meaning.

The file is long and one idea: all node classes, in the order types of variables, expressions, statements, system, so
that who writes an engine reads it from one end to the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from spec.sorts import AtomSort, MessageSort, Sort, Value


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in a source file something stands: 1-based line and column, ``width`` columns wide."""

    file: str
    line: int
    column: int
    width: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


# ---------------------------------------------------------------------------------------------- variables


class Storage(Enum):
    """What a variable is kept in."""

    DURABLE = "durable"  # a process's memory, and its disk
    VOLATILE = "volatile"  # a process's memory only; a crash resets it to its initial value
    SHARED = "shared"  # one for the whole system, outside any process
    GHOST = "ghost"  # one for the whole system, written by `ghost x :=`, read by properties only


@dataclass(frozen=True, slots=True)
class Variable:
    """``kind``: the process kind that has it, ``None`` for shared and ghost. ``initial``: a value (for a process
    variable the initial value may differ by process: one per process, in the kind's order)."""

    name: str
    storage: Storage
    sort: Sort
    kind: str | None
    initial: tuple[Value, ...]
    place: Place | None = None


# -------------------------------------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Literal:
    value: Value
    sort: Sort


@dataclass(frozen=True, slots=True)
class Local:
    """A ``let``, a parameter, ``self``, a handler's message or a bound variable."""

    name: str
    sort: Sort


class Layer(Enum):
    MEMORY = "memory"
    DISK = "disk"  # the last flushed record; properties only
    KEPT = "kept"  # what a crash that keeps ``Read.keep`` pending records leaves in memory; inductive conjuncts only


@dataclass(frozen=True, slots=True)
class Read:
    """A variable's value. ``process`` is ``None`` for shared and ghost variables. ``old``: in an action invariant,
    the value before the step."""

    variable: str
    process: Expr | None
    sort: Sort
    layer: Layer = Layer.MEMORY
    old: bool = False
    place: Place | None = None
    keep: Expr | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record or a message (``source`` and ``destination`` included)."""

    of: Expr
    name: str
    sort: Sort


class Operator(Enum):
    # int × int → int
    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "div"  # floor; by zero: error
    MODULO = "mod"  # result has the divisor's sign; by zero: error
    MIN = "min"
    MAX = "max"
    # int × int → bool
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="
    # T × T → bool
    EQUAL = "=="
    NOT_EQUAL = "!="
    # bool × bool → bool; the right side is evaluated only if the left does not decide
    AND = "and"
    OR = "or"
    IMPLIES = "=>"
    # element × set → bool; set × set → bool
    IN = "in"
    SUBSET = "subset"
    # set × set → set
    UNION = "+set"
    INTERSECT = "&"
    DIFFERENCE = "-set"
    # seq × seq → seq
    CONCAT = "+seq"


@dataclass(frozen=True, slots=True)
class Binary:
    operator: Operator
    left: Expr
    right: Expr
    sort: Sort
    place: Place | None = None


class UnaryOperator(Enum):
    NOT = "not"
    NEGATE = "-"
    LENGTH = "len"  # of a sequence
    SIZE = "size"  # of a set
    MINIMUM = "minimum"  # of a set of ints; of the empty set: error
    MAXIMUM = "maximum"
    UNWRAP = "the"  # optional[T] → T; of none: error


@dataclass(frozen=True, slots=True)
class Unary:
    operator: UnaryOperator
    of: Expr
    sort: Sort
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class IfElse:
    """Only the chosen branch is evaluated."""

    condition: Expr
    then: Expr
    otherwise: Expr
    sort: Sort


@dataclass(frozen=True, slots=True)
class LetIn:
    """A function's parameter, inlined: ``value`` is evaluated once, before ``body``."""

    name: str
    value: Expr
    body: Expr
    sort: Sort


@dataclass(frozen=True, slots=True)
class Checked:
    """``of``, which must be a value of ``sort``: a function's argument or result. Out of it is an *error*, even
    above a bound that is a model constant."""

    of: Expr
    sort: Sort
    what: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Wrap:
    """T → optional[T]. The value's shape does not change."""

    of: Expr
    sort: Sort


@dataclass(frozen=True, slots=True)
class MakeSet:
    elements: tuple[Expr, ...]
    sort: Sort


@dataclass(frozen=True, slots=True)
class MakeSeq:
    elements: tuple[Expr, ...]
    sort: Sort


@dataclass(frozen=True, slots=True)
class MakeRecord:
    """Fields in the record sort's order. Fields are not range-checked here but when the value is stored."""

    fields: tuple[Expr, ...]
    sort: Sort


@dataclass(frozen=True, slots=True)
class MakeMap:
    """``{name: value for name in Key}``: total over the map sort's key."""

    name: str
    value: Expr
    sort: Sort


@dataclass(frozen=True, slots=True)
class IntRange:
    """``low..high`` as a set of ints; empty if high < low."""

    low: Expr
    high: Expr
    sort: Sort


@dataclass(frozen=True, slots=True)
class Index:
    """``of[key]`` of a sequence (1-based; out of 1..len: error) or a map (key outside the key sort: error)."""

    of: Expr
    key: Expr
    sort: Sort
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """``of[low..high]`` of a sequence, inclusive; empty if high < low; otherwise low < 1 or high > len: error."""

    of: Expr
    low: Expr
    high: Expr
    sort: Sort
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """``of`` with one place changed: a map at ``key``, a sequence at ``key`` (out of 1..len: error)."""

    of: Expr
    key: Expr
    value: Expr
    sort: Sort
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class WithField:
    """A record with one field changed."""

    of: Expr
    name: str
    value: Expr
    sort: Sort


class Quantifier(Enum):
    FORALL = "forall"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Quantified:
    """Over the elements of a set (domain order), short-circuiting: the first element that decides ends it."""

    quantifier: Quantifier
    name: str
    domain: Expr
    body: Expr
    sort: Sort


@dataclass(frozen=True, slots=True)
class SetComprehension:
    """``{value for name in domain if condition}``."""

    name: str
    domain: Expr
    condition: Expr
    value: Expr
    sort: Sort


# What only properties, goals, windows and outcomes may say. The process is an expression of a process kind's sort.


@dataclass(frozen=True, slots=True)
class IsUp:
    process: Expr
    sort: Sort
    old: bool = False


@dataclass(frozen=True, slots=True)
class PendingCount:
    """``len(pending(p))``: records written and not flushed."""

    process: Expr
    sort: Sort
    old: bool = False


class Where(Enum):
    NETWORK = "network"
    OUTBOX = "outbox"


@dataclass(frozen=True, slots=True)
class MessagesIn:
    """The set of messages of one type in the network, or in one process's outbox: a domain to quantify over or test
    membership in; also counted by ``size``, where ``message`` may be ``None``: all types (copies counted once)."""

    where: Where
    message: str | None
    process: Expr | None
    sort: Sort
    old: bool = False


@dataclass(frozen=True, slots=True)
class LabelIs:
    """In an action invariant: the step's label is an occurrence of this rule."""

    rule: str
    sort: Sort


Expr: TypeAlias = (
    Literal
    | Local
    | Read
    | Field
    | Binary
    | Unary
    | IfElse
    | LetIn
    | Checked
    | Wrap
    | MakeSet
    | MakeSeq
    | MakeRecord
    | MakeMap
    | IntRange
    | Index
    | Slice
    | Update
    | WithField
    | Quantified
    | SetComprehension
    | IsUp
    | PendingCount
    | MessagesIn
    | LabelIs
)


# --------------------------------------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Assign:
    """``variable := value`` of the acting process, or of a shared variable or a ghost.

    ``value`` is the whole new value (an indexed assignment is an :class:`Update` of the old one). It is checked
    against the variable's sort: above a bound from a model constant or over a capacity *cuts*, anything else out
    of the sort is an *error*.
    """

    variable: str
    value: Expr
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class If:
    condition: Expr
    then: Block
    otherwise: Block


@dataclass(frozen=True, slots=True)
class Require:
    """False: the transition is not enabled; all is undone."""

    condition: Expr
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Let:
    """Binds ``name`` (unique in the rule) for the statements after it in its block."""

    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class For:
    """Once for each element of the set, in domain order. The set is evaluated once, before the first round."""

    name: str
    domain: Expr
    body: Block


@dataclass(frozen=True, slots=True)
class Send:
    """Field values are checked like stored variables. After a ``Fsync`` in the same transition the message waits in
    the outbox for the flush if anything is pending at the end of the transition; otherwise it leaves at once."""

    message: str
    fields: tuple[Expr, ...]
    destination: Expr
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Fsync:
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class EndRecord:
    """``record``: ends a storage record here, if a durable variable differs from the last record."""


@dataclass(frozen=True, slots=True)
class Keep:
    """The handler's message is not consumed on this path."""


@dataclass(frozen=True, slots=True)
class Announce:
    """``event NAME(…)``: shown in traces, not part of the state."""

    event: str
    arguments: tuple[Expr, ...]


Statement: TypeAlias = Assign | If | Require | Let | For | Send | Fsync | EndRecord | Keep | Announce
Block: TypeAlias = tuple[Statement, ...]


# ------------------------------------------------------------------------------------------------- system


@dataclass(frozen=True, slots=True)
class Parameter:
    """Chosen by the explorer from the whole of a finite sort."""

    name: str
    sort: Sort


@dataclass(frozen=True, slots=True)
class Rule:
    """An action (``message`` is ``None``) or a handler. ``kind``: the acting process's kind, ``None`` outside any.

    In the body, ``Local("self")`` is the acting process and, in a handler, ``Local(message_name)`` the message.
    A handler's destination sort always equals its kind.
    """

    name: str
    kind: str | None
    parameters: tuple[Parameter, ...]
    message: MessageSort | None
    message_name: str | None
    body: Block
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class ProcessKind:
    """``crashes``: it has durable variables (then it has storage) and is not declared ``never crashes``."""

    name: str
    sort: AtomSort
    crashes: bool
    has_storage: bool
    on_flush: Block = ()


class NetworkKind(Enum):
    BAG = "bag"
    FIFO = "fifo"
    SET = "set"


@dataclass(frozen=True, slots=True)
class Network:
    kind: NetworkKind
    loss: bool
    duplication: bool


class StorageMode(Enum):
    BUFFERED = "buffered"
    ATOMIC = "atomic"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Budgets count over the run (``None``: unlimited and no counter in the state; crashes: 0 if unset). The rest cut
    by the target state. ``retries`` counts occurrences of the rule named ``retry``. ``steps`` cuts nothing: it is how
    deep a bounded search goes unless the command line says."""

    crashes: int = 0
    drops: int | None = None
    duplicates: int | None = None
    retries: int | None = None
    in_flight: int | None = None
    copies: int | None = None
    pending: int | None = None
    steps: int | None = None

    @property
    def budgets(self) -> dict[str, int]:
        """What is counted over the run, in the order of ``State.budgets``: a rule or a system action, and its most."""
        limits = {"crash": self.crashes, "drop": self.drops, "duplicate": self.duplicates, "retry": self.retries}
        return {rule: limit for rule, limit in limits.items() if limit is not None}


@dataclass(frozen=True, slots=True)
class Property:
    """An invariant or inductive conjunct (over one state), an action invariant (over a step), a ``sometimes`` goal,
    a constraint, a window, an outcome: a named boolean expression."""

    name: str
    expr: Expr
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Eventually:
    """In each fair run, for each combination of the parameters' values: ``goal`` holds at some time (``trigger``
    ``None``); or, whenever ``trigger`` holds, ``goal`` holds then or later. ``weak``, ``strong``: the rules and system
    actions that fairness is assumed of, no rule in both. What a run is, and what is fair, says ``liveness.py``."""

    name: str
    parameters: tuple[Parameter, ...]
    trigger: Expr | None
    goal: Expr
    weak: tuple[str, ...]
    strong: tuple[str, ...]
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """What a crash-window matrix is about: every value of ``sort``, bound to ``name`` in windows, actors and outcomes.
    In actors ``crashed`` is bound too: the process that crashes."""

    name: str
    sort: Sort


@dataclass(frozen=True, slots=True)
class LabelPattern:
    """One step of a script. ``process``: ``None`` for a rule outside any process. ``arguments``: parameter name →
    value; for a handler, any of source and the message's fields; for crash, ``keep``; for drop and duplicate
    ``message`` (a type name), source, destination and fields. It must match exactly one enabled label."""

    rule: str
    process: str | None
    arguments: tuple[tuple[str, Value], ...]
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scripted prefix and/or a goal to be reached after it."""

    name: str
    script: tuple[LabelPattern, ...]
    goal: Expr | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class CompletionStep:
    """Fires the first enabled label (in label order) of ``rule`` that ``when`` allows. In ``when`` (and ``process``)
    ``Local(parameter of the completion)`` and, for a label, ``Local("self")``, the rule's parameters and the message
    are bound. ``rule`` may be ``deliver`` (any handler) or a system action."""

    rule: str
    process: Expr | None
    arguments: tuple[tuple[str, Expr], ...]
    when: Expr | None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A fair schedule that drives a state towards convergence: again and again the first step of the list with an
    enabled label. One run per combination of parameter values."""

    name: str
    parameters: tuple[Parameter, ...]
    steps: tuple[CompletionStep, ...]
    place: Place | None = None


class Grain(Enum):
    """What a step of a run is: one label, or one occurrence of a macro. See grains.py."""

    MICRO = "micro"
    MACRO = "macro"


@dataclass(frozen=True, slots=True)
class MacroStep:
    """One label of ``rule`` (a rule or a system action). ``process`` and ``arguments`` (named as in a
    :class:`LabelPattern`) narrow it; what they leave open is a choice. Each is a ``Literal``, or a ``Local``: a
    parameter of the macro, which has the value of its first occurrence. ``optional`` (flush only): left out where that
    process has nothing pending."""

    rule: str
    process: Literal | Local | None
    arguments: tuple[tuple[str, Literal | Local], ...]
    optional: bool
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Macro:
    """Labels that follow each other with no other between; together they are one label of the macro grain."""

    name: str
    parameters: tuple[Parameter, ...]
    steps: tuple[MacroStep, ...]
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Enumeration:
    """A model's request: enumerate the crash states reachable in at most ``depth`` labels from the end of the
    scenario's script, and the interleavings of ``2 * window + 1`` labels around a crash."""

    scenario: str
    depth: int
    window: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """A model's bound for comparing engines: the states of at most ``depth`` labels, and the crash states and
    interleavings of ``2 * window + 1`` labels that lie within runs of so many."""

    depth: int
    window: int

    @property
    def least_depth(self) -> int:
        """That one interleaving needs."""
        return 2 * self.window + 1


@dataclass(frozen=True, slots=True)
class System:
    """A spec under one model (and, maybe, one mutant)."""

    spec: str
    model: str
    mutant: str | None
    constants: tuple[tuple[str, Value], ...]
    kinds: tuple[ProcessKind, ...]
    variables: tuple[Variable, ...]
    messages: tuple[MessageSort, ...]
    network: Network
    storage: StorageMode
    bounds: Bounds
    rules: tuple[Rule, ...]
    invariants: tuple[Property, ...] = ()
    action_invariants: tuple[Property, ...] = ()
    inductive: tuple[Property, ...] = ()  # together they are to hold of every step that starts where they hold
    sometimes: tuple[Property, ...] = ()
    constraints: tuple[Property, ...] = ()
    track: Track | None = None
    windows: tuple[Property, ...] = ()
    actors: tuple[Property, ...] = ()  # who crashed, first match wins: sub-columns of the matrix
    outcomes: tuple[Property, ...] = ()
    converged: Expr | None = None
    scenarios: tuple[Scenario, ...] = ()
    completions: tuple[Completion, ...] = ()
    macros: tuple[Macro, ...] = ()
    grain: Grain = Grain.MICRO
    enumerations: tuple[Enumeration, ...] = ()
    agreement: Agreement | None = None
    expects: tuple[str, ...] = ()  # the properties that the mutant is declared to break
    eventually: tuple[Eventually, ...] = ()
    checks: tuple[str, ...] = ()  # those of them that the model asks for
    forbidden: tuple[str, ...] = ()  # rules, and restart, that only a script may take: a search finds them not enabled
    start: str | None = None  # the scenario whose script is the run's prefix; None: the initial state
    notes: dict[str, str] = field(default_factory=dict, hash=False, compare=False)

    def kind(self, name: str) -> ProcessKind:
        return next(kind for kind in self.kinds if kind.name == name)

    def kind_of(self, process: str) -> ProcessKind:
        return next(kind for kind in self.kinds if process in kind.sort.elements)

    @property
    def processes(self) -> tuple[str, ...]:
        """Every process of every kind, in declaration order."""
        return tuple(process for kind in self.kinds for process in kind.sort.elements)

    def variables_of(self, kind: str | None, *storages: Storage) -> tuple[Variable, ...]:
        return tuple(v for v in self.variables if v.kind == kind and (not storages or v.storage in storages))
