"""From the decoded JSON of an explanation to records, as `wire` does for all else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console import wire
from console.records_explain import (
    ChangeRecord,
    ExplanationRecord,
    MarkRecord,
    NamedRecord,
    WeighedRecord,
    WhyDetail,
)

Body = Mapping[str, Any]


def _named(row: Body) -> NamedRecord:
    return NamedRecord(row["id"], row.get("name"), int(row.get("rank") or 0))


def _weighed(row: Body) -> WeighedRecord:
    get, lost_by = row.get, row.get("lost_by") or {}
    return WeighedRecord(
        host=row["host"],
        verdict=row["verdict"],
        avoided=wire.many(_named, get("avoided")),
        stops=wire.many(wire.stopped, get("stops")),
        shrinks=int(get("shrinks") or 0),
        room=wire.size(get("room")),
        room_bytes=get("room_bytes"),
        short=wire.size(get("short")),
        short_bytes=get("short_bytes"),
        part=lost_by.get("part"),
        measure=lost_by.get("measure"),
    )


def _change(row: Body) -> ChangeRecord:
    get = row.get
    return ChangeRecord(
        kind=row["kind"],
        host=row["host"],
        less=wire.size(get("less")),
        less_bytes=get("less_bytes"),
        stops=wire.many(wire.stopped, get("stops")),
        is_proved=get("is_proved", True) is not False,
    )


def _mark(row: Body) -> MarkRecord:
    at = wire.instant(row["at"])
    if at is None:
        raise ValueError("a decision has an instant")
    return MarkRecord(int(row["number"]), at, row.get("actor") or "", row.get("host") or "")


def _explanation(row: Body) -> ExplanationRecord:
    get = row.get
    at = wire.instant(row["at"])
    if at is None:
        raise ValueError("an explanation has an instant")
    return ExplanationRecord(
        mark=None if get("decision") is None else _mark(row["decision"]),
        at=at,
        host=get("host"),
        decided_by=get("decided_by"),
        runner_up=get("runner_up"),
        avoid=wire.many(_named, get("avoid")),
        avoided=wire.many(_named, get("avoided")),
        stops=wire.many(_named, get("stops")),
        shrinks=int(get("shrinks") or 0),
        refused=tuple((reason, int(number)) for reason, number in (get("refused") or {}).items()),
        hosts_total=int(get("hosts_total") or 0),
        is_as_recorded=get("is_as_recorded", True) is not False,
        hosts=wire.many(_weighed, get("hosts")),
        changes=wire.many(_change, get("changes")),
        impossible=tuple(get("impossible") or ()),
    )


def why(body: Body) -> WhyDetail:
    get = body.get
    return WhyDetail(
        id=body["id"],
        name=get("name"),
        kind=body["kind"],
        cell=body["cell"],
        host=get("host"),
        marks=wire.many(_mark, get("decisions")),
        explanation=_explanation(body["explanation"]),
        placed=None if get("placed") is None else _explanation(body["placed"]),
        placed_problem=get("placed_problem"),
        raw=body,
    )
