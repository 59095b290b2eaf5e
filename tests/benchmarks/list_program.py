"""`python -m tests.benchmarks.list_program console|table|stock ROWS`: a list in a terminal that nobody sees.

Every frame is made to the last byte and thrown away, at 120 x 40. Each line on standard input is a number of keys and
whether they scroll, or a kind of work and how often; the answer is how many milliseconds of this process's CPU one key,
or one piece of the work, took until its frame was there.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import DataTable

if TYPE_CHECKING:
    from console.app import ConsoleApp

SIZE = (120, 40)
PAUSE_SECONDS = 0.02
"""Between keys, so that what a key leads to is over before the next one."""
PATIENCE_SECONDS = 1.0
SETTLED_SECONDS = 0.15
"""After a piece of work, so that a repaint that it puts off is counted with it."""


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
    from console.widgets.painting import TONE_CLASSES
    from console.widgets.table import RegionList
    from tests.console.examples import NOW, a_frame, a_large_fleet, the_status

    fleet = a_large_fleet(rows)
    mirror = Mirror().apply(the_status(), NOW).apply(ServersPage(fleet, None, "cursor", rows), NOW)

    class Toned(Screen[None]):
        COMPONENT_CLASSES = TONE_CLASSES

    class OurTable(App[None]):
        CSS_PATH = str(Path(console.app.__file__).with_name("console.tcss"))

        def get_default_screen(self) -> Screen[None]:
            return Toned()

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


async def press(app: App[Any], keys: Iterable[str]) -> float:
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


# Work on a list, by the name of what is measured. Each piece of it is a key, or what the feed brings ---------------


async def _worked(app: App[Any], work: str, times: int) -> float:
    """CPU seconds of so many pieces of the work, each drawn before the next."""
    from console.app import ConsoleApp

    pieces = _ours(app, work, times) if isinstance(app, ConsoleApp) else _stock(app.query_one(DataTable), work, times)
    seconds = 0.0
    for piece in pieces:
        UnseenDriver.painted.clear()
        began = time.process_time()
        piece()
        # What changes nothing that is in sight paints nothing.
        with suppress(TimeoutError):
            await asyncio.wait_for(UnseenDriver.painted.wait(), PATIENCE_SECONDS)
        await asyncio.sleep(SETTLED_SECONDS)
        seconds += time.process_time() - began
    if work == "filter" and isinstance(app, ConsoleApp):
        # Back to all rows; where they are in sight already nothing is painted.
        app.post_message(events.Key("escape", None))
        await asyncio.sleep(SETTLED_SECONDS)
    return seconds


def _ours(app: ConsoleApp, work: str, times: int) -> Iterator[Callable[[], object]]:
    def key(name: str, sign: str | None = None) -> Callable[[], object]:
        return lambda: app.post_message(events.Key(name, sign))

    match work:
        case "page":
            yield from (key("pagedown" if n % 2 == 0 else "pageup") for n in range(times))
        case "sort":
            yield from (key("S", "S") for _ in range(times))
        case "filter":
            app.main.begin_prompt("/")
            # Each sign narrows, or widens again.
            yield from (key("9", "9") if n % 2 == 0 else key("backspace") for n in range(times))
        case _:
            yield from (partial(_bring, app, n) for n in range(times))


def _bring(app: ConsoleApp, number: int) -> None:
    """What the change feed brings in a second: a hundred servers have changed, some of those in sight among them."""
    from tests.console.fakes import FakeCloud

    cloud = app.main.client
    assert isinstance(cloud, FakeCloud)
    rows = list(app.main.mirror.servers.values())
    states = ("stopped", "running")
    cloud.push(*(replace(row, state=states[number % 2], version=2 + number) for row in rows[:: len(rows) // 100]))


def _stock(table: DataTable[str], work: str, times: int) -> Iterator[Callable[[], object]]:
    name = list(table.columns)[1]
    match work:
        case "page":
            yield from (table.action_page_down if n % 2 == 0 else table.action_page_up for n in range(times))
        case "sort":
            yield from (partial(table.sort, name, reverse=n % 2 == 0) for n in range(times))
        case "filter":
            rows = [table.get_row_at(index) for index in range(table.row_count)]
            for n in range(times):
                yield partial(_fill, table, [row for row in rows if n % 2 or "9" in row[1]])
        case _:
            yield from (partial(_change, table, n) for n in range(times))


def _fill(table: DataTable[str], rows: list[list[str]]) -> None:
    table.clear()
    for row in rows:
        table.add_row(*row)


def _change(table: DataTable[str], number: int) -> None:
    state, columns = ("stopped", "running")[number % 2], list(table.columns)
    for key in list(table.rows)[:: max(1, table.row_count // 100)]:
        table.update_cell(key, columns[0], state)


def main(side: str, rows: int) -> None:
    app = PROGRAMS[side](rows)

    async def obey(_pilot: Pilot[Any]) -> None:
        await open_list(app, rows)
        say({"state": "ready"})
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            asked = json.loads(line)
            if "work" in asked:
                seconds = await _worked(app, asked["work"], asked["times"]) / asked["times"]
            else:
                keys = _keys(asked["keys"], scrolls=asked["scrolls"])
                seconds = await press(app, keys) / len(keys)
            say({"state": "done", "cpu_ms": 1000 * seconds})
        app.exit()

    app.run(size=SIZE, auto_pilot=obey)


def say(line: dict[str, Any]) -> None:
    """To whoever started us: Textual keeps what is printed for itself."""
    print(json.dumps(line), file=sys.__stdout__, flush=True)


def _keys(count: int, *, scrolls: bool) -> str:
    """Down and on, or down and back again by few enough rows that nothing scrolls."""
    return "d" * count if scrolls else "d" * (count // 2) + "u" * (count // 2)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
