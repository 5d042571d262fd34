"""Of runs that differ in the names of interchangeable elements one is searched for: one of each kind, a real one."""

from __future__ import annotations

import pytest

from checker.explicit.canonical import CanonicalStates
from checker.explicit.symmetry import symmetry_of
from checker.symbolic.allsat import solutions
from checker.symbolic.check import Violation, check
from checker.symbolic.decode import labels_of, state_bits
from checker.symbolic.mentions import Mentions, interchangeable
from checker.symbolic.unroll import Unrolling
from checker.symbolic.watch import Query, Watch
from spec.evaluate import Evaluator
from spec.explore import explore
from spec.renaming import renamed
from spec.state import Label, State
from spec.system import System
from tests.checker.macro_systems import raft_at_macro_grain
from tests.checker.symbolic_systems import of_text, shipped_system
from tests.checker.symmetric_systems import zoo


def runs_in_order(system: System, start: State, length: int) -> set[tuple[Label, ...]]:
    """The runs of so many steps that mention elements in their order, as z3 finds them."""
    run = Unrolling(system, start)
    run.extend_to(length)
    c = run.circuit
    mentions = Mentions(c, interchangeable(system, symmetry_of(system), start))
    goal = c.every([*(s.taken for s in run.steps), *[mentions.in_order(s.micro) for s in run.steps]])
    bits = [bit for s in run.steps for bit in s.bits if bit > 1]
    roots = [*bits, *(b for s in run.steps for m in s.micro for b in (*state_bits(m.before), m.taken))]
    cone = c.cone([*roots, *(b for s in run.steps for m in s.micro for b in m.label_is.values())])
    found = set()
    for values in solutions(c, goal, bits, Watch(), Query("test", "a run of its normal form")):
        simulated = c.simulate(cone, dict(zip(bits, map(int, values), strict=True)))
        found.add(labels_of(run.shape, run.steps, lambda bit, of=simulated: bool(of[bit])))
    return found


def all_runs(evaluator: Evaluator, start: State, length: int) -> set[tuple[Label, ...]]:
    runs: dict[tuple[Label, ...], State] = {(): start}
    for _ in range(length):
        runs = {(*run, label): after for run, end in runs.items() for label, after in evaluator.transitions(end)}
    return set(runs)


def permuted(system: System, run: tuple[Label, ...], names: dict[str, str]) -> tuple[Label, ...]:
    messages = {message.name: message for message in system.messages}
    parameters = {rule.name: [p.sort for p in rule.parameters] for rule in system.rules if rule.message is None}

    def one(label: Label) -> Label:
        if any(isinstance(argument, Label) for argument in label.arguments):
            return label._replace(arguments=tuple(map(one, label.arguments)))
        process = None if label.process is None else names.get(label.process, label.process)
        sorts = parameters.get(label.rule, [])
        arguments = tuple(renamed(of, value, names) for of, value in zip(sorts, label.arguments, strict=False))
        message = label.message and renamed(messages[label.message[0]], label.message, names)
        return Label(label.rule, process, arguments or label.arguments, message)

    return tuple(map(one, run))


@pytest.mark.parametrize(("name", "length"), [("zoo", 2), ("raft", 2), ("macro", 2)])
def test_every_run_is_a_permutation_of_one_that_is_found_and_that_one_is_a_run(name: str, length: int) -> None:
    systems = {"zoo": zoo, "raft": lambda: shipped_system("raft", "three")}
    system = systems[name]() if name in systems else raft_at_macro_grain("three")
    evaluator = Evaluator(system)
    (start,) = evaluator.initial_states()
    everything, found = all_runs(evaluator, start, length), runs_in_order(system, start, length)
    assert found < everything
    renamings = symmetry_of(system).renamings()
    assert {permuted(system, run, dict(names)) for run in found for names in renamings} == everything


def test_elements_that_the_start_tells_apart_are_not_interchangeable() -> None:
    system = shipped_system("raft", "three")
    evaluator = Evaluator(system)
    (start,) = evaluator.initial_states()
    symmetry = symmetry_of(system)
    assert interchangeable(system, symmetry, start) == (("s1", "s2", "s3"),)
    stood = next(after for label, after in evaluator.transitions(start) if label == Label("timeout", "s2"))
    assert interchangeable(system, symmetry, stood) == (("s1", "s3"),)
    exchanged = CanonicalStates(system, symmetry).renamed(stood, {"s2": "s3", "s3": "s2"})
    assert interchangeable(system, symmetry, exchanged) == (("s1", "s2"),)


HIDDEN = """
const Node: set symmetric
network bag
const most: int
message Note:
    n: 0..most
shared begun: bool = false
process Node:
    volatile n: 0..3 = 0
    volatile marked: bool = false
    action mark:
        require not begun
        begun := true
        marked := true
    action count:
        require {first}
        n := n + 1
    action ring:
        require n == 1
        for peer in Node:
            send Note(n={note}) to peer
    on Note m:
        n := 0
invariant fine: {invariant}
model m:
    Node = {{a, b, c}}
    most = 3
    storage = atomic
    max_in_flight = 3
"""


@pytest.mark.parametrize(
    ("first", "invariant", "note"),
    [
        # One node is marked, and so mentioned first; whether the other's division is looked at depends on their order.
        ("begun and not marked", "not begun or exists p in Node: p.marked or 3 div (1 - p.n) >= 4", "0"),
        ("begun and not marked", "(forall p in Node: not p.marked and 3 div (1 - p.n) > 0) or true", "0"),
        # A message to oneself is cut, one to others fails: which comes first is the order of the nodes.
        ("true", "true", "if peer == self then 9 else n - 2"),
    ],
)
def test_a_failure_that_the_order_of_elements_hides_is_found_as_soon_as_without_symmetry(
    first: str, invariant: str, note: str
) -> None:
    system = of_text(HIDDEN.format(first=first, invariant=invariant, note=note))
    assert symmetry_of(system)
    explored = explore(Evaluator(system), max_steps=4)
    assert explored.violation is not None
    found = check(system, 4)
    assert isinstance(found, Violation)
    assert (found.property, len(found.labels)) == (None, len(explored.violation.labels))
