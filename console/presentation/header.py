"""The four rows of the frame: header, crumbs, status, keys.

The header names the worst fact of the cloud in a few words, how old what is shown is, and that nothing can be changed
where that is so. Those are never dropped; everything else goes as the terminal gets narrower.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from console.presentation import figures
from console.presentation.lines import (
    Frame,
    Line,
    Placed,
    Span,
    Tone,
    View,
    at,
    cells,
    compose,
    cut,
    fit_name,
    fit_sentence,
    left,
    span_width,
)
from console.presentation.mirror import Mirror
from console.presentation.offered import zone_word
from console.records_offer import Pace

POLL_SECONDS = 1
AGE_SHOUTS_SECONDS = 3 * POLL_SECONDS
STALE_SECONDS = 10 * POLL_SECONDS
LOOK_SECONDS = 10
"""How long a look at a cloud may take that has no feed."""

NARROW, MEDIUM, WIDE = 60, 80, 120


@dataclass(frozen=True, slots=True)
class WorstFact:
    glyph: str
    words: str
    short: str
    tone: Tone


def worst_fact(mirror: Mirror, frame: Frame) -> WorstFact:
    """The one thing to know first: silence of the cloud, of cells, of hosts, then what is at risk."""
    glyphs = frame.glyphs
    if mirror.is_refused:
        return WorstFact(glyphs.lost, "the cloud refuses the credentials", "refused", Tone.CRIT)
    if mirror.is_offline:
        return WorstFact(glyphs.lost, "no answer from the cloud", "no answer", Tone.CRIT)
    if mirror.problem is not None and not mirror.answered_at:
        return WorstFact(glyphs.lost, "no answer yet", "no answer", Tone.WARN)
    if mirror.cells is None:
        return WorstFact(glyphs.busy, "asking the cloud", "asking", Tone.MUTED)
    silent, total = sum(not cell.is_up for cell in mirror.cells), len(mirror.cells)
    if silent:
        noun = zone_word(mirror)
        words = f"{silent} of {total} {noun}{'s' if total != 1 else ''} degraded"
        return WorstFact(glyphs.attention, words, f"{silent}/{total} {noun}s", Tone.WARN)
    down = sum(host.state == "down" and mirror.is_host_known(host) for host in mirror.hosts or ())
    if down:
        words = f"{down} host{'s' if down != 1 else ''} down"
        return WorstFact(glyphs.lost, words, words, Tone.CRIT)
    fragile = sum(group.tolerates == 0 and not group.is_bound for group in mirror.groups or ())
    if fragile:
        words = f"{fragile} group{'s' if fragile != 1 else ''} at risk"
        return WorstFact(glyphs.violation, words, words, Tone.CRIT)
    noun = zone_word(mirror)
    words = f"no {noun}s" if not total else f"its {noun} is up" if total == 1 else f"all {total} {noun}s up"
    if mirror.troubles:
        return WorstFact(glyphs.attention, words, words, Tone.WARN)
    return WorstFact(glyphs.running, words, words, Tone.MUTED)


def header(mirror: Mirror, frame: Frame) -> Line:
    """Row 1: the cloud, its worst fact, totals, clock, age."""
    width, fact = frame.width, worst_fact(mirror, frame)
    gap = 2 if width < NARROW else 3
    name = fit_name(frame.cloud or mirror.kind or "stratodeck", 12, frame.glyphs)
    words = fact.short if width < NARROW else fact.words
    end = _past(mirror, frame) or (*_pace(mirror, frame), *_clock(mirror, frame), *_age(mirror, frame))
    room = width - 2 - span_width(end)
    column = 1 + cells(name) + gap
    shown: Line = (Span(name, Tone.ACCENT, is_bold=True),)
    if mirror.is_production:
        # Never dropped either: here a mistake hurts.
        shown = (Span(f"{name} PROD", Tone.CRIT, is_reversed=True, is_bold=True),)
        column += len(" PROD")
    placed: list[Placed] = [at(1, shown), at(width - 1 - span_width(end), end)]
    if frame.is_read_only:
        # Who presses a verb wants to know before, so it is never dropped.
        mark = "RO" if width < MEDIUM else "READ-ONLY"
        placed.append(at(column - gap + 1, (Span(mark, Tone.WARN, is_reversed=True),)))
        column += 1 + cells(mark)
    words = fit_sentence(words, room - column - 3, frame.glyphs)
    placed.append(at(column, (Span(fact.glyph, fact.tone), Span(" "), Span(words, fact.tone))))
    column += 2 + cells(words) + gap
    if width >= MEDIUM:
        fitting = (totals for totals in _totals(mirror, frame) if column + span_width(totals) + 2 <= room)
        placed.append(at(column, next(fitting, ())))
    return compose(width, *placed)


def _servers(mirror: Mirror, frame: Frame) -> str:
    """How many servers there are, which is central knowledge: also those of cells that do not answer."""
    told = [cell.servers for cell in mirror.cells or ()]
    # Of no cell at all it is not known that they have no servers: perhaps they have not been told yet.
    if told and all(number is not None for number in told):
        total: int | None = sum(number or 0 for number in told)
    else:
        total = mirror.servers_total
    if total is None:
        return frame.glyphs.nobody_said
    return figures.last_known(figures.count(total), frame.glyphs) if mirror.is_offline else figures.count(total)


def _servers_short(mirror: Mirror, frame: Frame) -> Line:
    return (Span("srv "), Span(_servers(mirror, frame), Tone.UNKNOWN if mirror.is_offline else Tone.TEXT))


def _host_total(mirror: Mirror, frame: Frame) -> str:
    """Compute and storage hosts: the loss of either hurts, and cells count both."""
    if mirror.hosts is not None:
        return figures.count(len(mirror.hosts))
    told = [cell.hosts for cell in mirror.cells or () if cell.hosts is not None]
    return figures.count(sum(told)) if told else frame.glyphs.nobody_said


def _totals(mirror: Mirror, frame: Frame) -> Iterator[Line]:
    """How many hosts and servers there are, in fewer and fewer words."""
    if not mirror.is_offline:
        hosts = f"hosts {_host_total(mirror, frame)}"
        if frame.width >= WIDE:
            broken = _broken_hosts(mirror)
            backfill = figures.count(len(mirror.fleet.backfilling)) if mirror.is_complete else frame.glyphs.nobody_said
            yield (
                Span(f"{hosts}{broken}   servers {_servers(mirror, frame)}   "),
                Span(f"backfill {backfill}"),
            )
            yield (Span(f"{hosts}{broken}  "), *_servers_short(mirror, frame))
        yield (Span(f"{hosts}  "), *_servers_short(mirror, frame))
    yield _servers_short(mirror, frame)


def _broken_hosts(mirror: Mirror) -> str:
    """` (1 down, 28 unknown)`; nothing where all are up."""
    silent = {cell.name for cell in mirror.cells or () if cell.is_silent}
    states = Counter(
        host.state if host.is_reachable and host.cell not in silent else "unknown" for host in mirror.hosts or ()
    )
    counts = (("down", states["down"]), ("maint", states["maintenance"]), ("unknown", states["unknown"]))
    parts = [f"{count} {word}" for word, count in counts if count]
    return f" ({', '.join(parts)})" if parts else ""


def _past(mirror: Mirror, frame: Frame) -> Line:
    """That this is the past, and how far back; how old it is that nothing more can be asked, where that is so."""
    if frame.past_at is None:
        return ()
    at, back = figures.instant(frame.past_at, frame.now), figures.duration((frame.now - frame.past_at).total_seconds())
    text = f"PAST {at}  -{back}" if frame.width >= NARROW else f"PAST -{back}"
    stale = (Span("  "), *_age(mirror, frame)) if mirror.is_offline and frame.width >= MEDIUM else ()
    return (Span(text, Tone.WARN, is_reversed=True), *stale)


def _pace(mirror: Mirror, frame: Frame) -> Line:
    """How much a cloud is asked, where every question is a load on it: `12/30 req/min`."""
    pace = mirror.pace
    if pace is None or frame.width < NARROW:
        return ()
    word = f" {pace.word}" if pace.word and frame.width >= WIDE else ""
    unit = "req/min" if frame.width >= MEDIUM else "a min"
    tone = Tone.WARN if pace.requests >= pace.requests_max or pace.word == "held off" else Tone.MUTED
    return (Span(f"{pace.requests}/{pace.requests_max} {unit}{word}  ", tone),)


def _clock(mirror: Mirror, frame: Frame) -> Line:
    """The cloud's time and, when it is not the wall's, how it runs."""
    if frame.width < NARROW or mirror.clock is None:
        return ()
    time = Span(f"{figures.time_of_day(frame.now)}Z")
    if mirror.is_offline or mirror.clock.mode == "wall":
        return (time, Span("  "))
    rate = "PAUSED" if mirror.clock.mode == "manual" else f"x{mirror.clock.rate:g}"
    return (time, Span(f" {rate}  ", Tone.WARN if rate == "PAUSED" else Tone.TEXT))


def _age(mirror: Mirror, frame: Frame) -> Line:
    seconds = mirror.age_seconds(frame.wall_now)
    if seconds is None:
        return (Span(f"age {frame.glyphs.nobody_said}", Tone.MUTED),)
    # What is looked at now and then may be as old as that.
    late = seconds if mirror.pace is None else seconds - _quiet_seconds(mirror.pace)
    if late > STALE_SECONDS:
        text = figures.age(seconds)
        if frame.width < NARROW and "m" in text:
            text = text[: text.index("m") + 1]
        return (Span(f"STALE {text}", Tone.CRIT, is_reversed=True),)
    if late > AGE_SHOUTS_SECONDS:
        return (Span(f"AGE {figures.age(seconds)}", Tone.WARN, is_reversed=True),)
    return (Span(f"age {figures.age(seconds)}", Tone.MUTED),)


def _quiet_seconds(pace: Pace) -> float:
    """How long nothing may be heard while all is well: until the next look, and as long as that may take."""
    return LOOK_SECONDS + (pace.wait_seconds or 0.0)


def crumbs(view: View, frame: Frame) -> Line:
    """Row 2: where one is, and the view's note at the right end."""
    marks = f"   marked {len(frame.marks):,}" if frame.marks and "marked" not in view.note else ""
    note = view.note + marks
    if frame.width < NARROW:
        # Only the last figure of the note is worth the room: how many rows there are.
        note = note.rsplit("   ", 1)[-1]
    if frame.past_at is not None and frame.width >= NARROW and view.name != "help":
        note = _as_it_was(note, frame)
    end = frame.width - 1 - cells(note)
    path: list[Span] = []
    for crumb in view.crumbs:
        if path:
            path.append(Span(" > ", Tone.MUTED))
        path.append(Span(crumb, Tone.ACCENT))
    if frame.filter:
        path.append(Span(f" /{frame.filter}", Tone.TEXT))
    room = max(0, end - 2)
    if span_width(path) > room:
        path = [*cut(path, max(0, room - cells(frame.glyphs.ellipsis))), Span(frame.glyphs.ellipsis, Tone.MUTED)]
    return compose(frame.width, at(1, cut(path, room)), left(end, note))


def _as_it_was(note: str, frame: Frame) -> str:
    """What stands beside every view of the past. The events say it themselves, in their note."""
    if note.startswith("as it was"):
        return note
    long, short = f"as it was, read only   {note}".rstrip(), f"as it was   {note}".rstrip()
    return long if cells(long) <= frame.width // 2 else short


def status(line: Line, frame: Frame) -> Line:
    """Row h-1: a status that a view gave, fitted to the frame. A sentence of one tone is cut at a word."""
    if len(line) == 1:
        span = line[0]
        text = fit_sentence(span.text, frame.width - 2, frame.glyphs)
        line = (Span(text, span.tone, span.is_reversed, span.is_bold),)
    return compose(frame.width, at(1, line))


def message(sentence: str, tone: Tone, frame: Frame) -> Line:
    """Row h-1: progress, or the last error."""
    return status((Span(sentence, tone),), frame)


def keys(hints: Sequence[tuple[str, str]], frame: Frame) -> Line:
    """Row h: hints of (key, words), most used first; whole ones go from the right, the last (`? help`) always stays."""
    if not hints:
        return compose(frame.width)
    *first, last = hints
    room = frame.width - 2 - _hint_width(last)
    kept: list[tuple[str, str]] = []
    used = 0
    for hint in first:
        if used + _hint_width(hint) + 3 > room:
            break
        kept.append(hint)
        used += _hint_width(hint) + 3
    spans: list[Span] = []
    for key, words in [*kept, last]:
        if spans:
            spans.append(Span("   "))
        spans += [Span(key, Tone.ACCENT, is_bold=True), Span(f" {words}", Tone.MUTED)]
    return compose(frame.width, at(1, tuple(spans)))


def _hint_width(hint: tuple[str, str]) -> int:
    return cells(hint[0]) + 1 + cells(hint[1])
