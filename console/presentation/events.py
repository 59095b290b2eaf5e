"""What has happened, newest first: when, to whom, in a sentence. At the present, or as it was at some instant.

In the past a row says where one is; what came after it is muted, and nothing that happens meanwhile moves the list.
Below the list two lines say when how much happened, and where the alarms were.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

from console.presentation import density, figures, filtering, past
from console.presentation.columns import Column, Kind, Table
from console.presentation.event_words import is_alarm, look, sentence, title
from console.presentation.lines import (
    Frame,
    Line,
    Lines,
    Placed,
    Rows,
    Span,
    Tone,
    View,
    at,
    compose,
    fit_name,
    fit_sentence,
    left,
    matched,
    remark,
)
from console.presentation.mirror import Mirror
from console.records import EventRecord, PastEvents

NAME_WIDTH = 12
DENSITY_FROM_ROWS, DENSITY_FROM_COLUMNS = 20, 60

Row = EventRecord | datetime
"""An event, or the instant at which one is."""


def view(mirror: Mirror, frame: Frame) -> View:
    """The events of the cloud, or of what `frame.scope` names (an id, or a cell); in the past at `frame.past_at`."""
    known = past.window(mirror, frame)
    shown = wanted(mirror, frame, known)
    rows: list[Row] = list(reversed(shown))
    if frame.past_at is not None:
        later = sum(event.at > frame.past_at for event in shown)
        rows.insert(later, frame.past_at)
    width, told = frame.width, columns(mirror, frame)
    if rows:
        region: Rows[Row] | Lines = Rows(head(width), rows, lambda each: _row(mirror, frame, each), _key)
    else:
        region = Lines([remark(frame, _instead(mirror, frame), width=width)], head=head(width))
    regions: tuple[Rows[Row] | Lines, ...] = (region,)
    if frame.past_at is not None and not shown:
        words = frame.glyphs.ellipsis if known is None else _instead(mirror, frame)
        regions = (region, Lines([remark(frame, words, width=width)]))
    crumbs = (mirror.name_of(frame.scope) or frame.scope, "events") if frame.scope else ("events",)
    return View(
        "events",
        crumbs,
        _note(frame, known, len(shown), is_told=_is_told(mirror) and (bool(shown) or not _silent_cell(mirror, frame)))
        + _kept_since(mirror, frame, known),
        regions,
        lambda key: status(mirror, frame, shown, key),
        _density(frame, known, shown),
        table=Table(told, list(reversed(shown)), _key),
        problem=filtering.parse(frame.filter, told).problem,
    )


def wanted(mirror: Mirror, frame: Frame, known: PastEvents | None) -> list[EventRecord]:
    """The events that the scope and the filter leave, oldest first."""
    in_scope = [
        event
        for event in (known.events if known is not None else ())
        if frame.scope is None or frame.scope in {event.object_id, event.file}
    ]
    if not frame.filter:
        return in_scope
    told = columns(mirror, frame)
    return list(filtering.matching(in_scope, filtering.parse(frame.filter, told), told))


def columns(mirror: Mirror, frame: Frame) -> tuple[Column[EventRecord], ...]:
    """What an event's row is as values."""
    return (
        Column("time", lambda event: figures.iso(event.at), width=25),
        Column("object", lambda event: title(mirror, event), width=20, is_searched=True),
        Column("kind", attrgetter("kind"), width=20, is_searched=True),
        Column("what", lambda event: sentence(mirror, event), Kind.SENTENCE, width=50, is_searched=True),
        Column("by", attrgetter("actor"), width=28, is_searched=True),
        Column("cell", attrgetter("file"), width=10),
        Column("ago", lambda event: (frame.now - event.at).total_seconds(), Kind.SECONDS, "AGO", 8),
        Column("number", attrgetter("number"), Kind.COUNT, width=8),
        Column("request", attrgetter("request_id"), width=20),
        Column("id", attrgetter("object_id"), Kind.ID, width=36),
    )


def _key(row: Row) -> str:
    return past.HERE if isinstance(row, datetime) else f"event:{row.key}"


def _note(frame: Frame, known: PastEvents | None, number: int, *, is_told: bool) -> str:
    """How many of those that are known are shown, and whether the log goes on."""
    if known is None:
        return "as it was   …" if frame.glyphs.name == "unicode" else "as it was   ."
    if not is_told:
        return frame.glyphs.nobody_said
    whole = len(known.events)
    counted = f"{number:,} of {whole:,}" if frame.filter or number != whole else f"{number:,}"
    more = "" if known.is_begun else "+"
    return f"{'newest first' if frame.past_at is None else 'as it was'}   {counted}{more}"


def _kept_since(mirror: Mirror, frame: Frame, known: PastEvents | None) -> str:
    """Where the log begins, of a cloud that has forgotten what was before."""
    begins_at = (known.begins_at if known is not None else None) or mirror.log_begins_at
    return "" if begins_at is None else f"   kept since {figures.instant_short(begins_at, frame.now)}"


def _instead(mirror: Mirror, frame: Frame) -> str:
    if frame.filter:
        return f"no events match /{frame.filter}   esc clears the filter"
    if frame.past_at is not None:
        return "nothing had happened yet"
    if cell := _silent_cell(mirror, frame):
        return f"not known: they are in the log of {cell}, which does not answer"
    return instead_of_none(mirror, frame)


def _silent_cell(mirror: Mirror, frame: Frame) -> str | None:
    """The cell that keeps the log of the object in question, where it does not answer."""
    scope = frame.scope
    if scope is None:
        return None
    row = mirror.servers.get(scope) or mirror.drives.by_id.get(scope)
    name = scope if row is None else row.cell
    return name if any(cell.name == name and not cell.is_up for cell in mirror.cells or ()) else None


def instead_of_none(mirror: Mirror, frame: Frame) -> str:
    """What stands where events would be: that there are none is only said where somebody said so."""
    if _is_told(mirror):
        return "nothing has happened yet"
    return "not known: the cloud has not answered" if mirror.problem is not None else frame.glyphs.ellipsis


def _is_told(mirror: Mirror) -> bool:
    return "events" in mirror.answered_at or mirror.is_complete


def head(width: int) -> Line:
    placed = [left(1, "TIME", Tone.MUTED), left(13, "OBJECT", Tone.MUTED)]
    if width >= 60:
        placed.append(left(27, "WHAT HAPPENED", Tone.MUTED))
    if width >= 120:
        placed.append(left(width - 34, "BY", Tone.MUTED))
    return compose(width, *placed)


def _row(mirror: Mirror, frame: Frame, each: Row) -> Line:
    if isinstance(each, datetime):
        ago = figures.duration((frame.now - each).total_seconds())
        return compose(
            frame.width,
            left(1, figures.time_of_day(each), Tone.ACCENT),
            left(11, frame.glyphs.here, Tone.ACCENT),
            left(13, fit_sentence(f"here, {ago} ago", frame.width - 14, frame.glyphs), Tone.ACCENT),
        )
    if frame.past_at is None:
        return row(mirror, frame, each, frame.width)
    # Rows of another day would show the day only, so they are written as they were seen then.
    line = row(mirror, frame._replace(now=frame.past_at), each, frame.width)
    if each.at <= frame.past_at:
        return line
    glyph = look(each, frame.glyphs)
    return tuple(span if (span.text, span.tone) == glyph else span._replace(tone=Tone.MUTED) for span in line)


def row(mirror: Mirror, frame: Frame, event: EventRecord, width: int) -> Line:
    """One event on one line. At 40 columns the sentence is left to the status row."""
    glyph, tone = look(event, frame.glyphs)
    name = matched(Span(fit_name(title(mirror, event), NAME_WIDTH, frame.glyphs)), frame.filter)
    placed: list[Placed] = [
        left(1, figures.instant_short(event.at, frame.now), Tone.MUTED),
        left(11, glyph, tone),
        at(13, name),
    ]
    if width >= 60:
        end = width - 36 if width >= 120 else width - 1
        placed.append(left(27, fit_sentence(sentence(mirror, event), end - 27, frame.glyphs)))
    else:
        placed.append(left(27, fit_sentence(event.kind.partition(".")[2], width - 28, frame.glyphs), Tone.MUTED))
    if width >= 120:
        placed.append(left(width - 34, fit_name(event.actor, 32, frame.glyphs), Tone.MUTED))
    return compose(width, *placed)


def _density(frame: Frame, known: PastEvents | None, shown: Sequence[EventRecord]) -> density.Preview | None:
    has_room = frame.height >= DENSITY_FROM_ROWS and frame.width >= DENSITY_FROM_COLUMNS and frame.has_pane
    if not has_room or known is None or not known.events:
        return None
    here = frame.past_at or frame.now
    last = frame.now if known.is_current else known.events[-1].at
    first = min(known.events[0].at, here - density.SPAN) if known.is_begun else known.events[0].at
    lines = density.lines(
        shown,
        (first, last),
        here,
        frame,
        lambda event: look(event, frame.glyphs) if is_alarm(event) else None,
    )
    return lambda _key: lines


def status(mirror: Mirror, frame: Frame, shown: Sequence[EventRecord], key: str | None) -> Line:
    if key == past.HERE and frame.past_at is not None:
        text = f"as it was at {figures.instant(frame.past_at, frame.now)}; esc goes back to now"
        return (Span(text, Tone.MUTED),)
    event = next((event for event in reversed(shown) if _key(event) == key), None)
    if event is None:
        return ()
    who = f" by {event.actor}" if event.actor else ""
    when = "" if event.at.date() == frame.now.date() else f"{figures.instant(event.at, frame.now)} "
    text = f"{when}{title(mirror, event)} {sentence(mirror, event)}{who}; {event.file} number {event.number}"
    return (Span(text, Tone.MUTED),)
