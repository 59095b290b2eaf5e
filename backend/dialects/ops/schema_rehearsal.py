"""The shapes of a rehearsal that is under way on a cloud of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict


class RehearsalRow(TypedDict):
    """`report` is what `stratodeck rehearse --json` prints, as of now; null before the first step."""

    title: str
    lasts_seconds: int
    sentence: str
    share: float
    is_over: bool
    problem: str | None
    report: Mapping[str, Any] | None


class RehearsalAnswer(TypedDict):
    """`null` on a cloud that is no rehearsal's."""

    rehearsal: RehearsalRow | None
