"""The two rows at the foot: what is to be said now, and which keys act here. Pure: the screen gives what it knows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from console import commands
from console.commands import Command
from console.presentation import header, sentences
from console.presentation.lines import Frame, Line, Tone, View
from console.presentation.mirror import Mirror
from console.screens import objects
from console.screens.options import Backend


class Situation(NamedTuple):
    """What the foot depends on."""

    mirror: Mirror
    view: View
    cursor_key: str | None
    said: tuple[str, Tone] | None = None
    """What was said last, while it is shown."""
    backend: Backend | None = None
    progress: str = ""
    """How far a backend is that is being made."""
    frozen_at: datetime | None = None
    changes_held: int = 0
    is_past: bool = False
    """Whether a moment of the past is shown, under its bar."""
    subject: str | None = None
    """The key of what a page is about."""


def status(now: Situation, frame: Frame) -> Line:
    """What was said, else what is wrong or waited for, else the row under the cursor."""
    backend = now.backend
    if now.said is not None:
        return header.message(*now.said, frame)
    if backend is not None and backend.has_given_up:
        words = backend.sentence or "the backend keeps ending"
        return header.message(f"{words}   r starts it again", Tone.CRIT, frame)
    if now.frozen_at is not None:
        held = f"{now.changes_held:,} change" + ("" if now.changes_held == 1 else "s")
        return header.message(f"frozen at {now.frozen_at:%H:%M:%S}, {held} held   f resumes", Tone.ACCENT, frame)
    told = sentences.waiting(now.mirror, now.progress, backend.sentence if backend else None, frame)
    if told is not None:
        return header.message(*told, frame)
    return header.status(now.view.status(now.cursor_key), frame)


def keys(
    now: Situation, frame: Frame, view: str, registry: Sequence[Command], *, is_ranging: bool, has_pane: bool
) -> Line:
    """The hints of a view, with those first that the situation asks for."""
    first: list[tuple[str, str]] = []
    if now.mirror.problem is not None or (now.backend is not None and now.backend.has_given_up):
        first.append(("r", "try now"))
    if now.frozen_at is not None:
        first.append(("f", "resume"))
    if is_ranging:
        first.append(("v", "end range"))
    has_preview = now.view.has_preview or not has_pane
    off = _off(now, view)
    if now.is_past:
        # Those of the bar come before the view's own keys, and take their places.
        first += commands.hints(commands.PAST, registry=registry)
    return header.keys(commands.hints(view, first, has_preview=has_preview, off=off, registry=registry), frame)


def _off(now: Situation, view: str) -> frozenset[str]:
    """Commands that do nothing on the page in sight: there is nothing to open, or its object is placed nowhere."""
    off = set()
    if view in commands.PAGES and now.cursor_key is None:
        off.add("open")
    if view == "detail" and objects.split_key(now.mirror, now.subject or "")[0] not in ("server", "drive"):
        off.add("why")
    return frozenset(off)
