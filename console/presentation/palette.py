"""The palette: everything that can be asked for, found by a few letters. What is off is there, and says why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from console.presentation import fuzzy
from console.presentation.lines import Frame, Line, Span, Tone, at, cells, compose, fit_sentence, left, matched, right


class Entry(NamedTuple):
    """One thing to ask for. `id` says what to the screen."""

    id: str
    title: str
    words: str = ""
    keys: str = ""
    reason: str | None = None
    """Why it is off."""


def ranked(entries: Sequence[Entry], text: str) -> list[Entry]:
    """Those that every word of the text is found in, the best first: in the title, at its start, as it was typed.

    Without a text they stay in their order, those that are on before those that are off; with one, of equal ones those
    come first that are on.
    """
    words = text.casefold().split()
    found = [([_rank(entry, word) for word in words], entry) for entry in entries]
    found = [(ranks, entry) for ranks, entry in found if max(ranks, default=0) <= _RANK_MAX]
    if not words:
        found.sort(key=lambda pair: pair[1].reason is not None)
    else:
        found.sort(key=lambda pair: (max(pair[0]), sum(pair[0]), pair[1].reason is not None))
    return [entry for _, entry in found]


_RANK_MAX = 4


def _rank(entry: Entry, word: str) -> int:
    title = entry.title.casefold()
    if title.startswith(word):
        return 0
    if word in title:
        return 1
    if fuzzy.is_found(word, title):
        return 2
    if word in entry.words.casefold():
        return 3
    return _RANK_MAX if entry.keys == word else _RANK_MAX + 1


def lines(entries: Sequence[Entry], text: str, frame: Frame, *, highlighted: int) -> tuple[Line, ...]:
    """A row an entry, with its keys at the right."""
    width, glyphs = frame.width, frame.glyphs
    title_width = max((cells(entry.title) for entry in entries), default=0)
    title_width = min(title_width, max(12, width // 2 - 4))
    found = []
    for place, entry in enumerate(entries):
        is_off, is_here = entry.reason is not None, place == highlighted
        tone = Tone.MUTED if is_off else Tone.TEXT
        title = matched(Span(fit_sentence(entry.title, title_width, glyphs), tone, is_bold=is_here), text)
        words = f"off: {entry.reason}" if is_off else entry.words
        room = width - title_width - 8 - cells(entry.keys)
        placed = [left(1, glyphs.cursor if is_here else " ", Tone.ACCENT), at(3, title)]
        if room > 8:
            placed.append(left(title_width + 5, fit_sentence(words, room, glyphs), Tone.MUTED))
        if entry.keys:
            placed.append(right(width - 3, entry.keys, Tone.MUTED if is_off else Tone.ACCENT))
        found.append(compose(width, *placed))
    return tuple(found)
