"""Goals of a command line are read in the spec's scope: what is wrong with one is shown with its place in the words."""

from __future__ import annotations

import pytest

from spec.diagnostics import SpecError
from spec.evaluate import Evaluator
from spec.goals import GoalSequence, LabelGoal, Monitor, StateGoal
from spec.load import load_goals, shipped
from spec.parse_goals import GoalText
from spec.script import find_scenario, run_scenario
from spec.system import System


def asked(*goals: str, some: str | None = None) -> tuple[System, GoalSequence]:
    texts = tuple(GoalText(goal, "<goal>") for goal in goals)
    return load_goals(shipped("raft"), texts, None if some is None else GoalText(some, "<some>"))


@pytest.mark.parametrize(
    ("goal", "shown"),
    [
        ("exists w in anwered: true", "<goal>:1:13: error[S201]: there is no `anwered` here\n"),
        ("1 + 1", "<goal>:1:1: error[S304]: a goal is a bool; this is int\n"),
        ("s1.role = Leader", "<goal>:1:9: error[S106]: `=` does not compare\n"),
        ("forall s in Server:\n    s.role == Leder", "<goal>:2:15: error[S201]: there is no `Leder` here\n"),
        ("crash(s1, kep=0)", "<goal>:1:11: error[S306]: `crash` has no `kep`; it has keep\n"),
        ("up(s1) when up(s2)", "<goal>:1:13: error[S206]: `when` says more about a label"),
        ("old(s1.role) == Leader", "<goal>:1:1: error[S415]"),
        ("n1.role == Leader", "<goal>:1:1: error[S201]: the goal names what the model has not: the model has no n1\n"),
        ("", "<goal>:1:1: error[S101]: nothing is written here"),
        ("== 1", "<goal>:1:1: error[S101]: unexpected `==`, expected an expression"),
        ("(up(s1)", "<goal>:1:1: error[S105]: `(` is never closed"),
    ],
)
def test_what_is_wrong_with_a_goal_is_shown_with_its_place(goal: str, shown: str) -> None:
    with pytest.raises(SpecError) as raised:
        asked(goal)
    assert str(raised.value).startswith(shown)


@pytest.mark.parametrize(
    ("some", "shown"),
    [
        ("t in Term, s in Sever", "<some>:1:17: error[S203]: there is no type `Sever`"),
        ("s in Server, s in Server", "<some>:1:14: error[S202]: `s` is bound twice"),
        ("self in Server", "<some>:1:1: error[S212]: `self` has a meaning of its own"),
        ("s in int", "<some>:1:1: error[S310]: int has no finite set of values to choose `s` from"),
        ("a in 1..60, b in 1..60, c in 1..60", "<some>:1:1: error[S510]: the names have 216,000 combinations"),
        ("s of Server", "<some>:1:3: error[S101]: unexpected `of`, expected `in`"),
    ],
)
def test_what_is_wrong_with_a_shared_name_is_shown_with_its_place(some: str, shown: str) -> None:
    with pytest.raises(SpecError) as raised:
        asked("true", some=some)
    assert str(raised.value).startswith(shown)


def test_all_that_a_property_may_say_a_goal_may_say_and_name_elements() -> None:
    _, sequence = asked("disk(s1).commit_index > 0 and len(pending(s2)) == 1 and up(s3) and network(RequestVote) == {}")
    assert isinstance(sequence.goals[0], StateGoal)
    assert sequence.condition == sequence.goals[0].condition


@pytest.mark.parametrize("name", ["timeout", "crash", "crash(s1)", "replicate(s1, peer=s2) when s1.commit_index > 0"])
def test_what_is_called_like_a_rule_is_a_label(name: str) -> None:
    _, sequence = asked(name)
    assert isinstance(sequence.goals[0], LabelGoal)
    assert sequence.condition is None


def test_a_message_of_a_named_type_has_its_fields() -> None:
    asked("drop(RequestVote, source=s1) when message.term == 1", "deliver(s2, message=AppendEntries, term=2)")


def test_the_goals_of_a_run_are_met_one_after_the_other_for_one_choice_of_the_shared_names() -> None:
    goals = ("crash(s) when holds(s.log, w) and not holds(disk(s).log, w)", "up(s)")
    system, sequence = asked(*goals, some="s in Server, w in Submission")
    evaluator = Evaluator(system)
    scenario = find_scenario(evaluator, "follower_crash_between_write_and_flush")
    assert scenario is not None
    _, labels = run_scenario(evaluator, scenario)
    monitor = Monitor(evaluator, sequence)
    met = list(monitor.met_at(evaluator.initial_states()[0], labels))
    crash = [label.rule for label in labels].index("crash")
    assert max(met[crash]) == 0
    assert max(met[crash + 1]) == 1
    assert monitor.is_done(met[crash + 2])  # the restart
    assert monitor.choice(met[-1]) == {"s": "s2", "w": ("c1", 1)}
