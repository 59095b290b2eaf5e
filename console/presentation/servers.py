"""The list of servers: what is broken first, then what nobody knows, then what moves, then the calm rest.

A row of a cell that does not answer keeps what was last known: every figure with a tilde, the last column saying how
old that knowledge is, and the word UNKNOWN, which is what the API said. Three facts, none hidden by another.
CPU and memory are nominal; the factor tells the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter

from console.presentation import detail, figures, silence
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
    right,
)
from console.presentation.mirror import Mirror
from console.presentation.sentences import census, offline_sentence, sentence, up_since
from console.records import ServerRecord

LIST_WIDTH = 80
"""The list keeps these columns however wide the terminal is, so that nothing moves when it grows."""
PANE_FROM_WIDTH = 160
LOADING_ROWS = 8
ID_LETTERS_MIN = 4
"""So many signs of an id are needed to find it by."""
_ID_LETTERS = frozenset("0123456789abcdef-")


def view(mirror: Mirror, frame: Frame) -> View:
    """The servers, or those of the cell that `frame.scope` names, filtered and sorted as the frame says."""
    pane = frame.width - LIST_WIDTH if frame.width >= PANE_FROM_WIDTH and frame.has_pane else 0
    width = frame.width - pane
    shown, total = visible(mirror, frame)
    region: Region
    if shown:
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
        below=silence.banner(silence.of_servers(mirror, frame, shown), "server", frame, width),
        orders=tuple(ORDERS),
    )


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


def visible(mirror: Mirror, frame: Frame) -> tuple[Sequence[ServerRecord], int]:
    """The rows to show, in order, and how many there are without the filter."""
    order = frame.sort if frame.sort in ORDERS else "state"
    rows = mirror.fleet.ordered(order, ORDERS[order], is_descending=frame.is_descending)
    scope = frame.scope
    if scope is None and not frame.filter:
        return rows, len(rows)
    if scope is not None:
        everything = rows
        rows = mirror.fleet.found(
            (order, frame.is_descending, scope), lambda: [server for server in everything if server.cell == scope]
        )
    if not frame.filter:
        return rows, len(rows)
    question = (order, frame.is_descending, scope)
    searched = _narrowed(mirror, question, frame.filter) or rows
    found = mirror.fleet.found((*question, frame.filter), lambda: _matching(mirror, searched, frame.filter))
    return found, len(rows)


def _narrowed(mirror: Mirror, question: tuple[object, ...], wanted: str) -> Sequence[ServerRecord] | None:
    """The rows that held the text before its last signs were typed: the others cannot hold it now."""
    if "!" in wanted:
        return None
    # A word's first letters do not look at the ids yet.
    least = wanted.rfind(" ") + 1 + ID_LETTERS_MIN
    earlier = (wanted[:size] for size in range(len(wanted) - 1, least - 1, -1))
    return next((rows for text in earlier if (rows := mirror.fleet.remembered((*question, text))) is not None), None)


def _matching(mirror: Mirror, rows: Sequence[ServerRecord], wanted: str) -> Sequence[ServerRecord]:
    """The rows that match every word."""
    for word in wanted.split():
        rows = _matching_word(mirror, rows, word)
    return rows


def _matching_word(mirror: Mirror, rows: Sequence[ServerRecord], wanted: str) -> Sequence[ServerRecord]:
    """The rows whose name, host, cell, group, state or id's start holds the text; with a leading `!`, the others."""
    is_inverted = wanted.startswith("!") and len(wanted) > 1
    text = wanted.removeprefix("!" if is_inverted else "").casefold()
    # Hosts, cells, groups and states are few: they are searched once each, not once for every server.
    hosts, cells, groups = ({name for name in names if text in name.casefold()} for names in mirror.fleet.names_in_use)
    states = {state for state in mirror.fleet.by_state if state.startswith(text)}
    has_ids = len(text) >= ID_LETTERS_MIN and set(text) <= _ID_LETTERS
    if hosts or cells or groups or states or has_ids:
        found = [
            server
            for server in rows
            if text in (server.name or server.id).casefold()
            or server.host in hosts
            or server.cell in cells
            or server.group in groups
            or server.state in states
            or (has_ids and server.id.startswith(text))
        ]
    else:
        found = [server for server in rows if text in (server.name or server.id).casefold()]
    if not is_inverted:
        return found
    matched_ids = {server.id for server in found}
    return [server for server in rows if server.id not in matched_ids]


def _note(mirror: Mirror, frame: Frame, shown: int, total: int) -> str:
    order = frame.sort if frame.sort in ORDERS else "state"
    numbers = f"{shown:,} of {total:,}" if frame.filter else f"{total:,}"
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
    return [compose(width, left(2, text, Tone.MUTED))]


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
        return at(column, matched(span, next(iter(self.frame.filter.split()), "")))

    def host(self, column: int, width: int) -> Placed:
        if self.server.host is None:
            is_placeless = self.is_known and self.server.state in {"stopped", "unavailable"}
            sign, tone = (self.glyphs.nothing, Tone.MUTED) if is_placeless else (self.glyphs.nobody_said, Tone.UNKNOWN)
            return left(column, sign, tone)
        return left(column, fit_name(self.server.host, width, self.glyphs), self.tone())

    def backfill(self, column: int) -> list[Placed]:
        if not self.server.is_backfilling:
            return []
        return [left(column, self.glyphs.backfill, self.tone(Tone.BACKFILL))]

    def factor(self, last: int, share: float | None, floor: float | None) -> list[Placed]:
        if share is None:
            return []
        return [right(last, self.number(figures.factor(share)), self.tone(figures.factor_tone(share, floor)))]

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
        *figure.backfill(51),
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
    placed = []
    if server.floor is not None:
        floors = f"{figures.factor(server.floor.cpu)} {figures.factor(server.floor.memory)}"
        placed.append(left(81, floors, figure.tone(Tone.MUTED)))
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
        *figure.backfill(45),
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
