"""What has happened, newest first: when, to whom, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.presentation import figures
from console.presentation.lines import (
    Frame,
    Glyphs,
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
)
from console.presentation.mirror import Mirror
from console.records import EventRecord

NAME_WIDTH = 12


def view(mirror: Mirror, frame: Frame) -> View:
    """The latest events, or those of the object that `frame.scope` names (an id, or a cell's name)."""
    wanted = frame.filter.casefold()
    events = [
        event
        for event in reversed(mirror.events)
        if (frame.scope is None or frame.scope in {event.object_id, event.file})
        and (not wanted or _holds(mirror, event, wanted))
    ]
    if events:
        region: Rows[EventRecord] | Lines = Rows(
            head(frame.width), events, lambda event: row(mirror, frame, event, frame.width), _key
        )
    else:
        region = Lines([compose(frame.width, left(2, _instead(mirror, frame), Tone.MUTED))], head=head(frame.width))
    crumbs = (mirror.name_of(frame.scope) or frame.scope, "events") if frame.scope else ("events",)
    number = f"{len(events):,} of {len(mirror.events):,}" if wanted or frame.scope else f"{len(events):,}"
    return View("events", crumbs, f"newest first   {number}", (region,), lambda key: status(mirror, key))


def _key(event: EventRecord) -> str:
    return f"event:{event.key}"


def _instead(mirror: Mirror, frame: Frame) -> str:
    if frame.filter:
        return f"no events match /{frame.filter}   esc clears the filter"
    return "nothing has happened yet" if "events" in mirror.answered_at or mirror.is_complete else frame.glyphs.ellipsis


def _holds(mirror: Mirror, event: EventRecord, wanted: str) -> bool:
    texts = (title(mirror, event), event.kind, event.actor, sentence(mirror, event))
    return any(wanted in text.casefold() for text in texts)


def head(width: int) -> Line:
    placed = [left(1, "TIME", Tone.MUTED), left(13, "OBJECT", Tone.MUTED)]
    if width >= 60:
        placed.append(left(27, "WHAT HAPPENED", Tone.MUTED))
    if width >= 120:
        placed.append(left(width - 34, "BY", Tone.MUTED))
    return compose(width, *placed)


def title(mirror: Mirror, event: EventRecord) -> str:
    """What to call the object: its name as known now, or as the event tells it."""
    # A backup has no name of its own: it goes by its server's.
    owner = _text(_value(event, "server_id")) if event.object_kind == "backup" else ""
    named = mirror.name_of(event.object_id) or _text(_value(event, "name")) or mirror.name_of(owner)
    if named:
        return named
    return event.object_id[:8] if event.object_kind in {"server", "drive", "backup", "schedule"} else event.object_id


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


_LOOKS: Mapping[str, tuple[str, Tone]] = {
    "cell.down": ("lost", Tone.CRIT),
    "cell.hung": ("unknown", Tone.UNKNOWN),
    "cell.up": ("running", Tone.OK),
    "host.down": ("lost", Tone.CRIT),
    "host.up": ("running", Tone.OK),
    "server.unavailable": ("lost", Tone.CRIT),
    "server.displaced": ("violation", Tone.CRIT),
    "server.notice": ("attention", Tone.WARN),
    "server.shrunk": ("backfill", Tone.BACKFILL),
    "server.grown": ("backfill", Tone.BACKFILL),
    "server.running": ("running", Tone.OK),
    "server.stopped": ("stopped", Tone.MUTED),
    "server.placed": ("busy", Tone.ACCENT),
    "server.stopping": ("busy", Tone.ACCENT),
    "schedule.failed": ("lost", Tone.CRIT),
    "schedule.missed": ("attention", Tone.WARN),
    "schedule.switched_off": ("attention", Tone.WARN),
    "backup.ready": ("done", Tone.OK),
}


def look(event: EventRecord, glyphs: Glyphs) -> tuple[str, Tone]:
    name, tone = _LOOKS.get(event.kind, ("nothing", Tone.MUTED))
    return str(getattr(glyphs, name)), tone


def _value(event: EventRecord, field: str) -> Any:
    """What a field became; of what is gone, what it was."""
    before, after = event.changes.get(field, (None, None))
    return before if event.kind.endswith(".deleted") else after


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def sentence(mirror: Mirror, event: EventRecord) -> str:
    """What happened, in words. A kind that is not known here is said as it is."""
    details = event.details
    host = _text(_value(event, "host")) or _text(details.get("host"))
    on_host = f" on {host}" if host else ""
    match event.kind:
        case "server.placed":
            return f"placed{on_host}{_decision(details.get('decision'))}"
        case "server.running":
            return f"runs{on_host}"
        case "server.shrunk" | "server.grown":
            return f"{_resized(event)}{on_host}{_cause(mirror, details.get('cause'))}"
        case "server.notice":
            return f"will be stopped{_for(mirror, details.get('for'))}"
        case "server.notice_withdrawn":
            return "may stay: its room is not needed any more"
        case "server.displaced":
            return f"stopped{on_host}{_for(mirror, _value(event, 'displaced_for'))}"
        case "server.admitted":
            return "has its room now"
        case "server.unavailable":
            return f"lost with {host}" if host else "lost"
        case "cell.down" | "cell.hung":
            return f"does not answer{_because(details)}"
        case "cell.up":
            return "answers again"
        case "host.down":
            return f"down{_because(details)}"
        case _:
            verb = event.kind.partition(".")[2] or event.kind
            what = "" if event.object_kind == "server" else f"{event.object_kind} "
            return what + verb.replace("_", " ") + (on_host if verb != "edited" else _edited(event)) + _because(details)


def _decision(decision: Any) -> str:
    if not isinstance(decision, Mapping):
        return ""
    stops = decision.get("stops")
    number = len(stops) if isinstance(stops, list) else 0
    return f"; {number} backfilling must stop" if number else ""


def _resized(event: EventRecord) -> str:
    """`CPU 12.0 to 7.4 GHz`, for what an effective size was and is."""
    parts = []
    for field, what, unit, write in (
        ("cpu_mhz_effective", "CPU", "GHz", figures.ghz),
        ("memory_bytes_effective", "memory", "GiB", figures.gib),
    ):
        pair = event.changes.get(field)
        if pair is not None and all(isinstance(value, int | float) for value in pair):
            parts.append(f"{what} {write(pair[0])} to {write(pair[1])} {unit}")
    return ", ".join(parts) or event.kind.partition(".")[2]


def _name_or_id(mirror: Mirror, object_id: Any) -> str:
    return mirror.name_of(_text(object_id)) or _text(object_id)[:8]


def _cause(mirror: Mirror, object_id: Any) -> str:
    return f", because of {_name_or_id(mirror, object_id)}" if _text(object_id) else ""


def _for(mirror: Mirror, object_id: Any) -> str:
    return f" to make room for {_name_or_id(mirror, object_id)}" if _text(object_id) else ""


def _because(details: Mapping[str, Any]) -> str:
    reason = _text(details.get("reason"))
    return f": {reason}" if reason else ""


def _edited(event: EventRecord) -> str:
    fields = [name for name in event.changes if name not in {"version", "state_since"}]
    return f": {', '.join(fields)}" if fields else ""


def status(mirror: Mirror, key: str | None) -> Line:
    event = next((event for event in reversed(mirror.events) if _key(event) == key), None)
    if event is None:
        return ()
    who = f" by {event.actor}" if event.actor else ""
    text = f"{title(mirror, event)} {sentence(mirror, event)}{who}; {event.file} number {event.number}"
    return (Span(text, Tone.MUTED),)
