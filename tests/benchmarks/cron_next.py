"""When a schedule fires next, for twenty expressions as people write them, in New York and over its changes of clocks.

Ours twice: as the scheduler asks it, which has read the expression lately, and reading it anew each time. The rival is
bare croniter, which is given the expression and the instant and asked for the next one; it fires jobs twice when clocks
go back, which ours has to see to as well. CPU time of one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter

from backend.cloud import backups
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.measuring import Scale, interleaved

CRONITER = "bare croniter"
ZONE = "America/New_York"
START = datetime(2026, 10, 20, 12, tzinfo=UTC)
EXPRESSIONS = (
    "* * * * *", "*/5 * * * *", "*/10 * * * *", "15 * * * *", "0 */2 * * *", "0 */6 * * *", "30 2 * * *", "0 3 * * *",
    "0 23 * * *", "0 0 * * *", "0 9-17 * * 1-5", "*/15 8-18 * * 1-5", "0 4 * * 0", "0 3 * * 6", "30 1 * * 1",
    "0 4 1 * *", "0 0 1,15 * *", "0 0 1 1 *", "59 23 31 12 *", "1 1 1 1 1",
)  # fmt: skip

FIGURES = {
    "again": Figure(
        "next fire of a schedule, as the scheduler asks it", "us", Budget(ratio_at_most=0.25), (CRONITER,), True
    ),
    "anew": Figure("next fire of an expression, read anew", "us", Budget(ratio_at_most=1.5), (CRONITER,)),
}


def run(scale: Scale) -> Iterator[Measured]:
    count = scale.of(100, 2)
    instants = [START + timedelta(minutes=37 * number) for number in range(count)]
    again, anew, rival = interleaved(
        scale.of(9, 1),
        lambda: _microseconds(instants, _again),
        lambda: _microseconds(instants, _anew),
        lambda: _microseconds(instants, _croniter),
    )
    yield of_rounds("again", again, {CRONITER: rival})
    yield of_rounds("anew", anew, {CRONITER: rival})


def _microseconds(instants: list[datetime], fire: Callable[[str, datetime], datetime]) -> float:
    """Of CPU for one answer."""
    began = time.process_time()
    for at in instants:
        for expression in EXPRESSIONS:
            fire(expression, at)
    return 1e6 * (time.process_time() - began) / (len(instants) * len(EXPRESSIONS))


def _again(expression: str, at: datetime) -> datetime:
    return backups.parse(expression, ZONE).next_after(at)


def _anew(expression: str, at: datetime) -> datetime:
    return backups.parse.__wrapped__(expression, ZONE).next_after(at)


_ZONE = ZoneInfo(ZONE)


def _croniter(expression: str, at: datetime) -> datetime:
    found: datetime = croniter(expression, at.astimezone(_ZONE)).get_next(datetime)
    return found
