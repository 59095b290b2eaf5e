"""How a file's schema comes about and changes: two sets of migrations, `cloud` and `cell`.

Append only: a migration that has landed is never edited, moved or taken out, because each file remembers which
it has had. `PRAGMA user_version` is the cheap gate in front: sqlite-utils is imported only when it differs from
its number in `SCHEMA_VERSIONS`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from importlib.resources import files as package_files
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

FileKind = Literal["cloud", "cell"]

SCHEMA_VERSIONS: Mapping[FileKind, int] = {"cloud": 9, "cell": 5}
"""The number of migrations of each set. A file with a higher one was made by a newer version of the program."""


def _statements(name: str) -> Iterator[str]:
    """One statement at a time: `executescript` would commit behind the migration's back."""
    text = package_files("backend.store").joinpath(name).read_text(encoding="utf-8")
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    assert not statement.strip(), f"{name} ends in the middle of a statement"


def migrations(kind: FileKind) -> Migrations:
    """The set of one kind of file."""
    from sqlite_utils import Migrations

    found = Migrations(kind)

    @found(name="0001_first_schema")
    def first_schema(database: Database) -> None:
        for name in ("schema_shared.sql", f"schema_{kind}.sql"):
            for statement in _statements(name):
                database.execute(statement)

    if kind == "cell":

        @found(name="0002_lost_hosts")
        def lost_hosts(database: Database) -> None:
            for statement in _statements("schema_cell_0002.sql"):
                database.execute(statement)

    @found(name="0002_events_by_instant" if kind == "cloud" else "0003_events_by_instant")
    def events_by_instant(database: Database) -> None:
        for statement in _statements("schema_shared_0002.sql"):
            database.execute(statement)

    if kind == "cloud":

        @found(name="0003_hosts_known_centrally")
        def hosts_known_centrally(database: Database) -> None:
            for statement in _statements("schema_cloud_0003.sql"):
                database.execute(statement)

        @found(name="0004_server_groups")
        def server_groups(database: Database) -> None:
            for statement in _statements("schema_cloud_0004.sql"):
                database.execute(statement)

        @found(name="0005_open_tasks_known_centrally")
        def open_tasks_known_centrally(database: Database) -> None:
            for statement in _statements("schema_cloud_0005.sql"):
                database.execute(statement)

        @found(name="0006_snapshots")
        def snapshots(database: Database) -> None:
            for statement in _statements("schema_cloud_0006.sql"):
                database.execute(statement)

        @found(name="0007_networks")
        def networks(database: Database) -> None:
            for statement in _statements("schema_cloud_0007.sql"):
                database.execute(statement)

        @found(name="0008_backup_sources")
        def backup_sources(database: Database) -> None:
            for statement in _statements("schema_cloud_0008.sql"):
                database.execute(statement)

        @found(name="0009_money")
        def money(database: Database) -> None:
            for statement in _statements("schema_cloud_0009.sql"):
                database.execute(statement)

    else:

        @found(name="0004_restarts")
        def restarts(database: Database) -> None:
            for statement in _statements("schema_cell_0004.sql"):
                database.execute(statement)

        @found(name="0005_cheaper_writes")
        def cheaper_writes(database: Database) -> None:
            for statement in _statements("schema_cell_0005.sql"):
                database.execute(statement)

    return found


def migrate(connection: sqlite3.Connection, kind: FileKind) -> None:
    """Bring the file to its version in `SCHEMA_VERSIONS`. What fails is rolled back, and raises."""
    from sqlite_utils import Database

    # Plugins of whoever runs this have no business in a cloud's files.
    migrations(kind).apply(Database(connection, execute_plugins=False, recursive_triggers=False))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSIONS[kind]}")
