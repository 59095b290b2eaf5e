"""What the tests of CloudSigma's paths do again and again, and the smallest bodies that its clients send."""

from __future__ import annotations

from typing import Any

from tests.dialects.support import Wired, good, refused

GIB = 2**30
MINIMAL = {"name": "web-01", "cpu": 1000, "mem": GIB, "vnc_password": "secret"}
DISK = {"name": "disk-01", "size": 1_024_000_000, "media": "disk"}


def created(answer: Any) -> dict[str, Any]:
    """The one object of a create."""
    body = good(answer, 201)
    assert set(body) == {"objects"}
    (only,) = body["objects"]
    assert answer.headers["location"] == only["resource_uri"]
    found: dict[str, Any] = only
    return found


async def a_server(on: Wired, **more: Any) -> dict[str, Any]:
    return created(await on.sigma.post("/servers/", json={**MINIMAL, **more}))


async def a_running_server(on: Wired, *, avoid: str = "", **more: Any) -> dict[str, Any]:
    server = await a_server(on, **more)
    await act(on, server["uuid"], "start", **({"avoid": avoid} if avoid else {}))
    await on.advance(60)
    return good(await on.sigma.get(f"/servers/{server['uuid']}/"))


async def a_drive(on: Wired, **more: Any) -> dict[str, Any]:
    drive = created(await on.sigma.post("/drives/", json={**DISK, **more}))
    await on.advance(5)
    return drive


async def act(on: Wired, uuid: str, action: str, **query: str) -> None:
    answer = await on.sigma.post(f"/servers/{uuid}/action/", params={"do": action, **query})
    assert good(answer, 202) == {"action": action, "result": "success", "uuid": uuid}


def error_of(answer: Any, status: int) -> dict[str, Any]:
    (only,) = refused(answer, status)
    assert set(only) == {"error_type", "error_message", "error_point"}
    found: dict[str, Any] = only
    return found


def good_list(answer: Any) -> list[Any]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert isinstance(body, list)
    return body
