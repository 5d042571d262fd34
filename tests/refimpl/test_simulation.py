"""Simulated clusters keep their promises, and a simulation notices when they do not. A failure names its seed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.entry import Append, ClientId, Command, Entry, Index, Serial, ServerId, Term
from refimpl.faults import Fault
from refimpl.log import Log
from refimpl.node import Node
from refimpl.raft import Raft
from refimpl.simulation.chance import Chance
from refimpl.simulation.cluster import Cluster
from refimpl.simulation.host import Host
from refimpl.simulation.invariants import Invariants
from refimpl.simulation.model import Model
from refimpl.simulation.moments import Moments
from refimpl.simulation.properties import CheckersDisagree, Property, PropertyViolated
from refimpl.simulation.report import reproduction
from refimpl.simulation.run import Failure, Plan, Run, live
from refimpl.simulation.seen import Seen, Tally
from refimpl.simulation.shrink import shrink
from refimpl.simulation.weather import STRIKING, Misfortune, Weather, drawn
from refimpl.wal import Wal

SEED = 1
STEPS = 24_000


@cache
def finished(seed: int, steps: int, *broken: Fault) -> Run:
    return Run(Plan(seed, steps, broken=frozenset(broken))).go()


def first_failure(plan: Plan) -> Failure:
    failure = Run(plan).go().failure
    assert failure is not None, f"{plan} breaks no promise"
    return failure


def test_no_promise_is_broken() -> None:
    run = finished(SEED, STEPS)
    assert run.failure is None, run.failure
    assert run.steps >= STEPS
    assert run.tally[Seen.CONVERGED] == run.rounds


def test_everything_that_is_counted_happens() -> None:
    tally = finished(SEED, STEPS).tally
    assert {seen.value for seen in Seen if not tally[seen]} == set()


def test_equal_seeds_give_equal_runs_in_another_process_with_another_hash_seed() -> None:
    code = "from refimpl.simulation.run import Plan, Run; print(Run(Plan(7, 4000)).go().hash)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == finished(7, 4000).hash
    assert finished(8, 4000).hash != finished(7, 4000).hash


def test_chance_draws_what_it_drew_on_every_python_before() -> None:
    chance = Chance(7, "network")
    draws = [chance.between(0, 999) for _ in range(6)], chance.below(10**30), chance.one_of("abc")
    assert draws == ([145, 534, 925, 704, 989, 937], 130426389044988655405380866771, "c")


@pytest.mark.parametrize("fault", [Fault.REPLY_AT_APPEND, Fault.FOLLOWER_ACKS_BEFORE_FSYNC, Fault.NO_DEDUP])
def test_a_broken_rule_is_found_and_found_again_by_the_command_that_is_printed(fault: Fault) -> None:
    plan = Plan(SEED, 30_000, broken=frozenset({fault}))
    failure = finished(SEED, 30_000, fault).failure
    assert failure is not None
    words = reproduction(plan, failure).split()
    options = dict(zip(words[4::2], words[5::2], strict=True))
    again = first_failure(
        replace(
            plan,
            seed=int(options["--seed"]),
            only_round=int(options["--round"]),
            steps=int(options["--steps"]),
            round_steps=int(options.get("--round-steps", plan.round_steps)),
        )
    )
    assert (again.step, str(again.error), again.last) == (failure.step, str(failure.error), failure.last)


# At most so many seeds of 100,000 steps each; unbroken, the same seeds break no promise.
SEEDS = range(6)


@pytest.mark.slow
@pytest.mark.parametrize("fault", list(Fault))
def test_every_broken_rule_is_found_within_a_few_seeds(fault: Fault) -> None:
    assert any(finished(seed, 100_000, fault).failure for seed in SEEDS), f"{fault.value} was not noticed"


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_no_promise_is_broken_in_the_runs_that_find_broken_rules(seed: int) -> None:
    assert finished(seed, 100_000).failure is None


@pytest.mark.slow
def test_a_minute_of_processor_time_is_enough_for_300_000_steps() -> None:
    started = time.process_time()
    run = Run(Plan(SEED, 60_000)).go()
    assert run.steps * 60 / (time.process_time() - started) >= 300_000


def test_a_failure_shrinks_to_the_misfortunes_that_it_needs() -> None:
    plan = Plan(SEED, 30_000, broken=frozenset({Fault.REPLY_AT_APPEND}))
    failure = first_failure(plan)
    smaller, again = shrink(plan, failure)
    assert again.property is failure.property
    assert smaller.without == frozenset(Misfortune), "a reply before the commit needs nothing to go wrong"
    assert str(first_failure(replace(smaller, steps=again.step)).error) == str(again.error)


def test_a_misfortune_that_is_left_out_leaves_the_others_as_they_were() -> None:
    for round_number in range(20):
        whole, less = (drawn(SEED, round_number, None, without) for without in ((), {Misfortune.LOSS}))
        assert less == replace(whole, loss=0.0)


MILLISECOND = 1_000
WEATHERS = st.builds(
    Weather,
    servers=st.integers(1, 5),
    clients=st.integers(1, 4),
    keys=st.integers(1, 3),
    reads=st.floats(0, 1),
    max_entries=st.integers(1, 10),
    think=st.integers(1, 100 * MILLISECOND),
    delay=st.integers(1, 20 * MILLISECOND),
    queue=st.integers(1, 20 * MILLISECOND),
    fsync=st.integers(1, 20 * MILLISECOND),
    slow_disks=st.booleans(),
    segment_size=st.integers(1, 10_000),
    loss=st.floats(0, 0.5),
    duplication=st.floats(0, 0.5),
    overtaking=st.floats(0, 0.5),
    torn_writes=st.booleans(),
    skewed_clocks=st.booleans(),
    split_votes=st.booleans(),
    short_reigns=st.floats(0, 1),
    untimely_crashes=st.floats(0, 1),
    strikes=st.dictionaries(st.sampled_from(list(STRIKING)), st.integers(50 * MILLISECOND, 2_000 * MILLISECOND)),
)


@settings(max_examples=40, deadline=None)
@given(WEATHERS, st.integers(0, 1 << 32))
def test_no_promise_is_broken_in_any_weather(weather: Weather, seed: int) -> None:
    live(Cluster(seed, 0, weather, frozenset(), Tally()), stormy_steps=300)


# What the cluster does wrong, planted one step below the rules -------------------------------------------------------


def test_a_disk_that_only_claims_to_flush_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def flush(wal: Wal) -> None:
        wal._synced_through = wal._unflushed_ends[-1]
        wal._unflushed_ends.clear()

    monkeypatch.setattr(Wal, "flush", flush)
    assert first_failure(Plan(SEED, 30_000)).property in (Property.RECOVERY, Property.ANSWERED_WRITES)


def test_a_cluster_that_does_not_converge_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "heartbeat", lambda host, term: None)
    monkeypatch.setattr("refimpl.simulation.run.CALM", 3_000_000)
    failure = first_failure(Plan(SEED, 30_000, round_steps=500))
    assert failure.property is Property.CONVERGENCE
    assert failure.step > failure.stormy_steps == 500


def test_an_assertion_of_the_core_that_fails_is_a_broken_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    def campaign(raft: Raft) -> None:
        raise AssertionError("planted")

    monkeypatch.setattr(Raft, "_campaign", campaign)
    failure = first_failure(Plan(SEED, 1000))
    assert failure.property is Property.NO_ALARM
    assert "planted" in str(failure.error)


# The full check against the incremental one --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blinded", "fault", "missed"),
    [
        ("_apply_once", Fault.NO_DEDUP, Property.EXACTLY_ONCE),
        ("answers", Fault.REPLY_AT_APPEND, Property.ANSWERED_WRITES),
    ],
)
def test_the_full_check_finds_what_a_blind_incremental_check_misses(
    blinded: str, fault: Fault, missed: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    def apply_once(history: Invariants, view: object, node: Node, last_applied: Index) -> None:
        history.views[node.config.server].last_applied = last_applied

    def answers(history: Invariants, client: ClientId, serial: Serial) -> None:
        history.answered.add((client, serial))

    monkeypatch.setattr(Invariants, blinded, {"_apply_once": apply_once, "answers": answers}[blinded])
    # The clients would notice, too.
    monkeypatch.setattr(Moments, "command_ends", lambda moments, client, serial: None)
    monkeypatch.setattr(Moments, "read_ends", lambda moments, client, key, value: None)
    failure = first_failure(Plan(SEED, 60_000, broken=frozenset({fault})))
    assert isinstance(failure.error, CheckersDisagree)
    assert failure.property is missed


def running_cluster() -> Cluster:
    """A cluster without misfortunes that has taken some hundred steps."""
    weather = drawn(SEED, 0, 3, frozenset(Misfortune))
    cluster = Cluster(SEED, 0, weather, frozenset(), Tally())
    while len(cluster.invariants.committed) < 8 or cluster.invariants.views[ServerId("s1")].last_applied < 5:
        cluster.step()
    cluster.check()
    return cluster


def put_into_log(node: Node, index: int, entry: Entry) -> None:
    entries = list(node.raft.log.entries)
    entries[index - 1] = entry
    node.raft.log = Log(entries)


FOREIGN = Entry(Term(1), Command(ClientId("c9"), Serial(9), Append("apple", "?")))


def test_the_full_check_sees_a_log_that_changes_below_its_end() -> None:
    cluster = running_cluster()
    put_into_log(cluster.hosts[ServerId("s1")].node, 2, FOREIGN)
    with pytest.raises(CheckersDisagree, match="its memory is not what was noted"):
        cluster.check()


def test_the_full_check_compares_logs_commits_and_elections_with_each_other() -> None:
    cluster = running_cluster()
    history, node = cluster.invariants, cluster.hosts[ServerId("s1")].node
    put_into_log(node, 2, FOREIGN)
    history.views[ServerId("s1")].memory.log[1] = FOREIGN
    with pytest.raises(CheckersDisagree) as wrong_log:
        cluster.check()
    assert wrong_log.value.property in (Property.LOG_MATCHING, Property.STATE_MACHINE_SAFETY)

    cluster = running_cluster()
    cluster.invariants.committed[2] = FOREIGN
    with pytest.raises(CheckersDisagree) as wrong_commit:
        cluster.check()
    assert wrong_commit.value.property is Property.STATE_MACHINE_SAFETY

    cluster = running_cluster()
    cluster.invariants.elections.clear()
    with pytest.raises(CheckersDisagree) as unknown_leader:
        cluster.check()
    assert unknown_leader.value.property is Property.ELECTION_SAFETY


# The incremental checks, one by one ----------------------------------------------------------------------------------


def test_a_second_leader_of_a_term_breaks_election_safety() -> None:
    cluster = running_cluster()
    leader = next(host for host in cluster.hosts.values() if host.leads)
    other = next(host for host in cluster.hosts.values() if not host.leads)
    other.node.raft.role = leader.node.raft.role
    with pytest.raises(PropertyViolated) as broken:
        cluster.invariants.stepped(other.node)
    assert broken.value.property is Property.ELECTION_SAFETY


def test_a_leader_that_takes_back_an_entry_breaks_leader_append_only() -> None:
    cluster = running_cluster()
    node = next(host.node for host in cluster.hosts.values() if host.leads)
    node.raft.log = node.raft.log.truncate(Index(node.raft.log.last_index - 1))
    with pytest.raises(PropertyViolated) as broken:
        cluster.invariants.stepped(node)
    assert broken.value.property is Property.LEADER_APPEND_ONLY


def test_an_entry_that_another_log_has_differently_breaks_log_matching() -> None:
    cluster = running_cluster()
    node = next(host.node for host in cluster.hosts.values() if not host.leads)
    last = node.raft.log.last_index
    put_into_log(node, last, replace(FOREIGN, term=node.raft.log.last_term))
    with pytest.raises(PropertyViolated) as broken:
        cluster.invariants.stepped(node)
    assert broken.value.property is Property.LOG_MATCHING


def test_an_index_that_goes_back_breaks_monotony() -> None:
    cluster = running_cluster()
    node = next(iter(cluster.hosts.values())).node
    node.raft.commit_index = Index(node.raft.commit_index - 1)
    with pytest.raises(PropertyViolated) as broken:
        cluster.invariants.stepped(node)
    assert broken.value.property is Property.MONOTONE


def test_a_leader_without_a_committed_entry_breaks_leader_completeness() -> None:
    cluster = running_cluster()
    node = next(host.node for host in cluster.hosts.values() if not host.leads)
    leader = next(host.node for host in cluster.hosts.values() if host.leads)
    node.raft.log = node.raft.log.truncate(Index(2))
    node.raft.commit_index = Index(2)
    cluster.invariants.views[node.config.server].memory.commit_index = Index(2)
    node.raft.current_term = Term(node.raft.current_term + 1)
    node.raft.role = leader.raft.role
    with pytest.raises(PropertyViolated) as broken:
        cluster.invariants.stepped(node)
    assert broken.value.property is Property.LEADER_COMPLETENESS


# Moments -------------------------------------------------------------------------------------------------------------


def model_of(*values: str) -> Model:
    model = Model()
    for index, value in enumerate(values, 1):
        model.commit(Index(index), Entry(Term(1), Command(ClientId("c1"), Serial(index), Append("pear", value))))
    return model


def test_a_read_may_see_any_moment_while_it_is_under_way_and_none_before() -> None:
    one, other = ClientId("c1"), ClientId("c2")
    moments = Moments(model_of("a", "b", "c"))
    moments.begins(one)
    moments.read_ends(one, "pear", None)
    moments.begins(other)
    moments.begins(one)
    moments.read_ends(one, "pear", "ab")
    moments.read_ends(other, "pear", "a")  # it had begun before
    moments.begins(other)
    with pytest.raises(PropertyViolated, match="at no time since entry 2"):
        moments.read_ends(other, "pear", "a")


def test_a_read_must_see_a_command_that_had_ended() -> None:
    one, other = ClientId("c1"), ClientId("c2")
    moments = Moments(model_of("a", "b"))
    moments.begins(one)
    moments.command_ends(one, Serial(2))
    moments.begins(other)
    with pytest.raises(PropertyViolated, match="at no time since entry 2"):
        moments.read_ends(other, "pear", "a")


def test_a_second_copy_of_a_command_has_no_effect_in_the_model() -> None:
    model = model_of("a")
    assert not model.commit(Index(2), Entry(Term(2), Command(ClientId("c1"), Serial(1), Append("pear", "a"))))
    assert model.value_at("pear", Index(2)) == "a"


def test_draws_below_a_limit_reach_all_numbers() -> None:
    chance = Chance(1)
    counts = Counter(chance.below(3) for _ in range(300))
    assert set(counts) == {0, 1, 2}
    assert max(chance.below(1 << 200) for _ in range(20)).bit_length() > 190
