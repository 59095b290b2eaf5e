"""Decisions as an API would explain them: one of a server, with everything that a page can say, and its variants."""

from __future__ import annotations

from typing import Any

from console.records import StoppedRecord
from console.records_explain import (
    ChangeRecord,
    ExplanationRecord,
    MarkRecord,
    NamedRecord,
    WeighedRecord,
    WhyDetail,
)
from tests.console.examples import GIB, ago, size, today

STOPS = (
    StoppedRecord("v1", "crawl-028", 8000, 8 * GIB, ago(hours=21), 176.0),
    StoppedRecord("v2", "encode-107", 8000, 32 * GIB, ago(days=1), 214.0),
)
MARK = MarkRecord(41, today(14, 1, 10), "operator@stratodeck.local", "c2-h07")
OLDER = MarkRecord(17, ago(days=3), "cloud", "c2-h03")


def short(host: str, ghz: float = 0, gib: float = 0) -> WeighedRecord:
    verdict = "cpu and memory" if ghz and gib else "cpu" if ghz else "memory"
    return WeighedRecord(host, verdict, short=size(ghz, gib))


REFUSED = (
    *(short(f"c2-h{n:02}", ghz) for n, ghz in ((2, 4), (3, 10), (4, 6), (5, 4), (6, 8), (9, 10), (10, 8), (11, 4),
                                               (14, 6), (15, 12), (16, 10))),
    short("c2-h01", gib=4),
    short("c2-h08", gib=24),
    WeighedRecord("c2-h13", "down"),
)  # fmt: skip
CHOSEN = WeighedRecord("c2-h07", "chosen", shrinks=3, room=size(6, 48))
SECOND = WeighedRecord(
    "c2-h12", "beaten", stops=STOPS, room=size(0, 0), part="disruption", measure="servers stopped"
)  # fmt: skip


def an_explanation(**said: Any) -> ExplanationRecord:
    """web-31 on c2-h07: two hosts fit, fourteen do not."""
    defaults: dict[str, Any] = {
        "mark": MARK,
        "at": MARK.at,
        "host": "c2-h07",
        "decided_by": "disruption",
        "runner_up": "c2-h12",
        "shrinks": 3,
        "refused": (("short of CPU", 11), ("short of memory", 2), ("down", 1)),
        "hosts_total": 16,
        "hosts": (CHOSEN, SECOND, *REFUSED),
    }
    return ExplanationRecord(**{**defaults, **said})


def a_refusal(**said: Any) -> ExplanationRecord:
    """Decided now, and no host has room."""
    changes = (
        ChangeRecord("cpu", "c2-h02", less=size(4, 0)),
        ChangeRecord("stops", "c2-h12", stops=STOPS),
    )
    defaults: dict[str, Any] = {
        "mark": None,
        "host": None,
        "decided_by": None,
        "runner_up": None,
        "hosts": REFUSED,
        "hosts_total": 14,
        "changes": changes,
        "impossible": ("memory",),
    }
    return an_explanation(**{**defaults, **said})


def why(placed: ExplanationRecord | None = None, **said: Any) -> WhyDetail:
    """Of web-31, placed twice, the last time on c2-h07."""
    defaults: dict[str, Any] = {
        "id": "id-web-31",
        "name": "web-31",
        "kind": "server",
        "cell": "cell-2",
        "host": "c2-h07",
        "marks": (OLDER, MARK),
        "explanation": an_explanation(mark=None),
        "placed": placed or an_explanation(),
    }
    return WhyDetail(**{**defaults, **said})


def why_drive(**said: Any) -> WhyDetail:
    """Of web-31-copy, which stays where its source is."""
    hosts = (
        WeighedRecord("c1-s01", "chosen", room_bytes=500 * GIB),
        WeighedRecord("c1-s02", "beaten", room_bytes=900 * GIB, part="source", measure="on the source's host"),
        WeighedRecord("c1-s03", "beaten", (NamedRecord("id-spare", None, 1),), room_bytes=900 * GIB, part="avoid",
                      measure="places in the avoid list"),
        WeighedRecord("c1-s04", "storage", short_bytes=20 * GIB),
    )  # fmt: skip
    mark = MarkRecord(7, ago(hours=1), "cloud", "c1-s01")
    told = ExplanationRecord(mark, mark.at, "c1-s01", "source", "c1-s02", (NamedRecord("id-spare", None, 1),),
                             refused=(("short of storage", 1),), hosts_total=4, hosts=hosts)  # fmt: skip
    return WhyDetail("id-web-31-copy", "web-31-copy", "drive", "cell-1", "c1-s01", (mark,), told, told)
