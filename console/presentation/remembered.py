"""What was made last is given again for as long as what it is made of is the same.

A view is made each second, for the sake of its ages; most of what it shows has none. A region that is the same object
as before is neither laid out nor painted anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def remembered(made_of: Callable[P, tuple[Any, ...]]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Of the last call only: `made_of` the same arguments tells all that its result depends on, and nothing large."""

    def decorate(make: Callable[P, T]) -> Callable[P, T]:
        last: list[tuple[tuple[Any, ...], T]] = []

        @wraps(make)
        def give(*args: P.args, **kwargs: P.kwargs) -> T:
            parts = made_of(*args, **kwargs)
            if not last or last[0][0] != parts:
                last[:] = [(parts, make(*args, **kwargs))]
            return last[0][1]

        return give

    return decorate
