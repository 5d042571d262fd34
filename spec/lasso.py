"""Fair lassos in a state graph: is there a run that stays where it should not stay, for ever, and is it fair?

An infinite run of a finite graph ends in a strongly connected set of states that it visits again and again. Such a
set can be stayed in fairly if

* each weakly fair group is taken within it, or is not enabled in some state of it;
* each strongly fair group is taken within it, or is enabled in no state of it.

A set that fails the first fails it with all its parts. One that fails the second may have a part without the states
in which that group is enabled: those are taken away and what is left is looked at again (Emerson and Lei 1987).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spec.graph import Fairness, Graph, Pulse

BETWEEN_PULSES = 256
"""States that are looked at."""


@dataclass(frozen=True, slots=True)
class Lasso:
    """``edges`` lead from state 0 to the end; the last of them comes back to where edge ``loop`` starts. With ``loop``
    = ``len(edges)`` nothing follows the end: the run stays there."""

    edges: tuple[int, ...]
    loop: int


@dataclass(frozen=True, slots=True)
class Pending:
    """What a run must not do for ever. ``entries``: the states in which an obligation arises (1) or not (0);
    ``stays``: those in which it remains."""

    entries: bytes | bytearray
    stays: bytes | bytearray


def find_lasso(
    graph: Graph, pending: Pending, fairness: Fairness, *, beyond: bool = False, pulse: Pulse | None = None
) -> Lasso | None:
    """A lasso from state 0 that takes on an obligation, never fulfils it, and is fair.

    Labels that a bound cut are enabled and never taken, so that a run which only a bound keeps from being unfair is
    none; and a run does not end where something was cut. ``beyond``: the other way round, as if they did not exist: a
    lasso found so only is *cut by the bound*.
    """
    return _Search(graph, pending, fairness, beyond, pulse).run()


class _Search:
    def __init__(
        self, graph: Graph, pending: Pending, fairness: Fairness, beyond: bool, pulse: Pulse | None
    ) -> None:
        self.graph, self.pending, self.fairness, self.pulse = graph, pending, fairness, pulse
        self.looked_at = 0
        self.beyond = beyond
        self.region = array("q", bytes(8 * graph.states))  # the set that a state is in at present; 0: none
        self.regions = 0
        self.index = array("q", bytes(8 * graph.states))  # when a state was visited; before this search: not yet
        self.low = array("q", bytes(8 * graph.states))
        self.visited = 0

    def run(self) -> Lasso | None:
        distance = self._distances()
        fair = self._fair_set([s for s, d in enumerate(distance) if d >= 0], distance)
        if fair is None:
            return None
        home, number = fair
        before = self._path_to(home, distance)
        return Lasso(tuple(before + self._cycle(home, number)), len(before))

    def beat(self) -> None:
        """For each state that is looked at."""
        self.looked_at += 1
        if self.pulse is not None and self.looked_at % BETWEEN_PULSES == 0:
            self.pulse()

    def enabled(self, state: int) -> int:
        self.beat()
        return self.graph.enabled[state] if self.beyond else self.graph.enabled[state] | self.graph.cut(state)

    def rests(self, state: int) -> bool:
        """Whether a run may end here."""
        graph = self.graph
        return graph.first[state] == graph.first[state + 1] and (self.beyond or not graph.cuts[state])

    # ------------------------------------------------------------------------------------- distances

    def _distances(self) -> array[int]:
        """How many labels lead to a state with the obligation pending; -1: it never is there."""
        graph, stays, entries = self.graph, self.pending.stays, self.pending.entries
        anyhow = array("q", [-1]) * graph.states
        pending = array("q", [-1]) * graph.states
        anyhow[0] = 0
        level, waiting, depth = [0], list[int](), 0
        while level or waiting:
            for state in level:
                if entries[state] and stays[state] and pending[state] < 0:
                    pending[state] = depth
                    waiting.append(state)
            depth += 1
            level = self._next(level, anyhow, depth, None)
            waiting = self._next(waiting, pending, depth, stays)
        return pending

    def _next(
        self, level: list[int], distance: array[int], depth: int, within: bytes | bytearray | None
    ) -> list[int]:
        found = []
        first, targets = self.graph.first, self.graph.targets
        for state in level:
            self.beat()
            for edge in range(first[state], first[state + 1]):
                target = targets[edge]
                if distance[target] < 0 and (within is None or within[target]):
                    distance[target] = depth
                    found.append(target)
        return found

    # ----------------------------------------------------------------------------------- fair sets

    def _fair_set(self, members: list[int], distance: array[int]) -> tuple[int, int] | None:
        """Of the sets that can be stayed in fairly one with a state nearest to the start: that state, and the number
        of the set's region."""
        best: tuple[int, int, int] | None = None
        work = [self._new_region(members)]
        while work:
            for component in self._components(*work.pop()):
                number, members = self._new_region(component)
                home = min(members, key=lambda s: (distance[s], s))
                if best is not None and (distance[home], home) >= best[:2]:
                    continue  # no part of it is nearer
                if not self._weakly_fair(members, number):
                    continue
                starved = self._starved(members, number)
                if not starved:
                    best = (distance[home], home, number)
                    continue
                rest = [s for s in members if not self.enabled(s) & starved]
                if rest:
                    work.append(self._new_region(rest))
        return None if best is None else best[1:]

    def _new_region(self, members: list[int]) -> tuple[int, list[int]]:
        self.regions += 1
        for state in members:
            self.region[state] = self.regions
        return self.regions, members

    def _weakly_fair(self, members: list[int], number: int) -> bool:
        never_taken = ~self._taken(members, number)
        always = -1
        for state in members:
            always &= self.graph.enabled[state]
        if self.fairness.weak & always & never_taken:
            return False  # whatever was cut
        return not self._always(members, never_taken)

    def _starved(self, members: list[int], number: int) -> int:
        """The strongly fair groups that are enabled somewhere in the region and never taken within it."""
        ever = 0
        if self.fairness.strong_rules:
            for state in members:
                ever |= self.enabled(state)
        return self.fairness.strong & ever & ~self._taken(members, number)

    def _taken(self, members: list[int], number: int) -> int:
        """The groups that are taken within the region."""
        graph, region, taken = self.graph, self.region, 0
        for state in members:
            self.beat()
            for edge in graph.edges_of(state):
                if graph.groups[edge] >= 0 and region[graph.targets[edge]] == number:
                    taken |= 1 << graph.groups[edge]
        return taken

    def _always(self, members: list[int], of: int = -1) -> int:
        """The weakly fair groups, of these, that are enabled in all of the states. Looks no further once none is."""
        always = self.enabled(members[0]) & of
        always &= self.fairness.weak  # read after the look-up, which may have met a group
        for state in members:
            if not always:
                break
            always &= self.enabled(state)
        return always

    def _components(self, number: int, members: Sequence[int]) -> list[list[int]]:
        """The strongly connected components of a region in which a run can stay (Tarjan 1972, without recursion).
        Afterwards no state is in the region."""
        first, targets, region, index, low = self.graph.first, self.graph.targets, self.region, self.index, self.low
        base = self.visited
        stack: list[int] = []
        found = []
        for root in members:
            if index[root] > base:
                continue
            work = [(root, first[root])]
            self._visit(root, stack)
            while work:
                state, edge = work.pop()
                end = first[state + 1]
                while edge < end:
                    target = targets[edge]
                    edge += 1
                    if region[target] != number:
                        continue
                    if index[target] <= base:
                        work += [(state, edge), (target, first[target])]
                        self._visit(target, stack)
                        break
                    low[state] = min(low[state], index[target])
                else:
                    if work:
                        parent = work[-1][0]
                        low[parent] = min(low[parent], low[state])
                    if low[state] == index[state]:
                        component = self._popped(stack, state)
                        if len(component) > 1 or self._stays(state):
                            found.append(component)
        return found

    def _visit(self, state: int, stack: list[int]) -> None:
        self.beat()
        self.visited += 1
        self.index[state] = self.low[state] = self.visited
        stack.append(state)

    def _popped(self, stack: list[int], root: int) -> list[int]:
        """Takes a finished component off the stack, and out of its region."""
        at = len(stack) - 1
        while stack[at] != root:
            at -= 1
        component = stack[at:]
        del stack[at:]
        for state in component:
            self.region[state] = 0
        return component

    def _stays(self, state: int) -> bool:
        targets = self.graph.targets
        return self.rests(state) or any(targets[edge] == state for edge in self.graph.edges_of(state))

    # -------------------------------------------------------------------------------------- the run

    def _path_to(self, home: int, distance: array[int]) -> list[int]:
        """A shortest run to the state, with the obligation pending at its end."""
        stays, entries = self.pending.stays, self.pending.entries
        # Breadth-first over (state, pending?) from the start, until the state is met with the obligation pending.
        came: dict[tuple[int, bool], tuple[tuple[int, bool], int] | None] = {}
        level = [(0, False), (0, True)] if entries[0] and stays[0] else [(0, False)]
        came.update(dict.fromkeys(level))
        while (home, True) not in came:
            following = []
            for at in level:
                self.beat()
                for edge in self.graph.edges_of(at[0]):
                    target = self.graph.targets[edge]
                    for pending in self._after(at[1], target):
                        if (target, pending) not in came:
                            came[target, pending] = (at, edge)
                            following.append((target, pending))
            level = following
        path: list[int] = []
        step = came[home, True]
        while step is not None:
            path.append(step[1])
            step = came[step[0]]
        assert len(path) == distance[home]
        return path[::-1]

    def _after(self, pending: bool, target: int) -> tuple[bool, ...]:
        """Whether the obligation may be looked at as pending in the target."""
        stays, entries = self.pending.stays[target], self.pending.entries[target]
        if pending:
            return (True,) if stays else ()
        return (False, True) if entries and stays else (False,)

    def _cycle(self, home: int, number: int) -> list[int]:
        """A run from ``home`` back to it within the region, on which fairness has what it asks for."""
        graph = self.graph
        if self.rests(home):
            return []
        region = self.region
        members = [s for s in range(graph.states) if region[s] == number]
        must_take = self.fairness.strong & self._taken(members, number)
        must_miss = self.fairness.weak & self.enabled(home)  # be taken, or be missed: not be enabled in some state
        edges: list[int] = []
        at = home
        while must_take or must_miss:
            way = self._nearest(at, number, must_take, must_miss)
            for edge in way:
                group = graph.groups[edge]
                if group >= 0:
                    must_take &= ~(1 << group)
                    must_miss &= ~(1 << group)
                must_miss &= self.enabled(graph.targets[edge])
            edges += way
            at = graph.targets[way[-1]]
        if at != home or not edges:
            edges += self._way(at, number, lambda edge: graph.targets[edge] == home)
        return edges

    def _nearest(self, at: int, number: int, must_take: int, must_miss: int) -> list[int]:
        graph = self.graph

        def serves(edge: int) -> bool:
            group = graph.groups[edge]
            if group >= 0 and (must_take | must_miss) >> group & 1:
                return True
            return bool(must_miss & ~self.enabled(graph.targets[edge]))

        return self._way(at, number, serves)

    def _way(self, at: int, number: int, serves: Callable[[int], bool]) -> list[int]:
        """The shortest way within the region whose last edge serves."""
        graph, region = self.graph, self.region
        came: dict[int, tuple[int, int]] = {}  # the edge that led to a state, and where that starts
        level = [at]
        seen = {at}
        while level:
            following = []
            for state in level:
                self.beat()
                for edge in graph.edges_of(state):
                    target = graph.targets[edge]
                    if region[target] != number:
                        continue
                    if serves(edge):
                        way = [edge]
                        while state != at:
                            before, state = came[state]
                            way.append(before)
                        return way[::-1]
                    if target not in seen:
                        seen.add(target)
                        came[target] = edge, state
                        following.append(target)
            level = following
        raise AssertionError("a strongly connected set has a way to each of its edges")
