"""Backups: all of them, those of a schedule or of a server, or the parts of one; what each takes, and how long.

Of a schedule's, each row also says which of its rules keeps it, and which rows go at the next run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter

from console.presentation import chosen, figures, filtering, sorting, storage
from console.presentation import schedules as schedules_view
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
    at,
    cells,
    compose,
    fit_name,
    fit_sentence,
    left,
    matched,
    remark,
)
from console.presentation.mirror import Mirror
from console.records_backups import BackupRecord, Backups, StorageRecord, VerdictRecord

ORDERS = ("newest", "state", "source", "size", "left")
GIB = figures.GIB
_WORDS = {"backing_up": "copying"}
_QUOTA_ENDS = {"full": ", full", "never": ", never full"}


def view(mirror: Mirror, frame: Frame) -> View:
    """`frame.scope` narrows them: see `Backups.scope`."""
    listed = mirror.protection.lists.get(frame.scope)
    verdicts = _verdicts(mirror, frame)
    known = columns(mirror, frame, verdicts)
    shown = visible(mirror, frame, listed)
    table = Table(known, shown, attrgetter("key"), lambda _row: not mirror.is_offline)
    drawn = _layout(mirror, frame, verdicts)
    region: Region
    if shown and chosen.is_asked(table, frame, frame.width):
        region = chosen.region(table, frame, frame.width)
    elif shown:
        region = Rows(drawn.head, shown, drawn.line, table.key_of)
    else:
        region = Lines([remark(frame, _instead(listed, frame))], head=drawn.head)
    return View(
        "backups",
        crumbs(mirror, frame),
        _note(listed, frame, shown, known),
        (region, *([_sum(frame, shown, verdicts)] if shown and frame.scope else [])),
        status=lambda key: status(mirror, frame, key, verdicts),
        below=_foot(mirror, frame) if frame.body_height > 8 and frame.width >= 60 else (),
        orders=ORDERS,
        table=table,
        heads={"CREATED UTC": "newest", "KEPT UNTIL": "left"},
        problem=filtering.parse(frame.filter, known).problem,
    )


def columns(mirror: Mirror, frame: Frame, verdicts: Mapping[str, VerdictRecord]) -> tuple[Column[BackupRecord], ...]:
    """What a backup's row is as values. One that is kept for ever, or as rules say, has no time left."""

    def still(backup: BackupRecord) -> float | None:
        at = backup.kept_until
        return None if at is None else max(0.0, (at - frame.now).total_seconds())

    return (
        Column("state", lambda each: look(each).word, Kind.WORD, width=11, is_searched=True,
               words=("erred", "copying", "restoring", "deleting", "ready"),
               draw=lambda each: chosen.state(look(each, frame.glyphs))),
        Column("source", attrgetter("title"), width=16, is_searched=True),
        Column("kind", attrgetter("source_kind"), Kind.WORD, width=8, words=("server", "project", "customer"),
               is_searched=True),
        Column("created", lambda each: figures.iso(each.created_at), width=20),
        Column("age", lambda each: figures.seconds_since(each.created_at, frame.now), Kind.SECONDS, width=7),
        Column("size", attrgetter("size_bytes"), Kind.BYTES, "GiB", 8),
        Column("progress", lambda each: _progress(mirror, each), Kind.SHARE, "DONE", 6),
        Column("left", still, Kind.SECONDS, width=7),
        Column("schedule", lambda each: _schedule_name(mirror, each), width=20, is_searched=True),
        Column("description", attrgetter("description"), width=24, is_searched=True),
        Column("reason", lambda each: _why(each, verdicts), Kind.SENTENCE, "WHY", width=40, is_searched=True),
        Column("id", attrgetter("id"), Kind.ID, width=36, is_searched=True),
    )  # fmt: skip


def _verdicts(mirror: Mirror, frame: Frame) -> Mapping[str, VerdictRecord]:
    """By backup, what the rules of the schedule would do that `frame.scope` names."""
    kind, _, name = (frame.scope or "").partition(":")
    told = mirror.protection.schedule_details.get(name) if kind == "schedule" else None
    preview = None if told is None else told.preview
    return {} if preview is None else {verdict.backup_id: verdict for verdict in preview.verdicts}


def crumbs(mirror: Mirror, frame: Frame) -> tuple[str, ...]:
    kind, _, name = (frame.scope or "").partition(":")
    match kind:
        case "schedule":
            schedule = mirror.find_schedule(name)
            return ("schedules", name[:8] if schedule is None else schedule.title, "backups")
        case "server":
            return ("servers", mirror.name_of(name) or name[:8], "backups")
        case "project":
            project = storage.find(mirror, name)
            return ("storage", name[:8] if project is None else project.name, "backups")
        case "backup":
            backup = mirror.protection.find_backup(name)
            return ("backups", name[:8] if backup is None else backup.title, "parts")
        case _:
            return ("backups",)


# Which, and in what order ------------------------------------------------------------------------------------------


def visible(mirror: Mirror, frame: Frame, listed: Backups | None) -> list[BackupRecord]:
    """Those to show, in order. In the list of all of them a part is behind its parent."""
    known = columns(mirror, frame, _verdicts(mirror, frame))
    found = filtering.matching(_of(listed, frame), filtering.parse(frame.filter, known), known)
    column = sorting.column_of(frame, ORDERS, known)
    if column is not None:
        return sorting.ordered(found, column, is_descending=frame.is_descending)
    key = {
        "state": lambda each: (look(each).rank,),
        "source": lambda each: (each.title.casefold(),),
        "size": lambda each: (-(each.size_bytes or 0),),
        "left": lambda each: (each.kept_until is None, str(each.kept_until)),
    }.get(frame.sort)
    rows = list(found) if key is None else sorted(found, key=key)
    return rows[::-1] if frame.is_descending else rows


def _of(listed: Backups | None, frame: Frame) -> Sequence[BackupRecord]:
    rows = () if listed is None else listed.rows
    return rows if frame.scope is not None else [each for each in rows if each.parent_id is None]


# What is said of one -----------------------------------------------------------------------------------------------


def _word(backup: BackupRecord) -> str:
    return _WORDS.get(backup.state, backup.state)


def look(backup: BackupRecord, glyphs: Glyphs = UNICODE) -> StateLook:
    """Worst first: failed, under way, ready."""
    match backup.state:
        case "erred":
            return StateLook(glyphs.lost, "erred", Tone.CRIT, "X", 0)
        case "backing_up" | "restoring":
            return StateLook(glyphs.busy, _word(backup), Tone.ACCENT, "B", 1)
        case "deleting":
            return StateLook(glyphs.busy, "deleting", Tone.MUTED, "D", 2)
        case "ready":
            return StateLook(glyphs.running, "ready", Tone.OK, "R", 3)
        case other:
            return StateLook(glyphs.unknown, other[:9], Tone.UNKNOWN, "U", 1)


def _schedule_name(mirror: Mirror, backup: BackupRecord) -> str | None:
    schedule = None if backup.schedule_id is None else mirror.find_schedule(backup.schedule_id)
    return backup.schedule_id[:8] if schedule is None and backup.schedule_id else schedule and schedule.title


def gib(size_bytes: int) -> str:
    """One decimal: backups are compared with one another."""
    return f"{size_bytes / GIB:,.1f}"


def _left(frame: Frame, backup: BackupRecord) -> str:
    if backup.kept_until is None:
        return frame.glyphs.nothing if backup.schedule_id else schedules_view.endless(frame.glyphs)
    return figures.countdown((backup.kept_until - frame.now).total_seconds())


# The table -----------------------------------------------------------------------------------------------------------


def _layout(mirror: Mirror, frame: Frame, verdicts: Mapping[str, VerdictRecord]) -> Layout[BackupRecord]:
    glyphs = frame.glyphs

    def tone(backup: BackupRecord, own: Tone = Tone.TEXT) -> Tone:
        verdict = verdicts.get(backup.id)
        if mirror.is_offline:
            return Tone.UNKNOWN
        return Tone.WARN if verdict is not None and not verdict.is_kept else own

    def state(backup: BackupRecord, width: int) -> Line:
        shape = look(backup, glyphs)
        word = shape.word if width > 1 else ""
        return (Span(f"{shape.glyph} {word}".rstrip(), Tone.UNKNOWN if mirror.is_offline else shape.tone),)

    def of_source(backup: BackupRecord, width: int) -> Line:
        title = backup.title if backup.source_kind == "server" else f"{backup.source_kind} {backup.title}"
        return matched(Span(fit_name(title, width, glyphs), tone(backup)), frame.filter)

    def created(backup: BackupRecord, _width: int) -> Line:
        at = backup.created_at
        text = glyphs.nobody_said if at is None else f"{figures.day(at)} {at:%H:%M}"
        return (Span(text, tone(backup)),)

    def age(backup: BackupRecord, _width: int) -> Line:
        return (Span(figures.or_dash(figures.age_since(backup.created_at, frame.now), glyphs), tone(backup)),)

    def size(backup: BackupRecord, width: int) -> Line:
        share = _progress(mirror, backup)
        if share is not None:
            return (Span(f"{figures.percent(share)}%", Tone.ACCENT),)
        return (Span(glyphs.nobody_said if backup.size_bytes is None else gib(backup.size_bytes), tone(backup)),)

    def until(backup: BackupRecord, _width: int) -> Line:
        at = backup.kept_until
        # Of a schedule's, number and period may say what age does not.
        never = "by rules" if backup.schedule_id else schedules_view.endless(glyphs)
        return (Span(never if at is None else f"{figures.day(at)} {at:%H:%M}", tone(backup, Tone.MUTED)),)

    def still(backup: BackupRecord, _width: int) -> Line:
        return (Span(_left(frame, backup), tone(backup)),)

    def schedule(backup: BackupRecord, width: int) -> Line:
        name = _schedule_name(mirror, backup)
        return (Span(fit_name(name, width, glyphs) if name else "by hand", Tone.MUTED),)

    def why(backup: BackupRecord, width: int) -> Line:
        return (Span(fit_sentence(_why(backup, verdicts), width, glyphs), _why_tone(backup, verdicts)),)

    is_of_schedule = (frame.scope or "").startswith("schedule:")
    columns = [
        DrawnColumn("STATE", 11, state),
        DrawnColumn("SOURCE", 9, of_source, 9 if is_of_schedule else 2, width_most=12 if is_of_schedule else 24),
        DrawnColumn("CREATED UTC", 12, created),
        DrawnColumn("AGE", 6, age, 6, is_right=True),
        DrawnColumn("GiB", 7, size, 4, is_right=True),
        DrawnColumn("KEPT UNTIL", 12, until, 5),
        DrawnColumn("LEFT", 7, still, 3, is_right=True),
        *([] if is_of_schedule else [DrawnColumn("SCHEDULE", 10, schedule, 7, width_most=24)]),
        DrawnColumn("WHY", 16, why, 2 if is_of_schedule and verdicts else 8, width_most=90),
    ]
    return layout(columns, frame.width)


def _progress(mirror: Mirror, backup: BackupRecord) -> float | None:
    """How far its copy is, while it is made and its task is known."""
    if backup.state != "backing_up":
        return None
    found = (each.progress for each in mirror.tasks or () if each.object_id == backup.id and each.state == "open")
    return next(found, None)


def _verdict(backup: BackupRecord, verdicts: Mapping[str, VerdictRecord]) -> VerdictRecord | None:
    """As its schedule was described last, else as the list has it."""
    told = verdicts.get(backup.id)
    if told is None and backup.rule is not None:
        return VerdictRecord(backup.id, backup.is_kept is not False, backup.rule)
    return told


def _why(backup: BackupRecord, verdicts: Mapping[str, VerdictRecord]) -> str:
    verdict = _verdict(backup, verdicts)
    if backup.reason:
        return backup.reason
    if verdict is None:
        # What a schedule takes is described as the schedule is, which its own column says.
        return "" if backup.schedule_id else backup.description
    return verdict.rule if verdict.is_kept else f"goes at the next run: {verdict.rule}"


def _why_tone(backup: BackupRecord, verdicts: Mapping[str, VerdictRecord]) -> Tone:
    verdict = _verdict(backup, verdicts)
    if backup.state == "erred":
        return Tone.CRIT
    return Tone.WARN if verdict is not None and not verdict.is_kept else Tone.MUTED


def _sum(frame: Frame, shown: Sequence[BackupRecord], verdicts: Mapping[str, VerdictRecord]) -> Lines:
    """How many there are, what they take, and how many go."""
    goes = sum(not verdict.is_kept for verdict in verdicts.values())
    total = sum(backup.size_bytes or 0 for backup in shown)
    number, size = f"{len(shown):,} backup{'' if len(shown) == 1 else 's'}", f"{gib(total)} GiB"
    if not goes:
        return Lines([remark(frame, f"{number}   {size}")])
    words = f"{goes:,} {'goes' if goes == 1 else 'go'} at the next run"
    line = f"{number}   {size}   {words}"
    fits = cells(line) <= frame.width - 3
    return Lines([compose(frame.width, left(2, line if fits else f"{number}   {words}", Tone.WARN))])


def _foot(mirror: Mirror, frame: Frame) -> tuple[Line, ...]:
    """Who is not backed up; how long the quota of the schedule's project lasts, else of the one that is full first."""
    lines = []
    counts = mirror.protection.counts
    if counts is not None:
        uncovered = f"{counts.uncovered:,} of {counts.total:,} servers"
        words = f"{uncovered}; of all, {counts.never:,} have no backup, {counts.late:,} late"
        tone = Tone.WARN if counts.uncovered or counts.late else Tone.MUTED
        lines.append(compose(frame.width, left(2, "IN NO SCHEDULE", Tone.MUTED), left(17, words, tone)))
    schedule = mirror.find_schedule((frame.scope or "").partition(":")[2])
    project = storage.find(mirror, None if schedule is None else schedule.project_id)
    if project is None and schedule is None:
        with_quota = [each for each in storage.visible(mirror, frame._replace(filter="", sort="")) if each.limit_bytes]
        project = next(iter(with_quota), None)
    if project is not None:
        lines.append(compose(frame.width, left(2, "QUOTA", Tone.MUTED), at(17, _quota(frame, project))))
    return tuple(lines)


def _quota(frame: Frame, project: StorageRecord) -> Line:
    name, used = fit_name(project.name, 14, frame.glyphs), figures.gib(project.used_bytes)
    if project.limit_bytes is None:
        return (Span(f"{name}  has none, and uses {used} GiB"),)
    text, tone = storage.full_in(frame, project)
    return (
        Span(f"{name}  "),
        *storage.gauge(project, 12 if frame.width < 100 else 24, frame.glyphs),
        Span(f"  {used} of {figures.gib(project.limit_bytes)} GiB"),
        Span(_QUOTA_ENDS.get(text, f", full in {text}"), tone),
    )


# In words ------------------------------------------------------------------------------------------------------------


def status(mirror: Mirror, frame: Frame, key: str | None, verdicts: Mapping[str, VerdictRecord]) -> Line:
    backup = None if key is None else mirror.protection.find_backup(key.removeprefix("backup:"))
    if backup is None:
        return ()
    text = _why(backup, verdicts)
    if not text:
        name = _schedule_name(mirror, backup)
        text = f"taken by {name}" if name else "taken by hand"
    parts = "; enter shows its parts" if backup.source_kind != "server" else ""
    return (Span(f"{backup.title}: {text}{parts}", Tone.MUTED),)


def _instead(listed: Backups | None, frame: Frame) -> str:
    if listed is None:
        return frame.glyphs.ellipsis
    if frame.filter:
        return f"no backups match /{frame.filter}   esc clears the filter"
    return "there is no backup" + (" of it" if frame.scope else "")


def _note(
    listed: Backups | None, frame: Frame, shown: Sequence[BackupRecord], known: Sequence[Column[BackupRecord]]
) -> str:
    if listed is None:
        return frame.glyphs.nobody_said
    whole = len(_of(listed, frame))
    total = whole if listed.next is None or listed.total is None else listed.total
    number = filtering.number_of(len(shown), total, frame.filter or ("being read" if total != whole else ""))
    return f"{sorting.note_of(frame, ORDERS, known)}   {number}"
