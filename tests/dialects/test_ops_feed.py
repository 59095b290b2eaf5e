"""What is under way and what has happened, through `/ops/v1`: sizes and rates of tasks, events up to an instant."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from backend.operations import schedules
from tests.backend.support import OPERATOR, TENANT
from tests.builders import NOON
from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused

GIB = 2**30
MIB = 2**20


async def open_tasks(on: Wired) -> dict[str, Any]:
    """By kind."""
    found = good(await on.ops.get("/tasks", params={"state": "open"}))["tasks"]
    return {task["kind"]: task for task in found}


def test_a_clone_says_how_much_there_is_and_how_fast_it_goes(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        source = await on.drive("data", 10)
        avoiding = {"action": "clone", "avoid": [source["id"]]}
        begun = good(await on.ops.post(f"/drives/{source['id']}/actions", json=avoiding), 202)
        first = begun["task"]
        await on.advance(29.5)
        tasks = await open_tasks(on)

        assert (first["bytes_total"], first["rate_bytes_per_second"]) == (10 * GIB, 176.0 * MIB)
        assert tasks["clone"] == {**first, "progress": 0.5}
        assert first["counterpart_id"] == source["id"]
        assert tasks["release"]["counterpart_id"] == begun["drive"]["id"], "the source's side says whose it is"
        assert tasks["release"]["bytes_total"] is None

    tell(story)


def test_a_copy_on_the_same_host_is_faster(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        source = await on.drive("data", 10)
        begun = good(await on.ops.post(f"/drives/{source['id']}/actions", json={"action": "clone"}), 202)

        assert begun["task"]["rate_bytes_per_second"] == 1024.0 * MIB

    tell(story)


def test_a_backup_says_how_much_it_copies_and_of_which_server(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, drive = await on.server("db"), await on.drive("data", 25)
        attach = {"action": "attach", "server_id": server["id"]}
        good(await on.ops.post(f"/drives/{drive['id']}/actions", json=attach), 202)
        cloud = on.app.cloud
        await schedules.create_schedule(
            cloud, await cloud.account(OPERATOR), server["id"], description="often", cron="* * * * *"
        )
        await on.advance(55)
        task = (await open_tasks(on))["backup"]

        assert (task["object_name"], task["counterpart_id"]) == ("db", server["id"])
        assert (task["bytes_total"], task["rate_bytes_per_second"]) == (25 * GIB, 200.0 * MIB)

    tell(story)


def test_what_copies_nothing_has_neither_size_nor_rate(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server("db")
        started = good(await on.ops.post(f"/servers/{server['id']}/actions", json={"action": "start"}), 202)

        task = started["task"]
        assert (task["bytes_total"], task["rate_bytes_per_second"], task["counterpart_id"]) == (None, None, None)

    tell(story)


# Events --------------------------------------------------------------------------------------------------------------


def keys(page: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [(event["at"], event["file"], event["number"]) for event in page["events"]]


def place(event: dict[str, Any]) -> str:
    return f"{event['at']},{event['file']},{event['number']}"


async def a_log(on: Wired) -> list[dict[str, Any]]:
    """Servers in both cells and a grant in the centre, at noon and a minute later; all that has happened."""
    await on.server("at-noon", cell="cell-2")
    for number in range(4):
        await on.server(f"web-{number}", cell=f"cell-{1 + number % 2}")
    good(await on.ops.patch(f"/accounts/{TENANT}", json={"may_backfill": True}))
    await on.running("db", cell="cell-1")
    return await on.events()


@pytest.mark.parametrize("limit", [2, 3, 7, 1000])
def test_the_log_is_read_backwards_and_forwards_page_by_page_and_nothing_is_missed(tell: Tell, limit: int) -> None:
    async def story(on: Wired) -> None:
        log = await a_log(on)
        for way, here, edge in (("until", "2030-01-01", 0), ("since", "2020-01-01", -1)):
            found: set[tuple[str, str, int]] = set()
            page = good(await on.ops.get("/events", params={way: here, "limit": limit}))
            while not found.issuperset(keys(page)):
                assert keys(page) == sorted(keys(page))
                found.update(keys(page))
                page = good(await on.ops.get("/events", params={way: place(page["events"][edge]), "limit": limit}))
            assert sorted(found) == keys({"events": log})

    tell(story)


def test_until_an_instant_is_all_that_happened_at_it_and_before(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        log = await a_log(on)
        later = next(event["at"] for event in log if event["kind"] == "server.running")
        for until, wanted in (
            (NOON.isoformat(), [event for event in log if event["at"] == log[0]["at"]]),
            ("2026-11-20T11:59:59.999999Z", []),
            (later, [event for event in log if event["at"] <= later]),
        ):
            page = good(await on.ops.get("/events", params={"until": until, "limit": 1000}))
            behind = good(await on.ops.get("/events", params={"since": until, "limit": 1000}))
            assert keys(page) == keys({"events": wanted})
            assert keys(page) + keys(behind) == keys({"events": log}), "together they are all of it"

    tell(story)


def test_the_events_of_one_object_are_found_at_any_time(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        log = await a_log(on)
        id = next(event["object_id"] for event in log if event["kind"] == "server.running")
        own = [event for event in log if event["object_id"] == id]
        first = good(await on.ops.get("/events", params={"object": id, "until": place(own[0])}))
        rest = good(await on.ops.get("/events", params={"object": id, "since": place(own[0]), "limit": 1}))

        assert (keys(first), keys(rest)) == (keys({"events": own[:1]}), keys({"events": own[1:2]}))

    tell(story)


def test_others_than_staff_read_their_own_events_however_many_there_are_of_others(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        body = {"name": "mine", "cpu_mhz": 1000, "memory_bytes": 2**30}
        mine = good(await on.tenant_ops.post("/servers", json=body), 201)
        await a_log(on)
        page = good(await on.tenant_ops.get("/events", params={"until": "2030-01-01T00:00:00Z", "limit": 2}))
        newest = good(await on.tenant_ops.get("/events", params={"limit": 2}))
        hidden = good(await on.ops.get("/events", params={"limit": 1000}))["events"][-1]["object_id"]
        none = good(await on.tenant_ops.get("/events", params={"until": "2030-01-01T00:00:00Z", "object": hidden}))

        assert {event["object_id"] for event in page["events"]} == {mine["id"]}
        assert newest["events"] == page["events"]
        assert none["events"] == []

    tell(story)


def test_an_event_says_what_its_object_is_or_was_called(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        cursor = good(await on.ops.get("/servers"))["cursor"]
        drive = await on.drive("data")
        good(await on.ops.post(f"/drives/{drive['id']}/actions", json={"action": "edit", "name": "renamed"}), 202)
        gone = await on.server("gone")
        good(await on.ops.post(f"/servers/{gone['id']}/actions", json={"action": "delete"}), 202)

        for query in ({}, {"after": cursor}, {"until": "2030-01-01T00:00:00Z"}):
            told = good(await on.ops.get("/events", params=query))["events"]
            assert {event["object_name"] for event in told if event["object_id"] == drive["id"]} == {"renamed"}
            names = {event["object_name"] for event in told if event["object_id"] == gone["id"]}
            assert names == ({None} if "after" in query else {"gone"}), "the feed brings the rows, and their removal"

    tell(story)


def test_a_backup_goes_by_the_name_of_its_server_also_when_it_is_gone(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, cloud = await on.server("db"), on.app.cloud
        account = await cloud.account(OPERATOR)
        await schedules.create_schedule(
            cloud, account, server["id"], description="often", cron="* * * * *", backups_max=1
        )
        await on.advance(300)
        told = [event for event in await on.events() if event["object_kind"] in ("backup", "schedule")]

        assert {event["kind"] for event in told} >= {"backup.created", "backup.ready", "backup.deleted", "schedule.ran"}
        assert {event["object_name"] for event in told} == {"db"}

    tell(story)


def test_a_wrong_instant_is_refused_with_what_was_found_and_what_is_expected(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        problem = refused(await on.ops.get("/events", params={"until": "teatime"}), 400)["error"]

        assert (problem["code"], problem["field"]) == ("invalid", "until")
        assert problem["message"].endswith('"teatime" is not an instant; write it like 2026-11-20T14:03:27Z')

    tell(story)


@pytest.mark.parametrize("file", ["cloud.db", "cells/cell-1.db"])
@pytest.mark.parametrize(
    ("question", "index"),
    [
        ("(at, number) <= ('2026', 1) ORDER BY at DESC, number DESC LIMIT 9", "event_by_instant (at<?)"),
        ("(at, number) > ('2026', 1) ORDER BY at, number LIMIT 9", "event_by_instant (at>?)"),
        ("object_id = 'x' AND (at, number) <= ('2026', 1) ORDER BY at DESC, number DESC LIMIT 9",
         "event_by_object (object_id=? AND at<?)"),
    ],
)  # fmt: skip
def test_a_page_is_a_walk_along_an_index_and_nothing_is_sorted(
    tell: Tell, tmp_path: Path, file: str, question: str, index: str
) -> None:
    async def story(on: Wired) -> list[str]:
        await a_log(on)
        connection = sqlite3.connect(tmp_path / "data" / file)
        try:
            found = connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM event WHERE {question}").fetchall()
        finally:
            connection.close()
        return [str(row[3]) for row in found]

    assert tell(story) == [f"SEARCH event USING INDEX {index}"]


def test_what_is_no_longer_kept_is_gone_and_the_answer_says_since_when_it_is(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        early = good(await on.ops.get("/events"))
        assert early["begins_at"] is None
        assert good(await on.ops.patch("/settings", json={"history_seconds": 3_600}))["history_seconds"] == 3_600
        await on.drive("first", 1)
        await on.advance(7_200)
        await on.drive("second", 1)

        for path in ("/changes", "/events"):
            answer = await on.ops.get(path, params={"after": early["cursor"]})
            assert answer.status_code == 410
            error = answer.json()["error"]
            assert error["code"] == "forgotten"
            assert error["message"].startswith(
                "The cursor lies before the beginning of the log: begin again with a list."
            )
            assert error["since"] in error["message"]
        told = good(await on.ops.get("/events"))
        assert told["begins_at"] is not None
        assert "drive.created" in [event["kind"] for event in told["events"]]
        # The newest of each file stays.
        assert [event["kind"] for event in told["events"]].count("host.created") == 1
        page = good(await on.ops.get("/servers"))
        assert good(await on.ops.get("/changes", params={"after": page["cursor"]}))["events"] == []
        answer = await on.ops.get("/servers", params={"at": "2026-11-20T11:59:59Z"})
        assert answer.status_code == 400
        assert "when what is recorded here begins" in answer.json()["error"]["message"]

    tell(story)


def test_a_time_for_which_no_past_can_be_kept_is_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        answer = refused(await on.ops.patch("/settings", json={"history_seconds": 60}), 400)
        message = answer["error"]["message"]
        assert message == "history_seconds: must be from 3,600, an hour, to 3,153,600,000, a hundred years"

    tell(story)
