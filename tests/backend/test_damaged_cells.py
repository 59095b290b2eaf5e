"""Whatever is in a cell's file: the cell is down and says why, or the damage is not met. All others serve."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.app import App, running
from backend.clock import Clock
from backend.cloud.errors import Unreachable
from backend.cloud.model import Reachability, ReachabilityState
from backend.folder import Credentials, Secrets
from backend.seed import CELLS, DOWN_CELL, OPERATOR
from backend.store import FolderError
from backend.tokens import keyring
from tests.backend.support import make_folder, opened
from tests.demo import NOW, TOKEN, copied
from tests.outages import PATIENT_SECONDS, cell_file

PAGE_BYTES = 4096
PAGES = 10
"""So many are damaged in a row."""
HOURS = 3 * 3600
LISTS = ("servers?limit=1000", "drives?limit=1000", "hosts", "tasks", "groups", "schedules", "capacity", "events")


def random_bytes(path: Path, page: int) -> None:
    count = min(PAGES * PAGE_BYTES, path.stat().st_size - page * PAGE_BYTES)
    _overwrite(path, page, random.Random(page).randbytes(count))


def zeroes(path: Path, page: int) -> None:
    _overwrite(path, page, bytes(min(PAGES * PAGE_BYTES, path.stat().st_size - page * PAGE_BYTES)))


def cut(path: Path, page: int) -> None:
    with open(path, "r+b") as file:
        file.truncate(page * PAGE_BYTES)


def flipped_bits(path: Path, page: int) -> None:
    """A text that is none any more, in a page that is whole."""
    at = page * PAGE_BYTES
    found = path.read_bytes()[at : at + PAGE_BYTES]
    _overwrite(path, page, bytes(byte | 0x80 if chr(byte) in "-:" else byte for byte in found))


def other_signs(path: Path, page: int) -> None:
    """Text still, that was never written: no instant, no JSON and no state."""
    at = page * PAGE_BYTES
    found = path.read_bytes()[at : at + PAGE_BYTES]
    signs = {ord(":"): ord("_"), ord("{"): ord("("), ord("g"): ord("q")}
    _overwrite(path, page, bytes(signs.get(byte, byte) for byte in found))


def _overwrite(path: Path, page: int, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(page * PAGE_BYTES)
        file.write(content)


Damage = Callable[[Path, int], None]
DAMAGES: tuple[Damage, ...] = (random_bytes, zeroes, cut, flipped_bits, other_signs)


async def serves(folder: Path, cell: str) -> Reachability:
    """Open the cloud, ask for everything, change something in each cell, let time go by: what is said of `cell`."""
    credentials = keyring(folder, Credentials({OPERATOR: Secrets("a-password", TOKEN)}))
    clock = Clock.manual(NOW)
    async with running(folder, credentials=credentials, clock=clock, list_deadline_seconds=PATIENT_SECONDS) as app:
        wire = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(transport=wire, base_url="http://localhost/ops/v1/", headers=headers) as http:
            await _ask(http, app, cell)
            advanced = await http.post("clock/advance", json={"seconds": HOURS})
            assert advanced.status_code == 200, advanced.text
            await app.engine.noted()
            await _ask(http, app, cell)
        return app.cloud.store.reachability(cell)


async def _ask(http: httpx.AsyncClient, app: App, cell: str) -> None:
    found: dict[str, Any] = {}
    for each in LISTS:
        answer = await http.get(each)
        if answer.status_code == 503:
            # Who meets the damage is told so, and nobody after that.
            assert answer.json()["error"]["cell"] == cell
            answer = await http.get(each)
        assert answer.status_code == 200, f"{each}: {answer.status_code} {answer.text}"
        found[each] = answer.json()
    servers = found[LISTS[0]]["servers"]
    for other in set(CELLS) - {cell, DOWN_CELL}:
        assert app.cloud.store.reachability(other).state is ReachabilityState.UP, other
        first = next(server for server in servers if server["cell"] == other)
        assert (await http.post(f"servers/{first['id']}/actions", json=_verb(first))).status_code in (200, 202)
    if app.cloud.store.reachability(cell).state is not ReachabilityState.UP:
        assert app.cloud.store.reachability(cell).reason


def _verb(server: Mapping[str, Any]) -> dict[str, Any]:
    return {"action": "start" if server["state"] == "stopped" else "stop"}


def pages_of(demo: Path, cell: str) -> int:
    return cell_file(demo, cell).stat().st_size // PAGE_BYTES


def test_a_part_that_nobody_reads_when_it_is_opened_is_found_damaged_at_the_start(demo: Path, tmp_path: Path) -> None:
    """The drives, which are first read by what is finished or undone there."""
    folder = copied(demo, tmp_path / "data")
    random_bytes(cell_file(folder, "cell-2"), 20)
    found = asyncio.run(serves(folder, "cell-2"))
    assert (found.state, found.reason) == (ReachabilityState.DOWN, "cell file is corrupt")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell != DOWN_CELL])
def test_the_others_serve_whatever_is_in_the_file_of_one(demo: Path, tmp_path: Path, cell: str, damage: Damage) -> None:
    """A sample of the next."""
    page = random.Random(f"{cell} {damage.__name__}").randrange(1, pages_of(demo, cell))
    folder = copied(demo, tmp_path / "data")
    damage(cell_file(folder, cell), page)
    asyncio.run(serves(folder, cell))


@pytest.mark.thorough
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell != DOWN_CELL])
def test_the_others_serve_wherever_the_file_of_one_is_damaged(
    demo: Path, tmp_path: Path, cell: str, damage: Damage
) -> None:
    for page in range(0, pages_of(demo, cell), 3 * PAGES):
        folder = copied(demo, tmp_path / f"data-{page}")
        damage(cell_file(folder, cell), page)
        asyncio.run(serves(folder, cell))


@pytest.mark.parametrize("page", [1, 40, 200, 500])
def test_a_damaged_cloud_file_is_a_sentence_at_the_start(demo: Path, tmp_path: Path, page: int) -> None:
    """Or the damage is not met."""
    folder = copied(demo, tmp_path / "data")
    random_bytes(folder / "cloud.db", page)

    async def opening() -> str | None:
        try:
            async with running(folder, credentials=keyring(folder, Credentials({})), clock=Clock.manual(NOW)):
                return None
        except FolderError as problem:
            return str(problem)

    said = asyncio.run(opening())
    if said is not None:
        assert said.startswith(f"The data folder {folder} cannot be used: ")
        assert "cloud.db is corrupt" in said


def test_a_cell_that_only_work_finds_damaged_is_asked_again_more_and_more_seldom(tmp_path: Path) -> None:
    """The probe and its recovery find it well: it comes back each time, and would be lost again each second."""

    async def story() -> list[float | None]:
        async with opened(tmp_path / "data") as on:
            store = on.cloud.store
            await store.cell_write("cell-1", lambda tx: tx.emit("noted", "note", "n", at=NOW))
            await store.cell_write("cell-1", lambda tx: tx._run("UPDATE event SET changes = '{' WHERE kind = 'noted'"))
            waits = []
            for _ in range(4):
                with pytest.raises(Unreachable, match="cell file is corrupt"):
                    await store.cell_read("cell-1", lambda tx: tx.events_of("n"))
                waits.append(store.reachability("cell-1").next_try_seconds)
                await store.ask("cell-1")
                assert store.reachability("cell-1").state is ReachabilityState.UP
            return waits

    make_folder(tmp_path / "data")
    waits = asyncio.run(story())
    assert [round(seconds or 0.0) for seconds in waits] == [2, 4, 8, 16]


def test_a_list_that_meets_a_damaged_server_names_its_cell_which_is_down_from_then_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "data") as on:
            store = on.cloud.store
            made = await on.server("web", cell="cell-1")
            await store.cell_write("cell-1", lambda tx: tx._run("UPDATE server SET created_at = 'once'"))
            page = await store.page_servers(limit=10)
            (row,) = page.rows
            assert row.id == made.id
            with pytest.raises(Unreachable, match="cell-1 does not answer: cell file is corrupt"):
                store.server_of(row)
            assert store.reachability("cell-1").state is ReachabilityState.DOWN
            assert (await store.page_servers(limit=10)).unreachable == ("cell-1",)

    make_folder(tmp_path / "data")
    asyncio.run(story())
