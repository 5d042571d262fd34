"""What a machine reads: the same results as one JSON object, with nothing left out that the text shows."""

from __future__ import annotations

from typing import Any

import msgspec

from checker.checking import Checked, Liveness
from checker.coverage import Matrix
from checker.explicit.simulation import Simulated
from checker.flaw import Flaw
from checker.gaps import never, pairs_of
from checker.heartbeat import asked_data
from checker.job import MainJob
from checker.mutants import Kills
from checker.question import Question
from checker.reduction import Counts
from checker.replaying import Replays
from checker.report import bounds_of
from checker.sampling import Sample
from checker.verdict import Exit
from spec.script import describe
from spec.system import Grain
from traces.itf import format_trace
from traces.render.labels import label_text
from traces.replay import Divergence
from traces.trace import Trace
from traces.values import thaw


def failure_json(error: str, code: int) -> str:
    """Of a command that ended without a result."""
    return as_text({"error": error, "exit": code})


def checked_json(question: Question, answers: list[Checked], code: Exit, trace: Trace | None, reproduce: str) -> str:
    return as_text(
        {
            **question_data(question),
            "answers": [_checked(answer, question.properties) for answer in answers],
            "exit": int(code),
            "trace": None if trace is None else msgspec.json.decode(format_trace(trace)),
            "reproduce": reproduce,
        }
    )


def job_json(job: MainJob) -> str:
    held = job.held
    return as_text(
        {
            **question_data(job.question),
            "engine": job.engine,
            "engines_agree": job.agree,
            "stopped": job.stopped or None,
            "enumerated": [
                {
                    "scenario": part.cube.scenario,
                    "depth": part.cube.depth,
                    "window": part.cube.window,
                    "crash_states": part.crash_states,
                    "interleavings": len(part.interleavings),
                    "complete": part.complete,
                    "reason": part.reason or None,
                    "seconds": round(part.seconds, 3),
                    "processor_seconds": round(part.processor_seconds, 3),
                }
                for part in job.enumerated
            ],
            "interleavings": {"distinct": len(job.interleavings), "sha256": job.hash or None},
            "coverage": None if job.counts is None else _coverage(job, job.counts),
            "replays": _replays(job.replays),
            "completion_replays": _replays(job.matrix_replays),
            "sample": None if job.sampled is None else _sampled(job.sampled),
            "matrix": None if job.matrix is None else _matrix(job.matrix),
            "invariants": {
                "names": held.names,
                "violated": sorted(held.violated),
                "states": held.states,
                "cuts": held.cuts,
            },
            "scenarios": {"reached": held.scenarios, "unreached": held.unreached, "never": held.never},
            "flaw": None if job.flaw is None else _flaw(job.flaw),
            "questions": asked_data(job.asked),
            "seconds": {part: round(seconds, 3) for part, seconds in job.seconds.items()},
            "exit": int(job.code),
            "reproduce": job.command,
        }
    )


def _coverage(job: MainJob, counts: Counts) -> dict[str, Any]:
    seconds = sum(part.seconds for part in job.enumerated)
    busy = sum(part.processor_seconds for part in job.enumerated)
    return {
        "crash_states": counts.crash_states,
        "crash_states_up_to_symmetry": counts.crash_orbits,
        "interleavings": counts.interleavings,
        "interleavings_up_to": {up_to.value: number for up_to, number in counts.classes.items()},
        "symmetry": {
            "sets": [sort.name for sort in counts.symmetry.sets],
            "permutations": counts.symmetry.permutations,
            "refused": counts.symmetry.refused,
        },
        "prefixes": len(job.enumerated),
        "prefixes_complete": sum(part.complete for part in job.enumerated),
        "interleavings_per_second": round(counts.interleavings / seconds, 1) if seconds > 0 else None,
        "interleavings_per_processor_second": round(counts.interleavings / busy, 1) if busy > 0 else None,
        "reduced_to": None if job.reduce is None else job.reduce.value,
    }


def _sampled(sampled: Sample) -> dict[str, Any]:
    return {
        "runs": len(sampled.runs),
        "of": sampled.of,
        "windows": sampled.windows,
        "windows_missed": sampled.missed,
    }


def replay_json(replays: Replays, reproduce: str) -> str:
    """``reproduce``: the command for the divergence, empty where there is none."""
    return as_text({**_replays(replays), "reproduce": reproduce or None})


def mutants_json(kills: Kills, reproduce: str) -> str:
    return as_text(
        {
            "spec": kills.spec,
            "claims": [
                {
                    **question_data(one.question),
                    "kind": one.claim.kind.name.lower(),
                    "claimed_length": one.claim.length,
                    "grain": one.claim.grain.value,
                    "outcome": one.outcome.name.lower(),
                    "answers": [_checked(answer, one.question.properties) for answer in one.answers],
                    "labels": [] if one.best.labels is None else [describe(label) for label in one.best.labels],
                }
                for one in kills.tried
            ],
            "stopped": kills.stopped or None,
            "exit": int(kills.code),
            "reproduce": reproduce,
        }
    )


def as_text(value: Any) -> str:
    """JSON, indented."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def question_data(question: Question) -> dict[str, Any]:
    """What was asked about."""
    system = question.system
    constants = {name: sorted(v) if isinstance(v, frozenset) else v for name, v in system.constants}
    return {
        "spec": str(question.path.name),
        "model": system.model,
        "mutant": system.mutant,
        "property": question.only,
        "constants": constants,
        "storage": system.storage.value,
        "bounds": bounds_of(system),
    }


def _checked(checked: Checked, properties: tuple[str, ...]) -> dict[str, Any]:
    out = checked.out_degree
    return {
        "engine": checked.engine,
        "exit": int(checked.code),
        "depth": checked.depth,
        "prefix": checked.prefix,
        "length": None if checked.labels is None else len(checked.labels),
        "grain": checked.grain.value,
        "steps": [{"name": name, "labels": labels} for name, labels in checked.steps],
        "violated": checked.violated,
        "properties": {name: _verdict(checked, name) for name in properties},
        "message": checked.message,
        "reason": checked.reason or None,
        "complete": checked.complete,
        "simulation": None if checked.simulated is None else _simulation(checked.simulated),
        "generated": checked.generated,
        "distinct": checked.distinct,
        "queue": checked.queue,
        "levels": checked.levels,
        "cuts": checked.cuts,
        "actions": checked.taken,
        "out_degree": None if out is None else {"min": out.fewest, "average": out.average, "max": out.most},
        "never_taken": checked.never_taken,
        "unreached": checked.unreached,
        "unseen": checked.unseen,
        "loop": checked.loop,
        "liveness": None if checked.liveness is None else _liveness(checked.liveness),
        "symmetry": {
            "sets": [sort.name for sort in checked.symmetry.sets],
            "permutations": checked.symmetry.permutations,
            "refused": checked.symmetry.refused,
        },
        "workers": checked.workers,
        "on_disk": checked.on_disk,
        "collision_probability": checked.collision_probability,
        "search_seconds": None if checked.search_seconds is None else round(checked.search_seconds, 3),
        "questions": asked_data(checked.asked),
        "seconds": round(checked.seconds, 3),
    }


def _simulation(simulated: Simulated) -> dict[str, Any]:
    return {
        "seed": simulated.seed,
        "runs": simulated.runs,
        "runs_asked_for": simulated.wanted,
        "max_labels": simulated.length,
        "labels": simulated.labels,
        "stuck": simulated.stuck,
        "cut": simulated.cut,
        "reached": sorted(simulated.reached),
        "seconds": round(simulated.seconds, 3),
    }


def _verdict(checked: Checked, name: str) -> dict[str, Any]:
    """ "holds": in all states of the model, as far as its bounds go; else nothing is claimed beyond ``depth``, nor at
    the macro grain."""
    if name in checked.violations:
        return {"verdict": "violated", "length": len(checked.violations[name].labels)}
    complete = checked.complete and checked.grain is Grain.MICRO
    return {"verdict": "holds" if complete else "no violation found", "length": None}


def _liveness(liveness: Liveness) -> dict[str, Any]:
    return {
        "properties": liveness.properties,
        "violated": liveness.violated,
        "cut_by_the_bound": liveness.cut,
        "states": liveness.states,
        "labels": liveness.labels,
        "seconds": round(liveness.seconds, 3),
    }


def _replays(replays: Replays) -> dict[str, Any]:
    return {
        "traces": replays.traces,
        "labels": replays.labels,
        "fields_compared": replays.fields_compared,
        "unobserved": replays.unobserved,
        "tried": dict(replays.tried),
        "diverged": replays.diverged,
        "divergence": None if replays.divergence is None else _divergence(*replays.divergence),
    }


def _divergence(trace: Trace, divergence: Divergence) -> dict[str, Any]:
    return {
        "step": divergence.step,
        "label": label_text(divergence.label),
        "path": divergence.path,
        "expected": thaw(divergence.expected),
        "observed": thaw(divergence.observed),
        "others": divergence.others,
        "labels": [label_text(label) for label in trace.labels],
    }


def _matrix(matrix: Matrix) -> dict[str, Any]:
    windows, outcomes = dict(matrix.windows), dict(matrix.outcomes)
    actors = dict(enumerate(actor.name for actor in matrix.system.actors))
    pairs = pairs_of(matrix)
    return {
        "rows": {name: len(matrix.rows.get(window, ())) for window, name in matrix.windows},
        "undecided": {name: len(matrix.undecided_units(window)) for window, name in matrix.windows},
        "completions": matrix.completed,
        "pairs": {
            "total": pairs.total,
            "by_schedules": pairs.by_schedules,
            "by_search": pairs.by_search,
            "none": pairs.none,
            "none_at_all": pairs.none_at_all,
            "undecided": pairs.undecided,
        },
        "search_bound": matrix.bound,
        "never": [
            {"window": windows.get(window, "other"), "outcome": outcomes.get(outcome, "other")}
            for window, outcome in sorted(never(matrix))
        ],
        "cells": [
            {
                "window": windows.get(window, "other"),
                "actor": actors.get(actor, "other"),
                "kept": kept,
                "outcome": outcomes.get(outcome, "other"),
                "units": len(cell.units),
                "witness_length": len(cell.witness.labels),
            }
            for (window, actor, kept, outcome), cell in sorted(matrix.cells.items())
        ],
        "violated": sorted(matrix.violations),
    }


def _flaw(flaw: Flaw) -> dict[str, Any]:
    return {
        "answer": _checked(flaw.checked, tuple(flaw.checked.violations)),
        "labels": [] if flaw.trace is None else [label_text(label) for label in flaw.trace.labels],
        "correct_target": _outcome(flaw.on_correct),
        "broken_target": _outcome(flaw.on_broken),
        "command": flaw.command,
    }


def _outcome(result: object) -> Any:
    if isinstance(result, Divergence):
        return {"diverges_at": result.step, "path": result.path}
    return result if isinstance(result, str) or result is None else "no divergence"
