"""Every view as it is drawn, on the demo cloud at one instant. After a change: look at the SVG, then accept it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet
from textual.pilot import Pilot

from backend.rehearsals import scenario, shipped
from backend.rehearsals.running import rehearse
from console.records_rehearsal import RehearsalRecord, ReportLine
from tests.console.fake_clouds import an_app_of, four_clouds, see_several
from tests.console.fakes import FakeCloud, ManualClock, an_app
from tests.console.stories import until
from tests.demo import STORIES, DemoConsole, copied, play

WIDE, CARD, LARGE = (120, 40), (80, 24), (200, 60)
CARDS = ("servers", "drives", "hosts", "groups", "backfill", "cells")
"""What the product is for."""

CASES = [
    *((name, WIDE) for name in STORIES),
    ("schedules", CARD),
    ("time-travel", CARD),
    *((name, CARD) for name in CARDS),
]
LARGE_CASES = [(name, LARGE) for name in CARDS]
"""As text these are held by the goldens in every run."""


@pytest.fixture(autouse=True)
def steady_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_COLOR_SYSTEM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


def case(name: str, size: tuple[int, int]) -> ParameterSet:
    marks = [pytest.mark.thorough] if size == LARGE else []
    return pytest.param(name, size, marks=marks, id=f"{name}-{size[0]}x{size[1]}")


@pytest.mark.parametrize(("name", "size"), [case(*each) for each in (*CASES, *LARGE_CASES)])
def test_the_screen_is_as_it_was(
    name: str, size: tuple[int, int], demo: Path, tmp_path: Path, snap_compare: Callable[..., bool]
) -> None:
    app = DemoConsole(copied(demo, tmp_path / "data"))

    assert snap_compare(app, terminal_size=size, run_before=partial(play, story=STORIES[name]))


@pytest.mark.parametrize(("name", "size"), [("clouds", CARD), ("servers of all", WIDE)], ids=["choosing", "listed"])
def test_several_clouds_are_as_they_were(name: str, size: tuple[int, int], snap_compare: Callable[..., bool]) -> None:
    async def see(pilot: Pilot[Any]) -> None:
        await see_several(pilot, choice, clock, is_list=name != "clouds")

    clock, choice = ManualClock(), four_clouds()

    assert snap_compare(an_app_of(choice, clock), terminal_size=size, run_before=see)


@pytest.mark.parametrize("size", [WIDE, CARD], ids=["120x40", "80x24"])
def test_the_report_of_a_rehearsal_is_as_it_was(size: tuple[int, int], snap_compare: Callable[..., bool]) -> None:
    report = rehearse(scenario.read(shipped.find("host-lost-under-pair")))
    lines = tuple(ReportLine(*row) for row in report.rows())
    record = RehearsalRecord(report.scenario, report.lasts_seconds, "over", 1.0, True, lines=lines)
    app = an_app(FakeCloud(rehearsed=record), landing_view="rehearsal")

    async def shown(pilot: Pilot[Any]) -> None:
        await until(pilot, "all that was expected is so")

    assert snap_compare(app, terminal_size=size, run_before=shown)


def test_the_same_screen_in_ascii(demo: Path, tmp_path: Path, snap_compare: Callable[..., bool]) -> None:
    app = DemoConsole(copied(demo, tmp_path / "data"), is_ascii=True)

    assert snap_compare(app, terminal_size=CARD, run_before=partial(play, story=STORIES["backfill"]))


def test_the_same_screen_without_colour(
    demo: Path, tmp_path: Path, snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = DemoConsole(copied(demo, tmp_path / "data"))

    assert snap_compare(app, terminal_size=CARD, run_before=partial(play, story=STORIES["servers"]))


def test_the_same_screen_where_a_mistake_hurts(demo: Path, tmp_path: Path, snap_compare: Callable[..., bool]) -> None:
    app = DemoConsole(copied(demo, tmp_path / "data"), is_production=True)

    assert snap_compare(app, terminal_size=CARD, run_before=partial(play, story=STORIES["confirmation"]))
