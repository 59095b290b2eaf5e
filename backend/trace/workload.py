"""What every trace is: servers that were asked for, in the order of time, and what they need at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from backend.cloud.model import VCPU_MHZ, Size


class TraceProblem(Exception):
    """There is no such trace, or it cannot be read. `str()` is a sentence."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One server that was asked for."""

    number: int
    """Its row in the trace, from 0."""
    at_seconds: int
    """After the beginning of the trace."""
    lifetime_seconds: int | None
    """None: it outlived the trace."""
    vcpus: int
    size: Size
    tenant_batch: int
    is_backfilling: bool | None = None
    """As the trace says; None where it does not, and `is_backfilling` labels the batch."""

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


@dataclass(frozen=True, slots=True)
class Trace:
    """A workload that a cloud can be driven from."""

    name: str
    """What it was asked for as: a known name, or the path of a file."""
    kind: str
    """What a cloud that it drives is made as."""
    hours_max: int
    """How much there is of it."""
    hours_default: float
    arrivals: Callable[[float], Iterator[Arrival]]
    """Those of the first so many hours, in the order of time. Raises TraceProblem."""
    has_label: bool = False
    """Whether it says itself which servers are backfilling ones."""
    hosts: Callable[[], list[tuple[str, Size]]] | None = None
    """The hosts that it really ran on; None where it does not say."""


def is_backfilling(tenant_batch: int, *, seed: int, share: float) -> bool:
    """Whether the servers of this batch are backfilling ones, in a cloud with about this share of such batches.

    With the same seed, a greater share only adds to those of a smaller one.
    """
    digest = hashlib.blake2b(f"{seed}/{tenant_batch}".encode("ascii"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def peak(servers: Iterable[Arrival]) -> Peak:
    """Of a window in the order of time; a server that ends in the instant in which another comes has left before."""
    living: list[tuple[int, int, int]] = []
    count = servers_now = cpu_now = memory_now = 0
    most = (0, 0, 0)
    for arrival in servers:
        while living and living[0][0] <= arrival.at_seconds:
            _, cpu_mhz, memory_bytes = heappop(living)
            servers_now, cpu_now, memory_now = servers_now - 1, cpu_now - cpu_mhz, memory_now - memory_bytes
        count += 1
        servers_now, cpu_now = servers_now + 1, cpu_now + arrival.size.cpu_mhz
        memory_now += arrival.size.memory_bytes
        if arrival.ends_at_seconds is not None:
            heappush(living, (arrival.ends_at_seconds, arrival.size.cpu_mhz, arrival.size.memory_bytes))
        most = (max(most[0], servers_now), max(most[1], cpu_now), max(most[2], memory_now))
    return Peak(count, most[0], -(-most[1] // VCPU_MHZ), most[2])
