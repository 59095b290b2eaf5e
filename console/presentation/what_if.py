"""What if: what is asked about servers that nobody has made, and what would become of them and of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from console.presentation.creating import ANYWHERE, Field, Wrong, cell_field, read_cpu, read_size
from console.presentation.lines import (
    Frame,
    Line,
    Placed,
    Span,
    Tone,
    compose,
    fit_name,
    fit_sentence,
    left,
    right,
    wrap,
)
from console.presentation.mirror import Mirror
from console.presentation.plan import labelled, resized_lines
from console.records_room import TrialRecord, WhatIfRecord

COUNT_MAX = 50
"""Source: the API's own document, `PlacementToTry`."""


def fields(mirror: Mirror, *, cell: str | None = None, group: str = "") -> tuple[Field, ...]:
    """What is asked. They begin with something that makes sense at once."""
    groups = {each.name for each in mirror.groups or ()}
    cells = sorted(each.name for each in mirror.cells or ())

    def read_group(text: str) -> Any:
        name = text.strip()
        if not name or name in groups:
            return name or None
        near = next((each for each in sorted(groups) if each.startswith(name)), None)
        return Wrong(f"there is no group {name}" + (f"; did you mean {near}?" if near else ""))

    return (
        Field("count", "servers", _read_count, f"how many, 1 to {COUNT_MAX}", text="1"),
        Field("cpu_mhz", "CPU", read_cpu, "of each, such as 4 GHz or 4000 (MHz)", text="4 GHz"),
        Field("memory_bytes", "memory", read_size, "of each, such as 8G or 512 MiB", text="8 GiB"),
        Field("is_backfilling", "kind", _is_backfilling, "left and right choose", ("normal", "backfilling")),
        cell_field(cells, begins=cell or ANYWHERE),
        Field("avoid_group", "avoid group", read_group, "stay away from its members; may be empty", text=group),
        Field("apart", "apart", _is_apart, "each also avoids those placed before it", ("no", "yes")),
    )


def _read_count(text: str) -> int | Wrong:
    digits = text.strip()
    if digits.isascii() and digits.isdigit() and len(digits) < 4 and 1 <= int(digits) <= COUNT_MAX:
        return int(digits)
    return Wrong(f"{digits or 'nothing'} is no number from 1 to {COUNT_MAX}")


def _is_backfilling(text: str) -> bool:
    return text == "backfilling"


def _is_apart(text: str) -> bool:
    return text == "yes"


def lines(found: WhatIfRecord, frame: Frame) -> tuple[Line, ...]:
    """What would happen: in a sentence, then to whom, then where each would go."""
    short = found.placed < found.asked
    made: list[Line] = []
    first, *others = found.sentences or (f"{found.placed} of {found.asked} find a host.",)
    made += labelled(frame, "FITS", first, Tone.WARN if short else Tone.OK)
    if short:
        why = ", ".join(f"{count} {reason}" for reason, count in found.refused.items())
        made += labelled(frame, "REFUSED", why or "no host has room", Tone.WARN)
    made += labelled(frame, "", " ".join(others), Tone.MUTED) if others else []
    if found.stops:
        names = ", ".join(stop.name or stop.id[:8] for stop in found.stops)
        made += labelled(frame, "STOPS", f"{len(found.stops)}: {names}", Tone.CRIT)
    else:
        made += labelled(frame, "STOPS", "nobody", Tone.MUTED)
    made += resized_lines(frame, "SHRINKS", found.shrinks, Tone.WARN)
    if found.trials:
        made += [_head(frame), *(_row(frame, trial) for trial in found.trials)]
    return tuple(made)


def _head(frame: Frame) -> Line:
    muted = Tone.MUTED
    return compose(frame.width, right(4, "#", muted), left(7, "HOST", muted), left(18, "CELL", muted),
                   left(28, "STOPS, SHRINKS", muted))  # fmt: skip


def _row(frame: Frame, trial: TrialRecord) -> Line:
    glyphs, decision = frame.glyphs, trial.decision
    placed: list[Placed] = [
        right(4, str(trial.number), Tone.MUTED),
        left(7, fit_name(decision.host, 10, glyphs), Tone.OK),
        left(18, fit_name(trial.cell, 9, glyphs)),
    ]
    parts: Sequence[str] = [
        *([f"stops {', '.join(stop.name or stop.id[:8] for stop in decision.stops)}"] if decision.stops else []),
        *([f"shrinks {len(trial.shrinks)}"] if trial.shrinks else []),
        *([f"beside {trial.shares} it avoids"] if trial.shares else []),
        *(["waits for its room"] if decision.waits else []),
    ]
    tone = (
        Tone.CRIT if decision.stops else Tone.BACKFILL if trial.shrinks else Tone.WARN if trial.shares else Tone.MUTED
    )
    words = ", ".join(parts) or glyphs.nothing
    return compose(frame.width, *placed, left(28, fit_sentence(words, max(1, frame.width - 30), glyphs), tone))


def asking(frame: Frame) -> tuple[Line, ...]:
    """While the answer is on its way."""
    return ((Span(f"  asking where they would go {frame.glyphs.ellipsis}", Tone.MUTED),),)


def wrong(sentence: str, frame: Frame) -> tuple[Line, ...]:
    """In place of an answer: nothing was asked, or it was refused."""
    return tuple((Span(f"  {row}", Tone.WARN),) for row in wrap(sentence, frame.width - 3))
