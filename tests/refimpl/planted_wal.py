"""Known bugs of write-ahead logs, each planted in a copy of refimpl/wal.py and refimpl/segments.py.

The copy is a module of its own, made of the real text with one passage replaced; the passage has to be there once, so
that no bug is planted in vain after the text has changed.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType

from refimpl import segments, wal


class Plant:
    """In the text of a module: passages, each with what takes its place."""

    def __init__(self, module: ModuleType, *changes: tuple[str, str]) -> None:
        self.module = module
        self.changes = changes

    def planted(self, text: str) -> str:
        for before, after in self.changes:
            assert text.count(before) == 1, f"{before!r} is there {text.count(before)} times"
            text = text.replace(before, after)
        return text


PLANTS = {
    # The rows of the list of known bugs.
    "wal-torn-tail-fatal": Plant(segments, ("if later is not None:", "if True:")),
    "wal-truncates-at-any-bad-checksum": Plant(segments, ("if later is not None:", "if False:")),
    "wal-stale-tail": Plant(wal, ("        if base > log.end:\n", "        if False:\n")),
    "wal-no-directory-fsync": Plant(wal, ("            if self._names_changed:\n", "            if False:\n")),
    "wal-write-after-failed-write": Plant(wal, ("self._poisoned = True  # a part", "pass  # a part")),
    "fsync-error-retried": Plant(wal, ("self._poisoned = True  # a second", "pass  # a second")),
    # A mark in a file of its own, whose name says it, on disk before the entries are.
    "commit-mark-ahead-of-entry": Plant(
        wal,
        (
            "        frame = encode_frame(",
            "        _keep_mark(self._directory, record.commit_index)\n        frame = encode_frame(",
        ),
        ("    state = replay(log)\n", "    state = _with_mark(directory, replay(log))\n"),
        ("class Wal:\n", """
def _keep_mark(directory, mark):
    if mark is not None and f"mark {mark:09}" not in directory.names():
        directory.create(f"mark {mark:09}")
        directory.sync_names()


def _with_mark(directory, state):
    marks = [int(name[5:]) for name in directory.names() if name.startswith("mark")]
    return Durable(state.current_term, state.voted_for, state.log, max([state.commit_index, *marks]))


class Wal:
"""),
    ),
    # Others of the same families, made possible by this log's own design.
    "torn bytes are copied with the whole frames": Plant(
        wal, ("segment_name(base), end - base)", "segment_name(base), 1 << 30 if log.bases else 0)")
    ),
    "a recovery believes what the page cache shows": Plant(
        wal, ("if end > log.synced_through or base == kept[-1]:", "if log.torn is not None or not log.bases:")
    ),
    "a recovery flushes no names": Plant(wal, ("    directory.sync_names()\n    return", "    return")),
    "a recovery does not flush what it copies": Plant(wal, ("    directory.sync(name + TEMPORARY)\n", "")),
    "only the last segment is flushed": Plant(
        wal, ("for name in self._unflushed_files:", "for name in self._unflushed_files[-1:]:")
    ),
    "a lost segment is passed over": Plant(
        segments,
        (
            "                self.torn = Torn(self.bases[number - 1], self.end - self.bases[number - 1])\n",
            "                self.end = base\n                yield from self._frames_of(base, ())\n",
        ),
    ),
}


def planted(bug: str) -> wal.Recover:
    """The `recover` of the copy."""
    plant = PLANTS[bug]
    copies = {}
    for original in (segments, wal):
        text = inspect.getsource(original)
        if original is plant.module:
            text = plant.planted(text)
        name = f"planted_{original.__name__.replace('.', '_')}"
        text = text.replace("from refimpl.segments import", "from planted_refimpl_segments import")
        copies[name] = sys.modules[name] = ModuleType(name)
        exec(compile(text, f"{original.__file__} with {bug}", "exec"), copies[name].__dict__)
    recover: wal.Recover = copies["planted_refimpl_wal"].recover
    return recover
