"""The report of a divergence: the labels that lead to it, both values, and the command that reproduces it."""

from __future__ import annotations

from collections.abc import Mapping

from traces.render.labels import label_text, value_text
from traces.render.wording import PLAIN, Wording
from traces.replay import Divergence
from traces.trace import Trace
from traces.values import Value


def divergence_text(trace: Trace, divergence: Divergence, command: str, wording: Wording = PLAIN) -> str:
    """``command`` reproduces it, such as ``model-check replay FILE``."""
    steps = len(trace.labels)
    where = f"after step {divergence.step} of {steps}" if divergence.step else "in the initial state"
    lines = [f"divergence {where}: {divergence.path}", ""]
    width = len(str(divergence.step))
    for number, label in enumerate(trace.labels[: divergence.prefix_length], start=1):
        mark = "→" if number == divergence.step else " "
        lines.append(f"{mark} {number:>{width}}  {label_text(label, wording)}")
    lines += [
        "",
        f"  expected (the trace):  {value_text(divergence.expected, wording)}",
        f"  observed (the target): {_observed(divergence.observed, wording)}",
    ]
    if divergence.others:
        lines.append(f"  different too:         {', '.join(divergence.others)}")
    lines.append(f"  shortest prefix:       {_labels(divergence.prefix_length)}")
    lines += unobserved_lines(divergence.unobserved)
    lines.append(f"  reproduce:             {command}")
    return "\n".join(lines) + "\n"


def _observed(value: Value, wording: Wording) -> str:
    """What a target raises may have lines, such as the end of a log."""
    if isinstance(value, str) and "\n" in value:
        return value.replace("\n", "\n    ")
    return value_text(value, wording)


def unobserved_lines(unobserved: Mapping[str, int]) -> list[str]:
    """Nothing where the target reports everything."""
    if not unobserved:
        return []
    counts = ", ".join(f"{name} × {count}" for name, count in sorted(unobserved.items()))
    return [f"  unobserved:            {counts} (the target does not report these)"]


def _labels(number: int) -> str:
    return f"{number} label{'' if number == 1 else 's'}"
