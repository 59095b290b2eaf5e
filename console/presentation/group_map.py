"""The map of all groups: a row for each group, a column for each host, cells apart from each other.

What does not answer is blank: no claim is made about it. Where the hosts do not fit, only those that hold a member of
a listed group are drawn; where these do not fit either, hosts are folded into cells.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from console.presentation import figures
from console.presentation.group_drives import DRIVES
from console.presentation.lines import (
    Frame,
    Glyphs,
    Line,
    Lines,
    Placed,
    Region,
    Rows,
    Span,
    Tone,
    at,
    blank,
    cells,
    compose,
    fit_name,
    fit_sentence,
    left,
    matched,
    right,
)
from console.presentation.mirror import Mirror
from console.presentation.redundancy import (
    collisions_span,
    is_known,
    key_of,
    member_count,
    right_span,
    tolerates_span,
)
from console.records import CellRecord, GroupRecord, HostRecord, MemberRecord

MAP_FROM_WIDTH = 150
MAP_COLUMN = 12
NUMBERS_WIDTH = 41
"""N, NEEDS, HOSTS, COLL and TOLERATES at the right of the map."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the map: a host, its sign where the group has no member there, and its digit in the head."""

    host: str
    empty: Span
    digit: str
    is_lost: bool


@dataclass(frozen=True, slots=True)
class _Block:
    """The columns of one cell and where they begin."""

    cell: CellRecord
    start: int
    columns: tuple[_Column, ...]
    width: int
    hidden: int = 0
    """Hosts without a member of any listed group, left out to save room."""


def map_regions(mirror: Mirror, frame: Frame, shown: Sequence[GroupRecord]) -> tuple[Region, ...]:
    """The map as it fits: all hosts, those with members, or cells."""
    # Storage hosts are few: where their columns fit, they are drawn.
    is_narrow = frame.width < MAP_FROM_WIDTH and DRIVES not in frame.modes
    blocks = None if frame.is_folded or is_narrow else _blocks(mirror, frame, shown)
    if blocks is None:
        return _folded_regions(mirror, frame, shown)
    width = frame.width
    cell_heads = [at(block.start, _cell_head(frame, block)) for block in blocks]
    digits = [left(block.start, "".join(column.digit for column in block.columns), Tone.MUTED) for block in blocks]
    end = _map_end(blocks)
    head = compose(width, left(1, "GROUP", Tone.MUTED), *digits, *_number_heads(end, frame))
    rows = Rows(head, shown, lambda group: _map_row(mirror, frame, blocks, group), key_of)
    return Lines((compose(width, *cell_heads),)), rows, Lines((blank(width), _legend(frame)))


def _map_end(blocks: Sequence[_Block]) -> int:
    last = blocks[-1]
    return last.start + last.width - 1


def _blocks(mirror: Mirror, frame: Frame, shown: Sequence[GroupRecord]) -> list[_Block] | None:
    """The map's columns: every host, or only those that hold members of a listed group; None where neither fits."""
    holding = {member.host for group in shown for member in group.members if member.host is not None}
    hosts: dict[str, list[HostRecord]] = defaultdict(list)
    for host in mirror.hosts or ():
        if host.kind == ("storage" if DRIVES in frame.modes else "compute"):
            hosts[host.cell].append(host)
    # Where there is room, the cells have their whole names above their hosts, and their states.
    named = max((cells(cell.name) for cell in mirror.cells or ()), default=0)
    shapes = ((False, max(6, named + 5)), (False, max(6, named + 2)), (False, 6), (True, 12), (True, 6))
    for only_holding, narrowest in shapes:
        start, blocks = MAP_COLUMN, []
        for cell in sorted(mirror.cells or (), key=lambda cell: cell.name):
            known = sorted(hosts[cell.name], key=lambda host: host.name)
            names = [host for host in known if not only_holding or host.name in holding]
            columns = _columns(mirror, frame, cell, names, shown, is_numbered=not only_holding)
            width = max(len(columns), narrowest)
            blocks.append(_Block(cell, start, columns, width, len(known) - len(names)))
            start += width + 2
        if blocks and start - 2 + NUMBERS_WIDTH <= frame.width:
            return blocks
    return None


def _columns(
    mirror: Mirror,
    frame: Frame,
    cell: CellRecord,
    hosts: Sequence[HostRecord],
    shown: Sequence[GroupRecord],
    *,
    is_numbered: bool,
) -> tuple[_Column, ...]:
    glyphs, columns = frame.glyphs, []
    named = {host.name for host in hosts}
    for number, host in enumerate(hosts, start=1):
        if not mirror.is_host_known(host):
            empty = Span(" ")
        elif host.state == "down":
            empty = Span("x", Tone.MUTED)
        elif host.state == "maintenance":
            empty = Span(glyphs.maintenance, Tone.MUTED)
        else:
            empty = Span(glyphs.nothing, Tone.MUTED)
        digit = str(number % 10) if is_numbered else host.name[-1:]
        columns.append(_Column(host.name, empty, digit, host.state == "down" and mirror.is_host_known(host)))
    # Members on hosts that were never listed, as of a cell that never answered, have a column all the same.
    others = {
        member.host
        for group in shown
        for member in group.members
        if member.cell == cell.name and member.host is not None and member.host not in named
    }
    columns += [_Column(name, Span(" "), " ", False) for name in sorted(others)]
    return tuple(columns)


def _cell_head(frame: Frame, block: _Block) -> Line:
    look = figures.cell_state(block.cell, frame.glyphs)
    room = block.width
    hidden = f" +{block.hidden}" if block.hidden and room >= 12 else ""
    tail = (Span(hidden, Tone.MUTED),) if hidden else ()
    if cells(block.cell.name) + 2 + len(look.word) + len(hidden) + 1 > room:
        name = fit_name(block.cell.name, room - 2 - len(hidden), frame.glyphs)
        return (Span(name), Span(f" {look.glyph}", look.tone), *tail)
    return (Span(block.cell.name + " "), Span(f"{look.glyph} {look.word}", look.tone), *tail)


def _number_heads(end: int, frame: Frame) -> list[Placed]:
    muted, places = Tone.MUTED, "CELLS" if frame.is_folded else "HOSTS"
    return [right(end + 7, "N", muted), right(end + 14, "NEEDS", muted), right(end + 21, places, muted),
            right(end + 28, "COLL", muted), right(end + 40, "TOLERATES", muted)]  # fmt: skip


def _numbers(group: GroupRecord, end: int, glyphs: Glyphs) -> list[Placed]:
    hosts = figures.or_dash(None if group.hosts is None else str(group.hosts), glyphs)
    return [
        right(end + 7, str(member_count(group))),
        right(end + 14, str(group.needs)),
        right(end + 21, hosts),
        right_span(end + 28, collisions_span(group, glyphs)),
        right_span(end + 40, tolerates_span(group, glyphs)),
    ]


def _map_row(mirror: Mirror, frame: Frame, blocks: Sequence[_Block], group: GroupRecord) -> Line:
    glyphs = frame.glyphs
    on_host: dict[str, list[MemberRecord]] = defaultdict(list)
    for member in group.members:
        if member.host is not None:
            on_host[member.host].append(member)
    name = Span(fit_name(group.name, 10, glyphs))
    placed: list[Placed] = [at(1, matched(name, frame.filter))]
    for block in blocks:
        spans: list[Span] = []
        for column in block.columns:
            span = _sign(mirror, column, on_host.get(column.host, ()), glyphs)
            if spans and spans[-1].tone is span.tone and spans[-1].is_reversed == span.is_reversed:
                spans[-1] = Span(spans[-1].text + span.text, span.tone, span.is_reversed)
            else:
                spans.append(span)
        placed.append(at(block.start, tuple(spans)))
    return compose(frame.width, *placed, *_numbers(group, _map_end(blocks), glyphs))


def _sign(mirror: Mirror, column: _Column, members: Sequence[MemberRecord], glyphs: Glyphs) -> Span:
    if not members:
        return column.empty
    if not all(is_known(mirror, member) for member in members):
        return Span(glyphs.unknown if len(members) == 1 else _digit(len(members)), Tone.UNKNOWN)
    if column.is_lost:
        return Span(glyphs.lost, Tone.CRIT, is_reversed=len(members) > 1)
    if len(members) == 1:
        return Span(glyphs.running)
    return Span(_digit(len(members)), Tone.CRIT, is_reversed=True)


def _digit(number: int) -> str:
    return str(number) if number < 10 else "+"


def _legend(frame: Frame) -> Line:
    glyphs = frame.glyphs
    text = (
        f"{glyphs.running} one member   2 collision (reversed)   {glyphs.lost} member on a lost host   "
        f"{glyphs.unknown} member in a cell that does not answer   x lost host   {glyphs.maintenance} maintenance   "
        "blank no answer"
    )
    return compose(frame.width, left(1, fit_sentence(text, frame.width - 2, glyphs), Tone.MUTED))


def _folded_regions(mirror: Mirror, frame: Frame, shown: Sequence[GroupRecord]) -> tuple[Region, ...]:
    """Hosts folded into cells: how many members of a group each cell holds."""
    known = sorted(mirror.cells or (), key=lambda cell: cell.name)
    widest = max((cells(cell.name) for cell in known), default=0) + 4
    room = max(3, min(max(10, widest), (frame.width - MAP_COLUMN - NUMBERS_WIDTH) // max(1, len(known))))
    shown_cells = known[: max(1, (frame.width - MAP_COLUMN - NUMBERS_WIDTH) // room)]
    end = MAP_COLUMN + room * len(shown_cells) - 2
    heads: list[Placed] = []
    for place, cell in enumerate(shown_cells):
        look = figures.cell_state(cell, frame.glyphs)
        name = fit_name(cell.name, room - 3, frame.glyphs) if room > 4 else ""
        heads.append(at(MAP_COLUMN + place * room, (Span(look.glyph, look.tone), Span(name, Tone.MUTED))))
    head = compose(frame.width, left(1, "GROUP", Tone.MUTED), *heads, *_number_heads(end, frame))

    def draw(group: GroupRecord) -> Line:
        placed: list[Placed] = [at(1, matched(Span(fit_name(group.name, 10, frame.glyphs)), frame.filter))]
        for place, cell in enumerate(shown_cells):
            members = [member for member in group.members if member.cell == cell.name and member.host is not None]
            placed.append(at(MAP_COLUMN + place * room, (_folded_sign(members, cell, frame.glyphs),)))
        return compose(frame.width, *placed, *_numbers(group, end, frame.glyphs))

    return (Rows(head, shown, draw, key_of),)


def _folded_sign(members: Sequence[MemberRecord], cell: CellRecord, glyphs: Glyphs) -> Span:
    """How many members the cell holds; with `!`, two of them share a host, or as folded the cell."""
    if not members:
        return Span(glyphs.nothing if cell.is_up else " ", Tone.MUTED)
    # On storage hosts a server may be several times; it is counted once, as in the column N.
    hosts, number = Counter(member.host for member in members), len({member.id for member in members})
    if not cell.is_up:
        return Span(f"{glyphs.unknown}{number}", Tone.UNKNOWN)
    if max(hosts.values()) > 1:
        return Span(f"{number}!", Tone.CRIT, is_reversed=True)
    return Span(str(number))
