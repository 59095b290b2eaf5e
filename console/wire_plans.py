"""From the decoded JSON of plans for groups and cells to records, as `wire` does for all else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console import wire
from console.records_plans import (
    CellOutcomeRecord,
    CellPlanRecord,
    GroupLossRecord,
    GroupOutcomeRecord,
    GroupPlanRecord,
    RestartRecord,
    StandingRecord,
)

Body = Mapping[str, Any]


def _standing(body: Body) -> StandingRecord:
    return StandingRecord(body.get("collisions"), body.get("tolerates"), bool(body.get("is_bound")))


def _restart(row: Body) -> RestartRecord:
    get = row.get
    return RestartRecord(
        id=row["id"],
        name=get("name"),
        cell=get("cell") or "",
        from_host=get("from_host") or "",
        to=row["to"],
        is_backfilling=bool(get("is_backfilling")),
        stops=wire.many(wire.stopped, get("stops")),
        shrinks=int(get("shrinks") or 0),
        waits=bool(get("waits")),
        seconds_down=get("seconds_down"),
    )


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(map(str, values or ()))


def group_plan(body: Body) -> GroupPlanRecord:
    body = body["plan"]
    get = body.get
    return GroupPlanRecord(
        group=body["group"],
        is_allowed=get("allowed", True) is not False,
        problem=get("problem"),
        code=get("code"),
        moves=wire.many(_restart, get("moves")),
        before=_standing(body["before"]),
        after=_standing(body["after"]),
        is_fewest=bool(get("is_fewest")),
        is_best=bool(get("is_best")),
        seconds=get("seconds"),
        notes=_texts(get("notes")),
        token=get("token"),
        sentences=_texts(get("sentences")),
    )


def group_outcome(body: Body) -> GroupOutcomeRecord:
    return GroupOutcomeRecord(wire.task(body["task"]))


def _group_loss(row: Body) -> GroupLossRecord:
    return GroupLossRecord(row["name"], int(row.get("members") or 0), _standing(row["before"]), _standing(row["after"]))


def cell_plan(body: Body) -> CellPlanRecord:
    body = body["plan"]
    get = body.get
    return CellPlanRecord(
        action=body["action"],
        cell=body["cell"],
        is_allowed=get("allowed", True) is not False,
        problem=get("problem"),
        servers=get("servers"),
        running=get("running"),
        drives=get("drives"),
        hosts=get("hosts"),
        capacity=wire.size(get("capacity")),
        free=wire.size(get("free")),
        open_tasks=get("open_tasks"),
        schedules=get("schedules"),
        groups=wire.many(_group_loss, get("groups")),
        token=get("token"),
        sentences=_texts(get("sentences")),
    )


def cell_outcome(body: Body) -> CellOutcomeRecord:
    return CellOutcomeRecord(wire.cell(body["cell"]))
