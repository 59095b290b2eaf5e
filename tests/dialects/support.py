"""A small running cloud behind its real ASGI app, with one client for each dialect and account."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter

from backend.app import App, running
from backend.clock import Clock
from backend.dialects import ops
from backend.dialects.ops.table import PREFIX
from backend.folder import Credentials, Secrets
from backend.tokens import Keyring, keyring
from tests.backend.support import OPERATOR, TENANT, make_folder
from tests.builders import NOON

T = TypeVar("T")

PASSWORDS = {OPERATOR: "operator-password", TENANT: "tenant-password"}
TOKENS = {"operator-token": OPERATOR, "tenant-token": TENANT}
BASE = "http://stratodeck"


def keys(folder: Path) -> Keyring:
    """Credentials as tests know them."""
    secrets = {name: Secrets(PASSWORDS[name], token) for token, name in TOKENS.items()}
    return keyring(folder, Credentials(secrets))


@dataclass(frozen=True, slots=True)
class Wired:
    """The app and its clients. Every answer of `/ops/v1` is checked against the shape that its document promises."""

    app: App
    bare: httpx.AsyncClient
    """Without credentials."""
    ops: httpx.AsyncClient
    tenant_ops: httpx.AsyncClient
    sigma: httpx.AsyncClient
    tenant_sigma: httpx.AsyncClient
    nova: httpx.AsyncClient
    """Of the operator, in the lowest microversion unless a request says otherwise."""
    tenant_nova: httpx.AsyncClient

    async def advance(self, seconds: float) -> None:
        answer = await self.ops.post("/clock/advance", json={"seconds": seconds})
        assert answer.status_code == 200, answer.text

    async def events(self) -> list[dict[str, Any]]:
        answer = await self.ops.get("/events", params={"limit": 1000})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["events"]
        return found

    async def server(self, name: str = "web-01", cpu: int = 2000, gib: int = 4, **more: Any) -> dict[str, Any]:
        """Made through `/ops/v1`, stopped."""
        body = {"name": name, "cpu_mhz": cpu, "memory_bytes": gib * 2**30, **more}
        return good(await self.ops.post("/servers", json=body), 201)

    async def running(self, name: str = "web-01", cpu: int = 2000, gib: int = 4, **more: Any) -> dict[str, Any]:
        server = await self.server(name, cpu, gib, **more)
        good(await self.ops.post(f"/servers/{server['id']}/actions", json={"action": "start"}), 202)
        await self.advance(60)
        return good(await self.ops.get(f"/servers/{server['id']}"))

    async def drive(self, name: str = "disk-01", gib: int = 10, **more: Any) -> dict[str, Any]:
        drive = good(await self.ops.post("/drives", json={"name": name, "size_bytes": gib * 2**30, **more}), 201)
        await self.advance(5)
        return drive

    async def break_cell(self, name: str, state: str = "down") -> None:
        """And wait until the event log has it, which is written behind the answer."""
        cursor = good(await self.ops.get("/events", params={"limit": 1}))["cursor"]
        good(await self.ops.put(f"/cells/{name}/reachability", json={"state": state}))
        news = good(await self.ops.get("/changes", params={"after": cursor, "wait_seconds": 25}))
        assert [event["kind"] for event in news["events"]] == [f"cell.{state}"]


def good(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """The object in an answer that must have this status."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    body: dict[str, Any] = answer.json()
    return body


def refused(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    return answer.json()


@dataclass
class Wall:
    """The world's time, which stands still until somebody sets it."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at


def wired(folder: Path, story: Callable[[Wired], Awaitable[T]], *, wall: Wall | None = None, **shape: Any) -> T:
    """Run a story against a new small cloud whose clock stands still until it is advanced."""
    make_folder(folder, **shape)
    clock = Clock(mode="manual", simulated_at=NOON, wall=wall or Wall())

    async def tell() -> T:
        async with running(folder, credentials=keys(folder), clock=clock, list_deadline_seconds=1.0) as app:
            transport = httpx.ASGITransport(app=app)

            def client(path: str, **more: Any) -> httpx.AsyncClient:
                return httpx.AsyncClient(transport=transport, base_url=BASE + path, **more)

            def ops_client(token: str) -> httpx.AsyncClient:
                headers = {"Authorization": f"Bearer {token}"}
                return client("/ops/v1", headers=headers, event_hooks={"response": [check_shape]})

            return await story(
                Wired(
                    app=app,
                    bare=client(""),
                    ops=ops_client("operator-token"),
                    tenant_ops=ops_client("tenant-token"),
                    sigma=client("/api/2.0", auth=(OPERATOR, PASSWORDS[OPERATOR])),
                    tenant_sigma=client("/api/2.0", auth=(TENANT, PASSWORDS[TENANT])),
                    nova=client("/compute/v2.1", headers={"X-Auth-Token": "operator-token"}),
                    tenant_nova=client("/compute/v2.1", headers={"X-Auth-Token": "tenant-token"}),
                )
            )

    return asyncio.run(tell())


_PATHS = [
    (re.compile(re.sub(r"{\w+}", "[^/]+", PREFIX + endpoint.path)), endpoint.method, endpoint.path)
    for endpoint in ops.TABLE
]
_SHAPES = {(endpoint.method, endpoint.path): endpoint.answers for endpoint in ops.TABLE}


async def check_shape(answer: httpx.Response) -> None:
    """What the document says of an answer is all that is in it, and of the right types."""
    await answer.aread()
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        error = answer.json()["error"]
        assert set(answer.json()) == {"error"}
        assert isinstance(error["code"], str)
        assert isinstance(error["message"], str)
        return
    for pattern, method, path in _PATHS:
        if method == answer.request.method and pattern.fullmatch(answer.request.url.path):
            shape = _shape(method, path, answer.status_code)
            if answer.headers["content-type"].startswith("text/plain"):
                assert _SHAPES[method, path][answer.status_code] is str
                return
            assert shape.validate_json(answer.content, strict=True) == json.loads(answer.content)
            # As routes go, the first path that fits is the one that answered.
            return


@cache
def _shape(method: str, path: str, status: int) -> TypeAdapter[Any]:
    """Making one takes longer than most requests."""
    return TypeAdapter(_SHAPES[method, path][status])
