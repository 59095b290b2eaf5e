"""The help view: every key, from the registry of commands, and what the glyphs mean."""

from __future__ import annotations

from collections.abc import Sequence

from console.presentation.lines import (
    Frame,
    Glyphs,
    Line,
    Lines,
    Placed,
    Span,
    Tone,
    View,
    at,
    blank,
    cells,
    compose,
    left,
    wrap,
)

Section = tuple[str, Sequence[tuple[str, str]]]
COLUMN_WIDTH_MIN = 56
KEYS_WIDTH_MAX = 22


def view(sections: Sequence[Section], frame: Frame) -> View:
    """Sections of (title, rows of (keys, words)), in as many columns as fit, with the legend of glyphs below."""
    wanted = frame.filter.casefold()
    columns = max(1, (frame.width - 1) // COLUMN_WIDTH_MIN)
    width = (frame.width - 1) // columns
    blocks = [
        block
        for title, rows in [*sections, ("glyphs", _legend(frame.glyphs))]
        if (block := _block(title, [row for row in rows if wanted in " ".join(row).casefold()], width, frame))
    ]
    stacks = _balanced(blocks, columns)
    height = max(map(len, stacks), default=0)
    lines = []
    for place in range(height):
        pieces: list[Placed] = [
            at(number * width, stack[place]) for number, stack in enumerate(stacks) if place < len(stack)
        ]
        lines.append(compose(frame.width, *pieces))
    if not lines:
        lines = [compose(frame.width, left(1, f"no key matches /{frame.filter}   esc clears the filter", Tone.MUTED))]
    return View("help", ("help",), "esc back", (Lines(lines),))


def _block(title: str, rows: Sequence[tuple[str, str]], width: int, frame: Frame) -> list[Line]:
    """A section: its title, its rows, and the blank row after it. Nothing when it has no rows."""
    if not rows:
        return []
    keys_width = min(KEYS_WIDTH_MAX, max(cells(keys) for keys, _ in rows))
    lines = [compose(width, left(1, title.upper(), Tone.MUTED))]
    for keys, words in rows:
        column = max(3 + keys_width, 3 + cells(keys)) + 1
        first, *others = wrap(words, max(1, width - column - 1)) or [""]
        lines.append(compose(width, at(3, (Span(keys, Tone.ACCENT, is_bold=True),)), left(column, first)))
        lines += (compose(width, left(column, text)) for text in others)
    return [*lines, blank(width)]


def _balanced(blocks: Sequence[list[Line]], columns: int) -> list[list[Line]]:
    """The blocks in order, one stack for each column, none of them much taller than the others."""
    room = -(-sum(map(len, blocks)) // columns) if blocks else 0
    stacks: list[list[Line]] = [[] for _ in range(columns)]
    number = 0
    for block in blocks:
        if stacks[number] and len(stacks[number]) + len(block) // 2 > room and number < columns - 1:
            number += 1
        stacks[number].extend(block)
    return stacks


def _legend(glyphs: Glyphs) -> list[tuple[str, str]]:
    return [
        (glyphs.running, "running, up"),
        (glyphs.stopped, "stopped"),
        (glyphs.busy, "starting, stopping, waiting"),
        (glyphs.lost, "lost, down, failed"),
        (glyphs.unknown, "UNKNOWN: its cell does not answer"),
        (glyphs.attention, "needs attention"),
        (glyphs.violation, "a collision; stopped by another, for room or with its host"),
        (glyphs.maintenance, "maintenance"),
        (
            f"{glyphs.done} {glyphs.missed} {glyphs.overlapped}",
            "of runs: begun, missed, refused as the last was not over",
        ),
        (glyphs.last_known, "before a figure: last known, not current"),
        (glyphs.nobody_said, "nobody said"),
        (glyphs.nothing, "nothing to report"),
        (f"{glyphs.normal} {glyphs.backfill} {glyphs.free}", "normal, backfilling, free"),
        (glyphs.floor, "in a gauge: the floor, below which nobody is shrunk"),
        (glyphs.at_least, "a lower bound: members that do not answer count as lost"),
    ]
