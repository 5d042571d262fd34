"""From a ``.spec`` file to a :class:`System`: parse, resolve, type and lower, under a model and maybe a mutant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from spec.diagnostics import Diagnostic, Severity, SpecError
from spec.extend import OF_A_MODEL, base_of, extended
from spec.goals import GoalSequence
from spec.lower import MutantName, lower
from spec.mutate import mutated
from spec.parse import parse_text
from spec.parse_goals import GoalText
from spec.resolve import Declarations, resolve
from spec.source import SourceError, read_source
from spec.syntax import Declaration, ModelDeclaration, MutantDeclaration, Setting
from spec.system import Place, System
from spec.type_environment import Environment
from spec.type_goals import goal_sequence
from spec.type_initial import constant_int
from spec.type_models import bind, dummy_model, parse_override
from spec.type_report import Report, close_to, did_you_mean, listed

SET_OPTION = "--set"  # the "file" that the overrides of a model's settings stand in

_parse = lru_cache(maxsize=64)(parse_text)

# Beside a syntax error, only what the declaration that could not be parsed cannot have caused.
_BESIDE_SYNTAX_ERRORS = frozenset(
    (
        "S202",
        "S212",
        "S301",
        "S302",
        "S303",
        "S304",
        "S307",
        "S309",
        "S312",
        "S406",
        "S407",
        "S408",
        "S409",
        "S410",
        "S413",
    )
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A spec file. ``mutants``: its own, and those of the folder ``mutants`` beside it. ``sources``: to quote from."""

    path: Path
    spec: str
    models: tuple[str, ...]
    mutants: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str]


def load_file(path: Path | str) -> Loaded:
    """What the file offers and what is wrong with it. Raises SourceError if it cannot be read."""
    path = Path(path)
    text = read_source(path)
    declarations = _parse(text, str(path))[0].declarations
    return Loaded(
        path=path,
        spec=path.stem,
        models=tuple(d.name for d in declarations if isinstance(d, ModelDeclaration)),
        mutants=tuple(_mutants(path, declarations)),
        diagnostics=check_text(text, str(path)),
        sources={str(path): text},
    )


def load_system(
    path: Path | str,
    *,
    model: str | None = None,
    mutant: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> System:
    """The spec under a model, with a mutant applied and settings overridden.

    If no model is named: the first that the mutant's own file declares, else the spec's first. Raises SpecError with
    every error of the file, SourceError if a file cannot be read.
    """
    return _load(Path(path), model, mutant, settings or {}).system


def load_goals(
    path: Path | str,
    goals: tuple[GoalText, ...],
    some: GoalText | None = None,
    *,
    model: str | None = None,
    mutant: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> tuple[System, GoalSequence]:
    """The system of :func:`load_system`, and goals typed in its scope. Raises SpecError, also for the goals' errors."""
    chosen = _load(Path(path), model, mutant, settings or {})
    report = Report()
    binding = bind(chosen.declarations, chosen.model, chosen.overrides, report)
    environment = Environment(chosen.declarations, binding.constants, binding.foreign, report, constant_int)
    sequence = goal_sequence(environment, chosen.system, goals, some)
    sources = {text.file: text.text for text in (*goals, *([some] if some else []))}
    _raise_errors(report.diagnostics, {**chosen.sources, **sources})
    assert sequence is not None
    return chosen.system, sequence


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A system, and what it was lowered from."""

    system: System
    declarations: Declarations
    model: ModelDeclaration
    overrides: tuple[Setting, ...]
    sources: Mapping[str, str]


def _load(path: Path, model: str | None, mutant: str | None, settings: Mapping[str, str]) -> _Chosen:
    text = read_source(path)
    sources = {str(path): text, SET_OPTION: "\n".join(f"{name}={value}" for name, value in settings.items())}
    _raise_errors(check_text(text, str(path)), sources)
    report = Report()
    own = _parse(text, str(path))[0].declarations
    base = base_of(path, own)
    if base is not None:
        sources[str(base)] = read_source(base)
    declarations = _whole(path, own, report)
    applied = None
    if mutant is not None:
        found = _find_mutant(path, own, mutant, sources)
        if found is None:
            known = _names_of_mutants(path, own)
            message = f"there is no mutant `{mutant}` of {path.stem}; the mutants are {listed(known)}"
            report.error("S507", Place(str(path), 1, 1), message, close_to(mutant, known))
        else:
            declaration, others = found
            if model is None:  # a mutant's own model shows it best
                model = next((d.name for d in others if isinstance(d, ModelDeclaration)), None)
            applied = MutantName(mutant, tuple(dict.fromkeys(broken.name for broken in declaration.breaks)))
            declarations = mutated((*declarations, *others), declaration, report)
    resolved = resolve(path.stem, declarations, report)
    overrides = _overrides(settings, resolved, report)
    chosen = _choose(resolved, model, path, report)
    _raise_errors(report.diagnostics, sources)
    assert chosen is not None
    system = lower(resolved, chosen, overrides, applied, report)
    _raise_errors(report.diagnostics, sources)
    return _Chosen(system, resolved, chosen, overrides, sources)


def _whole(path: Path, declarations: tuple[Declaration, ...], report: Report) -> tuple[Declaration, ...]:
    """The file's declarations with those of the spec that it extends."""
    base = base_of(path, declarations)
    below = None if base is None else _parse(read_source(base), str(base))[0].declarations
    return extended(declarations, below, report)


def shipped(name: str) -> Path:
    """The path of a spec that comes with the package: ``spec/models/NAME.spec``."""
    return Path(str(files("spec").joinpath("models", f"{name}.spec")))


def shipped_specs() -> list[Path]:
    """The paths of all specs that come with the package."""
    return sorted(shipped("raft").parent.glob("*.spec"))


@lru_cache(maxsize=64)
def check_text(text: str, file: str) -> tuple[Diagnostic, ...]:
    """All that is wrong with a file under each of its models and mutants, in source order."""
    parsed, syntax = _parse(text, file)
    diagnostics = list(syntax)
    broken = any(d.severity is Severity.ERROR for d in syntax)
    report = Report()
    base = base_of(Path(file), parsed.declarations)
    below = () if base is None else check_text(read_source(base), str(base))
    errors = tuple(d for d in below if d.severity is Severity.ERROR)
    if errors:
        return (*diagnostics, *errors)
    declarations = _whole(Path(file), parsed.declarations, report)
    diagnostics += report.diagnostics
    mutants = [d for d in declarations if isinstance(d, MutantDeclaration)]
    rest = tuple(d for d in declarations if not isinstance(d, MutantDeclaration))
    own = [mutant for mutant in mutants if mutant.of == Path(file).stem]
    if rest and len(own) == len(mutants) and not report.diagnostics:
        diagnostics += [d for d in _checked_under_all(Path(file).stem, declarations) if d not in below]
    for mutant in mutants:
        if not broken and not any(d.severity is Severity.ERROR for d in diagnostics):
            diagnostics += _checked_mutant(mutant, rest, file)
    return _in_order(d for d in diagnostics if not broken or d.code[:2] == "S1" or d.code in _BESIDE_SYNTAX_ERRORS)


def _checked_under_all(spec: str, declarations: tuple[Declaration, ...]) -> tuple[Diagnostic, ...]:
    report = Report()
    resolved = resolve(spec, declarations, report)
    for model in tuple(resolved.models.values()) or (dummy_model(resolved),):
        lower(resolved, model, (), None, report)
    return report.diagnostics


def _checked_mutant(mutant: MutantDeclaration, rest: tuple[Declaration, ...], file: str) -> tuple[Diagnostic, ...]:
    """What is wrong with a mutant applied to its base: this file, or the one beside it or above its folder."""
    report = Report()
    base = rest
    if mutant.of != Path(file).stem:
        paths = [folder / f"{mutant.of}.spec" for folder in (Path(file).parent.parent, Path(file).parent)]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            message = f"there is no spec `{mutant.of}` beside this file or above its folder"
            report.error("S511", mutant.place, message, "a mutant stands in mutants/NAME.spec beside its spec")
            return report.diagnostics
        base = (*_whole(path, _parse(read_source(path), str(path))[0].declarations, report), *rest)
    changed = mutated(base, mutant, report)
    return (*report.diagnostics, *_checked_under_all(mutant.of, changed)) if changed else report.diagnostics


def _in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """One diagnostic for a code at a place: under each model the same mistake is found again, with other numbers."""
    found: dict[tuple[str, Place], Diagnostic] = {}
    for diagnostic in diagnostics:
        found.setdefault((diagnostic.code, diagnostic.place), diagnostic)
    return tuple(sorted(found.values(), key=lambda d: (d.place, d.code)))


def _raise_errors(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> None:
    ordered = _in_order(diagnostics)
    if any(d.severity is Severity.ERROR for d in ordered):
        raise SpecError(ordered, sources)


# ------------------------------------------------------------------------------------ models and mutants


def _choose(declarations: Declarations, name: str | None, path: Path, report: Report) -> ModelDeclaration | None:
    models = declarations.models
    place = Place(str(path), 1, 1)
    if not models:
        report.error(
            "S513", place, "the spec declares no model, so its constants have no values", "write `model NAME:`"
        )
        return None
    if name is None:
        return next(iter(models.values()))
    if name not in models:
        hint = did_you_mean(name, models, f"the models are {listed(models)}")
        report.error("S506", place, f"there is no model `{name}`; the models are {listed(models)}", hint)
        return None
    return models[name]


def _overrides(settings: Mapping[str, str], declarations: Declarations, report: Report) -> tuple[Setting, ...]:
    found = []
    for line, (name, value) in enumerate(settings.items(), 1):
        setting = parse_override(name, value, Place(SET_OPTION, line, 1, len(name) + 1 + len(value)), report)
        if setting is not None:
            found.append(setting)
    return tuple(found)


def _find_mutant(
    path: Path, declarations: tuple[Declaration, ...], name: str, sources: dict[str, str]
) -> tuple[MutantDeclaration, tuple[Declaration, ...]] | None:
    """The mutant, from the file itself or from ``mutants/NAME.spec``, and what else that file declares."""
    for declaration in declarations:
        if isinstance(declaration, MutantDeclaration) and declaration.name == name:
            return declaration, ()
    beside = path.parent / "mutants" / f"{name}.spec"
    if name in _mutants(path, declarations) and beside.is_file():
        sources[str(beside)] = read_source(beside)
        parsed, syntax = _parse(sources[str(beside)], str(beside))
        _raise_errors(syntax, sources)
        others = tuple(d for d in parsed.declarations if not isinstance(d, MutantDeclaration))
        for declaration in parsed.declarations:
            if isinstance(declaration, MutantDeclaration) and declaration.name == name:
                return declaration, others
    base = base_of(path, declarations)
    if base is not None:  # what plants a bug in the one plants it in the other; its models are not of this spec
        sources[str(base)] = read_source(base)
        found = _find_mutant(base, _parse(sources[str(base)], str(base))[0].declarations, name, sources)
        if found is None:
            return None
        breaks = tuple(replace(broken, model=None) for broken in found[0].breaks)
        return replace(found[0], breaks=breaks), tuple(d for d in found[1] if not isinstance(d, OF_A_MODEL))
    return None


def _names_of_mutants(path: Path, declarations: tuple[Declaration, ...]) -> list[str]:
    """The spec's own, then those of what it extends, which are planted in it, too."""
    names = list(_mutants(path, declarations))
    base = base_of(path, declarations)
    if base is None:
        return names
    return names + _names_of_mutants(base, _parse(read_source(base), str(base))[0].declarations)


def mutants_of(path: Path | str) -> tuple[MutantDeclaration, ...]:
    """The mutants that :func:`load_system` can apply. Raises SourceError if the spec cannot be read."""
    path = Path(path)
    return tuple(_mutants(path, _parse(read_source(path), str(path))[0].declarations).values())


def _mutants(path: Path, declarations: tuple[Declaration, ...]) -> dict[str, MutantDeclaration]:
    """The file's own mutants by name, then those of the folder beside it that are of this spec."""
    found = {d.name: d for d in declarations if isinstance(d, MutantDeclaration) and d.of == path.stem}
    for beside in sorted((path.parent / "mutants").glob("*.spec")):
        try:
            parsed = _parse(read_source(beside), str(beside))[0].declarations
        except SourceError:
            continue
        own = [d for d in parsed if isinstance(d, MutantDeclaration) and d.of == path.stem]
        found |= {d.name: d for d in own if d.name == beside.stem}
    return found
