"""Driving a cloud from the trace: what it counts, what it leaves behind, and that it is always the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from backend import fleet_file, fleet_folder, folder, replay, trace
from backend.cloud.backfill import HostLoad
from backend.cloud.model import GIB, NOTHING, Event, Server, ServerState, Size
from backend.replay import BEGIN, ReplayProblem, Summary
from backend.store import ServerEntry, Store
from backend.trace import Peak, alibaba_openb

HOURS = 0.25


def replayed(path: Path | None = None, *, hours: float = HOURS, share: float = 0.5, seed: int = 1) -> Summary:
    return replay.run(trace.AZURE_2017, path, hours=hours, backfill_share=share, seed=seed)


def kept(path: Path) -> tuple[list[Server], list[HostLoad], list[Event], list[ServerEntry]]:
    """What a replay has left in its folder."""

    async def read() -> tuple[list[Server], list[HostLoad], list[Event], list[ServerEntry]]:
        store = await Store.open(path, wall=lambda: BEGIN)
        try:
            servers, loads, events = await store.cell_read(
                store.cell_names[0], lambda tx: (tx.all_servers(), tx.loads(), tx.events(after=0, limit=10**6))
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
        capacity=Size(85 * 96_000, 85 * 384 * GIB),
        host_size=Size(96_000, 384 * GIB),
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


def test_the_summary_of_unequal_hosts_and_of_a_label_of_the_traces_own_says_so() -> None:
    summary = Summary(
        trace="alibaba-openb",
        hours=3585,
        backfill_share=None,
        seed=1,
        peak=Peak(8_152, 56, 767, 2_450 * GIB),
        hosts=1_523,
        capacity=Size(251_028_000, 597_684 * GIB),
        host_size=None,
        placed=8_150,
        placed_backfilling=3_397,
        refused=2,
        refused_backfilling=1,
        refusals=(),
        shrunk=0,
        stopped=0,
        used_most=(0.006, 0.004, 56),
        path=None,
        seconds=10,
    )

    assert list(summary.lines())[:3] == [
        "Replayed 3585 hours of alibaba-openb on 1,523 hosts with 125,514 cores and 597,684 GiB together, seed 1.",
        "It has 8,152 servers, 3,398 of them backfilling, as it says itself; at its peak 56 servers",
        "with 767 vCPUs and 2,450 GiB.",
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
    with pytest.raises(ReplayProblem, match='no trace "borg-2011"; there is azure-2017, alibaba-openb, or'):
        replay.run("borg-2011", hours=1, backfill_share=0.5, seed=1)


# The trace with a label and hosts of its own


def test_openb_runs_on_its_own_hosts_with_its_own_label(tmp_path: Path) -> None:
    summary = replay.run(trace.ALIBABA_OPENB, tmp_path / "data", hours=2_764, seed=1)

    servers, loads, _, _ = kept(tmp_path / "data")
    pods = list(alibaba_openb.arrivals(2_764))
    assert summary.hosts == len(loads) == 1_523
    assert summary.placed == len(pods) > 25
    assert summary.placed_backfilling == sum(bool(pod.is_backfilling) for pod in pods)
    assert {load.host.name: load.host.capacity for load in loads} == dict(alibaba_openb.hosts())
    labels = {pod.number: pod.is_backfilling for pod in pods}
    assert all(server.is_backfilling == labels[int(server.name.rpartition("-")[2])] for server in servers)


def test_a_share_is_refused_where_the_trace_has_a_label() -> None:
    with pytest.raises(ReplayProblem, match="alibaba-openb says itself which servers are backfilling ones: leave out"):
        replay.run(trace.ALIBABA_OPENB, hours=1, backfill_share=0.5, seed=1)


@pytest.mark.parametrize(("name", "hours", "most"), [("azure-2017", 221, "220"), ("alibaba-openb", 3_586, "3585")])
def test_no_trace_has_more_hours_than_it_has(name: str, hours: float, most: str) -> None:
    with pytest.raises(ReplayProblem, match=f"--hours is {hours}, expected more than 0 and at most {most}"):
        replay.run(name, hours=hours, seed=1)


# A workload and a fleet of one's own

ROWS = """arrival_seconds,lifetime_seconds,vcpus,memory_gib,tenant_batch
0,,2,4,1
10,60,1,0.25,2
299,0,1,1.5,2
3599,7200,4,8,3
"""
FLEET = """
grace_seconds = 5
perf_factor_floor = 0.5
[[cells]]
name = "rack"
[[cells.hosts]]
name = "r"
count = 2
kind = "compute"
cpu_mhz = 8000
memory_bytes = 17179869184
"""


def test_a_csv_of_ones_own_is_replayed_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(ROWS)

    summary = replay.run(str(tmp_path / "own.csv"), tmp_path / "data", backfill_share=0, seed=1)

    servers, loads, events, _ = kept(tmp_path / "data")
    assert (summary.hours, summary.placed, summary.refused, summary.hosts) == (1, 4, 0, 1)
    assert [(server.name, server.size) for server in servers] == [
        ("server-000000", Size(4_000, 4 * GIB)),
        ("server-000003", Size(8_000, 8 * GIB)),
    ]
    assert [load.host.name for load in loads] == ["host-01"]
    placed = [event.at - BEGIN for event in events if event.kind == "server.placed"]
    assert placed == [timedelta(seconds=each) for each in (0, 300, 300, 3_600)]


def test_a_server_that_comes_late_in_its_bin_still_lives_as_long_as_it_should(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(ROWS)

    replay.run(str(tmp_path / "own.csv"), tmp_path / "data", backfill_share=0, seed=1)

    _, _, events, _ = kept(tmp_path / "data")
    assert [event.at for event in events] == sorted(event.at for event in events)
    stopped = [event.at - BEGIN for event in events if event.kind == "server.stopped"]
    assert stopped[0] == timedelta(seconds=360)


def test_a_fleet_of_ones_own_takes_the_place_of_the_hosts_of_the_trace(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(ROWS)
    (tmp_path / "fleet.toml").write_text(FLEET)

    summary = replay.run(str(tmp_path / "own.csv"), tmp_path / "data", seed=1, cloud=tmp_path / "fleet.toml")

    assert (summary.hosts, summary.host_size) == (2, Size(8_000, 16 * GIB))
    found = fleet_folder.find(tmp_path / "data")
    assert found.cells == fleet_file.read(tmp_path / "fleet.toml").cells
    assert (found.grace_seconds, found.floor_permille) == (5, 500)


def test_a_fleet_that_cannot_be_driven_is_a_sentence_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(FLEET + FLEET.partition("floor = 0.5")[2].replace('"r', '"q'))
    (tmp_path / "wrong.toml").write_text(FLEET.replace("8000", "8"))

    for file, sentence in (
        ("two.toml", "A replay drives one cell: .*two.toml describes 2, expected 1"),
        ("wrong.toml", r"cells\[0\].hosts\[0\].cpu_mhz is 8, expected an integer from 250"),
        ("gone.toml", "There is no file"),
    ):
        with pytest.raises(ReplayProblem, match=sentence):
            replay.run(trace.AZURE_2017, tmp_path / "data", hours=HOURS, seed=1, cloud=tmp_path / file)
    assert not (tmp_path / "data").exists()


def test_a_workload_beyond_all_hosts_is_a_sentence(tmp_path: Path) -> None:
    head = ROWS.partition("\n")[0]
    (tmp_path / "own.csv").write_text("\n".join((head, *("0,,10000,1000000,1" for _ in range(1_000)))))

    with pytest.raises(ReplayProblem, match="needs 2,473,959 hosts, expected at most 200,000"):
        replay.run(str(tmp_path / "own.csv"), tmp_path / "data", seed=1)


def test_a_csv_that_is_wrong_is_a_sentence_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(ROWS + "3599,1,none,8,3\n")

    with pytest.raises(ReplayProblem, match='line 6, vcpus is "none", expected an integer from 1 to 10000'):
        replay.run(str(tmp_path / "own.csv"), tmp_path / "data", seed=1)
    assert not (tmp_path / "data").exists()
