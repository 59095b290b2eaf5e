"""Parts of an answer that say again what they said before.

A status is asked for again and again, and most of it is what it was: its groups, its schedules, what fits. Such a part
is the same record as before, so nothing is made of it anew, and who compares two of them is done at once. What was said
is known again by its hash: the words themselves are megabytes where groups are large.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Repeats:
    """What was told last, by the name of the part."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, Any]] = {}

    def of(self, name: str, told: Any, read: Callable[[Any], T]) -> T:
        """What `read` makes of decoded JSON, or made of an equal one the last time."""
        import orjson

        before, said = self._last.get(name), hash(orjson.dumps(told))
        if before is None or before[0] != said:
            before = self._last[name] = said, read(told)
        return cast(T, before[1])
