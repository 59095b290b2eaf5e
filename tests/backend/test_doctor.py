"""What the doctor says of a data folder: each fault by its name, with what to do, and nothing of a good one."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from backend import doctor, folder
from backend.doctor import Finding
from tests.backend.support import make_folder
from tests.builders import NOON


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_folder(tmp_path / "data")
    folder.ensure_credentials(tmp_path / "data", [folder.OPERATOR])
    return tmp_path / "data"


def wrong(path: Path) -> list[Finding]:
    return [finding for finding in doctor.examine(path, now=NOON) if finding.level != "ok"]


def names(path: Path) -> list[str]:
    return sorted(str(each) for each in path.rglob("*") if not each.name.endswith(("-wal", "-shm")))


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def leave_log_of_a_newer_file(place: Path) -> None:
    """As a process that was killed leaves it; then an old copy was put there."""
    with closing(sqlite3.connect(place, isolation_level=None)) as connection:
        connection.execute("UPDATE identity SET epoch = epoch + 1, file_epoch = epoch + 100")
        log = Path(f"{place}-wal").read_bytes()
    Path(f"{place}-wal").write_bytes(log)


def tear(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(20_000))


def open_to_others(path: Path, name: str, mode: int) -> None:
    path.chmod(0o755)
    (path / name).chmod(mode)


def link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def test_nothing_is_wrong_with_a_good_folder_and_nothing_is_changed(data: Path) -> None:
    before = names(data)

    found = list(doctor.examine(data, now=NOON))

    assert [each.subject for each in found if each.level == "ok"] == [
        "permissions",
        "disk",
        "socket",
        "backend",
        "credentials.toml",
        "token.key",
        "cloud.db",
        "cells/cell-1.db",
        "cells/cell-2.db",
        "clock",
    ]
    assert wrong(data) == []
    assert names(data) == before


def test_a_folder_that_is_not_there_is_no_fault_and_is_not_made(tmp_path: Path) -> None:
    assert wrong(tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


CASES: dict[str, tuple[Callable[[Path], object], str, str, str]] = {
    "others can write": (lambda path: path.chmod(0o777), "bad", "permissions", "chmod go-w"),
    "others can write a file": (
        lambda path: open_to_others(path, "cloud.db", 0o666),
        "bad",
        "permissions",
        "chmod go-w",
    ),
    "a link": (lambda path: link(path / "cells/cell-1.db"), "bad", "permissions", "Put what it leads to in its place"),
    "no cloud.db": (lambda path: (path / "cloud.db").unlink(), "bad", "cloud", "import an export"),
    "no cloud.db database": (lambda path: tear(path / "cloud.db"), "bad", "cloud.db", "Import an export"),
    "a torn cell": (lambda path: tear(path / "cells/cell-2.db"), "bad", "cells/cell-2.db", "Import an export"),
    "a missing cell": (lambda path: (path / "cells/cell-1.db").unlink(), "bad", "cells/cell-1.db", "Import an export"),
    "an old copy": (
        lambda path: execute(path / "cells/cell-1.db", "UPDATE identity SET epoch = 0"),
        "bad",
        "cells/cell-1.db",
        "Import an export",
    ),
    "an old copy beside a log": (
        lambda path: leave_log_of_a_newer_file(path / "cells/cell-1.db"),
        "bad",
        "cells/cell-1.db",
        "Put the file back that was there",
    ),
    "a newer file": (
        lambda path: execute(path / "cells/cell-1.db", "PRAGMA user_version = 99"),
        "bad",
        "cells/cell-1.db",
        "Install that version, or a newer one.",
    ),
    "a fault that is on": (
        lambda path: execute(path / "cloud.db", "UPDATE cell SET injected = 'down' WHERE name = 'cell-2'"),
        "warn",
        "cells/cell-2.db",
        "stratodeck cell up cell-2",
    ),
    "open secrets": (
        lambda path: open_to_others(path, "credentials.toml", 0o644),
        "bad",
        "credentials.toml",
        "chmod 600",
    ),
    "damaged secrets": (
        lambda path: (path / "credentials.toml").write_text("?"),
        "bad",
        "credentials.toml",
        "Mend it, or remove it",
    ),
    "a clock that went back": (
        lambda path: execute(path / "cloud.db", """UPDATE cloud SET clock = '{"mode": "wall"}'"""),
        "bad",
        "clock",
        "Set this machine's clock",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_fault_is_named_with_what_to_do(data: Path, case: str) -> None:
    harm, level, subject, advice = CASES[case]
    now = NOON - timedelta(days=1) if subject == "clock" else NOON
    harm(data)

    found = [each for each in doctor.examine(data, now=now) if each.level != "ok"]

    assert (found[0].level, found[0].subject) == (level, subject)
    assert advice in str(found[0].advice)
    assert {each.subject for each in found} <= {subject, "cells/cell-1.db"}


def test_in_a_folder_that_nobody_else_can_enter_modes_do_not_matter(data: Path) -> None:
    for place in ("cells", "cloud.db", "credentials.toml"):
        (data / place).chmod(0o777)

    assert wrong(data) == []
    folder.claim(data).release()


def test_a_folder_of_something_else_is_no_data_folder(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/to-anna").write_text("Dear Anna")

    assert [(each.subject, each.advice) for each in wrong(tmp_path / "letters")] == [
        ("cloud", "Choose another folder with --data.")
    ]


def test_who_holds_the_lock_and_does_not_answer_is_told(data: Path) -> None:
    with folder.claim(data):
        (told,) = wrong(data)

    assert (told.level, told.subject) == ("warn", "backend")
    assert str(os.getpid()) in told.says or not Path("/proc/locks").exists()
    assert wrong(data) == []


def test_what_a_killed_backend_left_is_no_fault(data: Path) -> None:
    stale = {"pid": 1, "socket": str(data / "socket"), "tcp": None, "cloud_id": "c", "kind": "demo", "version": "0"}
    (data / folder.RUNNING).write_text(json.dumps(stale))

    found = {each.subject: each for each in doctor.examine(data, now=NOON)}

    assert found["backend"].says == "none runs; the last one was killed, and the next start recovers"
    assert wrong(data) == []


def test_asking_for_the_lock_keeps_nobody_from_it(data: Path) -> None:
    list(doctor.examine(data, now=NOON))

    with folder.claim(data), open(data / "lock") as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_a_full_disk_is_told_before_it_is_full(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Disk:
        free = 50 * 2**20

    monkeypatch.setattr("backend.doctor.shutil.disk_usage", lambda path: Disk)
    assert [(each.level, each.subject) for each in wrong(data)] == [("warn", "disk")]
    Disk.free = 2**20
    assert [(each.level, each.subject) for each in wrong(data)] == [("bad", "disk")]
