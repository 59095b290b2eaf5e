"""Many clients at once, over HTTP, on a served backend: what they leave is what some order of one at a time would."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

from backend import check as checking
from backend.seed import OPERATOR
from tests.served import Served, served

GIB = 2**30
CLIENTS = 64
HOSTS = [f"h-{number:02}" for number in range(1, 25)]
SERVERS_OF_A_HOST = 4
CLOUD = f"""
[[cells]]
name = "cell-1"

[[cells.hosts]]
name = "h"
kind = "compute"
count = {len(HOSTS)}
cpu_mhz = 8000
memory_bytes = {32 * GIB}
"""
"""Servers of 2 GHz: there is room for 96 of them, so some hosts fill up, and each is wanted by many at once."""


def all_at_once(on: Served, avoid: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Each client starts one server when the last of them is ready. Returns their answers."""
    answers: dict[str, dict[str, Any]] = {}
    ready = threading.Barrier(len(avoid))

    def start(id: str) -> None:
        with on.client(OPERATOR) as client:
            client.get("/status")
            ready.wait(30)
            answer = client.post(f"/servers/{id}/actions", json={"action": "start", "avoid": avoid[id]})
            answers[id] = {"status": answer.status_code, **answer.json()}

    clients = [threading.Thread(target=start, args=(id,)) for id in avoid]
    for client in clients:
        client.start()
    for client in clients:
        client.join(60)
    return answers


def by_the_rule(avoid: list[str], held: dict[str, list[str]]) -> str:
    """Of equal hosts: the least of what is avoided, then the most room, then the name."""

    def key(host: str) -> tuple[Any, ...]:
        ranks = sorted(avoid.index(other) for other in held[host])
        return [-rank for rank in (*ranks, math.inf)], len(held[host]), host

    return min((host for host in HOSTS if len(held[host]) < SERVERS_OF_A_HOST), key=key)


def test_servers_that_avoid_each_other_start_as_in_some_order_of_one_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(CLOUD)
    with served(tmp_path / "data", "--cloud", str(file), "--clock", "manual") as on, on.client(OPERATOR) as ops:
        spec = {"cpu_mhz": 2000, "memory_bytes": GIB}
        ids = [ops.post("/servers", json={"name": f"s{n}", **spec}).json()["id"] for n in range(CLIENTS)]
        # Each avoids all others, in an order of its own.
        avoid = {id: ids[place + 1 :] + ids[:place] for place, id in enumerate(ids)}

        answers = all_at_once(on, avoid)

        assert {answer["status"] for answer in answers.values()} == {202}
        events = ops.get("/events", params={"limit": 1000}).json()["events"]
        placed = sorted(
            (event["number"], event["object_id"], event["details"]["decision"])
            for event in events
            if event["kind"] == "server.placed"
        )
        assert len(placed) == CLIENTS
        held: dict[str, list[str]] = defaultdict(list)
        for _, id, decision in placed:
            assert decision["host"] == by_the_rule(avoid[id], held)
            assert decision["host"] == answers[id]["decision"]["host"]
            held[decision["host"]].append(id)
        assert len(held) == len(HOSTS)
    assert checking.check(tmp_path / "data").breach is None
