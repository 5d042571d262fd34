"""Every expression of the IR as Python source.

``Expressions.of(node)`` is the source of a value. What may fail is written as lines before it, in program order, so
that the source itself fails never and may be computed late, or not at all. What only one branch of ``and``, ``or``,
``=>`` or ``if`` computes has its lines under an ``if``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from checker.explicit.source_collections import Collections
from checker.explicit.source_fits import fits, folded
from checker.explicit.source_frame import Bound, Frame, tuple_of
from checker.explicit.source_text import Lines
from spec import system as ir
from spec.sorts import AtomSort, IntSort, MapSort, MessageSort, RecordSort, SetSort, Sort
from spec.system import Operator, Quantifier, UnaryOperator
from spec.values import contains, positions

_INFIX = {
    Operator.ADD: "+",
    Operator.SUBTRACT: "-",
    Operator.MULTIPLY: "*",
    Operator.LESS: "<",
    Operator.LESS_EQUAL: "<=",
    Operator.GREATER: ">",
    Operator.GREATER_EQUAL: ">=",
    Operator.EQUAL: "==",
    Operator.NOT_EQUAL: "!=",
    Operator.IN: "in",
    Operator.SUBSET: "<=",
    Operator.UNION: "|",
    Operator.INTERSECT: "&",
    Operator.DIFFERENCE: "-",
    Operator.CONCAT: "+",
}


class Expressions:
    """Emits expressions into the text of a frame."""

    def __init__(self, frame: Frame) -> None:
        self.frame, self.text, self.slots = frame, frame.text, frame.slots
        self.collections = Collections(self)

    def of(self, node: ir.Expr) -> str:
        """Source of the value, good for as long as no variable is assigned."""
        constant = folded(node)
        if constant is not None:
            return self.text.literal(constant.value)
        match node:
            case ir.Literal(value):
                return self.text.literal(value)
            case ir.Local(name):
                return self.frame.local[name].source
            case ir.Read():
                return self._read(node)
            case ir.Field(of, name):
                return f"{self.atom(of)}[{field_position(of.sort, name)}]"
            case ir.Unary():
                return self._unary(node)
            case ir.Binary():
                return self._binary(node)
            case ir.IfElse():
                return self._if_else(node)
            case ir.LetIn(name, value, body):
                with self.bound(name, Bound(self.atom(value), sure=self.fits(value, value.sort))):
                    return self.of(body)
            case ir.Checked(of, sort, what, place):
                return self._checked(of, sort, what, place)
            case ir.Wrap(of):
                return self.of(of)
            case ir.MakeSeq(elements) | ir.MakeRecord(elements):
                return tuple_of([self.of(element) for element in elements])
            case ir.Index(of, key, _, place):
                return self._index(of, key, place)
            case ir.Slice():
                return self._slice(node)
            case ir.Update(of, key, value, _, place):
                return self._update(of, key, value, place)
            case ir.WithField(of, name, value):
                record = self.of(of)
                return f"replaced({record}, {field_position(of.sort, name)}, {self.of(value)})"
            case ir.Quantified(quantifier, name, over, body):
                return self._quantified(quantifier, name, over, body)
            case ir.MakeSet() | ir.MakeMap() | ir.IntRange() | ir.SetComprehension() | ir.MessagesIn():
                return self.collections.of(node)
            case ir.IsUp(process, _, old):
                return f"{self.frame.part('up', old=old)}[{self.index_of(process)}]"
            case ir.PendingCount(process, _, old):
                return f"len({self.frame.part('pending', old=old)}[{self.index_of(process)}])"
            case ir.LabelIs(rule):
                return f"(rule == {rule!r})"

    def atom(self, node: ir.Expr) -> str:
        return self.text.atom(self.of(node))

    def place(self, place: ir.Place | None) -> str:
        return "None" if place is None else self.text.constant(place, "P")

    @contextmanager
    def bound(self, name: str, bound: Bound) -> Iterator[None]:
        outer = self.frame.local.copy()
        self.frame.local[name] = bound
        yield
        self.frame.local = outer

    def aside(self, node: ir.Expr) -> tuple[Lines, str]:
        """An expression that may not be computed: its lines, and its value after them."""
        with self.text.aside() as lines:
            source = self.of(node)
        return lines, source

    def fits(self, node: ir.Expr, sort: Sort) -> bool:
        """Whether the value is known to be one of the sort."""
        return fits(node, sort, self.frame.local)

    # ------------------------------------------------------------------------------------------- reading

    def index_of(self, process: ir.Expr) -> str:
        """Source of a process's position among all."""
        if isinstance(process, ir.Literal):
            return str(self.slots.processes[process.value])
        if self._is_self(process):
            return "i"
        if isinstance(process, ir.Local) and self.frame.local[process.name].place:
            place = self.frame.local[process.name].place
            self.frame.places.add(place)
            return place
        return f"place_of[{self.of(process)}]"

    def _is_self(self, process: ir.Expr) -> bool:
        return self.frame.kind is not None and isinstance(process, ir.Local) and process.name == "self"

    def _read(self, node: ir.Read) -> str:
        frame, slots = self.frame, self.slots
        if node.process is None:
            area = slots.area(node.variable, None)
            if frame.running and not node.old:
                return frame.variable(node.variable)
            return f"{frame.part(area, old=node.old)}[{slots.common[area].index(node.variable)}]"
        kind = slots.kind_with(node.process.sort, node.variable)
        if node.layer is ir.Layer.DISK:
            slot = slots.durable[kind].index(node.variable)
            return f"{frame.part('disk', old=node.old)}[{self.index_of(node.process)}][{slot}]"
        if self._is_self(node.process) and not node.old:
            return frame.variable(node.variable)
        index = self.text.atom(self.index_of(node.process))
        stored = f"{frame.part('memory', old=node.old)}[{index}][{slots.memory[kind].index(node.variable)}]"
        if frame.kind == kind and not node.old:  # maybe the acting process, whose memory has changed
            return f"({frame.variable(node.variable)} if {index} == i else {stored})"
        return stored

    # ----------------------------------------------------------------------------------------- operators

    def _unary(self, node: ir.Unary) -> str:
        match node.operator:
            case UnaryOperator.NOT:
                return f"(not {self.of(node.of)})"
            case UnaryOperator.NEGATE:
                return f"(-{self.of(node.of)})"
            case UnaryOperator.LENGTH | UnaryOperator.SIZE:
                return f"len({self.of(node.of)})"
            case UnaryOperator.MINIMUM | UnaryOperator.MAXIMUM:
                value, choose = self.atom(node.of), node.operator.value[:3]
                error = f"EvaluationError('{choose}imum of the empty set', {self.place(node.place)})"
                self.text.fail_if(f"not {value}", error)
                return f"{choose}({value})"
            case UnaryOperator.UNWRAP:
                value = self.atom(node.of)
                self.text.fail_if(f"{value} is None", f"EvaluationError('the(none)', {self.place(node.place)})")
                return value

    def _binary(self, node: ir.Binary) -> str:
        match node.operator:
            case Operator.AND:
                return self._short("and", self.of(node.left), node.right)
            case Operator.OR:
                return self._short("or", self.of(node.left), node.right)
            case Operator.IMPLIES:
                return self._short("or", f"(not {self.of(node.left)})", node.right)
            case Operator.DIVIDE | Operator.MODULO:
                left, right = self.of(node.left), self.atom(node.right)
                if not (isinstance(node.right, ir.Literal) and node.right.value):
                    what = "division" if node.operator is Operator.DIVIDE else "modulo"
                    error = f"EvaluationError('{what} by zero', {self.place(node.place)})"
                    self.text.fail_if(f"{right} == 0", error)
                return f"({left} {'//' if node.operator is Operator.DIVIDE else '%'} {right})"
            case Operator.MIN | Operator.MAX:
                return f"{node.operator.value}({self.of(node.left)}, {self.of(node.right)})"
            case Operator.IN if isinstance(node.right, ir.MakeSet):
                elements = tuple_of([self.of(element) for element in node.right.elements])
                return f"({self.of(node.left)} in {elements})"
            case strict:
                return f"({self.of(node.left)} {_INFIX[strict]} {self.of(node.right)})"

    def _short(self, operator: str, left: str, node: ir.Expr) -> str:
        lines, right = self.aside(node)
        if not lines:
            return f"({left} {operator} {right})"
        result = self.text.let(left)
        with self.text.block(f"if {result}:" if operator == "and" else f"if not {result}:"):
            self.text.paste(lines)
            self.text.line(f"{result} = {right}")
        return result

    def _if_else(self, node: ir.IfElse) -> str:
        condition = self.of(node.condition)
        (yes, then), (no, otherwise) = self.aside(node.then), self.aside(node.otherwise)
        if not yes and not no:
            return f"({then} if {condition} else {otherwise})"
        result = self.text.fresh()
        for head, lines, value in ((f"if {condition}:", yes, then), ("else:", no, otherwise)):
            with self.text.block(head):
                self.text.paste(lines)
                self.text.line(f"{result} = {value}")
        return result

    def _checked(self, of: ir.Expr, sort: Sort, what: str, place: ir.Place | None) -> str:
        value = self.atom(of)
        if not self.fits(of, sort):
            error = f"not_of_sort({what!r}, {value}, {self.text.constant(sort)}, {self.place(place)})"
            self.text.fail_if(f"not {self._fits(value, sort)}", error)
        return value

    def _fits(self, value: str, sort: Sort) -> str:
        match sort:
            case IntSort(low, high) if low is not None and high is not None:
                return f"{low} <= {value} <= {high}"
            case _:
                return f"contains({self.text.constant(sort)}, {value})"

    # --------------------------------------------------------------------------------- parts of a value

    def key_of(self, key: ir.Expr, sort: MapSort, place: ir.Place | None) -> str:
        """Where the value of a map's key stands."""
        if isinstance(key, ir.Literal) and contains(sort.key, key.value):
            return str(positions(sort.key)[key.value])
        table, source = self.text.constant(positions(sort.key)), self.of(key)
        if self.fits(key, sort.key):
            return f"{table}[{source}]"
        source = self.text.atom(source)
        self.text.fail_if(f"{source} not in {table}", f"no_key({source}, {self.place(place)})")
        return f"{table}[{source}]"

    def _checked_index(self, sequence: str, index: str, place: ir.Place | None) -> None:
        error = f"no_element({index}, {sequence}, {self.place(place)})"
        self.text.fail_if(f"not 1 <= {index} <= len({sequence})", error)

    def _index(self, of: ir.Expr, key: ir.Expr, place: ir.Place | None) -> str:
        if isinstance(of.sort, MapSort):
            source = self.of(of)
            return f"{source}[{self.key_of(key, of.sort, place)}]"
        sequence, index = self.atom(of), self.atom(key)
        self._checked_index(sequence, index, place)
        return f"{sequence}[{int(index) - 1 if index.isdecimal() else f'{index} - 1'}]"

    def _slice(self, node: ir.Slice) -> str:
        sequence, first, last = self.atom(node.of), self.atom(node.low), self.atom(node.high)
        error = f"no_slice({first}, {last}, {sequence}, {self.place(node.place)})"
        if first == "1":
            self.text.fail_if(f"{last} > len({sequence})", error)
            return f"({sequence}[:{last}] if {last} > 0 else ())"
        self.text.fail_if(f"{last} >= {first} and ({first} < 1 or {last} > len({sequence}))", error)
        return f"({sequence}[{first} - 1:{last}] if {last} >= {first} else ())"

    def _update(self, of: ir.Expr, key: ir.Expr, value: ir.Expr, place: ir.Place | None) -> str:
        if isinstance(of.sort, MapSort):
            source = self.of(of)
            position = self.key_of(key, of.sort, place)
        else:
            source, index = self.atom(of), self.atom(key)
            self._checked_index(source, index, place)
            position = f"{index} - 1"
        return f"replaced({source}, {position}, {self.of(value)})"

    # ---------------------------------------------------------------------------------------- quantifiers

    def _quantified(self, quantifier: Quantifier, name: str, over: ir.Expr, body: ir.Expr) -> str:
        decides = quantifier is Quantifier.EXISTS
        result = self.text.fresh()
        self.text.line(f"{result} = {not decides}")

        def round_() -> None:
            holds = self.of(body)
            with self.text.block(f"if {holds}:" if decides else f"if not {holds}:"):
                self.text.line(f"{result} = {decides}")
                self.text.line("break")

        self.loop(name, over, round_)
        return result

    def loop(self, name: str, over: ir.Expr, body: Callable[[], None], *, ordered: bool = False) -> None:
        """A loop over the elements of a set; in order if the rounds may fail, or are said to depend on it."""
        elements = self.collections.elements(over)
        element = self.text.fresh("e")
        failures = self.text.failures
        bound = Bound(element, elements.values, elements.sure, self.place_name(over.sort))
        with self.bound(name, bound), self.text.aside() as lines:
            body()
        in_order = ordered or self.text.failures > failures
        with self.text.block(f"for {element} in {elements.in_order if in_order else elements.in_any}:"):
            if elements.unless:
                with self.text.block(f"if {element} {elements.unless}:"):
                    self.text.line("continue")
            if bound.place in self.frame.places:
                self.text.line(f"{bound.place} = place_of[{element}]")
            self.text.paste(lines)

    def place_name(self, over: Sort) -> str:
        """A variable for the positions of a set's elements, if they are processes."""
        of = over.of if isinstance(over, SetSort) else over
        processes = isinstance(of, AtomSort) and set(of.elements) <= self.slots.processes.keys()
        return self.text.fresh("place") if processes else ""


def field_position(sort: Sort, name: str) -> int:
    if isinstance(sort, MessageSort):
        return sort.field_position(name)
    assert isinstance(sort, RecordSort), sort
    return [field for field, _ in sort.fields].index(name)


__all__ = ["Expressions", "field_position"]
