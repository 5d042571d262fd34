"""The search's inner loops as code: hash, visited set, expansion of a level, exchange between workers.

The store is an append-only array of states, which is the frontier too; the visited set is an open-addressing table of
32-bit tag and 32-bit index into it (0: free), compared with the stored words: exact. A worker owns the states whose
hash says so; those of others go to its outboxes and are absorbed between rounds. Nothing here allocates: ``expand``
returns when it needs room, so that Python can make some.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

from checker.explicit.emit_code import I32, I64, POINTER, Code, declared, number
from checker.explicit.emit_transitions import CUTS, OUT, SYSTEM_ACTIONS
from checker.explicit.layout import Layout
from checker.explicit.llvm import Ssa, ir

NO_PARENT = (1 << 32) - 1
BATCH = 64
"""So many successors are generated before any of them is stored."""


def batch_room(most: int) -> int:
    """How many records the buffer holds: all successors of one more state always fit."""
    return BATCH + most


class Word(IntEnum):
    """The words of a worker."""

    STATES = 0  # pointer to the store
    COUNT = 1  # states in it
    ROOM = 2  # how many it has room for
    TABLE = 3
    MASK = 4  # the table's size - 1
    PARENTS = 5  # pointer to u32: parent's index * workers + its owner
    CURSOR = 6  # next state to expand or to check
    END = 7  # where the level ends
    BUFFER = 8  # pointer to room for ``batch_room`` records: a label and a state
    CONTEXT = 9
    GENERATED = 10
    TAKEN = 11  # pointer to counts by label kind
    DEADLOCK = 12  # first state without any label, or -1
    ME = 13
    WORKERS = 14
    BOXES = 15  # pointer to a pointer and a number of records for each worker
    BOX_ROOM = 16
    BROKEN = 17  # mask of the action invariants that the first violating step breaks, 0, or -1: an error
    BROKEN_AT = 18  # the state that the step leaves
    BROKEN_LABEL = 19
    HEEDED = 20  # the action invariants to look at (all are evaluated)
    QUANTUM = 21  # how many states to do before returning
    INVARIANTS = 22  # those to look at
    GOALS = 23  # those not yet reached
    FOUND = 24  # by ``check``: mask of broken invariants or reached goals
    HASHES = 25  # pointer to room for the hash and the parent of each record in the buffer
    LEVEL = 26  # pointer to where state 0 would be, for those from CURSOR to END
    FINGERPRINTS = 27  # pointer to the hashes of all states, if these alone are compared
    FEWEST = 28  # labels out of one state
    MOST = 29
    RETURN_IF_BROKEN = 30  # from ``expand``, after the state from which a step breaks an action invariant


class Returned(IntEnum):
    DONE = 0
    QUANTUM = 1
    ERROR = 2  # the evaluation failed; in ``expand`` the context has the label
    NEEDS_ROOM = 3
    BOX_FULL = 4
    INVARIANT = 5
    GOAL = 6
    BROKEN = 7
    OVERFLOW = 16  # plus the capacity's number


class SearchCode:
    """Emits the search's functions into a module that has ``successors``, the properties and, if states are stored up
    to symmetry, ``canonical``. ``most``: how many successors a state can have."""

    def __init__(self, module: Any, layout: Layout, most: int, fingerprints: bool) -> None:
        self.module, self.layout, self.most, self.fingerprints = module, layout, most, fingerprints
        self.words = layout.words

    def emit(self) -> None:
        self._hash()
        self._insert()
        self._commit()
        self._expand()
        self._absorb()
        self._check()
        self._rehash()
        self._recall()
        self._export_successors()

    def _function(self, name: str, result: Any, *arguments: Any, exported: bool = False) -> Code:
        function = ir.Function(self.module, ir.FunctionType(result, arguments), name)
        if not exported:
            function.linkage = "internal"
        return Code(function)

    def _call(self, code: Code, name: str, *arguments: Ssa) -> Ssa:
        return code.b.call(self.module.globals[name], arguments)

    def _pointer(self, code: Code, worker: Ssa, word: Word) -> Ssa:
        pointer = code.b.inttoptr(code.word(worker, word), POINTER)
        return code.bounded(pointer, lambda: self._size(code, worker, word))

    def _size(self, code: Code, worker: Ssa, word: Word) -> Ssa:
        """How many words stand where this word of a worker points to."""
        match word:
            case Word.TABLE:
                return code.add(code.word(worker, Word.MASK), number(1))
            case Word.PARENTS:  # of half a word each
                return code.b.lshr(code.add(code.word(worker, Word.ROOM), number(1)), number(1))
            case Word.FINGERPRINTS:
                return code.word(worker, Word.ROOM)
            case Word.BUFFER:
                return number(batch_room(self.most) * (self.words + 1))
            case Word.HASHES:
                return number(2 * batch_room(self.most))
            case Word.BOXES:
                return code.mul(number(2), code.word(worker, Word.WORKERS))
            case Word.TAKEN:
                return number(len(self.layout.system.rules) + len(SYSTEM_ACTIONS))
        raise AssertionError(f"{word.name} points to no region of its own")

    def _context(self, code: Code, worker: Ssa) -> Ssa:
        return code.bounded_context(code.b.inttoptr(code.word(worker, Word.CONTEXT), POINTER))

    def _state(self, code: Code, worker: Ssa, index: Ssa, where: Word = Word.LEVEL) -> Ssa:
        if where is Word.LEVEL:  # which has no more than the states from CURSOR to END
            first, end = Word.CURSOR, Word.END
            what = "a state outside the level"
            index = code.within(index, lambda: code.word(worker, end), what, lambda: code.word(worker, first))
        else:
            index = code.within(index, lambda: code.word(worker, Word.ROOM), "a state outside the store")
        states = code.b.inttoptr(code.word(worker, where), POINTER)
        return code.bounded(code.at(states, code.mul(index, number(self.words))), self.words)

    def _add(self, code: Code, pointer: Ssa, word: Ssa | int, more: Ssa) -> None:
        code.put_word(pointer, word, code.add(code.word(pointer, word), more))

    # -------------------------------------------------------------------------------------------- hash

    def _hash(self) -> None:
        code = self._function("hash", I64, POINTER)
        state = code.bounded(code.function.args[0], self.words)
        lanes: list[Ssa] = [number(0x2545F4914F6CDD1D), number(0x1B873593CC9E2D51)]  # two chains that overlap in time
        for word in range(self.words):
            h = code.b.mul(code.b.xor(lanes[word % 2], code.word(state, word)), number(-7046029254386353131))
            lanes[word % 2] = code.b.xor(h, code.b.lshr(h, number(32)))
        h = code.b.mul(
            code.b.xor(code.b.mul(lanes[0], number(-7046029254386353131)), lanes[1]), number(-4417276706812531889)
        )
        h = code.b.mul(code.b.xor(h, code.b.lshr(h, number(32))), number(-4417276706812531889))
        h = code.b.xor(h, code.b.lshr(h, number(29)))
        code.b.ret(h)
        code.finish()

    def _owner(self, code: Code, worker: Ssa, h: Ssa) -> Ssa:
        """By the low half of the hash: the table's slots go by the high one."""
        return code.b.lshr(code.b.mul(code.low_bits(h, 32), code.word(worker, Word.WORKERS)), number(32))

    def _slot(self, code: Code, worker: Ssa, tag: Ssa) -> Ssa:
        return code.b.and_(tag, code.word(worker, Word.MASK))

    def _prefetch(self, code: Code, address: Ssa) -> None:
        type_ = ir.FunctionType(ir.VoidType(), [POINTER, I32, I32, I32])
        prefetch = declared(self.module, "llvm.prefetch.p0", type_)
        code.b.call(prefetch, [address, ir.Constant(I32, 0), ir.Constant(I32, 3), ir.Constant(I32, 1)])

    def _expect_slot(self, code: Code, worker: Ssa, h: Ssa) -> None:
        """Asks for the slot of a hash, long before it is looked at."""
        table = self._pointer(code, worker, Word.TABLE)
        self._prefetch(code, code.at(table, self._slot(code, worker, code.b.lshr(h, number(32)))))

    def _expect_state(self, code: Code, worker: Ssa, h: Ssa) -> None:
        """Asks for the state that the slot of a hash names: mostly it is the same state, and must be compared."""
        table = self._pointer(code, worker, Word.TABLE)
        entry = code.low_bits(code.word(table, self._slot(code, worker, code.b.lshr(h, number(32)))), 32)
        free = code.is_equal(entry, number(0))
        index = code.select(free, number(0), code.b.sub(entry, number(1)))
        if self.fingerprints:
            self._prefetch(code, code.at(self._pointer(code, worker, Word.FINGERPRINTS), index))
            return
        state = self._state(code, worker, index, Word.STATES)
        self._prefetch(code, state)
        if self.words > 1:
            self._prefetch(code, code.at(state, self.words - 1))

    # ------------------------------------------------------------------------------------- visited set

    def _insert(self) -> None:
        """(worker, state, hash, parent): stores a state that is not there."""
        code = self._function("insert", ir.VoidType(), POINTER, POINTER, I64, I64)
        worker, state, h, parent = code.function.args
        worker, state = code.bounded(worker, len(Word)), code.bounded(state, self.words)
        table, mask = self._pointer(code, worker, Word.TABLE), code.word(worker, Word.MASK)
        tag = code.b.lshr(h, number(32))
        probe, free, taken, same_tag, following, done = (code.block() for _ in range(6))
        first = self._slot(code, worker, tag)
        before = code.b.block
        code.b.branch(probe)
        code.b.position_at_end(probe)
        at = code.b.phi(I64)
        at.add_incoming(first, before)
        entry = code.word(table, at)
        code.b.cbranch(code.is_equal(entry, number(0)), free, taken)

        code.b.position_at_end(taken)
        code.b.cbranch(code.is_equal(code.b.lshr(entry, number(32)), tag), same_tag, following)

        code.b.position_at_end(same_tag)
        index = code.b.sub(code.low_bits(entry, 32), number(1))
        code.b.cbranch(self._is_there(code, worker, index, state, h), done, following)

        code.b.position_at_end(following)
        at.add_incoming(code.both(code.add(at, number(1)), mask), following)
        code.b.branch(probe)

        code.b.position_at_end(free)
        count = code.word(worker, Word.COUNT)
        code.copy(self._state(code, worker, count, Word.STATES), state, self.words)
        if self.fingerprints:
            code.put_word(self._pointer(code, worker, Word.FINGERPRINTS), count, h)
        parents = self._pointer(code, worker, Word.PARENTS)
        code.put(code.at(parents, count, I32), code.resize(parent, I32))
        new_count = code.add(count, number(1))
        code.put_word(table, at, code.either(code.shift_left(tag, number(32)), new_count))
        code.put_word(worker, Word.COUNT, new_count)
        code.b.branch(done)
        code.b.position_at_end(done)
        code.b.ret_void()
        code.finish()

    def _is_there(self, code: Code, worker: Ssa, index: Ssa, state: Ssa, h: Ssa) -> Ssa:
        """Whether a stored state is this one; by fingerprints: whether it has the same hash."""
        if self.fingerprints:
            return code.is_equal(code.word(self._pointer(code, worker, Word.FINGERPRINTS), index), h)
        other = self._state(code, worker, index, Word.STATES)
        difference: Ssa = number(0)
        for word in range(self.words):
            difference = code.either(difference, code.b.xor(code.word(other, word), code.word(state, word)))
        return code.is_equal(difference, number(0))

    def _rehash(self) -> None:
        """(worker, old table, its size): fills an empty table from an old one. No state is looked at: an entry's tag
        says where it belongs, and neighbours stay neighbours."""
        code = self._function("rehash", ir.VoidType(), POINTER, POINTER, I64, exported=True)
        worker, old, size = code.function.args
        worker, old = code.bounded(worker, len(Word)), code.bounded(old, lambda: size)

        def put(i: Ssa) -> None:
            entry = code.word(old, i)
            taken = code.negation(code.is_equal(entry, number(0)))
            code.if_(taken, lambda: self._put_entry(code, worker, entry))

        code.for_range(number(0), code.sub(size, number(1)), put)
        code.b.ret_void()
        code.finish()

    def _recall(self) -> None:
        """(worker): fills an empty table from the store."""
        code = self._function("recall", ir.VoidType(), POINTER, exported=True)
        worker = code.bounded(code.function.args[0], len(Word))

        def put(i: Ssa) -> None:
            tag = code.b.lshr(self._call(code, "hash", self._state(code, worker, i, Word.STATES)), number(32))
            self._put_entry(code, worker, code.either(code.shift_left(tag, number(32)), code.add(i, number(1))))

        code.for_range(number(0), code.sub(code.word(worker, Word.COUNT), number(1)), put)
        code.b.ret_void()
        code.finish()

    def _put_entry(self, code: Code, worker: Ssa, entry: Ssa) -> None:
        """Puts an entry that is not there into the first free slot from its own on."""
        table, mask = self._pointer(code, worker, Word.TABLE), code.word(worker, Word.MASK)
        first = code.b.and_(code.b.lshr(entry, number(32)), mask)
        before, probe, free = code.b.block, code.block(), code.block()
        code.b.branch(probe)
        code.b.position_at_end(probe)
        at = code.b.phi(I64)
        at.add_incoming(first, before)
        at.add_incoming(code.b.and_(code.b.add(at, number(1)), mask), probe)
        code.b.cbranch(code.is_equal(code.word(table, at), number(0)), free, probe)
        code.b.position_at_end(free)
        code.put_word(table, at, entry)

    # --------------------------------------------------------------------------------------- expansion

    def _loop(self, code: Code, worker: Ssa, settle: Callable[[], None]) -> tuple[Any, Ssa]:
        """Begins the loop over the states of a level: the block to come back to, and the state's index. ``settle``
        writes what must be done before the function returns."""
        head, more, inside = code.block(), code.block(), code.block()
        done, tired = code.block(), code.block()
        left = code.cell(I64)
        code.put(left, code.word(worker, Word.QUANTUM))
        code.b.branch(head)
        code.b.position_at_end(head)
        cursor = code.word(worker, Word.CURSOR)
        code.b.cbranch(code.is_less(cursor, code.word(worker, Word.END)), more, done)
        code.b.position_at_end(done)
        settle()
        code.b.ret(number(Returned.DONE))
        code.b.position_at_end(more)
        rest = code.get(left, I64)
        code.put(left, code.sub(rest, number(1)))
        code.b.cbranch(code.is_less(number(0), rest), inside, tired)
        code.b.position_at_end(tired)
        settle()
        code.b.ret(number(Returned.QUANTUM))
        code.b.position_at_end(inside)
        return head, cursor

    def _return_if(
        self, code: Code, condition: Ssa, what: int | Ssa, settle: Callable[[], None] = lambda: None
    ) -> None:
        leave = code.block()
        code.leave_if(condition, leave)
        rest = code.b.block
        code.b.position_at_end(leave)
        settle()
        code.b.ret(number(what) if isinstance(what, int) else what)
        code.b.position_at_end(rest)

    def _expand(self) -> None:
        """(worker): the successors of the states from CURSOR to END.

        They are not stored one by one: a batch is generated, each one's slot asked for at once, and then stored, so
        that the waits for memory overlap."""
        code = self._function("expand", I64, POINTER, exported=True)
        worker = code.bounded(code.function.args[0], len(Word))
        held = code.cell(I64)  # records in the buffer that are not stored yet
        code.put(held, number(0))

        def settle() -> None:
            self._call(code, "commit", worker, code.get(held, I64))
            code.put(held, number(0))

        head, cursor = self._loop(code, worker, settle)
        needed = code.add(code.word(worker, Word.COUNT), number(batch_room(self.most)))
        self._return_if(code, code.is_less(code.word(worker, Word.ROOM), needed), Returned.NEEDS_ROOM, settle)
        self._boxes_have_room(code, worker, settle)
        state = self._state(code, worker, cursor)
        context, buffer = self._context(code, worker), self._pointer(code, worker, Word.BUFFER)
        stride = self.words + 1
        earlier = code.get(held, I64)
        records = code.at(buffer, code.mul(earlier, number(stride)))
        begin = code.b.ptrtoint(records, I64)
        code.put_word(context, OUT, begin)
        cuts = code.word(context, CUTS)
        status = self._call(code, "successors", context, state)
        self._return_if(code, code.negation(code.is_equal(status, number(0))), status, settle)
        found = code.b.udiv(code.sub(code.word(context, OUT), begin), number(8 * stride))
        self._note_deadlock(code, worker, cursor, found, code.is_equal(cuts, code.word(context, CUTS)))
        hashes = code.at(self._pointer(code, worker, Word.HASHES), code.mul(earlier, number(2)))
        taken = self._pointer(code, worker, Word.TAKEN)
        mine = code.add(code.mul(cursor, code.word(worker, Word.WORKERS)), code.word(worker, Word.ME))

        def step(i: Ssa) -> None:
            record = code.at(records, code.mul(i, number(stride)))
            label, after = code.word(record, 0), code.at(record, 1)
            self._check_step(code, worker, cursor, state, label, after)
            if "canonical" in self.module.globals:  # only now: the step leads to the state itself
                self._call(code, "canonical", after)
            h = self._call(code, "hash", after)
            self._expect_slot(code, worker, h)
            entry = code.at(hashes, code.mul(i, number(2)))
            code.put_word(entry, 0, h)
            code.put_word(entry, 1, mine)
            self._add(code, taken, code.low_bits(label, 16), number(1))

        code.for_range(number(0), code.sub(found, number(1)), step)
        self._add(code, worker, Word.GENERATED, found)
        code.put_word(worker, Word.CURSOR, code.add(cursor, number(1)))
        code.put(held, code.add(earlier, found))
        code.if_(code.is_less_equal(number(BATCH), code.get(held, I64)), settle)
        self._note_out_degree(code, worker, found)
        broken = code.negation(code.is_equal(code.word(worker, Word.BROKEN), number(0)))
        asked = code.negation(code.is_equal(code.word(worker, Word.RETURN_IF_BROKEN), number(0)))
        self._return_if(code, code.both(broken, asked), Returned.BROKEN, settle)
        code.b.branch(head)
        code.finish()

    def _commit(self) -> None:
        """(worker, number): stores the first records of the buffer, or sends them to their owners."""
        code = self._function("commit", ir.VoidType(), POINTER, I64)
        worker, size = code.bounded(code.function.args[0], len(Word)), code.function.args[1]
        hashes, buffer = self._pointer(code, worker, Word.HASHES), self._pointer(code, worker, Word.BUFFER)
        last = code.sub(size, number(1))

        def expect(i: Ssa) -> None:
            self._expect_state(code, worker, code.word(hashes, code.mul(i, number(2))))

        def keep(i: Ssa) -> None:
            entry = code.at(hashes, code.mul(i, number(2)))
            after = code.at(code.at(buffer, code.mul(i, number(self.words + 1))), 1)
            self._keep(code, worker, after, code.word(entry, 0), code.word(entry, 1))

        code.for_range(number(0), last, expect)
        code.for_range(number(0), last, keep)
        code.b.ret_void()
        code.finish()

    def _boxes_have_room(self, code: Code, worker: Ssa, settle: Callable[[], None]) -> None:
        boxes, workers = self._pointer(code, worker, Word.BOXES), code.word(worker, Word.WORKERS)
        room = code.word(worker, Word.BOX_ROOM)

        def look(i: Ssa) -> None:
            used = code.word(boxes, code.add(code.mul(i, number(2)), number(1)))
            full = code.is_less(room, code.add(used, number(batch_room(self.most))))
            self._return_if(code, full, Returned.BOX_FULL, settle)

        several = code.is_less(number(1), workers)
        code.if_(several, lambda: code.for_range(number(0), code.sub(workers, number(1)), look) and None)

    def _note_deadlock(self, code: Code, worker: Ssa, cursor: Ssa, found: Ssa, uncut: Ssa) -> None:
        stuck = code.both(code.is_equal(found, number(0)), uncut)
        first = code.both(stuck, code.is_equal(code.word(worker, Word.DEADLOCK), number(-1)))
        code.if_(first, lambda: code.put_word(worker, Word.DEADLOCK, cursor))

    def _note_out_degree(self, code: Code, worker: Ssa, found: Ssa) -> None:
        fewest, most = code.word(worker, Word.FEWEST), code.word(worker, Word.MOST)
        code.put_word(worker, Word.FEWEST, code.select(code.is_less(found, fewest), found, fewest))
        code.put_word(worker, Word.MOST, code.select(code.is_less(most, found), found, most))

    def _check_step(self, code: Code, worker: Ssa, cursor: Ssa, before: Ssa, label: Ssa, after: Ssa) -> None:
        """Remembers the first step that breaks an action invariant, or whose evaluation fails."""
        broken = self._call(code, "action_invariants", before, after, label)
        failed = code.is_equal(broken, number(-1))
        broken = code.select(failed, broken, code.both(broken, code.word(worker, Word.HEEDED)))
        already = code.word(worker, Word.BROKEN)
        bad = code.both(code.negation(code.is_equal(broken, number(0))), code.is_equal(already, number(0)))

        def remember() -> None:
            code.put_word(worker, Word.BROKEN, broken)
            code.put_word(worker, Word.BROKEN_AT, cursor)
            code.put_word(worker, Word.BROKEN_LABEL, label)

        code.if_(bad, remember)

    def _keep(self, code: Code, worker: Ssa, after: Ssa, h: Ssa, parent: Ssa) -> None:
        owner = self._owner(code, worker, h)

        def own() -> None:
            self._call(code, "insert", worker, after, h, parent)

        def send() -> None:
            box = code.at(self._pointer(code, worker, Word.BOXES), code.mul(owner, number(2)))
            used = code.word(box, 1)
            records = code.b.inttoptr(code.word(box, 0), POINTER)
            stride = number(self.words + 2)
            records = code.bounded(records, lambda: code.mul(code.word(worker, Word.BOX_ROOM), stride))
            record = code.at(records, code.mul(used, number(self.words + 2)))
            code.put_word(record, 0, h)
            code.put_word(record, 1, parent)
            code.copy(code.at(record, 2), after, self.words)
            code.put_word(box, 1, code.add(used, number(1)))

        code.if_(code.is_equal(owner, code.word(worker, Word.ME)), own, send)

    def _absorb(self) -> None:
        """(worker, records, number): stores what another worker found; there must be room for all of it."""
        code = self._function("absorb", ir.VoidType(), POINTER, POINTER, I64, exported=True)
        worker, records, size = code.function.args
        stride = number(self.words + 2)
        worker, records = code.bounded(worker, len(Word)), code.bounded(records, lambda: code.mul(size, stride))

        def each(first: Ssa, last: Ssa, body: Callable[[Ssa], None]) -> None:
            code.for_range(first, last, lambda i: body(code.at(records, code.mul(i, stride))))

        def batch(which: Ssa) -> None:
            first = code.mul(which, number(BATCH))
            after = code.add(first, number(BATCH))
            last = code.sub(code.select(code.is_less(after, size), after, size), number(1))
            each(first, last, lambda record: self._expect_slot(code, worker, code.word(record, 0)))
            each(first, last, lambda record: self._expect_state(code, worker, code.word(record, 0)))
            each(first, last, take)

        def take(record: Ssa) -> None:
            self._call(code, "insert", worker, code.at(record, 2), code.word(record, 0), code.word(record, 1))

        batches = code.b.udiv(code.add(size, number(BATCH - 1)), number(BATCH))
        code.for_range(number(0), code.sub(batches, number(1)), batch)
        code.b.ret_void()
        code.finish()

    # -------------------------------------------------------------------------------------- properties

    def _check(self) -> None:
        """(worker): the goals and invariants of the states from CURSOR to END; returns at the first one that reaches or
        breaks one, with CURSOR on it."""
        code = self._function("check", I64, POINTER, exported=True)
        worker = code.bounded(code.function.args[0], len(Word))
        head, cursor = self._loop(code, worker, lambda: None)
        state = self._state(code, worker, cursor)
        wanted = code.word(worker, Word.GOALS)
        reached = code.cell(I64)
        code.put(reached, number(0))

        def goals() -> None:
            code.put(reached, self._call(code, "goals", state, wanted))

        code.if_(code.negation(code.is_equal(wanted, number(0))), goals)
        found = code.get(reached, I64)
        self._return_if(code, code.is_equal(found, number(-1)), Returned.ERROR)
        code.put_word(worker, Word.FOUND, found)
        self._return_if(code, code.negation(code.is_equal(found, number(0))), Returned.GOAL)
        broken = self._call(code, "invariants", state)
        self._return_if(code, code.is_equal(broken, number(-1)), Returned.ERROR)
        broken = code.both(broken, code.word(worker, Word.INVARIANTS))
        code.put_word(worker, Word.FOUND, broken)
        self._return_if(code, code.negation(code.is_equal(broken, number(0))), Returned.INVARIANT)
        code.put_word(worker, Word.CURSOR, code.add(cursor, number(1)))
        code.b.branch(head)
        code.finish()

    def _export_successors(self) -> None:
        code = self._function("fire_all", I64, POINTER, POINTER, exported=True)
        code.b.ret(self._call(code, "successors", *code.function.args))
        code.finish()
        code = self._function("hash_of", I64, POINTER, exported=True)
        code.b.ret(self._call(code, "hash", *code.function.args))
        code.finish()
        code = self._function("make_canonical", ir.VoidType(), POINTER, exported=True)
        if "canonical" in self.module.globals:
            self._call(code, "canonical", *code.function.args)
        code.b.ret_void()
        code.finish()
        for name, arguments in (("invariants", 1), ("goals", 2), ("action_invariants", 3)):
            types = [POINTER, POINTER, I64][:arguments] if name == "action_invariants" else [POINTER, I64][:arguments]
            code = self._function(f"see_{name}", I64, *types, exported=True)
            code.b.ret(self._call(code, name, *code.function.args))
            code.finish()
