"""How wide texts are in a terminal, and texts cut to a width: by grapheme, never in the middle of a sign.

Widths are counted in terminal cells as Rich counts them, because Rich lays the strips out in the end.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from console.presentation.glyphs import UNICODE, Glyphs

_WIDE_RANGES = ((0x2630, 0x2637), (0x268A, 0x268F), (0x4DC0, 0x4DFF), (0x1D300, 0x1D356), (0x1D360, 0x1D376))
_ZERO_RANGES = ((0x1160, 0x11FF), (0x3164, 0x3164), (0xD7B0, 0xD7FB), (0xFFA0, 0xFFA0), (0x1F3FB, 0x1F3FF))
"""Where Rich, following later versions of Unicode or the habit of terminals, differs from this Python's tables."""


@lru_cache(maxsize=4096)
def _cells_of_character(character: str) -> int:
    number = ord(character)
    if unicodedata.category(character) in {"Mn", "Me", "Mc", "Cf", "Cc"}:
        return 0
    if any(first <= number <= last for first, last in _ZERO_RANGES):
        return 0
    if any(first <= number <= last for first, last in _WIDE_RANGES):
        return 2
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def cells(text: str) -> int:
    """How many terminal cells a clean text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_cells_of_character, text))


def graphemes(text: str) -> list[str]:
    """The text cut where a terminal may cut it: a sign that takes no cell stays with the one before it."""
    parts: list[str] = []
    for character in text:
        if parts and _cells_of_character(character) == 0:
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def take(text: str, width: int) -> str:
    """As much of the start as fits into `width` cells."""
    if text.isascii():
        return text[: max(0, width)]
    kept, used = [], 0
    for part in graphemes(text):
        used += cells(part)
        if used > width:
            break
        kept.append(part)
    return "".join(kept)


def take_end(text: str, width: int) -> str:
    """As much of the end as fits into `width` cells."""
    if text.isascii():
        return text[len(text) - width :] if 0 < width < len(text) else text if width > 0 else ""
    kept, used = [], 0
    for part in reversed(graphemes(text)):
        used += cells(part)
        if used > width:
            break
        kept.append(part)
    return "".join(reversed(kept))


def fit_name(name: str, width: int, glyphs: Glyphs = UNICODE) -> str:
    """A name in at most `width` cells: the middle goes, 60 % of the rest is head and 40 % tail.

    A number at the end is kept, with at least one cell of the head: it is what tells siblings apart.
    """
    if cells(name) <= width:
        return name
    room = width - cells(glyphs.ellipsis)
    if room <= 0:
        return take(name, width)
    tail = room * 2 // 5
    digits = len(name) - len(name.rstrip("0123456789"))
    if digits:
        # The sign before the number ("web-01") belongs to it where there is room.
        wanted = digits + 1 if name[-digits - 1 : -digits] in {"-", "_", "."} else digits
        tail = max(tail, next((size for size in (wanted, digits) if size < room), room - 1))
    end = take_end(name, tail)
    return take(name, room - cells(end)) + glyphs.ellipsis + end


def fit_id(identity: str, width: int, glyphs: Glyphs = UNICODE) -> str:
    """A UUID: its first 8 and last 4 signs; below 13 cells its first 4."""
    if cells(identity) <= width:
        return identity
    if width >= 13:
        return identity[:8] + glyphs.ellipsis + identity[-4:]
    return take(identity[:4] + glyphs.ellipsis, width)


def fit_sentence(sentence: str, width: int, glyphs: Glyphs = UNICODE) -> str:
    """A sentence cut at a word."""
    if cells(sentence) <= width:
        return sentence
    room = width - cells(glyphs.ellipsis)
    start = take(sentence, room)
    if len(start) < len(sentence) and sentence[len(start)] != " " and " " in start:
        start = start[: start.rindex(" ")]
    return take(start.rstrip() + glyphs.ellipsis, width) if room > 0 else take(sentence, width)


def wrap(sentence: str, width: int) -> list[str]:
    """A sentence on as many lines as it needs. A word that is wider than the line is cut."""
    width = max(1, width)
    if cells(sentence) <= width:
        return [sentence]
    rows, row = [], ""
    for word in sentence.split():
        rest = word
        if row and cells(row) + 1 + cells(rest) <= width:
            row += " " + rest
            continue
        if row:
            rows.append(row)
        while cells(rest) > width:
            start = take(rest, width) or rest[:1]
            rows.append(start)
            rest = rest[len(start) :]
        row = rest
    return [*rows, row] if row or not rows else rows
