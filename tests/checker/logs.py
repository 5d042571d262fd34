"""Logs for the tests of ``complete``: random runs, blanked and falsified at random, and what fits them, by brute force.

The brute force knows nothing of the code under test: it takes every enabled label of every state, writes the state as
JSON, and compares that with the log's JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import lru_cache
from random import Random
from typing import Any

from checker.tracing import Tracer
from spec.evaluate import Evaluator
from spec.state import Label, State
from traces.itf import ACTION, PICKS, format_trace
from traces.itf_values import encode
from traces.trace import Trace

Log = dict[str, Any]
"""A trace file's JSON data."""

Field = tuple[int, str, str | None]
"""State, variable, and its entry; None: the variable as a whole."""


def random_run(evaluator: Evaluator, chance: Random, length: int) -> tuple[Label, ...]:
    """First a rule is chosen, then one of its labels, so that rules with few labels come as often; losses are rare, for
    they end everything."""
    state, labels = evaluator.initial_states()[0], []
    for _ in range(length):
        steps = evaluator.transitions(state)
        if not steps:
            break
        rules = sorted({label.rule for label, _ in steps})
        rule = chance.choices(rules, [0.2 if rule == "drop" else 1.0 for rule in rules])[0]
        label, state = chance.choice([step for step in steps if step[0].rule == rule])
        labels.append(label)
    return tuple(labels)


def written(trace: Trace) -> Log:
    data: Log = json.loads(format_trace(trace))
    return data


def known_fields(log: Log, first: int = 0) -> Iterator[Field]:
    """Those that the log has, from that state on."""
    for number, state in enumerate(log["states"][first:], first):
        for name, value in state.items():
            if name.startswith(("#", "mbt::")):
                continue
            if isinstance(value, dict) and not any(key.startswith("#") for key in value):
                yield from ((number, name, key) for key in value)
            else:
                yield number, name, None


def blanked(log: Log, chance: Random, fields: float = 0.3, labels: float = 0.1) -> Log:
    """The log without these parts of its fields and its labels."""
    result = deepcopy(log)
    everything = list(known_fields(log))
    for number, name, key in chance.sample(everything, round(fields * len(everything))):
        if key is None:
            del result["states"][number][name]
        else:
            del result["states"][number][name][key]
    steps = range(1, len(log["states"]))
    for number in chance.sample(steps, round(labels * len(steps))):
        del result["states"][number][ACTION], result["states"][number][PICKS]
    return result


def falsified(log: Log, evaluator: Evaluator, chance: Random) -> tuple[Log, Field]:
    """The log with one of its values changed to one that no state has there that any label leads to, from any of the
    states that fit the log up to the state before: so no run fits it, and the step is the first that shows it."""
    layers = layers_that_fit(evaluator, log)
    fields = list(known_fields(log, 1))
    for number, name, key in chance.sample(fields, len(fields)):
        after = [variables(evaluator, s) for before in layers[number - 1] for _, s in evaluator.transitions(before)]
        found = [_get(state, name, key) for state in after]
        old = _get(log["states"][number], name, key)
        others = [value for value in _others(log, name, old) if value != old and value not in found]
        if others:
            result = deepcopy(log)
            value = chance.choice(others)
            if key is None:
                result["states"][number][name] = value
            else:
                result["states"][number][name][key] = value
            return result, (number, name, key)
    raise AssertionError("every field could have any value")


def _others(log: Log, name: str, old: Any) -> list[Any]:
    """Values that the variable has elsewhere in the log, and neighbours of a number."""
    found = [_get(log["states"][n], v, k) for n, v, k in known_fields(log) if v == name]
    if isinstance(old, bool):
        return [not old]
    return [*found, old + 1, old - 1] if isinstance(old, int) else found


def _get(state: dict[str, Any], name: str, key: str | None) -> Any:
    return state[name] if key is None else state[name][key]


# -------------------------------------------------------------------------------------------- brute force


def layers_that_fit(evaluator: Evaluator, log: Log) -> list[set[State]]:
    """For each state of the log, all of the spec's states that a run through the log comes to; it ends early where
    there is none. ``gap`` as in the log."""
    layers: list[set[State]] = []
    for number, known in enumerate(log["states"]):
        known = known or {}
        level = {evaluator.initial_states()[0]} if number == 0 else layers[-1]
        level = _gap(evaluator, set(level), known.get("#meta", {}).get("gap", 0))
        if number:
            level = {
                s for before in level for label, s in evaluator.transitions(before) if _is(evaluator, known, label)
            }
        level = {state for state in level if _agrees(known, variables(evaluator, state))}
        if not level:
            break
        layers.append(level)
    return layers


def _gap(evaluator: Evaluator, found: set[State], gap: Any) -> set[State]:
    times = 10**6 if gap is True else int(gap)
    for _ in range(times):
        more = {after for state in found for _, after in evaluator.transitions(state)} - found
        if not more:
            break
        found |= more
    return found


def _is(evaluator: Evaluator, known: dict[str, Any], label: Label) -> bool:
    if ACTION not in known:
        return True
    return (known[ACTION], known.get(PICKS)) == written_label(evaluator, label)


def _agrees(known: dict[str, Any], found: dict[str, Any]) -> bool:
    for name, value in known.items():
        if name.startswith(("#", "mbt::")):
            continue
        if isinstance(value, dict) and not any(key.startswith("#") for key in value):
            if any(found[name][key] != part for key, part in value.items()):
                return False
        elif found[name] != value:
            return False
    return True


@lru_cache(maxsize=10_000)
def variables(evaluator: Evaluator, state: State) -> dict[str, Any]:
    return {str(name): encode(value) for name, value in Tracer(evaluator).variables(state).items()}


@lru_cache(maxsize=10_000)
def written_label(evaluator: Evaluator, label: Label) -> tuple[str, Any]:
    trace = Tracer(evaluator).label(label)
    chosen: dict[str, Any] = {} if trace.process is None else {"process": trace.process}
    chosen |= dict(trace.arguments)
    if trace.message is not None:
        chosen["message"] = trace.message.flat
    return label.rule, {name: {"tag": "Some", "value": encode(value)} for name, value in chosen.items()}
