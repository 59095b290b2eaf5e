"""A fleet as a file: what is read, what is refused and in which words, and that writing it loses nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend import fleet_file, toml_table
from backend.cloud.model import GIB, HostKind
from backend.fleet_file import (
    STANDARD_ACCOUNTS,
    Fleet,
    FleetAccount,
    FleetCell,
    FleetHost,
    FleetProblem,
)
from backend.folder import OPERATOR
from backend.operations import Settings
from backend.toml_table import INTEGER_MAX
from tests.strategies import QUICK, fleets

HOST = """
[[cells]]
name = "cell-1"
[[cells.hosts]]
name = "h1"
kind = "compute"
cpu_mhz = 80000
memory_bytes = 274877906944
"""
STORAGE = """
[[cells.hosts]]
name = "s1"
kind = "storage"
capacity_bytes = 10995116277760
"""


def parsed(text: str) -> Fleet:
    return fleet_file.parse(text, file="fleet.toml")


def sentence_about(text: str) -> str:
    with pytest.raises(FleetProblem) as raised:
        parsed(text)
    return str(raised.value)


def test_the_form_is_read_as_it_is_described() -> None:
    fleet = parsed(HOST + STORAGE)

    assert fleet == Fleet(
        cells=(
            FleetCell(
                "cell-1",
                (
                    FleetHost("h1", HostKind.COMPUTE, cpu_mhz=80_000, memory_bytes=256 * GIB),
                    FleetHost("s1", HostKind.STORAGE, capacity_bytes=10_240 * GIB),
                ),
            ),
        )
    )


def test_what_is_left_out_is_as_in_every_cloud() -> None:
    fleet = parsed(HOST)
    usual = Settings()

    assert fleet.seed is None
    assert fleet.accounts == STANDARD_ACCOUNTS
    assert (fleet.floor_permille, fleet.grace_seconds, fleet.placement) == (
        usual.floor_permille,
        usual.grace_seconds,
        usual.placement,
    )


def test_what_is_given_at_the_top_is_kept() -> None:
    fleet = parsed('seed = -7\nperf_factor_floor = 0.3\ngrace_seconds = 0\nplacement = "pack"\n' + HOST)

    assert (fleet.seed, fleet.floor_permille, fleet.grace_seconds, fleet.placement) == (-7, 300, 0, "pack")


@pytest.mark.parametrize(
    ("count", "first", "last"),
    [(1, "h1-01", "h1-01"), (40, "h1-01", "h1-40"), (99, "h1-01", "h1-99"), (100, "h1-001", "h1-100")],
)
def test_a_count_makes_numbered_hosts(count: int, first: str, last: str) -> None:
    hosts = parsed(f"{HOST}count = {count}\n").cells[0].hosts

    assert len(hosts) == count
    assert (hosts[0].name, hosts[-1].name) == (first, last)
    assert {(host.cpu_mhz, host.memory_bytes) for host in hosts} == {(80_000, 256 * GIB)}


def test_the_operator_is_there_whoever_is_listed() -> None:
    fleet = parsed('[[accounts]]\nname = "ann@example.org"\nproject = "büro"\nmay_backfill = true\n' + HOST)

    assert fleet.accounts == (
        FleetAccount("ann@example.org", "büro", may_backfill=True),
        FleetAccount(OPERATOR, "operations", is_staff=True, may_backfill=True),
    )


def test_the_order_of_hosts_and_a_count_written_out_make_no_difference() -> None:
    def host(name: str, extra: str = "") -> str:
        return f'[[cells.hosts]]\nname = "{name}"\nkind = "compute"\ncpu_mhz = 250\nmemory_bytes = 268435456\n{extra}'

    head = '[[cells]]\nname = "c"\n'
    counted = parsed(head + host("a", "count = 2\n") + host("b"))

    assert parsed(head + host("b") + host("a-02") + host("a-01")) == counted


SECOND = HOST.replace("cell-1", "cell-2")
ACCOUNT = '[[accounts]]\nname = "ann@example.org"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HOST.replace("80000", '"many"'),
         'cells[0].hosts[0].cpu_mhz is the string "many", expected an integer from 250 to 9223372036854775807'
         " (MHz; less holds no server)."),
        (HOST.replace("80000", "true"), "cells[0].hosts[0].cpu_mhz is true, expected an integer from 250"),
        (HOST.replace("80000", "80000.0"), "cells[0].hosts[0].cpu_mhz is 80000.0, expected an integer"),
        (HOST.replace("80000", "249"), "cells[0].hosts[0].cpu_mhz is 249, expected an integer from 250"),
        (HOST.replace("274877906944", "268435455"), "hosts[0].memory_bytes is 268435455, expected an integer from 268"),
        (HOST.replace("80000", str(2**63)), f"cpu_mhz is {2**63}, expected an integer from 250 to {INTEGER_MAX}"),
        (HOST.replace("80000", "0x" + "f" * 9000), "cpu_mhz is a number far too large, expected an integer"),
        (HOST.replace("80000", "9" * 9000), "a number has too many digits, expected one up to 9223372036854775807."),
        (HOST.replace("cpu_mhz = 80000", ""), "cells[0].hosts[0].cpu_mhz is missing, expected an integer"),
        (HOST.replace("cpu_mhz", "cpu"),
         "cells[0].hosts[0].cpu is not a key of a compute host, expected one of name, count, kind, cpu_mhz, memory_b"),
        (HOST + STORAGE + "cpu_mhz = 1\n",
         "cells[0].hosts[1].cpu_mhz is not a key of a storage host, expected one of name, count, kind, capac"),
        (HOST + STORAGE.replace("10995116277760", "0"), "hosts[1].capacity_bytes is 0, expected an integer from 1 to"),
        (HOST.replace('"compute"', '"gpu"'), 'hosts[0].kind is the string "gpu", expected "compute" or "storage".'),
        (HOST.replace('kind = "compute"', ""), 'cells[0].hosts[0].kind is missing, expected "compute" or "storage".'),
        (HOST.replace('"h1"', '""'), 'cells[0].hosts[0].name is the string "", expected a name: at most 64 of A-Z'),
        (HOST.replace('"h1"', '"a/b"'), 'cells[0].hosts[0].name is the string "a/b", expected a name'),
        (HOST.replace('"cell-1"', '"../x"'), 'cells[0].name is the string "../x", expected a name: at most 64 of'),
        (HOST.replace('"cell-1"', '".x"'), 'cells[0].name is the string ".x", expected a name'),
        (HOST.replace('"cell-1"', '"x\\n"'), 'cells[0].name is the string "x\\n", expected a name'),
        (HOST.replace('"cell-1"', f'"{"x" * 65}"'), f'cells[0].name is the string "{"x" * 60}…", expected a name'),
        (HOST.replace('"cell-1"', '"cloud"'), 'cells[0].name is the string "cloud", expected another name: this one'),
        (HOST.replace('"cell-1"', "1"), "cells[0].name is 1, expected a name"),
        (HOST + SECOND, 'cells[1].hosts[0].name is "h1", as is cells[0].hosts[0].name, expected a name of its own in'),
        (HOST + SECOND.replace("cell-2", "CELL-1").replace('"h1"', '"h2"'),
         'cells[1].name is "CELL-1", as is cells[0].name but for upper and lower case'),
        (HOST + SECOND.replace("cell-2", "cell-1"), 'cells[1].name is "cell-1", as is cells[0].name but for upper'),
        (HOST + 'count = "40"\n', 'cells[0].hosts[0].count is the string "40", expected an integer from 1 to 200000.'),
        (HOST + "count = 0\n", "cells[0].hosts[0].count is 0, expected an integer from 1 to 200000."),
        (HOST + "count = 200001\n", "cells[0].hosts[0].count is 200001, expected an integer from 1 to 200000."),
        (HOST.replace('"h1"', f'"{"x" * 62}"') + "count = 3\n", "expected a name that leaves room for -3 within 64"),
        (HOST + "count = 200000\n" + STORAGE, "cells has more than 200000 hosts, expected at most that many"),
        (HOST.replace("274877906944", str(INTEGER_MAX)) + "count = 2\n",
         "the memory_bytes of all hosts add up to 18446744073709551614, expected at most 9223372036854775807"),
        ('[[cells]]\nname = "c"' + STORAGE, 'cells has no host of kind "compute", expected at least one'),
        ("", "cells is missing, expected 1 to 100 tables [[cells]]."),
        ("cells = []", "cells is an empty array, expected 1 to 100 tables [[cells]]."),
        ('cells = ["cell-1"]', 'cells[0] is the string "cell-1", expected a table [[cells]].'),
        ('[cells]\nname = "c"', "cells is a table, expected 1 to 100 tables [[cells]]."),
        ('[[cells]]\nname = "c"', "cells[0].hosts is missing, expected 1 to 200000 tables [[cells.hosts]]."),
        ('[[cells]]\nname = "c"\nhosts = [1]', "cells[0].hosts[0] is 1, expected a table [[cells.hosts]]."),
        ("".join(f'[[cells]]\nname = "c{n}"\n' for n in range(101)), "cells is an array of 101, expected 1 to 100"),
        ("servers = 3\n" + HOST, "servers is not a key of the file's top level, expected one of seed, perf_factor_fl"),
        ('"\\u001b[31m" = 3\n' + HOST, '"\\u001b[31m" is not a key of the file'),
        ("seed = 1.5\n" + HOST, "seed is 1.5, expected an integer from -9223372036854775808 to 9223372036854775807."),
        ("seed = 2020-01-01\n" + HOST, "seed is the date or time 2020-01-01, expected an integer"),
        ("seed = true\n" + HOST, "seed is true, expected an integer"),
        ("perf_factor_floor = 0\n" + HOST, "perf_factor_floor is 0, expected a number over 0 and at most 1, to the"),
        ("perf_factor_floor = 1.001\n" + HOST, "perf_factor_floor is 1.001, expected a number over 0 and at most 1"),
        ("perf_factor_floor = 0.0004\n" + HOST, "perf_factor_floor is 0.0004, expected a number over 0"),
        ("perf_factor_floor = 0.2505\n" + HOST, "perf_factor_floor is 0.2505, expected a number over 0"),
        ("perf_factor_floor = nan\n" + HOST, "perf_factor_floor is nan, expected a number over 0"),
        ("perf_factor_floor = true\n" + HOST, "perf_factor_floor is true, expected a number over 0"),
        ('perf_factor_floor = "x"\n' + HOST, 'perf_factor_floor is the string "x", expected a number over 0'),
        ("grace_seconds = -1\n" + HOST, "grace_seconds is -1, expected an integer from 0 to 31622400 (simul"),
        ('placement = "fast"\n' + HOST, 'placement is the string "fast", expected "spread" or "pack".'),
        ("placement = []\n" + HOST, 'placement is an empty array, expected "spread" or "pack".'),
        ("accounts = 1\n" + HOST, "accounts is 1, expected 0 to 10000 tables [[accounts]]."),
        ("[[accounts]]\n" + HOST, "accounts[0].name is missing, expected a name of 1 to 254 printable characters w"),
        (ACCOUNT.replace("ann@", "ann:") + HOST, "expected a name of 1 to 254 printable characters without spaces or"),
        (ACCOUNT + ACCOUNT + HOST, 'accounts[1].name is "ann@example.org", as is accounts[0].name, expected a name of'),
        (ACCOUNT + 'password = "x"\n' + HOST, "accounts[0].password is not a key of an account, expected one of name"),
        (ACCOUNT + "is_staff = 1\n" + HOST, "accounts[0].is_staff is 1, expected true or false."),
        (ACCOUNT + 'project = " "\n' + HOST, 'accounts[0].project is the string " ", expected a name of 1 to 64 prin'),
        (f'[[accounts]]\nname = "{OPERATOR}"\n' + HOST, "accounts[0].is_staff is missing, expected true: the console"),
        ("seed = \n" + HOST, "this is not TOML: Invalid value (at line 1, column 8)."),
        ("[[cells]]\nname = cell-1\n", "this is not TOML: Invalid value (at line 2, column 8)."),
        ("seed = 1\nseed = 2\n", "this is not TOML: Cannot overwrite a value (at line 2, column 9)."),
        ("seed = " + "[" * 9000, "arrays or tables are nested too deeply to be a fleet."),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_key_what_was_found_and_what_was_expected(text: str, sentence: str) -> None:
    found = sentence_about(text)

    assert found.startswith("fleet.toml: ")
    assert sentence in found
    assert "\n" not in found
    assert found.isprintable()


def as_toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(each) for each in value) + "]"
    return json.dumps(value)


def nearly(**known: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """A table that has some of the keys, mostly with values that could be theirs; or something else."""
    return st.fixed_dictionaries({}, optional={key: known[key] | ANYTHING for key in known}) | ANYTHING


WORDS = st.sampled_from(("h1", "cell-1", "compute", "storage", "pack", "count", "a/b", ""))
NUMBERS = st.sampled_from((0, 1, 250, 80_000, 2**40, 2**63 - 1, 2**63, -1, 0.25))
ANYTHING: st.SearchStrategy[object] = (
    WORDS | NUMBERS | st.booleans() | st.just([]) | st.dictionaries(WORDS, NUMBERS, max_size=2)
)
NEARLY_HOSTS = nearly(
    name=WORDS, kind=WORDS, cpu_mhz=NUMBERS, memory_bytes=NUMBERS, capacity_bytes=NUMBERS, count=st.integers(0, 3)
)
NEARLY_FLEETS = st.fixed_dictionaries(
    {"cells": st.lists(nearly(name=WORDS, hosts=st.lists(NEARLY_HOSTS, max_size=2)), max_size=2) | ANYTHING},
    optional={
        "seed": ANYTHING,
        "placement": ANYTHING,
        "accounts": st.lists(nearly(name=WORDS, project=WORDS, is_staff=st.booleans()), max_size=2),
    },
)


@given(text=st.text() | NEARLY_FLEETS.map(lambda top: "\n".join(f"{key} = {as_toml(top[key])}" for key in top)))
@QUICK
def test_any_text_is_a_fleet_or_a_sentence(text: str) -> None:
    try:
        fleet = parsed(text)
    except FleetProblem as problem:
        sentence = str(problem)
    else:
        assert parsed(fleet_file.render(fleet)) == fleet
        return
    assert sentence.startswith("fleet.toml: ")
    assert sentence.isprintable()


@given(fleet=fleets())
@QUICK
def test_a_fleet_that_is_written_and_read_is_the_same_fleet(fleet: Fleet) -> None:
    again = parsed(fleet_file.render(fleet))

    assert again == fleet
    assert again.fingerprint == fleet.fingerprint
    assert fleet_file.render(again) == fleet_file.render(fleet)


@given(one=fleets(), other=fleets())
@QUICK
def test_fleets_that_differ_have_other_fingerprints(one: Fleet, other: Fleet) -> None:
    assert (one.fingerprint == other.fingerprint) == (one == other)


def test_a_run_of_equal_hosts_is_written_as_one() -> None:
    text = fleet_file.render(parsed(HOST + "count = 40\n"))

    assert text.count("[[cells.hosts]]") == 1
    assert 'name = "h1"\ncount = 40\n' in text


@pytest.mark.parametrize("names", [["a-01"], ["a-1", "a-2"], ["a-02", "a-03"], ["a-001", "a-002"], ["-01", "-02"]])
def test_hosts_that_no_count_would_make_are_written_one_by_one(names: list[str]) -> None:
    hosts = tuple(FleetHost(name, HostKind.COMPUTE, cpu_mhz=250, memory_bytes=GIB) for name in names)

    assert "count" not in fleet_file.render(Fleet((FleetCell("c", hosts),)))


# Files


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(HOST)

    assert fleet_file.read(tmp_path / "fleet.toml") == parsed(HOST)


def problem_with(path: Path) -> str:
    with pytest.raises(FleetProblem) as raised:
        fleet_file.read(path)
    return str(raised.value)


def test_a_file_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes(b"seed = 1\n# gr\xfc\xdfe\n")

    assert problem_with(tmp_path / "gone") == (
        f"There is no file {tmp_path}/gone. --cloud takes `demo`, `empty`, or a TOML file that describes a fleet."
    )
    assert f"{tmp_path} is a folder, expected a TOML file" in problem_with(tmp_path)
    assert f"{tmp_path}/pipe is not a regular file" in problem_with(tmp_path / "pipe")
    assert problem_with(tmp_path / "latin") == (
        f"{tmp_path}/latin: line 2 holds the byte 0xfc, expected text in UTF-8."
    )


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(toml_table.FILE_BYTES_MAX + 1)

    assert "has 67,108,865 bytes, expected at most 67,108,864" in problem_with(tmp_path / "huge")
