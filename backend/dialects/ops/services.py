"""`/ops/v1/services`: what `os-services` of the Compute API says, and what was last known beside it."""

from __future__ import annotations

from backend.cloud.model import HostState
from backend.dialects.ops import render
from backend.dialects.ops.bodies import NoBody, NoQuery
from backend.dialects.ops.schema_services import ServiceRow
from backend.dialects.ops.table import Answer, Call
from backend.dialects.wire import instant_text
from backend.operations import services
from backend.operations.services import ServiceView


async def list_services(call: Call[NoQuery, NoBody]) -> Answer:
    found = await services.list_services(call.cloud, call.context.pictures)
    return Answer({"services": [_row(call, view) for view in found]})


def _row(call: Call[NoQuery, NoBody], view: ServiceView) -> ServiceRow:
    """A host in maintenance takes no placements: its service is disabled."""
    row: ServiceRow = {
        "binary": view.binary,
        "host": view.host,
        "cell": view.cell,
        "status": "disabled" if view.state is HostState.MAINTENANCE else "enabled",
        "state": "down" if view.state is HostState.DOWN else "up",
        "updated_at": instant_text(call.cloud.clock.now()),
        "last_state": None,
        "known_at": None,
    }
    if view.state is None and view.cell is not None:
        reachability = call.cloud.store.reachability(view.cell)
        row["status"], row["state"], row["updated_at"] = "UNKNOWN", None, None
        if view.last_state is not None:
            row["last_state"] = render.host_word(view.last_state)
            row["known_at"] = instant_text(reachability.answered_at or reachability.since)
    return row
