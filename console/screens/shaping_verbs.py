"""Verbs that change what a server or a drive is: name, tags and meta in one form, sizes in another.

A form begins with what the cloud says of the object now, and what is sent carries that version: what somebody else
changes meanwhile is not lost, the form says so and keeps what was typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from console.commands import Command
from console.port import ClientError, Port
from console.presentation import creating, figures, parts, plan
from console.presentation.lines import Frame, Line, Tone
from console.reasons import Selection
from console.records import HostRecord, ServerRecord
from console.screens import objects
from console.screens.create_verbs import agreed_to, room_words
from console.screens.dialogs import Briefing, Confirmation
from console.screens.forms import Form

if TYPE_CHECKING:
    from console.screens.acting import Host

IDS = frozenset({"server.edit", "server.resize", "drive.edit", "drive.resize"})


async def act(host: Host, client: Port, command: Command, selection: Selection) -> None:
    """Carry one of `IDS` out for the one object of the selection. May raise ClientError."""
    kind, id = objects.split_key(host.mirror, selection.items[0].key)
    if command.id.endswith(".edit"):
        form = await _edit_form(host, client, kind, id)
    elif kind == "server":
        form = await _server_size_form(host, client, id)
    else:
        form = await _drive_size_form(host, client, id)
    sentence: str | None = await host.ask_dialog(form)
    if sentence is None:
        host.say("nothing was changed", Tone.MUTED)
    else:
        host.say(sentence, Tone.OK)
        host.reload()


async def _edit_form(host: Host, client: Port, kind: str, id: str) -> Form:
    found: Any = await client.server(id) if kind == "server" else await client.drive(id)
    known = found.server if kind == "server" else found.drive
    meta = found.raw.get("meta") or {}

    async def send(fields: Mapping[str, Any], key: str) -> str:
        await client.act(kind, id, "edit", if_version=known.version, key=key, **fields)
        return parts.edited(known.title, fields)

    fields = parts.label_fields(known.name or "", known.tags, meta)
    return Form(f"Edit {known.title}", fields, host.frame(), send, verb="change", is_edit=True)


async def _server_size_form(host: Host, client: Port, id: str) -> Form:
    server = (await client.server(id)).server
    limits = await client.limits(server.project_id)
    fields = creating.size_fields(
        limits, cpu_mhz=server.cpu_mhz, memory_bytes=server.memory_bytes, room=room_words(host)
    )

    async def send(fields: Mapping[str, Any], key: str) -> str:
        outcome = await client.act("server", id, "resize", if_version=server.version, key=key, **fields)
        return f"{server.title} has {_size(outcome.server or server)} now"

    return Form(
        f"Resize {server.title}",
        fields,
        host.frame(),
        send,
        verb="preview",
        is_edit=True,
        confirm=lambda body: _resize_plan(host, client, server, body),
    )


def _size(server: ServerRecord) -> str:
    return f"{figures.ghz(server.cpu_mhz or 0)} GHz and {figures.gib(server.memory_bytes or 0)} GiB"


def _resize_plan(host: Host, client: Port, server: ServerRecord, body: Mapping[str, Any]) -> Confirmation:
    title = f"Resize {server.title}"
    resized = replace(server, **body)

    async def ask() -> Briefing:
        found = await client.preview("server", server.id, "resize", if_version=server.version, **body)
        named = plan.with_names(found, host.mirror)

        def lines(frame: Frame) -> Sequence[Line]:
            size = f"{_size(server)} -> {_size(resized)}"
            return [*plan.labelled(frame, "SIZE", size), *plan.plan_lines(named, None, frame)]

        problem = None if named.is_allowed else named.problem or "it is refused"
        return Briefing(title, "resize", 2, lines, problem)

    def is_changed() -> bool:
        now = host.mirror.servers.get(server.id)
        return now is not None and server.version is not None and now.version not in (None, server.version)

    return Confirmation(title, ask, host.frame(), wall_now=host.wall_now, is_changed=is_changed)


async def _drive_size_form(host: Host, client: Port, id: str) -> Form:
    drive = (await client.drive(id)).drive
    limits = await client.limits(drive.project_id)
    field = parts.drive_size_field(drive, limits, await _storage_host(client, drive.host))

    async def send(fields: Mapping[str, Any], key: str) -> str:
        await client.act("drive", id, "resize", if_version=drive.version, key=key, **fields)
        return f"{drive.title} is growing to {figures.amount_of_bytes(fields['size_bytes'])}; :tasks follows it"

    title = f"Resize {drive.title}"

    def lines(frame: Frame, size_bytes: int) -> Sequence[Line]:
        size = f"{figures.amount_of_bytes(drive.size_bytes or 0)} -> {figures.amount_of_bytes(size_bytes)}"
        told = "a drive only grows: this cannot be taken back"
        return [*plan.labelled(frame, "SIZE", size), *plan.labelled(frame, "", told, Tone.WARN)]

    def confirm(body: Mapping[str, Any]) -> Confirmation:
        return agreed_to(host, title, "resize", 2, lambda frame: lines(frame, body["size_bytes"]))

    return Form(title, (field,), host.frame(), send, verb="preview", is_edit=True, confirm=confirm)


async def _storage_host(client: Port, name: str | None) -> HostRecord | None:
    """None also where the account may not look at hosts: only staff may."""
    try:
        hosts = (await client.hosts()).hosts
    except ClientError as error:
        if error.code != "forbidden":
            raise
        return None
    return next((host for host in hosts if host.name == name), None)
