"""An OpenStack behind the console's port: the same questions, answered from the Compute API.

Nothing tells this client when something changes, so it looks: at what changed since the last look, at who answers, and
at times at everything (`polling`). Each question waits for the next look or is answered from the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from console.openstack import wire
from console.openstack.compute import Compute, understood
from console.openstack.offer import NO_PLAN, offer
from console.openstack.polling import FIRST_CURSOR, Looking
from console.port import ClientError, Port
from console.records import (
    AccountRecord,
    Changes,
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
)
from console.written_down import WrittenDown

if TYPE_CHECKING:
    from console.audit import AuditLog
    from console.openstack.login import Login
    from console.openstack.pace import Pace
    from console.records_audit import Audit
    from console.records_backup_plans import FlavorRecord
    from console.records_parts import ImageRecord
    from console.records_services import Services

_ACTIONS: Mapping[str, Mapping[str, Any]] = {
    "start": {"os-start": None},
    "shutdown": {"os-stop": None},
    "reboot": {"reboot": {"type": "SOFT"}},
}


class OpenStackClient(Port):
    """One project of a cloud, or all of them for who may see all."""

    def __init__(
        self,
        compute: Compute,
        login: Login,
        pace: Pace,
        *,
        wall_now: Callable[[], datetime],
        logs: Callable[[str], AuditLog] | None = None,
        is_production: Callable[[str], bool] = lambda _cloud_id: False,
    ) -> None:
        """`logs` and `is_production` as of the client of our own clouds."""
        self._compute = compute
        self._login = login
        self._pace = pace
        self._written = WrittenDown(logs)
        self._is_production = is_production
        self._looking = Looking(compute, pace, wall_now)
        self._offline: ClientError | None = None

    # How often it is asked

    def attend(self, *, is_watched: bool) -> None:
        if is_watched:
            self._pace.touched()
        else:
            self._pace.hidden()

    def hurry(self) -> None:
        self._login.try_again()
        self._looking.forget_pauses()
        self._pace.hurried()

    async def close(self) -> None:
        await self._compute.close()

    # Reading

    async def hello(self) -> Hello:
        access = await self._compute.access()
        await self._compute.negotiate(is_asked=True)
        self._looking.is_offline = False
        cloud_id = f"openstack:{self._login.place}"
        self._written.belongs_to(cloud_id)
        version = ".".join(map(str, self._compute.version))
        return Hello(
            cloud_id,
            self._login.name,
            f"Nova {version}",
            account=AccountRecord(access.user, project_id=access.project_id),
            is_production=self._is_production(cloud_id),
            offer=self._offer(),
        )

    def _offer(self) -> Any:
        version = None if self._compute.says_unknown else ".".join(map(str, self._compute.version))
        return offer(refuses=self._looking.refused, silent_about_cells=version)

    async def status(self) -> Status:
        """What the last looks add up to. After a failure of the wire the cloud is asked whether it is there at all."""
        if self._looking.is_offline:
            await self._compute.negotiate(is_asked=True)
            self._looking.is_offline = False
        known = self._looking.known
        return Status(
            clock=None,
            cells=self._looking.zones(),
            groups=known.group_records(),
            pace=self._pace.record(),
            troubles=self._looking.troubles,
            notes=self._looking.notes,
            offer=self._offer(),
        )

    async def servers_page(
        self, *, after: str | None = None, limit: int = 1_000, cell: str | None = None
    ) -> ServersPage:
        """The list is read once, page by page; a zone's servers are those that are known."""
        if cell is not None:
            rows = tuple(row for row in self._looking.known.rows.values() if row.cell == cell)
            return ServersPage(rows, cell=cell)
        rows, following = await self._looking.page(after)
        return ServersPage(rows, following, FIRST_CURSOR if after is None else None)

    async def changes(self, cursor: str, *, wait_seconds: float = 20.0, limit: int | None = None) -> Changes:
        """What the next look brings, which may be due much later than `wait_seconds`: nothing is known before."""
        return await self._looking.changes()

    async def hosts(self) -> Hosts:
        return Hosts(await self._looking.read_hosts())

    async def services(self) -> Services:
        return await self._looking.read_services()

    async def events(
        self, *, limit: int = 200, object_id: str | None = None, until: str | None = None, since: str | None = None
    ) -> Events:
        return Events(())

    async def host_detail(self, name: str) -> HostDetail:
        return HostDetail()

    async def audit(self) -> Audit:
        return await self._written.audit()

    def know_names(self, name_of: Callable[[str], str | None]) -> None:
        self._written.name_of = name_of

    async def server(self, server_id: str) -> ServerDetail:
        """What the API says of it now. Of one whose cell does not answer, what was last known stands in the record."""
        body = await self._show(server_id)
        async with understood():
            is_unknown = body["status"] == "UNKNOWN"
            row = wire.partial(body) if is_unknown else wire.server(body, self._looking.flavors)
            known = self._looking.known.rows.get(server_id)
            found = known if is_unknown and known is not None else row
            return ServerDetail(found, raw=body, nics=wire.nics(body))

    async def _show(self, server_id: str) -> Mapping[str, Any]:
        try:
            answer = await self._compute.get(f"/servers/{_quoted(server_id)}", is_asked=True)
        except ClientError as error:
            raise self._of_server(error, server_id) from error
        async with understood():
            body = answer.body["server"]
            # The published sample has a list where the API has an object.
            found: Mapping[str, Any] = body[0] if isinstance(body, list) else body
        return found

    def _of_server(self, error: ClientError, server_id: str) -> ClientError:
        """What a refusal means for a server: Nova has few words for it."""
        row = self._looking.known.rows.get(server_id)
        if error.code == "forbidden" and row is None:
            sentence = "it is not there, or somebody else's in a cell that does not answer: the API says forbidden"
            return ClientError(sentence, "not_found", False)
        if row is not None and not row.is_reachable and not error.is_offline:
            return ClientError(f"its cell does not answer, and {error.sentence}", error.code, False)
        if error.code == "not_found":
            return ClientError("it is not there any more", "not_found", False)
        return error

    async def flavors(self, backup_id: str | None = None) -> tuple[FlavorRecord, ...]:
        return await self._looking.read_flavors()

    async def images(self) -> tuple[ImageRecord, ...]:
        body = await self._compute.images()
        async with understood():
            rows = [] if body is None else body["images"]
            return tuple(wire.image(row) for row in rows if row.get("status", "active") == "active")

    # Verbs

    async def preview(
        self, kind: str, object_id: str, action: str, *, avoid: Sequence[str] | None = None, **fields: Any
    ) -> PlanRecord:
        """That nothing is computed; where the server is known to be silent, that the request would fail."""
        row = self._looking.known.rows.get(object_id)
        if row is not None and not row.is_reachable:
            problem = "its cell does not answer: Nova fails every request for it"
            return PlanRecord(action, object_id, False, problem, "unreachable")
        return PlanRecord(action, object_id, sentences=(NO_PLAN,))

    async def preview_creation(self, fields: Mapping[str, Any]) -> PlanRecord:
        return PlanRecord("create", "", sentences=(NO_PLAN,))

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
        """`start`, `shutdown`, `reboot` or `delete` a server. Nova knows no versions and no keys that repeats share."""
        path = f"/servers/{_quoted(object_id)}"
        method, body = ("DELETE", None) if action == "delete" else ("POST", _ACTIONS.get(action))
        if kind != "server" or (method == "POST" and body is None):
            raise ClientError(f"Nova has no {action} of a {kind}", "not_offered", False)
        path = path if method == "DELETE" else f"{path}/action"
        try:
            await self._send(method, path, body)
        except ClientError as error:
            raise self._of_server(error, object_id) from error
        return OutcomeRecord()

    async def create_server(self, fields: Mapping[str, Any], *, key: str | None = None) -> ServerRecord:
        """`name`, `flavor`, `image`, and perhaps `cell` (a zone), `group` and `network` (`auto` or `none`)."""
        asked: dict[str, Any] = {"name": fields["name"], "flavorRef": fields["flavor"], "imageRef": fields["image"]}
        if self._compute.version >= (2, 37):
            asked["networks"] = fields.get("network", "auto")
        if fields.get("cell"):
            asked["availability_zone"] = fields["cell"]
        body: dict[str, Any] = {"server": asked}
        if fields.get("group"):
            body["os:scheduler_hints"] = {"group": fields["group"]}
        answer = await self._send("POST", "/servers", body)
        async with understood():
            made = str(answer["server"]["id"])
        return ServerRecord(made, str(fields["name"]), str(fields.get("cell") or wire.NO_ZONE), "starting")

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        if self._written.needs_cloud:
            await self.hello()
        async with self._written.request(method, path, body or {}):
            try:
                return await self._compute.act(method, path, body)
            finally:
                self._pace.acted()

    # What is asked of the groups for a form

    async def groups_apart(self) -> Mapping[str, str]:
        """The names of the groups that keep servers apart, with their ids."""
        return {group.name: group.id for group in self._looking.known.groups or () if group.keeps_apart}


def _quoted(part: str) -> str:
    return quote(part, safe="")
