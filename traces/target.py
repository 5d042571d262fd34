"""What a replay drives: the Target protocol, and how an implementation is found by its name.

An implementation plugs in through the entry-point group ``raftproof.targets``: a name, and a factory
``create(broken=frozenset()) -> Target``. ``package.module:create`` is accepted in place of an installed name. A factory
may take more options by name (``disk``). A target that holds processes or files has a method ``close``; one that tries
more than it is asked for, such as other ways in which a crash can lose the same, counts it in a method ``tally``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from traces.errors import TargetNotFound

GROUP = "raftproof.targets"

Plain: TypeAlias = dict[str, Any]
"""Messages and observations are plain dicts of bool, int, str, None, lists and dicts: any language can produce them.
A message: ``{"type": "AppendEntries", "source": …, "destination": …, "term": …, …}``."""


class Target(Protocol):
    """A cluster under the driver's control: time, the network and the disk's losses are the driver's.

    ``name`` is shown in reports. Where messages are returned, they are those that left for the network during the
    call, in order. A call that raises is an observation: it is reported as a divergence.
    """

    name: str

    def reset(self, servers: tuple[str, ...]) -> None:
        """A fresh cluster: all up, empty disks."""

    def campaign(self, server: str) -> list[Plain]:
        """The election timer fires."""

    def replicate(self, server: str, peer: str) -> list[Plain]:
        """The leader sends the peer what it lacks next, or a heartbeat."""

    def deliver(self, server: str, message: Plain) -> list[Plain]:
        """A message arrives."""

    def flush(self, server: str) -> list[Plain]:
        """What was written is now on disk; what waited for it is sent."""

    def apply(self, server: str) -> list[Plain]:
        """The state machine performs the next committed entry."""

    def answer(self, server: str) -> list[Plain]:
        """The next answer that is due goes to its client."""

    def crash(self, server: str, keep: int) -> None:
        """Power is lost: of the records written and not flushed, the first ``keep`` survive."""

    def restart(self, server: str) -> list[Plain]:
        """The server comes back with what its disk holds."""

    def observe(self, server: str) -> Plain:
        """What can be seen of the server, field by field; a field that cannot be seen is left out."""


METHODS = ("reset", "campaign", "replicate", "deliver", "flush", "apply", "answer", "crash", "restart", "observe")

Factory: TypeAlias = Callable[..., Target]

_NO_OPTIONS: Mapping[str, str] = {}


def open_target(
    name: str, broken: frozenset[str] = frozenset(), options: Mapping[str, str] = _NO_OPTIONS
) -> Target:
    """The implementation of that name, with these bugs switched on. ``options``: what else its factory is given; which
    there are is the factory's affair. Raises TargetNotFound."""
    factory = _imported(name) if ":" in name else _installed(name)
    _refuse_unknown(name, factory, options)
    try:
        target = factory(broken=broken, **options) if broken else factory(**options)
    except Exception as error:  # a factory is other people's code; what it says is for the user
        raise TargetNotFound(
            f"the target {name!r} cannot be made{f' with {sorted(broken)} broken' if broken else ''}: {error}",
            "what its factory takes",
            "correct --break and --disk, if they are given, or else the factory",
        ) from error
    missing = [method for method in METHODS if not callable(getattr(target, method, None))]
    if missing or not isinstance(getattr(target, "name", None), str):
        raise TargetNotFound(
            f"the target {name!r} is a {type(target).__name__} without {', '.join(missing) or 'a name'}",
            f"an object with a name and the methods {', '.join(METHODS)}",
            "see the Target protocol in traces/target.py",
        )
    return target


def close_target(target: Target) -> None:
    """Ends what the target holds, if it has anything to end. It can be used again: it begins anew then."""
    close = getattr(target, "close", None)
    if callable(close):
        close()


def tally_of(target: Target) -> dict[str, int]:
    """What the target has tried of its own accord since it was made: what → how often."""
    tally = getattr(target, "tally", None)
    return dict(tally()) if callable(tally) else {}


def _refuse_unknown(name: str, factory: Factory, options: Mapping[str, str]) -> None:
    """Told apart from a TypeError inside the factory, which is another fault."""
    try:
        parameters = signature(factory).parameters
    except (TypeError, ValueError):  # a factory written in C says nothing
        return
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    unknown = sorted(options.keys() - parameters.keys())
    if unknown:
        raise TargetNotFound(
            f"the target {name!r} has no option {', '.join(unknown)}",
            f"a target whose factory takes {', '.join(unknown)}",
            f"leave --{unknown[0]} away, or name a target that has it, such as --target processes",
        )


def installed_targets() -> tuple[str, ...]:
    """The names that :func:`open_target` knows."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def _installed(name: str) -> Factory:
    found = [entry for entry in entry_points(group=GROUP) if entry.name == name]
    if not found:
        raise TargetNotFound(
            f"no target named {name!r} is installed",
            ", ".join(installed_targets()) or "no target is installed; package.module:create",
            f"install the package that offers it in the entry-point group {GROUP} (here: pip install -e .)",
        )
    return _load(name, found[0].load)


def _imported(name: str) -> Factory:
    module, _, attribute = name.partition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # a user's own package, beside which the command was called
    return _load(name, lambda: getattr(import_module(module), attribute))


def _load(name: str, load: Callable[[], Factory]) -> Factory:
    try:
        return load()
    except (ImportError, AttributeError, ValueError) as error:
        raise TargetNotFound(
            f"the target {name!r} cannot be loaded: {type(error).__name__}: {error}",
            "a factory create(broken=frozenset()) that can be imported",
            "import it by hand to see where it fails",
        ) from error
