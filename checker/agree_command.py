"""``model-check agree``: which models are compared, and to which bound."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from checker.agreement import DEFAULT, Agreed
from checker.agreement_report import agreed_data, print_agreed
from checker.machine import as_text
from checker.question import Question, ask
from checker.verdict import Exit, Stop
from spec.diagnostics import SpecError
from spec.load import load_file, load_system, shipped_specs
from spec.source import SpecFileError
from spec.system import Agreement

GRAVEST = (Exit.ENGINES_DISAGREE, Exit.INTERRUPTED, Exit.INCONCLUSIVE, Exit.HOLDS)


def agree(
    spec: str | None,
    models: tuple[str, ...],
    settings: dict[str, str],
    mutant: str | None,
    only: str | None,
    depth: int | None,
    window: int | None,
    timeout: float | None,
    as_json: bool,
    console: Console,
) -> None:
    """Compares the engines on each model. Raises Stop with the gravest code."""
    from checker.agreeing import compare

    deadline = None if timeout is None else time.monotonic() + timeout
    found: list[tuple[Agreed, str]] = []
    for question in _questions(spec, models, settings, mutant, only):
        bound = _bound(question, depth, window)
        left = None if deadline is None else max(0.01, deadline - time.monotonic())
        agreed = compare(question, bound, left)
        words = ["--depth", str(depth)] if depth is not None else []
        words += ["--window", str(window)] if window is not None else []
        found.append((agreed, question.command("agree", *words)))
        if not as_json:
            print_agreed(console, *found[-1])
        if agreed.stopped:
            break
    code = min((agreed.code for agreed, _ in found), key=GRAVEST.index)
    if as_json:
        click.echo(as_text({"models": [agreed_data(*one) for one in found], "exit": int(code)}))
    raise Stop(code, "")


def _questions(
    spec: str | None, models: tuple[str, ...], settings: dict[str, str], mutant: str | None, only: str | None
) -> Iterator[Question]:
    """The models that are named; of a spec, else, those that declare a bound, or its first; without any of that, those
    of every shipped spec that declare one."""
    if spec is None and not models and mutant is None:
        for path in shipped_specs():
            for model in _declaring(path):
                yield ask(str(path), model=model, settings=settings, only=only)
        return
    declaring = _declaring(Path(spec)) if spec is not None and mutant is None else ()
    for named in models or declaring or (None,):
        yield ask(spec, model=named, settings=settings, mutant=mutant, only=only)


def _declaring(path: Path) -> tuple[str, ...]:
    """The models of a spec that say what to compare; what is wrong with the spec is told when it is asked about."""
    try:
        return tuple(m for m in load_file(path).models if load_system(path, model=m).agreement is not None)
    except (SpecFileError, SpecError):
        return ()


def _bound(question: Question, depth: int | None, window: int | None) -> Agreement:
    declared = question.system.agreement or DEFAULT
    bound = Agreement(declared.depth if depth is None else depth, declared.window if window is None else window)
    if bound.depth < bound.least_depth:
        raise Stop(
            Exit.USAGE,
            f"in {bound.depth} labels no interleaving of 2 × {bound.window} + 1 fits; allowed is --depth "
            f"{bound.least_depth} or more, or a smaller --window",
        )
    return bound
