"""Steps as requests of the six dialects, in each one's own words and units."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import orjson

from backend.app import App
from backend.cloud.catalogue import FLAVORS, IMAGES
from tests.backend.support import OPERATOR, TENANT
from tests.dialects.support import PASSWORDS

GIB = 2**30
PREFIXES = {
    "ops": "/ops/v1",
    "sigma": "/api/2.0",
    "nova": "/compute/v2.1",
    "identity": "/identity",
    "image": "/image",
    "waldur": "/api",
}
_BASIC = base64.b64encode(f"{OPERATOR}:{PASSWORDS[OPERATOR]}".encode())
CREDENTIALS: Mapping[str, tuple[bytes, bytes]] = {
    "ops": (b"authorization", b"Bearer operator-token"),
    "sigma": (b"authorization", b"Basic " + _BASIC),
    "nova": (b"x-auth-token", b"operator-token"),
    "identity": (b"x-auth-token", b"operator-token"),
    "image": (b"x-auth-token", b"operator-token"),
    "waldur": (b"authorization", b"Token operator-token"),
}
_SECRETS = re.compile(rb'"(adminPass|vnc_password|audit_ids|token)": ?("[^"]*"|\["[^"]*"\])')
_OF_THIS_MACHINE = re.compile(rb'"(answer_ms)": ?[0-9.e-]+')


class Asked(NamedTuple):
    by: str
    method: str
    path: str
    body: Any = None


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    content: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.content)

    @property
    def told(self) -> bytes:
        """Without what is drawn anew each time so that nobody can guess it."""
        return _SECRETS.sub(rb'"\1":*', self.content)


async def ask(app: App, asked: Asked, *, key: str) -> Answered:
    """One request through ASGI. `key` makes a repeat recognisable, and is its id in logs and answers."""
    content = None if asked.body is None else orjson.dumps(asked.body)
    path, _, query = (PREFIXES[asked.by] + asked.path).partition("?")
    headers = [
        CREDENTIALS[asked.by],
        (b"x-request-id", key.encode()),
        (b"openstack-api-version", b"compute 2.71"),
    ]
    if asked.body is not None:
        headers.append((b"content-type", b"application/json"))
    if asked.by == "ops" and asked.method != "GET":
        headers.append((b"idempotency-key", key.encode()))
    return await call(app, asked.method, f"{path}?{query}", headers, content)


async def call(
    app: App, method: str, target: str, headers: Sequence[tuple[bytes, bytes]], content: bytes | None = None
) -> Answered:
    """What ASGI says of a request, and nothing more: no client and no server stand between."""
    path, _, query = target.partition("?")
    of_content = [] if content is None else [(b"content-length", str(len(content)).encode())]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(b"host", b"stratodeck"), *headers, *of_content],
        "server": ("stratodeck", 80), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    status, parts = 0, []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content or b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return Answered(status, b"".join(parts))


class Ids(Protocol):
    """What the steps before have made."""

    def __call__(self, name: str) -> str:
        """The id of what a step made; one that nobody has where it made nothing."""


Values = Mapping[str, Any]


def _create_server(v: Values, ids: Ids) -> Asked:
    tags = ["group:web"] if v["is_grouped"] else []
    if v["by"] == "ops":
        body = {"name": v["name"], "cpu_mhz": v["vcpus"] * 2000, "memory_bytes": v["gib"] * GIB,
                "is_backfilling": v["is_backfilling"], "cell": v["cell"], "tags": tags}  # fmt: skip
        return Asked("ops", "POST", "/servers", body)
    body = {"name": v["name"], "cpu": v["vcpus"] * 2000, "mem": v["gib"] * GIB, "vnc_password": "secret"}
    return Asked("sigma", "POST", "/bservers/" if v["is_backfilling"] else "/servers/", body)


def _boot(v: Values, ids: Ids) -> Asked:
    body = {"name": v["name"], "flavorRef": v["flavor"], "imageRef": IMAGES[0].id, "networks": "none"}
    return Asked("nova", "POST", "/servers", {"server": body})


def _start(v: Values, ids: Ids) -> Asked:
    server = ids(v["server"])
    match v["by"]:
        case "ops":
            avoid = [ids(name) for name in v["avoid"]]
            return Asked("ops", "POST", f"/servers/{server}/actions", {"action": "start", "avoid": avoid})
        case "sigma":
            rest = f"&avoid={','.join(ids(name) for name in v['avoid'])}" if v["avoid"] else ""
            return Asked("sigma", "POST", f"/servers/{server}/action/?do=start{rest}")
        case _:
            return Asked("nova", "POST", f"/servers/{server}/action", {"os-start": None})


def _stop(v: Values, ids: Ids) -> Asked:
    server = ids(v["server"])
    match v["by"]:
        case "ops":
            return Asked("ops", "POST", f"/servers/{server}/actions", {"action": v["action"]})
        case "sigma":
            return Asked("sigma", "POST", f"/servers/{server}/action/?do={v['action']}")
        case _:
            return Asked("nova", "POST", f"/servers/{server}/action", {"os-stop": None})


def _delete_server(v: Values, ids: Ids) -> Asked:
    server = ids(v["server"])
    match v["by"]:
        case "ops":
            body = {"action": "delete", "with_drives": v["with_drives"]}
            return Asked("ops", "POST", f"/servers/{server}/actions", body)
        case "sigma":
            return Asked("sigma", "DELETE", f"/servers/{server}/" + ("?recurse=all_drives" if v["with_drives"] else ""))
        case _:
            return Asked("nova", "DELETE", f"/servers/{server}")


def _rename(v: Values, ids: Ids) -> Asked:
    server = ids(v["server"])
    match v["by"]:
        case "ops":
            return Asked("ops", "POST", f"/servers/{server}/actions", {"action": "edit", "name": v["name"]})
        case "sigma":
            body = {"name": v["name"], "cpu": 4000, "mem": 2 * GIB, "vnc_password": "secret"}
            return Asked("sigma", "PUT", f"/servers/{server}/", body)
        case _:
            return Asked("nova", "PUT", f"/servers/{server}", {"server": {"name": v["name"]}})


def _resize(v: Values, ids: Ids) -> Asked:
    server = ids(v["server"])
    if v["by"] == "ops":
        body = {"action": "resize", "cpu_mhz": v["vcpus"] * 2000}
        return Asked("ops", "POST", f"/servers/{server}/actions", body)
    body = {"name": "resized", "cpu": v["vcpus"] * 2000, "mem": GIB, "vnc_password": "secret"}
    return Asked("sigma", "PUT", f"/servers/{server}/", body)


def _clone_server(v: Values, ids: Ids) -> Asked:
    action = "separate" if v["is_apart"] else "clone"
    return Asked("ops", "POST", f"/servers/{ids(v['server'])}/actions", {"action": action, "name": v["name"]})


def _create_drive(v: Values, ids: Ids) -> Asked:
    avoid = [ids(name) for name in v["avoid"]]
    if v["by"] == "ops":
        body = {"name": v["name"], "size_bytes": v["gib"] * GIB, "cell": v["cell"], "avoid": avoid}
        return Asked("ops", "POST", "/drives", body)
    body = {"name": v["name"], "size": v["gib"] * GIB, "media": "disk"}
    return Asked("sigma", "POST", "/drives/" + (f"?avoid={','.join(avoid)}" if avoid else ""), body)


def _on_drive(action: str) -> Callable[[Values, Ids], Asked]:
    def make(v: Values, ids: Ids) -> Asked:
        drive = ids(v["drive"])
        if v.get("by") == "sigma":
            return Asked("sigma", "DELETE", f"/drives/{drive}/")
        body: dict[str, Any] = {"action": action}
        match action:
            case "attach":
                body["server_id"] = ids(v["server"])
            case "clone":
                body |= {"name": v["name"], "avoid": [ids(name) for name in v["avoid"]]}
            case "resize":
                body["size_bytes"] = v["gib"] * GIB
        return Asked("ops", "POST", f"/drives/{drive}/actions", body)

    return make


def _source(v: Values, ids: Ids) -> tuple[str, str]:
    return ("project", "inside") if v["source"] == "project" else ("server", ids(v["source"]))


def _address(v: Values, ids: Ids) -> str:
    kind, id = _source(v, ids)
    return f"/api/projects/{id}/" if kind == "project" else f"/api/instances/{id.replace('-', '')}/"


def _back_up(v: Values, ids: Ids) -> Asked:
    if v["by"] == "waldur":
        return Asked("waldur", "POST", "/backups/", {"backup_source": _address(v, ids), "description": v["name"]})
    kind, id = _source(v, ids)
    body = {"source_kind": kind, "source_id": id, "description": v["name"]}
    return Asked("ops", "POST", "/backups", body)


def _restore(v: Values, ids: Ids) -> Asked:
    body = {"action": "restore", "flavor": FLAVORS[1].id, "name": v["name"]}
    return Asked("ops", "POST", f"/backups/{ids(v['backup'])}/actions", body)


def _delete_backup(v: Values, ids: Ids) -> Asked:
    backup = ids(v["backup"])
    if v["by"] == "waldur":
        return Asked("waldur", "POST", f"/backups/{backup.replace('-', '')}/delete/")
    return Asked("ops", "POST", f"/backups/{backup}/actions", {"action": "delete"})


def _schedule(v: Values, ids: Ids) -> Asked:
    if v["by"] == "waldur":
        body = {"backup_source": _address(v, ids), "description": v["name"], "retention_time": 0,
                "maximal_number_of_backups": v["backups_max"], "schedule": v["cron"]}  # fmt: skip
        return Asked("waldur", "POST", "/backup-schedules/", body)
    kind, id = _source(v, ids)
    body = {"source_kind": kind, "source_id": id, "description": v["name"], "cron": v["cron"],
            "backups_max": v["backups_max"]}  # fmt: skip
    return Asked("ops", "POST", "/schedules", body)


def _end_schedule(v: Values, ids: Ids) -> Asked:
    schedule = ids(v["schedule"])
    if v["by"] == "waldur":
        return Asked("waldur", "DELETE", f"/backup-schedules/{schedule.replace('-', '')}/")
    return Asked("ops", "POST", f"/schedules/{schedule}/actions", {"action": "delete"})


def _log_in(v: Values, ids: Ids) -> Asked:
    user = {"name": TENANT, "domain": {"id": "default"}, "password": PASSWORDS[TENANT]}
    identity = {"methods": ["password"], "password": {"user": user}}
    return Asked("identity", "POST", "/v3/auth/tokens", {"auth": {"identity": identity}})


ASKED: Mapping[str, Callable[[Values, Ids], Asked]] = {
    "create server": _create_server,
    "boot": _boot,
    "start": _start,
    "stop": _stop,
    "delete server": _delete_server,
    "rename": _rename,
    "resize": _resize,
    "restarts": lambda v, ids: Asked(
        "ops", "POST", f"/servers/{ids(v['server'])}/actions", {"action": "edit", "restarts": v["restarts"]}
    ),
    "clone server": _clone_server,
    "create drive": _create_drive,
    "attach": _on_drive("attach"),
    "detach": _on_drive("detach"),
    "clone drive": _on_drive("clone"),
    "delete drive": _on_drive("delete"),
    "grow": _on_drive("resize"),
    "snapshot": lambda v, ids: Asked("ops", "POST", f"/drives/{ids(v['drive'])}/snapshots", {"name": v["name"]}),
    "delete snapshot": lambda v, ids: Asked(
        "ops", "POST", f"/snapshots/{ids(v['snapshot'])}/actions", {"action": "delete"}
    ),
    "back up": _back_up,
    "restore": _restore,
    "delete backup": _delete_backup,
    "schedule": _schedule,
    "end schedule": _end_schedule,
    "subscribe": lambda v, ids: Asked(
        "sigma", "POST", "/subscriptions/", {"resource": v["resource"], "amount": v["amount"], "period": "1 month"}
    ),
    "read": lambda v, ids: Asked(v["by"], "GET", v["path"]),
    "log in": _log_in,
    "host": lambda v, ids: Asked("ops", "POST", f"/hosts/{v['host']}/actions", {"action": v["action"]}),
    "group": lambda v, ids: Asked("ops", "POST", "/groups/web/actions", {"action": v["action"]}),
    "inject": lambda v, ids: Asked("ops", "PUT", f"/cells/{v['cell']}/reachability", {"state": v["state"]}),
    "advance": lambda v, ids: Asked("ops", "POST", "/clock/advance", {"seconds": v["seconds"]}),
}
"""What is asked for in each kind of step that is a request."""

MADE: Mapping[str, tuple[str, str]] = {
    "create server": ("server", "name"),
    "boot": ("server", "name"),
    "clone server": ("server", "name"),
    "restore": ("server", "name"),
    "create drive": ("drive", "name"),
    "clone drive": ("drive", "name"),
    "snapshot": ("snapshot", "name"),
    "back up": ("backup", "name"),
    "schedule": ("schedule", "name"),
}
"""Steps that make something: of which kind, and which of their values names it."""

ENDED: Mapping[str, tuple[str, str]] = {
    "delete server": ("server", "server"),
    "delete drive": ("drive", "drive"),
    "delete snapshot": ("snapshot", "snapshot"),
    "delete backup": ("backup", "backup"),
    "end schedule": ("schedule", "schedule"),
}


def id_of(kind: str, body: Any) -> str:
    """The id of what an answer says was made."""
    if isinstance(body, Mapping):
        if isinstance(body.get(f"{kind}_id"), str) and "backup" in body:
            return str(body[f"{kind}_id"])
        for inner in (kind, "objects", "backup", "drive", "server", "snapshot"):
            if isinstance(body.get(inner), Mapping | list) and body[inner]:
                return id_of(kind, body[inner])
        for name in ("id", "uuid"):
            if isinstance(body.get(name), str):
                return dashed(body[name])
        if isinstance(body.get("url"), str):
            return dashed(body["url"].rstrip("/").rpartition("/")[2])
    if isinstance(body, list) and body:
        return id_of(kind, body[0])
    raise AssertionError(f"nothing in it says which {kind} was made: {str(body)[:300]}")


def dashed(id: str) -> str:
    return f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}" if len(id) == 32 else id
