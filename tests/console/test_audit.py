"""The log of what was done from here: before and after a request, on disks that fill up, beside other consoles."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.audit import FILE_BYTES_MAX, KEPT_BACK, AuditLog, AuditProblem, kept
from console.client import ClientError, CloudClient
from console.records_audit import ACCEPTED, NOT_SENT, REFUSED, SENDING, UNKNOWN
from tests.strategies import QUICK

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CLOUD = "5d1f0000-0000-5000-8000-000000000000"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return a_log(tmp_path)


def a_log(folder: Path, cloud_id: str = CLOUD) -> AuditLog:
    return AuditLog(folder / "audit", cloud_id, lambda: NOON)


# The file -----------------------------------------------------------------------------------------------------------


def test_a_request_is_there_before_its_outcome_is_and_a_crash_leaves_it_unknown(log: AuditLog, tmp_path: Path) -> None:
    first = log.begin("POST", "/servers/s1/actions", {"action": "stop"})
    log.end(first, ACCEPTED)
    log.begin("POST", "/servers/s2/actions", {"action": "start"})

    found = a_log(tmp_path).records()

    assert [(each.path, each.body, each.outcome) for each in found] == [
        ("/servers/s1/actions", {"action": "stop"}, ACCEPTED),
        ("/servers/s2/actions", {"action": "start"}, UNKNOWN),
    ]
    assert (found[0].at, found[0].ended_at, found[1].ended_at) == (NOON, NOON, None)


def test_what_an_object_was_called_when_it_was_sent_is_kept(log: AuditLog, tmp_path: Path) -> None:
    log.begin("POST", "/servers/s1/actions", {"action": "delete"}, "web-12")
    log.begin("POST", "/clock/advance", {})

    assert [each.name for each in a_log(tmp_path).records()] == ["web-12", ""]


def test_only_its_owner_can_read_it(log: AuditLog) -> None:
    log.begin("POST", "/servers", {})

    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700


def test_each_cloud_has_a_file_and_what_a_cloud_calls_itself_is_no_path(tmp_path: Path) -> None:
    hostile = a_log(tmp_path, "../../evil\n")
    hostile.begin("POST", "/servers", {})
    a_log(tmp_path).begin("POST", "/drives", {})

    assert [each.path for each in hostile.records()] == ["/servers"]
    assert len(list((tmp_path / "audit").iterdir())) == 2
    assert hostile.path.parent == tmp_path / "audit"


def test_a_file_that_is_too_large_is_put_away_and_the_one_before_it_goes(log: AuditLog) -> None:
    long = "x" * 30_000
    ids = [log.begin("POST", f"/servers/{n}", {"name": long}) for n in range(150)]
    log.end(ids[-1], ACCEPTED)

    files = sorted(log.path.parent.iterdir())
    assert len(files) == 2
    assert all(path.stat().st_size <= FILE_BYTES_MAX for path in files)
    found = log.records()
    assert [each.id for each in found] == ids[-len(found) :]
    assert len(found) > 30
    assert found[-1].outcome == ACCEPTED


def test_two_consoles_write_one_log(tmp_path: Path) -> None:
    one, other = a_log(tmp_path), a_log(tmp_path)
    first, second = one.begin("POST", "/servers", {}), other.begin("POST", "/drives", {})
    one.end(first, REFUSED, "no room")
    other.end(second, ACCEPTED)

    assert [(each.outcome, each.sentence) for each in one.records()] == [(REFUSED, "no room"), (ACCEPTED, "")]


@QUICK
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_what_somebody_else_wrote_into_it_loses_nothing_of_ours(junk: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = a_log(Path(folder))
        first = log.begin("POST", "/servers", {"name": "a"})
        with log.path.open("ab") as opened:
            opened.write(b"\n".join(junk))
        log.end(first, ACCEPTED)
        log.begin("POST", "/drives", {})

        assert [(each.path, each.outcome) for each in log.records()] == [("/servers", ACCEPTED), ("/drives", UNKNOWN)]


def test_a_hostile_name_in_it_is_harmless_when_it_is_read(log: AuditLog) -> None:
    log.end(log.begin("POST", "/servers", {"name": "evil\x1b[31m"}), REFUSED, "no \x1b]2;title\x07")
    [record] = log.records()

    assert "\x1b" not in json.dumps(record.body) + record.sentence


@pytest.mark.parametrize("name", ["password", "token", "api_secret", "private_key", "Credentials"])
def test_secrets_are_not_kept_however_deep_they_lie(name: str) -> None:
    body = kept({"name": "web", "meta": {"inner": [{name: "hush"}]}})

    assert "hush" not in json.dumps(body)
    assert body["meta"] == {"inner": [{name: KEPT_BACK}]}


def test_a_body_without_end_is_counted_and_not_kept() -> None:
    assert kept({"avoid": ["x" * 36] * 5_000}) == {"left_out": "200,011 bytes"}


def test_where_it_cannot_be_written_it_says_which_file_and_why(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("in the way")

    with pytest.raises(AuditProblem, match=r"audit/5d1f.*cannot be: "):
        a_log(tmp_path).begin("POST", "/servers", {})


# The client ---------------------------------------------------------------------------------------------------------

HELLO = {"cloud_id": CLOUD, "kind": "demo", "version": "1"}


def a_client(tmp_path: Path, answer: httpx.Response | Exception) -> CloudClient:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=HELLO)
        if isinstance(answer, Exception):
            raise answer
        # What is asked for is on the disk by now.
        assert a_log(tmp_path).records()[-1].outcome == UNKNOWN
        return answer

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://cloud")
    return CloudClient(http, lambda cloud_id: AuditLog(tmp_path / "audit", cloud_id, lambda: NOON))


@pytest.mark.parametrize(
    ("answer", "outcome", "sentence"),
    [
        (httpx.Response(202, json={}), ACCEPTED, ""),
        (httpx.Response(409, json={"error": {"code": "wrong_state", "message": "It is running."}}), REFUSED,
         "It is running."),
        (httpx.ConnectError("no"), NOT_SENT, "no"),
        (httpx.ReadTimeout("late"), UNKNOWN, "no answer within 10 s: it may have been carried out; look before "
         "repeating it"),
        (httpx.ReadError("gone"), UNKNOWN, "the connection broke in the middle: it may have been carried out; look "
         "before repeating it"),
        (httpx.Response(202, content=b"not json"), UNKNOWN, "the cloud answered something that is not understood"),
    ],
)  # fmt: skip
async def test_every_end_of_a_request_is_written_down(
    answer: httpx.Response | Exception, outcome: str, sentence: str, tmp_path: Path
) -> None:
    client = a_client(tmp_path, answer)
    with suppress(ClientError):
        await client.act("server", "s1", "stop")

    [record] = (await client.audit()).records
    assert (record.method, record.path, record.body) == ("POST", "/servers/s1/actions", {"action": "stop"})
    assert (record.outcome, record.sentence) == (outcome, sentence)


async def test_what_is_on_its_way_is_told_as_such(tmp_path: Path) -> None:
    seen: list[str] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=HELLO)
        seen.extend(each.outcome for each in (await client.audit()).records)
        return httpx.Response(202, json={})

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://cloud")
    client = CloudClient(http, lambda cloud_id: a_log(tmp_path, cloud_id))
    await client.act("server", "s1", "stop")

    assert [*seen, *(each.outcome for each in (await client.audit()).records)] == [SENDING, ACCEPTED]


async def test_what_changes_nothing_is_not_written_down(tmp_path: Path) -> None:
    plan = {"plan": {"action": "stop", "object_id": "s1"}, "asked": 1, "placed": 1, **HELLO}
    http = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json=plan)), base_url="http://cloud"
    )
    client = CloudClient(http, lambda cloud_id: a_log(tmp_path, cloud_id))

    await client.hello()
    await client.preview("server", "s1", "stop")
    await client.what_if({"count": 1})

    assert (await client.audit()).records == ()
    assert not (tmp_path / "audit").exists()


async def test_where_nothing_can_be_written_down_nothing_is_sent(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("in the way")
    client = a_client(tmp_path, AssertionError("it was sent"))

    with pytest.raises(ClientError, match="nothing was sent: what is done is written down first") as refused:
        await client.act("server", "s1", "stop")
    assert refused.value.code == "audit"


async def test_without_a_log_nothing_is_kept() -> None:
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(202, json={})), base_url="http://c")

    client = CloudClient(http)
    await client.act("server", "s1", "stop")

    assert (await client.audit()).records == ()


def test_a_record_that_is_a_day_old_is_there_still(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, CLOUD, lambda: NOON - timedelta(days=1))
    log.begin("POST", "/servers", {})

    assert os.listdir(tmp_path) == [f"{CLOUD}.jsonl"]
    assert AuditLog(tmp_path, CLOUD, lambda: NOON).records()[0].at == NOON - timedelta(days=1)


def test_clouds_of_one_seed_in_two_folders_have_a_log_each(tmp_path: Path) -> None:
    here, there = (AuditLog(tmp_path, CLOUD, lambda: NOON, data=tmp_path / name) for name in ("here", "there"))
    here.begin("POST", "/servers", {})

    assert [len(log.records()) for log in (here, there, AuditLog(tmp_path, CLOUD, lambda: NOON))] == [1, 0, 0]
