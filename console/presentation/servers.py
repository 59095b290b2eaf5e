"""The list of servers: what is broken first, then what nobody knows, then what moves, then the calm rest.

A row of a cell that does not answer keeps what was last known: every figure with a tilde, the last column saying how
old that knowledge is, and the word UNKNOWN, which is what the API said. Three facts, none hidden by another.
CPU and memory are nominal; the factor tells the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from console.presentation import chosen, detail, figures, filtering, silence, sorting
from console.presentation.columns import Column, Kind, Table, Value
from console.presentation.fleet import SortKey
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
    text_of,
)
from console.presentation.mirror import Mirror
from console.presentation.narrowing import narrow
from console.presentation.sentences import census, offline_sentence, sentence, up_since
from console.records import UNKNOWN, ServerRecord

LIST_WIDTH = 80
"""The list keeps these columns however wide the terminal is, so that nothing moves when it grows."""
PANE_FROM_WIDTH = 160
LOADING_ROWS = 8


def view(mirror: Mirror, frame: Frame) -> View:
    """The servers, or those of the cell that `frame.scope` names, filtered and sorted as the frame says."""
    pane = frame.width - LIST_WIDTH if frame.width >= PANE_FROM_WIDTH and frame.has_pane else 0
    width = frame.width - pane
    shown, total = visible(mirror, frame)
    known = columns(mirror, frame)
    table = Table(known, shown, attrgetter("id"), lambda server: server.is_reachable and not mirror.is_offline)
    region: Region
    if shown and chosen.is_asked(table, frame, width):
        region = chosen.region(table, frame, width)
    elif shown:
        region = Rows(_head(width), shown, lambda server: row(mirror, frame, server, width), attrgetter("id"))
    else:
        region = Lines(_instead(mirror, frame, width), head=_head(width))
    crumbs = ("cells", frame.scope, "servers") if frame.scope else ("servers",)
    return View(
        "servers",
        crumbs,
        _note(mirror, frame, len(shown), total),
        (region,),
        status=lambda key: status(mirror, frame, key),
        preview=(lambda key: detail.pane(mirror, key, frame, pane)) if pane else None,
        pane_width=pane,
        below=silence.banner(silence.of_servers(mirror, frame, shown, known), "server", frame, width),
        orders=tuple(ORDERS),
        table=table,
        heads=HEADS,
        problem=filtering.parse(frame.filter, known).problem,
    )


HEADS = {"CPU GHz": "cpu", "GiB": "memory", "pf": "factor", "pfCPU": "pfcpu", "pfMEM": "pfmem", "UP/SEEN": "up",
         "FLOORS": "floor", "B": "kind"}  # fmt: skip
"""What a list is sorted by where the head above a column is clicked on, and says another word than its name."""


# Which rows, in which order -----------------------------------------------------------------------------------


def _up_key(server: ServerRecord) -> float | None:
    since = up_since(server) if server.is_reachable else None
    return -since.timestamp() if since is not None else None


def _created_key(server: ServerRecord) -> float | None:
    return server.created_at.timestamp() if server.created_at is not None else None


def _factor_key(server: ServerRecord) -> float | None:
    return server.perf_factor.lower if server.perf_factor is not None and server.is_reachable else None


# Plain functions of a record, because 100,000 of them are called for one order. What is only last known is None.
ORDERS: Mapping[str, SortKey] = {
    "state": figures.server_rank,
    "name": lambda server: server.sort_name,
    "host": lambda server: server.host if server.is_reachable else None,
    "cpu": lambda server: server.cpu_mhz if server.is_reachable else None,
    "memory": lambda server: server.memory_bytes if server.is_reachable else None,
    "factor": _factor_key,
    "group": lambda server: server.group,
    "cell": lambda server: server.cell,
    "up": _up_key,
    "created": _created_key,
}


def columns(mirror: Mirror, frame: Frame) -> tuple[Column[ServerRecord], ...]:
    """What a server's row is as values. Sizes and factors of one that does not answer are only last known.

    Those that the list shows by itself look the same where they were chosen: to hide one changes no other.
    """
    hosts, cells, groups = mirror.fleet.names_in_use
    now = frame.now

    def lasting(name: str, **more: Any) -> Column[ServerRecord]:
        return Column(name, attrgetter(name), is_lasting=True, **more)

    def current(name: str, kind: Kind, last: Callable[[ServerRecord], Value], head: str, width: int = 8,
    ) -> Column[ServerRecord]:  # fmt: skip
        return Column(
            name, lambda row: last(row) if row.is_reachable else None, kind, head, width, width_min=4, last=last
        )

    def seconds(at: datetime | None) -> float | None:
        return None if at is None else (now - at).total_seconds()

    def factor(name: str, head: str) -> Column[ServerRecord]:
        share, floor = attrgetter(name), attrgetter(f"floor.{name}")
        return Column(
            f"pf{head[2:].casefold()}",
            lambda row: share(factors) if row.is_reachable and (factors := figures.factor_in_use(row)) else None,
            Kind.SHARE,
            head,
            6,
            width_min=5,
            last=lambda row: share(factors) if (factors := figures.factor_in_use(row)) else None,
            draw=lambda row: (
                _Figures(mirror, frame, row).share(share(factors), floor(row) if row.floor else None)
                if (factors := figures.factor_in_use(row))
                else ()
            ),
        )

    return (
        Column("state", attrgetter("state"), Kind.WORD, width=10, width_min=9, is_searched=True,
               draw=lambda row: chosen.state(figures.server_state(row, frame.glyphs), is_known=row.is_reachable),
               words=(*silence.SERVER_STATES, UNKNOWN), shown=figures.SERVER_STATES_SHOWN,
               distinct=mirror.fleet.by_state.keys()),
        Column("name", lambda row: row.name or row.id, width=24, width_min=12, is_searched=True, is_lasting=True),
        lasting("cell", width=8, width_min=6, is_searched=True, distinct=cells),
        Column("host", attrgetter("host"), width=8, width_min=6, is_searched=True, distinct=hosts),
        current("cpu", Kind.CPU, attrgetter("cpu_mhz"), "CPU GHz"),
        current("memory", Kind.BYTES, attrgetter("memory_bytes"), "GiB"),
        Column("factor", _factor_key, Kind.SHARE, "pf", 6, width_min=4,
               last=lambda row: row.perf_factor and row.perf_factor.lower),
        factor("cpu", "pfCPU"),
        factor("memory", "pfMEM"),
        lasting("group", width=12, width_min=5, is_searched=True, distinct=groups),
        Column("up", lambda row: seconds(up_since(row)) if row.is_reachable else None, Kind.SECONDS, "UP/SEEN", 7,
               last=lambda row: seconds(up_since(row)), draw=lambda row: _Figures(mirror, frame, row).seen()),
        Column("age", lambda row: seconds(row.created_at), Kind.SECONDS, "AGE", 7, is_lasting=True),
        Column("kind", lambda row: "backfilling" if row.is_backfilling else "normal", Kind.WORD, "B", 1,
               is_lasting=True, words=("backfilling", "normal"), draw=lambda row: _Figures(mirror, frame, row).kind()),
        Column("floor", lambda row: row.floor and min(row.floor), Kind.SHARE, "FLOORS", 9, is_lasting=True,
               draw=lambda row: _Figures(mirror, frame, row).floors()),
        lasting("owner", width=28, width_min=12),
        Column("project", attrgetter("project_id"), Kind.ID, width=13, is_lasting=True),
        Column("tags", lambda row: " ".join(row.tags), width=24, width_min=8, is_lasting=True),
        Column("created", lambda row: figures.iso(row.created_at), width=13, is_lasting=True,
               draw=lambda row: _created(row, frame)),
        Column("id", attrgetter("id"), Kind.ID, width=36, width_min=13, is_searched=True, is_lasting=True),
    )  # fmt: skip


def _created(row: ServerRecord, frame: Frame) -> Line:
    if row.created_at is None:
        return (Span(frame.glyphs.nothing, Tone.MUTED),)
    return (Span(figures.instant(row.created_at, frame.now), Tone.MUTED),)


def visible(mirror: Mirror, frame: Frame) -> tuple[Sequence[ServerRecord], int]:
    """The rows to show, in order, and how many there are without the filter."""
    known = columns(mirror, frame)
    order = sorting.order_of(frame, ORDERS, known)
    rows = mirror.fleet.ordered(order, sorting.key_of(order, ORDERS, known), is_descending=frame.is_descending)
    is_up = None if frame.is_descending else order
    return narrow(mirror.fleet, rows, (order, frame.is_descending), frame, known, order=is_up)


def _note(mirror: Mirror, frame: Frame, shown: int, total: int) -> str:
    order = sorting.order_of(frame, ORDERS, columns(mirror, frame))
    numbers = filtering.number_of(shown, total, frame.filter)
    if not mirror.is_complete and not mirror.is_offline:
        whole = f" of {mirror.servers_total:,}" if mirror.servers_total is not None else ""
        numbers = f"reading {len(mirror.fleet):,}{whole}"
    seen_at = mirror.answered_at.get("status")
    if mirror.is_offline and seen_at is not None:
        numbers += f" as of {figures.instant(seen_at, frame.wall_now)}"
    return f"sort {order}{' down' if frame.is_descending else ''}   {numbers}"


def _instead(mirror: Mirror, frame: Frame, width: int) -> list[Line]:
    """What stands where rows would be."""
    if not mirror.is_complete and not mirror.is_offline:
        count = min(LOADING_ROWS, frame.body_height - 1)
        return [compose(width, left(2, frame.glyphs.ellipsis, Tone.MUTED))] * count
    if frame.filter:
        text = f"no servers match /{frame.filter}   esc clears the filter"
    elif frame.scope:
        text = f"no servers in {frame.scope}   esc goes back"
    else:
        text = f"no servers yet   {'? shows what can be done' if frame.is_read_only else '+ creates one'}"
    return [remark(frame, text, width=width)]


# Rows ------------------------------------------------------------------------------------------------------------


def _head(width: int) -> Line | None:
    """The column heads; none where every row counts and the columns explain themselves."""
    muted = Tone.MUTED
    if width < 60:
        return None
    if width < LIST_WIDTH:
        return compose(width, left(2, "STATE", muted), left(12, "NAME", muted), left(25, "HOST", muted),
                       right(38, "CPU GHz", muted), right(43, "GiB", muted), left(45, "B", muted),
                       right(50, "pf", muted), right(58, "UP/SEEN", muted))  # fmt: skip
    placed = [left(2, "STATE", muted), left(12, "NAME", muted), left(25, "CELL", muted), left(32, "HOST", muted),
              right(44, "CPU GHz", muted), right(49, "GiB", muted), left(51, "B", muted), right(57, "pfCPU", muted),
              right(63, "pfMEM", muted), left(65, "GROUP", muted), right(78, "UP/SEEN", muted)]  # fmt: skip
    if width >= 120:
        placed += [left(81, "FLOORS", muted), left(92, "CREATED", muted), left(106, "ID", muted)]
    if width >= 140:
        placed.append(left(121, "OWNER", muted))
    return compose(width, *placed)


def row(mirror: Mirror, frame: Frame, server: ServerRecord, width: int) -> Line:
    """One server on one line of `width` cells."""
    figure = _Figures(mirror, frame, server)
    if width < 60:
        return compose(width, *_narrow(figure, width))
    if width < LIST_WIDTH:
        return compose(width, *_medium(figure))
    placed = _wide(figure)
    if width >= 120:
        placed += _extra(figure, width)
    return compose(width, *placed)


class _Figures:
    """The figures of one row with their tones: as they are, or as they were last known."""

    def __init__(self, mirror: Mirror, frame: Frame, server: ServerRecord) -> None:
        self.server, self.frame, self.glyphs = server, frame, frame.glyphs
        self.is_known = server.is_reachable and not mirror.is_offline
        self.is_stale = mirror.is_offline
        self.look = figures.server_state(server, frame.glyphs)
        self.mirror = mirror

    def tone(self, tone: Tone = Tone.TEXT) -> Tone:
        return tone if self.is_known else Tone.UNKNOWN

    def number(self, text: str | None) -> str:
        return figures.or_dash(text, self.glyphs) if self.is_known else figures.last_known(text, self.glyphs)

    def cpu(self) -> str:
        cpu_mhz = self.server.cpu_mhz
        return self.number(None if cpu_mhz is None else figures.ghz(cpu_mhz))

    def memory(self) -> str:
        memory_bytes = self.server.memory_bytes
        return self.number(None if memory_bytes is None else figures.gib(memory_bytes))

    def age(self) -> str:
        """How long it has been so; of what nobody confirms, how long ago it was known."""
        server, frame = self.server, self.frame
        if not server.is_reachable:
            return self.number(figures.age_since(server.known_at, frame.wall_now))
        if self.is_stale:
            return self.number(figures.age(self.mirror.age_seconds(frame.wall_now) or 0))
        return self.number(figures.age_since(up_since(server), frame.now))

    def name(self, column: int, width: int) -> Placed:
        server = self.server
        if server.name is None:
            return left(column, fit_id(server.id, width, self.glyphs), Tone.UNKNOWN)
        tone = self.tone(Tone.BACKFILL if server.is_backfilling else Tone.TEXT)
        is_marked = server.id in self.frame.marks
        span = Span(fit_name(server.name, width, self.glyphs), tone, is_bold=is_marked)
        return at(column, matched(span, self.frame.filter))

    def host(self, column: int, width: int) -> Placed:
        if self.server.host is None:
            is_placeless = self.is_known and self.server.state in {"stopped", "unavailable"}
            sign, tone = (self.glyphs.nothing, Tone.MUTED) if is_placeless else (self.glyphs.nobody_said, Tone.UNKNOWN)
            return left(column, sign, tone)
        return left(column, fit_name(self.server.host, width, self.glyphs), self.tone())

    def kind(self) -> Line:
        return (Span(self.glyphs.backfill, self.tone(Tone.BACKFILL)),) if self.server.is_backfilling else ()

    def share(self, share: float, floor: float | None) -> Line:
        return (Span(self.number(figures.factor(share)), self.tone(figures.factor_tone(share, floor))),)

    def floors(self) -> Line:
        floor = self.server.floor
        if floor is None:
            return ()
        return (Span(f"{figures.factor(floor.cpu)} {figures.factor(floor.memory)}", self.tone(Tone.MUTED)),)

    def seen(self) -> Line:
        return (Span(self.age(), self.tone()),)

    def factor(self, last: int, share: float, floor: float | None) -> list[Placed]:
        return [right(last, text_of(line), line[0].tone) for line in (self.share(share, floor),)]

    def state(self, column: int) -> list[Placed]:
        tone = self.tone(self.look.tone)
        placed = [left(column, self.look.glyph, tone), left(column + 2, self.look.word, tone)]
        if self.is_stale:
            placed.append(left(column - 1, self.glyphs.last_known, Tone.UNKNOWN))
        return placed


def _wide(figure: _Figures) -> list[Placed]:
    server, glyphs = figure.server, figure.glyphs
    factor, floor = figures.factor_in_use(server), server.floor
    placed = [
        *figure.state(2),
        figure.name(12, 12),
        left(25, fit_name(server.cell, 6, glyphs), figure.tone()),
        figure.host(32, 6),
        right(44, figure.cpu(), figure.tone()),
        right(49, figure.memory(), figure.tone()),
        at(51, figure.kind()),
    ]
    if factor is not None:
        placed += figure.factor(57, factor.cpu, floor.cpu if floor else None)
        placed += figure.factor(63, factor.memory, floor.memory if floor else None)
    if server.group is not None:
        placed.append(left(65, fit_name(server.group, 7, glyphs), figure.tone()))
    else:
        placed.append(left(65, glyphs.nothing, figure.tone(Tone.MUTED)))
    placed.append(right(78, figure.age(), figure.tone()))
    return placed


def _extra(figure: _Figures, width: int) -> list[Placed]:
    """The columns that only a wide terminal without a pane has."""
    server, frame = figure.server, figure.frame
    placed = [at(81, figure.floors())]
    if server.created_at is not None:
        placed.append(left(92, figures.instant(server.created_at, frame.now), Tone.MUTED))
    placed.append(left(106, fit_id(server.id, 13, figure.glyphs), Tone.MUTED))
    if width >= 140 and server.owner is not None:
        placed.append(left(121, fit_name(server.owner, width - 123, figure.glyphs), Tone.MUTED))
    return placed


def _medium(figure: _Figures) -> list[Placed]:
    """60 columns: without cell and group, and the lower of the two factors with its letter."""
    server = figure.server
    placed = [
        *figure.state(2),
        figure.name(12, 12),
        figure.host(25, 6),
        right(38, figure.cpu(), figure.tone()),
        right(43, figure.memory(), figure.tone()),
        at(45, figure.kind()),
        right(58, figure.age(), figure.tone()),
    ]
    factor = figures.factor_in_use(server)
    if factor is not None:
        letter, share = figures.lower_factor(factor)
        floor = None if server.floor is None else server.floor.cpu if letter == "c" else server.floor.memory
        text = letter + (figures.factor(share) if figure.is_known else "~" + figures.short_factor(share))
        placed.append(right(51, text, figure.tone(figures.factor_tone(share, floor))))
    return placed


def _narrow(figure: _Figures, width: int) -> list[Placed]:
    """40 columns: glyph and letter, name, host, the factor where it is below 1, age."""
    server, look = figure.server, figure.look
    tone = figure.tone(look.tone)
    placed = [
        left(1, look.glyph, tone),
        left(2, look.letter, tone),
        figure.name(4, 14),
        figure.host(20, 6),
        right(width - 2, figure.age(), figure.tone()),
    ]
    if not figure.is_known and server.host is not None:
        placed.append(left(19, figure.glyphs.last_known, Tone.UNKNOWN))
    factor = figures.factor_in_use(server)
    if factor is not None and server.is_shrunk:
        letter, share = figures.lower_factor(factor)
        floor = None if server.floor is None else server.floor.cpu if letter == "c" else server.floor.memory
        tone = figure.tone(figures.factor_tone(share, floor))
        placed.append(left(28, figure.glyphs.backfill + figures.short_factor(share), tone))
    return placed


# The status row ---------------------------------------------------------------------------------------------------


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    if mirror.is_offline:
        return (Span(offline_sentence(mirror, frame), Tone.CRIT),)
    server = mirror.servers.get(key) if key is not None else None
    if server is None:
        return (Span(census(mirror), Tone.MUTED),)
    return (Span(f"{server.title}: {sentence(mirror, frame, server)}", Tone.MUTED),)
