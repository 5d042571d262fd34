"""A run of torture in words, for people."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from textwrap import shorten

from refimpl.history import Call, described
from refimpl.torture.judge import NoOrder
from refimpl.torture.run import Plan, Report

DEEDS_SHOWN = 40


def reproducing_command(plan: Plan) -> str:
    """What does the same again. Chance in a real machine is not part of it: it may take another try."""
    shape = plan.shape
    words = [
        "python", "-m", "refimpl", "torture", "--seconds", f"{plan.seconds:g}", "--seed", str(shape.seed),
        "--servers", str(shape.size), "--writers", str(plan.writers), "--readers", str(plan.readers),
        *(["--virtual"] if plan.virtual else []), *(["--secure"] if shape.secure else []),
        *(word for fault in shape.broken for word in ("--break", fault)),
    ]  # fmt: skip
    return shlex.join(words)


def in_words(report: Report) -> str:
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    counts, shape = report.counts, report.plan.shape

    def count(name: str) -> int:
        return counts.get(name, 0)

    clock = "virtual s" if report.plan.virtual else "s"
    yield f"seed {shape.seed}, {shape.size} servers, {report.seconds:.0f} {clock}" + (
        f", broken on purpose: {', '.join(shape.broken)}" if shape.broken else ""
    )
    yield (
        f"calls: {count('ok'):,} answered, {count('failed'):,} rejected, {count('unknown'):,} without an answer, "
        f"on {report.keys} keys; longest time without any answer {report.longest_silence / 1e9:.1f} s"
    )
    yield (
        f"done to the servers: {count('kills')} kill -9, {count('stops')} stops, {count('partitions')} partitions, "
        f"{count('drops')} drops of connections, {count('bad disks')} bad disks, {count('ended by its disk')} ends by "
        "them"
    )
    yield (
        f"elections won: {count('elections')}; {report.leaderless / 1e9:.0f} s without a leader; "
        f"entries at the end: {report.entries or 'not known'}"
    )
    for finding in report.findings:
        yield f"violated: {finding}"
    for no_order in report.no_orders:
        yield from _window(no_order)
    if report.findings:
        yield f"what was done before (the last {DEEDS_SHOWN}):"
        for deed in report.deeds[-DEEDS_SHOWN:]:
            yield f"  {deed.at / 1e9:9.3f}  {shorten(deed.text, 160, placeholder=' …')}"
        yield f"again: {reproducing_command(report.plan)}"
    for reason in report.unknown:
        yield f"unknown: {reason}"
    if report.is_violated:
        return
    if not report.is_whole:
        yield "interrupted; nothing was found until then. What is judged only at the end was not: answered writes, logs"
        yield f"again: {reproducing_command(report.plan)}"
    elif not report.unknown:
        yield "linearizable; every answered write is there; the servers' logs agree; no server needed help"
        if shape.broken:
            yield f"{', '.join(shape.broken)}: planted, and not found; try more --seconds, or another --seed"


def _window(no_order: NoOrder) -> Iterator[str]:
    window = no_order.window
    yield f"key {no_order.key}: no order of these calls gives these answers" + (
        ", the key absent before" if window.from_the_start else ", whatever the key held before"
    )
    for call in window.calls:
        yield f"  {_times(call)}  {call.client:<8} {described(call.operation, call)}"
    if window.under_way:
        yield "nor does it help that these, invoked before, may have taken effect in between"
        for call in window.under_way:
            yield f"  {_times(call)}  {call.client:<8} {described(call.operation, call)}"


def _times(call: Call) -> str:
    returned = "no answer" if call.returned is None else f"{call.returned / 1e9:9.3f}"
    return f"{call.invoked / 1e9:9.3f} … {returned:>9}"
