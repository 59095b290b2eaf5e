"""Every route of the app, walked: whoever may not come in learns nothing, not even what exists.

What is walked is what the app lists, so that a new route cannot be forgotten; what need not be asked with a password
is named here, with the reason.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.dialects.wire import BODY_BYTES_MAX
from tests.backend.support import OPERATOR, TENANT
from tests.builders import NOON
from tests.dialects.walking import NOTHING, READER, SHARED, Answered, Step, Walk, issued, kind_of, proof, walked

OPEN = {
    "GET /compute": "versions",
    "GET /compute/v2.1": "a version",
    "GET /compute/{rest:anything}": "which versions there are, as Nova answers whatever else is asked for",
    "GET /": "versions",
    "GET /identity": "versions",
    "GET /identity/v3": "a version",
    "POST /identity/v3/auth/tokens": "logging in, with a password or a token in the body",
    "GET /image": "versions",
    "POST /api/2.0/accounts/action": "logging in, with a password in the body",
    "POST /api-auth/password": "logging in, with a password in the body",
}
"""What is answered to everybody, and why."""


def shaped(step: Step, answer: Answered) -> bool:
    """Whether a refusal has the shape that the dialect's clients expect."""
    if step.dialect == "none" or (step.dialect == "nova" and answer.headers["content-type"].startswith("text/plain")):
        return answer.status in (400, 403, 404, 413)
    said = answer.json
    if step.dialect == "ops":
        return set(said) == {"error"} and {"code", "message"} <= set(said["error"])
    if step.dialect == "cloudsigma":
        return [set(each) for each in said] == [{"error_type", "error_message", "error_point"}]
    if step.dialect == "nova":
        (only,) = said.values()
        return {"code", "message"} <= set(only) and only["code"] == answer.status
    if step.dialect == "image" and answer.status != 401:  # which is said by what stands before Glance
        return set(said) == {"message", "code", "title"}
    if step.dialect in ("identity", "image"):
        return set(said["error"]) == {"code", "message", "title"}
    return isinstance(said, dict) and (isinstance(said.get("detail"), str) or all(map(_is_list, said.values())))


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_IDS = re.compile(r"req-[0-9a-f-]{36}")


def told(walk: Walk, step: Step, answer: Answered, *, exists: bool) -> tuple[int, Any]:
    """Status and body, without the id that was asked for."""
    text = _IDS.sub("", answer.body.decode())
    values = set(walk.values(step, exists=exists).values()) | {NOTHING}
    if exists:
        values |= {id for id in walk.objects.values() if len(id) > 12}
    for value in sorted(values, key=len, reverse=True):
        if len(value) > 3:
            text = text.replace(value, "ID").replace(value.replace("-", ""), "ID")
    return answer.status, text


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Callable[[Walk], Awaitable[None]]], None]]:
    """One cloud for all that is walked: nothing may change it."""
    runner = asyncio.Runner()
    queue: list[Walk] = []
    is_over = runner.run(_event())

    async def keep(found: Walk) -> None:
        queue.append(found)
        ready.set()
        await is_over.wait()

    ready = runner.run(_event())
    task = runner.get_loop().create_task(walked(tmp_path_factory.mktemp("walk") / "data", keep))

    async def begun() -> None:
        waits = asyncio.ensure_future(ready.wait())
        await asyncio.wait({waits, task}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            waits.cancel()
            task.result()

    runner.run(begun())

    def tell(story: Callable[[Walk], Awaitable[None]]) -> None:
        async def unchanged() -> None:
            before = await queue[0].state()
            await story(queue[0])
            assert await queue[0].state() == before, "something was changed"

        runner.run(unchanged())

    yield tell
    is_over.set()

    async def end() -> None:
        await task

    runner.run(end())
    runner.close()


async def _event() -> asyncio.Event:
    return asyncio.Event()


Tell = Callable[[Callable[[Walk], Awaitable[None]]], None]


def test_whoever_does_not_prove_who_they_are_learns_nothing_anywhere(walk: Tell) -> None:
    async def story(on: Walk) -> None:
        expired = issued(on, OPERATOR, project="inside")
        tampered = issued(on, OPERATOR, project="inside")[:-4] + "AAAA"
        on.wall.at += timedelta(hours=2)
        try:
            for step in on.steps():
                if step.is_nothing or str(step) in OPEN:
                    continue
                for headers in (
                    {},
                    proof(step.dialect, OPERATOR, token="wrong"),
                    proof(step.dialect, OPERATOR, token=expired),
                    proof(step.dialect, OPERATOR, token=tampered),
                    {"Authorization": "Basic b3BlcmF0b3I6d3Jvbmc="},
                    {"Authorization": "Bearer"},
                ):
                    answers = set()
                    for exists in (True, False):
                        answer = await on.ask(step, headers, exists=exists)
                        assert answer.status == 401, f"{step} with {headers}: {answer}"
                        assert "www-authenticate" in answer.headers, step
                        answers.add(told(on, step, answer, exists=exists))
                    assert shaped(step, answer), f"{step}: {answer}"
                    assert len(answers) == 1, f"{step}: {answers}"
        finally:
            on.wall.at -= timedelta(hours=2)

    walk(story)


def test_what_is_open_to_everybody_is_there_and_is_no_more_than_that(walk: Tell) -> None:
    async def story(on: Walk) -> None:
        steps = {str(step): step for step in on.steps()}
        assert set(OPEN) <= set(steps)
        for name in OPEN:
            answer = await on.ask(steps[name], {})
            texts = [id for kind, id in on.objects.items() if len(id) > 8 and id.encode() in answer.body]
            assert texts == [], name

    walk(story)


def test_a_tenant_cannot_tell_what_others_have_from_what_there_is_not(walk: Tell) -> None:
    async def story(on: Walk) -> None:
        wrong = []
        for step in on.steps():
            kind = kind_of(step)
            if kind is None or (kind in SHARED and step.method == "GET") or "/libdrives/" in step.template:
                continue
            there = await on.ask(step, proof(step.dialect, TENANT), exists=True)
            nothing = await on.ask(step, proof(step.dialect, TENANT), exists=False)
            if there.status not in (403, 404, 405):
                wrong.append(f"{step}: {there.status} {there.body[:200]!r}")
            elif told(on, step, there, exists=True) != told(on, step, nothing, exists=False) and kind not in SHARED:
                wrong.append(
                    f"{step}: {there.status} {there.body[:200]!r}, and {nothing.status} {nothing.body[:200]!r}"
                )
            elif not shaped(step, there):
                wrong.append(f"{step}: {there.body[:200]!r}")
        assert wrong == [], "\n".join(wrong)

    walk(story)


MOMENTS = {"now": "", "then": f"at={NOON + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}"}
"""The operator's API shows any moment of the past as well."""


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_tenant_reads_holds_nothing_of_what_others_have(walk: Tell, moment: str) -> None:
    async def story(on: Walk) -> None:
        theirs = {id for kind, id in on.objects.items() if kind not in SHARED and len(id) > 12}
        seen: set[str] = set()
        for step in on.steps():
            if step.method != "GET" or (moment == "then" and step.dialect != "ops"):
                continue
            path = step.path(on.values(step, exists=True))
            whole = (await on.send("GET", path, proof(step.dialect, OPERATOR), query=MOMENTS[moment])).body.decode()
            seen |= {id for id in theirs if id in whole or id.replace("-", "") in whole}
            answer = await on.send("GET", path, proof(step.dialect, TENANT), query=MOMENTS[moment])
            text = answer.body.decode()
            if answer.status == 200:
                leaked = [id for id in theirs if id in text or id.replace("-", "") in text]
                assert leaked == [], f"{step}: {leaked} in {text[:500]}"
            elif moment == "then" and kind_of(step) not in (None, *SHARED):
                nothing = step.path(on.values(step, exists=False))
                other = await on.send("GET", nothing, proof(step.dialect, TENANT), query=MOMENTS[moment])
                assert told(on, step, answer, exists=True) == told(on, step, other, exists=False), step
        assert len(seen) >= len(theirs) - 1 if moment == "now" else len(seen) >= 8, theirs - seen

    walk(story)


READERS_OWN = {
    "PUT /api/2.0/profile": "one's own name and address",
    "POST /api/2.0/subscriptioncalculator": "a question",
    "POST /api/2.0/subscriptions": "is one's own, for one's own money",
    "POST /api/2.0/accounts/action": "logging in and out",
    "POST /identity/v3/auth/tokens": "logging in",
    "POST /api-auth/password": "logging in",
    "DELETE /identity/v3/auth/tokens": "ends a token of one's own",
}
"""What somebody who may only read does all the same: nothing of it is the project's."""


def test_who_may_only_read_changes_nothing(walk: Tell) -> None:
    async def story(on: Walk) -> None:
        wrong = []
        for step in on.steps():
            if step.method == "GET" or str(step) in READERS_OWN:
                continue
            answer = await on.ask(step, proof(step.dialect, READER))
            if answer.status not in (403, 404, 405) or not shaped(step, answer):
                wrong.append(f"{step}: {answer.status} {answer.body[:200]!r}")
        assert wrong == [], "\n".join(wrong)

    walk(story)


def refusal_of(headers: Mapping[str, str], host: str, status: int) -> Callable[[Walk], Awaitable[None]]:
    """Everywhere the same, whoever asks and whatever there is."""

    async def story(on: Walk) -> None:
        for step in on.steps():
            answers = {
                told(on, step, await on.ask(step, {**credentials, **headers}, exists=exists, host=host), exists=exists)
                for credentials in ({}, proof(step.dialect, OPERATOR))
                for exists in (True, False)
            }
            assert len(answers) == 1, f"{step}: {answers}"
            answer = await on.ask(step, headers, host=host)
            assert answer.status == status, f"{step}: {answer}"
            assert shaped(step, answer), f"{step}: {answer}"

    return story


def test_under_another_name_nobody_is_answered(walk: Tell) -> None:
    walk(refusal_of({}, "evil.example.org", 400))


def test_a_page_of_another_site_is_not_answered_whatever_the_browser_knows(walk: Tell) -> None:
    walk(refusal_of({"Origin": "https://evil.example.org"}, "stratodeck", 403))


@pytest.mark.parametrize(
    ("origin", "is_ours"),
    [
        ("http://stratodeck", True),
        ("https://STRATODECK", True),
        ("null", False),
        ("", False),
        ("stratodeck", False),
        ("http://stratodeck:8080", False),
        ("http://stratodeck.evil.example.org", False),
        ("http://evil.example.org/stratodeck", False),
    ],
)
def test_a_page_is_of_our_own_when_its_origin_is_the_host_that_is_asked(walk: Tell, origin: str, is_ours: bool) -> None:
    async def story(on: Walk) -> None:
        answer = await on.send("GET", "/ops/v1/status", {**proof("ops", OPERATOR), "Origin": origin})
        assert answer.status == (200 if is_ours else 403)

    walk(story)


def test_a_body_that_is_too_large_is_refused_unread_everywhere(walk: Tell) -> None:
    async def story(on: Walk) -> None:
        for step in on.steps():
            for length in (str(BODY_BYTES_MAX + 1), "-1"):
                answer = await on.ask(step, {"Content-Length": length}, body=b"")
                assert answer.status == 413, f"{step}: {answer}"
                assert shaped(step, answer), f"{step}: {answer}"

    walk(story)


def test_a_body_that_does_not_say_how_large_it_is_is_never_read_past_the_bound(walk: Tell) -> None:
    large = json.dumps({"name": "x" * BODY_BYTES_MAX}).encode()

    async def story(on: Walk) -> None:
        for step in on.steps():
            if step.method in ("POST", "PUT", "PATCH") and str(step) not in READERS_OWN:
                answer = await on.ask(step, {**proof(step.dialect, TENANT), "Content-Length": ""}, body=large)
                assert answer.status in (403, 404, 405, 413), f"{step}: {answer.status} {answer.body[:200]!r}"

    walk(story)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic b3BlcmF0b3I6d3Jvbmc="},
        {"Cookie": "async_auth=x.1.y; sessionid=z"},
        {"Cookie": "async_auth=" + "A" * 5000},
    ],
)
@pytest.mark.parametrize("host", ["stratodeck", "evil.example.org"])
def test_no_websocket_opens_for_a_stranger(walk: Tell, headers: dict[str, str], host: str) -> None:
    async def story(on: Walk) -> None:
        for path in on.sockets():
            said: list[Any] = []

            async def receive() -> Any:
                return {"type": "websocket.connect"}

            async def send(message: Any, said: list[Any] = said) -> None:
                said.append(message)

            whole = {"host": host, **headers}
            scope = {
                "type": "websocket",
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "root_path": "",
                "scheme": "ws",
                "headers": [(name.lower().encode(), value.encode()) for name, value in whole.items()],
                "subprotocols": [],
            }
            await on.app(scope, receive, send)
            assert [message["type"] for message in said] == ["websocket.close"]

    walk(story)


def test_everything_that_a_running_cloud_keeps_is_for_its_owner_alone(tmp_path: Path) -> None:
    async def story(_: Walk) -> None:
        for each in (tmp_path / "data").rglob("*"):
            mode = each.stat().st_mode & 0o777
            assert mode == (0o700 if each.is_dir() else 0o600), each

    asyncio.run(walked(tmp_path / "data", story))
