"""A data folder of every schema that there has been opens, with all that is in it.

`older/cloud_N_cell_M.sql` is a folder as the program of that time left it: three servers that run, and one with a
drive, a schedule, a backup, and one under way. The sixth schema of cloud.db never was the newest for long enough to be
kept: it is made of the fifth. A new migration needs a folder of its own here.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from backend import archive
from backend import check as checking
from backend.app import running
from backend.folder import Credentials, Secrets
from backend.operations import backups, drives, servers
from backend.store import migrations
from backend.tokens import keyring
from tests.backend.support import OPERATOR
from tests.builders import NOON

OLDER = sorted((Path(__file__).parent / "older").glob("*.sql"))


def versions(dump: Path) -> tuple[int, int]:
    cloud, cell = re.findall(r"\d+", dump.stem)
    return int(cloud), int(cell)


def made(dump: Path, folder: Path) -> Path:
    (folder / "cells").mkdir(parents=True)
    for part in dump.read_text().split("-- file: ")[1:]:
        name, _, statements = part.partition("\n")
        with closing(sqlite3.connect(folder / name)) as connection:
            connection.executescript(statements)
    return folder


def open_once(folder: Path) -> tuple[list[str], list[str], list[str]]:
    """States of what is in it, as today's operations tell them."""

    async def tell() -> tuple[list[str], list[str], list[str]]:
        keys = keyring(folder, Credentials({OPERATOR: Secrets("p", "t")}))
        async with running(folder, credentials=keys, list_deadline_seconds=1.0) as app:
            who = await app.cloud.account(OPERATOR)
            found: list[Any] = (await servers.list_servers(app.cloud, who)).items
            disks: list[Any] = (await drives.list_drives(app.cloud, who)).items
            copies = await backups.list_backups(app.cloud, who)
            return (
                sorted(f"{each.name} {each.state}" for each in found),
                [f"{each.name} {each.state}" for each in disks],
                [view.backup.state.value for view in copies],
            )

    return asyncio.run(tell())


def test_a_folder_of_every_schema_is_kept() -> None:
    kept = [versions(dump) for dump in OLDER]

    assert {cloud for cloud, _ in kept} >= set(range(1, migrations.SCHEMA_VERSIONS["cloud"] + 1))
    assert {cell for _, cell in kept} >= set(range(1, migrations.SCHEMA_VERSIONS["cell"] + 1))


@pytest.mark.parametrize("dump", OLDER, ids=lambda dump: dump.stem)
def test_an_older_folder_opens_with_all_that_is_in_it(dump: Path, tmp_path: Path) -> None:
    folder = made(dump, tmp_path / "data")
    for name, version in zip(("cloud.db", "cells/cell-1.db"), versions(dump), strict=True):
        with closing(sqlite3.connect(folder / name)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] == version

    states = open_once(folder)

    assert states == (
        ["batch-01 running", "db-01 running", "idle-01 stopped", "web-01 running"],
        ["disk-01 mounted"],
        ["backing_up", "ready"],
    )
    assert checking.check(folder).breach is None


@pytest.mark.parametrize("dump", [OLDER[0], OLDER[len(OLDER) // 2]], ids=lambda dump: dump.stem)
def test_an_older_folder_is_exported_as_it_lies_and_opens_where_it_is_imported(dump: Path, tmp_path: Path) -> None:
    folder = made(dump, tmp_path / "data")

    archive.export(folder, tmp_path / "cloud.sd", now=NOON)
    archive.restore(tmp_path / "cloud.sd", tmp_path / "back")

    assert open_once(tmp_path / "back") == open_once(folder)
    assert checking.check(tmp_path / "back").breach is None
