"""Which implementation a command replays on: the words that name it, and the target, open while it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from checker.verdict import Exit, Stop
from traces.errors import TargetNotFound
from traces.target import Target, close_target, open_target

DEFAULT = "refimpl"


@dataclass(frozen=True, slots=True)
class Implementation:
    """A target by its name. ``faults``: the rules to break first; ``disk``: how it loses what was not flushed, in the
    target's own words (None: as it does by default)."""

    name: str = DEFAULT
    faults: tuple[str, ...] = ()
    disk: str | None = None

    def words(self) -> list[str]:
        """The options that name it again."""
        words = ["--target", self.name] if self.name != DEFAULT else []
        words += ["--disk", self.disk] if self.disk is not None else []
        return words + [word for fault in self.faults for word in ("--break", fault)]

    @contextmanager
    def opened(self) -> Iterator[Target]:
        """The target; what it holds (processes, files) ends with the block. Raises Stop, whatever the target's own code
        raises: it is not ours."""
        target = self._open()
        try:
            yield target
        finally:
            close_target(target)

    def _open(self) -> Target:
        options = {} if self.disk is None else {"disk": self.disk}
        try:
            return open_target(self.name, frozenset(self.faults), options)
        except TargetNotFound as error:
            raise Stop(Exit.USAGE, str(error)) from error
        except (Exception, SystemExit) as error:
            raise Stop(
                Exit.USAGE, f"the target {self.name!r} cannot be opened: {type(error).__name__}: {error}"
            ) from error
