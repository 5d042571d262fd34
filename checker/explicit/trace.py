"""A shortest run to a state that the search found, confirmed: every step of it is the evaluator's."""

from __future__ import annotations

from dataclasses import dataclass

from checker.explicit.errors import Disagreement, OrderMatters
from checker.explicit.stepping import Mark, Stepping, Stored
from spec.evaluate import EvaluationError, Evaluator
from spec.state import Label, State
from spec.values import Cut, NotEnabled


@dataclass(slots=True)
class Confirmation:
    """Replays chains of stored states forward through the evaluator."""

    evaluator: Evaluator
    steps: Stepping

    def run(self, first: State, chain: list[Stored]) -> tuple[tuple[Label, ...], State]:
        """The labels that lead from a first state to the last one of a chain of stored states, and where they lead: the
        stored state, or one that it stands for."""
        layout, canonical = self.steps.layout, self.steps.canonical
        labels: list[Label] = []
        state = first
        for stored in chain[1:]:
            steps = self.steps.fire(layout.encode(state)).steps
            word, after = next((step for step in steps if canonical(step[1]) == stored), (None, ()))
            if word is None:
                raise Disagreement(f"no label leads to a state that was found; the run: {labels}")
            label = self._label(state, word, after)
            labels.append(label)
            state = self.step(state, label)
            if state != layout.decode(after):
                raise Disagreement(f"the evaluator comes to another state by {label}")
        return tuple(labels), state

    def run_by_hash(self, first: State, hashes: list[int]) -> tuple[tuple[Label, ...], State]:
        """The same where only the stored states' fingerprints are left, from the first one's on."""
        steps = self.steps
        chain = [steps.canonical(steps.layout.encode(first))]
        for hash_ in hashes[1:]:
            stored = (steps.canonical(after) for _, after in steps.fire(chain[-1]).steps)
            following = next((words for words in stored if steps.hash_of(words) == hash_), None)
            if following is None:
                raise Disagreement(f"no label leads to a state of the fingerprint that was found, after {len(chain)}")
            chain.append(following)
        return self.run(first, chain)

    def label_that_breaks(self, before: State, mask: int) -> Label:
        """A label from here whose step breaks these action invariants."""
        words = self.steps.layout.encode(before)
        names = [p.name for i, p in enumerate(self.evaluator.system.action_invariants) if mask >> i & 1]
        for label, after in self.steps.fire(words).steps:
            broken = self.steps.broken_by_step(words, label, after)
            if broken is not None and set(names) <= set(broken):
                return self._label(before, label, after)
        raise Disagreement(f"no step is found again that breaks {names}")

    def broken_from(self, before: State) -> int:
        """The action invariants that some step from here breaks."""
        words = self.steps.layout.encode(before)
        found: set[str] = set()
        for label, after in self.steps.fire(words).steps:
            found.update(self.steps.broken_by_step(words, label, after) or ())
        return sum(1 << i for i, p in enumerate(self.evaluator.system.action_invariants) if p.name in found)

    def label_that_fails(self, before: State, *, of_step: bool) -> Label:
        """A label from here whose evaluation fails; ``of_step``: that of the action invariants over its step."""
        words = self.steps.layout.encode(before)
        fired = self.steps.fire(words)
        for label, after in fired.steps:
            if of_step and self.steps.broken_by_step(words, label, after) is None:
                return self._label(before, label, after)
        if of_step or fired.failed is None:
            raise OrderMatters("no label is found again whose evaluation fails")
        return self._label(before, fired.failed, None)

    def _label(self, before: State, word: Mark, after: Stored | None) -> Label:
        """The label of a label word, which leads to a state (``None``: to an error). A macro's word does not say which
        of its labels it is: the evaluator does."""
        macros, name = self.evaluator.macros, self.steps.rule(word)
        if macros is None or name not in macros.named:
            return self.steps.label(self.steps.layout.encode(before), word)
        wanted = None if after is None else self.steps.layout.decode(after)
        try:
            for label, found in macros.transitions_of(macros.named[name], before):
                if found == wanted:
                    return label
        except EvaluationError as error:
            if wanted is None:
                failing: Label = error.labels[0]
                return failing
            raise
        raise Disagreement(f"the evaluator finds no label of the macro {name} to where the search came by it")

    def step(self, state: State, label: Label) -> State:
        try:
            return self.evaluator.successor(state, label)
        except (EvaluationError, Cut, NotEnabled) as refusal:
            raise Disagreement(f"the evaluator refuses {label}: {type(refusal).__name__} {refusal}") from refusal

    def broken(self, state: State, names: list[str]) -> str:
        """The first of these invariants, which the state breaks."""
        found = self.evaluator.violated(state)
        if not set(names) <= set(found):
            raise Disagreement(f"the evaluator does not find {names} broken, but {found}")
        return names[0]

    def broken_by_step(self, before: State, label: Label, after: State, names: list[str]) -> str:
        found = self.evaluator.violated_by_step(before, label, after)
        if not set(names) <= set(found):
            raise Disagreement(f"the evaluator does not find {names} broken by {label}, but {found}")
        return names[0]

    def reached(self, state: State, goal: str) -> None:
        property_ = next(p for p in self.evaluator.system.sometimes if p.name == goal)
        if not self.evaluator.holds(self.evaluator.compile(property_.expr), state):
            raise Disagreement(f"the evaluator does not find the goal {goal} reached")

    def failure(self, state: State, label: Label) -> EvaluationError:
        """The error of a label's evaluation."""
        try:
            self.evaluator.successor(state, label)
        except EvaluationError as error:
            return error
        except (Cut, NotEnabled):
            pass
        raise OrderMatters(f"the evaluator can evaluate {label}")

    def property_failure(self, state: State) -> EvaluationError:
        """The error of a goal's or an invariant's evaluation."""
        try:
            for property_ in self.evaluator.system.sometimes:
                self.evaluator.holds(self.evaluator.compile(property_.expr), state)
            self.evaluator.violated(state)
        except EvaluationError as error:
            return error
        raise OrderMatters("the evaluator can evaluate the properties of a state")

    def step_failure(self, before: State, label: Label, after: State) -> EvaluationError:
        try:
            self.evaluator.violated_by_step(before, label, after)
        except EvaluationError as error:
            return error
        raise OrderMatters(f"the evaluator can evaluate the action invariants of {label}")
