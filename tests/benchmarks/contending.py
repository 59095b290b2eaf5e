"""Runs of `rivals` in a process of their own: `... HOURS SHARE SEED FLEET POLICY [POLICY ...]`.

One driver for all policies: the Azure trace's servers come at the end of their bins of 5 minutes, are placed or
refused, and leave when their time is over, each at its own instant. Who was refused or stopped does not come back.
There is no grace: who has to go is gone at once, under every policy. Half of the tenant batches are backfilling ones,
by the same label that the replay uses. Prints what each policy came to as one JSON list.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from hashlib import sha256
from heapq import heappop, heappush
from itertools import groupby
from math import ceil

from backend import trace
from backend.cloud.backfill import effective_sizes, floor_of
from backend.cloud.model import GIB, VCPU_MHZ, Host, HostKind, HostState, Server, ServerState, Size
from backend.fleet_file import numbered_names
from backend.trace import Arrival
from tests.benchmarks.contenders import Contender, DryRun, Ground, Ours, RandomVictims

BEGIN = datetime(2017, 1, 1, tzinfo=UTC)
BACKFILL_SHARE = 0.5
CELL = "cell-1"
CORE_HOUR = VCPU_MHZ * 3600
GIB_HOUR = GIB * 3600


@dataclass(frozen=True, slots=True)
class Fleet:
    """Equal hosts."""

    hosts: int
    cores: int
    memory_gib: int

    @property
    def size(self) -> Size:
        return Size(self.cores * VCPU_MHZ, self.memory_gib * GIB)


FLEETS = {
    "1200_hosts": Fleet(1_200, 48, 336),
    "1000_hosts": Fleet(1_000, 48, 336),
    # As short of memory as the first is of CPU: 55 % of the trace's peak. Of CPU it has 64 %.
    "little_memory": Fleet(1_400, 48, 112),
}


@dataclass(frozen=True, slots=True)
class Policy:
    make: Callable[[Sequence[Ground], int], Contender]
    """From the hosts and a seed."""
    floor: float = 1
    start_level: float = 1


def _ours(floor: float, start_level: float) -> Policy:
    permille = round(1000 * start_level)
    return Policy(lambda grounds, _seed: Ours(grounds, start_level_permille=permille), floor, start_level)


POLICIES = {
    "random_victims": Policy(lambda grounds, seed: RandomVictims(grounds, seed=seed)),
    "dry_run_of_a_sample": Policy(lambda grounds, seed: DryRun(grounds, seed=seed)),
    "ours_floor_1": _ours(1, 1),
    "ours_floor_0.5": _ours(0.5, 1),
    "ours_floor_0.25": _ours(0.25, 1),
    "ours_floor_0.5_start_0.75": _ours(0.5, 0.75),
    "ours_floor_0.25_start_0.75": _ours(0.25, 0.75),
}
"""At floor 1 nobody is shrunk, so a start level below 1 changes nothing there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one policy came to. Hours lost, delivered and at full size are those of backfilling servers."""

    fleet: str
    policy: str
    hosts: int
    cores_per_host: int
    memory_gib_per_host: int
    floor: float
    start_level: float
    hours: float
    servers_asked_for: int
    servers_stopped: int
    decisions_that_stopped: int
    core_hours_lost_nominal: float
    """Size times age at the stop."""
    core_hours_lost_effective: float
    """What those that were stopped had really had."""
    core_hours_delivered: float
    core_hours_at_full_size: float
    """What would have been delivered, had nobody been shrunk."""
    gib_hours_delivered: float
    gib_hours_at_full_size: float
    normal_starts_refused: int
    backfilling_starts_refused: int
    normal_servers_finished: int
    backfilling_servers_finished: int
    backfilling_servers_left: int
    """Running at the end."""
    cpu_used_share: float
    """Of all hosts, on average over the time."""
    memory_used_share: float
    decisions_per_second: float
    seconds: float
    peak_rss_mib: float
    seed: int
    final_state_hash: str
    """Of every decision, and of who is where with how much at the end."""


@dataclass(slots=True)
class _Life:
    """A server that runs."""

    server: Server
    ground: Ground
    began_at: int
    level_seconds: float
    """The host's, when it began."""


class Drive:
    """One fleet under one policy."""

    def __init__(self, fleet: Fleet, policy: Policy, *, seed: int) -> None:
        self.fleet, self.policy, self.seed = fleet, policy, seed
        self.grounds = {
            name: Ground(Host(name, CELL, HostKind.COMPUTE, HostState.UP, fleet.size, state_since=BEGIN))
            for name in numbered_names("host", fleet.hosts)
        }
        self.contender = policy.make(list(self.grounds.values()), seed)
        self.asked = self.stopped = self.disturbed = 0
        self.refused: Counter[bool] = Counter()
        """By whether they are backfilling ones; so is `finished`."""
        self.finished: Counter[bool] = Counter()
        self.lost_nominal = 0
        self.lost_effective = 0.0
        self.lives: dict[str, _Life] = {}
        self.normal_cpu_seconds = self.normal_memory_seconds = 0
        self._ends: list[tuple[int, str]] = []
        self._stale: dict[str, Ground] = {}
        self._hash = sha256()
        self._floor = cache(partial(floor_of, own_permille=(0, 0), cloud_permille=round(1000 * policy.floor)))
        self._is_backfilling = cache(partial(trace.is_backfilling, seed=seed, share=BACKFILL_SHARE))

    def run(self, arrivals: Iterable[Arrival], hours: float) -> None:
        for at, comers in groupby(arrivals, key=lambda arrival: arrival.at_seconds):
            self._let_go(at)
            now = BEGIN + timedelta(seconds=at)
            for arrival in comers:
                self._take_in(arrival, at, now)
        self._let_go(ceil(hours * 3600))
        for ground in self.grounds.values():
            ground.look(ceil(hours * 3600))

    def _let_go(self, until: int) -> None:
        while self._ends and self._ends[0][0] <= until:
            at, id = heappop(self._ends)
            if id in self.lives:
                life = self._leave(id, at)
                self.finished[life.server.is_backfilling] += 1

    def _leave(self, id: str, at: int) -> _Life:
        life = self.lives.pop(id)
        life.ground.look(at)
        self._stale[life.ground.load.host.name] = life.ground
        server = life.server
        life.ground.remove(server)
        if not server.is_backfilling:
            self.normal_cpu_seconds += (at - life.began_at) * server.size.cpu_mhz
            self.normal_memory_seconds += (at - life.began_at) * server.size.memory_bytes
        return life

    def _take_in(self, arrival: Arrival, at: int, now: datetime) -> None:
        self.asked += 1
        for ground in self._stale.values():
            self.contender.index.put(ground.load)
        self._stale.clear()
        is_backfilling = self._is_backfilling(arrival.tenant_batch)
        choice = self.contender.choose(arrival.size, now, is_backfilling=is_backfilling)
        self._hash.update(f"{arrival.number} {choice}\n".encode())
        if choice is None:
            self.refused[is_backfilling] += 1
            return
        self.disturbed += bool(choice.stops)
        for victim in choice.stops:
            self._stop(victim, at)
        ground = self.grounds[choice.host]
        ground.look(at)
        server = self._server(arrival, now, choice.host, is_backfilling=is_backfilling)
        ground.add(server)
        self._stale[choice.host] = ground
        self.lives[server.id] = _Life(server, ground, at, ground.level_seconds)
        if arrival.lifetime_seconds is not None:
            heappush(self._ends, (at + arrival.lifetime_seconds, server.id))

    def _stop(self, id: str, at: int) -> None:
        life = self._leave(id, at)
        server = life.server
        self.stopped += 1
        self.lost_nominal += server.size.cpu_mhz * (at - life.began_at)
        self.lost_effective += server.size.cpu_mhz * (life.ground.level_seconds - life.level_seconds)

    def _server(self, arrival: Arrival, now: datetime, host: str, *, is_backfilling: bool) -> Server:
        return Server(
            id=f"{arrival.number:07}",
            name="",
            cell=CELL,
            project_id="",
            owner="",
            size=arrival.size,
            created_at=now,
            state=ServerState.RUNNING,
            is_backfilling=is_backfilling,
            host=host,
            floor=self._floor(arrival.size) if is_backfilling else None,
            started_at=now,
        )

    def check(self) -> None:
        """Nobody is lost, and nobody holds what is not there."""
        left = sum(len(ground.load.servers) for ground in self.grounds.values())
        assert left == len(self.lives)
        assert self.asked == self.refused.total() + self.stopped + self.finished.total() + left
        for ground in self.grounds.values():
            load = ground.load
            given = effective_sizes(load)
            assert sum(given.values(), Size(0, 0)).fits_in(load.host.capacity), f"{load.host.name} is over capacity"

    def final_state_hash(self) -> str:
        found = self._hash.copy()
        for name, ground in self.grounds.items():
            for id, size in sorted(effective_sizes(ground.load).items()):
                found.update(f"{name} {id} {size.cpu_mhz} {size.memory_bytes}\n".encode())
        return found.hexdigest()


def outcome(
    fleet_name: str,
    policy_name: str,
    *,
    hours: float,
    share: float,
    seed: int,
    arrivals: Callable[[], Iterable[Arrival]],
) -> Outcome:
    """Drive the first hours of the trace over a share of the fleet's hosts."""
    whole, policy = FLEETS[fleet_name], POLICIES[policy_name]
    fleet = Fleet(max(1, round(whole.hosts * share)), whole.cores, whole.memory_gib)
    drive = Drive(fleet, policy, seed=seed)
    began = time.perf_counter()
    drive.run(arrivals(), hours)
    seconds = time.perf_counter() - began
    drive.check()
    grounds = drive.grounds.values()
    delivered = sum(ground.delivered_cpu for ground in grounds), sum(ground.delivered_memory for ground in grounds)
    end = ceil(hours * 3600)
    normal = [drive.normal_cpu_seconds, drive.normal_memory_seconds]
    for ground in grounds:
        for server in ground.load.servers:
            if not server.is_backfilling:
                age = end - drive.lives[server.id].began_at
                normal[0] += age * server.size.cpu_mhz
                normal[1] += age * server.size.memory_bytes
    return Outcome(
        fleet=fleet_name,
        policy=policy_name,
        hosts=fleet.hosts,
        cores_per_host=fleet.cores,
        memory_gib_per_host=fleet.memory_gib,
        floor=policy.floor,
        start_level=policy.start_level,
        hours=hours,
        servers_asked_for=drive.asked,
        servers_stopped=drive.stopped,
        decisions_that_stopped=drive.disturbed,
        core_hours_lost_nominal=round(drive.lost_nominal / CORE_HOUR, 1),
        core_hours_lost_effective=round(drive.lost_effective / CORE_HOUR, 1),
        core_hours_delivered=round(delivered[0] / CORE_HOUR, 1),
        core_hours_at_full_size=round(sum(ground.wanted_cpu for ground in grounds) / CORE_HOUR, 1),
        gib_hours_delivered=round(delivered[1] / GIB_HOUR, 1),
        gib_hours_at_full_size=round(sum(ground.wanted_memory for ground in grounds) / GIB_HOUR, 1),
        normal_starts_refused=drive.refused[False],
        backfilling_starts_refused=drive.refused[True],
        normal_servers_finished=drive.finished[False],
        backfilling_servers_finished=drive.finished[True],
        backfilling_servers_left=sum(len(ground.backfilling) for ground in grounds),
        cpu_used_share=round((delivered[0] + normal[0]) / (end * fleet.hosts * fleet.size.cpu_mhz), 4),
        memory_used_share=round((delivered[1] + normal[1]) / (end * fleet.hosts * fleet.size.memory_bytes), 4),
        decisions_per_second=round(drive.asked / seconds, 1),
        seconds=round(seconds, 2),
        peak_rss_mib=_peak_rss_mib(),
        seed=seed,
        final_state_hash=drive.final_state_hash(),
    )


def _peak_rss_mib() -> float:

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def main(arguments: Sequence[str]) -> None:
    hours, share, seed = float(arguments[0]), float(arguments[1]), int(arguments[2])
    fleet, policies = arguments[3], arguments[4:]
    found: list[Mapping[str, object]] = []
    for policy in policies:
        done = outcome(fleet, policy, hours=hours, share=share, seed=seed, arrivals=partial(trace.arrivals, hours))
        found.append(asdict(done))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
