"""Who shares a host with whom, and how many hosts a group can lose. Observations: nothing here changes a placement.

**Source**: CloudSigma API 2.0, "Availability Groups and Avoid". `redundancy` is ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


def availability(ids_by_host: Mapping[str, Collection[str]]) -> list[list[str]]:
    """One list of ids per host that holds any. In order of ids, so that the order tells nothing of the hosts."""
    return sorted(sorted(ids) for ids in ids_by_host.values() if ids)


@dataclass(frozen=True, slots=True)
class Member:
    """A server of a group, as far as its redundancy goes."""

    id: str
    host: str | None
    """Where it is, or was when its cell last answered; None for one without a host."""
    is_known: bool = True
    """False when its cell does not answer."""
    is_up: bool = True
    """Whether it would serve now: it has a host and that host is up. Means nothing unless known."""


@dataclass(frozen=True, slots=True)
class Redundancy:
    """How well a group stands the loss of hosts."""

    members: int
    hosts: int
    """Hosts that hold a member, or held it when last known."""
    collisions: int
    """Members beyond the first on each host."""
    staying: int
    """Members that are known and up."""
    tolerates: int | None
    """The most hosts that can fail, whichever they are, with the needed members staying. None when nothing is known."""
    is_bound: bool
    """Some members are unknown and were counted as lost: the group tolerates at least as many."""
    is_met: bool
    """Whether the needed members are up now, before anything fails."""
    worst_case: tuple[str, ...]
    """The hosts whose loss hurts most, in order, up to the one that leaves too few."""


def redundancy(members: Sequence[Member], needs: int = 1) -> Redundancy:
    """How many hosts the group can lose and still have `needs` members up.

    The worst case is to lose the hosts with the most members first, so no other order needs to be tried. A group that
    has too few members already tolerates 0 and is not met.
    """
    held = Counter(member.host for member in members if member.host is not None)
    alive = Counter(member.host for member in members if member.is_known and member.is_up and member.host is not None)
    staying = left = alive.total()
    worst_case = []
    for host, count in sorted(alive.items(), key=lambda entry: (-entry[1], entry[0])):
        if left < needs:
            break
        worst_case.append(host)
        left -= count
    tolerated = len(worst_case) - (1 if worst_case and left < needs else 0)
    is_known = any(member.is_known for member in members)
    return Redundancy(
        members=len(members),
        hosts=len(held),
        collisions=held.total() - len(held),
        staying=staying,
        tolerates=tolerated if is_known else None,
        is_bound=is_known and not all(member.is_known for member in members),
        is_met=staying >= needs,
        worst_case=tuple(worst_case),
    )
