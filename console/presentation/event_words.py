"""What happened, in words: whom an event is about, which sign it has, whether it is an alarm, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.presentation import figures
from console.presentation.lines import Glyphs, Tone
from console.presentation.mirror import Mirror
from console.records import EventRecord


def title(mirror: Mirror, event: EventRecord) -> str:
    """What to call the object: its name as known now, or as the event tells it."""
    # A backup has no name of its own: it goes by its server's, and so does a schedule that is not described.
    # A log that is older than other sources tells of servers.
    is_owned = event.object_kind in {"backup", "schedule"}
    owner = (value_text(event, "source_id") or value_text(event, "server_id")) if is_owned else ""
    called = ""
    if is_owned and not owner:
        # Only its first event says of what it is.
        owner, called = mirror.sources.get(event.object_id, ("", ""))
    named = (
        mirror.name_of(event.object_id)
        or event.object_name
        or value_text(event, "name")
        or mirror.name_of(owner)
        or called
        or value_text(event, "description")
    )
    if named:
        return named
    return event.object_id[:8] if event.object_kind in {"server", "drive", "backup", "schedule"} else event.object_id


_LOOKS: Mapping[str, tuple[str, Tone]] = {
    "cell.down": ("lost", Tone.CRIT),
    "cell.hung": ("unknown", Tone.UNKNOWN),
    "cell.partly": ("attention", Tone.WARN),
    "cell.up": ("running", Tone.OK),
    "host.down": ("lost", Tone.CRIT),
    "host.maintenance": ("maintenance", Tone.WARN),
    "host.up": ("running", Tone.OK),
    "group.restored": ("done", Tone.OK),
    "server.unavailable": ("lost", Tone.CRIT),
    "server.error": ("lost", Tone.CRIT),
    "server.displaced": ("violation", Tone.CRIT),
    "server.notice": ("attention", Tone.WARN),
    "server.paused": ("paused", Tone.WARN),
    "server.stays": ("attention", Tone.WARN),
    "server.boot_refused": ("attention", Tone.WARN),
    "server.shrunk": ("backfill", Tone.BACKFILL),
    "server.grown": ("backfill", Tone.BACKFILL),
    "server.running": ("running", Tone.OK),
    "server.resumed": ("running", Tone.OK),
    "server.returned": ("running", Tone.OK),
    "server.stopped": ("stopped", Tone.MUTED),
    "server.placed": ("busy", Tone.ACCENT),
    "server.stopping": ("busy", Tone.ACCENT),
    "drive.unavailable": ("lost", Tone.CRIT),
    "drive.returned": ("running", Tone.OK),
    "drive.cloning_src": ("busy", Tone.ACCENT),
    "drive.resizing": ("busy", Tone.ACCENT),
    "schedule.failed": ("lost", Tone.CRIT),
    "schedule.missed": ("attention", Tone.WARN),
    "schedule.switched_off": ("attention", Tone.WARN),
    "schedule.overlapped": ("attention", Tone.WARN),
    "backup.ready": ("done", Tone.OK),
    "backup.failed": ("lost", Tone.CRIT),
    "backup.restore_failed": ("attention", Tone.WARN),
}
_ALARMS = frozenset(kind for kind, (_, tone) in _LOOKS.items() if tone in {Tone.CRIT, Tone.WARN, Tone.UNKNOWN})


def look(event: EventRecord, glyphs: Glyphs) -> tuple[str, Tone]:
    name, tone = _LOOKS.get(event.kind, ("nothing", Tone.MUTED))
    return str(getattr(glyphs, name)), tone


def is_alarm(event: EventRecord) -> bool:
    """Whether something broke, or is about to hurt somebody."""
    return event.kind in _ALARMS


def sentence(mirror: Mirror, event: EventRecord) -> str:
    """What happened, in words. A kind that is not known here is said as it is."""
    match event.object_kind:
        case "server":
            found = _server_sentence(mirror, event)
        case "drive":
            found = _drive_sentence(mirror, event)
        case "backup":
            found = _backup_sentence(event)
        case "schedule":
            found = _schedule_sentence(event)
        case _:
            found = _place_sentence(event)
    if found is not None:
        return found
    verb = event.kind.partition(".")[2] or event.kind
    what = "" if event.object_kind == "server" else f"{event.object_kind} "
    end = _edited(event) if verb == "edited" else _on_host(event)
    return what + verb.replace("_", " ") + end + _because(event)


_SERVER_SENTENCES: Mapping[str, str] = {
    "server.notice_withdrawn": "may stay: its room is not needed any more",
    "server.admitted": "has its room now",
    "server.storage_lost": "a drive of it is lost; it is paused when it is up",
    "server.storage_returned": "has all its drives again",
    "server.resumed": "goes on: it has all its drives again",
    "server.boot_refused": "could not be started: no host has room",
    "server.rebooted": "rebooted",
}


def _server_sentence(mirror: Mirror, event: EventRecord) -> str | None:
    details, on_host = event.details, _on_host(event)
    match event.kind.partition(".")[2]:
        case "created" if details.get("source"):
            return f"made as a clone of {_name_or_id(mirror, details.get('source'), details.get('source_name'))}"
        case "placed":
            again = " again, as there is room" if details.get("restart") else ""
            return f"placed{on_host}{again}{_decision(details.get('decision'))}"
        case "running":
            return f"runs{on_host}"
        case "shrunk" | "grown":
            return f"{_resized(event)}{on_host}{_cause(mirror, details.get('cause'))}"
        case "notice":
            return f"will be stopped{_for(mirror, details.get('for'))}"
        case "displaced":
            return f"stopped{on_host}{_for(mirror, _value(event, 'displaced_for'))}"
        case "stopping":
            return {"shutdown": "shuts itself down", "stop": "is powered off"}.get(
                _text(details.get("action")), "stops"
            )
        case "unavailable":
            host = _host(event)
            return f"lost with {host}" if host else "lost"
        case "returned":
            return f"is back with its host{_because(event)}"
        case _:
            return _SERVER_SENTENCES.get(event.kind)


def _drive_sentence(mirror: Mirror, event: EventRecord) -> str | None:
    details = event.details
    before = event.changes.get("state", (None, None))[0]
    match event.kind.partition(".")[2]:
        case "created" if details.get("source"):
            source = _name_or_id(mirror, details.get("source"), details.get("source_name"))
            return f"drive begun as a copy of {source}{_on_host(event)}"
        case "cloning_src":
            return f"drive is being copied to {_name_or_id(mirror, details.get('copy'), details.get('copy_name'))}"
        case "mounted" | "unmounted" if before == "cloning_src":
            return "drive has been copied, and is free again"
        case "mounted" | "unmounted" if before == "cloning_dst":
            return "drive is a whole copy now"
        case "mounted" | "unmounted" if before == "creating":
            return "drive is ready"
        case "resizing":
            return "drive is being made larger"
        case "mounted" | "unmounted" if before == "resizing":
            return "drive has its new size"
        case "attached":
            return f"drive attached to {_name_or_id(mirror, _value(event, 'server_id'))}"
        case "detached":
            return f"drive detached from {_name_or_id(mirror, event.changes.get('server_id', (None, None))[0])}"
        case "unavailable":
            host = _host(event)
            return f"drive lost with {host}" if host else "drive lost"
        case "returned":
            return "drive is back with its host"
        case _:
            return None


def _backup_sentence(event: EventRecord) -> str | None:
    match event.kind:
        case "backup.created":
            return "backup begun"
        case "backup.ready":
            return "backup ready"
        case "backup.deleted":
            return "backup dropped"
        case "backup.deleting":
            return "backup being deleted"
        case "backup.failed":
            return f"backup failed{_because(event)}"
        case "backup.kept":
            return f"backup kept past its time: {_text(event.details.get('rule'))}"
        case "backup.restoring":
            return f"restored into {_text(event.details.get('server_name'))}"
        case "backup.restored":
            return f"restore into {_text(event.details.get('server_name'))} done"
        case "backup.restore_failed":
            return f"restore failed{_because(event)}"
        case _:
            return None


def _schedule_sentence(event: EventRecord) -> str | None:
    match event.kind:
        case "schedule.ran":
            return "schedule has begun a backup"
        case "schedule.missed":
            why = _text(event.details.get("why"))
            return "schedule missed a run" + (f": {why}" if why else "")
        case "schedule.switched_off":
            return f"schedule switched off{_because(event)}"
        case "schedule.overlapped":
            return "schedule refused a run: the last one is not finished"
        case "schedule.drilled":
            problem = _text(event.details.get("problem"))
            return f"restore drill failed: {problem}" if problem else f"restore drill took {_seconds(event)} s"
        case _:
            return None


def _place_sentence(event: EventRecord) -> str | None:
    match event.kind:
        case "cell.down" | "cell.hung":
            return f"does not answer{_because(event)}"
        case "cell.partly":
            return "answers in part"
        case "cell.up":
            return "answers again"
        case "host.down":
            return f"down{_because(event)}"
        case "host.up":
            return "up again"
        case "host.maintenance":
            return "drained: nothing more is placed there"
        case "host.evacuated":
            staying = event.details.get("stays")
            number = len(staying) if isinstance(staying, list) else 0
            return "evacuated" + (f"; {number} could not leave" if number else "")
        case "group.restored":
            moved, planned = event.details.get("moved"), event.details.get("planned")
            return "taken apart" if moved == planned else f"taken apart in part: {moved} of {planned} have moved"
        case _:
            return None


# The parts of a sentence -------------------------------------------------------------------------------------------


def _value(event: EventRecord, field: str) -> Any:
    """What a field became; of what is gone, what it was."""
    before, after = event.changes.get(field, (None, None))
    return before if event.kind.endswith(".deleted") else after


def value_text(event: EventRecord, field: str) -> str:
    """What a field became, if that is a text; of what is gone, what it was."""
    return _text(_value(event, field))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _seconds(event: EventRecord) -> str:
    seconds = event.details.get("seconds")
    return str(seconds) if isinstance(seconds, int) else "unknown"


def _host(event: EventRecord) -> str:
    return value_text(event, "host") or _text(event.details.get("host"))


def _on_host(event: EventRecord) -> str:
    host = _host(event)
    return f" on {host}" if host else ""


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


def _name_or_id(mirror: Mirror, object_id: Any, told: Any = None) -> str:
    """The name as known now, as it was told, or else the start of the id."""
    return mirror.name_of(_text(object_id)) or _text(told) or _text(object_id)[:8] or "nobody"


def _cause(mirror: Mirror, object_id: Any) -> str:
    return f", because of {_name_or_id(mirror, object_id)}" if _text(object_id) else ""


def _for(mirror: Mirror, object_id: Any) -> str:
    return f" to make room for {_name_or_id(mirror, object_id)}" if _text(object_id) else ""


_REASONS = {
    "host_lost": "its host was lost",
    "storage_lost": "a drive of it is lost",
    "displaced": "somebody else needed its room",
}


def _because(event: EventRecord) -> str:
    reason = _text(event.details.get("reason")) or (value_text(event, "reason") if event.object_kind != "drive" else "")
    return f": {_REASONS.get(reason, reason)}" if reason else ""


def _edited(event: EventRecord) -> str:
    fields = [name for name in event.changes if name not in {"version", "state_since"}]
    return f": {', '.join(fields)}" if fields else ""
