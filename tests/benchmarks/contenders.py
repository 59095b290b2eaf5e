"""Who makes room how: two policies that are in use elsewhere, and ours, each deciding one start at a time.

Where nobody has to be disturbed all of them do the same: the host with the most room, found by our index. They differ
in what happens when a normal server finds no room as it is. The two rivals stop servers and shrink none:

    random      A random host on which it would fit without backfilling servers, and random ones of that host, one after
                the other, until it fits. **Source**: OPIE (indigo-dc), `weights/preemptible.py` and
                `scheduler/filter_scheduler.py`, which takes one arbitrary instance and hopes.
    dry run     On a sample of hosts from a random place on, at least 100 or 10 %: take all backfilling servers away,
                put back those that fit, longest running first, and the rest has to go. The host with the fewest, then
                the one whose longest running victim was started last. **Source**: kube-scheduler, `DefaultPreemption`
                (`SelectVictimsOnNode`, `calculateNumCandidates`, `pickOneNodeForPreemption`); without disruption
                budgets, and with one priority for all backfilling servers.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from backend.cloud.backfill import HostLoad
from backend.cloud.index import HostIndex
from backend.cloud.model import Host, Server, Size
from backend.cloud.placement import NoValidHost, Request

SAMPLE_HOSTS_MIN = 100
SAMPLE_SHARE = 0.1


class Choice(NamedTuple):
    """Where a server goes, and who has to go for it."""

    host: str
    stops: tuple[str, ...] = ()


class Ground:
    """One host, what is on it, and what has been had of it so far. Instants are seconds of the trace."""

    __slots__ = (
        "backfilling", "backfilling_cpu", "backfilling_memory", "cpu_seconds", "delivered_cpu", "delivered_memory",
        "left_cpu", "left_memory", "level_seconds", "load", "seen_at", "wanted_cpu", "wanted_memory",
    )  # fmt: skip

    def __init__(self, host: Host) -> None:
        self.load = HostLoad(host, ())
        self.backfilling: dict[str, Server] = {}
        """By id, in the order in which they came."""
        self.left_cpu, self.left_memory = host.capacity.cpu_mhz, host.capacity.memory_bytes
        """What normal servers leave."""
        self.backfilling_cpu = self.backfilling_memory = 0
        """At full size."""
        self.seen_at = 0
        self.delivered_cpu = self.delivered_memory = self.wanted_cpu = self.wanted_memory = 0
        """MHz and bytes times seconds of backfilling servers: what they had, and what they would have at full size."""
        self.level_seconds = 0.0
        """The sum of what part of its CPU each second gave a backfilling server: the same part for all of a host."""

    def look(self, at: int) -> None:
        """Count what was had since the last look; to be called before each change.

        All floors are the same part of the size, so whoever fits at the floors has the same part of its CPU, and
        together backfilling servers have all that is left, or all they want.
        """
        seconds = at - self.seen_at
        if not seconds:
            return
        self.seen_at = at
        if not self.backfilling:
            return
        cpu, memory = self.backfilling_cpu, self.backfilling_memory
        self.wanted_cpu += cpu * seconds
        self.wanted_memory += memory * seconds
        self.delivered_cpu += min(cpu, self.left_cpu) * seconds
        self.delivered_memory += min(memory, self.left_memory) * seconds
        self.level_seconds += seconds * min(1.0, self.left_cpu / cpu)

    def add(self, server: Server) -> None:
        self.load = self.load.changed(None, server)
        self._count(server, 1)
        if server.is_backfilling:
            self.backfilling[server.id] = server

    def remove(self, server: Server) -> None:
        self.load = self.load.changed(server, None)
        self._count(server, -1)
        if server.is_backfilling:
            del self.backfilling[server.id]

    def _count(self, server: Server, sign: int) -> None:
        cpu, memory = sign * server.size.cpu_mhz, sign * server.size.memory_bytes
        if server.is_backfilling:
            self.backfilling_cpu += cpu
            self.backfilling_memory += memory
        else:
            self.left_cpu -= cpu
            self.left_memory -= memory


class Contender(ABC):
    """A policy. `index` always knows every host as it is when a choice is made."""

    def __init__(self, grounds: Sequence[Ground], *, start_level_permille: int = 1000) -> None:
        self.grounds = grounds
        self.index = HostIndex(start_level_permille=start_level_permille)
        self.index.fill(ground.load for ground in grounds)

    @abstractmethod
    def choose(self, size: Size, now: datetime, *, is_backfilling: bool) -> Choice | None:
        """None: the start is refused."""


class Ours(Contender):
    """The index decides: whoever can be shrunk is, and of those who must stop, the fewest."""

    def choose(self, size: Size, now: datetime, *, is_backfilling: bool) -> Choice | None:
        found = self.index.place(Request(size, is_backfilling=is_backfilling), now=now)
        return None if isinstance(found, NoValidHost) else Choice(found.chosen.host, found.chosen.plan.stops)


class Rival(Contender):
    """Room for whoever fits as it is; for a normal server that does not, whatever `make_room` says."""

    def __init__(self, grounds: Sequence[Ground], *, seed: int) -> None:
        super().__init__(grounds)
        self.random = random.Random(seed)

    def choose(self, size: Size, now: datetime, *, is_backfilling: bool) -> Choice | None:
        # What a backfilling server may start on is where the size is free with everybody at full size.
        found = self.index.place(Request(size, is_backfilling=True), now=now)
        if not isinstance(found, NoValidHost):
            return Choice(found.chosen.host)
        return None if is_backfilling else self.make_room(size)

    @abstractmethod
    def make_room(self, size: Size) -> Choice | None: ...


class RandomVictims(Rival):
    def make_room(self, size: Size) -> Choice | None:
        fitting = [
            ground
            for ground in self.grounds
            if ground.left_cpu >= size.cpu_mhz and ground.left_memory >= size.memory_bytes
        ]
        if not fitting:
            return None
        ground = self.random.choice(fitting)
        cpu = ground.left_cpu - ground.backfilling_cpu - size.cpu_mhz
        memory = ground.left_memory - ground.backfilling_memory - size.memory_bytes
        victims = list(ground.backfilling.values())
        stops = []
        while cpu < 0 or memory < 0:
            victim = victims.pop(self.random.randrange(len(victims)))
            stops.append(victim.id)
            cpu += victim.size.cpu_mhz
            memory += victim.size.memory_bytes
        return Choice(ground.load.host.name, tuple(stops))


class DryRun(Rival):
    def make_room(self, size: Size) -> Choice | None:
        count = len(self.grounds)
        first = self.random.randrange(count)
        sample = min(count, max(SAMPLE_HOSTS_MIN, int(count * SAMPLE_SHARE)))
        found = 0
        best: tuple[Ground, list[Server]] | None = None
        for number in range(count):
            ground = self.grounds[(first + number) % count]
            victims = self._victims(ground, size)
            if victims is None:
                continue
            if best is None or _comes_before(victims, best[1]):
                best = ground, victims
            found += 1
            if found == sample:
                break
        return None if best is None else Choice(best[0].load.host.name, tuple(victim.id for victim in best[1]))

    @staticmethod
    def _victims(ground: Ground, size: Size) -> list[Server] | None:
        """Longest running first; None where it does not fit even on the empty host."""
        cpu, memory = ground.left_cpu - size.cpu_mhz, ground.left_memory - size.memory_bytes
        if cpu < 0 or memory < 0:
            return None
        victims = []
        for server in ground.backfilling.values():
            its = server.size
            if its.cpu_mhz <= cpu and its.memory_bytes <= memory:
                cpu -= its.cpu_mhz
                memory -= its.memory_bytes
            else:
                victims.append(server)
        return victims


def _comes_before(victims: Sequence[Server], others: Sequence[Server]) -> bool:
    if len(victims) != len(others):
        return len(victims) < len(others)
    first, other = victims[0].started_at, others[0].started_at
    assert first is not None, "who runs was started"
    assert other is not None, "who runs was started"
    return first > other
