"""A model's settings: what the constants are, how storage works, and how far the exploration goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from spec.resolve import MODEL_KEYS, Declarations
from spec.syntax import (
    Boolean,
    ConstDeclaration,
    Expression,
    Infix,
    ModelDeclaration,
    Name,
    Number,
    Prefix,
    SetDisplay,
    Setting,
)
from spec.system import Bounds, Place, StorageMode
from spec.type_environment import ConstantValue
from spec.type_report import Report, did_you_mean, listed

_BOUNDS = tuple(key for key in MODEL_KEYS if key.startswith("max_"))


@dataclass(frozen=True, slots=True)
class Binding:
    """``foreign``: elements that only other models have. ``start``: the setting, if there is one."""

    constants: Mapping[str, ConstantValue]
    storage: StorageMode
    bounds: Bounds
    start: Setting | None
    foreign: frozenset[str]


def bind(declarations: Declarations, model: ModelDeclaration, overrides: Iterable[Setting], report: Report) -> Binding:
    """The model's settings, with overrides; reports S5xx."""
    return _Binder(declarations, model, report).run(tuple(overrides))


def dummy_model(declarations: Declarations) -> ModelDeclaration:
    """What a file without a model is checked under: three elements for each set, 2 for each int."""
    place = Place("", 1, 1)
    settings = []
    for name, constant in declarations.constants.items():
        value: Expression = Number(2, place)
        if constant.kind == "set":
            value = SetDisplay(tuple(Name(f"{name.lower()}_{i}", place) for i in (1, 2, 3)), place)
        elif constant.kind == "bool":
            value = Boolean(True, place)
        settings.append(Setting(name, value, place))
    return ModelDeclaration("", tuple(settings), (), (), place)


def parse_override(name: str, text: str, place: Place, report: Report) -> Setting | None:
    """``--set NAME=VALUE``: an int, a set of names, true or false, or a name."""
    text = text.strip()
    value: Expression
    if text.lstrip("-").isdecimal() and text.count("-") <= 1:
        value = Number(int(text), place)
    elif text in ("true", "false"):
        value = Boolean(text == "true", place)
    elif text.startswith("{") and text.endswith("}"):
        words = [word.strip() for word in text[1:-1].split(",") if word.strip()]
        if not all(word.isidentifier() for word in words):
            report.error("S503", place, f"`{text}` is not a set of names", "write `{s1, s2}`")
            return None
        value = SetDisplay(tuple(Name(word, place) for word in words), place)
    elif text.isidentifier():
        value = Name(text, place)
    else:
        hint = "write an int, `{s1, s2}`, true, false, or a name"
        report.error("S503", place, f"`{text}` is not a value of `{name}`", hint)
        return None
    return Setting(name, value, place)


@dataclass(slots=True)
class _Binder:
    declarations: Declarations
    model: ModelDeclaration
    report: Report
    constants: dict[str, ConstantValue] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)  # element → set constant

    def run(self, overrides: tuple[Setting, ...]) -> Binding:
        settings = self.settings(overrides)
        for name, constant in self.declarations.constants.items():
            if name in settings:
                self.constant(constant, settings[name])
            else:
                forms = {"set": "{a, b}", "int": "1", "bool": "true"}
                message = f"the model `{self.model.name}` does not set the constant `{name}`"
                self.report.error("S501", self.model.place, message, f"write `{name} = {forms[constant.kind]}`")
        # What is missing or wrong is made up, so that all the rest is still checked.
        for setting in dummy_model(self.declarations).settings:
            if setting.name not in self.constants:
                self.constant(self.declarations.constants[setting.name], setting)
        found = {key: self.bound(settings[key]) for key in _BOUNDS if key in settings}
        bounds = Bounds(
            crashes=found.get("max_crashes") or 0,
            **{key.removeprefix("max_"): value for key, value in found.items() if key != "max_crashes"},
        )
        return Binding(
            self.constants, self.storage(settings.get("storage")), bounds, settings.get("start"), self.foreign()
        )

    def settings(self, overrides: tuple[Setting, ...]) -> dict[str, Setting]:
        found: dict[str, Setting] = {}
        for setting in self.model.settings:
            if setting.name in found:
                hint = f"it is set first at {found[setting.name].place}"
                self.report.error("S512", setting.place, f"`{setting.name}` is set twice", hint)
            found.setdefault(setting.name, setting)
        found |= {setting.name: setting for setting in overrides}
        known = (*self.declarations.constants, *MODEL_KEYS)
        for setting in found.values():
            if setting.name not in known:
                constants = listed(self.declarations.constants, "no constants")
                message = f"`{setting.name}` is no constant and no setting; the constants are {constants}"
                hint = did_you_mean(setting.name, known, f"the settings are {listed(MODEL_KEYS)}")
                self.report.error("S502", setting.place, message, hint)
        return found

    def constant(self, constant: ConstDeclaration, setting: Setting) -> None:
        name, value = constant.name, setting.value
        if constant.kind == "set":
            if not isinstance(value, SetDisplay) or not all(isinstance(e, Name) for e in value.elements):
                self.wrong(setting, "a set of new names", f"{name} = {{a, b, c}}")
                return
            if not value.elements:  # a variable of its type could have no value, and whatever is said of all holds
                message = f"`{name}` is empty; a set has at least one element, so that its type has a value"
                hint = f"write `{name} = {{a}}`, and `forbid` what nobody is to do"
                self.report.error("S503", value.place, message, hint)
                return
            self.constants[name] = self.new_elements(name, [e for e in value.elements if isinstance(e, Name)])
        elif constant.kind == "bool":
            if isinstance(value, Boolean):
                self.constants[name] = value.value
            else:
                self.wrong(setting, "true or false", f"{name} = true")
        else:
            number = self.number(value)
            if number is None:
                self.wrong(setting, "an int", f"{name} = 3")
            else:
                self.constants[name] = number

    def new_elements(self, name: str, elements: list[Name]) -> tuple[str, ...]:
        known = dict.fromkeys(key for _, key in self.declarations.variables)
        known |= dict.fromkeys(
            (*self.declarations.constants, *self.declarations.enum_of, *self.declarations.type_names)
        )
        for element in elements:
            if element.name in known:
                message = f"`{element.name}` is declared in the spec and cannot be an element of {name}"
                self.report.error("S504", element.place, message, "choose another name")
            elif element.name in self.owners:
                owner = self.owners[element.name]
                message = f"`{element.name}` is an element of {owner} already; an element is in one set, once"
                self.report.error("S504", element.place, message, "choose another name")
            self.owners.setdefault(element.name, name)
        return tuple(dict.fromkeys(element.name for element in elements))

    def bound(self, setting: Setting) -> int | None:
        number = self.number(setting.value)
        if number is None or number < 0:
            self.wrong(setting, "an int, 0 or more", f"{setting.name} = 1")
            return None
        return number

    def storage(self, setting: Setting | None) -> StorageMode:
        if setting is None:
            return StorageMode.BUFFERED
        modes = {mode.value: mode for mode in StorageMode}
        if isinstance(setting.value, Name) and setting.value.name in modes:
            return modes[setting.value.name]
        self.wrong(setting, "buffered or atomic", "storage = buffered")
        return StorageMode.ATOMIC

    def number(self, node: Expression) -> int | None:
        """The value of an int expression of literals and of constants set before; ``None`` if it is none."""
        match node:
            case Number(value):
                return value
            case Name(name):
                constant = self.constants.get(name)
                return constant if isinstance(constant, int) and not isinstance(constant, bool) else None
            case Prefix("-", of):
                inner = self.number(of)
                return None if inner is None else -inner
            case Infix(operator, left, right):
                first, second = self.number(left), self.number(right)
                if first is None or second is None:
                    return None
                match operator:
                    case "+":
                        return first + second
                    case "-":
                        return first - second
                    case "*":
                        return first * second
        return None

    def wrong(self, setting: Setting, wanted: str, example: str) -> None:
        place = setting.value.place
        self.report.error("S503", place, f"`{setting.name}` is {wanted}; this is not", f"write `{example}`")

    def foreign(self) -> frozenset[str]:
        """Elements of the file's models, this one's own settings included, that are not elements now."""
        names = set()
        for model in (self.model, *self.declarations.models.values()):
            for setting in model.settings:
                if isinstance(setting.value, SetDisplay):
                    names |= {element.name for element in setting.value.elements if isinstance(element, Name)}
        return frozenset(names - set(self.owners))
