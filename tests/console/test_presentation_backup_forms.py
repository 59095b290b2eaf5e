"""What was typed about schedules and backups, and how what that comes to is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.commands import BY_ID, reason_off
from console.presentation import backup_forms, backup_plans, creating
from console.presentation.creating import Wrong
from console.presentation.lines import ASCII, UNICODE, Glyphs, span_width, text_of
from console.presentation.mirror import Mirror
from console.reasons import Item, Selection
from console.records import PlanRecord
from console.records_backup_plans import BackupPlanRecord, OutlookRecord, SchedulePlanRecord
from console.records_backups import FireRecord, SchedulePreviewRecord, ScheduleRecord, VerdictRecord
from console.screens import objects
from console.wire_backup_plans import backup_plan, flavors, schedule_plan
from tests.console.examples import GIB, a_frame
from tests.console.fake_backups import FLAVORS, FULL, STORAGE, VERDICTS, daily_fires

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("read", "typed", "value"),
    [
        (backup_forms.read_days, "14", 14),
        (backup_forms.read_days, " 2w ", 14),
        (backup_forms.read_days, "3 days", 3),
        (backup_forms.read_days, "", 0),
        (backup_forms.read_days, "for ever", 0),
        (backup_forms.read_number, "10", 10),
        (backup_forms.read_number, "", 0),
        (backup_forms.read_seconds, "25h", 90_000),
        (backup_forms.read_seconds, "30 m", 1_800),
        (backup_forms.read_seconds, "", None),
        (backup_forms.read_jitter, "", 0),
        (backup_forms.read_keeps, "7 daily, weekly 4, monthly=12", {"daily": 7, "weekly": 4, "monthly": 12}),
        (backup_forms.read_keeps, " , ", {}),
        (backup_forms.read_zone, "", "UTC"),
        (backup_forms.read_cron, " @daily ", "@daily"),
    ],
)
def test_what_is_typed_is_a_value(read: Any, typed: str, value: Any) -> None:
    assert read(typed) == value


@pytest.mark.parametrize(
    ("read", "typed", "sentence"),
    [
        (backup_forms.read_days, "-1", "-1 is no number of days"),
        (backup_forms.read_days, "1.5", "1.5 is no number of days"),
        (backup_forms.read_drill_days, "-1", "or nothing for never"),
        (backup_forms.read_jitter, "3d", "3d is more than a run may be later; 1d is the most"),
        (backup_forms.read_days, "9" * 30, "is no number of days"),
        (backup_forms.read_number, "many", "many is no number"),
        (backup_forms.read_seconds, "25", "25 is no time; type a number and its unit"),
        (backup_forms.read_seconds, "25y", "25y is no time"),
        (backup_forms.read_keeps, "7 fortnightly", "7 fortnightly keeps nothing known"),
        (backup_forms.read_keeps, "daily", "daily keeps nothing known"),
        (backup_forms.read_keeps, "7 daily, 8 daily", "daily is said twice"),
        (backup_forms.read_cron, "  ", "when is needed"),
    ],
)
def test_what_makes_no_sense_says_what_does(read: Any, typed: str, sentence: str) -> None:
    found = read(typed)

    assert isinstance(found, Wrong)
    assert sentence in found.sentence


@given(
    st.integers(0, backup_forms.JITTER_SECONDS_MAX),
    st.dictionaries(st.sampled_from(backup_forms.RULES), st.integers(1, 1000)),
)
def test_what_a_form_begins_with_is_read_as_what_it_is(seconds: int, keeps: dict[str, int]) -> None:
    assert backup_forms.read_jitter(backup_forms.seconds_text(seconds)) == seconds
    assert backup_forms.read_keeps(backup_forms.keeps_text(keeps)) == keeps


def test_an_edit_in_which_nothing_is_touched_sends_nothing() -> None:
    schedule = ScheduleRecord("s1", None, cron="0 2 * * *", keeps={"daily": 7}, target_seconds=90_000, drill_days=30)
    fields = backup_forms.schedule_fields(schedule)

    assert creating.changes(fields, [field.text for field in fields]) == {}
    assert creating.first_wrong(fields, [field.text for field in fields]) is None


# How it is told ------------------------------------------------------------------------------------------------------


def told(*, storage: OutlookRecord = STORAGE, verdicts: tuple[VerdictRecord, ...] = VERDICTS) -> SchedulePlanRecord:
    preview = SchedulePreviewRecord("at 23:00 every day", daily_fires(), 0, verdicts)
    return SchedulePlanRecord(preview, schedule_id="s1", storage=(storage,), sentences=("It grows.",))


def test_a_schedule_tells_its_runs_then_what_goes_then_its_cost() -> None:
    lines = [text_of(line).rstrip() for line in backup_plans.schedule_lines(told(), "Europe/Berlin", a_frame(width=80))]

    assert lines == [
        "  RUNS        at 23:00 every day",
        "  NEXT 10     Sat 21 Nov 13:00  12:00 UTC   Thu 26 Nov 13:00  12:00 UTC",
        "              Sun 22 Nov 13:00  12:00 UTC   Fri 27 Nov 13:00  12:00 UTC",
        "              Mon 23 Nov 13:00  12:00 UTC   Sat 28 Nov 13:00  12:00 UTC",
        "              Tue 24 Nov 13:00  12:00 UTC   Sun 29 Nov 13:00  12:00 UTC",
        "              Wed 25 Nov 13:00  12:00 UTC   Mon 30 Nov 13:00  12:00 UTC",
        "  BACKUPS     1 go, 1 stay",
        "              goes  19 Nov 00:00  number 3, and 2 are kept",
        "  QUOTA       ██████████████████▒· 3,900 of 4,096 GiB, 9 GiB more at most",
        "  NOTE        It grows.",
        "              stays 20 Nov 00:00  number 1 of 2 that are kept",
    ]


@pytest.mark.parametrize(
    ("at", "local", "zone", "text"),
    [
        (NOON, "2026-11-20T12:00:00+00:00", "UTC", "Fri 20 Nov 12:00 UTC"),
        (NOON, "2026-11-20T13:00:00+01:00", "Europe/Berlin", "Fri 20 Nov 13:00  12:00 UTC"),
        (NOON - timedelta(hours=1), "2026-11-21T00:00:00+13:00", "Pacific/Auckland", "Sat 21 Nov 00:00  Fri 11:00 UTC"),
        (NOON, "2026-11-20T12:00:07+00:00", "UTC", "Fri 20 Nov 12:00:07 UTC"),
    ],
)
def test_a_run_says_the_weekday_in_utc_where_it_is_another(at: datetime, local: str, zone: str, text: str) -> None:
    assert backup_plans.fire_text(FireRecord(at, local), zone) == text


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("width", [36, 43, 44, 58, 72, 74, 88, 130])
def test_every_line_has_the_width_of_its_frame(width: int, glyphs: Glyphs) -> None:
    frame = a_frame(width=width)._replace(glyphs=glyphs)
    plan = PlanRecord("run", "s1", sentences=("1 drive of db-01 with a name that goes on and on: 3.0 GiB are copied.",))
    lines = [
        *backup_plans.schedule_lines(told(storage=FULL), "Europe/Berlin", frame),
        *backup_plans.backup_lines(BackupPlanRecord(plan, (FULL, STORAGE._replace(growth_bytes=None))), frame),
    ]

    assert {span_width(line) for line in lines} == {width}


def test_a_flavor_that_is_too_small_is_off_and_none_has_a_letter_that_moves() -> None:
    items = backup_plans.flavor_items(FLAVORS, a_frame(width=80))

    assert [(item.letter, item.title, item.reason) for item in items][:2] == [
        ("a", "m1.tiny", "needs 20.0 GiB of disk"),
        ("b", "m1.small", None),
    ]
    assert not {"j", "k"} & set(backup_plans.FLAVOR_LETTERS)


# What is off, what is read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "item", "reason"),
    [
        ("backup.restore", Item("backup", "backup:1", "db", "ready"), None),
        ("backup.restore", Item("backup", "backup:1", "db", "backing_up"), "it is being made"),
        ("backup.restore", Item("backup", "backup:1", "db", "restoring"), "it is restored from"),
        ("backup.restore", Item("backup", "backup:1", "db", "erred"), "it is a failed one"),
        ("backup.restore", Item("backup", "backup:1", "shop", "ready", part_of="parts"), "restore a part of it"),
        ("backup.delete", Item("backup", "backup:1", "db", "erred"), None),
        ("backup.delete", Item("backup", "backup:1", "db", "ready", part_of="whole"), "a part: delete the whole"),
        ("schedule.activate", Item("schedule", "schedule:1", "nightly", "on"), "it is on already"),
        ("schedule.activate", Item("schedule", "schedule:1", "nightly", "inactive"), None),
        ("schedule.deactivate", Item("schedule", "schedule:1", "nightly", "off"), "it is off already"),
        ("server.backup", Item("server", "s", "web", "starting"), "it is starting"),
        ("server.backup", Item("server", "s", "web", "running", is_reachable=False), "its cell is silent"),
        ("server.schedule", Item("server", "s", "web", "running", is_reachable=False), None),
    ],
)
def test_a_verb_that_is_off_says_why(command: str, item: Item, reason: str | None) -> None:
    assert reason_off(BY_ID[command], Selection("backups", (item,))) == reason
    assert reason_off(BY_ID[command], Selection("backups", (item,), is_read_only=True)) == "read-only"


@pytest.mark.parametrize(
    ("key", "command", "method", "body", "path"),
    [
        ("id-1", "server.backup", "POST", '"source_id": "id-1", "description": "NOTE"', "backups"),
        ("id-1", "server.schedule", "POST", '"source_id": "id-1", "cron": "30 2 * * *"', "schedules"),
        ("schedule:s1", "schedule.edit", "PATCH", '"cron": "30 2 * * *"', "schedules/s1"),
        ("schedule:s1", "schedule.run", "POST", '{"action": "run"}', "schedules/s1/actions"),
        ("backup:b1", "backup.restore", "POST", '"restore", "flavor": "m1.small"', "backups/b1/actions"),
        ("backup:b1", "backup.delete", "POST", '{"action": "delete"}', "backups/b1/actions"),
    ],
)
def test_a_verb_can_be_copied_as_a_request(key: str, command: str, method: str, body: str, path: str) -> None:
    words = objects.curl_of_form(Mirror(), key, command)

    assert f"-X {method} " in words
    assert body in words
    assert words.endswith(f'"$STRATODECK_URL"/ops/v1/{path}')


def test_plans_are_read_as_they_are_said_and_what_is_missing_is_none() -> None:
    plan = {"action": "run", "object_id": "s1", "storage": [{"project_id": "p"}], "start_problem": "No host."}
    found = schedule_plan({"plan": {"words": "daily", "fires": [{"at": "2026-11-20T12:00:00Z", "local": "x"}]}})

    assert backup_plan({"plan": plan}).storage == (OutlookRecord("p"),)
    assert backup_plan({"plan": plan}).start_problem == "No host."
    assert (found.preview.words, found.preview.fires[0].at, found.is_allowed) == ("daily", NOON, True)
    assert flavors({"flavors": [{"id": "1", "name": "m1.tiny", "disk_bytes": GIB}]})[0].problem is None


def fires_every(*seconds: int) -> list[FireRecord]:
    instants = [NOON + timedelta(seconds=sum(seconds[:number])) for number in range(len(seconds) + 1)]
    return [FireRecord(at, at.isoformat()) for at in instants]


@pytest.mark.parametrize(
    ("gaps", "target", "warned"),
    [
        ((86_400, 86_400), 3_600, "up to 1d00h pass between two runs, longer than the 1h00m promised: it will be late"),
        ((86_400, 86_400), 86_400, None),
        ((86_400, 86_400), None, None),
        ((60, 60), None, "a run every 1m00s: one that takes longer makes the next be refused"),
        ((900, 900), None, None),
        ((), 60, None),
    ],
)
def test_a_promise_that_no_run_keeps_and_runs_too_near_are_warned_of(
    gaps: tuple[int, ...], target: int | None, warned: str | None
) -> None:
    found = backup_plans.rhythm_warnings(fires_every(*gaps), target)

    assert found == ([] if warned is None else [warned])


def test_no_label_of_a_form_touches_what_is_typed() -> None:
    fields = (*backup_forms.schedule_fields(), *backup_forms.backup_fields())

    assert [field.label for field in fields if 3 + len(field.label) >= creating.VALUE_COLUMN] == []
