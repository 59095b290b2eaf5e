"""Nothing wrong that is sent to CloudSigma's paths changes anything; the answer names the field."""

from __future__ import annotations

from typing import Any

from backend.cloud.catalogue import IMAGES
from backend.dialects.wire import REQUIRED
from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good

ABSENT = "00000000-0000-4000-8000-000000000000"
SERVER = {"name": "web-01", "cpu": 1000, "mem": 2**30, "vnc_password": "secret"}
DRIVE = {"name": "disk-01", "size": 2**30, "media": "disk"}
MOUNT = {"drive": "{drive}", "device": "virtio", "dev_channel": "0:0"}


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


def mounted(*mounts: dict[str, Any]) -> dict[str, Any]:
    return {**SERVER, "drives": list(mounts)}


WRITES: list[tuple[str, str, Any, int, str | None]] = [
    # Bodies that are none
    ("POST", "/servers/", b"{", 400, "body"),
    ("POST", "/servers/", b"\xff", 400, "body"),
    ("POST", "/servers/", b"[" * 100_000, 400, "body"),
    ("POST", "/servers/", [], 400, "objects"),
    ("POST", "/servers/", {"objects": []}, 400, "objects"),
    ("POST", "/servers/", {"objects": SERVER["name"]}, 400, "objects"),
    ("POST", "/servers/", [SERVER, 7], 400, "objects"),
    ("PUT", "/servers/{server}/", [SERVER], 400, "body"),
    ("POST", "/servers/{server}/action/?do=start", [], 400, "body"),
    # Required fields, of a create and of an edit
    *(("POST", "/servers/", without(SERVER, name), 400, name) for name in SERVER),
    *(("PUT", "/servers/{server}/", without(SERVER, name), 400, name) for name in SERVER),
    *(("POST", "/drives/", without(DRIVE, name), 400, name) for name in DRIVE),
    ("POST", "/servers/", {**SERVER, "name": None}, 400, "name"),
    # Values
    ("POST", "/servers/", {**SERVER, "cpu": 249}, 400, "cpu"),
    ("POST", "/servers/", {**SERVER, "cpu": 96_001}, 400, "cpu"),
    ("POST", "/servers/", {**SERVER, "cpu": 0.5}, 400, "cpu"),
    ("POST", "/servers/", {**SERVER, "cpu": True}, 400, "cpu"),
    ("POST", "/servers/", {**SERVER, "cpu": "many"}, 400, "cpu"),
    ("POST", "/servers/", {**SERVER, "cpu": 10**19}, 400, "cpu"),
    ("POST", "/servers/", {**SERVER, "mem": 512.0}, 400, "mem"),
    ("POST", "/servers/", {**SERVER, "mem": -(2**30)}, 400, "mem"),
    ("POST", "/servers/", {**SERVER, "smp": 33}, 400, "smp"),
    ("POST", "/servers/", {**SERVER, "name": 7}, 400, "name"),
    ("POST", "/servers/", {**SERVER, "name": "x" * 256}, 400, "name"),
    ("POST", "/servers/", {**SERVER, "is_grey": "yes"}, 400, "is_grey"),
    ("POST", "/servers/", {**SERVER, "cpu_type": "arm"}, 400, "cpu_type"),
    ("POST", "/servers/", {**SERVER, "cpu_perf_threshold": 1.1}, 400, "cpu_perf_threshold"),
    ("POST", "/servers/", {**SERVER, "meta": {"k" * 33: "v"}}, 400, None),
    ("POST", "/servers/", {**SERVER, "meta": {"k": {}}}, 400, None),
    ("POST", "/servers/", {**SERVER, "meta": []}, 400, "meta"),
    ("POST", "/servers/", {**SERVER, "tags": [ABSENT]}, 400, "tags"),
    ("POST", "/servers/", [SERVER, {**SERVER, "cpu": 1}], 400, "cpu"),
    # Drives of a server
    ("POST", "/servers/", mounted({"drive": ABSENT}), 404, None),
    ("POST", "/servers/", mounted(MOUNT, MOUNT), 400, "drives"),
    ("POST", "/servers/", mounted({**MOUNT, "dev_channel": "0:6"}), 400, "dev_channel"),
    ("POST", "/servers/", mounted({**MOUNT, "device": "ide", "dev_channel": "2:0"}), 400, "dev_channel"),
    ("POST", "/servers/", mounted({**MOUNT, "dev_channel": "0"}), 400, "drives.0.dev_channel"),
    ("POST", "/servers/", mounted({**MOUNT, "device": "scsi"}), 400, "drives.0.device"),
    ("POST", "/servers/", mounted({"device": "ide"}), 400, "drives.0.drive"),
    ("POST", "/servers/", [mounted(MOUNT), mounted(MOUNT)], 400, "drives"),
    # Networks
    ("POST", "/servers/", {**SERVER, "nics": [{"mac": "22:00:00:00:00:00"}]}, 400, "mac"),
    ("POST", "/servers/", {**SERVER, "nics": [{"vlan": ABSENT, "ip_v4_conf": {"conf": "dhcp"}}]}, 400, "vlan"),
    ("POST", "/servers/", {**SERVER, "nics": [{"ip_v4_conf": {"conf": "dhcp", "ip": "1.2.3.4"}}]}, 400, "ip_v4_conf"),
    ("POST", "/servers/", {**SERVER, "nics": [{"ip_v4_conf": {"conf": "static", "ip": "1.2.3.4"}}]}, 400, "ip_v4_conf"),
    ("POST", "/servers/", {**SERVER, "nics": [{"ip_v4_conf": {"conf": "magic"}}]}, 400, "nics.0.ip_v4_conf.conf"),
    # Actions
    ("POST", "/servers/{server}/action/", None, 400, "do"),
    ("POST", "/servers/{server}/action/?do=explode", None, 400, "do"),
    ("POST", "/servers/{server}/action/?do=stop", None, 403, None),
    ("POST", f"/servers/{ABSENT}/action/?do=start", None, 404, None),
    ("DELETE", "/servers/{server}/?recurse=everything", None, 400, "recurse"),
    ("DELETE", f"/servers/{ABSENT}/", None, 404, None),
    # Drives
    ("POST", "/drives/", {**DRIVE, "size": 1}, 400, "size"),
    ("POST", "/drives/", {**DRIVE, "size": 2**62}, 400, "size"),
    ("POST", "/drives/", {**DRIVE, "media": "tape"}, 400, "media"),
    ("POST", "/drives/", {**DRIVE, "storage_type": "nvme"}, 400, "storage_type"),
    ("POST", "/drives/", [DRIVE, {**DRIVE, "size": 1}], 400, "size"),
    ("PUT", "/drives/{drive}/", {**DRIVE, "size": 2**30}, 400, "size"),
    ("PUT", "/drives/{drive}/", {**DRIVE, "size": 2**62}, 400, "size"),
    ("PUT", "/drives/{drive}/", {"media": "tape"}, 400, "media"),
    ("DELETE", f"/drives/{ABSENT}/", None, 404, None),
    ("POST", "/drives/{drive}/action/?do=explode", None, 400, "do"),
    ("POST", "/drives/{drive}/action/?do=resize", None, 400, "size"),
    ("POST", "/drives/{drive}/action/?do=resize", {"size": "large"}, 400, "size"),
    ("POST", "/drives/{drive}/action/?do=resize", {"size": 10 * 2**30}, 400, "size"),
    ("POST", "/drives/{drive}/action/?do=resize", {"size": 2**29}, 400, "size"),
    ("POST", "/drives/{drive}/action/?do=clone", {"size": 2**29}, 400, "size"),
    ("POST", "/drives/{drive}/action/?do=clone", {"storage_type": "nvme"}, 400, "storage_type"),
    ("POST", "/drives/{drive}/action/?do=clone&avoid=x", None, 400, "avoid"),
    ("POST", "/drives/?avoid=x", DRIVE, 400, "avoid"),
    ("POST", "/libdrives/{drive}/action/?do=clone", None, 404, None),
    ("POST", "/libdrives/{image}/action/?do=resize", {"size": 2**40}, 400, "do"),
    ("POST", "/libdrives/{image}/action/?do=clone", {"size": 2**29}, 400, "size"),
    ("PUT", "/drives/{image}/", DRIVE, 403, None),
    ("DELETE", "/drives/{image}/", None, 403, None),
    ("POST", "/servers/", mounted({"drive": "{image}"}), 403, None),
    # Several at once
    *(("DELETE", path, [], 400, "objects") for path in ("/servers/", "/drives/", "/snapshots/")),
    *(("DELETE", path, {"objects": [7]}, 400, "objects") for path in ("/servers/", "/drives/", "/snapshots/")),
    *(("DELETE", path, [ABSENT], 404, None) for path in ("/servers/", "/bservers/", "/drives/", "/snapshots/")),
    ("DELETE", "/drives/", ["{drive}", ABSENT], 404, None),
    ("DELETE", "/servers/?recurse=everything", ["{server}"], 400, "recurse"),
    # Snapshots
    ("POST", "/snapshots/", {}, 400, "drive"),
    ("POST", "/snapshots/", {"drive": 7}, 400, "drive"),
    ("POST", "/snapshots/", {"drive": ABSENT}, 404, None),
    ("POST", "/snapshots/", [{"drive": "{drive}"}, {"drive": ABSENT}], 404, None),
    ("POST", "/snapshots/", {"drive": "{drive}", "name": 7}, 400, "name"),
    ("POST", "/snapshots/", {"drive": "{drive}", "meta": []}, 400, "meta"),
    ("PUT", f"/snapshots/{ABSENT}/", {"name": "x"}, 404, None),
    ("PUT", "/snapshots/{snapshot}/", {"name": 7}, 400, "name"),
    ("DELETE", f"/snapshots/{ABSENT}/", None, 404, None),
    ("POST", "/snapshots/{snapshot}/action/", None, 400, "do"),
    ("POST", "/snapshots/{snapshot}/action/?do=clone", [], 400, "body"),
    ("POST", "/snapshots/{snapshot}/action/?do=clone", {"size": 2**29}, 400, "size"),
    ("POST", "/snapshots/{snapshot}/action/?do=clone", {"media": "tape"}, 400, "media"),
    # Of a server that does not run
    *(
        ("POST", f"/servers/{{server}}/action/?do={action}", None, 403, None)
        for action in ("restart", "shutdown", "open_vnc", "close_vnc", "open_console", "close_console")
    ),
    # Nobody's session
    ("POST", "/accounts/action/", None, 400, "do"),
    ("POST", "/accounts/action/?do=explode", None, 400, "do"),
    ("POST", "/accounts/action/?do=login", {"username": "x"}, 400, "password"),
]


def filled(value: Any, names: dict[str, str]) -> Any:
    """With `{server}` and `{drive}` replaced by their ids, however deep."""
    if isinstance(value, str):
        for name, uuid in names.items():
            value = value.replace("{" + name + "}", uuid)
    elif isinstance(value, dict):
        return {key: filled(part, names) for key, part in value.items()}
    elif isinstance(value, list):
        return [filled(part, names) for part in value]
    return value


def test_a_bad_write_names_its_field_and_leaves_the_event_log_as_it_was(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        names = {"server": (await on.server())["id"], "drive": (await on.drive())["id"], "image": IMAGES[0].id}
        snapshot = good(await on.sigma.post("/snapshots/", json={"drive": names["drive"]}), 201)["objects"][0]
        names["snapshot"] = snapshot["uuid"]
        await on.advance(5)
        before = await on.events()
        for method, path, body, status, point in WRITES:
            content = {"content": body} if isinstance(body, bytes) else {"json": filled(body, names)}

            answer = await on.sigma.request(method, filled(path, names), **content)

            assert answer.status_code == status, (method, path, body, answer.text)
            (error,) = answer.json()
            assert set(error) == {"error_type", "error_message", "error_point"}
            if point is not None:
                assert error["error_point"] == point, (method, path, body, answer.text)
            assert await on.events() == before, (method, path, body)

    tell(story)


def test_a_missing_field_is_told_in_the_published_words(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        answer = await on.sigma.post("/servers/", json=without(SERVER, "vnc_password"))

        assert answer.json() == [{"error_type": "validation", "error_message": REQUIRED, "error_point": "vnc_password"}]

    tell(story)


READS = ["limit=ten", "limit=-1", "limit=1.5", "limit=%D9%A3", "offset=x", "offset=-1", "limit=" + "9" * 40]


def test_a_window_that_is_none_is_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for query in READS:
            for path in ("/servers/", "/bservers/detail/", "/drives/"):
                answer = await on.sigma.get(f"{path}?{query}")
                assert (answer.status_code, answer.json()[0]["error_type"]) == (400, "validation"), (path, query)

    tell(story)


def test_a_create_that_fails_half_way_leaves_no_server_behind(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        answer = await on.sigma.post("/servers/", json=[SERVER] * 5)

        assert (answer.status_code, answer.json()[0]["error_type"]) == (403, "permission")
        assert good(await on.sigma.get("/servers/"))["meta"]["total_count"] == 0

    tell(story, servers_max=3)
