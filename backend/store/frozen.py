"""Making many frozen objects.

The `__init__` of a frozen dataclass sets each field through `object.__setattr__`, since its own refuses: for a server
ten times the cost of an ordinary object with the same slots, and a fleet is read into memory at every start. So they
are made as that ordinary object, which is then given its class. Python allows it where the slots are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, make_dataclass
from typing import Any, TypeVar

T = TypeVar("T")


def maker(noun: type[T]) -> Callable[..., T]:
    """What makes a `noun`, a frozen dataclass with slots, of the values of all its fields in their order."""
    listed = [(field.name, Any) for field in fields(noun)]  # type: ignore[arg-type]
    draft = make_dataclass(f"Draft{noun.__name__}", listed, slots=True, eq=False)

    def make(*values: Any) -> T:
        made = draft(*values)
        made.__class__ = noun
        return made  # type: ignore[no-any-return]

    return make
