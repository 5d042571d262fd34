"""The expansion of a level as code: successors in batches, stored by the worker that owns them.

A worker owns the states whose hash says so; those of others go to its outboxes and are absorbed between rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from checker.explicit.context import CUTS, OUT
from checker.explicit.emit_code import Code, new_function
from checker.explicit.emit_types import I64, POINTER, number
from checker.explicit.emit_visited import VisitedCode
from checker.explicit.emit_worker import WorkerAccess, over_level, return_if
from checker.explicit.llvm import Ssa, ir
from checker.explicit.worker import BATCH, Returned, Word, batch_room


class ExpansionCode:
    """Emits the expansion into a module that has ``successors``, ``action_invariants`` and the visited set."""

    def __init__(self, module: Any, worker: WorkerAccess, visited: VisitedCode) -> None:
        self.module, self.worker, self.visited, self.words = module, worker, visited, worker.words

    def emit_expand(self) -> None:
        """(worker): the successors of the states from CURSOR to END.

        They are not stored one by one: a batch is generated, each one's slot asked for at once, and then stored, so
        that the waits for memory overlap."""
        code = new_function(self.module, "expand", I64, POINTER, exported=True)
        worker = self.worker.given(code)
        held = code.cell(I64)  # records in the buffer that are not stored yet
        code.put(held, number(0))

        def settle() -> None:
            code.call("commit", worker, code.get(held, I64))
            code.put(held, number(0))

        head, cursor = over_level(code, worker, settle)
        needed = code.add(code.word(worker, Word.COUNT), number(batch_room(self.worker.most)))
        return_if(code, code.is_less(code.word(worker, Word.ROOM), needed), Returned.NEEDS_ROOM, settle)
        self._boxes_have_room(code, worker, settle)
        state = self.worker.state(code, worker, cursor)
        context, buffer = self.worker.context(code, worker), self.worker.pointer(code, worker, Word.BUFFER)
        stride = self.words + 1
        earlier = code.get(held, I64)
        records = code.at(buffer, code.mul(earlier, number(stride)))
        begin = code.b.ptrtoint(records, I64)
        code.put_word(context, OUT, begin)
        cuts = code.word(context, CUTS)
        status = code.call("successors", context, state)
        return_if(code, code.negation(code.is_equal(status, number(0))), status, settle)
        found = code.b.udiv(code.sub(code.word(context, OUT), begin), number(8 * stride))
        self._note_deadlock(code, worker, cursor, found, code.is_equal(cuts, code.word(context, CUTS)))
        hashes = code.at(self.worker.pointer(code, worker, Word.HASHES), code.mul(earlier, number(2)))
        taken = self.worker.pointer(code, worker, Word.TAKEN)
        mine = code.add(code.mul(cursor, code.word(worker, Word.WORKERS)), code.word(worker, Word.ME))

        def step(i: Ssa) -> None:
            record = code.at(records, code.mul(i, number(stride)))
            label, after = code.word(record, 0), code.at(record, 1)
            self._check_step(code, worker, cursor, state, label, after)
            if "canonical" in self.module.globals:  # only now: the step leads to the state itself
                code.call("canonical", after)
            h = code.call("hash", after)
            self.visited.expect_slot(code, worker, h)
            entry = code.at(hashes, code.mul(i, number(2)))
            code.put_word(entry, 0, h)
            code.put_word(entry, 1, mine)
            self.worker.add(code, taken, code.low_bits(label, 16), number(1))

        code.for_range(number(0), code.sub(found, number(1)), step)
        self.worker.add(code, worker, Word.GENERATED, found)
        code.put_word(worker, Word.CURSOR, code.add(cursor, number(1)))
        code.put(held, code.add(earlier, found))
        code.if_(code.is_less_equal(number(BATCH), code.get(held, I64)), settle)
        self._note_out_degree(code, worker, found)
        broken = code.negation(code.is_equal(code.word(worker, Word.BROKEN), number(0)))
        asked = code.negation(code.is_equal(code.word(worker, Word.RETURN_IF_BROKEN), number(0)))
        return_if(code, code.both(broken, asked), Returned.BROKEN, settle)
        code.b.branch(head)
        code.finish()

    def emit_commit(self) -> None:
        """(worker, number): stores the first records of the buffer, or sends them to their owners."""
        code = new_function(self.module, "commit", ir.VoidType(), POINTER, I64)
        worker, size = self.worker.given(code), code.function.args[1]
        hashes, buffer = self.worker.pointer(code, worker, Word.HASHES), self.worker.pointer(code, worker, Word.BUFFER)
        last = code.sub(size, number(1))

        def expect(i: Ssa) -> None:
            self.visited.expect_state(code, worker, code.word(hashes, code.mul(i, number(2))))

        def keep(i: Ssa) -> None:
            entry = code.at(hashes, code.mul(i, number(2)))
            after = code.at(code.at(buffer, code.mul(i, number(self.words + 1))), 1)
            self._keep(code, worker, after, code.word(entry, 0), code.word(entry, 1))

        code.for_range(number(0), last, expect)
        code.for_range(number(0), last, keep)
        code.b.ret_void()
        code.finish()

    def _boxes_have_room(self, code: Code, worker: Ssa, settle: Callable[[], None]) -> None:
        boxes, workers = self.worker.pointer(code, worker, Word.BOXES), code.word(worker, Word.WORKERS)
        room = code.word(worker, Word.BOX_ROOM)

        def look(i: Ssa) -> None:
            used = code.word(boxes, code.add(code.mul(i, number(2)), number(1)))
            full = code.is_less(room, code.add(used, number(batch_room(self.worker.most))))
            return_if(code, full, Returned.BOX_FULL, settle)

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
        broken = code.call("action_invariants", before, after, label)
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
        owner = self.visited.owner(code, worker, h)

        def own() -> None:
            code.call("insert", worker, after, h, parent)

        def send() -> None:
            box = code.at(self.worker.pointer(code, worker, Word.BOXES), code.mul(owner, number(2)))
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

    def emit_absorb(self) -> None:
        """(worker, records, number): stores what another worker found; there must be room for all of it."""
        code = new_function(self.module, "absorb", ir.VoidType(), POINTER, POINTER, I64, exported=True)
        worker, records, size = code.function.args
        stride = number(self.words + 2)
        worker, records = code.bounded(worker, len(Word)), code.bounded(records, lambda: code.mul(size, stride))

        def each(first: Ssa, last: Ssa, body: Callable[[Ssa], None]) -> None:
            code.for_range(first, last, lambda i: body(code.at(records, code.mul(i, stride))))

        def batch(which: Ssa) -> None:
            first = code.mul(which, number(BATCH))
            after = code.add(first, number(BATCH))
            last = code.sub(code.select(code.is_less(after, size), after, size), number(1))
            each(first, last, lambda record: self.visited.expect_slot(code, worker, code.word(record, 0)))
            each(first, last, lambda record: self.visited.expect_state(code, worker, code.word(record, 0)))
            each(first, last, take)

        def take(record: Ssa) -> None:
            code.call("insert", worker, code.at(record, 2), code.word(record, 0), code.word(record, 1))

        batches = code.b.udiv(code.add(size, number(BATCH - 1)), number(BATCH))
        code.for_range(number(0), code.sub(batches, number(1)), batch)
        code.b.ret_void()
        code.finish()
