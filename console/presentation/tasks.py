"""What is under way, what waits for its cell, and what has ended: in that order.

Waiting is not 0 %: a task in a cell that does not answer has no percentage, it has `—`.
"""

from __future__ import annotations

from console.presentation import figures
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
    compose,
    fit_name,
    fit_sentence,
    left,
    right,
)
from console.presentation.mirror import Mirror
from console.records import TaskRecord

RULE_OF_LEFT = 0.05
"""Below this share a remaining time made of the past one would be a guess."""


def view(mirror: Mirror, frame: Frame) -> View:
    """Tasks of the cloud, or of the cell that `frame.scope` names."""
    shown = [task for task in mirror.tasks or () if _is_wanted(mirror, frame, task)]
    going = running_order(mirror, frame, [task for task in shown if task.state == "open"])
    ended = sorted(
        (task for task in shown if task.state != "open" and task.ended_at is not None),
        key=lambda task: (task.ended_at, task.id),
        reverse=True,
    )
    width = frame.width
    regions: list[Region] = []
    if going:
        regions.append(Rows(_head(width), going, lambda task: row(mirror, frame, task), _key))
    else:
        regions.append(Lines([compose(width, left(2, _instead(mirror, frame), Tone.MUTED))], head=_head(width)))
    if ended:
        regions += [blank_region(width), ended_region(mirror, frame, ended)]
    waits = sum(is_waiting(mirror, task) for task in going)
    return View(
        "tasks",
        ("cells", frame.scope, "tasks") if frame.scope else ("tasks",),
        _note(mirror, frame, len(going) - waits, waits, len(ended)),
        tuple(regions),
        status=lambda key: status(mirror, frame, key),
    )


def _key(task: TaskRecord) -> str:
    return f"task:{task.id}"


def target(mirror: Mirror, task: TaskRecord) -> str:
    """The name of what the task is about."""
    return task.object_name or mirror.name_of(task.object_id) or task.object_id[:8]


def kind(task: TaskRecord) -> str:
    words = task.kind.replace("_", " ").replace(".", " ")
    return words if task.object_kind in {"", "server"} else f"{words} {task.object_kind}"


def is_waiting(mirror: Mirror, task: TaskRecord) -> bool:
    """Whether it stands because its cell does not answer."""
    return task.state == "open" and (task.progress is None or not mirror.is_cell_up(task.cell))


def share(frame: Frame, task: TaskRecord) -> float:
    """How much is done now, from the task's own instants: the answer that brought it is already old."""
    if task.begun_at is not None and task.due_at is not None and task.due_at > task.begun_at:
        whole = (task.due_at - task.begun_at).total_seconds()
        return min(1.0, max(0.0, (frame.now - task.begun_at).total_seconds() / whole))
    return task.progress or 0.0


def running_order(mirror: Mirror, frame: Frame, tasks: list[TaskRecord]) -> list[TaskRecord]:
    """What moves, the furthest first; then what waits, the longest first."""
    return sorted(
        tasks,
        key=lambda task: (
            is_waiting(mirror, task),
            0.0 if is_waiting(mirror, task) else -share(frame, task),
            task.begun_at or frame.now,
            task.id,
        ),
    )


def _is_wanted(mirror: Mirror, frame: Frame, task: TaskRecord) -> bool:
    if frame.scope is not None and task.cell != frame.scope:
        return False
    wanted = frame.filter.casefold()
    texts = (kind(task), target(mirror, task), task.cell, task.actor or "", task.state, task.result or "")
    return not wanted or any(wanted in text.casefold() for text in texts)


def _note(mirror: Mirror, frame: Frame, going: int, waits: int, ended: int) -> str:
    if mirror.tasks is None:
        return frame.glyphs.nobody_said
    parts = [f"{going} run", f"{waits} wait"]
    if ended:
        known = mirror.tasks_ended
        parts.append(f"{ended:,} of {known:,} ended" if known is not None and known > ended else f"{ended:,} ended")
    return ", ".join(parts)


def _instead(mirror: Mirror, frame: Frame) -> str:
    if mirror.tasks is None:
        return frame.glyphs.ellipsis
    if frame.filter:
        return f"no tasks under way match /{frame.filter}   esc clears the filter"
    return f"nothing is under way{' in ' + frame.scope if frame.scope else ''}"


# Rows ------------------------------------------------------------------------------------------------------------


def _head(width: int) -> Line:
    muted = Tone.MUTED
    if width < 60:
        return compose(width, left(2, "TASK", muted), left(13, "TARGET", muted), right(31, "%", muted),
                       right(width - 2, "LEFT", muted))  # fmt: skip
    if width < 80:
        return compose(width, left(2, "TASK", muted), left(16, "TARGET", muted), left(30, "PROGRESS", muted),
                       right(44, "%", muted), right(51, "RUNS", muted), right(58, "LEFT", muted))  # fmt: skip
    placed = [left(2, "TASK", muted), left(16, "TARGET", muted), left(30, "CELL", muted), left(38, "PROGRESS", muted),
              right(62, "%", muted), right(70, "RUNS", muted), right(78, "LEFT", muted)]  # fmt: skip
    if width >= 120:
        placed.append(left(82, "BY", muted))
    return compose(width, *placed)


def row(mirror: Mirror, frame: Frame, task: TaskRecord) -> Line:
    width, glyphs = frame.width, frame.glyphs
    waits = is_waiting(mirror, task)
    done = share(frame, task)
    percent = glyphs.nobody_said if waits else figures.percent(done)
    runs = "" if task.begun_at is None else figures.duration((frame.now - task.begun_at).total_seconds())
    left_text = glyphs.nobody_said if waits else _left(frame, task, done)
    tone = Tone.WARN if waits else Tone.TEXT
    name = Tone.UNKNOWN if waits else Tone.TEXT
    if width < 60:
        return compose(width, left(2, fit_name(kind(task), 10, glyphs), tone),
                       left(13, fit_name(target(mirror, task), 14, glyphs), name), right(31, percent, tone),
                       right(width - 2, left_text))  # fmt: skip
    bar_column, bar_width, edges = (30, 10, (44, 51, 58)) if width < 80 else (38, 20, (62, 70, 78))
    bar = _progress(task, done, bar_width, glyphs, waits=waits)
    placed: list[Placed] = [
        left(2, fit_name(kind(task), 13, glyphs), tone),
        left(16, fit_name(target(mirror, task), 13, glyphs), name),
        at(bar_column, bar),
        right(edges[0], percent, tone),
        right(edges[1], runs),
        right(edges[2], left_text),
    ]
    if width >= 80:
        placed.append(left(30, fit_name(task.cell, 7, glyphs), name))
    if width >= 120:
        placed.append(left(82, fit_name(task.actor or glyphs.nobody_said, width - 84, glyphs), Tone.MUTED))
    return compose(width, *placed)


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
    """Ended tasks; one that failed says why on a line of its own."""
    lines: list[Line] = []
    keys: list[str | None] = []
    for task in tasks:
        lines.append(_ended_row(mirror, frame, task))
        keys.append(_key(task))
        if task.result and task.state != "done" and frame.width >= 60:
            column = 38 if frame.width >= 80 else 30
            reason = fit_sentence(task.result, frame.width - column - 1, frame.glyphs)
            lines.append(compose(frame.width, left(column, reason, Tone.MUTED)))
            keys.append(None)
    return Lines(lines, keys, _ended_head(frame.width))


def _ended_head(width: int) -> Line:
    muted = Tone.MUTED
    placed = [left(2, "ENDED", muted)]
    if width >= 80:
        placed += [left(38, "RESULT", muted), right(62, "AT", muted), right(70, "TOOK", muted)]
    elif width >= 60:
        placed += [left(30, "RESULT", muted), right(58, "AT", muted)]
    else:
        placed.append(right(width - 2, "AT", muted))
    return compose(width, *placed)


def _ended_row(mirror: Mirror, frame: Frame, task: TaskRecord) -> Line:
    width, glyphs = frame.width, frame.glyphs
    glyph, tone = {
        "done": (glyphs.done, Tone.OK),
        "failed": (glyphs.lost, Tone.CRIT),
        "cancelled": (glyphs.nothing, Tone.MUTED),
    }.get(task.state, (glyphs.unknown, Tone.UNKNOWN))
    ended = figures.instant_short(task.ended_at, frame.now) if task.ended_at is not None else glyphs.nobody_said
    result = (Span(f"{glyph} {task.state}", tone),)
    name = fit_name(target(mirror, task), 13, glyphs)
    if width < 60:
        return compose(width, left(1, glyph, tone), left(2, fit_name(kind(task), 10, glyphs)),
                       left(13, name), right(width - 2, ended, Tone.MUTED))  # fmt: skip
    placed: list[Placed] = [left(2, fit_name(kind(task), 13, glyphs)), left(16, name)]
    if width < 80:
        return compose(width, *placed, at(30, result), right(58, ended, Tone.MUTED))
    placed += [left(30, fit_name(task.cell, 7, glyphs)), at(38, result), right(62, ended, Tone.MUTED)]
    if task.begun_at is not None and task.ended_at is not None:
        placed.append(right(70, figures.duration((task.ended_at - task.begun_at).total_seconds()), Tone.MUTED))
    if width >= 120:
        placed.append(left(82, fit_name(task.actor or glyphs.nobody_said, width - 84, glyphs), Tone.MUTED))
    return compose(width, *placed)


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    task = next((task for task in mirror.tasks or () if _key(task) == key), None)
    if task is None:
        return ()
    words = f"{kind(task)} {target(mirror, task)}"
    if is_waiting(mirror, task):
        text = f"{words}: resumes when {task.cell} answers; nothing of it is lost"
    elif task.state == "open":
        due = f", due {figures.instant(task.due_at, frame.now)}" if task.due_at is not None else ""
        text = f"{words}: begun by {task.actor or 'the cloud'}{due}"
    else:
        text = f"{words}: {task.state}" + (f": {task.result}" if task.result else "")
    return (Span(text, Tone.MUTED),)
