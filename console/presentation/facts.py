"""Facts: a label and a line each, from which descriptions and the panes beside the lists are made.

What nobody said is `—`; what is last known keeps its tilde and says how old it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from console.presentation import event_words, figures
from console.presentation.lines import Frame, Glyphs, Line, Lines, Span, Tone, at, compose, cut, left, ruled, wrap
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
    """The fact on as many lines as its value needs. A value of several tones is one line, cut at its end."""
    room = width - VALUE_COLUMN - 1
    label = left(LABEL_COLUMN, each.label, Tone.MUTED)
    if len(each.value) != 1:
        return [compose(width, label, at(VALUE_COLUMN, cut(each.value, room)))]
    span = each.value[0]
    texts = wrap(span.text, room)
    first = compose(width, label, left(VALUE_COLUMN, texts[0], span.tone))
    return [first, *(compose(width, left(VALUE_COLUMN, text, span.tone)) for text in texts[1:])]


def gone(title: str, frame: Frame) -> Lines:
    """What stands where the facts of an object would be that is not there any more."""
    words = left(1, f"{title} is not known any more   esc goes back", Tone.MUTED)
    return Lines([compose(frame.width, words)], [None])


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
    if len(each.value) != 1:
        yield ruled(width, glyphs, label, at(column, cut(each.value, room)))
        return
    for number, text in enumerate(wrap(each.value[0].text, room - 1)):
        value = left(column, text, each.value[0].tone)
        yield ruled(width, glyphs, *((label, value) if number == 0 else (value,)))
