"""Backups and schedules through NodeConductor's API, from the token to the restored server."""

from __future__ import annotations

from tests.backend.support import OPERATOR
from tests.dialects.conftest import Tell
from tests.dialects.support import PASSWORDS, Wired, good
from tests.dialects.waldur import client, flavor_url, source, url_path, with_disk


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
