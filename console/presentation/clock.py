"""The cloud's clock: how it runs, how far it is from the wall's, and what falls due next. Simulated clouds only."""

from __future__ import annotations

import math
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from console.presentation import chosen, figures, filtering, sorting, tasks
from console.presentation.columns import Column, Kind, Table
from console.presentation.lines import (
    Frame,
    Line,
    Lines,
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
    matched,
    remark,
    right,
    wrap,
)
from console.presentation.mirror import Mirror

ORDERS = ("next",)


class Due(NamedTuple):
    """Something that falls due by itself."""

    key: str
    what: str
    about: str
    cell: str
    at: datetime


HINT_LINES_MAX = 2
WIDTH_MAX = 100
"""Beyond it the table would only have wider gaps."""


def view(mirror: Mirror, frame: Frame, hint: str = "") -> View:
    """`hint` says which keys move the clock; nothing is said of them without one."""
    found = dues(mirror, frame.now)
    known = columns(frame)
    query = filtering.parse(frame.filter, known)
    shown = sorting.as_asked(filtering.matching(found, query, known), frame, known)
    table = Table(known, shown, attrgetter("key"), lambda _row: not mirror.is_offline)
    regions: list[Region] = [Lines(_facts(mirror, frame, hint)), blank_region(frame.width)]
    if mirror.clock is not None:
        if shown and chosen.is_asked(table, frame, frame.width):
            regions.append(chosen.region(table, frame, frame.width))
        elif shown:
            regions.append(Rows(_head(frame), shown, lambda due: _row(frame, due), table.key_of))
        else:
            words = f"nothing matches /{frame.filter}   esc clears the filter" if frame.filter else "nothing falls due"
            line = remark(frame, words)
            regions.append(Lines([line], head=_head(frame)))
    number = filtering.number_of(len(shown), None if mirror.clock is None else len(found), frame.filter, frame.glyphs)
    return View(
        "clock",
        ("clock",),
        f"{sorting.note_of(frame, ORDERS, known)}   {number}",
        tuple(regions),
        status=lambda key: status(mirror, frame, key),
        orders=ORDERS,
        table=table,
        heads={"DUE NEXT": "what", "AT": "next"},
        problem=query.problem,
    )


def columns(frame: Frame) -> tuple[Column[Due], ...]:
    """What the row of something that falls due is as values."""
    return (
        Column("what", attrgetter("what"), width=16, is_searched=True),
        Column("about", attrgetter("about"), width=24, is_searched=True),
        Column("cell", attrgetter("cell"), width=8, is_searched=True),
        Column("due", lambda due: (due.at - frame.now).total_seconds(), Kind.SECONDS, "IN", 8),
    )


def dues(mirror: Mirror, now: datetime) -> list[Due]:
    """What is told to fall due after `now`, the next first. Tasks of cells that do not answer wait, and are not."""
    found = [
        Due(f"task:{task.id}", tasks.kind(task), tasks.target(mirror, task), task.cell, task.due_at)
        for task in mirror.tasks or ()
        if task.state == "open" and task.due_at is not None and task.due_at > now and mirror.is_cell_up(task.cell)
    ]
    found += [
        Due(f"schedule:{each.id}", "backup run", each.title, "", each.next_trigger_at)
        for each in map(mirror.with_name, mirror.schedules or ())
        if each.is_active and each.next_trigger_at is not None and each.next_trigger_at > now
    ]
    return sorted(found, key=lambda due: (due.at, due.key))


def seconds_to_next(mirror: Mirror, now: datetime) -> int | None:
    """Whole seconds to what falls due next; None where nothing is told to."""
    found = dues(mirror, now)
    return max(1, math.ceil((found[0].at - now).total_seconds())) if found else None


def rate_sentence(rate: float, seconds_to_next: int | None) -> str:
    """`a minute of the wall's is 1h00m here; what is due next comes in 2s`."""
    minute = 60 * rate
    passes = f"{minute:.2g}s" if minute < 1 else figures.duration(minute)
    words = f"a minute of the wall's is {passes} here"
    if seconds_to_next is None:
        return words
    return f"{words}; what is due next comes in {figures.duration(math.ceil(seconds_to_next / rate))}"


def _facts(mirror: Mirror, frame: Frame, hint: str) -> list[Line]:
    width, muted = frame.width, Tone.MUTED
    clock = mirror.clock
    if clock is None:
        known = "asking the cloud" if not mirror.answered_at else "this cloud has no clock of its own"
        return [compose(width, left(1, known, muted))]
    modes = {
        "wall": ("follows the wall", Tone.OK),
        "manual": ("stands still until it is moved", Tone.WARN),
        "rate": (f"x{clock.rate:g}: {clock.rate:g} simulated seconds in each second", Tone.ACCENT),
    }
    words, tone = modes.get(clock.mode, (clock.mode, Tone.TEXT))
    skew = (frame.now - frame.wall_now).total_seconds()
    apart = "the same" if abs(skew) < 1 else f"{figures.duration(abs(skew))} {'ahead' if skew > 0 else 'behind'}"
    rows = [
        ("cloud", f"{frame.now:%a %d %b %Y  %H:%M:%S} UTC", Tone.TEXT),
        ("wall", f"{frame.wall_now:%a %d %b %Y  %H:%M:%S} UTC", muted),
        ("apart", apart, Tone.TEXT),
        ("runs", words, tone),
    ]
    room = max(1, width - 11)
    if hint:
        first, *rest = wrap(hint, room)
        # What is left over is cut with the last line that there is room for.
        more = [" ".join(rest[HINT_LINES_MAX - 2 :])] if rest else []
        rows += [("verbs", first, muted), *(("", text, muted) for text in more)]
    return [
        compose(width, left(1, label, muted), left(9, fit_sentence(text, room, frame.glyphs), own))
        for label, text, own in rows
    ]


def _head(frame: Frame) -> Line:
    width, muted = frame.width, Tone.MUTED
    edge = min(width, WIDTH_MAX)
    if width < 60:
        return compose(width, left(2, "DUE NEXT", muted), right(width - 2, "IN", muted))
    return compose(width, left(2, "DUE NEXT", muted), left(18, "ABOUT", muted), left(44, "CELL", muted),
                   right(edge - 14, "AT", muted), right(edge - 2, "IN", muted))  # fmt: skip


def _row(frame: Frame, due: Due) -> Line:
    width, glyphs = frame.width, frame.glyphs
    edge = min(width, WIDTH_MAX)
    wait = figures.countdown((due.at - frame.now).total_seconds())
    if width < 60:
        words = fit_sentence(f"{due.what} {due.about}", max(1, width - 14), glyphs)
        return compose(width, left(2, words), right(width - 2, wait, Tone.ACCENT))
    return compose(
        width,
        left(2, fit_name(due.what, 14, glyphs)),
        at(18, matched(Span(fit_name(due.about, 24, glyphs)), frame.filter)),
        left(44, fit_name(due.cell, 8, glyphs), Tone.MUTED),
        right(edge - 14, figures.instant(due.at, frame.now), Tone.MUTED),
        right(edge - 2, wait, Tone.ACCENT),
    )


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    found = next((due for due in dues(mirror, frame.now) if due.key == key), None)
    if found is None:
        return (Span("x moves the clock; all that falls due on the way is run, in order", Tone.MUTED),)
    wait = figures.countdown((found.at - frame.now).total_seconds())
    return (Span(f"{found.what} {found.about}: due in {wait}; x g goes to what is due next", Tone.MUTED),)
