"""From a system to machine code: emit LLVM IR, optimise, load; the object is cached by the content of the IR."""

from __future__ import annotations

import ctypes
import hashlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checker.explicit.cache import cache_folder, read, remembered_capacity, write
from checker.explicit.context import COUNTERS
from checker.explicit.emit_checks import CheckedModule
from checker.explicit.emit_macros import macro_functions, most_macro_labels
from checker.explicit.emit_properties import emit_properties
from checker.explicit.emit_search import SearchCode
from checker.explicit.emit_sorted import SortedCode
from checker.explicit.emit_successors import emit_successors
from checker.explicit.emit_symmetry import SymmetryCode
from checker.explicit.emit_transitions import Transitions, label_kinds
from checker.explicit.errors import BrokenCode, NotEncodable
from checker.explicit.every_order import in_every_order
from checker.explicit.layout import Capacity, Layout
from checker.explicit.llvm import VERSION, binding, ir
from checker.explicit.shapes import count, shape_of
from checker.explicit.symmetry import NONE, Symmetry
from spec.grains import alone
from spec.system import Grain, System

MOST_SUCCESSORS = 1 << 20
"""There is room for all successors of one state."""

CHECKED_VARIABLE = "RAFTPROOF_CHECKED_BUILD"
"""The environment variable that, if not empty, asks for the bounds-checked debug build."""

_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64


@dataclass(slots=True)
class Compiled:
    """The functions of one system. ``cuts``: bounds by their number. ``seconds``: emission, optimisation, loading."""

    layout: Layout
    most: int
    cuts: tuple[str, ...]
    kinds: tuple[str, ...]  # the rule of each label kind
    fingerprints: bool
    cached: bool
    seconds: dict[str, float]
    key: str = ""  # tells this code from any other
    capacity_path: Path | None = None
    functions: dict[str, Any] = field(default_factory=dict)
    engine: Any = None

    def __getattr__(self, name: str) -> Any:
        return self.functions[name]

    @property
    def context_words(self) -> int:
        return COUNTERS + len(self.cuts)


_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "expand": (_NUMBER, (_POINTER,)),
    "check": (_NUMBER, (_POINTER,)),
    "absorb": (None, (_POINTER, _POINTER, _NUMBER)),
    "rehash": (None, (_POINTER, _POINTER, _NUMBER)),
    "recall": (None, (_POINTER, _NUMBER, _NUMBER)),
    "itemise": (None, (_POINTER, _NUMBER, _POINTER)),
    "histogram": (None, (_POINTER, _NUMBER, _NUMBER, _POINTER)),
    "scatter": (None, (_POINTER, _NUMBER, _NUMBER, _POINTER, _POINTER, _NUMBER)),
    "sift": (_NUMBER, (_POINTER, _NUMBER, _POINTER, _NUMBER)),
    "merge": (_NUMBER, (_POINTER, _NUMBER, _POINTER, _NUMBER)),
    "gather": (_NUMBER, (_POINTER, _NUMBER, _POINTER, _NUMBER, _POINTER, _POINTER, _POINTER)),
    "hash_of": (_NUMBER, (_POINTER,)),
    "fire_all": (_NUMBER, (_POINTER, _POINTER)),
    "see_invariants": (_NUMBER, (_POINTER,)),
    "see_goals": (_NUMBER, (_POINTER, _NUMBER)),
    "see_action_invariants": (_NUMBER, (_POINTER, _POINTER, _NUMBER)),
    "make_canonical": (None, (_POINTER,)),
}


def most_successors(layout: Layout) -> int:
    """How many labels a state can have at most."""
    system, total, single = layout.system, 0, alone(layout.system)
    for rule in system.rules:
        choices = 1
        for parameter in rule.parameters:
            choices *= count(shape_of(parameter.sort))
        actors = 1 if rule.kind is None else len(system.kind(rule.kind).sort.elements)
        if rule.name in single:
            total += layout.slots if rule.message is not None else actors * choices
    for kind in layout.kinds.values():
        total += kind.size * (3 + len(kind.records))  # flush, restart, crash with every keep
    total += 2 * layout.slots
    if system.grain is Grain.MACRO:
        total += sum(most_macro_labels(system, macro, layout) for macro in system.macros)
    if total > MOST_SUCCESSORS:
        raise NotEncodable(f"a state may have {total:,} successors (at most {MOST_SUCCESSORS:,})")
    return max(1, total)


def emit(
    layout: Layout, symmetry: Symmetry = NONE, *, fingerprints: bool = False, checked: bool = False
) -> tuple[str, Transitions]:
    """The IR as text. States are stored up to this symmetry."""
    module = CheckedModule("system") if checked else ir.Module("system")
    transitions = Transitions(module, layout, most_successors(layout), every_order=bool(symmetry))
    transitions.emit()
    emit_properties(module, transitions)
    emit_successors(transitions, macro_functions(transitions))
    if symmetry:
        SymmetryCode(module, layout, transitions.pool, symmetry).emit()
    SearchCode(module, layout, transitions.most, fingerprints).emit()
    SortedCode(module, layout.words).emit()
    if isinstance(module, CheckedModule):
        module.context_words.initializer = ir.Constant(ir.IntType(64), COUNTERS + len(transitions.cuts.numbers))
    return str(module), transitions


def compiled(
    system: System,
    capacity: Capacity | None = None,
    cache: Path | None = None,
    symmetry: Symmetry = NONE,
    *,
    fingerprints: bool = False,
    checked: bool | None = None,
) -> Compiled:
    """The system's machine code, from the cache if it is there. Without a ``capacity`` its states get the room that an
    earlier search needed. ``fingerprints``: states are told apart by their hashes. ``checked``: the debug build, whose
    functions raise BrokenCode; by default if the environment asks for it. Raises NotEncodable."""
    system = in_every_order(system) if symmetry else system
    checked = bool(os.environ.get(CHECKED_VARIABLE)) if checked is None else checked
    started = time.monotonic()
    level = 0 if checked else 2  # the debug build is compiled quickly, and as it was written
    machine, target = _machine(level)
    folder = cache_folder() if cache is None else cache
    layout = Layout(system, capacity)
    text, transitions = emit(layout, symmetry, fingerprints=fingerprints, checked=checked)
    key = _key(text, machine)
    path = None if folder is None else folder / f"{key}.o"
    capacity_path = None if path is None else path.with_suffix(".room")
    needed = remembered_capacity(capacity_path) if capacity is None and capacity_path is not None else None
    if needed is not None and folder is not None:
        layout = Layout(system, needed)
        text, transitions = emit(layout, symmetry, fingerprints=fingerprints, checked=checked)
        key = _key(text, machine)
        path = folder / f"{key}.o"
    emitted = time.monotonic()
    found = read(path)
    code = _optimised(text, machine, target, level) if found is None else found
    built = time.monotonic()
    engine = _load(code, target)
    if found is None and path is not None:
        write(path, code)
    functions: dict[str, Any] = {"compare_items": engine.get_function_address("compare_items")}
    for name, (result, arguments) in _SIGNATURES.items():
        functions[name] = ctypes.CFUNCTYPE(result, *arguments)(engine.get_function_address(name))
    if checked:
        take_fault = ctypes.CFUNCTYPE(_NUMBER)(engine.get_function_address("take_fault"))
        faults = transitions.module.names
        functions = {n: _watched(f, take_fault, faults) if callable(f) else f for n, f in functions.items()}
    seconds = {"emit": emitted - started, "build": built - emitted, "load": time.monotonic() - built}
    cuts, kinds = tuple(transitions.cuts.numbers), label_kinds(system)
    cached, most = found is not None, transitions.most
    return Compiled(layout, most, cuts, kinds, fingerprints, cached, seconds, key, capacity_path, functions, engine)


def _watched(function: Any, take_fault: Any, names: list[str]) -> Any:
    """The function, which raises BrokenCode after a check in it has failed."""

    def call(*arguments: Any) -> Any:
        result = function(*arguments)
        fault = take_fault()
        if fault:
            raise BrokenCode(f"defect of the emitted code: {names[fault - 1]}")
        return result

    return call


def _machine(level: int) -> tuple[Any, Any]:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple()
    features = binding.get_host_cpu_features().flatten()
    machine = target.create_target_machine(
        cpu=binding.get_host_cpu_name(), features=features, opt=level, reloc="pic", codemodel="jitdefault"
    )
    return machine, target


def _key(text: str, machine: Any) -> str:
    parts = (
        VERSION,
        binding.get_default_triple(),
        binding.get_host_cpu_name(),
        binding.get_host_cpu_features().flatten(),
        text,
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _optimised(text: str, machine: Any, target: Any, level: int) -> bytes:
    module = binding.parse_assembly(text)
    module.triple = binding.get_default_triple()
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = False
    options.slp_vectorization = False
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


def _load(code: bytes, target: Any) -> Any:
    empty = binding.parse_assembly("")
    empty.triple = binding.get_default_triple()
    engine = binding.create_mcjit_compiler(empty, target.create_target_machine(codemodel="jitdefault"))
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine
