"""What was last known of a cell follows its commits, also after a crash between the two."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from backend.clock import system_wall
from backend.cloud.model import (
    Drive,
    DriveState,
    Server,
)
from backend.store import CellTransaction, CloudTransaction, Store
from tests.backend.store_support import CLOUD_ID, cell_file, in_cloud, make_folder, with_store
from tests.builders import NOON, a_drive, a_server

WHO = "operator@stratodeck.local"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "data")


def pictures(folder: Path) -> dict[str, Server | Drive]:
    def look(tx: CloudTransaction) -> dict[str, Server | Drive]:
        found: dict[str, Server | Drive] = {}
        for known in tx.last_known_of_cell("cell-1", "server"):
            found[known.id] = known.server()
        for known in tx.last_known_of_cell("cell-1", "drive"):
            found[known.id] = known.drive()
        return found

    result: dict[str, Server | Drive] = in_cloud(folder, look)
    return result


def test_the_last_pictures_follow_the_commits(folder: Path) -> None:
    async def story(store: Store) -> None:
        def add(tx: CellTransaction) -> None:
            for id_ in ("kept", "gone"):
                tx.add_server(a_server(id_), at=NOON, actor=WHO)
            tx.add_drive(a_drive("d"), at=NOON, actor=WHO)

        await store.cell_write("cell-1", add)
        await store.flush_last_known()

        def change(tx: CellTransaction) -> None:
            tx.remove_server(tx.server("gone"), at=NOON, actor=WHO)
            tx.save_server(tx.server("kept"), a_server("kept", host="h1"), kind="server.started", at=NOON)

        await store.cell_write("cell-1", change)
        await store.flush_last_known()

    with_store(folder, story)

    assert pictures(folder) == {
        "kept": replace(a_server("kept", host="h1"), version=2),
        "d": a_drive("d", state=DriveState.UNMOUNTED),
    }


def test_pictures_that_a_crash_kept_back_are_made_from_the_events_when_the_cell_opens_again(folder: Path) -> None:
    from backend.store.files import Place, open_file

    # As a backend would have left it that was killed before the mirror came to it.
    opened = open_file(Place(cell_file(folder, "cell-1"), "cell", CLOUD_ID, "cell-1"), is_writer=True, wall=system_wall)
    opened.connection.execute("BEGIN IMMEDIATE")
    assert isinstance(opened.transaction, CellTransaction)
    opened.transaction.add_server(a_server("s"), at=NOON, actor=WHO)
    opened.connection.execute("COMMIT")
    opened.close()
    assert pictures(folder).keys() <= {"s"}

    with_store(folder, lambda store: store.flush_last_known())

    assert pictures(folder) == {"s": a_server("s")}


def test_pictures_that_could_not_be_written_are_kept_and_do_not_replace_newer_ones(folder: Path) -> None:
    async def story(store: Store) -> None:
        await store.cell_write("cell-1", lambda tx: tx.add_server(a_server("s"), at=NOON, actor=WHO))
        other = sqlite3.connect(folder / "cloud.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        flushing = asyncio.create_task(store.flush_last_known())
        await store.cell_write(
            "cell-1", lambda tx: tx.save_server(a_server("s"), a_server("s", host="h1"), kind="server.started", at=NOON)
        )
        flushing.cancel()
        await asyncio.wait({flushing})
        other.close()

    with_store(folder, story)

    assert pictures(folder) == {"s": replace(a_server("s", host="h1"), version=2)}
