"""The drives of a group: which members would lose one with the same storage host, or with the same cell.

The cloud tells of a group which servers are in it; which storage hosts hold their drives is known from the drives. A
member is lost with any of its drives, so the two numbers of a group are worked out here, exactly where they can be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

from console.presentation.mirror import Mirror
from console.records import GroupRecord, MemberRecord

DRIVES = "drives"
"""The mode in which the map is of the drives on storage hosts."""

SETS_MAX = 3_000
"""Sets of lost hosts that are tried; beyond it, what is tolerated is a lower bound."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How well members stand the loss of what they depend on."""

    collisions: int
    """Members beyond the first on each place."""
    tolerates: int
    is_bound: bool
    """Whether it may tolerate more."""
    worst_case: tuple[str, ...]


def standing(places: Mapping[str, Collection[str]], needs: int) -> Standing:
    """How many places can be lost, whichever they are, with `needs` members keeping all of theirs.

    `places` are those of each member that works now, by its id. One without any place is lost with none.
    """
    hit: dict[str, set[str]] = {}
    for member, on in places.items():
        for place in on:
            hit.setdefault(place, set()).add(member)
    collisions = sum(len(members) - 1 for members in hit.values())
    worst_first = sorted(hit, key=lambda place: (-len(hit[place]), place))
    spare = len(places) - needs
    if spare < 0 or not hit:
        return Standing(collisions, 0, spare >= 0, ())
    for lost in range(1, len(hit) + 1):
        if sum(len(hit[place]) for place in worst_first[:lost]) <= spare:
            continue
        if comb(len(hit), lost) > SETS_MAX:
            return Standing(collisions, lost - 1, True, tuple(worst_first[:lost]))
        for gone in combinations(worst_first, lost):
            if len(set().union(*(hit[place] for place in gone))) > spare:
                return Standing(collisions, lost - 1, False, gone)
    return Standing(collisions, len(hit), False, ())


def of_drives(mirror: Mirror) -> tuple[GroupRecord, ...]:
    """The groups with a member for each storage host that holds a drive of it."""
    return tuple(_of_drives(mirror, group) for group in mirror.groups or ())


def _of_drives(mirror: Mirror, group: GroupRecord) -> GroupRecord:
    members: list[MemberRecord] = []
    places: dict[str, set[str]] = {}
    is_bound = False
    for member in group.members:
        drives = mirror.drives.by_server.get(member.id, ())
        on: dict[str, MemberRecord] = {}
        is_whole = member.state == "running" and member.is_reachable
        for drive in drives:
            is_known = drive.is_reachable and mirror.is_cell_up(drive.cell)
            is_whole = is_whole and is_known and drive.state != "unavailable"
            is_bound = is_bound or not is_known
            if drive.host is not None:
                state = "running" if drive.state != "unavailable" else "unavailable"
                on[drive.host] = MemberRecord(member.id, member.name, drive.cell, drive.host, state, is_known)
        # A server without drives is lost with no storage host.
        members += on.values() or [member._replace(host=None)]
        if is_whole:
            places[member.id] = set(on)
    found = standing(places, group.needs)
    return _with_standing(group, members, found, is_bound=is_bound, is_told=mirror.are_drives_complete)


def of_cells(groups: Sequence[GroupRecord], mirror: Mirror) -> tuple[GroupRecord, ...]:
    """The groups with cells in place of hosts: what they stand when a cell falls silent.

    A server with drives on several hosts of a cell is in that cell once.
    """
    found = []
    for group in groups:
        there: dict[tuple[str, str | None], MemberRecord] = {}
        for m in group.members:
            place = None if m.host is None else m.cell
            before = there.get((m.id, place))
            is_reachable = m.is_reachable and (before is None or before.is_reachable)
            state = m.state if before is None or before.state == "running" else before.state
            there[m.id, place] = MemberRecord(m.id, m.name, m.cell, place, state, is_reachable)
        members = list(there.values())
        places: dict[str, set[str]] = {}
        for m in members:
            if m.host is not None and m.state == "running" and m.is_reachable and mirror.is_cell_up(m.cell):
                places.setdefault(m.id, set()).add(m.cell)
        is_bound = not all(m.is_reachable and mirror.is_cell_up(m.cell) for m in members)
        found.append(_with_standing(group, members, standing(places, group.needs), is_bound=is_bound))
    return tuple(found)


def _with_standing(
    group: GroupRecord,
    members: Sequence[MemberRecord],
    found: Standing,
    *,
    is_bound: bool,
    is_told: bool = True,
) -> GroupRecord:
    held = Counter(member.host for member in members if member.host is not None)
    return GroupRecord(
        name=group.name,
        members=tuple(members),
        needs=group.needs,
        hosts=len(held),
        collisions=held.total() - len(held),
        tolerates=found.tolerates if is_told else None,
        is_bound=is_bound or found.is_bound,
        worst_case=found.worst_case,
    )
