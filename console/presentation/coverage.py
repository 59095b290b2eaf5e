"""Who is covered: for each server how old its last good backup is, and may be; the worst first.

A server that no active schedule is for is uncovered, whatever backups there are of it. What a cell that does not answer
cannot be copied now is marked: its backups grow old until it is back.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from console.presentation import figures, filtering, sorting
from console.presentation.columns import Column as ValueColumn
from console.presentation.columns import Kind, Table
from console.presentation.figures import StateLook
from console.presentation.layout import Column, Layout, layout
from console.presentation.lines import (
    UNICODE,
    Frame,
    Glyphs,
    Line,
    Lines,
    Region,
    Rows,
    Span,
    Tone,
    View,
    compose,
    fit_name,
    fit_sentence,
    left,
    matched,
)
from console.presentation.mirror import Mirror
from console.records_backups import Coverage, CoverageRecord

ORDERS = ("worst", "server", "age", "cell")
UNCOVERED = "uncovered"


def view(mirror: Mirror, frame: Frame) -> View:
    """The servers that need looking after most, or those of the cell that `frame.scope` names."""
    found = mirror.protection.coverage
    shown = visible(mirror, frame)
    table = _table(mirror, frame)
    region: Region
    if shown:
        region = Rows(table.head, shown, table.line, lambda row: row.server_id)
    else:
        region = Lines([compose(frame.width, left(2, _instead(found, frame), Tone.MUTED))], head=table.head)
    return View(
        "coverage",
        ("cells", frame.scope, "coverage") if frame.scope else ("coverage",),
        _note(found, frame, shown),
        (region,),
        status=lambda key: status(mirror, frame, key),
        below=(_counts(found, frame),) if found is not None and frame.body_height > 8 else (),
        orders=ORDERS,
        table=Table(columns(mirror, frame), shown, attrgetter("server_id")),
        problem=filtering.parse(frame.filter, columns(mirror, frame)).problem,
    )


def columns(mirror: Mirror, frame: Frame) -> tuple[ValueColumn[CoverageRecord], ...]:
    """What the row of a server is as values."""
    return (
        ValueColumn("server", lambda row: name_of(mirror, row), is_searched=True),
        ValueColumn("standing", lambda row: look(row).word, Kind.WORD, is_searched=True),
        ValueColumn("covered", lambda row: "covered" if row.schedule_ids else UNCOVERED, Kind.WORD, is_searched=True,
                    words=("covered", UNCOVERED)),
        ValueColumn("age", lambda row: figures.seconds_since(row.last_good_at, frame.now), Kind.SECONDS),
        ValueColumn("target", attrgetter("target_seconds"), Kind.SECONDS),
        ValueColumn("cell", lambda row: cell_of(mirror, row), is_searched=True),
        ValueColumn("schedules", lambda row: _schedules(mirror, row), is_searched=True),
        ValueColumn("id", attrgetter("server_id"), Kind.ID, is_searched=True),
    )  # fmt: skip


# Which, and in what order ------------------------------------------------------------------------------------------


def visible(mirror: Mirror, frame: Frame) -> list[CoverageRecord]:
    """Those to show, in order. Of many servers only the worst are told, so a filter finds only among them."""
    found = mirror.protection.coverage
    known = columns(mirror, frame)
    in_scope = [row for row in (found.rows if found is not None else ()) if frame.scope in (None, cell_of(mirror, row))]
    rows = list(filtering.matching(in_scope, filtering.parse(frame.filter, known), known))
    if frame.sort not in ORDERS and frame.sort:
        return list(sorting.as_asked(rows, frame, known))
    match frame.sort:
        case "server":
            rows.sort(key=lambda row: (name_of(mirror, row).casefold(), row.server_id))
        case "age":
            rows.sort(key=lambda row: "" if row.last_good_at is None else row.last_good_at.isoformat())
        case "cell":
            rows.sort(key=lambda row: cell_of(mirror, row) or "")
    return rows[::-1] if frame.is_descending else rows


# What is said of one -----------------------------------------------------------------------------------------------


def name_of(mirror: Mirror, row: CoverageRecord) -> str:
    """Its name, also where only the console still knows it."""
    return row.name or mirror.name_of(row.server_id) or row.server_id[:8]


def cell_of(mirror: Mirror, row: CoverageRecord) -> str | None:
    server = mirror.servers.get(row.server_id)
    return None if server is None else server.cell


def is_silent(mirror: Mirror, row: CoverageRecord) -> bool:
    """Whether its cell does not answer, so that no copy can be made now."""
    cell = cell_of(mirror, row)
    return cell is not None and not mirror.is_cell_up(cell)


def look(row: CoverageRecord, glyphs: Glyphs = UNICODE) -> StateLook:
    match row.standing:
        case "never":
            return StateLook(glyphs.lost, "never", Tone.CRIT, "X", 0)
        case "late":
            return StateLook(glyphs.attention, "late", Tone.CRIT, "L", 1)
        case "untold":
            return StateLook(glyphs.stopped, "no target", Tone.MUTED, "N", 2)
        case "good":
            return StateLook(glyphs.running, "good", Tone.OK, "R", 3)
        case other:
            return StateLook(glyphs.unknown, other[:9], Tone.UNKNOWN, "U", 1)


def _schedules(mirror: Mirror, row: CoverageRecord) -> str:
    named = (mirror.find_schedule(each) for each in row.schedule_ids)
    return ", ".join(
        each[:8] if schedule is None else schedule.title for each, schedule in zip(row.schedule_ids, named, strict=True)
    )


def _table(mirror: Mirror, frame: Frame) -> Layout[CoverageRecord]:
    glyphs = frame.glyphs
    wanted = frame.filter

    def tone(row: CoverageRecord) -> Tone:
        return Tone.UNKNOWN if mirror.is_offline or is_silent(mirror, row) else Tone.TEXT

    def standing(row: CoverageRecord, width: int) -> Line:
        shape = look(row, glyphs)
        own = Tone.UNKNOWN if mirror.is_offline else shape.tone
        return (Span(shape.glyph, own), Span(f" {shape.word}" if width > 1 else "", own))

    def name(row: CoverageRecord, width: int) -> Line:
        return matched(Span(fit_name(name_of(mirror, row), width, glyphs), tone(row)), wanted)

    def age(row: CoverageRecord, _width: int) -> Line:
        text = figures.age_since(row.last_good_at, frame.now)
        own = Tone.CRIT if row.standing in {"never", "late"} and not mirror.is_offline else tone(row)
        return (Span(text or "never", own),)

    def target(row: CoverageRecord, _width: int) -> Line:
        return (Span(glyphs.nothing if row.target_seconds is None else figures.age(row.target_seconds), Tone.MUTED),)

    def schedules(row: CoverageRecord, width: int) -> Line:
        if not row.schedule_ids:
            return (Span("none", Tone.WARN),)
        return (Span(fit_sentence(_schedules(mirror, row), width, glyphs), tone(row)),)

    def cell(row: CoverageRecord, width: int) -> Line:
        sign = f"{glyphs.unknown} " if is_silent(mirror, row) else ""
        text = fit_name(cell_of(mirror, row) or glyphs.nobody_said, width - len(sign), glyphs)
        return (Span(sign + text, tone(row)),)

    return layout(
        [
            Column("STANDING", 11, standing),
            Column("SERVER", 14, name, width_most=30, gap=1),
            Column("LAST GOOD", 9, age, 1, is_right=True),
            Column("of", 6, target, 3, is_right=True, gap=1),
            Column("CELL", 9, cell, 4, width_most=14),
            Column("SCHEDULES", 12, schedules, 2, width_most=60),
        ],
        frame.width,
    )


# In words ------------------------------------------------------------------------------------------------------------


def sentence(mirror: Mirror, frame: Frame, row: CoverageRecord) -> str:
    covered = _schedules(mirror, row)
    parts = [f"covered by {covered}" if covered else "no active schedule is for it"]
    if row.last_good_at is None:
        parts.append("it was never backed up")
    else:
        parts.append(f"its last good backup is from {figures.instant(row.last_good_at, frame.now)}")
    if is_silent(mirror, row):
        parts.append(f"{cell_of(mirror, row)} does not answer, so none can be taken now")
    return "; ".join(parts)


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    found = mirror.protection.coverage
    row = next((each for each in (found.rows if found is not None else ()) if each.server_id == key), None)
    if row is None:
        return ()
    return (Span(f"{name_of(mirror, row)}: {sentence(mirror, frame, row)}", Tone.MUTED),)


def _counts(found: Coverage, frame: Frame) -> Line:
    parts = [
        (f"{found.uncovered:,} uncovered", Tone.WARN if found.uncovered else Tone.MUTED),
        (f"{found.never:,} never", Tone.CRIT if found.never else Tone.MUTED),
        (f"{found.late:,} late", Tone.CRIT if found.late else Tone.MUTED),
        (f"{found.untold:,} no target", Tone.MUTED),
        (f"{found.good:,} good", Tone.OK if found.good else Tone.MUTED),
    ]
    spans = [span for text, tone in parts for span in (Span(text, tone), Span("  "))]
    return compose(frame.width, (2, tuple(spans)))


def _instead(found: Coverage | None, frame: Frame) -> str:
    if found is None:
        return frame.glyphs.ellipsis
    if frame.filter:
        return f"no servers match /{frame.filter}   esc clears the filter"
    return "there are no servers" + (f" of {frame.scope} among the worst" if frame.scope else "")


def _note(found: Coverage | None, frame: Frame, shown: Sequence[CoverageRecord]) -> str:
    order = frame.sort or ORDERS[0]
    if found is None:
        return frame.glyphs.nobody_said
    number = f"{len(shown):,} of {found.total:,}" if len(shown) != found.total else f"{found.total:,}"
    return f"sort {order}{' down' if frame.is_descending else ''}   {number}"
