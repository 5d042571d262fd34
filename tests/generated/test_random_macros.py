"""Random macros over random specs: at the macro grain every back end's transitions are the evaluator's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

pytest.importorskip("llvmlite")

from checker.explicit import source_macros
from checker.explicit.emit_code import TRUE
from checker.explicit.emit_macros import _Label
from checker.explicit.errors import NotEncodable
from checker.explicit.source_macros import SourceMacros
from spec.evaluate import Evaluator
from spec.grains import coarsened
from tests.generated.agreement import Disagreement
from tests.generated.conftest import PROPERTY, listed
from tests.generated.macro_agreement import MACRO_BACK_ENDS, expected
from tests.generated.specs import random_system, shown
from tests.generated.states import random_states

COMPILED = 10
"""Of so many seeds one is compiled in the tests; the emitted Python is compared for all."""


def examined(seeds: range, count: int, *, compiled: int = 1) -> Counter[str]:
    """Compares the macro transitions of so many states of each seed; what there was to compare."""
    found: Counter[str] = Counter()
    for seed in seeds:
        if not random_system(seed).macros:
            found["specs without macros"] += 1
            continue
        system = coarsened(random_system(seed))
        evaluator = Evaluator(system)
        try:
            names = MACRO_BACK_ENDS if seed % compiled == 0 else ["python"]
            back_ends = {name: MACRO_BACK_ENDS[name](system) for name in names}
        except NotEncodable as refused:
            found[f"specs refused: {refused}"] += 1
            continue
        found.update(f"specs compared with {name}" for name in back_ends)
        for state in random_states(evaluator, Random(seed), count):
            wanted = expected(evaluator, state)
            found["states"] += 1
            found["states in which an evaluation fails"] += wanted.failed is not None
            for name, steps in wanted.steps.items():
                for label in steps:
                    is_macro = name in evaluator.macros.named if evaluator.macros else False
                    found[f"macros of {len(label.arguments)} labels" if is_macro else "labels alone"] += 1
            for name, back_end in back_ends.items():
                with shown(seed):
                    back_end.compare(name, wanted)
    return found


def look_at(found: Counter[str], record_property: Callable[[str, object], None]) -> None:
    record_property(PROPERTY, listed(found))
    assert found["states in which an evaluation fails"] < 0.7 * found["states"]
    assert all(found[f"specs compared with {name}"] for name in MACRO_BACK_ENDS)
    assert all(found[f"macros of {labels} labels"] for labels in (1, 2, 3))


def test_macro_transitions_of_random_specs_are_the_evaluators(record_property: Callable[[str, object], None]) -> None:
    look_at(examined(range(14), 12, compiled=COMPILED), record_property)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1200, 50))
def test_macro_transitions_of_many_random_specs_are_the_evaluators(
    first: int, record_property: Callable[[str, object], None]
) -> None:
    look_at(examined(range(first, first + 50), 100), record_property)


# --------------------------------------------------------------------------- a fault in a back end is seen


def first_disagreement(name: str) -> Disagreement:
    for seed in range(20):
        if random_system(seed).macros:
            system = coarsened(random_system(seed))
            evaluator, back_end = Evaluator(system), MACRO_BACK_ENDS[name](system)
            for state in random_states(evaluator, Random(seed), 20):
                try:
                    back_end.compare(name, expected(evaluator, state))
                except Disagreement as found:
                    return found
    raise AssertionError(f"the fault in {name} was not seen")


def test_native_label_that_is_not_what_the_step_asks_for_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Label, "_agrees", lambda self: TRUE)
    assert first_disagreement("native").back_end == "native"


def test_label_in_python_that_is_not_what_the_step_asks_for_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_macros, "matched", lambda system, step, label, bindings: bindings)
    assert first_disagreement("python").back_end == "python"


def test_flush_that_is_not_left_out_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SourceMacros, "_is_left_out", lambda self, state, step, bindings: False)
    assert first_disagreement("python").back_end == "python"
