"""The burst levels: what they were at every tick, and what they are next.

They follow the load as it was known when they were told, and are never told otherwise: see `closing`.
"""

from __future__ import annotations

from collections.abc import Mapping

from backend.cloud import billing
from backend.cloud.billing import Levels, tick_of
from backend.cloud.instants import microseconds_of
from backend.cloud.metering import CAPACITY_CPU, CAPACITY_MEMORY, CLOUD, LOAD_CPU, LOAD_MEMORY
from backend.cloud.prices import RESOURCES, TICK
from backend.operations import Cloud

CHUNK_TICKS = 576
"""Two days: what is worked out at once, so that nobody else waits long meanwhile."""
_LOADS = {"cpu": (LOAD_CPU, CAPACITY_CPU), "mem": (LOAD_MEMORY, CAPACITY_MEMORY)}
_BOTH = (LOAD_CPU, CAPACITY_CPU, LOAD_MEMORY, CAPACITY_MEMORY)


async def until(cloud: Cloud, end: int) -> Mapping[str, Levels]:
    """The burst levels of the ticks before `end`, by what they follow; of none that is still to be settled."""
    accounting = cloud.accounting
    end = min(end, accounting.closed + 2)
    first = accounting.levels_end
    if first == 0:
        begun = await cloud.store.cloud_read(lambda tx: tx.first_use(CLOUD))
        if begun is None:
            return {}
        first = tick_of(begun)
    while first < end:
        before = min(end, first + CHUNK_TICKS)
        begins, ends = (first - 1) * TICK - 1, (before - 2) * TICK
        found = await cloud.store.cloud_read(
            lambda tx, begins=begins, ends=ends: tx.in_use(CLOUD, begins, ends, resources=_BOTH)  # type: ignore[misc]
        )
        for name, (load, capacity) in _LOADS.items():
            part = billing.levels_of(billing.of_resource(found, load), billing.of_resource(found, capacity), before)
            if not part or part[0][0] > first:
                part = [(first, 1), *part]
            known = [step for step in accounting.levels.get(name, ()) if step[0] < first]
            for step in part:
                if step[1] != (known[-1][1] if known else 1):
                    known.append(step)
            accounting.levels[name] = known
        first = accounting.levels_end = before
    return {name: list(steps) for name, steps in accounting.levels.items()}


async def of_now(cloud: Cloud) -> tuple[dict[str, int], dict[str, int]]:
    """Of every resource that is billed: the burst level now, and the one that is next."""
    tick = tick_of(microseconds_of(cloud.clock.now()))
    known = await until(cloud, tick + 2)
    last = cloud.accounting.closed + 1
    at = (min(tick, last), min(tick + 1, last))
    now, then = ({name: billing.level_at(billing.levels_for(name, known), each) for name in RESOURCES} for each in at)
    return now, then


async def known(cloud: Cloud) -> Mapping[str, Levels]:
    """Of all ticks until now, by what they follow."""
    return await until(cloud, tick_of(microseconds_of(cloud.clock.now())) + 1)
