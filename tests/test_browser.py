"""The console in a real browser: the demo is shown, a key moves the cursor, and there is something to look at."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import aiohttp
import pyte
import pytest

from backend import folder
from tests.browser import browsing, find_browser

BROWSER = find_browser()
SAYS = "stratodeck: "


@contextmanager
def web_console(data: Path, *options: str) -> Iterator[str]:
    """The address that it prints."""
    command = [sys.executable, "-m", "console", "web", "--port", "0", "--data", str(data), *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(SAYS), line
        yield line.removeprefix(SAYS).strip()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def cursor_line(lines: list[str]) -> str:
    (found,) = (line for line in lines if line.startswith("▌"))
    return found


class Tab:
    """A page as far as its console can tell: what comes is drawn, and keys go."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._screen = pyte.Screen(100, 30)
        self._stream = pyte.ByteStream(self._screen)

    async def until(self, *words: str) -> str:
        async with asyncio.timeout(60):
            while not all(word in "\n".join(self._screen.display) for word in words):
                await self.draw()
        return "\n".join(self._screen.display)

    async def draw(self) -> None:
        """The next piece; as ages grow, there is one each second."""
        message = await self._socket.receive()
        assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
        if message.type is aiohttp.WSMsgType.BINARY:
            self._stream.feed(message.data)

    async def press(self, keys: str) -> None:
        await self._socket.send_json(["stdin", keys])


@pytest.mark.thorough
@pytest.mark.anyio
async def test_tabs_share_one_cloud_and_outlive_each_other(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with web_console(data, "--cloud", "empty") as entrance:
        address = entrance.partition("/?")[0]
        opening = partial(aiohttp.ClientSession.ws_connect, url=f"{address}/ws?width=100&height=30", origin=address)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            async with browser.get(entrance) as page:
                assert page.status == 200
            first_socket = await opening(browser)
            first = Tab(first_socket)
            await first.until("cell-4", "● up")
            owner = folder.find_running(data)
            async with opening(browser) as second_socket:
                second = Tab(second_socket)
                await second.until("cell-4", "● up")
                both = folder.find_running(data)
                await first_socket.close()
                await second.press(":rehearse drain-in-full-cell\r")
                # A tab is one console: nothing takes its place.
                await second.until("no rehearsal can be begun from here")
                await second.press(":hosts\r")
                await second.until("c1-h01")
                async with asyncio.timeout(60):
                    while (heir := folder.find_running(data)) is None or heir == owner:
                        await second.draw()

    assert owner is not None
    assert both == owner
    assert heir is not None
    assert heir.pid != owner.pid


@pytest.mark.thorough
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")
@pytest.mark.anyio
async def test_a_browser_shows_the_demo_and_a_key_moves_the_cursor(tmp_path: Path) -> None:
    assert BROWSER is not None
    with web_console(tmp_path / "data") as address:
        async with browsing(BROWSER, tmp_path / "browser") as page:
            await page.tell("Page.navigate", url=address)
            before = await page.until("cell-1", "cell-4", "NEEDS ATTENTION", "▌")
            first = await page.screenshot()
            await page.press("j")
            after = await page.until("▌cell-2")
            picture = await page.screenshot()
            found = await page.tell("Runtime.evaluate", expression="location.href + ' ' + document.cookie")

    (tmp_path / "browser.png").write_bytes(picture)
    assert "cell-1" in cursor_line(before)
    assert "cell-2" in cursor_line(after)
    # The token has left the address bar, and no script can read the cookie.
    assert found["result"]["value"].strip() == address.partition("?")[0]
    assert {each.partition("/static/")[0] for each in page.asked_for if not each.startswith(("data:", "blob:"))} <= {
        address, address.partition("?")[0], address.partition("/?")[0],
    }  # fmt: skip
    assert picture.startswith(b"\x89PNG")
    assert picture != first
    assert len(picture) > 20_000, "a page with nothing on it is far smaller"
