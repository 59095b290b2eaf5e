"""Which host: one lexicographic key over every host that is up and has room, and why each other one is refused.

    1. avoid        the avoided entries on the host, left to right: none is best, then the first one furthest right
    2. disruption   backfilling servers stopped, work lost, CPU stopped, then how many shrink
    3. room         most (spread) or least (pack): CPU, then memory
    4. name

Avoiding is best effort and never fails a request; it comes before disruption, so keeping servers apart may cost a stop.
Hosts are weighed in tiers, because a host where nobody shrinks always beats one where somebody does, and that one
always beats a host where somebody stops: the search for a stop set runs only where it can decide something. `index`
finds the best host of a whole cell by this rule; what is here looks at the hosts that it is given.

**Source**: CloudSigma API 2.0, "Availability Groups and Avoid", general notes; "Backfilling" for who gives way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from backend.cloud.backfill import (
    NO_STOPS,
    HostLoad,
    StopPlan,
    count_shrunk,
    fits_by_shrinking,
    fits_empty,
    fits_without_shrinking,
    free_for_backfilling,
    least_cost,
    room_for_backfilling,
    stop_set,
)
from backend.cloud.model import NOTHING, Host, HostState, Size

Policy = Literal["spread", "pack"]
"""Spread asks for performance; pack keeps large holes free, and stops a quarter more."""

Ranks = tuple[int, ...]
"""Places in the avoid list, from 0, of what is on a host: ascending."""

DecidedBy = Literal["only", "avoid", "source", "disruption", "room", "name"]
Reason = Literal["down", "maintenance", "cpu", "memory", "cpu and memory", "storage"]

SENTENCES: Mapping[Reason, str] = {
    "down": "down",
    "maintenance": "in maintenance",
    "cpu": "short of CPU",
    "memory": "short of memory",
    "cpu and memory": "short of CPU and memory",
    "storage": "short of storage",
}


@dataclass(frozen=True, slots=True)
class StorageLoad:
    """A storage host with what its drives take."""

    host: Host
    used_bytes: int
    drives: frozenset[str]

    @property
    def free_bytes(self) -> int:
        return self.host.storage_bytes - self.used_bytes


@dataclass(frozen=True, slots=True)
class Request:
    """A server that wants a host."""

    size: Size
    is_backfilling: bool
    avoid: tuple[str, ...] = ()
    """Ids in order of preference. Unknown ones have no effect."""
    server_id: str | None = None
    """Its own id: to avoid oneself has no effect."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a host was not considered."""

    host: str
    reason: Reason
    short: Size = NOTHING
    """How much more would have been enough; nothing for a host that is not up."""
    short_storage_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host with room, and all that the decision weighs. Candidates compare by `key`."""

    host: str
    ranks: Ranks
    plan: StopPlan
    shrunk: int
    room: Size
    """Committed, before the placement, with everybody at full size; negative while some are shrunk."""
    key: tuple[Ranks, tuple[int, ...], tuple[int, int], str]


@dataclass(frozen=True, slots=True)
class Placement:
    """The decision of a host."""

    chosen: Candidate
    runner_up: Candidate | None
    decided_by: DecidedBy
    """The first part of the key in which the chosen host beats the next."""
    avoided: tuple[str, ...] = ()
    """The ids of the avoid list that could not be avoided."""


@dataclass(frozen=True, slots=True)
class DriveCandidate:
    """A storage host with room."""

    host: str
    ranks: Ranks
    room_bytes: int
    key: tuple[Ranks, bool, int, str]


@dataclass(frozen=True, slots=True)
class DrivePlacement:
    """The decision of a storage host."""

    chosen: DriveCandidate
    runner_up: DriveCandidate | None
    decided_by: DecidedBy
    refusals: tuple[Refusal, ...] = ()

    @property
    def host(self) -> str:
        return self.chosen.host

    @property
    def ranks(self) -> Ranks:
        """The avoided ranks that share the host."""
        return self.chosen.ranks


@dataclass(frozen=True, slots=True)
class NoValidHost:
    """No host is up and has room. A value: whoever asked decides what it means."""

    refusals: tuple[Refusal, ...] = field(default=())

    def counted(self) -> list[tuple[str, int]]:
        """Each reason as words, with how many hosts were refused for it, most first."""
        return count_refusals(self.refusals)


def count_refusals(refusals: Iterable[Refusal]) -> list[tuple[str, int]]:
    """Each reason as words, with how many hosts were refused for it, most first: `("short of CPU", 11)`."""
    counts = Counter(SENTENCES[refusal.reason] for refusal in refusals)
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))


# --- Avoid --------------------------------------------------------------------------------------


def avoided_ranks(avoid: Sequence[str], hosts_of: Mapping[str, str | Collection[str]]) -> dict[str, Ranks]:
    """Per host, the places in the avoid list of what is on it; hosts that hold none are left out.

    An id that is listed twice counts at its first place. One without a host has no effect, but what follows it keeps
    its place. An id may stand for things on several hosts, as a server's does for its drives.
    """
    if not avoid:
        return {}
    ranks: dict[str, list[int]] = {}
    seen: set[str] = set()
    for rank, id in enumerate(avoid):
        if id in seen:
            continue
        seen.add(id)
        hosts = hosts_of.get(id, ())
        for host in {hosts} if isinstance(hosts, str) else set(hosts):
            ranks.setdefault(host, []).append(rank)
    return {host: tuple(places) for host, places in sorted(ranks.items())}


def avoid_key(ranks: Ranks) -> Ranks:
    """Orders hosts by what they hold of the avoid list: none, then the first held entry furthest right, and so on.

    Where three hosts hold one avoided server each, the last of the list is joined.
    **Source**: CloudSigma API 2.0, "General Notes on Avoid Functionality".
    """
    return tuple([-rank for rank in ranks]) if ranks else ()


# --- Servers ------------------------------------------------------------------------------------


def placement_of(request: Request, best: Sequence[Candidate]) -> Placement | NoValidHost:
    """The decision between the best hosts, best first."""
    if not best:
        return NoValidHost()
    chosen = best[0]
    runner_up = best[1] if len(best) > 1 else None
    return Placement(
        chosen=chosen,
        runner_up=runner_up,
        decided_by=_decided_by(chosen.key, None if runner_up is None else runner_up.key),
        avoided=tuple([request.avoid[rank] for rank in chosen.ranks]),
    )


def refusal_of(request: Request, load: HostLoad, start_level_permille: int) -> Refusal | None:
    """Why the host has no room for the server; None where it has."""
    if load.host.state is not HostState.UP:
        return _not_up(load.host)
    if not request.is_backfilling:
        return None if fits_empty(load, request.size) else _short(load.host.name, request.size - load.left)
    free = free_for_backfilling(load, start_level_permille=start_level_permille)
    if request.size.fits_in(free):
        return None
    room = room_for_backfilling(load, start_level_permille=start_level_permille)
    # A host with too little of one dimension offers nothing of the other; only what is missing is named.
    return _short(load.host.name, request.size - (free if request.size.fits_in(room) else room))


def _not_up(host: Host) -> Refusal:
    return Refusal(host.name, "down" if host.state is HostState.DOWN else "maintenance")


def _short(host: str, short: Size) -> Refusal:
    short = Size(max(0, short.cpu_mhz), max(0, short.memory_bytes))
    if not short.memory_bytes:
        return Refusal(host, "cpu", short)
    return Refusal(host, "cpu and memory" if short.cpu_mhz else "memory", short)


def candidate_of(load: HostLoad, plan: StopPlan, shrunk: int, ranks: Ranks, policy: Policy) -> Candidate:
    key = (avoid_key(ranks), (*plan.cost, shrunk), room_key(load, policy), load.host.name)
    return Candidate(load.host.name, ranks, plan, shrunk, load.room, key)


def room_key(load: HostLoad, policy: Policy) -> tuple[int, int]:
    """Orders hosts by their room as the policy likes it best."""
    room = load.room
    return (-room.cpu_mhz, -room.memory_bytes) if policy == "spread" else (room.cpu_mhz, room.memory_bytes)


def best_two(
    request: Request, loads: Sequence[HostLoad], ranks: Ranks, now: datetime, policy: Policy
) -> list[Candidate]:
    """The best two of some hosts of one avoid class, best first; all of them have room.

    In tiers: a host further down is weighed only when fewer than two were found above it.
    """

    def candidate(load: HostLoad, plan: StopPlan, shrunk: int) -> Candidate:
        return candidate_of(load, plan, shrunk, ranks, policy)

    size = request.size
    undisturbed = [load for load in loads if request.is_backfilling or fits_without_shrinking(load, size)]
    best = sorted((candidate(load, NO_STOPS, 0) for load in undisturbed), key=_key)[:2]
    if len(best) > 1 or request.is_backfilling:
        return best
    shrinking = [load for load in loads if not fits_without_shrinking(load, size) and fits_by_shrinking(load, size)]
    best += sorted((candidate(load, NO_STOPS, count_shrunk(load, size)) for load in shrinking), key=_key)
    if len(best) > 1:
        return best[:2]
    stopping = sorted(
        (
            (least_cost(load, size, now=now), load.host.name, load)
            for load in loads
            if not fits_by_shrinking(load, size)
        ),
        key=lambda entry: entry[:2],
    )
    # Most promising first, until what is left cannot come second.
    for bound, _, load in stopping:
        if len(best) > 1 and bound > best[1].plan.cost[:2]:
            break
        plan = stop_set(load, size, now=now)
        assert plan is not None, "hosts without room were refused"
        best = sorted([*best, candidate(load, plan, count_shrunk(load, size, plan.stops))], key=_key)[:2]
    return best


def _key(candidate: Candidate) -> tuple[Ranks, tuple[int, ...], tuple[int, int], str]:
    return candidate.key


def _decided_by(
    chosen: tuple[Ranks, tuple[int, ...], tuple[int, int], str],
    runner_up: tuple[Ranks, tuple[int, ...], tuple[int, int], str] | None,
) -> DecidedBy:
    if runner_up is None:
        return "only"
    if chosen[0] != runner_up[0]:
        return "avoid"
    if chosen[1] != runner_up[1]:
        return "disruption"
    return "room" if chosen[2] != runner_up[2] else "name"


# --- Drives -------------------------------------------------------------------------------------


def place_drive(
    size_bytes: int,
    loads: Sequence[StorageLoad],
    *,
    ranks: Mapping[str, Ranks] | None = None,
    policy: Policy = "spread",
    source_host: str | None = None,
) -> DrivePlacement | NoValidHost:
    """Pick the storage host for a drive: avoid first, then most (spread) or least (pack) free bytes, then the name.

    `ranks` says which places of the avoid list are on each host: the caller knows which drives a server's id stands
    for. A clone stays with its source on `source_host` unless avoiding says otherwise: its data need not move. Every
    host has an answer: a place, or the reason of its refusal.
    """
    ranks = ranks or {}
    refusals: list[Refusal] = []
    candidates: list[DriveCandidate] = []
    sign = -1 if policy == "spread" else 1
    for load in sorted(loads, key=lambda load: load.host.name):
        name = load.host.name
        held = ranks.get(name, ())
        if load.host.state is not HostState.UP:
            refusals.append(_not_up(load.host))
        elif size_bytes > load.free_bytes:
            refusals.append(Refusal(name, "storage", short_storage_bytes=size_bytes - load.free_bytes))
        else:
            key = (avoid_key(held), name != source_host, sign * load.free_bytes, name)
            candidates.append(DriveCandidate(name, held, load.free_bytes, key))
    if not candidates:
        return NoValidHost(tuple(refusals))
    candidates.sort(key=lambda candidate: candidate.key)
    chosen = candidates[0]
    runner_up = candidates[1] if len(candidates) > 1 else None
    decided_by: DecidedBy = "only"
    if runner_up is not None:
        decided_by = "name"
        if chosen.key[0] != runner_up.key[0]:
            decided_by = "avoid"
        elif chosen.key[1] != runner_up.key[1]:
            decided_by = "source"
        elif chosen.key[2] != runner_up.key[2]:
            decided_by = "room"
    return DrivePlacement(chosen, runner_up, decided_by, tuple(refusals))


def place_drives(
    wanted: Sequence[tuple[int, str | None]],
    loads: Sequence[StorageLoad],
    *,
    ranks: Mapping[str, Ranks] | None = None,
    policy: Policy = "spread",
) -> list[DrivePlacement | NoValidHost]:
    """Pick the storage hosts for several drives, one after the other: each has what those before it have left.

    `wanted` are sizes in bytes, each with the host of what it is copied from. The first that finds no host is the last
    of the answer.
    """
    left = {load.host.name: load for load in loads}
    found: list[DrivePlacement | NoValidHost] = []
    for size_bytes, source_host in wanted:
        placed = place_drive(size_bytes, list(left.values()), ranks=ranks, policy=policy, source_host=source_host)
        found.append(placed)
        if isinstance(placed, NoValidHost):
            break
        load = left[placed.host]
        left[placed.host] = replace(load, used_bytes=load.used_bytes + size_bytes)
    return found
