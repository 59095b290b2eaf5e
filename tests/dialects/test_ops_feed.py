"""What is under way and what has happened, through `/ops/v1`: sizes and rates of tasks, events up to an instant."""

from __future__ import annotations

from typing import Any

from backend.operations import backups
from tests.backend.support import OPERATOR
from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good

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
        await backups.create_schedule(
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
