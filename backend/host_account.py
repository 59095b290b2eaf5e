"""What is on a host, from the pictures of a log alone: room, shares and sizes, in arithmetic of its own.

This is what decisions and stored sizes are checked by, so it shares no code with what made them. Backfilling
servers have their size times a share, one for all of them in each dimension and as high as fits, or else their floor.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import accumulate
from typing import Any

from backend.event_log import Breach, CellLog, Picture

DIMENSIONS = ("cpu_mhz", "memory_bytes")
UNITS = (1, 2**20)
"""What a shrunk server has is a multiple of it, or its floor."""
SMALLEST = (250, 256 * 2**20)
"""No floor is lower, and no host with less left of either offers anything to a backfilling server."""

Key = tuple[int, int, tuple[Any, ...]]
"""Stops, work lost, and (CPU stopped, shrunk, room, host): the last is () in a bound, and then comes first."""


@lru_cache(maxsize=1024)
def seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())


def level(left: int, sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The highest share, as a fraction up to 1, that all (size, floor) can have in `left`, but for those at floors."""
    total = sum([size for size, _ in sizes])
    if left >= total:
        return (1, 1)
    if left > 0 and not [1 for size, floor in sizes if floor * total > size * left]:
        return (left, total)
    for size, floor in sorted(sizes, key=lambda each: -(each[1] * 10**30 // each[0])):
        if left <= 0 or floor * total <= size * left:
            break
        left, total = left - floor, total - size
    return (max(0, left), total or 1)


class Host:
    """One host in the accounting of decisions: who waits for room counts, who was told to go does not."""

    def __init__(self, picture: Picture, servers: Iterable[Picture]) -> None:
        self.name, self.is_up = str(picture["name"]), picture["state"] == "up"
        self.left: list[int] = [picture[d] for d in DIMENSIONS]
        self.ids: list[str] = []
        self.sizes: list[tuple[int, int]] = []
        self.floors: list[tuple[int, int]] = []
        self.started: list[int] = []
        self.is_waited_for = False
        running, told, their_floors = [0, 0], [0, 0], [0, 0]
        for each in sorted(servers, key=lambda each: str(each["id"])):
            size = each["cpu_mhz"], each["memory_bytes"]
            if not each["is_backfilling"]:
                self.left = [self.left[0] - size[0], self.left[1] - size[1]]
                if each.get("waits") is None:
                    running = [running[0] + size[0], running[1] + size[1]]
                else:
                    self.is_waited_for = True
                continue
            floor = each["cpu_mhz_floor"], each["memory_bytes_floor"]
            if not each.get("notice_until"):
                self.ids.append(str(each["id"]))
                self.sizes.append(size)
                self.floors.append(floor)
                self.started.append(seconds(each["started_at"]))
            else:
                told = [told[0] + size[0], told[1] + size[1]]
                their_floors = [their_floors[0] + floor[0], their_floors[1] + floor[1]]
        self.room = [self.left[d] - sum([size[d] for size in self.sizes]) for d in (0, 1)]
        by_floor = [sorted([floor[d] for floor in self.floors], reverse=True) for d in (0, 1)]
        self.reach = [list(accumulate(floors, initial=0)) for floors in by_floor]
        self.slopes = list(accumulate(sorted([size[0] for size in self.sizes]), initial=0))
        # Who was told to go still has a size and a floor until it has gone.
        self._told = told
        self._floors_of_all = [self.reach[d][-1] + their_floors[d] for d in (0, 1)]
        self._free_now: list[int] = [picture[d] - running[i] - self._floors_of_all[i] for i, d in enumerate(DIMENSIONS)]

    def has_room(self, size: Sequence[int]) -> bool:
        return self.is_up and self.left[0] >= size[0] and self.left[1] >= size[1]

    def has_room_now(self, size: Sequence[int]) -> bool:
        """Whether a normal server need not wait for its room."""
        return self._free_now[0] >= size[0] and self._free_now[1] >= size[1]

    def free(self, level_permille: int) -> tuple[int, int]:
        """What a backfilling server may start with where everybody can still have this part of its size."""
        cpu, memory = (
            min(self.left[d] * 1000 // level_permille - self.left[d] + self.room[d] - self._told[d],
                self.left[d] - self._floors_of_all[d])
            for d in (0, 1)
        )  # fmt: skip
        return (cpu, memory) if self.is_up and cpu >= SMALLEST[0] and memory >= SMALLEST[1] else (0, 0)

    def fewest(self, size: Sequence[int]) -> int:
        """So many have to stop at least: fewer do not make the room, whichever they are."""
        cpu, memory = self.short(size)
        return max(bisect_left(self.reach[0], cpu), bisect_left(self.reach[1], memory))

    def works(self, at: int) -> list[int]:
        return [size[0] * max(0, at - started) for size, started in zip(self.sizes, self.started, strict=True)]

    def short(self, size: Sequence[int]) -> list[int]:
        """What is missing for the size with all that stay at their floors."""
        return [size[d] + self.reach[d][-1] - self.left[d] for d in (0, 1)]

    def covers(self, chosen: Collection[int], short: Sequence[int]) -> bool:
        return all(sum([self.floors[i][d] for i in chosen]) >= short[d] for d in (0, 1))

    def shrunk(self, size: Sequence[int], gone: Collection[int]) -> int:
        """How many of those that stay have less when `gone` have gone and a normal server of this size has come."""
        stay = [i for i in range(len(self.ids)) if i not in gone]
        after = [level(self.left[d] - size[d], [self._share(i, d) for i in stay]) for d in (0, 1)]
        return self._count_shrunk(stay, after)

    def shrunk_beside(self, size: Sequence[int], floor: Sequence[int]) -> int:
        """How many have less when a backfilling server has come."""
        stay = range(len(self.ids))
        after = [level(self.left[d], [*(self._share(i, d) for i in stay), (size[d], floor[d])]) for d in (0, 1)]
        return self._count_shrunk(stay, after)

    def _share(self, i: int, d: int) -> tuple[int, int]:
        return self.sizes[i][d], self.floors[i][d]

    def _count_shrunk(self, stay: Sequence[int], levels: Sequence[tuple[int, int]]) -> int:
        found: set[int] = set()
        for d, (after, after_of) in enumerate(levels):
            share, of = level(self.left[d], [self._share(i, d) for i in range(len(self.ids))])
            if after * of < share * after_of:
                found.update(i for i in stay if self.floors[i][d] * of < share * self.sizes[i][d])
        return len(found)

    def key(self, size: Sequence[int], stops: Collection[int], works: Sequence[int], policy: str) -> Key:
        cpu, room = sum([self.sizes[i][0] for i in stops]), [-r if policy == "spread" else r for r in self.room]
        return (len(stops), sum([works[i] for i in stops]), (cpu, self.shrunk(size, stops), *room, self.name))


class Hosts:
    """The compute hosts of a log as they are now. Each is worked out once for each change of it."""

    def __init__(self, log: CellLog) -> None:
        self._log = log
        self._hosts: dict[str, Host] = {}
        self._places: dict[str, int] = {}
        self._read = 0

    def _catch_up(self) -> None:
        changed = self._log.changed
        for place in range(self._read, len(changed)):
            self._hosts.pop(changed[place], None)
            self._places[changed[place]] = place
        self._read = len(changed)

    def is_compute(self, name: str) -> bool:
        return bool(self._log.objects["host"][name]["kind"] == "compute")

    def place(self, name: str) -> int:
        """Of its last change in the log's list: tells one state of the host from another."""
        self._catch_up()
        return self._places[name]

    def of(self, name: str, *, without: str | None = None) -> Host:
        """The host; with `without`, as it would be if that server were not on it."""
        self._catch_up()
        if self._log.is_on(name, without):
            others = [each for each in self._log.servers_on(name) if each["id"] != without]
            return Host(self._log.objects["host"][name], others)
        if name not in self._hosts:
            self._hosts[name] = Host(self._log.objects["host"][name], self._log.servers_on(name))
        return self._hosts[name]

    def names(self) -> list[str]:
        """Of all compute hosts."""
        return [name for name, host in self._log.objects["host"].items() if host["kind"] == "compute"]

    def ranks(self, avoid: Sequence[str], itself: Picture, hidden: Collection[int]) -> dict[str, list[int]]:
        """By host, the places in an avoid list of the servers on it; `hidden` places do not count.

        Hidden are servers of projects that whoever asked may not see: all of such a project, and not the server's own.
        """
        first: dict[str, int] = {}
        for place, id in enumerate(avoid):
            first.setdefault(id, place)
        ranks: dict[str, list[int]] = {}
        unseen, seen = set[str](), {itself["project_id"]}
        hides = set(hidden)
        for id, place in first.items():
            server = self._log.objects["server"].get(id, {})
            if server.get("host") is None or id == itself["id"]:
                continue
            (unseen if place in hides else seen).add(server["project_id"])
            if place not in hides:
                ranks.setdefault(str(server["host"]), []).append(place)
            hides.discard(place)
        if hides or unseen & seen:
            raise Breach(f"the certificate hides places {sorted(hidden)} of the avoid list, and not all of them can be")
        return ranks


def effective(capacity: Picture, servers: Collection[Picture]) -> dict[str, tuple[int, ...]]:
    """What each server of a host must have now. Who was told to go still runs; who waits for room has nothing yet."""
    given: dict[str, tuple[int, ...]] = {str(each["id"]): () for each in servers}
    for dimension, unit in zip(DIMENSIONS, UNITS, strict=True):
        normal = [each for each in servers if not each["is_backfilling"]]
        others = [(each[dimension], each[f"{dimension}_floor"]) for each in servers if each["is_backfilling"]]
        left = capacity[dimension] - sum(each[dimension] for each in normal if each.get("waits") is None)
        share, of = level(left, others)
        for each in servers:
            size = int(each[dimension])
            if not each["is_backfilling"]:
                size = size if each.get("waits") is None else 0
            elif size * share // of < size:
                size = max(each[f"{dimension}_floor"], size * share // of // unit * unit)
            given[each["id"]] += (size,)
    return given
