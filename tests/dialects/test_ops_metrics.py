"""`/ops/v1/metrics`, and the log of requests: what is counted, what never becomes a name, and no secret anywhere."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from backend import logs
from backend.cloud.errors import Conflict
from backend.durations import BOUNDS, Durations
from backend.store import CellTransaction
from tests.backend.support import OPERATOR, TENANT
from tests.dialects.conftest import Tell
from tests.dialects.support import PASSWORDS, Wired, good

ORDER = ("dialect", "route", "method", "status", "file", "lane", "cell", "kind", "state", "le")
Samples = dict[tuple[str, tuple[str, ...]], float]


async def scraped(wired: Wired) -> Samples:
    answer = await wired.bare.get("/ops/v1/metrics", headers={"Authorization": "Bearer operator-token"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sample.labels[name] for name in ORDER if name in sample.labels)): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_dialect_template_method_and_status(tell: Tell) -> None:
    async def story(wired: Wired) -> None:
        server = await wired.server("web")
        for _ in range(3):
            await wired.ops.get(f"/servers/{server['id']}")
        await wired.ops.get("/servers/nothing")
        await wired.sigma.get("/servers/")
        await wired.sigma.get("/servers")
        await wired.nova.get("/servers/detail")
        found = await scraped(wired)

        requests = {labels: value for (name, labels), value in found.items() if name == "stratodeck_requests_total"}
        assert requests["ops", "/ops/v1/servers/{id}", "GET", "200"] == 3
        assert requests["ops", "/ops/v1/servers/{id}", "GET", "404"] == 1
        assert requests["ops", "/ops/v1/servers", "POST", "201"] == 1
        assert requests["cloudsigma", "/api/2.0/servers", "GET", "200"] == 2
        assert requests["nova", "/compute/v2.1/servers/detail", "GET", "200"] == 1
        assert found["stratodeck_request_seconds_count", ("ops", "/ops/v1/servers/{id}", "GET")] == 4
        assert found["stratodeck_request_seconds_bucket", ("ops", "/ops/v1/servers/{id}", "GET", "+Inf")] == 4

    tell(story)


def test_whatever_clients_ask_for_there_are_never_more_names(tell: Tell) -> None:
    async def story(wired: Wired) -> None:
        for number in range(40):
            await wired.ops.get(f"/servers/{number}")
            await wired.bare.get(f"/nowhere/{number}")
            await wired.ops.get(f"/nothing/{number}")
            await wired.bare.request(f"M{number}", "/ops/v1/servers")
            await wired.bare.get("/ops/v1/status", headers={"Host": f"h{number}.example.org"})
        found = await scraped(wired)

        requests = {labels: value for (name, labels), value in found.items() if name == "stratodeck_requests_total"}
        assert requests == {
            ("none", "none", "GET", "404"): 40,
            ("ops", "/ops/v1/servers", "other", "405"): 40,
            ("ops", "/ops/v1/servers/{id}", "GET", "404"): 40,
            ("ops", "/ops/v1/status", "GET", "400"): 40,
            ("ops", "/ops/v1/{rest:anything}", "GET", "404"): 40,
        }

    tell(story)


def test_cells_files_and_work_are_told(tell: Tell) -> None:
    async def story(wired: Wired) -> None:
        server = await wired.server("web", cell="cell-1")
        good(await wired.ops.post(f"/servers/{server['id']}/actions", json={"action": "start"}), 202)
        await wired.app.cloud.store.flush_last_known()
        await wired.break_cell("cell-2", "hung")
        found = await scraped(wired)

        states = {labels for (name, labels), value in found.items() if name == "stratodeck_cell_state" and value}
        assert states == {("cell-1", "up"), ("cell-2", "hung")}
        assert found["stratodeck_open_tasks", ("cell-1",)] == 1
        assert found["stratodeck_schedules_missed", ()] == 0
        assert found["stratodeck_overdue_seconds", ("cell-1",)] == 0
        assert found["stratodeck_lane_waiting", ("cell-1", "write")] == 0
        assert found["stratodeck_commit_seconds_count", ("cell-1",)] >= 2
        assert found["stratodeck_log_bytes", ("cell-1",)] > 0
        newest = max(event["number"] for event in await wired.events() if event["file"] == "cell-1")
        assert found["stratodeck_event_number", ("cell-1",)] == found["stratodeck_events", ("cell-1",)] == newest
        assert ("stratodeck_history_seconds", ()) not in found, "nothing has been forgotten"
        assert found["process_resident_memory_bytes", ()] > 10_000_000
        assert found["stratodeck_disk_free_bytes", ()] > 1_000_000

    tell(story)


def test_what_happened_is_counted_by_kind_and_lost_hosts_are_told(tell: Tell) -> None:
    async def story(wired: Wired) -> None:
        await wired.server("web", cell="cell-1")
        refused = await wired.ops.post("/servers", json={"name": "", "cpu_mhz": 1, "memory_bytes": 1})
        assert refused.status_code == 400
        hosts = good(await wired.ops.get("/hosts"))["hosts"]
        lost = next(host for host in hosts if host["cell"] == "cell-1" and host["kind"] == "compute")
        good(await wired.ops.post(f"/hosts/{lost['name']}/actions", json={"action": "fail"}), 202)
        await wired.app.cloud.store.flush_last_known()
        found = await scraped(wired)

        assert found["stratodeck_happened_total", ("server.created",)] == 1
        assert found["stratodeck_happened_total", ("host.down",)] == 1
        assert found["stratodeck_hosts", ("cell-1", "compute", "down")] == 1

    tell(story)


def test_a_batch_that_is_undone_has_not_happened(tell: Tell) -> None:
    async def story(wired: Wired) -> None:
        def spoiled(tx: CellTransaction) -> None:
            tx.emit("never.seen", "server", "s", at=wired.app.cloud.clock.now())
            raise Conflict("not this time")

        with pytest.raises(Conflict):
            await wired.app.cloud.store.cell_write("cell-1", spoiled)

        found = await scraped(wired)
        assert ("stratodeck_happened_total", ("never.seen",)) not in found

    tell(story)


def test_only_staff_sees_metrics(tell: Tell) -> None:
    async def story(wired: Wired) -> None:
        assert (await wired.bare.get("/ops/v1/metrics")).status_code == 401
        refused = await wired.tenant_ops.get("/metrics")
        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "forbidden"

    tell(story)


def test_durations_are_counted_up_to_each_bound() -> None:
    taken = Durations()
    for seconds in (0.0, 0.001, 0.0011, 0.3, 99.0):
        taken.take(seconds)

    assert dict(zip((*BOUNDS, None), taken.up_to(), strict=True)) == {
        0.001: 2, 0.0025: 3, 0.005: 3, 0.01: 3, 0.025: 3, 0.05: 3, 0.1: 3, 0.25: 3, 0.5: 4, 1.0: 4, 2.5: 4, 10.0: 4,
        None: 5,
    }  # fmt: skip
    assert taken.seconds == pytest.approx(99.3021)


# --- the log ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logs.begin("requests", stream)
    yield stream
    logging.getLogger().removeHandler(handler)
    logging.getLogger("stratodeck").setLevel(logging.NOTSET)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_of_the_log_has_the_ids_that_the_client_has_seen(tell: Tell, log: io.StringIO) -> None:
    async def story(wired: Wired) -> None:
        answers = [
            await wired.ops.get("/servers", headers={"X-Request-Id": "mine-1"}),
            await wired.nova.get("/servers"),
            await wired.bare.get("/identity/v3/auth/tokens", headers={"X-Request-Id": "mine-2"}),
            await wired.bare.get("/image/v2/images", headers={"X-Auth-Token": "operator-token"}),
        ]

        found = [line for line in lines(log) if line["logger"] == "stratodeck.requests"]
        assert [line["request_id"] for line in found] == [answer.headers["x-request-id"] for answer in answers]
        assert [line["request_id"] for line in found[::2]] == ["mine-1", "mine-2"]
        ids = [line.get("openstack_request_id") for line in found]
        assert ids == [answer.headers.get("x-openstack-request-id") for answer in answers]
        assert ids[0] is None
        assert all(str(id).startswith("req-") and len(str(id)) == 40 for id in ids[1:])
        assert [line["status"] for line in found] == [200, 200, 401, 200]
        assert [line["dialect"] for line in found] == ["ops", "nova", "identity", "image"]

    tell(story)


def test_what_is_refused_before_anybody_asks_what_it_is_about_has_an_id_too(tell: Tell, log: io.StringIO) -> None:
    async def story(wired: Wired) -> None:
        answers = [
            await wired.ops.get("/servers", headers={"Host": "evil.example.org"}),
            await wired.ops.get("/servers", headers={"Origin": "http://evil.example.org"}),
            await wired.ops.post("/servers", content=b" " * 2_000_000),
            await wired.ops.get("/nothing/like/this"),
            await wired.bare.get("/nothing/like/this"),
        ]

        assert [answer.status_code for answer in answers] == [400, 403, 413, 404, 404]
        ids = [answer.headers["x-request-id"] for answer in answers]
        found = [line for line in lines(log) if line["logger"] == "stratodeck.requests"]
        assert [line["request_id"] for line in found] == ids
        assert len(set(ids)) == len(ids)

    tell(story)


def test_a_cell_that_falls_silent_is_in_the_log_with_the_reason(tell: Tell, log: io.StringIO) -> None:
    async def story(wired: Wired) -> None:
        await wired.break_cell("cell-2")
        await wired.ops.put("/cells/cell-2/reachability", json={"state": "up"})

        found = [line for line in lines(log) if line["logger"] == "stratodeck.cells" and line["cell"] == "cell-2"]
        assert [(line["level"], line["message"], line["reason"]) for line in found[-2:]] == [
            ("error", "cell does not answer", "injected: down"),
            ("info", "cell answers", ""),
        ]

    tell(story)


async def _log_in(wired: Wired) -> httpx.Response:
    password = {"user": {"name": OPERATOR, "domain": {"id": "default"}, "password": PASSWORDS[OPERATOR]}}
    body = {"auth": {"identity": {"methods": ["password"], "password": password}}}
    return await wired.bare.post("/identity/v3/auth/tokens", json=body)


def test_no_secret_is_ever_in_a_log(tell: Tell, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(wired: Wired) -> None:
        issued = (await _log_in(wired)).headers["x-subject-token"]
        basic = base64.b64encode(f"{TENANT}:{PASSWORDS[TENANT]}".encode()).decode()
        secrets = [issued, basic, "operator-token", "tenant-token", "wrong-secret", *PASSWORDS.values()]
        for secret in secrets:
            for headers in (
                {"Authorization": f"Bearer {secret}"},
                {"Authorization": f"Basic {secret}"},
                {"Authorization": f"Token {secret}"},
                {"X-Auth-Token": secret, "X-Subject-Token": secret},
                {"Cookie": f"sessionid={secret}; csrftoken={secret}"},
            ):
                for path in ("/ops/v1/status", "/api/2.0/servers/", "/compute/v2.1/servers", "/api/backups/"):
                    await wired.bare.get(f"{path}?token={secret}", headers=headers)
                    await wired.bare.post(path, headers=headers, json={"password": secret})

        async def fails(*_: Any, **__: Any) -> Any:
            raise RuntimeError(f"no server for Authorization: Bearer {issued} and password={PASSWORDS[OPERATOR]}")

        monkeypatch.setattr(wired.app.cloud, "accounts", fails)
        with pytest.raises(RuntimeError):
            await wired.ops.get("/status")

        text = log.getvalue()
        assert len(lines(log)) > 250
        assert lines(log)[-1]["error"] == "RuntimeError"
        assert lines(log)[-1]["status"] == 500
        assert "no server for" in lines(log)[-1]["trace"]
        assert [secret for secret in secrets if secret in text] == []

    tell(story)


def test_no_secret_is_in_an_event_or_in_what_is_remembered_of_a_silent_cell(tell: Tell) -> None:
    """The log outlives a password; who may see a server is told the one that it has."""

    async def story(wired: Wired) -> None:
        body = {"name": "web", "cpu": 1000, "mem": 2**30}
        made = good(await wired.sigma.post("/servers/", json={**body, "vnc_password": "first-secret"}), 201)
        path = f"/servers/{made['objects'][0]['uuid']}/"
        changed = good(await wired.sigma.put(path, json={**body, "vnc_password": "second-secret"}))
        pair = good(await wired.sigma.post("/keypairs/", json={"name": "mine"}), 201)["objects"][0]
        await wired.app.cloud.store.flush_last_known()
        events = json.dumps(await wired.events())
        remembered = await wired.app.cloud.store.cloud_read(lambda tx: tx.last_known([changed["uuid"]]))

        assert changed["vnc_password"] == "second-secret"
        assert "server.edited" in events or "server.changed" in events
        assert [each.picture["attributes"]["vnc_password"] for each in remembered] == ["***"]
        for secret in ("first-secret", "second-secret", pair["private_key"][100:160]):
            assert secret not in events
            assert secret not in str(remembered)

    tell(story)


@pytest.mark.parametrize(("logged", "statuses"), [("none", []), ("problems", [500]), ("requests", [200, 500])])
def test_the_setting_says_what_is_written(
    tell: Tell, logged: str, statuses: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    handler = logs.begin(logged, stream)

    async def story(wired: Wired) -> None:
        good(await wired.ops.get("/status"))

        async def fails(*_: Any, **__: Any) -> Any:
            raise RuntimeError("broken")

        monkeypatch.setattr(wired.app.cloud, "accounts", fails)
        with pytest.raises(RuntimeError):
            await wired.ops.get("/status")

    try:
        tell(story)
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger("stratodeck").setLevel(logging.NOTSET)
    assert [line["status"] for line in lines(stream) if "status" in line] == statuses


def test_how_far_back_the_past_is_kept_is_told(tell: Tell) -> None:
    async def story(wired: Wired) -> None:
        good(await wired.ops.patch("/settings", json={"history_seconds": 3_600}))
        await wired.drive("first", 1)
        await wired.advance(7_200)
        found = await scraped(wired)

        assert 7_200 < found["stratodeck_history_seconds", ()] < 7_300
        assert found["stratodeck_events", ("cell-1",)] == 1

    tell(story)


def test_a_log_of_our_own_begins_anew_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "BYTES_MAX", 2000)
    sizes = []
    with (tmp_path / "backend.log").open("a") as file:
        handler = logs.begin("requests", file, is_ours=True)
        try:
            for number in range(60):
                logging.getLogger("stratodeck.requests").info("request %s", number)
                sizes.append((tmp_path / "backend.log").stat().st_size)
        finally:
            logging.getLogger().removeHandler(handler)
            logging.getLogger("stratodeck").setLevel(logging.NOTSET)

    assert max(sizes) <= 2000
    assert [later < earlier for earlier, later in pairwise(sizes)].count(True) >= 2
    assert json.loads((tmp_path / "backend.log").read_text().splitlines()[-1])["message"] == "request 59"
