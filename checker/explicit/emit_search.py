"""The search's inner loops as code: the visited set, the expansion of a level, the check of its states, and the rest.

The store is an append-only array of states, which is the frontier too. Nothing here allocates: ``expand`` returns when
it needs room, so that Python can make some.
"""

from __future__ import annotations

from typing import Any

from checker.explicit.emit_code import new_function
from checker.explicit.emit_expansion import ExpansionCode
from checker.explicit.emit_types import I64, POINTER, number
from checker.explicit.emit_visited import VisitedCode
from checker.explicit.emit_worker import WorkerAccess, over_level, return_if
from checker.explicit.layout import Layout
from checker.explicit.llvm import ir
from checker.explicit.worker import Returned, Word


class SearchCode:
    """Emits the search's functions into a module that has ``successors``, the properties and, if states are stored up
    to symmetry, ``canonical``. ``most``: how many successors a state can have."""

    def __init__(self, module: Any, layout: Layout, most: int, fingerprints: bool) -> None:
        self.module = module
        self.worker = WorkerAccess(layout, most, fingerprints)
        self.visited = VisitedCode(module, self.worker)
        self.expansion = ExpansionCode(module, self.worker, self.visited)

    def emit(self) -> None:
        self.visited.emit_hash()
        self.visited.emit_insert()
        self.expansion.emit_commit()
        self.expansion.emit_expand()
        self.expansion.emit_absorb()
        self._check()
        self.visited.emit_rehash()
        self.visited.emit_recall()
        self._export()

    def _check(self) -> None:
        """(worker): the goals and invariants of the states from CURSOR to END; returns at the first one that reaches or
        breaks one, with CURSOR on it."""
        code = new_function(self.module, "check", I64, POINTER, exported=True)
        worker = self.worker.given(code)
        head, cursor = over_level(code, worker, lambda: None)
        state = self.worker.state(code, worker, cursor)
        wanted = code.word(worker, Word.GOALS)
        reached = code.cell(I64)
        code.put(reached, number(0))

        def goals() -> None:
            code.put(reached, code.call("goals", state, wanted))

        code.if_(code.negation(code.is_equal(wanted, number(0))), goals)
        found = code.get(reached, I64)
        return_if(code, code.is_equal(found, number(-1)), Returned.ERROR)
        code.put_word(worker, Word.FOUND, found)
        return_if(code, code.negation(code.is_equal(found, number(0))), Returned.GOAL)
        broken = code.call("invariants", state)
        return_if(code, code.is_equal(broken, number(-1)), Returned.ERROR)
        broken = code.both(broken, code.word(worker, Word.INVARIANTS))
        code.put_word(worker, Word.FOUND, broken)
        return_if(code, code.negation(code.is_equal(broken, number(0))), Returned.INVARIANT)
        code.put_word(worker, Word.CURSOR, code.add(cursor, number(1)))
        code.b.branch(head)
        code.finish()

    def _export(self) -> None:
        code = new_function(self.module, "fire_all", I64, POINTER, POINTER, exported=True)
        code.b.ret(code.call("successors", *code.function.args))
        code.finish()
        code = new_function(self.module, "hash_of", I64, POINTER, exported=True)
        code.b.ret(code.call("hash", *code.function.args))
        code.finish()
        code = new_function(self.module, "make_canonical", ir.VoidType(), POINTER, exported=True)
        if "canonical" in self.module.globals:
            code.call("canonical", *code.function.args)
        code.b.ret_void()
        code.finish()
        for name, arguments in (("invariants", 1), ("goals", 2), ("action_invariants", 3)):
            types = [POINTER, POINTER, I64][:arguments] if name == "action_invariants" else [POINTER, I64][:arguments]
            code = new_function(self.module, f"see_{name}", I64, *types, exported=True)
            code.b.ret(code.call(name, *code.function.args))
            code.finish()
