"""Driving a cloud from the trace: what it counts, what it leaves behind, and that it is always the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from backend import folder, replay, trace
from backend.cloud.backfill import HostLoad
from backend.cloud.model import GIB, NOTHING, Event, Server, ServerState
from backend.replay import BEGIN, CELL, ReplayProblem, Summary
from backend.store import ServerEntry, Store
from backend.trace import Peak

HOURS = 0.25


def replayed(path: Path | None = None, *, hours: float = HOURS, share: float = 0.5, seed: int = 1) -> Summary:
    return replay.run(trace.AZURE_2017, path, hours=hours, backfill_share=share, seed=seed)


def kept(path: Path) -> tuple[list[Server], list[HostLoad], list[Event], list[ServerEntry]]:
    """What a replay has left in its folder."""

    async def read() -> tuple[list[Server], list[HostLoad], list[Event], list[ServerEntry]]:
        store = await Store.open(path, wall=lambda: BEGIN)
        try:
            servers, loads, events = await store.cell_read(
                CELL, lambda tx: (tx.all_servers(), tx.loads(), tx.events(after=0, limit=10**6))
            )
            entries = await store.cloud_read(lambda tx: tx.server_entries(projects=None))
            return servers, loads, events, entries
        finally:
            await store.close()

    return asyncio.run(read())


def test_the_hosts_hold_95_per_cent_of_what_needs_more() -> None:
    assert replay.hosts_for(Peak(1, 1, 4_245, 7_714 * GIB)) == 85
    assert replay.hosts_for(Peak(1, 1, 48, 3_840 * GIB)) == 10
    assert replay.hosts_for(Peak(0, 0, 0, 0)) == 1


def test_every_server_of_the_window_is_placed_or_refused() -> None:
    summary = replayed()

    assert summary.placed + summary.refused == summary.peak.arrivals == trace.peak(trace.arrivals(HOURS)).arrivals
    assert summary.refused == 0 or sum(count for _, count in summary.refusals) >= summary.refused
    assert 0.9 < summary.used_most[0] <= 1
    assert summary.path is None


def test_equal_seeds_leave_equal_event_logs(tmp_path: Path) -> None:
    first, second = (replayed(tmp_path / name) for name in ("first", "second"))

    assert replace(first, path=None) == replace(second, path=None)
    assert kept(tmp_path / "first") == kept(tmp_path / "second")


def test_another_seed_labels_other_batches() -> None:
    assert replayed(seed=1).placed_backfilling != replayed(seed=2).placed_backfilling


def test_a_cloud_that_is_kept_is_whole_and_stands_at_the_end_of_the_window(tmp_path: Path) -> None:
    summary = replayed(tmp_path / "data")

    servers, loads, events, entries = kept(tmp_path / "data")
    assert {entry.id for entry in entries} == {server.id for server in servers}
    assert {entry.state for entry in entries} == {"active"}
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert max(event.at for event in events) <= BEGIN + timedelta(hours=HOURS)
    for load in loads:
        effective = sum((server.effective or NOTHING for server in load.servers), NOTHING)
        assert effective.fits_in(load.host.capacity)
    placed = [event for event in events if event.kind == "server.placed"]
    assert len(placed) == summary.placed


def test_servers_live_as_long_as_the_trace_says(tmp_path: Path) -> None:
    replayed(tmp_path / "data", share=0)

    servers, _, _, _ = kept(tmp_path / "data")
    end = round(HOURS * 3600)
    alive = {
        arrival.number
        for arrival in trace.arrivals(HOURS)
        if arrival.ends_at_seconds is None or arrival.ends_at_seconds > end
    }
    found = {int(server.name.rpartition("-")[2]) for server in servers}
    assert found <= alive
    assert {server.state for server in servers} <= {ServerState.RUNNING, ServerState.STARTING}


def test_without_backfilling_nothing_is_shrunk_or_stopped() -> None:
    summary = replayed(share=0)

    assert (summary.placed_backfilling, summary.shrunk, summary.stopped) == (0, 0, 0)


def test_the_summary_says_everything_that_was_counted() -> None:
    summary = Summary(
        trace="azure-2017",
        hours=2,
        backfill_share=0.5,
        seed=7,
        peak=Peak(5_689, 2_501, 4_245, 7_714 * GIB),
        hosts=85,
        placed=5_600,
        placed_backfilling=3_000,
        refused=89,
        refused_backfilling=80,
        refusals=(("short of CPU", 89), ("short of memory", 4)),
        shrunk=62,
        stopped=3,
        used_most=(0.982, 0.221, 2_469),
        path=Path("/data"),
        seconds=10,
    )

    assert list(summary.lines()) == [
        "Replayed 2 hours of azure-2017 on 85 hosts of 48 cores and 384 GiB, seed 7.",
        "It has 5,689 servers, 50% of the tenant batches backfilling; at its peak 2,501 servers",
        "with 4,245 vCPUs and 7,714 GiB.",
        "",
        "placed        5,600  2,600 normal, 3,000 backfilling",
        "refused          89  9 normal, 80 backfilling",
        "                 89  short of CPU",
        "                  4  short of memory",
        "shrunk           62  backfilling servers, at least once",
        "stopped           3  backfilling servers, for room",
        "peak use      98.2%  of the CPU; 22.1% of the memory; 2,469 servers",
        "decisions       569  a second, durable, in 10.0 s",
        "",
        "The cloud is kept: stratodeck --data /data",
    ]


def test_progress_goes_from_nothing_to_all() -> None:
    told: list[float] = []

    replay.run(trace.AZURE_2017, None, hours=HOURS, backfill_share=0.5, seed=1, progress=told.append)

    assert told == sorted(told)
    assert told[-1] == 1


def test_a_folder_that_holds_a_cloud_is_refused_and_kept(tmp_path: Path) -> None:
    replayed(tmp_path / "data")
    before = kept(tmp_path / "data")

    with pytest.raises(ReplayProblem, match="holds a cloud already"):
        replayed(tmp_path / "data")

    assert kept(tmp_path / "data") == before


def test_a_folder_that_is_served_is_refused(tmp_path: Path) -> None:
    with folder.claim(tmp_path / "data"), pytest.raises(ReplayProblem, match="Another process serves"):
        replayed(tmp_path / "data")


def test_an_unknown_trace_is_refused() -> None:
    with pytest.raises(ReplayProblem, match="no trace 'borg-2011'; there is azure-2017"):
        replay.run("borg-2011", hours=1, backfill_share=0.5, seed=1)
