"""The protocol of CloudSigma's API: sessions, content types, lists, schemas, concurrent changes, consoles, settings."""

from __future__ import annotations

import asyncio
from typing import Any

from backend.check import check
from backend.dialects.cloudsigma import schema
from tests.backend.support import OPERATOR
from tests.dialects.conftest import Tell
from tests.dialects.sigma import DISK, GIB, MINIMAL, a_drive, a_running_server, a_server, act, created, error_of
from tests.dialects.support import PASSWORDS, Wired, good

LOGIN = {"username": OPERATOR, "password": PASSWORDS[OPERATOR]}

# --- sessions --------------------------------------------------------------------------------------------------------


async def log_in(on: Wired) -> dict[str, str]:
    """The headers of a session; the client that has logged in keeps no cookie itself."""
    answer = await on.bare.post("/api/2.0/accounts/action/?do=login", json=LOGIN)
    assert good(answer)["email"] == OPERATOR
    cookies = dict(answer.cookies)
    on.bare.cookies.clear()
    session = f"sessionid={cookies['sessionid']}; csrftoken={cookies['csrftoken']}"
    return {"Cookie": session, "X-CSRFToken": cookies["csrftoken"]}


def test_a_session_reads_and_with_its_token_writes(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        headers = await log_in(on)
        bare = {"Cookie": headers["Cookie"]}
        before = await on.events()

        read = await on.bare.get("/api/2.0/servers/", headers=bare)
        for wrong in (bare, {**bare, "X-CSRFToken": "x"}, {**bare, "X-CSRFToken": ""}):
            refused = error_of(await on.bare.post("/api/2.0/servers/", headers=wrong, json=MINIMAL), 403)
            assert refused["error_type"] == "permission"
        assert await on.events() == before
        written = await on.bare.post("/api/2.0/servers/", headers=headers, json=MINIMAL)

        assert (read.status_code, written.status_code) == (200, 201)

    tell(story)


def test_a_session_ends_when_one_logs_out(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        headers, others = await log_in(on), await log_in(on)
        action = "/api/2.0/accounts/action/"

        assert good(await on.bare.post(f"{action}?do=check_login", headers=headers))["email"] == OPERATOR
        assert error_of(await on.bare.post(f"{action}?do=logout", headers={"Cookie": headers["Cookie"]}), 403)
        assert good(await on.bare.post(f"{action}?do=logout", headers=headers)) == {}
        assert error_of(await on.bare.get("/api/2.0/servers/", headers=headers), 401)
        assert (await on.bare.get("/api/2.0/servers/", headers=others)).status_code == 200
        assert good(await on.bare.post(f"{action}?do=logout")) == {}

    tell(story)


WRONG_LOGINS: tuple[tuple[Any, int], ...] = (
    ({**LOGIN, "password": "wrong"}, 401),
    ({**LOGIN, "username": "nobody@example.org"}, 401),
    ({"username": OPERATOR}, 400),
    ({**LOGIN, "password": 7}, 400),
    ([], 400),
)


def test_a_login_that_is_wrong_sets_no_cookie(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for body, status in WRONG_LOGINS:
            answer = await on.bare.post("/api/2.0/accounts/action/?do=login", json=body)

            assert error_of(answer, status), body
            assert "set-cookie" not in answer.headers, body

    tell(story)


def test_what_is_no_session_is_401_and_a_password_counts_before_it(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for token in ("", "x", "a.b", "operator-token"):
            headers = {"Cookie": f"sessionid={token}"}
            assert error_of(await on.bare.get("/api/2.0/servers/", headers=headers), 401)
            assert (await on.sigma.get("/servers/", headers=headers)).status_code == 200

    tell(story)


# --- content types, methods, paths -----------------------------------------------------------------------------------


ACCEPTED = (
    ("*/*", 200),
    ("application/json", 200),
    ("application/*;q=0.5, text/html", 200),
    ("text/html, APPLICATION/JSON; charset=utf-8", 200),
    ("application/xml", 406),
    ("text/html", 406),
    ("application/json;q=0", 406),
    ("application/json; q=0.0, text/html", 406),
)


def test_answers_are_json_for_whoever_takes_it(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for accept, status in ACCEPTED:
            for path in ("/servers/", "/capabilities/", "/jobs/"):
                answer = await on.sigma.get(path, headers={"Accept": accept})
                assert answer.status_code == status, (accept, path)
                assert answer.headers["content-type"] == "application/json; charset=utf-8"
            made = await on.sigma.post("/servers/", json=MINIMAL, headers={"Accept": accept})
            assert made.status_code == (201 if status == 200 else 406), accept

    tell(story)


def test_every_refusal_is_an_array_of_one_error(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for method, path, status, kind in (
            ("GET", "/nothing/", 404, "notexist"),
            ("GET", "/servers/nothing/at/all/", 404, "notexist"),
            ("GET", "/servers/nothing/", 404, "notexist"),
            ("PATCH", "/servers/", 405, "validation"),
            ("POST", "/jobs/", 405, "validation"),
            ("PUT", "/libdrives/", 405, "validation"),
            ("GET", "/accounts/action/", 405, "validation"),
            ("GET", "/drives/?format=xml", 406, "validation"),
        ):
            answer = await on.sigma.request(method, path)
            assert error_of(answer, status)["error_type"] == kind, (method, path)
            assert ("allow" in answer.headers) is (status == 405)

    tell(story)


# --- lists -----------------------------------------------------------------------------------------------------------


def test_a_list_is_ordered_by_what_its_schema_says(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for name in ("b", "c", "a"):
            await a_server(on, name=name)
            await a_drive(on, name=name)

        async def names(path: str, **params: Any) -> list[str]:
            found = good(await on.sigma.get(path, params=params))["objects"]
            return [each["name"] for each in found]

        for path in ("/servers/", "/drives/detail/", "/bservers/"):
            expected = [] if path == "/bservers/" else ["a", "b", "c"]
            assert await names(path, order_by="name") == expected
            assert await names(path, order_by="-name", limit=2) == expected[::-1][:2]
            assert await names(path, order_by="name", offset=1, limit=1) == expected[1:2]
            assert error_of(await on.sigma.get(path, params={"order_by": "cpu"}), 400)["error_point"] == "order_by"
        assert await names("/drives/detail/", name__icontains="A") == ["a"]
        assert await names("/drives/detail/", media="cdrom") == []

    tell(story)


def test_every_resource_shows_exactly_the_fields_of_its_schema(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        await a_server(on)
        created(await on.sigma.post("/bservers/", json=MINIMAL))
        good(await on.sigma.post(f"/drives/{drive['uuid']}/action/?do=clone"), 202)
        created(await on.sigma.post("/snapshots/", json={"drive": drive["uuid"]}))
        for kind in ("servers", "bservers", "drives", "libdrives", "snapshots", "jobs"):
            document = good(await on.sigma.get(f"/{kind}/schema/"))
            page = good(await on.sigma.get(f"/{kind}/detail/"))
            assert page["objects"], kind
            for each in page["objects"]:
                assert set(each) == set(document["fields"]), kind
            assert {field["type"] for field in document["fields"].values()} <= {
                *("string", "integer", "boolean", "float", "list", "dict", "related", "datetime")
            }

    tell(story)


def test_a_schema_says_what_is_required_and_what_is_the_default() -> None:
    servers, drives = schema.SERVERS.fields(), schema.DRIVES.fields()

    required = {name for name, field in servers.items() if field["default"] == schema.NO_DEFAULT}
    assert required == {"name", "cpu", "mem", "vnc_password"}
    assert {name for name, field in drives.items() if field["default"] == schema.NO_DEFAULT} == {
        *("name", "size", "media")
    }
    assert servers["cpu"]["type"] == drives["size"]["type"] == "integer"
    assert (servers["smp"]["type"], servers["smp"]["default"]) == ("integer", 1)
    assert (servers["cpu_model"]["type"], servers["cpu_model"]["nullable"]) == ("string", True)
    assert (servers["nics"]["type"], servers["meta"]["type"]) == ("list", "dict")
    assert servers["cpu_perf_threshold"]["type"] == "float"


def test_under_bservers_groups_have_only_backfilling_servers(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        normal = (await a_running_server(on))["uuid"]
        spare = (await a_running_server(on, is_grey=True))["uuid"]

        async def asked(path: str) -> Any:
            answer = await on.sigma.get(path)
            return answer.json() if answer.status_code == 200 else answer.status_code

        assert sorted((await asked("/servers/availability_groups/"))[0]) == sorted([normal, spare])
        assert sorted(await asked(f"/servers/availability_groups/{spare}/")) == sorted([normal, spare])
        assert await asked("/bservers/availability_groups/") == [[spare]]
        assert await asked(f"/bservers/availability_groups/{spare}/") == [spare]
        assert await asked(f"/bservers/availability_groups/{normal}/") == 404

    tell(story, cells=("cell-1",), hosts=1)


# --- concurrent changes ----------------------------------------------------------------------------------------------


def test_a_change_of_what_has_changed_since_is_refused_where_the_client_asks(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        server = await a_server(on)
        for path, body in ((f"/servers/{server['uuid']}/", MINIMAL), (f"/drives/{drive['uuid']}/", DISK)):
            seen = (await on.sigma.get(path)).headers["etag"]
            put = await on.sigma.put(path, json={**body, "name": "mine"}, headers={"If-Match": seen})
            before = await on.events()

            stale = await on.sigma.put(path, json={**body, "name": "theirs"}, headers={"If-Match": seen})
            gone = await on.sigma.delete(path, headers={"If-Match": seen})

            assert put.status_code == 200
            assert error_of(stale, 412)["error_type"] == error_of(gone, 412)["error_type"] == "concurrency"
            assert await on.events() == before
            again = await on.sigma.put(path, json={**body, "name": "x"}, headers={"If-Match": put.headers["etag"]})
            assert again.status_code == 200

    tell(story)


def test_of_changes_at_the_same_time_each_is_kept_or_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drives = [await a_drive(on) for _ in range(4)]
        server = await a_server(on)
        path = f"/servers/{server['uuid']}/"
        puts = [
            on.sigma.put(path, json={**MINIMAL, "name": f"n{number}", "drives": [{"drive": drive["uuid"]}]})
            for number, drive in enumerate(drives)
        ]
        answers = await asyncio.gather(*puts)
        kept = [answer.json() for answer in answers if answer.status_code == 200]
        for answer in answers:
            if answer.status_code != 200:
                assert error_of(answer, 503)["error_type"] == "concurrency"

        found = good(await on.sigma.get(path))
        assert kept
        assert (found["name"], found["drives"]) in [(each["name"], each["drives"]) for each in kept]
        assert check(on.app.cloud.store.path).breach is None

    tell(story)


def test_fields_that_different_requests_change_at_the_same_time_are_all_kept(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        path = f"/drives/{drive['uuid']}/"
        left: list[dict[str, Any]] = [
            {"affinities": ["ssd"]},
            {"allow_multimount": True},
            {"meta": {"a": "b"}},
            {"name": "new"},
        ]
        for _ in range(4):
            answers = await asyncio.gather(*(on.sigma.put(path, json=body) for body in left))
            left = [body for body, answer in zip(left, answers, strict=True) if answer.status_code == 503]
        found = good(await on.sigma.get(path))

        assert (found["affinities"], found["allow_multimount"]) == (["ssd"], True)
        assert (found["meta"], found["name"]) == ({"a": "b"}, "new")

    tell(story)


def test_a_put_that_fails_half_way_puts_the_drives_back(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first, second = await a_drive(on), await a_drive(on)
        mounts = [{"drive": first["uuid"], "device": "ide", "dev_channel": "0:1", "boot_order": 1}]
        server = await a_server(on, drives=mounts)
        path = f"/servers/{server['uuid']}/"
        before = good(await on.sigma.get(path))

        refused = await on.sigma.put(path, json={**MINIMAL, "cpu": 16_000, "drives": [{"drive": second["uuid"]}]})

        assert error_of(refused, 403)["error_type"] == "permission"
        assert good(await on.sigma.get(path)) == before

    tell(story, cpu_mhz_max=8000)


# --- consoles, restart, settings -------------------------------------------------------------------------------------


async def open_and_close(on: Wired, under: str, kind: str) -> None:
    uuid = (await a_running_server(on, is_grey=under == "bservers"))["uuid"]

    async def do(action: str, status: int) -> Any:
        answer = await on.sigma.post(f"/{under}/{uuid}/action/", params={"do": action})
        assert answer.status_code == status, (action, answer.text)
        return answer.json()

    await do(f"close_{kind}", 403)
    opened = await do(f"open_{kind}", 202)
    url = opened.pop(f"{kind}_url")
    assert url.startswith({"vnc": "vnc", "console": "csconsole"}[kind] + "://simulated.localhost:")
    assert opened == {"action": f"open_{kind}", "result": "success", "uuid": uuid}
    assert (await do(f"open_{kind}", 202))[f"{kind}_url"] == url, "one that is open stays open"
    assert await do(f"close_{kind}", 202) == {"action": f"close_{kind}", "result": "success", "uuid": uuid}
    await do(f"close_{kind}", 403)
    await do(f"open_{kind}", 202)
    for action in ("stop", "start"):
        await act(on, uuid, action)
        await on.advance(60)
    await do(f"close_{kind}", 403)
    await act(on, uuid, "stop")
    await on.advance(60)
    await do(f"open_{kind}", 403)


def test_a_console_is_open_until_it_is_closed_or_its_server_stops(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for under in ("servers", "bservers"):
            for kind in ("vnc", "console"):
                await open_and_close(on, under, kind)

    tell(story)


def test_a_restart_keeps_the_server_running_where_it_is(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await a_running_server(on)
        await on.advance(100)
        await act(on, server["uuid"], "restart")
        again = good(await on.sigma.get(f"/servers/{server['uuid']}/"))

        assert again["status"] == "running"
        assert server["runtime"]["active_since"] == "2026-11-20T12:00:00+00:00"
        assert again["runtime"]["active_since"] == "2026-11-20T12:02:40+00:00"
        assert check(on.app.cloud.store.path).breach is None
        stopped = await a_server(on)
        error_of(await on.sigma.post(f"/servers/{stopped['uuid']}/action/?do=restart"), 403)

    tell(story)


def test_who_does_not_name_a_cpu_type_gets_the_clouds_default(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        before = await a_server(on)
        assert (await on.tenant_ops.patch("/settings", json={"default_cpu_type": "intel"})).status_code == 403
        assert (await on.ops.patch("/settings", json={"default_cpu_type": "arm"})).status_code == 400
        changed = good(await on.ops.patch("/settings", json={"default_cpu_type": "intel"}))
        after, named = await a_server(on), await a_server(on, cpu_type="amd")
        kept = good(await on.sigma.put(f"/servers/{before['uuid']}/", json=MINIMAL))

        assert changed["default_cpu_type"] == "intel"
        assert [each["cpu_type"] for each in (before, after, named, kept)] == ["amd", "intel", "amd", "amd"]
        assert good(await on.sigma.get("/capabilities/"))["servers"]["cpu_per_smp"]["max"] == 3000

    tell(story)


def test_capabilities_count_the_snapshots(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        created(await on.sigma.post("/snapshots/", json={"drive": (await a_drive(on))["uuid"]}))

        found = good(await on.sigma.get("/capabilities/"))

        assert found["snapshots"] == {"current": 1, "max": 700, "max_per_drive": 90}
        assert found["drives"]["dssd"]["max_size"] > GIB

    tell(story)
