"""The console in a browser: who may come in, and with what."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

import console
from console import web
from console.web import WebConsole
from tests.console.test_cli import refusal

# What textual-serve takes for a Textual program: it says so, draws a word, and waits until its input is closed.
PROGRAM = (
    "import sys, os; out = sys.stdout.buffer; word = b'drawn'; "
    "out.write(b'__GANGLION__\\n' + b'D' + len(word).to_bytes(4, 'big') + word); out.flush(); "
    "head = sys.stdin.buffer.read(5); sys.stdin.buffer.read(int.from_bytes(head[1:], 'big'))"
)
COMMAND = (sys.executable, "-S", "-c", PROGRAM)


@asynccontextmanager
async def answering(command: Sequence[str] = COMMAND, **more: Any) -> AsyncIterator[WebConsole]:
    with web.bind(0) as bound:
        served = WebConsole(command, bound.getsockname()[1], **more)
        async with web.serving(served, bound):
            yield served


@asynccontextmanager
async def visitor(served: WebConsole, *, enters: bool = True) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser, with the cookie that it got at the entrance."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        if enters:
            async with session.get(served.entrance) as answer:
                assert answer.status == 200
        yield session


async def opens(session: aiohttp.ClientSession, served: WebConsole, **headers: str) -> int:
    """The status with which a session was refused; 101 where it was opened, and has drawn something."""
    try:
        async with session.ws_connect(f"{served.address}/ws", headers={"Origin": served.address, **headers}) as opened:
            assert (await opened.receive()).data == b"drawn"
            return 101
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status


@pytest.mark.anyio
async def test_the_token_is_exchanged_for_a_cookie_that_no_script_reads_and_no_other_site_sends() -> None:
    async with answering() as served, visitor(served, enters=False) as session:
        async with session.get(served.entrance, allow_redirects=False) as answer:
            said = answer.headers["Set-Cookie"]

        assert (answer.status, answer.headers["Location"]) == (303, "/")
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in said.split(";")}
        assert served.entrance.partition("token=")[2] not in said
        async with session.get(f"{served.address}/") as page:
            text = await page.text()
        assert page.status == 200
        assert f"ws://127.0.0.1:{served.port}/ws" in text
        assert page.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert await opens(session, served) == 101


@pytest.mark.anyio
async def test_without_the_token_there_is_nothing_not_even_a_picture() -> None:
    async with answering() as served, visitor(served, enters=False) as session:
        statuses = []
        for path in (
            "/",
            "/?token=",
            "/?token=wrong",
            "/?token=%F0%9F%90%8D",
            "/static/js/textual.js",
            "/download/x",
            "/no",
        ):
            async with session.get(f"{served.address}{path}") as answer:
                statuses.append(answer.status)
                assert "Set-Cookie" not in answer.headers
        session.cookie_jar.update_cookies({f"stratodeck-{served.port}": "wrong"})

        assert statuses == [401] * 7
        assert await opens(session, served) == 401


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["localhost:PORT", "127.0.0.1", "evil.example:PORT", "127.0.0.1:1"])
async def test_no_other_name_leads_in_not_even_with_the_cookie(host: str) -> None:
    async with answering() as served, visitor(served) as session:
        named = {"Host": host.replace("PORT", str(served.port))}
        async with session.get(f"{served.address}/", headers=named) as answer:
            assert answer.status == 421
        async with session.get(served.entrance, headers=named) as answer:
            assert (answer.status, "Set-Cookie" in answer.headers) == (421, False)
        assert await opens(session, served, **named) == 421


@pytest.mark.anyio
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost:PORT", "https://127.0.0.1:PORT", "null", ""]
)
async def test_no_other_page_opens_a_session_not_even_with_the_cookie(origin: str) -> None:
    async with answering() as served, visitor(served) as session:
        assert await opens(session, served, Origin=origin.replace("PORT", str(served.port))) == 403


@pytest.mark.anyio
async def test_nothing_but_reading_is_asked_for() -> None:
    async with (
        answering() as served,
        visitor(served) as session,
        session.post(f"{served.address}/", data=b"x") as answer,
    ):
        assert answer.status == 405


@pytest.mark.anyio
async def test_there_are_so_many_sessions_and_no_more_until_one_ends() -> None:
    async with answering(sessions_max=1) as served, visitor(served) as session:
        async with session.ws_connect(f"{served.address}/ws", headers={"Origin": served.address}) as opened:
            assert (await opened.receive()).data == b"drawn"
            assert await opens(session, served) == 503
            async with session.get(f"{served.address}/") as page:
                assert (page.status, await page.text()) == (
                    503,
                    "1 tabs are open, which is the most. Close one of them.\n",
                )
        while served.sessions:
            await served.ended()
        assert await opens(session, served) == 101


@pytest.mark.anyio
@pytest.mark.parametrize("message", ["no JSON", "{}", "[]", '["stdin", 7]', '["resize", {}]', '["resize", null]'])
async def test_what_no_page_of_ours_says_ends_its_session_and_no_other(message: str) -> None:
    async with answering() as served, visitor(served) as session:
        async with session.ws_connect(f"{served.address}/ws", headers={"Origin": served.address}) as opened:
            assert (await opened.receive()).data == b"drawn"
            await opened.send_str(message)
            end = await opened.receive()

        assert end.type is aiohttp.WSMsgType.CLOSE
        assert await opens(session, served) == 101


@pytest.mark.anyio
async def test_two_servers_have_two_secrets_and_neither_is_in_a_command() -> None:
    async with answering() as one, answering() as other, visitor(one) as session:
        assert one.entrance.partition("token=")[2] != other.entrance.partition("token=")[2]
        assert one.entrance.partition("token=")[2] not in one.command
        # A cookie counts for all ports of a host, so each server has a name of its own for it.
        async with session.get(f"{other.address}/") as answer:
            assert answer.status == 401


def test_without_the_extra_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    # None is what Python itself keeps there for a module that is not to be imported.
    for name in ("textual_serve", "textual_serve.app_service", "textual_serve.server"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "console.web")
    monkeypatch.delattr(console, "web")

    assert "needs textual-serve, which is not installed: pip install 'stratodeck[web]'." in refusal("web")


def test_a_port_that_is_taken_is_told() -> None:
    with web.bind(0) as taken:
        port = taken.getsockname()[1]

        assert f"Cannot listen on 127.0.0.1:{port}: address already in use." in refusal("web", "--port", str(port))
