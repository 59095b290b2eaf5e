"""Backups and schedules through NodeConductor's API, from the token to the restored server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.backend.support import OPERATOR
from tests.dialects.conftest import Tell
from tests.dialects.support import PASSWORDS, Wired, good, refused
from tests.dialects.waldur import TENANT_TOKEN, become, client, flavor_url, source, url_path, with_disk


def test_a_backup_from_the_token_to_the_restored_server(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on)
        login = {"username": OPERATOR, "password": PASSWORDS[OPERATOR]}
        token = good(await on.bare.post("/api-auth/password/", json=login))["token"]
        api = client(on, token)

        assert (await api.get("/backups/")).json() == []
        made = good(await api.post("/backups/", json={"backup_source": source(server), "description": "by hand"}), 201)
        assert (made["state"], made["backup_source"], made["kept_until"]) == ("Backing up", source(server), None)
        await on.advance(60)
        ready = good(await api.get(url_path(made["url"])))
        assert ready["state"] == "Ready"

        body = {"flavor": await flavor_url(api), "hostname": "db-02"}
        restored = good(await api.post(url_path(made["url"]) + "restore/", json=body))
        assert restored["status"] == "Backup restoration process was started"
        assert good(await api.get(url_path(made["url"])))["state"] == "Restoring"
        await on.advance(120)
        assert good(await api.get(url_path(made["url"])))["state"] == "Ready"
        instance = good(await api.get(url_path(restored["instance"])))
        assert (instance["state"], instance["hostname"], instance["system_volume_size"]) == ("Online", "db-02", 10_240)

        gone = good(await api.post(url_path(made["url"]) + "delete/"))
        assert gone == {"status": "Backup deletion was started"}
        await on.advance(5)
        assert (await api.get(url_path(made["url"]))).status_code == 404

    tell(story)


def test_a_schedule_runs_when_it_is_due_and_not_while_it_is_off(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on)
        api = client(on)
        body = {
            "backup_source": source(server).removeprefix("http://stratodeck"),
            "description": "hourly",
            "retention_time": 0,
            "maximal_number_of_backups": 10,
            "schedule": "0 * * * *",
        }
        made = good(await api.post("/backup-schedules/", json=body), 201)
        assert (made["is_active"], made["next_trigger_at"]) == (False, None)
        await on.advance(3600)
        assert (await api.get("/backups/")).json() == []

        status = good(await api.post(url_path(made["url"]) + "activate/"))
        assert status == {"status": "BackupSchedule was activated"}
        await on.advance(3700)
        (backup,) = (await api.get("/backups/")).json()
        assert (backup["state"], backup["backup_schedule"]) == ("Ready", made["url"])
        assert good(await api.get(url_path(made["url"])))["backups"] == [backup["url"]]

    tell(story)


def test_lists_are_bare_arrays_with_the_count_and_the_other_pages_in_headers(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, other = await with_disk(on, gib=1), await with_disk(on, "other", gib=1)
        api = client(on)
        for number in range(5):
            body = {"backup_source": source(server if number % 2 else other), "description": f"Copy {number}"}
            good(await api.post("/backups/", json=body), 201)
            await on.advance(60)

        first = await api.get("/backups/", params={"page_size": 2})
        assert [each["description"] for each in first.json()] == ["Copy 0", "Copy 1"]
        assert first.headers["X-Result-Count"] == "5"
        assert first.headers["Link"] == ", ".join(
            f'<http://stratodeck/api/backups/?page_size=2&page={page}>; rel="{rel}"'
            for rel, page in (("first", 1), ("next", 2), ("last", 3))
        )
        last = await api.get("/backups/", params={"page_size": 2, "page": 3})
        assert [each["description"] for each in last.json()] == ["Copy 4"]

        for params, found in (
            ({"description": "COPY 3"}, ["Copy 3"]),
            ({"backup_source": source(server)}, ["Copy 1", "Copy 3"]),
            ({"instance_uuid": other["id"].replace("-", "")}, ["Copy 0", "Copy 2", "Copy 4"]),
            ({"project_uuid": "inside", "state": "ready", "page_size": "1"}, ["Copy 0"]),
            ({"project_uuid": "nowhere"}, []),
            ({"state": "Erred"}, []),
            ({"unheard_of": "x", "page_size": "0"}, [f"Copy {number}" for number in range(5)]),
        ):
            answer = await api.get("/backups/", params=params)
            assert [each["description"] for each in answer.json()] == found, params

    tell(story)


def test_an_instance_is_found_by_a_part_of_its_name(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for number in range(12):
            await on.server(f"Web-{number:02}")
        await on.server("db-01")
        api = client(on)

        found = await api.get("/instances/", params={"hostname": "web-0", "page_size": "3", "page": "4"})
        assert [each["hostname"][:5] for each in found.json()] == ["Web-0"]
        assert found.headers["x-result-count"] == "10"
        assert "hostname=web-0&page_size=3&page=1" in found.headers["link"]
        assert [each["hostname"] for each in (await api.get("/instances/", params={"name": "db"})).json()] == ["db-01"]
        assert (await api.get("/instances/", params={"name": "nope"})).json() == []

    tell(story)


def test_who_sees_and_who_may_write(tell: Tell) -> None:
    """**Source**: the reference's matrix: staff and project admins write; owners and managers read; others see
    nothing.
    """

    async def story(on: Wired) -> None:
        server = await with_disk(on, is_tenants=True)
        everyone = client(on)
        body = {"backup_source": source(server)}
        made = good(await everyone.post("/backups/", json=body), 201)
        schedule = {"retention_time": 0, "maximal_number_of_backups": 1, "schedule": "1 1 1 1 1", "is_active": True}
        rule = good(await everyone.post("/backup-schedules/", json={**body, **schedule}), 201)
        assert rule["is_active"], "as the seed's example has it"
        assert rule["next_trigger_at"] == "2027-01-01T01:01:00Z"
        await on.advance(60)
        backup, rule_path = url_path(made["url"]), url_path(rule["url"])
        writes = [
            ("POST", "/backups/", body, 201),
            ("POST", backup + "restore/", {"flavor": await flavor_url(everyone)}, 200),
            ("POST", rule_path + "deactivate/", {}, 200),
            ("PATCH", rule_path, {"description": "mine"}, 200),
            ("DELETE", rule_path, {}, 204),
        ]

        for role, may_read, may_write in (
            ("nobody", False, False),
            ("project_manager", True, False),
            ("customer_owner", True, False),
            ("project_admin", True, True),
        ):
            await become(on, role)
            api = client(on, TENANT_TOKEN)
            for path in (backup, rule_path, url_path(source(server))):
                assert (await api.get(path)).status_code == (200 if may_read else 404), (role, path)
            assert bool((await api.get("/backups/")).json()) is may_read
            for method, path, content, status in writes:
                answer = await api.request(method, path, json=content)
                hidden = 400 if path == "/backups/" else 404
                assert answer.status_code == (status if may_write else 403 if may_read else hidden), (role, path)

    tell(story)


def test_a_schedule_is_changed_activated_once_and_deleted_without_its_backups(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=1)
        api = client(on)
        body = {
            "backup_source": source(server),
            "retention_time": 7,
            "maximal_number_of_backups": 10,
            "schedule": "30 2 * * 1,3,5,7",
            "timezone": "Europe/Tallinn",
        }
        path = url_path(good(await api.post("/backup-schedules/", json=body), 201)["url"])
        assert refused(await api.post(path + "deactivate/"), 409) == {"detail": "BackupSchedule is already deactivated"}
        good(await api.post(path + "activate/"))
        assert refused(await api.post(path + "activate/"), 409) == {"detail": "BackupSchedule is already activated"}
        assert good(await api.get(path))["next_trigger_at"] == "2026-11-22T00:30:00Z"

        moved = good(await api.patch(path, json={"timezone": "UTC", "jitter": None}))
        assert moved["next_trigger_at"] == "2026-11-22T02:30:00Z"
        assert refused(await api.put(path, json={"schedule": "@daily"}), 400).keys() >= {"backup_source"}
        other = {**body, "backup_source": "/api/projects/inside/"}
        assert "stays the same" in refused(await api.put(path, json=other), 400)["backup_source"][0]
        changed = good(await api.put(path, json={**body, "schedule": "@daily", "recovery_point": 90_000}))
        assert (changed["schedule"], changed["recovery_point"], changed["is_active"]) == ("@daily", 90_000, True)

        await on.advance(2 * 86_400)
        (first, _) = (await api.get("/backups/", params={"backup_schedule": changed["url"]})).json()
        assert (first["created_at"], first["kept_until"]) == ("2026-11-20T22:00:00Z", "2026-11-27T22:00:00Z")
        gone = await api.delete(path)
        assert (gone.status_code, gone.content) == (204, b"")
        assert [each["backup_schedule"] for each in (await api.get("/backups/")).json()] == [None, None]
        assert refused(await api.delete(url_path(source(server))), 409) == {
            "detail": "Cannot delete instance with existing backups"
        }
        for each in (await api.get("/backups/")).json():
            good(await api.post(url_path(each["url"]) + "delete/"))
        await on.advance(10)
        assert (await api.delete(url_path(source(server)))).status_code == 204

    tell(story)


def test_a_project_is_backed_up_as_one_and_its_parts_are_what_is_restored(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await with_disk(on, gib=1)
        await with_disk(on, "other", gib=1)
        api = client(on)
        (project,) = [each for each in (await api.get("/projects/")).json() if each["name"] == "inside"]
        made = good(await api.post("/backups/", json={"backup_source": project["url"]}), 201)
        await on.advance(60)
        shown = good(await api.get(url_path(made["url"])))
        assert (shown["state"], shown["backup_source_name"], shown["size"]) == ("Ready", "inside", 2048)
        parts = [good(await api.get(url_path(url))) for url in shown["children"]]
        assert [(part["backup_source_name"], part["parent"]) for part in parts] == [
            ("db-01", made["url"]),
            ("other", made["url"]),
        ]
        flavor = {"flavor": await flavor_url(api)}
        refusal = refused(await api.post(url_path(made["url"]) + "restore/", json=flavor), 409)
        assert "restore one of its parts" in refusal["detail"]
        good(await api.post(url_path(parts[0]["url"]) + "restore/", json=flavor))
        assert "a part of backup" in refused(await api.post(url_path(parts[1]["url"]) + "delete/"), 409)["detail"]

    tell(story)


GOLDEN = Path(__file__).parent / "golden_nodeconductor.json"


def test_bodies_are_what_they_were(tell: Tell) -> None:
    """Every resource once, ids and all: the same cloud gives the same ids."""

    async def story(on: Wired) -> dict[str, Any]:
        server = await with_disk(on, gib=1)
        api = client(on)
        body = {"backup_source": source(server), "description": "nightly"}
        rule = {"retention_time": 7, "maximal_number_of_backups": 10, "schedule": "0 13 * * *", "is_active": True}
        good(await api.post("/backup-schedules/", json={**body, **rule}), 201)
        await on.advance(3700)
        good(await api.post("/backups/", json={"backup_source": "/api/customers/customer/"}), 201)
        paths = ["/", "/backups/", "/backup-schedules/", "/instances/", "/projects/", "/customers/", "/flavors/"]
        return {path: (await api.get(path)).json() for path in paths}

    found = tell(story)
    assert found == json.loads(GOLDEN.read_text()), "write what is meant into the file, after reading the difference"
