"""Looking at a Nova with the faults of a real one: what is asked, what is known, and what is said of the rest."""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.openstack import polling
from console.openstack.wire import UNSEEN
from console.port import ClientError
from tests.console.fakes import NOON
from tests.console.real_nova import (
    Console,
    Instance,
    RealNova,
    fault,
    recorded,
    some,
    told,
    troubles,
    two_cells,
    zone,
)

# ------------------------------------------------------------------------------------------------- UNKNOWN, asked twice


def test_the_first_list_is_not_narrowed_so_that_silent_servers_are_in_it() -> None:
    nova = two_cells(silent={"two"})

    async def story(on: Console) -> None:
        assert nova.paths()[0] == "/servers/detail?all_tenants=1"
        assert on.states() == {"one-00": "running", "one-01": "running", "one-02": "running", "two-id-0": "unknown"}
        assert len(on.rows) == 5
        silent = on.rows["two-id-0000"]
        assert (silent.name, silent.cell, silent.host, silent.known_at) == (None, UNSEEN, None, None)

    told(nova, story)


def test_a_look_asks_twice_because_what_changed_is_a_filter_and_hides_unknown_rows() -> None:
    nova = two_cells(is_admin=False)

    async def story(on: Console) -> None:
        await on.look()
        nova.paths()
        nova.silent.add("two")
        on.timer.pass_by(30)
        on.clock.at = NOON + timedelta(minutes=1)

        await on.look()

        asked = nova.paths()
        assert "/servers" in asked
        assert any(path.startswith("/servers/detail?changes-since=") for path in asked)
        gone = on.rows["two-id-0000"]
        assert (gone.state, gone.last_state, gone.name, gone.is_reachable) == ("unknown", "running", "two-00", False)
        assert gone.known_at == NOON, "as it was at the last look that it was in"
        assert on.rows["one-id-0000"].state == "running"

    told(nova, story)


def test_a_server_that_answers_again_is_read_anew_because_its_changes_were_missed() -> None:
    nova = two_cells(silent={"two"})

    async def story(on: Console) -> None:
        await on.look()
        nova.silent.clear()
        nova.named("two-00").status = "SHUTOFF"
        nova.named("two-00").updated = NOON - timedelta(days=9)

        await on.look()

        assert on.states()["two-00"] == "stopped"
        assert on.rows["two-id-0000"].is_reachable

    told(nova, story)


def test_a_full_list_has_no_room_for_unknown_rows_and_that_is_said() -> None:
    nova = two_cells(silent={"two"}, most=3)

    async def story(on: Console) -> None:
        assert len(on.rows) == 3
        await on.look()
        on.timer.pass_by(60)
        await on.look()

        assert "UNKNOWN ones may be missing" in await troubles(on)

    told(nova, story)


def test_on_a_full_list_servers_of_an_unknown_host_are_unknown() -> None:
    nova = two_cells(most=5)

    async def story(on: Console) -> None:
        nova.most = 3
        nova.silent.add("two")
        await on.look()
        await on.look()

        assert on.states() == {"one-00": "running", "one-01": "running", "one-02": "running",
                               "two-00": "unknown", "two-01": "unknown"}  # fmt: skip

    told(nova, story)


def test_of_a_zone_only_a_part_of_which_is_silent_that_is_said() -> None:
    nova = two_cells()

    async def story(on: Console) -> None:
        await on.look()
        assert (await zone(on)).state == "up"

        nova.silent.add("two")
        await on.look()

        found = await zone(on)
        assert (found.state, found.is_up, found.is_silent) == ("partly", False, False)
        assert found.reason == "2 of 5 servers and 1 of 2 hosts UNKNOWN"

        nova.silent.add("one")
        await on.look()
        assert (await zone(on)).state == "down"

        nova.silent.clear()
        await on.look()
        assert (await zone(on)).state == "up"

    told(nova, story)


def test_before_2_69_nobody_says_unknown_so_who_is_missing_is_asked_for_by_itself() -> None:
    nova = two_cells(highest=(2, 60), is_admin=False)

    async def story(on: Console) -> None:
        await on.look()
        nova.silent.add("two")
        on.timer.pass_by(40)

        await on.look()

        assert on.states()["two-00"] == "unknown"
        offer = (await on.client.status()).offer
        assert offer is not None
        assert "In 2.60 this cloud leaves servers of silent cells out" in offer.cells

    told(nova, story)


# --------------------------------------------------------------------------------------------- duplicates, all UNKNOWN


def test_an_id_that_is_there_twice_is_one_row_and_the_one_that_says_more() -> None:
    nova = two_cells()

    def twice(request: httpx.Request) -> httpx.Response | None:
        if request.url.path != "/v2.1/servers/detail" or "changes-since" in request.url.params:
            return None
        rows = [nova.row(each) for each in nova.instances]
        return httpx.Response(200, json={"servers": [{"id": "one-id-0000", "status": "UNKNOWN"}, *rows, rows[0]]})

    nova.instead = twice

    async def story(on: Console) -> None:
        assert len(on.rows) == 5
        assert on.states()["one-00"] == "running"

    told(nova, story)


def test_the_recorded_answer_in_which_everything_is_unknown_costs_no_row() -> None:
    body = recorded("everything unknown")
    ids = {row["id"] for row in body["servers"]}
    assert len(ids) < len(body["servers"]), "the recorded one has a duplicate"
    nova = RealNova([Instance(id, f"web-{id[:4]}") for id in ids], is_admin=False)

    async def story(on: Console) -> None:
        await on.look()
        twice = next(row["id"] for row in body["servers"] if row.get("status") != "UNKNOWN")

        def slow(request: httpx.Request) -> httpx.Response | None:
            if request.url.path == "/v2.1/servers":
                on.timer.pass_by(139)
                return httpx.Response(200, json=body)
            return None

        nova.instead = slow
        on.timer.pass_by(40)
        await on.look()

        assert on.rows.keys() == ids
        assert {id for id, row in on.rows.items() if row.state == "unknown"} == ids - {twice}
        assert all(row.name for row in on.rows.values()), "what was known is kept"

        nova.instead = lambda _request: None
        await on.look()
        assert {row.state for row in on.rows.values()} == {"running"}

    told(nova, story)


def test_that_everything_is_unknown_at_once_is_said_with_what_it_may_mean() -> None:
    nova = two_cells(is_admin=False)

    async def story(on: Console) -> None:
        await on.look()
        nova.silent |= {"one", "two"}

        def slow(request: httpx.Request) -> httpx.Response | None:
            if request.url.path == "/v2.1/servers":
                on.timer.pass_by(50)
            return None

        nova.instead = slow
        on.timer.pass_by(40)
        await on.look()

        assert "UNKNOWN of all 5 servers after 50 s: a cell that does not answer can take others" in await troubles(on)

    told(nova, story)


def test_that_the_services_say_otherwise_is_said_too() -> None:
    nova = two_cells()

    async def story(on: Console) -> None:
        await on.look()
        rows = [{"id": each.id, "status": "UNKNOWN"} for each in nova.instances]
        nova.instead = lambda request: (
            httpx.Response(200, json={"servers": rows}) if request.url.path == "/v2.1/servers" else None
        )
        on.timer.pass_by(40)
        await on.look()

        assert "UNKNOWN of all 5 servers while every compute service answers" in await troubles(on)

    told(nova, story)


# -------------------------------------------------------------------------------------------- a list that never answers


def never(request: httpx.Request) -> httpx.Response | None:
    if "/servers" in request.url.path:
        raise httpx.ReadTimeout("", request=request)
    return None


def test_a_list_that_never_answers_has_a_limit_of_its_own_and_is_asked_less_and_less_often() -> None:
    nova = two_cells()

    async def story(on: Console) -> None:
        await on.look()
        seen_at = on.client._looking.known.seen_at
        nova.instead = never
        pauses = []
        for _ in range(5):
            begun = on.timer.now()
            with pytest.raises(ClientError, match="no answer within 60 s") as problem:
                await on.look()
            assert problem.value.is_retryable
            pauses.append(on.timer.now() - begun)

        assert pauses == [10, 20, 40, 80, 120]
        assert "the list of servers: no answer within 60 s" in await troubles(on)
        assert on.client._looking.known.seen_at == seen_at, "what is old is not made young"
        timeout = nova.asked[-2].extensions["timeout"]
        assert (timeout["read"], timeout["connect"]) == (60, 5)

        nova.instead = lambda _request: None
        await on.look()
        assert await troubles(on) == ""

    told(nova, story)


def test_while_the_list_hangs_the_rest_is_still_told_and_services_tell_who_is_silent() -> None:
    nova = two_cells()

    async def story(on: Console) -> None:
        await on.look()
        nova.silent.add("two")
        nova.instead = never
        for _ in range(2):
            with pytest.raises(ClientError):
                await on.look()

        assert (await zone(on)).state == "partly"
        assert (await on.client.hosts()).hosts[0].name == "c1-host1"

        nova.instead = lambda _request: None
        await on.look()
        assert on.states()["two-00"] == "unknown", "nothing that was told between two failures is lost"

    told(nova, story)


# -------------------------------------------------------------------------------------------------- clocks and deletion


@pytest.mark.parametrize("skew_seconds", [-20, -1, 0, 1, 20])
def test_what_changed_is_asked_for_with_an_overlap_so_that_clocks_may_differ(skew_seconds: int) -> None:
    nova = two_cells(is_admin=False)

    async def story(on: Console) -> None:
        await on.look()
        nova.named("one-01").status = "SHUTOFF"
        nova.named("one-01").updated = nova.date + timedelta(seconds=skew_seconds)
        nova.date += timedelta(seconds=2)

        await on.look()

        assert on.states()["one-01"] == "stopped"

    told(nova, story)


def test_the_instant_is_the_clouds_own_whatever_the_wall_says_here() -> None:
    nova = two_cells(is_admin=False, date=NOON - timedelta(hours=7))

    async def story(on: Console) -> None:
        await on.look()
        nova.paths()
        await on.look()

        since = httpx.URL(f"http://x{nova.paths()[-1]}").params["changes-since"]
        assert datetime.fromisoformat(since) == nova.date - polling.OVERLAP

    told(nova, story)


def test_a_deleted_server_goes_by_what_changed_and_one_that_was_purged_by_not_being_there() -> None:
    nova = two_cells(is_admin=False)

    async def story(on: Console) -> None:
        await on.look()
        nova.named("one-00").is_deleted, nova.named("one-00").updated = True, nova.date
        await on.look()
        assert "one-00" not in on.states()

        nova.instances.remove(nova.named("one-01"))
        on.timer.pass_by(40)
        nova.paths()
        await on.look()
        assert "/servers/one-id-0001" in nova.paths(), "that it is in no list may also mean that it is hidden"
        assert "one-01" not in on.states()

    told(nova, story)


def test_a_server_that_was_deleted_in_its_silence_is_gone_when_the_list_would_have_it() -> None:
    nova = two_cells(is_admin=False)

    async def story(on: Console) -> None:
        await on.look()
        nova.silent.add("two")
        on.timer.pass_by(40)
        await on.look()
        assert on.states()["two-00"] == "unknown"

        nova.named("two-00").is_deleted = True
        nova.silent.clear()
        await on.look()
        await on.look()
        assert "two-00" not in on.states()

    told(nova, story)


def test_a_server_that_may_not_be_shown_is_there_and_does_not_answer() -> None:
    nova = two_cells(is_admin=False)

    async def story(on: Console) -> None:
        await on.look()
        nova.instead = lambda request: (
            httpx.Response(403, json=recorded("somebody else's in a silent cell"))
            if request.url.path.endswith("/servers/one-id-0000")
            else httpx.Response(200, json={"servers": []})
            if request.url.path.endswith("/servers")
            else None
        )
        on.timer.pass_by(40)
        await on.look()

        assert on.states()["one-00"] == "unknown"

    told(nova, story)


# ------------------------------------------------------------------------------------------------------- pages, filters


def test_pages_are_read_to_the_end_with_markers_that_answer() -> None:
    nova = two_cells(most=2)

    async def story(on: Console) -> None:
        assert len(on.rows) == 5
        assert [path for path in nova.paths() if "marker" in path] == [
            "/servers/detail?all_tenants=1&limit=1000&marker=one-id-0001",
            "/servers/detail?all_tenants=1&limit=1000&marker=two-id-0000",
        ]

    told(nova, story)


def test_a_page_of_unknown_rows_only_is_read_again_with_a_limit_instead_of_following_its_marker() -> None:
    nova = RealNova([*some(2, cell="two"), *some(0)], silent={"two"}, most=2)

    async def story(on: Console) -> None:
        assert len(on.rows) == 2
        assert not any("marker" in path for path in nova.paths())

    told(nova, story)


@pytest.mark.parametrize("how", ["silent", "deleted"])
def test_a_marker_that_fails_is_replaced_by_the_row_before_it(how: str) -> None:
    nova = RealNova([*some(2), Instance("m", "marker", "two", host="c2-host1"), *some(2, cell="three")], most=3)
    asked = 0

    def fails(request: httpx.Request) -> httpx.Response | None:
        nonlocal asked
        if request.url.params.get("marker") == "m":
            asked += 1
            if how == "silent":
                nova.silent.add("two")
            else:
                nova.named("marker").is_deleted = True
        return None

    nova.instead = fails

    async def story(on: Console) -> None:
        assert asked == 1
        assert {"three-00", "three-01"} <= on.states().keys()

    told(nova, story)


def test_a_list_that_cannot_be_read_on_ends_there_and_that_is_said() -> None:
    nova = two_cells(most=2, is_admin=False)
    nova.instead = lambda request: fault(500, "Unexpected API Error.") if "marker" in request.url.params else None

    async def story(on: Console) -> None:
        assert len(on.rows) == 2
        assert "the list ends after 2 servers" in await troubles(on)

    told(nova, story)


def test_where_filtered_lists_fail_everything_is_read_instead_and_not_at_each_look() -> None:
    nova = two_cells(silent={"two"}, skips_silent_cells=False, is_admin=False)

    async def story(on: Console) -> None:
        await on.look()
        await on.look()
        nova.paths()
        nova.named("one-00").status = "SHUTOFF"
        for _ in range(4):
            await on.look()

        asked = nova.paths()
        assert not any("changes-since" in path for path in asked)
        assert asked.count("/servers/detail") in (1, 2)
        assert on.states()["one-00"] == "stopped"

        nova.silent.clear()
        await on.look()
        await on.look()
        assert any("changes-since" in path for path in nova.paths())

    told(nova, story)


# ------------------------------------------------------------------------------------------ whatever happens in between

STEPS = st.lists(
    st.tuples(st.sampled_from(["silence", "return", "change", "delete", "make", "hang", "wait"]), st.integers(0, 9)),
    max_size=12,
)


async def happens(on: Console, step: str, number: int) -> None:
    """One thing happens to the cloud, and the console looks."""
    nova = on.nova
    there = [each for each in nova.instances if not each.is_deleted]
    nova.date += timedelta(seconds=7)
    match step:
        case "silence":
            nova.silent.add(("one", "two")[number % 2])
        case "return":
            nova.silent.discard(("one", "two")[number % 2])
        case "change" if there:
            each = there[number % len(there)]
            each.status, each.updated = "ACTIVE" if each.status == "SHUTOFF" else "SHUTOFF", nova.date
        case "delete" if there:
            each = there[number % len(there)]
            each.is_deleted, each.updated = True, nova.date
        case "make":
            cell, host = (("one", "c1-host1"), ("two", "c2-host1"))[number % 2]
            name = f"new-{len(nova.instances)}"
            nova.instances.insert(0, Instance(f"{name}-id", name, cell, host=host, updated=nova.date))
        case "hang":
            nova.instead = never
            with pytest.raises(ClientError):
                await on.look()
            nova.instead = lambda _request: None
        case "wait":
            on.timer.pass_by(100 * number)
    await on.look()


def the_truth(on: Console, seen: dict[str, str]) -> None:
    """What answers is as it is; what does not is as it was when it was seen last; what is gone is not there."""
    nova = on.nova
    for each in nova.instances:
        row = on.rows.get(each.id)
        if each.cell not in nova.silent:
            if each.is_deleted:
                assert row is None, f"{each.name} is deleted"
            else:
                assert row is not None, f"{each.name} is missing"
                assert (row.state, row.is_reachable) == ({"ACTIVE": "running"}.get(each.status, "stopped"), True)
        elif row is not None:
            assert (row.state, row.is_reachable) == ("unknown", False), each.name
            assert row.last_state == seen.get(each.id)
            assert row.name == (each.name if each.id in seen else None)
            assert (row.known_at is not None) == (each.id in seen)
        elif each.id in seen:
            assert each.is_deleted, f"{each.name} was seen, and its cell is only silent"


def follows(steps: list[tuple[str, int]], **more: object) -> None:
    nova = two_cells(**more)

    async def story(on: Console) -> None:
        seen: dict[str, str] = {}

        def remember() -> None:
            seen.update({id: row.state for id, row in on.rows.items() if row.is_reachable})
            for id in seen.keys() - on.rows.keys():
                del seen[id]

        remember()
        for step, number in steps:
            await happens(on, step, number)
            remember()
        for _ in range(3):
            # Not so long that everything is read once more, whatever was missed.
            on.timer.pass_by(31)
            await on.look()
            remember()
        the_truth(on, seen)

    told(nova, story)


KINDS = st.fixed_dictionaries(
    {"is_admin": st.booleans(), "skips_silent_cells": st.booleans(), "highest": st.sampled_from([(2, 104), (2, 70)])}
)


@given(steps=STEPS, kind=KINDS)
@settings(max_examples=40, deadline=None)
def test_whatever_happens_the_rows_are_what_is_or_what_was_seen_last(
    steps: list[tuple[str, int]], kind: dict[str, object]
) -> None:
    follows(steps, **kind)


@pytest.mark.thorough
@given(steps=STEPS, kind=KINDS)
@settings(max_examples=2_000, deadline=None)
def test_whatever_happens_and_very_often(steps: list[tuple[str, int]], kind: dict[str, object]) -> None:
    follows(steps, **kind)


@given(steps=STEPS, most=st.sampled_from([1, 2, 3, 5]))
@settings(max_examples=20, deadline=None)
def test_with_pages_of_any_size_what_answers_is_there_as_it_is(steps: list[tuple[str, int]], most: int) -> None:
    """A full list hides who is silent, and a page that fails ends it; what is told is true all the same."""
    nova = two_cells(most=most)

    async def story(on: Console) -> None:
        for step, number in steps:
            await happens(on, step, number)
        nova.silent.clear()
        for _ in range(6):
            on.timer.pass_by(700)
            await on.look()
        the_truth(on, {})

    told(nova, story)
