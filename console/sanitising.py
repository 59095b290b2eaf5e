"""Texts of a cloud made harmless: names are hostile input, and what comes from here moves no cursor of a terminal.

A module of its own so that commands which are over at once need nothing else of the client.
"""

from __future__ import annotations

import re
from typing import Any

_BLANKS = re.compile(r"[\t\n\r\x0b\x0c\x85\u2028\u2029]+")
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
    "\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]"
)
"""Printable by their category, and yet they draw nothing, or change the width of what they follow: of flags and of
colours of skin no two terminals say alike how many cells they take."""
SHOWN_INSTEAD = "·"


def sanitise(text: str) -> str:
    """The text with `·` for each character that must not reach a terminal, and a space for each break of line.

    Controls (C0, DEL, C1), bidirectional and other format characters, invisible and unassigned ones: shown, not
    dropped, so that two names that differ only in them do not look the same.
    """
    if text.isascii():
        if text.isprintable():
            return text
    elif text.isprintable() and not _INVISIBLE.search(text):
        return text
    broken = _BLANKS.sub(" ", text)
    return "".join(sign if sign.isprintable() and not _INVISIBLE.match(sign) else SHOWN_INSTEAD for sign in broken)


def clean(value: Any) -> Any:
    """A decoded JSON value with every text in it sanitised, keys too."""
    if isinstance(value, str):
        return sanitise(value)
    if isinstance(value, list):
        return [clean(each) for each in value]
    if isinstance(value, dict):
        return {sanitise(key): clean(each) for key, each in value.items()}
    return value
