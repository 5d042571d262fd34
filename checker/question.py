"""What a command is asked about: a spec under a model, a mutant maybe, settings, one property maybe."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from checker.verdict import Exit, Stop
from spec.diagnostics import Diagnostic, Severity, SpecError
from spec.evaluate import Evaluator
from spec.load import SET_OPTION, load_file, load_system, shipped
from spec.script import ScriptError, describe, find_scenario, run_scenario, start_state
from spec.source import SpecFileError
from spec.state import Label, State
from spec.system import System
from spec.type_report import close_to
from spec.values import EvaluationError

DEFAULT_SPEC = "raft"
"""The shipped spec that is asked about if none is named."""


@dataclass(frozen=True, slots=True)
class Question:
    """``arguments``: the command-line words that ask the same again (spec, model, mutant, settings)."""

    path: Path
    system: System
    evaluator: Evaluator
    only: str | None
    arguments: tuple[str, ...]

    @property
    def properties(self) -> tuple[str, ...]:
        """The invariants and action invariants that are asked about."""
        named = (p.name for p in (*self.system.invariants, *self.system.action_invariants))
        return tuple(name for name in named if self.only in (None, name))

    def command(self, *words: str) -> str:
        """A command line that a user can paste."""
        return shlex.join(("model-check", *words, *self.arguments))

    def start(self, scenario: str | None = None) -> tuple[State, tuple[Label, ...]]:
        """Where to search from: the named scenario's end, or the model's start. Raises Stop."""
        with reported_errors():
            try:
                if scenario is None:
                    return start_state(self.evaluator)
                found = find_scenario(self.evaluator, scenario)
                if found is not None:
                    return run_scenario(self.evaluator, found)
            except ScriptError as error:
                raise Stop(Exit.NOT_REACHED, str(error)) from error
        known = ", ".join(s.name for s in self.system.scenarios) or "none"
        raise Stop(Exit.USAGE, f"no scenario named {scenario} in model {self.system.model}; there are: {known}")


@contextmanager
def reported_errors() -> Iterator[None]:
    """Turns an evaluation error of the spec into a Stop that says where, and after which labels."""
    try:
        yield
    except EvaluationError as error:
        run = "".join(f"\n    {number:2}  {describe(label)}" for number, label in enumerate(error.labels, 1))
        after = f"\n  in the last of these labels:{run}" if run else ""
        message = f"evaluation error in the spec: {error}{after}\n  `model-check check` shows a shortest run to one"
        raise Stop(Exit.EVALUATION_ERROR, message) from error


@contextmanager
def reported_spec_errors(path: Path, settings: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turns what is wrong with a spec, or with the words of the command line about it, into a Stop with all of it."""
    try:
        yield
    except SpecFileError as error:
        raise Stop(error_code(error), str(error)) from error
    except SpecError as error:
        count = sum(1 for d in error.diagnostics if d.severity is Severity.ERROR)
        if any(_of_command_line(d) for d in error.diagnostics):
            raise Stop(Exit.USAGE, str(error)) from error
        if settings and not any(d.severity is Severity.ERROR for d in load_file(path).diagnostics):
            words = " ".join(f"--set {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
            message = f"{error}\nThe spec does not allow {words}; without that it has no error."
            raise Stop(Exit.USAGE, message) from error
        code = Exit.SYNTAX_ERROR if error.is_syntax else Exit.SPEC_ERROR
        raise Stop(code, f"{error}\n{count} error{'s' if count != 1 else ''} in {path}") from error


def ask(
    spec: str | None,
    *,
    model: str | None = None,
    mutant: str | None = None,
    settings: Mapping[str, str] | None = None,
    only: str | None = None,
    inductive: bool = False,
) -> Question:
    """Loads the spec (default: the shipped raft.spec). Raises Stop with every error of the file. ``inductive``: the
    property may be an inductive conjunct."""
    path = shipped(DEFAULT_SPEC) if spec is None else Path(spec)
    with reported_spec_errors(path, settings):
        system = load_system(path, model=model, mutant=mutant, settings=dict(settings or {}))
    if spec is not None:
        _warn(path)
    evaluator = Evaluator(system)
    if only is not None:
        known = [p.name for p in (*system.invariants, *system.action_invariants)]
        known += [p.name for p in system.eventually] + [p.name for p in system.inductive if inductive]
        if only not in known:
            raise Stop(Exit.USAGE, f"no property named {only} in {path}; {_instead(system, only, known)}")
    words = [] if spec is None else [spec]
    words += ["--model", system.model] if model is not None else []
    words += ["--mutant", mutant] if mutant is not None else []
    for name, value in (settings or {}).items():
        words += ["--set", f"{name}={value}"]
    words += ["--property", only] if only is not None else []
    return Question(path, system, evaluator, only, tuple(words))


def _instead(system: System, only: str, known: list[str]) -> str:
    """What --property could have meant: a `sometimes` is a goal, no property that can be violated by a run."""
    if any(goal.name == only for goal in system.sometimes):
        return f"it is a `sometimes`: check looks at it without --property, and reach {only} shows a run to it"
    close = close_to(only, known)
    return f"{f'{close} ' if close else ''}there are (invariants and `eventually`): {', '.join(known) or 'none'}"


def _warn(path: Path) -> None:
    """A spec may be free of errors and still say what its author cannot mean: a reply that overtakes its flush."""
    loaded = load_file(path)
    for diagnostic in loaded.diagnostics:
        if diagnostic.severity is Severity.WARNING:
            print(diagnostic.render(loaded.sources), file=sys.stderr)


def _of_command_line(diagnostic: Diagnostic) -> bool:
    """Whether it is about --set, --model, --mutant or a goal: the spec itself is free of errors then."""
    return diagnostic.place.file.startswith((SET_OPTION, "<")) or diagnostic.code in ("S506", "S507")


def error_code(error: SpecFileError) -> Exit:
    """An empty spec is a syntax error; what cannot be read is a usage error."""
    return Exit.SYNTAX_ERROR if getattr(error, "empty", False) else Exit.USAGE
