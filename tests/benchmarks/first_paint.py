"""From the command to the first painted frame, to data on the screen, and from the key to the end of the process.

Ours is the `stratodeck` command on a folder with the demo in it, from the second start on, with compiled files
present; the floor is the least that Textual can paint. Both run in a pseudo-terminal of 120 x 40, and a frame is
painted when the terminal has got it. The first start, which makes the demo, is measured by itself: nothing else does
that.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.measuring import Scale, interleaved, temporary_folder
from tests.benchmarks.programs import (
    MINIMAL_WORDS,
    OVERVIEW_WORDS,
    console,
    make_demo,
    minimal_app,
    quit_seconds,
)

FLOOR = "minimal Textual app"

FIGURES = {
    "first_frame": Figure("command to first frame", "ms", Budget(ratio_at_most=1.6), (FLOOR,), is_in_table=True),
    "data": Figure("command to data on screen", "ms", Budget(ratio_at_most=4.0), (FLOOR,), is_in_table=True),
    "quit": Figure("key to the end of the process", "ms", "nobody has asked for one", (FLOOR,)),
    "first_start_progress": Figure("first start: command to progress", "ms", Budget(at_most=1_000)),
    "first_start_data": Figure("first start: command to a whole demo", "s", Budget(at_most=10), is_in_table=True),
}


def run(scale: Scale) -> Iterator[Measured]:
    with temporary_folder() as folder:
        data = make_demo(folder / "demo")
        rounds = scale.of(11, 1)
        floor, ours = interleaved(rounds, _open_minimal_app, lambda: _open_console(data))
        painted, quit_floor = [each[0] for each in floor], [each[1] for each in floor]
        yield of_rounds("first_frame", [each[0] for each in ours], {FLOOR: painted})
        yield of_rounds("data", [each[1] for each in ours], {FLOOR: painted})
        yield of_rounds("quit", [each[2] for each in ours], {FLOOR: quit_floor})
        firsts = [_open_console_first(folder / "new") for _ in range(scale.of(3, 1))]
        yield of_rounds("first_start_progress", [each[0] for each in firsts], {})
        yield of_rounds("first_start_data", [each[1] / 1000 for each in firsts], {})


def _open_minimal_app() -> tuple[float, float]:
    """Milliseconds to the frame, and to the end."""
    began = time.perf_counter()
    with minimal_app() as on:
        on.wait(MINIMAL_WORDS)
        painted = on.read_at - began
        return 1000 * painted, 1000 * quit_seconds(on, "\x11")


def _open_console(data: Path) -> tuple[float, float, float]:
    """Milliseconds to the first frame, to data, and to the end."""
    began = time.perf_counter()
    with console("--data", data) as on:
        on.wait("overview")
        painted = on.read_at - began
        on.wait(*OVERVIEW_WORDS)
        shown = on.read_at - began
        return 1000 * painted, 1000 * shown, 1000 * quit_seconds(on, "q")


def _open_console_first(data: Path) -> tuple[float, float]:
    """Milliseconds to a word of what is being made, and to data, in a folder that does not exist."""
    began = time.perf_counter()
    with console("--data", data) as on:
        on.wait_until(lambda text: re.search(r": \d+%", text) is not None, "progress")
        told = on.read_at - began
        on.wait(*OVERVIEW_WORDS)
        shown = on.read_at - began
    shutil.rmtree(data)
    return 1000 * told, 1000 * shown
