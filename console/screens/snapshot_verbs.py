"""Snapshots of a drive: taking one, making a drive of one, deleting one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from console.commands import Command
from console.port import Port
from console.presentation import creating, figures, parts, picking, plan
from console.presentation.lines import Frame, Line, Tone
from console.reasons import Item, Selection
from console.records_parts import SnapshotRecord
from console.screens import objects
from console.screens.asking import Ask, Given
from console.screens.dialogs import Briefing, Confirmation
from console.screens.forms import Form

if TYPE_CHECKING:
    from console.screens.acting import Host

IDS = frozenset({"drive.snapshot", "drive.clone_snapshot", "drive.delete_snapshot"})


async def act(host: Host, client: Port, command: Command, selection: Selection) -> None:
    """Carry one of `IDS` out for the one drive of the selection. May raise ClientError."""
    item = selection.items[0]
    id = objects.split_key(host.mirror, item.key)[1]
    if command.id == "drive.snapshot":
        sentence = await _take(host, client, item, id)
    else:
        snapshots = (await client.drive(id)).snapshots
        if not snapshots:
            host.say(f"{item.name} has no snapshots; x s takes one", Tone.WARN)
            return
        work = _clone if command.id == "drive.clone_snapshot" else _delete
        snapshot = await _picked(host, item, snapshots)
        sentence = None if snapshot is None else await work(host, client, id, snapshot)
    if sentence is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)
    else:
        host.say(sentence, Tone.OK)
        host.reload()


async def _take(host: Host, client: Port, item: Item, id: str) -> str | None:
    async def send(fields: Mapping[str, Any], key: str) -> str:
        taken = await client.take_snapshot(id, fields, key=key)
        return f"{item.name}: snapshot {taken.name} is being taken"

    form = Form(f"Take a snapshot of {item.name}", parts.snapshot_fields(item.name, host.frame()), host.frame(), send,
                verb="take it")  # fmt: skip
    sentence: str | None = await host.ask_dialog(form)
    return sentence


async def _picked(host: Host, item: Item, snapshots: Sequence[SnapshotRecord]) -> SnapshotRecord | None:
    frame = host.frame()
    ask = Ask(
        f"Snapshots of {item.name}",
        "which one",
        frame,
        options=lambda text: parts.snapshot_options(snapshots, text, frame),
    )
    given: Given | None = await host.ask_dialog(ask)
    return None if given is None else next(each for each in snapshots if each.id == given.keys[0])


async def _clone(host: Host, client: Port, drive_id: str, snapshot: SnapshotRecord) -> str | None:
    drive = host.mirror.drives.by_id.get(drive_id)
    limits = await client.limits()
    avoid: tuple[str, ...] = ()
    if drive is not None:
        source = drive
        ask = Ask(
            f"Make a drive of {snapshot.name}",
            "away from",
            host.frame(),
            options=lambda text: picking.to_avoid(host.mirror, source, text),
            is_many=True,
            note="the first is kept away from first; with none the cloud chooses freely, and it never fails for this",
        )
        given: Given | None = await host.ask_dialog(ask)
        if given is None:
            return None
        avoid = given.keys

    async def send(fields: Mapping[str, Any], key: str) -> str:
        outcome = await client.act_on_snapshot(snapshot.id, "clone", key=key, avoid=list(avoid), **fields)
        made = outcome.drive
        on = f" on {made.host}" if made is not None and made.host else ""
        return f"{fields['name']} is being made of {snapshot.name}{on}; :tasks follows it"

    taken = {each.name for each in host.mirror.drives.by_id.values()}
    fields = parts.copy_fields(snapshot, creating.clone_name(snapshot.name, taken), limits)
    form = Form(f"Make a drive of {snapshot.name}", fields, host.frame(), send, verb="make it")
    sentence: str | None = await host.ask_dialog(form)
    return sentence


async def _delete(host: Host, client: Port, _drive_id: str, snapshot: SnapshotRecord) -> str | None:
    title = f"Delete snapshot {snapshot.name}"

    async def briefing() -> Briefing:
        def lines(frame: Frame) -> Sequence[Line]:
            told = parts.snapshot_words(snapshot, frame)
            kept = f"its drive stays as it is; {figures.gib(snapshot.size_bytes or 0)} GiB of the quota are free then"
            return [*plan.labelled(frame, "LOSES", told, Tone.CRIT), *plan.labelled(frame, "", kept, Tone.MUTED)]

        return Briefing(title, "delete", 3, lines, name_to_type=snapshot.name)

    dialog = Confirmation(title, briefing, host.frame(), wall_now=host.wall_now, is_changed=lambda: False)
    if not await host.ask_dialog(dialog):
        return None
    version = {} if snapshot.version is None else {"if_version": snapshot.version}
    await client.act_on_snapshot(snapshot.id, "delete", key=uuid.uuid4().hex, **version)
    return f"snapshot {snapshot.name} deleted"
