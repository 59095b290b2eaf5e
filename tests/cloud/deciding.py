"""A decision over some hosts, as a new index of them makes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from backend.cloud.backfill import HostLoad
from backend.cloud.index import HostIndex
from backend.cloud.placement import NoValidHost, Placement, Policy, Ranks, Request, avoided_ranks


def an_index(loads: Sequence[HostLoad], **options: Any) -> HostIndex:
    index = HostIndex(**options)
    index.fill(loads)
    return index


def ranks_in(index: HostIndex, request: Request) -> dict[str, Ranks]:
    """Where the servers of the avoid list are, but for the server itself."""
    held = {id: index.find_server(id) for id in request.avoid if id != request.server_id}
    return avoided_ranks(request.avoid, {id: server.host for id, server in held.items() if server and server.host})


def place(
    request: Request, loads: Sequence[HostLoad], *, now: datetime, policy: Policy = "spread"
) -> Placement | NoValidHost:
    index = an_index(loads, policy=policy)
    found = index.place(request, now=now, ranks=ranks_in(index, request))
    return NoValidHost(index.refusals(request)) if isinstance(found, NoValidHost) else found
