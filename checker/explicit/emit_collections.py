"""Sets, sequences, maps and loops over them, as code; ``Expressions`` adds the rest."""

from __future__ import annotations

from collections.abc import Callable

from checker.explicit.emit_code import FALSE, I64, TRUE, Code, known, number, register
from checker.explicit.emit_comparing import equal, lies_in
from checker.explicit.emit_frame import Frame, read_message
from checker.explicit.emit_packing import converted, packed
from checker.explicit.emit_positions import at_position, element_of, position, with_element
from checker.explicit.emit_values import Bool, Emitted, Int, Map, Message, Seq, Set, shape_of_emitted
from checker.explicit.layout import MessageLayout
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import (
    NEVER,
    IntShape,
    MapShape,
    NeverShape,
    RecordShape,
    SeqShape,
    SetShape,
    Shape,
    bits,
    count,
    joined,
    joined_all,
    shape_of,
    within,
)
from spec import system as nodes
from spec.sorts import MapSort, MessageSort, SetSort
from spec.system import Operator, Quantifier, Where


class Collections:
    """Emits what is about collections. The rest of the expressions comes from the subclass."""

    frame: Frame
    code: Code

    def value(self, node: nodes.Expr) -> Emitted:
        raise NotImplementedError

    def boolean(self, node: nodes.Expr) -> Ssa:
        raise NotImplementedError

    def integer(self, node: nodes.Expr) -> Int:
        raise NotImplementedError

    def fail_unless(self, condition: Ssa) -> None:
        raise NotImplementedError

    def process_index(self, process: nodes.Expr) -> Ssa:
        raise NotImplementedError

    # -------------------------------------------------------------------------------------------- sets

    def make_set(self, elements: list[Emitted]) -> Set:
        code = self.code
        shape = joined_all([shape_of_emitted(element) for element in elements])
        type_ = register(count(shape))
        mask = ir.Constant(type_, 0)
        for element in elements:
            at = position(code, converted(code, element, shape), shape)
            mask = code.either(mask, code.shift_left(ir.Constant(type_, 1), at))
        return Set(mask, shape)

    def int_range(self, low: Int, high: Int) -> Set:
        code = self.code
        if high.high < low.low:
            return Set(ir.Constant(register(0), 0), NEVER)
        shape = IntShape(low.low, high.high)
        type_ = register(count(shape))
        size = code.sub(code.add(high.number, number(1)), low.number)
        size = code.select(code.is_less(size, number(0)), number(0), size)
        first = code.sub(low.number, number(shape.low))
        # Where the range is empty, ``first`` may be beyond the mask.
        first = code.select(code.is_equal(size, number(0)), number(0), first)
        return Set(code.shift_left(code.ones(type_, size), first), shape)

    def is_empty(self, of: Set) -> Ssa:
        return self.code.is_equal(of.mask, ir.Constant(of.mask.type, 0))

    def size(self, of: Set) -> Int:
        return Int(self.code.ones_in(of.mask), 0, count(of.of))

    def set_operation(self, operator: Operator, left: Set, right: Set) -> Emitted:
        code = self.code
        shape = joined(left.of, right.of)
        a, b = converted(code, left, SetShape(shape)), converted(code, right, SetShape(shape))
        assert isinstance(a, Set)
        assert isinstance(b, Set)
        ones = ir.Constant(a.mask.type, (1 << count(shape)) - 1)
        match operator:
            case Operator.UNION:
                return Set(code.either(a.mask, b.mask), shape)
            case Operator.INTERSECT:
                return Set(code.both(a.mask, b.mask), shape)
        without = code.both(a.mask, code.b.xor(b.mask, ones))
        if operator is Operator.SUBSET:
            return Bool(code.is_equal(without, ir.Constant(without.type, 0)))
        return Set(without, shape)

    def is_in(self, left: nodes.Expr, right: nodes.Expr) -> Ssa:
        code = self.code
        element = self.value(left)
        if isinstance(right, nodes.MessagesIn):
            assert isinstance(element, Message)
            return self._message_is_in(element, right)
        if isinstance(right, nodes.IntRange):
            low, high = self.integer(right.low), self.integer(right.high)
            assert isinstance(element, Int)
            above = code.is_less_equal(low.number, element.number)
            return code.both(above, code.is_less_equal(element.number, high.number))
        if isinstance(right, nodes.MakeSet):
            result: Ssa = FALSE
            for member in [self.value(node) for node in right.elements]:
                result = code.either(result, equal(code, element, member))
            return result
        members = self.value(right)
        assert isinstance(members, Set)
        if members.of == NEVER:
            return FALSE
        inside = TRUE if within(shape_of_emitted(element), members.of) else lies_in(code, element, members.of)
        at = position(code, converted(code, element, members.of), members.of)
        at = code.select(inside, at, number(0))
        there = code.resize(code.low_bits(code.shift_right(members.mask, at), 1), TRUE.type)
        return code.conjunction(inside, there)

    # -------------------------------------------------------------------------------------- sequences

    def make_seq(self, elements: list[Emitted]) -> Seq:
        code = self.code
        shape = joined_all([shape_of_emitted(element) for element in elements])
        type_ = register(len(elements) * bits(shape))
        slots = ir.Constant(type_, 0)
        for i, element in enumerate(elements):
            part = code.resize(packed(code, converted(code, element, shape), shape), type_)
            slots = code.either(slots, code.shift_left(part, ir.Constant(type_, i * bits(shape))))
        return Seq(number(len(elements)), slots, shape, len(elements))

    def concatenated(self, left: Seq, right: Seq) -> Seq:
        code = self.code
        shape = joined(left.of, right.of)
        capacity = left.capacity + right.capacity
        a = converted(code, left, SeqShape(shape, capacity))
        b = converted(code, right, SeqShape(shape, capacity))
        assert isinstance(a, Seq)
        assert isinstance(b, Seq)
        shifted = code.shift_left(b.slots, code.mul(a.length, number(bits(shape))))
        return Seq(code.add(a.length, b.length), code.either(a.slots, shifted), shape, capacity)

    def slice(self, of: Seq, low: Ssa, high: Ssa) -> Seq:
        code, width = self.code, bits(of.of)
        size = code.sub(code.add(high, number(1)), low)
        empty = code.is_less_equal(size, number(0))
        good = code.both(code.is_less_equal(number(1), low), code.is_less_equal(high, of.length))
        self.fail_unless(code.either(empty, good))
        size = code.select(empty, number(0), size)
        first = code.select(empty, number(0), code.sub(low, number(1)))
        moved = code.shift_right(of.slots, code.mul(first, number(width)))
        slots = code.both(moved, code.ones(moved.type, code.mul(size, number(width))))
        return Seq(size, slots, of.of, of.capacity)

    def element(self, of: Seq | Map, place: Ssa) -> Emitted:
        if of.of == NEVER:  # the check that there is such a place has failed
            return Int(number(0), 0, 0)
        return element_of(self.code, of, place)

    def updated(self, of: Seq | Map, place: Ssa, new: Emitted) -> Seq | Map:
        code = self.code
        shape = joined(of.of, shape_of_emitted(new))
        whole: Shape = SeqShape(shape, of.capacity) if isinstance(of, Seq) else MapShape(of.key, shape)
        wide = converted(code, of, whole)
        assert isinstance(wide, Seq | Map)
        return with_element(code, wide, place, converted(code, new, shape))

    # ------------------------------------------------------------------------------------------- loops

    def each(self, domain: nodes.Expr, body: Callable[[Emitted], None]) -> None:
        """``body`` for every element of a set, in domain order."""
        code = self.code
        if isinstance(domain, nodes.MessagesIn):
            self._each_message(domain, body)
            return
        if isinstance(domain, nodes.IntRange):
            low, high = self.integer(domain.low), self.integer(domain.high)
            if low.low <= high.high:
                code.for_range(low.number, high.number, lambda i: body(Int(i, low.low, high.high)))
            return
        members = self.value(domain)
        assert isinstance(members, Set)
        shape = members.of
        if isinstance(shape, NeverShape):
            return
        if known(members.mask) == (1 << count(shape)) - 1:
            last = number(count(shape) - 1)
            code.for_range(number(0), last, lambda i: body(at_position(code, i, shape)))
        else:
            code.for_ones(members.mask, lambda i: body(at_position(code, i, shape)))

    def quantified(self, node: nodes.Quantified) -> Bool:
        code = self.code
        decides = node.quantifier is Quantifier.EXISTS
        done = code.block()
        decided: list[object] = []

        def body(element: Emitted) -> None:
            self.frame.local[node.name] = element
            holds = self.boolean(node.body)
            decided.append(code.b.block)
            code.leave_if(holds if decides else code.negation(holds), done)
            if code.b.block is decided[-1]:  # a constant that does not decide
                decided.pop()

        self.each(node.domain, body)
        end = code.b.block
        code.b.branch(done)
        code.b.position_at_end(done)
        phi = code.b.phi(TRUE.type)
        phi.add_incoming(FALSE if decides else TRUE, end)
        for block in decided:
            phi.add_incoming(TRUE if decides else FALSE, block)
        return Bool(phi)

    def comprehension(self, node: nodes.SetComprehension) -> Set:
        """The shape of the elements is known when the loop's body has been written; the mask is as wide then."""
        code = self.code
        found: list[tuple[Ssa, Shape]] = []

        def body(element: Emitted) -> None:
            self.frame.local[node.name] = element

            def add() -> None:
                value = self.value(node.value)
                shape = shape_of_emitted(value)
                cell = code.cell(register(count(shape)))
                found.append((cell, shape))
                type_ = register(count(shape))
                one = code.shift_left(ir.Constant(type_, 1), position(code, value, shape))
                code.put(cell, code.either(code.get(cell, type_), one))

            code.if_(self.boolean(node.condition), add)

        start = self._loop_with_start(lambda: self.each(node.domain, body))
        if not found:
            return Set(ir.Constant(register(0), 0), NEVER)
        ((cell, shape),) = found
        type_ = register(count(shape))
        start.store(ir.Constant(type_, 0), cell, align=8)
        return Set(code.get(cell, type_), shape)

    def _loop_with_start(self, loop: Callable[[], None]) -> ir.IRBuilder:
        """Writes the loop; the builder that is returned stands right before it."""
        code = self.code
        start, rest = code.block(), code.block()
        code.b.branch(start)
        builder = ir.IRBuilder(start)
        builder.branch(rest)
        builder.position_before(start.terminator)
        code.b.position_at_end(rest)
        loop()
        return builder

    def make_map(self, node: nodes.MakeMap) -> Map:
        code = self.code
        assert isinstance(node.sort, MapSort)
        key = shape_of(node.sort.key)
        found: list[tuple[Ssa, Shape]] = []

        def body(place: Ssa) -> None:
            self.frame.local[node.name] = at_position(code, place, key)
            value = self.value(node.value)
            shape = shape_of_emitted(value)
            type_ = register(count(key) * bits(shape))
            cell = code.cell(type_)
            found.append((cell, shape))
            at = code.mul(place, number(bits(shape)))
            part = code.shift_left(code.resize(packed(code, value, shape), type_), at)
            code.put(cell, code.either(code.get(cell, type_), part))

        start = self._loop_with_start(lambda: code.for_range(number(0), number(count(key) - 1), body))
        ((cell, shape),) = found
        type_ = register(count(key) * bits(shape))
        start.store(ir.Constant(type_, 0), cell, align=8)
        return Map(code.get(cell, type_), key, shape)

    # ---------------------------------------------------------------------------------------- messages

    def _messages_frame(self, node: nodes.MessagesIn) -> Frame:
        if not node.old:
            return self.frame
        assert self.frame.old is not None
        return self.frame.old

    def _belongs(self, node: nodes.MessagesIn, key: Ssa, process: Ssa | None) -> Ssa:
        code, pool = self.code, self.frame.pool_access
        waits = pool.waits(code, key)
        there = waits if node.where is Where.OUTBOX else code.negation(waits)
        if process is not None:
            there = code.both(there, code.is_equal(pool.source(code, key), process))
        if node.message is not None:
            tag = self.frame.layout.messages[node.message].tag
            there = code.both(there, code.is_equal(pool.tag(code, key), number(tag)))
        return there

    def _each_slot(self, node: nodes.MessagesIn, body: Callable[[Ssa, Ssa, Ssa], None]) -> None:
        """``body(pool, i, key)`` for each slot that holds one of these messages."""
        code, access = self.code, self.frame.pool_access
        process = None if node.process is None else self.process_index(node.process)
        pool = self._messages_frame(node).pool()

        def slot(i: Ssa) -> None:
            key = access.key(code, pool, i)
            code.if_(self._belongs(node, key, process), lambda: body(pool, i, key))

        code.for_range(number(0), code.sub(access.size(code, pool), number(1)), slot)

    def _each_message(self, node: nodes.MessagesIn, body: Callable[[Emitted], None]) -> None:
        layout = self.frame.layout
        if not layout.messages:
            return
        if node.message is None:  # of every type: it has a source and a destination
            assert isinstance(node.sort, SetSort)
            assert isinstance(node.sort.of, MessageSort)
            message = MessageLayout(node.sort.of, 0, RecordShape(()))
        else:
            message = layout.messages[node.message]
        self._each_slot(node, lambda pool, i, key: body(read_message(self.code, layout, message, key)))

    def count_messages(self, node: nodes.MessagesIn) -> Int:
        code, access = self.code, self.frame.pool_access
        total = code.cell(I64)
        code.put(total, number(0))

        def slot(pool: Ssa, i: Ssa, key: Ssa) -> None:
            one: Ssa = number(1)
            if access.fifo:  # the same message may stand in two places of a channel
                earlier = code.cell(I64)
                code.put(earlier, number(1))

                def look(j: Ssa) -> None:
                    same = code.is_equal(access.key(code, pool, j), key)
                    code.put(earlier, code.select(same, number(0), code.get(earlier, I64)))

                code.for_range(number(0), code.sub(i, number(1)), look)
                one = code.get(earlier, I64)
            code.put(total, code.add(code.get(total, I64), one))

        if self.frame.layout.slots:
            self._each_slot(node, slot)
        return Int(code.get(total, I64), 0, self.frame.layout.slots)

    def _message_is_in(self, message: Message, node: nodes.MessagesIn) -> Ssa:
        code = self.code
        found = code.cell(TRUE.type)
        code.put(found, FALSE)

        def slot(pool: Ssa, i: Ssa, key: Ssa) -> None:
            same = code.is_equal(code.low_bits(key, self.frame.layout.waiting_shift), message.key)
            code.put(found, code.either(code.get(found, TRUE.type), same))

        self._each_slot(node, slot)
        return code.get(found, TRUE.type)
