"""What is under way, what waits for its cell, and what has ended: in that order.

Waiting is not 0 %: a task in a cell that does not answer has no percentage, it has `—`. A clone is two tasks, one on
each side, since source and copy may lie in different cells: the source's is not shown while the copy's is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

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
    fit_sentence,
    left,
    matched,
    remark,
    right,
)
from console.presentation.mirror import Mirror
from console.records import TaskRecord

RULE_OF_LEFT = 0.05
"""Below this share a remaining time made of the past one would be a guess."""
SHARE_OPEN_MAX = 0.99
"""What is not reported as done is not shown as all done, though its time be over."""
ORDERS = ("progress", "left", "task", "target", "cell")


def view(mirror: Mirror, frame: Frame) -> View:
    """Tasks of the cloud, or of the cell that `frame.scope` names."""
    known = columns(mirror, frame)
    query = filtering.parse(frame.filter, known)
    in_scope = [task for task in without_sources(mirror.tasks or ()) if frame.scope in (None, task.cell)]
    shown = filtering.matching(in_scope, query, known)
    going = running_order(mirror, frame, [task for task in shown if task.state == "open"], is_as_asked=True)
    ended = _ended_order(mirror, frame, [task for task in shown if task.state != "open" and task.ended_at is not None])
    width = frame.width
    regions: list[Region] = []
    if going:
        regions.append(Rows(_head(width), going, lambda task: row(mirror, frame, task), _key))
    else:
        regions.append(Lines([remark(frame, _instead(mirror, frame), width=width)], head=_head(width)))
    if ended:
        regions += [blank_region(width), ended_region(mirror, frame, ended)]
    waits = sum(is_waiting(mirror, task) for task in going)
    return View(
        "tasks",
        ("cells", frame.scope, "tasks") if frame.scope else ("tasks",),
        _note(mirror, frame, len(going) - waits, waits, len(ended)),
        tuple(regions),
        status=lambda key: status(mirror, frame, key),
        orders=ORDERS,
        heads={"ENDED": "task", "TASK": "task"},
        table=Table(known, [*going, *ended], _key, lambda task: not is_waiting(mirror, task)),
        problem=query.problem,
    )


def columns(mirror: Mirror, frame: Frame) -> tuple[Column[TaskRecord], ...]:
    """What a task's row is as values."""
    return (
        Column("task", kind, width=16, is_searched=True),
        Column("target", lambda task: target(mirror, task), width=20, is_searched=True),
        Column("own", lambda task: task.object_name, width=20, is_searched=True, head="COPY"),
        Column("state", attrgetter("state"), Kind.WORD, width=10, is_searched=True,
               words=("open", "done", "failed", "cancelled")),
        Column("progress", lambda task: None if is_waiting(mirror, task) else share(frame, task), Kind.SHARE, "%", 6),
        Column("left", lambda task: _seconds_left(mirror, frame, task), Kind.SECONDS, "LEFT", 8),
        Column("runs", lambda task: figures.seconds_since(task.begun_at, frame.now), Kind.SECONDS, "RUNS", 8),
        Column("cell", attrgetter("cell"), width=10, is_searched=True),
        Column("by", attrgetter("actor"), width=24, is_searched=True),
        Column("result", attrgetter("result"), width=30, is_searched=True),
        Column("bytes", attrgetter("bytes_total"), Kind.BYTES, "GiB", 8),
        Column("id", attrgetter("id"), width=16),
    )  # fmt: skip


def _seconds_left(mirror: Mirror, frame: Frame, task: TaskRecord) -> float | None:
    if task.state != "open" or task.due_at is None or is_waiting(mirror, task):
        return None
    return max(0.0, (task.due_at - frame.now).total_seconds())


def _key(task: TaskRecord) -> str:
    return f"task:{task.id}"


# What to call them -------------------------------------------------------------------------------------------------

_KINDS: Mapping[tuple[str, str], str] = {
    ("drive", "create"): "create drive",
    ("drive", "clone"): "clone drive",
    ("drive", "release"): "being copied",
    ("host", "evacuate"): "evacuate host",
    ("host", "relocate"): "relocate host",
    ("group", "restore"): "restore group",
    ("backup", "backup"): "backup",
    ("backup", "restore_backup"): "restore backup",
    ("backup", "delete_backup"): "delete backup",
    ("backup", "drill"): "restore drill",
    ("schedule", "catch_up"): "catch up",
}


def kind(task: TaskRecord) -> str:
    """What is done, in two words at most; a kind that is not known here is said as it is."""
    known = _KINDS.get((task.object_kind, task.kind))
    if known is not None:
        return known
    words = task.kind.replace("_", " ").replace(".", " ")
    return words if task.object_kind in {"", "server", task.kind} else f"{words} {task.object_kind}"


def target(mirror: Mirror, task: TaskRecord) -> str:
    """The name of what the task is about; of a clone, of what is copied."""
    own = mirror.name_of(task.object_id) or task.object_name or task.object_id[:8]
    return (counterpart(mirror, task) or own) if task.kind == "clone" else own


def copy_of(mirror: Mirror, task: TaskRecord) -> str | None:
    """The name of the copy that a clone makes, where its source has another name to be told by."""
    own = mirror.name_of(task.object_id) or task.object_name
    return own if task.kind == "clone" and counterpart(mirror, task) is not None else None


def counterpart(mirror: Mirror, task: TaskRecord) -> str | None:
    """The name of what it is done with."""
    return mirror.name_of(task.counterpart_id) or task.counterpart_name


def target_key(mirror: Mirror, task: TaskRecord) -> str | None:
    """The key of what the task is about, of a backup its server; None where that is gone, or has no description."""
    about = task.counterpart_id if task.object_kind == "backup" else task.object_id
    return object_key(mirror, "server" if task.object_kind == "backup" else task.object_kind, about or "")


def object_key(mirror: Mirror, object_kind: str, object_id: str) -> str | None:
    """The key of an object that a task or an event is about, where that has a description of its own."""
    if object_id in mirror.servers:
        return object_id
    match object_kind:
        case "drive":
            is_gone = mirror.are_drives_complete and object_id not in mirror.drives.by_id
            return None if is_gone else f"drive:{object_id}"
        case "host" | "cell" | "group":
            return f"{object_kind}:{object_id}"
        case _:
            return None


# Which, and in what order ------------------------------------------------------------------------------------------


def without_sources(found: Iterable[TaskRecord]) -> list[TaskRecord]:
    """The tasks without the source's side of each clone that is among them."""
    tasks = list(found)
    copies = {(task.object_id, task.state) for task in tasks if task.kind == "clone"}
    return [task for task in tasks if task.kind != "release" or (task.counterpart_id, task.state) not in copies]


def is_waiting(mirror: Mirror, task: TaskRecord) -> bool:
    """Whether it stands because its cell does not answer."""
    return task.state == "open" and (task.progress is None or not mirror.is_cell_up(task.cell))


def share(frame: Frame, task: TaskRecord) -> float:
    """How much is done now, from the task's own instants: the answer that brought it is already old."""
    if task.state != "open":
        return 1.0
    if task.begun_at is not None and task.due_at is not None and task.due_at > task.begun_at:
        whole = (task.due_at - task.begun_at).total_seconds()
        return min(SHARE_OPEN_MAX, max(0.0, (frame.now - task.begun_at).total_seconds() / whole))
    return min(SHARE_OPEN_MAX, task.progress or 0.0)


def running_order(
    mirror: Mirror, frame: Frame, tasks: Sequence[TaskRecord], *, is_as_asked: bool = False
) -> list[TaskRecord]:
    """What moves, the furthest first, or as the frame asks; then what waits, by cell, the longest first."""
    moving = [task for task in tasks if not is_waiting(mirror, task)]
    moving.sort(key=lambda task: (-share(frame, task), task.begun_at or frame.now, task.id))
    if is_as_asked and (frame.sort or frame.is_descending):
        key = _sort_key(mirror, frame) or (lambda task: -share(frame, task))
        moving.sort(key=key, reverse=frame.is_descending)
    waiting = sorted(
        (task for task in tasks if is_waiting(mirror, task)), key=lambda task: (task.begun_at or frame.now, task.id)
    )
    # The cell whose oldest task has waited longest comes first: a dictionary keeps the order of first meetings.
    places = {cell: place for place, cell in enumerate(dict.fromkeys(task.cell for task in waiting))}
    return [*moving, *sorted(waiting, key=lambda task: places[task.cell])]


def _ended_order(mirror: Mirror, frame: Frame, tasks: Sequence[TaskRecord]) -> list[TaskRecord]:
    """The newest first, or by name or cell where that is asked for."""
    newest = sorted(tasks, key=lambda task: (task.ended_at, task.id), reverse=True)
    key = _sort_key(mirror, frame)
    if key is None or frame.sort == "left":
        return newest
    return sorted(newest, key=key, reverse=frame.is_descending)


def _sort_key(mirror: Mirror, frame: Frame) -> Callable[[TaskRecord], Any] | None:
    match frame.sort:
        case "left":
            return lambda task: (task.due_at is None, task.due_at or frame.now)
        case "task":
            return lambda task: (kind(task), target(mirror, task).casefold())
        case "target":
            return lambda task: target(mirror, task).casefold()
        case "cell":
            return lambda task: task.cell
        case _:
            column = next((each for each in columns(mirror, frame) if each.name == frame.sort), None)
            return None if column is None or column.name == "progress" else sorting.last_without(column)


def _note(mirror: Mirror, frame: Frame, going: int, waits: int, ended: int) -> str:
    if mirror.tasks is None:
        return frame.glyphs.nobody_said
    parts = [f"{going} run", f"{waits} wait"]
    if ended and frame.width >= 60:
        known = mirror.tasks_ended
        parts.append(f"{ended:,} of {known:,} ended" if known is not None and known > ended else f"{ended:,} ended")
    sort = f"sort {frame.sort}   " if frame.sort and frame.width >= 60 else ""
    return sort + ", ".join(parts)


def _instead(mirror: Mirror, frame: Frame) -> str:
    if mirror.tasks is None:
        return frame.glyphs.ellipsis
    if frame.filter:
        return f"no tasks under way match /{frame.filter}   esc clears the filter"
    return f"nothing is under way{' in ' + frame.scope if frame.scope else ''}"


# Rows ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where things are; a column of None is not shown."""

    target: int
    target_width: int
    cell: int | None
    bar: int | None
    bar_width: int
    percent: int
    """Right edges from here on."""
    runs: int | None
    left: int
    rate: int | None = None
    by: int | None = None
    """A left edge again."""


def _columns(width: int) -> _Columns:
    if width < 60:
        return _Columns(13, 14, None, None, 0, 31, None, width - 2)
    if width < 80:
        return _Columns(16, 13, None, 30, 10, 44, 51, 58)
    if width < 120:
        return _Columns(16, 13, 30, 38, 20, 62, 70, 78)
    # What is wider is for the names: a clone has two.
    more = min(30, (width - 120) // 2)
    bar = 16 + min(4, more)
    names = 49 + more - bar
    last = 78 + more
    return _Columns(16, names, 17 + names, 25 + names, bar, last, last + 8, last + 16, last + 23, last + 26)


def _head(width: int) -> Line:
    muted, columns = Tone.MUTED, _columns(width)
    placed = [left(2, "TASK", muted), left(columns.target, "TARGET", muted), right(columns.percent, "%", muted),
              right(columns.left, "LEFT", muted)]  # fmt: skip
    if columns.cell is not None:
        placed.append(left(columns.cell, "CELL", muted))
    if columns.bar is not None:
        placed.append(left(columns.bar, "PROGRESS", muted))
    if columns.runs is not None:
        placed.append(right(columns.runs, "RUNS", muted))
    if columns.rate is not None:
        placed.append(right(columns.rate, "GiB/s", muted))
    if columns.by is not None:
        placed.append(left(columns.by, "BY", muted))
    return compose(width, *placed)


def _first(mirror: Mirror, frame: Frame, task: TaskRecord, tone: Tone, name: Tone) -> list[Placed]:
    """What each row begins with: what is done, to what, and where."""
    columns = _columns(frame.width)
    room = columns.target - 3
    words = kind(task) if cells(kind(task)) <= room else fit_name(kind(task).partition(" ")[0], room, frame.glyphs)
    shown = Span(_names(mirror, task, columns, frame.glyphs), name)
    placed: list[Placed] = [left(2, words, tone), at(columns.target, matched(shown, frame.filter))]
    if columns.cell is not None:
        placed.append(left(columns.cell, fit_name(task.cell, 7, frame.glyphs), name))
    return placed


def _names(mirror: Mirror, task: TaskRecord, columns: _Columns, glyphs: Glyphs) -> str:
    """What it is about; where there is room for two names, of a clone the source and the copy."""
    name, width = target(mirror, task), columns.target_width
    copy = copy_of(mirror, task) if columns.by is not None else None
    if copy is None:
        return fit_name(name, width, glyphs)
    # The shorter one keeps its length; the longer one has the rest.
    room = width - len(" to ")
    first = max(room // 2, room - cells(copy))
    shown = fit_name(name, first, glyphs)
    return f"{shown} to {fit_name(copy, room - cells(shown), glyphs)}"


def row(mirror: Mirror, frame: Frame, task: TaskRecord) -> Line:
    """A task that is under way, or waits."""
    glyphs, columns = frame.glyphs, _columns(frame.width)
    waits = is_waiting(mirror, task)
    done = share(frame, task)
    tone = Tone.WARN if waits else Tone.TEXT
    placed = _first(mirror, frame, task, tone, Tone.UNKNOWN if waits else Tone.TEXT)
    if columns.bar is not None:
        placed.append(at(columns.bar, _progress(task, done, columns.bar_width, glyphs, waits=waits)))
    placed.append(right(columns.percent, glyphs.nobody_said if waits else figures.percent(done), tone))
    if columns.runs is not None and task.begun_at is not None:
        placed.append(right(columns.runs, figures.duration((frame.now - task.begun_at).total_seconds())))
    placed.append(right(columns.left, glyphs.nobody_said if waits else _left(frame, task, done)))
    if columns.rate is not None and task.rate_bytes_per_second is not None and not waits:
        placed.append(right(columns.rate, f"{task.rate_bytes_per_second / figures.GIB:.2f}"))
    if columns.by is not None:
        by = fit_name(task.actor or glyphs.nobody_said, frame.width - columns.by - 2, glyphs)
        placed.append(left(columns.by, by, Tone.MUTED))
    return compose(frame.width, *placed)


def _progress(task: TaskRecord, done: float, width: int, glyphs: Glyphs, *, waits: bool) -> Line:
    if not waits:
        return figures.progress_bar(done, width, glyphs)
    text = f"waits for {task.cell}" if width >= 20 else "waits"
    return (Span(f"{glyphs.busy} {fit_name(text, width - 2, glyphs)}", Tone.WARN),)


def _left(frame: Frame, task: TaskRecord, done: float) -> str:
    if task.due_at is not None:
        return figures.countdown((task.due_at - frame.now).total_seconds())
    if task.begun_at is None or done < RULE_OF_LEFT:
        return frame.glyphs.nobody_said
    return figures.duration((frame.now - task.begun_at).total_seconds() * (1 - done) / done)


def ended_region(mirror: Mirror, frame: Frame, tasks: list[TaskRecord]) -> Lines:
    """Ended tasks; what there is to say of one is on a line of its own: why it failed, where a server went."""
    columns = _columns(frame.width)
    lines: list[Line] = []
    keys: list[str | None] = []
    for task in tasks:
        lines.append(_ended_row(mirror, frame, task))
        keys.append(_key(task))
        if task.result and columns.bar is not None:
            reason = fit_sentence(task.result, frame.width - columns.bar - 1, frame.glyphs)
            lines.append(compose(frame.width, left(columns.bar, reason, Tone.MUTED)))
            keys.append(None)
    return Lines(lines, keys, _ended_head(frame.width))


def _ended_head(width: int) -> Line:
    muted, columns = Tone.MUTED, _columns(width)
    placed = [left(2, "ENDED", muted)]
    if columns.bar is None:
        placed.append(right(columns.left, "AT", muted))
    elif columns.cell is None:
        placed += [left(columns.bar, "RESULT", muted), right(columns.left, "AT", muted)]
    else:
        placed += [left(columns.bar, "RESULT", muted), right(columns.percent, "AT", muted)]
        placed.append(right(columns.runs or columns.left, "TOOK", muted))
    return compose(width, *placed)


def _ended_row(mirror: Mirror, frame: Frame, task: TaskRecord) -> Line:
    width, glyphs, columns = frame.width, frame.glyphs, _columns(frame.width)
    glyph, tone = {
        "done": (glyphs.done, Tone.OK),
        "failed": (glyphs.lost, Tone.CRIT),
        "cancelled": (glyphs.nothing, Tone.MUTED),
    }.get(task.state, (glyphs.unknown, Tone.UNKNOWN))
    ended = figures.instant_short(task.ended_at, frame.now) if task.ended_at is not None else glyphs.nobody_said
    placed = _first(mirror, frame, task, Tone.TEXT, Tone.TEXT)
    if columns.bar is None:
        return compose(width, left(1, glyph, tone), *placed, right(columns.left, ended, Tone.MUTED))
    placed.append(at(columns.bar, (Span(f"{glyph} {task.state}", tone),)))
    if columns.cell is None:
        return compose(width, *placed, right(columns.left, ended, Tone.MUTED))
    placed.append(right(columns.percent, ended, Tone.MUTED))
    if task.begun_at is not None and task.ended_at is not None:
        took = figures.duration((task.ended_at - task.begun_at).total_seconds())
        placed.append(right(columns.runs or columns.left, took, Tone.MUTED))
    if columns.by is not None:
        by = fit_name(task.actor or glyphs.nobody_said, width - columns.by - 2, glyphs)
        placed.append(left(columns.by, by, Tone.MUTED))
    return compose(width, *placed)


# The line at the foot ------------------------------------------------------------------------------------------------


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    task = next((task for task in mirror.tasks or () if _key(task) == key), None)
    if task is None:
        return ()
    copy = copy_of(mirror, task)
    words = f"{kind(task)} {target(mirror, task)}" + (f" to {copy}" if copy else "")
    if task.kind == "release":
        words = f"{target(mirror, task)} is being copied"
    if is_waiting(mirror, task):
        text = f"{words}: resumes when {task.cell} answers; nothing of it is lost"
    elif task.state == "open":
        text = f"{words}: {_under_way(mirror, frame, task)}"
    else:
        text = f"{words}: {task.state}" + (f": {task.result}" if task.result else "")
    return (Span(text, Tone.MUTED),)


def _under_way(mirror: Mirror, frame: Frame, task: TaskRecord) -> str:
    """How far it is, in what it is made of; else what is coming, and when."""
    due = None if task.due_at is None else figures.instant(task.due_at, frame.now)
    other = counterpart(mirror, task)
    if (copied := copied_text(frame, task)) is not None:
        return copied
    match task.kind:
        case "release":
            return f"to {other or 'its copy'}; until that is whole it can be neither attached nor deleted"
        case "evacuate" if other:
            return f"{other} is shut down, then started elsewhere, at {due}"
        case "restore" if other:
            return f"{other} is shut down, then started on a host of its own"
        case "relocate":
            return f"its servers are started elsewhere if it is not back at {due}"
        case "displace":
            return f"it has notice, and is stopped at {due} to make room"
        case _:
            return f"begun by {task.actor or 'the cloud'}" + (f", due {due}" if due else "")


def copied_text(frame: Frame, task: TaskRecord) -> str | None:
    """`55 of 120 GiB, 0.17 GiB/s`; None of what copies nothing."""
    if task.bytes_total is None:
        return None
    total = figures.gib(task.bytes_total)
    done = task.bytes_total * share(frame, task)
    rate = "" if task.rate_bytes_per_second is None else f", {task.rate_bytes_per_second / figures.GIB:.2f} GiB/s"
    # Both in the larger one's measure: "9.6 of 10 GiB" is one figure too exact.
    shown = f"{int(done / figures.GIB):,}" if task.bytes_total >= 10 * figures.GIB else f"{done / figures.GIB:.1f}"
    return f"{shown} of {total} GiB{rate}"
