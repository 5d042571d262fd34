"""What the search's functions read of a worker, and how they go through the states of its level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from checker.explicit.emit_code import Code
from checker.explicit.emit_transitions import label_kinds
from checker.explicit.emit_types import I64, POINTER, number
from checker.explicit.layout import Layout
from checker.explicit.llvm import Ssa
from checker.explicit.worker import Returned, Word, batch_room


class WorkerAccess:
    """Reads and writes a worker in emitted code. ``most``: how many successors a state can have. ``fingerprints``: the
    hashes of states are kept too, and compared in place of them."""

    def __init__(self, layout: Layout, most: int, fingerprints: bool) -> None:
        self.words, self.most, self.fingerprints = layout.words, most, fingerprints
        self.label_kinds = len(label_kinds(layout.system))

    def given(self, code: Code) -> Ssa:
        """The worker that a function is called with: its first argument."""
        return code.bounded(code.function.args[0], len(Word))

    def pointer(self, code: Code, worker: Ssa, word: Word) -> Ssa:
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
                return number(self.label_kinds)
        raise AssertionError(f"{word.name} points to no region of its own")

    def context(self, code: Code, worker: Ssa) -> Ssa:
        return code.bounded_context(code.b.inttoptr(code.word(worker, Word.CONTEXT), POINTER))

    def state(self, code: Code, worker: Ssa, index: Ssa, where: Word = Word.LEVEL) -> Ssa:
        if where is Word.LEVEL:  # which has no more than the states from CURSOR to END
            first, end = Word.CURSOR, Word.END
            what = "a state outside the level"
            index = code.within(index, lambda: code.word(worker, end), what, lambda: code.word(worker, first))
        else:
            index = code.within(index, lambda: code.word(worker, Word.ROOM), "a state outside the store")
        states = code.b.inttoptr(code.word(worker, where), POINTER)
        return code.bounded(code.at(states, code.mul(index, number(self.words))), self.words)

    def add(self, code: Code, pointer: Ssa, word: Ssa | int, more: Ssa) -> None:
        code.put_word(pointer, word, code.add(code.word(pointer, word), more))


def over_level(code: Code, worker: Ssa, settle: Callable[[], None]) -> tuple[Any, Ssa]:
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


def return_if(code: Code, condition: Ssa, what: int | Ssa, settle: Callable[[], None] = lambda: None) -> None:
    leave = code.block()
    code.leave_if(condition, leave)
    rest = code.b.block
    code.b.position_at_end(leave)
    settle()
    code.b.ret(number(what) if isinstance(what, int) else what)
    code.b.position_at_end(rest)
