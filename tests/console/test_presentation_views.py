"""What each view says of one invented cloud, at every width, in both sets of glyphs, and when things go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from console.presentation import (
    audit,
    backfill,
    billing,
    capacity,
    cells,
    clock,
    drive_detail,
    drives,
    events,
    faults,
    groups,
    header,
    host_detail,
    hosts,
    overview,
    sentences,
    servers,
    services,
    tasks,
)
from console.presentation.lines import ASCII, UNICODE, Frame, Tone, View, span_width, text_of
from console.presentation.mirror import Mirror
from console.records import CapacityRecord, CellRecord, ClockRecord, ServersPage, Status
from tests.console.drawn import WIDTHS, a_silent_cloud, aside, body, lines_of, plate, the_row
from tests.console.examples import (
    NOW,
    POLLED,
    a_frame,
    a_server,
    a_shrunk,
    size,
    the_cells,
    the_cloud,
    the_servers,
)

VIEWS: dict[str, Callable[[Mirror, Frame], View]] = {
    "overview": overview.view,
    "servers": servers.view,
    "drives": drives.view,
    "drive": lambda mirror, frame: drive_detail.view(mirror, "drive:id-web-31-boot", frame),
    "hosts": hosts.view,
    "host": lambda mirror, frame: host_detail.view(mirror, "host:c2-h07", frame),
    "storage host": lambda mirror, frame: host_detail.view(mirror, "host:c2-s02", frame),
    "groups": groups.view,
    "backfill": backfill.view,
    "cells": cells.view,
    "tasks": tasks.view,
    "events": events.view,
    "services": services.view,
    "capacity": capacity.view,
    "audit": audit.view,
    "clock": clock.view,
    "faults": faults.view,
    "capacity of memory": lambda mirror, frame: capacity.view(mirror, frame._replace(modes=frozenset({"memory"}))),
    "billing": billing.view,
}
PREVIEWED = {
    "servers": "id-render-12",
    "drives": "drive:id-web-31-data",
    "hosts": "host:c2-h07",
    "groups": "group:web",
    "cells": "cell:cell-3",
}


# Layout ------------------------------------------------------------------------------------------------------------

CLOUDS: dict[str, Callable[[], Mirror]] = {
    "told": the_cloud,
    "silent": a_silent_cloud,
    "empty": Mirror,
    "no cells": lambda: Mirror().apply(Status(ClockRecord(NOW), ()), NOW),
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_line_has_exactly_its_width_and_leaves_the_last_column_empty(name: str, cloud: str) -> None:
    mirror, key = CLOUDS[cloud](), PREVIEWED.get(name)
    for (width, height), glyphs in product(WIDTHS, (UNICODE, ASCII)):
        frame = a_frame(width, height, glyphs=glyphs)
        view = VIEWS[name](mirror, frame)
        found = [*lines_of(view, key), *view.below, header.header(mirror, frame), header.crumbs(view, frame)]
        found.append(header.status(view.status(key), frame))

        for line in found[:-3]:
            assert span_width(line) == width - view.pane_width, text_of(line)
        assert all(span_width(line) == width for line in found[-3:])
        assert all(span_width(line) == view.pane_width for line in aside(view, key))
        assert all(text_of(line).endswith(" ") for line in found)
        if glyphs is ASCII:
            assert all(text_of(line).isascii() for line in (*found, *aside(view, key)))


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("width", [1, 5, 20, 39])
def test_a_terminal_that_is_too_small_is_drawn_and_cut(name: str, width: int) -> None:
    frame = a_frame(width, 4)
    view = VIEWS[name](the_cloud(), frame)

    assert all(span_width(line) == width for line in lines_of(view, PREVIEWED.get(name)))
    assert span_width(header.header(the_cloud(), frame)) == width


@pytest.mark.parametrize("name", VIEWS)
def test_column_zero_is_left_to_the_cursor(name: str) -> None:
    for width, height in WIDTHS:
        assert {text_of(line)[0] for line in lines_of(VIEWS[name](the_cloud(), a_frame(width, height)))} == {" "}


@pytest.mark.parametrize("name", VIEWS)
def test_a_key_leads_to_its_row_again(name: str) -> None:
    for width, height in WIDTHS:
        view = VIEWS[name](the_cloud(), a_frame(width, height))
        for number, region in enumerate((*view.regions, *view.aside)):
            keys = {region.key(place): place for place in range(len(region)) if region.key(place) is not None}
            assert {key: region.find(key or "") for key in keys} == keys, f"{name} region {number} at {width}"


# The frame's rows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (40, " demo  ▲ 2/6 cells               age 1s "),
        (60, " demo   ▲ 2 of 6 cells degraded       14:03:27Z x60  age 1s "),
        (80, " demo   ▲ 2 of 6 cells degraded   hosts 108  srv 1,204    14:03:27Z x60  age 1s "),
    ],
)
def test_the_header_never_drops_the_cloud_its_worst_fact_and_the_age(width: int, shown: str) -> None:
    assert text_of(header.header(the_cloud(), a_frame(width))) == shown


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (40, " demo RO  ▲ 2/6 cells            age 1s "),
        (60, " demo RO   ▲ 2 of 6 cells degraded    14:03:27Z x60  age 1s "),
        (80, " demo READ-ONLY   ▲ 2 of 6 cells degraded   srv 1,204     14:03:27Z x60  age 1s "),
    ],
)
def test_the_header_says_where_nothing_can_be_changed(width: int, shown: str) -> None:
    assert text_of(header.header(the_cloud(), a_frame(width, is_read_only=True))) == shown


@pytest.mark.parametrize("is_read_only", [False, True])
@pytest.mark.parametrize(("width", "height"), WIDTHS)
def test_the_header_says_on_every_terminal_where_a_mistake_hurts(width: int, height: int, is_read_only: bool) -> None:
    line = header.header(replace(the_cloud(), is_production=True), a_frame(width, height, is_read_only=is_read_only))

    assert text_of(line).startswith(" demo PROD ")
    assert plate(line)[1:10] == "cccc.cccc"
    assert span_width(line) == width
    assert ("RO " in text_of(line) or "READ-ONLY" in text_of(line)) is is_read_only


def test_a_wide_header_breaks_the_hosts_down() -> None:
    shown = text_of(header.header(the_cloud(), a_frame(160)))

    assert "   hosts 108 (1 down, 1 maint, 36 unknown)   servers 1,204   backfill 8   " in shown


@pytest.mark.parametrize(
    ("seconds", "shown", "tone"),
    [(1, "age 1s", Tone.MUTED), (3, "age 3s", Tone.MUTED), (4, "AGE 4s", Tone.WARN), (383, "STALE 6m23s", Tone.CRIT)],
)
def test_the_age_rises_with_what_it_tells(seconds: int, shown: str, tone: Tone) -> None:
    line = header.header(the_cloud(), a_frame(80, wall_now=POLLED + timedelta(seconds=seconds)))

    last = next(span for span in reversed(line) if span.text.strip())
    assert (last.text, last.tone, last.is_reversed) == (shown, tone, tone is not Tone.MUTED)


def test_the_worst_fact_is_silence_then_cells_then_hosts_then_groups() -> None:
    mirror = the_cloud()
    up = tuple(cell._replace(state="up") for cell in the_cells())
    fine = replace(mirror, cells=up)
    whole = replace(fine, hosts=tuple(host._replace(state="up") for host in mirror.hosts or ()))
    facts = [
        header.worst_fact(each, a_frame()).words
        for each in (a_silent_cloud(), mirror, fine, whole, replace(whole, groups=()), Mirror())
    ]

    assert facts == ["no answer from the cloud", "2 of 6 cells degraded", "1 host down", "2 groups at risk",
                     "all 6 cells up", "asking the cloud"]  # fmt: skip


def test_whole_hints_go_from_the_right_and_help_always_stays() -> None:
    hints = [("enter", "open"), ("x", "actions"), ("/", "filter"), ("?", "help")]

    assert text_of(header.keys(hints, a_frame(60))).rstrip() == " enter open   x actions   / filter   ? help"
    assert text_of(header.keys(hints, a_frame(34))).rstrip() == " enter open   x actions   ? help"
    assert text_of(header.keys(hints, a_frame(12))).rstrip() == " ? help"


def test_the_crumbs_say_where_one_is_what_is_filtered_and_what_is_marked() -> None:
    frame = a_frame(filter="web", marks=frozenset({"id-web-05"}))

    shown = text_of(header.crumbs(servers.view(the_cloud(), frame), frame))

    assert shown.startswith(" servers /web ")
    assert shown.endswith("sort state   3 of 19   marked 1 ")


# Servers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "shown", "tones"),
    [
        ("id-smtp-01", "  ✗ lost    smtp-01      cell-2 c2-h13    4.0   16               smtp       25m ",
                       "..c.cccc....ttttttt......tttttt.tttttt....ttt...tt...............tttt.......ttt."),
        ("id-auth-01", "  ? UNKNOWN auth-01      cell-3 c3-h02   ~2.0   ~8               auth      ~12m ",
                       "..u.uuuuuuu.uuuuuuu......uuuuuu.uuuuuu...uuuu...uu...............uuuu......uuuu."),
        ("id-render-121", "  ? UNKNOWN render-121   cell-3 c3-h01   ~4.0  ~16 ▒ ~1.00 ~1.00 ·         ~12m ",
                          "..u.uuuuuuu.uuuuuuuuuu...uuuuuu.uuuuuu...uuuu..uuu.u.uuuuu.uuuuu.u.........uuuu."),
        ("id-render-20", "  ● run     render-20    cell-1 c1-h04    8.0   48 ▒  1.00  0.33 ·        3h55m ",
                         "..o.ooo.....bbbbbbbbb....tttttt.tttttt....ttt...tt.b..mmmm..bbbb.m........ttttt."),
        ("id-crawl-17", "  ● run     crawl-17     cell-1 c1-h04    8.0   32 ▒  1.00  0.50 ·        1d23h ",
                        "..o.ooo.....bbbbbbbb.....tttttt.tttttt....ttt...tt.b..mmmm..wwww.m........ttttt."),
        ("id-web-31", "  ● run     web-31       cell-2 c2-h07   16.0   48               web      2m17s ",
                      "..o.ooo.....tttttt.......tttttt.tttttt...tttt...tt...............ttt......ttttt."),
        ("id-proxy-02", "  … start   proxy-02     cell-2 c2-h11    4.0   16               proxy       2s ",
                        "..a.aaaaa...tttttttt.....tttttt.tttttt....ttt...tt...............ttttt.......tt."),
        ("id-train-09", "  ■ no room train-09     cell-2 ·        12.0   16 ▒             ·          22m ",
                        "..c.cc.cccc.bbbbbbbb.....tttttt.m........tttt...tt.b.............m..........ttt."),
        ("id-nameless", "  ? UNKNOWN id-nameless  cell-5 —           —    —               ·            — ",
                        "..u.uuuuuuu.uuuuuuuuuuu..uuuuuu.u...........u....u...............u............u."),
    ],
)  # fmt: skip
def test_a_server_is_one_row_of_eighty_columns(key: str, shown: str, tones: str) -> None:
    line = the_row(servers.view(the_cloud(), a_frame()), key)

    assert (text_of(line), plate(line)) == (shown, tones)


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("id-smtp-01", " ✗X smtp-01         c2-h13          25m "),
        ("id-auth-01", " ?U auth-01        ~c3-h02         ~12m "),
        ("id-crawl-17", " ●R crawl-17        c1-h04  ▒.50  1d23h "),
        ("id-web-31", " ●R web-31          c2-h07        2m17s "),
        ("id-proxy-02", " …B proxy-02        c2-h11           2s "),
    ],
)
def test_a_server_fits_into_forty_columns(key: str, shown: str) -> None:
    view = servers.view(the_cloud(), a_frame(40, 10))

    assert text_of(the_row(view, key)) == shown
    assert view.regions[0].head is None


def test_trouble_comes_first_and_what_is_stopped_last() -> None:
    rows = servers.visible(the_cloud(), a_frame())[0]

    assert [row.state for row in rows[:7]] == ["unavailable"] * 2 + ["unknown"] * 4 + ["starting"]
    assert [row.name for row in rows[7:12]] == ["crawl-17", "encode-31", "render-12", "render-20", "train-04"]
    assert [row.name for row in rows[-2:]] == ["crawl-22", "train-09"]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("web", ["web-03", "web-05", "web-31"]),
        ("WEB-3", ["web-03", "web-31"]),
        ("'WEB-3", ["web-31"]),
        ("wb3", ["web-03", "web-31"]),
        ("c1-h04", ["crawl-17", "render-20", "db-09"]),
        ("unknown", ["auth-01", "mq-03", None, "render-121"]),
        ("smtp", ["smtp-01"]),
        ("id-shop", ["shop-11"]),
        ("web-9", []),
    ],
)
def test_the_filter_finds_names_hosts_states_groups_and_the_starts_of_ids(wanted: str, names: list[str | None]) -> None:
    if wanted.startswith("id-"):
        row = a_server("shop-11", id="c0ffee00-0000")
        mirror, wanted = Mirror(fleet=the_cloud().fleet.changed([row])), "c0ffee"
    else:
        mirror = the_cloud()

    assert [row.name for row in servers.visible(mirror, a_frame(filter=wanted))[0]] == names


def test_a_second_word_looks_at_ids_as_soon_as_it_is_long_enough() -> None:
    rows = [a_server("web-abc1"), a_server("web-02", id="abc1ee00-0000")]
    mirror = Mirror(fleet=the_cloud().fleet.changed(rows))

    for wanted in ("web abc", "web abc1"):
        found = {row.name for row in servers.visible(mirror, a_frame(filter=wanted))[0]}

    assert found == {"web-abc1", "web-02"}


def test_typing_on_and_inverting_give_the_same_as_asking_at_once() -> None:
    mirror = the_cloud()
    everything = {row.id for row in mirror.servers.values()}
    for wanted in ("r", "re", "ren", "rend", "rende", "render-1"):
        typed = {row.id for row in servers.visible(mirror, a_frame(filter=wanted))[0]}
        others = {row.id for row in servers.visible(mirror, a_frame(filter="!" + wanted))[0]}

        assert typed == {row.id for row in servers.visible(the_cloud(), a_frame(filter=wanted))[0]}
        assert (typed | others, typed & others) == (everything, set())


def test_a_cell_narrows_the_list() -> None:
    view = servers.view(the_cloud(), a_frame(scope="cell-6"))

    assert (view.crumbs, view.note) == (("cells", "cell-6", "servers"), "sort state   1")
    assert "no servers in cell-9" in body(servers.view(the_cloud(), a_frame(scope="cell-9")))[1]


def test_an_empty_list_says_which_key_changes_it() -> None:
    view = servers.view(the_cloud(), a_frame(filter="web-9"))

    assert body(view)[1].strip() == "no servers match /web-9   esc clears the filter"
    assert view.note == "sort state   0 of 19"


def test_a_list_that_is_still_read_shows_dots_and_never_a_zero() -> None:
    view = servers.view(Mirror(), a_frame())

    assert {line.strip() for line in body(view)[1:]} == {"…"}
    assert text_of(header.header(Mirror(), a_frame())).count("—") == 3


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, " now"), (1, " now; 1 backfilling server will be stopped for it"),
     (2, " now; 2 backfilling servers will be stopped for it")],
)  # fmt: skip
def test_who_waits_for_room_says_who_is_stopped_for_it_and_nothing_where_nobody_is(count: int, told: str) -> None:
    waiting = a_server("web-31", state="starting", waits=True)
    leaving = [a_server(f"r-{n}", is_backfilling=True, notice_until=NOW, notice_for=waiting.id) for n in range(count)]
    shrunk = a_server("shrunk", is_backfilling=True, squeezed_by=waiting.id)
    mirror = Mirror().apply(ServersPage((waiting, shrunk, *leaving), None, None, len(leaving) + 2, ()), NOW)

    assert sentences.sentence(mirror, a_frame(), waiting).endswith(told)


def test_credentials_that_are_refused_are_not_waited_for() -> None:
    frame = a_frame()
    refused = Mirror().failed("The token is wrong.", frame.wall_now, is_refused=True)

    assert "the cloud refuses the credentials" in text_of(header.header(refused, frame))
    told = sentences.waiting(refused, "", None, frame)
    assert told == ("The token is wrong; nothing is asked before r is pressed", Tone.CRIT)


def test_while_the_cloud_is_silent_nothing_looks_current() -> None:
    view = servers.view(a_silent_cloud(), a_frame())

    rows = [the_row(view, key) for key in ("id-smtp-01", "id-web-05", "id-auth-01")]
    assert [text_of(row) for row in rows] == [
        " ~✗ lost    smtp-01      cell-2 c2-h13   ~4.0  ~16               smtp    ~6m23s ",
        " ~● run     web-05       cell-2 c2-h07   ~4.0  ~16               web     ~6m23s ",
        " ~? UNKNOWN auth-01      cell-3 c3-h02   ~2.0   ~8               auth      ~12m ",
    ]
    assert all(span.tone is Tone.UNKNOWN for row in rows for span in row if span.text.strip())
    assert text_of(view.status(None)) == "refused, try 7, next in 22s; the rows above are 6m23s old"
    assert view.note == "sort state   19 as of 13:57:04"


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("id-web-31", "web-31: started 2m17s ago on c2-h07, shrank 3 backfilling servers"),
        ("id-render-12", "render-12: on c2-h07, CPU at 0.62, floor 0.25; shrunk by web-31 at 14:01:10"),
        ("id-render-20", "render-20: on c1-h04, memory at 0.33, floor 0.25; shrunk by db-09 at 13:51:47"),
        ("id-train-09", "train-09: stopped 22m ago: shop-11 needed its room, 2 times so far"),
        ("id-crawl-22", "crawl-22: stopped 25m ago: its host was lost"),
        ("id-auth-01", "auth-01: cell-3 does not answer; last known running on c3-h02 at 13:51:02"),
        ("id-nameless", "id-namel: cell-5 does not answer, and nothing was ever known of it here"),
        ("id-proxy-02", "proxy-02: starting on c2-h11 for 2s"),
        (None, "2 lost, 4 UNKNOWN, 1 starting, 10 run, 2 stopped"),
    ],
)
def test_the_status_row_says_what_there_is_to_say(key: str | None, sentence: str) -> None:
    assert text_of(servers.view(the_cloud(), a_frame()).status(key)) == sentence


def test_a_server_with_a_notice_says_when_it_stops_and_for_whom() -> None:
    row = a_shrunk("crawl-9", "cell-2", "c2-h12", size(8, 8), factor=(1, 1), floor=(0.25, 0.25),
                   notice_until=NOW + timedelta(seconds=28), notice_for="id-web-31")  # fmt: skip
    mirror = replace(the_cloud(), fleet=the_cloud().fleet.changed([row]))

    assert text_of(servers.view(mirror, a_frame()).status(row.id)) == (
        "crawl-9: will be stopped in 28s: web-31 needs its room on c2-h12"
    )
    assert text_of(the_row(backfill.view(mirror, a_frame()), row.id)).endswith("web-31           in 28s ")


def test_the_pane_tells_the_facts_and_its_rule_reaches_the_bottom() -> None:
    view = servers.view(the_cloud(), a_frame(160, 45))
    assert view.preview is not None

    lines = [text_of(line) for line in view.preview("id-render-12")]

    assert len(lines) == 41
    assert {line[0] for line in lines} == {"│"}
    assert any("██│███···· 0.62   floor 0.25" in line for line in lines)
    assert servers.view(the_cloud(), a_frame(160, 45, has_pane=False)).pane_width == 0


# Overview ------------------------------------------------------------------------------------------------------------


def test_the_overview_shows_the_cells_and_then_what_needs_attention_worst_first() -> None:
    lines = lines_of(overview.view(the_cloud(), a_frame()))

    assert [text_of(line) for line in lines[:7]] == [
        " CELL    STATE   HOSTS BY FILL     █normal ▒backfill        GHz of   SRV   SEEN ",
        " cell-1  ● up    ████▓▓▓▓▓▓▓▓▓▓▓▒  ███████████▒▒▒▒▒▒·    966/1,024   183     1s ",
        " cell-2  ● up    ✗███████▓▓▓▓▓▓▓▓  ██████████████▒▒▒·    944/1,024   200     1s ",
        " cell-3  ✗ down  █▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓  ███████████▒▒▒▒▒▒·   ~974/1,024   190    12m ",
        " cell-4  ● up    m███████▓▓▓▓▓▓▓▓  ████████████▒▒▒▒▒·    952/1,024   196     1s ",
        " cell-5  ? hung  █▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓  ███████████▒▒▒▒▒··   ~918/1,024   200    46s ",
        " cell-6  ● up    ▓▓▓▓▓▓▓▓▓▓▒▒▒▒▒▒  ███████████▒▒▒····  1,198/1,536   235     1s ",
    ]
    assert [plate(line) for line in lines[2:6]] == [
        ".tttttt..o.oo....cttttttttttttttt..ttttttttttttttbbbm....ttttttttt...ttt.....mm.",
        ".uuuuuu..c.cccc..uuuuuuuuuuuuuuuu..uuuuuuuuuuuuuuuuuu...uuuuuuuuuu...uuu....uuu.",
        ".tttttt..o.oo....wttttttttttttttt..ttttttttttttbbbbbm....ttttttttt...ttt.....mm.",
        ".uuuuuu..u.uuuu..uuuuuuuuuuuuuuuu..uuuuuuuuuuuuuuuuuu...uuuuuuuuuu...uuu....uuu.",
    ]


def test_what_needs_attention_says_who_what_and_since_when() -> None:
    view = overview.view(the_cloud(), a_frame())

    assert [view.regions[2].key(place) for place in range(len(view.regions[2]))] == [
        "cell:cell-3", "cell:cell-5", "host:c2-h13", "group:cache", "group:ldap", "group:metrics", "group:web",
        "view:groups", "schedule:sch-2", "view:backfill",
    ]  # fmt: skip
    assert text_of(view.regions[2].line(3)) == (
        " ■ cache         3 of 4 members on c2-h08; tolerates 0                        — "
    )
    assert text_of(view.regions[2].line(7)).startswith(
        " ? groups        1 cannot be judged, members do not answer: auth "
    )
    assert plate(view.regions[2].line(8)).startswith(".w.wwwww.wwwwwww.tttt")
    assert text_of(view.regions[2].line(8)).endswith(" 14 Nov ")
    assert view.note == "10 need attention"


def test_a_calm_cloud_needs_no_attention() -> None:
    mirror = Mirror().apply(Status(ClockRecord(NOW), (CellRecord("cell-1", "up"),), groups=()), NOW)

    view = overview.view(mirror, a_frame())

    assert view.note == "0 need attention"
    assert "nothing needs attention" in text_of(view.regions[2].line(0))


def test_a_tall_overview_adds_the_remedies_and_a_sum_of_what_answers() -> None:
    view = overview.view(the_cloud(), a_frame(160, 45))
    lines = body(view)

    assert " reachable                                                 4,060/4,608 11,488/18,432     814" in lines[7]
    assert "asked again in 48s" in lines[11]
    assert view.pane_width == 59
    assert any("encode-31" in text_of(line) and "0.80" in text_of(line) for line in aside(view))


def test_what_fits_is_told_in_the_status_row() -> None:
    assert text_of(overview.view(the_cloud(), a_frame()).status(None)) == (
        "free for one backfilling server: 28.0 GHz + 232 GiB, or 22.0 GHz + 260 GiB"
    )


# Groups ------------------------------------------------------------------------------------------------------------


def test_groups_are_sorted_by_what_they_tolerate_then_by_collisions_then_by_name() -> None:
    view = groups.view(the_cloud(), a_frame())

    assert [view.regions[0].key(place) for place in range(6)] == [
        "group:cache", "group:ldap", "group:metrics", "group:auth", "group:billing", "group:web",
    ]  # fmt: skip


def test_the_map_shows_collisions_reversed_and_leaves_blank_what_does_not_answer() -> None:
    view = groups.view(the_cloud(), a_frame(160, 45))

    row = the_row(view, "group:web")
    assert text_of(row) == (
        " web        ··●·······●·····  ·●····2·····x···                    ·●··m···········                    "
        "●······●········      8      4      7      1           3  "
    )
    collision = next(span for span in row if span.text == "2")
    assert (collision.tone, collision.is_reversed) == (Tone.CRIT, True)
    assert text_of(the_row(view, "group:auth"))[48:64] == " ?      ?       "
    assert text_of(the_row(view, "group:metrics")).rstrip().endswith("≥0")
    assert text_of(the_row(view, "group:auth")).rstrip().endswith("—")


def test_where_hosts_do_not_fit_they_are_folded_into_cells() -> None:
    row = the_row(groups.view(the_cloud(), a_frame(120, 40)), "group:web")
    folded = the_row(groups.view(the_cloud(), a_frame(160, 45, is_folded=True)), "group:web")

    assert [span.text for span in row if span.tone is Tone.CRIT] == ["3!", "1"]
    # Chosen, it is of cells: two in one cell collide, and the numbers at the right say so too.
    assert [span.text for span in folded if span.tone is Tone.CRIT] == ["2!", "3!", "2!", "4"]


def test_a_map_of_many_hosts_draws_only_those_that_hold_a_member() -> None:
    mirror = the_cloud()
    more = tuple(
        host._replace(name=f"{host.name}-{n}") for host in mirror.hosts or () for n in range(4)
    )  # 384 hosts beside the 96

    view = groups.view(replace(mirror, hosts=(*(mirror.hosts or ()), *more)), a_frame(160, 45))

    assert "+" in text_of(view.regions[0].line(0))
    assert span_width(the_row(view, "group:web")) == 160


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("host:c2-h07", "  c2-h07  cell-2  ● up    2!  web-05 web-31                   6    ████████▒▒▒▒ "),
        ("host:c1-h03", "  c1-h03  cell-1  ● up    1   web-01                          7    ████████▒▒▒▒ "),
    ],
)
def test_one_group_is_a_list_of_the_hosts_that_hold_it(key: str, shown: str) -> None:
    view = groups.view(the_cloud(), a_frame(scope="web"))

    assert text_of(the_row(view, key)) == shown
    assert body(view)[0].rstrip() == " web  8 members  7 hosts  needs 4   ■ 1 collision   tolerates 3 lost hosts"
    assert " WORST CASE  lose c2-h07, then c1-h03, c1-h11: 4 stay, needs 4" in "\n".join(body(view))
    assert text_of(view.status("host:c2-h07")) == "c2-h07 lost: 2 members go, 6 of 8 stay, 4 needed"


def test_one_member_that_does_not_answer_counts_as_lost() -> None:
    mirror = the_cloud()
    metrics = next(group for group in mirror.groups or () if group.name == "metrics")
    up, silent, _ = sorted(metrics.members, key=lambda member: member.state == "unknown")
    fewer = replace(mirror, groups=(metrics._replace(members=(up, silent)),))

    drawn = "\n".join(body(groups.view(fewer, a_frame(scope="metrics"))))

    assert "1 of 2 members does not answer and counts as lost" in drawn


def test_members_that_do_not_answer_count_as_lost() -> None:
    view = groups.view(the_cloud(), a_frame(scope="auth"))

    assert plate(the_row(view, "host:c3-h02")).startswith("..uuuuuu..uuuuuu..u")
    assert "2 of 2 members do not answer and count as lost" in "\n".join(body(view))


def test_a_group_that_is_gone_says_so() -> None:
    assert "there is no group old any more" in body(groups.view(the_cloud(), a_frame(scope="old")))[0]


# Backfill ------------------------------------------------------------------------------------------------------------


def test_the_backfill_panel_shows_the_published_objects_beside_the_cells() -> None:
    lines = body(backfill.view(the_cloud(), a_frame()))

    assert lines[:7] == [
        " FITS NOW, ONE SERVER    GHz   GiB  HOST            HOSTS BY FILL       GHz GiB ",
        " total                  28.0   260  2 hosts  cell-1 ████▓▓▓▓▓▓▓▓▓▓▓▒    6.0 100 ",
        " most_free_by_cpu       28.0   232  c6-h13   cell-2 ✗███████▓▓▓▓▓▓▓▓    6.0 148 ",
        " most_free_by_memory    22.0   260  c6-h05   cell-3 █▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓      —   — ",
        " normal, none shrunk    28.0   232  c6-h13   cell-4 m███████▓▓▓▓▓▓▓▓    6.0 160 ",
        " normal, others shrink  47.0   268  c6-h13   cell-5 █▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓      —   — ",
        " normal, others stop    56.0   280  c6-h13   cell-6 ▓▓▓▓▓▓▓▓▓▓▒▒▒▒▒▒   28.0 260 ",
    ]


@pytest.mark.parametrize(
    ("key", "shown", "tones"),
    [
        ("id-crawl-22", " ■ crawl-22    ·      stopped       —                —  host lost      13:38:20 ",
                        ".c.bbbbbbbb....m......ccccccc.......u................u..tttt.tttt......mmmmmmmm."),
        ("id-render-20", " ▒ render-20   c1-h04 ██│███████ 1.00  ██│······· 0.33  db-09          13:51:47 ",
                         ".b.bbbbbbbbb...tttttt.mmmmmmmmmm.mmmm..bbmmmmmmmm.bbbb..ttttt..........mmmmmmmm."),
        ("id-render-12", " ▒ render-12   c2-h07 ██│███···· 0.62  ██│███████ 1.00  web-31         14:01:10 ",
                         ".b.bbbbbbbbb...tttttt.bbmbbbmmmm.bbbb..mmmmmmmmmm.mmmm..tttttt.........mmmmmmmm."),
    ],
)  # fmt: skip
def test_who_lost_something_is_told_with_gauges_and_by_whom(key: str, shown: str, tones: str) -> None:
    line = the_row(backfill.view(the_cloud(), a_frame()), key)

    assert (text_of(line), plate(line)) == (shown, tones)


def test_the_same_panel_in_ascii() -> None:
    view = backfill.view(the_cloud(), a_frame(glyphs=ASCII))

    assert body(view)[2] == " most_free_by_cpu       28.0   232  c6-h13   cell-2 x#######========    6.0 148 "
    assert text_of(the_row(view, "id-render-12")) == (
        " % render-12   c2-h07 ##|###.... 0.62  ##|####### 1.00  web-31         14:01:10 "
    )


def test_at_forty_columns_only_the_lower_factor_is_told_with_its_letter() -> None:
    view = backfill.view(the_cloud(), a_frame(40))

    assert text_of(the_row(view, "id-render-12")).startswith(" ▒ render-12     c.62  web-31")
    assert text_of(the_row(view, "id-render-20")).startswith(" ▒ render-20     m.33  db-09")


def test_an_account_that_may_not_backfill_is_told_so_and_sees_no_numbers() -> None:
    mirror = replace(the_cloud(), capacity=CapacityRecord(none_shrunk=size(28, 232)))

    lines = body(backfill.view(mirror, a_frame()))

    assert "backfilling is not permitted to this account (403)" in lines[1]
    assert "28.0   232" in lines[2]


def test_a_cloud_where_nobody_is_shrunk_says_so() -> None:
    calm = [a_shrunk("r-1", "cell-1", "h", size(1, 1), factor=(1.0, 1.0), floor=(0.25, 0.25))]
    for rows, sentence in ((calm, "all 1 backfilling servers have their full size"),
                           ([a_server("web")], "this cloud has no backfilling servers")):  # fmt: skip
        mirror = replace(Mirror(is_complete=True), fleet=Mirror().fleet.changed(rows))

        assert any(sentence in line for line in body(backfill.view(mirror, a_frame())))


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("factor", ["render-20", "crawl-17", "render-12", "train-04", "encode-31"]),
        ("lost", ["render-12", "train-04", "encode-31", "render-20", "crawl-17"]),
        ("name", ["crawl-17", "encode-31", "render-12", "render-20", "train-04"]),
    ],
)
def test_the_shrunk_can_be_sorted(sort: str, names: list[str]) -> None:
    assert [row.name for row in backfill.taken_from(the_cloud(), a_frame(sort=sort))][2:] == names


def test_a_hostile_name_moves_no_column() -> None:
    """The client shows what must not reach the terminal as dots; wide and combining signs remain, and are measured."""
    names = ("数据库服务器-01", "e\u0301" * 30, "[b]x[/b]", "👩🏽" * 9, "a" * 200, "\u0e01\u0e33" * 9)
    rows = [a_server(name, f"cell-{name}", f"h-{name}", id=f"id-{n}", group=name) for n, name in enumerate(names)]
    mirror = replace(the_cloud(), fleet=the_cloud().fleet.changed([*the_servers(), *rows]))
    for (width, height), row in product(WIDTHS, rows):
        view = servers.view(mirror, a_frame(width, height))

        assert span_width(the_row(view, row.id)) == width - view.pane_width
        assert span_width(header.status(view.status(row.id), a_frame(width))) == width
