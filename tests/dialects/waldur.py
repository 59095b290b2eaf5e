"""Requests to NodeConductor's API, as its clients make them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.dialects.support import Wired

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


async def with_disk(on: Wired, name: str = "db-01", gib: int = 10, **more: Any) -> dict[str, Any]:
    """A stopped server with one disk."""
    server = await on.server(name, **more)
    drive = await on.drive(f"{name}-disk", gib, cell=server["cell"])
    action = {"action": "attach", "server_id": server["id"]}
    answer = await on.ops.post(f"/drives/{drive['id']}/actions", json=action)
    assert answer.status_code == 202, answer.text
    return server


def url_path(address: str) -> str:
    return address.removeprefix("http://stratodeck/api")


async def flavor_url(api: httpx.AsyncClient, name: str = "m1.small") -> str:
    found = (await api.get("/flavors/")).json()
    return str(next(each["url"] for each in found if each["name"] == name))
