"""Alibaba's "openb" trace: a cluster of 1,523 hosts that ran machine learning, and 8,152 pods asked of it in 149 days.

The files, their origin and their licence (Apache-2.0) are described in `package_data/LICENSES.md`.

What is known
    hosts       CPU in thousandths of a core and memory in MiB, as they are: 8 to 128 cores, 32 GiB to 1 TiB. One core
                is one vCPU, which is 2,000 MHz.
    pods        CPU and memory asked for, and when each was asked for, scheduled and deleted, in seconds from the first.
    the label   the class of service. `BE` (best effort: 3,398 pods) is what backfilling means, and is taken for it;
                `LS` (latency-sensitive), `Burstable` and `Guaranteed` are normal servers.

What is not, and what is made of it
    GPUs        are what this cluster is for and what it ran short of. They are ignored: in CPU and memory the whole
                trace is never more than 1 % of these hosts. A smaller fleet of one's own makes it a contest.
    the wait    A pod lives as long as it did once it was scheduled, counted from when it was asked for. 897 pods never
                were scheduled, for want of a GPU most likely: they live as long as they were waited for.
    the end     34 pods were alive when the trace ends: they outlive it.
    the tenant  is not told: each pod is a batch of its own.
    one pod     asks for no memory: it gets as much as the smallest server has.
    the pace    26 pods come in the first 115 days (2,760 hours), all others in the last 35. So the usual window is the
                first 120 days, with five busy ones at their end.
"""

from __future__ import annotations

import csv
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from io import TextIOWrapper

from backend.cloud.model import MIB, SMALLEST_SERVER, VCPU_MHZ, Size
from backend.trace.workload import Arrival, Trace

NAME = "alibaba-openb"
BEST_EFFORT = "BE"

END_SECONDS = 12_902_960
"""When the trace ends: what was alive then has this as its deletion."""

HOURS_MAX = 3585
HOURS_DEFAULT = 2880.0


@contextmanager
def _rows(file: str) -> Iterator[Iterator[dict[str, str]]]:
    packed = files("backend").joinpath("package_data", file)
    with packed.open("rb") as raw, TextIOWrapper(lzma.LZMAFile(raw), encoding="ascii", newline="") as text:
        yield csv.DictReader(text)


def _size(row: dict[str, str]) -> Size:
    return Size(int(row["cpu_milli"]) * VCPU_MHZ // 1000, int(row["memory_mib"]) * MIB)


def hosts() -> list[tuple[str, Size]]:
    """Each host's name and size, by name."""
    with _rows("openb_node_list_all_node.csv.xz") as rows:
        return [(row["sn"], _size(row)) for row in rows]


def arrivals(hours: float = HOURS_MAX) -> Iterator[Arrival]:
    """The pods of the first hours, in the order of time."""
    with _rows("openb_pod_list_default.csv.xz") as rows:
        for number, row in enumerate(rows):
            asked, deleted = int(row["creation_time"]), int(row["deletion_time"])
            if asked >= hours * 3600:
                return
            size = _size(row)
            yield Arrival(
                number=number,
                at_seconds=asked,
                lifetime_seconds=deleted - int(row["scheduled_time"] or asked) if deleted < END_SECONDS else None,
                vcpus=-(-size.cpu_mhz // VCPU_MHZ),
                size=Size(size.cpu_mhz, max(size.memory_bytes, SMALLEST_SERVER.memory_bytes)),
                tenant_batch=number,
                is_backfilling=row["qos"] == BEST_EFFORT,
            )


TRACE = Trace(NAME, NAME, HOURS_MAX, HOURS_DEFAULT, arrivals, has_label=True, hosts=hosts)
