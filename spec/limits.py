"""What a budget forbids and what a bound or a constraint cuts."""

from __future__ import annotations

from spec import network as net
from spec.expressions import Compiled, Frame
from spec.state import Label, State
from spec.system import System
from spec.values import Cut, NotEnabled


class Limits:
    """The budgets, bounds and constraints of one system."""

    def __init__(self, system: System, constraints: tuple[tuple[str, Compiled], ...]) -> None:
        self.system, self._constraints = system, constraints
        budgets = system.bounds.budgets
        self._budgets = {rule: (position, limit) for position, (rule, limit) in enumerate(budgets.items())}

    def spent(self, state: State, label: Label) -> tuple[int, ...]:
        """The budgets after the label. Raises NotEnabled if its own is used up."""
        if label.rule not in self._budgets:
            return state.budgets
        position, limit = self._budgets[label.rule]
        if state.budgets[position] >= limit:
            raise NotEnabled(f"its budget of {limit} is used up")
        return (*state.budgets[:position], state.budgets[position] + 1, *state.budgets[position + 1 :])

    def check_sent(self, after: State) -> None:
        """The bounds that are checked at the end of a transition that sends (or duplicates)."""
        bounds = self.system.bounds
        kind = self.system.network.kind
        waiting = [message for outbox in after.outbox for message in outbox]
        if bounds.in_flight is not None and net.size(kind, after.network) + len(waiting) > bounds.in_flight:
            raise Cut(f"max_in_flight = {bounds.in_flight}")
        if bounds.copies is not None and net.copies(kind, after.network, waiting) > bounds.copies:
            raise Cut(f"max_copies = {bounds.copies}")

    def check_target(self, after: State) -> None:
        """The bounds that any transition's target must keep."""
        bounds = self.system.bounds
        if bounds.pending is not None and any(len(pending) > bounds.pending for pending in after.pending):
            raise Cut(f"max_pending = {bounds.pending}")
        if self._constraints:
            frame = Frame(after)
            for name, holds in self._constraints:
                if not holds(frame):
                    raise Cut(f"constraint {name}")
