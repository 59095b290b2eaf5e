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
    used = tx.usage(project_id)
    for resource, limit, now_used, wanted in (
        ("servers", project.servers_max, used.servers, servers),
        ("cpu", project.cpu_mhz_max, used.cpu_mhz, size.cpu_mhz),
        ("mem", project.memory_bytes_max, used.memory_bytes, size.memory_bytes),
        ("storage", project.storage_bytes_max, used.storage_bytes, storage_bytes),
    ):
        if limit is not None and wanted > 0 and now_used + wanted > limit:
            raise OverQuota(resource, wanted, max(0, limit - now_used))
