"""What became of an avoid list: which entries share a host with what was placed, and why they could not be avoided.

The decision is that of `placement`; nothing is decided here. A host that holds an avoided entry is chosen only where no
host that would have been better has room, so there are two reasons: no other host has room at all, or those that have
hold something that stands before it in the list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from backend.cloud.model import Size
from backend.cloud.placement import Ranks, Refusal, count_refusals

Reason = Literal["no_room", "held"]


@dataclass(frozen=True, slots=True)
class Sharing:
    """Why something is on a host that holds entries of its avoid list."""

    host: str
    reason: Reason
    """`no_room`: no other host has room. `held`: those that have hold an entry that is preferred to be avoided."""
    refused: tuple[tuple[str, int], ...]
    """Of the hosts without room, how many for which reason, most first."""
    nearest: Refusal | None
    """Of those that hold nothing of the list and are only too small, the one that lacks least."""


def sharing_of(
    host: str,
    *,
    has_rival: bool,
    refusals: Iterable[Refusal],
    ranks: Mapping[str, Ranks],
    size: Size | None = None,
) -> Sharing:
    """Why `host` was chosen though it holds avoided entries.

    Args:
        host: The chosen one.
        has_rival: Whether another host has room.
        refusals: The hosts without room.
        ranks: Which places of the avoid list are on each host.
        size: Of a server: what is lacking is compared by its share of this. None for a drive.
    """
    refused = list(refusals)
    return Sharing(
        host,
        "held" if has_rival else "no_room",
        tuple(count_refusals(refused)),
        nearest((refusal for refusal in refused if not ranks.get(refusal.host)), size),
    )


def nearest(refusals: Iterable[Refusal], size: Size | None = None) -> Refusal | None:
    """The refused host that lacks the least; of equals the first name. None where all of them are not up."""

    def lacking(refusal: Refusal) -> tuple[Fraction, Fraction, int, str]:
        cpu = memory = Fraction(0)
        if size is not None:
            cpu = Fraction(refusal.short.cpu_mhz, size.cpu_mhz)
            memory = Fraction(refusal.short.memory_bytes, size.memory_bytes)
        return max(cpu, memory), cpu + memory, refusal.short_storage_bytes, refusal.host

    short = [refusal for refusal in refusals if refusal.reason not in ("down", "maintenance")]
    return min(short, key=lacking, default=None)
