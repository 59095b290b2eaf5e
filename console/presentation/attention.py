"""What needs attention: who, what, since when, and what would help. Worst first; calm facts are not in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from console.presentation import figures, money, redundancy
from console.presentation.columns import Column, Kind
from console.presentation.lines import Frame, Glyphs, Tone
from console.presentation.mirror import Mirror
from console.records import CellRecord, Factors, GroupRecord
from console.records_backups import ScheduleRecord

NAMED = 3
"""Of many that have the same trouble."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One row of the list."""

    key: str
    """What the row leads to."""
    glyph: str
    tone: Tone
    who: str
    what: str
    remedy: str
    since: datetime | None = None
    is_wall: bool = False
    """Whether `since` is the wall's instant, as it is for cells, and not the cloud's."""


COLUMNS: tuple[Column[Alarm], ...] = (
    Column("who", lambda alarm: alarm.who, width=20, is_searched=True),
    Column("what", lambda alarm: alarm.what, Kind.SENTENCE, width=60, is_searched=True),
    Column("tone", lambda alarm: alarm.tone.value, Kind.WORD, width=8, words=("crit", "warn", "unknown")),
    Column("remedy", lambda alarm: alarm.remedy, width=60),
    Column("since", lambda alarm: figures.iso(alarm.since), width=20),
)
"""What a row is as values."""


def alarms(mirror: Mirror, frame: Frame) -> list[Alarm]:
    """A full disk, cells that do not answer, lost hosts, fragile groups, schedules that are off, backups that are
    missing, accounts short of money, then backfilling in one line.
    """
    glyphs = frame.glyphs
    return [
        *_full(mirror, glyphs),
        *(_cell(cell, glyphs, is_zone=mirror.offer is not None) for cell in _silent(mirror)),
        *_notes(mirror, glyphs),
        *_hosts(mirror, glyphs),
        *_stranded(mirror, glyphs),
        *_groups(mirror, glyphs),
        *_schedules(mirror, glyphs),
        *_uncovered(mirror, glyphs),
        *_short(mirror, glyphs),
        *_backfill(mirror, glyphs),
    ]


def _full(mirror: Mirror, glyphs: Glyphs) -> Iterable[Alarm]:
    """What takes no changes. Everything answers, and what was acknowledged is kept."""
    if mirror.full_files:
        files = ", ".join("cloud.db" if name == "cloud" else name for name in mirror.full_files)
        verb = "takes" if len(mirror.full_files) == 1 else "take"
        what = f"disk full; {files} {verb} no changes"
        remedy = "make room on the disk of the cloud's folder; what waits goes on by itself"
        yield Alarm("view:cells", glyphs.violation, Tone.CRIT, "disk", what, remedy)


def _silent(mirror: Mirror) -> list[CellRecord]:
    silent = [cell for cell in mirror.cells or () if not cell.is_up]
    return sorted(silent, key=lambda cell: (figures.cell_state(cell).rank, cell.name))


def _cell(cell: CellRecord, glyphs: Glyphs, *, is_zone: bool = False) -> Alarm:
    look = figures.cell_state(cell, glyphs)
    if is_zone:
        remedy = "what is UNKNOWN is kept as last known; it lies in a cell that does not answer"
        what = f"{look.word}; {cell.reason}"
        return Alarm(f"cell:{cell.name}", look.glyph, look.tone, cell.name, what, remedy, cell.since, True)
    unknown, waits = cell.unknown or 0, cell.waiting_tasks or 0
    known = [f"{unknown:,} servers UNKNOWN"] if unknown else []
    known += [f"{waits} task{'s wait' if waits != 1 else ' waits'}"] if waits else []
    parts = [look.word, *([", ".join(known)] if known else []), *([cell.reason] if cell.reason else [])]
    retry = "" if cell.next_try_seconds is None else f"; asked again in {figures.countdown(cell.next_try_seconds)}"
    remedy = f"its tasks resume by themselves when it answers{retry}"
    return Alarm(f"cell:{cell.name}", look.glyph, look.tone, cell.name, "; ".join(parts), remedy, cell.since, True)


def _notes(mirror: Mirror, glyphs: Glyphs) -> Iterable[Alarm]:
    """What a cloud that answers does not tell as it should."""
    for view, text in mirror.notes.items():
        yield Alarm(f"view:{view}", glyphs.attention, Tone.WARN, view, text, text)


def _hosts(mirror: Mirror, glyphs: Glyphs) -> Iterable[Alarm]:
    lost = [host for host in mirror.hosts or () if host.state == "down" and mirror.is_host_known(host)]
    if not lost:
        return
    held = Counter(row.host for row in mirror.fleet.lost)
    storage = [host.name for host in lost if host.kind == "storage"]
    paused = _paused_by(mirror, storage)
    for host in sorted(lost, key=lambda host: (-held[host.name] - (paused[host.name] if paused else 0), host.name)):
        if host.kind == "storage":
            own = len(mirror.fleet.paused) if paused is None else paused[host.name]
            what = "storage host down" + (f"; {own:,} server{'s' if own != 1 else ''} paused" if own else "")
            what += f" by {len(storage)} such hosts" if own and paused is None else ""
            remedy = "they go on by themselves when it is back; nothing on it can be started meanwhile"
        else:
            number = held[host.name]
            what = "host down" + (f"; {number} server{'s' if number != 1 else ''} unavailable" if number else "")
            remedy = "its service does not report; whether its servers run is not known" \
                if mirror.offer is not None else "host lost without notice: no grace"  # fmt: skip
        yield Alarm(f"host:{host.name}", glyphs.lost, Tone.CRIT, host.name, what, remedy, host.state_since)


def _paused_by(mirror: Mirror, storage: Sequence[str]) -> Counter[str] | None:
    """How many servers each lost storage host has paused; None where that is not known.

    Drives tell it, and they may not have been read; where only one storage host is lost, all are its own.
    """
    if len(storage) == 1:
        return Counter({storage[0]: len(mirror.fleet.paused)})
    if not mirror.are_drives_complete:
        return None
    drives = mirror.drives.by_server
    hosts = ({drive.host for drive in drives.get(row.id, ())} for row in mirror.fleet.paused)
    return Counter(host for held in hosts for host in held if host is not None)


def _stranded(mirror: Mirror, glyphs: Glyphs) -> Iterable[Alarm]:
    """Servers that are lost although no host is named for it."""
    down = {host.name for host in mirror.hosts or () if host.state == "down"}
    rows = [row for row in mirror.fleet.lost if row.host not in down]
    if rows:
        since = max((row.state_since for row in rows if row.state_since is not None), default=None)
        what = f"{len(rows)} unavailable: " + ", ".join(sorted(row.title for row in rows)[:NAMED])
        yield Alarm("view:servers", glyphs.lost, Tone.CRIT, "servers", what, "their rows say why", since)


def fragile(group: GroupRecord) -> bool:
    """Whether a group that is meant to survive something is at risk: it tolerates nothing, or members collide."""
    return len(group.members) > 1 and (bool(group.collisions) or (group.tolerates == 0 and not group.is_bound))


def _groups(mirror: Mirror, glyphs: Glyphs) -> Iterable[Alarm]:
    rows = [group for group in redundancy.worst_first(mirror) if fragile(group)]
    rows.sort(key=lambda group: not (group.tolerates == 0 and not group.is_bound))
    for group in rows:
        tone = Tone.CRIT if group.tolerates == 0 and not group.is_bound else Tone.WARN
        remedy = (
            "start one of them again with the others in its avoid list" if group.collisions else "one more host helps"
        )
        yield Alarm(f"group:{group.name}", glyphs.violation, tone, group.name, redundancy.risk(group), remedy)
    unjudged = [group.name for group in redundancy.worst_first(mirror) if _cannot_be_judged(group)]
    if unjudged:
        more = f", {glyphs.ellipsis}" if len(unjudged) > NAMED else ""
        what = f"{len(unjudged):,} cannot be judged, members do not answer: {', '.join(unjudged[:NAMED])}{more}"
        remedy = "they tolerate at least 0; what is known of them is in :groups, first"
        yield Alarm("view:groups", glyphs.unknown, Tone.UNKNOWN, "groups", what, remedy)


def _cannot_be_judged(group: GroupRecord) -> bool:
    """Whether a group may tolerate nothing, and whether it does would be known only of all its members."""
    return len(group.members) > 1 and group.is_bound and not group.tolerates and not group.collisions


def _schedules(mirror: Mirror, glyphs: Glyphs) -> Iterable[Alarm]:
    for schedule in sorted(map(mirror.with_name, mirror.schedules or ()), key=lambda schedule: schedule.title):
        what = _schedule_trouble(schedule)
        if what is not None:
            remedy = "remove the cause, then switch it on" if not schedule.is_active else "one catch-up run is owed"
            since = schedule.missed_since or schedule.off_since or schedule.last_run_at
            key = f"schedule:{schedule.id}"
            yield Alarm(key, glyphs.attention, Tone.WARN, schedule.title, what, remedy, since)


def _schedule_trouble(schedule: ScheduleRecord) -> str | None:
    """Off is only trouble when nobody asked for it; missed is not failed."""
    if not schedule.is_active and schedule.reason:
        return f"failed: {schedule.reason}"
    return "missed: its source could not be reached" if schedule.missed_since is not None else None


def _uncovered(mirror: Mirror, glyphs: Glyphs) -> Iterable[Alarm]:
    """Servers without a backup as new as was promised, and those that nobody backs up at all."""
    found = mirror.protection.counts
    if found is None:
        return
    parts = [f"{found.late:,} server{'s' if found.late != 1 else ''} late"] if found.late else []
    if found.uncovered:
        parts.append(f"{found.uncovered:,} of {found.total:,} servers in no active schedule")
    if parts:
        remedy = "enter lists them, the worst first; a schedule of their project covers them all"
        yield Alarm("view:coverage", glyphs.attention, Tone.WARN, "backups", "; ".join(parts), remedy)


def _short(mirror: Mirror, glyphs: Glyphs) -> Iterable[Alarm]:
    """Accounts that are held to a balance which is gone, or soon will be."""
    for each in sorted(mirror.short_of_money, key=lambda each: (each.lasts_seconds or 0, each.account)):
        is_gone = each.balance <= 0
        is_ending = not is_gone and each.lasts_seconds is not None
        lasts = f", lasts {money.lasts_words(each.balance, each.lasts_seconds)}" if is_ending else ""
        what = f"balance {money.money(each.balance)}{lasts}"
        remedy = "it starts and makes nothing that it cannot pay for five days; x there gives it a balance"
        tone, glyph = (Tone.CRIT, glyphs.violation) if is_gone else (Tone.WARN, glyphs.attention)
        yield Alarm(f"account:{each.account}", glyph, tone, each.account, what, remedy, each.below_since)


def _backfill(mirror: Mirror, glyphs: Glyphs) -> Iterable[Alarm]:
    fleet = mirror.fleet
    shrunk, stopped, noticed = fleet.shrunk, fleet.stopped_for_room, fleet.noticed
    parts = []
    if shrunk:
        hosts = len({row.host for row in shrunk})
        floored = sum(_is_at_floor(row.perf_factor, row.floor) for row in shrunk)
        parts.append(f"{len(shrunk):,} shrunk on {hosts} host{'s' if hosts != 1 else ''}, {floored:,} at floor")
    if stopped:
        parts.append(f"{len(stopped):,} stopped")
    if noticed:
        parts.append(f"{len(noticed):,} will be stopped")
    if parts:
        instants = [at for row in (*shrunk, *stopped) for at in (row.squeezed_at, row.displaced_at) if at is not None]
        causes = len({row.squeezed_by for row in shrunk} - {None})
        remedy = (
            f"by {causes} normal server{'s' if causes != 1 else ''}" if causes else "to make room for normal servers"
        )
        latest = max(instants, default=None)
        yield Alarm("view:backfill", glyphs.attention, Tone.WARN, "backfill", "; ".join(parts), remedy, latest)


def _is_at_floor(factor: Factors | None, floor: Factors | None) -> bool:
    if factor is None or floor is None:
        return False
    pairs = ((factor.cpu, floor.cpu), (factor.memory, floor.memory))
    return any(figures.factor_tone(share, low) is Tone.WARN for share, low in pairs)
