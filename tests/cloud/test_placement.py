"""Which host, and why not the others: tables of values, and a scan of all hosts by the whole key."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud.backfill import HostLoad, floor_held
from backend.cloud.model import GIB, NOTHING, SMALLEST_SERVER, HostState, Size
from backend.cloud.placement import (
    DrivePlacement,
    NoValidHost,
    Placement,
    Policy,
    Ranks,
    Refusal,
    Request,
    StorageLoad,
    avoid_key,
    avoided_ranks,
    place_drive,
)
from tests.builders import HOUR, NOON, a_host, a_load, a_server, a_size, a_storage_host, a_storage_load
from tests.cloud.deciding import an_index, place
from tests.cloud.test_backfill import plan_by_subsets, requests, shrunk_by_definition
from tests.strategies import QUICK, THOROUGH, clouds


def placed(decision: Placement | NoValidHost) -> Placement:
    assert isinstance(decision, Placement)
    return decision


NORMAL = Request(a_size(2000, 4), is_backfilling=False)
BACKFILLING = Request(a_size(2000, 4), is_backfilling=True)

# --- Avoid --------------------------------------------------------------------------------------


def three_hosts_with_a_web_server_each(**sizes: int) -> list[HostLoad]:
    return [a_load(a_host(f"h{n}"), a_server(f"web-{n}", sizes.get(f"h{n}", 2000))) for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("avoid", "host"),
    [
        (("web-1", "web-2", "web-3"), "h3"),
        (("web-3", "web-2", "web-1"), "h1"),
        (("web-1", "web-3", "web-2"), "h2"),
        # Named twice, it counts at its first place.
        (("web-3", "web-1", "web-2", "web-3"), "h2"),
        # What is not there keeps its place, and changes nothing.
        (("gone", "web-2", "web-1", "gone-too", "web-3"), "h3"),
        (("web-1", "web-2"), "h3"),
        (("web-1", "web-3"), "h2"),
    ],
)
def test_of_three_hosts_with_three_avoided_servers_the_last_of_the_list_is_joined(
    avoid: tuple[str, ...], host: str
) -> None:
    request = Request(a_size(2000, 4), is_backfilling=False, avoid=avoid)

    placement = placed(place(request, three_hosts_with_a_web_server_each(), now=NOON))

    assert placement.chosen.host == host
    assert placement.decided_by == "avoid"


def test_what_could_not_be_avoided_is_named() -> None:
    loads = [a_load(a_host("h1"), a_server("a"), a_server("b"), a_server("c"))]
    request = Request(a_size(), is_backfilling=False, avoid=("c", "nowhere", "a"))

    placement = placed(place(request, loads, now=NOON))

    assert placement.chosen.ranks == (0, 2)
    assert placement.avoided == ("c", "a")
    assert placement.decided_by == "only"


def test_a_server_does_not_avoid_itself() -> None:
    loads = [a_load(a_host("h1"), a_server("me", 1000)), a_load(a_host("h2"), a_server("other", 4000))]
    request = Request(a_size(), is_backfilling=False, avoid=("me",), server_id="me")

    assert placed(place(request, loads, now=NOON)).chosen.host == "h1"


def test_to_be_apart_is_worth_stopping_a_backfilling_server() -> None:
    loads = [
        a_load(a_host("h1"), a_server("web-1", 2000)),
        a_load(a_host("h2"), a_server("b", 16_000, is_backfilling=True, floor_permille=1000)),
    ]
    request = Request(a_size(), is_backfilling=False, avoid=("web-1",))

    placement = placed(place(request, loads, now=NOON))

    assert placement.chosen.host == "h2"
    assert placement.chosen.plan.stops == ("b",)
    assert placement.decided_by == "avoid"


def test_avoiding_never_fails_a_request() -> None:
    loads = [a_load(a_host("h1"), a_server("web-1"))]

    placement = placed(place(Request(a_size(), is_backfilling=True, avoid=("web-1",)), loads, now=NOON))

    assert placement.chosen.host == "h1"


def test_hosts_are_ordered_by_what_they_hold_of_the_avoid_list() -> None:
    best_first: list[Ranks] = [(), (3,), (2,), (2, 3), (1,), (1, 3), (1, 2), (0,), (0, 3), (0, 2), (0, 1), (0, 1, 2)]

    assert all(avoid_key(better) < avoid_key(worse) for better, worse in pairwise(best_first))


@QUICK
@given(st.lists(st.sampled_from("abcdef")), st.dictionaries(st.sampled_from("abcdefg"), st.sampled_from(("h1", "h2"))))
def test_each_avoided_id_counts_once_on_its_host(avoid: list[str], host_of: dict[str, str]) -> None:
    ranks = avoided_ranks(avoid, host_of)

    counted = {avoid[rank]: host for host, places in ranks.items() for rank in places}
    assert counted == {id: host_of[id] for id in avoid if id in host_of}
    for places in ranks.values():
        assert list(places) == sorted(places)
        assert all(avoid[rank] not in avoid[:rank] for rank in places)


def test_an_id_may_stand_for_things_on_several_hosts_at_one_place() -> None:
    hosts_of = {"drive": "s1", "server": ["s2", "s1", "s2"], "none": []}

    assert avoided_ranks(("none", "drive", "server"), hosts_of) == {"s1": (1, 2), "s2": (2,)}


# --- Disruption and room ------------------------------------------------------------------------


def test_a_normal_server_goes_where_nobody_stops_then_where_the_least_work_is_lost() -> None:
    def full(name: str, age_hours: int, permille: int) -> HostLoad:
        server = a_server(
            f"b-{name}",
            16_000,
            host=name,
            is_backfilling=True,
            floor_permille=permille,
            started_at=NOON - age_hours * HOUR,
        )
        return a_load(a_host(name), server)

    shrinks, new, old = full("h3", 1, 250), full("h2", 1, 1000), full("h1", 2, 1000)

    first = placed(place(NORMAL, [old, new, shrinks], now=NOON))
    second = placed(place(NORMAL, [old, new], now=NOON))

    assert (first.chosen.host, first.chosen.shrunk, first.decided_by) == ("h3", 1, "disruption")
    assert first.runner_up is not None
    assert first.runner_up.host == "h2"
    assert (second.chosen.host, second.chosen.plan.stops, second.decided_by) == ("h2", ("b-h2",), "disruption")


@pytest.mark.parametrize(("policy", "host"), [("spread", "h2"), ("pack", "h1")])
def test_of_equal_hosts_the_policy_decides(policy: Policy, host: str) -> None:
    loads = [a_load(a_host("h1"), a_server("n1", 8000)), a_load(a_host("h2"), a_server("n2", 4000))]

    placement = placed(place(NORMAL, loads, now=NOON, policy=policy))

    assert (placement.chosen.host, placement.decided_by) == (host, "room")


def test_of_hosts_alike_the_first_name_wins_whatever_their_order() -> None:
    loads = [a_load(a_host(name)) for name in ("h3", "h1", "h2")]

    placement = placed(place(NORMAL, loads, now=NOON))

    assert (placement.chosen.host, placement.decided_by) == ("h1", "name")
    assert placement.runner_up is not None
    assert placement.runner_up.host == "h2"


def test_backfilling_servers_disturb_nobody_and_take_no_room_that_is_spoken_for() -> None:
    loads = [
        a_load(a_host("h1", 4000), a_server("b", 4000, is_backfilling=True, floor_permille=250)),
        a_load(a_host("h2", 4000), a_server("w", 3000, host="h2", waits=1)),
    ]

    assert isinstance(place(BACKFILLING, loads, now=NOON), NoValidHost)
    assert placed(place(NORMAL, loads, now=NOON)).chosen.host == "h1"


# --- Refusals -----------------------------------------------------------------------------------


def test_every_refused_host_says_why_and_by_how_much() -> None:
    loads = [
        a_load(a_host("h1", state=HostState.DOWN)),
        a_load(a_host("h2", state=HostState.MAINTENANCE)),
        a_load(a_host("h3", 16_000, 64), a_server("n3", 15_000, 4)),
        a_load(a_host("h4", 16_000, 64), a_server("n4", 1000, 61)),
        a_load(a_host("h5", 1000, 1)),
        a_load(a_host("h6", 1000, 8)),
    ]

    decision = place(NORMAL, loads, now=NOON)

    assert isinstance(decision, NoValidHost)
    assert decision.refusals == (
        Refusal("h1", "down"),
        Refusal("h2", "maintenance"),
        Refusal("h3", "cpu", Size(1000, 0)),
        Refusal("h4", "memory", Size(0, GIB)),
        Refusal("h5", "cpu and memory", Size(1000, 3 * GIB)),
        Refusal("h6", "cpu", Size(1000, 0)),
    )
    assert decision.counted() == [
        ("short of CPU", 2),
        ("down", 1),
        ("in maintenance", 1),
        ("short of CPU and memory", 1),
        ("short of memory", 1),
    ]


def test_no_hosts_at_all_is_a_refusal_without_reasons() -> None:
    assert place(NORMAL, [], now=NOON) == NoValidHost()


# --- Against a scan -----------------------------------------------------------------------------


FullKey = tuple[Ranks, int, int, int, int, int, int, str]


def scan(request: Request, cloud: list[HostLoad], policy: Policy, now: datetime = NOON) -> list[FullKey]:
    """The whole key of every host that has room, best first, worked out from the rules alone."""
    keys = []
    sign = {"spread": -1, "pack": 1}[policy]
    for load in cloud:
        if load.host.state is not HostState.UP:
            continue
        held = [
            rank
            for rank, id in enumerate(request.avoid)
            if any(server.id == id for server in load.servers) and id not in request.avoid[:rank]
        ]
        staying = load.host.capacity
        free = load.host.capacity
        for server in load.servers:
            free -= server.size
            if server.notice_until is None:
                staying -= server.size
        plan = plan_by_subsets(load, request.size, now)
        if request.is_backfilling:
            fits = request.size.fits_in(free) and SMALLEST_SERVER.fits_in(free)
            plan = (0, 0, 0, ()) if fits else None
        if plan is None:
            continue
        shrunk = 0 if request.is_backfilling else shrunk_by_definition(load, request.size, plan[3])
        key = (tuple(-rank for rank in held), *plan[:3], shrunk, sign * staying.cpu_mhz, sign * staying.memory_bytes)
        keys.append((*key, load.host.name))
    return sorted(keys)


def check_placement(cloud: list[HostLoad], request: Request, policy: Policy) -> None:
    wanted = scan(request, cloud, policy)

    decision = place(request, list(reversed(cloud)), now=NOON, policy=policy)

    if isinstance(decision, NoValidHost):
        assert not wanted
        assert len(decision.refusals) == len(cloud)
        return
    found = [decision.chosen] + ([decision.runner_up] if decision.runner_up else [])
    assert [flat(candidate.key) for candidate in found] == wanted[:2]
    refusals = an_index(cloud).refusals(request)
    assert len(refusals) == len(cloud) - len(wanted)
    refused = {refusal.host for refusal in refusals}
    assert refused.isdisjoint(key[-1] for key in wanted)
    for refusal in refusals:
        assert (refusal.short == NOTHING) == (refusal.reason in ("down", "maintenance"))


def flat(key: tuple[Ranks, tuple[int, ...], tuple[int, int], str]) -> tuple[object, ...]:
    return (key[0], *key[1], *key[2], key[3])


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[HostLoad], Request, Policy]:
    cloud = draw(clouds())
    ids = [server.id for load in cloud for server in load.servers] + ["unknown"]
    avoid = tuple(draw(st.lists(st.sampled_from(ids), max_size=4)))
    request = Request(draw(requests), is_backfilling=draw(st.booleans()), avoid=avoid)
    return cloud, request, draw(st.sampled_from(("spread", "pack")))


@QUICK
@given(cases())
def test_the_decision_is_the_best_of_a_scan_of_all_hosts(case: tuple[list[HostLoad], Request, Policy]) -> None:
    check_placement(*case)


@pytest.mark.thorough
@THOROUGH
@given(cases())
def test_the_decision_is_the_best_of_a_scan_in_many_more_cases(case: tuple[list[HostLoad], Request, Policy]) -> None:
    check_placement(*case)


@QUICK
@given(cases())
def test_a_placed_server_leaves_the_floors_of_all_that_stay(case: tuple[list[HostLoad], Request, Policy]) -> None:
    cloud, request, policy = case
    decision = place(request, cloud, now=NOON, policy=policy)
    if isinstance(decision, NoValidHost):
        return

    load = next(load for load in cloud if load.host.name == decision.chosen.host)
    need = load.normal + load.waiting_size + request.size
    for server in load.backfilling:
        if server.id not in decision.chosen.plan.stops:
            need += floor_held(server)
    assert need.fits_in(load.host.capacity)


# --- Drives -------------------------------------------------------------------------------------


def test_a_drive_goes_where_the_least_is_avoided_then_where_most_is_free() -> None:
    loads = [
        a_storage_load(a_storage_host("s1"), 100, "mirror"),
        a_storage_load(a_storage_host("s2"), 300),
        a_storage_load(a_storage_host("s3"), 200),
    ]

    apart = place_drive(10 * GIB, loads, ranks={"s1": (0,)})
    anywhere = place_drive(10 * GIB, loads)
    packed = place_drive(10 * GIB, loads, policy="pack")

    assert isinstance(apart, DrivePlacement)
    assert isinstance(anywhere, DrivePlacement)
    assert isinstance(packed, DrivePlacement)
    assert (apart.host, apart.decided_by, apart.ranks) == ("s3", "room", ())
    assert (anywhere.host, anywhere.decided_by) == ("s1", "room")
    assert packed.host == "s2"


def test_of_three_storage_hosts_with_avoided_drives_the_last_of_the_list_is_joined() -> None:
    loads = [a_storage_load(a_storage_host(name)) for name in ("s1", "s2", "s3")]

    placement = place_drive(GIB, loads, ranks={"s1": (0, 3), "s2": (2,), "s3": (1,)})

    assert isinstance(placement, DrivePlacement)
    assert (placement.host, placement.ranks, placement.decided_by) == ("s2", (2,), "avoid")


def test_a_full_storage_host_says_how_much_is_missing() -> None:
    loads: list[StorageLoad] = [
        a_storage_load(a_storage_host("s1", 10), 5),
        a_storage_load(a_storage_host("s2", state=HostState.DOWN)),
    ]

    decision = place_drive(6 * GIB, loads)

    assert isinstance(decision, NoValidHost)
    assert decision.refusals == (Refusal("s1", "storage", short_storage_bytes=GIB), Refusal("s2", "down"))
    assert decision.counted() == [("down", 1), ("short of storage", 1)]
    assert isinstance(place_drive(5 * GIB, loads), DrivePlacement)
