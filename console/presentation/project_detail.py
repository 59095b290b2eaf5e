"""One project in full: what it holds of its quota, what its schedules come to, and where its backups are listed."""

from __future__ import annotations

from console.presentation import figures, storage
from console.presentation.facts import Fact, fact, gone, region_of
from console.presentation.lines import Frame, Span, Tone, View
from console.presentation.mirror import Mirror
from console.records_backups import StorageRecord

GAUGE_WIDTH = 24


def view(mirror: Mirror, key: str, frame: Frame) -> View:
    """Until the cloud has told what it holds, the page says so."""
    name = key.removeprefix("project:")
    project = storage.find(mirror, name)
    title = name[:8] if project is None else project.name
    is_asked = mirror.protection.storage is None
    region = region_of([] if project is None else _facts(frame, project), frame.width)
    if project is None:
        region = gone(title, frame) if not is_asked else region_of(
            [fact("project", frame.glyphs.ellipsis, frame.glyphs)], frame.width
        )  # fmt: skip
    text = "" if project is None else storage.sentence(frame, project)
    return View(
        "detail",
        ("storage", title),
        "describe",
        (region,),
        status=lambda _key: (Span(f"{title}: {text}" if text else "", Tone.MUTED),),
    )


def _facts(frame: Frame, project: StorageRecord) -> list[Fact]:
    glyphs = frame.glyphs

    def gib(size_bytes: int | None) -> str | None:
        return None if size_bytes is None else f"{figures.gib(size_bytes)} GiB"

    full, tone = storage.full_in(frame, project)
    is_ahead = project.full_at is not None and not storage.is_full(project)
    when = f"   on {figures.instant(project.full_at, frame.now)} UTC" if project.full_at and is_ahead else ""
    drives = None if project.backup_bytes is None else project.used_bytes - project.backup_bytes
    number = f"{project.schedules:,}"
    unmeasured = f"   {project.unmeasured:,} never ran, and are not counted" if project.unmeasured else ""
    return [
        fact("project", project.name, glyphs),
        fact("quota", gib(project.limit_bytes) or "none", glyphs),
        Fact("use", (*storage.gauge(project, GAUGE_WIDTH, glyphs), Span(f"  {gib(project.used_bytes)}"))),
        fact("drives", gib(drives), glyphs),
        fact("backups", gib(project.backup_bytes), glyphs, Tone.TEXT, f"backups:{project.key}"),
        fact("grows to", gib(project.steady_bytes) or "no end: some keep every backup", glyphs,
             Tone.WARN if project.steady_bytes is None else Tone.TEXT),
        fact("a day", gib(project.bytes_per_day), glyphs),
        Fact("full in", (Span(full, tone), Span(when, Tone.MUTED))),
        Fact("schedules", (Span(number), Span(unmeasured, Tone.MUTED)), "view:schedules"),
        fact("so", storage.sentence(frame, project), glyphs, Tone.MUTED),
        fact("id", project.project_id, glyphs),
    ]  # fmt: skip
