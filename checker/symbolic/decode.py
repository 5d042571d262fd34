"""From a model back to labels and states, and the replay that every result must pass before it is believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checker.symbolic.choices import read_packed
from checker.symbolic.circuit import Bit, Circuit
from checker.symbolic.errors import EnginesDisagree
from checker.symbolic.layout import ReadBit, raw_bits, read, read_number
from checker.symbolic.macros import MacroStep
from checker.symbolic.state import Shape, SymbolicState
from checker.symbolic.transition import Step
from spec.evaluate import Cut, EvaluationError, Evaluator, NotEnabled
from spec.network import waiting as waiting_in_order
from spec.state import Bag, Label, Message, State
from spec.system import NetworkKind, System


def reader(c: Circuit, roots: Iterable[Bit], inputs: dict[Bit, int]) -> ReadBit:
    """Reads any bit that ``roots`` depend on, from the values of the inputs alone."""
    values = c.simulate(c.cone(roots), inputs)
    return lambda bit: bool(values[bit])


def labels_of(shape: Shape, steps: Iterable[Step | MacroStep], bit: ReadBit) -> tuple[Label, ...]:
    return tuple(step.label(shape, bit) for step in steps)


def state_bits(state: SymbolicState) -> list[Bit]:
    """Every bit that a state is made of."""
    bits = [b for memory in state.memory for value in memory for b in raw_bits(value)]
    bits += [b for record in state.disk if record is not None for value in record for b in raw_bits(value)]
    for pending in state.pending:
        bits += [*pending.of, *(b for value in pending.record for b in raw_bits(value))]
    bits += [*state.up, *(b for value in (*state.shared, *state.ghosts, *state.budgets) for b in raw_bits(value))]
    for slot in state.messages:
        bits += [slot.in_network, slot.waiting, *slot.stamp.bits, *slot.message.bits()]
    return bits


def read_state(shape: Shape, state: SymbolicState, bit: ReadBit) -> State:
    """The concrete state, equal (``==``) to the evaluator's."""
    pending: list[tuple[tuple[object, ...], ...]] = []
    for i, kind in enumerate(shape.kinds):
        sorts = [shape.memory[i][position].sort for position in shape.durable[kind.name]]
        written = [r for r in state.pending if bit(r.of[i])]
        pending.append(
            tuple(tuple(read(v, of, bit) for v, of in zip(r.record, sorts, strict=True)) for r in written)
        )
    disk: list[tuple[object, ...] | None] = []
    for i, record in enumerate(state.disk):
        sorts = [shape.memory[i][position].sort for position in shape.durable[shape.kinds[i].name]]
        disk.append(None if record is None else tuple(read(v, of, bit) for v, of in zip(record, sorts, strict=True)))
    slots = _placed(shape, state, bit)
    return State(
        memory=tuple(
            tuple(read(v, variable.sort, bit) for v, variable in zip(memory, variables, strict=True))
            for memory, variables in zip(state.memory, shape.memory, strict=True)
        ),
        disk=tuple(disk),
        pending=tuple(pending),
        outbox=outboxes_of(shape, slots),
        up=tuple(bit(up) for up in state.up),
        shared=tuple(read(v, of.sort, bit) for v, of in zip(state.shared, shape.shared, strict=True)),
        ghosts=tuple(read(v, of.sort, bit) for v, of in zip(state.ghosts, shape.ghosts, strict=True)),
        network=network_of(shape, slots),
        budgets=tuple(read_number(spent, bit) for spent in state.budgets),
    )


Placed = tuple[bool, bool, int, Message | None]
"""A message slot in a model: in the network, waiting in the outbox, its stamp, and the message if it is in either."""


def _placed(shape: Shape, state: SymbolicState, bit: ReadBit) -> tuple[Placed, ...]:
    there = [slot for slot in state.messages if bit(slot.in_network) or bit(slot.waiting)]
    return tuple(
        (
            bit(slot.in_network),
            bit(slot.waiting),
            read_number(slot.stamp, bit) if shape.fifo else 0,
            read_packed(shape, slot.message, bit),
        )
        for slot in there
    )


def outboxes_of(shape: Shape, slots: Iterable[Placed]) -> tuple[tuple[Message, ...], ...]:
    kind = shape.system.network.kind
    sent = [message for _, waiting, _, message in slots if waiting and message is not None]
    return tuple(waiting_in_order(kind, (), [m for m in sent if m[1] == process]) for process in shape.processes)


def network_of(shape: Shape, slots: Iterable[Placed]) -> Bag:
    there = sorted((slot for slot in slots if slot[0]), key=lambda slot: slot[2])
    counts: dict[Message, int] = {}
    channels: dict[tuple[object, object], list[Message]] = {}
    for _, _, _, message in there:
        assert message is not None
        counts[message] = counts.get(message, 0) + 1
        channels.setdefault((message[1], message[2]), []).append(message)
    match shape.system.network.kind:
        case NetworkKind.BAG:
            return frozenset(counts.items())
        case NetworkKind.SET:
            return frozenset((message, 1) for message in counts)
        case NetworkKind.FIFO:
            return frozenset((m, place) for channel in channels.values() for place, m in enumerate(channel, 1))


def confirm(
    system: System,
    start: State,
    labels: Sequence[Label],
    states: Sequence[State] | None = None,
    evaluator: Evaluator | None = None,
) -> tuple[State, ...]:
    """Replays the labels through the evaluator; returns the states after each.

    ``states``: what the symbolic engine says they are. Raises EnginesDisagree; an EvaluationError of the last label
    comes through.
    """
    evaluator = evaluator or Evaluator(system)
    state, replayed = start, []
    for i, label in enumerate(labels):
        try:
            state = evaluator.successor(state, label)
        except (NotEnabled, Cut) as reason:
            what = f"the evaluator does not take it: {type(reason).__name__} {reason}"
            raise EnginesDisagree(i, label, what) from None
        except EvaluationError as error:
            if i + 1 == len(labels):
                raise
            raise EnginesDisagree(i, label, f"the evaluator ends in an error: {error}") from error
        if states is not None and i < len(states) and states[i] != state:
            raise EnginesDisagree(i, label, difference(system, states[i], state))
        replayed.append(state)
    return tuple(replayed)


def difference(system: System, symbolic: State, evaluated: State) -> str:
    """What differs between two states, part by part."""
    parts = []
    for name, ours, theirs in zip(State._fields, symbolic, evaluated, strict=True):
        if ours != theirs:
            parts.append(f"{name}: symbolic {ours!r}, evaluator {theirs!r}")
    return "; ".join(parts) or "equal"
