"""The shapes of plans for groups and cells; `schema` has all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from typing_extensions import TypedDict

from backend.dialects.ops.schema import CellRow, GroupRow, PlannedStop, SizeRow, TaskRow


class GroupMove(TypedDict):
    """A member that is shut down and started again. `seconds_down` is until it runs."""

    id: str
    name: str
    cell: str
    is_backfilling: bool
    cpu_mhz: int
    memory_bytes: int
    from_host: str
    to: str
    stops: list[PlannedStop]
    shrinks: int
    waits: bool
    seconds_down: float


class RedundancyRow(TypedDict):
    """As in a group."""

    collisions: int
    tolerates: int | None
    is_bound: bool


class GroupPlanRow(TypedDict):
    """The fewest moves that take a group apart, in the order in which they are made, one after the other.

    `is_fewest`: proved that none has fewer collisions in the end, nor as few with fewer moves; `is_best`: nor as many
    with fewer servers stopped or less work lost. `notes` say why collisions stay, and what is not known.
    """

    action: Literal["restore"]
    group: str
    allowed: bool
    problem: str | None
    code: str | None
    moves: list[GroupMove]
    before: RedundancyRow
    after: RedundancyRow
    is_fewest: bool
    is_best: bool
    seconds: float
    notes: Sequence[str]
    token: str | None
    sentences: Sequence[str]


class GroupPlanAnswer(TypedDict):
    plan: GroupPlanRow


class GroupOutcome(TypedDict):
    """`task` is that of the move under way; each move has its own."""

    group: GroupRow | None
    task: TaskRow


class GroupLossRow(TypedDict):
    """A group with `members` in the cell."""

    name: str
    members: int
    before: RedundancyRow
    after: RedundancyRow


class CellPlanRow(TypedDict):
    """What would not be known, or not be there, while the cell does not answer."""

    action: Literal["down", "hung"]
    cell: str
    allowed: bool
    problem: str | None
    code: str | None
    servers: int
    running: int
    drives: int
    hosts: int
    capacity: SizeRow | None
    free: SizeRow | None
    open_tasks: int
    schedules: int
    groups: list[GroupLossRow]
    token: str | None
    sentences: Sequence[str]


class CellPlanAnswer(TypedDict):
    plan: CellPlanRow


class CellOutcome(TypedDict):
    cell: CellRow
