"""What would restore a group, and what a cell's silence means, as their dialogs and the group's page show it."""

from __future__ import annotations

import pytest

from console.presentation import cell_plan, group_plan, groups
from console.presentation.lines import ASCII, UNICODE, Glyphs, Tone, span_width, text_of
from console.records import FixRecord, GroupRecord, MemberRecord, SizeRecord, StoppedRecord
from console.records_plans import CellPlanRecord, GroupLossRecord, GroupPlanRecord, RestartRecord, StandingRecord
from tests.console.examples import GIB, a_frame, ago

STOP = StoppedRecord("v1", "crawl-028", 8000, 8 * GIB, ago(hours=22), 176.0)
MOVE = RestartRecord("web-31", "web-31", "cell-2", "c2-h07", "c2-h12", stops=(STOP,), shrinks=1, seconds_down=50)
PLAN = GroupPlanRecord(
    "web",
    moves=(MOVE,),
    before=StandingRecord(1, 3),
    after=StandingRecord(0, 4),
    is_fewest=True,
    seconds=50,
    notes=("cell-3 does not answer: 2 members of it cannot be looked at or moved.",),
    token="t",
)
GROUP = GroupRecord(
    "web",
    tuple(MemberRecord(name, name, "cell-2", host, "running")
          for name, host in (("web-05", "c2-h07"), ("web-31", "c2-h07"), ("web-03", "c2-h02"))),
    collisions=1,
    tolerates=3,
    fix=FixRecord(1),
)  # fmt: skip


def dialog(plan: GroupPlanRecord, width: int = 72) -> list[str]:
    return [text_of(line).rstrip() for line in group_plan.lines(plan, a_frame(width))]


def fix(group: GroupRecord, plan: GroupPlanRecord | None = None, width: int = 80) -> list[str]:
    return [text_of(line).strip() for line in group_plan.fix_lines(group, plan, a_frame(width))]


def test_the_dialog_says_what_it_comes_to_whom_it_stops_and_who_moves_where() -> None:
    assert group_plan.title(PLAN) == "Restore web, stopping 1"
    assert dialog(PLAN) == [
        "  GROUP       web   collisions 1 -> 0, tolerates 3 -> 4",
        "  STOPS       1 backfilling, after notice and grace",
        "              crawl-028     8.0 GHz  8 GiB  up 22h00m  176 GHz h lost",
        "  MOVES       1, shut down and started again, one at a time",
        "              web-31        c2-h07 -> c2-h12  stops 1  shrinks 1",
        "  DOWNTIME    50s each at most, 50s in all",
        "  PROVED      no plan has fewer moves",
        "  NOTE        cell-3 does not answer: 2 members of it cannot be looked",
        "              at or moved.",
    ]


def test_a_plan_that_is_refused_says_only_why() -> None:
    refused = PLAN._replace(is_allowed=False, problem="No members of group web share a host.", token=None)

    assert dialog(refused) == ["  REFUSED     No members of group web share a host."]


def test_the_page_names_who_to_start_again_and_away_from_whom() -> None:
    assert fix(GROUP, PLAN) == [
        "FIX         start web-31 again, avoid=web-05,web-03 (would put it on c2-h12",
        "and stop 1 backfilling)",
        "then collisions 1 -> 0, tolerates 3 -> 4: x r on line 1 does it",
    ]


@pytest.mark.parametrize(
    ("group", "plan", "lines"),
    [
        (GROUP._replace(collisions=0), PLAN, []),
        (GROUP._replace(fix=None), None, []),
        (GROUP, None, ["FIX         1 move takes its members apart; x r shows whom, where to and at",
                       "what cost"]),
        # The plan is of before somebody moved.
        (GROUP._replace(fix=FixRecord(2, 1, False)), PLAN._replace(before=StandingRecord(2, 0)),
         ["FIX         at most 2 moves, one after the other, take its members apart,",
          "and leave 1 collision; x r shows whom, where to and at what cost"]),
        (GROUP._replace(fix=FixRecord(0, 1, notes=("web-05 is paused and is not moved.",))), None,
         ["FIX         web-05 is paused and is not moved."]),
        (GROUP, PLAN._replace(moves=(), is_allowed=False, problem="Nothing that can be moved restores it."),
         ["FIX         Nothing that can be moved restores it."]),
    ],
)  # fmt: skip
def test_what_is_not_known_of_now_is_not_told(
    group: GroupRecord, plan: GroupPlanRecord | None, lines: list[str]
) -> None:
    assert fix(group, plan, 78) == lines


def test_a_plan_is_of_now_while_who_moves_runs_where_it_was_found() -> None:
    assert group_plan.is_current(PLAN, GROUP)
    moved = tuple(m._replace(host="c2-h12") if m.id == "web-31" else m for m in GROUP.members)
    stopping = tuple(m._replace(state="stopping") if m.id == "web-31" else m for m in GROUP.members)
    for members in (moved, stopping, GROUP.members[:1]):
        assert not group_plan.is_current(PLAN, GROUP._replace(members=members))
    assert not group_plan.is_current(PLAN, GROUP._replace(collisions=2))


CELL = CellPlanRecord(
    "down", "cell-2", servers=412, running=300, drives=90, hosts=26, open_tasks=3, schedules=1,
    capacity=SizeRecord(2_048_000, 4096 * GIB),
    groups=(GroupLossRecord("web", 2, StandingRecord(1, 3), StandingRecord(0, 1, True)),
            GroupLossRecord("dns", 1, StandingRecord(0, None), StandingRecord(0, None))),
)  # fmt: skip


def test_the_silence_of_a_cell_is_told_in_the_order_of_regret() -> None:
    lines = cell_plan.lines([CELL], a_frame(72))

    assert [text_of(line).rstrip() for line in lines] == [
        "  SERVERS     412 turn UNKNOWN, 300 of them with a host; last known",
        "              values stay",
        "  DRIVES      90 turn UNKNOWN",
        "  GROUPS      web: 2 unknown, tolerates 3 -> ≥1",
        "              dns: 1 unknown, tolerates — -> —",
        "  PLACEMENT   skips its 26 hosts: 2,048.0 GHz and 4,096 GiB less",
        "  TASKS       3 wait and resume when it answers",
        "  BACKUPS     1 schedule of its servers would miss their runs",
        "  NOT         nothing is stopped or lost: x u lets it answer again",
    ]
    assert [span.tone for span in lines[3] if "web" in span.text] == [Tone.CRIT]


def test_each_of_several_cells_has_its_name_above_it() -> None:
    refused = CellPlanRecord("down", "cell-9", is_allowed=False, problem="It is down.")
    told = [text_of(line).rstrip() for line in cell_plan.lines([CELL, refused], a_frame(72))]

    assert told[0] == "cell-2"
    assert told[-3:-1] == ["cell-9", "  REFUSED     It is down."]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("width", [20, 36, 44, 72, 100])
def test_plans_fit_their_dialog(width: int, glyphs: Glyphs) -> None:
    frame = a_frame(width, glyphs=glyphs)
    hostile = RestartRecord("x", "[red]" + "長" * 40, "c", "h" * 60, "t" * 60, stops=(STOP,), seconds_down=1e9)
    many = PLAN._replace(moves=(hostile,) * 50, is_fewest=False)
    for line in (*group_plan.lines(many, frame), *cell_plan.lines([CELL, CELL], frame),
                 *group_plan.fix_lines(GROUP, PLAN, frame)):  # fmt: skip
        assert span_width(line) <= width


def test_the_page_of_a_group_without_a_plan_has_no_empty_fix() -> None:
    from console.presentation.mirror import Mirror

    mirror = Mirror(groups=(GROUP._replace(fix=None),))
    view = groups.view(mirror, a_frame(scope="web"))
    assert "FIX" not in "".join(text_of(region.line(n)) for region in view.regions for n in range(len(region)))
