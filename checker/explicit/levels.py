"""The levels of a breadth-first search, spread over workers: checked, expanded, and what went wrong in one told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack

from checker.explicit.available import spare
from checker.explicit.compile import Compiled
from checker.explicit.context import CAPACITIES, COUNTERS
from checker.explicit.disk import Disk
from checker.explicit.errors import Disagreement, DoesNotFit
from checker.explicit.halt import Halt
from checker.explicit.search import UNLIMITED, Clock, Explored, Now, Room
from checker.explicit.steps import Steps
from checker.explicit.store import Worker
from checker.explicit.trace import Confirmation
from checker.explicit.violations import Event, Violations
from checker.explicit.visited import Fingerprints, OverBudget, Visited
from checker.explicit.worker import Returned, Word, batch_room
from spec.evaluate import Evaluator
from spec.explore import OutDegree
from spec.state import Label, State

QUANTUM = 1024
"""How many states the compiled code does before Python may look at the clock and at signals."""


class Levels:
    """The state of one search. ``current``: how many states the level has."""

    def __init__(
        self,
        code: Compiled,
        evaluator: Evaluator,
        workers: int,
        memory: ExitStack,
        clock: Clock,
        only: str | None,
        first: State,
        room: Room = UNLIMITED,
        *,
        go_on: bool = False,
    ) -> None:
        self.code, self.evaluator, self.clock, self.room = code, evaluator, clock, room
        self.system, self.first = evaluator.system, first
        self.halt = Halt()
        # No more than the machine has to spare, whatever was said: to run out of memory is to be killed.
        self.budget = spare() if room.memory is None else min(room.memory, spare())
        self.found = Explored(workers=workers, budget=self.budget)
        share = self.budget // workers
        self.workers = [memory.enter_context(Worker(code, i, workers, share, self.halt)) for i in range(workers)]
        self.disk = Disk(self, memory)
        # Also for one worker: no signal may interrupt the code that moves a store to where there is more room. The pool
        # is left before the workers' memory is freed, wherever an interrupt came: a thread may still be at work.
        self.pool = memory.enter_context(ThreadPoolExecutor(workers))
        memory.callback(self._halt)
        self.confirmation = Confirmation(evaluator, Steps(code))
        self.goals = (1 << len(self.system.sometimes)) - 1
        self.reached: dict[str, tuple[int, int]] = {}  # goals, and the state that reached each
        self.deadlock: tuple[int, int] | None = None
        self.starts = [0] * workers
        self.expanding = False  # else the cursors are on states that are being checked
        self.violations = Violations(self.system, self.confirmation, self._run_to, only, go_on=go_on)
        for worker in self.workers:
            worker.block[Word.QUANTUM] = QUANTUM

    def begin(self) -> None:
        words = self.confirmation.steps.canonical(self.code.layout.encode(self.first))
        for worker in self.workers:
            worker.put(words)
            worker.visited.begin_level(0)

    @property
    def current(self) -> int:
        return sum(worker.count - start for worker, start in zip(self.workers, self.starts, strict=True))

    def states(self) -> Iterator[tuple[State, State | None]]:
        """The states of the level, each with the one that it was found from; not of fingerprints."""
        for worker, start in zip(self.workers, self.starts, strict=True):
            for index in range(start, worker.count):
                parent = worker.parent(index)
                yield self._decoded(worker, index), None if parent is None else self._numbered(parent)

    def _numbered(self, number: int) -> State:
        return self._decoded(self.workers[number % len(self.workers)], number // len(self.workers))

    def _decoded(self, worker: Worker, index: int) -> State:
        words = worker.state(index)
        assert words is not None
        return self.code.layout.decode(words)

    # -------------------------------------------------------------------------------------- one level

    def check(self) -> bool:
        """Looks at goals and invariants of the level; whether one is broken, or fails."""
        events: list[Event] = []
        reached: dict[int, tuple[int, int]] = {}
        for worker, start in zip(self.workers, self.starts, strict=True):
            worker.block[Word.CURSOR], worker.block[Word.END] = start, worker.count
            worker.block[Word.GOALS] = self.goals
        self._heed()
        self.at_once(self._check)
        for i, worker in enumerate(self.workers):
            reached = {**worker.reached, **reached}
            worker.reached.clear()
            if worker.event is not None:
                events.append(Event(worker.block[Word.CURSOR], i, worker.event, by_label=False, of_step=False))
                worker.event = None
        for goal, (index, owner) in sorted(reached.items()):
            name = self.system.sometimes[goal].name
            self.reach(name, (index, owner))
        self.violations.note(self.workers)
        return self.violations.ended(events)

    def _heed(self) -> None:
        """Tells the workers what to look at."""
        for worker in self.workers:
            worker.block[Word.INVARIANTS] = self.violations.invariants
            worker.block[Word.HEEDED] = self.violations.action_invariants
            worker.block[Word.RETURN_IF_BROKEN] = self.violations.go_on

    def reach(self, name: str, place: tuple[int, int]) -> None:
        """Notes the state that reaches a goal."""
        labels, state = self._run_to(*place)
        self.confirmation.reached(state, name)
        self.found.reached[name], self.reached[name] = labels, place
        self.goals &= ~(1 << [goal.name for goal in self.system.sometimes].index(name))

    def _check(self, i: int) -> None:
        worker = self.workers[i]
        block = worker.block
        while True:
            match self.code.check(worker.address):
                case Returned.DONE:
                    return
                case Returned.QUANTUM:
                    pass
                case Returned.GOAL:
                    for goal in range(len(self.system.sometimes)):
                        if block[Word.FOUND] >> goal & 1:
                            worker.reached[goal] = (block[Word.CURSOR], i)
                    block[Word.GOALS] &= ~block[Word.FOUND]
                case Returned.INVARIANT if self.violations.go_on:  # looks at this state again, for the others
                    worker.broken_at.append((block[Word.CURSOR], block[Word.FOUND]))
                    block[Word.INVARIANTS] &= ~block[Word.FOUND]
                case Returned.INVARIANT:
                    worker.event = block[Word.FOUND]
                    return
                case _:
                    worker.event = 0
                    return
            if self.halt.asked:
                return

    def expand(self) -> bool:
        """Finds the next level; whether an evaluation failed or an action invariant is broken on the way. Where the
        memory that was asked for does not suffice for it, it is begun again on disk. Raises MemoryError, OSError."""
        ends = [worker.count for worker in self.workers]
        before = [worker.counters() for worker in self.workers]
        try:
            self._expand_level(ends)
        except OverBudget as full:
            self.refuse_more_memory(full)
            self.expanding = False
            self.disk.take_over(ends, before)
            if self.room.checkpoint is not None:
                self.disk.write_checkpoint(self.found.levels[:-1])  # this level is to be searched again
            self._expand_level(ends)
        self.starts, self.expanding = ends, False
        events = []
        for i, worker in enumerate(self.workers):
            block = worker.block
            worker.visited.begin_level(self.starts[i])
            if block[Word.BROKEN]:
                mask = max(0, block[Word.BROKEN])
                events.append(Event(block[Word.BROKEN_AT], i, mask, by_label=True, of_step=True))
            if worker.failed is not None:
                events.append(Event(worker.failed, i, 0, by_label=True, of_step=False))
        self.note_deadlock()
        self.violations.note_steps(self.workers)
        return self.violations.ended(events)

    def refuse_more_memory(self, full: OverBudget) -> None:
        """Raises MemoryError, unless the search was told to go on on disk."""
        states = "fingerprints" if self.code.fingerprints else "states"
        if self.room.memory is None:
            may = f"this machine can spare ({self.budget / 2**20:,.0f} MiB)"
        elif self.code.fingerprints:
            may = "--memory allows"
        else:
            return
        raise MemoryError(f"the {states} need more memory than {may}") from full

    def _expand_level(self, ends: list[int]) -> None:
        for worker, start, end in zip(self.workers, self.starts, ends, strict=True):
            worker.block[Word.CURSOR], worker.block[Word.END] = start, end
            worker.running, worker.failed, worker.failures = True, None, 0
        self._heed()
        self.expanding = True
        while any(worker.running for worker in self.workers):
            self.at_once(self._expand)
            if len(self.workers) > 1:
                self.at_once(self._absorb)
        self.at_once(self._settle)

    def _settle(self, i: int) -> None:
        self.workers[i].visited.settle()

    def _expand(self, i: int) -> None:
        worker = self.workers[i]
        while worker.running:
            status = self.code.expand(worker.address)
            match status:
                case Returned.DONE:
                    worker.running = False
                case Returned.QUANTUM:
                    if self.halt.asked:
                        return
                case Returned.NEEDS_ROOM:
                    worker.make_room(batch_room(self.code.most))
                case Returned.BOX_FULL:
                    return
                case Returned.ERROR:  # the level is finished all the same: counts do not depend on the workers
                    if worker.failed is None:
                        worker.failed = worker.block[Word.CURSOR]
                    worker.failures += 1
                    worker.block[Word.CURSOR] += 1
                case Returned.BROKEN:
                    worker.note_broken_step()
                case _:
                    raise DoesNotFit(CAPACITIES[status - Returned.OVERFLOW])

    def _absorb(self, i: int) -> None:
        for other in self.workers:
            if other is not self.workers[i]:
                self.workers[i].absorb(other)

    # ----------------------------------------------------------------------------------------- threads

    def at_once(self, work: Callable[[int], None]) -> None:
        """The work of every worker, at the same time if there are several, while this thread looks at the clock."""
        running: set[Future[None]] = set()
        try:
            running.update(self.pool.submit(work, i) for i in range(len(self.workers)))
            left = running
            while left:
                _, left = wait(left, timeout=0.1)
                self.clock.tick(self)
        except BaseException:
            self._halt()
            wait(running)
            raise
        for done in running:
            done.result()

    def rest(self) -> None:
        """Nothing is at work any more, and nothing will be."""
        self._halt()
        self.pool.shutdown(wait=True)

    def _halt(self) -> None:
        """The threads end within a quantum."""
        self.halt.asked = True

    # ------------------------------------------------------------------------------------- what was found

    def _chain(self, index: int, owner: int) -> list[tuple[Visited, int]]:
        """Where the states from the first one to this are."""
        chain = []
        at: int | None = index * len(self.workers) + owner
        while at is not None:
            place = self.workers[at % len(self.workers)].visited, at // len(self.workers)
            chain.append(place)
            at = place[0].parent(place[1])
        return chain[::-1]

    def _run_to(self, index: int, owner: int) -> tuple[tuple[Label, ...], State]:
        chain = self._chain(index, owner)
        states = [visited.state(at) for visited, at in chain]
        whole = [state for state in states if state is not None]
        if len(whole) == len(states):
            return self.confirmation.run(self.first, whole)
        hashes = [visited.fingerprint(at) for visited, at in chain if isinstance(visited, Fingerprints)]
        return self.confirmation.run_by_hash(self.first, hashes)

    def note_deadlock(self) -> None:
        """Looks for the first state without any label, once."""
        if self.deadlock is not None:
            return
        stuck = [(worker.block[Word.DEADLOCK], i) for i, worker in enumerate(self.workers)]
        first = min((place for place in stuck if place[0] >= 0), default=None)
        if first is not None:
            self.meet_deadlock(first)

    def meet_deadlock(self, place: tuple[int, int]) -> None:
        """Notes the first state without any label. Raises Disagreement."""
        self.deadlock = place
        self.found.deadlock, state = self._run_to(*place)
        self.evaluator.tally.cuts = {}
        if self.evaluator.transitions(state):
            raise Disagreement("the evaluator finds a label where the search found none")

    def sum_up(self) -> None:
        """Fills in the counts."""
        found = self.found
        found.distinct = sum(worker.count for worker in self.workers)
        found.generated = sum(worker.block[Word.GENERATED] for worker in self.workers)
        found.expanded = self._expanded()
        for worker in self.workers:
            for i, name in enumerate(self.code.kinds):
                if worker.taken[i]:
                    found.taken[name] = found.taken.get(name, 0) + worker.taken[i]
            for i, name in enumerate(self.code.cuts):
                if worker.context[COUNTERS + i]:
                    found.cuts[name] = found.cuts.get(name, 0) + worker.context[COUNTERS + i]
        found.violation, found.violations = self.violations.first, self.violations.by_name
        counted = found.expanded - sum(worker.failures for worker in self.workers)
        if counted:
            fewest = min(worker.block[Word.FEWEST] for worker in self.workers)
            most = max(worker.block[Word.MOST] for worker in self.workers)
            found.out_degree = OutDegree(fewest, found.generated / counted, most)
        found.on_disk = self.disk.used
        found.bytes_per_state = round(sum(worker.bytes for worker in self.workers) / max(1, found.distinct))

    def now(self, seconds: float) -> Now:
        distinct = sum(worker.count for worker in self.workers)
        generated = sum(worker.block[Word.GENERATED] for worker in self.workers)
        size = sum(worker.bytes + worker.apart for worker in self.workers)
        depth, known, expanded = len(self.found.levels), sum(self.found.levels), self._expanded()
        return Now(depth, distinct, generated, distinct - expanded, 0.0, size, seconds, expanded, known)

    def _expanded(self) -> int:
        return sum(worker.block[Word.CURSOR] for worker in self.workers) if self.expanding else sum(self.starts)
