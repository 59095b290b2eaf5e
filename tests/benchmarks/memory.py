"""What the processes hold of the machine's memory: a console that mirrors 100,000 servers, and the backends of clouds.

The console is opened on a backend in another process and measured when it has all the rows, in the list of them. The
backend of the demo is measured with a console on it; that of 100,000 servers after the console has read all of them.
The floors are the least Textual app, and the least ASGI app on the same server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from backend.folder import OPERATOR
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.fleets import make_fleet
from tests.benchmarks.list_page import bare_endpoint
from tests.benchmarks.measuring import Scale, interleaved, memory_bytes, temporary_folder
from tests.benchmarks.programs import MINIMAL_WORDS, OVERVIEW_WORDS, backend_pid, console, make_demo, minimal_app
from tests.served import served

TEXTUAL, BARE = "minimal Textual app", "bare ASGI"
MB = 1_000_000
SERVERS = 100_000

_BACKEND = Budget(at_most=300)

FIGURES = {
    "console_100000": Figure("console with 100,000 servers", "MB", Budget(at_most=120), (TEXTUAL,), is_in_table=True),
    "console_demo": Figure("console with the demo", "MB", "the budget is of 100,000 servers", (TEXTUAL,)),
    "backend_demo": Figure("backend with the demo", "MB", _BACKEND, (BARE,)),
    "backend_100000": Figure("backend with 100,000 servers", "MB", _BACKEND, (BARE,), is_in_table=True),
}


def run(scale: Scale) -> Iterator[Measured]:
    count = scale.of(SERVERS, 200)
    rounds = scale.of(3, 1)
    with temporary_folder() as folder:
        demo = make_demo(folder / "demo")
        with_demo, textual, bare = interleaved(
            rounds, lambda: _with_demo(demo), _minimal_app, lambda: _bare_endpoint(folder), warm_up_rounds=0
        )
        floor = {TEXTUAL: [each[0] for each in textual]}
        bare_floor = {BARE: [each[0] for each in bare]}
        yield of_rounds("console_demo", [each[0] for each in with_demo], floor)
        yield of_rounds("backend_demo", [each[1] for each in with_demo], bare_floor)
        fleet = make_fleet(folder / "fleet", running=count)
        (large,) = interleaved(rounds, lambda: _with_fleet(fleet, count), warm_up_rounds=0)
        yield of_rounds("console_100000", [each[0] for each in large], floor)
        yield of_rounds("backend_100000", [each[1] for each in large], bare_floor)


def _with_demo(data: Path) -> tuple[float, ...]:
    """Megabytes of the console and of its backend."""
    with console("--data", data) as on:
        on.wait(*OVERVIEW_WORDS)
        on.watch(1.0)
        return _megabytes(on.process.pid, backend_pid(data))


def _minimal_app() -> tuple[float, ...]:
    with minimal_app() as on:
        on.wait(MINIMAL_WORDS)
        return _megabytes(on.process.pid)


def _bare_endpoint(folder: Path) -> tuple[float, ...]:
    file = folder / "body"
    file.write_bytes(b"{}")
    with bare_endpoint(file) as (_, pid):
        return _megabytes(pid)


def _with_fleet(data: Path, count: int) -> tuple[float, ...]:
    with served(data) as cloud:
        environment = {"STRATODECK_TOKEN": cloud.secret(OPERATOR, "token")}
        with console("--url", cloud.url, environment=environment) as on:
            on.type(":servers\r")
            all_rows = re.compile(rf"sort state +{count:,}$", re.MULTILINE)
            on.wait_until(lambda text: all_rows.search(text) is not None, "every row", seconds=120)
            on.watch(3.0)
            return _megabytes(on.process.pid, cloud.process.pid)


def _megabytes(*pids: int) -> tuple[float, ...]:
    return tuple(memory_bytes(pid) / MB for pid in pids)
