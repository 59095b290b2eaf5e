"""`POST /servers/{id}/action`: one action by name.

**Source**: Compute API reference, "Run an action".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import Response

from backend.cloud.errors import NoCapacity, WrongState
from backend.cloud.model import Server
from backend.dialects.nova import servers, shapes
from backend.dialects.nova.render import status_of
from backend.dialects.nova.table import NO_ANSWER, NO_CONNECTION, Call, answer, bad_request, conflict, empty, malformed
from backend.operations import boots
from backend.operations import servers as operations
from backend.store import ServerEntry

Act = Callable[[Call, ServerEntry, Server, Any], Awaitable[Response]]


async def act(call: Call) -> Response:
    content = await call.content()
    if len(content) != 1:
        raise malformed()
    ((name, argument),) = content.items()
    action = ACTIONS.get(name)
    if action is None:
        raise bad_request(f"There is no such action: {name[:255]}")
    if name in _SCHEMAS:
        shapes.check(_SCHEMAS[name], content)
    exception = NO_CONNECTION if name in ("os-start", "os-stop") else NO_ANSWER
    entry, server = await servers.find_up(call, exception)
    return await action(call, entry, server, argument)


def _refuse(server: Server, action: str) -> None:
    """Raises WireError 409."""
    status = status_of(server)
    if status.task_state is not None:
        raise conflict(f"Cannot '{action}' instance {server.id} while it is in task_state {status.task_state}")
    raise conflict(f"Cannot '{action}' instance {server.id} while it is in vm_state {status.vm_state}")


def _require(server: Server, action: str, *, vm_state: str) -> None:
    status = status_of(server)
    if status.vm_state != vm_state or status.task_state is not None:
        _refuse(server, action)


async def start(call: Call, entry: ServerEntry, server: Server, argument: Any) -> Response:
    """Without room: 409 with the reason. Nova would not look for room: its stopped servers keep their host.

    What its last start avoided, as another API may have asked for, it avoids again.
    """
    _require(server, "start", vm_state="stopped")
    try:
        await boots.start_member(call.cloud, call.account, entry, avoid=server.avoid)
    except NoCapacity as error:
        raise conflict(f"Cannot 'start' instance {server.id}: No valid host was found. {error}") from error
    except WrongState as error:
        raise conflict(str(error)) from error
    return empty(202)


async def stop(call: Call, entry: ServerEntry, server: Server, argument: Any) -> Response:
    """As its power button would: the guest puts its things in order first."""
    _require(server, "stop", vm_state="active")
    await operations.stop_server(call.cloud, call.account, entry.id, action="shutdown")
    return empty(202)


async def reboot(call: Call, entry: ServerEntry, server: Server, argument: Any) -> Response:
    _require(server, "reboot", vm_state="active")
    await boots.reboot_server(call.cloud, call.account, entry.id, is_hard=argument["type"].upper() == "HARD")
    return empty(202)


async def console_output(call: Call, entry: ServerEntry, server: Server, argument: Any) -> Response:
    """Simplified: no guest runs here, so there is nothing but what the cloud can say of it."""
    lines = [f"{server.name} login: "] if status_of(server).vm_state == "active" else []
    return answer({"output": "\n".join(lines)})


ACTIONS: Mapping[str, Act] = {
    "os-start": start,
    "os-stop": stop,
    "reboot": reboot,
    "os-getConsoleOutput": console_output,
}

_SCHEMAS: Mapping[str, shapes.Schema] = {
    "reboot": shapes.an_object(
        "reboot",
        {
            "type": "object",
            "properties": {"type": {"type": "string", "enum": ("HARD", "Hard", "hard", "SOFT", "Soft", "soft")}},
            "required": ("type",),
            "additionalProperties": False,
        },
    ),
    "os-getConsoleOutput": shapes.an_object(
        "os-getConsoleOutput",
        {
            "type": "object",
            "properties": {"length": {"type": ["integer", "string", "null"], "pattern": r"^-?[0-9]{1,9}\Z"}},
            "additionalProperties": False,
        },
    ),
}
