"""The real console on the real demo cloud, in one process and at one instant, for snapshots and screenshots.

What depends on the speed of the machine (how long a cell took to answer, when it is asked again) is made steady where
it crosses the wire; everything else is what the backend says.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
from textual import events
from textual.pilot import Pilot

import console
from backend import seed
from backend.app import App, running
from backend.clock import Clock
from backend.folder import Credentials, Secrets
from backend.tokens import keyring
from console.app import ConsoleApp
from console.audit import AuditLog
from console.client import CloudClient
from console.screens import views
from tests.builders import NOON
from tests.console.fakes import screen_text

NOW = NOON + timedelta(seconds=27)
"""The demo is made at noon, and looked at 27 seconds later."""
TOKEN = "a-token-of-the-tests"
TURNS_MAX = 2000


Request = tuple[str, str, bytes]
"""Method, path with what is asked, and body."""
Answer = tuple[int, bytes]


class Steady(httpx.AsyncBaseTransport):
    """The wire to the app, with the machine's own speed taken out.

    `is_cut` is a backend that has gone, and with it what was on its way: one request is refused, and none after it ever
    answered. A console that is refused again says so, after a pause of the machine's own time.
    """

    def __init__(self, app: App) -> None:
        self._inner = httpx.ASGITransport(app)
        self.is_cut = False
        self.begun = 0
        """How many requests have come; the one that waits for changes is not counted."""
        self.open = 0
        """How many of them have not been answered."""
        self.kept: dict[Request, Answer] | None = None
        """What was answered, where that is to be kept."""
        self._has_refused = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        is_counted = not request.url.path.endswith("/changes")
        await self._go_on(request, is_heard=is_counted)
        self.begun += is_counted
        self.open += is_counted
        try:
            response = await self._inner.handle_async_request(request)
            body = await response.aread()
        finally:
            self.open -= is_counted
        await self._go_on(request, is_heard=is_counted)
        if b'"answer_ms"' in body:
            found = orjson.loads(body)
            for cell in found.get("cells", [found.get("cell", found)]):
                _steady(cell)
            body = orjson.dumps(found)
        if self.kept is not None:
            asked = request.method, request.url.raw_path.decode(), request.content
            self.kept[asked] = response.status_code, body
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return httpx.Response(response.status_code, headers=headers, content=body)

    async def _go_on(self, request: httpx.Request, *, is_heard: bool) -> None:
        """Once it is cut, refuse the first request whose failure the console says, and let all others wait."""
        if not self.is_cut:
            return
        if is_heard and not self._has_refused:
            self._has_refused = True
            raise httpx.ConnectError("connection refused", request=request)
        await asyncio.Event().wait()


def _steady(cell: dict[str, Any]) -> None:
    if cell["answer_ms"] is not None:
        cell["answer_ms"] = 4.0
    if cell["next_try_seconds"] is not None:
        cell["next_try_seconds"] = 14.0
    cell["history"] = cell["history"][-1:]


class DemoConsole(ConsoleApp):
    """The console, with the backend in its own loop."""

    CSS_PATH = str(Path(console.__file__).with_name("console.tcss"))
    """Textual looks for it beside the module of the subclass."""

    def __init__(
        self,
        folder: Path,
        *,
        is_production: bool = False,
        account: str = seed.OPERATOR,
        through: Callable[[Steady], httpx.AsyncBaseTransport] = lambda wire: wire,
        **options: Any,
    ) -> None:
        """`through` is what lies between the client and the wire."""
        super().__init__(self._connect, now=lambda: NOW, **options)
        self._is_production, self._account, self._through = is_production, account, through
        self._folder = folder
        self._open = AsyncExitStack()
        self._client: CloudClient | None = None
        self.wire: Steady | None = None

    async def _connect(self) -> CloudClient:
        if self._client is None:
            credentials = keyring(self._folder, Credentials({self._account: Secrets("a-password", TOKEN)}))
            context = running(self._folder, credentials=credentials, clock=Clock.manual(NOW))
            self.wire = Steady(await self._open.enter_async_context(context))
            headers = {"Authorization": f"Bearer {TOKEN}"}
            http = httpx.AsyncClient(transport=self._through(self.wire), base_url="http://stratodeck", headers=headers)
            audit = self._folder.with_name("audit")
            self._client = CloudClient(
                http, lambda cloud_id: AuditLog(audit, cloud_id, lambda: NOW), lambda _: self._is_production
            )
        return self._client

    async def on_unmount(self, event: events.Unmount) -> None:
        await self._open.aclose()


@dataclass(frozen=True, slots=True)
class Story:
    """How to get to a screen: what is typed, and a word that is there when it has come."""

    name: str
    typed: tuple[str, ...] = ()
    """Each part is typed as it stands; `<enter>` and the like are keys."""
    wait_for: str = "NEEDS ATTENTION"
    then: Callable[[DemoConsole], Awaitable[None]] | None = None


async def cut_the_wire(app: DemoConsole) -> None:
    assert app.wire is not None, "it has connected"
    app.wire.is_cut = True


STORIES = {
    story.name: story
    for story in (
        Story("overview"),
        Story("servers", (":servers", "<enter>"), "sort state"),
        Story("drives", (":drives", "<enter>"), "mounted"),
        Story("drive", (":drives /web-31-boot", "<enter>", "<enter>"), "boot order"),
        Story("hosts", (":hosts", "<enter>", "j", "l", "l"), "compute host"),
        Story("host", (":host c2-h07", "<enter>"), "LAYERS"),
        Story("drain", (":host c2-h07", "<enter>", "xd"), "[ drain ]"),
        Story("groups", (":groups", "<enter>"), "members"),
        Story("group", (":groups", "<enter>", "<enter>"), "needs"),
        Story("group-drives", (":groups", "<enter>", "M"), "drives   "),
        Story("backfill", (":backfill", "<enter>"), "most_free_by_cpu"),
        Story("capacity", (":capacity", "<enter>"), "SPLIT"),
        Story("what-if", (":capacity", "<enter>", "<W>", "<3>"), "All 3 servers"),
        Story("cells", (":cells", "<enter>"), "injected"),
        Story("services", (":services", "<enter>"), "nova-scheduler"),
        Story("schedules", (":schedules", "<enter>", "j", "j", "j"), "web nightly:"),
        Story("backups", (":schedules", "<enter>", "j", "j", "j", "<enter>"), "daily: the newest"),
        Story("calendar", (":calendar", "<enter>"), "at once"),
        Story("storage", (":storage", "<enter>"), "FULL IN"),
        Story("clock", (":clock", "<enter>"), "DUE NEXT"),
        Story("faults", (":faults", "<enter>"), "INJECTED NOW"),
        Story("audit", (":cells", "<enter>", "xa", ":audit", "<enter>"), "ask cell-3"),
        Story("billing", (":billing", "<enter>"), "burst, now"),
        Story("tasks", (":tasks", "<enter>"), "ENDED"),
        Story("events", (":events", "<enter>"), "web-31"),
        Story("past", (":events", "<enter>", "<left_parenthesis>", "<left_parenthesis>", "<left_parenthesis>"), "PAST"),
        Story("time-travel", ("T", "<left_curly_bracket>", "<left_curly_bracket>", "<left_curly_bracket>"), "-3m"),
        Story("detail", (":servers /web-31", "<enter>", "d"), "web-31"),
        Story("why", (":servers /web-31", "<enter>", "w"), "decided by"),
        Story("help", ("?",), "half"),
        Story("columns", (":servers @cell-2 kind:back cpu>=4 /rndr", "<enter>", "c"), "columns"),
        Story("palette", (":servers /web-31", "<enter>", "<ctrl+p>", "web"), "what to do"),
        Story("actions", (":servers /web-31", "<enter>", "x"), "power off"),
        Story("clone", (":servers /web-31", "<enter>", "xC", "<enter>", "<enter>"), "[ clone and start ]"),
        Story("edit", (":servers /erp-02", "<enter>", "xe"), "Edit erp-02"),
        Story("create", (":servers", "<enter>", "<plus>", "web-99", "<tab>", "8GHz", "<tab>", "16G", "<enter>"),
              "[ create ]"),
        Story("confirmation", (":servers /erp-02", "<enter>", "xo"), "GROWS"),
        Story("stale", (":servers", "<enter>"), "sort state", cut_the_wire),
    )
}  # fmt: skip


def make_demo(folder: Path) -> Path:
    return make_cloud(folder, "demo")


def make_cloud(folder: Path, kind: str) -> Path:
    clock_state = {"mode": "manual", "rate": 0, "simulated_at": NOON.isoformat()}
    seed.make(folder, kind, seed=1, now=NOON, clock_state=clock_state)
    return folder


def copied(demo: Path, folder: Path) -> Path:
    """A demo of one's own: opening a cloud writes to its folder."""
    shutil.copytree(demo, folder)
    return folder


async def play(pilot: Pilot[Any], story: Story) -> None:
    """Wait until the console knows the whole cloud, and walk to the story's screen."""
    app = pilot.app
    assert isinstance(app, DemoConsole)
    await _until(pilot, lambda: app.main.mirror.is_complete and not _is_asking(app))
    for part in story.typed:
        await pilot.press(*_keys(part))
        # What comes of these keys is not to come after the next ones.
        await _until(pilot, lambda: not _is_doing(app))
    await _until(pilot, lambda: not _is_doing(app) and not _is_asking(app) and story.wait_for in screen_text(app))
    if story.then is not None:
        await story.then(app)
        app.main.feed.wake()
        await _until(pilot, lambda: app.main.mirror.is_offline and app.main.is_settled)
    await pilot.pause()


LOOPS = {"status", "feed", "drives", "log"}
"""Workers that never end."""


def _is_doing(app: DemoConsole) -> bool:
    """Whether a verb, a page or a dialog waits for an answer. Those below a dialog wait for the operator."""
    workers = (worker for worker in app.workers if worker.group not in LOOPS and worker.node.screen is app.screen)
    return any(not worker.is_finished for worker in workers)


def _is_asking(app: DemoConsole) -> bool:
    """Whether a source has not answered yet, a silent cell's rows are still to come, or what came is not drawn."""
    mirror = app.main.mirror
    known = sum(cell.servers or 0 for cell in mirror.cells or ())
    if mirror.hosts is None or mirror.tasks is None or len(mirror.servers) < known or not mirror.events:
        return True
    wanted = views.wanted(replace(app.main.place, cursor=app.main.cursor_key), mirror)
    if "drives" in wanted and not mirror.are_drives_complete:
        return True
    if not all(map(mirror.protection.has, wanted)):
        return True
    return not app.main.is_settled


def _keys(part: str) -> list[str]:
    if part.startswith("<"):
        return [part.strip("<>")]
    names = {" ": "space", ":": "colon", "/": "slash", "-": "minus", "?": "question_mark"}
    return [names.get(each, each) for each in part]


async def _until(pilot: Pilot[Any], is_so: Callable[[], bool]) -> None:
    for _ in range(TURNS_MAX):
        if is_so():
            return
        await pilot.pause()
    raise AssertionError(f"it never came:\n{screen_text(pilot.app)}")  # type: ignore[arg-type]
