"""One drive in full, and the short form that stands beside the list of drives."""

from __future__ import annotations

from console.presentation import figures, labels, parts
from console.presentation.facts import Fact, event_facts, fact, gone, instant_and_age, pane_lines, region_of
from console.presentation.lines import (
    Frame,
    Glyphs,
    Line,
    Span,
    Tone,
    View,
    at,
    cells,
    fit_id,
    fit_name,
    left,
    right,
    ruled,
)
from console.presentation.mirror import Mirror
from console.presentation.sentences import unread_sentence
from console.records import DriveDetail, DriveRecord


def find(mirror: Mirror, key: str | None) -> DriveRecord | None:
    """The drive of a key `drive:ID`, if the mirror knows it."""
    return None if key is None else mirror.drives.by_id.get(key.removeprefix("drive:"))


def view(mirror: Mirror, key: str, frame: Frame, detail: DriveDetail | None = None) -> View:
    """All that is known of a drive, by its key `drive:ID`."""
    drive = find(mirror, key) or (None if detail is None else detail.drive)
    if drive is None:
        is_coming = not mirror.are_drives_complete and not mirror.is_offline
        title = key.removeprefix("drive:")[:8]
        words = (Fact(frame.glyphs.ellipsis, ()),)
        region = region_of(words, frame.width) if is_coming else gone(title, frame)
        return View("detail", ("drives", title), "describe", (region,))
    facts = [*_facts(mirror, frame, drive), *_more_facts(mirror, frame, drive, detail)]
    return View(
        "detail",
        ("drives", drive.title),
        "describe",
        (region_of(facts, frame.width),),
        status=lambda _key: (Span(f"{drive.title}: {sentence(mirror, frame, drive)}", Tone.MUTED),),
    )


def sentence(mirror: Mirror, frame: Frame, drive: DriveRecord) -> str:
    """What there is to say of a drive now."""
    host = drive.host or "no host"
    since = figures.age_since(drive.state_since, frame.now) or frame.glyphs.nobody_said
    server = mirror.name_of(drive.server_id) or (drive.server_id or "")[:8]
    match drive.state:
        case "unknown" if drive.known_at is None and drive.name is not None and frame.past_at is not None:
            return unread_sentence(drive.cell)
        case "unknown" if drive.known_at is None:
            return f"{drive.cell} does not answer, and nothing was ever known of it here"
        case "unknown":
            known = figures.instant(drive.known_at or frame.wall_now, frame.wall_now)
            was = f"last known {drive.last_state}" if drive.last_state else "last known"
            return f"{drive.cell} does not answer; {was} on {host} at {known}"
        case "unavailable":
            was = f", was {drive.lost_from}" if drive.lost_from else ""
            uses = f"; {server} cannot use it" if server else ""
            return f"lost {since} ago with {host}{was}{uses}"
        case "mounted":
            where = "".join(f" {part}" for part in (drive.device, drive.channel) if part)
            return f"on {host}, mounted on {server}" + (f" as{where}" if where else "")
        case "cloning_src":
            return f"on {host}, is being copied for {since}"
        case "cloning_dst":
            return f"on {host}, a copy that is being made for {since}"
        case "creating" | "resizing" | "uploading":
            return f"{drive.state} on {host} for {since}"
        case _:
            return f"on {host}, {drive.state} for {since}"


def _state_spans(frame: Frame, drive: DriveRecord) -> Line:
    look = figures.drive_state(drive, frame.glyphs)
    if drive.is_reachable:
        since = instant_and_age(drive.state_since, frame.now)
        text = "" if since is None else f"since {since}"
    else:
        was = f"last known {drive.last_state}, " if drive.last_state else ""
        age = figures.age_since(drive.known_at, frame.wall_now)
        never = (
            "not known of this moment" if drive.name is not None and frame.past_at is not None else "never known here"
        )
        text = f"{was}{never}" if age is None else f"{was}{frame.glyphs.last_known}{age} ago"
    word = "being copied" if drive.state == "cloning_src" else look.word
    return (Span(f"{look.glyph} {word}", look.tone), Span(f"  {text}", Tone.MUTED))


def size_text(drive: DriveRecord, glyphs: Glyphs, *, is_known: bool) -> str:
    """The size as a figure of GiB: current, last known, or never told."""
    text = None if drive.size_bytes is None else figures.gib(drive.size_bytes)
    return figures.or_dash(text, glyphs) if is_known else figures.last_known(text, glyphs)


def _facts(mirror: Mirror, frame: Frame, drive: DriveRecord) -> list[Fact]:
    glyphs = frame.glyphs
    known = drive.is_reachable and not mirror.is_offline
    tone = Tone.TEXT if known else Tone.UNKNOWN
    facts = [
        Fact("state", _state_spans(frame, drive)),
        fact("cell", drive.cell, glyphs, tone, f"cell:{drive.cell}"),
        fact("host", drive.host, glyphs, tone, f"host:{drive.host}"),
        fact("size", f"{size_text(drive, glyphs, is_known=known)} GiB", glyphs, tone),
        fact("media", drive.media, glyphs, tone),
    ]
    if drive.server_id is None:
        return [*facts, fact("server", "not attached", glyphs, Tone.MUTED)]
    server = mirror.servers.get(drive.server_id)
    spans = [Span(drive.server_id[:8] if server is None else server.title, tone)]
    if server is not None:
        look = figures.server_state(server, glyphs)
        spans += [Span(f"   {look.glyph} {look.word}", look.tone)]
    where = " ".join(part for part in (drive.device, drive.channel) if part)
    boot = "" if drive.boot_order is None else f"   boot order {drive.boot_order}"
    spans.append(Span(f"   {where}{boot}", Tone.MUTED))
    return [*facts, Fact("server", tuple(spans), drive.server_id)]


def _more_facts(mirror: Mirror, frame: Frame, drive: DriveRecord, detail: DriveDetail | None = None) -> list[Fact]:
    glyphs = frame.glyphs
    asked = detail if detail is not None and detail.drive.id == drive.id else None
    meta = {} if asked is None else asked.raw.get("meta") or {}
    facts = []
    if drive.lost_from is not None:
        facts.append(fact("was", f"{drive.lost_from}, before its host was lost", glyphs, Tone.WARN))
    return [
        *facts,
        fact("id", drive.id, glyphs),
        fact("owner", drive.owner, glyphs),
        fact("project", drive.project_id, glyphs),
        fact("created", instant_and_age(drive.created_at, frame.now), glyphs),
        fact("tags", ", ".join(drive.tags) or glyphs.nothing, glyphs),
        *([fact("meta", labels.meta_text(meta), glyphs)] if meta else []),
        fact("version", None if drive.version is None else str(drive.version), glyphs),
        *([] if asked is None else parts.snapshot_facts(asked.snapshots, frame)),
        *event_facts(mirror, frame, (drive.id,)),
    ]


def pane(mirror: Mirror, key: str, frame: Frame, width: int) -> tuple[Line, ...]:
    """The facts of a drive beside the list, with the rule in front; as many as the body has."""
    drive, glyphs = find(mirror, key), frame.glyphs
    lines: list[Line] = []
    if drive is not None:
        identity = fit_id(drive.id, 13, glyphs)
        title = fit_name(drive.title, max(8, width - 56), glyphs)
        spans = _state_spans(frame, drive)
        head = left(2, title, Tone.ACCENT, bold=True)
        lines.append(ruled(width, glyphs, head, at(4 + cells(title), spans), right(width - 2, identity, Tone.MUTED)))
        for each in [*_facts(mirror, frame, drive)[1:], *_more_facts(mirror, frame, drive)]:
            if each.label != "id":
                lines += pane_lines(each, width, glyphs)
    lines += [ruled(width, glyphs)] * (frame.body_height - len(lines))
    return tuple(lines[: frame.body_height])
