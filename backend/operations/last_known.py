"""What was last seen of what lies in a silent cell. For the operator's eyes: only `dialects.ops` may look."""

from __future__ import annotations

from collections.abc import Iterable

from backend.operations import Cloud
from backend.store import LastKnown


async def pictures(cloud: Cloud, ids: Iterable[str]) -> dict[str, LastKnown]:
    """By id; what was never seen is left out."""
    wanted = list(ids)
    if not wanted:
        return {}
    found = await cloud.store.cloud_read(lambda tx: tx.last_known(wanted))
    return {each.id: each for each in found}


async def grouped(cloud: Cloud, cell: str) -> list[LastKnown]:
    """Those servers of a silent cell that carried a tag when they were last seen."""
    found = await cloud.store.cloud_read(lambda tx: tx.last_known_of_cell(cell, "server"))
    return [each for each in found if each.picture.get("tags")]
