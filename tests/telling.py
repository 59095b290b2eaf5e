"""A small cloud as a log of events, decided in by the index and judged by the checker, without any file."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from backend.certificate_checker import CertificateChecker
from backend.cloud import certificates
from backend.cloud.backfill import HostLoad
from backend.cloud.index import HostIndex
from backend.cloud.model import Host, Server
from backend.cloud.placement import NoValidHost, Placement, Policy, Request
from backend.event_log import CellLog, Event
from backend.store.rows import HOST, SERVER, Table, text_of
from tests.builders import NOON, a_server
from tests.cloud.deciding import an_index, ranks_in

THE_NEW_ONE = "the-new-one"


class Teller:
    """Keeps an index, a log and its checker in step."""

    def __init__(self, policy: Policy = "spread") -> None:
        self.policy = policy
        self.index: HostIndex = an_index([], policy=policy)
        self.log = CellLog()
        self.checker = CertificateChecker(self.log)
        self._loads: dict[str, HostLoad] = {}

    def fork(self) -> Teller:
        """One that the same has been told."""
        return copy.deepcopy(self)

    def host(self, load: HostLoad) -> None:
        """A host is new, or has become another with other servers."""
        before = self._loads.get(load.host.name)
        for server in before.servers if before else ():
            self._forget(server.id)
        if before is None:
            self._say("host.created", HOST, load.host)
        else:
            load = HostLoad(replace(load.host, version=before.host.version), load.servers)
            difference = HOST.difference(before.host, load.host)
            if difference is not None:
                load = HostLoad(replace(load.host, version=before.host.version + 1), load.servers)
                self.event(
                    "host.changed", "host", load.host.name, difference.changes, version=load.host.version, details={}
                )
        for server in load.servers:
            self._say("server.created", SERVER, server)
        self._loads[load.host.name] = load
        self.index.put(load)

    def _say(self, kind: str, table: Table[Any], thing: Host | Server) -> None:
        picture = table.picture(thing)
        changes = {column: (None, value) for column, value in picture.items()}
        self.event(kind, table.name, picture[table.key], changes, version=thing.version, details={})

    def _forget(self, id: str) -> None:
        known = self.log.objects["server"][id]
        gone = {column: (value, None) for column, value in known.items()}
        self.event("server.deleted", "server", id, gone, version=known["version"] + 1, details={})

    def event(
        self,
        kind: str,
        object_kind: str,
        object_id: str,
        changes: Mapping[str, Any],
        *,
        version: int,
        details: Mapping[str, Any],
        at: datetime = NOON,
    ) -> None:
        self.tell(Event(self.log.number + 1, text_of(at), kind, object_kind, object_id, version, changes, details))

    def tell(self, event: Event) -> None:
        self.checker.look(event)
        self.log.take(event)

    def decide(self, request: Request, now: datetime) -> tuple[Event, Placement] | None:
        """Tell of a new server, and give the event of its placement without telling it; None where it finds no host."""
        server = a_server(THE_NEW_ONE, size=request.size, is_backfilling=request.is_backfilling)
        ranks = ranks_in(self.index, request)
        found = self.index.place(request, now=now, ranks=ranks)
        if isinstance(found, NoValidHost):
            return None
        self._say("server.created", SERVER, server)
        details: dict[str, Any] = {"decision": {"host": found.chosen.host, "stops": list(found.chosen.plan.stops)}}
        if not request.is_backfilling and certificates.disturbs(found):
            certificate = certificates.certify(
                found,
                request.size,
                after=self.log.number,
                now=now,
                policy=self.policy,
                ranks=ranks,
                hidden=(),
                load_of=self.index.load,
                doubtful=self.index.doubtful(request.size),
            )
            # As it is stored.
            details["certificate"] = orjson.loads(orjson.dumps(certificate.to_json()))
        placed = replace(
            server,
            host=found.chosen.host,
            floor=request.size,
            effective=request.size,
            started_at=now,
            avoid=request.avoid,
        )
        difference = SERVER.difference(server, placed)
        assert difference is not None
        event = Event(
            self.log.number + 1, text_of(now), "server.placed", "server", server.id, 2, difference.changes, details
        )
        return event, found

    def carry_out(self, event: Event, stops: Iterable[str], now: datetime) -> None:
        """The placement is told, and who has to go; then all is taken back."""
        self.tell(event)
        for id in stops:
            version = self.log.objects["server"][id]["version"] + 1
            self.event(
                "server.notice", "server", id, {"notice_until": (None, text_of(now))}, version=version, details={}
            )
        for id in stops:
            version = self.log.objects["server"][id]["version"] + 1
            changes = {"notice_until": (text_of(now), None)}
            self.event("server.notice_withdrawn", "server", id, changes, version=version, details={})
        self._forget(THE_NEW_ONE)
