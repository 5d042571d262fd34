"""A run: round after round, each a fresh cluster in weather of its own, then calm, in which it has to converge.

Rounds keep a run's cost in proportion to its steps, since a log only grows, and they try many kinds of weather. A round
depends on the seed and its number only, so a violation is seen again without the rounds before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from refimpl.faults import Fault
from refimpl.simulation.clock import SECOND
from refimpl.simulation.cluster import Cluster
from refimpl.simulation.properties import CheckersDisagree, Property, PropertyViolated
from refimpl.simulation.seen import Seen, Tally
from refimpl.simulation.weather import Misfortune, drawn

ROUND_STEPS = 3_000
FULL_CHECK_EVERY = 1_000
PROGRESS_EVERY = 250
CALM = 20 * SECOND
"""How long a quiet cluster may take to converge, in virtual time: some hundred election timeouts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run. `round_steps`: how many steps of a round things go wrong; `only_round`: run just that one."""

    seed: int
    steps: int
    servers: int | None = None
    broken: frozenset[Fault] = frozenset()
    without: frozenset[Misfortune] = frozenset()
    round_steps: int = ROUND_STEPS
    only_round: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A broken promise: in which round, at which step of it, and the last steps in words. `stormy_steps` is how many
    steps had gone wrong before the round was left in peace.
    """

    error: PropertyViolated | CheckersDisagree
    round_number: int
    step: int
    stormy_steps: int
    last: tuple[str, ...]

    @property
    def property(self) -> Property:
        return self.error.property


@dataclass(slots=True)
class Run:
    """How far a run is. `failure` ends it."""

    plan: Plan
    steps: int = 0
    rounds: int = 0
    tally: Tally = field(default_factory=Tally)
    failure: Failure | None = None
    hash: str = ""
    """Of all rounds so far: two runs of one plan have the same, on whatever machine and Python."""

    def go(self, progress: Callable[[int], None] = lambda steps: None) -> Run:
        """Run to the end or to a broken promise. `progress` is told the number of steps now and then."""
        plan = self.plan
        while self.failure is None and self.steps < plan.steps and (plan.only_round is None or not self.rounds):
            number = self.rounds if plan.only_round is None else plan.only_round
            self._round(number, min(plan.round_steps, plan.steps - self.steps), progress)
            self.rounds += 1
        return self

    def _round(self, number: int, stormy_steps: int, progress: Callable[[int], None]) -> None:
        plan = self.plan
        weather = drawn(plan.seed, number, plan.servers, plan.without)
        cluster = Cluster(plan.seed, number, weather, plan.broken, self.tally)
        steps_before = self.steps

        def stepped() -> None:
            self.steps = steps_before + cluster.steps
            if cluster.steps % PROGRESS_EVERY == 0:
                progress(self.steps)

        try:
            live(cluster, stormy_steps, stepped)
        except (PropertyViolated, CheckersDisagree) as error:
            self.failure = Failure(error, number, cluster.steps, stormy_steps, tuple(cluster.recorder.last))
        self.steps = steps_before + cluster.steps
        self.hash = hashlib.blake2b((self.hash + cluster.hash()).encode(), digest_size=16).hexdigest()


def live(cluster: Cluster, stormy_steps: int, stepped: Callable[[], None] = lambda: None) -> None:
    """Let the cluster live through its weather for so many steps and then come to rest. `stepped` is called after each
    step. Raises PropertyViolated, CheckersDisagree."""

    def step() -> None:
        cluster.step()
        if cluster.steps % FULL_CHECK_EVERY == 0:
            cluster.check()
        stepped()

    while cluster.steps < stormy_steps:
        step()
    cluster.calm_down()
    deadline = cluster.clock.now + CALM
    while reason := cluster.unsettled():
        if cluster.clock.now > deadline:
            raise PropertyViolated(Property.CONVERGENCE, f"after {CALM // SECOND} s of calm, {reason}")
        step()
    cluster.check()
    cluster.tally[Seen.CONVERGED] += 1
