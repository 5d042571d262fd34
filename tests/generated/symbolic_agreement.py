"""What z3 and the circuits make of random states, against the evaluator: transitions, properties of states and steps.

What the symbolic engine cannot encode it refuses, with a NotEncodable of its own: the caller counts that.
"""

from __future__ import annotations

from dataclasses import dataclass

from checker.symbolic.allsat import solutions
from checker.symbolic.batch import any_of
from checker.symbolic.circuit import Circuit
from checker.symbolic.decode import read_state, state_bits
from checker.symbolic.errors import EnginesDisagree
from checker.symbolic.images import Images
from checker.symbolic.unroll import Unrolling, holds
from checker.symbolic.watch import Query, Watch
from spec.evaluate import EvaluationError, Evaluator
from spec.state import Label, State
from spec.system import Property, System
from tests.generated.agreement import Disagreement

NAME = "symbolic"
FAILS = "fails"
ANY = Query("step", "it can be taken")


def compare_transitions(system: System, states: list[State]) -> int:
    """All transitions of these states, found by z3 in one query; of those whose evaluation fails, that it does. Returns
    how many transitions there were. Raises Disagreement, NotEncodable."""
    evaluator, images, total = Evaluator(system), Images(system, Watch()), 0
    whole, failing = [], []
    for state in states:
        try:
            whole.append((state, evaluator.transitions(state)))
        except EvaluationError:
            failing.append(state)
    try:
        images.compute([state for state, _ in whole])
    except (EvaluationError, EnginesDisagree) as error:
        raise Disagreement(NAME, "successors", f"{error!r}\n{getattr(error, 'state', None)}") from error
    for state, wanted in whole:
        found = images.of(state)
        if len(found) != len(wanted) or dict(found) != dict(wanted):
            raise Disagreement(NAME, "successors", f"{found}\ninstead of\n{wanted}\nof {state}")
        total += len(found)
    for state in failing[:1]:
        try:
            images.compute([state])
        except EvaluationError:
            continue
        except EnginesDisagree as error:
            raise Disagreement(NAME, "errors", f"{error!r}\nof {state}") from error
        raise Disagreement(NAME, "errors", f"no evaluation fails in {state}")
    return total


def compare_properties(system: System, states: list[State]) -> int:
    """Invariants, goals and constraints of these states, by the circuit of all of them. Returns how many were compared.
    Raises Disagreement, NotEncodable."""
    images, evaluator, c = Images(system, Watch()), Evaluator(system), Circuit()
    properties = (*system.invariants, *system.sometimes, *system.constraints)
    symbolic, index, _ = any_of(c, images.shape, states)
    bits = [holds(c, images.shape, symbolic, p.expr) for p in properties]
    lanes = range(len(states))
    inputs = {bit: sum(1 << lane for lane in lanes if lane >> i & 1) for i, bit in enumerate(index.bits)}
    values = c.simulate(c.cone([bit for pair in bits for bit in pair]), inputs, len(states))
    for lane, state in enumerate(states):
        for p, (true, error) in zip(properties, bits, strict=True):
            found = FAILS if values[error] >> lane & 1 else bool(values[true] >> lane & 1)
            should = _verdict(evaluator, state, p)
            if found != should:
                raise Disagreement(NAME, "properties", f"{p.name}: {found} instead of {should} in {state}")
    return len(properties) * len(states)


def _verdict(evaluator: Evaluator, state: State, p: Property) -> object:
    try:
        return evaluator.holds(evaluator.compile(p.expr), state)
    except EvaluationError:
        return FAILS


@dataclass(frozen=True, slots=True)
class Found:
    """``broken``: the action invariants that the step breaks, or FAILS."""

    after: State
    broken: object


def compare_steps(system: System, state: State) -> int | None:
    """The steps of either grain from one state, with the action invariants that they break: how many there were; None:
    an evaluation fails. Raises Disagreement, NotEncodable."""
    evaluator = Evaluator(system)
    try:
        transitions = evaluator.transitions(state)
    except EvaluationError:
        return None
    should = {label: Found(after, _broken(evaluator, state, label, after)) for label, after in transitions}
    found = _steps(system, state)
    if found != should:
        differ = [label for label in found.keys() | should.keys() if found.get(label) != should.get(label)]
        details = f"{differ[0]}: {found.get(differ[0])}\ninstead of\n{should.get(differ[0])}\nin {state}"
        raise Disagreement(NAME, f"{system.grain.value} steps", details)
    return len(found)


def _broken(evaluator: Evaluator, state: State, label: Label, after: State) -> object:
    try:
        return tuple(evaluator.violated_by_step(state, label, after))
    except EvaluationError:
        return FAILS


def _steps(system: System, state: State) -> dict[Label, Found]:
    run = Unrolling(system, state)
    run.extend_to(1)
    (step,) = run.steps
    c = run.circuit
    invariants = [(p.name, *run.step_holds(p.expr, 0)) for p in system.action_invariants]
    choices = [bit for bit in step.bits if bit > 1]
    roots = [*state_bits(run.states[1]), *choices, *(bit for _, *pair in invariants for bit in pair)]
    roots += [b for s in step.micro for b in (*state_bits(s.before), s.taken, *s.label_is.values())]
    cone = c.cone(roots)
    found: dict[Label, Found] = {}
    for values in solutions(c, step.taken, choices, Watch(), ANY):
        simulated = c.simulate(cone, dict(zip(choices, map(int, values), strict=True)))

        def bit(which: int, simulated: dict[int, int] = simulated) -> bool:
            return bool(simulated[which])

        label = step.label(run.shape, bit)
        if label in found:
            raise Disagreement(NAME, "labels", f"two assignments of the choices are {label} in {state}")
        broken = tuple(name for name, true, _ in invariants if not bit(true))
        fails = any(bit(error) for _, _, error in invariants)
        found[label] = Found(read_state(run.shape, run.states[1], bit), FAILS if fails else broken)
    return found
