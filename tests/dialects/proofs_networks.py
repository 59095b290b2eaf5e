"""Proofs about tags, IPs, VLANs, network interfaces, firewall policies, keys, profiles, logs and the websocket."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

from backend.dialects.cloudsigma.render import PREFIX
from tests.dialects.proofs import Clients, cannot, documented, proves
from tests.dialects.proofs_servers import a_disk, a_node, a_running_server, a_server

NO_METHOD = "has no method for it"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPgkWyqlxj9083nWtAtxcPzuyZO6DT210lG6gDQZKX/s me@example.org"
DHCP = {"ip_v4_conf": {"conf": "dhcp"}}

TAGGED = ("servers", "drives", "ips", "vlans")
documented(
    "/tags/",
    *("GET /tags/", "GET /tags/detail/", "GET /tags/schema/", "POST /tags/", "GET /tags/{uuid}/", "PUT /tags/{uuid}/"),
    "DELETE /tags/{uuid}/",
    *(f"GET /tags/{{uuid}}/{kind}/{end}" for kind in TAGGED for end in ("", "detail/")),
)
documented("/ips/", *(f"GET /ips/{end}" for end in ("", "detail/", "schema/", "{uuid}/")), "PUT /ips/{uuid}/")
documented("/vlans/", *(f"GET /vlans/{end}" for end in ("", "detail/", "schema/", "{uuid}/")), "PUT /vlans/{uuid}/")
documented(
    "/fwpolicies/",
    *(f"GET /fwpolicies/{end}" for end in ("", "detail/", "schema/")),
    "POST /fwpolicies/",
    *(f"{method} /fwpolicies/{{uuid}}/" for method in ("GET", "PUT", "DELETE")),
)
documented(
    "/keypairs/",
    *(f"GET /keypairs/{end}" for end in ("", "detail/", "schema/")),
    "POST /keypairs/",
    *(f"{method} /keypairs/{{uuid}}/" for method in ("GET", "PUT", "DELETE")),
)
documented("/pubkeys/", *(f"GET /pubkeys/{end}" for end in ("", "detail/", "schema/", "{uuid}/")))
documented("/profile/", "GET /profile/", "PUT /profile/", "GET /profile/schema/")
documented("/logs/", "GET /logs/", "GET /logs/schema/")
documented("/locations/", "GET /locations/")
documented("/cloud_status/", "GET /cloud_status/")
documented("/hostavailabilityzones/", "GET /hostavailabilityzones/")
documented("/accounts/", "POST /accounts/action/?do=authenticate_asynchronous")


_IPS, _VLANS = (tuple(f"GET /{kind}/{end}" for end in ("", "detail/", "{uuid}/")) for kind in ("ips", "vlans"))


def addresses(on: Clients) -> list[str]:
    """Of the operator's own, those that no server has."""
    found = on.of("IP").list_detail()
    return [each["uuid"] for each in found if each["owner"]["uuid"] == "1" and each["server"] is None]


def a_vlan(on: Clients) -> str:
    return str(next(each["uuid"] for each in on.of("VLAN").list() if each["owner"]["uuid"] == "1"))


# --- tags, with the cloudsigma package --------------------------------------------------------------------------------


@proves("cloudsigma", "Tags.create, update, delete", "POST /tags/", "PUT /tags/{uuid}/", "DELETE /tags/{uuid}/")
def make_tags(on: Clients) -> None:
    server, drive = a_server(on), a_disk(on)
    tag = on.of("Tags").create({"name": "first", "resources": [server["uuid"]]})
    several = on.of("Tags").create([{"name": "second"}, {"name": "third", "meta": {"a": "b"}}])

    both = on.of("Tags").update(tag["uuid"], {**tag, "name": "renamed", "resources": [server["uuid"], drive["uuid"]]})
    from_the_drive = on.of("Drive").update(drive["uuid"], {**drive, "tags": [several[0]["uuid"]]})

    assert (both["uuid"], both["name"]) == (tag["uuid"], "renamed")
    assert sorted(each["res_type"] for each in both["resources"]) == ["drives", "servers"]
    assert [each["name"] for each in from_the_drive["tags"]] == ["second"]
    for each in (tag, *several):
        on.of("Tags").delete(each["uuid"])
    assert on.of("Server").get(server["uuid"])["tags"] == []


@proves("cloudsigma", "Tags.list, list_detail, get", "GET /tags/", "GET /tags/detail/", "GET /tags/{uuid}/")
def read_tags(on: Clients) -> None:
    tag = on.of("Tags").create({"name": "read"})

    assert [each["uuid"] for each in on.of("Tags").list({"name": "read"})] == [tag["uuid"]]
    assert tag in on.of("Tags").list_detail()
    assert on.of("Tags").get(tag["uuid"]) == tag
    on.of("Tags").delete(tag["uuid"])


@proves("cloudsigma", "Tags.get_schema", "GET /tags/schema/")
def tag_schema(on: Clients) -> None:
    assert on.of("Tags").get_schema()["fields"]["resources"]["type"] == "list"


@proves(
    "cloudsigma",
    "Tags.servers, drives, ips, vlans",
    *(f"GET /tags/{{uuid}}/{kind}/{end}" for kind in TAGGED for end in ("", "detail/")),
)
def what_is_tagged(on: Clients) -> None:
    tagged = [a_server(on)["uuid"], a_disk(on)["uuid"], addresses(on)[0], a_vlan(on)]
    tag = on.of("Tags").create({"name": "on all", "resources": tagged})["uuid"]

    for kind, uuid in zip(TAGGED, tagged, strict=True):
        assert [each["uuid"] for each in getattr(on.of("Tags"), kind)(tag)] == [uuid]
        (detail,) = on.of("Tags").list_resource(tag, f"{kind}/detail")
        assert [each["name"] for each in detail["tags"]] == ["on all"]
    on.of("Tags").delete(tag)


# --- networks, with the cloudsigma package ----------------------------------------------------------------------------


@proves("cloudsigma", "IP.list, list_detail, get, update", *_IPS, "PUT /ips/{uuid}/")
def ips(on: Clients) -> None:
    short = on.of("IP").list()[0]
    detail = on.of("IP").list_detail()[0]

    edited = on.of("IP").update(detail["uuid"], {**detail, "meta": {"for": "web"}})

    assert set(short) == {"uuid", "owner", "resource_uri", "server"}
    assert edited["meta"] == {"for": "web"}
    assert on.of("IP").get(detail["uuid"]) == edited


@proves("cloudsigma", "VLAN.list, list_detail, get, update", *_VLANS, "PUT /vlans/{uuid}/")
def vlans(on: Clients) -> None:
    short = on.of("VLAN").list()[0]
    detail = on.of("VLAN").list_detail()[0]

    edited = on.of("VLAN").update(detail["uuid"], {**detail, "meta": {"for": "db"}})

    assert set(short) == {"uuid", "owner", "resource_uri"}
    assert on.of("VLAN").get(detail["uuid"]) == edited == {**detail, "meta": {"for": "db"}}


@proves("cloudsigma", "IP.get_schema, VLAN.get_schema", "GET /ips/schema/", "GET /vlans/schema/")
def network_schemas(on: Clients) -> None:
    assert on.of("IP").get_schema()["fields"]["server"]["readonly"]
    assert on.of("VLAN").get_schema()["allowed_list_http_methods"] == ["get"]


@proves("cloudsigma", "Server.update (nics)", "PUT /servers/{uuid}/", "GET /servers/{uuid}/runtime/")
def interfaces(on: Clients) -> None:
    """As the package's own acceptance tests do it: from dhcp to a private network and to a static address."""
    server = a_server(on, nics=[DHCP])
    address, vlan = addresses(on)[0], a_vlan(on)

    private = {**server["nics"][0], "vlan": vlan, "ip_v4_conf": None}
    server = on.of("Server").update(server["uuid"], {**server, "nics": [private]})
    assert (server["nics"][0]["vlan"]["uuid"], server["nics"][0]["ip_v4_conf"]) == (vlan, None)
    assert [each["uuid"] for each in on.of("VLAN").get(vlan)["servers"]] == [server["uuid"]]

    static = {**server["nics"][0], "vlan": None, "ip_v4_conf": {"conf": "static", "ip": address}}
    server = on.of("Server").update(server["uuid"], {**server, "nics": [static, DHCP]})
    assert server["nics"][0]["ip_v4_conf"]["ip"]["uuid"] == address
    assert on.of("IP").get(address)["server"]["uuid"] == server["uuid"]

    on.of("Server").start(server["uuid"])
    on.advance(120)
    runtime = on.of("Server").runtime(server["uuid"])
    running = on.of("Server").get(server["uuid"])
    assert [nic["ip_v4"]["uuid"] for nic in runtime["nics"]] == [
        nic["runtime"]["ip_v4"]["uuid"] for nic in running["nics"]
    ]
    assert runtime["nics"][0]["ip_v4"]["uuid"] == address
    assert on.of("IP").get(runtime["nics"][1]["ip_v4"]["uuid"])["server"]["uuid"] == server["uuid"]
    assert all(nic["io"]["bytes_recv"] > 0 for nic in runtime["nics"])
    on.of("Server").stop(server["uuid"])
    on.advance()
    on.of("Server").delete(server["uuid"])
    assert on.of("IP").get(address)["server"] is None


@proves(
    "cloudsigma",
    "FirewallPolicy.create, update, delete",
    *("POST /fwpolicies/", "PUT /fwpolicies/{uuid}/", "DELETE /fwpolicies/{uuid}/"),
)
def make_policies(on: Clients) -> None:
    """The published example, and the empty policy of the package's own tests."""
    blank = on.of("FirewallPolicy").create({})
    rules = [
        {"action": "drop", "direction": "out", "dst_ip": "23"},
        {"action": "accept", "direction": "in", "dst_port": "22", "ip_proto": "tcp", "src_ip": "172.66.32.0/24"},
        {"action": "drop", "direction": "in", "ip_proto": "udp", "src_ip": "!172.66.32.55"},
        {"action": "drop", "direction": "in", "dst_port": "!1:1024", "ip_proto": "tcp"},
    ]

    policy = on.of("FirewallPolicy").update(blank["uuid"], {**blank, "name": "web", "rules": rules})
    server = a_server(on, nics=[{**DHCP, "firewall_policy": policy["uuid"]}])

    assert [rule["dst_ip"] for rule in policy["rules"]] == ["23.0.0.0/32", None, None, None]
    assert [rule["src_ip"] for rule in policy["rules"]] == [None, "172.66.32.0/24", "!172.66.32.55/32", None]
    assert [each["uuid"] for each in on.of("FirewallPolicy").get(policy["uuid"])["servers"]] == [server["uuid"]]
    on.of("FirewallPolicy").delete(policy["uuid"])
    assert on.of("Server").get(server["uuid"])["nics"][0]["firewall_policy"] is None


@proves(
    "cloudsigma",
    "FirewallPolicy.list, list_detail, get, get_schema",
    *(f"GET /fwpolicies/{end}" for end in ("", "detail/", "schema/", "{uuid}/")),
)
def read_policies(on: Clients) -> None:
    policy = on.of("FirewallPolicy").create({"name": "read"})

    assert [each["uuid"] for each in on.of("FirewallPolicy").list({"name": "read"})] == [policy["uuid"]]
    assert policy in on.of("FirewallPolicy").list_detail()
    assert on.of("FirewallPolicy").get(policy["uuid"]) == policy
    assert on.of("FirewallPolicy").get_schema()["filtering"]["name"] == ["exact", "contains", "icontains"]
    on.of("FirewallPolicy").delete(policy["uuid"])


# --- keys, accounts and the rest, with the cloudsigma package ---------------------------------------------------------

_KEYS = tuple(f"GET /keypairs/{end}" for end in ("", "detail/", "schema/", "{uuid}/"))


@proves(
    "cloudsigma",
    "ResourceBase (keypairs, pubkeys)",
    *_KEYS,
    *("POST /keypairs/", "PUT /keypairs/{uuid}/", "DELETE /keypairs/{uuid}/"),
    *(operation.replace("keypairs", "pubkeys") for operation in _KEYS),
)
def keys(on: Clients) -> None:
    """The package has no class for them: its base class takes the name of any resource."""
    pairs, public = on.of("ResourceBase"), on.of("ResourceBase")
    pairs.resource_name, public.resource_name = "keypairs", "pubkeys"
    generated = pairs.create({"name": "generated"})
    imported = pairs.create({"name": "imported", "public_key": PUBLIC_KEY})

    server = a_server(on, pubkeys=[imported["uuid"]])

    assert generated["private_key"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert pairs.get(generated["uuid"])["private_key"] == imported["private_key"] == ""
    assert pairs.update(imported["uuid"], {**imported, "name": "other"})["name"] == "other"
    assert len(pairs.list()) == len(pairs.list_detail()) == len(public.list()) == len(public.list_detail()) == 2
    assert public.get(imported["uuid"])["has_private_key"] is False
    assert pairs.get_schema()["fields"]["fingerprint"]["readonly"]
    assert public.get_schema()["fields"]
    assert server["pubkeys"][0]["resource_uri"] == f"{PREFIX}/pubkeys/{imported['uuid']}/"
    for each in (generated, imported):
        pairs.delete(each["uuid"])
    assert on.of("Server").get(server["uuid"])["pubkeys"] == []


@proves("cloudsigma", "Profile.get, update, get_schema", "GET /profile/", "PUT /profile/", "GET /profile/schema/")
def profile(on: Clients) -> None:
    before = on.of("Profile").get()

    edited = on.of("Profile").update({**before, "company": "ACME", "meta": {"a": "b"}})

    assert (before["email"], before["state"]) == (on.login["username"], "REGULAR")
    assert edited == {**before, "company": "ACME", "meta": {"a": "b"}} == on.of("Profile").get()
    assert on.of("Profile").get_schema()["fields"]["email"]["readonly"]


@proves("cloudsigma", "AuditLog.list, get_schema", "GET /logs/", "GET /logs/schema/")
def logs(on: Clients) -> None:
    server = a_running_server(on)

    told = [each["action"] for each in on.of("AuditLog").list({"uuid": server["uuid"]})]

    assert told == ["boot", "start_send", "create"]
    assert on.of("AuditLog").get_schema()["allowed_list_http_methods"] == ["get"]
    on.of("Server").stop(server["uuid"])
    on.advance()
    on.of("Server").delete(server["uuid"])


@proves(
    "cloudsigma",
    "Locations.list, HostAvailabilityZones.list, GenericClient.get",
    *("GET /locations/", "GET /hostavailabilityzones/", "GET /cloud_status/"),
)
def places(on: Clients) -> None:
    (location,) = on.of("Locations").list()

    assert location["api_endpoint"] == on.login["api_endpoint"]
    assert on.of("HostAvailabilityZones").list() == []
    assert on.of("Locations").c.get("/cloud_status/")["host_availability_zones"] is False


@contextmanager
def configured(on: Clients) -> Iterator[None]:
    """Its websocket takes its address and its login from the package's configuration alone."""
    config = importlib.import_module("cloudsigma.conf").config
    config.update({**on.login, "ws_endpoint": f"{on.url.replace('http', 'ws')}{PREFIX}/websocket"})
    try:
        yield
    finally:
        config.clear()


@proves("cloudsigma", "Websocket", "POST /accounts/action/?do=authenticate_asynchronous")
def websocket(on: Clients) -> None:
    with configured(on):
        socket = on.sigma.Websocket(timeout=10)
        server = on.of("Server").create({"name": "", "cpu": 1000, "mem": 2**30, "vnc_password": "secret"})
        told = socket.wait_obj_uri(server["resource_uri"], on.sigma.Server)
        on.of("Server").delete(server["uuid"])
        frames = socket.wait({"resource_uri": server["resource_uri"]})
        on.of("Profile").update({"company": "told"})
        socket.wait({"resource_type": "profile"})
        socket.ws.conn.close()

    assert told["uuid"] == server["uuid"]
    assert frames[-1] == {"resource_type": "servers", "resource_uri": server["resource_uri"]}


# --- with Apache Libcloud ---------------------------------------------------------------------------------------------


@proves(
    "libcloud",
    "ex_create_tag, ex_list_tags, ex_get_tag, ex_tag_resource, ex_delete_tag",
    *("POST /tags/", "GET /tags/detail/", "GET /tags/{uuid}/", "PUT /tags/{uuid}/", "DELETE /tags/{uuid}/"),
    "GET /tags/{uuid}/servers/detail/",
)
def tags_of_nodes(on: Clients) -> None:
    """What it is asked to tag it leaves out of its request: what has been tagged stays so."""
    node, driver = a_node(on), on.libcloud
    tag = driver.ex_create_tag(name="nodes", resource_uuids=[node.id])
    on.of("Tags").update(tag.id, {"resources": [node.id]})

    assert driver.ex_tag_resource(resource=node, tag=tag).resources == []
    on.of("Tags").update(tag.id, {"resources": [node.id]})
    assert [each.id for each in driver.ex_list_tags() if each.name == "nodes"] == [tag.id]
    assert driver.ex_get_tag(tag.id).resources == [node.id]
    assert [each.id for each in driver.list_nodes(ex_tag=driver.ex_get_tag(tag.id))] == [node.id]
    assert driver.ex_delete_tag(tag)


@proves(
    "libcloud",
    "ex_create_, ex_list_, ex_attach_, ex_delete_firewall_policy",
    *("POST /fwpolicies/", "GET /fwpolicies/detail/", "PUT /servers/{uuid}/", "DELETE /fwpolicies/{uuid}/"),
)
def policies_of_nodes(on: Clients) -> None:
    driver = on.libcloud
    rules = [{"action": "accept", "direction": "in", "dst_port": "443", "ip_proto": "tcp"}]
    policy = driver.ex_create_firewall_policy(name="nodes", rules=rules)
    node = a_node(on, nics=[DHCP])
    # Its size is sent back in the driver's own units, which the cloud would take for its own.
    node.extra["cpus"], node.extra["memory"] = 1000, 2**30

    attached = driver.ex_attach_firewall_policy(policy=policy, node=node)

    assert attached.extra["nics"][0]["firewall_policy"]["uuid"] == policy.id
    assert [each.rules[0].dst_port for each in driver.ex_list_firewall_policies() if each.id == policy.id] == ["443"]
    assert driver.ex_delete_firewall_policy(policy)


@proves(
    "libcloud",
    "create_key_pair, import_key_pair_from_string, list_key_pairs, get_key_pair, delete_key_pair",
    *("POST /keypairs/", "GET /keypairs/", "GET /keypairs/{uuid}/", "DELETE /keypairs/{uuid}/"),
)
def key_pairs(on: Clients) -> None:
    driver = on.libcloud
    made = driver.create_key_pair(name="made")
    imported = driver.import_key_pair_from_string(name="imported", key_material=PUBLIC_KEY)

    assert made.private_key.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert sorted(each.name for each in driver.list_key_pairs()) == ["imported", "made"]
    assert driver.get_key_pair(imported.extra["uuid"]).public_key == PUBLIC_KEY
    assert driver.delete_key_pair(made)
    assert driver.delete_key_pair(imported)


cannot(
    "libcloud",
    NO_METHOD,
    *("GET /tags/", "GET /tags/schema/", "GET /tags/{uuid}/servers/"),
    *(f"GET /tags/{{uuid}}/{kind}/{end}" for kind in TAGGED[1:] for end in ("", "detail/")),
    *(f"GET /{kind}/{end}" for kind in ("ips", "vlans") for end in ("", "detail/", "schema/", "{uuid}/")),
    *("PUT /ips/{uuid}/", "PUT /vlans/{uuid}/"),
    *("GET /fwpolicies/", "GET /fwpolicies/schema/", "GET /fwpolicies/{uuid}/", "PUT /fwpolicies/{uuid}/"),
    *("GET /keypairs/detail/", "GET /keypairs/schema/", "PUT /keypairs/{uuid}/"),
    *(f"GET /pubkeys/{end}" for end in ("", "detail/", "schema/", "{uuid}/")),
    *("GET /profile/", "PUT /profile/", "GET /profile/schema/", "GET /logs/", "GET /logs/schema/"),
    *("GET /locations/", "GET /cloud_status/", "GET /hostavailabilityzones/"),
    "POST /accounts/action/?do=authenticate_asynchronous",
)
