"""What the silence of a cell would mean, before it is injected: in the order of regret, groups by name."""

from __future__ import annotations

from collections.abc import Sequence

from console.presentation import figures
from console.presentation.group_plan import standing_text
from console.presentation.lines import Frame, Line, Span, Tone, fit_sentence
from console.presentation.plan import labelled
from console.records_plans import CellPlanRecord, GroupLossRecord

GROUPS_SHOWN = 12


def lines(plans: Sequence[CellPlanRecord], frame: Frame, *, remedy: str = "x u lets it answer again") -> list[Line]:
    """The plans, `frame.width` cells each, without the dialog's box."""
    found: list[Line] = []
    for plan in plans:
        if len(plans) > 1:
            found += [(Span(""),)] if found else []
            found.append((Span(fit_sentence(plan.cell, frame.width, frame.glyphs), Tone.ACCENT),))
        found += _lines(plan, frame)
    return [*found, *labelled(frame, "NOT", f"nothing is stopped or lost: {remedy}", Tone.MUTED)]


def _lines(plan: CellPlanRecord, frame: Frame) -> list[Line]:
    if not plan.is_allowed:
        return labelled(frame, "REFUSED", plan.problem or "it is refused", Tone.CRIT)

    def number(count: int | None) -> str:
        return frame.glyphs.nobody_said if count is None else f"{count:,}"

    what = f"{number(plan.servers)} turn UNKNOWN, {number(plan.running)} of them with a host; last known values stay"
    found = labelled(frame, "SERVERS", what, Tone.CRIT)
    found += labelled(frame, "DRIVES", f"{number(plan.drives)} turn UNKNOWN", Tone.CRIT if plan.drives else Tone.MUTED)
    found += _groups(plan.groups, frame)
    if plan.capacity is not None:
        room = f"{figures.ghz(plan.capacity.cpu_mhz)} GHz and {figures.gib(plan.capacity.memory_bytes)} GiB"
        found += labelled(frame, "PLACEMENT", f"skips its {number(plan.hosts)} hosts: {room} less", Tone.WARN)
    if plan.open_tasks:
        found += labelled(frame, "TASKS", f"{plan.open_tasks:,} wait and resume when it answers", Tone.WARN)
    else:
        found += labelled(frame, "TASKS", "none waits for it now; those of the cell would", Tone.MUTED)
    if plan.schedules:
        text = f"{plan.schedules:,} schedule{'' if plan.schedules == 1 else 's'} of its servers would miss their runs"
        found += labelled(frame, "BACKUPS", text, Tone.WARN)
    return found


def _groups(losses: Sequence[GroupLossRecord], frame: Frame) -> list[Line]:
    if not losses:
        return labelled(frame, "GROUPS", "none has a member there", Tone.MUTED)
    found: list[Line] = []
    for place, loss in enumerate(losses[:GROUPS_SHOWN]):
        before, after = (standing_text(each, frame.glyphs) for each in (loss.before, loss.after))
        is_worse = (loss.after.tolerates or 0) < (loss.before.tolerates or 0)
        text = f"{loss.name}: {loss.members} unknown, tolerates {before} -> {after}"
        found += labelled(frame, "" if place else "GROUPS", text, Tone.CRIT if is_worse else Tone.TEXT)
    if len(losses) > GROUPS_SHOWN:
        found += labelled(frame, "", f"and {len(losses) - GROUPS_SHOWN} more", Tone.WARN)
    return found
