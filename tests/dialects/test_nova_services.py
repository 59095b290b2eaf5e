"""Hosts in Nova's views of them: services, hypervisors, zones; and server groups."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.compute import a_boot, a_group, act, failed, shown, version
from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good

COMPUTE = "nova-compute"


async def services(on: Wired, minor: int = 69, **query: str) -> list[dict[str, Any]]:
    answer = await on.nova.get("/os-services", params=query, headers=version(minor))
    found: list[dict[str, Any]] = good(answer)["services"]
    return found


async def named(on: Wired, host: str, minor: int = 69) -> dict[str, Any]:
    (found,) = await services(on, minor, host=host, binary=COMPUTE)
    return found


def test_every_host_is_a_compute_service_and_each_cell_has_a_conductor(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        found = await services(on)
        assert [(row["binary"], row["host"], row["zone"]) for row in found] == [
            ("nova-scheduler", "stratodeck", "internal"),
            ("nova-conductor", "stratodeck", "internal"),
            (COMPUTE, "c1-h1", "cell-1"),
            (COMPUTE, "c1-h2", "cell-1"),
            ("nova-conductor", "cell-1", "internal"),
            (COMPUTE, "c2-h1", "cell-2"),
            (COMPUTE, "c2-h2", "cell-2"),
            ("nova-conductor", "cell-2", "internal"),
        ]
        assert [row["id"] for row in await services(on, 52)] == list(range(1, 9))
        assert len({row["id"] for row in found}) == len(found)

    tell(story)


@pytest.mark.parametrize("state", ["down", "hung"])
def test_the_hosts_of_a_down_cell_are_unknown_from_2_69_on_and_its_conductor_is_left_out(
    tell: Tell, state: str
) -> None:
    async def story(on: Wired) -> None:
        before = {row["host"]: row["id"] for row in await services(on, 52)}
        await on.break_cell("cell-1", state)
        unknown = [{"binary": COMPUTE, "host": host, "status": "UNKNOWN"} for host in ("c1-h1", "c1-h2")]

        assert (await services(on))[-2:] == unknown
        assert [row for row in await services(on) if row["host"] == "cell-1"] == []
        assert await services(on, host="c1-h1") == unknown[:1]
        assert await services(on, binary=COMPUTE, host="c1-h2") == unknown[1:]
        assert await services(on, binary="nova-conductor", host="c1-h2") == []
        old = await services(on, 52)
        assert {row["host"]: row["id"] for row in old} == {
            host: before[host] for host in ("stratodeck", "c2-h1", "c2-h2", "cell-2")
        }
        good(await on.ops.put("/cells/cell-1/reachability", json={"state": "up"}))
        assert {row["host"]: row["id"] for row in await services(on, 52)} == before

    tell(story)


def test_disabling_a_host_drains_it_and_enabling_takes_it_back(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await on.advance(1)
        body: dict[str, Any] = {"host": "c1-h1", "binary": COMPUTE}
        answer = await on.nova.put("/os-services/disable", json=body)
        assert good(answer) == {"service": {**body, "status": "disabled"}}
        row = await named(on, "c1-h1")
        assert (row["status"], row["state"], row["disabled_reason"]) == ("disabled", "up", "in maintenance")
        # A repeat changes nothing.
        good(await on.nova.put("/os-services/disable-log-reason", json={**body, "disabled_reason": "disk"}))
        good(await on.nova.put("/os-services/enable", json=body))
        assert (await named(on, "c1-h1"))["status"] == "enabled"

        answer = await on.nova.put(f"/os-services/{row['id']}", json={"status": "disabled"}, headers=version(53))
        assert good(answer)["service"]["status"] == "disabled"
        answer = await on.nova.put(f"/os-services/{row['id']}", json={"status": "enabled"}, headers=version(53))
        assert good(answer)["service"]["status"] == "enabled"
        kinds = [event["kind"] for event in await on.events() if event["kind"].startswith("host.")]
        assert kinds[-4:] == ["host.maintenance", "host.up", "host.maintenance", "host.up"]

    tell(story)


def test_a_host_that_is_forced_down_is_lost_with_what_is_on_it(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        id = await a_boot(on.nova)
        await on.advance(10)
        host = (await shown(on.nova, id))["OS-EXT-SRV-ATTR:host"]
        service = (await named(on, host))["id"]
        forced = await on.nova.put(f"/os-services/{service}", json={"forced_down": True}, headers=version(53))
        row = good(forced)["service"]
        assert (row["state"], row["forced_down"]) == ("down", True)
        await on.advance(30)
        later = await named(on, host)
        assert later["updated_at"] == row["updated_at"], "it was last heard of when it was lost"
        assert later["updated_at"] < (await services(on))[0]["updated_at"]
        assert (await shown(on.nova, id))["status"] == "ERROR"
        answer = await on.nova.put(f"/os-services/{service}", json={"status": "disabled"}, headers=version(53))
        assert "is down" in failed(answer, 409, "conflictingRequest")
        body = {"host": host, "binary": COMPUTE, "forced_down": False}
        good(await on.nova.put("/os-services/force-down", json=body, headers=version(11)))
        assert (await shown(on.nova, id))["status"] == "ACTIVE"

    tell(story)


def test_what_cannot_be_updated_says_why_and_stays(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        ids = {row["host"]: row["id"] for row in await services(on) if row["binary"] == COMPUTE}
        scheduler = (await services(on, binary="nova-scheduler"))[0]["id"]
        await on.break_cell("cell-2")
        events = await on.events()
        absent = "00000000-0000-4000-8000-000000000000"
        body = {"host": "c2-h1", "binary": COMPUTE}
        cases: list[tuple[str, int, dict[str, Any], int, str, str]] = [
            (f"/{ids['c2-h1']}", 53, {"status": "disabled"}, 500, "computeFault", "DBConnectionError"),
            ("/disable", 1, body, 500, "computeFault", "DBConnectionError"),
            (f"/{absent}", 53, {"status": "disabled"}, 404, "itemNotFound", "could not be found"),
            ("/disable", 1, {**body, "host": "mars"}, 404, "itemNotFound", "on host mars"),
            ("/explode", 1, body, 404, "itemNotFound", "Unknown action"),
            ("/force-down", 10, body, 404, "itemNotFound", "Unknown action"),
            ("/force-down", 11, {**body, "host": "c1-h1"}, 400, "badRequest", "Missing forced_down field"),
            ("/disable-log-reason", 1, {**body, "host": "c1-h1"}, 400, "badRequest", "Missing disabled reason"),
            ("/disable", 1, {"host": "c1-h1"}, 400, "badRequest", "'binary' is a required property"),
            (f"/{scheduler}", 53, {"status": "disabled"}, 400, "badRequest", "Only nova-compute services"),
            (f"/{ids['c1-h1']}", 53, {}, 400, "badRequest", "No updates were requested"),
            (f"/{ids['c1-h1']}", 53, {"disabled_reason": "x"}, 400, "badRequest", "requires that status"),
            (f"/{ids['c1-h1']}", 53, {"status": "tired"}, 400, "badRequest", "'tired' is not one of"),
        ]
        for path, minor, content, status, key, words in cases:
            answer = await on.nova.put("/os-services" + path, json=content, headers=version(minor))
            assert words in failed(answer, status, key), (path, answer.text)
        assert await on.events() == events

    tell(story)


def test_there_are_no_aggregates_and_asking_for_them_is_no_mistake(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        assert good(await on.nova.get("/os-aggregates")) == {"aggregates": []}
        failed(await on.tenant_nova.get("/os-aggregates"), 403, "forbidden")

    tell(story)


def test_hypervisors_have_what_their_hosts_have(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        id = await a_boot(on.nova, flavorRef="3")
        await on.advance(10)
        host = (await shown(on.nova, id))["OS-EXT-SRV-ATTR:host"]
        found = good(await on.nova.get("/os-hypervisors/detail", headers=version(87)))["hypervisors"]
        row = next(each for each in found if each["hypervisor_hostname"] == host)
        assert (row["vcpus"], row["vcpus_used"], row["memory_mb"], row["memory_mb_used"]) == (8, 2, 65_536, 4_096)
        assert row["running_vms"] == 1
        assert good(await on.nova.get(f"/os-hypervisors/{row['id']}", headers=version(87)))["hypervisor"] == row
        new = good(await on.nova.get(f"/os-hypervisors/{row['id']}", headers=version(88)))["hypervisor"]
        assert "vcpus" not in new
        assert "uptime" in new
        totals = good(await on.nova.get("/os-hypervisors/statistics"))["hypervisor_statistics"]
        assert (totals["count"], totals["vcpus"], totals["vcpus_used"]) == (4, 32, 2)
        query = {"with_servers": "true", "hypervisor_hostname_pattern": host}
        (only,) = good(await on.nova.get("/os-hypervisors", params=query, headers=version(53)))["hypervisors"]
        assert only["servers"] == [{"name": "web", "uuid": id}]
        names = []
        path = "/os-hypervisors?limit=3"
        while path:
            page = good(await on.nova.get(path, headers=version(33)))
            names += [each["hypervisor_hostname"] for each in page["hypervisors"]]
            links = page.get("hypervisors_links", [])
            path = links[0]["href"].partition("/compute/v2.1")[2] if links else ""
        assert names == ["c1-h1", "c1-h2", "c2-h1", "c2-h2"]
        await on.break_cell("cell-1", "hung")
        found = good(await on.nova.get("/os-hypervisors"))["hypervisors"]
        assert [(each["hypervisor_hostname"], each["id"]) for each in found] == [("c2-h1", 3), ("c2-h2", 4)]
        assert "no such" not in failed(await on.nova.get("/os-hypervisors/99"), 404, "itemNotFound")

    tell(story)


def test_each_cell_is_a_zone_and_one_that_does_not_answer_is_none(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        def zone(name: str, *, is_available: bool = True) -> dict[str, Any]:
            return {"zoneName": name, "zoneState": {"available": is_available}, "hosts": None}

        for host in ("c1-h1", "c1-h2"):
            good(await on.ops.post(f"/hosts/{host}/actions", json={"action": "fail"}), 202)
        found = good(await on.tenant_nova.get("/os-availability-zone"))
        assert found == {"availabilityZoneInfo": [zone("cell-1", is_available=False), zone("cell-2")]}
        await on.break_cell("cell-1")
        found = good(await on.tenant_nova.get("/os-availability-zone"))
        assert found == {"availabilityZoneInfo": [zone("cell-2")]}
        (central, second) = good(await on.nova.get("/os-availability-zone/detail"))["availabilityZoneInfo"]
        assert (central["zoneName"], sorted(central["hosts"])) == ("internal", ["cell-2", "stratodeck"])
        assert (second["zoneName"], sorted(second["hosts"])) == ("cell-2", ["c2-h1", "c2-h2"])

    tell(story)


# -------------------------------------------------------------------------------------------------------------- groups


@pytest.mark.parametrize(("policy", "statuses"), [
    ("anti-affinity", ["ACTIVE"] * 4 + ["ERROR"]),
    ("soft-anti-affinity", ["ACTIVE"] * 5),
])  # fmt: skip
def test_members_are_kept_apart_as_far_as_the_policy_says(tell: Tell, policy: str, statuses: list[str]) -> None:
    async def story(on: Wired) -> None:
        group = await a_group(on.tenant_nova, "db", policy)
        members = []
        for _ in range(5):
            members.append(await a_boot(on.tenant_nova, hints={"group": group}))
            await on.advance(10)

        found = [await shown(on.nova, id) for id in members]
        assert [each["status"] for each in found] == statuses
        hosts = [each["OS-EXT-SRV-ATTR:host"] for each in found]
        assert len(set(hosts[:4])) == 4
        assert all(each["server_groups"] == [group] for each in found)
        if policy == "anti-affinity":
            assert "sharing a host with another member of the group" in found[4]["fault"]["message"]
        # The operator sees the same group, and what it tolerates.
        (seen,) = good(await on.ops.get("/groups"))["groups"]
        assert seen["name"] == "db"
        assert {each["id"] for each in seen["members"]} == set(members)

    tell(story)


def test_a_member_starts_apart_from_the_others_or_not_at_all(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        group = await a_group(on.nova, "db", "anti-affinity")
        first = await a_boot(on.nova, hints={"group": group}, availability_zone="cell-1")
        await on.advance(10)
        second = await a_boot(on.nova, hints={"group": group}, availability_zone="cell-1")
        await on.advance(10)
        await act(on.nova, first, "os-stop")
        await on.advance(20)
        other = (await shown(on.nova, second))["OS-EXT-SRV-ATTR:host"]
        free = "c1-h2" if other == "c1-h1" else "c1-h1"
        good(await on.nova.put("/os-services/disable", json={"host": free, "binary": COMPUTE}))

        message = failed(await act(on.nova, first, "os-start"), 409, "conflictingRequest")
        assert "1 in maintenance, 1 sharing a host with another member of the group" in message
        assert (await shown(on.nova, first))["status"] == "SHUTOFF"
        good(await on.nova.put("/os-services/enable", json={"host": free, "binary": COMPUTE}))
        assert (await act(on.nova, first, "os-start")).status_code == 202
        await on.advance(10)
        assert (await shown(on.nova, first))["OS-EXT-SRV-ATTR:host"] == free

    tell(story)


def test_a_group_is_known_while_its_members_are_not(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        group = await a_group(on.tenant_nova, "db", "soft-anti-affinity")
        member = await a_boot(on.tenant_nova, hints={"group": group}, availability_zone="cell-2")
        await on.break_cell("cell-2")
        row = good(await on.tenant_nova.get(f"/os-server-groups/{group}", headers=version(64)))["server_group"]
        assert row == {
            "id": group, "name": "db", "policy": "soft-anti-affinity", "rules": {}, "members": [member],
            "project_id": "outside", "user_id": "2",
        }  # fmt: skip
        old = good(await on.tenant_nova.get("/os-server-groups", headers=version(1)))["server_groups"]
        assert [list(each) for each in old] == [["id", "name", "policies", "members", "metadata"]]
        assert good(await on.nova.get("/os-server-groups"))["server_groups"] == []
        assert len(good(await on.nova.get("/os-server-groups?all_projects"))["server_groups"]) == 1
        assert len(good(await on.tenant_nova.get("/os-server-groups?all_projects"))["server_groups"]) == 1
        assert good(await on.tenant_nova.get("/os-server-groups?offset=1"))["server_groups"] == []

        assert (await on.tenant_nova.delete(f"/os-server-groups/{group}")).status_code == 204
        assert (await shown(on.tenant_nova, member))["server_groups"] == []
        failed(await on.tenant_nova.get(f"/os-server-groups/{group}"), 404, "itemNotFound")

    tell(story)


def test_the_tag_of_a_group_is_not_for_the_client_to_take_away(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        group = await a_group(on.nova, "db", "soft-anti-affinity")
        id = await a_boot(on.nova, hints={"group": group})
        at = f"/servers/{id}/tags"
        assert good(await on.nova.get(at, headers=version(26))) == {"tags": []}
        assert good(await on.nova.put(at, json={"tags": ["a"]}, headers=version(26))) == {"tags": ["a"]}
        await on.nova.delete(at, headers=version(26))
        assert good(await on.ops.get(f"/servers/{id}"))["tags"] == ["group:db"]

    tell(story)


def test_one_tenants_group_is_nothing_to_another(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        group = await a_group(on.nova, "db", "anti-affinity")
        message = f"Instance group {group} could not be found."
        for method in ("GET", "DELETE"):
            answer = await on.tenant_nova.request(method, f"/os-server-groups/{group}")
            assert failed(answer, 404, "itemNotFound") == message
        body = {
            "server": {"name": "x", "flavorRef": "1", "imageRef": "", "networks": "none"},
            "os:scheduler_hints": {"group": group},
        }
        body["server"]["imageRef"] = (await shown(on.nova, await a_boot(on.nova)))["image"]["id"]
        answer = await on.tenant_nova.post("/servers", json=body, headers=version(71))
        assert failed(answer, 400, "badRequest") == message

    tell(story)
