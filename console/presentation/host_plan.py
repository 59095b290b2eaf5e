"""What an action on a host would do, before it is done: in the order of regret, everybody by name.

First the cloud's own sentences, then who is stopped, who stays and why, who is paused, who moves where and whom that
stops, and who comes back.
"""

from __future__ import annotations

from console.presentation import figures
from console.presentation.lines import Frame, Line, Tone, compose, fit_name, fit_sentence, left
from console.presentation.plan import VALUE_COLUMN, labelled, stopped_row
from console.records import StoppedRecord
from console.records_plans import HostPlanRecord, MoveRecord

NAMES_SHOWN = 40
"""More than a host usually holds; the dialog scrolls."""

_TITLES = {"fail": "Lose {}", "recover": "Let {} recover", "drain": "Drain {}", "evacuate": "Evacuate {}"}

_GROUPS = (
    ("unavailable", "LOST", "at once", Tone.CRIT),
    ("stops", "STOPS", "without notice", Tone.CRIT),
    ("stays", "STAYS", "no host has room", Tone.CRIT),
    ("pauses", "PAUSES", "until its drives are back", Tone.WARN),
    ("moves", "MOVES", "shut down, then started elsewhere", Tone.WARN),
    ("returns", "RETURNS", "where it was", Tone.OK),
)


def title(plan: HostPlanRecord) -> str:
    """The dialog's title: verb and host, with what it does to others; a drain does nothing to anybody yet."""
    text = _TITLES.get(plan.action, plan.action.capitalize() + " {}").format(plan.host)
    victims = stopped_elsewhere(plan)
    stops = sum(move.outcome == "stops" for move in plan.moves) + len(victims)
    return f"{text}, stopping {stops}" if stops and plan.action in {"fail", "evacuate"} else text


def stopped_elsewhere(plan: HostPlanRecord) -> tuple[StoppedRecord, ...]:
    """Backfilling servers of other hosts that must go so that those of this one fit there, each once."""
    return tuple({stop.id: stop for move in plan.moves for stop in move.stops}.values())


def lines(plan: HostPlanRecord, frame: Frame) -> tuple[Line, ...]:
    """The plan, `frame.width` cells each, without the dialog's box."""
    if not plan.is_allowed:
        return tuple(labelled(frame, "REFUSED", plan.problem or plan.code or "it is refused", Tone.CRIT))
    found: list[Line] = []
    for number, sentence in enumerate(plan.sentences):
        found += labelled(frame, "WHAT" if number == 0 else "", sentence)
    victims = stopped_elsewhere(plan)
    for outcome, label, words, tone in _GROUPS:
        moves = [move for move in plan.moves if move.outcome == outcome]
        if outcome == "moves" and victims:
            text = f"{len(victims)} backfilling on other hosts, after notice and grace"
            found += labelled(frame, "STOPS TOO", text, Tone.CRIT)
            found += [stopped_row(each, frame) for each in victims[:NAMES_SHOWN]]
        if moves:
            is_restart = plan.action == "fail" and outcome == "moves"
            how = "started elsewhere, from nothing" if is_restart else words
            found += labelled(frame, label, f"{len(moves)}, {how}", tone)
            for move in moves[:NAMES_SHOWN]:
                found.append(_row(move, frame, tone))
                if move.problem is not None:
                    found += labelled(frame, "", move.problem, Tone.MUTED)
        if len(moves) > NAMES_SHOWN:
            found += labelled(frame, "", f"and {len(moves) - NAMES_SHOWN} more", tone)
    if not plan.moves:
        found += labelled(frame, "SERVERS", "none is touched", Tone.MUTED)
    return tuple(found)


def _row(move: MoveRecord, frame: Frame, tone: Tone) -> Line:
    """Who, how large, and where to."""
    column = VALUE_COLUMN if frame.width >= 44 else 2
    own = Tone.BACKFILL if move.is_backfilling else tone if tone is Tone.CRIT else Tone.TEXT
    parts = []
    if move.to is not None:
        arrow = f"-> {move.to}"
        if move.stops:
            arrow += f", stops {len(move.stops)}"
        if move.shrinks:
            arrow += f", shrinks {move.shrinks}"
        parts.append(arrow)
    if move.cpu_mhz is not None and move.memory_bytes is not None:
        parts.insert(0, f"{figures.ghz(move.cpu_mhz):>5} GHz {figures.gib(move.memory_bytes):>4} GiB")
    room = frame.width - column - 15
    return compose(
        frame.width,
        left(column, fit_name(move.title, 13, frame.glyphs), own),
        left(column + 14, fit_sentence("  ".join(parts), room, frame.glyphs)),
    )
