"""The availability map: which members of a group share a host, and how many lost hosts it survives.

Two numbers matter more than any picture: collisions, and failures tolerated. They are the cloud's own; nothing of
them is counted again here. The map of all groups has one column for each host; one group is a list of the hosts
that hold its members. What does not answer is blank: no claim is made about it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from console.presentation import figures, filtering, group_drives, group_plan, sorting
from console.presentation.columns import Column, Kind, Table
from console.presentation.group_drives import DRIVES
from console.presentation.group_map import map_regions
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
    View,
    at,
    blank,
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
from console.presentation.redundancy import (
    ORDERS,
    collisions_span,
    find,
    is_known,
    key_of,
    member_count,
    right_span,
    risk,
    silent_count,
    title_spans,
    tolerates_span,
    worst_first,
    worst_host,
)
from console.records import CellRecord, GroupRecord, HostRecord, MemberRecord
from console.records_plans import GroupPlanRecord

MAP_FROM_WIDTH = 100
HOSTS_WIDTH_MAX = 100
"""Beyond it the list of a group's hosts would only have wider gaps."""


def view(mirror: Mirror, frame: Frame, plan: GroupPlanRecord | None = None) -> View:
    """All groups, or the one that `frame.scope` names, with what would restore it where that was told.

    By their drives, the groups are of storage hosts; folded, they are of cells.
    """
    if DRIVES in frame.modes:
        if mirror.groups is not None:
            mirror = replace(mirror, groups=group_drives.of_drives(mirror))
        plan = None
    if frame.is_folded and mirror.groups is not None:
        mirror, plan = replace(mirror, groups=group_drives.of_cells(mirror.groups, mirror)), None
    if frame.scope is not None:
        return _one(mirror, frame, frame.scope, plan)
    known = columns(mirror, is_folded=frame.is_folded)
    query = filtering.parse(frame.filter, known)
    everything = worst_first(mirror, frame)
    if frame.sort not in ORDERS and frame.sort:
        everything = list(sorting.as_asked(everything, frame, known))
    shown = list(filtering.matching(everything, query, known))
    if not shown:
        head = _list_head(frame)
        regions: tuple[Region, ...] = (Lines([remark(frame, _instead(mirror, frame))], head=head),)
    elif frame.width >= MAP_FROM_WIDTH and mirror.cells:
        regions = map_regions(mirror, frame, shown)
    else:
        regions = (Rows(_list_head(frame), shown, lambda group: list_row(mirror, frame, group), key_of),)
    order = frame.sort if frame.sort in sorting.names(ORDERS, known) else "tolerates"
    total = None if mirror.groups is None else len(everything)
    return View(
        "groups",
        ("groups",),
        _note(mirror, frame)
        + filtering.note(
            filtering.number_of(len(shown), total, frame.filter, frame.glyphs),
            f"sort {order}",
            frame.filter,
        ),
        regions,
        status=lambda key: status(mirror, key),
        preview=lambda key: preview(mirror, frame, key),
        orders=ORDERS,
        table=Table(known, shown, key_of, lambda group: not group.is_bound),
        problem=query.problem,
    )


def _note(mirror: Mirror, frame: Frame) -> str:
    """What the map is of, where that was chosen."""
    if DRIVES not in frame.modes:
        return ""
    return "drives   " if mirror.are_drives_complete else f"drives {frame.glyphs.ellipsis}   "


def _place(frame: Frame) -> str:
    if frame.is_folded:
        return "cell"
    return "storage host" if DRIVES in frame.modes else "host"


def columns(mirror: Mirror, *, is_folded: bool = False) -> tuple[Column[GroupRecord], ...]:
    """What a group's row is as values. What it tolerates at least is not known to be what it tolerates."""
    return (
        Column("name", attrgetter("name"), head="GROUP", width=18, is_searched=True),
        Column("tolerates", lambda group: None if group.is_bound else group.tolerates, Kind.COUNT, "TOLERATES", 9,
               last=attrgetter("tolerates")),
        Column("collisions", attrgetter("collisions"), Kind.COUNT, "COLL", 6),
        Column("members", member_count, Kind.COUNT, "N", 4),
        Column("hosts", attrgetter("hosts"), Kind.COUNT, "CELLS" if is_folded else "HOSTS", 6),
        Column("needs", attrgetter("needs"), Kind.COUNT, "NEEDS", 6),
        Column("silent", lambda group: silent_count(mirror, group), Kind.COUNT, "SILENT", 7),
        Column("with", lambda group: " ".join(each.name or "" for each in group.members), head="MEMBERS", width=40,
               is_searched=True),
        Column("on", lambda group: " ".join(each.host or "" for each in group.members), head="ON", width=30,
               is_searched=True),
    )  # fmt: skip


def _instead(mirror: Mirror, frame: Frame) -> str:
    if mirror.groups is None:
        return frame.glyphs.ellipsis
    if frame.filter:
        return f"no groups match /{frame.filter}   esc clears the filter"
    if mirror.offer is not None:
        return "no server groups, and no servers that share a tag group:NAME"
    return "no groups: servers that share a tag group:NAME make one"


# The list, below 100 columns ---------------------------------------------------------------------------------------


def _list_head(frame: Frame) -> Line:
    width, muted, places = frame.width, Tone.MUTED, "CELLS" if frame.is_folded else "HOSTS"
    if width < 60:
        return compose(width, left(2, "GROUP", muted), right(width - 12, "COLL", muted),
                       right(width - 2, "TOLERATES", muted))  # fmt: skip
    placed = [left(2, "GROUP", muted), right(23, "N", muted), right(30, places, muted), right(36, "COLL", muted),
              right(47, "TOLERATES", muted)]  # fmt: skip
    placed.append(left(51, f"WORST {places[:-1]}" if width >= 80 else "WORST", muted))
    return compose(width, *placed)


def list_row(mirror: Mirror, frame: Frame, group: GroupRecord) -> Line:
    width, glyphs = frame.width, frame.glyphs
    silent = not all(is_known(mirror, member) for member in group.members)
    name = fit_name(group.name, 18 if width >= 60 else max(8, width - 22), glyphs)
    tone = Tone.CRIT if group.tolerates == 0 and not group.is_bound else Tone.UNKNOWN if silent else Tone.TEXT
    placed: list[Placed] = [at(2, matched(Span(name, tone), frame.filter))]
    if width < 60:
        placed += [right_span(width - 12, collisions_span(group, glyphs))]
        return compose(width, *placed, right_span(width - 2, tolerates_span(group, glyphs)))
    hosts = figures.or_dash(None if group.hosts is None else str(group.hosts), glyphs)
    placed += [
        right(23, str(member_count(group))),
        right(30, hosts),
        right_span(36, collisions_span(group, glyphs)),
        right_span(47, tolerates_span(group, glyphs)),
    ]
    worst = worst_host(group)
    if worst is not None:
        text = f"{worst[1]} on {worst[0]}" + (", some do not answer" if silent else "")
        shown = fit_sentence(text, width - 52, glyphs) if width >= 80 else fit_name(worst[0], 7, glyphs)
        placed.append(left(51, shown, Tone.MUTED))
    return compose(width, *placed)


# One group -----------------------------------------------------------------------------------------------------------


def _one(mirror: Mirror, frame: Frame, name: str, plan: GroupPlanRecord | None) -> View:
    group = find(mirror, name)
    order = [each.name for each in worst_first(mirror, frame)]
    if group is None:
        text = f"there is no group {name} any more   esc goes back" if mirror.groups is not None else ""
        empty = Lines([remark(frame, text or frame.glyphs.ellipsis)])
        return View("groups", ("groups", name), "", (empty,))
    place = order.index(name) + 1
    title = compose(frame.width, at(1, title_spans(group, frame.glyphs, place=_place(frame))))
    rows = host_rows(mirror, group, kind="cell" if frame.is_folded else "host")
    fix = group_plan.fix_lines(group, plan, frame)
    # Where something restores the group, the page begins on the group itself: x is about it then, and not about a host.
    regions: list[Region] = [
        Lines((title, blank(frame.width)), (key_of(group) if fix else None, None)),
        Rows(_host_head(frame), rows, lambda each: host_row(mirror, frame, group, each), lambda each: each.key),
        Lines((blank(frame.width), *_worst_case(mirror, frame, group))),
        *_colliding(frame, rows),
    ]
    if fix:
        # It is about the group itself: the cursor goes there, and so does x.
        keys = (key_of(group), *(None for _ in fix[1:]))
        regions += [blank_region(frame.width), Lines(fix, keys)]
    return View(
        "groups",
        ("groups", name),
        f"{_note(mirror, frame)}{place} of {len(order)}   sort {frame.sort or 'tolerates'}",
        tuple(regions),
        status=lambda key: _host_status(group, rows, key),
    )


@dataclass(frozen=True, slots=True)
class HostOfGroup:
    """A host with the members that it holds. No name: the members hold no host."""

    name: str | None
    cell: str
    members: tuple[MemberRecord, ...]
    stay: int
    """Members that run elsewhere and are known to: what is left when this host is lost."""
    kind: str = "host"

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.name}" if self.name is not None else self.members[0].id


def host_rows(mirror: Mirror, group: GroupRecord, kind: str = "host") -> list[HostOfGroup]:
    """The hosts that hold members, the most members first; then one row for each member that holds none.

    A member that is on several of them is lost with any.
    """
    on_host: dict[tuple[str, str], list[MemberRecord]] = defaultdict(list)
    homeless = []
    for member in group.members:
        if member.host is None:
            homeless.append(HostOfGroup(None, member.cell, (member,), 0))
        else:
            on_host[member.cell, member.host].append(member)
    up = [member for member in group.members if member.state == "running" and is_known(mirror, member)]
    all_up = {member.id for member in up}
    rows = [
        HostOfGroup(host, cell, tuple(members), len(all_up - {m.id for m in up if m.host == host}), kind)
        for (cell, host), members in on_host.items()
    ]
    rows.sort(key=lambda row: (-len(row.members), row.cell, row.name))
    return rows + sorted(homeless, key=lambda row: row.members[0].name or row.members[0].id)


COLLIDING_SHOWN = 12


def _colliding(frame: Frame, rows: Sequence[HostOfGroup]) -> list[Region]:
    """Members that share a host, each a row of its own: there the cursor is on a server, which can be moved apart."""
    shown = [(row, member) for row in rows if row.name is not None and len(row.members) > 1 for member in row.members]
    if not shown or frame.width < 60 or frame.is_folded:
        return []
    lines, keys = [], []
    for row, member in shown[:COLLIDING_SHOWN]:
        others = " ".join(each.name or each.id[:8] for each in row.members if each.id != member.id)
        words = fit_sentence(f"with {others}", frame.width - 31, frame.glyphs)
        lines.append(compose(
            frame.width,
            left(2, fit_name(member.name or member.id[:8], 16, frame.glyphs), Tone.CRIT),
            left(20, fit_name(row.name or "", 8, frame.glyphs)),
            left(30, words, Tone.MUTED),
        ))  # fmt: skip
        keys.append(member.id)
    hint = "SHARES" if DRIVES in frame.modes else "SHARES   x C clones it away and starts the clone apart"
    head = compose(frame.width, left(2, "COLLIDING", Tone.MUTED), left(20, "HOST", Tone.MUTED),
                   left(30, hint, Tone.MUTED))  # fmt: skip
    return [blank_region(frame.width), Lines(lines, keys, head)]


def _host_head(frame: Frame) -> Line:
    width, muted = min(frame.width, HOSTS_WIDTH_MAX), Tone.MUTED
    if width < 60:
        return compose(
            frame.width, left(2, "HOST", muted), left(17, "N", muted), right(width - 2, "LEFT IF LOST", muted)
        )
    placed = [left(2, "HOST", muted), left(10, "CELL", muted), left(18, "STATE", muted), left(26, "N", muted),
              left(30, "MEMBERS", muted)]  # fmt: skip
    if width < 80:
        return compose(frame.width, *placed, right(58, "LEFT", muted))
    return compose(
        frame.width,
        *placed,
        right(width - 18, "LEFT IF LOST", muted),
        right(width - 2, "USED" if DRIVES in frame.modes else "CPU", muted),
    )


def host_row(mirror: Mirror, frame: Frame, group: GroupRecord, row: HostOfGroup) -> Line:
    width, glyphs = min(frame.width, HOSTS_WIDTH_MAX), frame.glyphs
    known = all(is_known(mirror, member) for member in row.members)
    tone = Tone.TEXT if known else Tone.UNKNOWN
    host = next((host for host in mirror.hosts or () if host.name == row.name), None)
    number = len(row.members)
    if number == 1:
        count = Span("1", tone)
    else:
        count = Span(f"{number}!", Tone.CRIT if known else Tone.UNKNOWN, is_reversed=known)
    name = fit_name(row.name or glyphs.nobody_said, 7 if width >= 60 else 14, glyphs)
    stay = glyphs.nothing if row.name is None else str(row.stay)
    stay_tone = Tone.MUTED if row.name is None else Tone.CRIT if row.stay < group.needs else Tone.TEXT
    placed: list[Placed] = [left(2, name, tone)]
    if width < 60:
        return compose(frame.width, *placed, at(17, (count,)), right(width - 2, stay, stay_tone))
    placed += [
        left(10, fit_name(row.cell, 7, glyphs), tone),
        at(18, _host_state(mirror.cell(row.cell) if row.kind == "cell" else host, row, known, glyphs)),
    ]
    if row.name is not None:
        placed.append(at(26, (count,)))
    last = 58 if width < 80 else width - 18
    room = last - 30 - 5
    names = " ".join(member.name or member.id[:8] for member in row.members)
    placed += [left(30, fit_sentence(names, room, glyphs), tone), right(last, stay, stay_tone)]
    if width >= 80 and host is not None:
        placed.append(at(width - 13, _bar(host, 12, frame, known)))
    return compose(frame.width, *placed)


def _bar(host: HostRecord, width: int, frame: Frame, known: bool) -> Line:
    """What is used of a host: CPU by layers; of a storage host, its room for drives."""
    if host.kind == "storage":
        return figures.use_bar(host.used_bytes or 0, 0, host.storage_bytes or 0, width, frame.glyphs, is_known=known)
    capacity = host.capacity.cpu_mhz if host.capacity else 0
    normal = host.normal.cpu_mhz if host.normal else 0
    backfill = host.backfilling.cpu_mhz if host.backfilling else 0
    return figures.use_bar(normal, backfill, capacity, width, frame.glyphs, is_known=known)


def _host_state(host: HostRecord | CellRecord | None, row: HostOfGroup, known: bool, glyphs: Glyphs) -> Line:
    if not known:
        return (
            Span(glyphs.unknown, Tone.UNKNOWN),
            Span(" "),
            Span("?" if host is None else host.state[:5], Tone.UNKNOWN),
        )
    if row.name is None:
        return (Span(row.members[0].state[:7], Tone.MUTED),)
    if host is None:
        return (Span(glyphs.nobody_said, Tone.UNKNOWN),)
    look = figures.cell_state(host, glyphs) if isinstance(host, CellRecord) else figures.host_state(host, glyphs)
    return (Span(look.glyph, look.tone), Span(" "), Span(look.word, look.tone))


def _worst_case(mirror: Mirror, frame: Frame, group: GroupRecord) -> list[Line]:
    """Which hosts to lose, in the order that hurts, and what stays."""
    lines = []
    if group.worst_case:
        first, *others = group.worst_case
        lost = set(group.worst_case)
        up = [member for member in group.members if member.state == "running" and is_known(mirror, member)]
        stay = len({member.id for member in up} - {member.id for member in up if member.host in lost})
        then = f", then {', '.join(others)}" if others else ""
        lines.append(f"lose {first}{then}: {stay} stay, needs {group.needs}")
    silent = silent_count(mirror, group)
    if silent:
        verb, counts = ("does", "counts") if silent == 1 else ("do", "count")
        lines.append(f"{silent} of {member_count(group)} members {verb} not answer and {counts} as lost")
    room = frame.width - 14
    placed = [
        compose(
            frame.width,
            left(1, "WORST CASE" if number == 0 else "", Tone.MUTED),
            left(13, fit_sentence(text, room, frame.glyphs), Tone.UNKNOWN if "answer" in text else Tone.TEXT),
        )
        for number, text in enumerate(lines)
    ]
    return placed


def _host_status(group: GroupRecord, rows: Sequence[HostOfGroup], key: str | None) -> Line:
    row = next((row for row in rows if row.key == key), None)
    if row is None or row.name is None:
        return (Span(f"{group.name}: {risk(group)}", Tone.MUTED),)
    number = len(row.members)
    goes = f"{number} member{'s go' if number != 1 else ' goes'}"
    return (
        Span(f"{row.name} lost: {goes}, {row.stay} of {member_count(group)} stay, {group.needs} needed", Tone.MUTED),
    )


def status(mirror: Mirror, key: str | None) -> Line:
    group = find(mirror, key.removeprefix("group:")) if key is not None else None
    if group is None:
        total, colliding = len(mirror.groups or ()), sum(bool(each.collisions) for each in mirror.groups or ())
        text = f"{total} groups, {colliding} with collisions" if mirror.groups is not None else "asking the cloud"
        return (Span(text, Tone.MUTED),)
    return (Span(f"{group.name}: {risk(group)}", Tone.MUTED),)


def preview(mirror: Mirror, frame: Frame, key: str) -> tuple[Line, ...]:
    """The hosts of the group under the cursor, for below the list."""
    group = find(mirror, key.removeprefix("group:"))
    if group is None or frame.width < 60:
        return ()
    rows = host_rows(mirror, group, kind="cell" if frame.is_folded else "host")
    return (
        blank(frame.width),
        compose(frame.width, at(1, title_spans(group, frame.glyphs, place=_place(frame)))),
        _host_head(frame),
        *(host_row(mirror, frame, group, row) for row in rows),
        *_worst_case(mirror, frame, group),
        *group_plan.fix_lines(group, None, frame),
    )
