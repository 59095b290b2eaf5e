"""Rehearsals: what a scenario does to its cloud, what the report says of it, and that it says the same each time."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from backend import check, folder
from backend.folder import FolderProblem
from backend.rehearsals import scenario, shipped
from backend.rehearsals.report import Report
from backend.rehearsals.running import rehearse
from backend.rehearsals.scenario import Scenario, ScenarioProblem, parse
from tests.rehearsing import LARGE, SMALL, a_scenario, a_text, right_scenarios
from tests.strategies import QUICK, THOROUGH

WEB = f'do = "create"\nname = "web"\ncount = 2\ngroup = "web"\napart = true\ncell = "cell-1"\n{SMALL}'
RENDER = f'do = "create"\nname = "render"\ncount = 2\nbackfilling = true\ncell = "cell-1"\n{SMALL}'
DOWN = 'at = "10m"\ndo = "cell-down"\ncell = "cell-1"'
UP = 'at = "40m"\ndo = "cell-up"\ncell = "cell-1"'


def text_of(report: Report) -> str:
    return json.dumps(report.to_json(), indent=2) + "\n".join(report.lines())


def verdicts(report: Report) -> dict[str, tuple[str, bool]]:
    return {each.what: (each.found, each.is_met) for each in report.expectations}


# ------------------------------------------------------------------------------------------------- what comes with us


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    """Of every scenario that comes with the product."""
    return {shipped.name_of(path): rehearse(scenario.read(path)) for path in shipped.shipped()}


def test_what_comes_with_us_ends_as_it_expects(reports: dict[str, Report]) -> None:
    assert sorted(reports) == [
        "cell-lost-in-backup-window",
        "drain-in-full-cell",
        "host-lost-under-pair",
        "surge-over-backfill",
    ]
    assert {name: [each for each in report.expectations if not each.is_met] for name, report in reports.items()} == {
        name: [] for name in reports
    }
    assert all(report.breach is None for report in reports.values())


def test_a_cell_lost_in_the_backup_window_is_made_up_for_by_one_copy_each(reports: dict[str, Report]) -> None:
    report = reports["cell-lost-in-backup-window"]

    assert [(each["cell"], each["seconds"]) for each in report.silent] == [("cell-2", 90 * 60)]
    assert {each["name"]: (each["runs"], each["seconds"]) for each in report.missed} == {
        f"ledger-db-{number:02}, */30 * * * *": (3, 80 * 60 + 512) for number in (1, 2, 3)
    }
    # The long copy was under way when the cell fell silent, and is whole as soon as the cell answers again.
    assert report.backups["longest_copy"] == {"name": "archive", "seconds": 110 * 60}
    oldest = {each["name"].split(",")[0]: each["oldest_seconds"] for each in report.backups["aged"]}
    assert oldest["shop-db-01"] == 30 * 60 + 512
    assert oldest["ledger-db-01"] == 110 * 60 + 512
    assert report.recovery_seconds == 90 * 60 + 512


def test_a_surge_shrinks_all_of_the_farm_before_it_stops_some(reports: dict[str, Report]) -> None:
    report = reports["surge-over-backfill"]

    assert len(report.shrunk) == 64
    assert len(report.stopped) == 18
    assert min(each["at_seconds"] for each in report.stopped) > 20 * 60
    assert all(re.match(r"to make room for surge-\d\d$", each["why"]) for each in report.stopped)
    # None is smaller than its floor, and the index, whose floor is high, goes too.
    assert min(each["memory"] for each in report.shrunk if each["name"].startswith("index")) == 0.8
    assert min(min(each["cpu"], each["memory"]) for each in report.shrunk) >= 0.25
    assert {each["name"] for each in report.stopped} >= {f"index-{number:02}" for number in range(1, 7)}
    # The first who is stopped has its minute of grace, and the server that it makes room for waits for that.
    assert report.longest_start is not None
    assert report.longest_start["seconds"] == 68


def test_a_host_lost_under_a_pair_costs_one_stop_and_no_redundancy(reports: dict[str, Report]) -> None:
    report = reports["host-lost-under-pair"]

    for_room = [each for each in report.stopped if each["why"].startswith("to make room")]
    assert [each["why"] for each in for_room] == ["to make room for ledger-01"]
    assert [each["back_seconds"] is not None for each in for_room] == [True]
    ledger = next(each for each in report.groups if each["name"] == "ledger")
    assert (ledger["up_least"], ledger["shared_seconds"], ledger["short_seconds"]) == (1, 0, 60 + 30 + 8)
    assert report.recovery_seconds == 60 + 30 + 8


def test_a_drain_in_a_full_cell_shares_a_host_until_there_is_room_again(reports: dict[str, Report]) -> None:
    report = reports["drain-in-full-cell"]

    assert [(each["name"], each["why"]) for each in report.stopped] == [("batch-10", "to make room for shop-02")]
    assert [(each["host"], each["stays"]) for each in report.evacuations] == [("h-02", ["batch-02", "batch-07"])]
    shop = next(each for each in report.groups if each["name"] == "shop")
    assert (shop["is_apart_first"], shop["is_apart"], shop["shared_seconds"]) == (True, True, 3600)
    assert {each["name"]: each["from"] for each in report.moved} == dict.fromkeys(
        ("app-02", "app-07", "big-02"), "h-02"
    )


# -------------------------------------------------------------------------------------------------------- determinism


@pytest.mark.parametrize("name", ["host-lost-under-pair", "drain-in-full-cell"])
def test_the_same_file_and_seed_give_the_same_report_byte_for_byte(name: str, reports: dict[str, Report]) -> None:
    again = rehearse(scenario.read(shipped.find(name)))

    assert text_of(again) == text_of(reports[name])
    assert not check.ID.search(text_of(again))


def test_another_seed_gives_another_cloud(reports: dict[str, Report]) -> None:
    found = scenario.read(shipped.find("host-lost-under-pair"))

    other = rehearse(replace(found, seed=found.seed + 1))

    assert other.steps == reports["host-lost-under-pair"].steps
    assert other.moved != reports["host-lost-under-pair"].moved


def test_at_a_rate_the_same_happens_but_for_the_moments_at_which_one_looks() -> None:
    wanted = a_scenario(WEB, RENDER, DOWN, UP, expected="stopped_max = 0")

    at_once, paced = rehearse(wanted), rehearse(wanted, rate=20_000)

    assert paced.is_met
    assert [(step.what, step.done) for step in paced.steps] == [(step.what, step.done) for step in at_once.steps]
    assert [(each["cell"], each["seconds"] is None) for each in paced.silent] == [("cell-1", False)]


# ------------------------------------------------------------------------------------------------------- expectations


@pytest.mark.parametrize(
    ("expected", "what", "found"),
    [
        ("stopped_max = 1", "servers stopped", "2"),
        ('recovery_max = "1h"', "recovery", "something is not whole yet"),
        ("groups_apart = true", "groups that were apart", "members of web share a host"),
        ('groups_apart = ["late"]', "groups late", "no group late"),
        ('[expected.servers]\nweb-01 = "stopped"', "server web-01", "running"),
        ('[expected.servers]\ngone = "running"', "server gone", "no such server"),
    ],
)
def test_an_expectation_that_fails_says_what_was_expected_and_found(expected: str, what: str, found: str) -> None:
    report = rehearse(
        a_scenario(
            WEB.replace("cell-1", "cell-2"),
            RENDER.replace("cell-1", "cell-2").replace("apart", "x"),
            'at = "10m"\ndo = "host-lost"\nhost = "b-01"',
            'at = "20m"\ndo = "host-back"\nhost = "b-01"',
            'at = "25m"\ndo = "host-lost"\nhost = "b-02"',
            f'do = "create"\nname = "gone"\ncell = "cell-1"\nstarted = false\n{SMALL}',
            'at = "30m"\ndo = "delete"\nservers = "gone"',
            'at = "40m"\ndo = "cell-down"\ncell = "cell-1"',
            f'at = "41m"\ndo = "create"\nname = "late"\ngroup = "late"\ncell = "cell-1"\n{SMALL}',
            expected=expected,
        )
    )

    assert verdicts(report)[what] == (found, False)
    assert not report.is_met
    assert any(line.startswith(f"FAILED  {what}: expected ") and line.endswith(f"found {found}")
               for line in report.lines())  # fmt: skip


def test_targets_and_ages_of_backups_are_judged_by_the_oldest_that_they_became() -> None:
    drive = "drive_bytes = 1073741824\n"
    report = rehearse(
        a_scenario(
            WEB + drive,
            'at = "1m"\ndo = "schedule"\nservers = "web-*"\ncron = "*/5 * * * *"\ntarget = "30m"',
            DOWN,
            UP,
            expected='targets_met = true\nbackup_age_max = "31m"\nmissed_max = 11',
        )
    )

    # The copies of ten past were cut off, so those of the next half hour are refused; and then the cell is back.
    assert (report.backups["overlapped"], verdicts(report)["runs missed"]) == (12, ("12", False))
    assert verdicts(report)["targets of schedules"][1] is False
    assert verdicts(report)["oldest last good backup"][1] is False
    assert "2 of 2 over theirs" in verdicts(report)["targets of schedules"][0]


def test_what_happens_before_it_counts_is_not_counted() -> None:
    steps = (RENDER, 'at = "1m"\ndo = "host-lost"\nhost = "a-01"', 'at = "2m"\ndo = "stop"\nservers = "nobody"')

    early = rehearse(a_scenario(*steps, expected="refused_max = 0"))
    late = rehearse(a_scenario(*steps, expected="refused_max = 0", top='lasts = "1h"\ncounts_from = "10m"\n'))

    assert (len(early.stopped), early.refused) == (1, 1)
    assert (len(late.stopped), late.refused) == (0, 0)


# --------------------------------------------------------------------------------------------------------------- steps


def test_a_step_that_the_cloud_refuses_is_told_and_ends_nothing() -> None:
    report = rehearse(
        a_scenario(
            f'do = "create"\nname = "big"\ncount = 6\n{LARGE}',
            'do = "stop"\nservers = "nobody"',
            'at = "1m"\ndo = "delete"\nservers = "big-*"',
            'at = "2m"\ndo = "stop"\nservers = "big-01"',
        )
    )

    made, nobody, deleted, stopped = report.steps
    assert (made.done, len(made.refused)) == (4, 2)
    assert made.refused[0].startswith("No host has room for server big-")
    assert nobody.refused == ("No server is called nobody.",)
    assert deleted.done == 2
    assert "Cannot delete server big-01: it is running, and should be stopped." in deleted.refused
    assert (stopped.done, stopped.refused) == (1, ())


@pytest.mark.parametrize("state", ["down", "hung", "garbage", "old"])
def test_a_cell_is_silent_in_every_way_and_comes_back_whole(state: str) -> None:
    report = rehearse(a_scenario(WEB, RENDER, DOWN.replace("cell-down", f"cell-{state}"), UP))

    assert [(each["cell"], each["at_seconds"], each["seconds"]) for each in report.silent] == [("cell-1", 600, 1800)]
    assert report.recovery_seconds == 1800
    assert report.is_met
    assert report.stopped == report.shrunk == report.moved == ()


def test_a_cell_that_stays_silent_is_not_recovered_from_and_its_file_is_put_back(tmp_path: Path) -> None:
    report = rehearse(
        a_scenario(WEB, DOWN.replace("cell-down", "cell-garbage"), expected='recovery_max = "1h"'), tmp_path / "kept"
    )

    assert verdicts(report)["recovery"] == ("something is not whole yet", False)
    assert check.check(tmp_path / "kept").breach is None
    assert not list((tmp_path / "kept").glob("*.aside"))


def test_a_name_that_the_cloud_does_not_have_is_a_mistake_of_the_file() -> None:
    late = 'at = "3h"\ndo = "drain"\nhost = "z-01"'
    with pytest.raises(ScenarioProblem) as raised:
        a_scenario(late, DOWN.replace("cell-1", "cell-9"), WEB, expected='[expected.servers]\nwbe = "x"')

    told = [sentence.removeprefix("test.toml: ") for sentence in raised.value.sentences]
    assert ['steps[0].at is the string "3h"' in told[0], "expected.servers.wbe" in told[1]] == [True, True]
    assert [sentence.partition(": ")[2] for sentence in told[2:]] == [
        'steps[0].host is the string "z-01", expected one of the cloud\'s: a-01, a-02, b-01, b-02, sa, sb.',
        'steps[1].cell is the string "cell-9", expected one of the cloud\'s: cell-1, cell-2.',
    ]
    assert all(sentence.startswith("line ") for sentence in told[2:])


@pytest.mark.parametrize(
    ("cloud", "told"),
    [
        ('cloud = "demo"', ["steps[0].host", "expected.servers.ledgr-02"]),
        ('cloud = "azure-2017"\nhours = 0.1', []),
        ('cloud = "nothing"', ["cloud is"]),
    ],
)
def test_what_a_cloud_will_have_is_known_before_it_is_made(cloud: str, told: list[str]) -> None:
    text = f'title = "x"\nlasts = "1h"\n{cloud}\n[[steps]]\ndo = "drain"\nhost = "h-99"\n[expected.servers]\n'
    text += 'web-31 = "running"\nldap-02 = "running"\nledgr-02 = "running"\n'
    try:
        parse(text, file="f")
        sentences: tuple[str, ...] = ()
    except ScenarioProblem as problem:
        sentences = problem.sentences

    assert len(sentences) == len(told)
    assert all(words in sentence for words, sentence in zip(told, sentences, strict=True))


def test_a_server_that_no_step_makes_is_a_mistake_of_the_file_with_its_line() -> None:
    text = a_text(WEB, expected='[expected.servers]\nweb-01 = "running"\nwbe = "running"')

    with pytest.raises(ScenarioProblem) as raised:
        parse(text, file="f")

    line = text.split("\n").index('wbe = "running"') + 1
    assert raised.value.sentences[0].startswith(f"f: line {line}: expected.servers.wbe is no server of the cloud")


def test_a_group_that_nobody_is_in_is_a_mistake_of_the_file() -> None:
    restored = 'at = "30m"\ndo = "restore-group"\ngroup = "wbe"'
    with pytest.raises(ScenarioProblem) as raised:
        a_scenario(WEB, restored, expected='groups_apart = ["web", "pairs"]')

    there = "no group of the cloud, expected one that is there or that a step makes servers in."
    told = [sentence.removeprefix("test.toml: ") for sentence in raised.value.sentences]
    assert [sentence.partition(".")[2] for sentence in told] == [
        f'group is the string "wbe", {there}',
        f'groups_apart has the string "pairs", {there}',
    ]
    assert told[0].startswith("line ")


@pytest.mark.parametrize("group", ["ldap", "pairs"])
def test_the_groups_of_the_demo_are_known_before_it_is_made(group: str) -> None:
    text = f'title = "x"\nlasts = "1h"\ncloud = "demo"\n[[steps]]\ndo = "restore-group"\ngroup = "{group}"\n'
    try:
        scenario = parse(text, file="f")
    except ScenarioProblem:
        scenario = None

    assert (scenario is not None) == (group == "ldap")


def test_settings_are_changed() -> None:
    report = rehearse(a_scenario('do = "settings"\nlist_records_by_skipping_down_cells = false'))

    assert [(step.what, step.done) for step in report.steps] == [("list_records_by_skipping_down_cells = False", 1)]


# ------------------------------------------------------------------------------------------------------------- folders


def test_a_folder_is_kept_as_the_rehearsal_left_it_and_taken_only_when_it_holds_no_cloud(tmp_path: Path) -> None:
    wanted = a_scenario(WEB)

    rehearse(wanted, tmp_path / "kept")

    with pytest.raises(FolderProblem, match="holds a cloud already, and a rehearsal makes its own"):
        rehearse(wanted, tmp_path / "kept")
    assert check.check(tmp_path / "kept").servers == 2
    with folder.claim(tmp_path / "other"), pytest.raises(FolderProblem, match="serves the cloud"):
        rehearse(wanted, tmp_path / "other")


@pytest.mark.thorough
def test_the_demo_can_be_rehearsed_on(tmp_path: Path) -> None:
    lost = 'at = "5m"\ndo = "host-lost"\nhost = "c1-h01"'
    top = 'cloud = "demo"\nlasts = "10m"\n'
    wanted = a_scenario(lost, expected='recovery_max = "3m"', top=top, fleet="")

    report = rehearse(wanted)

    assert report.cloud.startswith("the demo cloud of 4 cells, ")
    assert report.out
    assert all(each["ended_seconds"] is not None for each in report.out)
    # A cell is silent already when it begins: that is told, and not waited for; the runs that it misses are.
    assert [(each["is_old"], each["seconds"]) for each in report.silent] == [(True, None)]
    assert [each["name"] for each in report.missed] == ["search often"]
    assert verdicts(report)["recovery"][1] is False


@pytest.mark.thorough
def test_a_trace_can_fill_the_cloud() -> None:
    top = 'cloud = "azure-2017"\nhours = 0.5\nlasts = "1h"\n'
    wanted = a_scenario('at = "5m"\ndo = "drain"\nhost = "host-01"', top=top, fleet="")

    report = rehearse(wanted)

    assert re.fullmatch(r"the cloud of azure-2017 of 1 cell, \d+ hosts and [\d,]{3,} servers", report.cloud)
    assert report.breach is None
    assert report.steps[0].done == 1


# ------------------------------------------------------------------------------------------------------- whatever it is


def check_holds(wanted: Scenario) -> None:
    first, second = rehearse(wanted), rehearse(wanted)

    assert text_of(first) == text_of(second)
    assert first.breach is None
    done: list[Any] = [step for step in first.steps if step.done or step.refused]
    assert len(done) == len(first.steps)


@given(wanted=right_scenarios())
@QUICK.__class__(QUICK, max_examples=4)
def test_whatever_happens_the_invariants_hold_and_the_report_is_the_same_again(wanted: Scenario) -> None:
    check_holds(wanted)


@pytest.mark.thorough
@given(wanted=right_scenarios())
@THOROUGH.__class__(THOROUGH, max_examples=400)
def test_whatever_happens_in_many_scenarios_the_invariants_hold(wanted: Scenario) -> None:
    check_holds(wanted)
