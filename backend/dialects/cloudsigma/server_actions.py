"""`/servers/UUID/action/`: what one does with a server that there is.

Source: CloudSigma API 2.0, servers, "Server Actions"; "Availability Groups and Avoid". Simplified: nothing boots, so a
console's address is a name of this machine that says that it is simulated, with a port on which nobody listens.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import Response

from backend.cloud.errors import Invalid
from backend.dialects import wire
from backend.dialects.cloudsigma import table
from backend.dialects.cloudsigma.bodies import ServerCloned
from backend.dialects.cloudsigma.servers import detail_of
from backend.dialects.cloudsigma.table import Call
from backend.operations import consoles, server_clones, servers
from backend.operations.clone_plans import CloneSpec
from backend.operations.consoles import ConsoleKind

CONSOLE_HOST = "simulated.localhost"
_SCHEMES: Mapping[ConsoleKind, str] = {"vnc": "vnc", "console": "csconsole"}

Action = Callable[[Call, dict[str, Any]], Awaitable[Response]]


async def act(call: Call) -> Response:
    """202. Only a clone's body has an effect: clients send an empty object with the others, or nothing at all."""
    content = await call.content()
    if not isinstance(content, dict):
        raise Invalid("body", "must be an object")
    action = ACTIONS.get(call.word("do") or "")
    if action is None:
        raise Invalid("do", f"must be one of {', '.join(ACTIONS)}")
    return await action(call, content)


async def _start(call: Call, content: dict[str, Any]) -> Response:
    await servers.start_server(
        call.cloud, call.account, call.uuid, avoid=call.avoid, only_backfilling=call.only_backfilling
    )
    return table.accepted("start", call.uuid)


def _stop(action: str) -> Action:
    async def stop(call: Call, content: dict[str, Any]) -> Response:
        await servers.stop_server(
            call.cloud, call.account, call.uuid, action=action, only_backfilling=call.only_backfilling
        )
        return table.accepted(action, call.uuid)

    return stop


async def _restart(call: Call, content: dict[str, Any]) -> Response:
    await consoles.restart_server(call.cloud, call.account, call.uuid, only_backfilling=call.only_backfilling)
    return table.accepted("restart", call.uuid)


def _open(kind: ConsoleKind) -> Action:
    async def open_console(call: Call, content: dict[str, Any]) -> Response:
        await consoles.open_console(call.cloud, call.account, call.uuid, kind, only_backfilling=call.only_backfilling)
        url = {f"{kind}_url": f"{_SCHEMES[kind]}://{CONSOLE_HOST}:{_port(call.uuid, kind)}"}
        return table.accepted(f"open_{kind}", call.uuid, url)

    return open_console


def _port(server_id: str, kind: ConsoleKind) -> int:
    """Always the same of the same server, from 41,000 to 50,999."""
    digest = hashlib.sha256(f"{server_id}/{kind}".encode()).digest()
    return 41_000 + int.from_bytes(digest[:4]) % 10_000


def _close(kind: ConsoleKind) -> Action:
    async def close_console(call: Call, content: dict[str, Any]) -> Response:
        await consoles.close_console(call.cloud, call.account, call.uuid, kind, only_backfilling=call.only_backfilling)
        return table.accepted(f"close_{kind}", call.uuid)

    return close_console


async def _clone(call: Call, content: dict[str, Any]) -> Response:
    """The clone as a bare object. It is stopped, and its drives are `cloning_dst` for a while.

    Simplified: a mounted cdrom is copied, not shared.
    """
    sent = wire.validated(ServerCloned, content)
    attributes = {"vnc_password": secrets.token_urlsafe(9)} if sent.random_vnc_password else None
    spec = CloneSpec(sent.name, call.avoid, attributes=attributes)
    begun = await server_clones.clone_server(
        call.cloud, call.account, call.uuid, spec, only_backfilling=call.only_backfilling
    )
    attached = {begun.server.id: [each.drive for each in begun.copies]}
    return wire.JsonAnswer(detail_of(begun.server, attached, await call.directory([begun.server.id])), 202)


ACTIONS: Mapping[str, Action] = {
    "start": _start,
    "stop": _stop("stop"),
    "shutdown": _stop("shutdown"),
    "restart": _restart,
    "clone": _clone,
    "open_vnc": _open("vnc"),
    "close_vnc": _close("vnc"),
    "open_console": _open("console"),
    "close_console": _close("console"),
}
