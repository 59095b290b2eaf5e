"""The shapes of a rehearsal that is under way on a cloud of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from typing_extensions import TypedDict


class ReportLine(TypedDict):
    kind: Literal["heading", "gap", "step", "ahead", "refused", "fact", "bad", "detail", "met", "failed", "verdict"]
    label: str
    text: str


class RehearsalRow(TypedDict):
    """`lines` are the report as of now, to be read; `report` is what `stratodeck rehearse --json` prints, once it is
    over: before that nothing is checked and judged.
    """

    title: str
    lasts_seconds: int
    sentence: str
    share: float
    is_over: bool
    problem: str | None
    lines: Sequence[ReportLine]
    report: Mapping[str, Any] | None


class RehearsalAnswer(TypedDict):
    """`null` on a cloud that is no rehearsal's."""

    rehearsal: RehearsalRow | None
