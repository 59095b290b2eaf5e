"""A small cloud as a log of events, decided in by the index and judged by the checker, without any file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from backend.certificate_checker import CertificateChecker
from backend.cloud import backfill, certificates
from backend.cloud.backfill import HostLoad
from backend.cloud.certificates import Certificate
from backend.cloud.index import HostIndex
from backend.cloud.model import Host, Server
from backend.cloud.placement import NoValidHost, Placement, Policy, Request
from backend.decision_checker import Rules
from backend.event_log import CellLog, Event
from backend.operations.rooms import Decision
from backend.store.rows import HOST, SERVER, Table, text_of
from tests.builders import NOON, a_server
from tests.cloud.deciding import an_index, ranks_in

THE_NEW_ONE = "the-new-one"


class Teller:
    """Keeps an index, a log and its checker in step."""

    def __init__(self, policy: Policy = "spread", *, start_level_permille: int = 1000) -> None:
        self.policy = policy
        self.rules = Rules(policy, 0, start_level_permille)
        self.index: HostIndex = an_index([], policy=policy, start_level_permille=start_level_permille)
        self.log = CellLog()
        self.checker = CertificateChecker(self.log, self.rules)
        self._loads: dict[str, HostLoad] = {}

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
        floor, shrinks = request.size, found.chosen.shrunk
        load = self.index.load(found.chosen.host)
        certificate: Certificate | None = None
        if request.is_backfilling:
            floor = backfill.floor_of(request.size, server.floor_permille, self.rules.floor_permille)
            shrinks = backfill.count_shrunk_beside(load, request.size, floor)
            if shrinks:
                key, level = (0, 0, 0, shrinks), self.rules.start_level_permille
                certificate = Certificate(self.log.number, self.policy, key, found.chosen.ranks, (), level)
        elif certificates.disturbs(found):
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
        placed = replace(
            server,
            host=found.chosen.host,
            floor=floor,
            effective=request.size,
            started_at=now,
            waits=None if request.is_backfilling else self.log.number + 1,
            avoid=request.avoid,
        )
        # Who waits already has no room yet, or it would not wait.
        now_taken = load.normal + load.floors_physical + request.size
        waits = bool(found.chosen.plan.stops or load.waiting) or not now_taken.fits_in(load.host.capacity)
        decision = Decision.of(found, waits=waits and not request.is_backfilling, shrinks=shrinks)
        details: dict[str, Any] = {"decision": decision.to_json()}
        if certificate is not None:
            details["certificate"] = certificate.to_json()
        # As it is stored.
        details = orjson.loads(orjson.dumps(details))
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
