"""What a power cut can leave of operations that were not flushed.

Of a write every block may be on the disk or not, or only its first bytes, whatever the order in which blocks and files
were written. Of a creation, a rename or a removal the directory knows, or it does not. (Pillai et al., OSDI 2014: what
file systems do not promise.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from refimpl.simulated_directory import Appended, Operation

BLOCK = 512
"""Bytes; what a disk writes whole or not at all, if it keeps its promise. It is torn here all the same."""


class Crashes:
    """All of these crashes, numbered from 0 to `count` - 1, so that a number drawn at random is a crash.

    0 loses everything; `count` - 1 loses nothing.
    """

    def __init__(self, unflushed: tuple[Operation, ...], block: int = BLOCK) -> None:
        self._pieces = tuple(piece for operation in unflushed for piece in _pieces(operation, block))
        self._choices = tuple(len(piece.data) + 1 if isinstance(piece, Appended) else 2 for piece in self._pieces)
        self.count = prod(self._choices)

    def __getitem__(self, number: int) -> tuple[Operation, ...]:
        """What survives the crash of that number."""
        assert 0 <= number < self.count, f"crash {number} of {self.count}"
        survivors: list[Operation] = []
        for piece, choices in zip(self._pieces, self._choices, strict=True):
            number, choice = divmod(number, choices)
            if isinstance(piece, Appended):
                survivors.extend(part(piece, 0, choice))
            elif choice == 1:
                survivors.append(piece)
        return tuple(survivors)


@dataclass(frozen=True, slots=True)
class Placement:
    """A crash that leaves `survivors`. `where` tells a reader which it is."""

    survivors: tuple[Operation, ...]
    where: str


def placements(unflushed: tuple[Operation, ...], kept: int) -> Iterator[Placement]:
    """Crashes that keep the first `kept` unflushed bytes, which end a frame, and of what is behind them some, but not
    the first write whole. There is one, or more, for each byte of each lost write.
    """
    before, lost = _split(unflushed, kept)
    writes = [(place, operation) for place, operation in enumerate(lost) if isinstance(operation, Appended)]
    first = writes[0][0] if writes else None
    for number, (at, write) in enumerate(writes):
        earlier = tuple(one for place, one in enumerate(lost[:at]) if place != first)
        later = lost[at + 1 :]
        for byte in range(len(write.data)):
            where = f"byte {byte} of {len(write.data)} of lost write {number + 1} of {len(writes)}"
            torn = (*before, *earlier, *part(write, 0, byte))
            yield Placement(torn, f"{where}: what comes before it is there")
            if later:
                yield Placement((*torn, *later), f"{where}: all but what comes from there to its end is there")
            if byte > 0:
                rest = part(write, byte, len(write.data))
                yield Placement((*before, *earlier, *rest, *later), f"{where}: all but what comes before it there is")
    for at, operation in enumerate(lost):
        if not isinstance(operation, Appended):
            others = (*(one for place, one in enumerate(lost[:at]) if place != first), *lost[at + 1 :])
            yield Placement((*before, *others), f"{operation} was undone")


def part(write: Appended, first: int, last: int) -> tuple[Appended, ...]:
    """The write of its bytes from first to before last; no write if there are none."""
    if first == last:
        return ()
    return (Appended(write.file, write.offset + first, write.data[first:last]),)


def _pieces(operation: Operation, block: int) -> Iterator[Operation]:
    if not isinstance(operation, Appended):
        yield operation
        return
    at = 0
    while at < len(operation.data):
        end = min(len(operation.data), at + block - (operation.offset + at) % block)
        yield from part(operation, at, end)
        at = end


def _split(unflushed: tuple[Operation, ...], kept: int) -> tuple[tuple[Operation, ...], tuple[Operation, ...]]:
    """The operations up to the write that completes the first `kept` bytes, and the others."""
    for number, operation in enumerate(unflushed):
        if kept == 0:
            return unflushed[:number], unflushed[number:]
        if isinstance(operation, Appended):
            assert len(operation.data) <= kept, "what is kept ends where a write ends"
            kept -= len(operation.data)
    assert kept == 0, "no more is kept than there is"
    return unflushed, ()
