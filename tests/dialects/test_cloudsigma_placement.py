"""Where things are, through CloudSigma's paths: availability groups, avoid, backfilling, tenants, silent cells."""

from __future__ import annotations

import pytest

from tests.backend.support import TENANT
from tests.dialects.conftest import Tell
from tests.dialects.sigma import (
    DISK,
    GIB,
    MINIMAL,
    a_drive,
    a_running_server,
    a_server,
    created,
    error_of,
    good_list,
)
from tests.dialects.support import Wired, good

# --- availability groups and avoid -----------------------------------------------------------------------------------


def test_an_avoided_server_is_on_another_host_and_the_groups_show_it(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first = await a_running_server(on)
        second = await a_running_server(on, avoid=first["uuid"])
        stopped = await a_server(on)

        groups = good_list(await on.sigma.get("/servers/availability_groups/"))
        own = good_list(await on.sigma.get(f"/servers/availability_groups/{first['uuid']}/"))
        none = good_list(await on.sigma.get(f"/servers/availability_groups/{stopped['uuid']}/"))

        assert sorted(groups) == sorted([[first["uuid"]], [second["uuid"]]])
        assert (own, none) == ([first["uuid"]], [])

    tell(story, cells=("cell-1",))


def test_with_more_to_avoid_than_hosts_the_last_of_the_list_is_joined(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        placed: list[str] = []
        for _ in range(3):
            server = await a_running_server(on, avoid=",".join(placed))
            placed.append(server["uuid"])

        late = await a_running_server(on, avoid=",".join(placed))

        group = good_list(await on.sigma.get(f"/servers/availability_groups/{late['uuid']}/"))
        assert sorted(group) == sorted([placed[-1], late["uuid"]])

    tell(story, cells=("cell-1",), hosts=3)


def test_a_drive_avoids_the_hosts_of_drives_and_of_all_drives_of_a_server(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first = await a_drive(on)
        server = await a_server(on, drives=[{"drive": first["uuid"]}])

        second = created(await on.sigma.post("/drives/", params={"avoid": first["uuid"]}, json=DISK))
        third = created(await on.sigma.post("/drives/", params={"avoid": server["uuid"]}, json=DISK))
        groups = good_list(await on.sigma.get("/drives/availability_groups/"))
        own = good_list(await on.sigma.get(f"/drives/availability_groups/{second['uuid']}/"))

        assert sorted(map(sorted, groups)) == sorted([[first["uuid"]], sorted([second["uuid"], third["uuid"]])])
        assert sorted(own) == sorted([second["uuid"], third["uuid"]])

    tell(story, cells=("cell-1",))


# --- backfilling -----------------------------------------------------------------------------------------------------


def test_an_account_without_the_right_is_403_everywhere_under_bservers(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        before = await on.events()
        for method, path in [
            ("GET", "/bservers/"),
            ("GET", "/bservers/detail/"),
            ("GET", "/bservers/schema/"),
            ("POST", "/bservers/"),
            ("GET", "/bservers/nothing/"),
            ("PUT", "/bservers/nothing/"),
            ("DELETE", "/bservers/nothing/"),
            ("POST", "/bservers/nothing/action/?do=start"),
            ("GET", "/bservers/availability_groups/"),
        ]:
            answer = await on.tenant_sigma.request(method, path)
            assert error_of(answer, 403)["error_type"] == "permission", path
        grey = await on.tenant_sigma.post("/servers/", json={**MINIMAL, "is_grey": True})

        assert error_of(grey, 403)["error_type"] == "permission"
        assert await on.events() == before

    tell(story)


def test_bservers_is_the_part_of_servers_that_is_backfilling(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        normal = await a_server(on)
        spare = created(await on.sigma.post("/bservers/", json=MINIMAL))

        everything = good(await on.sigma.get("/servers/"))["objects"]
        part = good(await on.sigma.get("/bservers/detail/"))
        here = good(await on.sigma.get(f"/servers/{spare['uuid']}/"))

        assert spare["is_grey"] is True
        assert {server["uuid"] for server in everything} == {normal["uuid"], spare["uuid"]}
        assert (part["objects"], part["meta"]["total_count"]) == ([spare], 1)
        assert here == spare

    tell(story)


def test_a_normal_server_is_not_there_under_bservers(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        normal = await a_server(on)
        uuid = normal["uuid"]
        before = await on.events()

        for method, path in [
            ("GET", f"/bservers/{uuid}/"),
            ("GET", f"/bservers/{uuid}/runtime/"),
            ("GET", f"/bservers/availability_groups/{uuid}/"),
            ("PUT", f"/bservers/{uuid}/"),
            ("DELETE", f"/bservers/{uuid}/"),
            ("POST", f"/bservers/{uuid}/action/?do=start"),
            ("POST", f"/bservers/{uuid}/action/?do=stop"),
        ]:
            answer = await on.sigma.request(method, path, json=MINIMAL if method == "PUT" else None)
            assert error_of(answer, 404)["error_type"] == "notexist", path

        assert await on.events() == before

    tell(story)


def test_the_perf_factor_of_a_backfilling_server_falls_when_a_normal_one_needs_room(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        spare = created(await on.sigma.post("/bservers/", json={**MINIMAL, "cpu": 16_000, "mem": 8 * GIB}))
        uuid = spare["uuid"]
        assert good(await on.sigma.post(f"/bservers/{uuid}/action/?do=start"), 202)["result"] == "success"
        await on.advance(8)
        whole = good(await on.sigma.get(f"/bservers/{uuid}/runtime/"))

        normal = await a_running_server(on, cpu=8_000)
        shrunk = good(await on.sigma.get(f"/bservers/{uuid}/"))

        assert whole["perf_factor"] == {"cpu": 1.0, "mem": 1.0}
        assert shrunk["runtime"]["perf_factor"] == {"cpu": 0.5, "mem": 1.0}
        assert (shrunk["status"], shrunk["cpu"]) == ("running", 16_000)
        assert "perf_factor" not in normal["runtime"]

    tell(story, cells=("cell-1",), hosts=1)


@pytest.mark.parametrize("which", ["most_free_by_cpu", "most_free_by_memory"])
def test_a_server_of_exactly_the_free_resources_starts(tell: Tell, which: str) -> None:
    async def story(on: Wired) -> None:
        await a_running_server(on, cpu=3_000, mem=40 * GIB)
        await a_running_server(on, cpu=9_000, mem=2 * GIB)
        free = good(await on.sigma.get("/capabilities/"))["free_resources"]

        spare = created(await on.sigma.post("/bservers/", json={**MINIMAL, **free[which]}))
        started = await on.sigma.post(f"/bservers/{spare['uuid']}/action/?do=start")

        assert set(free) == {"total", "most_free_by_cpu", "most_free_by_memory"}
        assert free["total"]["cpu"] == free["most_free_by_cpu"]["cpu"]
        assert free["total"]["mem"] == free["most_free_by_memory"]["mem"]
        assert started.status_code == 202, started.text

    tell(story)


def test_the_capabilities_of_an_account_without_the_right_have_no_free_resources(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        found = good(await on.tenant_sigma.get("/capabilities/"))

        assert found["backfilling"] is False
        assert "free_resources" not in found
        assert found["hosts"]["amd"]["cpu"] == {"min": 250, "max": 96_000}

    tell(story)


def test_the_flag_changes_only_while_the_server_is_stopped(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        running, stopped = await a_running_server(on), await a_server(on)

        ignored = good(await on.sigma.put(f"/servers/{running['uuid']}/", json={**MINIMAL, "is_grey": True}))
        changed = good(await on.sigma.put(f"/servers/{stopped['uuid']}/", json={**MINIMAL, "is_grey": True}))

        assert (ignored["is_grey"], changed["is_grey"]) == (False, True)
        assert good(await on.sigma.get("/bservers/"))["meta"]["total_count"] == 1

    tell(story)


# --- tenants and silent cells ----------------------------------------------------------------------------------------


def test_another_projects_servers_and_drives_are_not_there(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, drive = await a_running_server(on), await a_drive(on)
        mine = created(await on.tenant_sigma.post("/servers/", json=MINIMAL))

        assert mine["owner"]["email"] == TENANT
        assert [each["uuid"] for each in good(await on.tenant_sigma.get("/servers/"))["objects"]] == [mine["uuid"]]
        assert good(await on.tenant_sigma.get("/drives/"))["objects"] == []
        assert good_list(await on.tenant_sigma.get("/servers/availability_groups/")) == []
        for path in (f"/servers/{server['uuid']}/", f"/drives/{drive['uuid']}/"):
            assert error_of(await on.tenant_sigma.get(path), 404)["error_type"] == "notexist"

    tell(story)


@pytest.mark.parametrize("state", ["down", "hung"])
def test_what_lies_in_a_silent_cell_stays_in_lists_as_unavailable(tell: Tell, state: str) -> None:
    async def story(on: Wired) -> None:
        server = await a_running_server(on)
        drive = await a_drive(on)
        await on.break_cell("cell-1", state)

        short = good(await on.sigma.get("/servers/"))["objects"][0]
        detail = good(await on.sigma.get(f"/servers/{server['uuid']}/"))
        disk = good(await on.sigma.get("/drives/detail/"))["objects"][0]

        assert (short["uuid"], short["status"], short["runtime"]) == (server["uuid"], "unavailable", None)
        assert {name: detail[name] for name in ("cpu", "mem", "owner", "is_grey")} == {
            name: server[name] for name in ("cpu", "mem", "owner", "is_grey")
        }
        assert (detail["name"], detail["runtime"]) == (None, None)
        assert (disk["uuid"], disk["status"], disk["size"]) == (drive["uuid"], "unavailable", drive["size"])
        assert good_list(await on.sigma.get("/servers/availability_groups/")) == []
        assert good_list(await on.sigma.get(f"/servers/availability_groups/{server['uuid']}/")) == []
        assert good_list(await on.sigma.get(f"/drives/availability_groups/{drive['uuid']}/")) == []

    tell(story, cells=("cell-1",))


def test_actions_on_what_lies_in_a_silent_cell_are_503_and_change_nothing(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        running, stopped, drive = await a_running_server(on), await a_server(on), await a_drive(on)
        await on.break_cell("cell-1")
        before = await on.events()

        for method, path, body in [
            ("POST", f"/servers/{stopped['uuid']}/action/?do=start", None),
            ("POST", f"/servers/{running['uuid']}/action/?do=stop", None),
            ("PUT", f"/servers/{stopped['uuid']}/", MINIMAL),
            ("DELETE", f"/servers/{stopped['uuid']}/", None),
            ("PUT", f"/drives/{drive['uuid']}/", {"name": "new"}),
            ("DELETE", f"/drives/{drive['uuid']}/", None),
            ("POST", "/servers/", {**MINIMAL, "drives": [{"drive": drive["uuid"]}]}),
            ("POST", "/servers/", MINIMAL),
            ("POST", "/drives/", DISK),
        ]:
            answer = await on.sigma.request(method, path, json=body)
            assert error_of(answer, 503)["error_type"] == "backend", (method, path)

        assert await on.events() == before

    tell(story, cells=("cell-1",))
