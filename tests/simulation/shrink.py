"""A story that goes wrong, made as short as it can be: steps are left out while it still goes wrong in the same way."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tests.simulation.steps import Step

_DETAILS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b[a-z]?\d[\d,.]*\b|\([^)]*\)|'[^']*'")


def kind_of(what: str) -> str:
    """What went wrong without the ids, names and figures in it: two stories with the same are about the same thing."""
    return _DETAILS.sub("*", what)[:60]


def shrunk(
    story: Sequence[Step], is_wrong: Callable[[Sequence[Step]], bool], *, tries_max: int = 400
) -> tuple[list[Step], int]:
    """Delta debugging: halves, then quarters, down to single steps. The story that is left, and how often it was told.

    Args:
        is_wrong: Tells a story, and says whether it goes wrong in the same way.
    """
    kept, tries = list(story), 0
    size = max(1, len(kept) // 2)
    while tries < tries_max:
        is_shorter = False
        begin = len(kept)
        while begin > 0 and tries < tries_max:
            begin = max(0, begin - size)
            without = kept[:begin] + kept[begin + size :]
            if without == kept:
                continue
            tries += 1
            if is_wrong(without):
                kept, is_shorter = without, True
        if size == 1 and not is_shorter:
            break
        size = size if is_shorter and size == 1 else max(1, size // 2)
    return kept, tries
