"""A scenario as a file: what is read, what is refused and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud.model import Size
from backend.rehearsals import scenario
from backend.rehearsals.scenario import ScenarioProblem, parse
from backend.rehearsals.steps import CellFault, Create, HostVerb, ServerVerb, told_seconds
from tests.rehearsing import FLEET, LARGE, SMALL, a_scenario, a_text, wrong_scenarios
from tests.strategies import QUICK, THOROUGH


def mistakes(text: str) -> list[str]:
    with pytest.raises(ScenarioProblem) as raised:
        parse(text, file="it.toml")
    return list(raised.value.sentences)


def test_a_file_is_read_with_its_steps_in_the_order_of_their_instants() -> None:
    found = a_scenario(
        'at = "10m"\ndo = "host-lost"\nhost = "a-01"',
        f'do = "create"\nname = "web"\ncount = 3\nbackfilling = true\ngroup = "web"\n{SMALL}',
        'at = 60\ndo = "cell-hung"\ncell = "cell-2"',
        'after = "30s"\ndo = "stop"\nservers = ["web-*", "db"]',
        expected='stopped_max = 2\nrecovery_max = "1h05m"\ngroups_apart = ["web"]\n'
        '[expected.servers]\nweb-02 = "running"',
    )

    assert [(step.at_seconds, step.act) for step in found.steps] == [
        (60, CellFault("cell-2", "hung")),
        (90, ServerVerb("stop", ("web-*", "db"))),
        (600, HostVerb("a-01", "fail")),
        (600, Create("web", Size(2000, 2**31), count=3, is_backfilling=True, group="web")),
    ]
    assert (found.expected.stopped_max, found.expected.recovery_seconds_max) == (2, 3900)
    assert (found.expected.groups_apart, found.expected.servers) == (("web",), {"web-02": "running"})


def test_every_mistake_is_told_with_its_line_its_key_and_what_was_expected() -> None:
    text = a_text(
        'at = "10 minutes"\ndo = "host-lost"\nhost = "a-01"',
        'do = "explode"',
        f'do = "create"\nname = "web"\ncount = 0\n{SMALL}',
        'do = "cell-down"\ncell = "cell-1"\nhost = "a-01"',
        expected='missed_max = -1\nstopped = 3\n[expected.servers]\nweb = "dead"',
        top='lasts = "1h"\nseed = "seven"\n',
    )
    lines = text.split("\n")
    first, second, third, fourth = (number for number, line in enumerate(lines, 1) if line == "[[steps]]")

    found = mistakes(text)

    assert [sentence.split(", expected")[0] for sentence in found] == [
        'it.toml: seed is the string "seven"',
        f'it.toml: line {first}: steps[0].at is the string "10 minutes"',
        f'it.toml: line {second}: steps[1].do is the string "explode"',
        f"it.toml: line {third}: steps[2].count is 0",
        f"it.toml: line {fourth}: steps[3].host is not a key of a step cell-down",
        "it.toml: expected.stopped is not a key of what is expected",
        "it.toml: expected.missed_max is -1",
        'it.toml: expected.servers.web is the string "dead"',
    ]
    assert all(", expected " in sentence for sentence in found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title =", "it.toml: this is not TOML: Invalid value (at end of document)."),
        (f'title = "x"\n{FLEET}', "it.toml: lasts is missing, expected a time from 1s to 366d"),
        ('title = "x"\nlasts = 9\n', 'it.toml: cloud is missing, expected "demo", a trace (azure-2017 or alibaba-ope'),
        (
            'title = "x"\nlasts = 9\ncloud = "fleet.toml"\n',
            'cloud is the string "fleet.toml", expected "demo"',
        ),
        ('title = "x"\nlasts = 9\ncloud = {}\n', "it.toml: cloud.cells is missing, expected 1 to 100 tables"),
        (
            'title = "x"\nlasts = 9\ncloud = "demo"\nhours = 1\n',
            "hours is 1, expected it only beside the name",
        ),
        (
            'title = "x"\nlasts = 9\ncloud = "demo"\nbegin = 2026-01-05\n',
            "begin is the date or time 2026-01-05, exp",
        ),
        (
            a_text('at = "2h"\ndo = "drain"\nhost = "a-01"'),
            'steps[0].at is the string "2h", expected a time from 0s to 1h',
        ),
        (
            a_text('at = 1\nafter = 1\ndo = "drain"\nhost = "a-01"'),
            "steps[0].after is there beside `at`, expected one of",
        ),
        (a_text(f'do = "create"\nname = "x"\nfloor = 0.5\n{LARGE}'), "steps[0].floor is 0.5, expected it only beside"),
        (a_text('do = "schedule"\nservers = "x"\ncron = "* * *"'), 'steps[0].cron is the string "* * *", which '),
        (
            a_text(f'at = "50m"\ndo = "create"\nname = "x"\nover = "11m"\n{SMALL}'),
            "[0].over is 11m, expected a time that",
        ),
        (
            a_text(*[f'do = "create"\nname = "x"\ncount = 20000\n{SMALL}'] * 6),
            "steps make 120,000 servers, expected",
        ),
        (a_text('do = "settings"'), "expected one of list_records_by_skipping_down_cells, default_cpu_type too"),
        (a_text('do = "stop"\nservers = []'), "steps[0].servers is an empty array, expected the name of a server"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(text: str, told: str) -> None:
    (sentence,) = mistakes(text)

    assert told in sentence


def test_a_fleet_is_read_from_beside_the_scenario(tmp_path: Path) -> None:
    fleet = FLEET.replace("[cloud]\n", "").replace("cloud.", "")
    (tmp_path / "fleet.toml").write_text(fleet)
    file = tmp_path / "it.toml"
    file.write_text('title = "x"\nlasts = 9\ncloud = "fleet.toml"\n')

    found = scenario.read(file)

    assert found.fleet is not None
    assert [cell.name for cell in found.fleet.cells] == ["cell-1", "cell-2"]
    (tmp_path / "fleet.toml").write_text(fleet.replace("8000", "8"))
    with pytest.raises(ScenarioProblem, match=r"which is no fleet: .*fleet.toml: cells\[0\].hosts\[0\].cpu_mhz is 8"):
        scenario.read(file)


@given(seconds=st.integers(0, 366 * 86_400))
@QUICK
def test_a_length_of_time_is_read_as_it_is_told(seconds: int) -> None:
    found = parse(a_text(f'at = "{told_seconds(seconds)}"\ndo = "cell-up"\ncell = "cell-1"', top='lasts = "366d"\n'),
                  file="it.toml")  # fmt: skip

    assert found.steps[0].at_seconds == seconds


def check_is_read_or_told(text: str) -> None:
    told: tuple[str, ...] | None = None
    try:
        parse(text, file="it.toml")
    except ScenarioProblem as problem:
        told = problem.sentences
    assert told is None or told
    for sentence in told or ():
        assert sentence.startswith("it.toml: ")
        assert sentence.endswith(".")
        assert "\n" not in sentence


@given(text=wrong_scenarios | st.text(max_size=60))
@QUICK
def test_whatever_the_file_says_is_read_or_told(text: str) -> None:
    check_is_read_or_told(text)


@pytest.mark.thorough
@given(text=wrong_scenarios | st.text())
@THOROUGH
def test_whatever_any_file_says_is_read_or_told(text: str) -> None:
    check_is_read_or_told(text)
