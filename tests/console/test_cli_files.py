"""The command line and the files that describe clouds: what is read, written and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend import fleet_file
from tests.backend.processes import Process
from tests.console.test_cli import path, refusal, stratodeck

__all__ = ["path"]

FLEET = """
grace_seconds = 5
[[cells]]
name = "cell-1"
[[cells.hosts]]
name = "h1"
count = 3
kind = "compute"
cpu_mhz = 80000
memory_bytes = 274877906944
"""


@pytest.fixture
def file(path: Path) -> Path:
    """A fleet's file beside the data folder, which is not there."""
    found = path.with_name("fleet.toml")
    found.write_text(FLEET)
    return found


def serve(path: Path, cloud: str) -> Process:
    return Process("serve", "--port", "0", "--data", str(path), "--cloud", cloud, module="console")


def test_a_fleet_is_served_and_exported_while_it_runs_and_when_it_rests(path: Path, file: Path) -> None:
    with serve(path, str(file)) as serving:
        assert serving.line().startswith("stratodeck: serving ")
        while_it_runs = stratodeck("cloud", "export", "--data", path)
    at_rest = stratodeck("cloud", "export", "--data", path)

    assert (while_it_runs.exit_code, while_it_runs.stderr) == (0, "")
    assert while_it_runs.stdout == at_rest.stdout
    assert fleet_file.parse(at_rest.stdout, file="exported") == fleet_file.read(file)


def test_an_export_makes_the_same_fleet_in_another_folder(path: Path, file: Path) -> None:
    exported, second = path.with_name("exported.toml"), path.with_name("second")
    with serve(path, str(file)) as serving:
        assert serving.line()
    assert stratodeck("cloud", "export", "--data", path, "-o", exported).output == ""

    with serve(second, str(exported)) as serving:
        assert serving.line().startswith("stratodeck: serving ")

    assert stratodeck("cloud", "export", "--data", second).stdout == exported.read_text()


def test_a_relative_path_is_one_of_the_folder_where_it_was_typed(
    path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(FLEET.replace("80000", "true"))
    monkeypatch.chdir(path.parent)

    assert refusal("serve", "--port", "0", "--data", path, "--cloud", file.name).startswith(
        f"stratodeck: {file}: cells[0].hosts[0].cpu_mhz is true, expected an integer from 250"
    )
    assert not path.exists()


def test_a_cloud_that_is_neither_a_word_nor_a_file_is_refused_before_anything_starts(path: Path) -> None:
    for where, found in ((path.with_name("fleet.toml"), "is not there"), (path.parent, "is a folder")):
        sentence = f"{where} {found}. --cloud takes `demo`, `empty`, or a TOML file that describes a fleet."
        assert refusal("--data", path, "--cloud", where) == f"stratodeck: {sentence}\n"
        assert refusal("serve", "--data", path, "--cloud", where) == f"stratodeck: {sentence}\n"
    assert not path.exists()


def test_nothing_is_exported_of_a_folder_without_a_cloud(path: Path) -> None:
    output = path.with_name("exported.toml")

    assert refusal("cloud", "export", "--data", path, "-o", output) == f"stratodeck: {path} holds no cloud.\n"
    assert not path.exists()
    assert not output.exists()


def test_an_export_replaces_a_file_whole_or_says_why_not(path: Path, file: Path) -> None:
    with serve(path, str(file)) as serving:
        assert serving.line()

    assert stratodeck("cloud", "export", "--data", path, "-o", file).exit_code == 0
    assert 'count = 3\nkind = "compute"' in file.read_text()
    assert sorted(each.name for each in path.parent.iterdir()) == ["data", "fleet.toml"]
    nowhere = path.with_name("nowhere") / "fleet.toml"
    assert refusal("cloud", "export", "--data", path, "-o", nowhere) == (
        f"stratodeck: Cannot write {nowhere}: no such file or directory.\n"
    )


# Workloads


def test_a_share_is_not_for_a_trace_with_a_label_of_its_own() -> None:
    assert refusal("replay", "alibaba-openb", "--backfill-share", "0.5") == (
        "stratodeck: alibaba-openb says itself which servers are backfilling ones: leave out --backfill-share.\n"
    )


def test_a_workload_of_ones_own_is_replayed_on_a_fleet_of_ones_own(path: Path, file: Path) -> None:
    rows = path.with_name("own.csv")
    rows.write_text("arrival_seconds,lifetime_seconds,vcpus,memory_gib,tenant_batch\n0,,2,4,1\n60,600,1,0.5,1\n")

    done = stratodeck("replay", rows, "--cloud", file, "--data", path)

    assert done.exit_code == 0
    assert done.stdout.startswith(f"Replayed 1 hour of {rows} on 3 hosts of 40 cores and 256 GiB, seed 1.\n")
    assert fleet_file.parse(stratodeck("cloud", "export", "--data", path).stdout, file="exported").cells == (
        fleet_file.read(file).cells
    )


def test_a_workload_that_is_wrong_is_refused_and_nothing_is_made(path: Path) -> None:
    rows = path.with_name("own.csv")
    rows.write_text("arrival_seconds,lifetime_seconds,vcpus,memory_gib,tenant_batch\n0,,2,lots,1\n")

    assert refusal("replay", rows, "--data", path) == (
        f'stratodeck: {rows}: line 2, memory_gib is "lots", expected a number from 0.25 to 1000000, such as 0.75.\n'
    )
    assert refusal("replay", "azure-2017", "--cloud", "demo", "--data", path).endswith(
        "demo is not there. --cloud takes a TOML file that describes a fleet.\n"
    )
    assert not path.exists()
