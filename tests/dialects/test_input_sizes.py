"""Four times as much to read takes about four times as long, whatever is sent."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.backend.support import OPERATOR
from tests.dialects.walking import GIB, NOTHING, Walk, proof, walked

# ruff: noqa: E501  # a table

MANY = 3_000
GROWTH_MAX = 9
"""Of four times the size; what grows with the square takes sixteen times as long."""
SECONDS_FREE = 0.03
"""Below this nothing is said: it is the request itself."""
TIMES = 3


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    method: str
    path: str
    query: Callable[[int], Mapping[str, str]] = lambda many: {}
    body: Callable[[int], Any] = lambda many: None

    def __str__(self) -> str:
        return self.name


def ids(many: int) -> list[str]:
    return [f"{NOTHING[:-6]}{number:06d}" for number in range(many)]


SIGMA, NOVA, API = "/api/2.0", "/compute/v2.1", "/api"
SERVER = {"name": "x", "cpu": 1000, "mem": GIB, "vnc_password": "x"}
CASES = [
    Case("an avoid list", "POST", "/ops/v1/servers", body=lambda n: {"name": "x", "cpu_mhz": 1000, "avoid": ids(n)}),
    Case(
        "an avoid list of a preview",
        "POST",
        "/ops/v1/preview/placement",
        body=lambda n: {"cpu_mhz": 1000, "memory_bytes": GIB, "avoid": ids(n)},
    ),
    Case("an avoid list of CloudSigma", "POST", f"{SIGMA}/servers/", lambda n: {"avoid": ",".join(ids(n))}, lambda n: SERVER),
    Case("a cron", "GET", "/ops/v1/schedules/preview", lambda n: {"schedule": ",".join(["1-50/3"] * n) + " * * * *"}),
    Case("a cron of spaces", "GET", "/ops/v1/schedules/preview", lambda n: {"schedule": "* " * n}),
    Case("a cron of digits", "GET", "/ops/v1/schedules/preview", lambda n: {"schedule": "1" * n + " * * * *"}),
    Case("a name", "POST", "/ops/v1/servers", body=lambda n: {"name": "x" * 30 * n, "cpu_mhz": 1000}),
    Case("a name to be found", "GET", "/ops/v1/servers", lambda n: {"name": "a%_" * 10 * n}),
    Case("a name of Nova's", "GET", f"{NOVA}/servers/detail", lambda n: {"name": "a.*" * 10 * n}),
    Case("a name of Nova's with an end", "GET", f"{NOVA}/servers/detail", lambda n: {"name": ".*w.*" * n + "q$"}),
    Case("tags of Nova's", "GET", f"{NOVA}/servers/detail", lambda n: {"tags": ",".join(ids(n))}),
    Case("metadata", "POST", f"{NOVA}/servers", body=lambda n: {"server": {"metadata": {each: each for each in ids(n)}}}),
    Case("fields", "GET", f"{SIGMA}/servers/detail/", lambda n: {"fields": ",".join(["name", *ids(n)])}),
    Case("an order", "GET", f"{SIGMA}/servers/detail/", lambda n: {"order_by": ",".join(ids(n))}),
    Case("drives of a server", "PUT", f"{SIGMA}/servers/{{server}}/", body=lambda n: {**SERVER, "drives": [{"drive": id} for id in ids(n)]}),
    Case("carriers of a tag", "POST", f"{SIGMA}/tags/", body=lambda n: {"name": "t", "resources": ids(n)}),
    Case("firewall rules", "POST", f"{SIGMA}/fwpolicies/", body=lambda n: {"rules": [{"action": "drop", "src_ip": "x"}] * n}),
    Case("what is deleted", "DELETE", f"{SIGMA}/drives/", body=lambda n: {"objects": [{"uuid": id} for id in ids(n)]}),
    Case("a page", "GET", f"{API}/instances/", lambda n: {"page": "1" * n}),
    Case("a schedule of NodeConductor", "POST", f"{API}/backup-schedules/", body=lambda n: {"schedule": "*/" * n}),
    Case("a password", "POST", "/identity/v3/auth/tokens", body=lambda n: {"auth": {"identity": {"methods": ids(n)}}}),
    *(
        Case(f"{what} of {path}", "POST", path, body=lambda n, text=text: text(5 * n))  # type: ignore[misc]
        for path in ("/ops/v1/servers", f"{SIGMA}/servers/", f"{NOVA}/servers", f"{API}/backups/", "/identity/v3/auth/tokens")
        for what, text in (
            ("lists in lists", lambda n: b"[" * n + b"]" * n),
            ("objects in objects", lambda n: b'{"a":' * n + b"1" + b"}" * n),
            ("a number", lambda n: b'{"name": ' + b"9" * n + b"}"),
            ("keys that are the same", lambda n: b"{" + b'"a":1,' * n + b'"a":1}'),
        )
    ),
]  # fmt: skip


async def seconds(on: Walk, case: Case, many: int) -> float:
    """Of this process's CPU, the least of a few times: what else the machine does has no part in it."""
    content = case.body(many)
    body = b"" if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
    path = case.path.replace("{server}", on.objects["server"])
    headers, query = proof(on.dialect(path), OPERATOR), urlencode(case.query(many))
    taken = []
    for _ in range(TIMES):
        began = time.process_time()
        answer = await on.send(case.method, path, headers, query=query, body=body)
        taken.append(time.process_time() - began)
        assert answer.status < 500, f"{case}: {answer.status} {answer.body[:300]!r}"
    return min(taken)


@pytest.mark.thorough
def test_the_time_of_an_answer_follows_the_size_of_what_was_asked(tmp_path: Path) -> None:
    async def story(on: Walk) -> None:
        slow = []
        for case in CASES:
            less, more = await seconds(on, case, MANY), await seconds(on, case, 4 * MANY)
            if more > SECONDS_FREE and more > GROWTH_MAX * less:
                slow.append(f"{case}: {less:.3f} s, and {more:.3f} s for four times as much")
        assert slow == [], "\n".join(slow)

    asyncio.run(walked(tmp_path / "data", story))
