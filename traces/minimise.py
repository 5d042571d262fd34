"""The shortest prefix of a trace that shows what is wrong.

A replay stops at the first label after which something differs, and what a target does depends only on the labels so
far: the labels up to there reproduce the difference, and no shorter prefix does.
"""

from __future__ import annotations

from dataclasses import replace

from traces.replay import Divergence
from traces.trace import Trace


def prefix(trace: Trace, labels: int) -> Trace:
    """The trace's first ``labels`` steps. It has no loop: the run it goes on with is not in it."""
    assert 0 <= labels < len(trace.states), "a prefix is not longer than the trace"
    return replace(trace, states=trace.states[: labels + 1], loop=None)


def diverging_prefix(trace: Trace, divergence: Divergence) -> Trace:
    """The labels that reproduce the divergence; it says in ``meta`` what diverges.

    The property that the whole trace violates is not carried over: the prefix need not violate it.
    """
    problem = f"{divergence.path} diverges at step {divergence.step}"
    cut = prefix(trace, divergence.prefix_length)
    return replace(cut, meta=cut.meta.without("property", "command").with_({"problem": problem}))
