"""Making drives and servers: what they are to be is asked for in one dialog, which sends it.

Of a server, what it would come to is shown before: where it would start now, and who would shrink or stop for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from console.port import Port
from console.presentation import creating, figures, picking, plan
from console.presentation.lines import Frame, Line, Tone
from console.presentation.picking import Option
from console.records_parts import Limits
from console.screens.dialogs import Briefing, Confirmation
from console.screens.forms import Form

if TYPE_CHECKING:
    from console.screens.acting import Host


async def act(host: Host, client: Port, kind: str) -> None:
    """Ask what the new `drive` or `server` is to be, and make it. May raise ClientError."""
    if host.mirror.offer is not None:
        from console.screens import flavored_verbs

        await flavored_verbs.create(host, client)
        return
    cells = sorted(cell.name for cell in host.mirror.cells or ())
    limits = await client.limits()
    if kind == "drive":
        fields = creating.drive_fields(
            cells, limits=limits, images=await client.images(), ids_by_name=_ids_by_name(host, is_for_drive=True)
        )
        form = Form(
            "Create a drive",
            fields,
            host.frame(),
            _drive_maker(client),
            verb="preview",
            confirm=lambda body: _drive_plan(host, body, limits),
            options=_options(host, has_drives=True),
        )
    else:
        account = host.mirror.account
        fields = creating.server_fields(
            cells,
            may_backfill=account is None or account.may_backfill,
            ids_by_name=_ids_by_name(host),
            limits=limits,
            room=room_words(host),
        )
        form = Form(
            "Create a server",
            fields,
            host.frame(),
            _server_maker(client),
            verb="preview",
            confirm=lambda body: _creation_plan(host, client, body),
            options=_options(host, has_drives=False),
        )
    sentence: str | None = await host.ask_dialog(form)
    if sentence is None:
        host.say("cancelled; nothing was made", Tone.MUTED)
    else:
        host.say(sentence, Tone.OK)


def _options(host: Host, *, has_drives: bool) -> Mapping[str, Callable[[str], Sequence[Option]]]:
    search = picking.drives_to_avoid if has_drives else picking.servers_to_avoid
    return {"avoid": lambda text: search(host.mirror, text)}


def room_words(host: Host) -> str:
    """What one more server could have now without anybody being stopped; nothing where that is not known."""
    capacity = host.mirror.capacity
    room = None if capacity is None else capacity.others_shrink
    if room is None:
        return ""
    return f"the best host has {figures.ghz(room.cpu_mhz)} GHz and {figures.gib(room.memory_bytes)} GiB"


def agreed_to(host: Host, title: str, verb: str, tier: int, lines: Callable[[Frame], Sequence[Line]]) -> Confirmation:
    """Asks about what needs no plan of the cloud's."""

    async def ask() -> Briefing:
        return Briefing(title, verb, tier, lines)

    return Confirmation(title, ask, host.frame(), wall_now=host.wall_now, is_changed=lambda: False)


def _drive_plan(host: Host, body: Mapping[str, Any], limits: Limits) -> Confirmation:
    def lines(frame: Frame) -> Sequence[Line]:
        size = figures.amount_of_bytes(body["size_bytes"])
        left = limits.storage_bytes_left
        if left is not None:
            size += f"; the project has {figures.amount_of_bytes(max(0, left - body['size_bytes']))} left then"
        away = ", then ".join(host.mirror.name_of(id) or id for id in body.get("avoid", ()))
        where = body.get("cell") or "the cloud chooses the cell"
        return [
            *plan.labelled(frame, "SIZE", size),
            *plan.labelled(frame, "CELL", where),
            *(plan.labelled(frame, "AWAY FROM", away) if away else ()),
            *plan.labelled(frame, "", "a drive only grows, and is deleted with its data", Tone.MUTED),
        ]

    return agreed_to(host, f"Create {body['name']}", "create", 1, lines)


def _creation_plan(host: Host, client: Port, body: Mapping[str, Any]) -> Confirmation:
    title = f"Create {body['name']}"

    async def ask() -> Briefing:
        found = plan.with_names(await client.preview_creation(body), host.mirror)
        problem = None if found.is_allowed else found.problem or "it is refused"

        def lines(frame: Frame) -> Sequence[Line]:
            return plan.plan_lines(found, None, frame)

        return Briefing(title, "create", 1, lines, problem)

    return Confirmation(title, ask, host.frame(), wall_now=host.wall_now, is_changed=lambda: False)


def _ids_by_name(host: Host, *, is_for_drive: bool = False) -> Callable[[str], Sequence[str]]:
    def find(name: str) -> Sequence[str]:
        servers, drives = host.mirror.servers, host.mirror.drives.by_id
        if name in servers or (is_for_drive and name in drives):
            return [name]
        found = [each.id for each in servers.values() if each.name == name]
        return found + ([each.id for each in drives.values() if each.name == name] if is_for_drive else [])

    return find


def _drive_maker(client: Port) -> Callable[[Mapping[str, Any], str], Awaitable[str]]:
    async def make(fields: Mapping[str, Any], key: str) -> str:
        drive = await client.create_drive(fields, key=key)
        where = f" on {drive.host}" if drive.host else ""
        return f"{drive.title} is being made{where}; /{drive.title} finds it"

    return make


def _server_maker(client: Port) -> Callable[[Mapping[str, Any], str], Awaitable[str]]:
    async def make(fields: Mapping[str, Any], key: str) -> str:
        server = await client.create_server(fields, key=key)
        return f"{server.title} is there, stopped, in {server.cell}; /{server.title} finds it"

    return make
