"""Tags as objects: what carries them, what they are called, and that redundancy groups are some of them."""

from __future__ import annotations

from typing import Any

from tests.dialects.conftest import Tell
from tests.dialects.sigma import a_drive, a_server, created, error_of
from tests.dialects.support import Wired, good

IP, VLAN = "198.18.0.2", "5d6e1d2e-6a5c-4f0f-9a6b-000000000000"
TENANTS_IP = "198.18.0.6"


async def a_tag(on: Wired, **more: Any) -> dict[str, Any]:
    return created(await on.sigma.post("/tags/", json={"name": "mine", **more}))


async def tags(on: Wired) -> dict[str, list[str]]:
    """What carries each, by its name."""
    found = good(await on.sigma.get("/tags/detail/"))["objects"]
    return {tag["name"]: sorted(each["uuid"] for each in tag["resources"]) for tag in found}


def names(thing: dict[str, Any]) -> list[str]:
    return [tag["name"] for tag in thing["tags"]]


def test_a_tag_has_the_published_fields(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)

        tag = await a_tag(on, meta={"a": "b"}, resources=[drive["uuid"]])

        owner = {"uuid": "1", "email": "operator@example.org", "resource_uri": "/api/2.0/user/1/"}
        assert tag == {
            "meta": {"a": "b"},
            "name": "mine",
            "owner": owner,
            "resource_uri": f"/api/2.0/tags/{tag['uuid']}/",
            "resources": [
                {"owner": owner, "res_type": "drives", "resource_uri": drive["resource_uri"], "uuid": drive["uuid"]}
            ],
            "uuid": tag["uuid"],
        }

    tell(story)


def test_tagging_from_the_tag_and_from_the_thing_are_one(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, drive = await a_server(on), await a_drive(on)
        tag = await a_tag(on, resources=[server["uuid"], IP, VLAN])
        assert await tags(on) == {"mine": sorted([server["uuid"], IP, VLAN])}

        put = await on.sigma.put(f"/drives/{drive['uuid']}/", json={**drive, "tags": [tag["uuid"]]})
        assert names(good(put)) == ["mine"]
        server = good(await on.sigma.get(f"/servers/{server['uuid']}/"))
        good(await on.sigma.put(f"/servers/{server['uuid']}/", json={**server, "tags": ["other"]}))
        good(await on.sigma.put(f"/ips/{IP}/", json={"tags": [tag["uuid"], "other"]}))

        assert await tags(on) == {
            "mine": sorted([drive["uuid"], IP, VLAN]),
            "other": sorted([server["uuid"], IP]),
        }
        good(await on.sigma.put(f"/tags/{tag['uuid']}/", json={"resources": []}))
        assert (await tags(on))["mine"] == []
        assert names(good(await on.sigma.get(f"/ips/{IP}/"))) == ["other"]

    tell(story)


def test_a_new_name_keeps_the_uuid_and_reaches_all_that_carry_it(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        made = [await a_server(on) for _ in range(3)]
        tag = await a_tag(on, resources=[server["uuid"] for server in made])
        good(await on.sigma.get("/servers/detail/"))

        renamed = good(await on.sigma.put(f"/tags/{tag['uuid']}/", json={"name": "yours"}))
        again = await a_tag(on)

        assert renamed == {**tag, "name": "yours"}
        assert again["uuid"] != tag["uuid"], "the old name is free, its uuid is not"
        for server in good(await on.sigma.get("/servers/detail/"))["objects"]:
            assert [(each["name"], each["uuid"]) for each in server["tags"]] == [("yours", tag["uuid"])]
        assert (await on.sigma.delete(f"/tags/{tag['uuid']}/")).status_code == 204
        assert await tags(on) == {"mine": []}
        bare = [{**server, "tags": []} for server in sorted(made, key=lambda server: str(server["uuid"]))]
        assert good(await on.sigma.get("/servers/detail/"))["objects"] == bare

    tell(story)


def test_a_redundancy_group_is_a_tag_that_makes_and_ends_it(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first, second = [await on.server(name, tags=["group:web"]) for name in ("web-01", "web-02")]
        third = await a_server(on, name="web-03")
        [tag] = good(await on.sigma.get("/tags/"))["objects"]
        assert (tag["name"], len(tag["resources"])) == ("group:web", 2)

        everything = [first["id"], second["id"], third["uuid"]]
        good(await on.sigma.put(f"/tags/{tag['uuid']}/", json={**tag, "resources": everything}))
        assert good(await on.ops.get(f"/servers/{third['uuid']}"))["group"] == "web"
        assert (await on.sigma.delete(f"/tags/{tag['uuid']}/")).status_code == 204

        assert {good(await on.ops.get(f"/servers/{id}"))["group"] for id in everything} == {None}

    tell(story)


def test_a_server_group_of_the_compute_api_keeps_the_tag_of_its_members(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        headers = {"OpenStack-API-Version": "compute 2.64"}
        body = {"server_group": {"name": "pair", "policy": "anti-affinity"}}
        group = good(await on.nova.post("/os-server-groups", json=body, headers=headers))["server_group"]
        flavor = good(await on.nova.get("/flavors"))["flavors"][0]["id"]
        image = good(await on.bare.get("/image/v2/images", headers={"X-Auth-Token": "operator-token"}))["images"][0][
            "id"
        ]
        server = {"name": "one", "flavorRef": flavor, "imageRef": image}
        answer = await on.nova.post("/servers", json={"server": server, "os:scheduler_hints": {"group": group["id"]}})
        good(answer, 202)
        await on.advance(600)
        [tag] = good(await on.sigma.get("/tags/"))["objects"]
        path = f"/tags/{tag['uuid']}/"

        for refused in (
            await on.sigma.delete(path),
            await on.sigma.put(path, json={"name": "other"}),
            await on.sigma.put(path, json={"resources": []}),
        ):
            assert "server group" in error_of(refused, 403)["error_message"]
        assert (tag["name"], len(tag["resources"])) == ("group:pair", 1)
        assert good(await on.sigma.get(path)) == tag

    tell(story)


def test_what_carries_a_tag_is_listed_as_its_own_lists_have_it(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, drive = await a_server(on), await a_drive(on)
        tag = await a_tag(on, resources=[server["uuid"], drive["uuid"], IP, VLAN])

        for kind in ("servers", "drives", "ips", "vlans"):
            for end in ("", "detail/"):
                own = good(await on.sigma.get(f"/{kind}/{end}", params={"tag": tag["uuid"]}))
                assert good(await on.sigma.get(f"/tags/{tag['uuid']}/{kind}/{end}")) == own
                assert own["meta"]["total_count"] == 1
        error_of(await on.sigma.get(f"/tags/{tag['uuid']}/fwpolicies/"), 404)
        error_of(await on.tenant_sigma.get(f"/tags/{tag['uuid']}/servers/"), 404)

    tell(story)


def test_tags_of_other_projects_are_nobody_elses(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        tag = await a_tag(on)
        path = f"/tags/{tag['uuid']}/"

        assert good(await on.tenant_sigma.get("/tags/"))["objects"] == []
        for answer in (
            await on.tenant_sigma.get(path),
            await on.tenant_sigma.put(path, json={"name": "theirs"}),
            await on.tenant_sigma.delete(path),
        ):
            error_of(answer, 404)
        theirs = created(await on.tenant_sigma.post("/tags/", json={"name": "mine"}))
        assert theirs["uuid"] != tag["uuid"]
        refused = await on.tenant_sigma.put(f"/tags/{theirs['uuid']}/", json={"resources": [IP]})
        assert error_of(refused, 400)["error_message"] == f"there is no server, drive, IP or VLAN {IP}"
        refused = await on.sigma.put(path, json={"resources": [TENANTS_IP]})
        assert "another project" in error_of(refused, 400)["error_message"]

    tell(story)


def test_while_a_cell_is_silent_its_servers_are_not_tagged_and_their_tags_do_not_go(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, drive = await a_server(on), await a_drive(on)
        held, free = await a_tag(on, resources=[server["uuid"]]), await a_tag(on, name="free")
        cell = good(await on.ops.get(f"/servers/{server['uuid']}"))["cell"]
        await on.break_cell(cell)
        path = f"/tags/{held['uuid']}/"

        for refused in (
            await on.sigma.delete(path),
            await on.sigma.put(path, json={"name": "other"}),
            await on.sigma.put(f"/tags/{free['uuid']}/", json={"resources": [server["uuid"]]}),
            await on.sigma.post("/tags/", json={"name": "new", "resources": [server["uuid"]]}),
        ):
            assert error_of(refused, 503)["error_type"] == "backend"
        # What is not known of it stays as it is, whatever else is put.
        assert good(await on.sigma.put(path, json={**held, "resources": [IP]}))["resources"][0]["uuid"] == IP
        assert set(await tags(on)) == {"mine", "free"}
        good(await on.ops.put(f"/cells/{cell}/reachability", json={"state": "up"}))
        assert (await tags(on))["mine"] == sorted([server["uuid"], IP])
        assert drive["tags"] == []

    tell(story)
