"""Requests that nobody would send, for every route of every dialect, made up from what each would take.

From the schemas where the API has them (`/ops/v1`), else from a body that would be taken, with something else put in
here and there: values at the bounds, values of other kinds, names that are hostile, far too much of everything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from backend.cloud.catalogue import IMAGES
from backend.dialects import ops
from tests.dialects.walking import GIB, NOTHING, PREFIXES, Step, Walk, sent

TEXTS = (
    "", " ", "x", "web-01", "0", "-1", "1.5", "1e999", "null", "true", "*", "%", "_", "'", '"; DROP TABLE server; --',
    "../../etc/passwd", "{server}", "{drive}", "\x00", "\x1b]52;c;eA==\x07", "\u202edne", "\ud800", "é" * 40, "a" * 300,
    "2026-11-20T12:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "* * * * *", "0 0 30 2 *", "*/0 * * * *",
    "0 0 * * * * *", "L L L L L", "Europe/Paris", "Nowhere/At_All", "all", "server", "group:web", "10.0.0.1", "0:0",
    "(a+)+$", "[", "(?P<x>", "\\", "2.96", "latest", "disks", "1 month", "none", "%ff", "\r\nSet-Cookie: x=y",
)  # fmt: skip
NUMBERS = (
    0,
    1,
    -1,
    2,
    250,
    999,
    1000,
    2000,
    2**31 - 1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64,
    10**30,
    GIB,
    64 * GIB,
)
FLOATS = (0.0, -0.0, 0.5, 1.5, 1e-9, 1e308, float("inf"), float("nan"))

MORE_BODIES: Mapping[str, Sequence[Any]] = {
    "/compute/v2.1/servers": [
        {
            "server": {
                "name": "full",
                "flavorRef": "1",
                "imageRef": IMAGES[0].id,
                "networks": "none",
                "metadata": {"role": "x"},
                "min_count": 1,
                "max_count": 1,
                "security_groups": [{"name": "default"}],
                "block_device_mapping_v2": [
                    {"uuid": "{drive}", "source_type": "volume", "destination_type": "volume", "boot_index": 0}
                ],
            },
            "os:scheduler_hints": {"group": "{server group}"},
        }
    ],
    "/compute/v2.1/servers/{id}/action": [
        {"os-start": None},
        {"os-stop": None},
        {"reboot": {"type": "HARD"}},
        {"os-getConsoleOutput": {"length": 5}},
        {"os-getVNCConsole": {"type": "novnc"}},
        {"resize": {"flavorRef": "2"}},
        {"createImage": {"name": "x"}},
        {"lock": None},
        {"rebuild": {"imageRef": IMAGES[0].id}},
        {"changePassword": {"adminPass": "x"}},
    ],
    "/identity/v3/auth/tokens": [
        {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": "x", "domain": {"id": "default"}, "password": "x"}},
                },
                "scope": {"project": {"name": "inside", "domain": {"id": "default"}}},
            }
        },
        {"auth": {"identity": {"methods": ["token"], "token": {"id": "x"}}, "scope": {"domain": {"id": "default"}}}},
    ],
    "/api-auth/password": [{"username": "x", "password": "y"}],
    "/api/2.0/servers": [
        {
            "objects": [
                {"name": "one", "cpu": 1000, "mem": GIB, "vnc_password": "x", "drives": [], "nics": [], "tags": []},
                {"name": "two", "cpu": 1000, "mem": GIB, "vnc_password": "x", "meta": {"a": "b"}},
            ]
        }
    ],
}  # fmt: skip
"""Bodies that would be taken, by the path, besides that of `walking.sent`."""

QUERIES: Mapping[str, Sequence[str]] = {
    "nova": (
        "limit", "marker", "sort_key", "sort_dir", "name", "status", "changes-since", "changes-before", "all_tenants",
        "flavor", "image", "ip", "deleted", "tags", "tags-any", "not-tags", "locked", "uuid", "host", "binary",
        "project_id", "user_id", "usage", "detailed", "start", "end", "minRam", "is_public",
    ),
    "identity": ("name", "domain_id", "enabled", "limit", "marker", "nocatalog", "parent_id"),
    "image": ("name", "limit", "marker", "sort", "sort_key", "visibility", "status", "created_at", "size_min"),
    "nodeconductor": ("page", "page_size", "name", "o", "state", "customer", "project", "hostname"),
    "cloudsigma": ("limit", "offset", "fields", "order_by", "name", "tag", "avoid", "do", "recurse", "period", "from"),
    "none": ("x",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    step: Step
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.step.method} {self.path}?{self.query} {dict(self.headers)} {self.body[:600]!r}"


class Fuzz:
    """Makes up requests against one cloud that is walked."""

    def __init__(self, walk: Walk, chance: Random, dialects: Sequence[str]) -> None:
        self.walk = walk
        self.chance = chance
        self.steps = [step for step in walk.steps() if step.dialect in dialects]
        self.endpoints = {(each.method, ops.PREFIX + each.path): each for each in ops.TABLE}

    def __iter__(self) -> Iterator[Asked]:
        reads = [step for step in self.steps if step.method == "GET"]
        writes = [step for step in self.steps if step.method != "GET"]
        while True:
            yield self.one(self.chance.choice(writes if writes and self.chance.random() < 0.7 else reads))

    def one(self, step: Step) -> Asked:
        chance = self.chance
        values = self.walk.values(step, exists=chance.random() < 0.85)
        if values and chance.random() < 0.1:
            values[chance.choice(sorted(values))] = chance.choice((*TEXTS, NOTHING))
        path = re.sub("[\ud800\x00\r\n]", "?", step.path(values))
        query = dict(sent(step)[0])
        for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
            query[chance.choice(self.names(step))] = self.text(chance)
        if "wait_seconds" in query:
            query["wait_seconds"] = chance.choice(("0", "-1", "x", "1e9"))
        text = urlencode(query, errors="replace")
        if chance.random() < 0.03:
            text = chance.choice((text + "&" + text, "%ff%fe=%ff", "=", "&&&", "a" * 3000, "x=" + quote("[" * 500)))
        return Asked(step, path, text, self.headers(step), self.body(step))

    def text(self, chance: Random) -> str:
        drawn = str(chance.choice((*TEXTS, *NUMBERS, *FLOATS)))
        return self.filled(drawn)

    def names(self, step: Step) -> Sequence[str]:
        if step.dialect == "ops":
            endpoint = self.endpoints.get((step.method, step.template))
            known = sorted(endpoint.query.model_fields) if endpoint is not None else []
            return [*known, *known, "at", "nothing"]
        return QUERIES[step.dialect]

    def headers(self, step: Step) -> dict[str, str]:
        chance, found = self.chance, dict[str, str]()
        if step.dialect == "nova" and chance.random() < 0.8:
            minor = chance.choice((1, 2, 26, 52, 64, 69, 71, 79, 90, 96, 97, 1000))
            found["OpenStack-API-Version"] = chance.choice((f"compute 2.{minor}",) * 6 + ("compute x", "latest"))
        if chance.random() < 0.05:
            found["Content-Type"] = chance.choice(
                ("text/plain", "application/xml", "application/json; charset=utf-16", "")
            )
        if chance.random() < 0.05:
            found["Accept"] = chance.choice(("text/html", "*/*;q=0", "x"))
        if step.dialect == "ops" and chance.random() < 0.2:
            found["Idempotency-Key"] = chance.choice(("k1", "k2", "", "k" * 300, "\t"))
        return found

    # Bodies

    def body(self, step: Step) -> bytes:
        chance = self.chance
        if step.method == "GET" or (step.method == "DELETE" and chance.random() < 0.7):
            return b""
        if chance.random() < 0.04:
            return chance.choice(
                (b"", b"{", b"\xff\xfe", b"[" * 5000, b"null", b'{"a":1,"a":2}', b"\x00", b'"\\ud800"', b"1e999")
            )
        content = self.content(step)
        for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
            content = self.mutated(content)
        return json.dumps(content).encode()

    def content(self, step: Step) -> Any:
        endpoint = self.endpoints.get((step.method, step.template))
        if endpoint is not None and self.chance.random() < 0.7:
            said = endpoint.body.model_json_schema()
            return self.of_schema("", said, said.get("$defs", {}))
        seeds = [sent(step)[1], *MORE_BODIES.get(step.template.rstrip("/"), ())]
        return json.loads(self.filled(json.dumps(self.chance.choice(seeds))))

    def of_schema(self, name: str, said: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
        """What a JSON schema asks for, at its bounds more often than not."""
        chance = self.chance
        if "$ref" in said:
            return self.of_schema(name, known[said["$ref"].rpartition("/")[2]], known)
        if "anyOf" in said:
            return self.of_schema(name, chance.choice(said["anyOf"]), known)
        if "enum" in said or "const" in said:
            return chance.choice(said.get("enum", (said.get("const"),)))
        match said.get("type"):
            case "object" if "properties" in said:
                wanted = set(said.get("required", ()))
                parts = {**said["properties"]}
                some = {part for part in parts if part in wanted or chance.random() < 0.3}
                return {part: self.of_schema(part, parts[part], known) for part in sorted(some)}
            case "object":
                return {"k": chance.choice(TEXTS)} if chance.random() < 0.5 else {}
            case "array":
                inner = said.get("items", {})
                return [self.of_schema(name, inner, known) for _ in range(chance.choice((0, 1, 2, 3)))]
            case "integer":
                low, high = said.get("minimum", 0), said.get("maximum", 100)
                return chance.choice((low, high, low + 1, (low + high) // 2, 2000, 4 * GIB, low - 1, high + 1))
            case "number":
                return chance.choice((0, 0.25, 1, said.get("maximum", 1)))
            case "boolean":
                return chance.random() < 0.5
            case "null":
                return None
        if name in ("server_id", "source_id", "avoid", "image", "cell", "plan"):
            return self.filled(chance.choice(("{server}", "{drive}", "{cell}", "{image}", NOTHING)))
        if name == "cron":
            return chance.choice(("0 3 * * *", "*/5 * * * *", *TEXTS))
        return chance.choice(("mine", "mine", *TEXTS))

    def filled(self, text: str) -> str:
        for kind, id in self.walk.objects.items():
            text = text.replace(f"{{{kind} hex}}", id.replace("-", "")).replace(f"{{{kind}}}", id)
        return text

    def anything(self) -> Any:
        chance = self.chance
        match chance.randrange(10):
            case 0:
                return None
            case 1:
                return chance.random() < 0.5
            case 2 | 3:
                return chance.choice(NUMBERS)
            case 4:
                return chance.choice(FLOATS)
            case 5:
                return [chance.choice(TEXTS)] * chance.choice((0, 1, 2, 70, 500))
            case 6:
                deep: Any = "x"
                for _ in range(chance.choice((3, 40, 150))):
                    deep = {"a": deep} if chance.random() < 0.5 else [deep]
                return deep
            case 7:
                return {chance.choice(TEXTS): chance.choice(TEXTS)}
        return self.filled(chance.choice(TEXTS))

    def mutated(self, content: Any) -> Any:
        """Itself, with one thing in it that is otherwise."""
        chance = self.chance
        places = list(_places(content))
        if not places or chance.random() < 0.05:
            return self.anything()
        parent, key = chance.choice(places)
        match chance.randrange(6):
            case 0:
                del parent[key]
            case 1 if isinstance(parent, dict):
                parent[chance.choice(TEXTS)] = self.anything()
            case 2 if isinstance(parent[key], str):
                parent[key] = parent[key] + chance.choice(TEXTS)
            case _:
                parent[key] = self.anything()
        return content


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every part of it, as what holds it and the key there."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield content, key
        yield from _places(value)


DIALECTS = tuple(sorted({name.strip() for name in PREFIXES}))
