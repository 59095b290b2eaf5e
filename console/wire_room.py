"""From the decoded JSON of what-ifs to records, as `wire` does for all else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console import wire
from console.records_room import TrialRecord, WhatIfRecord

Body = Mapping[str, Any]


def _trial(row: Body) -> TrialRecord:
    return TrialRecord(
        number=int(row["number"]),
        cell=str(row["cell"]),
        decision=wire.decision(row["decision"]),
        shares=int(row.get("shares") or 0),
        shrinks=wire.many(wire.resized, row.get("shrinks")),
    )


def what_if(body: Body) -> WhatIfRecord:
    return WhatIfRecord(
        asked=int(body["asked"]),
        placed=int(body["placed"]),
        trials=wire.many(_trial, body.get("placements")),
        stops=wire.many(wire.stopped, body.get("stops")),
        shrinks=wire.many(wire.resized, body.get("shrinks")),
        refused={str(reason): int(count) for reason, count in (body.get("refused") or {}).items()},
        unreachable=tuple(map(str, body.get("unreachable") or ())),
        sentences=tuple(map(str, body.get("sentences") or ())),
    )
