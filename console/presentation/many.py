"""Several clouds: how each of them is, in the rows of the dialog that chooses one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from console.presentation import figures
from console.presentation.lines import (
    Frame,
    Line,
    Placed,
    Span,
    Tone,
    at,
    cells,
    compose,
    fit_name,
    fit_sentence,
    left,
    matched,
    right,
    take_end,
)
from console.presentation.mirror import Mirror

NAME_WIDTH_MAX = 16
STATE_WIDTH = 27
AGE_WIDTH = 7
UNANSWERED_SECONDS = 5.0
"""A look that waits longer than this has no answer, whatever the last one said."""
LATE_SECONDS = 20.0
"""How much later than its turn a look may come."""
RULES_FROM_WIDTH, NOUN_FROM_WIDTH = 50, 60


class Cloud(NamedTuple):
    """A cloud among several."""

    name: str
    noun: str
    """What kind of cloud it is."""
    place: str
    colour: str = ""
    mirror: Mirror | None = None
    """What is known of it; None where it was not opened."""
    problem: str = ""
    """Why it could not be opened."""
    is_here: bool = False
    """Whether it is the one in sight."""
    is_production: bool = False
    is_read_only: bool = False


class State(NamedTuple):
    """How it stands with a cloud, in a glyph and a few words."""

    glyph: str
    words: str
    tone: Tone


def state(cloud: Cloud, frame: Frame) -> State:
    """Whether it is connected; since when it is silent; that nobody has tried."""
    glyphs, mirror = frame.glyphs, cloud.mirror
    if cloud.problem:
        return State(glyphs.lost, cloud.problem, Tone.CRIT)
    if mirror is None:
        return State(glyphs.nothing, "not tried", Tone.MUTED)
    if mirror.is_offline:
        since = silent_since(mirror)
        words = "silent" if since is None else f"silent since {figures.instant(since, frame.wall_now)}"
        return State(glyphs.lost, words, Tone.CRIT)
    if mirror.problem is not None:
        return State(glyphs.lost, mirror.problem, Tone.CRIT)
    if mirror.cells is None:
        return State(glyphs.busy, "connecting", Tone.MUTED)
    if _is_late(mirror, frame.wall_now):
        since = mirror.answered_at.get("servers")
        words = "no answer" if since is None else f"no answer since {figures.instant(since, frame.wall_now)}"
        return State(glyphs.attention, words, Tone.WARN)
    return State(glyphs.running, "connected", Tone.OK)


def _is_late(mirror: Mirror, wall_now: datetime) -> bool:
    """Whether a cloud that is looked at now and then has let a look wait, or was not looked at when it was due."""
    if mirror.pace is None or mirror.pace.word == "held off":
        return False
    if mirror.pace.unanswered_seconds >= UNANSWERED_SECONDS:
        return True
    seconds, wait = mirror.age_seconds(wall_now), mirror.pace.wait_seconds
    return seconds is not None and wait is not None and seconds > wait + LATE_SECONDS


def silent_since(mirror: Mirror) -> datetime | None:
    """When the cloud was heard last."""
    return max(mirror.answered_at.values(), default=None)


def age(cloud: Cloud, frame: Frame) -> tuple[str, Tone]:
    """How old what is known of it is, as the header says it."""
    seconds = None if cloud.mirror is None else cloud.mirror.age_seconds(frame.wall_now)
    if seconds is None:
        return frame.glyphs.nobody_said, Tone.MUTED
    return figures.age(seconds), Tone.CRIT if cloud.mirror is not None and cloud.mirror.is_offline else Tone.MUTED


def chip(cloud: Cloud, width: int, frame: Frame, wanted: str = "", *, is_bold: bool = False) -> Line:
    """The name in the cloud's colour, which is red where a mistake hurts, as its frame is."""
    colour = "red" if cloud.is_production else cloud.colour
    tone = Tone(f"hue-{colour}") if colour else Tone.TEXT
    span = Span(fit_name(cloud.name, width, frame.glyphs), tone, is_bold=is_bold or cloud.is_production)
    return matched(span, wanted) if wanted else (span,)


def rows(clouds: Sequence[Cloud], text: str, frame: Frame, *, highlighted: int) -> tuple[Line, ...]:
    """A row a cloud: name, kind, state, age, and where it is, as far as there is room."""
    width, glyphs = frame.width, frame.glyphs
    name_width = min(NAME_WIDTH_MAX, max((cells(cloud.name) for cloud in clouds), default=0))
    rules_width = max((cells(_rules(cloud)) for cloud in clouds), default=0)
    found = []
    for number, cloud in enumerate(clouds):
        is_here = number == highlighted
        stands = state(cloud, frame)
        words, age_tone = age(cloud, frame)
        placed: list[Placed] = [
            left(1, glyphs.cursor if is_here else " ", Tone.ACCENT),
            at(3, chip(cloud, name_width, frame, text, is_bold=is_here)),
        ]
        column = 3 + name_width + 2
        rules = _rules(cloud)
        if width >= RULES_FROM_WIDTH:
            placed.append(left(column, rules, Tone.CRIT if cloud.is_production else Tone.WARN))
            column += rules_width + 1 if rules_width else 0
        if width >= NOUN_FROM_WIDTH:
            placed.append(left(column, cloud.noun, Tone.MUTED))
            column += 12
        room = min(STATE_WIDTH, width - column - AGE_WIDTH - 3)
        state_line = (Span(stands.glyph, stands.tone), Span(f" {fit_sentence(stands.words, room - 2, glyphs)}",
                                                           stands.tone))  # fmt: skip
        placed += [at(column, state_line), right(column + room + AGE_WIDTH, words, age_tone)]
        column += room + AGE_WIDTH + 3
        if width - column > 12:
            placed.append(left(column, _end(cloud.place, width - column - 2, frame), Tone.MUTED))
        found.append(compose(width, *placed))
    return tuple(found)


def _end(place: str, width: int, frame: Frame) -> str:
    """A folder or an address; its end tells more than its beginning."""
    return place if cells(place) <= width else frame.glyphs.ellipsis + take_end(place, width - 1)


def _rules(cloud: Cloud) -> str:
    return " ".join(word for word, holds in (("PROD", cloud.is_production), ("RO", cloud.is_read_only)) if holds)
