"""`stratodeck data`: what it prints, and with what status it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backend.support import CLOUD_ID, make_folder
from tests.console.test_cli import refusal, stratodeck


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_folder(tmp_path / "data")
    return tmp_path / "data"


def test_a_cloud_goes_to_a_file_and_into_another_folder(folder: Path, tmp_path: Path) -> None:
    file, back = tmp_path / "cloud.sd", tmp_path / "back"

    exported = stratodeck("data", "export", file, "--data", folder)
    imported = stratodeck("data", "import", file, "--data", back)

    assert (exported.exit_code, exported.stderr) == (0, "")
    assert exported.stdout.startswith(f"Exported to {file}: cloud {CLOUD_ID}, 2 cells, ")
    assert (imported.exit_code, imported.stderr) == (0, "")
    assert imported.stdout.startswith(f"Imported to {back}: cloud {CLOUD_ID}, 2 cells, ")
    assert stratodeck("check", "--data", back).exit_code == 0


def test_a_cloud_that_is_not_whole_is_exported_and_ends_with_1(folder: Path, tmp_path: Path) -> None:
    (folder / "cells/cell-2.db").unlink()

    result = stratodeck("data", "export", tmp_path / "cloud.sd", "--data", folder)

    assert result.exit_code == 1
    assert result.stderr == (f"stratodeck: cells/cell-2.db is left out: {folder}/cells/cell-2.db is missing.\n")
    assert (tmp_path / "cloud.sd").exists()


def test_what_cannot_be_done_is_a_sentence_and_status_2(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cloud.sd").write_text("mine")

    assert "is there already" in refusal("data", "export", tmp_path / "cloud.sd", "--data", folder)
    assert "no export of a cloud" in refusal("data", "import", tmp_path / "cloud.sd", "--data", tmp_path / "back")
    assert "is not there" in refusal("data", "import", tmp_path / "none", "--data", tmp_path / "back")
    assert "holds no cloud" in refusal("data", "export", tmp_path / "new.sd", "--data", tmp_path / "none")
    assert (tmp_path / "cloud.sd").read_text() == "mine"
