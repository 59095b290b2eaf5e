"""The signs that the console draws with: one set for terminals of our time, one in ASCII."""

from __future__ import annotations

from typing import NamedTuple


class Glyphs(NamedTuple):
    """One set of signs. Each is one cell wide, so that nothing moves when the set changes."""

    running: str
    stopped: str
    busy: str
    paused: str
    lost: str
    unknown: str
    attention: str
    violation: str
    maintenance: str
    done: str
    missed: str
    """A run that was due and could not be."""
    overlapped: str
    """A run that was refused while the one before it was not over."""
    last_known: str
    nobody_said: str
    nothing: str
    normal: str
    backfill: str
    free: str
    heat: tuple[str, str, str, str, str]
    """From emptiest to full."""
    floor: str
    here: str
    cursor: str
    mark: str
    at_least: str
    endless: str
    ellipsis: str
    rule: str
    """Between two panes."""
    level: str
    """The horizontal line of a ruler."""
    density: tuple[str, ...]
    """From nothing to most."""
    corners: tuple[str, str, str, str]
    """Top left, top right, bottom left, bottom right."""
    name: str


UNICODE = Glyphs(
    running="●",
    stopped="○",
    busy="…",
    paused="‖",
    lost="✗",
    unknown="?",
    attention="▲",
    violation="■",
    maintenance="m",
    done="✓",
    missed="◇",
    overlapped="+",
    last_known="~",
    nobody_said="—",
    nothing="·",
    normal="█",
    backfill="▒",
    free="·",
    heat=("·", "░", "▒", "▓", "█"),
    floor="│",
    here="┃",
    cursor="▌",
    mark="*",
    at_least="≥",
    endless="∞",
    ellipsis="…",
    rule="│",
    level="─",
    density=("▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"),
    corners=("┌", "┐", "└", "┘"),
    name="unicode",
)

ASCII = Glyphs(
    running="o",
    stopped="-",
    busy=".",
    paused="=",
    lost="x",
    unknown="?",
    attention="^",
    violation="#",
    maintenance="m",
    done="v",
    missed="!",
    overlapped="+",
    last_known="~",
    nobody_said="-",
    nothing=".",
    normal="#",
    backfill="%",
    free=".",
    heat=(".", ":", "-", "=", "#"),
    floor="|",
    here="|",
    cursor=">",
    mark="*",
    at_least=">=",
    endless="never",
    ellipsis=".",
    rule="|",
    level="-",
    density=("_", ".", ":", "=", "#"),
    corners=("+", "+", "+", "+"),
    name="ascii",
)
