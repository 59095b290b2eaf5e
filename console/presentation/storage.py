"""What each project holds of its quota, and what that comes to when its schedules just run.

The bar is drives, backups, and what its schedules add until as many backups go as come; the mark is the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from console.presentation import chosen, figures, filtering, sorting
from console.presentation.columns import Column, Kind, Table
from console.presentation.layout import DrawnColumn, Layout, layout
from console.presentation.lines import (
    Frame,
    Glyphs,
    Line,
    Lines,
    Region,
    Rows,
    Span,
    Tone,
    View,
    fit_name,
    matched,
    remark,
)
from console.presentation.mirror import Mirror
from console.records_backups import StorageRecord

ORDERS = ("full first", "project", "used", "backups", "growth")
SOON_SECONDS = 30 * figures.DAY


def view(mirror: Mirror, frame: Frame) -> View:
    found = mirror.protection.storage
    known = columns(frame)
    shown = visible(mirror, frame)
    table = Table(known, shown, attrgetter("key"), lambda _row: not mirror.is_offline)
    drawn = _layout(mirror, frame)
    region: Region
    if shown and chosen.is_asked(table, frame, frame.width):
        region = chosen.region(table, frame, frame.width)
    elif shown:
        region = Rows(drawn.head, shown, drawn.line, table.key_of)
    else:
        region = Lines([remark(frame, _instead(mirror, frame))], head=drawn.head)
    number = filtering.number_of(len(shown), None if found is None else len(found.projects), frame.filter, frame.glyphs)
    return View(
        "storage",
        ("storage",),
        f"{sorting.note_of(frame, ORDERS, known)}   {number}",
        (region,),
        status=lambda key: status(mirror, frame, key),
        below=(_legend(frame),) if frame.body_height > 8 and frame.width >= 60 else (),
        orders=ORDERS,
        table=table,
        heads={"USE": "used", "USED": "share", "GiB": "used", "FULL IN": "full"},
        problem=filtering.parse(frame.filter, known).problem,
    )


def columns(frame: Frame) -> tuple[Column[StorageRecord], ...]:
    """What a project's row is as values. What grows without end has no size that it grows to, and a trend."""

    def full(project: StorageRecord) -> float | None:
        if is_full(project):
            return 0.0
        return None if project.full_at is None else max(0.0, (project.full_at - frame.now).total_seconds())

    return (
        Column("project", attrgetter("name"), width=16, is_searched=True),
        Column("share", lambda each: _share(each) if each.limit_bytes else None, Kind.SHARE, "USED", 6),
        Column("used", attrgetter("used_bytes"), Kind.BYTES, "USED GiB", 8),
        Column("quota", attrgetter("limit_bytes"), Kind.BYTES, "QUOTA GiB", 9),
        Column("backups", attrgetter("backup_bytes"), Kind.BYTES, width=8),
        Column("to", attrgetter("steady_bytes"), Kind.BYTES, "GROWS TO", 8),
        Column("trend", trend, Kind.WORD, width=8, is_searched=True, words=("endless", "grows", "steady")),
        Column("day", attrgetter("bytes_per_day"), Kind.BYTES, "A DAY", 6),
        Column("full", full, Kind.SECONDS, "FULL IN", 7),
        Column("schedules", attrgetter("schedules"), Kind.COUNT, width=9),
        Column("unmeasured", attrgetter("unmeasured"), Kind.COUNT, width=10),
        Column("id", attrgetter("project_id"), Kind.ID, width=36, is_searched=True),
    )


def trend(project: StorageRecord) -> str:
    """Whether it grows when its schedules just run."""
    if project.steady_bytes is None:
        return "endless"
    return "grows" if project.steady_bytes > project.used_bytes else "steady"


def visible(mirror: Mirror, frame: Frame) -> list[StorageRecord]:
    """Those to show, in order: first what is full first, then what uses most of its quota."""
    found = mirror.protection.storage
    known = columns(frame)
    rows = list(filtering.matching(found.projects if found else (), filtering.parse(frame.filter, known), known))
    rows.sort(key=lambda each: (each.name.casefold(), each.project_id))
    column = sorting.column_of(frame, ORDERS, known)
    if column is not None:
        return sorting.ordered(rows, column, is_descending=frame.is_descending)
    match frame.sort:
        case "project":
            pass
        case "used":
            rows.sort(key=lambda each: -each.used_bytes)
        case "backups":
            rows.sort(key=lambda each: -(each.backup_bytes or 0))
        case "growth":
            rows.sort(key=lambda each: -each.bytes_per_day)
        case _:
            rows.sort(key=lambda each: (each.full_at is None, str(each.full_at), -_share(each)))
    return rows[::-1] if frame.is_descending else rows


def _share(project: StorageRecord) -> float:
    return project.used_bytes / project.limit_bytes if project.limit_bytes else 0.0


def is_full(project: StorageRecord) -> bool:
    return project.limit_bytes is not None and project.used_bytes >= project.limit_bytes


def full_in(frame: Frame, project: StorageRecord) -> tuple[str, Tone]:
    """How long the quota lasts."""
    if is_full(project):
        return "full", Tone.CRIT
    if project.full_at is None:
        return ("never" if project.limit_bytes is not None else frame.glyphs.nothing), Tone.MUTED
    seconds = (project.full_at - frame.now).total_seconds()
    return figures.age(
        seconds
    ), Tone.CRIT if seconds < figures.DAY else Tone.WARN if seconds < SOON_SECONDS else Tone.TEXT


def gauge(project: StorageRecord, width: int, glyphs: Glyphs) -> Line:
    """Drives, backups, what is still to come, and free; the limit is a mark where more than it is to come."""
    if not project.limit_bytes:
        return (Span("no quota", Tone.MUTED),)
    backups = project.backup_bytes or 0
    grown = max(0, (project.steady_bytes or project.used_bytes) - project.used_bytes)
    limit = project.limit_bytes
    whole = max(limit, project.used_bytes + grown, 1)
    widths = figures.bar_widths((project.used_bytes - backups, backups, grown), whole, width)
    signs = (glyphs.normal, glyphs.heat[3], glyphs.heat[1], glyphs.free)
    tones = (Tone.TEXT, Tone.OK, Tone.WARN if project.used_bytes + grown > limit else Tone.MUTED, Tone.MUTED)
    spans = [Span(sign * size, tone) for sign, size, tone in zip(signs, widths, tones, strict=True) if size]
    mark = round(limit / whole * width)
    if mark >= width:
        return tuple(spans)
    return _marked(spans, mark, glyphs)


def _marked(spans: Sequence[Span], mark: int, glyphs: Glyphs) -> Line:
    """The bar with the limit drawn over it."""
    marked: list[Span] = []
    for span in spans:
        before, span_text = mark, span.text
        if 0 <= before < len(span_text):
            marked += [
                Span(span_text[:before], span.tone),
                Span(glyphs.floor, Tone.CRIT),
                Span(span_text[before + 1 :], span.tone),
            ]
        else:
            marked.append(span)
        mark -= len(span_text)
    return tuple(span for span in marked if span.text)


def _layout(mirror: Mirror, frame: Frame) -> Layout[StorageRecord]:
    glyphs = frame.glyphs
    tone = Tone.UNKNOWN if mirror.is_offline else Tone.TEXT

    def amount(size_bytes: int | None) -> Line:
        return (Span(glyphs.nobody_said if size_bytes is None else figures.gib(size_bytes), tone),)

    def limit(project: StorageRecord, _width: int) -> Line:
        return (Span(glyphs.nothing, Tone.MUTED),) if project.limit_bytes is None else amount(project.limit_bytes)

    def steady(project: StorageRecord, _width: int) -> Line:
        if project.steady_bytes is None:
            return (Span(glyphs.endless, Tone.WARN),)
        is_over = project.limit_bytes is not None and project.steady_bytes > project.limit_bytes
        return (Span(figures.gib(project.steady_bytes), Tone.WARN if is_over else tone),)

    def share(project: StorageRecord, _width: int) -> Line:
        if not project.limit_bytes:
            return (Span(glyphs.nothing, Tone.MUTED),)
        return (Span(f"{figures.percent(_share(project))}%", Tone.CRIT if is_full(project) else tone),)

    return layout(
        [
            DrawnColumn(
                "PROJECT",
                12,
                lambda project, width: matched(Span(fit_name(project.name, width, glyphs), tone), frame.filter),
                width_most=16,
            ),
            DrawnColumn("USE", 10, lambda project, width: gauge(project, width, glyphs), 3, width_most=50),
            DrawnColumn("USED", 4, share, 2, is_right=True),
            DrawnColumn("GiB", 7, lambda project, _: amount(project.used_bytes), 4, is_right=True),
            DrawnColumn("of", 7, limit, 4, is_right=True, gap=1),
            DrawnColumn("BACKUPS", 7, lambda project, _: amount(project.backup_bytes), 6, is_right=True),
            DrawnColumn("GROWS TO", 8, steady, 5, is_right=True),
            DrawnColumn("A DAY", 6, lambda project, _: amount(project.bytes_per_day), 7, is_right=True),
            DrawnColumn("FULL IN", 7, lambda project, _: (Span(*full_in(frame, project)),), is_right=True),
            DrawnColumn("SCHEDULES", 9, lambda project, _: (Span(str(project.schedules), tone),), 8, is_right=True),
        ],
        frame.width,
    )


def _legend(frame: Frame) -> Line:
    glyphs = frame.glyphs
    text = (
        f"{glyphs.normal} drives  {glyphs.heat[3]} backups  {glyphs.heat[1]} still to come"
        f"  {glyphs.free} free  {glyphs.floor} quota   GiB"
    )
    return remark(frame, text)


def sentence(frame: Frame, project: StorageRecord) -> str:
    """What it comes to."""
    number = project.schedules
    parts = [f"{number} schedule{'s' if number != 1 else ''}"]
    if project.steady_bytes is None:
        parts.append("at least one keeps every backup, so it never stops growing")
    elif project.steady_bytes > project.used_bytes:
        parts.append(f"it grows to {figures.gib(project.steady_bytes)} GiB at most, then as many backups go as come")
    else:
        parts.append("it grows no more: as many backups go as come")
    if project.limit_bytes is None:
        parts.append("it has no quota")
    elif is_full(project):
        parts.append("its quota is full: a run that needs more switches its schedule off")
    elif project.refused is not None:
        refused = project.refused
        parts.insert(
            0,
            f"the run of {refused.title} on {figures.instant(refused.at, frame.now)} is the first to be refused:"
            f" it needs {figures.gib(refused.needs_bytes)} GiB, {figures.gib(refused.left_bytes)} are left then",
        )
    elif project.full_at is not None:
        parts.append(f"its quota is full on {figures.instant(project.full_at, frame.now)}")
    if project.unmeasured:
        parts.append(f"{project.unmeasured} not counted: nothing to copy yet")
    return "; ".join(parts)


def find(mirror: Mirror, project_id: str | None) -> StorageRecord | None:
    found = mirror.protection.storage
    return next((each for each in (found.projects if found else ()) if each.project_id == project_id), None)


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    project = None if key is None else find(mirror, key.removeprefix("project:"))
    return () if project is None else (Span(f"{project.name}: {sentence(frame, project)}", Tone.MUTED),)


def _instead(mirror: Mirror, frame: Frame) -> str:
    if mirror.protection.storage is None:
        return frame.glyphs.ellipsis
    return f"no projects match /{frame.filter}   esc clears the filter" if frame.filter else "there are no projects"
