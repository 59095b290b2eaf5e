"""The pictures in screenshots/ show what the console draws today."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.screenshots import FOLDER, PICTURES, draw


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_what_is_drawn(name: str, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_COLOR_SYSTEM"):
        monkeypatch.delenv(variable, raising=False)

    drawn = asyncio.run(draw(demo, name))

    kept = (FOLDER / f"{name}.svg").read_text()
    assert drawn == kept, f"{name}.svg is not what is drawn: run `python -m tests.screenshots` and look at it"
