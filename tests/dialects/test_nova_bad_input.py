"""Nothing wrong that is sent to the Compute API changes anything; every answer is a fault in Nova's shape."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from backend.cloud.catalogue import IMAGES
from backend.dialects.wire import BODY_BYTES_MAX
from tests.dialects.compute import WEB, a_boot, failed, in_cell, version
from tests.dialects.conftest import Tell
from tests.dialects.support import BASE, Wired, good

ABSENT = "00000000-0000-4000-8000-000000000000"
SERVER = {**WEB}
PLAIN_404 = "404 Not Found\n\nThe resource could not be found.\n\n   "


def wanted(**more: Any) -> dict[str, Any]:
    return {"server": {**SERVER, **more}}


def without(name: str) -> dict[str, Any]:
    return {"server": {key: value for key, value in SERVER.items() if key != name}}


def devices(*found: Any) -> dict[str, Any]:
    return wanted(imageRef="", block_device_mapping_v2=list(found))


VOLUME = {"uuid": ABSENT, "source_type": "volume", "destination_type": "volume", "boot_index": 0}
IMAGED = {"uuid": IMAGES[0].id, "source_type": "image", "destination_type": "volume", "boot_index": 0}
SERVERS, ACTION = "/servers", "/servers/{server}/action"

WRITES: list[tuple[str, str, Any, int, str]] = [
    # Bodies that are none
    ("POST", SERVERS, b"", 400, "Malformed request body"),
    ("POST", SERVERS, b"{", 400, "Malformed request body"),
    ("POST", SERVERS, b"\xff\xfe", 400, "Malformed request body"),
    ("POST", SERVERS, b"[" * 100_000, 400, "Malformed request body"),
    ("POST", SERVERS, b'{"server": {"name": "\\ud800"}}', 400, "Malformed request body"),
    ("POST", SERVERS, [wanted()], 400, "Malformed request body"),
    ("POST", SERVERS, "web", 400, "Malformed request body"),
    ("POST", SERVERS, b"x" * (BODY_BYTES_MAX + 1), 413, ""),
    ("POST", ACTION, {}, 400, "Malformed request body"),
    ("POST", ACTION, {"os-start": None, "os-stop": None}, 400, "Malformed request body"),
    # Creating
    ("POST", SERVERS, {"server": None}, 400, "None is not of type 'object'"),
    ("POST", SERVERS, {"server": {}}, 400, "'name' is a required property"),
    ("POST", SERVERS, without("name"), 400, "'name' is a required property"),
    ("POST", SERVERS, without("flavorRef"), 400, "'flavorRef' is a required property"),
    ("POST", SERVERS, without("networks"), 400, "'networks' is a required property"),
    ("POST", SERVERS, without("imageRef"), 400, "Invalid imageRef provided."),
    ("POST", SERVERS, {**wanted(), "x": 1}, 400, "Additional properties are not allowed ('x' was unexpected)"),
    ("POST", SERVERS, wanted(colour="red"), 400, "('colour' was unexpected)"),
    ("POST", SERVERS, wanted(name=""), 400, "'' is too short"),
    ("POST", SERVERS, wanted(name="x" * 256), 400, "is too long"),
    ("POST", SERVERS, wanted(name=" x"), 400, "does not match"),
    ("POST", SERVERS, wanted(name="x\n"), 400, "does not match"),
    ("POST", SERVERS, wanted(name="\x1b[31m"), 400, "does not match"),
    ("POST", SERVERS, wanted(name=7), 400, "7 is not of type 'string'"),
    ("POST", SERVERS, wanted(flavorRef="99"), 400, "Flavor 99 could not be found."),
    ("POST", SERVERS, wanted(imageRef=ABSENT), 400, "Can not find requested image"),
    ("POST", SERVERS, wanted(networks="all"), 400, "is not valid under any of the given schemas"),
    ("POST", SERVERS, wanted(networks=[{"uuid": "net-1"}]), 400, "Network net-1 could not be found."),
    ("POST", SERVERS, wanted(availability_zone="mars"), 400, "The requested availability zone is not available"),
    ("POST", SERVERS, wanted(availability_zone="cell-1:c1-h1"), 400, "zone is not available"),
    ("POST", SERVERS, wanted(max_count=2), 400, "makes one server a request"),
    ("POST", SERVERS, wanted(max_count="many"), 400, "does not match"),
    ("POST", SERVERS, wanted(metadata={"k" * 256: "v"}), 400, "does not match any of the regexes"),
    ("POST", SERVERS, wanted(metadata={"k": 1}), 400, "1 is not of type 'string'"),
    ("POST", SERVERS, wanted(metadata={"k": "v" * 256}), 400, "is too long"),
    ("POST", SERVERS, wanted(tags=["a,b"]), 400, "does not match"),
    ("POST", SERVERS, wanted(tags=["x" * 61]), 400, "is too long"),
    ("POST", SERVERS, wanted(tags=["x"] * 51), 400, "is too long"),
    ("POST", SERVERS, wanted(user_data="é"), 400, "does not match"),
    ("POST", SERVERS, wanted(user_data="x" * 65_536), 400, "is too long"),
    ("POST", SERVERS, wanted(hostname="web"), 400, "('hostname' was unexpected)"),
    ("POST", SERVERS, {**wanted(), "os:scheduler_hints": {"group": ABSENT}}, 400, "Instance group"),
    ("POST", SERVERS, {**wanted(), "os:scheduler_hints": {"group": 7}}, 400, "7 is not of type 'string'"),
    ("POST", SERVERS, devices(VOLUME), 400, f"failed to get volume {ABSENT}"),
    ("POST", SERVERS, devices({**VOLUME, "uuid": "{drive}"}, {**VOLUME, "uuid": "{drive}"}), 400, "listed twice"),
    ("POST", SERVERS, devices({**VOLUME, "uuid": "{mounted}"}), 400, "Block Device Mapping is Invalid"),
    ("POST", SERVERS, devices({**VOLUME, "uuid": "{theirs}"}), 400, "failed to get volume"),
    ("POST", SERVERS, devices({"source_type": "volume"}), 400, "Missing device UUID"),
    ("POST", SERVERS, devices({**VOLUME, "source_type": "blank"}), 400, "source_type blank is not supported"),
    ("POST", SERVERS, devices({**VOLUME, "source_type": "tape"}), 400, "'tape' is not one of"),
    ("POST", SERVERS, devices({**VOLUME, "boot_index": "first"}), 400, "does not match"),
    ("POST", SERVERS, devices(IMAGED), 400, "too small for its image"),
    ("POST", SERVERS, devices({**IMAGED, "volume_size": 1}), 400, "too small for its image"),
    ("POST", SERVERS, devices({**IMAGED, "volume_size": 10**9}), 400, "too small for its image"),
    (
        "POST",
        SERVERS,
        {"server": {**devices({**VOLUME, "uuid": "{drive}"})["server"], "availability_zone": "cell-2"}},
        400,
        "lies in zone cell-1",
    ),
    # Acting
    ("POST", ACTION, {"explode": None}, 400, "There is no such action: explode"),
    ("POST", ACTION, {"reboot": None}, 400, "None is not of type 'object'"),
    ("POST", ACTION, {"reboot": {"type": "GENTLE"}}, 400, "'GENTLE' is not one of"),
    ("POST", ACTION, {"reboot": {}}, 400, "'type' is a required property"),
    ("POST", ACTION, {"os-start": None}, 409, "while it is in vm_state active"),
    ("POST", "/servers/nope/action", {"os-start": None}, 404, "Instance nope could not be found."),
    ("POST", f"/servers/{ABSENT}/action", {"os-start": None}, 404, "could not be found."),
    ("DELETE", "/servers/nope", None, 404, "Instance nope could not be found."),
    ("DELETE", "/servers/%00", None, 404, "could not be found."),
    ("DELETE", "/servers/{theirs_server}", None, 404, "could not be found."),
    # Changing
    ("PUT", "/servers/{server}", {"server": {"name": None}}, 400, "None is not of type 'string'"),
    ("PUT", "/servers/{server}", {"server": {"status": "ACTIVE"}}, 400, "('status' was unexpected)"),
    ("PUT", "/servers/{server}", {"server": {"hostname": "x1"}}, 400, "('hostname' was unexpected)"),
    ("PUT", "/servers/{server}/metadata", {"metadata": []}, 400, "[] is not of type 'object'"),
    ("PUT", "/servers/{server}/metadata/a", {"meta": {"b": "c"}}, 400, "Request body and URI mismatch"),
    ("POST", "/servers/{server}/metadata", {"metadata": {str(n): "x" for n in range(129)}}, 400, "exceeds 128"),
    ("DELETE", "/servers/{server}/metadata/none", None, 404, "Metadata item was not found"),
    ("PUT", "/servers/{server}/tags", {"tags": "a"}, 400, "'a' is not of type 'array'"),
    ("PUT", "/servers/{server}/tags/a,b", None, 400, "does not match"),
    ("DELETE", "/servers/{server}/tags/none", None, 404, "has no tag 'none'"),
    # Groups
    ("POST", "/os-server-groups", {"server_group": {"name": "g"}}, 400, "'policy' is a required property"),
    ("POST", "/os-server-groups", {"server_group": {"name": "g", "policy": "together"}}, 400, "is not one of"),
    ("POST", "/os-server-groups", {"server_group": {"name": "g", "policy": "affinity"}}, 400, "is not supported"),
    ("POST", "/os-server-groups", {"server_group": {"name": "", "policy": "anti-affinity"}}, 400, "too short"),
    (
        "POST",
        "/os-server-groups",
        {"server_group": {"name": "g", "policy": "anti-affinity", "rules": {"max_server_per_host": 2}}},
        400,
        "can only be 1",
    ),
    ("DELETE", f"/os-server-groups/{ABSENT}", None, 404, "could not be found."),
    # Services: a tenant may not, and an admin may not what there is not
    ("PUT", f"/os-services/{ABSENT}", {"status": "disabled"}, 403, "Policy doesn't allow"),
]


def fill(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        for name, id in names.items():
            value = value.replace("{" + name + "}", id)
    elif isinstance(value, dict):
        return {key: fill(part, names) for key, part in value.items()}
    elif isinstance(value, list):
        return [fill(part, names) for part in value]
    return value


async def send(client: httpx.AsyncClient, method: str, path: str, body: Any, minor: int = 71) -> httpx.Response:
    content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    return await client.request(method, path, content=content, headers=version(minor))


KEYS = {
    400: "badRequest", 403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest", 413: "overLimit",
    406: "computeFault", 500: "computeFault",
}  # fmt: skip


def test_what_is_wrong_is_said_and_changes_nothing(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        names = {"server": await in_cell(on, "cell-1", on.tenant_nova)}
        names["theirs_server"] = await a_boot(on.nova)
        await on.advance(10)
        (names["mounted"],) = [
            drive["id"] for drive in good(await on.tenant_ops.get("/drives"))["drives"] if drive["server_id"]
        ]
        for name, client in (("drive", on.tenant_ops), ("theirs", on.ops)):
            body = {"name": name, "size_bytes": 2**31, "cell": "cell-1"}
            names[name] = good(await client.post("/drives", json=body), 201)["id"]
        await on.advance(5)
        events = await on.events()
        for method, path, body, status, words in WRITES:
            answer = await send(on.tenant_nova, method, fill(path, names), fill(body, names))
            assert words in failed(answer, status, KEYS[status]), (method, path, body, answer.text)
        assert await on.events() == events

    tell(story)


READS: list[tuple[str, int, int, str]] = [
    ("/servers?limit=-1", 1, 400, "'-1' does not match '^[0-9]*$'"),
    ("/servers?limit=1.5", 1, 400, "does not match"),
    ("/servers?limit=1&limit=x", 1, 400, "does not match"),
    ("/servers?marker=nope", 1, 400, "marker [nope] not found"),
    (f"/servers?marker={ABSENT}", 1, 400, "not found"),
    ("/servers?sort_key=nope", 1, 400, "'nope' is not one of ['access_ip_v4'"),
    ("/servers?sort_dir=up", 1, 400, "'up' is not one of ['asc', 'desc']"),
    ("/servers?sort_key=uuid&sort_dir=asc&sort_dir=asc", 1, 400, "Sort direction size exceeds sort key size"),
    ("/servers?status=NOPE", 38, 400, "Invalid status value"),
    ("/servers?status=deleted", 38, 403, "Policy doesn't allow"),
    ("/servers?changes-since=yesterday", 1, 400, "'yesterday' is not a 'date-time'"),
    ("/servers?all_tenants=maybe", 1, 400, "Invalid value 'maybe' for all_tenants"),
    ("/servers?all_tenants=1", 1, 403, "servers:index:get_all_tenants"),
    ("/servers/detail?all_tenants", 1, 403, "servers:detail:get_all_tenants"),
    ("/servers?colour=red", 75, 400, "'colour' does not match any of the regexes: '^_'"),
    ("/servers?colour=red&shape=round", 100, 400, "'colour', 'shape' do not match any of the regexes: '^_'"),
    ("/servers/nope", 1, 404, "Instance nope could not be found."),
    ("/servers/%F0%9F%92%A5", 1, 404, "could not be found."),
    ("/flavors?limit=x", 1, 400, "does not match"),
    ("/flavors?marker=x", 1, 400, "marker [x] not found"),
    ("/flavors/custom-0-0", 1, 404, "Flavor custom-0-0 could not be found."),
    ("/os-server-groups?limit=x", 1, 400, "does not match"),
    ("/os-server-groups/nope", 1, 404, "Instance group nope could not be found."),
    ("/os-services", 1, 403, "os-services:list"),
    ("/os-hypervisors", 1, 403, "os-hypervisors:list"),
    ("/os-hypervisors/detail", 1, 403, "os-hypervisors:list-detail"),
    ("/os-hypervisors/1", 1, 403, "os-hypervisors:show"),
    ("/os-hypervisors/statistics", 88, 404, "The resource could not be found."),
    ("/os-availability-zone/detail", 1, 403, "os-availability-zone:detail"),
]


def test_a_wrong_question_is_a_fault(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for path, minor, status, words in READS:
            answer = await on.tenant_nova.get(path, headers=version(minor))
            assert words in failed(answer, status, KEYS[status]), (path, answer.text)

    tell(story)


@pytest.mark.parametrize("query", ["?colour=red", "?limit=999999999999999999999999", "?limit=" + "9" * 5000, "?_x=1"])
def test_what_is_only_too_much_or_unknown_is_dropped(tell: Tell, query: str) -> None:
    async def story(on: Wired) -> None:
        id = await a_boot(on.nova)
        found = good(await on.nova.get("/servers" + query, headers=version(74)))["servers"]
        assert [row["id"] for row in found] == [id]

    tell(story)


VERSIONS: list[tuple[str, int]] = [
    ("compute 2.0", 406), ("compute 2.101", 406), ("compute 3.1", 406), ("compute 2.01", 400), ("compute 2", 400),
    ("compute 2.1.1", 400), ("compute -2.1", 400), ("compute two", 400), ("compute 2." + "9" * 5000, 400),
    ("compute", 400), ("compute 2.1 x", 400), ("compute ٢.١", 400), ("identity 3.999", 200), ("", 200), (",,", 200),
    ("identity 3, compute 2.999", 406), ("compute latest", 200), ("COMPUTE LATEST", 200), ("compute 2.100", 200),
]  # fmt: skip


def test_a_version_is_one_that_is_served_or_a_fault(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for text, status in VERSIONS:
            for path in ("/servers", "/servers/nope/tags", ""):
                headers = [(b"OpenStack-API-Version", text.encode())]
                answer = await on.nova.get(path, headers=headers)
                if status == 200:
                    assert answer.status_code in (200, 404), (text, answer.text)
                    assert "openstack-api-version" in answer.headers
                    continue
                failed(answer, status, KEYS[status])
                assert ("openstack-api-version" in answer.headers) == (status == 406)
        old = await on.nova.get("/servers", headers={"X-OpenStack-Nova-API-Version": "2.53"})
        assert old.headers["openstack-api-version"] == "compute 2.53"

    tell(story)


@pytest.mark.parametrize(
    "token",
    [None, "", "nope", "operator-token ", "é", "x" * 100_000],
    ids=["none", "empty", "wrong", "longer", "é", "huge"],
)
def test_a_wrong_token_is_refused_before_anything_else(tell: Tell, token: str | None) -> None:
    async def story(on: Wired) -> None:
        headers: list[tuple[bytes, bytes]] = [(b"OpenStack-API-Version", b"compute nope")]
        if token is not None:
            headers.append((b"X-Auth-Token", token.encode()))
        for method, path in (("GET", "/servers"), ("POST", "/servers"), ("DELETE", f"/servers/{ABSENT}")):
            answer = await on.bare.request(method, "/compute/v2.1" + path, headers=headers)
            assert answer.status_code == 401
            assert answer.json()["error"]["title"] == "Unauthorized"
            assert answer.headers["www-authenticate"].startswith('Keystone uri="http://stratodeck/')
            assert "openstack-api-version" not in answer.headers

    tell(story)


def test_there_is_nothing_at_other_paths(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for method, path in (
            ("GET", "/nope"),
            ("PATCH", "/servers"),
            ("DELETE", "/flavors"),
            ("GET", "/servers/a/b/c"),
        ):
            answer = await on.nova.request(method, path)
            assert (answer.status_code, answer.text) == (404, PLAIN_404)
        choices = await on.bare.get("/compute/nope")
        assert choices.status_code == 300
        (choice,) = choices.json()["choices"]
        assert choice["links"][0]["href"] == BASE + "/compute/v2.1/nope"

    tell(story)


# Every part of a good body, replaced by everything that is hostile.

WHOLE: dict[str, Any] = {
    "server": {
        **SERVER,
        "description": "a server",
        "metadata": {"a": "b"},
        "tags": ["t"],
        "security_groups": [{"name": "default"}],
        "user_data": "aGk=",
        "key_name": "mine",
        "config_drive": True,
        "min_count": 1,
        "accessIPv4": "10.0.0.1",
        "availability_zone": "cell-1",
        "OS-DCF:diskConfig": "AUTO",
    },
    "os:scheduler_hints": {},
}
HOSTILE: list[Any] = [
    None, True, 0, -1, 2**63, 2**64, 1.5, 1e300, "", " ", "x" * 300, "\x00", "\x1b[31m", "[red]x[/]", "a\u202eb", "\n",
    [], [None], [[]], {}, {"": ""}, {"a": None}, {"a": {"b": {}}}, "' OR 1=1 --", "../../etc", "٣", "%s%n", "🦀" * 90,
]  # fmt: skip


def mutations(value: Any) -> Iterator[Any]:
    """The value with one part of it, however deep, replaced by each hostile one."""
    yield from copy.deepcopy(HOSTILE)
    if isinstance(value, dict):
        for key, part in value.items():
            for other in mutations(part):
                yield {**value, key: other}
            for other in ("", "x" * 300, "\x1b[31m"):
                yield {**value, other: part}
    elif isinstance(value, list):
        for number, part in enumerate(value):
            for other in mutations(part):
                yield [*value[:number], other, *value[number + 1 :]]


def test_a_hostile_part_of_a_create_is_kept_as_a_word_or_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        tried = refused = 0
        for body in mutations(WHOLE):
            before = on.app.cloud.store.revision
            answer = await send(on.nova, "POST", "/servers", body)
            tried += 1
            if answer.status_code == 202:
                id = answer.json()["server"]["id"]
                good(await on.nova.get(f"/servers/{id}", headers=version(100)))
                assert (await on.nova.delete(f"/servers/{id}")).status_code == 204
                continue
            refused += 1
            assert answer.status_code == 400, (body, answer.text)
            failed(answer, 400, "badRequest")
            assert on.app.cloud.store.revision == before, body
        assert tried > 500
        assert refused > tried // 2

    tell(story)
