"""The shapes of what fits, and of what would become of servers that nobody has made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from typing_extensions import TypedDict

from backend.dialects.ops.schema import DecisionRow, PlannedFactor, PlannedStop


class WhatIfPlacement(TypedDict):
    """One of the servers, in the order of their starts. `shares` counts what it avoids and would share the host with.

    `shrinks` are those that would be smaller because of it.
    """

    number: int
    cell: str
    decision: DecisionRow
    shares: int
    shrinks: list[PlannedFactor]


class WhatIfAnswer(TypedDict):
    """`refused` counts the hosts without room for the next one, by reason, where not all that were asked for fit."""

    asked: int
    placed: int
    placements: list[WhatIfPlacement]
    stops: list[PlannedStop]
    shrinks: list[PlannedFactor]
    refused: Mapping[str, int]
    unreachable: Sequence[str]
    sentences: Sequence[str]
