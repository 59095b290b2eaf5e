"""The CPU of a cursor key, from the key to the last byte of its frame, at 120 x 40.

Each side is a process of its own, and the processes take turns. Our table by itself, with 100,000 rows, is put against
Textual's DataTable by itself, with 1,000: like against like. The whole console, which also draws the status row, the
preview and the keys, must keep the bound in milliseconds. *Moving* stays on the screen; *scrolling* draws all of it
anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from tests.backend.processes import Process
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.measuring import Scale, interleaved

STOCK = "DataTable, 1,000 rows"
THIRD = 0.333

_KINDS = {"moving": False, "scrolling": True}

FIGURES = {
    **{
        f"table_{kind}": Figure(
            f"cursor key, our table alone, 100,000 rows, {kind}",
            "ms CPU",
            Budget(at_most=12, ratio_at_most=THIRD),
            (STOCK,),
            is_in_table=True,
        )
        for kind in _KINDS
    },
    **{
        f"console_{rows}_{kind}": Figure(
            f"cursor key, whole console, {rows:,} rows, {kind}",
            "ms CPU",
            Budget(at_most=12),
            (STOCK,),
            is_in_table=rows == 100_000,
        )
        for rows in (1_000, 100_000)
        for kind in _KINDS
    },
}


def run(scale: Scale) -> Iterator[Measured]:
    large = scale.of(100_000, 2_000)
    with ExitStack() as stack:
        sides = {
            name: stack.enter_context(_started(program, rows))
            for name, program, rows in (
                ("table", "table", large),
                ("stock", "stock", 1_000),
                ("console_1000", "console", 1_000),
                ("console_100000", "console", large),
            )
        }
        for kind, scrolls in _KINDS.items():
            asks = [_ask(process, keys=scale.of(40, 10), scrolls=scrolls) for process in sides.values()]
            found = dict(zip(sides, interleaved(scale.of(7, 1), *asks), strict=True))
            stock = {STOCK: found.pop("stock")}
            for name, values in found.items():
                yield of_rounds(f"{name}_{kind}", values, stock)


def _started(program: str, rows: int) -> Process:
    process = Process(program, str(rows), module="tests.benchmarks.list_program")
    process.until("ready")
    return process


def _ask(process: Process, *, keys: int, scrolls: bool) -> Callable[[], float]:
    """Milliseconds of CPU a key."""

    def ask() -> float:
        assert process.popen.stdin is not None
        process.popen.stdin.write(json.dumps({"keys": keys, "scrolls": scrolls}).encode() + b"\n")
        process.popen.stdin.flush()
        return float(process.told()["cpu_ms"])

    return ask
