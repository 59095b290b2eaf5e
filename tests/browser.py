"""A headless Chromium that tests drive over its DevTools protocol, and what a page of ours draws in it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pyte
from websockets.asyncio.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 1200, 800


def find_browser() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name)) is not None), None)


class Page:
    """One tab. What its websocket brings is drawn on `screen` too, because the page itself draws on a canvas."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self.screen = pyte.Screen(300, 100)
        self._stream = pyte.ByteStream(self.screen)
        self.asked_for: list[str] = []
        """The addresses that the page has loaded something from."""
        self._news = asyncio.Event()

    async def read(self) -> None:
        async for text in self._connection:
            said = json.loads(text)
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said.get("result", said))
            elif said["method"] == "Network.webSocketFrameReceived":
                frame = said["params"]["response"]
                if frame["opcode"] == 2:
                    self._stream.feed(base64.b64decode(frame["payloadData"]))
            elif said["method"] == "Network.responseReceived":
                self.asked_for.append(said["params"]["response"]["url"])
            news, self._news = self._news, asyncio.Event()
            news.set()

    async def tell(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        return await answer

    async def until(self, *words: str) -> list[str]:
        """The lines of the terminal, once they hold all the words."""
        async with asyncio.timeout(60):
            while not all(word in "\n".join(self.screen.display) for word in words):
                await self._news.wait()
        return [line.rstrip() for line in self.screen.display]

    async def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" else {}
            await self.tell("Input.dispatchKeyEvent", type=kind, key=key, code=f"Key{key.upper()}", **text)

    async def screenshot(self) -> bytes:
        return base64.b64decode((await self.tell("Page.captureScreenshot", format="png"))["data"])


def _begin(browser: str, folder: Path) -> subprocess.Popen[str]:
    command = [
        browser,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        f"--window-size={WIDTH},{HEIGHT}",
        "about:blank",
    ]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)


@asynccontextmanager
async def browsing(browser: str, folder: Path) -> AsyncIterator[Page]:
    """A page that shows nothing yet, in a browser of its own whose profile is in `folder`."""
    process = await asyncio.to_thread(_begin, browser, folder)
    try:
        assert process.stderr is not None
        errors = process.stderr
        address = await asyncio.to_thread(
            lambda: next((line for line in errors if "DevTools listening on" in line), "")
        )
        assert address, "the browser has ended before it listened"
        port = address.rpartition("ws://")[2].partition("/")[0].rpartition(":")[2]
        async with httpx.AsyncClient(trust_env=False) as client:
            targets = (await client.get(f"http://127.0.0.1:{port}/json")).json()
        page_address = next(each["webSocketDebuggerUrl"] for each in targets if each["type"] == "page")
        async with connect(page_address, max_size=None, proxy=None) as connection:
            page = Page(connection)
            reading = asyncio.create_task(page.read())
            for domain in ("Page", "Network", "Runtime"):
                await page.tell(f"{domain}.enable")
            yield page
            reading.cancel()
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close() if process.stderr is not None else None
