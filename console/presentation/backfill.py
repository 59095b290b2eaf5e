"""Backfilling: what fits now, who has been shrunk or stopped and by whom, and where the room is.

The three objects of `free_resources` stand by their published names; below them, the largest normal server at three
prices. The eye reads shrinkage as missing ink in the gauges; the number beside each says how much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from console.presentation import cells as cells_view
from console.presentation import figures, filtering, shrinking, sorting
from console.presentation.columns import Column, Kind, Table
from console.presentation.fleet import stopped_at
from console.presentation.lines import (
    Frame,
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
    blank,
    blank_region,
    cells,
    compose,
    fit_name,
    left,
    matched,
    pane_filler,
    remark,
    retoned,
    right,
    ruled,
)
from console.presentation.mirror import Mirror
from console.presentation.sentences import sentence
from console.records import CellRecord, HostRecord, ServerRecord, SizeRecord

PANE_FROM_WIDTH = 160
PANE_WIDTH = 58
HISTORY_FROM_HEIGHT = 30
STRIP_WIDTH, STRIP_WIDTH_MIN, STRIP_HEAD_WIDTH = 20, 8, 14
ORDERS = ("factor", "lost", "floor", "name")


def view(mirror: Mirror, frame: Frame) -> View:
    rows = taken_from(mirror, frame)
    note = _note(mirror, frame)
    below: tuple[Line, ...] = ()
    has_room = frame.height >= HISTORY_FROM_HEIGHT and frame.width >= 60
    if frame.width >= PANE_FROM_WIDTH and frame.has_pane:
        width = frame.width - PANE_WIDTH
        regions: tuple[Region, ...] = (
            _fits_region(mirror, frame, width),
            blank_region(width),
            *_hosts_region(mirror, frame, width),
            blank_region(width),
            _capacity_region(mirror, frame, width),
        )
        aside = _aside(mirror, frame, rows)
        pane_width = PANE_WIDTH
        if has_room:
            # Not in the pane: below many rows there, nobody would see it.
            last = shrinking.last_hour(mirror, frame, min(width, 100))
            below = (blank(width), *(compose(width, at(0, line)) for line in last))
    else:
        regions = (_fits_region(mirror, frame, frame.width), *_gauges(mirror, frame, rows))
        if frame.width >= 120:
            regions += (blank_region(frame.width), *_hosts_region(mirror, frame, frame.width))
        aside, pane_width = (), 0
        if has_room:
            last = shrinking.last_hour(mirror, frame, min(frame.width, 100))
            below = (blank(frame.width), *(compose(frame.width, at(0, line)) for line in last))
    return View(
        "backfill",
        ("backfill",),
        note,
        regions,
        status=lambda key: status(mirror, frame, key, has_strip=pane_width > 0 or not (below and frame.has_pane)),
        preview=(lambda key: _preview(mirror, frame, key)) if below and not pane_width and frame.has_pane else None,
        below=below,
        pane_width=pane_width,
        aside=aside,
        orders=ORDERS,
        table=Table(columns(mirror), rows, lambda row: row.id),
        problem=filtering.parse(frame.filter, columns(mirror)).problem,
    )


def _preview(mirror: Mirror, frame: Frame, key: str) -> tuple[Line, ...]:
    """The last hour of the server under the cursor."""
    server = mirror.servers.get(key)
    return () if server is None else shrinking.preview(mirror, frame, server)


def _note(mirror: Mirror, frame: Frame) -> str:
    fleet = mirror.fleet
    if not mirror.is_complete and not fleet.by_id:
        return frame.glyphs.nobody_said
    parts = [f"{len(fleet.noticed)} stop soon"] if fleet.noticed else []
    return ", ".join([*parts, f"{len(fleet.stopped_for_room)} stopped", f"{len(fleet.shrunk)} shrunk"])


def taken_from(mirror: Mirror, frame: Frame) -> list[ServerRecord]:
    """Who lost something: those that will be stopped, the stopped, then the shrunk, the least factor first."""
    fleet = mirror.fleet
    noticed = {row.id for row in fleet.noticed}
    shrunk = [row for row in fleet.shrunk if row.id not in noticed]
    match frame.sort:
        case "lost":
            shrunk.sort(key=lambda row: -cpu_lost(row))
        case "floor":
            shrunk.sort(key=_above_floor)
        case "name":
            shrunk.sort(key=lambda row: row.sort_name)
        case _:
            pass
    if frame.is_descending:
        shrunk.reverse()
    rows = [*fleet.noticed, *fleet.stopped_for_room, *shrunk]
    known = columns(mirror)
    if frame.sort not in ORDERS and frame.sort:
        rows = list(sorting.as_asked(rows, frame, known))
    return list(filtering.matching(rows, filtering.parse(frame.filter, known), known))


def columns(mirror: Mirror) -> tuple[Column[ServerRecord], ...]:
    """What the row of a server that lost something is as values."""
    return (
        Column("name", lambda row: row.title, head="BACKFILLING", width=20, is_searched=True),
        Column("state", attrgetter("state"), Kind.WORD, width=10, words=("running", "stopped")),
        Column("host", attrgetter("host"), width=8, is_searched=True),
        Column("cell", attrgetter("cell"), width=8, is_searched=True),
        Column("factor", lambda row: row.perf_factor and row.perf_factor.lower, Kind.SHARE, "pf", 6),
        Column("cpu", lambda row: row.perf_factor and row.perf_factor.cpu, Kind.SHARE, "pfCPU", 6),
        Column("memory", lambda row: row.perf_factor and row.perf_factor.memory, Kind.SHARE, "pfMEM", 6),
        Column("floor", lambda row: row.floor and min(row.floor), Kind.SHARE, width=6),
        Column("lost", cpu_lost, Kind.CPU, "LOST GHz", 9),
        Column("by", lambda row: cause(mirror, row), width=16, is_searched=True),
        Column("id", attrgetter("id"), Kind.ID, width=36, is_searched=True),
    )


def cpu_lost(row: ServerRecord) -> float:
    """MHz that it does not have now."""
    return (row.cpu_mhz or 0) * (1 - (row.perf_factor.cpu if row.perf_factor else 1.0))


def _above_floor(row: ServerRecord) -> float:
    factor, floor = row.perf_factor, row.floor
    if factor is None or floor is None:
        return 1.0
    return min(
        factor.cpu - floor.cpu if factor.cpu < 1 else 1, factor.memory - floor.memory if factor.memory < 1 else 1
    )


def cause(mirror: Mirror, row: ServerRecord) -> str:
    """The name of who took its room, or `host lost`."""
    if row.reason == "host_lost" and row.state == "stopped":
        return "host lost"
    cause_id = row.notice_for or (row.squeezed_by if row.state != "stopped" else row.displaced_for)
    if cause_id is None:
        return ""
    return mirror.name_of(cause_id) or cause_id[:8]


# What fits now -----------------------------------------------------------------------------------------------------


def fits(mirror: Mirror) -> list[tuple[str, SizeRecord | None, Tone]]:
    """The six answers to "what fits", as (name, size, tone)."""
    capacity = mirror.capacity
    if capacity is None:
        return []
    return [
        ("total", capacity.total, Tone.BACKFILL),
        ("most_free_by_cpu", capacity.most_free_by_cpu, Tone.BACKFILL),
        ("most_free_by_memory", capacity.most_free_by_memory, Tone.BACKFILL),
        ("normal, none shrunk", capacity.none_shrunk, Tone.TEXT),
        ("normal, others shrink", capacity.others_shrink, Tone.TEXT),
        ("normal, others stop", capacity.others_stop, Tone.WARN),
    ]


def _is_forbidden(mirror: Mirror) -> bool:
    return mirror.capacity is not None and mirror.capacity.total is None


def _fits_region(mirror: Mirror, frame: Frame, width: int) -> Lines:
    """The six sizes; beside them, from 80 columns, the cells by fill with what their best host offers."""
    has_cells = 80 <= width < 100 or (width >= 100 and width == frame.width)
    muted = Tone.MUTED
    head: list[Placed] = [left(1, "FITS NOW, ONE SERVER" if width >= 60 else "FITS NOW", muted)]
    head += [right(27, "GHz", muted), right(33, "GiB", muted)]
    if width >= 60:
        head.append(left(36, "HOST", muted))
    if has_cells:
        head += [left(52, "HOSTS BY FILL", muted), right(74, "GHz", muted), right(78, "GiB", muted)]
    rows = fits(mirror)
    if not rows:
        rows = [(name, None, Tone.MUTED) for name in ("total", "most_free_by_cpu", "most_free_by_memory")]
    cells = sorted(mirror.cells or (), key=lambda cell: cell.name) if has_cells else []
    lines = []
    for place in range(max(len(rows), len(cells))):
        placed: list[Placed] = []
        if place < len(rows):
            placed += _fits_row(mirror, frame, rows[place], width)
        if place < len(cells):
            placed += _cell_columns(mirror, frame, cells[place])
        lines.append(compose(width, *placed))
    if _is_forbidden(mirror):
        text = "backfilling is not permitted to this account (403)"
        lines[:3] = [remark(frame, text, column=1, width=width)]
    return Lines(lines, head=compose(width, *head))


def _fits_row(mirror: Mirror, frame: Frame, row: tuple[str, SizeRecord | None, Tone], width: int) -> list[Placed]:
    name, size, tone = row
    glyphs = frame.glyphs
    label = fit_name(name, 22, glyphs)
    if size is None:
        return [left(1, label, tone), right(27, glyphs.nobody_said, Tone.UNKNOWN),
                right(33, glyphs.nobody_said, Tone.UNKNOWN)]  # fmt: skip
    figure = Tone.UNKNOWN if mirror.is_offline else Tone.TEXT
    write = figures.last_known if mirror.is_offline else figures.or_dash
    placed = [left(1, label, tone), right(27, write(figures.ghz(size.cpu_mhz), glyphs), figure)]
    placed.append(right(33, write(figures.gib(size.memory_bytes), glyphs), figure))
    if width >= 60:
        placed.append(left(36, _fits_host(mirror, frame, name, size, width), Tone.MUTED))
    return placed


def _fits_host(mirror: Mirror, frame: Frame, name: str, size: SizeRecord, width: int) -> str:
    if name != "total" or mirror.capacity is None:
        return fit_name(size.host or "", 8, frame.glyphs)
    by_cpu, by_memory = mirror.capacity.most_free_by_cpu, mirror.capacity.most_free_by_memory
    hosts = sorted({each.host for each in (by_cpu, by_memory) if each is not None and each.host is not None})
    if width >= 100 and width != frame.width:
        return ", ".join(hosts)
    return hosts[0] if len(hosts) == 1 else f"{len(hosts)} hosts" if hosts else ""


def _cell_columns(mirror: Mirror, frame: Frame, cell: CellRecord) -> list[Placed]:
    known = cell.is_up and not mirror.is_offline
    glyphs, free = frame.glyphs, cell.free if known else None
    cpu = figures.or_dash(None if free is None else figures.ghz(free.cpu_mhz), glyphs)
    memory = figures.or_dash(None if free is None else figures.gib(free.memory_bytes), glyphs)
    tone = Tone.TEXT if free is not None else Tone.UNKNOWN
    return [
        left(45, fit_name(cell.name, 6, glyphs), Tone.TEXT if known else Tone.UNKNOWN),
        at(52, cells_view.host_strip(mirror, frame, cell, 16)),
        right(74, cpu, tone),
        right(78, memory, tone),
    ]


# Who lost something ------------------------------------------------------------------------------------------------


def _gauges(mirror: Mirror, frame: Frame, rows: Sequence[ServerRecord]) -> tuple[Region, ...]:
    width = frame.width
    if not rows:
        text = _instead(mirror, frame)
        empty = Lines([remark(frame, text, column=3, width=width)], head=_head(frame, width))
        return blank_region(width), empty
    region = Rows(_head(frame, width), rows, lambda row: gauge_row(mirror, frame, row), lambda row: row.id)
    return blank_region(width), region


def _instead(mirror: Mirror, frame: Frame) -> str:
    if not mirror.is_complete and not mirror.is_offline:
        return frame.glyphs.ellipsis
    if frame.filter:
        return f"nothing matches /{frame.filter}   esc clears the filter"
    if not mirror.fleet.backfilling:
        return "this cloud has no backfilling servers"
    return f"all {len(mirror.fleet.backfilling):,} backfilling servers have their full size"


def _head(frame: Frame, width: int) -> Line:
    muted, floor = Tone.MUTED, frame.glyphs.floor
    if width < 60:
        return compose(width, left(3, "BACKFILLING", muted), left(17, "pf", muted), left(23, "BY", muted))
    if width < 80:
        return compose(width, left(3, "BACKFILLING", muted), left(15, f"CPU {floor}floor", muted),
                       right(29, "pf", muted), right(35, "MEM", muted), left(38, "BY", muted),
                       right(58, "WHEN", muted))  # fmt: skip
    return compose(width, left(3, "BACKFILLING", muted), left(15, "HOST", muted), left(22, f"CPU {floor}floor", muted),
                   right(36, "pf", muted), left(39, f"MEM {floor}floor", muted), right(53, "pf", muted),
                   left(56, "BY", muted), right(78, "WHEN", muted))  # fmt: skip


def when(frame: Frame, row: ServerRecord) -> str:
    """When it lost its room; until when it has it."""
    if row.notice_until is not None:
        return "in " + figures.countdown((row.notice_until - frame.now).total_seconds())
    instant = stopped_at(row) if row.state == "stopped" else row.squeezed_at
    return frame.glyphs.nobody_said if instant is None else figures.instant_short(instant, frame.now)


def _opening(frame: Frame, row: ServerRecord, column: int) -> list[Placed]:
    """The glyph, which says what has become of it, and the name."""
    glyphs = frame.glyphs
    if row.state == "stopped":
        sign, tone = glyphs.violation, Tone.CRIT
    elif row.notice_until is not None:
        sign, tone = glyphs.attention, Tone.WARN
    else:
        sign, tone = glyphs.backfill, Tone.BACKFILL
    name = Span(fit_name(row.title, 11, glyphs), Tone.BACKFILL, is_bold=row.id in frame.marks)
    return [left(column, sign, tone), at(column + 2, matched(name, frame.filter))]


def gauge_row(mirror: Mirror, frame: Frame, row: ServerRecord) -> Line:
    """One server that lost something, on one line of the frame's width."""
    width, glyphs = frame.width, frame.glyphs
    factor, floor = row.perf_factor, row.floor
    by, at_time = cause(mirror, row), when(frame, row)
    placed = _opening(frame, row, 1)
    is_stopped = row.state == "stopped"
    if width < 60:
        placed.append(left(23, fit_name(by, width - 24, glyphs)))
        if is_stopped:
            placed.append(left(17, "stop", Tone.CRIT))
        elif factor is not None:
            letter, share = figures.lower_factor(factor)
            low = None if floor is None else floor.cpu if letter == "c" else floor.memory
            placed.append(left(17, letter + figures.short_factor(share), figures.factor_tone(share, low)))
        return _as_known(mirror, compose(width, *placed))
    if width < 80:
        placed += [left(38, fit_name(by, 11, glyphs)), right(58, at_time, Tone.MUTED)]
        if is_stopped:
            placed.append(left(15, "stopped", Tone.CRIT))
        elif factor is not None:
            low = floor.memory if floor else None
            placed.append(at(15, figures.gauge_and_number(factor.cpu, floor.cpu if floor else None, glyphs)))
            placed.append(right(35, figures.factor(factor.memory), figures.factor_tone(factor.memory, low)))
        return _as_known(mirror, compose(width, *placed))
    wide = width >= 120
    placed += [
        left(15, fit_name(row.host or glyphs.nothing, 6, glyphs), Tone.TEXT if row.host else Tone.MUTED),
        *_both_gauges(frame, row, (22, 39)),
        left(56, fit_name(by, 13, glyphs)),
        right(78, at_time, Tone.MUTED),
    ]
    if wide:
        placed.append(left(82, _amounts(row), Tone.MUTED))
    return _as_known(mirror, compose(width, *placed))


def _as_known(mirror: Mirror, line: Line) -> Line:
    """While the cloud does not answer, nothing looks like a current figure."""
    return retoned(line, Tone.UNKNOWN) if mirror.is_offline else line


def _both_gauges(frame: Frame, row: ServerRecord, columns: tuple[int, int]) -> list[Placed]:
    glyphs, factor, floor = frame.glyphs, row.perf_factor, row.floor
    first, second = columns
    if row.state == "stopped" or factor is None:
        word = left(first, row.state, Tone.CRIT if row.state == "stopped" else Tone.UNKNOWN)
        return [word, right(first + 14, glyphs.nobody_said, Tone.UNKNOWN),
                right(second + 14, glyphs.nobody_said, Tone.UNKNOWN)]  # fmt: skip
    return [
        at(first, figures.gauge_and_number(factor.cpu, floor.cpu if floor else None, glyphs)),
        at(second, figures.gauge_and_number(factor.memory, floor.memory if floor else None, glyphs)),
    ]


def _amounts(row: ServerRecord) -> str:
    """`7.4 of 12.0 GHz, 48 of 48 GiB`, or what was lost."""
    cpu, memory, factor = row.cpu_mhz or 0, row.memory_bytes or 0, row.perf_factor
    if factor is None:
        return f"{figures.ghz(cpu)} GHz lost"
    return (
        f"{figures.ghz(cpu * factor.cpu)} of {figures.ghz(cpu)} GHz, "
        f"{figures.gib(round(memory * factor.memory))} of {figures.gib(memory)} GiB"
    )


def _aside(mirror: Mirror, frame: Frame, rows: Sequence[ServerRecord]) -> tuple[Region, ...]:
    """The same beside the hosts: two lines each, the second muted and complete."""
    width, glyphs, muted = PANE_WIDTH, frame.glyphs, Tone.MUTED
    floor = glyphs.floor
    head = ruled(width, glyphs, left(4, "BACKFILLING", muted), left(16, "HOST", muted),
                 left(23, f"CPU {floor}floor", muted), right(37, "pf", muted), left(39, f"MEM {floor}floor", muted),
                 right(53, "pf", muted))  # fmt: skip

    def draw(row: ServerRecord, part: int) -> Line:
        if part:
            by = cause(mirror, row)
            told = f"{when(frame, row)} by {by}, " if by else ""
            return ruled(width, glyphs, left(4, told + _amounts(row), muted))
        host = left(16, fit_name(row.host or glyphs.nothing, 6, glyphs), Tone.TEXT if row.host else muted)
        return ruled(width, glyphs, *_opening(frame, row, 2), host, *_both_gauges(frame, row, (23, 39)))

    def shown(row: ServerRecord, part: int) -> Line:
        return _as_known(mirror, draw(row, part))

    filler = pane_filler(frame.body_height - 2 - 2 * max(1, len(rows)), width, glyphs)
    if not rows:
        text = ruled(width, glyphs, left(4, _instead(mirror, frame), muted))
        return Lines([text], head=head), filler
    return TallRows(head, rows, 2, shown, lambda row: row.id), filler


# Where the room is ---------------------------------------------------------------------------------------------------


def _hosts_region(mirror: Mirror, frame: Frame, width: int) -> tuple[Region, ...]:
    """Compute hosts that answer, the most free CPU first: what is free is for the start of one backfilling server."""
    hosts = [host for host in mirror.hosts or () if host.kind == "compute" and mirror.is_host_known(host)]
    hosts = [host for host in hosts if host.state == "up"]
    # The list of hosts is not needed for the first paint, and this is part of it.
    from console.presentation import hosts as hosts_view

    # Only its words are about hosts too: what is said of a column is about those who lost something.
    words = " ".join(word for word in frame.filter.split() if filtering.is_word(word))
    known = hosts_view.columns(mirror, frame)
    hosts = list(filtering.matching(hosts, filtering.parse(words, known), known))
    hosts.sort(key=_most_free)
    glyphs, muted = frame.glyphs, Tone.MUTED
    bar_head = f"CPU {glyphs.normal}normal {glyphs.backfill}backfill {glyphs.free}free"
    head = compose(width, left(1, "HOSTS BY FREE CPU", muted), left(20, bar_head, muted), right(54, "NORMAL", muted),
                   right(62, "BACKF.", muted), right(70, "FREE", muted), right(79, "of GHz", muted),
                   right(86, "FREE", muted), right(91, "GiB", muted))  # fmt: skip
    if not hosts:
        return (Lines([compose(width, left(1, glyphs.ellipsis, muted))], head=head),)
    draw: Callable[[HostRecord], Line] = lambda host: host_row(mirror, frame, host, width)  # noqa: E731
    return (Rows(head, hosts, draw, lambda host: f"host:{host.name}"),)


def _most_free(host: HostRecord) -> tuple[int, int, str]:
    free = host.free or SizeRecord(0, 0)
    return (-free.cpu_mhz, -free.memory_bytes, host.name)


def host_row(mirror: Mirror, frame: Frame, host: HostRecord, width: int) -> Line:
    glyphs = frame.glyphs
    nothing = SizeRecord(0, 0)
    normal, backfill, capacity = host.normal or nothing, host.backfilling or nothing, host.capacity or nothing
    free, nominal = host.free or nothing, host.backfilling_nominal or backfill
    placed = [
        left(1, fit_name(host.name, 6, glyphs)),
        left(8, fit_name(host.cell, 10, glyphs)),
        at(20, figures.use_bar(normal.cpu_mhz, backfill.cpu_mhz, capacity.cpu_mhz, 28, glyphs)),
        right(54, figures.ghz(normal.cpu_mhz)),
        right(62, figures.ghz(backfill.cpu_mhz), Tone.BACKFILL if backfill.cpu_mhz else Tone.MUTED),
        right(70, figures.ghz(free.cpu_mhz)),
        right(79, figures.ghz(capacity.cpu_mhz), Tone.MUTED),
        right(86, figures.gib(free.memory_bytes)),
        right(91, figures.gib(capacity.memory_bytes), Tone.MUTED),
    ]
    if backfill.cpu_mhz < nominal.cpu_mhz:
        placed.append(left(56, "<", Tone.BACKFILL))
    return _as_known(mirror, compose(width, *placed))


def _capacity_region(mirror: Mirror, frame: Frame, width: int) -> Lines:
    """The cells by fill, with how much of what is free no single host can offer."""
    glyphs, muted = frame.glyphs, Tone.MUTED
    heat = glyphs.heat
    legend = f"by fill: {heat[0]}<25 % {heat[1]}<50 % {heat[2]}<75 % {heat[3]}<99.5 % {heat[4]}full {glyphs.lost}down"
    head = compose(width, left(1, "CELL", muted), left(9, legend, muted), right(77, "FREE GHz", muted),
                   right(86, "LARGEST", muted), right(93, "SPLIT", muted))  # fmt: skip
    lines, keys = [], []
    for cell in sorted(mirror.cells or (), key=lambda cell: cell.name):
        lines.append(_capacity_row(mirror, frame, cell, width))
        keys.append(cells_view.key_of(cell))
    text = "split: the part of a cell's free GHz that its best host cannot offer"
    return Lines([*lines, remark(frame, text, column=1, width=width)], [*keys, None], head)


def _capacity_row(mirror: Mirror, frame: Frame, cell: CellRecord, width: int) -> Line:
    glyphs = frame.glyphs
    look = figures.cell_state(cell, glyphs)
    known = cell.is_up and not mirror.is_offline
    hosts = [host for host in mirror.hosts or () if host.cell == cell.name and host.free is not None]
    free = sum(host.free.cpu_mhz for host in hosts if host.free is not None and host.state == "up")
    largest = cell.free.cpu_mhz if cell.free is not None else 0
    placed = [
        left(1, fit_name(cell.name, 7, glyphs), Tone.TEXT if known else Tone.UNKNOWN),
        left(9, look.glyph, look.tone),
        left(11, look.word, look.tone),
        at(18, cells_view.host_strip(mirror, frame, cell, 24)),
        at(43, cells_view.use(cell, 24, frame)),
    ]
    if not known or not hosts:
        placed += [right(last, glyphs.nobody_said, Tone.UNKNOWN) for last in (77, 86, 93)]
    else:
        placed += [right(77, figures.ghz_whole(free)), right(86, figures.ghz(largest))]
        share = figures.percent(1 - largest / free) + "%" if free else glyphs.nothing
        placed.append(right(93, share))
    return compose(width, *placed)


def status(mirror: Mirror, frame: Frame, key: str | None, *, has_strip: bool = False) -> Line:
    """What became of the server under the cursor; `has_strip`: its last hour too, which has no other place then."""
    server = mirror.servers.get(key) if key is not None else None
    if server is not None:
        text = f"{server.title}: {sentence(mirror, frame, server)}"
        room = min(STRIP_WIDTH, frame.width - cells(text) - STRIP_HEAD_WIDTH)
        if not has_strip or room < STRIP_WIDTH_MIN:
            return (Span(text, Tone.MUTED),)
        strip = shrinking.sparkline(shrinking.factors(mirror, server, frame, "cpu", room), frame)
        return (Span(f"{text}   CPU 1h ", Tone.MUTED), *strip)
    if key is not None and key.startswith("host:"):
        host = next((host for host in mirror.hosts or () if host.name == key.removeprefix("host:")), None)
        if host is not None and host.free is not None:
            servers = "" if host.servers is None else f", {host.servers} servers"
            text = f"{host.name}: {figures.ghz(host.free.cpu_mhz)} GHz and {figures.gib(host.free.memory_bytes)} GiB"
            return (Span(f"{text} free for one backfilling server{servers}", Tone.MUTED),)
    return (Span("what fits counts everybody at full size, also who is shrunk or waits", Tone.MUTED),)
