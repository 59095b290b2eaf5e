"""Verbs of drives: what they need is asked for, then the plan is shown, then the request is sent."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from console.commands import BY_ID, Command, left_out, reason_off
from console.port import ClientError, Port
from console.presentation import creating, drive_detail, picking, plan, together
from console.presentation.lines import Frame, Line, Span, Tone, fit_sentence
from console.reasons import Item, Selection
from console.records import DriveRecord, OutcomeRecord, PlanRecord
from console.screens import objects
from console.screens.agreeing import STALE, confirmed
from console.screens.asking import Ask, Given
from console.screens.dialogs import Briefing
from console.screens.feed import PAGE_LIMIT

if TYPE_CHECKING:
    from console.screens.acting import Host

PREVIEWS_MAX = 20
_VERBS = {"attach": "attach", "detach": "detach", "clone": "clone", "delete": "delete"}
_DONE = {"attach": "attached", "detach": "detached", "clone": "is being cloned", "delete": "deleted"}


@dataclass(frozen=True, slots=True)
class _Job:
    """One request: the drive, and what the verb needs to know."""

    item: Item
    id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    avoid: tuple[str, ...] | None = None
    says: tuple[tuple[str, str], ...] = ()
    """What was asked for, as labels and texts."""


async def act(host: Host, client: Port, command: Command, selection: Selection) -> None:
    """Carry a verb out for the drives of the selection, as far as it is on for them. May raise ClientError."""
    action = _action(command)
    items = [item for item in selection.items if item.kind == "drive" and _is_on(command, selection, item)]
    jobs = [_Job(item, objects.split_key(host.mirror, item.key)[1]) for item in items]
    match action:
        case "rename":
            await _rename(host, client, jobs[0])
            return
        case "attach":
            job = await _with_server(host, jobs[0])
        case "clone":
            job = await _with_clone(host, jobs[0])
        case _:
            await _confirm(host, client, command, jobs, left_out(command, selection))
            return
    if job is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)
    else:
        await _confirm(host, client, command, [job], ())


OF_SERVERS = {"server.attach_drive": "drive.attach", "server.detach_drive": "drive.detach"}
"""Verbs of a server that do one of a drive's, after the drive was chosen."""


async def act_for_server(host: Host, client: Port, command: Command, selection: Selection) -> None:
    """Choose the drive that the one server of the selection is given, or that is taken from it; then as for the drive.

    May raise ClientError.
    """
    item = selection.items[0]
    found = await client.server(item.key)
    gives = command.id == "server.attach_drive"
    drives = picking.free_drives(await _all_drives(host, client), found.server.cell) if gives else found.drives
    if not drives:
        host.say("there is no drive without a server" if gives else f"{item.name} has no drives", Tone.WARN)
        return
    ask = Ask(
        f"{'Attach a drive to' if gives else 'Detach a drive from'} {item.name}",
        "which one",
        host.frame(),
        options=lambda text: picking.drive_options(drives, text),
        note="those of its own cell come first" if gives else "its data stay",
    )
    given: Given | None = await host.ask_dialog(ask)
    if given is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)
        return
    drive = next(each for each in drives if each.id == given.keys[0])
    chosen = Item("drive", f"drive:{drive.id}", drive.title, drive.state, drive.is_reachable, drive.version)
    job = _Job(chosen, drive.id, {"server_id": item.key} if gives else {}, None, (("SERVER", item.name),))
    await _confirm(host, client, BY_ID[OF_SERVERS[command.id]], [job], ())
    host.reload()


async def _all_drives(host: Host, client: Port) -> Iterable[DriveRecord]:
    """The mirror has them only where a view has shown them."""
    if host.mirror.are_drives_complete:
        return host.mirror.drives.by_id.values()
    found: list[DriveRecord] = []
    after: str | None = None
    while True:
        page = await client.drives_page(after=after, limit=PAGE_LIMIT)
        found += page.drives
        after = page.next
        if after is None:
            return found


def _is_on(command: Command, selection: Selection, item: Item) -> bool:
    alone = Selection(selection.view, (item,), selection.is_read_only, selection.is_stale, selection.is_simulated)
    return reason_off(command, alone) is None


def _drive(host: Host, job: _Job) -> DriveRecord | None:
    return host.mirror.drives.by_id.get(job.id)


# What a verb needs to know -----------------------------------------------------------------------------------------


async def _rename(host: Host, client: Port, job: _Job) -> None:
    ask = Ask(f"Rename {job.item.name}", "name", host.frame(), text=job.item.name, note="tier 1: acts on enter")
    given: Given | None = await host.ask_dialog(ask)
    if given is None or given.text == job.item.name:
        host.say("nothing was changed", Tone.MUTED)
        return
    version = job.item.version
    await client.act("drive", job.id, "edit", if_version=version, name=given.text, key=uuid.uuid4().hex)
    host.say(f"{job.item.name} is called {given.text} now", Tone.OK)


async def _with_server(host: Host, job: _Job) -> _Job | None:
    drive = _drive(host, job)
    cell = "" if drive is None else drive.cell
    ask = Ask(
        f"Attach {job.item.name}",
        "to the stopped server",
        host.frame(),
        options=lambda text: picking.stopped_servers(host.mirror, cell, text),
        note="only stopped servers take a drive; those of its own cell come first",
    )
    given: Given | None = await host.ask_dialog(ask)
    if given is None:
        return None
    return _Job(job.item, job.id, {"server_id": given.keys[0]}, None, (("SERVER", given.names[0]),))


async def _with_clone(host: Host, job: _Job) -> _Job | None:
    drive = _drive(host, job)
    if drive is None:
        return None
    taken = {drive.name for drive in host.mirror.drives.by_id.values()}
    proposed = creating.clone_name(job.item.name, taken)
    ask = Ask(f"Clone {job.item.name}", "name of the copy", host.frame(), text=proposed)
    named: Given | None = await host.ask_dialog(ask)
    if named is None:
        return None
    avoid = Ask(
        f"Clone {job.item.name} to {named.text}",
        "away from",
        host.frame(),
        options=lambda text: picking.to_avoid(host.mirror, drive, text),
        is_many=True,
        note="the first is kept away from first; with none the cloud chooses freely, and it never fails for this",
    )
    given: Given | None = await host.ask_dialog(avoid)
    if given is None:
        return None
    away = ", then ".join(given.names) or "nothing"
    says = (("NAME", named.text), ("AWAY FROM", away))
    return _Job(job.item, job.id, {"name": named.text}, given.keys, says)


# The plan, and the request ------------------------------------------------------------------------------------------


def _action(command: Command) -> str:
    return command.id.removeprefix("drive.")


async def _confirm(
    host: Host, client: Port, command: Command, jobs: Sequence[_Job], off: Sequence[tuple[str, str]]
) -> None:
    action = _action(command)
    plans: dict[str, PlanRecord] = {}

    async def ask() -> Briefing:
        plans.clear()
        for job in jobs[:PREVIEWS_MAX]:
            found = await client.preview("drive", job.id, action, avoid=job.avoid, **job.fields)
            plans[job.id] = plan.with_names(found, host.mirror)
        return _briefing(host, command, jobs, off, plans)

    def is_changed() -> bool:
        drives = host.mirror.drives.by_id
        # One that the mirror has not been told of is looked at by the plan's token alone.
        return host.mirror.are_drives_complete and any(
            each.version is not None and (id not in drives or drives[id].version not in (None, each.version))
            for id, each in plans.items()
        )

    async def send() -> bool:
        await _send(host, client, action, jobs, plans)
        return True

    title = f"{_VERBS[action].capitalize()} {_names(jobs)}"
    if await confirmed(host, title, ask, send, is_changed=is_changed) is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)


def _briefing(
    host: Host, command: Command, jobs: Sequence[_Job], off: Sequence[tuple[str, str]], plans: Mapping[str, PlanRecord]
) -> Briefing:
    action = _action(command)
    verb = _VERBS[action]
    problem = None
    if not any(each.is_allowed for each in plans.values()):
        refused = next(iter(plans.values()), None)
        problem = (refused.problem if refused else None) or "it is refused"
    is_single = len(jobs) == 1

    def lines(frame: Frame) -> list[Line]:
        made: list[Line] = together.off(off, frame) if is_single else []
        if not is_single:
            made += together.lines("drive", plans, len(jobs), off, frame)
        shown = {key for key, _ in together.first(plans)}
        for job in jobs:
            if job.id not in shown:
                continue
            if not is_single:
                made += [(Span(""),), (Span(fit_sentence(job.item.name, frame.width, frame.glyphs), Tone.ACCENT),)]
            made += _job_lines(host, action, job, frame)
            made += plan.plan_lines(plans[job.id], None, frame)
        return [*made, *together.rest(plans)]

    to_type = None
    if command.impact >= 3:
        to_type = jobs[0].item.name if is_single else f"{len(jobs):,}"
    return Briefing(f"{verb.capitalize()} {_names(jobs)}", verb, command.impact, lines, problem, to_type)


def _job_lines(host: Host, action: str, job: _Job, frame: Frame) -> list[Line]:
    """What it is about: the drive, its server, and what was asked for."""
    drive = _drive(host, job)
    made: list[Line] = []
    if drive is not None:
        size = drive_detail.size_text(drive, frame.glyphs, is_known=drive.is_reachable)
        text = f"{size} GiB {drive.media or ''} on {drive.host or 'no host'}"
        made += plan.labelled(frame, "LOSES" if action == "delete" else "DRIVE", text,
                              Tone.CRIT if action == "delete" else Tone.TEXT)  # fmt: skip
        server = host.mirror.servers.get(drive.server_id or "")
        if server is not None:
            made += plan.labelled(frame, "SERVER", f"{server.title}, {server.state}", Tone.WARN)
    for label, text in job.says:
        made += plan.labelled(frame, label, text)
    return made


async def _send(host: Host, client: Port, action: str, jobs: Sequence[_Job], plans: Mapping[str, PlanRecord]) -> None:
    problems: list[str] = []
    outcome: OutcomeRecord | None = None
    for job in jobs:
        made_for = plans.get(job.id)
        # Each of several drives was previewed as things are; the first one changes them for the next.
        token = made_for.token if made_for is not None and len(jobs) == 1 else None
        try:
            outcome = await client.act(
                "drive",
                job.id,
                action,
                if_version=made_for.version if made_for else job.item.version,
                plan=token,
                avoid=job.avoid,
                key=uuid.uuid4().hex,
                **job.fields,
            )
        except ClientError as error:
            if token is not None and error.code == STALE:
                raise
            problems.append(f"{job.item.name}: {error.sentence}")
    done = len(jobs) - len(problems)
    if problems:
        start = f"{done} of {len(jobs)} accepted; " if len(jobs) > 1 else ""
        host.say(f"{_VERBS[action]}: {start}{problems[0]}", Tone.CRIT)
    elif len(jobs) == 1 and outcome is not None:
        host.say(_outcome_sentence(action, jobs[0], outcome), Tone.OK)
    else:
        host.say(f"{_VERBS[action]}: {done} of {len(jobs)} accepted", Tone.OK)


def _outcome_sentence(action: str, job: _Job, outcome: OutcomeRecord) -> str:
    if action == "clone" and outcome.drive is not None:
        on = f" on {outcome.drive.host}" if outcome.drive.host else ""
        return f"{job.item.name} is being cloned to {outcome.drive.title}{on}; :tasks follows it"
    to = "".join(f" to {text}" for label, text in job.says if label == "SERVER")
    return f"{job.item.name}: {_DONE[action]}{to}"


def _names(jobs: Sequence[_Job]) -> str:
    return jobs[0].item.name if len(jobs) == 1 else f"{len(jobs):,} drives"
