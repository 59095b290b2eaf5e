"""The hosts: a heat map with one glyph a host and a row a cell, and below it the same hosts as a list.

The map answers "how full, and where is it broken" at a glance; the list gives every host its layers in one bar with
the numbers beside it. Lost hosts come first in both, then maintenance. Figures of a cell that does not answer are kept
and are drawn as last known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

from console.presentation import chosen, figures, filtering, host_detail, sorting
from console.presentation.columns import Column, Kind, Table, Value
from console.presentation.lines import (
    Frame,
    Grid,
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
    compose,
    fit_name,
    fit_sentence,
    left,
    matched,
    remark,
    right,
)
from console.presentation.mirror import Mirror
from console.presentation.sentences import offline_sentence
from console.records import UNKNOWN, HostRecord, SizeRecord

LIST_WIDTH = 80
PANE_FROM_WIDTH = 160
WIDE_FROM_WIDTH = 120
MAP_COLUMN = 17
"""Where the glyphs of a cell begin, as on the overview."""
KIND_GAP = 2
"""Blank columns between a cell's compute hosts and its storage hosts."""


def view(mirror: Mirror, frame: Frame) -> View:
    """All hosts, or those of the cell that `frame.scope` names, filtered and sorted as the frame says."""
    pane = frame.width - LIST_WIDTH if frame.width >= PANE_FROM_WIDTH and frame.has_pane else 0
    width = frame.width - pane
    in_scope = [host for host in mirror.hosts or () if frame.scope in (None, host.cell)]
    known = columns(mirror, frame)
    query = filtering.parse(frame.filter, known)
    shown = filtering.matching(in_scope, query, known)
    ordered = _ordered(mirror, frame, shown, known)
    regions: tuple[Region, ...]
    table = Table(known, ordered, key_of, lambda host: mirror.is_host_known(host) and not mirror.is_offline)
    if shown:
        rows = Rows(_head(frame, width), ordered, lambda host: row(mirror, frame, host, width), key_of)
        if chosen.is_asked(table, frame, width):
            rows = chosen.region(table, frame, width)
        regions = (_map(mirror, frame, shown, width), blank_region(width), rows)
    else:
        regions = (Lines([remark(frame, _instead(mirror, frame), width=width)], head=_head(frame, width)),)
    order = sorting.order_of(frame, ORDERS, known)
    number = filtering.number_of(len(shown), len(in_scope), frame.filter)
    return View(
        "hosts",
        ("cells", frame.scope, "hosts") if frame.scope else ("hosts",),
        frame.glyphs.nobody_said
        if mirror.hosts is None
        else f"sort {order}{' down' if frame.is_descending else ''}   {number}",
        regions,
        status=lambda key: status(mirror, frame, key),
        preview=(lambda key: host_detail.pane(mirror, key, frame, pane)) if pane else None,
        pane_width=pane,
        orders=tuple(ORDERS),
        table=table,
        heads={
            "HOST": "name",
            "GHz of": "cpu",
            "of GHz": "cpu",
            "GiB of": "memory",
            "FREE": "free",
            "N": "servers",
            "BACKF.": "backfilling",
        },
        problem=query.problem,
    )


def key_of(host: HostRecord) -> str:
    return f"host:{host.name}"


def columns(mirror: Mirror, frame: Frame) -> tuple[Column[HostRecord], ...]:
    """What a host's row is as values. Figures of one that does not answer are only last known."""
    is_known = mirror.is_host_known

    def current(name: str, kind: Kind, last: Callable[[HostRecord], Value], head: str) -> Column[HostRecord]:
        return Column(name, lambda host: last(host) if is_known(host) else None, kind, head, 9, last=last)

    return (
        Column("state", lambda host: host.state if is_known(host) else UNKNOWN, Kind.WORD, width=12, is_searched=True,
               words=("up", "down", "maintenance", UNKNOWN)),
        Column("name", attrgetter("name"), head="HOST", width=14, is_searched=True, is_lasting=True),
        Column("cell", attrgetter("cell"), width=10, is_searched=True, is_lasting=True),
        Column("kind", attrgetter("kind"), Kind.WORD, width=8, is_searched=True, is_lasting=True,
               words=("compute", "storage")),
        current("fill", Kind.SHARE, figures.host_fill, "FILL"),
        current("free", Kind.CPU, lambda host: host.free and host.free.cpu_mhz, "FREE GHz"),
        current("free-memory", Kind.BYTES, lambda host: host.free and host.free.memory_bytes, "FREE GiB"),
        current("cpu", Kind.CPU, lambda host: host.capacity and host.capacity.cpu_mhz, "CPU GHz"),
        current("memory", Kind.BYTES, lambda host: host.capacity and host.capacity.memory_bytes, "MEM GiB"),
        current("normal", Kind.CPU, lambda host: host.normal and host.normal.cpu_mhz, "NORM GHz"),
        current("backfilling", Kind.CPU, lambda host: host.backfilling and host.backfilling.cpu_mhz, "BACK GHz"),
        current("storage", Kind.BYTES, attrgetter("storage_bytes"), "DISK GiB"),
        current("used", Kind.BYTES, attrgetter("used_bytes"), "USED GiB"),
        current("servers", Kind.COUNT, attrgetter("servers"), "SERVERS"),
        current("drives", Kind.COUNT, attrgetter("drives"), "DRIVES"),
        Column("since", lambda host: figures.seconds_since(host.state_since, frame.now), Kind.SECONDS, "SINCE", 7,
               is_lasting=True),
    )  # fmt: skip


def _instead(mirror: Mirror, frame: Frame) -> str:
    if mirror.hosts is None:
        return frame.glyphs.ellipsis
    if frame.filter:
        return f"no hosts match /{frame.filter}   esc clears the filter"
    return f"no hosts in {frame.scope}   esc goes back" if frame.scope else "this cloud has no hosts"


# In which order -------------------------------------------------------------------------------------------------


def _free(host: HostRecord) -> float | None:
    """What is left: MHz of a compute host for the start of one backfilling server, bytes of a storage host.

    Nothing is on a host that is not up.
    """
    if host.state != "up":
        return 0
    if host.kind == "storage":
        left_bytes = (host.storage_bytes or 0) - (host.used_bytes or 0)
        return -left_bytes
    return None if host.free is None else -host.free.cpu_mhz


ORDERS: Mapping[str, sorting.SortKey] = {
    "state": lambda host: figures.host_state(host).rank,
    "name": lambda host: host.name,
    "fill": lambda host: -figures.host_fill(host),
    "free": _free,
    "servers": lambda host: -(host.servers or 0),
    "drives": lambda host: -(host.drives or 0),
    "since": lambda host: None if host.state_since is None else -host.state_since.timestamp(),
    "cell": lambda host: host.cell,
}


def _ordered(
    mirror: Mirror, frame: Frame, shown: Sequence[HostRecord], known: Sequence[Column[HostRecord]]
) -> Sequence[HostRecord]:
    """Worst first unless another order was chosen; what is only last known comes last, except by state and name."""
    order = sorting.order_of(frame, ORDERS, known)
    sort_key = sorting.key_of(order, ORDERS, known)
    by_name = sorted(shown, key=lambda host: (host.kind == "storage", host.cell, host.name))
    if order == "state":
        rows = sorted(by_name, key=lambda host: _worst_first(mirror, host))
        return list(reversed(rows)) if frame.is_descending else rows
    is_told = {"name", "cell"}
    told: list[HostRecord] = []
    others: list[HostRecord] = []
    for host in by_name:
        key = sort_key(host) if order in is_told or mirror.is_host_known(host) else None
        (others if key is None else told).append(host)
    told.sort(key=sort_key, reverse=frame.is_descending)
    return [*told, *others]


def _worst_first(mirror: Mirror, host: HostRecord) -> int:
    """Down, then those of silent cells, then maintenance, then up."""
    if not mirror.is_host_known(host):
        return 1
    return {"down": 0, "maintenance": 2}.get(host.state, 3)


# The map --------------------------------------------------------------------------------------------------------


def _map(mirror: Mirror, frame: Frame, shown: Sequence[HostRecord], width: int) -> Region:
    """A row a cell, its compute hosts and then its storage hosts, each kind fullest first; long rows go on below."""
    by_cell: dict[str, list[HostRecord]] = defaultdict(list)
    for host in shown:
        by_cell[host.cell].append(host)
    start = MAP_COLUMN if width >= 60 else 10
    room = max(1, width - 2 - start)
    widest = max(sum(host.kind == "compute" for host in hosts) for hosts in by_cell.values())
    for each in mirror.cells or ():
        if not frame.filter and frame.scope in (None, each.name):
            # Hosts that were never listed, as of a cell that never answered: it has a row all the same.
            by_cell.setdefault(each.name, [])
    storage_start = start + (widest + KIND_GAP if widest else 0)
    lines: list[tuple[str | None, list[tuple[int, HostRecord]]]] = []
    for cell in sorted(by_cell):
        compute = figures.by_fill(by_cell[cell], "compute")
        storage = figures.by_fill(by_cell[cell], "storage")
        if storage_start + len(storage) <= start + room:
            # Storage hosts stand below each other in a block of their own.
            row = [*_columns(compute, start), *_columns(storage, storage_start)]
            lines.append((cell, row))
            continue
        title: str | None = cell
        for hosts in (compute, storage):
            for first in range(0, len(hosts), room):
                lines.append((title, _columns(hosts[first : first + room], start)))
                title = None
    return Grid(
        _map_head(frame, width, start, storage_start if storage_start <= width - 10 else None),
        [row for _, row in lines],
        lambda index: _map_row(mirror, frame, *lines[index], width),
        key_of,
    )


def _columns(hosts: Sequence[HostRecord], start: int) -> list[tuple[int, HostRecord]]:
    return [(start + place, host) for place, host in enumerate(hosts)]


def _map_head(frame: Frame, width: int, start: int, storage_start: int | None) -> Line:
    muted = Tone.MUTED
    placed = [left(2, "CELL", muted)]
    if width < 60:
        return compose(width, *placed, left(start, "HOSTS BY FILL", muted))
    heat = frame.glyphs.heat
    legend = f"{heat[0]}<25 {heat[1]}<50 {heat[2]}<75 {heat[3]}<99.5 % {heat[4]}full"
    edge = width - 2
    placed += [left(10, "STATE", muted)]
    has_room = storage_start is not None and storage_start + 9 < edge - len(legend)
    if storage_start == start:
        placed.append(left(start, "STORAGE BY FILL", muted))
    elif storage_start is not None:
        short = storage_start - KIND_GAP - start < len("COMPUTE BY FILL")
        placed.append(left(start, "COMPUTE" if short else "COMPUTE BY FILL", muted))
        if storage_start >= start + len("COMPUTE") + 1:
            placed.append(left(storage_start, "STORAGE", muted))
    else:
        placed.append(left(start, "HOSTS BY FILL", muted))
    if has_room:
        placed.append(right(edge, legend, muted))
    return compose(width, *placed)


def _map_row(
    mirror: Mirror, frame: Frame, cell_name: str | None, row: Sequence[tuple[int, HostRecord]], width: int
) -> Line:
    glyphs = frame.glyphs
    placed: list[Placed] = []
    cell = None if cell_name is None else mirror.cell(cell_name)
    if cell_name is not None:
        known = mirror.is_cell_up(cell_name) and not mirror.is_offline
        placed.append(left(2, fit_name(cell_name, 7, glyphs), Tone.TEXT if known else Tone.UNKNOWN))
    if cell is not None and width >= 60:
        look = figures.cell_state(cell, glyphs)
        placed += [left(10, look.glyph, look.tone), left(12, look.word, look.tone)]
    for column, host in row:
        sign = figures.host_glyph(host, glyphs)
        placed.append(left(column, sign, _sign_tone(mirror, host)))
    if not row:
        placed.append(left(MAP_COLUMN if width >= 60 else 10, glyphs.nobody_said, Tone.UNKNOWN))
    return compose(width, *placed)


def _sign_tone(mirror: Mirror, host: HostRecord) -> Tone:
    if not mirror.is_host_known(host) or mirror.is_offline:
        return Tone.UNKNOWN
    return {"down": Tone.CRIT, "maintenance": Tone.WARN}.get(host.state, Tone.TEXT)


# The list -------------------------------------------------------------------------------------------------------


def _head(frame: Frame, width: int) -> Line | None:
    muted, glyphs = Tone.MUTED, frame.glyphs
    if width < 60:
        return None
    placed = [left(2, "STATE", muted), left(12, "HOST", muted)]
    if width < LIST_WIDTH:
        placed += [left(22, f"{glyphs.normal}normal {glyphs.backfill}bf", muted)]
        return compose(width, *placed, right(48, "GHz, GiB of", muted), right(58, "SINCE", muted))
    placed.append(left(21, "CELL", muted))
    if width < WIDE_FROM_WIDTH:
        placed += [left(28, f"{glyphs.normal}norm {glyphs.backfill}backf", muted), right(52, "GHz of", muted),
                   right(65, "GiB of", muted), right(70, "N", muted)]  # fmt: skip
        return compose(width, *placed, right(78, "SINCE", muted))
    placed += [left(28, f"CPU {glyphs.normal}normal {glyphs.backfill}backf.", muted), right(55, "NORMAL", muted),
               right(62, "BACKF.", muted), right(69, "FREE", muted), right(77, "of GHz", muted),
               left(80, "MEMORY, DRIVES", muted), right(106, "GiB of", muted)]  # fmt: skip
    return compose(width, *placed, right(111, "N", muted), right(118, "SINCE", muted))


def row(mirror: Mirror, frame: Frame, host: HostRecord, width: int) -> Line:
    """One host on one line of `width` cells. N counts its servers, or its drives."""
    glyphs = frame.glyphs
    is_known = mirror.is_host_known(host) and not mirror.is_offline
    tone = Tone.TEXT if is_known else Tone.UNKNOWN
    glyph, word, letter, look_tone = host_detail.look(mirror, frame, host)
    name = Span(fit_name(host.name, 8, glyphs), tone, is_bold=key_of(host) in frame.marks)
    shown = matched(name, frame.filter)
    age = host_detail.age(mirror, frame, host)
    is_storage = host.kind == "storage"
    cpu = "" if is_storage else _of(_cpu(host.normal, host.backfilling), _cpu(host.capacity), figures.ghz)
    memory = _of(*_bytes(host), figures.gib)
    write = figures.or_dash if is_known else figures.last_known
    if width < 60:
        figure = memory if is_storage else cpu
        placed = [left(1, glyph, look_tone), left(2, letter, look_tone), at(4, shown)]
        placed += [right(width - 10, write(figure, glyphs), tone), right(width - 2, age, tone)]
        return compose(width, *placed)
    placed = [left(2, glyph, look_tone), left(4, word, look_tone), at(12, shown)]
    if width < LIST_WIDTH:
        figure = memory if is_storage else cpu
        bar = host_detail.bar(host, 12, glyphs, is_memory=is_storage, is_known=is_known)
        placed += [at(22, bar), right(48, write(figure, glyphs), tone), right(58, age, tone)]
        return compose(width, *placed)
    number = host.drives if is_storage else host.servers
    count = write(None if number is None else figures.count(number), glyphs)
    placed.append(left(21, fit_name(host.cell, 6, glyphs), tone))
    if width < WIDE_FROM_WIDTH:
        bar = host_detail.bar(host, 12, glyphs, is_memory=is_storage, is_known=is_known)
        placed += [at(28, bar), right(65, write(memory, glyphs), tone), right(70, count, tone), right(78, age, tone)]
        if not is_storage:
            placed.append(right(52, write(cpu, glyphs), tone))
        return compose(width, *placed)
    if not is_storage:
        placed.append(at(28, host_detail.bar(host, 20, glyphs, is_memory=False, is_known=is_known)))
        placed += _layers(host, frame, tone, is_known=is_known)
    placed += [
        at(80, host_detail.bar(host, 14, glyphs, is_memory=True, is_known=is_known)),
        right(106, write(memory, glyphs), tone),
        right(111, count, tone),
        right(118, age, tone),
    ]
    return compose(width, *placed)


def _layers(host: HostRecord, frame: Frame, tone: Tone, *, is_known: bool) -> list[Placed]:
    """The CPU of each layer: normal, backfilling as it is now, free for a start, and the whole."""
    write = figures.or_dash if is_known else figures.last_known
    placed = []
    for last, size, own in (
        (55, host.normal, tone),
        (62, host.backfilling, Tone.BACKFILL if is_known else tone),
        (69, host.free, tone),
        (77, host.capacity, Tone.MUTED if is_known else tone),
    ):
        text = None if size is None else figures.ghz(size.cpu_mhz)
        placed.append(right(last, write(text, frame.glyphs), own))
    return placed


def _cpu(*sizes: SizeRecord | None) -> int | None:
    total = figures.added(*sizes)
    return None if total is None else total.cpu_mhz


def _bytes(host: HostRecord) -> tuple[int | None, int | None]:
    """Used and whole: memory of a compute host, room for drives of a storage host."""
    if host.kind == "storage":
        return host.used_bytes, host.storage_bytes
    used = figures.added(host.normal, host.backfilling)
    return None if used is None else used.memory_bytes, None if host.capacity is None else host.capacity.memory_bytes


def _of(used: int | None, whole: int | None, write: Callable[[float], str]) -> str | None:
    return None if used is None or whole is None else f"{write(used)}/{write(whole)}"


# The status row ---------------------------------------------------------------------------------------------------


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    """The host under the cursor, named; the map has no other place for its name."""
    if mirror.is_offline:
        return (Span(offline_sentence(mirror, frame), Tone.CRIT),)
    host = host_detail.find(mirror, key)
    if host is None:
        return ()
    text = fit_sentence(host_detail.sentence(mirror, frame, host), frame.width - 4 - len(host.name), frame.glyphs)
    return (Span(f"{host.name}: {text}", Tone.MUTED),)
