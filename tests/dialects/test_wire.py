"""What all dialects share: hosts, bounds, credentials, request ids, and that every refusal has an answer."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from backend.cloud import errors
from backend.cloud.errors import CloudError, Invalid
from backend.dialects import cloudsigma, identity, image, nova, ops, wire
from tests.backend.support import OPERATOR
from tests.dialects.conftest import Tell
from tests.dialects.support import PASSWORDS, Wired, good, refused

DIALECTS = [ops, cloudsigma, identity, image, nova]


def every_error() -> list[type[CloudError]]:
    found: list[type[CloudError]] = []
    waiting = list(CloudError.__subclasses__())
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        found.append(cls)
    return sorted((cls for cls in found if cls.__module__ == errors.__name__), key=lambda cls: cls.__name__)


def an_example(cls: type[CloudError]) -> CloudError:
    examples: dict[str, Any] = {"wanted": ("stopped",), "left": 1, "reasons": [("short of CPU", 2)]}
    return cls(**{field.name: examples.get(field.name, "x") for field in fields(cls)})


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.__name__.rpartition(".")[2])
@pytest.mark.parametrize("cls", every_error(), ids=lambda cls: cls.__name__)
def test_every_error_of_the_cloud_has_a_status_and_a_body_in_every_dialect(cls: type[CloudError], dialect: Any) -> None:
    answer = dialect.refuse(an_example(cls))

    assert cls in dialect.ERRORS
    assert 400 <= answer.status_code < 600
    assert orjson.loads(answer.body)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8774", "127.0.0.1", "127.0.0.1:1", "127.8.9.1:65535", "[::1]", "[::1]:8774", "stratodeck"],
)
def test_a_loopback_name_is_ours_whatever_the_port(host: str) -> None:
    assert wire.guarded(Starlette()).names_us(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.org",
        "localhost.example.org",
        "127.0.0.1.example.org",
        "127.0.0.1:",
        "::1",
        "stratodeck:123456",
        "0",
    ],
)
def test_any_other_name_is_not_ours(host: str) -> None:
    assert not wire.guarded(Starlette()).names_us(host.removesuffix(":") + ("x" if host.endswith(":") else ""))


def test_a_name_that_is_listened_on_is_ours_too() -> None:
    assert wire.guarded(Starlette(), hosts=["Console.example.org"]).names_us("console.example.ORG:8774")


def test_a_request_under_another_name_is_refused_before_its_credentials_are_read(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        ops_answer = await on.bare.get("/ops/v1/servers", headers={"Host": "evil.example.org"})
        sigma_answer = await on.bare.get("/api/2.0/servers/", headers={"Host": "evil.example.org"})
        other_answer = await on.bare.get("/", headers={"Host": "evil.example.org"})

        assert refused(ops_answer, 400)["error"]["code"] == "bad_host"
        assert refused(sigma_answer, 400)[0]["error_type"] == "validation"
        assert other_answer.status_code == 400

    tell(story)


def test_a_socket_under_another_name_is_closed_before_it_is_open() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": [(b"host", b"evil.example.org")]}
    asyncio.run(wire.guarded(Starlette())(scope, receive, send))

    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(
    "name", ["<b>[red]x", "a\x00b", "\x1b[31m", "\u202eevil", "\u200b", "'; DROP TABLE server; --", "\U0001f600", " "]
)
def test_a_hostile_name_is_only_a_name(tell: Tell, name: str) -> None:
    async def story(on: Wired) -> None:
        server = await on.server(name, meta={name: name}, tags=[name])
        by_sigma = good(await on.sigma.get(f"/servers/{server['id']}/"))
        found = good(await on.ops.get("/servers", params={"name": name}))
        put = good(await on.sigma.put(f"/servers/{server['id']}/", json={**by_sigma, "vnc_password": name}))

        assert server["name"] == by_sigma["name"] == put["name"] == name
        assert server["meta"] == by_sigma["meta"] == {name: name}
        assert by_sigma["tags"][0]["name"] == name
        assert "\x00" in name or [row["name"] for row in found["servers"]] == [name]
        assert put["vnc_password"] == name

    tell(story)


def test_a_body_that_says_it_is_too_large_is_refused_unread(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        before = await on.events()

        answer = await on.sigma.post("/servers/", content=b" " * (wire.BODY_BYTES_MAX + 1))

        assert answer.status_code == 413
        assert await on.events() == before

    tell(story)


def test_a_body_of_unknown_length_is_counted_while_it_arrives(tell: Tell) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * wire.BODY_BYTES_MAX:
            sent += 2**16
            yield b" " * 2**16

    async def story(on: Wired) -> None:
        answer = await on.ops.post("/servers", content=endless())

        assert refused(answer, 413)["error"]["code"] == "too_large"

    tell(story)
    assert sent <= wire.BODY_BYTES_MAX + 2**17


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Bearer operator-tokens", "Basic operator-token", "Bearer \u00e9"],
)
def test_without_a_known_token_there_is_one_answer(tell: Tell, header: str | None) -> None:
    async def story(on: Wired) -> None:
        headers = [] if header is None else [(b"Authorization", header.encode())]
        answer = await on.bare.get("/ops/v1/servers", headers=headers)

        body = refused(answer, 401)
        assert body == {"error": {"code": "unauthorized", "message": "The credentials are missing or wrong."}}
        assert answer.headers["www-authenticate"].startswith("Bearer")

    tell(story)


@pytest.mark.parametrize(
    "pair", [(OPERATOR, ""), (OPERATOR, "wrong"), ("nobody", PASSWORDS[OPERATOR]), ("", ""), ("é", "é")]
)
def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(tell: Tell, pair: tuple[str, str]) -> None:
    async def story(on: Wired) -> None:
        answer = await on.bare.get("/api/2.0/servers/", auth=pair)

        assert refused(answer, 401) == [
            {
                "error_type": "permission",
                "error_message": "The credentials are missing or wrong.",
                "error_point": None,
            }
        ]

    tell(story)


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /w==", "Basic b3BlcmF0b3I="])
def test_basic_credentials_that_are_no_such_thing_are_refused(tell: Tell, header: str) -> None:
    async def story(on: Wired) -> None:
        answer = await on.bare.get("/api/2.0/servers/", headers={"Authorization": header})

        assert answer.status_code == 401

    tell(story)


def test_an_answer_carries_the_request_id_that_the_client_gave_or_a_new_one(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        given_one = await on.sigma.get("/servers/", headers={"X-Request-Id": "abc-123"})
        made_one = await on.sigma.get("/servers/")
        bad_one = await on.sigma.get("/servers/", headers={"X-Request-Id": "a b"})

        assert given_one.headers["x-request-id"] == "abc-123"
        assert len(made_one.headers["x-request-id"]) == 32
        assert bad_one.headers["x-request-id"] != "a b"

    tell(story)


@pytest.mark.parametrize(
    "path",
    [
        "/ops/v1/nothing",
        "/ops/v1/servers/",
        "/ops/v1/two%0Alines",
        "/api/2.0/",
        "/api/2.0",
        "/api/2.0/nothing/",
        "/api/2.0/two%0Alines/",
    ],
)
def test_an_unknown_path_is_404_in_the_shape_of_its_dialect(tell: Tell, path: str) -> None:
    async def story(on: Wired) -> None:
        body = refused(await on.bare.get(path), 404)

        assert isinstance(body, list) == path.startswith("/api")

    tell(story)


def test_a_method_that_a_path_does_not_have_is_405_and_says_which_it_has(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        ops_answer = await on.ops.delete("/servers")
        sigma_answer = await on.sigma.patch("/servers/")

        assert refused(ops_answer, 405)["error"]["code"] == "method_not_allowed"
        assert ops_answer.headers["allow"] == "GET, HEAD, POST"
        assert refused(sigma_answer, 405)[0]["error_point"] is None

    tell(story)


def test_a_path_of_no_dialect_is_plainly_not_there(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        assert (await on.bare.get("/nowhere")).status_code == 404

    tell(story)


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_as_text_is_the_same_instant_to_the_millisecond(at: datetime) -> None:
    text = wire.instant_text(at)

    assert text.endswith("Z")
    assert timedelta(0) <= at - datetime.fromisoformat(text) < timedelta(milliseconds=1)


def test_milliseconds_are_written_only_when_there_are_any() -> None:
    at = datetime(2026, 11, 20, 14, 3, 27, tzinfo=UTC)

    assert wire.instant_text(at) == "2026-11-20T14:03:27Z"
    assert wire.instant_text(at.replace(microsecond=40_000)) == "2026-11-20T14:03:27.040Z"


def test_a_fragment_is_rendered_again_only_for_another_version() -> None:
    fragments = wire.Fragments(count_max=4)
    rendered: list[str] = []

    def render(text: str) -> str:
        rendered.append(text)
        return text

    for version in (1, 1, 2, 2):
        fragments.of("id", version, lambda: render("x"))
    for number in range(10):
        fragments.of(str(number), 1, lambda: render("y"))

    assert rendered == ["x"] * 2 + ["y"] * 10


def test_a_kept_fragment_holds_no_more_memory_than_its_text() -> None:
    fragments, row = wire.Fragments(), {"name": "web-31", "tags": ["blue"] * 100}
    tracemalloc.start()
    try:
        for number in range(100):
            fragments.of(str(number), 1, lambda: row)
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held_bytes < 100 * (len(orjson.dumps(row)) + 500)


def test_an_avoid_list_is_in_one_spelling_and_in_its_order() -> None:
    first, second = "bb1d5184-ebcc-4f33-867e-db654eb2d17e", "dc3dd6d4-9b2d-44e6-bc40-e927950e8b77"

    found = wire.avoid_list([second.upper(), first.replace("-", ""), second, second])

    assert found == (second, first, second, second)
    with pytest.raises(Invalid, match="at most 1,000 UUIDs, not 10,000"):
        wire.avoid_list([first] * 10_000)
