"""The client of a cloud of our own kind, which speaks `/ops/v1`.

Two things happen in a client and nowhere else in the console. Every failure, of the wire or of the API, becomes a
ClientError with a sentence to show. And every text is made harmless (`sanitising`): names are hostile input, and what
leaves this module holds no character that moves a cursor, hides, or turns the direction of writing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from copy import copy
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from console import wire, wire_explain, wire_parts, wire_plans, wire_rehearsal, wire_room, wire_services
from console.client_backups import PAGE_ROWS, actions, quoted
from console.client_billing import BillingRequests
from console.exchange import CONNECT_SECONDS, decode, exchange
from console.memory import without_looking
from console.port import ClientError, Port
from console.records import (
    CellRecord,
    Changes,
    ClockRecord,
    DriveDetail,
    DriveRecord,
    DrivesPage,
    Events,
    Hello,
    HostDetail,
    Hosts,
    OutcomeRecord,
    PlanRecord,
    ServerDetail,
    ServerRecord,
    ServersPage,
    Status,
    Tasks,
)
from console.records_audit import Audit
from console.records_explain import WhyDetail
from console.records_parts import ImageRecord, Limits, NetworkChoices, NicRecord, SnapshotRecord
from console.records_plans import CellOutcomeRecord, CellPlanRecord, GroupOutcomeRecord, GroupPlanRecord, HostPlanRecord
from console.records_rehearsal import Rehearsal
from console.records_room import WhatIfRecord
from console.records_services import Services
from console.sanitising import sanitise
from console.wire_repeats import Repeats
from console.written_down import WrittenDown

if TYPE_CHECKING:
    import httpx

    from console.audit import AuditLog

__all__ = ("CONNECT_SECONDS", "ClientError", "CloudClient", "connect", "decode", "load")

T = TypeVar("T")

PREFIX = "/ops/v1"
HOST_OF_SOCKETS = "stratodeck"
"""What the Host header says on a Unix socket, where no name was looked up."""
ANSWER_SECONDS = 10.0
PAST_SECONDS = 50.0
"""How much longer an answer of the past may take."""

_RETRYABLE_STATUSES = frozenset({408, 425, 429, 502, 503, 504})


# The client ------------------------------------------------------------------------------------------------------


class CloudClient(BillingRequests, Port):
    """One cloud, spoken to in `/ops/v1`. Every method raises ClientError and nothing else."""

    keeps_log = True

    def __init__(
        self,
        http: httpx.AsyncClient,
        logs: Callable[[str], AuditLog] | None = None,
        is_production: Callable[[str], bool] = lambda _cloud_id: False,
    ) -> None:
        """`logs` opens the log of what is done to the cloud with an id; without it nothing is written down.

        `is_production` says of a cloud's id whether a mistake hurts there.
        """
        self._http = http
        self._written = WrittenDown(logs)
        self._is_production = is_production
        self._moment: str | None = None
        self._repeats = Repeats()

    async def close(self) -> None:
        await self._http.aclose()

    # Reading

    async def hello(self) -> Hello:
        hello = await self.read("", wire.hello)
        self._written.belongs_to(hello.cloud_id)
        return hello._replace(is_production=self._is_production(hello.cloud_id))

    async def status(self) -> Status:
        return await self.read("/status", lambda body: wire.status(body, self._repeats))

    async def hosts(self) -> Hosts:
        return await self.read("/hosts", wire.hosts)

    async def services(self) -> Services:
        """What `os-services` says, and what was last known."""
        return await self.read("/services", wire_services.services)

    async def rehearsal(self) -> Rehearsal:
        """What is rehearsed on this cloud, and what has become of it."""
        return await self.read("/rehearsal", wire_rehearsal.rehearsal)

    async def servers_page(
        self, *, after: str | None = None, limit: int = PAGE_ROWS, cell: str | None = None
    ) -> ServersPage:
        """One page of all servers, or of one cell's. `after` is the `next` of the page before."""
        asked = {"limit": limit, "after": after, "cell": cell}
        return await self.read("/servers", lambda body: wire.servers_page(body, cell_name=cell), asked)

    async def server(self, server_id: str) -> ServerDetail:
        return await self.read(f"/servers/{quoted(server_id)}", wire_parts.server_detail)

    async def drives_page(self, *, after: str | None = None, limit: int = PAGE_ROWS) -> DrivesPage:
        """One page of all drives. `after` is the `next` of the page before."""
        return await self.read("/drives", wire.drives_page, {"limit": limit, "after": after})

    async def drive(self, drive_id: str) -> DriveDetail:
        return await self.read(f"/drives/{quoted(drive_id)}", wire_parts.drive_detail)

    async def limits(self, project_id: str | None = None) -> Limits:
        """What there may be, and what the project, or else the account's own, has left."""
        return await self.read("/limits", wire_parts.limits, {"project": project_id})

    async def images(self) -> tuple[ImageRecord, ...]:
        """The library's."""
        return await self.read("/images", wire_parts.images)

    async def network_choices(self, server_id: str) -> NetworkChoices:
        """What a network interface of the server may have."""
        return await self.read(f"/servers/{quoted(server_id)}/networks", wire_parts.network_choices)

    async def host_detail(self, name: str) -> HostDetail:
        """What has happened to a host, however long ago."""
        return HostDetail((await self.events(object_id=name)).events)

    async def explain(self, object_id: str, *, decision: int | None = None) -> WhyDetail:
        """Why a server or drive is where it is, now and by its last decision; with `decision`, by that one."""
        return await self.read(f"/explain/{quoted(object_id)}", wire_explain.why, {"decision": decision})

    async def group_plan(self, name: str) -> GroupPlanRecord:
        """The fewest moves that take a group apart."""
        return await self.read(f"/groups/{quoted(name)}/plan", wire_plans.group_plan)

    async def changes(self, cursor: str, *, wait_seconds: float = 20.0, limit: int | None = None) -> Changes:
        """What has changed since `cursor`. Answers at once when something has, else after `wait_seconds`.

        A ClientError with code `invalid` means that the cursor is not the cloud's any more: read the list anew.
        """
        asked = {"after": cursor, "wait_seconds": wait_seconds, "limit": limit}
        return await self.read("/changes", wire.changes, asked, patience_seconds=wait_seconds)

    def then(self, moment: str) -> CloudClient:
        """The same cloud as it was at a place in the log, as of `events`. It is only read."""
        found = copy(self)
        found._moment, found._repeats = moment, Repeats()
        return found

    async def differences(self, after: str | None = None) -> Changes:
        """At a moment (see `then`): its cursor, and which servers and drives were otherwise at another one's."""
        return await self.read("/differences", wire.changes, {"after": after})

    async def tasks(self, *, state: str | None = None, limit: int | None = None) -> Tasks:
        return await self.read("/tasks", wire.tasks, {"state": state, "limit": limit})

    async def events(
        self, *, limit: int = 200, object_id: str | None = None, until: str | None = None, since: str | None = None
    ) -> Events:
        """The newest events, those at or before a place in the log, or the first ones behind it; the newest last.

        A place is an ISO instant, or `AT,FILE,NUMBER` of one event.
        """
        asked = {"limit": limit, "object": object_id, "until": until, "since": since}
        return await self.read("/events", wire.events, asked)

    async def audit(self) -> Audit:
        """What was done to this cloud from here. It is read here, so it is there without the cloud too."""
        return await self._written.audit()

    def know_names(self, name_of: Callable[[str], str | None]) -> None:
        self._written.name_of = name_of

    # Verbs

    async def preview(
        self, kind: str, object_id: str, action: str, *, avoid: Sequence[str] | None = None, **fields: Any
    ) -> PlanRecord:
        """What the action would do. Changes nothing."""
        body = {"action": action, "preview": True, **({} if avoid is None else {"avoid": list(avoid)}), **fields}
        return await self.send("POST", actions(kind, object_id), wire.plan, body)

    async def preview_host(self, name: str, action: str) -> HostPlanRecord:
        """What `fail`, `recover`, `drain` or `evacuate` would do to a host. Changes nothing."""
        return await self.send("POST", actions("host", name), wire.host_plan, {"action": action, "preview": True})

    async def act(
        self,
        kind: str,
        object_id: str,
        action: str,
        *,
        if_version: int | None = None,
        plan: str | None = None,
        avoid: Sequence[str] | None = None,
        key: str | None = None,
        **fields: Any,
    ) -> OutcomeRecord:
        """Begin an action. With `if_version` it is refused when the object has changed since; with `plan`, the token
        of a preview, when it would do anything else than was shown (`conflict`). A start whose `avoid` is None avoids
        what the server was last asked to.

        `key` makes a repeat harmless: the same key and request answer the same and act once.
        """
        body = {"action": action, **({} if avoid is None else {"avoid": list(avoid)}), **fields}
        if if_version is not None:
            body["if_version"] = if_version
        if plan is not None:
            body["plan"] = plan
        return await self.send("POST", actions(kind, object_id), wire.outcome, body, key=key or token_hex(16))

    async def preview_cell(self, name: str, action: str) -> CellPlanRecord:
        """What the silence of a cell would mean: `down` or `hung`. Changes nothing."""
        return await self.send("POST", actions("cell", name), wire_plans.cell_plan, {"action": action, "preview": True})

    async def act_on_cell(self, name: str, action: str, *, plan: str | None = None) -> CellOutcomeRecord:
        """Inject a fault into a cell of a simulated cloud, or take it away (`up`). `plan` as of `act`."""
        body = {"action": action, **({} if plan is None else {"plan": plan})}
        return await self.send("POST", actions("cell", name), wire_plans.cell_outcome, body, key=token_hex(16))

    async def act_on_group(
        self, name: str, action: str, *, plan: str | None = None, key: str | None = None
    ) -> GroupOutcomeRecord:
        """`restore` a group, or `end` that. `plan` as of `act`."""
        body = {"action": action, **({} if plan is None else {"plan": plan})}
        path = actions("group", name)
        return await self.send("POST", path, wire_plans.group_outcome, body, key=key or token_hex(16))

    async def create_server(self, fields: Mapping[str, Any], *, key: str | None = None) -> ServerRecord:
        return await self.send("POST", "/servers", wire.server, fields, key=key or token_hex(16))

    async def create_drive(self, fields: Mapping[str, Any], *, key: str | None = None) -> DriveRecord:
        return await self.send("POST", "/drives", wire.drive, fields, key=key or token_hex(16))

    async def preview_creation(self, fields: Mapping[str, Any]) -> PlanRecord:
        """What making a server would come to. Changes nothing."""
        return await self.send("POST", "/servers", wire.plan, {**fields, "preview": True})

    async def what_if(self, fields: Mapping[str, Any]) -> WhatIfRecord:
        """Where servers would go that nobody has made. Changes nothing."""
        return await self.send("POST", "/preview/placement", wire_room.what_if, fields)

    async def attach_nic(
        self, server_id: str, fields: Mapping[str, Any], *, key: str | None = None
    ) -> tuple[NicRecord, ...]:
        """Add a network interface to a stopped server; all that it has now."""
        path = f"/servers/{quoted(server_id)}/nics"
        return await self.send("POST", path, wire_parts.nics, fields, key=key or token_hex(16))

    async def detach_nic(self, server_id: str, mac: str) -> tuple[NicRecord, ...]:
        """Take a network interface from a stopped server; all that it has left."""
        path = f"/servers/{quoted(server_id)}/nics/{quoted(mac)}"
        return await self.send("DELETE", path, wire_parts.nics, {}, key=token_hex(16))

    async def take_snapshot(
        self, drive_id: str, fields: Mapping[str, Any], *, key: str | None = None
    ) -> SnapshotRecord:
        path = f"/drives/{quoted(drive_id)}/snapshots"
        return await self.send("POST", path, wire_parts.snapshot, fields, key=key or token_hex(16))

    async def act_on_snapshot(
        self, snapshot_id: str, action: str, *, key: str | None = None, **fields: Any
    ) -> OutcomeRecord:
        """`clone`, `delete` or `edit` a snapshot."""
        body = {"action": action, **fields}
        return await self.send("POST", actions("snapshot", snapshot_id), wire.outcome, body, key=key or token_hex(16))

    async def ask_cell(self, cell: str) -> CellRecord:
        """Ask a cell now, once, instead of when its back-off ends."""
        return await self.send("POST", f"/cells/{quoted(cell)}/ask", wire.cell, {})

    async def patch_clock(self, *, mode: str | None = None, rate: float | None = None) -> ClockRecord:
        body = {name: value for name, value in (("mode", mode), ("rate", rate)) if value is not None}
        return await self.send("PATCH", "/clock", wire.clock, body)

    async def advance(self, seconds: float) -> ClockRecord:
        return await self.send("POST", "/clock/advance", wire.clock, {"seconds": seconds})

    # The wire

    async def read(
        self,
        path: str,
        read: Callable[[Any], T],
        asked: Mapping[str, Any] | None = None,
        *,
        patience_seconds: float = 0.0,
    ) -> T:
        asked = {**(asked or {}), "at": self._moment}
        if self._moment is not None:
            # The first look, and one that is far away, are rebuilt event by event.
            patience_seconds += PAST_SECONDS
        params = {name: str(value) for name, value in asked.items() if value is not None}
        seconds = ANSWER_SECONDS + patience_seconds
        return _understood(await self._answer("GET", path, params=params, seconds=seconds), read)

    async def send(
        self, method: str, path: str, read: Callable[[Any], T], body: Mapping[str, Any], *, key: str | None = None
    ) -> T:
        import orjson

        assert self._moment is None, "the past is only read"
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        content = orjson.dumps(body)
        async with await self._written_down(method, path, body):
            return _understood(await self._answer(method, path, content=content, headers=headers), read)

    async def _written_down(self, method: str, path: str, body: Mapping[str, Any]) -> AbstractAsyncContextManager[None]:
        """Around a request that could change something; a preview does not."""
        if body.get("preview") or path.startswith("/preview/"):
            return nullcontext()
        if self._written.needs_cloud:
            await self.hello()
        return self._written.request(method, path, body)

    async def _answer(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> httpx.Response:
        """The response of a request that was carried out. Every other end is a ClientError."""
        response = await exchange(
            self._http, method, PREFIX + path, seconds=seconds, params=params, content=content, headers=headers
        )
        if response.is_success:
            return response
        raise _refused(response)


def load() -> None:
    """Import what a connection needs. It takes a while: in a thread, a screen that is there already stays awake."""
    import orjson  # noqa: F401

    # httpx has a command line, and does without where what that draws with is not there: a fifth of the time and of
    # the memory that it takes.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    import httpx  # noqa: F401


def connect(
    *,
    url: str | None = None,
    socket: Path | str | None = None,
    token: str,
    logs: Callable[[str], AuditLog] | None = None,
    is_production: Callable[[str], bool] = lambda _cloud_id: False,
) -> CloudClient:
    """A client of the cloud at `url`, or at a Unix socket. Nothing is asked yet. The others as of the client.

    httpx is imported here and not with the module, so that the first paint need not wait for it.

    Raises:
        ClientError: The address is not one.
    """
    load()
    import httpx

    if (url is None) == (socket is None):
        raise ClientError("give an address or a socket, and only one", "bad_address", False)
    headers = {"Authorization": f"Bearer {token.strip()}", "Accept": "application/json"}
    if socket is not None:
        # Nothing is encrypted on a socket of this machine, and to load the certificates takes 60 ms.
        transport = httpx.AsyncHTTPTransport(uds=str(socket), verify=False)
        return CloudClient(
            httpx.AsyncClient(
                transport=transport, base_url=f"http://{HOST_OF_SOCKETS}", headers=headers, trust_env=False
            ),
            logs,
            is_production,
        )
    try:
        parts = urlsplit(url or "")
        _ = parts.port
    except ValueError as failure:
        raise ClientError(f"{sanitise(url or '')} is not an http address", "bad_address", False) from failure
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ClientError(f"{sanitise(url or '')} is not an http address", "bad_address", False)
    is_local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    base = (url or "").rstrip("/").removesuffix(PREFIX)
    # A proxy from the environment must not stand between the console and its own machine, and where nothing is
    # encrypted no certificate need be loaded.
    http = httpx.AsyncClient(
        base_url=base, headers=headers, trust_env=not is_local, verify=parts.scheme == "https" or not is_local
    )
    return CloudClient(http, logs, is_production)


def _understood(response: httpx.Response, read: Callable[[Any], T]) -> T:
    try:
        with without_looking():
            return read(decode(response.content))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as failure:
        raise ClientError("the cloud answered something that is not understood", "bad_answer", False) from failure


def _refused(response: httpx.Response) -> ClientError:
    """An error body of the API as an error; a body of anything else by its status."""
    status = response.status_code
    is_retryable = status in _RETRYABLE_STATUSES
    try:
        error = decode(response.content)["error"]
        code, sentence = str(error["code"]), str(error["message"])
    except (KeyError, TypeError, ValueError, IndexError):
        code, sentence = f"http_{status}", f"the cloud answered {status}"
    if code == "outcome_unknown":
        is_retryable = False
    from console.presentation.figures import in_units

    return ClientError(in_units(sentence), code, is_retryable)
