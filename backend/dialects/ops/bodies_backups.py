"""What `/ops/v1` takes of backups and schedules.

Numbers are not bounded here: whoever makes a schedule of them says in a sentence what may be, and so is the expression.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from backend.cloud.errors import Invalid
from backend.dialects.ops.bodies import Body, Id, Name, PlanToken, Query, Version

SourceKind = Literal["server", "project", "customer"]
Text = Annotated[str, Field(max_length=2_000)]
Instant = Annotated[str, Field(max_length=64, description="ISO 8601 with an offset: 2026-12-04T00:00:00Z")]
Number = Annotated[int, Field(description="0: none, or without end")]
TimeZone = Annotated[str, Field(max_length=64, description="an IANA name: Europe/Berlin")]
Expression = Annotated[str, Field(description="five fields of cron, or an alias: `30 2 * * *`, `@daily`")]
Keeps = Annotated[
    dict[str, int],
    Field(description="how many of each to keep whatever age and number say: last, hourly, daily, ... yearly"),
]


class BackupToMake(Body):
    """It is kept until `kept_until`, or for `retention_days`, or else for ever. `preview` answers what it would come
    to, and nothing is made.
    """

    source_kind: SourceKind = "server"
    source_id: Id
    description: Text = ""
    kept_until: Instant | None = None
    retention_days: Number | None = None
    preview: bool = False


class BackupAction(Body):
    """`restore` makes a server of the `flavor`, by id or name, called as it was or by `name`."""

    action: Literal["restore", "delete"]
    preview: bool = False
    plan: PlanToken | None = None
    if_version: Version | None = None
    flavor: Id | None = None
    name: Name | None = None


class ScheduleToMake(Body):
    """`preview` answers what it would do, and nothing is made."""

    source_kind: SourceKind = "server"
    source_id: Id
    cron: Expression
    description: Text = ""
    time_zone: TimeZone = "UTC"
    retention_days: Number = 0
    backups_max: Number = 0
    is_active: bool = True
    jitter_seconds: Number = 0
    keeps: Keeps = Field(default_factory=dict)
    target_seconds: int | None = None
    drill_days: Number = 0
    preview: bool = False


class ScheduleChange(Body):
    """What is absent stays as it is; a target of null is none, any other null as if it were absent.

    `preview` answers what it would do then, and which of its backups its rules would keep; nothing changes.
    """

    cron: Expression | None = None
    description: Text | None = None
    time_zone: TimeZone | None = None
    retention_days: Number | None = None
    backups_max: Number | None = None
    is_active: bool | None = None
    jitter_seconds: Number | None = None
    keeps: Keeps | None = None
    target_seconds: int | None = None
    drill_days: Number | None = None
    preview: bool = False
    if_version: Version | None = None


class ScheduleAction(Body):
    """`run` takes a backup now, besides those that are due. `drill` restores the newest good one into a server of its
    own, sees it run, and removes it. `delete` leaves the backups.
    """

    action: Literal["activate", "deactivate", "run", "drill", "delete"]
    preview: bool = False
    if_version: Version | None = None


class FlavorsQuery(Query):
    """With `backup_id`, whether that backup can be restored with each."""

    backup_id: Annotated[str, Field(max_length=255)] | None = None


def instant_of(field: str, text: str) -> datetime:
    """Raises Invalid."""
    expected = "is an instant with its offset, as 2026-12-04T00:00:00Z"
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(field, f"{text!r} is none: it {expected}") from None
    raise Invalid(field, f"{text!r} has no offset: it {expected}")
