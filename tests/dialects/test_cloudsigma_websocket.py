"""The websocket tells an account of every change of what it has, and lets nobody else in."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from starlette.types import Message

from tests.backend.support import OPERATOR
from tests.dialects.conftest import Tell
from tests.dialects.sigma import a_server, act, created
from tests.dialects.support import PASSWORDS, Wall, Wired, good, wired

PATH = "/api/2.0/websocket/"
TENANTS_IP = "198.18.0.6"


class Line:
    """One end of a websocket, spoken to the app as a server would."""

    def __init__(self, on: Wired, headers: Mapping[str, str], path: str = PATH) -> None:
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self._heard: asyncio.Queue[Message] = asyncio.Queue()
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "ws",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "subprotocols": [],
        }
        self.task = asyncio.create_task(on.app(scope, self._said.get, self._heard.put))
        self._said.put_nowait({"type": "websocket.connect"})

    async def hear(self) -> Message:
        async with asyncio.timeout(10):
            return await self._heard.get()

    async def frames(self, count: int) -> list[dict[str, str]]:
        return [orjson.loads((await self.hear())["text"]) for _ in range(count)]

    def say(self, message: Message) -> None:
        self._said.put_nowait(message)


async def cookie(on: Wired, client: Any = None) -> dict[str, str]:
    answer = await (client or on.sigma).post("/accounts/action/", params={"do": "authenticate_asynchronous"})
    assert good(answer) == {}
    given = answer.headers["set-cookie"]
    assert "Max-Age=120" in given
    assert "HttpOnly" in given
    return {"host": "stratodeck", "cookie": given.partition(";")[0]}


def basic(name: str, password: str) -> dict[str, str]:
    encoded = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"host": "stratodeck", "authorization": f"Basic {encoded}"}


@asynccontextmanager
async def connected(on: Wired, headers: Mapping[str, str]) -> AsyncIterator[Line]:
    line = Line(on, headers)
    assert (await line.hear())["type"] == "websocket.accept"
    yield line
    line.say({"type": "websocket.disconnect", "code": 1000})
    async with asyncio.timeout(10):
        await line.task


async def turned_away(on: Wired, headers: Mapping[str, str], path: str = PATH) -> None:
    line = Line(on, headers, path)
    assert (await line.hear())["type"] == "websocket.close"
    async with asyncio.timeout(10):
        await line.task


def frame(resource: str, uuid: str) -> dict[str, str]:
    return {"resource_type": resource, "resource_uri": f"/api/2.0/{resource}/{uuid}/"}


def test_each_change_is_told_wherever_the_thing_lies_and_its_end_too(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        async with connected(on, await cookie(on)) as line:
            server = await a_server(on)
            assert await line.frames(1) == [frame("servers", server["uuid"])]
            policy = created(await on.sigma.post("/fwpolicies/", json={}))
            assert await line.frames(1) == [frame("fwpolicies", policy["uuid"])]
            tag = created(await on.sigma.post("/tags/", json={"name": "mine"}))
            assert await line.frames(1) == [frame("tags", tag["uuid"])]
            good(await on.sigma.put("/ips/198.18.0.2/", json={"meta": {"a": "b"}}))
            assert await line.frames(1) == [frame("ips", "198.18.0.2")]
            good(await on.sigma.put("/profile/", json={"company": "ACME"}))
            assert await line.frames(1) == [{"resource_type": "profile", "resource_uri": "/api/2.0/profile/"}]
            nics = [{"firewall_policy": policy["uuid"]}]
            good(await on.sigma.put(f"/servers/{server['uuid']}/", json={**server, "nics": nics}))
            assert await line.frames(1) == [frame("servers", server["uuid"])]
            await act(on, server["uuid"], "start")
            assert await line.frames(1) == [frame("servers", server["uuid"])]
            assert (await on.sigma.delete(f"/tags/{tag['uuid']}/")).status_code == 204
            assert await line.frames(1) == [frame("tags", tag["uuid"])]

    tell(story)


def test_a_server_that_is_deleted_is_told_to_its_owner_alone(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await a_server(on)
        async with connected(on, await cookie(on, on.tenant_sigma)) as theirs, connected(on, await cookie(on)) as line:
            assert (await on.sigma.delete(f"/servers/{server['uuid']}/")).status_code == 204
            assert await line.frames(1) == [frame("servers", server["uuid"])]
            good(await on.tenant_sigma.put(f"/ips/{TENANTS_IP}/", json={"meta": {"a": "b"}}))
            assert await theirs.frames(1) == [frame("ips", TENANTS_IP)], "and nothing before it"

    tell(story)


def test_a_password_or_a_session_is_as_good_as_the_cookie(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        login = {"username": OPERATOR, "password": PASSWORDS[OPERATOR]}
        answer = await on.bare.post("/api/2.0/accounts/action/", params={"do": "login"}, json=login)
        session = {"host": "stratodeck", "cookie": f"sessionid={answer.cookies['sessionid']}"}
        for headers in (basic(OPERATOR, PASSWORDS[OPERATOR]), session):
            async with connected(on, headers) as line:
                good(await on.sigma.put("/profile/", json={"company": str(headers)[:200]}))
                assert (await line.frames(1))[0]["resource_type"] == "profile"

    tell(story)


def test_nobody_else_comes_in(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        given = await cookie(on)
        name, _, value = given["cookie"].partition("=")
        for headers in (
            {"host": "stratodeck"},
            basic(OPERATOR, "wrong"),
            {**given, "cookie": f"{name}={value[:-1]}x"},
            {**given, "cookie": f"{name}=.."},
            {**given, "cookie": f"{name}=\xff"},
            {**given, "cookie": f"sessionid={value}"},
            {**given, "host": "evil.example.org"},
            {**given, "origin": "https://evil.example.org"},
        ):
            await turned_away(on, headers)
        assert (await on.sigma.get("/websocket/")).status_code == 404
        await turned_away(on, given, "/api/2.0/servers/")
        await turned_away(on, given, "/ops/v1/events")
        async with connected(on, {**given, "origin": "http://stratodeck"}):
            pass
        for path in ("/websocket", "/websocket/", PATH[:-1]):
            assert (await Line(on, given, path).hear())["type"] == "websocket.accept"
        on.app.cloud.end()

    tell(story)


def test_the_cookie_is_good_for_two_minutes(tmp_path: Any) -> None:
    from datetime import timedelta

    wall = Wall()

    async def story(on: Wired) -> None:
        given = await cookie(on)
        wall.at += timedelta(seconds=119)
        async with connected(on, given):
            pass
        wall.at += timedelta(seconds=1)
        await turned_away(on, given)

    wired(tmp_path / "data", story, wall=wall)


def test_a_client_may_say_what_it_likes_and_is_told_when_the_cloud_ends(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        line = Line(on, await cookie(on))
        assert (await line.hear())["type"] == "websocket.accept"
        line.say({"type": "websocket.receive", "text": "hello?"})
        created(await on.sigma.post("/fwpolicies/", json={}))
        assert (await line.frames(1))[0]["resource_type"] == "fwpolicies"

        on.app.cloud.end()

        assert (await line.hear())["type"] == "websocket.close"
        await line.task

    tell(story)


@pytest.mark.parametrize("most", [32])
def test_an_account_may_have_only_so_many_at_once(tell: Tell, most: int) -> None:
    async def story(on: Wired) -> None:
        given = await cookie(on)
        lines = [Line(on, given) for _ in range(most)]
        for line in lines:
            assert (await line.hear())["type"] == "websocket.accept"
        await turned_away(on, given)
        async with connected(on, await cookie(on, on.tenant_sigma)):
            pass
        for line in lines:
            line.say({"type": "websocket.disconnect", "code": 1000})
            await line.task
        async with connected(on, given):
            pass

    tell(story)
