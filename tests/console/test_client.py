"""The port to a cloud: what is asked, what is understood, what each failure becomes, and that names are harmless."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.client import ClientError, CloudClient, connect, decode
from console.records import Factors, SizeRecord, Status
from console.sanitising import SHOWN_INSTEAD, clean, sanitise

ROW: dict[str, Any] = {"id": "u1", "name": "web-01", "cell": "cell-1", "state": "running"}
Handler = Callable[[httpx.Request], httpx.Response]


def a_client(handler: Handler) -> CloudClient:
    return CloudClient(httpx.AsyncClient(transport=httpx.MockTransport(handler), base_url="http://cloud"))


def answering(body: Any, status: int = 200) -> Handler:
    return lambda request: httpx.Response(status, json=body)


def failing(error: httpx.TransportError) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error

    return handler


def run(question: Awaitable[Any]) -> Any:
    import asyncio

    async def ask() -> Any:
        return await question

    return asyncio.run(ask())


def error_of(handler: Handler, ask: Callable[[CloudClient], Awaitable[Any]]) -> ClientError:
    with pytest.raises(ClientError) as caught:
        run(ask(a_client(handler)))
    return caught.value


# What is asked ---------------------------------------------------------------------------------------------------


def test_the_log_is_asked_for_at_a_place_in_it() -> None:
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"events": [], "cursor": "c"})

    place = "2026-11-20T14:03:27.000001+00:00,cell-1,17"
    run(a_client(handler).events(limit=5, object_id="u1", until=place))
    run(a_client(handler).events(since=place))

    assert dict(asked[0].url.params) == {"limit": "5", "object": "u1", "until": place}, "its plus is not a space"
    assert dict(asked[1].url.params) == {"limit": "200", "since": place}


def test_a_page_asks_for_what_was_named_and_nothing_else() -> None:
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"servers": [], "next": None, "cursor": "c1", "total": 0, "unreachable": []})

    page = run(a_client(handler).servers_page(after="t/1", cell="cell-3", limit=500))

    assert str(asked[0].url) == "http://cloud/ops/v1/servers?limit=500&after=t%2F1&cell=cell-3"
    assert (page.servers, page.cursor, page.cell) == ((), "c1", "cell-3")


def test_a_drive_is_made_with_a_key_of_its_own() -> None:
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(201, json={"id": "d1", "name": "data", "cell": "cell-1", "state": "creating"})

    drive = run(a_client(handler).create_drive({"name": "data", "size_bytes": 2**30}))

    assert (asked[0].method, asked[0].url.path) == ("POST", "/ops/v1/drives")
    assert json.loads(asked[0].content) == {"name": "data", "size_bytes": 2**30}
    assert len(asked[0].headers["Idempotency-Key"]) == 32
    assert (drive.id, drive.state) == ("d1", "creating")


def test_an_action_carries_its_version_and_a_key_of_its_own() -> None:
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(202, json={"server": ROW, "task": None, "decision": None})

    cloud = a_client(handler)
    outcome = run(cloud.act("server", "u1/../x", "start", if_version=3, avoid=["u2"]))
    run(a_client(handler).act("server", "u1", "start", key="mine"))

    assert asked[0].url.raw_path == b"/ops/v1/servers/u1%2F..%2Fx/actions"
    assert json.loads(asked[0].content) == {"action": "start", "if_version": 3, "avoid": ["u2"]}
    assert len(asked[0].headers["Idempotency-Key"]) == 32
    assert asked[1].headers["Idempotency-Key"] == "mine"
    assert outcome.server.name == "web-01"


def test_drives_are_asked_for_in_pages_and_one_by_its_id() -> None:
    row = {"id": "d1", "name": "boot", "cell": "cell-1", "state": "unknown", "size_bytes": 2**30, "server_id": "u1",
           "reachable": False, "known_at": "2026-11-20T12:00:00Z", "last_state": "mounted"}  # fmt: skip
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        page = {"drives": [row], "next": "t/2", "cursor": "c", "total": 7, "unreachable": ["cell-1"]}
        return httpx.Response(200, json=row if "d/1" in request.url.path else page)

    page = run(a_client(handler).drives_page(after="t/1", limit=500))
    one = run(a_client(handler).drive("d/1"))

    assert asked == ["http://cloud/ops/v1/drives?limit=500&after=t%2F1", "http://cloud/ops/v1/drives/d%2F1"]
    assert (page.next, page.total) == ("t/2", 7)
    assert (page.drives[0].last_state, page.drives[0].is_reachable) == ("mounted", False)
    assert one.raw["name"] == "boot"


def test_the_preview_of_a_host_names_who_moves_who_stays_and_whom_it_stops() -> None:
    move = {"id": "u1", "name": "web", "is_backfilling": False, "cpu_mhz": 4000, "memory_bytes": 1, "state": "running",
            "outcome": "moves", "to": "h2", "stops": [{"id": "u9", "name": "crawl"}], "shrinks": 2}  # fmt: skip
    plan = {"action": "evacuate", "host": "h1", "allowed": False, "problem": "drain it", "code": "wrong_state",
            "moves": [move], "drives": 0, "seconds": 20.0, "version": 4, "sentences": ["drain it"]}  # fmt: skip
    asked: list[tuple[str, Any]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.path, json.loads(request.content)))
        return httpx.Response(200, json={"plan": plan})

    made = run(a_client(handler).preview_host("h1", "evacuate"))

    assert asked == [("/ops/v1/hosts/h1/actions", {"action": "evacuate", "preview": True})]
    assert (made.is_allowed, made.problem, made.version) == (False, "drain it", 4)
    assert (made.moves[0].to, made.moves[0].stops[0].title, made.moves[0].shrinks) == ("h2", "crawl", 2)


def test_an_explanation_is_read_with_every_host() -> None:
    mark = {"number": 41, "at": "2026-11-20T14:01:10Z", "actor": "cloud", "host": "h1"}
    stop = {"id": "u9", "name": "crawl\x1b[31m", "cpu_mhz": 8000, "work_ghz_hours": 2.5}
    part = {"part": "disruption", "measure": "servers stopped", "chosen": 0, "own": 1}
    hosts = [
        {"host": "h1", "verdict": "chosen", "room": {"cpu_mhz": -2000, "memory_bytes": 3}, "lost_by": None},
        {"host": "h2", "verdict": "beaten", "stops": [stop], "avoided": [{"id": "u4", "name": None, "rank": 2}],
         "lost_by": part},
        {"host": "h3", "verdict": "cpu", "short": {"cpu_mhz": 5, "memory_bytes": 0}, "short_bytes": None},
    ]  # fmt: skip
    change = {"kind": "stops", "host": "h2", "less": None, "less_bytes": None, "stops": [stop], "is_proved": False}
    told = {"decision": mark, "at": mark["at"], "host": "h1", "decided_by": "disruption", "runner_up": "h2",
            "refused": {"short of CPU": 1}, "hosts_total": 3, "hosts": hosts, "changes": [change],
            "impossible": ["cpu"], "is_as_recorded": False}  # fmt: skip
    body = {"id": "u1", "name": "web", "kind": "server", "cell": "c", "host": "h1", "decisions": [mark],
            "explanation": told, "placed": None, "placed_problem": None}  # fmt: skip
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url).partition("/ops/v1")[2])
        return httpx.Response(200, json=body)

    why = run(a_client(handler).explain("u/1", decision=41))
    run(a_client(handler).explain("u1"))

    assert asked == ["/explain/u%2F1?decision=41", "/explain/u1"]
    row = why.explanation
    assert row.mark is not None
    assert (row.mark.number, row.mark.host, row.is_as_recorded, row.impossible) == (41, "h1", False, ("cpu",))
    assert [(host.host, host.verdict, host.part, host.measure) for host in row.hosts] == [
        ("h1", "chosen", None, None),
        ("h2", "beaten", "disruption", "servers stopped"),
        ("h3", "cpu", None, None),
    ]
    assert (row.hosts[1].avoided[0].rank, row.hosts[1].stops[0].work_ghz_hours) == (2, 2.5)
    assert "\x1b" not in (row.hosts[1].stops[0].name or "")
    assert (row.changes[0].kind, row.changes[0].is_proved, why.placed) == ("stops", False, None)


@pytest.mark.parametrize("missing", ["id", "explanation", "kind"])
def test_an_explanation_that_is_none_is_not_understood(missing: str) -> None:
    body = {"id": "u1", "kind": "server", "cell": "c", "decisions": [], "explanation": {"at": "2026-11-20T14:01:10Z"}}
    del body[missing]

    with pytest.raises(ClientError) as caught:
        run(a_client(lambda _request: httpx.Response(200, json=body)).explain("u1"))

    assert caught.value.code == "bad_answer"


def test_a_preview_says_that_it_is_one() -> None:
    plan = {
        "action": "start", "object_id": "u1", "allowed": True, "problem": None, "code": None, "version": 3,
        "decision": {"host": "h2", "decided_by": "disruption", "stops": [{"id": "u9", "name": "crawl"}], "shrinks": 1,
                     "waits": True, "avoided": ["u4"], "runner_up": "h3"},
        "refused": {"short of CPU": 11},
        "stops": [{"id": "u9", "name": "crawl", "cpu_mhz": 8000, "memory_bytes": 1, "started_at": None,
                   "work_ghz_hours": 176.0}],
        "shrinks": [{"id": "u8", "name": "r", "cpu_before": 1.0, "cpu_after": 0.62}], "grows": [],
        "downtime_seconds": 8, "sentences": ["waits"],
    }  # fmt: skip
    asked: list[dict[str, Any]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return httpx.Response(200, json={"plan": plan})

    made = run(a_client(handler).preview("server", "u1", "start"))

    assert asked == [{"action": "start", "preview": True}]
    assert made.decision is not None
    assert (made.refused, made.decision.waits, made.decision.runner_up) == (
        (("short of CPU", 11),),
        True,
        "h3",
    )
    assert (made.stops[0].work_ghz_hours, made.shrinks[0].cpu_after, made.version) == (176.0, 0.62, 3)


@pytest.mark.parametrize(
    ("ask", "path", "body", "answer"),
    [
        (lambda cloud: cloud.act_on_cell("cell-1", "hung", plan="token"), "/ops/v1/cells/cell-1/actions",
         {"action": "hung", "plan": "token"}, {"cell": {"name": "cell-1", "state": "hung"}}),
        (lambda cloud: cloud.ask_cell("cell-1"), "/ops/v1/cells/cell-1/ask", {}, {"name": "cell-1", "state": "hung"}),
    ],
)  # fmt: skip
def test_a_cells_verbs_answer_the_cell(ask: Any, path: str, body: dict[str, Any], answer: dict[str, Any]) -> None:
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=answer)

    found = run(ask(a_client(handler)))

    assert (asked[0].method, asked[0].url.path, json.loads(asked[0].content)) == ("POST", path, body)
    assert getattr(found, "cell", found).state == "hung"


def test_a_plan_of_a_group_is_read_and_its_restore_sends_the_token() -> None:
    stop = {"id": "b", "name": "render-1", "cpu_mhz": 4000}
    move = {"id": "m", "name": "web-31", "cell": "cell-2", "is_backfilling": False, "from_host": "c2-h07",
            "to": "c2-h12", "stops": [stop], "shrinks": 1, "waits": True, "seconds_down": 50}  # fmt: skip
    told = {"action": "restore", "group": "web", "allowed": True, "problem": None, "code": None, "moves": [move],
            "before": {"collisions": 1, "tolerates": 3, "is_bound": False}, "is_fewest": True, "is_best": False,
            "after": {"collisions": 0, "tolerates": 4, "is_bound": True}, "seconds": 50, "notes": ["A note."],
            "token": "t", "sentences": ["One."]}  # fmt: skip
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        task = {"id": "cloud/1", "cell": "cell-2", "kind": "restore", "counterpart_name": "web-31"}
        return httpx.Response(200, json={"plan": told} if request.method == "GET" else {"group": None, "task": task})

    client = a_client(handler)
    plan = run(client.group_plan("a b"))
    begun = run(client.act_on_group("a b", "restore", plan=plan.token))

    assert asked[0].url.raw_path == b"/ops/v1/groups/a%20b/plan"
    assert (plan.moves[0].title, plan.moves[0].to, plan.moves[0].stops[0].name) == ("web-31", "c2-h12", "render-1")
    assert (plan.before.tolerates, plan.after, plan.notes) == (3, (0, 4, True), ("A note.",))
    assert (plan.is_allowed, plan.is_fewest, plan.is_best, plan.token) == (True, True, False, "t")
    assert json.loads(asked[1].content) == {"action": "restore", "plan": "t"}
    assert begun.task.counterpart_name == "web-31"


def test_what_a_cells_silence_means_is_read() -> None:
    standing = {"collisions": 1, "tolerates": 1, "is_bound": False}
    told = {"action": "down", "cell": "cell-1", "allowed": True, "problem": None, "servers": 3, "running": 2,
            "drives": 1, "hosts": 4, "capacity": {"cpu_mhz": 32_000, "memory_bytes": 1}, "free": None, "open_tasks": 1,
            "schedules": 2, "groups": [{"name": "web", "members": 2, "before": standing, "after": standing}],
            "token": "t", "sentences": []}  # fmt: skip

    plan = run(a_client(answering({"plan": told})).preview_cell("cell-1", "down"))

    assert (plan.servers, plan.running, plan.drives, plan.hosts, plan.open_tasks, plan.schedules) == (3, 2, 1, 4, 1, 2)
    assert plan.capacity is not None
    assert (plan.capacity.cpu_mhz, plan.free, plan.groups[0].name, plan.token) == (32_000, None, "web", "t")


def test_the_clock_is_patched_and_advanced() -> None:
    clock = {"now": "2026-11-20T14:03:27.500Z", "mode": "manual", "rate": 0}

    patched = run(a_client(answering(clock)).patch_clock(mode="manual"))
    advanced = run(a_client(answering(clock)).advance(60))

    assert patched == advanced
    assert (patched.mode, patched.rate, patched.now.microsecond) == ("manual", 0.0, 500_000)


# What is understood ----------------------------------------------------------------------------------------------


def test_a_server_may_say_little_and_may_say_more_than_is_known_here() -> None:
    body = {"servers": [{**ROW, "a_key_of_tomorrow": {"x": 1}}]}

    server = run(a_client(answering(body)).servers_page()).servers[0]

    assert (server.name, server.host, server.cpu_mhz, server.perf_factor, server.tags) == (
        "web-01",
        None,
        None,
        None,
        (),
    )
    assert server.is_reachable


def test_a_server_says_all_that_the_api_does() -> None:
    row = {
        **ROW, "host": "h1", "state_since": "2026-11-20T14:01:10Z", "is_backfilling": True, "cpu_mhz": 12_000,
        "memory_bytes": 2**30, "perf_factor": {"cpu": 0.6181, "memory": 1.0}, "floor": {"cpu": 0.25, "memory": 0.25},
        "group": "web", "tags": ["group:web"], "meta": {"a": "b"}, "notice_until": None, "waits": False, "version": 4,
        "reachable": False, "known_at": "2026-11-20T13:51:02Z", "last_state": "running", "displaced_count": 2,
    }  # fmt: skip

    server = run(a_client(answering({"servers": [row]})).servers_page()).servers[0]

    assert (server.perf_factor, server.floor) == (Factors(0.6181, 1.0), Factors(0.25, 0.25))
    assert (server.is_reachable, server.last_state, server.displaced_count) == (False, "running", 2)
    assert server.known_at is not None
    assert server.known_at.isoformat() == "2026-11-20T13:51:02+00:00"


def test_the_status_brings_everything_that_is_polled() -> None:
    body = {
        "clock": {"now": "2026-11-20T14:03:27Z", "mode": "rate", "rate": 60.0},
        "cells": [{"name": "cell-1", "state": "up", "capacity": {"cpu_mhz": 64_000, "memory_bytes": 1}}],
        "capacity": {
            "free_resources": {"total": {"cpu": 28_000, "mem": 5}, "most_free_by_cpu": {"cpu": 28_000, "mem": 4}},
            "host_by_cpu": "h1", "normal_prices": {"none_shrunk": {"cpu_mhz": 1, "memory_bytes": 2, "host": "h3"}},
        },
        "groups": [{"name": "web", "members": [{"id": "u1", "name": "w", "cell": "c", "host": None, "state": "stopped",
                                               "reachable": True}], "needs": 2, "tolerates": None, "is_bound": True}],
        "tasks": {"open": 5, "ended": 412, "waiting": 2},
        "schedules": [{"id": "s1", "server_id": "u1", "description": "web nightly", "history": ["ok", "missed"]}],
        "full_files": ["cloud", "cell-1"],
    }  # fmt: skip

    status = run(a_client(answering(body)).status())

    assert status.capacity is not None
    assert status.capacity.most_free_by_cpu == SizeRecord(28_000, 4, "h1")
    assert status.capacity.none_shrunk == SizeRecord(1, 2, "h3")
    assert status.capacity.most_free_by_memory is None
    assert (status.groups[0].tolerates, status.groups[0].needs, status.tasks_waiting) == (None, 2, 2)
    assert status.schedules[0].history == ("ok", "missed")
    assert status.full_files == ("cloud", "cell-1")


def test_an_account_that_may_not_know_what_is_free_is_told_nothing() -> None:
    status = run(a_client(answering({"cells": [], "capacity": {"backfilling": False}})).status())

    assert status.capacity is not None
    assert status.capacity.total is None
    assert (status.groups, status.clock) == (None, None)


def test_what_a_status_says_again_is_the_same_record_and_what_it_does_not_is_another() -> None:
    names = ["web", "web", "db"]

    def handler(request: httpx.Request) -> httpx.Response:
        cells = [{"name": "cell-1", "state": "up", "answer_ms": len(names)}]
        return httpx.Response(200, json={"cells": cells, "groups": [{"name": names.pop(0)}], "schedules": []})

    async def ask() -> list[Status]:
        cloud = a_client(handler)
        return [await cloud.status() for _ in range(3)]

    first, again, other = run(ask())
    assert again.groups is first.groups
    assert [cell.answer_ms for cell in (*first.cells, *again.cells, *other.cells)] == [3, 2, 1]
    assert other.groups is not None
    assert (other.groups[0].name, other.schedules) == ("db", ())


# What failures become ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "code", "is_retryable"),
    [
        (httpx.ConnectError("All connection attempts failed"), "no_answer", True),
        (httpx.ConnectTimeout(""), "timeout", True),
        (httpx.ReadTimeout(""), "timeout", True),
        (httpx.ReadError(""), "broken", True),
        (httpx.RemoteProtocolError("x"), "broken", True),
    ],
)
def test_a_broken_wire_is_an_error_that_may_be_tried_again(
    failure: httpx.TransportError, code: str, is_retryable: bool
) -> None:
    error = error_of(failing(failure), lambda cloud: cloud.status())

    assert (error.code, error.is_retryable, error.is_offline) == (code, is_retryable, True)
    assert error.sentence


@pytest.mark.parametrize("failure", [httpx.ReadTimeout(""), httpx.ReadError(""), httpx.RemoteProtocolError("")])
def test_a_verb_whose_answer_never_came_may_have_been_carried_out(failure: httpx.TransportError) -> None:
    error = error_of(failing(failure), lambda cloud: cloud.act("server", "u1", "start"))

    assert (error.code, error.is_retryable, error.is_offline) == ("outcome_unknown", False, False)


def test_a_verb_that_never_left_was_not_carried_out() -> None:
    error = error_of(failing(httpx.ConnectError("")), lambda cloud: cloud.act("server", "u1", "start"))

    assert (error.code, error.is_retryable) == ("no_answer", True)


@pytest.mark.parametrize(
    ("status", "code", "is_retryable"),
    [(401, "unauthorized", False), (403, "forbidden", False), (409, "no_capacity", False), (503, "unreachable", True),
     (503, "outcome_unknown", False)],
)  # fmt: skip
def test_an_error_body_keeps_its_code_and_its_sentence(status: int, code: str, is_retryable: bool) -> None:
    body = {"error": {"code": code, "message": "Cell cell-1 does \x1b[31mnot\x1b[0m answer.", "cell": "cell-1"}}

    error = error_of(answering(body, status), lambda cloud: cloud.server("u1"))

    assert (error.code, error.is_retryable, error.is_offline) == (code, is_retryable, False)
    assert error.sentence == str(error) == "Cell cell-1 does ·[31mnot·[0m answer."


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"error": "no"}', b'{"error": {"code": 1}}', b"\xff"])
def test_an_error_without_a_body_of_ours_is_told_by_its_status(content: bytes) -> None:
    error = error_of(lambda request: httpx.Response(502, content=content), lambda cloud: cloud.status())

    assert (error.sentence, error.code, error.is_retryable) == ("the cloud answered 502", "http_502", True)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"servers": [{"id": 1}]}', b'{"servers": 7}', b'{"servers": [[]]}',
     b'{"servers": [{"id": "u", "cell": "c", "state": "s", "created_at": "yesterday"}]}',
     b'{"servers": [{"id": "u", "cell": "c", "state": "s", "perf_factor": {"cpu": "x"}}]}'],
)  # fmt: skip
def test_an_answer_that_is_not_understood_is_an_error_and_not_a_crash(content: bytes) -> None:
    error = error_of(lambda request: httpx.Response(200, content=content), lambda cloud: cloud.servers_page())

    assert (error.code, error.is_retryable) == ("bad_answer", False)


@pytest.mark.parametrize("url", ["", "ftp://x", "localhost:8774", "http://", "http://[::1", "http://x:port"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ClientError) as caught:
        connect(url=url, token="t")

    assert (caught.value.code, caught.value.is_retryable) == ("bad_address", False)


def test_a_socket_that_is_gone_is_said_so(tmp_path: Any) -> None:
    with pytest.raises(ClientError) as caught:
        run(connect(socket=tmp_path / "none.sock", token="t").status())

    assert (caught.value.code, caught.value.sentence) == ("no_answer", "its socket is gone")


def test_the_module_is_imported_without_httpx() -> None:
    """The first paint does not wait for it."""
    names = "['httpx' in sys.modules, 'rich' in sys.modules, 'asyncio' in sys.modules]"
    code = f"import sys, console.client, console.presentation.overview; print(*{names})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False", "False"]


# Hostile names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("web-01", "web-01"),
        ("Übergröße 数据 é", "Übergröße 数据 é"),
        ("[red]x[/] [@click=app.quit]y[/]", "[red]x[/] [@click=app.quit]y[/]"),
        ("a\x1b]2;title\x07b", "a·]2;title·b"),
        ("a\x9b31mb", "a·31mb"),
        ("del\x7f", "del·"),
        ("two\r\nlines\tand a tab", "two lines and a tab"),
        ("evil\u202egpj.exe", "evil·gpj.exe"),
        ("zero\u200bwidth\ufeff", "zero·width·"),
        ("join\u200ded", "join·ed"),
        ("emoji\u2764\ufe0f", "emoji\u2764·"),
        ("blank\u3164\u2800", "blank··"),
    ],
)
def test_a_name_cannot_move_the_cursor_hide_or_turn_the_text(name: str, shown: str) -> None:
    assert sanitise(name) == shown


@given(st.text())
def test_a_sanitised_text_is_printable_and_stays_as_it_is(text: str) -> None:
    once = sanitise(text)

    assert once.isprintable()
    assert "\x1b" not in once
    assert sanitise(once) == once


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_the_short_way_around_sanitising_changes_nothing(value: Any, is_ascii: bool) -> None:
    try:
        body = json.dumps(value, ensure_ascii=is_ascii).encode()
    except UnicodeEncodeError:
        return

    try:
        decoded = decode(body)
    except ValueError:
        # A lone surrogate is not text.
        return

    assert decoded == clean(json.loads(body))


def test_every_text_of_an_answer_is_sanitised_keys_too() -> None:
    row = {**ROW, "name": "a\x1bb", "meta": {"k\x07": "v\u202e"}, "tags": ["t\x00"]}

    detail = run(a_client(answering({**row, "drives": []})).server("u1"))

    assert (detail.server.name, detail.server.meta, detail.server.tags) == ("a·b", {"k·": "v·"}, ("t·",))
    assert detail.raw["meta"] == {"k·": "v·"}
    assert SHOWN_INSTEAD == "·"


def test_half_a_pair_of_utf_16_is_shown_as_what_it_is_and_hides_nothing() -> None:
    body = b'[{"name": "web\\ud800-01"}, {"name": "db"}]'

    assert decode(body) == [{"name": f"web{SHOWN_INSTEAD}-01"}, {"name": "db"}]


NO_JSON = (b"{", b'{"\\u0041": ', b"[" * 100_000, b'["\\u0041",' + b"[" * 100_000, b"\xff\\u0041")


@pytest.mark.parametrize("body", NO_JSON, ids=["cut", "cut with an escape", "endless", "endless with one", "no text"])
def test_what_is_no_json_is_a_value_error_and_nothing_else(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever its words, one sentence is said of it
        decode(body)
