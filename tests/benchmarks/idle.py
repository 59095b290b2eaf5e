"""What an open console costs while nobody does anything: CPU of the console and of its backend, on the overview.

Twenty seconds with the demo in it, each second of which the console draws the ages of what is shown, and every other
one of which it asks for the status; the floor is the least Textual app, which has nothing to ask or to draw.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.measuring import Scale, cpu_seconds, interleaved, temporary_folder
from tests.benchmarks.programs import MINIMAL_WORDS, OVERVIEW_WORDS, backend_pid, console, make_demo, minimal_app
from tests.terminal import Terminal

FLOOR = "minimal Textual app"

FIGURES = {
    "console": Figure("idle console, overview", "% CPU", Budget(at_most=1), (FLOOR,), is_in_table=True),
    "backend": Figure("idle backend of it", "% CPU", "the budget is of the console", is_in_table=True),
}


def run(scale: Scale) -> Iterator[Measured]:
    seconds = scale.of(20.0, 0.5)
    with temporary_folder() as folder:
        data = make_demo(folder / "demo")
        ours, floor = interleaved(
            scale.of(3, 1), lambda: _idle_console(data, seconds), lambda: _idle_minimal_app(seconds), warm_up_rounds=0
        )
    yield of_rounds("console", [each[0] for each in ours], {FLOOR: [each[0] for each in floor]})
    yield of_rounds("backend", [each[1] for each in ours], {})


def _idle_console(data: Path, seconds: float) -> tuple[float, ...]:
    with console("--data", data) as on:
        on.wait(*OVERVIEW_WORDS)
        return _shares(on, seconds, on.process.pid, backend_pid(data))


def _idle_minimal_app(seconds: float) -> tuple[float, ...]:
    with minimal_app() as on:
        on.wait(MINIMAL_WORDS)
        return _shares(on, seconds, on.process.pid)


def _shares(on: Terminal, seconds: float, *pids: int) -> tuple[float, ...]:
    """Per cent of a core that each process takes, once what its start led to is over."""
    on.watch(seconds / 10)
    began = time.perf_counter()
    before = [cpu_seconds(pid) for pid in pids]
    on.watch(seconds)
    lasted = time.perf_counter() - began
    return tuple(100 * (cpu_seconds(pid) - used) / lasted for pid, used in zip(pids, before, strict=True))
