"""When things happened, in two lines: how much, above a line with the alarms and where one is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from console.presentation.lines import Frame, Line, Span, Tone, at, compose, left, right
from console.records import EventRecord

START = 10
"""The first column of both lines: what stands before it is a word and a time of day."""
SPAN = timedelta(hours=1)
SPAN_MIN = timedelta(minutes=1)
SECONDS_BELOW = timedelta(minutes=10)
"""A span shorter than this is labelled with seconds."""

Preview = Callable[[str], tuple[Line, ...]]
"""What a view says below its list."""
Look = Callable[[EventRecord], tuple[str, Tone] | None]


def span(first: datetime, last: datetime, here: datetime) -> tuple[datetime, datetime]:
    """An hour of what is known, with `here` in it: the last one if that holds it, else `here` is in the middle."""
    first, last = min(first, here), max(last, here)
    end = min(last, here + SPAN / 2)
    if last - SPAN <= here:
        end = last
    start = max(first, end - SPAN)
    return (start, end) if end - start >= SPAN_MIN else (end - SPAN_MIN, end)


def lines(
    events: Sequence[EventRecord], known: tuple[datetime, datetime], here: datetime, frame: Frame, alarm: Look
) -> tuple[Line, Line]:
    """An hour of what is `known`, from and to, as a density; `alarm` gives the sign of an event that is one.

    Signs that fall on one cell: the worst one is drawn, and where one is, over all.
    """
    start, end = span(*known, here)
    width = frame.width - START - 10
    whole = (end - start).total_seconds()

    def column(instant: datetime) -> int:
        return min(width - 1, int((instant - start).total_seconds() / whole * width))

    counts = [0] * width
    marks: dict[int, tuple[str, Tone]] = {}
    for event in events:
        if start <= event.at <= end:
            place = column(event.at)
            counts[place] += 1
            sign = alarm(event)
            if sign is not None and (place not in marks or _RANKS[sign[1]] < _RANKS[marks[place][1]]):
                marks[place] = sign
    levels, most = frame.glyphs.density, max(counts)
    # Nothing has the lowest sign to itself, so that one event among many is still seen.
    heights = [0 if not count else 1 + (count * (len(levels) - 1) - 1) // most for count in counts]
    ruler = [Span(*marks.get(place, (frame.glyphs.level, Tone.MUTED))) for place in range(width)]
    ruler[column(here)] = Span(frame.glyphs.here, Tone.ACCENT)
    form = "%H:%M:%S" if end - start < SECONDS_BELOW else "%H:%M"
    return (
        compose(frame.width, left(1, "events", Tone.MUTED), left(START, "".join(levels[height] for height in heights))),
        compose(frame.width, left(1, f"{start:{form}}", Tone.MUTED), at(START, tuple(ruler)),
                right(frame.width - 2, f"{end:{form}}", Tone.MUTED)),
    )  # fmt: skip


_RANKS = {Tone.CRIT: 0, Tone.WARN: 1, Tone.UNKNOWN: 2}
