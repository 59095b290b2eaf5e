"""`/ops/v1/metrics`: how it goes, in the text format of Prometheus.

Everything is counted where it happens, as plain numbers, and becomes metrics only when somebody asks; no cell is asked,
so one that hangs changes nothing here but its own state. Labels are names of this cloud, templates of routes, methods
and statuses: whatever clients do, there are never more of them.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.cloud.model import ReachabilityState
from backend.dialects.ops.bodies import NoBody, NoQuery
from backend.dialects.ops.table import Answer, Call
from backend.dialects.requests import Counted
from backend.durations import BOUNDS, Durations
from backend.store import CloudTransaction, FileFigures

if TYPE_CHECKING:
    from prometheus_client.core import Metric

NAMESPACE = "stratodeck"


@dataclass(frozen=True, slots=True)
class _Figures:
    """What is told, as it was when somebody asked."""

    requests: tuple[Counted, ...]
    files: tuple[FileFigures, ...]
    open_tasks: Mapping[str, int | None]
    """By cell, as its last commit left them."""
    hosts: Mapping[tuple[str, str, str], int]
    """By cell, kind and state, as they were last heard of."""
    disk_free_bytes: int
    schedules_missed: int
    lag_seconds: Mapping[str, float]
    """By file: how long the next thing that falls due is overdue, in the cloud's time."""
    forgotten: Mapping[str, int]
    """By file: the number of the last event that was forgotten."""
    history_seconds: float | None
    """How far back every moment can be rebuilt, in the cloud's time; None while nothing has been forgotten."""


async def metrics(call: Call[NoQuery, NoBody]) -> Answer:
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

    cloud = call.cloud
    now = cloud.clock.now()

    def read(tx: CloudTransaction) -> tuple[Mapping[str, int | None], Mapping[tuple[str, str, str], int], int]:
        return tx.last_known_open_tasks(), tx.count_hosts(), len(tx.owed_schedules())

    open_tasks, hosts, missed = await cloud.store.cloud_read(read)
    lag = {
        file: max(0.0, (now - due).total_seconds()) if due is not None else 0.0 for file, due in cloud.next_due.items()
    }
    since = cloud.history_since()
    figures = _Figures(
        requests=tuple(call.context.requests),
        files=tuple(cloud.store.files()),
        open_tasks=open_tasks,
        hosts=hosts,
        disk_free_bytes=shutil.disk_usage(cloud.store.path).free,
        schedules_missed=missed,
        lag_seconds=lag,
        forgotten={file: each.number for file, each in cloud.log_beginnings.items()},
        history_seconds=None if since is None else (now - since).total_seconds(),
    )
    # Never the registry of the process: what else is imported has nothing to say here.
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(figures))
    ProcessCollector(registry=registry)
    return Answer(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Collector:
    def __init__(self, figures: _Figures) -> None:
        self._figures = figures

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from _requests(self._figures.requests)
        yield from _cells(self._figures)
        yield from _files(self._figures.files)
        yield from _history(self._figures)


def _requests(counted: tuple[Counted, ...]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    # A path with and without its last slash is one route.
    by_route: dict[tuple[str, str, str], list[Counted]] = {}
    for each in counted:
        by_route.setdefault((each.dialect, each.route, each.method), []).append(each)
    total = CounterMetricFamily(
        f"{NAMESPACE}_requests",
        "Requests that were answered.",
        labels=("dialect", "route", "method", "status"),
    )
    seconds = HistogramMetricFamily(
        f"{NAMESPACE}_request_seconds",
        "How long they took, long polls among them.",
        labels=("dialect", "route", "method"),
    )
    for labels, same in sorted(by_route.items()):
        statuses: dict[int, int] = {}
        for each in same:
            for status, count in each.statuses.items():
                statuses[status] = statuses.get(status, 0) + count
        for status, count in sorted(statuses.items()):
            total.add_metric((*labels, str(status)), count)
        seconds.add_metric(labels, *_buckets([each.took for each in same]))
    yield total
    yield seconds


def _buckets(taken: list[Durations]) -> tuple[list[tuple[str, float]], float]:
    columns = [each.up_to() for each in taken]
    counts = [sum(column[at] for column in columns) for at in range(len(BOUNDS) + 1)]
    bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
    return [(bound, float(count)) for bound, count in zip(bounds, counts, strict=True)], sum(t.seconds for t in taken)


def _cells(figures: _Figures) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    state = GaugeMetricFamily(
        f"{NAMESPACE}_cell_state", "1 for the state that a cell is in, 0 for the others.", labels=("cell", "state")
    )
    tasks = GaugeMetricFamily(
        f"{NAMESPACE}_open_tasks", "Work that a cell has before it, as it was last heard of.", labels=("cell",)
    )
    for file in figures.files:
        if file.state is None:
            continue
        for each in ReachabilityState:
            state.add_metric((file.name, each.value), float(file.state is each))
        count = figures.open_tasks.get(file.name)
        if count is not None:
            tasks.add_metric((file.name,), count)
    lag = GaugeMetricFamily(
        f"{NAMESPACE}_overdue_seconds",
        "How long the next work of a file is overdue, in the cloud's time.",
        labels=("file",),
    )
    for name, seconds in sorted(figures.lag_seconds.items()):
        lag.add_metric((name,), seconds)
    missed = GaugeMetricFamily(
        f"{NAMESPACE}_schedules_missed", "Schedules that have missed a run since their last one."
    )
    missed.add_metric((), figures.schedules_missed)
    hosts = GaugeMetricFamily(
        f"{NAMESPACE}_hosts", "Hosts, as they were last heard of.", labels=("cell", "kind", "state")
    )
    for (cell, kind, in_state), many in sorted(figures.hosts.items()):
        hosts.add_metric((cell, kind, in_state), many)
    free = GaugeMetricFamily(f"{NAMESPACE}_disk_free_bytes", "Room on the disk of the data folder.")
    free.add_metric((), figures.disk_free_bytes)
    yield from (state, tasks, lag, missed, hosts, free)


def _files(files: tuple[FileFigures, ...]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

    waiting = GaugeMetricFamily(f"{NAMESPACE}_lane_waiting", "Jobs that wait for a file.", labels=("file", "lane"))
    commits = HistogramMetricFamily(f"{NAMESPACE}_commit_seconds", "How long group commits took.", labels=("file",))
    log = GaugeMetricFamily(f"{NAMESPACE}_log_bytes", "How long a write-ahead log is.", labels=("file",))
    numbers = GaugeMetricFamily(f"{NAMESPACE}_event_number", "The number of the last event.", labels=("file",))
    for file in files:
        waiting.add_metric((file.name, "write"), file.writes_waiting)
        waiting.add_metric((file.name, "read"), file.reads_waiting)
        commits.add_metric((file.name,), *_buckets([file.commits]))
        log.add_metric((file.name,), file.log_bytes)
        if file.event_number is not None:
            numbers.add_metric((file.name,), file.event_number)
    yield from (waiting, commits, log, numbers)


def _history(figures: _Figures) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    happened = CounterMetricFamily(
        f"{NAMESPACE}_happened", "Events since the start: backup.erred, host.down, server.shrunk, ...", labels=("kind",)
    )
    counts: Counter[str] = Counter()
    for file in figures.files:
        counts.update(file.happened)
    for kind, count in sorted(counts.items()):
        happened.add_metric((kind,), count)
    yield happened
    events = GaugeMetricFamily(
        f"{NAMESPACE}_events", "Events that a file keeps from its beginning on.", labels=("file",)
    )
    for file in figures.files:
        if file.event_number is not None and file.name in figures.forgotten:
            events.add_metric((file.name,), file.event_number - figures.forgotten[file.name])
    yield events
    if figures.history_seconds is not None:
        history = GaugeMetricFamily(
            f"{NAMESPACE}_history_seconds", "How far back every moment can be rebuilt, in the cloud's time."
        )
        history.add_metric((), figures.history_seconds)
        yield history
