"""Making room for normal servers on a cloud that is full of backfilling ones, and proving each decision afterwards.

The case that kubernetes#108308 dropped: 5,000 hosts of 4 cores in four cells, 20,000 backfilling servers of 0.9 cores
on them, and 5,000 normal ones of 3 cores that are started one at a time. Every decision goes through the operations, is
committed durably with its certificate before the next one, and is the best there is: at floors 1, 0.5 and 0.25 of the
backfilling servers' size exactly 15,000, 10,000 and none of them have to stop.

The seconds are those of all decisions and of all that follows from them: notices, the grace, the stops, the starts.
Making the cloud is a process of its own, and so is each floor's run: its peak of memory is its own. Then every
certificate is checked against the log that it is of, and after that the whole folder with every invariant of it. What
others would decide is measured in `rivals`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend import check as checking
from backend.certificate_checker import CertificateChecker
from backend.decision_checker import Rules
from backend.event_log import CellLog, Event
from backend.store import look
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.measuring import ROOT, Scale, fsync_seconds, temporary_folder

STOPS_OF_EACH = {1.0: 3, 0.5: 2, 0.25: 0}
"""By floor: how many have to stop for each normal server."""


def _figure(floor: float) -> Figure:
    what = f"5,000 servers that need room, one durable decision each, floor {floor:g}"
    return Figure(what, "s", Budget(at_most=10), is_in_table=True, shows_facts=True)


FIGURES = {f"floor_{floor:g}": _figure(floor) for floor in STOPS_OF_EACH}


def run(scale: Scale) -> Iterator[Measured]:
    for floor, stops_of_each in STOPS_OF_EACH.items():
        with temporary_folder() as folder:
            found = _started(folder / "data", floor, scale.of(1.0, 0.008))
            assert found["stops"] == stops_of_each * found["servers"], f"{found['stops']:,} servers had to stop"
            certificates, certificates_seconds = _certificates_checked(folder / "data")
            assert certificates == found["servers"], f"{certificates:,} certificates"
            began = time.perf_counter()
            report = checking.check(folder / "data")
            folder_seconds = time.perf_counter() - began
            assert report.breach is None, report.breach
            assert report.certificates == found["servers"], f"{report.certificates:,} certificates"
            yield of_rounds(
                f"floor_{floor:g}",
                [found["seconds"]],
                {},
                floor=floor,
                stops=found["stops"],
                shrinks=found["shrinks"],
                seconds=round(found["seconds"], 3),
                deciding_seconds=round(found["deciding_seconds"], 3),
                stopping_seconds=round(found["stopping_seconds"], 3),
                peak_rss_mib=round(found["peak_rss_mib"], 1),
                fsync_ms=round(1000 * statistics.median(fsync_seconds(folder)), 3),
                certificates=report.certificates,
                certificates_checked_seconds=round(certificates_seconds, 3),
                folder_checked_seconds=round(folder_seconds, 3),
            )


def _certificates_checked(path: Path) -> tuple[int, float]:
    """How many certificates the logs of a folder hold, and the seconds that it took to read and prove them all."""
    checked = 0
    began = time.perf_counter()
    with look(path) as seen:
        rules = Rules.of(seen.cloud.settings())
        for cell in seen.cloud.cells():
            log = CellLog()
            checker = CertificateChecker(log, rules)
            for row in seen.cell(cell.name).event_rows():
                event = Event.of(row)
                checker.look(event)
                log.take(event)
            checker.end()
            checked += checker.checked
    return checked, time.perf_counter() - began


def _started(path: Path, floor: float, share: float) -> dict[str, Any]:
    normal = _run("make", str(path), str(floor), str(share))
    found: dict[str, Any] = json.loads(_run("start", str(path), given=normal))
    return found


def _run(*arguments: str, given: str = "") -> str:
    command = [sys.executable, "-m", "tests.benchmarks.preempting", *arguments]
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
