"""The next 24 hours: who runs in which hour, and where copies crowd.

A schedule's row has a sign for each hour in which it runs, heavier for more bytes; above them stand the hours of all of
them, with the most runs and bytes that copy at one instant, and of each cell. Hours begin where those of the zone do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from console.presentation import figures, filtering, sorting
from console.presentation.columns import Column, Kind, Table
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
    fit_name,
    left,
    matched,
    remark,
    right,
)
from console.presentation.mirror import Mirror
from console.records_backups import Calendar, DueRecord, HourRecord

ORDERS = ("first run", "schedule", "size", "runs")
LABEL_WIDTHS = ((160, 36), (120, 26), (80, 16), (60, 14), (0, 11))
"""From which width of the frame on names have how many cells."""
SIZE_FROM_WIDTH = 80
CELLS_FROM_HEIGHT = 20
HOUR_WIDTH_MOST = 5
COLLISION = 2
"""So many runs at once are a collision."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where the hours stand."""

    width: int
    label: int
    hour: int
    """Cells of each."""
    count: int

    def column(self, number: int) -> int:
        return 2 + self.label + 1 + number * self.hour

    @property
    def end(self) -> int:
        return self.column(self.count)


def view(mirror: Mirror, frame: Frame) -> View:
    """`frame.scope` names the zone; what is drawn names the one that it was made for."""
    calendar = mirror.protection.calendar
    known = columns(frame)
    shown = visible(mirror, frame)
    table = Table(known, shown, attrgetter("key"), lambda due: _is_known(mirror, due))
    problem = filtering.parse(frame.filter, known).problem
    if calendar is None or not calendar.hours:
        region = Lines([compose(frame.width, left(2, frame.glyphs.ellipsis, Tone.MUTED))])
        return View("calendar", ("calendar",), frame.glyphs.nobody_said, (region,), table=table, problem=problem)
    grid = _grid(frame, len(calendar.hours))
    regions: list[Region] = [_all_region(frame, calendar, grid)]
    if calendar.cells and frame.height >= CELLS_FROM_HEIGHT:
        regions.append(_cells_region(mirror, frame, calendar, grid))
    if frame.height >= CELLS_FROM_HEIGHT:
        regions.append(blank_region(frame.width))
    regions.append(_schedules_region(mirror, frame, calendar, grid, shown))
    return View(
        "calendar",
        ("calendar", calendar.time_zone),
        _note(calendar, frame, shown, known),
        tuple(regions),
        status=lambda key: status(mirror, frame, key),
        orders=ORDERS,
        table=table,
        heads={"GiB": "size"},
        problem=problem,
    )


def columns(frame: Frame) -> tuple[Column[DueRecord], ...]:
    """What a schedule's row is as values."""

    def first(due: DueRecord) -> float | None:
        return None if due.first_at is None else max(0.0, (due.first_at - frame.now).total_seconds())

    return (
        Column("schedule", attrgetter("title"), width=20, is_searched=True),
        Column("source", attrgetter("source_name"), width=16, is_searched=True),
        Column("cell", lambda due: " ".join(due.cells), width=12, is_searched=True),
        Column("zone", attrgetter("time_zone"), width=16),
        Column("first", first, Kind.SECONDS, "FIRST IN", 8),
        Column("runs", lambda due: sum(due.runs), Kind.COUNT, width=6),
        Column("size", attrgetter("size_bytes"), Kind.BYTES, "GiB", 8),
        Column("takes", attrgetter("seconds"), Kind.SECONDS, width=7),
        Column("id", attrgetter("schedule_id"), Kind.ID, width=36, is_searched=True),
    )


def _is_known(mirror: Mirror, due: DueRecord) -> bool:
    """Whether any cell answers in which it copies."""
    return not mirror.is_offline and any(map(mirror.is_cell_up, due.cells or ("",)))


def _grid(frame: Frame, count: int) -> _Grid:
    label = next(label for width, label in LABEL_WIDTHS if frame.width >= width)
    size = 8 if frame.width >= SIZE_FROM_WIDTH else 0
    hour = max(1, min(HOUR_WIDTH_MOST, (frame.width - 1 - 3 - label - size) // count))
    return _Grid(frame.width, label, hour, count)


def visible(mirror: Mirror, frame: Frame) -> list[DueRecord]:
    """Those to show, in order."""
    calendar = mirror.protection.calendar
    known = columns(frame)
    listed = [_with_name(mirror, each) for each in (calendar.schedules if calendar is not None else ())]
    found = list(filtering.matching(listed, filtering.parse(frame.filter, known), known))
    column = sorting.column_of(frame, ORDERS, known)
    if column is not None:
        return sorting.ordered(found, column, is_descending=frame.is_descending)
    match frame.sort:
        case "schedule":
            found.sort(key=lambda each: (each.title.casefold(), each.schedule_id))
        case "size":
            found.sort(key=lambda each: -(each.size_bytes or 0))
        case "runs":
            found.sort(key=lambda each: -sum(each.runs))
    return found[::-1] if frame.is_descending else found


def _with_name(mirror: Mirror, due: DueRecord) -> DueRecord:
    """One whose source does not answer was told by the beginning of its id: it keeps the name last known."""
    known = mirror.find_schedule(due.schedule_id) if due.schedule_id.startswith(due.title) else None
    return due if known is None else due._replace(title=known.title)


# Lines -------------------------------------------------------------------------------------------------------------


def _head(frame: Frame, calendar: Calendar, grid: _Grid, title: str, last: str = "") -> Line:
    """Hours of the zone's clock: as many as have room."""
    step = 1 if grid.hour >= 3 else 2 if grid.hour == 2 else 6
    placed: list[Placed] = [left(2, title, Tone.MUTED)]
    for number, hour in enumerate(calendar.hours):
        if number % step == 0:
            column = grid.column(number) + (grid.hour - 2 if grid.hour > 2 else 0)
            placed.append(left(column, local_hour(hour), Tone.MUTED))
    if last and frame.width >= SIZE_FROM_WIDTH:
        placed.append(right(grid.end + 7, last, Tone.MUTED))
    return compose(frame.width, *placed)


def local_hour(hour: HourRecord) -> str:
    """`22` of `2026-11-20T22:00:00+00:00`."""
    return hour.local[11:13]


def is_collision(hour: HourRecord) -> bool:
    return hour.runs_at_once >= COLLISION


def worst(hours: Sequence[HourRecord]) -> HourRecord | None:
    """The hour in which most bytes copy at once, where any runs collide."""
    colliding = [hour for hour in hours if is_collision(hour)]
    return max(colliding, key=lambda hour: (hour.bytes_at_once, hour.runs_at_once), default=None)


def _all_region(frame: Frame, calendar: Calendar, grid: _Grid) -> Lines:
    """Of all schedules together: what begins, and what copies at once. Collisions warn, and the worst one alarms."""
    peak, hours = worst(calendar.hours), calendar.hours

    def line(title: str, values: Sequence[int], *, is_at_once: bool) -> Line:
        placed: list[Placed] = [left(2, title, Tone.MUTED)]
        for number, (hour, value) in enumerate(zip(hours, values, strict=True)):
            tone = Tone.TEXT
            if is_at_once and is_collision(hour):
                tone = Tone.CRIT if hour is peak else Tone.WARN
            placed.append(left(grid.column(number), _figure(value, values, grid, frame.glyphs),
                               tone if value else Tone.MUTED))  # fmt: skip
        if frame.width >= SIZE_FROM_WIDTH:
            placed.append(right(grid.end + 7, figures.count(max(values)), Tone.MUTED))
        return compose(frame.width, *placed)

    lines = [line("at once", [hour.runs_at_once for hour in hours], is_at_once=True)]
    if frame.height >= CELLS_FROM_HEIGHT:
        lines.insert(0, line("runs", [hour.runs for hour in hours], is_at_once=False))
        gib = [round(hour.bytes_at_once / figures.GIB) for hour in hours]
        lines.append(line("GiB at once", gib, is_at_once=True))
    return Lines(lines, head=_head(frame, calendar, grid, "ALL", "MOST"))


def _figure(value: int, values: Sequence[int], grid: _Grid, glyphs: Glyphs) -> str:
    """A number at the right of its hour; where not all of them have room with a blank between, heat."""
    most = max(values)
    if not value:
        return glyphs.nothing.rjust(grid.hour)
    has_room = cells(figures.count(most)) < max(2, grid.hour)
    return (figures.count(value) if has_room else heat(value, most, glyphs)).rjust(grid.hour)


def _cells_region(mirror: Mirror, frame: Frame, calendar: Calendar, grid: _Grid) -> Lines:
    """Heat: the bytes that copy at once, against the worst hour of any cell."""
    most = max((hour.bytes_at_once for cell in calendar.cells for hour in cell.hours), default=0)
    lines, keys = [], []
    for cell in calendar.cells:
        is_up = mirror.is_cell_up(cell.name)
        name = fit_name(cell.name if is_up else f"{frame.glyphs.unknown} {cell.name}", grid.label, frame.glyphs)
        placed: list[Placed] = [left(2, name, Tone.TEXT if is_up else Tone.UNKNOWN)]
        for number, hour in enumerate(cell.hours):
            tone = Tone.WARN if is_collision(hour) else Tone.TEXT if hour.runs_at_once else Tone.MUTED
            sign = heat(hour.bytes_at_once, most, frame.glyphs) if hour.runs_at_once else frame.glyphs.nothing
            placed.append(left(grid.column(number), sign.rjust(grid.hour), tone if is_up else Tone.UNKNOWN))
        lines.append(compose(frame.width, *placed))
        keys.append(f"cell:{cell.name}")
    return Lines(lines, keys)


def heat(value: float, most: float, glyphs: Glyphs) -> str:
    """Something is at least the faintest sign of all but nothing."""
    share = value / most if most else 0.0
    return glyphs.heat[1 + min(3, int(share * 4))]


def _schedules_region(
    mirror: Mirror, frame: Frame, calendar: Calendar, grid: _Grid, shown: Sequence[DueRecord]
) -> Region:
    head = _head(frame, calendar, grid, "SCHEDULE", "GiB")
    if not shown:
        words = f"no schedules match /{frame.filter}" if frame.filter else "nothing runs in these hours"
        return Lines([remark(frame, words)], head=head)
    most = max((each.size_bytes or 0 for each in shown), default=0)
    crowded = [is_collision(hour) for hour in calendar.hours]

    def draw(due: DueRecord) -> Line:
        glyphs = frame.glyphs
        is_known = _is_known(mirror, due)
        own = Tone.TEXT if is_known else Tone.UNKNOWN
        name = Span(fit_name(due.title, grid.label, glyphs), own)
        placed: list[Placed] = [at(2, matched(name, frame.filter))]
        for number, runs in enumerate(due.runs):
            tone = (
                Tone.MUTED if not runs else Tone.UNKNOWN if not is_known else Tone.WARN if crowded[number] else Tone.OK
            )
            placed.append(left(grid.column(number), _sign(runs, due, most, glyphs).rjust(grid.hour), tone))
        if frame.width >= SIZE_FROM_WIDTH:
            size = glyphs.nobody_said if due.size_bytes is None else figures.gib(due.size_bytes)
            placed.append(right(grid.end + 7, size, own))
        return compose(frame.width, *placed)

    return Rows(head, shown, draw, lambda due: due.key)


def _tone(runs: int, *, is_known: bool, is_crowded: bool) -> Tone:
    if not runs:
        return Tone.MUTED
    if not is_known:
        return Tone.UNKNOWN
    return Tone.WARN if is_crowded else Tone.OK


def _sign(runs: int, due: DueRecord, most: int, glyphs: Glyphs) -> str:
    if not runs:
        return glyphs.nothing
    return glyphs.unknown if due.size_bytes is None else heat(due.size_bytes, most, glyphs)


# In words ------------------------------------------------------------------------------------------------------------


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    calendar = mirror.protection.calendar
    if calendar is None:
        return ()
    if frame.scope not in (None, calendar.time_zone):
        return (Span(f"no hours of {frame.scope} yet: is it a time zone, such as Europe/Berlin?", Tone.WARN),)
    due = next((_with_name(mirror, each) for each in calendar.schedules if each.key == key), None)
    if due is None:
        return (Span(crowding(calendar), Tone.MUTED),)
    silent = [cell for cell in due.silent_cells or due.cells if not mirror.is_cell_up(cell)]
    number = sum(due.runs)
    size = "nobody can tell how much" if due.size_bytes is None else f"{figures.gib(due.size_bytes)} GiB"
    parts = [f"{number} run{'s' if number != 1 else ''} of {size}, {figures.duration(due.seconds)} each"]
    if due.first_at is not None:
        wait = figures.countdown((due.first_at - frame.now).total_seconds())
        parts.append(f"the first at {due.first_at:%H:%M} UTC in {wait}")
    if silent:
        parts.append(f"{' and '.join(silent)} does not answer: they will be missed")
    return (Span(f"{due.title}: {'; '.join(parts)}", Tone.MUTED),)


def crowding(calendar: Calendar) -> str:
    """Where most copies at once."""
    peak = worst(calendar.hours)
    if peak is None:
        return "; ".join(["no two runs copy at once", *_left_out(calendar)])
    size = figures.gib(peak.bytes_at_once)
    zone = calendar.time_zone
    said = f"most at once: {peak.runs_at_once} runs, {size} GiB, in the hour of {local_hour(peak)}:00 {zone}"
    return "; ".join([said, *_left_out(calendar)])


def _left_out(calendar: Calendar) -> Iterable[str]:
    """What the figures are without."""
    unknown = sum(each.size_bytes is None for each in calendar.schedules)
    if unknown:
        yield f"without the GiB of {unknown} schedule{'s' if unknown != 1 else ''} of unknown size"
    missed = sum(hour.missed for hour in calendar.hours)
    if missed:
        yield f"without {missed} run{'s' if missed != 1 else ''} in cells that do not answer"


def _note(calendar: Calendar, frame: Frame, shown: Sequence[DueRecord], known: Sequence[Column[DueRecord]]) -> str:
    """Of very many schedules only the first to run are told, and only among those is looked for."""
    total = f"{frame.glyphs.at_least if calendar.is_cut else ''}{calendar.total:,}"
    listed = len(calendar.schedules)
    order = f"24 h   {sorting.note_of(frame, ORDERS, known)}"
    if listed == calendar.total and not calendar.is_cut:
        return f"{order}   {filtering.number_of(len(shown), listed, frame.filter)}"
    if not frame.filter:
        return f"{order}   {listed:,} of {total}"
    return f"{order}   of {total}   {len(shown):,} of the first {listed:,}"
