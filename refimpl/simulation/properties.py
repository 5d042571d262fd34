"""What must hold in a simulated cluster, and how it is said that it does not."""

from __future__ import annotations

from enum import Enum

from refimpl.errors import RefimplError


class Property(Enum):
    """One promise of the cluster; the value is its name in reports."""

    ELECTION_SAFETY = "election safety"
    LEADER_APPEND_ONLY = "leader append-only"
    LOG_MATCHING = "log matching"
    LEADER_COMPLETENESS = "leader completeness"
    STATE_MACHINE_SAFETY = "state machine safety"
    ANSWERED_WRITES = "answered writes are not lost"
    EXACTLY_ONCE = "each command takes effect once"
    LINEARIZABLE = "clients see one copy of the data"
    MONOTONE = "terms and indices do not go back"
    RECOVERY = "a restart reads what was flushed"
    NO_ALARM = "no server meets what a correct one cannot"
    CONVERGENCE = "a quiet cluster converges"

    @property
    def is_liveness(self) -> bool:
        return self is Property.CONVERGENCE


MEANING = {
    Property.ELECTION_SAFETY: "one leader in a term (§3.4)",
    Property.LEADER_APPEND_ONLY: "a leader adds to its log and takes nothing back (Figure 3.2)",
    Property.LOG_MATCHING: "entries of the same index and term are the same, and so are all before them (§3.5)",
    Property.LEADER_COMPLETENESS: "what is committed in a term is in the log of every leader of a later term (§3.6.3)",
    Property.STATE_MACHINE_SAFETY: "one entry is committed at an index, on whatever server (§3.6.3)",
    Property.ANSWERED_WRITES: "an answer once the command is committed, and on the disks of a quorum",
    Property.EXACTLY_ONCE: "the state that the committed commands give, each performed once (§6.3)",
    Property.LINEARIZABLE: "each operation takes effect at one moment between its request and its answer (§6.4)",
    Property.MONOTONE: "terms, commit index and last applied rise, or stay",
    Property.RECOVERY: "all that was flushed, and of the rest a beginning",
    Property.NO_ALARM: "inputs that a correct peer can send, and assertions that hold",
    Property.CONVERGENCE: "within some hundred election timeouts: equal logs, all applied, every client answered",
}


class PropertyViolated(RefimplError):
    """The cluster broke one of its promises."""

    def __init__(self, broken: Property, found: str) -> None:
        super().__init__(found, MEANING[broken], "run the command below to see it again")
        self.property = broken


class CheckersDisagree(RefimplError):
    """The full check found what the incremental one should have found earlier: a bug of the simulation."""

    def __init__(self, broken: Property, found: str) -> None:
        super().__init__(
            f"{broken.value}: {found}",
            "a full check that finds what the incremental check finds",
            "mend refimpl/simulation/invariants.py; what the cluster did is wrong, too",
        )
        self.property = broken
