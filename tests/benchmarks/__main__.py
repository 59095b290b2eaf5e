"""`python -m tests.benchmarks [NAME ...] [--json] [--write] [--from FILE] [--date DAY] [--tiny]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from tests.benchmarks import NAMES, report
from tests.benchmarks.figures import Figure, Measured, as_json
from tests.benchmarks.measuring import Scale, temporary_folder

MEASURED = Path(__file__).with_name("MEASURED.md")


class Benchmark(Protocol):
    """What a module of this package has."""

    FIGURES: Mapping[str, Figure]
    run: Callable[[Scale], Iterator[Measured]]


def benchmark(name: str) -> Benchmark:
    return cast(Benchmark, import_module(f"tests.benchmarks.{name}"))


def measured(name: str, scale: Scale) -> Iterator[dict[str, Any]]:
    """The figures of one benchmark as JSON, each as soon as it is there."""
    found = benchmark(name)
    for each in found.run(scale):
        yield as_json(name, found.FIGURES[each.key], each)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    for name in given.names:
        if name not in NAMES:
            parser.error(f"there is no benchmark {name!r}; there is {', '.join(NAMES)}")
    rows = json.loads(given.rows.read_text()) if given.rows else _measure(given)
    if given.json:
        print(json.dumps(rows, indent=1))
    if given.write:
        path = MEASURED
        text = path.read_text()
        if any(row["is_in_table"] for row in rows if row["benchmark"] != "rivals"):
            text = report.with_table(text, report.table(rows))
        if compared := report.rivals_table(rows):
            text = report.with_table(text, compared, (report.RIVALS_BEGIN, report.RIVALS_END))
        path.write_text(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure, against rivals.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}; all")
    parser.add_argument("--json", action="store_true", help="print a list of objects, one for each figure")
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"write the tables of {MEASURED.name}; measure all for it, or rivals alone for theirs",
    )
    parser.add_argument(
        "--from", dest="rows", type=Path, metavar="FILE", help="take what --json printed; measure nothing"
    )
    parser.add_argument("--date", default=date.today().isoformat(), metavar="DAY", help="what the table says; today")
    parser.add_argument("--tiny", action="store_true", help="only enough to see that it runs: the figures mean nothing")
    return parser


def _measure(given: argparse.Namespace) -> list[dict[str, Any]]:
    with temporary_folder() as folder:
        machine = report.machine(folder)
    say = _say if given.json else print
    say(report.machine_sentence(machine))
    rows = []
    for name in given.names or NAMES:
        say(f"\n{name}")
        for row in measured(name, Scale(is_tiny=given.tiny)):
            rows.append({**row, "date": given.date, "machine": machine})
            say("\n".join(report.lines(row)))
    return rows


def _say(text: str) -> None:
    """Beside the JSON, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
