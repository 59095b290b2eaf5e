"""What NodeConductor's API refuses: the reference's status, a sentence that says what to do, and nothing created."""

from __future__ import annotations

from typing import Any

from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused
from tests.dialects.waldur import TENANT_TOKEN, client, flavor_url, source, url_path, with_disk

NEVER_ID = "00000000000000000000000000000000"

SCHEDULE: dict[str, Any] = {
    "retention_time": 7,
    "maximal_number_of_backups": 10,
    "schedule": "30 2 * * *",
    "timezone": "Europe/Tallinn",
}


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"schedule": "* * * * * *"}, "schedule", "five fields, not 6"),
    ({"schedule": "x"}, "schedule", "five fields, not 1"),
    ({"schedule": "*/5 * * *"}, "schedule", "five fields, not 4"),
    ({"schedule": ",".join(["1"] * 135_000) + " * * * *"}, "schedule", "at most 128 characters"),
    ({"schedule": "0 0 31 2 *"}, "schedule", "never fires"),
    ({"schedule": "60 * * * *"}, "schedule", "is not a minute, which is 0 to 59"),
    ({"schedule": "*/0 * * * *"}, "schedule", "a step is at least 1"),
    ({"schedule": "٣ * * * *"}, "schedule", "ASCII"),
    ({"schedule": ""}, "schedule", "may not be blank"),
    ({"schedule": None}, "schedule", "text is required"),
    ({"timezone": "Mars/Olympus"}, "timezone", "no time zone"),
    ({"timezone": "../../etc/passwd"}, "timezone", "no time zone"),
    ({"retention_time": -1}, "retention_time", "greater than or equal to 0"),
    ({"retention_time": 10**30}, "retention_time", "valid integer"),
    ({"retention_time": 99_999}, "retention_time", "at most 36,500"),
    ({"retention_time": True}, "retention_time", "valid integer"),
    ({"retention_time": "soon"}, "retention_time", "valid integer"),
    ({"maximal_number_of_backups": -3}, "maximal_number_of_backups", "greater than or equal to 0"),
    ({"jitter": 100_000}, "jitter", "at most 86,400"),
    ({"keep": {"fortnightly": 2}}, "keep", "none of its rules"),
    ({"recovery_point": 0}, "recovery_point", "at least 1"),
    ({"is_active": "perhaps"}, "is_active", "valid boolean"),
    ({"backup_source": "/api/instances/nothing/"}, "backup_source", "Can`t restore object from url"),
    ({"backup_source": "garbage"}, "backup_source", "Can`t restore object from url"),
    ({"backup_source": f"/api/instances/{NEVER_ID}/"}, "backup_source", "Can`t restore object from url"),
    ({"backup_source": f"/api/backups/{NEVER_ID}/"}, "backup_source", "object is unbackupable"),
    ({"backup_source": "http://[/"}, "backup_source", "Can`t restore object from url"),
]


def test_a_schedule_that_cannot_be_is_refused_by_field(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server("db")
        api = client(on)
        for change, field, said in REFUSED:
            answer = await api.post("/backup-schedules/", json={"backup_source": source(server), **SCHEDULE, **change})
            problem = refused(answer, 400)
            assert list(problem) == [field], change
            assert said in problem[field][0], change
            assert problem[field][0].endswith("."), change
        assert (await api.get("/backup-schedules/")).json() == []

    tell(story)


def test_everything_that_is_missing_is_said_at_once(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        problem = refused(await client(on).post("/backup-schedules/", json={}), 400)
        required = ["backup_source", "maximal_number_of_backups", "retention_time", "schedule"]
        assert {field: ["This field is required."] for field in required} == problem
        assert refused(await client(on).post("/backups/", content=b"[1]"), 400) == {
            "non_field_errors": ["Invalid data: send a JSON object."]
        }
        assert "is not JSON" in refused(await client(on).post("/backups/", content=b"{"), 400)["detail"]

    tell(story)


HEADERS = [
    (None, "Authentication credentials were not provided."),
    ("Bearer operator-token", "Authentication credentials were not provided."),
    ("Token", "Invalid token header. No credentials provided."),
    ("Token operator token", "Invalid token header. Token string should not contain spaces."),
    ("Token nobodys", "Invalid token"),
]
LOGINS: list[tuple[dict[str, str], Any]] = [
    ({"username": "operator@example.org", "password": "wrong"}, {"detail": "Invalid username/password"}),
    ({"username": "nobody", "password": "operator-password"}, {"detail": "Invalid username/password"}),
    ({"username": "operator@example.org"}, {"password": ["This field is required."]}),
]


def test_who_does_not_say_who_asks_is_told_how(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for header, said in HEADERS:
            answer = await on.bare.get("/api/backups/", headers={} if header is None else {"Authorization": header})
            assert refused(answer, 401) == {"detail": said}
            assert answer.headers["WWW-Authenticate"] == "Token"
        for body, problem in LOGINS:
            assert refused(await on.bare.post("/api-auth/password/", json=body), 401) == problem

    tell(story)


def test_a_restore_needs_a_flavor_that_is_large_enough_and_a_backup_that_is_ready(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=15)
        api = client(on)
        made = good(await api.post("/backups/", json={"backup_source": source(server)}), 201)
        restore = url_path(made["url"]) + "restore/"
        small = {"flavor": await flavor_url(api)}
        early = refused(await api.post(restore, json=small), 409)
        assert early == {"detail": "Cannot restore a backup in state 'Backing up'. Wait until it is Ready."}
        deleting = refused(await api.post(url_path(made["url"]) + "delete/"), 409)
        assert deleting == {"detail": "Cannot delete a backup in state 'Backing up'. Wait until it is Ready."}
        await on.advance(120)

        assert refused(await api.post(restore), 400) == {"flavor": ["This field is required."]}
        tiny = refused(await api.post(restore, json={"flavor": await flavor_url(api, "m1.tiny")}), 400)
        assert "The flavor m1.tiny has a disk of 1 GiB, and the drive to restore has 15.0 GiB" in tiny["flavor"][0]
        assert "choose one of m1.small" in tiny["flavor"][0]
        for unknown in ("m1.small", f"/api/flavors/{NEVER_ID}/", source(server)):
            assert (
                "Can`t restore object" in refused(await api.post(restore, json={"flavor": unknown}), 400)["flavor"][0]
            )
        long_name = {**small, "hostname": "x" * 300}
        assert "at most 255" in refused(await api.post(restore, json=long_name), 400)["hostname"][0]
        assert len((await api.get("/instances/")).json()) == 1
        assert good(await api.get(url_path(made["url"])))["state"] == "Ready"

    tell(story)


def test_a_source_that_is_not_visible_is_as_one_that_is_not_there_and_one_in_a_down_cell_is_409(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on)
        tenant, api = client(on, TENANT_TOKEN), client(on)
        body = {"backup_source": source(server)}
        assert "Can`t restore object" in refused(await tenant.post("/backups/", json=body), 400)["backup_source"][0]
        made = good(await api.post("/backups/", json=body), 201)
        for path in (url_path(made["url"]), url_path(source(server))):
            assert refused(await tenant.get(path), 404) == {"detail": "Not found"}
        assert (await tenant.get("/backups/")).json() == []
        await on.advance(60)

        await on.break_cell(server["cell"])
        assert "does not answer" in refused(await api.post("/backups/", json=body), 409)["detail"]
        assert good(await api.get(url_path(source(server))))["state"] == "Unknown"
        assert [each["url"] for each in (await api.get("/backups/")).json()] == [made["url"]]
        restored = good(await api.post(url_path(made["url"]) + "restore/", json={"flavor": await flavor_url(api)}))
        await on.advance(120)
        twin = good(await api.get(url_path(restored["instance"])))
        assert (twin["state"], twin["hostname"]) == ("Online", "db-01")

    tell(story)


def test_over_quota_says_the_figures_and_makes_nothing(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=10)
        problem = refused(await client(on).post("/backups/", json={"backup_source": source(server)}), 400)
        assert "10240 MiB are required, 5120 MiB are available" in problem["detail"]
        assert (await client(on).get("/backups/")).json() == []

    tell(story, storage_bytes_max=15 * 2**30)


IMPOSSIBLE = [
    ("DELETE", f"/backups/{NEVER_ID}/"),
    ("PUT", f"/backups/{NEVER_ID}/"),
    ("DELETE", "/backups/"),
    ("GET", f"/backups/{NEVER_ID}/restore/"),
    ("POST", f"/backup-schedules/{NEVER_ID}/"),
    ("POST", "/instances/"),
]
NOT_THERE = [
    ("GET", "/nothing/"),
    ("GET", "/backups/x/"),
    ("GET", f"/backups/{NEVER_ID}/"),
    ("PUT", f"/backup-schedules/{NEVER_ID}/"),
    ("POST", f"/backup-schedules/{NEVER_ID}/activate/"),
    ("GET", "/flavors/1/"),
]


def test_what_is_not_possible_and_what_is_not_there(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        api, nobody = client(on), client(on, None)
        for method, path in IMPOSSIBLE:
            answer = await api.request(method, path)
            assert refused(answer, 405) == {"detail": f"Method '{method}' not allowed."}
            assert answer.headers["Allow"]
            assert (await nobody.request(method, path)).status_code == 401
        for method, path in NOT_THERE:
            assert refused(await api.request(method, path), 404) == {"detail": "Not found"}, path
        for page in ("0", "2", "-1", "x", "9" * 400, "²"):
            problem = refused(await api.get("/backups/", params={"page": page}), 404)
            assert problem["detail"].startswith("Invalid page."), page

    tell(story)
