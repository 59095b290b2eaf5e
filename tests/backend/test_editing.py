"""A change of a server's size is charged before it is made; killed between two writes it is whole or was not made."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend import check as checking
from backend.cloud.errors import Conflict, NotFound, OverQuota, Unreachable
from backend.cloud.model import GIB, Size
from backend.operations import cells, editing, servers
from backend.operations.editing import ServerChanges
from backend.store import ServerEntry
from tests.backend.support import Harness, in_a_cloud, make_folder, opened
from tests.builders import NOON

LARGER = ServerChanges(size=Size(8000, 8 * GIB), is_backfilling=True)
SMALLER = ServerChanges(size=Size(500, GIB))


async def entry_of(on: Harness, server_id: str) -> ServerEntry:
    entry = await on.cloud.store.cloud_read(lambda tx: tx.find_server_entry(server_id))
    assert entry is not None
    return entry


@pytest.mark.parametrize("changes", [LARGER, SMALLER])
@pytest.mark.parametrize("steps", [1, 2])
def test_a_change_that_was_cut_short_is_undone_or_finished(tmp_path: Path, changes: ServerChanges, steps: int) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def cut_short() -> str:
        async with opened(folder) as on:
            server = await on.server("web-01", cell="cell-1")
            assert changes.size is not None
            wanted = replace(server, size=changes.size, is_backfilling=bool(changes.is_backfilling))
            await on.cloud.store.cloud_write(lambda tx: editing.reserve_edit(tx, server.id, wanted))
            if steps > 1:
                await on.cloud.store.cell_write(
                    "cell-1",
                    lambda tx: editing.edit_in_cell(
                        tx, server.id, changes, now=NOON, settings=on.cloud.settings, actor="operator"
                    ),
                )
            return server.id

    async def look(server_id: str) -> None:
        async with opened(folder) as on:
            server, entry = await on.look(server_id), await entry_of(on, server_id)
            assert (entry.state, entry.size, entry.is_backfilling) == ("active", server.size, server.is_backfilling)
            assert (server.size == changes.size) is (steps > 1)

    asyncio.run(look(asyncio.run(cut_short())))
    assert checking.check(folder).breach is None


def test_what_is_reserved_is_what_it_became(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("web-01")
        for changes in (LARGER, SMALLER):
            edited = await editing.edit_server(on.cloud, on.operator, server.id, changes)

            entry = await entry_of(on, server.id)
            assert edited.size == entry.size == changes.size
            assert (entry.is_backfilling, entry.state) == (True, "active")

    in_a_cloud(tmp_path / "data", story)
    assert checking.check(tmp_path / "data").breach is None


def test_a_refused_change_gives_back_what_it_reserved(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("web-01", cell="cell-1")
        before = await entry_of(on, server.id)

        with pytest.raises(Conflict):
            await editing.edit_server(on.cloud, on.operator, server.id, LARGER, if_version=server.version + 1)
        await cells.inject(on.cloud, on.operator, "cell-1", "down")
        with pytest.raises(Unreachable):
            await editing.edit_server(on.cloud, on.operator, server.id, LARGER)

        assert await entry_of(on, server.id) == before

    in_a_cloud(tmp_path / "data", story)


def test_two_changes_at_once_cannot_pass_the_quota_together(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        ids = [(await on.server(f"web-{number}")).id for number in (1, 2, 3)]

        answers = await asyncio.gather(
            *(editing.edit_server(on.cloud, on.operator, id, ServerChanges(size=Size(8000, GIB))) for id in ids),
            return_exceptions=True,
        )

        assert sum(isinstance(answer, OverQuota) for answer in answers) == 2
        entries = [await entry_of(on, id) for id in ids]
        assert sorted(entry.size.cpu_mhz for entry in entries) == [4000, 4000, 8000]

    in_a_cloud(tmp_path / "data", story, cpu_mhz_max=16_000)
    assert checking.check(tmp_path / "data").breach is None


def test_a_change_and_a_deletion_at_once_leave_nothing_or_the_server(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("web-01")

        answers = await asyncio.gather(
            editing.edit_server(on.cloud, on.operator, server.id, LARGER),
            servers.delete_server(on.cloud, on.operator, server.id),
            editing.edit_server(on.cloud, on.operator, server.id, SMALLER),
            return_exceptions=True,
        )

        assert answers[1] is None
        with pytest.raises(NotFound):
            await on.look(server.id)
        assert await on.cloud.store.cloud_read(lambda tx: tx.find_server_entry(server.id)) is None

    in_a_cloud(tmp_path / "data", story)
    assert checking.check(tmp_path / "data").breach is None


def test_a_size_that_is_ignored_when_looked_at_and_taken_when_written_is_charged(tmp_path: Path) -> None:
    """The server stops in between, by a task of its cell."""

    async def story(on: Harness) -> None:
        server = await on.server("web-01", cell="cell-1", vcpus=4)
        await servers.start_server(on.cloud, on.operator, server.id)
        await on.engine.advance(60)
        await servers.stop_server(on.cloud, on.operator, server.id)
        read = on.cloud.store.cell_read

        async def stops_after_that(*args: Any, **kwargs: Any) -> Any:
            found = await read(*args, **kwargs)
            await on.engine.advance(60)
            return found

        on.cloud.store.cell_read = stops_after_that  # type: ignore[method-assign]
        edited = await editing.edit_server(on.cloud, on.operator, server.id, SMALLER)

        assert edited.size == SMALLER.size
        assert (await entry_of(on, server.id)).size == SMALLER.size

    in_a_cloud(tmp_path / "data", story)
