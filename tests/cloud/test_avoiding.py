"""Avoid lists against the seed's own words: satisfied from left to right. And why something could not be avoided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.cloud.avoiding import nearest, sharing_of
from backend.cloud.backfill import HostLoad
from backend.cloud.model import GIB, HostState, Size
from backend.cloud.placement import (
    NoValidHost,
    Policy,
    Reason,
    Refusal,
    Request,
    StorageLoad,
    avoided_ranks,
    place_drives,
)
from tests.builders import NOON, a_storage_host
from tests.cloud.deciding import an_index, ranks_in
from tests.strategies import QUICK, THOROUGH, clouds, sizes

T = TypeVar("T")

SOME = settings(QUICK, max_examples=150)
MANY = settings(THOROUGH, max_examples=50_000)


def by_definition(hosts: Sequence[T], avoid: Sequence[str], holds: Callable[[T, str], bool]) -> list[T]:
    """The hosts that are as good as any: those without the first entry, if there are any; of these the second; ...

    Source: CloudSigma API 2.0, "General Notes on Avoid Functionality".
    """
    left = list(hosts)
    for id in dict.fromkeys(avoid):
        left = [host for host in left if not holds(host, id)] or left
    return left


# --- Drives -------------------------------------------------------------------------------------


class DriveCase(NamedTuple):
    loads: list[StorageLoad]
    avoid: tuple[str, ...]
    hosts_of: dict[str, list[str]]
    """Nowhere, on a host, or on several, as a server's drives are."""
    wanted: list[tuple[int, str | None]]
    policy: Policy


amounts_bytes = (st.sampled_from((1, 2, 4, 8)) | st.integers(1, 20)).map(lambda gib: gib * GIB)


@st.composite
def storages(draw: st.DrawFn) -> list[StorageLoad]:
    """A few storage hosts, many of them alike, and some not up."""
    states = (HostState.UP,) * 5 + (HostState.DOWN, HostState.MAINTENANCE)
    loads = []
    for number in range(draw(st.integers(1, 5))):
        size = draw(amounts_bytes)
        host = replace(a_storage_host(f"s{number}"), storage_bytes=size, state=draw(st.sampled_from(states)))
        loads.append(StorageLoad(host, draw(st.sampled_from((0, size // 2, size))), frozenset()))
    return loads


@st.composite
def drive_cases(draw: st.DrawFn) -> DriveCase:
    loads = draw(storages())
    names = [load.host.name for load in loads]
    ids = [f"id-{number}" for number in range(6)]
    places = st.lists(st.sampled_from(names), max_size=3)
    sources = st.none() | st.sampled_from([*names, "elsewhere"])
    return DriveCase(
        loads,
        tuple(draw(st.lists(st.sampled_from(ids), max_size=7))),
        {id: draw(places) for id in ids},
        draw(st.lists(st.tuples(amounts_bytes, sources), min_size=1, max_size=4)),
        draw(st.sampled_from(("spread", "pack"))),
    )


def best_drive_host(case: DriveCase, loads: Sequence[StorageLoad], size_bytes: int, source: str | None) -> str | None:
    """Of those that avoid most the source's own, then by the policy, then by name."""
    with_room = [load for load in loads if load.host.state is HostState.UP and load.free_bytes >= size_bytes]
    left = by_definition(with_room, case.avoid, lambda load, id: load.host.name in case.hosts_of[id])
    sign = -1 if case.policy == "spread" else 1
    names = [load.host.name for load in sorted(left, key=lambda load: (sign * load.free_bytes, load.host.name))]
    return source if source in names else next(iter(names), None)


def check_drives(case: DriveCase) -> None:
    found = place_drives(case.wanted, case.loads, ranks=avoided_ranks(case.avoid, case.hosts_of), policy=case.policy)

    left = {load.host.name: load for load in case.loads}
    for placed, (size_bytes, source) in zip(found, case.wanted, strict=False):
        best = best_drive_host(case, list(left.values()), size_bytes, source)
        if isinstance(placed, NoValidHost):
            assert best is None
            assert len(placed.refusals) == len(left), "each host says why not"
            break
        assert placed.host == best
        load = left[placed.host]
        left[placed.host] = replace(load, used_bytes=load.used_bytes + size_bytes)
    else:
        assert len(found) == len(case.wanted)


@SOME
@given(drive_cases())
def test_drives_avoid_from_left_to_right_and_leave_room_for_each_other(case: DriveCase) -> None:
    check_drives(case)


@pytest.mark.thorough
@MANY
@given(drive_cases())
def test_drives_avoid_from_left_to_right_in_many_more_cases(case: DriveCase) -> None:
    check_drives(case)


# --- Servers ------------------------------------------------------------------------------------


class ServerCase(NamedTuple):
    loads: list[HostLoad]
    request: Request
    policy: Policy


@st.composite
def server_cases(draw: st.DrawFn) -> ServerCase:
    loads = draw(clouds(backfilling_max=3))
    ids = [server.id for load in loads for server in load.servers] + ["gone", "gone-too"]
    avoid = tuple(draw(st.lists(st.sampled_from(ids), max_size=6)))
    request = Request(draw(sizes), is_backfilling=draw(st.booleans()), avoid=avoid)
    return ServerCase(loads, request, draw(st.sampled_from(("spread", "pack"))))


def check_server(case: ServerCase) -> None:
    request, held = case.request, {load.host.name: {server.id for server in load.servers} for load in case.loads}
    index = an_index(case.loads, policy=case.policy)
    refusals = index.refusals(request)
    refused = {refusal.host for refusal in refusals}
    with_room = [name for name in held if name not in refused]
    best = by_definition(with_room, request.avoid, lambda name, id: id in held[name])

    ranks = ranks_in(index, request)
    found = index.place(request, now=NOON, ranks=ranks)

    if isinstance(found, NoValidHost):
        assert not best
        return
    host = found.chosen.host
    assert host in best
    shared = [id for id in dict.fromkeys(request.avoid) if id in held[host]]
    assert list(found.avoided) == shared
    if shared:
        check_sharing(request.avoid, host, with_room, held, has_rival=found.runner_up is not None)
        why = sharing_of(host, has_rival=found.runner_up is not None, refusals=refusals, ranks=ranks, size=request.size)
        assert sum(count for _, count in why.refused) == len(refusals)
        assert why.nearest is None or not ranks.get(why.nearest.host)


def check_sharing(
    avoid: Sequence[str], host: str, with_room: Sequence[str], held: Mapping[str, set[str]], *, has_rival: bool
) -> None:
    """What is said of a shared host is so: no other one has room, or those that have hold what is further left."""
    others = [name for name in with_room if name != host]
    assert has_rival == bool(others)
    order = list(dict.fromkeys(avoid))
    for id in held[host].intersection(order):
        for other in others:
            before = order[: order.index(id)]
            assert id in held[other] or held[other].intersection(before)


@SOME
@given(server_cases())
def test_servers_avoid_from_left_to_right_and_what_is_said_of_it_is_so(case: ServerCase) -> None:
    check_server(case)


@pytest.mark.thorough
@MANY
@given(server_cases())
def test_servers_avoid_from_left_to_right_in_many_more_cases(case: ServerCase) -> None:
    check_server(case)


# --- What was nearest ---------------------------------------------------------------------------


def a_refusal(host: str, reason: Reason, cpu_mhz: int = 0, memory_gib: int = 0, storage_gib: int = 0) -> Refusal:
    return Refusal(host, reason, Size(cpu_mhz, memory_gib * GIB), storage_gib * GIB)


@pytest.mark.parametrize(
    ("refusals", "host"),
    [
        ([], None),
        ([a_refusal("h1", "down"), a_refusal("h2", "maintenance")], None),
        ([a_refusal("h1", "cpu", 500), a_refusal("h2", "cpu", 250)], "h2"),
        # A quarter of the CPU is less than half of the memory.
        ([a_refusal("h1", "memory", memory_gib=4), a_refusal("h2", "cpu", 500)], "h2"),
        ([a_refusal("h1", "cpu and memory", 500, 2), a_refusal("h2", "memory", memory_gib=2)], "h2"),
        ([a_refusal("h2", "cpu", 250), a_refusal("h1", "cpu", 250)], "h1"),
        ([a_refusal("s1", "storage", storage_gib=2), a_refusal("s2", "storage", storage_gib=1)], "s2"),
    ],
)
def test_the_nearest_host_lacks_the_smallest_share(refusals: list[Refusal], host: str | None) -> None:
    found = nearest(refusals, Size(2000, 8 * GIB))

    assert (found and found.host) == host


def test_a_host_that_holds_something_of_the_list_is_not_nearest() -> None:
    refusals = [a_refusal("h1", "cpu", 250), a_refusal("h2", "cpu", 500), a_refusal("h3", "down")]

    why = sharing_of("h4", has_rival=False, refusals=refusals, ranks={"h1": (0,), "h4": (1,)}, size=Size(2000, GIB))

    assert (why.reason, why.nearest) == ("no_room", refusals[1])
    assert why.refused == (("short of CPU", 2), ("down", 1))
