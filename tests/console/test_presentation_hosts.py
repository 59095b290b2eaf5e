"""What is said of hosts: the map, the list, the page of one, and the plan of what is done to one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from console.presentation import host_detail, host_plan, hosts
from console.presentation.lines import Grid, Line, Tone, View, text_of
from console.presentation.mirror import Mirror
from console.records import HostDetail, Hosts, ServersPage, StoppedRecord
from console.records_plans import HostPlanRecord, MoveRecord
from tests.console.drawn import a_silent_cloud, body, plate
from tests.console.examples import (
    GIB,
    POLLED,
    a_frame,
    a_host,
    a_server,
    ago,
    an_event,
    size,
    the_cloud,
    the_hosts,
    today,
)


def the_map(view: View) -> Grid[object]:
    region = view.regions[0]
    assert isinstance(region, Grid)
    return region


def in_list(view: View, key: str) -> Line:
    region = view.regions[-1]
    place = region.find(key)
    assert place is not None, f"no row {key}"
    return region.line(place)


# The map -------------------------------------------------------------------------------------------------------------


def test_the_map_has_a_row_a_cell_and_a_glyph_a_host_with_the_lost_ones_first() -> None:
    grid = the_map(hosts.view(the_cloud(), a_frame()))

    assert [text_of(grid.line(place)).rstrip() for place in range(len(grid))] == [
        "  cell-1  ● up   ████▓▓▓▓▓▓▓▓▓▓▓▒  ··",
        "  cell-2  ● up   ✗███████▓▓▓▓▓▓▓▓  ░·",
        "  cell-3  ✗ down █▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓  ░·",
        "  cell-4  ● up   m███████▓▓▓▓▓▓▓▓  ▒░",
        "  cell-5  ? hung █▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓  ▒░",
        "  cell-6  ● up   ▓▓▓▓▓▓▓▓▓▓▒▒▒▒▒▒  ▓░",
    ]


def test_lost_is_crit_maintenance_is_warn_and_a_silent_cell_makes_no_claim() -> None:
    grid = the_map(hosts.view(the_cloud(), a_frame()))

    assert [plate(grid.line(place))[17:19] for place in range(6)] == ["tt", "ct", "uu", "wt", "uu", "tt"]


def test_each_glyph_of_the_map_is_a_host_at_its_column() -> None:
    grid = the_map(hosts.view(the_cloud(), a_frame()))

    assert grid.key_at(1, 0) == "host:c2-h13"
    assert grid.column(1, 0) == 17
    assert grid.key_at(1, 16) == "host:c2-s02"
    assert grid.column(1, 16) == 35
    assert grid.find_place("host:c4-h05") == (3, 0)


def test_a_cell_with_more_hosts_than_fit_goes_on_below() -> None:
    many = Hosts(tuple(a_host(f"c1-h{n:03}", "cell-1") for n in range(150)))
    grid = the_map(hosts.view(the_cloud().apply(many, POLLED), a_frame(scope="cell-1")))

    assert [grid.places(place) for place in range(len(grid))] == [61, 61, 28]
    assert {text_of(grid.line(place))[2:8] for place in (1, 2)} == {"      "}


def test_where_only_storage_hosts_match_their_block_is_the_first() -> None:
    grid = the_map(hosts.view(the_cloud(), a_frame(filter="storage cell-2")))

    assert text_of(grid.head or ()).split()[:3] == ["CELL", "STATE", "STORAGE"]
    assert text_of(grid.line(0)).rstrip() == "  cell-2  ● up   ░·"


def test_a_cell_whose_hosts_were_never_seen_has_a_row_that_says_so() -> None:
    answered = Hosts(tuple(host for host in the_hosts() if host.cell != "cell-3"))
    mirror = replace(the_cloud(), hosts=None).apply(answered, POLLED)
    grid = the_map(hosts.view(mirror, a_frame()))

    assert text_of(grid.line(2)).rstrip() == "  cell-3  ✗ down —"
    assert grid.key(2) is None


# The list ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("host:c2-h13", "  ✗ down    c2-h13   cell-2 ············     0.0/64.0      192/256   12     25m"),
        ("host:c4-h05", "  m maint   c4-h05   cell-4 ············     0.0/64.0      192/256   12     25m"),
        ("host:c3-h01", "  ? UNKNOWN c3-h01   cell-3 ████████▒▒▒▒   ~64.0/64.0     ~192/256  ~12    ~12m"),
        ("host:c6-h11", "  ● up      c6-h11   cell-6 █████▒▒·····    57.6/96.0      192/256   12   6d00h"),
        ("host:c4-s02", "  ● up      c4-s02   cell-4 ███████·····              5,600/10,240   80   3d00h"),
    ],
)
def test_a_host_is_a_line_with_its_layers_in_a_bar_and_their_numbers(key: str, shown: str) -> None:
    assert text_of(in_list(hosts.view(the_cloud(), a_frame()), key)).rstrip() == shown


def test_a_wide_list_has_a_number_for_each_layer() -> None:
    view = hosts.view(the_cloud(), a_frame(120, 40))

    assert text_of(view.regions[-1].head or ()).split()[3:] == [
        "CPU", "█normal", "▒backf.", "NORMAL", "BACKF.", "FREE", "of", "GHz", "MEMORY,", "DRIVES", "GiB", "of", "N",
        "SINCE",
    ]  # fmt: skip
    assert text_of(in_list(view, "host:c2-h08")).split()[4:9] == ["█████████████▒▒▒▒▒··", "40.3", "17.3", "6.4", "64.0"]


def test_down_comes_first_then_what_nobody_knows_then_maintenance() -> None:
    region = hosts.view(the_cloud(), a_frame()).regions[-1]

    words = [text_of(region.line(place)).split()[1] for place in range(len(region))]
    assert words == sorted(words, key=["down", "UNKNOWN", "maint", "up"].index)


@pytest.mark.parametrize(
    ("sort", "first", "last"),
    [("fill", "c1-h01", "c5-s02"), ("name", "c1-h01", "c6-s02"), ("drives", "c6-s02", "c5-s02")],
)
def test_hosts_are_sorted_and_what_is_only_last_known_is_last(sort: str, first: str, last: str) -> None:
    region = hosts.view(the_cloud(), a_frame(sort=sort)).regions[-1]

    assert (region.key(0), region.key(len(region) - 1)) == (f"host:{first}", f"host:{last}")


@pytest.mark.parametrize(
    ("wanted", "number"), [("storage", 12), ("cell-2", 18), ("down", 1), ("!up", 38), ("c1-h0 ", 9), ("maint", 1)]
)
def test_the_filter_narrows_the_map_and_the_list(wanted: str, number: int) -> None:
    view = hosts.view(the_cloud(), a_frame(filter=wanted))

    assert len(view.regions[-1]) == number
    assert sum(the_map(view).places(place) for place in range(len(the_map(view)))) == number
    assert view.note.endswith(f"{number} of 108")


def test_before_hosts_are_known_there_is_no_zero() -> None:
    view = hosts.view(Mirror(), a_frame())

    assert view.note == "—"
    assert body(view)[1].strip() == "…"


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("host:c2-h13", "c2-h13: down for 25m; 2 servers lost with it"),
        ("host:c4-h05", "c4-h05: maintenance for 25m, takes no placements; 12 servers still there"),
        ("host:c3-h01", "c3-h01: cell-3 does not answer; last known up at 13:51:02"),
        ("host:c6-h11", "c6-h11: compute host, 12 servers; free for a start: 38.4 GHz, 64 GiB"),
        ("host:c1-s01", "c1-s01: storage host, 10 drives; 9,540 of 10,240 GiB free"),
    ],
)
def test_the_status_row_names_the_host_under_the_cursor(key: str, sentence: str) -> None:
    assert text_of(hosts.status(the_cloud(), a_frame(120), key)) == sentence


def test_while_the_cloud_is_silent_every_host_is_last_known() -> None:
    view = hosts.view(a_silent_cloud(), a_frame())

    assert "~57.6/96.0" in text_of(in_list(view, "host:c6-h11"))
    assert set(plate(the_map(view).line(0))[17:]) <= {"u", "."}


# The page of one -----------------------------------------------------------------------------------------------------


def test_the_page_of_a_host_shows_its_layers_and_its_servers() -> None:
    lines = body(host_detail.view(the_cloud(), "host:c2-h07", a_frame()))

    assert [line.rstrip() for line in lines[5:]] == [
        " LAYERS       █normal ▒backfilling ·free    NORMAL   BACKF.    FREE       of",
        " CPU GHz      ████████████████████▒▒▒▒▒▒▒▒    44.8     19.2     0.0     64.0",
        " mem GiB      ██████████████▒▒▒▒▒▒▒·······     128       64      64      256",
        "",
        "  STATE     SERVER       KIND        CPU GHz  GiB   pfCPU pfMEM  GROUP  STARTED",
        "  ● run     encode-31    ▒ backf.        8.0   24    0.80  1.00  ·        1d05h",
        "  ● run     render-12    ▒ backf.       12.0   48    0.62  1.00  ·        6h44m",
        "  ● run     train-04     ▒ backf.       10.0   32    0.62  1.00  ·        1d03h",
        "  ● run     web-05       normal          4.0   16                web     54d17h",
        "  ● run     web-31       normal         16.0   48                web      2m17s",
    ]


@pytest.mark.parametrize("state", ["down", "maintenance"])
def test_nothing_is_free_on_a_host_that_is_not_up(state: str) -> None:
    host = a_host("c9-h01", "cell-1", ghz=90, normal=80, backfilling=6, state=state, free=size(0, 0))
    mirror = the_cloud().apply(Hosts((host,)), POLLED)

    page = "\n".join(body(host_detail.view(mirror, "host:c9-h01", a_frame())))
    listed = "\n".join(body(hosts.view(mirror, a_frame(120))))

    assert "80.0      6.0     0.0     90.0" in page
    assert "80.0    6.0    0.0    90.0" in listed


def test_a_lost_server_shows_its_start_and_beside_it_when_it_was_lost() -> None:
    lost: dict[str, Any] = {"state": "unavailable", "started_at": ago(hours=5), "group": "smtp"}
    today_lost = a_server("smtp-07", "cell-2", "c2-h13", state_since=today(13, 38, 20), **lost)
    long_lost = a_server("smtp-08", "cell-2", "c2-h13", state_since=ago(days=2), **lost)
    mirror = the_cloud().apply(ServersPage((today_lost, long_lost), None, "c", 2), POLLED)

    shown = [line.rstrip() for line in body(host_detail.view(mirror, "host:c2-h13", a_frame())) if " smtp-0" in line]

    assert shown[-2:] == [
        "  ✗ lost    smtp-07      normal          4.0   16    lost 13:38  smtp     5h00m",
        "  ✗ lost    smtp-08      normal          4.0   16   lost 18 Nov  smtp     5h00m",
    ]


def test_at_sixty_columns_the_layers_have_a_short_bar() -> None:
    lines = body(host_detail.view(the_cloud(), "host:c2-h07", a_frame(60)))

    cpu = next(line for line in lines if line.startswith(" CPU GHz"))
    assert cpu.rstrip() == " CPU GHz      ██████▒▒    44.8     19.2     0.0     64.0"


def test_effective_less_than_nominal_is_marked_in_the_layers() -> None:
    shrunk = a_host("c9-h01", "cell-1", normal=40, backfilling=10, backfilling_nominal=a_host("x", "y").backfilling)
    view = host_detail.view(the_cloud().apply(Hosts((shrunk,)), POLLED), "host:c9-h01", a_frame())

    assert "40.0  <  10.0    14.0     64.0" in "\n".join(body(view))


def test_the_page_of_a_lost_host_says_when_by_whom_and_why() -> None:
    lost = an_event(9, "host.down", "c2-h13", today(13, 38, 20), actor="operator", details={"reason": "power"})
    view = host_detail.view(the_cloud(), "host:c2-h13", a_frame(), HostDetail((lost,)))

    assert " last lost    13:38:20 (25m) by operator: power" in [line.rstrip() for line in body(view)]


def test_the_page_of_a_storage_host_shows_its_drives_worst_first() -> None:
    view = host_detail.view(the_cloud(), "host:c2-s02", a_frame())

    keys = [region.key(place) for region in view.regions for place in range(len(region))]
    assert [key for key in keys if key is not None and key.startswith("drive:")] == [
        "drive:id-web-05-boot", "drive:id-web-31-data", "drive:id-web-31-boot", "drive:id-spare"
    ]  # fmt: skip
    assert any("2,800 of 10,240 GiB used   27%" in line for line in body(view))


def test_what_is_on_a_host_can_be_opened() -> None:
    view = host_detail.view(the_cloud(), "host:c2-h07", a_frame())

    keys = {region.key(place) for region in view.regions for place in range(len(region))}
    assert {"id-web-31", "id-render-12", "cell:cell-2"} <= keys


def test_a_host_that_is_gone_says_so() -> None:
    assert "c9-h99 is not known any more" in "\n".join(body(host_detail.view(the_cloud(), "host:c9-h99", a_frame())))


def test_the_pane_beside_the_list_tells_the_layers_and_the_first_servers() -> None:
    view = hosts.view(the_cloud(), a_frame(160, 45))
    assert view.preview is not None

    text = "\n".join(text_of(line) for line in view.preview("host:c2-h07"))

    assert "CPU GHz" in text
    assert "render-12" in text


# Plans ---------------------------------------------------------------------------------------------------------------

STOPPED = StoppedRecord("s1", "crawl-028", 8_000, 8 * GIB, ago(hours=22), 176.0)
MOVES = (
    MoveRecord("m1", "web-31", False, 16_000, 48 * GIB, "running", "moves", "c2-h12", stops=(STOPPED,), shrinks=3),
    MoveRecord("m2", "web-05", False, 4_000, 16 * GIB, "running", "moves", "c2-h02", stops=(STOPPED,)),
    MoveRecord("m3", "render-12", True, 12_000, 48 * GIB, "running", "stops"),
    MoveRecord("m4", "huge", False, 60_000, 200 * GIB, "running", "stays", None, "14 hosts are short of CPU"),
)


def plan_of(action: str, **said: object) -> HostPlanRecord:
    made = HostPlanRecord(action, "c2-h07", moves=MOVES, sentences=("What will happen.",), version=3)
    return made._replace(**said)  # type: ignore[arg-type]


def test_a_plan_names_everybody_in_the_order_of_regret() -> None:
    lines = [text_of(line).rstrip() for line in host_plan.lines(plan_of("evacuate"), a_frame(80))]

    assert lines == [
        "  WHAT        What will happen.",
        "  STOPS       1, without notice",
        "              render-12      12.0 GHz   48 GiB",
        "  STAYS       1, no host has room",
        "              huge           60.0 GHz  200 GiB",
        "              14 hosts are short of CPU",
        "  STOPS TOO   1 backfilling on other hosts, after notice and grace",
        "              crawl-028     8.0 GHz  8 GiB  up 22h00m  176 GHz h lost",
        "  MOVES       2, shut down, then started elsewhere",
        "              web-31         16.0 GHz   48 GiB  -> c2-h12, stops 1, shrinks 3",
        "              web-05          4.0 GHz   16 GiB  -> c2-h02, stops 1",
    ]


def test_who_is_stopped_and_who_stays_is_crit() -> None:
    lines = host_plan.lines(plan_of("evacuate"), a_frame(80))

    tones = {text_of(line).split()[0]: line for line in lines}
    for word in ("STOPS", "STAYS"):
        assert Tone.CRIT in {span.tone for span in tones[word]}


@pytest.mark.parametrize(
    ("action", "title"),
    [
        ("fail", "Lose c2-h07, stopping 2"),
        ("drain", "Drain c2-h07"),
        ("evacuate", "Evacuate c2-h07, stopping 2"),
        ("recover", "Let c2-h07 recover"),
    ],
)
def test_the_title_counts_each_stopped_server_once(action: str, title: str) -> None:
    assert host_plan.title(plan_of(action)) == title


def test_a_plan_that_is_refused_says_only_why() -> None:
    refused = plan_of("evacuate", is_allowed=False, problem="drain it first", sentences=("drain it first",))

    assert [text_of(line).strip() for line in host_plan.lines(refused, a_frame(80))] == ["REFUSED     drain it first"]


def test_a_host_with_nothing_on_it_says_that_nobody_is_touched() -> None:
    empty = plan_of("drain", moves=())

    assert "none is touched" in text_of(host_plan.lines(empty, a_frame(80))[-1])


def test_a_plan_fits_into_forty_columns() -> None:
    for line in host_plan.lines(plan_of("fail"), a_frame(38)):
        assert len(text_of(line)) == 38
