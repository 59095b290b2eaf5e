"""Faults for rehearsals: what is injected now and how it is taken back, then what could be. Simulated clouds only."""

from __future__ import annotations

from collections.abc import Sequence

from console.presentation import figures
from console.presentation.lines import (
    Frame,
    Line,
    Lines,
    Region,
    Rows,
    Span,
    Tone,
    View,
    at,
    blank_region,
    compose,
    fit_name,
    fit_sentence,
    left,
    matched,
    right,
)
from console.presentation.mirror import Mirror
from console.records import CellRecord, HostRecord

Subject = CellRecord | HostRecord
"""What a fault is injected into."""


def view(mirror: Mirror, frame: Frame) -> View:
    if mirror.clock is None:
        words = "asking the cloud" if not mirror.answered_at else "only a simulated cloud takes faults"
        line = compose(frame.width, left(1, words, Tone.MUTED))
        return View("faults", ("faults",), frame.glyphs.nobody_said, (Lines([line]),))
    now, could = injected(mirror), _could_be(mirror)
    shown, others = _matching(now, frame), _matching(could, frame)
    regions: tuple[Region, ...] = (
        _region(frame, "INJECTED NOW", shown, "nothing is injected"),
        blank_region(frame.width),
        _region(frame, "CAN BE INJECTED", others, frame.glyphs.nothing),
    )
    note = f"{len(now)} injected" if now else "none injected"
    return View("faults", ("faults",), note, regions, status=lambda key: status(mirror, key))


def injected(mirror: Mirror) -> list[Subject]:
    """Cells first, then hosts: what is broken because somebody asked for it."""
    cells = [cell for cell in mirror.cells or () if cell.is_injected]
    hosts = [host for host in mirror.hosts or () if host.state == "down"]
    return [*sorted(cells, key=lambda cell: cell.name), *sorted(hosts, key=_by_kind)]


def _could_be(mirror: Mirror) -> list[Subject]:
    cells = [cell for cell in mirror.cells or () if not cell.is_injected]
    hosts = [host for host in mirror.hosts or () if host.state != "down" and mirror.is_host_known(host)]
    return [*sorted(cells, key=lambda cell: cell.name), *sorted(hosts, key=_by_kind)]


def _by_kind(host: HostRecord) -> tuple[bool, str, str]:
    return (host.kind == "storage", host.cell, host.name)


def key_of(subject: Subject) -> str:
    return f"{'cell' if isinstance(subject, CellRecord) else 'host'}:{subject.name}"


def _matching(found: Sequence[Subject], frame: Frame) -> list[Subject]:
    wanted = frame.filter.casefold()
    return [each for each in found if wanted in f"{each.name} {_kind(each)} {each.state} {_cell(each)}".casefold()]


def _kind(subject: Subject) -> str:
    return "cell" if isinstance(subject, CellRecord) else f"{subject.kind} host"


def _cell(subject: Subject) -> str:
    return "" if isinstance(subject, CellRecord) else subject.cell


def _region(frame: Frame, title: str, found: Sequence[Subject], instead: str) -> Region:
    width, muted = frame.width, Tone.MUTED
    head = compose(width, left(2, title, muted)) if width < 60 else compose(
        width, left(2, title, muted), left(20, "WHAT", muted), left(34, "CELL", muted), left(43, "STATE", muted),
        left(52, "MEANS", muted),
    )  # fmt: skip
    if not found:
        words = f"nothing matches /{frame.filter}   esc clears the filter" if frame.filter else instead
        return Lines([compose(width, left(2, words, muted))], head=head)
    return Rows(head, found, lambda each: row(frame, each), key_of)


def row(frame: Frame, subject: Subject) -> Line:
    width, glyphs = frame.width, frame.glyphs
    if isinstance(subject, CellRecord):
        look = figures.cell_state(subject, glyphs)
        is_broken = subject.is_injected
    else:
        look = figures.host_state(subject, glyphs)
        is_broken = subject.state == "down"
    name = Span(fit_name(subject.name, 13, glyphs), Tone.CRIT if is_broken else Tone.TEXT)
    placed = [left(2, look.glyph, look.tone), at(4, matched(name, frame.filter))]
    if width < 60:
        return compose(width, *placed, right(width - 2, look.word, look.tone))
    placed += [
        left(20, _kind(subject), Tone.MUTED),
        left(34, fit_name(_cell(subject), 8, glyphs), Tone.MUTED),
        left(43, look.word, look.tone),
        left(52, fit_sentence(means(frame, subject), max(1, width - 54), glyphs)),
    ]
    return compose(width, *placed)


def means(frame: Frame, subject: Subject) -> str:
    """How the fault is taken back, or injected; and what it has done, or what is there to lose."""
    if isinstance(subject, CellRecord):
        held = "" if subject.servers is None else f"; {subject.servers:,} servers"
        if subject.is_injected:
            return f"x u takes it back{held} UNKNOWN{_for(figures.age_since(subject.since, frame.wall_now))}"
        return f"x d down, x h hung{held}"
    if subject.state == "down":
        return f"x r takes it back; lost{_for(figures.age_since(subject.state_since, frame.now))}"
    count, noun = (subject.drives, "drives") if subject.kind == "storage" else (subject.servers, "servers")
    return "x f loses it" + ("" if count is None else f"; {count:,} {noun}")


def _for(age: str | None) -> str:
    return "" if age is None else f" for {age}"


def status(mirror: Mirror, key: str | None) -> Line:
    if key is None:
        return (Span("faults survive a restart of the cloud, and are taken back one by one or with x b", Tone.MUTED),)
    number = len(injected(mirror))
    words = f"{key.partition(':')[2]}: x shows what it would mean before it is injected"
    return (Span(f"{words}; x E takes all {number} back" if number else words, Tone.MUTED),)
