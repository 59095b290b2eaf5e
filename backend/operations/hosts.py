"""Hosts, and what is on them, for the operator's eyes. Losing one is in `losses`, emptying one in `drains`."""

from __future__ import annotations

from dataclasses import dataclass

from backend.cloud.backfill import HostLoad
from backend.cloud.errors import NotFound, Unreachable
from backend.cloud.placement import StorageLoad
from backend.operations import Cloud, last_known
from backend.operations.cells import Pictures


@dataclass(frozen=True, slots=True)
class HostView:
    """A host with what is on it. `is_current` is False for what was last seen of a cell that is silent now."""

    load: HostLoad | StorageLoad
    is_current: bool


async def list_hosts(cloud: Cloud, pictures: Pictures) -> list[HostView]:
    """Every host, by cell and name; of a silent cell as it was last seen."""
    answers = await pictures.fresh()
    found: list[HostView] = []
    for cell in cloud.store.cell_names:
        answer = answers[cell]
        picture = await last_known.picture(cloud, pictures, cell) if isinstance(answer, Unreachable) else answer
        is_current = picture is answer
        found.extend(HostView(load, is_current) for load in picture.loads)
        found.extend(HostView(load, is_current) for load in picture.storage)
    return found


async def find_host(cloud: Cloud, pictures: Pictures, name: str) -> HostView:
    """Raises NotFound."""
    for view in await list_hosts(cloud, pictures):
        if view.load.host.name == name:
            return view
    raise NotFound("host", name)
