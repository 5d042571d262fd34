"""What a transition does on the way, noted by the evaluator itself: the statement that refuses it, what it assigns and
sends, and where; and the part of a condition that makes it false.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from spec import system as ir
from spec.evaluate import Evaluator
from spec.expressions import Compiler, Frame
from spec.sorts import Value
from spec.state import Label, Message, State
from spec.statements import BlockCompiler, Executor, Transition
from spec.system import Operator, Place, Quantifier, UnaryOperator
from spec.values import Cut, NotEnabled, show


@dataclass(slots=True)
class Notes:
    """Of one transition. ``assigned``: variables in the order of their assignments. ``refusing``: the `require` that
    was false, and the transition as it was then. ``cutting``: where the value was stored that a bound cut."""

    assigned: list[tuple[str, Place | None]] = field(default_factory=list)
    sent: list[tuple[Message, Place | None]] = field(default_factory=list)
    refusing: tuple[ir.Require, Transition] | None = None
    cutting: Place | None = None


class _NotingCompiler(BlockCompiler):
    """Compiles statements to ones that do the same and note it."""

    def __init__(self, system: ir.System) -> None:
        super().__init__(system)
        self.notes = Notes()

    def statement(self, statement: ir.Statement, kind: str | None) -> Executor:
        plain = super().statement(statement, kind)
        match statement:
            case ir.Require():
                return self._require(statement, plain)
            case ir.Assign(variable, _, place):
                return self._storing(place, plain, lambda t: self.notes.assigned.append((variable, place)))
            case ir.Send(_, _, _, place):
                return self._storing(place, plain, lambda t: self.notes.sent.append((_last_sent(t), place)))
            case _:
                return plain

    def _require(self, statement: ir.Require, plain: Executor) -> Executor:
        def require(t: Transition) -> None:
            try:
                plain(t)
            except NotEnabled:
                self.notes.refusing = statement, t
                raise

        return require

    def _storing(self, place: Place | None, plain: Executor, note: Executor) -> Executor:
        def store(t: Transition) -> None:
            try:
                plain(t)
            except Cut:
                self.notes.cutting = place
                raise
            note(t)

        return store


def _last_sent(t: Transition) -> Message:
    return (t.waiting if t.fsynced else t.sent)[-1]


class NotingEvaluator:
    """The evaluator, and what the last transition did."""

    def __init__(self, system: ir.System) -> None:
        self._compiler = _NotingCompiler(system)
        self.evaluator = Evaluator(system, self._compiler)
        self.compile: Compiler = self._compiler.compile

    def step(self, state: State, label: Label) -> tuple[State, Notes]:
        """Raises what the evaluator raises; then ``notes`` says how far it came."""
        self._compiler.notes = Notes()
        return self.evaluator.successor(state, label), self._compiler.notes

    @property
    def notes(self) -> Notes:
        return self._compiler.notes


# ------------------------------------------------------------------------------------- why a condition is false


@dataclass(frozen=True, slots=True)
class Decisive:
    """The part of a condition that makes it what it is, and the values of its two sides (of one alone: ``right`` is
    empty). ``of``: the bound names on the way, as in ``s = s2``."""

    place: Place | None
    operator: str
    left: str
    right: str
    of: str = ""


_COMPARED = {
    Operator.LESS,
    Operator.LESS_EQUAL,
    Operator.GREATER,
    Operator.GREATER_EQUAL,
    Operator.EQUAL,
    Operator.NOT_EQUAL,
    Operator.IN,
    Operator.SUBSET,
}


def decisive(compile_: Compiler, condition: ir.Expr, frame: Frame, place: Place | None) -> Decisive:
    """Of a condition that is false in the frame. ``place``: of the statement, for what has none of its own."""
    return _Search(compile_, frame).part(condition, False, place, "")


class _Search:
    def __init__(self, compile_: Compiler, frame: Frame) -> None:
        self.compile = compile_
        self.frame = frame

    def value(self, node: ir.Expr) -> Value:
        return self.compile(node)(self.frame)

    def part(self, node: ir.Expr, wanted: bool, place: Place | None, of: str) -> Decisive:
        """``wanted``: the value that it has, and which is to be explained."""
        here = getattr(node, "place", None) or place
        match node:
            case ir.Binary(Operator.AND | Operator.OR as operator, left, right) if wanted is (operator is Operator.OR):
                # One side settles it; where both are needed for the value, the whole is what decides.
                return self.part(left if bool(self.value(left)) is wanted else right, wanted, here, of)
            case ir.Binary(Operator.IMPLIES, _, right) if not wanted:
                return self.part(right, False, here, of)
            case ir.Unary(UnaryOperator.NOT, inner):
                return self.part(inner, not wanted, here, of)
            case ir.LetIn(name, value, body):
                self.frame.local[name] = self.value(value)
                return self.part(body, wanted, here, of)
            case ir.Checked(inner) | ir.Wrap(inner):
                return self.part(inner, wanted, here, of)
            case ir.IfElse(condition, then, otherwise):
                return self.part(then if self.value(condition) else otherwise, wanted, here, of)
            case ir.Quantified(quantifier, name, over, body) if (quantifier is Quantifier.EXISTS) is wanted:
                for element in self.compile.elements(over)(self.frame):
                    self.frame.local[name] = element
                    if bool(self.value(body)) is wanted:
                        return self.part(body, wanted, here, f"{of}{', ' if of else ''}{name} = {element}")
                raise AssertionError("no element decides")
            case ir.Binary(operator, left, right) if operator in _COMPARED:
                return Decisive(here, operator.value, self._shown(left), self._shown(right), of)
            case _:
                return Decisive(here, "", self._shown(node), "", of)

    def _shown(self, node: ir.Expr) -> str:
        return show(node.sort, self.value(node))
