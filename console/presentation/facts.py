"""Facts: a label and a line each, from which descriptions and the panes beside the lists are made.

What nobody said is `—`; what is last known keeps its tilde and says how old it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from console.presentation import event_words, figures
from console.presentation.lines import (
    Frame,
    Glyphs,
    Line,
    Lines,
    Span,
    Tone,
    at,
    cells,
    compose,
    left,
    remark,
    ruled,
    span_width,
    take,
)
from console.presentation.mirror import Mirror
from console.records import EventRecord

LABEL_COLUMN = 1
VALUE_COLUMN = 14
PANE_VALUE_COLUMN = 11
EVENTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Fact:
    """A label, its value, and where enter on it leads."""

    label: str
    value: Line
    key: str | None = None


def fact(label: str, text: str | None, glyphs: Glyphs, tone: Tone = Tone.TEXT, key: str | None = None) -> Fact:
    if text is None:
        return Fact(label, (Span(glyphs.nobody_said, Tone.UNKNOWN),))
    return Fact(label, (Span(text, tone),), key)


def _lines(each: Fact, width: int) -> list[Line]:
    """The fact on as many lines as its value needs."""
    label = left(LABEL_COLUMN, each.label, Tone.MUTED)
    first, *rest = folded(each.value, width - VALUE_COLUMN - 1)
    return [
        compose(width, label, at(VALUE_COLUMN, first)),
        *(compose(width, at(VALUE_COLUMN, line)) for line in rest),
    ]


def folded(value: Line, width: int) -> list[Line]:
    """The spans on as many lines as they need, broken between words. A word that is wider than a line is cut."""
    if span_width(value) <= width:
        return [value]
    lines: list[Line] = []
    row: list[Span] = []
    for span in value:
        for blanks, word in _WORD.findall(span.text):
            if row and span_width(row) + len(blanks) + cells(word) > width:
                lines.append(tuple(row))
                row = []
            rest = word
            while cells(rest) > width > 0:
                start = take(rest, width) or rest[:1]
                lines.append((span._replace(text=start),))
                rest = rest[len(start) :]
            row.append(span._replace(text=f"{blanks if row else ''}{rest}"))
    return [*lines, tuple(row)]


_WORD = re.compile(r"( *)([^ ]+|$)")
"""A word with the blanks before it; at the end of a text, the blanks behind its last one."""


def gone(title: str, frame: Frame, *, is_told: bool = True) -> Lines:
    """What stands where the facts would be of an object that is not there any more, or was not told of yet."""
    words = f"{title} is not known any more   esc goes back" if is_told else frame.glyphs.ellipsis
    return Lines([remark(frame, words, column=1)], [None])


def region_of(facts: Iterable[Fact], width: int) -> Lines:
    """The facts as a table; the cursor stops at each of them, and enter leads where the fact does."""
    lines: list[Line] = []
    keys: list[str | None] = []
    for each in facts:
        for number, line in enumerate(_lines(each, width)):
            lines.append(line)
            keys.append(each.key if number == 0 else None)
    return Lines(lines, keys)


def event_facts(
    mirror: Mirror, frame: Frame, object_ids: Collection[str], told: Iterable[EventRecord] = ()
) -> list[Fact]:
    """The latest events of the objects, newest first; `told` are those that were asked for beside the mirror's."""
    own = {event.key: event for event in (*told, *mirror.events) if event.object_id in object_ids}
    newest = sorted(own.values(), key=lambda event: (event.at, event.file, event.number), reverse=True)
    facts = []
    for place, event in enumerate(newest[:EVENTS_SHOWN]):
        glyph, tone = event_words.look(event, frame.glyphs)
        time = figures.instant_short(event.at, frame.now)
        spans = (Span(f"{time:>8}  ", Tone.MUTED), Span(glyph, tone), Span(f" {event_words.sentence(mirror, event)}"))
        facts.append(Fact("events" if place == 0 else "", spans))
    return facts


def instant_and_age(at_instant: datetime | None, now: datetime) -> str | None:
    """`13:51:02 (12m)`."""
    return None if at_instant is None else f"{figures.instant(at_instant, now)} ({figures.age_since(at_instant, now)})"


def pane_lines(each: Fact, width: int, glyphs: Glyphs) -> Iterable[Line]:
    """The fact in a pane beside a list, behind the rule."""
    room = width - PANE_VALUE_COLUMN - 3
    label = left(2, each.label, Tone.MUTED)
    column = PANE_VALUE_COLUMN + 3
    for number, line in enumerate(folded(each.value, room - 1)):
        value = at(column, line)
        yield ruled(width, glyphs, *((label, value) if number == 0 else (value,)))
