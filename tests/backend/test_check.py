"""The demo cloud is as it must be, and each thing that is not is found and named."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import orjson
import pytest

from backend import check as checking
from backend.cloud.model import Size
from backend.operations import servers
from backend.operations.servers import ServerSpec
from backend.store import FolderError
from tests.backend.support import Harness, in_a_cloud
from tests.demo import copied

CELL = "cells/cell-1.db"


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """For writing what no operation writes."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("PRAGMA foreign_keys = OFF")
        yield connection


def breach_of(demo: Path, folder: Path, *damage: tuple[str, str]) -> str:
    """What is found after statements on files of a copy; each must change one row and no more."""
    copied(demo, folder)
    for file, statement in damage:
        with opened(folder / file) as connection:
            assert connection.execute(statement).rowcount == 1, statement
    breach = checking.check(folder).breach
    assert breach is not None, "nothing was found"
    return breach


def first(what: str, where: str) -> str:
    return f"(SELECT {what} FROM {where} LIMIT 1)"


def test_the_demo_is_as_it_must_be_and_all_of_it_is_looked_at(demo: Path) -> None:
    report = checking.check(demo)

    assert report.breach is None
    assert (report.cells, report.hosts) == (4, 112)
    assert report.reservations == report.servers + report.drives > 2000
    assert report.events > 8000
    assert report.placements > 1000
    assert report.certificates > 10
    assert report.certificates_with_gap == 0
    assert list(report.lines())[-1] == "Everything is as it must be."


def test_looking_changes_nothing(demo: Path, tmp_path: Path) -> None:
    folder = copied(demo, tmp_path / "data")
    before = {path: path.read_bytes() for path in sorted(folder.rglob("*.db"))}

    checking.check(folder)

    assert {path: path.read_bytes() for path in sorted(folder.rglob("*.db"))} == before


RUNNING = first("id", "server WHERE state = 'running' AND is_backfilling = 0 ORDER BY id")
SHRUNK = first("id", "server WHERE is_backfilling = 1 AND cpu_mhz_effective < cpu_mhz ORDER BY id")
STOPPED = first("id", "server WHERE state = 'stopped' ORDER BY id")
BUSY = first("host", "server WHERE state = 'running' GROUP BY host HAVING count(*) > 5 ORDER BY host")
CERTIFIED = first("number", "event WHERE kind = 'server.placed' AND details LIKE '%certificate%' ORDER BY number")


@pytest.mark.parametrize(
    ("file", "statement", "sentence"),
    [
        pytest.param(
            CELL, f"UPDATE host SET cpu_mhz = 1000 WHERE name = {BUSY}", "is over its capacity", id="capacity"
        ),
        pytest.param(
            CELL,
            f"UPDATE host SET storage_bytes = 1 WHERE name = {first('host', 'drive ORDER BY id')}",
            "bytes of drives, and has 1",
            id="storage capacity",
        ),
        pytest.param(
            CELL, f"UPDATE server SET host = NULL WHERE id = {RUNNING}", "is running on no host", id="no host"
        ),
        pytest.param(
            CELL, f"UPDATE server SET host = 'nowhere' WHERE id = {RUNNING}", "is no compute host", id="unknown host"
        ),
        pytest.param(CELL, f"UPDATE host SET state = 'down' WHERE name = {BUSY}", "which is down", id="host down"),
        pytest.param(
            CELL, f"UPDATE server SET state = 'stopped' WHERE id = {RUNNING}", "is stopped and holds", id="stopped"
        ),
        pytest.param(
            CELL,
            f"UPDATE server SET cpu_mhz_effective = cpu_mhz_effective - 1 WHERE id = {SHRUNK}",
            "by what is on the host it should have",
            id="factor",
        ),
        pytest.param(
            CELL,
            f"UPDATE server SET cpu_mhz_effective = NULL WHERE id = {RUNNING}",
            "cannot be understood",
            id="no size",
        ),
        pytest.param(
            CELL, f"UPDATE server SET name = 'x' WHERE id = {STOPPED}", "has name 'x', and by the log", id="a name"
        ),
        pytest.param(
            CELL,
            f"UPDATE server SET started_at = created_at WHERE id = {SHRUNK}",
            "and by the log it is",
            id="an instant",
        ),
        pytest.param(CELL, f"UPDATE server SET created_at = 'x' WHERE id = {STOPPED}", "of no object", id="a row"),
        pytest.param(
            CELL, f"DELETE FROM server WHERE id = {STOPPED}", "is reserved, and does not exist", id="a server gone"
        ),
        pytest.param(
            CELL,
            f"UPDATE server SET state = 'stopping' WHERE id = {RUNNING}",
            "is stopping, and no open task is to stop it",
            id="a stop that never ends",
        ),
        pytest.param(
            CELL,
            "INSERT INTO task (kind, object_kind, object_id, begun_at, due_at, state, actor, payload)"
            f" SELECT 'start', 'server', {RUNNING}, started_at, started_at, 'open', '', '{{}}' FROM server"
            f" WHERE id = {RUNNING}",
            "which is running",
            id="a start of what runs",
        ),
        pytest.param(
            CELL,
            f"DELETE FROM drive WHERE id = {first('id', 'drive ORDER BY id')}",
            "is reserved, and does not exist",
            id="a drive gone",
        ),
        pytest.param(
            "cloud.db",
            f"DELETE FROM server_directory WHERE id = {first('id', 'server_directory ORDER BY id')}",
            "exists, and nothing is reserved for it",
            id="an entry gone",
        ),
        pytest.param(
            "cloud.db",
            f"UPDATE server_directory SET cpu_mhz = 1 WHERE id = {first('id', 'server_directory ORDER BY id')}",
            "is reserved as",
            id="another size",
        ),
        pytest.param(
            "cloud.db",
            f"UPDATE drive_directory SET size_bytes = 1 WHERE id = {first('id', 'drive_directory ORDER BY id')}",
            "is reserved as",
            id="another drive size",
        ),
        pytest.param(
            "cloud.db",
            "UPDATE drive_directory SET server_id = 'x' WHERE id = "
            + first("id", "drive_directory WHERE cell = 'cell-1' ORDER BY id"),
            "and centrally x",
            id="another mount",
        ),
        pytest.param(
            "cloud.db",
            f"UPDATE backup SET size_bytes = 1 WHERE id = {first('id', 'backup ORDER BY id')}",
            "is charged for 1 bytes, and holds",
            id="a backup of another size",
        ),
        pytest.param(
            "cloud.db",
            f"UPDATE backup SET parent_id = 'x' WHERE id = {first('id', 'backup ORDER BY id')}",
            "is a part of x, which is no backup that has parts",
            id="a part of nothing",
        ),
        pytest.param(
            "cloud.db",
            f"UPDATE backup SET schedule_id = 'x' WHERE id = {first('id', 'backup ORDER BY id')}",
            "is of schedule x, which is not there",
            id="a backup of no schedule",
        ),
        pytest.param(
            "cloud.db",
            "UPDATE backup SET state = 'restoring' WHERE id = "
            + first("id", "backup WHERE state = 'ready' ORDER BY id"),
            "is restoring, and nothing will end that",
            id="a backup that is left alone",
        ),
        pytest.param(
            "cloud.db",
            "UPDATE backup SET source_kind = 'project', size_bytes = 0, contents = '{}', state = 'backing_up'"
            " WHERE id = " + first("id", "backup WHERE state = 'ready' ORDER BY id"),
            "is backing_up, and 0 of its parts are not finished",
            id="a whole of no parts",
        ),
        pytest.param(
            "cloud.db", "UPDATE cell SET epoch = 99999 WHERE name = 'cell-1'", "older than what was", id="an old file"
        ),
        pytest.param(CELL, "DELETE FROM event WHERE number = 10", "event 11 follows event 9", id="a gap"),
        pytest.param(
            "cloud.db", "DELETE FROM event WHERE number = 1", "cloud.db: the log has a gap", id="a gap in cloud.db"
        ),
        pytest.param(
            CELL,
            f"DELETE FROM event WHERE number = {first('max(number)', 'event')}",
            "by the log",
            id="the last event gone",
        ),
        pytest.param(
            CELL,
            "UPDATE event SET object_version = 7 WHERE number = "
            + first("number", "event WHERE kind = 'server.placed' ORDER BY number"),
            "gives version 7",
            id="a version",
        ),
        pytest.param(
            CELL,
            f"UPDATE event SET details = json_remove(details, '$.certificate') WHERE number = {CERTIFIED}",
            "disturbs others and has no certificate",
            id="no certificate",
        ),
        pytest.param(
            CELL,
            "UPDATE event SET details = json_set(details, '$.certificate.key[1]', 7,"
            f" '$.certificate.key[0]', 1) WHERE number = {CERTIFIED}",
            "claims",
            id="a false certificate",
        ),
        pytest.param(
            CELL,
            f"UPDATE event SET details = json_set(details, '$.decision.runner_up', NULL) WHERE number = {CERTIFIED}",
            "the only host",
            id="no second host",
        ),
        pytest.param(
            "cloud.db",
            "UPDATE cloud SET settings = json_set(settings, '$.placement', 'pack')",
            "decides by spread, not pack",
            id="another rule",
        ),
        pytest.param(
            "cloud.db",
            "UPDATE cloud SET settings = json_set(settings, '$.floor_permille', 300)",
            "a floor of",
            id="another floor",
        ),
        pytest.param(
            CELL, f"UPDATE event SET details = 'x' WHERE number = {CERTIFIED}", "cannot be understood", id="no JSON"
        ),
    ],
)
def test_what_is_broken_is_named(demo: Path, tmp_path: Path, file: str, statement: str, sentence: str) -> None:
    breach = breach_of(demo, tmp_path / "data", (file, statement))

    assert sentence in breach
    assert breach.startswith(("cell-", "cloud.db: "))
    assert breach.endswith(".")


def test_a_server_is_in_one_cell(demo: Path, tmp_path: Path) -> None:
    folder = copied(demo, tmp_path / "data")
    with opened(folder / CELL) as connection:
        connection.execute("ATTACH ? AS other", (str(folder / "cells/cell-2.db"),))
        row = "SELECT * FROM main.server WHERE state = 'stopped' ORDER BY id LIMIT 1"
        connection.execute(f"INSERT INTO other.server {row}")

    breach = checking.check(folder).breach

    assert breach is not None
    assert breach.endswith("is in cell-1 too.")


def remove(file: Path) -> None:
    file.unlink()


def overwrite(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def from_the_future(file: Path) -> None:
    with opened(file) as connection:
        connection.execute("PRAGMA user_version = 99")


def without_header(file: Path) -> None:
    file.write_bytes(bytes(4096) + file.read_bytes()[4096:])


def without(table: str) -> Callable[[Path], None]:
    """Where a table begins are random bytes."""

    def damage(file: Path) -> None:
        with opened(file) as connection:
            (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        with open(file, "r+b") as damaged:
            damaged.seek((page - 1) * 4096)
            damaged.write(random.Random(page).randbytes(4096))

    return damage


@pytest.mark.parametrize("cell", ["cell-1", "cell-2"])
@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (remove, "is missing"),
        (overwrite, "cannot be read: cell file is not a database"),
        (empty, "has no tables"),
        (from_the_future, "was made by a newer version"),
        (without_header, "cannot be read: cell file is not a database"),
        (without("drive"), "cannot be read: cell file is corrupt"),
        (without("event"), "cannot be read: cell file is corrupt"),
    ],
)
def test_of_a_cell_that_cannot_be_read_nothing_is_told(
    demo: Path, tmp_path: Path, cell: str, damage: Callable[[Path], None], sentence: str
) -> None:
    folder = copied(demo, tmp_path / "data")
    file = folder / f"cells/{cell}.db"
    damage(file)

    with pytest.raises(FolderError) as problem:
        checking.check(folder)

    assert str(problem.value).startswith(f"{cell} cannot be checked: {file} {sentence}")


def test_each_cell_that_cannot_be_read_is_named(demo: Path, tmp_path: Path) -> None:
    """Also where that of the first is found later."""
    folder = copied(demo, tmp_path / "data")
    without("event")(folder / "cells/cell-1.db")
    remove(folder / "cells/cell-2.db")

    with pytest.raises(
        FolderError, match=r"^cell-1 cannot be checked: .* is corrupt\. cell-2 .* is missing\. No breach"
    ):
        checking.check(folder)


def test_a_breach_in_another_cell_is_found_all_the_same(demo: Path, tmp_path: Path) -> None:
    folder = copied(demo, tmp_path / "data")
    remove(folder / "cells/cell-2.db")
    with opened(folder / CELL) as connection:
        connection.execute(f"UPDATE server SET host = NULL WHERE id = {RUNNING}")

    report = checking.check(folder)

    assert report.cells == 3
    assert (report.breach or "").startswith("cell-1: server ")


@pytest.mark.parametrize("has_folder", [True, False])
def test_a_folder_without_a_cloud_is_refused(tmp_path: Path, has_folder: bool) -> None:
    path = tmp_path / "data"
    if has_folder:
        path.mkdir()

    with pytest.raises(FolderError, match="holds no cloud"):
        checking.check(path)


def test_what_two_files_say_is_looked_at_again_while_they_change(demo: Path, tmp_path: Path) -> None:
    folder = copied(demo, tmp_path / "data")
    change = "UPDATE server_directory SET cpu_mhz = cpu_mhz {} 1 WHERE id = " + first("id", "server_directory")
    with opened(folder / "cloud.db") as connection:
        connection.execute(change.format("+"))
    looks = []

    def again() -> bool:
        looks.append(1)
        with opened(folder / "cloud.db") as connection:
            connection.execute(change.format("-"))
        return True

    assert checking.check(folder, again=again).breach is None
    assert len(looks) == 1


def test_a_cloud_that_never_rests_is_no_breach(demo: Path, tmp_path: Path) -> None:
    """At every look something else is on its way between two files."""
    folder = copied(demo, tmp_path / "data")
    entry = "UPDATE server_directory SET cpu_mhz = cpu_mhz {} 1 WHERE rowid = {}"
    looks: list[int] = []

    def again() -> bool:
        looks.append(1)
        with opened(folder / "cloud.db") as connection:
            connection.execute(entry.format("-", len(looks)))
            connection.execute(entry.format("+", len(looks) + 1))
        return True

    with opened(folder / "cloud.db") as connection:
        connection.execute(entry.format("+", 1))

    assert checking.check(folder, again=again).breach is None
    assert len(looks) == 1


def test_what_stays_different_is_a_breach_in_the_end(demo: Path, tmp_path: Path) -> None:
    folder = copied(demo, tmp_path / "data")
    with opened(folder / "cloud.db") as connection:
        connection.execute("UPDATE server_directory SET cpu_mhz = 1 WHERE id = " + first("id", "server_directory"))
    looks = []

    def again() -> bool:
        looks.append(1)
        return True

    report = checking.check(folder, again=again)

    assert report.breach is not None
    assert len(looks) == checking.LOOKS_MAX - 1


def test_half_done_work_between_two_files_is_no_breach(demo: Path, tmp_path: Path) -> None:
    """A crash may leave a reservation for what was never made; it goes when the cloud is opened."""
    folder = copied(demo, tmp_path / "data")
    with opened(folder / "cloud.db") as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(server_directory)")]
        taken = ", ".join({"id": "'new'", "state": "'building'"}.get(column, column) for column in columns)
        connection.execute(f"INSERT INTO server_directory SELECT {taken} FROM server_directory LIMIT 1")

    assert checking.check(folder).breach is None


def test_the_report_is_json(demo: Path) -> None:
    report = checking.check(demo)

    assert orjson.loads(orjson.dumps(report.to_json()))["breach"] is None


def test_a_breach_calls_what_it_is_about_by_kind_and_name() -> None:
    one, other, unknown = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "123")
    names = {one: ("server", "web-01"), other: ("drive", "web-01-boot")}

    told = checking.with_names(f"server {one} is held by {other}, and {unknown} is not there", names)

    assert told == f"server web-01 ({one}) is held by drive web-01-boot ({other}), and {unknown} is not there"


def test_the_breach_of_a_folder_names_the_server(demo: Path, tmp_path: Path) -> None:
    breach = breach_of(demo, tmp_path / "data", (CELL, f"UPDATE server SET host = NULL WHERE id = {RUNNING}"))

    with opened(demo / CELL) as connection:
        ((name, id_),) = connection.execute(f"SELECT name, id FROM server WHERE id = {RUNNING}")
    assert breach == f"cell-1: server {name} ({id_}) is running on no host."


def test_a_log_that_still_has_the_secrets_of_older_versions_is_no_breach(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        spec = ServerSpec("web", Size(2000, 2**30), cell="cell-1", attributes={"vnc_password": "secret"})
        await servers.create_server(on.cloud, on.operator, spec)

    in_a_cloud(tmp_path / "data", story)
    with closing(sqlite3.connect(tmp_path / "data/cells/cell-1.db", isolation_level=None)) as connection:
        changed = connection.execute("UPDATE event SET changes = replace(changes, '\"***\"', '\"secret\"')")
        assert changed.rowcount
        assert connection.execute("SELECT count(*) FROM event WHERE changes LIKE '%secret%'").fetchone() == (1,)

    assert checking.check(tmp_path / "data").breach is None
