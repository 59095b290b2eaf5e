"""A cloud in memory that remembers what its servers were, and what happened to them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from console.client import ClientError
from console.records import Changes, EventRecord, ServerRecord
from tests.console.fakes import NOON, FakeCloud, a_server

STATES = ("stopped", "starting", "running", "unavailable", "running")
"""Of `web-01`, a minute each, the last one to this day; its host was lost in between."""
KINDS = ("server.created", "server.starting", "server.running", "server.unavailable", "server.recovered")
BEGUN = NOON - timedelta(minutes=10)


def an_event(number: int, kind: str, server: ServerRecord, at: datetime) -> EventRecord:
    changes = {"state": (STATES[max(0, number - 2)], server.state)}
    return EventRecord("cell-1", number, at, kind, "server", server.id, number, "operator", changes=changes)


@dataclass
class RememberingCloud(FakeCloud):
    """`moments` are the servers from each instant on."""

    keeps_log = True
    moments: Sequence[tuple[datetime, Sequence[ServerRecord]]] = ()
    asked_at: datetime | None = None
    refusal_of_past: ClientError | None = field(default=None)

    def then(self, moment: str) -> RememberingCloud:
        found = copy(self)
        found.asked_at = found.clock_now = datetime.fromisoformat(moment.partition(",")[0])
        found.servers = self.servers_at(found.asked_at)
        return found

    def servers_at(self, at: datetime) -> list[ServerRecord]:
        return next((list(servers) for since, servers in reversed(self.moments) if since <= at), [])

    async def differences(self, after: str | None = None) -> Changes:
        assert self.asked_at is not None, "only a moment has a cursor"
        await self._request("differences", self.asked_at, after)
        if self.refusal_of_past is not None:
            raise self.refusal_of_past
        cursor = self.asked_at.isoformat()
        if after is None:
            return Changes(cursor)
        before = {server.id: server for server in self.servers_at(datetime.fromisoformat(after))}
        changed = tuple(server for server in self.servers if before.pop(server.id, None) != server)
        return Changes(cursor, changed, removed=tuple(before))


def a_remembering_cloud(**more: Any) -> RememberingCloud:
    """Ten quiet servers, and one that was made nine minutes ago, lost, and is back."""
    quiet = [a_server(number) for number in range(2, 12)]
    moments: list[tuple[datetime, list[ServerRecord]]] = [(BEGUN, quiet)]
    log = []
    for number, (state, kind) in enumerate(zip(STATES, KINDS, strict=True), 1):
        at = BEGUN + timedelta(minutes=number)
        server = a_server(1, state=state, version=number, state_since=at)
        moments.append((at, [server, *quiet]))
        log.append(an_event(number, kind, server, at))
    return RememberingCloud(servers=moments[-1][1], log=log, moments=moments, **more)
