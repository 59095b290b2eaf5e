"""The overview: is it healthy, what is at risk, what is going on, what fits.

The cells are the only rows with colour while all is well; the attention list below them is the real content. Both
are walked through as one list.
"""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import Any
from weakref import ref

from console.presentation import attention, backfill, events, figures, filtering, offered, redundancy, schedules, tasks
from console.presentation import cells as cells_view
from console.presentation.attention import Alarm
from console.presentation.columns import Table
from console.presentation.lines import (
    Frame,
    Glyphs,
    Line,
    Lines,
    Placed,
    Region,
    Rows,
    Span,
    TallRows,
    Tone,
    View,
    at,
    blank_region,
    cells,
    compose,
    fit_name,
    fit_sentence,
    left,
    pane_filler,
    remark,
    retoned,
    right,
    ruled,
    span_width,
)
from console.presentation.mirror import Mirror
from console.presentation.remembered import remembered
from console.presentation.sentences import census, offline_sentence
from console.records import CellRecord, GroupRecord, ServerRecord, TaskRecord

TALL_FROM_ROWS = 36
PANE_FROM_WIDTH = 120
WIDE_FROM_WIDTH = 160
EVENTS_SHOWN = 10
LOWEST_SHOWN = 10
GROUPS_SHOWN = 8
TASKS_SHOWN = 5
BACKUPS_SHOWN = 4


def view(mirror: Mirror, frame: Frame) -> View:
    pane = _pane_width(frame)
    width = frame.width - pane
    every = attention.alarms(mirror, frame)
    query = filtering.parse(frame.filter, attention.COLUMNS)
    alarms = list(filtering.matching(every, query, attention.COLUMNS))
    regions: list[Region] = [
        _cells_region(mirror, frame, width),
        blank_region(width),
        _attention_region(mirror, frame, alarms, width),
        blank_region(width),
        _going_on(mirror, frame, width),
    ]
    if frame.height >= TALL_FROM_ROWS and width >= 80:
        regions += [blank_region(width), _events_region(mirror, frame, width)]
    number = filtering.number_of(len(alarms), len(every), frame.filter)
    note = f"{number} need{'s' if len(every) == 1 else ''} attention" if mirror.cells is not None else ""
    return View(
        "overview",
        ("overview",),
        note,
        tuple(regions),
        status=lambda key: status(mirror, frame, alarms, key),
        pane_width=pane,
        aside=_aside(mirror, frame, pane) if pane else (),
        table=Table(attention.COLUMNS, alarms, lambda alarm: alarm.key),
        problem=query.problem,
    )


def _pane_width(frame: Frame) -> int:
    if frame.width < PANE_FROM_WIDTH or not frame.has_pane:
        return 0
    return 59 if frame.width >= WIDE_FROM_WIDTH else frame.width - 80


# The cells -----------------------------------------------------------------------------------------------------------


def _cells_region(mirror: Mirror, frame: Frame, width: int) -> Region:
    head = _cells_head(frame, width)
    if mirror.cells is None:
        return Lines([compose(width, left(1, frame.glyphs.ellipsis, Tone.MUTED))] * 4, head=head)
    if not mirror.cells:
        words = f"this cloud has no {offered.zone_word(mirror)}s" if mirror.is_complete else frame.glyphs.ellipsis
        return Lines([compose(width, left(1, words, Tone.MUTED))], head=head)
    shown = sorted(mirror.cells, key=lambda cell: cell.name)
    rows = Rows(head, shown, lambda cell: cell_row(mirror, frame, cell, width), cells_view.key_of)
    if width < 100 or len(shown) < 2:
        return rows
    lines = [rows.line(place) for place in range(len(shown))]
    return Lines([*lines, _sum_row(mirror, frame, width)], [*(cells_view.key_of(cell) for cell in shown), None], head)


def _cells_head(frame: Frame, width: int) -> Line:
    glyphs, muted = frame.glyphs, Tone.MUTED
    placed = [left(1, "CELL", muted), left(9, "STATE", muted)]
    if width < 60:
        return compose(width, *placed, right(width - 2, "SEEN", muted))
    placed.append(left(17, "HOSTS BY FILL", muted))
    if width < 80:
        return compose(width, *placed, right(51, "GHz of", muted), right(58, "SEEN", muted))
    if width < 100:
        placed.append(left(35, f"{glyphs.normal}normal {glyphs.backfill}backfill", muted))
        return compose(width, *placed, right(65, "GHz of", muted), right(71, "SRV", muted), right(78, "SEEN", muted))
    bar = f"{glyphs.normal} normal {glyphs.backfill} backfill {glyphs.free} free"
    return compose(width, *placed, left(35, bar, muted), right(69, "GHz of", muted), right(83, "MEM GiB of", muted),
                   right(91, "SRV", muted), right(98, "SEEN", muted))  # fmt: skip


def cell_row(mirror: Mirror, frame: Frame, cell: CellRecord, width: int) -> Line:
    glyphs = frame.glyphs
    look = figures.cell_state(cell, glyphs)
    known = cell.is_up and not mirror.is_offline
    tone = Tone.TEXT if known else Tone.UNKNOWN
    seen = _seen(mirror, frame, cell, is_exact=width >= 100)
    seen_tone = Tone.MUTED if known else Tone.UNKNOWN
    placed: list[Placed] = [
        left(1, fit_name(cell.name, 7, glyphs), tone),
        left(9, look.glyph, look.tone),
        left(11, look.word, look.tone),
    ]
    if width < 60:
        return compose(width, *placed, right(width - 2, seen, seen_tone))
    servers = figures.or_dash(None if cell.servers is None else figures.count(cell.servers), glyphs)
    used = figures.added(cell.normal, cell.backfilling)
    ghz = None
    if used is not None and cell.capacity is not None:
        ghz = f"{figures.ghz_whole(used.cpu_mhz)}/{figures.ghz_whole(cell.capacity.cpu_mhz)}"
    ghz = figures.or_dash(ghz, glyphs) if known else figures.last_known(ghz, glyphs)
    widest = _widest_ghz(mirror)
    if width < 80:
        strip = _before(51, 17, 22, widest)
        placed += [at(17, cells_view.host_strip(mirror, frame, cell, strip)), right(51, ghz, tone)]
        return compose(width, *placed, right(58, seen, seen_tone))
    hosts = sum(host.kind == "compute" and host.cell == cell.name for host in mirror.hosts or ())
    strip = max(16, hosts if hosts <= figures.STRIP_HOSTS_MAX else 16)
    edge, bar = (65, 18) if width < 100 else (69, 22)
    bar = _before(edge, 19 + strip, bar - (strip - 16), widest)
    placed += [
        at(17, cells_view.host_strip(mirror, frame, cell, strip)),
        at(19 + strip, cells_view.use(cell, bar, frame)),
    ]
    if width < 100:
        placed += [right(65, ghz, tone), right(71, servers, tone), right(78, seen, seen_tone)]
        return compose(width, *placed)
    memory = None
    if used is not None and cell.capacity is not None:
        memory = f"{figures.gib(used.memory_bytes)}/{figures.gib(cell.capacity.memory_bytes)}"
    memory = figures.or_dash(memory, glyphs) if known else figures.last_known(memory, glyphs)
    placed += [right(69, ghz, tone), right(83, memory, tone), right(91, servers, tone), right(98, seen, seen_tone)]
    return compose(width, *placed)


def _widest_ghz(mirror: Mirror) -> int:
    """How many cells the figures of the largest cell may take, used and whole, with a tilde before them."""
    whole = max((cell.capacity.cpu_mhz for cell in mirror.cells or () if cell.capacity is not None), default=0)
    return 2 * cells(figures.ghz_whole(whole)) + len("~/")


def _before(edge: int, start: int, width: int, figure: int) -> int:
    """The width of a bar at `start` that leaves a blank before a figure that ends at `edge`; a short bar is one too."""
    return max(8, min(width, edge - figure - start))


def _seen(mirror: Mirror, frame: Frame, cell: CellRecord, *, is_exact: bool) -> str:
    """How long ago the cell itself said what the row says."""
    seconds = mirror.age_seconds(frame.wall_now) if cell.is_up else figures.seconds_since(cell.since, frame.wall_now)
    if seconds is None:
        return frame.glyphs.nobody_said
    return figures.duration(seconds) if is_exact else figures.age(seconds)


def _sum_row(mirror: Mirror, frame: Frame, width: int) -> Line:
    """The sum of what answers, and called so: a total over cells that do not answer would be a lie."""
    up = [cell for cell in mirror.cells or () if cell.is_up]
    used = figures.added(*(figures.added(cell.normal, cell.backfilling) for cell in up))
    whole = figures.added(*(cell.capacity for cell in up))
    placed = [left(1, "reachable", Tone.MUTED)]
    if used is not None and whole is not None:
        cpu = f"{figures.ghz_whole(used.cpu_mhz)}/{figures.ghz_whole(whole.cpu_mhz)}"
        memory = f"{figures.gib(used.memory_bytes)}/{figures.gib(whole.memory_bytes)}"
        servers = figures.count(sum(cell.servers or 0 for cell in up))
        placed += [right(69, cpu), right(83, memory), right(91, servers)]
    line = compose(width, *placed)
    return retoned(line, Tone.UNKNOWN) if mirror.is_offline else line


# What needs attention ------------------------------------------------------------------------------------------------


def _attention_parts(mirror: Mirror, frame: Frame, alarms: list[Alarm], width: int) -> tuple[Any, ...]:
    # Of the instants only the days are told.
    days = frame.now.date(), frame.wall_now.date()
    clock = None if mirror.clock is None else mirror.clock.mode
    return alarms, days, clock, mirror.cells is None, width, frame.height, frame.filter, frame.glyphs


@remembered(_attention_parts)
def _attention_region(mirror: Mirror, frame: Frame, alarms: list[Alarm], width: int) -> Region:
    edge = 78 if 80 <= width < 100 else 98 if width == 101 else width - 2
    head = compose(width, left(1, "NEEDS ATTENTION", Tone.MUTED), right(edge, "SINCE", Tone.MUTED))
    if not alarms:
        text = "nothing needs attention" if mirror.cells is not None else frame.glyphs.ellipsis
        if frame.filter and mirror.cells is not None:
            text = f"nothing matches /{frame.filter}   esc clears the filter"
        return Lines([remark(frame, text, column=1, width=width)], head=head)
    is_one_clock = mirror.clock is None or mirror.clock.mode == "wall"

    def draw(alarm: Alarm, part: int) -> Line:
        return _alarm_line(frame, alarm, part, width, edge, is_one_clock=is_one_clock)

    if frame.height >= TALL_FROM_ROWS and width >= 100:
        return TallRows(head, alarms, 2, draw, attrgetter("key"))
    return Rows(head, alarms, lambda alarm: draw(alarm, 0), attrgetter("key"))


def _alarm_line(frame: Frame, alarm: Alarm, part: int, width: int, edge: int, *, is_one_clock: bool) -> Line:
    glyphs = frame.glyphs
    if part:
        text = fit_sentence(alarm.remedy, width - 18, glyphs)
        return compose(width, left(17, text, Tone.MUTED))
    placed = [left(1, alarm.glyph, alarm.tone)]
    if width < 60:
        name = fit_name(alarm.who, 12, glyphs)
        column = 4 + cells(name)
        placed += [left(3, name, alarm.tone), left(column, fit_sentence(alarm.what, width - column - 1, glyphs))]
        return compose(width, *placed)
    now = frame.wall_now if alarm.is_wall else frame.now
    since = glyphs.nobody_said if alarm.since is None else figures.instant_short(alarm.since, now)
    if alarm.is_wall and alarm.since is not None and not is_one_clock:
        since = f"wall {since}"
    what = fit_sentence(alarm.what, edge - 17 - cells(since) - 1, glyphs)
    placed += [left(3, fit_name(alarm.who, 13, glyphs), alarm.tone), left(17, what), right(edge, since, Tone.MUTED)]
    return compose(width, *placed)


# What is going on ----------------------------------------------------------------------------------------------------


def _going_on(mirror: Mirror, frame: Frame, width: int) -> Lines:
    """Servers by state with their sum, tasks, the next backup."""
    lines, keys = [], []
    if width >= 60:
        lines.append(_servers_line(mirror, frame, width))
        keys.append("view:servers")
    parts = [offered.sentence(mirror, "tasks") or _tasks_text(mirror, frame.glyphs)]
    following = next_backups(mirror)
    if following and width >= 60:
        title, at_instant = following[0]
        wait = figures.countdown((at_instant - frame.now).total_seconds())
        parts.append(f"next backup {at_instant:%H:%M} UTC in {wait}, {title}")
    column = 17 if width >= 60 else 8
    text = fit_sentence("  ".join(parts), width - column - 1, frame.glyphs)
    lines.append(compose(width, left(1, "TASKS", Tone.MUTED), left(column, text)))
    keys.append("view:tasks")
    return Lines(lines, keys)


def _tasks_text(mirror: Mirror, glyphs: Glyphs) -> str:
    if mirror.tasks_open is None:
        return glyphs.nobody_said
    waiting = mirror.tasks_waiting or 0
    return f"{max(0, mirror.tasks_open - waiting):,} running, {waiting:,} wait"


def next_backups(mirror: Mirror) -> list[tuple[str, datetime]]:
    """The schedules that run next, with when; without those whose runs could only be missed."""
    rows = map(mirror.with_name, mirror.schedules or ())
    able = (row for row in rows if row.is_active and schedules.silent_cell(mirror, row) is None)
    active = [(row.next_trigger_at, row.title) for row in able]
    return [(title, instant) for instant, title in sorted((i, t) for i, t in active if i is not None)]


def _servers_line(mirror: Mirror, frame: Frame, width: int) -> Line:
    glyphs, states = frame.glyphs, mirror.fleet.by_state
    if not mirror.is_complete and not states:
        return compose(width, left(1, "SERVERS", Tone.MUTED), left(17, glyphs.nobody_said, Tone.UNKNOWN))
    busy = sum(states[state] for state in ("starting", "stopping", "paused"))
    parts = [
        (f"{glyphs.running} run", states["running"], Tone.OK),
        (f"{glyphs.busy} busy", busy, Tone.ACCENT),
        (f"{glyphs.stopped} stop", states["stopped"], Tone.MUTED),
        (f"{glyphs.lost} lost", states["unavailable"], Tone.CRIT),
        (f"{glyphs.lost} error", states["error"], Tone.CRIT),
        (f"{glyphs.unknown} UNKNOWN", states["unknown"], Tone.UNKNOWN),
    ]
    spans: list[Span] = []
    for word, number, tone in parts:
        if number:
            spans += [Span(word, Tone.UNKNOWN if mirror.is_offline else tone), Span(f" {figures.count(number)}   ")]
    total = f"= {figures.count(len(mirror.fleet))}"
    placed = [left(1, "SERVERS", Tone.MUTED), at(17, tuple(spans))]
    edge = 78 if 80 <= width < 100 else 98 if width == 101 else width - 2
    if 17 + span_width(spans) + len(total) < edge:
        placed.append(right(edge, total))
    return compose(width, *placed)


def _events_parts(mirror: Mirror, frame: Frame, width: int) -> tuple[Any, ...]:
    # A fleet is large, and is not to be kept for this when there is another one.
    names = ref(mirror.fleet), ref(mirror.drives), mirror.protection, mirror.schedules, mirror.pasts
    nothing = None if mirror.events else offered.sentence(mirror, "events") or events.instead_of_none(mirror, frame)
    return mirror.events, names, nothing, frame.now.date(), frame.filter, width, frame.glyphs


@remembered(_events_parts)
def _events_region(mirror: Mirror, frame: Frame, width: int) -> Region:
    latest = list(reversed(mirror.events[-EVENTS_SHOWN:]))
    head = compose(width, left(1, "EVENTS", Tone.MUTED))
    if not latest:
        words = offered.sentence(mirror, "events") or events.instead_of_none(mirror, frame)
        return Lines([compose(width, left(1, words, Tone.MUTED))], head=head)
    return Rows(head, latest, lambda event: events.row(mirror, frame, event, width), lambda event: f"event:{event.key}")


# Beside them, from 120 columns --------------------------------------------------------------------------------------


def _aside(mirror: Mirror, frame: Frame, width: int) -> tuple[Region, ...]:
    filler = Lines((ruled(width, frame.glyphs),))
    regions: list[Region] = [
        _fits_region(mirror, frame, width),
        filler,
        _lowest_region(mirror, frame, width),
        filler,
        _risk_region(mirror, frame, width),
    ]
    if width >= 50 and frame.height >= TALL_FROM_ROWS:
        regions += [filler, _tasks_region(mirror, frame, width), filler, _backups_region(mirror, frame, width)]
    used = sum(len(region) + (region.head is not None) for region in regions)
    return (*regions, pane_filler(frame.body_height - used, width, frame.glyphs))


def _fits_parts(mirror: Mirror, frame: Frame, width: int) -> tuple[Any, ...]:
    return mirror.capacity, offered.sentence(mirror, "capacity"), mirror.is_offline, width, frame.glyphs


@remembered(_fits_parts)
def _fits_region(mirror: Mirror, frame: Frame, width: int) -> Lines:
    glyphs, muted = frame.glyphs, Tone.MUTED
    wide = width >= 50
    edges = (40, 47) if wide else (31, 37)
    head = [left(3, "WHAT FITS NOW", muted), right(edges[0], "GHz", muted), right(edges[1], "GiB", muted)]
    lines = []
    names = {
        "normal, none shrunk": ("normal, nobody shrunk", Tone.OK),
        "normal, others shrink": ("normal, others shrink", Tone.BACKFILL),
        "normal, others stop": ("normal, others stop", Tone.WARN),
        "most_free_by_cpu": ("backfilling, most CPU", Tone.BACKFILL),
        "most_free_by_memory": ("backfilling, most memory", Tone.BACKFILL),
    }
    nothing = offered.sentence(mirror, "capacity")
    if nothing is not None:
        return offered.aside(ruled(width, glyphs, left(3, "WHAT FITS NOW", muted)), nothing, width, frame)
    sizes = {name: size for name, size, _ in backfill.fits(mirror)}
    for name, (words, tone) in names.items():
        size = sizes.get(name)
        placed = [left(3, fit_name(words, edges[0] - 7, glyphs), tone)]
        if size is None:
            placed += [right(edge, glyphs.nobody_said, Tone.UNKNOWN) for edge in edges]
        else:
            figure = Tone.UNKNOWN if mirror.is_offline else Tone.TEXT
            placed += [right(edges[0], figures.ghz(size.cpu_mhz), figure)]
            placed += [right(edges[1], figures.gib(size.memory_bytes), figure)]
            if wide:
                placed.append(right(57, fit_name(size.host or "", 8, glyphs), muted))
        lines.append(ruled(width, glyphs, *placed))
    if wide:
        head.append(right(57, "HOST", muted))
    return Lines(lines, head=ruled(width, glyphs, *head))


def _lowest_parts(mirror: Mirror, frame: Frame, width: int) -> tuple[Any, ...]:
    fleet, nothing = mirror.fleet, offered.sentence(mirror, "backfill")
    has_backfilling, is_known = bool(fleet.backfilling), mirror.is_complete
    return fleet.shrunk[:LOWEST_SHOWN], has_backfilling, is_known, nothing, mirror.is_offline, width, frame.glyphs


@remembered(_lowest_parts)
def _lowest_region(mirror: Mirror, frame: Frame, width: int) -> Region:
    """The servers that are left with the least of their size."""
    glyphs, muted = frame.glyphs, Tone.MUTED
    nothing = offered.sentence(mirror, "backfill")
    if nothing is not None:
        return offered.aside(ruled(width, glyphs, left(3, "LOWEST perf_factor", muted)), nothing, width, frame)
    rows = mirror.fleet.shrunk[:LOWEST_SHOWN]
    if width >= 50:
        head = ruled(width, glyphs, left(3, "LOWEST perf_factor", muted), right(34, "CPU", muted),
                     right(40, "FLOOR", muted), right(47, "MEM", muted), right(53, "FLOOR", muted))  # fmt: skip
    else:
        head = ruled(width, glyphs, left(3, "LOWEST perf_factor", muted), right(31, "CPU", muted),
                     right(37, "MEM", muted))  # fmt: skip
    if not rows:
        text = "all have their full size" if mirror.fleet.backfilling else "no backfilling servers"
        return Lines([ruled(width, glyphs, left(3, text if mirror.is_complete else glyphs.ellipsis, muted))], head=head)
    return Rows(head, rows, lambda row: _lowest_row(mirror, frame, row, width), lambda row: row.id)


def _lowest_row(mirror: Mirror, frame: Frame, row: ServerRecord, width: int) -> Line:
    glyphs = frame.glyphs
    wide = width >= 50
    cpu_edge, memory_edge = (34, 47) if wide else (31, 37)
    placed = [left(3, fit_name(row.title, 13, glyphs), Tone.BACKFILL)]
    if wide:
        placed.append(left(17, fit_name(row.host or glyphs.nobody_said, 10, glyphs)))
    if row.perf_factor is not None:
        cpu, memory, floor = row.perf_factor.cpu, row.perf_factor.memory, row.floor
        placed.append(right(cpu_edge, figures.factor(cpu), figures.factor_tone(cpu, floor.cpu if floor else None)))
        tone = figures.factor_tone(memory, floor.memory if floor else None)
        placed.append(right(memory_edge, figures.factor(memory), tone))
        if wide and floor is not None:
            placed.append(right(40, figures.factor(floor.cpu), Tone.MUTED))
            placed.append(right(53, figures.factor(floor.memory), Tone.MUTED))
    line = ruled(width, glyphs, *placed)
    return retoned(line, Tone.UNKNOWN) if mirror.is_offline else line


def _risk_parts(mirror: Mirror, frame: Frame, width: int) -> tuple[Any, ...]:
    return mirror.groups, width, frame.glyphs


@remembered(_risk_parts)
def _risk_region(mirror: Mirror, frame: Frame, width: int) -> Region:
    glyphs, muted = frame.glyphs, Tone.MUTED
    wide = width >= 50
    edges = (34, 41, 47, 57) if wide else (21, 0, 27, 37)
    placed = [left(3, "GROUPS AT RISK", muted)]
    words = ("MEMBERS", "HOSTS", "COLL", "TOLERATES") if wide else ("N", "", "COLL", "TOLERATES")
    placed += [right(edge, word, muted) for edge, word in zip(edges, words, strict=True) if edge]
    head = ruled(width, glyphs, *placed)
    rows = redundancy.worst_first(mirror)[:GROUPS_SHOWN]
    if not rows:
        text = "no groups" if mirror.groups is not None else glyphs.ellipsis
        return Lines([ruled(width, glyphs, left(3, text, muted))], head=head)

    def draw(group: GroupRecord) -> Line:
        collisions, tolerates = redundancy.collisions_span(group, glyphs), redundancy.tolerates_span(group, glyphs)
        pieces: list[Placed] = [
            left(3, fit_name(group.name, 16, glyphs)),
            right(edges[0], str(len(group.members))),
            at(edges[2] + 1 - cells(collisions.text), (collisions,)),
            at(edges[3] + 1 - cells(tolerates.text), (tolerates,)),
        ]
        if wide:
            pieces.append(right(41, figures.or_dash(None if group.hosts is None else str(group.hosts), glyphs)))
        return ruled(width, glyphs, *pieces)

    return Rows(head, rows, draw, redundancy.key_of)


def _tasks_region(mirror: Mirror, frame: Frame, width: int) -> Region:
    glyphs = frame.glyphs
    head = ruled(width, glyphs, left(3, "TASKS", Tone.MUTED), right(57, "DONE", Tone.MUTED))
    nothing = offered.sentence(mirror, "tasks")
    if nothing is not None:
        return offered.aside(head, nothing, width, frame)
    going = [task for task in tasks.without_sources(mirror.tasks or ()) if task.state == "open"]
    rows = tasks.running_order(mirror, frame, going)[:TASKS_SHOWN]
    if not rows:
        text = "nothing is under way" if mirror.tasks is not None else glyphs.ellipsis
        return Lines([ruled(width, glyphs, left(3, text, Tone.MUTED))], head=head)

    def draw(task: TaskRecord) -> Line:
        placed = [left(3, fit_name(tasks.kind(task), 13, glyphs)),
                  left(17, fit_name(tasks.target(mirror, task), 16, glyphs))]  # fmt: skip
        if tasks.is_waiting(mirror, task):
            placed += [left(35, f"{glyphs.busy} waits", Tone.WARN), right(57, glyphs.nobody_said, Tone.UNKNOWN)]
        else:
            share = tasks.share(frame, task)
            placed += [at(35, figures.progress_bar(share, 16, glyphs)), right(57, figures.percent(share) + "%")]
        return ruled(width, glyphs, *placed)

    return Rows(head, rows, draw, lambda task: f"task:{task.id}")


def _backups_region(mirror: Mirror, frame: Frame, width: int) -> Region:
    glyphs = frame.glyphs
    head = ruled(width, glyphs, left(3, "NEXT BACKUPS", Tone.MUTED), right(57, "IN", Tone.MUTED))
    nothing = offered.sentence(mirror, "backups")
    if nothing is not None:
        return offered.aside(head, nothing, width, frame)
    lines = []
    for title, instant in next_backups(mirror)[:BACKUPS_SHOWN]:
        wait = figures.countdown((instant - frame.now).total_seconds())
        day = (
            f"{instant:%H:%M} UTC" if instant.date() == frame.now.date() else f"{figures.day(instant)} {instant:%H:%M}"
        )
        lines.append(ruled(width, glyphs, left(3, day), left(17, fit_name(title, 32, glyphs)), right(57, wait)))
    if not lines:
        text = "no schedule is active" if mirror.schedules is not None else glyphs.ellipsis
        lines.append(ruled(width, glyphs, left(3, text, Tone.MUTED)))
    return Lines(lines, head=head)


# The status row ------------------------------------------------------------------------------------------------------


def status(mirror: Mirror, frame: Frame, alarms: list[Alarm], key: str | None) -> Line:
    if mirror.is_offline:
        return (Span(offline_sentence(mirror, frame), Tone.CRIT),)
    alarm = next((alarm for alarm in alarms if alarm.key == key), None)
    if alarm is not None and frame.height < TALL_FROM_ROWS:
        return (Span(f"{alarm.who}: {alarm.remedy}", Tone.MUTED),)
    if mirror.capacity is None or mirror.capacity.most_free_by_cpu is None:
        return (Span(census(mirror), Tone.MUTED),)
    capacity = mirror.capacity
    sizes = [size for size in (capacity.most_free_by_cpu, capacity.most_free_by_memory) if size is not None]
    texts = [f"{figures.ghz(size.cpu_mhz)} GHz + {figures.gib(size.memory_bytes)} GiB" for size in sizes]
    if not any(size.cpu_mhz for size in sizes):
        return (Span("nothing is free for another backfilling server", Tone.WARN),)
    return (Span(f"free for one backfilling server: {', or '.join(dict.fromkeys(texts))}", Tone.MUTED),)
