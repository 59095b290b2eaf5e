"""Hosts: what is on them, and what fits on them now. Losing one is in `losses`, emptying one in `drains`."""

from __future__ import annotations

from dataclasses import dataclass

from backend.cloud import backfill
from backend.cloud.backfill import FreeResources, HostLoad
from backend.cloud.errors import NotFound, Unreachable
from backend.cloud.model import Size
from backend.cloud.placement import StorageLoad
from backend.operations import Cloud
from backend.operations.cells import Picture, Pictures


@dataclass(frozen=True, slots=True)
class HostView:
    """A host with what is on it. `is_current` is False for what this process last saw of a cell that is silent now."""

    load: HostLoad | StorageLoad
    is_current: bool


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


async def list_hosts(cloud: Cloud, pictures: Pictures) -> list[HostView]:
    """Every host, by cell and name; of a silent cell as it was last seen, if it was."""
    answers = await pictures.fresh()
    found: list[HostView] = []
    for cell in cloud.store.cell_names:
        answer = answers[cell]
        picture = pictures.last(cell) if isinstance(answer, Unreachable) else answer
        if picture is not None:
            is_current = not isinstance(answer, Unreachable)
            found.extend(HostView(load, is_current) for load in picture.loads)
            found.extend(HostView(load, is_current) for load in picture.storage)
    return found


async def find_host(cloud: Cloud, pictures: Pictures, name: str) -> HostView:
    """Raises NotFound."""
    for view in await list_hosts(cloud, pictures):
        if view.load.host.name == name:
            return view
    raise NotFound("host", name)


async def capacity(cloud: Cloud, pictures: Pictures) -> Capacity:
    """What one more server could have now: `free_resources` for a backfilling one, three prices for a normal one."""
    found: Capacity = await cloud.kept.of(capacity, lambda: _capacity(cloud, pictures))
    return found


async def _capacity(cloud: Cloud, pictures: Pictures) -> Capacity:
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
