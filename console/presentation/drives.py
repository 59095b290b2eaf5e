"""The list of drives: what is lost first, then what nobody knows, then what is worked on, then the calm rest.

A row of a cell that does not answer keeps what was last known, every figure with a tilde, and its last column says
how old that knowledge is. A drive's server is told by the name that the servers' list knows it by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter

from console.presentation import chosen, drive_detail, figures, filtering, silence, sorting
from console.presentation.columns import Column, Kind, Table
from console.presentation.lines import (
    Frame,
    Line,
    Lines,
    Placed,
    Region,
    Rows,
    Span,
    Tone,
    View,
    at,
    compose,
    fit_id,
    fit_name,
    left,
    matched,
    remark,
    right,
)
from console.presentation.mirror import Mirror
from console.presentation.narrowing import narrow
from console.presentation.sentences import offline_sentence
from console.records import UNKNOWN, DriveRecord

LIST_WIDTH = 80
PANE_FROM_WIDTH = 160
LOADING_ROWS = 8


def view(mirror: Mirror, frame: Frame) -> View:
    """The drives, or those of the cell that `frame.scope` names, filtered and sorted as the frame says."""
    pane = frame.width - LIST_WIDTH if frame.width >= PANE_FROM_WIDTH and frame.has_pane else 0
    width = frame.width - pane
    shown, total = visible(mirror, frame)
    known = columns(mirror, frame)
    table = Table(known, shown, key_of, lambda drive: drive.is_reachable and not mirror.is_offline)
    region: Region
    if shown and chosen.is_asked(table, frame, width):
        region = chosen.region(table, frame, width)
    elif shown:
        region = Rows(head(width), shown, lambda drive: row(mirror, frame, drive, width), key_of)
    else:
        region = Lines(_instead(mirror, frame, width), head=head(width))
    crumbs = ("cells", frame.scope, "drives") if frame.scope else ("drives",)
    return View(
        "drives",
        crumbs,
        _note(mirror, frame, len(shown), total),
        (region,),
        status=lambda key: status(mirror, frame, key),
        preview=(lambda key: drive_detail.pane(mirror, key, frame, pane)) if pane else None,
        pane_width=pane,
        below=silence.banner(silence.of_drives(mirror, frame, shown, known), "drive", frame, width),
        orders=tuple(ORDERS),
        table=table,
        heads={"GiB": "size", "FOR/SEEN": "for"},
        problem=filtering.parse(frame.filter, known).problem,
    )


def key_of(drive: DriveRecord) -> str:
    return f"drive:{drive.id}"


# Which rows, in which order -----------------------------------------------------------------------------------


def _since_key(drive: DriveRecord) -> float | None:
    return -drive.state_since.timestamp() if drive.state_since is not None and drive.is_reachable else None


def _no_key(_drive: DriveRecord) -> None:
    """For the order that no record tells by itself."""


ORDERS: Mapping[str, sorting.SortKey] = {
    "state": figures.drive_rank,
    "name": lambda drive: drive.sort_name,
    "server": _no_key,
    "size": lambda drive: drive.size_bytes if drive.is_reachable else None,
    "host": lambda drive: drive.host if drive.is_reachable else None,
    "cell": lambda drive: drive.cell,
    "media": lambda drive: drive.media,
    "since": _since_key,
}
"""Plain functions of a record, because 100,000 of them are called for one order. What is only last known is None."""


def _by_server(mirror: Mirror, *, is_descending: bool) -> Sequence[DriveRecord]:
    # The name is another record's: the order holds until a drive changes or servers come or go.
    question = ("server", is_descending, len(mirror.fleet))
    return mirror.drives.found(question, lambda: _sorted_by_server(mirror, is_descending=is_descending))


def _sorted_by_server(mirror: Mirror, *, is_descending: bool) -> Sequence[DriveRecord]:
    servers = mirror.servers
    attached, others = [], []
    for drive in mirror.drives.by_name():
        server = servers.get(drive.server_id) if drive.server_id is not None else None
        if server is None:
            others.append(drive)
        else:
            attached.append((server.sort_name, drive))
    attached.sort(key=lambda pair: pair[0], reverse=is_descending)
    return [*(drive for _, drive in attached), *others]


def columns(mirror: Mirror, frame: Frame) -> tuple[Column[DriveRecord], ...]:
    """What a drive's row is as values. The size of one that does not answer is only last known."""
    hosts, cells, media = mirror.drives.names_in_use
    servers = mirror.servers

    def server_name(drive: DriveRecord) -> str | None:
        server = servers.get(drive.server_id) if drive.server_id is not None else None
        return drive.server_id if server is None else server.name or server.id

    def seconds(at: datetime | None) -> float | None:
        return None if at is None else (frame.now - at).total_seconds()

    return (
        Column("state", attrgetter("state"), Kind.WORD, width=12, is_searched=True,
               draw=lambda drive: chosen.state(figures.drive_state(drive, frame.glyphs), is_known=drive.is_reachable),
               words=(*silence.DRIVE_STATES, UNKNOWN), shown=figures.DRIVE_STATES_SHOWN,
               distinct=mirror.drives.by_state.keys()),
        Column("name", lambda drive: drive.name or drive.id, width=24, is_searched=True, is_lasting=True),
        Column("server", server_name, width=16, is_searched=True, is_lasting=True),
        Column("cell", attrgetter("cell"), width=8, is_searched=True, is_lasting=True, distinct=cells),
        Column("host", attrgetter("host"), width=8, is_searched=True, distinct=hosts),
        Column("media", attrgetter("media"), width=8, is_searched=True, is_lasting=True, distinct=media),
        Column("size", lambda drive: drive.size_bytes if drive.is_reachable else None, Kind.BYTES, "GiB", 8,
               last=attrgetter("size_bytes")),
        Column("for", lambda drive: seconds(drive.state_since) if drive.is_reachable else None, Kind.SECONDS, "FOR",
               7, last=lambda drive: seconds(drive.state_since)),
        Column("age", lambda drive: seconds(drive.created_at), Kind.SECONDS, "AGE", 7, is_lasting=True),
        Column("device", attrgetter("device"), width=10),
        Column("owner", attrgetter("owner"), width=28, is_lasting=True),
        Column("project", attrgetter("project_id"), Kind.ID, width=13, is_lasting=True),
        Column("tags", lambda drive: " ".join(drive.tags), width=24, is_lasting=True),
        Column("created", lambda drive: figures.iso(drive.created_at), width=20, is_lasting=True),
        Column("id", attrgetter("id"), Kind.ID, width=36, is_searched=True, is_lasting=True),
    )  # fmt: skip


def visible(mirror: Mirror, frame: Frame) -> tuple[Sequence[DriveRecord], int]:
    """The rows to show, in order, and how many there are without the filter."""
    known = columns(mirror, frame)
    order = sorting.order_of(frame, ORDERS, known)
    if order == "server":
        rows = _by_server(mirror, is_descending=frame.is_descending)
    else:
        key = sorting.key_of(order, ORDERS, known)
        rows = mirror.drives.ordered(order, key, is_descending=frame.is_descending)
    # Servers are told by names, which are other records': what was found holds until servers come or go.
    return narrow(mirror.drives, rows, (order, frame.is_descending, len(mirror.fleet)), frame, known)


def _is_loading(mirror: Mirror) -> bool:
    return not mirror.are_drives_complete and not mirror.is_offline


def _note(mirror: Mirror, frame: Frame, shown: int, total: int) -> str:
    order = sorting.order_of(frame, ORDERS, columns(mirror, frame))
    numbers = filtering.number_of(shown, total, frame.filter)
    if _is_loading(mirror):
        whole = f" of {mirror.drives_total:,}" if mirror.drives_total is not None else ""
        numbers = f"reading {len(mirror.drives):,}{whole}"
    seen_at = mirror.answered_at.get("status")
    if mirror.is_offline and seen_at is not None:
        numbers += f" as of {figures.instant(seen_at, frame.wall_now)}"
    return f"sort {order}{' down' if frame.is_descending else ''}   {numbers}"


def _instead(mirror: Mirror, frame: Frame, width: int) -> list[Line]:
    """What stands where rows would be."""
    if _is_loading(mirror):
        count = max(1, min(LOADING_ROWS, frame.body_height - 1))
        return [compose(width, left(2, frame.glyphs.ellipsis, Tone.MUTED))] * count
    if frame.filter:
        text = f"no drives match /{frame.filter}   esc clears the filter"
    elif frame.scope:
        text = f"no drives in {frame.scope}   esc goes back"
    else:
        text = f"no drives yet   {'? shows what can be done' if frame.is_read_only else '+ creates one'}"
    return [remark(frame, text, width=width)]


# Rows ------------------------------------------------------------------------------------------------------------


def head(width: int) -> Line | None:
    """The column heads; none where every row counts and the columns explain themselves."""
    muted = Tone.MUTED
    if width < 60:
        return None
    placed = [left(2, "STATE", muted), left(14, "NAME", muted)]
    if width < LIST_WIDTH:
        return compose(width, *placed, left(29, "SERVER", muted), right(49, "GiB", muted),
                       right(58, "FOR/SEEN", muted))  # fmt: skip
    placed += [left(29, "SERVER", muted), left(42, "CELL", muted), left(49, "HOST", muted), left(57, "MEDIA", muted),
               right(68, "GiB", muted), right(78, "FOR/SEEN", muted)]  # fmt: skip
    if width >= 120:
        placed += [left(81, "DEVICE", muted), left(93, "CREATED", muted), left(106, "ID", muted)]
    if width >= 140:
        placed.append(left(121, "OWNER", muted))
    return compose(width, *placed)


def row(mirror: Mirror, frame: Frame, drive: DriveRecord, width: int) -> Line:
    """One drive on one line of `width` cells."""
    glyphs = frame.glyphs
    is_known = drive.is_reachable and not mirror.is_offline
    tone = Tone.TEXT if is_known else Tone.UNKNOWN
    look = figures.drive_state(drive, glyphs)
    look_tone = look.tone if is_known else Tone.UNKNOWN
    size = drive_detail.size_text(drive, glyphs, is_known=is_known)
    if width < 60:
        placed = [left(1, look.glyph, look_tone), left(2, look.letter, look_tone), _name(frame, drive, 4, 14, tone)]
        placed += [_server(mirror, frame, drive, 19, max(1, width - 28)), right(width - 2, size, tone)]
        return compose(width, *placed)
    placed = [left(2, look.glyph, look_tone), left(4, look.word, look_tone), _name(frame, drive, 14, 14, tone)]
    if mirror.is_offline:
        placed.append(left(1, glyphs.last_known, Tone.UNKNOWN))
    age = _age(mirror, frame, drive)
    if width < LIST_WIDTH:
        placed += [_server(mirror, frame, drive, 29, 12), right(49, size, tone), right(58, age, tone)]
        return compose(width, *placed)
    placed += [
        _server(mirror, frame, drive, 29, 12),
        left(42, fit_name(drive.cell, 6, glyphs), tone),
        left(49, glyphs.nobody_said if drive.host is None else fit_name(drive.host, 7, glyphs), tone),
        left(57, drive.media or glyphs.nobody_said, Tone.MUTED if is_known else tone),
        right(68, size, tone),
        right(78, age, tone),
    ]
    if width >= 120:
        placed += _extra(frame, drive, width)
    return compose(width, *placed)


def _name(frame: Frame, drive: DriveRecord, column: int, width: int, tone: Tone) -> Placed:
    if drive.name is None:
        return left(column, fit_id(drive.id, width, frame.glyphs), Tone.UNKNOWN)
    span = Span(fit_name(drive.name, width, frame.glyphs), tone, is_bold=key_of(drive) in frame.marks)
    return at(column, matched(span, frame.filter))


def _server(mirror: Mirror, frame: Frame, drive: DriveRecord, column: int, width: int) -> Placed:
    if drive.server_id is None:
        return left(column, frame.glyphs.nothing, Tone.MUTED)
    name = mirror.name_of(drive.server_id)
    if name is None:
        return left(column, fit_id(drive.server_id, width, frame.glyphs), Tone.UNKNOWN)
    is_known = drive.is_reachable and not mirror.is_offline
    span = Span(fit_name(name, width, frame.glyphs), Tone.TEXT if is_known else Tone.UNKNOWN)
    return at(column, matched(span, frame.filter))


def _age(mirror: Mirror, frame: Frame, drive: DriveRecord) -> str:
    """How long it has been so; of what nobody confirms, how long ago it was known."""
    glyphs = frame.glyphs
    if not drive.is_reachable:
        return figures.last_known(figures.age_since(drive.known_at, frame.wall_now), glyphs)
    if mirror.is_offline:
        return figures.last_known(figures.age(mirror.age_seconds(frame.wall_now) or 0), glyphs)
    return figures.or_dash(figures.age_since(drive.state_since, frame.now), glyphs)


def _extra(frame: Frame, drive: DriveRecord, width: int) -> list[Placed]:
    """The columns that only a wide terminal without a pane has."""
    placed = []
    if drive.device is not None:
        where = " ".join(part for part in (drive.device, drive.channel) if part)
        placed.append(left(81, fit_name(where, 11, frame.glyphs), Tone.MUTED))
    if drive.created_at is not None:
        placed.append(left(93, figures.instant(drive.created_at, frame.now), Tone.MUTED))
    placed.append(left(106, fit_id(drive.id, 13, frame.glyphs), Tone.MUTED))
    if width >= 140 and drive.owner is not None:
        placed.append(left(121, fit_name(drive.owner, width - 123, frame.glyphs), Tone.MUTED))
    return placed


# The status row ---------------------------------------------------------------------------------------------------


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    if mirror.is_offline:
        return (Span(offline_sentence(mirror, frame), Tone.CRIT),)
    drive = drive_detail.find(mirror, key)
    if drive is not None:
        return (Span(f"{drive.title}: {drive_detail.sentence(mirror, frame, drive)}", Tone.MUTED),)
    if _is_loading(mirror):
        return (Span("asking for the drives", Tone.MUTED),)
    states = mirror.drives.by_state
    told = ", ".join(f"{states[state]:,} {state}" for state in sorted(states) if states[state])
    return (Span(told, Tone.MUTED),)
