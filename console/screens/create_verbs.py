"""Making drives and servers: what they are to be is asked for in one dialog, which sends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from console.client import CloudClient
from console.presentation import creating
from console.presentation.lines import Tone
from console.screens.forms import Form

if TYPE_CHECKING:
    from console.screens.acting import Host


async def act(host: Host, client: CloudClient, kind: str) -> None:
    """Ask what the new `drive` or `server` is to be, and make it."""
    cells = sorted(cell.name for cell in host.mirror.cells or ())
    if kind == "drive":
        form = Form("Create a drive", creating.drive_fields(cells), host.frame(), _drive_maker(client))
    else:
        account = host.mirror.account
        fields = creating.server_fields(
            cells, may_backfill=account is None or account.may_backfill, ids_by_name=_ids_by_name(host)
        )
        form = Form("Create a server", fields, host.frame(), _server_maker(client))
    sentence: str | None = await host.ask_dialog(form)
    if sentence is None:
        host.say("cancelled; nothing was made", Tone.MUTED)
    else:
        host.say(sentence, Tone.OK)


def _ids_by_name(host: Host) -> Callable[[str], Sequence[str]]:
    def find(name: str) -> Sequence[str]:
        servers = host.mirror.servers
        return [name] if name in servers else [each.id for each in servers.values() if each.name == name]

    return find


def _drive_maker(client: CloudClient) -> Callable[[Mapping[str, Any], str], Awaitable[str]]:
    async def make(fields: Mapping[str, Any], key: str) -> str:
        drive = await client.create_drive(fields, key=key)
        where = f" on {drive.host}" if drive.host else ""
        return f"{drive.title} is being made{where}; /{drive.title} finds it"

    return make


def _server_maker(client: CloudClient) -> Callable[[Mapping[str, Any], str], Awaitable[str]]:
    async def make(fields: Mapping[str, Any], key: str) -> str:
        server = await client.create_server(fields, key=key)
        return f"{server.title} is there, stopped, in {server.cell}; /{server.title} finds it"

    return make
