"""What is given again is what would be made anew, whatever has changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from console.presentation import cells, figures, overview
from console.presentation.attention import alarms
from console.presentation.lines import ASCII, Frame, Line, Region, Span, Tone
from console.presentation.mirror import Mirror
from console.presentation.remembered import remembered
from console.records_offer import Offer
from tests.console.examples import NOW, a_frame, an_unknown, the_cloud

CLOUD = the_cloud()
assert CLOUD.capacity is not None
assert CLOUD.clock is not None
assert CLOUD.hosts is not None
OFFER = Offer(views={"backfill": "this cloud has no backfilling", "capacity": "nobody knows what fits"})
MIRRORS: tuple[dict[str, Any], ...] = (
    {"problem": "connection refused"},
    {"groups": None},
    {"groups": CLOUD.groups[1:] if CLOUD.groups else ()},
    {"capacity": None},
    {"capacity": CLOUD.capacity._replace(none_shrunk=None)},
    {"is_complete": False},
    {"fleet": CLOUD.fleet.changed([an_unknown("web-1", "cell-3", "h")])},
    {"fleet": CLOUD.fleet.changed((), [row.id for row in CLOUD.fleet.shrunk[:1]])},
    {"fleet": type(CLOUD.fleet)()},
    {"offer": OFFER},
    {"cells": None},
    {"cells": tuple(cell._replace(state="up") for cell in CLOUD.cells or ())},
    {"clock": CLOUD.clock._replace(mode="wall")},
    {"clock": CLOUD.clock._replace(mode="manual")},
    {"hosts": CLOUD.hosts[1:]},
    {"hosts": tuple(host._replace(state="down") for host in CLOUD.hosts)},
    {"hosts": None},
    {"events": CLOUD.events[:-1]},
    {"events": ()},
    {"schedules": ()},
    {"drives": type(CLOUD.drives)()},
)
FRAMES: tuple[dict[str, Any], ...] = (
    {"now": NOW + timedelta(seconds=1)},
    {"now": NOW + timedelta(days=1)},
    {"wall_now": NOW - timedelta(days=2)},
    {"width": 160},
    {"height": 24},
    {"glyphs": ASCII},
    {"filter": "web"},
)
SOME = st.tuples(st.sets(st.sampled_from(range(len(MIRRORS))), max_size=3),
                 st.sets(st.sampled_from(range(len(FRAMES))), max_size=2))  # fmt: skip


def lines_of(region: Region) -> list[Line | None]:
    return [region.head, *(region.line(index) for index in range(len(region)))]


def anew(make: Callable[..., Any]) -> Callable[..., Any]:
    return make.__wrapped__  # type: ignore[attr-defined, no-any-return]


@given(st.lists(SOME, min_size=2, max_size=4))
def test_regions_of_the_overview_are_what_they_would_be_anew(steps: list[tuple[set[int], set[int]]]) -> None:
    for changes, choices in steps:
        mirror, frame = CLOUD, a_frame(120, 40)
        for number in sorted(changes):
            mirror = replace(mirror, **MIRRORS[number])
        for number in sorted(choices):
            frame = frame._replace(**FRAMES[number])
        known = alarms(mirror, frame)
        regions: tuple[tuple[Callable[..., Region], tuple[Any, ...]], ...] = (
            (overview._fits_region, ()),
            (overview._lowest_region, ()),
            (overview._risk_region, ()),
            (overview._events_region, ()),
            (overview._attention_region, (known,)),
        )
        for make, more in regions:
            given_again = make(mirror, frame, *more, 59)
            assert lines_of(given_again) == lines_of(anew(make)(mirror, frame, *more, 59))
        for cell in mirror.cells or ():
            assert cells.host_strip(mirror, frame, cell, 24) == strip_anew(mirror, frame, cell.name)


def strip_anew(mirror: Mirror, frame: Frame, name: str) -> Line:
    hosts = [host for host in mirror.hosts or () if host.cell == name]
    cell = mirror.cell(name)
    assert cell is not None
    if not hosts:
        return (Span(frame.glyphs.nobody_said, Tone.UNKNOWN),)
    return figures.strip(hosts, frame.glyphs, width=24, is_known=cell.is_up and not mirror.is_offline)


def test_what_is_made_of_the_same_is_the_same_object() -> None:
    made: list[int] = []

    @remembered(lambda number: (number // 10,))
    def tens(number: int) -> list[int]:
        made.append(number)
        return [number // 10]

    assert tens(11) is tens(12)
    assert (tens(25), tens(19), made) == ([2], [1], [11, 25, 19])


def test_a_second_later_most_of_the_overview_is_the_same_object() -> None:
    frame = a_frame(120, 40)
    before, after = (overview.view(CLOUD, frame._replace(now=NOW + timedelta(seconds=seconds))) for seconds in (1, 2))
    same = [was is now for was, now in zip(before.aside, after.aside, strict=True)]

    assert same.count(True) >= 3
    assert before.regions[2] is after.regions[2]
