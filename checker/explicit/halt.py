"""How the threads of a search are told to end: long work is done in pieces, and looks between them."""

from __future__ import annotations


class Halted(Exception):
    """The search is over; nobody waits for what this thread would find."""


class Halt:
    """Of one search. It is asked for by the thread that watches the clock and the keyboard."""

    def __init__(self) -> None:
        self.asked = False

    def look(self) -> None:
        """Raises Halted."""
        if self.asked:
            raise Halted
