"""`python -m tests.screenshots`: draws the pictures in screenshots/ from the demo cloud at one instant.

The SVGs are compared by `tests/test_screenshots.py`; the README's PNG is made of one of them and is not, because its
pixels depend on the machine's fonts.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path

from tests.demo import STORIES, DemoConsole, copied, make_demo, play

FOLDER = Path(__file__).parent.parent / "screenshots"
PICTURES = (
    "overview", "cells", "servers", "drives", "hosts", "groups", "capacity", "what-if", "backfill", "why", "actions",
    "confirmation", "audit", "schedules", "calendar", "billing", "past",
)  # fmt: skip
SIZE = (120, 40)
README_PICTURE = "overview"


async def draw(demo: Path, name: str) -> str:
    """One screen as SVG, without the id that Textual draws by lot."""
    with tempfile.TemporaryDirectory() as folder:
        app = DemoConsole(copied(demo, Path(folder) / "data"))
        async with app.run_test(size=SIZE) as pilot:
            await play(pilot, STORIES[name])
            svg = app.export_screenshot(title=f"stratodeck: {name}", simplify=True)
    return re.sub(r"\bterminal-\d+-", "terminal-", svg)


def draw_all() -> dict[str, str]:
    """Every picture by its name."""
    os.environ["TEXTUAL_ANIMATIONS"] = "none"
    with tempfile.TemporaryDirectory() as folder:
        demo = make_demo(Path(folder) / "demo")
        return {name: asyncio.run(draw(demo, name)) for name in PICTURES}


def main() -> None:
    import resvg_py

    FOLDER.mkdir(exist_ok=True)
    for name, svg in draw_all().items():
        (FOLDER / f"{name}.svg").write_text(svg)
        if name == README_PICTURE:
            png = resvg_py.svg_to_bytes(svg_string=svg, monospace_family="DejaVu Sans Mono")
            (FOLDER / f"{name}.png").write_bytes(bytes(png))
        print(f"{name}.svg")


if __name__ == "__main__":
    main()
