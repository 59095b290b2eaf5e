"""Network interfaces of servers and snapshots of drives through `/ops/v1`."""

from __future__ import annotations

from typing import Any

from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused

GIB = 2**30
ABSENT = "00000000-0000-4000-8000-000000000000"


def test_interfaces_are_added_one_by_one_and_taken_away(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server("web")
        path = f"/servers/{server['id']}"
        free = good(await on.ops.get(f"{path}/networks"))
        assert (len(free["addresses"]), len(free["vlans"]), free["policies"]) == (4, 2, [])
        address, vlan = free["addresses"][1], free["vlans"][0]["id"]

        good(await on.ops.post(f"{path}/nics", json={"configuration": "dhcp"}), 201)
        good(await on.ops.post(f"{path}/nics", json={"configuration": "static", "address": address}), 201)
        nics = good(await on.ops.post(f"{path}/nics", json={"vlan_id": vlan}), 201)["nics"]

        assert [(nic["configuration"], nic["address"], nic["vlan_id"]) for nic in nics] == [
            ("dhcp", None, None),
            ("static", address, None),
            (None, None, vlan),
        ]
        assert good(await on.ops.get(path))["nics"] == nics
        assert address not in good(await on.ops.get(f"{path}/networks"))["addresses"]
        left = good(await on.ops.delete(f"{path}/nics/{nics[1]['mac']}"))["nics"]
        assert [nic["mac"] for nic in left] == [nics[0]["mac"], nics[2]["mac"]]
        assert address in good(await on.ops.get(f"{path}/networks"))["addresses"]

    tell(story)


def test_a_running_server_shows_its_lent_address_and_traffic_and_keeps_its_interfaces(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server("web")
        path = f"/servers/{server['id']}"
        [nic] = good(await on.ops.post(f"{path}/nics", json={"configuration": "dhcp"}), 201)["nics"]
        assert (nic["address"], nic["bytes_received"]) == (None, None)
        good(await on.ops.post(f"{path}/actions", json={"action": "start"}), 202)
        await on.advance(60)

        [nic] = good(await on.ops.get(path))["nics"]

        assert nic["address"].startswith("100.")
        assert nic["bytes_received"] > 0
        refusals = (
            await on.ops.post(f"{path}/nics", json={"configuration": "dhcp"}),
            await on.ops.delete(f"{path}/nics/{nic['mac']}"),
        )
        assert [refused(each, 409)["error"]["code"] for each in refusals] == ["wrong_state", "wrong_state"]
        await on.break_cell(server["cell"])
        [silent] = good(await on.ops.get(path))["nics"]
        assert (silent["mac"], silent["address"], silent["bytes_received"]) == (nic["mac"], None, None)

    tell(story)


def test_a_repeated_request_adds_one_interface(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        path = f"/servers/{(await on.server())['id']}/nics"
        for _ in range(2):
            answer = await on.ops.post(path, json={"configuration": "dhcp"}, headers={"Idempotency-Key": "one"})
            assert len(good(answer, 201)["nics"]) == 1

    tell(story)


def test_wrong_interfaces_change_nothing(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, other = await on.server("web"), await on.server("other")
        path = f"/servers/{server['id']}/nics"
        choices = good(await on.ops.get(f"/servers/{server['id']}/networks"))
        taken, vlan = choices["addresses"][0], choices["vlans"][0]["id"]
        held = {"configuration": "static", "address": taken}
        good(await on.ops.post(f"/servers/{other['id']}/nics", json=held), 201)
        sent: list[tuple[str, dict[str, Any], int]] = [
            (path, held, 400),
            (path, {"configuration": "static"}, 400),
            (path, {"configuration": "static", "address": "8.8.8.8"}, 400),
            (path, {"configuration": "dhcp", "address": choices["addresses"][1]}, 400),
            (path, {"configuration": "dhcp", "vlan_id": vlan}, 400),
            (path, {"vlan_id": ABSENT}, 400),
            (path, {"configuration": "dhcp", "policy_id": ABSENT}, 400),
            (path, {"configuration": "magic"}, 400),
            (path, {"model": "abacus"}, 400),
            (path, {"mac": "22:00:00:00:00:01"}, 400),
            (f"/servers/{ABSENT}/nics", {"configuration": "dhcp"}, 404),
        ]
        before = await on.events()
        for target, body, status in sent:
            answer = await on.ops.post(target, json=body)
            assert answer.status_code == status, (body, answer.text)
        for mac in ("22:00:00:00:00:01", "nonsense", "%20"):
            assert (await on.ops.delete(f"{path}/{mac}")).status_code == 404
        assert (await on.tenant_ops.post(path, json={"configuration": "dhcp"})).status_code == 404
        assert (await on.tenant_ops.get(f"/servers/{server['id']}/networks")).status_code == 404
        assert await on.events() == before

    tell(story)


def test_a_snapshot_is_taken_listed_cloned_edited_and_deleted(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await on.drive("data", 10)
        path = f"/drives/{drive['id']}/snapshots"
        once = {"Idempotency-Key": "first"}
        first = good(await on.ops.post(path, json={"name": "before"}, headers=once), 201)
        assert good(await on.ops.post(path, json={"name": "before"}, headers=once), 201) == first
        assert (first["state"], first["size_bytes"]) == ("creating", 10 * GIB)
        on_it = f"/snapshots/{first['id']}/actions"
        assert refused(await on.ops.post(on_it, json={"action": "clone"}), 409)["error"]["code"] == "wrong_state"
        await on.advance(60)
        assert [each["state"] for each in good(await on.ops.get(path))["snapshots"]] == ["available"]

        begun = good(await on.ops.post(on_it, json={"action": "clone", "name": "copy", "avoid": [drive["id"]]}), 202)
        assert (begun["drive"]["name"], begun["drive"]["state"]) == ("copy", "cloning_dst")
        assert [each["id"] for each in begun["separation"]] == [drive["id"]]
        edited = good(await on.ops.post(on_it, json={"action": "edit", "name": "old", "tags": ["kept"]}), 202)
        assert (edited["snapshot"]["name"], edited["snapshot"]["tags"]) == ("old", ["kept"])
        good(await on.ops.post(on_it, json={"action": "delete", "if_version": edited["snapshot"]["version"]}), 202)
        assert good(await on.ops.get(path)) == {"snapshots": []}

    tell(story)


def test_wrong_requests_about_snapshots_change_nothing(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await on.drive()
        path = f"/drives/{drive['id']}/snapshots"
        taken = good(await on.ops.post(path, json={}), 201)
        await on.advance(60)
        on_it = f"/snapshots/{taken['id']}/actions"
        sent: list[tuple[str, dict[str, Any], int]] = [
            (path, {"name": ""}, 400),
            (path, {"name": "x" * 256}, 400),
            (path, {"meta": {"k": 1}}, 400),
            (f"/drives/{ABSENT}/snapshots", {}, 404),
            (on_it, {"action": "thaw"}, 400),
            (on_it, {"action": "delete", "if_version": 99}, 409),
            (on_it, {"action": "delete", "name": "x"}, 400),
            (on_it, {"action": "delete", "avoid": [drive["id"]]}, 400),
            (on_it, {"action": "clone", "tags": ["x"]}, 400),
            (on_it, {"action": "clone", "if_version": 1}, 400),
            (on_it, {"action": "clone", "size_bytes": 1}, 400),
            (on_it, {"action": "edit", "if_version": 99, "name": "x"}, 409),
            (f"/snapshots/{ABSENT}/actions", {"action": "delete"}, 404),
        ]
        before = await on.events()
        for target, body, status in sent:
            answer = await on.ops.post(target, json=body)
            assert answer.status_code == status, (body, answer.text)
        assert (await on.tenant_ops.post(on_it, json={"action": "delete"})).status_code == 404
        assert (await on.tenant_ops.get(path)).status_code == 404
        assert await on.events() == before

    tell(story)
