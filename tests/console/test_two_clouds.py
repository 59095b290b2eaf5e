"""Two simulated clouds in one console, both real: copies of one demo, so that every id of one is an id of the other."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from textual.pilot import Pilot

from backend import seed
from backend.app import running
from backend.clock import Clock
from backend.folder import Credentials, Secrets
from backend.tokens import keyring
from console.app import ConsoleApp
from console.audit import AuditLog
from console.client import CloudClient
from console.contexts import Context
from console.screens.options import Opened
from tests.console.stories import app_of, type_line, until
from tests.demo import NOW, TOKEN, Steady, copied

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class RealClouds:
    """Clouds in folders, each with its backend in this process, its wire, and its audit log."""

    folder: Path
    contexts: tuple[Context, ...]
    stack: AsyncExitStack
    wires: dict[str, Steady] = field(default_factory=dict)

    @property
    def first(self) -> Context:
        return self.contexts[0]

    def log(self, name: str) -> Path:
        [found] = (path for path in (self.folder / name / "audit").glob("*.jsonl"))
        return found

    def is_near(self, _context: Context) -> bool:
        return True

    def manners(self, context: Context) -> dict[str, Any]:
        return {"is_read_only": context.is_read_only is True, "landing_view": "overview"}

    def open(self, context: Context) -> Opened:
        data = Path(context.place)
        client: CloudClient | None = None

        async def factory() -> CloudClient:
            nonlocal client
            if client is None:
                credentials = keyring(data, Credentials({seed.OPERATOR: Secrets("a-password", TOKEN)}))
                app = running(data, credentials=credentials, clock=Clock.manual(NOW))
                wire = self.wires[context.name] = Steady(await self.stack.enter_async_context(app))
                http = httpx.AsyncClient(
                    transport=wire, base_url="http://stratodeck", headers={"Authorization": f"Bearer {TOKEN}"}
                )
                logs = self.folder / context.name / "audit"
                client = CloudClient(http, lambda id: AuditLog(logs, id, lambda: NOW, data=data))
            return client

        return Opened(factory)


async def test_a_verb_on_a_row_of_the_other_cloud_is_done_there_and_written_in_its_log(
    demo: Path, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        names = ("lab", "prod")
        contexts = tuple(Context(name, "data", str(copied(demo, tmp_path / name / "data"))) for name in names)
        clouds = RealClouds(tmp_path, contexts, stack)
        app = ConsoleApp(clouds.open(clouds.first).client_factory, clouds=clouds, now=lambda: NOW)
        async with app.run_test(size=(120, 30)) as pilot:
            await _list_both(pilot)
            mirrors = {name: screen.mirror for name in names if (screen := app.clouds.opened(name)) is not None}
            assert mirrors["lab"].cloud == mirrors["prod"].cloud
            assert mirrors["lab"].servers.keys() == mirrors["prod"].servers.keys()

            # One falls silent: its rows stay, and the other one's verbs go on.
            clouds.wires["lab"].is_cut = True
            app.main.clouds.wake(app.main)
            await until(pilot, "silent since")
            await type_line(pilot, "/state:run cell:cell-1 cloud:prod")
            await pilot.press("enter", "g", "x", "o")
            await until(pilot, "[ power off ]")
            await pilot.press("tab", "enter")
            await until(pilot, "power off accepted")

    assert '"outcome":"accepted"' in clouds.log("prod").read_text()
    assert not list((tmp_path / "lab" / "audit").glob("*"))


async def _list_both(pilot: Pilot[Any]) -> None:
    await until(pilot, "NEEDS ATTENTION")
    await type_line(pilot, ":servers @all")
    await pilot.press("enter")
    total = 2 * len(app_of(pilot).main.mirror.servers)
    await until(pilot, f"sort state   {total:,}")
