"""One object in full: `d` describe, `y` raw JSON, and the short form that stands beside a list.

A fact is a label and a line. What nobody said is `—`; what is last known keeps its tilde and says how old it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from console.presentation import backup_detail, event_words, figures, money, parts, redundancy, services, tasks
from console.presentation import cells as cells_view
from console.presentation.facts import Fact, event_facts, fact, gone, instant_and_age, pane_lines, region_of
from console.presentation.lines import (
    Frame,
    Glyphs,
    Line,
    Lines,
    Span,
    Tone,
    View,
    at,
    blank,
    cells,
    compose,
    cut,
    fit_id,
    fit_name,
    left,
    right,
    ruled,
    span_width,
)
from console.presentation.mirror import Mirror
from console.presentation.sentences import sentence, up_since
from console.records import DriveRecord, GroupRecord, ServerDetail, ServerRecord

# Describe ------------------------------------------------------------------------------------------------------------


def describe(mirror: Mirror, key: str, frame: Frame, detail: ServerDetail | None = None) -> View:
    """All that is known of the object with this key: a server's id, or `cell:NAME`, `group:NAME`, `task:ID`,
    `event:FILE/NUMBER`. Hosts, drives, schedules and backups have modules of their own.
    """
    kind, _, name = key.partition(":")
    server = mirror.servers.get(key)
    if server is not None:
        title, facts = (
            server.title,
            [*_server_facts(mirror, frame, server), *_more_facts(mirror, frame, server, detail)],
        )
    elif kind in _OTHERS and name:
        title, facts = name, _OTHERS[kind](mirror, frame, name)
    else:
        title, facts = name or key, []
    return View(
        "detail",
        (_PLACES.get(kind, "servers"), title),
        "describe",
        (region_of(facts, frame.width) if facts else gone(title, frame, is_told=_is_told(mirror, kind)),),
        status=lambda _key: (Span(_summary(mirror, frame, key), Tone.MUTED),),
    )


def _is_told(mirror: Mirror, kind: str) -> bool:
    """Whether the cloud has told of all objects of a kind, so that one that is not among them is gone."""
    told = {"cell": mirror.cells, "group": mirror.groups, "task": mirror.tasks, "service": mirror.services}
    return mirror.is_offline or (told[kind] is not None if kind in told else mirror.is_complete)


_PLACES = {"cell": "cells", "group": "groups", "task": "tasks", "event": "events", "service": "services"}  # fmt: skip


def _summary(mirror: Mirror, frame: Frame, key: str) -> str:
    server = mirror.servers.get(key)
    return f"{server.title}: {sentence(mirror, frame, server)}" if server is not None else ""


def _server_facts(mirror: Mirror, frame: Frame, server: ServerRecord) -> list[Fact]:
    """What one wants first: state, place, size, what it really has, its group."""
    glyphs = frame.glyphs
    look = figures.server_state(server, glyphs)
    known = server.is_reachable and not mirror.is_offline
    tone = Tone.TEXT if known else Tone.UNKNOWN
    facts = [
        Fact("state", (Span(f"{look.glyph} {look.word}", look.tone), Span("  " + _since(frame, server), Tone.MUTED))),
        fact("cell", server.cell, glyphs, tone, f"cell:{server.cell}"),
        fact("host", server.host, glyphs, tone, f"host:{server.host}"),
        Fact("size", (Span(_size(server, glyphs, is_known=known), tone),)),
    ]
    if server.is_backfilling:
        facts += _backfill_facts(mirror, frame, server)
    group = redundancy.find(mirror, server.group) if server.group is not None else None
    if group is not None:
        facts.append(Fact("group", _group_line(group, glyphs), redundancy.key_of(group)))
    elif server.group is not None:
        facts.append(fact("group", server.group, glyphs, tone, f"group:{server.group}"))
    if server.avoid:
        names = [mirror.name_of(each) or each[:8] for each in server.avoid]
        facts.append(fact("avoid", ", ".join(names), glyphs, tone))
    return facts


def _since(frame: Frame, server: ServerRecord) -> str:
    if not server.is_reachable:
        was = f"last known {server.last_state}, " if server.last_state else ""
        if server.known_at is None:
            is_later = server.name is not None and frame.past_at is not None
            return "not known of this moment" if is_later else f"{was}never known here"
        age = figures.age_since(server.known_at, frame.wall_now)
        return f"{was}{frame.glyphs.last_known}{age} ago, at {figures.instant(server.known_at, frame.wall_now)}"
    since = up_since(server)
    if since is None:
        return ""
    return f"since {figures.instant(since, frame.now)} ({figures.age_since(since, frame.now)})"


def _size(server: ServerRecord, glyphs: Glyphs, *, is_known: bool) -> str:
    cpu = None if server.cpu_mhz is None else figures.ghz(server.cpu_mhz)
    memory = None if server.memory_bytes is None else figures.gib(server.memory_bytes)
    write = figures.or_dash if is_known else figures.last_known
    return f"{write(cpu, glyphs)} GHz   {write(memory, glyphs)} GiB"


def _backfill_facts(mirror: Mirror, frame: Frame, server: ServerRecord) -> list[Fact]:
    glyphs, factor, floor = frame.glyphs, server.perf_factor, server.floor
    facts = [fact("backfilling", "yes: lives on what normal servers leave", glyphs, Tone.BACKFILL)]
    if factor is not None:
        known = server.is_reachable and not mirror.is_offline
        for label, share, low in (
            ("CPU factor", factor.cpu, floor.cpu if floor else None),
            ("mem factor", factor.memory, floor.memory if floor else None),
        ):
            if known:
                tail = () if low is None else (Span(f"   floor {figures.factor(low)}", Tone.MUTED),)
                facts.append(Fact(label, (*figures.gauge_and_number(share, low, glyphs), *tail)))
            else:
                facts.append(fact(label, figures.last_known(figures.factor(share), glyphs), glyphs, Tone.UNKNOWN))
    if server.squeezed_by is not None:
        when = "" if server.squeezed_at is None else f" at {figures.instant(server.squeezed_at, frame.now)}"
        name = mirror.name_of(server.squeezed_by) or server.squeezed_by[:8]
        facts.append(fact("shrunk by", name + when, glyphs, Tone.TEXT, server.squeezed_by))
    if server.notice_until is not None:
        left_seconds = (server.notice_until - frame.now).total_seconds()
        name = mirror.name_of(server.notice_for) or "another server"
        facts.append(fact("notice", f"stops in {figures.countdown(left_seconds)} for {name}", glyphs, Tone.WARN))
    if server.displaced_count and server.displaced_for is None:
        count = server.displaced_count
        facts.append(fact("stopped", f"for others' room, {count} time{'s' if count != 1 else ''} in all", glyphs))
    elif server.displaced_count:
        facts.append(fact("stopped for", _displaced(mirror, frame, server), glyphs))
    if server.restarts:
        facts.append(fact("restarts", "when it was stopped for room and fits again", glyphs))
    return facts


def _displaced(mirror: Mirror, frame: Frame, server: ServerRecord) -> str:
    name = mirror.name_of(server.displaced_for) or (server.displaced_for or "others")[:8]
    when = "" if server.displaced_at is None else f" at {figures.instant(server.displaced_at, frame.now)}"
    times = f", {server.displaced_count} time{'s' if server.displaced_count != 1 else ''} in all"
    return name + when + times


def _members(group: GroupRecord, hosts: str) -> str:
    members = len(group.members)
    return f"{members} member{'s' if members != 1 else ''} on {hosts} host{'s' if hosts != '1' else ''}"


def _group_line(group: GroupRecord, glyphs: Glyphs) -> Line:
    spans = [Span(group.name), Span(f"   {_members(group, str(group.hosts or 0))}   tolerates ")]
    spans.append(redundancy.tolerates_span(group, glyphs))
    if group.collisions:
        plural = "s" if group.collisions != 1 else ""
        spans.append(Span(f"   {glyphs.violation} {group.collisions} collision{plural}", Tone.CRIT))
    return tuple(spans)


def _more_facts(mirror: Mirror, frame: Frame, server: ServerRecord, detail: ServerDetail | None) -> list[Fact]:
    glyphs = frame.glyphs
    facts = [
        fact("id", server.id, glyphs),
        fact("owner", server.owner, glyphs),
        fact("project", server.project_id, glyphs),
        fact("created", instant_and_age(server.created_at, frame.now), glyphs),
        fact("tags", ", ".join(server.tags) or glyphs.nothing, glyphs),
    ]
    if server.meta:
        facts.append(fact("meta", ", ".join(f"{name}={value}" for name, value in server.meta.items()), glyphs))
    if server.reason:
        facts.append(fact("reason", server.reason, glyphs, Tone.WARN))
    facts.append(fact("version", None if server.version is None else str(server.version), glyphs))
    if detail is not None and detail.server.id == server.id:
        facts += _cost_facts(detail, glyphs)
        facts += [
            Fact("drives" if place == 0 else "", _drive_line(drive, glyphs), f"drive:{drive.id}")
            for place, drive in enumerate(detail.drives)
        ] or [_no_drives(mirror, detail, glyphs)]
        if mirror.offer is not None and "addresses" not in detail.raw:
            facts.append(fact("NICs", None, glyphs))
        else:
            facts += parts.nic_facts(detail.nics, glyphs)
        facts += backup_detail.server_facts(mirror, frame, server.id)
    facts += event_facts(mirror, frame, (server.id,))
    return facts


def _cost_facts(detail: ServerDetail, glyphs: Glyphs) -> list[Fact]:
    """What it costs, and what being shrunk and backfilling came to; its drives are billed apart."""
    cost = detail.cost
    if cost is None:
        return []
    found = [
        fact(
            "costs",
            f"{money.money(cost.per_hour, 4)} an hour now, at burst prices" if cost.per_hour else "nothing now",
            glyphs,
        ),
        fact("this month", money.money(cost.this_month), glyphs),
    ]
    if cost.is_backfilling:
        shrunk = f"{money.money(cost.not_billed)} not billed, for what it did not have"
        found += [
            fact("shrinking", shrunk, glyphs, Tone.BACKFILL),
            fact("saved", f"{money.money(cost.saved)} less than as a normal server", glyphs, Tone.OK),
        ]
    if cost.stops:
        plural = "s" if cost.stops != 1 else ""
        words = f"{money.money(cost.lost)} paid for {cost.stops:,} run{plural} that came to nothing"
        found += [fact("lost", words, glyphs, Tone.WARN), fact("net", f"{money.money(cost.net)} saved", glyphs)]
    return found


def _no_drives(mirror: Mirror, detail: ServerDetail, glyphs: Glyphs) -> Fact:
    if mirror.offer is None:
        return fact("drives", "none", glyphs, Tone.MUTED)
    told = detail.raw.get("os-extended-volumes:volumes_attached")
    if told is None:
        return fact("volumes", None, glyphs)
    volumes = len(told)
    text = f"{volumes} attached, which are Cinder's" if volumes else "none attached"
    return fact("volumes", text, glyphs, Tone.MUTED)


def _drive_line(drive: DriveRecord, glyphs: Glyphs) -> Line:
    size = glyphs.nobody_said if drive.size_bytes is None else f"{figures.gib(drive.size_bytes)} GiB"
    host = drive.host or glyphs.nobody_said
    tone = Tone.TEXT if drive.is_reachable else Tone.UNKNOWN
    return (Span(drive.name or drive.id[:8], tone), Span(f"   {size}   {host}   {drive.state}", Tone.MUTED))


def _cell_facts(mirror: Mirror, frame: Frame, name: str) -> list[Fact]:
    cell, glyphs = mirror.cell(name), frame.glyphs
    if cell is None:
        return []
    look = figures.cell_state(cell, glyphs)
    since = instant_and_age(cell.since, frame.wall_now)
    capacity = cell.capacity
    facts = [
        Fact("state", (Span(f"{look.glyph} {look.word}", look.tone), Span(f"  since {since}", Tone.MUTED))),
        fact("reason", cell.reason or glyphs.nothing, glyphs),
        fact("fault", "injected: x takes it back" if cell.is_injected else "none injected", glyphs),
        fact("servers", None if cell.servers is None else figures.count(cell.servers), glyphs),
        fact("UNKNOWN", None if cell.unknown is None else figures.count(cell.unknown), glyphs),
        fact("tasks wait", None if cell.waiting_tasks is None else str(cell.waiting_tasks), glyphs),
        fact("backups", cells_view.backups_at_risk(cell), glyphs, Tone.WARN if cell.backups_at_risk else Tone.TEXT),
        fact("answered", cells_view.last_answer(cell, frame), glyphs),
        fact("hosts", None if cell.hosts is None else figures.count(cell.hosts), glyphs),
    ]
    for label, size in (("capacity", capacity), ("normal", cell.normal), ("backfilling", cell.backfilling),
                        ("best host", cell.free)):  # fmt: skip
        text = None
        if size is not None:
            mark = "" if cell.is_up else glyphs.last_known
            text = f"{mark}{figures.ghz(size.cpu_mhz)} GHz   {mark}{figures.gib(size.memory_bytes)} GiB"
        facts.append(fact(label, text, glyphs, Tone.TEXT if cell.is_up else Tone.UNKNOWN))
    return facts + event_facts(mirror, frame, (name,))


def _group_facts(mirror: Mirror, frame: Frame, name: str) -> list[Fact]:
    group = redundancy.find(mirror, name)
    if group is None:
        return []
    glyphs = frame.glyphs
    hosts = figures.or_dash(None if group.hosts is None else str(group.hosts), glyphs)
    facts = [
        fact("size", _members(group, hosts), glyphs, Tone.TEXT, redundancy.key_of(group)),
        fact("needs", f"{group.needs} {'member' if group.needs == 1 else 'members'} must stay", glyphs),
        Fact("collisions", (redundancy.collisions_span(group, glyphs),)),
        Fact("tolerates", (redundancy.tolerates_span(group, glyphs), Span(" lost hosts"))),
    ]
    for place, member in enumerate(sorted(group.members, key=lambda each: (each.host or "~", each.name or each.id))):
        tone = Tone.TEXT if redundancy.is_known(mirror, member) else Tone.UNKNOWN
        host = member.host or frame.glyphs.nobody_said
        text = f"{member.name or member.id[:8]}   {host}   {member.state}"
        facts.append(Fact("members" if place == 0 else "", (Span(text, tone),), member.id))
    return facts


def _task_facts(mirror: Mirror, frame: Frame, name: str) -> list[Fact]:
    task, glyphs = next((task for task in mirror.tasks or () if task.id == name), None), frame.glyphs
    if task is None:
        return []
    return [
        fact("task", f"{tasks.kind(task)} ({task.id})", glyphs),
        fact("target", tasks.target(mirror, task), glyphs, Tone.TEXT, tasks.target_key(mirror, task)),
        *([fact("copied", copied, glyphs)] if (copied := tasks.copied_text(frame, task)) is not None else []),
        fact("cell", task.cell, glyphs, Tone.TEXT, f"cell:{task.cell}"),
        fact("state", "waits for its cell" if tasks.is_waiting(mirror, task) else task.state, glyphs),
        fact("begun", instant_and_age(task.begun_at, frame.now), glyphs),
        fact("due", None if task.due_at is None else figures.instant(task.due_at, frame.now), glyphs),
        fact("ended", instant_and_age(task.ended_at, frame.now), glyphs),
        fact("result", task.result, glyphs),
        fact("by", task.actor, glyphs),
    ]


def _event_detail(mirror: Mirror, frame: Frame, name: str) -> list[Fact]:
    event, glyphs = mirror.find_event(name), frame.glyphs
    if event is None:
        return []
    facts = [
        fact("event", f"{event.kind}, number {event.number} of {event.file}", glyphs),
        fact("at", instant_and_age(event.at, frame.now), glyphs),
        fact("object", f"{event.object_kind} {event_words.title(mirror, event)}", glyphs, Tone.TEXT, event.object_id),
        fact("what", event_words.sentence(mirror, event), glyphs),
        fact("by", event.actor or None, glyphs),
        fact("request", event.request_id, glyphs),
    ]
    for place, (field, (before, after)) in enumerate(event.changes.items()):
        facts.append(fact("changes" if place == 0 else "", f"{field}: {before} to {after}", glyphs))
    for place, (field, value) in enumerate(event.details.items()):
        facts.append(fact("details" if place == 0 else "", f"{field}: {value}", glyphs))
    return facts


_OTHERS: Mapping[str, Callable[[Mirror, Frame, str], list[Fact]]] = {
    "cell": _cell_facts,
    "group": _group_facts,
    "task": _task_facts,
    "event": _event_detail,
    "service": services.facts,
}


# Beside a list -------------------------------------------------------------------------------------------------------


def pane(mirror: Mirror, key: str, frame: Frame, width: int) -> tuple[Line, ...]:
    """The facts of a server beside the list, with the rule in front, `width` cells each; as many as the body has."""
    server, glyphs = mirror.servers.get(key), frame.glyphs
    lines: list[Line] = []
    if server is not None:
        look = figures.server_state(server, glyphs)
        identity = fit_id(server.id, 13, glyphs)
        lines.append(
            ruled(
                width,
                glyphs,
                left(2, fit_name(server.title, max(8, width - 60), glyphs), Tone.ACCENT, bold=True),
                at(4 + cells(fit_name(server.title, max(8, width - 60), glyphs)),
                   (Span(f"{look.glyph} {look.word}", look.tone), Span("  " + _since(frame, server), Tone.MUTED))),
                right(width - 2, identity, Tone.MUTED),
            )
        )  # fmt: skip
        facts = [*_server_facts(mirror, frame, server)[1:], *_more_facts(mirror, frame, server, None)[1:]]
        for each in facts:
            lines += pane_lines(each, width, glyphs)
    lines += [ruled(width, glyphs)] * (frame.body_height - len(lines))
    return tuple(lines[: frame.body_height])


# Raw -----------------------------------------------------------------------------------------------------------------


def raw(title: str, value: Mapping[str, Any], frame: Frame) -> View:
    """The object as the API gave it, in JSON. The filter keeps the lines that hold it."""
    lines = [line for spans in _json_lines(value, 0, ()) for line in _folded(spans, frame.width)]
    wanted = frame.filter.casefold()
    if wanted:
        lines = [line for line in lines if wanted in "".join(span.text for span in line).casefold()]
    if not value:
        lines = [compose(frame.width, left(1, "nothing was said of it", Tone.MUTED))]
    return View(
        "raw",
        (fit_id(title, 24, frame.glyphs),),
        f"raw JSON   {len(lines)} line{'' if len(lines) == 1 else 's'}",
        (Lines(lines or [blank(frame.width)]),),
    )


def _json_lines(value: Any, depth: int, opening: Line, *, tail: str = "") -> Iterable[Line]:
    """Indented lines of JSON: keys muted, texts plain, other values in accent."""
    indent = Span("  " * depth)
    if isinstance(value, Mapping | list | tuple) and value:
        is_object = isinstance(value, Mapping)
        yield (indent, *opening, Span("{" if is_object else "[", Tone.MUTED))
        pairs = list(value.items()) if isinstance(value, Mapping) else [(None, each) for each in value]
        for place, (name, each) in enumerate(pairs):
            label = (Span(f"{_quoted(str(name))}: ", Tone.MUTED),) if is_object else ()
            yield from _json_lines(each, depth + 1, label, tail="," if place < len(pairs) - 1 else "")
        yield (indent, Span(("}" if is_object else "]") + tail, Tone.MUTED))
        return
    yield (indent, *opening, *_json_value(value), Span(tail, Tone.MUTED))


def _json_value(value: Any) -> Line:
    match value:
        case None:
            return (Span("null", Tone.UNKNOWN),)
        case bool():
            return (Span("true" if value else "false", Tone.ACCENT),)
        case int() | float():
            return (Span(repr(value), Tone.ACCENT),)
        case str():
            return (Span(_quoted(value)),)
        case _:
            return (Span("{}" if isinstance(value, Mapping) else "[]", Tone.MUTED),)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _folded(spans: Line, width: int) -> list[Line]:
    """The line, cut into as many as it needs: nothing of a raw object is left out."""
    room = width - 2
    lines: list[Line] = []
    rest = tuple(span for span in spans if span.text)
    while span_width(rest) > room:
        first = cut(rest, room)
        taken = sum(len(span.text) for span in first)
        lines.append(compose(width, at(1, first)))
        rest = _without(rest, taken)
    return [*lines, compose(width, at(1, rest))]


def _without(spans: Line, signs: int) -> Line:
    """The spans without so many signs at their start."""
    kept: list[Span] = []
    for span in spans:
        if signs >= len(span.text):
            signs -= len(span.text)
            continue
        kept.append(Span(span.text[signs:], span.tone))
        signs = 0
    return tuple(kept)
