"""Real workloads: who asked for which server when.

workload        what every trace is: arrivals, their peak, and the label that we give where a trace has none
azure_2017      669,435 servers over 9.2 days, with the batches that tenants started together
alibaba_openb   8,152 pods over 149 days on 1,523 hosts, with a best-effort label of its own
own_csv         a file of one's own, in the form of the first
"""

import os
from pathlib import Path

from backend.quoting import shown
from backend.trace import alibaba_openb, azure_2017, own_csv
from backend.trace.azure_2017 import BIN_SECONDS, HOURS_MAX, arrivals
from backend.trace.workload import Arrival, Peak, Trace, TraceProblem, is_backfilling, peak

AZURE_2017 = azure_2017.NAME
ALIBABA_OPENB = alibaba_openb.NAME

KNOWN = {known.name: known for known in (azure_2017.TRACE, alibaba_openb.TRACE)}
NAMES = tuple(KNOWN)
"""The traces that come with the program."""


def find(name: str) -> Trace:
    """A known trace, or that of a CSV file, which is read whole. Raises TraceProblem."""
    if name in KNOWN:
        return KNOWN[name]
    path = Path.cwd() / name
    if not os.path.exists(path) and path.suffix != ".csv":
        raise TraceProblem(f"There is no trace {shown(name)}; there is {', '.join(NAMES)}, or the path of a CSV file.")
    return own_csv.load(path)


__all__ = [
    "ALIBABA_OPENB",
    "AZURE_2017",
    "BIN_SECONDS",
    "HOURS_MAX",
    "KNOWN",
    "NAMES",
    "Arrival",
    "Peak",
    "Trace",
    "TraceProblem",
    "arrivals",
    "find",
    "is_backfilling",
    "peak",
]
