"""Random specs and states: every back end says of them what the evaluator says.

A failure prints the seed and the spec; ``random_spec(seed)`` and ``random_states(…, Random(seed), …)`` give them again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("llvmlite")

from checker.explicit import emit_operators, emit_sets
from checker.explicit.emit_code import Code
from checker.explicit.emit_evaluation import Evaluation
from checker.explicit.errors import NotEncodable
from checker.explicit.source_expressions import Expressions as SourceExpressions
from spec.evaluate import Evaluator
from spec.state import State
from spec.system import Binary, Operator
from tests.generated.agreement import BACK_ENDS, BackEnd, Disagreement, Expected, back_end, back_ends, compare, expected
from tests.generated.census import EXPECTED, Census
from tests.generated.conftest import PROPERTY
from tests.generated.specs import random_spec, random_system, shown
from tests.generated.states import random_states

ROOT = Path(__file__).parents[2]
SEEDS, STATES = range(15), 50
MOST_NOT_ENCODABLE = 0.05


def examined(seeds: range, count: int) -> Census:
    """Compares every back end on so many states of the spec of every seed."""
    census = Census()
    for seed in seeds:
        system = random_system(seed)
        census.count(system)
        evaluator = Evaluator(system)
        try:
            found = back_ends(system)
        except NotEncodable as refused:
            census.refused[seed] = str(refused)
            continue
        for state in random_states(evaluator, Random(seed), count):
            wanted = expected(evaluator, state)
            census.endings.update(ending(outcome) for outcome in wanted.outcomes.values())
            for name, each in found.items():
                with shown(seed):
                    compare(name, each, wanted)
    return census


def ending(outcome: State | str) -> str:
    return "fired" if isinstance(outcome, State) else outcome.split(":")[0]


def look_at(census: Census, seeds: range) -> None:
    """Nothing is missing, few specs are refused, and labels end in every way there is, none of them too often."""
    print(census.report())
    assert census.missing() == []
    assert len(census.refused) <= MOST_NOT_ENCODABLE * len(seeds)
    total = sum(census.endings.values())
    assert census.endings["fired"] >= 0.35 * total
    assert 0.02 * total <= census.endings["error"] <= 0.2 * total
    assert 0.05 * total <= census.endings["cut"] <= 0.45 * total
    assert 0.02 * total <= census.endings["not enabled"]


def test_back_ends_agree_on_random_specs_and_states(record_property: Callable[[str, object], None]) -> None:
    census = examined(SEEDS, STATES)
    record_property(PROPERTY, census.report())
    look_at(census, SEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1200, 50))
def test_back_ends_agree_on_many_random_specs_and_states(
    first: int, record_property: Callable[[str, object], None]
) -> None:
    seeds = range(first, first + 50)
    census = examined(seeds, 500)
    record_property(PROPERTY, census.report())
    look_at(census, seeds)


def test_census_knows_what_it_has_not_seen() -> None:
    assert Census().missing() == list(EXPECTED)


SPEC_AND_STATES = """
from random import Random
from spec.evaluate import Evaluator
from spec.values import canonical
from tests.checker.symbolic_systems import of_text
from tests.generated.specs import random_spec, random_system, shown
from tests.generated.states import random_states
text = random_spec(3)
states = random_states(Evaluator(of_text(text)), Random(3), 20)
print(text, [canonical(tuple(state)) for state in states])
"""


def test_same_seed_gives_the_same_spec_and_states_in_another_process() -> None:
    runs = []
    for seed in ("1", "2"):
        command = [sys.executable, "-c", SPEC_AND_STATES]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        runs.append(subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True))
    assert runs[0].stdout == runs[1].stdout
    assert random_spec(3) in runs[0].stdout


# --------------------------------------------------------------------------- a fault in a back end is seen


def first_disagreement(name: str, seeds: range = SEEDS) -> Disagreement:
    for seed in seeds:
        evaluator, faulty = Evaluator(random_system(seed)), back_end(name, random_system(seed))
        for state in random_states(evaluator, Random(seed), STATES):
            try:
                compare(name, faulty, expected(evaluator, state))
            except Disagreement as found:
                return found
    raise AssertionError(f"the fault in {name} was not seen")


def swapped(right: Callable[..., Any]) -> Callable[..., Any]:
    """`min` where `max` is meant."""

    def arithmetic(evaluation: Evaluation, operator: Operator, *values: Any) -> Any:
        return right(evaluation, Operator.MIN if operator is Operator.MAX else operator, *values)

    return arithmetic


def never_empty(right: Callable[..., Any]) -> Callable[..., Any]:
    """A difference that forgets what it takes away."""

    def operation(code: Code, operator: Operator, *values: Any) -> Any:
        return values[0] if operator is Operator.DIFFERENCE else right(code, operator, *values)

    return operation


def plant_native(patch: pytest.MonkeyPatch, fault: str) -> None:
    match fault:
        case "max":
            patch.setattr(emit_operators, "_arithmetic", swapped(emit_operators._arithmetic))
        case "difference":
            patch.setattr(emit_operators, "set_operation", never_empty(emit_sets.set_operation))


def plant_python(patch: pytest.MonkeyPatch, fault: str) -> None:
    right = SourceExpressions._binary

    def binary(self: SourceExpressions, node: Binary) -> str:
        if fault == "max" and node.operator is Operator.MAX:
            node = replace(node, operator=Operator.MIN)
        if fault == "difference" and node.operator is Operator.DIFFERENCE:
            return self.of(node.left)
        return right(self, node)

    patch.setattr(SourceExpressions, "_binary", binary)


PLANTS: dict[str, Callable[[pytest.MonkeyPatch, str], None]] = {
    "native": plant_native,
    "native, checked": plant_native,
    "python": plant_python,
}


@pytest.mark.parametrize("fault", ["max", "difference"])
@pytest.mark.parametrize("name", BACK_ENDS)
def test_fault_planted_in_a_back_end_is_seen(name: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTS[name](monkeypatch, fault)
    assert first_disagreement(name).back_end == name


@pytest.mark.parametrize("what", ["successors", "cuts", "errors", "invariants", "goals", "action invariants"])
def test_every_kind_of_difference_is_seen(what: str) -> None:
    """By a back end that answers like another one but for one thing."""
    evaluator, right = Evaluator(random_system(0)), back_end("native", random_system(0))
    lying: Any = Lying(right, what)
    for state in random_states(evaluator, Random(0), STATES):
        wanted = expected(evaluator, state)
        compare("native", right, wanted)
        if lying.would_lie(wanted):
            with pytest.raises(Disagreement) as found:
                compare("lying", lying, wanted)
            assert found.value.what == what
            return
    raise AssertionError("no state to lie about")


class Lying:
    """A back end that is wrong about one thing."""

    def __init__(self, of: BackEnd, what: str) -> None:
        self.of, self.what = of, what

    def would_lie(self, wanted: Expected) -> bool:
        endings = {ending(outcome) for outcome in wanted.outcomes.values()}
        return "error" not in endings and {"fired", "cut"} <= endings

    def fire(self, state: State) -> Any:
        fired = self.of.fire(state)
        match self.what:
            case "successors":
                label, after = next(iter(fired.steps.items()))
                return replace(fired, steps={**fired.steps, label: after._replace(up=())})
            case "cuts":
                return replace(fired, cuts={})
            case "errors":
                return replace(fired, failed=next(iter(fired.steps)))
        return fired

    def broken(self) -> list[str] | None:
        return ["?"] if self.what == "invariants" else self.of.broken()

    def reached(self) -> list[str] | None:
        return ["?"] if self.what == "goals" else self.of.reached()

    def broken_by_step(self, label: Any) -> list[str] | None:
        return ["?"] if self.what == "action invariants" else self.of.broken_by_step(label)
