"""Decisions a second while two hours of a real workload run through the operations, every one of them durable.

What `stratodeck replay azure-2017 --hours 2` says at its end, and which share of that time went into choosing hosts:
for that, a stopwatch stands around the two functions that do it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from backend import replay
from backend.cloud.index import HostIndex
from backend.operations import rooms
from tests.benchmarks.figures import Figure, Measured, of_rounds
from tests.benchmarks.measuring import Scale, fsync_seconds, interleaved, temporary_folder

FIGURES = {
    "decisions": Figure(
        "replay of 2 hours of azure-2017, decisions",
        "/s",
        "it is the sum of placement, operations and the disk, which have their own",
        is_in_table=True,
    ),
    "place_share": Figure("share of the replay in HostIndex.place", "%", "it says where to look, not how fast it is"),
    "choose_share": Figure("share of the replay in rooms.choose", "%", "it says where to look, not how fast it is"),
}


def run(scale: Scale) -> Iterator[Measured]:
    hours = scale.of(2.0, 0.1)
    (found,) = interleaved(scale.of(3, 1), lambda: _replay(hours), warm_up_rounds=scale.of(1, 0))
    with temporary_folder() as folder:
        fsync_ms = 1000 * statistics.median(fsync_seconds(folder))
    summary = found[0][0]
    yield of_rounds(
        "decisions",
        [summary.decisions_per_second for summary, _ in found],
        {},
        decisions=summary.placed + summary.refused,
        hosts=summary.hosts,
        fsync_ms=fsync_ms,
    )
    for key in ("place_share", "choose_share"):
        yield of_rounds(key, [100 * inside[key] / summary.seconds for summary, inside in found], {})


def _replay(hours: float) -> tuple[replay.Summary, dict[str, float]]:
    """How it went, and the seconds inside of each function."""
    with _stopwatch(HostIndex, "place") as place, _stopwatch(rooms, "choose") as choose:
        summary = replay.run("azure-2017", hours=hours, backfill_share=0.5, seed=1)
    return summary, {"place_share": sum(place), "choose_share": sum(choose)}


@contextmanager
def _stopwatch(owner: ModuleType | type, name: str) -> Iterator[list[float]]:
    """The seconds of every call of a function that others reach through its module or class."""
    seconds: list[float] = []
    function = getattr(owner, name)

    def timed(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            seconds.append(time.perf_counter() - began)

    setattr(owner, name, timed)
    try:
        yield seconds
    finally:
        setattr(owner, name, function)
