"""What else one does in a list of 100,000 servers: the CPU of a page, a sort, a filter's sign and a tick of the feed.

The whole console, with 100,000 rows in its mirror, against Textual's DataTable by itself, with 1,000; each is a process
of its own, and the processes take turns. A tick is a hundred servers that have changed, some of those in sight among
them. The table sorts its rows; to filter it is emptied and filled anew, which is what it offers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from tests.backend.processes import Process
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.measuring import Scale, interleaved

STOCK = "DataTable, 1,000 rows"
WORKS = {
    "page": "a page down or up",
    "sort": "the other order",
    "filter": "a sign of a filter",
    "tick": "100 changed servers from the feed",
}
PIECES = 6

FIGURES = {
    work: Figure(
        f"{what}, whole console, 100,000 rows",
        "ms CPU",
        Budget(ratio_at_most=1.0) if work in ("filter", "page") else "nobody has asked for one",
        (STOCK,),
        is_in_table=True,
    )
    for work, what in WORKS.items()
}


def run(scale: Scale) -> Iterator[Measured]:
    with ExitStack() as stack:
        ours = stack.enter_context(_started("console", scale.of(100_000, 2_000)))
        stock = stack.enter_context(_started("stock", scale.of(1_000, 200)))
        for work in WORKS:
            asks = [_ask(process, work, scale.of(PIECES, 2)) for process in (ours, stock)]
            found, floor = interleaved(scale.of(5, 1), *asks)
            yield of_rounds(work, found, {STOCK: floor})


def _started(program: str, rows: int) -> Process:
    process = Process(program, str(rows), module="tests.benchmarks.list_program")
    process.until("ready")
    return process


def _ask(process: Process, work: str, times: int) -> Callable[[], float]:
    """Milliseconds of CPU a piece."""

    def ask() -> float:
        assert process.popen.stdin is not None
        process.popen.stdin.write(json.dumps({"work": work, "times": times}).encode() + b"\n")
        process.popen.stdin.flush()
        return float(process.told()["cpu_ms"])

    return ask
