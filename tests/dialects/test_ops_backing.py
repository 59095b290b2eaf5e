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
        assert [each["is_kept"] for each in found["verdicts"]] == [True, False, False]
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
