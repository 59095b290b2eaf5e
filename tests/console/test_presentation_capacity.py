"""The heat map of capacity, what fits beside it, and the words of a what-if."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.presentation import capacity, creating, what_if
from console.presentation.capacity import Block, blocks, fragmentation
from console.presentation.lines import Grid, text_of
from console.records import DecisionRecord, HostRecord, ResizedRecord, StoppedRecord
from console.records_room import TrialRecord, WhatIfRecord
from tests.console.drawn import a_silent_cloud, body, plate
from tests.console.examples import a_frame, a_host, the_cloud
from tests.strategies import QUICK

FOLDED = frozenset({capacity.BY_MEMORY})


def test_what_fits_is_told_overall_and_for_each_cell_that_answers() -> None:
    drawn = [line.rstrip() for line in body(capacity.view(the_cloud(), a_frame()))][:8]

    assert drawn == [
        " FITS NOW    GHz   GiB  NORMAL      GHz   GiB  NO STOP     GHz   GiB  BACKF.",
        " overall    56.0   280  c6-h13     47.0   268  c6-h13     28.0   232  c6-h13",
        " cell-1     24.0   128  c1-h16     17.0   120  c1-h16      6.0   100  c1-h16",
        " cell-2     24.0   128  c2-h16     17.0   120  c2-h16      6.0   100  c2-h16",
        " cell-3        —     —                —     —                —     —",
        " cell-4     24.0   128  c4-h16     17.0   120  c4-h16      6.0   100  c4-h16",
        " cell-5        —     —                —     —                —     —",
        " cell-6     56.0   280  c6-h13     47.0   268  c6-h13     28.0   232  c6-h13",
    ]


def test_each_cell_has_a_row_for_each_layer_with_its_share_and_how_split_its_room_is() -> None:
    drawn = [line.rstrip() for line in body(capacity.view(the_cloud(), a_frame()))][9:16]

    assert drawn == [
        " CELL    STATE  LAYER    ·none ░to 25 ▒50 ▓75 % █more         GHz     %  SPLIT",
        " cell-1  ● up   normal   ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▒                     650    63",
        "                backfill ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒░                     278    27",
        "                free     ····░░░░░░░░░░░▒                      96     9    73%",
        " cell-2  ● up   normal   ✗▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓                     636    62",
        "                backfill ✗▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒                     273    27",
        "                free     ✗·······░░░░░░░░                      51     5    88%",
    ]


def test_the_map_can_be_of_memory() -> None:
    drawn = body(capacity.view(the_cloud(), a_frame(modes=FOLDED)))

    assert "GiB     %  SPLIT" in drawn[9]
    assert drawn[10].split()[-2:] == ["2,048", "50"]


def test_a_lost_host_is_crit_and_a_silent_cell_makes_no_claim() -> None:
    [grid] = [region for region in capacity.view(the_cloud(), a_frame()).regions if isinstance(region, Grid)]

    assert plate(grid.line(3))[25:28] == "ctt"
    assert plate(grid.line(4))[25:28] == "cbb"
    assert set(plate(grid.line(6))[25:41]) == {"u"}
    assert "~650" in text_of(grid.line(6))


def test_the_cursor_goes_from_host_to_host_and_from_cell_to_cell() -> None:
    view = capacity.view(the_cloud(), a_frame())
    [grid] = [region for region in view.regions if isinstance(region, Grid)]

    assert [grid.key(place) for place in range(4)] == ["host:c1-h01", None, None, "host:c2-h13"]
    assert grid.find_place("host:c2-h07") is not None
    assert text_of(view.status("host:c6-h11")) == "c6-h11: normal 40.3, backfill 17.3, free 38.4 of 96.0 GHz"
    assert view.find("cell:cell-2") == (0, 2)


def test_a_small_terminal_keeps_two_layers_and_two_sizes() -> None:
    drawn = [line.rstrip() for line in body(capacity.view(the_cloud(), a_frame(40, 10)))]

    assert drawn[:2] == [" FITS          NORMAL        BACKF.", " all       56.0   280    28.0   232"]
    assert drawn[10:12] == [" cell-1   ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▒", "          ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒░"]


def test_of_a_cloud_that_fell_silent_nothing_looks_current() -> None:
    drawn = body(capacity.view(a_silent_cloud(), a_frame()))

    assert "~650" in drawn[10]


def test_before_anything_is_told_nothing_is_claimed() -> None:
    mirror = replace(the_cloud(), capacity=None, hosts=None)
    drawn = [line.rstrip() for line in body(capacity.view(mirror, a_frame()))]

    assert drawn[1] == " overall       —     —                —     —                —     —"
    assert drawn[10] == " cell-1  ● up            —"


# Blocks -------------------------------------------------------------------------------------------------------------


hosts_of_a_cell = st.lists(st.sampled_from(("up", "up", "up", "down", "maintenance")), max_size=60).map(
    lambda states: [a_host(f"h{n}", "cell-1", state=state) for n, state in enumerate(sorted(states))]
)


@QUICK
@given(hosts_of_a_cell, st.integers(2, 40))
def test_however_many_hosts_there_are_they_fit_and_none_is_left_out(hosts: list[HostRecord], room: int) -> None:
    found = blocks(hosts, room)

    assert len(found) <= room
    assert sorted(host.name for block in found for host in block.hosts) == sorted(host.name for host in hosts)
    assert all(len({host.state == "up" for host in block.hosts}) == 1 for block in found)


def test_where_each_host_has_a_column_none_is_shared() -> None:
    hosts = [a_host(f"h{n}", "cell-1") for n in range(5)]

    assert blocks(hosts, 5) == [Block((host,)) for host in hosts]
    assert [len(block.hosts) for block in blocks(hosts, 4)] == [2, 2, 1]


@pytest.mark.parametrize(
    ("free", "expected"),
    [((10, 0, 0), 0.0), ((5, 5), 0.5), ((6, 2, 2), 0.4), ((0, 0), None), ((), None)],
)
def test_fragmentation_is_what_the_best_host_cannot_offer(free: tuple[float, ...], expected: float | None) -> None:
    hosts = [a_host(f"h{n}", "cell-1", ghz=20, normal=20 - each, backfilling=0) for n, each in enumerate(free)]

    assert fragmentation(hosts, is_memory=False) == pytest.approx(expected)


# What if ------------------------------------------------------------------------------------------------------------


STOPPED = StoppedRecord("s1", "train-04", 10_000, 32 * 2**30)
SHRUNK = ResizedRecord("r1", "render-12", 1.0, 0.62, 1.0, 1.0)


def test_a_what_if_says_what_fits_then_who_pays_then_where_each_goes() -> None:
    found = WhatIfRecord(
        3,
        2,
        (
            TrialRecord(1, "cell-2", DecisionRecord("c2-h07", "room"), shrinks=(SHRUNK,)),
            TrialRecord(2, "cell-2", DecisionRecord("c2-h12", "room", (STOPPED,)), shares=1),
        ),
        (STOPPED,),
        (SHRUNK,),
        {"short of CPU": 16},
        sentences=("2 of 3 servers find a host; the next one finds none.", "They stand on 2 hosts."),
    )

    assert [text_of(line).rstrip() for line in what_if.lines(found, a_frame(72))] == [
        "  FITS        2 of 3 servers find a host; the next one finds none.",
        "  REFUSED     16 short of CPU",
        "              They stand on 2 hosts.",
        "  STOPS       1: train-04",
        "  SHRINKS     render-12 CPU 1.00 to 0.62",
        "    #  HOST       CELL      STOPS, SHRINKS",
        "    1  c2-h07     cell-2    shrinks 1",
        "    2  c2-h12     cell-2    stops train-04, beside 1 it avoids",
    ]


@pytest.mark.parametrize(
    ("place", "text", "sentence"),
    [
        (0, "0", "0 is no number from 1 to 50"),
        (0, "51", "51 is no number from 1 to 50"),
        (0, "", "nothing is no number from 1 to 50"),
        (5, "we", "there is no group we; did you mean web?"),
    ],
)
def test_what_makes_no_sense_is_not_asked(place: int, text: str, sentence: str) -> None:
    fields = what_if.fields(the_cloud())
    texts = [field.text or (field.choices[0] if field.choices else "") for field in fields]
    assert creating.body(fields, texts) == {
        "count": 1, "cpu_mhz": 4000, "memory_bytes": 8 * 2**30, "is_backfilling": False, "apart": False,
    }  # fmt: skip

    texts[place] = text
    assert creating.first_wrong(fields, texts) == (place, sentence)
