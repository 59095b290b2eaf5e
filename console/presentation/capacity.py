"""Where the room is: what fits now, overall and by cell, and a heat map with the layers of every compute host.

The map has three rows for each cell: normal servers, backfilling ones at the size that they have now, and what is free
for the start of one. A column is a host, the fullest first; where the hosts are more than the columns, neighbours share
one. `split` is fragmentation: the part of what is free in a cell that its best host cannot offer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter

from console.presentation import figures, filtering, sorting
from console.presentation.columns import Column, Kind, Table, Value
from console.presentation.lines import (
    Frame,
    Grid,
    Line,
    Lines,
    Placed,
    Region,
    Span,
    Tone,
    View,
    at,
    blank_region,
    compose,
    fit_name,
    left,
    remark,
    right,
)
from console.presentation.mirror import Mirror
from console.presentation.sentences import offline_sentence
from console.records import CapacityRecord, CellRecord, HostRecord, SizeRecord

BY_MEMORY = "memory"
"""The mode in which the map is of memory; else it is of CPU."""

LAYERS = ("normal", "backfill", "free")
_TONES = {"normal": Tone.TEXT, "backfill": Tone.BACKFILL, "free": Tone.OK}
_LIMITS = (0.0, 0.25, 0.5, 0.75)
"""A share above as many of these has the glyph of that place in the ramp."""
MAP_COLUMN = 25
NUMBERS_WIDTH = 24
NARROW = 60
DOUBLE_FROM_WIDTH = 100
"""From here on each host has two columns, where all fit."""


def view(mirror: Mirror, frame: Frame) -> View:
    measure = "memory" if BY_MEMORY in frame.modes else "CPU"
    known = columns(mirror)
    query = filtering.parse(frame.filter, known)
    in_scope = sorted((cell for cell in mirror.cells or () if frame.scope in (None, cell.name)), key=attrgetter("name"))
    cells = sorting.as_asked(filtering.matching(in_scope, query, known), frame, known)
    order = sorting.said(frame, "", known)
    number = filtering.number_of(len(cells), len(in_scope), frame.filter)
    regions: tuple[Region, ...] = (
        _fits_region(mirror, frame, cells),
        blank_region(frame.width),
        _map(mirror, frame, cells),
    )
    return View(
        "capacity",
        ("cells", frame.scope, "capacity") if frame.scope else ("capacity",),
        frame.glyphs.nobody_said
        if mirror.cells is None
        else "   ".join(each for each in (measure, order, number) if each),
        regions,
        status=lambda key: status(mirror, frame, key),
        table=Table(known, cells, lambda cell: f"cell:{cell.name}", lambda cell: _is_known(mirror, cell)),
        problem=query.problem,
    )


def _is_known(mirror: Mirror, cell: CellRecord) -> bool:
    return cell.is_up and not mirror.is_offline


def columns(mirror: Mirror) -> tuple[Column[CellRecord], ...]:
    """What the room of a cell is as values. What fits is asked of a cell that answers; of another, nobody knows."""
    hosts_by_cell = cache(lambda: _hosts_by_cell(mirror))

    def fits(field: str, part: str) -> Callable[[CellRecord], Value]:
        def value(cell: CellRecord) -> Value:
            found = _fitting(mirror, cell)
            size: SizeRecord | None = None if found is None else getattr(found, field)
            told: Value = None if size is None else getattr(size, part)
            return told

        return value

    def of_hosts(name: str, kind: Kind, head: str, last: Callable[[Sequence[HostRecord]], Value]) -> Column[CellRecord]:
        def known_last(cell: CellRecord) -> Value:
            hosts = hosts_by_cell().get(cell.name)
            return last(hosts) if hosts else None

        return Column(name, lambda cell: known_last(cell) if cell.is_up else None, kind, head, 9, last=known_last)

    def free(hosts: Sequence[HostRecord], *, is_memory: bool) -> int:
        return sum(layer_amount(host, "free", is_memory=is_memory) for host in hosts)

    cpu, memory = "cpu_mhz", "memory_bytes"
    return (
        Column("name", attrgetter("name"), head="CELL", width=12, is_searched=True, is_lasting=True),
        Column("state", attrgetter("state"), Kind.WORD, width=8, is_searched=True, words=("up", "down", "hung"),
               is_lasting=True),
        Column("normal", fits("others_stop", cpu), Kind.CPU, "NORMAL GHz"),
        Column("normal-memory", fits("others_stop", memory), Kind.BYTES, "NORMAL GiB"),
        Column("no-stop", fits("others_shrink", cpu), Kind.CPU, "NO STOP GHz"),
        Column("no-stop-memory", fits("others_shrink", memory), Kind.BYTES, "NO STOP GiB"),
        Column("backfill", fits("most_free_by_cpu", cpu), Kind.CPU, "BACKF. GHz"),
        Column("backfill-memory", fits("most_free_by_cpu", memory), Kind.BYTES, "BACKF. GiB"),
        Column("most-memory", fits("most_free_by_memory", memory), Kind.BYTES, "BY MEM. GiB"),
        of_hosts("hosts", Kind.COUNT, "HOSTS", len),
        of_hosts("free", Kind.CPU, "FREE GHz", lambda hosts: free(hosts, is_memory=False)),
        of_hosts("free-memory", Kind.BYTES, "FREE GiB", lambda hosts: free(hosts, is_memory=True)),
        of_hosts("split", Kind.SHARE, "SPLIT", lambda hosts: fragmentation(hosts, is_memory=False)),
        of_hosts("split-memory", Kind.SHARE, "SPLIT MEM", lambda hosts: fragmentation(hosts, is_memory=True)),
    )  # fmt: skip


def _fitting(mirror: Mirror, cell: CellRecord) -> CapacityRecord | None:
    """What was told to fit now in a cell that answers."""
    return None if mirror.capacity is None or not cell.is_up else mirror.capacity.by_cell.get(cell.name)


def _hosts_by_cell(mirror: Mirror) -> Mapping[str, Sequence[HostRecord]]:
    """The compute hosts of each cell that has any, the fullest first."""
    found: dict[str, list[HostRecord]] = defaultdict(list)
    for host in figures.by_fill(mirror.hosts or ()):
        found[host.cell].append(host)
    return found


# What fits ----------------------------------------------------------------------------------------------------------

_QUESTIONS = (
    ("NORMAL", "others_stop", Tone.WARN),
    ("NO STOP", "others_shrink", Tone.TEXT),
    ("BACKF.", "most_free_by_cpu", Tone.BACKFILL),
    ("BY MEM.", "most_free_by_memory", Tone.BACKFILL),
)
"""What is asked of the cloud, by the name of its answer."""


def _questions(width: int) -> tuple[tuple[str, str, Tone], ...]:
    if width < NARROW:
        return (_QUESTIONS[0], _QUESTIONS[2])
    return _QUESTIONS[:3] if width < 104 else _QUESTIONS


def _fits_region(mirror: Mirror, frame: Frame, cells: Sequence[CellRecord]) -> Lines:
    """Creating and starting exactly a server of one of these sizes succeeds while nothing else changes."""
    width, muted = frame.width, Tone.MUTED
    step, start = (23, 10) if width >= 80 else (17, 9) if width >= NARROW else (14, 9)
    head: list[Placed] = [left(1, "FITS NOW" if width >= NARROW else "FITS", muted)]
    for place, (words, _, tone) in enumerate(_questions(width)):
        column = start + step * place
        if step >= 23:
            head += [right(column + 5, "GHz", muted), right(column + 11, "GiB", muted), left(column + 14, words, tone)]
        else:
            head.append(right(column + 11, words, tone))
    lines: list[Line] = []
    keys: list[str | None] = []
    if frame.scope is None:
        words = "overall" if width >= NARROW else "all"
        lines.append(_fits_line(mirror, frame, words, mirror.capacity, (start, step)))
        keys.append(None)
    for cell in cells:
        lines.append(_fits_line(mirror, frame, cell.name, _fitting(mirror, cell), (start, step)))
        keys.append(f"cell:{cell.name}")
    return Lines(lines, keys, compose(width, *head))


def _fits_line(mirror: Mirror, frame: Frame, name: str, found: CapacityRecord | None, columns: tuple[int, int]) -> Line:
    start, step = columns
    width, glyphs = frame.width, frame.glyphs
    known = found is not None and not mirror.is_offline
    placed: list[Placed] = [left(1, fit_name(name, start - 3, glyphs), Tone.TEXT if known else Tone.UNKNOWN)]
    for place, (_, field, _tone) in enumerate(_questions(width)):
        column = start + step * place
        size: SizeRecord | None = None if found is None else getattr(found, field)
        placed += _amounts(frame, size, column, step, is_known=known)
    return compose(width, *placed)


def _amounts(frame: Frame, size: SizeRecord | None, column: int, step: int, *, is_known: bool) -> list[Placed]:
    """GHz and GiB with their host; what nobody said as such, and no room at all as a dot."""
    glyphs = frame.glyphs
    if size is None:
        dash = glyphs.nobody_said
        return [right(column + 5, dash, Tone.UNKNOWN), right(column + 11, dash, Tone.UNKNOWN)]
    if not size.cpu_mhz or not size.memory_bytes:
        return [right(column + 5, glyphs.nothing, Tone.MUTED), right(column + 11, glyphs.nothing, Tone.MUTED)]
    tone = Tone.TEXT if is_known else Tone.UNKNOWN
    write = figures.or_dash if is_known else figures.last_known
    placed = [right(column + 5, write(figures.ghz(size.cpu_mhz), glyphs), tone),
              right(column + 11, write(figures.gib(size.memory_bytes), glyphs), tone)]  # fmt: skip
    if step >= 23:
        placed.append(left(column + 14, fit_name(size.host or "", 8, glyphs), Tone.MUTED))
    return placed


# The map ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Block:
    """One glyph of the map: a host, or neighbours that share a column."""

    hosts: tuple[HostRecord, ...]

    @property
    def key(self) -> str:
        return f"host:{self.hosts[0].name}"

    @property
    def state(self) -> str:
        return self.hosts[0].state


def blocks(hosts: Sequence[HostRecord], room: int) -> list[Block]:
    """The hosts in as many blocks as fit. What is lost or in maintenance never shares a glyph with what is up."""
    alone = [host for host in hosts if host.state != "up"]
    others = [host for host in hosts if host.state == "up"]
    for_others = max(1, room - len(alone)) if others else 0
    return [*_shared(alone, max(1, room - for_others)), *_shared(others, for_others)]


def _shared(hosts: Sequence[HostRecord], room: int) -> list[Block]:
    size = max(1, -(-len(hosts) // room)) if hosts else 1
    return [Block(tuple(hosts[first : first + size])) for first in range(0, len(hosts), size)]


def amount(size: SizeRecord | None, *, is_memory: bool) -> int:
    return 0 if size is None else size.memory_bytes if is_memory else size.cpu_mhz


def layer_amount(host: HostRecord, layer: str, *, is_memory: bool) -> int:
    """MHz or bytes that one layer of a host takes. Nothing is free on a host that is not up."""
    match layer:
        case "normal":
            return amount(host.normal, is_memory=is_memory)
        case "backfill":
            return amount(host.backfilling, is_memory=is_memory)
        case _:
            return amount(host.free, is_memory=is_memory) if host.state == "up" else 0


def _share(hosts: Sequence[HostRecord], layer: str, *, is_memory: bool) -> float:
    whole = sum(amount(host.capacity, is_memory=is_memory) for host in hosts)
    part = sum(layer_amount(host, layer, is_memory=is_memory) for host in hosts)
    return part / whole if whole else 0.0


def _sign(frame: Frame, block: Block, layer: str, *, is_memory: bool) -> str:
    glyphs = frame.glyphs
    if block.state == "down":
        return glyphs.lost
    if block.state == "maintenance":
        return glyphs.maintenance
    share = _share(block.hosts, layer, is_memory=is_memory)
    return glyphs.heat[sum(share > limit for limit in _LIMITS)]


def fragmentation(hosts: Sequence[HostRecord], *, is_memory: bool) -> float | None:
    """The part of what is free on these hosts that the best of them cannot offer; None where nothing is."""
    free = [layer_amount(host, "free", is_memory=is_memory) for host in hosts]
    total = sum(free)
    return 1 - max(free) / total if total else None


@dataclass(frozen=True, slots=True)
class _MapLine:
    cell: CellRecord
    layer: str
    blocks: tuple[Block, ...]
    hosts: tuple[HostRecord, ...]
    scale: int
    """Columns for each block."""


def _map(mirror: Mirror, frame: Frame, cells: Sequence[CellRecord]) -> Region:
    width = frame.width
    start = MAP_COLUMN if width >= NARROW else 10
    room = max(1, width - start - (NUMBERS_WIDTH if width >= NARROW else 2))
    by_cell = _hosts_by_cell(mirror)
    widest = max((len(by_cell.get(cell.name, ())) for cell in cells), default=0)
    scale = 2 if width >= DOUBLE_FROM_WIDTH and widest * 2 <= room else 1
    lines: list[_MapLine] = []
    for cell in cells:
        hosts = by_cell.get(cell.name, ())
        shown = tuple(blocks(hosts, room))
        layers = LAYERS if width >= NARROW else LAYERS[:2]
        lines += [_MapLine(cell, layer, shown, tuple(hosts), scale) for layer in layers]
    edge = min(
        width - 2, start + max([len(_legend(frame)), *(len(line.blocks) * scale for line in lines)]) + NUMBERS_WIDTH
    )
    if not cells:
        words = f"no cells match /{frame.filter}   esc clears the filter" if frame.filter else frame.glyphs.ellipsis
        return Lines([remark(frame, words, width=width)], head=_map_head(frame, start, edge))
    # The cursor stops at the first layer of a cell; the others show the same hosts.
    rows = [
        [(start + place * scale, block) for place, block in enumerate(line.blocks)] if line.layer == LAYERS[0] else []
        for line in lines
    ]
    return Grid(
        _map_head(frame, start, edge),
        rows,
        lambda index: _map_line(mirror, frame, lines[index], (start, edge)),
        lambda block: block.key,
    )


def _legend(frame: Frame) -> str:
    heat = frame.glyphs.heat
    return f"{heat[0]}none {heat[1]}to 25 {heat[2]}50 {heat[3]}75 % {heat[4]}more"


def _map_head(frame: Frame, start: int, edge: int) -> Line:
    width, muted = frame.width, Tone.MUTED
    is_memory = BY_MEMORY in frame.modes
    if width < NARROW:
        return compose(width, left(1, "CELL", muted), left(start, "MEMORY" if is_memory else "CPU", muted))
    unit = "GiB" if is_memory else "GHz"
    heads = [left(1, "CELL", muted), left(9, "STATE", muted), left(16, "LAYER", muted)]
    numbers = [right(edge - 13, unit, muted), right(edge - 7, "%", muted), right(edge, "SPLIT", muted)]
    return compose(width, *heads, left(start, _legend(frame)[: max(0, edge - start - 18)], muted), *numbers)


def _map_line(mirror: Mirror, frame: Frame, line: _MapLine, columns: tuple[int, int]) -> Line:
    start, edge = columns
    width, glyphs, cell = frame.width, frame.glyphs, line.cell
    is_memory = BY_MEMORY in frame.modes
    is_first = line.layer == LAYERS[0]
    is_known = _is_known(mirror, cell)
    tone = _TONES[line.layer] if is_known else Tone.UNKNOWN
    placed: list[Placed] = []
    if is_first:
        placed.append(left(1, fit_name(cell.name, 7, glyphs), Tone.TEXT if is_known else Tone.UNKNOWN))
        if width >= NARROW:
            look = figures.cell_state(cell, glyphs)
            placed += [left(9, look.glyph, look.tone), left(11, look.word, look.tone)]
    if not line.hosts:
        return compose(width, *placed, left(start, glyphs.nobody_said, Tone.UNKNOWN))
    placed.append(at(start, _signs(frame, line, tone, is_known=is_known, is_memory=is_memory)))
    if width < NARROW:
        return compose(width, *placed)
    placed.append(left(16, line.layer, tone))
    part = sum(layer_amount(host, line.layer, is_memory=is_memory) for host in line.hosts)
    number = figures.gib(part) if is_memory else figures.ghz_whole(part)
    share = figures.percent(_share(line.hosts, line.layer, is_memory=is_memory))
    write = (lambda text: text) if is_known else (lambda text: figures.last_known(text, glyphs))
    placed += [right(edge - 13, write(number), tone), right(edge - 7, write(share), tone)]
    if line.layer == "free" and is_known:
        split = fragmentation(line.hosts, is_memory=is_memory)
        text = glyphs.nothing if split is None else f"{figures.percent(split)}%"
        placed.append(right(edge, text, Tone.MUTED if split is None else Tone.TEXT))
    return compose(width, *placed)


def _signs(frame: Frame, line: _MapLine, tone: Tone, *, is_known: bool, is_memory: bool) -> Line:
    spans: list[Span] = []
    for block in line.blocks:
        sign = _sign(frame, block, line.layer, is_memory=is_memory) * line.scale
        own = {"down": Tone.CRIT, "maintenance": Tone.WARN}.get(block.state, tone) if is_known else tone
        if spans and spans[-1].tone is own:
            spans[-1] = Span(spans[-1].text + sign, own)
        else:
            spans.append(Span(sign, own))
    return tuple(spans)


# The status row ------------------------------------------------------------------------------------------------------


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    """The host under the cursor with its layers; of a column of several, the first of them."""
    if mirror.is_offline:
        return (Span(offline_sentence(mirror, frame), Tone.CRIT),)
    name = (key or "").removeprefix("host:") if (key or "").startswith("host:") else None
    host = next((each for each in mirror.hosts or () if each.name == name), None)
    if host is not None:
        is_memory = BY_MEMORY in frame.modes
        write, unit = (figures.gib, "GiB") if is_memory else (figures.ghz, "GHz")
        parts = [f"{layer} {write(layer_amount(host, layer, is_memory=is_memory))}" for layer in LAYERS]
        whole = write(amount(host.capacity, is_memory=is_memory))
        return (Span(f"{host.name}: {', '.join(parts)} of {whole} {unit}", Tone.MUTED),)
    if key is not None and key.startswith("cell:"):
        return (Span("W asks what if; creating and starting exactly one of these sizes succeeds", Tone.MUTED),)
    return (Span("each size starts now, one server of it; W asks about several", Tone.MUTED),)
