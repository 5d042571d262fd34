"""`eventually` under ``check``: asked of the whole state graph once a search has found it whole and safe."""

from __future__ import annotations

import time

from checker.checking import Checked, Liveness
from checker.explicit.available import MemoryWatch
from checker.explicit.back_end import BackEnd, choose
from checker.explicit.errors import ExplicitError, NotEncodable
from checker.progress import OutOfTime, Progress
from checker.question import Question
from checker.verdict import Exit, Stop
from spec.liveness import Judged, Stuck, asked
from spec.liveness import judge as judge_by_evaluator
from spec.system import Eventually
from spec.values import EvaluationError


def check_liveness(question: Question, checked: Checked, scenario: str | None, timeout: float | None) -> None:
    """Adds to a search's answer what liveness says, if the search found nothing that is worse. An incomplete search
    makes liveness inconclusive. ``timeout``: seconds for this part."""
    properties = asked(question.system, question.only)
    if not properties or checked.code not in (Exit.HOLDS, Exit.NOT_REACHED):
        return
    names = tuple(property_.name for property_ in properties)
    if not checked.complete:
        checked.code = Exit.INCONCLUSIVE
        checked.reason = (
            f"liveness ({', '.join(names)}) is a question about the whole state graph, and longer runs were not "
            "searched; lift --max-steps, or name an invariant with --property"
        )
        return
    began = time.monotonic()
    try:
        judged = _judged(question, checked.engine, properties, scenario, None if timeout is None else began + timeout)
    except OutOfTime:
        checked.code, checked.reason = Exit.INCONCLUSIVE, f"time is up while liveness ({', '.join(names)}) is checked"
        return
    except MemoryError as full:
        checked.code = Exit.INCONCLUSIVE
        checked.reason = f"out of memory while liveness ({', '.join(names)}) is checked, on a graph that is kept whole"
        checked.reason += f": {full}" if str(full) else ""
        return
    except KeyboardInterrupt:
        checked.code, checked.reason = Exit.INTERRUPTED, "interrupted while liveness is checked"
        return
    except EvaluationError as error:
        _, prefix = question.start(scenario)
        checked.code, checked.message, checked.labels = Exit.EVALUATION_ERROR, str(error), prefix + error.labels
        return
    real = sorted((s for s in judged.stuck if not s.cut), key=lambda s: len(s.prefix) + len(s.loop))
    checked.liveness = Liveness(
        names,
        tuple(str(stuck.obligation) for stuck in real),
        tuple(str(stuck.obligation) for stuck in judged.stuck if stuck.cut),
        judged.states,
        judged.edges,
        time.monotonic() - began,
    )
    if real:
        _report(question, checked, real[0], scenario)


def _judged(
    question: Question, engine: str, properties: tuple[Eventually, ...], scenario: str | None, deadline: float | None
) -> Judged:
    start, _ = question.start(scenario)
    memory = MemoryWatch()
    with Progress("liveness", unit="states expanded", deadline=deadline) as progress:

        def tick(expanded: int, found: int) -> None:
            memory.look()
            progress(expanded, f"{found:,} found")

        if engine != "explicit" or choose().back_end is not BackEnd.NATIVE:
            return judge_by_evaluator(question.evaluator, start, properties, tick)
        from checker.explicit.liveness import judge as judge_natively

        try:
            return judge_natively(question.system, start, properties, tick)
        except NotEncodable as error:
            raise Stop(Exit.USAGE, f"the explicit engine cannot check this: {error}") from error
        except ExplicitError as error:
            raise Stop(Exit.ENGINES_DISAGREE, f"the explicit engine failed: {error}") from error


def _report(question: Question, checked: Checked, stuck: Stuck, scenario: str | None) -> None:
    """Makes a lasso the counterexample."""
    _, prefix = question.start(scenario)
    checked.code = Exit.LIVENESS
    checked.violated = stuck.obligation.property.name
    checked.labels = prefix + stuck.prefix + stuck.loop
    checked.loop = len(prefix) + len(stuck.prefix)
    fair = "fair run" if stuck.obligation.property.weak or stuck.obligation.property.strong else "run"
    how = f"ends in state {checked.loop}, where nothing is enabled"
    if stuck.loop:
        how = f"goes round for ever from state {checked.loop} to {len(checked.labels)}, which is the same"
    checked.message = f"{stuck.obligation} never reaches its goal: a {fair} {how}"
