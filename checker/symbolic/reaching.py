"""From a step that breaks a proof to a run: can its first state be reached, or a state in which the property is false?

A bounded search from the start. That it finds nothing means nothing: the state is then *maybe unreachable*.
"""

from __future__ import annotations

from checker.symbolic.circuit import FALSE, Bit, Circuit
from checker.symbolic.decode import confirm
from checker.symbolic.depths import Depths, NoneWithin, Unknown
from checker.symbolic.network import same_message
from checker.symbolic.numbers import Number, add, count, is_number, number
from checker.symbolic.state import Shape, SymbolicState
from checker.symbolic.unroll import holds
from checker.symbolic.values import Symbolic, constant, equal
from checker.symbolic.watch import Watch
from spec import state as concrete
from spec.evaluate import EvaluationError
from spec.sorts import Value
from spec.state import Label
from spec.system import Expr, System, Variable


def try_to_reach(
    system: System, start: concrete.State, before: concrete.State, false: Expr | None, max_steps: int, watch: Watch
) -> tuple[Label, ...] | NoneWithin | Unknown:
    """A shortest run to ``before``, or to a state in which the conjunct ``false`` is false (None: or whose last label
    fails); whichever comes first."""

    asks = f"comes to the first of the two states, or {'fails' if false is None else 'makes the conjunct false'}"
    depths = Depths(system, start, max_steps, watch, "reach", asks)
    run = depths.run

    def target(depth: int) -> Bit:
        c, state = run.circuit, run.states[depth]
        wanted = same_state(c, run.shape, state, before)
        if false is not None:
            value, error = holds(c, run.shape, state, false)
            wanted = c.some((wanted, value ^ 1, error))
        if depth == 0:
            return wanted
        last = run.steps[depth - 1]
        return c.disjunction(c.conjunction(wanted, last.taken), last.error if false is None else FALSE)

    found = next(depths.runs(target), None)
    if found is None:
        return depths.ended
    labels, states = found
    try:
        confirm(system, start, labels, states)
    except EvaluationError:
        if false is not None:
            raise
    return labels


def same_state(c: Circuit, shape: Shape, state: SymbolicState, wanted: concrete.State) -> Bit:
    """Whether all is as wanted but for budgets, and messages beyond those that are wanted."""
    parts: list[Bit] = []
    for values, variables, given in zip(state.memory, shape.memory, wanted.memory, strict=True):
        parts += _same(c, values, variables, given)
    parts += _same(c, state.shared, shape.shared, wanted.shared)
    parts += _same(c, state.ghosts, shape.ghosts, wanted.ghosts)
    parts += [up if given else up ^ 1 for up, given in zip(state.up, wanted.up, strict=True)]
    for i, (disk, given_disk) in enumerate(zip(state.disk, wanted.disk, strict=True)):
        variables = tuple(shape.memory[i][position] for position in shape.durable[shape.kinds[i].name])
        if disk is not None and given_disk is not None:
            parts += _same(c, disk, variables, given_disk)
            parts.append(_same_pending(c, state, i, variables, wanted.pending[i]))
    parts += [_there(c, shape, state, message, waiting=False) for message, _ in wanted.network]
    parts += [_there(c, shape, state, message, waiting=True) for outbox in wanted.outbox for message in outbox]
    return c.every(parts)


def _same(
    c: Circuit, values: tuple[Symbolic, ...], variables: tuple[Variable, ...], wanted: tuple[Value, ...]
) -> list[Bit]:
    triples = zip(values, variables, wanted, strict=True)
    return [equal(c, value, constant(given, variable.sort)) for value, variable, given in triples]


def _same_pending(
    c: Circuit,
    state: SymbolicState,
    process: int,
    variables: tuple[Variable, ...],
    wanted: tuple[concrete.DurableRecord, ...],
) -> Bit:
    rank: Number = number(0)
    parts: list[Bit] = []
    for record in state.pending:
        if record.of[process] == FALSE:
            continue
        rank = add(c, rank, count(c, [record.of[process]]))
        for place, given in enumerate(wanted, 1):
            here = c.conjunction(record.of[process], is_number(c, rank, place))
            if here != FALSE:
                parts.append(c.implies(here, c.every(_same(c, record.record, variables, given))))
    return c.every((*parts, is_number(c, rank, len(wanted))))


def _there(c: Circuit, shape: Shape, state: SymbolicState, message: concrete.Message, *, waiting: bool) -> Bit:
    packed = shape.constant_message(c, message)
    found = FALSE
    for slot in state.messages:
        there = slot.waiting if waiting else slot.in_network
        if there != FALSE:
            found = c.disjunction(found, c.conjunction(there, same_message(c, slot.message, packed)))
    return found
