"""The Azure Public Dataset V1 (2017): 669,435 servers over 9.2 days.

When each was asked for (in bins of 5 minutes), how long it lived, its vCPUs and memory, and the *tenant batch*, the
servers that one tenant started together. The file, its origin and its licence (CC-BY-4.0) are described in
`package_data/LICENSES.md`.

The trace does not say which servers would have been backfilling ones. `is_backfilling` labels whole tenant batches by
hashing, so a label depends on the seed, the batch and the share, never on the order of reading or on the machine.

The file is read as a stream: a window of two hours costs two hours' rows, and no more memory than one row.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from importlib.resources import files
from io import TextIOWrapper

from backend.cloud.model import GIB, VCPU_MHZ, Size
from backend.trace.workload import Arrival, Trace

NAME = "azure-2017"

BIN_SECONDS = 300
"""Arrivals are known to 5 minutes."""

HOURS_MAX = 220
"""The last server arrives 219.75 hours after the first."""

HOURS_DEFAULT = 2.0

COLUMNS = ("arrival_seconds", "lifetime_seconds", "vcpus", "memory_gib", "tenant_batch")


def arrivals(hours: float = HOURS_MAX, *, start_hours: float = 0) -> Iterator[Arrival]:
    """Those of a window, in the order of the trace. Instants count from the trace's beginning, not the window's."""
    first_seconds, end_seconds = start_hours * 3600, (start_hours + hours) * 3600
    packed = files("backend").joinpath("package_data", "azure_2017.csv.xz")
    with packed.open("rb") as raw, TextIOWrapper(lzma.LZMAFile(raw), encoding="ascii") as rows:
        assert rows.readline() == ",".join(COLUMNS) + "\n", "the packaged trace is not the one that this loader is for"
        for number, row in enumerate(rows):
            arrival, lifetime, vcpus, memory_gib, batch = row.rstrip("\n").split(",")
            at_seconds = int(arrival)
            if at_seconds >= end_seconds:
                return
            if at_seconds >= first_seconds:
                yield Arrival(
                    number=number,
                    at_seconds=at_seconds,
                    lifetime_seconds=int(lifetime) if lifetime else None,
                    vcpus=int(vcpus),
                    size=Size(int(vcpus) * VCPU_MHZ, int(float(memory_gib) * GIB)),
                    tenant_batch=int(batch),
                )


TRACE = Trace(NAME, NAME, HOURS_MAX, HOURS_DEFAULT, arrivals)
