"""Requests to NodeConductor's API, as its clients make them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx

from tests.backend.support import TENANT
from tests.dialects.support import Wired, good

OPERATOR_TOKEN, TENANT_TOKEN = "operator-token", "tenant-token"


def client(on: Wired, token: str | None = OPERATOR_TOKEN) -> httpx.AsyncClient:
    """Of `/api`, with a token or without one."""
    headers = {} if token is None else {"Authorization": f"Token {token}"}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=on.app), base_url="http://stratodeck/api", headers=headers
    )


def hex_of(id: str) -> str:
    return id.replace("-", "")


def source(server: dict[str, Any]) -> str:
    return f"http://stratodeck/api/instances/{hex_of(server['id'])}/"


async def with_disk(on: Wired, name: str = "db-01", gib: int = 10, *, is_tenants: bool = False) -> dict[str, Any]:
    """A stopped server with one disk."""
    ops = on.tenant_ops if is_tenants else on.ops
    server = good(await ops.post("/servers", json={"name": name, "cpu_mhz": 2000, "memory_bytes": 2**32}), 201)
    disk = {"name": f"{name}-disk", "size_bytes": gib * 2**30, "cell": server["cell"]}
    drive = good(await ops.post("/drives", json=disk), 201)
    await on.advance(5)
    action = {"action": "attach", "server_id": server["id"]}
    good(await ops.post(f"/drives/{drive['id']}/actions", json=action), 202)
    return server


def url_path(address: str) -> str:
    return address.removeprefix("http://stratodeck/api")


async def flavor_url(api: httpx.AsyncClient, name: str = "m1.small") -> str:
    found = (await api.get("/flavors/")).json()
    return str(next(each["url"] for each in found if each["name"] == name))


async def become(on: Wired, role: str) -> None:
    """The tenant has this role in its project, and no other."""
    roles = {"project_manager": "outside", "project_admin": "outside", "customer_owner": "customer"}
    account = await on.app.cloud.account(TENANT)
    projects = {"outside"} if role.startswith("project") else {"inside", "outside"} if role in roles else set[str]()
    seen = replace(
        account,
        projects_read=frozenset(projects),
        projects_write=frozenset(projects if role == "project_admin" else ()),
    )
    (await on.app.cloud.accounts())[TENANT] = seen
