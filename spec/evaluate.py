"""The semantics of record: initial states, enabled labels, successors, properties; slow and obvious.

Both engines are tested against this file. language.md ("Meaning") is its source; where that is silent, decided here:

* A budget that is used up means *not enabled*, not *cut*.
* ``max_copies`` counts a message's copies in the network and in outboxes, so that a flush is never cut by it.
* The value of ``ghost x := …`` reads disks, pending records, outboxes, the network and ``up`` as they were before
  the transition; in ``on flush``, as the flush has left them.
* A handler's message leaves the network before its body runs; ``keep`` puts it back.
* What is wrong with a label that no ``candidates`` would yield (another rule's arguments, a crash without ``keep``)
  is that it is not enabled.
* Under atomic storage ``record`` does nothing: nothing can come between two records of one transition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from spec import network as net
from spec import system as ir
from spec.candidates import Candidates, CompiledRule
from spec.expressions import Compiled, Frame
from spec.grains import alone
from spec.limits import Limits
from spec.macros import Macros
from spec.sorts import Value
from spec.state import Bag, Label, State
from spec.statements import BlockCompiler, Event, Executor, Transition
from spec.system import Grain, Storage, StorageMode
from spec.values import Cut, EvaluationError, NotEnabled, cached_domain

DOWN = "the process is down"
NO_MESSAGE = "the network has no such message to deliver"


@dataclass(frozen=True, slots=True)
class _Kind:
    """A process kind, compiled: how many of its variables are durable comes by ``durable`` positions."""

    kind: ir.ProcessKind
    durable: tuple[int, ...]
    volatile: tuple[tuple[int, tuple[Value, ...]], ...]  # position and initial value per process
    on_flush: Executor
    end_record: Executor


@dataclass(slots=True)
class Tally:
    """What a run of the evaluator cut: how often, by rule and bound ("timeout: current_term <= 3")."""

    cuts: dict[str, int]

    def count(self, rule: str, bound: str) -> None:
        key = f"{rule}: {bound}"
        self.cuts[key] = self.cuts.get(key, 0) + 1


class Evaluator:
    """Computes on the states of one system."""

    def __init__(self, system: ir.System, blocks: BlockCompiler | None = None) -> None:
        """``blocks``: a compiler that also notes what a transition does; its meaning must be the same."""
        self.system = system
        self._blocks = BlockCompiler(system) if blocks is None else blocks
        self.compile = self._blocks.compile
        self.tally = Tally({})
        self.processes = system.processes
        self.index = {process: i for i, process in enumerate(self.processes)}
        self._kinds = tuple(self._kind(system.kind_of(process)) for process in self.processes)
        self._candidates = Candidates(system, tuple(self._rule(rule) for rule in system.rules))
        self.invariants = tuple((p.name, self.compile(p.expr)) for p in system.invariants)
        self.action_invariants = tuple((p.name, self.compile(p.expr)) for p in system.action_invariants)
        self._limits = Limits(system, tuple((p.name, self.compile(p.expr)) for p in system.constraints))
        self.macros = Macros(self) if system.grain is Grain.MACRO else None
        self._alone = alone(system)

    # ------------------------------------------------------------------------------------------ states

    def initial_states(self) -> tuple[State, ...]:
        """The one initial state: every variable at its initial value, everyone up, nothing sent."""
        memory, disk = [], []
        for process in self.processes:
            kind = self.system.kind_of(process)
            position = kind.sort.elements.index(process)
            memory.append(tuple(v.initial[position] for v in self.system.variables_of(kind.name)))
            durable = self.system.variables_of(kind.name, Storage.DURABLE)
            disk.append(tuple(v.initial[position] for v in durable) if kind.has_storage else None)
        count = len(self.processes)
        return (
            State(
                memory=tuple(memory),
                disk=tuple(disk),
                pending=((),) * count,
                outbox=((),) * count,
                up=(True,) * count,
                shared=tuple(v.initial[0] for v in self.system.variables_of(None, Storage.SHARED)),
                ghosts=tuple(v.initial[0] for v in self.system.variables_of(None, Storage.GHOST)),
                network=frozenset(),
                budgets=(0,) * len(self.system.bounds.budgets),
            ),
        )

    def transitions(self, state: State) -> list[tuple[Label, State]]:
        """Every enabled label and its successor, in the fixed order of labels; cut ones are counted in ``tally``. At
        the macro grain: the macros', then the labels of what no macro has as a step. What the model forbids is not
        among them; :meth:`successor` takes it all the same, for scripts do."""
        found = [] if self.macros is None else list(self.macros.transitions(state))
        for label in (label for name in self._alone for label in self.candidates_of(state, name)):
            try:
                found.append((label, self.successor(state, label)))
            except NotEnabled:
                continue
            except Cut as cut:
                self.tally.count(label.rule, cut.bound)
            except EvaluationError as error:
                error.labels = (label,)
                raise
        return found

    def enabled(self, state: State) -> list[Label]:
        """The labels of :meth:`transitions`."""
        return [label for label, _ in self.transitions(state)]

    def candidates(self, state: State) -> Iterator[Label]:
        """Labels that may be enabled: every enabled one is among them. For the order see candidates.py."""
        return self._candidates.of(state)

    def candidates_of(self, state: State, rule: str) -> Iterator[Label]:
        """The candidates of one rule or system action."""
        return self._candidates.of_rule(state, rule)

    def successor(self, state: State, label: Label) -> State:
        """The state that the label leads to. Raises NotEnabled, Cut, or EvaluationError."""
        return self.step(state, label)[0]

    def step(self, state: State, label: Label) -> tuple[State, tuple[Event, ...]]:
        """The successor, and the events announced on the way."""
        if self.macros is not None and label.rule in self.macros.named:
            return self.macros.step(state, label)
        if not self._candidates.is_label(label):
            raise NotEnabled("there is no such label")
        budgets = self._limits.spent(state, label)  # first: what the budget forbids is neither cut nor an error
        match label.rule:
            case "flush":
                after, events = self._flush(state, label)
            case "crash":
                after, events = self._crash(state, label), ()
            case "restart":
                after, events = self._restart(state, label), ()
            case "drop" | "duplicate":
                after, events = self._lose_or_copy(state, label), ()
            case _:
                after, events = self._run(state, label)
        after = after._replace(budgets=budgets)
        self._limits.check_target(after)
        return after, events

    # ------------------------------------------------------------------------------------------ rules

    def _run(self, state: State, label: Label) -> tuple[State, tuple[Event, ...]]:
        compiled = self._candidates.rule_of(label)
        assert compiled is not None, "it is a label"
        index = self.index[label.process] if label.process is not None else -1
        if index >= 0 and not state.up[index]:
            raise NotEnabled(DOWN)
        transition = Transition(state, index)
        local = transition.local
        if label.process is not None:
            local["self"] = label.process
        network = state.network
        kind = self.system.network.kind
        if label.message is not None:
            if label.message not in net.deliverable(kind, network):
                raise NotEnabled(NO_MESSAGE)
            assert compiled.rule.message_name is not None
            local[compiled.rule.message_name] = label.message
        for name, value in zip(compiled.names, label.arguments, strict=True):
            local[name] = value
        compiled.run(transition)
        if label.message is not None and not transition.kept:
            network = net.remove(kind, network, label.message)
        return self._finish(state, transition, network), tuple(transition.events)

    def _finish(self, state: State, transition: Transition, network: Bag) -> State:
        """Ends the transition's last storage record and lets its messages go, or wait."""
        index = transition.index
        kind = self.system.network.kind
        if index < 0:
            return state._replace(shared=tuple(transition.shared), ghosts=tuple(transition.ghosts))
        disk, outbox = state.disk, state.outbox
        if self._kinds[index].kind.has_storage:
            if self.system.storage is StorageMode.BUFFERED:
                self._kinds[index].end_record(transition)
            else:
                record = self._durable(transition)
                if record != disk[index]:
                    transition.state = state._replace(disk=_put(disk, index, record))
                    self._kinds[index].on_flush(transition)
                    disk = _put(disk, index, self._durable(transition))
        sent = transition.sent
        if transition.pending:
            outbox = _put(outbox, index, net.waiting(kind, outbox[index], transition.waiting))
        else:
            sent = sent + transition.waiting
        after = state._replace(
            memory=_put(state.memory, index, tuple(transition.own)),
            disk=disk,
            pending=_put(state.pending, index, tuple(transition.pending)),
            outbox=outbox,
            shared=tuple(transition.shared),
            ghosts=tuple(transition.ghosts),
            network=net.send(kind, network, sent) if sent else network,
        )
        if transition.sent or transition.waiting:
            self._limits.check_sent(after)
        return after

    def _durable(self, transition: Transition) -> tuple[Value, ...]:
        return tuple([transition.own[position] for position in self._kinds[transition.index].durable])

    # ------------------------------------------------------------------------------- system actions

    def _flush(self, state: State, label: Label) -> tuple[State, tuple[Event, ...]]:
        assert label.process is not None
        index = self.index[label.process]
        if not state.up[index] or not state.pending[index]:
            raise NotEnabled("nothing is pending" if state.up[index] else DOWN)
        flushed = state._replace(
            disk=_put(state.disk, index, state.pending[index][-1]),
            pending=_put(state.pending, index, ()),
            outbox=_put(state.outbox, index, ()),
            network=net.send(self.system.network.kind, state.network, state.outbox[index]),
        )
        transition = Transition(flushed, index)
        transition.local["self"] = label.process
        self._kinds[index].on_flush(transition)
        return self._finish(flushed, transition, flushed.network), tuple(transition.events)

    def _crash(self, state: State, label: Label) -> State:
        assert label.process is not None
        index = self.index[label.process]
        kind = self._kinds[index]
        if not (kind.kind.crashes and state.up[index] and state.budgets[0] < self.system.bounds.crashes):
            raise NotEnabled("it never crashes" if not kind.kind.crashes else DOWN)
        pending = state.pending[index]
        keep = label.arguments[0] if label.arguments else 0
        if not 0 <= keep <= len(pending):
            raise NotEnabled("fewer records are pending than it keeps")
        surviving = pending[keep - 1] if keep else state.disk[index]
        assert surviving is not None
        memory: list[Value] = list(state.memory[index])
        for position, value in zip(kind.durable, surviving, strict=True):
            memory[position] = value
        place = kind.kind.sort.elements.index(label.process)
        for position, initial in kind.volatile:
            memory[position] = initial[place]
        return state._replace(
            memory=_put(state.memory, index, tuple(memory)),
            disk=_put(state.disk, index, surviving),
            pending=_put(state.pending, index, ()),
            outbox=_put(state.outbox, index, ()),
            up=_put(state.up, index, False),
        )

    def _restart(self, state: State, label: Label) -> State:
        assert label.process is not None
        index = self.index[label.process]
        if state.up[index]:
            raise NotEnabled("the process is up")
        return state._replace(up=_put(state.up, index, True))

    def _lose_or_copy(self, state: State, label: Label) -> State:
        kind = self.system.network
        declared = kind.loss if label.rule == "drop" else kind.duplication
        if not declared or label.message not in net.deliverable(kind.kind, state.network):
            raise NotEnabled(NO_MESSAGE if declared else "the network is not declared to do so")
        assert label.message is not None
        change = net.remove if label.rule == "drop" else net.duplicate
        after = state._replace(network=change(kind.kind, state.network, label.message))
        if label.rule == "duplicate":
            self._limits.check_sent(after)
        return after

    # ------------------------------------------------------------------------------------ properties

    def violated(self, state: State) -> list[str]:
        """The invariants that are false in this state."""
        frame = Frame(state)
        return [name for name, holds in self.invariants if not holds(frame)]

    def violated_by_step(self, before: State, label: Label, after: State) -> list[str]:
        """The action invariants that this step makes false."""
        if not self.action_invariants:
            return []
        if self.macros is not None and label.rule in self.macros.named:
            return self.macros.violated_by_step(before, label)
        frame = Frame(after)
        frame.old = Frame(before)
        frame.label = label
        return [name for name, holds in self.action_invariants if not holds(frame)]

    def holds(self, compiled: Compiled, state: State, **local: Value) -> bool:
        """Whether a compiled boolean expression is true in a state, with these names bound."""
        return bool(compiled(Frame(state, dict(local))))

    # ----------------------------------------------------------------------------------- compilation

    def _kind(self, kind: ir.ProcessKind) -> _Kind:
        variables = self.system.variables_of(kind.name)
        durable = tuple(i for i, v in enumerate(variables) if v.storage is Storage.DURABLE)
        volatile = tuple((i, v.initial) for i, v in enumerate(variables) if v.storage is Storage.VOLATILE)
        on_flush = self._blocks.block(kind.on_flush, kind.name)
        return _Kind(kind, durable, volatile, on_flush, self._blocks.end_record(kind.name))

    def _rule(self, rule: ir.Rule) -> CompiledRule:
        processes = (None,) if rule.kind is None else self.system.kind(rule.kind).sort.elements
        choices = dict.fromkeys(product(*(cached_domain(parameter.sort) for parameter in rule.parameters)))
        names = tuple(parameter.name for parameter in rule.parameters)
        return CompiledRule(rule, processes, names, choices, self._blocks.block(rule.body, rule.kind))


def _put(items: tuple[Value, ...], index: int, value: Value) -> tuple[Value, ...]:
    return (*items[:index], value, *items[index + 1 :])


__all__ = ["Cut", "EvaluationError", "Evaluator", "Event", "NotEnabled"]
