"""How a file's schema comes about and changes: two sets of migrations, `cloud` and `cell`.

Append only: a migration that has landed is never edited, moved or taken out, because each file remembers which
it has had. `PRAGMA user_version` is the cheap gate in front: sqlite-utils is imported only when it differs from
its number in `SCHEMA_VERSIONS`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files as package_files
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

FileKind = Literal["cloud", "cell"]

_MIGRATIONS: Mapping[FileKind, Sequence[tuple[str, Sequence[str]]]] = {
    "cloud": (
        ("0001_first_schema", ("schema_shared.sql", "schema_cloud.sql")),
        ("0002_events_by_instant", ("schema_shared_0002.sql",)),
        ("0003_hosts_known_centrally", ("schema_cloud_0003.sql",)),
        ("0004_server_groups", ("schema_cloud_0004.sql",)),
        ("0005_open_tasks_known_centrally", ("schema_cloud_0005.sql",)),
        ("0006_snapshots", ("schema_cloud_0006.sql",)),
        ("0007_networks", ("schema_cloud_0007.sql",)),
        ("0008_backup_sources", ("schema_cloud_0008.sql",)),
        ("0009_money", ("schema_cloud_0009.sql",)),
        ("0010_corrections", ("schema_cloud_0010.sql",)),
        ("0011_tasks_in_the_log", ("schema_shared_0003.sql",)),
        ("0012_beginning_of_the_log", ("schema_shared_0004.sql",)),
    ),
    "cell": (
        ("0001_first_schema", ("schema_shared.sql", "schema_cell.sql")),
        ("0002_lost_hosts", ("schema_cell_0002.sql",)),
        ("0003_events_by_instant", ("schema_shared_0002.sql",)),
        ("0004_restarts", ("schema_cell_0004.sql",)),
        ("0005_cheaper_writes", ("schema_cell_0005.sql",)),
        ("0006_tasks_in_the_log", ("schema_shared_0003.sql",)),
        ("0007_beginning_of_the_log", ("schema_shared_0004.sql", "schema_cell_0007.sql")),
        ("0008_what_the_file_holds", ("schema_cell_0008.sql",)),
    ),
}
"""By kind of file, in order: what each is called in the files that have had it, and the files of its statements."""

SCHEMA_VERSIONS: Mapping[FileKind, int] = {kind: len(each) for kind, each in _MIGRATIONS.items()}
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
    for name, files in _MIGRATIONS[kind]:
        found(name=name)(_carrying_out(files))
    return found


def _carrying_out(files: Sequence[str]) -> Callable[[Database], None]:
    def carry_out(database: Database) -> None:
        for file in files:
            for statement in _statements(file):
                database.execute(statement)

    return carry_out


def migrate(connection: sqlite3.Connection, kind: FileKind) -> None:
    """Bring the file to its version in `SCHEMA_VERSIONS`. What fails is rolled back, and raises."""
    from sqlite_utils import Database

    # Plugins of whoever runs this have no business in a cloud's files.
    migrations(kind).apply(Database(connection, execute_plugins=False, recursive_triggers=False))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSIONS[kind]}")
