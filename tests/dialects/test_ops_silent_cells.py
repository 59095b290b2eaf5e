"""What `/ops/v1` says of a cell that does not answer and of what is in it, and what it refuses to do there."""

from __future__ import annotations

from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused


def test_servers_of_a_silent_cell_are_unknown_with_what_was_last_seen(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        lost = await on.running("web-01", cell="cell-1", tags=["group:web"], is_backfilling=True)
        await on.server("web-02", cell="cell-2")
        await on.app.cloud.store.flush_last_known()
        await on.break_cell("cell-1")

        page = good(await on.ops.get("/servers"))
        unknown = good(await on.ops.get("/servers", params={"cell": "cell-1"}))["servers"]
        by_state = good(await on.ops.get("/servers", params={"state": "unknown", "name": "WEB-01"}))["servers"]
        one = good(await on.ops.get(f"/servers/{lost['id']}"))

        assert [row["name"] for row in page["servers"]] == ["web-02"]
        assert page["unreachable"] == ["cell-1"]
        assert unknown == by_state
        assert (unknown[0]["state"], unknown[0]["last_state"]) == ("unknown", "running")
        assert (unknown[0]["name"], unknown[0]["host"], unknown[0]["group"]) == ("web-01", lost["host"], "web")
        assert unknown[0]["reachable"] is False
        assert unknown[0]["known_at"] == "2026-11-20T12:00:00Z"
        assert one["state"] == "unknown"

    tell(story)


def test_a_server_that_was_never_seen_has_no_name_rather_than_an_empty_one(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server("web-01", cell="cell-1")
        drive = await on.drive("disk-01", cell="cell-1")
        await on.break_cell("cell-1", "hung")
        await on.app.cloud.store.cloud_write(
            lambda tx: tx.save_last_known(
                "cell-1",
                [("server", server["id"], None), ("drive", drive["id"], None)],
                known_at=on.app.cloud.clock.now(),
            )
        )

        row = good(await on.ops.get(f"/servers/{server['id']}"))
        disk = good(await on.ops.get(f"/drives/{drive['id']}"))

        assert row["name"] is row["last_state"] is row["known_at"] is None
        assert row["cpu_mhz"] == 2000
        assert disk["name"] is disk["known_at"] is None
        assert disk["size_bytes"] == 10 * 2**30

    tell(story)


def test_an_action_on_a_server_of_a_silent_cell_is_503_and_changes_nothing(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server(cell="cell-1")
        await on.break_cell("cell-1")
        before = await on.events()

        for body in ({"action": "start"}, {"action": "start", "preview": True}, {"action": "delete"}):
            answer = await on.ops.post(f"/servers/{server['id']}/actions", json=body)
            assert refused(answer, 503)["error"]["code"] == "unreachable"

        assert await on.events() == before

    tell(story)


def test_a_cell_that_was_broken_says_so_and_is_back_when_the_fault_is_taken_away(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await on.running("web-01", cell="cell-1")
        up = good(await on.ops.get("/cells"))["cells"][0]

        down = good(await on.ops.put("/cells/cell-1/reachability", json={"state": "down"}))
        asked = good(await on.ops.post("/cells/cell-1/ask"))
        capacity = good(await on.ops.get("/capacity"))
        back = good(await on.ops.put("/cells/cell-1/reachability", json={"state": "up"}))

        assert (up["state"], up["servers"], up["unknown"]) == ("up", 1, 0)
        assert up["normal"]["cpu_mhz"] == 2000
        assert (down["state"], down["is_injected"], down["unknown"]) == ("down", True, 1)
        assert (down["waiting_tasks"], down["backups_at_risk"]) == (0, 0)
        assert down["answered_at"] is not None
        assert down["capacity"] is None
        assert asked["state"] == "down"
        assert (capacity["cells"], capacity["unreachable"]) == (["cell-2"], ["cell-1"])
        assert back["state"] == "up"

    tell(story)


def test_others_than_staff_see_cells_by_name_and_state_only(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await on.running("web-01")

        status = good(await on.tenant_ops.get("/status"))

        assert [cell["name"] for cell in status["cells"]] == ["cell-1", "cell-2"]
        assert {(cell["servers"], cell["unknown"]) for cell in status["cells"]} == {(None, None)}
        assert {cell["capacity"] and 1 for cell in status["cells"]} == {None}
        assert status["capacity"] is None

    tell(story)
