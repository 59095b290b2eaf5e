"""The pictures in screenshots/ show what the console draws today.

Snapshots of the same stories at the same size are drawn anew by tests/console/test_snapshots.py. So one picture is
drawn here, and each is held against its snapshot.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.screenshots import FOLDER, PICTURES, README_PICTURE, SIZE, draw

SNAPSHOTS = Path(__file__).parent / "console" / "__snapshots__" / "test_snapshots"
MAKE_THEM = "run `python -m tests.screenshots` and look at it"


def kept(name: str) -> str:
    return (FOLDER / f"{name}.svg").read_text()


def test_a_picture_is_what_is_drawn(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_COLOR_SYSTEM"):
        monkeypatch.delenv(variable, raising=False)

    drawn = asyncio.run(draw(demo, README_PICTURE))

    assert drawn == kept(README_PICTURE), f"{README_PICTURE}.svg is not what is drawn: {MAKE_THEM}"


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_its_snapshot_with_a_title_of_its_own(name: str) -> None:
    snapshot = (SNAPSHOTS / f"test_the_screen_is_as_it_was[{name}-{SIZE[0]}x{SIZE[1]}].svg").read_text()

    assert bare(kept(name)) == bare(snapshot), f"{name}.svg is not what is drawn: {MAKE_THEM}"


def bare(svg: str) -> str:
    """Without the id that Textual draws by lot, and without the title."""
    found, titles = re.subn(r'(<text class="terminal-title"[^>]*>)[^<]*', r"\1", svg)
    assert titles == 1
    return re.sub(r"\bterminal-(\d+-)?", "terminal-", found)
