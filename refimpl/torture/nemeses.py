"""What is done to a cluster, each as one coroutine that begins with a healthy cluster and may leave any mess behind.

Some only disturb. Others lead, step by step, to where a rule of Raft is the last thing between a client and the loss of
his write: they watch the servers' logs for elections and strike in between. All chance comes from the Random that they
are given; what the processes make of it depends on the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from refimpl.entry import ServerId
from refimpl.torture.cluster import ELECTION_TIMEOUT, Cluster
from refimpl.torture.passage import State

Nemesis = Callable[[Cluster, Random], Awaitable[None]]


async def kill_one(cluster: Cluster, random: Random) -> None:
    """A server dies, often the leader, right behind whatever it was doing, and is back soon or a little later."""
    victim = _leader_or_any(cluster, random)
    await asyncio.sleep(random.uniform(0, 0.2))
    cluster.kill(victim)
    await asyncio.sleep(random.choice([0.0, 0.1, 1.0]))
    cluster.restart(victim)


async def kill_leaders_in_a_row(cluster: Cluster, random: Random) -> None:
    """Each new leader dies soon after its election, perhaps before anybody heard what it has to say."""
    for _ in range(random.randint(2, 3)):
        leader = await cluster.until_leader(cluster.names)
        if leader is None:
            return
        await asyncio.sleep(random.uniform(0, 0.1))
        cluster.kill(leader)
        cluster.restart(leader)


async def power_cut(cluster: Cluster, random: Random) -> None:
    """Servers with bad disks answer a leader, which dies with all or most of them; it is the last to be back."""
    leader = await cluster.until_leader(cluster.names)
    if leader is None:
        return
    others = [name for name in cluster.names if name != leader]
    random.shuffle(others)
    if random.random() < 0.8:
        for name in others:
            cluster.ail(name, random.choice(["slow 0.1", "slow 0.3", "failing"]))
        await asyncio.sleep(random.uniform(0.4, 1.0))
    # One that lives still has in its memory what it should have flushed, and wins the election.
    dying = len(others) if random.random() < 0.7 else random.randint(len(cluster.names) // 2, len(others))
    victims = [leader, *others[:dying]]
    cluster.kill(*victims)
    cluster.cure()
    cluster.restart(*victims[1:])
    if random.random() < 0.8:
        await cluster.until_leader(others)
        await asyncio.sleep(random.uniform(0, 0.5))
    cluster.restart(leader)


async def stop_one(cluster: Cluster, random: Random) -> None:
    """A process stands still for longer than an election takes, and goes on as if nothing had been."""
    victim = _leader_or_any(cluster, random)
    cluster.pause(victim)
    await asyncio.sleep(random.uniform(0.2, 4 * ELECTION_TIMEOUT))
    cluster.go_on(victim)


async def split(cluster: Cluster, random: Random) -> None:
    """Two sides that cannot reach each other; what they said meanwhile is lost, or comes late."""
    names = list(cluster.names)
    random.shuffle(names)
    middle = random.randint(1, len(names) - 1)
    cluster.partition(names[:middle], names[middle:], state=random.choice([State.CUT, State.FROZEN]))
    await asyncio.sleep(random.uniform(0.5, 5 * ELECTION_TIMEOUT))


async def split_one_way(cluster: Cluster, random: Random) -> None:
    """A server hears others and is not heard, or the other way round."""
    victim = _leader_or_any(cluster, random)
    mute = random.random() < 0.5
    cluster.note(f"{'mute' if mute else 'deaf'}: {victim}")
    cluster.counts["partitions"] += 1
    for other in cluster.names:
        if other != victim:
            cluster.put(*((victim, other) if mute else (other, victim)), random.choice([State.CUT, State.FROZEN]))
    await asyncio.sleep(random.uniform(0.5, 5 * ELECTION_TIMEOUT))


async def leader_without_followers(cluster: Cluster, random: Random) -> None:
    """The leader is cut off from its peers, not from its clients, while the others elect another and write on."""
    leader = await cluster.until_leader(cluster.names)
    if leader is None:
        return
    others = [name for name in cluster.names if name != leader]
    cluster.partition([leader], others, state=random.choice([State.CUT, State.FROZEN]))
    await cluster.until_leader(others)
    await asyncio.sleep(random.uniform(0.5, 2.5))


async def lost_answers(cluster: Cluster, random: Random) -> None:
    """Clients lose their connections again and again, with the answers on them; now and then the servers do, too."""
    for _ in range(random.randint(5, 20)):
        cluster.drop(clients=random.random() < 0.8)
        await asyncio.sleep(random.uniform(0.01, 0.15))


async def clients_cut_off(cluster: Cluster, random: Random) -> None:
    """The leader gets requests' answers to nobody: its clients are held up, and ask the others."""
    leader = _leader_or_any(cluster, random)
    state = random.choice([State.CUT, State.FROZEN])
    cluster.note(f"{state.value} for clients: {leader}")
    cluster.hide(leader, state)
    await asyncio.sleep(random.uniform(0.3, 2.0))


async def slow_network(cluster: Cluster, random: Random) -> None:
    """All that servers say to each other comes late; now and then it does not come."""
    delay = random.choice([0.02, 0.1, 0.2])
    cluster.note(f"slow: {delay} s")
    cluster.slow(delay)
    for _ in range(random.randint(1, 3)):
        await asyncio.sleep(random.uniform(0.2, 1.0))
        if random.random() < 0.5:
            cluster.drop(clients=False)


async def bad_disk(cluster: Cluster, random: Random) -> None:
    """A disk is slow, full or failing for a while; the server stops and is started until it can go on."""
    victim = _leader_or_any(cluster, random)
    cluster.ail(victim, random.choice([f"slow {random.choice([0.05, 0.3, 1.0])}", "full", "failing"]))
    await asyncio.sleep(random.uniform(0.5, 3.0))


async def two_candidates(cluster: Cluster, random: Random) -> None:
    """Two servers want the votes of the same others in the same term: these vote for one, die, are back, and are asked
    by the other."""
    names = list(cluster.names)
    random.shuffle(names)
    # Whoever is neither is down: with the voters each of the two has a majority, and without them none.
    pair, voters, down = names[:2], names[2 : 2 + len(names) // 2], names[2 + len(names) // 2 :]
    one, other = (cluster.processes[name] for name in pair)
    cluster.kill(*down)
    cluster.partition([one.name, *voters], [other.name])
    cluster.put_between(pair, voters, State.FROZEN)
    for candidate in (one, other):
        if candidate.is_leader:  # it would stay one
            cluster.kill(candidate.name)
            cluster.restart(candidate.name)
    # Once the voters go on, they hear what waits for them before they look at their clocks. What comes then is late.
    cluster.slow(ELECTION_TIMEOUT / 3, *pair)
    for name in voters:
        cluster.pause(name)
    await cluster.until(lambda: one.is_candidate and other.is_candidate and abs(one.term - other.term) == 1, 4)
    first, second = (one, other) if one.term > other.term else (other, one)
    cluster.put_between([first.name], voters, State.OPEN)
    await asyncio.sleep(0.1)  # until it is in their sockets
    for name in voters:
        cluster.go_on(name)
    if not await cluster.until(lambda: first.is_leader, seconds=1.5):
        return
    # They voted; what the first says as a leader is on its way to them. Soon the second is in the same term.
    cluster.kill(*voters)
    cluster.put_between([first.name], voters, State.CUT)
    cluster.slow(0.0)
    cluster.restart(*voters)
    await cluster.until_up(voters)
    await cluster.until(lambda: second.term >= first.term, seconds=ELECTION_TIMEOUT / 2)
    cluster.put_between([second.name], voters, State.OPEN)
    await cluster.until(lambda: second.is_leader, seconds=1.0)


async def figure_eight(cluster: Cluster, random: Random) -> None:
    """Figure 8 of the Raft paper: a leader alone with new entries, another one, and the first one again.

    Its old entries are then on a majority, and committed only with one of its new term; before that one is there, the
    first is cut off, and the other, which has never heard of them, is back.
    """
    first = await cluster.until_leader(cluster.names)
    if first is None:
        return
    others = [name for name in cluster.names if name != first]
    delay = random.choice([0.1, 0.15])
    cluster.partition([first], others)
    cluster.slow(delay)
    term = cluster.term
    await asyncio.sleep(random.uniform(0.3, 0.8))  # clients write to the first
    second = await cluster.until_leader(others, seconds=3, after=term)
    if second is None:
        return
    term = cluster.term
    rest = [name for name in others if name != second]
    # Nobody has heard of the second's first entry. The first has the longest log: it learns of the term and wins one.
    cluster.partition([second], [first, *rest])
    if await cluster.until_leader([first], seconds=4, after=term) is None:
        return
    term = cluster.term
    # Four delays: its entry refused, an older one sent, and that one acknowledged. Then it commits, or had better not.
    await asyncio.sleep(delay * random.uniform(4, 10))
    cluster.partition([first], [second, *rest])
    await cluster.until_leader([second], seconds=4, after=term)
    await asyncio.sleep(random.uniform(0.2, 0.8))


def _leader_or_any(cluster: Cluster, random: Random) -> ServerId:
    leader = cluster.leader
    return leader if leader is not None and random.random() < 0.6 else random.choice(cluster.names)


WEIGHTS: dict[Nemesis, int] = {
    kill_one: 8,
    kill_leaders_in_a_row: 6,
    power_cut: 5,
    stop_one: 2,
    split: 2,
    split_one_way: 1,
    leader_without_followers: 3,
    lost_answers: 2,
    clients_cut_off: 1,
    slow_network: 1,
    bad_disk: 2,
    two_candidates: 6,
    figure_eight: 4,
}
"""How often each is chosen."""


async def torment(cluster: Cluster, random: Random) -> None:
    """One after the other, with a healthy cluster in between, until cancelled."""
    await cluster.until_leader(cluster.names)
    await asyncio.sleep(0.5)
    while True:
        nemesis = random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        cluster.note(f"- {nemesis.__name__}")
        cluster.counts[f"nemesis {nemesis.__name__}"] += 1
        await nemesis(cluster, random)
        cluster.heal()
        await asyncio.sleep(random.uniform(0.2, 1.0))
