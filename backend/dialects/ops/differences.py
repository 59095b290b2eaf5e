"""What is otherwise at one moment than at another: how a client that shows the past goes on to the next event."""

from __future__ import annotations

from backend.dialects.ops import reads
from backend.dialects.ops.bodies import DifferencesQuery, NoBody
from backend.dialects.ops.table import Answer, Call
from backend.operations import feed, past


async def differences(call: Call[DifferencesQuery, NoBody]) -> Answer:
    """Servers and drives as they were `at` a moment, of those that events between it and `after` are about.

    Without `after` only the moment's own cursor: ask for it before the lists of the moment.
    """
    query, cloud = call.query, call.cloud
    if query.after is None:
        found = past.Differences(await feed.cursor_now(cloud), [], [], [])
    else:
        found = await past.differences(cloud, call.account, reads.checked_cursor(query.after))
    return Answer(
        {
            "cursor": found.cursor,
            "servers": [reads.server_row(call, server) for server in found.servers],
            "drives": [reads.drive_row(call, drive) for drive in found.drives],
            "removed": found.removed,
        }
    )
