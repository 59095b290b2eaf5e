"""What still fits on the hosts of the cells that answer: of backfilling servers, and of normal ones at three prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backend.cloud import backfill
from backend.cloud.backfill import FreeResources, HostLoad, Price
from backend.operations import Cloud
from backend.operations.cells import Picture, Pictures


@dataclass(frozen=True, slots=True)
class Fits:
    """The largest single servers that would start now on some hosts. Creating and starting exactly one succeeds."""

    free: FreeResources
    none_shrunk: Price
    """The largest normal server that fits with nobody shrunk, and its host."""
    others_shrink: Price
    others_stop: Price

    @classmethod
    def of(cls, loads: Iterable[HostLoad], start_level_permille: int) -> Fits:
        loads = tuple(loads)
        free = backfill.free_resources(loads, start_level_permille=start_level_permille)
        return cls(free, *backfill.normal_prices(loads))


@dataclass(frozen=True, slots=True)
class Capacity:
    """What fits now on the hosts that answer."""

    overall: Fits
    by_cell: Mapping[str, Fits]
    """Of the cells that were counted."""
    unreachable: tuple[str, ...]


async def what_fits(cloud: Cloud, pictures: Pictures) -> Capacity:
    """What one more server could have now: `free_resources` for a backfilling one, three prices for a normal one."""
    found: Capacity = await cloud.kept.of(what_fits, lambda: _what_fits(cloud, pictures))
    return found


async def _what_fits(cloud: Cloud, pictures: Pictures) -> Capacity:
    answers = await pictures.fresh()
    level = cloud.settings.start_level_permille
    loads = {cell: answer.loads for cell, answer in answers.items() if isinstance(answer, Picture)}
    return Capacity(
        overall=Fits.of((load for each in loads.values() for load in each), level),
        by_cell={cell: Fits.of(each, level) for cell, each in loads.items()},
        unreachable=tuple(cell for cell in answers if cell not in loads),
    )
