"""Servers of the Compute API: booted, started, stopped, changed and deleted; the same ones that other APIs show."""

from __future__ import annotations

from typing import Any

import pytest

from backend.cloud.catalogue import FLAVORS, IMAGES
from backend.cloud.model import GIB
from tests.dialects.compute import DEBIAN, WEB, a_boot, act, change_entry, failed, from_volume, shown, version
from tests.dialects.conftest import Tell
from tests.dialects.sigma import a_running_server, a_server
from tests.dialects.support import Wired, good


def test_a_boot_is_accepted_at_once_and_runs_when_its_start_is_over(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        answer = await on.nova.post("/servers", json={"server": {**WEB}}, headers=version(71))
        made = good(answer, 202)["server"]
        assert list(made) == ["security_groups", "OS-DCF:diskConfig", "id", "links", "adminPass"]
        assert answer.headers["location"] == made["links"][0]["href"]

        building = await shown(on.nova, made["id"])
        assert (building["status"], building["OS-EXT-STS:task_state"]) == ("BUILD", "spawning")
        await on.advance(10)
        running = await shown(on.nova, made["id"])
        assert (running["status"], running["OS-EXT-STS:power_state"]) == ("ACTIVE", 1)
        assert running["image"]["id"] == DEBIAN
        assert running["os-extended-volumes:volumes_attached"] == []

    tell(story)


@pytest.mark.parametrize(("flavor", "image", "gib"), [("1", IMAGES[0], 2), ("2", IMAGES[0], 20), ("1", IMAGES[4], 1)])
def test_the_boot_drive_is_the_larger_of_flavor_and_image(tell: Tell, flavor: str, image: Any, gib: int) -> None:
    async def story(on: Wired) -> None:
        id = await a_boot(on.nova, flavorRef=flavor, imageRef=image.id)
        (drive,) = good(await on.ops.get(f"/servers/{id}"))["drives"]
        assert drive["size_bytes"] == gib * GIB
        assert drive["state"] == "cloning_dst"
        await on.advance(5)
        found = good(await on.ops.get(f"/drives/{drive['id']}"))
        assert (found["state"], found["server_id"]) == ("mounted", id)

    tell(story)


def test_one_cloud_is_behind_both_apis(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        booted = await a_boot(on.nova, flavorRef="3", metadata={"role": "web"})
        await on.advance(10)
        seen = good(await on.sigma.get(f"/servers/{booted}/"))
        assert (seen["name"], seen["cpu"], seen["mem"], seen["status"]) == ("web", 4000, 4 * GIB, "running")
        assert seen["meta"] == {"role": "web"}

        made = await a_running_server(on, cpu=3000, mem=GIB + 1)
        there = await shown(on.nova, made["uuid"])
        assert there["flavor"]["original_name"] == "custom-2-1025"
        assert there["image"] == ""
        assert there["security_groups"] == [{"name": "default"}]
        assert there["status"] == "ACTIVE"
        assert good(await on.nova.get("/flavors/custom-2-1025"))["flavor"]["ram"] == 1025

    tell(story)


def test_a_server_that_was_resized_elsewhere_shows_what_it_is(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        id = await a_boot(on.nova, flavorRef="1")
        await on.advance(10)
        await act(on.nova, id, "os-stop")
        await on.advance(20)
        body = {"name": "web", "cpu": 5000, "mem": 2 * GIB, "vnc_password": "x"}
        good(await on.sigma.put(f"/servers/{id}/", json=body))

        assert (await shown(on.nova, id))["flavor"]["original_name"] == "custom-3-2048"

    tell(story)


STATES: list[tuple[list[Any], tuple[Any, ...]]] = [
    # what was done; status, vm_state, task_state, power_state
    ([], ("SHUTOFF", "stopped", None, 4)),
    (["start"], ("BUILD", "building", "spawning", 0)),
    (["start", 60], ("ACTIVE", "active", None, 1)),
    (["start", 60, "stop"], ("ACTIVE", "active", "powering-off", 1)),
    (["start", 60, "stop", 60], ("SHUTOFF", "stopped", None, 4)),
    (["start", 60, "stop", 60, "start"], ("SHUTOFF", "stopped", "powering-on", 4)),
]


@pytest.mark.parametrize(("steps", "words"), STATES)
def test_each_state_has_its_words(tell: Tell, steps: list[Any], words: tuple[Any, ...]) -> None:
    async def story(on: Wired) -> None:
        id = (await a_server(on))["uuid"]
        for step in steps:
            if isinstance(step, int):
                await on.advance(step)
            else:
                good(await on.ops.post(f"/servers/{id}/actions", json={"action": step}), 202)
        found = await shown(on.nova, id)
        states = (found[f"OS-EXT-STS:{name}"] for name in ("vm_state", "task_state", "power_state"))
        status = found["status"]
        assert (status, *states) == words
        assert ("progress" in found) == (status in ("ACTIVE", "BUILD"))
        listed = good(await on.nova.get("/servers", params={"status": status}, headers=version(71)))["servers"]
        assert [each["id"] for each in listed] == [id]

    tell(story)


def test_a_lost_host_is_an_error_that_names_it(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        id = await a_boot(on.nova)
        await on.advance(10)
        host = (await shown(on.nova, id))["OS-EXT-SRV-ATTR:host"]
        good(await on.ops.post(f"/hosts/{host}/actions", json={"action": "fail"}), 202)

        found = await shown(on.nova, id)
        assert found["status"] == "ERROR"
        assert found["fault"]["message"] == f"Host {host} is lost."
        assert found["host_status"] == "DOWN"

    tell(story)


def test_who_finds_no_host_is_in_error_with_the_reasons_and_holds_nothing_but_its_place(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for _ in range(4):
            await a_boot(on.nova, flavorRef="1")
            await on.advance(10)
        id = await a_boot(on.nova, flavorRef="8")

        found = await shown(on.nova, id)
        assert found["status"] == "ERROR"
        assert found["fault"]["code"] == 500
        assert found["fault"]["message"].startswith("No valid host was found. ")
        assert "2 short of CPU and memory" in found["fault"]["message"]
        assert good(await on.ops.get(f"/servers/{id}"))["drives"] == []
        assert good(await on.ops.get("/drives"))["total"] == 4
        message = failed(await act(on.nova, id, "os-start"), 409, "conflictingRequest")
        assert message == f"Cannot 'start' instance {id} while it is in vm_state error"
        assert (await on.nova.delete(f"/servers/{id}")).status_code == 204
        failed(await on.nova.get(f"/servers/{id}"), 404, "itemNotFound")

    tell(story)


def test_a_start_without_room_is_a_conflict_that_says_why(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        id = await a_boot(on.nova, flavorRef="8", availability_zone="cell-1")
        await on.advance(10)
        assert (await act(on.nova, id, "os-stop")).status_code == 202
        await on.advance(20)
        for _ in range(2):
            await a_boot(on.nova, availability_zone="cell-1")
            await on.advance(10)

        message = failed(await act(on.nova, id, "os-start"), 409, "conflictingRequest")
        assert "No valid host was found." in message
        assert "2 short of CPU and memory" in message

    tell(story)


def test_actions_need_their_state(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        id = await a_boot(on.nova)
        message = failed(await act(on.nova, id, "os-stop"), 409, "conflictingRequest")
        assert message == f"Cannot 'stop' instance {id} while it is in task_state spawning"
        await on.advance(10)
        message = failed(await act(on.nova, id, "os-start"), 409, "conflictingRequest")
        assert message == f"Cannot 'start' instance {id} while it is in vm_state active"
        before = await shown(on.nova, id)
        assert (await act(on.nova, id, "reboot", {"type": "HARD"})).status_code == 202
        after = await shown(on.nova, id)
        assert (after["status"], after["hostId"]) == ("ACTIVE", before["hostId"])
        assert "server.rebooted" in [event["kind"] for event in await on.events()]
        assert good(await act(on.nova, id, "os-getConsoleOutput", {})) == {"output": "web login: "}
        await act(on.nova, id, "os-stop")
        message = failed(await act(on.nova, id, "reboot", {"type": "SOFT"}), 409, "conflictingRequest")
        assert message == f"Cannot 'reboot' instance {id} while it is in task_state powering-off"
        await on.advance(20)
        message = failed(await act(on.nova, id, "os-stop"), 409, "conflictingRequest")
        assert message == f"Cannot 'stop' instance {id} while it is in vm_state stopped"

    tell(story)


@pytest.mark.parametrize("seconds", [0, 2, 10])
def test_a_delete_takes_its_own_disk_along_whatever_the_server_does(tell: Tell, seconds: int) -> None:
    async def story(on: Wired) -> None:
        id = await a_boot(on.nova)
        if seconds:
            await on.advance(seconds)
        assert (await on.nova.delete(f"/servers/{id}")).status_code == 204

        failed(await on.nova.get(f"/servers/{id}"), 404, "itemNotFound")
        assert good(await on.ops.get("/servers"))["servers"] == []
        assert good(await on.ops.get("/drives"))["drives"] == []
        await on.advance(60)
        used = good(await on.nova.get("/limits"))["limits"]["absolute"]
        assert (used["totalInstancesUsed"], used["totalCoresUsed"], used["totalRAMUsed"]) == (0, 0, 0)

    tell(story)


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_server_of_a_volume_shows_it_and_leaves_it_unless_told_otherwise(tell: Tell, is_deleted: bool) -> None:
    async def story(on: Wired) -> None:
        wanted = await from_volume(on, "cell-2")
        (device,) = wanted["block_device_mapping_v2"]
        device["delete_on_termination"] = is_deleted
        id = await a_boot(on.tenant_nova, **wanted)
        await on.advance(10)

        found = await shown(on.tenant_nova, id)
        assert found["image"] == ""
        attached = [{"id": device["uuid"], "delete_on_termination": is_deleted}]
        assert found["os-extended-volumes:volumes_attached"] == attached
        assert found["OS-EXT-AZ:availability_zone"] == "cell-2"
        assert (await on.tenant_nova.delete(f"/servers/{id}")).status_code == 204
        drives = good(await on.ops.get("/drives"))["drives"]
        assert [drive["id"] for drive in drives] == ([] if is_deleted else [device["uuid"]])
        assert all(drive["state"] == "unmounted" for drive in drives)

    tell(story)


def test_an_image_becomes_a_volume_that_stays(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        device = {
            "uuid": DEBIAN, "source_type": "image", "destination_type": "volume", "boot_index": "0", "volume_size": 5,
        }  # fmt: skip
        id = await a_boot(on.nova, imageRef="", block_device_mapping_v2=[device])
        await on.advance(10)
        found = await shown(on.nova, id)
        assert (found["status"], found["image"]) == ("ACTIVE", "")
        (volume,) = found["os-extended-volumes:volumes_attached"]
        assert volume["delete_on_termination"] is False
        assert (await on.nova.delete(f"/servers/{id}")).status_code == 204
        (drive,) = good(await on.ops.get("/drives"))["drives"]
        assert (drive["id"], drive["size_bytes"]) == (volume["id"], 5 * GIB)

    tell(story)


QUOTAS = [
    ({"servers_max": 1}, "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances"),
    ({"cpu_mhz_max": 3000}, "Quota exceeded for cores: Requested 1, but already used 1 of 1 cores"),
]


@pytest.mark.parametrize(("quota", "message"), QUOTAS)
def test_over_quota_is_forbidden_in_novas_words(tell: Tell, quota: dict[str, int], message: str) -> None:
    async def story(on: Wired) -> None:
        await a_boot(on.nova)
        events = await on.events()
        answer = await on.nova.post("/servers", json={"server": {**WEB}}, headers=version(71))
        assert failed(answer, 403, "forbidden") == message
        assert await on.events() == events
        assert good(await on.ops.get("/drives"))["total"] == 1

    tell(story, **quota)


def test_what_it_is_called_and_marked_with_changes_in_any_state(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        id = await a_boot(on.nova, description="first", tags=["a"], minor=52, key_name="mine")
        answer = await on.nova.put(
            f"/servers/{id}", json={"server": {"name": "db", "description": "second"}}, headers=version(71)
        )
        changed = good(answer)["server"]
        assert (changed["name"], changed["description"], changed["tags"]) == ("db", "second", ["a"])
        assert "OS-EXT-STS:vm_state" not in changed
        answer = await on.nova.put(f"/servers/{id}", json={"server": {"description": None}}, headers=version(75))
        assert "OS-EXT-STS:vm_state" in good(answer)["server"]
        found = await shown(on.nova, id)
        assert (found["name"], found["description"], found["key_name"]) == ("db", None, "mine")

    tell(story)


def test_metadata_has_all_its_verbs(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        nova, at = on.nova, f"/servers/{await a_boot(on.nova, metadata={'a': '1'})}/metadata"
        assert good(await nova.get(at)) == {"metadata": {"a": "1"}}
        assert good(await nova.post(at, json={"metadata": {"b": "2"}})) == {"metadata": {"a": "1", "b": "2"}}
        assert good(await nova.put(at, json={"metadata": {"c": "3"}})) == {"metadata": {"c": "3"}}
        assert good(await nova.put(at + "/d", json={"meta": {"d": "4"}})) == {"meta": {"d": "4"}}
        assert good(await nova.get(at + "/d")) == {"meta": {"d": "4"}}
        assert failed(await nova.put(at + "/d", json={"meta": {"e": "5"}}), 400, "badRequest") == (
            "Request body and URI mismatch"
        )
        assert (await nova.delete(at + "/d")).status_code == 204
        assert failed(await nova.delete(at + "/d"), 404, "itemNotFound") == "Metadata item was not found"
        assert failed(await nova.get(at + "/d"), 404, "itemNotFound") == "Metadata item was not found"
        assert good(await nova.get(at)) == {"metadata": {"c": "3"}}

    tell(story)


def test_tags_have_all_their_verbs_from_2_26_on(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        id = await a_boot(on.nova)
        nova, at, now = on.nova, f"/servers/{id}/tags", version(26)
        assert failed(await nova.get(at, headers=version(25)), 404, "itemNotFound")
        assert good(await nova.put(at, json={"tags": ["a", "b", "a"]}, headers=now)) == {"tags": ["a", "b"]}
        made = await nova.put(at + "/c", headers=now)
        assert (made.status_code, made.content) == (201, b"")
        assert made.headers["location"].endswith(f"{at}/c")
        assert (await nova.put(at + "/c", headers=now)).status_code == 204
        assert (await nova.get(at + "/c", headers=now)).status_code == 204
        assert (await nova.delete(at + "/c", headers=now)).status_code == 204
        message = failed(await nova.delete(at + "/c", headers=now), 404, "itemNotFound")
        assert message == f"Server {id} has no tag 'c'"
        assert good(await nova.get(at, headers=now)) == {"tags": ["a", "b"]}
        assert good(await on.ops.get(f"/servers/{id}"))["tags"] == ["a", "b"]
        assert (await nova.delete(at, headers=now)).status_code == 204
        assert good(await nova.get(at, headers=now)) == {"tags": []}

    tell(story)


def test_a_user_that_was_never_recorded_is_unknown(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        id = await a_boot(on.tenant_nova)
        await change_entry(on, id, owner="")
        lying_in = good(await on.ops.get(f"/servers/{id}"))["cell"]
        await on.break_cell(lying_in)
        assert (await shown(on.tenant_nova, id))["user_id"] == "UNKNOWN"

    tell(story)


def test_one_sees_the_servers_of_the_tokens_project_and_an_admin_all_when_asking_for_them(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        mine, theirs = await a_boot(on.nova, name="mine"), await a_boot(on.tenant_nova, name="theirs")

        async def listed(client: Any, **query: str) -> list[str]:
            found = good(await client.get("/servers", params=query, headers=version(71)))["servers"]
            return sorted(row["name"] for row in found)

        assert await listed(on.nova) == ["mine"]
        assert await listed(on.tenant_nova) == ["theirs"]
        assert await listed(on.nova, all_tenants="True") == ["mine", "theirs"]
        assert await listed(on.nova, all_tenants="True", project_id="outside") == ["theirs"]
        assert await listed(on.nova, project_id="outside") == ["mine"]
        assert (await shown(on.nova, theirs))["name"] == "theirs"
        for answer in (
            await on.tenant_nova.get(f"/servers/{mine}"),
            await on.tenant_nova.delete(f"/servers/{mine}"),
            await act(on.tenant_nova, mine, "os-stop"),
            await on.tenant_nova.put(f"/servers/{mine}", json={"server": {"name": "x"}}),
        ):
            assert failed(answer, 404, "itemNotFound") == f"Instance {mine} could not be found."

    tell(story)


def test_flavors_and_limits(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        found = good(await on.nova.get("/flavors/detail", headers=version(71)))["flavors"]
        assert [row["id"] for row in found] == [flavor.id for flavor in FLAVORS]
        names = []
        path = "/flavors?limit=3"
        while path:
            page = good(await on.nova.get(path))
            names += [row["name"] for row in page["flavors"]]
            links = page.get("flavors_links", [])
            path = links[0]["href"].partition("/compute/v2.1")[2] if links else ""
        assert names == [flavor.name for flavor in FLAVORS]
        assert good(await on.nova.get("/flavors/4"))["flavor"]["vcpus"] == 4
        assert good(await on.nova.get("/flavors/4/os-extra_specs")) == {"extra_specs": {}}
        assert failed(await on.nova.get("/flavors/nope"), 404, "itemNotFound") == "Flavor nope could not be found."
        old = good(await on.nova.get("/limits"))["limits"]["absolute"]
        new = good(await on.nova.get("/limits", headers=version(57)))["limits"]["absolute"]
        assert set(old) - set(new) == {
            "maxPersonality", "maxPersonalitySize", "maxTotalFloatingIps", "maxSecurityGroups", "maxImageMeta",
            "maxSecurityGroupRules", "totalFloatingIpsUsed", "totalSecurityGroupsUsed",
        }  # fmt: skip
        assert new["maxTotalInstances"] == 7

    tell(story, servers_max=7)


def test_the_quotas_of_a_project_are_shown_with_what_is_used_and_only_to_those_it_concerns(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = good(await on.nova.get(f"/servers/{await a_boot(on.nova)}"))["server"]
        project = str(server["tenant_id"])
        quotas, detail, defaults = [
            good(await on.nova.get(f"/os-quota-sets/{project}{form}", headers=version(57)))["quota_set"]
            for form in ("", "/detail", "/defaults")
        ]
        assert quotas["id"] == detail["id"] == project
        assert quotas["instances"] == detail["instances"]["limit"] == 7
        assert (detail["instances"]["in_use"], detail["ram"]["in_use"]) == (1, 512)
        assert defaults["instances"] == defaults["cores"] == -1
        assert quotas.keys() == defaults.keys() == detail.keys()
        old = good(await on.nova.get(f"/os-quota-sets/{project}"))["quota_set"]
        assert old.keys() - quotas.keys() == {
            "fixed_ips", "floating_ips", "security_groups", "security_group_rules",
            "injected_files", "injected_file_content_bytes", "injected_file_path_bytes",
        }  # fmt: skip
        failed(await on.tenant_nova.get(f"/os-quota-sets/{project}"), 403, "forbidden")
        failed(await on.nova.get("/os-quota-sets/nope"), 400, "badRequest")

    tell(story, servers_max=7)
