"""A real OpenStack as it is drawn, with a silent cell. After a change: look at the SVG, then accept it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.console.opened import Opened, a_nova
from tests.console.stories import type_line, until


@pytest.fixture(autouse=True)
def steady_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_COLOR_SYSTEM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


async def with_a_silent_cell(pilot: Pilot[Any], opened: Opened, view: str) -> None:
    await until(pilot, "run 3", "web", "6/30")
    opened.nova.silent.add("two")
    opened.timer.pass_by(10)
    await until(pilot, "1 of 1 zone degraded", "UNKNOWN 2", "9/30")
    if view != "overview":
        await type_line(pilot, f":{view}")
        await pilot.press("enter")
        await until(pilot, "part since", "Nova tells no client")


@pytest.mark.parametrize(("view", "size"), [("overview", (120, 30)), ("cells", (80, 24))])
def test_the_screen_is_as_it_was(view: str, size: tuple[int, int], snap_compare: Callable[..., bool]) -> None:
    opened = Opened(a_nova())
    story = partial(with_a_silent_cell, opened=opened, view=view)

    assert snap_compare(opened.app, terminal_size=size, run_before=story)
