"""What a run has shown, for people and for machines, and the command that shows a broken promise again."""

from __future__ import annotations

from typing import Any

from refimpl.simulation.properties import CheckersDisagree
from refimpl.simulation.run import ROUND_STEPS, Failure, Plan, Run
from refimpl.simulation.seen import complete


def reproduction(plan: Plan, failure: Failure) -> str:
    """The one command that runs the failing round again, to the step of the failure."""
    parts = [f"python -m refimpl simulate --seed {plan.seed} --round {failure.round_number} --steps {failure.step}"]
    if plan.servers is not None:
        parts.append(f"--servers {plan.servers}")
    # Peace has to begin when it did, if it had begun, and not before the failure if it had not.
    stormy_steps = failure.stormy_steps if failure.step > failure.stormy_steps else max(failure.step, ROUND_STEPS)
    if stormy_steps != ROUND_STEPS:
        parts.append(f"--round-steps {stormy_steps}")
    parts += [f"--break {fault.value}" for fault in sorted(plan.broken, key=lambda fault: fault.value)]
    parts += [f"--without {name}" for name in sorted(misfortune.value for misfortune in plan.without)]
    return " ".join(parts)


def text(run: Run, seconds: float) -> str:
    """`seconds`: of processor time."""
    lines = [f"seed {run.plan.seed}: {run.steps:,} steps in {run.rounds:,} rounds, each a cluster of its own"]
    counts = complete(run.tally)
    width = max(len(f"{count:,}") for count in counts.values())
    lines += [f"  {count:>{width},} {name}" for name, count in counts.items()]
    if run.failure is not None:
        lines += ["", *_failure_lines(run.plan, run.failure), ""]
    lines.append(f"{rate(run.steps, seconds)}; hash {run.hash}")
    if run.failure is None:
        lines.append("No promise broken in these runs: a sample, not a proof.")
    return "\n".join(lines)


def rate(steps: int, seconds: float) -> str:
    return f"{steps / seconds if seconds else 0:,.0f} steps/s of processor time"


def data(run: Run, seconds: float) -> dict[str, Any]:
    """The same as one JSON object."""
    plan, failure = run.plan, run.failure
    return {
        "seed": plan.seed,
        "steps": run.steps,
        "rounds": run.rounds,
        "hash": run.hash,
        "cpu_seconds": round(seconds, 3),
        "steps_per_second": round(run.steps / seconds) if seconds else 0,
        "broken": sorted(fault.value for fault in plan.broken),
        "without": sorted(misfortune.value for misfortune in plan.without),
        "seen": complete(run.tally),
        "failure": None
        if failure is None
        else {
            "property": failure.property.value,
            "found": failure.error.found,
            "allowed": failure.error.allowed,
            "checkers_disagree": isinstance(failure.error, CheckersDisagree),
            "round": failure.round_number,
            "step": failure.step,
            "last": list(failure.last),
            "reproduce": reproduction(plan, failure),
        },
    }


def _failure_lines(plan: Plan, failure: Failure) -> list[str]:
    return [
        f"BROKEN: {failure.property.value}, in round {failure.round_number} at step {failure.step}",
        f"  found:   {failure.error.found}",
        f"  allowed: {failure.error.allowed}",
        "the last steps:",
        *(f"  {line}" for line in failure.last),
        "again:",
        f"  {reproduction(plan, failure)}",
    ]
