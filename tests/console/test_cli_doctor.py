"""`stratodeck doctor`: one line for each thing, and status 1 where something is bad."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.cli_doctor import _fits, _terminal
from tests.backend.support import make_folder
from tests.console.test_cli import stratodeck


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_folder(tmp_path / "data")
    return tmp_path / "data"


def test_a_good_folder_has_one_line_for_each_thing_and_ends_with_0(folder: Path) -> None:
    result = stratodeck("doctor", "--data", folder)

    assert result.exit_code == 0, result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    assert {line[0] for line in lines} == {"ok"}
    subjects = [line[1] for line in lines]
    assert subjects[:3] == ["python", "sqlite", "packages"]
    assert {"terminal", "settings", "permissions", "backend", "cloud.db", "cells/cell-1.db"} <= set(subjects)


def test_a_bad_folder_ends_with_1_and_says_what_to_do(folder: Path) -> None:
    (folder / "cells/cell-2.db").unlink()

    result = stratodeck("doctor", "--json", "--data", folder)

    assert result.exit_code == 1
    (found,) = [each for each in json.loads(result.stdout)["findings"] if each["level"] != "ok"]
    assert found["subject"] == "cells/cell-2.db"
    assert found["says"].endswith("is missing")
    assert found["advice"].startswith("Import an export")


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("palete = 'light'", "palete"),
        ("[keys]\nstop = 's'", "stop is not a command"),
        ("[clouds.there]\nurl = 'nowhere'", "nowhere"),
    ],
    ids=["a name", "a key", "a cloud"],
)
def test_settings_that_are_wrong_are_told_of(
    written: str, named: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").write_text(written)
    monkeypatch.setenv("STRATODECK_SETTINGS", str(tmp_path / "settings.toml"))

    result = stratodeck("doctor", "--data", folder)

    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("bad")]
    assert line.split()[1] == "settings"
    assert named in line


@pytest.mark.parametrize(
    ("has", "wanted", "fits"),
    [("8.2.8", ">=8.2,<9", True), ("9.0", ">=8.2,<9", False), ("8.1", ">=8.2", False), ("2", "==2.0.0", False)],
)
def test_versions_are_compared_by_their_numbers(has: str, wanted: str, fits: bool) -> None:
    assert _fits(has, wanted) is fits


def test_a_terminal_that_can_show_little_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)

    said = [(each.level, each.subject) for each in _terminal({"TERM": "dumb"})]
    good = [(each.level, each.subject) for each in _terminal({"TERM": "xterm-256color", "COLORTERM": "truecolor"})]

    assert said[0] == ("bad", "terminal")
    assert ("warn", "colours") in said
    assert good[:2] == [("ok", "terminal"), ("ok", "colours")]
