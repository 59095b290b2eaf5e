"""From a key to its painted frame while the backend works as hard as it can, against the same while it rests.

A real console in a pseudo-terminal, on a backend in another process that replays a real workload through its operations
at full speed, so that the console also has thousands of changes to follow. The keys move the cursor in a list of
servers that stay, 40 to 90 ms apart as fingers do, and a frame is painted when the terminal shows the cursor elsewhere.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator

from tests.backend.processes import Process
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.fleets import make_fleet
from tests.benchmarks.measuring import Scale, interleaved, p99, quantile, temporary_folder
from tests.benchmarks.programs import console
from tests.benchmarks.replaying_backend import TOKEN
from tests.terminal import Terminal

RESTING = "backend rests"
SERVERS = 1_000
SPARE_HOSTS = 60
"""In each of four cells: what two hours of the workload need, and a little less than what it needs later."""
SETTLE_SECONDS = 1.0
CURSOR = re.compile(r"^▌.*?(\d{6})", re.MULTILINE)

FIGURES = {
    "p50": Figure("key to frame under full load, p50", "ms", "the budget is of the p99", (RESTING,)),
    "p99": Figure("key to frame under full load, p99", "ms", Budget(at_most=50), (RESTING,), is_in_table=True),
    "worst": Figure("key to frame under full load, the slowest", "ms", "the budget is of the p99", (RESTING,)),
}


def run(scale: Scale) -> Iterator[Measured]:
    keys = scale.of(100, 5)
    with temporary_folder() as folder:
        data = make_fleet(folder / "data", running=scale.of(SERVERS, 40), spare_hosts=SPARE_HOSTS)
        with Process(str(data), module="tests.benchmarks.replaying_backend") as backend:
            url = backend.until("ready")["url"]
            with console("--url", url, environment={"STRATODECK_TOKEN": TOKEN}) as on:
                on.type(":servers /server-\r")
                on.wait_until(lambda text: _cursor(text) is not None, "a list with a cursor")
                rates: list[float] = []
                loaded, resting = interleaved(
                    scale.of(7, 1),
                    lambda: _press_under_load(on, backend, keys, rates),
                    lambda: _press(on, keys),
                    warm_up_rounds=scale.of(1, 0),
                )
            backend.leave()
            backend.status()
    facts = {"decisions_per_second": quantile(rates, 0.5), "keys_a_round": keys}
    yield of_rounds(
        "p50", [quantile(each, 0.5) for each in loaded], {RESTING: [quantile(each, 0.5) for each in resting]}, **facts
    )
    yield of_rounds("p99", [p99(each) for each in loaded], {RESTING: [p99(each) for each in resting]}, **facts)
    yield of_rounds("worst", [max(each) for each in loaded], {RESTING: [max(each) for each in resting]}, **facts)


def _press_under_load(on: Terminal, backend: Process, keys: int, rates: list[float]) -> list[float]:
    _tell(backend, "go")
    on.watch(SETTLE_SECONDS)
    taken = _press(on, keys)
    _tell(backend, "rest")
    rates.append(backend.until("resting")["decisions_per_second"])
    on.watch(SETTLE_SECONDS)
    return taken


def _press(on: Terminal, keys: int) -> list[float]:
    """Milliseconds of each key."""
    chance = random.Random(keys)
    taken = []
    for number in range(keys):
        on.watch(chance.uniform(0.04, 0.09))
        before = _cursor(on.text)
        began = time.perf_counter()
        on.type("k" if number % 2 else "j")
        on.wait_until(lambda text: _cursor(text) not in (None, before), "the cursor elsewhere")  # noqa: B023
        taken.append(1000 * (on.read_at - began))
    return taken


def _cursor(text: str) -> str | None:
    """Which server the cursor is on."""
    found = CURSOR.search(text)
    return None if found is None else found[1]


def _tell(backend: Process, word: str) -> None:
    assert backend.popen.stdin is not None
    backend.popen.stdin.write(f"{word}\n".encode())
    backend.popen.stdin.flush()
