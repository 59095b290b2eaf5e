"""What somebody else wrote, quoted in a sentence of ours: on one line, short, and without anything a terminal obeys."""

from __future__ import annotations

import json

SHOWN_CHARACTERS_MAX = 60


def shown(text: str) -> str:
    """In quotes; what does not print is escaped, and what is long is cut."""
    cut = text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "…"
    quoted = json.dumps(cut, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in quoted)
