"""The cells: who answers, who does not, and what that means for everything else.

A cell that does not answer says three things below the list: what is known of its servers, what is kept from before,
and what cannot be done now. That is the contract of a down cell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from operator import attrgetter

from console.presentation import chosen, figures, filtering, sorting, tasks
from console.presentation.columns import Column, Kind, Table, Value
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
    blank,
    compose,
    fit_name,
    fit_sentence,
    left,
    remark,
    right,
    span_width,
    wrap,
)
from console.presentation.mirror import Mirror
from console.presentation.offered import zone_word
from console.presentation.remembered import remembered
from console.records import CellRecord, HostRecord, SizeRecord

HISTORY = 8


def view(mirror: Mirror, frame: Frame) -> View:
    """Every cell, worst first unless the frame says otherwise."""
    known = columns(frame)
    query = filtering.parse(frame.filter, known)
    shown = sorting.as_asked(filtering.matching(worst_first(mirror), query, known), frame, known)
    table = Table(known, shown, key_of, lambda cell: cell.is_up and not mirror.is_offline)
    region: Region
    if shown and chosen.is_asked(table, frame, frame.width):
        region = chosen.region(table, frame, frame.width)
    elif shown:
        region = Rows(_head(frame), shown, lambda cell: row(mirror, frame, cell), key_of)
    else:
        region = Lines([remark(frame, _instead(mirror, frame))], head=_head(frame))
    order = sorting.said(frame, "worst first", known)
    number = filtering.number_of(len(shown), len(mirror.cells or ()), frame.filter)
    note = frame.glyphs.nobody_said if mirror.cells is None else filtering.note(number, order, frame.filter)
    return View(
        "cells",
        ("cells",),
        note,
        (region,),
        status=lambda key: status(mirror, frame, key),
        preview=lambda key: preview(mirror, frame, key),
        table=table,
        heads={"CELL": "name", "ANSWER ms": "answer", "SRV": "servers", "WAIT": "waiting"},
        problem=query.problem,
    )


def columns(frame: Frame) -> tuple[Column[CellRecord], ...]:
    """What a cell's row is as values."""

    def free(size: Callable[[SizeRecord], int]) -> Callable[[CellRecord], Value]:
        return lambda cell: None if cell.free is None or not cell.is_up else size(cell.free)

    return (
        Column(
            "state",
            attrgetter("state"),
            Kind.WORD,
            width=8,
            is_searched=True,
            words=("up", "down", "hung"),
            draw=lambda cell: chosen.state(figures.cell_state(cell, frame.glyphs)),
        ),
        Column("name", attrgetter("name"), head="CELL", width=12, is_searched=True),
        Column("for", lambda cell: figures.seconds_since(cell.since, frame.wall_now), Kind.SECONDS, "FOR", 7),
        Column("answer", attrgetter("answer_ms"), Kind.COUNT, "ms", 7),
        Column("hosts", attrgetter("hosts"), Kind.COUNT, width=7),
        Column("servers", attrgetter("servers"), Kind.COUNT, width=8),
        Column("unknown", attrgetter("unknown"), Kind.COUNT, width=8),
        Column("waiting", attrgetter("waiting_tasks"), Kind.COUNT, width=8),
        Column("risk", attrgetter("backups_at_risk"), Kind.COUNT, width=6),
        Column("free", free(attrgetter("cpu_mhz")), Kind.CPU, "FREE GHz", 9),
        Column("free-memory", free(attrgetter("memory_bytes")), Kind.BYTES, "FREE GiB", 9),
        Column("reason", attrgetter("reason"), width=28),
    )


def key_of(cell: CellRecord) -> str:
    return f"cell:{cell.name}"


def worst_first(mirror: Mirror) -> list[CellRecord]:
    return sorted(mirror.cells or (), key=lambda cell: (figures.cell_state(cell).rank, cell.name))


def _instead(mirror: Mirror, frame: Frame) -> str:
    if mirror.cells is None:
        return frame.glyphs.ellipsis
    if frame.filter:
        return f"no cells match /{frame.filter}   esc clears the filter"
    return f"this cloud has no {zone_word(mirror)}s"


def _find(mirror: Mirror, key: str | None) -> CellRecord | None:
    return mirror.cell(key.removeprefix("cell:")) if key is not None else None


# Rows ------------------------------------------------------------------------------------------------------------


def _head(frame: Frame) -> Line:
    width, muted = frame.width, Tone.MUTED
    placed: list[Placed] = [left(2, "CELL", muted), left(10, "STATE", muted), left(19, "FOR", muted)]
    if width < 60:
        return compose(width, *placed, right(width - 2, "UNKNOWN", muted))
    if width < 80:
        placed += [right(36, "ANSWER ms", muted), right(42, "SRV", muted), right(51, "UNKNOWN", muted)]
        return compose(width, *placed, right(58, "WAIT", muted))
    placed += [right(33, "ANSWER ms", muted), right(39, "NEXT", muted), right(45, "HOSTS", muted)]
    placed += [right(51, "SRV", muted), right(59, "UNKNOWN", muted), right(64, "WAIT", muted)]
    placed += [right(69, "RISK", muted), left(71, "LAST 8", muted)]
    if width >= 120:
        legend = f"{frame.glyphs.normal}normal {frame.glyphs.backfill}backfill"
        placed.append(left(84, "HOSTS BY FILL", muted))
        placed.append(left(min(110, width - 1 - len(legend)), legend, muted))
    return compose(width, *placed)


def row(mirror: Mirror, frame: Frame, cell: CellRecord) -> Line:
    width, glyphs = frame.width, frame.glyphs
    look = figures.cell_state(cell, glyphs)
    is_known = cell.is_up and not mirror.is_offline
    tone = Tone.TEXT if is_known else Tone.UNKNOWN
    since = figures.seconds_since(cell.since, frame.wall_now)
    lasts = glyphs.nobody_said if since is None else figures.duration(since)
    unknown = _or_dot(cell.unknown, glyphs)
    placed: list[Placed] = [
        left(2, fit_name(cell.name, 7, glyphs), tone),
        left(10, look.glyph, look.tone),
        left(12, look.word, look.tone),
        left(19, lasts, tone),
    ]
    if width < 60:
        return compose(width, *placed, right(width - 2, unknown, _count_tone(cell.unknown)))
    servers = figures.or_dash(None if cell.servers is None else figures.count(cell.servers), glyphs)
    waits = _or_dot(cell.waiting_tasks, glyphs)
    waits_tone = Tone.WARN if cell.waiting_tasks else Tone.MUTED
    answer = answer_text(cell, glyphs)
    if width < 80:
        placed += [right(36, answer, tone), right(42, servers, tone), right(51, unknown, _count_tone(cell.unknown))]
        return compose(width, *placed, right(58, waits, waits_tone))
    hosts = None if cell.hosts is None else figures.count(cell.hosts)
    placed += [
        right(33, answer, tone),
        right(39, _next(cell, glyphs), tone),
        right(45, figures.or_dash(hosts, glyphs) if is_known else figures.last_known(hosts, glyphs), tone),
        right(51, servers, tone),
        right(59, unknown, _count_tone(cell.unknown)),
        right(64, waits, waits_tone),
        right(69, _or_dot(cell.backups_at_risk, glyphs), Tone.WARN if cell.backups_at_risk else Tone.MUTED),
        at(71, ribbon(cell, glyphs)),
    ]
    if width >= 120:
        placed += [at(84, host_strip(mirror, frame, cell, 24)), at(110, use(cell, min(40, width - 112), frame))]
    return compose(width, *placed)


def _or_dot(number: int | None, glyphs: Glyphs) -> str:
    if number is None:
        return glyphs.nobody_said
    return figures.count(number) if number else glyphs.nothing


def _count_tone(number: int | None) -> Tone:
    return Tone.UNKNOWN if number or number is None else Tone.MUTED


def _next(cell: CellRecord, glyphs: Glyphs) -> str:
    if cell.next_try_seconds is None:
        return glyphs.nothing
    return figures.countdown(cell.next_try_seconds)


def answer_text(cell: CellRecord, glyphs: Glyphs) -> str:
    """How long the last answer took, or in a word why there was none."""
    if cell.is_up:
        return figures.or_dash(None if cell.answer_ms is None else f"{cell.answer_ms:.0f}", glyphs)
    if cell.state == "hung":
        digits = "".join(sign for sign in cell.reason if sign.isdigit())
        return f">{digits}" if digits else ">limit"
    words = ("refused", "missing", "corrupt", "locked", "older", "injected")
    return next((word for word in words if word in cell.reason), glyphs.nobody_said)


_HISTORY_LOOK = {"up": ("done", Tone.MUTED), "down": ("lost", Tone.CRIT), "hung": ("unknown", Tone.UNKNOWN)}


def ribbon(cell: CellRecord, glyphs: Glyphs) -> Line:
    """The last answers, oldest first: ticks are muted so that crosses stand out."""
    spans = []
    for word in cell.history[-HISTORY:]:
        name, tone = _HISTORY_LOOK.get(word, ("unknown", Tone.UNKNOWN))
        spans.append(Span(str(getattr(glyphs, name)), tone))
    return tuple(spans)


class _HostsOfCell:
    """Each drawn once for as long as they are as they are."""

    def __init__(self) -> None:
        self.hosts: list[HostRecord] = []
        self._strips: dict[tuple[Glyphs, int, bool], Line] = {}

    def strip(self, glyphs: Glyphs, width: int, is_known: bool) -> Line:
        how = glyphs, width, is_known
        if how not in self._strips:
            self._strips[how] = figures.strip(self.hosts, glyphs, width=width, is_known=is_known)
        return self._strips[how]


@remembered(lambda hosts: (hosts,))
def _by_cell(hosts: tuple[HostRecord, ...] | None) -> dict[str, _HostsOfCell]:
    found: dict[str, _HostsOfCell] = defaultdict(_HostsOfCell)
    for host in hosts or ():
        found[host.cell].hosts.append(host)
    return found


def host_strip(mirror: Mirror, frame: Frame, cell: CellRecord, width: int) -> Line:
    """The cell's hosts by fill, or `—` where they were never seen."""
    hosts = _by_cell(mirror.hosts).get(cell.name)
    if hosts is None:
        return (Span(frame.glyphs.nobody_said, Tone.UNKNOWN),)
    spans = hosts.strip(frame.glyphs, width, cell.is_up and not mirror.is_offline)
    return spans if span_width(spans) <= width else (Span(frame.glyphs.ellipsis, Tone.MUTED),)


def use(cell: CellRecord, width: int, frame: Frame) -> Line:
    """The bar of a cell's CPU, `—` where its figures were never told."""
    if cell.capacity is None or width < 8:
        return (Span(frame.glyphs.nobody_said, Tone.UNKNOWN),)
    normal = cell.normal.cpu_mhz if cell.normal else 0
    backfill = cell.backfilling.cpu_mhz if cell.backfilling else 0
    return figures.use_bar(normal, backfill, cell.capacity.cpu_mhz, width, frame.glyphs, is_known=cell.is_up)


# Below the list ---------------------------------------------------------------------------------------------------


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    cell = _find(mirror, key)
    if cell is None:
        return ()
    if cell.is_up:
        return (Span(f"{cell.name}: answers; enter opens its servers", Tone.MUTED),)
    known = f" at {figures.instant(cell.since, frame.wall_now)}" if cell.since is not None else ""
    if mirror.offer is not None:
        return (Span(f"{cell.name}: {cell.reason}; those rows are kept as last known", Tone.MUTED),)
    text = f"{cell.name}: rows kept as last known{known}, marked {frame.glyphs.last_known}; nothing is placed there"
    return (Span(text, Tone.MUTED),)


def preview(mirror: Mirror, frame: Frame, key: str) -> tuple[Line, ...]:
    """What the state of this cell means, and what waits in it."""
    cell = _find(mirror, key)
    if cell is None:
        return ()
    lines = [blank(frame.width)]
    if mirror.offer is not None:
        lines += _zone_lines(mirror, frame, cell)
    else:
        lines += _up_lines(mirror, frame, cell) if cell.is_up else _silent_lines(frame, cell)
    return (*lines, *_task_lines(mirror, frame, cell))


def _labelled(frame: Frame, label: str, text: str, tone: Tone = Tone.TEXT) -> Line:
    room = frame.width - 11
    return compose(frame.width, left(1, label, Tone.MUTED), left(9, fit_sentence(text, room, frame.glyphs), tone))


def _silent_lines(frame: Frame, cell: CellRecord) -> list[Line]:
    look = figures.cell_state(cell, frame.glyphs)
    since = f" since {figures.instant(cell.since, frame.wall_now)}" if cell.since is not None else ""
    reason = f": {cell.reason}" if cell.reason else ""
    retry = "" if cell.next_try_seconds is None else f"next try in {figures.countdown(cell.next_try_seconds)}"
    room = frame.width - 12 - len(retry)
    return [
        compose(
            frame.width,
            left(1, fit_name(cell.name, 7, frame.glyphs), look.tone),
            left(9, fit_sentence(f"{look.word}{since}{reason}", room, frame.glyphs)),
            right(frame.width - 2, retry, Tone.MUTED),
        ),
        _labelled(frame, "known", "id, project, owner, created, size, whether it is backfilling"),
        _labelled(frame, "kept", "name, host, group, factors as last seen, shown dimmed with ~"),
        _labelled(frame, "not now", "start, stop, delete, edit: refused; its tasks wait; nothing is placed"),
        _labelled(frame, "answer", last_answer(cell, frame)),
        *_risk_lines(frame, cell),
    ]


def _zone_lines(mirror: Mirror, frame: Frame, zone: CellRecord) -> list[Line]:
    """A zone of another kind of cloud, and what its rows can tell of cells."""
    assert mirror.offer is not None, "only another kind of cloud has zones here"
    since = f" since {figures.instant(zone.since, frame.wall_now)}" if zone.since is not None else ""
    look = figures.cell_state(zone, frame.glyphs)
    name = fit_name(zone.name, 7, frame.glyphs)
    if zone.is_up:
        lines = _up_lines(mirror, frame, zone)
    else:
        lines = [
            _labelled(frame, name, f"{look.word}{since}: {zone.reason}", look.tone),
            _labelled(frame, "known", "id, project and creation"),
            _labelled(frame, "kept", "what was seen here last, shown dimmed with ~"),
            _labelled(frame, "not now", "start, shut down, reboot, delete: the API fails each of them"),
        ]
    lines.append(blank(frame.width))
    lines += [
        compose(frame.width, left(1, row, Tone.MUTED)) for row in wrap(mirror.offer.cells, max(1, frame.width - 3))
    ]
    return lines


def last_answer(cell: CellRecord, frame: Frame) -> str:
    """How long ago the cell last answered, and how long that took; of a cell that never did here, that nobody knows."""
    age = figures.age_since(cell.answered_at, frame.wall_now)
    if age is None:
        return "not since this backend started"
    took = "" if cell.answer_ms is None else f", within {cell.answer_ms:.0f} ms"
    return f"last {age} ago{took}"


def backups_at_risk(cell: CellRecord) -> str | None:
    """What `RISK` counts, in a sentence; None where nobody told."""
    number = cell.backups_at_risk
    if number is None:
        return None
    if not number:
        return "none: every server that a schedule copies has a copy as new as promised"
    plural = "s have" if number != 1 else " has"
    due = "" if cell.is_up else "a run due, or "
    return f"{figures.count(number)} server{plural} {due}no copy as new as promised"


def _risk_lines(frame: Frame, cell: CellRecord) -> list[Line]:
    """Only where there is a risk: that all is well is said by a dot in the row."""
    text = backups_at_risk(cell)
    return [_labelled(frame, "backups", text, Tone.WARN)] if text is not None and cell.backups_at_risk else []


def _up_lines(mirror: Mirror, frame: Frame, cell: CellRecord) -> list[Line]:
    width, glyphs = frame.width, frame.glyphs
    told = "" if cell.answer_ms is None and cell.answered_at is None else f"; {last_answer(cell, frame)}"
    lines = [_labelled(frame, fit_name(cell.name, 7, glyphs), f"answers{told}"), *_risk_lines(frame, cell)]
    if any(host.cell == cell.name for host in mirror.hosts or ()):
        strip = host_strip(mirror, frame, cell, width - 12)
        lines.append(compose(width, left(1, "hosts", Tone.MUTED), at(9, strip)))
    if cell.capacity is not None:
        used = figures.added(cell.normal, cell.backfilling)
        cpu = used.cpu_mhz if used else 0
        numbers = f"{figures.ghz_whole(cpu)} of {figures.ghz_whole(cell.capacity.cpu_mhz)} GHz"
        bar = use(cell, max(8, min(40, width - 36)), frame)
        lines.append(compose(width, left(1, "CPU", Tone.MUTED), at(9, bar), left(11 + span_width(bar), numbers)))
    if cell.free is not None:
        text = f"{figures.ghz(cell.free.cpu_mhz)} GHz, {figures.gib(cell.free.memory_bytes)} GiB on its best host"
        lines.append(_labelled(frame, "free", text))
    return lines


def _task_lines(mirror: Mirror, frame: Frame, cell: CellRecord) -> list[Line]:
    """The cell's open tasks, and how many wait elsewhere."""
    open_tasks = [task for task in tasks.without_sources(mirror.tasks or ()) if task.state == "open"]
    here = tasks.running_order(mirror, frame, [task for task in open_tasks if task.cell == cell.name])
    if not here or frame.width < 60:
        return []
    muted = Tone.MUTED
    heads = (left(1, "OPEN TASK", muted), left(16, "TARGET", muted), right(44, "SINCE", muted), left(48, "ENDS", muted))
    lines = [blank(frame.width), compose(frame.width, *heads)]
    elsewhere = [task.cell for task in open_tasks if task.cell != cell.name and tasks.is_waiting(mirror, task)]
    for place, task in enumerate(here):
        waits = tasks.is_waiting(mirror, task)
        since = "" if task.begun_at is None else figures.duration((frame.now - task.begun_at).total_seconds())
        if waits:
            ends = f"when {fit_name(cell.name, 10, frame.glyphs)} answers"
        else:
            ends = "" if task.due_at is None else f"in {figures.countdown((task.due_at - frame.now).total_seconds())}"
        placed = [
            left(1, fit_name(tasks.kind(task), 14, frame.glyphs)),
            left(16, fit_name(tasks.target(mirror, task), 20, frame.glyphs), Tone.UNKNOWN if waits else Tone.TEXT),
            right(44, since, Tone.WARN if waits else Tone.TEXT),
            left(48, ends, muted),
        ]
        if place == len(here) - 1 and elsewhere and waits:
            placed.append(right(frame.width - 2, f"+{len(elsewhere)} other", muted))
        lines.append(compose(frame.width, *placed))
    return lines
