"""Nothing wrong that is sent about tags, networks, policies, keys and profiles changes anything."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.conftest import Tell
from tests.dialects.sigma import MINIMAL, a_server, created
from tests.dialects.support import Wired, good
from tests.dialects.test_cloudsigma_bad_input import filled

ABSENT = "00000000-0000-4000-8000-000000000000"
IP, TENANTS_IP = "198.18.0.2", "198.18.0.6"
VLAN, TENANTS_VLAN = "5d6e1d2e-6a5c-4f0f-9a6b-000000000000", "5d6e1d2e-6a5c-4f0f-9a6b-000000000002"
RULE = {"action": "drop", "direction": "in"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPgkWyqlxj9083nWtAtxcPzuyZO6DT210lG6gDQZKX/s"


def nics(*sent: Any) -> dict[str, Any]:
    return {**MINIMAL, "nics": list(sent)}


def static(address: Any) -> dict[str, Any]:
    return {"ip_v4_conf": {"conf": "static", "ip": address}}


def ruled(**more: Any) -> dict[str, Any]:
    return {"rules": [RULE, {**RULE, **more}]}


WRITES: list[tuple[str, str, Any, int, str | None]] = [
    # Interfaces, of a new server and of one that there is
    *(
        (method, path, body, 400, point)
        for method, path in (("POST", "/servers/"), ("PUT", "/servers/{server}/"))
        for body, point in (
            (nics({"mac": "22:00:00:00:00:00"}), "mac"),
            (nics({"vlan": VLAN, "ip_v4_conf": {"conf": "dhcp"}}), "vlan"),
            (nics({"vlan": ABSENT}), "vlan"),
            (nics({"vlan": TENANTS_VLAN}), "vlan"),
            (nics({"ip_v4_conf": {"conf": "dhcp", "ip": IP}}), "ip_v4_conf"),
            (nics({"ip_v4_conf": {"conf": "manual", "ip": IP}}), "ip_v4_conf"),
            (nics({"ip_v4_conf": {"conf": "static"}}), "ip_v4_conf"),
            (nics(static("1.2.3.4")), "ip_v4_conf"),
            (nics(static(TENANTS_IP)), "ip_v4_conf"),
            (nics(static(IP), static(IP)), "ip_v4_conf"),
            (nics({"ip_v6_conf": {"conf": "dhcp"}}), "ip_v6_conf"),
            (nics({"firewall_policy": ABSENT}), "firewall_policy"),
            (nics({"firewall_policy": "{tenants_policy}"}), "firewall_policy"),
            (nics({"model": "token ring"}), "nics.0.model"),
            (nics({"boot_order": 0}), "nics.0.boot_order"),
            (nics(*[{}] * 65), "nics"),
            ({**MINIMAL, "pubkeys": [ABSENT]}, "pubkeys"),
            ({**MINIMAL, "tags": ["x" * 129]}, "name"),
            ({**MINIMAL, "tags": ["\x1b[2J"]}, "name"),
        )
    ),
    ("POST", "/servers/", [nics(static(IP)), nics(static(IP))], 400, "ip_v4_conf"),
    ("PUT", "/servers/{server}/", nics({"mac": "{mac}"}, {"mac": "{mac}"}), 400, "mac"),
    # Addresses and private networks
    ("PUT", f"/ips/{IP}/", {"meta": {"k" * 33: "v"}}, 400, None),
    ("PUT", f"/ips/{IP}/", {"meta": {"a": "v" * 40_000, "b": "v" * 40_000}}, 400, "meta"),
    ("PUT", f"/ips/{IP}/", {"tags": [ABSENT]}, 400, "tags"),
    ("PUT", "/ips/1.2.3.4/", {"meta": {}}, 404, None),
    ("PUT", f"/vlans/{VLAN}/", [], 400, "body"),
    ("PUT", f"/vlans/{ABSENT}/", {"meta": {}}, 404, None),
    ("POST", "/ips/", {}, 405, None),
    ("DELETE", f"/ips/{IP}/", None, 405, None),
    ("DELETE", f"/vlans/{VLAN}/", None, 405, None),
    # Firewall policies
    ("POST", "/fwpolicies/", {"name": "x" * 256}, 400, "name"),
    ("POST", "/fwpolicies/", {"rules": [{"direction": "in"}]}, 400, "rules.0.action"),
    ("POST", "/fwpolicies/", ruled(action="explode"), 400, "rules.1.action"),
    ("POST", "/fwpolicies/", ruled(direction="up"), 400, "rules.1.direction"),
    ("POST", "/fwpolicies/", ruled(ip_proto="icmp"), 400, "rules.1.ip_proto"),
    ("POST", "/fwpolicies/", ruled(src_ip="nowhere"), 400, "src_ip"),
    ("POST", "/fwpolicies/", ruled(dst_ip=7), 400, "rules.1.dst_ip"),
    ("POST", "/fwpolicies/", ruled(ip_proto="tcp", dst_port="65536"), 400, "dst_port"),
    ("POST", "/fwpolicies/", ruled(dst_port="22"), 400, "ip_proto"),
    ("POST", "/fwpolicies/", {"rules": [RULE] * 257}, 400, "rules"),
    ("POST", "/fwpolicies/", [{}, ruled(src_ip="nowhere")], 400, "src_ip"),
    ("PUT", "/fwpolicies/{policy}/", ruled(src_ip="nowhere"), 400, "src_ip"),
    ("PUT", f"/fwpolicies/{ABSENT}/", {}, 404, None),
    ("DELETE", f"/fwpolicies/{ABSENT}/", None, 404, None),
    # Tags
    ("POST", "/tags/", {}, 400, "name"),
    ("POST", "/tags/", {"name": ""}, 400, "name"),
    ("POST", "/tags/", {"name": " padded "}, 400, "name"),
    ("POST", "/tags/", {"name": "x" * 129}, 400, "name"),
    ("POST", "/tags/", {"name": "\x1b[2J"}, 400, "name"),
    ("POST", "/tags/", {"name": ABSENT}, 400, "name"),
    ("POST", "/tags/", {"name": "taken"}, 400, "name"),
    ("POST", "/tags/", [{"name": "twice"}, {"name": "twice"}], 400, "name"),
    ("POST", "/tags/", {"name": "new", "resources": [ABSENT]}, 400, "resources"),
    ("POST", "/tags/", {"name": "new", "resources": ["{policy}"]}, 400, "resources"),
    ("POST", "/tags/", [{"name": "new"}, {"name": "newer", "resources": [ABSENT]}], 400, "resources"),
    ("PUT", "/tags/{tag}/", {"resources": "all"}, 400, "resources"),
    ("PUT", "/tags/{tag}/", {"resources": [TENANTS_IP]}, 400, "resources"),
    ("PUT", "/tags/{tag}/", {"name": "also taken"}, 400, "name"),
    ("PUT", f"/tags/{ABSENT}/", {"name": "new"}, 404, None),
    ("DELETE", f"/tags/{ABSENT}/", None, 404, None),
    # Keys
    ("POST", "/keypairs/", {}, 400, "name"),
    ("POST", "/keypairs/", {"name": "k", "public_key": "ssh-ed25519"}, 400, "public_key"),
    ("POST", "/keypairs/", {"name": "k", "public_key": "ssh-ed25519 !!!!"}, 400, "public_key"),
    ("POST", "/keypairs/", {"name": "k", "public_key": "ssh-dss AAAAB3NzaC1kc3M="}, 400, "public_key"),
    ("POST", "/keypairs/", {"name": "k", "public_key": KEY.replace("ed25519", "rsa", 1)}, 400, "public_key"),
    ("POST", "/keypairs/", {"name": "k", "public_key": f"{KEY}\nssh-rsa AAAA"}, 400, "public_key"),
    ("POST", "/keypairs/", {"name": "k", "private_key": "secret"}, 400, "public_key"),
    ("PUT", "/keypairs/{key}/", {"public_key": KEY + " other"}, 400, "public_key"),
    ("DELETE", f"/keypairs/{ABSENT}/", None, 404, None),
    ("POST", "/pubkeys/", {"name": "k"}, 405, None),
    # The rest
    ("PUT", "/profile/", {"clone_naming": "RANDOM"}, 400, "clone_naming"),
    ("PUT", "/profile/", {"company": 7}, 400, "company"),
    ("PUT", "/profile/", [], 400, "body"),
    ("POST", "/logs/", {}, 405, None),
    ("POST", "/accounts/action/?do=explode", {}, 400, "do"),
]


async def things(on: Wired) -> dict[str, str]:
    server = await a_server(on, nics=[{"ip_v4_conf": {"conf": "dhcp"}}])
    good(await on.sigma.post("/tags/", json={"name": "also taken"}), 201)
    return {
        "server": server["uuid"],
        "mac": server["nics"][0]["mac"],
        "policy": created(await on.sigma.post("/fwpolicies/", json={"name": "mine"}))["uuid"],
        "tenants_policy": created(await on.tenant_sigma.post("/fwpolicies/", json={"name": "mine"}))["uuid"],
        "tag": created(await on.sigma.post("/tags/", json={"name": "taken"}))["uuid"],
        "key": created(await on.sigma.post("/keypairs/", json={"name": "mine", "public_key": KEY}))["uuid"],
    }


def test_a_bad_write_names_its_field_and_leaves_the_event_log_as_it_was(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        ids = await things(on)
        before = await on.events()
        for method, path, body, status, point in WRITES:
            answer = await on.sigma.request(method, filled(path, ids), json=filled(body, ids))

            assert answer.status_code == status, (method, path, body, answer.text)
            (error,) = answer.json()
            assert set(error) == {"error_type", "error_message", "error_point"}
            assert point is None or error["error_point"] == point, (method, path, body, answer.text)
            assert await on.events() == before, (method, path, body)

    tell(story)


READS = [
    *(f"/{kind}/?limit=ten" for kind in ("tags", "ips", "vlans", "fwpolicies", "keypairs", "logs")),
    "/fwpolicies/?order_by=rules",
]
MISSING = [
    *(f"/{kind}/{ABSENT}/" for kind in ("tags", "ips", "vlans", "fwpolicies", "keypairs", "pubkeys")),
    "/ips/100.64.0.77/",
    "/ips/100.300.0.77/",
    f"/tags/{ABSENT}/servers/",
]
KINDS = ("tags", "ips", "vlans", "fwpolicies", "keypairs", "pubkeys", "profile", "logs", "locations", "cloud_status")


def test_what_cannot_be_read_is_refused_with_an_array(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for client, path, status, kind in (
            *((on.sigma, path, 400, "validation") for path in READS),
            *((on.sigma, path, 404, "notexist") for path in MISSING),
            *((on.bare, f"/api/2.0/{kind}/", 401, "permission") for kind in KINDS),
        ):
            answer = await client.get(path)
            (error,) = answer.json()
            assert (answer.status_code, error["error_type"]) == (status, kind), (path, answer.text)
        for kind in KINDS:
            xml = await on.sigma.get(f"/{kind}/", headers={"Accept": "application/xml"})
            assert (xml.status_code, len(xml.json())) == (406, 1)

    tell(story)


@pytest.mark.parametrize("kind", ["tags", "ips", "vlans", "fwpolicies", "keypairs", "pubkeys", "profile", "logs"])
def test_a_schema_says_what_every_object_has(tell: Tell, kind: str) -> None:
    async def story(on: Wired) -> None:
        await things(on)
        schema = good(await on.sigma.get(f"/{kind}/schema/"))
        found = good(await on.sigma.get(f"/{kind}/detail/" if kind not in ("profile", "logs") else f"/{kind}/"))
        for thing in found.get("objects", [found]):
            assert set(thing) <= set(schema["fields"]), set(thing) - set(schema["fields"])

    tell(story)
