"""A broken promise with less around it: which kinds of misfortune it needs."""

from __future__ import annotations

from dataclasses import replace

from refimpl.simulation.run import Failure, Plan, Run
from refimpl.simulation.weather import Misfortune


def shrink(plan: Plan, failure: Failure) -> tuple[Plan, Failure]:
    """The round of the failure alone, without every kind of misfortune that it can do without.

    The same property breaks in it, maybe in another way, and sooner or later. Each kind is left out in turn, and stays
    out if the property breaks all the same.
    """
    plan = replace(plan, only_round=failure.round_number, steps=plan.round_steps)
    for misfortune in Misfortune:
        if misfortune in plan.without:
            continue
        smaller = replace(plan, without=plan.without | {misfortune})
        again = Run(smaller).go().failure
        if again is not None and again.property is failure.property:
            plan, failure = smaller, again
    return plan, failure
