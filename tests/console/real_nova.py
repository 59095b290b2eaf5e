"""A Nova with the faults of a real one, behind `httpx.MockTransport`, and what it takes to look at it without waiting.

What it answers, and when it fails, is after the recorded answers of Nova 34 and what was measured of it: UNKNOWN rows
only without a filter and only where healthy rows leave room, 500 for markers and actions in a silent cell, 500 on show
from 2.98 on, 403 where 404 was meant, everything UNKNOWN after a slow list.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx

from console.audit import AuditLog
from console.openstack.client import OpenStackClient
from console.openstack.compute import Compute
from console.openstack.login import Access
from console.openstack.pace import Pace
from console.records import CellRecord, ServerRecord, ServersPage
from tests.console.fakes import NOON, ManualClock

RECORDED: Mapping[str, Any] = json.loads((Path(__file__).parent / "recorded_nova.json").read_text())["answers"]
ROOT = "http://nova.example.org/v2.1"


def recorded(name: str) -> Any:
    """The body of a recorded answer."""
    return deepcopy(RECORDED[name]["body"])


class ManualTimer:
    """Seconds that pass when somebody waits for them, at once."""

    def __init__(self, clock: ManualClock) -> None:
        self.seconds = 0.0
        self.waits: list[float | None] = []
        self._clock = clock

    def now(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        self._clock.advance(seconds)

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        if event.is_set():
            return
        self.waits.append(seconds)
        if seconds is None:
            await event.wait()
        else:
            self.pass_by(seconds)


class FakeLogin:
    """Tokens `token-1`, `token-2`, ...: a new one for each that was refused."""

    name = "prod"
    place = "http://keystone.example.org/v3|RegionOne|web"

    def __init__(self, *, image_url: str | None = "http://glance.example.org") -> None:
        self.issued = 1
        self.tries_again = 0
        self.compute_url = ROOT
        self._image_url = image_url

    async def access(self, *, refused: str | None = None) -> Access:
        if refused == f"token-{self.issued}":
            self.issued += 1
        return Access(f"token-{self.issued}", self.compute_url, self._image_url, "ops", "web", "web-id")

    def try_again(self) -> None:
        self.tries_again += 1


@dataclass
class Instance:
    """A server of the cloud."""

    id: str
    name: str
    cell: str = "one"
    zone: str = "nova"
    status: str = "ACTIVE"
    host: str = "c1-host1"
    updated: datetime = NOON - timedelta(days=1)
    is_deleted: bool = False
    more: dict[str, Any] = field(default_factory=dict)


def some(number: int, *, cell: str = "one", host: str = "c1-host1", **more: Any) -> list[Instance]:
    """Instances of one cell: `one-00`, `one-01`, ..."""
    return [Instance(f"{cell}-id-{n:04}", f"{cell}-{n:02}", cell, host=host, **more) for n in range(number)]


@dataclass
class RealNova:
    """The cloud. What is asked is kept in `asked`; `instead` answers in its place where it returns something."""

    instances: list[Instance] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    """Cells that do not answer."""
    hosts: dict[str, str] = field(default_factory=lambda: {"c1-host1": "one", "c2-host1": "two"})
    groups: list[dict[str, Any]] = field(default_factory=list)
    highest: tuple[int, int] = (2, 104)
    most: int = 1000
    is_admin: bool = True
    skips_silent_cells: bool = True
    token: str = "token-1"
    date: datetime = NOON
    asked: list[httpx.Request] = field(default_factory=list)
    instead: Callable[[httpx.Request], httpx.Response | None] = lambda _request: None

    def named(self, name: str) -> Instance:
        return next(each for each in self.instances if each.name == name)

    def paths(self) -> list[str]:
        """What was asked so far, in order, without the version documents; the list is empty then."""
        found = [request.url.raw_path.decode().removeprefix("/v2.1") for request in self.asked]
        self.asked.clear()
        return [path for path in found if path != "/"]

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        response = self.instead(request) or self._answer(request)
        response.headers.setdefault("Date", format_datetime(self.date, usegmt=True))
        return response

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/v2.1/":
            body = recorded("v2.1/")
            body["version"]["version"] = ".".join(map(str, self.highest))
            return httpx.Response(200, json=body)
        if request.headers.get("X-Auth-Token") != self.token:
            return httpx.Response(401, json=recorded("no token"))
        version = self._version(request)
        if version > self.highest:
            return fault(406, f"Version is not supported by the API. Minimum is 2.1 and maximum is "
                              f"{self.highest[0]}.{self.highest[1]}.")  # fmt: skip
        match path.removeprefix("/v2.1").strip("/").split("/"):
            case ["servers"] if request.method == "POST":
                return httpx.Response(202, json={"server": {"id": "made-id"}})
            case ["servers", *rest] if rest in ([], ["detail"]):
                return self._listed(request, version, is_detailed=bool(rest))
            case ["servers", id]:
                return self._show(request, id, version)
            case ["servers", id, "action"]:
                return self._act(id)
            case ["os-services"]:
                return self._services()
            case ["os-hypervisors", "detail"]:
                return self._hypervisors()
            case ["os-server-groups"]:
                return self._server_groups()
            case ["flavors", "detail"]:
                row = {"id": "1", "name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20}
                return httpx.Response(200, json={"flavors": [row]})
            case ["v2", "images"]:
                return httpx.Response(
                    200, json={"images": [{"id": "img", "name": "debian", "size": 2**30, "status": "active"}]}
                )
        return httpx.Response(404, text="404 Not Found")

    def _version(self, request: httpx.Request) -> tuple[int, int]:
        text = request.headers.get("OpenStack-API-Version", "compute 2.1").removeprefix("compute ")
        major, minor = text.split(".")
        return int(major), int(minor)

    def _listed(self, request: httpx.Request, version: tuple[int, int], *, is_detailed: bool) -> httpx.Response:
        asked = dict(request.url.params)
        if "all_tenants" in asked and not self.is_admin:
            return httpx.Response(403, json=recorded("all tenants"))
        is_narrowed = bool(asked.keys() - {"all_tenants"})
        lost = [each for each in self.instances if each.cell in self.silent and not each.is_deleted]
        if lost and not self.skips_silent_cells and (is_narrowed or version < (2, 69)):
            return fault(500, "Unexpected API Error.\n<class 'nova.exception.NovaException'>")
        rows = [each for each in self.instances if each.cell not in self.silent]
        if (since := asked.get("changes-since")) is not None:
            rows = [each for each in rows if each.updated >= datetime.fromisoformat(since)]
        else:
            rows = [each for each in rows if not each.is_deleted]
        if (marker := asked.get("marker")) is not None:
            place = next((n for n, each in enumerate(rows) if each.id == marker), None)
            if place is None:
                is_lost = any(each.id == marker for each in lost)
                return httpx.Response(500, json=recorded("marker in a silent cell")) if is_lost \
                    else httpx.Response(400, json=recorded("marker of nobody"))  # fmt: skip
            rows = rows[place + 1 :]
        most = min(self.most, int(asked.get("limit") or self.most))
        page = rows[:most]
        # UNKNOWN rows get the places that are left, and are printed first.
        partial = [] if is_narrowed or version < (2, 69) else lost[: max(0, most - len(page))]
        found = [self.row(each, is_detailed=is_detailed) for each in (*partial, *page)]
        body: dict[str, Any] = {"servers": found}
        if len(found) == most:
            body["servers_links"] = [{"rel": "next", "href": f"{ROOT}/servers?marker={found[-1]['id']}"}]
        return httpx.Response(200, json=body)

    def row(self, each: Instance, *, is_detailed: bool = True) -> dict[str, Any]:
        """As recorded, with what this one differs in."""
        if each.cell in self.silent:
            more = {"tenant_id": "web-id", "created": "2026-01-02T15:46:41Z"} if is_detailed else {}
            return {"id": each.id, "status": "UNKNOWN", **more}
        if not is_detailed:
            return {"id": each.id, "name": each.name}
        row = recorded("show")["server"]
        row |= {
            "id": each.id, "name": each.name, "status": "DELETED" if each.is_deleted else each.status,
            "OS-EXT-AZ:availability_zone": each.zone, "hostId": f"{each.host:0<56}", **each.more,
        }  # fmt: skip
        if self.is_admin:
            row["OS-EXT-SRV-ATTR:host"] = each.host
        return dict(row)

    def _show(self, request: httpx.Request, id: str, version: tuple[int, int]) -> httpx.Response:
        each = next((each for each in self.instances if each.id == id and not each.is_deleted), None)
        if each is None:
            return httpx.Response(404, json=recorded("no such server"))
        if each.cell in self.silent:
            if each.more.get("is_of_others"):
                return httpx.Response(403, json=recorded("somebody else's in a silent cell"))
            if request.method == "DELETE" or not (2, 69) <= version < (2, 98):
                return httpx.Response(500, json=recorded("show of a silent one at 2.98"))
            body = recorded("show of a silent one")
            body["server"]["id"] = each.id
            return httpx.Response(200, json=body)
        if request.method == "DELETE":
            each.is_deleted, each.updated = True, self.date
            return httpx.Response(204)
        return httpx.Response(200, json={"server": self.row(each)})

    def _act(self, id: str) -> httpx.Response:
        each = next(each for each in self.instances if each.id == id)
        if each.cell in self.silent:
            return httpx.Response(500, json=recorded("marker in a silent cell"))
        return httpx.Response(202)

    def _services(self) -> httpx.Response:
        if not self.is_admin:
            return httpx.Response(403, json=recorded("not for readers"))
        rows: list[dict[str, Any]] = [row for row in recorded("services")["services"] if row["host"] == "sched1"]
        for host, cell in self.hosts.items():
            if cell in self.silent:
                rows.append({"binary": "nova-compute", "host": host, "status": "UNKNOWN"})
            else:
                rows.append({"binary": "nova-compute", "host": host, "id": host, "zone": "nova", "status": "enabled",
                             "state": "up", "updated_at": "2026-11-20T11:59:58.000000"})  # fmt: skip
        return httpx.Response(200, json={"services": rows})

    def _hypervisors(self) -> httpx.Response:
        if not self.is_admin:
            return fault(
                403, "Policy doesn't allow os_compute_api:os-hypervisors:list-detail to be performed.", "forbidden"
            )
        if self.silent:
            return httpx.Response(500, json=recorded("hypervisors"))
        rows = [
            {"id": host, "hypervisor_hostname": host, "service": {"host": host}, "state": "up", "status": "enabled",
             "vcpus": 16, "vcpus_used": 4, "memory_mb": 65536, "memory_mb_used": 8192, "running_vms": 2}
            for host in self.hosts
        ]  # fmt: skip
        return httpx.Response(200, json={"hypervisors": rows})

    def _server_groups(self) -> httpx.Response:
        silent = {each.id for each in self.instances if each.cell in self.silent}
        if any(silent & set(group["members"]) for group in self.groups):
            return httpx.Response(500, json=recorded("hypervisors"))
        return httpx.Response(200, json={"server_groups": self.groups})


def fault(status: int, message: str, key: str = "computeFault") -> httpx.Response:
    return httpx.Response(status, json={key: {"code": status, "message": message}})


@dataclass
class Console:
    """A client of such a cloud, and the rows that the console would have by what it was told."""

    nova: RealNova
    clock: ManualClock
    timer: ManualTimer
    login: FakeLogin
    pace: Pace
    client: OpenStackClient
    rows: dict[str, ServerRecord] = field(default_factory=dict)

    async def open(self) -> None:
        """Greet, and read the list to its end."""
        await self.client.hello()
        after: str | None = None
        while True:
            page: ServersPage = await self.client.servers_page(after=after)
            self.rows.update((row.id, row) for row in page.servers)
            after = page.next
            if after is None:
                return

    async def look(self) -> None:
        """The next look, when it is due."""
        changes = await self.client.changes("look")
        for id in changes.removed:
            self.rows.pop(id, None)
        self.rows.update((row.id, row) for row in changes.servers)

    def states(self) -> dict[str, str]:
        return {row.title: row.state for row in self.rows.values()}


def a_console(
    nova: RealNova, *, requests_max: int = 600, logs: Callable[[str], AuditLog] | None = None, **login: Any
) -> Console:
    clock = ManualClock()
    timer, access = ManualTimer(clock), FakeLogin(**login)
    pace = Pace(requests_max, timer)
    http = httpx.AsyncClient(transport=httpx.MockTransport(nova.answer))
    client = OpenStackClient(Compute(http, access, pace), access, pace, wall_now=clock, logs=logs)
    return Console(nova, clock, timer, access, pace, client)


def told(nova: RealNova, story: Callable[[Console], Awaitable[None]], **more: Any) -> None:
    """A story of a console that has read the list to its end."""

    async def tell() -> None:
        on = a_console(nova, **more)
        await on.open()
        await story(on)

    asyncio.run(tell())


def two_cells(**more: Any) -> RealNova:
    """`one-00` to `one-02` in one cell, `two-00` and `two-01` in another, all in one zone."""
    return RealNova([*some(3), *some(2, cell="two", host="c2-host1")], **more)


async def zone(on: Console, name: str = "nova") -> CellRecord:
    cells = (await on.client.status()).cells
    return next(cell for cell in cells if cell.name == name)


async def troubles(on: Console) -> str:
    """All that the cloud does not tell as it should."""
    status = await on.client.status()
    return " ".join((*status.troubles, *status.notes.values()))
