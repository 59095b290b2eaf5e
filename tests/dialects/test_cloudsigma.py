"""Servers and drives through CloudSigma's paths: published shapes, lists, actions, edits, mounts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.backend.support import OPERATOR
from tests.dialects.conftest import Tell
from tests.dialects.sigma import DISK, MINIMAL, a_drive, a_running_server, a_server, act, created, error_of
from tests.dialects.support import Wired, good

SERVER_KEYS = {
    "allocation_pool", "auto_start", "context", "cpu", "cpu_model", "cpu_perf_threshold", "cpu_type",
    "cpus_instead_of_cores", "drives", "enable_numa", "epcs", "gpus", "grantees", "hv_relaxed", "hv_tsc", "hypervisor",
    "is_grey", "jobs", "mem", "mem_perf_threshold", "meta", "name", "nics", "owner", "permissions", "pubkeys",
    "requirements", "resource_uri", "runtime", "smp", "status", "tags", "uuid", "vnc_password",
}  # fmt: skip
DRIVE_KEYS = {
    "affinities", "allow_multimount", "backup_scheduler", "grantees", "iops", "jobs", "licenses", "media", "meta",
    "mounted_on", "name", "owner", "permissions", "remote_snapshots", "resource_uri", "runtime", "size", "snapshots",
    "status", "storage_type", "tags", "uuid",
}  # fmt: skip


# --- servers ---------------------------------------------------------------------------------------------------------


def test_a_minimal_server_has_every_published_field_with_its_default(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await a_server(on)

        assert set(server) == SERVER_KEYS
        assert {name: server[name] for name in ("name", "cpu", "mem", "vnc_password")} == MINIMAL
        assert {name: server[name] for name in ("smp", "cpu_type", "hypervisor", "context", "is_grey")} == {
            "smp": 1,
            "cpu_type": "amd",
            "hypervisor": "kvm",
            "context": True,
            "is_grey": False,
        }
        assert (server["status"], server["runtime"], server["drives"], server["tags"]) == ("stopped", None, [], [])
        assert server["resource_uri"] == f"/api/2.0/servers/{server['uuid']}/"
        assert server["owner"] == {"uuid": "1", "email": OPERATOR, "resource_uri": "/api/2.0/user/1/"}
        assert good(await on.sigma.get(f"/servers/{server['uuid']}/")) == server

    tell(story)


@pytest.mark.parametrize("body", [MINIMAL, [MINIMAL, MINIMAL], {"objects": [MINIMAL] * 3}])
def test_one_bare_object_a_list_and_an_envelope_are_all_creates(tell: Tell, body: Any) -> None:
    async def story(on: Wired) -> None:
        count = len(body) if isinstance(body, list) else len(body.get("objects", [body]))

        made = good(await on.sigma.post("/servers/", json=body), 201)["objects"]
        listed = good(await on.sigma.get("/servers/"))

        assert len({server["uuid"] for server in made}) == count
        assert listed["meta"] == {"limit": 20, "offset": 0, "total_count": count}

    tell(story)


def test_the_plain_list_has_six_fields_and_the_detailed_one_all(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await a_server(on)

        short = good(await on.sigma.get("/servers/"))["objects"]
        detail = good(await on.sigma.get("/servers/detail/"))["objects"]
        fields = good(await on.sigma.get("/servers/", params={"fields": "uuid,status"}))["objects"]

        assert set(short[0]) == {"uuid", "name", "owner", "resource_uri", "runtime", "status"}
        assert detail == [server]
        assert fields == [{"uuid": server["uuid"], "status": "stopped"}]

    tell(story)


def test_a_list_has_twenty_objects_unless_it_is_asked_for_more(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        made = good(await on.sigma.post("/servers/", json=[MINIMAL] * 25), 201)["objects"]
        uuids = sorted(server["uuid"] for server in made)

        async def listed(**params: int) -> tuple[list[str], dict[str, int]]:
            page = good(await on.sigma.get("/servers/detail/", params=params))
            return [server["uuid"] for server in page["objects"]], page["meta"]

        assert await listed() == (uuids[:20], {"limit": 20, "offset": 0, "total_count": 25})
        assert await listed(offset=20) == (uuids[20:], {"limit": 20, "offset": 20, "total_count": 25})
        assert await listed(limit=0) == (uuids, {"limit": 0, "offset": 0, "total_count": 25})
        assert await listed(limit=2, offset=1) == (uuids[1:3], {"limit": 2, "offset": 1, "total_count": 25})
        assert await listed(offset=1000) == ([], {"limit": 20, "offset": 1000, "total_count": 25})

    tell(story)


def test_a_filter_takes_any_of_several_values_and_all_of_several_names(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for name in ("web-01", "web-02", "data,01"):
            await a_server(on, name=name, tags=[f"about-{name[:3]}"])

        async def names(**params: str) -> list[str]:
            page = good(await on.sigma.get("/servers/detail/", params=params))
            assert page["meta"]["total_count"] == len(page["objects"])
            return [server["name"] for server in page["objects"]]

        assert await names(name="web-01,web-02") == ["web-01", "web-02"]
        assert await names(name="data\\,01") == ["data,01"]
        assert await names(name__contains="WEB", name="web-02") == ["web-02"]
        assert await names(status="running") == []
        assert await names(tag__name="about-dat") == ["data,01"]

    tell(story)


def test_the_last_slash_may_be_left_out(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await a_server(on)

        for path in ("/servers", "/servers/detail", f"/servers/{server['uuid']}", "/capabilities", "/drives/schema"):
            assert (await on.sigma.get(path)).text == (await on.sigma.get(path + "/")).text

    tell(story)


def test_a_server_starts_stops_and_shuts_down(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        uuid = (await a_server(on))["uuid"]
        seen = []

        async def look() -> None:
            seen.append(good(await on.sigma.get(f"/servers/{uuid}/"))["status"])

        for action, seconds in (("start", 8), ("stop", 2), ("start", 8), ("shutdown", 12)):
            await act(on, uuid, action)
            await look()
            await on.advance(seconds)
            await look()

        assert seen == [
            *("starting", "running", "stopping", "stopped"),
            *("starting", "running", "stopping", "stopped"),
        ]

    tell(story)


def test_an_action_needs_no_body_and_takes_an_object(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first, second = (await a_server(on))["uuid"], (await a_server(on))["uuid"]

        empty = await on.sigma.post(f"/servers/{first}/action/?do=start", headers={"Content-Type": "application/json"})
        told = await on.sigma.post(f"/servers/{second}/action/?do=start", json={"allocation_method": "eager"})

        assert (empty.status_code, told.status_code) == (202, 202)

    tell(story)


def test_starting_what_runs_is_403_in_the_published_words(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        running, stopped = await a_running_server(on), await a_server(on)

        again = error_of(await on.sigma.post(f"/servers/{running['uuid']}/action/?do=start"), 403)
        stop = error_of(await on.sigma.post(f"/servers/{stopped['uuid']}/action/?do=stop"), 403)

        assert again == {
            "error_type": "permission",
            "error_message": 'Cannot start guest in state "started". Guest should be in state "stopped"',
            "error_point": None,
        }
        assert stop["error_message"] == (
            """Cannot stop guest in state "stopped". Guest should be in state "['started', 'paused']\""""
        )

    tell(story)


def test_a_running_server_has_a_runtime_with_its_nics_and_no_perf_factor(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        nics = [{"ip_v4_conf": {"conf": "dhcp"}, "model": "virtio"}]
        server = await a_running_server(on, nics=nics)
        stopped = await a_server(on)

        runtime = good(await on.sigma.get(f"/servers/{server['uuid']}/runtime/"))
        nothing = good(await on.sigma.get(f"/servers/{stopped['uuid']}/runtime/"))

        assert runtime == server["runtime"]
        assert set(runtime) == {"active_since", "nics"}
        assert runtime["active_since"] == "2026-11-20T12:00:00+00:00"
        assert runtime["nics"][0]["mac"] == server["nics"][0]["mac"]
        assert set(server["nics"][0]["runtime"]) >= {"interface_type", "io", "ip_v4", "ip_v6"}
        assert nothing == {}

    tell(story)


def test_what_was_got_can_be_put_back_and_changes_nothing(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        server = await a_server(
            on,
            tags=["group:web"],
            meta={"role": "front"},
            nics=[{"ip_v4_conf": {"conf": "dhcp"}}, {"ip_v4_conf": {"conf": "manual"}}],
            drives=[{"device": "virtio", "dev_channel": "0:0", "boot_order": 1, "drive": drive["uuid"]}],
            cpu_perf_threshold=0.5,
        )
        detail = good(await on.sigma.get(f"/servers/{server['uuid']}/"))
        before = await on.events()

        put = good(await on.sigma.put(f"/servers/{server['uuid']}/", json=detail))

        assert put == detail
        assert await on.events() == before

    tell(story)


def test_a_put_keeps_what_it_does_not_mention(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await a_server(on, meta={"role": "front"}, tags=["group:web"], smp=4, cpu_type="intel")

        put = good(await on.sigma.put(f"/servers/{server['uuid']}/", json={**MINIMAL, "cpu": 4000, "name": "web-02"}))

        assert put == {**server, "cpu": 4000, "name": "web-02"}

    tell(story)


def test_of_a_running_server_only_name_meta_and_tags_change(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await a_running_server(on)
        change = {
            **MINIMAL,
            "name": "new",
            "meta": {"a": "b"},
            "tags": ["c"],
            "cpu": 4000,
            "vnc_password": "x",
            "smp": 2,
        }

        put = good(await on.sigma.put(f"/servers/{server['uuid']}/", json=change))

        assert {name for name in put if put[name] != server[name]} == {"name", "meta", "tags"}
        assert (put["name"], put["meta"], put["tags"][0]["name"]) == ("new", {"a": "b"}, "c")

    tell(story)


def test_a_nic_keeps_its_mac_as_long_as_it_is_listed(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        dhcp = {"ip_v4_conf": {"conf": "dhcp"}}
        server = await a_server(on, nics=[dhcp, dhcp])
        first, second = server["nics"]
        path = f"/servers/{server['uuid']}/"

        put = good(await on.sigma.put(path, json={**server, "nics": [second, dhcp]}))
        unknown = await on.sigma.put(path, json={**server, "nics": [first]})

        assert first["mac"].startswith("22:")
        assert put["nics"][0]["mac"] == second["mac"]
        assert put["nics"][1]["mac"] not in (first["mac"], second["mac"])
        assert error_of(unknown, 400)["error_point"] == "mac"

    tell(story)


def test_a_deleted_server_is_gone_at_once_and_its_drive_is_free(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        server = await a_server(on, drives=[{"drive": drive["uuid"]}])

        answer = await on.sigma.delete(f"/servers/{server['uuid']}/")
        listed = good(await on.sigma.get("/servers/"))

        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["content-type"].startswith("text/html")
        assert (listed["objects"], listed["meta"]["total_count"]) == ([], 0)
        assert good(await on.sigma.get(f"/drives/{drive['uuid']}/"))["status"] == "unmounted"

    tell(story)


@pytest.mark.parametrize(("recurse", "left"), [("all_drives", set()), ("disks", {"cdrom"}), ("cdroms", {"disk"})])
def test_a_server_takes_the_drives_with_it_that_are_named(tell: Tell, recurse: str, left: set[str]) -> None:
    async def story(on: Wired) -> None:
        drives = [await a_drive(on, media=media) for media in ("disk", "cdrom")]
        server = await a_server(on, drives=[{"drive": drive["uuid"]} for drive in drives])

        answer = await on.sigma.delete(f"/servers/{server['uuid']}/", params={"recurse": recurse})
        found = good(await on.sigma.get("/drives/detail/"))["objects"]

        assert answer.status_code == 204
        assert {drive["media"] for drive in found} == left

    tell(story)


def test_a_running_server_cannot_be_deleted(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await a_running_server(on)

        assert error_of(await on.sigma.delete(f"/servers/{server['uuid']}/"), 403)["error_type"] == "permission"

    tell(story)


def test_without_room_a_start_is_503_and_says_why(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for number in range(4):
            await on.running(f"full-{number}", cpu=16_000)
        server = await a_server(on, cpu=16_000)

        error = error_of(await on.sigma.post(f"/servers/{server['uuid']}/action/?do=start"), 503)

        assert error["error_type"] == "backend"
        assert "short of CPU" in error["error_message"]

    tell(story)


def test_methods_are_listed_by_options(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        assert (await on.sigma.options("/servers/")).text == "GET,POST,DELETE"

    tell(story)


def test_a_schema_names_each_field_that_a_create_takes(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = good(await on.sigma.get("/servers/schema/"))
        drive = good(await on.sigma.get("/drives/schema/"))

        assert set(server["fields"]) >= {"name", "cpu", "mem", "vnc_password", "is_grey", "drives", "uuid", "status"}
        assert server["fields"]["is_grey"]["default"] is False
        assert server["fields"]["status"]["readonly"] is True
        assert set(drive["fields"]) >= {"name", "size", "media", "storage_type"}
        assert server["default_limit"] == 20

    tell(story)


# --- drives ----------------------------------------------------------------------------------------------------------


def test_a_drive_is_being_made_before_it_is_unmounted(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = created(await on.sigma.post("/drives/", json=DISK))
        await on.advance(3)
        later = good(await on.sigma.get(f"/drives/{drive['uuid']}/"))
        short = good(await on.sigma.get("/drives/"))["objects"]

        assert set(drive) == DRIVE_KEYS
        assert (drive["status"], later["status"]) == ("creating", "unmounted")
        assert (drive["size"], drive["storage_type"], drive["mounted_on"]) == (1_024_000_000, "dssd", [])
        assert drive["runtime"]["is_snapshotable"] is None
        assert later["runtime"]["is_snapshotable"] is True
        assert set(short[0]) == {"uuid", "owner", "resource_uri", "status"}

    tell(story)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [(1_207_959_631, 1_207_975_936), (10**9, 1_000_013_824), ("1024000000", 1_024_000_000), (2e9, 2_000_011_264)],
)
def test_a_size_is_rounded_up_to_whole_blocks_and_may_be_text(tell: Tell, sent: Any, stored: int) -> None:
    async def story(on: Wired) -> None:
        assert (await a_drive(on, size=sent))["size"] == stored

    tell(story)


def test_drives_are_mounted_and_unmounted_through_their_server(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first, second = await a_drive(on), await a_drive(on)
        server = await a_server(on)
        path = f"/servers/{server['uuid']}/"

        async def put(*mounts: dict[str, Any]) -> list[dict[str, Any]]:
            body = good(await on.sigma.put(path, json={**MINIMAL, "drives": list(mounts)}))
            found: list[dict[str, Any]] = body["drives"]
            return found

        one = await put({"drive": first["uuid"], "device": "ide", "dev_channel": "0:1", "boot_order": 1})
        both = await put(one[0], {"drive": {"uuid": second["uuid"]}, "device": "virtio", "dev_channel": "0:0"})
        mounted = good(await on.sigma.get(f"/drives/{first['uuid']}/"))
        moved = await put({"drive": first["uuid"], "device": "virtio", "dev_channel": "0:3"})
        freed = good(await on.sigma.get(f"/drives/{second['uuid']}/"))

        assert one == [
            {
                "boot_order": 1,
                "dev_channel": "0:1",
                "device": "ide",
                "drive": {"uuid": first["uuid"], "resource_uri": first["resource_uri"]},
                "runtime": None,
            }
        ]
        assert {mount["drive"]["uuid"] for mount in both} == {first["uuid"], second["uuid"]}
        assert mounted["status"] == "mounted"
        assert [each["uuid"] for each in mounted["mounted_on"]] == [server["uuid"]]
        assert [(mount["device"], mount["dev_channel"], mount["boot_order"]) for mount in moved] == [
            ("virtio", "0:3", None)
        ]
        assert (freed["status"], freed["mounted_on"]) == ("unmounted", [])

    tell(story)


@pytest.mark.parametrize("state", ["down", "hung"])
def test_a_drive_in_a_silent_cell_stays_attached_whoever_writes_back_what_was_read_meanwhile(
    tell: Tell, state: str
) -> None:
    async def story(on: Wired) -> None:
        drive = await on.drive("data", cell="cell-2")
        server = await on.server("db", cell="cell-1")
        path = f"/servers/{server['id']}/"
        mount = {"drive": drive["id"], "device": "ide", "dev_channel": "1:0", "boot_order": 3}
        before = good(await on.sigma.put(path, json={**MINIMAL, "drives": [mount]}))
        await on.break_cell("cell-2", state)

        seen = good(await on.sigma.get(path))
        listed = good(await on.sigma.get("/servers/detail/"))["objects"]
        assert [each["drive"]["uuid"] for each in seen["drives"]] == [drive["id"]]
        assert seen["drives"][0]["dev_channel"] is None
        assert listed == [seen]
        assert good(await on.sigma.put(path, json={**seen, "name": "renamed"}))["name"] == "renamed"
        assert error_of(await on.sigma.put(path, json={**seen, "drives": []}), 503)["error_type"] == "backend"

        good(await on.ops.put("/cells/cell-2/reachability", json={"state": "up"}))
        after = good(await on.sigma.put(path, json=seen))
        assert after["drives"] == before["drives"]

    tell(story)


def test_a_drive_of_another_server_is_refused_before_anything_changes(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        await a_server(on, drives=[{"drive": drive["uuid"]}])
        other = await a_server(on)
        before = await on.events()

        put = await on.sigma.put(
            f"/servers/{other['uuid']}/", json={**MINIMAL, "name": "new", "drives": [{"drive": drive["uuid"]}]}
        )
        post = await on.sigma.post("/servers/", json=[MINIMAL, {**MINIMAL, "drives": [{"drive": drive["uuid"]}]}])

        assert error_of(put, 403)["error_type"] == error_of(post, 403)["error_type"] == "permission"
        assert await on.events() == before

    tell(story)


def test_name_meta_tags_and_media_of_a_drive_change(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        drive = good(await on.sigma.get(drive["resource_uri"].removeprefix("/api/2.0")))
        path = f"/drives/{drive['uuid']}/"

        put = good(await on.sigma.put(path, json={**drive, "name": "new", "meta": {"a": "b"}, "media": "cdrom"}))

        assert put == {**drive, "name": "new", "meta": {"a": "b"}, "media": "cdrom"}

    tell(story)


def test_a_deleted_drive_is_gone(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)

        assert (await on.sigma.delete(f"/drives/{drive['uuid']}/")).status_code == 204
        assert error_of(await on.sigma.get(f"/drives/{drive['uuid']}/"), 404)["error_type"] == "notexist"

    tell(story)
