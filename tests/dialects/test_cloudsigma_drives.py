"""Drives as CloudSigma publishes them: resizing, snapshots, the library, jobs, and what hangs on them."""

from __future__ import annotations

from typing import Any

import pytest

from backend.check import check
from tests.dialects.conftest import Tell
from tests.dialects.sigma import DISK, GIB, MINIMAL, a_drive, a_running_server, a_server, created, error_of
from tests.dialects.support import Wired, good

LARGER = 2 * GIB


async def look(on: Wired, drive: dict[str, Any]) -> dict[str, Any]:
    return good(await on.sigma.get(f"/drives/{drive['uuid']}/"))


async def look_at_server(on: Wired, server: dict[str, Any]) -> dict[str, Any]:
    return good(await on.sigma.get(f"/servers/{server['uuid']}/"))


async def quota_used(on: Wired) -> int:
    project = next(iter(await on.app.cloud.store.cloud_read(lambda tx: tx.drive_entries()))).project_id
    used = await on.app.cloud.store.cloud_read(lambda tx: tx.usage(project))
    return used.storage_bytes


# --- resizing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_mounted", [False, True])
def test_a_drive_that_grows_has_its_old_size_until_it_is_done(tell: Tell, is_mounted: bool) -> None:
    async def story(on: Wired) -> None:
        drive = await look(on, await a_drive(on))
        path = f"/drives/{drive['uuid']}/"
        if is_mounted:
            await a_server(on, drives=[{"drive": drive["uuid"]}])
        before = await look(on, drive)

        begun = good(await on.sigma.put(path, json={**before, "name": "grown", "size": str(LARGER - 1)}))
        used = await quota_used(on)
        again = error_of(await on.sigma.put(path, json={**before, "size": 3 * GIB}), 403)
        gone = error_of(await on.sigma.delete(path), 403)
        assert good(await on.sigma.put(path, json=begun)) == begun, "what is shown may be sent back"
        await on.advance(5)
        ended = await look(on, drive)

        assert (begun["status"], begun["size"], begun["name"]) == ("resizing", before["size"], "grown")
        assert used == LARGER, "what it is to be is charged for from the beginning"
        assert again["error_type"] == gone["error_type"] == "permission"
        assert ended == {**before, "name": "grown", "size": LARGER}

    tell(story)


def test_of_a_drive_in_use_only_name_meta_and_tags_change(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await look(on, await a_drive(on))
        await a_running_server(on, drives=[{"drive": drive["uuid"]}])
        before = await look(on, drive)
        change = {"name": "new", "meta": {"a": "b"}, "size": LARGER, "media": "cdrom", "affinities": ["ssd"]}

        put = good(await on.sigma.put(f"/drives/{drive['uuid']}/", json={**before, **change, "allow_multimount": True}))

        assert put == {**before, "name": "new", "meta": {"a": "b"}, "allow_multimount": True}

    tell(story)


def test_the_action_resizes_or_is_refused_where_a_server_runs(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        used = await a_drive(on)
        await a_running_server(on, drives=[{"drive": used["uuid"]}])
        body = {"name": "disk-01", "media": "disk", "size": LARGER}

        begun = good(await on.sigma.post(f"/drives/{drive['uuid']}/action/?do=resize", json=body), 202)
        refused = error_of(await on.sigma.post(f"/drives/{used['uuid']}/action/?do=resize", json=body), 403)

        assert [each["status"] for each in begun["objects"]] == ["resizing"]
        assert refused["error_type"] == "permission"

    tell(story)


def test_a_drive_does_not_grow_beyond_the_quota(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        before = await look(on, drive)

        over = error_of(await on.sigma.put(f"/drives/{drive['uuid']}/", json={"size": 11 * GIB}), 403)

        assert over["error_type"] == "permission"
        assert await look(on, drive) == before

    tell(story, storage_bytes_max=10 * GIB)


def test_a_drive_does_not_grow_beyond_its_storage_host(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        before = await look(on, drive)

        full = error_of(await on.sigma.put(f"/drives/{drive['uuid']}/", json={"size": 14 * 2**40}), 503)

        assert full["error_type"] == "backend"
        assert await look(on, drive) == before
        assert await quota_used(on) == before["size"], "what was reserved goes back"

    tell(story)


def test_a_server_does_not_start_on_a_drive_that_is_being_resized(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        server = await a_server(on, drives=[{"drive": drive["uuid"]}])
        good(await on.sigma.put(f"/drives/{drive['uuid']}/", json={"size": LARGER}))

        early = error_of(await on.sigma.post(f"/servers/{server['uuid']}/action/?do=start"), 403)
        await on.advance(5)

        assert "resizing" in early["error_message"]
        assert (await on.sigma.post(f"/servers/{server['uuid']}/action/?do=start")).status_code == 202

    tell(story)


def test_a_server_may_be_made_on_a_copy_that_is_not_whole_yet(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        path = f"/drives/{drive['uuid']}/action/"
        copy = good(await on.sigma.post(path, params={"do": "clone"}), 202)["objects"][0]
        await a_server(on, drives=[{"drive": copy["uuid"]}])
        early = await look(on, copy)
        await on.advance(10)

        assert (early["status"], len(early["jobs"])) == ("cloning_dst", 1)
        assert (await look(on, copy))["status"] == "mounted"

    tell(story)


# --- snapshots -------------------------------------------------------------------------------------------------------


async def a_snapshot(on: Wired, drive: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = created(await on.sigma.post("/snapshots/", json={"drive": drive["uuid"], **more}))
    await on.advance(3)
    return made


def test_a_snapshot_is_being_made_then_available_and_shown_by_its_drive(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        made = created(await on.sigma.post("/snapshots/", json={"objects": [{"drive": drive}]}))
        await on.advance(3)
        later = good(await on.sigma.get(f"/snapshots/{made['uuid']}/"))
        listed = good(await on.sigma.get("/drives/detail/"))["objects"]

        assert made == {
            "allocated_size": None,
            "drive": {"uuid": drive["uuid"], "resource_uri": drive["resource_uri"]},
            "grantees": [],
            "meta": {},
            "name": f"{drive['uuid']}__2026-11-20__12_00_05",
            "owner": drive["owner"],
            "permissions": [],
            "resource_uri": f"/api/2.0/snapshots/{made['uuid']}/",
            "status": "creating",
            "tags": [],
            "timestamp": "2026-11-20 12:00:05.000000+00:00",
            "uuid": made["uuid"],
        }
        assert later == {**made, "status": "available", "allocated_size": 0}
        assert listed[0]["snapshots"] == [{"uuid": made["uuid"], "resource_uri": made["resource_uri"]}]

    tell(story)


def test_a_snapshot_counts_against_the_storage_quota_and_goes_with_its_drive(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on, size=3 * GIB)
        first = await a_snapshot(on, drive)
        over = error_of(await on.sigma.post("/snapshots/", json={"drive": drive["uuid"]}), 403)
        listed = good(await on.sigma.get("/snapshots/"))["objects"]
        assert check(on.app.cloud.store.path).breach is None
        assert (await on.sigma.delete(f"/drives/{drive['uuid']}/")).status_code == 204

        assert [each["uuid"] for each in listed] == [first["uuid"]]
        assert over["error_type"] == "permission"
        assert good(await on.sigma.get("/snapshots/"))["objects"] == []
        error_of(await on.sigma.get(f"/snapshots/{first['uuid']}/"), 404)
        created(await on.sigma.post("/drives/", json={**DISK, "size": 7 * GIB}))

    tell(story, storage_bytes_max=8 * GIB)


def test_a_snapshot_is_cloned_as_its_drive_was(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on, size=GIB)
        early = created(await on.sigma.post("/snapshots/", json={"drive": drive["uuid"], "name": "before"}))
        path = f"/snapshots/{early['uuid']}/action/"
        too_early = error_of(await on.sigma.post(path, params={"do": "clone"}), 403)
        await on.advance(3)
        good(await on.sigma.put(f"/drives/{drive['uuid']}/", json={"size": LARGER}))
        await on.advance(5)

        copy = good(await on.sigma.post(path, params={"do": "clone"}, json={"media": "cdrom"}), 202)
        apart = good(await on.sigma.post(path, params={"do": "clone", "avoid": drive["uuid"]}, json={"name": "x"}), 202)
        small = error_of(await on.sigma.post(path, params={"do": "clone"}, json={"size": GIB // 2}), 400)

        assert "creating" in too_early["error_message"]
        assert (copy["name"], copy["size"], copy["media"], copy["status"]) == ("before", GIB, "cdrom", "cloning_dst")
        assert apart["name"] == "x"
        groups = (await on.sigma.get(f"/drives/availability_groups/{drive['uuid']}/")).json()
        assert apart["uuid"] not in groups
        assert small["error_point"] == "size"

    tell(story)


def test_name_meta_and_tags_of_a_snapshot_change_and_nothing_else(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        made = await a_snapshot(on, await a_drive(on))
        path = f"/snapshots/{made['uuid']}/"
        before = good(await on.sigma.get(path))

        change = {"name": "after", "meta": {"a": "b"}, "allocated_size": 7}
        put = good(await on.sigma.put(path, json={**before, **change}))
        stale = await on.sigma.put(path, json={"name": "x"}, headers={"If-Match": '"1"'})

        assert put == {**before, "name": "after", "meta": {"a": "b"}}
        assert stale.status_code == 412

    tell(story)


def test_what_another_account_may_not_see_is_not_there(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        made = await a_snapshot(on, drive)
        copy = good(await on.sigma.post(f"/drives/{drive['uuid']}/action/?do=clone"), 202)["objects"][0]
        [job] = copy["jobs"]

        for path in (f"/snapshots/{made['uuid']}/", f"/jobs/{job['uuid']}/", f"/drives/{drive['uuid']}/"):
            assert error_of(await on.tenant_sigma.get(path), 404)["error_type"] == "notexist"
            assert (await on.sigma.get(path)).status_code == 200
        for path in ("/snapshots/", "/jobs/"):
            assert good(await on.tenant_sigma.get(path))["objects"] == []
        body = {"drive": drive["uuid"]}
        error_of(await on.tenant_sigma.post("/snapshots/", json=body), 404)
        error_of(await on.tenant_sigma.request("DELETE", "/snapshots/", json=[made["uuid"]]), 404)

    tell(story)


# --- the library -----------------------------------------------------------------------------------------------------


def test_a_library_drive_is_cloned_from_either_path_with_what_it_is_in_its_meta(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        images = good(await on.sigma.get("/libdrives/", params={"distribution": "debian"}))["objects"]
        [image] = images
        made = []
        for kind in ("drives", "libdrives"):
            path = f"/{kind}/{image['uuid']}/action/"
            answer = good(await on.sigma.post(path, params={"do": "clone"}, json={"name": kind}), 202)
            made += answer["objects"]
        await on.advance(10)
        whole = await look(on, made[0])
        small = error_of(await on.sigma.post(path, params={"do": "clone"}, json={"size": GIB}), 400)

        assert [drive["status"] for drive in made] == ["cloning_dst"] * 2
        assert whole["status"] == "unmounted"
        assert whole["meta"]["distribution"] == "debian"
        assert small["error_point"] == "size"
        assert good(await on.sigma.get(f"/drives/{image['uuid']}/")) == image
        assert image["uuid"] not in [drive["uuid"] for drive in good(await on.sigma.get("/drives/"))["objects"]]
        assert check(on.app.cloud.store.path).breach is None

    tell(story)


def test_a_library_drive_is_not_attached_nor_changed(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        image = good(await on.sigma.get("/libdrives/"))["objects"][0]
        path = f"/drives/{image['uuid']}/"

        attached = error_of(await on.sigma.post("/servers/", json={**MINIMAL, "drives": [{"drive": image}]}), 403)

        assert attached["error_type"] == "permission"
        for method in ("PUT", "DELETE"):
            assert (await on.sigma.request(method, path, json=image)).status_code == 403

    tell(story)


def test_a_drive_that_is_being_copied_is_mounted_on_no_server_and_none_is_made_for_it(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on, size=10 * GIB)
        server = await look_at_server(on, await a_server(on))
        good(await on.sigma.post(f"/drives/{drive['uuid']}/action/", params={"do": "clone"}), 202)
        log = good(await on.ops.get("/events"))["events"]
        wanted = {"drives": [{"drive": drive["uuid"]}]}

        made = error_of(await on.sigma.post("/servers/", json={**MINIMAL, **wanted}), 403)
        edited = error_of(await on.sigma.put(f"/servers/{server['uuid']}/", json={**server, **wanted}), 403)

        assert made == edited
        assert 'Cannot attach drive in state "cloning_src"' in made["error_message"]
        assert good(await on.ops.get("/events"))["events"] == log, "nothing was made and deleted again"
        await on.advance(20)
        good(await on.sigma.post("/servers/", json={**MINIMAL, **wanted}), 201)

    tell(story)


# --- jobs ------------------------------------------------------------------------------------------------------------


def test_a_job_tells_how_far_a_clone_is_and_is_kept_for_three_days(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on, size=10 * GIB)
        path = f"/drives/{drive['uuid']}/action/"
        copy = good(await on.sigma.post(path, params={"do": "clone"}), 202)["objects"][0]
        [reference] = copy["jobs"]
        path = reference["resource_uri"].removeprefix("/api/2.0")
        await on.advance(5)
        half = good(await on.sigma.get(path))
        await on.advance(5)
        done = good(await on.sigma.get(path))
        await on.advance(3 * 86_400)

        assert half == {
            "children": [],
            "created": "2026-11-20 12:00:05.000000+00:00",
            "data": {"progress": 50},
            "last_modified": "2026-11-20 12:00:05.000000+00:00",
            "operation": "drive_clone",
            "resource_uri": reference["resource_uri"],
            "resources": [drive["resource_uri"], copy["resource_uri"]],
            "state": "started",
            "uuid": reference["uuid"],
        }
        assert (done["state"], done["data"]) == ("success", {"progress": 100})
        assert good(await on.sigma.get("/jobs/"))["objects"] == []
        error_of(await on.sigma.get(path), 404)

    tell(story)


def test_the_job_of_a_servers_clone_has_those_of_its_drives_as_children(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drives = [await a_drive(on) for _ in range(2)]
        origin = await a_server(on, drives=[{"drive": drive["uuid"]} for drive in drives])
        clone = good(await on.sigma.post(f"/servers/{origin['uuid']}/action/?do=clone"), 202)
        [reference] = clone["jobs"]
        job = good(await on.sigma.get(reference["resource_uri"].removeprefix("/api/2.0")))
        listed = good(await on.sigma.get(f"/servers/{clone['uuid']}/"))
        await on.advance(60)
        later = good(await on.sigma.get(f"/servers/{clone['uuid']}/"))

        assert (job["operation"], job["state"], len(job["children"])) == ("server_clone", "started", 2)
        assert job["resources"] == [clone["resource_uri"]]
        assert (listed["jobs"], later["jobs"]) == ([reference], [])
        assert len(good(await on.sigma.get("/jobs/?state=success"))["objects"]) == 3

    tell(story)


# --- deleting --------------------------------------------------------------------------------------------------------


def test_several_are_deleted_at_once_or_none_of_them(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        free, mounted, used = [await a_drive(on) for _ in range(3)]
        stopped = await a_server(on, drives=[{"drive": mounted["uuid"]}])
        running = await a_running_server(on, drives=[{"drive": used["uuid"]}])
        before = await on.events()

        async def delete(path: str, *uuids: str) -> int:
            body = {"objects": [{"uuid": uuid} for uuid in uuids]}
            return (await on.sigma.request("DELETE", path, json=body)).status_code

        assert await delete("/drives/", free["uuid"], mounted["uuid"], used["uuid"]) == 403
        assert await delete("/servers/", stopped["uuid"], running["uuid"]) == 403
        assert await delete("/bservers/", stopped["uuid"]) == 404
        assert await delete("/drives/") == 400
        assert await on.events() == before
        assert await delete("/drives/", free["uuid"], mounted["uuid"]) == 204
        assert await delete("/servers/", stopped["uuid"]) == 204
        assert [drive["uuid"] for drive in good(await on.sigma.get("/drives/"))["objects"]] == [used["uuid"]]
        assert [server["uuid"] for server in good(await on.sigma.get("/servers/"))["objects"]] == [running["uuid"]]

    tell(story)


# --- cells that do not answer ----------------------------------------------------------------------------------------


def test_what_lies_in_a_silent_cell_stays_listed_and_refuses_what_needs_it(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        made = await a_snapshot(on, drive)
        server = await a_server(on, drives=[{"drive": drive["uuid"]}])
        for cell in ("cell-1", "cell-2"):
            await on.break_cell(cell)

        listed = good(await on.sigma.get("/drives/detail/"))["objects"]
        found = good(await on.sigma.get(f"/servers/{server['uuid']}/"))
        snapshot = good(await on.sigma.get(f"/snapshots/{made['uuid']}/"))

        assert [(each["uuid"], each["status"], each["runtime"]) for each in listed] == [
            (drive["uuid"], "unavailable", None)
        ]
        assert (found["status"], found["runtime"]) == ("unavailable", None)
        assert snapshot["uuid"] == made["uuid"]
        asked = [
            ("PUT", f"/drives/{drive['uuid']}/", {"name": "x"}),
            ("DELETE", f"/drives/{drive['uuid']}/", None),
            ("POST", f"/drives/{drive['uuid']}/action/?do=clone", None),
            ("POST", f"/drives/{drive['uuid']}/action/?do=resize", {"size": LARGER}),
            ("POST", f"/snapshots/{made['uuid']}/action/?do=clone", None),
            ("POST", "/snapshots/", {"drive": drive["uuid"]}),
            ("PUT", f"/servers/{server['uuid']}/", MINIMAL),
            ("DELETE", f"/servers/{server['uuid']}/", None),
            *(
                ("POST", f"/servers/{server['uuid']}/action/?do={action}", None)
                for action in ("start", "stop", "shutdown", "restart", "clone", "open_vnc", "close_console")
            ),
        ]
        for method, path, body in asked:
            answer = await on.sigma.request(method, path, json=body)
            assert error_of(answer, 503)["error_type"] == "backend", (method, path)
        assert (await on.sigma.get("/drives/availability_groups/")).json() == []

    tell(story)
