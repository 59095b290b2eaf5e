"""Who is covered: for each server how old its last good backup is, and may be; the worst first.

A server that no active schedule is for is uncovered, whatever backups there are of it. What a cell that does not answer
cannot be copied now is marked: its backups grow old until it is back.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from console.presentation import chosen, figures, filtering, sorting
from console.presentation.columns import Column, Kind, Table
from console.presentation.figures import StateLook
from console.presentation.layout import DrawnColumn, Layout, layout
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
    matched,
    remark,
)
from console.presentation.mirror import Mirror
from console.records_backups import Coverage, CoverageRecord

ORDERS = ("worst", "server", "age", "cell")
COVERED, UNCOVERED = "covered", "uncovered"


def view(mirror: Mirror, frame: Frame) -> View:
    """The servers that need looking after most, or those of the cell that `frame.scope` names."""
    found = mirror.protection.coverage
    known = columns(mirror, frame)
    shown = visible(mirror, frame)
    table = Table(known, shown, attrgetter("server_id"), lambda _row: not mirror.is_offline)
    drawn = _layout(mirror, frame)
    region: Region
    if shown and chosen.is_asked(table, frame, frame.width):
        region = chosen.region(table, frame, frame.width)
    elif shown:
        region = Rows(drawn.head, shown, drawn.line, table.key_of)
    else:
        region = Lines([remark(frame, _instead(found, frame))], head=drawn.head)
    return View(
        "coverage",
        ("cells", frame.scope, "coverage") if frame.scope else ("coverage",),
        _note(found, frame, shown, known),
        (region,),
        status=lambda key: status(mirror, frame, key),
        below=(_counts(found, frame),) if found is not None and frame.body_height > 8 else (),
        orders=ORDERS,
        table=table,
        heads={"STANDING": "worst", "LAST GOOD": "age"},
        problem=filtering.parse(frame.filter, known).problem,
    )


def columns(mirror: Mirror, frame: Frame) -> tuple[Column[CoverageRecord], ...]:
    """What a server's row is as values. They are told by the cloud itself, whether its cell answers or not."""
    return (
        Column("standing", lambda row: look(row).word, Kind.WORD, width=11, is_searched=True,
               words=("never", "late", "good"), draw=lambda row: chosen.state(look(row, frame.glyphs))),
        Column("server", lambda row: name_of(mirror, row), width=20, is_searched=True),
        Column("age", lambda row: figures.seconds_since(row.last_good_at, frame.now), Kind.SECONDS, "LAST GOOD", 9),
        Column("target", attrgetter("target_seconds"), Kind.SECONDS, width=7),
        Column("cell", lambda row: cell_of(mirror, row), width=8, is_searched=True),
        Column("covered", lambda row: COVERED if row.schedule_ids else UNCOVERED, Kind.WORD, width=10, is_searched=True,
               words=(COVERED, UNCOVERED)),
        Column("schedules", lambda row: _schedules(mirror, row), width=30, is_searched=True),
        Column("id", attrgetter("server_id"), Kind.ID, width=36, is_searched=True),
    )  # fmt: skip


# Which, and in what order ------------------------------------------------------------------------------------------


def visible(mirror: Mirror, frame: Frame) -> list[CoverageRecord]:
    """Those to show, in order. Of many servers only the worst are told, so a filter finds only among them."""
    found = mirror.protection.coverage
    known = columns(mirror, frame)
    in_scope = [row for row in (found.rows if found is not None else ()) if frame.scope in (None, cell_of(mirror, row))]
    rows = list(filtering.matching(in_scope, filtering.parse(frame.filter, known), known))
    column = sorting.column_of(frame, ORDERS, known)
    if column is not None:
        return sorting.ordered(rows, column, is_descending=frame.is_descending)
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
    """Those that run, then those that something switched off."""
    named = ((each, mirror.find_schedule(each)) for each in (*row.schedule_ids, *row.failed_ids))
    titles = ((each, each[:8] if schedule is None else schedule.title) for each, schedule in named)
    return ", ".join(f"{title} is off" if each in row.failed_ids else title for each, title in titles)


def _layout(mirror: Mirror, frame: Frame) -> Layout[CoverageRecord]:
    glyphs = frame.glyphs

    def tone(row: CoverageRecord) -> Tone:
        return Tone.UNKNOWN if mirror.is_offline or is_silent(mirror, row) else Tone.TEXT

    def standing(row: CoverageRecord, width: int) -> Line:
        shape = look(row, glyphs)
        own = Tone.UNKNOWN if mirror.is_offline else shape.tone
        return (Span(shape.glyph, own), Span(f" {shape.word}" if width > 1 else "", own))

    def name(row: CoverageRecord, width: int) -> Line:
        return matched(Span(fit_name(name_of(mirror, row), width, glyphs), tone(row)), frame.filter)

    def age(row: CoverageRecord, _width: int) -> Line:
        text = figures.age_since(row.last_good_at, frame.now)
        own = Tone.CRIT if row.standing in {"never", "late"} and not mirror.is_offline else tone(row)
        return (Span(text or "never", own),)

    def target(row: CoverageRecord, _width: int) -> Line:
        return (Span(glyphs.nothing if row.target_seconds is None else figures.age(row.target_seconds), Tone.MUTED),)

    def schedules(row: CoverageRecord, width: int) -> Line:
        if not row.schedule_ids:
            return (Span(fit_sentence(_schedules(mirror, row) or "none", width, glyphs), Tone.WARN),)
        return (Span(fit_sentence(_schedules(mirror, row), width, glyphs), tone(row)),)

    def cell(row: CoverageRecord, width: int) -> Line:
        sign = f"{glyphs.unknown} " if is_silent(mirror, row) else ""
        text = fit_name(cell_of(mirror, row) or glyphs.nobody_said, width - len(sign), glyphs)
        return (Span(sign + text, tone(row)),)

    return layout(
        [
            DrawnColumn("STANDING", 11, standing),
            DrawnColumn("SERVER", 14, name, width_most=30, gap=1),
            DrawnColumn("LAST GOOD", 9, age, 1, is_right=True),
            DrawnColumn("of", 6, target, 3, is_right=True, gap=1),
            DrawnColumn("CELL", 9, cell, 4, width_most=14),
            DrawnColumn("SCHEDULES", 12, schedules, 2, width_most=60),
        ],
        frame.width,
    )


# In words ------------------------------------------------------------------------------------------------------------


def sentence(mirror: Mirror, frame: Frame, row: CoverageRecord) -> str:
    covered = _schedules(mirror, row)
    parts = [
        f"covered by {covered}" if row.schedule_ids else f"no active schedule is for it{covered and ': '}{covered}"
    ]
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
        (f"{found.uncovered:,} in no schedule   last good:", Tone.WARN if found.uncovered else Tone.MUTED),
        (f"{found.never:,} never", Tone.CRIT if found.never else Tone.MUTED),
        (f"{found.late:,} late", Tone.CRIT if found.late else Tone.MUTED),
        (f"{found.untold:,} no target", Tone.MUTED),
        (f"{found.good:,} good", Tone.OK if found.good else Tone.MUTED),
    ]
    spans = [span for text, tone in parts for span in (Span(text, tone), Span("  "))]
    return compose(frame.width, (2, tuple(spans)))


def _among(found: Coverage) -> str:
    """Among whom one looks where not all servers were told; nothing where they were."""
    return f" among the {len(found.rows):,} worst of {found.total:,}" if len(found.rows) < found.total else ""


def _instead(found: Coverage | None, frame: Frame) -> str:
    if found is None:
        return frame.glyphs.ellipsis
    if frame.filter:
        return f"no servers match /{frame.filter}{_among(found)}   esc clears the filter"
    return "there are no servers" + (f" of {frame.scope}{_among(found)}" if frame.scope else "")


def _note(
    found: Coverage | None, frame: Frame, shown: Sequence[CoverageRecord], known: Sequence[Column[CoverageRecord]]
) -> str:
    """Of many servers only the worst are told; what is looked for and sorted is only among those."""
    if found is None:
        return frame.glyphs.nobody_said
    order = sorting.note_of(frame, ORDERS, known)
    is_narrowed = frame.filter or frame.scope or ""
    if not _among(found):
        return f"{order}   {filtering.number_of(len(shown), found.total, is_narrowed)}"
    if not is_narrowed:
        return f"{order}   the {len(shown):,} worst of {found.total:,}"
    return f"{order}   of {found.total:,}   {len(shown):,} of the {len(found.rows):,} worst"
