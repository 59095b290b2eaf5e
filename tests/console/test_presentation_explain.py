"""The page of `w`: what it says of each host, which decision it is about, and what would help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.presentation import explain
from console.presentation.lines import ASCII, Tone, span_width, text_of
from console.presentation.mirror import Mirror
from console.records import StoppedRecord
from console.records_explain import ChangeRecord, NamedRecord, WeighedRecord, WhyDetail
from tests.console.drawn import WIDTHS, body, lines_of, the_row
from tests.console.examples import a_frame, size, the_cloud
from tests.console.explaining import (
    CHOSEN,
    MARK,
    OLDER,
    SECOND,
    a_refusal,
    an_explanation,
    why,
    why_drive,
)

WEB, COPY = "id-web-31", "drive:id-web-31-copy"


def the_mirror() -> Mirror:
    """The invented cloud, with web-31 a member of its group by its own id."""
    mirror = the_cloud()
    groups = tuple(
        group._replace(
            members=tuple(each._replace(id=WEB) if each.name == "web-31" else each for each in group.members)
        )
        for group in mirror.groups or ()
    )
    return replace(mirror, groups=groups)


def drawn(held: WhyDetail | None, width: int = 80, decision: int | None = None, key: str = WEB) -> list[str]:
    view = explain.view(the_mirror(), key, a_frame(width, 24 if width < 120 else 40), held, decision)
    return [line.rstrip() for line in body(view)]


def test_the_page_of_a_decision() -> None:
    assert drawn(why()) == [
        " ● run  2m17s on c2-h07   16.0 GHz  48 GiB  web ■ 1 collision         id-web-31",
        "",
        " WHY HERE  decided 14:01:10 among 16 hosts of cell-2: 2 fit, 14 refused",
        "           decision 41 in the log of cell-2, by operator@stratodeck.local",
        "",
        " HOST     1 AVOID   2 STOPS  LOST   SHRUNK  3 ROOM GHz  GiB  VERDICT",
        " c2-h07   ·               ·     ·        3         6.0   48  ● chosen",
        " c2-h12   ·               2   390        ·         0.0    0  second: key 2",
        "",
        " decided by key 2: c2-h07 stops nobody, c2-h12 would stop 2",
        " REFUSED  14",
        " 11 CPU short by GHz      c2-h02 4.0  c2-h05 4.0  c2-h11 4.0  c2-h04 6.0",
        "                          c2-h14 6.0  c2-h06 8.0  c2-h10 8.0  c2-h03 10.0",
        "                          c2-h09 10.0  c2-h16 10.0  c2-h15 12.0",
        "  2 memory short by GiB   c2-h01 4  c2-h08 24",
        "  1 ✗ host down           c2-h13",
        " ■ web-05 of group web is on this host: it was not in the avoid list",
    ]


def test_what_it_says_in_colour() -> None:
    view = explain.view(the_mirror(), WEB, a_frame(), why(), None)
    tones = {span.text.strip(): span.tone for span in the_row(view, "host:c2-h07")}
    assert (tones["c2-h07"], tones["3"], tones["● chosen"]) == (Tone.OK, Tone.BACKFILL, Tone.OK)
    assert {span.text.strip(): span.tone for span in the_row(view, "host:c2-h12")}["2"] is Tone.WARN
    crit = [text_of((span,)).strip() for line in lines_of(view) for span in line if span.tone is Tone.CRIT]
    sibling = "web-05 of group web is on this host: it was not in the avoid list"
    assert crit == ["■ 1 collision", "1 ✗ host down", "■", sibling]


def test_a_wide_page_names_who_would_be_stopped_and_who_is_avoided() -> None:
    avoided = WeighedRecord("c2-h05", "beaten", (NamedRecord("id-web-05", None, 2), NamedRecord("gone", None, 3)),
                            room=size(9, 9), part="avoid", measure="places in the avoid list")  # fmt: skip
    lines = drawn(why(an_explanation(hosts=(CHOSEN, SECOND, avoided))), 120)

    assert lines[7:9] == [
        " c2-h12   ·                         2   390       ·         0.0     0"
        "  second: key 2, stops crawl-028, encode-107",
        " c2-h05   2 web-05 +1               ·     ·       ·         9.0     9  key 1, holds web-05, gone",
    ]


def test_at_sixty_columns_two_columns_go_and_at_forty_they_are_sentences() -> None:
    assert drawn(why(), 60)[7:10] == [
        " HOST     1 AVOID  2 STOPS SHRUNK 3 ROOM GHz VERDICT",
        " c2-h07   ·              ·      3        6.0 ● chosen",
        " c2-h12   ·              2      ·        0.0 second: key 2",
    ]
    lines = drawn(why(), 40)
    assert " c2-h07   chosen, shrinks 3, room 6.0" in lines
    assert " c2-h12   second: key 2, stops 2" in lines


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (SECOND, "c2-h07 stops nobody, c2-h12 would stop 2"),
        (SECOND._replace(measure="work lost"), "stopping on c2-h07 loses under 1 MHz h, on c2-h12 390 GHz h"),
        (SECOND._replace(measure="CPU stopped"), "c2-h07 stops 0.0 GHz, c2-h12 would stop 16.0"),
        (SECOND._replace(measure="servers shrunk", shrinks=4), "c2-h07 shrinks 3, c2-h12 would shrink 4"),
        (SECOND._replace(part="room", measure="CPU"), "c2-h07 has room for 6.0 GHz, c2-h12 for 0.0 GHz"),
        (SECOND._replace(part="room", measure="memory"), "c2-h07 has room for 48 GiB, c2-h12 for 0 GiB"),
        (SECOND._replace(part="name", measure="name"), "c2-h07 and c2-h12 are alike, and c2-h07 comes first"),
        (
            SECOND._replace(part="avoid", measure="places in the avoid list", avoided=(NamedRecord("id-web-05"),)),
            "c2-h07 holds nothing to avoid, c2-h12 holds web-05",
        ),
    ],
)
def test_the_deciding_part_is_said_with_what_both_have(second: WeighedRecord, sentence: str) -> None:
    told = an_explanation(hosts=(CHOSEN, second), decided_by=second.part)

    number = {"avoid": 1, "disruption": 2, "room": 3, "name": 4}[second.part or ""]
    assert f" decided by key {number}: {sentence}" in drawn(why(told))


def test_the_only_host_with_room_needs_no_comparison() -> None:
    lines = drawn(why(an_explanation(hosts=(CHOSEN,), decided_by="only", runner_up=None)))

    assert " it was the only host with room" in lines


def test_more_hosts_than_lines_are_grouped_by_what_they_lost_by() -> None:
    others = tuple(
        WeighedRecord(f"c2-x{n}", "beaten", shrinks=n, room=size(n, 1), part=part, measure=measure)
        for n, (part, measure) in enumerate(
            [("name", "name"), ("room", "CPU"), ("room", "CPU"), ("disruption", "servers shrunk")] * 2, 1
        )
    )
    lines = drawn(why(an_explanation(hosts=(CHOSEN, SECOND, *others), refused=())))

    assert sum(" key " in line and "decided" not in line for line in lines[6:11]) == 3
    assert lines[lines.index(" ALSO FIT  6") + 1 :][:4] == [
        "  1 key 4 alike, by name  c2-x5",
        "  3 key 3 other room      c2-x3 3.0  c2-x6 6.0  c2-x7 7.0",
        "  2 key 2 disturbs more   c2-x4 shrinks 4  c2-x8 shrinks 8",
        " ■ web-05 of group web is on this host: it was not in the avoid list",
    ]


def test_a_refusal_says_what_would_help_and_what_would_not() -> None:
    lines = drawn(why(explanation=a_refusal()), decision=explain.NOW)

    assert lines[2:4] == [
        " WHY HERE  as of 14:01:10 among 14 hosts of cell-2: 0 fit, 14 refused",
        " NO ROOM   no host of cell-2 has room for it",
    ]
    assert lines[-3:] == [
        " WOULD FIT on c2-h02 with 4 GHz less",
        "           on c2-h12 with crawl-028, encode-107 stopped, 390 GHz h lost",
        " NO HELP   no host would take it with less memory alone",
    ]


def test_an_amount_that_would_help_is_never_rounded_down() -> None:
    change = ChangeRecord("cpu and memory", "c2-h02", less=size(0.001, 1.001), is_proved=True)
    stops = ChangeRecord("stops", "c2-h03", stops=(StoppedRecord("v9"),), is_proved=False)
    lines = drawn(why(explanation=a_refusal(changes=(change, stops), impossible=())), decision=explain.NOW)

    assert lines[-2:] == [
        " WOULD FIT on c2-h02 with 0.001 GHz and 1.01 GiB of memory less",
        "           on c2-h03 with v9 stopped; fewer may do",
    ]


def test_the_page_says_which_decision_it_is_about() -> None:
    old = an_explanation(mark=OLDER, at=OLDER.at, host="c2-h03", hosts=(CHOSEN._replace(host="c2-h03"),))
    held = why(explanation=old)._replace(placed=None)
    view = explain.view(the_cloud(), WEB, a_frame(), held, OLDER.number)

    assert (view.crumbs, view.note) == (("servers", "web-31"), "why there   decision 1 of 2")
    assert body(view)[2].startswith(" WHY THERE decided 17 Nov 14:03 among 16 hosts of cell-2")
    assert explain.view(the_cloud(), WEB, a_frame(), why(), None).note == "why here   decision 2 of 2"
    assert explain.view(the_cloud(), WEB, a_frame(), why(), explain.NOW).note == "why here   if it were decided now"


def test_decisions_follow_one_another_and_end_with_that_of_now() -> None:
    held = why()
    placed, now = an_explanation(), an_explanation(mark=None)

    assert explain.shown(held, None) == placed
    assert explain.shown(why(host=None, placed=None)._replace(placed=None), None) == now
    assert explain.step(held, placed, -1) == OLDER.number
    assert explain.step(held, placed, 1) == explain.NOW
    assert explain.step(held, now, -1) == MARK.number
    assert explain.step(held, now, 1) is None
    assert explain.step(held, an_explanation(mark=OLDER), -1) is None
    assert explain.shown(held, OLDER.number) is None


def test_until_it_is_told_the_page_says_so() -> None:
    assert drawn(None)[2:] == [" not told yet: why web-31 is where it is"]
    assert drawn(None, key="id-nobody")[2:] == [" not told yet: why id-nobod is where it is"]


def test_what_could_not_be_told_and_other_settings_are_said() -> None:
    late = why(an_explanation())._replace(placed=None, placed_problem="The log of cell-2 has a gap.")
    other = why(an_explanation(is_as_recorded=False))

    assert "           The log of cell-2 has a gap." in drawn(late, decision=explain.NOW)
    assert any("it was placed on c2-h07: the settings of then were others" in line for line in drawn(other, 120))


def test_an_account_that_may_not_see_hosts_sees_the_chosen_one_and_the_second() -> None:
    lines = drawn(why(an_explanation(hosts=())))

    assert lines[4:7] == [
        "           ● c2-h07; second c2-h12",
        " decided by key 2",
        " REFUSED   11 short of CPU, 2 short of memory, 1 down",
    ]


def test_a_sibling_that_could_not_be_avoided_is_told_as_such() -> None:
    told = an_explanation(avoid=(NamedRecord("id-web-05", "web-05", 1),))

    lines = drawn(why(told))

    assert "           to avoid: web-05" in lines
    assert lines[-1] == " ■ web-05 of group web is on this host: it could not be avoided"


def test_the_page_of_a_drive() -> None:
    assert drawn(why_drive(), key=COPY)[2:] == [
        " WHY HERE  decided 13:03:27 among 4 hosts of cell-1: 3 fit, 1 refused",
        "           decision 7 in the log of cell-1, by cloud",
        "           to avoid: spare",
        "",
        " HOST     1 AVOID   2 SOURCE    3 ROOM GiB  VERDICT",
        " c1-s01   ·         here               500  ● chosen",
        " c1-s02   ·         ·                  900  second: key 2",
        " c1-s03   1         ·                  900  key 1",
        "",
        " decided by key 2: what it was copied from is on c1-s01, so its data need not",
        " move",
        " REFUSED  1",
        "  1 room short by GiB     c1-s04 20",
    ]


@pytest.mark.parametrize(("width", "height"), WIDTHS)
@pytest.mark.parametrize("is_ascii", [False, True])
def test_every_line_is_as_wide_as_the_frame(width: int, height: int, is_ascii: bool) -> None:
    frame = a_frame(width, height, **({"glyphs": ASCII} if is_ascii else {}))
    hostile = an_explanation(hosts=(CHOSEN._replace(host="ホスト" * 9), SECOND._replace(host="h" * 60)))
    pages = [(why(), WEB), (why_drive(), COPY), (why(explanation=a_refusal())._replace(placed=None), WEB),
             (why(hostile), WEB), (None, WEB)]  # fmt: skip
    for held, key in pages:
        lines = lines_of(explain.view(the_cloud(), key, frame, held, None))
        assert {span_width(line) for line in lines} == {width}
        if is_ascii and held is not None and held.placed is not hostile:
            assert "".join(map(text_of, lines)).isascii()


def test_a_page_of_thousands_of_hosts_stays_short() -> None:
    hosts = (CHOSEN, SECOND, *(WeighedRecord(f"h{n}", "cpu", short=size(n, 0)) for n in range(5000)))

    lines = drawn(why(an_explanation(hosts=hosts)))

    assert len(lines) < 60
    assert any(line.strip() == "and 4,880 more" for line in lines)


def test_what_is_not_in_the_mirror_goes_by_the_name_that_the_cloud_gives() -> None:
    view = explain.view(Mirror(), "id-x", a_frame(), why(id="id-x"), None)

    assert view.crumbs == ("servers", "web-31")
    assert body(view)[0].rstrip().endswith("id-x")
