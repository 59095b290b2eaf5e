"""Making a server in a cloud that has flavors: its size and its image are chosen from what the cloud has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from console.port import Port
from console.presentation import flavored, plan
from console.presentation.lines import Frame, Line, Tone
from console.screens.dialogs import Briefing, Confirmation
from console.screens.forms import Form

if TYPE_CHECKING:
    from console.screens.acting import Host


async def create(host: Host, client: Port) -> None:
    """Ask what the new server is to be, and make it. May raise ClientError."""
    flavors, images = await client.flavors(), await client.images()
    zones = sorted(cell.name for cell in host.mirror.cells or () if not cell.is_silent)
    fields = flavored.server_fields(flavors, images, zones, await client.groups_apart())
    form = Form(
        "Create a server",
        fields,
        host.frame(),
        _maker(client),
        verb="preview",
        confirm=lambda body: _plan(host, client, body),
    )
    sentence: str | None = await host.ask_dialog(form)
    if sentence is None:
        host.say("cancelled; nothing was made", Tone.MUTED)
    else:
        host.say(sentence, Tone.OK)


def _plan(host: Host, client: Port, body: Mapping[str, Any]) -> Confirmation:
    title = f"Create {body['name']}"

    async def ask() -> Briefing:
        found = await client.preview_creation(body)

        def lines(frame: Frame) -> list[Line]:
            return [*flavored.lines(body, frame), *plan.plan_lines(found, None, frame)]

        return Briefing(title, "create", 1, lines)

    return Confirmation(title, ask, host.frame(), wall_now=host.wall_now, is_changed=lambda: False)


def _maker(client: Port) -> Callable[[Mapping[str, Any], str], Awaitable[str]]:
    async def make(fields: Mapping[str, Any], key: str) -> str:
        server = await client.create_server(flavored.sent(fields), key=key)
        return f"{server.title} is being made, and starts; /{server.title} finds it"

    return make
