"""What makes, changes, restores and deletes backups and schedules in the operator's API."""

from __future__ import annotations

from typing import Any

from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused
from tests.dialects.waldur import become, with_disk


async def backed_up(on: Wired, server: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A backup that is ready."""
    made = good(await on.ops.post("/backups", json={"source_id": server["id"], **more}), 201)
    await on.advance(1200)
    return made


async def rows(on: Wired, what: str = "backups") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(await on.ops.get(f"/{what}"))[what]
    return found


def test_a_backup_is_previewed_with_its_cost_then_made_and_a_repeat_makes_no_other(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=10)
        body = {"source_id": server["id"], "description": "before the upgrade", "retention_days": 7}

        plan = good(await on.ops.post("/backups", json={**body, "preview": True}))["plan"]
        assert (plan["allowed"], plan["action"], plan["token"]) == (True, "backup", None)
        (storage,) = plan["storage"]
        assert (storage["copy_bytes"], storage["growth_bytes"]) == (10 * 2**30, 10 * 2**30)
        assert plan["sentences"][:2] == [
            "1 drive of db-01: 10.0 GiB are copied in 52 s; nothing is stopped for it.",
            "It is kept until 2026-11-27 12:00 UTC.",
        ]
        assert await rows(on) == []

        made = [
            good(await on.ops.post("/backups", json=body, headers={"Idempotency-Key": "one"}), 201) for _ in range(2)
        ]
        assert made[0] == made[1]
        assert (made[0]["state"], made[0]["kept_until"]) == ("backing_up", "2026-11-27T12:00:05Z")
        assert [each["id"] for each in await rows(on)] == [made[0]["id"]]

    tell(story)


def test_a_restore_does_what_its_preview_showed_and_is_refused_when_it_would_not(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=10)
        backup = await backed_up(on, server)
        ask = {"action": "restore", "flavor": "m1.small", "name": "db-02"}
        path = f"/backups/{backup['id']}/actions"
        plan = good(await on.ops.post(path, json={**ask, "preview": True}))["plan"]
        assert plan["allowed"]
        assert plan["decision"]["host"]
        assert [each["source_name"] for each in plan["copies"]] == ["db-01-disk"]
        assert len(await servers(on)) == 1

        other = refused(await on.ops.post(path, json={**ask, "flavor": "m1.medium", "plan": plan["token"]}), 409)
        assert other["error"]["message"].startswith("Its flavor would now be m1.medium instead of m1.small.")
        assert (len(await servers(on)), (await rows(on))[0]["state"]) == (1, "ready")

        done = good(await on.ops.post(path, json={**ask, "plan": plan["token"], "if_version": plan["version"]}), 202)
        assert (done["backup"]["state"], done["server_name"]) == ("restoring", "db-02")
        await on.advance(300)
        made = good(await on.ops.get(f"/servers/{done['server_id']}"))
        assert (made["state"], made["host"], made["cell"]) == (
            "running",
            plan["decision"]["host"],
            plan["copies"][0]["cell"],
        )
        assert (await rows(on))[0]["state"] == "ready"

    tell(story)


async def servers(on: Wired) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(await on.ops.get("/servers"))["servers"]
    return found


async def scheduled(on: Wired, server: dict[str, Any], cron: str = "0 * * * *", **more: Any) -> dict[str, Any]:
    return good(await on.ops.post("/schedules", json={"source_id": server["id"], "cron": cron, **more}), 201)


def test_a_schedule_is_previewed_with_its_growth_then_made_changed_switched_run_and_deleted(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=10)
        body = {"source_id": server["id"], "cron": "30 2 * * *", "time_zone": "Europe/Berlin", "retention_days": 14}
        plan = good(await on.ops.post("/schedules", json={**body, "preview": True}))["plan"]
        assert plan["words"] == "at 02:30 every day, by the clock of Europe/Berlin"
        assert [fire["local"] for fire in plan["fires"][:2]] == [
            "2026-11-21T02:30:00+01:00",
            "2026-11-22T02:30:00+01:00",
        ]
        assert (plan["verdicts"], plan["schedule_id"], plan["not_now"]) == ([], None, None)
        (storage,) = plan["storage"]
        assert (storage["copies_kept"], storage["copies_most"], storage["growth_bytes"]) == (0, 15, 15 * 10 * 2**30)
        assert await rows(on, "schedules") == []

        made = good(await on.ops.post("/schedules", json={**body, "target_seconds": 90_000}), 201)
        path = f"/schedules/{made['id']}"
        assert (made["next_trigger_at"], made["version"], made["history"]) == ("2026-11-21T01:30:00Z", 1, [])
        change = {"cron": "@hourly", "target_seconds": None, "keeps": {"daily": 3}, "if_version": 1}
        assert good(await on.ops.patch(path, json={**change, "preview": True}))["plan"]["words"].startswith(
            "at minute 0"
        )
        changed = good(await on.ops.patch(path, json=change), 202)
        told = {name: changed[name] for name in ("cron", "target_seconds", "keeps", "retention_days", "version")}
        assert told == {"cron": "@hourly", "target_seconds": None, "keeps": {"daily": 3}, "retention_days": 14,
                        "version": 2}  # fmt: skip
        assert refused(await on.ops.patch(path, json=change), 409)["error"]["code"] == "conflict"

        off = good(await on.ops.post(f"{path}/actions", json={"action": "deactivate", "if_version": 2}), 202)
        assert (off["schedule"]["is_active"], off["schedule"]["next_trigger_at"]) == (False, None)
        again = refused(await on.ops.post(f"{path}/actions", json={"action": "deactivate"}), 409)
        assert again["error"]["message"] == "BackupSchedule is already deactivated"
        ran = good(await on.ops.post(f"{path}/actions", json={"action": "run"}), 202)
        assert (ran["backup"]["schedule_id"], ran["schedule"]["is_active"]) == (made["id"], False)
        assert ran["schedule"]["history"] == ["running"]
        waits = refused(await on.ops.post(f"{path}/actions", json={"action": "run"}), 409)
        assert waits["error"]["message"] == "Its last backup is not finished: wait for that, and run it then."
        await on.advance(1200)
        ending = good(await on.ops.post(f"{path}/actions", json={"action": "delete", "preview": True}))["plan"]
        assert ending["sentences"][1] == "1 backup stays, and no rule removes them any more."
        gone = good(await on.ops.post(f"{path}/actions", json={"action": "delete"}), 202)
        assert gone == {"schedule": None, "backup": None}
        assert (await rows(on, "schedules"), [each["schedule_id"] for each in await rows(on)]) == ([], [None])

    tell(story)


def test_a_change_shows_which_backups_would_go_by_which_rule_and_then_they_do(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        schedule = await scheduled(on, await with_disk(on, gib=1))
        await on.advance(3 * 3600 + 60)
        path = f"/schedules/{schedule['id']}"

        plan = good(await on.ops.patch(path, json={"backups_max": 2, "preview": True}))["plan"]
        assert [(each["is_kept"], each["rule"]) for each in plan["verdicts"]] == [
            (True, "number 2 of 2 that are kept"),
            (False, "number 3, and 2 are kept"),
            (False, "number 4, and 2 are kept"),
        ]
        assert plan["sentences"][0] == "Its rules would not keep 2 backups: gone with the next good run."
        good(await on.ops.patch(path, json={"backups_max": 2}), 202)
        kept = [each["backup_id"] for each in plan["verdicts"] if each["is_kept"]]
        good(await on.ops.post(f"{path}/actions", json={"action": "run"}), 202)
        await on.advance(30)
        assert [each["id"] for each in await rows(on)][1:] == kept, "the run is the newest of the two"

    tell(story)


def test_a_drill_tries_the_newest_backup_and_says_how_long_it_took(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        schedule = await scheduled(on, await with_disk(on, gib=1))
        path = f"/schedules/{schedule['id']}/actions"
        none = good(await on.ops.post(path, json={"action": "drill", "preview": True}))["plan"]
        assert none["problem"] == "It has no good backup yet that could be restored: run it first."
        good(await on.ops.post(path, json={"action": "run"}), 202)
        await on.advance(60)
        plan = good(await on.ops.post(path, json={"action": "drill", "preview": True}))["plan"]
        begun = good(await on.ops.post(path, json={"action": "drill"}), 202)
        await on.advance(5)
        (made,) = (each for each in await servers(on) if each["name"].startswith("drill-"))
        await on.advance(600)

        (after,) = await rows(on, "schedules")
        assert begun["backup"]["schedule_id"] == schedule["id"]
        assert (after["drill_problem"], after["drill_seconds"] > 0) == (None, True)
        assert plan["sentences"][1].startswith(f"It is made in {made['cell']}, with its drives on ")
        assert f"takes about {after['drill_seconds']} s until it runs" in plan["sentences"][1]
        assert len(await servers(on)) == 1, "the server of the drill is gone"

    tell(story)


CRONS = {
    "": "A schedule has five fields, not 0",
    "* * * *": "A schedule has five fields, not 4",
    "30 5 * * * *": "A schedule has five fields, not 6",
    "61 * * * *": "'61' is not a minute, which is 0 to 59",
    "* * 0 * *": "'0' is not a day, which is 1 to 31",
    "*/0 * * * *": "a step is at least 1",
    "0 0 31 2 *": "never fires: no such month has a day 31",
    "0 0 * foo *": "'foo' is not a month",
    "@reboot": "A schedule has five fields, not 1",
    "0 0 * * ?": "'?' is not a weekday",
    "１ * * * *": "A schedule is written in ASCII",
    ",".join(["1"] * 135_000) + " * * * *": "A schedule has at most 128 characters",
}
FIELDS: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"time_zone": "Mars/Olympus"}, "time_zone", "There is no time zone 'Mars/Olympus'"),
    ({"time_zone": "../../etc/passwd"}, "time_zone", "There is no time zone"),
    ({"time_zone": "x" * 65}, "time_zone", "at most 64 characters"),
    ({"retention_days": -1}, "retention_days", "must be at least 0, and is -1"),
    ({"retention_days": 36_501}, "retention_days", "must be at most 36,500"),
    ({"retention_days": 10**30}, "retention_days", "valid integer"),
    ({"retention_days": "7"}, "retention_days", "valid integer"),
    ({"retention_days": True}, "retention_days", "valid integer"),
    ({"backups_max": -3}, "backups_max", "must be at least 0, and is -3"),
    ({"jitter_seconds": 86_401}, "jitter_seconds", "must be at most 86,400"),
    ({"target_seconds": 0}, "target_seconds", "must be at least 1, and is 0"),
    ({"drill_days": -1}, "drill_days", "must be at least 0, and is -1"),
    ({"keeps": {"fortnightly": 1}}, "keeps", "'fortnightly' is none of its rules"),
    ({"keeps": {"daily": -1}}, "keeps", "must be at least 0, and is -1"),
    ({"description": "x" * 2001}, "description", "at most 2000 characters"),
    ({"schedule": "* * * * *"}, "schedule", "is not known here"),
)


def test_a_wrong_schedule_says_what_is_wrong_with_it_and_changes_nothing(tell: Tell) -> None:
    """When it is made, changed and previewed alike."""

    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=1)
        there = await scheduled(on, server)
        bodies = [({"cron": cron}, "cron", sentence) for cron, sentence in CRONS.items()]
        for wrong, field, sentence in (*bodies, *FIELDS):
            whole = {"source_id": server["id"], "cron": "0 * * * *", **wrong}
            for preview in ({}, {"preview": True}):
                for answer in (
                    await on.ops.post("/schedules", json={**whole, **preview}),
                    await on.ops.patch(f"/schedules/{there['id']}", json={**wrong, **preview}),
                ):
                    error = refused(answer, 400)["error"]
                    assert (error["field"].partition(".")[0], sentence in error["message"]) == (field, True), error
        assert await rows(on, "schedules") == [there]

    tell(story)


def test_what_cannot_be_backed_up_says_why_and_nothing_is_made(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, silent = await with_disk(on, gib=1), await with_disk(on, "far", gib=1, is_tenants=True)
        starting = await on.server("new")
        good(await on.ops.post(f"/servers/{starting['id']}/actions", json={"action": "start"}), 202)
        nobody = "00000000-0000-4000-8000-000000000000"
        await on.break_cell(silent["cell"])
        if server["cell"] == silent["cell"]:
            server = await with_disk(on, "near", gib=1)
        for ask, status, sentence in (
            ({"source_id": nobody}, 404, "There is no server"),
            ({"source_id": "no-uuid"}, 404, "There is no server no-uuid"),
            ({"source_id": server["id"], "source_kind": "project"}, 404, "There is no project"),
            ({"source_id": server["id"], "source_kind": "drive"}, 400, "source_kind"),
            ({}, 400, "source_id: This field is required"),
            ({"source_id": silent["id"]}, 409, f"{silent['cell']} does not answer. Try again when it is back."),
            ({"source_id": server["id"], "retention_days": -1}, 400, "must be 0, for ever, to 36,500, and is -1"),
            ({"source_id": server["id"], "kept_until": "tomorrow"}, 400, "'tomorrow' is none: it is an instant"),
            ({"source_id": server["id"], "kept_until": "2027-01-01T00:00:00"}, 400, "has no offset"),
            ({"source_id": server["id"], "kept_until": "2020-01-01T00:00:00Z"}, 400, "must be after now"),
            (
                {"source_id": server["id"], "kept_until": "2027-01-01T00:00:00Z", "retention_days": 1},
                400,
                "is said by kept_until already",
            ),
        ):
            answer = await on.ops.post("/backups", json=ask)
            assert sentence in refused(answer, status)["error"]["message"], ask
        hidden = await on.tenant_ops.post("/backups", json={"source_id": server["id"]})
        assert refused(hidden, 404)["error"]["message"] == f"There is no server {server['id']}."
        for path, body in (("/backups", {}), ("/schedules", {"cron": "0 * * * *"})):
            ask = {"source_id": silent["id"], "preview": True, **body}
            plan = good(await on.ops.post(path, json=ask))["plan"]
            assert plan["allowed"] == (path == "/schedules"), "a schedule makes up for what it misses"
            assert silent["cell"] in " ".join(plan["sentences"])
        assert await rows(on) == []

    tell(story)


def test_what_cannot_be_restored_says_what_to_do_and_nothing_is_made(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=30)
        ready = await backed_up(on, server)
        young = good(await on.ops.post("/backups", json={"source_id": server["id"]}), 201)
        whole = good(
            await on.ops.post("/backups", json={"source_id": server["project_id"], "source_kind": "project"}), 201
        )
        known = await servers(on)
        flavors = good(await on.ops.get("/flavors", params={"backup_id": ready["id"]}))["flavors"]
        assert [each["problem"] for each in flavors[:3]] == ["needs 30.0 GiB of disk", "needs 30.0 GiB of disk", None]
        for id, ask, status, sentence in (
            (ready["id"], {}, 400, "flavor: is needed to restore, which makes a server of that size: one of m1.tiny"),
            (ready["id"], {"flavor": "huge"}, 400, "there is no flavor 'huge': choose one of m1.tiny"),
            (ready["id"], {"flavor": "m1.small"}, 400, "choose one of m1.medium, m1.large"),
            (ready["id"], {"flavor": "m1.medium", "name": ""}, 400, "name: "),
            (ready["id"], {"flavor": "m1.medium", "plan": "x"}, 400, "plan: is not the `token` of a plan"),
            (ready["id"], {"flavor": "m1.medium", "if_version": 77}, 409, "It has changed: you saw version 77"),
            (young["id"], {}, 409, "it is backing_up, and should be ready. Wait until it is whole."),
            (whole["id"], {"flavor": "m1.medium"}, 409, "and should be ready. Wait until it is whole."),
            ("nothing", {"flavor": "m1.medium"}, 404, "There is no backup nothing."),
        ):
            answer = await on.ops.post(f"/backups/{id}/actions", json={"action": "restore", **ask})
            assert sentence in refused(answer, status)["error"]["message"], ask
        early = good(
            await on.ops.post(
                f"/backups/{young['id']}/actions", json={"action": "restore", "flavor": "3", "preview": True}
            )
        )["plan"]
        assert (early["allowed"], early["code"], early["token"]) == (False, "wrong_state", None)
        await on.advance(1200)
        parent = await on.ops.post(f"/backups/{whole['id']}/actions", json={"action": "restore", "flavor": "m1.medium"})
        assert "restore one of its parts, a server at a time" in refused(parent, 409)["error"]["message"]
        part = next(each["id"] for each in await rows(on) if each["parent_id"] == whole["id"])
        deletion = refused(await on.ops.post(f"/backups/{part}/actions", json={"action": "delete"}), 409)
        assert deletion["error"]["message"] == f"This backup is a part of backup {whole['id']}: delete that."
        assert await servers(on) == known

    tell(story)


def test_a_restore_says_how_its_server_is_other_than_the_one_that_was_backed_up(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=170)
        backup = await backed_up(on, server)
        ask = {"action": "restore", "flavor": "m1.xlarge", "preview": True}

        flavors = good(await on.ops.get("/flavors", params={"backup_id": backup["id"]}))["flavors"]
        plan = good(await on.ops.post(f"/backups/{backup['id']}/actions", json=ask))["plan"]

        notes = {each["name"]: each["note"] for each in flavors}
        assert notes["m1.small"] == "less than the 1 vCPU, 4.0 GiB of the server; a drive stays at 170.0 GiB"
        assert notes["m1.xlarge"] == "a drive stays at 170.0 GiB"
        assert plan["sentences"][1:4] == [
            "The server had 1 vCPU and 4.0 GiB of memory; m1.xlarge has 8 and 16.0 GiB.",
            "Drives come back as large as they were, one of 170.0 GiB: more than the flavor's disk.",
            "It has no network interfaces: networks are attached to it afterwards.",
        ]

    tell(story)


def test_the_last_good_backup_is_named_as_such_before_it_goes(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=1)
        first, second = await backed_up(on, server), await backed_up(on, server)

        async def plan(id: str) -> list[str]:
            ask = {"action": "delete", "preview": True}
            return list(good(await on.ops.post(f"/backups/{id}/actions", json=ask))["plan"]["sentences"])

        assert not any("the only good backup" in sentence for sentence in await plan(first["id"]))
        gone = good(await on.ops.post(f"/backups/{first['id']}/actions", json={"action": "delete"}), 202)
        assert gone["backup"]["state"] == "deleting"
        await on.advance(10)
        assert (await plan(second["id"]))[-1] == "It is the only good backup of db-01: none is left after it."
        assert [each["id"] for each in await rows(on)] == [second["id"]]

    tell(story)


def test_who_may_only_look_at_it_previews_it_and_is_refused(tell: Tell) -> None:
    """**Source**: NodeConductor's matrix: project admins write, managers and owners look, others find nothing."""

    async def story(on: Wired) -> None:
        theirs = await with_disk(on, gib=1, is_tenants=True)
        backup, schedule = await backed_up(on, theirs), await scheduled(on, theirs)
        verbs: tuple[tuple[str, str, dict[str, Any], int], ...] = (
            ("POST", "/backups", {"source_id": theirs["id"]}, 201),
            ("POST", "/schedules", {"source_id": theirs["id"], "cron": "@daily"}, 201),
            ("PATCH", f"/schedules/{schedule['id']}", {"backups_max": 1}, 202),
            ("POST", f"/schedules/{schedule['id']}/actions", {"action": "run"}, 202),
            ("POST", f"/schedules/{schedule['id']}/actions", {"action": "delete"}, 202),
            ("POST", f"/backups/{backup['id']}/actions", {"action": "restore", "flavor": "2"}, 202),
            ("POST", f"/backups/{backup['id']}/actions", {"action": "delete"}, 202),
        )
        for role, seen, status in (("nobody", 404, 404), ("project_manager", 200, 403), ("customer_owner", 200, 403),
                                   ("project_admin", 200, 200)):  # fmt: skip
            await become(on, role)
            for method, path, body, done in verbs:
                previewed = await on.tenant_ops.request(method, path, json={**body, "preview": True})
                assert previewed.status_code == seen, (role, path, previewed.text)
                if seen == 200:
                    assert previewed.json()["plan"]["code"] == ("forbidden" if status == 403 else None), (role, path)
                answer = await on.tenant_ops.request(method, path, json=body)
                assert answer.status_code == (done if status == 200 else status), (role, path, answer.text)
                if status == 200:
                    await on.advance(60)

    tell(story)


def test_schedules_run_at_the_instants_that_their_previews_showed(tell: Tell) -> None:
    """Jitter included, whatever the zone."""

    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=1)
        cases = (
            ("7,37 * * * *", "UTC", 0),
            ("0 */3 * * *", "Asia/Kolkata", 1800),
            ("45 18-22 * * *", "Europe/Berlin", 60),
        )
        shown = {}
        for cron, zone, jitter in cases:
            made = await scheduled(on, server, cron, time_zone=zone, jitter_seconds=jitter)
            ask = {"description": "looked at", "preview": True}
            plan = good(await on.ops.patch(f"/schedules/{made['id']}", json=ask))["plan"]
            shown[made["id"]] = [fire["at"] for fire in plan["fires"]]
            assert made["next_trigger_at"] == plan["fires"][0]["at"]
        for _ in range(9):
            await on.advance(3600)
        taken: dict[str, list[str]] = {id: [] for id in shown}
        for each in reversed(await rows(on)):
            taken[each["schedule_id"]].append(each["created_at"])

        assert min(map(len, taken.values())) >= 3
        for id, instants in taken.items():
            assert instants[:10] == shown[id][: len(instants)]

    tell(story)


def test_what_the_quota_would_not_hold_is_told_with_its_figures_and_changes_nothing(tell: Tell) -> None:
    """A run that was asked for by hand switches nothing off, unlike one that falls due."""

    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=10)
        schedule = await scheduled(on, server, "0 */6 * * *")
        path = f"/schedules/{schedule['id']}"
        plan = good(await on.ops.patch(path, json={"preview": True}))["plan"]
        (storage,) = plan["storage"]
        figures = {name: storage[name] for name in ("left_bytes", "copies_left", "copies_most", "is_enough", "full_at")}
        assert figures == {
            "left_bytes": 15 * 2**30,
            "copies_left": 1,
            "copies_most": None,
            "is_enough": False,
            "full_at": "2026-11-21T00:00:00Z",
        }
        assert plan["sentences"][0] == (
            "The run of 2026-11-21 00:00 UTC would be refused, which switches the schedule off:"
            " it needs 10.0 GiB, 5.0 GiB are left then."
        )
        good(await on.ops.post(f"{path}/actions", json={"action": "run"}), 202)
        await on.advance(60)
        before = await rows(on, "schedules")

        for preview in ({}, {"preview": True}):
            answer = await on.ops.post(f"{path}/actions", json={"action": "run", **preview})
            said = good(answer)["plan"]["problem"] if preview else refused(answer, 409)["error"]["message"]
            assert said == "Over quota: storage needs 10.0 GiB, 5.0 GiB left."
        backup = (await rows(on))[0]
        ask = {"action": "restore", "flavor": "m1.small"}
        assert (
            refused(await on.ops.post(f"/backups/{backup['id']}/actions", json=ask), 409)["error"]["left"] == 5 * 2**30
        )
        previewed = good(await on.ops.post(f"/backups/{backup['id']}/actions", json={**ask, "preview": True}))["plan"]
        assert (previewed["allowed"], previewed["code"]) == (False, "over_quota")
        assert (await rows(on, "schedules"), len(await servers(on))) == (before, 1)

        await on.advance(13 * 3600)
        assert (await rows(on, "schedules"))[0]["reason"] == "Over quota: storage needs 10.0 GiB, 5.0 GiB left."

    tell(story, storage_bytes_max=25 * 2**30)
