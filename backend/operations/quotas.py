"""What a project may hold. Counted from central reservations, so a silent cell neither blocks nor lets through."""

from __future__ import annotations

from backend.cloud.errors import Conflict, OverQuota
from backend.cloud.model import NOTHING, Size
from backend.store import CloudTransaction


def check(
    tx: CloudTransaction, project_id: str, *, servers: int = 0, size: Size = NOTHING, storage_bytes: int = 0
) -> None:
    """Raises OverQuota, with the figures, when the project would hold more than it may."""
    project = next((project for project in tx.projects() if project.id == project_id), None)
    if project is None:
        raise Conflict(f"There is no project {project_id}.")
    wanted = (
        ("servers", project.servers_max, servers),
        ("cpu", project.cpu_mhz_max, size.cpu_mhz),
        ("mem", project.memory_bytes_max, size.memory_bytes),
        ("storage", project.storage_bytes_max, storage_bytes),
    )
    if not any(amount > 0 and limit is not None for _, limit, amount in wanted):
        # Counting what it holds costs the more, the more it holds.
        return
    used = tx.usage(project_id)
    in_use = (used.servers, used.cpu_mhz, used.memory_bytes, used.storage_bytes)
    for (resource, limit, amount), now_used in zip(wanted, in_use, strict=True):
        if limit is not None and amount > 0 and now_used + amount > limit:
            raise OverQuota(resource, amount, max(0, limit - now_used))
