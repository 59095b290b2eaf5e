"""`python -m tests.benchmarks.list_program console|table|stock ROWS`: a list in a terminal that nobody sees.

Every frame is made to the last byte and thrown away, at 120 x 40. Each line on standard input is a number of keys and
whether they scroll; the answer is how many milliseconds of this process's CPU one key took, until its frame was there.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.pilot import Pilot
from textual.widgets import DataTable

SIZE = (120, 40)
PAUSE_SECONDS = 0.02
"""Between keys, so that what a key leads to is over before the next one."""
ROWS_SEEN = 30
"""So far the cursor goes without scrolling."""


class UnseenDriver(HeadlessDriver):
    """A terminal for which everything is drawn, and which forgets it at once."""

    painted: ClassVar[asyncio.Event] = asyncio.Event()

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        if len(data) > len("\x1b[?2026h"):
            self.painted.set()


class StockTable(App[None]):
    """Textual's own table, and nothing else."""

    def __init__(self, rows: int) -> None:
        super().__init__(driver_class=UnseenDriver)
        self._rows = rows

    def compose(self) -> ComposeResult:
        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns("state", "name", "cell", "host", "tier", "cpu", "memory", "up")
        for n in range(self._rows):
            table.add_row("running", f"app-{n:05}", f"cell-{n % 10}", f"c1-h{n % 97}", "normal", "4.0", "16", "2h")


def our_console(rows: int) -> App[None]:
    """The whole console, with the rows in its mirror: a key also draws the status and the keys."""
    from tests.console.examples import a_large_fleet
    from tests.console.fakes import FakeCloud, an_app

    cells = {f"cell-{n}": "up" for n in range(10)}
    app = an_app(FakeCloud(servers=list(a_large_fleet(rows)), cells=cells), poll_seconds=3600)
    app.driver_class = UnseenDriver
    return app


def our_table(rows: int) -> App[None]:
    """Our list widget with the same rows, and nothing else."""
    import console.app
    from console.presentation import servers
    from console.presentation.lines import UNICODE
    from console.presentation.mirror import Mirror
    from console.records import ServersPage
    from console.widgets.table import RegionList
    from tests.console.examples import NOW, a_frame, a_large_fleet, the_status

    fleet = a_large_fleet(rows)
    mirror = Mirror().apply(the_status(), NOW).apply(ServersPage(fleet, None, "cursor", rows), NOW)

    class OurTable(App[None]):
        CSS_PATH = str(Path(console.app.__file__).with_name("console.tcss"))

        def compose(self) -> ComposeResult:
            yield RegionList(UNICODE, id="body")

        def on_mount(self) -> None:
            self.query_one(RegionList).show(servers.view(mirror, a_frame(*SIZE)).regions)

        def on_key(self, event: events.Key) -> None:
            self.query_one(RegionList).move(1 if event.key == "down" else -1)

    return OurTable(driver_class=UnseenDriver)


PROGRAMS: Mapping[str, Callable[[int], App[None]]] = {
    "console": our_console,
    "table": our_table,
    "stock": StockTable,
}


async def press(app: App[Any], keys: str) -> float:
    """CPU seconds until all of it is painted."""
    began = time.process_time()
    for key in keys:
        UnseenDriver.painted.clear()
        app.post_message(events.Key(key, None) if len(key) > 1 else _key_of(key))
        await UnseenDriver.painted.wait()
        await asyncio.sleep(PAUSE_SECONDS)
    return time.process_time() - began


def _key_of(sign: str) -> events.Key:
    names = {"d": "down", "u": "up", ":": "colon", "\r": "enter"}
    return events.Key(names.get(sign, sign), None if sign in "du" else sign)


async def open_list(app: App[Any], rows: int) -> None:
    """Wait until the list with all its rows is what is on the screen."""
    from console.app import ConsoleApp

    if isinstance(app, ConsoleApp):
        await _until(lambda: len(app.main.mirror.servers) == rows and app.main.is_settled)
        for sign in ":servers\r":
            app.post_message(_key_of(sign))
            await asyncio.sleep(PAUSE_SECONDS)
        await _until(lambda: app.main.place.view == "servers" and app.main.is_settled)
    await asyncio.sleep(10 * PAUSE_SECONDS)


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - a screen does not say when it has come to rest
        await asyncio.sleep(PAUSE_SECONDS)


def main(side: str, rows: int) -> None:
    app = PROGRAMS[side](rows)

    async def obey(_pilot: Pilot[Any]) -> None:
        await open_list(app, rows)
        say({"state": "ready"})
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            asked = json.loads(line)
            keys = _keys(asked["keys"], scrolls=asked["scrolls"])
            say({"state": "done", "cpu_ms": 1000 * await press(app, keys) / len(keys)})
        app.exit()

    app.run(size=SIZE, auto_pilot=obey)


def say(line: dict[str, Any]) -> None:
    """To whoever started us: Textual keeps what is printed for itself."""
    print(json.dumps(line), file=sys.__stdout__, flush=True)


def _keys(count: int, *, scrolls: bool) -> str:
    return "d" * count if scrolls else (("d" * ROWS_SEEN + "u" * ROWS_SEEN) * count)[:count]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
