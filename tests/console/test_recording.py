"""What this console writes down of a cloud that keeps no log: bounded, and shown as it was seen, or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.pilot import Pilot

from console.app import ConsoleApp
from console.client import ClientError
from console.presentation import moments, recorded
from console.presentation.fleet import Fleet
from console.presentation.lines import text_of
from console.presentation.mirror import Mirror
from console.presentation.moments import Moment
from console.recording import Recording, RecordingProblem
from console.records import CellRecord, Factors, HostRecord, ServerRecord, TaskRecord
from console.records_offer import Offer
from console.screens.recorded_feed import RecordedFeed, Recorder
from tests.console.examples import a_frame
from tests.console.fakes import NOON, FakeCloud, ManualClock, a_drive, a_server, an_app, screen_text, some_servers
from tests.console.stories import bar, until


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_mirror(*servers: ServerRecord, **more: Any) -> Mirror:
    found = Mirror(cloud="id", fleet=Fleet().changed(servers), is_complete=True, answered_at={"status": NOON})
    return replace(found, **{"cells": (CellRecord("cell-1", "up"),), **more})


def a_recording(folder: Path, bytes_max: int = 2**24) -> Recording:
    return Recording(folder, "5d1f0000-0000-5000-8000-000000000000", bytes_max=bytes_max)


def written(recording: Recording, *mirrors: tuple[float, Mirror]) -> Recorder:
    recorder = Recorder(recording)

    async def write() -> None:
        for seconds, mirror in mirrors:
            await recorder.write(mirror, at(seconds))

    asyncio.run(write())
    return recorder


def seen(recording: Recording, seconds: float) -> Mirror:
    feed = RecordedFeed(recording, Mirror)
    return asyncio.run(feed.look(Moment(at(seconds)), None, frozenset())).mirror


@pytest.mark.parametrize(
    "record",
    [
        *some_servers()[::6],
        a_drive(1),
        a_server(2, tags=("a", "b"), meta={"k": "v"}, notice_until=NOON, perf_factor=Factors(0.25, 1.0)),
        TaskRecord("cell-1/7", "cell-1", "backup", "server", "id", begun_at=NOON, bytes_total=7),
        (CellRecord("cell-1", "up"), CellRecord("cell-2", "down", "refused", NOON, is_injected=True)),
    ],
)
def test_a_record_comes_back_as_it_was_written(record: object) -> None:
    if isinstance(record, ServerRecord):
        # It is made anew from the name.
        record = replace(record, sort_name="")

    assert recorded.value_of(recorded.text_of(record)) == record


def test_a_field_of_another_version_is_left_out_and_one_that_is_missing_is_as_by_default() -> None:
    text = '{"_":"CellRecord","name":"cell-1","state":"up","colour":"blue"}'

    assert recorded.value_of(text) == CellRecord("cell-1", "up")


FLEETS = st.lists(
    st.dictionaries(st.integers(1, 4), st.sampled_from(["running", "stopped", "paused"]), max_size=4), min_size=1,
    max_size=8,
)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(FLEETS)
def test_every_instant_shows_the_fleet_that_was_there_when_it_was_the_newest(fleets: list[dict[int, str]]) -> None:
    mirrors = [
        (10.0 * place, a_mirror(*(a_server(number, state=state) for number, state in fleet.items())))
        for place, fleet in enumerate(fleets)
    ]
    with tempfile.TemporaryDirectory() as folder:
        recording = a_recording(Path(folder))
        written(recording, *mirrors)

        for seconds, mirror in mirrors:
            assert seen(recording, seconds).servers == mirror.servers
        for (seconds, mirror), (following, _) in pairwise(mirrors):
            assert seen(recording, (seconds + following) / 2).servers == mirror.servers


def test_what_changes_by_itself_is_not_written_again(tmp_path: Path) -> None:
    recording = a_recording(tmp_path)
    cells = [(CellRecord("cell-1", "up", answer_ms=float(n), answered_at=at(n), history=("up",) * n),) for n in (1, 2)]
    written(recording, *((float(n), a_mirror(a_server(1), cells=told)) for n, told in enumerate(cells)))

    assert recording.change_beside(at(9), -1) == at(0)
    assert recording.stretches() == [(at(0), at(1))]


def test_of_a_time_in_which_nobody_looked_nothing_is_said(tmp_path: Path) -> None:
    recording = a_recording(tmp_path)
    written(recording, (0, a_mirror(a_server(1), a_server(2))), (10, a_mirror(a_server(1), a_server(2))))
    # The console was closed meanwhile, and one of them has gone.
    written(recording, (100, a_mirror(a_server(1, state="stopped"))))

    assert seen(recording, 10).servers.keys() == {a_server(1).id, a_server(2).id}
    assert [server.state for server in seen(recording, 100).servers.values()] == ["stopped"]
    for seconds, words in (
        (-1, "nothing was recorded before 2026-11-20 12:00:00 UTC"),
        (50, "nobody looked between 2026-11-20 12:00:10 and 12:01:40 UTC"),
        (101, "nobody looked between 2026-11-20 12:01:40 and now UTC"),
    ):
        with pytest.raises(ClientError, match=words):
            seen(recording, seconds)


def test_while_the_cloud_does_not_answer_it_is_not_looked_at(tmp_path: Path) -> None:
    recording = a_recording(tmp_path)
    mirror = a_mirror(a_server(1))
    lost = mirror.failed("no answer", NOON)
    written(recording, (0, mirror), (10, lost), (20, mirror))

    assert recording.stretches() == [(at(0), at(0)), (at(20), at(20))]


def test_a_look_is_a_moment_only_when_its_zones_and_hosts_are_there_too(tmp_path: Path) -> None:
    recording = a_recording(tmp_path)
    lost = a_server(1, state="unknown", is_reachable=False)
    silent = (CellRecord("cell-1", "down", servers=1, unknown=1),)
    up = (CellRecord("cell-1", "up", servers=1, unknown=0),)
    whole = a_mirror(lost, cells=silent, hosts=(), offer=Offer())
    written(
        recording,
        (0, replace(whole, cells=())),
        (1, replace(whole, hosts=None)),
        (2, whole),
        (3, replace(whole, fleet=whole.fleet.changed([a_server(1)]))),
        (4, replace(whole, cells=up, fleet=whole.fleet.changed([a_server(1)]))),
    )  # fmt: skip

    assert recording.stretches() == [(at(2), at(4))]
    assert recording.change_beside(at(4), -1) == at(2)
    assert seen(recording, 3).cells == silent


@pytest.mark.parametrize("more", [{"refused": {"hosts": "forbidden"}}, {"notes": {"hosts": "fails"}}])
def test_hosts_that_are_never_told_are_not_waited_for(tmp_path: Path, more: dict[str, Any]) -> None:
    recording = a_recording(tmp_path)
    written(
        recording, (0, a_mirror(a_server(1), cells=(CellRecord("cell-1", "up", servers=1),), offer=Offer(), **more))
    )

    assert recording.stretches() == [(at(0), at(0))]


def test_the_bar_tells_how_much_was_otherwise_and_the_alarms_are_found_from_anywhere(tmp_path: Path) -> None:
    recording = a_recording(tmp_path)
    fleets = [[a_server(n, state=state) for n in (1, 2)] for state in ("running", "unknown", "running", "error")]
    cells = [(CellRecord("cell-1", state),) for state in ("up", "down", "up", "up")]
    hosts = [(HostRecord("h1", "cell-1", "compute", state),) for state in ("up", "up", "down", "up")]
    minutes = (0, 10, 20, 300)
    looks = zip(minutes, fleets, cells, hosts, strict=True)
    written(recording, *((60 * n, a_mirror(*fleet, cells=told, hosts=up)) for n, fleet, told, up in looks))
    feed = RecordedFeed(recording, Mirror)

    def alarm(moment: Moment, direction: int) -> Moment | None:
        return asyncio.run(feed.search(moment, direction))

    asyncio.run(feed.look(Moment(at(600)), None, frozenset()))
    kinds = [(round((each.at - NOON).total_seconds() / 60), each.kind) for each in feed.stretch.events]
    assert kinds == [
        (10, "server.unknown"), (10, "server.unknown"), (10, "cell.down"),
        (20, "server.running"), (20, "server.running"), (20, "cell.up"), (20, "host.down"),
    ]  # fmt: skip
    strip, ruler = moments.bar(Moment(at(900)), feed.stretch, at(18_100), a_frame(80))
    assert text_of(ruler).count("✗") == 2
    assert sum(sign in "▂▃▄▅▆▇█" for sign in text_of(strip)) == 2

    found = alarm(Moment(at(18_000)), -1)
    ways = []
    while found is not None:
        ways.append((round((found.at - NOON).total_seconds() / 60), found.event.kind if found.event else ""))
        found = alarm(found, -1)
    assert ways == [(300, "server.error"), (20, "host.down"), (10, "cell.down")]
    later = alarm(Moment(at(1_300)), 1)
    assert later is not None
    assert later.at == at(18_000)
    assert alarm(Moment(at(0)), -1) is None


def test_the_past_says_what_this_kind_of_cloud_has_nothing_for_as_the_present_does() -> None:
    now = Mirror(offer=Offer({"capacity": "Nova does not tell"}))

    assert recorded.mirror_of(now, {}, NOON).offer == now.offer


def test_the_file_stays_below_its_bound_and_forgets_the_oldest_first(tmp_path: Path) -> None:
    recording = a_recording(tmp_path, bytes_max=300_000)
    mirrors = [
        (10.0 * n, a_mirror(*(a_server(number, version=n, owner=f"owner {n}") for number in range(1, 41))))
        for n in range(60)
    ]
    written(recording, *mirrors)

    (file,) = tmp_path.iterdir()
    assert file.stat().st_size < 2 * 300_000
    assert file.stat().st_mode & 0o777 == 0o600
    assert seen(recording, 590).servers == mirrors[-1][1].servers
    begun_at = recording.stretches()[0].begun_at
    assert begun_at > at(0)
    first = round((begun_at - NOON).total_seconds() / 10)
    assert seen(recording, 10.0 * first).servers == mirrors[first][1].servers
    with pytest.raises(ClientError, match="nothing was recorded before"):
        seen(recording, 0)


def test_a_file_that_is_none_of_ours_is_told_of_in_a_sentence(tmp_path: Path) -> None:
    recording = a_recording(tmp_path)
    (tmp_path / "5d1f0000-0000-5000-8000-000000000000.db").write_text("something else entirely " * 100)

    with pytest.raises(RecordingProblem, match="cannot be used: file is not a database"):
        recording.stretches()
    assert "cannot be used" in written(recording, (0, a_mirror(a_server(1)))).problem


def test_a_hostile_id_names_no_other_file(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "inside", "../outside", bytes_max=2**20)
    recording.write({}, begun_at=NOON, at=NOON)

    assert [each.name for each in tmp_path.iterdir()] == ["inside"]
    (file,) = (tmp_path / "inside").iterdir()
    assert sqlite3.connect(file).execute("SELECT count(*) FROM seen").fetchone() == (1,)


# ------------------------------------------------------------------------------------------------------- on the screen


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def recorded_at(pilot: Pilot[Any], app: ConsoleApp, recording: Recording, instant: datetime) -> None:
    """Have what is known written down as of this instant of the cloud."""
    for _ in range(60):
        app.main.then.record()
        await pilot.pause()
        if any(each.ended_at == instant for each in recording.stretches()):
            return
    raise AssertionError("it was never written")


@pytest.mark.anyio
async def test_T_shows_what_was_recorded_of_a_cloud_that_keeps_no_log(tmp_path: Path) -> None:
    clock, cloud, recording = ManualClock(), FakeCloud(), a_recording(tmp_path)
    cloud.clock_mode = "wall"
    app = an_app(cloud, clock, recordings=lambda _id: recording)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("1")
        await until(pilot, "web-01")
        await recorded_at(pilot, app, recording, app.main.now())
        clock.advance(60)
        cloud.clock_now += timedelta(seconds=60)
        cloud.push(replace(cloud.servers[0], state="paused", version=9))
        await until(pilot, "paused")
        app.main.feed.wake()
        await until(pilot, "12:01:00Z")
        await recorded_at(pilot, app, recording, app.main.now())

        await pilot.press("T")
        await until(pilot, "PAST 12:01:00", "paused")
        await pilot.press("left_square_bracket")
        await until(pilot, "PAST 12:00:00  -1m00s")
        assert "paused" not in screen_text(app)
        await pilot.press("x")
        await until(pilot, "off: this is the past")
        await pilot.press("escape", "right_square_bracket")
        await until(pilot, "PAST 12:01:00", "paused")
        await pilot.press("left_curly_bracket", "left_curly_bracket")
        await until(pilot, "the past cannot be shown: nothing was recorded before 2026-11-20 12:00:00 UTC")
        await pilot.press("w")
        await until(pilot, "this cloud keeps no log")
        await pilot.press("escape")
        await until(pilot, "PAST 12:00:00")
        await pilot.press("escape")
        await until(pilot, "paused")
        assert "PAST" not in bar(app, "header")


@pytest.mark.anyio
async def test_where_nothing_is_recorded_T_says_how_to_begin() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(120, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("T")
        await until(pilot, "this cloud keeps no log; with record = true in the settings this console keeps one")
