"""Exports: exact, harmless in a spreadsheet, and never over another file. The clipboard where the terminal has none."""

from __future__ import annotations

import csv
import io
import json
import stat
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import clipboard
from console.presentation import exports, servers
from console.presentation.columns import Table
from console.presentation.mirror import Mirror
from console.records import Factors, ServerRecord
from console.screens import copying
from console.screens.exporting import write_new
from tests.console.examples import GIB, a_frame, a_server, an_unknown, the_cloud


def table_of(*rows: ServerRecord) -> Table[ServerRecord]:
    table = servers.view(Mirror(fleet=Mirror().fleet.changed(rows)), a_frame()).table
    assert table is not None
    return table


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_spreadsheet_gets_every_column_with_its_unit_and_what_is_last_known() -> None:
    row = replace(a_server("web-1"), cpu_mhz=2500, memory_bytes=8 * GIB, perf_factor=Factors(0.5, 1.0))

    known, unknown = read(exports.as_csv(table_of(row, an_unknown("web-2", "cell-3", "c3-h01"))))[::-1]

    assert (known["cpu_mhz"], known["memory_bytes"], known["factor"]) == ("2500", str(8 * GIB), "0.5")
    assert (known["is_last_known"], unknown["is_last_known"]) == ("", "true")
    assert unknown["host"] == "c3-h01"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "＝1"])
def test_a_name_is_never_a_formula(name: str) -> None:
    (row,) = read(exports.as_csv(table_of(a_server(name))))

    assert not row["name"].startswith(("=", "+", "-", "@", "\t", "＝"))


@given(st.text(max_size=12))
def test_a_spreadsheet_has_a_line_a_row_and_no_control_character(name: str) -> None:
    row = replace(a_server("web"), name=name, owner=name)

    text = exports.as_csv(table_of(row))

    assert len(list(csv.reader(io.StringIO(text)))) == 2
    assert all(sign.isprintable() or sign == "\n" for sign in text)
    parsed = json.loads(exports.as_json(table_of(row), {}))
    assert parsed["rows"][0]["id"] == row.id


def test_a_program_gets_numbers_as_numbers_and_what_they_are_about() -> None:
    whole = json.loads(exports.as_json(table_of(a_server("web-1", owner=None)), {"view": "servers"}))

    assert whole["view"] == "servers"
    (row,) = whole["rows"]
    assert (row["name"], row["owner"], row["is_last_known"]) == ("web-1", None, False)
    assert isinstance(row["cpu_mhz"], int)


def test_a_file_is_new_and_its_owners_alone(tmp_path: Path) -> None:
    paths = [write_new(tmp_path, "stem", "csv", str(number)) for number in range(3)]

    assert [path.name for path in paths] == ["stem.csv", "stem-2.csv", "stem-3.csv"]
    assert [path.read_text() for path in paths] == ["0", "1", "2"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


def test_a_link_that_lies_there_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "stem.csv").symlink_to(tmp_path / "elsewhere")

    assert write_new(tmp_path, "stem", "csv", "x").name == "stem-2.csv"
    assert not (tmp_path / "elsewhere").exists()


# Copying ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "there", "program"),
    [
        ({}, {"pbcopy"}, "/bin/pbcopy"),
        ({"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, {"wl-copy", "xclip"}, "/bin/wl-copy"),
        ({"DISPLAY": ":0"}, {"wl-copy", "xclip"}, "/bin/xclip"),
        ({"DISPLAY": ":0"}, {"xsel"}, "/bin/xsel"),
        ({"DISPLAY": ":0"}, set(), None),
        ({}, {"xclip", "wl-copy"}, None),
        # The clipboard of the machine at the other end is not the one before the operator.
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4"}, {"xclip", "pbcopy"}, None),
        ({"SSH_TTY": "/dev/pts/1"}, {"pbcopy"}, None),
    ],
)
def test_the_clipboard_of_this_machine_is_used_where_it_is_the_operators(
    environment: Mapping[str, str], there: set[str], program: str | None
) -> None:
    found = clipboard.command(environment, lambda name: f"/bin/{name}" if name in there else None)

    assert (found[0] if found else None) == program


def test_a_program_that_takes_the_text_or_fails_is_known_to() -> None:
    takes = [sys.executable, "-c", "import sys; sys.exit(0 if sys.stdin.read() == 'é\\n' else 1)"]

    assert clipboard.give(takes, "é\n")
    assert not clipboard.give(takes, "other")
    assert not clipboard.give(["/nowhere/at/all"], "x")


@pytest.mark.parametrize(("terminal", "is_heard"), [("xterm-256color", True), ("linux", False), ("dumb", False)])
def test_some_terminals_take_no_clipboard(terminal: str, is_heard: bool) -> None:
    assert clipboard.is_heard({"TERM": terminal}) is is_heard


def copies(key: str) -> dict[str, str]:
    return {item.title: item.text for item in copying.items(the_cloud(), key, "the row") if item.reason is None}


def test_what_can_be_copied_depends_on_what_knows_the_object() -> None:
    mirror = the_cloud()
    server = next(row for row in mirror.servers.values() if row.name == "web-31")
    drive = next(iter(mirror.drives.by_id))

    assert copies(server.id)["openstack"] == f"openstack server show {server.id}"
    assert f"Server().get('\"'\"'{server.id}'\"'\"')" in copies(server.id)["cloudsigma in Python"]
    assert copies(server.id)["row"] == "the row"
    assert set(copies(f"drive:{drive}")) == {"id", "name", "row", "curl", "cloudsigma in Python"}
    assert copies("host:c2-h07")["stratodeck"] == "stratodeck host drain --preview c2-h07"
    assert copies("cell:cell-3")["stratodeck"] == "stratodeck cell down --preview cell-3"
    assert copies("service:nova-compute/c2-h07")["openstack"].endswith("--service nova-compute --host c2-h07")


def test_a_hostile_name_stays_one_word_of_a_command() -> None:
    assert copies("host:x; rm -rf ~")["openstack"] == "openstack hypervisor show 'x; rm -rf ~'"
