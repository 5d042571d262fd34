"""The seed's flaw, shown: the shortest run in which its literal rule loses a write that was answered.

"Elected by a majority, so a majority has the entry, so it may commit it" is the mutant new-leader-auto-commits. The
run is found by the symbolic engine from the mutant's own model, then replayed twice: on an implementation that has
the same rule, which must lose the write just so, and on the correct one, which must refuse at the election.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from checker.checking import Checked, check
from checker.implementation import Implementation
from checker.question import ask
from checker.searching import Search
from checker.tracing import Tracer
from checker.verdict import Exit, Stop
from traces.raft import TABLE
from traces.replay import Divergence, Replayed, replay
from traces.trace import Trace

MUTANT = "new-leader-auto-commits"
PROPERTY = "answered_write_is_never_lost"


@dataclass(frozen=True, slots=True)
class Flaw:
    """``on_correct``: the replay on the unbroken target. ``on_broken``: on the target with the same rule; a str says
    why it could not be asked (the target has no such fault)."""

    checked: Checked
    trace: Trace | None
    on_correct: Replayed | Divergence | None
    on_broken: Replayed | Divergence | str | None
    command: str

    @property
    def code(self) -> Exit:
        if self.trace is None:
            return self.checked.code if self.checked.code is not Exit.HOLDS else Exit.MUTANT_SURVIVED
        if not self.refused or isinstance(self.on_broken, Divergence):
            return Exit.DIVERGES
        return Exit.HOLDS

    @property
    def refused(self) -> bool:
        """The correct target parts from the trace just where the new leader commits: within the script, which ends with
        that election, and in a commit index."""
        at = self.on_correct
        return isinstance(at, Divergence) and at.step <= self.checked.prefix and at.path.endswith(".commit_index")

    @property
    def shown_on_broken(self) -> bool:
        """The broken target followed the trace to the end, and its logs were seen."""
        return isinstance(self.on_broken, Replayed) and "log" not in self.on_broken.unobserved


def show_flaw(target: Implementation, timeout: float | None, max_steps: int | None) -> Flaw:
    """Finds and replays the counterexample."""
    question = ask(None, mutant=MUTANT, only=PROPERTY)
    command = question.command("check", "--engine", "symbolic")
    checked = check(question, "symbolic", Search(max_steps=max_steps, timeout=timeout))
    if checked.labels is None:
        return Flaw(checked, None, None, None, command)
    trace = Tracer(question.evaluator).trace(checked.labels, {"property": PROPERTY, "command": command})
    with target.opened() as correct:
        on_correct = replay(trace, correct, TABLE)
    on_broken: Replayed | Divergence | str
    try:
        with replace(target, faults=(MUTANT,)).opened() as broken:
            on_broken = replay(trace, broken, TABLE)
    except Stop as error:
        on_broken = f"target {target.name} has no switch for this fault: {error}"
    return Flaw(checked, trace, on_correct, on_broken, command)
