"""`stratodeck check`: what it prints, and with what status it ends."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from backend.folder import OPERATOR
from tests.backend.support import make_folder
from tests.console.test_cli import refusal, stratodeck
from tests.served import served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_folder(tmp_path / "data")
    return tmp_path / "data"


def damage(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "cells" / "cell-1.db", isolation_level=None)) as connection:
        connection.execute("UPDATE host SET state = 'maintenance' WHERE name = 'c1-h1'")


def test_a_good_folder_is_told_of_and_ends_with_0(folder: Path) -> None:
    result = stratodeck("check", "--data", folder)

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "2 cells: 8 hosts, 0 servers and 0 drives in them",
        "0 reservations and what they are for",
        "0 open tasks, and what they are to end",
        "0 backups, what each is charged for, and what each is a part of",
        "8 events, and what they add up to",
        "0 placements, 0 of which disturb others and are proved",
        "Everything is as it must be.",
    ]


def test_a_breach_is_named_and_ends_with_1(folder: Path) -> None:
    damage(folder)

    result = stratodeck("check", "--data", folder)

    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.splitlines()[-1] == (
        "Breach: cell-1: host c1-h1 has state 'maintenance', and by the log it is 'up'."
    )


@pytest.mark.parametrize("is_damaged", [False, True])
def test_json_has_what_was_checked_and_the_breach(folder: Path, is_damaged: bool) -> None:
    if is_damaged:
        damage(folder)

    result = stratodeck("check", "--json", "--data", folder)

    said = json.loads(result.stdout)
    assert result.exit_code == is_damaged
    assert (said["folder"], said["cells"], said["hosts"]) == (str(folder), 2, 8)
    assert (said["breach"] is not None) == is_damaged


def test_a_folder_that_is_none_ends_with_2(tmp_path: Path) -> None:
    path = tmp_path / "nothing"

    assert refusal("check", "--data", path) == f"stratodeck: {path} holds no cloud.\n"


def test_what_cannot_be_told_ends_with_2(folder: Path) -> None:
    (folder / "cells/cell-2.db").unlink()

    assert refusal("check", "--data", folder) == (
        f"stratodeck: cell-2 cannot be checked: {folder}/cells/cell-2.db is missing. "
        "No breach was found in what can be read.\n"
    )


def test_a_check_that_fails_itself_ends_with_2_and_calls_nothing_a_breach(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, **_: object) -> None:
        raise ZeroDivisionError("a fault of the check")

    monkeypatch.setattr("backend.check.check", broken)

    result = stratodeck("check", "--data", folder)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "ZeroDivisionError: a fault of the check" in result.stderr
    assert result.stderr.endswith("failed (ZeroDivisionError), so nothing is known of the folder.\n")


def test_a_folder_that_is_being_served_is_checked_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with served(folder, "--cloud", "empty") as cloud, cloud.client(OPERATOR) as client:
        made = client.post("/servers", json={"name": "web", "cpu_mhz": 2000, "memory_bytes": 2**30})
        assert made.status_code < 300, made.text

        result = stratodeck("check", "--data", folder)

        assert (result.exit_code, result.stderr) == (0, "")
        assert "1 servers" in result.stdout
        assert client.get("/servers").status_code == 200
