"""One request to an OpenStack at a time: tokens, versions, refusals, verbs, and what is written down before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.audit import AuditLog
from console.openstack import wire
from console.openstack.compute import refused
from console.openstack.offer import NO_PLAN, offer
from console.port import NOT_OFFERED, ClientError
from console.presentation import figures
from console.records_audit import ACCEPTED, REFUSED, AuditRecord
from console.sanitising import sanitise
from tests.console.fakes import ManualClock
from tests.console.real_nova import RECORDED, ROOT, Console, RealNova, a_console, fault, recorded, some

SERVICES = "os_compute_api:os-services:list"
Story = Callable[[Console], Awaitable[None]]


def told(nova: RealNova, story: Story, **more: Any) -> None:
    async def tell() -> None:
        on = a_console(nova, **more)
        await on.open()
        await story(on)

    asyncio.run(tell())


def a_cloud(**more: Any) -> RealNova:
    return RealNova([*some(2), *some(1, cell="two", host="c2-host1")], **more)


# ------------------------------------------------------------------------------------------------------------- versions


def test_servers_are_asked_for_at_2_71_however_much_the_cloud_speaks() -> None:
    nova = a_cloud(silent={"two"})

    async def story(on: Console) -> None:
        detail = await on.client.server("two-id-0000")

        assert detail.raw["status"] == "UNKNOWN"
        assert detail.server.state == "unknown"
        request = nova.asked[-1]
        assert request.headers["OpenStack-API-Version"] == "compute 2.71"
        assert request.headers["X-OpenStack-Nova-API-Version"] == "2.71"

    told(nova, story)


def test_at_2_98_the_same_question_is_a_500_which_is_why() -> None:
    nova = a_cloud(silent={"two"})

    async def tell() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.MockTransport(nova.answer)) as http:
            headers = {"X-Auth-Token": "token-1", "OpenStack-API-Version": "compute 2.98"}
            return await http.get(f"{ROOT}/servers/two-id-0000", headers=headers)

    assert asyncio.run(tell()).status_code == 500


@pytest.mark.parametrize(
    ("highest", "asked"), [((2, 104), "2.71"), ((2, 71), "2.71"), ((2, 60), "2.60"), ((2, 9), "2.9")]
)
def test_a_cloud_that_knows_less_is_asked_in_what_it_knows(highest: tuple[int, int], asked: str) -> None:
    nova = a_cloud(highest=highest)

    async def story(on: Console) -> None:
        listed = next(request for request in nova.asked if request.url.path.endswith("/servers/detail"))
        assert listed.headers["OpenStack-API-Version"] == f"compute {asked}"

    told(nova, story)


def test_a_cloud_that_knows_less_from_one_moment_to_the_next_is_asked_again_in_less() -> None:
    nova = a_cloud()

    async def story(on: Console) -> None:
        nova.highest = (2, 70)
        nova.paths()

        assert (await on.client.server("one-id-0000")).server.name == "one-00"
        assert [request.headers.get("OpenStack-API-Version") for request in nova.asked] == [
            "compute 2.71", None, "compute 2.70"
        ]  # fmt: skip

    told(nova, story)


def test_an_old_catalog_with_the_project_in_the_path_is_understood() -> None:
    nova = a_cloud()

    async def tell() -> None:
        on = a_console(nova)
        on.login.compute_url = f"{ROOT}/web-id"
        nova.instead = lambda request: (
            httpx.Response(404, text="404 Not Found") if request.url.path == "/v2.1/web-id/" else None
        )
        assert (await on.client.hello()).version == "Nova 2.71"

    asyncio.run(tell())


def test_a_catalog_without_a_version_leads_to_the_one_that_is_spoken() -> None:
    nova = a_cloud()
    nova.instead = lambda request: (
        httpx.Response(200, json=recorded("root")) if request.url.path in ("/v2.1/", "/") else None
    )

    async def tell() -> None:
        on = a_console(nova)
        assert (await on.client.hello()).version == "Nova 2.71"

    asyncio.run(tell())


@pytest.mark.parametrize("body", [{}, [], {"version": {"version": "x"}}, {"versions": [{"id": "v3"}]}, "no"])
def test_what_is_no_compute_service_is_a_sentence(body: Any) -> None:
    nova = a_cloud()
    nova.instead = lambda _request: httpx.Response(200, json=body)

    async def tell() -> None:
        await a_console(nova).client.hello()

    with pytest.raises(ClientError, match="speaks no version that is known here"):
        asyncio.run(tell())


# --------------------------------------------------------------------------------------------------------------- tokens


def test_a_token_that_has_expired_is_replaced_once_and_the_request_repeated() -> None:
    nova = a_cloud()

    async def story(on: Console) -> None:
        nova.token = "token-2"
        nova.paths()
        assert (await on.client.server("one-id-0000")).server.name == "one-00"
        assert [request.headers["X-Auth-Token"] for request in nova.asked] == ["token-1", "token-2"]

        nova.paths()
        await on.client.server("one-id-0001")
        assert [request.headers["X-Auth-Token"] for request in nova.asked] == ["token-2"]

    told(nova, story)


def test_a_new_token_that_is_refused_too_is_no_reason_to_go_on() -> None:
    nova = a_cloud()

    async def story(on: Console) -> None:
        nova.token = "another"
        nova.paths()
        with pytest.raises(ClientError, match="refuses the token, also a new one"):
            await on.client.server("one-id-0000")
        assert len(nova.asked) == 2

    told(nova, story)


def test_a_token_is_sent_to_nobody_whom_an_answer_names() -> None:
    nova = a_cloud()

    async def story(on: Console) -> None:
        nova.instead = lambda _request: httpx.Response(302, headers={"Location": "http://elsewhere.example.org/"})
        nova.paths()
        with pytest.raises(ClientError, match="the cloud answered 302"):
            await on.client.server("one-id-0000")
        assert len(nova.asked) == 1

    told(nova, story)


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("name", "code", "sentence", "is_retryable"),
    [
        ("marker in a silent cell", "computeFault", "the cloud failed with 500 (DBConnectionError)", True),
        ("marker of nobody", "badRequest", "marker [99999999-9999-4999-8999-999999999999] not found", False),
        ("not for readers", "forbidden", f"Policy doesn't allow {SERVICES} to be performed.", False),
        ("no such server", "not_found", "Instance 99999999-9999-4999-8999-999999999999 could not be found.", False),
        ("no token", "unauthorized", "the cloud refuses the token, also a new one", False),
    ],
)  # fmt: skip
def test_a_recorded_refusal_is_a_sentence(name: str, code: str, sentence: str, is_retryable: bool) -> None:
    error = refused(httpx.Response(RECORDED[name]["status"], json=recorded(name)))

    assert (error.code, error.sentence, error.is_retryable) == (code, sentence, is_retryable)


@given(status=st.sampled_from([400, 404, 409, 500, 503]), body=st.binary(max_size=40) | st.just(b'{"a": 1}'))
def test_whatever_a_refusal_holds_it_is_a_sentence(status: int, body: bytes) -> None:
    error = refused(httpx.Response(status, content=body))

    assert error.sentence
    assert error.sentence == sanitise(error.sentence)


def test_a_403_where_a_404_was_meant_is_said_for_what_it_may_be() -> None:
    nova = a_cloud(silent={"two"})
    nova.named("two-00").more["is_of_others"] = True

    async def story(on: Console) -> None:
        on.client._looking.known.gone(["two-id-0000"])
        with pytest.raises(ClientError) as problem:
            await on.client.server("two-id-0000")
        assert problem.value.code == "not_found"
        assert "somebody else's in a cell that does not answer" in problem.value.sentence

        with pytest.raises(ClientError, match="it is not there any more"):
            await on.client.server("never-there")

    told(nova, story)


def test_what_is_asked_of_a_silent_server_fails_and_says_that_its_cell_is_silent() -> None:
    nova = a_cloud(silent={"two"})

    async def story(on: Console) -> None:
        for action in ("start", "shutdown", "reboot", "delete"):
            with pytest.raises(ClientError) as problem:
                await on.client.act("server", "two-id-0000", action)
            assert (
                problem.value.sentence == "its cell does not answer, and the cloud failed with 500 (DBConnectionError)"
            )
            plan = await on.client.preview("server", "two-id-0000", action)
            assert not plan.is_allowed

    told(nova, story)


HOSTILE = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(["\x1b]2;x\x07", "[red]x[/]", "\u202ex"])


@given(name=HOSTILE, zone=HOSTILE, key=HOSTILE)
@settings(max_examples=30)
def test_names_of_the_cloud_are_made_harmless(name: str, zone: str, key: str) -> None:
    nova = a_cloud()
    nova.named("one-00").more.update({"name": name, "OS-EXT-AZ:availability_zone": zone, "metadata": {key: name}})

    async def story(on: Console) -> None:
        row = on.rows["one-id-0000"]
        for text in (row.name, row.cell, *row.meta, *row.meta.values()):
            assert text is not None
            assert text == sanitise(text)

    told(nova, story)


def test_what_is_not_understood_is_a_sentence_and_no_fault() -> None:
    nova = a_cloud()

    async def story(on: Console) -> None:
        await on.look()
        bodies: list[Any] = [{}, {"servers": [{}]}, {"servers": [{"id": 3, "status": "ACTIVE", "flavor": 3}]}, [], None]
        nova.instead = lambda request: httpx.Response(200, json=bodies[0]) if "/servers" in request.url.path else None
        while bodies:
            with pytest.raises(ClientError, match="not understood"):
                await on.look()
            del bodies[0]

    told(nova, story)


# ---------------------------------------------------------------------------------------------------------------- verbs


@pytest.mark.parametrize(
    ("action", "method", "path", "body"),
    [
        ("start", "POST", "/servers/one-id-0000/action", {"os-start": None}),
        ("shutdown", "POST", "/servers/one-id-0000/action", {"os-stop": None}),
        ("reboot", "POST", "/servers/one-id-0000/action", {"reboot": {"type": "SOFT"}}),
        ("delete", "DELETE", "/servers/one-id-0000", None),
    ],
)
def test_a_verb_is_one_request(action: str, method: str, path: str, body: Any) -> None:
    nova = a_cloud()

    async def story(on: Console) -> None:
        nova.paths()
        await on.client.act("server", "one-id-0000", action, if_version=None, key="k")

        (request,) = nova.asked
        assert (request.method, request.url.path) == (method, f"/v2.1{path}")
        assert (json.loads(request.content) if request.content else None) == body

    told(nova, story)


def test_a_server_is_made_of_a_flavor_an_image_a_zone_and_a_group() -> None:
    nova = a_cloud()

    async def story(on: Console) -> None:
        fields = {"name": "new", "flavor": "1", "image": "img", "cell": "nova", "group": "g", "network": "none"}
        made = await on.client.create_server(fields)
        assert (made.id, made.title, made.state) == ("made-id", "new", "starting")
        assert json.loads(nova.asked[-1].content) == {
            "server": {"name": "new", "flavorRef": "1", "imageRef": "img", "networks": "none",
                       "availability_zone": "nova"},
            "os:scheduler_hints": {"group": "g"},
        }  # fmt: skip

        await on.client.create_server({"name": "new", "flavor": "1", "image": "img", "network": "auto"})
        assert json.loads(nova.asked[-1].content)["server"]["networks"] == "auto"

        assert [(each.id, each.vcpus, each.memory_bytes) for each in await on.client.flavors()] == [("1", 1, 2**31)]
        assert [(each.name, each.size_bytes) for each in await on.client.images()] == [("debian", 2**30)]

    told(nova, story)


def test_a_cloud_without_an_image_service_has_no_images_to_choose_from() -> None:
    async def story(on: Console) -> None:
        assert await on.client.images() == ()

    told(a_cloud(), story, image_url=None)


def test_a_verb_whose_answer_never_comes_may_have_been_carried_out() -> None:
    nova = a_cloud()

    async def story(on: Console) -> None:
        def breaks(request: httpx.Request) -> httpx.Response | None:
            raise httpx.ReadTimeout("", request=request)

        nova.instead = breaks
        with pytest.raises(ClientError, match="may have been carried out") as problem:
            await on.client.act("server", "one-id-0000", "start")
        assert (problem.value.code, problem.value.is_retryable) == ("outcome_unknown", False)

    told(nova, story)


@pytest.mark.parametrize(("method", "code"), [("GET", "timeout"), ("POST", "outcome_unknown")])
def test_an_answer_that_trickles_in_has_an_end(method: str, code: str) -> None:
    nova = a_cloud()

    async def story(on: Console) -> None:
        async def never(_request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")

        compute = on.client._compute
        compute._http = httpx.AsyncClient(transport=httpx.MockTransport(never))
        with pytest.raises(ClientError) as problem:
            await compute._speak(method, "/servers", seconds=0.01)
        assert problem.value.code == code

    told(nova, story)


def test_verbs_are_written_down_before_they_are_sent(tmp_path: Path) -> None:
    nova = a_cloud(silent={"two"})
    clock = ManualClock()
    logs: dict[str, AuditLog] = {}

    def log_of(cloud_id: str) -> AuditLog:
        return logs.setdefault(cloud_id, AuditLog(tmp_path, cloud_id, clock))

    async def story(on: Console) -> None:
        seen: list[AuditRecord] = []

        def look_at_the_log(_request: httpx.Request) -> None:
            seen.extend(log_of(next(iter(logs))).records())

        nova.instead = look_at_the_log
        await on.client.act("server", "one-id-0000", "start")
        assert [(each.method, each.path, each.ended_at) for each in seen] == [
            ("POST", "/servers/one-id-0000/action", None)
        ]
        nova.instead = lambda _request: None
        with pytest.raises(ClientError):
            await on.client.act("server", "two-id-0000", "delete")
        await on.client.preview("server", "one-id-0000", "delete")

        found = (await on.client.audit()).records
        assert [(each.method, each.outcome) for each in found] == [("POST", ACCEPTED), ("DELETE", REFUSED)]
        assert list(logs) == ["openstack:http://keystone.example.org/v3|RegionOne|web"]

    told(nova, story, logs=log_of)


def test_nothing_is_sent_that_cannot_be_written_down(tmp_path: Path) -> None:
    nova = a_cloud()
    blocked = tmp_path / "file"
    blocked.write_text("")

    async def story(on: Console) -> None:
        nova.paths()
        with pytest.raises(ClientError, match="nothing was sent"):
            await on.client.act("server", "one-id-0000", "start")
        assert nova.asked == []

    told(nova, story, logs=lambda cloud_id: AuditLog(blocked / "x", cloud_id, ManualClock()))


# -------------------------------------------------------------------------------------------------- what there is not


def test_what_nova_does_not_have_is_refused_in_a_sentence_and_asks_for_nothing() -> None:
    nova = a_cloud()

    async def story(on: Console) -> None:
        nova.paths()
        client = on.client
        questions: list[Callable[[], Awaitable[object]]] = [
            client.billing, client.drives_page, client.tasks, client.schedules_page, client.backups_page,
            client.coverage_counts, client.calendar, client.storage, lambda: client.explain("x"),
            lambda: client.advance(60), lambda: client.what_if({}), client.limits,
            lambda: client.act("drive", "x", "delete"), lambda: client.act("server", "x", "clone"),
            lambda: client.group_plan("web"), lambda: client.preview_cell("nova", "down"),
        ]  # fmt: skip
        for question in questions:
            with pytest.raises(ClientError) as problem:
                await question()
            assert problem.value.code == NOT_OFFERED
            assert not problem.value.is_retryable
            assert problem.value.sentence.startswith(("this cloud has no ", "Nova has no "))
        assert nova.asked == []
        assert (await client.events()).events == ()
        assert (await client.host_detail("c1-host1")).events == ()

    told(nova, story)


def test_a_plan_that_cannot_be_computed_says_so() -> None:
    async def story(on: Console) -> None:
        assert (await on.client.preview("server", "one-id-0000", "start")).sentences == (NO_PLAN,)
        assert (await on.client.preview_creation({"name": "x"})).sentences == (NO_PLAN,)

    told(a_cloud(), story)


def test_every_view_that_nova_has_nothing_for_has_its_sentence() -> None:
    found = offer()

    assert found.views.keys() == {
        "drives", "backfill", "tasks", "events", "schedules", "backups", "coverage", "calendar", "storage", "capacity",
        "clock", "faults", "billing", "why",
    }  # fmt: skip
    assert all(sentence.endswith(".") for sentence in found.views.values())
    assert not found.verbs.keys() & found.lacks.keys()


# ------------------------------------------------------------------------------------------------------ records of JSON


def test_a_recorded_detailed_list_is_read_as_records() -> None:
    page = wire.listed(recorded("detail"))

    assert (len(page.servers), len(page.unknown), page.has_more) == (6, 6, False)
    last = page.servers[-1]
    assert (last.name, last.state, last.cell, last.cpu_mhz, last.memory_bytes) == (
        "up-0000",
        "running",
        "nova",
        2000,
        2**29,
    )
    assert last.host == "#4b6a27fb"
    assert last.meta == {"k": "0"}
    assert str(last.created_at) == "2026-01-01 12:00:00+00:00"
    assert str(last.started_at) == "2026-01-01 12:00:00+00:00", "launched_at has no zone, and is UTC"
    assert {row.state for row in page.unknown} == {"unknown"}
    assert {(row.name, row.host, row.cpu_mhz, row.is_reachable) for row in page.unknown} == {(None, None, None, False)}


def test_recorded_services_are_read_as_records() -> None:
    rows = [wire.service(row) for row in recorded("services")["services"]]

    silent = [row for row in rows if row.is_unknown]
    assert {row.binary for row in silent} == {wire.COMPUTE}
    assert {(row.state, row.updated_at) for row in silent} == {(None, None)}
    scheduler = next(row for row in rows if row.binary == "nova-scheduler")
    assert (scheduler.cell, scheduler.status, scheduler.state) == (None, "enabled", "up")


@pytest.mark.parametrize(
    ("status", "doing", "state", "reason"),
    [
        ("ACTIVE", None, "running", None),
        ("ACTIVE", "powering-off", "stopping", None),
        ("SHUTOFF", None, "stopped", None),
        ("SHUTOFF", "powering-on", "starting", None),
        ("BUILD", "spawning", "starting", "spawning"),
        ("REBOOT", "reboot_started", "running", "reboot, reboot started"),
        ("VERIFY_RESIZE", None, "running", "verify resize"),
        ("SHELVED_OFFLOADED", None, "stopped", "shelved offloaded"),
        ("SUSPENDED", None, "paused", "suspended"),
        ("PAUSED", None, "paused", None),
        ("ERROR", None, "error", None),
        ("SOMETHING_NEW", None, "running", "something new"),
    ],
)
def test_a_status_and_what_is_being_done_are_one_of_our_states(
    status: str, doing: str | None, state: str, reason: str | None
) -> None:
    row = recorded("show")["server"] | {"status": status, "OS-EXT-STS:task_state": doing}

    found = wire.server(row, {})

    assert (found.state, found.reason) == (state, reason)


@pytest.mark.parametrize(
    ("status", "doing", "word"),
    [("REBOOT", "rebooting", "reboots"), ("REBOOT", "reboot_started_hard", "reboots"), ("ACTIVE", None, "run"),
     ("ACTIVE", "image_uploading", "image"), ("ACTIVE", "powering-off", "halting"), ("SHUTOFF", "deleting", "deletes")],
)  # fmt: skip
def test_what_is_being_done_stands_where_the_state_does(status: str, doing: str | None, word: str) -> None:
    row = recorded("show")["server"] | {"status": status, "OS-EXT-STS:task_state": doing}

    assert figures.server_state(wire.server(row, {})).word == word


def test_an_error_says_why() -> None:
    row = recorded("show")["server"] | {
        "status": "ERROR",
        "fault": {"code": 500, "message": "No valid host was found."},
    }

    assert wire.server(row, {}).reason == "No valid host was found."


def test_before_2_47_a_flavor_is_only_named_and_its_size_comes_from_the_list() -> None:
    row = recorded("show")["server"] | {"flavor": {"id": "1", "links": []}}
    flavors = {"1": wire.flavor({"id": "1", "name": "m1.small", "vcpus": 2, "ram": 4096, "disk": 20})}

    found = wire.server(row, flavors)
    assert (found.cpu_mhz, found.memory_bytes) == (4000, 2**32)
    assert (wire.server(row, {}).cpu_mhz, wire.server(row, {}).memory_bytes) == (None, None)


def test_a_server_that_was_never_placed_is_in_no_zone() -> None:
    row = recorded("show")["server"] | {"OS-EXT-AZ:availability_zone": "", "hostId": ""}

    found = wire.server(row, {})
    assert (found.cell, found.host) == (wire.NO_ZONE, None)


# --------------------------------------------------------------------------------------------------- asked to slow down


@pytest.mark.parametrize("status", [413, 429, 503])
def test_a_cloud_that_asks_for_fewer_requests_is_left_alone_for_as_long(status: int) -> None:
    nova = a_cloud()

    async def story(on: Console) -> None:
        await on.look()
        nova.instead = lambda _request: httpx.Response(status, headers={"Retry-After": "90"}, text="slow down")
        with pytest.raises(ClientError, match="none for 90 s") as problem:
            await on.look()
        assert problem.value.is_retryable
        at = on.timer.now()
        assert "asks for fewer requests" in (await on.client.status()).troubles[0]

        nova.instead = lambda _request: None
        nova.paths()
        on.client.hurry()
        await on.look()
        assert on.timer.now() - at >= 90, "also where somebody is in a hurry"

    told(nova, story)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("Fri, 20 Nov 2026 12:00:45 GMT", 45),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0),
        ("soon", 30),
        ("999999", 3600),
    ],
)
def test_when_it_may_be_asked_again_is_told_in_seconds_or_by_the_clouds_own_clock(header: str, seconds: float) -> None:
    nova = a_cloud()

    async def story(on: Console) -> None:
        nova.instead = lambda _request: httpx.Response(429, headers={"Retry-After": header})
        with pytest.raises(ClientError):
            await on.look()
        assert on.pace.held_seconds == seconds

    told(nova, story)


def test_a_server_error_without_a_time_is_a_failure_and_no_request_for_peace() -> None:
    nova = a_cloud()

    async def story(on: Console) -> None:
        nova.instead = lambda request: fault(503, "Service Unavailable") if "/servers" in request.url.path else None
        with pytest.raises(ClientError, match="failed with 503"):
            await on.look()
        assert on.pace.held_seconds == 0

    told(nova, story)
