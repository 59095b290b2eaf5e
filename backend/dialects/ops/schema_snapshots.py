"""The shapes of what `/ops/v1` says of snapshots of drives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired

# pydantic makes schemas of typed dicts only from these, before Python 3.12.
from typing_extensions import TypedDict

from backend.dialects.ops.schema import DriveRow, TaskRow
from backend.dialects.ops.schema_separation import AvoidedRow


class SnapshotRow(TypedDict):
    id: str
    name: str
    drive_id: str
    state: Literal["creating", "available"]
    created_at: str
    size_bytes: int
    media: str
    tags: Sequence[str]
    meta: Mapping[str, str]
    project_id: str
    owner: str
    version: int


class SnapshotList(TypedDict):
    """In the order of creation."""

    snapshots: list[SnapshotRow]


class DriveDetail(DriveRow):
    snapshots: list[SnapshotRow]


class SnapshotOutcome(TypedDict):
    """Of `clone` the new drive; of `edit` the snapshot as it is now."""

    snapshot: SnapshotRow | None
    drive: DriveRow | None
    task: TaskRow | None
    separation: NotRequired[list[AvoidedRow]]
