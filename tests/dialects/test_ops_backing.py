"""Previews of schedules, and who is covered, in the operator's API."""

from __future__ import annotations

from typing import Any

from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused
from tests.dialects.waldur import client, source, with_disk


def test_a_preview_says_when_it_runs_and_what_it_would_remove_and_changes_nothing(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=1)
        rule = {"retention_time": 0, "maximal_number_of_backups": 0, "schedule": "0 * * * *", "is_active": True}
        made = good(await client(on).post("/backup-schedules/", json={"backup_source": source(server), **rule}), 201)
        await on.advance(3 * 3600 + 60)
        asked: dict[str, Any] = {
            "schedule": "0 * * * *",
            "time_zone": "Asia/Kolkata",
            "backups_max": 1,
            "schedule_id": id_of(made),
        }

        found = good(await on.ops.get("/schedules/preview", params=asked))

        assert found["words"] == "at minute 0 of every hour every day, by the clock of Asia/Kolkata"
        assert found["fires"][0] == {"at": "2026-11-20T15:30:00Z", "local": "2026-11-20T21:00:00+05:30"}
        # At most one: the next copy takes the place of the newest as well.
        assert [each["is_kept"] for each in found["verdicts"]] == [False, False, False]
        assert len(good(await on.ops.get("/backups"))["backups"]) == 3
        hidden = await on.tenant_ops.get("/schedules/preview", params=asked)
        assert refused(hidden, 404)["error"]["code"] == "not_found"

    tell(story)


def id_of(made: dict[str, str]) -> str:
    text = made["uuid"]
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def test_what_cannot_be_previewed_says_why(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for params, field in (
            ({"schedule": "0 0 31 2 *"}, "schedule"),
            ({"schedule": "* * * * *", "time_zone": "Nowhere"}, "time_zone"),
            ({"schedule": "* * * * *", "daily": "-1"}, "daily"),
            ({}, "schedule"),
        ):
            assert refused(await on.ops.get("/schedules/preview", params=params), 400)["error"]["field"] == field

    tell(story)


def test_coverage_counts_who_was_never_backed_up_who_is_late_and_whom_no_schedule_is_for(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, bare = await with_disk(on, gib=1), await with_disk(on, "bare", gib=1)
        rule = {"retention_time": 0, "maximal_number_of_backups": 0, "schedule": "0 13 * * *", "is_active": True}
        body = {"backup_source": source(server), "recovery_point": 90_000, **rule}
        good(await client(on).post("/backup-schedules/", json=body), 201)
        await on.advance(2 * 3600)
        found = good(await on.ops.get("/backups/coverage"))
        await on.break_cell(server["cell"])
        await on.advance(2 * 86_400)
        later = good(await on.ops.get("/backups/coverage", params={"limit": 1}))

        assert [(row["server_id"], row["name"], row["standing"]) for row in found["servers"]] == [
            (bare["id"], "bare", "never"),
            (server["id"], "db-01", "good"),
        ]
        counts = {key: found[key] for key in ("total", "uncovered", "never", "late", "untold", "good")}
        assert counts == {"total": 2, "uncovered": 1, "never": 1, "late": 0, "untold": 0, "good": 1}
        assert (later["late"], len(later["servers"])) == (1, 1)
        assert good(await on.tenant_ops.get("/backups/coverage"))["total"] == 0

    tell(story)


def test_coverage_comes_in_pages_of_one_instant(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for number in range(5):
            await with_disk(on, f"db-{number}", gib=1)
        whole = good(await on.ops.get("/backups/coverage"))

        rows, after = [], None
        while True:
            asked = {"limit": 2} | ({} if after is None else {"after": after})
            page = good(await on.ops.get("/backups/coverage", params=asked))
            rows += page["servers"]
            after = page["next"]
            # What is told later is told of the first page's instant.
            await on.advance(3600)
            if after is None:
                break

        assert (rows, whole["next"]) == (whole["servers"], None)
        for cursor in ("yesterday", "2026-11-20T12:00:00,0,0,0,x", "2026-11-20T12:00:00+00:00,0,0,x"):
            found = refused(await on.ops.get("/backups/coverage", params={"after": cursor}), 400)
            assert found["error"]["field"] == "after"

    tell(story)


def test_schedules_and_backups_come_in_pages_and_one_by_one(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=1)
        rule = {"retention_time": 1, "maximal_number_of_backups": 2, "is_active": True}
        made = [
            good(await client(on).post("/backup-schedules/", json={"backup_source": of, "schedule": cron, **rule}), 201)
            for of, cron in ((source(server), "0 * * * *"), (project(server), "30 13 * * *"))
        ]
        hourly, daily = map(id_of, made)
        await on.advance(2 * 3600 + 60)

        first = good(await on.ops.get("/schedules", params={"limit": 1}))
        rest = good(await on.ops.get("/schedules", params={"limit": 1, "after": first["next"]}))
        last = good(await on.ops.get("/schedules", params={"limit": 1, "after": rest["next"]}))
        assert [page["total"] for page in (first, rest, last)] == [2, 2, 2]
        assert [row["id"] for page in (first, rest, last) for row in page["schedules"]] == [hourly, daily]
        assert last["next"] is None
        one = good(await on.ops.get(f"/schedules/{hourly}"))
        assert (one["history"], one["backups"], one["last_good_at"]) == (["ok"] * 2, 2, "2026-11-20T14:00:00Z")
        covering = good(await on.ops.get("/schedules", params={"covering": server["id"]}))
        assert [row["id"] for row in covering["schedules"]] == [hourly, daily]

        everything = good(await on.ops.get("/backups"))
        newest = good(await on.ops.get("/backups", params={"limit": 2}))
        older = good(await on.ops.get("/backups", params={"limit": 2, "after": newest["next"]}))
        assert newest["backups"] + older["backups"] == everything["backups"]
        parent = next(row for row in everything["backups"] if row["source_kind"] == "project")
        for asked, found in (
            ({"schedule": hourly}, 2),
            ({"source": server["id"]}, 3),
            ({"project": server["project_id"]}, 4),
            ({"parent": parent["id"]}, 1),
        ):
            assert good(await on.ops.get("/backups", params=asked))["total"] == found
        detail = good(await on.ops.get(f"/backups/{parent['id']}"))
        assert [part["source_name"] for part in detail["parts"]] == ["db-01"]
        assert (detail["verdict"]["is_kept"], detail["verdict"]["rule"]) == (False, "1 day old or more")
        listed = {row["id"]: row for row in everything["backups"]}
        assert (listed[parent["id"]]["is_kept"], listed[parent["id"]]["rule"]) == (False, "1 day old or more")
        assert sorted(row["rule"] for row in everything["backups"] if row["schedule_id"] == hourly) == [
            "number 2 of 2 that are kept",
            "number 3, and 2 are kept",
        ]

        refused(await on.ops.get("/backups", params={"after": "yesterday"}), 400)
        for path in (f"/schedules/{hourly}", f"/backups/{parent['id']}"):
            refused(await on.tenant_ops.get(path), 404)
        assert good(await on.tenant_ops.get("/schedules"))["total"] == 0

    tell(story)


def project(server: dict[str, Any]) -> str:
    return f"/api/projects/{server['project_id'].replace('-', '')}/"


def test_the_calendar_has_what_runs_in_its_hours_and_nothing_else(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=1)
        rule = {"retention_time": 0, "maximal_number_of_backups": 3, "is_active": True}
        for cron in ("*/30 * * * *", "0 14 * * *", "0 0 1 1 *"):
            body = {"backup_source": source(server), "schedule": cron, **rule}
            good(await client(on).post("/backup-schedules/", json=body), 201)

        found = good(await on.ops.get("/schedules/calendar", params={"hours": 4, "time_zone": "Asia/Kolkata"}))

        # At noon it is 17:30 there: the hour that has begun began half an hour before.
        assert (found["hours"][0]["at"], found["hours"][0]["local"]) == (
            "2026-11-20T11:30:00Z",
            "2026-11-20T17:00:00+05:30",
        )
        assert [row["runs"] for row in found["schedules"]] == [[0, 2, 2, 2], [0, 0, 1, 0]]
        assert [(hour["runs"], hour["runs_at_once"]) for hour in found["hours"]] == [(0, 0), (2, 1), (3, 2), (2, 1)]
        assert [cell["name"] for cell in found["cells"]] == [server["cell"]]
        assert (found["total"], found["is_cut"]) == (2, False)
        assert refused(await on.ops.get("/schedules/calendar?time_zone=Nowhere"), 400)["error"]["field"] == "time_zone"
        assert good(await on.tenant_ops.get("/schedules/calendar"))["schedules"] == []

    tell(story)


def test_a_run_is_running_until_its_backup_is_whole_and_off_is_since_it_was_switched_off(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=20)
        rule = {"retention_time": 0, "maximal_number_of_backups": 3, "schedule": "0 * * * *", "is_active": True}
        made = good(await client(on).post("/backup-schedules/", json={"backup_source": source(server), **rule}), 201)
        path = f"/schedules/{id_of(made)}"

        async def told(*names: str) -> list[Any]:
            found = good(await on.ops.get(path))
            return [found[name] for name in names]

        await on.advance(3600 + 30)
        assert await told("history", "off_since") == [["running"], None]
        await on.advance(3600)
        assert await told("history") == [["ok", "running"]]
        await on.advance(3000)
        assert await told("history") == [["ok", "ok"]]
        good(await on.ops.post(f"{path}/actions", json={"action": "deactivate"}), 202)
        await on.advance(3600)
        assert await told("off_since", "last_run_at") == ["2026-11-20T14:50:35Z", "2026-11-20T14:00:00Z"]
        good(await on.ops.post(f"{path}/actions", json={"action": "activate"}), 202)
        assert await told("off_since", "drilling_since") == [None, None]
        good(await on.ops.post(f"{path}/actions", json={"action": "drill"}), 202)
        assert await told("drilling_since", "drilled_at") == ["2026-11-20T15:50:35Z", None]
        await on.advance(600)
        assert await told("drilling_since", "drilled_at") == [None, "2026-11-20T15:50:35Z"]

    tell(story)


def test_runs_of_cells_that_do_not_answer_are_told_apart(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=1)
        rule = {"retention_time": 0, "maximal_number_of_backups": 3, "is_active": True}
        for of, cron in ((source(server), "0 * * * *"), (project(server), "30 14 * * *")):
            body = {"backup_source": of, "schedule": cron, **rule}
            good(await client(on).post("/backup-schedules/", json=body), 201)
        await on.break_cell(server["cell"])

        found = good(await on.ops.get("/schedules/calendar", params={"hours": 4}))
        rows = good(await on.ops.get("/schedules"))["schedules"]

        assert [(hour["runs"], hour["missed"], hour["bytes_at_once"]) for hour in found["hours"]] == [
            (0, 0, 0), (0, 1, 0), (0, 2, 0), (0, 1, 0),
        ]  # fmt: skip
        assert [hour["runs"] for hour in found["cells"][0]["hours"]] == [0, 1, 2, 1]
        assert [row["silent_cells"] for row in (*found["schedules"], *rows)] == [[server["cell"]]] * 4

    tell(story)


def test_storage_says_what_a_project_comes_to(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=2)
        gib = 2**30
        rule = {"retention_time": 0, "maximal_number_of_backups": 3, "schedule": "0 * * * *", "is_active": True}
        good(await client(on).post("/backup-schedules/", json={"backup_source": source(server), **rule}), 201)
        before = await of_project(on, server)
        await on.advance(3600 + 60)
        after = await of_project(on, server)

        assert (before["backup_bytes"], before["steady_bytes"] - before["used_bytes"]) == (0, 3 * 2 * gib)
        assert (after["backup_bytes"], after["steady_bytes"]) == (2 * gib, before["steady_bytes"])
        assert (after["bytes_per_day"], after["schedules"], after["unmeasured"]) == (24 * 2 * gib, 1, 0)
        tenant = good(await on.tenant_ops.get("/backups/storage"))["projects"]
        assert after["project_id"] not in {row["project_id"] for row in tenant}

    tell(story)


def test_the_run_that_is_named_is_the_first_that_the_quota_refuses(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, gib = await with_disk(on, gib=10), 2**30
        for cron, most in (("0 */6 * * *", 2), ("30 2 * * *", 0)):
            rule = {"retention_time": 0, "maximal_number_of_backups": most, "schedule": cron, "is_active": True}
            body = {"backup_source": source(server), "description": cron, **rule}
            good(await client(on).post("/backup-schedules/", json=body), 201)
        told = (await of_project(on, server))["refused"]
        new = {"source_kind": "server", "source_id": server["id"], "cron": "0 15 * * *", "description": "new"}
        plan = good(await on.ops.post("/schedules", json={**new, "preview": True}))["plan"]
        for _ in range(40):
            await on.advance(3600)
        later = {row["id"]: row for row in good(await on.ops.get("/schedules"))["schedules"]}

        off = later[told["schedule_id"]]
        assert (told["description"], told["needs_bytes"], told["left_bytes"]) == ("0 */6 * * *", 10 * gib, 5 * gib)
        assert (told["at"], off["is_active"]) == ("2026-11-21T06:00:00Z", False)
        assert off["reason"] == "Over quota: storage needs 10.0 GiB, 5.0 GiB left."
        # A copy at 15:00 besides: then the one of 02:30 has no room.
        assert plan["storage"][0]["refused"]["at"] == "2026-11-21T02:30:00Z"
        assert plan["sentences"][0].startswith("The run of 30 2 * * * of 2026-11-21 02:30 UTC would be refused")
        assert plan["sentences"][-1] == "Its source is copied already by 0 */6 * * *, 30 2 * * *."

    tell(story, storage_bytes_max=45 * 2**30)


def test_what_never_ran_weighs_what_its_servers_hold(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, gib = await with_disk(on, gib=2), 2**30
        await with_disk(on, "db-02", gib=3)
        rule = {"retention_time": 0, "maximal_number_of_backups": 2, "schedule": "0 14 * * *", "is_active": True}
        good(await client(on).post("/backup-schedules/", json={"backup_source": project(server), **rule}), 201)

        found = good(await on.ops.get("/schedules/calendar", params={"hours": 4}))
        told = await of_project(on, server)

        assert [(row["size_bytes"], row["seconds"]) for row in found["schedules"]] == [(5 * gib, 16)]
        assert found["hours"][2]["bytes_at_once"] == 5 * gib
        assert (told["unmeasured"], told["bytes_per_day"]) == (0, 5 * gib)
        assert told["steady_bytes"] - told["used_bytes"] == 2 * 5 * gib

    tell(story)


async def of_project(on: Wired, server: dict[str, Any]) -> dict[str, Any]:
    rows = good(await on.ops.get("/backups/storage"))["projects"]
    found: dict[str, Any] = next(row for row in rows if row["project_id"] == server["project_id"])
    return found
