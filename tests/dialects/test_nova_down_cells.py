"""Down cells in the Compute API: what is said of their servers, what is left out, and what fails.

**Source**: Nova, "Handling Down Cells"; what a real Nova does otherwise is told in the dialect's docstring.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import httpx
import pytest

from backend.cloud.catalogue import IMAGES
from tests.dialects.compute import WEB, a_boot, a_group, act, change_entry, failed, from_volume, in_cell, shown, version
from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good

NO_ANSWER = "Unexpected API Error. Please contact the administrator\n<class 'nova.exception.NovaException'>"
NO_CONNECTION = "Unexpected API Error. Please contact the administrator\n<class 'oslo_db.exception.DBConnectionError'>"


async def rows(client: httpx.AsyncClient, query: str = "", minor: int | str = 69) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(await client.get("/servers" + query, headers=version(minor)))["servers"]
    return found


async def two_servers(on: Wired, client: httpx.AsyncClient, state: str = "down") -> tuple[str, str]:
    """One in each cell; the second cell does not answer. Their ids."""
    up = await a_boot(client, name="up", availability_zone="cell-1")
    down = await a_boot(client, name="down", availability_zone="cell-2")
    await on.advance(10)
    await on.break_cell("cell-2", state)
    return up, down


KEEP_PARTIAL = [
    "", "?deleted=False", "?deleted=false&all_tenants=True", "?all_tenants=1", "?all_tenants", "?all_tenants=0",
    "?all_tenants=1&project_id=inside", "?all_tenants=1&tenant_id=inside", "?project_id=inside", "?bogus=1",
    "?deleted=False&project_id=inside&all_tenants=True",
]  # fmt: skip
DROP_PARTIAL = [
    "?limit=1000", "?limit=", "?sort_key=created_at", "?sort_dir=desc", "?name=up", "?status=ACTIVE", "?host=c1-h1",
    "?changes-since=2020-01-01T00:00:00Z", "?all_tenants=1&name=up", "?vm_state=active", "?availability_zone=cell-1",
    "?marker={up}", "?flavor=1", "?not-tags=x", "?uuid={up}",
]  # fmt: skip


def test_only_what_is_known_of_partial_rows_may_be_asked_of_them(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        up, down = await two_servers(on, on.nova)
        for query in KEEP_PARTIAL:
            found = await rows(on.nova, query)
            assert [(row["id"], row.get("status")) for row in found] == [(down, "UNKNOWN"), (up, None)], query
            assert [row["id"] for row in await rows(on.nova, query, 68)] == [up], query
        for query in DROP_PARTIAL:
            found = await rows(on.nova, query.format(up=up))
            assert [row["id"] for row in found] == ([] if query.startswith("?marker") else [up]), query
        for query in ("?deleted=True", "?deleted=True&all_tenants=1", "?limit=0", "?status=SUSPENDED"):
            assert await rows(on.nova, query) == [], query
        assert await rows(on.nova, "?all_tenants=1&project_id=outside") == []

    tell(story)


def test_what_a_client_may_not_ask_for_is_dropped_and_so_partial_rows_stay(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        up, down = await two_servers(on, on.tenant_nova)
        for query in ("?deleted=True", "?host=c1-h1", "?vm_state=active", "?tenant_id=inside"):
            assert [row["id"] for row in await rows(on.tenant_nova, query)] == [down, up], query
        assert [row["id"] for row in await rows(on.tenant_nova, "?vm_state=active", 83)] == [up]

    tell(story)


@pytest.mark.parametrize("state", ["down", "hung"])
def test_a_partial_row_has_exactly_the_documented_keys(tell: Tell, state: str) -> None:
    async def story(on: Wired) -> None:
        group = await a_group(on.tenant_nova, "db", "anti-affinity")
        volume = await from_volume(on, "cell-2")
        plain = await in_cell(on, "cell-2", on.tenant_nova, security_groups=[{"name": "web"}, {"name": "ssh"}])
        other = await a_boot(on.tenant_nova, hints={"group": group}, availability_zone="cell-2", **volume)
        await on.advance(10)
        await on.break_cell("cell-2", state)
        view = ["id", "status", "links"]
        detail = ["id", "status", "tenant_id", "created", "links", "security_groups"]
        one = [
            "id", "status", "tenant_id", "created", "links", "image", "flavor", "OS-EXT-AZ:availability_zone",
            "OS-EXT-STS:power_state", "user_id",
        ]  # fmt: skip

        for minor in (69, 71, 98, "latest"):
            assert [list(row) for row in await rows(on.tenant_nova, "", minor)] == [view, view]
            found = await rows(on.tenant_nova, "/detail", minor)
            assert [list(row) for row in found] == [detail, detail]
            groups = {row["id"]: [each["name"] for each in row["security_groups"]] for row in found}
            assert groups == {plain: ["web", "ssh"], other: ["default"]}
            first, second = await shown(on.tenant_nova, plain, minor), await shown(on.tenant_nova, other, minor)
            wanted = one if minor == 69 else [*one, "server_groups"]
            assert (list(first), list(second)) == (wanted, wanted)
            assert (first["image"]["id"], second["image"]) == (IMAGES[0].id, "")
            zones = (first["OS-EXT-AZ:availability_zone"], second["OS-EXT-AZ:availability_zone"])
            assert zones == ("UNKNOWN", "cell-2")
            assert first["flavor"]["original_name"] == "m1.tiny"
            if minor != 69:
                assert (first["server_groups"], second["server_groups"]) == ([], [group])

    tell(story)


def test_a_server_that_was_made_elsewhere_is_partial_without_what_was_never_said(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        id = (await on.server(cell="cell-2", cpu=3000))["id"]
        await on.break_cell("cell-2")
        (row,) = await rows(on.nova, "/detail")
        assert list(row) == ["id", "status", "tenant_id", "created", "links"]
        found = await shown(on.nova, id)
        assert (found["image"], found["OS-EXT-AZ:availability_zone"]) == ("", "UNKNOWN")
        assert found["flavor"]["original_name"] == "custom-2-4096"

    tell(story)


def test_before_2_69_a_server_of_a_down_cell_is_left_out_and_cannot_be_shown(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        up, down = await two_servers(on, on.tenant_nova)
        for minor in (1, 53, 68):
            assert [row["id"] for row in await rows(on.tenant_nova, "", minor)] == [up]
            answer = await on.tenant_nova.get(f"/servers/{down}", headers=version(minor))
            assert failed(answer, 500, "computeFault") == NO_ANSWER

    tell(story)


def test_another_tenants_server_is_not_there_whether_its_cell_answers_or_not(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        _, down = await two_servers(on, on.nova)
        before = f"Instance {down} could not be found."
        for minor in (1, 68, 69, 71, 100):
            answer = await on.tenant_nova.get(f"/servers/{down}", headers=version(minor))
            assert failed(answer, 404, "itemNotFound") == before
            answer = await on.tenant_nova.delete(f"/servers/{down}", headers=version(minor))
            assert failed(answer, 404, "itemNotFound") == before
            answer = await on.tenant_nova.get(f"/servers?marker={down}", headers=version(minor))
            assert failed(answer, 400, "badRequest") == f"marker [{down}] not found"
            assert await rows(on.tenant_nova, "", minor) == []

    tell(story)


ACTIONS: list[tuple[str, str, Any, str]] = [
    ("DELETE", "", None, NO_ANSWER),
    ("PUT", "", {"server": {"name": "x"}}, NO_ANSWER),
    ("POST", "/action", {"os-start": None}, NO_CONNECTION),
    ("POST", "/action", {"os-stop": None}, NO_CONNECTION),
    ("POST", "/action", {"reboot": {"type": "HARD"}}, NO_ANSWER),
    ("POST", "/action", {"os-getConsoleOutput": {}}, NO_ANSWER),
    ("GET", "/metadata", None, NO_ANSWER),
    ("POST", "/metadata", {"metadata": {"a": "b"}}, NO_ANSWER),
    ("DELETE", "/metadata/a", None, NO_ANSWER),
    ("GET", "/ips", None, NO_ANSWER),
    ("GET", "/tags", None, NO_CONNECTION),
    ("PUT", "/tags", {"tags": ["a"]}, NO_CONNECTION),
    ("DELETE", "/tags/a", None, NO_CONNECTION),
]


@pytest.mark.parametrize("state", ["down", "hung"])
def test_everything_else_on_it_fails_and_changes_nothing(tell: Tell, state: str) -> None:
    async def story(on: Wired) -> None:
        _, down = await two_servers(on, on.tenant_nova, state)
        events = await on.events()
        for method, path, body, message in ACTIONS:
            for minor in (26, 69, 100):
                answer = await on.tenant_nova.request(
                    method, f"/servers/{down}{path}", json=body, headers=version(minor)
                )
                assert failed(answer, 500, "computeFault") == message, (method, path)
        assert await on.events() == events
        good(await on.ops.put("/cells/cell-2/reachability", json={"state": "up"}))
        assert (await shown(on.tenant_nova, down))["status"] == "ACTIVE"

    tell(story)


def test_the_administrator_may_have_lists_fail_that_cannot_show_partial_rows(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        up, down = await two_servers(on, on.nova)
        both = [down, up]
        assert good(await on.ops.get("/settings"))["list_records_by_skipping_down_cells"] is True
        body = {"list_records_by_skipping_down_cells": False}
        assert (await on.tenant_ops.patch("/settings", json=body)).status_code == 403
        assert good(await on.ops.patch("/settings", json=body))["list_records_by_skipping_down_cells"] is False

        for query in ("", "?all_tenants=1", "?deleted=False&all_tenants=True"):
            assert [row["id"] for row in await rows(on.nova, query)] == both
            answer = await on.nova.get("/servers" + query, headers=version(68))
            assert failed(answer, 500, "computeFault") == NO_ANSWER
        for query in ("?limit=1", "?name=up", "?sort_key=display_name", f"?marker={up}", "?status=SUSPENDED"):
            answer = await on.nova.get("/servers" + query, headers=version(69))
            assert failed(answer, 500, "computeFault") == NO_ANSWER, query
        assert await rows(on.nova, "?limit=0") == []
        assert (await shown(on.nova, down))["status"] == "UNKNOWN"
        good(await on.nova.get("/os-services", headers=version(68)))
        good(await on.ops.put("/cells/cell-2/reachability", json={"state": "up"}))
        assert [row["id"] for row in await rows(on.nova, "?limit=1000")] == [down, up]

        again = good(await on.ops.patch("/settings", json={"list_records_by_skipping_down_cells": True}))
        assert again["list_records_by_skipping_down_cells"] is True

    tell(story)


def test_a_setting_is_stored_and_told_before_it_is_in_force(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        good(await on.ops.patch("/settings", json={"list_records_by_skipping_down_cells": False}))
        stored = await on.app.cloud.store.cloud_read(lambda tx: dict(tx.settings()))
        assert stored == {"list_records_by_skipping_down_cells": False}
        assert [event["kind"] for event in await on.events()][-1] == "cloud.settings"

    tell(story)


def test_a_marker_in_a_down_cell_fails(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        _, down = await two_servers(on, on.nova)
        for minor in (1, 69, 100):
            answer = await on.nova.get(f"/servers?marker={down}", headers=version(minor))
            assert failed(answer, 500, "computeFault") == NO_CONNECTION

    tell(story)


async def all_pages(client: httpx.AsyncClient, query: str, minor: int = 69) -> list[list[str]]:
    """The ids on each page, as a client that follows every link finds them."""
    pages: list[list[str]] = []
    path = "/servers" + query
    while path:
        page = good(await client.get(path, headers=version(minor)))
        pages.append([row["id"] for row in page["servers"]])
        links = page.get("servers_links", [])
        path = links[0]["href"].partition("/compute/v2.1")[2] if links else ""
        assert len(pages) < 50, "the links lead round and round"
    return pages


PAGERS = list(
    product(
        (1, 3, 5),
        ("created_at", "display_name", "updated_at", "vm_state", "uuid"),
        ("asc", "desc"),
        ("", "&name=web", "&not-tags=x", "&status=SHUTOFF"),
    )
)


def test_a_pager_finds_everything_that_answers_once_whatever_is_down(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        names = ["web", "web", "api", "db", "web", "cache", "api"]
        made = {}
        for number, name in enumerate(names * 2):
            server = await on.server(name, cell=f"cell-{number % 3 + 1}", cpu=250, gib=1)
            made[server["id"]] = server
            if number % 4 == 3:
                await on.advance(1)
        await on.break_cell("cell-2")
        for limit, key, direction, query in PAGERS:
            pages = await all_pages(on.nova, f"?limit={limit}&sort_key={key}&sort_dir={direction}{query}")
            found = [id for page in pages for id in page]
            wanted = {
                id
                for id, server in made.items()
                if server["cell"] != "cell-2" and (query != "&name=web" or server["name"] == "web")
            }
            assert len(found) == len(set(found))
            assert set(found) == wanted
            assert all(len(page) == limit for page in pages[:-1])
            if key == "display_name":
                order = [made[id]["name"] for id in found]
                assert order == sorted(order, reverse=direction == "desc")
            if key == "created_at":
                whole = [
                    id
                    for page in await all_pages(on.nova, f"?sort_key={key}&sort_dir={direction}{query}")
                    for id in page
                ]
                assert found == whole

    tell(story, cells=("cell-1", "cell-2", "cell-3"))


@pytest.mark.thorough
def test_the_first_page_has_all_partial_rows_and_the_next_link_is_of_one_that_answers(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        up = [(await on.server(f"s{number}", cell="cell-1", cpu=250, gib=1))["id"] for number in range(1005)]
        down = [(await on.server(f"d{number}", cell="cell-2", cpu=250, gib=1))["id"] for number in range(20)]
        await on.break_cell("cell-2")
        first, second = await all_pages(on.nova, "")
        assert set(first[:20]) == set(down)
        assert (len(first), len(second)) == (1020, 5)
        assert set(first[20:]) | set(second) == set(up)

    tell(story)


def test_a_create_goes_to_a_cell_that_answers(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await on.break_cell("cell-1", "hung")
        id = await a_boot(on.nova)
        await on.advance(10)
        found = await shown(on.nova, id)
        assert (found["status"], found["OS-EXT-AZ:availability_zone"]) == ("ACTIVE", "cell-2")
        answer = await on.nova.post(
            "/servers", json={"server": {**WEB, "availability_zone": "cell-1"}}, headers=version(71)
        )
        assert failed(answer, 400, "badRequest") == "The requested availability zone is not available"
        await on.break_cell("cell-2")
        answer = await on.nova.post("/servers", json={"server": {**WEB}}, headers=version(71))
        assert failed(answer, 500, "computeFault") == NO_ANSWER

    tell(story)


def test_a_server_that_is_being_deleted_is_nowhere(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        up, down = await two_servers(on, on.nova)
        for id in (up, down):
            await change_entry(on, id, state="deleting")
        assert await rows(on.nova) == []
        for id in (up, down):
            for minor in (1, 69):
                failed(await on.nova.get(f"/servers/{id}", headers=version(minor)), 404, "itemNotFound")
            failed(await act(on.nova, id, "os-stop"), 404, "itemNotFound")

    tell(story)
