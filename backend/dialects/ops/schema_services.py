"""What `/ops/v1/services` answers."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


class ServiceRow(TypedDict):
    """`status` and `state` as the Compute API says them; what it leaves out of an UNKNOWN row is null.

    `last_state` and `known_at` (wall time) say what was last known of an UNKNOWN one.
    """

    binary: str
    host: str
    cell: str | None
    status: Literal["enabled", "disabled", "UNKNOWN"]
    state: Literal["up", "down"] | None
    updated_at: str | None
    last_state: Literal["up", "down", "maintenance"] | None
    known_at: str | None


class ServiceList(TypedDict):
    services: list[ServiceRow]
