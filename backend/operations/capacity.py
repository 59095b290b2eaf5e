"""What still fits on the hosts of the cells that answer: of backfilling servers, and of normal ones at three prices."""

from __future__ import annotations

from dataclasses import dataclass

from backend.cloud import backfill
from backend.cloud.backfill import FreeResources
from backend.cloud.model import Size
from backend.operations import Cloud
from backend.operations.cells import Picture, Pictures


@dataclass(frozen=True, slots=True)
class Capacity:
    """What fits now on the hosts that answer."""

    free: FreeResources
    none_shrunk: tuple[Size, str | None]
    """The largest normal server that fits with nobody shrunk, and its host."""
    others_shrink: tuple[Size, str | None]
    others_stop: tuple[Size, str | None]
    cells: tuple[str, ...]
    """The cells that were counted."""
    unreachable: tuple[str, ...]


async def what_fits(cloud: Cloud, pictures: Pictures) -> Capacity:
    """What one more server could have now: `free_resources` for a backfilling one, three prices for a normal one."""
    found: Capacity = await cloud.kept.of(what_fits, lambda: _what_fits(cloud, pictures))
    return found


async def _what_fits(cloud: Cloud, pictures: Pictures) -> Capacity:
    answers = await pictures.fresh()
    loads = [load for answer in answers.values() if isinstance(answer, Picture) for load in answer.loads]
    none_shrunk, others_shrink, others_stop = backfill.normal_prices(loads)
    return Capacity(
        free=backfill.free_resources(loads, start_level_permille=cloud.settings.start_level_permille),
        none_shrunk=none_shrunk,
        others_shrink=others_shrink,
        others_stop=others_stop,
        cells=tuple(cell for cell, answer in answers.items() if isinstance(answer, Picture)),
        unreachable=tuple(cell for cell, answer in answers.items() if not isinstance(answer, Picture)),
    )
