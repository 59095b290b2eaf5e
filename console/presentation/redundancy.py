"""A group's two numbers, collisions and failures tolerated: in which order they are shown, and how they look.

They are the cloud's own; nothing of them is counted again here.
"""

from __future__ import annotations

from collections import Counter

from console.presentation import figures
from console.presentation.lines import Frame, Glyphs, Line, Placed, Span, Tone, at, cells
from console.presentation.mirror import Mirror
from console.records import GroupRecord, MemberRecord


def key_of(group: GroupRecord) -> str:
    return f"group:{group.name}"


ORDERS = ("tolerates", "collisions", "name", "members")


def worst_first(mirror: Mirror, frame: Frame | None = None) -> list[GroupRecord]:
    """Fewest failures tolerated, then most collisions, then by name; or as the frame says."""

    def key(group: GroupRecord) -> tuple[object, ...]:
        worst = (group.tolerates or 0, -(group.collisions or 0), group.name)
        match frame.sort if frame is not None else "":
            case "collisions":
                return (-(group.collisions or 0), *worst)
            case "name":
                return (group.name,)
            case "members":
                return (-member_count(group), *worst)
            case _:
                return worst

    return sorted(mirror.groups or (), key=key, reverse=frame is not None and frame.is_descending)


def member_count(group: GroupRecord) -> int:
    """How many servers are in it: on storage hosts, each may be more than once."""
    return len({member.id for member in group.members})


def silent_count(mirror: Mirror, group: GroupRecord) -> int:
    """How many servers of it are not known to be as they were."""
    return len({member.id for member in group.members if not is_known(mirror, member)})


def find(mirror: Mirror, name: str) -> GroupRecord | None:
    return next((group for group in mirror.groups or () if group.name == name), None)


# What a group's numbers look like ------------------------------------------------------------------------------


def tolerates_span(group: GroupRecord, glyphs: Glyphs) -> Span:
    if group.tolerates is None:
        return Span(glyphs.nobody_said, Tone.UNKNOWN)
    if group.is_bound:
        return Span(f"{glyphs.at_least}{group.tolerates}", Tone.UNKNOWN)
    return Span(str(group.tolerates), Tone.CRIT if group.tolerates == 0 else Tone.TEXT)


def collisions_span(group: GroupRecord, glyphs: Glyphs) -> Span:
    if group.collisions is None:
        return Span(glyphs.nobody_said, Tone.UNKNOWN)
    if group.collisions == 0:
        return Span(glyphs.nothing, Tone.MUTED)
    return Span(str(group.collisions), Tone.CRIT)


def right_span(last: int, span: Span) -> Placed:
    return at(last + 1 - cells(span.text), (span,))


def is_known(mirror: Mirror, member: MemberRecord) -> bool:
    return member.is_reachable and mirror.is_cell_up(member.cell)


def worst_host(group: GroupRecord) -> tuple[str, int] | None:
    """The host that holds the most members, and how many."""
    counts = Counter(member.host for member in group.members if member.host is not None)
    return min(counts.items(), key=lambda pair: (-pair[1], pair[0])) if counts else None


def risk(group: GroupRecord) -> str:
    """`3 of 4 members on c2-h08; tolerates 0`."""
    worst = worst_host(group)
    number = member_count(group)
    where = f"{worst[1]} of {number} members on {worst[0]}" if worst else f"{number} members"
    if group.tolerates is None:
        return f"{where}; tolerates: nobody knows"
    return f"{where}; tolerates {'at least ' if group.is_bound else ''}{group.tolerates}"


def title_spans(group: GroupRecord, glyphs: Glyphs, *, place: str = "host") -> Line:
    """The sentence with the two numbers that matter. `place` is what members are on."""
    number = member_count(group)
    hosts = figures.or_dash(None if group.hosts is None else str(group.hosts), glyphs)
    spans = [
        Span(group.name, is_bold=True),
        Span(f"  {number} member{'s' if number != 1 else ''}  {hosts} {place}{'s' if group.hosts != 1 else ''}"),
        Span(f"  needs {group.needs}   "),
    ]
    if group.collisions:
        text = f"{glyphs.violation} {group.collisions} collision{'s' if group.collisions != 1 else ''}"
        spans += [Span(text, Tone.CRIT), Span("   ")]
    tolerates = tolerates_span(group, glyphs)
    # Where it is long, what they are has just been said.
    lost = f" lost {place}{'' if group.tolerates == 1 else 's'}" if " " not in place else " lost"
    return (*spans, Span("tolerates "), tolerates, Span(lost))
