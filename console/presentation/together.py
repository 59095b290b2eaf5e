"""One verb of several objects: what it would do to others over all, before the plans of the first few.

Each plan was made as things are now, for one object alone; the first of them changes things for the next. So what is
told over all is of whom any of the plans speaks, each once, and not a sum of sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from console.presentation.lines import Frame, Line, Span, Tone
from console.presentation.plan import NAMES_SHOWN, labelled
from console.records import PlanRecord, StoppedRecord

PLANS_SHOWN = 5
"""Plans that are told at length."""


def first(plans: Mapping[str, PlanRecord]) -> list[tuple[str, PlanRecord]]:
    """Those that are told at length."""
    return list(plans.items())[:PLANS_SHOWN]


def rest(plans: Mapping[str, PlanRecord]) -> list[Line]:
    """What is said below the plans that are told at length."""
    more = len(plans) - PLANS_SHOWN
    return [(Span(f"and {more:,} more, counted above", Tone.MUTED),)] if more > 0 else []


def off(left_out: Sequence[tuple[str, str]], frame: Frame) -> list[Line]:
    """Which of the marked objects the verb leaves alone, each reason once; `left_out` is names and reasons."""
    named: dict[str, list[str]] = {}
    for name, reason in left_out:
        named.setdefault(reason, []).append(name)
    made: list[Line] = []
    for reason, names in named.items():
        made += labelled(frame, "OFF", f"{_who(names)}: {reason}", Tone.WARN)
    return made


def lines(
    noun: str, plans: Mapping[str, PlanRecord], number: int, left_out: Sequence[tuple[str, str]], frame: Frame
) -> list[Line]:
    """How many objects it is about, how many were looked at, and who stops, shrinks and grows by any of the plans."""
    said = f"{number:,} {noun}s" + (f", {len(left_out):,} off" if left_out else "")
    made: list[Line] = [(Span(said, is_bold=True),), *off(left_out, frame)]
    if not plans:
        return made
    refused = sum(not each.is_allowed for each in plans.values())
    if refused:
        made += labelled(frame, "REFUSED", f"{refused:,} of {len(plans):,}", Tone.CRIT)
    told = (
        ("STOPS", Tone.CRIT, {each.id: each.title for plan in plans.values() for each in _stopped(plan)}),
        ("SHRINKS", Tone.WARN, {each.id: each.title for plan in plans.values() for each in plan.shrinks}),
        ("GROWS", Tone.OK, {each.id: each.title for plan in plans.values() for each in plan.grows}),
    )
    for label, tone, names in told:
        made += labelled(frame, label, _who(list(names.values())), tone if names else Tone.MUTED)
    if len(plans) < number:
        words = f"by the first {len(plans):,}, each alone; {number - len(plans):,} more were not looked at"
        made += labelled(frame, "", words, Tone.WARN)
    return made


def _stopped(plan: PlanRecord) -> tuple[StoppedRecord, ...]:
    return plan.stops or (plan.decision.stops if plan.decision is not None else ())


def _who(names: Sequence[str]) -> str:
    if not names:
        return "nobody"
    others = len(names) - NAMES_SHOWN
    more = f", and {others:,} more" if others > 0 else ""
    return f"{len(names):,}: {', '.join(names[:NAMES_SHOWN])}{more}"
