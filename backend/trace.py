"""A real workload: who asked for which server when, from the Azure Public Dataset V1 (2017).

669,435 servers over 9.2 days: when each was asked for (in bins of 5 minutes), how long it lived, its vCPUs and memory,
and the *tenant batch*, the servers that one tenant started together. The file, its origin and its licence (CC-BY-4.0)
are described in `package_data/LICENSES.md`.

The trace does not say which servers would have been backfilling ones. `is_backfilling` labels whole tenant batches by
hashing, so a label depends on the seed, the batch and the share, never on the order of reading or on the machine.

The file is read as a stream: a window of two hours costs two hours' rows, and no more memory than one row.
"""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from importlib.resources import files
from io import TextIOWrapper

from backend.cloud.model import GIB, VCPU_MHZ, Size

AZURE_2017 = "azure-2017"
NAMES = (AZURE_2017,)
"""The traces that there are."""

BIN_SECONDS = 300
"""Arrivals are known to 5 minutes."""

HOURS_MAX = 220
"""The last server arrives 219.75 hours after the first."""

_HEAD = "arrival_seconds,lifetime_seconds,vcpus,memory_gib,tenant_batch\n"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One server that was asked for."""

    number: int
    """Its row in the trace, from 0."""
    at_seconds: int
    """After the beginning of the trace; a multiple of 300."""
    lifetime_seconds: int | None
    """None: it outlived the trace."""
    vcpus: int
    size: Size
    tenant_batch: int

    @property
    def ends_at_seconds(self) -> int | None:
        return None if self.lifetime_seconds is None else self.at_seconds + self.lifetime_seconds


@dataclass(frozen=True, slots=True)
class Peak:
    """The most that lived at once, each dimension at its own time."""

    arrivals: int
    servers: int
    vcpus: int
    memory_bytes: int


def arrivals(hours: float = HOURS_MAX, *, start_hours: float = 0) -> Iterator[Arrival]:
    """Those of a window, in the order of the trace. Instants count from the trace's beginning, not the window's."""
    first_seconds, end_seconds = start_hours * 3600, (start_hours + hours) * 3600
    packed = files("backend").joinpath("package_data", "azure_2017.csv.xz")
    with packed.open("rb") as raw, TextIOWrapper(lzma.LZMAFile(raw), encoding="ascii") as rows:
        assert rows.readline() == _HEAD, "the packaged trace is not the one that this loader is for"
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


def is_backfilling(tenant_batch: int, *, seed: int, share: float) -> bool:
    """Whether the servers of this batch are backfilling ones, in a cloud with about this share of such batches.

    With the same seed, a greater share only adds to those of a smaller one.
    """
    digest = hashlib.blake2b(f"{seed}/{tenant_batch}".encode("ascii"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def peak(servers: Iterable[Arrival]) -> Peak:
    """Of a window in the order of time; a server that ends in the instant in which another comes has left before."""
    living: list[tuple[int, int, int]] = []
    count = servers_now = vcpus_now = memory_now = 0
    most = (0, 0, 0)
    for arrival in servers:
        while living and living[0][0] <= arrival.at_seconds:
            _, vcpus, memory_bytes = heappop(living)
            servers_now, vcpus_now, memory_now = servers_now - 1, vcpus_now - vcpus, memory_now - memory_bytes
        count += 1
        servers_now, vcpus_now = servers_now + 1, vcpus_now + arrival.vcpus
        memory_now += arrival.size.memory_bytes
        if arrival.ends_at_seconds is not None:
            heappush(living, (arrival.ends_at_seconds, arrival.vcpus, arrival.size.memory_bytes))
        most = (max(most[0], servers_now), max(most[1], vcpus_now), max(most[2], memory_now))
    return Peak(count, *most)
