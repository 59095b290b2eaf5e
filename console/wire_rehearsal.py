"""From decoded JSON to the records of a rehearsal."""

from __future__ import annotations

from console.records_rehearsal import Rehearsal, RehearsalRecord, ReportLine
from console.wire import Body, many


def rehearsal(body: Body) -> Rehearsal:
    found = body["rehearsal"]
    if found is None:
        return Rehearsal(None)
    return Rehearsal(
        RehearsalRecord(
            title=str(found["title"]),
            lasts_seconds=float(found["lasts_seconds"]),
            sentence=str(found["sentence"]),
            share=float(found["share"]),
            is_over=bool(found["is_over"]),
            problem=None if found.get("problem") is None else str(found["problem"]),
            lines=many(_line, found.get("lines")),
        )
    )


def _line(body: Body) -> ReportLine:
    return ReportLine(str(body["kind"]), str(body["label"]), str(body["text"]))
