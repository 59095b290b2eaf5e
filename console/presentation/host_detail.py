"""One host in full: its state, its layers with their numbers, what is on it, what has happened to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from console.presentation import drives, events, figures
from console.presentation.facts import EVENTS_SHOWN, Fact, fact, gone, instant_and_age, pane_lines, region_of
from console.presentation.lines import (
    Frame,
    Glyphs,
    Line,
    Lines,
    Placed,
    Region,
    Rows,
    Span,
    Tone,
    View,
    at,
    blank_region,
    cells,
    compose,
    cut,
    fit_name,
    left,
    remark,
    right,
    ruled,
)
from console.presentation.mirror import Mirror
from console.presentation.sentences import up_since
from console.records import DriveRecord, EventRecord, HostDetail, HostRecord, ServerRecord, SizeRecord

LIST_WIDTH = 80
NAMES_IN_PANE = 20
BLANKS_FROM_ROWS = 24
"""Below it there is no room for a blank row between the facts and the layers."""


def find(mirror: Mirror, key: str | None) -> HostRecord | None:
    """The host of a key `host:NAME`, if the mirror knows it."""
    name = None if key is None else key.removeprefix("host:")
    return next((host for host in mirror.hosts or () if host.name == name), None)


# Shared with the list of hosts ------------------------------------------------------------------------------------


def look(mirror: Mirror, frame: Frame, host: HostRecord) -> tuple[str, str, str, Tone]:
    """Glyph, word, letter and tone of its state; of a silent cell's host nobody knows it."""
    if not mirror.is_host_known(host):
        return frame.glyphs.unknown, "UNKNOWN", "U", Tone.UNKNOWN
    shown = figures.host_state(host, frame.glyphs)
    return shown.glyph, shown.word, shown.letter, Tone.UNKNOWN if mirror.is_offline else shown.tone


def age(mirror: Mirror, frame: Frame, host: HostRecord) -> str:
    """How long it has been in its state; of what nobody confirms, how long ago it was known."""
    glyphs = frame.glyphs
    if not mirror.is_host_known(host):
        cell = mirror.cell(host.cell)
        return figures.last_known(figures.age_since(cell.since if cell else None, frame.wall_now), glyphs)
    if mirror.is_offline:
        return figures.last_known(figures.age(mirror.age_seconds(frame.wall_now) or 0), glyphs)
    return figures.or_dash(figures.age_since(host.state_since, frame.now), glyphs)


def bar(host: HostRecord, width: int, glyphs: Glyphs, *, is_memory: bool, is_known: bool) -> Line:
    """Normal, backfilling and free in one bar; of a storage host what its drives take, and what is free."""
    if host.kind == "storage":
        used, whole = host.used_bytes, host.storage_bytes
        if not whole or used is None:
            return (Span(glyphs.nobody_said, Tone.UNKNOWN),)
        return figures.use_bar(used, 0, whole, width, glyphs, is_known=is_known)
    if host.capacity is None:
        return (Span(glyphs.nobody_said, Tone.UNKNOWN),)
    part = _memory if is_memory else _cpu
    parts = (part(host.normal), part(host.backfilling), part(host.capacity))
    return figures.use_bar(*parts, width, glyphs, is_known=is_known)


def _cpu(size: SizeRecord | None) -> int:
    return 0 if size is None else size.cpu_mhz


def _memory(size: SizeRecord | None) -> int:
    return 0 if size is None else size.memory_bytes


def sentence(mirror: Mirror, frame: Frame, host: HostRecord) -> str:
    """What there is to say of a host now."""
    cell = mirror.cell(host.cell)
    if not mirror.is_host_known(host):
        at_instant = figures.instant(cell.since, frame.wall_now) if cell is not None and cell.since else "some time"
        silent = host.cell if mirror.offer is None else "its cell"
        return f"{silent} does not answer; last known {host.state} at {at_instant}"
    since = figures.age_since(host.state_since, frame.now) or frame.glyphs.nobody_said
    if host.kind == "storage":
        holds = f"{host.drives or 0:,} drive{'' if host.drives == 1 else 's'}"
        left_bytes = max(0, (host.storage_bytes or 0) - (host.used_bytes or 0))
        free = f"{figures.gib(left_bytes)} of {figures.gib(host.storage_bytes or 0)} GiB free"
    else:
        holds = f"{host.servers or 0:,} server{'' if host.servers == 1 else 's'}"
        free = "nothing free for a start" if mirror.offer is None else "its free room is not told"
        if host.free is not None and host.free.cpu_mhz:
            free = f"free for a start: {figures.ghz(host.free.cpu_mhz)} GHz, {figures.gib(host.free.memory_bytes)} GiB"
    match host.state:
        case "down":
            if host.kind == "storage":
                return f"down for {since}; {holds} cannot be reached"
            lost = sum(row.host == host.name for row in mirror.fleet.lost)
            what = f"; {lost:,} server{'' if lost == 1 else 's'} lost with it" if lost else ""
            return f"down for {since}{what}"
        case "maintenance":
            return f"maintenance for {since}, takes no placements; {holds} still there"
        case _:
            return f"{host.kind} host, {holds}; {free}"


def servers_on(mirror: Mirror, name: str) -> Sequence[ServerRecord]:
    """The servers on a host, worst first."""

    def found() -> Sequence[ServerRecord]:
        rows = [row for row in mirror.servers.values() if row.host == name]
        return sorted(rows, key=lambda row: (figures.server_rank(row), row.sort_name, row.id))

    return mirror.fleet.found(("host", name), found)


# The page ------------------------------------------------------------------------------------------------------------


def view(mirror: Mirror, key: str, frame: Frame, detail: HostDetail | None = None) -> View:
    """All that is known of a host, by its key `host:NAME`: facts, layers, what is on it, events."""
    host, name = find(mirror, key), key.removeprefix("host:")
    if host is None:
        asked = mirror.hosts is not None or mirror.is_offline
        region = gone(name, frame) if asked else region_of([Fact(frame.glyphs.ellipsis, ())], frame.width)
        return View("detail", ("hosts", name), "describe", (region,))
    told = _events_of(mirror, name, detail)
    gap = [blank_region(frame.width)] if frame.height >= BLANKS_FROM_ROWS else []
    regions: list[Region] = [region_of(_facts(mirror, frame, host, told), frame.width), *gap]
    held = _drives(mirror, frame, host) if host.kind == "storage" else _servers(mirror, frame, host)
    regions += [_layers(mirror, frame, host), blank_region(frame.width), held]
    if told:
        head = compose(frame.width, left(1, "EVENTS", Tone.MUTED))
        lines = [events.row(mirror, frame, event, frame.width) for event in told[:EVENTS_SHOWN]]
        regions += [blank_region(frame.width), Lines(lines, head=head)]
    return View(
        "detail",
        ("hosts", name),
        "describe",
        tuple(regions),
        status=lambda _key: (Span(f"{name}: {sentence(mirror, frame, host)}", Tone.MUTED),),
    )


def _events_of(mirror: Mirror, name: str, detail: HostDetail | None) -> list[EventRecord]:
    """The host's own events, the newest first: those that were asked for, and those that came since."""
    every = (*(detail.events if detail is not None else ()), *mirror.events)
    own = {event.key: event for event in every if event.object_id == name and event.object_kind == "host"}
    return sorted(own.values(), key=lambda event: (event.at, event.file, event.number), reverse=True)


def _facts(mirror: Mirror, frame: Frame, host: HostRecord, told: Sequence[EventRecord]) -> list[Fact]:
    glyphs = frame.glyphs
    glyph, word, _, tone = look(mirror, frame, host)
    known = mirror.is_host_known(host) and not mirror.is_offline
    if known:
        since = f"  since {instant_and_age(host.state_since, frame.now) or glyphs.nobody_said}"
    else:
        since = f"  last known {host.state}, {age(mirror, frame, host)} ago"
    facts = [
        Fact("state", (Span(f"{glyph} {word}", tone), Span(since, Tone.MUTED))),
        fact("cell", host.cell, glyphs, Tone.TEXT if known else Tone.UNKNOWN, f"cell:{host.cell}"),
        fact("kind", host.kind, glyphs),
    ]
    lost = next((event for event in told if event.kind in {"host.down", "host.failed", "host.lost"}), None)
    if lost is not None:
        reason = lost.details.get("reason")
        why = f": {reason}" if isinstance(reason, str) and reason else ""
        by = f" by {lost.actor}" if lost.actor else ""
        tone = Tone.CRIT if host.state == "down" and known else Tone.TEXT
        facts.append(fact("last lost", f"{instant_and_age(lost.at, frame.now)}{by}{why}", glyphs, tone))
    if host.state == "maintenance" and known:
        facts.append(fact("placement", "takes none; x evacuates it or lets it recover", glyphs, Tone.WARN))
    elif host.free is not None and host.kind != "storage" and host.state == "up" and known:
        text = f"{figures.ghz(host.free.cpu_mhz)} GHz   {figures.gib(host.free.memory_bytes)} GiB"
        facts.append(fact("fits", f"{text} for one backfilling server", glyphs))
    return facts


def _layers(mirror: Mirror, frame: Frame, host: HostRecord) -> Lines:
    """The layers of each dimension in a bar, with a number for each."""
    width, glyphs = frame.width, frame.glyphs
    known = mirror.is_host_known(host) and not mirror.is_offline
    rows: list[tuple[str, bool, Callable[[SizeRecord | None], int], Callable[[float], str]]]
    if host.kind == "storage":
        return Lines(_storage_layers(frame, host, known=known))
    rows = [("CPU GHz", False, _cpu, figures.ghz), ("mem GiB", True, _memory, figures.gib)]
    bar_width = max(0, min(40, width - 52)) if width >= 60 else 0
    column = 14 + bar_width
    key = f"{glyphs.normal}normal {glyphs.backfill}backfilling {glyphs.free}free"
    heads = [right(column + last, text, Tone.MUTED) for last, text in _NUMBER_HEADS if column + last < width - 1]
    head = compose(width, left(1, "LAYERS", Tone.MUTED), left(14, key if bar_width >= 28 else "", Tone.MUTED), *heads)
    lines = []
    tone = Tone.TEXT if known else Tone.UNKNOWN
    write = figures.or_dash if known else figures.last_known
    for label, is_memory, part, number in rows:
        placed: list[Placed] = [left(1, label, Tone.MUTED)]
        if bar_width:
            placed.append(at(14, bar(host, bar_width, glyphs, is_memory=is_memory, is_known=known)))
        normal, backfill, whole = part(host.normal), part(host.backfilling), part(host.capacity)
        is_shrunk = backfill < part(host.backfilling_nominal)
        amounts = (
            (7, normal, tone),
            (16, backfill, Tone.BACKFILL if known else tone),
            # On a host that is not up nothing can be placed: what is not used there is not free.
            (24, whole - normal - backfill if host.state == "up" else 0, tone),
            (33, whole, Tone.MUTED if known else tone),
        )
        for last, amount, own in amounts:
            if column + last < width - 1:
                placed.append(right(column + last, write(number(max(0, amount)), glyphs), own))
        if is_shrunk and column + 16 < width - 1:
            # Less than nominal: those on it are shrunk.
            placed.append(left(column + 10, "<", Tone.BACKFILL if known else tone))
        lines.append(compose(width, *placed))
    return Lines(lines, head=head)


_NUMBER_HEADS = ((7, "NORMAL"), (16, "BACKF."), (24, "FREE"), (33, "of"))


def _storage_layers(frame: Frame, host: HostRecord, *, known: bool) -> list[Line]:
    glyphs, write = frame.glyphs, figures.or_dash if known else figures.last_known
    used, whole = host.used_bytes, host.storage_bytes
    text = None if used is None or whole is None else f"{figures.gib(used)} of {figures.gib(whole)} GiB used"
    width = max(8, min(40, frame.width - 50))
    spans: Line = (Span("  " + write(text, glyphs), Tone.TEXT if known else Tone.UNKNOWN),)
    if frame.width >= 60:
        spans = (*bar(host, width, glyphs, is_memory=True, is_known=known), *spans)
    if used is not None and whole:
        spans = (*spans, Span(f"   {figures.percent(used / whole)}%", Tone.MUTED))
    return [compose(frame.width, left(1, "drives GiB" if frame.width >= 60 else "GiB", Tone.MUTED),
                    at(14 if frame.width >= 60 else 5, cut(spans, frame.width - 6)))]  # fmt: skip


# What is on it -------------------------------------------------------------------------------------------------------


def _servers(mirror: Mirror, frame: Frame, host: HostRecord) -> Region:
    width, rows = frame.width, servers_on(mirror, host.name)
    muted = Tone.MUTED
    head = [left(2, "STATE", muted), left(12, "SERVER", muted)]
    if width >= 60:
        head += [left(25, "KIND", muted), right(43, "CPU GHz", muted), right(48, "GiB", muted)]
    if width >= LIST_WIDTH:
        head += [right(56, "pfCPU", muted), right(62, "pfMEM", muted), left(65, "GROUP", muted)]
        head.append(right(78, "STARTED", muted))
    elif width >= 60:
        head.append(right(58, "STARTED", muted))
    line = compose(width, *head)
    if not rows:
        words = "no servers" if mirror.is_complete else frame.glyphs.ellipsis
        return Lines([remark(frame, words, width=width)], head=line)
    return Rows(line, rows, lambda row: _server_row(mirror, frame, row), lambda row: row.id)


def _server_row(mirror: Mirror, frame: Frame, server: ServerRecord) -> Line:
    """A server of the host: what it is, its nominal size, what it really has, since when."""
    width, glyphs = frame.width, frame.glyphs
    known = server.is_reachable and not mirror.is_offline
    tone = Tone.TEXT if known else Tone.UNKNOWN
    own = Tone.BACKFILL if server.is_backfilling and known else tone
    shown = figures.server_state(server, glyphs)
    state = shown.tone if known else Tone.UNKNOWN
    write = figures.or_dash if known else figures.last_known
    name = Span(fit_name(server.title, 12, glyphs), own)
    placed: list[Placed] = [left(2, shown.glyph, state), left(4, shown.word, state), at(12, (name,))]
    cpu = None if server.cpu_mhz is None else figures.ghz(server.cpu_mhz)
    is_lost = server.state == "unavailable"
    start = server.started_at if is_lost else up_since(server)
    started = write(figures.age_since(start, frame.now), glyphs)
    if width < 60:
        return compose(width, *placed, right(width - 2, write(cpu, glyphs), tone))
    memory = None if server.memory_bytes is None else figures.gib(server.memory_bytes)
    kind = f"{glyphs.backfill} backf." if server.is_backfilling else "normal"
    placed += [left(25, glyphs.nobody_said if server.is_backfilling is None else kind, own),
               right(43, write(cpu, glyphs), tone), right(48, write(memory, glyphs), tone)]  # fmt: skip
    if width < LIST_WIDTH:
        return compose(width, *placed, right(58, started, tone))
    factor, floor = figures.factor_in_use(server), server.floor
    if factor is not None:
        low_cpu, low_memory = (None, None) if floor is None else (floor.cpu, floor.memory)
        for last, share, low in ((56, factor.cpu, low_cpu), (62, factor.memory, low_memory)):
            share_tone = figures.factor_tone(share, low) if known else Tone.UNKNOWN
            placed.append(right(last, write(figures.factor(share), glyphs), share_tone))
    if is_lost and server.state_since is not None:
        # It runs at no share of its size, so there is room to say when it was lost.
        placed.append(right(62, f"lost {_minute(server.state_since, frame.now)}", state))
    group = glyphs.nothing if server.group is None else fit_name(server.group, 7, glyphs)
    placed += [left(65, group, tone if server.group else Tone.MUTED), right(78, started, tone)]
    return compose(width, *placed)


def _minute(at_instant: datetime, now: datetime) -> str:
    """`12:04` today, `19 Nov` on another day."""
    return figures.instant_short(at_instant, now)[: 5 if at_instant.date() == now.date() else None]


def _drives_on(mirror: Mirror, name: str) -> Sequence[DriveRecord]:
    """The drives on a host, worst first."""

    def found() -> Sequence[DriveRecord]:
        rows = [row for row in mirror.drives.by_id.values() if row.host == name]
        return sorted(rows, key=lambda row: (figures.drive_rank(row), row.sort_name, row.id))

    return mirror.drives.found(("host", name), found)


def _drives(mirror: Mirror, frame: Frame, host: HostRecord) -> Region:
    width = frame.width
    rows = _drives_on(mirror, host.name)
    head = drives.head(width)
    if rows:
        return Rows(head, rows, lambda row: drives.row(mirror, frame, row, width), drives.key_of)
    words = "no drives" if mirror.are_drives_complete or mirror.is_offline else frame.glyphs.ellipsis
    return Lines([remark(frame, words, width=width)], head=head)


# Beside the list ----------------------------------------------------------------------------------------------------


def pane(mirror: Mirror, key: str, frame: Frame, width: int) -> tuple[Line, ...]:
    """The host beside the list, with the rule in front: facts, layers, the first of its servers."""
    host, glyphs = find(mirror, key), frame.glyphs
    lines: list[Line] = []
    if host is not None:
        glyph, word, _, tone = look(mirror, frame, host)
        title = fit_name(host.name, 20, glyphs)
        since = Span("  " + sentence(mirror, frame, host), Tone.MUTED)
        state = cut((Span(f"{glyph} {word}", tone), since), width - cells(title) - 6)
        lines.append(ruled(width, glyphs, left(2, title, Tone.ACCENT, bold=True), at(4 + cells(title), state)))
        for each in _facts(mirror, frame, host, _events_of(mirror, host.name, None))[1:]:
            lines += pane_lines(each, width, glyphs)
        lines.append(ruled(width, glyphs))
        inner = _narrowed(frame, width - 2)
        layers = _layers(mirror, inner, host)
        lines += [_behind_rule(line, width, glyphs) for line in (layers.head, *layers.lines) if line is not None]
        lines.append(ruled(width, glyphs))
        if host.kind != "storage":
            table = _servers(mirror, inner, host)
            head = () if table.head is None else (table.head,)
            body = (table.line(place) for place in range(min(len(table), NAMES_IN_PANE)))
            lines += [_behind_rule(line, width, glyphs) for line in (*head, *body)]
            if len(table) > NAMES_IN_PANE:
                more = f"and {len(table) - NAMES_IN_PANE} more; enter shows all"
                lines.append(ruled(width, glyphs, left(4, more, Tone.MUTED)))
    lines += [ruled(width, glyphs)] * (frame.body_height - len(lines))
    return tuple(lines[: frame.body_height])


def _narrowed(frame: Frame, width: int) -> Frame:
    return Frame(width=width, height=frame.height, now=frame.now, wall_now=frame.wall_now, glyphs=frame.glyphs)


def _behind_rule(line: Line, width: int, glyphs: Glyphs) -> Line:
    return ruled(width, glyphs, at(2, cut(line, width - 3)))
