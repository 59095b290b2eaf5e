"""The console in a real browser: the demo is shown, a key moves the cursor, and there is something to look at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browser import browsing, find_browser

BROWSER = find_browser()
SAYS = "stratodeck: "


@contextmanager
def web_console(folder: Path) -> Iterator[str]:
    """The address that it prints."""
    command = [sys.executable, "-m", "console", "web", "--port", "0", "--data", str(folder)]
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
