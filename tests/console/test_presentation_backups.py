"""Schedules, backups, coverage, calendar and storage of one invented cloud, as they are drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.presentation import (
    attention,
    backup_detail,
    backups,
    calendar,
    coverage,
    event_words,
    overview,
    project_detail,
    schedules,
    storage,
)
from console.presentation.lines import ASCII, Tone, View, cells, take, text_of
from console.presentation.mirror import Mirror
from console.records_backups import (
    Backups,
    Coverage,
    CoverageRecord,
    DueRecord,
    FireRecord,
    SchedulePreviewRecord,
    Schedules,
    StorageRecord,
    VerdictRecord,
)
from tests.console.drawn import WIDTHS, aside, body, lines_of, plate, the_row
from tests.console.examples import NOW, POLLED, a_frame, ago, an_event, the_cloud
from tests.console.protecting import (
    SILENT,
    a_backup,
    a_schedule,
    the_calendar,
    the_detail,
    the_protected_cloud,
    the_schedules,
    the_storage,
)

NIGHTLY = "schedule:sch-web nightly"


def drawn(view: View) -> list[str]:
    return [line.rstrip() for line in body(view)]


# Schedules ---------------------------------------------------------------------------------------------------------


def test_schedules_are_listed_by_their_next_run_with_their_last_ones() -> None:
    assert drawn(schedules.view(the_protected_cloud(), a_frame(110, 30))) == [
        "    SCHEDULE         SOURCE    CRON          ZONE    LAST 10     NEXT IN     AGE     of   KEPT   of  DRILL",
        "  … app often        app-914   */10 * * * *  UTC     ✓✓✓✓✓✓✓✓◇…    waits     25m      ·      7    7  ·",
        "  ▲ mq hourly        web-31    5 * * * *     UTC     ✓✓✓✓✓✓✓+◇✓    1h01m   2h00m  1h00m     24   24  ·",
        "  ● web nightly      web-31    0 23 * * *    Berlin  ✓✓✓✓✓✓✓✓✓✓    7h56m  16h03m  1d02h     14   14  ✓ 10m41s",
        "  ▲ shop weekly      proje…op  0 3 * * 6     UTC     ✓✓✓✓✓✓       12h56m   6d00h      ·      8    ∞  ✗ failed",
        "  ✗ db nightly       web-31    0 2 * * *     UTC     ✓✓✓✓✓✓✓✓✗    failed   3d00h  1d00h      7    7  ·",
        "  ‖ old monthly      web-31    0 4 1 * *     UTC                     off   never      ·      0   14  ·",
    ]


def test_at_80_columns_a_schedule_still_says_how_many_are_kept() -> None:
    head = drawn(schedules.view(the_protected_cloud(), a_frame(80, 24)))[0].split()

    assert head == ["SCHEDULE", "CRON", "LAST", "10", "NEXT", "IN", "AGE", "of", "KEPT", "of"]


@pytest.mark.parametrize(
    ("changes", "glyph", "word", "tone"),
    [
        ({"last_run_at": None, "last_good_at": None, "backups": 0, "created_at": NOW}, "○", "new", Tone.TEXT),
        ({}, "●", "on", Tone.OK),
        ({"is_active": False}, "‖", "off", Tone.MUTED),
        ({"is_active": False, "reason": "Over quota"}, "✗", "failed", Tone.CRIT),
    ],
)
def test_only_what_has_run_is_green_and_off_is_not_failed(
    changes: dict[str, Any], glyph: str, word: str, tone: Tone
) -> None:
    schedule = next(each for each in the_schedules() if each.title == "web nightly")._replace(**changes)

    look = schedules.look(the_protected_cloud(), a_frame(), schedule)

    assert (look.glyph, look.word, look.tone) == (glyph, word, tone)


def test_a_day_has_its_year_where_the_next_runs_span_several() -> None:
    found = [FireRecord(datetime(year, 4, 2, tzinfo=UTC), f"{year}-04-02T00:00:00+00:00") for year in (2027, 2028)]

    assert [schedules.local(each, has_year=schedules.spans_years(found)) for each in found] == [
        "Fri 02 Apr 2027 00:00",
        "Sun 02 Apr 2028 00:00",
    ]
    assert schedules.local(found[0], has_year=schedules.spans_years(found[:1])) == "Fri 02 Apr 00:00"


def test_a_narrow_terminal_keeps_name_and_countdown_and_never_cuts_a_cron() -> None:
    assert drawn(schedules.view(the_protected_cloud(), a_frame(40, 10)))[:4] == [
        "    SCHEDULE      CRON          NEXT IN",
        "  … app often     */10 * * * *    waits",
        "  ▲ mq hourly     5 * * * *       1h01m",
        "  ● web nightly   0 23 * * *      7h56m",
    ]


def test_a_missed_run_warns_a_failed_one_alarms_and_one_that_waits_is_unknown() -> None:
    view = schedules.view(the_protected_cloud(), a_frame(110, 30))

    tones = {
        name: plate(the_row(view, f"schedule:sch-{name}"))[53:63] for name in ("mq hourly", "db nightly", "app often")
    }

    assert tones == {"mq hourly": "ooooooowwo", "db nightly": "ooooooooc.", "app often": "oooooooowu"}


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("", "app often"),
        ("worst", "db nightly"),
        ("schedule", "app often"),
        ("source", "app often"),
        ("cron", "app often"),
        ("zone", "web nightly"),
        ("kept", "old monthly"),
        ("age", "shop weekly"),
        ("drill", "web nightly"),
    ],
)
def test_schedules_are_sorted_by_each_column(order: str, first: str) -> None:
    shown = schedules.visible(the_protected_cloud(), a_frame(sort=order))

    assert shown[0].title == first
    assert {each.id for each in shown} == {each.id for each in the_schedules()}


def test_what_has_no_key_stays_last_in_either_direction() -> None:
    for is_descending in (False, True):
        shown = schedules.visible(the_protected_cloud(), a_frame(sort="age", is_descending=is_descending))
        assert shown[-1].title == "old monthly"


def test_schedules_of_a_cell_are_those_of_its_servers() -> None:
    assert [each.title for each in schedules.visible(the_protected_cloud(), a_frame(scope="cell-5"))] == ["app often"]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("berlin", ["web nightly"]),
        ("state:off", ["old monthly"]),
        ("state:failed", ["db nightly"]),
        ("waits", ["app often"]),
        ("quota", ["db nightly"]),
        ("project shop", ["shop weekly"]),
        ("app-914", ["app often"]),
        ("nothing like it", []),
    ],
)
def test_schedules_are_found_by_what_is_said_of_them(wanted: str, names: list[str]) -> None:
    assert [each.title for each in schedules.visible(the_protected_cloud(), a_frame(filter=wanted))] == names


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("app often", "missed since 13:50:00: cell-5 does not answer; one catch-up is owed"),
        ("mq hourly", "its last good backup is too old: at most 1h00m was promised"),
        ("db nightly", "Over quota: storage needs 100.0 GiB"),
        ("old monthly", "switched off by somebody; x a switches it on"),
        ("shop weekly", "its last drill failed: no host has room"),
        ("web nightly", "0 23 * * *, by the clock of Europe/Berlin; next 22:00:00 UTC"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_a_sentence(name: str, sentence: str) -> None:
    told = text_of(schedules.status(the_protected_cloud(), a_frame(), f"schedule:sch-{name}"))

    assert told == f"{name}: {sentence}"


def test_the_status_tells_newer_of_a_schedule_than_its_list() -> None:
    newer = replace(the_protected_cloud(), schedules=(a_schedule("web nightly", next_trigger_at=NOW),))

    assert schedules.visible(newer, a_frame())[0].next_trigger_at == NOW


def test_a_list_that_is_read_again_does_not_shrink_meanwhile() -> None:
    whole = the_schedules()
    mirror = the_protected_cloud().apply(Schedules(whole[:2], "2", len(whole)), POLLED)
    assert len(schedules.known(mirror)) == len(whole)

    mirror = mirror.apply(Schedules(whole[:2], None, 2), POLLED)
    assert len(schedules.known(mirror)) == 2


def test_below_the_schedules_stands_what_the_one_under_the_cursor_would_do() -> None:
    view = schedules.view(the_protected_cloud(), a_frame())
    assert view.preview is not None

    assert [text_of(line).rstrip() for line in view.preview(NIGHTLY)] == [
        "",
        " NEXT TEN    web nightly: at 23:00 every day, by the clock of Europe/Berlin",
        "             Fri 20 Nov 23:00  22:00 UTC      Wed 25 Nov 23:00  22:00 UTC",
        "             Sat 21 Nov 23:00  22:00 UTC      Thu 26 Nov 23:00  22:00 UTC",
        "             Sun 22 Nov 23:00  22:00 UTC      Fri 27 Nov 23:00  22:00 UTC",
        "             Mon 23 Nov 23:00  22:00 UTC      Sat 28 Nov 23:00  22:00 UTC",
        "             Tue 24 Nov 23:00  22:00 UTC      Sun 29 Nov 23:00  22:00 UTC",
        " RETENTION   14 days, at most 14",
        "             1 of 3 goes at the next run ✗17 18 19",
    ]
    assert len(view.preview("schedule:sch-mq hourly")) == len(view.preview(NIGHTLY))
    assert schedules.view(the_protected_cloud(), a_frame(has_pane=False)).preview is None


def test_backups_of_one_day_are_told_apart_by_their_times() -> None:
    verdicts = tuple(VerdictRecord(f"bak-{n}", True, "kept", ago(hours=n)) for n in (1, 2, 3))
    told = the_detail()._replace(preview=SchedulePreviewRecord("hourly", (), 0, verdicts))
    view = schedules.view(the_protected_cloud().apply(told, POLLED), a_frame())
    assert view.preview is not None

    last = text_of(view.preview(NIGHTLY)[-1]).strip()

    assert last == "none of 3 goes at the next run 11:03 12:03 13:03"


def test_beside_the_schedules_of_a_wide_terminal_stands_what_is_known_of_one() -> None:
    view = schedules.view(the_protected_cloud(), a_frame(160, 45))
    lines = [text_of(line) for line in aside(view, "schedule:sch-app often")]

    assert {len(line) for line in lines} == {view.pane_width}
    assert any("so          missed since 13:50:00: cell-5 does not" in line for line in lines), "\n".join(lines)
    assert schedules.view(the_protected_cloud(), a_frame(160, 45, has_pane=False)).pane_width == 0


def test_what_was_told_of_one_is_newer_than_its_list_only_with_a_newer_version() -> None:
    mirror = the_protected_cloud()
    for version, is_active in ((2, True), (3, False), (9, False)):
        told = the_detail()._replace(schedule=a_schedule("web nightly", is_active=False, version=version))
        found = mirror.apply(told, POLLED).find_schedule("sch-web nightly")
        assert found is not None
        assert found.is_active is is_active


# Backups -----------------------------------------------------------------------------------------------------------


def test_backups_of_a_schedule_say_what_its_rules_make_of_them() -> None:
    view = backups.view(the_protected_cloud(), a_frame(110, 30, scope=NIGHTLY))

    assert view.crumbs == ("schedules", "web nightly", "backups")
    assert drawn(view) == [
        "  STATE        SOURCE        CREATED UTC      AGE      GiB  KEPT UNTIL       LEFT  WHY",
        "  … copying    web-31        19 Nov 22:00  16h03m      3.1  03 Dec 22:03   13d08h  is being made",
        "  ● ready      web-31        18 Nov 22:00   1d16h      3.2  02 Dec 22:03   12d08h  number 1 of 14 that are…",
        "  ✗ erred      web-31        17 Nov 22:00   2d16h      3.3  01 Dec 22:03   11d08h  drive web-31-boot is lost",
        "  3 backups   9.6 GiB   1 goes at the next run",
    ]


def test_a_part_is_behind_its_parent_in_the_list_of_all_backups() -> None:
    mirror = the_protected_cloud()

    assert [each.id for each in backups.visible(mirror, a_frame(), mirror.protection.lists[None])] == [
        "bak-1", "bak-2", "bak-3", "bak-4",
    ]  # fmt: skip
    assert backups.view(mirror, a_frame()).note == "sort newest   4"
    assert backups.view(mirror, a_frame(filter="erred")).note == "sort newest   1 of 4"
    parts = backups.view(mirror, a_frame(scope="backup:bak-4"))
    assert parts.crumbs == ("backups", "shop", "parts")
    assert parts.find("backup:bak-5") is not None


def test_below_the_backups_stand_who_has_none_and_how_long_the_quota_lasts() -> None:
    view = backups.view(the_protected_cloud(), a_frame(80, 24))

    assert [text_of(line).rstrip() for line in view.below] == [
        "  IN NO SCHEDULE 1,190 of 1,204 servers; of all, 1,191 have no backup, 1 late",
        "  QUOTA          full  ▓▓▓▓▓▓▓▓▓▓│░  64 of 64 GiB, full",
    ]


@pytest.mark.parametrize(
    ("order", "first"), [("", "bak-1"), ("state", "bak-3"), ("size", "bak-4"), ("source", "bak-4"), ("left", "bak-3")]
)
def test_backups_are_sorted_by_what_one_looks_for(order: str, first: str) -> None:
    mirror = the_protected_cloud()

    assert backups.visible(mirror, a_frame(sort=order), mirror.protection.lists[None])[0].id == first


# Who is covered ----------------------------------------------------------------------------------------------------


def test_coverage_is_worst_first_and_marks_what_cannot_be_copied_now() -> None:
    view = coverage.view(the_protected_cloud(), a_frame(100, 30))

    assert drawn(view) == [
        "  STANDING    SERVER                          LAST GOOD     of  CELL            SCHEDULES",
        "  ✗ never     db-09                               never      ·  cell-1          none",
        "  ✗ never     app-914                             never      ·  ? cell-5        none",
        "  ▲ late      web-05                              8d00h  7d00h  cell-2          shop weekly",
        "  ● good      web-31                             16h00m  1d00h  cell-2          shop weekly, web…",
    ]
    assert (
        text_of(view.below[0]).rstrip()
        == "  1,190 in no schedule   last good:  1,191 never  1 late  8 no target  4 good"
    )
    assert text_of(view.status("id-app-914")).endswith("cell-5 does not answer, so none can be taken now")


@pytest.mark.parametrize(
    ("choices", "names"),
    [
        ({"filter": "uncovered"}, ["db-09", "app-914"]),
        ({"filter": "weekly"}, ["web-05", "web-31"]),
        ({"scope": "cell-5"}, ["app-914"]),
        ({"sort": "server"}, ["app-914", "db-09", "web-05", "web-31"]),
        ({"sort": "age", "is_descending": True}, ["web-31", "web-05", "app-914", "db-09"]),
    ],
)
def test_coverage_is_narrowed_and_sorted(choices: dict[str, Any], names: list[str]) -> None:
    mirror = the_protected_cloud()

    assert [coverage.name_of(mirror, row) for row in coverage.visible(mirror, a_frame(**choices))] == names


def test_counts_alone_leave_the_rows_as_they_were() -> None:
    mirror = the_protected_cloud().apply(Coverage((), 9, 8, 7, 6, is_counted_only=True), POLLED)

    assert mirror.protection.coverage is not None
    assert mirror.protection.counts is not None
    assert (len(mirror.protection.coverage.rows), mirror.protection.counts.late) == (4, 6)


def test_who_is_late_and_who_is_uncovered_is_one_line_of_the_overview_that_leads_there() -> None:
    (alarm,) = [each for each in attention.alarms(the_protected_cloud(), a_frame()) if each.who == "backups"]

    assert (alarm.key, alarm.what) == ("view:coverage", "1 server late; 1,190 of 1,204 servers in no active schedule")
    calm = the_cloud().apply(Coverage((), 1_204, good=1_204), POLLED)
    assert "backups" not in {each.who for each in attention.alarms(calm, a_frame())}


# The calendar ------------------------------------------------------------------------------------------------------


def test_the_calendar_shows_who_runs_when_and_where_copies_crowd() -> None:
    assert drawn(calendar.view(the_protected_cloud(), a_frame(80, 24))) == [
        "  ALL              14  16  18  20  22  00  02  04  06  08  10  12      MOST",
        "  runs              8 1 1 · · · · · 3 · · · · · · · · · · · · · · ·       8",
        "  at once           8 1 1 · · · · · 3 · · · · · · · · · · · · · · ·       8",
        "  GiB at once       █ ░ ░ · · · · · ▒ · · · · · · · · · · · · · · ·     160",
        "  cell-1            ░ ░ ░ · · · · · · · · · · · · · · · · · · · · ·",
        "  ? cell-5          █ · · · · · · · · · · · · · · · · · · · · · · ·",
        "",
        "  SCHEDULE         14  16  18  20  22  00  02  04  06  08  10  12       GiB",
        "  app often         █ · · · · · · · · · · · · · · · · · · · · · · ·     100",
        "  mq hourly         ░ ░ ░ · · · · · · · · · · · · · · · · · · · · ·      20",
        "  web nightly       · · · · · · · · ░ · · · · · · · · · · · · · · ·     3.1",
        "  shop weekly       · · · · · · · · · · · · · ? · · · · · · · · · ·       —",
    ]


def test_the_smallest_calendar_still_has_every_hour() -> None:
    assert drawn(calendar.view(the_protected_cloud(), a_frame(40, 10))) == [
        "  ALL         14    20    02    08",
        "  at once     811·····3···············",
        "  SCHEDULE    14    20    02    08",
        "  app often   █·······················",
        "  mq hourly   ░░░·····················",
        "  web nightly ········░···············",
        "  shop weekly ·············?··········",
    ]


def test_the_hours_of_another_zone_begin_where_it_says() -> None:
    mirror = the_protected_cloud().apply(the_calendar("Europe/Berlin"), POLLED)

    view = calendar.view(mirror, a_frame(120, 40, scope="Europe/Berlin"))

    assert view.crumbs == ("calendar", "Europe/Berlin")
    assert drawn(view)[0].split()[:4] == ["ALL", "15", "16", "17"]


@pytest.mark.parametrize(
    ("key", "choices", "sentence"),
    [
        (None, {}, "most at once: 8 runs, 160 GiB, in the hour of 14:00 UTC; without the GiB of 1 schedule of unknown "
         "size"),
        ("schedule:sch-app often", {},
         "app often: 6 runs of 100 GiB, 1m43s each; the first at 14:10 UTC in 6m33s; cell-5 does not answer: "
         "they will be missed"),
        ("schedule:sch-shop weekly", {},
         "shop weekly: 1 run of nobody can tell how much, 1m43s each; the first at 14:10 UTC in 6m33s"),
        (None, {"scope": "Nowhere"}, "no hours of Nowhere yet: is it a time zone, such as Europe/Berlin?"),
    ],
)  # fmt: skip
def test_the_calendar_says_what_its_row_is_about(key: str | None, choices: dict[str, Any], sentence: str) -> None:
    assert text_of(calendar.status(the_protected_cloud(), a_frame(**choices), key)) == sentence


# Storage -----------------------------------------------------------------------------------------------------------


def test_storage_shows_what_a_quota_comes_to() -> None:
    assert drawn(storage.view(the_protected_cloud(), a_frame(100, 30))) == [
        "  PROJECT          USE         USED      GiB      of  BACKUPS  GROWS TO   A DAY  FULL IN  SCHEDULES",
        "  full             ▓▓▓▓▓▓▓▓│░  100%       64      64       64        80       1     full          1",
        "  shop             ██████▓▓▓·   96%    3,912   4,096      900         ∞      24    7d00h          3",
        "  ledger           ████▓░░···   50%      500   1,000      100       700      20    never          1",
        "  farm             no quota       ·       90       ·        0        90       0        ·          0",
    ]


def test_the_bar_of_a_quota_is_drives_backups_what_comes_and_a_mark_where_it_ends() -> None:
    shop, ledger, farm, full = the_storage().projects
    glyphs = a_frame().glyphs

    assert text_of(storage.gauge(shop, 20, glyphs)) == "███████████████▓▓▓▓·"
    assert text_of(storage.gauge(ledger, 20, glyphs)) == "████████▓▓░░░░······"
    assert text_of(storage.gauge(farm, 20, glyphs)) == "no quota"
    assert text_of(storage.gauge(full, 20, glyphs)) == "▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓│░░░"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("shop", "3 schedules; at least one keeps every backup, so it never stops growing; "
                 "its quota is full on 27 Nov 14:03"),
        ("ledger", "1 schedule; it grows to 700 GiB at most, then as many backups go as come; "
                   "1 not counted: nothing to copy yet"),
        ("farm", "0 schedules; it grows no more: as many backups go as come; it has no quota"),
        ("full", "1 schedule; it grows to 80 GiB at most, then as many backups go as come; "
                 "its quota is full: a run that needs more switches its schedule off"),
    ],
)  # fmt: skip
def test_what_storage_comes_to_is_a_sentence(name: str, sentence: str) -> None:
    project = next(each for each in the_storage().projects if each.name == name)

    assert storage.sentence(a_frame(), project) == sentence


# One of them in full -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "state        ● on",
        "source       web-31",
        "cron         0 23 * * *   at 23:00 every day, by the clock of Europe/Berlin",
        "next         22:00:00 UTC in 7h56m",
        "next ten     Fri 20 Nov 23:00 Berlin   20 Nov 22:00 UTC   in 7h56m",
        "             Sun 29 Nov 23:00 Berlin   29 Nov 22:00 UTC   in 9d07h",
        "last good    19 Nov 22:00 (16h03m)   at most 1d02h old is promised",
        "drill        ✓ 10m41s   every 30 days; last 18 Nov 14:03 (2d00h)",
        "kept         14 days, at most 14",
        "backups      14 of 14",
        "             ✓ 18 Nov 22:03  number 1 of 14 that are kept",
        "             ✗ 17 Nov 22:03  goes: 14 days old or more; it has failed",
    ],
)
def test_a_schedule_is_described_with_its_next_runs_and_what_its_rules_would_do(line: str) -> None:
    view = backup_detail.schedule_view(the_protected_cloud(), NIGHTLY, a_frame(100, 40))

    assert any(each.strip().startswith(line.strip()) for each in body(view)), "\n".join(drawn(view))


@pytest.mark.parametrize(
    ("key", "lines"),
    [
        ("backup:bak-3", ["state        ✗ erred", "reason       drive web-31-boot is lost",
                          "taken by     web nightly"]),
        ("backup:bak-4", ["source       project shop", "taken by     somebody, by hand",
                          "kept until   for ever, or until it is deleted"]),
        ("backup:bak-5", ["part of      bak-4"]),
        ("backup:gone", ["gone is not known any more   esc goes back"]),
    ],
)  # fmt: skip
def test_a_backup_is_described(key: str, lines: list[str]) -> None:
    view = backup_detail.backup_view(the_protected_cloud(), key, a_frame(100, 40))

    for line in lines:
        assert any(line in each for each in body(view)), "\n".join(drawn(view))


def test_a_server_says_what_copies_it_and_leads_there() -> None:
    facts = backup_detail.server_facts(the_protected_cloud(), a_frame(), "id-web-31")

    assert [(text_of(fact.value), fact.key) for fact in facts] == [
        ("● web nightly   0 23 * * *   next in 7h56m", "schedule:sch-web nightly"),
        ("▲ mq hourly   5 * * * *   next in 1h01m", "schedule:sch-mq hourly"),
        ("3   the last good one 1d16h old", "backups:server:id-web-31"),
    ]
    assert backup_detail.server_facts(the_cloud(), a_frame(), "id-web-31") == []


# All of them -------------------------------------------------------------------------------------------------------


def views(mirror: Mirror, **choices: Any) -> list[View]:
    frame = a_frame(**choices)
    return [
        schedules.view(mirror, frame),
        backups.view(mirror, frame),
        backups.view(mirror, frame._replace(scope=NIGHTLY)),
        coverage.view(mirror, frame),
        calendar.view(mirror, frame),
        storage.view(mirror, frame),
        backup_detail.schedule_view(mirror, NIGHTLY, frame),
        backup_detail.backup_view(mirror, "backup:bak-3", frame),
    ]


@pytest.mark.parametrize("size", WIDTHS, ids=str)
def test_every_line_has_the_width_of_the_terminal_and_its_last_column_free(size: tuple[int, int]) -> None:
    for mirror in (the_protected_cloud(), the_cloud(), Mirror()):
        for view in views(mirror, width=size[0], height=size[1]):
            for line in (*lines_of(view, NIGHTLY), *view.below):
                text = text_of(line)
                assert (cells(text), text[-1]) == (size[0] - view.pane_width, " ")


def test_the_plain_signs_are_ascii() -> None:
    for view in views(the_protected_cloud(), width=120, height=40, glyphs=ASCII):
        for line in (*lines_of(view, NIGHTLY), *aside(view, NIGHTLY), *view.below):
            assert text_of(line).isascii(), text_of(line)


names = st.text(st.characters(blacklist_categories=("Cc", "Cf", "Cs")), max_size=40)


@given(names, names, names, st.sampled_from((40, 60, 80, 120, 200)))
def test_a_hostile_name_moves_no_column(name: str, source: str, reason: str, width: int) -> None:
    schedule = a_schedule("x", description=name, source_name=source, reason=reason, cron=source[:20] or "* * * * *",
                          time_zone=name, next_trigger_at=NOW + timedelta(hours=1))  # fmt: skip
    mirror = the_cloud().apply(Schedules((schedule, a_schedule("y")), None, 2), POLLED)
    backup = a_backup(1, source_name=source, reason=reason, description=name, schedule_id="sch-x")
    mirror = mirror.apply(Backups((backup, a_backup(2)), None, 2), POLLED)
    frame = a_frame(width, 30)
    mirror = mirror.apply(Coverage((CoverageRecord("id", name), CoverageRecord("id-db-09", source)), 2, 2, 2), POLLED)
    mirror = mirror.apply(the_storage()._replace(projects=(StorageRecord("p", name, 9, 3, 9),)), POLLED)
    due = the_calendar().schedules[0]._replace(title=name, source_name=source, cells=(reason,))
    mirror = mirror.apply(the_calendar()._replace(schedules=(due,)), POLLED)

    for view in (each.view(mirror, frame) for each in (schedules, backups, coverage, calendar, storage)):
        beside = aside(view, "schedule:sch-x")
        assert {cells(text_of(line)) for line in beside} <= {view.pane_width}
        for line in (*lines_of(view, "schedule:sch-x"), *view.below):
            assert cells(text_of(line)) == width - view.pane_width
    head, first, *_ = map(text_of, lines_of(schedules.view(mirror, frame)))
    end = head.index("NEXT IN") + len("NEXT IN")
    assert take(first, end).endswith("1h00m")


# Names that are last known -------------------------------------------------------------------------------------------


def with_nameless_schedule(**said: Any) -> Mirror:
    mirror = the_protected_cloud()
    silent = a_schedule(
        "x", id="e2bc7544-1", description="", server_id=SILENT, source_id=SILENT, source_name=None, **said
    )
    return replace(mirror, schedules=(*(mirror.schedules or ()), silent))


def test_a_schedule_keeps_the_name_of_its_source_while_the_cell_of_that_is_silent() -> None:
    mirror = with_nameless_schedule(missed_since=NOW, next_trigger_at=NOW)
    found = mirror.find_schedule("e2bc7544-1")
    due = DueRecord("e2bc7544-1", "e2bc7544")
    assert mirror.protection.calendar is not None
    protection = replace(mirror.protection, calendar=mirror.protection.calendar._replace(schedules=(due,)))

    assert found is not None
    assert found.title == "app-914"
    # What could only be missed is no next backup, by whatever name.
    assert {title for title, _ in overview.next_backups(mirror)} == {"api hourly"}
    assert "app-914" in {alarm.who for alarm in attention.alarms(mirror, a_frame())}
    assert [each.title for each in calendar.visible(replace(mirror, protection=protection), a_frame())] == ["app-914"]


def test_events_of_a_backup_go_by_the_name_of_its_source_after_its_first_one() -> None:
    begun = an_event(7, "backup.created", "1dfdefd6-9", NOW, changes={"source_id": (None, "id-web-31")})
    ready = an_event(8, "backup.ready", "1dfdefd6-9", NOW, changes={"state": ("backing_up", "ready")})
    gone = an_event(9, "backup.ready", "2dfdefd6-9", NOW)
    first = an_event(
        6, "backup.created", "2dfdefd6-9", NOW, changes={"source_id": (None, "x"), "source_name": (None, "old")}
    )
    mirror = replace(the_protected_cloud(), events=(first, begun, ready, gone))

    assert [event_words.title(mirror, event) for event in (begun, ready, gone)] == ["web-31", "web-31", "old"]


# A project -----------------------------------------------------------------------------------------------------------


def test_a_project_has_a_page_of_what_it_holds() -> None:
    mirror = the_protected_cloud()
    project = the_storage().projects[0]

    page = drawn(project_detail.view(mirror, project.key, a_frame()))

    assert page[0].split() == ["project", project.name]
    assert {line.split()[0] for line in page} >= {"quota", "use", "drives", "backups", "schedules", "id"}
    assert "is not known any more" in drawn(project_detail.view(mirror, "project:gone", a_frame()))[0]
    unread = replace(mirror, protection=replace(mirror.protection, storage=None))
    assert drawn(project_detail.view(unread, project.key, a_frame()))[0].split() == ["project", "…"]
