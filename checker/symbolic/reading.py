"""Reads one symbolic state in many models: equal parts are built once."""

from __future__ import annotations

from checker.symbolic.decode import read_state
from checker.symbolic.layout import ReadBit
from checker.symbolic.state import Shape, SymbolicState
from spec.state import State


class StateReader:
    def __init__(self, shape: Shape, state: SymbolicState) -> None:
        self.shape = shape
        self.state = state

    def __call__(self, bit: ReadBit) -> State:
        return read_state(self.shape, self.state, bit)
