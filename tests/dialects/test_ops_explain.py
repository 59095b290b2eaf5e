"""Why something is where it is, through `/ops/v1`: now, and at decisions with much behind them."""

from __future__ import annotations

from typing import Any

import pytest

from backend.cloud.model import GIB, Size
from backend.operations import explain as explaining
from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused

ABSENT = "00000000-0000-4000-8000-000000000000"
ONE_CELL = {"cells": ("cell-1",), "hosts": 3, "capacity": Size(16_000, 64 * GIB)}


async def why(on: Wired, id: str, **query: Any) -> dict[str, Any]:
    return good(await on.ops.get(f"/explain/{id}", params=query))


async def act(on: Wired, id: str, action: str, seconds: int = 60, **body: Any) -> None:
    good(await on.ops.post(f"/servers/{id}/actions", json={"action": action, **body}), 202)
    await on.advance(seconds)


def told(row: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """By host: the verdict, and the part of the key that it lost by."""
    return {each["host"]: (each["verdict"], each["lost_by"] and each["lost_by"]["part"]) for each in row["hosts"]}


def without_instants(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("at", "decision", "sentences")}


def test_a_stopped_server_says_where_it_would_go(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first = await on.running("web-01")
        server = await on.server("web-02")
        found = await why(on, server["id"])
        assert (found["kind"], found["host"], found["decisions"], found["placed"]) == ("server", None, [], None)
        row = found["explanation"]
        assert (row["decision"], row["host"], row["decided_by"], row["hosts_total"]) == (None, "c1-h2", "name", 3)
        assert told(row) == {
            "c1-h2": ("chosen", None),
            "c1-h3": ("beaten", "name"),
            first["host"]: ("beaten", "room"),
        }
        lost = next(each["lost_by"] for each in row["hosts"] if each["host"] == first["host"])
        assert lost == {"part": "room", "measure": "CPU", "chosen": 16_000, "own": 14_000}
        assert row["sentences"] == ["web-02 would go to c1-h2: its name comes first among equals."]

    tell(story, **ONE_CELL)


def test_a_running_server_says_why_it_is_where_it_is_and_what_would_be_now(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        one = await on.running("web-01")
        two = await on.server("web-02")
        await act(on, two["id"], "start", avoid=[ABSENT, one["id"]])
        three = await on.server("web-03")
        await act(on, three["id"], "start", avoid=[one["id"], two["id"]])
        found = await why(on, three["id"])
        assert found["host"] == "c1-h3"
        [mark] = found["decisions"]
        placed = found["placed"]
        assert (placed["decision"], placed["host"], placed["is_as_recorded"]) == (mark, "c1-h3", True)
        assert (placed["decided_by"], placed["runner_up"]) == ("avoid", two["id"] and "c1-h2")
        beaten = {each["host"]: (each["avoided"], each["lost_by"]["own"]) for each in placed["hosts"][1:]}
        assert beaten == {
            "c1-h1": ([{"id": one["id"], "name": "web-01", "rank": 1}], [1]),
            "c1-h2": ([{"id": two["id"], "name": "web-02", "rank": 2}], [2]),
        }
        # Decided now it would go where it is: what it holds itself is not in its way.
        assert without_instants(found["explanation"]) == without_instants(placed)

    tell(story, **ONE_CELL)


def test_a_past_decision_is_explained_as_it_was_however_much_has_happened_since(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        victim = await on.running("render-1", 16_000, 4, is_backfilling=True, cpu_floor=1.0)
        small = await on.running("small", 15_000)
        other = await on.running("other", 15_500)
        server = await on.server("db", 4000)
        before = (await why(on, server["id"]))["explanation"]
        await act(on, server["id"], "start")
        found = await why(on, server["id"])
        then = found["placed"]
        assert without_instants(then) == without_instants(before)
        assert (then["host"], [stop["name"] for stop in then["stops"]]) == (victim["host"], ["render-1"])
        assert then["hosts"][0]["stops"][0]["work_ghz_hours"] > 0
        assert {each["host"]: each["short"] for each in then["hosts"][1:]} == {
            small["host"]: {"cpu_mhz": 3000, "memory_bytes": 0},
            other["host"]: {"cpu_mhz": 3500, "memory_bytes": 0},
        }
        number = found["decisions"][0]["number"]

        # Names, sizes, hosts, servers that come and go: the log is all that remembers them.
        for id in (small["id"], victim["id"]):
            if good(await on.ops.get(f"/servers/{id}"))["state"] == "running":
                await act(on, id, "stop")
            good(await on.ops.post(f"/servers/{id}/actions", json={"action": "delete"}), 202)
        await act(on, server["id"], "stop")
        for n in range(40):
            name = f"renamed-{n}"
            good(await on.ops.post(f"/servers/{other['id']}/actions", json={"action": "edit", "name": name}), 202)
        await on.running("new", 8000)
        good(await on.ops.post("/hosts/c1-h1/actions", json={"action": "fail"}), 202)
        await on.advance(300)
        await act(on, server["id"], "start")

        again = await why(on, server["id"], decision=number)
        assert again["placed"] is None
        assert again["explanation"] == then
        assert [mark["number"] == number for mark in again["decisions"]] == [True, False]

    tell(story, **ONE_CELL)


def test_a_decision_more_than_a_read_behind_is_found_and_one_too_far_is_refused(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(on: Wired) -> None:
        server = await on.running("web-01")
        then = (await why(on, server["id"]))["placed"]
        for n in range(30):
            await on.server(f"filler-{n}")
        monkeypatch.setattr(explaining, "EVENTS_A_READ", 7)
        found = await why(on, server["id"])
        assert found["placed"] == then
        monkeypatch.setattr(explaining, "EVENTS_BACK_MAX", 14)
        found = await why(on, server["id"])
        assert found["placed"] is None
        assert "more than 14 events back in the log of cell-1" in found["placed_problem"]
        assert found["explanation"]["host"] == server["host"]
        number = found["decisions"][0]["number"]
        error = refused(await on.ops.get(f"/explain/{server['id']}", params={"decision": number}), 409)["error"]
        assert "Ask for a later one" in error["message"]

    tell(story, **ONE_CELL)


def test_a_refusal_says_what_would_help(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await on.running("large", 15_000)
        await on.running("render", 12_000, is_backfilling=True)
        good(await on.ops.post("/hosts/c1-h3/actions", json={"action": "drain"}), 202)
        server = await on.server("job", 8000, is_backfilling=True)
        row = (await why(on, server["id"]))["explanation"]
        assert (row["host"], row["decided_by"], row["refused"]) == (
            None,
            None,
            {"short of CPU": 2, "in maintenance": 1},
        )
        cpu, stops = row["changes"]
        assert (cpu["kind"], cpu["host"], cpu["less"]) == ("cpu", "c1-h2", {"cpu_mhz": 4000, "memory_bytes": 0})
        assert (stops["kind"], stops["host"], [each["name"] for each in stops["stops"]]) == (
            "stops",
            "c1-h2",
            ["render"],
        )
        assert row["impossible"] == ["memory"]
        assert row["sentences"] == [
            "No host has room for job (2 short of CPU, 1 in maintenance).",
            "It would fit on c1-h2 with 4 GHz less.",
            "It would fit on c1-h2 with 1 server stopped: render.",
            "No host would take it with less memory alone.",
        ]

    tell(story, **ONE_CELL)


def test_a_drive_and_a_clone_say_why_they_are_where_they_are(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        source = await on.drive("source", 10)
        apart = await on.drive("apart", 10, avoid=[source["id"]])
        good(await on.ops.post(f"/drives/{source['id']}/actions", json={"action": "clone", "name": "copy"}), 202)
        await on.advance(600)
        copy = next(each for each in good(await on.ops.get("/drives"))["drives"] if each["name"] == "copy")
        found = await why(on, copy["id"])
        assert (found["kind"], found["placed"]["decided_by"]) == ("drive", "source")
        assert found["placed"]["sentences"][0] == f"copy went to {source['host']}: it is where the source is."
        good(await on.ops.post(f"/drives/{source['id']}/actions", json={"action": "delete"}), 202)

        placed = (await why(on, apart["id"]))["placed"]
        assert (placed["host"], placed["decided_by"]) == (apart["host"], "avoid")
        assert placed["hosts"][1]["avoided"] == [{"id": source["id"], "name": None, "rank": 1}]
        assert placed["hosts"][1]["room_bytes"] == 990 * GIB
        now = (await why(on, apart["id"]))["explanation"]
        assert (now["host"], now["decided_by"]) == (apart["host"], "room")
        again = await why(on, copy["id"], decision=found["decisions"][0]["number"])
        assert again["explanation"] == found["placed"]

    tell(story, **ONE_CELL)


def test_a_drive_does_not_avoid_the_server_that_it_is_mounted_on_itself(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server("web-01")
        drive = await on.drive("own", 10, avoid=[server["id"]])
        attach = {"action": "attach", "server_id": server["id"]}
        good(await on.ops.post(f"/drives/{drive['id']}/actions", json=attach), 202)
        row = (await why(on, drive["id"]))["explanation"]
        assert (row["host"], row["avoided"], row["decided_by"]) == (drive["host"], [], "name")

    tell(story, **ONE_CELL)


def test_an_account_learns_of_its_own_objects_what_a_preview_tells_it(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        theirs = await on.running("theirs", 2000)
        for name in ("more-1", "more-2"):
            await on.running(name, 4000)
        good(await on.ops.post("/hosts/c1-h3/actions", json={"action": "drain"}), 202)
        body = {"name": "mine", "cpu_mhz": 2000, "memory_bytes": GIB}
        mine = good(await on.tenant_ops.post("/servers", json=body), 201)
        start = {"action": "start", "avoid": [theirs["id"]]}
        good(await on.tenant_ops.post(f"/servers/{mine['id']}/actions", json=start), 202)
        found = good(await on.tenant_ops.get(f"/explain/{mine['id']}"))
        row = found["placed"]
        assert (row["host"], row["decided_by"], row["runner_up"]) == ("c1-h1", "room", "c1-h2")
        assert (row["refused"], row["is_as_recorded"]) == ({"in maintenance": 1}, True)
        assert (row["hosts"], row["changes"]) == ([], [])
        # What is not its own is not avoided, and not named.
        assert row["avoid"] == [{"id": theirs["id"], "name": None, "rank": 1}]
        assert refused(await on.tenant_ops.get(f"/explain/{theirs['id']}"), 404)["error"]["code"] == "not_found"

    tell(story, **ONE_CELL)


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({"decision": 1}, 400, "1 is no decision about this server; its decisions are "),
        ({"decision": 2**40}, 400, "is no decision about this server"),
        ({"decision": 0}, 400, "decision"),
        ({"decision": "x"}, 400, "decision"),
        ({"decision": 2**70}, 400, "decision"),
        ({"when": "now"}, 400, "when"),
    ],
)
def test_a_wrong_decision_is_refused_with_what_is_there(
    tell: Tell, query: dict[str, Any], status: int, message: str
) -> None:
    async def story(on: Wired) -> None:
        server = await on.running()
        error = refused(await on.ops.get(f"/explain/{server['id']}", params=query), status)["error"]
        assert message in error["message"]

    tell(story, **ONE_CELL)


def test_unknown_objects_and_decisions_of_others_and_silent_cells_are_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, other = await on.running("web-01"), await on.running("web-02")
        stopped = await on.server("web-03")
        error = refused(await on.ops.get("/explain/nobody"), 404)["error"]
        assert error["message"] == "There is no server or drive nobody."
        number = (await why(on, other["id"]))["decisions"][0]["number"]
        error = refused(await on.ops.get(f"/explain/{server['id']}", params={"decision": number}), 400)["error"]
        assert f"{number} is no decision about this server" in error["message"]
        error = refused(await on.ops.get(f"/explain/{stopped['id']}", params={"decision": number}), 400)["error"]
        assert "it has never been placed" in error["message"]
        await on.break_cell("cell-1")
        assert refused(await on.ops.get(f"/explain/{server['id']}"), 503)["error"]["code"] == "unreachable"

    tell(story, **ONE_CELL)
