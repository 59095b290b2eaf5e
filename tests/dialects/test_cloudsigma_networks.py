"""Network interfaces, IPs, VLANs, firewall policies, keys and profiles through CloudSigma's paths."""

from __future__ import annotations

from typing import Any

import pytest

from tests.backend.support import OPERATOR, TENANT
from tests.dialects.conftest import Tell
from tests.dialects.sigma import GIB, MINIMAL, a_running_server, a_server, act, created, error_of
from tests.dialects.support import Wired, good

DHCP: dict[str, Any] = {"ip_v4_conf": {"conf": "dhcp"}}
MANUAL: dict[str, Any] = {"ip_v4_conf": {"conf": "manual"}}
OWN_IP, OWN_VLAN = "198.18.0.2", "5d6e1d2e-6a5c-4f0f-9a6b-000000000000"
TENANTS_IP, TENANTS_VLAN = "198.18.0.6", "5d6e1d2e-6a5c-4f0f-9a6b-000000000002"
OWNER = {"uuid": "1", "email": OPERATOR, "resource_uri": "/api/2.0/user/1/"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPgkWyqlxj9083nWtAtxcPzuyZO6DT210lG6gDQZKX/s me@example.org"


def static(address: str) -> dict[str, Any]:
    return {"ip_v4_conf": {"conf": "static", "ip": address}}


async def look(on: Wired, server: dict[str, Any]) -> dict[str, Any]:
    return good(await on.sigma.get(f"/servers/{server['uuid']}/"))


# --- golden bodies ----------------------------------------------------------------------------------------------------


def test_each_resource_has_the_published_fields(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        ip = good(await on.sigma.get(f"/ips/{OWN_IP}/"))
        vlan = good(await on.sigma.get(f"/vlans/{OWN_VLAN}/"))
        policy = created(await on.sigma.post("/fwpolicies/", json={"objects": [{}]}))
        key = created(await on.sigma.post("/keypairs/", json={"name": "mine", "public_key": KEY}))
        public = good(await on.sigma.get(f"/pubkeys/{key['uuid']}/"))

        assert {**ip, "subscription": None} == {
            "gateway": "198.18.0.1",
            "grantees": [],
            "meta": {},
            "nameservers": ["198.18.0.1", "198.19.0.1"],
            "netmask": 24,
            "owner": OWNER,
            "permissions": [],
            "resource_uri": f"/api/2.0/ips/{OWN_IP}/",
            "server": None,
            "subscription": None,
            "tags": [],
            "uuid": OWN_IP,
        }
        assert set(ip["subscription"]) == set(vlan["subscription"]) == {"id", "resource_uri"}
        assert {**vlan, "subscription": None} == {
            "bottom_vlan_tag": None,
            "grantees": [],
            "meta": {},
            "owner": OWNER,
            "permissions": [],
            "resource_uri": f"/api/2.0/vlans/{OWN_VLAN}/",
            "servers": [],
            "subscription": None,
            "tags": [],
            "uuid": OWN_VLAN,
        }
        assert policy == {
            "meta": {},
            "name": "",
            "owner": OWNER,
            "resource_uri": f"/api/2.0/fwpolicies/{policy['uuid']}/",
            "rules": [],
            "servers": [],
            "tags": [],
            "uuid": policy["uuid"],
        }
        common = {name: key[name] for name in ("fingerprint", "meta", "name", "owner", "public_key", "tags", "uuid")}
        assert common["fingerprint"] == "83:a3:92:dc:ae:0b:75:66:ad:bd:48:3e:d8:dd:c2:62"
        uri = f"/api/2.0/keypairs/{key['uuid']}/"
        assert key == {**common, "grantees": [], "permissions": [], "private_key": "", "resource_uri": uri}
        uri = f"/api/2.0/pubkeys/{key['uuid']}/"
        assert public == {**common, "grantees": [], "permissions": [], "has_private_key": False, "resource_uri": uri}

    tell(story)


def test_an_account_has_four_ips_and_two_vlans_and_sees_no_others(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        ips = good(await on.tenant_sigma.get("/ips/"))
        vlans = good(await on.tenant_sigma.get("/vlans/"))

        assert [each["uuid"] for each in ips["objects"]] == [f"198.18.0.{last}" for last in (6, 7, 8, 9)]
        assert [each["uuid"] for each in vlans["objects"]] == [TENANTS_VLAN, TENANTS_VLAN[:-1] + "3"]
        assert set(ips["objects"][0]) == {"uuid", "owner", "resource_uri", "server"}
        assert error_of(await on.tenant_sigma.get(f"/ips/{OWN_IP}/"), 404)["error_type"] == "notexist"
        assert error_of(await on.tenant_sigma.put(f"/vlans/{OWN_VLAN}/", json={"meta": {}}), 404)
        assert good(await on.sigma.get("/ips/"))["meta"]["total_count"] == 8, "staff sees all"

    tell(story)


# --- interfaces -------------------------------------------------------------------------------------------------------


def test_a_static_ip_is_on_one_server_in_the_whole_cloud_until_that_lets_it_go(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first, second = [await a_server(on, nics=[DHCP]) for _ in range(2)]
        path = f"/servers/{first['uuid']}/"
        held = good(await on.sigma.put(path, json={**first, "nics": [static(OWN_IP)]}))

        refused = await on.sigma.put(f"/servers/{second['uuid']}/", json={**second, "nics": [static(OWN_IP)]})
        assert error_of(refused, 400) == {
            "error_type": "validation",
            "error_message": f"address {OWN_IP} is attached to server {first['uuid']}",
            "error_point": "ip_v4_conf",
        }
        assert await look(on, second) == second
        assert good(await on.sigma.get(f"/ips/{OWN_IP}/"))["server"]["uuid"] == first["uuid"]

        # What has it may go on having it, in another place.
        again = good(await on.sigma.put(path, json={**held, "nics": [DHCP, *held["nics"]]}))
        assert again["nics"][1] == held["nics"][0]
        assert (await on.sigma.delete(path)).status_code == 204
        good(await on.sigma.put(f"/servers/{second['uuid']}/", json={**second, "nics": [static(OWN_IP)]}))

    tell(story)


def test_interfaces_of_a_running_server_stay_as_they_are(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await a_running_server(on, nics=[DHCP])

        put = good(await on.sigma.put(f"/servers/{server['uuid']}/", json={**server, "nics": [], "name": "new"}))

        assert (put["name"], put["nics"]) == ("new", server["nics"])

    tell(story)


def test_a_clone_has_interfaces_of_its_own_with_dhcp_where_its_source_has_an_ip(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        policy = created(await on.sigma.post("/fwpolicies/", json={"name": "web"}))["uuid"]
        source = await a_server(on, nics=[{**static(OWN_IP), "firewall_policy": policy}, {"vlan": OWN_VLAN}, MANUAL])

        answer = await on.sigma.post(f"/servers/{source['uuid']}/action/", params={"do": "clone"})
        clone = good(answer, 202)

        assert [nic["ip_v4_conf"] for nic in clone["nics"]] == [
            {"conf": "dhcp", "ip": None},
            None,
            {"conf": "manual", "ip": None},
        ]
        assert clone["nics"][1]["vlan"] == source["nics"][1]["vlan"]
        assert clone["nics"][0]["firewall_policy"]["uuid"] == policy
        assert len({nic["mac"] for nic in (*source["nics"], *clone["nics"])}) == 6
        assert (await look(on, source))["nics"] == source["nics"]
        holders = good(await on.sigma.get(f"/fwpolicies/{policy}/"))["servers"]
        assert [each["uuid"] for each in holders] == [source["uuid"], clone["uuid"]]

    tell(story)


def test_while_it_runs_a_server_shows_its_addresses_in_both_places_and_counts_what_went_through(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await a_server(on, nics=[DHCP, static(OWN_IP), {"vlan": OWN_VLAN}, MANUAL, {}])
        assert [nic["runtime"] for nic in server["nics"]] == [None] * 5
        await act(on, server["uuid"], "start")
        await on.advance(60)
        early = await look(on, server)
        listed = good(await on.sigma.get("/servers/detail/"))["objects"]
        await on.advance(600)
        late = await look(on, server)

        leased = early["nics"][0]["runtime"]["ip_v4"]["uuid"]
        assert listed == [early]
        assert [nic["runtime"]["interface_type"] for nic in early["nics"]] == [
            *("public", "public", "private", "public", "private"),
        ]
        assert [(nic["runtime"]["ip_v4"] or {}).get("uuid") for nic in early["nics"]] == [
            *(leased, OWN_IP, None, None, None),
        ]
        assert early["runtime"]["nics"] == [{**nic["runtime"], "mac": nic["mac"]} for nic in early["nics"]]
        for before, after in zip(early["nics"][:4], late["nics"][:4], strict=True):
            for counter, count in before["runtime"]["io"].items():
                assert after["runtime"]["io"][counter] > count
        assert set(late["nics"][4]["runtime"]["io"].values()) == {0}
        assert good(await on.sigma.get("/servers/detail/"))["objects"] == [late], "a list is no older than its parts"

        dynamic = good(await on.sigma.get(f"/ips/{leased}/"))
        assert (dynamic["subscription"], dynamic["server"]["uuid"]) == (None, server["uuid"])
        assert dynamic in good(await on.sigma.get("/ips/detail/"))["objects"]
        await act(on, server["uuid"], "stop")
        await on.advance(60)
        error_of(await on.sigma.get(f"/ips/{leased}/"), 404)

    tell(story)


def test_no_two_running_interfaces_have_the_same_address_or_mac(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        bodies = [{**MINIMAL, "cpu": 250, "mem": GIB // 4, "nics": [DHCP, DHCP]} for _ in range(12)]
        made = good(await on.sigma.post("/servers/", json=bodies), 201)["objects"]
        for server in made[::2]:
            assert (await on.sigma.delete(f"/servers/{server['uuid']}/")).status_code == 204
        made = made[1::2] + good(await on.sigma.post("/servers/", json=bodies), 201)["objects"]
        for server in made:
            await act(on, server["uuid"], "start")
        await on.advance(60)

        nics = [
            nic for server in good(await on.sigma.get("/servers/detail/?limit=0"))["objects"] for nic in server["nics"]
        ]

        assert len(nics) == len({nic["mac"] for nic in nics}) == 36
        assert len({nic["runtime"]["ip_v4"]["uuid"] for nic in nics}) == 36

    tell(story)


def test_what_trial_accounts_may_not_do_shows_at_once_while_their_servers_run(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await a_running_server(on, nics=[DHCP, {"vlan": OWN_VLAN}])
        assert "default_firewall_policy" not in server["nics"][0]["runtime"]
        good(await on.sigma.get("/servers/detail/"))
        answer = await on.ops.put(f"/accounts/{OPERATOR}/state", json={"state": "TRIAL"})
        assert good(answer) == {"name": OPERATOR, "state": "TRIAL"}

        trial = await look(on, server)
        policy = trial["nics"][0]["runtime"]["default_firewall_policy"]

        assert good(await on.sigma.get("/servers/detail/"))["objects"] == [trial]
        assert [rule["dst_port"] for rule in policy["rules"]][:3] == ["22", "23", "25"]
        assert "default_firewall_policy" not in trial["nics"][1]["runtime"], "policies are for public interfaces"
        assert trial["runtime"]["nics"][0]["default_firewall_policy"] == policy
        assert good(await on.sigma.get("/profile/"))["state"] == "TRIAL"
        assert good(await on.sigma.get(policy["resource_uri"].removeprefix("/api/2.0")))["rules"] == policy["rules"]
        for method in ("PUT", "DELETE"):
            answer = await on.sigma.request(method, f"/fwpolicies/{policy['uuid']}/", json={})
            assert error_of(answer, 403)["error_type"] == "permission"
        assert good(await on.sigma.get("/fwpolicies/"))["objects"] == []
        good(await on.ops.put(f"/accounts/{OPERATOR}/state", json={"state": "REGULAR"}))
        assert await look(on, server) == server

    tell(story)


def test_only_staff_says_how_far_an_account_is_trusted(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        assert (await on.tenant_ops.put(f"/accounts/{TENANT}/state", json={"state": "REGULAR"})).status_code == 403
        put = good(await on.tenant_sigma.put("/profile/", json={"state": "TRIAL", "email": "x", "title": "Dr"}))
        assert (put["state"], put["email"], put["title"]) == ("REGULAR", TENANT, "Dr")
        assert good(await on.sigma.get("/profile/"))["title"] == "", "each has a profile of its own"

    tell(story)


# --- concurrent changes, quotas, silence ------------------------------------------------------------------------------


def test_a_policy_that_has_changed_since_is_not_overwritten(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        path = f"/fwpolicies/{created(await on.sigma.post('/fwpolicies/', json={}))['uuid']}/"
        seen = (await on.sigma.get(path)).headers["etag"]
        good(await on.sigma.put(path, json={"name": "one"}))

        late = await on.sigma.put(path, json={"name": "two"}, headers={"If-Match": seen})

        assert late.status_code == 412
        assert good(await on.sigma.get(path))["name"] == "one"

    tell(story)


def test_a_policy_that_goes_is_off_every_interface(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        policy = created(await on.sigma.post("/fwpolicies/", json={}))["uuid"]
        server = await a_running_server(on, nics=[{**DHCP, "firewall_policy": policy}])
        assert good(await on.sigma.get("/servers/detail/"))["objects"][0]["nics"][0]["firewall_policy"]

        assert (await on.sigma.delete(f"/fwpolicies/{policy}/")).status_code == 204

        assert (await look(on, server))["nics"][0]["firewall_policy"] is None
        assert good(await on.sigma.get("/servers/detail/"))["objects"][0]["nics"][0]["firewall_policy"] is None

    tell(story)


@pytest.mark.parametrize(("path", "most"), [("/fwpolicies/", 200), ("/tags/", 1000)])
def test_nothing_grows_without_bound(tell: Tell, path: str, most: int) -> None:
    async def story(on: Wired) -> None:
        good(await on.sigma.post(path, json=[{"name": f"n-{number}"} for number in range(most - 1)]), 201)

        too_many = await on.sigma.post(path, json=[{"name": "last"}, {"name": "one too many"}])

        assert error_of(too_many, 403)["error_type"] == "permission"
        assert good(await on.sigma.get(path))["meta"]["total_count"] == most - 1
        created(await on.sigma.post(path, json={"name": "last"}))

    tell(story)


def test_while_a_cell_is_silent_what_lies_centrally_goes_on(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        policy = created(await on.sigma.post("/fwpolicies/", json={}))["uuid"]
        server = await a_server(on, nics=[{**static(OWN_IP), "firewall_policy": policy}, DHCP])
        cell = good(await on.ops.get(f"/servers/{server['uuid']}"))["cell"]
        await on.break_cell(cell)

        silent = await look(on, server)
        refused = await on.sigma.put(f"/servers/{server['uuid']}/", json={**server, "nics": []})

        assert (silent["status"], silent["nics"]) == ("unavailable", server["nics"])
        assert error_of(refused, 503)["error_type"] == "backend"
        assert good(await on.sigma.get(f"/ips/{OWN_IP}/"))["server"]["uuid"] == server["uuid"]
        assert good(await on.sigma.put(f"/ips/{OWN_IP}/", json={"meta": {"a": "b"}}))["meta"] == {"a": "b"}
        assert good(await on.sigma.get("/ips/"))["meta"]["total_count"] == 8
        assert (await on.sigma.delete(f"/fwpolicies/{policy}/")).status_code == 204
        assert (await look(on, server))["nics"][0]["firewall_policy"] is None
        created(await on.sigma.post("/keypairs/", json={"name": "made meanwhile"}))

    tell(story)


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_private_key_is_told_once_and_kept_nowhere(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        made = created(await on.sigma.post("/keypairs/", json={"name": "made"}))
        secret = made["private_key"].splitlines()[1]

        shown = good(await on.sigma.get(f"/keypairs/{made['uuid']}/"))
        folder = on.app.cloud.store.path

        assert shown == {**made, "private_key": ""}
        assert good(await on.sigma.get("/keypairs"))["objects"] == [shown]
        assert all(secret.encode() not in file.read_bytes() for file in folder.rglob("*.db*"))

    tell(story)


def test_a_key_that_goes_is_off_every_server(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        key = created(await on.sigma.post("/keypairs/", json={"name": "mine", "public_key": KEY}))
        server = await a_server(on, pubkeys=[key["uuid"]])
        reference = {"uuid": key["uuid"], "resource_uri": f"/api/2.0/pubkeys/{key['uuid']}/"}
        assert server["pubkeys"] == [reference]

        assert (await on.sigma.delete(f"/keypairs/{key['uuid']}/")).status_code == 204

        assert (await look(on, server))["pubkeys"] == []

    tell(story)


# --- logs -------------------------------------------------------------------------------------------------------------


def test_the_log_tells_who_did_what_with_what_one_may_see_and_no_secrets(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await a_server(on, vnc_password="very-secret", nics=[DHCP])
        await on.advance(60)
        await act(on, server["uuid"], "start")
        await on.advance(60)
        await act(on, server["uuid"], "shutdown")
        await on.advance(60)

        own = good(await on.sigma.get("/logs/", params={"uuid": server["uuid"]}))["objects"]
        good(await on.tenant_sigma.put("/profile/", json={"company": "ACME"}))
        good(await on.tenant_sigma.put(f"/ips/{TENANTS_IP}/", json={"meta": {"a": "b"}}))
        others = good(await on.tenant_sigma.get("/logs/"))["objects"]

        assert [each["action"] for each in own] == [
            "stop",
            "shutdown_ACPI_send",
            "boot",
            "start_send",
            "update",
            "create",
        ]
        assert own[-1]["actor"] == {"resource_uri": "/api/2.0/user/1/", "uuid": "1"}
        assert {each["category"] for each in own} == {"Servers"}
        assert "very-secret" not in str(own)
        assert [(each["category"], each["uuid"]) for each in others] == [("IPs", TENANTS_IP), ("Profile", "2")]

    tell(story)
