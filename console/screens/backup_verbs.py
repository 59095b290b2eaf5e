"""Verbs of schedules and backups: making and editing a schedule with its preview while one types, backing up now,
running, switching, restoring, deleting.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from console.commands import Command, reason_off
from console.port import ClientError, Port
from console.presentation import backup_forms, backup_plans, creating, plan
from console.presentation.lines import Frame, Line, Span, Tone, fit_sentence
from console.presentation.sentences import named
from console.reasons import Item, Selection
from console.records import PlanRecord
from console.records_backup_plans import BackupPlanRecord, FlavorRecord
from console.records_backups import ScheduleRecord
from console.screens import objects
from console.screens.agreeing import STALE, confirmed
from console.screens.asking import Ask, Given
from console.screens.create_verbs import agreed_to
from console.screens.dialogs import Briefing, Choice, Confirmation, Menu
from console.screens.forms import Form, Lines

if TYPE_CHECKING:
    from console.screens.acting import Host

CREATING = frozenset({"schedule.create", "backup.create"})
"""What is about nothing that is there yet."""
_SWITCHES = {"schedule.activate": "activate", "schedule.deactivate": "deactivate"}
_CONFIRMED = {
    "schedule.run": ("run now", "Run {} now"),
    "schedule.drill": ("try a restore", "Try a restore of the newest backup of {}"),
    "schedule.delete": ("delete", "Delete {}"),
    "backup.delete": ("delete", "Delete {}"),
}
"""What is asked before: the words on the button, and those above."""
IDS = frozenset({"server.backup", "server.schedule", "schedule.edit", "backup.restore", *_SWITCHES, *_CONFIRMED})

PREVIEWS_MAX = 20
T = TypeVar("T")


async def create(host: Host, client: Port, command: Command) -> None:
    """Ask of what, then as of a server. May raise ClientError."""
    title = "New schedule" if command.id == "schedule.create" else "Back up now"
    projects = {each.project_id: each.name for each in (await client.storage()).projects}
    ask = Ask(
        title,
        "of what",
        host.frame(),
        options=lambda text: backup_forms.source_options(host.mirror, projects, text),
        note="a server, or all servers of a project; type a part of its name",
    )
    given: Given | None = await host.ask_dialog(ask)
    sentence = None
    if given is not None:
        work = _schedule if command.id == "schedule.create" else _back_up
        sentence = await work(host, client, [_Source(given.names[0], backup_forms.source_of(given.keys[0]))])
    _tell(host, sentence)


async def act(host: Host, client: Port, command: Command, selection: Selection) -> None:
    """Carry one of `IDS` out. May raise ClientError."""
    items = [item for item in selection.items if reason_off(command, selection._replace(items=(item,))) is None]
    item = items[0]
    id = objects.split_key(host.mirror, item.key)[1]
    match command.id:
        case "server.backup" | "server.schedule":
            work = _back_up if command.id == "server.backup" else _schedule
            sentence = await work(host, client, [_Source(each.name, _server(host, each)) for each in items])
        case "schedule.edit":
            sentence = await _edit(host, client, id)
        case "backup.restore":
            sentence = await _restore(host, client, item, id)
        case switch if switch in _SWITCHES:
            # Whatever version it is at by now: each run makes another one, and what is asked for stays the same.
            await _each(host, client, _SWITCHES[switch], items, {})
            return
        case _:
            await _confirm(host, client, command, items)
            return
    _tell(host, sentence)


@dataclass(frozen=True, slots=True)
class _Source:
    """What is to be backed up."""

    name: str
    asked: Mapping[str, Any]


def _server(host: Host, item: Item) -> Mapping[str, Any]:
    return {"source_kind": "server", "source_id": objects.split_key(host.mirror, item.key)[1]}


def _called(sources: Sequence[_Source]) -> str:
    return sources[0].name if len(sources) == 1 else f"{len(sources)} servers"


def _head(sources: Sequence[_Source], frame: Frame) -> Sequence[Line]:
    """Of several, whose figures are shown."""
    if len(sources) == 1:
        return ()
    return plan.labelled(frame, "OF EACH", f"{len(sources)} servers; what follows is of {sources[0].name}", Tone.WARN)


async def _make_each(
    sources: Sequence[_Source], key: str, make: Callable[[Mapping[str, Any], str], Awaitable[T]]
) -> list[T]:
    """One after the other, each with a key of its own: a repeat makes only what is not made yet."""
    made: list[T] = []
    for number, source in enumerate(sources):
        try:
            made.append(await make(source.asked, key if len(sources) == 1 else f"{key}-{number}"))
        except ClientError as error:
            if len(sources) == 1:
                raise
            done = f"{number} of {len(sources)} are done, and enter goes on with the others"
            raise ClientError(f"{source.name}: {error.sentence} {done}", error.code, error.is_retryable) from error
    return made


def _tell(host: Host, sentence: str | None) -> None:
    if sentence is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)
    else:
        host.say(sentence, Tone.OK)
        host.reload()


# --- schedules -------------------------------------------------------------------------------------------------------


def _zone(body: Mapping[str, Any], before: ScheduleRecord | None) -> str:
    return str(body.get("time_zone") or ("UTC" if before is None else before.time_zone))


def _live(
    host: Host, client: Port, asked: Mapping[str, Any], before: ScheduleRecord | None = None
) -> Callable[[Mapping[str, Any]], Awaitable[Lines]]:
    """What the form shows below its fields."""

    async def live(body: Mapping[str, Any]) -> Lines:
        found = await client.plan_schedule({**asked, **body}, schedule_id=None if before is None else before.id)
        told = found._replace(sentences=tuple(named(host.mirror, each) for each in found.sentences))
        target = body.get("target_seconds", None if before is None else before.target_seconds)
        return lambda frame: backup_plans.schedule_lines(told, _zone(body, before), frame, target_seconds=target)

    return live


async def _schedule(host: Host, client: Port, sources: Sequence[_Source]) -> str | None:
    name, look = _called(sources), _live(host, client, sources[0].asked)

    async def live(body: Mapping[str, Any]) -> Lines:
        lines = await look(body)
        return lambda frame: [*_head(sources, frame), *lines(frame)]

    async def send(fields: Mapping[str, Any], key: str) -> str:
        made = await _make_each(sources, key, lambda source, own: client.save_schedule({**source, **fields}, key=own))
        at = min((each.next_trigger_at for each in made if each.next_trigger_at is not None), default=None)
        if at is None:
            return f"{name}: the schedule is there, and off; x a switches it on"
        return f"{name}: backed up by the clock from {at:%d %b %H:%M} UTC on"

    form = Form(
        f"Back up {name} by the clock",
        backup_forms.schedule_fields(),
        host.frame(),
        send,
        verb="make it",
        options=backup_forms.SCHEDULE_OPTIONS,
        picks_one=backup_forms.SCHEDULE_OPTIONS,
        live=live,
    )
    sentence: str | None = await host.ask_dialog(form)
    return sentence


async def _edit(host: Host, client: Port, id: str) -> str | None:
    before = (await client.schedule_detail(id)).schedule
    version = before.version

    async def send(fields: Mapping[str, Any], key: str) -> str:
        nonlocal version
        try:
            after = await client.save_schedule(_versioned(fields, version), schedule_id=id, key=key)
        except ClientError as error:
            now = (await client.schedule_detail(id)).schedule if error.code == STALE else before
            if now.version == version or _asked_of(now) != _asked_of(before):
                raise
            # It has only run meanwhile, which makes another version of it and changes nothing that is asked here.
            version = now.version
            after = await client.save_schedule(_versioned(fields, version), schedule_id=id, key=uuid.uuid4().hex)
        when = "it is off" if after.next_trigger_at is None else f"next {after.next_trigger_at:%d %b %H:%M} UTC"
        return f"{after.title} is changed; {when}"

    form = Form(
        f"Edit schedule {before.title}",
        backup_forms.schedule_fields(before),
        host.frame(),
        send,
        verb="change it",
        is_edit=True,
        options=backup_forms.SCHEDULE_OPTIONS,
        picks_one=backup_forms.SCHEDULE_OPTIONS,
        live=_live(host, client, {}, before),
        asks_first=_loss(host, client, before),
    )
    sentence: str | None = await host.ask_dialog(form)
    return sentence


def _loss(
    host: Host, client: Port, before: ScheduleRecord
) -> Callable[[Mapping[str, Any]], Awaitable[Confirmation | None]]:
    """Asks about the backups that go by an edit and would stay without it; None where there are none."""

    async def ask_first(body: Mapping[str, Any]) -> Confirmation | None:
        now = await client.plan_schedule({}, schedule_id=before.id)
        then = await client.plan_schedule(body, schedule_id=before.id)
        going = {each.backup_id for each in now.preview.verdicts if not each.is_kept}
        lost = [each for each in then.preview.verdicts if not each.is_kept and each.backup_id not in going]
        if not lost or not then.is_allowed:
            return None
        title = f"Change {before.title}: {len(lost)} backup{'s' if len(lost) != 1 else ''} would go"
        return agreed_to(host, title, "change it", 2, lambda frame: backup_plans.loss_lines(lost, frame))

    return ask_first


def _versioned(fields: Mapping[str, Any], version: int | None) -> Mapping[str, Any]:
    return fields if version is None else {**fields, "if_version": version}


def _asked_of(schedule: ScheduleRecord) -> Sequence[str]:
    return [field.text for field in backup_forms.schedule_fields(schedule)]


# --- backups ---------------------------------------------------------------------------------------------------------


async def _back_up(host: Host, client: Port, sources: Sequence[_Source]) -> str | None:
    name = _called(sources)

    async def live(body: Mapping[str, Any]) -> Lines:
        found = _with_names(host, await client.plan_backup({**sources[0].asked, **body}))
        return lambda frame: [*_head(sources, frame), *backup_plans.backup_lines(found, frame)]

    async def send(fields: Mapping[str, Any], key: str) -> str:
        await _make_each(sources, key, lambda source, own: client.create_backup({**source, **fields}, key=own))
        return f"{name}: being backed up; :backups follows it"

    fields = backup_forms.backup_fields()
    form = Form(f"Back up {name} now", fields, host.frame(), send, verb="back up", live=live)
    sentence: str | None = await host.ask_dialog(form)
    return sentence


async def _restore(host: Host, client: Port, item: Item, id: str) -> str | None:
    when = _when(host, id)
    title = f"Restore {item.name}{when}"
    flavor = await _flavor(host, title, await client.flavors(id))
    if flavor is None:
        return None
    taken = {server.name for server in host.mirror.servers.values()}
    proposed = (
        item.name if item.name not in taken else creating.clone_name(item.name, taken).replace("-clone", "-restored")
    )
    note = "what to call the new server; the one that was backed up is not touched"
    given: Given | None = await host.ask_dialog(Ask(title, "host name", host.frame(), text=proposed, note=note))
    if given is None:
        return None
    # What the console shows of a hostile name is not that name: as it was is said by saying nothing.
    asked = {"flavor": flavor.id, **({} if given.text == item.name else {"name": given.text})}
    shown: list[PlanRecord] = []

    async def ask() -> Briefing:
        found = _with_names(host, await client.plan_of_backing("backup", id, "restore", **asked))
        shown[:] = [found.plan]

        def lines(frame: Frame) -> Sequence[Line]:
            return [
                *plan.labelled(frame, "NAME", f"{given.text}, {flavor.name}"),
                *backup_plans.backup_lines(found, frame),
            ]

        return Briefing(title, "restore", 2, lines, _problem(found))

    async def send() -> str:
        told = shown[0]
        outcome = await client.act_on_backup(
            id, "restore", key=uuid.uuid4().hex, if_version=told.version, plan=told.token, **asked
        )
        name = outcome.server_name or given.text
        return f"{name} is being made of the backup{when}; :tasks follows it"

    return await confirmed(host, title, ask, send, is_changed=lambda: False)


async def _flavor(host: Host, title: str, flavors: Sequence[FlavorRecord]) -> FlavorRecord | None:
    menu = Menu(f"{title}: flavor", backup_plans.flavor_items(flavors, host.frame()), host.frame())
    choice: Choice | None = await host.ask_dialog(menu)
    return None if choice is None else flavors[choice.index]


# --- of one or several -----------------------------------------------------------------------------------------------


async def _confirm(host: Host, client: Port, command: Command, items: Sequence[Item]) -> None:
    kind, _, action = command.id.partition(".")
    verb, sentence = _CONFIRMED[command.id]
    title = sentence.format(_what(host, kind, items))
    plans: dict[str, BackupPlanRecord] = {}

    async def ask() -> Briefing:
        plans.clear()
        for item in items[:PREVIEWS_MAX]:
            found = await client.plan_of_backing(kind, objects.split_key(host.mirror, item.key)[1], action)
            plans[item.key] = _with_names(host, found)
        problems = [_problem(each) for each in plans.values()]
        names = {item.key: item.name for item in items}

        def lines(frame: Frame) -> Sequence[Line]:
            made: list[Line] = []
            for key, each in plans.items():
                if len(items) > 1:
                    head = fit_sentence(names[key], frame.width, frame.glyphs)
                    made += [*(((Span(""),),) if made else ()), (Span(head, Tone.ACCENT),)]
                made += backup_plans.backup_lines(each, frame)
            if len(items) > len(plans):
                made.append((Span(f"and {len(items) - len(plans)} more, not previewed", Tone.WARN),))
            return made

        to_type = None
        if command.impact >= 3:
            to_type = items[0].name if len(items) == 1 else str(len(items))
        return Briefing(title, verb, command.impact, lines, problems[0] if all(problems) else None, to_type)

    async def send() -> bool:
        versions = {key: each.plan.version for key, each in plans.items()}
        await _each(host, client, action, items, versions)
        return True

    if await confirmed(host, title, ask, send, is_changed=lambda: False) is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)


def _what(host: Host, kind: str, items: Sequence[Item]) -> str:
    if len(items) > 1:
        return f"{len(items)} {kind}s"
    if kind == "schedule":
        return f"schedule {items[0].name}"
    return f"the backup of {items[0].name}{_when(host, objects.split_key(host.mirror, items[0].key)[1])}"


def _when(host: Host, backup_id: str) -> str:
    backup = host.mirror.protection.find_backup(backup_id)
    return "" if backup is None or backup.created_at is None else f" of {backup.created_at:%d %b %H:%M}"


_DONE = {"run": "is being taken", "drill": "is being tried", "delete": "deleted", "activate": "on", "deactivate": "off"}


async def _each(
    host: Host, client: Port, action: str, items: Sequence[Item], versions: Mapping[str, int | None]
) -> None:
    """One after the other. What is refused of a single one is raised; of several the first is told."""
    problems: list[str] = []
    for item in items:
        kind, id = objects.split_key(host.mirror, item.key)
        send = client.act_on_backup if kind == "backup" else client.act_on_schedule
        try:
            await send(id, action, if_version=versions.get(item.key), key=uuid.uuid4().hex)
        except ClientError as error:
            if len(items) == 1:
                raise
            problems.append(f"{item.name}: {error.sentence}")
    done = len(items) - len(problems)
    word = "being deleted" if action == "delete" and items[0].kind == "backup" else _DONE[action]
    if problems:
        host.say(f"{done} of {len(items)} {word}; {problems[0]}", Tone.CRIT)
    else:
        host.say(f"{items[0].name if len(items) == 1 else done}: {word}", Tone.OK)
    host.reload()


def _problem(found: BackupPlanRecord) -> str | None:
    return None if found.plan.is_allowed else found.plan.problem or "it is refused"


def _with_names(host: Host, found: BackupPlanRecord) -> BackupPlanRecord:
    return found._replace(plan=plan.with_names(found.plan, host.mirror))
