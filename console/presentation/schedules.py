"""Schedules: what has run, what runs next and when, what is kept, and how old the last good backup is.

A missed run is not a failed one: what could not be reached is owed, what failed switches its schedule off.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

from console.presentation import chosen, figures, filtering, sorting
from console.presentation.columns import Column, Kind, Table
from console.presentation.facts import Fact, fact, instant_and_age, pane_lines
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
    at,
    blank,
    cells,
    compose,
    fit_name,
    fit_sentence,
    left,
    matched,
    remark,
    right,
    ruled,
    span_width,
)
from console.presentation.mirror import Mirror
from console.records_backups import FireRecord, SchedulePreviewRecord, ScheduleRecord

ORDERS = ("next run", "worst", "schedule", "source", "cron", "zone", "last run", "kept", "age", "drill")
_OWN_ORDERS = ("next run", "worst", "last run", "age", "drill")
"""Those that are not the orders of the columns with their names."""
_STATES = ("on", "new", "off", "failed", "late", "owes", "waits", "drill", "silent")
"""`off` is what somebody switched off, `failed` what a failure did."""
_CHANGING = frozenset({"worst", "state", "reason"})
"""Orders that change with the time."""
RIBBON = 10
CRON_WIDTH_MOST = 24
ROWS_MEASURED = 1_000
"""How many of the first rows say how wide their crons are."""
PANE_FROM_WIDTH, PANE_WIDTH = 160, 59
DAYS_SHOWN = 14
FIRES_IN_COLUMN = 5


def view(mirror: Mirror, frame: Frame) -> View:
    """All schedules, or those of servers of the cell that `frame.scope` names."""
    known = columns(mirror, frame)
    shown = visible(mirror, frame)
    table = Table(known, shown, attrgetter("key"), lambda _row: not mirror.is_offline)
    pane = PANE_WIDTH if frame.width >= PANE_FROM_WIDTH and frame.has_pane else 0
    width = frame.width - pane
    drawn = _layout(mirror, frame._replace(width=width), shown)
    region: Region
    if shown and chosen.is_asked(table, frame, width):
        region = chosen.region(table, frame, width)
    elif shown:
        region = Rows(drawn.head, shown, drawn.line, table.key_of)
    else:
        region = Lines([remark(frame, _instead(mirror, frame), width=width)], head=drawn.head)
    return View(
        "schedules",
        ("cells", frame.scope, "schedules") if frame.scope else ("schedules",),
        _note(mirror, frame, shown),
        (region,),
        status=lambda key: status(mirror, frame, key),
        preview=(lambda key: preview(mirror, frame, key, pane)) if pane or _has_room_below(frame) else None,
        pane_width=pane,
        orders=ORDERS,
        table=table,
        heads={"NEXT IN": "next run", f"LAST {RIBBON}": "last run"},
        problem=filtering.parse(frame.filter, known).problem,
    )


def columns(mirror: Mirror, frame: Frame) -> tuple[Column[ScheduleRecord], ...]:
    """What a schedule's row is as values. A limit that is 0 is none."""

    def until(schedule: ScheduleRecord) -> float | None:
        at = schedule.next_trigger_at if schedule.is_active else None
        return None if at is None else max(0.0, (at - frame.now).total_seconds())

    return (
        Column("state", lambda each: look(mirror, frame, each).word, Kind.WORD, width=8, is_searched=True,
               words=_STATES, draw=lambda each: chosen.state(look(mirror, frame, each, frame.glyphs))),
        Column("schedule", attrgetter("title"), width=20, is_searched=True),
        Column("source", lambda each: source(mirror, each), width=16, is_searched=True),
        Column("cell", lambda each: _cell(mirror, each), width=8, is_searched=True),
        Column("cron", attrgetter("cron"), width=14, is_searched=True),
        Column("zone", attrgetter("time_zone"), width=16, is_searched=True),
        Column("next", until, Kind.SECONDS, "NEXT IN", 7),
        Column("ran", lambda each: figures.seconds_since(each.last_run_at, frame.now), Kind.SECONDS, "LAST RUN", 8),
        Column("age", lambda each: figures.seconds_since(each.last_good_at, frame.now), Kind.SECONDS, width=7),
        Column("target", attrgetter("target_seconds"), Kind.SECONDS, width=7),
        Column("kept", attrgetter("backups"), Kind.COUNT, width=6),
        Column("most", lambda each: each.backups_max or None, Kind.COUNT, width=6),
        Column("days", lambda each: each.retention_days or None, Kind.COUNT, width=6),
        Column("drill", lambda each: figures.seconds_since(each.drilled_at, frame.now), Kind.SECONDS, width=7,
               draw=lambda each: drill(each, frame.glyphs)),
        Column("reason", lambda each: trouble(mirror, frame, each), Kind.SENTENCE, "WHY", width=40, is_searched=True),
        Column("id", attrgetter("id"), Kind.ID, width=36, is_searched=True),
    )  # fmt: skip


# Which, and in what order ------------------------------------------------------------------------------------------


def known(mirror: Mirror) -> Sequence[ScheduleRecord]:
    """All that are known; the status has told some of them since their list was read."""
    listed = mirror.protection.schedules
    told = {each.id: each for each in mirror.schedules or ()}
    rows = [told.get(each.id, each) for each in listed.rows] if listed is not None else list(told.values())
    return [mirror.with_name(each) for each in rows]


def visible(mirror: Mirror, frame: Frame) -> list[ScheduleRecord]:
    """Those to show, in order."""
    # Each second asks again; most orders change only with the schedules, and there may be very many of those.
    now = frame.now if frame.filter or frame.sort in _CHANGING else None
    question = (mirror.schedules, mirror.is_complete, frame.scope, frame.filter, frame.sort, frame.is_descending, now)
    return mirror.protection.remembered(question, lambda: _visible(mirror, frame))


def _visible(mirror: Mirror, frame: Frame) -> list[ScheduleRecord]:
    columns_known = columns(mirror, frame)
    in_scope = [each for each in known(mirror) if frame.scope in (None, _cell(mirror, each))]
    found = filtering.matching(in_scope, filtering.parse(frame.filter, columns_known), columns_known)
    by_name = sorted(found, key=lambda each: (each.title.casefold(), each.id))
    column = sorting.column_of(frame, _OWN_ORDERS, columns_known)
    if column is not None:
        return sorting.ordered(by_name, column, is_descending=frame.is_descending)
    return _ordered(mirror, frame, by_name)


def _ordered(mirror: Mirror, frame: Frame, by_name: list[ScheduleRecord]) -> list[ScheduleRecord]:
    """What nobody said comes last, whichever way the order goes."""
    keys = [(_sort_key(mirror, frame, each), each) for each in by_name]
    said = sorted(((key, each) for key, each in keys if key is not None), key=lambda pair: pair[0])
    if frame.is_descending:
        said.reverse()
    return [each for _, each in said] + [each for key, each in keys if key is None]


def _sort_key(mirror: Mirror, frame: Frame, schedule: ScheduleRecord) -> float | None:
    match frame.sort:
        case "worst":
            return look(mirror, frame, schedule).rank
        case "last run":
            return _instant_key(schedule.last_run_at)
        case "age":
            return _instant_key(schedule.last_good_at)
        case "drill":
            return _instant_key(schedule.drilled_at)
        case _:
            return _instant_key(schedule.next_trigger_at)


def _instant_key(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


# What is said of one -----------------------------------------------------------------------------------------------


def source(mirror: Mirror, schedule: ScheduleRecord) -> str:
    """What it copies: a name, also where only the console still knows it."""
    name = schedule.source_name or mirror.name_of(schedule.server_id or schedule.source_id) or schedule.source_id[:8]
    return name if schedule.source_kind == "server" else f"{schedule.source_kind} {name}"


def _cell(mirror: Mirror, schedule: ScheduleRecord) -> str | None:
    """Where its source is; None of one that is more than a server."""
    server = mirror.servers.get(schedule.server_id or "")
    return None if server is None else server.cell


def silent_cell(mirror: Mirror, schedule: ScheduleRecord) -> str | None:
    """The cell of its source, while that does not answer; of more than a server, the first such."""
    own = _cell(mirror, schedule)
    silent = (cell for cell in (own, *schedule.silent_cells) if cell is not None and not mirror.is_cell_up(cell))
    return next(silent, None)


def is_late(frame: Frame, schedule: ScheduleRecord) -> bool:
    """Whether its last good backup is older than it may be. Of one without any, its own age counts."""
    if schedule.target_seconds is None:
        return False
    age = figures.seconds_since(schedule.last_good_at or schedule.created_at, frame.now)
    return age is not None and age > schedule.target_seconds


def look(mirror: Mirror, frame: Frame, schedule: ScheduleRecord, glyphs: Glyphs = UNICODE) -> StateLook:
    """Worst first: off by a failure, late, owing, drill failed, its cell silent, new, on, switched off by somebody."""
    if not schedule.is_active and schedule.reason:
        return StateLook(glyphs.lost, "failed", Tone.CRIT, "X", 0)
    if not schedule.is_active:
        return StateLook(glyphs.paused, "off", Tone.MUTED, "O", 7)
    if schedule.missed_since is not None and silent_cell(mirror, schedule) is not None:
        return StateLook(glyphs.busy, "waits", Tone.UNKNOWN, "U", 2)
    if schedule.missed_since is not None:
        return StateLook(glyphs.busy, "owes", Tone.WARN, "W", 2)
    if is_late(frame, schedule):
        return StateLook(glyphs.attention, "late", Tone.CRIT, "L", 1)
    if schedule.drill_problem:
        return StateLook(glyphs.attention, "drill", Tone.WARN, "D", 3)
    if silent_cell(mirror, schedule) is not None:
        return StateLook(glyphs.unknown, "silent", Tone.UNKNOWN, "U", 4)
    if schedule.last_run_at is None and schedule.last_good_at is None and not schedule.backups:
        return StateLook(glyphs.stopped, "new", Tone.TEXT, "N", 5)
    return StateLook(glyphs.running, "on", Tone.OK, "R", 6)


_RUNS = {
    "ok": ("done", Tone.OK),
    "running": ("busy", Tone.TEXT),
    "failed": ("lost", Tone.CRIT),
    "missed": ("missed", Tone.WARN),
    "overlapped": ("overlapped", Tone.WARN),
}


def ribbon(mirror: Mirror, schedule: ScheduleRecord, width: int, glyphs: Glyphs) -> Line:
    """The last runs, oldest first; then that it waits for its cell."""
    waits = schedule.is_active and schedule.missed_since is not None and silent_cell(mirror, schedule) is not None
    room = min(width, RIBBON) - waits
    spans = []
    for word in schedule.history[-room:] if room > 0 else ():
        name, tone = _RUNS.get(word, ("unknown", Tone.UNKNOWN))
        spans.append(Span(str(getattr(glyphs, name)), tone))
    return (*spans, Span(glyphs.busy, Tone.UNKNOWN)) if waits else tuple(spans)


def next_text(mirror: Mirror, frame: Frame, schedule: ScheduleRecord) -> tuple[str, Tone]:
    """The countdown, or why there is none."""
    shape = look(mirror, frame, schedule)
    if shape.word in {"off", "failed", "waits"}:
        return shape.word, shape.tone
    if schedule.next_trigger_at is None:
        return frame.glyphs.nobody_said, Tone.UNKNOWN
    wait = figures.countdown((schedule.next_trigger_at - frame.now).total_seconds())
    return wait, Tone.TEXT if silent_cell(mirror, schedule) is None else Tone.UNKNOWN


def short_zone(name: str) -> str:
    """`Berlin` of `Europe/Berlin`."""
    return name.rpartition("/")[2].replace("_", " ")


def kept_of(schedule: ScheduleRecord, glyphs: Glyphs) -> tuple[str, str]:
    """How many there are, and how many there may be; `5+` with those that are kept for their period."""
    count = figures.or_dash(None if schedule.backups is None else figures.count(schedule.backups), glyphs)
    by_period = sum(number for number in schedule.keeps.values())
    if schedule.backups_max is None:
        return count, glyphs.nobody_said
    if schedule.backups_max:
        return count, f"{schedule.backups_max}{'+' if by_period else ''}"
    return count, str(by_period) if by_period and not schedule.retention_days else endless(glyphs)


def endless(glyphs: Glyphs) -> str:
    return glyphs.endless if cells(glyphs.endless) == 1 else "any"


# The table -----------------------------------------------------------------------------------------------------------


def _layout(mirror: Mirror, frame: Frame, shown: Sequence[ScheduleRecord]) -> Layout[ScheduleRecord]:
    glyphs = frame.glyphs

    def tone(schedule: ScheduleRecord) -> Tone:
        if mirror.is_offline:
            return Tone.UNKNOWN
        return Tone.TEXT if schedule.is_active else Tone.MUTED

    def sign(schedule: ScheduleRecord, _width: int) -> Line:
        shape = look(mirror, frame, schedule, glyphs)
        return (Span(shape.glyph, Tone.UNKNOWN if mirror.is_offline else shape.tone),)

    def name(schedule: ScheduleRecord, width: int) -> Line:
        return matched(Span(fit_name(schedule.title, width, glyphs), tone(schedule)), frame.filter)

    def of_source(schedule: ScheduleRecord, width: int) -> Line:
        is_silent = silent_cell(mirror, schedule) is not None
        text = fit_name(source(mirror, schedule), width, glyphs)
        return matched(Span(text, Tone.UNKNOWN if is_silent else tone(schedule)), frame.filter)

    def cron(schedule: ScheduleRecord, width: int) -> Line:
        return (Span(fit_sentence(schedule.cron, width, glyphs), tone(schedule)),)

    def zone(schedule: ScheduleRecord, width: int) -> Line:
        return (Span(fit_name(short_zone(schedule.time_zone), width, glyphs), tone(schedule)),)

    def following(schedule: ScheduleRecord, _width: int) -> Line:
        text, meaning = next_text(mirror, frame, schedule)
        return (Span(text, Tone.UNKNOWN if mirror.is_offline else meaning),)

    def kept(schedule: ScheduleRecord, _width: int) -> Line:
        return (Span(kept_of(schedule, glyphs)[0], tone(schedule)),)

    def most(schedule: ScheduleRecord, _width: int) -> Line:
        return (Span(kept_of(schedule, glyphs)[1], Tone.MUTED),)

    def age(schedule: ScheduleRecord, _width: int) -> Line:
        text = figures.age_since(schedule.last_good_at, frame.now)
        late = is_late(frame, schedule) and not mirror.is_offline
        return (Span(text or "never", Tone.CRIT if late else tone(schedule)),)

    def target(schedule: ScheduleRecord, _width: int) -> Line:
        text = glyphs.nothing if schedule.target_seconds is None else figures.age(schedule.target_seconds)
        return (Span(text, Tone.MUTED),)

    def why(schedule: ScheduleRecord, width: int) -> Line:
        return (Span(fit_sentence(trouble(mirror, frame, schedule), width, glyphs), Tone.MUTED),)

    wide = max((cells(each.cron) for each in shown[:ROWS_MEASURED]), default=0)
    return layout(
        [
            DrawnColumn("", 1, sign),
            DrawnColumn("SCHEDULE", 12, name, width_most=22, gap=1),
            DrawnColumn("SOURCE", 8, of_source, 8, width_most=14),
            DrawnColumn("CRON", min(CRON_WIDTH_MOST, max(10, wide)), cron, 2),
            DrawnColumn("ZONE", 6, zone, 7, width_most=10),
            DrawnColumn(f"LAST {RIBBON}", RIBBON, lambda each, width: ribbon(mirror, each, width, glyphs), 3),
            DrawnColumn("NEXT IN", 7, following, is_right=True),
            DrawnColumn("AGE", 6, age, 3, is_right=True),
            DrawnColumn("of", 6, target, 6, is_right=True, gap=1),
            DrawnColumn("KEPT", 5, kept, 4, is_right=True),
            DrawnColumn("of", 4, most, 5, is_right=True, gap=1),
            DrawnColumn("DRILL", 8, lambda schedule, _: drill(schedule, glyphs), 9),
            DrawnColumn("WHY", 20, why, 10, width_most=80),
        ],
        frame.width,
    )


def drill(schedule: ScheduleRecord, glyphs: Glyphs) -> Line:
    """What became of the last one: that it came through, with the time it took, or not."""
    if schedule.drilling_since is not None:
        return (Span(f"{glyphs.busy} runs", Tone.TEXT),)
    if not schedule.drill_days and schedule.drilled_at is None:
        return (Span(glyphs.nothing, Tone.MUTED),)
    if schedule.drill_problem:
        return (Span(f"{glyphs.lost} failed", Tone.CRIT),)
    if schedule.drill_seconds is not None:
        return (Span(glyphs.done, Tone.OK), Span(f" {figures.duration(schedule.drill_seconds)}"))
    return (Span("due" if schedule.drilled_at is None else f"{glyphs.busy} runs", Tone.MUTED),)


# Beside them ---------------------------------------------------------------------------------------------------------


def _has_room_below(frame: Frame) -> bool:
    return frame.has_pane and frame.height >= 20 and frame.width >= 60


def preview(mirror: Mirror, frame: Frame, key: str, pane: int) -> tuple[Line, ...]:
    """What a schedule would do, which is asked for while the cursor is on it; beside the list also what is known."""
    schedule = mirror.find_schedule(key.removeprefix("schedule:"))
    detail = None if schedule is None else mirror.protection.schedule_details.get(schedule.id)
    told = None if detail is None else detail.preview
    if not pane:
        return () if schedule is None else _below(frame, schedule, told)
    lines = [] if schedule is None else _beside(mirror, frame, schedule, told, pane)
    lines += [ruled(pane, frame.glyphs)] * (frame.body_height - len(lines))
    return tuple(lines[: frame.body_height])


def _beside(
    mirror: Mirror, frame: Frame, schedule: ScheduleRecord, told: SchedulePreviewRecord | None, width: int
) -> list[Line]:
    glyphs = frame.glyphs
    shape = look(mirror, frame, schedule, glyphs)
    kept, most = kept_of(schedule, glyphs)
    so = trouble(mirror, frame, schedule)
    facts = [
        *([fact("so", so, glyphs)] if so else []),
        fact("source", source(mirror, schedule), glyphs),
        fact("cron", f"{schedule.cron}   {schedule.time_zone}", glyphs),
        fact("next", ahead(schedule.next_trigger_at, frame), glyphs),
        fact("last run", instant_and_age(schedule.last_run_at, frame.now), glyphs),
        Fact("last runs", ribbon(mirror, schedule, RIBBON, glyphs) or (Span(glyphs.nothing, Tone.MUTED),)),
        Fact("last good", good(frame, schedule)),
        Fact("drill", (*drill(schedule, glyphs), Span(drill_words(frame, schedule), Tone.MUTED))),
        fact("kept", keeping(schedule), glyphs),
        fact("backups", f"{kept} of {most}   enter lists them", glyphs),
        fact("in words", glyphs.ellipsis if told is None else told.words, glyphs),
        *(
            Fact("next ten" if place == 0 else "", _fire(schedule, fire, _fires(told)))
            for place, fire in enumerate(_fires(told))
        ),
        Fact("retention", _days(told, glyphs)),
    ]
    title = left(2, fit_name(schedule.title, width - 20, glyphs), Tone.ACCENT, bold=True)
    head = ruled(width, glyphs, title, right(width - 2, f"{shape.glyph} {shape.word}", shape.tone))
    return [head, *(line for each in facts for line in pane_lines(each, width, glyphs))]


def _below(frame: Frame, schedule: ScheduleRecord, told: SchedulePreviewRecord | None) -> tuple[Line, ...]:
    """The next ten in two columns, in the zone of the schedule and in UTC; then what goes at the next run."""
    width, glyphs = frame.width, frame.glyphs
    words = glyphs.ellipsis if told is None else told.words
    title = fit_sentence(f"{schedule.title}: {words}", width - 15, glyphs)
    lines = [blank(width), compose(width, left(1, "NEXT TEN", Tone.MUTED), left(13, title, Tone.ACCENT))]
    fires = _fires(told)
    # As many lines before they are told as after, so that nothing moves.
    for place in range(FIRES_IN_COLUMN):
        columns = ((13, place), (13 + (width - 14) // 2, FIRES_IN_COLUMN + place))
        known = ((column, number) for column, number in columns if number < len(fires))
        lines.append(compose(width, *(at(column, _fire(schedule, fires[number], fires)) for column, number in known)))
    rules = fit_sentence(keeping(schedule) or glyphs.nobody_said, width - 15, glyphs)
    lines.append(compose(width, left(1, "RETENTION", Tone.MUTED), left(13, rules)))
    number, *days = _days(told, glyphs)
    kept, used = [number], span_width((number,))
    for day in days:
        used += span_width((day,))
        if used > width - 15:
            break
        kept.append(day)
    lines.append(compose(width, at(13, tuple(kept))))
    return tuple(lines)


def _fires(told: SchedulePreviewRecord | None) -> Sequence[FireRecord]:
    return () if told is None else told.fires


def _fire(schedule: ScheduleRecord, fire: FireRecord, fires: Sequence[FireRecord]) -> Line:
    """`Fri 20 Nov 23:00  22:00 UTC`."""
    spans = (Span(local(fire, has_year=spans_years(fires))),)
    return spans if schedule.time_zone == "UTC" else (*spans, Span(f"  {fire.at:%H:%M} UTC", Tone.MUTED))


def spans_years(fires: Sequence[FireRecord]) -> bool:
    """Whether a day without its year would say too little among them."""
    return len({fire.local[:4] for fire in fires}) > 1


def local(fire: FireRecord, *, has_year: bool = False) -> str:
    """`Fri 20 Nov 23:00` by the clock of its zone; `Fri 20 Nov 2026 23:00`."""
    at_local = datetime.fromisoformat(fire.local)
    year = f" {at_local.year}" if has_year else ""
    return f"{_WEEKDAYS[at_local.weekday()]} {figures.day(at_local)}{year} {at_local:%H:%M}"


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _days(told: SchedulePreviewRecord | None, glyphs: Glyphs) -> Line:
    """The newest backups by their days or times, the oldest first: what goes at the next run has a cross."""
    if told is None:
        return (Span(glyphs.ellipsis, Tone.MUTED),)
    goes = sum(not verdict.is_kept for verdict in told.verdicts)
    number = f"{goes} of {len(told.verdicts)} {'goes' if goes == 1 else 'go'} at the next run"
    spans = [
        Span(
            number if goes else f"none of {len(told.verdicts)} goes at the next run", Tone.WARN if goes else Tone.MUTED
        )
    ]
    shown = [verdict for verdict in reversed(told.verdicts[:DAYS_SHOWN]) if verdict.created_at is not None]
    are_days_told_apart = len({verdict.created_at.date() for verdict in shown if verdict.created_at}) == len(shown)
    for verdict in shown:
        sign, tone = ("", Tone.TEXT) if verdict.is_kept else (glyphs.lost, Tone.WARN)
        spans.append(Span(f" {sign}{verdict.created_at:{'%d' if are_days_told_apart else '%H:%M'}}", tone))
    return tuple(spans)


# In words ------------------------------------------------------------------------------------------------------------


def trouble(mirror: Mirror, frame: Frame, schedule: ScheduleRecord) -> str:
    """What is wrong with it; nothing where nothing is."""
    cell = silent_cell(mirror, schedule)
    if not schedule.is_active:
        return schedule.reason or "switched off by somebody; x a switches it on"
    if schedule.missed_since is not None:
        since = figures.instant(schedule.missed_since, frame.now)
        reason = "its source could not be copied" if cell is None else f"{cell} does not answer"
        return f"missed since {since}: {reason}; one catch-up is owed"
    if is_late(frame, schedule) and schedule.target_seconds is not None:
        what = "it has no good backup" if schedule.last_good_at is None else "its last good backup is too old"
        return f"{what}: at most {figures.age(schedule.target_seconds)} was promised"
    if schedule.drill_problem:
        return f"its last drill failed: {schedule.drill_problem}"
    return "" if cell is None else f"{cell} does not answer: what falls due meanwhile is missed, and one catch-up owed"


def ahead(at: datetime | None, frame: Frame) -> str | None:
    if at is None:
        return None
    return f"{figures.instant(at, frame.now)} UTC in {figures.countdown((at - frame.now).total_seconds())}"


def good(frame: Frame, schedule: ScheduleRecord) -> Line:
    """The age of the last good backup against what was promised."""
    late = is_late(frame, schedule)
    text = instant_and_age(schedule.last_good_at, frame.now) or "never"
    promised = "   no target is set" if schedule.target_seconds is None else (
        f"   at most {figures.age(schedule.target_seconds)} old is promised"
    )  # fmt: skip
    return (Span(text, Tone.CRIT if late else Tone.TEXT), Span(promised, Tone.CRIT if late else Tone.MUTED))


def drill_words(frame: Frame, schedule: ScheduleRecord) -> str:
    if not schedule.drill_days and schedule.drilled_at is None:
        return " nobody asked for restores on trial"
    parts = [f"every {days(schedule.drill_days)}"] if schedule.drill_days else []
    if schedule.drilled_at is not None:
        parts.append(f"last {instant_and_age(schedule.drilled_at, frame.now)}")
    if schedule.drill_problem:
        parts.append(schedule.drill_problem)
    return "   " + "; ".join(parts)


def days(number: int) -> str:
    return f"{number} day{'s' if number != 1 else ''}"


def keeping(schedule: ScheduleRecord) -> str | None:
    """Its rules in words: `14 days, at most 14; and 7 daily, 4 weekly`."""
    if schedule.retention_days is None and schedule.backups_max is None:
        return None
    parts = [days(schedule.retention_days)] if schedule.retention_days else []
    parts += [f"at most {schedule.backups_max}"] if schedule.backups_max else []
    base = ", ".join(parts)
    periods = ", ".join(f"{number} {name}" for name, number in schedule.keeps.items() if number)
    if not base:
        return f"only {periods}" if periods else "for ever"
    return f"{base}; and {periods} whatever their age and number" if periods else base


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    schedule = None if key is None else mirror.find_schedule(key.removeprefix("schedule:"))
    if schedule is None:
        return (Span("enter opens a schedule's backups, d describes it", Tone.MUTED),)
    text = trouble(mirror, frame, schedule)
    if not text:
        zone = "" if schedule.time_zone == "UTC" else f", by the clock of {schedule.time_zone}"
        at = schedule.next_trigger_at
        text = f"{schedule.cron}{zone}" + ("" if at is None else f"; next {figures.instant(at, frame.now)} UTC")
    return (Span(f"{schedule.title}: {text}", Tone.MUTED),)


def _instead(mirror: Mirror, frame: Frame) -> str:
    if mirror.protection.schedules is None:
        return frame.glyphs.ellipsis
    if frame.filter:
        return f"no schedules match /{frame.filter}   esc clears the filter"
    return "nothing is backed up by the clock here"


def _note(mirror: Mirror, frame: Frame, shown: Sequence[ScheduleRecord]) -> str:
    listed = mirror.protection.schedules
    if listed is None:
        return frame.glyphs.nobody_said
    total = len(listed.rows) if listed.next is None else listed.total or len(listed.rows)
    is_part = frame.filter or frame.scope or ("being read" if listed.next is not None else "")
    number = filtering.number_of(len(shown), total, is_part)
    return f"{sorting.note_of(frame, ORDERS, columns(mirror, frame))}   {number}"
