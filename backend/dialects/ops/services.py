"""`/ops/v1/services`: what `os-services` of the Compute API says, and what was last known beside it."""

from __future__ import annotations

from backend.cloud.model import HostState
from backend.dialects.ops import render
from backend.dialects.ops.bodies import NoBody, NoQuery
from backend.dialects.ops.schema_services import ServiceRow
from backend.dialects.ops.table import Answer, Call
from backend.dialects.wire import instant_text
from backend.operations import last_known, services
from backend.operations.services import Service


async def list_services(call: Call[NoQuery, NoBody]) -> Answer:
    found = await services.list_services(call.cloud, call.context.pictures)
    seen: dict[str, HostState] = {}
    for cell in {each.cell for each in found if each.cell is not None and each.state is None}:
        picture = await last_known.picture(call.cloud, call.context.pictures, cell)
        seen.update({load.host.name: load.host.state for load in picture.loads})
    return Answer({"services": [_row(call, each, seen.get(each.host)) for each in found]})


def _row(call: Call[NoQuery, NoBody], service: Service, last_state: HostState | None) -> ServiceRow:
    """A host in maintenance takes no placements: its service is disabled."""
    row: ServiceRow = {
        "binary": service.binary,
        "host": service.host,
        "cell": service.cell,
        "status": "disabled" if service.state is HostState.MAINTENANCE else "enabled",
        "state": "down" if service.state is HostState.DOWN else "up",
        "updated_at": instant_text(service.last_heard_at(call.cloud.clock.now())),
        "last_state": None,
        "known_at": None,
    }
    if service.state is None and service.cell is not None:
        reachability = call.cloud.store.reachability(service.cell)
        row["status"], row["state"], row["updated_at"] = "UNKNOWN", None, None
        if last_state is not None:
            row["last_state"] = render.host_word(last_state)
            row["known_at"] = instant_text(reachability.answered_at or reachability.since)
    return row
