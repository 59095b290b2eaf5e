"""The actions menu and the confirmation with its blast radius.

A confirmation says things in the order of regret: whether it can be done, where, who is stopped, who shrinks, who
grows, how long it is off. What hurts is named by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.presentation import figures
from console.presentation.lines import (
    Frame,
    Line,
    Placed,
    Tone,
    compose,
    fit_name,
    fit_sentence,
    left,
    wrap,
)
from console.presentation.mirror import Mirror
from console.presentation.sentences import named
from console.records import AvoidedRecord, PlanRecord, ResizedRecord, ServerRecord, StoppedRecord

NAMES_SHOWN = 6
VALUE_COLUMN = 14


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A verb of the actions menu. `reason` says why it is off; `cost` what it costs, in five words."""

    letter: str
    title: str
    cost: str
    tier: int
    reason: str | None = None


_TIER_MARKS = {0: "", 1: "1", 2: "2 !", 3: "3 !!"}
_TIER_TONES = {0: Tone.TEXT, 1: Tone.TEXT, 2: Tone.WARN, 3: Tone.CRIT}


def menu_lines(items: Sequence[MenuItem], frame: Frame, *, highlighted: int | None = None) -> tuple[Line, ...]:
    """The rows of the menu, `frame.width` cells each, without its box: a head, then one for each item, in order.

    A verb that is off keeps its place and its letter and says why. Below 44 cells only that reason is told, by the
    status row, and the middle column goes.
    """
    width = frame.width
    has_tiers = any(item.tier for item in items)
    head = compose(width, left(width - 5, "TIER", Tone.MUTED)) if has_tiers else compose(width)
    return (head, *(_menu_row(item, frame, is_here=place == highlighted) for place, item in enumerate(items)))


def _menu_row(item: MenuItem, frame: Frame, *, is_here: bool) -> Line:
    width, glyphs = frame.width, frame.glyphs
    is_off = item.reason is not None
    has_cost = width >= 44
    title_width = 22 if has_cost else width - 12
    tone = Tone.MUTED if is_off else _TIER_TONES.get(item.tier, Tone.TEXT)
    placed: list[Placed] = [
        left(2, item.letter, Tone.MUTED if is_off else Tone.ACCENT, bold=not is_off),
        left(5, fit_name(item.title, title_width, glyphs), Tone.MUTED if is_off else Tone.TEXT, bold=is_here),
        left(width - 5, "off" if is_off else _TIER_MARKS.get(item.tier, str(item.tier)), tone),
    ]
    if is_here:
        placed.append(left(1, glyphs.cursor, Tone.ACCENT))
    if has_cost:
        text = f"off: {item.reason}" if is_off else item.cost
        placed.append(left(28, fit_sentence(text, width - 28 - 7, glyphs), Tone.MUTED if is_off else Tone.TEXT))
    return compose(width, *placed)


# The confirmation ---------------------------------------------------------------------------------------------------

_TITLES = {
    "start": "Start",
    "stop": "Power off",
    "shutdown": "Shut down",
    "delete": "Delete",
    "edit": "Change",
    "clone": "Clone",
    "separate": "Clone, and start apart:",
}


def with_names(plan: PlanRecord, mirror: Mirror) -> PlanRecord:
    """The plan with names for the ids in what the cloud says of it."""
    problem = None if plan.problem is None else named(mirror, plan.problem)
    return plan._replace(problem=problem, sentences=tuple(named(mirror, sentence) for sentence in plan.sentences))


def plan_title(plan: PlanRecord, server: ServerRecord | None) -> str:
    """The dialog's title: verb and object, with what it does to others."""
    name = server.title if server is not None else plan.object_id[:8]
    title = f"{_TITLES.get(plan.action, plan.action.capitalize())} {name}"
    if plan.stops:
        title += f", stopping {len(plan.stops)} other{'s' if len(plan.stops) != 1 else ''}"
    return title


def plan_lines(plan: PlanRecord, server: ServerRecord | None, frame: Frame) -> tuple[Line, ...]:
    """What the action would do, in the order of regret, `frame.width` cells each, without the dialog's box."""
    lines: list[Line] = []
    if not plan.is_allowed:
        problem = plan.problem or plan.code or "it is refused"
        lines += labelled(frame, "REFUSED", problem, Tone.CRIT)
    lines += _copies(plan, frame)
    if plan.avoided:
        lines += _avoided(plan.avoided, "the copies, " if plan.copies else "", frame)
    if plan.decision is not None:
        lines += _placement(plan, server, frame)
    if plan.avoided_at_start:
        lines += _avoided(plan.avoided_at_start, "the clone, ", frame)
    if plan.decision is not None or plan.stops:
        lines += _stops(plan, frame)
    if plan.decision is not None or plan.shrinks:
        lines += resized_lines(frame, "SHRINKS", plan.shrinks, Tone.WARN)
    if plan.grows:
        lines += resized_lines(frame, "GROWS", plan.grows, Tone.OK)
    if plan.downtime_seconds:
        name = server.title if server is not None else "it"
        wait = figures.duration(plan.downtime_seconds)
        if plan.action in {"start", "separate"}:
            runs = name if plan.action == "start" else "the clone"
            lines += labelled(frame, "READY", f"{runs} runs in about {wait}")
        elif plan.action in {"stop", "shutdown"}:
            lines += labelled(frame, "DOWNTIME", f"{name} is off in about {wait}, and stays off")
        else:
            lines += labelled(frame, "DOWNTIME", f"{name} off for about {wait}")
    # A refusal has just been told; its sentence is the same.
    sentences = plan.sentences if plan.is_allowed else ()
    lines += [line for text in sentences for line in labelled(frame, "", text, Tone.MUTED)]
    if not lines:
        lines += labelled(frame, "EFFECT", "nobody else is touched", Tone.MUTED)
    return tuple(lines)


def labelled(frame: Frame, label: str, text: str, tone: Tone = Tone.TEXT) -> list[Line]:
    """A label and its text on as many lines as it needs."""
    column = VALUE_COLUMN if frame.width >= 44 else 2
    rows = wrap(text, frame.width - column - 1)
    if column == 2:
        head = [compose(frame.width, left(1, label, Tone.MUTED))] if label else []
        return [*head, *(compose(frame.width, left(column, row, tone)) for row in rows)]
    first = compose(frame.width, left(2, label, Tone.MUTED), left(column, rows[0], tone))
    return [first, *(compose(frame.width, left(column, row, tone)) for row in rows[1:])]


_DECIDED_BY = {
    "only": "the only host with room",
    "avoid": "decided by the avoid list",
    "disruption": "decided by whom it disturbs least",
    "room": "decided by the room that is left",
    "name": "equal to the second; decided by name",
}


def _placement(plan: PlanRecord, server: ServerRecord | None, frame: Frame) -> list[Line]:
    decision = plan.decision
    assert decision is not None, "placement is only told of a decision"
    is_own = server is not None and plan.action != "separate"
    here = f"{server.host} -> " if server is not None and is_own and server.host else ""
    text = f"{here}{decision.host}"
    if decision.runner_up is not None:
        text += f"; second {decision.runner_up}"
    if decision.decided_by is not None:
        text += f"; {_DECIDED_BY.get(decision.decided_by, decision.decided_by)}"
    lines = labelled(frame, "PLACEMENT", text, Tone.OK)
    if decision.waits:
        lines += labelled(frame, "", "waits there until its room is free", Tone.WARN)
    if decision.avoided and not (plan.avoided or plan.avoided_at_start):
        number = len(decision.avoided)
        plural = "s of the avoid list are" if number != 1 else " of the avoid list is"
        lines += labelled(frame, "", f"{number} server{plural} there all the same", Tone.CRIT)
    if plan.refused:
        reasons = ", ".join(f"{number} {reason}" for reason, number in plan.refused)
        lines += labelled(frame, "OTHER HOSTS", reasons, Tone.MUTED)
    return lines


def _copies(plan: PlanRecord, frame: Frame) -> list[Line]:
    lines: list[Line] = []
    for place, copy in enumerate(plan.copies[:NAMES_SHOWN]):
        size = frame.glyphs.nobody_said if copy.size_bytes is None else figures.gib(copy.size_bytes)
        parts = [f"{copy.source_name or frame.glyphs.nobody_said} {size} GiB"]
        parts.append(f"stays on {copy.host}" if copy.is_same_host else f"over the network to {copy.host}")
        if copy.seconds is not None and copy.rate_bytes_per_second is not None:
            rate = copy.rate_bytes_per_second / figures.GIB
            parts.append(f"{figures.duration(copy.seconds)} at {rate:.2f} GiB/s")
        tone = Tone.TEXT if copy.is_same_host else Tone.WARN
        lines += labelled(frame, "" if place else "COPIES", ", ".join(parts), tone)
    if len(plan.copies) > NAMES_SHOWN:
        lines += labelled(frame, "", f"and {len(plan.copies) - NAMES_SHOWN} more")
    return lines


def _avoided(entries: Sequence[AvoidedRecord], what: str, frame: Frame) -> list[Line]:
    """What would be apart, together in a line; what would not be, each with why."""
    label = "APART"
    apart = [each.name or each.id for each in entries if each.is_apart]
    more = f" and {len(apart) - NAMES_SHOWN} more" if len(apart) > NAMES_SHOWN else ""
    names = ", ".join(apart[:NAMES_SHOWN])
    lines = labelled(frame, label, f"{what}from {names}{more}", Tone.OK) if apart else []
    for tone, is_apart in ((Tone.CRIT, False), (Tone.MUTED, None)):
        told = [each for each in entries if each.is_apart is is_apart]
        for each in told[:NAMES_SHOWN]:
            lines += labelled(frame, "" if lines else label, each.sentence, tone)
        if len(told) > NAMES_SHOWN:
            lines += labelled(frame, "", f"and {len(told) - NAMES_SHOWN} more like these", tone)
    return lines


def _stops(plan: PlanRecord, frame: Frame) -> list[Line]:
    stops = plan.stops or (plan.decision.stops if plan.decision is not None else ())
    if not stops:
        return labelled(frame, "STOPS", "nobody", Tone.MUTED)
    text = f"{len(stops)} backfilling server{'s' if len(stops) != 1 else ''}, after notice and grace"
    lines = labelled(frame, "STOPS", text, Tone.CRIT)
    lines += [stopped_row(each, frame) for each in stops[:NAMES_SHOWN]]
    if len(stops) > NAMES_SHOWN:
        lines += labelled(frame, "", f"and {len(stops) - NAMES_SHOWN} more", Tone.CRIT)
    return lines


def stopped_row(each: StoppedRecord, frame: Frame) -> Line:
    """Who is stopped, how large it is, how long it has run, how much work is lost."""
    column = VALUE_COLUMN if frame.width >= 44 else 2
    parts = []
    if each.cpu_mhz is not None:
        parts.append(f"{figures.ghz(each.cpu_mhz)} GHz")
    if each.memory_bytes is not None:
        parts.append(f"{figures.gib(each.memory_bytes)} GiB")
    age = figures.age_since(each.started_at, frame.now)
    if age is not None:
        parts.append(f"up {age}")
    if each.work_ghz_hours is not None:
        parts.append(f"{figures.work(each.work_ghz_hours)} lost")
    text = "  ".join(parts)
    placed = [left(column, fit_name(each.title, 13, frame.glyphs), Tone.CRIT)]
    placed.append(left(column + 14, fit_sentence(text, frame.width - column - 15, frame.glyphs)))
    return compose(frame.width, *placed)


def resized_lines(frame: Frame, label: str, rows: Sequence[ResizedRecord], tone: Tone) -> list[Line]:
    """Who gets smaller or larger, from what to what."""
    if not rows:
        return labelled(frame, label, "nobody", Tone.MUTED)
    texts = [_change(row) for row in rows[:NAMES_SHOWN]]
    more = f", and {len(rows) - NAMES_SHOWN} more" if len(rows) > NAMES_SHOWN else ""
    return labelled(frame, label, ", ".join(texts) + more, tone)


def _change(row: ResizedRecord) -> str:
    """`render-12 CPU 1.00 to 0.62`; a dimension that stays is not told."""
    parts = [row.title]
    for what, before, after in (
        ("CPU", row.cpu_before, row.cpu_after),
        ("memory", row.memory_before, row.memory_after),
    ):
        if before is not None and after is not None and before != after:
            parts.append(f"{what} {figures.factor(before)} to {figures.factor(after)}")
    return " ".join(parts)
