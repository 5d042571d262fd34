"""Which labels are independent: taken in either order from any state, they are both enabled and lead to the same state.

The relation is derived from the IR, label by label, and errs on the side of dependence. Two labels are dependent if one
may write what the other reads or writes:

* the acting process, with all that is its own: memory, disk, pending records, outbox; what a rule reads of another
  process, too, and whether that is up;
* a shared variable, a ghost (whoever reads or writes it), a budget that both spend;
* a message that one consumes, loses or copies, and that the other may have sent, or takes as well (in a fifo network:
  of the same channel);
* the number of messages, where the model bounds it: what sends is cut by all there are;
* what a constraint reads, where both may change it.

So the order of two labels of different processes matters only where it shows. What equals what under it is in
``commuting.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from spec.evaluate import Evaluator
from spec.state import Label, Message
from spec.system import (
    Assign,
    IsUp,
    Layer,
    Local,
    MessagesIn,
    NetworkKind,
    PendingCount,
    Read,
    Rule,
    Send,
    Storage,
    StorageMode,
    System,
    Where,
)
from spec.type_walk import descendants

Place = tuple[str, str]
"""A part of the state: ("process", p), ("up", p), ("shared", x), ("ghost", x), ("budget", rule), ("network", "")."""

NETWORK: Place = ("network", "")
"""The network as a whole; single messages are told apart by ``Touched``."""


@dataclass(frozen=True, slots=True)
class Touched:
    """What a label may read and write. ``message``: the one that it takes from the network, or copies. ``sends``: the
    types of the messages that it may put there, ``sender`` being their source. ``counted``: it may change how many
    messages there are; ``counting``: their number may cut it."""

    reads: frozenset[Place]
    writes: frozenset[Place]
    message: Message | None = None
    sends: frozenset[str] = frozenset()
    sender: str | None = None
    counted: bool = False
    counting: bool = False

    @property
    def changes_network(self) -> bool:
        return self.message is not None or bool(self.sends)


@dataclass(slots=True)
class _Body:
    """What the statements of a rule, or of ``on flush``, touch, whoever acts."""

    reads: set[Place] = field(default_factory=set)
    writes: set[Place] = field(default_factory=set)
    sends: set[str] = field(default_factory=set)


class Independence:
    """The relation of one system's labels of the micro grain."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._kinds = {variable.name: variable.storage for variable in system.variables if variable.kind is None}
        self._rules = {(r.name, None if r.message is None else r.message.name): r for r in system.rules}
        self._flushes = {kind.name: self._body(kind.on_flush) for kind in system.kinds}
        self._bodies = {key: self._of_rule(rule) for key, rule in self._rules.items()}
        self._known: dict[Label, Touched] = {}
        self._pairs: dict[tuple[Label, Label], bool] = {}
        bounds = system.bounds
        limited = {"drop": bounds.drops, "duplicate": bounds.duplicates, "retry": bounds.retries}
        self._budgets = {"crash", *(rule for rule, limit in limited.items() if limit is not None)}
        self._constraints = [frozenset(self._reads((c.expr,))) for c in system.constraints]

    def independent(self, one: Label, other: Label) -> bool:
        """Whether the order of the two does not matter, in any state."""
        pair = (one, other)
        if pair not in self._pairs:
            self._pairs[pair] = self._pairs[other, one] = self._compare(one, other)
        return self._pairs[pair]

    def touched(self, label: Label) -> Touched:
        """What a label may read and write."""
        if label not in self._known:
            self._known[label] = self._touched(label)
        return self._known[label]

    # ------------------------------------------------------------------------------------------- two labels

    def _compare(self, one: Label, other: Label) -> bool:
        a, b = self.touched(one), self.touched(other)
        if a.writes & (b.reads | b.writes) or b.writes & a.reads:
            return False
        if self._meet(a, b) or self._meet(b, a) or not self._start_is_allowed:
            return False
        if self.system.bounds.in_flight is not None and ((a.counting and b.counted) or (b.counting and a.counted)):
            return False
        return not any(self._changes(a, reads) and self._changes(b, reads) for reads in self._constraints)

    def _meet(self, a: Touched, b: Touched) -> bool:
        """Whether ``a`` takes, copies or looks at what ``b`` may send, take or copy."""
        if NETWORK in a.reads and b.changes_network:
            return True
        if a.message is None:
            return False
        if b.message is not None and self._one(a.message) == self._one(b.message):
            return True
        return a.message[0] in b.sends and a.message[1] == b.sender

    def _one(self, message: Message) -> Message:
        """What is taken: the message, or the head of its channel."""
        return message[1:3] if self.system.network.kind is NetworkKind.FIFO else message

    def _changes(self, touched: Touched, reads: frozenset[Place]) -> bool:
        return bool(touched.writes & reads) or (NETWORK in reads and touched.changes_network)

    @cached_property
    def _start_is_allowed(self) -> bool:
        """Whether the constraints hold at the start: if they do not, a label may have to come first to make them."""
        evaluator = Evaluator(self.system)
        start = evaluator.initial_states()[0]
        return all(evaluator.holds(evaluator.compile(c.expr), start) for c in self.system.constraints)

    # -------------------------------------------------------------------------------------------- one label

    def _touched(self, label: Label) -> Touched:
        reads: set[Place] = set()
        writes = {("budget", label.rule)} if label.rule in self._budgets else set()
        if label.rule in ("drop", "duplicate"):
            copies = label.rule == "duplicate"
            return Touched(frozenset(), frozenset(writes), label.message, counted=True, counting=copies)
        process = label.process
        if process is not None:
            writes.add(("process", process))
            reads.add(("up", process))
        if label.rule in ("crash", "restart"):
            assert process is not None
            writes.add(("up", process))
            return Touched(frozenset(reads), frozenset(writes), counted=label.rule == "crash")
        body = self._flush_of(label) if label.rule == "flush" else self._body_of(label)
        sends = frozenset(body.sends | (self._waiting(label) if label.rule == "flush" else set()))
        return Touched(
            frozenset(reads | body.reads),
            frozenset(writes | body.writes),
            label.message,
            sends,
            process if sends else None,
            counted=bool(body.sends) or label.message is not None,
            counting=bool(body.sends),
        )

    def _body_of(self, label: Label) -> _Body:
        return self._bodies[label.rule, None if label.message is None else label.message[0]]

    def _flush_of(self, label: Label) -> _Body:
        assert label.process is not None
        return self._flushes[self.system.kind_of(label.process).name]

    def _waiting(self, label: Label) -> set[str]:
        """The types that the process's outbox may hold."""
        assert label.process is not None
        kind = self.system.kind_of(label.process).name
        sent = (self._bodies[key].sends for key, rule in self._rules.items() if rule.kind == kind)
        return self._flushes[kind].sends.union(*sent)

    # ---------------------------------------------------------------------------------------------- bodies

    def _of_rule(self, rule: Rule) -> _Body:
        body = self._body(rule.body)
        if rule.kind is not None and self.system.storage is StorageMode.ATOMIC:  # its last part may be `on flush`
            flush = self._flushes[rule.kind]
            return _Body(body.reads | flush.reads, body.writes | flush.writes, body.sends | flush.sends)
        return body

    def _body(self, statements: object) -> _Body:
        body = _Body(set(self._reads(statements)))
        for node in descendants(statements):
            match node:
                case Assign(variable) if variable in self._kinds:
                    body.writes.add(self._common(variable))
                case Send(message):
                    body.sends.add(message)
        return body

    def _reads(self, node: object) -> Iterator[Place]:
        """The places that expressions mention, but for what is the acting process's own memory."""
        for part in descendants(node):
            match part:
                case Read(variable, None):
                    yield self._common(variable)
                case Read(_, Local("self"), _, Layer.MEMORY):
                    pass
                case Read(variable, _):
                    yield from (("process", p) for p in self._processes_with(variable))
                case IsUp():
                    yield from (("up", p) for p in self.system.processes)
                case PendingCount() | MessagesIn(Where.OUTBOX):
                    yield from (("process", p) for p in self.system.processes)
                case MessagesIn(Where.NETWORK):
                    yield NETWORK

    def _processes_with(self, variable: str) -> Iterator[str]:
        for kind in self.system.kinds:
            if any(v.name == variable and v.kind == kind.name for v in self.system.variables):
                yield from kind.sort.elements

    def _common(self, variable: str) -> Place:
        return ("ghost" if self._kinds[variable] is Storage.GHOST else "shared"), variable


__all__ = ["Independence", "Touched"]
