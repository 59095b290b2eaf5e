"""Faults for rehearsals: what is injected now and how it is taken back, then what could be. Simulated clouds only."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from console.presentation import figures, filtering, sorting
from console.presentation.columns import Column, Kind, Table
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
    remark,
    right,
)
from console.presentation.mirror import Mirror
from console.records import UNKNOWN, CellRecord, HostRecord

Subject = CellRecord | HostRecord
"""What a fault is injected into."""


def view(mirror: Mirror, frame: Frame) -> View:
    known = columns(mirror, frame)
    query = filtering.parse(frame.filter, known)
    if mirror.clock is None:
        words = "asking the cloud" if not mirror.answered_at else "only a simulated cloud takes faults"
        line = remark(frame, words, column=1)
        none: Table[Subject] = Table(known, (), key_of)
        return View(
            "faults", ("faults",), frame.glyphs.nobody_said, (Lines([line]),), table=none, problem=query.problem
        )
    now, could = injected(mirror), _could_be(mirror)
    # What is injected stays above what could be, whatever they are sorted by.
    shown, others = (sorting.as_asked(filtering.matching(found, query, known), frame, known) for found in (now, could))
    regions: tuple[Region, ...] = (
        _region(mirror, frame, "INJECTED NOW", shown, "nothing is injected"),
        blank_region(frame.width),
        _region(mirror, frame, "CAN BE INJECTED", others, frame.glyphs.nothing),
    )
    note = f"{len(now)} injected" if now else "none injected"
    if frame.sort in sorting.names((), known):
        note = f"{note}   {sorting.said(frame, '', known)}"
    if frame.filter:
        note = f"{note}   {filtering.number_of(len(shown) + len(others), len(now) + len(could), frame.filter)}"
    return View(
        "faults",
        ("faults",),
        note,
        regions,
        status=lambda key: status(mirror, key),
        table=Table(known, [*shown, *others], key_of, lambda each: _is_known(mirror, each) and not mirror.is_offline),
        heads={"INJECTED NOW": "name", "CAN BE INJECTED": "name", "WHAT": "kind"},
        problem=query.problem,
    )


def columns(mirror: Mirror, frame: Frame) -> tuple[Column[Subject], ...]:
    """What the row of a cell or of a host is as values."""

    def state(subject: Subject) -> str:
        return subject.state if _is_known(mirror, subject) else UNKNOWN

    def drives(subject: Subject) -> int | None:
        return None if isinstance(subject, CellRecord) else subject.drives

    return (
        Column("state", state, Kind.WORD, width=12, is_searched=True, last=attrgetter("state"),
               words=("up", "down", "hung", "maintenance", UNKNOWN)),
        Column("name", attrgetter("name"), width=14, is_searched=True),
        Column("kind", _kind, width=12, is_searched=True, words=("cell", "compute", "storage")),
        Column("cell", _cell, width=8, is_searched=True),
        Column("injected", lambda each: "yes" if is_injected(each) else "no", Kind.WORD, width=8, words=("yes", "no")),
        Column("servers", attrgetter("servers"), Kind.COUNT, width=8),
        Column("drives", drives, Kind.COUNT, width=8),
        Column("means", lambda each: means(mirror, frame, each), width=40),
    )  # fmt: skip


def _is_known(mirror: Mirror, subject: Subject) -> bool:
    """Whether it is told how it is now: a cell always is, by the cloud itself."""
    return isinstance(subject, CellRecord) or mirror.is_host_known(subject)


def is_injected(subject: Subject) -> bool:
    """Whether it is broken because somebody asked for it."""
    return subject.is_injected if isinstance(subject, CellRecord) else subject.state == "down"


def injected(mirror: Mirror) -> list[Subject]:
    """Cells first, then hosts: what is broken because somebody asked for it."""
    cells = [cell for cell in mirror.cells or () if is_injected(cell)]
    hosts = [host for host in mirror.hosts or () if is_injected(host)]
    return [*sorted(cells, key=lambda cell: cell.name), *sorted(hosts, key=_by_kind)]


def _could_be(mirror: Mirror) -> list[Subject]:
    cells = [cell for cell in mirror.cells or () if not is_injected(cell)]
    hosts = [host for host in mirror.hosts or () if not is_injected(host) and mirror.is_host_known(host)]
    return [*sorted(cells, key=lambda cell: cell.name), *sorted(hosts, key=_by_kind)]


def _by_kind(host: HostRecord) -> tuple[bool, str, str]:
    return (host.kind == "storage", host.cell, host.name)


def key_of(subject: Subject) -> str:
    return f"{'cell' if isinstance(subject, CellRecord) else 'host'}:{subject.name}"


def _kind(subject: Subject) -> str:
    return "cell" if isinstance(subject, CellRecord) else f"{subject.kind} host"


def _cell(subject: Subject) -> str:
    return "" if isinstance(subject, CellRecord) else subject.cell


def _region(mirror: Mirror, frame: Frame, title: str, found: Sequence[Subject], instead: str) -> Region:
    width, muted = frame.width, Tone.MUTED
    head = compose(width, left(2, title, muted)) if width < 60 else compose(
        width, left(2, title, muted), left(20, "WHAT", muted), left(34, "CELL", muted), left(43, "STATE", muted),
        left(52, "MEANS", muted),
    )  # fmt: skip
    if not found:
        words = f"nothing matches /{frame.filter}   esc clears the filter" if frame.filter else instead
        return Lines([remark(frame, words, width=width)], head=head)
    return Rows(head, found, lambda each: row(mirror, frame, each), key_of)


def row(mirror: Mirror, frame: Frame, subject: Subject) -> Line:
    width, glyphs = frame.width, frame.glyphs
    if isinstance(subject, CellRecord):
        look = figures.cell_state(subject, glyphs)
    else:
        look = figures.host_state(subject, glyphs)
    name = Span(fit_name(subject.name, 13, glyphs), Tone.CRIT if is_injected(subject) else Tone.TEXT)
    placed = [left(2, look.glyph, look.tone), at(4, matched(name, frame.filter))]
    if width < 60:
        return compose(width, *placed, right(width - 2, look.word, look.tone))
    placed += [
        left(20, _kind(subject), Tone.MUTED),
        left(34, fit_name(_cell(subject), 8, glyphs), Tone.MUTED),
        left(43, look.word, look.tone),
        left(52, fit_sentence(means(mirror, frame, subject), max(1, width - 54), glyphs)),
    ]
    return compose(width, *placed)


def means(mirror: Mirror, frame: Frame, subject: Subject) -> str:
    """How the fault is taken back, or injected; and what it has done, or what is there to lose.

    A cell is silent by the wall's clock and a host is lost by the cloud's: where those part, the age says which.
    """
    is_one_clock = mirror.clock is None or mirror.clock.mode == "wall"
    if isinstance(subject, CellRecord):
        if subject.is_injected:
            held = "" if subject.servers is None else f"; {subject.servers:,}"
            clock = "" if is_one_clock else " by the wall"
            return f"x u ends it{held} UNKNOWN{_for(figures.age_since(subject.since, frame.wall_now), clock)}"
        return "x d down, x h hung" + ("" if subject.servers is None else f"; {subject.servers:,} servers")
    if subject.state == "down":
        clock = "" if is_one_clock else " by the cloud"
        return f"x r ends it; lost{_for(figures.age_since(subject.state_since, frame.now), clock)}"
    count, noun = (subject.drives, "drives") if subject.kind == "storage" else (subject.servers, "servers")
    return "x f loses it" + ("" if count is None else f"; {count:,} {noun}")


def _for(age: str | None, clock: str) -> str:
    return "" if age is None else f" for {age}{clock}"


def status(mirror: Mirror, key: str | None) -> Line:
    if key is None:
        return (Span("faults survive a restart of the cloud, and are taken back one by one or with x E", Tone.MUTED),)
    number = len(injected(mirror))
    words = f"{key.partition(':')[2]}: x shows what it would mean before it is injected"
    every = "it" if number == 1 else f"all {number}"
    return (Span(f"{words}; x E takes {every} back" if number else words, Tone.MUTED),)
