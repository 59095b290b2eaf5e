"""`stratodeck host`: what it prints, and with what status it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.clock import system_wall
from console.audit import AuditLog
from console.records_audit import REFUSED
from tests.backend.processes import Process, child
from tests.console.test_cli import refusal, stratodeck


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def stub(path: Path) -> Iterator[Path]:
    with child(path) as backend:
        backend.until("ready")
        yield path


def test_a_preview_is_a_table_in_which_a_hostile_name_is_harmless(stub: Path) -> None:
    result = stratodeck("host", "drain", "h1", "--preview", "--data", stub)

    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["It", "goes."],
        [],
        ["SERVER", "GHZ", "GIB", "OUTCOME", "TO,", "OR", "WHY"],
        ["web·[2J", "moves", "h2"],
    ]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_preview_of_what_is_refused_ends_with_1_and_says_why(stub: Path, form: list[str]) -> None:
    result = stratodeck("host", "fail", "h1", "--preview", *form, "--data", stub)

    assert result.exit_code == 1
    assert "Cannot fail host h1." in result.stdout


def test_what_is_refused_is_the_clouds_own_sentence_and_status_1(stub: Path) -> None:
    result = stratodeck("host", "fail", "h1", "--data", stub)

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "stratodeck: Cannot fail host h1.·[2J\n")


def test_json_is_the_answer_as_it_came(stub: Path) -> None:
    result = stratodeck("host", "drain", "h1", "--preview", "--json", "--data", stub)

    assert json.loads(result.stdout)["plan"]["moves"][0]["name"] == "web\x1b[2J"
    assert "\x1b" not in result.stdout


def test_an_answer_that_makes_no_sense_is_a_sentence(stub: Path) -> None:
    result = stratodeck("host", "drain", "strange", "--preview", "--data", stub)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "was not understood" in result.stderr


def test_without_a_backend_there_is_no_host_to_act_on(path: Path) -> None:
    assert refusal("host", "fail", "h1", "--data", path).startswith(f"stratodeck: No cloud is running in {path}")


@pytest.mark.parametrize("arguments", [["host", "lose", "h1"], ["host", "fail"]], ids=" ".join)
def test_bad_use_is_refused(arguments: list[str]) -> None:
    assert "Error: " in refusal(*arguments)


def test_a_host_of_a_real_cloud_is_drained_emptied_lost_and_brought_back(path: Path) -> None:
    fleet = path.parent / "fleet.toml"
    fleet.write_text(
        '[[cells]]\nname = "cell-1"\n[[cells.hosts]]\nname = "h-1"\nkind = "compute"\n'
        "cpu_mhz = 8000\nmemory_bytes = 17179869184\n"
    )

    def said(action: str, *options: str) -> tuple[int, str]:
        result = stratodeck("host", action, "h-1", *options, "--data", path)
        return result.exit_code, (result.stdout or result.stderr).partition(";")[0].strip()

    arguments = ("serve", "--cloud", str(fleet), "--port", "0", "--data", str(path))
    with Process(*arguments, module="console") as serving:
        assert serving.line().startswith("stratodeck: serving http://127.0.0.1:")

        assert said("evacuate", "--preview") == (
            1,
            "Cannot evacuate host h-1: it is up, and should be maintenance.",
        )
        assert said("evacuate") == (1, "stratodeck: Cannot evacuate host h-1: it is up, and should be maintenance.")
        assert said("drain", "--preview") == (0, "h-1 takes no more placements")
        assert said("drain") == (0, "h-1 takes no more placements and nothing was moved")
        assert said("evacuate") == (0, "Nothing is on h-1.")
        assert said("fail") == (0, "h-1 is lost")
        assert said("recover") == (0, "h-1 is up and takes placements again.")


def test_what_is_asked_from_a_shell_is_written_down_and_a_preview_is_not(
    stub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    stratodeck("host", "fail", "h1", "--preview", "--data", stub)
    assert not (tmp_path / "state").exists()
    stratodeck("host", "fail", "h1", "--data", stub)

    [file] = (tmp_path / "state" / "stratodeck" / "audit").iterdir()
    [record] = AuditLog(file.parent, file.stem, system_wall).records()
    assert (record.method, record.path, record.body["action"]) == ("POST", "/hosts/h1/actions", "fail")
    assert (record.outcome, record.sentence) == (REFUSED, "Cannot fail host h1.·[2J")


def test_where_it_cannot_be_written_down_nothing_is_sent(
    stub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    said = refusal("host", "fail", "h1", "--data", stub)
    assert said.startswith("stratodeck: Nothing was sent: what is done is written down first, and ")
