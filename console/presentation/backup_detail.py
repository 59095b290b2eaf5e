"""One schedule and one backup in full: what they do, when, what is kept and by which rule, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from console.presentation import backups, figures, schedules
from console.presentation.facts import Fact, event_facts, fact, gone, instant_and_age, region_of
from console.presentation.lines import Frame, Glyphs, Line, Span, Tone, View
from console.presentation.mirror import Mirror
from console.records_backups import (
    BackupDetail,
    BackupRecord,
    SchedulePreviewRecord,
    ScheduleRecord,
    VerdictRecord,
)

VERDICTS_SHOWN = 60
PARTS_SHOWN = 200


def schedule_view(mirror: Mirror, key: str, frame: Frame) -> View:
    """Until the cloud has told of it, the page has what the lists say."""
    name = key.removeprefix("schedule:")
    schedule, told = mirror.find_schedule(name), mirror.protection.schedule_details.get(name)
    facts: list[Fact] = []
    if schedule is not None:
        preview = None if told is None else told.preview
        facts = [*_schedule_facts(mirror, frame, schedule, preview), *event_facts(mirror, frame, (schedule.id,))]
    title = name[:8] if schedule is None else schedule.title
    text = "" if schedule is None else schedules.trouble(mirror, frame, schedule) or "enter on its backups lists them"
    return View(
        "detail",
        ("schedules", title),
        "describe",
        (region_of(facts, frame.width) if facts else gone(title, frame, is_told=bool(mirror.answered_at)),),
        status=lambda _key: (Span(f"{title}: {text}" if text else "", Tone.MUTED),),
    )


def _schedule_facts(
    mirror: Mirror, frame: Frame, schedule: ScheduleRecord, preview: SchedulePreviewRecord | None
) -> list[Fact]:
    glyphs = frame.glyphs
    shape = schedules.look(mirror, frame, schedule, glyphs)
    words = "" if preview is None else f"   {preview.words}"
    kept, most = schedules.kept_of(schedule, glyphs)
    cell = schedules.silent_cell(mirror, schedule)
    trouble = schedules.trouble(mirror, frame, schedule)
    return [
        Fact("state", (Span(f"{shape.glyph} {shape.word}", shape.tone), Span(f"   {trouble}", Tone.MUTED))),
        fact("source", schedules.source(mirror, schedule), glyphs, Tone.UNKNOWN if cell else Tone.TEXT,
             schedule.server_id or _project_key(schedule)),
        *([fact("its cell", f"{cell} does not answer: what falls due now is missed, and one catch-up is owed", glyphs,
                Tone.UNKNOWN, f"cell:{cell}")] if cell else []),
        Fact("cron", (Span(schedule.cron), Span(words, Tone.MUTED))),
        fact("zone", schedule.time_zone, glyphs),
        *([fact("jitter", _jitter(schedule, preview), glyphs)] if schedule.jitter_seconds else []),
        fact("next", schedules.ahead(schedule.next_trigger_at, frame), glyphs),
        *_fires(preview, schedule, frame),
        fact("last run", instant_and_age(schedule.last_run_at, frame.now), glyphs),
        Fact("last runs", schedules.ribbon(mirror, schedule, schedules.RIBBON, glyphs) or _nothing(glyphs)),
        Fact("last good", schedules.good(frame, schedule)),
        Fact("drill", (*schedules.drill(schedule, glyphs), Span(schedules.drill_words(frame, schedule), Tone.MUTED))),
        fact("kept", schedules.keeping(schedule), glyphs),
        fact("backups", f"{kept} of {most}", glyphs, Tone.TEXT, f"backups:{schedule.key}"),
        *_verdicts(preview, frame),
        fact("id", schedule.id, glyphs),
        fact("project", schedule.project_id, glyphs),
        fact("created", instant_and_age(schedule.created_at, frame.now), glyphs),
        fact("version", None if schedule.version is None else str(schedule.version), glyphs),
    ]  # fmt: skip


def _project_key(schedule: ScheduleRecord) -> str | None:
    return f"project:{schedule.source_id}" if schedule.source_kind == "project" else None


def _nothing(glyphs: Glyphs) -> Line:
    return (Span(glyphs.nothing, Tone.MUTED),)


def _jitter(schedule: ScheduleRecord, preview: SchedulePreviewRecord | None) -> str:
    own = "" if preview is None else f": {figures.duration(preview.jitter_seconds)}, each time"
    return f"up to {figures.duration(schedule.jitter_seconds)} later than its expression{own}"


def _fires(preview: SchedulePreviewRecord | None, schedule: ScheduleRecord, frame: Frame) -> list[Fact]:
    """The next ten, in its zone and in UTC."""
    if preview is None:
        return [fact("next ten", frame.glyphs.ellipsis, frame.glyphs, Tone.MUTED)]
    found = []
    has_year = schedules.spans_years(preview.fires)
    for place, fire in enumerate(preview.fires):
        spans = [Span(f"{schedules.local(fire, has_year=has_year)} {schedules.short_zone(schedule.time_zone)}")]
        if schedule.time_zone != "UTC":
            spans.append(Span(f"   {figures.day(fire.at)} {fire.at:%H:%M} UTC", Tone.MUTED))
        spans.append(Span(f"   in {figures.countdown((fire.at - frame.now).total_seconds())}", Tone.MUTED))
        found.append(Fact("next ten" if place == 0 else "", tuple(spans)))
    return found if schedule.is_active else [Fact("were it on", fact.value) for fact in found[:1]] + found[1:]


def _verdicts(preview: SchedulePreviewRecord | None, frame: Frame) -> list[Fact]:
    """What its rules would do with each of its backups now, the newest first."""
    if preview is None:
        return []
    glyphs = frame.glyphs
    facts = [
        Fact("retention" if place == 0 else "", (_sign(verdict, glyphs), *_verdict(verdict, frame)),
             f"backup:{verdict.backup_id}")
        for place, verdict in enumerate(preview.verdicts[:VERDICTS_SHOWN])
    ]  # fmt: skip
    more = len(preview.verdicts) - VERDICTS_SHOWN
    return facts + ([fact("", f"and {more:,} more", glyphs, Tone.MUTED)] if more > 0 else [])


def _sign(verdict: VerdictRecord, glyphs: Glyphs) -> Span:
    return Span(glyphs.done, Tone.OK) if verdict.is_kept else Span(glyphs.lost, Tone.WARN)


def _verdict(verdict: VerdictRecord, frame: Frame) -> Line:
    at = verdict.created_at
    when = frame.glyphs.nobody_said if at is None else f"{figures.day(at)} {at:%H:%M}"
    tone = Tone.MUTED if verdict.is_kept else Tone.WARN
    return (Span(f" {when}  "), Span(verdict.rule if verdict.is_kept else f"goes: {verdict.rule}", tone))


# A backup ------------------------------------------------------------------------------------------------------------


def backup_view(mirror: Mirror, key: str, frame: Frame) -> View:
    """Until the cloud has told of it, the page has what the lists say."""
    name = key.removeprefix("backup:")
    backup, own = mirror.protection.find_backup(name), mirror.protection.backup_details.get(name)
    facts: list[Fact] = []
    if backup is not None:
        facts = [*_backup_facts(mirror, frame, backup, own), *event_facts(mirror, frame, (backup.id,))]
    title = name[:8] if backup is None else backup.title
    return View(
        "detail",
        ("backups", title),
        "describe",
        (region_of(facts, frame.width) if facts else gone(title, frame, is_told=bool(mirror.answered_at)),),
    )


def _backup_facts(mirror: Mirror, frame: Frame, backup: BackupRecord, detail: BackupDetail | None) -> list[Fact]:
    glyphs = frame.glyphs
    shape = backups.look(backup, glyphs)
    schedule = None if backup.schedule_id is None else mirror.find_schedule(backup.schedule_id)
    by = "somebody, by hand" if backup.schedule_id is None else schedule.title if schedule else backup.schedule_id[:8]
    is_server = backup.source_kind == "server"
    source_key = backup.source_id if is_server and backup.source_id in mirror.servers else None
    verdict = None if detail is None else detail.verdict
    return [
        Fact("state", (Span(f"{shape.glyph} {shape.word}", shape.tone),)),
        *([fact("reason", backup.reason, glyphs, Tone.CRIT if backup.state == "erred" else Tone.WARN)]
          if backup.reason else []),
        fact("source", backup.title if is_server else f"{backup.source_kind} {backup.title}", glyphs, Tone.TEXT,
             source_key),
        *([fact("", "that is gone; the backup stays, and can be restored", glyphs, Tone.MUTED)]
          if is_server and source_key is None and mirror.is_complete else []),
        fact("taken by", by, glyphs, Tone.TEXT, f"schedule:{backup.schedule_id}" if backup.schedule_id else None),
        *([fact("part of", backup.parent_id[:8], glyphs, Tone.TEXT, f"backup:{backup.parent_id}")]
          if backup.parent_id else []),
        fact("taken", instant_and_age(backup.created_at, frame.now), glyphs),
        fact("size", None if backup.size_bytes is None else f"{backups.gib(backup.size_bytes)} GiB", glyphs),
        fact("kept until", _kept_until(backup, frame), glyphs),
        *([Fact("rule", (_sign(verdict, glyphs), *_verdict(verdict, frame)))] if verdict is not None else []),
        *_parts(mirror, frame, () if detail is None else detail.parts),
        fact("description", backup.description or glyphs.nothing, glyphs),
        fact("id", backup.id, glyphs),
        fact("project", backup.project_id, glyphs),
        fact("version", None if backup.version is None else str(backup.version), glyphs),
    ]  # fmt: skip


def _kept_until(backup: BackupRecord, frame: Frame) -> str:
    if backup.kept_until is None:
        return "no age ends it" if backup.schedule_id else "for ever, or until it is deleted"
    left = figures.countdown((backup.kept_until - frame.now).total_seconds())
    return f"{figures.instant(backup.kept_until, frame.now)} UTC, {left} left"


def _parts(mirror: Mirror, frame: Frame, parts: Sequence[BackupRecord]) -> Iterable[Fact]:
    glyphs = frame.glyphs
    for place, part in enumerate(parts[:PARTS_SHOWN]):
        shape = backups.look(part, glyphs)
        size = glyphs.nobody_said if part.size_bytes is None else f"{backups.gib(part.size_bytes)} GiB"
        words = f" {part.title}   {size}" + (f"   {part.reason}" if part.reason else "")
        yield Fact("parts" if place == 0 else "", (Span(shape.glyph, shape.tone), Span(words)), part.key)
    if len(parts) > PARTS_SHOWN:
        yield fact("", f"and {len(parts) - PARTS_SHOWN:,} more", glyphs, Tone.MUTED)


# Of a server ---------------------------------------------------------------------------------------------------------


def server_facts(mirror: Mirror, frame: Frame, server_id: str) -> list[Fact]:
    """What copies it, and what there is of it; nothing where that has not been asked for."""
    scope, glyphs = f"server:{server_id}", frame.glyphs
    listed, own = mirror.protection.schedule_lists.get(scope), mirror.protection.lists.get(scope)
    facts: list[Fact] = []
    if listed is not None:
        for place, each in enumerate(listed.rows):
            shape = schedules.look(mirror, frame, each, glyphs)
            text, tone = schedules.next_text(mirror, frame, each)
            by = "" if each.source_kind == "server" else f"   with its {each.source_kind}"
            spans = (Span(shape.glyph, shape.tone), Span(f" {each.title}   "), Span(f"{each.cron}   ", Tone.MUTED),
                     Span(f"next in {text}" if text[:1].isdigit() else text, tone), Span(by, Tone.MUTED))  # fmt: skip
            facts.append(Fact("schedules" if place == 0 else "", spans, each.key))
        if not listed.rows:
            facts.append(fact("schedules", "none: nobody backs it up", glyphs, Tone.WARN, "view:coverage"))
    if own is not None:
        good = [each for each in own.rows if each.state in {"ready", "restoring"}]
        newest = figures.age_since(good[0].created_at, frame.now) if good else None
        text = f"{len(own.rows):,}" + (f"   the last good one {newest} old" if newest else "   none is good")
        facts.append(fact("backups", text if own.rows else "none", glyphs, Tone.TEXT, f"backups:{scope}"))
    return facts
