"""The websocket that tells an account of every change of what it has.

Source: CloudSigma API 2.0, "Asynchronous server": a frame is `{"resource_type", "resource_uri"}`, sent on each change
and on deletion; one comes in with the cookie of `do=authenticate_asynchronous`, which is good for two minutes. Basic
authentication and a session do as well, which is ours. Changes of money are not told, as there is none yet.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from urllib.parse import urlsplit

import orjson
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from backend.cloud.errors import Forgotten
from backend.cloud.model import Account
from backend.dialects import wire
from backend.dialects.cloudsigma.passes import PASS_SECONDS
from backend.dialects.cloudsigma.render import PREFIX
from backend.dialects.cloudsigma.table import REALM, Context, Visit, session_of
from backend.operations import feed

COOKIE = "async_auth"
SOCKETS_PER_ACCOUNT_MAX = 32
QUIET_SECONDS = 25

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013

RESOURCES = {
    "server": "servers",
    "drive": "drives",
    "snapshot": "snapshots",
    "tag": "tags",
    "address": "ips",
    "vlan": "vlans",
    "firewall_policy": "fwpolicies",
    "key_pair": "keypairs",
}


async def authenticate(visit: Visit) -> Response:
    """`do=authenticate_asynchronous`: 200 with an empty object and the cookie. Raises WireError 401, 403."""
    account = await visit.account_of_request()
    answer = wire.JsonAnswer({})
    given = visit.context.passes.give(account.name, wall_now=visit.cloud.clock.wall_now())
    answer.set_cookie(COOKIE, given, max_age=PASS_SECONDS, path="/", httponly=True, samesite="strict")
    return answer


class Announcer:
    """The endpoint, of websockets only: to a plain request there is nothing at its address."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        account = await self._account_of(socket)
        if account is None or not _is_from_here(socket):
            await socket.close(POLICY_VIOLATION)
            return
        if self._open[account.name] >= SOCKETS_PER_ACCOUNT_MAX:
            await socket.close(TRY_AGAIN_LATER)
            return
        self._open[account.name] += 1
        try:
            await self._announce(socket, account)
        finally:
            self._open[account.name] -= 1

    async def _account_of(self, socket: WebSocket) -> Account | None:
        cloud, credentials = self._context.cloud, self._context.credentials
        if "authorization" in socket.headers:
            try:
                return await wire.account_of_basic(socket, cloud, credentials, REALM)
            except wire.WireError:
                return None
        name = self._context.passes.account_of(socket.cookies.get(COOKIE, ""), wall_now=cloud.clock.wall_now())
        if name is None:
            held = await session_of(socket, self._context)
            return None if held is None else held[0]
        return (await cloud.accounts()).get(name)

    async def _announce(self, socket: WebSocket, account: Account) -> None:
        """Until the client goes, or the cloud ends."""
        cloud = self._context.cloud
        cursor = await feed.cursor_now(cloud)
        await socket.accept()
        gone = asyncio.create_task(_wait_until_gone(socket))
        try:
            while not gone.done():
                changed = asyncio.create_task(cloud.changed(QUIET_SECONDS))
                try:
                    found = await feed.news(cloud, account, cursor)
                except Forgotten:
                    # A client that was this slow has missed what is told nobody any more.
                    cursor = await feed.cursor_now(cloud)
                    continue
                for kind, id in found.objects:
                    if (frame := frame_of(kind, id)) is not None:
                        await socket.send_text(orjson.dumps(frame).decode())
                cursor = found.cursor
                if found.is_more:
                    changed.cancel()
                    continue
                await asyncio.wait({changed, gone}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if cloud.is_ending:
                    await socket.close()
                    break
        except WebSocketDisconnect:
            pass
        finally:
            gone.cancel()


async def _wait_until_gone(socket: WebSocket) -> None:
    """What the client says is nothing to us."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def _is_from_here(socket: HTTPConnection) -> bool:
    """Whether it is no page of somebody else's: browsers say where a page is from, and other clients say nothing."""
    origin = socket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == socket.headers.get("host", "")


def frame_of(kind: str, id: str) -> dict[str, str] | None:
    """None for what the published API does not tell of."""
    if kind in ("profile", "account"):
        return {"resource_type": "profile", "resource_uri": f"{PREFIX}/profile/"}
    resource = RESOURCES.get(kind)
    if resource is None:
        return None
    return {"resource_type": resource, "resource_uri": f"{PREFIX}/{resource}/{id}/"}
