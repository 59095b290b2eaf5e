"""Every route of the app, as the app itself lists them, with an object behind each parameter and a body for each write.

A route that is new is walked without being named here, but for what stands for its parameters: a test fails until
`OBJECTS` says that, and until its write is sent something that gets as far as the object.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.routing import Route, WebSocketRoute

from backend.app import App, running
from backend.clock import Clock
from backend.cloud.catalogue import FLAVORS, IMAGES
from backend.cloud.model import Account
from backend.dialects import cloudsigma, identity, image, nodeconductor, nova, ops
from backend.folder import Credentials, Secrets
from backend.store import CloudTransaction
from backend.tokens import Keyring, keyring
from tests.backend.support import OPERATOR, TENANT, make_folder
from tests.builders import NOON
from tests.dialects.support import Wall

READER = "reader@example.org"
PASSWORDS = {OPERATOR: "operator-password", TENANT: "tenant-password", READER: "reader-password"}
TOKENS = {OPERATOR: "operator-token", TENANT: "tenant-token", READER: "reader-token"}
GIB = 2**30
NOTHING = "00000000-1111-4222-8333-444444444444"
PREFIXES = {
    "ops": ops.PREFIX,
    "cloudsigma": cloudsigma.PREFIX,
    "nova": nova.PREFIX,
    "identity": identity.PREFIX,
    "image": image.PREFIX,
    "nodeconductor": nodeconductor.AUTH_PREFIX,
    "nodeconductor ": nodeconductor.PREFIX,
}


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Step:
    """A method of a route."""

    dialect: str
    method: str
    template: str
    is_nothing: bool = False
    """Whether it stands for all that is no path."""

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)(?::path)?}", self.template)

    def path(self, values: Mapping[str, str]) -> str:
        return re.sub(r"{(\w+)(?::path)?}", lambda found: values[found[1]], self.template)

    def __str__(self) -> str:
        return f"{self.method} {self.template.rstrip('/') or '/'}"


# --- what stands for a parameter --------------------------------------------------------------------------------------

_SIGMA, _NOVA, _API = cloudsigma.PREFIX, nova.PREFIX + "/v2.1", nodeconductor.PREFIX
OBJECTS: tuple[tuple[str, str], ...] = (
    (r"/ops/v1/(servers|explain|billing/servers)/{id}", "server"),
    (r"/ops/v1/drives/{id}", "drive"),
    (r"/ops/v1/snapshots/{id}", "snapshot"),
    (r"/ops/v1/cells/{name}", "cell"),
    (r"/ops/v1/hosts/{name}", "host"),
    (r"/ops/v1/groups/{name}", "group"),
    (r"/ops/v1/backups/{id}", "backup"),
    (r"/ops/v1/schedules/{id}", "schedule"),
    (r"/ops/v1/accounts/{name}", "account"),
    (rf"{_SIGMA}/b?servers/(availability_groups/)?{{uuid}}", "server"),
    (rf"{_SIGMA}/drives/(availability_groups/)?{{uuid}}", "drive"),
    (rf"{_SIGMA}/libdrives/{{uuid}}", "image"),
    (rf"{_SIGMA}/snapshots/{{uuid}}", "snapshot"),
    (rf"{_SIGMA}/jobs/{{uuid}}", "job"),
    (rf"{_SIGMA}/tags/{{uuid}}", "tag"),
    (rf"{_SIGMA}/ips/{{uuid}}", "address"),
    (rf"{_SIGMA}/vlans/{{uuid}}", "vlan"),
    (rf"{_SIGMA}/fwpolicies/{{uuid}}", "policy"),
    (rf"{_SIGMA}/(keypairs|pubkeys)/{{uuid}}", "key pair"),
    (rf"{_SIGMA}/subscriptions/{{uuid}}", "subscription"),
    (rf"{_NOVA}/servers/{{id}}", "server"),
    (rf"{_NOVA}/os-services/{{id}}", "service"),
    (rf"{_NOVA}/os-hypervisors/{{id}}", "hypervisor"),
    (rf"{_NOVA}/flavors/{{id}}", "flavor"),
    (rf"{_NOVA}/os-server-groups/{{id}}", "server group"),
    (rf"{_NOVA}/os-quota-sets/{{id}}", "project"),
    (r"/identity/v3/projects/{id}", "project"),
    (r"/identity/v3/users/{id}", "user"),
    (r"/identity/v3/domains/{id}", "domain"),
    (r"/image/v2/images/{id}", "image"),
    (rf"{_API}/backups?/{{uuid}}", "backup"),
    (rf"{_API}/backup-schedules?/{{uuid}}", "schedule"),
    (rf"{_API}/instances/{{uuid}}", "server"),
    (rf"{_API}/flavors/{{uuid}}", "flavor uuid"),
    (rf"{_API}/projects/{{uuid}}", "project"),
    (rf"{_API}/customers/{{uuid}}", "customer"),
)
"""Which of the operator's objects the first parameter of a path is, by the beginning of its template."""

SECOND = {"mac": "mac", "key": "role", "tag": "blue", "action": "reactivate"}
"""What other parameters are; `mac` is the server's."""

SHARED = {"cell", "image", "flavor", "flavor uuid", "domain"}
"""What everybody may see: reading it tells a tenant nothing about anybody."""


def kind_of(step: Step) -> str | None:
    """Of the object that the path is about; None where it names none."""
    if not step.parameters or step.parameters == ["rest"]:
        return None
    for pattern, kind in OBJECTS:
        if re.match(pattern, step.template):
            return kind
    raise AssertionError(f"say in OBJECTS what stands for the parameter of {step.template}")


# --- what is sent -----------------------------------------------------------------------------------------------------

Sent = tuple[Mapping[str, str], Any]


def sent(step: Step) -> Sent:
    """Query and body of a write that would be carried out if its object were one's own."""
    for method, pattern, query, body in _WRITES:
        if step.method in method.split() and re.fullmatch(pattern, step.template.rstrip("/")):
            return query, body
    return {}, {}


_SCHEDULE = {
    "backup_source": "http://stratodeck/api/instances/{server hex}/",
    "schedule": "0 3 * * *",
    "retention_time": 0,
    "maximal_number_of_backups": 3,
}
_WRITES: tuple[tuple[str, str, Mapping[str, str], Any], ...] = (
    ("POST", r"/ops/v1/servers/{id}/actions", {}, {"action": "start"}),
    ("POST", r"/ops/v1/servers/{id}/nics", {}, {"configuration": "dhcp"}),
    ("POST", r"/ops/v1/servers", {}, {"name": "mine", "cpu_mhz": 2000, "memory_bytes": GIB}),
    ("POST", r"/ops/v1/drives", {}, {"name": "mine", "size_bytes": GIB}),
    ("POST", r"/ops/v1/drives/{id}/actions", {}, {"action": "detach"}),
    ("POST", r"/ops/v1/drives/{id}/snapshots", {}, {"name": "mine"}),
    ("POST", r"/ops/v1/snapshots/{id}/actions", {}, {"action": "delete"}),
    ("PUT", r"/ops/v1/cells/{name}/reachability", {}, {"state": "down"}),
    ("POST", r"/ops/v1/cells/{name}/actions", {}, {"action": "down"}),
    ("POST", r"/ops/v1/hosts/{name}/actions", {}, {"action": "fail"}),
    ("POST", r"/ops/v1/groups/{name}/actions", {}, {"action": "restore"}),
    ("POST", r"/ops/v1/backups", {}, {"source_kind": "server", "source_id": "{server}"}),
    ("POST", r"/ops/v1/backups/{id}/actions", {}, {"action": "delete"}),
    (
        "POST",
        r"/ops/v1/schedules",
        {},
        {"source_kind": "server", "source_id": "{server}", "cron": "0 3 * * *", "backups_max": 3},
    ),
    ("PATCH", r"/ops/v1/schedules/{id}", {}, {"description": "mine"}),
    ("POST", r"/ops/v1/schedules/{id}/actions", {}, {"action": "deactivate"}),
    ("PATCH", r"/ops/v1/clock", {}, {"mode": "manual"}),
    ("POST", r"/ops/v1/clock/advance", {}, {"seconds": 60}),
    ("PATCH", r"/ops/v1/accounts/{name}", {}, {"may_backfill": True}),
    ("PUT", r"/ops/v1/accounts/{name}/state", {}, {"state": "TRIAL"}),
    ("PUT", r"/ops/v1/accounts/{name}/balance", {}, {"balance": "1.00"}),
    (
        "POST",
        r"/ops/v1/billing/subscriptions",
        {},
        {"account": OPERATOR, "resource": "ip", "amount": 1, "period": "1 day"},
    ),
    ("PATCH", r"/ops/v1/settings", {}, {"default_cpu_type": "amd"}),
    ("POST", r"/ops/v1/preview/placement", {}, {"cpu_mhz": 2000, "memory_bytes": GIB}),
    ("POST", rf"{_SIGMA}/b?servers/{{uuid}}/action", {"do": "start"}, {}),
    ("PUT", rf"{_SIGMA}/b?servers/{{uuid}}", {}, {"name": "mine", "cpu": 2000, "mem": 4 * GIB, "vnc_password": "xxx"}),
    ("DELETE", rf"{_SIGMA}/b?servers/{{uuid}}", {"recurse": "disks"}, {}),
    ("DELETE", rf"{_SIGMA}/(b?servers|drives|snapshots)", {}, {"objects": [{"uuid": "{server}"}]}),
    ("POST", rf"{_SIGMA}/drives/{{uuid}}/action", {"do": "clone"}, {}),
    ("PUT", rf"{_SIGMA}/drives/{{uuid}}", {}, {"name": "mine", "size": 10 * GIB, "media": "disk"}),
    ("POST", rf"{_SIGMA}/libdrives/{{uuid}}/action", {"do": "clone"}, {}),
    ("POST", rf"{_SIGMA}/snapshots", {}, {"drive": "{drive}", "name": "mine"}),
    ("POST", rf"{_SIGMA}/snapshots/{{uuid}}/action", {"do": "clone"}, {}),
    ("PUT", rf"{_SIGMA}/(snapshots|tags|ips|vlans|fwpolicies)/{{uuid}}", {}, {"name": "mine", "meta": {}}),
    ("PUT", rf"{_SIGMA}/keypairs/{{uuid}}", {}, {"name": "mine"}),
    ("POST", rf"{_SIGMA}/b?servers", {}, {"name": "mine", "cpu": 2000, "mem": GIB, "vnc_password": "xxx"}),
    ("POST", rf"{_SIGMA}/drives", {}, {"name": "mine", "size": GIB, "media": "disk"}),
    ("POST", rf"{_SIGMA}/tags", {}, {"name": "mine", "resources": ["{server}"]}),
    ("POST", rf"{_SIGMA}/fwpolicies", {}, {"name": "mine", "rules": []}),
    ("POST", rf"{_SIGMA}/keypairs", {}, {"name": "mine"}),
    ("PUT", rf"{_SIGMA}/profile", {}, {"first_name": "Mine"}),
    ("POST", rf"{_SIGMA}/subscriptions", {}, {"resource": "dssd", "amount": str(GIB), "period": "1 month"}),
    ("POST", rf"{_SIGMA}/subscriptioncalculator", {}, {"resource": "dssd", "amount": str(GIB), "period": "1 month"}),
    ("POST", rf"{_SIGMA}/subscriptions/{{uuid}}/action", {"do": "auto_renew"}, {}),
    ("POST", rf"{_SIGMA}/accounts/action", {"do": "logout"}, {}),
    ("POST", rf"{_NOVA}/servers", {}, {"server": {"name": "mine", "flavorRef": "1", "imageRef": IMAGES[0].id}}),
    ("PUT", rf"{_NOVA}/servers/{{id}}", {}, {"server": {"name": "mine"}}),
    ("POST", rf"{_NOVA}/servers/{{id}}/action", {}, {"os-start": None}),
    ("POST PUT", rf"{_NOVA}/servers/{{id}}/metadata", {}, {"metadata": {"role": "mine"}}),
    ("PUT", rf"{_NOVA}/servers/{{id}}/metadata/{{key}}", {}, {"meta": {"role": "mine"}}),
    ("PUT", rf"{_NOVA}/servers/{{id}}/tags", {}, {"tags": ["mine"]}),
    ("PUT", rf"{_NOVA}/os-services/{{id}}", {}, {"status": "disabled"}),
    ("POST", rf"{_NOVA}/os-server-groups", {}, {"server_group": {"name": "mine", "policies": ["anti-affinity"]}}),
    ("POST", rf"{_API}/backups?", {}, {"backup_source": "http://stratodeck/api/instances/{server hex}/"}),
    ("POST", rf"{_API}/backups?/{{uuid}}/restore", {}, {"flavor": "http://stratodeck/api/flavors/{flavor uuid hex}/"}),
    ("POST", rf"{_API}/backup-schedules?", {}, _SCHEDULE),
    ("PUT PATCH", rf"{_API}/backup-schedules?/{{uuid}}", {}, _SCHEDULE),
)


# --- the walk ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Walk:
    """A small cloud with one of everything, all of it the operator's."""

    app: App
    credentials: Keyring
    wall: Wall
    objects: dict[str, str] = field(default_factory=dict)
    """The id of each by its kind."""

    def steps(self) -> Iterator[Step]:
        """Every method of every route but HEAD, which is GET's, and OPTIONS, which only lists them.

        One that has two paths, with a last slash and without, is walked by the first of them.
        """
        seen: set[int] = set()
        for route in self.app._app.app.router.routes:
            if isinstance(route, WebSocketRoute):
                continue
            assert isinstance(route, Route)
            if id(route.endpoint) in seen:
                continue
            seen.add(id(route.endpoint))
            methods = getattr(route.endpoint, "handlers", None)
            known = [name for name in methods or () if name not in ("HEAD", "OPTIONS")]
            for method in known or ("GET",):
                yield Step(self.dialect(route.path), method, route.path, is_nothing=not known)

    def sockets(self) -> list[str]:
        return [route.path for route in self.app._app.app.router.routes if isinstance(route, WebSocketRoute)]

    @staticmethod
    def dialect(path: str) -> str:
        # The longest first: CloudSigma's prefix begins with NodeConductor's.
        by_length = sorted(PREFIXES.items(), key=lambda each: -len(each[1]))
        return next((name.strip() for name, prefix in by_length if path.startswith(prefix)), "none")

    def values(self, step: Step, *, exists: bool) -> dict[str, str]:
        kind = kind_of(step)
        found = {name: SECOND.get(name, NOTHING) for name in step.parameters}
        if kind is not None:
            named = kind in ("cell", "host", "group", "account", "flavor", "domain", "address")
            nothing = "nothing" if named else NOTHING
            found[step.parameters[0]] = self.objects[kind] if exists else nothing
            if "mac" in found:
                found["mac"] = self.objects["mac"]
        return found

    def body(self, step: Step, *, exists: bool = True) -> tuple[str, bytes]:
        """Query and body as they are sent; ids in them are of what there is, or of nothing."""
        query, content = sent(step)
        text = json.dumps(content)
        for kind, id in self.objects.items():
            own = id if exists else NOTHING
            text = text.replace(f"{{{kind} hex}}", own.replace("-", "")).replace(f"{{{kind}}}", own)
        return urlencode(query), b"" if step.method == "GET" else text.encode()

    async def ask(
        self,
        step: Step,
        headers: Mapping[str, str],
        *,
        exists: bool = True,
        body: bytes | None = None,
        host: str = "stratodeck",
    ) -> Answered:
        query, content = self.body(step, exists=exists)
        return await self.send(
            step.method,
            step.path(self.values(step, exists=exists)),
            headers,
            query=query,
            body=content if body is None else body,
            host=host,
        )

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: str = "",
        body: bytes = b"",
        host: str = "stratodeck",
    ) -> Answered:
        """Straight to the app: a client's own work would be most of the walk."""
        whole = {"host": host, "content-type": "application/json", **headers}
        if body:
            whole.setdefault("content-length", str(len(body)))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in whole.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8774),
        }
        told: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        await self.app(scope, receive, send)
        answered = {name.decode(): value.decode() for name, value in told[0]["headers"]}
        return Answered(told[0]["status"], answered, b"".join(part.get("body", b"") for part in told[1:]))

    async def good(self, method: str, path: str, body: Any = None, *, query: str = "", status: int = 200) -> Any:
        text = b"" if body is None else json.dumps(body).encode()
        dialect = self.dialect(path)
        more = {"OpenStack-API-Version": "compute 2.71"} if dialect == "nova" else {}
        answer = await self.send(method, path, {**proof(dialect, OPERATOR), **more}, query=query, body=text)
        assert answer.status == status, f"{method} {path}: {answer.status} {answer.body.decode()}"
        return answer.json if answer.body else None

    async def state(self) -> list[Any]:
        """What changes with whatever is changed: events, and what is kept of accounts and the clock."""
        store = self.app.cloud.store
        cells = await store.each_cell(lambda tx: tx.last_event_number())

        def read(tx: CloudTransaction) -> list[Any]:
            return [tx.last_event_number(), tx.settings(), [entry.injected for entry in tx.cells()], tx.accounts()]

        return [cells, await store.cloud_read(read), self.app.cloud.clock.now(), self.app.cloud.settings]

    async def fill(self) -> None:
        """One of everything."""
        made = self.objects
        made.update(cell="cell-1", host="c1-h1", group="web", account=OPERATOR, project="inside", customer="customer")
        made.update(user="1", domain="default", image=IMAGES[0].id, flavor=FLAVORS[0].id)
        server = await self.good(
            "POST",
            f"{_SIGMA}/servers/",
            {"name": "web-01", "cpu": 2000, "mem": GIB, "vnc_password": "xxx", "tags": ["group:web"]},
            status=201,
        )
        made["server"] = server["objects"][0]["uuid"]
        drive = await self.good("POST", "/ops/v1/drives", {"name": "disk", "size_bytes": GIB}, status=201)
        made["drive"] = drive["id"]
        await self.good("POST", "/ops/v1/clock/advance", {"seconds": 60})
        attach = {"action": "attach", "server_id": made["server"]}
        await self.good("POST", f"/ops/v1/drives/{made['drive']}/actions", attach, status=202)
        nics = await self.good("POST", f"/ops/v1/servers/{made['server']}/nics", {"configuration": "dhcp"}, status=201)
        made["mac"] = nics["nics"][0]["mac"]
        snapshot = await self.good("POST", f"/ops/v1/drives/{made['drive']}/snapshots", {"name": "before"}, status=201)
        made["snapshot"] = snapshot["id"]
        clone = await self.good("POST", f"{_SIGMA}/drives/{made['drive']}/action/", {}, query="do=clone", status=202)
        made["job"] = clone["objects"][0]["jobs"][0]["uuid"]
        tag = await self.good("POST", f"{_SIGMA}/tags/", {"name": "colour"}, status=201)
        made["tag"] = tag["objects"][0]["uuid"]
        for kind, path in (("address", "ips"), ("vlan", "vlans")):
            made[kind] = (await self.good("GET", f"{_SIGMA}/{path}/"))["objects"][0]["uuid"]
        policy = await self.good("POST", f"{_SIGMA}/fwpolicies/", {"name": "open", "rules": []}, status=201)
        made["policy"] = policy["objects"][0]["uuid"]
        pair = await self.good("POST", f"{_SIGMA}/keypairs/", {"name": "mine"}, status=201)
        made["key pair"] = pair["objects"][0]["uuid"]
        bought = {"resource": "dssd", "amount": str(GIB), "period": "1 month"}
        subscription = await self.good("POST", f"{_SIGMA}/subscriptions/", bought, status=201)
        made["subscription"] = (subscription.get("objects") or [subscription])[0]["uuid"]
        group = {"server_group": {"name": "apart", "policy": "anti-affinity"}}
        made["server group"] = (await self.good("POST", f"{_NOVA}/os-server-groups", group))["server_group"]["id"]
        services = (await self.good("GET", f"{_NOVA}/os-services"))["services"]
        made["service"] = next(each["id"] for each in services if each["binary"] == "nova-compute")
        hypervisors = (await self.good("GET", f"{_NOVA}/os-hypervisors"))["hypervisors"]
        made["hypervisor"] = hypervisors[0]["id"]
        made["flavor uuid"] = (await self.good("GET", f"{_API}/flavors/"))[0]["uuid"]
        rule = {"source_kind": "server", "source_id": made["server"], "cron": "0 3 * * *", "backups_max": 3}
        made["schedule"] = (await self.good("POST", "/ops/v1/schedules", rule, status=201))["id"]
        source = {"source_kind": "server", "source_id": made["server"]}
        made["backup"] = (await self.good("POST", "/ops/v1/backups", source, status=201))["id"]
        await self.good("POST", "/ops/v1/clock/advance", {"seconds": 3600})


def proof(dialect: str, account: str, *, token: str | None = None) -> dict[str, str]:
    """How somebody says who they are in a dialect: by what lasts, or by a token."""
    given = TOKENS[account] if token is None else token
    if dialect == "ops":
        return {"Authorization": f"Bearer {given}"}
    if dialect == "cloudsigma":
        if token is not None:
            return {"Cookie": f"sessionid={token}"}
        pair = f"{account}:{PASSWORDS[account]}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    if dialect == "nodeconductor":
        return {"Authorization": f"Token {given}"}
    return {"X-Auth-Token": given}


async def walked(folder: Path, story: Callable[[Walk], Awaitable[None]]) -> None:
    make_folder(folder)
    secrets = {name: Secrets(PASSWORDS[name], TOKENS[name]) for name in TOKENS}
    ring = keyring(folder, Credentials(secrets))
    wall = Wall()
    clock = Clock(mode="manual", simulated_at=NOON, wall=wall)
    async with running(folder, credentials=ring, clock=clock, list_deadline_seconds=1.0) as app:

        def add(tx: CloudTransaction) -> None:
            tx.add_account(Account("3", READER, "inside"))
            tx.add_membership(READER, "project_manager", "inside")

        await app.cloud.store.cloud_write(add)
        app.cloud.forget_accounts()
        walk = Walk(app, ring, wall)
        await walk.fill()
        await story(walk)


def issued(walk: Walk, account: str, *, project: str | None = None) -> str:
    """A token for an hour, from now."""
    return walk.credentials.issue(account, project, ("session", "password"), wall_now=walk.wall.at)[0]
