"""What would restore a group: the dialog's plan, and the lines beside the group's map.

The plan is the cloud's; what is worked out here is only whether it still fits what is on the screen.
"""

from __future__ import annotations

from console.presentation import figures
from console.presentation.lines import Frame, Glyphs, Line, Tone, compose, fit_name, fit_sentence, left, wrap
from console.presentation.plan import VALUE_COLUMN, labelled, stopped_row
from console.records import FixRecord, GroupRecord, StoppedRecord
from console.records_plans import GroupPlanRecord, RestartRecord, StandingRecord

MOVES_SHOWN = 40
FIX_COLUMN = 13
FIX_MOVES_SHOWN = 3
AVOIDED_SHOWN = 3


def title(plan: GroupPlanRecord) -> str:
    """The dialog's title: what is done to how many, and whom it stops."""
    number = len(plan.moves)
    text = f"Restore {plan.group}" + (f": move {number} of its members" if number > 1 else "")
    stops = len(_victims(plan))
    return f"{text}, stopping {stops}" if stops else text


def _victims(plan: GroupPlanRecord) -> tuple[StoppedRecord, ...]:
    return tuple({stop.id: stop for move in plan.moves for stop in move.stops}.values())


def standing_text(standing: StandingRecord, glyphs: Glyphs) -> str:
    """How many lost hosts are tolerated, as far as it is known."""
    if standing.tolerates is None:
        return glyphs.nobody_said
    return f"{glyphs.at_least if standing.is_bound else ''}{standing.tolerates}"


def _change(plan: GroupPlanRecord, glyphs: Glyphs) -> str:
    """`collisions 1 -> 0, tolerates 3 -> 4`."""
    before, after = plan.before, plan.after
    collisions = f"collisions {figures.or_dash(_text(before.collisions), glyphs)} -> {_text(after.collisions)}"
    return f"{collisions}, tolerates {standing_text(before, glyphs)} -> {standing_text(after, glyphs)}"


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def lines(plan: GroupPlanRecord, frame: Frame) -> tuple[Line, ...]:
    """The plan, `frame.width` cells each, without the dialog's box."""
    if not plan.is_allowed:
        return tuple(labelled(frame, "REFUSED", plan.problem or plan.code or "it is refused", Tone.CRIT))
    found = labelled(frame, "GROUP", f"{plan.group}   {_change(plan, frame.glyphs)}", Tone.OK)
    victims = _victims(plan)
    if victims:
        found += labelled(frame, "STOPS", f"{len(victims)} backfilling, after notice and grace", Tone.CRIT)
        found += [stopped_row(each, frame) for each in victims]
    else:
        found += labelled(frame, "STOPS", "nobody", Tone.MUTED)
    found += labelled(frame, "MOVES", f"{len(plan.moves)}, shut down and started again, one at a time", Tone.WARN)
    found += [_row(move, frame) for move in plan.moves[:MOVES_SHOWN]]
    if len(plan.moves) > MOVES_SHOWN:
        found += labelled(frame, "", f"and {len(plan.moves) - MOVES_SHOWN} more", Tone.WARN)
    longest = max((move.seconds_down or 0 for move in plan.moves), default=0)
    if plan.seconds:
        each = f"{figures.duration(longest)} each at most, {figures.duration(plan.seconds)} in all"
        found += labelled(frame, "DOWNTIME", each)
    proved = "no plan has fewer moves" if plan.is_fewest else "fewer moves may be possible"
    found += labelled(frame, "PROVED" if plan.is_fewest else "NOT PROVED", proved, Tone.MUTED)
    found += [line for note in plan.notes for line in labelled(frame, "NOTE", note, Tone.WARN)]
    return tuple(found)


def _row(move: RestartRecord, frame: Frame) -> Line:
    """Who, from where to where, and whom that touches."""
    column = VALUE_COLUMN if frame.width >= 44 else 2
    parts = [f"{move.from_host} -> {move.to}"]
    if move.stops:
        parts.append(f"stops {len(move.stops)}")
    if move.shrinks:
        parts.append(f"shrinks {move.shrinks}")
    own = Tone.BACKFILL if move.is_backfilling else Tone.TEXT
    return compose(
        frame.width,
        left(column, fit_name(move.title, 13, frame.glyphs), own),
        left(column + 14, fit_sentence("  ".join(parts), frame.width - column - 15, frame.glyphs)),
    )


# Beside the map ------------------------------------------------------------------------------------------------------


def is_current(plan: GroupPlanRecord, group: GroupRecord) -> bool:
    """Whether who moves is still where the plan found them."""
    hosts = {member.id: (member.host, member.state) for member in group.members}
    return plan.before.collisions == group.collisions and all(
        hosts.get(move.id) == (move.from_host, "running") for move in plan.moves
    )


def fix_lines(group: GroupRecord, plan: GroupPlanRecord | None, frame: Frame) -> list[Line]:
    """`FIX`: what would restore the group, as far as it is known; nothing where nothing is to be restored."""
    if not group.collisions:
        return []
    if plan is not None and plan.group == group.name and is_current(plan, group):
        sentences, tone = (_plan_sentences(group, plan, frame), Tone.TEXT) if plan.moves else (
            [plan.problem or "nothing that can be moved restores it"], Tone.MUTED)  # fmt: skip
    elif group.fix is not None:
        sentences, tone = _fix_sentences(group.fix), Tone.TEXT if group.fix.moves else Tone.MUTED
    else:
        return []
    rows = [row for sentence in sentences for row in wrap(sentence, max(1, frame.width - FIX_COLUMN - 1))]
    return [
        compose(
            frame.width,
            left(1, "FIX" if number == 0 else "", Tone.MUTED),
            left(FIX_COLUMN, row, tone),
        )
        for number, row in enumerate(rows)
    ]


def _plan_sentences(group: GroupRecord, plan: GroupPlanRecord, frame: Frame) -> list[str]:
    found = []
    for move in plan.moves[:FIX_MOVES_SHOWN]:
        stops = f" and stop {len(move.stops)} backfilling" if move.stops else ""
        found.append(f"start {move.title} again, {_avoid(group, move, frame)} (would put it on {move.to}{stops})")
    if len(plan.moves) > FIX_MOVES_SHOWN:
        found.append(f"and {len(plan.moves) - FIX_MOVES_SHOWN} more")
    after = "" if plan.is_fewest else "; fewer moves may be possible"
    return [*found, f"then {_change(plan, frame.glyphs)}: x r on line 1 does it{after}"]


def _avoid(group: GroupRecord, move: RestartRecord, frame: Frame) -> str:
    others = [member.name or member.id[:8] for member in group.members if member.id != move.id]
    more = frame.glyphs.ellipsis if len(others) > AVOIDED_SHOWN else ""
    return f"avoid={','.join(others[:AVOIDED_SHOWN])}{more}"


def _fix_sentences(fix: FixRecord) -> list[str]:
    if not fix.moves:
        return [*fix.notes] or ["nothing that can be moved restores it"]
    moves = "1 move" if fix.moves == 1 else f"{fix.moves} moves, one after the other,"
    least = "" if fix.is_fewest else "at most "
    left_over = f", and leave {fix.collisions} collision{'' if fix.collisions == 1 else 's'}" if fix.collisions else ""
    verb = "takes" if fix.moves == 1 else "take"
    return [f"{least}{moves} {verb} its members apart{left_over}; x r shows whom, where to and at what cost"]
