"""`at=` on what is read: a moment is refused where nobody knows it, and told to nobody who may not see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dialects.support import Wired, good, refused, wired


async def moment_of(cloud: Wired, kind: str) -> str:
    """The place of the newest event of a kind."""
    event = next(each for each in reversed(await cloud.events()) if each["kind"] == kind)
    return f"{event['at']},{event['file']},{event['number']}"


async def now_over(cloud: Wired) -> str:
    """The instant, which is over when this returns."""
    at: str = good(await cloud.ops.get("/clock"))["now"]
    await cloud.advance(1)
    return at


def in_a_past(folder: Path, story: Callable[[Wired], Awaitable[None]]) -> None:
    async def tell(cloud: Wired) -> None:
        await story(cloud)

    wired(folder / "data", tell)


def test_a_server_is_as_it_was_and_one_that_was_made_later_is_not_there(tmp_path: Path) -> None:
    async def story(cloud: Wired) -> None:
        first = await cloud.running("first")
        at = await moment_of(cloud, "server.running")
        await cloud.advance(60)
        good(await cloud.ops.post(f"/servers/{first['id']}/actions", json={"action": "stop"}), 202)
        second = await cloud.server("second")
        await cloud.advance(60)

        then = good(await cloud.ops.get("/servers", params={"at": at}))
        assert [(each["name"], each["state"]) for each in then["servers"]] == [("first", "running")]
        assert good(await cloud.ops.get(f"/servers/{first['id']}", params={"at": at})) == first
        assert refused(await cloud.ops.get(f"/servers/{second['id']}", params={"at": at}), 404)
        now = good(await cloud.ops.get("/servers"))
        assert {each["name"]: each["state"] for each in now["servers"]} == {"first": "stopped", "second": "stopped"}

    in_a_past(tmp_path, story)


def test_a_server_that_is_gone_is_there_again_with_all_that_it_had(tmp_path: Path) -> None:
    async def story(cloud: Wired) -> None:
        made = await cloud.server("gone", tags=["group:web"], meta={"a": "b"})
        drive = await cloud.drive("its", 5)
        good(
            await cloud.ops.post(f"/drives/{drive['id']}/actions", json={"action": "attach", "server_id": made["id"]}),
            202,
        )
        before = good(await cloud.ops.get(f"/servers/{made['id']}"))
        at = await now_over(cloud)
        body = {"action": "delete", "with_drives": True}
        good(await cloud.ops.post(f"/servers/{made['id']}/actions", json=body), 202)
        await cloud.advance(5)
        assert refused(await cloud.ops.get(f"/servers/{made['id']}"), 404)

        assert good(await cloud.ops.get(f"/servers/{made['id']}", params={"at": at})) == before
        groups = good(await cloud.ops.get("/groups", params={"at": at}))["groups"]
        assert [group["name"] for group in groups] == ["web"]

    in_a_past(tmp_path, story)


def test_the_interfaces_of_a_server_are_those_that_it_had_also_when_it_is_gone(tmp_path: Path) -> None:
    async def story(cloud: Wired) -> None:
        made = await cloud.server("wired")
        bare = await now_over(cloud)
        nics = good(await cloud.ops.post(f"/servers/{made['id']}/nics", json={"configuration": "dhcp"}), 201)["nics"]
        plugged = await now_over(cloud)
        good(await cloud.ops.delete(f"/servers/{made['id']}/nics/{nics[0]['mac']}"))
        good(await cloud.ops.post(f"/servers/{made['id']}/nics", json={"configuration": "manual"}), 201)
        other = await now_over(cloud)
        good(await cloud.ops.post(f"/servers/{made['id']}/actions", json={"action": "delete"}), 202)
        await cloud.advance(5)

        async def nics_at(at: str) -> list[Any]:
            found: list[Any] = good(await cloud.ops.get(f"/servers/{made['id']}", params={"at": at}))["nics"]
            return found

        assert [nic["configuration"] for nic in await nics_at(other)] == ["manual"]
        assert await nics_at(plugged) == nics
        assert await nics_at(bare) == []
        assert [nic["configuration"] for nic in await nics_at(other)] == ["manual"]

    in_a_past(tmp_path, story)


def test_a_snapshot_that_was_removed_is_there_again_under_the_name_of_then(tmp_path: Path) -> None:
    async def story(cloud: Wired) -> None:
        drive = await cloud.drive("disk")
        taken = good(await cloud.ops.post(f"/drives/{drive['id']}/snapshots", json={"name": "first"}), 201)
        await cloud.advance(60)
        before = good(await cloud.ops.get(f"/drives/{drive['id']}"))
        at = await now_over(cloud)
        where = f"/snapshots/{taken['id']}/actions"
        good(await cloud.ops.post(where, json={"action": "edit", "name": "second"}), 202)
        await cloud.advance(1)
        good(await cloud.ops.post(where, json={"action": "delete"}), 202)
        await cloud.advance(1)

        assert good(await cloud.ops.get(f"/drives/{drive['id']}", params={"at": at})) == before
        assert [each["name"] for each in before["snapshots"]] == ["first"]
        assert good(await cloud.ops.get(f"/drives/{drive['id']}"))["snapshots"] == []

    in_a_past(tmp_path, story)


def test_differences_tell_what_to_change_in_either_direction(tmp_path: Path) -> None:
    async def story(cloud: Wired) -> None:
        early = await cloud.server("early")
        first = await moment_of(cloud, "server.created")
        await cloud.advance(10)
        late = await cloud.running("late")
        second = await moment_of(cloud, "server.running")

        begin = good(await cloud.ops.get("/differences", params={"at": first}))
        assert (begin["servers"], begin["removed"]) == ([], [])
        on = good(await cloud.ops.get("/differences", params={"at": second, "after": begin["cursor"]}))
        assert [each["name"] for each in on["servers"]] == ["late"]
        back = good(await cloud.ops.get("/differences", params={"at": first, "after": on["cursor"]}))
        assert (back["servers"], back["removed"]) == ([], [late["id"]])
        assert back["cursor"] == begin["cursor"]
        assert early["id"] not in back["removed"]

    in_a_past(tmp_path, story)


def test_who_may_not_see_an_object_now_does_not_see_it_in_the_past(tmp_path: Path) -> None:
    async def story(cloud: Wired) -> None:
        made = await cloud.server("hidden")
        at = await moment_of(cloud, "server.created")
        await cloud.advance(1)

        assert good(await cloud.tenant_ops.get("/servers", params={"at": at}))["servers"] == []
        assert refused(await cloud.tenant_ops.get(f"/servers/{made['id']}", params={"at": at}), 404)
        assert refused(await cloud.tenant_ops.get("/hosts", params={"at": at}), 403)

    in_a_past(tmp_path, story)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("2026-11-20T12:00:01Z", "has not come yet"),
        ("2026-11-20T11:59:59Z", "lies before 2026-11-20 12:00:00 UTC"),
        ("yesterday", "is not an instant"),
        ("2026-11-20T12:00:00Z,cell-1", "names no event"),
        ("2026-11-20T12:00:00Z,cell-1,-3", "names no event"),
    ],
)
def test_a_moment_that_nobody_knows_is_refused_with_a_sentence(tmp_path: Path, at: str, words: str) -> None:
    async def story(cloud: Wired) -> None:
        error = refused(await cloud.ops.get("/servers", params={"at": at}), 400)["error"]
        assert (error["code"], error["field"]) == ("invalid", "at")
        assert words in error["message"]

    in_a_past(tmp_path, story)


def test_nothing_is_changed_in_the_past_and_the_feed_is_of_now(tmp_path: Path) -> None:
    async def story(cloud: Wired) -> None:
        made = await cloud.server()
        at = await moment_of(cloud, "server.created")
        for path in ("/changes", ""):
            error = refused(await cloud.ops.get(path, params={"at": at, "after": "x"}), 400)["error"]
            assert "is not known here" in error["message"]
        where = f"/servers/{made['id']}/actions"
        assert refused(await cloud.ops.post(where, params={"at": at}, json={"action": "start"}), 400)
        assert good(await cloud.ops.get(f"/servers/{made['id']}"))["state"] == "stopped"

    in_a_past(tmp_path, story)


def test_a_cell_was_silent_then_and_shows_what_was_last_seen_of_it(tmp_path: Path) -> None:
    async def story(cloud: Wired) -> None:
        made = await cloud.running("web-01", cell="cell-1")
        await cloud.advance(60)
        await cloud.break_cell("cell-1")
        down = await moment_of(cloud, "cell.down")
        await cloud.advance(60)
        good(await cloud.ops.put("/cells/cell-1/reachability", json={"state": "up"}))
        await cloud.app.engine.noted()
        await cloud.advance(60)

        cells = good(await cloud.ops.get("/cells", params={"at": down}))["cells"]
        assert (cells[0]["name"], cells[0]["state"], cells[0]["unknown"]) == ("cell-1", "down", 1)
        rows = good(await cloud.ops.get("/servers", params={"at": down, "cell": "cell-1"}))["servers"]
        assert [(row["name"], row["state"], row["last_state"], row["host"]) for row in rows] == [
            ("web-01", "unknown", "running", made["host"])
        ]
        before = good(await cloud.ops.get("/servers", params={"at": await moment_of(cloud, "server.running")}))
        assert before["servers"][0]["state"] == "running"

    in_a_past(tmp_path, story)


def test_a_cell_that_cannot_be_read_now_is_unknown_before_it_fell_silent(tmp_path: Path) -> None:
    async def story(cloud: Wired) -> None:
        made = await cloud.running("web-01", cell="cell-1")
        running = await moment_of(cloud, "server.running")
        await cloud.advance(60)
        await cloud.app.cloud.store.flush_last_known()
        await cloud.break_cell("cell-1")
        await cloud.advance(60)
        silent = await moment_of(cloud, "cell.down")

        async def cell_at(at: str) -> dict[str, Any]:
            found: dict[str, Any] = good(await cloud.ops.get("/cells", params={"at": at}))["cells"][0]
            return found

        assert (await cell_at(running))["reason"] == "its log cannot be read now"
        rows = good(await cloud.ops.get("/servers", params={"at": running, "cell": "cell-1"}))["servers"]
        # What it is called is known of now; what it did then is not.
        assert [(row["name"], row["state"], row["last_state"], row["known_at"]) for row in rows] == [
            ("web-01", "unknown", None, None)
        ]
        assert rows[0]["host"] == made["host"]
        assert (await cell_at(running))["hosts"] == (await cell_at(silent))["hosts"] > 0
        # Of the silence that lasts to this day everything is known that is known now.
        assert (await cell_at(silent))["reason"] == "injected: down"
        rows = good(await cloud.ops.get("/servers", params={"at": silent, "cell": "cell-1"}))["servers"]
        assert [(row["name"], row["last_state"]) for row in rows] == [("web-01", "running")]

    in_a_past(tmp_path, story)


def test_why_here_answers_for_the_moment(tmp_path: Path) -> None:
    async def story(cloud: Wired) -> None:
        first = await cloud.running("first")
        then = good(await cloud.ops.get(f"/explain/{first['id']}"))
        at = await now_over(cloud)
        for number in range(3):
            await cloud.running(f"more-{number}")
        assert good(await cloud.ops.get(f"/explain/{first['id']}")) != then

        assert good(await cloud.ops.get(f"/explain/{first['id']}", params={"at": at})) == then

    in_a_past(tmp_path, story)
