"""A worker of the native search as both sides know it: the words that it consists of, and what its functions return."""

from __future__ import annotations

from enum import IntEnum

NO_PARENT = (1 << 32) - 1
BATCH = 64
"""So many successors are generated before any of them is stored."""


def batch_room(most: int) -> int:
    """How many records the buffer holds: all successors of one more state always fit."""
    return BATCH + most


class Word(IntEnum):
    """The words of a worker."""

    STATES = 0  # pointer to the store
    COUNT = 1  # states in it
    ROOM = 2  # how many it has room for
    TABLE = 3
    MASK = 4  # the table's size - 1
    PARENTS = 5  # pointer to u32: parent's index * workers + its owner
    CURSOR = 6  # next state to expand or to check
    END = 7  # where the level ends
    BUFFER = 8  # pointer to room for ``batch_room`` records: a label and a state
    CONTEXT = 9
    GENERATED = 10
    TAKEN = 11  # pointer to counts by label kind
    DEADLOCK = 12  # first state without any label, or -1
    ME = 13
    WORKERS = 14
    BOXES = 15  # pointer to a pointer and a number of records for each worker
    BOX_ROOM = 16
    BROKEN = 17  # mask of the action invariants that the first violating step breaks, 0, or -1: an error
    BROKEN_AT = 18  # the state that the step leaves
    BROKEN_LABEL = 19
    HEEDED = 20  # the action invariants to look at (all are evaluated)
    QUANTUM = 21  # how many states to do before returning
    INVARIANTS = 22  # those to look at
    GOALS = 23  # those not yet reached
    FOUND = 24  # by ``check``: mask of broken invariants or reached goals
    HASHES = 25  # pointer to room for the hash and the parent of each record in the buffer
    LEVEL = 26  # pointer to where state 0 would be, for those from CURSOR to END
    FINGERPRINTS = 27  # pointer to the hashes of all states, if these alone are compared
    FEWEST = 28  # labels out of one state
    MOST = 29
    RETURN_IF_BROKEN = 30  # from ``expand``, after the state from which a step breaks an action invariant


class Returned(IntEnum):
    DONE = 0
    QUANTUM = 1
    ERROR = 2  # the evaluation failed; in ``expand`` the context has the label
    NEEDS_ROOM = 3
    BOX_FULL = 4
    INVARIANT = 5
    GOAL = 6
    BROKEN = 7
    OVERFLOW = 16  # plus the capacity's number
