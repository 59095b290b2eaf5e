"""Our own Compute API through the OpenStack client, beside `/ops/v1` through ours: the same views, the same rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.client import CloudClient
from console.openstack.client import OpenStackClient
from console.openstack.compute import Compute
from console.openstack.login import Access
from console.openstack.pace import Pace
from console.port import ClientError
from console.presentation.mirror import Mirror
from console.records import ServerRecord
from tests.backend.support import OPERATOR, TENANT
from tests.builders import NOON
from tests.console.fakes import ManualClock
from tests.console.real_nova import ManualTimer
from tests.dialects.compute import DEBIAN, a_group
from tests.dialects.support import BASE, PASSWORDS, TOKENS, Wired, good, wired

TOLD_ALIKE = ("id", "name", "cell", "state", "host", "cpu_mhz", "memory_bytes", "group", "is_reachable", "last_state")
"""What both APIs say of a server; the rest is said by `/ops/v1` only, or in other words."""


class OwnLogin:
    """A token of our own identity service, as any client gets one."""

    name = "ours"
    place = "ours"

    def __init__(self, bare: httpx.AsyncClient, account: str, project: str) -> None:
        self._bare = bare
        self._account = account
        self._project = project

    async def access(self, *, refused: str | None = None) -> Access:
        domain = {"name": "Default"}
        user = {"name": self._account, "password": PASSWORDS[self._account], "domain": domain}
        scope = {"project": {"name": self._project, "domain": domain}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = await self._bare.post("/identity/v3/auth/tokens", json=body)
        assert answer.status_code == 201, answer.text
        urls = {each["type"]: each["endpoints"][0]["url"] for each in answer.json()["token"]["catalog"]}
        return Access(answer.headers["X-Subject-Token"], urls["compute"].rstrip("/"), urls["image"], self._account)

    def try_again(self) -> None:
        return


class Both:
    """One cloud, seen by both clients, each with a mirror of its own."""

    def __init__(self, on: Wired, account: str, project: str, ops_token: str) -> None:
        self.clock = ManualClock(NOON)
        self.timer = ManualTimer(self.clock)
        pace, login = Pace(600, self.timer), OwnLogin(on.bare, account, project)
        transport = httpx.ASGITransport(app=on.app)
        compute = Compute(httpx.AsyncClient(transport=transport), login, pace)
        self.openstack = OpenStackClient(compute, login, pace, wall_now=self.clock)
        headers = {"Authorization": f"Bearer {ops_token}"}
        self.ops = CloudClient(httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers))
        self.theirs, self.ours = Mirror(), Mirror()

    async def begin(self, *, has_hosts: bool = True) -> None:
        for name, client in (("theirs", self.openstack), ("ours", self.ops)):
            mirror = getattr(self, name).apply(await client.hello(), self.clock())
            mirror = mirror.apply(await client.status(), self.clock())
            after: str | None = None
            while after is not None or not mirror.is_complete:
                page = await client.servers_page(after=after)
                mirror, after = mirror.apply(page, self.clock()), page.next
            setattr(self, name, mirror)
        if has_hosts:
            await self.look()
            return
        self.theirs = self.theirs.apply(await self.openstack.changes("look"), self.clock())
        self.theirs = self.theirs.apply(await self.openstack.status(), self.clock())
        with pytest.raises(ClientError):
            await self.openstack.hosts()
        self.theirs = self.theirs.apply(await self.openstack.status(), self.clock())

    async def look(self) -> None:
        """Both are brought up to date."""
        client = self.openstack
        self.clock.advance(60)
        self.timer.seconds += 60
        mirror = self.theirs.apply(await client.changes("look"), self.clock())
        mirror = mirror.apply(await client.status(), self.clock())
        mirror = mirror.apply(await client.services(), self.clock())
        self.theirs = mirror.apply(await client.hosts(), self.clock())
        mirror = self.ours.apply(await self.ops.status(), self.clock())
        cursor = mirror.cursor
        assert cursor is not None
        mirror = mirror.apply(await self.ops.changes(cursor, wait_seconds=0), self.clock())
        for cell in sorted(mirror.reload_cells):
            mirror = mirror.apply(await self.ops.servers_page(cell=cell), self.clock())
        mirror = mirror.apply(await self.ops.services(), self.clock())
        self.ours = mirror.apply(await self.ops.hosts(), self.clock())


def said(row: ServerRecord) -> dict[str, Any]:
    assert {*TOLD_ALIKE} <= {field.name for field in fields(row)}
    return {name: getattr(row, name) for name in TOLD_ALIKE}


def same_servers(both: Both) -> None:
    assert both.ours.servers, "there is something to compare"
    assert {id: said(row) for id, row in both.theirs.servers.items()} == {
        id: said(row) for id, row in both.ours.servers.items()
    }


def same_cells(both: Both) -> None:
    def of(mirror: Mirror) -> dict[str, Any]:
        return {cell.name: (cell.state, cell.servers, cell.unknown or 0) for cell in mirror.cells or ()}

    # Who asks for servers cannot tell how a cell is silent, only that it is.
    ours = {name: ("down" if state == "hung" else state, *more) for name, (state, *more) in of(both.ours).items()}
    assert of(both.theirs) == ours


def same_hosts(both: Both) -> None:
    def of(mirror: Mirror) -> dict[str, Any]:
        return {
            host.name: (
                host.cell,
                host.kind,
                host.state,
                host.capacity and host.capacity[:2],
                mirror.is_host_known(host),
            )
            for host in mirror.hosts or ()
            if host.kind == "compute"
        }

    assert of(both.theirs) == of(both.ours)


def same_services(both: Both) -> None:
    def of(mirror: Mirror) -> dict[str, Any]:
        return {
            each.key: (each.cell, each.status, each.state)
            for each in mirror.services or ()
            if each.binary == "nova-compute"
        }

    assert of(both.theirs) == of(both.ours)


def same_groups(both: Both) -> None:
    def of(mirror: Mirror) -> dict[str, Any]:
        return {
            group.name: (
                {(member.id, member.host, member.state) for member in group.members},
                (group.hosts, group.collisions, group.tolerates, group.is_bound, group.worst_case),
            )
            for group in mirror.groups or ()
        }

    assert of(both.theirs) == of(both.ours)


SAME: list[Callable[[Both], None]] = [same_servers, same_cells, same_hosts, same_services, same_groups]


async def alike(both: Both) -> None:
    """Look until both say the same: what an operator is told of a silent cell is written behind the answers."""
    for _ in range(40):
        await both.look()
        with suppress(AssertionError):
            for same in SAME:
                same(both)
            return
    for same in SAME:
        same(both)


async def a_fleet(on: Wired) -> None:
    """Servers of both APIs, running, stopped and starting, grouped by a tag and by a server group, in both cells."""
    for number, cell in enumerate(("cell-1", "cell-2", "cell-1", "cell-2")):
        await on.running(f"web-{number}", cell=cell, tags=["group:web"])
    for cell in ("cell-1", "cell-2"):
        await on.server(f"db-{cell}", 4000, 2, cell=cell)
    group = await a_group(on.nova, "apart", "anti-affinity")
    for number in range(2):
        server = {"name": f"boot-{number}", "flavorRef": "1", "imageRef": DEBIAN, "networks": "none"}
        body = {"server": server, "os:scheduler_hints": {"group": group}}
        good(await on.nova.post("/servers", json=body, headers={"OpenStack-API-Version": "compute 2.71"}), 202)
    await on.advance(60)


Story = Callable[[Wired, Both], Awaitable[None]]


def told(folder: Path, story: Story, *, account: str = OPERATOR, project: str = "inside") -> None:
    async def tell(on: Wired) -> None:
        await a_fleet(on)
        token = next(token for token, name in TOKENS.items() if name == account)
        both = Both(on, account, project, token)
        await both.begin()
        await story(on, both)

    wired(folder, tell, hosts=3)


@pytest.mark.parametrize("fault", ["down", pytest.param("hung", marks=pytest.mark.thorough)])
def test_the_same_views_have_the_same_rows_with_cells_up_silent_and_back(tmp_path: Path, fault: str) -> None:
    async def story(on: Wired, both: Both) -> None:
        for same in SAME:
            same(both)

        await on.break_cell("cell-2", fault)
        await alike(both)
        silent = [row for row in both.theirs.servers.values() if not row.is_reachable]
        assert {row.last_state for row in silent} == {"running", "stopped"}

        good(await on.ops.put("/cells/cell-2/reachability", json={"state": "up"}))
        await alike(both)
        assert all(row.is_reachable for row in both.theirs.servers.values())

    told(tmp_path, story)


def test_start_shut_down_create_and_delete_go_through(tmp_path: Path) -> None:
    async def story(on: Wired, both: Both) -> None:
        stopped = next(row for row in both.theirs.servers.values() if row.name == "db-cell-1")
        await both.openstack.act("server", stopped.id, "start")
        await on.advance(60)
        await both.look()
        assert both.theirs.servers[stopped.id].state == "running"
        await both.openstack.act("server", stopped.id, "reboot")
        await both.openstack.act("server", stopped.id, "shutdown")
        await on.advance(60)
        await both.look()
        same_servers(both)
        assert both.theirs.servers[stopped.id].state == "stopped"

        flavor = (await both.openstack.flavors())[0]
        image = (await both.openstack.images())[0]
        asked = {"name": "new", "flavor": flavor.id, "image": image.id, "cell": "cell-2", "network": "none",
                 "group": (await both.openstack.groups_apart())["apart"]}  # fmt: skip
        made = await both.openstack.create_server(asked)
        await on.advance(60)
        await both.look()
        assert both.theirs.servers[made.id].cell == "cell-2"
        assert both.theirs.servers[made.id].group == "apart"
        same_servers(both)

        await both.openstack.act("server", made.id, "delete")
        await on.advance(60)
        await both.look()
        assert made.id not in both.theirs.servers
        same_servers(both)
        same_groups(both)

    told(tmp_path, story)


def test_who_is_no_administrator_sees_the_own_servers_and_which_of_them_share_a_host(tmp_path: Path) -> None:
    async def story(on: Wired, both: Both) -> None:
        assert both.theirs.servers.keys() == both.ours.servers.keys()
        assert len(both.theirs.servers) == 3
        # Both hide the hosts; the hash of a host tells which servers are on the same one.
        hosts = {row.host for row in both.theirs.servers.values()}
        assert all(host is not None and host.startswith("#") for host in hosts)
        (group,) = both.theirs.groups or ()
        assert (group.name, len(group.members), group.collisions) == ("web", 3, 3 - len(hosts))
        offer = both.theirs.offer
        assert offer is not None
        assert {"hosts", "services"} <= offer.views.keys()

    async def tell(on: Wired) -> None:
        await a_fleet(on)
        for number in range(3):
            body = {
                "name": f"mine-{number}",
                "cpu_mhz": 2000,
                "memory_bytes": 2**31,
                "tags": ["group:web"],
                "cell": "cell-1",
            }
            made = good(await on.tenant_ops.post("/servers", json=body), 201)
            good(await on.tenant_ops.post(f"/servers/{made['id']}/actions", json={"action": "start"}), 202)
        await on.advance(60)
        both = Both(on, TENANT, "outside", "tenant-token")
        await both.begin(has_hosts=False)
        await story(on, both)

    wired(tmp_path, tell, hosts=2)
