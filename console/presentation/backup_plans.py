"""What a backup, a restore or a schedule would come to, in lines: when, where, what it costs, what would go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from console.presentation import figures, plan
from console.presentation.lines import Frame, Line, Placed, Span, Tone, at, cells, compose, fit_sentence, left
from console.presentation.plan import VALUE_COLUMN, MenuItem, labelled
from console.presentation.schedules import local as local_text
from console.presentation.schedules import spans_years
from console.records_backup_plans import BackupPlanRecord, FlavorRecord, OutlookRecord, SchedulePlanRecord
from console.records_backups import FireRecord, VerdictRecord

BAR_WIDTH = 20
FLAVOR_LETTERS = "abcdefghilmnopqrstuvwxyz"
"""Without the letters that move."""
OFTEN_SECONDS = 900
"""Runs nearer to each other than this are hardly meant: a copy takes minutes."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


# A schedule ----------------------------------------------------------------------------------------------------------


def schedule_lines(
    found: SchedulePlanRecord, zone: str, frame: Frame, *, target_seconds: int | None = None
) -> tuple[Line, ...]:
    """What it would do, the next runs first, `frame.width` cells each; then what is odd about how often it runs."""
    lines: list[Line] = []
    if not found.is_allowed:
        lines += labelled(frame, "REFUSED", found.problem or found.code or "it is refused", Tone.CRIT)
    lines += labelled(frame, "RUNS", found.preview.words)
    lines += fire_lines(found.preview.fires, zone, frame)
    for number, sentence in enumerate(rhythm_warnings(found.preview.fires, target_seconds)):
        lines += labelled(frame, "" if number else "RHYTHM", sentence, Tone.WARN)
    going, staying = verdict_lines(found.preview.verdicts, frame, is_new=found.schedule_id is None)
    lines += going
    lines += storage_lines(found.storage, frame)
    tone = Tone.MUTED if all(each.is_enough for each in found.storage) and found.not_now is None else Tone.WARN
    for number, sentence in enumerate(found.sentences if found.is_allowed else ()):
        lines += labelled(frame, "" if number else "NOTE", sentence, tone)
    return (*lines, *staying)


def fire_lines(fires: Sequence[FireRecord], zone: str, frame: Frame) -> list[Line]:
    """The next runs as its zone's clocks show them, each with its instant in UTC; in two columns where they fit."""
    column = VALUE_COLUMN if frame.width >= 44 else 2
    has_year = spans_years(fires)
    texts = [fire_text(fire, zone, has_year=has_year) for fire in fires]
    if not texts:
        return []
    wide = max(cells(text) for text in texts) + 3
    columns = 2 if frame.width - column >= 2 * wide - 3 else 1
    rows = -(-len(texts) // columns)
    lines = []
    for row in range(rows):
        placed: list[Placed] = [] if row or column == 2 else [left(2, f"NEXT {len(texts)}", Tone.MUTED)]
        for place in range(columns):
            number = row + place * rows
            if number < len(texts):
                tone = Tone.ACCENT if number == 0 else Tone.TEXT
                placed.append(left(column + place * wide, texts[number], tone))
        lines.append(compose(frame.width, *placed))
    return lines


def fire_text(fire: FireRecord, zone: str, *, has_year: bool = False) -> str:
    """`Fri 20 Nov 23:00  22:00 UTC`; the weekday in UTC too, where that is another."""
    local, utc = datetime.fromisoformat(fire.local), fire.at.astimezone(UTC)
    said = local_text(fire, has_year=has_year)
    if local.second:
        said += f":{local:%S}"
    if zone == "UTC":
        return f"{said} UTC"
    other = "" if local.date() == utc.date() else f"{_DAYS[utc.weekday()]} "
    return f"{said}  {other}{utc:%H:%M} UTC"


def rhythm_warnings(fires: Sequence[FireRecord], target_seconds: int | None) -> list[str]:
    """What nobody can have meant: a promise that no run can keep, or runs that can hardly end before the next."""
    gaps = [(after.at - before.at).total_seconds() for before, after in pairwise(fires)]
    if not gaps:
        return []
    found = []
    if target_seconds is not None and max(gaps) > target_seconds:
        wait, promise = figures.duration(max(gaps)), figures.duration(target_seconds)
        found.append(f"up to {wait} pass between two runs, longer than the {promise} promised: it will be late")
    if min(gaps) < OFTEN_SECONDS:
        found.append(f"a run every {figures.duration(min(gaps))}: one that takes longer makes the next be refused")
    return found


def verdict_lines(verdicts: Sequence[VerdictRecord], frame: Frame, *, is_new: bool) -> tuple[list[Line], list[Line]]:
    """Which backups go, with how many stay; and those that stay. Each with the rule that says so."""
    if not verdicts:
        return ([] if is_new else labelled(frame, "BACKUPS", "it has none yet", Tone.MUTED)), []
    going = [each for each in verdicts if not each.is_kept]
    staying = [each for each in verdicts if each.is_kept]
    said = f"{len(going)} go, {len(staying)} stay" if going else f"all {len(staying)} stay"
    head = labelled(frame, "BACKUPS", said, Tone.WARN if going else Tone.OK)
    return [*head, *(_verdict_line(each, frame) for each in going)], [_verdict_line(each, frame) for each in staying]


def loss_lines(lost: Sequence[VerdictRecord], frame: Frame) -> list[Line]:
    """The backups that an edit lets go, the newest first, each with the rule that says so."""
    said = f"{len(lost)} that would stay as the schedule is now"
    end = "gone for good with the next good run; until then the schedule can be changed back"
    return [
        *labelled(frame, "GO", said, Tone.CRIT),
        *(_verdict_line(each, frame) for each in lost),
        *labelled(frame, "WHEN", end, Tone.WARN),
    ]


def _verdict_line(verdict: VerdictRecord, frame: Frame) -> Line:
    column = VALUE_COLUMN if frame.width >= 44 else 2
    word, tone = ("stays", Tone.OK) if verdict.is_kept else ("goes", Tone.WARN)
    when = frame.glyphs.nobody_said
    if verdict.created_at is not None:
        when = f"{figures.day(verdict.created_at)} {verdict.created_at:%H:%M}"
    rule = fit_sentence(verdict.rule, frame.width - column - 21, frame.glyphs)
    return compose(frame.width, left(column, word, tone), left(column + 6, when), left(column + 20, rule, Tone.MUTED))


# Storage -------------------------------------------------------------------------------------------------------------


def storage_lines(storage: Sequence[OutlookRecord], frame: Frame) -> list[Line]:
    """The quota of each project that has one, as a bar: in use, what this comes to at most, free."""
    lines: list[Line] = []
    for each in storage:
        label = "QUOTA" if not lines else ""
        if each.limit_bytes is None:
            continue
        growth = each.growth_bytes
        more = "more with every run" if growth is None else f"{figures.gib(growth)} GiB more at most"
        text = f"{figures.gib(each.used_bytes)} of {figures.gib(each.limit_bytes)} GiB, {more}"
        column = VALUE_COLUMN if frame.width >= 44 else 2
        tone = Tone.TEXT if each.is_enough else Tone.WARN
        if frame.width - column - BAR_WIDTH - 2 < cells(text):
            lines += labelled(frame, label, text, tone)
            continue
        bar = _bar(each, frame)
        placed: list[Placed] = [at(column, bar), left(column + BAR_WIDTH + 1, text, tone)]
        lines.append(compose(frame.width, left(2, label, Tone.MUTED), *placed))
    return lines


def _bar(storage: OutlookRecord, frame: Frame) -> Line:
    """In use, then what is to come, then what stays free."""
    glyphs, limit = frame.glyphs, max(1, storage.limit_bytes or 0)
    free = max(0, limit - storage.used_bytes)
    growth = free if storage.growth_bytes is None else min(free, storage.growth_bytes)
    used, more, rest = figures.bar_widths((min(limit, storage.used_bytes), growth), limit, BAR_WIDTH)
    tone = Tone.ACCENT if storage.is_enough else Tone.WARN
    return (Span(glyphs.normal * used), Span(glyphs.backfill * more, tone), Span(glyphs.free * rest, Tone.MUTED))


# Backups -------------------------------------------------------------------------------------------------------------


def backup_lines(found: BackupPlanRecord, frame: Frame) -> tuple[Line, ...]:
    """What a verb of a backup or a schedule would come to."""
    told = found.plan
    seconds = told.downtime_seconds
    # The sentence of a plan about a server does not fit: nothing that runs is off meanwhile.
    lines = list(plan.plan_lines(told._replace(downtime_seconds=None, sentences=()), None, frame))
    if not told.is_allowed:
        return tuple(lines)
    if not (told.copies or told.decision):
        lines = []
    if found.start_problem is not None:
        lines += labelled(frame, "STAYS OFF", found.start_problem, Tone.WARN)
    elif seconds:
        lines += labelled(frame, "READY", f"it runs in about {figures.duration(seconds)}")
    lines += storage_lines(found.storage, frame)
    for number, sentence in enumerate(told.sentences):
        lines += labelled(frame, "" if number else "WHAT", sentence, Tone.TEXT if not number else Tone.MUTED)
    return tuple(lines)


def flavor_items(flavors: Sequence[FlavorRecord], frame: Frame) -> list[MenuItem]:
    """A menu of them; those that are too small are off, and say why."""
    made = []
    for letter, each in zip(FLAVOR_LETTERS, flavors, strict=False):
        parts = [] if each.vcpus is None else [f"{each.vcpus} vCPU"]
        if each.memory_bytes is not None:
            parts.append(f"{figures.gib(each.memory_bytes)} GiB")
        if each.disk_bytes is not None:
            parts.append(f"disk {figures.gib(each.disk_bytes)} GiB")
        if each.note is not None:
            parts.append(each.note)
        made.append(MenuItem(letter, each.name, ", ".join(parts), 0, each.problem))
    return made
