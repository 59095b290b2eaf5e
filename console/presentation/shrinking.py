"""How room was taken and given back lately, as the events that the console has seen tell it.

A history is of an hour, or of as much of it as is known: what lies before the first event that was seen is blank, never
guessed. The factor of a server changes only with an event, so between two of them it is what the first one made it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from console.presentation import event_words, figures
from console.presentation.lines import (
    Frame,
    Line,
    Span,
    Tone,
    at,
    blank,
    cells,
    compose,
    fit_name,
    fit_sentence,
    left,
    right,
)
from console.presentation.mirror import Mirror
from console.records import EventRecord, ServerRecord

SPAN = timedelta(hours=1)
CHANGES_SHOWN = 4
_FIELDS: Mapping[str, str] = {"cpu": "cpu_mhz_effective", "memory": "memory_bytes_effective"}
_TOLD = frozenset({"server.shrunk", "server.grown", "server.notice", "server.notice_withdrawn", "server.displaced",
                   "server.placed", "server.running", "server.stopped"})  # fmt: skip


def known_since(mirror: Mirror, frame: Frame) -> datetime:
    """Where the hour begins that is drawn, or the first event that was seen where that is later."""
    start = frame.now - SPAN
    return start if not mirror.events else max(start, min(mirror.events[0].at, frame.now))


def events_of(mirror: Mirror, server_id: str) -> list[EventRecord]:
    """What was seen of one server that has to do with its room, oldest first."""
    past = mirror.pasts.get(server_id)
    known = {event.key: event for event in (*(past.events if past is not None else ()), *mirror.events)}
    found = [event for event in known.values() if event.object_id == server_id and event.kind in _TOLD]
    return sorted(found, key=lambda event: (event.at, event.file, event.number))


def factors(mirror: Mirror, server: ServerRecord, frame: Frame, which: str, width: int) -> list[float | None]:
    """The least factor in each of `width` equal parts of the last hour; None where it is not known, or did not run."""
    nominal = (server.cpu_mhz if which == "cpu" else server.memory_bytes) or 0
    now_is = None if server.perf_factor is None else getattr(server.perf_factor, which)
    since, start = known_since(mirror, frame), frame.now - SPAN
    steps: list[tuple[datetime, float | None]] = []
    first: float | None = now_is if server.state != "stopped" else None
    changes = [event for event in events_of(mirror, server.id) if event.at >= since]
    for event in changes:
        pair = event.changes.get(_FIELDS[which])
        if pair is not None and nominal:
            before, after = (_share(value, nominal) for value in pair)
            if not steps:
                first = before
            steps.append((event.at, after))
        elif event.kind in ("server.displaced", "server.stopped"):
            steps.append((event.at, None))
    runs_from = max(since, server.started_at) if server.started_at is not None else since
    found: list[float | None] = []
    for place in range(width):
        begins, ends = start + SPAN * place / width, start + SPAN * (place + 1) / width
        if ends <= runs_from:
            found.append(None)
            continue
        value = next((after for at, after in reversed(steps) if at <= begins), first)
        within = [value, *(after for at, after in steps if begins < at <= ends)]
        numbers = [each for each in within if each is not None]
        found.append(min(numbers) if numbers else None)
    return found


def _share(value: object, nominal: int) -> float | None:
    return min(1.0, value / nominal) if isinstance(value, int | float) and value else None


def sparkline(shares: Sequence[float | None], frame: Frame, tone: Tone = Tone.BACKFILL) -> Line:
    """A column for each share of 1: full is the highest sign, and less than full never has it."""
    levels = frame.glyphs.density
    spans: list[Span] = []
    for share in shares:
        if share is None:
            sign, own = " ", tone
        elif share >= 1:
            sign, own = levels[-1], Tone.MUTED
        else:
            sign, own = levels[min(len(levels) - 2, int(share * (len(levels) - 1)))], tone
        if spans and spans[-1].tone is own:
            spans[-1] = Span(spans[-1].text + sign, own)
        else:
            spans.append(Span(sign, own))
    return tuple(spans)


def preview(mirror: Mirror, frame: Frame, server: ServerRecord) -> tuple[Line, ...]:
    """The last hour of one server: both factors over time, and who changed them when."""
    width, glyphs, muted = frame.width, frame.glyphs, Tone.MUTED
    room = max(4, min(60, width - 24))
    name = fit_name(server.title, max(4, width - 30), glyphs)
    since = known_since(mirror, frame)
    words = f"{frame.now - SPAN:%H:%M} to {frame.now:%H:%M}"
    if since > frame.now - SPAN:
        words += f", known since {since:%H:%M:%S}"
    lines = [
        blank(width),
        compose(width, left(1, name, Tone.BACKFILL), left(3 + cells(name), fit_sentence(words, width, glyphs), muted)),
    ]
    for label, which in (("CPU", "cpu"), ("memory", "memory")):
        share = None if server.perf_factor is None else getattr(server.perf_factor, which)
        floor = None if server.floor is None else getattr(server.floor, which)
        number = figures.or_dash(None if share is None else figures.factor(share), glyphs)
        tone = Tone.UNKNOWN if share is None else figures.factor_tone(share, floor)
        line = sparkline(factors(mirror, server, frame, which, room), frame)
        lines.append(compose(width, left(1, label, muted), at(9, line), right(9 + room + 5, number, tone)))
    told = [event for event in events_of(mirror, server.id) if event.kind in _TOLD][-CHANGES_SHOWN:]
    for event in reversed(told):
        sentence = fit_sentence(event_words.sentence(mirror, event), max(1, width - 12), glyphs)
        lines.append(compose(width, left(1, f"{event.at:%H:%M:%S}", muted), left(10, sentence)))
    return tuple(lines)


def last_hour(mirror: Mirror, frame: Frame, width: int) -> tuple[Line, Line]:
    """How many were shrunk over the last hour, and when somebody was stopped, with their counts."""
    glyphs, muted = frame.glyphs, Tone.MUTED
    room = max(4, width - 34)
    start = frame.now - SPAN
    shrunk, stopped = [0] * room, [0] * room
    counts = {"shrunk": 0, "displaced": 0, "lost": 0}
    for event in mirror.events:
        if event.at <= start or event.at > frame.now or event.object_kind != "server":
            continue
        place = min(room - 1, int((event.at - start) / SPAN * room))
        if event.kind == "server.shrunk":
            shrunk[place] += 1
            counts["shrunk"] += 1
        elif event.kind == "server.displaced" or _is_lost(event):
            stopped[place] += 1
            counts["lost" if _is_lost(event) else "displaced"] += 1
    most = max(shrunk) or 1
    levels = glyphs.density
    bars = "".join(levels[0 if not count else 1 + (count * (len(levels) - 1) - 1) // most] for count in shrunk)
    marks = tuple(Span(glyphs.violation, Tone.CRIT) if count else Span(glyphs.nothing, muted) for count in stopped)
    lost = f"+{counts['lost']}" if counts["lost"] else ""
    return (
        compose(width, left(1, "LAST HOUR", muted), left(12, "shrunk"), left(21, bars, Tone.BACKFILL),
                right(width - 3, str(counts["shrunk"]))),
        compose(width, left(12, "stopped"), at(21, marks), right(width - 3, f"{counts['displaced']}{lost}")),
    )  # fmt: skip


def _is_lost(event: EventRecord) -> bool:
    """A backfilling server that stopped because its host was lost: nobody needed its room."""
    return event.kind == "server.stopped" and event_words.value_text(event, "reason") == "host_lost"
