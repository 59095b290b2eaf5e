"""The actions menu and the confirmation."""

from __future__ import annotations

import pytest

from console.presentation.lines import ASCII, UNICODE, Tone, span_width, text_of
from console.presentation.plan import MenuItem, menu_lines, plan_lines, plan_title
from console.records import DecisionRecord, PlanRecord, ResizedRecord, StoppedRecord
from tests.console.examples import GIB, a_frame, a_server, ago

WEB = a_server("web-31", host=None, state="stopped")
ITEMS = (
    MenuItem("s", "start", "may stop others", 2, "it is running"),
    MenuItem("h", "shut down (ACPI)", "about 12 s", 1),
    MenuItem("D", "delete …", "type its name", 3),
)
DECISION = DecisionRecord(
    "c2-h12",
    "disruption",
    shrinks=1,
    waits=True,
    avoided=("id-x",),
    runner_up="c2-h07",
)
PLAN = PlanRecord(
    "start",
    WEB.id,
    decision=DECISION,
    stops=(
        StoppedRecord("v1", "crawl-028", 8000, 8 * GIB, ago(hours=21, minutes=59), 176.0),
        StoppedRecord("v2", "encode-107", 8000, 32 * GIB, ago(days=1, hours=2), 214.0),
    ),
    shrinks=(ResizedRecord("r1", "render-12", 1.0, 0.62, 1.0, 1.0),),
    grows=(ResizedRecord("g1", "encode-31", 0.8, 1.0, 0.5, 0.75),),
    refused=(("short of CPU", 11),),
    downtime_seconds=40,
    version=3,
)


def texts(plan: PlanRecord, width: int = 72) -> list[str]:
    return [text_of(line).rstrip() for line in plan_lines(plan, WEB, a_frame(width))]


def test_a_menu_keeps_what_is_off_in_its_place_and_says_why() -> None:
    lines = menu_lines(ITEMS, a_frame(54), highlighted=1)

    assert [text_of(line) for line in lines] == [
        "                                                 TIER ",
        "  s  start                  off: it is running   off  ",
        " ▌h  shut down (ACPI)       about 12 s           1    ",
        "  D  delete …               type its name        3 !! ",
    ]
    assert {span.tone for span in lines[1] if span.text.strip()} == {Tone.MUTED}
    assert [span.tone for span in lines[3] if "3" in span.text] == [Tone.CRIT]


@pytest.mark.parametrize("width", [20, 36, 44, 54, 72])
def test_menus_and_plans_fit_their_dialog(width: int) -> None:
    for glyphs in (UNICODE, ASCII):
        frame = a_frame(width, glyphs=glyphs)
        lines = (*menu_lines(ITEMS, frame, highlighted=0), *plan_lines(PLAN, WEB, frame))

        assert all(span_width(line) == width for line in lines)


def test_a_plan_names_whom_it_hurts_in_the_order_of_regret() -> None:
    lines = texts(PLAN)

    assert lines == [
        "  PLACEMENT   c2-h12; second c2-h07; decided by whom it disturbs least",
        "              waits there until its room is free",
        "              1 server of the avoid list is there all the same",
        "  OTHER HOSTS 11 short of CPU",
        "  STOPS       2 backfilling servers, after notice and grace",
        "              crawl-028     8.0 GHz  8 GiB  up 21h59m  176 GHz h lost",
        "              encode-107    8.0 GHz  32 GiB  up 1d02h  214 GHz h lost",
        "  SHRINKS     render-12 CPU 1.00 to 0.62",
        "  GROWS       encode-31 CPU 0.80 to 1.00 memory 0.50 to 0.75",
        "  READY       web-31 runs in about 40s",
    ]
    stops = next(line for line in plan_lines(PLAN, WEB, a_frame(72)) if "STOPS" in text_of(line))
    assert [span.tone for span in stops if "2 backfilling" in span.text] == [Tone.CRIT]
    assert plan_title(PLAN, WEB) == "Start web-31, stopping 2 others"


def test_a_plan_that_hurts_nobody_says_nobody() -> None:
    quiet = PlanRecord("start", WEB.id, decision=DecisionRecord("c1-h01", "only"))

    assert texts(quiet) == [
        "  PLACEMENT   c1-h01; the only host with room",
        "  STOPS       nobody",
        "  SHRINKS     nobody",
    ]
    assert texts(PlanRecord("delete", WEB.id)) == ["  EFFECT      nobody else is touched"]
    assert plan_title(PlanRecord("delete", "12345678-90"), None) == "Delete 12345678"


def test_a_refused_plan_says_why_first() -> None:
    refused = PlanRecord("start", WEB.id, is_allowed=False, problem="No host has room for web-31 (11 short of CPU).")

    lines = plan_lines(refused, WEB, a_frame(72))

    assert text_of(lines[0]).startswith("  REFUSED     No host has room for web-31")
    assert Tone.CRIT in {span.tone for span in lines[0]}


def test_many_victims_are_counted_after_the_first_few() -> None:
    many = tuple(StoppedRecord(f"v{n}", f"crawl-{n}") for n in range(9))

    assert texts(PlanRecord("start", WEB.id, stops=many))[-2:] == [
        "              crawl-5",
        "              and 3 more",
    ]
